//! One connection's task: bytes in, session, bytes out.
//!
//! A single future polls everything a connection waits for: its socket for reading and writing, its
//! inbox, the verdicts and answers under way, and one timer. What is ready goes out in one write.
//! The buffers belong to the thread, not to the connection: a connection keeps bytes of its own
//! only of a message that has not wholly come, and while its socket does not take them.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use crate::asking;
use crate::backend::{Accepted, Backend, Viewer};
use crate::frames::{self, CloseCode};
use crate::line::{Checked, Line, Settled};
use crate::reader::{Appetite, Heard, Reader, Violation};
use crate::receipt::Receipt;
use crate::relay::{Presence, Shared};
use crate::session::{Answer, Errand, Farewell, Purpose, Question, Session, Work};
use crate::statistics::add;

/// Bytes read from a socket at a time, into a buffer that belongs to the thread.
const READ_BYTES: usize = 65_536;
/// Bytes that are gathered for one write.
const WRITE_BYTES: usize = 65_536;
/// Rounds of reading and writing before other connections of the thread get their turn.
const ROUNDS: usize = 8;
/// Bytes of pongs that may wait for a socket that pings and does not read.
const CONTROL_BYTES_MAX: usize = 65_536;
/// How long a closing socket may take for what is said to it.
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    /// Where frames are put together before a write.
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(Vec::with_capacity(WRITE_BYTES * 2));
    /// Where bytes are read to, and unmasked.
    static ARRIVED: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// How a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The other side closed, or the socket failed.
    Theirs,
    /// This side closes, saying why.
    Ours(CloseCode, &'static str),
    /// This side gives up on a socket that takes nothing.
    TooSlow,
}

/// A connection whose other side says no more. The events it sent are still checked, stored and
/// answered: many clients send, and close at once.
struct Parted {
    /// The close frame that answers theirs.
    echo: Vec<u8>,
    /// Until when what is said to it may take.
    until: Instant,
    late: bool,
}

/// What became of what was ready to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Nothing,
    Some,
    All,
}

struct Connection<B> {
    shared: Arc<Shared<B>>,
    line: Arc<Line>,
    session: Session,
    stream: TcpStream,
    reader: Reader,
    /// Pongs and the like, which go before everything else.
    control: Vec<u8>,
    /// What the socket did not take of the last write.
    unsent: Vec<u8>,
    answers: Option<BoxFuture<'static, Vec<Answer>>>,
    parted: Option<Parted>,
    /// Whether the socket failed: nothing more can be said.
    broken: bool,
    began: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Runs one conversation to its end. `first` is what was read behind the request head.
pub async fn converse<B: Backend>(
    shared: Arc<Shared<B>>,
    line: Arc<Line>,
    stream: TcpStream,
    first: Vec<u8>,
) {
    let Some(challenge) = fresh_challenge() else { return };
    let reader = Reader::new(shared.settings.limits.message_bytes, first);
    let session = Session::new(Arc::clone(&shared.rules), line.address, challenge);
    let began = Instant::now();
    let due = began + Duration::from_millis(session.deadline_ms());
    let timer = Box::pin(tokio::time::sleep_until(due));
    let mut connection = Connection {
        shared: Arc::clone(&shared),
        line: Arc::clone(&line),
        session,
        stream,
        reader,
        control: Vec::new(),
        unsent: Vec::new(),
        answers: None,
        parted: None,
        broken: false,
        began,
        timer,
    };
    let presence = Presence::begin(&shared, &line);
    let end = poll_fn(|context| connection.poll(context)).await;
    drop(presence);
    tracing::debug!(address = %line.address, ?end, "a conversation ended");
    if end == End::TooSlow {
        add(&shared.counters.too_slow, 1);
    }
    Box::pin(connection.leave(end)).await;
}

impl<B: Backend> Connection<B> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<End> {
        self.line.register(context);
        for _ in 0..ROUNDS {
            let mut moved = self.take_arrivals();
            moved |= self.take_answers(context);
            moved |= self.read(context);
            self.work();
            let listened = self.listens();
            moved |= match self.write(context) {
                Ok(Written::Nothing) => false,
                // Most of what a relay does is to bring live events to sockets that wait for them:
                // that is done in one round.
                Ok(Written::All) => !listened || self.session.has_work(),
                Ok(Written::Some) => true,
                Err(_) => {
                    self.fail();
                    true
                }
            };
            self.count_verdicts();
            if let Some(end) = self.end() {
                return Poll::Ready(end);
            }
            if !moved && self.poll_timer(context).is_pending() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes what others brought. Tells whether something follows from it that must be polled; of
    /// live events and verdicts nothing does but that they are written.
    fn take_arrivals(&mut self) -> bool {
        if self.line.is_stopping() {
            self.session.stop();
        }
        let arrivals = self.line.take();
        let moved = !arrivals.checked.is_empty();
        arrivals.checked.into_iter().for_each(|checked| self.take_checked(checked));
        for Settled { id, weight, verdict } in arrivals.settled {
            self.session.settled(id, weight, verdict);
        }
        if !arrivals.live.is_empty() {
            let now = self.shared.backend.now();
            for (key, live) in &arrivals.live {
                self.session.live(*key, live, now);
            }
        }
        self.work();
        moved
    }

    fn take_checked(&mut self, Checked { id, purpose, weight, outcome }: Checked) {
        self.session.verified(id, purpose, weight, outcome);
        if purpose == Purpose::Authenticate {
            self.line.recognise(self.session.viewer());
        }
    }

    fn take_answers(&mut self, context: &mut Context<'_>) -> bool {
        let Some(answers) = &mut self.answers else { return false };
        let Poll::Ready(answers) = answers.as_mut().poll(context) else { return false };
        self.answers = None;
        self.session.answered(answers);
        true
    }

    /// Reads what has come, if anything is wanted. Tells whether there was something: what it leads
    /// to must be polled.
    fn read(&mut self, context: &mut Context<'_>) -> bool {
        self.session.set_spare(self.shared.verifier.has_time());
        if !self.listens() {
            return false;
        }
        if self.reader.is_paused() {
            self.hear(&mut []);
            return true;
        }
        ARRIVED.with_borrow_mut(|arrived| {
            let mut buffer = ReadBuf::new(arrived);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Pending => false,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let clock_ms = self.clock_ms();
                    self.session.spend(buffer.filled().len(), clock_ms);
                    self.hear(buffer.filled_mut());
                    true
                }
                Poll::Ready(Ok(())) => {
                    self.part(Vec::new());
                    true
                }
                Poll::Ready(Err(_)) => {
                    self.fail();
                    true
                }
            }
        })
    }

