//! What the messages of a peer mean.
//!
//! Whatever was not asked for is counted, not believed; what no honest peer sends ends the
//! connection with its name. Refusals are told apart by their NIP-01 prefix: some turn by
//! themselves, some by authentication, some not at all.

use ayni_protocol::{Event, EventId, Prefix};

use crate::Millis;
use crate::inbox::{Came, Delivery};
use crate::outbox::Answer;
use crate::paging::Found;
use crate::peer::{Fall, Peer, PeerEvent, Transmit};
use crate::reconcile::{Broken, Next};
use crate::session::{Authentication, LIVE, PAGE, SYNC, Stage, batch_number};
use crate::wire::{self, RelayMessage};

/// Gives up where the connection is gone meanwhile.
macro_rules! up {
    ($peer:expr) => {
        match $peer.session() {
            Some(session) => session,
            None => return Ok(()),
        }
    };
}

impl Peer {
    /// One message of the peer.
    pub(crate) fn hear(&mut self, message: RelayMessage, now: Millis) -> Result<(), Fall> {
        match message {
            RelayMessage::Event(subscription, event) => self.hear_event(&subscription, event, now),
            RelayMessage::Ok(id, accepted, text) => self.hear_ok(id, accepted, &text, now),
            RelayMessage::Eose(subscription) => self.hear_eose(&subscription, now),
            RelayMessage::Closed(subscription, text) => self.hear_closed(&subscription, &text, now),
            RelayMessage::Notice(text) => self.hear_notice(&text),
            RelayMessage::Auth(challenge) => self.hear_challenge(challenge),
            RelayMessage::NegMessage(subscription, message) if subscription == SYNC => {
                self.hear_negentropy(&message, now)
            }
            RelayMessage::NegMessage(..) => self.strike("negentropy that nobody opened"),
            RelayMessage::NegError(_, text) => self.hear_neg_error(&text, now),
            RelayMessage::Unknown(_) => Ok(()),
        }
    }

    fn hear_event(&mut self, to: &str, event: Box<Event>, now: Millis) -> Result<(), Fall> {
        let id = event.id;
        let delivery = if let Some(number) = batch_number(to) {
            self.inbox.delivered(number, id, now, &self.terms)
        } else if to == LIVE && self.terms.scope.matches(&event) {
            self.arrived_live(id)
        } else if to == PAGE {
            self.arrived_on_page(&event, now)
        } else {
            Delivery::Unasked
        };
        match delivery {
            Delivery::Take => {
                self.outbox.peer_has(id);
                self.events.push_back(PeerEvent::Received(event));
                Ok(())
            }
            Delivery::Known => Ok(()),
            Delivery::Unasked => self.strike("events that nobody asked for"),
            Delivery::Full => {
                self.handle_missed(now);
                Ok(())
            }
        }
    }

    /// What we are sending, or have just exchanged, comes back live as an echo.
    fn arrived_live(&mut self, id: EventId) -> Delivery {
        let echo = self.outbox.is_flying(&id) || !self.outbox.peer_has(id);
        if echo { Delivery::Known } else { self.inbox.arrived(id, Came::Live, &self.terms) }
    }

    fn arrived_on_page(&mut self, event: &Event, now: Millis) -> Delivery {
        let answer_ms = self.terms.answer_ms;
        let Some(Stage::Paging { paging, deadline: Some(deadline) }) =
            self.link.session().map(|session| &mut session.stage)
        else {
            return Delivery::Unasked;
        };
        *deadline = now + answer_ms;
        match paging.take(event, &self.terms) {
            Found::New => self.inbox.arrived(event.id, Came::Asked, &self.terms),
            Found::Known => {
                self.outbox.peer_has(event.id);
                Delivery::Known
            }
            Found::Unasked => Delivery::Unasked,
        }
    }

