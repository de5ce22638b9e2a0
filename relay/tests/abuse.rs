//! What hostile sockets get: who is closed, who is served all the same, and how much memory it
//! takes. Nothing here says how fast.

#[cfg(test)]
#[expect(dead_code, reason = "the other tests over sockets share it, and need more of it")]
mod world;

use std::time::Duration;

use ayni_protocol::limits::MESSAGE_FRAMES;
use ayni_protocol::{Draft, Limits, kind};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::Message;
use world::memory::{ENDLESS, NOW};
use world::raw::{CONTINUE, LAST, PING, Raw, TEXT, frame, memory_mib};
use world::{House, UPGRADE, keys, note, patiently};

/// The tests of this file take turns, since each looks at the memory of the whole process.
static TURN: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn sockets_that_never_finish_their_head_are_all_closed() {
    let _turn = TURN.lock().await;
    let limits = Limits {
        first_byte_secs: 1,
        handshake_secs: 2,
        connections_per_address: 1_000,
        ..Limits::default()
    };
    let house = House::open(limits).await;
    let mut honest = house.client().await;
    let mut slow = tokio::task::JoinSet::new();
    for number in 0..300 {
        let mut stream = house.raw().await;
        slow.spawn(async move {
            match number % 3 {
                0 => {}
                1 => stream.write_all(UPGRADE.as_bytes()).await.unwrap(),
                // A byte at a time keeps no connection open longer than the whole head may take.
                _ => {
                    for byte in UPGRADE.as_bytes().iter().chain(b"X: ").chain(&[b'x'; 10_000]) {
                        if stream.write_all(&[*byte]).await.is_err() {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard).await;
            heard
        });
    }
    honest.is_served().await;
    house.client().await.is_served().await;
    for heard in patiently(slow.join_all()).await {
        assert_eq!(String::from_utf8_lossy(&heard), "", "they are closed without a word");
    }
    house.until(|now| now.connections == 1).await;
    honest.is_served().await;
}

#[tokio::test]
async fn sockets_whose_other_end_is_gone_are_closed_and_forgotten() {
    let _turn = TURN.lock().await;
    let limits = Limits { ping_secs: 1, idle_secs: 2, ..Limits::default() };
    let house = House::open(limits).await;
    let mut gone = Vec::new();
    for _ in 0..100 {
        let mut raw = Raw::open(&house).await;
        raw.write(&frame(LAST | TEXT, br#"["REQ","s",{}]"#)).await;
        gone.push(raw);
    }
    house.until(|now| now.subscriptions == 100).await;
    // Nobody answers the pings, and nobody says goodbye.
    house.until(|now| now.subscriptions == 0).await;
    for raw in gone {
        assert_eq!(raw.close_code().await, 1001);
    }
    house.client().await.is_served().await;
}

#[tokio::test]
async fn subscribers_that_do_not_read_cost_little_and_delay_nobody() {
    let _turn = TURN.lock().await;
    let limits = Limits { outbound_bytes: 1 << 20, ..Limits::default() };
    let house = House::open(limits).await;
    let mut reader = house.client().await;
    let mut deaf = Vec::new();
    for _ in 0..40 {
        deaf.push(house.small_client().await);
    }
    for client in deaf.iter_mut().chain([&mut reader]) {
        client.say(r#"["REQ","s",{"limit":0}]"#).await;
        assert_eq!(client.hear().await[0], "EOSE");
    }
    let before = memory_mib();
    let mut most = 0;
    let mut number = 0;
    while house.relay.statistics().too_slow < 40 {
        let event = note(1, format!("{number}{}", "x".repeat(60_000)));
        house.relay.publish(&event, None);
        assert_eq!(reader.hear().await[2]["content"], event.content);
        most = most.max(memory_mib());
        number += 1;
        assert!(number < 2_000, "kernel buffers hold no more than that");
    }
    // The bytes of an event are shared: forty queues of a MiB hold hardly more than one.
    assert!(most < before + 64, "{before} MiB became {most}");
    house.until(|now| now.conversations == 1 && now.subscriptions == 1).await;
    reader.is_served().await;
}

#[tokio::test]
async fn a_frame_that_claims_a_gibibyte_is_refused_before_it_is_read() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits::default()).await;
    let mut honest = house.client().await;
    let before = memory_mib();
    let mut claims = Vec::new();
    for first in [LAST | TEXT, TEXT, LAST | 0x2] {
        for length in [1_u64 << 30, u64::MAX >> 1, 131_073] {
            let mut raw = Raw::open(&house).await;
            let mut header = vec![first, 0x80 | 127];
            header.extend(length.to_be_bytes());
            header.extend([1, 2, 3, 4]);
            raw.write(&header).await;
            claims.push(raw);
        }
    }
    for raw in claims {
        assert_eq!(raw.close_code().await, 1009);
    }
    assert!(memory_mib() < before + 16);
    honest.is_served().await;
}

#[tokio::test]
async fn a_million_empty_fragments_close_their_socket_and_take_no_memory() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits::default()).await;
    let mut honest = house.client().await;
    let before = memory_mib();
    let middle = usize::try_from(MESSAGE_FRAMES).unwrap() - 2;
    let request = |empty| {
        let (first, last) = (frame(TEXT, b"[\"REQ\","), br#""s",{"limit":0}]"#);
        [first, frame(CONTINUE, b"").repeat(empty), frame(LAST | CONTINUE, last)].concat()
    };
    let mut raw = Raw::open(&house).await;
    raw.write(&request(middle)).await;
    let mut heard = Vec::new();
    while !heard.ends_with(br#"["EOSE","s"]"#) {
        heard.push(patiently(raw.0.read_u8()).await.unwrap());
    }
    raw.write(&request(middle + 1)).await;
    assert_eq!(raw.close_code().await, 1009, "one frame too many");
    let mut raw = Raw::open(&house).await;
    raw.write(&frame(TEXT, b"[")).await;
    let thousand = frame(CONTINUE, b"").repeat(1_000);
    for round in 0..1_000 {
        raw.write(&thousand).await;
        if round % 100 == 0 {
            honest.is_served().await;
        }
    }
    assert!(memory_mib() < before + 16);
    house.until(|now| now.connections == 1).await;
}

#[tokio::test]
async fn what_breaks_the_protocol_closes_its_own_socket_alone() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits::default()).await;
    let mut honest = house.client().await;
    let unmasked = [&[LAST | TEXT, 2][..], b"[]"].concat();
    let cases = [
        ("unmasked", unmasked, 1002),
        ("a reserved bit", frame(LAST | 0x40 | TEXT, b"[]"), 1002),
        ("an opcode that is none", frame(LAST | 0x3, b"[]"), 1002),
        ("a ping in parts", frame(PING, b""), 1002),
        ("a ping too long", frame(LAST | PING, &[0; 126]), 1002),
        ("a continuation of nothing", frame(LAST | CONTINUE, b"[]"), 1002),
        ("a text within a text", frame(TEXT, b"[").repeat(2), 1002),
        ("text that is no UTF-8", frame(LAST | TEXT, b"[\"\xff\"]"), 1007),
        ("half a character", frame(LAST | TEXT, b"[\"\xc3"), 1007),
        ("a surrogate", frame(LAST | TEXT, b"[\"\xed\xa0\x80\"]"), 1007),
    ];
    for (name, bytes, code) in cases {
        let mut raw = Raw::open(&house).await;
        raw.write(&bytes).await;
        assert_eq!(raw.close_code().await, code, "{name}");
    }
    honest.is_served().await;
    house.until(|now| now.connections == 1).await;
}

#[tokio::test]
async fn json_that_nests_without_end_is_answered_and_survived() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits::default()).await;
    let mut client = house.client().await;
    let deep = |open: &str| open.repeat(131_000 / open.len());
    let event = format!("{{\"id\":\"{}\",\"x\":", "ab".repeat(32));
    for (text, verb) in [
        (deep("["), "NOTICE"),
        (deep("{\"a\":"), "NOTICE"),
        (format!("[\"EVENT\",{{\"x\":{}", &deep("[")[..100_000]), "OK"),
        (format!("[\"EVENT\",{event}{}", &deep("[")[..100_000]), "OK"),
        (format!("[\"EVENT\",{event}{}1{}}}]", "[".repeat(9), "]".repeat(9)), "OK"),
        (format!("[\"REQ\",\"s\",{}", &deep("[")[..100_000]), "CLOSED"),
        (format!("[\"REQ\",\"s\",{{\"kinds\":{}", &deep("[")[..100_000]), "CLOSED"),
        (format!("[\"NEG-OPEN\",\"s\",{{\"#t\":{}", &deep("[")[..100_000]), "NEG-ERR"),
    ] {
        client.say(text.clone()).await;
        assert_eq!(client.hear().await[0], verb, "{}", &text[..40]);
    }
    client.is_served().await;
}

