//! Walk 2 of the README: members pay each other, by typed commands, through a real node.

use ayni_protocol::{Draft, Keys, hex, kind};
use ayni_tests::Village;

#[test]
fn members_pay_and_the_books_sum_to_zero() {
    let village = Village::with_members(&["ana", "ben", "carla"]);
    let _ =
        village.ayni(&["pay", "ben", "8.00", "--memo", "two jars of honey", "--key", "ana.key"]);
    let _ = village.ayni(&["pay", "carla", "3.25", "--key", "ben.key"]);
    let balances = ["ana", "ben", "carla"].map(|name| village.balance(name));
    assert_eq!(balances, ["-8.00", "4.75", "3.25"]);
    let currency = village.json(&["member", "list"])["currency"].as_str().unwrap().to_owned();
    let totals = village.node.get(&format!("/api/v1/currencies/{currency}"));
    assert_eq!(totals["totals"]["sum"], "0.00");
    assert_eq!(totals["totals"]["orders"], 2);
    let statement = village.ayni(&["statement", "ben", "--csv"]);
    assert!(statement.starts_with("date,"), "{statement}");
    assert_eq!(statement.lines().count(), 3, "{statement}");
    assert!(statement.contains("8.00") && statement.contains("3.25"), "{statement}");
}

#[test]
fn a_refused_order_says_why_and_changes_nothing() {
    let village = Village::with_members(&["ana", "ben", "carla"]);
    let before = village.node.digest();
    let cases: [(&[&str], &str); 9] = [
        (&["pay", "ben", "0", "--key", "ana.key"], "an amount is above zero"),
        (&["pay", "ben", "-3", "--key", "ana.key"], "an amount is above zero"),
        (&["member", "limit", "ana", "-3"], "-3 is no amount of this currency"),
        (&["pay", "ben", "20.01", "--key", "ana.key"], "limit:"),
        (&["pay", "ben", "1.5", "--key", "ana.key"], "did you mean 1.50?"),
        (&["pay", "ben", "1.00", "--seq", "7", "--key", "ana.key"], "missing:"),
        (&["pay", "ana", "1.00", "--key", "ana.key"], "yourself"),
        (&["pay", "nobody", "1.00", "--key", "ana.key"], "nobody"),
        (&["pay", "ben", "1.00", "--from", "carla", "--key", "ana.key"], "restricted:"),
    ];
    for (arguments, expected) in cases {
        let said = village.refusal(arguments);
        assert!(said.contains(expected), "{arguments:?} said: {said}");
    }
    assert_eq!(village.node.digest(), before);
    assert_eq!([village.balance("ana"), village.balance("ben")], ["0.00", "0.00"]);
}

#[test]
fn a_memo_paints_no_false_line() {
    let village = Village::with_members(&["ana", "ben"]);
    let memo = "honey\norder  ben  999.00\u{1b}[2K\u{202e}";
    let _ = village.ayni(&["pay", "ben", "1.00", "--memo", memo, "--key", "ana.key"]);
    let shown = village.ayni(&["statement", "ben"]);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(shown.contains("honey\u{fffd}order  ben  999.00\u{fffd}[2K\u{fffd}"), "{shown}");
    assert_eq!(village.json(&["statement", "ben"])["entries"][0]["memo"], memo);
}

#[test]
fn a_short_name_is_short_and_no_key() {
    let village = Village::with_members(&["ana"]);
    let (ana, eve) = (village.ayni(&["key", "show", "ana.key"]), "ab".repeat(32));
    let add = |name: &str| village.folder.output(&["member", "add", &eve, "--name", name]);
    for wrong in ["", "  ", &"a".repeat(300), &ana] {
        let output = add(wrong);
        assert_eq!(output.status.code(), Some(1), "{wrong:?} was taken");
        assert!(String::from_utf8_lossy(&output.stderr).contains("short name"), "{wrong:?}");
    }
    assert!(add(" eve ").status.success());
    assert_eq!(village.balance("eve"), "0.00");
}

#[test]
fn the_books_survive_a_restart() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "1.00", "--key", "ana.key"]);
    let before = village.node.digest();
    let Village { folder, node } = village;
    node.kill();
    let node = folder.start(&[]);
    assert_eq!(node.digest(), before);
    let village = Village { folder, node };
    let _ = village.ayni(&["pay", "ana", "0.40", "--key", "ben.key"]);
    assert_eq!(village.balance("ana"), "-0.60");
}

