//! The events of this part, each parsed once.

use ayni_protocol::shape::parsed;
use ayni_protocol::{Event, EventId, Malformed, PublicKey, Shape, Timestamp, kind};
use ayni_witness::canonical::sha256;

use crate::ballot::{Ballot, Delegation};
use crate::proposal::{Proposal, Title, option_of, title_of};
use crate::rules::ProposalOption;

/// An event that governance reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Kind 4712.
    Proposal(Box<Proposal>),
    /// Kind 4713.
    Ballot(Ballot),
    /// Kind 4714.
    Delegation(Delegation),
    /// Kind 4718.
    Tally(Published),
    /// Kind 4721.
    Translation(Translation),
}

/// A tally that somebody published (kind 4718).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The event.
    pub id: EventId,
    /// The community.
    pub community: EventId,
    /// The proposal it is of.
    pub proposal: EventId,
    /// SHA-256 of its content: the content itself is compared with our own by this.
    pub content_hash: [u8; 32],
}

/// A translation of a proposal or raffle (kind 4721). It binds nobody.
///
/// The protocol leaves its tags open. Here: `["s", subject]`, `["title", text, lang]` and
/// `["option", id, label]…`; the content is the translated text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The event.
    pub id: EventId,
    /// Who translated.
    pub author: PublicKey,
    /// When, as the translator says.
    pub created_at: Timestamp,
    /// The community.
    pub community: EventId,
    /// What it is a translation of.
    pub subject: EventId,
    /// The title, with the language of the whole.
    pub title: Title,
    /// Labels of options; their ids are the proposal's.
    pub options: Vec<ProposalOption>,
    /// The text.
    pub text: String,
}

impl Entry {
    /// Reads an event of one of this part's kinds.
    ///
    /// # Errors
    /// [`Malformed`]: a tag is missing, repeated or of the wrong form.
    pub fn read(event: &Event) -> Result<Self, Malformed> {
        match event.kind {
            kind::PROPOSAL => Proposal::read(event).map(|read| Self::Proposal(Box::new(read))),
            kind::BALLOT => Ballot::read(event).map(Self::Ballot),
            kind::DELEGATION => Delegation::read(event).map(Self::Delegation),
            kind::TALLY => Published::read(event).map(Self::Tally),
            kind::TRANSLATION => Translation::read(event).map(Self::Translation),
            _ => Err(Malformed::BadContent("of a kind that governance reads")),
        }
    }

    /// The event.
    #[must_use]
    pub const fn id(&self) -> EventId {
        match self {
            Self::Proposal(proposal) => proposal.id,
            Self::Ballot(ballot) => ballot.id,
            Self::Delegation(delegation) => delegation.id,
            Self::Tally(published) => published.id,
            Self::Translation(translation) => translation.id,
        }
    }
}

impl Published {
    fn read(event: &Event) -> Result<Self, Malformed> {
        let shape = Shape::of(event)?;
        Ok(Self {
            id: event.id,
            community: shape.community()?,
            proposal: subject_of(shape)?,
            content_hash: sha256(&event.content),
        })
    }
}

impl Translation {
    fn read(event: &Event) -> Result<Self, Malformed> {
        let shape = Shape::of(event)?;
        Ok(Self {
            id: event.id,
            author: event.pubkey,
            created_at: event.created_at,
            community: shape.community()?,
            subject: subject_of(shape)?,
            title: title_of(shape.required("title")?)?,
            options: shape.all("option").map(option_of).collect::<Result<_, _>>()?,
            text: event.content.clone(),
        })
    }
}

fn subject_of(shape: Shape<'_>) -> Result<EventId, Malformed> {
    parsed(shape.text("s")?, "s", "the id of a proposal, 64 lowercase hex digits")
}
