//! The desk: what a node does with an event and with the passing of time, before anything is
//! written.
//!
//! It judges what comes in, adds what the witness has to say, and does a witness's duties when
//! they fall due. Pure: the writer stands behind it with a disk, the simulator with a list, and
//! both run this same code. Time and randomness are arguments.

use ayni_lets::judge::Verdict as Judgement;
use ayni_lets::{Body, Case, Conflict, Fraud, Ready, Resolution};
use ayni_protocol::{Draft, EventId, Keys, Rejection, Timestamp, VerifiedEvent};
use ayni_witness::draft;

use crate::admission::{Admission, Admitted, Origin};
use crate::book::{Book, Page};
use crate::config::Config;
use crate::fence::Fence;
use crate::founding::LocalBeacon;

/// How many events duties may add at one time; the rest follow the next time.
const DUTIES_MAX: usize = 4_096;

/// A node's desk.
pub struct Desk {
    /// The configuration.
    pub config: Config,
    /// The key this node witnesses with.
    pub keys: Keys,
    /// The secret of a local test chain, where one is allowed.
    pub local_beacon: Option<LocalBeacon>,
    /// While it is up, nothing is signed as a witness.
    pub fence: Fence,
}

/// What is taken together and made durable at once.
pub struct Batch {
    /// Events to be stored, in their order, all of them in the book.
    pub stored: Vec<VerifiedEvent>,
    /// Orders among them that the witness is going to attest.
    ready: Option<Ready>,
}

impl Batch {
    /// An empty one, with room for so many events and what the witness says to them.
    #[must_use]
    pub fn of(events: usize) -> Self {
        let stored = Vec::with_capacity(events.saturating_add(events / 8).saturating_add(8));
        Self { stored, ready: None }
    }

    /// Whether an event is in it.
    #[must_use]
    pub fn holds(&self, id: &EventId) -> bool {
        self.stored.iter().any(|event| event.id == *id)
    }
}

/// The moment: the clock, and 32 fresh random bytes for every signature.
pub struct Moment<'a> {
    /// Unix seconds by the node's clock.
    pub now: Timestamp,
    /// Randomness for a signature.
    pub entropy: &'a mut dyn FnMut() -> [u8; 32],
    /// Events that are stored.
    pub stored: &'a dyn Fn(&EventId) -> Option<VerifiedEvent>,
}

impl Desk {
    /// Whether an event, which was read as this page, may be stored, and what the witness has to say
    /// to it.
    ///
    /// # Errors
    /// Why it is not to be stored.
    pub fn admits(
        &self,
        book: &Book,
        (event, page): (&VerifiedEvent, &Page),
        origin: Origin,
        now: Timestamp,
    ) -> Result<Admitted, Rejection> {
        let admission = Admission { config: &self.config, book, node: self.keys.public(), now };
        admission.admit(event, page, origin)
    }

    /// Takes one event. If it may be stored it is in the book then, and the last of the batch.
    ///
    /// # Errors
    /// Why it is not to be stored; of it the book knows nothing then.
    pub fn take(
        &self,
        book: &mut Book,
        batch: &mut Batch,
        event: &VerifiedEvent,
        origin: Origin,
        moment: &mut Moment<'_>,
    ) -> Result<(), Rejection> {
        let page = Book::read(event);
        if batch.ready.as_ref().is_some_and(|ready| page.rests_on(ready)) {
            self.attest(book, batch, moment);
        }
        let mut admitted = self.admits(book, (event, &page), origin, moment.now);
        if !matches!(&admitted, Ok(Admitted::With(more)) if !more.passes_a_limit())
            && batch.ready.as_ref().is_some_and(|ready| page.is_touched_by(ready))
        {
            self.attest(book, batch, moment);
            admitted = self.admits(book, (event, &page), origin, moment.now);
        }
        let more = match admitted? {
            Admitted::With(more) if !self.fence.is_up() => Some(*more),
            _ => None,
        };
        if let Some((ready, more)) = batch.ready.as_ref().zip(more.as_ref())
            && !ready.goes_with(more)
        {
            self.attest(book, batch, moment);
        }
        book.take(page);
        batch.stored.push(event.clone());
        let Some(more) = more else { return Ok(()) };
        match &mut batch.ready {
            Some(ready) => ready.join(more),
            None => batch.ready = Some(more),
        }
        Ok(())
    }

    /// Signs for the orders that wait for it.
    fn attest(&self, book: &mut Book, batch: &mut Batch, moment: &mut Moment<'_>) {
        if let Some(ready) = batch.ready.take() {
            let draft = ready.draft(book.ledger.next_log(&self.keys.public()));
            batch.stored.push(self.sign(book, draft, moment));
        }
    }

