//! The states of a proposal (protocol section 5).
//!
//! The first three are what a clock says and no digest holds them; from `sealed` on a state follows
//! from the events alone.

use crate::words::words;

words! {
    /// Where a proposal stands.
    State, "the states of protocol section 5", {
        /// Not open yet.
        Scheduled => "scheduled",
        /// Ballots are cast.
        Open => "open",
        /// Closed; the witnesses have not fixed the box.
        Closing => "closing",
        /// The box is fixed, and some of what is in it has not come here.
        Sealed => "sealed",
        /// A tie waits for the round that draws it.
        AwaitingBeacon => "awaiting-beacon",
        /// Counted here; the witnesses have not fixed the result.
        Tallied => "tallied",
        /// Something passed, and no act hangs on it.
        Certified => "certified",
        /// Something passed, and the act it names counts.
        Executed => "executed",
        /// Nothing passed, and that is final.
        Rejected => "rejected",
        /// The witnesses decided that nothing counts.
        Void => "void",
        /// Two values were decided, or another result than the box gives. Nothing executes.
        Disputed => "disputed",
    }
}

impl State {
    /// Whether nothing changes any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Certified | Self::Executed | Self::Rejected | Self::Void | Self::Disputed
        )
    }
}
