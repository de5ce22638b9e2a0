//! A relay on a free loopback port, and clients that talk to it over real sockets.

pub mod memory;
pub mod raw;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ayni_protocol::{Draft, Keys, Kind, Limits, VerifiedEvent};
use ayni_relay::{InformationDoor, Relay, Settings};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use self::memory::{Memory, NOW, Publisher};

/// Long enough for the slowest machine; nothing here measures speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The head of a WebSocket upgrade, without the empty line that ends it.
pub const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: relay.test\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Waits, but not for ever.
pub async fn patiently<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it came to an end")
}

/// A served relay.
pub struct House {
    pub address: SocketAddr,
    pub relay: Relay<Memory>,
    pub memory: Arc<Memory>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

impl House {
    pub async fn open(limits: Limits) -> Self {
        Self::open_with(Settings { limits, ..Settings::default() }, Memory::default()).await
    }

    pub async fn open_with(mut settings: Settings, memory: Memory) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        settings.public_urls.push(format!("ws://{address}"));
        let memory = Arc::new(memory);
        let relay = Relay::new(Arc::clone(&memory), settings);
        let publisher = relay.clone();
        let told: Publisher = Box::new(move |event, position| publisher.publish(event, position));
        assert!(memory.publisher.set(told).is_ok());
        let door = InformationDoor::new(&relay.information());
        let (stop, stopped) = oneshot::channel();
        let until = async {
            let _ = stopped.await;
        };
        let served = tokio::spawn(relay.clone().serve(listener, door, until));
        Self { address, relay, memory, stop: Some(stop), served }
    }

    /// Stores an event from elsewhere and publishes it.
    pub fn store(&self, event: &VerifiedEvent) {
        let position = self.memory.store(event);
        self.relay.publish(event, position);
    }

    pub async fn client(&self) -> Client {
        Client::over(TcpStream::connect(self.address).await.unwrap()).await
    }

    /// A client whose socket takes little before it is full.
    pub async fn small_client(&self) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        Client::over(socket.connect(self.address).await.unwrap()).await
    }

    pub async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes, then reads all that comes until the other side closes.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.raw().await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        patiently(stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Waits until the statistics say so.
    pub async fn until(&self, holds: impl Fn(&ayni_relay::Statistics) -> bool) {
        patiently(async {
            while !holds(&self.relay.statistics()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).unwrap();
        }
    }

    /// Stops and waits until nothing is served any more.
    pub async fn close(mut self) {
        self.stop();
        patiently(self.served).await.unwrap();
    }
}

/// A WebSocket client.
pub struct Client {
    pub socket: WebSocketStream<TcpStream>,
    pub challenge: String,
}

impl Client {
    async fn over(stream: TcpStream) -> Self {
        let request = "ws://relay.test/";
        let (socket, _) =
            patiently(tokio_tungstenite::client_async(request, stream)).await.unwrap();
        let mut client = Self { socket, challenge: String::new() };
        let first = client.hear().await;
        assert_eq!(first[0], "AUTH");
        client.challenge = first[1].as_str().unwrap().to_owned();
        client
    }

    pub async fn say(&mut self, text: impl Into<String>) {
        patiently(self.socket.send(Message::text(text.into()))).await.unwrap();
    }

    pub async fn publish(&mut self, event: &VerifiedEvent) {
        self.say(format!("[\"EVENT\",{}]", event.json())).await;
    }

    pub async fn auth(&mut self, keys: &Keys, house: &House) {
        let event = Draft::new(ayni_protocol::kind::AUTH)
            .tag(["relay", &format!("ws://{}/", house.address)])
            .tag(["challenge", &self.challenge])
            .sign(keys, NOW, [0; 32]);
        self.say(format!("[\"AUTH\",{}]", event.json())).await;
        assert_eq!(self.hear().await[2], true);
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        match self.hear_any().await {
            Some(Message::Text(text)) => serde_json::from_str(text.as_str()).unwrap(),
            other => panic!("a text message, not {other:?}"),
        }
    }

    /// The next frame that is no ping, or nothing when the socket has ended.
    pub async fn hear_any(&mut self) -> Option<Message> {
        loop {
            match patiently(self.socket.next()).await {
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// That an honest client is served, whatever others do.
    pub async fn is_served(&mut self) {
        self.say(r#"["COUNT","honest",{"ids":[]}]"#).await;
        assert_eq!(self.hear().await, json!(["COUNT", "honest", {"count": 0}]));
    }

    /// Reads on until the relay closes, and gives its close code, if it said one.
    pub async fn close_code(&mut self) -> Option<u16> {
        loop {
            if let Message::Close(frame) = self.hear_any().await? {
                return frame.map(|frame| frame.code.into());
            }
        }
    }
}

pub fn keys(number: u8) -> Keys {
    Keys::from_secret([number; 32]).unwrap()
}

pub fn note(author: u8, content: impl Into<String>) -> VerifiedEvent {
    Draft::new(Kind(1)).content(content).sign(&keys(author), NOW, [0; 32])
}
