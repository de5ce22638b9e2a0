//! Reading the tags of an economy event, with the errors its author needs.
//!
//! The common rules of protocol sections 1 and 8 live here once: singletons, markers of `e` tags,
//! forbidden tags, canonical integers and amounts. Every part's `read` starts with [`Shape::of`].

use std::str::FromStr;

use crate::event::{Named, Names};
use crate::{Address, Amount, Event, EventId, Malformed, PublicKey, Tag};

/// The tags of one event, or some of them in a row, ready to be asked.
#[derive(Clone, Copy)]
pub struct Shape<'a> {
    event: &'a Event,
    names: Names,
    from: usize,
    to: usize,
}

impl<'a> Shape<'a> {
    /// Checks what no economy event may carry.
    ///
    /// # Errors
    /// [`Malformed::ForbiddenTag`] for `expiration` (NIP-40) or `-` (NIP-70).
    pub fn of(event: &'a Event) -> Result<Self, Malformed> {
        let shape = Self { event, names: event.tags.names(), from: 0, to: event.tags.len() };
        for name in ["expiration", "-"] {
            if shape.all(name).next().is_some() {
                return Err(Malformed::ForbiddenTag(name));
            }
        }
        Ok(shape)
    }

    /// Every tag of this name.
    pub fn all(self, name: &'static str) -> Named<'a> {
        let tags = self.event.tags.named(name);
        if self.names.may_have(name) { tags.within(self.from..self.to) } else { tags.none() }
    }

    /// The tags in parts, one for each `e` tag without marker: what stands from it up to the next. The
    /// first part has whatever stands before it as well.
    pub fn parts(self) -> impl Iterator<Item = Self> + use<'a> {
        let tags = self.event.tags.iter().enumerate().take(self.to).skip(self.from);
        let starts = tags.filter(|(_, tag)| tag.name() == "e" && is_unmarked(*tag));
        let mut ends = starts.map(|(at, _)| at).skip(1).chain([self.to]);
        let mut from = self.from;
        std::iter::from_fn(move || {
            let to = ends.next()?;
            let part = Self { from, to, ..self };
            from = to;
            Some(part)
        })
    }

