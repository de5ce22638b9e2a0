use ayni_protocol::{Draft, Keys, VerifiedEvent};
use expect_test::{Expect, expect};

use super::*;
use crate::draft;
use crate::entry::Entry;
use crate::mark::Choice;
use crate::proposal::ProposalSpec;
use crate::testing::{choice, spec};
use crate::world::{
    Step, Village, account, ballot, charter, delegation, id, key, roster, sealed, vote,
};
use ayni_witness::{Charter, Fact, RosterRow};
use std::sync::Arc;

fn keys(secret: u8) -> Keys {
    Keys::from_secret([secret; 32]).unwrap()
}

fn signed(draft: Draft, secret: u8, at: Timestamp) -> VerifiedEvent {
    draft.sign(&keys(secret), at, [0; 32])
}

/// A village with the vote of the tests, in which the signer 1 is a member and on the roster.
fn village() -> Village {
    let mut roster = roster("ana 100, ben 64");
    roster.rows.insert(keys(1).public(), RosterRow { credits: 100, flags: [].into() });
    let mut steps = crate::world::founding();
    steps[1] = Step::Fact(Fact::Roster(Arc::new(roster)));
    let Step::Fact(Fact::Account(ana)) = account("ana", 1, true) else { panic!() };
    let key = keys(1).public();
    let own = ayni_witness::Account { account: key, signers: [key].into(), ..(*ana).clone() };
    steps.push(Step::Fact(Fact::Account(Arc::new(own))));
    Village::after(&steps).with(vote("quadratic a b"))
}

fn says(answer: Result<(), Rejection>, expected: &Expect) {
    expected.assert_eq(&answer.map_or_else(|no| no.to_string(), |()| "welcome".into()));
}

fn votes(village: &Village, says: &str, secret: u8, at: Timestamp) -> Result<(), Rejection> {
    let draft = draft::ballot(id("village"), id("vote"), &choice(says), "");
    village.assembly.may_vote(&signed(draft, secret, at), at)
}

#[test]
fn a_ballot_in_order_is_welcome_and_so_is_an_overspent_one() {
    says(votes(&village(), "a=7 b=-7", 1, 150), &expect!["welcome"]);
    says(votes(&village(), "a=10 b=1", 1, 150), &expect!["welcome"]);
}

#[test]
fn a_ballot_out_of_order_is_told_why() {
    let village = village();
    says(
        votes(&village, "a=1", 2, 150),
        &expect!["restricted: its author is not on the roster of this vote"],
    );
    says(
        votes(&village, "a=1", 1, 99),
        &expect!["restricted: voting is not open yet: it opens at 1970-01-01 00:01:40 UTC"],
    );
    says(
        votes(&village, "a=1", 1, 201),
        &expect!["restricted: voting closed at 1970-01-01 00:03:20 UTC"],
    );
    let draft = |id| draft::ballot(crate::world::id("village"), id, &choice("a=1"), "");
    let mut backdated = signed(draft(id("vote")), 1, 200);
    says(village.assembly.may_vote(&backdated, 210), &expect!["welcome"]);
    says(
        village.assembly.may_vote(&backdated, 211),
        &expect!["restricted: voting closed at 1970-01-01 00:03:20 UTC"],
    );
    backdated = signed(draft(EventId([1; 32])), 1, 150);
    says(
        village.assembly.may_vote(&backdated, 150),
        &expect![[
            r#"invalid: the proposal 0101010101010101010101010101010101010101010101010101010101010101 is not known here"#
        ]],
    );
}

#[test]
fn nothing_is_taken_once_the_box_is_sealed() {
    let village = village().with(sealed(&[]));
    says(
        votes(&village, "a=1", 1, 150),
        &expect!["restricted: voting closed at 1970-01-01 00:03:20 UTC"],
    );
}

#[test]
fn a_proposal_that_does_not_count_takes_no_ballots() {
    let waiting = Village::default().with(vote("quadratic a"));
    let said = votes(&waiting, "a=1", 1, 150).unwrap_err().to_string();
    assert!(
        said.starts_with("restricted: the proposal does not count yet: it waits for"),
        "{said}"
    );
    let mut void = crate::world::proposal("quadratic a");
    void.spec.privacy = Privacy::Tlock;
    let void = Village::founded().with(Step::Entry(Entry::Proposal(Box::new(void))));
    says(
        votes(&void, "a=1", 1, 150),
        &expect![[
            r#"invalid: the proposal is void: sealed ballots are not counted by this version yet"#
        ]],
    );
}

#[test]
fn delegations_are_asked_too() {
    let village = village();
    let says_of = |secret, delegate, scope, at, expected: &Expect| {
        let draft = draft::delegation(id("village"), delegate, scope);
        says(village.assembly.may_vote(&signed(draft, secret, at), at), expected);
    };
    let this = Scope::Proposal(id("vote"));
    says_of(1, Some(key("ana")), this, 20, &expect!["welcome"]);
    says_of(1, None, Scope::All, 20, &expect!["welcome"]);
    says_of(
        1,
        Some(key("eva")),
        this,
        20,
        &expect!["restricted: the delegate is not on the roster of this vote"],
    );
    says_of(
        2,
        None,
        Scope::All,
        20,
        &expect!["restricted: only members with an active account may delegate"],
    );
}

