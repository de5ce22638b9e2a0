//! Addresses of relays, as they are compared.
//!
//! People write one relay's address in many ways, and an event that names a relay (NIP-42, NIP-62)
//! is signed with one of them; a comparison of bytes would let a request to vanish go unheard.

/// A relay's URL as it is compared: host in lower case, port unless it is 80 or 443, and path
/// without a last slash. Nothing for text that is no WebSocket or HTTP URL.
#[must_use]
pub fn normalised(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("://")?;
    if !["ws", "wss", "http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return None;
    }
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.to_ascii_lowercase();
    let host = host.strip_suffix(":80").or(host.strip_suffix(":443")).unwrap_or(&host);
    let host = host.trim_end_matches('.');
    if host.is_empty() || host.contains('@') {
        return None;
    }
    Some(format!("{host}/{}", path.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_compared_by_host_and_path() {
        let same = [
            "wss://Relay.Example/",
            "ws://relay.example",
            "https://relay.example:443/",
            "ws://relay.example:80//",
            "wss://relay.example./?x=1",
        ];
        for url in same {
            assert_eq!(normalised(url).as_deref(), Some("relay.example/"), "{url}");
        }
        assert_eq!(normalised("ws://h:7777/a/B/").as_deref(), Some("h:7777/a/B"));
        assert_eq!(normalised("ws://[::1]:7777").as_deref(), Some("[::1]:7777/"));
        for no in ["relay.example", "ftp://relay.example", "wss://", "wss://relay.example@evil"] {
            assert_eq!(normalised(no), None, "{no}");
        }
    }
}
