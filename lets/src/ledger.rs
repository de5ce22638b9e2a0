//! The fold: every event of this part, and what became of it.
//!
//! An entry is evaluated against what counted so far. If its premise has not come, it is filed
//! under the key that will fire when it does, and evaluated again then. What fires a key is always
//! something that stays (an event came, a policy counted, a witness signed), and evaluation reads
//! nothing else, so the fold ends in the same state whatever the order of arrival, and work is
//! bounded: an entry is looked at once for each thing it waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ayni_protocol::{
    Address, EventId, IdMap, KeyMap, Kind, Malformed, Number, Part, Premise, PublicKey, Ruling,
    VerifiedEvent,
};
use ayni_witness::acts::{Acts, Touched};
use ayni_witness::{Charter, Fact, Payout, Value};

use crate::attestation::{About, Attestation};
use crate::book::Book;
use crate::entry::{Body, Entry};
use crate::evaluate::Held;
use crate::few::Few;
use crate::fork::{Case, Fork};
use crate::hold::{Hold, Slot};
use crate::known::{Known, Standing};
use crate::log::WitnessLog;
use crate::reason::Reason;
use crate::resolution::Resolved;

/// The books of every currency, folded from signed events.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub(crate) acts: Acts,
    pub(crate) charters: BTreeMap<EventId, Arc<Charter>>,
    pub(crate) books: BTreeMap<Address, Book>,
    /// Everything that was applied, what became of it and who signed it. Attestations that are
    /// settled say no more than that.
    pub(crate) known: Known,
    /// What is said meanwhile of entries that lack more than witnesses.
    open: IdMap<Ruling<Reason>>,
    waiting: BTreeMap<Key, BTreeSet<Number>>,
    /// An empty list, so that not every entry makes one of its own for what has to be looked at.
    work: Vec<Number>,
    /// Statements about orders that have not come: account, number, witness, order.
    pub(crate) unseen: BTreeSet<(Address, PublicKey, u64, PublicKey, EventId)>,
    /// Every log that any key claims to keep.
    pub(crate) logs: BTreeMap<PublicKey, WitnessLog<Number>>,
    /// The closes that witnesses decided to hold, by rules: one set, unless they cheated.
    pub(crate) handovers: BTreeMap<EventId, BTreeSet<Arc<BTreeSet<EventId>>>>,
    /// Who proved what, whether or not it counts.
    pub(crate) accused: BTreeSet<(PublicKey, Case, PublicKey, u64)>,
    pub(crate) forks: BTreeMap<Fork, BTreeSet<EventId>>,
    /// Payouts that decided raffles prescribe, by their `pay` id.
    pub(crate) payouts: BTreeMap<[u8; 32], Vec<Arc<Payout>>>,
    /// Orders that witnesses attested for a `pay` id.
    pub(crate) paid: BTreeMap<[u8; 32], BTreeSet<EventId>>,
    /// Orders that lack nothing but the witnesses' word.
    pub(crate) unattested: Few<EventId, ()>,
    /// Policies that wait for the acknowledgement of witnesses.
    pub(crate) lowering: BTreeSet<(Address, EventId)>,
    /// Every hold that counts, and what became of it.
    pub(crate) holds: BTreeMap<EventId, Hold>,
    /// The holds that reserve something.
    pub(crate) open_holds: BTreeSet<EventId>,
    /// Holds that came to an end of which no counted resolution tells.
    pub(crate) untold: BTreeSet<EventId>,
    /// Who published which resolutions, whether or not they count.
    pub(crate) told: BTreeSet<(PublicKey, EventId, Resolved)>,
    /// Holds by the place that decides them.
    pub(crate) slots: BTreeMap<Slot, BTreeSet<EventId>>,
    /// Questions for a price that no counted quote answers.
    pub(crate) asks: BTreeSet<EventId>,
    /// Questions that a counted quote answers, whether or not they came.
    pub(crate) quoted: BTreeSet<EventId>,
    /// Accounts by the keys that any policy let sign for them.
    pub(crate) signers: KeyMap<Vec<(Address, PublicKey)>>,
}

/// What an entry can wait for. Each fires when it becomes so, and stays so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// The event came.
    Present(EventId),
    /// The event counts.
    Counted(EventId),
    /// The act has one more approval or mandate.
    Act(EventId),
    /// The charter counts.
    Charter(EventId),
    /// The community has one more charter.
    Community(EventId),
    /// The currency has one more version of its rules.
    Rules(Address),
    /// The account was opened.
    Opened(Address, PublicKey),
    /// The key may sign for the account.
    Signer(Address, PublicKey, PublicKey),
}

impl Part for Ledger {
    type Entry = Entry;
    type Reason = Reason;
    type Fact = Fact;

    const NAME: &'static str = "ledger";
    const KINDS: &'static [Kind] = Body::KINDS;

    fn read(event: &VerifiedEvent) -> Result<Entry, Malformed> {
        Entry::read(event)
    }

