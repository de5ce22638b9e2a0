use ayni_protocol::{Part, Premise, Ruling};
use ayni_witness::{Charter, Fact, Instance, Timings};
use expect_test::expect;

use super::*;
use crate::world::{
    Step, Village, account, ballot, certified, charter, delegation, disputed, founding, id, key,
    only_this, proposal, proposed, published, round, sealed, translation, voided, vote,
};
use ayni_witness::canonical::sha256;

fn void(reason: Reason) -> Option<Ruling<Reason>> {
    Some(Ruling::Void(reason))
}

fn counted() -> Option<Ruling<Reason>> {
    Some(Ruling::Counted)
}

/// What becomes of a proposal under the village's charter, or another.
fn proposing(proposal: Proposal, charter: Charter) -> Option<Ruling<Reason>> {
    let mut steps = founding();
    steps[0] = Step::Fact(Fact::Charter(Arc::new(charter)));
    steps.push(Step::Entry(Entry::Proposal(Box::new(proposal))));
    Village::after(&steps).ruling("vote")
}

/// What becomes of an entry called `it` of a vote with delegation.
fn entering(step: Step) -> Option<Ruling<Reason>> {
    Village::founded().with(vote("quadratic a b")).with(step).ruling("it")
}

#[test]
fn sealed_not_yet() {
    let mut sealed = proposal("quadratic a");
    sealed.spec.privacy = Privacy::Tlock;
    assert_eq!(proposing(sealed, charter()), void(Reason::SealedNotYet));
}

#[test]
fn other_community() {
    let mut foreign = proposal("quadratic a");
    foreign.community = id("town");
    assert_eq!(proposing(foreign, charter()), void(Reason::OtherCommunity));
    let mut roster = crate::world::roster("ana 1");
    roster.community = id("town");
    let mut steps = founding();
    steps[1] = Step::Fact(Fact::Roster(Arc::new(roster)));
    steps.push(vote("quadratic a"));
    assert_eq!(Village::after(&steps).ruling("vote"), void(Reason::OtherCommunity));
    let Step::Entry(Entry::Ballot(paper)) = ballot("it", "ana", 150, "a=1") else { panic!() };
    let paper = Step::Entry(Entry::Ballot(Ballot { community: id("town"), ..paper }));
    assert_eq!(entering(paper), void(Reason::OtherCommunity));
    let Step::Entry(Entry::Tally(tally)) = published("it", "{}") else { panic!() };
    let tally = Step::Entry(Entry::Tally(Published { community: id("town"), ..tally }));
    assert_eq!(entering(tally), void(Reason::OtherCommunity));
}

#[test]
fn notice_too_short() {
    let mut hasty = proposal("quadratic a");
    hasty.created_at = 81;
    assert_eq!(proposing(hasty.clone(), charter()), void(Reason::NoticeTooShort));
    hasty.created_at = 80;
    assert_eq!(proposing(hasty, charter()), counted());
}

#[test]
fn no_beacon() {
    let bare = Charter { beacon: None, ..charter() };
    assert_eq!(proposing(proposal("single a b, lot"), bare.clone()), void(Reason::NoBeacon));
    assert_eq!(proposing(proposal("single a b"), bare), counted());
}

#[test]
fn wrong_round() {
    let timings = Timings { seal_window: 93, ..charter().timings };
    let slower = Charter { timings, ..charter() };
    assert_eq!(proposing(proposal("single a b, lot"), slower), void(Reason::WrongRound));
    assert_eq!(proposing(proposal("single a b, lot"), charter()), counted());
}

