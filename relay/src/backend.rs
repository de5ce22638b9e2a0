//! What the relay asks of whoever keeps the events.
//!
//! The trait is owned here and implemented by the node, so the relay never names a store. Every
//! question that reads carries the [`Viewer`], because what may be seen depends on the event and
//! on who has authenticated, never on the shape of the filter (NIP-59: a `{}` filter must not leak
//! a gift wrap that `{"kinds":[1059]}` would hide).

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use ayni_protocol::{
    Event, EventId, Filter, Prefix, PublicKey, Rejection, Tag, Timestamp, VerifiedEvent, kind,
};
use bytes::Bytes;

use crate::receipt::Receipt;

/// The keeper of events.
///
/// The questions that read are asked where they come up, on a socket's own thread, and given up
/// there if they take long ([`Asker::may_go_on`]); then they are asked again on a blocking thread.
/// All other functions are called on async threads and must return at once.
pub trait Backend: Send + Sync + 'static {
    /// This node's clock, unix seconds.
    fn now(&self) -> Timestamp;

    /// Whether an event of this id is stored. Asked before any signature work: a known id is
    /// answered `OK true "duplicate: …"`.
    fn contains(&self, id: &EventId) -> bool;

    /// Admission and durable write. The receipt is given its verdict, from any thread, only when
    /// the event is on disk (or, for an ephemeral one, handed out), or with the refusal that the
    /// author reads in the OK. Several submissions of one connection are under way at the same time,
    /// so that a writer can commit them together. What has to wait for something waits in a task.
    fn submit(&self, event: VerifiedEvent, source: Source, receipt: Receipt);

    /// At most `limit` events that match and that the viewer may see, unexpired, newest first, ties
    /// by lowest id; where the filter searches (NIP-50), the best first. A search is asked here
    /// alone, and only where [`Settings::search`](crate::Settings::search) says so.
    fn query(&self, filter: &Filter, limit: usize, asker: &Asker<'_>) -> Page;

    /// How many events match and may be seen by the viewer, whatever the filter's own limit.
    fn count(&self, filter: &Filter, asker: &Asker<'_>) -> usize;

    /// Hands on the author of every event that matches and may be seen by the viewer, once for each
    /// event, whatever the filter's own limit. For HyperLogLog (NIP-45), which looks at thousands:
    /// a backend that keeps authors in an index should not read the events.
    fn authors(&self, filter: &Filter, asker: &Asker<'_>, each: &mut dyn FnMut(&PublicKey));

    /// Time and id of at most `cap` matching events that the viewer may see, ascending by time and
    /// then id; where more match, any `cap` of them. For NIP-77 and for counting over filters.
    fn items(&self, filter: &Filter, cap: usize, asker: &Asker<'_>) -> Vec<(Timestamp, EventId)>;

    /// Position of the newest stored event, 0 for none. Whatever is stored at or below it must be
    /// visible to a [`query`](Backend::query) that starts afterwards, and whatever is stored above
    /// it later must be given to [`Relay::publish`](crate::Relay::publish).
    fn last_position(&self) -> u64;

    /// Whether conversations may be begun from this address.
    fn welcomes(&self, _address: &IpAddr) -> bool {
        true
    }

    /// Whether this viewer may read at all.
    ///
    /// # Errors
    /// The refusal for CLOSED; `auth-required:` makes the relay send a challenge first (NIP-42).
    fn may_read(&self, viewer: &Viewer) -> Result<(), Rejection>;
}

/// A stored event as it is sent: its bytes, shared, and where it stands in the order of storing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The event's canonical JSON.
    pub json: Bytes,
    /// Its place in the order in which events were stored; unique, growing, 1 or more;
    /// 0 for one that was made for whoever asks and is stored nowhere.
    pub position: u64,
}

/// What a query found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Newest first, ties by lowest id.
    pub events: Vec<Stored>,
    /// Whether nothing more matches beyond these.
    pub exhausted: bool,
}

/// A verdict in the sender's favour.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    /// What the OK says: empty, or `duplicate: …`, or `info: …`.
    pub message: String,
}

impl Accepted {
    /// Stored, nothing to say.
    #[must_use]
    pub const fn stored() -> Self {
        Self { message: String::new() }
    }

    /// The refusal of an ephemeral event that was handed to nobody (NIP-01).
    #[must_use]
    pub fn unheard() -> Rejection {
        Rejection::new(Prefix::Mute, "nobody was listening to this ephemeral event")
    }

    /// Stored long ago (NIP-01: `true`, with the prefix `duplicate:`).
    #[must_use]
    pub fn duplicate() -> Self {
        Self { message: "duplicate: this event is already stored here".into() }
    }

