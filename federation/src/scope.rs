//! What two nodes are to have in common, and the filters made from it.
//!
//! The scope is a plain list of kinds, because every relay understands that, and because a relay
//! that keeps a tree for a filter recognises it only by the same text.

use std::collections::BTreeSet;

use ayni_protocol::{EventId, Filter, Kind, Timestamp, kind};

/// Everything the economy is computed from (protocol section 1), and causes.
#[must_use]
pub fn economy() -> Filter {
    let kinds: BTreeSet<_> = Kind::economy().chain([kind::CAUSE]).collect();
    Filter { kinds: Some(kinds), ..Filter::default() }
}

/// The scope from now on: nothing stored, then what comes.
#[must_use]
pub fn live(scope: &Filter) -> Filter {
    Filter { limit: Some(0), ..scope.clone() }
}

/// The newest `limit` events of the scope, up to a time if one is given.
#[must_use]
pub fn page(scope: &Filter, until: Option<Timestamp>, limit: usize) -> Filter {
    let until = match (until, scope.until) {
        (Some(until), Some(latest)) => Some(until.min(latest)),
        (until, latest) => until.or(latest),
    };
    Filter { until, limit: Some(limit), ..scope.clone() }
}

/// Exactly these events. The limit is named because some relays default to fewer.
#[must_use]
pub fn ids(ids: BTreeSet<EventId>) -> Filter {
    Filter { limit: Some(ids.len()), ids: Some(ids), ..Filter::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_economy_is_every_economy_kind_and_causes() {
        let scope = economy();
        let kinds = scope.kinds.as_ref().unwrap();
        assert_eq!(kinds.len(), 50 + 3 + 1);
        assert!(kinds.contains(&kind::CHARTER) && kinds.contains(&kind::CAUSE));
        assert!(!kinds.contains(&kind::NOTE));
        assert_eq!(Filter::parse(&scope.to_json()).unwrap(), scope);
    }

    #[test]
    fn a_page_never_passes_the_end_of_the_scope() {
        let scope = Filter { until: Some(10), ..economy() };
        assert_eq!(page(&scope, Some(20), 5).until, Some(10));
        assert_eq!(page(&scope, Some(5), 5).until, Some(5));
        assert_eq!(page(&scope, None, 5).until, Some(10));
        assert_eq!(page(&economy(), None, 5).until, None);
        assert_eq!(live(&scope).limit, Some(0));
    }
}
