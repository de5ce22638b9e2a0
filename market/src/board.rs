//! The board: everything a community could trade next, from what it lists and how it stands.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use ayni_protocol::{Address, PublicKey, Scale, Timestamp};

use crate::fit::{Fit, fits};
use crate::listing::Listing;
use crate::ring::{Ring, Standing, rings};

/// Listings that are considered, the newest first.
pub const LISTINGS_MAX: usize = 2_000;

/// What could be traded next.
#[derive(Debug, Clone, Default)]
pub struct Board<'a> {
    /// Wants and offers that suit them, what helps balances most first.
    pub fits: Vec<Fit<'a>>,
    /// Rings of trades, likewise.
    pub rings: Vec<Ring<'a>>,
}

impl<'a> Board<'a> {
    /// The board of listings that stand now, by authors whose standing is known.
    #[must_use]
    pub fn of(
        listings: &'a [Listing],
        standing: &BTreeMap<PublicKey, Standing>,
        currency: &Address,
        scale: Scale,
        now: Timestamp,
    ) -> Self {
        let known = |listing: &&Listing| listing.stands(now) && standing.contains_key(&listing.by);
        let mut open: Vec<&Listing> = listings.iter().filter(known).collect();
        open.sort_by_key(|listing| (Reverse(listing.at), listing.id));
        open.truncate(LISTINGS_MAX);
        let mut fits = fits(&open, currency, scale);
        let (rings, _) = rings(&fits, standing);
        fits.retain(|fit| is_payable(fit, standing));
        fits.sort_by_key(|fit| {
            (Reverse(easing(fit, standing)), Reverse(fit.points), fit.want.id, fit.offer.id)
        });
        Self { fits, rings }
    }

    /// What of it concerns a member: offers for their wants, wants for their offers, their rings.
    #[must_use]
    pub fn of_member(&self, member: &PublicKey) -> Self {
        let concerns = |fit: &&Fit<'_>| fit.buyer() == *member || fit.seller() == *member;
        Self {
            fits: self.fits.iter().filter(concerns).copied().collect(),
            rings: self.rings.iter().filter(|ring| ring.has(member)).cloned().collect(),
        }
    }
}

/// By how much a trade alone would bring both balances nearer to zero.
#[must_use]
pub fn easing(fit: &Fit<'_>, standing: &BTreeMap<PublicKey, Standing>) -> i128 {
    let minor = i128::from(fit.minor.unwrap_or_default());
    let of = |key: PublicKey, change| standing.get(&key).map_or(0, |s| s.easing(change));
    of(fit.seller(), minor) + of(fit.buyer(), -minor)
}

