//! The least that a program can do to publish: the same bytes, written to one socket after another.
//! What a relay takes longer than this is its own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};

use anyhow::{Result, bail};

use super::wire;

/// A listener that says yes to every subscription, and then only writes.
pub struct Plain {
    /// Where it listens.
    pub url: String,
    /// Subscribers as they come, each before it is told that it may listen.
    coming: Receiver<TcpStream>,
    streams: Vec<TcpStream>,
}

impl Plain {
    /// Listens on a free port, and takes subscribers in on a thread of its own.
    ///
    /// # Errors
    /// What the machine says.
    pub fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("ws://{}", listener.local_addr()?);
        let (hand_over, coming) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                welcome(stream?, &hand_over)?;
            }
            anyhow::Ok(())
        });
        Ok(Self { url, coming, streams: Vec::new() })
    }

    /// Writes a text to everyone.
    ///
    /// # Errors
    /// Where one hung up.
    pub fn publish(&mut self, text: &str) -> Result<()> {
        let mut frame = Vec::new();
        wire::plain_text(text, &mut frame);
        self.streams.extend(self.coming.try_iter());
        for stream in &mut self.streams {
            stream.write_all(&frame)?;
        }
        Ok(())
    }
}

/// Opens a conversation and hands it over; whoever takes it writes from then on.
fn welcome(mut stream: TcpStream, hand_over: &Sender<TcpStream>) -> Result<()> {
    stream.set_nodelay(true)?;
    until(&mut stream, b"\r\n\r\n")?;
    hand_over.send(stream.try_clone()?)?;
    let mut opening = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
    wire::plain_text("[\"EOSE\",\"live\"]", &mut opening);
    Ok(stream.write_all(&opening)?)
}

/// Reads up to the end of a request's head.
fn until(stream: &mut TcpStream, end: &[u8]) -> Result<()> {
    let (mut head, mut buffer) = (Vec::new(), [0; 512]);
    while !head.windows(end.len()).any(|window| window == end) {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            bail!("a subscriber hung up");
        }
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    Ok(())
}
