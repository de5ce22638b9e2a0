//! A whole raffle on the real beacon: it closed before recorded quicknet rounds, was drawn by one,
//! and is audited by `ayni verify` without any flag.
//!
//! The events are made here by a real desk with fixed keys, so the committed file can be made
//! again: `AYNI_BLESS=1 cargo test -p ayni-tests --test golden`. The signatures of the rounds are
//! drand's own, from docs/vectors/drand-quicknet.json.

use std::path::PathBuf;

use ayni_lets::{AccountType, Body, Policy};
use ayni_node::admission::Origin;
use ayni_node::config::Config;
use ayni_protocol::{Amount, EventId, Timestamp, VerifiedEvent, hex};
use ayni_raffle::spec::{Place, RaffleSpec};
use ayni_tests::world::{SimNode, Town, Written, keys, order};
use ayni_tests::{Folder, root};
use ayni_witness::Timings;
use ayni_witness::beacon::Chain;

const ROUND: u64 = 1_000;
const BEGIN: Timestamp = 1_692_805_000;
const CLOSE: Timestamp = 1_692_805_764;
const TIMINGS: Timings =
    Timings { min_notice: 0, seal_window: 600, margin: 300, beacon_deadline: 86_400 };

fn file() -> PathBuf {
    root().join("tests/golden/quicknet-raffle.jsonl")
}

/// drand's signature of a recorded round.
fn signature(round: u64) -> Vec<u8> {
    let text = std::fs::read_to_string(root().join("docs/vectors/drand-quicknet.json")).unwrap();
    let vectors: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rounds = vectors["rounds"].as_array().unwrap();
    let found = rounds.iter().find(|known| known["round"] == round).unwrap();
    hex::decode::<48>(found["signature"].as_str().unwrap()).unwrap().to_vec()
}

struct Village {
    town: Town,
    node: SimNode,
}

impl Village {
    fn new() -> Self {
        let witness = keys(100);
        let town = Town::found(&witness, 4, Chain::quicknet(), TIMINGS, BEGIN);
        let mut node = SimNode::new(witness);
        let gates = "[raffle.gates.PT]\nallowed = true\n";
        node.desk.config.raffle = Config::parse(gates, std::iter::empty()).unwrap().raffle;
        let mut village = Self { town, node };
        for event in village.town.founding.clone() {
            village.submit(&event, Origin::Import, BEGIN);
        }
        village
    }

    fn submit(&mut self, event: &VerifiedEvent, origin: Origin, now: Timestamp) -> EventId {
        assert_eq!(self.node.take(event, origin, now, None), Ok(Written::Acknowledged));
        event.id
    }

    fn announce(&mut self) -> (EventId, Policy) {
        let now = BEGIN + 10;
        let mut escrow = Policy::open(self.town.currency.clone(), keys(500).public());
        escrow.account_type = AccountType::Escrow;
        escrow.signers = [keys(100).public()].into();
        let opening = Body::from(escrow.clone()).draft(&self.town.id);
        self.submit(&opening.sign(&self.town.key, now, [1; 32]), Origin::Client, now);
        let mut spec: RaffleSpec = toml::from_str(&format!(
            "price = \"2.00\"\nopens = {now}\ncloses = {CLOSE}\nreserves = 1\n\
             [[titles]]\ntext = \"Rifa\"\nlang = \"pt\"\n\
             [[prizes]]\ntext = \"The pot\"\nshare_bp = 10000\n[[prizes]]\ntext = \"Apples\"\n\
             [legal]\ncountry = \"PT\"\n"
        ))
        .unwrap();
        spec.currency = Some(self.town.currency.clone());
        spec.escrow = Some(escrow.account);
        let place = Place {
            community: self.town.id,
            charter: self.town.id,
            round: ROUND,
            seq: 0,
            previous: None,
        };
        let raffle = ayni_raffle::draft::raffle(&spec, &place).sign(&self.town.key, now, [1; 32]);
        (self.submit(&raffle, Origin::Client, now), escrow)
    }

    fn buy(&mut self, raffle: EventId, buyer: u64, quantity: u32, now: Timestamp) {
        let price = Amount::parse("2.00").unwrap().minor * i64::from(quantity);
        let (buyer, escrow) = (keys(buyer), keys(500));
        let order = order(&self.town, &self.node.book, &buyer, &escrow, price, now).unwrap();
        let order = self.submit(&order, Origin::Client, now);
        let ticket = ayni_raffle::draft::ticket(self.town.id, raffle, quantity, Some(order));
        self.submit(&ticket.sign(&buyer, now, [2; 32]), Origin::Client, now);
    }

    /// The whole raffle, from the founding of the village to the payout.
    fn play() -> (Self, EventId) {
        let mut village = Self::new();
        let (raffle, _) = village.announce();
        for (buyer, quantity, at) in [(1, 1, 100), (2, 3, 200), (3, 2, 300), (1, 2, 400)] {
            village.buy(raffle, buyer, quantity, BEGIN + at);
        }
        village.node.tick(CLOSE + 1, None);
        let chain = Chain::quicknet();
        let drawn_at = chain.time_of(ROUND) + 2;
        let round = chain.verify(ROUND, &signature(ROUND)).expect("drand signed it");
        let beacon = ayni_witness::draft::beacon(&round).sign(&keys(100), drawn_at, [4; 32]);
        village.submit(&beacon, Origin::Client, drawn_at);
        village.node.tick(drawn_at + 1, None);
        (village, raffle)
    }
}

#[test]
fn the_committed_raffle_is_the_one_that_was_played() {
    let (village, _) = Village::play();
    let lines: String =
        village.node.disk.iter().map(|event| format!("{}\n", event.json())).collect();
    if std::env::var_os("AYNI_BLESS").is_some() {
        std::fs::create_dir_all(file().parent().unwrap()).unwrap();
        std::fs::write(file(), &lines).unwrap();
    }
    let committed = std::fs::read_to_string(file()).expect("tests/golden/quicknet-raffle.jsonl");
    assert!(committed == lines, "the events changed; bless them if the protocol meant them to");
}

#[test]
fn anyone_audits_it_without_a_flag() {
    let (village, raffle) = Village::play();
    let view = village.node.book.drum.raffle(&raffle, CLOSE + 2_000).unwrap();
    assert_eq!((view.line.state, view.line.units), ("paid", 8));
    let folder = Folder::new();
    let report = folder.json(&["verify", file().to_str().unwrap()]);
    assert_eq!(report["finding"], "certified", "{report}");
    assert_eq!(report["digest"], hex::encode(&village.node.book.digest()));
    // The signature of the next round draws nothing here.
    let text = std::fs::read_to_string(file()).unwrap();
    let beacon = text.lines().find(|line| line.contains("\"kind\":4719")).unwrap();
    let without: String =
        text.lines().filter(|line| *line != beacon).map(|line| format!("{line}\n")).collect();
    folder.write("undrawn.jsonl", &without);
    assert_eq!(folder.output(&["verify", "undrawn.jsonl"]).status.code(), Some(1));
}

#[test]
fn a_wrong_round_is_no_beacon() {
    assert!(Chain::quicknet().verify(ROUND + 1, &signature(ROUND)).is_none());
}
