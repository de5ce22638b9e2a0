//! A running node: the rooms of the house, wired together, and taken down in order.
//!
//! The writer has a thread of its own, because it waits for the disk. Everything else is a task.
//! Taking down goes from the outside in: the door first, then the peers, then the writer's inbox,
//! which the writer empties before it ends.

use std::collections::BTreeSet;
use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ayni_protocol::{EventId, Keys, Timestamp, VerifiedEvent};
use ayni_relay::{AuthMode, Relay, Settings};
use ayni_store::DiskStore;
use ayni_witness::beacon::{Chain, Known};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::Origin;
use crate::backend::Backend;
use crate::book::Book;
use crate::config::{Auth, Config};
use crate::desk::Desk;
use crate::fence::{self, Fence, Need};
use crate::founding::LocalBeacon;
use crate::http::authorization::WINDOW_SECS;
use crate::http::{Authorization, Door, Shared};
use crate::local::LocalNode;
use crate::management::{Act, Management};
use crate::membership::Membership;
use crate::peering::Peering;
use crate::peers::Peers;
use crate::policy::Policy;
use crate::search::{self, Seeker};
use crate::writer::{Audience, Command, Writer, fold};
use crate::{announcement, assertions, clock, drand, http, keys, membership, upkeep};

/// How many stored economy events a peer's task may lag behind before it looks for itself.
const OUTBOX: usize = 4_096;
/// How often the witness looks at its clock.
const TICK: Duration = Duration::from_millis(500);
/// How often rounds that are due are looked for.
const FETCH: Duration = Duration::from_secs(5);

/// What a node needs to start.
pub struct Options {
    /// Where it listens, as [`bind`] gives it.
    pub listener: std::net::TcpListener,
    /// The configuration.
    pub config: Config,
    /// The node's folder.
    pub data: PathBuf,
    /// The secret of a local test chain, for demonstrations and tests.
    pub local_beacon: Option<LocalBeacon>,
    /// The operator's word that the folder is the newest copy there is.
    pub newest_copy: bool,
}

/// A node that runs until [`Running::stop`] is called.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    backend: Backend,
    stop: CancellationToken,
    tasks: TaskTracker,
    writer: JoinHandle<Result<(), ayni_store::Fault>>,
    search: Option<(Seeker, JoinHandle<()>)>,
}

/// Hands what was stored to the relay's subscribers and to the peers' tasks.
struct Hearers {
    relay: Relay<Backend>,
    outbox: broadcast::Sender<EventId>,
    /// Told where an account may have changed.
    accounts: Arc<Notify>,
    seeker: Option<Seeker>,
}

impl Hearers {
    /// Those of a relay, and what is told where an account may have changed.
    fn new(
        relay: &Relay<Backend>,
        outbox: &broadcast::Sender<EventId>,
        seeker: Option<Seeker>,
    ) -> (Self, Arc<Notify>) {
        let (relay, outbox, accounts) = (relay.clone(), outbox.clone(), Arc::new(Notify::new()));
        (Self { relay, outbox, accounts: Arc::clone(&accounts), seeker }, accounts)
    }
}

impl Audience for Hearers {
    fn hear(&self, event: &VerifiedEvent, position: Option<u64>) -> usize {
        self.relay.publish(event, position)
    }

    fn hear_ahead(&self, event: &VerifiedEvent, position: u64) {
        self.relay.publish_ahead(event, position);
    }

    fn catch_up(&self) {
        self.relay.catch_up();
    }

    fn keep(&self, event: &VerifiedEvent, position: u64) {
        if let Some(seeker) = &self.seeker {
            seeker.hear(event, position);
        }
        if event.kind.is_economy() {
            // Nobody listening is not an error: there may be no peers.
            let _ = self.outbox.send(event.id);
        }
        if membership::may_change_accounts(event) {
            self.accounts.notify_one();
        }
    }
}

