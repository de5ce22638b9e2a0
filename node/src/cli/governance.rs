//! `ayni propose`, `vote` and `tally`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ayni_governance::mark::{Choice, Spoiled, cost, mark};
use ayni_governance::proposal::{Proposal, ProposalSpec};
use ayni_governance::rules::{Method, Privacy, Rules, VOTES_MAX};
use ayni_protocol::{EventId, Filter, Keys, Part as _, PublicKey, Timestamp, kind};
use ayni_witness::entry::Body as Entry;
use ayni_witness::{Council, RosterRow};
use clap::Args;
use serde_json::Value;

use super::begun::{Named, beginning};
use super::client::Client;
use super::patience::patiently;
use super::place::{Place, called, tagged};
use super::{Common, show};
use crate::{clock, day, keys};

/// How long the witnesses are waited for.
const PATIENCE: Duration = Duration::from_secs(45);

/// Vote credits of everyone on a roster, merit aside.
const CREDITS_BASE: u32 = 100;
/// The most that merit adds.
const CREDITS_MERIT_MAX: i64 = 100;

#[derive(Args)]
pub struct Propose {
    /// The question as TOML; see docs/take-part.md
    file: PathBuf,
}

#[derive(Args)]
pub struct Vote {
    /// The proposal's id, or the beginning of it
    proposal: String,
    /// Votes by option, as in well=7 roof=-7; each costs its square
    #[arg(required_unless_present = "abstain", value_name = "OPTION=VOTES")]
    votes: Vec<String>,
    /// Be counted as present, for nothing and against nothing
    #[arg(long, conflicts_with = "votes")]
    abstain: bool,
}

#[derive(Args)]
pub struct Tally {
    /// The proposal's id, or the beginning of it [default: all are listed]
    proposal: Option<String>,
}

impl Propose {
    pub fn run(self, common: &Common) -> Result<()> {
        let mut table = read_table(&self.file)?;
        // It is signed as of the second in which it says to open, however long the roster takes.
        let began = clock::now();
        times(&mut table, began)?;
        let spec: ProposalSpec =
            table.try_into().with_context(|| format!("{} is no question", self.file.display()))?;
        if spec.privacy == Privacy::Tlock {
            bail!("sealed ballots (privacy = \"tlock\") are not offered yet; leave that line out");
        }
        let place = Place::of(common)?;
        let charter = place.charter()?;
        let spec = spec.under(&charter);
        spec.check()?;
        let author = common.community_keys()?;
        let roster = roster(common, &place)?;
        let community = place.community.id;
        let draft = ayni_governance::draft::proposal(community, charter.id, roster, &spec);
        let event = draft.sign(&author, began, clock::entropy());
        place.client.publish_one(&event)?;
        if common.json {
            return show::json(&serde_json::json!({"id": event.id, "closes": spec.closes}));
        }
        show::lines(format!("Proposed: {}\nVote with: ayni vote {} …", spec.title, event.id))
    }
}

/// A TOML file as a table.
pub fn read_table(file: &Path) -> Result<toml::Table> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", file.display()))
}

/// Lets people write `closes_in_secs` and leave out `opens`.
pub fn times(table: &mut toml::Table, now: Timestamp) -> Result<()> {
    for name in ["opens", "closes"] {
        let Some(delay) = table.remove(&format!("{name}_in_secs")) else { continue };
        let secs = delay.as_integer().and_then(|secs| u64::try_from(secs).ok());
        let secs = secs.with_context(|| format!("{name}_in_secs must be a number of seconds"))?;
        table.insert(name.into(), time(now.saturating_add(secs))?);
    }
    if !table.contains_key("opens") {
        table.insert("opens".into(), time(now)?);
    }
    if !table.contains_key("closes") {
        bail!("say when it closes: closes = UNIX SECONDS, or closes_in_secs = 604800 for a week");
    }
    Ok(())
}

fn time(at: Timestamp) -> Result<toml::Value> {
    Ok(toml::Value::Integer(i64::try_from(at)?))
}

