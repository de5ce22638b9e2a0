//! Raffles as people see them: what the HTTP API answers.
//!
//! Amounts are decimal strings, times unix seconds, ids and keys hex. Only the words `announced`,
//! `open` and `closed` need the reader's clock, which is an argument.

use ayni_protocol::{Address, EventId, PublicKey, Scale, Timestamp, hex};
use ayni_witness::Charter;
use serde::Serialize;

use crate::causes::Cause;
use crate::drum::Drum;
use crate::list::TicketList;
use crate::payout::Due;
use crate::spec::{Legal, Scope, Title};
use crate::state::{Running, Standing, State, Verdict};

/// One line of the list of raffles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RaffleLine {
    /// The raffle.
    pub id: EventId,
    /// Its community.
    pub community: EventId,
    /// Who holds it.
    pub organiser: PublicKey,
    /// Its binding title; empty where it has none.
    pub title: String,
    /// Where it stands.
    pub state: &'static str,
    /// Price of one unit.
    pub price: String,
    /// The currency, as an address.
    pub currency: Option<String>,
    /// When sales open.
    pub opens: Timestamp,
    /// When sales close.
    pub closes: Timestamp,
    /// Units: on the list once it is fixed, sold so far before.
    pub units: u64,
}

/// Everything about one raffle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RaffleView {
    /// What the list of raffles says.
    #[serde(flatten)]
    pub line: RaffleLine,
    /// The charter whose witnesses decide.
    pub charter: EventId,
    /// Its titles by language.
    pub titles: Vec<Title>,
    /// What it is for.
    pub text: String,
    /// Number in the organiser's chain.
    pub seq: u64,
    /// The organiser's raffle before.
    pub previous: Option<EventId>,
    /// Whether the organiser announced two raffles in this place: a warning.
    pub forked: bool,
    /// The prizes.
    pub prizes: Vec<PrizeView>,
    /// Units one person may hold.
    pub max_per_person: Option<u32>,
    /// Units below which it is called off.
    pub min_units: u64,
    /// Units for sale.
    pub max_units: Option<u64>,
    /// Seconds after the close in which witnesses still receive tickets.
    pub grace: u64,
    /// What a winning unit takes out of the drum.
    pub scope: Scope,
    /// Days to claim a prize.
    pub claim_days: Option<u32>,
    /// Age buyers must have shown.
    pub min_age: Option<u32>,
    /// Under which law it is held.
    pub legal: Option<Legal>,
    /// The account that holds the pot.
    pub escrow: Option<PublicKey>,
    /// Who shares in the pot.
    pub causes: Vec<ShareView>,
    /// What inviters get, in basis points of each ticket, the buyer's first.
    pub referral_bp: Option<[u32; 2]>,
    /// The round that draws, and when it is due.
    pub beacon: BeaconView,
    /// Tickets: on the list once it is fixed, sold so far before.
    pub tickets: u64,
    /// Merkle root of the list, once it is fixed.
    pub root: Option<String>,
    /// What was paid for the units on the list.
    pub pot: Option<String>,
    /// Why it was called off.
    pub void_reason: Option<String>,
    /// The draw, with the numbers to recompute it.
    pub draw: Option<DrawView>,
    /// Digest of the decided outcome.
    pub outcome: Option<String>,
    /// Whether the decided result differs from the draw made here: some event is missing here, or
    /// the witnesses are wrong.
    pub mismatch: bool,
    /// What the decided state prescribes.
    pub payouts: Vec<PayoutView>,
    /// Payments given back.
    pub refunds: Vec<PayoutView>,
}

/// A prize.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrizeView {
    /// From 1.
    pub number: u32,
    /// What it is.
    pub text: String,
    /// The winner's share of the pot, in basis points.
    pub share_bp: Option<u32>,
    /// The ticket drawn for it.
    pub ticket: Option<EventId>,
    /// Who won it.
    pub winner: Option<PublicKey>,
    /// Whether the winner claimed it.
    pub claimed: bool,
    /// Whether the organiser noted that it was delivered.
    pub delivered: bool,
}

/// A share of the pot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShareView {
    /// The account.
    pub account: PublicKey,
    /// Basis points.
    pub bp: u32,
}

/// The round that draws.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BeaconView {
    /// Hash of the chain; nothing where the charter is unknown.
    pub chain: Option<String>,
    /// Its number.
    pub round: u64,
    /// When it is due.
    pub time: Option<Timestamp>,
}

