//! Acts of a community (protocol section 2): which of the events it signed count.
//!
//! Every part that reads such events embeds [`Acts`] and asks it. An act counts if it meets what
//! *any* counted version of the charter asks, and stays counted: which version was in force when
//! an act was signed is something only a clock could tell, and the answer must be the same for
//! everyone who holds the same events. So a community that raises the number of approvals binds
//! its key for acts that its stewards have not seen only by handing the key over; what it approved
//! under an easier charter stays approved. This can only ever add acts, never take one back.
//!
//! Deliberately absent: what an act does, and which of two that contradict each other wins.

use std::collections::{BTreeMap, BTreeSet};

use ayni_protocol::{EventId, Premise, PublicKey};

use crate::fact::{Charter, Fact};

/// What a part knows of communities and of the approvals their acts have.
#[derive(Debug, Clone, Default)]
pub struct Acts {
    communities: BTreeMap<EventId, Community>,
    approvals: BTreeMap<EventId, BTreeSet<PublicKey>>,
    /// Act and community.
    mandates: BTreeSet<(EventId, EventId)>,
}

#[derive(Debug, Clone)]
struct Community {
    key: PublicKey,
    versions: BTreeMap<EventId, Version>,
}

/// What one version of a charter asks of an act.
#[derive(Debug, Clone)]
struct Version {
    stewards: BTreeSet<PublicKey>,
    approvals: usize,
}

/// Whether an act counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It does, for ever.
    Counts,
    /// Not yet.
    Waiting(Premise),
    /// Its author can never act for this community.
    Void,
}

/// Which acts a fact may have changed, for a part to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touched {
    /// None.
    Nothing,
    /// This one.
    Act(EventId),
    /// Every waiting act of this community.
    Community(EventId),
}

impl Acts {
    /// Hears a fact; facts of other kinds are passed over.
    pub fn learn(&mut self, fact: &Fact) -> Touched {
        match fact {
            Fact::Charter(charter) => self.add_version(charter),
            Fact::Approved { act, steward } => {
                let added = self.approvals.entry(*act).or_default().insert(*steward);
                if added { Touched::Act(*act) } else { Touched::Nothing }
            }
            Fact::Mandated { act, community } => {
                let added = self.mandates.insert((*act, *community));
                if added { Touched::Act(*act) } else { Touched::Nothing }
            }
            _ => Touched::Nothing,
        }
    }

    fn add_version(&mut self, charter: &Charter) -> Touched {
        let community = self
            .communities
            .entry(charter.community)
            .or_insert_with(|| Community { key: charter.community_key, versions: BTreeMap::new() });
        let version = Version { stewards: charter.stewards.clone(), approvals: charter.approvals };
        match community.versions.insert(charter.id, version) {
            None => Touched::Community(charter.community),
            Some(_) => Touched::Nothing,
        }
    }

    /// Whether an act of `community` counts. `everyday` acts are those that raise a limit, open an
    /// account or award merit: the community key or any one steward does them, at once.
    #[must_use]
    pub fn standing(
        &self,
        act: EventId,
        author: PublicKey,
        community: EventId,
        everyday: bool,
    ) -> Standing {
        let Some(known) = self.communities.get(&community) else {
            return Standing::Waiting(Premise::Event(community));
        };
        let by_the_key = author == known.key;
        if everyday {
            let by_a_steward = || known.versions.values().any(|v| v.stewards.contains(&author));
            // A later charter may yet make its author a steward, so it is never void.
            let counts = by_the_key || by_a_steward();
            return if counts { Standing::Counts } else { Standing::Waiting(Premise::Approval) };
        }
        if !by_the_key {
            return Standing::Void;
        }
        if self.mandates.contains(&(act, community)) || self.is_approved(act, known) {
            Standing::Counts
        } else {
            Standing::Waiting(Premise::Approval)
        }
    }

    fn is_approved(&self, act: EventId, community: &Community) -> bool {
        let approvals = self.approvals.get(&act);
        community.versions.values().any(|version| {
            let by_stewards = |given: &BTreeSet<PublicKey>| {
                given.intersection(&version.stewards).take(version.approvals).count()
            };
            approvals.map_or(0, by_stewards) >= version.approvals
        })
    }

    /// The key whose signature makes an act of this community.
    #[must_use]
    pub fn community_key(&self, community: EventId) -> Option<PublicKey> {
        self.communities.get(&community).map(|known| known.key)
    }

    /// Whether any counted version of the charter names this key a steward.
    #[must_use]
    pub fn is_steward(&self, key: &PublicKey, community: EventId) -> bool {
        self.communities
            .get(&community)
            .is_some_and(|known| known.versions.values().any(|v| v.stewards.contains(key)))
    }

