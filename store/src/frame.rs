//! One event as it lies in the journal.
//!
//! ```text
//!   0          4          8                    16                   24
//!   ┌──────────┬──────────┬────────────────────┬────────────────────┐
//!   │ length   │ crc32c   │ position           │ created_at         │
//!   ├──────────┴──────────┼───────┬───────┬────┴─────┬──────────────┤
//!   │ expires_at          │ kind  │ flags │ hashes n │ n × hash u64 │
//!   ├─────────────────────┴───────┴───────┴──────────┴──────────────┤
//!   │ canonical JSON …                                              │
//!   └───────────────────────────────────────────────────────────────┘
//!   24                    32      34      36         40             40 + 8n
//! ```
//!
//! All numbers are little endian. `length` counts what follows the checksum; the checksum covers
//! the length and all that follows it. `expires_at` is the greatest number where nothing expires.
//! The hashes are those of [`crate::keyed::HashKey::of_event`]; id and author are read from the
//! JSON, where they have fixed places, because a second copy would cost a seventh of the disk.
//!
//! The flags say whether the first hash is that of an address, and whether the event is a request
//! to vanish that named this relay when it came: that must not change with the relay's addresses.
//! One more flag marks a frame that is no event but a removal: 32 bytes of id for each event that
//! was taken out by the operator or by retention, in place of the JSON, and a line end: no frame
//! ends in a zero, because zeros at the end of a segment are room that was made in advance.
//!
//! Deliberately absent: padding, compression and the signature's place. Frames begin wherever the
//! last one ended, so that every torn or flipped byte is noticed by the frame that holds it.

use ayni_protocol::{EventId, Kind, PublicKey, Timestamp, VerifiedEvent, hex};

use crate::Position;
use crate::keyed::HashKey;
use crate::rules;

/// Bytes before the hashes.
pub const HEAD: usize = 40;
/// Bytes before what `length` counts.
const LENGTH_AND_CHECKSUM: usize = 8;
/// The first hash is that of an address.
const HAS_ADDRESS: u16 = 1;
/// The event is a request to vanish from here.
const VANISHES: u16 = 2;
/// There is no event but a list of ids.
const REMOVES: u16 = 4;
/// What a list of ids ends in.
const REMOVAL_END: &[u8] = b"\n";
/// More places than any journal will have, and far from where a count would overflow.
pub const PLACES: u64 = 1 << 62;
/// `expires_at` of what never expires.
const NEVER: Timestamp = Timestamp::MAX;

/// A frame, read.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// Place in the order of acceptance.
    pub position: Position,
    /// The event's `created_at`.
    pub created_at: Timestamp,
    /// When its time is over.
    pub expires_at: Option<Timestamp>,
    /// Its kind.
    pub kind: Kind,
    /// Whether the first hash is that of its address.
    pub has_address: bool,
    /// Whether it is a request to vanish that named this relay.
    pub vanishes: bool,
    /// Whether it is no event, but takes out those it names: see [`Frame::removed`].
    pub removes: bool,
    /// Hashes, 8 bytes each.
    hashes: &'a [u8],
    /// The canonical JSON.
    pub json: &'a [u8],
    /// Bytes of the whole frame.
    pub length: usize,
}

/// Why the bytes at a place are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// They end before the frame does; at least so many bytes are needed from its start.
    Short(usize),
    /// The checksum does not fit, or the numbers contradict each other.
    Damaged,
}

/// Adds the frame of an event at the end of `out`; `vanishes` where it is a request to vanish that
/// names this relay.
pub fn write(
    event: &VerifiedEvent,
    position: Position,
    key: &HashKey,
    vanishes: bool,
    out: &mut Vec<u8>,
) {
    let (has_address, hashes) = key.of_event(event);
    let address_flag = if has_address { HAS_ADDRESS } else { 0 };
    let start = begin(hashes.len() * 8 + event.json().len(), position, out);
    out.extend(event.created_at.to_le_bytes());
    out.extend(rules::expires_at(event).unwrap_or(NEVER).to_le_bytes());
    out.extend(event.kind.0.to_le_bytes());
    out.extend((address_flag | if vanishes { VANISHES } else { 0 }).to_le_bytes());
    out.extend(narrow(hashes.len()).to_le_bytes());
    hashes.iter().for_each(|hash| out.extend(hash.to_le_bytes()));
    out.extend(event.json().as_bytes());
    seal(start, out);
}

