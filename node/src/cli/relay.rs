//! `ayni relay`: what an operator tells a running relay (NIP-86), signed with their key.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{Common, show};
use crate::keys;

#[derive(Args)]
pub struct Relay {
    /// What to do; `supportedmethods` lists what there is
    method: String,
    /// With what: keys as npub or hex, ids as note, nevent or hex, numbers, text
    params: Vec<String>,
}

impl Relay {
    pub fn run(self, common: &Common) -> Result<()> {
        let keys = match &common.key {
            Some(key) => keys::secret(key)?,
            None => keys::of_node(&common.data, "node")?,
        };
        let params = self.params.iter().map(|text| param(text));
        let call = json!({"method": self.method, "params": params.collect::<Vec<_>>()});
        let answer = common.client()?.manage(&call.to_string(), &keys)?;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => bail!("{error}"),
            None if answer.get("result") == Some(&Value::Bool(true)) && !common.json => {
                show::line("Done.")
            }
            None => show::json(answer.get("result").unwrap_or(&Value::Null)),
        }
    }
}

/// A parameter as NIP-86 writes it: keys and ids in hex, numbers as numbers.
fn param(text: &str) -> Value {
    if let Some(key) = keys::public(text) {
        return json!(key);
    }
    if let Some(id) = keys::event_id(text) {
        return json!(id);
    }
    text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_typed_as_people_type_them() {
        let key = ayni_protocol::PublicKey([0xab; 32]);
        assert_eq!(param(&keys::npub(&key)), json!(key));
        assert_eq!(param(&key.to_string()), json!(key));
        assert_eq!(param("30023"), json!(30_023));
        assert_eq!(param("La Plaza"), json!("La Plaza"));
    }
}
