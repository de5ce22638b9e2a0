//! The claims of the fold of management, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// Whoever spoke last on a subject is obeyed.
pub const LAST_WORD_HOLDS: Law = Law {
    name: "LastWordHolds",
    sentence: "After any orders, the last one on a subject decides what holds of it",
    why: "or a ban that was lifted could come back with a restart",
};

/// A log that is read in two parts says what it says in one.
pub const RESUMED_IS_WHOLE: Law = Law {
    name: "ResumedIsWhole",
    sentence: "What is written to the log and read again folds to the same rulebook",
    why: "or a restart would change who may write",
};

/// Every law of the fold.
pub const ALL: &[Law] = &[LAST_WORD_HOLDS, RESUMED_IS_WHOLE];

#[cfg(test)]
mod tests {
    use ayni_protocol::{EventId, PublicKey};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::log::{Act, Log};
    use super::super::order::Order;
    use super::super::rulebook::Rulebook;

    /// A method with its parameters, on few subjects, so that orders meet.
    fn orders() -> impl Strategy<Value = (&'static str, Value)> {
        let key = (0_u8..3).prop_map(|byte| PublicKey([byte; 32]).to_string());
        let role = prop::sample::select(vec!["cook", "baker"]);
        (0..18_usize, key, role, 0_u16..3).prop_map(|(which, key, role, kind)| match which {
            0 => ("banpubkey", json!([key, "spam"])),
            1 => ("unbanpubkey", json!([key])),
            2 => ("allowpubkey", json!([key])),
            3 => ("unallowpubkey", json!([key])),
            4 => ("createrole", json!([role, "a label"])),
            5 => ("editrole", json!([role, "another", "text", 7, 1])),
            6 => ("deleterole", json!([role])),
            7 => ("assignrole", json!([key, role])),
            8 => ("unassignrole", json!([key, role])),
            9 => ("allowevent", json!([key])),
            10 => ("banevent", json!([key, "why"])),
            11 => ("changerelayname", json!([role])),
            12 => ("changerelaydescription", json!([role])),
            13 => ("allowkind", json!([kind])),
            14 => ("disallowkind", json!([kind])),
            15 => ("blockip", json!([format!("10.0.0.{kind}"), "flood"])),
            16 => ("unblockip", json!([format!("10.0.0.{kind}")])),
            _ => ("join", json!([key, role])),
        })
    }

    fn act(time: u64, method: &str, params: &Value) -> Act {
        Act {
            time,
            admin: PublicKey([9; 32]),
            request: EventId([8; 32]),
            method: method.into(),
            params: params.as_array().unwrap().clone(),
        }
    }

    proptest! {
        // Every act is synced, so a case costs what a disk costs.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn last_word_holds(before in prop::collection::vec(orders(), 0..40), byte in 0_u8..3) {
            let mut rulebook = Rulebook::default();
            for (method, params) in &before {
                rulebook.apply(Order::read(method, params.as_array().unwrap()).unwrap());
            }
            let (key, id) = (PublicKey([byte; 32]), EventId([byte; 32]));
            let mut word = |order: Order| { rulebook.apply(order); rulebook.clone() };
            let banned = word(Order::BanKey(key, String::new()));
            prop_assert!(banned.banned_keys.contains_key(&key));
            prop_assert!(!banned.allowed_keys.contains_key(&key) && !banned.joined.contains(&key));
            let allowed = word(Order::AllowKey(key, String::new()));
            prop_assert!(allowed.allowed_keys.contains_key(&key));
            prop_assert!(!allowed.banned_keys.contains_key(&key));
            prop_assert!(word(Order::BanEvent(id, String::new())).banned_events.contains_key(&id));
            prop_assert!(!word(Order::AllowEvent(id, String::new())).banned_events.contains_key(&id));
        }

        #[test]
        fn resumed_is_whole(
            all in prop::collection::vec(orders(), 0..30),
            cut in 0_usize..30,
            torn in 0_usize..60,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut whole = Rulebook::default();
            let cut = cut.min(all.len());
            let mut time = 0;
            for part in [&all[..cut], &all[cut..]] {
                let (mut log, _) = Log::open(folder.path()).unwrap();
                for (method, params) in part {
                    time += 1;
                    log.append(&act(time, method, params)).unwrap();
                    whole.apply(Order::read(method, params.as_array().unwrap()).unwrap());
                }
                // A power cut in the middle of the next line.
                let line = serde_json::to_string(&act(0, "banpubkey", &json!([]))).unwrap();
                log.tear(&line[..torn.min(line.len() - 1)]);
            }
            let (_, acts) = Log::open(folder.path()).unwrap();
            let mut read = Rulebook::default();
            acts.iter().for_each(|act| read.apply(act.order().unwrap()));
            prop_assert_eq!(acts.len(), all.len());
            prop_assert_eq!(read, whole);
        }
    }
}