/// Adds a frame that takes events out.
pub fn write_removal(ids: &[EventId], position: Position, out: &mut Vec<u8>) {
    let start = begin(size_of_val(ids) + REMOVAL_END.len(), position, out);
    out.extend([0; 8]);
    out.extend(NEVER.to_le_bytes());
    out.extend([0; 2]);
    out.extend(REMOVES.to_le_bytes());
    out.extend([0; 4]);
    ids.iter().for_each(|id| out.extend(id.0));
    out.extend(REMOVAL_END);
    seal(start, out);
}

/// Begins a frame whose head is followed by so many bytes; gives where.
fn begin(after_head: usize, position: Position, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend(narrow(HEAD - LENGTH_AND_CHECKSUM + after_head).to_le_bytes());
    out.extend([0; 4]);
    out.extend(position.0.to_le_bytes());
    start
}

/// Writes the checksum of the frame that began at `start`.
fn seal(start: usize, out: &mut [u8]) {
    let sum = checksum(out.get(start..).unwrap_or_default()).to_le_bytes();
    if let Some(place) = out.get_mut(start + 4..start + 8) {
        place.copy_from_slice(&sum);
    }
}

impl<'a> Frame<'a> {
    /// Reads and checks the frame at the start of `bytes`.
    pub fn check(bytes: &'a [u8]) -> Result<Self, Broken> {
        Self::check_whole(bytes).map(|(frame, _)| frame)
    }

    /// As [`Frame::check`], with the id and the author, unless it is a removal.
    pub fn check_whole(bytes: &'a [u8]) -> Result<(Self, Option<(EventId, PublicKey)>), Broken> {
        let head = bytes.get(..LENGTH_AND_CHECKSUM).ok_or(Broken::Short(HEAD))?;
        let length = LENGTH_AND_CHECKSUM + wide(u32_at(head, 0));
        if length < HEAD {
            return Err(Broken::Damaged);
        }
        let whole = bytes.get(..length).ok_or(Broken::Short(length))?;
        if checksum(whole) != u32_at(head, 4) {
            return Err(Broken::Damaged);
        }
        let frame = Self::read(whole).ok_or(Broken::Damaged)?;
        let identity = frame.id().zip(frame.author()).filter(|_| !frame.removes);
        let sound = if frame.removes {
            frame.json.as_chunks::<32>().1 == REMOVAL_END
        } else {
            identity.is_some() && frame.text().is_some()
        };
        let countable = frame.position.0 < PLACES;
        if sound && countable { Ok((frame, identity)) } else { Err(Broken::Damaged) }
    }

    /// Reads the frame at the start of `bytes`, which was checked before or written here.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let head = bytes.get(..HEAD)?;
        let length = LENGTH_AND_CHECKSUM + wide(u32_at(head, 0));
        let expires_at = u64_at(head, 24);
        let flags = u16_at(head, 34);
        let json_at = wide(u32_at(head, 36)).checked_mul(8)?.checked_add(HEAD)?;
        Some(Self {
            position: Position(u64_at(head, 8)),
            created_at: u64_at(head, 16),
            expires_at: (expires_at != NEVER).then_some(expires_at),
            kind: Kind(u16_at(head, 32)),
            has_address: flags & HAS_ADDRESS != 0,
            vanishes: flags & VANISHES != 0,
            removes: flags & REMOVES != 0,
            hashes: bytes.get(HEAD..json_at)?,
            json: bytes.get(json_at..length)?,
            length,
        })
    }

    /// The hashes, in their order.
    pub fn hashes(&self) -> impl Iterator<Item = u64> + use<'a> {
        self.hashes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// What it takes out, where it is a removal.
    pub fn removed(&self) -> impl Iterator<Item = EventId> + use<'a> {
        let ids = if self.removes { self.json } else { &[] };
        ids.as_chunks::<32>().0.iter().map(|id| EventId(*id))
    }

    /// Where in the frame its JSON begins.
    pub const fn json_at(&self) -> usize {
        HEAD + self.hashes.len()
    }

    /// The JSON as text.
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.json).ok()
    }

    /// The event's id: canonical JSON begins `{"id":"…64…","pubkey":"…64…"`.
    pub fn id(&self) -> Option<EventId> {
        self.hex_after(b"{\"id\":\"", 0).map(EventId)
    }

    /// The event's author.
    pub fn author(&self) -> Option<PublicKey> {
        self.hex_after(b"\",\"pubkey\":\"", 71).map(PublicKey)
    }

    fn hex_after(&self, before: &[u8], at: usize) -> Option<[u8; 32]> {
        let rest = self.json.get(at..)?.strip_prefix(before)?;
        hex::decode(std::str::from_utf8(rest.get(..64)?).ok()?).ok()
    }
}

