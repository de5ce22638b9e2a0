//! Ballots (kind 4713) and delegations (kind 4714): what members put into the box.
//!
//! Only their form is read here. A ballot that overspends is well formed: it is received, boxed and
//! listed as spoiled, so that its voter can see what became of it (protocol section 8).
//!
//! Deliberately absent: a ballot's `content`, which may hold a reason for people, is not kept; the
//! store has it.

use ayni_protocol::shape::{parsed, signed, unsigned};
use ayni_protocol::{Event, EventId, Malformed, PublicKey, Shape, Tag, Timestamp};

use crate::mark::Choice;

/// Characters of a sealed ballot's base64: 401 bytes (research on governance, 3.2).
const SEALED_CHARS: usize = 536;

/// A ballot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// The event.
    pub id: EventId,
    /// Who votes.
    pub voter: PublicKey,
    /// When, as the voter says; orders the voter's own ballots.
    pub created_at: Timestamp,
    /// The community.
    pub community: EventId,
    /// What it votes on.
    pub proposal: EventId,
    /// What it says.
    pub choice: Choice,
}

/// A delegation, or its revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The event.
    pub id: EventId,
    /// Who delegates.
    pub delegator: PublicKey,
    /// When, as the delegator says; orders the delegator's own delegations.
    pub created_at: Timestamp,
    /// The community.
    pub community: EventId,
    /// Whose ballot is to be copied; nothing revokes.
    pub delegate: Option<PublicKey>,
    /// For what.
    pub scope: Scope,
}

/// What a delegation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every proposal of the community that copies ballots.
    All,
    /// One proposal. It goes before a delegation for all.
    Proposal(EventId),
}

impl Ballot {
    /// Reads a ballot.
    ///
    /// # Errors
    /// [`Malformed`]: a tag is missing, repeated or of the wrong form.
    pub fn read(event: &Event) -> Result<Self, Malformed> {
        let shape = Shape::of(event)?;
        Ok(Self {
            id: event.id,
            voter: event.pubkey,
            created_at: event.created_at,
            community: shape.community()?,
            proposal: shape.marked("proposal")?,
            choice: choice_of(shape, &event.content)?,
        })
    }
}

impl Delegation {
    /// Reads a delegation.
    ///
    /// # Errors
    /// [`Malformed`]: a tag is missing, repeated or of the wrong form, or a member delegates to
    /// themselves.
    pub fn read(event: &Event) -> Result<Self, Malformed> {
        const OTHER: Malformed = Malformed::BadTag("p", "the key of another member");
        let shape = Shape::of(event)?;
        let delegate = shape.optional("p")?.map(|_| shape.key("p")).transpose()?;
        if delegate == Some(event.pubkey) {
            return Err(OTHER);
        }
        Ok(Self {
            id: event.id,
            delegator: event.pubkey,
            created_at: event.created_at,
            community: shape.community()?,
            delegate,
            scope: scope_of(shape.required("scope")?)?,
        })
    }
}

fn choice_of(shape: Shape<'_>, content: &str) -> Result<Choice, Malformed> {
    let votes = shape.all("v").map(vote_of).collect::<Result<Vec<_>, _>>()?;
    let abstains = shape.optional("abstain")?.is_some();
    match (votes.is_empty(), abstains, shape.optional("enc")?) {
        (false, false, None) => Ok(Choice::Votes(votes)),
        (true, true, None) => Ok(Choice::Abstain),
        (true, false, Some(enc)) => sealed_of(enc, content),
        (true, false, None) => Err(Malformed::MissingTag("v")),
        _ => Err(Malformed::BadTag("v", "alone: either votes, or abstain, or a sealed ballot")),
    }
}

fn vote_of(tag: Tag<'_>) -> Result<(String, i32), Malformed> {
    const FORM: Malformed = Malformed::BadTag("v", "an option and a number");
    let (option, number) = (tag.value().ok_or(FORM)?, tag.get(2).ok_or(FORM)?);
    Ok((option.to_owned(), signed(number, "v")?))
}

fn sealed_of(enc: Tag<'_>, content: &str) -> Result<Choice, Malformed> {
    const FORM: Malformed = Malformed::BadTag("enc", "tlock-1 and a round");
    if enc.value() != Some("tlock-1") {
        return Err(FORM);
    }
    let round = unsigned(enc.get(2).ok_or(FORM)?, "enc")?;
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    if content.len() != SEALED_CHARS || !content.bytes().all(base64) {
        return Err(Malformed::BadContent("401 bytes in base64"));
    }
    Ok(Choice::Sealed { round })
}

fn scope_of(tag: Tag<'_>) -> Result<Scope, Malformed> {
    match (tag.value(), tag.get(2)) {
        (Some("all"), None) => Ok(Scope::All),
        (Some("e"), Some(id)) => Ok(Scope::Proposal(parsed(id, "scope", "e and a proposal's id")?)),
        _ => Err(Malformed::BadTag("scope", "all, or e and a proposal's id")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ayni_protocol::{Draft, Keys, kind};

    fn ballot(tags: &[&[&str]], content: &str) -> Result<Choice, Malformed> {
        let id = "11".repeat(32);
        let draft = Draft::new(kind::BALLOT).tag(["h", &id]).tag(["e", &id, "", "proposal"]);
        let draft = tags.iter().fold(draft.content(content), |draft, tag| draft.tag(*tag));
        let event = draft.sign(&Keys::from_secret([1; 32]).unwrap(), 1, [0; 32]);
        Ballot::read(&event).map(|ballot| ballot.choice)
    }

    #[test]
    fn a_ballot_votes_or_abstains_or_is_sealed() {
        let votes = ballot(&[&["v", "a", "-7"], &["v", "a", "2"]], "why").unwrap();
        assert_eq!(votes, Choice::Votes(vec![("a".into(), -7), ("a".into(), 2)]));
        assert_eq!(ballot(&[&["abstain"]], ""), Ok(Choice::Abstain));
        let sealed = ballot(&[&["enc", "tlock-1", "9"]], &"A".repeat(536));
        assert_eq!(sealed, Ok(Choice::Sealed { round: 9 }));
    }

    #[test]
    fn other_forms_are_malformed() {
        let codes: Vec<&str> = [
            ballot(&[], ""),
            ballot(&[&["abstain"], &["v", "a", "1"]], ""),
            ballot(&[&["abstain"], &["abstain"]], ""),
            ballot(&[&["v", "a"]], ""),
            ballot(&[&["v", "a", "+1"]], ""),
            ballot(&[&["v", "a", "2147483648"]], ""),
            ballot(&[&["enc", "tlock-2", "9"]], &"A".repeat(536)),
            ballot(&[&["enc", "tlock-1", "9"]], "A"),
        ]
        .into_iter()
        .map(|read| read.unwrap_err().code())
        .collect();
        let expected = ["MissingTag", "BadTag", "RepeatedTag", "BadTag", "BadTag", "BadTag"];
        assert_eq!(codes, [&expected[..], &["BadTag", "BadContent"]].concat());
    }

    #[test]
    fn nobody_delegates_to_themselves() {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let draft = Draft::new(kind::DELEGATION)
            .tag(["h", &"11".repeat(32)])
            .tag(["p", &keys.public().to_string()])
            .tag(["scope", "all"]);
        let read = Delegation::read(&draft.sign(&keys, 1, [0; 32]));
        assert_eq!(read, Err(Malformed::BadTag("p", "the key of another member")));
    }
}
