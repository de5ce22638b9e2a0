//! Who may write ordinary events: the modes, the lists, work, rates, and a plugin, from outside.

use ayni_protocol::{Draft, EventId, Keys, Kind, VerifiedEvent, kind};
use ayni_tests::{Folder, Node};
use serde_json::{Value, json};

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs()
}

fn keys(byte: u8) -> Keys {
    Keys::from_secret([byte; 32]).unwrap()
}

fn note(author: u8, content: &str) -> VerifiedEvent {
    Draft::new(kind::NOTE).content(content).sign(&keys(author), now(), [0; 32])
}

/// What the node answers to an event that comes through a proxy from an address, and whether it
/// took it.
fn send_from(node: &Node, event: &VerifiedEvent, address: &str) -> (bool, String) {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let request = agent.post(format!("http://{}/api/v1/events", node.address));
    let mut answer = request.header("X-Forwarded-For", address).send(event.json()).unwrap();
    let receipts: Value =
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap();
    let receipt = receipts[0].clone();
    (receipt["accepted"] == true, receipt["message"].as_str().unwrap().to_owned())
}

fn refusal(node: &Node, event: &VerifiedEvent) -> String {
    let (accepted, message) = send_from(node, event, "127.0.0.1");
    assert!(!accepted, "it was taken: {}", event.json());
    message
}

fn taken(node: &Node, event: &VerifiedEvent) -> String {
    let (accepted, message) = send_from(node, event, "127.0.0.1");
    assert!(accepted, "{message}");
    message
}

fn stored(node: &Node, id: &EventId) -> bool {
    let filter = json!({"ids": [id]}).to_string();
    let query: String = filter.bytes().map(|byte| format!("%{byte:02X}")).collect();
    !node.text(&format!("/api/v1/export?filter={query}"), "application/jsonl").is_empty()
}

#[test]
fn a_members_relay_takes_notes_of_members_and_contact_lists_of_all() {
    let folder = Folder::new();
    folder.write("ayni.toml", "[relay]\nwrite = \"members\"\n");
    let node = folder.start(&[]);
    let npub = folder.ayni(&["key", "new", "ana.key"]);
    let secret = folder.ayni(&["key", "export", "own", "--hex", "--key", "ana.key"]);
    let ana = Keys::from_secret(ayni_protocol::hex::decode(&secret).unwrap()).unwrap();
    let by_ana = Draft::new(kind::NOTE).content("hello").sign(&ana, now(), [0; 32]);
    assert!(refusal(&node, &by_ana).starts_with("restricted: only members"));
    let _ = folder.ayni(&["member", "add", &npub, "--name", "ana"]);
    taken(&node, &by_ana);
    assert!(refusal(&node, &note(1, "hello")).starts_with("restricted: only members"));
    for number in [0, 3, 62, 10_002, 10_050, 10_051] {
        let list = Draft::new(Kind(number)).tag(["relay", "ALL_RELAYS"]);
        taken(&node, &list.sign(&keys(number as u8 + 1), now(), [0; 32]));
    }
    let wrap = |to: &Keys| Draft::new(kind::GIFT_WRAP).tag(["p", &to.public().to_string()]);
    taken(&node, &wrap(&ana).sign(&keys(9), now(), [0; 32]));
    let astray = wrap(&keys(1)).sign(&keys(9), now(), [0; 32]);
    assert!(refusal(&node, &astray).starts_with("restricted:"));
    let document = node.text("/", "application/nostr+json");
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["limitation"]["restricted_writes"], true);
}

#[test]
fn kinds_and_work_are_as_configured_and_advertised() {
    let folder = Folder::new();
    folder.write("ayni.toml", "[relay]\ndenied_kinds = [7]\nmin_pow_difficulty = 8\n");
    let node = folder.start(&[]);
    let reaction = Draft::new(Kind(7)).sign(&keys(1), now(), [0; 32]);
    assert!(refusal(&node, &reaction).starts_with("blocked: events of kind 7 "));
    assert!(refusal(&node, &note(1, "no work")).starts_with("pow: add a nonce tag"));
    let mined = (0..).find_map(|nonce: u32| {
        let draft = Draft::new(kind::NOTE).tag(["nonce", &nonce.to_string(), "8"]);
        let event = draft.sign(&keys(1), now(), [0; 32]);
        (event.id.0[0] == 0).then_some(event)
    });
    taken(&node, &mined.unwrap());
    for ticket in [kind::AUTH, kind::HTTP_AUTH] {
        let ticket = Draft::new(ticket).sign(&keys(1), now(), [0; 32]);
        assert!(refusal(&node, &ticket).starts_with("invalid: events "));
    }
    let protected = Draft::new(kind::NOTE).tag(["-"]).sign(&keys(1), now(), [0; 32]);
    assert!(refusal(&node, &protected).starts_with("auth-required: "));
    let document: Value = serde_json::from_str(&node.text("/", "application/nostr+json")).unwrap();
    assert_eq!(document["limitation"]["min_pow_difficulty"], 8);
}

