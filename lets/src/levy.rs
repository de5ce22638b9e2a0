//! Levies: what a community takes from payments, as pure arithmetic (protocol section 3).
//!
//! The price is the gross. The payee's levies are taken out of it, the payer's are added to it,
//! each `floor(gross * ppm / 10^6)`; one of zero has no leg.

use ayni_protocol::PublicKey;
use ayni_protocol::amount::MINOR_MAX;
use ayni_witness::Leg;

use crate::rules::{Levy, MILLION, Rules, Side};

/// Why a price cannot be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LevyError {
    /// Not above zero, or beyond what an amount can hold.
    #[error("the amount is out of bounds")]
    OutOfBounds,
    /// The levies leave nothing.
    #[error("the levies leave nothing for the payee")]
    NothingLeft,
}

/// The legs of an order over `gross` minor units: the payee's, then the levies in the order of the
/// rules, the payee's side first. Without levies where they do not apply.
///
/// # Errors
/// [`LevyError`].
pub fn legs(
    rules: &Rules,
    payee: PublicKey,
    gross: i64,
    levied: bool,
) -> Result<Vec<Leg>, LevyError> {
    if !(1..=MINOR_MAX).contains(&gross) {
        return Err(LevyError::OutOfBounds);
    }
    let side = |side| {
        let all = rules.levies.iter().filter(move |levy| levied && levy.side == side);
        all.map(move |levy| (levy.account, share(gross, levy))).filter(|(_, minor)| *minor > 0)
    };
    let taken: i128 = side(Side::Payee).map(|(_, minor)| i128::from(minor)).sum();
    let net = i64::try_from(i128::from(gross) - taken).ok().filter(|net| *net > 0);
    let mut legs =
        vec![Leg { account: payee, minor: net.ok_or(LevyError::NothingLeft)?, purpose: "".into() }];
    legs.extend(side(Side::Payee).chain(side(Side::Payer)).map(|(account, minor)| Leg {
        account,
        minor,
        purpose: "levy".into(),
    }));
    Ok(legs)
}

/// The gross that these legs are the right ones for, if any: the inverse of [`legs`].
#[must_use]
pub fn gross(rules: &Rules, found: &[Leg], levied: bool) -> Option<i64> {
    let payee = found.first()?.account;
    let mut candidate = 0_i64;
    for leg in found {
        candidate = candidate.checked_add(leg.minor)?;
        if legs(rules, payee, candidate, levied).is_ok_and(|right| right == found) {
            return Some(candidate);
        }
    }
    None
}

/// The lowest gross of which exactly `net` is left for the payee, if there is one.
#[must_use]
pub fn gross_for_net(rules: &Rules, net: i64, levied: bool) -> Option<i64> {
    /// Each levy's floor moves the answer by less than two minor units while levies together stay
    /// below a half; where they take more, finding none is an honest answer too.
    const TRIED: i64 = 64;
    let payee_side = rules.levies.iter().filter(|levy| levied && levy.side == Side::Payee);
    let (count, ppm) = payee_side.fold((0, 0_i64), |(n, ppm), levy| (n + 1, ppm + levy.ppm));
    let left = i128::from(MILLION.checked_sub(ppm).filter(|left| *left > 0)?);
    let lowest = (i128::from(net) - count).max(1) * i128::from(MILLION) / left;
    let lowest = i64::try_from(lowest).ok()?;
    (lowest..lowest.saturating_add(TRIED)).find(|gross| {
        legs(rules, PublicKey([0; 32]), *gross, levied)
            .is_ok_and(|legs| legs.first().is_some_and(|leg| leg.minor == net))
    })
}

/// `floor(gross * ppm / 10^6)`, never more than the gross.
fn share(gross: i64, levy: &Levy) -> i64 {
    let share = i128::from(gross) * i128::from(levy.ppm) / i128::from(MILLION);
    i64::try_from(share).unwrap_or(gross)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, rules};

    fn levied(levies: &[(Side, i64)]) -> Rules {
        let levies = levies
            .iter()
            .map(|(side, ppm)| Levy { side: *side, ppm: *ppm, account: key("treasury") })
            .collect();
        Rules { levies, ..rules(key("sol")) }
    }

    fn minors(rules: &Rules, gross: i64) -> Vec<i64> {
        legs(rules, key("ben"), gross, true).unwrap().iter().map(|leg| leg.minor).collect()
    }

    #[test]
    fn the_payee_side_is_taken_out_and_the_payer_side_added() {
        let rules = levied(&[(Side::Payer, 10_000), (Side::Payee, 20_000), (Side::Payee, 5_000)]);
        assert_eq!(minors(&rules, 300), [300 - 6 - 1, 6, 1, 3]);
        assert_eq!(minors(&rules, 30), [30], "a levy of zero has no leg");
        assert_eq!(legs(&rules, key("ben"), 300, false).unwrap().len(), 1);
    }

    #[test]
    fn a_price_out_of_bounds_or_eaten_up_has_no_legs() {
        let all = levied(&[(Side::Payee, MILLION)]);
        assert_eq!(legs(&all, key("ben"), 5, true), Err(LevyError::NothingLeft));
        for gross in [0, -1, MINOR_MAX + 1] {
            assert_eq!(legs(&all, key("ben"), gross, false), Err(LevyError::OutOfBounds));
        }
    }

    #[test]
    fn the_gross_is_found_again() {
        let rules = levied(&[(Side::Payee, 20_000), (Side::Payer, 30_000), (Side::Payee, 333_333)]);
        for price in (1..2_000).chain([MINOR_MAX]) {
            let right = legs(&rules, key("ben"), price, true).unwrap();
            assert_eq!(gross(&rules, &right, true), Some(price));
            let net = right[0].minor;
            let lowest = gross_for_net(&rules, net, true).unwrap();
            assert!(lowest <= price, "{lowest} {price}");
            assert_eq!(minors(&rules, lowest)[0], net);
        }
        let mut wrong = legs(&rules, key("ben"), 500, true).unwrap();
        wrong[1].minor += 1;
        assert_eq!(gross(&rules, &wrong, true), None);
    }
}