    /// Does all that falls due now, until nothing more follows from it: attestations, receipts,
    /// seals, acknowledgements, results, payouts, and where this node clears trade, quotes, the
    /// orders that complete holds, and word of how they ended. All of it is then in the book.
    pub fn duties(&self, book: &mut Book, batch: &mut Batch, moment: &mut Moment<'_>) {
        if self.fence.is_up() {
            return;
        }
        self.attest(book, batch, moment);
        let mut done = Vec::new();
        loop {
            let before = done.len();
            for draft in self.due(book, moment.now) {
                done.push(self.sign(book, draft, moment));
            }
            while done.len() < DUTIES_MAX
                && let Some(draft) = book.ledger.next_duty(&self.keys.public(), moment.now)
            {
                done.push(self.sign(book, draft, moment));
            }
            while done.len() < DUTIES_MAX
                && let Some(draft) = book.ledger.next_clearing(&self.keys.public(), moment.now)
            {
                done.push(self.sign(book, draft, moment));
            }
            self.tell_of_holds(book, moment, &mut done);
            self.pay_prescribed(book, moment, &mut done);
            self.accuse(book, moment, &mut done);
            if done.len() == before || done.len() >= DUTIES_MAX {
                break;
            }
        }
        batch.stored.extend(done);
    }

    /// Publishes how the holds ended that this node cleared, where what proves it is stored.
    fn tell_of_holds(
        &self,
        book: &mut Book,
        moment: &mut Moment<'_>,
        done: &mut Vec<VerifiedEvent>,
    ) {
        for ended in book.ledger.untold(&self.keys.public()) {
            let signed = ended.attestations.iter().map(moment.stored).collect::<Option<Vec<_>>>();
            let Some((order, signed)) = (moment.stored)(&ended.order).zip(signed) else { continue };
            let resolution = Resolution::new(ended.currency, ended.hold, &order, &signed);
            let Ok(resolution) = resolution else { continue };
            done.push(self.sign(book, Body::from(resolution).draft(&ended.community), moment));
        }
    }

    /// Publishes a proof of every fork that nobody has proven, where both events are stored.
    fn accuse(&self, book: &mut Book, moment: &mut Moment<'_>, done: &mut Vec<VerifiedEvent>) {
        let me = self.keys.public();
        let mut conflicts = book.ledger.unproven(&me, moment.now);
        for (whose, attempt, events) in book.council.torn() {
            let currency = book.ledger.unproven_vote(&me, whose, attempt);
            conflicts.extend(currency.map(|it| Conflict {
                currency: it,
                case: Case::Vote,
                events,
            }));
        }
        for Conflict { currency, case, events: [one, two] } in conflicts {
            let both = (moment.stored)(&one).zip((moment.stored)(&two));
            let Some((one, two)) = both else { continue };
            let Ok(proof) = Fraud::new(currency.clone(), case, &one, &two) else { continue };
            let Some(view) = book.ledger.currency(&currency) else { continue };
            let draft = Body::from(proof).draft(&view.community);
            done.push(self.sign(book, draft, moment));
        }
    }

    /// Signs a draft with the node key and folds it into the book.
    fn sign(&self, book: &mut Book, draft: Draft, moment: &mut Moment<'_>) -> VerifiedEvent {
        let event = draft.sign(&self.keys, moment.now, (moment.entropy)());
        book.apply(&event);
        event
    }

    fn due(&self, book: &Book, now: Timestamp) -> Vec<Draft> {
        let me = self.keys.public();
        let mut drafts = book.council.duties(&me, now);
        let handovers = book.ledger.handovers(&me);
        drafts.extend(handovers.iter().filter_map(|of| book.council.hand_over(&me, of, now)));
        drafts.extend(self.results(book));
        if let Some(local) = &self.local_beacon {
            let awaited = book.awaited_rounds(now);
            let ours =
                awaited.into_iter().filter(|(chain, _)| chain.public_key == local.public_key);
            drafts.extend(ours.filter_map(|(chain, round)| {
                chain.verify(round, &local.beacon.sign(round)).map(|round| draft::beacon(&round))
            }));
        }
        drafts
    }

    /// Tallies and draws that follow from what is decided and that nobody has published yet, where
    /// this node holds a seat.
    fn results(&self, book: &Book) -> Vec<Draft> {
        let me = self.keys.public();
        let seated = |charter: Option<std::sync::Arc<ayni_witness::Charter>>| {
            charter.is_some_and(|charter| charter.is_witness(&me))
        };
        let tallies = book.assembly.unpublished().into_iter();
        let tallies = tallies.filter(|id| seated(book.assembly.charter_of(id)));
        let draws = book.drum.unpublished().into_iter();
        let draws = draws.filter(|id| seated(book.drum.charter_of(id)));
        tallies
            .filter_map(|id| book.assembly.tally_of(&id))
            .chain(draws.filter_map(|id| book.drum.draw_of(&id)))
            .collect()
    }

    /// Signs the orders that a decided raffle prescribes, where this node keeps the escrow's key.
    fn pay_prescribed(
        &self,
        book: &mut Book,
        moment: &mut Moment<'_>,
        done: &mut Vec<VerifiedEvent>,
    ) {
        let me = self.keys.public();
        let unpaid: Vec<_> = book.ledger.unpaid_payouts().cloned().collect();
        for payout in unpaid {
            let Some(draft) = book.ledger.draft_payout(&payout, &me) else { continue };
            let order = draft.sign(&self.keys, moment.now, (moment.entropy)());
            if let Judgement::Attest(ready) = book.ledger.judge(&order, &me, moment.now) {
                book.apply(&order);
                done.push(order);
                let attestation = ready.draft(book.ledger.next_log(&me));
                done.push(self.sign(book, attestation, moment));
            }
        }
    }
}
