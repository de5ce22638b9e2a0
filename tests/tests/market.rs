//! The market on a real node: listings, figures of reciprocity, suggestions.

use ayni_tests::{Village, wait_for};
use serde_json::Value;

fn titles(village: &Village, query: &str) -> Vec<String> {
    let listed = village.node.get(&format!("/api/v1/listings{query}"));
    let listed = listed.as_array().expect("a list").iter();
    listed.map(|listing| listing["title"].as_str().unwrap_or_default().to_owned()).collect()
}

fn list(village: &Village, who: &str, arguments: &[&str]) -> Value {
    let key = format!("{who}.key");
    village.json(&[&["listing", "add"], arguments, &["--key", &key]].concat())
}

#[test]
fn listings_are_added_found_renewed_and_removed() {
    let village = Village::with_members(&["ana", "ben"]);
    let bread = ["Pan de maíz", "--price", "2", "--category", "Food", "--location", "Pisac"];
    let made = list(&village, "ana", &[&bread[..], &["--geohash", "6mc5f"]].concat());
    assert_eq!(made["name"], "pan-de-maiz");
    let _ = list(&village, "ben", &["Help digging", "--type", "want", "--price", "4.00"]);
    assert_eq!(titles(&village, "?type=offer"), ["Pan de maíz"]);
    assert_eq!(titles(&village, "?type=want"), ["Help digging"]);
    for found in ["?q=MAIZ", "?category=food", "?near=6mc5", "?near=pisac"] {
        assert_eq!(titles(&village, found), ["Pan de maíz"], "{found}");
    }
    assert!(titles(&village, "?near=9q8y").is_empty());
    let wrong = village.node.get("/api/v1/listings?type=gift");
    assert_eq!(wrong["code"], "bad-request", "{wrong}");
    let shown = &village.node.get("/api/v1/listings?type=offer")[0];
    assert_eq!(shown["price"]["amount"], "2.00", "written as the currency writes it");
    assert_eq!(shown["trader"]["name"], "ana");
    assert_eq!(shown["trader"]["ratings"]["count"], 0);
    let before = shown["expires_at"].as_u64().unwrap();
    let _ = village.ayni(&["listing", "renew", "pan-de-maiz", "--days", "200", "--key", "ana.key"]);
    let after = village.node.get("/api/v1/listings?type=offer")[0]["expires_at"].as_u64().unwrap();
    assert!(after > before + 100 * 86_400);
    let _ = village.ayni(&["listing", "remove", "pan-de-maiz", "--key", "ana.key"]);
    assert!(titles(&village, "?type=offer").is_empty());
}

#[test]
fn a_listing_that_cannot_be_is_refused_with_what_to_do() {
    let village = Village::with_members(&["ana"]);
    let _ = list(&village, "ana", &["Bread"]);
    let cases: [(&[&str], &str); 5] = [
        (&["listing", "add", "Bread"], "`ayni listing renew bread`"),
        (&["listing", "add", "Eggs", "--price", "1.555"], "at most 2 decimals"),
        (&["listing", "add", "Eggs", "--geohash", "pisac"], "is no geohash"),
        (&["listing", "add", "…"], "needs a title"),
        (&["listing", "renew", "eggs"], "no listing called eggs"),
    ];
    for (arguments, expected) in cases {
        let said = village.refusal(&[arguments, &["--key", "ana.key"]].concat());
        assert!(said.contains(expected), "{arguments:?} said: {said}");
    }
}