/// Binds the address of the configuration: before a community is founded, since who cannot listen
/// would have founded it for nothing.
///
/// # Errors
/// What is wrong with the address, and what to do.
pub fn bind(config: &Config) -> Result<std::net::TcpListener> {
    let wanted = &config.node.listen;
    let bound = std::net::TcpListener::bind(wanted).and_then(|listener| {
        // As the runtime needs it.
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| {
        let taken = error.kind() == ErrorKind::AddrInUse;
        let hint = if taken { ": is another node running?" } else { "" };
        anyhow::Error::new(error).context(format!("cannot listen on {wanted}{hint}"))
    })
}

/// Starts a node, inside a runtime.
///
/// # Errors
/// What is wrong with the folder or the keys, and what to do.
pub fn start(options: Options) -> Result<Running> {
    let Options { listener, config, data, local_beacon, newest_copy } = options;
    let node_keys = keys::of_node(&data, "node")?;
    let store = open_store(&config, &data)?;
    let known = Known { insecure_test_chains: config.beacon.insecure_test_chain };
    let book = Arc::new(RwLock::new(fold(&store, known)));
    let urls = Peers::load(&data)?.urls;
    let (fence, need) = fence_of(&book, &node_keys, &data, newest_copy, urls.len())?;
    let (listener, address) = listen(listener, &data)?;

    let (inbox, commands) = mpsc::channel(config.limits.writer_queue);
    let (outbox, _) = broadcast::channel(OUTBOX);
    let (membership, acts) = membership_of(&config, &data, &node_keys, &book)?;
    let search = if search::is_offered(&config) { search::begin(&data, &store)? } else { None };
    let seeker = search.as_ref().map(|(seeker, _)| seeker.clone());
    let backend = Backend::new(Arc::clone(&store), inbox, Arc::new(membership), seeker.clone());
    let own_urls = [&config.node.public_urls[..], &[format!("ws://{address}")]].concat();
    let authorization = Authorization::new(&own_urls, used(&acts));
    let mut settings = settings(&config, own_urls);
    settings.search = seeker.is_some();
    let relay = Relay::new(Arc::new(backend.clone()), settings);
    let (hearers, accounts) = Hearers::new(&relay, &outbox, seeker);
    let desk = Desk {
        config: config.clone(),
        keys: node_keys.clone(),
        local_beacon,
        fence: fence.clone(),
    };
    let writer = Writer::new(desk, store, Arc::clone(&book), hearers);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let writer = begin_writing(writer, commands, &stop)?;
    tasks.spawn(membership::follow(backend.clone(), node_keys.clone(), accounts, stop.clone()));
    let local = LocalNode::new(backend.clone(), node_keys.clone(), outbox);
    let peering = Peering::begin(urls, local, backend.clone(), tasks.clone(), stop.clone());
    let confirmed = move || drop(fence::note_confirmed(&data).inspect_err(warn));
    tasks.spawn(peering.clone().watch(Arc::clone(&book), fence.clone(), need, confirmed));
    let shared = Shared {
        book,
        backend: backend.clone(),
        relay: relay.clone(),
        config: Arc::new(config),
        authorization: Arc::new(authorization),
        node: node_keys.public(),
        peering,
        fence,
        market: Arc::default(),
        started: clock::now(),
    };
    shared.inform();
    look_after(&shared, &node_keys, &tasks, &stop);
    let trusted_proxies = shared.config.node.trusted_proxies.clone().into();
    let door = Door { router: http::router(shared), trusted_proxies };
    tasks.spawn(serve(relay, listener, door, stop.clone()));
    tasks.close();
    Ok(Running { address, backend, stop, tasks, writer, search })
}

fn open_store(config: &Config, data: &Path) -> Result<Arc<DiskStore>> {
    let opened = DiskStore::open_with(data, &config.store_options());
    let (store, recovery) = opened.context("cannot open the store")?;
    tracing::info!(%recovery, "the store is open");
    Ok(Arc::new(store))
}

/// Starts the writer's thread. A node whose writer has ended can promise nothing any more, so it
/// ends too.
fn begin_writing(
    writer: Writer<Hearers>,
    commands: mpsc::Receiver<Command>,
    stop: &CancellationToken,
) -> Result<JoinHandle<Result<(), ayni_store::Fault>>> {
    let ended = stop.clone().drop_guard();
    let thread = std::thread::Builder::new().name("writer".into());
    Ok(thread.spawn(move || {
        let _ended = ended;
        writer.run(commands)
    })?)
}

fn warn(error: &anyhow::Error) {
    tracing::warn!("{error:#}");
}

/// What is done from time to time, until the node stops.
fn look_after(shared: &Shared, keys: &Keys, tasks: &TaskTracker, stop: &CancellationToken) {
    let (backend, retention) = (&shared.backend, &shared.config.retention);
    let (rules, every_secs) = (retention.rules(), retention.every_secs);
    tasks.spawn(upkeep::run(backend.clone(), rules, every_secs, stop.clone()));
    tasks.spawn(tick(backend.inbox().clone(), stop.clone()));
    tasks.spawn(follow_beacons(shared.clone(), keys.clone(), stop.clone()));
    if shared.config.metrics.publish_secs > 0 && !shared.config.relay.only {
        tasks.spawn(assertions::follow(shared.clone(), keys.clone(), stop.clone()));
    }
    let config = &shared.config.node;
    if let Some(url) = announcement::public_url(&config.public_urls) {
        if config.trusted_proxies.is_empty() && config.listen.starts_with("127.") {
            tracing::warn!(
                "no rates bind: every client seems to be on this machine; name the reverse proxy \
                 in node.trusted_proxies"
            );
        }
        tasks.spawn(announcement::follow(shared.clone(), url, keys.clone(), stop.clone()));
    }
}

/// Who may write and who belongs here, with the acts that said so.
fn membership_of(
    config: &Config,
    data: &Path,
    keys: &Keys,
    book: &Arc<RwLock<Book>>,
) -> Result<(Membership, Vec<Act>)> {
    let (management, acts) = Management::open(data)?;
    // Who may manage the relay: the keys of the configuration, and the node's own.
    let operators = [config.admins()?, vec![keys.public()]].concat();
    let (relay, book) = (config.relay.clone(), Arc::clone(book));
    let retention = config.retention.rules();
    let policy = Arc::new(Policy::new(relay, retention, operators, Arc::new(management), book));
    let relay = &config.relay;
    let membership = Membership::new(keys.clone(), relay.invitation_hours, relay.write, policy);
    Ok((membership, acts))
}

/// The signed requests that were used before this start, and until when each may have been fresh.
fn used(acts: &[Act]) -> impl Iterator<Item = (EventId, Timestamp)> {
    acts.iter().map(|act| (act.request, act.time.saturating_add(WINDOW_SECS)))
}

/// Hands the socket to the runtime, and notes its address in the folder for commands to find.
fn listen(listener: std::net::TcpListener, data: &Path) -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    std::fs::write(data.join("listen"), format!("ws://{address}\n"))?;
    Ok((listener, address))
}

