//! Walk 1 of the README: stock Nostr clients publish and read, nostr-sdk and nostr-tools.

use std::process::Command;
use std::time::Duration;

use ayni_tests::{Folder, root};
use nostr_sdk::prelude::*;

#[tokio::test(flavor = "multi_thread")]
async fn nostr_sdk_publishes_and_reads() {
    let folder = Folder::new();
    let node = folder.start(&[]);
    let client = Client::new(Keys::generate());
    client.add_relay(node.ws()).await.unwrap();
    client.connect().await;
    let sent =
        client.send_event_builder(EventBuilder::text_note("hello from nostr-sdk")).await.unwrap();
    assert!(sent.failed.is_empty(), "{:?}", sent.failed);
    let filter = Filter::new().id(*sent.id());
    let found = client.fetch_events(filter, Duration::from_secs(10)).await.unwrap();
    assert_eq!(found.first().map(|event| event.content.as_str()), Some("hello from nostr-sdk"));
    // Replaceable: the newer profile is the one that is found.
    for name in ["old", "new"] {
        let metadata = Metadata::new().name(name);
        let at = Timestamp::now() + Duration::from_secs(u64::from(name == "new"));
        let builder = EventBuilder::metadata(&metadata).custom_created_at(at);
        client.send_event_builder(builder).await.unwrap();
    }
    let profiles = client
        .fetch_events(Filter::new().kind(Kind::Metadata), Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(profiles.len(), 1);
    assert!(profiles.first().unwrap().content.contains("new"));
    client.shutdown().await;
}

#[test]
fn nostr_tools_publishes_and_reads() {
    let folder = Folder::new();
    let node = folder.start(&[]);
    let interop = root().join("tests/interop");
    if !interop.join("node_modules").exists() {
        let installed = Command::new("npm")
            .args(["ci", "--no-audit", "--no-fund"])
            .current_dir(&interop)
            .status();
        assert!(
            installed.is_ok_and(|status| status.success()),
            "npm ci failed: is Node.js installed?"
        );
    }
    let tested = Command::new("npm")
        .args(["test", "--silent"])
        .current_dir(&interop)
        .env("AYNI_RELAY_URL", node.ws())
        .output()
        .expect("npm runs");
    let said = String::from_utf8_lossy(&tested.stdout);
    assert!(
        tested.status.success(),
        "nostr-tools: {said}{}",
        String::from_utf8_lossy(&tested.stderr)
    );
    assert!(said.contains("# fail 0") || said.contains("fail 0"), "{said}");
}
