//! What each message of a client leads to.

use std::collections::BTreeSet;
use std::sync::Arc;

use ayni_protocol::wire::{ClientMessage, Complaint};
use ayni_protocol::{
    Event, EventId, Filter, Limits, Prefix, Rejection, Timestamp, VerifiedEvent, wire,
};

use super::reconciliation::Reconciliation;
use super::work::{Errand, Purpose, Question, Work};
use super::{Session, admission};
use crate::backend::Viewer;

impl Session {
    pub(super) fn obey(
        &mut self,
        message: ClientMessage,
        length: usize,
        now: Timestamp,
        clock_ms: u64,
    ) {
        match message {
            ClientMessage::Event(event) => self.event(event, length, now),
            ClientMessage::Auth(event) => self.authenticate(event, now),
            ClientMessage::Req(name, filters) => self.request(&name, filters),
            ClientMessage::Count(name, filters) => self.count(name, filters),
            ClientMessage::Close(name) => self.drop_subscription(&name),
            ClientMessage::NegOpen(id, filter, first) => self.open(&id, filter, first, clock_ms),
            ClientMessage::NegMessage(id, message) => self.reconcile(&id, message, clock_ms),
            ClientMessage::NegClose(id) => self.drop_reconciliation(&id),
            ClientMessage::Unknown(_) => {}
        }
    }

    fn event(&mut self, event: Box<Event>, length: usize, now: Timestamp) {
        if let Err(rejection) = admission::check(&event, &self.viewer, &self.rules.limits, now) {
            self.refuse_event(&event.id, &rejection);
            return;
        }
        let weight = length.max(1);
        self.in_flight.enter(weight);
        self.work.push_back(Work::Verify(Errand { event, purpose: Purpose::Store, weight }));
    }

    fn authenticate(&mut self, event: Box<Event>, now: Timestamp) {
        let begun = self.auth.begin(&event, &self.rules.urls, &self.rules.limits, now);
        match begun {
            Ok(()) => {
                let errand = Errand { event, purpose: Purpose::Authenticate, weight: 0 };
                self.work.push_back(Work::Verify(errand));
            }
            Err(rejection) => {
                self.mind_junk();
                self.say(wire::ok(&event.id, false, &rejection.to_string()));
            }
        }
    }

    pub(super) fn authenticated(&mut self, id: EventId, outcome: Result<VerifiedEvent, Rejection>) {
        self.auth.end();
        let outcome = outcome.and_then(|event| self.admit_key(&event));
        let message = outcome.as_ref().err().map(ToString::to_string).unwrap_or_default();
        self.say(wire::ok(&id, outcome.is_ok(), &message));
    }

    fn admit_key(&mut self, event: &VerifiedEvent) -> Result<(), Rejection> {
        let mut keys: BTreeSet<_> = self.viewer.keys.clone();
        keys.insert(event.pubkey);
        if keys.len() > self.rules.limits.auth_keys {
            let most = self.rules.limits.auth_keys;
            let sentence = format!("at most {most} keys may authenticate on one connection");
            return Err(Rejection::new(Prefix::Restricted, sentence));
        }
        self.viewer = Arc::new(Viewer { keys });
        Ok(())
    }

    fn request(&mut self, name: &str, filters: Vec<Filter>) {
        self.drop_subscription(name);
        let key = self.fresh_key();
        let limits = &self.rules.limits;
        let opened = check_name(name, limits)
            .and_then(|()| check_filters(&filters, limits))
            .and_then(|()| self.viewer.may_ask(&filters))
            .and_then(|()| check_search(&filters, self.rules.search))
            .and_then(|()| self.subscriptions.open(name, key, &filters, limits));
        match opened {
            Ok(()) => {
                if filters.iter().any(|filter| self.viewer.misses(filter)) {
                    // What else was asked for is answered, and how to be shown all is told.
                    self.announce();
                }
                let filters = filters.into();
                self.questions.push_back(Question::Stored { key, filters, position: None });
            }
            Err(rejection) => self.close_subscription(name, &rejection),
        }
    }

    pub(super) fn drop_subscription(&mut self, name: &str) {
        let Some(closed) = self.subscriptions.close(name) else { return };
        self.work.push_back(Work::Unwatch(closed));
        self.questions.retain(|question| match question {
            Question::Stored { key, .. } => *key != closed,
            _ => true,
        });
    }

