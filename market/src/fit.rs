//! Which offers suit which wants.
//!
//! Sharing a category, or a word of the title, makes a fit; shared words of the text and a shared
//! place make it a better one. A price above the budget unmakes it. For each want the best few are
//! kept, and only so many offers are looked at for each word, so a market stuffed with one word
//! costs no more than any other.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Address, PublicKey, Scale};

use crate::listing::{Listing, Side};
use crate::shelf::{NEAR_LETTERS, shared_letters};

/// Offers kept for each want.
pub const FITS_PER_WANT: usize = 6;
/// Offers looked at for each word or category of a want, the newest first.
pub const OFFERS_PER_WORD: usize = 256;
/// Points from which an offer suits a want.
const POINTS_MIN: u32 = 2;
/// Letters below which a word says too little.
const LETTERS_MIN: usize = 4;
/// Words of one listing that are compared.
const COMPARED_MAX: usize = 48;
/// Words that stand in any listing.
const COMMON: [&str; 20] = [
    "wanted", "want", "looking", "offer", "need", "needed", "help", "with", "from", "your", "this",
    "that", "busco", "ofrezco", "necesito", "para", "procuro", "preciso", "cherche", "pour",
];

/// A want, and an offer that suits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit<'a> {
    /// The offer.
    pub offer: &'a Listing,
    /// The want.
    pub want: &'a Listing,
    /// How well they suit each other.
    pub points: u32,
    /// The price in minor units: the offer's, else the want's budget; none where neither says.
    pub minor: Option<i64>,
}

impl Fit<'_> {
    /// Who would be paid.
    #[must_use]
    pub const fn seller(&self) -> PublicKey {
        self.offer.by
    }

    /// Who would pay.
    #[must_use]
    pub const fn buyer(&self) -> PublicKey {
        self.want.by
    }
}

/// The terms of a listing, each with what it weighs: the same term weighs most where both put it
/// first.
struct Terms(BTreeMap<String, u32>);

impl Terms {
    fn of(listing: &Listing) -> Self {
        let mut terms = BTreeMap::new();
        let says =
            |word: &String| word.chars().count() >= LETTERS_MIN && !COMMON.contains(&word.as_str());
        terms.extend(listing.words().into_iter().filter(says).take(COMPARED_MAX).map(|w| (w, 1)));
        terms.extend(listing.title_words().into_iter().filter(says).map(|word| (word, 2)));
        // A category can be no word: words have no colon.
        terms.extend(listing.categories.iter().map(|category| (format!("t:{category}"), 3)));
        Self(terms)
    }
}

/// Every want with the offers that suit it best.
#[must_use]
pub fn fits<'a>(listings: &[&'a Listing], currency: &Address, scale: Scale) -> Vec<Fit<'a>> {
    let mut newest: Vec<&'a Listing> = listings.to_vec();
    newest.sort_by_key(|listing| (Reverse(listing.at), listing.id));
    let offers: Vec<_> = newest.iter().filter(|listing| listing.side == Side::Offer).collect();
    let mut by_term: BTreeMap<String, Vec<(usize, u32)>> = BTreeMap::new();
    for (place, offer) in offers.iter().enumerate() {
        for (term, weight) in Terms::of(offer).0 {
            let places = by_term.entry(term).or_default();
            if places.len() < OFFERS_PER_WORD {
                places.push((place, weight));
            }
        }
    }
    let mut found = Vec::new();
    for want in newest.iter().filter(|listing| listing.side == Side::Want) {
        let mut points: BTreeMap<usize, u32> = BTreeMap::new();
        for (term, weight) in Terms::of(want).0 {
            for (place, theirs) in by_term.get(&term).into_iter().flatten() {
                *points.entry(*place).or_default() += weight.min(*theirs);
            }
        }
        let suiting = points
            .into_iter()
            .filter_map(|(place, points)| fit(offers.get(place)?, want, points, currency, scale));
        let mut suiting: Vec<Fit<'a>> = suiting.collect();
        suiting.sort_by_key(|fit| (Reverse(fit.points), Reverse(fit.offer.at), fit.offer.id));
        found.extend(suiting.into_iter().take(FITS_PER_WANT));
    }
    found
}

fn fit<'a>(
    offer: &'a Listing,
    want: &'a Listing,
    points: u32,
    currency: &Address,
    scale: Scale,
) -> Option<Fit<'a>> {
    let (price, budget) = (offer.minor(currency, scale), want.minor(currency, scale));
    let too_dear = price.zip(budget).is_some_and(|(price, budget)| price > budget);
    if offer.by == want.by || points < POINTS_MIN || too_dear {
        return None;
    }
    let points = points + u32::from(same_place(offer, want));
    Some(Fit { offer, want, points, minor: price.or(budget) })
}

fn same_place(one: &Listing, other: &Listing) -> bool {
    let named = |listing: &Listing| -> BTreeSet<String> {
        ayni_protocol::search::words(&listing.location).collect()
    };
    let by_name = !named(one).is_disjoint(&named(other));
    by_name || other.places.iter().any(|place| shared_letters(one, place) >= NEAR_LETTERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{currency, listing};

    fn offer(by: &str, title: &str, category: &str, price: &str) -> Listing {
        listing(Side::Offer, by, title, category, price)
    }

    fn want(by: &str, title: &str, category: &str, price: &str) -> Listing {
        listing(Side::Want, by, title, category, price)
    }

    fn found(all: &[Listing]) -> Vec<(String, String, Option<i64>)> {
        let all: Vec<&Listing> = all.iter().collect();
        fits(&all, &currency(), Scale::new(2).unwrap())
            .into_iter()
            .map(|fit| (fit.offer.title.clone(), fit.want.title.clone(), fit.minor))
            .collect()
    }

    #[test]
    fn a_category_or_a_word_of_the_title_makes_a_fit() {
        let all = [
            offer("ana", "Bicycle repair", "", "3.00"),
            offer("ben", "Sourdough", "food", "2.00"),
            want("carla", "My bicycle is broken", "", ""),
            want("dario", "Anything to eat", "food", "5"),
            want("elena", "Looking for help with your taxes", "", ""),
        ];
        let mut found = found(&all);
        found.sort();
        let expected = [
            ("Bicycle repair".into(), "My bicycle is broken".into(), Some(300)),
            ("Sourdough".into(), "Anything to eat".into(), Some(200)),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn nobody_trades_with_themselves_or_above_their_budget() {
        let all = [
            offer("ana", "Bread", "food", "3.00"),
            want("ana", "Bread", "food", ""),
            want("ben", "Bread", "food", "2.99"),
        ];
        assert_eq!(found(&all), []);
    }

    #[test]
    fn the_nearer_of_two_alike_comes_first() {
        let mut near = offer("ana", "Bread", "food", "");
        near.location = "Pisac".into();
        let mut asked = want("carla", "Bread", "food", "2");
        asked.location = "pisac".into();
        let all = [near, offer("ben", "Fresh bread", "food", "1"), asked];
        let found = found(&all);
        assert_eq!(found[0], ("Bread".into(), "Bread".into(), Some(200)), "the budget stands in");
        assert_eq!(found.len(), 2);
    }
}
