//! What the commands say to a running node: its HTTP side, one request at a time.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ayni_protocol::{Draft, Keys, VerifiedEvent, hex, kind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::show::seen;
use crate::clock;
use crate::http::authorization::header;
use crate::http::management::MEDIA_TYPE;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A node's address, and an agent to speak to it.
#[derive(Clone)]
pub struct Client {
    base: String,
    agent: ureq::Agent,
}

/// What the node says of one published event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// The event.
    pub id: String,
    /// Whether it is stored.
    pub accepted: bool,
    /// The OK's message.
    pub message: String,
}

impl Client {
    /// A client of the node at `ws://…`, `wss://…`, `http://…` or `https://…`.
    ///
    /// # Errors
    /// Where it is none of these.
    pub fn new(node: &str) -> Result<Self> {
        let node = node.trim_end_matches('/');
        let base = match node.split_once("://") {
            Some(("ws" | "http", host)) => format!("http://{host}"),
            Some(("wss" | "https", host)) => format!("https://{host}"),
            _ => bail!("a node's address looks like ws://127.0.0.1:7777, not {node}"),
        };
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .build();
        Ok(Self { base, agent: config.into() })
    }

    /// The address, for messages.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    fn unreachable(&self) -> String {
        format!(
            "no node answers at {}: start one with `ayni run`, or name it with --node",
            self.base
        )
    }

    /// Reads a view.
    ///
    /// # Errors
    /// Where no node answers, or it refuses; then with its sentence.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let text = self.text(path, "application/json")?;
        serde_json::from_str(&text).with_context(|| format!("the node's answer to {path}"))
    }

    /// Reads a view as text of a media type.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn text(&self, path: &str, accept: &str) -> Result<String> {
        let url = format!("{}{path}", self.base);
        let mut answer = self
            .agent
            .get(&url)
            .header("Accept", accept)
            .call()
            .with_context(|| self.unreachable())?;
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_string()?;
        if answer.status().is_success() { Ok(body) } else { bail!(problem(&body)) }
    }

    /// Copies a view as it comes, however long it is.
    ///
    /// # Errors
    /// As [`Client::get`], and where `out` cannot be written.
    pub fn copy(&self, path: &str, accept: &str, out: &mut impl std::io::Write) -> Result<()> {
        let url = format!("{}{path}", self.base);
        let request = self.agent.get(&url).header("Accept", accept);
        // A whole journal may take longer than an answer to a person.
        let request = request.config().timeout_global(None).build();
        let mut answer = request.call().with_context(|| self.unreachable())?;
        if !answer.status().is_success() {
            bail!(problem(&answer.body_mut().read_to_string()?));
        }
        match std::io::copy(&mut answer.body_mut().as_reader(), out) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Publishes events, in order, and gives what the node said of each.
    ///
    /// # Errors
    /// Where no node answers.
    pub fn publish(&self, events: &[VerifiedEvent]) -> Result<Vec<Receipt>> {
        let body: Vec<_> = events.iter().map(VerifiedEvent::json).collect();
        self.publish_lines(body.join("\n"))
    }

    /// Publishes what may be events, one a line, and gives what the node said of each.
    ///
    /// # Errors
    /// As [`Client::publish`].
    pub fn publish_lines(&self, lines: String) -> Result<Vec<Receipt>> {
        let mut answer = self
            .agent
            .post(&format!("{}/api/v1/events", self.base))
            .header("Content-Type", "application/jsonl")
            .send(lines)
            .with_context(|| self.unreachable())?;
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_string()?;
        if !answer.status().is_success() {
            bail!(problem(&body));
        }
        serde_json::from_str(&body).context("the node's answer")
    }

    /// Publishes one event and fails with the node's sentence if it is not stored.
    ///
    /// # Errors
    /// As [`Client::publish`], and the refusal.
    pub fn publish_one(&self, event: &VerifiedEvent) -> Result<Receipt> {
        let receipts = self.publish(std::slice::from_ref(event))?;
        match receipts.into_iter().next() {
            Some(receipt) if receipt.accepted => Ok(receipt),
            Some(receipt) => bail!(seen(&receipt.message)),
            None => bail!("the node said nothing of the event"),
        }
    }
}

/// Managing the relay.
impl Client {
    /// Calls a method of NIP-86, signed by `keys`, and gives the answer as it came.
    ///
    /// # Errors
    /// Where no node answers, or with something that is no answer.
    pub fn manage(&self, call: &str, keys: &Keys) -> Result<serde_json::Value> {
        let payload = hex::encode(&Sha256::digest(call));
        let ticket = Draft::new(kind::HTTP_AUTH)
            .tag(["u", &format!("{}/", self.base)])
            .tag(["method", "POST"])
            .tag(["payload", &payload])
            // Two calls of one second are two calls.
            .tag(["nonce", &hex::encode(&clock::entropy::<8>())])
            .sign(keys, clock::now(), clock::entropy());
        let mut answer = self
            .agent
            .post(&format!("{}/", self.base))
            .header("Content-Type", MEDIA_TYPE)
            .header("Authorization", header(&ticket))
            .send(call)
            .with_context(|| self.unreachable())?;
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_string()?;
        serde_json::from_str(&body).with_context(|| format!("{} answers: {body}", self.base))
    }
}

/// Percent-encodes everything but letters and digits.
#[must_use]
pub fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The sentence of a problem document, or the body as it is.
fn problem(body: &str) -> String {
    let document: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let detail = document.as_ref().and_then(|document| document.get("detail"));
    seen(detail.and_then(|detail| detail.as_str()).unwrap_or(body))
}
