//! What this node lets someone publish now, with a sentence for whoever may not.
//!
//! Nothing here is counted: an event that came by a peer or from a file is judged by the book
//! alone. The door only spares people from paying for a ticket that will not be on the list.

use std::borrow::Cow;

use ayni_protocol::{EventId, Prefix, PublicKey, Rejection, Timestamp, VerifiedEvent};

use crate::drum::Drum;
use crate::gates::Gates;
use crate::judge::draw_round;
use crate::read::{self, Entry, RaffleEntry, TicketEntry};
use crate::reason::Reason;
use crate::spec::{Place, RaffleSpec};
use crate::state::{Claim, Running, Standing};

/// Seconds in the year that [`crate::Gate::max_draws_per_year`] means.
const YEAR_SECS: u64 = 365 * 86_400;

impl Drum {
    /// Where this organiser's next raffle stands: `None` while the charter is unknown or names no
    /// beacon.
    #[must_use]
    pub fn next_place(
        &self,
        organiser: &PublicKey,
        charter: &EventId,
        spec: &RaffleSpec,
    ) -> Option<Place> {
        let charter = self.charters.get(charter)?;
        let last = self.last_of(charter.community, organiser);
        Some(Place {
            community: charter.community,
            charter: charter.id,
            round: draw_round(charter, spec)?,
            seq: last.map_or(0, |last| last.place.seq.saturating_add(1)),
            previous: last.map(|last| last.id),
        })
    }

    /// The end of an organiser's chain: the greatest number, then the lowest id.
    fn last_of(&self, community: EventId, organiser: &PublicKey) -> Option<&RaffleEntry> {
        let from = (community, *organiser, None);
        let links = self.links.range(from..);
        let own = links.take_while(|((c, o, _), _)| *c == community && o == organiser);
        let raffles = own.flat_map(|(_, ids)| ids).filter_map(|id| self.raffles.get(id));
        let entries = raffles.map(|raffle| &raffle.entry);
        entries.max_by_key(|entry| (entry.place.seq, std::cmp::Reverse(entry.id)))
    }

    /// Whether this raffle may be announced now.
    ///
    /// # Errors
    /// A [`Rejection`] that says what to change.
    pub fn may_announce(
        &self,
        event: &VerifiedEvent,
        now: Timestamp,
        gates: &Gates,
    ) -> Result<(), Rejection> {
        let entry = match read::read(event) {
            Ok(Entry::Raffle(entry)) => *entry,
            Ok(_) => return Err(Rejection::invalid("This is no raffle.")),
            Err(malformed) => return Err(Rejection::invalid(malformed.to_string())),
        };
        let spec = &entry.spec;
        let Some(charter) = self.charters.get(&entry.place.charter) else {
            return restricted("This node does not know the charter the raffle names.");
        };
        self.admit_standing(&entry)?;
        if spec.closes <= now {
            return restricted("The raffle closes in the past.");
        }
        let next = self.next_place(&entry.organiser, &entry.place.charter, spec);
        if next.is_some_and(|next| next.previous != entry.place.previous) {
            return refuse(Prefix::Seq, "Another raffle of yours stands there: name it as prev.");
        }
        let draws = self.draws_within_a_year(charter.community, spec.closes);
        gates.admit(spec, charter.country.as_deref(), draws)
    }

    fn admit_standing(&self, entry: &RaffleEntry) -> Result<(), Rejection> {
        let spec = &entry.spec;
        match self.judge_raffle(entry) {
            Standing::Fit => {}
            Standing::Void(reason) => return refuse(Prefix::Invalid, sentence(reason)),
            Standing::Waits(crate::state::Need::Key(key)) if key == entry.organiser => {
                return restricted("Only members of the community announce raffles.");
            }
            Standing::Waits(crate::state::Need::Key(_)) => {
                return restricted("The escrow account is not open: ask the community for one.");
            }
            Standing::Waits(_) => {
                return refuse(Prefix::Missing, "An earlier raffle of yours has not arrived.");
            }
        }
        let Some(currency) = spec.currency.as_ref().filter(|_| spec.is_priced()) else {
            return Ok(());
        };
        match spec.to.iter().find(|share| !self.people.is_open(currency, &share.account)) {
            Some(share) => restricted(format!(
                "The account {} that shares in the pot is not open.",
                share.account
            )),
            None => Ok(()),
        }
    }

    fn draws_within_a_year(&self, community: EventId, closes: Timestamp) -> u64 {
        let raffles = self.raffles.values().filter(|raffle| {
            raffle.standing == Standing::Fit
                && raffle.entry.place.community == community
                && raffle.entry.spec.closes.abs_diff(closes) < YEAR_SECS
        });
        raffles.fold(0, |count, _| count + 1)
    }

