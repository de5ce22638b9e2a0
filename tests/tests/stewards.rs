//! Stewards: people who act for a community with keys of their own, and approve together what its
//! key alone may not do.

use ayni_tests::{Folder, Village, wait_for};

fn key(folder: &Folder, name: &str) -> String {
    folder.ayni(&["key", "new", &format!("{name}.key")])
}

#[test]
fn a_steward_opens_accounts_with_a_key_of_their_own() {
    let village = Village::with_members(&["ana", "ben"]);
    let rui = key(&village.folder, "rui");
    let open = ["member", "add", &rui, "--name", "rui", "--key", "ana.key"];
    let before = village.json(&open);
    assert_eq!(before["state"], "waiting", "ana is no steward yet: {before}");
    let named = village.json(&["steward", "add", "ana"]);
    assert_eq!((named["stewards"].as_array().unwrap().len(), &named["approvals"]), (1, &0.into()));
    wait_for("the account that ana opened", || {
        let members = village.json(&["member", "list"]);
        members["accounts"].as_array()?.iter().any(|member| member["code"] == "rui").then_some(())
    });
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
    node.stop();
}
