//! Every limit is exceeded by a test: a number that nothing tries is a promise that nobody keeps.

use ayni_protocol::Limits;

use super::arrows::rooms;
use super::nothing_found;
use super::source::{is_word, sources};

/// The limits that no test sets or reads by name.
fn untried(limits: &[String], tests: &[&str]) -> Vec<String> {
    let tried = |limit: &str, test: &str| {
        test.match_indices(limit).any(|(at, _)| {
            let before = test[..at].chars().next_back();
            let after = test[at + limit.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    };
    let missing = limits.iter().filter(|limit| !tests.iter().any(|test| tried(limit, test)));
    missing.map(|limit| format!("no test tries {limit}")).collect()
}

#[test]
fn every_limit_is_tried_by_a_test() {
    let limits = toml::Table::try_from(Limits::default()).unwrap();
    let names: Vec<_> = limits.keys().cloned().collect();
    assert!(names.len() > 30);
    let sources = sources(&rooms(None));
    let elsewhere = sources.iter().filter(|source| !source.path.ends_with("house/limits.rs"));
    let tests: Vec<_> = elsewhere.map(|source| source.tests.as_str()).collect();
    nothing_found("every limit is tried by a test", untried(&names, &tests));
}

#[test]
fn a_limit_that_nothing_tries_is_found() {
    let names = ["auth_keys", "filters"].map(String::from);
    let tests = ["Limits { auth_keys: 1, ..", "let xfilters = filters_of(limit);"];
    assert_eq!(untried(&names, &tests), ["no test tries filters"]);
}
