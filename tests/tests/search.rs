//! Search (NIP-50) through real clients, and the index through deletion, loss and restart.

use std::time::Duration;

use ayni_tests::{Folder, wait_for};
use nostr_sdk::prelude::*;

async fn client(address: &str, keys: Keys) -> Client {
    let client = Client::new(keys);
    client.add_relay(address).await.unwrap();
    client.connect().await;
    client
}

async fn found(client: &Client, search: &str) -> Vec<EventId> {
    let filter = Filter::new().search(search);
    let events = client.fetch_events(filter, Duration::from_secs(20)).await.unwrap();
    events.into_iter().map(|event| event.id).collect()
}

/// Asks again until the answer is so: the index is behind the writer by moments.
async fn comes_to(client: &Client, search: &str, mut expected: Vec<EventId>) {
    expected.sort();
    let mut last = Vec::new();
    for _ in 0..600 {
        last = found(client, search).await;
        last.sort();
        if last == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{search} finds {last:?}, not {expected:?}");
}

async fn publish(client: &Client, builder: EventBuilder) -> EventId {
    let sent = client.send_event_builder(builder).await.unwrap();
    assert!(sent.failed.is_empty(), "{:?}", sent.failed);
    *sent.id()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_as_long_as_their_event_lives() {
    let folder = Folder::new();
    let node = folder.start(&[]);
    assert!(supported(&node).contains(&50));
    let keys = Keys::generate();
    let ana = client(&node.ws(), keys.clone()).await;
    let pan = publish(&ana, EventBuilder::text_note("Vendo PAN de maíz en Otavalo")).await;
    let sara = publish(&ana, EventBuilder::text_note("Ñukapak sara, mana pan")).await;
    publish(&ana, EventBuilder::new(Kind::Reaction, "pan")).await;
    comes_to(&ana, "pan language:es", vec![pan, sara]).await;
    comes_to(&ana, "nukapak SARÁ", vec![sara]).await;
    assert_eq!(found(&ana, "trigo").await, []);

    // A newer version takes the place of the old one; what was deleted is gone.
    let profile =
        |name: &str, at| EventBuilder::metadata(&Metadata::new().name(name)).custom_created_at(at);
    let now = Timestamp::now();
    publish(&ana, profile("Rosa", now)).await;
    let newer = publish(&ana, profile("Rosa María", now + 1_u64)).await;
    comes_to(&ana, "rosa", vec![newer]).await;
    publish(&ana, EventBuilder::delete(EventDeletionRequest::new().id(pan))).await;
    comes_to(&ana, "pan", vec![sara]).await;

    // The index may be lost at any time.
    ana.shutdown().await;
    node.stop();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.data().join(format!("search.sqlite{end}")));
    }
    let node = folder.start(&[]);
    let ana = client(&node.ws(), keys).await;
    comes_to(&ana, "pan", vec![sara]).await;
    comes_to(&ana, "rosa", vec![newer]).await;
    ana.shutdown().await;
}

#[test]
fn what_was_imported_is_found_and_search_can_be_switched_off() {
    let folder = Folder::new();
    let node = folder.start(&[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let note = runtime.block_on(async {
        let ana = client(&node.ws(), Keys::generate()).await;
        let note = publish(&ana, EventBuilder::text_note("sillas de mimbre")).await;
        ana.shutdown().await;
        note
    });
    node.stop();
    let lines = folder.ayni(&["export", "--filter", "{\"search\":\"mimbre\"}"]);
    assert!(lines.contains(&note.to_hex()) && lines.lines().count() == 1, "{lines}");

    let other = Folder::new();
    other.write("one.jsonl", &lines);
    assert!(other.ayni(&["import", "one.jsonl"]).contains("1 stored"));
    let node = other.start(&[]);
    runtime.block_on(async {
        let ana = client(&node.ws(), Keys::generate()).await;
        comes_to(&ana, "MIMBRE", vec![note]).await;
        ana.shutdown().await;
    });
    node.stop();

    other.write("ayni.toml", "[relay]\nsearch = false\n");
    let node = other.start(&[]);
    assert!(!supported(&node).contains(&50));
    runtime.block_on(async {
        let refused = wait_for("an answer", || refusal(&node.address));
        assert!(refused.starts_with("[\"CLOSED\",\"s\",\"unsupported: "), "{refused}");
    });
}

fn supported(node: &ayni_tests::Node) -> Vec<u64> {
    let document = node.text("/", "application/nostr+json");
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let nips = document["supported_nips"].as_array().unwrap();
    nips.iter().filter_map(serde_json::Value::as_u64).collect()
}

/// The first thing that the relay says to a search.
fn refusal(address: &str) -> Option<String> {
    use tokio_tungstenite::tungstenite::{Message, connect};
    let (mut socket, _) = connect(format!("ws://{address}/")).ok()?;
    socket.send(Message::text("[\"REQ\",\"s\",{\"search\":\"mimbre\"}]")).ok()?;
    Some(socket.read().ok()?.into_text().ok()?.to_string())
}
