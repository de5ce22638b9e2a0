//! Where every live event is, in memory, built from the journal.
//!
//! An event has one slot; the slot's number stands in lists that are sorted for newest-first
//! scans: all events by time, and by author, kind, author with kind, and every indexed tag. What is
//! replaced or deleted leaves the index at once and the journal when it is compacted.
//!
//! The index decides nothing: what is appended was accepted before (see `intake.rs`), and reading
//! the journal again does to the index what appending did.
//!
//! Deliberately absent: the events. Their bytes are read through the map of their segment.

mod authors;
pub mod build;
mod segments;
pub mod slots;
mod sorted;
pub mod tombstones;

mod postings;
pub mod scan;
pub mod snapshot;

use ayni_protocol::{Address, Event, EventId, Kind, PublicKey, Timestamp, kind};
use bytes::Bytes;
use hashbrown::HashTable;

use crate::Stored;
use crate::frame::{Frame, narrow, wide};
use crate::keyed::HashKey;
use crate::rules::{self, Target};
use authors::Authors;
use postings::Postings;
pub use segments::Segments;
use slots::{Slot, SlotId, Slots};
use sorted::Sorted;
use tombstones::Tombstones;

/// An event on its way into the index.
struct Newcomer {
    slot: Slot,
    id_hash: u64,
    /// The hash of its address, if it has one.
    address: Option<u64>,
    /// Bytes of its frame.
    length: usize,
    vanishes: bool,
}

/// The index of one journal.
#[derive(Debug)]
pub struct Index {
    key: HashKey,
    /// The mapped journal.
    pub segments: Segments,
    slots: Slots,
    ids: HashTable<SlotId>,
    authors: Authors,
    /// The one event of every address, by the address's hash.
    heads: HashTable<(u64, SlotId)>,
    time: Sorted,
    postings: Postings,
    tombstones: Tombstones,
    /// While a whole journal is read, the sorted lists wait: see [`build`].
    lists_wait: bool,
}

impl Index {
    /// An index of nothing yet.
    pub fn new(key: HashKey) -> Self {
        Self {
            key,
            segments: Segments::default(),
            slots: Slots::default(),
            ids: HashTable::new(),
            authors: Authors::new(key),
            heads: HashTable::new(),
            time: Sorted::default(),
            postings: Postings::default(),
            tombstones: Tombstones::default(),
            lists_wait: false,
        }
    }

    /// The key of its hashes.
    pub const fn key(&self) -> HashKey {
        self.key
    }

    /// How many events are live.
    pub const fn len(&self) -> usize {
        self.time.len()
    }

    /// How many live events are of a kind.
    pub fn count_of_kind(&self, kind: Kind) -> usize {
        self.postings.len(self.key.kind(kind))
    }

    /// What was deleted.
    pub const fn tombstones(&self) -> &Tombstones {
        &self.tombstones
    }

    /// The slot of an id.
    pub fn find(&self, id: &EventId) -> Option<SlotId> {
        self.find_hashed(self.key.id(id), id)
    }

    fn find_hashed(&self, hash: u64, id: &EventId) -> Option<SlotId> {
        let is_it = |slot: &SlotId| self.slots.get(*slot).is_some_and(|slot| slot.id == *id);
        self.ids.find(hash, is_it).copied()
    }

    /// The event that stands at an address.
    pub fn head(&self, address: &Address) -> Option<Slot> {
        let slot = self.find_head(self.key.address(address), address)?;
        self.slots.get(slot).copied()
    }

    /// The event of a slot as it is stored.
    pub fn stored(&self, slot: &Slot) -> Option<Stored> {
        let bytes = self.segments.bytes(slot.segment)?;
        let start = wide(slot.offset);
        let frame = Frame::read(bytes.get(start..)?)?;
        let json = start + frame.json_at()..start + frame.length;
        Some(Stored { position: frame.position, json: bytes.slice(json) })
    }

    /// A slot by its number.
    pub fn slot(&self, id: SlotId) -> Option<&Slot> {
        self.slots.get(id)
    }