    fn hear_ok(&mut self, id: EventId, yes: bool, text: &str, now: Millis) -> Result<(), Fall> {
        if up!(self).authentication == Authentication::Sent(id) {
            return self.hear_authenticated(yes, text, now);
        }
        match self.outbox.answered(id, yes, text, now, &self.terms) {
            Answer::Taken => {
                self.sent = self.sent.saturating_add(1);
                up!(self).pass.progress = true;
                return Ok(());
            }
            Answer::Unasked => return self.strike("an OK to nothing"),
            Answer::AuthRequired => self.auth_required()?,
            Answer::Later | Answer::Refused => {}
        }
        self.last_error = Some(said("an event", text));
        Ok(())
    }

    fn hear_authenticated(&mut self, yes: bool, text: &str, now: Millis) -> Result<(), Fall> {
        let session = up!(self);
        if !yes {
            session.authentication = Authentication::Not;
            self.last_error = Some(said("our authentication", text));
            return self.answer_challenge();
        }
        session.authentication = Authentication::Done;
        session.challenge = None;
        if std::mem::take(&mut session.auth_wanted) {
            self.outbox.release();
            self.inbox.release();
            self.begin_pass(now);
        }
        Ok(())
    }

    /// Some relays make a new challenge with each refusal; only the newest is of use, and none
    /// while the answer to an earlier one may still let us in.
    fn hear_challenge(&mut self, challenge: String) -> Result<(), Fall> {
        let session = up!(self);
        session.challenge = Some(challenge);
        if session.authentication == Authentication::Not { self.answer_challenge() } else { Ok(()) }
    }

    /// Has the newest challenge signed, if there is one.
    fn answer_challenge(&mut self) -> Result<(), Fall> {
        let most = self.terms.challenges_max;
        let session = up!(self);
        let Some(challenge) = session.challenge.take() else { return Ok(()) };
        session.challenges += 1;
        if session.challenges > most {
            return Err(Fall::Lie("challenges without end"));
        }
        session.authentication = Authentication::Asked;
        self.transmits.push_back(Transmit::Authenticate { challenge });
        Ok(())
    }

    /// The driver signed a challenge.
    pub(crate) fn authenticate(&mut self, id: EventId, json: &str) -> Result<(), Fall> {
        let session = up!(self);
        if session.authentication == Authentication::Asked {
            session.authentication = Authentication::Sent(id);
            self.say(wire::auth(json));
        }
        Ok(())
    }

    /// Something was refused for want of authentication: if we had been let in, no longer.
    fn auth_required(&mut self) -> Result<(), Fall> {
        let session = up!(self);
        session.auth_wanted = true;
        if session.authentication == Authentication::Done {
            session.authentication = Authentication::Not;
        }
        if session.authentication == Authentication::Not { self.answer_challenge() } else { Ok(()) }
    }

    fn hear_eose(&mut self, subscription: &str, now: Millis) -> Result<(), Fall> {
        if let Some(number) = batch_number(subscription) {
            if !self.inbox.ended(number) {
                return Ok(());
            }
            self.say(wire::close(subscription));
            return self.weigh_promises();
        }
        match &mut up!(self).stage {
            Stage::Opening(_) if subscription == LIVE => self.gather(),
            Stage::Paging { deadline: Some(_), .. } if subscription == PAGE => self.turn_page(now),
            _ => {}
        }
        Ok(())
    }

    fn weigh_promises(&self) -> Result<(), Fall> {
        let (withheld, given) = (self.inbox.withheld(), self.inbox.given());
        if withheld > self.terms.withheld_max && withheld > given {
            return Err(Fall::Lie("promises of events that it does not give"));
        }
        Ok(())
    }

    fn hear_closed(&mut self, to: &str, text: &str, now: Millis) -> Result<(), Fall> {
        let auth = self.needs_auth(text)?;
        let retry_at = self.retry_at(auth, now);
        if let Some(number) = batch_number(to) {
            let retry = auth || for_now(text);
            let ours = if retry {
                self.inbox.postponed(number, retry_at)
            } else {
                self.inbox.ended(number)
            };
            if !ours {
                // Some relays confirm our own CLOSE like this.
                return Ok(());
            }
            self.weigh_promises()?;
        } else if to == SYNC {
            return self.hear_neg_error(text, now);
        } else if to == LIVE {
            self.live_closed(text, auth, retry_at);
        } else if to == PAGE && matches!(up!(self).stage, Stage::Paging { .. }) {
            self.settle(retry_at);
        } else {
            return Ok(());
        }
        self.last_error = Some(said("a subscription", text));
        Ok(())
    }

