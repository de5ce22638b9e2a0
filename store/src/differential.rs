//! AsTheReference, at the size of a real relay: events as people write them, filters as clients
//! send them and worse, and answers that equal those of a plain loop, in order, ties included.
//!
//! `AYNI_EXHAUSTIVE=1` asks 20,000 filters over 100,000 events; otherwise a tenth of each. The
//! judge is a list in the order of answers, asked from its beginning with [`Filter::matches`]; what
//! it holds is worked out here, by the rules of NIP-01 and NIP-09, without a line of the store.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use crate::{DiskStore, Outcome, Store as _};
use ayni_protocol::{
    Draft, Event, EventId, Filter, Keys, Kind, PublicKey, Timestamp, VerifiedEvent, hex,
};

const NOW: Timestamp = 1_700_000_000;
const AUTHORS: u64 = 500;

/// Nearly as Zipf has it: the first is twice as common as the second.
fn zipf(dice: &mut Rng, sides: u64) -> u64 {
    let mut most = sides;
    while most > 1 && dice.u64(..3) > 0 {
        most = most / 2 + 1;
    }
    dice.u64(..most)
}

fn pick<'a, T>(dice: &mut Rng, all: &'a [T]) -> &'a T {
    dice.choice(all).unwrap()
}

fn some<T>(dice: &mut Rng, most: u64, mut each: impl FnMut(&mut Rng) -> T) -> Vec<T> {
    (0..dice.u64(..=most)).map(|_| each(dice)).collect()
}

