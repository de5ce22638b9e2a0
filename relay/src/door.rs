//! Where requests go that want no WebSocket.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

use crate::head::Head;

/// Serves HTTP on the relay's own address.
pub trait HttpDoor: Clone + Send + Sync + 'static {
    /// Serves one connection to its end. When the relay stops, the future is dropped soon after.
    fn serve(&self, stream: Replayed, peer: SocketAddr) -> impl Future<Output = ()> + Send;
}

/// A socket whose first bytes were read already: they come again, then the rest.
#[derive(Debug)]
pub struct Replayed {
    first: Vec<u8>,
    replayed: usize,
    stream: TcpStream,
}

impl Replayed {
    pub(crate) const fn new(first: Vec<u8>, stream: TcpStream) -> Self {
        Self { first, replayed: 0, stream }
    }
}

impl AsyncRead for Replayed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = this.first.get(this.replayed..).unwrap_or_default();
        if left.is_empty() {
            this.first = Vec::new();
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(left.get(..count).unwrap_or_default());
        this.replayed += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Replayed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// Any page may read the information document (NIP-11).
const CORS: &str = "Access-Control-Allow-Origin: *\r\n\
    Access-Control-Allow-Headers: *\r\n\
    Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n";

/// A door with nothing behind it but the NIP-11 document, for a relay without a web page.
#[derive(Debug, Clone)]
pub struct InformationDoor(Arc<str>);

impl InformationDoor {
    /// A door that shows `document`, which [`crate::Relay::information`] gives.
    #[must_use]
    pub fn new(document: &str) -> Self {
        Self(document.into())
    }

    fn answer(&self, head: &Head) -> String {
        let asks = |types: &str| types.to_ascii_lowercase().contains("application/nostr+json");
        let wants_document = head.headers("accept").any(asks);
        let (status, kind, body) = match head.method() {
            "OPTIONS" => ("204 No Content", "text/plain", ""),
            "GET" | "HEAD" if wants_document => ("200 OK", "application/nostr+json", &*self.0),
            "GET" | "HEAD" => (
                "200 OK",
                "text/plain; charset=utf-8",
                "This is a Nostr relay. Give this address to a Nostr client.\n",
            ),
            _ => ("405 Method Not Allowed", "text/plain", ""),
        };
        let length = body.len();
        let body = if head.method() == "HEAD" { "" } else { body };
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{CORS}\
             Vary: Accept, Upgrade\r\nConnection: close\r\n\r\n{body}"
        )
    }
}

impl HttpDoor for InformationDoor {
    async fn serve(&self, mut stream: Replayed, peer: SocketAddr) {
        let Ok(head) = Head::read(&mut stream).await else { return };
        let written = stream.write_all(self.answer(&head).as_bytes()).await;
        if let Err(error) = written.and(stream.shutdown().await) {
            tracing::debug!(%peer, %error, "an HTTP answer was not taken");
        }
    }
}
