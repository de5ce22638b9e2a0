//! Who is a member, who signs for which account, who is of age, who invited whom.
//!
//! All of it grows only: a counted version of an account's policy adds what it says and takes
//! nothing away. So a ticket that was fit stays fit, whatever policies come later; suspending
//! someone is for the ledger, which then certifies no payment of theirs.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Address, EventId, PublicKey};
use ayni_witness::Account;

/// An account: its currency and its id.
type Place = (Address, PublicKey);

/// What the counted account policies say.
#[derive(Debug, Default)]
pub struct People {
    accounts: BTreeMap<Place, Standing>,
    /// By signer, the accounts some counted version lets it sign for.
    acting: BTreeMap<PublicKey, BTreeSet<Place>>,
}

/// What all versions of one account's policy say together.
#[derive(Debug)]
struct Standing {
    community: EventId,
    /// The account's own key and all its signers.
    keys: BTreeSet<PublicKey>,
    was_active: bool,
    was_escrow: bool,
    /// Greatest N of its flags `ageN`.
    age: Option<u32>,
    /// The first version, and the inviter it names.
    opening: Option<(EventId, Option<PublicKey>)>,
}

impl People {
    /// Hears of one more counted version, and says whose standing it may change: everyone who was
    /// ever let to sign for the account.
    pub fn learn(&mut self, account: &Account) -> BTreeSet<PublicKey> {
        let place = (account.currency.clone(), account.account);
        for signer in account.signers.iter().chain([&account.account]) {
            self.acting.entry(*signer).or_default().insert(place.clone());
        }
        let standing = self.accounts.entry(place).or_insert(Standing {
            community: account.community,
            keys: BTreeSet::new(),
            was_active: false,
            was_escrow: false,
            age: None,
            opening: None,
        });
        standing.was_active |= account.active;
        standing.was_escrow |= account.account_type == "escrow";
        standing.age = standing.age.max(account.flags.iter().filter_map(|flag| age(flag)).max());
        let opening = (account.version == 1).then_some((account.policy, account.inviter));
        standing.opening = match (standing.opening, opening) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        standing.keys.insert(account.account);
        standing.keys.extend(&account.signers);
        standing.keys.clone()
    }

    /// Whether this key signs for an account that was ever active in the community.
    #[must_use]
    pub fn is_member(&self, community: EventId, key: &PublicKey) -> bool {
        self.memberships(community, key).next().is_some()
    }

    /// Whether one of this member's accounts was shown to be of age.
    #[must_use]
    pub fn member_has_age(&self, community: EventId, key: &PublicKey, min_age: u32) -> bool {
        self.memberships(community, key).any(|standing| standing.age >= Some(min_age))
    }

    fn memberships(&self, community: EventId, key: &PublicKey) -> impl Iterator<Item = &Standing> {
        let places = self.acting.get(key).into_iter().flatten();
        places
            .filter_map(|place| self.accounts.get(place))
            .filter(move |standing| standing.community == community && standing.was_active)
    }

    /// Whether this key may sign for the account. Its own key may, known or not.
    #[must_use]
    pub fn acts_for(&self, key: &PublicKey, currency: &Address, account: &PublicKey) -> bool {
        let place = (currency.clone(), *account);
        key == account || self.acting.get(key).is_some_and(|places| places.contains(&place))
    }

    /// Whether the account was shown to be of age.
    #[must_use]
    pub fn has_age(&self, currency: &Address, account: &PublicKey, min_age: u32) -> bool {
        self.standing(currency, account).is_some_and(|standing| standing.age >= Some(min_age))
    }

    /// Whether the account was opened.
    #[must_use]
    pub fn is_open(&self, currency: &Address, account: &PublicKey) -> bool {
        self.standing(currency, account).is_some()
    }

    /// Whether the community opened the account as an escrow.
    #[must_use]
    pub fn is_escrow(&self, community: EventId, currency: &Address, account: &PublicKey) -> bool {
        self.standing(currency, account)
            .is_some_and(|standing| standing.was_escrow && standing.community == community)
    }

    /// Who invited the account, as its first version says; `None` where that has not come.
    #[must_use]
    pub fn inviter(&self, currency: &Address, account: &PublicKey) -> Option<Option<PublicKey>> {
        self.standing(currency, account)?.opening.map(|(_, inviter)| inviter)
    }

    fn standing(&self, currency: &Address, account: &PublicKey) -> Option<&Standing> {
        self.accounts.get(&(currency.clone(), *account))
    }
}

/// N of a flag `ageN`.
fn age(flag: &str) -> Option<u32> {
    let digits = flag.strip_prefix("age")?;
    ayni_protocol::shape::unsigned(digits, "flag").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn currency() -> Address {
        Address { kind: ayni_protocol::kind::CURRENCY, author: key(9), identifier: "h".into() }
    }

    fn version(version: u64, flags: &[&str]) -> Account {
        Account {
            policy: EventId([u8::try_from(version).unwrap(); 32]),
            community: EventId([1; 32]),
            currency: currency(),
            account: key(1),
            version,
            account_type: "member".into(),
            active: true,
            signers: [key(1)].into(),
            flags: flags.iter().map(ToString::to_string).collect(),
            inviter: Some(key(7)),
        }
    }

    #[test]
    fn what_a_version_gave_a_later_one_does_not_take() {
        let mut people = People::default();
        people.learn(&version(1, &["age16", "id", "agents", "age"]));
        people.learn(&Account { active: false, signers: [key(2)].into(), ..version(2, &[]) });
        assert!(people.is_member(EventId([1; 32]), &key(1)));
        assert_eq!(people.learn(&version(3, &[])), [key(1), key(2)].into());
        assert!(people.acts_for(&key(2), &currency(), &key(1)));
        assert!(people.has_age(&currency(), &key(1), 16));
        assert!(!people.has_age(&currency(), &key(1), 18));
        assert!(people.member_has_age(EventId([1; 32]), &key(2), 16));
        assert!(!people.is_member(EventId([2; 32]), &key(1)));
    }

    #[test]
    fn the_first_version_names_the_inviter() {
        let mut people = People::default();
        people.learn(&Account { inviter: Some(key(8)), ..version(2, &[]) });
        assert_eq!(people.inviter(&currency(), &key(1)), None);
        people.learn(&version(1, &[]));
        assert_eq!(people.inviter(&currency(), &key(1)), Some(Some(key(7))));
    }

    #[test]
    fn an_escrow_belongs_to_its_community() {
        let mut people = People::default();
        people.learn(&Account { account_type: "escrow".into(), ..version(1, &[]) });
        assert!(people.is_escrow(EventId([1; 32]), &currency(), &key(1)));
        assert!(!people.is_escrow(EventId([2; 32]), &currency(), &key(1)));
        assert!(people.is_open(&currency(), &key(1)) && !people.is_open(&currency(), &key(2)));
    }
}
