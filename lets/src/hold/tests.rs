//! Trade across two currencies: how a hold is posted and voided, and every refusal on the way.

use ayni_protocol::{Amount, Rejection, Ruling, VerifiedEvent};
use ayni_witness::Fact;

use super::*;
use crate::testing::{
    LUZ, MOONS, Market, NODE, charter, currency, key, keys, moon, refusal, scale,
};
use crate::*;

fn certifies(verdict: &Verdict) {
    assert!(matches!(verdict, Verdict::Attest(_)), "{verdict:?}");
}

/// ana's witness refuses her hold for this reason.
fn refuses(market: &mut Market, hold: Order, why: &Refusal) {
    assert_eq!(refusal(market.send("ana", hold)), Rejection::from(why.clone()));
}

/// The moons' witness refuses kai's order for this reason.
fn refuses_commit(market: &mut Market, order: Order, why: &Refusal) {
    let event = market.sign_in_moons("kai", order);
    let verdict = market.ledger.judge(&event, &key(LUZ), market.now);
    assert_eq!(refusal(verdict), Rejection::from(why.clone()));
}

fn money(minor: i128) -> Money {
    Money::new(minor, scale())
}

/// kai's order for a hold, as the agent would sign it.
fn commit(market: &Market) -> Order {
    let draft = market.ledger.next_clearing(&key("kai"), market.now).unwrap();
    let entry = Entry::read(&draft.sign(&keys("kai"), 1, [0; 32])).unwrap();
    let Body::Order(order) = entry.body else { panic!("no order") };
    Order::clone(&order)
}

#[test]
fn a_hold_reserves_and_its_commit_pays_both_sides() {
    let mut market = Market::new();
    let hold = market.held(450);
    let ana = market.view("ana");
    assert_eq!((ana.balance, ana.pending, ana.available), (money(0), money(300), money(700)));
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Pending));
    assert_eq!(market.ledger.open_holds_of(&currency(), &key("ana")), [hold].into());
    let pending = |address| market.ledger.checkpoint_lines(address).map(|line| line.debits_pending);
    assert_eq!(pending(&currency()).sum::<i128>(), 300);
    let order = market.step().unwrap();
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Pending), "not certified yet");
    market.duties(LUZ);
    assert_eq!(market.ruling(order), Ruling::Counted);
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Posted));
    assert_eq!((market.balance("ana"), market.balance("kai")), (-300, 300));
    assert_eq!((market.moons_of("kai"), market.moons_of("quin")), (-450, 450));
    assert_eq!((market.view("ana").pending, market.view("ana").next_seq), (money(0), 1));
    let told = |fact: &&Fact| matches!(fact, Fact::Certified(paid) if paid.order == hold);
    assert_eq!(market.facts.iter().filter(told).count(), 1);
    assert_eq!(market.step(), None, "the agent has nothing left to do");
}

#[test]
fn what_cannot_be_delivered_is_void_and_free_again() {
    let mut market = Market::new();
    let hold = market.held(450);
    let (id, policy) = market.ledger.latest_policy(&moon(), &key("quin")).unwrap();
    let closed = Policy { status: Status::Closed, ..policy.next(id) };
    market.in_moons("lua", closed);
    let order = market.step().unwrap();
    market.duties(LUZ);
    assert_eq!(market.ruling(order), Ruling::Counted);
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Void));
    let ana = market.view("ana");
    assert_eq!((ana.balance, ana.pending, ana.available), (money(0), money(0), money(1_000)));
    assert_eq!(market.moons_of("kai"), 0);
    certifies(&market.pay("ana", "ben", 1_000));
}

/// Two holds of ana's that wait for one number.
fn two_holds(market: &mut Market) -> [EventId; 2] {
    let quotes = [150, 300].map(|minor| market.quoted(minor));
    quotes.map(|quote| {
        let order = market.hold_on(quote);
        let event = market.sign("ana", order);
        let id = event.id;
        certifies(&market.send_event(event));
        id
    })
}

