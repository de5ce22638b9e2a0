//! What the relay itself refuses, before any signature is checked.
//!
//! Only what every relay must judge alike is here: sizes, clocks, and the NIPs that bind a relay.
//! Who may write what is the backend's.

use ayni_protocol::event::embeds_protected;
use ayni_protocol::{Event, Limits, Prefix, Rejection, Timestamp, VerifiedEvent, kind};

use crate::backend::Viewer;
use crate::session::frame::lasting_expiration;

/// Whether an event may go on to the signature check.
///
/// # Errors
/// The refusal for its OK.
pub fn check(
    event: &Event,
    viewer: &Viewer,
    limits: &Limits,
    now: Timestamp,
) -> Result<(), Rejection> {
    if event.kind == kind::AUTH {
        return Err(Rejection::invalid("events of kind 22242 belong in AUTH messages"));
    }
    sizes(event, limits)?;
    if event.created_at > now.saturating_add(limits.future_secs) {
        return Err(Rejection::invalid("created_at is too far in the future"));
    }
    if lasting_expiration(event).is_some_and(|expires| expires <= now) {
        return Err(Rejection::invalid("this event has expired"));
    }
    protection(event, viewer)
}

/// Whether the canonical JSON of a verified event is within bounds.
///
/// # Errors
/// The refusal for its OK.
pub fn check_length(event: &VerifiedEvent, limits: &Limits) -> Result<(), Rejection> {
    if event.json().len() > limits.event_bytes {
        let sentence = format!("the event is longer than {} bytes", limits.event_bytes);
        return Err(Rejection::invalid(sentence));
    }
    Ok(())
}

fn sizes(event: &Event, limits: &Limits) -> Result<(), Rejection> {
    if event.content.len() > limits.event_bytes {
        let sentence = format!("the event is longer than {} bytes", limits.event_bytes);
        return Err(Rejection::invalid(sentence));
    }
    if event.tags.len() > limits.event_tags {
        let sentence = format!("the event has more than {} tags", limits.event_tags);
        return Err(Rejection::invalid(sentence));
    }
    if event.tags.indexed().any(|(_, value)| value.len() > limits.tag_value_bytes) {
        let most = limits.tag_value_bytes;
        let sentence = format!("a single-letter tag's value is longer than {most} bytes");
        return Err(Rejection::invalid(sentence));
    }
    Ok(())
}

/// NIP-70: protected events only from their author, and no reposts that carry one inside.
fn protection(event: &Event, viewer: &Viewer) -> Result<(), Rejection> {
    if event.is_protected() && !viewer.keys.contains(&event.pubkey) {
        return Err(if viewer.keys.is_empty() {
            Rejection::new(Prefix::AuthRequired, "only its author may publish a protected event")
        } else {
            Rejection::new(Prefix::Restricted, "only its author may publish a protected event")
        });
    }
    let is_repost = event.kind == kind::REPOST || event.kind == kind::GENERIC_REPOST;
    if is_repost && embeds_protected(&event.content) {
        let sentence = "this repost carries a protected event; name it by its id instead";
        return Err(Rejection::new(Prefix::Restricted, sentence));
    }
    Ok(())
}
