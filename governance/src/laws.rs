//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// The order of arrival leaves no trace.
pub const SAME_SET_SAME_BOOK: Law = Law {
    name: "SameSetSameBook",
    sentence: "Any permutation and duplication of the same entries and facts gives the same \
               rulings, the same facts and the same digest lines, and nothing counted is uncounted",
    why: "or two nodes with the same events would announce different results",
};

/// Nobody votes with more than they have.
pub const ONE_MEMBER_ONE_BUDGET: Law = Law {
    name: "OneMemberOneBudget",
    sentence: "Every vote that counts, own or copied, is one roster key's and costs at most that \
               key's credits",
    why: "or quadratic votes would be worth nothing",
};

/// What the witnesses did not see in time changes nothing.
pub const LATE_IS_LATE: Law = Law {
    name: "LateIsLate",
    sentence: "Entries outside the decided box never change the tally",
    why: "or a backdated ballot could turn a result that was already announced",
};

/// Delegation ends.
pub const COPIES_END: Law = Law {
    name: "CopiesEnd",
    sentence: "A copied vote comes from a voter with an own valid ballot, at most three \
               delegations away, whatever graph the delegations make",
    why: "or a circle of delegations could vote, or hang a node",
};

/// The ranking is Schulze's.
pub const SCHULZE_IS_SCHULZE: Law = Law {
    name: "SchulzeIsSchulze",
    sentence: "Winners are those of the definition by strongest chains; there is always one, and \
               an option that beats every other one by one wins alone",
    why: "or no other program would find the same winner",
};

/// Roots are exact.
pub const EXACT_ROOTS: Law = Law {
    name: "ExactRoots",
    sentence: "isqrt(n) is the greatest number whose square is at most n",
    why: "or two machines could copy a delegate's vote differently",
};

/// Costs stay within the budget.
pub const BUDGET_IS_KEPT: Law = Law {
    name: "BudgetIsKept",
    sentence: "What passes in a budget vote costs at most the budget, and everything left out that \
               more than nobody wanted would not have fitted",
    why: "or a village would promise money it does not have",
};

/// What is written can be read.
pub const WRITTEN_IS_READ: Law = Law {
    name: "WrittenIsRead",
    sentence: "An event made from typed values is read back as those values",
    why: "or a node could not believe its own proposals",
};

/// Nonsense is refused, not crashed on.
pub const BOUNDED_WORK: Law = Law {
    name: "BoundedWork",
    sentence: "No tags, however odd, make the reader panic",
    why: "or one event could stop every node that reads it",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[
    SAME_SET_SAME_BOOK,
    ONE_MEMBER_ONE_BUDGET,
    LATE_IS_LATE,
    COPIES_END,
    SCHULZE_IS_SCHULZE,
    EXACT_ROOTS,
    BUDGET_IS_KEPT,
    WRITTEN_IS_READ,
    BOUNDED_WORK,
];

#[cfg(test)]
mod tests;
