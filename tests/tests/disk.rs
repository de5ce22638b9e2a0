//! Disks that are full and disks that fail, under the real program.
//!
//! A full disk is a limit on the size of files, which anyone may set; a failing one is a function
//! put before the C library's, because a disk that fails to sync cannot be had without being root.

use std::process::Command;

use ayni_protocol::{Draft, Keys, VerifiedEvent, kind};
use ayni_tests::{Folder, Node};
use serde_json::Value;

fn note(number: u64, bytes: usize) -> VerifiedEvent {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let content = format!("{number} {}", "x".repeat(bytes));
    Draft::new(kind::NOTE).content(content).sign(&Keys::from_secret([7; 32]).unwrap(), now, [0; 32])
}

/// What is said to one event; nothing where the node is gone.
fn told(node: &Node, event: &VerifiedEvent) -> Option<(bool, String)> {
    told_all(node, event.json())?.pop()
}

/// What is said to several, a line each, sent at once.
fn told_all(node: &Node, lines: &str) -> Option<Vec<(bool, String)>> {
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let url = format!("http://{}/api/v1/events", node.address);
    let mut answer = agent.post(url).send(lines).ok()?;
    let receipts: Value = serde_json::from_str(&answer.body_mut().read_to_string().ok()?).ok()?;
    let said = |receipt: &Value| {
        Some((receipt["accepted"] == true, receipt["message"].as_str()?.to_owned()))
    };
    receipts.as_array()?.iter().map(said).collect()
}

/// A folder with a community, whose node has run once.
fn founded() -> Folder {
    let folder = Folder::new();
    folder.write("ayni.toml", "[beacon]\nsources = []\n");
    let _ = folder.ayni(&["init", "--name", "Vale do Sol", "--country", "PT"]);
    folder
}

#[test]
fn on_a_full_disk_writes_are_refused_and_reads_go_on() {
    let folder = founded();
    // A file may be 2 MiB long; who writes beyond is told so, and not ended.
    let node = folder.start_under("trap '' XFSZ; ulimit -f 4096; exec \"$0\" \"$@\"", &[]);
    let mut stored = Vec::new();
    let refusal = (0..200).find_map(|number| {
        let event = note(number, 40_000);
        let (accepted, message) = told(&node, &event).unwrap();
        if accepted {
            stored.push(event);
        }
        (!accepted).then_some(message)
    });
    let refusal = refusal.expect("2 MiB are full after 200 events of 40 kB");
    assert!(refusal.starts_with("error: ") && refusal.contains("free some space"), "{refusal}");
    assert!(stored.len() > 20, "{} stored", stored.len());

    assert!(!told(&node, &note(1_000, 40_000)).unwrap().0, "it is full still");
    // What is in the books is looked at before it is stored; a copy of it is no more stored than it.
    let listing = Draft::new(kind::LISTING).tag(["d", "bread"]).tag(["title", "Bread"]);
    let listing = listing.content("x".repeat(40_000));
    let listing = listing.sign(&Keys::from_secret([7; 32]).unwrap(), stored[0].created_at, [0; 32]);
    let copies = format!("{}\n", listing.json()).repeat(20);
    for (accepted, message) in told_all(&node, &copies).unwrap() {
        assert!(!accepted && message.starts_with("error: not stored"), "{message}");
    }
    let read = folder.ayni(&["export", "--node", &node.ws()]);
    assert!(stored.iter().all(|event| read.contains(event.json())), "reads go on");
    assert!(told(&node, &note(1_001, 10)).unwrap().0, "what there is room for is stored");
    node.stop();

    let node = folder.start(&[]);
    let read = folder.ayni(&["export", "--node", &node.ws()]);
    assert!(stored.iter().all(|event| read.contains(event.json())));
    assert!(!read.contains(note(1_000, 40_000).json()));
    assert!(told(&node, &note(1_002, 40_000)).unwrap().0, "with room again it goes on");
}

