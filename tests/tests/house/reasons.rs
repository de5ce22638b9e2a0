//! Every reason and every refusal is tried by a test that bears its name.

use super::arrows::rooms;
use super::nothing_found;
use super::source::{Source, is_word, snake_case, sources, split};

/// The files whose variants are such names.
const FILES: [&str; 2] = ["/reason.rs", "/refusal.rs"];

/// The names that no test function of their crate bears.
fn untried(sources: &[Source]) -> Vec<String> {
    let tests: Vec<_> = sources.iter().flat_map(|source| tests(&source.tests)).collect();
    let lists =
        sources.iter().filter(|source| FILES.iter().any(|file| source.path.ends_with(file)));
    let names = lists.flat_map(|source| {
        variants(&source.code).into_iter().map(move |name| (&source.path, name))
    });
    let missing = names.filter(|(_, name)| !tests.contains(&snake_case(name).as_str()));
    missing.map(|(path, name)| format!("{path}: no test is called {}", snake_case(name))).collect()
}

/// The names of the test functions in this text.
fn tests(text: &str) -> Vec<&str> {
    let after = text.split("#[test]").skip(1);
    after.filter_map(|rest| rest.split_once("fn ")?.1.split(|c| !is_word(c)).next()).collect()
}

/// What begins a line of an enum or of the list that a macro makes one from: a word with a capital.
fn variants(code: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for line in code.lines().map(str::trim_start) {
        let name = line.split(|c| !is_word(c)).next().unwrap_or_default();
        let rest = line[name.len()..].trim_start();
        let is_variant = name.starts_with(|c: char| c.is_uppercase())
            && (rest == "," || ["(", "{", "=>"].iter().any(|next| rest.starts_with(next)))
            && !rest.starts_with("{}");
        if is_variant && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[test]
fn every_reason_and_refusal_is_tried_by_a_test_of_its_name() {
    let findings = rooms(Some("pure")).iter().flat_map(|room| untried(&sources(&[room]))).collect();
    nothing_found("every reason and refusal has a test of its name", findings);
}

#[test]
fn a_reason_that_nothing_tries_is_found() {
    let text = "pub enum Reason {\n    /// One.\n    NotAllowed,\n    TooMuch { by: i64 },\n    \
                Odd(u8),\n}\nimpl Reason {\n    fn f() {}\n}\n#[cfg(test)]\nmod tests {\n\
                #[test]\nfn not_allowed() {}\nfn too_much() {}\n#[test]\nfn odd() {}\n}\n";
    let source = split("lets", "lets/src/reason.rs".into(), text);
    assert_eq!(variants(&source.code), ["NotAllowed", "TooMuch", "Odd"]);
    assert_eq!(untried(&[source]), ["lets/src/reason.rs: no test is called too_much"]);
}
