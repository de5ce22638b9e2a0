//! Who is shown the messages between people, by every way in which an event can be learned of.

use expect_test::{Expect, expect};

use crate::session::talk::{Talk, URL, check, settings};

/// A direct message from ana to ben, a gift wrap for ben, and a note; then every way to ask, and
/// what comes live.
const WAYS: &str = r##"
    def direct ana 4 p=ben.key | sealed
    def wrap zoe 1059@-1 p=ben.key | sealed
    def note ana 1@-2 p=ben.key | open
    store direct
    store wrap
    store note
    ["REQ","all",{}]
    ["REQ","ids",{"ids":["direct.id","wrap.id"]}]
    ["REQ","tag",{"#p":["ben.key"],"kinds":[1,4,1059,21059]}]
    ["COUNT","all",{}]
    ["COUNT","ids",{"ids":["direct.id"]},{"ids":["wrap.id"]}]
    ["NEG-OPEN","n",{},"6100000200"]
    ["NEG-OPEN","n",{"ids":["direct.id","wrap.id"]},"6100000200"]
    def direct2 ana 4@1 p=ben.key | sealed
    def wrap2 zoe 1059@1 p=ben.key | sealed
    def flash zoe 21059 p=ben.key | sealed
    store direct2
    store wrap2
    ["EVENT",<flash>]
    "##;

/// What `who` hears, after the events that are stored at first.
fn heard(who: Option<&str>) -> String {
    let mut talk = Talk::new(&settings());
    if let Some(who) = who {
        talk.auth(who, URL);
        talk.work();
    }
    talk.hear();
    talk.transcript.clear();
    talk.run(WAYS);
    talk.transcript
}

fn hears(who: Option<&str>, expected: &Expect) {
    expected.assert_eq(&heard(who));
}

const THIRD_PARTY: &str = r##"> store direct
> store wrap
> store note
> ["REQ","all",{}]
< ["EVENT","all",<note>]
< ["EOSE","all",["finish"]]
> ["REQ","ids",{"ids":["direct.id","wrap.id"]}]
< ["EOSE","ids",["finish"]]
> ["REQ","tag",{"#p":["ben.key"],"kinds":[1,4,1059,21059]}]
< ["EVENT","tag",<note>]
< ["EOSE","tag",["finish"]]
> ["COUNT","all",{}]
< ["COUNT","all",{"count":1}]
> ["COUNT","ids",{"ids":["direct.id"]},{"ids":["wrap.id"]}]
< ["COUNT","ids",{"count":0}]
> ["NEG-OPEN","n",{},"6100000200"]
< ["NEG-MSG","n","6100000201note.id"]
> ["NEG-OPEN","n",{"ids":["direct.id","wrap.id"]},"6100000200"]
< ["NEG-MSG","n","6100000200"]
> store direct2
> store wrap2
> ["EVENT",<flash>]
< ["OK","flash.id",false,"mute: nobody was listening to this ephemeral event"]
"##;

#[test]
fn third_parties_learn_of_the_note_alone() {
    assert_eq!(heard(Some("eve")), THIRD_PARTY);
}

#[test]
fn strangers_learn_of_the_note_alone_and_how_to_be_shown_more() {
    let all = "< [\"EVENT\",\"tag\",<note>]\n< [\"EOSE\",\"tag\",[\"finish\"]]\n";
    let not_all = "< [\"AUTH\",\"c0ffee\"]\n< [\"EVENT\",\"tag\",<note>]\n< [\"EOSE\",\"tag\"]\n";
    assert_eq!(heard(None), THIRD_PARTY.replace(all, not_all));
}

