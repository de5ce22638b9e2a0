//! What witnesses seal: `SHA256(domain || 00 || subject || payload)` (protocol section 4).
//!
//! The domain keeps the kinds of value apart, the subject keeps one vote's seals from being shown
//! as another's.

use ayni_protocol::EventId;
use sha2::{Digest, Sha256};

use crate::merkle;

/// The digest of a box: the entries that count, `cn/box/v1`.
#[must_use]
pub fn box_digest<'a>(subject: EventId, ids: impl IntoIterator<Item = &'a EventId>) -> [u8; 32] {
    digest(b"cn/box/v1", subject, &listed(ids))
}

/// The digest of the closes that hold, `cn/closes/v1`.
#[must_use]
pub fn closes_digest<'a>(rules: EventId, ids: impl IntoIterator<Item = &'a EventId>) -> [u8; 32] {
    digest(b"cn/closes/v1", rules, &listed(ids))
}

/// `u64be(count) || root`, ordered here, so that a caller cannot seal the same ids under another
/// digest.
fn listed<'a>(ids: impl IntoIterator<Item = &'a EventId>) -> Vec<u8> {
    let mut ids: Vec<[u8; 32]> = ids.into_iter().map(|id| id.0).collect();
    ids.sort_unstable();
    let count = u64::try_from(ids.len()).unwrap_or(u64::MAX).to_be_bytes();
    [count.as_slice(), &merkle::root(&ids)].concat()
}

/// The digest of a void decision for a reason, `cn/void/v1`.
#[must_use]
pub fn void_digest(subject: EventId, reason: &str) -> [u8; 32] {
    digest(b"cn/void/v1", subject, reason.as_bytes())
}

/// The digest of adopting a roster or charter, `cn/adopt/v1`.
#[must_use]
pub fn adopt_digest(subject: EventId) -> [u8; 32] {
    digest(b"cn/adopt/v1", subject, b"")
}

/// The digest of a result, `cn/result/v1`, from the SHA-256 of its canonical JSON.
#[must_use]
pub fn result_digest(subject: EventId, result: [u8; 32]) -> [u8; 32] {
    digest(b"cn/result/v1", subject, &result)
}

fn digest(domain: &[u8], subject: EventId, payload: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(domain)
        .chain_update([0])
        .chain_update(subject.0)
        .chain_update(payload)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ayni_protocol::hex;

    use super::*;
    use crate::canonical::sha256;

    #[test]
    fn the_box_of_the_vectors_has_its_root_and_digest() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../docs/vectors/witness.json")).unwrap();
        let ids: BTreeSet<EventId> =
            (0..3).map(|n| EventId(sha256(format!("ballot-{n}")))).collect();
        let subject = EventId(sha256("proposal-1"));
        let root = merkle::root(ids.iter().map(|id| id.0));
        assert_eq!(hex::encode(&root), vectors["box"]["root"]);
        assert_eq!(hex::encode(&box_digest(subject, &ids)), vectors["box"]["digest"]);
        let mut unsorted: Vec<_> = ids.iter().copied().collect();
        unsorted.rotate_left(1);
        assert_eq!(box_digest(subject, &unsorted), box_digest(subject, &ids));
    }

    #[test]
    fn no_two_values_share_a_digest() {
        let subject = EventId([7; 32]);
        let digests = BTreeSet::from([
            box_digest(subject, &[]),
            closes_digest(subject, &[]),
            void_digest(subject, ""),
            void_digest(subject, "no-seal"),
            adopt_digest(subject),
            adopt_digest(EventId([8; 32])),
            result_digest(subject, [0; 32]),
        ]);
        assert_eq!(digests.len(), 7);
    }
}
