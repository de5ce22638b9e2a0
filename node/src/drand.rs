//! Fetching rounds of the public beacon.
//!
//! A round is a fact that anyone may carry: the address it came from is not believed, its signature
//! is. Where no address answers, the round can be typed in by hand or come by federation.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ayni_protocol::hex;
use ayni_witness::Round;
use ayni_witness::beacon::Chain;
use serde::Deserialize;

const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct Answer {
    signature: String,
}

/// Fetches a round from the first address that has it, and verifies it. Blocks.
///
/// # Errors
/// The last address's trouble, or that there is no address.
pub fn fetch(sources: &[String], chain: &Chain, round: u64) -> Result<Round> {
    let mut trouble = anyhow::anyhow!("no address to fetch rounds from is configured");
    for source in sources {
        match fetch_from(source, chain, round) {
            Ok(found) => return Ok(found),
            Err(error) => trouble = error.context(format!("from {source}")),
        }
    }
    Err(trouble)
}

fn fetch_from(source: &str, chain: &Chain, round: u64) -> Result<Round> {
    let base = source.trim_end_matches('/');
    let url = format!("{base}/{}/public/{round}", hex::encode(&chain.hash));
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
    let text = agent.get(&url).call()?.body_mut().read_to_string()?;
    let answer: Answer = serde_json::from_str(&text).context("not a drand answer")?;
    let Ok(signature) = hex::decode::<48>(&answer.signature) else {
        bail!("the signature is not 96 hex digits")
    };
    chain.verify(round, &signature).context("the signature is not the beacon's")
}
