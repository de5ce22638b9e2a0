//! `ayni member`: accounts, as stewards open, limit, suspend and close them.

use anyhow::{Context as _, Result, bail};
use ayni_lets::{AccountType, Body, Ledger, Policy, Status};
use ayni_protocol::{Amount, EventId, Part as _, PublicKey, kind};
use clap::Subcommand;

use super::place::{Act, Member as Listed, Place, tagged};
use super::{Common, bring, rules, show};
use crate::{keys, name};

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
        #[arg(long, allow_negative_numbers = true)]
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
        #[arg(allow_negative_numbers = true)]
        amount: String,
    },
    /// Give an account another short name
    #[command(after_help = "Example: ayni member rename ana ana-lima")]
    Rename {
        /// Whose account
        who: String,
        /// The new short name
        name: String,
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
    /// Make a suspended account active again, or open a closed one again
    Resume {
        /// Whose account
        who: String,
    },
    /// Close an account whose balance is zero: nothing goes in or out
    #[command(
        after_help = "Example: ayni charge writeoff 4.50 --from commons --to ana && ayni member close ana"
    )]
    Close {
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
                let members = place.members()?;
                if let Some(known) = members.iter().find(|member| member.account == account) {
                    bail!(open_already(known));
                }
                let name = free(&members, &name)?;
                let mut policy = Policy::open(place.currency.clone(), account);
                policy.code = name;
                policy.account_type = openable(&account_type)?;
                policy.limit = limit.as_deref().map(|text| place.amount(text)).transpose()?;
                policy.flags = flags.into_iter().collect();
                policy.inviter = inviter.map(|who| place.who(&who)).transpose()?;
                act(common, &place, policy, ("opened", Act::Everyday))
            }
            Self::Limit { who, amount } => {
                let limit = place.amount(&amount)?;
                let now = place.account(&place.who(&who)?)?.limit;
                let lower = Amount::parse(&now).is_ok_and(|now| limit.minor < now.minor);
                let act = if lower { Act::Community } else { Act::Everyday };
                change(common, &place, &who, act, |policy| policy.limit = Some(limit))
            }
            Self::Rename { who, name } => {
                let name = free(&place.members()?, &name)?;
                change(common, &place, &who, Act::Everyday, |policy| policy.code = name)
            }
            Self::Suspend { who } => {
                let (id, policy) = latest(&place, &place.who(&who)?)?;
                if policy.status == Status::Closed {
                    bail!("the account of {who} is closed: nothing goes in or out already");
                }
                let next = Policy { status: Status::Suspended, ..policy.next(id) };
                act(common, &place, next, ("changed", Act::Community))
            }
            Self::Close { who } => close(common, &place, &who),
            Self::Home { who, witness } => {
                let home = keys::public(&witness).context("name the witness by npub1… or hex")?;
                if !place.charter()?.is_witness(&home) {
                    bail!("{witness} is no witness here; see `ayni witness list`");
                }
                change(common, &place, &who, Act::Community, |policy| policy.home = Some(home))
            }
            Self::Resume { who } => resume(common, &place, &who),
            Self::Import(import) => import.run(common),
            Self::List => list(common, &place),
        }
    }
}

/// What is said where somebody's key has an account: a second opening would be a fork of its policy.
fn open_already(known: &Listed) -> String {
    let npub = keys::npub(&known.account);
    let code = if known.code.is_empty() { &npub } else { &known.code };
    let next = match known.status.as_str() {
        "closed" => format!("`ayni member resume {code}` opens it again"),
        _ => format!("`ayni member rename {code} NAME` gives it another name"),
    };
    format!("{npub} has an account already, called {code} ({}); {next}", known.status)
}