/// CRC32C over the length and all that follows the checksum.
fn checksum(frame: &[u8]) -> u32 {
    let length = crc32c::crc32c(frame.get(..4).unwrap_or_default());
    crc32c::crc32c_append(length, frame.get(LENGTH_AND_CHECKSUM..).unwrap_or_default())
}

/// A `u32` as a length or an index.
pub fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A length or an index that was limited to 32 bits before.
pub fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A length, as files count.
pub fn long(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

pub(crate) fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let slice = bytes.get(at..).and_then(|rest| rest.first_chunk::<N>());
    slice.copied().unwrap_or([0; N])
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes_at(bytes, at))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes_at(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes_at(bytes, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ayni_protocol::{Draft, Keys, kind};

    fn sample() -> (VerifiedEvent, Vec<u8>) {
        let keys = Keys::from_secret([1; 32]).unwrap();
        let draft = Draft::new(kind::LISTING)
            .tag(["d", "bike"])
            .tag(["t", "two wheels"])
            .tag(["t", "two wheels"])
            .tag(["expiration", "2000"])
            .content("as new");
        let event = draft.sign(&keys, 1_000, [0; 32]);
        let mut bytes = Vec::new();
        write(&event, Position(7), &HashKey([3; 16]), false, &mut bytes);
        (event, bytes)
    }

    #[test]
    fn a_frame_is_read_as_it_is_written() {
        let (event, bytes) = sample();
        let frame = Frame::check(&bytes).unwrap();
        assert_eq!(frame.position, Position(7));
        assert_eq!((frame.created_at, frame.expires_at), (1_000, Some(2_000)));
        assert_eq!(frame.kind, kind::LISTING);
        assert_eq!(frame.id(), Some(event.id));
        assert_eq!(frame.author(), Some(event.pubkey));
        assert_eq!(frame.text(), Some(event.json()));
        assert!(frame.has_address && !frame.vanishes && !frame.removes);
        assert_eq!(frame.removed().count(), 0);
        assert_eq!(frame.hashes().count(), 3, "address, d and t");
        assert_eq!(frame.length, bytes.len());
        assert_eq!(&bytes[frame.json_at()..], event.json().as_bytes());
    }

    #[test]
    fn a_removal_is_read_as_it_is_written() {
        let ids = [EventId([1; 32]), EventId([0; 32])];
        let mut bytes = Vec::new();
        write_removal(&ids, Position(8), &mut bytes);
        let frame = Frame::check(&bytes).unwrap();
        assert!(frame.removes && frame.hashes().next().is_none() && frame.id().is_none());
        assert_eq!((frame.position, frame.length), (Position(8), bytes.len()));
        assert_eq!(frame.removed().collect::<Vec<_>>(), ids);
        assert_ne!(bytes.last(), Some(&0), "or it were taken for room made in advance");
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_noticed() {
        let (_, bytes) = sample();
        for at in 0..bytes.len() {
            assert!(matches!(Frame::check(&bytes[..at]), Err(Broken::Short(_))), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(Frame::check(&flipped).is_err(), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic() {
        for fill in [0, 1, 0x7f, 0xff] {
            assert!(Frame::check(&[fill; 200]).is_err());
            let _ = Frame::read(&[fill; 200]);
        }
    }
}
