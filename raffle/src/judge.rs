//! What the rules say of a raffle or a ticket on its own: fit, void, or waiting for what.
//!
//! Nothing here depends on what was decided, and everything depends on facts that only grow. So
//! what was found fit or void stays so, and a ticket that is fit can be handed to the witnesses.

use ayni_protocol::{EventId, PublicKey, Timestamp, kind};
use ayni_witness::{Charter, Payment};

use crate::drum::Drum;
use crate::read::{ClaimEntry, RaffleEntry, Says, TicketEntry};
use crate::reason::Reason;
use crate::spec::{Entropy, RaffleSpec};
use crate::state::{Claim, Need, Running, Standing};

/// The round that must draw: the first after close, grace and the charter's seal window.
pub(crate) fn draw_round(charter: &Charter, spec: &RaffleSpec) -> Option<u64> {
    let at: Timestamp = spec.last_receipt().saturating_add(charter.timings.seal_window);
    charter.beacon.as_ref().map(|chain| chain.round_at_or_after(at))
}

/// What a payment gives to an escrow account, over all its legs.
pub(crate) fn paid_into(payment: &Payment, escrow: &PublicKey) -> i64 {
    let legs = payment.legs.iter().filter(|leg| leg.account == *escrow);
    legs.fold(0, |sum, leg| sum.saturating_add(leg.minor))
}

/// Whether a payment names another raffle as its purpose.
fn is_for_another(payment: &Payment, raffle: &RaffleEntry) -> bool {
    let named = payment.purpose.as_ref().filter(|purpose| purpose.kind == kind::RAFFLE);
    named.is_some_and(|purpose| *purpose != crate::draft::purpose(raffle.organiser, raffle.id))
}

impl Drum {
    /// A raffle, from its charter, its place in the organiser's chain, and its accounts.
    pub(crate) fn judge_raffle(&self, entry: &RaffleEntry) -> Standing {
        let RaffleEntry { place, spec, .. } = entry;
        let Some(charter) = self.charters.get(&place.charter) else {
            return Standing::Waits(Need::Event(place.charter));
        };
        if charter.community != place.community {
            return Standing::Void(Reason::OtherCommunity);
        }
        if spec.entropy != Entropy::Drand {
            return Standing::Void(Reason::EntropyNotSupported);
        }
        match draw_round(charter, spec) {
            None => return Standing::Void(Reason::NoBeacon),
            Some(round) if round != place.round => return Standing::Void(Reason::WrongRound),
            Some(_) => {}
        }
        match self.judge_sequence(entry) {
            Standing::Fit => self.judge_accounts(entry, charter),
            other => other,
        }
    }

    /// The first raffle is number 0, or 1 for those who count so, and names none before it.
    ///
    /// Two raffles after the same one both count: voiding either would take back what was sold.
    /// The fork is shown on both ([`crate::view::RaffleView::forked`]), and refused at the door.
    fn judge_sequence(&self, entry: &RaffleEntry) -> Standing {
        let place = entry.place;
        let Some(id) = place.previous else {
            return if place.seq <= 1 {
                Standing::Fit
            } else {
                Standing::Void(Reason::WrongSequence)
            };
        };
        let Some(previous) = self.raffles.get(&id) else {
            return Standing::Waits(Need::Event(id));
        };
        let continues = previous.entry.organiser == entry.organiser
            && previous.entry.place.community == place.community
            && previous.entry.place.seq.checked_add(1) == Some(place.seq);
        match previous.standing {
            _ if !continues => Standing::Void(Reason::WrongSequence),
            Standing::Void(_) => Standing::Void(Reason::WrongSequence),
            Standing::Waits(_) => Standing::Waits(Need::Event(id)),
            Standing::Fit => Standing::Fit,
        }
    }

    fn judge_accounts(&self, entry: &RaffleEntry, charter: &Charter) -> Standing {
        let (organiser, community) = (entry.organiser, charter.community);
        if organiser != charter.community_key && !self.people.is_member(community, &organiser) {
            return Standing::Waits(Need::Key(organiser));
        }
        match (&entry.spec.currency, entry.spec.escrow) {
            (Some(currency), Some(escrow))
                if entry.spec.is_priced()
                    && !self.people.is_escrow(community, currency, &escrow) =>
            {
                Standing::Waits(Need::Key(escrow))
            }
            _ => Standing::Fit,
        }
    }

    /// A ticket, from its raffle, its payment and its buyer; and what it paid, if it did.
    pub(crate) fn judge_ticket(&self, ticket: &TicketEntry) -> (Standing, Option<Claim>) {
        let raffle = match self.judge_raffle_of(ticket.raffle, ticket.community) {
            Ok(raffle) => raffle,
            Err(standing) => return (standing, None),
        };
        let claim = match (raffle.entry.spec.is_priced(), ticket.order) {
            (false, None) => None,
            (false, Some(_)) => return (Standing::Void(Reason::OrderNotExpected), None),
            (true, None) => return (Standing::Void(Reason::OrderMissing), None),
            (true, Some(order)) => match self.judge_payment(ticket, order, &raffle.entry) {
                Ok(claim) => Some(claim),
                Err(standing) => return (standing, None),
            },
        };
        (self.judge_buyer(ticket, &raffle.entry, claim), claim)
    }

