//! Every law is cited by a test, and every pure crate names its laws.

use super::arrows::rooms;
use super::nothing_found;
use super::source::{Source, is_word, snake_case, sources, split};

/// The laws that a crate names and none of its tests cites.
fn uncited(sources: &[Source]) -> Vec<String> {
    let tests: Vec<&str> = sources.iter().map(|source| source.tests.as_str()).collect();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| is_laws(source)) {
        for law in names(&source.written) {
            let snake = snake_case(law);
            if !tests.iter().any(|test| has_word(test, law) || has_word(test, &snake)) {
                findings.push(format!("{}: no test cites {law}", source.path));
            }
        }
    }
    findings
}

fn is_laws(source: &Source) -> bool {
    source.path.ends_with("/laws.rs")
}

/// The `name: "…"` fields of the file's laws.
fn names(text: &str) -> Vec<&str> {
    let fields = text.split("name: \"").skip(1);
    fields.filter_map(|field| field.split('"').next()).collect()
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[test]
fn every_law_is_cited_by_a_test() {
    let mut findings = Vec::new();
    for room in rooms(None) {
        let sources = sources(&[room]);
        findings.extend(uncited(&sources));
        let pure = rooms(Some("pure")).contains(&room);
        let laws = sources.iter().filter(|source| is_laws(source));
        if pure && laws.flat_map(|source| names(&source.written)).next().is_none() {
            findings.push(format!("{room}: names no law in laws.rs"));
        }
    }
    nothing_found("every law is cited by a test of its crate", findings);
}

#[test]
fn an_uncited_law_is_found() {
    let laws = "const A: Law = Law { name: \"ZeroSum\", why: \"\" };\n\
                const B: Law = Law { name: \"LateIsLate\", why: \"\" };\n\
                const C: Law = Law { name: \"BoundedWork\", why: \"\" };\n\
                #[cfg(test)]\nmod tests {\n/// ZeroSum, always.\n\
                fn sums() {}\nfn late_is_late() {}\n\
                fn not_quite_bounded_work() {}\n}\n";
    let source = split("lets", "lets/src/laws.rs".into(), laws);
    assert_eq!(uncited(&[source]), ["lets/src/laws.rs: no test cites BoundedWork"]);
}
