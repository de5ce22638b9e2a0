//! `ayni raffle`: announce, buy, draw, claim.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use ayni_lets::{AccountType, Body, Ledger, Policy};
use ayni_protocol::{EventId, Keys, Part as _, PublicKey, hex};
use ayni_raffle::read::{Entry, RaffleEntry};
use ayni_raffle::spec::{Legal, Place as Standing, RaffleSpec};
use ayni_raffle::{Gates, YEAR_SECS};
use ayni_witness::Charter;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::begun::{Named, beginning, whole};
use super::governance::{read_table, times};
use super::ledger::priced;
use super::place::{Place, called};
use super::{Common, show};
use crate::config::Config;
use crate::{clock, day, drand, keys};

#[derive(Subcommand)]
pub enum Raffle {
    /// Announce a raffle
    #[command(after_help = "Example: ayni raffle announce roof.toml")]
    Announce {
        /// The raffle as TOML; see docs/take-part.md
        file: PathBuf,
    },
    /// Buy tickets: pays into the raffle's escrow account, then claims the ticket
    #[command(after_help = "Example: ayni raffle buy 5f2c… 3 --key ana.key")]
    Buy(Buy),
    /// Bring the beacon's round, fetched or typed in, so that the winner is known
    #[command(after_help = "Example: ayni raffle draw 5f2c… --signature b446…")]
    Draw(Draw),
    /// Claim a prize that you won
    Claim {
        /// The raffle's id, or the beginning of it
        raffle: String,
        /// Number of the prize
        prize: u32,
    },
    /// Call a raffle off before it closes; everyone is refunded
    Cancel {
        /// The raffle's id, or the beginning of it
        raffle: String,
    },
    /// List the raffles
    List,
    /// Show a raffle
    Show {
        /// The raffle's id, or the beginning of it
        raffle: String,
    },
}

#[derive(Args)]
pub struct Buy {
    /// The raffle's id, or the beginning of it
    raffle: String,
    /// How many [default: 1, or what the payment is for]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    quantity: Option<u32>,
    /// Pay nothing: claim with a payment made before that bought no ticket
    #[arg(long, value_name = "ID")]
    order: Option<String>,
}

#[derive(Args)]
pub struct Draw {
    /// The raffle's id, or the beginning of it
    raffle: String,
    /// The round's signature, 96 hex digits, where it cannot be fetched
    #[arg(long, value_name = "HEX")]
    signature: Option<String>,
}

impl Raffle {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        match self {
            Self::Announce { file } => announce(common, &place, &file),
            Self::Buy(buy) => buy.run(common, &place),
            Self::Draw(draw) => draw.run(common, &place),
            Self::Claim { raffle, prize } => {
                let id = named(&place, &raffle)?;
                let draft = ayni_raffle::draft::claim(place.community.id, id, prize, false);
                let (event, _) = place.publish(draft, &common.keys()?)?;
                said(common, event.id, "Claimed.")
            }
            Self::Cancel { raffle } => {
                let id = named(&place, &raffle)?;
                let draft = ayni_raffle::draft::cancel(place.community.id, id);
                let (event, _) = place.publish(draft, &common.community_keys()?)?;
                said(
                    common,
                    event.id,
                    "Called off. Everyone is refunded once the close is decided.",
                )
            }
            Self::List => list(common, &place),
            Self::Show { raffle } => {
                let raffle = view(&place, named(&place, &raffle)?)?;
                if common.json { show::json(&raffle) } else { told(&place, &raffle) }
            }
        }
    }
}

fn said(common: &Common, id: EventId, sentence: &str) -> Result<()> {
    if common.json { show::json(&serde_json::json!({"id": id})) } else { show::line(sentence) }
}

/// A raffle's id, as people write it.
fn named(place: &Place, text: &str) -> Result<EventId> {
    let raffles = Named { what: "raffle", list: "ayni raffle list" };
    raffles.id(text, || place.client.get("/api/v1/raffles"))
}

/// The raffles, the last to close first.
fn list(common: &Common, place: &Place) -> Result<()> {
    let raffles: Vec<Value> = place.client.get("/api/v1/raffles")?;
    if common.json {
        return show::json(&Value::Array(raffles));
    }
    if raffles.is_empty() {
        return show::line("No raffle was announced yet; `ayni raffle announce` does.");
    }
    let rows: Vec<[String; 6]> = raffles
        .iter()
        .map(|one| {
            let field = |name: &str| match one.get(name) {
                Some(Value::String(text)) => text.clone(),
                None | Some(Value::Null) => String::new(),
                Some(other) => other.to_string(),
            };
            let closes = one.get("closes").and_then(Value::as_u64).map(day::date);
            let (id, closes) = (beginning(&field("id")), closes.unwrap_or_default());
            [id, field("state"), closes, field("units"), field("price"), field("title")]
        })
        .collect();
    show::table(["id", "state", "closes", "tickets", "price", "title"], &rows)
}

