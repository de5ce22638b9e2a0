//! The accept loop: caps, the request head within its deadline, then the conversation or the door.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{collections::HashMap, io};

use futures_util::future::BoxFuture;
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
use crate::seats::AddressSeat;
use crate::statistics::add;

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

/// What a socket turned out to want.
enum Guest {
    /// A web page or a document.
    Page(TcpStream, Head),
    /// A conversation, which has begun with these bytes.
    Talk(TcpStream, Arc<Line>, Vec<u8>),
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
            floor.receive(stream, peer).await;
            drop(seat);
        });
    }

    fn refuse(&self, tasks: &mut JoinSet<()>, stream: TcpStream, status: &'static str) {
        add(&self.shared.counters.connections_refused, 1);
        if let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned() {
            tasks.spawn(async move {
                let mut stream = stream;
                turn_away(&mut stream, status).await;
                drop(permit);
            });
        }
    }

    /// Serves one socket to its end. The parts are boxed, so that a conversation, which lasts, does
    /// not carry the room that a handshake or a page would need.
    async fn receive(&self, stream: TcpStream, peer: SocketAddr) {
        match Box::pin(self.admit(stream, peer)).await {
            None => {}
            Some((_seat, Guest::Page(stream, head))) => {
                Box::pin(self.knock(stream, head, peer)).await;
            }
            Some((_seat, Guest::Talk(stream, line, first))) => {
                let number = line.number;
                Box::pin(converse(Arc::clone(&self.shared), line, stream, first)).await;
                self.lines().remove(&number);
            }
        }
    }

    /// Reads the request head and finds out what it wants, if there is room for its address.
    async fn admit(&self, mut stream: TcpStream, peer: SocketAddr) -> Option<(AddressSeat, Guest)> {
        let settings = &self.shared.settings;
        let mut address = peer.ip().to_canonical();
        let trusted = settings.trusted_proxies.contains(&address);
        let early_seat = if trusted { None } else { self.seat_of(address) };
        if early_seat.is_none() && !trusted {
            turn_away(&mut stream, "429 Too Many Requests").await;
            return None;
        }
        let head = self.head(&mut stream).await?;
        if trusted {
            address = forwarded_for(&head).unwrap_or(address);
        }
        let Some(seat) = early_seat.or_else(|| self.seat_of(address)) else {
            turn_away(&mut stream, "429 Too Many Requests").await;
            return None;
        };
        if !head.is_upgrade() {
            return Some((seat, Guest::Page(stream, head)));
        }
        if !self.shared.backend.welcomes(&address) {
            turn_away(&mut stream, "403 Forbidden").await;
            return None;
        }
        let line = self.upgrade(&mut stream, &head, address).await?;
        Some((seat, Guest::Talk(stream, line, head.tail().to_vec())))
    }

    fn seat_of(&self, address: IpAddr) -> Option<AddressSeat> {
        let most = self.shared.settings.limits.connections_per_address;
        let seat = self.shared.seats.take_address(address, most);
        add(&self.shared.counters.connections_refused, usize::from(seat.is_none()));
        seat
    }

    async fn head(&self, stream: &mut TcpStream) -> Option<Head> {
        let limits = &self.shared.settings.limits;
        let mut stopped = self.stopped.clone();
        let read = async {
            let first_byte = Duration::from_secs(limits.first_byte_secs);
            tokio::time::timeout(first_byte, stream.peek(&mut [0])).await.ok()?.ok()?;
            let deadline = Duration::from_secs(limits.handshake_secs);
            tokio::time::timeout(deadline, Head::read(stream)).await.ok()
        };
        let read = tokio::select! {
            read = read => read?,
            _ = stopped.wait_for(|stopped| *stopped) => return None,
        };
        match read {
            Ok(head) => Some(head),
            Err(HeadError::Socket(_)) => None,
            Err(HeadError::TooLong) => {
                turn_away(stream, "431 Request Header Fields Too Large").await;
                None
            }
        }
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

    /// Answers the handshake and gives the new conversation's line.
    async fn upgrade(
        &self,
        stream: &mut TcpStream,
        head: &Head,
        address: IpAddr,
    ) -> Option<Arc<Line>> {
        let limits = &self.shared.settings.limits;
        if head.path() != "/" && head.path() != self.shared.settings.path {
            turn_away(stream, "404 Not Found").await;
            return None;
        }
        let Some(response) = handshake(head) else {
            let known = head.header("sec-websocket-version").is_none_or(|number| number == "13");
            let other = "426 Upgrade Required\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
            turn_away(stream, if known { "400 Bad Request" } else { other }).await;
            return None;
        };
        let deadline = Duration::from_secs(limits.handshake_secs);
        let answered = tokio::time::timeout(deadline, stream.write_all(&response)).await;
        answered.ok()?.ok()?;
        let number = self.shared.next_line.fetch_add(1, Relaxed);
        let line = Arc::new(Line::new(number, address, limits.outbound_bytes));
        self.lines().insert(number, Arc::clone(&line));
        if *self.stopped.borrow() {
            line.stop();
        }
        Some(line)
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
    let chain = head.last_header("x-forwarded-for")?;
    Some(chain.rsplit(',').next()?.trim().parse::<IpAddr>().ok()?.to_canonical())
}

/// Says why in HTTP, then closes. Boxed, so that who is welcome does not carry the room for it.
fn turn_away<'a>(stream: &'a mut TcpStream, status: &'static str) -> BoxFuture<'a, ()> {
    Box::pin(say_and_close(stream, status))
}

async fn say_and_close(stream: &mut TcpStream, status: &str) {
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nRetry-After: 30\r\nConnection: close\r\n\r\n"
    );
    let farewell = async {
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await?;
        let mut sink = vec![0; 1_024];
        while stream.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // Whether it was heard makes no difference to anyone here.
    let _ = tokio::time::timeout(REFUSAL_GRACE, farewell).await;
}
