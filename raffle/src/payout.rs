//! Who gets what out of the pot, and the names that keep every payment single.
//!
//! The ledger certifies an order out of an escrow account only if it carries the id of a payout
//! that the decided state prescribes, and one order at most for each id (protocol section 6):
//!
//! `pay = SHA256("cn/pay/v1" || 00 || raffle(32) || reason || key)`, where `reason` is ASCII:
//!
//! | reason | key | pays |
//! |---|---|---|
//! | `prize` | prize number, `u32be` | the winner's share of the pot |
//! | `cause` | the receiving account, 32 bytes | a `to` share |
//! | `referral-1`, `referral-2` | the ticket's id, 32 bytes | the inviter, the inviter's inviter |
//! | `refund` | the buyer's order, 32 bytes | all that order paid into the escrow |
//!
//! No reason is the beginning of another, so no two inputs are the same bytes. A refund is named
//! by its order and not by a ticket, and has the escrow account in the place of the raffle:
//! several tickets, of several raffles with one escrow account, may name one order, and what it
//! paid into that account is given back once.
//!
//! **What is left over.** The protocol says that "the remainder goes to money prizes or, if none,
//! to the last `to`". A prize of money is one that names its share, so it takes exactly that. What
//! nobody was promised goes to the last `to`, with everything that rounding left and the shares of
//! prizes without winner and of inviters who do not exist. Where there is no `to` at all, it goes
//! to the winner of prize 1: then a raffle whose prizes name no share is a raffle for the pot.

use std::collections::BTreeMap;

use ayni_protocol::{EventId, PublicKey};
use sha2::{Digest, Sha256};

use crate::list::TicketList;
use crate::spec::{RaffleSpec, WHOLE_BP};

/// What a payment out of the escrow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The winner of this prize.
    Prize(u32),
    /// A receiver of a `to` share.
    Cause(PublicKey),
    /// The inviter of this ticket's buyer.
    FirstReferral(EventId),
    /// The inviter's inviter.
    SecondReferral(EventId),
    /// Back to the buyer: the order that paid, and the escrow account that has it.
    Refund(EventId, PublicKey),
}

/// A payment that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// What for.
    pub purpose: Purpose,
    /// The account that receives it.
    pub to: PublicKey,
    /// Minor units, above 0.
    pub minor: i64,
}

/// All that is due out of a pot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// What can be paid now.
    pub dues: Vec<Due>,
    /// An account whose inviter is not known yet. Referrals and the remainder wait for it; prizes
    /// and causes that do not receive the remainder do not.
    pub waits_for: Option<PublicKey>,
}

impl Purpose {
    /// The word in the id.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Prize(_) => "prize",
            Self::Cause(_) => "cause",
            Self::FirstReferral(_) => "referral-1",
            Self::SecondReferral(_) => "referral-2",
            Self::Refund(..) => "refund",
        }
    }

    /// What the order carries as `["pay", …]`.
    #[must_use]
    pub fn pay_id(&self, raffle: EventId) -> [u8; 32] {
        let place = match self {
            Self::Refund(_, escrow) => escrow.0,
            _ => raffle.0,
        };
        let hash = Sha256::new()
            .chain_update(b"cn/pay/v1")
            .chain_update([0])
            .chain_update(place)
            .chain_update(self.reason());
        let hash = match self {
            Self::Prize(number) => hash.chain_update(number.to_be_bytes()),
            Self::Cause(PublicKey(key)) => hash.chain_update(key),
            Self::FirstReferral(EventId(id))
            | Self::SecondReferral(EventId(id))
            | Self::Refund(EventId(id), _) => hash.chain_update(id),
        };
        hash.finalize().into()
    }
}

/// Distributes the pot of a drawn raffle. `winners` are tickets, prize 1 first; `inviter` gives
/// an account's inviter, or `None` where that is not known yet.
///
/// Law: unless it waits, the dues add up to the pot.
#[must_use]
pub fn distribute(
    spec: &RaffleSpec,
    list: &TicketList,
    winners: &[EventId],
    inviter: impl Fn(&PublicKey) -> Option<Option<PublicKey>>,
) -> Distribution {
    let mut shares: BTreeMap<Purpose, (PublicKey, i64)> = BTreeMap::new();
    for share in &spec.to {
        let minor = part(list.pot(), share.bp);
        shares.insert(Purpose::Cause(share.account), (share.account, minor));
    }
    for ((number, prize), ticket) in (1..).zip(&spec.prizes).zip(winners) {
        if let Some(winner) = list.sold().get(ticket) {
            let minor = part(list.pot(), prize.share_bp.unwrap_or(0));
            shares.insert(Purpose::Prize(number), (winner.person, minor));
        }
    }
    let waits_for = refer(spec, list, inviter, &mut shares);
    let rest = match spec.to.last() {
        Some(last) => Purpose::Cause(last.account),
        None => Purpose::Prize(1),
    };
    let given: i64 = shares.values().map(|(_, minor)| minor).sum();
    match waits_for {
        Some(_) => {
            shares.remove(&rest);
        }
        None => {
            if let Some((_, minor)) = shares.get_mut(&rest) {
                *minor = minor.saturating_add(list.pot().saturating_sub(given));
            }
        }
    }
    let due = |(purpose, (to, minor))| Due { purpose, to, minor };
    let dues = shares.into_iter().map(due).filter(|due| due.minor > 0).collect();
    Distribution { dues, waits_for }
}

