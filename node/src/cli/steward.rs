//! `ayni steward`: who may act for a community with a key of their own.

use anyhow::{Result, bail};
use ayni_witness::entry::CharterText;
use clap::Subcommand;
use serde_json::json;

use super::place::Place;
use super::witness::next_charter;
use super::{Common, show};
use crate::keys;

#[derive(Subcommand)]
pub enum Steward {
    /// Let further people open accounts, raise limits, thank in points and approve acts, each with
    /// a key of their own. It cannot be taken back: what a steward signed counts for everybody
    #[command(after_help = "Example: ayni steward add ana npub1…\n\
        Then: ayni member add npub1… --name rui --key ana.key")]
    Add {
        /// Each one's public key, or the name of their account
        #[arg(value_name = "WHO", required = true)]
        people: Vec<String>,
    },
    /// List the stewards, and how many must approve an act
    List,
}

impl Steward {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let charter = match self {
            Self::List => place.charter()?,
            Self::Add { people } => {
                let charter = place.charter()?;
                let mut stewards = charter.stewards.clone();
                for name in &people {
                    if !stewards.insert(place.who(name)?) {
                        bail!("{name} is a steward already; see `ayni steward list`");
                    }
                }
                let next = |text: CharterText| CharterText { stewards, ..text };
                next_charter(&place, &charter, next, &common.community_keys()?)?
            }
        };
        if common.json {
            return show::json(&json!({
                "charter": charter.id, "stewards": charter.stewards, "approvals": charter.approvals,
            }));
        }
        let rows: Vec<_> = charter.stewards.iter().map(|key| [keys::npub(key)]).collect();
        show::table(["steward"], &rows)?;
        show::line(match charter.approvals {
            0 => "The community's key acts alone; stewards open accounts and raise limits too."
                .into(),
            count => {
                format!("What is not an everyday act counts once {count} of them approved it.")
            }
        })
    }
}
