//! `ayni member import`: members and their balances out of another system, once.
//!
//! Accounts are opened for who has none yet, by their short names; balances are booked by charges
//! of the reason `opening`, which name the file by a digest of what it says. So the same file does
//! nothing a second time, and one that was cut short goes on where it stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ayni_lets::charge::LINES_MAX;
use ayni_lets::{Body, Cause, Charge, Ledger, Policy};
use ayni_protocol::{
    Amount, Draft, EventId, Keys, Part as _, PublicKey, Scale, VerifiedEvent, kind,
};
use clap::Args;

use super::place::{Act, Member, Place, tagged};
use super::{Common, show};
use crate::brought::{self, Brought, System, Writing};
use crate::table::Complaints;
use crate::{clock, keys, table};

/// Accounts opened by one request.
const AT_ONCE: usize = 200;

#[derive(Args)]
pub struct Import {
    /// The file: a table, or accounts as JSON:API
    file: PathBuf,
    /// Where it comes from
    #[arg(long, value_enum)]
    from: System,
    /// A folder for the keys that are made for members whose key the file does not know
    #[arg(long, value_name = "DIR", default_value = "members")]
    keys: PathBuf,
    /// Amounts have a comma before decimals
    #[arg(long)]
    decimal_comma: bool,
    /// Decimals of the whole numbers in a JSON document
    #[arg(long, value_name = "N")]
    decimals: Option<u32>,
    /// The account of the file that takes what is missing to a sum of zero
    #[arg(long, value_name = "NAME")]
    rest: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// An account of the file, and what is to be done about it.
struct Planned {
    account: Brought,
    /// The account that it is or becomes; none before its key is made.
    key: Option<PublicKey>,
    /// Whether it is to be opened.
    opens: bool,
}

/// Charges that were booked before.
struct Booked {
    next_cseq: u64,
    last: Option<EventId>,
    /// The notes of opening charges.
    notes: BTreeSet<String>,
    /// Accounts that have an opening balance, with its note.
    opened: BTreeMap<PublicKey, String>,
}

impl Import {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let scale = place.rules()?.rules.scale;
        let text = table::text_of(&self.file)?;
        let writing = Writing { scale, comma: self.decimal_comma, document: self.decimals };
        let accounts = brought::read(&text, self.from, writing, self.rest.as_deref())?;
        let digest = brought::digest(&accounts);
        let booked = Booked::of(&place)?;
        let mut planned = plan(accounts, &place.members()?);
        // The digest names the import, so its own charges may be there already.
        other_openings(&planned, &booked, &digest)?;
        if self.dry_run {
            return foretell(common, &planned, scale);
        }
        let community = place.keys_for(common, Act::Community)?;
        self.open(&place, &community, &mut planned, scale)?;
        let note = format!("Opening balances from {} (import {digest}", self.from.as_str());
        let charges = book(&place, &community, &planned, booked, &note, scale)?;
        done(common, &place, &planned, charges)
    }

    /// Opens what is not there yet.
    fn open(
        &self,
        place: &Place,
        community: &Keys,
        planned: &mut [Planned],
        scale: Scale,
    ) -> Result<()> {
        let mut events = Vec::new();
        for at in planned.iter_mut().filter(|at| at.opens) {
            let (key, own) = match at.account.key {
                Some(key) => (key, None),
                None => {
                    let own = key_of(&self.keys, &at.account.code)?;
                    (own.public(), Some(own))
                }
            };
            at.key = Some(key);
            let draft =
                Body::from(policy(place, key, &at.account, scale)?).draft(&place.community.id);
            events.push(draft.sign(community, clock::now(), clock::entropy()));
            if let Some(own) = own.filter(|_| !at.account.name.is_empty()) {
                events.push(profile(&at.account.name, &own));
            }
        }
        for some in events.chunks(AT_ONCE) {
            for receipt in place.client.publish(some)? {
                if !receipt.accepted {
                    bail!(
                        "an account was not opened: {}; run this again to go on",
                        receipt.message
                    );
                }
            }
        }
        Ok(())
    }
}

/// Which accounts are there already, by their short names.
fn plan(accounts: Vec<Brought>, members: &[Member]) -> Vec<Planned> {
    let planned = accounts.into_iter().map(|account| {
        let same =
            |member: &&Member| member.code == account.code || Some(member.account) == account.key;
        let member = members.iter().find(same);
        let key = member.map(|member| member.account).or(account.key);
        Planned { key, opens: member.is_none(), account }
    });
    planned.collect()
}

/// An account's opening balance is booked once, whatever file says it.
fn other_openings(planned: &[Planned], booked: &Booked, digest: &str) -> Result<()> {
    let mut complaints = Complaints::default();
    for at in planned.iter().filter(|at| at.account.balance != 0) {
        let note = at.key.and_then(|key| booked.opened.get(&key));
        if let Some(note) = note.filter(|note| !note.contains(digest)) {
            let what = format!(
                "{} has an opening balance already ({note}); take the row out of the file",
                at.account.code
            );
            complaints.add(at.account.line, what);
        }
    }
    complaints.settle("nothing was imported")
}

/// The key in a member's file, which is made where there is none.
fn key_of(folder: &Path, code: &str) -> Result<Keys> {
    let safe = |c: char| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    let name: String = code.chars().map(safe).collect();
    let path = folder.join(format!("{name}.key"));
    if path.exists() {
        return keys::secret(&path.display().to_string());
    }
    let made = keys::generate();
    let sealed = std::env::var_os("AYNI_PASSWORD").is_some();
    let line = if sealed { keys::ncryptsec(&made)? } else { keys::nsec(&made)? };
    keys::write_new(&path, &line)?;
    Ok(made)
}

