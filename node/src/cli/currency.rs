//! `ayni currency`: the rules of a currency, and how they are changed.
//!
//! Rules are never edited. A change is the next version, which names the one before; the witnesses
//! close the books of the one before and go on under the new one (protocol, "Epochs"). What is not
//! named stays as it is. Which nodes keep the books is changed by `ayni witness`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ayni_lets::{Body, Currency, Ledger, Rules};
use ayni_protocol::{Draft, EventId, Filter, Keys, Part as _, PublicKey, Timestamp, kind};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::patience::patiently;
use super::place::{Place, RulesInForce, tagged};
use super::rules::{self, Wish};
use super::{Common, show};
use crate::{clock, keys};

/// What becomes of payments under way, for whoever changes the rules.
const UNDER_WAY: &str = "Payments under way: what witnesses have signed is carried over where it \
                         may still count; all else has to be signed again under the new rules.";

#[derive(Subcommand)]
pub enum Currencies {
    /// Show the rules of the currency, as `change` takes them
    Show,
    /// Change its rules; what you do not name stays
    #[command(
        after_help = "Example: ayni currency change --limit 40.00 --max 200.00 --dry-run\n         \
                      ayni currency change --levy payee:2%:commons --treasury commons\n         \
                      ayni currency change --earned 25%:100.00 --levy none\n\
                      Needs the community's key: run it where the node's folder is, or name --key."
    )]
    Change(Box<Change>),
}

#[derive(Args)]
pub struct Change {
    #[command(flatten)]
    wish: Wish,
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Publish this although another change of the same rules waits for approval
    #[arg(long)]
    instead: bool,
    /// Seconds to wait until the witnesses have handed over
    #[arg(long, value_name = "SECS", default_value_t = 45)]
    wait: u64,
}

/// An event that changes nothing, as the node lists it.
#[derive(Deserialize)]
struct Void {
    id: EventId,
}

/// How far new rules have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Stewards have to approve them.
    Unapproved,
    /// They count, and the witnesses so far have not handed over.
    Closing,
    /// Witnesses sign under them.
    InForce,
}

impl Currencies {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        match self {
            Self::Show => shown(common, &place),
            Self::Change(change) => change.run(common, &place),
        }
    }
}

fn shown(common: &Common, place: &Place) -> Result<()> {
    let RulesInForce { id, rules } = place.rules()?;
    let lines = rules::lines(&rules, &named(place)?);
    if common.json {
        let said: BTreeMap<_, _> = lines.into_iter().collect();
        return show::json(&json!({
            "currency": place.currency.to_string(), "id": id, "epoch": rules.epoch, "rules": said,
        }));
    }
    let rows: Vec<_> = lines.into_iter().map(|(name, text)| [name.to_owned(), text]).collect();
    show::table(["rule", "says"], &rows)?;
    show::line(format!("Version {} of the rules of {}.", rules.epoch, place.currency))
}

/// What an account is called: its short name, or its key.
fn named(place: &Place) -> Result<impl Fn(&PublicKey) -> String> {
    let members = place.members()?.into_iter().filter(|member| !member.code.is_empty());
    let names: BTreeMap<_, _> = members.map(|member| (member.account, member.code)).collect();
    Ok(move |key: &PublicKey| names.get(key).cloned().unwrap_or_else(|| keys::npub(key)))
}

impl Change {
    fn run(&self, common: &Common, place: &Place) -> Result<()> {
        let before = place.rules()?;
        let next = self.wish.of(&before.rules, &|name| place.who(name))?;
        if next == before.rules {
            bail!("nothing would change: `ayni currency show` lists the rules in force");
        }
        for account in rules::accounts(&next) {
            receives(place, &account)?;
        }
        let name = named(place)?;
        let (old, new) = (rules::lines(&before.rules, &name), rules::lines(&next, &name));
        let changes = old.into_iter().zip(new).filter(|(old, new)| old != new);
        let changes: Vec<_> =
            changes.map(|((rule, old), (_, new))| [rule.to_owned(), old, new]).collect();
        if !common.json {
            for [rule, old, new] in &changes {
                show::line(format!("{rule}: {old} -> {new}"))?;
            }
            show::line(UNDER_WAY)?;
        }
        if self.dry_run {
            return told(common, &changes, None);
        }
        if !self.instead {
            nothing_waits(place, before.id)?;
        }
        let (id, counts) = follow(place, &before, next, &common.community_keys()?)?;
        let stage = if counts { opened(place, self.wait)? } else { Stage::Unapproved };
        told(common, &changes, Some((id, stage)))
    }
}

