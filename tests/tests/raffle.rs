//! Walk 4 of the README: a raffle from its announcement to the payout, audited by a stranger.

use ayni_tests::{Folder, Village, wait_for};

const RAFFLE: &str = r#"
title = "For the school roof"
price = "2.00"
max_per_person = 5
closes_in_secs = 7

[[to]]
who = "roof"
bp = 5000

[[prize]]
text = "Half the pot"
share = 5000

[[prize]]
text = "A basket of apples"
"#;

#[test]
fn tickets_are_paid_a_winner_is_drawn_and_anyone_can_check() {
    let village = Village::with_members(&["ana", "ben", "carla"]);
    let cause = village.ayni(&["key", "new", "roof.key"]);
    let _ = village.ayni(&["member", "add", &cause, "--name", "roof", "--type", "cause"]);
    village.folder.write("raffle.toml", RAFFLE);
    let announced = village.json(&["raffle", "announce", "raffle.toml"]);
    let id = announced["id"].as_str().unwrap().to_owned();
    let _ = village.ayni(&["raffle", "buy", &id, "3", "--key", "ana.key"]);
    let _ = village.ayni(&["raffle", "buy", &id, "1", "--key", "ben.key"]);
    assert_eq!([village.balance("ana"), village.balance("ben")], ["-6.00", "-2.00"]);
    let raffle = wait_for("the raffle to be paid out", || {
        let raffle = village.node.get(&format!("/api/v1/raffles/{id}"));
        let state = raffle["state"].as_str().unwrap_or_default().to_owned();
        ["paid", "finished"].contains(&state.as_str()).then_some(raffle)
    });
    assert_eq!(raffle["units"], 4);
    let winners = raffle["draw"]["winners"].as_array().unwrap();
    assert_eq!(winners.len(), 2, "{raffle}");
    let paid = raffle["payouts"].as_array().unwrap();
    assert!(paid.iter().all(|payout| payout["paid"] == true), "{raffle}");
    assert_eq!(village.balance("roof"), "4.00", "half of the pot went to the cause");

    // A stranger, with nothing but the events and another folder.
    let events = village.ayni(&["export"]);
    let stranger = Folder::new();
    stranger.write("village.jsonl", &format!("{events}\n"));
    let report = stranger.json(&["verify", "village.jsonl", "--insecure-test-chain"]);
    assert_eq!(report["digest"].as_str().unwrap(), village.node.digest());
    assert_eq!(report["finding"], "certified", "{report}");
    // Without the flag a test chain is no chain, and nothing follows from its charter.
    assert_ne!(stranger.output(&["verify", "village.jsonl"]).status.code(), Some(0));
    // A single changed byte is noticed.
    stranger.write("forged.jsonl", &events.replacen("\"2.00\"", "\"1.00\"", 1));
    assert_eq!(
        stranger.output(&["verify", "forged.jsonl", "--insecure-test-chain"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_ticket_that_would_be_refused_is_not_paid_for() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["key", "new", "eve.key"]);
    village.folder.write(
        "raffle.toml",
        "title = \"?\"\nprice = \"2.00\"\nmax_per_person = 2\nmax_units = 3\n\
         closes_in_secs = 3600\n[[prize]]\ntext = \"The pot\"\n",
    );
    let announced = village.json(&["raffle", "announce", "raffle.toml"]);
    let id = announced["id"].as_str().unwrap();
    let refused = |words: &[&str], says: &str| {
        let said = village.refusal(&[&["raffle", "buy", id], words].concat());
        assert!(said.contains(says), "{words:?} said: {said}");
    };
    refused(&["3", "--key", "ana.key"], "One person may hold 2; you hold 0. Nothing was paid.");
    refused(&["--key", "eve.key"], "Only members");
    assert_eq!(village.balance("ana"), "0.00");
    let _ = village.ayni(&["raffle", "buy", id, "2", "--key", "ana.key"]);
    refused(&["--key", "ana.key"], "One person may hold 2; you hold 2.");
    refused(&["2", "--key", "ben.key"], "Only 1 are left.");
    assert_eq!([village.balance("ana"), village.balance("ben")], ["-4.00", "0.00"]);
    // A payment that was made without a ticket buys one.
    let escrow = village.node.get(&format!("/api/v1/raffles/{id}"))["escrow"].clone();
    let escrow = escrow.as_str().unwrap();
    let pay = |sum| {
        let paid = village.json(&["pay", escrow, sum, "--key", "ben.key"]);
        paid["id"].as_str().unwrap().to_owned()
    };
    let (odd, exact) = (pay("0.50"), pay("2.00"));
    refused(&["--order", &odd, "--key", "ben.key"], "not the price of tickets");
    let _ = village.ayni(&["raffle", "buy", id, "--order", &exact, "--key", "ben.key"]);
    assert_eq!(village.balance("ben"), "-2.50");
    assert_eq!(village.node.get(&format!("/api/v1/raffles/{id}"))["units"], 3);
    let _ = village.ayni(&["raffle", "cancel", id]);
    refused(&["--key", "ben.key"], "called");
    wait_for("what bought the ticket to be given back", || {
        (village.balance("ben") == "-0.50").then_some(())
    });
}

#[test]
fn raffles_are_off_where_no_law_is_configured() {
    let village = Village::with_members(&["ana", "roof"]);
    village.folder.write("ayni.toml", "[beacon]\ninsecure_test_chain = true\n");
    let Village { folder, node } = village;
    node.stop();
    let node = folder.start(&[]);
    let village = Village { folder, node };
    village.folder.write("raffle.toml", RAFFLE);
    let before = village.ayni(&["export"]).lines().count();
    let said = village.refusal(&["raffle", "announce", "raffle.toml"]);
    assert!(said.contains("raffle.gates"), "{said}");
    assert_eq!(village.ayni(&["export"]).lines().count(), before, "no escrow account was opened");
}

/// The node keeps no secret of the chain here, as none does of drand's: somebody types the round in.
#[test]
fn a_round_can_be_entered_by_hand() {
    let folder = Folder::new();
    let _ = folder.ayni(&["init", "--country", "PT", "--insecure-test-chain"]);
    let config =
        "[beacon]\ninsecure_test_chain = true\nsources = []\n\n[raffle.gates.PT]\nallowed = true\n";
    folder.write("ayni.toml", config);
    let secret = folder.data().join("keys/beacon.key");
    std::fs::rename(&secret, folder.home.path().join("elsewhere.key")).unwrap();
    let node = folder.start(&[]);
    let village = Village { folder, node };
    village.open("ana");
    village.folder.write(
        "raffle.toml",
        "title = \"?\"\nprice = \"1.00\"\ncloses_in_secs = 5\n[[prize]]\ntext = \"The pot\"\n",
    );
    let announced = village.json(&["raffle", "announce", "raffle.toml"]);
    let (id, round) = (announced["id"].as_str().unwrap(), announced["round"].as_u64().unwrap());
    let _ = village.ayni(&["raffle", "buy", id, "--key", "ana.key"]);
    let state = || {
        village.node.get(&format!("/api/v1/raffles/{id}"))["state"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    wait_for("the list to be sealed", || (state() == "sealed").then_some(()));
    let exported = village.ayni(&["key", "show", "elsewhere.key"]);
    assert!(exported.starts_with("npub1"));
    let line = village.ayni(&["key", "export", "own", "--hex", "--key", "elsewhere.key"]);
    let seed = ayni_protocol::hex::decode::<32>(&line).unwrap();
    let (_, beacon) = ayni_witness::beacon::Chain::test(seed, 0, 1);
    let wrong = ayni_protocol::hex::encode(&beacon.sign(round + 1));
    let said = village.refusal(&["raffle", "draw", id, "--signature", &wrong]);
    assert!(said.contains("not the beacon's signature"), "{said}");
    let signature = ayni_protocol::hex::encode(&beacon.sign(round));
    wait_for("the round to be due and the draw to be paid", || {
        let _ = village.folder.output(&["raffle", "draw", id, "--signature", &signature]);
        ["paid", "finished"].contains(&state().as_str()).then_some(())
    });
    assert_eq!(village.balance("ana"), "0.00", "ana bought the only ticket and won the pot");
    let said = village.ayni(&["raffle", "show", id]);
    for line in
        ["? (", "tickets: 1 at 1.00, 1.00 in the pot", "The pot  ana", "1.00 paid to ana: prize"]
    {
        assert!(said.contains(line), "{said}");
    }
}