fn keys() -> Vec<Keys> {
    let secret = |number: u64| {
        let mut secret = [7; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        Keys::from_secret(secret).unwrap()
    };
    (1..=AUTHORS).map(secret).collect()
}

const KINDS: [(u64, u16); 9] = [
    (45, 1),
    (75, 7),
    (80, 6),
    (84, 0),
    (86, 3),
    (90, 1_059),
    (94, 30_023),
    (97, 30_402),
    (100, 5),
];

fn made(dice: &mut Rng, keys: &[Keys], earlier: &[VerifiedEvent]) -> VerifiedEvent {
    let roll = dice.u64(..100);
    let kind = KINDS.iter().find(|(below, _)| roll < *below).unwrap().1;
    let author = &keys[usize::try_from(zipf(dice, AUTHORS)).unwrap()];
    let mut draft = Draft::new(Kind(kind)).content(
        "words \"[\\\"t\\\",\\\"tag1\\\"]\" ".repeat(usize::try_from(dice.u64(..4)).unwrap()),
    );
    let named = || earlier.len() > 1;
    for _ in 0..zipf(dice, 4) {
        if named() {
            let event = pick(dice, &earlier[earlier.len().saturating_sub(3_000)..]);
            draft = draft.tag(["e", &event.id.to_string()]);
            draft = draft.tag(["p", &event.pubkey.to_string()]);
        }
    }
    if kind == 1_059 {
        let to = &keys[usize::try_from(zipf(dice, AUTHORS)).unwrap()];
        draft = draft.tag(["p", &to.public().to_string()]);
    }
    for _ in 0..zipf(dice, 5) {
        draft = draft.tag(["t", &format!("tag{}", zipf(dice, 300))]);
    }
    if kind >= 30_000 {
        draft = draft.tag(["d", &format!("d{}", zipf(dice, 20))]);
    }
    if kind == 5 && named() && dice.u64(..3) == 0 {
        let address = format!("30402:{}:d{}", author.public(), zipf(dice, 20));
        draft = draft.tag(["a", &address]);
    }
    // Own events more often than chance has it, or deletions would delete nothing.
    let recent = &earlier[earlier.len().saturating_sub(2_000)..];
    if let Some(own) =
        recent.iter().find(|event| event.pubkey == author.public()).filter(|_| kind == 5)
    {
        draft = draft.tag(["e", &own.id.to_string()]);
    }
    // Some thousand events a tie, and some that come late.
    let time = NOW + u64::try_from(earlier.len()).unwrap() / 40 - zipf(dice, 600);
    draft.sign(author, time, [0; 32])
}

/// What is left of events that came in this order.
#[derive(Default)]
struct Plain {
    live: BTreeMap<EventId, VerifiedEvent>,
    heads: BTreeMap<(PublicKey, Kind, String), EventId>,
    deleted: BTreeSet<(PublicKey, EventId)>,
    deleted_until: BTreeMap<(PublicKey, Kind, String), Timestamp>,
}

/// Author, kind and identifier of what is replaced by newer versions.
fn place(event: &Event) -> Option<(PublicKey, Kind, String)> {
    let identifier = || {
        let first = event.tags.iter().find(|tag| tag.name() == "d");
        first.and_then(ayni_protocol::Tag::value).unwrap_or_default().to_owned()
    };
    match event.kind.0 {
        0 | 3 => Some((event.pubkey, event.kind, String::new())),
        30_000.. => Some((event.pubkey, event.kind, identifier())),
        _ => None,
    }
}

impl Plain {
    fn add(&mut self, event: &VerifiedEvent) -> bool {
        let may_delete = |event: &Event| {
            let wraps = event.kind.0 == 1_059;
            let recipients = event.tags.iter().filter(move |tag| wraps && tag.name() == "p");
            let recipients = recipients.filter_map(|tag| tag.value()?.parse().ok());
            std::iter::once(event.pubkey).chain(recipients).collect::<Vec<PublicKey>>()
        };
        let is_deletion = event.kind.0 == 5;
        let place = place(event);
        let by_id = may_delete(event).iter().any(|key| self.deleted.contains(&(*key, event.id)));
        let until = place.as_ref().and_then(|place| self.deleted_until.get(place));
        if !is_deletion && (by_id || until.is_some_and(|until| event.created_at <= *until))
            || self.live.contains_key(&event.id)
        {
            return false;
        }
        if let Some(head) = place.as_ref().and_then(|place| self.heads.get(place)) {
            let old = &self.live[head];
            if (old.created_at, std::cmp::Reverse(old.id))
                > (event.created_at, std::cmp::Reverse(event.id))
            {
                return false;
            }
            self.live.remove(&head.clone());
        }
        if let Some(place) = place {
            self.heads.insert(place, event.id);
        }
        self.live.insert(event.id, event.clone());
        for tag in event.tags.iter().filter(|_| is_deletion) {
            match (tag.name(), tag.value()) {
                ("e", Some(id)) => {
                    let id = id.parse().unwrap();
                    self.deleted.insert((event.pubkey, id));
                    let target = self.live.get(&id).filter(|target| target.kind.0 != 5);
                    if target.is_some_and(|target| may_delete(target).contains(&event.pubkey)) {
                        self.take_out(id);
                    }
                }
                ("a", Some(address)) => {
                    let identifier = address.rsplit(':').next().unwrap().to_owned();
                    let place = (event.pubkey, Kind(30_402), identifier);
                    let until = self.deleted_until.entry(place.clone()).or_default();
                    *until = event.created_at.max(*until);
                    let head = self.heads.get(&place).copied();
                    if let Some(id) = head.filter(|id| self.live[id].created_at <= event.created_at)
                    {
                        self.take_out(id);
                    }
                }
                _ => {}
            }
        }
        true
    }

    fn take_out(&mut self, id: EventId) {
        if let Some(event) = self.live.remove(&id)
            && let Some(place) = place(&event)
        {
            self.heads.remove(&place);
        }
    }
}

/// A filter as a client might send it: what it names is mostly there.
fn asked(dice: &mut Rng, keys: &[Keys], events: &[VerifiedEvent]) -> Filter {
    let mut filter = Filter::default();
    if dice.u64(..12) == 0 {
        filter.ids = Some(some(dice, 20, |dice| pick(dice, events).id).into_iter().collect());
    }
    if dice.u64(..2) == 0 {
        let most = if dice.u64(..5) == 0 { 200 } else { 4 };
        let author = |dice: &mut Rng| keys[usize::try_from(zipf(dice, AUTHORS)).unwrap()].public();
        filter.authors = Some(some(dice, most, author).into_iter().collect());
    }
    if dice.u64(..2) == 0 {
        let kind = |dice: &mut Rng| Kind(pick(dice, &KINDS).1);
        filter.kinds = Some(some(dice, 3, kind).into_iter().collect());
    }
    for letter in [b't', b'e', b'p', b'd', b'a'] {
        if dice.u64(..6) > 0 {
            continue;
        }
        let values = some(dice, 12, |dice| match letter {
            b't' => format!("tag{}", zipf(dice, 300)),
            b'e' => {
                let of = pick(dice, events).tags.clone();
                let first = of.named("e").next().and_then(|tag| tag.value().map(str::to_owned));
                first.unwrap_or_else(|| hex::encode(&pick(dice, events).id.0))
            }
            b'p' => keys[usize::try_from(zipf(dice, AUTHORS)).unwrap()].public().to_string(),
            b'd' => format!("d{}", zipf(dice, 20)),
            _ => format!("30402:{}:d{}", pick(dice, events).pubkey, zipf(dice, 20)),
        });
        filter.tags.push((letter, values.into_iter().collect()));
    }
    if dice.u64(..4) == 0 {
        filter.since = Some(pick(dice, events).created_at);
    }
    if dice.u64(..4) == 0 {
        filter.until = Some(pick(dice, events).created_at);
    }
    filter
}

/// A third of the wraps are shown, by a rule that only the event itself can tell.
fn visible(event: &Event) -> bool {
    event.id.0[31].is_multiple_of(3)
}

#[test]
fn as_a_plain_loop_over_all_events() {
    let part = if std::env::var_os("AYNI_EXHAUSTIVE").is_some() { 1 } else { 10 };
    let (keys, mut dice) = (keys(), Rng::with_seed(88_172_645_463_325_252));
    let mut events = Vec::new();
    for _ in 0..100_000 / part {
        events.push(made(&mut dice, &keys, &events));
    }
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = DiskStore::open(folder.path()).unwrap();
    let mut plain = Plain::default();
    for batch in events.chunks(500) {
        let stored = batch.iter().map(|event| plain.add(event)).collect::<Vec<_>>();
        let outcomes = store.append(batch, NOW).unwrap();
        assert!(outcomes.iter().map(|outcome| matches!(outcome, Outcome::Stored(_))).eq(stored));
    }
    assert!(plain.live.len() < events.len() * 97 / 100, "versions and deletions leave");
    agrees(&store, &plain, &mut dice, &keys, &events, 20_000 / part);
    drop(store);
    std::fs::remove_dir_all(folder.path().join("sled")).unwrap();
    let (store, _) = DiskStore::open(folder.path()).unwrap();
    agrees(&store, &plain, &mut dice, &keys, &events, 1_000 / part);
}

fn agrees(
    store: &DiskStore,
    plain: &Plain,
    dice: &mut Rng,
    keys: &[Keys],
    events: &[VerifiedEvent],
    filters: usize,
) {
    let mut live: Vec<_> = plain.live.values().collect();
    live.sort_by_key(|event| (std::cmp::Reverse(event.created_at), event.id));
    assert_eq!(store.len(), live.len());
    let mut found = 0;
    for _ in 0..filters {
        let filter = asked(dice, keys, events);
        let shown = |event: &&&VerifiedEvent| {
            filter.matches(event) && (event.kind.0 != 1_059 || visible(event))
        };
        let limit = usize::try_from(zipf(dice, 500) + 1).unwrap();
        let mut expected = live.iter().filter(shown);
        let page = store.query(&filter, limit, NOW, &visible);
        let answered = page.events.iter().map(|stored| &stored.json[..]);
        let same = answered.eq(expected.by_ref().take(limit).map(|event| event.json().as_bytes()));
        assert!(same, "{} limit {limit}", filter.to_json());
        let left = expected.count();
        assert_eq!(page.exhausted, left == 0, "{} limit {limit}", filter.to_json());
        let count = page.events.len() + left;
        assert_eq!(store.count(&filter, NOW, &visible), count, "{}", filter.to_json());
        found += usize::from(count > 0);
    }
    assert!(found > filters / 4, "only {found} of {filters} filters match anything");
}
