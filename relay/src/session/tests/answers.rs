//! What an answer says of itself: how complete it is (NIP-67), how many there are (NIP-45), and
//! that nobody listened (NIP-01).

use ayni_protocol::hyperloglog::{Offset, Registers};
use ayni_protocol::{Draft, Kind, Limits};
use expect_test::expect;

use crate::memory::NOW;
use crate::session::talk::{Talk, check, check_limits, keys, settings};
use crate::settings::Settings;

/// Three notes, a second apart.
const THREE: &str = r#"
    def a ana 1@-3 | a
    def b ana 1@-2 | b
    def c ben 7@-1 | c
    store a
    store b
    store c
    "#;

#[test]
fn eose_says_whether_anything_was_left_out() {
    check(
        &format!(
            "{THREE}{}",
            r#"
            ["REQ","all",{}]
            ["REQ","exactly",{"limit":3}]
            ["REQ","cut",{"limit":2}]
            ["REQ","none",{"kinds":[9]}]
            ["REQ","impossible",{"ids":[]}]
            ["REQ","live",{"limit":0}]
            ["REQ","live, but impossible",{"ids":[],"limit":0}]
            "#
        ),
        &expect![[r#"
            > store a
            > store b
            > store c
            > ["REQ","all",{}]
            < ["EVENT","all",<c>]
            < ["EVENT","all",<b>]
            < ["EVENT","all",<a>]
            < ["EOSE","all",["finish"]]
            > ["REQ","exactly",{"limit":3}]
            < ["EVENT","exactly",<c>]
            < ["EVENT","exactly",<b>]
            < ["EVENT","exactly",<a>]
            < ["EOSE","exactly",["finish"]]
            > ["REQ","cut",{"limit":2}]
            < ["EVENT","cut",<c>]
            < ["EVENT","cut",<b>]
            < ["EOSE","cut",["more"]]
            > ["REQ","none",{"kinds":[9]}]
            < ["EOSE","none",["finish"]]
            > ["REQ","impossible",{"ids":[]}]
            < ["EOSE","impossible",["finish"]]
            > ["REQ","live",{"limit":0}]
            < ["EOSE","live"]
            > ["REQ","live, but impossible",{"ids":[],"limit":0}]
            < ["EOSE","live, but impossible",["finish"]]
        "#]],
    );
}

#[test]
fn eose_of_several_filters_says_only_what_is_sure() {
    check(
        &format!(
            "{THREE}{}",
            r#"
            ["REQ","all",{"kinds":[1]},{"kinds":[7]}]
            ["REQ","one cut",{"kinds":[1],"limit":1},{"kinds":[7]}]
            ["REQ","both cut",{"kinds":[1],"limit":1},{"limit":1}]
            ["REQ","what one leaves out another sends",{"limit":1},{"kinds":[1]}]
            ["REQ","one live",{"kinds":[1]},{"limit":0}]
            "#
        ),
        &expect![[r#"
            > store a
            > store b
            > store c
            > ["REQ","all",{"kinds":[1]},{"kinds":[7]}]
            < ["EVENT","all",<b>]
            < ["EVENT","all",<a>]
            < ["EVENT","all",<c>]
            < ["EOSE","all",["finish"]]
            > ["REQ","one cut",{"kinds":[1],"limit":1},{"kinds":[7]}]
            < ["EVENT","one cut",<b>]
            < ["EVENT","one cut",<c>]
            < ["EOSE","one cut",["more"]]
            > ["REQ","both cut",{"kinds":[1],"limit":1},{"limit":1}]
            < ["EVENT","both cut",<b>]
            < ["EVENT","both cut",<c>]
            < ["EOSE","both cut",["more"]]
            > ["REQ","what one leaves out another sends",{"limit":1},{"kinds":[1]}]
            < ["EVENT","what one leaves out another sends",<c>]
            < ["EVENT","what one leaves out another sends",<b>]
            < ["EVENT","what one leaves out another sends",<a>]
            < ["EOSE","what one leaves out another sends"]
            > ["REQ","one live",{"kinds":[1]},{"limit":0}]
            < ["EVENT","one live",<b>]
            < ["EVENT","one live",<a>]
            < ["EOSE","one live"]
        "#]],
    );
}

#[test]
fn the_relay_does_not_cut_inside_a_second() {
    check_limits(
        Limits { default_limit: 2, max_limit: 3, ..Limits::default() },
        r#"
        def new ana 1@-1 | new
        def a ana 1@-5 | 1
        def b ana 1@-5 | 2
        def c ben 1@-5 | 3
        store new
        store a
        store b
        store c
        ["REQ","default",{"authors":["ana.key"]}]
        ["REQ","its own limit",{"limit":2}]
        def old ana 1@-9 | old
        store old
        ["CLOSE","default"]
        ["CLOSE","its own limit"]
        ["REQ","more",{"authors":["ana.key"]}]
        ["REQ","beyond the largest",{"limit":9}]
        "#,
        &expect![[r#"
            > store new
            > store a
            > store b
            > store c
            > ["REQ","default",{"authors":["ana.key"]}]
            < ["EVENT","default",<new>]
            < ["EVENT","default",<b>]
            < ["EVENT","default",<a>]
            < ["EOSE","default",["finish"]]
            > ["REQ","its own limit",{"limit":2}]
            < ["EVENT","its own limit",<new>]
            < ["EVENT","its own limit",<c>]
            < ["EOSE","its own limit",["more"]]
            > store old
            < ["EVENT","default",<old>]
            < ["EVENT","its own limit",<old>]
            > ["CLOSE","default"]
            > ["CLOSE","its own limit"]
            > ["REQ","more",{"authors":["ana.key"]}]
            < ["EVENT","more",<new>]
            < ["EVENT","more",<b>]
            < ["EVENT","more",<a>]
            < ["EOSE","more",["more"]]
            > ["REQ","beyond the largest",{"limit":9}]
            < ["EVENT","beyond the largest",<new>]
            < ["EVENT","beyond the largest",<c>]
            < ["EVENT","beyond the largest",<b>]
            < ["EVENT","beyond the largest",<a>]
            < ["EOSE","beyond the largest",["more"]]
        "#]],
    );
}

#[test]
fn a_second_larger_than_the_largest_answer_is_cut() {
    let limits = Limits { default_limit: 1, max_limit: 3, ..Limits::default() };
    let mut talk = Talk::new(&crate::Settings { limits, ..settings() });
    for number in 0..9 {
        let draft = Draft::new(Kind(1)).content(number.to_string());
        talk.memory.store(&draft.sign(&keys("ana"), NOW, [0; 32]));
    }
    talk.send(r#"["REQ","s",{}]"#);
    talk.work();
    talk.hear();
    let lines: Vec<_> = talk.transcript.lines().collect();
    assert_eq!((lines.len(), lines[3]), (4, r#"< ["EOSE","s",["more"]]"#));
}

#[test]
fn a_second_at_the_beginning_of_time_is_complete() {
    check_limits(
        Limits { default_limit: 1, ..Limits::default() },
        r#"
        def a ana 1@-1700000000 | a
        def b ana 1@-1700000000 | b
        store a
        store b
        ["REQ","s",{}]
        "#,
        &expect![[r#"
            > store a
            > store b
            > ["REQ","s",{}]
            < ["EVENT","s",<a>]
            < ["EVENT","s",<b>]
            < ["EOSE","s",["finish"]]
        "#]],
    );
}

#[test]
fn a_count_over_filters_counts_each_event_once() {
    check(
        &format!(
            "{THREE}{}",
            r#"
            ["COUNT","c",{"kinds":[1]},{"authors":["ana.key"]},{"kinds":[7]}]
            ["COUNT","c",{"limit":1}]
            ["COUNT","c",{"ids":[]},{"until":-1}]
            ["COUNT","c",{"ids":["x"]}]
            ["COUNT","c"]
            ["COUNT","c",{"x":1}]
            ["COUNT","",{}]
            "#
        ),
        &expect![[r#"
            > store a
            > store b
            > store c
            > ["COUNT","c",{"kinds":[1]},{"authors":["ana.key"]},{"kinds":[7]}]
            < ["COUNT","c",{"count":3}]
            > ["COUNT","c",{"limit":1}]
            < ["COUNT","c",{"count":3}]
            > ["COUNT","c",{"ids":[]},{"until":-1}]
            < ["COUNT","c",{"count":0}]
            > ["COUNT","c",{"ids":["x"]}]
            < ["CLOSED","c","invalid: ids must be a list of 64 lowercase hex digits each"]
            > ["COUNT","c"]
            < ["CLOSED","c","invalid: name at least one filter"]
            > ["COUNT","c",{"x":1}]
            < ["CLOSED","c","unsupported: filter contains unknown elements; this relay would have to ignore them"]
            > ["COUNT","",{}]
            < ["CLOSED","","invalid: a subscription id has 1 to 64 characters"]
        "#]],
    );
}

#[test]
fn a_count_by_tag_comes_with_registers() {
    let mut talk = Talk::new(&settings());
    let (mut registers, mut others) = (Registers::new(Offset::of("b")), Vec::new());
    for (number, who) in ["ana", "ben", "eve", "ana"].into_iter().enumerate() {
        let tags = Draft::new(Kind(7)).tag(["t", "a"]).tag(["t", "b"]);
        talk.memory.store(&tags.content(number.to_string()).sign(&keys(who), NOW, [0; 32]));
        registers.see(&keys(who).public());
    }
    let mut ask = |filters: &str| {
        talk.transcript.clear();
        talk.run(&format!("[\"COUNT\",\"c\",{filters}]"));
        talk.transcript.lines().last().unwrap().to_owned()
    };
    let answer = format!(r#"< ["COUNT","c",{{"count":4,"hll":"{}"}}]"#, registers.to_hex());
    for filter in
        [r##"{"#t":["b"]}"##, r##"{"#t":["b","a"]}"##, r##"{"kinds":[7],"#t":["b"],"limit":1}"##]
    {
        assert_eq!(ask(filter), answer, "{filter}");
    }
    others.push(ask(r##"{"#t":["a","b"]}"##));
    assert!(others[0].contains(r#""count":4,"hll":""#) && others[0] != answer, "another place");
    let empty = ask(r##"{"#t":["b"],"since":9,"until":8}"##);
    assert_eq!(empty, format!(r#"< ["COUNT","c",{{"count":0,"hll":"{}"}}]"#, "0".repeat(512)));
    for filters in [r#"{"kinds":[7]}"#, r##"{"#t":["b"]},{"#t":["a"]}"##] {
        assert_eq!(ask(filters), r#"< ["COUNT","c",{"count":4}]"#, "no one place: {filters}");
    }
}

#[test]
fn an_ephemeral_event_that_nobody_hears_is_mute() {
    check(
        r#"
        def blink ana 20001 | blink
        ["EVENT",<blink>]
        ["REQ","s",{"kinds":[20002]}]
        ["EVENT",<blink>]
        ["REQ","s",{"kinds":[20001]}]
        ["EVENT",<blink>]
        ["CLOSE","s"]
        ["EVENT",<blink>]
        "#,
        &expect![[r#"
            > ["EVENT",<blink>]
            < ["OK","blink.id",false,"mute: nobody was listening to this ephemeral event"]
            > ["REQ","s",{"kinds":[20002]}]
            < ["EOSE","s",["finish"]]
            > ["EVENT",<blink>]
            < ["OK","blink.id",false,"mute: nobody was listening to this ephemeral event"]
            > ["REQ","s",{"kinds":[20001]}]
            < ["EOSE","s",["finish"]]
            > ["EVENT",<blink>]
            < ["EVENT","s",<blink>]
            < ["OK","blink.id",true,""]
            > ["CLOSE","s"]
            > ["EVENT",<blink>]
            < ["OK","blink.id",false,"mute: nobody was listening to this ephemeral event"]
        "#]],
    );
}

#[test]
fn pages_go_on_from_one_second_to_the_next_however_full_it_is() {
    let limits = Limits { default_limit: 2, ..Limits::default() };
    let mut talk = Talk::new(&Settings { limits, ..settings() });
    let mut expected = Vec::new();
    for (number, ago) in [0, 0, 0, 0, 0, 1, 1, 1, 2, 3].into_iter().enumerate() {
        let draft = Draft::new(Kind(1)).content(number.to_string());
        let event = draft.sign(&keys("ana"), NOW - ago, [0; 32]);
        expected.push(event.id.to_string());
        talk.memory.store(&event);
    }
    expected.sort();
    // One client asks again from the time of the last event, the other from the second before it.
    for step in [0, 1] {
        let mut found = std::collections::BTreeSet::new();
        let (mut until, mut pages) = (NOW, 0);
        loop {
            pages += 1;
            assert!(pages < 10, "this never ends");
            talk.transcript.clear();
            talk.run(&format!("[\"REQ\",\"page\",{{\"until\":{until}}}]"));
            let mut oldest = until;
            for line in talk.transcript.lines().filter_map(|line| line.strip_prefix("< ")) {
                let Ok(serde_json::Value::Array(list)) = serde_json::from_str(line) else {
                    continue;
                };
                if list[0] == "EVENT" {
                    found.insert(list[2]["id"].as_str().unwrap().to_owned());
                    oldest = oldest.min(list[2]["created_at"].as_u64().unwrap());
                }
            }
            until = oldest - step;
            if talk.transcript.contains("[\"finish\"]") {
                break;
            }
        }
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{step}");
    }
}