#[test]
fn an_amount_with_other_decimals_is_refused_before_it_is_signed() {
    let village = Village::with_members(&["ana", "ben"]);
    let npub = village.ayni(&["key", "new", "rui.key"]);
    let before = village.ayni(&["export"]).lines().count();
    village.folder.write(
        "raffle.toml",
        "title = \"?\"\nprice = \"2\"\ncloses_in_secs = 60\n[[prize]]\ntext = \"The pot\"\n",
    );
    let other = format!("37470:{}:moon", "11".repeat(32));
    for (arguments, says) in [
        (&["member", "limit", "ben", "5"][..], "did you mean 5.00?"),
        (&["member", "add", &npub, "--name", "rui", "--limit", "5"], "did you mean 5.00?"),
        (&["trade", "agree", &other, "--limit", "100"], "did you mean 100.00?"),
        (&["raffle", "announce", "raffle.toml"], "did you mean 2.00?"),
        (&["charge", "opening", "1.5", "--from", "ana", "--to", "ben"], "did you mean 1.50?"),
    ] {
        let said = village.refusal(arguments);
        assert!(said.contains(says), "{arguments:?} said: {said}");
    }
    assert_eq!(village.ayni(&["export"]).lines().count(), before, "nothing was published");
}

#[test]
fn a_limit_can_be_raised_and_an_account_suspended() {
    let village = Village::with_members(&["ana", "ben"]);
    assert!(village.refusal(&["pay", "ben", "30.00", "--key", "ana.key"]).contains("limit:"));
    let _ = village.ayni(&["member", "limit", "ana", "40.00"]);
    let _ = village.ayni(&["pay", "ben", "30.00", "--key", "ana.key"]);
    let _ = village.ayni(&["member", "suspend", "ana"]);
    assert!(village.refusal(&["pay", "ben", "1.00", "--key", "ana.key"]).contains("policy:"));
    assert_eq!(village.balance("ana"), "-30.00");
}

#[test]
fn nobody_has_two_accounts_and_an_account_can_be_renamed() {
    let village = Village::with_members(&["ana", "ben"]);
    let npub = village.ayni(&["key", "show", "ana.key"]);
    let before = village.node.digest();
    let said = village.refusal(&["member", "add", &npub, "--name", "anna"]);
    assert!(said.contains("has an account already, called ana (active)"), "{said}");
    assert!(said.contains("ayni member rename ana NAME"), "{said}");
    assert_eq!(village.node.digest(), before);
    assert!(village.refusal(&["member", "rename", "ana", "ben"]).contains("called ben already"));
    let _ = village.ayni(&["member", "rename", "ana", "anna"]);
    let _ = village.ayni(&["pay", "anna", "1.00", "--key", "ben.key"]);
    assert_eq!(village.balance("anna"), "1.00");
    assert!(village.refusal(&["balance", "ana"]).contains("nobody here is called ana"));
    let _ = village.ayni(&["pay", "ben", "1.00", "--key", "ana.key"]);
    let _ = village.ayni(&["member", "close", "anna"]);
    let said = village.refusal(&["member", "add", &npub, "--name", "ana"]);
    assert!(said.contains("ayni member resume anna"), "{said}");
}

#[test]
fn the_community_books_what_it_decided() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["charge", "opening", "5.00", "--from", "ana", "--to", "ben"]);
    assert_eq!([village.balance("ana"), village.balance("ben")], ["-5.00", "5.00"]);
    let paid = village.json(&["pay", "ana", "2.00", "--key", "ben.key"]);
    let paid = paid["id"].as_str().unwrap();
    let _ = village.ayni(&["charge", "reversal", "--order", paid, "--note", "paid twice"]);
    assert_eq!([village.balance("ana"), village.balance("ben")], ["-5.00", "5.00"]);
    let statement = village.ayni(&["statement", "ben", "--csv"]);
    assert!(statement.contains("paid twice"), "{statement}");
    assert!(statement.lines().next().is_some_and(|line| line.ends_with(",reason")), "{statement}");
    assert!(statement.contains(",reversal") && statement.contains(",opening"), "{statement}");
    let shown = village.ayni(&["statement", "ben"]);
    let (headings, rows) = shown.split_once('\n').unwrap();
    assert!(headings.starts_with("date"), "{shown}");
    assert!(rows.lines().all(|row| row.starts_with("20")), "{shown}");
    assert!(rows.contains("charge: opening") && rows.contains("charge: reversal"), "{shown}");
    let again = village.refusal(&["charge", "reversal", "--order", paid]);
    assert!(again.contains("was taken back already, by the charge"), "{again}");
    let unknown = "11".repeat(32);
    let unknown = village.refusal(&["charge", "reversal", "--order", &unknown]);
    assert!(unknown.contains("does not count (unknown)"), "{unknown}");
    assert_eq!([village.balance("ana"), village.balance("ben")], ["-5.00", "5.00"]);
    for (arguments, says) in [
        (&["charge", "gift", "1.00", "--from", "ana", "--to", "ben"][..], "no reason of a charge"),
        (&["charge", "correction", "1.0", "--from", "ana", "--to", "ben"], "did you mean 1.00?"),
        (&["charge", "correction", "1.00"], "name who is charged"),
        (&["charge", "demurrage"], "no certified checkpoint"),
        (&["approve", paid, "--key", "ana.key"], "no steward"),
    ] {
        let said = village.refusal(arguments);
        assert!(said.contains(says), "{arguments:?} said: {said}");
    }
    let _ = village.ayni(&["checkpoint"]);
    assert!(village.refusal(&["charge", "demurrage"]).contains("nothing is due"));
}

