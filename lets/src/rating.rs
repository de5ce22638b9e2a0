//! A rating of a trade (kind 37472), by one party of a certified order about the other.
//!
//! Addressable by the order, so a party has one rating of a trade and may change it.

use ayni_protocol::shape::parsed;
use ayni_protocol::{Draft, EventId, Malformed, PublicKey, Shape};

use crate::rules::{MILLION, fraction, optional_key, write_fraction};
use crate::tags;

/// What a rating says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// The order, its `d` tag.
    pub order: EventId,
    /// The party rated.
    pub about: PublicKey,
    /// Marks from 0 to 1 in millionths, each with what it is for; the first is the whole trade.
    pub marks: Vec<(i64, String)>,
    /// The account that rates, where the signer is not its id.
    pub from: Option<PublicKey>,
    /// In words.
    pub note: String,
}

impl Rating {
    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        const FORM: &str = "a decimal fraction from 0 to 1";
        let mut marks = Vec::new();
        for tag in shape.all("rating") {
            let mark = fraction(tag.value().unwrap_or_default())
                .ok()
                .filter(|mark| *mark <= MILLION)
                .ok_or(Malformed::BadTag("rating", FORM))?;
            marks.push((mark, tag.get(2).unwrap_or_default().to_owned()));
        }
        if marks.is_empty() {
            return Err(Malformed::MissingTag("rating"));
        }
        Ok(Self {
            order: parsed(shape.text("d")?, "d", "the id of the order")?,
            about: shape.key("p")?,
            marks,
            from: optional_key(shape, "from")?,
            note: content.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let order = self.order.to_string();
        let draft = tags::key(draft.tag(["d", &order]).tag(["e", &order]), "p", &self.about);
        let draft = self.marks.iter().fold(draft, |draft, (mark, what)| {
            let mark = write_fraction(*mark);
            if what.is_empty() {
                draft.tag(["rating", &mark])
            } else {
                draft.tag(["rating", &mark, what])
            }
        });
        tags::maybe_key(draft, "from", self.from.as_ref()).content(&self.note)
    }
}
