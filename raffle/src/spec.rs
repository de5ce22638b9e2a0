//! What an organiser promises: the terms of a raffle, as a person writes them.
//!
//! One type serves the TOML file of `ayni raffle announce`, the tags of kind 4730 and the book, so
//! what was announced and what is drawn cannot drift apart. [`Place`] is what a person does not
//! write: it follows from the charter and from the organiser's earlier raffles.
//!
//! Deliberately absent: a default for anything that costs money, and any date relative to "now".

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use ayni_protocol::{Address, Amount, EventId, Malformed, PublicKey, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Prizes of one raffle; each winner is one member of the canonical result.
pub const MAX_PRIZES: usize = 100;
/// Reserves of one raffle.
pub const MAX_RESERVES: u32 = 100;
/// Receivers of shares in one raffle.
pub const MAX_SHARES: usize = 32;
/// Latest time and round: canonical JSON (RFC 8785) holds integers below 2^53.
pub const MAX_TIME: u64 = 1 << 52;
/// Units of one raffle, for the same reason.
pub const MAX_UNITS: u64 = 1 << 52;
/// The whole pot, in basis points.
pub const WHOLE_BP: u32 = 10_000;

/// The terms of a raffle (kind 4730).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaffleSpec {
    /// Its name, by language; the first is the binding one.
    #[serde(default)]
    pub titles: Vec<Title>,
    /// What it is for, in the organiser's words: the event's content.
    #[serde(default)]
    pub text: String,
    /// The prizes, the first is drawn first. 1 to [`MAX_PRIZES`].
    pub prizes: Vec<Prize>,
    /// The currency tickets are paid in; needed where `price` is above 0.
    #[serde(default, with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub currency: Option<Address>,
    /// Price of one unit, with the currency's decimals; `0` for a free raffle.
    #[serde(with = "amount_text")]
    pub price: Amount,
    /// Units one person may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_per_person: Option<u32>,
    /// Units below which the raffle is called off and refunded.
    #[serde(default)]
    pub min_units: u64,
    /// Units that are for sale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_units: Option<u64>,
    /// When sales open, unix seconds.
    pub opens: Timestamp,
    /// When sales close, unix seconds.
    pub closes: Timestamp,
    /// How much later a witness may still receive tickets, seconds.
    #[serde(default)]
    pub grace: u64,
    /// Where the randomness comes from.
    #[serde(default)]
    pub entropy: Entropy,
    /// What a winning unit takes out of the drum.
    #[serde(default)]
    pub scope: Scope,
    /// Tickets drawn in reserve, for prizes nobody claims.
    #[serde(default)]
    pub reserves: u32,
    /// Days to claim a prize; shown to people, decided by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_days: Option<u32>,
    /// The account that holds the pot; needed where `price` is above 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escrow: Option<PublicKey>,
    /// Who shares in the pot; what nobody was promised goes to the last.
    #[serde(default)]
    pub to: Vec<Share>,
    /// What inviters of buyers get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub referral: Option<Referral>,
    /// Under which law it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal: Option<Legal>,
    /// Age that buyers must have shown: a flag `ageN` on their account, N at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age: Option<u32>,
}

/// A name in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// The name.
    pub text: String,
    /// Its language code; may be empty.
    #[serde(default)]
    pub lang: String,
}

/// A prize.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prize {
    /// What it is.
    pub text: String,
    /// The winner's share of the pot in basis points, for a prize of money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_bp: Option<u32>,
}

/// A share of the pot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// The account paid, usually a cause's.
    pub account: PublicKey,
    /// How much of the pot, in basis points.
    pub bp: u32,
}

/// What inviters get of each ticket they brought. Two levels, exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referral {
    /// For the buyer's inviter, in basis points of the ticket's price.
    pub first_bp: u32,
    /// For the inviter's inviter.
    pub second_bp: u32,
}

/// The country whose rules the raffle follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legal {
    /// ISO 3166 code, with the region where its law differs, e.g. `DE-BY`.
    pub country: String,
    /// Reference of the permit; may be empty.
    #[serde(default)]
    pub permit: String,
}