#[test]
fn the_rules_change_and_payments_go_on() {
    let village = Village::with_members(&["ana", "ben"]);
    let npub = village.ayni(&["key", "new", "commons.key"]);
    let _ = village.ayni(&["member", "add", &npub, "--name", "commons", "--type", "community"]);
    let _ = village.ayni(&["pay", "ben", "5.00", "--key", "ana.key"]);
    let before = village.json(&["currency", "show"]);
    assert_eq!((&before["epoch"], &before["rules"]["limit"]), (&0.into(), &"20.00".into()));
    for (arguments, says) in [
        (&["--limit", "20.00"][..], "nothing would change"),
        (&["--limit", "40"], "did you mean 40.00?"),
        (&["--fee", "1.00"], "--treasury WHO"),
        (&["--levy", "payee:2%:rui"], "nobody here is called rui"),
        (&["--limit", "40.00", "--key", "ana.key"], "community's key"),
    ] {
        let said = village.refusal(&[&["currency", "change"], arguments].concat());
        assert!(said.contains(says), "{arguments:?} said: {said}");
    }
    let typed = ["currency", "change", "--limit", "40.00", "--levy", "payee:10%:commons"];
    let told = village.json(&[&typed[..], &["--dry-run"]].concat());
    assert_eq!(told["state"], "not published");
    assert_eq!(village.json(&["currency", "show"]), before);
    let told = village.ayni(&typed);
    for says in [
        "limit: 20.00 -> 40.00",
        "levy: none -> payee:10%:commons",
        "Payments under way",
        "are in force",
    ] {
        assert!(told.contains(says), "{told}");
    }
    let after = village.json(&["currency", "show"]);
    assert_eq!((&after["epoch"], &after["rules"]["limit"]), (&1.into(), &"40.00".into()));
    assert_eq!(after["rules"]["memo"], before["rules"]["memo"], "what is not named stays");
    let _ = village.ayni(&["pay", "ben", "30.00", "--key", "ana.key"]);
    let balances = ["ana", "ben", "commons"].map(|name| village.balance(name));
    assert_eq!(balances, ["-35.00", "32.00", "3.00"]);
}