#[test]
fn a_flood_is_stopped() {
    let mut village = village();
    for number in 0..PAPERS_MAX {
        let Step::Entry(Entry::Ballot(paper)) = ballot("", "ana", 150, "a=1") else { panic!() };
        let voter = keys(1).public();
        let paper = Ballot { id: id(&number.to_string()), voter, ..paper };
        village.then(&Step::Entry(Entry::Ballot(paper)));
    }
    says(
        votes(&village, "a=1", 1, 150),
        &expect!["rate-limited: you have too many ballots and delegations in this vote"],
    );
    for number in 0..PAPERS_MAX {
        let name = format!("delegation {number}");
        let Step::Entry(Entry::Delegation(paper)) = delegation(&name, "ana", 150, "-", Scope::All)
        else {
            panic!()
        };
        let paper = Delegation { delegator: keys(1).public(), ..paper };
        village.then(&Step::Entry(Entry::Delegation(paper)));
    }
    let draft = draft::delegation(id("village"), None, Scope::All);
    says(
        village.assembly.may_vote(&signed(draft, 1, 20), 20),
        &expect!["rate-limited: you have too many delegations for all votes"],
    );
}

#[test]
fn other_kinds_are_not_votes() {
    let note = signed(Draft::new(kind::NOTE), 1, 150);
    says(
        village().assembly.may_vote(&note, 150),
        &expect!["invalid: this is neither a ballot nor a delegation"],
    );
    let bad = draft::ballot(id("village"), id("vote"), &Choice::Votes(Vec::new()), "");
    says(
        village().assembly.may_vote(&signed(bad, 1, 150), 150),
        &expect!["invalid: the event needs a tag v"],
    );
}

fn proposes(village: &Village, spec: &ProposalSpec, secret: u8) -> Result<(), Rejection> {
    let draft = draft::proposal(id("village"), id("village"), id("roster"), spec);
    village.assembly.may_propose(&signed(draft, secret, 80), 80)
}

#[test]
fn a_proposal_in_order_is_welcome() {
    says(proposes(&village(), &spec("quadratic a b"), 1), &expect!["welcome"]);
    let lot = spec("single a b, lot").under(&charter());
    says(proposes(&village(), &lot, 1), &expect!["welcome"]);
}

#[test]
fn a_proposal_out_of_order_is_told_why() {
    let with = |change: fn(&mut ProposalSpec)| {
        let mut spec = spec("single a b");
        change(&mut spec);
        proposes(&village(), &spec, 1)
    };
    says(
        proposes(&village(), &spec("single a b"), 2),
        &expect!["restricted: only members with an active account may propose"],
    );
    says(
        with(|spec| spec.opens = 99),
        &expect![
            "invalid: votes need 20 seconds of notice: open at 1970-01-01 00:01:40 UTC or later"
        ],
    );
    says(
        with(|spec| (spec.tie, spec.unlock) = (Tie::Lot, Some(7))),
        &expect!["invalid: the unlock round must be 101, the one after close, grace and sealing"],
    );
    says(
        with(|spec| (spec.privacy, spec.unlock) = (Privacy::Tlock, Some(101))),
        &expect!["unsupported: sealed ballots are not counted by this version yet"],
    );
    says(
        with(|spec| spec.options.clear()),
        &expect!["invalid: the tag option must be there 1 to 64 times"],
    );
}

#[test]
fn the_ground_must_be_there() {
    let spec = spec("single a b");
    says(
        proposes(&Village::default(), &spec, 1),
        &expect!["restricted: the proposal names a charter that this node does not know"],
    );
    let next = Charter { id: id("charter 2"), previous: Some(id("village")), ..charter() };
    let next = village().with(Step::Fact(Fact::Charter(Arc::new(next))));
    says(
        proposes(&next, &spec, 1),
        &expect!["restricted: a newer charter is in force: name that one in the proposal"],
    );
    let draft = draft::proposal(id("village"), id("village"), id("no roster"), &spec);
    says(
        village().assembly.may_propose(&signed(draft, 1, 80), 80),
        &expect!["restricted: the roster it names is not decided yet: wait for it"],
    );
    let draft = draft::proposal(id("village"), id("village"), id("roster"), &spec);
    says(
        village().assembly.may_propose(&signed(draft, 1, 80), 200),
        &expect!["invalid: the vote would be over: 1970-01-01 00:03:20 UTC"],
    );
}

#[test]
fn a_closed_account_may_not_propose_and_not_too_much_at_once() {
    let mut village = village();
    for number in 0..PROPOSALS_MAX {
        let mut proposal = crate::world::proposal("quadratic a");
        (proposal.id, proposal.author) = (id(&number.to_string()), keys(1).public());
        village.then(&Step::Entry(Entry::Proposal(Box::new(proposal))));
    }
    says(
        proposes(&village, &spec("single a b"), 1),
        &expect!["rate-limited: you have too many proposals under way"],
    );
    let Step::Fact(Fact::Account(ana)) = account("ana", 2, false) else { panic!() };
    let key = keys(1).public();
    let closed = ayni_witness::Account { account: key, signers: [key].into(), ..(*ana).clone() };
    village.then(&Step::Fact(Fact::Account(Arc::new(closed))));
    says(
        proposes(&village, &spec("single a b"), 1),
        &expect!["restricted: only members with an active account may propose"],
    );
}
