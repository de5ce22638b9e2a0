//! The ground an assembly stands on: what other parts established, kept for what has not come yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{Address, EventId, PublicKey};
use ayni_witness::{Account, Charter, Decision, Fact, Instance, Roster, Round, Value};

/// Facts, by what they are looked up by.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    pub(crate) charters: BTreeMap<EventId, Arc<Charter>>,
    /// Charter versions that a later counted version followed.
    superseded: BTreeSet<EventId>,
    pub(crate) rosters: BTreeMap<EventId, Arc<Roster>>,
    /// Keys of accounts that were active in some counted version.
    members: BTreeSet<(EventId, PublicKey)>,
    /// The highest version of each account, by community and account.
    accounts: BTreeMap<(EventId, PublicKey), BTreeMap<Address, Arc<Account>>>,
    /// Accounts that a key signs for.
    signs_for: BTreeMap<(EventId, PublicKey), BTreeSet<PublicKey>>,
    rounds: BTreeMap<([u8; 32], u64), Round>,
    decisions: BTreeMap<(EventId, Instance), Arc<Decision>>,
    disputed: BTreeSet<EventId>,
}

impl Ground {
    /// Keeps a fact. Says whether it may change anything here.
    pub(crate) fn learn(&mut self, fact: &Fact) -> bool {
        match fact {
            Fact::Charter(charter) => {
                self.superseded.extend(charter.previous);
                self.charters.insert(charter.id, Arc::clone(charter)).is_none()
            }
            Fact::Roster(roster) => self.rosters.insert(roster.id, Arc::clone(roster)).is_none(),
            Fact::Account(account) => {
                self.learn_account(account);
                true
            }
            Fact::Beacon(round) => {
                self.rounds.insert((round.chain, round.round), round.clone()).is_none()
            }
            Fact::Decided(decision) => self.learn_decision(decision),
            Fact::Disputed { subject } => self.disputed.insert(*subject),
            _ => false,
        }
    }

    fn learn_account(&mut self, account: &Arc<Account>) {
        for key in account.signers.iter().chain([&account.account]) {
            let key = (account.community, *key);
            if account.active {
                self.members.insert(key);
            }
            self.signs_for.entry(key).or_default().insert(account.account);
        }
        let versions = self.accounts.entry((account.community, account.account)).or_default();
        let known = versions.get(&account.currency).map(|known| known.version);
        if known.is_none_or(|known| known < account.version) {
            versions.insert(account.currency.clone(), Arc::clone(account));
        }
    }

    /// One instance decides one value. A second one means that enough witnesses cheated.
    fn learn_decision(&mut self, decision: &Arc<Decision>) -> bool {
        let key = (decision.subject, decision.instance);
        match self.decisions.get(&key) {
            None => self.decisions.insert(key, Arc::clone(decision)).is_none(),
            Some(known) if known.digest == decision.digest => false,
            Some(_) => self.disputed.insert(decision.subject),
        }
    }

    /// Whether the key was ever a member's. Facts are only added, so this never becomes untrue.
    pub(crate) fn was_member(&self, community: EventId, key: PublicKey) -> bool {
        self.members.contains(&(community, key))
    }

    /// Whether the key may sign for an account whose highest known version is active.
    pub(crate) fn is_member(&self, community: EventId, key: PublicKey) -> bool {
        let accounts = self.signs_for.get(&(community, key)).into_iter().flatten();
        let latest = |account: &PublicKey| self.accounts.get(&(community, *account));
        accounts.filter_map(latest).flat_map(BTreeMap::values).any(|account| {
            account.active && (account.account == key || account.signers.contains(&key))
        })
    }

    /// Whether no counted version follows this charter.
    pub(crate) fn in_force(&self, charter: EventId) -> bool {
        self.charters.contains_key(&charter) && !self.superseded.contains(&charter)
    }

    pub(crate) fn round(&self, chain: [u8; 32], round: u64) -> Option<&Round> {
        self.rounds.get(&(chain, round))
    }

    pub(crate) fn decided(&self, subject: EventId, instance: Instance) -> Option<&Decision> {
        self.decisions.get(&(subject, instance)).map(Arc::as_ref)
    }

    /// The decided box of a subject.
    pub(crate) fn sealed(&self, subject: EventId) -> Option<(&Decision, &Arc<super::Ids>)> {
        let decision = self.decided(subject, Instance::Close)?;
        match &decision.value {
            Value::Box(ids) => Some((decision, ids)),
            _ => None,
        }
    }

    /// Why the witnesses voided a subject.
    pub(crate) fn voided(&self, subject: EventId) -> Option<&str> {
        [Instance::Close, Instance::Outcome].into_iter().find_map(|instance| {
            match &self.decided(subject, instance)?.value {
                Value::Void(reason) => Some(reason.as_str()),
                _ => None,
            }
        })
    }

    pub(crate) fn is_disputed(&self, subject: EventId) -> bool {
        self.disputed.contains(&subject)
    }
}