/// Sled writes when it is opened. A node that comes back to a full disk serves what it has, and what
/// lies in sled is neither lost nor taken for damaged.
#[test]
fn a_node_that_starts_on_a_full_disk_serves_what_it_has() {
    let folder = Folder::new();
    folder.write("ayni.toml", "[beacon]\nsources = []\n[relay]\nsearch = false\n");
    let _ = folder.ayni(&["init", "--name", "Vale do Sol", "--country", "PT"]);
    let node = folder.start(&[]);
    let stored = note(1, 10_000);
    assert!(told(&node, &stored).unwrap().0);
    node.kill();

    let node = folder.start_under("trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", &[]);
    let read = folder.ayni(&["export", "--node", &node.ws()]);
    assert!(read.contains(stored.json()), "reads go on");
    let (accepted, refusal) = told(&node, &note(2, 10_000)).unwrap();
    assert!(!accepted && refusal.contains("free some space"), "{refusal}");
    node.stop();
    let log = std::fs::read_to_string(folder.home.path().join("node.log")).unwrap();
    assert!(log.contains("the state is not open; it will be when there is room"), "{log}");

    let node = folder.start(&[]);
    assert!(told(&node, &note(2, 10_000)).unwrap().0, "with room again it goes on");
    node.stop();
    assert!(!folder.data().join("sled.unreadable-1").exists());
}

#[test]
fn a_founding_that_was_interrupted_goes_on_or_says_what_to_do() {
    let folder = founded();
    let keys = folder.data().join("keys");
    let key = std::fs::read(keys.join("community.key")).unwrap();
    std::fs::rename(keys.join("community.key"), keys.join("founding.key")).unwrap();
    let init = ["init", "--name", "Vale do Sol", "--country", "PT"];
    let said = folder.refusal(&init);
    assert!(said.contains("interrupted") && said.contains("an empty folder"), "{said}");

    std::fs::remove_dir_all(folder.data().join("journal")).unwrap();
    std::fs::remove_dir_all(folder.data().join("sled")).unwrap();
    let _ = folder.ayni(&init);
    assert_eq!(std::fs::read(keys.join("community.key")).unwrap(), key);
    assert!(!keys.join("founding.key").exists());
    assert!(folder.refusal(&init).contains("holds a community already"));
}

/// Builds what makes syncs fail.
fn failing_sync(folder: &Folder) -> std::path::PathBuf {
    let source = ayni_tests::root().join("tests/tests/fail_sync.c");
    let library = folder.home.path().join("fail_sync.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(source)
        .status()
        .expect("a C compiler, as secp256k1 needs one");
    assert!(built.success());
    library
}

#[test]
#[cfg(target_os = "linux")]
fn after_a_failed_sync_the_node_says_so_and_ends() {
    let folder = founded();
    let library = failing_sync(&folder);
    let fails = folder.home.path().join("fails");
    let variables = [("LD_PRELOAD", &*library), ("AYNI_FAIL_SYNC", &*fails)];
    let node = folder.start_under("exec \"$0\" \"$@\"", &variables);
    let stored = note(1, 100);
    assert!(told(&node, &stored).unwrap().0);

    std::fs::write(&fails, "").unwrap();
    let (accepted, message) = told(&node, &note(2, 100)).unwrap();
    assert!(!accepted && message.starts_with("error: not stored"), "{message}");
    // It may be gone by now; if not, it takes nothing more.
    assert!(told(&node, &note(3, 100)).is_none_or(|(accepted, _)| !accepted));
    assert_eq!(node.ended(), Some(1));
    assert_eq!(std::fs::read(&fails).unwrap(), b"x", "a sync is never tried again");
    let log = std::fs::read_to_string(folder.home.path().join("node.log")).unwrap();
    assert!(log.contains("make durable"), "{log}");

    std::fs::remove_file(&fails).unwrap();
    let node = folder.start(&[]);
    let read = folder.ayni(&["export", "--node", &node.ws()]);
    assert!(read.contains(stored.json()));
    assert!(!read.contains(note(3, 100).json()));
    assert!(told(&node, &note(4, 100)).unwrap().0);
}
