//! `ayni listing`, `match` and `metrics`: what members offer and want, and how trade is balanced.

use anyhow::{Context as _, Result, bail};
use ayni_market::listing::{INACTIVE, Listing, Price, Side};
use ayni_protocol::{Amount, Draft, Event, Filter, PublicKey, Scale, kind};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::client::encoded;
use super::ledger::spelt;
use super::place::Place;
use super::{Common, show};
use crate::clock;

const DAY_SECS: u64 = 86_400;

#[derive(Subcommand)]
pub enum Listings {
    /// List something that you offer or want
    #[command(
        after_help = "Example: ayni listing add \"Bread every Friday\" --price 2.00 --category food --key ana.key\n         \
                      ayni listing add \"Help digging\" --type want --price 4.00 --days 14 --key ana.key"
    )]
    Add(Box<Add>),
    /// Let a listing stand longer, or again
    #[command(after_help = "Example: ayni listing renew bread-every-friday --key ana.key")]
    Renew {
        /// Its name, as `ayni listing list --mine` shows it
        name: String,
        /// Days from now for which it stands
        #[arg(long, default_value_t = 90)]
        days: u64,
    },
    /// Show what is listed
    #[command(after_help = "Example: ayni listing list --type offer --q bread --near pisac")]
    List(List),
    /// Take a listing of yours away
    Remove {
        /// Its name, as `ayni listing list --mine` shows it
        name: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Type {
    /// You have it
    Offer,
    /// You look for it
    Want,
}

#[derive(Args)]
pub struct Add {
    /// What it is, in a few words
    title: String,
    /// Whether you offer or want it
    #[arg(long = "type", value_enum, default_value = "offer")]
    side: Type,
    /// What it costs, or what you would pay, in the community's currency
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    price: Option<String>,
    /// For what the price is: hour, day, kilo…
    #[arg(long, default_value = "")]
    per: String,
    /// More about it
    #[arg(long, default_value = "")]
    text: String,
    /// A category; may be given several times
    #[arg(long = "category")]
    categories: Vec<String>,
    /// Where, in words
    #[arg(long, default_value = "")]
    location: String,
    /// Where, as a geohash; five letters are about five kilometres
    #[arg(long = "geohash")]
    places: Vec<String>,
    /// The address of a picture
    #[arg(long = "picture", value_name = "URL")]
    pictures: Vec<String>,
    /// Days for which it stands; 0 for ever
    #[arg(long, default_value_t = 90)]
    days: u64,
    /// Its name among your listings [default: made of the title]
    #[arg(long)]
    name: Option<String>,
}

#[derive(Args)]
pub struct List {
    /// Only offers, or only wants
    #[arg(long = "type", value_enum)]
    side: Option<Type>,
    /// Words that must all be there
    #[arg(long)]
    q: Option<String>,
    /// A category
    #[arg(long)]
    category: Option<String>,
    /// A geohash, or the name of a place
    #[arg(long)]
    near: Option<String>,
    /// Whose
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Your own, also those that lapsed
    #[arg(long)]
    mine: bool,
}

#[derive(Args)]
pub struct Match {
    /// For whom [default: the key's own account; everybody where there is no key]
    who: Option<String>,
}

#[derive(Args)]
pub struct Metrics {
    /// Days to look back
    #[arg(long, default_value_t = 365)]
    days: u64,
}

impl Listings {
    pub fn run(self, common: &Common) -> Result<()> {
        match self {
            Self::Add(add) => add.run(common),
            Self::Renew { name, days } => renew(common, &name, days),
            Self::List(list) => list.run(common),
            Self::Remove { name } => remove(common, &name),
        }
    }
}

impl From<Type> for Side {
    fn from(side: Type) -> Self {
        match side {
            Type::Offer => Self::Offer,
            Type::Want => Self::Want,
        }
    }
}

impl Add {
    fn run(self, common: &Common) -> Result<()> {
        let keys = common.keys()?;
        let place = Place::of(common)?;
        let name = self.name.clone().unwrap_or_else(|| slug(&self.title));
        if name.is_empty() || self.title.trim().is_empty() {
            bail!("a listing needs a title with letters in it, or a --name");
        }
        if own(&place, &keys.public())?.iter().any(|listing| listing.name == name) {
            bail!(
                "you have a listing called {name}; `ayni listing renew {name}` lets it stand \
                 longer, --name gives this one another name"
            );
        }
        let now = clock::now();
        let mut listing = Listing::new(keys.public(), self.side.into(), &name, &self.title);
        listing.price =
            self.price.as_deref().map(|text| price(&place, text, &self.per)).transpose()?;
        listing.currency = Some(place.currency.clone());
        listing.community = Some(place.community.id);
        listing.categories = self.categories.iter().map(|word| word.to_lowercase()).collect();
        listing.location = self.location;
        listing.places = self.places.iter().map(|hash| geohash(hash)).collect::<Result<_>>()?;
        listing.pictures = self.pictures;
        listing.text = self.text;
        listing.published_at = Some(now);
        listing.expires_at = (self.days > 0).then(|| until(now, self.days));
        let (event, _) = place.publish(listing.draft(), &keys)?;
        done(common, &event, &name, || match on_the_shelf(&place, &event) {
            Some(true) => format!("“{}” is listed as {name}.", self.title),
            Some(false) => format!(
                "“{}” is stored as {name}, but the community's list does not show it: this key \
                 signs for no account here; ask a steward to open one, and it will.",
                self.title
            ),
            None => format!("“{}” is stored as {name}.", self.title),
        })
    }
}

fn until(now: u64, days: u64) -> u64 {
    now.saturating_add(days.saturating_mul(DAY_SECS))
}

/// Whether the community's list shows a stored listing; `None` where the list could not be read,
/// which is no reason to tell its author that storing it failed.
fn on_the_shelf(place: &Place, event: &Event) -> Option<bool> {
    let shelf: Vec<Value> = place.client.get("/api/v1/listings?all=true").ok()?;
    let id = event.id.to_string();
    Some(shelf.iter().any(|listing| listing["id"] == id.as_str()))
}

/// Tells what was done with a listing. The sentence is made only where it is shown.
fn done(
    common: &Common,
    event: &Event,
    name: &str,
    sentence: impl FnOnce() -> String,
) -> Result<()> {
    if common.json {
        return show::json(&serde_json::json!({"id": event.id, "name": name}));
    }
    show::line(sentence())
}

/// A price as the currency writes it.
fn price(place: &Place, text: &str, per: &str) -> Result<Price> {
    let shown: Value = place.client.get(&place.currency_path(""))?;
    let scale = shown.get("scale").and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
    let scale = scale.and_then(Scale::new).context("the node's currency has no scale")?;
    let amount =
        spelt(text, scale).filter(|amount| Amount::parse(amount).is_ok_and(|a| a.minor > 0));
    let amount = amount.with_context(|| {
        format!(
            "{text} is no price: write it with digits and at most {} decimals, such as {}",
            scale.decimals(),
            scale.format(scale.unit().into())
        )
    })?;
    let unit = shown.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
    // A client that knows nothing of us wants some code beside the number.
    let unit = if unit.is_empty() { place.currency.identifier.to_string() } else { unit };
    Ok(Price { amount, unit, per: per.to_owned() })
}

fn geohash(text: &str) -> Result<String> {
    let hash = text.to_lowercase();
    let known = |c: char| c.is_ascii_alphanumeric() && !"ailo".contains(c);
    if hash.is_empty() || hash.len() > 12 || !hash.chars().all(known) {
        bail!("{text} is no geohash: it has 1 to 12 letters and digits, without a, i, l and o");
    }
    Ok(hash)
}

/// A name made of a title: its words without case and marks, joined.
fn slug(title: &str) -> String {
    let words: Vec<String> = ayni_protocol::search::words(title).collect();
    let name = words.join("-");
    name.chars().take(48).collect::<String>().trim_end_matches('-').to_owned()
}

/// The listings that a key signed, lapsed ones too.
fn own(place: &Place, key: &PublicKey) -> Result<Vec<Listing>> {
    let filter = Filter {
        authors: Some([*key].into()),
        kinds: Some([kind::LISTING, INACTIVE].into()),
        ..Filter::default()
    };
    let events = place.events(&filter)?;
    Ok(events.iter().filter_map(|event| Listing::read(event)).collect())
}

/// A listing of the key's own, by its name.
fn named(place: &Place, key: &PublicKey, name: &str) -> Result<Listing> {
    let own = own(place, key)?;
    let found = own.iter().find(|listing| listing.name == name);
    found.cloned().with_context(|| {
        format!("you have no listing called {name}; see `ayni listing list --mine`")
    })
}

fn renew(common: &Common, name: &str, days: u64) -> Result<()> {
    let keys = common.keys()?;
    let place = Place::of(common)?;
    let mut listing = named(&place, &keys.public(), name)?;
    if days == 0 {
        bail!("--days must be at least 1");
    }
    let now = clock::now().max(listing.at.saturating_add(1));
    listing.status = ayni_market::Status::Active;
    listing.expires_at = Some(until(now, days));
    let event = listing.draft().sign(&keys, now, clock::entropy());
    place.client.publish_one(&event)?;
    done(common, &event, name, || format!("“{}” stands for {days} more days.", listing.title))
}

fn remove(common: &Common, name: &str) -> Result<()> {
    let keys = common.keys()?;
    let place = Place::of(common)?;
    let listing = named(&place, &keys.public(), name)?;
    let address = listing.address().to_string();
    let draft = Draft::new(kind::DELETION).tag(["a", &address]).tag(["k", "30402"]);
    let at = clock::now().max(listing.at);
    let event = draft.sign(&keys, at, clock::entropy());
    place.client.publish_one(&event)?;
    done(common, &event, name, || format!("“{}” is listed no more.", listing.title))
}

impl List {
    fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let by = match (&self.by, self.mine) {
            (Some(name), _) => Some(place.who(name)?),
            (None, true) => Some(common.keys()?.public()),
            (None, false) => None,
        };
        let side = self.side.map(|side| Side::from(side).as_str().to_owned());
        let asked = [
            ("type", side),
            ("q", self.q),
            ("category", self.category),
            ("near", self.near),
            ("by", by.map(|key| key.to_string())),
            ("all", self.mine.then(|| "true".to_owned())),
        ];
        let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let asked: Vec<String> =
            asked.map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
        let view: Value = place.client.get(&format!("/api/v1/listings?{}", asked.join("&")))?;
        if common.json {
            return show::json(&view);
        }
        let rows: Vec<_> = view.as_array().into_iter().flatten().map(row).collect();
        if rows.is_empty() {
            return show::line("Nothing is listed that answers this.");
        }
        show::table(["type", "title", "price", "by", "where", "status", "name"], &rows)
    }
}