    /// The stewards who approved an act of this community.
    #[must_use]
    pub fn approvers(&self, act: EventId, community: EventId) -> BTreeSet<PublicKey> {
        let given = self.approvals.get(&act).into_iter().flatten();
        given.filter(|key| self.is_steward(key, community)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fact::{Timings, WitnessSeat};

    const CID: EventId = EventId([1; 32]);
    const ACT: EventId = EventId([9; 32]);
    const KEY: PublicKey = PublicKey([2; 32]);

    fn steward(n: u8) -> PublicKey {
        PublicKey([n; 32])
    }

    fn charter(id: u8, stewards: &[u8], approvals: usize) -> Fact {
        Fact::Charter(Arc::new(Charter {
            id: EventId([id; 32]),
            community: CID,
            community_key: KEY,
            previous: (id > 1).then_some(CID),
            name: "Vale do Sol".into(),
            languages: vec![],
            country: None,
            region: None,
            witnesses: vec![WitnessSeat { key: PublicKey([8; 32]), url: String::new() }],
            quorum: 1,
            stewards: stewards.iter().map(|n| steward(*n)).collect(),
            approvals,
            beacon: None,
            timings: Timings::default(),
        }))
    }

    fn approved(by: u8) -> Fact {
        Fact::Approved { act: ACT, steward: steward(by) }
    }

    /// What is made of `ACT`, signed by the community key and no everyday act.
    fn standing(facts: &[Fact]) -> Standing {
        let mut acts = Acts::default();
        facts.iter().for_each(|fact| _ = acts.learn(fact));
        acts.standing(ACT, KEY, CID, false)
    }

    #[test]
    fn the_community_key_is_enough_where_no_approval_is_asked() {
        assert_eq!(standing(&[]), Standing::Waiting(Premise::Event(CID)));
        assert_eq!(standing(&[charter(1, &[], 0)]), Standing::Counts);
    }

    #[test]
    fn approvals_are_distinct_stewards() {
        let waiting = Standing::Waiting(Premise::Approval);
        let asked = || charter(1, &[3, 4, 5], 2);
        assert_eq!(standing(&[asked()]), waiting);
        assert_eq!(standing(&[asked(), approved(3), approved(3)]), waiting);
        assert_eq!(standing(&[asked(), approved(3), approved(7)]), waiting);
        assert_eq!(standing(&[approved(3), asked(), approved(5)]), Standing::Counts);
    }

    #[test]
    fn more_approvals_than_stewards_are_never_met() {
        let facts = [charter(1, &[3], 2), approved(3)];
        assert_eq!(standing(&facts), Standing::Waiting(Premise::Approval));
    }

    #[test]
    fn any_counted_version_will_do() {
        let facts = [charter(1, &[3], 1), charter(6, &[3, 4], 2), approved(3)];
        assert_eq!(standing(&facts), Standing::Counts);
    }

    #[test]
    fn a_certified_proposal_of_the_same_community_mandates() {
        let mandate = |community| Fact::Mandated { act: ACT, community };
        let asked = || charter(1, &[3], 1);
        assert_eq!(standing(&[asked(), mandate(CID)]), Standing::Counts);
        let foreign = mandate(EventId([7; 32]));
        assert_eq!(standing(&[asked(), foreign]), Standing::Waiting(Premise::Approval));
    }

    #[test]
    fn everyday_acts_need_one_steward_and_no_approval() {
        let mut acts = Acts::default();
        acts.learn(&charter(1, &[3], 1));
        let everyday = |acts: &Acts, author| acts.standing(ACT, author, CID, true);
        assert_eq!(everyday(&acts, KEY), Standing::Counts);
        assert_eq!(everyday(&acts, steward(3)), Standing::Counts);
        assert_eq!(everyday(&acts, steward(4)), Standing::Waiting(Premise::Approval));
        assert_eq!(acts.standing(ACT, steward(3), CID, false), Standing::Void);
        assert_eq!(acts.learn(&charter(6, &[4], 1)), Touched::Community(CID));
        assert_eq!(everyday(&acts, steward(4)), Standing::Counts);
    }

    #[test]
    fn a_fact_says_once_what_it_touched() {
        let mut acts = Acts::default();
        assert_eq!(acts.learn(&approved(3)), Touched::Act(ACT));
        assert_eq!(acts.learn(&approved(3)), Touched::Nothing);
        acts.learn(&charter(1, &[3], 1));
        assert_eq!(acts.approvers(ACT, CID), BTreeSet::from([steward(3)]));
        assert_eq!(acts.community_key(CID), Some(KEY));
        assert!(acts.is_steward(&steward(3), CID) && !acts.is_steward(&KEY, CID));
    }
}
