//! Events of kinds 4730 to 4734 and 33863, parsed once (protocol section 6).
//!
//! Reading needs no state, so a relay refuses nonsense before it stores it. Everything that needs
//! a charter, an account or a payment is for [`crate::Drum`].
//!
//! Deliberately absent: kind 4721. A translation binds nobody, so the book has no use for it.

use ayni_protocol::shape::{parsed, unsigned};
use ayni_protocol::{
    EventId, Malformed, PublicKey, Shape, Tag, Timestamp, VerifiedEvent, hex, kind,
};
use sha2::{Digest, Sha256};

use crate::causes::Cause;
use crate::spec::{
    Entropy, Legal, MAX_TIME, Place, Prize, RaffleSpec, Referral, Scope, Share, Title,
};

/// An event of this part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Kind 4730.
    Raffle(Box<RaffleEntry>),
    /// Kind 4731.
    Ticket(TicketEntry),
    /// Kind 4732.
    List(ListEntry),
    /// Kind 4733.
    Draw(DrawEntry),
    /// Kind 4734.
    Claim(ClaimEntry),
    /// Kind 33863.
    Cause(Box<Cause>),
}

/// A raffle as it was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RaffleEntry {
    /// The event.
    pub id: EventId,
    /// Who announced it.
    pub organiser: PublicKey,
    /// When, as they say.
    pub created_at: Timestamp,
    /// Where it stands.
    pub place: Place,
    /// Its terms.
    pub spec: RaffleSpec,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketEntry {
    /// The event.
    pub id: EventId,
    /// Who holds it.
    pub author: PublicKey,
    /// The community.
    pub community: EventId,
    /// The raffle.
    pub raffle: EventId,
    /// Units, at least 1.
    pub quantity: u32,
    /// The order that pays for it.
    pub order: Option<EventId>,
}

/// A published ticket list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry {
    /// The event.
    pub id: EventId,
    /// The community.
    pub community: EventId,
    /// The raffle.
    pub raffle: EventId,
    /// Tickets on it.
    pub tickets: u64,
    /// Units on it.
    pub units: u64,
    /// Merkle root of its leaves.
    pub root: [u8; 32],
    /// SHA-256 of the base64 of its leaves; nothing where the content is empty.
    pub content: Option<[u8; 32]>,
}

/// A published draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DrawEntry {
    /// The event.
    pub id: EventId,
    /// The community.
    pub community: EventId,
    /// The raffle.
    pub raffle: EventId,
    /// SHA-256 of its content.
    pub result: [u8; 32],
}

/// What someone says of a raffle after it was announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimEntry {
    /// The event.
    pub id: EventId,
    /// Who says so.
    pub author: PublicKey,
    /// When, as they say.
    pub created_at: Timestamp,
    /// The community.
    pub community: EventId,
    /// The raffle.
    pub raffle: EventId,
    /// What they say.
    pub says: Says,
}

/// What a kind 4734 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// A winner claims the prize of this number.
    Claim(u32),
    /// The organiser delivered it: `["status", "delivered"]`.
    Delivered(u32),
    /// The organiser calls the raffle off: `["status", "cancelled"]`, without a prize.
    Cancelled,
}

/// Reads any event of this part.
///
/// # Errors
/// [`Malformed`], with a sentence for its author.
pub fn read(event: &VerifiedEvent) -> Result<Entry, Malformed> {
    match event.kind {
        kind::RAFFLE => Ok(Entry::Raffle(Box::new(raffle(event)?))),
        kind::TICKET => Ok(Entry::Ticket(ticket(event)?)),
        kind::TICKET_LIST => Ok(Entry::List(list(event)?)),
        kind::DRAW => Ok(Entry::Draw(draw(event)?)),
        kind::CLAIM => Ok(Entry::Claim(claim(event)?)),
        kind::CAUSE => Ok(Entry::Cause(Box::new(Cause::read(event)?))),
        _ => Err(Malformed::BadTag("kind", "4730 to 4734, or 33863")),
    }
}

fn raffle(event: &VerifiedEvent) -> Result<RaffleEntry, Malformed> {
    let shape = Shape::of(event)?;
    let entry = RaffleEntry {
        id: event.id,
        organiser: event.pubkey,
        created_at: event.created_at,
        place: place(shape)?,
        spec: terms(shape, &event.content)?,
    };
    entry.spec.check()?;
    Ok(entry)
}

fn place(shape: Shape<'_>) -> Result<Place, Malformed> {
    let round = shape.unsigned("draw")?;
    if round > MAX_TIME {
        return Err(Malformed::BadTag("draw", "a round of the beacon"));
    }
    Ok(Place {
        community: shape.community()?,
        charter: shape.marked("charter")?,
        round,
        seq: shape.unsigned("seq")?,
        previous: shape.optional_marked("prev")?,
    })
}

fn terms(shape: Shape<'_>, text: &str) -> Result<RaffleSpec, Malformed> {
    let currency = match shape.currency() {
        Err(Malformed::MissingTag(_)) => None,
        found => Some(found?),
    };
    let escrow = shape.optional_text("escrow")?;
    Ok(RaffleSpec {
        titles: shape.all("title").map(title).collect(),
        text: text.to_owned(),
        prizes: prizes(shape)?,
        currency,
        price: shape.amount("price")?,
        max_per_person: shape.optional_unsigned("max-per-person")?,
        min_units: shape.optional_unsigned("min-units")?.unwrap_or(0),
        max_units: shape.optional_unsigned("max-units")?,
        opens: shape.unsigned("opens")?,
        closes: shape.unsigned("closes")?,
        grace: shape.optional_unsigned("grace")?.unwrap_or(0),
        entropy: entropy(shape)?,
        scope: scope(shape)?,
        reserves: shape.optional_unsigned("reserves")?.unwrap_or(0),
        claim_days: shape.optional_unsigned("claim-days")?,
        escrow: escrow.map(|text| parsed(text, "escrow", "an account's key")).transpose()?,
        to: shape.all("to").map(share).collect::<Result<_, _>>()?,
        referral: shape.optional("referral")?.map(referral).transpose()?,
        legal: shape.optional("legal")?.map(legal).transpose()?,
        min_age: shape.optional_unsigned("min-age")?,
    })
}

