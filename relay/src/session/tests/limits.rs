//! Each limit of a session, exceeded by one.

use std::sync::Arc;

use ayni_protocol::{Draft, Limits, Prefix, kind};
use expect_test::expect;

use crate::memory::NOW;
use crate::session::reconciliation::Pool;
use crate::session::talk::{Talk, check_limits, keys, settings};
use crate::session::{Farewell, Live, Question, Work};
use crate::settings::Settings;

#[test]
fn event_bytes() {
    let mut talk = Talk::new(&settings());
    talk.run("def note ana 1 | 123456789");
    let bytes = talk.events["note"].json().len();
    check_limits(
        Limits { event_bytes: bytes, ..Limits::default() },
        "def fits ana 1 | 123456789\ndef more ana 1 | 123456789x\n[\"EVENT\",<fits>]\n[\"EVENT\",<more>]",
        &expect![[r#"
            > ["EVENT",<fits>]
            < ["OK","fits.id",true,""]
            > ["EVENT",<more>]
            < ["OK","more.id",false,"invalid: the event is longer than 351 bytes"]
        "#]],
    );
}

#[test]
fn event_tags_and_tag_value_bytes() {
    check_limits(
        Limits { event_tags: 1, tag_value_bytes: 3, ..Limits::default() },
        r#"
        def fits ana 1 t=abc | x
        def more ana 1 t=abc t=abc | x
        def long ana 1 t=abcd | x
        def name ana 1 topic=abcd | x
        ["EVENT",<fits>]
        ["EVENT",<more>]
        ["EVENT",<long>]
        ["EVENT",<name>]
        "#,
        &expect![[r#"
            > ["EVENT",<fits>]
            < ["OK","fits.id",true,""]
            > ["EVENT",<more>]
            < ["OK","more.id",false,"invalid: the event has more than 1 tags"]
            > ["EVENT",<long>]
            < ["OK","long.id",false,"invalid: a single-letter tag's value is longer than 3 bytes"]
            > ["EVENT",<name>]
            < ["OK","name.id",true,""]
        "#]],
    );
}

#[test]
fn future_secs() {
    check_limits(
        Limits { future_secs: 10, ..Limits::default() },
        r#"
        def fits ana 1@10 | x
        def more ana 1@11 | x
        ["EVENT",<fits>]
        ["EVENT",<more>]
        "#,
        &expect![[r#"
            > ["EVENT",<fits>]
            < ["OK","fits.id",true,""]
            > ["EVENT",<more>]
            < ["OK","more.id",false,"invalid: created_at is too far in the future"]
        "#]],
    );
}

#[test]
fn subscriptions_and_their_ids() {
    check_limits(
        Limits { subscriptions: 1, subscription_id_chars: 3, ..Limits::default() },
        r#"
        ["REQ","äöü",{}]
        ["REQ","b",{}]
        ["REQ","äöü",{}]
        ["CLOSE","äöü"]
        ["REQ","b",{}]
        ["REQ","abcd",{}]
        ["COUNT","abcd",{}]
        ["NEG-OPEN","abcd",{},"61"]
        "#,
        &expect![[r#"
            > ["REQ","äöü",{}]
            < ["EOSE","äöü",["finish"]]
            > ["REQ","b",{}]
            < ["CLOSED","b","rate-limited: at most 1 subscriptions a connection; close one first"]
            > ["REQ","äöü",{}]
            < ["EOSE","äöü",["finish"]]
            > ["CLOSE","äöü"]
            > ["REQ","b",{}]
            < ["EOSE","b",["finish"]]
            > ["REQ","abcd",{}]
            < ["CLOSED","abcd","invalid: a subscription id has 1 to 3 characters"]
            > ["COUNT","abcd",{}]
            < ["CLOSED","abcd","invalid: a subscription id has 1 to 3 characters"]
            > ["NEG-OPEN","abcd",{},"61"]
            < ["NEG-ERR","abcd","invalid: a subscription id has 1 to 3 characters"]
        "#]],
    );
}

#[test]
fn filters_their_tags_and_their_values() {
    check_limits(
        Limits { filters: 2, filter_tags: 1, filter_values: 3, ..Limits::default() },
        r##"
        ["REQ","a",{"kinds":[1,2,3]},{}]
        ["REQ","b",{},{},{}]
        ["REQ","c",{"kinds":[1,2],"#t":["x","y"]}]
        ["REQ","d",{"#t":[],"#e":[]}]
        ["COUNT","d",{"#t":[],"#e":[]}]
        ["NEG-OPEN","d",{"#t":[],"#e":[]},"61"]
        ["COUNT","c",{},{},{}]
        ["NEG-OPEN","c",{"kinds":[1,2,3,4]},"61"]
        ["REQ","together",{"kinds":[1,2,3]}]
        ["REQ","together, one more",{"kinds":[1]}]
        "##,
        &expect![[r##"
            > ["REQ","a",{"kinds":[1,2,3]},{}]
            < ["EOSE","a",["finish"]]
            > ["REQ","b",{},{},{}]
            < ["CLOSED","b","invalid: at most 2 filters a message"]
            > ["REQ","c",{"kinds":[1,2],"#t":["x","y"]}]
            < ["CLOSED","c","invalid: at most 3 values in one filter"]
            > ["REQ","d",{"#t":[],"#e":[]}]
            < ["CLOSED","d","invalid: at most 1 tag attributes in one filter"]
            > ["COUNT","d",{"#t":[],"#e":[]}]
            < ["CLOSED","d","invalid: at most 1 tag attributes in one filter"]
            > ["NEG-OPEN","d",{"#t":[],"#e":[]},"61"]
            < ["NEG-ERR","d","invalid: at most 1 tag attributes in one filter"]
            > ["COUNT","c",{},{},{}]
            < ["CLOSED","c","invalid: at most 2 filters a message"]
            > ["NEG-OPEN","c",{"kinds":[1,2,3,4]},"61"]
            < ["NEG-ERR","c","invalid: at most 3 values in one filter"]
            > ["REQ","together",{"kinds":[1,2,3]}]
            < ["EOSE","together",["finish"]]
            > ["REQ","together, one more",{"kinds":[1]}]
            < ["CLOSED","together, one more","rate-limited: the open subscriptions name too many values together; close one first"]
        "##]],
    );
}

#[test]
fn default_limit_and_max_limit() {
    check_limits(
        Limits { default_limit: 1, max_limit: 2, ..Limits::default() },
        r#"
        def a ana 1@-3 | a
        def b ana 1@-2 | b
        def c ana 1@-1 | c
        store a
        store b
        store c
        ["REQ","default",{}]
        ["REQ","max",{"limit":3}]
        "#,
        &expect![[r#"
            > store a
            > store b
            > store c
            > ["REQ","default",{}]
            < ["EVENT","default",<c>]
            < ["EOSE","default",["more"]]
            > ["REQ","max",{"limit":3}]
            < ["EVENT","max",<c>]
            < ["EVENT","max",<b>]
            < ["EOSE","max",["more"]]
        "#]],
    );
}

#[test]
fn counts_that_wait() {
    let limits = Limits { subscriptions: 1, ..Limits::default() };
    let mut talk = Talk::new(&Settings { limits, ..settings() });
    talk.send("[\"COUNT\",\"a\",{}]");
    talk.send("[\"COUNT\",\"b\",{}]");
    talk.work();
    talk.hear();
    talk.run("[\"COUNT\",\"c\",{}]");
    expect![[r#"
        < ["CLOSED","b","rate-limited: too many COUNTs are waiting for their answer"]
        < ["COUNT","a",{"count":0}]
        > ["COUNT","c",{}]
        < ["COUNT","c",{"count":0}]
    "#]]
    .assert_eq(&talk.transcript);
}

#[test]
fn auth_attempts_and_auth_keys() {
    check_limits(
        Limits { auth_attempts: 3, auth_keys: 1, ..Limits::default() },
        "auth ana\nauth ben\nauth ana\nauth ana",
        &expect![[r#"
            > auth ana
            < ["OK","auth-ana.id",true,""]
            > auth ben
            < ["OK","auth-ben.id",false,"restricted: at most 1 keys may authenticate on one connection"]
            > auth ana
            < ["OK","auth-ana.id",true,""]
            > auth ana
            < ["OK","auth-ana.id",false,"rate-limited: too many AUTH events on this connection; open another one"]
        "#]],
    );
}

/// A talk with a budget of 10 bytes a second and 100 at once, and what is asked of it.
fn thrifty(message_cost_bytes: u64, junk_cost_bytes: u64) -> Talk {
    let (inbound_bytes_per_sec, inbound_burst_bytes) = (10, 100);
    let limits = Limits {
        inbound_bytes_per_sec,
        inbound_burst_bytes,
        message_cost_bytes,
        junk_cost_bytes,
        auth_attempts: 0,
        ..Limits::default()
    };
    Talk::new(&Settings { limits, ..settings() })
}

#[test]
fn inbound_bytes_per_sec_and_inbound_burst_bytes() {
    let mut talk = thrifty(0, 0);
    let session = &mut talk.session;
    session.spend(100, 0);
    assert!(session.wants_input());
    session.spend(1, 0);
    assert!(!session.wants_input(), "one more than may be sent at once");
    assert_eq!(session.deadline_ms(), 100, "and until then");
    session.tick(99);
    assert!(!session.wants_input());
    session.tick(100);
    assert!(session.wants_input() && session.deadline_ms() > 1_000);
    talk.run(r#"["REQ","s",{}]"#);
    assert!(talk.transcript.contains("EOSE"), "nothing was refused");
}

#[test]
fn message_cost_bytes() {
    let mut talk = thrifty(50, 0);
    for rest in [true, true, false] {
        talk.send(r#"["CLOSE","s"]"#);
        assert_eq!(talk.session.wants_input(), rest);
    }
}

#[test]
fn junk_cost_bytes() {
    let mut forged = note_text("ana");
    forged = forged.replace("\"content\":\"x\"", "\"content\":\"y\"");
    let auth = note_text("ana").replace("\"EVENT\"", "\"AUTH\"");
    for junk in ["nonsense", r#"["REQ","s",{"limit":-1}]"#, r#"["EVENT",{}]"#, &forged, &auth] {
        let mut talk = thrifty(0, 101);
        talk.send(junk);
        talk.work();
        assert!(!talk.session.wants_input(), "{junk}");
    }
    for fine in [r#"["REQ","s",{}]"#, r#"["PING"]"#, &note_text("ana")] {
        let mut talk = thrifty(0, 101);
        talk.send(fine);
        talk.work();
        assert!(talk.session.wants_input(), "{fine}");
    }
}

fn note_text(who: &str) -> String {
    let note = Draft::new(kind::NOTE).content("x").sign(&keys(who), NOW, [0; 32]);
    format!("[\"EVENT\",{}]", note.json())
}

#[test]
fn ping_secs_and_idle_secs() {
    let limits = Limits { ping_secs: 10, idle_secs: 20, ..Limits::default() };
    let mut talk = Talk::new(&Settings { limits, ..settings() });
    for ms in [9_999, 10_000, 19_999] {
        talk.session.tick(ms);
    }
    talk.hear();
    talk.session.heard(19_999);
    talk.session.tick(29_999);
    talk.session.tick(39_998);
    talk.hear();
    talk.session.tick(39_999);
    talk.hear();
    expect![[r#"
        < PING
        < PING
        (Idle)
    "#]]
    .assert_eq(&talk.transcript);
}

#[test]
fn outbound_bytes() {
    let mut talk = Talk::new(&settings());
    talk.run("def note ana 1 | note\n[\"REQ\",\"s\",{}]");
    let frame = "[\"EVENT\",\"s\",]".len() + talk.events["note"].json().len();
    let limits = Limits { outbound_bytes: frame * 2, ..Limits::default() };
    let mut talk = Talk::new(&Settings { limits, ..settings() });
    talk.run("def note ana 1 | note\n[\"REQ\",\"s\",{}]");
    let note = talk.events["note"].clone();
    talk.publish(&note, None);
    talk.publish(&note, None);
    assert_eq!((talk.session.farewell(), talk.session.waiting_bytes()), (None, frame * 2));
    talk.publish(&note, None);
    assert_eq!(talk.session.farewell(), Some(Farewell::TooSlow));
    assert_eq!(talk.session.next_frame(), None);
}

#[test]
fn outbound_bytes_counts_what_waits_for_an_eose() {
    let limits = Limits { outbound_bytes: 1_000, ..Limits::default() };
    let mut talk = Talk::new(&Settings { limits, ..settings() });
    talk.run("def note ana 1 | note");
    talk.send("[\"REQ\",\"s\",{}]");
    let Some(Work::Ask(questions, _)) = talk.session.next_work() else { panic!("a question") };
    let [Question::Stored { key, .. }] = questions.as_slice() else { panic!("one") };
    let live = Arc::new(Live::new(&talk.events["note"], None));
    while talk.session.farewell().is_none() {
        talk.session.live(*key, &live, NOW);
        assert!(talk.session.waiting_bytes() < 2_000);
    }
    assert_eq!(talk.session.farewell(), Some(Farewell::TooSlow));
}

#[test]
fn a_client_that_does_not_read_is_not_read() {
    let limits = Limits { outbound_bytes: 400, ..Limits::default() };
    let mut talk = Talk::new(&Settings { limits, ..settings() });
    talk.send("nonsense");
    assert!(talk.session.wants_input());
    talk.send("nonsense");
    assert!(!talk.session.wants_input(), "more than a quarter of the outbox waits");
    talk.hear();
    assert!(talk.session.wants_input());
}

#[test]
fn message_bytes_bounds_what_is_under_way() {
    let mut talk = Talk::new(&settings());
    talk.run("def note ana 1 | note");
    let text = format!("[\"EVENT\",{}]", talk.events["note"].json());
    let limits = Limits { message_bytes: text.len(), ..Limits::default() };
    let mut talk = Talk::new(&Settings { limits, ..settings() });
    talk.send(&text);
    assert!(talk.session.wants_input());
    talk.send(&text);
    assert!(!talk.session.wants_input() && talk.session.owes_verdicts());
    talk.session.set_spare(true);
    assert!(talk.session.wants_input(), "the checkers have time for more");
    talk.session.set_spare(false);
    talk.work();
    assert!(talk.session.wants_input() && !talk.session.owes_verdicts());
}

#[test]
fn reconciliations_and_their_events() {
    check_limits(
        Limits { reconciliations: 1, reconciliation_events: 1, ..Limits::default() },
        r#"
        def a ana 1@-3 | a
        def b ana 1@-2 | b
        store a
        ["NEG-OPEN","n",{},"6100000200"]
        ["NEG-OPEN","m",{},"6100000200"]
        ["NEG-OPEN","n",{},"6100000200"]
        store b
        ["NEG-OPEN","n",{},"6100000200"]
        ["NEG-OPEN","m",{"limit":1},"6100000200"]
        ["COUNT","c",{"kinds":[1]},{"kinds":[2]}]
        "#,
        &expect![[r#"
            > store a
            > ["NEG-OPEN","n",{},"6100000200"]
            < ["NEG-MSG","n","6100000201a.id"]
            > ["NEG-OPEN","m",{},"6100000200"]
            < ["NEG-ERR","m","rate-limited: at most 1 reconciliations a connection; close one first"]
            > ["NEG-OPEN","n",{},"6100000200"]
            < ["NEG-MSG","n","6100000201a.id"]
            > store b
            > ["NEG-OPEN","n",{},"6100000200"]
            < ["NEG-ERR","n","blocked: this query is too big, more than 1 events match"]
            > ["NEG-OPEN","m",{"limit":1},"6100000200"]
            < ["NEG-ERR","m","blocked: this query is too big, more than 1 events match"]
            > ["COUNT","c",{"kinds":[1]},{"kinds":[2]}]
            < ["CLOSED","c","unsupported: too many events match; count one filter at a time"]
        "#]],
    );
}

#[test]
fn reconciliation_events_of_all_connections_together() {
    let limits = Limits { reconciliations: 2, reconciliation_events: 3, ..Limits::default() };
    let pool = Pool::default();
    let first = pool.claim(6, &limits).unwrap();
    assert_eq!(pool.claim(1, &limits).unwrap_err().prefix, Prefix::RateLimited);
    drop(first);
    assert!(pool.claim(6, &limits).is_ok());
}

#[test]
fn reconciliation_bytes() {
    let limits = Limits { reconciliation_bytes: 4_096, ..Limits::default() };
    let mut talk = Talk::new(&Settings { limits, ..settings() });
    for number in 0..400_u64 {
        let draft = Draft::new(kind::NOTE).content(number.to_string());
        talk.memory.store(&draft.sign(&keys("ana"), NOW - number, [0; 32]));
    }
    talk.run("[\"NEG-OPEN\",\"n\",{},\"6100000200\"]");
    let answer = talk.transcript.lines().last().unwrap();
    let hex = answer.split('"').nth(5).unwrap();
    assert!((4_096 - 300..=4_096 + 300).contains(&(hex.len() / 2)), "{}", hex.len() / 2);
}
