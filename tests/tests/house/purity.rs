//! What pure crates must not touch, where `unsafe` may stand, and who may skip a signature.

use super::arrows::rooms;
use super::nothing_found;
use super::source::{Source, blank, is_word, sources, split, words};

/// Words that bring in a clock, a socket, a file, chance, rounding or an order that differs.
const FORBIDDEN_WORDS: &[&str] = &[
    "tokio",
    "SystemTime",
    "Instant",
    "rand",
    "getrandom",
    "thread_rng",
    "HashMap",
    "HashSet",
    "f32",
    "f64",
];
/// Modules that do the same.
const FORBIDDEN_PATHS: &[&str] = &[
    "std::fs",
    "std::net",
    "std::time::SystemTime",
    "std::time::Instant",
    "std::process",
    "std::env",
];

/// The one file that may name a hash map: what it makes of it cannot be walked in its order.
const LOOKUP: &str = "protocol/src/idmap.rs";

fn impurities(source: &Source) -> Vec<String> {
    let allowed = |word: &str| source.path == LOOKUP && word == "HashMap";
    let words = words(&source.code);
    let words = words.filter(|(_, word)| FORBIDDEN_WORDS.contains(word) && !allowed(word));
    let words = words.map(|(line, word)| format!("{}:{line} names {word}", source.path));
    let paths = paths(&source.code).into_iter().filter(|path| is_forbidden(path));
    words.chain(paths.map(|path| format!("{} names {path}", source.path))).collect()
}

fn is_forbidden(path: &str) -> bool {
    FORBIDDEN_PATHS.iter().any(|bad| {
        path.strip_prefix(bad).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

/// Every path that starts at `std`, with `use` groups spelled out.
fn paths(code: &str) -> Vec<String> {
    let tight: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let starts = tight.match_indices("std::").map(|(at, _)| at);
    starts.flat_map(|at| spell_out(&tight[at..])).collect()
}

/// The paths of the `use` tree at the start of this text: `a::{b,c::d}` is `a::b` and `a::c::d`.
fn spell_out(tree: &str) -> Vec<String> {
    let end = tree.find(|c: char| !is_word(c) && c != ':').unwrap_or(tree.len());
    let (head, rest) = tree.split_at(end);
    let Some(group) = rest.strip_prefix('{').filter(|_| head.ends_with("::")) else {
        return vec![head.trim_end_matches(':').to_owned()];
    };
    let branches = branches(group).into_iter().flat_map(|branch| spell_out(&branch));
    branches.map(|branch| format!("{head}{branch}")).collect()
}

/// The comma-separated branches of a group, up to its closing brace.
fn branches(group: &str) -> Vec<String> {
    let (mut found, mut branch, mut depth) = (Vec::new(), String::new(), 0);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
        if c == ',' && depth == 0 {
            found.push(std::mem::take(&mut branch));
        } else {
            branch.push(c);
        }
    }
    found.push(branch);
    found
}

/// Places that name this word outside the one room that may.
fn outside(sources: &[Source], word: &str, room: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.room != room) {
        let mut before = "";
        for (line, seen) in words(&source.code) {
            if seen == word && before != "fn" {
                findings.push(format!("{}:{line} names {word}", source.path));
            }
            before = seen;
        }
    }
    findings
}

#[test]
fn pure_crates_are_pure() {
    let findings = sources(&rooms(Some("pure"))).iter().flat_map(impurities).collect();
    nothing_found("no clock, no socket, no file, no chance, no floats, no hash order", findings);
}

#[test]
fn unsafe_lives_in_the_store_alone() {
    nothing_found("unsafe only in store", outside(&sources(&rooms(None)), "unsafe", "store"));
}

#[test]
fn only_the_store_trusts_its_own_journal() {
    let found = outside(&sources(&rooms(None)), "from_own_journal", "store");
    nothing_found("only the store reads events without checking signatures", found);
}

#[test]
fn an_impure_line_is_found() {
    let bad = "use std::{collections::{BTreeMap, HashMap}, fs, net::TcpStream};\n\
               // std::fs in a comment is talk\n\
               fn f(x: f64) { std :: time::Instant::now(); }\n";
    let source = split("lets", "lets/src/lib.rs".into(), bad);
    let mut found = impurities(&source);
    found.sort();
    assert_eq!(
        found,
        [
            "lets/src/lib.rs names std::fs",
            "lets/src/lib.rs names std::net::TcpStream",
            "lets/src/lib.rs names std::time::Instant::now",
            "lets/src/lib.rs:1 names HashMap",
            "lets/src/lib.rs:3 names Instant",
            "lets/src/lib.rs:3 names f64",
        ]
    );
    assert!(paths(&blank("use std::collections::BTreeMap;")).iter().all(|p| !is_forbidden(p)));
}

#[test]
fn unsafe_and_the_side_door_are_found() {
    let text = "pub fn from_own_journal() {}\nfn g() { unsafe { from_own_journal() } }\n";
    let elsewhere = [split("node", "node/src/x.rs".into(), text)];
    assert_eq!(outside(&elsewhere, "unsafe", "store"), ["node/src/x.rs:2 names unsafe"]);
    assert_eq!(outside(&elsewhere, "from_own_journal", "store").len(), 1);
    assert!(outside(&elsewhere, "unsafe", "node").is_empty());
}
