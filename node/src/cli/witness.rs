//! `ayni witness`: who keeps a community's books. From one node to several and back, by a new
//! charter that the witnesses so far decide, and new rules of each currency that name it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ayni_lets::Rules;
use ayni_protocol::{Address, EventId, Keys, Part as _, PublicKey};
use ayni_witness::entry::{CharterText, Previous};
use ayni_witness::{Charter, Council, WitnessSeat};
use clap::Subcommand;
use serde_json::{Value, json};

use super::currency::follow;
use super::patience::patiently;
use super::place::Place;
use super::{Common, show};
use crate::{keys, peers};

/// How long a command waits for the witnesses to decide.
const PATIENCE: Duration = Duration::from_secs(45);

#[derive(Subcommand)]
pub enum Witness {
    /// Let further nodes keep the books; name all that are to join at once
    #[command(
        after_help = "Example: ayni witness add npub1…=wss://b.example npub1…=wss://c.example\n\
        A node's npub is shown by `ayni key show node --data ITS-FOLDER` and at its /api/v1/node."
    )]
    Add {
        /// Each node's public key and address
        #[arg(value_name = "NPUB=URL", required = true)]
        nodes: Vec<String>,
        /// How many must sign [default: two thirds and one more]
        #[arg(long, value_name = "N")]
        quorum: Option<usize>,
    },
    /// Let nodes keep the books no longer
    Remove {
        /// Their public keys
        #[arg(value_name = "NPUB", required = true)]
        nodes: Vec<String>,
        /// How many of those that stay must sign [default: two thirds and one more]
        #[arg(long, value_name = "N")]
        quorum: Option<usize>,
    },
    /// Name the witnesses in force in the rules of each currency, where `add` or `remove` could not
    /// wait for it
    Adopt,
    /// List the witnesses, how many must sign, and which currencies they keep
    List,
}

impl Witness {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        match self {
            Self::Add { nodes, quorum } => {
                let charter = place.charter()?;
                let mut seats = charter.witnesses.clone();
                for node in &nodes {
                    seat(&mut seats, node)?;
                }
                change(common, &place, &charter, seats, quorum)
            }
            Self::Remove { nodes, quorum } => {
                let charter = place.charter()?;
                let mut seats = charter.witnesses.clone();
                for node in &nodes {
                    let key = keys::public(node).with_context(|| format!("{node} is no key"))?;
                    if !seats.iter().any(|seat| seat.key == key) {
                        bail!("{node} is no witness here; see `ayni witness list`");
                    }
                    seats.retain(|seat| seat.key != key);
                }
                change(common, &place, &charter, seats, quorum)
            }
            Self::Adopt => {
                let adopted = adopt(&place, &place.charter()?, &common.community_keys()?)?;
                match adopted.len() {
                    0 => show::line("The rules of every currency name the witnesses in force."),
                    _ => told(common, &place.charter()?, &adopted),
                }
            }
            Self::List => list(common, &place),
        }
    }
}

/// Gives a node a seat, or its seat another address.
fn seat(seats: &mut Vec<WitnessSeat>, node: &str) -> Result<()> {
    let form = "name each node as NPUB=URL, as in npub1…=wss://b.example";
    let (key, url) = node.split_once('=').context(form)?;
    let key = keys::public(key).context(form)?;
    let url = peers::normal(url)?;
    match seats.iter_mut().find(|seat| seat.key == key) {
        Some(seat) => seat.url = url,
        None => seats.push(WitnessSeat { key, url }),
    }
    Ok(())
}

/// Two thirds and one more, so that as many may be away as may lie.
const fn usual_quorum(seats: usize) -> usize {
    seats.saturating_mul(2) / 3 + 1
}

/// Publishes the next charter, waits until the witnesses so far have decided it, and names it in
/// the rules of every currency.
fn change(
    common: &Common,
    place: &Place,
    charter: &Charter,
    mut seats: Vec<WitnessSeat>,
    quorum: Option<usize>,
) -> Result<()> {
    let quorum = quorum.unwrap_or_else(|| usual_quorum(seats.len()));
    if seats.is_empty() || quorum > seats.len() || quorum.saturating_mul(2) <= seats.len() {
        bail!(
            "of {} witnesses more than half must sign, and not more than all: --quorum {quorum} \
             is not possible",
            seats.len()
        );
    }
    own_address(place, &mut seats);
    let keys = common.community_keys()?;
    let next = |text: CharterText| CharterText { witnesses: seats, quorum, ..text };
    let decided = next_charter(place, charter, next, &keys)?;
    let adopted = adopt(place, &decided, &keys)?;
    told(common, &decided, &adopted)
}

/// Publishes the charter that follows one, and waits until the witnesses so far have decided it.
pub fn next_charter(
    place: &Place,
    charter: &Charter,
    change: impl FnOnce(CharterText) -> CharterText,
    keys: &Keys,
) -> Result<Charter> {
    let event = place.event(&charter.id)?;
    let ayni_witness::entry::Body::Charter(text) = Council::read(&event)?.body else {
        bail!("the node named an event that is no charter");
    };
    let previous = Some(Previous { community: charter.community, charter: charter.id });
    let next = CharterText { previous, ..change(*text) };
    let (event, _) = place.publish(ayni_witness::draft::charter(&next), keys)?;
    decided(place, &event.id, charter)
}