/// Where the randomness of a draw comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entropy {
    /// A round of the charter's beacon, fixed in advance.
    #[default]
    Drand,
    /// Secrets committed before the sale. Read, but not drawn by this version.
    CommitReveal,
    /// An urn and witnesses. Read, but not drawn by this version.
    Ceremony,
}

/// What a winning unit takes out of the drum (protocol section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Every ticket of that person: one prize each.
    #[default]
    Person,
    /// That ticket.
    Ticket,
    /// That unit only.
    Unit,
}

/// Where a raffle stands: what follows from the charter and the organiser's earlier raffles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The community.
    pub community: EventId,
    /// The charter whose witnesses decide.
    pub charter: EventId,
    /// The beacon's round that draws.
    pub round: u64,
    /// How many raffles this organiser announced before.
    pub seq: u64,
    /// The one before.
    pub previous: Option<EventId>,
}

impl Referral {
    /// How many levels have anything to get, counted from the buyer's inviter.
    #[must_use]
    pub const fn levels(self) -> usize {
        match self {
            Self { second_bp: 1.., .. } => 2,
            Self { first_bp: 1.., .. } => 1,
            Self { .. } => 0,
        }
    }
}

impl Entropy {
    /// As the tag spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drand => "drand",
            Self::CommitReveal => "commit-reveal",
            Self::Ceremony => "ceremony",
        }
    }
}

impl Scope {
    /// As the tag spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Ticket => "ticket",
            Self::Unit => "unit",
        }
    }
}

impl RaffleSpec {
    /// Whether tickets cost something.
    #[must_use]
    pub const fn is_priced(&self) -> bool {
        self.price.minor > 0
    }

    /// The last second at which a witness receives a ticket.
    #[must_use]
    pub const fn last_receipt(&self) -> Timestamp {
        self.closes.saturating_add(self.grace)
    }

    /// What this many units cost, in minor units; nothing where that is no amount.
    #[must_use]
    pub fn cost(&self, quantity: u32) -> Option<i64> {
        self.price
            .minor
            .checked_mul(i64::from(quantity))
            .filter(|minor| *minor <= ayni_protocol::amount::MINOR_MAX)
    }

    /// Everything promised of the pot, in basis points.
    #[must_use]
    pub fn promised_bp(&self) -> u64 {
        let to = self.to.iter().map(|share| u64::from(share.bp));
        let prizes = self.prizes.iter().map(|prize| u64::from(prize.share_bp.unwrap_or(0)));
        let referral = self
            .referral
            .map_or(0, |referral| u64::from(referral.first_bp) + u64::from(referral.second_bp));
        to.chain(prizes).sum::<u64>().saturating_add(referral)
    }

    /// Checks what holds whoever announces it, and where.
    ///
    /// # Errors
    /// [`Malformed`], with the tag that is wrong and the form it must have.
    pub fn check(&self) -> Result<(), Malformed> {
        self.check_counts()?;
        self.check_times()?;
        self.check_money()
    }

