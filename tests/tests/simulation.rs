//! Some hundred worlds of the simulator; `cargo sim --seeds 20000` runs as many as you like.
//! A failure prints the line that replays it.

use ayni_tests::sim::{Bug, Seen, digests, run};

/// Worlds in every run of the tests.
const SEEDS: u64 = 300;
/// Within so many a planted bug must show.
const CAUGHT_WITHIN: u64 = 300;

#[test]
fn every_law_holds_in_every_world() {
    let chosen = std::env::var("AYNI_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = chosen.map_or(0..SEEDS, |seed: u64| seed..seed + 1);
    let seen = ayni_tests::sim::run_all(seeds.start, seeds.end - seeds.start);
    let seen = seen.unwrap_or_else(|(seed, law)| {
        panic!("{law}; replay: cargo sim --seeds 1 --from {seed}");
    });
    if chosen.is_none() {
        let Seen { payments, together, votes, epochs, proofs, restores, lies, .. } = seen;
        let Seen { trades, undone, bargains, closings, .. } = seen;
        assert!(payments > SEEDS * 5, "the worlds are too quiet: {seen}");
        assert!(together > SEEDS, "nothing is attested together: {seen}");
        assert!(trades > SEEDS && undone > SEEDS / 5, "nobody trades: {seen}");
        assert!(bargains > SEEDS && closings > SEEDS / 4, "nothing changes under trade: {seen}");
        assert!(votes > SEEDS / 4 && epochs > SEEDS / 2, "nothing is decided: {seen}");
        assert!(proofs.min(restores).min(lies) > 20, "nothing goes wrong: {seen}");
    }
}

#[test]
fn the_same_seed_is_the_same_world() {
    assert_eq!(digests(5, 60), digests(5, 60));
    assert_ne!(digests(5, 60), digests(6, 60));
}

/// The seed of the first world in which a law finds the bug, and the law.
fn caught(bug: Bug) -> (u64, String) {
    let found = (0..CAUGHT_WITHIN).find_map(|seed| Some((seed, run(seed, Some(bug)).err()?)));
    found.unwrap_or_else(|| panic!("{bug:?} shows in none of {CAUGHT_WITHIN} worlds"))
}

#[test]
fn a_dropped_event_is_caught() {
    assert!(caught(Bug::DroppedEvent).1.contains("AcknowledgedMeansDurable"));
}

#[test]
fn a_limit_off_by_one_is_caught() {
    assert!(caught(Bug::LimitOffByOne).1.contains("NoOneBeyondTheirLimit"));
}

#[test]
fn a_skipped_lock_is_caught() {
    let (_, law) = caught(Bug::SkippedLock);
    assert!(law.contains("SignedOnce") || law.contains("OneOrderPerSeat"), "{law}");
}

#[test]
fn a_skipped_fence_is_caught() {
    // Whoever proves its fork may be quicker than the next step.
    let (_, law) = caught(Bug::SkippedFence);
    assert!(law.contains("SignedOnce") || law.contains("accuses an honest one"), "{law}");
}

#[test]
fn a_forgotten_commit_is_caught() {
    // In some worlds its trades come to a halt before it signs another order of the same number.
    let forgot = |seed| run(seed, Some(Bug::ForgottenCommit)).err();
    let mut laws = (0..CAUGHT_WITHIN).filter_map(forgot);
    assert!(laws.any(|law| law.contains("SignedOnce: the clearing account")));
}

#[test]
fn an_early_commit_is_caught() {
    let (_, law) = caught(Bug::EarlyCommit);
    assert!(law.contains("BothSidesOrNeither"), "{law}");
}
