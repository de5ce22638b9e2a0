//! Peers over the network: one task for each, which drives an [`ayni_federation::Peer`].
//!
//! nostr-sdk is the transport and no more: its WebSocket, with TLS. Its `Relay` would lose what two
//! nodes must agree on: it reads events with its own types, which refuse some that NIP-01 allows
//! (an empty tag) and drops the message; it discards expired events and those it finds in its own
//! database; and it hands messages on through a broadcast channel that forgets the oldest when the
//! reader is slow. So text goes in and out here, and the one parser of the house reads it.
//!
//! Deliberately absent: any decision. When to connect, what to say, whom to believe and how long to
//! wait is in the machine, where it is tested without a network.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ayni_federation::{Millis, Peer, PeerEvent, Terms, Transmit, wire};
use ayni_protocol::{Event, EventId, Filter, Prefix, Rejection, Timestamp, VerifiedEvent};
use futures_util::{SinkExt as _, Stream, StreamExt as _};
use nostr_sdk::Url;
use nostr_sdk::pool::ConnectionMode;
use nostr_sdk::pool::transport::websocket::{
    DefaultWebsocketTransport, WebSocketSink, WebSocketStream, WebSocketTransport as _,
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

pub use ayni_federation::{PeerState, PeerStatus};

/// How long an attempt to connect may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take to close politely.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often the lag is reckoned anew, at least.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// What a peer's task needs of this node.
pub trait Local: Send + Sync + 'static {
    /// The time of day.
    fn now(&self) -> Timestamp;
    /// Every event of the scope that is held, oldest first.
    fn items(&self, scope: &Filter) -> Vec<(Timestamp, EventId)>;
    /// An event's canonical JSON.
    fn json(&self, id: &EventId) -> Option<String>;
    /// Whether an event is held.
    fn contains(&self, id: &EventId) -> bool;
    /// Verification, admission and the durable write: the same door as for clients.
    fn receive(
        &self,
        event: Event,
        peer: &str,
    ) -> impl Future<Output = Result<(), Rejection>> + Send;
    /// Ids of the scope's events as they are stored, whoever they came from.
    fn subscribe(&self) -> broadcast::Receiver<EventId>;
    /// The answer to a challenge, signed with the node key (NIP-42).
    fn sign_auth(&self, challenge: &str, relay_url: &str) -> VerifiedEvent;
    /// Fresh randomness.
    fn entropy(&self) -> u64;
}

/// Keeps this node and the one at `url` in step, on the usual terms, until `stop` resolves.
pub async fn run_peer<L: Local>(
    local: Arc<L>,
    url: String,
    status: watch::Sender<PeerStatus>,
    stop: impl Future<Output = ()>,
) {
    run_peer_on(Terms::default(), local, url, status, stop).await;
}

/// As [`run_peer`], on the terms given.
pub async fn run_peer_on<L: Local>(
    terms: Terms,
    local: Arc<L>,
    url: String,
    status: watch::Sender<PeerStatus>,
    stop: impl Future<Output = ()>,
) {
    // Before anything else, so that nothing stored after our items were listed is missed.
    let mut stored = local.subscribe();
    let mut driver = Driver::new(terms, local, url, status);
    tokio::pin!(stop);
    loop {
        driver.obey();
        driver.publish();
        let wake = driver.wake();
        tokio::select! {
            () = &mut stop => break,
            outcome = attempt(&mut driver.attempt) => driver.connected(outcome),
            frame = next_frame(&mut driver.socket) => driver.heard(frame),
            Some(done) = driver.tasks.join_next() => driver.finished(done),
            told = stored.recv() => match told {
                Ok(id) => driver.peer.handle_local(id, driver.now()),
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    driver.peer.handle_missed(driver.now());
                }
                Err(broadcast::error::RecvError::Closed) => break,
            },
            () = tokio::time::sleep_until(wake) => {}
        }
        driver.tick();
    }
    driver.close().await;
}

/// The frames of the transport, whose type nostr-sdk hands on without a name.
type Frame = <<WebSocketStream as Stream>::Item as Fallible>::Value;

/// A result, for naming the type of its value.
trait Fallible {
    type Value;
}

impl<T, E> Fallible for Result<T, E> {
    type Value = T;
}

type Connected = Result<(WebSocketSink, WebSocketStream), String>;
type Attempt = Pin<Box<dyn Future<Output = Connected> + Send>>;