    fn count(&mut self, name: String, filters: Vec<Filter>) {
        let limits = &self.rules.limits;
        let checked = check_name(&name, limits)
            .and_then(|()| check_filters(&filters, limits))
            .and_then(|()| self.viewer.may_ask(&filters))
            .and_then(|()| check_search(&filters, false));
        let checked = checked.and_then(|()| {
            if self.counts_waiting < limits.subscriptions {
                return Ok(());
            }
            let sentence = "too many COUNTs are waiting for their answer";
            Err(Rejection::new(Prefix::RateLimited, sentence))
        });
        match checked {
            Ok(()) => {
                self.counts_waiting += 1;
                self.questions.push_back(Question::Count { name, filters: filters.into() });
            }
            Err(rejection) => self.close_subscription(&name, &rejection),
        }
    }

    fn open(&mut self, id: &str, filter: Box<Filter>, message: Vec<u8>, clock_ms: u64) {
        self.drop_reconciliation(id);
        let key = self.fresh_key();
        let limits = &self.rules.limits;
        let begun = check_name(id, limits)
            .and_then(|()| check_filters(std::slice::from_ref(&*filter), limits))
            .and_then(|()| self.viewer.may_ask(std::slice::from_ref(&*filter)))
            .and_then(|()| check_search(std::slice::from_ref(&*filter), false))
            .and_then(|()| self.reconciliations.begin(id, key, clock_ms, limits));
        match begun {
            Ok(()) => self.questions.push_back(Question::Open { key, filter, message }),
            Err(rejection) => self.refuse_reconciliation(id, &rejection),
        }
    }

    fn reconcile(&mut self, id: &str, message: Vec<u8>, clock_ms: u64) {
        match self.reconciliations.use_session(id, clock_ms) {
            Ok((key, session)) => {
                self.questions.push_back(Question::Reconcile { key, session, message });
            }
            Err(text) => {
                self.drop_reconciliation(id);
                self.say(text);
            }
        }
    }

    pub(super) fn drop_reconciliation(&mut self, id: &str) {
        let Some(closed) = self.reconciliations.close(id) else { return };
        self.questions.retain(|question| match question {
            Question::Open { key, .. } | Question::Reconcile { key, .. } => *key != closed,
            _ => true,
        });
    }

    pub(super) fn reconciled(
        &mut self,
        key: u64,
        outcome: Result<(Option<Reconciliation>, Vec<u8>), Rejection>,
    ) {
        if let Err(rejection) = &outcome {
            self.announce_for(rejection);
        }
        if let Some(text) = self.reconciliations.settle(key, outcome) {
            self.say(text);
        }
    }

    pub(super) fn complain(&mut self, complaint: Complaint) {
        self.mind_junk();
        match complaint {
            Complaint::Notice(rejection) => self.say(wire::notice(&rejection.to_string())),
            Complaint::Event(claimed_id, rejection) => {
                self.tally.rejected += 1;
                self.say(wire::unreadable(&claimed_id, &rejection.to_string()));
            }
            Complaint::Count(name, rejection) => self.close_subscription(&name, &rejection),
            Complaint::Subscription(name, rejection) => {
                self.drop_subscription(&name);
                self.close_subscription(&name, &rejection);
            }
            Complaint::Reconciliation(id, rejection) => {
                self.drop_reconciliation(&id);
                self.refuse_reconciliation(&id, &rejection);
            }
        }
    }
}

fn check_name(name: &str, limits: &Limits) -> Result<(), Rejection> {
    let most = limits.subscription_id_chars;
    if name.is_empty() || name.chars().nth(most).is_some() {
        let sentence = format!("a subscription id has 1 to {most} characters");
        return Err(Rejection::invalid(sentence));
    }
    Ok(())
}

fn check_filters(filters: &[Filter], limits: &Limits) -> Result<(), Rejection> {
    if filters.len() > limits.filters {
        let sentence = format!("at most {} filters a message", limits.filters);
        return Err(Rejection::invalid(sentence));
    }
    if filters.iter().any(|filter| filter.tags.len() > limits.filter_tags) {
        let sentence = format!("at most {} tag attributes in one filter", limits.filter_tags);
        return Err(Rejection::invalid(sentence));
    }
    if filters.iter().any(|filter| filter.values() > limits.filter_values) {
        let sentence = format!("at most {} values in one filter", limits.filter_values);
        return Err(Rejection::invalid(sentence));
    }
    Ok(())
}

/// A search is answered in a REQ, and only where there is an index of words.
fn check_search(filters: &[Filter], answered: bool) -> Result<(), Rejection> {
    if answered || filters.iter().all(|filter| filter.search.is_none()) {
        return Ok(());
    }
    let sentence = "a search is answered in a REQ alone, and where NIP-11 names NIP-50";
    Err(Rejection::new(Prefix::Unsupported, sentence))
}
