//! A community that several nodes keep: it grows, nodes go and come, one returns from an old
//! backup, a payer signs twice.

use std::path::PathBuf;

use ayni_node::keys;
use ayni_protocol::{Draft, VerifiedEvent, kind};
use ayni_tests::{Folder, Node, free_address, wait_for};
use serde_json::Value;

/// One of the nodes.
struct Seat {
    folder: Folder,
    address: String,
    node: Option<Node>,
}

/// The nodes of a community, the one that founded it first.
struct Council {
    seats: Vec<Seat>,
}

const MEMBERS: [&str; 3] = ["ana", "ben", "eve"];

impl Seat {
    fn new() -> Self {
        let folder = Folder::new();
        folder.write("ayni.toml", "[beacon]\ninsecure_test_chain = true\nsources = []\n");
        Self { folder, address: free_address(), node: None }
    }

    fn start(&mut self, arguments: &[&str]) {
        self.node = Some(self.folder.start_at(&self.address, arguments));
    }

    fn stop(&mut self) {
        self.node.take().unwrap().stop();
    }

    fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    fn key(&self) -> String {
        self.node().get("/api/v1/node")["pubkey"].as_str().unwrap().to_owned()
    }

    fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Council {
    /// One node with the community, and three that follow it.
    fn of_one() -> Self {
        let mut first = Seat::new();
        let _ = first.folder.ayni(&["init", "--country", "PT", "--insecure-test-chain"]);
        first.start(&[]);
        for name in MEMBERS {
            let npub = first.folder.ayni(&["key", "new", &format!("{name}.key")]);
            let _ = first.folder.ayni(&["member", "add", &npub, "--name", name]);
        }
        let mut council = Self { seats: vec![first] };
        for _ in 0..3 {
            let mut seat = Seat::new();
            let _ = seat.folder.ayni(&["peer", "add", &council.seats[0].url()]);
            seat.start(&[]);
            council.seats.push(seat);
        }
        council.in_step();
        council
    }

    /// Three of four sign.
    fn of_four() -> Self {
        let council = Self::of_one();
        let nodes: Vec<_> = council.seats[1..]
            .iter()
            .map(|seat| format!("{}={}", seat.key(), seat.url()))
            .collect();
        let nodes: Vec<_> = nodes.iter().map(String::as_str).collect();
        let told = council.ayni(&[&["witness", "add"], &nodes[..]].concat());
        assert!(told.contains("3 of 4 witnesses"), "{told}");
        council
    }

    fn ayni(&self, arguments: &[&str]) -> String {
        self.seats[0].folder.ayni(arguments)
    }

    /// What became of a payment that is handed to one of the nodes.
    fn pay(&self, at: usize, payer: &str, payee: &str, amount: &str, wait: &str) -> Value {
        let (key, node) = (format!("{payer}.key"), self.seats[at].url());
        let words = ["pay", payee, amount, "--key", &key, "--node", &node, "--wait", wait];
        self.seats[0].folder.json(&words)
    }

    fn certified(&self, at: usize, payer: &str, payee: &str, amount: &str) {
        let paid = self.pay(at, payer, payee, amount, "50");
        assert_eq!(paid["state"], "certified", "{paid}");
    }

    fn running(&self) -> impl Iterator<Item = &Node> {
        self.seats.iter().filter_map(|seat| seat.node.as_ref())
    }

    fn in_step(&self) {
        wait_for("equal digests", || {
            let digests: std::collections::BTreeSet<_> = self.running().map(Node::digest).collect();
            (digests.len() == 1).then_some(())
        });
    }

    /// Somebody's account, as a node sees it.
    fn account(&self, at: usize, name: &str) -> Value {
        let node = self.seats[at].url();
        self.seats[0].folder.json(&["balance", name, "--node", &node])
    }

    /// Has these accounts' payments signed first by a node.
    fn home(&self, names: &[&str], at: usize) {
        for name in names {
            let _ = self.ayni(&["member", "home", name, &self.seats[at].key()]);
        }
    }

    fn key_file(&self, name: &str) -> PathBuf {
        self.seats[0].folder.home.path().join(format!("{name}.key"))
    }

    /// An order signed by hand a minute ago, so that no home witness is waited for.
    fn order(&self, payer: &str, payee: &str, amount: &str) -> VerifiedEvent {
        let (from, to) = (self.account(0, payer), self.account(0, payee));
        let view = self.seats[0].node().get("/api/v1/communities");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let currency = text(&from["currency"]);
        let path: String = currency.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let rules = self.seats[0].node().get(&format!("/api/v1/currencies/{path}"));
        let (payee, signer) = (text(&to["account"]), self.key_file(payer));
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        Draft::new(kind::ORDER)
            .tag(["h", &text(&view[0]["id"])])
            .tag(["a", &currency])
            .tag(["epoch", &text(&rules["rules"]["id"])])
            .tag(["seq", &from["next_seq"].to_string()])
            .tag(["e", &text(&from["head"]), "", "prev"])
            .tag(["p", &payee])
            .tag(["leg", &payee, amount])
            .sign(&keys::secret(signer.to_str().unwrap()).unwrap(), now - 60, [0; 32])
    }
}

fn publish(node: &Node, event: &VerifiedEvent) -> Value {
    let url = format!("http://{}/api/v1/events", node.address);
    let mut answer = ureq::post(&url)
        .header("Content-Type", "application/jsonl")
        .send(event.json())
        .expect("the node answers");
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

fn state(node: &Node, event: &VerifiedEvent) -> Value {
    node.get(&format!("/api/v1/orders/{}", event.id))
}

#[test]
fn a_community_grows_from_one_node_to_four_and_lives_with_three() {
    let council = Council::of_one();
    council.certified(0, "ana", "ben", "2.00");
    drop(council.running());
    let nodes: Vec<_> =
        council.seats[1..].iter().map(|seat| format!("{}={}", seat.key(), seat.url())).collect();
    let nodes: Vec<_> = nodes.iter().map(String::as_str).collect();
    let _ = council.ayni(&[&["witness", "add"], &nodes[..]].concat());
    // Whichever node a payment is handed to, three of four sign it.
    for at in 0..4 {
        council.certified(at, "ana", "ben", "1.00");
    }
    council.in_step();
    for at in 0..4 {
        assert_eq!(council.account(at, "ben")["balance"], "6.00");
    }
    // One begins, and the others sign what their own books say.
    let _ = council.ayni(&["checkpoint"]);
    wait_for("all four to sign the checkpoint", || {
        let said = council.ayni(&["export", "--filter", "{\"kinds\":[4757]}"]);
        (said.lines().count() == 4).then_some(())
    });
    let told = council.ayni(&["currency", "change", "--limit", "25.00"]);
    assert!(told.contains("are in force"), "{told}");
    council.certified(1, "ana", "ben", "1.00");
    council.certified(2, "ben", "ana", "1.00");
    council.in_step();
    // What takes something away binds once three have acknowledged it.
    let _ = council.ayni(&["member", "suspend", "eve"]);
    wait_for("eve to be suspended everywhere", || {
        (0..4).all(|at| council.account(at, "eve")["status"] == "suspended").then_some(())
    });
    let mut council = council;
    council.home(&["ana", "ben"], 0);
    council.seats[3].stop();
    council.certified(1, "ben", "ana", "0.50");
    council.certified(0, "ana", "ben", "0.25");
    // Two of four certify nothing; nothing is lost, and a third that returns completes it.
    council.seats[2].stop();
    let waiting = council.pay(1, "ben", "ana", "0.75", "3");
    assert_ne!(waiting["state"], "certified");
    // Another one would have its number; the same is not signed twice.
    let node = council.seats[1].url();
    let folder = &council.seats[0].folder;
    let words = ["pay", "eve", "0.10", "--key", "ben.key", "--wait", "0", "--node", &node];
    let said = folder.refusal(&words);
    assert!(said.contains("your payment of 0.75 to ana still waits for the witnesses"), "{said}");
    let again = council.pay(1, "ben", "ana", "0.75", "0");
    assert_eq!((&again["id"], &again["signed_before"]), (&waiting["id"], &true.into()));
    let shown = folder.json(&["balance", "ben", "--node", &node]);
    assert_eq!(shown["waiting"]["id"], waiting["id"]);
    let shown = folder.ayni(&["balance", "ben", "--node", &node]);
    assert!(shown.contains("A payment of 0.75 to ana waits"), "{shown}");
    // Nor is another put in its place once a witness has signed it.
    let path = format!("/api/v1/orders/{}", waiting["id"].as_str().unwrap());
    wait_for("a witness to sign", || {
        (council.seats[1].node().get(&path)["state"] == "attested").then_some(())
    });
    let said = folder.refusal(&[&words[..], &["--instead"]].concat());
    assert!(said.contains("a witness has signed the payment that waits"), "{said}");
    council.seats[2].start(&[]);
    wait_for("the payment to complete", || {
        let view = council.seats[0].node().get(&path);
        (view["state"] == "certified").then_some(())
    });
    council.seats[3].start(&[]);
    council.in_step();
    assert_eq!(council.account(3, "ben")["balance"], "5.00");
}

#[test]
fn a_witness_from_an_old_backup_attests_nothing_before_its_peers_told_it_what_it_signed() {
    let mut council = Council::of_four();
    council.home(&["ana", "ben"], 0);
    council.certified(0, "ana", "ben", "1.00");
    let backup = council.seats[1].folder.home.path().join("backup");
    let _ = council.seats[1].folder.ayni(&["backup", backup.to_str().unwrap()]);
    council.certified(0, "ana", "ben", "2.00");
    council.in_step();
    council.seats.iter_mut().for_each(Seat::stop);
    let folder = &council.seats[1].folder;
    std::fs::rename(folder.data(), folder.home.path().join("lost")).unwrap();
    let told = folder.ayni(&["restore", backup.to_str().unwrap()]);
    assert!(told.contains("--newest-copy"), "{told}");
    // Alone it signs nothing: this order has the number of one that it signed and forgot.
    council.seats[1].start(&[]);
    assert_eq!(council.seats[1].node().get("/api/v1/node")["fenced"], true);
    let node = council.seats[1].url();
    let me = council.seats[0].folder.json(&["balance", "ana", "--node", &node]);
    assert_eq!(me["next_seq"], 1, "it forgot the second payment");
    let words = ["pay", "eve", "3.00", "--key", "ana.key", "--node", &node, "--wait", "2"];
    let paid = council.seats[0].folder.json(&words);
    assert_eq!(paid["state"], "waiting", "{paid}");
    // With the others back it learns, and goes on.
    for at in [0, 2, 3] {
        council.seats[at].start(&[]);
    }
    wait_for("the fence to fall", || {
        let fenced = council.seats[1].node().get("/api/v1/node")["fenced"].clone();
        (fenced == false).then_some(())
    });
    council.certified(1, "ben", "ana", "0.50");
    council.in_step();
    let proofs = council.ayni(&["export", "--node", &node, "--filter", "{\"kinds\":[4759]}"]);
    assert_eq!(proofs, "", "nobody signed twice");
    assert_eq!(council.account(1, "eve")["balance"], "0.00");
}

#[test]
fn a_payer_who_signs_twice_is_proven_and_suspended_everywhere() {
    let mut council = Council::of_four();
    council.certified(0, "ana", "ben", "1.00");
    council.in_step();
    let [one, two] = ["ben", "eve"].map(|payee| council.order("ana", payee, "1.00"));
    // Two nodes that cannot speak to each other each attest another one.
    council.seats.iter_mut().for_each(Seat::stop);
    for (at, order) in [(1, &one), (2, &two)] {
        council.seats[at].start(&["--newest-copy"]);
        let answer = publish(council.seats[at].node(), order);
        assert_eq!(answer[0]["accepted"], true, "{answer}");
        assert_eq!(state(council.seats[at].node(), order)["state"], "attested");
        council.seats[at].stop();
    }
    council.seats.iter_mut().for_each(|seat| seat.start(&[]));
    wait_for("ana to be suspended everywhere", || {
        (0..4).all(|at| council.account(at, "ana")["status"] == "suspended").then_some(())
    });
    let third = council.order("ana", "ben", "0.10");
    for seat in &council.seats {
        let answer = publish(seat.node(), &third);
        assert_eq!(answer[0]["accepted"], false, "{answer}");
    }
    // A steward forgives it: two devices can sign by accident.
    council.in_step();
    let _ = council.ayni(&["member", "resume", "ana"]);
    wait_for("ana to be active again", || {
        (0..4).all(|at| council.account(at, "ana")["status"] == "active").then_some(())
    });
}

#[test]
fn a_witness_leaves_and_the_rest_go_on() {
    let council = Council::of_four();
    council.certified(2, "ana", "ben", "1.00");
    let told = council.ayni(&["witness", "remove", &council.seats[3].key()]);
    assert!(told.contains("3 of 3 witnesses"), "{told}");
    council.certified(1, "ana", "ben", "1.00");
    let listed = council.seats[0].folder.json(&["witness", "list"]);
    assert_eq!(listed["witnesses"].as_array().unwrap().len(), 3, "{listed}");
    assert_eq!(listed["behind"], serde_json::json!([]));
    let refused = council.seats[0].folder.refusal(&["witness", "remove", &council.seats[3].key()]);
    assert!(refused.contains("ayni witness list"), "{refused}");
    let impossible = ["witness", "remove", &council.seats[2].key(), "--quorum", "1"];
    assert!(council.seats[0].folder.refusal(&impossible).contains("more than half"));
}

#[test]
fn four_nodes_decide_a_vote_with_one_away() {
    let mut council = Council::of_four();
    council.seats[0].folder.write(
        "well.toml",
        "title = \"A well?\"\nmethod = \"quadratic\"\ncloses_in_secs = 8\n\
         [[option]]\nid = \"well\"\nlabel = \"A new well\"\n",
    );
    let proposed = council.seats[0].folder.json(&["propose", "well.toml", "--key", "ana.key"]);
    let proposal = proposed["id"].as_str().unwrap().to_owned();
    for (at, name) in MEMBERS.into_iter().enumerate() {
        let (key, node) = (format!("{name}.key"), council.seats[at].url());
        let words = ["vote", &proposal, "well=3", "--key", &key, "--node", &node];
        wait_for("the proposal to arrive", || {
            let done = council.seats[0].folder.output(&words);
            done.status.success().then_some(())
        });
    }
    council.seats[3].stop();
    let path = format!("/api/v1/proposals/{proposal}");
    for at in 0..3 {
        wait_for("the vote to be certified", || {
            let view = council.seats[at].node().get(&path);
            (view["state"] == "certified").then_some(())
        });
    }
    council.in_step();
}