#[test]
fn proposal_void() {
    let mut sealed = proposal("quadratic a");
    sealed.spec.privacy = Privacy::Tlock;
    let sealed = Step::Entry(Entry::Proposal(Box::new(sealed)));
    let early = Village::founded().with(ballot("it", "ana", 150, "a=1")).with(sealed.clone());
    assert_eq!(early.ruling("it"), void(Reason::ProposalVoid));
    for late in [
        ballot("late", "ana", 150, "a=1"),
        delegation("late", "ana", 50, "ben", only_this()),
        published("late", "{}"),
        translation("late", "vote"),
    ] {
        let village = Village::founded().with(sealed.clone()).with(late);
        assert_eq!(village.ruling("late"), void(Reason::ProposalVoid));
    }
    // A vote that the witnesses voided has no tally.
    let village = Village::founded().with(vote("quadratic a")).with(published("it", "{}"));
    assert_eq!(village.ruling("it"), Some(Ruling::Waiting(Premise::Decision)));
    let village = village.with(voided(Instance::Close, "no-seal"));
    assert_eq!(village.ruling("it"), void(Reason::ProposalVoid));
}

#[test]
fn not_on_roster() {
    assert_eq!(entering(ballot("it", "eva", 150, "a=1")), void(Reason::NotOnRoster));
    let delegation = delegation("it", "eva", 150, "ana", only_this());
    assert_eq!(entering(delegation), void(Reason::NotOnRoster));
    assert_eq!(entering(ballot("it", "ana", 150, "a=1")), counted());
}

#[test]
fn delegate_not_on_roster() {
    let stranger = delegation("it", "ana", 150, "eva", only_this());
    assert_eq!(entering(stranger), void(Reason::DelegateNotOnRoster));
    assert_eq!(entering(delegation("it", "ana", 150, "ben", only_this())), counted());
    assert_eq!(entering(delegation("it", "ana", 150, "-", only_this())), counted());
}

#[test]
fn no_delegation() {
    let village = Village::founded()
        .with(vote("quadratic a, none"))
        .with(delegation("it", "ana", 150, "ben", only_this()))
        .with(delegation("standing", "ana", 150, "ben", Scope::All));
    assert_eq!(village.ruling("it"), void(Reason::NoDelegation));
    assert_eq!(village.ruling("standing"), Some(Ruling::Waiting(Premise::Decision)));
}

#[test]
fn before_opening() {
    assert_eq!(entering(ballot("it", "ana", 99, "a=1")), void(Reason::BeforeOpening));
    assert_eq!(entering(ballot("it", "ana", 100, "a=1")), counted());
    assert_eq!(entering(delegation("it", "ana", 1, "ben", only_this())), counted());
}

#[test]
fn after_close() {
    assert_eq!(entering(ballot("it", "ana", 201, "a=1")), void(Reason::AfterClose));
    assert_eq!(entering(ballot("it", "ana", 200, "a=1")), counted());
    let late = delegation("it", "ana", 201, "ben", only_this());
    assert_eq!(entering(late), void(Reason::AfterClose));
}

#[test]
fn result_differs() {
    let village = Village::founded()
        .with(vote("quadratic a"))
        .with(published("early", "{}"))
        .with(sealed(&[]))
        .with(published("late", "{}"));
    assert_eq!(village.ruling("early"), void(Reason::ResultDiffers));
    assert_eq!(village.ruling("late"), void(Reason::ResultDiffers));
    assert_eq!(village.assembly.unpublished(), [id("vote")]);
    let json = village.json();
    let village = village.with(published("right", &json));
    assert_eq!(village.ruling("right"), counted());
    assert_eq!(village.assembly.unpublished(), []);
}

/// What a village says of `vote` after every step.
fn story(proposal: Proposal, steps: &[Step]) -> String {
    let proposal = Step::Entry(Entry::Proposal(Box::new(proposal)));
    let mut village = Village::founded().with(proposal);
    let mut told = String::new();
    for step in steps {
        village.then(step);
        let lines = village.assembly.digest_lines();
        let line = lines.first().map_or("-", |line| line.get(74..).unwrap());
        // Eight digits of a digest are enough to see that there is one.
        let end = line.find('|').map_or(line.len(), |bar| line.len().min(bar + 9));
        told += &format!("{}: {}\n", village.state(250), line.get(..end).unwrap());
    }
    told
}