/// A draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DrawView {
    /// Randomness of the round: SHA-256 of its signature.
    pub randomness: String,
    /// Where the numbers start.
    pub seed: String,
    /// The winning tickets, prize 1 first.
    pub winners: Vec<EventId>,
    /// The tickets in reserve.
    pub reserves: Vec<EventId>,
    /// The canonical JSON, byte for byte.
    pub json: String,
    /// Its SHA-256.
    pub sha256: String,
    /// Whether the witnesses decided this result.
    pub decided: bool,
}

/// A payment out of the escrow account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PayoutView {
    /// What the order carries as `["pay", …]`.
    pub pay: String,
    /// `prize`, `cause`, `referral-1`, `referral-2` or `refund`.
    pub reason: &'static str,
    /// Who is paid.
    pub to: PublicKey,
    /// How much.
    pub amount: String,
    /// For a refund, the buyer's order.
    pub refund_of: Option<EventId>,
    /// The certified order that paid it.
    pub paid_by: Option<EventId>,
}

/// A cause and what it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CauseView {
    /// What a payment names to give to it.
    pub address: String,
    /// As its author describes it.
    #[serde(flatten)]
    pub cause: Cause,
    /// By currency: its address, the sum, and the number of payments.
    pub given: Vec<GivenView>,
}

/// What a cause was given in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GivenView {
    /// The currency's address.
    pub currency: String,
    /// The sum.
    pub amount: String,
    /// Payments.
    pub payments: u64,
}

impl Drum {
    /// Every raffle that counts, those that close last first.
    #[must_use]
    pub fn raffles(&self, now: Timestamp) -> Vec<RaffleLine> {
        let fit = self.raffles.values().filter(|raffle| raffle.standing == Standing::Fit);
        let mut lines: Vec<_> = fit.map(|raffle| self.line(raffle, now)).collect();
        lines.sort_by_key(|line| (std::cmp::Reverse(line.closes), line.id));
        lines
    }

    /// One raffle that counts.
    #[must_use]
    pub fn raffle(&self, id: &EventId, now: Timestamp) -> Option<RaffleView> {
        let raffle = self.raffles.get(id).filter(|raffle| raffle.standing == Standing::Fit)?;
        Some(self.raffle_view(raffle, now))
    }

    /// The fixed ticket list of a raffle.
    #[must_use]
    pub fn list(&self, raffle: &EventId) -> Option<&TicketList> {
        self.raffles.get(raffle)?.list.as_ref()
    }

    /// The canonical JSON of a raffle's draw, as drawn here: the content of kind 4733.
    #[must_use]
    pub fn result_json(&self, raffle: &EventId) -> Option<&str> {
        self.raffles.get(raffle)?.draw.as_ref().map(|draw| draw.json.as_str())
    }

    /// Where a raffle stands at `now`; nothing for one that does not count.
    #[must_use]
    pub fn state(&self, raffle: &EventId, now: Timestamp) -> Option<State> {
        let raffle = self.raffles.get(raffle).filter(|it| it.standing == Standing::Fit)?;
        Some(self.state_of(raffle, now))
    }

    /// Every cause, with what it was given.
    #[must_use]
    pub fn cause_views(&self) -> Vec<CauseView> {
        let view = |(address, cause): (&Address, &Cause)| {
            let given = self.causes.given(address).map(|(currency, given)| GivenView {
                currency: currency.to_string(),
                amount: given.scale.format(given.minor),
                payments: given.payments,
            });
            let address = address.to_string();
            CauseView { address, cause: cause.clone(), given: given.collect() }
        };
        self.causes.iter().map(view).collect()
    }

    fn state_of(&self, raffle: &Running, now: Timestamp) -> State {
        let spec = &raffle.entry.spec;
        let by_clock = || match now {
            now if now < spec.opens => State::Announced,
            now if now <= spec.closes => State::Open,
            _ => State::Closed,
        };
        self.decided_state(raffle).unwrap_or_else(by_clock)
    }

    fn line(&self, raffle: &Running, now: Timestamp) -> RaffleLine {
        let entry = &raffle.entry;
        let title = entry.spec.titles.first().map(|title| title.text.clone());
        RaffleLine {
            id: entry.id,
            community: entry.place.community,
            organiser: entry.organiser,
            title: title.unwrap_or_default(),
            state: self.state_of(raffle, now).as_str(),
            price: entry.spec.price.to_string(),
            currency: entry.spec.currency.as_ref().map(ToString::to_string),
            opens: entry.spec.opens,
            closes: entry.spec.closes,
            units: raffle.list.as_ref().map_or(raffle.sales.units, TicketList::units),
        }
    }