    fn live_closed(&mut self, text: &str, auth: bool, retry_at: Millis) {
        let Some(session) = self.link.session() else { return };
        session.live = false;
        if for_now(text) {
            session.resync_by(retry_at);
        }
        match session.stage {
            Stage::Opening(_) if auth => self.settle(retry_at),
            Stage::Opening(_) => self.gather(),
            _ => {}
        }
    }

    fn needs_auth(&mut self, text: &str) -> Result<bool, Fall> {
        let needs = wire::prefix(text) == Some(Prefix::AuthRequired);
        if needs {
            self.auth_required()?;
        }
        Ok(needs)
    }

    /// The answer to a challenge may take as long as any; otherwise a short while is enough.
    const fn retry_at(&self, auth: bool, now: Millis) -> Millis {
        now + if auth { self.terms.answer_ms } else { self.terms.retry_ms }
    }

    fn hear_notice(&mut self, text: &str) -> Result<(), Fall> {
        let lower = text.to_lowercase();
        let complaint = ["neg", "unknown", "unsupported", "unrecogni", "invalid", "parse"]
            .iter()
            .any(|word| lower.contains(word));
        let session = up!(self);
        if complaint && matches!(session.stage, Stage::Reconciling { answered: false, .. }) {
            session.negentropy = false;
            self.gather();
        }
        Ok(())
    }

    fn hear_neg_error(&mut self, text: &str, now: Millis) -> Result<(), Fall> {
        let auth = self.needs_auth(text)?;
        let retry_at = self.retry_at(auth, now);
        let session = up!(self);
        if matches!(session.stage, Stage::Reconciling { .. }) {
            if auth || for_now(text) || text.starts_with("closed:") {
                self.settle(retry_at);
            } else {
                session.negentropy = false;
                self.gather();
            }
        }
        self.last_error = Some(said("reconciliation", text));
        Ok(())
    }

    fn hear_negentropy(&mut self, message: &[u8], now: Millis) -> Result<(), Fall> {
        let answer_ms = self.terms.answer_ms;
        let session = up!(self);
        let Stage::Reconciling { engine, answered, deadline } = &mut session.stage else {
            return self.strike("negentropy that nobody opened");
        };
        let round = match engine.answer(message) {
            Ok(round) => round,
            Err(Broken::Garbage) => return Err(Fall::Lie("negentropy that makes no sense")),
            Err(Broken::Endless) => return Err(Fall::Lie("negentropy without end")),
            Err(Broken::Version) => {
                session.negentropy = false;
                self.gather();
                return Ok(());
            }
        };
        *answered = true;
        *deadline = now + answer_ms;
        let room = self.inbox.want(round.need, &self.terms);
        up!(self).pass.partial |= !room;
        self.outbox.offer(round.have);
        match round.next {
            Next::Say(message) => {
                self.say(ayni_protocol::wire::neg_msg(SYNC, &message));
                return Ok(());
            }
            Next::Done => self.complete_pass(false, now),
            Next::Enough => self.complete_pass(true, now),
        }
        self.say(wire::neg_close(SYNC));
        Ok(())
    }

    /// Counts what should not have come. Races of honest peers cost a few, so a few are allowed.
    pub(crate) fn strike(&mut self, what: &'static str) -> Result<(), Fall> {
        let most = self.terms.strikes_max;
        let session = up!(self);
        session.strikes += 1;
        if session.strikes > most { Err(Fall::Lie(what)) } else { Ok(()) }
    }
}

fn for_now(text: &str) -> bool {
    matches!(wire::prefix(text), Some(Prefix::RateLimited | Prefix::Error))
}

/// What the peer said of something of ours, cut where a peer talks too much.
fn said(of: &str, text: &str) -> String {
    let text: String = text.chars().take(200).collect();
    format!("the peer refused {of}: {text}")
}