#[tokio::test]
async fn a_flood_of_filters_is_answered_in_full_and_holds_little() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits::default()).await;
    let mut honest = house.client().await;
    let mut client = house.client().await;
    let before = memory_mib();
    let ids: Vec<_> = (0..1_900_u32).map(|number| format!("\"{number:064x}\"")).collect();
    let filter = format!("{{\"ids\":[{}]}}", ids.join(","));
    let mut answers = [0, 0];
    for number in 0..200 {
        client.say(format!("[\"REQ\",\"{number}\",{filter}]")).await;
        match client.hear().await[0].as_str() {
            Some("EOSE") => answers[0] += 1,
            Some("CLOSED") => answers[1] += 1,
            other => panic!("{other:?}"),
        }
        if number % 50 == 0 {
            honest.is_served().await;
        }
    }
    // All open filters together may name what one largest REQ may name: twenty times 5,000 values.
    assert_eq!(answers, [100_000 / 1_900, 200 - 100_000 / 1_900]);
    let many = [r#"{"limit":0}"#; 21].join(",");
    for (text, why) in [
        (format!("[\"REQ\",\"s\",{many}]"), "at most 20 filters"),
        (format!("[\"COUNT\",\"s\",{many}]"), "at most 20 filters"),
        (r##"["REQ","s",{"#a":[],"#b":[],"#c":[],"#d":[]}]"##.into(), "at most 3 tag attributes"),
    ] {
        client.say(text).await;
        let closed = client.hear().await;
        assert_eq!(closed[0], "CLOSED");
        assert!(closed[2].as_str().unwrap().contains(why), "{closed}");
    }
    assert!(memory_mib() < before + 64, "{before} MiB became {}", memory_mib());
    drop(client);
    house.until(|now| now.subscriptions == 0).await;
}

#[tokio::test]
async fn a_look_that_takes_too_long_is_refused_and_delays_nobody() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits { query_secs: 1, ..Limits::default() }).await;
    let mut honest = house.client().await;
    let mut client = house.client().await;
    let kind = ENDLESS.0;
    let asks = ["REQ", "COUNT"].map(|verb| format!("[\"{verb}\",\"s\",{{\"kinds\":[{kind}]}}]"));
    for ask in asks {
        client.say(ask).await;
        honest.is_served().await;
        honest.say(r#"["REQ","s",{"kinds":[1]}]"#).await;
        assert_eq!(honest.hear().await[0], "EOSE");
        let closed = client.hear().await;
        assert_eq!(closed[0], "CLOSED");
        assert!(closed[2].as_str().unwrap().starts_with("error: "), "{closed}");
    }
    client.say(format!("[\"NEG-OPEN\",\"n\",{{\"kinds\":[{kind}]}},\"6100000200\"]")).await;
    assert_eq!(client.hear().await[0], "NEG-ERR");
    client.is_served().await;
}

