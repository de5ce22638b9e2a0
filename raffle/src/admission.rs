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
pub const YEAR_SECS: u64 = 365 * 86_400;
/// What is said of a raffle that this node does not hold, or of which it lacks something.
const UNKNOWN: &str = "This node does not know the raffle yet.";
/// What is said to whoever has no account.
const FOR_MEMBERS: &str = "Only members of the community take part in this raffle.";

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
            Err(_) => return refuse(Prefix::Missing, UNKNOWN),
        };
        self.admit_time(raffle, now)?;
        let (standing, claim) = self.judge_ticket(&ticket);
        if let Standing::Void(reason) = standing {
            return restricted(sentence(reason));
        }
        self.admit_buyer(&ticket, raffle, standing, claim)?;
        self.admit_quantity(&ticket, raffle, claim)
    }

    /// Whether this person may buy that many units now: all that [`Drum::may_sell`] will ask and
    /// that does not hang on the payment. Who asks before paying pays for no ticket in vain.
    ///
    /// # Errors
    /// A [`Rejection`] that says why not.
    pub fn may_buy(
        &self,
        raffle: &EventId,
        buyer: &PublicKey,
        units: u32,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        let known = self.raffles.get(raffle).filter(|it| it.standing == Standing::Fit);
        let Some(raffle) = known else { return refuse(Prefix::Missing, UNKNOWN) };
        self.admit_time(raffle, now)?;
        let (spec, community) = (&raffle.entry.spec, raffle.entry.place.community);
        let people = &self.people;
        let is_of_age = |age| match &spec.currency {
            Some(currency) if spec.is_priced() => people.has_age(currency, buyer, age),
            _ => people.member_has_age(community, buyer, age),
        };
        let is_member = match &spec.currency {
            Some(currency) if spec.is_priced() => people.is_open(currency, buyer),
            _ => people.is_member(community, buyer),
        };
        match spec.min_age {
            _ if !is_member => return restricted(FOR_MEMBERS),
            Some(age) if age > 0 && !is_of_age(age) => return restricted(too_young(age)),
            _ => {}
        }
        admit_units(raffle, buyer, units)
    }

    /// The units that somebody holds in a raffle, of those sold so far.
    #[must_use]
    pub fn held(&self, raffle: &EventId, holder: &PublicKey) -> u64 {
        let held = self.raffles.get(raffle).and_then(|raffle| raffle.sales.held.get(holder));
        held.copied().unwrap_or(0)
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
                Some(age) => restricted(too_young(age)),
                None => restricted(FOR_MEMBERS),
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
        if self.tickets.contains_key(&ticket.id) {
            return Ok(());
        }
        let deposit = claim.and_then(|_| self.deposit(&ticket.raffle, ticket.order));
        if deposit.is_some_and(|deposit| self.deposits.contains_key(&deposit)) {
            return restricted("This payment has its ticket already.");
        }
        let person = claim.map_or(ticket.author, |claim| claim.payer);
        admit_units(raffle, &person, ticket.quantity)
    }
}

/// Whether so many units more are left for somebody.
fn admit_units(raffle: &Running, person: &PublicKey, units: u32) -> Result<(), Rejection> {
    let (spec, sales) = (&raffle.entry.spec, &raffle.sales);
    let units = u64::from(units);
    let held = sales.held.get(person).copied().unwrap_or(0);
    if let Some(cap) = spec.max_per_person
        && held.saturating_add(units) > u64::from(cap)
    {
        return restricted(format!("One person may hold {cap}; you hold {held}."));
    }
    if let Some(max) = spec.max_units
        && sales.units.saturating_add(units) > max
    {
        let left = max.saturating_sub(sales.units);
        return restricted(format!("Only {left} are left."));
    }
    Ok(())
}