/// An open connection. What is written goes through a task of its own, because a peer that does not
/// read must not keep us from reading; the machine's windows bound what waits there.
struct Socket {
    frames: WebSocketStream,
    outgoing: mpsc::UnboundedSender<Frame>,
    writer: JoinHandle<()>,
}

/// What a task that was given work came back with.
enum Done {
    /// Our door has answered.
    Admitted(EventId, Admitted),
    /// What this node held of the scope when the question of this number was asked.
    Items(u64, Vec<(Timestamp, EventId)>),
}

enum Admitted {
    Stored,
    Refused(Rejection),
    Forged,
}

struct Driver<L> {
    local: Arc<L>,
    url: Arc<str>,
    scope: Filter,
    peer: Peer,
    started: Instant,
    attempt: Option<Attempt>,
    socket: Option<Socket>,
    tasks: JoinSet<Done>,
    /// Number of the last question for our items: an answer to an older one is out of date.
    question: u64,
    status: watch::Sender<PeerStatus>,
}

impl<L: Local> Driver<L> {
    fn new(terms: Terms, local: Arc<L>, url: String, status: watch::Sender<PeerStatus>) -> Self {
        Self {
            scope: terms.scope.clone(),
            peer: Peer::new(terms, local.entropy(), 0),
            local,
            url: url.into(),
            started: Instant::now(),
            attempt: None,
            socket: None,
            tasks: JoinSet::new(),
            question: 0,
            status,
        }
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    /// When to look again, whatever happens until then.
    fn wake(&self) -> Instant {
        let due = self.peer.poll_timeout(self.now()).map(Duration::from_millis);
        let latest = Instant::now() + STATUS_INTERVAL;
        due.map_or(latest, |due| latest.min(self.started + due))
    }

    /// Lets the machine see that time has passed.
    fn tick(&mut self) {
        let now = self.now();
        if self.peer.poll_timeout(now).is_some_and(|due| due <= now) {
            self.peer.handle_timeout(now);
        }
    }

    /// Does what the machine wants, until it wants nothing more.
    fn obey(&mut self) {
        loop {
            if let Some(transmit) = self.peer.poll_transmit() {
                self.transmit(transmit);
            } else if let Some(event) = self.peer.poll_event() {
                self.serve(event);
            } else {
                return;
            }
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::Connect => self.attempt = Some(Box::pin(connect(Arc::clone(&self.url)))),
            Transmit::Text(text) => self.send(Frame::Text(text)),
            Transmit::Ping => self.send(Frame::Ping(Vec::new())),
            Transmit::Upload(id) => match self.local.json(&id) {
                Some(json) => self.send(Frame::Text(wire::event_json(&json))),
                None => self.peer.handle_absent(&id, self.now()),
            },
            Transmit::Authenticate { challenge } => {
                let signed = self.local.sign_auth(&challenge, &self.url);
                self.peer.handle_signed(&signed, self.now());
            }
            Transmit::Close { reason } => {
                tracing::warn!(peer = %self.url, %reason, "the connection to a peer was closed");
                self.socket = None;
            }
        }
    }

    /// Where the connection is gone, the reading side says so; nothing is to be done here.
    fn send(&self, frame: Frame) {
        self.socket.iter().for_each(|socket| _ = socket.outgoing.send(frame.clone()));
    }

    fn serve(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::ItemsWanted => {
                self.question += 1;
                let (local, scope) = (Arc::clone(&self.local), self.scope.clone());
                let question = self.question;
                self.tasks.spawn_blocking(move || Done::Items(question, local.items(&scope)));
            }
            PeerEvent::Received(event) if self.local.contains(&event.id) => {
                self.peer.handle_stored(&event.id, self.now());
            }
            PeerEvent::Received(event) => {
                self.tasks.spawn(admit(Arc::clone(&self.local), *event, Arc::clone(&self.url)));
            }
        }
    }

    fn connected(&mut self, outcome: Connected) {
        self.attempt = None;
        match outcome {
            Ok((sink, frames)) => {
                let (outgoing, waiting) = mpsc::unbounded_channel();
                let writer = tokio::spawn(write(sink, waiting));
                self.socket = Some(Socket { frames, outgoing, writer });
                self.peer.handle_connected(self.now());
            }
            Err(why) => self.peer.handle_disconnected(&why, self.now()),
        }
    }

