//! What the operator's orders come to: the fold of the log of management.
//!
//! Pure and total: the same orders in the same order give the same rulebook, and an order that
//! changes nothing is no error. On any subject the last word holds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ayni_protocol::{EventId, Kind, Prefix, PublicKey, Rejection};

use super::order::{Order, Role};

/// What this relay goes by besides its configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rulebook {
    /// The name, where it was changed.
    pub name: Option<String>,
    /// The description, where it was changed.
    pub description: Option<String>,
    /// The icon's URL, where it was changed.
    pub icon: Option<String>,
    /// Keys that may not write, and why.
    pub banned_keys: BTreeMap<PublicKey, String>,
    /// Keys that may write, and why.
    pub allowed_keys: BTreeMap<PublicKey, String>,
    /// Keys that joined with an invitation.
    pub joined: BTreeSet<PublicKey>,
    /// Invitations that were used.
    pub spent: BTreeSet<String>,
    /// Events that are not served and not taken, and why.
    pub banned_events: BTreeMap<EventId, String>,
    /// Events that were looked at and found fine.
    pub allowed_events: BTreeMap<EventId, String>,
    /// Kinds that are taken or not, whatever the configuration says.
    pub kinds: BTreeMap<u16, bool>,
    /// Addresses that nothing is taken from, and why.
    pub blocked_addresses: BTreeMap<IpAddr, String>,
    /// Roles by id.
    pub roles: BTreeMap<String, Role>,
    /// Who holds which.
    pub holders: BTreeMap<PublicKey, BTreeSet<String>>,
}

impl Rulebook {
    /// The rulebook after one more order.
    pub fn apply(&mut self, order: Order) {
        match order {
            Order::BanKey(key, reason) => {
                self.allowed_keys.remove(&key);
                self.joined.remove(&key);
                self.banned_keys.insert(key, reason);
            }
            Order::UnbanKey(key) => drop(self.banned_keys.remove(&key)),
            Order::AllowKey(key, reason) => {
                self.banned_keys.remove(&key);
                self.allowed_keys.insert(key, reason);
            }
            Order::UnallowKey(key) => {
                self.allowed_keys.remove(&key);
                self.joined.remove(&key);
            }
            Order::AllowEvent(id, reason) => {
                self.banned_events.remove(&id);
                self.allowed_events.insert(id, reason);
            }
            Order::BanEvent(id, reason) => {
                self.allowed_events.remove(&id);
                self.banned_events.insert(id, reason);
            }
            Order::Name(name) => self.name = Some(name),
            Order::Description(description) => self.description = Some(description),
            Order::Icon(icon) => self.icon = Some(icon),
            Order::AllowKind(kind) => drop(self.kinds.insert(kind.0, true)),
            Order::DisallowKind(kind) => drop(self.kinds.insert(kind.0, false)),
            Order::BlockAddress(address, reason) => {
                self.blocked_addresses.insert(address, reason);
            }
            Order::UnblockAddress(address) => drop(self.blocked_addresses.remove(&address)),
            Order::Join(key, invitation) => {
                // Of two who come with one invitation the first joins.
                if self.spent.insert(invitation) {
                    self.joined.insert(key);
                }
            }
            Order::Leave(key) => {
                self.joined.remove(&key);
                self.allowed_keys.remove(&key);
            }
            role => self.apply_role(role),
        }
    }

    fn apply_role(&mut self, order: Order) {
        match order {
            Order::CreateRole(id, role) | Order::EditRole(id, role) => {
                self.roles.insert(id, role);
            }
            Order::DeleteRole(id) => {
                self.roles.remove(&id);
                for held in self.holders.values_mut() {
                    held.remove(&id);
                }
                self.holders.retain(|_, held| !held.is_empty());
            }
            Order::AssignRole(key, id) if self.roles.contains_key(&id) => {
                self.holders.entry(key).or_default().insert(id);
            }
            Order::UnassignRole(key, id) => {
                if let Some(held) = self.holders.get_mut(&key) {
                    held.remove(&id);
                }
                self.holders.retain(|_, held| !held.is_empty());
            }
            _ => {}
        }
    }

    /// Whether an event was not removed by the operator.
    ///
    /// # Errors
    /// Where it was, with the reason.
    pub fn event_is_not_banned(&self, id: &EventId) -> Result<(), Rejection> {
        let banned = self.banned_events.get(id);
        banned.map_or(Ok(()), |why| Err(blocked("this event was removed by the operator", why)))
    }

    /// Whether a key is not banned.
    ///
    /// # Errors
    /// Where it is, with the reason.
    pub fn key_is_not_banned(&self, key: &PublicKey) -> Result<(), Rejection> {
        let banned = self.banned_keys.get(key);
        banned.map_or(Ok(()), |why| Err(blocked("this key is banned here", why)))
    }

    /// Whether an address is not blocked.
    ///
    /// # Errors
    /// Where it is, with the reason.
    pub fn address_is_not_blocked(&self, address: &IpAddr) -> Result<(), Rejection> {
        let is_blocked = self.blocked_addresses.get(address);
        is_blocked.map_or(Ok(()), |why| Err(blocked("your address is blocked here", why)))
    }

    /// Whether events of this kind are taken, over lists that say which are and which are not.
    /// An empty list of what is taken means everything.
    #[must_use]
    pub fn takes(&self, kind: Kind, allowed: &[u16], denied: &[u16]) -> bool {
        let configured =
            !denied.contains(&kind.0) && (allowed.is_empty() || allowed.contains(&kind.0));
        self.kinds.get(&kind.0).copied().unwrap_or(configured)
    }
}

fn blocked(sentence: &str, reason: &str) -> Rejection {
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Rejection::new(Prefix::Blocked, format!("{sentence}{because}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(orders: &[Order]) -> Rulebook {
        let mut rulebook = Rulebook::default();
        orders.iter().cloned().for_each(|order| rulebook.apply(order));
        rulebook
    }

    #[test]
    fn the_lists_of_kinds_are_the_configurations_until_an_order_says_otherwise() {
        let fresh = Rulebook::default();
        assert!(fresh.takes(Kind(1), &[], &[]) && !fresh.takes(Kind(1), &[], &[1]));
        assert!(fresh.takes(Kind(1), &[1], &[]) && !fresh.takes(Kind(2), &[1], &[]));
        let changed = after(&[Order::DisallowKind(Kind(1)), Order::AllowKind(Kind(2))]);
        assert!(!changed.takes(Kind(1), &[1], &[]) && changed.takes(Kind(2), &[1], &[2]));
    }

    #[test]
    fn an_invitation_serves_once() {
        let [ana, ben] = [1, 2].map(|byte| PublicKey([byte; 32]));
        let rulebook = after(&[Order::Join(ana, "7".into()), Order::Join(ben, "7".into())]);
        assert_eq!(rulebook.joined, BTreeSet::from([ana]));
    }

    #[test]
    fn a_role_that_goes_is_held_by_nobody() {
        let ana = PublicKey([1; 32]);
        let cook = || "cook".to_owned();
        let assigned = [Order::CreateRole(cook(), Role::default()), Order::AssignRole(ana, cook())];
        assert_eq!(after(&assigned).holders.len(), 1);
        assert_eq!(after(&assigned[1..]).holders.len(), 0, "there is no such role yet");
        let gone = [assigned.to_vec(), vec![Order::DeleteRole(cook())]].concat();
        assert_eq!(after(&gone), Rulebook::default());
    }
}
