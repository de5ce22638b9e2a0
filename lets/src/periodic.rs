//! Demurrage and periodic fees: what the rules take from every account, worked out from a certified
//! checkpoint.
//!
//! Whole numbers, rounded down, in favour of whoever is charged: anybody who holds the checkpoint's
//! lines and the rules gets the same charges, and a witness signs no others. Members and
//! organisations are charged; what they owe goes to the treasury.

use std::sync::Arc;

use ayni_protocol::{Address, EventId, PublicKey};

use crate::book::Book;
use crate::checkpoint::Line;
use crate::entry::Body;
use crate::ledger::Ledger;
use crate::rules::MILLION;
use crate::{Cause, Charge, Refusal, Rules};

/// Accounts that one charge debits; more are several charges.
pub const DEBITS_MAX: usize = 400;

/// A line of a checkpoint, and whether its account is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Where the account stood.
    pub line: Line,
    /// Whether it is a member's or an organisation's, and not closed.
    pub charged: bool,
}

/// Debits, and the credit that they add up to.
pub type Part = (Vec<(PublicKey, i64)>, (PublicKey, i64));

/// The charges for a period, each of at most [`DEBITS_MAX`] accounts, in the order of the lines. None
/// where the rules take nothing for this cause, or name no treasury.
#[must_use]
pub fn charges(cause: Cause, rules: &Rules, lines: &[Due]) -> Vec<Part> {
    let Some(treasury) = rules.treasury else { return Vec::new() };
    let due = lines.iter().filter(|due| due.charged && due.line.account != treasury);
    let owed = due.filter_map(|due| Some((due.line.account, owed(cause, rules, &due.line)?)));
    let owed: Vec<_> = owed.filter(|(_, minor)| *minor > 0).collect();
    let part = |debits: &[(PublicKey, i64)]| {
        let total = debits.iter().try_fold(0_i64, |sum, (_, minor)| sum.checked_add(*minor))?;
        Some((debits.to_vec(), (treasury, total)))
    };
    owed.chunks(DEBITS_MAX).filter_map(part).collect()
}

/// What one account owes for a period.
fn owed(cause: Cause, rules: &Rules, line: &Line) -> Option<i64> {
    match cause {
        Cause::Demurrage => {
            let taken = rules.demurrage?;
            let over = line.balance().saturating_sub(taken.exempt.into()).max(0);
            let share = over.checked_mul(taken.ppm.into())?.checked_div(MILLION.into())?;
            i64::try_from(share).ok()
        }
        Cause::Fee => rules.fee,
        _ => None,
    }
}

/// The lines under the newest checkpoint that said what the book said when it came.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub root: [u8; 32],
    pub checkpoint: EventId,
    pub lines: Arc<Vec<Due>>,
}

impl Ledger {
    /// The charges of a period that are due by the newest certified checkpoint, and the checkpoint.
    /// Nothing where there is none, or it was charged for already.
    #[must_use]
    pub fn periodic(&self, currency: &Address, cause: Cause) -> Option<(EventId, Vec<Part>)> {
        let book = self.books.get(currency)?;
        let kept = book.kept.as_ref()?;
        let certified = self.certified_roots(currency).contains(&kept.root);
        let parts = charges(cause, &book.current()?.rules, &kept.lines);
        let left = parts
            .into_iter()
            .filter(|(debits, _)| !self.is_charged(book, kept.root, cause, debits, None));
        certified.then(|| (kept.checkpoint, left.collect()))
    }

    /// What the witness asks of a charge that rests on a checkpoint, or has to.
    pub(crate) fn hear_basis(
        &self,
        id: &EventId,
        charge: &Charge,
        book: &Book,
    ) -> Result<(), Refusal> {
        let Some(basis) = charge.basis else {
            let needs = charge.cause == Cause::Demurrage;
            return if needs { Err(Refusal::ChargeWithoutBasis) } else { Ok(()) };
        };
        let kept = book.kept.as_ref().filter(|kept| self.root_of(basis) == Some(kept.root));
        let kept = kept.ok_or(Refusal::ChargeBasisUnknown)?;
        let rules = book.current().ok_or(Refusal::RulesUnknown)?;
        if !self.certified_roots(&charge.currency).contains(&kept.root) {
            return Err(Refusal::ChargeBasisUnknown);
        }
        let parts = charges(charge.cause, &rules.rules, &kept.lines);
        let says = |(debits, credit): &Part| {
            *debits == charge.debits && charge.credits.as_slice() == [*credit]
        };
        if !parts.iter().any(says) {
            return Err(Refusal::ChargeBasisDiffers);
        }
        if self.is_charged(book, kept.root, charge.cause, &charge.debits, Some(id)) {
            return Err(Refusal::ChargedTwice);
        }
        Ok(())
    }

    fn root_of(&self, checkpoint: EventId) -> Option<[u8; 32]> {
        match &self.known.entry(&checkpoint).filter(|entry| self.is_counted(&entry.id))?.body {
            Body::Checkpoint(checkpoint) => Some(checkpoint.root),
            _ => None,
        }
    }

    /// Whether a counted charge took the same for the same checkpoint.
    fn is_charged(
        &self,
        book: &Book,
        root: [u8; 32],
        cause: Cause,
        debits: &[(PublicKey, i64)],
        but: Option<&EventId>,
    ) -> bool {
        let others = book.charges.counted.iter().filter(|(_, id)| Some(id) != but);
        let mut same = others.filter_map(|(_, id)| match &self.known.entry(id)?.body {
            Body::Charge(charge) => Some(charge),
            _ => None,
        });
        same.any(|charge| {
            charge.cause == cause
                && charge.basis.and_then(|basis| self.root_of(basis)) == Some(root)
                && charge.debits == debits
        })
    }

    /// The lines as they are now, with who of them is charged.
    pub(crate) fn dues(&self, book: &Book) -> Vec<Due> {
        let charged = |line: &Line| {
            let account = book.accounts.get(&line.account)?;
            let policy = &self.in_force(book, account, None)?.policy;
            Some(policy.account_type.is_levied() && policy.status != crate::Status::Closed)
        };
        book.lines().map(|line| Due { line, charged: charged(&line).unwrap_or(false) }).collect()
    }
}

#[cfg(test)]
mod tests;
