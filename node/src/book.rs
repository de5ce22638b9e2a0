//! The book: every part of the economy, folded together.
//!
//! An event goes to each part that reads its kind; what a part establishes goes to all parts as
//! facts, until nothing new is established. Because facts are only ever added, the order in which
//! events come, and in which parts hear of facts, leaves no trace: the same events give the same
//! book, and [`Book::digest`] says so in 32 bytes (protocol section 7).
//!
//! Pure: no clock, no files. The same book is in the node, in the simulator and in `ayni verify`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ayni_governance::Assembly;
use ayni_lets::{Ledger, Ready};
use ayni_protocol::{
    EventId, Kind, Malformed, Number, Part, Premise, PublicKey, Register, Ruling, Timestamp,
    VerifiedEvent,
};
use ayni_raffle::Drum;
use ayni_witness::beacon::{Chain, Known};
use ayni_witness::{Council, Fact};
use sha2::{Digest as _, Sha256};

/// What became of an event, with the reason spelt out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Counted,
    /// It changes nothing, for this reason: a stable word, and a sentence.
    Void(String, String),
    /// It changes nothing yet.
    Waiting(Premise),
}

/// An event the book has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its kind.
    pub kind: Kind,
    /// Its author.
    pub author: PublicKey,
    /// Its `created_at`.
    pub created_at: Timestamp,
}

/// An event that changes nothing.
#[derive(Debug, Clone)]
pub struct Void {
    /// Its id.
    pub id: EventId,
    /// What it is.
    pub seen: Seen,
    /// Why, as a stable word.
    pub word: String,
    /// Why, as a sentence.
    pub sentence: String,
}

/// An event that changes nothing yet.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Its id.
    pub id: EventId,
    /// What it is.
    pub seen: Seen,
    /// What it waits for.
    pub premise: Premise,
}

