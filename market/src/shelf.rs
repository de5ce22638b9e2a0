//! Which listings somebody asks for, and in which order they are shown.
//!
//! Nearness is by geohash: the more letters two places share from the left, the nearer they are. A
//! place may also be named in words. Neither needs anybody's exact address.

use std::cmp::Reverse;

use ayni_protocol::{PublicKey, Timestamp};

use crate::listing::{Listing, Side};

/// Letters of a geohash that must be shared to be near: about 20 kilometres.
pub const NEAR_LETTERS: usize = 4;

/// What is asked for; what is left open matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Offers, or wants.
    pub side: Option<Side>,
    /// Words that must all be there, without case and marks.
    pub words: Vec<String>,
    /// A category.
    pub category: Option<String>,
    /// A geohash, or the name of a place.
    pub near: Option<String>,
    /// Whose.
    pub by: Option<PublicKey>,
    /// Also what lapsed, is sold or put aside.
    pub all: bool,
}

impl Query {
    /// Whether a listing is asked for.
    #[must_use]
    pub fn wants(&self, listing: &Listing, now: Timestamp) -> bool {
        let side = self.side.is_none_or(|side| side == listing.side);
        let category = self
            .category
            .as_ref()
            .is_none_or(|category| listing.categories.contains(&category.to_lowercase()));
        let by = self.by.is_none_or(|by| by == listing.by);
        let near = self.near.as_ref().is_none_or(|near| is_near(listing, near));
        (self.all || listing.stands(now)) && side && category && by && near && self.said_by(listing)
    }

    fn said_by(&self, listing: &Listing) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let said = listing.words();
        self.words.iter().all(|word| said.contains(word))
    }

    /// The listings that are asked for: the nearest first where a place is named, else the newest.
    #[must_use]
    pub fn pick<'a>(&self, all: &'a [Listing], now: Timestamp) -> Vec<&'a Listing> {
        let mut picked: Vec<_> = all.iter().filter(|listing| self.wants(listing, now)).collect();
        picked.sort_by_cached_key(|listing| {
            let near = self.near.as_deref().map_or(0, |near| shared_letters(listing, near));
            (Reverse(near), Reverse(listing.at), listing.id)
        });
        picked
    }
}

/// Whether a listing lies near a geohash, or names the place.
fn is_near(listing: &Listing, near: &str) -> bool {
    let asked: Vec<String> = ayni_protocol::search::words(near).collect();
    let named: Vec<String> = ayni_protocol::search::words(&listing.location).collect();
    let by_name = !asked.is_empty() && asked.iter().all(|word| named.contains(word));
    by_name || shared_letters(listing, near) >= NEAR_LETTERS.min(near.chars().count()).max(1)
}

/// How many letters the nearest place of a listing shares with a geohash, from the left.
#[must_use]
pub fn shared_letters(listing: &Listing, near: &str) -> usize {
    let near = near.to_lowercase();
    let shared =
        |place: &String| place.chars().zip(near.chars()).take_while(|(a, b)| a == b).count();
    listing.places.iter().map(shared).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, listing};

    fn placed(by: &str, at: u64, location: &str, place: &str) -> Listing {
        let mut made = listing(Side::Offer, by, "Bread", "food", "3.00");
        (made.at, made.location) = (at, location.into());
        made.places = [place.to_owned()].into();
        made
    }

    fn authors(query: &Query, all: &[Listing]) -> Vec<PublicKey> {
        query.pick(all, 0).into_iter().map(|listing| listing.by).collect()
    }

    #[test]
    fn the_newest_is_first_and_with_a_place_the_nearest() {
        let all = [placed("ana", 1, "San Blas", "6mc5f"), placed("ben", 2, "Pisac", "6mc7a")];
        assert_eq!(authors(&Query::default(), &all), [key("ben"), key("ana")]);
        let near = |place: &str| Query { near: Some(place.into()), ..Query::default() };
        assert_eq!(authors(&near("6MC5"), &all), [key("ana")]);
        assert_eq!(authors(&near("6mc"), &all), [key("ben"), key("ana")]);
        assert_eq!(authors(&near("pisác"), &all), [key("ben")], "without case and marks");
        assert!(authors(&near("9q8y"), &all).is_empty() && authors(&near(""), &all).is_empty());
    }

    #[test]
    fn every_condition_must_hold() {
        let mut want = listing(Side::Want, "ana", "Pan de maíz", "Food", "");
        want.categories = ["food".to_owned()].into();
        let asks = |query: Query| query.wants(&want, 0);
        let open = Query::default;
        assert!(asks(Query { side: Some(Side::Want), category: Some("FOOD".into()), ..open() }));
        assert!(asks(Query { words: vec!["maiz".into(), "pan".into()], ..open() }));
        assert!(!asks(Query { words: vec!["maiz".into(), "leche".into()], ..open() }));
        assert!(!asks(Query { side: Some(Side::Offer), ..open() }));
        assert!(!asks(Query { category: Some("tools".into()), ..open() }));
        assert!(!asks(Query { by: Some(key("ben")), ..open() }));
    }

    #[test]
    fn what_lapsed_is_shown_on_request() {
        let mut old = listing(Side::Offer, "ana", "Bread", "food", "");
        old.expires_at = Some(5);
        assert!(!Query::default().wants(&old, 5));
        assert!(Query { all: true, ..Query::default() }.wants(&old, 5));
    }
}