/// Whether the witness has to wait before it signs, and for what.
fn fence_of(
    book: &RwLock<Book>,
    keys: &Keys,
    data: &Path,
    newest_copy: bool,
    peers: usize,
) -> Result<(Fence, Option<Need>)> {
    if newest_copy {
        fence::note_confirmed(data)?;
        return Ok((Fence::default(), None));
    }
    let restored = fence::is_restored(data);
    let book = book.read().unwrap_or_else(PoisonError::into_inner);
    let Some(need) = Need::of(&book, &keys.public(), restored, peers) else {
        return Ok((Fence::default(), None));
    };
    if restored {
        tracing::warn!(
            peers = need.peers,
            "this folder was made from a backup: its witness attests nothing until so many peers \
             have given back what it signed since; if you know that no newer copy ever ran, start \
             it once with --newest-copy"
        );
    } else {
        tracing::info!(peers = need.peers, "this witness attests once it is in step with others");
    }
    Ok((Fence::up(), Some(need)))
}

async fn serve(relay: Relay<Backend>, listener: TcpListener, door: Door, stop: CancellationToken) {
    relay.serve(listener, door, stop.clone().cancelled_owned()).await;
    stop.cancel();
}

impl Running {
    /// Resolves when the node stops by itself, because its disk or its door failed.
    pub fn failed(&self) -> impl Future<Output = ()> + use<> {
        let stop = self.stop.clone();
        async move { stop.cancelled().await }
    }

    /// Stops in order; everything that was acknowledged is on disk.
    ///
    /// # Errors
    /// The fault the writer ended with, if it did.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.tasks.wait().await;
        // A writer that failed takes no more commands, and is joined all the same.
        let _ = self.backend.inbox().send(Command::Stop).await;
        let ended = tokio::task::spawn_blocking(move || {
            let ended = self.writer.join();
            if let Some((seeker, thread)) = self.search {
                seeker.stop();
                // It holds nothing that is not made again.
                let _ = thread.join();
            }
            ended
        });
        let ended = ended.await?;
        match ended {
            Ok(done) => Ok(done?),
            Err(_) => anyhow::bail!("the writer stopped with a bug; please report the log"),
        }
    }
}

fn settings(config: &Config, urls: Vec<String>) -> Settings {
    Settings {
        limits: config.limits.clone(),
        public_urls: urls,
        auth: match config.relay.auth {
            Auth::OnConnect => AuthMode::OnConnect,
            Auth::OnDemand => AuthMode::OnDemand,
        },
        trusted_proxies: config.node.trusted_proxies.clone(),
        ..Settings::default()
    }
}

/// Tells the writer that time has passed.
async fn tick(inbox: mpsc::Sender<Command>, stop: CancellationToken) {
    let mut every = clock::every(TICK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {
                // A full inbox will do its duties anyway.
                let _ = inbox.try_send(Command::Tick);
            }
        }
    }
}

/// Fetches the rounds that votes and raffles wait for.
async fn follow_beacons(shared: Shared, keys: Keys, stop: CancellationToken) {
    let mut every = clock::every(FETCH);
    // Said once of each round, however long its sources do not answer.
    let mut complained = BTreeSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        if shared.config.beacon.sources.is_empty() {
            continue;
        }
        let awaited = shared.reading().awaited_rounds(clock::now());
        let public = awaited.into_iter().filter(|(chain, _)| *chain == Chain::quicknet());
        for (chain, round) in public {
            let fetched = tokio::select! {
                () = stop.cancelled() => return,
                fetched = fetch(&shared, &keys, chain, round) => fetched,
            };
            if let Err(error) = fetched
                && complained.insert(round)
            {
                tracing::warn!(round, error = format!("{error:#}"), "the round is not to be had");
            }
        }
    }
}

async fn fetch(shared: &Shared, keys: &Keys, chain: Chain, round: u64) -> Result<()> {
    let sources = shared.config.beacon.sources.clone();
    let found =
        tokio::task::spawn_blocking(move || drand::fetch(&sources, &chain, round)).await??;
    let event = ayni_witness::draft::beacon(&found).sign(keys, clock::now(), clock::entropy());
    shared.backend.write(event, Origin::Client).await?;
    Ok(())
}
