//! The relay announces itself (NIP-66): one event, signed by the node, that says under which URL it
//! is reached and what it asks of those who come.
//!
//! Only a relay with a public URL does. What it says is what its information document says; what
//! others measure of it they publish themselves.

use std::time::Duration;

use anyhow::Result;
use ayni_protocol::{Draft, Event, Filter, Keys, kind};
use ayni_relay::Information;
use tokio_util::sync::CancellationToken;

use crate::admission::Origin;
use crate::clock;
use crate::config::{Auth, Relay, Write};
use crate::http::Shared;

/// How old an announcement may grow before it is made again.
const FRESH_SECS: u64 = 86_400;
/// How often its age is looked at.
const LOOK: Duration = Duration::from_secs(3_600);

/// The first of these URLs that others can reach, spelt as NIP-66 has it.
#[must_use]
pub fn public_url(urls: &[String]) -> Option<String> {
    urls.iter().find_map(|url| {
        let (scheme, rest) = url.split_once("://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
        let port = if scheme == "wss" { ":443" } else { ":80" };
        let host = host.strip_suffix(port).unwrap_or(&host);
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let here = name == "localhost" || name.starts_with("127.") || name == "[::1]";
        let known = scheme == "wss" || scheme == "ws";
        (known && !here && !name.is_empty()).then(|| format!("{scheme}://{host}/{path}"))
    })
}

/// The announcement of a relay that is reached at `url` and says `document` of itself.
#[must_use]
pub fn draft(url: &str, relay: &Relay, information: &Information, document: &str) -> Draft {
    let host = url.split('/').nth(2).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let network = match host.rsplit('.').next() {
        Some("onion") => "tor",
        Some("i2p") => "i2p",
        Some("loki") => "loki",
        _ => "clearnet",
    };
    let purpose = if relay.write == Write::Open { "PublicOutbox" } else { "Community" };
    let mut draft = Draft::new(kind::RELAY_DISCOVERY).tag(["d", url]).tag(["n", network]);
    draft = draft.tag(["T", purpose]);
    for nip in &information.supported_nips {
        draft = draft.tag(["N", &nip.to_string()]);
    }
    let requirements = [
        ("auth", relay.auth == Auth::OnConnect),
        ("writes", relay.write != Write::Open),
        ("pow", relay.min_pow_difficulty > 0),
        ("payment", false),
    ];
    for (name, needed) in requirements {
        let name = if needed { name.to_owned() } else { format!("!{name}") };
        draft = draft.tag(["R", &name]);
    }
    for kind in &relay.allowed_kinds {
        draft = draft.tag(["k", &kind.to_string()]);
    }
    for kind in &relay.denied_kinds {
        draft = draft.tag(["k", &format!("!{kind}")]);
    }
    draft.content(document)
}

/// Announces the relay at its start, when what it says of itself changes, and once a day.
pub async fn follow(shared: Shared, url: String, keys: Keys, stop: CancellationToken) {
    let mut orders = shared.backend.policy().management().changes();
    let mut every = clock::every(LOOK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
            changed = orders.changed() => if changed.is_err() { return },
        }
        if let Err(error) = announce(&shared, &url, &keys).await {
            tracing::warn!(error = format!("{error:#}"), "the relay is not announced");
        }
    }
}

async fn announce(shared: &Shared, url: &str, keys: &Keys) -> Result<()> {
    let of = shared.clone();
    let information = tokio::task::spawn_blocking(move || of.information()).await?;
    let document = information.document(&shared.config.limits);
    let draft = draft(url, &shared.config.relay, &information, &document);
    let filter = Filter {
        authors: Some([keys.public()].into()),
        kinds: Some([kind::RELAY_DISCOVERY].into()),
        tags: vec![(b'd', [url.to_owned()].into())],
        ..Filter::default()
    };
    let now = clock::now();
    let last = shared.backend.stored(&filter, 1).pop();
    let is_same = |last: &Event| {
        let fresh = last.created_at.saturating_add(FRESH_SECS) > now;
        fresh && last.content == draft.content && last.tags == draft.tags
    };
    if last.as_ref().is_some_and(is_same) {
        return Ok(());
    }
    // It must be later than the one it replaces.
    let at = now.max(last.map_or(0, |last| last.created_at.saturating_add(1)));
    shared.backend.write(draft.sign(keys, at, clock::entropy()), Origin::Client).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_url_that_others_can_reach_is_announced() {
        let url = |urls: &[&str]| {
            public_url(&urls.iter().map(|url| (*url).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            url(&["ws://127.0.0.1:7777", "wss://Ayni.example:443"]).unwrap(),
            "wss://ayni.example/"
        );
        assert_eq!(url(&["ws://abc.onion:7777/x"]).unwrap(), "ws://abc.onion:7777/x");
        for here in
            ["ws://localhost:7777", "ws://127.0.0.1:1/", "ws://[::1]:7777", "https://a.b", "x"]
        {
            assert_eq!(url(&[here]), None, "{here}");
        }
    }

    #[test]
    fn it_says_what_is_asked_of_those_who_come() {
        let relay = Relay { write: Write::Members, denied_kinds: vec![7], ..Relay::default() };
        let information = Information { supported_nips: vec![1, 66], ..Information::default() };
        let draft = draft("wss://a.onion/", &relay, &information, "{}");
        let tags: Vec<_> =
            draft.tags.iter().map(|tag| tag.values().collect::<Vec<_>>().join("=")).collect();
        let expected =
            "d=wss://a.onion/ n=tor T=Community N=1 N=66 R=!auth R=writes R=!pow R=!payment k=!7";
        assert_eq!(tags.join(" "), expected);
        assert_eq!(draft.content, "{}");
    }
}
