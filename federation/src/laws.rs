//! The claims of this crate, by name. Each has a property test that cites it.

use ayni_protocol::laws::Law;

/// Whatever happened before.
pub const HEALED_MEANS_EQUAL: Law = Law {
    name: "HealedMeansEqual",
    sentence: "Once connections hold, nodes that follow each other come to hold the same events, \
               whatever was lost, repeated, reordered, cut or restarted before",
    why: "or two communities would compute two books from one history",
};

/// Live and stored leave no gap.
pub const NOTHING_FALLS_BETWEEN: Law = Law {
    name: "NothingFallsBetween",
    sentence: "While connections hold, an event stored on either side at any moment of a \
               reconciliation reaches the other without waiting for the next one",
    why: "or a payment could take ten minutes to be seen next door",
};

/// Equal sets have nothing to say.
pub const REPEAT_IS_NOTHING: Law = Law {
    name: "RepeatIsNothing",
    sentence: "Nodes in step that reconcile or connect again send no event and store none",
    why: "or every restart would cost a copy of everything",
};

/// A peer costs a bounded amount.
pub const BOUNDED_WORK: Law = Law {
    name: "BoundedWork",
    sentence: "Whatever a peer sends, what is kept for it stays within the terms, each message \
               causes a bounded number of others, and every wake-up lies in the future",
    why: "or one peer could fill the memory of a node or spin its processor",
};

/// Lies end a connection.
pub const LIARS_ARE_CLOSED: Law = Law {
    name: "LiarsAreClosed",
    sentence: "A peer that sends what no honest peer sends is closed with the reason, and left \
               alone for longer each time",
    why: "or one peer could keep a node busy with nothing",
};

