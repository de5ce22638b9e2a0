//! Many subscribers in one thread, who cost as little as can be: they share the machine with the
//! relay that is measured, as subscribers elsewhere do not.
//!
//! One thread waits for all sockets at once. Where they are many it leaves what has come where it is
//! for a while, and reads it when the relay is likely done; the system knows when it came.

use std::io::ErrorKind;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::arrival;
use super::wire::{self, Frames, Talk};

/// So few are read at once.
const FEW: usize = 8;
/// Bytes read at a time: more than a subscriber is sent at once, so a shorter read is the last.
const READ_BYTES: usize = 1 << 16;

/// Subscribers, each with a conversation of its own.
pub struct Hearing {
    poll: Poll,
    all: Vec<Subscriber>,
}

struct Subscriber {
    stream: TcpStream,
    frames: Frames,
    /// Events it heard.
    heard: usize,
}

impl Hearing {
    /// Opens so many conversations, each with a subscription to notes that are still to come.
    ///
    /// # Errors
    /// Where the relay does not take them all.
    pub fn open(url: &str, subscribers: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let open = |number| Subscriber::open(url, &poll, Token(number));
        let all = (0..subscribers).map(open).collect::<Result<_>>()?;
        Ok(Self { poll, all })
    }

    /// Hears until so many events came in all; `each` is told which of its events, from 0, came to
    /// somebody, and when it did.
    ///
    /// # Errors
    /// Where a conversation ends before, or not everything comes within `patience`.
    pub fn hear(
        &mut self,
        total: usize,
        patience: Duration,
        mut each: impl FnMut(usize, SystemTime),
    ) -> Result<()> {
        let begun = Instant::now();
        let (mut events, mut buffer) = (Events::with_capacity(self.all.len()), vec![0; READ_BYTES]);
        let mut heard = 0;
        while heard < total {
            let left = patience.checked_sub(begun.elapsed());
            let left = left.context("some subscriber did not hear every event")?;
            match self.poll.poll(&mut events, Some(left)) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            if self.all.len() > FEW {
                sleep(arrival::REST);
            }
            for event in &events {
                let subscriber = self.all.get_mut(event.token().0).context("a subscriber")?;
                heard += subscriber.read(&mut buffer, &mut each)?;
            }
        }
        Ok(())
    }
}

impl Subscriber {
    fn open(url: &str, poll: &Poll, token: Token) -> Result<Self> {
        let mut talk = Talk::open(url)?;
        let mut frame = Vec::new();
        wire::text(r#"["REQ","live",{"kinds":[1],"limit":0}]"#, &mut frame);
        talk.send(&frame)?;
        let mut open = false;
        while !open {
            talk.hear(|payload| open |= payload.starts_with(b"[\"EOSE\""))?;
        }
        let stream = talk.idle();
        arrival::note(&stream)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, token, Interest::READABLE)?;
        Ok(Self { stream, frames: Frames::default(), heard: 0 })
    }

    /// Reads what has come; gives how many events that were.
    fn read(
        &mut self,
        buffer: &mut [u8],
        each: &mut impl FnMut(usize, SystemTime),
    ) -> Result<usize> {
        let before = self.heard;
        loop {
            let (read, came) = match arrival::read(&self.stream, buffer) {
                Ok((0, _)) => bail!("the relay closed a subscriber"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            };
            self.frames.feed(buffer.get(..read).unwrap_or_default(), |payload| {
                if payload.starts_with(b"[\"EVENT\"") {
                    each(self.heard, came);
                    self.heard += 1;
                }
            });
            if read < buffer.len() {
                break;
            }
        }
        Ok(self.heard - before)
    }
}
