//! An account's policy (kind 4751): opens it, says how far it may go, suspends and closes it.
//!
//! Every version says everything anew. A version that only gives more than the one before
//! (an opening, a higher limit, a lifted suspension) binds at once; any other binds once enough
//! witnesses acknowledged it, because a witness that has not heard may still attest by the old one.

use std::collections::BTreeSet;

use ayni_protocol::shape::parsed;
use ayni_protocol::{Address, Amount, Draft, EventId, Malformed, PublicKey, Shape};

use crate::book::Defaults;
use crate::rules::optional_key;
use crate::tags;

/// What a version of an account's policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The currency.
    pub currency: Address,
    /// The account: its member's first key.
    pub account: PublicKey,
    /// Number of the version, from 1.
    pub version: u64,
    /// The version before, none for the first.
    pub previous: Option<EventId>,
    /// Whose account it is.
    pub account_type: AccountType,
    /// Whether it may be used.
    pub status: Status,
    /// What it may do.
    pub can: BTreeSet<Ability>,
    /// Keys that may sign for it; never empty.
    pub signers: BTreeSet<PublicKey>,
    /// The witness that must attest first, where there are several.
    pub home: Option<PublicKey>,
    /// How far below zero it may go; none leaves it to the rules.
    pub limit: Option<Amount>,
    /// How high it may rise; none leaves it to the rules.
    pub max: Option<Amount>,
    /// Flags, such as `id` or `age18`.
    pub flags: BTreeSet<String>,
    /// Who invited its member.
    pub inviter: Option<PublicKey>,
    /// A short name; may be empty.
    pub code: String,
    /// What justified this version: a vote, a charge, a fraud proof it pardons.
    pub causes: BTreeSet<EventId>,
    /// A remark.
    pub note: String,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $form:literal: $($(#[$what:meta])* $variant:ident => $word:literal,)*) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$what])* $variant,)* }

        impl $name {
            /// Every one, in the order of the protocol.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in events.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = &'static str;
            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word { $($word => Ok(Self::$variant),)* _ => Err($form) }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

words! {
    /// Whose account it is.
    AccountType, "member, organisation, community, cause, escrow or clearing":
    /// A person.
    Member => "member",
    /// A shop, an association.
    Organisation => "organisation",
    /// The community itself, such as its treasury.
    Community => "community",
    /// A cause that collects donations.
    Cause => "cause",
    /// Holds what raffles collect; pays only what a decided state prescribes.
    Escrow => "escrow",
    /// Trades with another currency.
    Clearing => "clearing",
}

words! {
    /// Whether an account may be used. Ordered from the least to the most.
    Status, "active, suspended or closed":
    /// Nothing goes in or out.
    Closed => "closed",
    /// It receives, and pays nothing.
    Suspended => "suspended",
    /// It is in use.
    Active => "active",
}

words! {
    /// What an account may do.
    Ability, "pay, receive, request or trade":
    /// Sign orders.
    Pay => "pay",
    /// Be paid.
    Receive => "receive",
    /// Ask to be paid.
    Request => "request",
    /// Trade with other currencies.
    Trade => "trade",
}

impl AccountType {
    /// Whether levies apply to payments between two such accounts.
    #[must_use]
    pub const fn is_levied(self) -> bool {
        matches!(self, Self::Member | Self::Organisation)
    }
}

impl Policy {
    /// The opening of a member's account with nothing but the community's defaults.
    #[must_use]
    pub fn open(currency: Address, account: PublicKey) -> Self {
        Self {
            currency,
            account,
            version: 1,
            previous: None,
            account_type: AccountType::Member,
            status: Status::Active,
            can: Ability::ALL.iter().copied().collect(),
            signers: BTreeSet::from([account]),
            home: None,
            limit: None,
            max: None,
            flags: BTreeSet::new(),
            inviter: None,
            code: String::new(),
            causes: BTreeSet::new(),
            note: String::new(),
        }
    }

    /// The version after this one, which is the event `id`, saying the same; for changing a field.
    #[must_use]
    pub fn next(&self, id: EventId) -> Self {
        Self {
            version: self.version.saturating_add(1),
            previous: Some(id),
            causes: BTreeSet::new(),
            note: String::new(),
            ..self.clone()
        }
    }

    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        let account = shape.key("p")?;
        let version: u64 = shape.unsigned("v")?;
        let previous = shape.optional_marked("prev")?;
        if version == 0 || (version == 1) != previous.is_none() {
            return Err(Malformed::BadTag(
                "prev",
                "the version before, from v 2 on; v starts at 1",
            ));
        }
        let mut signers = BTreeSet::new();
        for tag in shape.all("signer") {
            let form = "64 lowercase hex digits";
            signers.insert(parsed(tag.value().unwrap_or_default(), "signer", form)?);
        }
        if signers.is_empty() {
            signers.insert(account);
        }
        Ok(Self {
            currency: shape.currency()?,
            account,
            version,
            previous,
            account_type: word(shape.text("type")?, "type")?,
            status: word(shape.text("status")?, "status")?,
            can: abilities(shape)?,
            signers,
            home: optional_key(shape, "home")?,
            limit: shape.optional_amount("limit")?,
            max: shape.optional_amount("max")?,
            flags: values(shape, "flag").map(str::to_owned).collect(),
            inviter: optional_key(shape, "inviter")?,
            code: shape.optional_text("code")?.unwrap_or_default().to_owned(),
            causes: shape.every_marked("reason")?.into_iter().collect(),
            note: content.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let draft = tags::key(tags::in_currency(draft, &self.currency), "p", &self.account)
            .tag(["v", &self.version.to_string()]);
        let draft = tags::maybe_marked(draft, self.previous.as_ref(), "prev")
            .tag(["type", self.account_type.as_str()])
            .tag(["status", self.status.as_str()]);
        let can = self.can.iter().map(|ability| ability.as_str());
        let draft = draft.tag(std::iter::once("can").chain(can));
        let draft =
            self.signers.iter().fold(draft, |draft, signer| tags::key(draft, "signer", signer));
        let draft = tags::maybe_key(draft, "home", self.home.as_ref());
        let draft = tags::maybe(draft, "limit", self.limit);
        let mut draft = tags::maybe(draft, "max", self.max);
        for flag in &self.flags {
            draft = draft.tag(["flag", flag]);
        }
        let draft = tags::maybe_key(draft, "inviter", self.inviter.as_ref());
        let draft = tags::text(draft, "code", &self.code);
        let draft = self.causes.iter().fold(draft, |draft, id| tags::marked(draft, id, "reason"));
        draft.content(&self.note)
    }
}

/// Whether a version only gives more than the one before. Openings do. Such a version is an everyday
/// act and binds at once; any other needs the community, and the witnesses' acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Raise {
    Yes,
    No,
    /// Not by the rules known so far: a limit is compared with the rules' default, and of several
    /// rules any will do, so that more of them can only turn this into a yes.
    NotYet,
}

impl Policy {
    pub(crate) fn raises(&self, before: Option<&Self>, defaults: &Defaults) -> Raise {
        let Some(before) = before else { return Raise::Yes };
        let same = self.account_type == before.account_type
            && self.signers == before.signers
            && self.home == before.home
            && self.inviter == before.inviter;
        let kept = self.status >= before.status
            && self.can.is_superset(&before.can)
            && self.flags.is_superset(&before.flags);
        if !same || !kept {
            return Raise::No;
        }
        let bound = |before: Option<Amount>, after: Option<Amount>, (low, high): (i64, i64)| match (
            before.map(|amount| amount.minor),
            after.map(|amount| amount.minor),
        ) {
            (None, None) => Raise::Yes,
            (Some(before), Some(after)) if after < before => Raise::No,
            (None, Some(after)) if after < low => Raise::NotYet,
            (Some(before), None) if before > high => Raise::NotYet,
            _ => Raise::Yes,
        };
        match [
            bound(before.limit, self.limit, defaults.limit),
            bound(before.max, self.max, defaults.max),
        ] {
            [Raise::No, _] | [_, Raise::No] => Raise::No,
            [Raise::NotYet, _] | [_, Raise::NotYet] => Raise::NotYet,
            _ => Raise::Yes,
        }
    }
}

fn word<T: std::str::FromStr<Err = &'static str>>(
    text: &str,
    name: &'static str,
) -> Result<T, Malformed> {
    text.parse().map_err(|form| Malformed::BadTag(name, form))
}

/// The values after the name of every tag of this name that are not empty.
fn values<'a>(shape: Shape<'a>, name: &'static str) -> impl Iterator<Item = &'a str> {
    shape.all(name).flat_map(|tag| tag.values().skip(1)).filter(|value| !value.is_empty())
}

/// What the `can` tag lists; without one, everything. Words of later versions are passed over.
fn abilities(shape: Shape<'_>) -> Result<BTreeSet<Ability>, Malformed> {
    match shape.optional("can")? {
        None => Ok(Ability::ALL.iter().copied().collect()),
        Some(tag) => Ok(tag.values().skip(1).filter_map(|word| word.parse().ok()).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{currency, key, read};

    #[test]
    fn the_first_version_has_none_before_it() {
        let open = Policy::open(currency(), key("ana"));
        let orphan = Policy { version: 2, ..open.clone() };
        let early = Policy { previous: Some(EventId([7; 32])), ..open };
        for wrong in [orphan, early] {
            assert!(matches!(read(wrong), Err(Malformed::BadTag("prev", _))));
        }
    }

    #[test]
    fn an_account_without_signers_is_signed_for_by_its_own_key() {
        let open = Policy { signers: BTreeSet::new(), ..Policy::open(currency(), key("ana")) };
        let crate::Body::Policy(policy) = read(open).unwrap().body else { panic!() };
        assert_eq!(policy.signers, BTreeSet::from([key("ana")]));
    }
}