#[test]
fn of_two_holds_on_one_number_one_is_paid_and_one_is_void() {
    let mut market = Market::new();
    let holds = two_holds(&mut market);
    while market.step().is_some() {
        market.duties(LUZ);
    }
    let mut outcomes: Vec<_> = holds.iter().map(|id| market.ledger.hold_outcome(id)).collect();
    outcomes.sort();
    assert_eq!(outcomes, [Some(Outcome::Void), Some(Outcome::Posted)]);
    assert_eq!(market.view("ana").pending, money(0));
}

#[test]
fn a_resolution_tells_readers_who_do_not_follow_the_other_currency() {
    let mut market = Market::new();
    let hold = market.held(450);
    market.step();
    assert_eq!(market.resolution(hold, 0), None, "nothing is certified yet");
    market.duties(LUZ);
    let mut reader = market.reader();
    assert_eq!(reader.ledger.hold_outcome(&hold), Some(Outcome::Pending));
    let resolution = market.resolution(hold, 0).unwrap();
    assert_eq!(resolution.resolved, Resolved::Post);
    let event = market.sign("ben", resolution);
    reader.put(event.clone());
    assert_eq!(reader.ledger.hold_outcome(&hold), Some(Outcome::Posted));
    market.put(event);
    assert_eq!(reader.ledger.balances(&currency()), market.ledger.balances(&currency()));
    assert_eq!(reader.ledger.currency_root(&currency()), market.ledger.currency_root(&currency()));
}

/// What an event of the agent resolves, and how.
fn told(events: &[VerifiedEvent]) -> Vec<(EventId, Resolved)> {
    let resolution = |event| match Entry::read(event).unwrap().body {
        Body::Resolution(it) => (it.hold, it.resolved),
        _ => panic!("no resolution"),
    };
    events.iter().map(resolution).collect()
}

#[test]
fn the_agent_tells_once_how_each_hold_ended() {
    let mut market = Market::new();
    let holds = two_holds(&mut market);
    assert_eq!(market.tell(), [], "nothing has ended");
    let mut reader = market.reader();
    market.step();
    assert_eq!(market.tell(), [], "nothing is certified");
    market.duties(LUZ);
    while market.step().is_some() {
        market.duties(LUZ);
    }
    assert_eq!(market.ledger.untold(&key("ana")), [], "whoever clears tells");
    let events = market.tell();
    let posted = |id: &EventId| market.ledger.hold_outcome(id) == Some(Outcome::Posted);
    let expected = |id: EventId| (id, if posted(&id) { Resolved::Post } else { Resolved::Void });
    let mut expected: Vec<_> = holds.iter().map(|id| expected(*id)).collect();
    expected.sort();
    assert_eq!(told(&events), expected);
    assert!(expected.iter().any(|it| it.1 == Resolved::Void));
    assert_eq!(market.tell(), [], "once");
    for event in events {
        assert_eq!(reader.put(event.clone()), event.id);
    }
    for hold in holds {
        assert_eq!(reader.ledger.hold_outcome(&hold), market.ledger.hold_outcome(&hold));
    }
    assert_eq!(reader.view("ana").pending, money(0));
    assert_eq!(reader.ledger.currency_root(&currency()), market.ledger.currency_root(&currency()));
}

#[test]
fn what_somebody_else_told_is_not_told_again() {
    let mut market = Market::new();
    let hold = market.held(450);
    market.step();
    market.duties(LUZ);
    let resolution = market.resolution(hold, 0).unwrap();
    market.add("ben", resolution);
    assert_eq!(market.tell(), []);
}