    fn apply(&mut self, entry: Entry, facts: &mut Vec<Fact>) {
        let Some(number) = self.known.enter(entry.id) else { return };
        self.note_claim(number, &entry);
        let mut work = std::mem::take(&mut self.work);
        self.fire(&Key::Present(entry.id), &mut work);
        if matches!(entry.body, Body::Attestation(_)) {
            // It is kept only where it waits: nearly every one is settled at once.
            self.look(number, &entry, false, &mut work, facts);
            if !self.known.is_settled(number) {
                self.known.keep(number, Arc::new(entry));
            }
        } else {
            let entry = Arc::new(entry);
            self.known.keep(number, Arc::clone(&entry));
            self.look(number, &entry, false, &mut work, facts);
        }
        self.settle(work, facts);
    }

    fn learn(&mut self, fact: &Fact, facts: &mut Vec<Fact>) {
        let mut work = Vec::new();
        match fact {
            Fact::Charter(charter) => {
                self.charters.insert(charter.id, Arc::clone(charter));
                self.fire(&Key::Charter(charter.id), &mut work);
            }
            Fact::Decided(decision) => {
                if let Value::Closes(closes) = &decision.value {
                    let decided = self.handovers.entry(decision.subject).or_default();
                    decided.insert(Arc::clone(closes));
                }
            }
            Fact::Prescribed(payout) => {
                let known = self.payouts.entry(payout.pay).or_default();
                if !known.contains(payout) {
                    known.push(Arc::clone(payout));
                }
            }
            _ => {}
        }
        self.hear_act(fact, &mut work);
        self.settle(work, facts);
    }

    fn ruling(&self, entry: &EventId) -> Option<Ruling<Reason>> {
        match self.known.standing(entry) {
            Standing::Counted => Some(Ruling::Counted),
            Standing::Void(reason) => Some(Ruling::Void(reason)),
            Standing::Sound => Some(Ruling::Waiting(Premise::Attestations)),
            Standing::Open | Standing::Absent => self.open.get(entry).copied(),
        }
    }

    fn digest_lines(&self) -> Vec<String> {
        self.currencies()
            .filter_map(|address| {
                let root = ayni_protocol::hex::encode(&self.currency_root(address)?);
                Some(format!("currency|{address}|{root}"))
            })
            .collect()
    }
}

impl Ledger {
    /// Entries whose last word is not spoken; a node bounds how many it keeps.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.known.waiting()
    }

    pub(crate) fn is_counted(&self, id: &EventId) -> bool {
        self.known.standing(id) == Standing::Counted
    }

    pub(crate) fn hear_act(&mut self, fact: &Fact, work: &mut Vec<Number>) {
        match self.acts.learn(fact) {
            Touched::Nothing => {}
            Touched::Act(act) => self.fire(&Key::Act(act), work),
            Touched::Community(community) => self.fire(&Key::Community(community), work),
        }
    }

    pub(crate) fn fire(&mut self, key: &Key, work: &mut Vec<Number>) {
        if !self.waiting.is_empty() {
            work.extend(self.waiting.remove(key).into_iter().flatten());
        }
    }

    /// Looks at entries that something was said about, until nothing follows any more.
    fn settle(&mut self, mut work: Vec<Number>, facts: &mut Vec<Fact>) {
        while let Some(number) = work.pop() {
            let Some((entry, is_sound)) = self.known.unsettled(number) else { continue };
            self.look(number, &entry, is_sound, &mut work, facts);
        }
        self.work = work;
    }

    /// Looks at an entry that is not settled. What it lacked once and has now is never taken back,
    /// so a sound one is not weighed again.
    fn look(
        &mut self,
        number: Number,
        entry: &Entry,
        is_sound: bool,
        work: &mut Vec<Number>,
        facts: &mut Vec<Fact>,
    ) {
        let counts = match &entry.body {
            _ if is_sound => self.weigh_signatures(number, entry),
            Body::Attestation(Attestation::State(it)) if matches!(it.about, About::Orders(_)) => {
                self.look_at_orders(number, entry, it, work)
            }
            _ => self.evaluate(number, entry),
        };
        match counts {
            Ok(()) => {
                self.settle_as(number, &entry.id, Standing::Counted);
                if !is_sound {
                    self.note_sound(entry);
                }
                self.count(number, entry, work, facts);
                self.fire(&Key::Counted(entry.id), work);
            }
            Err(held) => self.hold(number, entry, held),
        }
        // What is settled of an attestation lives on as a signature.
        if matches!(entry.body, Body::Attestation(_)) && self.known.is_settled(number) {
            self.known.forget(number);
        }
    }

    fn settle_as(&mut self, number: Number, id: &EventId, standing: Standing) {
        if !self.open.is_empty() {
            self.open.remove(id);
        }
        self.known.stand(number, standing);
    }

    fn hold(&mut self, number: Number, entry: &Entry, held: Held) {
        match held.ruling {
            Ruling::Void(reason) if held.keys.is_empty() => {
                self.settle_as(number, &entry.id, Standing::Void(reason));
            }
            _ if held.sound => {
                self.settle_as(number, &entry.id, Standing::Sound);
                self.note_sound(entry);
            }
            ruling => _ = self.open.insert(entry.id, ruling),
        }
        for key in held.keys {
            self.waiting.entry(key).or_default().insert(number);
        }
    }
}

#[cfg(test)]
mod tests;