/// The roster to vote by: the newest decided one if it lists just today's members, else a new one
/// where this folder has the community's key.
fn roster(common: &Common, place: &Place) -> Result<EventId> {
    let community: Value =
        place.client.get(&format!("/api/v1/communities/{}", place.community.id))?;
    let known = community.get("roster").cloned().unwrap_or(Value::Null);
    let known_id = known.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let rows = rows(place, &community)?;
    let listed: BTreeSet<PublicKey> = known
        .get("keys")
        .and_then(Value::as_array)
        .map(|keys| keys.iter().filter_map(|key| key.as_str()?.parse().ok()).collect())
        .unwrap_or_default();
    let current = listed == rows.keys().copied().collect();
    match (known_id, keys::of_node(&common.data, "community")) {
        (Some(id), _) if current => Ok(id),
        (_, Ok(key)) => publish_roster(place, &rows, &key),
        (Some(id), Err(_)) => Ok(id),
        (None, Err(error)) => {
            Err(error.context("there is no roster yet, and only the community's key can make one"))
        }
    }
}

/// Everyone with an active member's account: base credits, and what merit adds up to the cap.
fn rows(place: &Place, community: &Value) -> Result<BTreeMap<PublicKey, RosterRow>> {
    let merits = community.get("merits").cloned().unwrap_or(Value::Null);
    let members = place.members()?;
    let voters = members
        .into_iter()
        .filter(|member| member.account_type == "member" && member.status == "active");
    Ok(voters
        .map(|member| {
            let merit = merits.get(member.account.to_string()).and_then(Value::as_i64).unwrap_or(0);
            let bonus = u32::try_from(merit.clamp(0, CREDITS_MERIT_MAX)).unwrap_or(0);
            let row = RosterRow { credits: CREDITS_BASE + bonus, flags: BTreeSet::new() };
            (member.account, row)
        })
        .collect())
}

/// Waits until the witnesses have decided a roster.
fn decided(place: &Place, roster: &EventId) -> Result<()> {
    let path = format!("/api/v1/communities/{}", place.community.id);
    let in_force = patiently(PATIENCE, "the witnesses to decide the roster", || {
        let community: Value = place.client.get(&path)?;
        let known = community.get("roster").and_then(|known| known.get("id")?.as_str());
        Ok((known == Some(&roster.to_string())).then_some(()))
    })?;
    in_force.with_context(|| format!(
        "the witnesses have not decided the new roster {roster}: see `ayni witness list` for who \
         they are, and propose again once enough of them are there"
    ))
}

fn publish_roster(
    place: &Place,
    rows: &BTreeMap<PublicKey, RosterRow>,
    key: &Keys,
) -> Result<EventId> {
    if rows.is_empty() {
        bail!("nobody could vote: open accounts first, with `ayni member add`");
    }
    let mut first = None;
    for part in ayni_witness::roster::parts(place.community.id, rows) {
        let (event, _) = place.publish(ayni_witness::draft::roster(&part), key)?;
        first.get_or_insert(event.id);
    }
    let first = first.context("a roster has at least one part")?;
    decided(place, &first)?;
    Ok(first)
}

impl Vote {
    pub fn run(self, common: &Common) -> Result<()> {
        let keys = common.keys()?;
        let place = Place::of(common)?;
        let proposal = proposal(&place.client, &self.proposal)?;
        let choice =
            if self.abstain { Choice::Abstain } else { Choice::Votes(votes(&self.votes)?) };
        let event = place.event(&proposal)?;
        let asked = Proposal::read(&event)?;
        // Who is not on the roster hears that from the node.
        if let Some(credits) = credits(&place, &asked.roster, &keys.public())? {
            countable(&asked.spec.rules(), &choice, credits)?;
        }
        let draft = ayni_governance::draft::ballot(place.community.id, proposal, &choice, "");
        let (event, _) = place.publish(draft, &keys)?;
        if common.json {
            return show::json(&serde_json::json!({"id": event.id}));
        }
        show::line("Your ballot is in. Until the close you may vote again; the last one counts.")
    }
}

