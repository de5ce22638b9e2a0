//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// The community's figure is its members' figures, weighed.
pub const CHI_IS_THE_MEAN: Law = Law {
    name: "ChiIsTheMean",
    sentence: "A community's chi is the mean of its members' balance indices, weighed by turnover",
    why: "or what a member sees and what the community sees would be two stories",
};

/// Cancelling in pairs cancels no more than cancelling all around.
pub const THE_CIRCLE_CONTAINS_THE_PAIRS: Law = Law {
    name: "TheCircleContainsThePairs",
    sentence: "Chi is never below dyadic, and every share lies between nothing and all",
    why: "or a figure would say less than nothing",
};

/// Figures are a function of the set of trades.
pub const ORDER_LEAVES_NO_TRACE: Law = Law {
    name: "OrderLeavesNoTrace",
    sentence: "Any order of the same trades, accounts and listings gives the same figures and the \
               same suggestions",
    why: "or two nodes with the same events would print different scores",
};

/// A ring closes, and harms nobody.
pub const RINGS_CLOSE_AND_EASE: Law = Law {
    name: "RingsCloseAndEase",
    sentence: "In a proposed ring every buyer is the next seller, nobody appears twice or goes \
               beyond their limit, and balances together come no further from zero",
    why: "or following a suggestion could hurt who follows it",
};

/// Nobody can make the node think for ever.
pub const BOUNDED_WORK: Law = Law {
    name: "BoundedWork",
    sentence: "However listings are crafted, the fits and paths looked at are bounded by their \
               number",
    why: "or a member's listings could stop the node",
};