    fn heard(&mut self, frame: Option<<WebSocketStream as Stream>::Item>) {
        let why = match frame {
            Some(Ok(Frame::Text(text))) => return self.peer.handle_message(&text, self.now()),
            Some(Ok(Frame::Close(_))) | None => "the peer closed the connection".to_owned(),
            Some(Ok(_)) => return self.peer.handle_alive(self.now()),
            Some(Err(error)) => format!("the connection broke: {error}"),
        };
        self.socket = None;
        self.peer.handle_disconnected(&why, self.now());
    }

    fn finished(&mut self, done: Result<Done, JoinError>) {
        let now = self.now();
        match done {
            Ok(Done::Items(question, items)) if question == self.question => {
                self.peer.handle_items(items, now);
            }
            Ok(Done::Items(..)) => {}
            Ok(Done::Admitted(id, Admitted::Stored)) => self.peer.handle_stored(&id, now),
            Ok(Done::Admitted(id, Admitted::Forged)) => self.peer.handle_forged(&id, now),
            Ok(Done::Admitted(id, Admitted::Refused(why))) => {
                tracing::debug!(peer = %self.url, %id, %why, "an event of a peer was refused");
                self.peer.handle_refused(&id, &why, now);
            }
            // Nobody cancels these tasks, so one of them has found a bug.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Tells whoever watches how the peer stands, where that has changed.
    fn publish(&self) {
        let mut status = self.peer.status(self.now());
        let at = self.local.now();
        self.status.send_if_modified(|before| {
            let same_error = before.last_error == status.last_error;
            let fresh_at = status.last_error.is_some().then_some(at);
            status.last_error_at = if same_error { before.last_error_at } else { fresh_at };
            if before.state != status.state {
                let (from, to) = (before.state.as_str(), status.state.as_str());
                tracing::info!(peer = %self.url, from, to, error = status.last_error, "peer");
            }
            let changed = *before != status;
            *before = std::mem::take(&mut status);
            changed
        });
    }

    /// Leaves the peer in good order: what was to be sent is sent, and the socket is closed.
    async fn close(self) {
        let Some(socket) = self.socket else { return };
        drop(socket.outgoing);
        if tokio::time::timeout(CLOSE_TIMEOUT, socket.writer).await.is_err() {
            tracing::debug!(peer = %self.url, "the connection was dropped while closing");
        }
    }
}

async fn connect(url: Arc<str>) -> Connected {
    let parsed = Url::parse(&url).map_err(|error| format!("{url} is no address: {error}"))?;
    let attempt =
        DefaultWebsocketTransport.connect(&parsed, &ConnectionMode::Direct, CONNECT_TIMEOUT);
    attempt.await.map_err(|error| format!("cannot connect: {error}"))
}

/// Writes frames as they come, and flushes when none waits.
async fn write(mut sink: WebSocketSink, mut waiting: mpsc::UnboundedReceiver<Frame>) {
    while let Some(frame) = waiting.recv().await {
        let mut next = Some(frame);
        while let Some(frame) = next {
            if sink.feed(frame).await.is_err() {
                return;
            }
            next = waiting.try_recv().ok();
        }
        if sink.flush().await.is_err() {
            return;
        }
    }
    // Whether the peer still listens to the farewell makes no difference.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, sink.close()).await;
}

/// Takes an event through our own door, and tells a forgery from a refusal.
async fn admit<L: Local>(local: Arc<L>, event: Event, url: Arc<str>) -> Done {
    let (id, copy) = (event.id, event.clone());
    let admitted = match local.receive(event, &url).await {
        Ok(()) => Admitted::Stored,
        Err(why) if why.prefix == Prefix::Duplicate => Admitted::Stored,
        Err(why) if why.prefix == Prefix::Invalid && copy.verify().is_err() => Admitted::Forged,
        Err(why) => Admitted::Refused(why),
    };
    Done::Admitted(id, admitted)
}

/// The outcome of the attempt under way; never, where there is none.
async fn attempt(attempt: &mut Option<Attempt>) -> Connected {
    match attempt {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    }
}

/// The next frame of the connection; never, where there is none.
async fn next_frame(socket: &mut Option<Socket>) -> Option<<WebSocketStream as Stream>::Item> {
    match socket {
        Some(socket) => socket.frames.next().await,
        None => std::future::pending().await,
    }
}
