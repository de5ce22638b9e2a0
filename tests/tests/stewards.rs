//! Stewards: people who act for a community with keys of their own, and approve together what its
//! key alone may not do.

use ayni_protocol::{Draft, kind};
use ayni_tests::{Folder, Village, wait_for};

fn key(folder: &Folder, name: &str) -> String {
    folder.ayni(&["key", "new", &format!("{name}.key")])
}

#[test]
fn a_steward_opens_accounts_with_a_key_of_their_own() {
    let village = Village::with_members(&["ana", "ben"]);
    let rui = key(&village.folder, "rui");
    let open = ["member", "add", &rui, "--name", "rui", "--key", "ana.key"];
    let early = village.refusal(&open);
    assert!(early.contains("neither the community's nor a steward's"), "{early}");
    let named = village.json(&["steward", "add", "ana"]);
    assert_eq!((named["stewards"].as_array().unwrap().len(), &named["approvals"]), (1, &0.into()));
    assert_eq!(village.json(&open)["state"], "counted");
    let _ = village.ayni(&["member", "limit", "rui", "30.00", "--key", "ana.key"]);
    let before = village.ayni(&["export"]).lines().count();
    for taking in [
        &["member", "suspend", "rui"][..],
        &["member", "limit", "rui", "5.00"],
        &["member", "close", "rui"],
        &["charge", "opening", "1.00", "--from", "ben", "--to", "rui"],
    ] {
        let said = village.refusal(&[taking, &["--key", "ana.key"]].concat());
        assert!(said.contains("a steward's key does not do this alone"), "{taking:?}: {said}");
    }
    assert_eq!(village.ayni(&["export"]).lines().count(), before, "nothing was published");
    let _ = village.ayni(&["pay", "rui", "1.00", "--key", "ben.key"]);
    assert_eq!(village.balance("rui"), "1.00");
    assert!(village.refusal(&["steward", "add", "ana"]).contains("a steward already"));
    let kept = village.json(&["witness", "list"]);
    assert_eq!(kept["behind"].as_array().unwrap().len(), 0, "the witnesses are the same: {kept}");
}

#[test]
fn two_of_three_stewards_approve_what_is_not_an_everyday_act() {
    let folder = Folder::new();
    let [one, two, three] = ["one", "two", "three"].map(|name| key(&folder, name));
    let stewards = ["--steward", &one, "--steward", &two, "--steward", &three];
    let many = folder.refusal(&[&["init", "--approvals", "4"][..], &stewards].concat());
    assert!(many.contains("cannot give 4 approvals"), "{many}");
    let founded = folder.json(&[&["init", "--approvals", "2"][..], &stewards].concat());
    let rules = founded["awaited"].as_str().expect("the rules wait").to_owned();
    let node = folder.start(&[]);
    let ana = key(&folder, "ana");
    let early = folder.ayni(&["member", "add", &ana, "--name", "ana"]);
    assert!(early.contains("waits for stewards to approve the rules"), "{early}");
    let stranger = folder.refusal(&["approve", &rules, "--key", "ana.key"]);
    assert!(stranger.contains("no steward"), "{stranger}");
    let _ = folder.ayni(&["approve", &rules, "--key", "one.key"]);
    assert!(folder.output(&["currency", "show"]).status.code() == Some(1), "one is not enough");
    let _ = folder.ayni(&["approve", &rules, "--key", "three.key"]);
    let ben = key(&folder, "ben");
    let _ = folder.ayni(&["member", "add", &ben, "--name", "ben", "--key", "two.key"]);
    let _ = folder.ayni(&["pay", "ben", "2.00", "--key", "ana.key"]);
    // Taking something away is not an everyday act.
    let lowered = folder.json(&["member", "suspend", "ana"]);
    let act = lowered["id"].as_str().expect("an id").to_owned();
    assert_eq!(lowered["state"], "waiting");
    assert_eq!(folder.json(&["balance", "ana"])["status"], "active");
    for steward in ["one.key", "two.key"] {
        let _ = folder.ayni(&["approve", &act, "--key", steward]);
    }
    wait_for("the suspension", || {
        (folder.json(&["balance", "ana"])["status"] == "suspended").then_some(())
    });
    // What waits is listed, and a charge says that it waits.
    let listed = |says: &str| {
        let listed = folder.ayni(&["approve"]);
        assert!(listed.contains(says), "{listed}");
    };
    listed("Nothing waits for approval.");
    let words = ["charge", "correction", "1.00", "--from", "ben", "--to", "ana", "--note", "tea"];
    let told = folder.ayni(&words);
    assert!(told.contains("waits for stewards to approve it"), "{told}");
    let line = told.lines().last().unwrap();
    let charge = line.split(' ').nth(2).unwrap();
    assert_eq!(line, format!("ayni approve {charge} --key steward.key"));
    listed(&format!("{charge}  correction of 1.00: tea"));
    assert_eq!(folder.json(&["balance", "ben"])["balance"], "2.00");
    for steward in ["two.key", "three.key"] {
        let _ = folder.ayni(&["approve", charge, "--key", steward]);
    }
    wait_for("the charge", || {
        (folder.json(&["balance", "ben"])["balance"] == "1.00").then_some(())
    });
    listed("Nothing waits for approval.");
    node.stop();
}

/// A member's own "opening" of an account waits for ever and says nothing of the books.
#[test]
fn a_member_cannot_make_the_audit_provisional() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "1.00", "--key", "ana.key"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let community = text(&village.node.get("/api/v1/communities")[0]["id"]);
    let currency = text(&village.json(&["currency", "show"])["currency"]);
    let ana = village.folder.home.path().join("ana.key");
    let ana = ayni_node::keys::secret(ana.to_str().unwrap()).unwrap();
    let policy = |version: &str, status: &str| {
        Draft::new(kind::POLICY)
            .tag(["h", &community])
            .tag(["a", &currency])
            .tag(["p", &"22".repeat(32)])
            .tag(["v", version])
            .tag(["type", "member"])
            .tag(["status", status])
            .tag(["can", "pay", "receive"])
            .tag(["signer", &"22".repeat(32)])
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let first = policy("1", "active").sign(&ana, now, [0; 32]);
    let second = policy("2", "active").tag(["e", &first.id.to_string(), "", "prev"]);
    let second = second.sign(&ana, now, [0; 32]);
    village.folder.write("acts.jsonl", &format!("{}\n{}\n", first.json(), second.json()));
    let _ = village.ayni(&["import", "acts.jsonl"]);
    village.folder.write("village.jsonl", &format!("{}\n", village.ayni(&["export"])));
    let verify = ["verify", "village.jsonl", "--insecure-test-chain"];
    let report = village.json(&verify);
    assert_eq!(report["finding"], "certified", "{report}");
    let waits: Vec<_> = report["waits"].as_array().unwrap().iter().collect();
    assert_eq!(waits.len(), 2, "{report}");
    assert!(waits.iter().any(|it| it["id"] == first.id.to_string()), "{report}");
    assert!(village.ayni(&verify).contains(&format!("waiting {} (kind 4751)", first.id)));
}