#[test]
fn a_witness_that_certifies_both_has_paid() {
    let mut market = Market::new();
    let hold = market.held(450);
    let order = commit(&market);
    let void = Order::void(moon(), order.epoch, 0, order.previous);
    let mut tales = Vec::new();
    for order in [void, order] {
        let event = market.sign_in_moons("kai", order);
        let entry = Entry::read(&event).unwrap();
        let Body::Order(body) = &entry.body else { panic!() };
        let repeat = Repeat {
            order: event.id,
            payer: key("kai"),
            payee: body.payee().copied().unwrap_or(key("kai")),
            seq: 0,
            scale: body.scale,
            legs: body.legs.clone(),
            policy: EventId([2; 32]),
            over: None,
        };
        let log = market.ledger.next_log(&key(LUZ));
        let (currency, epoch, about) = (moon(), body.epoch, About::Orders(vec![repeat]));
        let statement = Statement { currency, epoch, log, about };
        let signed = market.sign_in_moons(LUZ, Attestation::State(Box::new(statement)));
        market.put(event);
        market.put(signed);
        tales.extend(told(&market.tell()));
    }
    assert_eq!(tales, [(hold, Resolved::Void), (hold, Resolved::Post)], "the later word counts");
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Posted));
    assert_eq!(market.balance("ana"), -300);
    let cases: Vec<_> = market.ledger.forks().into_iter().map(|fork| fork.case).collect();
    assert_eq!(cases, [Case::Order, Case::Attest]);
}

#[test]
fn a_hold_counts_against_the_limit_and_the_volume_only_once_paid() {
    let mut market = Market::new();
    market.held(450);
    let (left, total) = (money(700), money(701));
    let beyond = market.pay("ana", "ben", 701);
    assert_eq!(refusal(beyond), Refusal::BeyondLimit { left, total }.into());
    assert_eq!(market.ledger.currency(&currency()).unwrap().totals.orders, 0);
    market.step();
    market.duties(LUZ);
    let totals = market.ledger.currency(&currency()).unwrap().totals;
    assert_eq!((totals.orders, totals.volume, totals.sum), (1, money(300), money(0)));
    let told = market.ledger.statement_of(&currency(), &key("ana"), 0, u64::MAX);
    assert_eq!(told.len(), 1);
}

#[test]
fn quote_unknown() {
    let mut market = Market::new();
    let quote = market.quoted(450);
    let hold = market.hold_on(quote).with(|it| it.quote = Some(EventId([9; 32])));
    refuses(&mut market, hold.clone(), &Refusal::QuoteUnknown);
    refuses(&mut market, hold.with(|it| it.quote = None), &Refusal::QuoteUnknown);
}

#[test]
fn quote_differs() {
    let mut market = Market::new();
    let quote = market.quoted(450);
    let right = market.hold_on(quote);
    let slot = Slot { seq: 1, ..right.extra().hold.clone().unwrap() };
    refuses(&mut market, right.with(|it| it.hold = Some(slot)), &Refusal::QuoteDiffers);
    let legs = market.order("ana", "kai", 299).legs;
    let cheaper = Order { legs, ..market.hold_on(quote) };
    refuses(&mut market, cheaper, &Refusal::QuoteDiffers);
    let legs = market.order("ana", "ben", 300).legs;
    let diverted = Order { legs, ..market.hold_on(quote) };
    refuses(&mut market, diverted, &Refusal::QuoteDiffers);
    let theirs = Order { seq: 0, ..market.hold_on(quote) };
    let verdict = market.send("ben", theirs);
    assert_eq!(refusal(verdict), Refusal::QuoteDiffers.into());
}

#[test]
fn quote_expired() {
    let mut market = Market::new();
    let quote = market.quoted(450);
    let hold = market.hold_on(quote);
    market.now = market.quote(quote).until + 1;
    refuses(&mut market, hold, &Refusal::QuoteExpired);
}

#[test]
fn no_agreement() {
    let mut market = Market::new();
    let quote = market.quoted(450);
    market.change("kai", |policy| _ = policy.can.remove(&Ability::Trade));
    let hold = market.hold_on(quote);
    refuses(&mut market, hold, &Refusal::NoAgreement);
    market.change("kai", |policy| _ = policy.can.insert(Ability::Trade));
    let quote = market.quoted(450);
    let hold = market.hold_on(quote);
    certifies(&market.send("ana", hold));
    let order = commit(&market);
    let (id, policy) = market.ledger.latest_policy(&moon(), &key("kai")).unwrap();
    let plain = Policy { account_type: AccountType::Member, ..policy.next(id) };
    market.in_moons("lua", plain);
    refuses_commit(&mut market, order, &Refusal::NoAgreement);
}

