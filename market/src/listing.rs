//! A listing (NIP-99, kinds 30402 and 30403): something a member offers or wants.
//!
//! An offer names a `price`, a want a `budget`, so that a shop which knows nothing of us shows no want
//! as merchandise. Which of the two it is says the label `l` in the namespace `lets.type` (NIP-32);
//! a listing without one is an offer, as every other client's are. Two times end it: at
//! `expires_at` it lapses and is shown no more, and half a year later relays may drop it
//! (`expiration`, NIP-40); until then its author renews it with one command.

use std::collections::BTreeSet;

use ayni_protocol::search::words;
use ayni_protocol::{
    Address, Amount, Draft, Event, EventId, Kind, PublicKey, Scale, Tag, Timestamp, kind,
};

/// A listing that is no longer or not yet shown (NIP-99).
pub const INACTIVE: Kind = Kind(30_403);
/// Seconds after it lapsed for which a listing can still be renewed.
pub const RENEWABLE_SECS: u64 = 180 * 86_400;
/// The namespace of the label that tells offers from wants.
const NAMESPACE: &str = "lets.type";
/// Characters of a title, and of everything else that is one line.
const LINE_MAX: usize = 200;
/// Categories, pictures and geohashes of one listing that are looked at.
const LIST_MAX: usize = 16;
/// Words of one listing that are looked at.
const WORDS_MAX: usize = 64;

/// What a listing says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Its event.
    pub id: EventId,
    /// Whose it is: whoever reads it may put the account here that its signer signs for.
    pub by: PublicKey,
    /// Who signed it.
    pub signer: PublicKey,
    /// When this version was signed.
    pub at: Timestamp,
    /// Its `d` tag: its name among its author's listings.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// In a sentence.
    pub summary: String,
    /// In full.
    pub text: String,
    /// Whether it is offered or wanted.
    pub side: Side,
    /// Whether it is to be had.
    pub status: Status,
    /// What it costs, or what its author would pay.
    pub price: Option<Price>,
    /// The community currency that the price is in.
    pub currency: Option<Address>,
    /// The community it is for.
    pub community: Option<EventId>,
    /// Its categories, `t` tags.
    pub categories: BTreeSet<String>,
    /// Where, in words.
    pub location: String,
    /// Where, as geohashes.
    pub places: BTreeSet<String>,
    /// Addresses of pictures.
    pub pictures: Vec<String>,
    /// When it first stood.
    pub published_at: Option<Timestamp>,
    /// When it lapses.
    pub expires_at: Option<Timestamp>,
}

/// Whether something is offered or wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// It is to be had.
    Offer,
    /// Somebody looks for it.
    Want,
}

/// Whether a listing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It stands, until it lapses.
    Active,
    /// It is gone, or found.
    Sold,
    /// It is put aside (kind 30403).
    Inactive,
}

/// What something costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The number, as its author wrote it.
    pub amount: String,
    /// The code of its currency.
    pub unit: String,
    /// For what: `hour`, `month`, or nothing.
    pub per: String,
}

impl Side {
    /// The word in events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Want => "want",
        }
    }

    /// The tag that names the amount.
    const fn price_tag(self) -> &'static str {
        match self {
            Self::Offer => "price",
            Self::Want => "budget",
        }
    }
}

impl std::str::FromStr for Side {
    type Err = &'static str;
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "offer" => Ok(Self::Offer),
            "want" => Ok(Self::Want),
            _ => Err("the type of a listing is offer or want"),
        }
    }
}

impl Status {
    /// The word that people read.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Sold => "sold",
            Self::Inactive => "inactive",
        }
    }
}

impl Listing {
    /// A listing that says nothing but this.
    #[must_use]
    pub fn new(by: PublicKey, side: Side, name: &str, title: &str) -> Self {
        Self {
            id: EventId([0; 32]),
            by,
            signer: by,
            at: 0,
            name: name.to_owned(),
            title: title.to_owned(),
            summary: String::new(),
            text: String::new(),
            side,
            status: Status::Active,
            price: None,
            currency: None,
            community: None,
            categories: BTreeSet::new(),
            location: String::new(),
            places: BTreeSet::new(),
            pictures: Vec::new(),
            published_at: None,
            expires_at: None,
        }
    }

