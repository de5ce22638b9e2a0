//! The index of a whole journal, made in one go: what a start without a snapshot waits for.
//!
//! Frame by frame, an event would be put into some seven lists, each a wait for memory. Here the
//! threads that check the frames also note what the index needs of them ([`Arrivals`]), while the
//! bytes are at hand; one pass in the order of acceptance settles what is live ([`Build`]), segment
//! by segment while the next ones come from the disk; and the lists are made by sorting pairs of
//! list and place, in shards small enough to stay near the processor.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use ayni_protocol::{EventId, Kind, PublicKey, Timestamp};
use bytes::Bytes;

use super::authors::Authors;
use super::slots::{Slot, SlotId};
use super::sorted::Sorted;
use super::{Index, Newcomer};
use crate::frame::{Frame, narrow, wide};
use crate::keyed::HashKey;

/// Parts that the lists are made in.
const SHARDS: usize = 64;
/// Events up to which one thread makes the lists.
const ALONE: usize = if cfg!(test) { 20 } else { 10_000 };
/// The bits of a list's key that say in which shard it is. The table of lists is indexed by its
/// lowest bits, so a shard fills a few pages of it and not all.
const SHARD_SHIFT: u32 = 8;

/// A list, and the place of an event in the order of all.
type Pair = (u64, u32);

/// What the index needs of one frame.
#[derive(Debug)]
struct Arrival {
    id: EventId,
    id_hash: u64,
    created_at: Timestamp,
    offset: u32,
    length: u32,
    /// The number of its author in these arrivals.
    author: u32,
    /// Where its hashes end; they begin where those before it end.
    hashes_end: u32,
    kind: Kind,
    expires: bool,
    has_address: bool,
    vanishes: bool,
    removes: bool,
}

/// The frames of one segment, in their order.
#[derive(Debug)]
pub struct Arrivals {
    key: HashKey,
    authors: Authors,
    all: Vec<Arrival>,
    hashes: Vec<u64>,
}

impl Arrivals {
    /// None yet, of a journal with this key.
    pub const fn new(key: HashKey) -> Self {
        Self { key, authors: Authors::new(key), all: Vec::new(), hashes: Vec::new() }
    }

    /// Notes a frame that begins at `offset`. Only a removal has no identity.
    pub fn add(&mut self, frame: &Frame<'_>, identity: Option<(EventId, PublicKey)>, offset: u32) {
        let (id, author) = identity.unwrap_or((EventId([0; 32]), PublicKey([0; 32])));
        self.hashes.extend(frame.hashes());
        self.all.push(Arrival {
            id,
            id_hash: self.key.id(&id),
            created_at: frame.created_at,
            offset,
            length: narrow(frame.length),
            author: self.authors.number(author),
            hashes_end: narrow(self.hashes.len()),
            kind: frame.kind,
            expires: frame.expires_at.is_some(),
            has_address: frame.has_address,
            vanishes: frame.vanishes,
            removes: frame.removes,
        });
    }

    /// The hashes of an arrival: first its address, if it has one, then its tags.
    fn hashes(&self, at: usize) -> &[u64] {
        let end = |at: usize| self.all.get(at).map_or(0, |arrival| wide(arrival.hashes_end));
        let start = at.checked_sub(1).map_or(0, end);
        self.hashes.get(start..end(at)).unwrap_or_default()
    }

    /// The lists of its tags.
    fn tags(&self, at: usize) -> &[u64] {
        let skipped = usize::from(self.all.get(at).is_some_and(|arrival| arrival.has_address));
        self.hashes(at).get(skipped..).unwrap_or_default()
    }
}

/// Where the arrival of a slot is: in which segment's arrivals, and at which place.
type Origin = (usize, usize);

/// An index in the making. What a segment holds is settled while later ones are still being read.
#[derive(Debug, Default)]
pub struct Build {
    index: Option<Index>,
    segments: Vec<(u32, Arrivals)>,
    origins: Vec<Origin>,
}

impl Build {
    /// Takes in the arrivals of a segment, but for the lists; so many more segments are to come.
    pub fn settle(&mut self, number: u32, bytes: &Bytes, arrivals: Arrivals, left: usize) {
        let index = self.index.get_or_insert_with(|| {
            let mut index = Index::new(arrivals.key);
            index.lists_wait = true;
            index.ids.reserve(arrivals.all.len() * (left + 1), |_| 0);
            index
        });
        index.segments.publish(number, bytes.clone());
        index.settle(self.segments.len(), number, &arrivals, &mut self.origins);
        self.segments.push((number, arrivals));
    }

    /// The index, with its lists; nothing where no segment came.
    pub fn finish(self) -> Option<Index> {
        let Self { index, segments, origins } = self;
        let mut index = index?;
        index.lists_wait = false;
        index.make_lists(&segments, &origins);
        Some(index)
    }
}

impl Index {
    fn make_lists(&mut self, segments: &[(u32, Arrivals)], origins: &[Origin]) {
        let order = self.live_by_age();
        self.time = Sorted::from_ordered(&order);
        let shards = self.shards(segments, origins, &order);
        self.postings.reserve(shards.iter().map(|shard| lists_in(shard).count()).sum());
        let mut slots = Vec::new();
        for shard in shards {
            for list in lists_in(&shard) {
                slots.clear();
                slots.extend(list.iter().filter_map(|(_, place)| order.get(wide(*place))));
                self.postings.put(list.first().map_or(0, |(key, _)| *key), &slots);
            }
        }
        self.begin_lists();
    }

