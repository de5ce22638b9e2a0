//! The currency (kind 37470): how people call it and write it.
//!
//! The event is addressable, so relays keep its newest version only and a node may never see an
//! older one. Therefore the ledger takes nothing from it that counts: the decimals are those in
//! which the epoch-0 rules (regular events, kept for ever) write their default limit, and a version
//! with another `scale` is void. See [`crate::rules`].

use ayni_protocol::shape::parsed;
use ayni_protocol::{Address, Draft, EventId, Malformed, PublicKey, Scale, Shape, kind};

use crate::tags;

/// What a currency event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency {
    /// Its `d` tag; with the author it makes the currency's address.
    pub slug: String,
    /// Its name, such as `Ayni Hour`.
    pub name: String,
    /// Its short code, such as `AYNI`; may be empty.
    pub code: String,
    /// Its symbol, such as `ħ`; may be empty.
    pub symbol: String,
    /// Its decimals.
    pub scale: Scale,
    /// The rules that were in force when it was signed. Presentation only: the rules in force are
    /// the counted ones of the highest epoch.
    pub rules: Option<EventId>,
    /// What it is for, in its author's words.
    pub about: String,
}

impl Currency {
    /// The currency's id: the address of this event under its author.
    #[must_use]
    pub fn address(&self, author: &PublicKey) -> Address {
        Address { kind: kind::CURRENCY, author: *author, identifier: self.slug.as_str().into() }
    }

    pub(crate) fn read(shape: Shape<'_>, content: &str) -> Result<Self, Malformed> {
        let slug = shape.text("d")?;
        if slug.is_empty() {
            return Err(Malformed::BadTag("d", "a short name of the currency"));
        }
        let scale: u8 = shape.unsigned("scale")?;
        Ok(Self {
            slug: slug.to_owned(),
            name: shape.text("name")?.to_owned(),
            code: shape.optional_text("code")?.unwrap_or_default().to_owned(),
            symbol: shape.optional_text("symbol")?.unwrap_or_default().to_owned(),
            scale: Scale::new(scale)
                .ok_or(Malformed::BadTag("scale", "a number of decimals, 0 to 6"))?,
            rules: shape
                .optional_text("rules")?
                .map(|id| parsed(id, "rules", "the id of the rules, 64 lowercase hex digits"))
                .transpose()?,
            about: content.to_owned(),
        })
    }

    pub(crate) fn write(&self, draft: Draft) -> Draft {
        let draft = draft.tag(["d", &self.slug]).tag(["name", &self.name]);
        let draft = tags::text(draft, "code", &self.code);
        let draft = tags::text(draft, "symbol", &self.symbol);
        let draft = draft.tag(["scale", &self.scale.decimals().to_string()]);
        tags::maybe(draft, "rules", self.rules).content(&self.about)
    }
}
