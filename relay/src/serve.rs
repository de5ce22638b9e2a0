//! The accept loop: caps, the request head within its deadline, then the conversation or the door.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{collections::HashMap, io};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::handshake::machine::TryParse as _;
use tokio_tungstenite::tungstenite::handshake::server::{Request, create_response, write_response};
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::backend::Backend;
use crate::connection::converse;
use crate::door::{HttpDoor, Replayed};
use crate::head::{Head, HeadError};
use crate::line::Line;
use crate::relay::{Relay, Shared};
use crate::statistics::{add, sub};

/// How long conversations may take to end when the relay stops.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long HTTP requests may take to end then.
const HTTP_GRACE: Duration = Duration::from_secs(1);
/// How long the loop rests after an accept that failed, as it does when files run out.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// Refusals that are said politely at the same time; beyond, the socket is just dropped.
const REFUSALS_MAX: usize = 64;
/// How long a refused socket may take to hear it.
const REFUSAL_GRACE: Duration = Duration::from_secs(1);

/// What the connections of one listener share.
struct Floor<B, D> {
    shared: Arc<Shared<B>>,
    door: D,
    lines: Mutex<HashMap<u64, Arc<Line>>>,
    stopped: watch::Receiver<bool>,
    refusals: Arc<Semaphore>,
}

impl<B: Backend> Relay<B> {
    /// Serves a bound listener until `stop` resolves; then every subscription is closed with
    /// `error: shutting down`, what is under way is answered, and sockets are closed, all within a
    /// few seconds. Requests that want no WebSocket go to `door`.
    pub async fn serve(
        self,
        listener: TcpListener,
        door: impl HttpDoor,
        stop: impl Future<Output = ()>,
    ) {
        let (stopping, stopped) = watch::channel(false);
        let floor = Arc::new(Floor {
            shared: self.0,
            door,
            lines: Mutex::default(),
            stopped,
            refusals: Arc::new(Semaphore::new(REFUSALS_MAX)),
        });
        let mut tasks = JoinSet::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = tasks.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => floor.welcome(&mut tasks, stream, peer),
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_REST).await;
                    }
                },
            }
        }
        drop(listener);
        stopping.send_replace(true);
        floor.lines().values().for_each(|line| line.stop());
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_GRACE, all_ended).await.is_err() {
            tasks.shutdown().await;
        }
    }
}

