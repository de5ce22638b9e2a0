//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// One meaning of a search, live and stored.
pub const FOUND_IS_MATCHED: Law = Law {
    name: "FoundIsMatched",
    sentence: "The index finds exactly the events that the search in the filter matches",
    why: "or a subscription would go on otherwise than its stored answers began",
};

/// What is typed is words, whatever is typed.
pub const NO_SEARCH_IS_A_PROGRAM: Law = Law {
    name: "NoSearchIsAProgram",
    sentence: "No text of a search is read as anything but words to find",
    why: "or a stranger could write queries that cost what they like, or fail",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[FOUND_IS_MATCHED, NO_SEARCH_IS_A_PROGRAM];

#[cfg(test)]
mod tests;