/// The one list of parts. A new part of the economy is one line here.
macro_rules! parts {
    ($($field:ident: $part:ty = $make:expr;)*) => {
        /// All parts of the economy.
        pub struct Book {
            $(#[doc = concat!("The part `", stringify!($part), "`.")] pub $field: $part,)*
            chains: Known,
            malformed: BTreeMap<EventId, Malformed>,
            seen: Register<EventId, Seen>,
        }

        /// An event as each part reads it that reads its kind.
        pub struct Page {
            id: EventId,
            seen: Seen,
            $(#[doc = concat!("As `", stringify!($part), "` reads it.")]
            pub $field: Option<Result<<$part as Part>::Entry, Malformed>>,)*
        }

        impl Page {
            /// Whether the event has the shape that its kind needs.
            ///
            /// # Errors
            /// What is wrong with it, for its author.
            pub fn check(&self) -> Result<(), &Malformed> {
                $(if let Some(Err(malformed)) = &self.$field {
                    return Err(malformed);
                })*
                Ok(())
            }
        }

        impl Book {
            /// An empty book. `known` says which beacon chains a charter may pin.
            #[must_use]
            pub fn new(known: Known) -> Self {
                Self {
                    $($field: $make(known),)*
                    chains: known,
                    malformed: BTreeMap::new(),
                    seen: Register::default(),
                }
            }

            /// Whether some part reads events of this kind.
            #[must_use]
            pub fn reads(kind: Kind) -> bool {
                false $(|| <$part as Part>::KINDS.contains(&kind))*
            }

            /// Reads an event, stateless.
            #[must_use]
            pub fn read(event: &VerifiedEvent) -> Page {
                let (author, created_at) = (event.pubkey, event.created_at);
                Page {
                    id: event.id,
                    seen: Seen { kind: event.kind, author, created_at },
                    $($field: <$part as Part>::KINDS
                        .contains(&event.kind)
                        .then(|| <$part as Part>::read(event)),)*
                }
            }

            fn lay(&mut self, page: Page, facts: &mut Vec<Fact>) {
                $(match page.$field {
                    Some(Ok(entry)) => self.$field.apply(entry, facts),
                    Some(Err(malformed)) => _ = self.malformed.insert(page.id, malformed),
                    None => {}
                })*
            }

            fn tell(&mut self, fact: &Fact, facts: &mut Vec<Fact>) {
                $(self.$field.learn(fact, facts);)*
            }

            /// What each part that read an event says of it.
            fn rulings(&self, id: &EventId) -> Vec<Verdict> {
                let mut all = Vec::new();
                $(if let Some(ruling) = self.$field.ruling(id) {
                    all.push(match ruling {
                        Ruling::Counted => Verdict::Counted,
                        Ruling::Void(reason) => Verdict::Void(format!("{reason:?}"), reason.to_string()),
                        Ruling::Waiting(premise) => Verdict::Waiting(premise),
                    });
                })*
                all
            }

            /// The lines under the digest, sorted (protocol section 7).
            #[must_use]
            pub fn digest_lines(&self) -> Vec<String> {
                let mut lines = Vec::new();
                $(lines.extend(self.$field.digest_lines());)*
                lines.sort_unstable();
                lines
            }
        }
    };
}

parts! {
    council: Council = Council::new;
    ledger: Ledger = |_| Ledger::default();
    assembly: Assembly = |_| Assembly::default();
    drum: Drum = |_| Drum::default();
}

impl Page {
    /// Whether this may be judged wrongly while orders that a witness is ready to attest do not count.
    #[must_use]
    pub fn rests_on(&self, ready: &Ready) -> bool {
        match &self.ledger {
            Some(Ok(entry)) => ready.concerns(entry),
            _ => Book::reads(self.seen.kind),
        }
    }

    /// Whether this, if it was refused, could be taken once they count.
    #[must_use]
    pub fn is_touched_by(&self, ready: &Ready) -> bool {
        matches!(&self.ledger, Some(Ok(entry)) if ready.touches(entry))
    }
}

impl Book {
    /// Makes room for so many events. It changes nothing, and may be left out.
    pub fn expect(&mut self, more: usize) {
        self.seen.reserve(more);
        self.ledger.expect(more);
    }

    /// Folds one event in. A second time changes nothing.
    pub fn apply(&mut self, event: &VerifiedEvent) {
        self.take(Self::read(event));
    }

    /// Folds in an event that was read. A second time changes nothing.
    pub fn take(&mut self, page: Page) {
        if !Self::reads(page.seen.kind) || self.has(&page.id) {
            return;
        }
        self.seen.insert(page.id, page.seen);
        let mut fresh = Vec::new();
        self.lay(page, &mut fresh);
        let mut facts = VecDeque::from(fresh);
        while let Some(fact) = facts.pop_front() {
            let mut established = Vec::new();
            self.tell(&fact, &mut established);
            facts.extend(established);
        }
    }

    /// Folds in events of a book that is read back, in their order, and empties the list. Of so many
    /// in a row, what the next ones need is fetched while there is time.
    pub fn take_all(&mut self, pages: &mut Vec<Page>) {
        let coming = pages.iter().filter_map(|page| page.ledger.as_ref()?.as_ref().ok());
        self.ledger.look_ahead(coming);
        for page in pages.drain(..) {
            self.take(page);
        }
    }

    /// Which beacon chains a charter may pin.
    #[must_use]
    pub const fn chains(&self) -> Known {
        self.chains
    }

    /// Whether the event was folded in.
    #[must_use]
    pub fn has(&self, id: &EventId) -> bool {
        self.seen.get(id).is_some()
    }

    /// How many events it had seen before this one. Depends on the order of arrival, so it may
    /// decide what is shown first, and nothing else.
    #[must_use]
    pub fn place(&self, id: &EventId) -> Option<Number> {
        self.seen.number(id)
    }

    /// What became of an event; nothing if the book never saw it.
    #[must_use]
    pub fn verdict(&self, id: &EventId) -> Option<Verdict> {
        if let Some(malformed) = self.malformed.get(id) {
            return Some(Verdict::Void(malformed.code().into(), malformed.to_string()));
        }
        let rulings = self.rulings(id);
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Counted => 0,
            Verdict::Waiting(_) => 1,
            Verdict::Void(..) => 2,
        };
        rulings.into_iter().min_by_key(rank)
    }

    /// How many events it has seen.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether it has seen none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Every void event, in the order it saw them.
    pub fn void(&self) -> impl Iterator<Item = Void> {
        self.seen.iter().filter_map(|(id, seen)| match self.verdict(id)? {
            Verdict::Void(word, sentence) => Some(Void { id: *id, seen: *seen, word, sentence }),
            _ => None,
        })
    }

    /// The communities of this book, the one this node heard of first in front: its own, if it
    /// founded one. Others come and go with peers; which is shown first must not.
    #[must_use]
    pub fn communities(&self) -> Vec<EventId> {
        let mut communities: Vec<EventId> = self.council.communities().collect();
        communities.sort_by_key(|id| self.place(id));
        communities
    }

    /// Rounds that something waits for and whose time has come, with their chains.
    #[must_use]
    pub fn awaited_rounds(&self, now: Timestamp) -> Vec<(Chain, u64)> {
        let chains: BTreeMap<[u8; 32], &Chain> = self
            .council
            .communities()
            .flat_map(|community| self.council.charters(community))
            .filter_map(|charter| charter.beacon.as_ref())
            .map(|chain| (chain.hash, chain))
            .collect();
        let awaited = self.council.awaited_rounds().into_iter();
        awaited
            .filter_map(|(hash, round)| Some(((*chains.get(&hash)?).clone(), round)))
            .filter(|(chain, round)| chain.time_of(*round) <= now)
            .collect()
    }

    /// Whether a vote or a raffle has not come to its end yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let ended =
            ["certified", "executed", "rejected", "void", "drawn", "paid", "finished", "refunded"];
        let mut ends: BTreeMap<String, bool> = BTreeMap::new();
        for line in self.digest_lines() {
            let mut fields = line.split('|').skip(1);
            if let (Some(name), Some(state)) = (fields.next(), fields.next()) {
                ends.insert(name.to_owned(), ended.contains(&state));
            }
        }
        let subjects = self.council.subjects().filter(|subject| {
            self.assembly.charter_of(&subject.id).is_some()
                || self.drum.charter_of(&subject.id).is_some()
        });
        let mut open =
            subjects.map(|subject| !ends.get(&subject.id.to_string()).is_some_and(|ended| *ended));
        open.any(|open| open)
    }

    /// Every event that waits for something that is not in the book, in the order it saw them.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting> {
        self.seen.iter().filter_map(|(id, seen)| match self.verdict(id)? {
            Verdict::Waiting(premise) => Some(Waiting { id: *id, seen: *seen, premise }),
            _ => None,
        })
    }

    /// Whether the book lacks something for these, which are all that wait, to count. It does not
    /// where all that is missing is that an author be somebody, or that another such event count:
    /// anybody can publish those, and they say nothing of the books.
    #[must_use]
    pub fn lacks(&self, waiting: &[Waiting]) -> bool {
        let known: BTreeMap<EventId, &Waiting> = waiting.iter().map(|it| (it.id, it)).collect();
        let mut presumed = BTreeSet::new();
        waiting.iter().any(|mut next| {
            let mut chain = Vec::new();
            while !presumed.contains(&next.id) {
                chain.push(next.id);
                match next.premise {
                    Premise::Approval if !self.council.is_office(&next.seen.author) => break,
                    Premise::Event(id) => match known.get(&id) {
                        Some(named) => next = named,
                        None => return true,
                    },
                    _ => return true,
                }
            }
            presumed.extend(chain);
            false
        })
    }

    /// SHA-256 over the sorted lines, each ended by a newline (protocol section 7).
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for line in self.digest_lines() {
            hash.update(line);
            hash.update("\n");
        }
        hash.finalize().into()
    }
}
