//! Where a command acts: a community and a currency of the node it speaks to, and who is who there.
//!
//! What a command signs rests on signed events: rules and policies are fetched as events and
//! verified here, so that a node cannot make its user sign under rules that nobody made.

use anyhow::{Context as _, Result, bail};
use ayni_lets::{Body, Ledger};
use ayni_protocol::{
    Address, Amount, Draft, Event, EventId, Filter, Keys, Kind, Part as _, PublicKey, Scale,
    VerifiedEvent, kind,
};
use ayni_witness::{Charter, Council};
use serde::Deserialize;

use super::Common;
use super::client::{Client, Receipt, encoded};
use crate::{clock, keys};

/// A community, as its node describes it.
#[derive(Debug, Clone, Deserialize)]
pub struct Community {
    /// Its id.
    pub id: EventId,
    /// The charter in force.
    pub charter: EventId,
    /// Its currencies' addresses.
    pub currencies: Vec<String>,
    /// ISO 3166-1 code.
    pub country: Option<String>,
}

/// A member's line in the list.
#[derive(Debug, Clone, Deserialize)]
pub struct Member {
    /// The account.
    pub account: PublicKey,
    /// Profile name, or the code.
    pub name: String,
    /// Short name.
    pub code: String,
    /// `member`, `organisation`, …
    #[serde(rename = "type")]
    pub account_type: String,
    /// `active`, `suspended` or `closed`.
    pub status: String,
    /// Balance, as text.
    pub balance: String,
    /// Limit, as text, where there is one.
    pub limit: Option<String>,
    /// Points of merit.
    pub merit: i64,
}

/// Whose signature makes an act of the community count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The community's key, or any one steward's: accounts are opened, limits raised, thanks given.
    Everyday,
    /// The community's key alone; what is taken from somebody, and all else.
    Community,
}

/// What people call an account: its name, or else its npub.
pub fn called(members: &[Member], key: &PublicKey) -> String {
    let known = members.iter().find(|member| member.account == *key);
    known.map_or_else(|| keys::npub(key), |member| member.name.clone())
}

/// Whom a name means. A short name goes first, which stewards give: what people call themselves
/// in their profiles can take it from nobody.
///
/// # Errors
/// Where nobody has that name, or several have.
pub fn meant<'a>(members: &'a [Member], name: &str) -> Result<&'a Member> {
    let coded: Vec<_> = members.iter().filter(|member| member.code == name).collect();
    let found = match coded.is_empty() {
        true => members.iter().filter(|member| member.name == name).collect(),
        false => coded,
    };
    match found[..] {
        [member] => Ok(member),
        [] => bail!("nobody here is called {name}; see `ayni member list`"),
        _ => bail!("several accounts are called {name}; name the npub"),
    }
}

/// An account, as far as commands need it.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// `member`, `organisation`, …
    #[serde(rename = "type")]
    pub account_type: String,
    /// `active`, `suspended` or `closed`.
    pub status: String,
    /// What it holds, as text.
    pub balance: String,
    /// What it has reserved, as text.
    pub pending: String,
    /// How far below zero it may go, as text.
    pub limit: String,
    /// Its next order's number.
    pub next_seq: u64,
    /// What its next order names as `prev`: its last certified order, or the first rules.
    pub head: EventId,
    /// An order of it that stands at that number already and waits for witnesses.
    pub waiting: Option<Waiting>,
    /// The newest policy event.
    pub latest_policy: EventId,
}

/// An order that waits for witnesses at its account's next number.
#[derive(Debug, Clone, Deserialize)]
pub struct Waiting {
    /// The order.
    pub id: EventId,
    /// Who is to be paid.
    pub payee: Option<PublicKey>,
    /// How much, as text.
    pub amount: String,
}

/// A currency, as far as commands need it.
#[derive(Debug, Clone, Deserialize)]
struct Currency {
    rules: RulesNamed,
}

#[derive(Debug, Clone, Deserialize)]
struct RulesNamed {
    id: EventId,
}

/// A node's community and currency.
pub struct Place {
    /// The node.
    pub client: Client,
    /// The community.
    pub community: Community,
    /// The currency.
    pub currency: Address,
}

/// An event that changes nothing.
#[derive(Debug, Clone, Deserialize)]
struct Void {
    id: EventId,
    sentence: String,
}

/// An act that waits for approval.
#[derive(Debug, Clone, Deserialize)]
pub struct Unapproved {
    /// The event.
    pub id: EventId,
    /// Who signed it.
    pub author: PublicKey,
}