    fn check_counts(&self) -> Result<(), Malformed> {
        if self.prizes.is_empty() || self.prizes.len() > MAX_PRIZES {
            return Err(Malformed::BadTag("prize", "there 1 to 100 times"));
        }
        if self.reserves > MAX_RESERVES {
            return Err(Malformed::BadTag("reserves", "100 at most"));
        }
        if self.max_per_person == Some(0) {
            return Err(Malformed::BadTag("max-per-person", "at least 1"));
        }
        if self.max_units.is_some_and(|max| max == 0 || max < self.min_units) {
            return Err(Malformed::BadTag("max-units", "at least 1 and at least min-units"));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), Malformed> {
        if self.opens >= self.closes || self.closes > MAX_TIME {
            return Err(Malformed::BadTag("closes", "a time after opens"));
        }
        if self.grace > MAX_TIME {
            return Err(Malformed::BadTag("grace", "a number of seconds"));
        }
        Ok(())
    }

    fn check_money(&self) -> Result<(), Malformed> {
        if self.is_priced() && self.currency.is_none() {
            return Err(Malformed::MissingTag("a"));
        }
        if self.is_priced() && self.escrow.is_none() {
            return Err(Malformed::MissingTag("escrow"));
        }
        let receivers: BTreeSet<_> = self.to.iter().map(|share| share.account).collect();
        let escrow_shares = self.escrow.is_some_and(|escrow| receivers.contains(&escrow));
        if self.to.len() > MAX_SHARES || receivers.len() < self.to.len() || escrow_shares {
            return Err(Malformed::BadTag("to", "up to 32 different accounts, none the escrow"));
        }
        if self.promised_bp() > u64::from(WHOLE_BP) {
            return Err(Malformed::BadTag("to", "10000 basis points at most, with all shares"));
        }
        Ok(())
    }
}

/// Amounts as canonical text.
mod amount_text {
    use super::{Amount, Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(amount: &Amount, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(amount)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Amount, D::Error> {
        Amount::parse(&String::deserialize(from)?).map_err(serde::de::Error::custom)
    }
}

/// What has a spelling, as text, or not there.
mod optional_text {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer};

    pub fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RaffleSpec {
        serde_json::from_str(
            r#"{"prizes": [{"text": "Bicycle"}], "price": "0", "opens": 10, "closes": 20}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_short_text_is_enough_for_a_free_raffle() {
        let spec = spec();
        assert_eq!(spec.check(), Ok(()));
        assert_eq!((spec.entropy, spec.scope, spec.grace), (Entropy::Drand, Scope::Person, 0));
    }

    #[test]
    fn an_unknown_member_is_refused() {
        let text = r#"{"prizes": [], "price": "0", "opens": 1, "closes": 2, "prise": 3}"#;
        assert!(serde_json::from_str::<RaffleSpec>(text).is_err());
    }

    #[test]
    fn a_priced_raffle_needs_a_currency_and_an_escrow() {
        let mut spec = RaffleSpec { price: Amount::parse("5.00").unwrap(), ..spec() };
        assert_eq!(spec.check(), Err(Malformed::MissingTag("a")));
        spec.currency = format!("37470:{}:h", "ab".repeat(32)).parse().ok();
        assert_eq!(spec.check(), Err(Malformed::MissingTag("escrow")));
        spec.escrow = Some(PublicKey([7; 32]));
        assert_eq!(spec.check(), Ok(()));
    }

    #[test]
    fn nobody_promises_more_than_the_pot() {
        let share = |n, bp| Share { account: PublicKey([n; 32]), bp };
        let mut spec = RaffleSpec { to: vec![share(1, 6_000), share(2, 3_000)], ..spec() };
        spec.prizes = vec![Prize { text: "Money".into(), share_bp: Some(900) }];
        spec.referral = Some(Referral { first_bp: 60, second_bp: 40 });
        assert_eq!((spec.promised_bp(), spec.check()), (10_000, Ok(())));
        spec.referral = Some(Referral { first_bp: 61, second_bp: 40 });
        assert!(spec.check().is_err());
    }

    #[test]
    fn a_receiver_stands_once_and_is_not_the_escrow() {
        let share = Share { account: PublicKey([1; 32]), bp: 1 };
        assert!(RaffleSpec { to: vec![share, share], ..spec() }.check().is_err());
        let escrow = Some(share.account);
        assert!(RaffleSpec { to: vec![share], escrow, ..spec() }.check().is_err());
    }

    #[test]
    fn times_and_counts_make_sense() {
        assert!(RaffleSpec { opens: 20, ..spec() }.check().is_err());
        assert!(RaffleSpec { prizes: vec![], ..spec() }.check().is_err());
        assert!(RaffleSpec { max_per_person: Some(0), ..spec() }.check().is_err());
        assert!(RaffleSpec { min_units: 5, max_units: Some(4), ..spec() }.check().is_err());
    }
}
