//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// One set of events, one council.
pub const SAME_SET_SAME_BOOK: Law = Law {
    name: "SameSetSameBook",
    sentence: "The same events and facts, in any order and however often, give the same rulings, \
               the same facts, the same decisions and the same duties",
    why: "or two honest nodes would announce two winners",
};

/// Nothing is taken back.
pub const DECIDED_STAYS_DECIDED: Law = Law {
    name: "DecidedStaysDecided",
    sentence: "No further event changes what was counted, voided or decided",
    why: "or a result could be turned after it was known",
};

/// Late entries do not count.
pub const LATE_IS_LATE: Law = Law {
    name: "LateIsLate",
    sentence: "Exactly the entries that a witness met between opening and the end of the grace \
               are in the box that it decides alone",
    why: "or whoever sees the first results could still vote",
};

/// A draw is a function.
pub const ANYONE_CAN_REDRAW: Law = Law {
    name: "AnyoneCanRedraw",
    sentence: "A draw depends on the set of lots and the seed alone; its winners are distinct by \
               its scope, and there are as many as the pool has",
    why: "or the drum would have to be trusted",
};

/// Every unit has the same chance.
pub const NO_NUMBER_FAVOURED: Law = Law {
    name: "NoNumberFavoured",
    sentence: "Of the numbers that a draw accepts, equally many lead to every unit",
    why: "or early lots would win a little more often",
};

/// What is written is read.
pub const ROUND_TRIP: Law = Law {
    name: "RoundTrip",
    sentence: "Every value that has a draft is read from its signed event as it was",
    why: "or a community would sign something else than it meant",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    SAME_SET_SAME_BOOK,
    DECIDED_STAYS_DECIDED,
    LATE_IS_LATE,
    ANYONE_CAN_REDRAW,
    NO_NUMBER_FAVOURED,
    ROUND_TRIP,
];
