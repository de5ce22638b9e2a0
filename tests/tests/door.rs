//! The one door, from outside: what is refused, with which word, and that nothing changes by it.

use std::io::{Read as _, Write as _};

use ayni_protocol::{Draft, Keys, Kind, Limits, VerifiedEvent, kind};
use ayni_tests::{Folder, Node, Village};
use serde_json::Value;

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

fn post(village: &Village, json: &str) -> Value {
    post_to(&village.node, json)
}

fn post_to(node: &Node, json: &str) -> Value {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let mut answer =
        agent.post(format!("http://{}/api/v1/events", node.address)).send(json).unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

/// The OK message of one event, and whether it was accepted.
fn verdict(village: &Village, json: &str) -> (bool, String) {
    let receipt = post(village, json)[0].clone();
    (receipt["accepted"] == true, receipt["message"].as_str().unwrap().to_owned())
}

fn keys_of(village: &Village, name: &str) -> Keys {
    let hex = village.ayni(&["key", "export", "own", "--hex", "--key", &format!("{name}.key")]);
    Keys::from_secret(ayni_protocol::hex::decode(&hex).unwrap()).unwrap()
}

/// The order that ana signed last, as it is stored.
fn stored_order(village: &Village) -> String {
    village.ayni(&["export", "--node", &village.node.ws(), "--filter", r#"{"kinds":[4752]}"#])
}

/// The same tags and content, signed by somebody else or at another time.
fn again(json: &str, keys: &Keys, at: u64, extra: &[&[&str]]) -> VerifiedEvent {
    let event = ayni_protocol::Event::parse(json).unwrap();
    let mut draft = Draft { kind: event.kind, tags: event.tags.clone(), content: event.content };
    draft = extra.iter().fold(draft, |draft, tag| draft.tag(*tag));
    draft.sign(keys, at, [1; 32])
}

#[test]
fn every_refusal_has_its_word_and_changes_nothing() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "1.00", "--key", "ana.key"]);
    let (ana, ben) = (keys_of(&village, "ana"), keys_of(&village, "ben"));
    let order = stored_order(&village);
    let before = village.node.digest();
    let stranger = Keys::from_secret([9; 32]).unwrap();
    let charter = Draft::new(kind::CHARTER)
        .tag(["name", "Mine"])
        .tag(["w", &ben.public().to_string(), ""])
        .tag(["wq", "1"]);
    let stale_secs = Limits::default().economy_window_secs + 1;
    let cases = [
        ("a forged amount", order.replace("1.00", "9.00"), "invalid: the id"),
        ("a flipped signature", flipped(&order), "invalid: the signature"),
        ("a stranger's order", again(&order, &stranger, now(), &[]).json().into(), "restricted:"),
        ("somebody else's order", again(&order, &ben, now(), &[]).json().into(), "invalid:"),
        ("the same number again", again(&order, &ana, now() - 1, &[]).json().into(), "seq:"),
        (
            "a stale order",
            again(&order, &ana, now() - stale_secs, &[]).json().into(),
            "invalid: created_at",
        ),
        (
            "an order that expires",
            again(&order, &ana, now(), &[&["expiration", "1"]]).json().into(),
            "invalid: an economy event",
        ),
        (
            "a community of one's own",
            charter.sign(&ana, now(), [0; 32]).json().into(),
            "restricted: communities",
        ),
        ("no event", "{}".into(), "invalid: the event has no id"),
    ];
    for (what, json, expected) in cases {
        let (accepted, message) = verdict(&village, &json);
        assert!(!accepted && message.starts_with(expected), "{what}: {accepted} {message}");
    }
    assert_eq!(village.node.digest(), before);
    assert_eq!(village.balance("ben"), "1.00");
}