    /// Stored, with something for people to read.
    #[must_use]
    pub fn info(sentence: &str) -> Self {
        Self { message: format!("info: {sentence}") }
    }
}

/// Who asks, and how long it may take.
pub struct Asker<'a> {
    /// Who looks.
    pub viewer: &'a Viewer,
    go_on: &'a dyn Fn() -> bool,
    gave_up: Cell<bool>,
}

impl<'a> Asker<'a> {
    /// A question for a viewer, to be given up once `go_on` says no.
    #[must_use]
    pub const fn new(viewer: &'a Viewer, go_on: &'a dyn Fn() -> bool) -> Self {
        Self { viewer, go_on, gave_up: Cell::new(false) }
    }

    /// Whether to look further: to be asked every few hundred microseconds of a long look, with
    /// nothing locked. After a no the answer may be a part, because nobody will use it.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        if !self.gave_up() && !(self.go_on)() {
            self.gave_up.set(true);
        }
        !self.gave_up()
    }

    /// Whether an answer was given up.
    #[must_use]
    pub const fn gave_up(&self) -> bool {
        self.gave_up.get()
    }
}

/// Who is looking: the keys that authenticated on this connection (NIP-42), none for a stranger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewer {
    /// Every authenticated key.
    pub keys: BTreeSet<PublicKey>,
}

impl Viewer {
    /// Whether this viewer may see `event`: private kinds are for the parties they name in `p`
    /// tags, direct messages for their author too, everything else is for all
    /// ([`ayni_protocol::Kind::is_private`]).
    #[must_use]
    pub fn may_see(&self, event: &Event) -> bool {
        if !event.kind.is_private() {
            return true;
        }
        let party = |value: &str| value.parse().is_ok_and(|key| self.keys.contains(&key));
        event.kind == kind::DIRECT_MESSAGE && self.keys.contains(&event.pubkey)
            || event.tags.named("p").filter_map(Tag::value).any(party)
    }

    /// Whether this viewer may ask for this. A stranger who asks for private events alone would be
    /// shown none of them, and should rather hear that it is AUTH that is lacking.
    ///
    /// # Errors
    /// `auth-required:`, for CLOSED or NEG-ERR.
    pub(crate) fn may_ask(&self, filters: &[Filter]) -> Result<(), Rejection> {
        if self.keys.is_empty() && filters.iter().all(Filter::asks_privately) {
            let sentence = "messages between people are shown to their parties alone";
            return Err(Rejection::new(Prefix::AuthRequired, sentence));
        }
        Ok(())
    }

    /// Whether this filter names messages between people, which a stranger is not shown: what is
    /// shown of its answer is then not all there is.
    pub(crate) fn misses(&self, filter: &Filter) -> bool {
        self.keys.is_empty() && filter.names_private()
    }
}

/// Where a submitted event came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Address of the connection.
    pub address: IpAddr,
    /// Keys that authenticated on it.
    pub keys: BTreeSet<PublicKey>,
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys, Kind};

    use super::*;

    #[test]
    fn a_gift_wrap_is_for_its_parties_alone() {
        let [ana, ben, eve] = [1, 2, 3].map(|s| Keys::from_secret([s; 32]).unwrap());
        let viewer = |keys: &[&Keys]| Viewer { keys: keys.iter().map(|k| k.public()).collect() };
        for number in [1059, 21_059] {
            let wrap = Draft::new(Kind(number))
                .tag(["p", "not a key"])
                .tag(["p", &ben.public().to_string()])
                .sign(&ana, 1, [0; 32]);
            assert!(viewer(&[&eve, &ben]).may_see(&wrap));
            assert!(!viewer(&[]).may_see(&wrap));
            assert!(!viewer(&[&eve, &ana]).may_see(&wrap), "the author is a throwaway key");
        }
        let note = Draft::new(kind::NOTE).sign(&ana, 1, [0; 32]);
        assert!(viewer(&[]).may_see(&note));
    }

    #[test]
    fn a_direct_message_is_for_its_author_and_its_recipient() {
        let [ana, ben, eve] = [1, 2, 3].map(|s| Keys::from_secret([s; 32]).unwrap());
        let viewer = |keys: &[&Keys]| Viewer { keys: keys.iter().map(|k| k.public()).collect() };
        let message = Draft::new(kind::DIRECT_MESSAGE)
            .tag(["p", &ben.public().to_string()])
            .sign(&ana, 1, [0; 32]);
        assert!(viewer(&[&ana]).may_see(&message) && viewer(&[&eve, &ben]).may_see(&message));
        assert!(!viewer(&[]).may_see(&message) && !viewer(&[&eve]).may_see(&message));
    }
}
