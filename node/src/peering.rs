//! Who a running node keeps in step with: the peers of its list, and, where it is a witness, the
//! other witnesses of its communities, at the addresses that the charter gives.
//!
//! A new charter may name others while the node runs, so the charters are looked at from time to
//! time. Whom the node has begun to follow it follows until it stops.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::backend::Backend;
use crate::book::Book;
use crate::clock;
use crate::federate::{self, PeerState, PeerStatus};
use crate::fence::{Fence, Need};
use crate::local::LocalNode;
use crate::peers;

/// How often charters and fence are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A peer's address, and how it stands.
pub type Followed = (String, watch::Receiver<PeerStatus>);

/// The peers of a running node.
#[derive(Clone)]
pub struct Peering {
    local: Arc<LocalNode>,
    backend: Backend,
    tasks: TaskTracker,
    stop: CancellationToken,
    followed: Arc<RwLock<Vec<Followed>>>,
}

impl Peering {
    /// Follows these peers.
    #[must_use]
    pub fn begin(
        urls: Vec<String>,
        local: LocalNode,
        backend: Backend,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let (local, followed) = (Arc::new(local), Arc::default());
        let peering = Self { local, backend, tasks, stop, followed };
        for url in urls {
            peering.follow(url);
        }
        peering
    }

    /// Every peer that is followed.
    #[must_use]
    pub fn all(&self) -> Vec<Followed> {
        self.followed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps in step with a peer from now on, unless it does already.
    fn follow(&self, url: String) {
        let mut followed = self.followed.write().unwrap_or_else(PoisonError::into_inner);
        if followed.iter().any(|(known, _)| *known == url) {
            return;
        }
        let (status, watched) = watch::channel(PeerStatus::default());
        let (local, stopped) = (Arc::clone(&self.local), self.stop.clone().cancelled_owned());
        self.tasks.spawn(federate::run_peer(local, url.clone(), status, stopped));
        self.tasks.spawn(peers::remember(self.backend.clone(), url.clone(), watched.clone()));
        followed.push((url, watched));
    }

    /// Follows the other witnesses of every community in which this node is one.
    fn follow_witnesses(&self, book: &Book) {
        let me = self.local.public();
        let charters =
            book.communities().into_iter().filter_map(|id| book.council.charter_in_force(id));
        for charter in charters.filter(|charter| charter.is_witness(&me)) {
            let others = charter.witnesses.iter().filter(|seat| seat.key != me);
            let urls = others.filter_map(|seat| peers::normal(&seat.url).ok());
            urls.for_each(|url| self.follow(url));
        }
    }

    /// Looks at the charters, and takes down the fence when what is needed has happened; until the
    /// node stops.
    pub async fn watch(
        self,
        book: Arc<RwLock<Book>>,
        fence: Fence,
        need: Option<Need>,
        lowered: impl FnOnce() + Send + 'static,
    ) {
        let began = Instant::now();
        let mut lowered = Some(lowered);
        let mut every = clock::every(LOOK);
        loop {
            self.follow_witnesses(&book.read().unwrap_or_else(PoisonError::into_inner));
            if let Some(need) = need.filter(|_| fence.is_up()) {
                let peers = self.all();
                let in_step = |(_, status): &&Followed| status.borrow().state == PeerState::InStep;
                let in_step = peers.iter().filter(in_step).count();
                let met = need.is_met(in_step, peers.len());
                let waited = need.patience.is_some_and(|patience| began.elapsed() > patience);
                if met || waited {
                    fence.lower();
                    tracing::info!(in_step, waited, "this witness attests from now on");
                    if let Some(lowered) = lowered.take() {
                        lowered();
                    }
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                _ = every.tick() => {}
            }
        }
    }
}