#[tokio::test]
async fn a_flood_of_subscriptions_stops_at_the_limit() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits::default()).await;
    let mut honest = house.client().await;
    let mut client = house.client().await;
    for number in 0..1_000 {
        client.say(format!("[\"REQ\",\"{number}\",{{}}]")).await;
        let verb = if number < 200 { "EOSE" } else { "CLOSED" };
        assert_eq!(client.hear().await[0], verb, "{number}");
    }
    assert_eq!(house.relay.statistics().subscriptions, 200);
    honest.is_served().await;
    // Opening and closing without end leaves nothing behind.
    for _ in 0..1_000 {
        client.say(r#"["REQ","0",{"kinds":[1]}]"#).await;
        assert_eq!(client.hear().await[0], "EOSE");
    }
    assert_eq!(house.relay.statistics().subscriptions, 200);
    drop(client);
    house.until(|now| now.subscriptions == 0).await;
}

#[tokio::test]
async fn a_flood_of_auths_is_refused_unchecked() {
    let _turn = TURN.lock().await;
    let limits = Limits { junk_cost_bytes: 0, ..Limits::default() };
    let tries = u64::from(limits.auth_attempts);
    let house = House::open(limits).await;
    let mut client = house.client().await;
    let auth = Draft::new(kind::AUTH)
        .tag(["relay", &format!("ws://{}/", house.address)])
        .tag(["challenge", &client.challenge])
        .sign(&keys(2), NOW, [0; 32]);
    // As it would be signed by somebody else.
    let forged = auth.json().replace(&keys(2).public().to_string(), &keys(3).public().to_string());
    for number in 0..500 {
        client.say(format!("[\"AUTH\",{forged}]")).await;
        let ok = client.hear().await;
        assert_eq!((&ok[0], &ok[2]), (&json!("OK"), &json!(false)));
        let prefix = if number < tries { "invalid: " } else { "rate-limited: " };
        assert!(ok[3].as_str().unwrap().starts_with(prefix), "{number}: {ok}");
    }
    assert_eq!(house.relay.statistics().verified, tries, "the rest cost no signature check");
    client.say(r#"["REQ","s",{"kinds":[4]}]"#).await;
    assert_eq!(client.hear().await[0], "CLOSED", "nobody has authenticated");
    client.is_served().await;
}

#[tokio::test]
async fn an_auth_that_was_overheard_opens_nothing() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits::default()).await;
    let (mut party, mut thief) = (house.client().await, house.client().await);
    let to = keys(2).public().to_string();
    let wrap = Draft::new(kind::GIFT_WRAP).tag(["p", &to]).sign(&keys(9), NOW, [0; 32]);
    house.memory.store(&wrap);
    let auth = Draft::new(kind::AUTH)
        .tag(["relay", &format!("ws://{}/", house.address)])
        .tag(["challenge", &party.challenge])
        .sign(&keys(2), NOW, [0; 32]);
    for (client, seen) in [(&mut party, 1), (&mut thief, 0)] {
        client.say(format!("[\"AUTH\",{}]", auth.json())).await;
        assert_eq!(client.hear().await[2], seen == 1);
        client.say(r#"["COUNT","c",{}]"#).await;
        assert_eq!(client.hear().await[2]["count"], seen);
    }
    // Nor is it handed on as an event, or taken as one.
    thief.say(format!("[\"EVENT\",{}]", auth.json())).await;
    assert_eq!(thief.hear().await[2], false);
}