fn told(common: &Common, changes: &[[String; 3]], done: Option<(EventId, Stage)>) -> Result<()> {
    let state = match done {
        None => "not published",
        Some((_, Stage::Unapproved)) => "waits for approval",
        Some((_, Stage::Closing)) => "waits for witnesses",
        Some((_, Stage::InForce)) => "in force",
    };
    if common.json {
        let change = |[rule, from, to]: &[String; 3]| json!({"rule": rule, "from": from, "to": to});
        return show::json(&json!({
            "id": done.map(|(id, _)| id), "state": state,
            "changes": changes.iter().map(change).collect::<Vec<_>>(),
        }));
    }
    show::line(match done {
        None => "Nothing was published.".to_owned(),
        Some((_, Stage::InForce)) => "The new rules are in force.".to_owned(),
        Some((id, Stage::Unapproved)) => format!(
            "The change {id} is published and counts once stewards have approved it: \
             `ayni approve {id} --key steward.key`."
        ),
        Some((_, Stage::Closing)) => "The new rules count. Payments wait until enough of the \
                                      witnesses so far have handed over; see `ayni witness list`."
            .to_owned(),
    })
}

/// Fails where an account cannot be paid, since the rules would then stop every payment.
fn receives(place: &Place, key: &PublicKey) -> Result<()> {
    let account = place.account(key).with_context(|| {
        let npub = keys::npub(key);
        format!("the rules can name only accounts that are open: `ayni member add {npub}` opens it")
    })?;
    if account.status == "closed" {
        bail!("the account of {} is closed; name one that is open", keys::npub(key));
    }
    Ok(())
}

/// Fails where another version waits to follow the same rules.
fn nothing_waits(place: &Place, in_force: EventId) -> Result<()> {
    let authors = Some([place.currency.author].into());
    let filter = Filter { authors, ..tagged(kind::RULES, b'a', &place.currency) };
    let void: Vec<Void> = place.client.get("/api/v1/void")?;
    for event in place.events(&filter)? {
        let Ok(entry) = Ledger::read(&event) else { continue };
        if void.iter().any(|it| it.id == event.id) {
            continue;
        }
        if matches!(&entry.body, Body::Rules(rules) if rules.previous == Some(in_force)) {
            bail!(
                "the change {0} of these rules waits already: approve it with `ayni approve {0}`, \
                 or publish yours beside it with --instead",
                event.id
            );
        }
    }
    Ok(())
}

/// Publishes rules that follow those in force, and where they count at once shows them in the
/// currency's event. Their id, and whether they count.
pub fn follow(
    place: &Place,
    before: &RulesInForce,
    next: Rules,
    keys: &Keys,
) -> Result<(EventId, bool)> {
    if keys.public() != place.currency.author {
        bail!(
            "rules are signed with the community's key, and this is another: run this where the \
             node's folder is, or name the key with --key"
        );
    }
    let epoch = before.rules.epoch.saturating_add(1);
    let next = Rules { epoch, previous: Some(before.id), ..next };
    let (rules, _) = place.publish(Body::from(next).draft(&place.community.id), keys)?;
    let counts = place.rules()?.id == rules.id;
    if let Some((draft, before)) = renamed(place, rules.id)?.filter(|_| counts) {
        // Of two versions the newer one is shown.
        let at = clock::now().max(before.saturating_add(1));
        place.client.publish_one(&draft.sign(keys, at, clock::entropy()))?;
    }
    Ok((rules.id, counts))
}

/// The currency event again, with these rules, and the time of the one before.
fn renamed(place: &Place, rules: EventId) -> Result<Option<(Draft, Timestamp)>> {
    let authors = Some([place.currency.author].into());
    let filter = Filter { authors, ..tagged(kind::CURRENCY, b'd', &place.currency.identifier) };
    let found = place.events(&filter)?;
    let Some(event) = found.into_iter().max_by_key(|event| event.created_at) else {
        return Ok(None);
    };
    let Body::Currency(shown) = Ledger::read(&event)?.body else { return Ok(None) };
    let next = Currency { rules: Some(rules), ..Currency::clone(&shown) };
    Ok(Some((Body::from(next).draft(&place.community.id), event.created_at)))
}

/// Whether witnesses sign under the rules that count now, once they do or the time is over.
fn opened(place: &Place, wait: u64) -> Result<Stage> {
    let awaited = "the witnesses to close the books of the rules before";
    let opened = patiently(Duration::from_secs(wait), awaited, || {
        let view: Value = place.client.get(&place.currency_path(""))?;
        let opened = view.get("rules").and_then(|rules| rules.get("opened")?.as_bool());
        Ok(opened.filter(|opened| *opened))
    })?;
    Ok(if opened.is_some() { Stage::InForce } else { Stage::Closing })
}