fn view(place: &Place, raffle: EventId) -> Result<Value> {
    place.client.get(&format!("/api/v1/raffles/{raffle}"))
}

/// A raffle in words: how it stands, who won, and what was paid.
fn told(place: &Place, raffle: &Value) -> Result<()> {
    let members = place.members()?;
    let called = |key: &Value| Some(called(&members, &key.as_str()?.parse().ok()?));
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let of = |name: &str| text(raffle.get(name).unwrap_or(&Value::Null));
    show::line(format!("{} ({})", of("title"), of("state")))?;
    let (units, price, pot) = (of("units"), of("price"), of("pot"));
    match (price.is_empty(), pot.is_empty()) {
        (true, _) => show::line(format!("tickets: {units}"))?,
        (false, true) => show::line(format!("tickets: {units} at {price}"))?,
        (false, false) => show::line(format!("tickets: {units} at {price}, {pot} in the pot"))?,
    }
    let list = |name: &str| raffle.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let prize = |prize: &Value| {
        let won = called(&prize["winner"]).unwrap_or_else(|| "-".into());
        [text(&prize["number"]), text(&prize["text"]), won]
    };
    show::table(
        ["prize", "what", "won by"],
        &list("prizes").iter().map(prize).collect::<Vec<_>>(),
    )?;
    for payout in list("payouts").iter().chain(&list("refunds")) {
        let paid = if payout["paid"] == true { "paid to" } else { "due to" };
        let to = called(&payout["to"]).unwrap_or_default();
        show::line(format!(
            "{} {paid} {to}: {}",
            text(&payout["amount"]),
            text(&payout["reason"])
        ))?;
    }
    match of("void_reason") {
        reason if reason.is_empty() => Ok(()),
        reason => show::line(format!("Called off: {reason}.")),
    }
}

fn announce(common: &Common, place: &Place, file: &std::path::Path) -> Result<()> {
    let mut spec = read(place, file)?;
    let charter = place.charter()?;
    let organiser = common.community_keys()?;
    if spec.is_priced() {
        let currency = spec.currency.get_or_insert_with(|| place.currency.clone());
        let price = spec.price.to_string();
        place.at(currency.clone()).amount(&price).context("the price of a ticket")?;
    }
    // Its account is opened once nothing else stands in the way, for it cannot be taken back.
    let fresh = (spec.is_priced() && spec.escrow.is_none()).then(|| keys::generate().public());
    spec.escrow = spec.escrow.or(fresh);
    if spec.legal.is_none() {
        let country = place.community.country.clone();
        spec.legal = country.map(|country| Legal { country, permit: String::new() });
    }
    spec.check()?;
    may_announce(place, &charter, &spec, &organiser.public())?;
    let standing = standing(place, &charter, &spec, organiser.public())?;
    if let Some(account) = fresh {
        open_escrow(common, place, &charter, account)?;
    }
    let (event, _) = place.publish(ayni_raffle::draft::raffle(&spec, &standing), &organiser)?;
    if common.json {
        return show::json(&serde_json::json!({
            "id": event.id, "closes": spec.closes, "round": standing.round,
        }));
    }
    show::line(format!("Announced. Buy with: ayni raffle buy {} 1 --key FILE", event.id))
}

/// Reads the file; `title` and `[[prize]]` are shorter spellings of `titles` and `prizes`, and
/// `[[to]]` may say `who` by a short name.
fn read(place: &Place, file: &std::path::Path) -> Result<RaffleSpec> {
    let mut table = read_table(file)?;
    times(&mut table, clock::now())?;
    if let Some(title) = table.remove("title") {
        let mut named = toml::Table::new();
        named.insert("text".into(), title);
        table.insert("titles".into(), vec![named].into());
    }
    if let Some(toml::Value::Array(mut prizes)) = table.remove("prize") {
        for prize in prizes.iter_mut().filter_map(toml::Value::as_table_mut) {
            if let Some(share) = prize.remove("share") {
                prize.insert("share_bp".into(), share);
            }
        }
        table.insert("prizes".into(), prizes.into());
    }
    if let Some(toml::Value::Array(shares)) = table.get_mut("to") {
        for share in shares.iter_mut().filter_map(toml::Value::as_table_mut) {
            let Some(who) = share.remove("who") else { continue };
            let who = place.who(who.as_str().context("`who` in [[to]] must be text")?)?;
            share.insert("account".into(), who.to_string().into());
        }
    }
    table.try_into().with_context(|| format!("{} is no raffle", file.display()))
}

