//! Members and balances out of other systems, through a real node.

use ayni_tests::{Village, root};

fn sample(name: &str) -> String {
    root().join("tests/imports").join(name).display().to_string()
}

fn balances(village: &Village, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| village.balance(name)).collect()
}

#[test]
fn members_and_balances_are_brought_once() {
    let village = Village::with_members(&[]);
    let file = sample("ces.csv");
    let import = ["member", "import", &file, "--from", "ces"];
    let foretold = village.json(&[&import[..], &["--dry-run"]].concat());
    assert_eq!(foretold["would_import"].as_array().map(Vec::len), Some(4));
    assert!(!village.folder.home.path().join("members").exists(), "a dry run makes no keys");
    let done = village.json(&import);
    assert_eq!(
        (&done["opened"], &done["charges"], &done["sum"]),
        (&4.into(), &1.into(), &"0.00".into())
    );
    let names = ["VALE0000", "VALE0001", "VALE0002", "VALE0003"];
    assert_eq!(balances(&village, &names), ["12.50", "-42.00", "31.25", "-1.75"]);
    let before = village.node.digest();
    let again = village.json(&import);
    assert_eq!((&again["opened"], &again["charges"]), (&0.into(), &0.into()));
    assert_eq!(village.node.digest(), before, "a second time does nothing");
    // Who is handed their key pays as anybody does; who was locked does not.
    let _ = village.ayni(&["pay", "VALE0001", "2.00", "--key", "members/VALE0002.key"]);
    assert_eq!(balances(&village, &names[1..3]), ["-40.00", "29.25"]);
    let locked = village.refusal(&["pay", "VALE0001", "1.00", "--key", "members/VALE0003.key"]);
    assert!(locked.contains("policy:"), "{locked}");
    let listed = village.ayni(&["member", "list"]);
    assert!(listed.contains("VALE0001"), "{listed}");
    let statement = village.json(&["statement", "VALE0001"]);
    let entries = statement["entries"].as_array().expect("entries");
    assert!(entries.iter().any(|entry| entry["reason"] == "opening"), "{statement}");
}

#[test]
fn every_system_has_its_sample() {
    for (file, system, name, balance) in [
        ("cyclos.csv", "cyclos", "ana", "-1234.50"),
        ("komunitin.csv", "komunitin", "VALE0002", "40.25"),
        ("integralces.json", "integralces", "VALE0001", "-42.00"),
    ] {
        let village = Village::with_members(&[]);
        let file = sample(file);
        let import = ["member", "import", &file, "--from", system];
        let comma: &[&str] = if system == "cyclos" { &["--decimal-comma"] } else { &[] };
        let _ = village.ayni(&[&import[..], comma].concat());
        assert_eq!(village.balance(name), balance, "{system}");
    }
}

#[test]
fn a_wrong_file_imports_nothing() {
    let village = Village::with_members(&["ana"]);
    let before = village.node.digest();
    village.folder.write("wrong.csv", "code,balance\nben,1.00\ncarla,x\nben,2.00\n");
    let import = ["member", "import", "wrong.csv", "--from", "komunitin"];
    let said = village.refusal(&import);
    for expected in ["line 3: x is no amount", "line 4: ben was there before", "2 rows are wrong"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    village.folder.write("wrong.csv", "code,balance\nben,1.00\n");
    let said = village.refusal(&import);
    assert!(said.contains("come to 1.00 together") && said.contains("--rest"), "{said}");
    assert_eq!(village.node.digest(), before);
}

#[test]
fn an_account_has_one_opening_balance_and_may_be_there_before() {
    let village = Village::with_members(&["ana"]);
    village.folder.write("one.csv", "code,balance\nana,-5.00\nben,5.00\n");
    let import = ["member", "import", "one.csv", "--from", "komunitin"];
    let done = village.json(&import);
    assert_eq!(done["opened"], 1, "ana was there before");
    assert_eq!(balances(&village, &["ana", "ben"]), ["-5.00", "5.00"]);
    village.folder.write("one.csv", "code,balance\nana,-6.00\nben,6.00\n");
    let said = village.refusal(&import);
    assert!(said.contains("line 2: ana has an opening balance already"), "{said}");
    assert_eq!(balances(&village, &["ana", "ben"]), ["-5.00", "5.00"]);
}