/// Whether the buyer may pay it and the seller may be paid it.
fn is_payable(fit: &Fit<'_>, standing: &BTreeMap<PublicKey, Standing>) -> bool {
    let minor = i128::from(fit.minor.unwrap_or_default());
    let may = |key: PublicKey, change| standing.get(&key).is_some_and(|s| s.allows(change));
    may(fit.seller(), minor) && may(fit.buyer(), -minor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Side;
    use crate::testing::{currency, key, listing};

    fn standing(balances: &[(&str, i128)]) -> BTreeMap<PublicKey, Standing> {
        let stand = |balance| Standing { balance, limit: 1_000, max: None };
        balances.iter().map(|(name, balance)| (key(name), stand(*balance))).collect()
    }

    fn two() -> Scale {
        Scale::new(2).unwrap()
    }

    fn circle() -> Vec<Listing> {
        vec![
            listing(Side::Offer, "ana", "Bread", "food", "2.00"),
            listing(Side::Want, "ben", "Bread", "food", ""),
            listing(Side::Offer, "ben", "Bicycle repair", "repair", "3.00"),
            listing(Side::Want, "carla", "Bicycle", "repair", ""),
            listing(Side::Offer, "carla", "Spanish lesson", "lessons", "2.50"),
            listing(Side::Want, "ana", "Spanish", "lessons", ""),
        ]
    }

    #[test]
    fn a_circle_is_found_and_said_to_ease() {
        // Ben owes most, and earns most; Carla holds most, and spends most.
        let standing = standing(&[("ana", -100), ("ben", -400), ("carla", 500)]);
        let listings = circle();
        let board = Board::of(&listings, &standing, &currency(), two(), 0);
        let [ring] = board.rings.as_slice() else { panic!("{:?}", board.rings) };
        assert_eq!(ring.steps.len(), 3);
        let changes = ring.changes();
        let of = |name: &str| changes[&key(name)];
        assert_eq!((of("ana"), of("ben"), of("carla")), (-50, 100, -50));
        assert_eq!((ring.easing, ring.even), (-50 + 100 + 50, false));
        assert_eq!(board.of_member(&key("ben")).rings.len(), 1);
        assert_eq!(board.of_member(&key("ben")).fits.len(), 2);
        assert!(board.of_member(&key("dario")).rings.is_empty());
    }

    #[test]
    fn from_zero_a_ring_is_settled_at_one_price() {
        let standing = standing(&[("ana", 0), ("ben", 0), ("carla", 0)]);
        let listings = circle();
        let board = Board::of(&listings, &standing, &currency(), two(), 0);
        let ring = &board.rings[0];
        assert!(ring.even && ring.easing == 0);
        assert!(ring.steps.iter().all(|step| step.minor == Some(200)), "the lowest of them");
        assert!(ring.changes().values().all(|change| *change == 0));
    }

    #[test]
    fn without_prices_a_ring_is_still_a_ring() {
        let standing = standing(&[("ana", 0), ("ben", 0)]);
        let listings = [
            listing(Side::Offer, "ana", "Bread", "food", ""),
            listing(Side::Want, "ben", "Bread", "food", ""),
            listing(Side::Offer, "ben", "Firewood", "", ""),
            listing(Side::Want, "ana", "Firewood", "", ""),
        ];
        let board = Board::of(&listings, &standing, &currency(), two(), 0);
        assert_eq!(board.rings[0].steps.len(), 2);
        assert_eq!(board.rings[0].volume(), 0);
    }

    #[test]
    fn what_cannot_be_paid_is_not_proposed() {
        let mut standing = standing(&[("ana", 0), ("ben", -900)]);
        let listings = &circle()[..2];
        assert!(Board::of(listings, &standing, &currency(), two(), 0).fits.is_empty());
        standing.get_mut(&key("ben")).unwrap().balance = -800;
        assert_eq!(Board::of(listings, &standing, &currency(), two(), 0).fits.len(), 1);
        standing.get_mut(&key("ana")).unwrap().max = Some(150);
        assert!(Board::of(listings, &standing, &currency(), two(), 0).fits.is_empty());
    }

    #[test]
    fn a_stranger_and_a_lapsed_listing_are_left_out() {
        let standing = standing(&[("ana", 0), ("ben", 0)]);
        let mut listings = circle();
        listings[1].expires_at = Some(5);
        assert!(Board::of(&listings, &standing, &currency(), two(), 5).fits.is_empty());
        assert_eq!(Board::of(&listings, &standing, &currency(), two(), 4).fits.len(), 1);
    }

    #[test]
    fn a_listing_is_wanted_by_no_two_rings() {
        let standing = standing(&[("ana", 0), ("ben", 0), ("carla", 0), ("dario", 0)]);
        let mut listings = circle();
        listings.push(listing(Side::Offer, "dario", "Spanish lesson", "lessons", "2.00"));
        listings.push(listing(Side::Want, "dario", "Bicycle", "repair", ""));
        let board = Board::of(&listings, &standing, &currency(), two(), 0);
        assert_eq!(board.rings.len(), 1, "Ana wants one Spanish lesson");
    }
}
