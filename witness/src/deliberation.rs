//! How several witnesses come to one value (protocol section 4 and its appendix A).
//!
//! An instance is decided in attempts. In each, one witness proposes, every witness says once what
//! it is ready to seal, and seals what enough of them are ready for. A witness that sealed is bound:
//! it turns to another value only where enough witnesses were ready for that one later. So no two
//! values are decided while fewer than `2q - n` witnesses cheat, however late messages come.
//!
//! Nothing is remembered between two calls: where a witness stands is read from the steps that are
//! known, its own among them, and their `created_at` is its own clock. So a restart leaves no trace.
//! A clock only says how long to wait for a proposal, never what is decided.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{Draft, EventId, Part as _, PublicKey, Ruling, Timestamp};

use crate::charter::proposer;
use crate::council::Council;
use crate::draft;
use crate::entry::{Action, Body, Choice, Step};
use crate::fact::{Charter, Instance};

/// Seconds that an attempt waits for a proposal: 10, 40, 90 and so on, so that after a long outage
/// there is a time that suffices, and few steps until then.
fn patience_secs(attempt: u32) -> u64 {
    let attempt = u64::from(attempt);
    attempt.saturating_mul(attempt).saturating_mul(10)
}

/// One witness's seat at one instance.
pub(crate) struct Bench<'a> {
    pub council: &'a Council,
    pub me: &'a PublicKey,
    /// The charter whose witnesses decide.
    pub charter: &'a Charter,
    pub community: EventId,
    pub subject: EventId,
    pub instance: Instance,
    /// When there was something to decide.
    pub since: Timestamp,
}

/// What the witness makes of the matter itself.
pub(crate) struct Opinion<'a> {
    /// What it would propose; nothing while it cannot say.
    pub wish: Option<Choice>,
    /// Whether it could seal this value.
    pub agrees: &'a dyn Fn(&Choice) -> bool,
}

/// An attempt and a digest.
type Agreed = (u32, [u8; 32]);

/// The steps of an instance that are known, by what they say.
#[derive(Default)]
struct Said<'a> {
    /// Values that their proposer may propose, by attempt.
    proposals: BTreeMap<u32, Vec<&'a Choice>>,
    values: BTreeMap<[u8; 32], &'a Choice>,
    ready: BTreeMap<Agreed, BTreeSet<PublicKey>>,
    /// Witnesses that were ready for nothing.
    nothing: BTreeMap<u32, BTreeSet<PublicKey>>,
    /// What I was ready for, and when I said so.
    mine: BTreeMap<u32, (Option<[u8; 32]>, Timestamp)>,
    sealed: BTreeMap<u32, [u8; 32]>,
    have_proposed: BTreeSet<u32>,
    /// The highest attempt of every other witness, and when it spoke in it.
    others: BTreeMap<PublicKey, (u32, Timestamp)>,
}

impl<'a> Bench<'a> {
    /// The step that the witness owes now, if any.
    pub fn next(&self, opinion: &Opinion<'_>, now: Timestamp) -> Option<Draft> {
        if self.council.decisions.decided(&self.subject, self.instance).next().is_some() {
            return None;
        }
        let said = self.said();
        if let Some((attempt, choice)) = self.sealable(&said) {
            return Some(self.step(attempt, Action::Seal(choice.clone())));
        }
        let (attempt, since) = self.attempt(&said, opinion, now)?;
        if said.mine.contains_key(&attempt) {
            return None;
        }
        let proposals = said.proposals.get(&attempt).into_iter().flatten();
        let mut fit = proposals.filter(|choice| self.fits(&said, opinion, attempt, choice));
        if let Some(choice) = fit.next() {
            return Some(self.step(attempt, Action::Ready(Some(choice.digest))));
        }
        let my_turn = proposer(self.charter, self.subject, attempt) == Some(*self.me);
        if my_turn && !said.have_proposed.contains(&attempt) {
            let before = self.last_ready(&said, attempt).and_then(|it| said.values.get(&it.1));
            let choice = before.map(|choice| (*choice).clone()).or_else(|| opinion.wish.clone())?;
            return Some(self.step(attempt, Action::Propose(choice)));
        }
        let waited = now > since.saturating_add(patience_secs(attempt));
        waited.then(|| self.step(attempt, Action::Ready(None)))
    }

