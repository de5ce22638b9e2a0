//! Forks: two events for one place, which no honest author signs.
//!
//! The ledger stays a function of the set of events, so a fork never depends on who came first:
//! certified orders both count, of two policies or rules the lowest id is in force, and the pair is
//! named here and in everything that lists it.

use ayni_protocol::{Address, PublicKey};

use crate::account::words;

words! {
    /// What was signed twice.
    Case, "order-fork, attest-fork, policy-fork, rules-fork, charge-fork, log-fork or vote-fork":
    /// Two orders with one number.
    Order => "order-fork",
    /// A witness attested two orders with one number.
    Attest => "attest-fork",
    /// Two versions of a policy with one number.
    Policy => "policy-fork",
    /// Two rules of one epoch.
    Rules => "rules-fork",
    /// Two charges with one number.
    Charge => "charge-fork",
    /// Two statements at one place of a witness's log.
    Log => "log-fork",
    /// Two decision steps of one witness in one attempt.
    Vote => "vote-fork",
}

/// A place that should hold one event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fork {
    /// What was signed twice.
    pub case: Case,
    /// In which currency; none for a witness's log, which spans them all.
    pub currency: Option<Address>,
    /// Whose place it is: the account, the witness, or the community key.
    pub whose: PublicKey,
    /// Number of the place: `seq`, `v`, `epoch`, `cseq` or the log's index.
    pub number: u64,
}