/// The rules in force, as an event and as what it says.
pub struct RulesInForce {
    /// The event.
    pub id: EventId,
    /// What it says.
    pub rules: ayni_lets::Rules,
}

/// Events of a kind with a tag.
pub fn tagged(kind: Kind, letter: u8, value: &impl ToString) -> Filter {
    let tags = vec![(letter, [value.to_string()].into())];
    Filter { kinds: Some([kind].into()), tags, ..Filter::default() }
}

impl Place {
    /// The first community of the node, and its first currency.
    ///
    /// # Errors
    /// Where no node answers or it has none.
    pub fn of(common: &Common) -> Result<Self> {
        let client = common.client()?;
        let communities: Vec<Community> = client.get("/api/v1/communities")?;
        let community = communities
            .into_iter()
            .next()
            .with_context(|| format!("the node at {} has no community yet", client.address()))?;
        let currency = match community.currencies.first() {
            Some(address) => address.parse().context("the node's currency address")?,
            None => awaited(&client, &community)?,
        };
        Ok(Self { client, community, currency })
    }

    /// The same community, at another of its currencies.
    #[must_use]
    pub fn at(&self, currency: Address) -> Self {
        Self { client: self.client.clone(), community: self.community.clone(), currency }
    }

    /// The path of a view of the currency.
    #[must_use]
    pub fn currency_path(&self, rest: &str) -> String {
        format!("/api/v1/currencies/{}{rest}", encoded(&self.currency.to_string()))
    }

    /// The accounts of the community.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub fn members(&self) -> Result<Vec<Member>> {
        self.client.get(&format!("/api/v1/communities/{}/members", self.community.id))
    }

    /// The account that a person names: by npub, hex, short name or profile name.
    ///
    /// # Errors
    /// Where nobody has that name, or several have.
    pub fn who(&self, name: &str) -> Result<PublicKey> {
        if let Some(key) = keys::public(name) {
            return Ok(key);
        }
        Ok(meant(&self.members()?, name)?.account)
    }

    /// An account's state.
    ///
    /// # Errors
    /// Where there is no such account.
    pub fn account(&self, key: &PublicKey) -> Result<Account> {
        self.client.get(&self.currency_path(&format!("/accounts/{key}")))
    }

    /// The rules in force, verified.
    ///
    /// # Errors
    /// Where the node does not give a rules event of this currency.
    pub fn rules(&self) -> Result<RulesInForce> {
        let named: Currency = self.client.get(&self.currency_path(""))?;
        let event = self.event(&named.rules.id)?;
        match Ledger::read(&event)?.body {
            Body::Rules(rules) if rules.currency == self.currency => {
                Ok(RulesInForce { id: event.id, rules: ayni_lets::Rules::clone(&rules) })
            }
            _ => bail!("the node named an event that is not the currency's rules"),
        }
    }

    /// An amount that was typed, with the currency's decimals.
    ///
    /// # Errors
    /// Where it has others, with the spelling that was probably meant.
    pub fn amount(&self, text: &str) -> Result<Amount> {
        let scale = self.scale()?;
        Ok(Amount { minor: super::rules::amount(text, scale)?, scale })
    }

    /// The currency's decimals, which never change: as the rules in force write them, or those that
    /// wait for approval.
    fn scale(&self) -> Result<Scale> {
        let rules = match self.rules() {
            Ok(known) => known.rules,
            Err(error) => {
                let waiting = proposed(&self.client, &self.community)?;
                let ours = waiting.into_iter().find(|rules| rules.currency == self.currency);
                ours.ok_or(error)?
            }
        };
        Ok(rules.scale)
    }

    /// The acts of the community's key that wait for stewards to approve them, newest first.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub fn unapproved(&self) -> Result<Vec<Unapproved>> {
        let mut all: Vec<Unapproved> = self.client.get("/api/v1/waiting?approval=true")?;
        all.retain(|act| act.author == self.currency.author);
        Ok(all)
    }

    /// Why an event changes nothing, where it is void.
    ///
    /// # Errors
    /// Where the node does not answer.
    pub fn void(&self, event: &VerifiedEvent) -> Result<Option<String>> {
        let path = format!("/api/v1/void?since={}", event.created_at);
        let void: Vec<Void> = self.client.get(&path)?;
        Ok(void.into_iter().find(|void| void.id == event.id).map(|void| void.sentence))
    }

    /// The charter in force.
    ///
    /// # Errors
    /// As [`Place::event`].
    pub fn charter(&self) -> Result<Charter> {
        self.charter_event(&self.community.charter)
    }

    /// A charter version.
    ///
    /// # Errors
    /// As [`Place::event`], or where the event is no charter.
    pub fn charter_event(&self, id: &EventId) -> Result<Charter> {
        let event = self.event(id)?;
        match Council::read(&event)?.body {
            ayni_witness::entry::Body::Charter(text) => {
                Ok(ayni_witness::charter::of_text(event.id, self.community.id, event.pubkey, &text))
            }
            _ => bail!("the node named an event that is no charter"),
        }
    }

    /// The keys for an act of the community: `--key`, or the community's in the node's folder.
    ///
    /// # Errors
    /// Where what they sign would change nothing.
    pub fn keys_for(&self, common: &Common, act: Act) -> Result<Keys> {
        let keys = common.community_keys()?;
        if keys.public() == self.currency.author {
            return Ok(keys);
        }
        match (self.charter()?.stewards.contains(&keys.public()), act) {
            (true, Act::Everyday) => Ok(keys),
            (true, Act::Community) => bail!(
                "a steward's key does not do this alone, only the community's: run it where the \
                 node's folder is, or name that key with --key"
            ),
            (false, _) => bail!(
                "this key is neither the community's nor a steward's, so what it signs would \
                 change nothing; see `ayni steward list`"
            ),
        }
    }

    /// A stored event, verified.
    ///
    /// # Errors
    /// Where the node does not have it, or it is forged.
    pub fn event(&self, id: &EventId) -> Result<VerifiedEvent> {
        let found = self.events(&Filter { ids: Some([*id].into()), ..Filter::default() })?;
        let event = found.into_iter().next();
        let event = event.with_context(|| format!("the node does not hold event {id}"))?;
        if event.id != *id {
            bail!("the node gave another event than was asked for");
        }
        Ok(event)
    }

    /// The stored events that a filter finds, verified.
    ///
    /// # Errors
    /// Where the node does not answer, or gives what is no event.
    pub fn events(&self, filter: &Filter) -> Result<Vec<VerifiedEvent>> {
        stored(&self.client, filter)
    }

    /// Signs a draft now and publishes it.
    ///
    /// # Errors
    /// The node's refusal, in its words.
    pub fn publish(&self, draft: Draft, keys: &Keys) -> Result<(VerifiedEvent, Receipt)> {
        let event = draft.sign(keys, clock::now(), clock::entropy());
        let receipt = self.client.publish_one(&event)?;
        Ok((event, receipt))
    }
}