/// Fails where the node would refuse the raffle: by the law of its country, or for who takes part.
fn may_announce(
    place: &Place,
    charter: &Charter,
    spec: &RaffleSpec,
    organiser: &PublicKey,
) -> Result<()> {
    if *organiser != place.currency.author && place.account(organiser).is_err() {
        bail!("only members of the community announce raffles");
    }
    if let Some(currency) = spec.currency.as_ref().filter(|_| spec.is_priced()) {
        let there = place.at(currency.clone());
        for share in &spec.to {
            there.account(&share.account).context("whoever shares in the pot needs an account")?;
        }
    }
    let gates: Gates = place.client.get("/api/v1/raffles/gates")?;
    let raffles: Vec<Value> = place.client.get("/api/v1/raffles")?;
    let ours =
        raffles.iter().filter(|raffle| raffle["community"] == place.community.id.to_string());
    let closes = ours.filter_map(|raffle| raffle.get("closes")?.as_u64());
    let near = closes.filter(|closes| closes.abs_diff(spec.closes) < YEAR_SECS).count();
    let draws = u64::try_from(near)?;
    let refused = gates.admit(spec, charter.country.as_deref(), draws).err();
    refused.map_or(Ok(()), |refused| bail!("{}", refused.sentence))
}

/// An account of its own for the pot, whose orders the node signs once they are prescribed.
fn open_escrow(
    common: &Common,
    place: &Place,
    charter: &Charter,
    account: PublicKey,
) -> Result<()> {
    let community = keys::of_node(&common.data, "community").context(
        "a raffle with a price needs an escrow account: name one as `escrow` in the file, \
         or announce it in the node's own folder",
    )?;
    let mut policy = Policy::open(place.currency.clone(), account);
    policy.account_type = AccountType::Escrow;
    policy.code = format!("escrow-{}", hex::encode(account.0.get(..4).unwrap_or_default()));
    policy.signers = charter.witnesses.iter().map(|seat| seat.key).collect();
    place.publish(Body::from(policy).draft(&place.community.id), &community)?;
    Ok(())
}

/// Which round draws, and which of the organiser's raffles this one follows.
fn standing(
    place: &Place,
    charter: &Charter,
    spec: &RaffleSpec,
    organiser: PublicKey,
) -> Result<Standing> {
    let chain =
        charter.beacon.as_ref().context("the charter names no beacon, so nothing can be drawn")?;
    let raffles: Vec<Value> = place.client.get("/api/v1/raffles")?;
    let mine = raffles.iter().filter(|raffle| {
        raffle.get("organiser").and_then(Value::as_str) == Some(&organiser.to_string())
    });
    let last = mine.max_by_key(|raffle| raffle.get("seq").and_then(Value::as_u64));
    let last_seq = last.and_then(|raffle| raffle.get("seq")?.as_u64());
    let last_id = last.and_then(|raffle| raffle.get("id")?.as_str()?.parse().ok());
    Ok(Standing {
        community: place.community.id,
        charter: charter.id,
        round: chain.round_at_or_after(spec.last_receipt() + charter.timings.seal_window),
        seq: last_seq.map_or(0, |seq| seq + 1),
        previous: last_id,
    })
}

/// A raffle as it was signed.
fn announced(place: &Place, named: &str) -> Result<RaffleEntry> {
    match ayni_raffle::read::read(&place.event(&self::named(place, named)?)?)? {
        Entry::Raffle(announced) => Ok(*announced),
        _ => bail!("{named} is no raffle"),
    }
}

impl Buy {
    fn run(self, common: &Common, place: &Place) -> Result<()> {
        let buyer = common.keys()?;
        let raffle = announced(place, &self.raffle)?;
        let made =
            self.order.as_deref().map(|order| Made::of(place, order, &raffle)).transpose()?;
        let quantity = match (self.quantity, &made) {
            (Some(typed), _) => typed,
            (None, Some(made)) => made.quantity,
            (None, None) => 1,
        };
        // Asked before anything is paid: what is in escrow comes back only after the close.
        may_buy(place, &raffle, &buyer.public(), quantity)?;
        let order = match made {
            Some(made) => Some(made.order),
            None => paid(place, &raffle, quantity, &buyer)?,
        };
        let draft = ayni_raffle::draft::ticket(place.community.id, raffle.id, quantity, order);
        let ticket = place.publish(draft, &buyer);
        let (ticket, _) = ticket.map_err(|refused| match order {
            None => refused,
            Some(order) => unclaimed(&refused, &raffle.id, quantity, &order),
        })?;
        said(common, ticket.id, "Yours. The list is sealed after the close, before the draw.")
    }
}