#[test]
fn the_author_of_a_direct_message_sees_it() {
    hears(
        Some("ana"),
        &expect![[r##"
            > store direct
            > store wrap
            > store note
            > ["REQ","all",{}]
            < ["EVENT","all",<direct>]
            < ["EVENT","all",<note>]
            < ["EOSE","all",["finish"]]
            > ["REQ","ids",{"ids":["direct.id","wrap.id"]}]
            < ["EVENT","ids",<direct>]
            < ["EOSE","ids",["finish"]]
            > ["REQ","tag",{"#p":["ben.key"],"kinds":[1,4,1059,21059]}]
            < ["EVENT","tag",<direct>]
            < ["EVENT","tag",<note>]
            < ["EOSE","tag",["finish"]]
            > ["COUNT","all",{}]
            < ["COUNT","all",{"count":2}]
            > ["COUNT","ids",{"ids":["direct.id"]},{"ids":["wrap.id"]}]
            < ["COUNT","ids",{"count":1}]
            > ["NEG-OPEN","n",{},"6100000200"]
            < ["NEG-MSG","n","6100000202note.iddirect.id"]
            > ["NEG-OPEN","n",{"ids":["direct.id","wrap.id"]},"6100000200"]
            < ["NEG-MSG","n","6100000201direct.id"]
            > store direct2
            < ["EVENT","all",<direct2>]
            < ["EVENT","tag",<direct2>]
            > store wrap2
            > ["EVENT",<flash>]
            < ["OK","flash.id",false,"mute: nobody was listening to this ephemeral event"]
        "##]],
    );
}

#[test]
fn the_recipient_sees_both() {
    hears(
        Some("ben"),
        &expect![[r##"
        > store direct
        > store wrap
        > store note
        > ["REQ","all",{}]
        < ["EVENT","all",<direct>]
        < ["EVENT","all",<wrap>]
        < ["EVENT","all",<note>]
        < ["EOSE","all",["finish"]]
        > ["REQ","ids",{"ids":["direct.id","wrap.id"]}]
        < ["EVENT","ids",<direct>]
        < ["EVENT","ids",<wrap>]
        < ["EOSE","ids",["finish"]]
        > ["REQ","tag",{"#p":["ben.key"],"kinds":[1,4,1059,21059]}]
        < ["EVENT","tag",<direct>]
        < ["EVENT","tag",<wrap>]
        < ["EVENT","tag",<note>]
        < ["EOSE","tag",["finish"]]
        > ["COUNT","all",{}]
        < ["COUNT","all",{"count":3}]
        > ["COUNT","ids",{"ids":["direct.id"]},{"ids":["wrap.id"]}]
        < ["COUNT","ids",{"count":2}]
        > ["NEG-OPEN","n",{},"6100000200"]
        < ["NEG-MSG","n","6100000203note.idwrap.iddirect.id"]
        > ["NEG-OPEN","n",{"ids":["direct.id","wrap.id"]},"6100000200"]
        < ["NEG-MSG","n","6100000202wrap.iddirect.id"]
        > store direct2
        < ["EVENT","all",<direct2>]
        < ["EVENT","tag",<direct2>]
        > store wrap2
        < ["EVENT","all",<wrap2>]
        < ["EVENT","tag",<wrap2>]
        > ["EVENT",<flash>]
        < ["EVENT","all",<flash>]
        < ["EVENT","tag",<flash>]
        < ["OK","flash.id",true,""]
    "##]],
    );
}

#[test]
fn registers_tell_nothing_of_private_authors() {
    check(
        r##"
        def direct ana 4 p=ben.key | sealed
        store direct
        ["COUNT","c",{"#p":["ben.key"]}]
        "##,
        &expect![[r##"
            > store direct
            > ["COUNT","c",{"#p":["ben.key"]}]
            < ["COUNT","c",{"count":0,"hll":"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"}]
        "##]],
    );
}

#[test]
fn a_stranger_who_asks_for_messages_alone_is_asked_who_it_is() {
    check(
        r##"
        def wrap zoe 1059 p=ben.key | sealed
        store wrap
        ["REQ","s",{"kinds":[1059],"#p":["ben.key"]},{"kinds":[4]}]
        ["COUNT","s",{"kinds":[4]}]
        ["NEG-OPEN","s",{"kinds":[21059,1059]},"6100000200"]
        ["REQ","with others",{"kinds":[1059]},{"kinds":[1]}]
        auth ben
        ["REQ","s",{"kinds":[1059],"#p":["ben.key"]},{"kinds":[4]}]
        ["COUNT","s",{"kinds":[4]}]
        ["NEG-OPEN","s",{"kinds":[21059,1059]},"6100000200"]
        "##,
        &expect![[r##"
            > store wrap
            > ["REQ","s",{"kinds":[1059],"#p":["ben.key"]},{"kinds":[4]}]
            < ["AUTH","c0ffee"]
            < ["CLOSED","s","auth-required: messages between people are shown to their parties alone"]
            > ["COUNT","s",{"kinds":[4]}]
            < ["CLOSED","s","auth-required: messages between people are shown to their parties alone"]
            > ["NEG-OPEN","s",{"kinds":[21059,1059]},"6100000200"]
            < ["NEG-ERR","s","auth-required: messages between people are shown to their parties alone"]
            > ["REQ","with others",{"kinds":[1059]},{"kinds":[1]}]
            < ["EOSE","with others"]
            > auth ben
            < ["OK","auth-ben.id",true,""]
            > ["REQ","s",{"kinds":[1059],"#p":["ben.key"]},{"kinds":[4]}]
            < ["EVENT","s",<wrap>]
            < ["EOSE","s",["finish"]]
            > ["COUNT","s",{"kinds":[4]}]
            < ["COUNT","s",{"count":0}]
            > ["NEG-OPEN","s",{"kinds":[21059,1059]},"6100000200"]
            < ["NEG-MSG","s","6100000201wrap.id"]
        "##]],
    );
}