fn too_young(age: u32) -> String {
    format!("You must have shown that you are {age} or older.")
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ayni_protocol::{Draft, Keys};
    use ayni_witness::{Account, Fact};

    use super::*;
    use crate::draft;
    use crate::scene::{Scene, id, key, payment, priced};

    const ANA: u8 = 1;
    const ORG: u8 = 2;
    const ZOE: u8 = 3;

    fn keys(n: u8) -> Keys {
        Keys::from_secret([n; 32]).unwrap()
    }

    fn sign(draft: Draft, by: u8) -> VerifiedEvent {
        draft.sign(&keys(by), 120, [0; 32])
    }

    fn gates() -> Gates {
        serde_json::from_str(r#"{"GB": {"allowed": true, "max_draws_per_year": 3}}"#).unwrap()
    }

    /// Members who can sign: ana and org.
    fn scene() -> Scene {
        let mut scene = Scene::new();
        for n in [ANA, ORG] {
            let account = keys(n).public();
            let signers = [account].into();
            let member = crate::scene::account("", "member");
            scene.fact(Fact::Account(Arc::new(Account { account, signers, ..member })));
        }
        scene
    }

    fn announcement(scene: &Scene, spec: &RaffleSpec) -> Draft {
        let place = scene.drum.next_place(&keys(ORG).public(), &id("charter"), spec).unwrap();
        draft::raffle(spec, &place)
    }

    /// Adds an event without asking the door, and gives its id.
    fn force(scene: &mut Scene, event: &VerifiedEvent) -> EventId {
        scene.tell(crate::scene::Step::Entry(read::read(event).unwrap()));
        event.id
    }

    fn said(answer: Result<(), Rejection>) -> String {
        answer.map_or_else(|rejection| rejection.to_string(), |()| "ok".into())
    }

    fn announced(spec: &RaffleSpec, by: u8, now: Timestamp) -> String {
        let scene = scene();
        let event = sign(announcement(&scene, spec), by);
        said(scene.drum.may_announce(&event, now, &gates()))
    }

    #[test]
    fn who_may_announce_what() {
        let answers = [
            announced(&priced(), ORG, 120),
            announced(&priced(), ZOE, 120),
            announced(&priced(), ORG, 200),
            announced(&RaffleSpec { escrow: Some(key("safe")), ..priced() }, ORG, 120),
            announced(
                &RaffleSpec { entropy: crate::spec::Entropy::Ceremony, ..priced() },
                ORG,
                120,
            ),
            announced(&RaffleSpec { prizes: vec![], ..priced() }, ORG, 120),
            said(scene().drum.may_announce(
                &sign(draft::cancel(id("a"), id("b")), ORG),
                0,
                &gates(),
            )),
            said({
                let event = sign(announcement(&scene(), &priced()), ORG);
                Drum::new().may_announce(&event, 120, &gates())
            }),
            said({
                let event = sign(announcement(&scene(), &priced()), ORG);
                scene().drum.may_announce(&event, 120, &Gates::default())
            }),
        ];
        expect_test::expect![[r#"
            ok
            restricted: Only members of the community announce raffles.
            restricted: The raffle closes in the past.
            restricted: The escrow account is not open: ask the community for one.
            invalid: This version draws by a beacon only: set entropy to drand.
            invalid: the tag prize must be there 1 to 100 times
            invalid: This is no raffle.
            restricted: This node does not know the charter the raffle names.
            restricted: Raffles are switched off here for GB. Once its law allows them, the operator says so in ayni.toml: [raffle.gates.GB] allowed = true"#]]
        .assert_eq(&answers.join("\n"));
    }

    #[test]
    fn a_share_for_a_stranger_is_refused() {
        let share = crate::spec::Share { account: key("zoe"), bp: 100 };
        let answer = announced(&RaffleSpec { to: vec![share], ..priced() }, ORG, 120);
        assert!(answer.ends_with("that shares in the pot is not open."), "{answer}");
    }

    #[test]
    fn the_next_raffle_continues_the_chain() {
        let mut scene = scene();
        let first = sign(announcement(&scene, &priced()), ORG);
        let fork = sign(announcement(&scene, &RaffleSpec { reserves: 2, ..priced() }), ORG);
        let first = force(&mut scene, &first);
        let refused = said(scene.drum.may_announce(&fork, 120, &gates()));
        assert_eq!(refused, "seq: Another raffle of yours stands there: name it as prev.");
        let second = sign(announcement(&scene, &priced()), ORG);
        assert_eq!(scene.drum.may_announce(&second, 120, &gates()), Ok(()));
        force(&mut scene, &second);
        let place = scene.drum.next_place(&keys(ORG).public(), &id("charter"), &priced()).unwrap();
        assert_eq!((place.seq, place.previous), (2, Some(second.id)));
        let ahead = draft::raffle(&priced(), &Place { previous: Some(id("?")), ..place });
        let missing = said(scene.drum.may_announce(&sign(ahead, ORG), 120, &gates()));
        assert_eq!(missing, "missing: An earlier raffle of yours has not arrived.");
        let other = scene.drum.next_place(&keys(ANA).public(), &id("charter"), &priced()).unwrap();
        assert_eq!((other.seq, other.previous), (0, None));
        assert_ne!(first, second.id);
    }

    #[test]
    fn a_years_draws_are_counted() {
        let mut scene = scene();
        for _ in 0..3 {
            let event = sign(announcement(&scene, &priced()), ORG);
            assert_eq!(scene.drum.may_announce(&event, 120, &gates()), Ok(()));
            force(&mut scene, &event);
        }
        let event = sign(announcement(&scene, &priced()), ORG);
        assert!(said(scene.drum.may_announce(&event, 120, &gates())).contains("No more than 3"));
        let next_year = RaffleSpec { closes: 200 + YEAR_SECS, ..priced() };
        let event = sign(announcement(&scene, &next_year), ORG);
        assert_eq!(scene.drum.may_announce(&event, 120, &gates()), Ok(()));
    }

    /// A raffle by org, and what the door says to a ticket of ana's that costs one unit.
    struct Sale {
        scene: Scene,
        raffle: EventId,
    }

    impl Sale {
        fn of(spec: &RaffleSpec) -> Self {
            let mut scene = scene();
            let event = sign(announcement(&scene, spec), ORG);
            let raffle = force(&mut scene, &event);
            let mut sale = Self { scene, raffle };
            sale.pay("o", ANA, 500);
            sale
        }

        fn pay(&mut self, order: &str, who: u8, minor: i64) {
            let payment =
                ayni_witness::Payment { payer: keys(who).public(), ..payment(order, "", minor) };
            self.scene.fact(Fact::Certified(Arc::new(payment)));
        }

        fn ticket(&self, quantity: u32, order: &str, by: u8) -> VerifiedEvent {
            let order = Some(id(order)).filter(|_| !order.is_empty());
            sign(draft::ticket(id("charter"), self.raffle, quantity, order), by)
        }

        fn ask(&self, quantity: u32, order: &str, by: u8, now: Timestamp) -> String {
            said(self.scene.drum.may_sell(&self.ticket(quantity, order, by), now))
        }
    }

    #[test]
    fn who_may_buy_what() {
        let sale = Sale::of(&priced());
        let mut cheap = Sale::of(&RaffleSpec { max_per_person: Some(1), ..priced() });
        cheap.pay("p", ANA, 500);
        let mut few = Sale::of(&RaffleSpec { max_units: Some(2), ..priced() });
        few.pay("p", ANA, 1_000);
        for sale in [&mut cheap, &mut few] {
            let event = sale.ticket(1, "o", ANA);
            force(&mut sale.scene, &event);
        }
        let aged = Sale::of(&RaffleSpec { min_age: Some(18), ..priced() });
        let free =
            Sale::of(&RaffleSpec { price: ayni_protocol::Amount::parse("0").unwrap(), ..priced() });
        let answers = [
            sale.ask(1, "o", ANA, 150),
            sale.ask(1, "o", ANA, 99),
            sale.ask(1, "o", ANA, 201),
            sale.ask(1, "o", ZOE, 150),
            sale.ask(1, "not here yet", ZOE, 150),
            sale.ask(2, "o", ANA, 150),
            sale.ask(1, "", ANA, 150),
            cheap.ask(1, "p", ANA, 150),
            cheap.ask(1, "o", ANA, 150),
            said(cheap.scene.drum.may_sell(
                &draft::ticket(id("charter"), cheap.raffle, 1, Some(id("o"))).sign(
                    &keys(ANA),
                    121,
                    [0; 32],
                ),
                150,
            )),
            few.ask(2, "p", ANA, 150),
            aged.ask(1, "o", ANA, 150),
            free.ask(1, "", ANA, 150),
            free.ask(1, "", ZOE, 150),
            said(Drum::new().may_sell(&sale.ticket(1, "o", ANA), 150)),
        ];
        expect_test::expect![[r#"
            ok
            restricted: Sales have not opened yet.
            restricted: Sales are closed.
            restricted: The payment was made from someone else's account.
            ok
            restricted: The payment is not the price of the ticket.
            restricted: The ticket names no payment.
            restricted: One person may hold 1; you hold 1.
            ok
            restricted: This payment has its ticket already.
            restricted: Only 1 are left.
            restricted: You must have shown that you are 18 or older.
            ok
            restricted: Only members of the community take part in this raffle.
            missing: This node does not know the raffle yet."#]]
        .assert_eq(&answers.join("\n"));
    }

    /// What is said before anything is paid is what the door says of the ticket.
    #[test]
    fn who_asks_before_paying_hears_the_same() {
        let mut few = RaffleSpec { max_per_person: Some(3), max_units: Some(2), ..priced() };
        let mut sale = Sale::of(&few);
        let event = sale.ticket(1, "o", ANA);
        force(&mut sale.scene, &event);
        few.min_age = Some(18);
        let aged = Sale::of(&few);
        let free = RaffleSpec { price: ayni_protocol::Amount::parse("0").unwrap(), ..priced() };
        let free = Sale::of(&free);
        let ask = |sale: &Sale, units, by, now| {
            let buyer = keys(by).public();
            said(sale.scene.drum.may_buy(&sale.raffle, &buyer, units, now))
        };
        let answers = [
            ask(&sale, 1, ANA, 150),
            ask(&sale, 3, ANA, 150),
            ask(&sale, 2, ANA, 150),
            ask(&sale, 1, ANA, 99),
            ask(&sale, 1, ANA, 201),
            ask(&sale, 1, ZOE, 150),
            ask(&aged, 1, ANA, 150),
            ask(&free, 1, ANA, 150),
            ask(&free, 1, ZOE, 150),
            said(Drum::new().may_buy(&sale.raffle, &keys(ANA).public(), 1, 150)),
        ];
        expect_test::expect![[r#"
            ok
            restricted: One person may hold 3; you hold 1.
            restricted: Only 1 are left.
            restricted: Sales have not opened yet.
            restricted: Sales are closed.
            restricted: Only members of the community take part in this raffle.
            restricted: You must have shown that you are 18 or older.
            ok
            restricted: Only members of the community take part in this raffle.
            missing: This node does not know the raffle yet."#]]
        .assert_eq(&answers.join("\n"));
        assert_eq!(sale.scene.drum.held(&sale.raffle, &keys(ANA).public()), 1);
    }

    #[test]
    fn nothing_is_sold_once_it_is_called_off_or_decided() {
        use ayni_witness::{Instance, Value};
        let mut cancelled = Sale::of(&priced());
        let event = sign(draft::cancel(id("charter"), cancelled.raffle), ORG);
        force(&mut cancelled.scene, &event);
        assert!(cancelled.ask(1, "o", ANA, 150).contains("The organiser called this raffle off"));
        let mut void = Sale::of(&priced());
        let value = Value::Void("no-seal".into());
        void.scene.fact(crate::scene::decided(void.raffle, Instance::Close, value));
        assert!(void.ask(1, "o", ANA, 150).ends_with("The raffle was called off: no-seal."));
        let mut boxed = Sale::of(&priced());
        let value = Value::Box(Arc::default());
        boxed.scene.fact(crate::scene::decided(boxed.raffle, Instance::Close, value));
        assert!(boxed.ask(1, "o", ANA, 150).ends_with("Sales are closed."));
    }
}