/// A payment that was made for tickets.
struct Made {
    order: EventId,
    quantity: u32,
}

impl Made {
    /// What a payment is worth in tickets of a raffle.
    fn of(place: &Place, named: &str, raffle: &RaffleEntry) -> Result<Self> {
        let id = whole(named)?;
        let spec = &raffle.spec;
        let escrow = spec.escrow.filter(|_| spec.is_priced());
        let escrow = escrow.context("this raffle is free: leave out --order")?;
        let Body::Order(order) = Ledger::read(&place.event(&id)?)?.body else {
            bail!("{named} is no payment: see `ayni statement`");
        };
        let paid = order.legs.first().filter(|leg| leg.account == escrow);
        let paid = paid.with_context(|| format!("{named} did not pay into this raffle"))?;
        let quantity = spec.price.minor;
        let units = paid.minor.checked_div(quantity).filter(|_| paid.minor % quantity == 0);
        let units = units.and_then(|units| u32::try_from(units).ok());
        let quantity = units.with_context(|| format!("{named} is not the price of tickets"))?;
        Ok(Self { order: id, quantity })
    }
}

/// Asks whether somebody may buy so many, in the words of the node.
fn may_buy(place: &Place, raffle: &RaffleEntry, buyer: &PublicKey, quantity: u32) -> Result<()> {
    let path = format!("/api/v1/raffles/{}?by={buyer}&units={quantity}", raffle.id);
    let view: Value = place.client.get(&path)?;
    match view.get("refused").and_then(Value::as_str) {
        Some(refused) => bail!("{refused} Nothing was paid."),
        None => Ok(()),
    }
}

/// Pays the price into the raffle's escrow account; nothing where there is none.
fn paid(
    place: &Place,
    raffle: &RaffleEntry,
    quantity: u32,
    buyer: &Keys,
) -> Result<Option<EventId>> {
    let spec = &raffle.spec;
    let Some(escrow) = spec.escrow.filter(|_| spec.is_priced()) else { return Ok(None) };
    let cost = spec.cost(quantity).context("that many tickets cost too much to count")?;
    let order = priced(place, buyer.public(), escrow, cost, spec.price.scale)?;
    let cause = ayni_raffle::draft::purpose(raffle.organiser, raffle.id);
    let order = order.with(|it| it.purpose = Some(cause));
    let (paid, _) = place.publish(Body::from(order).draft(&place.community.id), buyer)?;
    Ok(Some(paid.id))
}

/// What is said where a payment was made and the ticket is refused all the same.
fn unclaimed(
    refused: &anyhow::Error,
    raffle: &EventId,
    quantity: u32,
    order: &EventId,
) -> anyhow::Error {
    anyhow::anyhow!(
        "{refused:#}\nThe payment {order} is made and has no ticket. Once what is said above is \
         mended: ayni raffle buy {raffle} {quantity} --order {order}. Nobody gives it back by \
         itself; if it cannot be mended, a steward takes it back: ayni charge reversal --order \
         {order}"
    )
}

impl Draw {
    fn run(self, common: &Common, place: &Place) -> Result<()> {
        let announced = announced(place, &self.raffle)?;
        let id = announced.id;
        let charter = place.charter_event(&announced.place.charter)?;
        let chain = charter.beacon.context("the charter names no beacon")?;
        let number = announced.place.round;
        let round = match &self.signature {
            Some(text) => {
                let signature: [u8; 48] =
                    hex::decode(text).context("a signature has 96 lowercase hex digits")?;
                chain.verify(number, &signature).with_context(|| {
                    format!("this is not the beacon's signature of round {number}")
                })?
            }
            None => {
                let config = Config::load(common.config.as_deref())?;
                drand::fetch(&config.beacon.sources, &chain, number)?
            }
        };
        let bearer = common.community_keys().unwrap_or_else(|_| keys::generate());
        place.publish(ayni_witness::draft::beacon(&round), &bearer)?;
        if common.json {
            show::json(&view(place, id)?)
        } else {
            show::line("The round is known; the draw follows from it.")
        }
    }
}