    /// Reads an event. None where it is no listing, or says not even what it is about.
    #[must_use]
    pub fn read(event: &Event) -> Option<Self> {
        if event.kind != kind::LISTING && event.kind != INACTIVE {
            return None;
        }
        let one =
            |name: &'static str| event.tags.named(name).find_map(Tag::value).unwrap_or_default();
        let title = [one("title"), one("summary"), event.content.lines().next().unwrap_or("")]
            .into_iter()
            .map(line)
            .find(|text| !text.is_empty())?;
        let side = side(event);
        let lapses = one("expires_at").parse().ok().or_else(|| event.expiration());
        let addressed = event.tags.named("a").filter_map(Tag::value);
        let addresses = addressed.filter_map(|text| text.parse::<Address>().ok());
        Some(Self {
            id: event.id,
            by: event.pubkey,
            signer: event.pubkey,
            at: event.created_at,
            name: one("d").to_owned(),
            title,
            summary: line(one("summary")),
            text: event.content.clone(),
            side,
            status: status(event, one("status")),
            price: price(event, side),
            currency: addresses.into_iter().find(|address| address.kind == kind::CURRENCY),
            community: one("h").parse().ok(),
            categories: list(event, "t").map(str::to_lowercase).collect(),
            location: line(one("location")),
            places: list(event, "g").map(str::to_lowercase).collect(),
            pictures: list(event, "image").filter(|url| is_web(url)).map(str::to_owned).collect(),
            published_at: one("published_at").parse().ok(),
            expires_at: lapses,
        })
    }

    /// The event that says this, to be signed.
    #[must_use]
    pub fn draft(&self) -> Draft {
        let kind = if self.status == Status::Inactive { INACTIVE } else { kind::LISTING };
        let mut draft = Draft::new(kind).tag(["d", &self.name]).tag(["title", &self.title]);
        if let Some(community) = self.community {
            draft = draft.tag(["h", &community.to_string()]);
        }
        if let Some(currency) = &self.currency {
            draft = draft.tag(["a", &currency.to_string()]);
        }
        draft = draft.tag(["L", NAMESPACE]).tag(["l", self.side.as_str(), NAMESPACE]);
        if let Some(Price { amount, unit, per }) = &self.price {
            let tag = [self.side.price_tag(), amount, unit, per];
            draft = draft.tag(tag.iter().filter(|part| !part.is_empty()));
        }
        for (name, text) in [("summary", &self.summary), ("location", &self.location)] {
            if !text.is_empty() {
                draft = draft.tag([name, text]);
            }
        }
        let lists = [
            ("t", self.categories.iter().collect::<Vec<_>>()),
            ("g", self.places.iter().collect()),
            ("image", self.pictures.iter().collect()),
        ];
        for (name, values) in lists {
            draft = values.into_iter().fold(draft, |draft, value| draft.tag([name, value]));
        }
        if self.status != Status::Inactive {
            draft = draft.tag(["status", self.status.as_str()]);
        }
        if let Some(at) = self.published_at {
            draft = draft.tag(["published_at", &at.to_string()]);
        }
        if let Some(at) = self.expires_at {
            let gone = at.saturating_add(RENEWABLE_SECS);
            draft = draft.tag(["expires_at", &at.to_string()]);
            draft = draft.tag(["expiration", &gone.to_string()]);
        }
        draft.content(&self.text)
    }

    /// The name by which others cite it: `30402:signer:d`.
    #[must_use]
    pub fn address(&self) -> Address {
        Address { kind: kind::LISTING, author: self.signer, identifier: self.name.as_str().into() }
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_lapsed(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether it is to be had now.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        self.status == Status::Active && !self.is_lapsed(now)
    }

    /// What it costs in minor units of a currency, if it says so in that currency.
    #[must_use]
    pub fn minor(&self, currency: &Address, scale: Scale) -> Option<i64> {
        let price = self.price.as_ref().filter(|_| self.currency.as_ref() == Some(currency))?;
        let amount = Amount::parse(&price.amount).ok()?;
        // 3, 3.0 and 3.00 are one price; 3.005 of a currency with two decimals is none.
        let missing = scale.decimals().checked_sub(amount.scale.decimals())?;
        amount.minor.checked_mul(Scale::new(missing)?.unit()).filter(|minor| *minor > 0)
    }

    /// The words of its title, without case and marks.
    #[must_use]
    pub fn title_words(&self) -> BTreeSet<String> {
        words(&self.title).take(WORDS_MAX).collect()
    }

    /// Every word of it.
    #[must_use]
    pub fn words(&self) -> BTreeSet<String> {
        let categories = self.categories.iter().map(String::as_str);
        let parts = [&self.title, &self.summary, &self.location, &self.text];
        let parts = categories.chain(parts.into_iter().map(String::as_str));
        parts.flat_map(words).take(WORDS_MAX * LIST_MAX).collect()
    }
}

fn side(event: &Event) -> Side {
    let labels = event.tags.named("l").filter(|tag| tag.get(2).is_none_or(|of| of == NAMESPACE));
    labels.filter_map(|tag| tag.value()?.parse().ok()).next().unwrap_or(Side::Offer)
}

fn status(event: &Event, word: &str) -> Status {
    match word {
        _ if event.kind == INACTIVE => Status::Inactive,
        "" | "active" => Status::Active,
        _ => Status::Sold,
    }
}

fn price(event: &Event, side: Side) -> Option<Price> {
    let named = |name: &'static str| event.tags.named(name).next();
    // Other clients know no budget.
    let tag = named(side.price_tag()).or_else(|| named("price"))?;
    let part = |at| line(tag.get(at).unwrap_or_default());
    Some(Price { amount: part(1), unit: part(2), per: part(3) }).filter(|p| !p.amount.is_empty())
}

fn list<'a>(event: &'a Event, name: &'a str) -> impl Iterator<Item = &'a str> {
    let values = event.tags.named(name).filter_map(Tag::value);
    values.filter(|value| !value.is_empty() && value.len() <= LINE_MAX).take(LIST_MAX)
}

/// One line of text, not too long.
fn line(text: &str) -> String {
    let spaced = text.split_whitespace().collect::<Vec<_>>().join(" ");
    spaced.chars().take(LINE_MAX).collect()
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Keys, VerifiedEvent};

