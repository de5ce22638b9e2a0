//! The notation of this crate's tests: votes written the way people would write them on a board.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::mark::Choice;
use crate::rules::{DelegationRule, Method, ProposalOption, Rules, Tie};
use crate::tally::{Count, Verdict, tally};

/// `quadratic a b c`, `budget a:30 b:20`: a method and its options, with costs.
pub fn rules(text: &str) -> Rules {
    let mut words = text.split(' ');
    Rules {
        method: words.next().unwrap().parse().unwrap(),
        options: words.map(option).collect(),
        min: -1_000,
        max: 1_000,
        budget: 0,
        quorum: 0,
        pass: None,
        tie: Tie::StatusQuo,
        delegation: DelegationRule::Copy,
    }
}

fn option(text: &str) -> ProposalOption {
    let (id, cost) = match text.split_once(':') {
        Some((id, cost)) => (id, Some(cost.parse().unwrap())),
        None => (text, None),
    };
    ProposalOption { id: id.into(), label: id.to_uppercase(), cost }
}

/// `a=7 b=-7` or `abstain`.
pub fn choice(text: &str) -> Choice {
    if text == "abstain" {
        return Choice::Abstain;
    }
    let votes = text.split_whitespace().map(|vote| {
        let (option, number) = vote.split_once('=').unwrap();
        (option.to_owned(), number.parse().unwrap())
    });
    Choice::Votes(votes.collect())
}

/// A vote on a board: rules first, then one line a member: `ana 100: a=7 b=-7`, `ben 100 -> ana`,
/// or `cem 100` for one who stayed at home. Rules may be followed by `quorum 2000`, `pass 6667`,
/// `budget 50`, `lot`, `none`.
pub fn count(board: &str) -> Count<&str> {
    let mut lines = board.lines().map(str::trim).filter(|line| !line.is_empty());
    let rules = with_settings(lines.next().unwrap());
    let (mut credits, mut ballots, mut delegates) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for line in lines {
        let (member, says) = match line.split_once(": ") {
            Some((member, says)) => (member, Some(says)),
            None => (line, None),
        };
        let (member, delegate) = match member.split_once(" -> ") {
            Some((member, delegate)) => (member, Some(delegate)),
            None => (member, None),
        };
        let (name, purse) = member.split_once(' ').unwrap();
        credits.insert(name, purse.parse().unwrap());
        says.map(|says| ballots.insert(name, choice(says)));
        delegate.map(|delegate| delegates.insert(name, delegate));
    }
    tally(&rules, &credits, &ballots, &delegates)
}

fn with_settings(line: &str) -> Rules {
    let mut parts = line.split(", ");
    let mut rules = rules(parts.next().unwrap());
    for part in parts {
        let (word, number) = part.split_once(' ').unwrap_or((part, "0"));
        let number: u32 = number.parse().unwrap();
        match word {
            "quorum" => rules.quorum = number,
            "pass" => rules.pass = Some(number),
            "budget" => rules.budget = number.into(),
            "lot" => rules.tie = Tie::Lot,
            "none" => rules.delegation = DelegationRule::None,
            _ => panic!("no such setting: {word}"),
        }
    }
    rules
}

/// The count as a few lines of text.
pub fn shown(count: &Count<&str>) -> String {
    let mut out = String::new();
    let scores: Vec<_> = count.scores.iter().map(|s| format!("{} {}", s.option, s.score)).collect();
    let quorum = if count.quorum_met { "quorum" } else { "no quorum" };
    writeln!(out, "{} ({quorum}, {} of {})", scores.join(", "), count.turnout(), count.eligible)
        .unwrap();
    for (voter, reason) in &count.spoiled {
        writeln!(out, "spoiled: {voter}, {}", reason.code()).unwrap();
    }
    for (voter, cast) in &count.votes {
        if let Some(from) = cast.copied_from {
            writeln!(out, "{voter} copies {from}: {:?}", cast.vote.marks().unwrap_or(&[])).unwrap();
        }
    }
    match &count.verdict {
        Verdict::Settled(options) if options.is_empty() => out.push_str("nothing passes\n"),
        Verdict::Settled(options) => writeln!(out, "passes: {}", options.join(", ")).unwrap(),
        Verdict::Lot(options) => writeln!(out, "lot: {}", options.join(", ")).unwrap(),
    }
    out
}

/// Every method with this many options `a`, `b`, `c`…, each costing 1.
pub fn any_rules(method: Method, options: usize) -> Rules {
    let ids = "abcdefghijklmnopqrstuvwxyz".chars().take(options);
    let text: Vec<String> = ids.map(|id| format!("{id}:1")).collect();
    Rules { budget: 2, ..rules(&format!("{method} {}", text.join(" "))) }
}

/// A proposal of such rules, open from 100 to 200 with 10 seconds of grace.
pub fn spec(text: &str) -> crate::proposal::ProposalSpec {
    let rules = with_settings(text);
    crate::proposal::ProposalSpec {
        title: "What first?".into(),
        lang: "en".into(),
        also: Vec::new(),
        text: String::new(),
        method: rules.method,
        options: rules.options,
        min: None,
        max: None,
        budget: (rules.method == Method::Budget).then_some(rules.budget),
        quorum: rules.quorum,
        pass: rules.pass,
        tie: rules.tie,
        delegation: rules.delegation,
        privacy: crate::rules::Privacy::Open,
        opens: 100,
        closes: 200,
        grace: 10,
        unlock: None,
        exec: None,
    }
}
