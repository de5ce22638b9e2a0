//! Conversations, written down as they go over the wire.

mod answers;
mod limits;
mod privacy;

use std::sync::atomic::Ordering::Relaxed;

use ayni_protocol::{Draft, Kind, Prefix, Rejection, kind};
use expect_test::expect;

use crate::memory::NOW;
use crate::session::talk::{CHALLENGE, Talk, URL, check, check_with, keys, settings};
use crate::session::{Answer, Question, Work};
use crate::settings::{AuthMode, Settings};

#[test]
fn stored_events_come_newest_first_then_eose_then_live_ones() {
    check(
        r#"
        def old ana 1@-9 | old
        def new ben 1@-5 | new
        def live ana 1 | live
        ["EVENT",<old>]
        ["EVENT",<new>]
        ["EVENT",<old>]
        ["REQ","s",{"kinds":[1]},{"authors":["ana.key"]}]
        ["EVENT",<live>]
        ["CLOSE","s"]
        ["CLOSE","unknown"]
        ["EVENT",<live>]
        "#,
        &expect![[r#"
            > ["EVENT",<old>]
            < ["OK","old.id",true,""]
            > ["EVENT",<new>]
            < ["OK","new.id",true,""]
            > ["EVENT",<old>]
            < ["OK","old.id",true,"duplicate: this event is already stored here"]
            > ["REQ","s",{"kinds":[1]},{"authors":["ana.key"]}]
            < ["EVENT","s",<new>]
            < ["EVENT","s",<old>]
            < ["EOSE","s",["finish"]]
            > ["EVENT",<live>]
            < ["EVENT","s",<live>]
            < ["OK","live.id",true,""]
            > ["CLOSE","s"]
            > ["CLOSE","unknown"]
            > ["EVENT",<live>]
            < ["OK","live.id",true,"duplicate: this event is already stored here"]
        "#]],
    );
}

#[test]
fn a_request_replaces_the_one_of_its_name() {
    check(
        r#"
        def note ana 1 | note
        def like ana 7 | +
        ["REQ","s",{"kinds":[1]}]
        ["REQ","s",{"kinds":[7]}]
        store note
        store like
        ["REQ","s",{"since":1.5}]
        store like
        "#,
        &expect![[r#"
            > ["REQ","s",{"kinds":[1]}]
            < ["EOSE","s",["finish"]]
            > ["REQ","s",{"kinds":[7]}]
            < ["EOSE","s",["finish"]]
            > store note
            > store like
            < ["EVENT","s",<like>]
            > ["REQ","s",{"since":1.5}]
            < ["CLOSED","s","invalid: since and until must be whole unix seconds"]
            > store like
        "#]],
    );
}

#[test]
fn what_real_clients_send_while_idle() {
    check(
        r#"
        ["PING"]
        ["LIMITS",{}]
        ["REQ","ndk",{"kinds":[99999],"limit":0}]
        ["REQ","nostr-tools",{"ids":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],"limit":0}]
        ["REQ","e\"\\é",{"ids":[]}]
        ["COUNT","c",{"authors":[]}]
        "#,
        &expect![[r#"
            > ["PING"]
            > ["LIMITS",{}]
            > ["REQ","ndk",{"kinds":[99999],"limit":0}]
            < ["EOSE","ndk",["finish"]]
            > ["REQ","nostr-tools",{"ids":["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],"limit":0}]
            < ["EOSE","nostr-tools"]
            > ["REQ","e\"\\é",{"ids":[]}]
            < ["EOSE","e\"\\é",["finish"]]
            > ["COUNT","c",{"authors":[]}]
            < ["COUNT","c",{"count":0}]
        "#]],
    );
}

#[test]
fn limit_zero_is_live_only() {
    check(
        r#"
        def old ana 1@-9 | old
        def new ana 1 | new
        store old
        ["REQ","s",{"kinds":[1],"limit":0}]
        store new
        "#,
        &expect![[r#"
            > store old
            > ["REQ","s",{"kinds":[1],"limit":0}]
            < ["EOSE","s"]
            > store new
            < ["EVENT","s",<new>]
        "#]],
    );
}

#[test]
fn limits_count_for_each_filter_alone() {
    check(
        r#"
        def a ana 1@-9 | a
        def b ana 1@-8 | b
        def c ana 7@-7 | c
        def d ben 7@-6 | d
        store a
        store b
        store c
        store d
        ["REQ","s",{"authors":["ana.key"],"limit":2},{"kinds":[7],"limit":1},{"kinds":[7],"limit":2}]
        ["COUNT","n",{"authors":["ana.key"],"limit":1},{"kinds":[7]}]
        ["COUNT","n",{"kinds":[7]}]
        "#,
        &expect![[r#"
            > store a
            > store b
            > store c
            > store d
            > ["REQ","s",{"authors":["ana.key"],"limit":2},{"kinds":[7],"limit":1},{"kinds":[7],"limit":2}]
            < ["EVENT","s",<c>]
            < ["EVENT","s",<b>]
            < ["EVENT","s",<d>]
            < ["EOSE","s",["more"]]
            > ["COUNT","n",{"authors":["ana.key"],"limit":1},{"kinds":[7]}]
            < ["COUNT","n",{"count":4}]
            > ["COUNT","n",{"kinds":[7]}]
            < ["COUNT","n",{"count":2}]
        "#]],
    );
}

#[test]
fn a_search_is_answered_in_a_req_where_there_is_one() {
    let script = r#"
        def pan ana 1 | Pan de maíz
        def sara ana 1 | sara
        ["EVENT",<pan>]
        ["EVENT",<sara>]
        ["REQ","s",{"search":"MAIZ language:es"}]
        def live ana 1 | maíz tierno
        ["EVENT",<live>]
        ["COUNT","c",{"search":"maiz"}]
        ["NEG-OPEN","n",{"search":"maiz"},"6100000200"]
        "#;
    let settings = Settings { search: true, ..settings() };
    let expected = expect![[r#"
        > ["EVENT",<pan>]
        < ["OK","pan.id",true,""]
        > ["EVENT",<sara>]
        < ["OK","sara.id",true,""]
        > ["REQ","s",{"search":"MAIZ language:es"}]
        < ["EVENT","s",<pan>]
        < ["EOSE","s",["finish"]]
        > ["EVENT",<live>]
        < ["EVENT","s",<live>]
        < ["OK","live.id",true,""]
        > ["COUNT","c",{"search":"maiz"}]
        < ["CLOSED","c","unsupported: a search is answered in a REQ alone, and where NIP-11 names NIP-50"]
        > ["NEG-OPEN","n",{"search":"maiz"},"6100000200"]
        < ["NEG-ERR","n","unsupported: a search is answered in a REQ alone, and where NIP-11 names NIP-50"]
    "#]];
    check_with(&settings, script, &expected);
}

#[test]
fn what_cannot_be_honoured_is_closed_and_what_cannot_be_read_is_noticed() {
    check(
        r##"
        ["REQ","s",{"search":"x"}]
        ["REQ","s",{"#emoji":["x"]}]
        ["REQ","s",{"ids":["AB"]}]
        ["REQ","s"]
        ["REQ","",{}]
        ["COUNT","c",{"since":1.5}]
        ["REQ",1,{}]
        {"not":"a list"}
        nonsense
        ["EVENT",{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","kind":-1}]
        ["EVENT",{"x":[[[[[[[[[["]"]]]]]]]]]],"id":"mine"}]
        ["EVENT",{"id":5}]
        ["EVENT"]
        ["COUNT"]
        ["NEG-OPEN",{}]
        ["CLOSE"]
        "##,
        &expect![[r##"
            > ["REQ","s",{"search":"x"}]
            < ["CLOSED","s","unsupported: a search is answered in a REQ alone, and where NIP-11 names NIP-50"]
            > ["REQ","s",{"#emoji":["x"]}]
            < ["CLOSED","s","unsupported: filter contains unknown elements; this relay would have to ignore them"]
            > ["REQ","s",{"ids":["AB"]}]
            < ["CLOSED","s","invalid: ids must be a list of 64 lowercase hex digits each"]
            > ["REQ","s"]
            < ["CLOSED","s","invalid: name at least one filter"]
            > ["REQ","",{}]
            < ["CLOSED","","invalid: a subscription id has 1 to 64 characters"]
            > ["COUNT","c",{"since":1.5}]
            < ["CLOSED","c","invalid: since and until must be whole unix seconds"]
            > ["REQ",1,{}]
            < ["CLOSED","","invalid: the JSON text is malformed: expected a string"]
            > {"not":"a list"}
            < ["NOTICE","invalid: the JSON text is malformed: expected a list, as in [\"REQ\",…]"]
            > nonsense
            < ["NOTICE","invalid: the JSON text is malformed: expected a list, as in [\"REQ\",…]"]
            > ["EVENT",{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","kind":-1}]
            < ["OK","aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",false,"invalid: the event's kind must be a whole number from 0 to 65535"]
            > ["EVENT",{"x":[[[[[[[[[["]"]]]]]]]]]],"id":"mine"}]
            < ["OK","mine",false,"invalid: the JSON text nests deeper than 8 levels"]
            > ["EVENT",{"id":5}]
            < ["OK","",false,"invalid: the JSON text is malformed: expected a string"]
            > ["EVENT"]
            < ["OK","",false,"invalid: the JSON text is malformed: expected a comma"]
            > ["COUNT"]
            < ["CLOSED","","invalid: the JSON text is malformed: expected a comma"]
            > ["NEG-OPEN",{}]
            < ["NEG-ERR","","invalid: the JSON text is malformed: expected a string"]
            > ["CLOSE"]
            < ["NOTICE","invalid: the JSON text is malformed: expected a comma"]
        "##]],
    );
}

#[test]
fn forged_events_are_refused() {
    let mut talk = Talk::new(&settings());
    talk.run("def note ana 1 | note");
    let json = talk.events["note"].json().to_owned();
    let other = json.replace("\"content\":\"note\"", "\"content\":\"nota\"");
    talk.run(&format!("[\"EVENT\",{other}]").replace(&json, ""));
    let (head, sig) = json.rsplit_once("\"sig\":\"").unwrap();
    let flipped = if sig.starts_with('0') { "1" } else { "0" };
    talk.run(&format!("[\"EVENT\",{head}\"sig\":\"{flipped}{}]", &sig[1..]));
    let answers: Vec<_> = talk.transcript.lines().filter(|line| line.starts_with('<')).collect();
    expect![[r#"
        < ["OK","note.id",false,"invalid: the id is not the hash of the event"]
        < ["OK","note.id",false,"invalid: the signature does not fit the id and pubkey"]"#]]
    .assert_eq(&answers.join("\n"));
}

#[test]
fn several_keys_on_one_socket() {
    check(
        r#"
        def for-ben eve 1059 p=ben.key | sealed
        store for-ben
        def mine ana 1 - | protected
        ["EVENT",<mine>]
        ["REQ","s",{}]
        ["REQ","i",{"ids":["for-ben.id"]}]
        ["COUNT","c",{}]
        auth eve
        ["EVENT",<mine>]
        auth ana ws://RELAY.example:80/
        ["EVENT",<mine>]
        auth ben
        ["COUNT","c",{"kinds":[1059]}]
        ["REQ","i",{"ids":["for-ben.id"]}]
        def again eve 1059 p=ben.key | again
        store again
        ["EVENT",<auth-ana>]
        "#,
        &expect![[r#"
            > store for-ben
            > ["EVENT",<mine>]
            < ["AUTH","c0ffee"]
            < ["OK","mine.id",false,"auth-required: only its author may publish a protected event"]
            > ["REQ","s",{}]
            < ["EOSE","s",["finish"]]
            > ["REQ","i",{"ids":["for-ben.id"]}]
            < ["EOSE","i",["finish"]]
            > ["COUNT","c",{}]
            < ["COUNT","c",{"count":0}]
            > auth eve
            < ["OK","auth-eve.id",true,""]
            > ["EVENT",<mine>]
            < ["OK","mine.id",false,"restricted: only its author may publish a protected event"]
            > auth ana ws://RELAY.example:80/
            < ["OK","auth-ana.id",true,""]
            > ["EVENT",<mine>]
            < ["EVENT","s",<mine>]
            < ["OK","mine.id",true,""]
            > auth ben
            < ["OK","auth-ben.id",true,""]
            > ["COUNT","c",{"kinds":[1059]}]
            < ["COUNT","c",{"count":1}]
            > ["REQ","i",{"ids":["for-ben.id"]}]
            < ["EVENT","i",<for-ben>]
            < ["EOSE","i",["finish"]]
            > store again
            < ["EVENT","s",<again>]
            > ["EVENT",<auth-ana>]
            < ["OK","auth-ana.id",false,"invalid: events of kind 22242 belong in AUTH messages"]
        "#]],
    );
}

#[test]
fn the_challenge_comes_on_connect_where_it_is_so_set() {
    check_with(
        &Settings { auth: AuthMode::OnConnect, ..settings() },
        r#"
        def mine ana 1 - | protected
        ["EVENT",<mine>]
        "#,
        &expect![[r#"
            < ["AUTH","c0ffee"]
            > ["EVENT",<mine>]
            < ["OK","mine.id",false,"auth-required: only its author may publish a protected event"]
        "#]],
    );
}

#[test]
fn auth_is_bound_to_challenge_url_kind_and_time() {
    let mut talk = Talk::new(&settings());
    talk.run("auth ana wss://other.example");
    talk.run("auth ana wss://relay.example/path");
    talk.run("auth ana ws://127.0.0.1:7777");
    let window = talk.session.rules.limits.auth_window_secs;
    let mut try_auth = |draft: Draft, time| {
        let event = draft.sign(&keys("ben"), time, [0; 32]);
        talk.events.insert("try".into(), event);
        talk.run("[\"AUTH\",<try>]");
    };
    let draft = |kind: Kind, challenge: &str| {
        Draft::new(kind).tag(["relay", URL]).tag(["challenge", challenge])
    };
    try_auth(draft(kind::AUTH, "another"), NOW);
    try_auth(draft(kind::NOTE, CHALLENGE), NOW);
    try_auth(draft(kind::AUTH, CHALLENGE), NOW + window + 1);
    try_auth(draft(kind::AUTH, CHALLENGE), NOW - window - 1);
    try_auth(draft(kind::AUTH, CHALLENGE), NOW - window);
    expect![[r#"
        > auth ana wss://other.example
        < ["OK","auth-ana.id",false,"invalid: the relay tag names another relay's URL"]
        > auth ana wss://relay.example/path
        < ["OK","auth-ana.id",false,"invalid: the relay tag names another relay's URL"]
        > auth ana ws://127.0.0.1:7777
        < ["OK","auth-ana.id",true,""]
        > ["AUTH",<try>]
        < ["OK","try.id",false,"invalid: the challenge is not this connection's"]
        > ["AUTH",<try>]
        < ["OK","try.id",false,"invalid: an AUTH event must be of kind 22242"]
        > ["AUTH",<try>]
        < ["OK","try.id",false,"invalid: created_at is too far from this relay's clock"]
        > ["AUTH",<try>]
        < ["OK","try.id",false,"invalid: created_at is too far from this relay's clock"]
        > ["AUTH",<try>]
        < ["OK","try.id",true,""]
    "#]]
    .assert_eq(&talk.transcript);
}

#[test]
fn a_message_behind_an_auth_waits_for_it() {
    let mut talk = Talk::new(&settings());
    talk.auth("ana", URL);
    assert!(!talk.session.wants_input(), "until the signature is checked");
    talk.work();
    assert!(talk.session.wants_input());
}

#[test]
fn members_only_reading_asks_for_auth_first() {
    let mut talk = Talk::new(&settings());
    talk.memory.members_only = true;
    talk.run(
        r#"
        ["REQ","s",{}]
        ["COUNT","c",{}]
        ["NEG-OPEN","n",{},"6100000200"]
        auth ana
        ["REQ","s",{}]
        "#,
    );
    expect![[r#"
        > ["REQ","s",{}]
        < ["AUTH","c0ffee"]
        < ["CLOSED","s","auth-required: members only"]
        > ["COUNT","c",{}]
        < ["CLOSED","c","auth-required: members only"]
        > ["NEG-OPEN","n",{},"6100000200"]
        < ["NEG-ERR","n","auth-required: members only"]
        > auth ana
        < ["OK","auth-ana.id",true,""]
        > ["REQ","s",{}]
        < ["EOSE","s",["finish"]]
    "#]]
    .assert_eq(&talk.transcript);
}

#[test]
fn reposts_may_not_carry_a_protected_event() {
    let mut talk = Talk::new(&settings());
    talk.run("def mine ana 1 - | protected\ndef open ana 1 | open");
    for (name, kind, inner) in [("six", 6, "mine"), ("sixteen", 16, "mine"), ("fine", 6, "open")] {
        let content = talk.events[inner].json().to_owned();
        let event = Draft::new(Kind(kind)).content(content).sign(&keys("ben"), NOW, [0; 32]);
        talk.events.insert(name.into(), event);
    }
    let unsigned = r#"{"kind":1,"tags":[["-"]],"content":"mine"}"#;
    let event = Draft::new(Kind(6)).content(unsigned).sign(&keys("ben"), NOW, [0; 32]);
    talk.events.insert("unsigned".into(), event);
    talk.run("[\"EVENT\",<six>]\n[\"EVENT\",<sixteen>]\n[\"EVENT\",<fine>]");
    talk.run("[\"EVENT\",<unsigned>]");
    expect![[r#"
        > ["EVENT",<six>]
        < ["OK","six.id",false,"restricted: this repost carries a protected event; name it by its id instead"]
        > ["EVENT",<sixteen>]
        < ["OK","sixteen.id",false,"restricted: this repost carries a protected event; name it by its id instead"]
        > ["EVENT",<fine>]
        < ["OK","fine.id",true,""]
        > ["EVENT",<unsigned>]
        < ["OK","unsigned.id",false,"restricted: this repost carries a protected event; name it by its id instead"]
    "#]].assert_eq(&talk.transcript);
}

#[test]
fn expired_events_are_neither_taken_nor_shown() {
    let mut talk = Talk::new(&settings());
    let soon = NOW + 10;
    talk.run(&format!(
        "
        def gone ana 1 expiration={NOW} | gone
        def soon ana 1 expiration={soon} | soon
        def fleeting ana 20001 expiration={NOW} | fleeting
        [\"REQ\",\"s\",{{}}]
        [\"EVENT\",<gone>]
        [\"EVENT\",<fleeting>]
        [\"EVENT\",<soon>]
        "
    ));
    talk.memory.now.store(soon, Relaxed);
    talk.run("[\"REQ\",\"later\",{}]\nstore soon");
    expect![[r#"
        > ["REQ","s",{}]
        < ["EOSE","s",["finish"]]
        > ["EVENT",<gone>]
        < ["OK","gone.id",false,"invalid: this event has expired"]
        > ["EVENT",<fleeting>]
        < ["EVENT","s",<fleeting>]
        < ["OK","fleeting.id",true,""]
        > ["EVENT",<soon>]
        < ["EVENT","s",<soon>]
        < ["OK","soon.id",true,""]
        > ["REQ","later",{}]
        < ["EOSE","later",["finish"]]
        > store soon
    "#]]
    .assert_eq(&talk.transcript);
}

#[test]
fn ephemeral_events_are_live_only() {
    check(
        r#"
        def blink ana 20001 | blink
        ["REQ","s",{"kinds":[20001]}]
        ["EVENT",<blink>]
        ["REQ","t",{"kinds":[20001]}]
        "#,
        &expect![[r#"
            > ["REQ","s",{"kinds":[20001]}]
            < ["EOSE","s",["finish"]]
            > ["EVENT",<blink>]
            < ["EVENT","s",<blink>]
            < ["OK","blink.id",true,""]
            > ["REQ","t",{"kinds":[20001]}]
            < ["EOSE","t",["finish"]]
        "#]],
    );
}

#[test]
fn a_hundred_requests_of_one_filter_each() {
    let mut talk = Talk::new(&settings());
    for number in 100..200 {
        talk.send(&format!("[\"REQ\",\"REQ-{number}\",{{\"kinds\":[{number}]}}]"));
    }
    talk.work();
    talk.hear();
    let eoses = talk.transcript.lines().filter(|line| line.contains("EOSE")).count();
    assert_eq!((eoses, talk.transcript.lines().count()), (100, 100));
}

#[test]
fn stopping_closes_what_is_open() {
    check(
        r#"
        ["REQ","s",{}]
        ["NEG-OPEN","n",{},"6100000200"]
        stop
        "#,
        &expect![[r#"
            > ["REQ","s",{}]
            < ["EOSE","s",["finish"]]
            > ["NEG-OPEN","n",{},"6100000200"]
            < ["NEG-MSG","n","6100000200"]
            > stop
            < ["CLOSED","s","error: shutting down"]
            < ["NEG-ERR","n","error: shutting down"]
            (Stopping)
        "#]],
    );
}

#[test]
fn reconciliations_open_answer_and_close() {
    check(
        r#"
        def note ana 1 | note
        def for-ben eve 1059 p=ben.key | sealed
        store note
        store for-ben
        ["NEG-OPEN","n",{},"6100000200"]
        ["NEG-OPEN","n",{},"62"]
        ["NEG-MSG","n","6100000200"]
        ["NEG-MSG","n","61"]
        ["NEG-MSG","n","6100000202"]
        ["NEG-MSG","n","61"]
        ["NEG-CLOSE","n"]
        ["NEG-OPEN","n",{"kinds":[1059]},"6100000200"]
        ["NEG-OPEN","m",{"limit":0},"6100000200"]
        ["NEG-OPEN","m",{"search":"x"},"6100000200"]
        ["NEG-OPEN","m",{},"6x"]
        "#,
        &expect![[r#"
            > store note
            > store for-ben
            > ["NEG-OPEN","n",{},"6100000200"]
            < ["NEG-MSG","n","6100000201note.id"]
            > ["NEG-OPEN","n",{},"62"]
            < ["NEG-MSG","n","61"]
            > ["NEG-MSG","n","6100000200"]
            < ["NEG-MSG","n","6100000201note.id"]
            > ["NEG-MSG","n","61"]
            < ["NEG-MSG","n","61"]
            > ["NEG-MSG","n","6100000202"]
            < ["NEG-ERR","n","invalid: no negentropy message: parse ends prematurely"]
            > ["NEG-MSG","n","61"]
            < ["NEG-ERR","n","closed: this reconciliation is not open; open it again"]
            > ["NEG-CLOSE","n"]
            > ["NEG-OPEN","n",{"kinds":[1059]},"6100000200"]
            < ["AUTH","c0ffee"]
            < ["NEG-ERR","n","auth-required: messages between people are shown to their parties alone"]
            > ["NEG-OPEN","m",{"limit":0},"6100000200"]
            < ["NEG-MSG","m","6100000200"]
            > ["NEG-OPEN","m",{"search":"x"},"6100000200"]
            < ["NEG-ERR","m","unsupported: a search is answered in a REQ alone, and where NIP-11 names NIP-50"]
            > ["NEG-OPEN","m",{},"6x"]
            < ["NEG-ERR","m","invalid: the message must be hex"]
        "#]],
    );
}

#[test]
fn a_second_negentropy_message_before_the_answer_ends_the_session() {
    let mut talk = Talk::new(&settings());
    talk.send("[\"NEG-OPEN\",\"n\",{},\"6100000200\"]");
    talk.send("[\"NEG-MSG\",\"n\",\"6100000200\"]");
    talk.work();
    talk.hear();
    expect![[r#"
        < ["NEG-ERR","n","invalid: wait for the answer before the next message"]
    "#]]
    .assert_eq(&talk.transcript);
}

#[test]
fn an_unused_reconciliation_is_closed() {
    let mut talk = Talk::new(&settings());
    talk.run("[\"NEG-OPEN\",\"n\",{},\"6100000200\"]");
    let idle_ms = talk.session.rules.limits.idle_secs * 1_000;
    talk.clock_ms = idle_ms - 1;
    talk.run("[\"PING\"]");
    talk.session.tick(idle_ms);
    talk.hear();
    expect![[r#"
        > ["NEG-OPEN","n",{},"6100000200"]
        < ["NEG-MSG","n","6100000200"]
        > ["PING"]
        < ["NEG-ERR","n","closed: this reconciliation is not open; open it again"]
    "#]]
    .assert_eq(&talk.transcript);
}

#[test]
fn a_count_that_cannot_be_read_leaves_the_subscription_of_its_name_open() {
    check(
        r#"
        def a ana 1 | a
        ["REQ","s",{}]
        ["COUNT","s",{"since":"x"}]
        store a
        "#,
        &expect![[r#"
            > ["REQ","s",{}]
            < ["EOSE","s",["finish"]]
            > ["COUNT","s",{"since":"x"}]
            < ["CLOSED","s","invalid: the JSON text is malformed: expected a number"]
            > store a
            < ["EVENT","s",<a>]
        "#]],
    );
}

#[test]
fn a_question_that_was_taken_back_is_asked_no_more() {
    let mut session = Talk::new(&settings()).session;
    for text in [r#"["REQ","s",{}]"#, r#"["REQ","t",{}]"#, r#"["REQ","s",{"kinds":[7]}]"#] {
        session.receive(text, NOW, 0);
    }
    session.receive(r#"["CLOSE","t"]"#, NOW, 0);
    let asked = std::iter::from_fn(|| session.next_work()).filter_map(|work| match work {
        Work::Ask(questions, _) => Some(questions),
        _ => None,
    });
    let asked: Vec<_> = asked.flatten().collect();
    let [Question::Stored { filters, .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(filters[0].to_json(), r#"{"kinds":[7]}"#);
}

#[test]
fn what_was_closed_while_its_answer_failed_is_taken_out_of_the_live_index() {
    let mut session = Talk::new(&settings()).session;
    session.receive(r#"["REQ","s",{}]"#, NOW, 0);
    let Some(Work::Ask(questions, _)) = session.next_work() else { panic!("nothing was asked") };
    let [Question::Stored { key, .. }] = questions.as_slice() else { panic!("{questions:?}") };
    session.receive(r#"["CLOSE","s"]"#, NOW, 0);
    while session.next_work().is_some() {}
    let why = Rejection::new(Prefix::Error, "it takes too long");
    session.answered(vec![Answer::Stored(*key, Err(why))]);
    assert!(matches!(session.next_work(), Some(Work::Unwatch(other)) if other == *key));
}