fn policy(place: &Place, key: PublicKey, account: &Brought, scale: Scale) -> Result<Policy> {
    let mut policy = Policy::open(place.currency.clone(), key);
    let amount = |minor: i64| Amount { minor, scale };
    policy.code = account.code.clone();
    policy.account_type = account.account_type;
    policy.status = account.status;
    policy.limit = account.limit.map(amount);
    policy.max = account.max.map(amount);
    Ok(policy)
}

/// A profile with nothing but the name, which the member may replace.
fn profile(name: &str, own: &Keys) -> VerifiedEvent {
    let content = serde_json::json!({"name": name}).to_string();
    Draft::new(kind::PROFILE).content(content).sign(own, clock::now(), clock::entropy())
}

impl Booked {
    fn of(place: &Place) -> Result<Self> {
        let filter = tagged(kind::CHARGE, b'a', &place.currency);
        let mut booked =
            Self { next_cseq: 0, last: None, notes: BTreeSet::new(), opened: BTreeMap::new() };
        for event in place.events(&filter)? {
            let Body::Charge(charge) = Ledger::read(&event)?.body else { continue };
            if charge.cseq >= booked.next_cseq {
                booked.next_cseq = charge.cseq.saturating_add(1);
                booked.last = Some(event.id);
            }
            if charge.cause == Cause::Opening {
                let accounts = charge.effects().into_keys();
                booked.opened.extend(accounts.map(|account| (account, charge.note.clone())));
                booked.notes.insert(charge.note.clone());
            }
        }
        Ok(booked)
    }
}

/// Books the balances, in as many charges as they need. Gives how many were booked now.
fn book(
    place: &Place,
    community: &Keys,
    planned: &[Planned],
    mut booked: Booked,
    note: &str,
    scale: Scale,
) -> Result<usize> {
    let balances: Option<Vec<(PublicKey, i64)>> =
        planned.iter().map(|at| Some((at.key?, at.account.balance))).collect();
    let balances = balances.context("an account of the file has no key")?;
    let parts = brought::in_parts(&balances, LINES_MAX);
    let mut now = 0_usize;
    for (number, part) in (1_usize..).zip(&parts) {
        let note = format!("{note}, part {number} of {})", parts.len());
        if booked.notes.contains(&note) {
            continue;
        }
        let side = |sign: i64| {
            let lines = part.iter().filter(move |(_, minor)| **minor * sign > 0);
            lines.map(move |(key, minor)| (*key, minor * sign)).collect()
        };
        let charge = Charge {
            currency: place.currency.clone(),
            cseq: booked.next_cseq,
            previous: booked.last,
            cause: Cause::Opening,
            scale,
            debits: side(-1),
            credits: side(1),
            basis: None,
            note,
        };
        let draft = Body::from(charge).draft(&place.community.id);
        let (event, _) = place.publish(draft, community)?;
        (booked.next_cseq, booked.last) = (booked.next_cseq.saturating_add(1), Some(event.id));
        now = now.saturating_add(1);
    }
    Ok(now)
}

fn foretell(common: &Common, planned: &[Planned], scale: Scale) -> Result<()> {
    let rows: Vec<[String; 6]> = planned
        .iter()
        .map(|at| {
            let sum = |minor: Option<i64>| {
                minor.map_or_else(|| "-".to_owned(), |minor| scale.format(minor.into()))
            };
            let what = if at.opens { "opens" } else { "is there" };
            let account = &at.account;
            let status = account.status.as_str().to_owned();
            let (held, limit) = (sum(Some(account.balance)), sum(account.limit));
            [account.code.clone(), account.name.clone(), held, limit, status, what.to_owned()]
        })
        .collect();
    if common.json {
        let rows: Vec<_> = rows
            .iter()
            .map(|[code, name, balance, limit, status, what]| {
                serde_json::json!({
                    "code": code, "name": name, "balance": balance, "limit": limit,
                    "status": status, "account": what,
                })
            })
            .collect();
        return show::json(&serde_json::json!({"would_import": rows, "sum": scale.format(0)}));
    }
    show::table(["name", "member", "balance", "limit", "status", "account"], &rows)?;
    show::line(format!(
        "{} accounts, together {}. Nothing was imported now.",
        planned.len(),
        scale.format(0)
    ))
}

/// Says what is so now, by the books themselves.
fn done(common: &Common, place: &Place, planned: &[Planned], charges: usize) -> Result<()> {
    let opened = planned.iter().filter(|at| at.opens).count();
    let wrong = place.members()?.len() < planned.len();
    let view: serde_json::Value = place.client.get(&place.currency_path(""))?;
    let sum = view.pointer("/totals/sum").and_then(serde_json::Value::as_str).unwrap_or_default();
    if wrong {
        bail!("not every account is open yet: the acts wait for the stewards' approval");
    }
    if common.json {
        return show::json(&serde_json::json!({
            "accounts": planned.len(), "opened": opened, "charges": charges, "sum": sum,
        }));
    }
    show::line(format!(
        "{} accounts, {opened} of them opened now, {charges} charges booked now; the books come to {sum}.",
        planned.len()
    ))
}
