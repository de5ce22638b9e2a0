//! Asking, declining and paying; batches; merit, ratings and statements: on a real node.

use std::collections::BTreeSet;

use ayni_node::book::Book;
use ayni_protocol::{Event, EventId};
use ayni_tests::Village;
use ayni_witness::beacon::Known;
use serde_json::Value;

fn id(answer: &Value) -> String {
    answer["id"].as_str().expect("an id").to_owned()
}

fn states(village: &Village, who: &str) -> Vec<String> {
    let key = format!("{who}.key");
    let found = village.json(&["request", "list", "--all", "--key", &key]);
    let states = found.as_array().expect("a list").iter();
    let mut states: Vec<String> =
        states.map(|request| request["state"].as_str().unwrap_or_default().to_owned()).collect();
    states.sort();
    states
}

#[test]
fn a_request_is_paid_once_declined_or_taken_back() {
    let village = Village::with_members(&["ana", "ben", "carla"]);
    let ask = |amount: &str| {
        let words = ["request", "ask", amount, "--of", "ben", "--memo", "firewood"];
        id(&village.json(&[&words[..], &["--key", "ana.key"]].concat()))
    };
    let (paid, declined, taken) = (ask("3"), ask("4.00"), ask("5.00"));
    let _ = village.ayni(&["pay", "--request", &paid[..12], "--key", "ben.key"]);
    assert_eq!([village.balance("ana"), village.balance("ben")], ["3.00", "-3.00"]);
    let twice = village.refusal(&["pay", "--request", &paid, "--key", "ben.key"]);
    assert!(twice.contains("request:"), "{twice}");
    let _ = village.ayni(&["request", "decline", &declined[..8], "--key", "ben.key"]);
    let _ = village.ayni(&["request", "cancel", &taken, "--key", "ana.key"]);
    assert_eq!(states(&village, "ben"), ["cancelled", "declined", "paid"]);
    let cases: [(&[&str], &str); 8] = [
        (&["pay", "--request", &declined, "--key", "ben.key"], "request:"),
        (&["request", "decline", &paid, "--key", "ben.key"], "is paid already"),
        (&["request", "ask", "1.00", "--of", "ana", "--key", "ana.key"], "cannot ask yourself"),
        (&["request", "ask", "1.005", "--key", "ana.key"], "is no amount"),
        (&["request", "ask", "-1", "--key", "ana.key"], "an amount is above zero"),
        (&["request", "decline", "abcdef", "--key", "ben.key"], "no request of yours"),
        (&["pay", "--request", &taken[..8], "--key", "ben.key"], "request:"),
        (&["pay", "--request", "abcdef", "--key", "ben.key"], "no request of yours begins with"),
    ];
    for (arguments, expected) in cases {
        let said = village.refusal(arguments);
        assert!(said.contains(expected), "{arguments:?} said: {said}");
    }
    let open = ask("2.00");
    let others = village.refusal(&["request", "decline", &open, "--key", "carla.key"]);
    assert!(others.contains("only whom a request is addressed to"), "{others}");
}

#[test]
fn a_code_leaves_the_amount_to_whoever_pays() {
    let village = Village::with_members(&["ana", "ben"]);
    let code = id(&village.json(&["request", "ask", "--key", "ana.key"]));
    let bare = village.refusal(&["pay", "--request", &code, "--key", "ben.key"]);
    assert!(bare.contains("leaves the amount to you"), "{bare}");
    for amount in ["1.50", "2.00"] {
        let _ = village.ayni(&["pay", "--request", &code, amount, "--key", "ben.key"]);
    }
    assert_eq!(village.balance("ana"), "3.50");
    let view = village.node.get(&format!("/api/v1/requests/{code}"));
    assert_eq!(
        (&view["state"], view["orders"].as_array().map(Vec::len)),
        (&"open".into(), Some(2))
    );
}

#[test]
fn a_table_is_paid_once_however_often_it_is_run() {
    let village = Village::with_members(&["ana", "ben", "carla"]);
    village
        .folder
        .write("wages.csv", "To;Amount;Memo\nben;3;\"flour; and eggs\"\ncarla;4.50;\nben;3;\n");
    let pay = ["pay", "--csv", "wages.csv", "--key", "ana.key"];
    let foretold = village.json(&[&pay[..], &["--dry-run"]].concat());
    assert_eq!(foretold["total"], "10.50");
    assert_eq!(village.balance("ana"), "0.00", "a dry run pays nothing");
    assert_eq!(village.json(&pay), serde_json::json!({"paid": 3, "total": "10.50"}));
    for _ in 0..2 {
        assert!(village.ayni(&pay).starts_with("All 3 rows are paid"));
        assert_eq!(village.balance("ana"), "-10.50", "paid once");
    }
    village.folder.write("wages.csv", "to,amount\nben,3\ncarla,9.50\nben,3\n");
    let changed = village.refusal(&pay);
    assert!(
        changed.contains("line 3: the table was changed after this row was begun"),
        "{changed}"
    );
    assert_eq!(village.balance("ana"), "-10.50");
}

