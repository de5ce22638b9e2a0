use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Draft, Event, EventId, Keys, Kind, Part, PublicKey, Ruling, Timestamp};
use ayni_witness::canonical::sha256;
use ayni_witness::{Fact, Instance};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::copying::{HOPS_MAX, copied};
use crate::entry::Entry;
use crate::integer::isqrt;
use crate::mark::{Choice, Vote, cost, mark};
use crate::rules::{DelegationRule, Method, Privacy, Tie};
use crate::tally::{Verdict, tally};
use crate::testing::any_rules;
use crate::world::{
    Step, Village, account, ballot, certified, delegation, disputed, founding, id, only_this,
    proposal, published, round, sealed, translation, voided,
};
use crate::{ProposalOption, ProposalSpec, Scope, State, Title, draft, ranked};

const NAMES: [&str; 5] = ["ana", "ben", "cem", "dia", "eva"];

fn methods() -> impl Strategy<Value = Method> {
    prop::sample::select(Method::ALL)
}

/// What may stand on a ballot, right or wrong.
fn choices() -> impl Strategy<Value = Choice> {
    let option = prop::sample::select(vec!["a", "b", "c", "x"]).prop_map(String::from);
    prop_oneof![
        9 => prop::collection::vec((option, -3_i32..9), 1..4).prop_map(Choice::Votes),
        3 => Just(Choice::Votes(vec![("b".into(), 1)])),
        1 => Just(Choice::Abstain),
        1 => Just(Choice::Sealed { round: 1 }),
    ]
}

/// One entry of somebody; `at` its number, so that every one has its own id.
#[derive(Debug, Clone)]
struct Doing {
    what: u8,
    who: usize,
    whom: usize,
    created_at: Timestamp,
    choice: Choice,
    elsewhere: bool,
    boxed: bool,
}

fn doings() -> impl Strategy<Value = Vec<Doing>> {
    let one = (0_u8..12, 0..5_usize, 0..5_usize, 95_u64..206, choices(), any::<(bool, bool)>());
    let one = one.prop_map(|(what, who, whom, created_at, choice, (elsewhere, boxed))| Doing {
        what,
        who,
        whom,
        created_at,
        choice,
        elsewhere: elsewhere && what % 2 == 0,
        boxed,
    });
    prop::collection::vec(one, 0..14)
}

impl Doing {
    fn step(&self, name: &str) -> Step {
        let (who, whom) = (NAMES[self.who], NAMES[self.whom]);
        let whom = if who == whom { "-" } else { whom };
        let mut step = match self.what {
            0 => translation(name, "vote"),
            1 => published(name, "{}"),
            2 | 3 => delegation(name, who, self.created_at, whom, only_this()),
            4 | 5 => delegation(name, who, self.created_at - 90, whom, Scope::All),
            _ => ballot(name, who, self.created_at, "abstain"),
        };
        match &mut step {
            Step::Entry(Entry::Ballot(ballot)) => {
                ballot.choice = self.choice.clone();
                ballot.proposal = id(if self.elsewhere { "second" } else { "vote" });
            }
            Step::Entry(Entry::Delegation(paper)) if self.elsewhere => {
                if let Scope::Proposal(proposal) = &mut paper.scope {
                    *proposal = id("second");
                }
            }
            _ => {}
        }
        step
    }
}

fn second(method: Method) -> Step {
    let mut second = proposal(&format!("{method} a:1 b:2"));
    second.id = id("second");
    second.spec.closes = 190;
    Step::Entry(Entry::Proposal(Box::new(second)))
}

/// How a vote goes on after the ballots.
#[derive(Debug, Clone)]
struct Course {
    method: Method,
    settings: &'static str,
    void_proposal: bool,
    /// 0 to 5: not sealed, voided, sealed, certified, certified wrongly, outcome void.
    end: u8,
    misses_one: bool,
    disputed: bool,
}

fn courses() -> impl Strategy<Value = Course> {
    let settings =
        prop::sample::select(vec!["", ", lot", ", none", ", pass 5000", ", quorum 6000"]);
    let course = (methods(), settings, 0..20_u8, 0..6_u8, 0..20_u8, 0..20_u8);
    course.prop_map(|(method, settings, void, end, misses, disputed)| Course {
        method,
        settings,
        void_proposal: void == 0,
        end,
        misses_one: misses == 0,
        disputed: disputed == 0,
    })
}

