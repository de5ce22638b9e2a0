//! The ticket list: which tickets of a decided box are in the drum, and why the others are not.
//!
//! The box is a set of ids that the witnesses fixed. Which of them hold units follows from the
//! tickets alone, taken in the order of their ids: one ticket an order, so many units a person,
//! so many units for sale. A ticket that does not fit is out as a whole and refunded as a whole;
//! a later, smaller one may still fit.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::amount::MINOR_MAX;
use ayni_protocol::{EventId, PublicKey};
use ayni_witness::draw::{self, Lot};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::reason::Reason;
use crate::spec::{MAX_UNITS, RaffleSpec};

/// A ticket in the decided box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boxed {
    /// The ticket.
    pub id: EventId,
    /// Its author, who may win.
    pub holder: PublicKey,
    /// Whose cap it counts against, and who is paid: the paying account, or the author where the
    /// raffle is free.
    pub person: PublicKey,
    /// Units, at least 1.
    pub quantity: u32,
    /// The order that paid for it.
    pub order: Option<EventId>,
    /// What that order paid, in minor units.
    pub minor: i64,
}

/// The tickets in the drum. Made once for each decided box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketList {
    sold: BTreeMap<EventId, Boxed>,
    refused: BTreeMap<EventId, Reason>,
    lots: Vec<Lot>,
    orders: BTreeSet<EventId>,
    units: u64,
    pot: i64,
    root: [u8; 32],
}

impl TicketList {
    /// Takes tickets in the order of their ids. `spent` are orders that an earlier box holds.
    ///
    /// The pot stays within what one order may move, so that it can be paid out.
    #[must_use]
    pub fn new(spec: &RaffleSpec, boxed: &[Boxed], spent: &BTreeSet<EventId>) -> Self {
        let mut in_order: Vec<_> = boxed.iter().collect();
        in_order.sort_unstable_by_key(|ticket| ticket.id);
        let mut filling = Filling { spec, spent, held: BTreeMap::new(), orders: BTreeSet::new() };
        let (mut sold, mut refused) = (BTreeMap::new(), BTreeMap::new());
        let (mut units, mut pot) = (0_u64, 0_i64);
        for ticket in in_order {
            match filling.take(ticket, units, pot) {
                Ok(()) => {
                    units = units.saturating_add(u64::from(ticket.quantity));
                    pot = pot.saturating_add(ticket.minor);
                    sold.insert(ticket.id, *ticket);
                }
                Err(reason) => {
                    refused.insert(ticket.id, reason);
                }
            }
        }
        Self::of(sold, refused, units, pot)
    }

    fn of(
        sold: BTreeMap<EventId, Boxed>,
        refused: BTreeMap<EventId, Reason>,
        units: u64,
        pot: i64,
    ) -> Self {
        let lots: Vec<_> = sold
            .values()
            .map(|ticket| Lot { id: ticket.id, key: ticket.holder, quantity: ticket.quantity })
            .collect();
        let root = draw::list_root(&lots);
        let orders = sold.values().filter_map(|ticket| ticket.order).collect();
        Self { sold, refused, lots, orders, units, pot, root }
    }

    /// The tickets in the drum, by id.
    #[must_use]
    pub const fn sold(&self) -> &BTreeMap<EventId, Boxed> {
        &self.sold
    }

    /// Why a boxed ticket is not in the drum.
    #[must_use]
    pub fn refused(&self, ticket: &EventId) -> Option<Reason> {
        self.refused.get(ticket).copied()
    }

    /// Whether this order paid for units in the drum.
    #[must_use]
    pub fn holds(&self, order: &EventId) -> bool {
        self.orders.contains(order)
    }

    /// The lots to draw from, sorted by id.
    #[must_use]
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    /// Units in the drum.
    #[must_use]
    pub const fn units(&self) -> u64 {
        self.units
    }

    /// What was paid for them, in minor units.
    #[must_use]
    pub const fn pot(&self) -> i64 {
        self.pot
    }

    /// Merkle root of the lots (protocol section 4).
    #[must_use]
    pub const fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// The leaves `id || key || u32be(quantity)`, one after another, in base64: the content of a
    /// kind 4732.
    #[must_use]
    pub fn leaves_base64(&self) -> String {
        let mut leaves = Vec::with_capacity(self.lots.len().saturating_mul(68));
        for lot in &self.lots {
            leaves.extend_from_slice(&lot.id.0);
            leaves.extend_from_slice(&lot.key.0);
            leaves.extend_from_slice(&lot.quantity.to_be_bytes());
        }
        STANDARD.encode(leaves)
    }
}

