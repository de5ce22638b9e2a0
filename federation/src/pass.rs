//! How the two sets are made equal, from step to step.
//!
//! ```text
//! Opening ──► Gathering ──► Reconciling ──► Settled ──(resync)──► …
//!  live REQ    our items     NEG-*, or       downloads and uploads drain
//!              wanted        Paging          while what comes comes live
//! ```
//!
//! Our items are taken only after the live subscription is open, so that an event which the peer
//! stores meanwhile is either in its set or heard live: nothing falls between.

use ayni_protocol::{EventId, Timestamp};

use crate::backoff::grown;
use crate::paging::{Paging, Turn};
use crate::peer::{Fall, Peer, PeerEvent};
use crate::reconcile::Reconciliation;
use crate::session::{LIVE, PAGE, Pass, SYNC, Stage};
use crate::{Millis, scope, wire};

impl Peer {
    /// Makes the two sets equal once more, with the live subscription open before anything else.
    pub(crate) fn begin_pass(&mut self, now: Millis) {
        let (deadline, resync_at) = (now + self.terms.answer_ms, now + self.terms.resync_ms);
        let live = wire::req(LIVE, &scope::live(&self.terms.scope));
        let Some(session) = self.link.session() else { return };
        session.pass = Pass::default();
        session.resync_at = resync_at;
        self.inbox.forget_withheld();
        if session.live {
            return self.gather();
        }
        session.live = true;
        session.stage = Stage::Opening(deadline);
        self.say(live);
    }

    /// Asks the driver for what we hold.
    pub(crate) fn gather(&mut self) {
        if let Some(session) = self.link.session() {
            session.stage = Stage::Gathering;
            self.events.push_back(PeerEvent::ItemsWanted);
        }
    }

    /// The driver gave what we hold.
    pub(crate) fn gathered(&mut self, items: Vec<(Timestamp, EventId)>, now: Millis) {
        let Some(session) = self.link.session() else { return };
        if !matches!(session.stage, Stage::Gathering) {
            return;
        }
        let opened = session.negentropy.then(|| Reconciliation::open(&items, &self.terms));
        let Some((engine, message)) = opened.flatten() else {
            session.stage = Stage::Paging { paging: Paging::new(items), deadline: None };
            return;
        };
        let deadline = now + self.terms.negentropy_ms;
        session.stage = Stage::Reconciling { engine: Box::new(engine), answered: false, deadline };
        self.say(wire::neg_open(SYNC, &self.terms.scope, &message));
    }

    /// Asks for the next page as soon as our own door has room for it.
    pub(crate) fn ask_for_page(&mut self, now: Millis) {
        let room = self.inbox.room(&self.terms);
        let Some(session) = self.link.session() else { return };
        let Stage::Paging { paging, deadline: deadline @ None } = &mut session.stage else {
            return;
        };
        if room < self.terms.page_events.min(self.terms.admitting_max) {
            return;
        }
        *deadline = Some(now + self.terms.answer_ms);
        let filter = paging.filter(&self.terms);
        self.say(wire::req(PAGE, &filter));
    }

    pub(crate) fn turn_page(&mut self, now: Millis) {
        let Some(session) = self.link.session() else { return };
        let Stage::Paging { paging, deadline } = &mut session.stage else { return };
        let turn = paging.turn(&self.terms);
        if turn == Turn::Page {
            *deadline = None;
            return;
        }
        self.outbox.offer(paging.unseen());
        self.complete_pass(turn == Turn::Enough, now);
        self.say(wire::close(PAGE));
    }

    pub(crate) fn complete_pass(&mut self, partial: bool, now: Millis) {
        self.backoff.reconciled();
        let Some(session) = self.link.session() else { return };
        if session.passes > 0 {
            self.backoff.behaved();
        }
        session.passes = session.passes.saturating_add(1);
        session.strikes = 0;
        session.pass.completed = true;
        session.pass.partial |= partial;
        session.stage = Stage::Settled { concluded: false };
        session.resync_at = now
            + match (session.pass.missed, session.negentropy) {
                (true, _) => self.terms.retry_ms,
                (false, true) => self.terms.resync_ms,
                (false, false) => self.terms.resync_paging_ms,
            };
    }

    /// The reconciliation broke off; another is tried at a given time.
    pub(crate) fn settle(&mut self, at: Millis) {
        if let Some(session) = self.link.session() {
            session.stage = Stage::Settled { concluded: true };
            session.resync_by(at);
        }
    }

    /// Everything found was exchanged: is another pass soon worth while?
    ///
    /// It is where something was left, or where an event was refused for now and others went
    /// through since, for the premise of the one may be among the others. It needs progress and
    /// comes later each time, so nobody is kept busy with nothing.
    pub(crate) fn conclude_pass(&mut self, now: Millis) {
        if self.inbox.missing() + self.outbox.missing() > 0 {
            return;
        }
        let deferred = self.outbox.has_deferred();
        let Some(session) = self.link.session() else { return };
        let Stage::Settled { concluded } = &mut session.stage else { return };
        let first = !std::mem::replace(concluded, true);
        let pass = &mut session.pass;
        let open = pass.partial || pass.refused_for_now || deferred;
        if open && std::mem::take(&mut pass.progress) {
            let wait = grown(self.terms.retry_ms, 2, session.repeats);
            session.repeats = session.repeats.saturating_add(1);
            session.resync_by(now.saturating_add(wait));
            self.outbox.reconsider();
        } else if first {
            session.repeats = 0;
        }
    }

    /// This stage took too long.
    pub(crate) fn stage_overdue(&mut self, now: Millis) -> Result<(), Fall> {
        let resync_ms = self.terms.resync_ms;
        let Some(session) = self.link.session() else { return Ok(()) };
        match session.stage {
            // A relay that sends no EOSE may still send what comes.
            Stage::Opening(_) => self.gather(),
            Stage::Reconciling { answered: false, .. } => {
                session.negentropy = false;
                self.gather();
            }
            Stage::Reconciling { .. } | Stage::Paging { .. } => {
                return Err(Fall::Silent("no answer in reconciliation"));
            }
            // Whatever keeps it from coming about, such as a challenge that was lost, a new
            // connection begins without.
            Stage::Settled { .. } if session.passes == 0 && session.since + resync_ms <= now => {
                return Err(Fall::Silent("no reconciliation came about"));
            }
            Stage::Settled { .. } => self.begin_pass(now),
            Stage::Gathering => {}
        }
        Ok(())
    }
}
