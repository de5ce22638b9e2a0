//! Signed events such as communities write: mixed kinds, a few authors who write most, replies,
//! mentions and hashtags. The same seed gives the same events on every machine.

use std::num::NonZero;
use std::thread;

use ayni_protocol::kind::Class;
use ayni_protocol::{Draft, Keys, Kind, Timestamp, VerifiedEvent, hex};
use fastrand::Rng;

/// Authors of the corpus.
const AUTHORS: u64 = 5_000;
/// When the corpus begins, unix seconds.
const BEGIN: Timestamp = 1_750_000_000;

/// A number below `sides`, small ones far more often (near Zipf's law).
fn skewed(dice: &mut Rng, sides: u64) -> u64 {
    let most = dice.u64(..sides) + 1;
    let most = dice.u64(..most) + 1;
    dice.u64(..most)
}

/// Where the events come from.
pub struct Corpus {
    authors: Vec<Keys>,
    /// Differs from corpus to corpus, so that two share no event.
    salt: u64,
}

impl Corpus {
    /// A corpus that shares no event with one of another salt.
    #[must_use]
    pub fn new(salt: u64) -> Self {
        Self { authors: (0..AUTHORS).filter_map(author).collect(), salt }
    }

    /// The events number `from` to `to`, signed on all cores.
    #[must_use]
    pub fn events(&self, from: u64, to: u64) -> Vec<VerifiedEvent> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let share = (to - from).div_ceil(u64::try_from(cores).unwrap_or(1)).max(1);
        let starts: Vec<u64> = (from..to).step_by(usize::try_from(share).unwrap_or(1)).collect();
        thread::scope(|scope| {
            let part = |start: u64| {
                let end = (start + share).min(to);
                scope.spawn(move || (start..end).filter_map(|n| self.event(n)).collect::<Vec<_>>())
            };
            let parts: Vec<_> = starts.into_iter().map(part).collect();
            parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
        })
    }

    fn event(&self, number: u64) -> Option<VerifiedEvent> {
        let dice = &mut Rng::with_seed(number ^ self.salt << 40);
        let author = usize::try_from(skewed(dice, AUTHORS)).ok()?;
        let keys = self.authors.get(author)?;
        let draft = self.draft(number, dice);
        // Versions of one thing come in their order; all else a little out of order.
        let late = if draft.kind.class() == Class::Regular { dice.u64(..60) } else { 0 };
        let created_at = BEGIN + number * 7 + late;
        Some(draft.sign(keys, created_at, [0; 32]))
    }

    fn draft(&self, number: u64, dice: &mut Rng) -> Draft {
        let (kind, mentions, replies, words) = match dice.u64(..100) {
            0..52 => (1, dice.u64(..3), dice.u64(..3), 4 + skewed(dice, 80)),
            52..78 => (7, 1, 1, 1),
            78..83 => (6, 1, 1, 60),
            83..88 => (0, 0, 0, 30),
            88..90 => (3, 100 + dice.u64(..200), 0, 0),
            90..95 => (1059, 1, 0, 120),
            95..97 => (30_023, 0, 0, 600),
            _ => (30_402, 0, 0, 50),
        };
        let mut draft = Draft::new(Kind(kind));
        for _ in 0..replies {
            draft = draft.tag(["e", &some_id(dice.u64(..number.max(1)))]);
        }
        for _ in 0..mentions {
            let whom = usize::try_from(skewed(dice, AUTHORS)).ok();
            if let Some(keys) = whom.and_then(|whom| self.authors.get(whom)) {
                draft = draft.tag(["p", &keys.public().to_string()]);
            }
        }
        if kind == 1 || kind >= 30_000 {
            for _ in 0..dice.u64(..3) {
                draft = draft.tag(["t", &format!("topic{}", skewed(dice, 5_000))]);
            }
        }
        if kind >= 30_000 {
            draft = draft.tag(["d", &format!("thing-{number}")]);
            draft = draft.tag(["title", "A thing that somebody offers or tells of"]);
        }
        draft.content(text(words, dice))
    }
}

/// The keys of author `number`.
fn author(number: u64) -> Option<Keys> {
    let mut secret = [0x42; 32];
    for (place, byte) in secret.iter_mut().zip(number.to_be_bytes()) {
        *place = byte;
    }
    Keys::from_secret(secret).ok()
}

/// An id that many events may name.
fn some_id(number: u64) -> String {
    let mut bytes = [0x1d; 32];
    for (place, byte) in bytes.iter_mut().zip(number.to_be_bytes()) {
        *place = byte;
    }
    hex::encode(&bytes)
}

fn text(words: u64, dice: &mut Rng) -> String {
    const WORDS: [&str; 16] = [
        "ayni",
        "bread",
        "hands",
        "garden",
        "Tuesday",
        "market",
        "help",
        "bicycle",
        "repair",
        "lesson",
        "flour",
        "roof",
        "well",
        "music",
        "“thanks”",
        "mañana\n",
    ];
    let mut text = String::new();
    for _ in 0..words {
        text.push_str(WORDS.get(usize::from(dice.u64(..16).to_le_bytes()[0])).unwrap_or(&""));
        text.push(' ');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_events_and_another_gives_others() {
        let ids = |salt, from, to| -> Vec<_> {
            Corpus::new(salt).events(from, to).iter().map(|event| event.id).collect()
        };
        let first = ids(1, 0, 40);
        assert_eq!(first.len(), 40);
        assert_eq!(first.get(10..), Some(ids(1, 10, 40).as_slice()));
        assert!(ids(2, 0, 40).iter().all(|id| !first.contains(id)));
    }
}