#[test]
fn a_short_queue_to_the_writer_makes_senders_wait_and_refuses_nothing() {
    let folder = Folder::new();
    folder.write("ayni.toml", "limits.writer_queue = 1\n");
    let node = folder.start(&[]);
    let author = Keys::from_secret([7; 32]).unwrap();
    let note = |number: u8| Draft::new(kind::NOTE).content(number.to_string());
    let lines: Vec<_> = (0..100)
        .map(|number| note(number).sign(&author, now(), [0; 32]).json().to_owned())
        .collect();
    let receipts = post_to(&node, &lines.join("\n"));
    let accepted = receipts.as_array().unwrap().iter().filter(|one| one["accepted"] == true);
    assert_eq!(accepted.count(), 100);
    // What is not kept and was heard by nobody went nowhere, and the sender should know.
    let blink = Draft::new(Kind(20_001)).sign(&author, now(), [0; 32]);
    let receipt = &post_to(&node, blink.json())[0];
    assert_eq!(receipt["accepted"], false);
    assert!(receipt["message"].as_str().unwrap().starts_with("mute: "), "{receipt}");
    let protected = Draft::new(kind::NOTE).tag(["-"]).sign(&author, now(), [0; 32]);
    let receipt = &post_to(&node, protected.json())[0];
    assert!(receipt["message"].as_str().unwrap().starts_with("auth-required: "), "{receipt}");
}

#[test]
fn a_request_that_never_ends_is_ended() {
    let folder = Folder::new();
    folder.write("ayni.toml", "limits.request_secs = 1\n");
    let node = folder.start(&[]);
    let mut stream = std::net::TcpStream::connect(&node.address).unwrap();
    let head = "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

/// The contents of the notes that an export gives.
fn contents(lines: &str) -> Vec<String> {
    let content = |line: &str| ayni_protocol::Event::parse(line).unwrap().content;
    lines.lines().map(content).collect()
}

#[test]
fn an_export_keeps_to_the_limit_of_its_filter() {
    let folder = Folder::new();
    let node = folder.start(&[]);
    let author = Keys::from_secret([7; 32]).unwrap();
    for number in 0..5 {
        let note = Draft::new(kind::NOTE).content(number.to_string());
        let _ = post_to(&node, note.sign(&author, now() - 10 + number, [0; 32]).json());
    }
    let of = |limit: usize| format!(r#"{{"kinds":[1],"limit":{limit}}}"#);
    let export = |limit: usize, rest: &[&str]| {
        contents(&folder.ayni(&[&["export", "--filter", &of(limit)], rest].concat()))
    };
    let address = node.ws();
    let running = ["--node", &address];
    assert_eq!(export(3, &running), ["2", "3", "4"], "the newest, oldest first");
    assert!(export(0, &running).is_empty());
    assert_eq!(export(9, &running).len(), 5);
    node.stop();
    assert_eq!(export(3, &[]), ["2", "3", "4"], "also out of the folder");
    assert!(export(0, &[]).is_empty());
}

#[test]
fn who_cannot_listen_founds_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let said = folder.refusal(&["run", "--listen", &address]);
    assert!(said.contains("is another node running?"), "{said}");
    let said = folder.refusal(&["run", "--listen", "192.0.2.1:80"]);
    assert!(said.contains("cannot listen") && !said.contains("another node"), "{said}");
    assert!(!folder.data().exists(), "no keys, no community");
}

#[test]
fn nothing_says_that_a_private_message_is_stored() {
    let folder = Folder::new();
    let node = folder.start(&[]);
    let author = Keys::from_secret([7; 32]).unwrap();
    let wrap = Draft::new(kind::GIFT_WRAP).tag(["p", &author.public().to_string()]);
    let wrap = wrap.sign(&author, now(), [0; 32]);
    assert_eq!(post_to(&node, wrap.json())[0]["accepted"], true);
    let proof = |id: &str| node.get(&format!("/api/v1/proof/{id}"))["code"].clone();
    assert_eq!(proof(&wrap.id.to_string()), proof(&"ab".repeat(32)));
}

#[test]
fn a_page_ends_its_connection_so_that_none_is_upgraded_late() {
    let folder = Folder::new();
    let node = folder.start(&[]);
    let mut stream = std::net::TcpStream::connect(&node.address).unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
}

fn flipped(json: &str) -> String {
    let at = json.rfind("\"sig\":\"").unwrap() + 10;
    let mut bytes = json.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_repeated_order_is_a_duplicate_and_a_deletion_has_no_effect() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "1.00", "--key", "ana.key"]);
    let order = stored_order(&village);
    let before = village.node.digest();
    let (accepted, message) = verdict(&village, &order);
    assert!(accepted && message.starts_with("duplicate:"), "{message}");
    let id = ayni_protocol::Event::parse(&order).unwrap().id.to_string();
    let deletion =
        Draft::new(kind::DELETION).tag(["e", &id]).sign(&keys_of(&village, "ana"), now(), [0; 32]);
    assert_eq!(verdict(&village, deletion.json()), (true, String::new()));
    assert_eq!(stored_order(&village), order);
    assert_eq!(village.node.digest(), before);
}