fn title(tag: Tag<'_>) -> Title {
    let part = |at| tag.get(at).unwrap_or("").to_owned();
    Title { text: part(1), lang: part(2) }
}

fn prizes(shape: Shape<'_>) -> Result<Vec<Prize>, Malformed> {
    const FORM: &str = "a number from 1 without gaps, a text, and perhaps basis points";
    let mut prizes = Vec::new();
    for tag in shape.all("prize") {
        let number: usize = unsigned(tag.value().unwrap_or("x"), "prize")?;
        let text = tag.get(2).ok_or(Malformed::BadTag("prize", FORM))?.to_owned();
        let share_bp = tag.get(3).map(|bp| unsigned(bp, "prize")).transpose()?;
        prizes.push(Prize { text, share_bp });
        if number != prizes.len() {
            return Err(Malformed::BadTag("prize", FORM));
        }
    }
    Ok(prizes)
}

fn entropy(shape: Shape<'_>) -> Result<Entropy, Malformed> {
    match shape.optional_text("entropy")? {
        None | Some("drand") => Ok(Entropy::Drand),
        Some("commit-reveal") => Ok(Entropy::CommitReveal),
        Some("ceremony") => Ok(Entropy::Ceremony),
        Some(_) => Err(Malformed::BadTag("entropy", "drand, commit-reveal or ceremony")),
    }
}

fn scope(shape: Shape<'_>) -> Result<Scope, Malformed> {
    match shape.optional_text("scope")? {
        None | Some("person") => Ok(Scope::Person),
        Some("ticket") => Ok(Scope::Ticket),
        Some("unit") => Ok(Scope::Unit),
        Some(_) => Err(Malformed::BadTag("scope", "person, ticket or unit")),
    }
}

fn share(tag: Tag<'_>) -> Result<Share, Malformed> {
    let account = parsed(tag.value().unwrap_or(""), "to", "an account's key and basis points")?;
    Ok(Share { account, bp: unsigned(tag.get(2).unwrap_or("x"), "to")? })
}

fn referral(tag: Tag<'_>) -> Result<Referral, Malformed> {
    let level = |at| unsigned(tag.get(at).unwrap_or("x"), "referral");
    Ok(Referral { first_bp: level(1)?, second_bp: level(2)? })
}

fn legal(tag: Tag<'_>) -> Result<Legal, Malformed> {
    let country = tag.value().filter(|country| !country.is_empty());
    let country = country.ok_or(Malformed::BadTag("legal", "a country and perhaps a permit"))?;
    Ok(Legal { country: country.to_owned(), permit: tag.get(2).unwrap_or("").to_owned() })
}

fn ticket(event: &VerifiedEvent) -> Result<TicketEntry, Malformed> {
    let shape = Shape::of(event)?;
    let quantity = shape.unsigned("qty")?;
    if quantity == 0 {
        return Err(Malformed::BadTag("qty", "at least 1"));
    }
    Ok(TicketEntry {
        id: event.id,
        author: event.pubkey,
        community: shape.community()?,
        raffle: shape.marked("raffle")?,
        quantity,
        order: shape.optional_marked("pay")?,
    })
}

fn list(event: &VerifiedEvent) -> Result<ListEntry, Malformed> {
    let shape = Shape::of(event)?;
    let root = hex::decode(shape.text("root")?);
    Ok(ListEntry {
        id: event.id,
        community: shape.community()?,
        raffle: subject(shape)?,
        tickets: shape.unsigned("n")?,
        units: shape.unsigned("units")?,
        root: root.map_err(|_| Malformed::BadTag("root", "64 lowercase hex digits"))?,
        content: (!event.content.is_empty()).then(|| Sha256::digest(&event.content).into()),
    })
}

fn draw(event: &VerifiedEvent) -> Result<DrawEntry, Malformed> {
    let shape = Shape::of(event)?;
    let result: [u8; 32] = Sha256::digest(&event.content).into();
    if shape.optional_text("x")?.is_some_and(|x| x != hex::encode(&result)) {
        return Err(Malformed::BadTag("x", "the SHA-256 of the content"));
    }
    let (community, raffle) = (shape.community()?, subject(shape)?);
    Ok(DrawEntry { id: event.id, community, raffle, result })
}

fn claim(event: &VerifiedEvent) -> Result<ClaimEntry, Malformed> {
    let shape = Shape::of(event)?;
    let prize = shape.optional_unsigned("prize")?;
    let says = match (shape.optional_text("status")?, prize) {
        (None, Some(prize)) => Says::Claim(prize),
        (Some("delivered"), Some(prize)) => Says::Delivered(prize),
        (Some("cancelled"), None) => Says::Cancelled,
        (None | Some("delivered"), None) => return Err(Malformed::MissingTag("prize")),
        (Some(_), _) => return Err(Malformed::BadTag("status", "delivered or cancelled")),
    };
    Ok(ClaimEntry {
        id: event.id,
        author: event.pubkey,
        created_at: event.created_at,
        community: shape.community()?,
        raffle: subject(shape)?,
        says,
    })
}

fn subject(shape: Shape<'_>) -> Result<EventId, Malformed> {
    parsed(shape.text("s")?, "s", "a raffle's id, 64 lowercase hex digits")
}