    fn step(&self, attempt: u32, action: Action) -> Draft {
        let (community, subject, instance) = (self.community, self.subject, self.instance);
        draft::step(&Step { community, subject, instance, attempt, action })
    }

    fn said(&self) -> Said<'a> {
        let mut said = Said::default();
        let council = self.council;
        let steps = council.decisions.steps.get(&self.subject).into_iter().flatten();
        for entry in steps.filter_map(|id| council.entry(id)) {
            let Body::Step(step) = &entry.body else { continue };
            if step.instance != self.instance || !self.charter.is_witness(&entry.author) {
                continue;
            }
            let counts = council.ruling(&entry.id) == Some(Ruling::Counted);
            said.note(step, entry.author, entry.created_at, counts, self.me);
        }
        said
    }

    /// Whether so many witnesses are enough.
    fn enough(&self, witnesses: &BTreeSet<PublicKey>) -> bool {
        witnesses.len() >= self.charter.quorum
    }

    /// The latest attempt in which enough witnesses were ready for a value that I may seal, and
    /// have not sealed there.
    fn sealable(&self, said: &Said<'a>) -> Option<(u32, &'a Choice)> {
        let ready = said.ready.iter().rev().filter(|(_, witnesses)| self.enough(witnesses));
        let mut free = ready.filter(|((attempt, digest), _)| said.is_free(*attempt, digest));
        free.find_map(|((attempt, digest), _)| Some((*attempt, *said.values.get(digest)?)))
    }

    /// The latest attempt before this one in which enough witnesses were ready for something.
    fn last_ready(&self, said: &Said<'a>, before: u32) -> Option<Agreed> {
        let earlier = said.ready.range(..(before, [0; 32])).rev();
        earlier.filter(|(_, witnesses)| self.enough(witnesses)).map(|(agreed, _)| *agreed).next()
    }

    /// Whether I may be ready for a proposed value: I am bound to no other, or enough witnesses
    /// were ready for this one since; and I find it right, or enough of them did.
    fn fits(&self, said: &Said<'a>, opinion: &Opinion<'_>, attempt: u32, choice: &Choice) -> bool {
        let earlier = said.ready.range(..(attempt, [0; 32])).rev();
        let mut backed = earlier.filter(|((_, digest), _)| *digest == choice.digest);
        let backed = backed.find(|(_, witnesses)| self.enough(witnesses));
        let backed = backed.map(|((attempt, _), _)| *attempt);
        match said.sealed.last_key_value() {
            Some((_, digest)) if *digest == choice.digest => true,
            Some((bound, _)) => backed.is_some_and(|backed| backed >= *bound),
            None => backed.is_some() || (opinion.agrees)(choice),
        }
    }

    /// The attempt I am in, and since when. None before I have anything to say, unless others are
    /// ahead: then what they say may be enough.
    fn attempt(
        &self,
        said: &Said<'a>,
        opinion: &Opinion<'_>,
        now: Timestamp,
    ) -> Option<(u32, Timestamp)> {
        let own = match said.mine.last_key_value() {
            None => opinion.wish.as_ref().map(|_| (1, self.since)),
            Some((attempt, (_, at))) => {
                let nothing = said.nothing.get(attempt);
                let failed = nothing.is_some_and(|witnesses| self.enough(witnesses));
                let over = at.saturating_add(patience_secs(*attempt));
                let next = attempt.saturating_add(1);
                if failed {
                    Some((next, *at))
                } else if now > over {
                    Some((next, over))
                } else {
                    Some((*attempt, *at))
                }
            }
        };
        match (own, self.ahead(said, now)) {
            (Some(own), Some(ahead)) if ahead.0 > own.0 => Some(ahead),
            (None, Some(ahead)) => Some(ahead),
            (own, _) => own,
        }
    }

    /// The attempt that so many others have reached that one of them is awake and honest.
    fn ahead(&self, said: &Said<'a>, now: Timestamp) -> Option<(u32, Timestamp)> {
        let mut reached: Vec<_> = said.others.values().collect();
        reached.sort_by_key(|(attempt, _)| std::cmp::Reverse(*attempt));
        let spare = self.charter.witnesses.len().saturating_sub(self.charter.quorum);
        let (attempt, _) = **reached.get(spare)?;
        let there = reached.iter().filter(|(reached, _)| *reached >= attempt);
        let since = there.map(|(_, at)| *at).max()?;
        Some((attempt, since.min(now)))
    }
}

