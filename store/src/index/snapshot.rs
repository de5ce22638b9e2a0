//! The index as bytes, kept in sled from one run to the next.
//!
//! A snapshot vouches for a journal of certain lengths ([`Mark`]); what was appended later is read
//! from the journal and taken in on top. A snapshot that does not fit, is damaged or is of another
//! format is passed over, and the whole journal is read: nothing is ever lost with it.
//!
//! Slots are numbered anew by time, so that the list of all events needs no bytes of its own. All
//! numbers are little endian; lists begin with their length.

use std::thread;

use ayni_protocol::{Address, EventId, Kind, PublicKey};
use hashbrown::HashTable;

use super::Index;
use super::postings::Postings;
use super::slots::{Slot, SlotId};
use super::sorted::Sorted;
use super::tombstones::Tombstones;
use crate::disk::Disk;
use crate::frame::{narrow, wide};
use crate::keyed::HashKey;
use crate::recovery::Mark;
use crate::{Fault, Position, State};

/// The tree in sled.
const TREE: &str = "index";
/// The key of what says how long the snapshot is, and what its checksum.
const SEAL: &[u8] = b"seal";
/// Bytes that room is made for because a seal, which may be damaged, says so.
const LENGTH_TRUSTED: usize = 1 << 30;
/// Bytes of one value.
const CHUNK: usize = 128 << 10;
/// Bytes of a slot.
const SLOT: usize = 55;
/// The format that this release writes and reads.
const FORMAT: u32 = 2;

/// Keeps a snapshot.
pub fn keep(state: &State, index: &Index, mark: &Mark) -> Result<(), Fault> {
    forget(state)?;
    let mut out = Out::default();
    out.mark(mark);
    out.index(index);
    for (number, chunk) in (0_u32..).zip(out.0.chunks(CHUNK)) {
        state.put(TREE, &number.to_be_bytes(), chunk)?;
    }
    state.flush()?;
    let mut seal = Out::default();
    seal.u32(FORMAT);
    seal.length(out.0.len());
    seal.u32(crc32c::crc32c(&out.0));
    state.put(TREE, SEAL, &seal.0)?;
    state.flush()
}

/// Takes the snapshot away; done before anything that it would not fit.
pub fn forget(state: &State) -> Result<(), Fault> {
    // The seal first: without it the rest is nothing.
    state.remove(TREE, SEAL)?;
    state.flush()?;
    state.clear(TREE)
}

/// The snapshot that fits the journal on `disk`, if there is one.
pub fn load(state: &State, disk: &dyn Disk) -> Option<(Index, Mark)> {
    let seal = state.get(TREE, SEAL).ok().flatten()?;
    let mut seal = In(&seal);
    if seal.u32()? != FORMAT {
        return None;
    }
    let (length, sum) = (seal.length()?, seal.u32()?);
    let mut bytes = Vec::with_capacity(length.min(LENGTH_TRUSTED));
    let gathered = state.each(TREE, &mut |key, chunk| {
        if key != SEAL {
            bytes.extend_from_slice(chunk);
        }
        bytes.len() <= length
    });
    if gathered.is_err() || bytes.len() != length || crc32c::crc32c(&bytes) != sum {
        tracing::warn!("the snapshot of the index is damaged; the journal is read instead");
        return None;
    }
    let mut bytes = In(&bytes);
    let mark = bytes.mark()?;
    if !mark.fits(disk) {
        tracing::info!("the snapshot of the index is of another journal, which is read instead");
        return None;
    }
    Some((bytes.index()?, mark))
}

/// Bytes being written.
#[derive(Default)]
struct Out(Vec<u8>);

