//! Membership of the relay (NIP-43) over a WebSocket, the relay that is only that, and what it
//! announces of itself (NIP-66).

use std::time::Duration;

use ayni_protocol::{Draft, Keys, VerifiedEvent, hex, kind};
use ayni_tests::{Folder, Node, PATIENCE, wait_for};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

fn keys(byte: u8) -> Keys {
    Keys::from_secret([byte; 32]).unwrap()
}

fn sign(draft: Draft, by: &Keys) -> VerifiedEvent {
    draft.sign(by, now(), [0; 32])
}

/// A client on one socket, as one person.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    /// Connects, and authenticates when the relay first asks.
    async fn of(node: &Node, who: &Keys) -> Self {
        let (socket, _) = connect_async(node.ws()).await.unwrap();
        let mut client = Self { socket };
        // Asking for an invitation is what makes the relay ask who this is.
        client.say(&json!(["REQ", "who", {"kinds": [28_935]}])).await;
        let asked = client.hear().await;
        let challenge = asked[1].as_str().unwrap();
        assert_eq!(asked[0], "AUTH", "{asked}");
        let closed = client.hear().await;
        assert!(closed[2].as_str().unwrap().starts_with("auth-required: "), "{closed}");
        let draft = Draft::new(kind::AUTH).tag(["relay", &node.ws()]).tag(["challenge", challenge]);
        client.say(&json!(["AUTH", value(&sign(draft, who))])).await;
        assert_eq!(client.hear().await[2], true);
        client
    }

    async fn say(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn hear(&mut self) -> Value {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            if let Message::Text(text) = message.unwrap().unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// What the relay says to an event, and whether it took it.
    async fn send(&mut self, event: &VerifiedEvent) -> (bool, String) {
        self.say(&json!(["EVENT", value(event)])).await;
        let ok = self.hear().await;
        (ok[2] == true, ok[3].as_str().unwrap().to_owned())
    }

    /// The events that answer a filter.
    async fn ask(&mut self, filter: Value) -> Vec<Value> {
        self.say(&json!(["REQ", "ask", filter])).await;
        let mut events = Vec::new();
        loop {
            let message = self.hear().await;
            match message[0].as_str() {
                Some("EVENT") => events.push(message[2].clone()),
                Some("EOSE") => break,
                _ => panic!("{message}"),
            }
        }
        self.say(&json!(["CLOSE", "ask"])).await;
        events
    }

    /// The code of a fresh invitation, if one is given.
    async fn invitation(&mut self) -> Option<String> {
        let events = self.ask(json!({"kinds": [28_935]})).await;
        Some(events.first()?["tags"][1][1].as_str().unwrap().to_owned())
    }
}

fn value(event: &VerifiedEvent) -> Value {
    serde_json::from_str(event.json()).unwrap()
}

fn join(code: &str) -> Draft {
    Draft::new(kind::JOIN).tag(["-"]).tag(["claim", code])
}

fn own_key(folder: &Folder, file: &str) -> Keys {
    let secret = folder.ayni(&["key", "export", "own", "--hex", "--key", file]);
    Keys::from_secret(hex::decode(&secret).unwrap()).unwrap()
}

/// The tags of what the node published, of one kind, joined line by line.
fn published(node: &Node, kind: u16) -> Vec<String> {
    let me = node.get("/api/v1/node")["pubkey"].as_str().unwrap().to_owned();
    let filter = json!({"kinds": [kind], "authors": [me]}).to_string();
    let query: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let lines = node.text(&format!("/api/v1/export?filter={query}"), "application/jsonl");
    let tags = |line: &str| serde_json::from_str::<Value>(line).unwrap()["tags"].to_string();
    lines.lines().map(tags).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_invited_joins_writes_and_leaves() {
    let folder = Folder::new();
    folder.write("ayni.toml", "[relay]\nwrite = \"invited\"\n");
    let node = folder.start(&[]);
    let npub = folder.ayni(&["key", "new", "ana.key"]);
    let _ = folder.ayni(&["member", "add", &npub, "--name", "ana"]);
    let (ana, ben, eve) = (own_key(&folder, "ana.key"), keys(2), keys(3));
    let [mut host, mut guest, mut stranger] = [
        Client::of(&node, &ana).await,
        Client::of(&node, &ben).await,
        Client::of(&node, &eve).await,
    ];
    wait_for("ana to be on the list", || published(&node, 13_534).pop());
    let hello = |by: &Keys| sign(Draft::new(kind::NOTE).content("hello"), by);
    assert_eq!(host.send(&hello(&ana)).await, (true, String::new()));
    assert!(guest.send(&hello(&ben)).await.1.starts_with("restricted: only members and guests"));
    assert_eq!(guest.invitation().await, None, "strangers invite nobody");
    let code = host.invitation().await.unwrap();
    assert_ne!(host.invitation().await.unwrap(), code);
    for other in [
        json!({"kinds": [28_935], "until": 5}),
        json!({"kinds": [28_935], "ids": ["ab".repeat(32)]}),
        json!({"kinds": [28_935], "#p": [ana.public().to_string()]}),
        json!({"kinds": [28_935], "search": "honey"}),
    ] {
        assert!(host.ask(other.clone()).await.is_empty(), "{other}");
    }
    let forged = code.replace('-', "0-");
    for (code, expected) in [
        (forged.as_str(), "restricted: that is an invalid invite code."),
        ("", "restricted: that is an invalid invite code."),
    ] {
        assert_eq!(guest.send(&sign(join(code), &ben)).await, (false, expected.into()));
    }
    let (joined, said) = guest.send(&sign(join(&code), &ben)).await;
    assert!(joined && said.starts_with("info: welcome"), "{said}");
    let again = guest.send(&sign(join(&code), &ben)).await;
    assert_eq!(again, (true, "duplicate: you are already a member of this relay.".into()));
    let used = stranger.send(&sign(join(&code), &eve)).await;
    assert_eq!(used, (false, "restricted: that invite code was used already.".into()));
    assert_eq!(guest.send(&hello(&ben)).await, (true, String::new()));
    assert_eq!(guest.invitation().await, None, "guests invite nobody");
    let bens = ben.public().to_string();
    wait_for("ben to be on the list", || {
        published(&node, 13_534).pop()?.contains(&bens).then_some(())
    });
    assert!(published(&node, 13_534)[0].starts_with(r#"[["-"],["member","#));
    assert_eq!(published(&node, 8000).iter().filter(|tags| tags.contains(&bens)).count(), 1);
    // The claim was told to nobody and is kept nowhere.
    assert!(host.ask(json!({"kinds": [28_934, 28_935]})).await.is_empty());
    let leave = || Draft::new(kind::LEAVE).tag(["-"]);
    assert_eq!(
        guest.send(&sign(leave(), &ben)).await,
        (true, "info: you have left this relay.".into())
    );
    assert!(guest.send(&sign(leave(), &ben)).await.1.starts_with("duplicate: "));
    assert!(host.send(&sign(leave(), &ana)).await.1.starts_with("restricted: you have an account"));
    let late = sign(Draft::new(kind::NOTE).content("late"), &ben);
    assert!(guest.send(&late).await.1.starts_with("restricted: "));
    wait_for("ben to be off the list", || {
        (!published(&node, 13_534).pop()?.contains(&bens)).then_some(())
    });
    assert_eq!(published(&node, 8001).len(), 1);
}

#[test]
fn roles_are_published_and_a_list_survives_a_restart_unrepeated() {
    let folder = Folder::new();
    let node = folder.start(&[]);
    let npub = folder.ayni(&["key", "show", &"02".repeat(32)]);
    let _ = folder.ayni(&["relay", "allowpubkey", &npub]);
    let _ =
        folder.ayni(&["relay", "createrole", "28b7e50f", "king", "ruler of the relay", "37", "1"]);
    let _ = folder.ayni(&["relay", "assignrole", &npub, "28b7e50f"]);
    let listed = format!(r#"["member","{}","28b7e50f"]"#, keys(2).public());
    let is_listed = |node: &Node| published(node, 13_534).pop()?.contains(&listed).then_some(());
    wait_for("the king to be on the list", || is_listed(&node));
    let role = r#"[["-"],["d","28b7e50f"],["label","king"],["description","ruler of the relay"],["color","37"],["order","1"]]"#;
    assert_eq!(published(&node, 33_534), [role]);
    node.stop();
    let node = folder.start(&[]);
    let _ = folder.ayni(&["relay", "deleterole", "28b7e50f"]);
    wait_for("the role to go", || published(&node, 33_534).is_empty().then_some(()));
    wait_for("the king to be a commoner", || is_listed(&node).is_none().then_some(()));
    assert!(published(&node, 8000).len() <= 1);
}

#[test]
fn a_relay_alone_has_no_books_and_says_what_it_is() {
    let folder = Folder::new();
    let url = "wss://plaza.example";
    folder.write("ayni.toml", &format!("[node]\npublic_urls = [\"{url}\"]\n"));
    let node = folder.start(&["--relay-only"]);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build()
        .into();
    let post = |event: &VerifiedEvent| {
        let mut answer = agent
            .post(format!("http://{}/api/v1/events", node.address))
            .send(event.json())
            .unwrap();
        answer.body_mut().read_to_string().unwrap()
    };
    assert!(post(&sign(Draft::new(kind::NOTE), &keys(1))).contains(r#""accepted":true"#));
    let order = sign(Draft::new(kind::ORDER).tag(["h", &"00".repeat(32)]), &keys(1));
    assert!(post(&order).contains("restricted: this relay keeps no books"));
    let _ = folder.ayni(&["relay", "changerelayname", "<La Plaza>"]);
    let page = node.text("/", "text/html");
    assert!(page.contains("&lt;La Plaza&gt;") && page.contains("Nostr relay"), "{page}");
    assert!(!node.text("/api/v1/digest", "application/json").contains("digest"));
    assert!(!folder.data().join("keys/community.key").exists());
    let announced = wait_for("the announcement", || {
        let lines = node.text("/api/v1/export", "application/jsonl");
        let line = lines.lines().find(|line| line.contains("\"kind\":30166"))?.to_owned();
        line.contains("La Plaza").then_some(line)
    });
    for tag in [r#"["d","wss://plaza.example/"]"#, r#"["N","43"]"#, r#"["R","!payment"]"#] {
        assert!(announced.contains(tag), "{announced}");
    }
    let document = node.text("/", "Application/Nostr+JSON");
    assert!(document.contains("\"version\"") && !document.contains("\"software\""), "{document}");
    assert!(!announced.contains("software"), "{announced}");
    node.stop();
    let village = Folder::new();
    let _ = village.ayni(&["init", "--name", "Vale do Sol"]);
    assert!(village.refusal(&["run", "--relay-only"]).contains("holds a community"));
}
