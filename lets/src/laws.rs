//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// The ledger is a function of the set of events.
pub const SAME_SET_SAME_BOOK: Law = Law {
    name: "SameSetSameBook",
    sentence: "Any order and repetition of the same events and facts gives the same rulings, \
               forks and roots",
    why: "or two nodes with the same events would disagree about money",
};

/// Nobody issues credit.
pub const ZERO_SUM: Law = Law {
    name: "ZeroSum",
    sentence: "The balances of a currency sum to zero, after every event",
    why: "or somebody could make money",
};

/// A number on an account is used once.
pub const ONE_ORDER_PER_SEAT: Law = Law {
    name: "OneOrderPerSeat",
    sentence: "With an honest witness there is at most one certified order per account and number",
    why: "or the same credit could be spent twice",
};

/// What people do of their own will stays within what they may owe.
pub const NO_ONE_BEYOND_THEIR_LIMIT: Law = Law {
    name: "NoOneBeyondTheirLimit",
    sentence: "With an honest witness and hard limits no payment takes an account below its limit",
    why: "or the community would lend more than it decided to",
};

/// Twice is once.
pub const REPEAT_IS_NOTHING: Law = Law {
    name: "RepeatIsNothing",
    sentence: "An event or fact that came before changes nothing, and an attested order is answered \
               with the same attestation",
    why: "or a bad connection would pay twice",
};

/// Money only moves forward.
pub const COUNTED_STAYS_COUNTED: Law = Law {
    name: "CountedStaysCounted",
    sentence: "Adding events never takes a certificate, or anything that counts, away",
    why: "or a payment could be undone by whoever signs last",
};

/// Whoever pays honestly is paid for.
pub const HONEST_ORDERS_ARE_CERTIFIED: Law = Law {
    name: "HonestOrdersAreCertified",
    sentence: "Once enough honest witnesses have heard everything, every funded order of somebody who \
               never signed two for one number is certified",
    why: "or a neighbour's bad connection, or bad will, could stop a payment for ever",
};

/// What enough witnesses acknowledged binds.
pub const ACKNOWLEDGED_BINDS: Law = Law {
    name: "AcknowledgedBinds",
    sentence: "Once enough witnesses acknowledged a lower limit, no order signed after that is \
               certified beyond it",
    why: "or a suspension would be a request",
};

/// Rules change in the middle of trade.
pub const EPOCHS_LOSE_NOTHING: Law = Law {
    name: "EpochsLoseNothing",
    sentence: "New rules at any moment take no certificate away, let no second one stand at a number, \
               and keep nobody waiting who signed one payment at a time",
    why: "or a change of witnesses would cost or make money",
};

/// An old backup is no second voice.
pub const RESTORED_SIGN_NOTHING_TWICE: Law = Law {
    name: "RestoredSignNothingTwice",
    sentence: "A witness that starts from any earlier copy of itself, and hears what the other \
               witnesses hold before it signs, signs nothing in the place of what it forgot",
    why: "or a broken disk would be the way to spend twice",
};

/// A double signature is evidence.
pub const FORKS_ARE_PROVABLE: Law = Law {
    name: "ForksAreProvable",
    sentence: "Every fork that the ledger names can be shown by two events that anybody can check, \
               and no honest key ever forks",
    why: "or cheating would be hearsay, and honest people could be accused of it",
};

/// Amounts are what they look like.
pub const AMOUNTS_ARE_EXACT: Law = Law {
    name: "AmountsAreExact",
    sentence: "An amount has one spelling, and the legs of a price add up to it, at every size",
    why: "or a cent would come from nowhere",
};

/// A hold ends once.
pub const ONE_OUTCOME_PER_HOLD: Law = Law {
    name: "OneOutcomePerHold",
    sentence: "A hold goes from pending to void or posted and, while fewer witnesses cheat than two \
               quorums share, no further; it pays what it reserved, and reserved and spent together \
               stay within the limit",
    why: "or a reservation could be paid twice, or given back and paid",
};

/// Trade has no halves.
pub const BOTH_SIDES_OR_NEITHER: Law = Law {
    name: "BothSidesOrNeither",
    sentence: "A hold is posted exactly where the order that commits it is certified, wherever the \
               clearing agent was interrupted, and its two accounts stay within rounding of the rate",
    why: "or somebody would pay for what never arrives",
};

/// One spelling out, one meaning in.
pub const WRITTEN_AS_READ: Law = Law {
    name: "WrittenAsRead",
    sentence: "What a draft says is what reading the signed event gives",
    why: "or a client would sign something else than it meant",
};

/// The books are what a second program makes of the same page.
pub const ORACLE_AGREES: Law = Law {
    name: "OracleAgrees",
    sentence: "A naive reading of the protocol gives the same balances and the same root",
    why: "or the protocol and the program would be two things",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    SAME_SET_SAME_BOOK,
    ZERO_SUM,
    ONE_ORDER_PER_SEAT,
    NO_ONE_BEYOND_THEIR_LIMIT,
    REPEAT_IS_NOTHING,
    COUNTED_STAYS_COUNTED,
    HONEST_ORDERS_ARE_CERTIFIED,
    ACKNOWLEDGED_BINDS,
    EPOCHS_LOSE_NOTHING,
    RESTORED_SIGN_NOTHING_TWICE,
    FORKS_ARE_PROVABLE,
    AMOUNTS_ARE_EXACT,
    ONE_OUTCOME_PER_HOLD,
    BOTH_SIDES_OR_NEITHER,
    WRITTEN_AS_READ,
    ORACLE_AGREES,
];

#[cfg(test)]
mod exact;
#[cfg(test)]
mod market;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod several;
#[cfg(test)]
mod tests;