/// It was signed before the rules changed, and comes after: nobody attests it, and the account pays
/// on at the same number.
#[test]
fn a_payment_that_comes_after_its_rules_are_gone_has_lapsed() {
    let village = Village::with_members(&["ana", "ben"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let before = village.json(&["currency", "show"]);
    let community = text(&village.node.get("/api/v1/communities")[0]["id"]);
    let ben = text(&village.json(&["balance", "ben"])["account"]);
    let signer = village.folder.home.path().join("ana.key");
    let order = Draft::new(kind::ORDER)
        .tag(["h", &community])
        .tag(["a", &text(&before["currency"])])
        .tag(["epoch", &text(&before["id"])])
        .tag(["seq", "0"])
        .tag(["e", &text(&before["id"]), "", "prev"])
        .tag(["p", &ben])
        .tag(["leg", &ben, "8.00"])
        .sign(
            &ayni_node::keys::secret(signer.to_str().unwrap()).unwrap(),
            std::time::UNIX_EPOCH.elapsed().unwrap().as_secs(),
            [0; 32],
        );
    let _ = village.ayni(&["currency", "change", "--limit", "40.00"]);
    let Village { folder, node } = village;
    node.stop();
    folder.write("order.jsonl", order.json());
    let _ = folder.ayni(&["import", "order.jsonl"]);
    let village = Village { node: folder.start(&[]), folder };
    let view = village.node.get(&format!("/api/v1/orders/{}", order.id));
    assert_eq!(view["state"], "lapsed", "{view}");
    assert!(text(&view["reason"]).contains("sign the payment again"), "{view}");
    let _ = village.ayni(&["pay", "ben", "8.00", "--key", "ana.key"]);
    assert_eq!(village.balance("ana"), "-8.00");
}

/// Publishes a version of the rules that follows those in force, written by hand; its id.
fn rules_by_hand(village: &Village, charter: &str, limit: &str) -> String {
    let shown = village.json(&["currency", "show"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let community = text(&village.node.get("/api/v1/communities")[0]["id"]);
    let secret = village.ayni(&["key", "export", "community", "--hex"]);
    let event = Draft::new(kind::RULES)
        .tag(["h", &community])
        .tag(["a", &text(&shown["currency"])])
        .tag(["epoch", &(shown["epoch"].as_u64().unwrap() + 1).to_string()])
        .tag(["e", charter, "", "charter"])
        .tag(["e", &text(&shown["id"]), "", "prev"])
        .tag(["enforce", "hard"])
        .tag(["limit", "default", limit])
        .sign(
            &Keys::from_secret(hex::decode(&secret).unwrap()).unwrap(),
            std::time::UNIX_EPOCH.elapsed().unwrap().as_secs(),
            [0; 32],
        );
    village.folder.write("rules.jsonl", event.json());
    let _ = village.ayni(&["import", "rules.jsonl"]);
    event.id.to_string()
}

#[test]
fn a_change_is_refused_while_another_waits() {
    let village = Village::with_members(&["ana"]);
    let charter = village.node.get("/api/v1/communities")[0]["charter"].clone();
    // Void: a currency's decimals never change. Nobody waits for it.
    let _ = rules_by_hand(&village, charter.as_str().unwrap(), "30.000");
    let change = |limit| ["currency", "change", "--limit", limit];
    assert!(village.ayni(&change("25.00")).contains("are in force"));
    // One whose charter has not come waits, as one does that stewards have not approved.
    let waiting = rules_by_hand(&village, &"ab".repeat(32), "30.00");
    let said = village.refusal(&change("35.00"));
    assert!(said.contains(&format!("ayni approve {waiting}")), "{said}");
    let told = village.json(&[&change("35.00")[..], &["--instead"]].concat());
    assert_eq!(told["state"], "in force");
    assert_eq!(village.json(&["currency", "show"])["rules"]["limit"], "35.00");
}

#[test]
fn an_account_is_closed_at_zero_and_can_be_opened_again() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "5.00", "--key", "ana.key"]);
    let said = village.refusal(&["member", "close", "ana"]);
    assert!(said.contains("ayni charge writeoff 5.00 --from WHO --to ana"), "{said}");
    let _ = village.ayni(&["pay", "ana", "5.00", "--key", "ben.key"]);
    let _ = village.ayni(&["member", "close", "ana"]);
    assert_eq!(village.json(&["balance", "ana"])["status"], "closed");
    for (arguments, says) in [
        (&["pay", "ben", "1.00", "--key", "ana.key"][..], "your account is closed"),
        (&["pay", "ana", "1.00", "--key", "ben.key"], "closed or may not receive"),
        (&["member", "close", "ana"], "closed already"),
        (&["member", "suspend", "ana"], "is closed"),
    ] {
        let said = village.refusal(arguments);
        assert!(said.contains(says), "{arguments:?} said: {said}");
    }
    assert!(village.ayni(&["member", "resume", "ana"]).contains("open again"));
    let _ = village.ayni(&["pay", "ana", "1.00", "--key", "ben.key"]);
    assert_eq!(village.balance("ana"), "1.00");
}

#[test]
fn an_account_that_the_rules_pay_to_is_not_closed() {
    let village = Village::with_members(&["ana", "ben", "commons"]);
    let _ = village.ayni(&["currency", "change", "--levy", "payee:10%:commons"]);
    let said = village.refusal(&["member", "close", "commons"]);
    assert!(said.contains("ayni currency change"), "{said}");
    let _ = village.ayni(&["currency", "change", "--levy", "none"]);
    let _ = village.ayni(&["member", "close", "commons"]);
    let said = village.refusal(&["currency", "change", "--treasury", "commons"]);
    assert!(said.contains("is closed"), "{said}");
    let _ = village.ayni(&["pay", "ben", "1.00", "--key", "ana.key"]);
}
