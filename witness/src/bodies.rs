//! Any value that the council's events can hold, for the laws to try.

use ayni_protocol::{EventId, PublicKey};
use proptest::prelude::*;

use crate::beacon::Chain;
use crate::draft;
use crate::entry::{
    Action, BeaconRound, Body, BoxAttestation, CharterText, Choice, Consent, Merit, Named,
    Previous, Receipt, RosterPart, Setting, Step,
};
use crate::fact::{Instance, RosterRow, Timings, WitnessSeat};

prop_compose! {
    fn ids()(bytes in prop::array::uniform32(any::<u8>())) -> EventId { EventId(bytes) }
}

fn people() -> impl Strategy<Value = PublicKey> {
    prop::array::uniform32(any::<u8>()).prop_map(PublicKey)
}

fn words() -> impl Strategy<Value = String> {
    ".{1,12}"
}

fn charters() -> impl Strategy<Value = CharterText> {
    let previous = prop::option::of((ids(), ids()));
    let seats = prop::collection::btree_map(people(), ".{0,9}", 1..=31);
    let beacon = prop::option::of(prop::sample::select(vec![
        Chain::quicknet(),
        Chain::test([1; 32], 7, 3).0,
    ]));
    let named = (words(), prop::collection::vec(words(), 0..3));
    let place = (prop::option::of(words()), prop::option::of(words()));
    let stewards = (prop::collection::btree_set(people(), 0..4), 0_usize..9);
    let timings = (any::<u64>(), any::<u64>(), any::<u64>(), any::<u64>());
    (previous, named, place, seats, stewards, beacon, timings, (any::<u8>(), ".{0,40}")).prop_map(
        |(previous, named, place, seats, stewards, beacon, secs, (more, statutes))| {
            let least = seats.len() / 2 + 1;
            CharterText {
                previous: previous.map(|(community, charter)| Previous { community, charter }),
                name: named.0,
                languages: named.1,
                country: place.0,
                region: place.1,
                quorum: least + usize::from(more) % (seats.len() - least + 1),
                witnesses: seats.into_iter().map(|(key, url)| WitnessSeat { key, url }).collect(),
                stewards: stewards.0,
                approvals: stewards.1,
                beacon,
                timings: Timings {
                    min_notice: secs.0,
                    seal_window: secs.1,
                    margin: secs.2,
                    beacon_deadline: secs.3,
                },
                statutes,
            }
        },
    )
}

fn roster_parts() -> impl Strategy<Value = RosterPart> {
    let flags = prop::collection::btree_set("[a-z0-9]{1,5}", 0..4);
    let row = (any::<u32>(), flags).prop_map(|(credits, flags)| RosterRow { credits, flags });
    let rows = prop::collection::btree_map(people(), row, 1..20);
    (ids(), rows, 1_u32..5, any::<[u8; 32]>()).prop_map(|(community, rows, part, root)| {
        let mut whole = crate::roster::parts(community, &rows).remove(0);
        if part > 1 {
            (whole.part, whole.total, whole.root) = (part, part, root);
        }
        whole
    })
}

fn attestations() -> impl Strategy<Value = BoxAttestation> {
    let listed = prop::collection::btree_set(ids(), 0..20);
    (ids(), ids(), listed, 1_u32..5).prop_map(|(community, subject, ids, part)| {
        let mut whole = draft::box_attestations(community, subject, &ids).remove(0);
        if part > 1 {
            (whole.part, whole.total, whole.count) = (part, part, whole.count + 7);
        }
        whole
    })
}

fn steps() -> impl Strategy<Value = Step> {
    let many = || prop::collection::vec(ids(), 0..5);
    let named = prop_oneof![
        many().prop_map(|ids| (Instance::Close, Named::Box(ids.into_iter().collect()))),
        many().prop_map(|ids| (Instance::Roster, Named::Adopt(ids))),
        Just((Instance::Charter, Named::Adopt(Vec::new()))),
        words().prop_map(|reason| (Instance::Outcome, Named::Void(reason))),
        Just((Instance::Outcome, Named::Result)),
    ];
    (ids(), ids(), any::<u32>(), named, any::<[u8; 32]>(), 0..4).prop_map(
        |(community, subject, attempt, (instance, named), digest, action)| {
            let choice = Choice { named, digest };
            let action = match action {
                0 => Action::Propose(choice),
                1 => Action::Ready(None),
                2 => Action::Ready(Some(digest)),
                _ => Action::Seal(choice),
            };
            Step { community, subject, instance, attempt, action }
        },
    )
}

pub fn bodies() -> impl Strategy<Value = Body> {
    let receipts = (ids(), ids(), prop::collection::btree_set(ids(), 1..9))
        .prop_map(|(community, subject, entries)| Receipt { community, subject, entries });
    let signature = prop::collection::vec(any::<u8>(), 48);
    let beacons = (any::<[u8; 32]>(), 1_u64.., signature).prop_map(|(chain, round, signature)| {
        BeaconRound { chain, round, signature: signature.try_into().unwrap() }
    });
    let consents = (ids(), any::<[u8; 32]>(), words(), ".{0,9}", ".{0,9}", ".{0,9}").prop_map(
        |(community, text, document, version, language, country)| Consent {
            community,
            text,
            document,
            version,
            language,
            country,
        },
    );
    let changes = prop::collection::btree_map(words(), ".{0,9}", 1..5);
    let settings =
        (ids(), 1_u64..9, ids(), changes).prop_map(|(community, version, id, changes)| Setting {
            community,
            version,
            previous: (version > 1).then_some(id),
            changes,
        });
    let merits = (ids(), people(), any::<i64>(), words(), prop::option::of(ids())).prop_map(
        |(community, member, points, reason, cause)| Merit {
            community,
            member,
            points,
            reason,
            cause,
        },
    );
    prop_oneof![
        charters().prop_map(|text| Body::Charter(Box::new(text))),
        roster_parts().prop_map(Body::Roster),
        receipts.prop_map(Body::Receipt),
        attestations().prop_map(Body::Attestation),
        steps().prop_map(Body::Step),
        beacons.prop_map(Body::Beacon),
        consents.prop_map(Body::Consent),
        settings.prop_map(Body::Setting),
        merits.prop_map(Body::Merit),
    ]
}
