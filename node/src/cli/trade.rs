//! `ayni trade` and `ayni pay --in`: paying somebody in another currency as one payment.
//!
//! The payer asks the clearing account for a price, signs a hold on the quote, and waits until the
//! order in the other currency is certified (protocol, appendix C). What is signed rests on the
//! quote as a signed event, never on what the node says of it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ayni_lets::{Agreement, Ask, Body, Ledger, Quote, Slot, Target};
use ayni_protocol::{
    Address, Amount, EventId, Keys, Part as _, PublicKey, VerifiedEvent, hex, kind,
};
use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};

use super::ledger::priced;
use super::patience::patiently;
use super::place::{Act, Community, Member, Place, meant, tagged};
use super::{Common, show};
use crate::{clock, keys};

/// How long the other side may take to quote or to complete.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a payment is tried that the other side voids, perhaps because another one came first.
const ATTEMPTS: usize = 5;

#[derive(Subcommand)]
pub enum Trade {
    /// Agree to trade with another currency (this side; the other community agrees on its own)
    #[command(
        after_help = "Example: ayni trade agree 37470:…:moon --rate 2:3 --limit 100.00\n         \
                      (2 units here are 3 there; the node's own key clears)"
    )]
    Agree {
        /// The other currency's address
        with: String,
        /// Units here and what they are there, such as 2:3
        #[arg(long, value_name = "HERE:THERE", default_value = "1:1")]
        rate: String,
        /// The most that this currency lends the other
        #[arg(long, allow_negative_numbers = true)]
        limit: String,
        /// The account that trades [default: the key of this node]
        #[arg(long, value_name = "NPUB")]
        clearing: Option<String>,
    },
    /// List the agreements
    List,
}

/// An agreement, as the node shows it.
#[derive(Debug, Clone, Deserialize)]
struct Agreed {
    with: String,
    clearing: PublicKey,
    limit: String,
    rate: [i64; 2],
}

/// What somebody wants to pay in another currency.
pub struct Across<'a> {
    /// The other currency.
    pub currency: &'a str,
    /// Whom.
    pub who: &'a str,
    /// How much arrives.
    pub amount: &'a str,
    /// The most it may cost.
    pub at_most: Option<&'a str>,
    /// The paying account.
    pub payer: PublicKey,
}

impl Trade {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        match self {
            Self::Agree { with, rate, limit, clearing } => {
                let clearing = match clearing {
                    Some(key) => keys::public(&key).context("--clearing is an npub1… or hex")?,
                    None => keys::of_node(&common.data, "node")?.public(),
                };
                let agreement = agreement(&place, &with, &rate, &limit, clearing)?;
                let draft = Body::from(agreement).draft(&place.community.id);
                let (event, _) = place.publish(draft, &place.keys_for(common, Act::Community)?)?;
                if common.json {
                    return show::json(&json!({"id": event.id, "clearing": clearing}));
                }
                show::line(format!(
                    "Agreed to trade with {with} through {}.",
                    keys::npub(&clearing)
                ))
            }
            Self::List => {
                let all: Value = place.client.get(&place.currency_path("/agreements"))?;
                if common.json {
                    return show::json(&all);
                }
                let all: Vec<Agreed> = serde_json::from_value(all)?;
                let row = |agreed: Agreed| {
                    let [here, there] = agreed.rate;
                    [agreed.with, format!("{here}:{there}"), agreed.limit]
                };
                let rows: Vec<_> = all.into_iter().map(row).collect();
                show::table(["with", "rate", "limit"], &rows)
            }
        }
    }
}

fn agreement(
    place: &Place,
    with: &str,
    rate: &str,
    limit: &str,
    clearing: PublicKey,
) -> Result<Agreement> {
    let numbers = rate
        .split_once(':')
        .and_then(|(here, there)| Some((here.parse::<i64>().ok()?, there.parse::<i64>().ok()?)));
    let (here, there) = numbers.context("--rate is two whole numbers, such as 2:3")?;
    let with = with.parse().context("a currency's address has the form 37470:KEY:NAME")?;
    let (currency, limit) = (place.currency.clone(), place.amount(limit)?);
    Ok(Agreement { currency, with, clearing, limit, here, there, about: String::new() })
}