/// The currency whose rules wait for the stewards' approval.
fn awaited(client: &Client, community: &Community) -> Result<Address> {
    let named = proposed(client, community)?.into_iter().next().map(|rules| rules.currency);
    named.context("the community has no currency yet")
}

/// All rules that were published in a community, whether or not they count.
fn proposed(client: &Client, community: &Community) -> Result<Vec<ayni_lets::Rules>> {
    let events = stored(client, &tagged(kind::RULES, b'h', &community.id))?;
    let read = events.iter().filter_map(|event| match Ledger::read(event).ok()?.body {
        Body::Rules(rules) => Some(ayni_lets::Rules::clone(&rules)),
        _ => None,
    });
    Ok(read.collect())
}

fn stored(client: &Client, filter: &Filter) -> Result<Vec<VerifiedEvent>> {
    let path = format!("/api/v1/export?filter={}", encoded(&filter.to_json()));
    let text = client.text(&path, "application/jsonl")?;
    text.lines().map(|line| Ok(Event::parse(line)?.verify()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(byte: u8, code: &str, name: &str) -> Member {
        Member {
            account: PublicKey([byte; 32]),
            name: name.into(),
            code: code.into(),
            account_type: "member".into(),
            status: "active".into(),
            balance: "0.00".into(),
            limit: None,
            merit: 0,
        }
    }

    #[test]
    fn a_profile_takes_a_short_name_from_nobody() {
        let members =
            [member(1, "ana", "Ana Lima"), member(2, "eve", "ana"), member(3, "ben", "Ana Lima")];
        let meant = |name| meant(&members, name).map(|member| member.account.0[0]);
        assert_eq!(meant("ana").unwrap(), 1);
        assert_eq!(meant("eve").unwrap(), 2);
        assert!(meant("Ana Lima").unwrap_err().to_string().contains("several accounts"));
        assert!(meant("rui").unwrap_err().to_string().contains("nobody here"));
    }
}
