//! Who paid whom how much in a window of time: what every figure of reciprocity is made of.
//!
//! `w(i, j)` is what i paid j, net of what j gave back. Levies, charges and payments to oneself are
//! no trade. Whoever calls hands in trades between people only: what goes through a raffle's escrow
//! or a clearing account is not one member's favour to another.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{PublicKey, Timestamp};

/// One payment that counts, without levies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// When it was signed, as its author says.
    pub at: Timestamp,
    /// Who paid.
    pub from: PublicKey,
    /// Who was paid.
    pub to: PublicKey,
    /// How much, in minor units.
    pub minor: i64,
    /// Whether it gives back an earlier one, and so makes that smaller.
    pub refund: bool,
}

/// An account, as far as figures need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its key.
    pub key: PublicKey,
    /// What it holds, in minor units.
    pub balance: i128,
    /// How far below zero it may go.
    pub limit: i128,
    /// The points its member was awarded.
    pub merit: i64,
    /// Whether it is in use.
    pub active: bool,
    /// What it gained and lost and when, oldest first: payments and charges, all of them.
    pub changes: Vec<(Timestamp, i128)>,
}

/// A window of time: from `from` on, before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// The first second.
    pub from: Timestamp,
    /// The first second after.
    pub to: Timestamp,
}

impl Window {
    /// Its length, at least one second.
    #[must_use]
    pub const fn secs(self) -> u64 {
        let secs = self.to.saturating_sub(self.from);
        if secs == 0 { 1 } else { secs }
    }

    /// Whether a second lies in it.
    #[must_use]
    pub const fn has(self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// One account's side of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// What it was paid.
    pub earned: i128,
    /// What it paid.
    pub spent: i128,
    /// Of that, what stood against a payment of the same partner the other way.
    pub paired: i128,
    /// What it paid and was paid, by partner.
    pub partners: BTreeMap<PublicKey, i128>,
}

impl Side {
    /// Both ways together.
    #[must_use]
    pub const fn turnover(&self) -> i128 {
        self.earned.saturating_add(self.spent)
    }
}

/// The trade of a community in a window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flows {
    /// `w(i, j)` where it is above zero.
    pub paid: BTreeMap<(PublicKey, PublicKey), i128>,
    /// By account, where there is any.
    pub sides: BTreeMap<PublicKey, Side>,
    /// How many trades there were, refunds not counted.
    pub trades: u64,
}

impl Flows {
    /// The flows of these trades, in whatever order they come.
    #[must_use]
    pub fn of<'a>(trades: impl IntoIterator<Item = &'a Trade>, window: Window) -> Self {
        let mut gross: BTreeMap<(PublicKey, PublicKey), i128> = BTreeMap::new();
        let mut flows = Self::default();
        for trade in trades {
            if trade.from == trade.to || trade.minor <= 0 || !window.has(trade.at) {
                continue;
            }
            let minor = i128::from(trade.minor);
            if trade.refund {
                *gross.entry((trade.to, trade.from)).or_default() -= minor;
            } else {
                *gross.entry((trade.from, trade.to)).or_default() += minor;
                flows.trades = flows.trades.saturating_add(1);
            }
        }
        // What was given back for a trade before the window leaves nothing behind.
        flows.paid = gross.into_iter().filter(|(_, minor)| *minor > 0).collect();
        flows.sides = sides(&flows.paid);
        flows
    }

    /// `w(i, j)`.
    #[must_use]
    pub fn between(&self, from: &PublicKey, to: &PublicKey) -> i128 {
        self.paid.get(&(*from, *to)).copied().unwrap_or_default()
    }

    /// `W`: all of it.
    #[must_use]
    pub fn volume(&self) -> i128 {
        self.paid.values().sum()
    }

    /// Partners that anybody has, each pair once.
    #[must_use]
    pub fn pairs(&self) -> BTreeSet<(PublicKey, PublicKey)> {
        self.paid.keys().map(|(one, other)| (*one.min(other), *one.max(other))).collect()
    }
}

fn sides(paid: &BTreeMap<(PublicKey, PublicKey), i128>) -> BTreeMap<PublicKey, Side> {
    let mut sides: BTreeMap<PublicKey, Side> = BTreeMap::new();
    for ((from, to), minor) in paid {
        let back = paid.get(&(*to, *from)).copied().unwrap_or_default();
        let side = sides.entry(*from).or_default();
        side.spent += minor;
        side.paired += back.min(*minor);
        *side.partners.entry(*to).or_default() += minor;
        let side = sides.entry(*to).or_default();
        side.earned += minor;
        *side.partners.entry(*from).or_default() += minor;
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{key, paid};

    const ALWAYS: Window = Window { from: 0, to: 100 };

    #[test]
    fn a_refund_takes_back_what_was_paid() {
        let refund = Trade { refund: true, ..paid("ben", "ana", 2) };
        let flows = Flows::of(&[paid("ana", "ben", 5), refund], ALWAYS);
        assert_eq!(flows.between(&key("ana"), &key("ben")), 3);
        assert_eq!(flows.between(&key("ben"), &key("ana")), 0, "a refund is no payment");
        assert_eq!((flows.trades, flows.volume()), (1, 3));
    }

    #[test]
    fn what_is_outside_or_to_oneself_is_no_trade() {
        let late = Trade { at: 100, ..paid("ana", "ben", 5) };
        let flows = Flows::of(&[late, paid("ana", "ana", 5), paid("ana", "ben", 0)], ALWAYS);
        assert_eq!(flows, Flows::default());
    }

    #[test]
    fn both_sides_see_a_trade() {
        let flows = Flows::of(&[paid("ana", "ben", 5), paid("ben", "ana", 3)], ALWAYS);
        let ana = &flows.sides[&key("ana")];
        assert_eq!((ana.spent, ana.earned, ana.paired, ana.turnover()), (5, 3, 3, 8));
        assert_eq!(ana.partners[&key("ben")], 8);
        assert_eq!(flows.pairs().len(), 1);
    }
}
