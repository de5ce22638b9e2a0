//! What a world made happen.

/// What a run made happen, so that a world in which nothing happens is noticed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Certified payments.
    pub payments: u64,
    /// Orders that were attested together with others.
    pub together: u64,
    /// Votes that came to an end.
    pub votes: u64,
    /// Rules that came into force after the first.
    pub epochs: u64,
    /// Proofs of fraud.
    pub proofs: u64,
    /// Starts from an old backup.
    pub restores: u64,
    /// Signatures of a lying witness.
    pub lies: u64,
    /// Payments across two currencies that went through.
    pub trades: u64,
    /// Those that were undone: the reserved amount is free again.
    pub undone: u64,
    /// Changes of what the communities agreed.
    pub bargains: u64,
    /// Accounts that were closed or opened again.
    pub closings: u64,
}

impl Seen {
    /// Adds what another run made happen.
    pub const fn add(&mut self, more: Self) {
        self.payments += more.payments;
        self.together += more.together;
        self.votes += more.votes;
        self.epochs += more.epochs;
        self.proofs += more.proofs;
        self.restores += more.restores;
        self.lies += more.lies;
        self.trades += more.trades;
        self.undone += more.undone;
        self.bargains += more.bargains;
        self.closings += more.closings;
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { payments, together, votes, epochs, proofs, restores, lies, .. } = self;
        let Self { trades, undone, bargains, closings, .. } = self;
        write!(
            out,
            "{payments} payments, {together} orders attested together, {trades} trades, {undone} trades undone, {bargains} changes of \
             agreements, {closings} accounts closed or opened, {votes} votes, {epochs} changes of \
             rules, {restores} old backups, {lies} lies, {proofs} proofs"
        )
    }
}