#[test]
fn a_vote_passes_and_its_act_counts() {
    let act = id("a rise of limits");
    let mut spec = crate::testing::spec("quadratic a b, quorum 5000");
    spec.exec = Some(act);
    let mut village = Village::founded()
        .with(Step::Entry(Entry::Proposal(Box::new(proposed(spec)))))
        .with(ballot("one", "ana", 150, "a=7 b=-7"))
        .with(ballot("two", "ben", 150, "a=9"))
        .with(ballot("three", "cem", 150, "b=3"));
    assert_eq!(
        [0, 100, 200, 201].map(|now| village.state(now)),
        ["scheduled", "open", "open", "closing"]
    );
    assert!(village.assembly.digest_lines().is_empty());
    village.then(&sealed(&["one", "two", "three"]));
    assert_eq!((village.state(0).as_str(), village.scores()), ("tallied", "a 7, b -4".into()));
    let mandated = |village: &Village| {
        let is = |fact: &&Fact| **fact == Fact::Mandated { act, community: id("village") };
        village.facts.iter().filter(is).count()
    };
    assert_eq!(mandated(&village), 0);
    let result = sha256(village.json());
    assert!(village.facts.contains(&Fact::Result { subject: id("vote"), result }));
    village.then(&certified(result));
    village.then(&certified(result));
    assert_eq!((village.state(0).as_str(), mandated(&village)), ("executed", 1));
    let digest =
        ayni_protocol::hex::encode(&ayni_witness::digest::result_digest(id("vote"), result));
    let line = format!("proposal|{}|executed|{digest}", id("vote"));
    assert_eq!(village.assembly.digest_lines(), [line]);
}

#[test]
fn the_subject_and_its_entries_are_told() {
    let village = Village::founded()
        .with(vote("single a b, lot"))
        .with(ballot("one", "ana", 150, "a=1"))
        .with(ballot("spoiled", "ben", 150, "a=1 b=1"))
        .with(ballot("stranger", "eva", 150, "a=1"));
    let Some(Fact::Subject(subject)) = village.facts.first() else { panic!("no subject") };
    assert_eq!((subject.opens, subject.closes, subject.grace), (100, 200, 10));
    assert_eq!((subject.round, subject.min_units), (Some(101), 0));
    let entry = |name| Fact::Entry { subject: id("vote"), entry: id(name), units: 1 };
    assert_eq!(village.facts[1..], [entry("one"), entry("spoiled")]);
    let plain = Village::founded().with(vote("single a b"));
    assert!(matches!(&plain.facts[0], Fact::Subject(subject) if subject.round.is_none()));
}