/// Adds what inviters get, and names an account whose inviter is not known yet.
fn refer(
    spec: &RaffleSpec,
    list: &TicketList,
    inviter: impl Fn(&PublicKey) -> Option<Option<PublicKey>>,
    shares: &mut BTreeMap<Purpose, (PublicKey, i64)>,
) -> Option<PublicKey> {
    let referral = spec.referral?;
    let mut waits_for = None;
    for ticket in list.sold().values() {
        let levels = [
            (Purpose::FirstReferral(ticket.id), referral.first_bp),
            (Purpose::SecondReferral(ticket.id), referral.second_bp),
        ];
        let mut below = ticket.person;
        for (purpose, bp) in levels.into_iter().take(referral.levels()) {
            match inviter(&below) {
                None => {
                    waits_for.get_or_insert(below);
                    break;
                }
                Some(None) => break,
                Some(Some(above)) => {
                    if Some(above) != spec.escrow {
                        shares.insert(purpose, (above, part(ticket.minor, bp)));
                    }
                    below = above;
                }
            }
        }
    }
    waits_for
}

/// `floor(minor * bp / 10000)`.
fn part(minor: i64, bp: u32) -> i64 {
    let exact = i128::from(minor) * i128::from(bp) / i128::from(WHOLE_BP);
    i64::try_from(exact).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::list::Boxed;

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn id(n: u8) -> EventId {
        EventId([n; 32])
    }

    /// Two tickets: ana (1) paid 3.00, ben (2) paid 7.01.
    fn list(spec: &RaffleSpec) -> TicketList {
        let ticket = |n, minor| Boxed {
            id: id(n),
            holder: key(n),
            person: key(n),
            quantity: 1,
            order: Some(id(n + 100)),
            minor,
        };
        TicketList::new(spec, &[ticket(1, 300), ticket(2, 701)], &BTreeSet::new())
    }

    fn spec(prizes: &[u32], to: &[(u8, u32)], referral: &str) -> RaffleSpec {
        let prizes: Vec<_> = prizes
            .iter()
            .map(|bp| match bp {
                0 => r#"{"text": "Cake"}"#.to_owned(),
                bp => format!(r#"{{"text": "Money", "share_bp": {bp}}}"#),
            })
            .collect();
        let to: Vec<_> = to
            .iter()
            .map(|(n, bp)| format!(r#"{{"account": "{}", "bp": {bp}}}"#, key(*n)))
            .collect();
        serde_json::from_str(&format!(
            r#"{{"prizes": [{}], "to": [{}], "price": "0", "opens": 1, "closes": 2{referral}}}"#,
            prizes.join(","),
            to.join(",")
        ))
        .unwrap()
    }

    /// `reason to minor`, one a line.
    fn paid(spec: &RaffleSpec, winners: &[EventId]) -> String {
        // 1 was invited by 3, 3 by 4; 2 by nobody; nobody knows about 4.
        let inviter = |who: &PublicKey| match who.0[0] {
            1 => Some(Some(key(3))),
            3 => Some(Some(key(4))),
            2 => Some(None),
            _ => None,
        };
        let distribution = distribute(spec, &list(spec), winners, inviter);
        let lines = distribution
            .dues
            .iter()
            .map(|due| format!("{} {} {}", due.purpose.reason(), due.to.0[0], due.minor));
        lines.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_is_left_over_goes_to_the_last_cause() {
        let spec = spec(&[5_000], &[(8, 1_000), (9, 1_000)], "");
        expect_test::expect!["prize 2 500; cause 8 100; cause 9 401"]
            .assert_eq(&paid(&spec, &[id(2)]));
    }

    #[test]
    fn without_a_cause_it_goes_to_the_first_prize() {
        expect_test::expect!["prize 2 1001"].assert_eq(&paid(&spec(&[0, 0], &[], ""), &[id(2)]));
        let two = spec(&[5_000, 2_500], &[], "");
        expect_test::expect!["prize 1 751; prize 2 250"].assert_eq(&paid(&two, &[id(1), id(2)]));
    }

    #[test]
    fn a_prize_without_winner_leaves_its_share() {
        let spec = spec(&[5_000, 2_500], &[(9, 0)], "");
        expect_test::expect!["prize 1 500; cause 9 501"].assert_eq(&paid(&spec, &[id(1)]));
    }

    #[test]
    fn inviters_get_their_share_of_each_ticket() {
        let referral = r#", "referral": {"first_bp": 1000, "second_bp": 500}"#;
        let spec = spec(&[0], &[(9, 1_000)], referral);
        expect_test::expect!["cause 9 956; referral-1 3 30; referral-2 4 15"]
            .assert_eq(&paid(&spec, &[id(1)]));
    }

    #[test]
    fn the_remainder_waits_for_an_unknown_inviter() {
        let referral = r#", "referral": {"first_bp": 1000, "second_bp": 0}"#;
        let spec = spec(&[100], &[(8, 1_000), (9, 1_000)], referral);
        let distribution = distribute(&spec, &list(&spec), &[id(1)], |_| None);
        assert_eq!(distribution.waits_for, Some(key(1)));
        assert_eq!(distribution.dues.iter().map(|due| due.minor).collect::<Vec<_>>(), [10, 100]);
    }

    #[test]
    fn the_ids_of_payouts_are_fixed() {
        let of = |purpose: Purpose| ayni_protocol::hex::encode(&purpose.pay_id(id(1)))[..16].into();
        let ids: [String; 5] = [
            of(Purpose::Prize(1)),
            of(Purpose::Cause(key(2))),
            of(Purpose::FirstReferral(id(2))),
            of(Purpose::SecondReferral(id(2))),
            of(Purpose::Refund(id(2), key(3))),
        ];
        expect_test::expect![[r#"
            fe4856113b1f8692
            e1357710d982574d
            6275cc1864da2dbd
            645888cf05e0c386
            d8aa6c38997475d1"#]]
        .assert_eq(&ids.join("\n"));
    }
}