impl<B: Backend, D: HttpDoor> Floor<B, D> {
    /// Gives a socket a task, if there is room for it.
    fn welcome(self: &Arc<Self>, tasks: &mut JoinSet<()>, stream: TcpStream, peer: SocketAddr) {
        let counters = &self.shared.counters;
        add(&counters.connections_total, 1);
        // Without it the last small frame of a burst waits for an acknowledgement, some 40 ms.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "a socket was gone before it was welcomed");
            return;
        }
        let Some(seat) = self.shared.seats.take(self.shared.settings.limits.connections) else {
            self.refuse(tasks, stream, "503 Service Unavailable");
            return;
        };
        let floor = Arc::clone(self);
        tasks.spawn(async move {
            add(&floor.shared.counters.connections, 1);
            floor.receive(stream, peer).await;
            sub(&floor.shared.counters.connections, 1);
            drop(seat);
        });
    }

    fn refuse(&self, tasks: &mut JoinSet<()>, stream: TcpStream, status: &'static str) {
        add(&self.shared.counters.connections_refused, 1);
        if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
            tasks.spawn(async move {
                turn_away(stream, status).await;
                drop(permit);
            });
        }
    }

    async fn receive(&self, mut stream: TcpStream, peer: SocketAddr) {
        let settings = &self.shared.settings;
        let trusted = settings.trusted_proxies.contains(&peer.ip().to_canonical());
        let take_seat = |address: IpAddr| {
            let most = settings.limits.connections_per_address;
            let seat = self.shared.seats.take_address(address, most);
            if seat.is_none() {
                add(&self.shared.counters.connections_refused, 1);
            }
            seat
        };
        let mut seat = None;
        if !trusted {
            seat = take_seat(peer.ip());
            if seat.is_none() {
                return turn_away(stream, "429 Too Many Requests").await;
            }
        }
        let deadline = Duration::from_secs(settings.limits.handshake_secs);
        let mut stopped = self.stopped.clone();
        let head = tokio::select! {
            head = tokio::time::timeout(deadline, Head::read(&mut stream)) => head,
            _ = stopped.wait_for(|stopped| *stopped) => return,
        };
        let head = match head {
            Ok(Ok(head)) => head,
            Ok(Err(HeadError::TooLong)) => {
                return turn_away(stream, "431 Request Header Fields Too Large").await;
            }
            Ok(Err(HeadError::Socket(_))) | Err(_) => return,
        };
        let mut address = peer.ip().to_canonical();
        if trusted {
            address = forwarded_for(&head).unwrap_or(address);
            seat = take_seat(address);
            if seat.is_none() {
                return turn_away(stream, "429 Too Many Requests").await;
            }
        }
        if head.is_upgrade() {
            self.upgrade(stream, &head, address).await;
        } else {
            self.knock(stream, head, peer).await;
        }
        drop(seat);
    }

    async fn knock(&self, stream: TcpStream, head: Head, peer: SocketAddr) {
        let mut stopped = self.stopped.clone();
        let stopped = async {
            // An error means that the relay is gone, which comes to the same.
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(HTTP_GRACE).await;
        };
        tokio::select! {
            () = self.door.serve(Replayed::new(head.into_bytes(), stream), peer) => {}
            () = stopped => {}
        }
    }

    async fn upgrade(&self, mut stream: TcpStream, head: &Head, address: IpAddr) {
        let limits = &self.shared.settings.limits;
        if head.path() != "/" && head.path() != self.shared.settings.path {
            return turn_away(stream, "404 Not Found").await;
        }
        let Some(response) = handshake(head) else {
            return turn_away(stream, "400 Bad Request").await;
        };
        let deadline = Duration::from_secs(limits.handshake_secs);
        let answered = tokio::time::timeout(deadline, stream.write_all(&response)).await;
        let Some(challenge) = fresh_challenge().filter(|_| matches!(answered, Ok(Ok(())))) else {
            return;
        };
        let number = self.shared.next_line.fetch_add(1, Relaxed);
        let line = Arc::new(Line::new(number, address, limits.outbound_bytes));
        self.lines().insert(number, Arc::clone(&line));
        if *self.stopped.borrow() {
            line.stop();
        }
        let shared = Arc::clone(&self.shared);
        converse(shared, line, stream, head.tail().to_vec(), challenge).await;
        self.lines().remove(&number);
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer to an upgrade, nothing for a request that is no right one (RFC 6455, 4.2.1).
///
/// A subprotocol that is offered is agreed to: it changes nothing here, and some browsers end a
/// connection whose offer is passed over.
fn handshake(head: &Head) -> Option<Vec<u8>> {
    let (_, request) = Request::try_parse(head.bytes()).ok()??;
    let mut response = create_response(&request).ok()?;
    let offered = request.headers().get("sec-websocket-protocol");
    let first = offered.and_then(|offered| offered.to_str().ok()?.split(',').next());
    if let Some(agreed) = first.and_then(|name| HeaderValue::from_str(name.trim()).ok()) {
        response.headers_mut().insert("Sec-WebSocket-Protocol", agreed);
    }
    let mut bytes = Vec::new();
    write_response(&mut bytes, &response).ok()?;
    Some(bytes)
}

/// The address that the nearest proxy vouches for: the last one it added.
fn forwarded_for(head: &Head) -> Option<IpAddr> {
    let chain = head.header("x-forwarded-for")?;
    Some(chain.rsplit(',').next()?.trim().parse::<IpAddr>().ok()?.to_canonical())
}

/// Sixteen random bytes, as hex. Without randomness nobody could authenticate safely.
fn fresh_challenge() -> Option<String> {
    let mut bytes = [0; 16];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Some(ayni_protocol::hex::encode(&bytes)),
        Err(error) => {
            tracing::error!(%error, "no randomness for a challenge");
            None
        }
    }
}

/// Says why in HTTP, then closes.
async fn turn_away(mut stream: TcpStream, status: &str) {
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nRetry-After: 30\r\nConnection: close\r\n\r\n"
    );
    let farewell = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await?;
        let mut sink = [0; 1_024];
        while stream.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether it was heard makes no difference to anyone here.
    let _ = tokio::time::timeout(REFUSAL_GRACE, farewell).await;
}