#[test]
fn what_would_not_be_kept_is_not_taken() {
    let folder = Folder::new();
    folder.write("ayni.toml", "[[retention.rules]]\nkinds = [7]\nage_days = 2\n");
    let node = folder.start(&[]);
    let of_days_ago =
        |kind, days: u64| Draft::new(kind).sign(&keys(1), now() - days * 86_400, [0; 32]);
    taken(&node, &of_days_ago(Kind(7), 1));
    assert!(refusal(&node, &of_days_ago(Kind(7), 3)).starts_with("invalid: events of kind 7 are"));
    taken(&node, &of_days_ago(kind::NOTE, 3));
}

#[test]
fn who_writes_too_often_is_asked_to_wait_and_nobody_else() {
    let folder = Folder::new();
    folder.write(
        "ayni.toml",
        "[node]\ntrusted_proxies = [\"127.0.0.1\"]\n\n[relay]\nstranger_events_per_minute = 2\n\
         member_events_per_minute = 4\n",
    );
    let node = folder.start(&[]);
    let send = |author, content: &str, address| send_from(&node, &note(author, content), address).1;
    let one = "203.0.113.7";
    assert_eq!([send(1, "a", one), send(2, "b", one)], ["", ""]);
    let third = send(3, "c", one);
    assert!(third.starts_with("rate-limited: "), "{third}");
    assert_eq!(send(3, "d", "203.0.113.8"), "");
    assert!((0..9).all(|n| send(3, &n.to_string(), "127.0.0.1").is_empty()));
    let npub = folder.ayni(&["key", "show", &"04".repeat(32)]);
    let _ = folder.ayni(&["member", "add", &npub, "--name", "ana"]);
    assert!((0..4).all(|n| send(4, &n.to_string(), one).is_empty()));
    assert!(send(4, "fifth", "203.0.113.9").starts_with("rate-limited: "));
}

#[test]
fn a_plugin_has_the_last_word_and_payments_do_not_ask_it() {
    let folder = Folder::new();
    // A strfry plugin in the shell: it judges by words in the content.
    folder.write(
        "judge.sh",
        r#"while read -r line; do
            id=${line#*'"id":"'}; id=${id%%'"'*}
            case "$line" in
                *spam*) echo "{\"id\":\"$id\",\"action\":\"reject\",\"msg\":\"blocked: no spam\"}";;
                *troll*) echo "{\"id\":\"$id\",\"action\":\"shadowReject\",\"msg\":\"\"}";;
                *die*) echo "I die" >&2; exit 1;;
                *) echo "{\"id\":\"$id\",\"action\":\"accept\",\"msg\":\"\"}";;
            esac
        done
        "#,
    );
    folder.write(
        "ayni.toml",
        "[relay]\nplugin = [\"sh\", \"judge.sh\"]\nplugin_timeout_ms = 20000\n",
    );
    let node = folder.start(&[]);
    let (good, bad, shadow) = (note(1, "hello"), note(1, "spam"), note(1, "troll"));
    assert_eq!(taken(&node, &good), "");
    assert_eq!(refusal(&node, &bad), "blocked: no spam");
    assert_eq!(taken(&node, &shadow), "");
    assert_eq!([&good, &bad, &shadow].map(|event| stored(&node, &event.id)), [true, false, false]);
    assert!(refusal(&node, &note(1, "die")).starts_with("error: "));
    ayni_tests::wait_for("the plugin to be started again", || {
        send_from(&node, &note(1, "again"), "127.0.0.1").0.then_some(())
    });
    // The name is spam, and it is a member's account: no business of the plugin's.
    let npub = folder.ayni(&["key", "show", &"05".repeat(32)]);
    let _ = folder.ayni(&["member", "add", &npub, "--name", "spam"]);
    let log = std::fs::read_to_string(folder.home.path().join("node.log")).unwrap();
    assert!(log.contains("I die") && log.contains("the plugin failed"), "{log}");
}