#[test]
fn a_table_goes_on_where_it_stopped() {
    let village = Village::with_members(&["ana", "ben", "carla", "dario"]);
    village.folder.write("wages.csv", "to,amount\nben,3.00\ncarla,4.00\ndario,5.00\n");
    let pay = ["pay", "--csv", "wages.csv", "--key", "ana.key"];
    let _ = village.ayni(&["member", "suspend", "ana"]);
    let refused = village.refusal(&pay);
    assert!(
        refused.contains("line 2 (ben) is not paid; 0 of 3") && refused.contains("policy:"),
        "{refused}"
    );
    let _ = village.ayni(&["member", "resume", "ana"]);
    let _ = village.ayni(&["pay", "dario", "1.00", "--key", "ana.key"]);
    // What was begun and never stored is signed anew, under the account's next number.
    assert!(village.ayni(&pay).starts_with("All 3 rows are paid, 12.00"));
    assert_eq!(village.balance("ana"), "-13.00");
}

#[test]
fn a_wrong_table_pays_nothing_and_names_each_row() {
    let village = Village::with_members(&["ana", "ben"]);
    let table = "to,amount\nben,1.00\nbne,2.00\nben,free\nana,1.00\n,\"1,00\"\n";
    village.folder.write("wages.csv", table);
    let pay = ["pay", "--csv", "wages.csv", "--key", "ana.key"];
    let said = village.refusal(&pay);
    for expected in [
        "line 3: nobody here is called bne",
        "line 4: \"free\" is no amount, such as 1.00",
        "line 5: you cannot pay yourself",
        "line 6: nobody is named; \"1,00\" is no amount",
        "4 rows are wrong, so nothing was paid",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    village.folder.write("wages.csv", "to,amount\nben,11.00\nben,9.50\n");
    let said = village.refusal(&pay);
    assert!(said.contains("come to 20.50, and the account can pay 20.00"), "{said}");
    village.folder.write("wages.csv", "who knows\n1\n");
    assert!(village.refusal(&pay).contains("the table has no column to"));
    assert_eq!(village.balance("ana"), "0.00");
}

#[test]
fn merit_is_awarded_and_listed() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["merit", "award", "ana", "7", "--reason", "cooking"]);
    let _ = village.ayni(&["merit", "award", "ana", "-2", "--reason", "correction"]);
    let listed = village.ayni(&["merit", "list"]);
    let lines: Vec<Vec<&str>> =
        listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1], ["ana", "5"], "{listed}");
    let none = village.refusal(&["merit", "award", "ana", "0", "--reason", "x"]);
    assert!(none.contains("thanks nobody"), "{none}");
}

#[test]
fn a_trade_is_rated_by_its_parties() {
    let village = Village::with_members(&["ana", "ben", "carla"]);
    let order = id(&village.json(&["pay", "ben", "2.00", "--key", "ana.key"]));
    let _ = village.ayni(&["rate", &order, "0.5", "--key", "ana.key"]);
    let _ = village.ayni(&["rate", &order, "0.9", "--note", "on time", "--key", "ana.key"]);
    let _ = village.ayni(&["rate", &order, "1", "--key", "ben.key"]);
    let of_ben = village.json(&["ratings", "ben"]);
    assert_eq!((&of_ben["count"], &of_ben["mean"]), (&1.into(), &0.9.into()), "the later one");
    assert_eq!(of_ben["ratings"][0]["note"], "on time");
    assert_eq!(village.json(&["ratings", "ana"])["mean"], 1.0);
    let other = village.refusal(&["rate", &order, "1", "--key", "carla.key"]);
    assert!(other.contains("only who paid and who was paid"), "{other}");
}

#[test]
fn a_statement_has_the_days_that_are_asked_for() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "2.00", "--key", "ana.key"]);
    let entries = |bounds: &[&str]| {
        let statement = village.json(&[&["statement", "ana"], bounds].concat());
        statement["entries"].as_array().map(Vec::len)
    };
    assert_eq!(entries(&["--from", "2020-01-01"]), Some(1));
    assert_eq!(entries(&["--to", "2020-01-01"]), Some(0));
    assert_eq!(entries(&["--from", "2020-01-01", "--to", "2099-12-31"]), Some(1));
    let said = village.refusal(&["statement", "ana", "--from", "2026-02-30"]);
    assert!(said.contains("is no day: write it as 2026-03-01"), "{said}");
}