#[tokio::test]
async fn a_flood_of_junk_is_read_slowly_and_answered_in_full() {
    let _turn = TURN.lock().await;
    let limits = Limits {
        inbound_bytes_per_sec: 1 << 20,
        inbound_burst_bytes: 1 << 16,
        junk_cost_bytes: 4_096,
        ..Limits::default()
    };
    let house = House::open(limits).await;
    let mut honest = house.client().await;
    let mut raw = Raw::open(&house).await;
    let before = memory_mib();
    // 65,536 are had at once, and the rest at 256 a second: the sender waits in TCP.
    raw.write(&frame(LAST | TEXT, b"junk").repeat(500)).await;
    honest.is_served().await;
    let mut heard = vec![0; 4_096];
    let mut notices = 0;
    let mut all = Vec::new();
    while notices < 500 {
        let count = patiently(raw.0.read(&mut heard)).await.unwrap();
        assert!(count > 0, "it is not closed for that");
        all.extend_from_slice(&heard[..count]);
        notices = all.windows(8).filter(|part| *part == b"\"NOTICE\"").count();
    }
    assert!(memory_mib() < before + 16);
    honest.is_served().await;
}

#[tokio::test]
async fn pings_that_are_answered_to_nobody_do_not_pile_up() {
    let _turn = TURN.lock().await;
    let house = House::open(Limits::default()).await;
    let mut honest = house.client().await;
    let mut client = house.small_client().await;
    let before = memory_mib();
    let stream = client.socket.get_mut();
    let pings = frame(LAST | PING, &[7; 125]).repeat(1_000);
    let mut sent_bytes = 0;
    // Written until the relay reads no more, which it does when its pongs are not taken.
    while let Ok(written) = tokio::time::timeout(Duration::from_secs(1), stream.write(&pings)).await
    {
        sent_bytes += written.unwrap();
        assert!(sent_bytes < 1 << 28, "it would read for ever");
    }
    assert!(memory_mib() < before + 16, "{before} MiB became {}", memory_mib());
    honest.is_served().await;
    assert!(matches!(client.hear_any().await, Some(Message::Pong(_))));
}