#[test]
fn a_strangers_listing_is_not_on_the_communitys_shelf() {
    let village = Village::with_members(&["ana"]);
    let stranger = village.ayni(&["key", "new", "stranger.key"]);
    let said = village.ayni(&["listing", "add", "Watches", "--key", "stranger.key"]);
    assert!(said.contains("signs for no account here; ask a steward"), "{said}");
    let said = village.ayni(&["listing", "add", "Bread", "--key", "ana.key"]);
    assert!(said.contains("is listed as bread"), "{said}");
    let told = village.ayni(&["listing", "add", "Jam", "--key", "ana.key", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["name"], "jam", "{told}");
    let mut shown = titles(&village, "");
    shown.sort();
    assert_eq!(shown, ["Bread", "Jam"]);
    let _ = village.ayni(&["member", "add", &stranger, "--name", "stranger"]);
    let shown = titles(&village, "");
    assert!(shown.contains(&"Watches".to_owned()), "once it has an account: {shown:?}");
}

#[test]
fn a_ring_is_found_and_explained() {
    let village = Village::with_members(&["ana", "ben", "carla"]);
    let offers = [
        ("ana", "Bread", "food", "2.00", "Spanish", "lessons"),
        ("ben", "Bicycle repair", "repair", "3.00", "Loaves", "food"),
        ("carla", "Spanish lesson", "lessons", "2.50", "My bicycle", "repair"),
    ];
    for (who, offered, kind, price, wanted, wanted_kind) in offers {
        let _ = list(&village, who, &[offered, "--price", price, "--category", kind]);
        let _ = list(&village, who, &[wanted, "--type", "want", "--category", wanted_kind]);
    }
    let _ = village.ayni(&["pay", "carla", "5.00", "--key", "ben.key"]);
    let found = village.json(&["match", "ana"]);
    let [ring] = found["rings"].as_array().expect("rings").as_slice() else { panic!("{found}") };
    assert_eq!(ring["steps"].as_array().map(Vec::len), Some(3));
    // Ben owes 5.00 and earns 1.00 more than he spends; Carla holds 5.00 and spends 0.50 more.
    assert_eq!(ring["easing"], "1.00", "{ring}");
    let sentence = ring["sentence"].as_str().unwrap();
    assert!(sentence.contains("ana’s “Bread” suits ben (2.00)"), "{sentence}");
    assert!(sentence.ends_with("balances come 1.00 nearer to zero."), "{sentence}");
    assert_eq!(found["fits"].as_array().map(Vec::len), Some(2), "what concerns ana: {found}");
    let told = village.ayni(&["match"]);
    assert!(told.starts_with("Rings of trades:\n- "), "{told}");
}

#[test]
fn figures_are_those_of_the_books() {
    let village = Village::with_members(&["ana", "ben", "carla", "dario"]);
    for other in ["ben", "carla", "dario"] {
        let key = format!("{other}.key");
        let _ = village.ayni(&["pay", other, "4.00", "--key", "ana.key"]);
        let _ = village.ayni(&["pay", "ana", "4.00", "--key", &key]);
    }
    let _ = village.ayni(&["pay", "ben", "6.00", "--key", "ana.key"]);
    let figures = village.json(&["metrics"]);
    let community = &figures["community"];
    assert_eq!((&community["volume"], &community["trades"]), (&"30.00".into(), &7.into()));
    assert_eq!(community["net_internal_debt"], "6.00");
    assert_eq!((&community["chi"], &community["dyadic"]), (&0.8.into(), &0.8.into()));
    assert_eq!(community["cyclic"], 0.0);
    assert_eq!(community["mutual_links"], 1.0);
    let members = figures["members"].as_array().expect("members");
    let of = |name: &str| members.iter().find(|member| member["name"] == name).expect("a member");
    assert_eq!((&of("ana")["earned"], &of("ana")["spent"]), (&"12.00".into(), &"18.00".into()));
    assert_eq!(of("ana")["balance_index"], 0.8);
    assert!(of("ana")["ayni"].is_u64() && of("ben")["ayni"].is_null(), "{figures}");
    assert_eq!(of("ben")["new"], true);
    let refused = village.node.get("/api/v1/metrics/37470:x:y");
    assert_eq!(refused["code"], "bad-request");
}

#[test]
fn figures_are_published_by_the_node() {
    let village = Village::with_members(&["ana", "ben", "carla", "dario"]);
    let Village { folder, node } = village;
    node.stop();
    let node = folder.start_under("export AYNI_METRICS__PUBLISH_SECS=1; exec \"$0\" \"$@\"", &[]);
    let village = Village { folder, node };
    for other in ["ben", "carla", "dario"] {
        let _ = village.ayni(&["pay", other, "4.00", "--key", "ana.key"]);
    }
    let ana = village.json(&["key", "show", "ana.key"])["hex"].as_str().unwrap().to_owned();
    let node = village.node.get("/api/v1/node")["pubkey"].clone();
    let filter = format!("{{\"kinds\":[30382],\"#d\":[\"{ana}\"]}}");
    let published = wait_for("an assertion about ana", || {
        let text = village.ayni(&["export", "--filter", &filter]);
        serde_json::from_str::<Value>(text.lines().next()?).ok()
    });
    assert_eq!(published["pubkey"], node, "signed by the node");
    let tags = published["tags"].as_array().unwrap();
    let value = |name: &str| tags.iter().find(|tag| tag[0] == name).map(|tag| tag[1].clone());
    assert_eq!((value("rank"), value("spent")), (Some("0".into()), Some("12.00".into())));
    let of_currency = village.ayni(&["export", "--filter", "{\"kinds\":[30384]}"]);
    assert_eq!(of_currency.lines().count(), 1, "one for the currency, replaced as it changes");
}