/// What was taken so far.
struct Filling<'a> {
    spec: &'a RaffleSpec,
    spent: &'a BTreeSet<EventId>,
    held: BTreeMap<PublicKey, u64>,
    orders: BTreeSet<EventId>,
}

impl Filling<'_> {
    fn take(&mut self, ticket: &Boxed, units: u64, pot: i64) -> Result<(), Reason> {
        let new_order = ticket
            .order
            .is_none_or(|order| !self.spent.contains(&order) && self.orders.insert(order));
        if !new_order {
            return Err(Reason::OrderUsed);
        }
        let quantity = u64::from(ticket.quantity);
        let held = self.held.entry(ticket.person).or_default();
        let would_hold = held.saturating_add(quantity);
        if self.spec.max_per_person.is_some_and(|cap| would_hold > u64::from(cap)) {
            return Err(Reason::OverCap);
        }
        let would_sell = units.saturating_add(quantity);
        let too_many = would_sell > self.spec.max_units.unwrap_or(MAX_UNITS).min(MAX_UNITS);
        if too_many || pot.saturating_add(ticket.minor) > MINOR_MAX {
            return Err(Reason::SoldOut);
        }
        *held = would_hold;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(more: &str) -> RaffleSpec {
        serde_json::from_str(&format!(
            r#"{{"prizes": [{{"text": "Cake"}}], "price": "0", "opens": 1, "closes": 2{more}}}"#
        ))
        .unwrap()
    }

    fn ticket(id: u8, person: u8, quantity: u32, order: u8) -> Boxed {
        let person = PublicKey([person; 32]);
        let order = Some(EventId([order; 32]));
        let minor = i64::from(quantity) * 5;
        Boxed { id: EventId([id; 32]), holder: person, person, quantity, order, minor }
    }

    /// The first byte of every ticket in the drum.
    fn sold(list: &TicketList) -> Vec<u8> {
        list.sold().keys().map(|id| id.0[0]).collect()
    }

    #[test]
    fn the_lowest_id_keeps_the_order() {
        let boxed = [ticket(2, 1, 1, 7), ticket(1, 1, 1, 7), ticket(3, 1, 1, 8)];
        let spent = [EventId([8; 32])].into();
        let list = TicketList::new(&spec(""), &boxed, &spent);
        assert_eq!(sold(&list), [1]);
        assert_eq!(list.refused(&EventId([3; 32])), Some(Reason::OrderUsed));
        assert_eq!((list.units(), list.pot()), (1, 5));
    }

    #[test]
    fn a_ticket_over_the_cap_is_out_as_a_whole() {
        let boxed =
            [ticket(1, 1, 2, 1), ticket(2, 1, 2, 2), ticket(3, 1, 1, 3), ticket(4, 2, 3, 4)];
        let list = TicketList::new(&spec(r#", "max_per_person": 3"#), &boxed, &BTreeSet::new());
        assert_eq!(sold(&list), [1, 3, 4]);
        assert_eq!(list.refused(&EventId([2; 32])), Some(Reason::OverCap));
    }

    #[test]
    fn no_more_is_sold_than_is_for_sale() {
        let boxed = [ticket(1, 1, 2, 1), ticket(2, 2, 2, 2), ticket(3, 3, 1, 3)];
        let list = TicketList::new(&spec(r#", "max_units": 3"#), &boxed, &BTreeSet::new());
        assert_eq!(sold(&list), [1, 3]);
        assert_eq!(list.refused(&EventId([2; 32])), Some(Reason::SoldOut));
    }

    #[test]
    fn the_pot_stays_payable() {
        let rich = Boxed { minor: MINOR_MAX, ..ticket(1, 1, 1, 1) };
        let list = TicketList::new(&spec(""), &[rich, ticket(2, 2, 1, 2)], &BTreeSet::new());
        assert_eq!((sold(&list), list.pot()), (vec![1], MINOR_MAX));
    }

    #[test]
    fn leaves_are_68_bytes_each() {
        let boxed = [ticket(1, 1, 2, 1), ticket(2, 2, 2, 2)];
        let list = TicketList::new(&spec(""), &boxed, &BTreeSet::new());
        assert_eq!(STANDARD.decode(list.leaves_base64()).unwrap().len(), 2 * 68);
    }
}