#[test]
fn states_after_the_close() {
    let ballots = [ballot("one", "ana", 150, "a=1"), sealed(&["one", "two"])];
    let empty = |text: &str| {
        let village = Village::founded().with(vote(text)).with(sealed(&[]));
        sha256(village.json())
    };
    let rejected = [sealed(&[]), certified(empty("quadratic a"))];
    expect![[r"
        closing: -
        sealed: sealed|-
        tallied: tallied|-
    "]]
    .assert_eq(&story(
        proposal("quadratic a"),
        &[&ballots[..], &[ballot("two", "ben", 150, "a=1")]].concat(),
    ));
    expect![[r#"
        tallied: tallied|-
        rejected: rejected|c1af9841
    "#]]
    .assert_eq(&story(proposal("quadratic a"), &rejected));
    expect![[r"
        void: void|-
    "]]
    .assert_eq(&story(proposal("quadratic a"), &[voided(Instance::Close, "no-seal")]));
    expect![[r#"
        tallied: tallied|-
        void: void|61d63c99
        disputed: disputed|-
    "#]]
    .assert_eq(&story(
        proposal("quadratic a"),
        &[sealed(&[]), voided(Instance::Outcome, "no-beacon"), disputed()],
    ));
    // Witnesses that fix another result than the box gives execute nothing.
    expect![[r#"
        tallied: tallied|-
        disputed: disputed|7aed247e
    "#]]
    .assert_eq(&story(proposal("quadratic a"), &[sealed(&[]), certified([1; 32])]));
    // Two values of one instance are a dispute, whichever came first.
    expect![[r"
        tallied: tallied|-
        disputed: disputed|-
    "]]
    .assert_eq(&story(proposal("quadratic a"), &[sealed(&[]), sealed(&["one"])]));
}

#[test]
fn a_tie_waits_for_its_round() {
    let steps = [
        ballot("one", "ana", 150, "a=1"),
        ballot("two", "ben", 150, "b=1"),
        sealed(&["one", "two"]),
        round(),
    ];
    expect![[r"
        closing: -
        closing: -
        awaiting-beacon: awaiting-beacon|-
        tallied: tallied|-
    "]]
    .assert_eq(&story(proposal("single a b, lot"), &steps));
    // Without a tie there is nothing to draw.
    let clear = [ballot("one", "ana", 150, "a=1"), sealed(&["one"])];
    expect![[r"
        closing: -
        tallied: tallied|-
    "]]
    .assert_eq(&story(proposal("single a b, lot"), &clear));
}

#[test]
fn an_act_is_mandated_once_though_the_round_comes_last() {
    let mut spec = crate::testing::spec("single a b, lot").under(&charter());
    spec.exec = Some(id("act"));
    let mut steps = founding();
    steps.extend([
        Step::Entry(Entry::Proposal(Box::new(proposed(spec)))),
        ballot("one", "ana", 150, "a=1"),
        ballot("two", "ben", 150, "b=1"),
        sealed(&["one", "two"]),
    ]);
    let result = sha256(Village::after(&steps).with(round()).json());
    // The tie waits when the box is decided, and again when the result is.
    let village = Village::after(&steps).with(certified(result));
    assert_eq!(village.state(0), "awaiting-beacon");
    let village = village.with(round());
    assert_eq!(village.state(0), "executed");
    let mandates = village.facts.iter().filter(|fact| matches!(fact, Fact::Mandated { .. }));
    assert_eq!(mandates.count(), 1);
}

#[test]
fn a_proposal_waits_for_charter_then_roster_then_its_author() {
    let [charter, roster, member] = founding().try_into().unwrap();
    let mut village = Village::default().with(vote("quadratic a"));
    let waits = |village: &Village| match village.ruling("vote") {
        Some(Ruling::Waiting(premise)) => premise,
        other => panic!("{other:?}"),
    };
    assert_eq!(waits(&village), Premise::Event(id("village")));
    village.then(&charter);
    assert_eq!(waits(&village), Premise::Event(id("roster")));
    village.then(&roster);
    assert_eq!(waits(&village), Premise::Approval);
    village.then(&account("ana", 1, false));
    assert_eq!(waits(&village), Premise::Approval);
    village.then(&member);
    assert_eq!(village.ruling("vote"), counted());
    // The community key needs no account.
    let mut own = proposal("quadratic a");
    own.author = key("village");
    assert_eq!(proposing(own, crate::world::charter()), counted());
}

#[test]
fn the_last_ballot_of_a_voter_stands() {
    let base = || Village::founded().with(vote("quadratic a"));
    let later = [ballot("one", "ana", 150, "a=1"), ballot("two", "ana", 151, "a=-2")];
    assert_eq!(later.iter().cloned().fold(base(), Village::with).scores(), "a -2");
    assert_eq!(later.iter().rev().cloned().fold(base(), Village::with).scores(), "a -2");
    let (low, high) = if id("one") < id("two") { ("one", "two") } else { ("two", "one") };
    let same = [ballot(low, "ana", 150, "a=3"), ballot(high, "ana", 150, "a=4")];
    assert_eq!(same.into_iter().fold(base(), Village::with).scores(), "a 3");
}

#[test]
fn an_earlier_ballot_does_not_revive_and_a_spoiled_one_overrides_a_delegation() {
    let village = Village::founded()
        .with(vote("quadratic a"))
        .with(delegation("trust", "ana", 50, "ben", only_this()))
        .with(ballot("one", "ana", 150, "a=1"))
        .with(ballot("two", "ana", 151, "a=11"))
        .with(ballot("three", "ben", 151, "a=2"));
    assert_eq!(village.scores(), "a 2");
    let view = village.assembly.proposal(&id("vote"), 0).unwrap();
    assert_eq!((view.spoiled[0].ballot, view.spoiled[0].code), (Some(id("two")), "Overspent"));
}

#[test]
fn delegations_stand_before_and_after_the_proposal() {
    let before = delegation("before", "ben", 10, "ana", Scope::All);
    let after = delegation("after", "cem", 150, "ana", Scope::All);
    let late = delegation("late", "dia", 201, "ana", Scope::All);
    let village = Village::founded()
        .with(before)
        .with(vote("quadratic a"))
        .with(after)
        .with(late)
        .with(ballot("one", "ana", 150, "a=10"));
    assert_eq!((village.ruling("before"), village.ruling("after")), (counted(), counted()));
    assert_eq!(village.ruling("late"), Some(Ruling::Waiting(Premise::Decision)));
    // ana's 10 votes cost 100; ben has 64 credits.
    assert_eq!(village.scores(), "a 28");
    // Only what the witnesses put into the box is copied.
    let village = village.with(sealed(&["one", "after"]));
    assert_eq!(village.scores(), "a 20");
}

#[test]
fn the_specific_delegation_goes_first_and_can_be_revoked() {
    let base = || {
        Village::founded()
            .with(vote("quadratic a"))
            .with(ballot("one", "ana", 150, "a=1"))
            .with(ballot("two", "ben", 150, "a=5"))
            .with(delegation("all", "cem", 160, "ana", Scope::All))
    };
    assert_eq!(base().scores(), "a 7");
    let specific = || base().with(delegation("this", "cem", 20, "ben", only_this()));
    assert_eq!(specific().scores(), "a 11");
    let revoked = specific().with(delegation("no", "cem", 21, "-", only_this()));
    assert_eq!(revoked.scores(), "a 6");
}

#[test]
fn translations_are_shown_and_bind_nobody() {
    let village = Village::founded()
        .with(translation("it", "vote"))
        .with(vote("quadratic a"))
        .with(translation("other", "a raffle"));
    assert_eq!(village.ruling("it"), counted());
    assert_eq!(village.ruling("other"), Some(Ruling::Waiting(Premise::Event(id("a raffle")))));
    let view = village.assembly.proposal(&id("vote"), 0).unwrap();
    assert_eq!(view.translations[0].title, "Was zuerst?");
    assert_eq!(view.title, "What first?");
}

#[test]
fn the_view_has_what_a_page_draws() {
    let village = Village::founded()
        .with(vote("quadratic a b, quorum 5001"))
        .with(ballot("one", "ana", 150, "a=7 b=-7"))
        .with(ballot("two", "ben", 150, "a=9"))
        .with(ballot("three", "cem", 150, "abstain"));
    let view = village.assembly.proposals(&id("village"), 150).remove(0);
    assert_eq!((view.state, view.provisional), (crate::State::Open, true));
    assert_eq!((view.turnout, view.eligible, view.quorum_heads), (2, 4, 3));
    assert_eq!((view.abstained, view.quorum_met, view.entries), (1, false, 3));
    assert!(view.outcome.is_empty());
    let json = serde_json::to_value(&view).unwrap();
    assert_eq!(json["options"][1]["score"], -7);
    assert_eq!(json["options"][1]["against"], 7);
    assert_eq!(json["state"], "open");
    assert!(json["spoiled"][0]["reason"].as_str().unwrap().contains("credits"));
    assert_eq!(village.assembly.credits(&id("vote"), &key("ben")), Some(64));
    assert_eq!(village.assembly.credits(&id("vote"), &key("eva")), None);
    let one = village.assembly.proposal(&id("vote"), 150).unwrap();
    assert_eq!(one.votes.len(), 2);
    assert!(village.assembly.proposals(&id("town"), 150).is_empty());
}
