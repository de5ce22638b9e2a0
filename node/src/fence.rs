//! The fence: a witness signs nothing before it is known that its journal is not an old copy.
//!
//! A witness that was restored from an old backup has forgotten what it signed since, and would
//! sign something else in its place: the one practical way to spend twice. So would the key that
//! clears trade. What they signed is at their peers. So after each start a witness listens first,
//! and attests once it is in step with as many peers as may hold what it forgot, or once its
//! operator says that the copy is the newest.
//!
//! Deliberately absent: any way to see from the journal alone that it is old. There is none.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use ayni_lets::AccountType;
use ayni_protocol::PublicKey;

use crate::book::Book;

/// How long a witness that decides alone waits for a mirror that may be away.
const GLANCE: Duration = Duration::from_secs(20);

/// Whether this node's own word has to wait.
#[derive(Debug, Clone, Default)]
pub struct Fence(Arc<AtomicBool>);

impl Fence {
    /// A fence that is up.
    #[must_use]
    pub fn up() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// Whether it is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Takes it down, for as long as the node runs.
    pub fn lower(&self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What has to happen before a node's word is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// With how many peers it has to be in step.
    pub peers: usize,
    /// How long it waits for them; without end where none.
    pub patience: Option<Duration>,
}

impl Need {
    /// What a node needs that starts with this book. `restored` says that its folder was made from
    /// a backup, `peers` how many it has.
    #[must_use]
    pub fn of(book: &Book, me: &PublicKey, restored: bool, peers: usize) -> Option<Self> {
        let communities = book.communities();
        let charters = communities.iter().filter_map(|id| book.council.charter_in_force(*id));
        let seats = charters.filter(|charter| charter.is_witness(me));
        // Of several communities the one that asks for most.
        let most = seats.map(|charter| (charter.witnesses.len(), charter.quorum)).max();
        let endless = |peers: usize| Some(Self { peers: peers.max(1), patience: None });
        let clears = || {
            let mut accounts = book.ledger.accounts_of(me);
            accounts.any(|(_, view)| view.account_type == AccountType::Clearing)
        };
        match most {
            // What it signed for trade and forgot, any peer may hold.
            _ if restored && clears() => endless(peers),
            Some((seats, _)) if restored => endless(seats.saturating_sub(1)),
            Some((seats, quorum)) if seats > 1 => endless(quorum.saturating_sub(1)),
            Some(_) if peers > 0 => Some(Self { peers: 1, patience: Some(GLANCE) }),
            // Keys without a book, and others who may have it.
            None if communities.is_empty() && (restored || peers > 0) => endless(1),
            Some(_) | None => None,
        }
    }

    /// Whether that many peers in step, of those there are, are enough.
    #[must_use]
    pub fn is_met(&self, in_step: usize, peers: usize) -> bool {
        in_step >= self.peers.min(peers).max(1)
    }
}

fn mark(data: &Path) -> PathBuf {
    data.join("restored")
}

/// Notes that a folder was made from a backup.
///
/// # Errors
/// Where the folder cannot be written.
pub fn note_restored(data: &Path) -> Result<()> {
    let sentence = "This folder was made from a backup. Its witness attests once its peers have \
                    confirmed what it signed, or after `ayni run --newest-copy`.\n";
    let written = File::create(mark(data)).and_then(|mut file| {
        file.write_all(sentence.as_bytes())?;
        file.sync_all()?;
        File::open(data)?.sync_all()
    });
    written.context("cannot note that this is a copy")
}

/// Whether a folder was made from a backup that nobody has confirmed yet.
#[must_use]
pub fn is_restored(data: &Path) -> bool {
    mark(data).exists()
}

/// Notes that the folder is the newest copy there is.
///
/// # Errors
/// Where the folder cannot be written.
pub fn note_confirmed(data: &Path) -> Result<()> {
    match std::fs::remove_file(mark(data)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context("cannot note that this copy is the newest")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use ayni_lets::{Body, Policy};
    use ayni_protocol::{Amount, Draft, Keys};
    use ayni_witness::Timings;
    use ayni_witness::beacon::Chain;

    use super::*;
    use crate::founding::{Plan, Seats};

    #[test]
    fn whoever_clears_trade_waits_after_a_restore_as_a_witness_does() {
        let [community, witness, clearing] =
            [1, 2, 3].map(|number| Keys::from_secret([number; 32]).unwrap());
        let mut sign = |draft: Draft| draft.sign(&community, 1, [0; 32]);
        let seats = Seats { witness: witness.public(), community: community.public() };
        let limit = Amount::parse("20.00").unwrap();
        let (plan, chain) = (Plan::default(), Chain::quicknet());
        let founded = plan.events(limit, seats, chain, Timings::default(), &mut sign);
        let policy = Policy::open(founded.address, clearing.public());
        let policy = Policy { account_type: AccountType::Clearing, ..policy };
        let mut book = Book::new(Default::default());
        founded.all.iter().for_each(|event| book.apply(event));
        book.apply(&sign(Body::from(policy).draft(&founded.charter)));
        let need = |keys: &Keys, restored| Need::of(&book, &keys.public(), restored, 2);
        assert_eq!(need(&clearing, true), Some(Need { peers: 2, patience: None }));
        assert_eq!(need(&clearing, false), None, "its own disk has all that it signed");
        assert_eq!(need(&witness, true), Some(Need { peers: 1, patience: None }));
    }

    #[test]
    fn a_folder_without_a_book_waits_for_whoever_has_it() {
        let (book, me) = (Book::new(Default::default()), PublicKey([7; 32]));
        let waits = Some(Need { peers: 1, patience: None });
        assert_eq!(Need::of(&book, &me, false, 0), None, "a new folder");
        assert_eq!(Need::of(&book, &me, false, 1), waits);
        assert_eq!(Need::of(&book, &me, true, 0), waits);
    }

    #[test]
    fn no_more_peers_are_asked_than_there_are() {
        let need = Need { peers: 3, patience: None };
        assert!(!need.is_met(1, 2) && need.is_met(2, 2) && need.is_met(3, 5));
        assert!(!need.is_met(0, 0), "nobody confirmed it");
    }

    #[test]
    fn the_mark_of_a_copy_goes_when_it_is_confirmed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_restored(folder.path()));
        note_restored(folder.path()).unwrap();
        assert!(is_restored(folder.path()));
        note_confirmed(folder.path()).unwrap();
        note_confirmed(folder.path()).unwrap();
        assert!(!is_restored(folder.path()));
    }

    #[test]
    fn a_lowered_fence_stays_down_for_all_who_hold_it() {
        let fence = Fence::up();
        let other = fence.clone();
        fence.lower();
        assert!(!other.is_up());
        assert!(!Fence::default().is_up(), "most nodes have none");
    }
}