#[test]
fn rate_differs() {
    let mut market = Market::new();
    let right = market.quoted(450);
    let dear = Quote { amount: Amount { minor: 301, scale: scale() }, ..market.quote(right) };
    let dear = market.add("kai", dear);
    let hold = market.hold_on(dear);
    let why = Refusal::RateDiffers { asked: money(301), price: money(300) };
    refuses(&mut market, hold, &why);
}

#[test]
fn slot_used() {
    let mut market = Market::new();
    let quote = market.quoted(450);
    market.held(150);
    market.step();
    market.duties(LUZ);
    let hold = market.hold_on(quote);
    refuses(&mut market, hold, &Refusal::SlotUsed);
}

#[test]
fn hold_unknown() {
    let mut market = Market::new();
    market.held(450);
    let astray = commit(&market).with(|it| it.commit = Some(EventId([9; 32])));
    refuses_commit(&mut market, astray, &Refusal::HoldUnknown);
}

#[test]
fn commit_differs() {
    let mut market = Market::new();
    market.held(450);
    let right = commit(&market);
    let mut less = right.clone();
    less.legs[0].minor -= 1;
    refuses_commit(&mut market, less, &Refusal::CommitDiffers);
    refuses_commit(&mut market, right.with(|it| it.quote = None), &Refusal::CommitDiffers);
}

#[test]
fn beyond_trade() {
    let mut market = Market::new();
    let hold = market.held(450);
    let order = commit(&market);
    market.agree(449);
    let why = Refusal::BeyondTrade { left: money(449), total: money(450) };
    refuses_commit(&mut market, order, &why);
    market.step();
    market.duties(LUZ);
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Void));
}

#[test]
fn wrong_slot() {
    let mut market = Market::new();
    let first = market.held(150);
    market.step();
    market.duties(LUZ);
    let second = market.held(150);
    let astray = market.resolution(second, 0).unwrap();
    assert_eq!(astray.resolved, Resolved::Void);
    let astray = market.add("ben", astray);
    assert_eq!(market.ruling(astray), Ruling::Void(Reason::WrongSlot));
    assert_eq!(market.ledger.hold_outcome(&second), Some(Outcome::Pending));
    assert_eq!(market.ledger.hold_outcome(&first), Some(Outcome::Posted));
}

#[test]
fn not_certified() {
    let mut market = Market::new();
    let hold = market.held(450);
    let order = commit(&market);
    let order = market.sign_in_moons("kai", order);
    let entry = Entry::read(&order).unwrap();
    let Body::Order(body) = &entry.body else { panic!() };
    let repeat = Repeat {
        order: order.id,
        payer: key("kai"),
        payee: key("quin"),
        seq: 0,
        scale: body.scale,
        legs: body.legs.clone(),
        policy: EventId([2; 32]),
        over: None,
    };
    let log = Log { index: 0, previous: None };
    let statement =
        Statement { currency: moon(), epoch: body.epoch, log, about: About::Orders(vec![repeat]) };
    let forged = market.sign_in_moons("ben", Attestation::State(Box::new(statement)));
    let resolution =
        Resolution::new(currency(), hold, &order, std::slice::from_ref(&forged)).unwrap();
    let id = market.add("ben", resolution);
    assert_eq!(market.ruling(id), Ruling::Void(Reason::NotCertified));
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Pending));
    let twice = [forged.clone(), forged];
    assert!(Resolution::new(currency(), hold, &order, &twice).is_err());
}

#[test]
fn an_agreement_is_the_communitys() {
    let mut market = Market::new();
    let agreement = market.ledger.books[&currency()].agreement(&moon()).unwrap().clone();
    let forged = market.add("ana", Agreement::clone(&agreement));
    assert_eq!(market.ruling(forged), Ruling::Void(Reason::NotAllowed));
    let theirs = Body::from(Agreement { currency: moon(), ..Agreement::clone(&agreement) });
    let stray = theirs.draft(&MOONS).sign(&keys("sol"), 1, [0; 32]);
    let stray = market.put(stray);
    assert_eq!(market.ruling(stray), Ruling::Void(Reason::NotAllowed));
}

