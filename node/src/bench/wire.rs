//! The load's own end of a WebSocket: as little work as can be, so that what is measured is the
//! relay and not its client. Frames are masked beforehand, and what comes back is only looked at.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// How long an answer may take before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// The mask of every frame. Not a secret here: there is no proxy to protect.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x17, 0xe9];
/// Bytes read at a time.
const READ_BYTES: usize = 1 << 17;

/// Appends one masked text frame (RFC 6455, 5.2).
pub fn text(payload: &str, out: &mut Vec<u8>) {
    begin(payload.len(), 0x80, out);
    out.extend_from_slice(&MASK);
    out.extend(payload.bytes().zip(MASK.into_iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Appends one text frame as servers send it, without a mask.
pub fn plain_text(payload: &str, out: &mut Vec<u8>) {
    begin(payload.len(), 0, out);
    out.extend_from_slice(payload.as_bytes());
}

/// The head of a text frame, up to its length. `masked` is the bit that says whether a mask follows.
fn begin(length: usize, masked: u8, out: &mut Vec<u8>) {
    out.push(0x81);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(masked | short),
        (_, Ok(middle)) => {
            out.push(masked | 126);
            out.extend_from_slice(&middle.to_be_bytes());
        }
        _ => {
            out.push(masked | 127);
            out.extend_from_slice(&u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
}

/// Frames, cut out of bytes as they come.
#[derive(Default)]
pub struct Frames {
    rest: Vec<u8>,
    /// What the relay said when it ended the conversation.
    farewell: Option<String>,
}

impl Frames {
    /// Takes bytes and hands on the payload of every text frame that is whole.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        if self.rest.is_empty() {
            let used = cut(bytes, &mut each, &mut self.farewell);
            self.rest.extend_from_slice(bytes.get(used..).unwrap_or_default());
        } else {
            self.rest.extend_from_slice(bytes);
            let used = cut(&self.rest, &mut each, &mut self.farewell);
            self.rest.drain(..used);
        }
    }
}

/// Hands on every whole text frame and keeps the words of a Close; gives how many bytes those were.
fn cut(bytes: &[u8], each: &mut impl FnMut(&[u8]), farewell: &mut Option<String>) -> usize {
    let mut at = 0;
    while let Some((opcode, head, length)) = header(bytes.get(at..).unwrap_or_default()) {
        let Some(payload) = bytes.get(at + head..at + head + length) else { break };
        match opcode {
            1 => each(payload),
            8 => {
                let words = payload.get(2..).unwrap_or_default();
                *farewell = Some(String::from_utf8_lossy(words).into_owned());
            }
            _ => {}
        }
        at += head + length;
    }
    at
}

/// Opcode, bytes of the header, bytes of the payload, of a frame as servers send them.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let opcode = bytes.first()? & 0x0f;
    match bytes.get(1)? & 0x7f {
        126 => {
            let length = bytes.get(2..4)?.try_into().ok().map(u16::from_be_bytes)?;
            Some((opcode, 4, usize::from(length)))
        }
        127 => {
            let length = bytes.get(2..10)?.try_into().ok().map(u64::from_be_bytes)?;
            Some((opcode, 10, usize::try_from(length).ok()?))
        }
        short => Some((opcode, 2, usize::from(short))),
    }
}

/// The host and port of `ws://HOST:PORT/…`.
///
/// # Errors
/// Where it is none.
pub fn authority(url: &str) -> Result<&str> {
    let rest = url.strip_prefix("ws://").context("a relay's address looks like ws://HOST:PORT")?;
    rest.split('/').next().context("the address names no host")
}

/// What opens a conversation.
pub fn request(url: &str) -> Result<String> {
    let host = authority(url)?;
    let path = url.get("ws://".len() + host.len()..).filter(|path| !path.is_empty());
    Ok(format!(
        "GET {} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        path.unwrap_or("/")
    ))
}

/// Where the head of the answer ends, once it has come.
///
/// # Errors
/// Where the relay does not want to talk.
pub fn answer_end(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    if !bytes.starts_with(b"HTTP/1.1 101") {
        let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
        bail!("the relay answered {}", String::from_utf8_lossy(line));
    }
    Ok(Some(end + 4))
}

/// One conversation, blocking.
pub struct Talk {
    stream: TcpStream,
    frames: Frames,
    buffer: Vec<u8>,
}

impl Talk {
    /// Opens a conversation.
    ///
    /// # Errors
    /// Where nobody listens, or does not speak WebSocket.
    pub fn open(url: &str) -> Result<Self> {
        let address = authority(url)?.to_socket_addrs()?.next().context("no such host")?;
        let mut stream = TcpStream::connect(address).with_context(|| format!("connect {url}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request(url)?.as_bytes())?;
        let mut head = Vec::new();
        let mut byte = [0; 1];
        while answer_end(&head)?.is_none() {
            stream.read_exact(&mut byte)?;
            head.extend_from_slice(&byte);
        }
        Ok(Self { stream, frames: Frames::default(), buffer: vec![0; READ_BYTES] })
    }

    /// Sends bytes that are frames already.
    ///
    /// # Errors
    /// Where the relay has hung up.
    pub fn send(&mut self, frames: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(frames)?)
    }

    /// Waits for some bytes and hands on the frames in them.
    ///
    /// # Errors
    /// Where the relay hung up, or said nothing for long.
    pub fn hear(&mut self, each: impl FnMut(&[u8])) -> Result<()> {
        let read = match self.stream.read(&mut self.buffer) {
            Ok(0) => bail!("the relay hung up"),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                bail!("the relay said nothing for {} seconds", PATIENCE.as_secs())
            }
            Err(error) => return Err(error.into()),
        };
        self.frames.feed(self.buffer.get(..read).unwrap_or_default(), each);
        match &self.frames.farewell {
            Some(words) => bail!("the relay ended the conversation: {words:?}"),
            None => Ok(()),
        }
    }

    /// The bare socket, for a conversation in which nothing more will be said.
    pub fn idle(self) -> TcpStream {
        self.stream
    }

    /// A second end of the same conversation, to write from another thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn writer(&self) -> Result<TcpStream> {
        Ok(self.stream.try_clone()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_close_is_heard_with_its_words() {
        let mut frames = Frames::default();
        frames.feed(b"\x88\x07\x03\xf3tire", |_| panic!("no text"));
        assert_eq!(frames.farewell, None, "a byte is missing");
        let mut frames = Frames::default();
        frames.feed(b"\x81\x02hi\x88\x07\x03\xf3tired", |payload| assert_eq!(payload, b"hi"));
        assert_eq!(frames.farewell.as_deref(), Some("tired"));
    }

    #[test]
    fn frames_are_whole_however_the_bytes_come() {
        let lengths = [0, 1, 125, 126, 70_000];
        let mut bytes = vec![0x89, 0];
        for length in lengths {
            let mut frame = Vec::new();
            text(&"x".repeat(length), &mut frame);
            let (_, head, _) = header(&frame).unwrap();
            // As a server would send it: without the mask.
            frame[1] &= 0x7f;
            frame.splice(head.., "x".repeat(length).into_bytes());
            bytes.extend(frame);
        }
        for step in [1, 7, 65_536, bytes.len()] {
            let mut heard = Vec::new();
            let mut frames = Frames::default();
            for chunk in bytes.chunks(step) {
                frames.feed(chunk, |payload| heard.push(payload.len()));
            }
            assert_eq!(heard, lengths, "in steps of {step}");
        }
    }
}