    fn raffle_view(&self, raffle: &Running, now: Timestamp) -> RaffleView {
        let (entry, list) = (&raffle.entry, raffle.list.as_ref());
        let (spec, place) = (&entry.spec, entry.place);
        let verdict = self.verdict(&entry.id);
        let outcome = verdict.and_then(Verdict::outcome);
        let called_off = verdict.and_then(Verdict::called_off);
        let link = (place.community, entry.organiser, place.previous);
        let on_list = list.and_then(|list| u64::try_from(list.lots().len()).ok());
        RaffleView {
            line: self.line(raffle, now),
            charter: place.charter,
            titles: spec.titles.clone(),
            text: spec.text.clone(),
            seq: place.seq,
            previous: place.previous,
            forked: self.links.get(&link).is_some_and(|raffles| raffles.len() > 1),
            prizes: self.prize_views(raffle),
            max_per_person: spec.max_per_person,
            min_units: spec.min_units,
            max_units: spec.max_units,
            grace: spec.grace,
            scope: spec.scope,
            claim_days: spec.claim_days,
            min_age: spec.min_age,
            legal: spec.legal.clone(),
            escrow: spec.escrow,
            causes: spec.to.iter().map(|to| ShareView { account: to.account, bp: to.bp }).collect(),
            referral_bp: spec.referral.map(|levels| [levels.first_bp, levels.second_bp]),
            beacon: self.beacon_view(raffle),
            tickets: on_list.unwrap_or(raffle.sales.tickets),
            root: list.map(|list| hex::encode(list.root())),
            pot: list.map(|list| self.scale(raffle).format(list.pot().into())),
            void_reason: called_off.map(ToOwned::to_owned),
            draw: self.draw_view(raffle),
            outcome: outcome.map(|outcome| hex::encode(&outcome.digest)),
            mismatch: self.is_mismatched(raffle),
            payouts: self.payout_views(raffle, raffle.payouts.values()),
            refunds: self.payout_views(raffle, raffle.refunds.values()),
        }
    }

    fn scale(&self, raffle: &Running) -> Scale {
        raffle.entry.spec.price.scale
    }

    fn is_mismatched(&self, raffle: &Running) -> bool {
        let outcome = self.verdict(&raffle.entry.id).and_then(Verdict::outcome);
        let result =
            outcome.filter(|outcome| matches!(outcome.value, ayni_witness::Value::Result(_)));
        result.is_some() && raffle.draw.is_some() && !self.is_drawn(raffle)
    }

    fn prize_views(&self, raffle: &Running) -> Vec<PrizeView> {
        let view = |(number, prize): (u32, &crate::spec::Prize)| {
            let ticket = raffle.draw.as_ref().and_then(|draw| draw.winner(number));
            let sold = raffle.list.as_ref().map(TicketList::sold);
            let winner = ticket.and_then(|ticket| Some(sold?.get(&ticket)?.holder));
            PrizeView {
                number,
                text: prize.text.clone(),
                share_bp: prize.share_bp,
                ticket,
                winner,
                claimed: winner.is_some_and(|key| raffle.claimed.contains(&(number, key))),
                delivered: raffle.delivered.contains(&number),
            }
        };
        (1..).zip(&raffle.entry.spec.prizes).map(view).collect()
    }

    fn beacon_view(&self, raffle: &Running) -> BeaconView {
        let round = raffle.entry.place.round;
        let charter: Option<&Charter> =
            self.charters.get(&raffle.entry.place.charter).map(AsRef::as_ref);
        let chain = charter.and_then(|charter| charter.beacon.as_ref());
        BeaconView {
            chain: chain.map(|chain| hex::encode(&chain.hash)),
            round,
            time: chain.map(|chain| chain.time_of(round)),
        }
    }

    fn draw_view(&self, raffle: &Running) -> Option<DrawView> {
        let draw = raffle.draw.as_ref()?;
        Some(DrawView {
            randomness: hex::encode(&draw.entropy.randomness),
            seed: hex::encode(&draw.seed),
            winners: draw.winners.clone(),
            reserves: draw.reserves.clone(),
            json: draw.json.clone(),
            sha256: hex::encode(&draw.sha256),
            decided: self.is_drawn(raffle),
        })
    }

    fn payout_views<'a>(
        &self,
        raffle: &Running,
        dues: impl Iterator<Item = &'a Due>,
    ) -> Vec<PayoutView> {
        let view = |due: &Due| {
            let pay = due.purpose.pay_id(raffle.entry.id);
            PayoutView {
                pay: hex::encode(&pay),
                reason: due.purpose.reason(),
                to: due.to,
                amount: self.scale(raffle).format(due.minor.into()),
                refund_of: match due.purpose {
                    crate::payout::Purpose::Refund(order, _) => Some(order),
                    _ => None,
                },
                paid_by: self.paid_by(raffle, &pay, due),
            }
        };
        dues.map(view).collect()
    }
}
