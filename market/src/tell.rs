//! Suggestions in a plain sentence each.

use ayni_protocol::{PublicKey, Scale};

use crate::fit::Fit;
use crate::ring::Ring;

/// How sums are written, and what people are called.
pub struct Words<'a> {
    /// The currency's decimals.
    pub scale: Scale,
    /// What a member is called.
    pub name: &'a dyn Fn(&PublicKey) -> String,
}

impl Words<'_> {
    fn sum(&self, minor: impl Into<i128>) -> String {
        self.scale.format(minor.into())
    }

    /// A want and an offer that suits it; `easing` as [`crate::board::easing`] has it.
    #[must_use]
    pub fn fit(&self, fit: &Fit<'_>, easing: i128) -> String {
        let (seller, buyer) = ((self.name)(&fit.seller()), (self.name)(&fit.buyer()));
        let price = match fit.minor {
            Some(minor) => format!("for {}", self.sum(minor)),
            None => "at a price to be agreed".to_owned(),
        };
        let end = if easing > 0 {
            format!("; the trade brings their balances {} nearer to zero", self.sum(easing))
        } else {
            String::new()
        };
        let (offered, wanted) = (&fit.offer.title, &fit.want.title);
        format!("{seller} offers “{offered}” {price}, and {buyer} wants “{wanted}”{end}.")
    }

    /// A ring: who sells what to whom, and what it does to balances.
    #[must_use]
    pub fn ring(&self, ring: &Ring<'_>) -> String {
        let step = |step: &crate::ring::Step<'_>| {
            let (seller, buyer) = ((self.name)(&step.fit.seller()), (self.name)(&step.fit.buyer()));
            let price = step.minor.filter(|_| !ring.even);
            let price = price.map(|minor| format!(" ({})", self.sum(minor))).unwrap_or_default();
            format!("{seller}’s “{}” suits {buyer}{price}", step.fit.offer.title)
        };
        let steps: Vec<String> = ring.steps.iter().map(step).collect();
        let each = ring.steps.iter().find_map(|step| step.minor).filter(|_| ring.even);
        let end = match each {
            Some(minor) => format!("settled at {} each, nobody’s balance moves", self.sum(minor)),
            None if ring.even => "at one price for all, nobody’s balance moves".to_owned(),
            None if ring.easing == 0 => {
                "together, balances stay as near to zero as they are".into()
            }
            None => format!("together, balances come {} nearer to zero", self.sum(ring.easing)),
        };
        format!("{}: {end}.", steps.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::{Listing, Side};
    use crate::ring::Step;
    use crate::testing::{key, listing};

    fn told(of: impl FnOnce(&Words<'_>) -> String) -> String {
        let name = |who: &PublicKey| if *who == key("ana") { "Ana".into() } else { "Ben".into() };
        of(&Words { scale: Scale::new(2).unwrap(), name: &name })
    }

    fn goods() -> [Listing; 4] {
        [
            listing(Side::Offer, "ana", "Bread", "food", "2.00"),
            listing(Side::Want, "ben", "Loaves", "food", ""),
            listing(Side::Offer, "ben", "Eggs", "farm", "3.00"),
            listing(Side::Want, "ana", "Fresh eggs", "farm", ""),
        ]
    }

    #[test]
    fn a_fit_is_one_sentence() {
        let [bread, loaves, ..] = goods();
        let fit = Fit { offer: &bread, want: &loaves, points: 3, minor: Some(200) };
        assert_eq!(
            told(|words| words.fit(&fit, 150)),
            "Ana offers “Bread” for 2.00, and Ben wants “Loaves”; the trade brings their balances \
             1.50 nearer to zero."
        );
        let open = Fit { minor: None, ..fit };
        assert_eq!(
            told(|words| words.fit(&open, 0)),
            "Ana offers “Bread” at a price to be agreed, and Ben wants “Loaves”."
        );
    }

    #[test]
    fn a_ring_is_one_sentence() {
        let [bread, loaves, eggs, fresh] = goods();
        let step = |offer, want, minor| Step {
            fit: Fit { offer, want, points: 3, minor: Some(minor) },
            minor: Some(minor),
        };
        let steps = vec![step(&bread, &loaves, 200), step(&eggs, &fresh, 300)];
        let ring = Ring { steps, easing: 200, even: false };
        assert_eq!(
            told(|words| words.ring(&ring)),
            "Ana’s “Bread” suits Ben (2.00), Ben’s “Eggs” suits Ana (3.00): together, balances come \
             2.00 nearer to zero."
        );
        let even = Ring { easing: 0, even: true, ..ring.clone() };
        assert!(
            told(|words| words.ring(&even))
                .ends_with("settled at 2.00 each, nobody’s balance moves.")
        );
        let still = Ring { easing: 0, ..ring };
        assert!(told(|words| words.ring(&still)).ends_with("as near to zero as they are."));
    }
}