    /// The raffle an entry is about, if it counts and is of the same community.
    pub(crate) fn judge_raffle_of(
        &self,
        raffle: EventId,
        community: EventId,
    ) -> Result<&Running, Standing> {
        let Some(running) = self.raffles.get(&raffle) else {
            return Err(Standing::Waits(Need::Event(raffle)));
        };
        match running.standing {
            Standing::Waits(_) => Err(Standing::Waits(Need::Event(raffle))),
            Standing::Void(_) => Err(Standing::Void(Reason::RaffleVoid)),
            Standing::Fit if running.entry.place.community != community => {
                Err(Standing::Void(Reason::OtherCommunity))
            }
            Standing::Fit => Ok(running),
        }
    }

    /// Whether the order pays this raffle's escrow account on behalf of the ticket's author. Only
    /// then does the ticket lay claim to it: naming someone else's payment takes nothing away.
    fn judge_payment(
        &self,
        ticket: &TicketEntry,
        order: EventId,
        raffle: &RaffleEntry,
    ) -> Result<Claim, Standing> {
        let payment = self.payments.get(&order).ok_or(Standing::Waits(Need::Event(order)))?;
        let spec = &raffle.spec;
        if spec.currency.as_ref() != Some(&payment.currency) {
            return Err(Standing::Void(Reason::WrongCurrency));
        }
        let minor = spec.escrow.map_or(0, |escrow| paid_into(payment, &escrow));
        if minor <= 0 {
            return Err(Standing::Void(Reason::WrongEscrow));
        }
        if is_for_another(payment, raffle) {
            return Err(Standing::Void(Reason::OrderForAnother));
        }
        if self.people.acts_for(&ticket.author, &payment.currency, &payment.payer) {
            Ok(Claim { payer: payment.payer, minor })
        } else {
            Err(Standing::Waits(Need::Key(ticket.author)))
        }
    }

    /// Amount, caps and gates. A free raffle's tickets are for members; a payer is one.
    fn judge_buyer(
        &self,
        ticket: &TicketEntry,
        raffle: &RaffleEntry,
        claim: Option<Claim>,
    ) -> Standing {
        let (spec, community) = (&raffle.spec, raffle.place.community);
        if claim.is_some_and(|claim| !self.is_exact(ticket, spec, claim)) {
            return Standing::Void(Reason::WrongAmount);
        }
        if spec.max_per_person.is_some_and(|cap| ticket.quantity > cap) {
            return Standing::Void(Reason::OverCap);
        }
        if spec.max_units.is_some_and(|max| u64::from(ticket.quantity) > max) {
            return Standing::Void(Reason::SoldOut);
        }
        let min_age = spec.min_age.unwrap_or(0);
        let (key, admitted) = match (&spec.currency, claim) {
            (Some(currency), Some(Claim { payer, .. })) => {
                (payer, min_age == 0 || self.people.has_age(currency, &payer, min_age))
            }
            _ if min_age == 0 => (ticket.author, self.people.is_member(community, &ticket.author)),
            _ => {
                let of_age = self.people.member_has_age(community, &ticket.author, min_age);
                (ticket.author, of_age)
            }
        };
        if admitted { Standing::Fit } else { Standing::Waits(Need::Key(key)) }
    }

    /// Whether the whole price went to the escrow account in the first leg, and nothing more.
    fn is_exact(&self, ticket: &TicketEntry, spec: &RaffleSpec, claim: Claim) -> bool {
        let payment = ticket.order.and_then(|order| self.payments.get(&order));
        let scale = payment.map(|payment| payment.scale);
        let first = payment.and_then(|payment| payment.legs.first());
        let cost = spec.cost(ticket.quantity);
        scale == Some(spec.price.scale)
            && cost == Some(claim.minor)
            && cost == first.map(|leg| leg.minor)
            && spec.escrow == first.map(|leg| leg.account)
    }

    /// What a claim, a delivery note or a cancellation is worth before anything is drawn.
    pub(crate) fn judge_claim(&self, claim: &ClaimEntry) -> Standing {
        let raffle = match self.judge_raffle_of(claim.raffle, claim.community) {
            Ok(raffle) => &raffle.entry,
            Err(standing) => return standing,
        };
        let by_organiser = claim.author == raffle.organiser;
        let prize = match claim.says {
            Says::Cancelled if !by_organiser => return Standing::Void(Reason::NotTheOrganiser),
            Says::Cancelled if claim.created_at > raffle.spec.closes => {
                return Standing::Void(Reason::TooLate);
            }
            Says::Cancelled => return Standing::Fit,
            Says::Delivered(_) if !by_organiser => {
                return Standing::Void(Reason::NotTheOrganiser);
            }
            Says::Delivered(prize) | Says::Claim(prize) => usize::try_from(prize),
        };
        match prize {
            Ok(number) if (1..=raffle.spec.prizes.len()).contains(&number) => Standing::Fit,
            _ => Standing::Void(Reason::NoSuchPrize),
        }
    }
}
