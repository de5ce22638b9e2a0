//! `ayni charge`, `checkpoint` and `approve`: what a community books itself, and what it takes for that.

use anyhow::{Context as _, Result, bail};
use ayni_lets::{Attestation, Body, Cause, Charge, Checkpoint, Ledger};
use ayni_protocol::{EventId, Part as _, PublicKey, Scale, kind};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::place::{Act, Place, called, tagged};
use super::{Common, rules, show};
use crate::keys;

#[derive(Args)]
pub struct Booking {
    /// opening, fee, levy, demurrage, reversal, writeoff or correction
    reason: String,
    /// How much, such as 4.50; nothing for demurrage and fees by the rules, and for --order
    #[arg(allow_negative_numbers = true)]
    amount: Option<String>,
    /// Who is charged
    #[arg(long, value_name = "WHO", requires = "to")]
    from: Option<String>,
    /// Who is credited
    #[arg(long, value_name = "WHO", requires = "from")]
    to: Option<String>,
    /// The payment that a reversal takes back
    #[arg(long, value_name = "ORDER", conflicts_with = "from")]
    order: Option<String>,
    /// Why, for everyone to read
    #[arg(long, default_value = "")]
    note: String,
}

#[derive(Args)]
pub struct Approval {
    /// The act's event: rules, a policy, a charge [default: list what waits]
    act: Option<String>,
}

/// Where the next charge stands, and what is due for a period.
#[derive(Debug, Clone, Deserialize)]
struct Next {
    cseq: u64,
    prev: Option<EventId>,
    basis: Option<EventId>,
    parts: Vec<Due>,
}

/// Amounts in minor units, as the ledger worked them out from the checkpoint.
#[derive(Debug, Clone, Deserialize)]
struct Due {
    debits: Vec<(PublicKey, i64)>,
    credit: (PublicKey, i64),
}

/// Marks the payment that a reversal takes back.
const REVERSED: &str = "reversed";

type Lines = Vec<(PublicKey, i64)>;

impl Booking {
    pub fn run(self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let cause: Cause = self.reason.parse().map_err(|known| {
            anyhow::anyhow!("{} is no reason of a charge: use {known}", self.reason)
        })?;
        let taken_back = self.order.as_deref().map(payment).transpose()?;
        if let Some(order) = &taken_back {
            still_stands(&place, order)?;
        }
        let next: Next = place
            .client
            .get(&place.currency_path(&format!("/next-charge?cause={}", cause.as_str())))?;
        let scale = place.rules()?.rules.scale;
        let by_the_rules = self.amount.is_none() && self.order.is_none();
        let parts =
            if by_the_rules { due(cause, &next)? } else { vec![self.typed(&place, scale)?] };
        let keys = place.keys_for(common, Act::Community)?;
        let (mut cseq, mut previous, mut done) = (next.cseq, next.prev, Vec::new());
        for (debits, credits) in parts {
            let (currency, note) = (place.currency.clone(), self.note.clone());
            let basis = next.basis.filter(|_| by_the_rules);
            let charge =
                Charge { currency, cseq, previous, cause, scale, debits, credits, basis, note };
            let draft = Body::from(charge).draft(&place.community.id);
            let draft = match &taken_back {
                Some(order) => draft.tag(["e", &order.to_string(), "", REVERSED]),
                None => draft,
            };
            let (event, _) = place.publish(draft, &keys)?;
            if let Some(why) = place.void(&event)? {
                bail!("nothing was charged: {why} ({})", event.id);
            }
            (cseq, previous) = (cseq.saturating_add(1), Some(event.id));
            done.push(event.id);
        }
        let unapproved = place.unapproved()?;
        let waits = |id: &&EventId| unapproved.iter().any(|act| act.id == **id);
        let waiting: Vec<_> = done.iter().filter(waits).collect();
        if common.json {
            return show::json(&json!({"charges": done, "unapproved": waiting}));
        }
        if !waiting.is_empty() {
            show::line("Nothing is charged yet. It waits for stewards to approve it:")?;
            let line = |id| show::line(format!("ayni approve {id} --key steward.key"));
            return waiting.into_iter().try_for_each(line);
        }
        show::line(match done.len() {
            1 => "Charged; it counts once enough witnesses have signed.".to_owned(),
            many => {
                format!("Charged in {many} parts; they count once enough witnesses have signed.")
            }
        })
    }

    /// The debits and credits that were typed, or those that take a payment back.
    fn typed(&self, place: &Place, scale: Scale) -> Result<(Lines, Lines)> {
        if let Some(order) = &self.order {
            return reversal(place, &payment(order)?);
        }
        let written = self.amount.as_deref().unwrap_or_default();
        super::ledger::above_zero(written)?;
        let minor = rules::amount(written, scale)?;
        let (Some(from), Some(to)) = (&self.from, &self.to) else {
            bail!("name who is charged and who is credited: --from WHO --to WHO");
        };
        let (from, to) = (place.who(from)?, place.who(to)?);
        if from == to {
            bail!("nobody is charged in their own favour");
        }
        Ok((vec![(from, minor)], vec![(to, minor)]))
    }
}

/// The payment that `--order` names.
fn payment(named: &str) -> Result<EventId> {
    named.parse().context("--order takes the payment's id, 64 hex digits")
}

