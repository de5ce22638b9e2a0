//! The least that a program can do to publish: the same bytes, written to one socket after another.
//! What a relay takes longer than this is its own.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use anyhow::{Result, bail};

use super::wire;

/// A listener that says yes to every subscription, and then only writes.
pub struct Plain {
    listener: TcpListener,
    streams: Vec<TcpStream>,
}

impl Plain {
    /// Listens on a free port.
    ///
    /// # Errors
    /// What the machine says.
    pub fn listen() -> Result<Self> {
        Ok(Self { listener: TcpListener::bind("127.0.0.1:0")?, streams: Vec::new() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the machine says.
    pub fn url(&self) -> Result<String> {
        Ok(format!("ws://{}", self.listener.local_addr()?))
    }

    /// Takes so many subscribers in.
    ///
    /// # Errors
    /// Where one hangs up.
    pub fn welcome(&mut self, subscribers: usize) -> Result<()> {
        for _ in 0..subscribers {
            let (mut stream, _) = self.listener.accept()?;
            stream.set_nodelay(true)?;
            until(&mut stream, b"\r\n\r\n")?;
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")?;
            let mut frame = Vec::new();
            wire::plain_text("[\"EOSE\",\"live\"]", &mut frame);
            stream.write_all(&frame)?;
            self.streams.push(stream);
        }
        Ok(())
    }

    /// Writes a text to everyone.
    ///
    /// # Errors
    /// Where one hung up.
    pub fn publish(&mut self, text: &str) -> Result<()> {
        let mut frame = Vec::new();
        wire::plain_text(text, &mut frame);
        for stream in &mut self.streams {
            stream.write_all(&frame)?;
        }
        Ok(())
    }
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
