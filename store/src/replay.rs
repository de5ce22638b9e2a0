//! Reading the journal back as events, for a state that is folded from it.
//!
//! A community's books are a small part of what its relay keeps, so an event is parsed only if its
//! kind is wanted, and the kind stands in the head of its frame.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use ayni_protocol::{Kind, VerifiedEvent};
use bytes::Bytes;

use crate::frame::Frame;
use crate::journal::{HEAD, Head};
use crate::{DiskStore, Position};

/// Frames that a walk through the journal looks at before it hands them on.
const WALK: usize = if cfg!(test) { 3 } else { 256 };

/// Events that a thread reads at once.
const SHARE: usize = if cfg!(test) { 2 } else { 256 };

/// Shares that lie ready for each thread.
const AHEAD: usize = 4;

impl DiskStore {
    /// How many events of some kinds are stored, at one look for each kind.
    #[must_use]
    pub fn count_of_kinds(&self, kinds: impl IntoIterator<Item = Kind>) -> usize {
        let index = self.read();
        kinds.into_iter().map(|kind| index.count_of_kind(kind)).sum()
    }

    /// Every live event of a wanted kind, as `read` makes of it, in the order they were accepted.
    ///
    /// To read an event takes longer than to fold it in, so as many threads read as there are
    /// processors, each its share in turn, and whoever asks hears in order.
    pub fn replay<T: Send>(
        &self,
        wanted: impl Fn(Kind) -> bool + Send,
        read: impl Fn(VerifiedEvent) -> T + Sync,
        mut each: impl FnMut(T),
    ) {
        let read = |texts: Vec<String>| -> Vec<T> {
            let events = texts.iter().filter_map(|text| VerifiedEvent::from_own_journal(text));
            events.map(&read).collect()
        };
        thread::scope(|scope| {
            let readers = thread::available_parallelism().map_or(1, NonZero::get);
            let (mut shares, mut done) = (Vec::new(), Vec::new());
            for _ in 0..readers {
                let (share, texts) = sync_channel(AHEAD);
                let (hand_on, read_texts) = sync_channel(AHEAD);
                shares.push(share);
                done.push(read_texts);
                let read = &read;
                scope.spawn(move || {
                    // Nobody takes it where the one who asked is gone.
                    texts.into_iter().map(read).all(|events| hand_on.send(events).is_ok())
                });
            }
            scope.spawn(move || self.deal(wanted, &shares));
            in_turn(&done, |events| events.into_iter().for_each(&mut each));
        });
    }

    /// Deals out the texts of all wanted events, a share to each thread in turn.
    fn deal(&self, wanted: impl Fn(Kind) -> bool, shares: &[SyncSender<Vec<String>>]) {
        let mut turn = shares.iter().cycle();
        let mut share = Vec::with_capacity(SHARE);
        let mut hand_out = |share| turn.next().is_some_and(|reader| reader.send(share).is_ok());
        self.walk(&|frame| wanted(frame.kind), Position(0), &mut |frame| {
            share.extend(frame.text().map(str::to_owned));
            share.len() < SHARE || hand_out(std::mem::take(&mut share))
        });
        hand_out(share);
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

/// Takes from each in turn, until the one whose turn it is has no more.
fn in_turn<T>(all: &[Receiver<T>], mut take: impl FnMut(T)) {
    let mut turn = all.iter().cycle();
    while let Some(Ok(next)) = turn.next().map(Receiver::recv) {
        take(next);
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
        store.replay(Kind::is_economy, |event| event.kind, |kind| read.push(kind));
        assert_eq!(read, [kind::CHARTER, kind::ORDER]);
    }

    #[test]
    fn however_many_threads_read_events_come_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::from_secret([1; 32]).unwrap();
        let note = |at| Draft::new(kind::NOTE).sign(&keys, at, [0; 32]);
        let (store, _) = DiskStore::open(folder.path()).unwrap();
        for count in 0..40 {
            let mut read = Vec::new();
            store.replay(|_| true, |event| event.created_at, |at| read.push(at));
            assert_eq!(read, (0..count).collect::<Vec<_>>());
            store.append(&[note(count)], 1).unwrap();
        }
    }
}
