//! Managing the relay from outside (NIP-86 behind NIP-98): each order with what it changes, and
//! each way to be refused.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use ayni_node::http::authorization::header;
use ayni_protocol::{Draft, EventId, Keys, VerifiedEvent, hex, kind};
use ayni_tests::{Folder, Node};
use serde_json::{Value, json};

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

fn keys(byte: u8) -> Keys {
    Keys::from_secret([byte; 32]).unwrap()
}

fn sha256(text: &str) -> String {
    use nostr_sdk::hashes::{Hash as _, sha256};
    hex::encode(sha256::Hash::hash(text.as_bytes()).as_byte_array())
}

/// The event that a right request carries. `nonce` makes two of one second differ.
fn ticket(url: &str, body: &str, by: &Keys, nonce: u8) -> VerifiedEvent {
    Draft::new(kind::HTTP_AUTH)
        .tag(["u", url])
        .tag(["method", "POST"])
        .tag(["payload", &sha256(body)])
        .content(nonce.to_string())
        .sign(by, now(), [0; 32])
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .build();
    config.into()
}

/// A header's name and value.
type Header<'a> = (&'a str, &'a str);

/// What the node answers to a call with these headers: the status and the body.
fn call(node: &Node, body: &str, headers: &[Header<'_>]) -> (u16, Value) {
    let mut request = agent().post(format!("http://{}/", node.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = request.send(body).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (answer.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

const RPC: (&str, &str) = ("Content-Type", "application/nostr+json+rpc");

fn post(node: &Node, json: &str) -> (bool, String) {
    let mut answer =
        agent().post(format!("http://{}/api/v1/events", node.address)).send(json).unwrap();
    let receipts: Value =
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    (receipts[0]["accepted"] == true, receipts[0]["message"].as_str().unwrap().to_owned())
}

fn note(author: u8, content: &str) -> VerifiedEvent {
    Draft::new(kind::NOTE).content(content).sign(&keys(author), now(), [0; 32])
}

/// A node that the key of ones manages, and its folder.
fn managed() -> (Folder, Node) {
    let folder = Folder::new();
    folder.write("ayni.toml", &format!("[relay]\nadmins = [\"{}\"]\n", keys(1).public()));
    let node = folder.start(&[]);
    (folder, node)
}

fn holds(folder: &Folder, node: &[&str], id: &EventId) -> bool {
    let filter = json!({"ids": [id]}).to_string();
    !folder.ayni(&[&["export", "--filter", &filter], node].concat()).is_empty()
}

#[test]
fn a_request_counts_once_and_only_if_all_of_it_is_right() {
    let (_folder, node) = managed();
    let body = r#"{"method":"supportedmethods","params":[]}"#;
    let url = format!("http://{}/", node.address);
    let good = header(&ticket(&url, body, &keys(1), 0));
    let other = |url: &str, body: &str, by: u8| header(&ticket(url, body, &keys(by), 9));
    let elsewhere = "http://evil.example/";
    let table: &[(&str, &[Header<'_>], u16)] = &[
        ("no header", &[RPC], 401),
        ("a password", &[RPC, ("Authorization", "Basic eHg6eHg=")], 401),
        ("another's key", &[RPC, ("Authorization", &other(&url, body, 2))], 401),
        ("another body", &[RPC, ("Authorization", &other(&url, "{}", 1))], 401),
        ("another URL", &[RPC, ("Authorization", &other(elsewhere, body, 1))], 401),
        (
            "another URL and a Host to fit",
            &[RPC, ("Host", "evil.example"), ("Authorization", &other(elsewhere, body, 1))],
            401,
        ),
        (
            "a forwarded host to fit",
            &[
                RPC,
                ("X-Forwarded-Host", "evil.example"),
                ("Authorization", &other(elsewhere, body, 1)),
            ],
            401,
        ),
        ("no media type", &[("Content-Type", "text/plain"), ("Authorization", &good)], 415),
        ("all right", &[RPC, ("Authorization", &good)], 200),
        ("once more", &[RPC, ("Authorization", &good)], 401),
    ];
    for (what, headers, expected) in table {
        let (status, answer) = call(&node, body, headers);
        assert_eq!(status, *expected, "{what}: {answer}");
        let error = answer["error"].as_str().unwrap_or_default();
        assert_eq!(error.is_empty(), status == 200, "{what}: {answer}");
    }
    let (status, _) = call(&node, &"x".repeat(70_000), &[RPC, ("Authorization", &good)]);
    assert_eq!(status, 413);
    // Of two that are the same and come at the same time, one wins.
    let twin = header(&ticket(&url, body, &keys(1), 1));
    let mut statuses = std::thread::scope(|scope| {
        let send = || scope.spawn(|| call(&node, body, &[RPC, ("Authorization", &twin)]).0);
        [send(), send()].map(|sent| sent.join().unwrap())
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[test]
fn orders_hold_at_once_and_after_a_restart_without_the_index() {
    let (folder, node) = managed();
    let order = |arguments: &[&str]| folder.ayni(&[&["relay"], arguments].concat());
    let (spam, fine, later) = (note(2, "spam"), note(2, "fine"), note(2, "later"));
    for event in [&spam, &fine] {
        assert_eq!(post(&node, event.json()), (true, String::new()));
    }
    let report = Draft::new(kind::REPORT)
        .tag(["e", &spam.id.to_string(), "spam"])
        .tag(["e", &fine.id.to_string(), "other"])
        .sign(&keys(3), now(), [0; 32]);
    assert!(post(&node, report.json()).0);
    let queue = order(&["listeventsneedingmoderation"]);
    assert!(queue.contains(&spam.id.to_string()) && queue.contains("spam"), "{queue}");
    let _ = order(&["allowevent", &fine.id.to_string()]);
    let _ = order(&["banevent", &spam.id.to_string(), "unwanted"]);
    assert_eq!(order(&["listeventsneedingmoderation"]), "[]");
    assert_eq!(
        post(&node, spam.json()).1,
        "blocked: this event was removed by the operator: unwanted"
    );
    let npub = folder.ayni(&["key", "show", &"02".repeat(32)]);
    let _ = order(&["banpubkey", &npub, "a troll"]);
    let _ = order(&["disallowkind", "7"]);
    let _ = order(&["changerelayname", "La Plaza"]);
    let _ = order(&["blockip", "203.0.113.7"]);
    let document = |node: &Node| node.text("/", "application/nostr+json");
    assert!(document(&node).contains(r#""name":"La Plaza""#));
    assert!(holds(&folder, &["--node", &node.ws()], &fine.id));
    assert!(!holds(&folder, &["--node", &node.ws()], &spam.id));
    node.stop();
    std::fs::remove_dir_all(folder.data().join("sled")).unwrap();
    assert!(!holds(&folder, &[], &spam.id), "a stopped node's export");
    let _ = folder.ayni(&["compact"]);
    folder.write("again.jsonl", spam.json());
    let imported = folder.output(&["import", "again.jsonl"]);
    let said = String::from_utf8_lossy(&imported.stdout);
    assert_eq!(imported.status.code(), Some(3), "{said}");
    assert!(said.contains("the operator"), "{said}");
    let node = folder.start(&[]);
    assert!(!holds(&folder, &["--node", &node.ws()], &spam.id));
    assert_eq!(post(&node, later.json()).1, "blocked: this key is banned here: a troll");
    assert!(document(&node).contains(r#""name":"La Plaza""#));
    let banned: Value = serde_json::from_str(&order(&["listbannedpubkeys"])).unwrap();
    assert_eq!(banned, json!([{"pubkey": keys(2).public(), "reason": "a troll"}]));
    let _ = order(&["unbanpubkey", &npub]);
    let _ = order(&["allowevent", &spam.id.to_string()]);
    assert_eq!(post(&node, later.json()), (true, String::new()));
    assert_eq!(post(&node, spam.json()), (true, String::new()));
    assert!(holds(&folder, &["--node", &node.ws()], &spam.id));
}

/// As after a kill between the two, or on a disk that was full.
#[test]
fn what_was_ordered_and_not_done_is_done_later() {
    let (folder, node) = managed();
    let spam = note(2, "spam");
    assert!(post(&node, spam.json()).0);
    node.kill();
    let (other, other_node) = managed();
    let _ = other.ayni(&["relay", "banevent", &spam.id.to_string(), "unwanted"]);
    other_node.stop();
    let [orders, there] = [&other, &folder].map(|folder| folder.data().join("management.jsonl"));
    std::fs::copy(orders, there).unwrap();

    let node = folder.start(&[]);
    ayni_tests::wait_for("the event to go", || {
        (!holds(&folder, &["--node", &node.ws()], &spam.id)).then_some(())
    });
}

/// The status of a request for a WebSocket that a proxy passes on for an address.
fn upgraded_for(node: &Node, address: &str) -> String {
    let mut socket = std::net::TcpStream::connect(&node.address).unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         X-Forwarded-For: {address}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_blocked_address_opens_no_socket_until_it_is_unblocked() {
    let folder = Folder::new();
    folder.write("ayni.toml", "[node]\ntrusted_proxies = [\"127.0.0.1\"]\n");
    let node = folder.start(&[]);
    let (bad, good) = ("203.0.113.7", "203.0.113.8");
    let _ = folder.ayni(&["relay", "blockip", bad, "flood"]);
    assert_eq!(upgraded_for(&node, bad), "HTTP/1.1 403");
    assert_eq!(upgraded_for(&node, good), "HTTP/1.1 101");
    let listed = folder.json(&["relay", "listblockedips"]);
    assert_eq!(listed, json!([{"ip": bad, "reason": "flood"}]));
    let _ = folder.ayni(&["relay", "unblockip", bad]);
    assert_eq!(upgraded_for(&node, bad), "HTTP/1.1 101");
}

#[test]
fn the_economy_cannot_be_banned_and_nonsense_is_refused_with_a_reason() {
    let (folder, node) = managed();
    let charter = folder.ayni(&["export", "--node", &node.ws(), "--filter", r#"{"kinds":[4710]}"#]);
    let charter = ayni_protocol::Event::parse(&charter).unwrap().id.to_string();
    let before = node.digest();
    let refuses = |arguments: &[&str]| folder.refusal(&[&["relay"], arguments].concat());
    assert!(refuses(&["banevent", &charter]).contains("never removed"));
    assert!(refuses(&["disallowkind", "4752"]).contains("economy"));
    assert!(refuses(&["banpubkey", &keys(1).public().to_string()]).contains("manages"));
    assert!(refuses(&["banpubkey", "nobody"]).contains("64 lower-case hex"));
    assert!(refuses(&["editrole", "cook", "Cook"]).contains("createrole"));
    assert!(refuses(&["sing"]).contains("supportedmethods"));
    let stranger = ["relay", "supportedmethods", "--key", &"05".repeat(32)];
    assert!(folder.refusal(&stranger).contains("does not manage this relay"));
    let admin = ["relay", "supportedmethods", "--key", &"01".repeat(32)];
    assert!(folder.ayni(&admin).contains("listblockedips"));
    assert_eq!(node.digest(), before);
}