    use super::*;
    use crate::testing::currency;

    fn signed(draft: Draft) -> VerifiedEvent {
        draft.sign(&Keys::from_secret([7; 32]).unwrap(), 50, [0; 32])
    }

    #[test]
    fn another_clients_listing_is_an_offer() {
        let draft = Draft::new(kind::LISTING)
            .tag(["d", "x"])
            .tag(["title", "  A   bicycle \n with bells"])
            .tag(["price", "100", "EUR", "month"])
            .tag(["t", "Bikes"])
            .tag(["image", "javascript:alert(1)"])
            .tag(["image", "https://example.org/a.jpg", "256x256"]);
        let listing = Listing::read(&signed(draft)).unwrap();
        assert_eq!((listing.side, listing.status), (Side::Offer, Status::Active));
        assert_eq!(listing.title, "A bicycle with bells");
        assert_eq!(listing.price.as_ref().unwrap().per, "month");
        assert_eq!(listing.categories, BTreeSet::from(["bikes".to_owned()]));
        assert_eq!(listing.pictures, ["https://example.org/a.jpg"]);
        let two = Scale::new(2).unwrap();
        assert_eq!(listing.minor(&currency(), two), None, "not in the community's currency");
    }

    #[test]
    fn a_want_has_a_budget_and_no_price() {
        let mut want = Listing::new(crate::testing::key("ana"), Side::Want, "dig", "Digging");
        want.price = Some(Price { amount: "4".into(), unit: "HOUR".into(), per: String::new() });
        want.currency = Some(currency());
        let event = signed(want.draft());
        assert_eq!(event.tags.named("price").count(), 0);
        assert_eq!(event.tags.named("budget").next().unwrap().value(), Some("4"));
        let read = Listing::read(&event).unwrap();
        assert_eq!(read.side, Side::Want);
        assert_eq!(read.minor(&currency(), Scale::new(2).unwrap()), Some(400));
        assert_eq!(read.minor(&currency(), Scale::new(0).unwrap()), Some(4));
    }

    #[test]
    fn it_lapses_first_and_goes_later() {
        let mut offer = Listing::new(crate::testing::key("ana"), Side::Offer, "x", "Bread");
        offer.expires_at = Some(1_000);
        let event = signed(offer.draft());
        assert_eq!(event.expiration(), Some(1_000 + RENEWABLE_SECS));
        let read = Listing::read(&event).unwrap();
        assert!(read.stands(999) && !read.stands(1_000) && read.is_lapsed(1_000));
    }

    #[test]
    fn what_is_sold_or_put_aside_does_not_stand() {
        let mut offer = Listing::new(crate::testing::key("ana"), Side::Offer, "x", "Bread");
        for status in [Status::Sold, Status::Inactive] {
            offer.status = status;
            let read = Listing::read(&signed(offer.draft())).unwrap();
            assert!(read.status == status && !read.stands(0));
        }
        let other_word = Draft::new(kind::LISTING).tag(["title", "x"]).tag(["status", "gone"]);
        assert_eq!(Listing::read(&signed(other_word)).unwrap().status, Status::Sold);
    }

    #[test]
    fn a_listing_about_nothing_is_none() {
        assert_eq!(Listing::read(&signed(Draft::new(kind::LISTING).tag(["title", " "]))), None);
        assert_eq!(Listing::read(&signed(Draft::new(kind::NOTE).content("bread"))), None);
    }

    #[test]
    fn a_price_finer_than_the_currency_is_none() {
        let mut offer = Listing::new(crate::testing::key("ana"), Side::Offer, "x", "Bread");
        offer.currency = Some(currency());
        let two = Scale::new(2).unwrap();
        for (text, minor) in [
            ("3", Some(300)),
            ("3.0", Some(300)),
            ("0.05", Some(5)),
            ("3.005", None),
            ("0", None),
            ("-3", None),
            ("free", None),
        ] {
            offer.price = Some(Price { amount: text.into(), unit: "H".into(), per: String::new() });
            assert_eq!(offer.minor(&currency(), two), minor, "{text}");
        }
    }
}
