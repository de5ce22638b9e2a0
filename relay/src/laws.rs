//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// No EVENT is forgotten, none answered twice.
pub const ONE_VERDICT_EACH: Law = Law {
    name: "OneVerdictEach",
    sentence: "Every EVENT gets exactly one OK",
    why: "or a client would wait for ever, or believe the wrong answer",
};

/// Whoever asks is answered.
pub const EVERY_QUESTION_ANSWERED: Law = Law {
    name: "EveryQuestionAnswered",
    sentence: "Every REQ that its client leaves open gets exactly one EOSE or CLOSED, \
               every COUNT a COUNT or CLOSED",
    why: "or a client would show a spinner for ever",
};

/// The seam between what is stored and what comes does not show.
pub const NOTHING_MISSED_NOTHING_REPEATED: Law = Law {
    name: "NothingMissedNothingRepeated",
    sentence: "An open subscription gets every matching event exactly once, \
               however storing, publishing, asking and answering interleave",
    why: "or a payment could stay unseen, or be shown twice",
};

/// The index is only faster than asking every filter.
pub const INDEX_EQUALS_FILTERS: Law = Law {
    name: "IndexEqualsFilters",
    sentence: "The live index finds exactly the subscriptions whose filters match",
    why: "or live subscribers would miss events, or get what they did not ask for",
};

/// Messages between people are for their parties.
pub const MESSAGES_STAY_PRIVATE: Law = Law {
    name: "MessagesStayPrivate",
    sentence: "Nobody is sent a gift wrap or a direct message, or its id, who has not \
               authenticated as its party",
    why: "or who writes to whom and when would be open to all",
};

/// Hostile text costs a bounded amount and breaks nothing.
pub const NO_TEXT_BREAKS_A_SESSION: Law = Law {
    name: "NoTextBreaksASession",
    sentence: "Whatever a client says, its session neither panics nor ends, and says at most one \
               challenge and one answer to each message",
    why: "or one message could cost others their relay",
};

/// Who asks for a lot does not keep the others waiting.
pub const TURNS_ARE_FAIR: Law = Law {
    name: "TurnsAreFair",
    sentence: "Whoever had least is next, and every eighth time whoever has waited longest: who comes \
               new waits for about one turn of each of the others, and nobody waits for ever",
    why: "or a few who ask for as much as they may would have the relay for themselves",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    ONE_VERDICT_EACH,
    EVERY_QUESTION_ANSWERED,
    NOTHING_MISSED_NOTHING_REPEATED,
    INDEX_EQUALS_FILTERS,
    MESSAGES_STAY_PRIVATE,
    NO_TEXT_BREAKS_A_SESSION,
    TURNS_ARE_FAIR,
];

#[cfg(test)]
mod index;
#[cfg(test)]
mod weather;