/// The node that founded the community has no address in its first charter; the others need one.
fn own_address(place: &Place, seats: &mut [WitnessSeat]) {
    let own = place.client.get::<Value>("/api/v1/node").ok();
    let own = own.as_ref().and_then(|node| node.get("pubkey")?.as_str()?.parse().ok());
    let found = seats.iter_mut().find(|seat| Some(seat.key) == own && seat.url.is_empty());
    if let (Some(seat), Ok(url)) = (found, peers::normal(place.client.address())) {
        seat.url = url;
    }
}

/// The charter, once it is in force.
fn decided(place: &Place, id: &EventId, before: &Charter) -> Result<Charter> {
    let path = format!("/api/v1/communities/{}", place.community.id);
    let in_force = patiently(PATIENCE, "the charter to come into force", || {
        let view: Value = place.client.get(&path)?;
        Ok((view.get("charter").and_then(Value::as_str) == Some(&id.to_string())).then_some(()))
    })?;
    in_force.with_context(|| {
        format!(
            "the charter {id} is published and waits: {} of {} witnesses have to decide it, and \
             stewards have to approve it where the charter says so. Once it is in force, run \
             `ayni witness adopt`.",
            before.quorum,
            before.witnesses.len()
        )
    })?;
    place.charter_event(id)
}

/// Publishes new rules for every currency whose rules name another charter; their addresses.
fn adopt(place: &Place, charter: &Charter, keys: &Keys) -> Result<Vec<Address>> {
    let mut adopted = Vec::new();
    for address in &place.community.currencies {
        let currency: Address = address.parse().context("the node's currency address")?;
        let of = place.at(currency.clone());
        let in_force = of.rules()?;
        if is_kept_by(&of, &in_force.rules, charter)? {
            continue;
        }
        let next = Rules { charter: charter.id, ..in_force.rules.clone() };
        follow(&of, &in_force, next, keys)?;
        adopted.push(currency);
    }
    Ok(adopted)
}

/// Whether rules name a charter with these witnesses, be it this one or one before.
fn is_kept_by(place: &Place, rules: &Rules, charter: &Charter) -> Result<bool> {
    if rules.charter == charter.id {
        return Ok(true);
    }
    let named = place.charter_event(&rules.charter)?;
    Ok(named.witnesses == charter.witnesses && named.quorum == charter.quorum)
}

fn told(common: &Common, charter: &Charter, adopted: &[Address]) -> Result<()> {
    let witnesses: Vec<PublicKey> = charter.witnesses.iter().map(|seat| seat.key).collect();
    if common.json {
        return show::json(&json!({
            "charter": charter.id, "witnesses": witnesses, "quorum": charter.quorum,
            "currencies": adopted.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }));
    }
    show::line(format!(
        "{} of {} witnesses sign from now on. Payments go on as soon as those so far have handed \
         over.",
        charter.quorum,
        witnesses.len()
    ))
}

fn list(common: &Common, place: &Place) -> Result<()> {
    let charter = place.charter()?;
    let mut behind = Vec::new();
    for address in &place.community.currencies {
        let of = place.at(address.parse().context("the node's currency address")?);
        if !is_kept_by(&of, &of.rules()?.rules, &charter)? {
            behind.push(address.clone());
        }
    }
    if common.json {
        let seat = |seat: &WitnessSeat| json!({"key": seat.key, "url": seat.url});
        return show::json(&json!({
            "charter": charter.id, "quorum": charter.quorum, "behind": behind,
            "witnesses": charter.witnesses.iter().map(seat).collect::<Vec<_>>(),
        }));
    }
    let row = |seat: &WitnessSeat| [keys::npub(&seat.key), seat.url.clone()];
    let rows: Vec<_> = charter.witnesses.iter().map(row).collect();
    show::table(["witness", "address"], &rows)?;
    show::line(format!("{} of {} must sign.", charter.quorum, charter.witnesses.len()))?;
    for address in behind {
        show::line(format!(
            "{address} is still kept by the witnesses before: run `ayni witness adopt`."
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_quorum_is_two_thirds_and_one_more() {
        let quorums: Vec<_> = (1..=7).map(usual_quorum).collect();
        assert_eq!(quorums, [1, 2, 3, 3, 4, 5, 5]);
    }

    #[test]
    fn a_seat_is_a_key_and_an_address() {
        let mut seats = Vec::new();
        let key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        seat(&mut seats, &format!("{key}=wss://Old.example/")).unwrap();
        seat(&mut seats, &format!("{key}=ws://new.example:7777")).unwrap();
        let urls: Vec<_> = seats.iter().map(|seat| seat.url.as_str()).collect();
        assert_eq!(urls, ["ws://new.example:7777"]);
        for wrong in ["", "npub1", key, &format!("{key}=new.example"), "x=ws://a"] {
            assert!(seat(&mut seats, wrong).is_err(), "{wrong}");
        }
    }
}
