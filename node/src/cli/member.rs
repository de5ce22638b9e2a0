//! `ayni member`: accounts, as stewards open, limit and suspend them.

use anyhow::{Context as _, Result, bail};
use ayni_lets::{AccountType, Body, Ledger, Policy, Status};
use ayni_protocol::{Amount, Filter, Part as _, kind};
use clap::Subcommand;

use super::place::Place;
use super::{Common, bring, show};
use crate::keys;

#[derive(Subcommand)]
pub enum Member {
    /// Open an account
    #[command(after_help = "Example: ayni member add npub1… --name ana")]
    Add {
        /// The member's public key
        #[arg(value_name = "NPUB")]
        account: String,
        /// A short name, unique here, by which others pay
        #[arg(long)]
        name: String,
        /// How far below zero it may go, instead of the currency's default
        #[arg(long)]
        limit: Option<String>,
        /// member, organisation, community, cause or clearing
        #[arg(long = "type", value_name = "TYPE", default_value = "member")]
        account_type: String,
        /// A flag, such as id or age18
        #[arg(long = "flag")]
        flags: Vec<String>,
        /// Who invited them
        #[arg(long, value_name = "WHO")]
        inviter: Option<String>,
    },
    /// Change how far below zero an account may go
    Limit {
        /// Whose account
        who: String,
        /// The new limit, such as 40.00
        amount: String,
    },
    /// Suspend an account: it receives, and pays no more
    Suspend {
        /// Whose account
        who: String,
    },
    /// Name the witness that signs an account's payments first
    Home {
        /// Whose account
        who: String,
        /// The witness's public key
        #[arg(value_name = "NPUB")]
        witness: String,
    },
    /// Make a suspended account active again
    Resume {
        /// Whose account
        who: String,
    },
    /// Open accounts and book balances out of CES, Cyclos, IntegralCES or Komunitin
    #[command(
        after_help = "Example: ayni member import balances.csv --from ces --dry-run\nEvery heading \
                      that is understood is in docs/import.md."
    )]
    Import(bring::Import),
    /// List the accounts
    List,
}

impl Member {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        match self {
            Self::Add { account, name, limit, account_type, flags, inviter } => {
                let account =
                    keys::public(&account).context("the member's key must be an npub1… or hex")?;
                if place.members()?.iter().any(|member| member.code == name) {
                    bail!("there is an account called {name} already; choose another short name");
                }
                let mut policy = Policy::open(place.currency.clone(), account);
                policy.code = name;
                policy.account_type = openable(&account_type)?;
                policy.limit = limit.as_deref().map(Amount::parse).transpose()?;
                policy.flags = flags.into_iter().collect();
                policy.inviter = inviter.map(|who| place.who(&who)).transpose()?;
                act(common, &place, policy, "opened")
            }
            Self::Limit { who, amount } => {
                let limit = Amount::parse(&amount)?;
                change(common, &place, &who, |policy| policy.limit = Some(limit))
            }
            Self::Suspend { who } => {
                change(common, &place, &who, |policy| policy.status = Status::Suspended)
            }
            Self::Home { who, witness } => {
                let home = keys::public(&witness).context("name the witness by npub1… or hex")?;
                if !place.charter()?.is_witness(&home) {
                    bail!("{witness} is no witness here; see `ayni witness list`");
                }
                change(common, &place, &who, |policy| policy.home = Some(home))
            }
            Self::Resume { who } => {
                let account = place.who(&who)?;
                let tags = vec![(b'p', [account.to_string()].into())];
                let kinds = Some([kind::FRAUD].into());
                let proofs = place.events(&Filter { kinds, tags, ..Filter::default() })?;
                // Naming them forgives what they prove.
                change(common, &place, &who, |policy| {
                    policy.status = Status::Active;
                    policy.causes = proofs.into_iter().map(|proof| proof.id).collect();
                })
            }
            Self::Import(import) => import.run(common),
            Self::List => list(common, &place),
        }
    }
}

/// The types of account that are opened by hand; raffles open their own escrow accounts.
fn openable(name: &str) -> Result<AccountType> {
    let types = [
        AccountType::Member,
        AccountType::Organisation,
        AccountType::Community,
        AccountType::Cause,
        AccountType::Clearing,
    ];
    let found = types.into_iter().find(|known| known.as_str() == name);
    found.with_context(|| {
        format!(
            "{name} is no type of account: use member, organisation, community, cause or clearing"
        )
    })
}

/// Publishes the next version of an account's policy.
fn change(common: &Common, place: &Place, who: &str, with: impl FnOnce(&mut Policy)) -> Result<()> {
    let account = place.account(&place.who(who)?)?;
    let event = place.event(&account.latest_policy)?;
    let Body::Policy(policy) = Ledger::read(&event)?.body else {
        bail!("the node named an event that is no account policy");
    };
    let mut next = policy.next(event.id);
    with(&mut next);
    act(common, place, next, "changed")
}

fn act(common: &Common, place: &Place, policy: Policy, done: &str) -> Result<()> {
    let account = policy.account;
    let draft = Body::from(policy).draft(&place.community.id);
    let (event, _) = place.publish(draft, &common.community_keys()?)?;
    if common.json {
        return show::json(&serde_json::json!({"id": event.id, "account": account}));
    }
    show::line(format!("The account of {} is {done}.", keys::npub(&account)))
}

fn list(common: &Common, place: &Place) -> Result<()> {
    let members = place.members()?;
    if common.json {
        let accounts: Vec<_> = members
            .iter()
            .map(|member| {
                serde_json::json!({
                    "account": member.account, "name": member.name, "code": member.code,
                    "status": member.status, "balance": member.balance,
                })
            })
            .collect();
        return show::json(&serde_json::json!({
            "community": place.community.id, "currency": place.currency.to_string(), "accounts": accounts,
        }));
    }
    let rows: Vec<_> = members
        .into_iter()
        .map(|member| {
            let limit = member.limit.unwrap_or_else(|| "-".into());
            [member.code, member.account_type, member.status, member.balance, limit]
        })
        .collect();
    show::table(["name", "type", "status", "balance", "limit"], &rows)
}