/// What is written is what is read.
pub const WRITTEN_AS_READ: Law = Law {
    name: "WrittenAsRead",
    sentence: "A listing that is written and signed reads as the same listing",
    why: "or renewing a listing would change it",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    CHI_IS_THE_MEAN,
    THE_CIRCLE_CONTAINS_THE_PAIRS,
    ORDER_LEAVES_NO_TRACE,
    RINGS_CLOSE_AND_EASE,
    BOUNDED_WORK,
    WRITTEN_AS_READ,
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use ayni_protocol::{Keys, PublicKey, Scale};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use crate::board::LISTINGS_MAX;
    use crate::fit::{FITS_PER_WANT, fits};
    use crate::flow::{Flows, Window};
    use crate::listing::{Listing, Price, Side, Status};
    use crate::ring::{PATHS_PER_TRADE, Standing, TRADES_PER_MEMBER, rings};
    use crate::testing::{account, currency, key, listing};
    use crate::{Account, Board, Report, Share, Trade};

    const PEOPLE: [&str; 6] = ["ana", "ben", "carla", "dario", "elena", "felix"];
    const THINGS: [&str; 4] = ["bread", "firewood", "lessons", "repairs"];
    const WINDOW: Window = Window { from: 10, to: 90 };

    fn people() -> impl Strategy<Value = &'static str> {
        prop::sample::select(PEOPLE.to_vec())
    }

    fn trades() -> impl Strategy<Value = Vec<Trade>> {
        let trade = (people(), people(), 0_i64..1_000, 0_u64..100, prop::bool::weighted(0.1));
        let trade = trade.prop_map(|(from, to, minor, at, refund)| Trade {
            at,
            from: key(from),
            to: key(to),
            minor,
            refund,
        });
        vec(trade, 0..40)
    }

    fn accounts() -> impl Strategy<Value = Vec<Account>> {
        let figures = (-900_i128..900, 0_i64..50, vec((0_u64..100, -300_i128..300), 0..6));
        vec(figures, PEOPLE.len()).prop_map(|all| {
            let made = PEOPLE.iter().zip(all).map(|(name, (balance, merit, mut changes))| {
                changes.sort_unstable();
                Account { balance, merit, changes, ..account(name) }
            });
            made.collect()
        })
    }

    fn goods() -> impl Strategy<Value = Vec<Listing>> {
        let side = prop::sample::select(vec![Side::Offer, Side::Want]);
        let price = prop::option::of(1_u32..900);
        let thing = prop::sample::select(THINGS.to_vec());
        let one = (side, people(), thing, price, any::<[u8; 32]>(), 0_u64..9);
        vec(one, 0..24).prop_map(|all| {
            let made = all.into_iter().map(|(side, by, thing, price, id, at)| {
                let price =
                    price.map(|p| format!("{}.{:02}", p / 100, p % 100)).unwrap_or_default();
                let made = listing(side, by, thing, thing, &price);
                Listing { id: ayni_protocol::EventId(id), at, ..made }
            });
            made.collect()
        })
    }

    fn standing(accounts: &[Account]) -> BTreeMap<PublicKey, Standing> {
        let stand = |account: &Account| Standing {
            balance: account.balance,
            limit: account.limit,
            max: Some(1_500),
        };
        accounts.iter().map(|account| (account.key, stand(account))).collect()
    }

    fn two() -> Scale {
        Scale::new(2).unwrap()
    }

    fn shares(report: &Report) -> Vec<Share> {
        let c = &report.community;
        let of_community = [
            c.chi,
            c.dyadic,
            c.cyclic,
            c.mutual_links,
            c.circulating,
            c.gini_merit,
            c.gini_turnover,
            c.stressed,
            c.debt_concentration,
            c.dormant,
        ];
        let members = report.members.values();
        let of_members = members.flat_map(|m| [m.balance_index, m.direct, m.credit_used]);
        of_community.into_iter().chain(of_members).flatten().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// ChiIsTheMean, in whole numbers: W - NID = sum (turnover - |balance|) / 2.
        #[test]
        fn chi_is_the_mean(trades in trades()) {
            let flows = Flows::of(&trades, WINDOW);
            let debt: i128 = flows.sides.values().map(|s| (s.spent - s.earned).max(0)).sum();
            let kept: i128 = flows.sides.values()
                .map(|s| s.turnover() - (s.earned - s.spent).abs()).sum();
            prop_assert_eq!(kept, 2 * (flows.volume() - debt));
        }

        /// TheCircleContainsThePairs.
        #[test]
        fn the_circle_contains_the_pairs(trades in trades(), accounts in accounts()) {
            let report = Report::of(&accounts, &trades, WINDOW);
            prop_assert!(report.community.chi >= report.community.dyadic);
            prop_assert!(shares(&report).iter().all(|s| (Share::NONE..=Share::ALL).contains(s)));
            let scores = report.members.values().filter_map(|member| member.score);
            prop_assert!(scores.into_iter().all(|score| (0..=100).contains(&score)));
        }

        /// OrderLeavesNoTrace.
        #[test]
        fn order_leaves_no_trace(
            (trades, shuffled) in trades().prop_flat_map(|t| (Just(t.clone()), Just(t).prop_shuffle())),
            (goods, mixed) in goods().prop_flat_map(|g| (Just(g.clone()), Just(g).prop_shuffle())),
            accounts in accounts(),
        ) {
            let reversed: Vec<Account> = accounts.iter().rev().cloned().collect();
            prop_assert_eq!(
                Report::of(&accounts, &trades, WINDOW),
                Report::of(&reversed, &shuffled, WINDOW)
            );
            let standing = standing(&accounts);
            let one = Board::of(&goods, &standing, &currency(), two(), 0);
            let other = Board::of(&mixed, &standing, &currency(), two(), 0);
            prop_assert_eq!(one.fits, other.fits);
            prop_assert_eq!(one.rings, other.rings);
        }

        /// RingsCloseAndEase.
        #[test]
        fn rings_close_and_ease(goods in goods(), accounts in accounts()) {
            let standing = standing(&accounts);
            let board = Board::of(&goods, &standing, &currency(), two(), 0);
            for ring in &board.rings {
                let next = ring.steps.iter().cycle().skip(1);
                for (step, next) in ring.steps.iter().zip(next) {
                    prop_assert_eq!(step.fit.buyer(), next.fit.seller());
                    prop_assert!(step.fit.offer.categories == step.fit.want.categories);
                }
                let sellers: BTreeSet<_> = ring.steps.iter().map(|s| s.fit.seller()).collect();
                prop_assert_eq!(sellers.len(), ring.steps.len());
                let mut nearer = 0;
                for (who, change) in ring.changes() {
                    let before = standing[&who];
                    prop_assert!(before.allows(change));
                    nearer += before.balance.abs() - (before.balance + change).abs();
                }
                prop_assert!(nearer >= 0 && nearer == ring.easing);
            }
        }

        /// WrittenAsRead.
        #[test]
        fn written_as_read(
            words in vec("[a-z]{1,9}( [a-z]{1,9})?", 4),
            categories in prop::collection::btree_set("[a-z]{1,12}", 0..5),
            places in prop::collection::btree_set("[0-9b-z]{4,6}", 0..3),
            price in prop::option::of(("[1-9][0-9]{0,3}(\\.[0-9]{2})?", "[A-Z]{3}", "(hour|month)?")),
            side in prop::sample::select(vec![Side::Offer, Side::Want]),
            status in prop::sample::select(vec![Status::Active, Status::Sold, Status::Inactive]),
            times in (prop::option::of(1_u64..1 << 40), prop::option::of(1_u64..1 << 40)),
        ) {
            let keys = Keys::from_secret([9; 32]).unwrap();
            let written = Listing {
                summary: words[1].clone(),
                text: words[2].clone(),
                location: words[3].clone(),
                status,
                price: price.map(|(amount, unit, per)| Price { amount, unit, per }),
                currency: Some(currency()),
                community: Some(ayni_protocol::EventId([3; 32])),
                categories,
                places,
                pictures: vec!["https://example.org/a.jpg".into()],
                published_at: times.0,
                expires_at: times.1,
                ..Listing::new(keys.public(), side, "some-name", &words[0])
            };
            let event = written.draft().sign(&keys, 77, [0; 32]);
            let read = Listing::read(&event).unwrap();
            prop_assert_eq!(read, Listing { id: event.id, at: 77, ..written });
        }
    }

    /// BoundedWork: everybody offers and wants the same thing; and everybody wants what the next six
    /// offer, which is the densest graph that the caps leave.
    #[test]
    fn bounded_work() {
        let members = LISTINGS_MAX / 2;
        let name = |n: usize| format!("m{:04}", n % members);
        let same = |n: usize, side| listing(side, &name(n), "bread", "food", "");
        let next = |n: usize, side| {
            let mut made = listing(side, &name(n), &format!("thing{n}"), "", "");
            let wanted = if side == Side::Want { 1..=TRADES_PER_MEMBER } else { 0..=0 };
            made.categories = wanted.map(|more| name(n + more)).collect();
            made
        };
        let makers: [&dyn Fn(usize, Side) -> Listing; 2] = [&same, &next];
        for make in makers {
            let both = |n| [make(n, Side::Offer), make(n, Side::Want)];
            let goods: Vec<Listing> = (0..members).flat_map(both).collect();
            let standing = (0..members).map(|n| (key(&name(n)), Standing::default())).collect();
            let all: Vec<&Listing> = goods.iter().collect();
            let fits = fits(&all, &currency(), two());
            assert_eq!(fits.len(), members * FITS_PER_WANT);
            let (_, looked) = rings(&fits, &standing);
            assert!(looked <= members * TRADES_PER_MEMBER * PATHS_PER_TRADE, "{looked}");
        }
    }
}