fn row(listing: &Value) -> [String; 7] {
    let text =
        |path: &str| listing.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    let per = match text("/price/per") {
        per if per.is_empty() => per,
        per => format!(" / {per}"),
    };
    [
        text("/type"),
        text("/title"),
        format!("{}{per}", text("/price/amount")),
        text("/trader/name"),
        text("/location"),
        text("/status"),
        text("/name"),
    ]
}

impl Match {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let member = match &self.who {
            Some(name) => Some(place.who(name)?),
            None if common.key.is_some() => Some(common.keys()?.public()),
            None => None,
        };
        let of = member.map(|key| format!("?for={key}")).unwrap_or_default();
        let view: Value = place.client.get(&format!("/api/v1/matches{of}"))?;
        if common.json {
            return show::json(&view);
        }
        let sentences = |list: &str| -> Vec<String> {
            let all = view.get(list).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(|told| Some(told.get("sentence")?.as_str()?.to_owned())).collect()
        };
        let (rings, fits) = (sentences("rings"), sentences("fits"));
        if rings.is_empty() && fits.is_empty() {
            return show::line(
                "No offer suits a want yet. List what you offer and want: `ayni listing add`.",
            );
        }
        for (heading, found) in [("Rings of trades", rings), ("Trades", fits)] {
            if !found.is_empty() {
                show::line(format!("{heading}:"))?;
            }
            found.iter().try_for_each(|sentence| show::line(format!("- {sentence}")))?;
        }
        Ok(())
    }
}