    /// A tag that may be there once.
    ///
    /// # Errors
    /// [`Malformed::RepeatedTag`].
    pub fn optional(self, name: &'static str) -> Result<Option<Tag<'a>>, Malformed> {
        once(self.all(name), name)
    }

    /// A tag that must be there once.
    ///
    /// # Errors
    /// [`Malformed::MissingTag`], [`Malformed::RepeatedTag`].
    pub fn required(self, name: &'static str) -> Result<Tag<'a>, Malformed> {
        self.optional(name)?.ok_or(Malformed::MissingTag(name))
    }

    /// The first value of a tag that must be there once.
    ///
    /// # Errors
    /// As [`Shape::required`]; [`Malformed::BadTag`] where it has no value.
    pub fn text(self, name: &'static str) -> Result<&'a str, Malformed> {
        self.required(name)?.value().ok_or(Malformed::BadTag(name, "a name and a value"))
    }

    /// The first value of a tag that may be there once.
    ///
    /// # Errors
    /// As [`Shape::optional`]; [`Malformed::BadTag`] where it has no value.
    pub fn optional_text(self, name: &'static str) -> Result<Option<&'a str>, Malformed> {
        self.optional(name)?
            .map(|tag| tag.value().ok_or(Malformed::BadTag(name, "a name and a value")))
            .transpose()
    }

    /// A whole number without sign or leading zeros that must be there once.
    ///
    /// # Errors
    /// As [`Shape::text`]; [`Malformed::BadTag`] for any other spelling.
    pub fn unsigned<T: FromStr>(self, name: &'static str) -> Result<T, Malformed> {
        unsigned(self.text(name)?, name)
    }

    /// A whole number that may be there once.
    ///
    /// # Errors
    /// As [`Shape::unsigned`].
    pub fn optional_unsigned<T: FromStr>(self, name: &'static str) -> Result<Option<T>, Malformed> {
        self.optional_text(name)?.map(|text| unsigned(text, name)).transpose()
    }

    /// A key that must be there once.
    ///
    /// # Errors
    /// As [`Shape::text`]; [`Malformed::BadTag`] where it is not hex.
    pub fn key(self, name: &'static str) -> Result<PublicKey, Malformed> {
        parsed(self.text(name)?, name, "64 lowercase hex digits")
    }

    /// The community the event belongs to: its `h` tag.
    ///
    /// # Errors
    /// As [`Shape::text`]; [`Malformed::BadTag`] where it is not hex.
    pub fn community(self) -> Result<EventId, Malformed> {
        parsed(self.text("h")?, "h", "the community id, 64 lowercase hex digits")
    }

    /// The event named by the `e` tag with this marker, which must be there once.
    ///
    /// # Errors
    /// [`Malformed::MissingTag`], [`Malformed::RepeatedTag`], [`Malformed::BadTag`].
    pub fn marked(self, marker: &'static str) -> Result<EventId, Malformed> {
        self.optional_marked(marker)?.ok_or(Malformed::MissingTag(marker))
    }

    /// The event named by the `e` tag with this marker, which may be there once.
    ///
    /// # Errors
    /// [`Malformed::RepeatedTag`], [`Malformed::BadTag`].
    pub fn optional_marked(self, marker: &'static str) -> Result<Option<EventId>, Malformed> {
        let tags = self.all("e").filter(|tag| tag.get(3) == Some(marker));
        once(tags, marker)?.map(|tag| id_of(tag, marker)).transpose()
    }

    /// Every event named by an `e` tag with this marker.
    ///
    /// # Errors
    /// [`Malformed::BadTag`].
    pub fn every_marked(self, marker: &'static str) -> Result<Vec<EventId>, Malformed> {
        self.all("e")
            .filter(|tag| tag.get(3) == Some(marker))
            .map(|tag| id_of(tag, marker))
            .collect()
    }

    /// Every event named by an `e` tag without marker.
    ///
    /// # Errors
    /// [`Malformed::BadTag`].
    pub fn unmarked(self) -> Result<Vec<EventId>, Malformed> {
        self.all("e").filter(|tag| is_unmarked(*tag)).map(|tag| id_of(tag, "e")).collect()
    }

    /// The one event named by an `e` tag without marker.
    ///
    /// # Errors
    /// [`Malformed::MissingTag`], [`Malformed::RepeatedTag`], [`Malformed::BadTag`].
    pub fn only_unmarked(self) -> Result<EventId, Malformed> {
        let tags = self.all("e").filter(|tag| is_unmarked(*tag));
        id_of(once(tags, "e")?.ok_or(Malformed::MissingTag("e"))?, "e")
    }

    /// The currency: the first `a` tag without marker.
    ///
    /// # Errors
    /// [`Malformed::MissingTag`], [`Malformed::RepeatedTag`], [`Malformed::BadTag`] where it is not
    /// the address of a currency.
    pub fn currency(self) -> Result<Address, Malformed> {
        let tags = self.all("a").filter(|tag| is_unmarked(*tag));
        let tag = once(tags, "a")?.ok_or(Malformed::MissingTag("a"))?;
        let address: Address = parsed(tag.value().unwrap_or(""), "a", "the address of a currency")?;
        if address.kind == crate::kind::CURRENCY {
            Ok(address)
        } else {
            Err(Malformed::BadTag("a", "the address of a currency, 37470:…"))
        }
    }

    /// The address in the `a` tag with this marker, which may be there once.
    ///
    /// # Errors
    /// [`Malformed::RepeatedTag`], [`Malformed::BadTag`].
    pub fn marked_address(self, marker: &'static str) -> Result<Option<Address>, Malformed> {
        let tags = self.all("a").filter(|tag| tag.get(3) == Some(marker));
        once(tags, marker)?
            .map(|tag| parsed(tag.value().unwrap_or(""), "a", "an address, kind:pubkey:d"))
            .transpose()
    }

    /// An amount that must be there once.
    ///
    /// # Errors
    /// As [`Shape::text`]; [`Malformed::AmountNotCanonical`].
    pub fn amount(self, name: &'static str) -> Result<Amount, Malformed> {
        amount(self.text(name)?)
    }

    /// An amount that may be there once.
    ///
    /// # Errors
    /// As [`Shape::amount`].
    pub fn optional_amount(self, name: &'static str) -> Result<Option<Amount>, Malformed> {
        self.optional_text(name)?.map(amount).transpose()
    }
}

fn is_unmarked(tag: Tag<'_>) -> bool {
    tag.get(3).is_none_or(str::is_empty)
}

fn once<'a>(
    mut tags: impl Iterator<Item = Tag<'a>>,
    name: &'static str,
) -> Result<Option<Tag<'a>>, Malformed> {
    let first = tags.next();
    if tags.next().is_some() { Err(Malformed::RepeatedTag(name.into())) } else { Ok(first) }
}

fn id_of(tag: Tag<'_>, name: &'static str) -> Result<EventId, Malformed> {
    parsed(tag.value().unwrap_or(""), name, "an event id, 64 lowercase hex digits")
}

/// Reads a tag's value as any type that has a spelling.
///
/// # Errors
/// [`Malformed::BadTag`] with the form that was expected.
pub fn parsed<T: FromStr>(
    text: &str,
    name: &'static str,
    form: &'static str,
) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed::BadTag(name, form))
}

/// Reads a whole number: digits only, no sign, no leading zeros.
///
/// # Errors
/// [`Malformed::BadTag`].
pub fn unsigned<T: FromStr>(text: &str, name: &'static str) -> Result<T, Malformed> {
    const FORM: &str = "a whole number without sign or leading zeros";
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if leading_zero || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Malformed::BadTag(name, FORM));
    }
    parsed(text, name, FORM)
}