/// How many credits a roster gives somebody; nothing where they are not on it.
fn credits(place: &Place, roster: &EventId, voter: &PublicKey) -> Result<Option<u32>> {
    let first = place.event(roster)?;
    let Entry::Roster(begun) = Council::read(&first)?.body else {
        bail!("the node named an event that is no roster");
    };
    // One root has one list of rows, in as many parts as it takes.
    let authors = Some([first.pubkey].into());
    let parts =
        place.events(&Filter { authors, ..tagged(kind::ROSTER, b'h', &begun.community) })?;
    let rows = parts.iter().find_map(|part| match Council::read(part).ok()?.body {
        Entry::Roster(part) if part.root == begun.root => part.rows.get(voter).cloned(),
        _ => None,
    });
    Ok(rows.map(|row| row.credits))
}

/// Fails, before anything is signed, where a ballot would be put into the box and count for nothing.
fn countable(rules: &Rules, choice: &Choice, credits: u32) -> Result<()> {
    let Err(spoiled) = mark(rules, choice, credits) else { return Ok(()) };
    let votes = match choice {
        Choice::Votes(votes) => votes.as_slice(),
        _ => &[],
    };
    let options: Vec<_> = rules.options.iter().map(|option| option.id.as_str()).collect();
    let options = options.join(", ");
    let why = match (spoiled, rules.method) {
        (Spoiled::UnknownOption, _) => {
            let unknown = votes.iter().find(|(option, _)| rules.place(option).is_none());
            let unknown = unknown.map_or("", |(option, _)| option);
            format!("there is no option {unknown}; there are {options}")
        }
        (Spoiled::OutOfBounds, Method::Quadratic | Method::Budget) => {
            let (least, most) = (rules.min.max(-VOTES_MAX), rules.max.min(VOTES_MAX));
            format!("one option takes from {least} to {most} votes")
        }
        (Spoiled::OutOfBounds, Method::Ranked) => {
            format!("write ranks from 1, the best, to {}", rules.options.len())
        }
        (Spoiled::OutOfBounds, _) => "write OPTION=1 for what you choose".to_owned(),
        (Spoiled::Overspent, _) => {
            let marks: Vec<_> = votes.iter().map(|(_, votes)| *votes).collect();
            let cost = cost(&marks);
            format!(
                "it costs {cost} of your {credits} credits: each option costs its votes squared"
            )
        }
        (Spoiled::NotOneChoice, _) => {
            format!("choose exactly one option, as in {}=1, of {options}", first_of(rules))
        }
        (other, _) => other.to_string(),
    };
    bail!("this ballot would not count: {why}. Nothing was sent")
}

fn first_of(rules: &Rules) -> &str {
    rules.options.first().map_or("", |option| option.id.as_str())
}

/// A proposal's id, as people write it.
fn proposal(client: &Client, text: &str) -> Result<EventId> {
    let proposals = Named { what: "proposal", list: "ayni tally" };
    proposals.id(text, || client.get("/api/v1/proposals"))
}

fn votes(arguments: &[String]) -> Result<Vec<(String, i32)>> {
    let mut votes: Vec<(String, i32)> = Vec::new();
    for argument in arguments {
        let (option, count) = argument
            .split_once('=')
            .with_context(|| format!("{argument}: write votes as OPTION=VOTES, as in well=7"))?;
        let count =
            count.parse().with_context(|| format!("{argument}: {count} is no whole number"))?;
        if votes.iter().any(|(named, _)| named == option) {
            bail!("{option} is named twice");
        }
        votes.push((option.to_owned(), count));
    }
    Ok(votes)
}

