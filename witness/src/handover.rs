//! Which closes hold when rules of a currency are followed by others (protocol section 3, "Epochs").
//!
//! Every witness of the old rules closes its log under them. Whose logs the new witnesses go by is
//! decided once, like a box, by the old ones: else two of them could go by different logs, one take
//! a payment for carried over and the other have it signed anew, and neither ever be certified.

use std::collections::BTreeSet;

use ayni_protocol::{Draft, EventId, PublicKey, Timestamp};

use crate::council::Council;
use crate::deliberation::{Bench, Opinion};
use crate::digest::closes_digest;
use crate::entry::{Choice, Named};
use crate::fact::Instance;

/// Rules that others have followed, and what a witness of theirs knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The rules.
    pub rules: EventId,
    /// One close of each witness that closed and whose log is known up to there.
    pub closes: BTreeSet<EventId>,
    /// When the first of them closed, by its clock.
    pub since: Timestamp,
}

impl Council {
    /// The step that witness `me` owes on the way to deciding which closes hold, if any.
    #[must_use]
    pub fn hand_over(&self, me: &PublicKey, of: &Handover, now: Timestamp) -> Option<Draft> {
        let (community, charter) = self.rules.get(&of.rules)?;
        let charter = self.charters.get(charter)?;
        let enough = |closes: &BTreeSet<EventId>| closes.len() >= charter.quorum;
        let wish = enough(&of.closes).then(|| Choice {
            named: Named::Closes(of.closes.clone()),
            digest: closes_digest(of.rules, &of.closes),
        });
        let agrees = |choice: &Choice| match &choice.named {
            Named::Closes(closes) => enough(closes) && closes.is_subset(&of.closes),
            _ => false,
        };
        let bench = Bench {
            council: self,
            me,
            charter,
            community: *community,
            subject: of.rules,
            instance: Instance::Handover,
            since: of.since,
        };
        bench.next(&Opinion { wish, agrees: &agrees }, now)
    }
}