    /// The other side says no more.
    fn part(&mut self, echo: Vec<u8>) {
        let until = Instant::now() + LINGER;
        self.parted.get_or_insert(Parted { echo, until, late: false });
        self.session.part();
    }

    /// The socket failed. What had come before is still taken in.
    fn fail(&mut self) {
        self.broken = true;
        self.control.clear();
        self.unsent.clear();
        if !self.reader.is_paused() {
            self.part(Vec::new());
        }
    }

    /// Takes in bytes that came, as far as the session wants what is in them.
    fn hear(&mut self, bytes: &mut [u8]) {
        let clock_ms = self.clock_ms();
        let mut echo = None;
        let mut reader = self.reader.lend();
        let taken = reader.take(bytes, |heard| {
            match heard {
                Heard::Text(text) => self.receive(text, clock_ms),
                Heard::Ping(payload) => {
                    frames::write_pong(payload, &mut self.control);
                    self.session.heard(clock_ms);
                }
                Heard::Pong => self.session.heard(clock_ms),
                Heard::Close(payload) => {
                    frames::write_close_again(payload, echo.get_or_insert_default());
                }
            }
            let more = echo.is_none() && self.listens();
            if more { Appetite::More } else { Appetite::Enough }
        });
        self.reader = reader;
        self.work();
        if let Err(Violation(code, reason)) = taken {
            // What came before it is answered as before a Close of theirs.
            frames::write_close(code, reason, echo.get_or_insert_default());
        }
        if let Some(echo) = echo {
            self.part(echo);
        }
    }

    fn receive(&mut self, text: &str, clock_ms: u64) {
        let verb = self.session.receive(text, self.shared.backend.now(), clock_ms);
        let counters = &self.shared.counters;
        add(&counters.bytes_in, text.len());
        if let Some(counter) = counters.messages.get(verb) {
            add(counter, 1);
        }
    }

    /// Hands out all the work that the session has.
    fn work(&mut self) {
        let mut unchecked = Vec::new();
        while let Some(work) = self.session.next_work() {
            match work {
                Work::Verify(errand) => unchecked.extend(self.verify_here(errand)),
                Work::Submit { event, source, weight } => {
                    let receipt = Receipt::for_line(Arc::clone(&self.line), event.id, weight);
                    self.shared.backend.submit(event, source, receipt);
                }
                Work::Unwatch(key) => self.shared.audience.unwatch(&self.line, key),
                Work::Ask(questions, viewer) => self.ask(questions, viewer),
            }
        }
        if !unchecked.is_empty() {
            let refused = self.shared.verifier.check(unchecked, &self.line);
            refused.into_iter().for_each(|checked| self.take_checked(checked));
        }
    }

    /// Checks an event if that needs no other thread; gives it back if it does.
    fn verify_here(&mut self, errand: Errand) -> Option<Errand> {
        let (id, weight) = (errand.event.id, errand.weight);
        // Who only claims that an event has an id is told nothing of whether it is here.
        let is_known = || self.shared.backend.contains(&id) && errand.event.hash() == id;
        if errand.purpose == Purpose::Store && is_known() {
            self.session.settled(id, weight, Ok(Accepted::duplicate()));
            return None;
        }
        if !self.session.has_only_in_flight(weight) {
            return Some(errand);
        }
        match self.shared.verifier.check_here(errand) {
            Ok(checked) => self.take_checked(checked),
            Err(errand) => return Some(errand),
        }
        None
    }