/// A short name that no account has yet.
fn free(members: &[Listed], name: &str) -> Result<String> {
    let name = name::short(name)?;
    if members.iter().any(|member| member.code == name) {
        bail!("there is an account called {name} already; choose another short name");
    }
    Ok(name.to_owned())
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
fn change(
    common: &Common,
    place: &Place,
    who: &str,
    right: Act,
    with: impl FnOnce(&mut Policy),
) -> Result<()> {
    let (id, policy) = latest(place, &place.who(who)?)?;
    let mut next = policy.next(id);
    with(&mut next);
    act(common, place, next, ("changed", right))
}

/// The newest version of an account's policy, whether or not the witnesses have acknowledged it.
fn latest(place: &Place, account: &PublicKey) -> Result<(EventId, Policy)> {
    let event = place.event(&place.account(account)?.latest_policy)?;
    match Ledger::read(&event)?.body {
        Body::Policy(policy) => Ok((event.id, Policy::clone(&policy))),
        _ => bail!("the node named an event that is no account policy"),
    }
}

/// Opens what is suspended or closed, and forgives what was proven. The protocol lets a steward do
/// either: only what takes something away needs the community.
fn resume(common: &Common, place: &Place, who: &str) -> Result<()> {
    let account = place.who(who)?;
    let proofs = place.events(&tagged(kind::FRAUD, b'p', &account))?;
    let (id, policy) = latest(place, &account)?;
    let done = if policy.status == Status::Closed { "open again" } else { "changed" };
    let mut next = Policy { status: Status::Active, ..policy.next(id) };
    // Naming them forgives what they prove.
    next.causes = proofs.into_iter().map(|proof| proof.id).collect();
    act(common, place, next, (done, Act::Everyday))
}

/// Closes an account that holds and owes nothing, and that the rules do not pay to.
fn close(common: &Common, place: &Place, who: &str) -> Result<()> {
    let key = place.who(who)?;
    let (id, policy) = latest(place, &key)?;
    if policy.status == Status::Closed {
        bail!("the account of {who} is closed already; `ayni member resume` opens it again");
    }
    let account = place.account(&key)?;
    if let Some(first) = unsettled(who, &account.balance, &account.pending) {
        bail!(first);
    }
    if rules::accounts(&place.rules()?.rules).contains(&key) {
        bail!(
            "the rules of the currency pay to the account of {who}, and nobody could pay any more: \
             name another with `ayni currency change --treasury WHO` or `--levy` first"
        );
    }
    let next = Policy { status: Status::Closed, ..policy.next(id) };
    let done = "closed as soon as enough witnesses have acknowledged it";
    act(common, place, next, (done, Act::Community))
}

/// What is to be done before an account can be closed, if anything.
fn unsettled(who: &str, balance: &str, pending: &str) -> Option<String> {
    let is_zero = |text: &str| text.bytes().all(|b| matches!(b, b'0' | b'.'));
    if !is_zero(pending) {
        return Some(format!(
            "the account of {who} has {pending} reserved for trade that is under way; close it \
             when that is done"
        ));
    }
    let (says, from, to) = match balance.strip_prefix('-') {
        _ if is_zero(balance) => return None,
        Some(_) => ("owes", "WHO", who),
        None => ("holds", who, "WHO"),
    };
    let sum = balance.trim_start_matches('-');
    Some(format!(
        "the account of {who} {says} {sum}; only one at zero can be closed. Settle it by a \
         payment, or let the community bear it: `ayni charge writeoff {sum} --from {from} --to {to}`"
    ))
}

/// Publishes a version of a policy, and says whether it counts.
fn act(common: &Common, place: &Place, policy: Policy, (done, right): (&str, Act)) -> Result<()> {
    let account = policy.account;
    let draft = Body::from(policy).draft(&place.community.id);
    let (event, _) = place.publish(draft, &place.keys_for(common, right)?)?;
    if let Some(why) = place.void(&event)? {
        bail!("the account of {} is as it was: {why} ({})", keys::npub(&account), event.id);
    }
    let counts = place.account(&account).is_ok_and(|now| now.latest_policy == event.id);
    if common.json {
        let state = if counts { "counted" } else { "waiting" };
        let answer = serde_json::json!({"id": event.id, "account": account, "state": state});
        return show::json(&answer);
    }
    let npub = keys::npub(&account);
    if counts {
        return show::line(format!("The account of {npub} is {done}."));
    }
    let awaits = if place.rules().is_err() {
        "stewards to approve the rules of the currency".into()
    } else {
        format!("stewards to approve it: ayni approve {} --key steward.key", event.id)
    };
    show::line(format!("The account of {npub} will be {done}. It waits for {awaits}"))
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

#[cfg(test)]
mod tests {
    use super::unsettled;

    #[test]
    fn only_an_account_at_zero_can_be_closed() {
        assert_eq!(unsettled("ana", "0.00", "0.00"), None);
        assert_eq!(unsettled("ana", "0", "0"), None);
        for (balance, pending, says) in [
            ("4.50", "0.00", "holds 4.50"),
            ("4.50", "0.00", "writeoff 4.50 --from ana --to WHO"),
            ("-0.05", "0.00", "owes 0.05"),
            ("-0.05", "0.00", "writeoff 0.05 --from WHO --to ana"),
            ("0.00", "3.00", "3.00 reserved"),
        ] {
            let told = unsettled("ana", balance, pending).unwrap();
            assert!(told.contains(says), "{told}");
        }
    }
}