#[test]
fn who_vanishes_is_forgotten_but_for_the_books() {
    let village = Village::with_members(&["ana", "ben"]);
    village.folder.write(
        "ayni.toml",
        "[node]\npublic_urls = [\"wss://ours.example\"]\n\n[relay]\nwrite = \"members\"\n\n\
         [beacon]\ninsecure_test_chain = true\n",
    );
    let Village { folder, node } = village;
    node.stop();
    let node = folder.start(&[]);
    let village = Village { folder, node };
    let _ = village.ayni(&["pay", "ben", "1.00", "--key", "ana.key"]);
    let ana = keys_of(&village, "ana");
    let note = |at| Draft::new(kind::NOTE).content("hello").sign(&ana, at, [0; 32]);
    let vanish = |keys: &Keys, url: &str| {
        Draft::new(kind::VANISH).tag(["relay", url]).sign(keys, now(), [0; 32])
    };
    let (old, before) = (note(now() - 60), village.node.digest());
    assert!(verdict(&village, old.json()).0);

    let (accepted, message) = verdict(&village, vanish(&ana, "wss://other.example").json());
    assert!(!accepted && message.starts_with("invalid: this request names"), "{message}");
    assert!(village.ayni(&["export", "--node", &village.node.ws()]).contains(old.json()));

    let (accepted, message) = verdict(&village, vanish(&ana, "wss://Ours.example/").json());
    assert!(accepted && message.starts_with("info: everything you wrote"), "{message}");
    let (accepted, message) = verdict(&village, old.json());
    assert!(!accepted && message.starts_with("blocked:"), "{message}");
    assert!(verdict(&village, note(now() + 60).json()).0, "what is later is welcome");
    let stranger = Keys::from_secret([9; 32]).unwrap();
    assert!(verdict(&village, vanish(&stranger, "ALL_RELAYS").json()).0, "members only or not");

    let Village { folder, node } = village;
    node.stop();
    let _ = folder.ayni(&["compact"]);
    let journal = std::fs::read(folder.data().join("journal/00000001.seg")).unwrap();
    let id = old.id.to_string();
    assert!(!journal.windows(id.len()).any(|window| window == id.as_bytes()), "on the disk too");
    let node = folder.start(&[]);
    assert_eq!(node.digest(), before);
}

#[test]
fn members_only_means_members_only() {
    let village = Village::with_members(&["ana"]);
    village.folder.write(
        "ayni.toml",
        "[relay]\nwrite = \"members\"\n\n[beacon]\ninsecure_test_chain = true\n",
    );
    let Village { folder, node } = village;
    node.stop();
    let node = folder.start(&[]);
    let village = Village { folder, node };
    let note = |keys: &Keys| Draft::new(kind::NOTE).content("hello").sign(keys, now(), [0; 32]);
    let (accepted, message) = verdict(&village, note(&Keys::from_secret([9; 32]).unwrap()).json());
    assert!(!accepted && message.starts_with("restricted:"), "{message}");
    assert!(verdict(&village, note(&keys_of(&village, "ana")).json()).0);
}