    fn ask(&mut self, questions: Vec<Question>, viewer: Arc<Viewer>) {
        let (answers, left) = asking::quickly(&self.shared, &self.line, &viewer, questions);
        if left.is_empty() {
            self.session.answered(answers);
            return;
        }
        self.session.answered_so_far(answers);
        let (shared, line) = (Arc::clone(&self.shared), Arc::clone(&self.line));
        self.answers = Some(Box::pin(asking::aside(shared, line, viewer, left)));
    }

    /// Writes what is ready, up to a buffer's fill.
    fn write(&mut self, context: &mut Context<'_>) -> io::Result<Written> {
        if self.unsent.is_empty() {
            return SCRATCH.with_borrow_mut(|scratch| {
                scratch.clear();
                self.gather(scratch);
                let sent = self.send(context, scratch)?;
                self.unsent.extend_from_slice(scratch.get(sent..).unwrap_or_default());
                let written = match sent {
                    0 => Written::Nothing,
                    _ if sent == scratch.len() && sent < WRITE_BYTES => Written::All,
                    _ => Written::Some,
                };
                if scratch.capacity() > WRITE_BYTES * 8 {
                    scratch.shrink_to(WRITE_BYTES * 2);
                }
                Ok(written)
            });
        }
        let unsent = std::mem::take(&mut self.unsent);
        let sent = self.send(context, &unsent)?;
        if sent < unsent.len() {
            self.unsent = unsent;
            self.unsent.drain(..sent);
        }
        Ok(if sent > 0 { Written::Some } else { Written::Nothing })
    }

    /// Writes as many of the bytes as the socket takes now.
    fn send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = if self.broken { bytes.len() } else { 0 };
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            let stream = Pin::new(&mut self.stream);
            match stream.poll_write(context, rest) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => sent += written?,
            }
        }
        Ok(sent)
    }

    fn gather(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.control);
        let mut payload_bytes = 0;
        while out.len() < WRITE_BYTES {
            let Some(frame) = self.session.next_frame() else { break };
            payload_bytes += frames::write(&frame, out);
        }
        add(&self.shared.counters.bytes_out, payload_bytes);
    }

    fn count_verdicts(&mut self) {
        let tally = self.session.take_tally();
        add(&self.shared.counters.accepted, tally.accepted);
        add(&self.shared.counters.rejected, tally.rejected);
    }

    /// Whether anything that comes would be read.
    fn listens(&self) -> bool {
        self.session.wants_input() && !self.is_flooded()
    }

    /// Whether it pings without reading the pongs.
    const fn is_flooded(&self) -> bool {
        self.control.len() > CONTROL_BYTES_MAX / 2
    }

    /// Whether all is said that is to be said, when the session wants to end.
    fn end(&self) -> Option<End> {
        if self.line.has_overflowed() {
            return Some(End::TooSlow);
        }
        match self.session.farewell()? {
            Farewell::TooSlow => Some(End::TooSlow),
            Farewell::Idle => Some(End::Ours(CloseCode::GoingAway, "nothing was heard for long")),
            Farewell::Stopping => {
                let done = !self.session.owes_verdicts()
                    && self.session.waiting_bytes() == 0
                    && self.unsent.is_empty();
                done.then_some(End::Ours(CloseCode::GoingAway, "shutting down"))
            }
            Farewell::Theirs => {
                let said = self.session.waiting_bytes() == 0 && self.unsent.is_empty();
                let late = self.parted.as_ref().is_some_and(|parted| parted.late);
                let done = !self.session.owes_verdicts() && (said || late);
                done.then_some(End::Theirs)
            }
        }
    }

    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // A connection that has sent too much waits for less long than a silent one.
        let due = match &self.parted {
            None => self.began + Duration::from_millis(self.session.deadline_ms()),
            Some(parted) => parted.until,
        };
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        ready!(self.timer.as_mut().poll(context));
        if let Some(parted) = &mut self.parted {
            parted.late = true;
            parted.until = Instant::now() + LINGER;
            self.timer.as_mut().reset(parted.until);
            return Poll::Ready(());
        }
        let clock_ms = self.clock_ms();
        self.session.tick(clock_ms);
        let due = self.session.deadline_ms().max(clock_ms + 1);
        self.timer.as_mut().reset(self.began + Duration::from_millis(due));
        Poll::Ready(())
    }

    fn clock_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The last words, for as long as anyone may reasonably take to hear them.
    async fn leave(self, end: End) {
        let Self { mut stream, mut control, mut unsent, parted, answers, .. } = self;
        // Nobody waits for them any more.
        drop(answers);
        unsent.append(&mut control);
        match end {
            End::TooSlow => return,
            End::Ours(code, reason) => frames::write_close(code, reason, &mut unsent),
            End::Theirs => unsent.extend(parted.map(|parted| parted.echo).unwrap_or_default()),
        }
        let farewell = async {
            stream.write_all(&unsent).await?;
            stream.shutdown().await?;
            // What still comes is read away: closing over unread bytes would reset the connection
            // and take the close frame with it.
            let mut sink = vec![0; 1_024];
            while stream.read(&mut sink).await? > 0 {}
            io::Result::Ok(())
        };
        // Whether it was heard makes no difference to anyone here.
        let _ = tokio::time::timeout(LINGER, farewell).await;
    }
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