/// Reads a whole number that may be negative: no plus, no leading zeros, no `-0`.
///
/// # Errors
/// [`Malformed::BadTag`].
pub fn signed<T: FromStr>(text: &str, name: &'static str) -> Result<T, Malformed> {
    const FORM: &str = "a whole number without plus or leading zeros";
    let digits = text.strip_prefix('-').unwrap_or(text);
    let leading_zero = digits.starts_with('0') && text != "0";
    if digits.is_empty() || leading_zero || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Malformed::BadTag(name, FORM));
    }
    parsed(text, name, FORM)
}

/// Reads an amount.
///
/// # Errors
/// [`Malformed::AmountNotCanonical`].
pub fn amount(text: &str) -> Result<Amount, Malformed> {
    Amount::parse(text).map_err(|_| Malformed::AmountNotCanonical(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Keys, VerifiedEvent, kind};

    fn event(tags: &[&[&str]]) -> VerifiedEvent {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let draft = tags.iter().fold(Draft::new(kind::ORDER), |draft, tag| draft.tag(*tag));
        draft.sign(&keys, 1, [0; 32])
    }

    #[test]
    fn singletons_are_single() {
        let twice = event(&[&["seq", "1"], &["seq", "1"]]);
        let shape = Shape::of(&twice).unwrap();
        assert_eq!(shape.text("seq"), Err(Malformed::RepeatedTag("seq".into())));
        assert_eq!(shape.text("epoch"), Err(Malformed::MissingTag("epoch")));
    }

    #[test]
    fn markers_tell_e_tags_apart() {
        let (one, two) = ("11".repeat(32), "22".repeat(32));
        let both = event(&[&["e", &one, "", "prev"], &["e", &two], &["e", &two, "wss://x", ""]]);
        let shape = Shape::of(&both).unwrap();
        assert_eq!(shape.marked("prev").unwrap().to_string(), one);
        assert_eq!(shape.optional_marked("request").unwrap(), None);
        assert_eq!(shape.unmarked().unwrap().len(), 2);
        assert_eq!(shape.only_unmarked(), Err(Malformed::RepeatedTag("e".into())));
    }

    #[test]
    fn parts_begin_at_the_events_they_name() {
        let (one, two) = ("11".repeat(32), "22".repeat(32));
        let tags: [&[&str]; 7] = [
            &["epoch", "x"],
            &["e", &one],
            &["seq", "1"],
            &["e", &two, "", "policy"],
            &["e", &two, "", ""],
            &["seq", "2"],
            &["e", &one, "", "policy"],
        ];
        let event = event(&tags);
        let shape = Shape::of(&event).unwrap();
        let parts: Vec<_> = shape.parts().collect();
        let [first, second] = parts.as_slice() else { panic!("{} parts", parts.len()) };
        assert_eq!((first.only_unmarked().unwrap().to_string(), first.text("seq")), (one, Ok("1")));
        assert_eq!(second.only_unmarked().unwrap().to_string(), two);
        assert_eq!(second.text("seq"), Ok("2"));
        assert!(first.text("epoch").is_ok() && second.text("epoch").is_err());
        assert!(first.marked("policy").is_ok() && second.marked("policy").is_ok());
        let bare = self::event(&[&["seq", "1"]]);
        assert_eq!(Shape::of(&bare).unwrap().parts().count(), 1, "what names nothing is one part");
    }

    #[test]
    fn forbidden_tags_are_forbidden() {
        for name in ["expiration", "-"] {
            assert!(Shape::of(&event(&[&[name, "1"]])).is_err(), "{name}");
        }
    }

    #[test]
    fn whole_numbers_have_one_spelling() {
        assert_eq!(unsigned::<u32>("0", "x"), Ok(0));
        assert_eq!(signed::<i32>("-7", "x"), Ok(-7));
        for wrong in ["", "+1", "01", "1.0", "-1", " 1", "4294967296"] {
            assert!(unsigned::<u32>(wrong, "x").is_err(), "{wrong}");
        }
        for wrong in ["", "-", "-0", "+1", "-01", "00"] {
            assert!(signed::<i32>(wrong, "x").is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_currency_is_the_unmarked_address() {
        let (currency, cause) =
            (format!("37470:{}:h", "ab".repeat(32)), format!("33863:{}:c", "cd".repeat(32)));
        let order = event(&[&["a", &cause, "", "for"], &["a", &currency]]);
        let shape = Shape::of(&order).unwrap();
        assert_eq!(shape.currency().unwrap().to_string(), currency);
        assert_eq!(shape.marked_address("for").unwrap().unwrap().to_string(), cause);
        assert!(Shape::of(&event(&[&["a", &cause]])).unwrap().currency().is_err());
    }
}
