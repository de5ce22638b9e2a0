use expect_test::{Expect, expect};

use super::*;
use crate::testing::{count, rules, shown};

fn check(board: &str, expected: &Expect) {
    expected.assert_eq(&shown(&count(board)));
}

#[test]
fn the_published_vector() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/vectors/witness.json")).unwrap();
    let vector = &vectors["quadratic"];
    let purses: Vec<u32> = serde_json::from_value(vector["credits"].clone()).unwrap();
    let papers: Vec<Vec<i32>> = serde_json::from_value(vector["ballots"].clone()).unwrap();
    let options = ["a", "b", "c"];
    let ballots = papers.iter().enumerate().map(|(voter, paper)| {
        let votes = options.iter().zip(paper).map(|(option, votes)| ((*option).into(), *votes));
        (voter, Choice::Votes(votes.collect()))
    });
    let count = tally(
        &rules("quadratic a b c"),
        &purses.into_iter().enumerate().collect(),
        &ballots.collect(),
        &BTreeMap::new(),
    );
    let scores: Vec<i64> = count.scores.iter().map(|score| score.score).collect();
    assert_eq!(scores, serde_json::from_value::<Vec<i64>>(vector["scores"].clone()).unwrap());
    assert_eq!(count.turnout(), vector["turnout"].as_u64().unwrap());
    let spoiled: Vec<usize> = serde_json::from_value(vector["spoiled"].clone()).unwrap();
    assert_eq!(count.spoiled.keys().copied().collect::<Vec<_>>(), spoiled);
}

#[test]
fn quadratic_choice() {
    check(
        "quadratic well roof solar, quorum 5000
         ana 100: well=7 roof=-7 solar=1
         ben 100: well=10 roof=1
         cem 64: roof=8
         dia 100: well=3 roof=3 solar=3",
        &expect![[r"
            well 10, roof 4, solar 4 (quorum, 3 of 4)
            spoiled: ben, Overspent
            passes: well
        "]],
    );
}

#[test]
fn quorum_counts_heads_and_abstentions() {
    let board = |quorum| {
        format!(
            "quadratic a, quorum {quorum}
             ana 1: a=1
             ben 1: abstain
             cem 1
             dia 1"
        )
    };
    check(
        &board(5_000),
        &expect![[r"
            a 1 (quorum, 2 of 4)
            passes: a
        "]],
    );
    check(
        &board(5_001),
        &expect![[r"
            a 1 (no quorum, 2 of 4)
            nothing passes
        "]],
    );
}

#[test]
fn a_question_passes_above_zero() {
    check(
        "quadratic a
         ana 4: a=2
         ben 4: a=-2",
        &expect![[r"
            a 0 (quorum, 2 of 2)
            nothing passes
        "]],
    );
}

#[test]
fn a_question_may_ask_for_a_share() {
    let board = |pass, for_it| {
        format!(
            "quadratic a, pass {pass}
             ana 100: a={for_it}
             ben 100: a=-3"
        )
    };
    // 6 of 9 is two thirds, and 6667 basis points are a little more.
    check(
        &board(6_666, 6),
        &expect![[r"
            a 3 (quorum, 2 of 2)
            passes: a
        "]],
    );
    check(
        &board(6_667, 6),
        &expect![[r"
            a 3 (quorum, 2 of 2)
            nothing passes
        "]],
    );
    // A share below a half takes the place of "more for than against".
    check(
        &board(2_500, 1),
        &expect![[r"
            a -2 (quorum, 2 of 2)
            passes: a
        "]],
    );
}

#[test]
fn nobody_in_favour_is_no_pass() {
    for method in ["quadratic", "single", "approval", "ranked"] {
        let board = format!("{method} a, pass 1\nana 9: abstain");
        assert_eq!(count(&board).verdict, Verdict::NOTHING, "{method}");
    }
}

#[test]
fn a_tie_keeps_things_or_goes_to_lot() {
    check(
        "quadratic b a c
         ana 4: a=1 b=1",
        &expect![[r"
            b 1, a 1, c 0 (quorum, 1 of 1)
            nothing passes
        "]],
    );
    check(
        "quadratic b a c, lot
         ana 4: a=1 b=1",
        &expect![[r"
            b 1, a 1, c 0 (quorum, 1 of 1)
            lot: a, b
        "]],
    );
    // A tie at zero is no tie: nobody wanted either.
    check(
        "quadratic b a, lot
         ana 4: abstain",
        &expect![[r"
            b 0, a 0 (quorum, 1 of 1)
            nothing passes
        "]],
    );
}

#[test]
fn single_and_approval() {
    check(
        "single a b, pass 6000
         ana 0: a=1
         ben 0: a=1
         cem 0: b=1
         dia 0: a=1 b=1",
        &expect![[r"
            a 2, b 1 (quorum, 3 of 4)
            spoiled: dia, NotOneChoice
            passes: a
        "]],
    );
    check(
        "approval a b
         ana 0: a=1 b=1
         ben 0: b=1",
        &expect![[r"
            a 1, b 2 (quorum, 2 of 2)
            passes: b
        "]],
    );
}

#[test]
fn ranked_wants_somebody_to_rank_the_winner() {
    check(
        "ranked a b c
         ana 0: a=1 b=2
         ben 0: a=1 b=1 c=2
         cem 0: b=1",
        &expect![[r"
            a 1, b 1, c 0 (quorum, 3 of 3)
            nothing passes
        "]],
    );
    check(
        "ranked a b, lot
         ana 0: abstain",
        &expect![[r"
            a 0, b 0 (quorum, 1 of 1)
            nothing passes
        "]],
    );
}

#[test]
fn budget_takes_what_fits() {
    // c does not fit after a, and d, which costs less, still does. e is below zero.
    check(
        "budget a:30 c:30 b:20 d:5 e:0, budget 55
         ana 100: a=5 b=3 c=4
         ben 100: d=2 e=-1 a=1",
        &expect![[r"
            a 6, c 4, b 3, d 2, e -1 (quorum, 2 of 2)
            passes: a, b, d
        "]],
    );
    // Equal scores go by id, not by place.
    check(
        "budget b:1 a:1, budget 1
         ana 100: a=1 b=1",
        &expect![[r"
            b 1, a 1 (quorum, 1 of 1)
            passes: a
        "]],
    );
}

#[test]
fn delegates_are_copied() {
    check(
        "quadratic a b c
         ana 100: a=7 b=-7 c=1
         ben 64 -> ana
         cem 100 -> ben
         dia 100 -> ana: c=1
         eva 100 -> dia
         fay 100 -> gil
         gil 100",
        &expect![[r"
            a 17, b -17, c 3 (quorum, 5 of 7)
            ben copies ana: [5, -5, 0]
            cem copies ana: [5, -5, 0]
            eva copies dia: [0, 0, 1]
            passes: a
        "]],
    );
    check(
        "quadratic a, none
         ana 100: a=1
         ben 100 -> ana",
        &expect![[r"
            a 1 (quorum, 1 of 2)
            passes: a
        "]],
    );
}

#[test]
fn strangers_are_passed_over() {
    let ballots = [('x', crate::testing::choice("a=1"))].into();
    let delegates = [('y', 'x'), ('a', 'x')].into();
    let count = tally(&rules("quadratic a"), &[('a', 1)].into(), &ballots, &delegates);
    assert_eq!((count.turnout(), count.eligible), (0, 1));
    assert!(count.spoiled.is_empty());
}