/// An order that the agent signed under rules that are gone: it signs it again under the new ones.
#[test]
fn a_commit_that_lapsed_is_signed_again() {
    let mut market = Market::new();
    let hold = market.held(450);
    let first = market.step().unwrap();
    let (id, rules) = market.ledger.rules(&moon()).unwrap();
    let next = Rules { epoch: 1, previous: Some(id), ..rules.clone() };
    let event = market.sign_in_moons("lua", next);
    market.put(event);
    assert_eq!(market.step(), None, "the witness has not closed: the first may count yet");
    market.duties(LUZ);
    assert_eq!(market.ledger.order_state(&first).state, view::OrderState::Lapsed);
    let second = market.step().unwrap();
    assert_eq!(market.step(), None, "once");
    market.duties(LUZ);
    assert_eq!(market.ruling(second), Ruling::Counted);
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Posted));
    assert!(market.ledger.forks().is_empty(), "orders of two epochs are no fork");
}

/// The hours have two more witnesses, and need two of the three.
fn three_witnesses(market: &mut Market) {
    let third = EventId([0xc3; 32]);
    market.learn(charter(third, &[NODE, "two", "three"], 2, 0));
    let (id, rules) = market.ledger.rules(&currency()).unwrap();
    let next = Rules { epoch: 1, previous: Some(id), charter: third, ..rules.clone() };
    market.add("sol", next);
}

/// A hold that one witness attested in time is attested by the others when it reaches them: its
/// number would be locked otherwise, and it pays nothing that was not agreed.
#[test]
fn a_hold_that_was_attested_in_time_is_not_late() {
    let mut market = Market::new();
    three_witnesses(&mut market);
    let quote = market.quoted(450);
    let until = market.quote(quote).until;
    let order = market.hold_on(quote);
    let hold = market.sign("ana", order);
    market.put(hold.clone());
    let late = market.ledger.judge(&hold, &key("two"), until + 1);
    assert_eq!(refusal(late), Refusal::QuoteExpired.into(), "nobody attested it");
    let first = market.attest(NODE, &hold);
    market.put(first);
    let judged = market.ledger.judge(&hold, &key("two"), until + 1);
    certifies(&judged);
}

/// What the hours agree to from now on.
fn agree(market: &mut Market, change: impl FnOnce(&mut Agreement)) {
    let mut next = Agreement::clone(market.ledger.books[&currency()].agreement(&moon()).unwrap());
    change(&mut next);
    market.add("sol", next);
}

/// Something that changes while a payment is under way.
type Change = fn(&mut Market);

/// A witness attests an order that its home witness left to the others.
fn follows(market: &mut Market, witness: &str, order: &VerifiedEvent) {
    market.now += 31;
    match market.ledger.judge(order, &key(witness), market.now) {
        Verdict::Attest(ready) => {
            let draft = ready.draft(market.ledger.next_log(&key(witness)));
            let signed = draft.sign(&keys(witness), market.now, [0; 32]);
            market.put(signed);
        }
        said => assert!(matches!(said, Verdict::Already(_)), "{said:?}"),
    }
}

/// A hold that one witness attested under an agreement is attested by the others under any other:
/// the agreement that it saw may be gone, and ana's number would be locked.
#[test]
fn a_hold_that_was_attested_outlives_its_agreement() {
    let dear = Refusal::RateDiffers { asked: money(300), price: money(900) };
    let changes: [(Change, Refusal); 3] = [
        (|market| agree(market, |next| next.here = 6), dear),
        (|market| agree(market, |next| next.clearing = key("ben")), Refusal::NoAgreement),
        (
            |market| _ = market.change("kai", |policy| _ = policy.can.remove(&Ability::Trade)),
            Refusal::NoAgreement,
        ),
    ];
    for (change, why) in changes {
        let mut market = Market::new();
        three_witnesses(&mut market);
        let quote = market.quoted(450);
        let order = market.hold_on(quote);
        let hold = market.sign("ana", order);
        market.put(hold.clone());
        change(&mut market);
        market.duties("two");
        let alone = market.ledger.judge(&hold, &key("two"), market.now + 31);
        assert_eq!(refusal(alone), Rejection::from(why), "nobody attested it");
        let first = market.attest(NODE, &hold);
        market.put(first);
        follows(&mut market, "two", &hold);
        assert_eq!(market.ledger.hold_outcome(&hold.id), Some(Outcome::Pending));
        assert_eq!(market.view("ana").next_seq, 1);
    }
}