    /// The frame of a slot.
    pub fn frame(&self, slot: &Slot) -> Option<Frame<'_>> {
        Frame::read(self.segments.bytes(slot.segment)?.get(wide(slot.offset)..)?)
    }

    /// Whether the slot's time is over.
    pub fn is_expired(&self, slot: &Slot, now: Timestamp) -> bool {
        slot.expires
            && self
                .frame(slot)
                .and_then(|frame| frame.expires_at)
                .is_some_and(|expires_at| expires_at <= now)
    }

    /// Takes in the frame at a place of a segment, and gives its length. What it replaces or
    /// deletes leaves. Nothing for a place where no frame is.
    pub fn apply(&mut self, segment: u32, offset: u32) -> Option<u32> {
        let bytes = self.segments.bytes(segment)?.clone();
        let frame = Frame::read(bytes.get(wide(offset)..)?)?;
        let length = narrow(frame.length);
        if frame.removes {
            frame.removed().for_each(|id| self.remove_by_id(&id));
            return Some(length);
        }
        let (id, author) = (frame.id()?, frame.author()?);
        let newcomer = Newcomer {
            slot: Slot {
                id,
                created_at: frame.created_at,
                segment,
                offset,
                author: self.authors.number(author),
                kind: frame.kind,
                expires: frame.expires_at.is_some(),
            },
            id_hash: self.key.id(&id),
            address: frame.hashes().next().filter(|_| frame.has_address),
            length: frame.length,
            vanishes: frame.vanishes,
        };
        if let Some(slot) = self.enter(&bytes, &newcomer) {
            self.time.add(slot, &self.slots);
            for list in lists(self.key, &frame, &author) {
                self.postings.add(list, slot, &self.slots);
            }
        }
        Some(length)
    }

    /// Takes in an event of a segment with these bytes, but for the lists; what it replaces or
    /// deletes leaves. Nothing for one that is here.
    fn enter(&mut self, bytes: &Bytes, new: &Newcomer) -> Option<SlotId> {
        if self.find_hashed(new.id_hash, &new.slot.id).is_some() {
            return None;
        }
        self.replace(bytes, new);
        let slot = self.slots.add(new.slot);
        let Self { key, slots, ids, .. } = self;
        let hash = |slot: &SlotId| slots.get(*slot).map_or(0, |slot| key.id(&slot.id));
        ids.insert_unique(new.id_hash, slot, hash);
        if let Some(hash) = new.address {
            self.heads.insert_unique(hash, (hash, slot), |(hash, _)| *hash);
        }
        self.segments.gain(new.slot.segment, new.length);
        if new.slot.kind == kind::DELETION
            && let Some(deletion) = event_at(bytes, new.slot.offset)
        {
            self.delete_targets(&deletion);
        }
        if new.vanishes
            && let Some(author) = self.authors.get(wide(new.slot.author))
        {
            self.tombstones.vanish(*author, new.slot.created_at);
        }
        Some(slot)
    }

    fn remove_by_id(&mut self, id: &EventId) {
        if let Some(slot) = self.find(id) {
            self.remove(slot);
        }
    }

    /// Takes out at most `most` events that went with their author up to `until`, or gift wraps for
    /// them; whether there may be more. An author may have written much, and readers wait.
    pub fn sweep(&mut self, author: &PublicKey, until: Timestamp, most: usize) -> bool {
        let within = |age: slots::Age| age.0 <= until;
        let own = self.postings.run(self.key.author(author), &self.slots, within);
        let is_own = |slot: &Slot| self.authors.get(wide(slot.author)) == Some(author);
        let own = own.filter(|id| {
            self.slots.get(*id).is_some_and(|slot| is_own(slot) && rules::is_vanishable(slot.kind))
        });
        let addressed = self.key.tag(b'p', &author.to_string());
        let wraps = self.postings.run(addressed, &self.slots, within).filter(|id| {
            let slot = self.slots.get(*id).filter(|slot| slot.kind == kind::GIFT_WRAP);
            slot.and_then(|slot| self.event(slot))
                .is_some_and(|wrap| rules::deleters(&wrap).any(|key| key == *author))
        });
        let doomed: Vec<_> = own.chain(wraps).take(most).collect();
        for id in &doomed {
            self.remove(*id);
        }
        doomed.len() == most
    }

    /// Takes out all that went with authors who vanished.
    pub fn sweep_all(&mut self) {
        for (author, until) in self.tombstones.vanished.clone() {
            self.sweep(&author, until, usize::MAX);
        }
    }

    /// Takes an event out.
    pub fn remove(&mut self, id: SlotId) -> Option<()> {
        let slot = *self.slots.get(id)?;
        let bytes = self.segments.bytes(slot.segment)?.clone();
        let frame = Frame::read(bytes.get(wide(slot.offset)..)?)?;
        let author = *self.authors.get(wide(slot.author))?;
        if !self.lists_wait {
            self.time.remove(id, &self.slots);
            for list in lists(self.key, &frame, &author) {
                self.postings.remove(list, id, &self.slots);
            }
        }
        if let Ok(place) = self.ids.find_entry(self.key.id(&slot.id), |other| *other == id) {
            place.remove();
        }
        if let Some(hash) = frame.hashes().next().filter(|_| frame.has_address)
            && let Ok(place) = self.heads.find_entry(hash, |(_, other)| *other == id)
        {
            place.remove();
        }
        self.segments.lose(slot.segment, frame.length);
        self.slots.remove(id);
        Some(())
    }

    /// Takes out the version that this one replaces.
    fn replace(&mut self, bytes: &Bytes, new: &Newcomer) -> Option<()> {
        let hash = new.address?;
        let stands_there = |(other, id): &(u64, SlotId)| {
            *other == hash && self.have_one_address(bytes, &new.slot, *id) == Some(true)
        };
        let old = self.heads.find(hash, stands_there).map(|(_, id)| *id)?;
        self.remove(old)
    }

    /// Whether two versions of one hash are of one address. Most have no identifier; only then are
    /// the events themselves read.
    fn have_one_address(&self, bytes: &Bytes, new: &Slot, old: SlotId) -> Option<bool> {
        let old = self.slots.get(old)?;
        if (old.kind, old.author) != (new.kind, new.author) {
            return Some(false);
        }
        if new.kind.class() == kind::Class::Replaceable {
            return Some(true);
        }
        let event = event_at(bytes, new.offset)?;
        Some(self.identifier(old)? == kind::identifier(&event))
    }

    fn find_head(&self, hash: u64, address: &Address) -> Option<SlotId> {
        let stands_there = |id: SlotId| {
            let slot = self.slots.get(id)?;
            let author = self.authors.get(wide(slot.author))?;
            let alike = slot.kind == address.kind && *author == address.author;
            // Most addresses have no identifier; only then is the event itself read.
            Some(alike && *self.identifier(slot)? == *address.identifier)
        };
        let found = |(other, id): &(u64, SlotId)| *other == hash && stands_there(*id) == Some(true);
        self.heads.find(hash, found).map(|(_, id)| *id)
    }

    fn identifier(&self, slot: &Slot) -> Option<String> {
        if slot.kind.class() == kind::Class::Replaceable {
            return Some(String::new());
        }
        let event = Event::parse(self.frame(slot)?.text()?).ok()?;
        Some(kind::identifier(&event).to_owned())
    }

    /// Remembers a deletion and takes out what it names.
    fn delete_targets(&mut self, deletion: &Event) {
        self.tombstones.bury(deletion);
        for target in rules::targets(deletion) {
            let doomed = match &target {
                Target::Id(id) => self.find(id).filter(|slot| self.may_delete(*slot, deletion)),
                Target::Address(address) => {
                    self.find_head(self.key.address(address), address).filter(|slot| {
                        self.slots
                            .get(*slot)
                            .is_some_and(|slot| slot.created_at <= deletion.created_at)
                    })
                }
            };
            if let Some(slot) = doomed {
                self.remove(slot);
            }
        }
    }

    fn may_delete(&self, id: SlotId, deletion: &Event) -> bool {
        let Some(slot) = self.slots.get(id) else { return false };
        if !rules::is_deletable(slot.kind) {
            return false;
        }
        let is_author = self.authors.get(wide(slot.author)) == Some(&deletion.pubkey);
        is_author
            || slot.kind == kind::GIFT_WRAP
                && self.event(slot).is_some_and(|event| {
                    rules::deleters(&event).any(|deleter| deleter == deletion.pubkey)
                })
    }

    /// The author of a slot's event.
    pub fn author(&self, slot: &Slot) -> Option<&PublicKey> {
        self.authors.get(wide(slot.author))
    }

    /// The event of a slot, parsed.
    pub fn event(&self, slot: &Slot) -> Option<Event> {
        Event::parse(self.frame(slot)?.text()?).ok()
    }

    /// Takes in all frames of a segment from a place on.
    pub fn apply_all(&mut self, segment: u32, from: u32) {
        let mut at = Some(from);
        while let Some(offset) = at {
            at = self.apply(segment, offset).and_then(|length| offset.checked_add(length));
        }
    }

    /// Live events of a segment in the order of their frames: where each begins, and its slot.
    pub fn live_in(&self, segment: u32) -> Vec<(u32, SlotId)> {
        let of_segment = |id: SlotId| {
            let slot = self.slots.get(id).filter(|slot| slot.segment == segment)?;
            Some((slot.offset, id))
        };
        let mut live: Vec<_> = self.time.iter().filter_map(of_segment).collect();
        live.sort_unstable();
        live
    }

    /// The slots of all live events, oldest first.
    pub fn by_age(&self) -> Vec<SlotId> {
        self.time.iter().collect()
    }

    /// Slots whose time is over.
    pub fn expired(&self, now: Timestamp) -> Vec<SlotId> {
        let is_over =
            |id: &SlotId| self.slots.get(*id).is_some_and(|slot| self.is_expired(slot, now));
        self.time.iter().filter(is_over).collect()
    }

    /// Follows frames that moved when their segment was written anew: slot, old place, new place.
    pub fn moved(&mut self, segment: u32, view: Bytes, moves: &[(SlotId, u32, u32)]) {
        let mut live = 0;
        for (id, from, to) in moves {
            let still = |slot: &&mut Slot| slot.segment == segment && slot.offset == *from;
            let Some(slot) = self.slots.get_mut(*id).filter(still) else { continue };
            slot.offset = *to;
            let event = slot.id;
            // It may have left while it was copied, and its slot still says what it said.
            if self.find(&event) == Some(*id) {
                let frame = view.get(wide(*to)..).and_then(Frame::read);
                live += frame.map_or(0, |frame| frame.length);
            }
        }
        self.segments.replace(segment, view, live);
    }

    /// Whether a frame is that of a live event. An event may have come twice, if in between a
    /// version that had replaced it was deleted: so its place decides.
    pub fn is_live(&self, frame: &Frame<'_>) -> bool {
        let id = if frame.removes { None } else { frame.id() };
        let slot = id.and_then(|id| self.slots.get(self.find(&id)?));
        slot.and_then(|slot| self.frame(slot)).is_some_and(|live| live.position == frame.position)
    }

    /// Notes where the blocks of the lists begin, after they were put in whole.
    fn begin_lists(&mut self) {
        self.time.begin(&self.slots);
        self.postings.begin(&self.slots);
    }

    /// Bytes of memory it takes, tombstones aside.
    pub fn bytes(&self) -> usize {
        self.slots.bytes()
            + self.ids.allocation_size()
            + self.authors.bytes()
            + self.heads.allocation_size()
            + self.time.bytes()
            + self.postings.bytes()
    }
}

/// The event whose frame begins at a place.
fn event_at(bytes: &Bytes, offset: u32) -> Option<Event> {
    Event::parse(Frame::read(bytes.get(wide(offset)..)?)?.text()?).ok()
}

/// The keys of all lists that an event is in.
fn lists<'a>(
    key: HashKey,
    frame: &Frame<'a>,
    author: &PublicKey,
) -> impl Iterator<Item = u64> + use<'a> {
    [key.author(author), key.kind(frame.kind), key.author_kind(author, frame.kind)]
        .into_iter()
        .chain(frame.hashes().skip(usize::from(frame.has_address)))
}
