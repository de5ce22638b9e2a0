//! The head of an HTTP request, read before anybody else sees the socket, within bounds.
//!
//! Reading it here is what lets one address be both a relay and a web page, and what lets a silent
//! or endless sender be dropped before any server is woken for it.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes of a request head at most. Browsers send one to two thousand.
pub const HEAD_BYTES: usize = 16_384;

/// A request head, and whatever was read behind it.
#[derive(Debug)]
pub struct Head {
    bytes: Vec<u8>,
    length: usize,
}

/// Why there is no head.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// It is longer than is read.
    #[error("the request head is longer than {HEAD_BYTES} bytes")]
    TooLong,
    /// The socket ended or failed first.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

impl Head {
    /// Reads up to the empty line that ends a head.
    ///
    /// # Errors
    /// [`HeadError`].
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, HeadError> {
        let mut bytes = Vec::with_capacity(1_024);
        loop {
            let before = bytes.len();
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            let from = before.saturating_sub(3);
            let fresh = bytes.get(from..).unwrap_or_default();
            let end = fresh.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(length) = end.map(|end| from + end + 4) {
                return Ok(Self { bytes, length });
            }
            if bytes.len() >= HEAD_BYTES {
                return Err(HeadError::TooLong);
            }
        }
    }

    /// The head itself, with the empty line.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// What was read behind the head.
    #[must_use]
    pub fn tail(&self) -> &[u8] {
        self.bytes.get(self.length..).unwrap_or_default()
    }

    /// All that was read, to be put back in front of the socket.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The method, empty where there is none.
    #[must_use]
    pub fn method(&self) -> &str {
        self.request_line().split(' ').next().unwrap_or("")
    }

    /// The path without the query, empty where there is none.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.request_line().split(' ').nth(1).unwrap_or("");
        target.split('?').next().unwrap_or("")
    }

    fn request_line(&self) -> &str {
        self.lines().next().unwrap_or("")
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.bytes().split(|byte| *byte == b'\n');
        lines.filter_map(|line| Some(str::from_utf8(line).ok()?.trim_end_matches('\r')))
    }

    /// The values of a header, whatever the case of its name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let headers = self.lines().skip(1).filter_map(|line| line.split_once(':'));
        let named = headers.filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim())
    }

    /// The first of them.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// The last of them: what the nearest proxy added.
    #[must_use]
    pub fn last_header(&self, name: &str) -> Option<&str> {
        self.headers(name).last()
    }

    /// Whether a WebSocket is asked for.
    #[must_use]
    pub fn is_upgrade(&self) -> bool {
        let mut offered = self.header("upgrade").unwrap_or_default().split(',');
        offered.any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Result<Head, HeadError> {
        Head::read(&mut &*bytes).await
    }

    #[tokio::test]
    async fn a_head_is_read_and_what_follows_is_kept() {
        let text =
            b"GET /x?y HTTP/1.1\r\nhost: a\r\nUPGRADE:  WebSocket \r\nHost: b\r\n\r\n\x81\x00";
        let head = read(text).await.unwrap();
        assert_eq!((head.method(), head.path()), ("GET", "/x"));
        assert_eq!(head.header("Host"), Some("a"));
        assert!(head.is_upgrade());
        assert!(
            read(b"GET / HTTP/1.1\r\nUpgrade: h2c, websocket\r\n\r\n").await.unwrap().is_upgrade()
        );
        assert!(!read(b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n").await.unwrap().is_upgrade());
        assert_eq!(head.last_header("HOST"), Some("b"));
        assert_eq!(head.tail(), b"\x81\x00");
        assert_eq!(head.bytes().len() + 2, text.len());
    }

    #[tokio::test]
    async fn an_endless_or_broken_head_is_refused() {
        let endless = vec![b'x'; HEAD_BYTES + 1];
        assert!(matches!(read(&endless).await, Err(HeadError::TooLong)));
        assert!(matches!(read(b"GET / HT").await, Err(HeadError::Socket(_))));
    }
}
