//! Walks 5 and 6 of the README: a second node in step, and a third from a file.

use ayni_tests::{Folder, Node, Village, wait_for};

fn in_step(one: &Node, other: &Node) {
    wait_for("equal digests", || (one.digest() == other.digest()).then_some(()));
}

#[test]
fn a_second_node_keeps_the_same_books() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "2.00", "--key", "ana.key"]);
    let second = Folder::new();
    let _ = second.ayni(&["peer", "add", &village.node.ws()]);
    second.write("ayni.toml", "[beacon]\ninsecure_test_chain = true\n");
    let node = second.start(&[]);
    in_step(&village.node, &node);
    // What happens now comes by itself.
    let _ = village.ayni(&["pay", "ana", "0.50", "--key", "ben.key"]);
    in_step(&village.node, &node);
    // What happens while it is away is caught up with.
    node.stop();
    let _ = village.ayni(&["pay", "ben", "3.00", "--key", "ana.key"]);
    let _ = village.ayni(&["pay", "ana", "1.00", "--key", "ben.key"]);
    let node = second.start(&[]);
    in_step(&village.node, &node);
    // An order handed to the second node reaches the witness at the first, and comes back certified.
    let _ = village.ayni(&["pay", "ben", "0.25", "--key", "ana.key", "--node", &node.ws()]);
    wait_for("the payment made at the second node", || {
        (village.balance("ben") == "3.75").then_some(())
    });
    in_step(&village.node, &node);
    wait_for("the peer to be noted in step", || {
        node.get("/api/v1/node")["peers"][0]["last_in_step"].as_u64()
    });
    // The note outlives the node, and the peer's being away.
    node.stop();
    village.node.stop();
    let peers = second.start(&[]).get("/api/v1/node")["peers"].clone();
    assert_eq!(peers.as_array().map(Vec::len), Some(1), "{peers}");
    assert!(peers[0]["last_in_step"].is_u64(), "{peers}");
}

#[test]
fn a_third_folder_from_a_file_has_the_same_digest() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "2.00", "--key", "ana.key"]);
    let third = Folder::new();
    third.write("events.jsonl", &format!("{}\n", village.ayni(&["export"])));
    let imported = third.json(&["import", "events.jsonl"]);
    assert_eq!(imported["refused"], 0, "{imported}");
    assert!(
        third.json(&["import", "events.jsonl"])["stored"] == 0,
        "a second time changes nothing"
    );
    third.write("ayni.toml", "[beacon]\ninsecure_test_chain = true\n");
    assert_eq!(third.start(&[]).digest(), village.node.digest());
}