impl Out {
    fn u32(&mut self, number: u32) {
        self.0.extend(number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn length(&mut self, length: usize) {
        self.u64(u64::try_from(length).unwrap_or(u64::MAX));
    }

    fn mark(&mut self, mark: &Mark) {
        self.u64(mark.last.0);
        self.length(mark.ends.len());
        for (number, end) in &mark.ends {
            self.u32(*number);
            self.u64(*end);
        }
        let (segment, offset, position) = mark.tail.unwrap_or_default();
        self.u32(segment);
        self.u32(offset);
        self.u64(position.0);
    }

    fn index(&mut self, index: &Index) {
        self.0.extend(index.key.0);
        self.length(index.authors.len());
        index.authors.iter().for_each(|author| self.0.extend(author.0));
        let segments: Vec<_> = index.segments.iter().collect();
        self.length(segments.len());
        for (number, _, live) in segments {
            self.u32(number);
            self.u64(live);
        }
        let numbers = self.slots(index);
        let renumbered = |slot: &SlotId| numbers.get(wide(*slot)).copied().unwrap_or_default();
        self.length(index.heads.len());
        for (hash, slot) in &index.heads {
            self.u64(*hash);
            self.u32(renumbered(slot));
        }
        self.length(index.postings.keys());
        for (key, slots) in index.postings.iter() {
            self.u64(key);
            self.u32(narrow(slots.len()));
            slots.iter().for_each(|slot| self.u32(renumbered(slot)));
        }
        self.tombstones(&index.tombstones);
    }

    /// Writes the slots by time; gives the new number of each.
    fn slots(&mut self, index: &Index) -> Vec<SlotId> {
        let mut numbers = Vec::new();
        self.length(index.time.len());
        for (number, old) in (0..).zip(index.time.iter()) {
            let Some(slot) = index.slots.get(old) else { continue };
            if numbers.len() <= wide(old) {
                numbers.resize(wide(old) + 1, 0);
            }
            if let Some(place) = numbers.get_mut(wide(old)) {
                *place = number;
            }
            self.0.extend(slot.id.0);
            self.u64(slot.created_at);
            self.u32(slot.segment);
            self.u32(slot.offset);
            self.u32(slot.author);
            self.0.extend(slot.kind.0.to_le_bytes());
            self.0.push(u8::from(slot.expires));
        }
        numbers
    }

    fn tombstones(&mut self, tombstones: &Tombstones) {
        self.length(tombstones.ids.len());
        for ((author, id), time) in &tombstones.ids {
            self.0.extend(author.0);
            self.0.extend(id.0);
            self.u64(*time);
        }
        self.length(tombstones.addresses.len());
        for (address, until) in &tombstones.addresses {
            self.0.extend(address.kind.0.to_le_bytes());
            self.0.extend(address.author.0);
            self.length(address.identifier.len());
            self.0.extend(address.identifier.as_bytes());
            self.u64(*until);
        }
        self.length(tombstones.vanished.len());
        for (author, until) in &tombstones.vanished {
            self.0.extend(author.0);
            self.u64(*until);
        }
    }
}

/// Bytes being read; nothing where they end too early.
struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        self.u64().and_then(|length| usize::try_from(length).ok())
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.length()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn mark(&mut self) -> Option<Mark> {
        let mut mark = Mark { last: Position(self.u64()?), ..Mark::default() };
        for _ in 0..self.length()? {
            mark.ends.insert(self.u32()?, self.u64()?);
        }
        let tail = (self.u32()?, self.u32()?, Position(self.u64()?));
        mark.tail = (tail.0 > 0).then_some(tail);
        Some(mark)
    }

    fn index(&mut self) -> Option<Index> {
        let mut index = Index::new(HashKey(self.array()?));
        for _ in 0..self.length()? {
            index.authors.number(PublicKey(self.array()?));
        }
        for _ in 0..self.length()? {
            let (number, live) = (self.u32()?, self.u64()?);
            index.segments.expect_live(number, live);
        }
        let slots = self.length()?;
        let (of_slots, rest) = self.0.split_at_checked(slots.checked_mul(SLOT)?)?;
        // Two halves of about as much work, neither of which needs the other.
        let (heads, postings, tombstones) = thread::scope(|scope| {
            let lists = scope.spawn(move || {
                let mut rest = In(rest);
                Some((rest.heads()?, rest.postings()?, rest.tombstones()?))
            });
            In(of_slots).slots(slots, &mut index)?;
            lists.join().ok()?
        })?;
        let mut index = Index { heads, postings, tombstones, ..index };
        index.begin_lists();
        Some(index)
    }

    fn heads(&mut self) -> Option<HashTable<(u64, SlotId)>> {
        let length = self.length()?;
        let mut heads = HashTable::with_capacity(length.min(self.0.len()));
        for _ in 0..length {
            let (hash, slot) = (self.u64()?, self.u32()?);
            heads.insert_unique(hash, (hash, slot), |(hash, _)| *hash);
        }
        Some(heads)
    }

    fn postings(&mut self) -> Option<Postings> {
        let mut postings = Postings::default();
        let keys = self.length()?;
        postings.reserve(keys.min(self.0.len()));
        let mut slots = Vec::new();
        for _ in 0..keys {
            let (key, length) = (self.u64()?, self.u32()?);
            slots.clear();
            for _ in 0..length {
                slots.push(self.u32()?);
            }
            postings.put(key, &slots);
        }
        Some(postings)
    }

    fn slots(&mut self, length: usize, index: &mut Index) -> Option<()> {
        let key = index.key;
        index.ids.reserve(length.min(self.0.len()), |_| 0);
        let mut ordered = Vec::with_capacity(length.min(self.0.len()));
        for _ in 0..length {
            let id = EventId(self.array()?);
            let slot = index.slots.add(Slot {
                id,
                created_at: self.u64()?,
                segment: self.u32()?,
                offset: self.u32()?,
                author: self.u32()?,
                kind: Kind(self.u16()?),
                expires: self.array()? != [0],
            });
            let Index { slots, ids, .. } = index;
            let hash = |slot: &SlotId| slots.get(*slot).map_or(0, |slot| key.id(&slot.id));
            ids.insert_unique(key.id(&id), slot, hash);
            ordered.push(slot);
        }
        index.time = Sorted::from_ordered(&ordered);
        Some(())
    }

    fn tombstones(&mut self) -> Option<Tombstones> {
        let mut tombstones = Tombstones::default();
        for _ in 0..self.length()? {
            let deleted = (PublicKey(self.array()?), EventId(self.array()?));
            tombstones.ids.insert(deleted, self.u64()?);
        }
        for _ in 0..self.length()? {
            let (kind, author) = (Kind(self.u16()?), PublicKey(self.array()?));
            let address = Address { kind, author, identifier: self.text()?.into() };
            tombstones.addresses.insert(address, self.u64()?);
        }
        for _ in 0..self.length()? {
            tombstones.vanished.insert(PublicKey(self.array()?), self.u64()?);
        }
        Some(tombstones)
    }
}
