//! The relay over real sockets: what a client sees, and who is closed when.

#[cfg(test)]
#[expect(dead_code, reason = "the tests of abuse share it, and need other parts of it")]
mod world;

use std::collections::BTreeSet;

use ayni_protocol::{Draft, Limits, VerifiedEvent, hex, kind};
use ayni_relay::{Backend as _, Settings};
use futures_util::SinkExt as _;
use negentropy::{Id, Negentropy, NegentropyStorageVector};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use world::memory::{Memory, NOW};
use world::raw::{CLOSE, LAST, Raw, TEXT, frame};
use world::{House, UPGRADE, keys, note, patiently};

#[tokio::test]
async fn what_one_publishes_another_reads() {
    let house = House::open(Limits::default()).await;
    let (mut ana, mut ben) = (house.client().await, house.client().await);
    ben.say(r#"["REQ","s",{"kinds":[1]}]"#).await;
    assert_eq!(ben.hear().await, json!(["EOSE", "s", ["finish"]]));
    let event = note(1, "hello");
    ana.publish(&event).await;
    assert_eq!(ana.hear().await, json!(["OK", event.id, true, ""]));
    let live = ben.hear().await;
    assert_eq!((&live[0], &live[1]), (&json!("EVENT"), &json!("s")));
    assert_eq!(live[2].to_string().len(), event.json().len());
    ana.publish(&event).await;
    let again = ana.hear().await;
    assert_eq!(again[2], true);
    assert!(again[3].as_str().unwrap().starts_with("duplicate: "));
    ana.say(r#"["REQ","mine",{"limit":1}]"#).await;
    assert_eq!(ana.hear().await[2]["content"], "hello");
    assert_eq!(ana.hear().await, json!(["EOSE", "mine", ["finish"]]));
    ana.say(r#"["COUNT","c",{}]"#).await;
    assert_eq!(ana.hear().await, json!(["COUNT", "c", {"count": 1}]));
    assert_eq!(house.relay.statistics().verified, 1, "the duplicate was not verified");
    house.close().await;
}

#[tokio::test]
async fn a_request_replaces_the_one_of_its_name() {
    let house = House::open(Limits::default()).await;
    let mut client = house.client().await;
    for filter in [r#"{"kinds":[1]}"#, r#"{"kinds":[7]}"#] {
        client.say(format!("[\"REQ\",\"s\",{filter}]")).await;
        assert_eq!(client.hear().await, json!(["EOSE", "s", ["finish"]]));
    }
    house.store(&note(1, "not for the new one"));
    let like = Draft::new(ayni_protocol::Kind(7)).content("+").sign(&keys(1), NOW, [0; 32]);
    house.store(&like);
    assert_eq!(client.hear().await[2]["kind"], 7);
    assert_eq!(house.relay.statistics().subscriptions, 1);
    drop(client);
    house.until(|now| now.subscriptions == 0 && now.connections == 0).await;
}

#[tokio::test]
async fn many_events_at_once_get_one_ok_each() {
    let house = House::open(Limits::default()).await;
    let mut client = house.client().await;
    let events: Vec<_> = (0..300).map(|number| note(1, number.to_string())).collect();
    for event in &events {
        let text = format!("[\"EVENT\",{}]", event.json());
        client.socket.feed(Message::text(text)).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    let mut answered = BTreeSet::new();
    for _ in &events {
        let ok = client.hear().await;
        assert_eq!((&ok[0], &ok[2]), (&json!("OK"), &json!(true)));
        assert!(answered.insert(ok[1].as_str().unwrap().to_owned()));
    }
    let refused = note(1, "no");
    client.publish(&refused).await;
    let why = "blocked: not with this content";
    assert_eq!(client.hear().await, json!(["OK", refused.id, false, why]));
    let statistics = house.relay.statistics();
    assert_eq!((statistics.accepted, statistics.rejected), (300, 1));
}

#[tokio::test]
async fn questions_that_wait_for_an_answer_to_be_sent_are_asked_then() {
    // Some questions are answered together, and the next wait for those answers to be wholly sent.
    // Nothing else wakes the connection: no ping comes before the test is out of patience.
    let silent = Limits { ping_secs: 3_600, idle_secs: 7_200, ..Limits::default() };
    let house = House::open(Limits { max_limit: 3, ..silent }).await;
    (0..5).for_each(|number| house.store(&note(1, number.to_string())));
    let mut client = house.client().await;
    for number in 0..20 {
        let text = format!(r#"["REQ","q{number}",{{"kinds":[1]}}]"#);
        client.socket.feed(Message::text(text)).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    for number in 0..20 {
        for _ in 0..3 {
            assert_eq!(client.hear().await[1], format!("q{number}"));
        }
        let end = client.hear().await;
        assert_eq!((&end[0], &end[1]), (&json!("EOSE"), &json!(format!("q{number}"))));
    }
}

#[tokio::test]
async fn gift_wraps_reach_their_party_alone() {
    let house = House::open(Limits::default()).await;
    let mut clients = [house.client().await, house.client().await, house.client().await];
    clients[0].auth(&keys(2), &house).await;
    clients[1].auth(&keys(3), &house).await;
    for client in &mut clients {
        client.say(r#"["REQ","s",{"kinds":[1,1059]}]"#).await;
        assert_eq!(client.hear().await[0], "EOSE");
    }
    clients[1].auth(&keys(4), &house).await;
    for party in [2, 4] {
        let party = keys(party).public().to_string();
        let wrap = Draft::new(kind::GIFT_WRAP).tag(["p", &party]).sign(&keys(9), NOW, [0; 32]);
        house.store(&wrap);
    }
    house.store(&note(1, "for all"));
    let mut seen = Vec::new();
    for client in &mut clients {
        let mut kinds = Vec::new();
        while kinds.last() != Some(&1) {
            kinds.push(client.hear().await[2]["kind"].as_u64().unwrap());
        }
        seen.push(kinds);
    }
    assert_eq!(seen, [vec![1059, 1], vec![1059, 1], vec![1]]);
}

#[tokio::test]
async fn an_ephemeral_wrap_is_mute_unless_its_party_listens() {
    let house = House::open(Limits::default()).await;
    let (mut stranger, mut party) = (house.client().await, house.client().await);
    for client in [&mut stranger, &mut party] {
        client.say(r#"["REQ","s",{"limit":0}]"#).await;
        assert_eq!(client.hear().await[0], "EOSE");
    }
    let wrap = |number: &str| {
        let to = keys(2).public().to_string();
        let draft = Draft::new(kind::EPHEMERAL_WRAP).tag(["p", &to]).content(number);
        draft.sign(&keys(9), NOW, [0; 32])
    };
    stranger.publish(&wrap("1")).await;
    let ok = stranger.hear().await;
    assert_eq!(ok[2], false);
    assert!(ok[3].as_str().unwrap().starts_with("mute: "), "{ok}");
    party.auth(&keys(2), &house).await;
    stranger.publish(&wrap("2")).await;
    assert_eq!(stranger.hear().await[2], true);
    assert_eq!(party.hear().await[2]["content"], "2");
}

#[tokio::test]
async fn negentropy_finds_what_either_side_lacks() {
    let limits = Limits { reconciliation_bytes: 4_096, ..Limits::default() };
    let house = House::open(limits).await;
    let mut mine = NegentropyStorageVector::new();
    let (mut only_theirs, mut only_mine) = (BTreeSet::new(), BTreeSet::new());
    for number in 0..2_000_u64 {
        let draft = Draft::new(kind::NOTE).content(number.to_string());
        let event = draft.sign(&keys(1), NOW - number / 3, [0; 32]);
        if number % 3 != 0 {
            house.memory.store(&event);
        }
        if number % 5 != 0 {
            mine.insert(event.created_at, Id::from_byte_array(event.id.0)).unwrap();
        }
        match (number % 3 != 0, number % 5 != 0) {
            (true, false) => _ = only_theirs.insert(event.id.0),
            (false, true) => _ = only_mine.insert(event.id.0),
            _ => {}
        }
    }
    let party = keys(7).public().to_string();
    let wrap = Draft::new(kind::GIFT_WRAP).tag(["p", &party]).sign(&keys(9), NOW, [0; 32]);
    house.memory.store(&wrap);
    mine.seal().unwrap();
    let mut negentropy = Negentropy::owned(mine, 4_096).unwrap();
    let mut client = house.client().await;
    let first = hex::encode(&negentropy.initiate().unwrap());
    client.say(format!("[\"NEG-OPEN\",\"n\",{{}},\"{first}\"]")).await;
    let (mut have, mut need, mut rounds) = (Vec::new(), Vec::new(), 0);
    loop {
        rounds += 1;
        let answer = client.hear().await;
        assert_eq!((&answer[0], &answer[1]), (&json!("NEG-MSG"), &json!("n")));
        let text = answer[2].as_str().unwrap();
        let bytes: Vec<u8> = (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        match negentropy.reconcile_with_ids(&bytes, &mut have, &mut need).unwrap() {
            None => break,
            Some(next) => {
                client.say(format!("[\"NEG-MSG\",\"n\",\"{}\"]", hex::encode(&next))).await;
            }
        }
    }
    let ids = |found: Vec<Id>| found.iter().map(|id| **id).collect::<BTreeSet<[u8; 32]>>();
    assert_eq!(ids(need), only_theirs, "and not the wrap, which is not ours to know of");
    assert_eq!(ids(have), only_mine);
    assert!(rounds > 2);
    client.say(r#"["NEG-CLOSE","n"]"#).await;
    client.say(r#"["NEG-MSG","n","61"]"#).await;
    assert_eq!(client.hear().await[0], "NEG-ERR");
}

#[tokio::test]
async fn a_message_of_one_byte_too_many_closes_the_socket() {
    let limits = Limits { message_bytes: 1_000, ..Limits::default() };
    let house = House::open(limits).await;
    let mut client = house.client().await;
    client.say("x".repeat(1_000)).await;
    assert_eq!(client.hear().await[0], "NOTICE");
    client.say("x".repeat(1_001)).await;
    assert_eq!(client.close_code().await, Some(1009));
    let mut client = house.client().await;
    for (at, part) in ["x".repeat(999), "xx".into()].into_iter().enumerate() {
        let opcode = if at == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(part, OpCode::Data(opcode), at == 1);
        client.socket.send(Message::Frame(frame)).await.unwrap();
    }
    assert_eq!(client.close_code().await, Some(1009));
}

#[tokio::test]
async fn fragments_and_binary_frames_are_read_and_broken_ones_close_the_socket() {
    let house = House::open(Limits::default()).await;
    let mut client = house.client().await;
    for (at, part) in ["[\"REQ\",\"ä", "", "\",{\"limit\":0}]"].into_iter().enumerate() {
        let opcode = if at == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(part, OpCode::Data(opcode), at == 2);
        client.socket.send(Message::Frame(frame)).await.unwrap();
    }
    assert_eq!(client.hear().await, json!(["EOSE", "ä"]));
    client.socket.send(Message::binary(r#"["REQ","b",{"ids":[]}]"#)).await.unwrap();
    assert_eq!(client.hear().await, json!(["EOSE", "b", ["finish"]]));
    client.socket.send(Message::Ping("are you there".into())).await.unwrap();
    assert_eq!(client.hear_any().await, Some(Message::Pong("are you there".into())));
    client.socket.send(Message::binary(vec![0xff])).await.unwrap();
    assert_eq!(client.close_code().await, Some(1007));
    let mut client = house.client().await;
    client.socket.get_mut().write_all(&[0x81, 0x01, b'x']).await.unwrap();
    assert_eq!(client.close_code().await, Some(1002), "a client must mask");
}

#[tokio::test]
async fn what_came_before_a_close_an_end_or_a_broken_frame_is_stored_and_answered() {
    let close = frame(LAST | CLOSE, &1000_u16.to_be_bytes());
    let broken = frame(LAST | TEXT, b"[\"\xff\"]");
    let too_long = frame(LAST | TEXT, &[b'x'; 1_001]);
    for (end, answered) in [(close, 1000), (vec![], 0), (broken, 1007), (too_long, 1009)] {
        // Fewer at a time than are sent, so that some wait unread behind the others.
        let house = House::open(Limits { message_bytes: 1_000, ..Limits::default() }).await;
        let mut raw = Raw::open(&house).await;
        let events: Vec<_> = (0..100).map(|number| note(1, number.to_string())).collect();
        let message = |event: &VerifiedEvent| format!("[\"EVENT\",{}]", event.json());
        let mut bytes: Vec<u8> =
            events.iter().flat_map(|event| frame(LAST | TEXT, message(event).as_bytes())).collect();
        bytes.extend(end);
        raw.write(&bytes).await;
        raw.0.shutdown().await.unwrap();
        let mut heard = Vec::new();
        patiently(raw.0.read_to_end(&mut heard)).await.unwrap();
        let oks = heard.windows(6).filter(|six| six == b"[\"OK\",").count();
        assert_eq!(oks, events.len());
        assert!(events.iter().all(|event| house.memory.contains(&event.id)));
        let code = u16::to_be_bytes(answered);
        let said = heard.windows(4).any(|four| four[0] == 0x88 && four[2..] == code);
        assert_eq!(said, answered != 0, "{answered}");
        house.until(|now| now.connections == 0).await;
    }
}

#[tokio::test]
async fn a_close_is_answered() {
    let house = House::open(Limits::default()).await;
    let mut client = house.client().await;
    client.socket.close(None).await.unwrap();
    assert_eq!(client.hear_any().await, Some(Message::Close(None)));
    assert_eq!(client.hear_any().await, None);
    house.until(|now| now.connections == 0).await;
}

#[tokio::test]
async fn a_close_code_that_nobody_may_send_is_a_protocol_error() {
    let house = House::open(Limits::default()).await;
    for (sent, answered) in [(1000, 1000), (4999, 4999), (999, 1002), (1005, 1002), (5000, 1002)] {
        let mut raw = Raw::open(&house).await;
        raw.write(&frame(LAST | CLOSE, &u16::to_be_bytes(sent))).await;
        assert_eq!(raw.close_code().await, answered, "{sent}");
    }
}

#[tokio::test]
async fn a_forgery_under_a_known_id_is_told_that_it_is_one() {
    let house = House::open(Limits::default()).await;
    let mut client = house.client().await;
    let known = note(1, "known");
    house.store(&known);
    let forged = known.json().replace("known", "other");
    client.socket.send(Message::text(format!("[\"EVENT\",{forged}]"))).await.unwrap();
    let why = "invalid: the id is not the hash of the event";
    assert_eq!(client.hear().await, json!(["OK", known.id, false, why]));
    client.publish(&known).await;
    assert_eq!(client.hear().await[2], true);
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_is_closed_and_others_are_served() {
    let limits = Limits { outbound_bytes: 200_000, ..Limits::default() };
    let house = House::open(limits).await;
    let (mut deaf, mut reader) = (house.small_client().await, house.client().await);
    for client in [&mut deaf, &mut reader] {
        client.say(r#"["REQ","s",{"limit":0}]"#).await;
        assert_eq!(client.hear().await[0], "EOSE");
    }
    let mut number = 0;
    while house.relay.statistics().too_slow == 0 {
        house.store(&note(1, format!("{number}{}", "x".repeat(50_000))));
        let heard = reader.hear().await;
        let content = heard[2]["content"].as_str().unwrap();
        assert_eq!(content.trim_end_matches('x'), number.to_string());
        number += 1;
        assert!(number < 2_000, "kernel buffers hold no more than that");
    }
    house.until(|now| now.conversations == 1 && now.subscriptions == 1).await;
    house.store(&note(1, "still here"));
    assert_eq!(reader.hear().await[2]["content"], "still here");
    assert_eq!(deaf.close_code().await, None, "it is dropped without a word");
}

#[tokio::test]
async fn a_slow_reader_gets_an_answer_larger_than_the_outbox() {
    let limits = Limits { outbound_bytes: 100_000, ..Limits::default() };
    let house = House::open(limits).await;
    for number in 0..400 {
        house.memory.store(&note(1, format!("{number}{}", "x".repeat(20_000))));
    }
    let mut client = house.small_client().await;
    client.say(r#"["REQ","s",{}]"#).await;
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let mut count = 0;
    while client.hear().await[0] == "EVENT" {
        count += 1;
    }
    assert_eq!((count, house.relay.statistics().too_slow), (400, 0));
}

#[tokio::test]
async fn a_socket_that_says_nothing_or_half_is_dropped_by_its_deadline() {
    // Each deadline by itself: the other is longer than anybody waits here.
    let limits = Limits { first_byte_secs: 1, handshake_secs: 600, ..Limits::default() };
    let house = House::open(limits).await;
    let mut client = house.client().await;
    assert_eq!(house.exchange(b"").await, "");
    client.is_served().await;
    let limits = Limits { first_byte_secs: 600, handshake_secs: 1, ..Limits::default() };
    let house = House::open(limits).await;
    let mut client = house.client().await;
    assert_eq!(house.exchange(b"GET / HTTP/1.1\r\nHost: half a head\r\n").await, "");
    client.say(r#"["REQ","s",{"limit":0}]"#).await;
    assert_eq!(client.hear().await[0], "EOSE", "who shook hands may be silent for longer");
}

#[tokio::test]
async fn a_silent_client_is_pinged_then_closed() {
    let limits = Limits { ping_secs: 1, idle_secs: 2, ..Limits::default() };
    let house = House::open(limits).await;
    let mut stream = house.raw().await;
    stream.write_all(format!("{UPGRADE}\r\n").as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    patiently(stream.read_to_end(&mut heard)).await.unwrap();
    let text = String::from_utf8_lossy(&heard);
    assert!(text.starts_with("HTTP/1.1 101 "));
    let last_words = b"\x89\x00\x88\x1c\x03\xe9nothing was heard for long";
    assert!(heard.ends_with(&last_words[..]), "{text}");
}

#[tokio::test]
async fn a_client_that_answers_pings_stays() {
    let limits = Limits { ping_secs: 1, idle_secs: 2, ..Limits::default() };
    let house = House::open(limits).await;
    let mut client = house.client().await;
    client.say(r#"["REQ","s",{"limit":0}]"#).await;
    assert_eq!(client.hear().await[0], "EOSE");
    let later = async {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        house.store(&note(1, "after five seconds"));
    };
    let (heard, ()) = tokio::join!(client.hear(), later);
    assert_eq!(heard[2]["content"], "after five seconds");
}

#[tokio::test]
async fn one_connection_too_many_is_turned_away() {
    let house = House::open(Limits { connections: 2, ..Limits::default() }).await;
    let (first, _second) = (house.client().await, house.client().await);
    let answer = house.exchange(UPGRADE.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert_eq!(house.relay.statistics().connections_refused, 1);
    drop(first);
    house.until(|now| now.connections == 1).await;
    house.client().await;
}

#[tokio::test]
async fn one_connection_too_many_from_an_address_is_turned_away() {
    let limits = Limits { connections_per_address: 1, ..Limits::default() };
    let house = House::open(limits).await;
    let _first = house.client().await;
    let answer = house.exchange(UPGRADE.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
}

#[tokio::test]
async fn a_trusted_proxy_is_counted_by_whom_it_speaks_for() {
    let limits = Limits { connections_per_address: 1, ..Limits::default() };
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let settings = Settings { limits, trusted_proxies, ..Settings::default() };
    let house = House::open_with(settings, Memory::default()).await;
    let ask = |address: &str| {
        format!("{UPGRADE}X-Forwarded-For: 6.6.6.6, {address}\r\n\r\n").into_bytes()
    };
    let mut held = house.raw().await;
    held.write_all(&ask("10.0.0.1")).await.unwrap();
    let mut answer = [0; 12];
    patiently(held.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    assert!(house.exchange(&ask("10.0.0.1")).await.starts_with("HTTP/1.1 429 "));
    let mut other = house.raw().await;
    other.write_all(&ask("10.0.0.2")).await.unwrap();
    patiently(other.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
}

#[tokio::test]
async fn one_event_too_many_to_check_is_refused() {
    let house = House::open(Limits { verify_queue: 0, ..Limits::default() }).await;
    let mut client = house.client().await;
    client.publish(&note(1, "one more than none")).await;
    let ok = client.hear().await;
    assert_eq!(ok[2], false);
    assert!(ok[3].as_str().unwrap().starts_with("rate-limited: "));
}

#[tokio::test]
async fn the_information_document_is_served_on_the_same_address() {
    let house = House::open(Limits::default()).await;
    let get = |accept: &str| {
        format!("GET / HTTP/1.1\r\nHost: relay.test\r\nAccept: {accept}\r\n\r\n").into_bytes()
    };
    let answer = house.exchange(&get("application/nostr+json")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "));
    for header in [
        "Content-Type: application/nostr+json",
        "Access-Control-Allow-Origin: *",
        "Access-Control-Allow-Headers: *",
        "Access-Control-Allow-Methods: GET, HEAD, OPTIONS",
        "Vary: Accept, Upgrade",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    assert_eq!(body, house.relay.information());
    let preflight = house.exchange(b"OPTIONS / HTTP/1.1\r\nHost: relay.test\r\n\r\n").await;
    assert!(preflight.starts_with("HTTP/1.1 204 ") && preflight.contains("Allow-Origin: *"));
    let page = house.exchange(&get("text/html")).await;
    assert!(page.ends_with("Give this address to a Nostr client.\n"), "{page}");
    let other = house.exchange(b"POST / HTTP/1.1\r\nHost: relay.test\r\n\r\n").await;
    assert!(other.starts_with("HTTP/1.1 405 "));
}

#[tokio::test]
async fn an_upgrade_is_taken_at_its_path_and_with_its_protocol() {
    let settings = Settings { path: "/relay".into(), ..Settings::default() };
    let house = House::open_with(settings, Memory::default()).await;
    let elsewhere = UPGRADE.replace("GET / ", "GET /elsewhere ");
    assert!(
        house.exchange(format!("{elsewhere}\r\n").as_bytes()).await.starts_with("HTTP/1.1 404")
    );
    let broken = UPGRADE.replace("Sec-WebSocket-Key", "X-Key");
    assert!(house.exchange(format!("{broken}\r\n").as_bytes()).await.starts_with("HTTP/1.1 400"));
    let old = UPGRADE.replace("Version: 13", "Version: 8");
    let answer = house.exchange(format!("{old}\r\n").as_bytes()).await;
    assert!(
        answer.starts_with("HTTP/1.1 426 ") && answer.contains("Sec-WebSocket-Version: 13\r\n")
    );
    let endless = format!("{UPGRADE}X: {}", "x".repeat(20_000));
    assert!(house.exchange(endless.as_bytes()).await.starts_with("HTTP/1.1 431"));
    // A close frame in the same packet as the head: both are taken.
    let at_path = UPGRADE.replace("GET / ", "GET /relay?x=1 ");
    let mut request = format!(
        "{at_path}Sec-WebSocket-Protocol: nostr, other\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(&[0x88, 0x80, 1, 2, 3, 4]);
    let answer = house.exchange(&request).await.to_lowercase();
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("sec-websocket-protocol: nostr\r\n"), "{answer}");
    assert!(!answer.contains("extensions"), "compressed frames are not agreed to: {answer}");
    assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
}

#[tokio::test]
async fn stopping_says_so_to_everybody() {
    let mut house = House::open(Limits::default()).await;
    let mut client = house.client().await;
    client.say(r#"["REQ","s",{"limit":0}]"#).await;
    assert_eq!(client.hear().await[0], "EOSE");
    let mut idle_page = house.raw().await;
    house.until(|now| now.connections == 2).await;
    house.stop();
    assert_eq!(client.hear().await, json!(["CLOSED", "s", "error: shutting down"]));
    assert_eq!(client.close_code().await, Some(1001));
    let mut rest = Vec::new();
    patiently(idle_page.read_to_end(&mut rest)).await.unwrap();
    let address = house.address;
    house.close().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
