//! The claims of this crate, by name. Each has a property test that cites it.

/// A law: its name, its sentence, and why anyone should care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Law {
    /// The name tests cite.
    pub name: &'static str,
    /// What is always so.
    pub sentence: &'static str,
    /// What would go wrong otherwise.
    pub why: &'static str,
}

/// Whatever was signed is believed; whatever was changed is not.
pub const SIGNED_OR_ABSENT: Law = Law {
    name: "SignedOrAbsent",
    sentence: "Every event that is counted traces to a valid signature by its author",
    why: "or anyone could pay with someone else's credit",
};

/// One spelling in, one spelling out.
pub const ONE_SPELLING: Law = Law {
    name: "OneSpelling",
    sentence: "An event read from its canonical JSON has that canonical JSON again",
    why: "or stored bytes could not be sent as they are",
};

/// Hostile text costs a bounded amount and breaks nothing.
pub const BOUNDED_WORK: Law = Law {
    name: "BoundedWork",
    sentence: "No text, however formed, makes a reader panic or recurse without bound",
    why: "or one message could stop the relay",
};

/// Estimates of several relays are one estimate.
pub const REGISTERS_MERGE: Law = Law {
    name: "RegistersMerge",
    sentence: "The greatest of each HyperLogLog register of two relays are the registers of one \
               relay that has the events of both, in any order and however often",
    why: "or a client that asks several relays would count people twice",
};

/// Every law of this crate.
pub const ALL: &[Law] = &[SIGNED_OR_ABSENT, ONE_SPELLING, BOUNDED_WORK, REGISTERS_MERGE];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::hyperloglog::{Offset, Registers};
    use crate::wire::ClientMessage;
    use crate::{Draft, Event, Filter, Keys, Kind, PublicKey};

    fn drafts() -> impl Strategy<Value = Draft> {
        let tags = prop::collection::vec(prop::collection::vec(".{0,12}", 0..4), 0..6);
        (any::<u16>(), tags, ".{0,80}").prop_map(|(kind, tags, content)| {
            let draft = Draft::new(Kind(kind)).content(content);
            tags.into_iter().fold(draft, Draft::tag)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// OneSpelling, and the believing half of SignedOrAbsent.
        #[test]
        fn one_spelling(draft in drafts(), secret in 1_u8..255, time in 0_u64..1 << 40) {
            let keys = Keys::from_secret([secret; 32]).unwrap();
            let signed = draft.sign(&keys, time, [secret; 32]);
            let again = Event::parse(signed.json()).unwrap().verify().unwrap();
            prop_assert_eq!(again.json(), signed.json());
            prop_assert!(serde_json::from_str::<serde_json::Value>(signed.json()).is_ok());
        }

        /// SignedOrAbsent: flipping any bit of any signed byte is noticed.
        #[test]
        fn signed_or_absent(draft in drafts(), at in any::<prop::sample::Index>(), bit in 0_u8..7) {
            let keys = Keys::from_secret([3; 32]).unwrap();
            let signed = draft.sign(&keys, 1, [0; 32]);
            let mut bytes = signed.json().as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let believed = String::from_utf8(bytes).ok()
                .and_then(|text| Event::parse(&text).ok())
                .and_then(|event| event.verify().ok());
            // A changed spelling of the same event is no forgery.
            prop_assert!(believed.is_none_or(|event| *event == *signed));
        }

        /// RegistersMerge.
        #[test]
        fn registers_merge(
            place in "[0-9a-f]{64}",
            one in prop::collection::vec(any::<[u8; 32]>(), 0..20),
            other in prop::collection::vec(any::<[u8; 32]>(), 0..20),
        ) {
            let registers = |keys: &[[u8; 32]]| {
                let mut registers = Registers::new(Offset::of(&place));
                keys.iter().for_each(|key| registers.see(&PublicKey(*key)));
                crate::hex::decode::<256>(&registers.to_hex()).unwrap()
            };
            let mut both = [other.as_slice(), &one, &other].concat();
            both.reverse();
            let mut merged = registers(&one);
            for (mine, theirs) in merged.iter_mut().zip(registers(&other)) {
                *mine = theirs.max(*mine);
            }
            prop_assert_eq!(merged, registers(&both));
        }

        /// BoundedWork.
        #[test]
        fn bounded_work(text in "[\\[\\]{}\",:a-zE0-9\\\\ -]{0,300}") {
            let _ = ClientMessage::parse(&text);
            let _ = Filter::parse(&text);
            let _ = Event::parse(&text);
        }
    }
}