/// What the agent signs for a hold whose price is not the agreement's any more: nothing is delivered.
#[test]
fn a_hold_at_a_price_that_was_agreed_once_is_void() {
    let changes: [fn(&mut Agreement); 2] =
        [|next| next.here = 6, |next| next.clearing = key("ben")];
    for change in changes {
        let mut market = Market::new();
        let hold = market.held(450);
        agree(&mut market, change);
        market.step();
        market.duties(LUZ);
        assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Void));
        assert_eq!((market.moons_of("kai"), market.view("ana").pending), (0, money(0)));
    }
}

/// The moons have two more witnesses, and need two of the three.
fn three_moons(market: &mut Market) {
    let Fact::Charter(first) = charter(EventId([0xb3; 32]), &[LUZ, "two", "three"], 2, 0) else {
        panic!()
    };
    let (community, community_key) = (MOONS, key("lua"));
    let moons = ayni_witness::Charter {
        community,
        community_key,
        previous: Some(MOONS),
        ..ayni_witness::Charter::clone(&first)
    };
    market.learn(Fact::Charter(moons.into()));
    let (id, rules) = market.ledger.rules(&moon()).unwrap();
    let charter = EventId([0xb3; 32]);
    let next = Rules { epoch: 1, previous: Some(id), charter, ..rules.clone() };
    market.in_moons("lua", next);
}

/// The order that completes a hold, attested by one of the moons' witnesses, is attested by the others
/// whatever they lend by now, and whether or not quin closed her account: kai's number would be locked
/// otherwise, and every trade behind it.
#[test]
fn a_commit_that_was_attested_outlives_its_agreement_and_its_payee() {
    let less: Change = |market| market.agree(449);
    let closed: Change = |market| {
        let (id, policy) = market.ledger.latest_policy(&moon(), &key("quin")).unwrap();
        let next = Policy { status: Status::Closed, ..policy.next(id) };
        market.in_moons("lua", next);
        market.duties("two");
        market.duties("three");
    };
    let beyond = Refusal::BeyondTrade { left: money(449), total: money(450) };
    for (change, why) in [(less, beyond), (closed, Refusal::MayNotReceive)] {
        let mut market = Market::new();
        three_moons(&mut market);
        let hold = market.held(450);
        let order = commit(&market);
        let order = market.sign_in_moons("kai", order);
        let mut other = market.clone();
        change(&mut other);
        other.put(order.clone());
        let alone = other.ledger.judge(&order, &key("two"), other.now + 31);
        assert_eq!(refusal(alone), Rejection::from(why), "nobody attested it");
        market.put(order.clone());
        follows(&mut market, LUZ, &order);
        assert!(!market.ledger.is_counted(&order.id), "one is not enough");
        change(&mut market);
        follows(&mut market, "two", &order);
        assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Posted));
        assert_eq!((market.moons_of("quin"), market.balance("ana")), (450, -300));
    }
}

/// A hold that some node stored, and whose slot was used before a witness heard of it: refused, it
/// would keep ana's number for ever. So it is certified, and void at once.
#[test]
fn a_stored_hold_whose_slot_was_used_is_void_at_once() {
    let mut market = Market::new();
    let quote = market.quoted(450);
    let order = market.hold_on(quote);
    let (epoch, _) = market.ledger.rules(&moon()).unwrap();
    let head = market.ledger.account(&moon(), &key("kai")).unwrap().head;
    market.in_moons("kai", Order::void(moon(), epoch, 0, head));
    refuses(&mut market, order.clone(), &Refusal::SlotUsed);
    let hold = market.add("ana", order);
    assert_eq!(market.ledger.hold_outcome(&hold), Some(Outcome::Void));
    assert_eq!((market.view("ana").pending, market.view("ana").next_seq), (money(0), 1));
}