    /// Whether this ticket may be sold now.
    ///
    /// A payment that is not certified yet is let through: the ticket waits for it.
    ///
    /// # Errors
    /// A [`Rejection`] that says why not.
    pub fn may_sell(&self, event: &VerifiedEvent, now: Timestamp) -> Result<(), Rejection> {
        let ticket = match read::read(event) {
            Ok(Entry::Ticket(ticket)) => ticket,
            Ok(_) => return Err(Rejection::invalid("This is no ticket.")),
            Err(malformed) => return Err(Rejection::invalid(malformed.to_string())),
        };
        let raffle = match self.judge_raffle_of(ticket.raffle, ticket.community) {
            Ok(raffle) => raffle,
            Err(Standing::Void(reason)) => return restricted(sentence(reason)),
            Err(_) => return refuse(Prefix::Missing, "This node does not know the raffle yet."),
        };
        self.admit_time(raffle, now)?;
        let (standing, claim) = self.judge_ticket(&ticket);
        if let Standing::Void(reason) = standing {
            return restricted(sentence(reason));
        }
        self.admit_buyer(&ticket, raffle, standing, claim)?;
        self.admit_quantity(&ticket, raffle, claim)
    }

    fn admit_time(&self, raffle: &Running, now: Timestamp) -> Result<(), Rejection> {
        let (id, spec) = (&raffle.entry.id, &raffle.entry.spec);
        if let Some(reason) = self.verdict(id).and_then(crate::state::Verdict::called_off) {
            return restricted(format!("The raffle was called off: {reason}."));
        }
        if now < spec.opens {
            return restricted("Sales have not opened yet.");
        }
        if now > spec.last_receipt() || self.verdict(id).is_some() {
            return restricted("Sales are closed.");
        }
        if raffle.cancelled {
            return restricted("The organiser called this raffle off.");
        }
        Ok(())
    }

    fn admit_buyer(
        &self,
        ticket: &TicketEntry,
        raffle: &Running,
        standing: Standing,
        claim: Option<Claim>,
    ) -> Result<(), Rejection> {
        let unknown_payment = claim.is_none() && raffle.entry.spec.is_priced();
        match standing {
            Standing::Waits(_) if unknown_payment => {
                let known = ticket.order.and_then(|order| self.payments.get(&order));
                match known {
                    Some(_) => restricted("The payment was made from someone else's account."),
                    None => Ok(()),
                }
            }
            Standing::Waits(_) => match raffle.entry.spec.min_age {
                Some(age) => {
                    restricted(format!("You must have shown that you are {age} or older."))
                }
                None => restricted("Only members of the community take part in this raffle."),
            },
            _ => Ok(()),
        }
    }

    fn admit_quantity(
        &self,
        ticket: &TicketEntry,
        raffle: &Running,
        claim: Option<Claim>,
    ) -> Result<(), Rejection> {
        let (spec, sales) = (&raffle.entry.spec, &raffle.sales);
        if self.tickets.contains_key(&ticket.id) {
            return Ok(());
        }
        let deposit = claim.and_then(|_| self.deposit(&ticket.raffle, ticket.order));
        if deposit.is_some_and(|deposit| self.deposits.contains_key(&deposit)) {
            return restricted("This payment has its ticket already.");
        }
        let quantity = u64::from(ticket.quantity);
        let person = claim.map_or(ticket.author, |claim| claim.payer);
        let held = sales.held.get(&person).copied().unwrap_or(0);
        if let Some(cap) = spec.max_per_person
            && held.saturating_add(quantity) > u64::from(cap)
        {
            return restricted(format!("One person may hold {cap}; you hold {held}."));
        }
        if let Some(max) = spec.max_units
            && sales.units.saturating_add(quantity) > max
        {
            let left = max.saturating_sub(sales.units);
            return restricted(format!("Only {left} are left."));
        }
        Ok(())
    }
}

/// A reason as a sentence that stands alone.
fn sentence(reason: Reason) -> String {
    let sentence = reason.sentence();
    let mut chars = sentence.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).chain(['.']).collect()
}

fn restricted(sentence: impl Into<Cow<'static, str>>) -> Result<(), Rejection> {
    refuse(Prefix::Restricted, sentence)
}

fn refuse(prefix: Prefix, sentence: impl Into<Cow<'static, str>>) -> Result<(), Rejection> {
    Err(Rejection::new(prefix, sentence))
}
