//! `ayni merit`: thanks in points. Merit is no money: it cannot be sent, and it buys nothing.

use anyhow::{Result, bail};
use ayni_witness::entry::Merit;
use clap::Subcommand;

use super::begun::whole;
use super::place::{Act, Place};
use super::{Common, show};

#[derive(Subcommand)]
pub enum Merits {
    /// Award points, or take some back with a number below zero
    #[command(after_help = "Example: ayni merit award ana 5 --reason cooking")]
    Award {
        /// Who is thanked
        who: String,
        /// How many points
        #[arg(allow_negative_numbers = true)]
        points: i64,
        /// What for, in one word
        #[arg(long)]
        reason: String,
        /// The event that earned it
        #[arg(long, value_name = "ID")]
        cause: Option<String>,
    },
    /// Show everybody's points
    List,
}

impl Merits {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        match self {
            Self::Award { who, points, reason, cause } => {
                if points == 0 {
                    bail!("an award of no points thanks nobody");
                }
                let merit = Merit {
                    community: place.community.id,
                    member: place.who(&who)?,
                    points,
                    reason,
                    cause: cause.as_deref().map(whole).transpose()?,
                };
                let draft = ayni_witness::draft::merit(&merit);
                let (event, _) = place.publish(draft, &place.keys_for(common, Act::Everyday)?)?;
                if common.json {
                    return show::json(&serde_json::json!({"id": event.id}));
                }
                show::line(format!("{points} points for {who}: {}.", merit.reason))
            }
            Self::List => list(common, &place),
        }
    }
}

fn list(common: &Common, place: &Place) -> Result<()> {
    let mut members = place.members()?;
    members.sort_by_key(|member| (std::cmp::Reverse(member.merit), member.name.clone()));
    if common.json {
        let merits: serde_json::Map<_, _> = members
            .iter()
            .map(|member| (member.account.to_string(), member.merit.into()))
            .collect();
        return show::json(&merits.into());
    }
    let rows: Vec<_> =
        members.into_iter().map(|member| [member.name, member.merit.to_string()]).collect();
    show::table(["member", "merit"], &rows)
}