impl Across<'_> {
    /// Pays, and says how.
    pub fn pay(&self, common: &Common, place: &Place, keys: &Keys) -> Result<()> {
        let currency: Address =
            self.currency.parse().context("--in is a currency's address, 37470:KEY:NAME")?;
        let agreed: Vec<Agreed> = place.client.get(&place.currency_path("/agreements"))?;
        let agreed = agreed.into_iter().find(|agreed| agreed.with == self.currency);
        let agreed = agreed.with_context(|| {
            format!(
                "this community has no agreement on trade with {currency}; a steward makes one \
                 with `ayni trade agree`"
            )
        })?;
        let account = payee(place, &currency, self.who)?;
        let to = Target { currency, account, amount: Amount::parse(self.amount)? };
        for _ in 0..ATTEMPTS {
            let quote = self.quote(place, keys, &to, agreed.clearing)?;
            let (hold, price) = self.hold(place, keys, &quote)?;
            if self.settled(place, &hold)? {
                return self.tell(common, &hold, price);
            }
        }
        bail!(
            "the other side could not complete it, {ATTEMPTS} times in a row: what it lends may be \
             used up, or the account there may not receive; nothing was paid"
        )
    }

    fn tell(&self, common: &Common, hold: &EventId, price: Amount) -> Result<()> {
        let Self { amount, who, .. } = self;
        if common.json {
            let price = price.to_string();
            return show::json(
                &json!({"id": hold, "state": "posted", "price": price, "amount": amount}),
            );
        }
        show::line(format!("Paid {amount} to {who} for {price} (posted)."))
    }

    /// Asks for a price and waits for the answer.
    fn quote(
        &self,
        place: &Place,
        keys: &Keys,
        to: &Target,
        clearing: PublicKey,
    ) -> Result<(VerifiedEvent, Quote)> {
        let from = (self.payer != keys.public()).then_some(self.payer);
        let (currency, to) = (place.currency.clone(), to.clone());
        let ask = Ask { currency, clearing, to: to.clone(), from };
        // Two questions of one second are two questions: each is answered by a quote of its own.
        let nonce = hex::encode(&clock::entropy::<8>());
        let draft = Body::from(ask).draft(&place.community.id).tag(["nonce", &nonce]);
        let (ask, _) = place.publish(draft, keys)?;
        let filter = tagged(kind::REQUEST, b'e', &ask.id);
        let quote = patiently(PATIENCE, "the clearing account's node to quote", || {
            let found = place.events(&filter)?.into_iter().find_map(|event| {
                let Body::Quote(quote) = Ledger::read(&event).ok()?.body else { return None };
                let ours = quote.to == to
                    && quote.payer == self.payer
                    && quote.slot.account == clearing
                    && event.pubkey == clearing;
                ours.then(|| (event, Quote::clone(&quote)))
            });
            Ok(found)
        })?;
        quote.context(
            "nobody quoted a price: the clearing account's node may be away, or does not know \
             that account or currency",
        )
    }

    /// Signs the hold that a quote asks for.
    fn hold(
        &self,
        place: &Place,
        keys: &Keys,
        (event, quote): &(VerifiedEvent, Quote),
    ) -> Result<(EventId, Amount)> {
        let price = quote.amount;
        if let Some(most) = self.at_most.map(Amount::parse).transpose()?
            && price.minor > most.minor
        {
            bail!("it costs {price}, more than the {most} you allow; nothing was paid");
        }
        let Slot { account, .. } = quote.slot;
        let order = priced(place, self.payer, account, price.minor, price.scale)?;
        let from = (self.payer != keys.public()).then_some(self.payer);
        let (hold, quote) = (Some(quote.slot.clone()), Some(event.id));
        let order = order.with(|it| {
            it.from = from;
            it.hold = hold;
            it.quote = quote;
        });
        let (event, _) = place.publish(Body::from(order).draft(&place.community.id), keys)?;
        Ok((event.id, price))
    }

    /// Waits until the hold is posted (true) or void.
    fn settled(&self, place: &Place, hold: &EventId) -> Result<bool> {
        let path = format!("/api/v1/orders/{hold}");
        let outcome = patiently(PATIENCE, "the other side to complete it", || {
            let state: Value = place.client.get(&path)?;
            Ok(match state.get("hold").and_then(Value::as_str) {
                Some("posted") => Some(true),
                Some("void") => Some(false),
                _ => None,
            })
        })?;
        outcome.with_context(|| {
            format!(
                "the amount is reserved and the other side has not completed it yet; it will be \
                 paid or freed by itself. Ask later: GET {path}"
            )
        })
    }
}

/// Whom a name means in another currency.
fn payee(place: &Place, currency: &Address, name: &str) -> Result<PublicKey> {
    if let Some(key) = keys::public(name) {
        return Ok(key);
    }
    let communities: Vec<Community> = place.client.get("/api/v1/communities")?;
    let of = |community: &&Community| community.currencies.contains(&currency.to_string());
    let community = communities.iter().find(of).with_context(|| {
        format!(
            "this node does not follow {currency} yet; name the npub, or add its node as a peer"
        )
    })?;
    let members: Vec<Member> =
        place.client.get(&format!("/api/v1/communities/{}/members", community.id))?;
    let found = meant(&members, name);
    let found = found
        .with_context(|| format!("nobody there is called {name}, or several are; name the npub"))?;
    Ok(found.account)
}