/// Everything that happens in one history, in a plausible order.
fn history(course: &Course, doings: &[Doing]) -> Vec<Step> {
    let mut steps = founding();
    let rules = format!("{} a:1 b:1 c:2, budget 2{}", course.method, course.settings);
    let mut vote = proposal(&rules);
    vote.spec.exec = (course.end == 3).then(|| id("act"));
    if course.void_proposal {
        vote.spec.privacy = Privacy::Tlock;
    }
    steps.push(Step::Entry(Entry::Proposal(Box::new(vote))));
    steps.push(second(course.method));
    let names: Vec<String> = (0..doings.len()).map(|at| format!("entry {at}")).collect();
    steps.extend(doings.iter().zip(&names).map(|(doing, name)| doing.step(name)));
    let mut boxed: Vec<&str> = doings
        .iter()
        .zip(&names)
        .filter_map(|(doing, name)| doing.boxed.then_some(name.as_str()))
        .collect();
    if course.misses_one {
        boxed.push("never seen");
    }
    steps.extend([round(), account("ana", 2, false)]);
    match course.end {
        0 => {}
        1 => steps.push(voided(Instance::Close, "no-seal")),
        _ => steps.push(sealed(&boxed)),
    }
    if let Some(draft) = Village::after(&steps).assembly.tally_of(&id("vote")) {
        steps.push(published("right", &draft.content));
        match course.end {
            3 => steps.push(certified(sha256(&draft.content))),
            4 => steps.push(certified([1; 32])),
            5 => steps.push(voided(Instance::Outcome, "no-beacon")),
            _ => {}
        }
    }
    steps.extend(course.disputed.then(disputed));
    steps
}

fn entries(steps: &[Step]) -> BTreeSet<EventId> {
    let entry = |step: &Step| match step {
        Step::Entry(entry) => Some(entry.id()),
        Step::Fact(_) => None,
    };
    steps.iter().filter_map(entry).collect()
}