impl<'a> Said<'a> {
    fn note(
        &mut self,
        step: &'a Step,
        author: PublicKey,
        at: Timestamp,
        counts: bool,
        me: &PublicKey,
    ) {
        let attempt = step.attempt;
        if author != *me {
            let reached = self.others.entry(author).or_insert((attempt, at));
            *reached = (attempt, at).max(*reached);
        }
        match &step.action {
            Action::Propose(choice) => {
                if author == *me {
                    self.have_proposed.insert(attempt);
                }
                if counts {
                    self.proposals.entry(attempt).or_default().push(choice);
                    self.values.insert(choice.digest, choice);
                }
            }
            Action::Ready(digest) => {
                match digest {
                    Some(digest) => self.ready.entry((attempt, *digest)).or_default(),
                    None => self.nothing.entry(attempt).or_default(),
                }
                .insert(author);
                if author == *me {
                    self.mine.insert(attempt, (*digest, at));
                }
            }
            Action::Seal(choice) => {
                if counts {
                    self.values.insert(choice.digest, choice);
                }
                if author == *me {
                    self.sealed.insert(attempt, choice.digest);
                }
            }
        }
    }

    /// Whether I may still seal this in this attempt: I sealed nothing there, and since then neither
    /// sealed nor was ready for anything else.
    fn is_free(&self, attempt: u32, digest: &[u8; 32]) -> bool {
        let sealed_other = self.sealed.range(attempt..).any(|(_, sealed)| sealed != digest);
        let mut later = self.mine.range(attempt..).filter_map(|(_, (ready, _))| *ready);
        !self.sealed.contains_key(&attempt) && !sealed_other && later.all(|it| it == *digest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::digest::{box_digest, void_digest};
    use crate::entry::{CharterText, Named};
    use crate::fact::{Fact, Subject, Timings, Value};
    use crate::testing::{
        FOUNDER, World, beacon, boxed, charter, id, key, later, roster, step, vote_in,
    };

    const FOUR: [u8; 4] = [11, 12, 13, 14];

    /// Four witnesses, three of whom decide, who all know the same, and a vote of theirs.
    fn council_of_four() -> (World, EventId) {
        let mut world = World::new();
        let cid = world.found(&FOUR);
        let vote = world.vote(vote_in(cid, cid, 50));
        (world, vote)
    }

    /// Lets these witnesses do what they owe, in turn, until they owe nothing; what they did.
    fn serve(world: &mut World, witnesses: &[u8], now: Timestamp) -> Vec<String> {
        let mut done = Vec::new();
        loop {
            let before = done.len();
            for who in witnesses {
                done.extend(world.serve(*who, now).into_iter().map(|did| format!("{who} {did}")));
            }
            if done.len() == before {
                return done;
            }
        }
    }

    /// Who proposes in an attempt on the vote, and the others.
    fn turn(world: &World, vote: EventId, attempt: u32) -> (u8, Vec<u8>) {
        let of = world.council.subjects().next().unwrap().charter;
        let first = proposer(world.council.charter(&of).unwrap(), vote, attempt).unwrap();
        let proposes = FOUR.into_iter().find(|who| key(*who) == first).unwrap();
        (proposes, FOUR.into_iter().filter(|who| *who != proposes).collect())
    }

    fn decided(world: &World, vote: EventId, instance: Instance) -> Option<Value> {
        world.council.decision(&vote, instance).map(|decision| decision.value.clone())
    }

    #[test]
    fn four_witnesses_come_to_one_box_and_one_outcome() {
        let (mut world, vote) = council_of_four();
        world.entry(vote, id(1));
        serve(&mut world, &FOUR, 150);
        let done = serve(&mut world, &FOUR, 211);
        assert_eq!(decided(&world, vote, Instance::Close), Some(boxed(&[id(1)])));
        let said = |what: &str| done.iter().filter(|did| did.contains(what)).count();
        assert_eq!(
            (said("propose box"), said("Close 1 ready"), said("nil")),
            (1, 4, 0),
            "{done:?}"
        );
        world.hear(&Fact::Result { subject: vote, result: [8; 32] });
        serve(&mut world, &FOUR, 300);
        assert_eq!(decided(&world, vote, Instance::Outcome), Some(Value::Result([8; 32])));
        assert!(serve(&mut world, &FOUR, 9_999).is_empty(), "what is decided is done");
    }

    #[test]
    fn a_box_holds_what_enough_witnesses_received() {
        let (mut world, vote) = council_of_four();
        for (entry, received) in [(1, 1), (2, 2), (3, 4)] {
            world.entry(vote, id(entry));
            serve(&mut world, &FOUR[..received], 150);
        }
        // The first served thrice, the second twice: 4 and 1 have the first entry and so on.
        serve(&mut world, &FOUR, 211);
        let Some(Value::Box(ids)) = decided(&world, vote, Instance::Close) else { panic!("a box") };
        assert_eq!(*ids, [id(1), id(2), id(3)].into(), "all came in time at two witnesses");
    }

    #[test]
    fn where_the_proposer_is_away_the_next_one_proposes() {
        let (mut world, vote) = council_of_four();
        let (_, others) = turn(&world, vote, 1);
        let first = serve(&mut world, &others, 211);
        assert!(first.iter().all(|did| did.contains("attestation")), "{first:?}");
        let second = serve(&mut world, &others, 222);
        assert!(second.iter().any(|did| did.ends_with("Close 1 nil")), "{second:?}");
        assert!(second.iter().any(|did| did.ends_with("Close 2 ready")), "{second:?}");
        assert_eq!(decided(&world, vote, Instance::Close), Some(boxed(&[])));
    }

    #[test]
    fn two_of_four_decide_nothing_and_go_on_when_a_third_returns() {
        let (mut world, vote) = council_of_four();
        for now in (211..2_000).step_by(10) {
            serve(&mut world, &FOUR[..2], now);
        }
        let steps = world.council.steps(&vote).count();
        assert_eq!(decided(&world, vote, Instance::Close), None);
        assert!(steps < 40, "{steps} steps for half an hour of waiting");
        for now in (2_000..2_600).step_by(10) {
            serve(&mut world, &FOUR[..3], now);
        }
        assert_eq!(decided(&world, vote, Instance::Close), Some(boxed(&[])));
    }

    #[test]
    fn who_sealed_is_bound() {
        let (mut world, vote) = council_of_four();
        serve(&mut world, &FOUR, 150);
        for who in FOUR {
            // Each attests; nobody goes on.
            let first = world.council.duties(&key(who), 211).remove(0);
            world.put(&first.sign(&crate::testing::keys(who), 211, [0; 32]));
        }
        let cid = world.council.subjects().next().unwrap().community;
        let (proposes, others) = turn(&world, vote, 1);
        let attestations = world.council.attestations(&vote).map(|(_, id)| id).collect();
        let named = Named::Box(attestations);
        let close = |action, attempt| {
            step(cid, vote, Instance::Close, (action, attempt), (named.clone(), &boxed(&[])))
        };
        world.add(proposes, close(Action::Propose, 1));
        let ready = |digest, attempt| {
            let action = Action::Ready(Some(digest));
            draft::step(&Step {
                community: cid,
                subject: vote,
                instance: Instance::Close,
                attempt,
                action,
            })
        };
        let digest = box_digest(vote, &BTreeSet::new());
        // Who proposes in attempt 2 is not the one that is bound.
        let (second, _) = turn(&world, vote, 2);
        let bound = others.iter().copied().find(|who| *who != second).unwrap();
        let say = |world: &mut World, who: u8, draft: Draft| {
            world.put(&draft.sign(&crate::testing::keys(who), 211, [0; 32]))
        };
        for who in [proposes, bound, second] {
            say(&mut world, who, ready(digest, 1));
        }
        assert_eq!(world.serve(bound, 212), ["Close box"]);
        // A void in a later attempt: whoever is bound to the box is not ready for it.
        world.hear(&Fact::Failed { subject: vote, reason: "cancelled".into() });
        let void = (Named::Void("cancelled".into()), &Value::Void("cancelled".into()));
        say(&mut world, second, step(cid, vote, Instance::Close, (Action::Propose, 2), void));
        assert!(world.serve(bound, 230).is_empty());
        // Once enough others were ready for it later, it is.
        let void = void_digest(vote, "cancelled");
        for who in FOUR.into_iter().filter(|who| *who != bound) {
            say(&mut world, who, ready(void, 2));
        }
        assert!(world.council.decisions.decided(&vote, Instance::Close).next().is_none());
        assert_eq!(world.serve(bound, 231), ["Close void cancelled", "Close 2 ready"]);
    }

    #[test]
    fn a_charter_of_several_is_followed_by_what_they_adopt() {
        let mut world = World::new();
        let cid = world.found(&FOUR);
        let text = CharterText { name: "Larger".into(), ..charter(&[11, 12, 13, 14, 15]) };
        let draft = later(cid, cid, text);
        let next = world.add(FOUNDER, draft);
        serve(&mut world, &FOUR[..2], 2);
        assert_eq!(world.verdict(&next), "waits for a decision");
        for now in [3, 20, 80] {
            serve(&mut world, &FOUR, now);
        }
        assert_eq!(world.verdict(&next), "counted");
        assert_eq!(world.council.charter_in_force(cid).unwrap().id, next);
    }

    #[test]
    fn a_roster_of_several_parts_is_adopted_by_several() {
        let mut world = World::new();
        let cid = world.found(&FOUR);
        let parts = roster(cid, &[21, 22, 23], 1);
        let subject = world.add(FOUNDER, draft::roster(&parts[0]));
        for part in &parts[1..] {
            world.add(FOUNDER, draft::roster(part));
        }
        for now in [2, 20, 80] {
            serve(&mut world, &FOUR, now);
        }
        assert_eq!(world.council.roster(&subject).unwrap().rows.len(), 3);
    }

    #[test]
    fn after_the_deadline_only_void_is_proposed() {
        let mut world = World::new();
        let text = CharterText {
            beacon: Some(beacon().0),
            timings: Timings { margin: 50, beacon_deadline: 1_000, ..Timings::default() },
            ..charter(&FOUR)
        };
        let cid = world.add(FOUNDER, draft::charter(&text));
        let vote = world.vote(Subject { round: Some(31), ..vote_in(cid, cid, 50) });
        world.entry(vote, id(1));
        serve(&mut world, &FOUR, 150);
        let (proposes, others) = turn(&world, vote, 1);
        serve(&mut world, &others, 211);
        // The first proposer wakes up too late: its box finds nobody ready.
        for now in [251, 300, 400] {
            serve(&mut world, &FOUR, now);
        }
        let value = decided(&world, vote, Instance::Close);
        assert_eq!(value, Some(Value::Void("no-seal".into())), "{proposes}");
    }

    #[test]
    fn one_digest_is_decided_whatever_is_lost() {
        for seed in 0..20_u64 {
            let (world, vote) = council_of_four();
            let mut worlds: Vec<_> = FOUR
                .iter()
                .map(|_| World { council: world.council.clone(), facts: vec![] })
                .collect();
            let mut dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut roll = || {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                dice
            };
            let mut all = Vec::new();
            for now in 211..700 {
                let healed = now > 500;
                for (at, who) in FOUR.into_iter().enumerate() {
                    for duty in worlds[at].council.duties(&key(who), now) {
                        let event = duty.sign(&crate::testing::keys(who), now, [0; 32]);
                        worlds[at].put(&event);
                        all.push(event);
                    }
                    for event in &all {
                        if healed || roll() % 100 < 3 {
                            worlds[at].put(event);
                        }
                    }
                }
            }
            let decisions = worlds.iter().map(|world| decided(world, vote, Instance::Close));
            assert!(
                decisions.into_iter().all(|it| it == Some(Value::Box(Arc::default()))),
                "{seed}"
            );
            assert!(worlds.iter().all(|world| !world.council.is_disputed(&vote)), "{seed}");
        }
    }
}