    /// Takes in the arrivals of a segment, but for the lists.
    fn settle(
        &mut self,
        which: usize,
        number: u32,
        arrivals: &Arrivals,
        origins: &mut Vec<Origin>,
    ) {
        let Some(bytes) = self.segments.bytes(number).cloned() else { return };
        let authors: Vec<_> =
            arrivals.authors.iter().map(|author| self.authors.number(*author)).collect();
        for (at, arrival) in arrivals.all.iter().enumerate() {
            if arrival.removes {
                let frame = bytes.get(wide(arrival.offset)..).and_then(Frame::read);
                let removed = frame.into_iter().flat_map(|frame| frame.removed());
                removed.for_each(|id| self.remove_by_id(&id));
                continue;
            }
            let newcomer = Newcomer {
                slot: Slot {
                    id: arrival.id,
                    created_at: arrival.created_at,
                    segment: number,
                    offset: arrival.offset,
                    author: authors.get(wide(arrival.author)).copied().unwrap_or_default(),
                    kind: arrival.kind,
                    expires: arrival.expires,
                },
                id_hash: arrival.id_hash,
                address: arrivals.hashes(at).first().copied().filter(|_| arrival.has_address),
                length: wide(arrival.length),
                vanishes: arrival.vanishes,
            };
            let Some(slot) = self.enter(&bytes, &newcomer).map(wide) else { continue };
            if origins.len() <= slot {
                origins.resize(slot + 1, (0, 0));
            }
            if let Some(origin) = origins.get_mut(slot) {
                *origin = (which, at);
            }
        }
    }

    /// All live slots, oldest first.
    fn live_by_age(&self) -> Vec<SlotId> {
        let mut ids: Vec<_> = self.ids.iter().copied().collect();
        // Numbers were given in the order of arrival, so the slots are read as they lie.
        ids.sort_unstable();
        let of_time = |id: SlotId| {
            let slot = self.slots.get(id)?;
            let first = slot.id.0.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            // Of one time the highest id comes first.
            Some((slot.created_at, !first, id))
        };
        let mut live: Vec<_> = ids.into_iter().filter_map(of_time).collect();
        live.sort_unstable_by(|one, other| {
            let by_age = || self.slots.age(one.2).cmp(&self.slots.age(other.2));
            (one.0, one.1).cmp(&(other.0, other.1)).then_with(by_age)
        });
        live.into_iter().map(|(.., id)| id).collect()
    }

    /// Every event under every list it is in, sorted by list and then by age.
    fn shards(
        &self,
        segments: &[(u32, Arrivals)],
        origins: &[Origin],
        order: &[SlotId],
    ) -> Vec<Vec<Pair>> {
        // A thread costs as much as some hundred events.
        let processors = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = if order.len() < ALONE { 1 } else { processors().min(SHARDS) };
        let author_keys: Vec<_> =
            self.authors.iter().map(|author| self.key.author(author)).collect();
        let part = order.len().div_ceil(threads).max(1);
        let hashes: usize = segments.iter().map(|(_, arrivals)| arrivals.hashes.len()).sum();
        let room = (part * 3 + hashes / threads) / SHARDS * 9 / 8;
        let gathered = at_once(order.chunks(part).enumerate(), |(number, ids)| {
            let mut shards: Vec<_> = (0..SHARDS).map(|_| Vec::with_capacity(room)).collect();
            for (place, id) in (number * part..).zip(ids) {
                self.pairs_of(*id, narrow(place), segments, origins, &author_keys, &mut shards);
            }
            shards
        });
        let mut shards = vec![Vec::new(); SHARDS];
        for part in gathered {
            for (shard, pairs) in shards.iter_mut().zip(part) {
                if shard.is_empty() { *shard = pairs } else { shard.extend(pairs) }
            }
        }
        at_once(shards.chunks_mut(SHARDS.div_ceil(threads)), |some| {
            some.iter_mut().for_each(|shard: &mut Vec<Pair>| shard.sort_unstable());
        });
        shards
    }

    fn pairs_of(
        &self,
        id: SlotId,
        place: u32,
        segments: &[(u32, Arrivals)],
        origins: &[Origin],
        author_keys: &[u64],
        shards: &mut [Vec<Pair>],
    ) -> Option<()> {
        let slot = self.slots.get(id)?;
        let author = self.authors.get(wide(slot.author))?;
        let (which, at) = origins.get(wide(id))?;
        let (_, arrivals) = segments.get(*which)?;
        let own = [
            *author_keys.get(wide(slot.author))?,
            self.key.kind(slot.kind),
            self.key.author_kind(author, slot.kind),
        ];
        for list in own.iter().chain(arrivals.tags(*at)) {
            let shard = usize::try_from(list >> SHARD_SHIFT).unwrap_or_default() % SHARDS;
            shards.get_mut(shard)?.push((*list, place));
        }
        Some(())
    }
}

/// Does some work for each part at once, the first of them here.
fn at_once<P: Send, R: Send>(
    mut parts: impl Iterator<Item = P>,
    work: impl Fn(P) -> R + Sync,
) -> Vec<R> {
    thread::scope(|scope| {
        let (first, work) = (parts.next(), &work);
        let spawned: Vec<_> = parts.map(|part| scope.spawn(move || work(part))).collect();
        let here = first.into_iter().map(work);
        let join = |part: thread::ScopedJoinHandle<'_, R>| {
            part.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        here.chain(spawned.into_iter().map(join)).collect()
    })
}

/// The pairs of every list of a shard.
fn lists_in(shard: &[Pair]) -> impl Iterator<Item = &[Pair]> {
    shard.chunk_by(|one, other| one.0 == other.0)
}
