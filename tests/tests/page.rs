//! Walk 7 of the README, and everything else at the one address: page, documents, views.

use ayni_tests::Village;
use serde_json::Value;

/// Status line, headers and body of a plain request.
fn raw(address: &str, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: &str, path: &str, headers: &str) -> String {
    raw(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
}

#[test]
fn one_address_answers_by_what_is_asked() {
    let village = Village::with_members(&["ana"]);
    let address = village.node.address.as_str();
    let page = get(address, "/", "");
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
    assert!(page.contains("<script") && page.contains("/app.js"), "{page}");
    for file in ["/app.js", "/style.css", "/favicon.svg"] {
        assert!(get(address, file, "").starts_with("HTTP/1.1 200"), "{file}");
    }
    let information = get(address, "/", "Accept: application/nostr+json\r\n");
    assert!(information.contains("access-control-allow-origin: *"), "{information}");
    assert!(information.contains("\"supported_nips\":[1,"), "{information}");
    let preflight = raw(address, "OPTIONS / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(preflight.starts_with("HTTP/1.1 204"), "{preflight}");
    assert!(get(address, "/health/ready", "").contains("ready"));
    assert!(get(address, "/metrics", "").contains("ayni_stored_events"));
    let forwarded = get(address, "/metrics", "X-Forwarded-For: 192.0.2.1\r\n");
    assert!(forwarded.starts_with("HTTP/1.1 404"), "figures are for this machine: {forwarded}");
    let names = village.node.get("/.well-known/nostr.json?name=ana");
    assert_eq!(names["names"].as_object().unwrap().len(), 1, "{names}");
    assert!(get(address, "/nothing/here", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn every_view_that_is_described_is_served() {
    let village = Village::with_members(&["ana", "ben"]);
    let _ = village.ayni(&["pay", "ben", "1.00", "--key", "ana.key"]);
    let node = &village.node;
    let communities = node.get("/api/v1/communities");
    let community = communities[0]["id"].as_str().unwrap();
    let currency = communities[0]["currencies"][0].as_str().unwrap();
    let members = node.get(&format!("/api/v1/communities/{community}/members"));
    let key = members[0]["account"].as_str().unwrap();
    let description = node.get("/api/openapi.json");
    let paths = description["paths"].as_object().unwrap();
    assert!(paths.len() >= 14, "{} paths", paths.len());
    for path in paths.iter().filter(|(_, verbs)| verbs["get"].is_object()).map(|(path, _)| path) {
        let concrete = path
            .replace("{cid}", community)
            .replace("{address}", currency)
            .replace("{key}", key)
            .replace("{id}", &"0".repeat(64));
        let answer = get(&node.address, &concrete, "");
        let known =
            answer.starts_with("HTTP/1.1 200") || answer.contains("application/problem+json");
        assert!(known, "{concrete}: {answer}");
    }
}

#[test]
fn a_view_that_has_not_changed_is_not_sent_again() {
    let village = Village::with_members(&["ana"]);
    let address = village.node.address.as_str();
    let first = get(address, "/api/v1/communities", "");
    let tag = first.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let second = get(address, "/api/v1/communities", &format!("If-None-Match: {tag}\r\n"));
    assert!(second.starts_with("HTTP/1.1 304"), "{second}");
    village.open("ben");
    let path = "/api/v1/digest";
    assert!(get(address, path, &format!("If-None-Match: {tag}\r\n")).starts_with("HTTP/1.1 200"));
}

#[test]
fn bad_requests_are_problems_with_a_code() {
    let village = Village::with_members(&["ana"]);
    for (path, code) in [
        ("/api/v1/proposals/nonsense", "bad-request"),
        (
            "/api/v1/proposals/0000000000000000000000000000000000000000000000000000000000000000",
            "not-found",
        ),
        ("/api/v1/currencies/money", "bad-request"),
        ("/api/v1/export?filter=nonsense", "bad-request"),
    ] {
        let problem: Value = village.node.get(path);
        assert_eq!(problem["code"], code, "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().len() > 10, "{path}: {problem}");
    }
}
