//! Reading the journal back as events, for a state that is folded from it.
//!
//! A community's books are a small part of what its relay keeps, so an event is parsed only if its
//! kind is wanted, and the kind stands in the head of its frame.

use ayni_protocol::{Kind, VerifiedEvent};
use bytes::Bytes;

use crate::frame::Frame;
use crate::journal::{HEAD, Head};
use crate::{DiskStore, Position};

/// Frames that a walk through the journal looks at before it hands them on.
const WALK: usize = if cfg!(test) { 3 } else { 256 };

impl DiskStore {
    /// Every live event of a wanted kind, in the order they were accepted.
    pub fn replay(&self, wanted: impl Fn(Kind) -> bool, mut each: impl FnMut(&VerifiedEvent)) {
        self.walk(&|frame| wanted(frame.kind), Position(0), &mut |frame| {
            if let Some(event) = frame.text().and_then(VerifiedEvent::from_own_journal) {
                each(&event);
            }
            true
        });
    }

    /// Walks through the journal from a place on and hands on the wanted frames of live events.
    pub(crate) fn walk(
        &self,
        wanted: &dyn Fn(&Frame<'_>) -> bool,
        from: Position,
        each: &mut dyn FnMut(&Frame<'_>) -> bool,
    ) {
        let segments = self.read().segments.clone();
        let views: Vec<_> = segments.iter().map(|(_, bytes, _)| bytes).collect();
        let ends_before = |next: &&Bytes| Head::read(next).is_ok_and(|head| head.next <= from);
        let skipped = views.iter().skip(1).take_while(|view| ends_before(view)).count();
        for bytes in views.into_iter().skip(skipped) {
            let mut at = HEAD;
            while let Some(mut frames) = frames_at(bytes, at).filter(|frames| !frames.is_empty()) {
                at += frames.iter().map(|frame| frame.length).sum::<usize>();
                frames.retain(|frame| wanted(frame));
                if !frames.is_empty() {
                    let index = self.read();
                    frames.retain(|frame| index.is_live(frame));
                }
                if !frames.iter().all(&mut *each) {
                    return;
                }
            }
        }
    }
}

/// The next frames of a segment.
fn frames_at(bytes: &[u8], mut at: usize) -> Option<Vec<Frame<'_>>> {
    let mut frames = Vec::new();
    while frames.len() < WALK
        && let Some(frame) = Frame::read(bytes.get(at..)?)
    {
        at += frame.length;
        frames.push(frame);
    }
    Some(frames)
}

#[cfg(test)]
mod tests {
    use ayni_protocol::{Draft, Keys, kind};

    use super::*;
    use crate::Store as _;

    #[test]
    fn only_what_is_wanted_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::from_secret([1; 32]).unwrap();
        let events = [kind::NOTE, kind::CHARTER, kind::NOTE, kind::ORDER]
            .map(|kind| Draft::new(kind).content(kind.to_string()).sign(&keys, 1, [0; 32]));
        let (store, _) = DiskStore::open(folder.path()).unwrap();
        store.append(&events, 1).unwrap();
        let mut read = Vec::new();
        store.replay(Kind::is_economy, |event| read.push(event.kind));
        assert_eq!(read, [kind::CHARTER, kind::ORDER]);
    }
}
