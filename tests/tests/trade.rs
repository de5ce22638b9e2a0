//! Two communities on two nodes that follow each other: somebody in one is paid by somebody in the
//! other, as one payment.

use ayni_tests::{Village, wait_for};

/// Two villages in step. The first node's key has a clearing account in both, at 2 hours for 3.
fn neighbours() -> (Village, Village, String) {
    let hours = Village::with_members(&["ana"]);
    let moons = Village::with_members(&["quin"]);
    let _ = hours.ayni(&["peer", "add", &moons.node.ws()]);
    let _ = moons.ayni(&["peer", "add", &hours.node.ws()]);
    let (hours, moons) = (restarted(hours), restarted(moons));
    let clearing = hours.node.get("/api/v1/node")["pubkey"].as_str().unwrap().to_owned();
    let address = |village: &Village| {
        village.json(&["member", "list"])["currency"].as_str().unwrap().to_owned()
    };
    let (hour, moon) = (address(&hours), address(&moons));
    for (village, with, rate) in [(&hours, &moon, "2:3"), (&moons, &hour, "3:2")] {
        let _ =
            village.ayni(&["member", "add", &clearing, "--name", "trade", "--type", "clearing"]);
        let agree = ["trade", "agree", with, "--rate", rate, "--limit", "10.00"];
        let _ = village.ayni(&[&agree[..], &["--clearing", &clearing]].concat());
    }
    wait_for("both to hold the same", || {
        (hours.node.digest() == moons.node.digest()).then_some(())
    });
    (hours, moons, moon)
}

/// The village with its node started again where it was, so that it reads its list of peers.
fn restarted(village: Village) -> Village {
    let Village { folder, node } = village;
    let again = format!("exec \"$0\" run --listen {}", node.address);
    node.stop();
    let node = folder.start_under(&again, &[]);
    Village { folder, node }
}

/// How the holds ended, by the resolutions that the clearing node publishes, once there are so many.
fn told(village: &Village, count: usize) -> Vec<String> {
    let clearing = village.node.get("/api/v1/node")["pubkey"].clone();
    let mut holds = std::collections::BTreeSet::new();
    let lines = wait_for("the resolutions", || {
        let lines = village.ayni(&["export", "--filter", "{\"kinds\":[4758]}"]);
        (lines.lines().count() >= count).then_some(lines)
    });
    let op = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["pubkey"], clearing);
        let value = |name: &str| {
            let mut tags = event["tags"].as_array().unwrap().iter();
            tags.find(|tag| tag[0] == name).unwrap()[1].as_str().unwrap().to_owned()
        };
        assert!(holds.insert(value("e")), "told twice: {line}");
        value("op")
    };
    lines.lines().map(op).collect()
}

#[test]
fn somebody_is_paid_in_another_currency() {
    let (hours, moons, moon) = neighbours();
    let said = hours.ayni(&["pay", "quin", "4.50", "--in", &moon, "--key", "ana.key"]);
    assert_eq!(said, "Paid 4.50 to quin for 3.00 (posted).");
    assert_eq!([hours.balance("ana"), hours.balance("trade")], ["-3.00", "3.00"]);
    wait_for("quin's node to have heard", || (moons.balance("quin") == "4.50").then_some(()));
    assert_eq!(moons.balance("trade"), "-4.50");

    let dear = ["pay", "quin", "1.50", "--in", &moon, "--at-most", "0.99", "--key", "ana.key"];
    assert!(hours.refusal(&dear).contains("it costs 1.00"));
    let nobody = ["pay", "rui", "1.50", "--in", &moon, "--key", "ana.key"];
    assert!(hours.refusal(&nobody).contains("nobody there is called rui"));
    let unknown = format!("{moon}s");
    let unknown = ["pay", "quin", "1.50", "--in", &unknown, "--key", "ana.key"];
    assert!(hours.refusal(&unknown).contains("no agreement"));

    assert_eq!(told(&hours, 1), ["post"]);
    let listed = hours.json(&["trade", "list"]);
    assert_eq!((&listed[0]["rate"][0], &listed[0]["limit"]), (&2.into(), &"10.00".into()));
    assert_eq!([hours.balance("ana"), hours.balance("trade")], ["-3.00", "3.00"]);
    wait_for("equal digests", || (hours.node.digest() == moons.node.digest()).then_some(()));
}

/// What the other community lends is used up: the hold is void and the amount free again.
#[test]
fn what_cannot_be_delivered_is_given_back() {
    let (hours, moons, moon) = neighbours();
    let _ = hours.ayni(&["pay", "quin", "9.00", "--in", &moon, "--key", "ana.key"]);
    wait_for("quin to be paid", || (moons.balance("quin") == "9.00").then_some(()));
    let said = hours.refusal(&["pay", "quin", "1.50", "--in", &moon, "--key", "ana.key"]);
    assert!(said.contains("nothing was paid"), "{said}");
    assert_eq!([hours.balance("ana"), hours.balance("trade")], ["-6.00", "6.00"]);
    let told = told(&hours, 6);
    let count = |op: &str| told.iter().filter(|it| *it == op).count();
    assert_eq!((count("post"), count("void")), (1, 5), "each attempt once: {told:?}");
    let account = hours.json(&["balance", "ana"]);
    assert_eq!((&account["pending"], &account["available"]), (&"0.00".into(), &"14.00".into()));
}