fn histories() -> impl Strategy<Value = (Vec<Step>, Vec<Step>)> {
    (courses(), doings()).prop_flat_map(|(course, doings)| {
        let steps = history(&course, &doings);
        let twice = [steps.clone(), steps.clone()].concat();
        (Just(steps), Just(twice).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    /// SameSetSameBook.
    #[test]
    fn same_set_same_book((steps, shuffled) in histories()) {
        let plain = Village::after(&steps);
        let mut other = Village::default();
        let mut counted = BTreeSet::new();
        for step in &shuffled {
            other.then(step);
            // What was counted stays counted, at every moment.
            for id in &counted {
                prop_assert_eq!(other.assembly.ruling(id), Some(Ruling::Counted));
            }
            counted.extend(entries(std::slice::from_ref(step)).into_iter().filter(|id| {
                other.assembly.ruling(id) == Some(Ruling::Counted)
            }));
        }
        for id in entries(&steps) {
            prop_assert_eq!(plain.assembly.ruling(&id), other.assembly.ruling(&id));
        }
        prop_assert_eq!(plain.assembly.digest_lines(), other.assembly.digest_lines());
        prop_assert_eq!(
            plain.assembly.proposal(&id("vote"), 150),
            other.assembly.proposal(&id("vote"), 150)
        );
        // An act that was mandated before the dispute was known cannot be taken back.
        let is_disputed = plain.assembly.state(&id("vote"), 0) == Some(State::Disputed);
        let told = |village: &Village| -> Vec<String> {
            let mandate = |fact: &&Fact| is_disputed && matches!(fact, Fact::Mandated { .. });
            let kept = village.facts.iter().filter(|fact| !mandate(fact));
            kept.map(|fact| format!("{fact:?}")).collect()
        };
        let (mut here, mut there) = (told(&plain), told(&other));
        here.sort();
        there.sort();
        prop_assert_eq!(&here, &there);
        here.dedup();
        prop_assert_eq!(here.len(), there.len(), "each fact is told once");
    }

    /// LateIsLate.
    #[test]
    fn late_is_late(
        course in courses().prop_map(|course| Course {
            end: 2, misses_one: false, void_proposal: false, ..course
        }),
        doings in doings(),
        late in doings(),
    ) {
        let steps = history(&course, &doings);
        let late = late.iter().enumerate().map(|(at, doing)| doing.step(&format!("late {at}")));
        let late: Vec<Step> = late.collect();
        let mut village = Village::after(&steps);
        let before = village.json();
        late.iter().for_each(|step| village.then(step));
        prop_assert_eq!(village.json(), before.clone());
        // Late is what is not in the box, even where it came first.
        prop_assert_eq!(Village::after(&[late, steps].concat()).json(), before);
    }

    /// OneMemberOneBudget.
    #[test]
    fn one_member_one_budget(
        method in methods(),
        purses in prop::collection::vec(0_u32..200, 1..6),
        papers in prop::collection::btree_map(0..7_usize, choices(), 0..7),
        delegates in prop::collection::btree_map(0..7_usize, 0..7_usize, 0..7),
    ) {
        let rules = any_rules(method, 3);
        let credits: BTreeMap<usize, u32> = purses.iter().copied().enumerate().collect();
        let count = tally(&rules, &credits, &papers, &delegates);
        for (voter, cast) in &count.votes {
            prop_assert!(credits.contains_key(voter));
            prop_assert!(!count.spoiled.contains_key(voter));
            prop_assert_eq!(cast.copied_from.is_none(), papers.contains_key(voter));
            let spent = cast.vote.marks().map_or(0, cost);
            prop_assert!(!method.spends() || spent <= u64::from(credits[voter]));
        }
        prop_assert!(count.turnout() <= count.eligible);
    }

    /// CopiesEnd: the copy is what a plain walk along the delegations finds.
    #[test]
    fn copies_end(
        purses in prop::collection::vec(0_u32..150, 8),
        voters in prop::collection::btree_map(0..8_usize, choices(), 1..4),
        delegates in prop::collection::btree_map(0..8_usize, 0..8_usize, 0..8),
    ) {
        let rules = any_rules(Method::Quadratic, 3);
        let credits: BTreeMap<usize, u32> = purses.iter().copied().enumerate().collect();
        let own = voters.iter().map(|(at, says)| (*at, mark(&rules, says, credits[at]))).collect();
        for delegator in 0..8 {
            let copy = copied(&rules, &credits, &own, &delegates, delegator);
            let (mut at, mut hops) = (delegator, 0);
            while let (false, Some(next)) = (own.contains_key(&at), delegates.get(&at)) {
                (at, hops) = (*next, hops + 1);
                if hops > HOPS_MAX {
                    break;
                }
            }
            let votes = (1..=HOPS_MAX).contains(&hops) && own.get(&at).is_some_and(Result::is_ok);
            prop_assert_eq!(copy.as_ref().map(|(_, from)| *from), votes.then_some(at));
            if let Some((Vote::Marks(marks), _)) = copy {
                prop_assert!(cost(&marks) <= u64::from(credits[&delegator]));
            }
        }
    }

    /// ExactRoots.
    #[test]
    fn exact_roots(number in any::<u64>(), shift in 0_u32..64) {
        let number = number >> shift;
        let root = u128::from(isqrt(number));
        prop_assert!(root * root <= u128::from(number));
        prop_assert!((root + 1) * (root + 1) > u128::from(number));
        prop_assert_eq!(isqrt(isqrt(number).pow(2)), isqrt(number));
    }

    /// SchulzeIsSchulze: against the definition, chain by chain.
    #[test]
    fn schulze_is_schulze(
        options in 1..6_usize,
        papers in prop::collection::vec(prop::collection::vec(0_i32..6, 5), 0..9),
    ) {
        let papers: Vec<&[i32]> = papers.iter().map(|ranks| &ranks[..options]).collect();
        let pairs = ranked::preferences(options, papers.iter().copied());
        let preferring = |one: usize, other: usize| -> u64 {
            let rank = |at: i32| if at == 0 { i32::MAX } else { at };
            let prefers = |ranks: &&&[i32]| rank(ranks[one]) < rank(ranks[other]);
            u64::try_from(papers.iter().filter(prefers).count()).unwrap()
        };
        let beats = |one, other| {
            if preferring(one, other) > preferring(other, one) { preferring(one, other) } else { 0 }
        };
        let chains = ranked::strongest(&pairs);
        for one in 0..options {
            for other in (0..options).filter(|other| *other != one) {
                prop_assert_eq!(pairs.get(one, other), preferring(one, other));
                let strength = strongest_chain(&beats, options, &mut vec![one], other);
                prop_assert_eq!(chains.get(one, other), strength);
            }
        }
        let winners = ranked::winners(&chains);
        prop_assert!(!winners.is_empty());
        let champion = (0..options).find(|one| {
            (0..options).all(|other| other == *one || beats(*one, other) > 0)
        });
        if let Some(champion) = champion {
            prop_assert_eq!(winners, [champion]);
        }
    }

    /// BudgetIsKept.
    #[test]
    fn budget_is_kept(
        costs in prop::collection::vec(0_u64..9, 5),
        budget in 0_u64..20,
        papers in prop::collection::btree_map(0..4_usize, any_marks(), 1..4),
    ) {
        let mut rules = any_rules(Method::Budget, 5);
        rules.budget = budget;
        for (option, cost) in rules.options.iter_mut().zip(&costs) {
            option.cost = Some(*cost);
        }
        let votes = |marks: Vec<i32>| {
            Choice::Votes("abcde".chars().map(String::from).zip(marks).collect())
        };
        let ballots = papers.into_iter().map(|(voter, marks)| (voter, votes(marks))).collect();
        let credits = (0..4_usize).map(|voter| (voter, 100)).collect();
        let count = tally(&rules, &credits, &ballots, &BTreeMap::new());
        let Verdict::Settled(taken) = &count.verdict else { panic!("no lot in a budget") };
        let price = |id: &String| costs[rules.place(id).unwrap()];
        let spent: u64 = taken.iter().map(price).sum();
        prop_assert!(spent <= budget);
        for score in &count.scores {
            let wanted = score.score > 0;
            prop_assert!(wanted || !taken.contains(&score.option));
            let fits = spent + price(&score.option) <= budget;
            prop_assert!(!wanted || taken.contains(&score.option) || !fits);
        }
    }

    /// WrittenIsRead: proposals.
    #[test]
    fn written_is_read(spec in specs()) {
        prop_assert_eq!(spec.check(), Ok(()));
        let draft = draft::proposal(id("village"), id("charter"), id("roster"), &spec);
        let Ok(Entry::Proposal(read)) = Entry::read(&signed(draft)) else { panic!("unreadable") };
        prop_assert_eq!(&read.spec, &spec);
        let names = (id("village"), id("charter"), id("roster"));
        prop_assert_eq!((read.community, read.charter, read.roster), names);
        let json = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(serde_json::from_str::<ProposalSpec>(&json).unwrap(), spec);
    }

    /// WrittenIsRead: everything else.
    #[test]
    fn written_is_read_too(
        choice in choices(),
        delegate in prop::option::of(any::<[u8; 32]>().prop_map(PublicKey)),
        scope in prop_oneof![
            Just(Scope::All),
            any::<[u8; 32]>().prop_map(|id| Scope::Proposal(EventId(id)))
        ],
        text in ".{0,30}",
        options in prop::collection::vec(options(), 0..3),
    ) {
        let content = if matches!(choice, Choice::Sealed { .. }) { "A".repeat(536) } else { text };
        let draft = draft::ballot(id("village"), id("vote"), &choice, &content);
        let Ok(Entry::Ballot(read)) = Entry::read(&signed(draft)) else { panic!("unreadable") };
        prop_assert_eq!((read.proposal, read.choice), (id("vote"), choice));
        let draft = draft::delegation(id("village"), delegate, scope);
        let Ok(Entry::Delegation(read)) = Entry::read(&signed(draft)) else { panic!("unreadable") };
        prop_assert_eq!((read.delegate, read.scope), (delegate, scope));
        let draft = draft::tally(id("village"), id("vote"), &content);
        let Ok(Entry::Tally(read)) = Entry::read(&signed(draft)) else { panic!("unreadable") };
        prop_assert_eq!((read.proposal, read.content_hash), (id("vote"), sha256(&content)));
        let title = Title { text: content.clone(), lang: "pt".into() };
        let draft = draft::translation(id("village"), id("vote"), &title, &options, &content);
        let Ok(Entry::Translation(read)) = Entry::read(&signed(draft)) else {
            panic!("unreadable")
        };
        prop_assert_eq!((read.title, read.options, read.text), (title, options, content));
    }

    /// BoundedWork.
    #[test]
    fn bounded_work(
        kind in 4712_u16..4722,
        tags in prop::collection::vec(odd_tags(), 0..14),
        content in ".{0,40}",
    ) {
        let mut draft = Draft::new(Kind(kind)).content(content);
        for tag in tags {
            draft = draft.tag(tag);
        }
        let event = unsigned(draft);
        let _ = Entry::read(&event);
        let village = Village::founded();
        let _ = village.assembly.may_vote(&event, 150);
        let _ = village.assembly.may_propose(&event, 150);
    }
}

/// Votes on five options.
fn any_marks() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(-4_i32..5, 5)
}

/// The strength of the strongest chain that goes on from the end of `path`, by trying them all.
fn strongest_chain(
    beats: &impl Fn(usize, usize) -> u64,
    options: usize,
    path: &mut Vec<usize>,
    to: usize,
) -> u64 {
    let at = *path.last().unwrap();
    let mut best = beats(at, to);
    for through in 0..options {
        if through != to && !path.contains(&through) {
            let link = beats(at, through);
            path.push(through);
            best = best.max(link.min(strongest_chain(beats, options, path, to)));
            path.pop();
        }
    }
    best
}

fn options() -> impl Strategy<Value = ProposalOption> {
    let cost = prop::option::of(0_u64..1_000_000_000_000_000);
    ("[a-z0-9]{1,16}", ".{0,20}", cost).prop_map(|(id, label, cost)| ProposalOption {
        id,
        label,
        cost,
    })
}

/// Proposals that are in order.
fn specs() -> impl Strategy<Value = ProposalSpec> {
    let words = (
        ".{1,30}",
        "[a-z]{0,3}",
        prop::collection::vec((".{0,9}", "[a-z]{2}"), 0..3),
        ".{0,60}",
        prop::collection::btree_map("[a-z0-9]{1,16}", options(), 1..9),
    );
    let rules = (
        methods(),
        prop::option::of(-1_000_i32..=0),
        prop::option::of(0_i32..=1_000),
        prop::option::of(0_u64..1_000_000_000_000_000),
        0_u32..=10_000,
        prop::option::of(1_u32..=10_000),
        prop::sample::select(Tie::ALL),
        prop::sample::select(DelegationRule::ALL),
        prop::sample::select(Privacy::ALL),
    );
    let times = (0_u64..1 << 40, 1_u64..1 << 40, 0_u64..1 << 30, 0_u64..1 << 50);
    let exec = prop::option::of(any::<[u8; 32]>().prop_map(EventId));
    (words, rules, times, exec).prop_map(|(words, rules, times, exec)| {
        let (title, lang, also, text, options) = words;
        let (method, min, max, budget, quorum, pass, tie, delegation, privacy) = rules;
        let (opens, lasts, grace, unlock) = times;
        let priced = |cost: Option<u64>| {
            if method == Method::Budget { Some(cost.unwrap_or(0)) } else { cost }
        };
        let options = options.into_iter().map(|(id, option)| ProposalOption {
            id,
            cost: priced(option.cost),
            ..option
        });
        ProposalSpec {
            title,
            lang,
            also: also.into_iter().map(|(text, lang)| Title { text, lang }).collect(),
            text,
            method,
            options: options.collect(),
            min,
            max,
            budget: priced(budget),
            quorum,
            pass,
            tie,
            delegation,
            privacy,
            opens,
            closes: opens + lasts,
            grace,
            unlock: Some(unlock),
            exec,
        }
    })
}

/// Tags that nearly make sense.
fn odd_tags() -> impl Strategy<Value = Vec<String>> {
    let hex = id("vote").to_string();
    let name = prop::sample::select(vec![
        "h", "e", "p", "s", "v", "enc", "abstain", "scope", "title", "method", "option", "min",
        "max", "quorum", "pass", "tie", "opens", "closes", "grace", "unlock", "exec", "budget",
    ]);
    let value = prop::sample::select(vec![
        hex,
        String::new(),
        "0".into(),
        "-1".into(),
        "99999999999999999999".into(),
        "all".into(),
        "e".into(),
        "a".into(),
        "quadratic".into(),
        "budget".into(),
        "lot".into(),
        "tlock-1".into(),
        "18446744073709551615".into(),
        "proposal".into(),
        "charter".into(),
    ]);
    (name, prop::collection::vec(value, 0..4))
        .prop_map(|(name, values)| [vec![name.to_owned()], values].concat())
}

fn signed(draft: Draft) -> ayni_protocol::VerifiedEvent {
    draft.sign(&Keys::from_secret([1; 32]).unwrap(), 1, [0; 32])
}

fn unsigned(draft: Draft) -> Event {
    Event {
        id: EventId([1; 32]),
        pubkey: PublicKey([2; 32]),
        created_at: 1,
        kind: draft.kind,
        tags: draft.tags,
        content: draft.content,
        sig: [0; 64],
    }
}

/// The histories are worth something only if they end in every way.
#[test]
fn histories_end_in_every_way() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut ends = BTreeMap::new();
    for _ in 0..1_000 {
        let (steps, _) = histories().new_tree(&mut runner).unwrap().current();
        let state = Village::after(&steps).assembly.state(&id("vote"), 300);
        *ends.entry(state).or_insert(0) += 1;
    }
    let rare: Vec<_> = ends.iter().filter(|(_, times)| **times < 5).collect();
    // No case at all, closing, sealed, tallied, executed, rejected, void, disputed.
    assert!(ends.len() >= 8 && rare.is_empty(), "{ends:?}");
}

#[test]
fn laws_have_their_own_names() {
    let names: BTreeSet<_> = super::ALL.iter().map(|law| law.name).collect();
    assert_eq!(names.len(), super::ALL.len());
}
