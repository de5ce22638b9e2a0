//! AcknowledgedMeansDurable, on the real program: twenty times killed under load, or as many times
//! as `AYNI_KILLS` says, nothing lost; and copies made meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ayni_protocol::{Draft, EventId, Keys, kind};
use ayni_tests::{Folder, Village};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::Message;

fn kills() -> u64 {
    std::env::var("AYNI_KILLS").map_or(20, |kills| kills.parse().unwrap())
}

const CLIENTS: u64 = 4;

/// Publishes until the connection breaks; gives the ids that were answered `OK true`.
async fn publish(address: String, seed: u64, stop: Arc<AtomicBool>) -> BTreeSet<EventId> {
    let mut acknowledged = BTreeSet::new();
    let Ok((mut socket, _)) = tokio_tungstenite::connect_async(format!("ws://{address}/")).await
    else {
        return acknowledged;
    };
    let mut secret = [1; 32];
    secret[..8].copy_from_slice(&(seed + 1).to_be_bytes());
    let keys = Keys::from_secret(secret).unwrap();
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let event =
            Draft::new(kind::NOTE).content(format!("{seed}/{number}")).sign(&keys, now, [0; 32]);
        let frame = format!("[\"EVENT\",{}]", event.json());
        if socket.send(Message::text(frame)).await.is_err() {
            break;
        }
        match socket.next().await {
            Some(Ok(Message::Text(answer))) if answer.contains(",true,") => {
                acknowledged.insert(event.id);
            }
            Some(Ok(_)) => {}
            _ => break,
        }
    }
    acknowledged
}

#[test]
fn acknowledged_means_durable() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Village { folder, mut node } = Village::with_members(&[]);
    let mut acknowledged = BTreeSet::new();
    for kill in 0..kills() {
        let stop = Arc::new(AtomicBool::new(false));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                runtime.spawn(publish(
                    node.address.clone(),
                    kill * CLIENTS + client,
                    Arc::clone(&stop),
                ))
            })
            .collect();
        // Different lives end at different moments of the write.
        std::thread::sleep(std::time::Duration::from_millis(120 + 17 * (kill % 7)));
        node.kill();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            acknowledged.extend(runtime.block_on(client).unwrap());
        }
        node = folder.start(&[]);
    }
    assert!(
        acknowledged.len() > 500,
        "only {} events were acknowledged: no load",
        acknowledged.len()
    );
    node.kill();
    let stored = folder.ayni(&["export"]);
    let stored: BTreeSet<EventId> = stored
        .lines()
        .map(|line| ayni_protocol::Event::parse(line).unwrap().verify().unwrap().id)
        .collect();
    let lost: Vec<_> = acknowledged.difference(&stored).collect();
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged events are lost",
        lost.len(),
        acknowledged.len()
    );
}

#[test]
fn the_sled_folder_can_be_deleted() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "2.00", "--key", "ana.key"]);
    let (digest, events) = (village.node.digest(), village.ayni(&["export"]));
    let Village { folder, node } = village;
    node.stop();
    std::fs::remove_dir_all(folder.data().join("sled")).unwrap();
    let node = folder.start(&[]);
    assert_eq!(node.digest(), digest);
    let after = folder.ayni(&["export"]);
    // The node writes its list of members and its figures anew when it likes; all else is what it
    // was.
    let anew = [13_534, 30_382, 30_384].map(|kind| format!("\"kind\":{kind},"));
    let is_list = |line: &&str| anew.iter().any(|kind| line.contains(kind));
    let kept = |lines: &str| -> BTreeSet<String> {
        lines.lines().filter(|line| !is_list(line)).map(str::to_owned).collect()
    };
    assert_eq!(kept(&after), kept(&events));
}

#[test]
fn a_backup_of_a_running_node_restores_to_the_same_digest() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "2.00", "--key", "ana.key"]);
    let digest = village.node.digest();
    let before = village.ayni(&["export"]);
    let stop = Arc::new(AtomicBool::new(false));
    let client = runtime.spawn(publish(village.node.address.clone(), 7, Arc::clone(&stop)));
    let copy = village.folder.home.path().join("copy");
    let said = village.ayni(&["backup", copy.to_str().unwrap()]);
    stop.store(true, Ordering::Relaxed);
    assert!(said.contains("and the keys"), "{said}");
    assert!(!runtime.block_on(client).unwrap().is_empty());
    let Village { folder, node } = village;
    node.kill();

    let other = Folder::new();
    other.write("ayni.toml", "[beacon]\ninsecure_test_chain = true\nsources = []\n");
    let _ = other.ayni(&["restore", copy.to_str().unwrap()]);
    assert!(other.data().join("restored").exists(), "it may be old");
    let restored = other.start(&[]);
    assert_eq!(restored.digest(), digest);
    let events = other.ayni(&["export"]);
    assert!(before.lines().all(|line| events.contains(line)), "what was there before is there");
    drop(restored);
    let again = other.refusal(&["restore", copy.to_str().unwrap()]);
    assert!(again.contains("is not empty"), "{again}");

    let segment = copy.join("journal/00000001.seg");
    let mut damaged = std::fs::read(&segment).unwrap();
    damaged[200] ^= 1;
    std::fs::write(&segment, damaged).unwrap();
    let said = Folder::new().refusal(&["restore", copy.to_str().unwrap()]);
    assert!(said.contains("Attention: ") && said.contains("the copy lacks what stands"), "{said}");
    drop(folder);
}