#[test]
fn a_payment_names_what_it_is_for() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["listing", "add", "Eggs", "--key", "ben.key"]);
    let order = village.json(&["pay", "ben", "2.00", "--for", "eggs", "--key", "ana.key"]);
    let filter = format!("{{\"ids\":[\"{}\"]}}", id(&order));
    let event = village.ayni(&["export", "--filter", &filter]);
    assert!(event.contains(":eggs\",\"\",\"for\"]"), "{event}");
    let none = village.refusal(&["pay", "ben", "2.00", "--for", "milk", "--key", "ana.key"]);
    assert!(none.contains("they list nothing called milk"), "{none}");
}

/// Folds the lines of a proof, and nothing else.
fn folded(proof: &str) -> Book {
    let mut book = Book::new(Known { insecure_test_chains: true });
    for line in proof.lines() {
        book.apply(&Event::parse(line).unwrap().verify().unwrap());
    }
    book
}

#[test]
fn a_stranger_checks_an_order_alone() {
    let village = Village::with_members(&["ana", "ben", "carla", "dario"]);
    for (from, to) in [("ana.key", "ben"), ("ben.key", "carla"), ("carla.key", "dario")] {
        let _ = village.ayni(&["pay", to, "2.00", "--key", from]);
    }
    let order = id(&village.json(&["pay", "ben", "3.00", "--key", "ana.key"]));
    let proof = village.node.text(&format!("/api/v1/proof/{order}"), "application/jsonl");
    let book = folded(&proof);
    let order: EventId = order.parse().unwrap();
    assert_eq!(book.ledger.order_state(&order).state, ayni_lets::view::OrderState::Certified);
    assert_eq!(book.waiting().count(), 0, "nothing is missing");
    let all = village.ayni(&["export"]);
    let all: BTreeSet<&str> = all.lines().collect();
    let sent: BTreeSet<&str> = proof.lines().collect();
    assert!(sent.is_subset(&all) && sent.len() < all.len() - 4, "no more than is needed");
    village.folder.write("proof.jsonl", &proof);
    assert!(
        village.ayni(&["verify", "proof.jsonl", "--insecure-test-chain"]).ends_with("certified")
    );
    let none = village.node.get(&format!("/api/v1/proof/{}", "ab".repeat(32)));
    assert_eq!(none["code"], "not-found");
}

#[test]
fn a_stranger_checks_a_ballot_and_a_ticket_alone() {
    let village = Village::with_members(&["ana", "ben"]);
    let question = "title = \"Well?\"\nmethod = \"quadratic\"\nmin = -10\nmax = 10\ncloses_in_secs = 600\n\n[[option]]\nid = \"yes\"\nlabel = \"Yes\"\n";
    village.folder.write("question.toml", question);
    let proposal = id(&village.json(&["propose", "question.toml"]));
    let ballot = id(&village.json(&["vote", &proposal[..8], "yes=3", "--key", "ana.key"]));
    let raffle = "title = \"Spring\"\nprice = \"0.50\"\nmax_per_person = 5\ncloses_in_secs = 600\n\n[[prize]]\ntext = \"A basket\"\n";
    village.folder.write("raffle.toml", raffle);
    let raffle = id(&village.json(&["raffle", "announce", "raffle.toml"]));
    let ticket = id(&village.json(&["raffle", "buy", &raffle[..8], "2", "--key", "ben.key"]));
    for (list, one, title) in
        [(&["tally"][..], &proposal, "Well?"), (&["raffle", "list"], &raffle, "Spring")]
    {
        let listed = village.ayni(list);
        assert!(listed.contains(&one[..12]) && listed.contains(title), "{listed}");
    }
    assert!(village.ayni(&["raffle", "show", &raffle[..8]]).starts_with("Spring ("));
    assert!(village.ayni(&["tally", &proposal[..8]]).starts_with("Well? ("));
    assert!(village.refusal(&["tally", "beef"]).contains("see `ayni tally`"));
    for proved in [ballot, ticket] {
        let proof = village.node.text(&format!("/api/v1/proof/{proved}"), "application/jsonl");
        let (book, id) = (folded(&proof), proved.parse().unwrap());
        assert!(book.has(&id));
        let whole = village.ayni(&["export"]);
        let verdict = folded(&whole).verdict(&id);
        assert_eq!(book.verdict(&id), verdict, "the proof says what the whole book says");
    }
}