impl Metrics {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let address = encoded(&place.currency.to_string());
        let view: Value =
            place.client.get(&format!("/api/v1/metrics/{address}?days={}", self.days))?;
        if common.json {
            return show::json(&view);
        }
        let figures = view.get("community").and_then(Value::as_object);
        let rows: Vec<[String; 2]> = figures
            .into_iter()
            .flatten()
            .map(|(name, value)| [name.clone(), plain(value)])
            .collect();
        show::table(["figure", "value"], &rows)?;
        show::line("")?;
        let members = view.get("members").and_then(Value::as_array).into_iter().flatten();
        let field = |member: &Value, name: &str| member.get(name).map(plain).unwrap_or_default();
        let rows: Vec<[String; 5]> = members
            .map(|member| {
                let score =
                    if member.get("ayni").is_some_and(Value::is_number) { "ayni" } else { "" };
                let score = if score.is_empty() { "new".to_owned() } else { field(member, score) };
                let of = |name| field(member, name);
                [of("name"), score, of("earned"), of("spent"), of("partners")]
            })
            .collect();
        show::table(["member", "ayni", "earned", "spent", "partners"], &rows)
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_the_title() {
        assert_eq!(slug("Pan de maíz, ¡cada viernes!"), "pan-de-maiz-cada-viernes");
        assert_eq!(slug("…"), "");
        assert!(slug(&"word ".repeat(40)).len() <= 48);
    }

    #[test]
    fn a_geohash_has_its_own_letters() {
        assert_eq!(geohash("6MC5F").unwrap(), "6mc5f");
        for wrong in ["", "pisac la", "oil", "6mc5f6mc5f6mc"] {
            assert!(geohash(wrong).unwrap_err().to_string().contains("is no geohash"), "{wrong}");
        }
    }
}