/// Every law of this crate.
pub const ALL: &[Law] =
    &[HEALED_MEANS_EQUAL, NOTHING_FALLS_BETWEEN, REPEAT_IS_NOTHING, BOUNDED_WORK, LIARS_ARE_CLOSED];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::world::{Manner, Negentropic, World, pool};
    use crate::{Millis, PeerState, Terms};

    /// What may happen between two nodes.
    #[derive(Debug, Clone, Copy)]
    enum Step {
        Publish(usize, usize),
        Up(usize),
        Down(usize),
        Quiet,
        LoseUp(usize),
        LoseDown(usize),
        RepeatDown(usize),
        SwapDown(usize),
        RepeatUp(usize),
        Cut(usize),
        CutOff(usize, bool),
        Restart(usize),
        Busy(usize, usize),
        Pass(Millis),
    }

    /// Small numbers everywhere, so that every bound is reached.
    fn terms() -> Terms {
        Terms {
            batch_ids: 3,
            batches_in_flight: 2,
            admitting_max: 8,
            uploads_in_flight: 4,
            page_events: 8,
            remembered_ids: 16,
            ..Terms::default()
        }
    }

    fn manner() -> impl Strategy<Value = Manner> {
        let negentropy = prop_oneof![
            4 => Just(Negentropic::Yes),
            1 => Just(Negentropic::Refuses),
            1 => Just(Negentropic::Complains),
            1 => Just(Negentropic::Silent),
        ];
        (negentropy, prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(negentropy, auth, strict)| Manner { negentropy, auth, strict })
    }

    /// A ring, a line, or one that follows the other and is not followed.
    fn shape() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
        prop_oneof![
            Just((2, vec![(0, 1)])),
            Just((2, vec![(0, 1), (1, 0)])),
            Just((3, vec![(0, 1), (1, 2)])),
            Just((3, vec![(0, 1), (1, 2), (2, 0)])),
            Just((3, vec![(0, 1), (2, 1)])),
        ]
    }

    fn steps(faults: bool, most: usize) -> impl Strategy<Value = Vec<Step>> {
        let (node, link) = (0..3_usize, 0..3_usize);
        let event = 0..pool().len();
        let works = prop_oneof![
            6 => (node.clone(), event).prop_map(|(node, event)| Step::Publish(node, event)),
            8 => link.clone().prop_map(Step::Up),
            8 => link.clone().prop_map(Step::Down),
            1 => Just(Step::Quiet),
        ];
        let breaks = prop_oneof![
            2 => link.clone().prop_map(Step::LoseUp),
            2 => link.clone().prop_map(Step::LoseDown),
            2 => link.clone().prop_map(Step::RepeatDown),
            2 => link.clone().prop_map(Step::SwapDown),
            2 => link.clone().prop_map(Step::RepeatUp),
            2 => link.clone().prop_map(Step::Cut),
            1 => (link.clone(), any::<bool>()).prop_map(|(link, off)| Step::CutOff(link, off)),
            1 => link.prop_map(Step::Restart),
            1 => (node, 0..5_usize).prop_map(|(node, much)| Step::Busy(node, much)),
            3 => (0..40_000_u64).prop_map(Step::Pass),
        ];
        let step =
            if faults { prop_oneof![2 => works, 1 => breaks].boxed() } else { works.boxed() };
        prop::collection::vec(step, 0..most)
    }

    fn take(world: &mut World, step: Step) {
        let link = |at: usize| at % world.follows.len();
        let node = |at: usize| at % world.nodes.len();
        match step {
            Step::Publish(at, event) => world.publish(node(at), event),
            Step::Up(at) => _ = world.deliver_up(link(at)),
            Step::Down(at) => _ = world.deliver_down(link(at)),
            Step::Quiet => world.quiet(),
            Step::Cut(at) => world.cut(link(at)),
            Step::Restart(at) => world.restart(link(at)),
            Step::Pass(ms) => world.pass(ms),
            Step::CutOff(at, off) => {
                let at = link(at);
                world.follows[at].cut_off = off;
                if off {
                    world.cut(at);
                }
            }
            Step::Busy(at, much) => {
                let at = node(at);
                world.nodes[at].busy = much;
            }
            Step::LoseUp(at)
            | Step::LoseDown(at)
            | Step::RepeatDown(at)
            | Step::SwapDown(at)
            | Step::RepeatUp(at) => {
                let at = link(at);
                let Some(connection) = world.follows[at].connection.as_mut() else { return };
                match step {
                    Step::LoseUp(_) => _ = connection.up.pop_front(),
                    Step::LoseDown(_) => _ = connection.down.pop_front(),
                    Step::RepeatDown(_) => connection.down.extend(connection.down.front().cloned()),
                    Step::RepeatUp(_) => connection.up.extend(connection.up.front().cloned()),
                    _ if connection.down.len() > 1 => connection.down.swap(0, 1),
                    _ => {}
                }
            }
        }
    }

    fn heal(world: &mut World) {
        world.follows.iter_mut().for_each(|follow| follow.cut_off = false);
        world.nodes.iter_mut().for_each(|node| node.busy = 0);
        // What a strict node waits for has to exist somewhere.
        world.publish(0, 0);
    }

    fn connected(manners: &[Manner], follows: &[(usize, usize)], seed: u64) -> World {
        let mut world = World::new(manners, follows, &terms(), seed);
        world.pass(0);
        world
    }

    /// Who lied, as far as the machines can tell.
    fn accused(world: &World) -> Vec<String> {
        let errors = world.follows.iter().filter_map(|f| f.peer.status(world.now).last_error);
        errors.filter(|error| error.starts_with("the peer sent")).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

        /// HealedMeansEqual.
        #[test]
        fn healed_means_equal(
            (nodes, follows) in shape(),
            manners in prop::collection::vec(manner(), 3),
            steps in steps(true, 120),
            seed in any::<u32>(),
        ) {
            let mut world = connected(&manners[..nodes], &follows, seed.into());
            steps.into_iter().for_each(|step| take(&mut world, step));
            heal(&mut world);
            let wakes = world.until(|world| world.all_equal() && world.all_in_step());
            prop_assert!(wakes.is_some(), "{world:?}");
        }

        /// NothingFallsBetween.
        #[test]
        fn nothing_falls_between(
            (nodes, follows) in shape(),
            auth in any::<[bool; 3]>(),
            before in prop::collection::vec((0..3_usize, 0..pool().len()), 0..20),
            steps in steps(false, 80),
            after in prop::collection::vec((0..3_usize, 0..pool().len()), 0..4),
        ) {
            let manners = auth.map(|auth| Manner { auth, ..Manner::PLAIN });
            let mut world = connected(&manners[..nodes], &follows, 0);
            let publish = |world: &mut World, (at, event)| world.publish(at % nodes, event);
            before.into_iter().for_each(|what| publish(&mut world, what));
            steps.into_iter().for_each(|step| take(&mut world, step));
            after.into_iter().for_each(|what| publish(&mut world, what));
            world.quiet();
            prop_assert!(world.all_equal(), "{world:?}");
            prop_assert!(world.all_in_step(), "{world:?}");
            prop_assert_eq!(accused(&world), Vec::<String>::new());
        }

        /// RepeatIsNothing.
        #[test]
        fn repeat_is_nothing(
            (nodes, follows) in shape(),
            negentropy in any::<bool>(),
            published in prop::collection::vec((0..3_usize, 0..pool().len()), 0..40),
            times in 1..4_usize,
        ) {
            let kind = if negentropy { Negentropic::Yes } else { Negentropic::Refuses };
            let manner = Manner { negentropy: kind, ..Manner::PLAIN };
            let mut world = connected(&[manner; 3][..nodes], &follows, 0);
            published.into_iter().for_each(|(at, event)| world.publish(at % nodes, event));
            let done = |world: &World| world.all_equal() && world.all_in_step();
            prop_assert!(world.until(done).is_some(), "{world:?}");
            let (before, (carried, handed_out)) = (world.ids(0), world.traffic());
            for _ in 0..times {
                world.pass(terms().resync_paging_ms);
                prop_assert!(world.until(done).is_some(), "{world:?}");
                (0..world.follows.len()).for_each(|at| world.cut(at));
                prop_assert!(world.until(done).is_some(), "{world:?}");
                (0..world.follows.len()).for_each(|at| world.restart(at));
                prop_assert!(world.until(done).is_some(), "{world:?}");
            }
            prop_assert_eq!(world.ids(0), before);
            prop_assert_eq!(world.traffic().1, handed_out);
            prop_assert!(!negentropy || world.traffic().0 == carried);
        }
    }

    #[test]
    fn a_peer_that_comes_back_is_in_step_within_seconds() {
        let mut world = connected(&[Manner::PLAIN; 2], &[(0, 1)], 7);
        world.quiet();
        assert!(world.all_in_step());
        world.follows[0].cut_off = true;
        world.cut(0);
        world.publish(1, 5);
        (0..30).for_each(|_| world.pass(100));
        assert_eq!(world.follows[0].peer.status(world.now).state, PeerState::Disconnected);
        assert_eq!(world.follows[0].peer.status(world.now).lag_secs, Some(3));
        world.follows[0].cut_off = false;
        let from = world.now;
        world.until(World::all_in_step).unwrap();
        assert!(world.now - from <= 4_000, "{}", world.now - from);
        assert!(world.all_equal());
    }

    #[test]
    fn nothing_is_echoed() {
        let mut world = connected(&[Manner::PLAIN; 2], &[(0, 1)], 7);
        world.quiet();
        (0..10).for_each(|event| world.publish(0, event));
        world.quiet();
        assert_eq!(world.traffic(), (10, 0), "our own uploads are not handed out to us");
        (10..20).for_each(|event| world.publish(1, event));
        world.quiet();
        assert_eq!(world.traffic(), (10, 10), "what came from the peer is not sent back");
    }

    #[test]
    fn uploads_that_a_lost_connection_took_along_are_sent_again_at_once() {
        let mut world = connected(&[Manner::PLAIN; 2], &[(0, 1)], 7);
        world.quiet();
        (0..20).for_each(|event| world.publish(0, event));
        world.cut(0);
        let from = world.now;
        world.until(|world| world.all_equal() && world.all_in_step()).unwrap();
        assert!(world.now - from <= 1_000, "{}", world.now - from);
    }

    #[test]
    fn what_was_not_told_is_found_soon() {
        let mut world = connected(&[Manner::PLAIN; 2], &[(0, 1)], 7);
        let tell_nothing = |world: &mut World, event: usize| {
            let event = pool()[event].clone();
            world.nodes[0].events.insert(event.id, event);
            world.follows[0].peer.handle_missed(world.now);
        };
        // Once while the sets are being compared, and once when they are equal.
        while world.follows[0].connection.as_ref().unwrap().reconciliation.is_none() {
            assert!(world.deliver_up(0) || world.deliver_down(0));
        }
        for event in [1, 2] {
            tell_nothing(&mut world, event);
            let from = world.now;
            world.until(|world| world.all_equal() && world.all_in_step()).unwrap();
            assert!(world.now - from <= 2 * terms().retry_ms, "{}", world.now - from);
        }
    }

    #[test]
    fn what_waits_for_a_premise_is_taken_when_it_came() {
        let strict = Manner { strict: true, ..Manner::PLAIN };
        let mut world = connected(&[strict, Manner::PLAIN], &[(0, 1)], 7);
        (0..40).for_each(|event| world.publish(1, event));
        let from = world.now;
        world.until(|world| world.all_equal() && world.all_in_step()).unwrap();
        assert!(world.now - from < terms().resync_ms / 2, "{}", world.now - from);
    }
}