impl Tally {
    pub fn run(self, common: &Common) -> Result<()> {
        let client = common.client()?;
        let Some(named) = &self.proposal else { return list(common, &client) };
        let view: Value =
            client.get(&format!("/api/v1/proposals/{}", proposal(&client, named)?))?;
        if common.json {
            return show::json(&view);
        }
        let text = |name: &str| view.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let number = |name: &str| view.get(name).and_then(Value::as_u64).unwrap_or(0);
        show::line(format!("{} ({})", text("title"), text("state")))?;
        let options = view.get("options").and_then(Value::as_array).cloned().unwrap_or_default();
        let rows: Vec<_> = options
            .iter()
            .map(|option| {
                let field = |name: &str| option.get(name).map_or(String::new(), plain);
                [field("id"), field("label"), field("score")]
            })
            .collect();
        show::table(["option", "label", "score"], &rows)?;
        show::line(format!("{} of {} voted", number("turnout"), number("eligible")))?;
        let members = Place::of(common).and_then(|place| place.members()).unwrap_or_default();
        for spoiled in view.get("spoiled").and_then(Value::as_array).into_iter().flatten() {
            let field = |name: &str| spoiled.get(name).map_or(String::new(), plain);
            let voter = field("voter");
            let voter = voter.parse().map_or(voter, |key| called(&members, &key));
            let (ballot, reason) = (field("ballot"), field("reason"));
            show::line(format!("spoiled: the ballot of {voter}: {reason} ({ballot})"))?;
        }
        Ok(())
    }
}

/// What is and was put to the vote, newest first.
fn list(common: &Common, client: &Client) -> Result<()> {
    let proposals: Vec<Value> = client.get("/api/v1/proposals")?;
    if common.json {
        return show::json(&Value::Array(proposals));
    }
    if proposals.is_empty() {
        return show::line("Nothing was put to the vote yet; `ayni propose` does.");
    }
    let rows: Vec<[String; 5]> = proposals
        .iter()
        .map(|one| {
            let field = |name: &str| one.get(name).map_or(String::new(), plain);
            let closes = one.get("closes").and_then(Value::as_u64).map(day::date);
            let voted = format!("{} of {}", field("turnout"), field("eligible"));
            let id = beginning(&field("id"));
            [id, field("state"), closes.unwrap_or_default(), voted, field("title")]
        })
        .collect();
    show::table(["id", "state", "closes", "voted", "title"], &rows)
}

/// A value without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use ayni_governance::rules::{DelegationRule, ProposalOption, Tie};

    use super::*;

    fn rules(method: Method) -> Rules {
        let option = |id: &str| ProposalOption { id: id.into(), label: id.into(), cost: None };
        Rules {
            method,
            options: vec![option("well"), option("roof")],
            min: -10,
            max: 10,
            budget: 0,
            quorum: 0,
            pass: None,
            tie: Tie::StatusQuo,
            delegation: DelegationRule::None,
        }
    }

    #[test]
    fn a_ballot_that_cannot_count_is_not_sent() {
        use Method::{Approval, Quadratic, Ranked, Single};
        for (method, words, says) in [
            (Quadratic, &["well=11"][..], "from -10 to 10 votes"),
            (Quadratic, &["wel=1"], "no option wel; there are well, roof"),
            (Quadratic, &["well=10", "roof=-1"], "costs 101 of your 100 credits"),
            (Single, &["well=1", "roof=1"], "exactly one option, as in well=1"),
            (Single, &["well=2"], "write OPTION=1"),
            (Approval, &["well=-1"], "write OPTION=1"),
            (Ranked, &["well=3"], "from 1, the best, to 2"),
        ] {
            let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
            let choice = Choice::Votes(votes(&words).unwrap());
            let said = countable(&rules(method), &choice, 100).unwrap_err().to_string();
            assert!(said.contains(says), "{words:?} said: {said}");
        }
        let choice = Choice::Votes(votes(&["well=10".into()]).unwrap());
        assert!(countable(&rules(Quadratic), &choice, 100).is_ok());
        assert!(countable(&rules(Single), &Choice::Abstain, 0).is_ok());
    }
}