/// Fails where there is nothing to take back: the payment does not count, or somebody gave or took
/// it back already.
fn still_stands(place: &Place, order: &EventId) -> Result<()> {
    let view: serde_json::Value = place.client.get(&format!("/api/v1/orders/{order}"))?;
    let word = |name: &str| view.get(name).and_then(serde_json::Value::as_str);
    match (word("state"), word("hold")) {
        (Some("certified"), None | Some("posted")) => {}
        (Some("certified"), Some(hold)) => {
            bail!("the payment {order} moved nothing ({hold}), so nothing is taken back")
        }
        (state, _) => bail!(
            "the payment {order} does not count ({}), so nothing is taken back",
            state.unwrap_or("unknown")
        ),
    }
    for charge in place.events(&tagged(kind::CHARGE, b'e', order))? {
        let names = charge.tags.named("e").any(|tag| {
            tag.value() == Some(order.to_string().as_str()) && tag.get(3) == Some(REVERSED)
        });
        if names && place.void(&charge)?.is_none() {
            bail!("the payment {order} was taken back already, by the charge {}", charge.id);
        }
    }
    for back in place.events(&tagged(kind::ORDER, b'e', order))? {
        let Ok(Body::Order(refund)) = Ledger::read(&back).map(|entry| entry.body) else {
            continue;
        };
        if refund.extra().refund == Some(*order) && place.void(&back)?.is_none() {
            bail!(
                "the payment {order} was given back already, wholly or in part, by the payment \
                 {}; what is left is taken back with ayni charge reversal AMOUNT --from WHO --to WHO",
                back.id
            );
        }
    }
    Ok(())
}

/// Everybody gives back what they got of a payment.
fn reversal(place: &Place, id: &EventId) -> Result<(Lines, Lines)> {
    let entry = Ledger::read(&place.event(id)?)?;
    let Body::Order(order) = &entry.body else { bail!("{id} is no payment") };
    let debits: Lines = order.legs.iter().map(|leg| (leg.account, leg.minor)).collect();
    let total = i64::try_from(order.total()).context("the payment is out of bounds")?;
    Ok((debits, vec![(entry.speaker(), total)]))
}

fn due(cause: Cause, next: &Next) -> Result<Vec<(Lines, Lines)>> {
    if !matches!(cause, Cause::Demurrage | Cause::Fee) {
        bail!("how much, and between whom? AMOUNT --from WHO --to WHO");
    }
    if next.basis.is_none() {
        bail!(
            "there is no certified checkpoint to work it out from: run `ayni checkpoint` on a \
             witness's machine while nobody pays, and this again once the other witnesses, who \
             follow by themselves, have signed it"
        );
    }
    if next.parts.is_empty() {
        bail!(
            "nothing is due: the rules take no {}, name no treasury, or the newest checkpoint was \
             charged for already (`ayni checkpoint` makes a new one)",
            cause.as_str()
        );
    }
    Ok(next.parts.iter().map(|part| (part.debits.clone(), vec![part.credit])).collect())
}

/// Signs a checkpoint of the book as it is now, with this machine's node key.
pub fn checkpoint(common: &Common) -> Result<()> {
    let place = Place::of(common)?;
    let view: serde_json::Value = place.client.get(&place.currency_path("/checkpoint"))?;
    let number = |name: &str| view.get(name).and_then(serde_json::Value::as_u64);
    let text = |name: &str| view.get(name).and_then(serde_json::Value::as_str);
    let root: EventId =
        text("root").unwrap_or_default().parse().context("the node's checkpoint")?;
    let checkpoint = Checkpoint {
        currency: place.currency.clone(),
        root: root.0,
        accounts: number("accounts").unwrap_or_default(),
        orders: number("orders").unwrap_or_default(),
        volume: text("volume").unwrap_or_default().to_owned(),
    };
    let draft = Body::from(checkpoint).draft(&place.community.id);
    let (event, _) = place.publish(draft, &keys::of_node(&common.data, "node")?)?;
    if common.json {
        return show::json(&json!({"id": event.id, "root": root}));
    }
    show::line(format!(
        "Signed the checkpoint {root}. Other witnesses sign it too, as soon as their books say the \
         same."
    ))
}

/// Lists what waits for stewards.
fn unapproved(common: &Common, place: &Place) -> Result<()> {
    let acts = place.unapproved()?;
    if common.json {
        return show::json(&json!(acts.iter().map(|act| act.id).collect::<Vec<_>>()));
    }
    if acts.is_empty() {
        return show::line("Nothing waits for approval.");
    }
    let mut rows = Vec::new();
    for act in &acts {
        rows.push([act.id.to_string(), summary(place, &act.id)?]);
    }
    show::table(["act", "what"], &rows)
}

/// An act in a few words.
fn summary(place: &Place, act: &EventId) -> Result<String> {
    let event = place.event(act)?;
    Ok(match Ledger::read(&event).map(|entry| entry.body) {
        Ok(Body::Rules(rules)) => format!("rules of the currency, number {}", rules.epoch),
        Ok(Body::Policy(policy)) => {
            let who = called(&place.members()?, &policy.account);
            format!("account of {who}: {}", policy.status.as_str())
        }
        Ok(Body::Charge(charge)) => {
            let sum = charge.debits.iter().map(|(_, minor)| i128::from(*minor)).sum();
            format!("{} of {}: {}", charge.cause.as_str(), charge.scale.format(sum), charge.note)
        }
        _ => format!("kind {}", event.kind),
    })
}

impl Approval {
    /// Signs a steward's approval of an act of the community.
    pub fn run(&self, common: &Common) -> Result<()> {
        let place = Place::of(common)?;
        let Some(act) = &self.act else { return unapproved(common, &place) };
        let act: EventId = act.parse().context("an act is named by its id, 64 hex digits")?;
        let keys = common.keys()?;
        if !place.charter()?.stewards.contains(&keys.public()) {
            bail!("this key is no steward of the community, so its approval would not count");
        }
        place.event(&act)?;
        let draft = Body::from(Attestation::Approve { act }).draft(&place.community.id);
        let (event, _) = place.publish(draft, &keys)?;
        if common.json {
            return show::json(&json!({"id": event.id, "act": act}));
        }
        show::line(format!("Approved {act}."))
    }
}
