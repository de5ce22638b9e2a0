//! A payment that waits for its witnesses: while it does, no other is signed for its number.

use anyhow::{Result, bail};
use ayni_lets::{Body, Ledger, Order};
use ayni_protocol::Part as _;
use serde_json::Value;

use super::place::{Place, Waiting, called};

/// Whether the order that waits is this one, but for the memo, which may be sealed.
pub fn is_same(place: &Place, waiting: &Waiting, order: &Order) -> Result<bool> {
    let Body::Order(known) = Ledger::read(&place.event(&waiting.id)?)?.body else {
        return Ok(false);
    };
    let mut same = order.clone();
    same.memo.clone_from(&known.memo);
    Ok(*known == same)
}

/// Why nothing more is signed while an order waits: a second one would have its number, and only
/// one of the two can count.
pub fn still_waits(place: &Place, waiting: &Waiting) -> String {
    let members = place.members().unwrap_or_default();
    let payee = waiting.payee.map_or_else(|| "nobody".into(), |key| called(&members, &key));
    format!(
        "your payment of {} to {payee} still waits for the witnesses; a second one now would be \
         signed for the same number, and one of the two be lost. Nothing was paid: pay again once \
         `ayni balance` no longer names it ({}). If it never comes to count, `ayni pay --instead` \
         puts another in its place",
        waiting.amount, waiting.id
    )
}

/// Fails where a witness has signed what waits: whoever signs a second payment for its number then
/// has signed both, which is proven and ends in a suspension.
pub fn may_be_replaced(place: &Place, waiting: &Waiting) -> Result<()> {
    let view: Value = place.client.get(&format!("/api/v1/orders/{}", waiting.id))?;
    match view.get("state").and_then(Value::as_str) {
        Some("attested") => bail!(
            "a witness has signed the payment that waits ({}), so it may still count; nothing was \
             signed in its place. Ask those who keep the books why the others have not",
            waiting.id
        ),
        _ => Ok(()),
    }
}
