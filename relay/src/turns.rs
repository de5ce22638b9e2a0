//! Whose turn it is, where more want to work than there are cores: start-time fair queueing
//! (Goyal, Vin and Cheng 1996).
//!
//! Each turn has a start on a clock that stands still while nobody works: where the newest turn
//! began, or where the last turn of the same connection ended, whichever is later. The earliest
//! start is next. So whoever asks for a lot waits for those who ask for a little, and however many
//! long scans there are, a short one waits for little more than the turns that go on. Every eighth
//! turn is for whoever has waited longest, so that the ever new do not keep the others from ending.
//!
//! Deliberately absent: what is done in a turn and when it is long enough (`asking.rs`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// One turn in so many is for whoever has waited longest.
const PATIENT: u64 = 8;
/// Connections whose share is remembered. Beyond, all is forgotten, which favours nobody for long.
const AHEAD_MAX: usize = 1_024;

/// A number of turns at a time, and those who wait for one.
#[derive(Debug)]
pub struct Turns(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    /// How many turns were passed on.
    passed: u64,
    /// Where the newest turn began, those of the longest wait aside.
    now: Duration,
    /// Where the last turn of a connection ended, of those that had more than their share.
    ahead: BTreeMap<u64, Duration>,
    /// Those who wait, by their start and then in the order of coming.
    waiting: BTreeMap<(Duration, u64), (u64, oneshot::Sender<Turn>)>,
    came: u64,
}

/// A turn, passed on when dropped.
#[derive(Debug)]
pub struct Turn {
    turns: Arc<Turns>,
    whose: u64,
    start: Duration,
    began: Instant,
}

impl Turns {
    /// So many turns at a time.
    pub fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            free: at_once,
            passed: 0,
            now: Duration::ZERO,
            ahead: BTreeMap::new(),
            waiting: BTreeMap::new(),
            came: 0,
        })))
    }

    /// Waits for a turn of connection `whose`.
    pub async fn take(self: &Arc<Self>, whose: u64) -> Turn {
        let (start, place) = {
            let mut state = self.state();
            let start = state.start(whose);
            if state.free > 0 {
                state.free -= 1;
                state.now = start;
                return self.turn(whose, start);
            }
            let (give, taken) = oneshot::channel();
            state.came += 1;
            let place = (start, state.came);
            state.waiting.insert(place, (whose, give));
            (start, taken)
        };
        // Whoever waits is in the list until it is given a turn, so there is always one.
        place.await.unwrap_or_else(|_| self.turn(whose, start))
    }

    fn turn(self: &Arc<Self>, whose: u64, start: Duration) -> Turn {
        Turn { turns: Arc::clone(self), whose, start, began: Instant::now() }
    }

    /// A turn ended: the next one, or nobody's.
    fn pass(self: &Arc<Self>) {
        let mut state = self.state();
        let Some((start, whose, give)) = state.next() else {
            state.free += 1;
            // Where nobody waits it makes no difference who had how much.
            state.ahead.clear();
            return;
        };
        drop(state);
        // Whoever has gone at this very moment drops it, which passes it on.
        drop(give.send(self.turn(whose, start)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn start(&self, whose: u64) -> Duration {
        self.ahead.get(&whose).map_or(self.now, |end| self.now.max(*end))
    }

    /// Takes the next of those who still wait out of the list.
    fn next(&mut self) -> Option<(Duration, u64, oneshot::Sender<Turn>)> {
        self.passed += 1;
        if self.passed.is_multiple_of(PATIENT) {
            self.waiting.retain(|_, (_, give)| !give.is_closed());
            let longest = self.waiting.keys().min_by_key(|(_, came)| *came).copied()?;
            let (whose, give) = self.waiting.remove(&longest)?;
            return Some((longest.0, whose, give));
        }
        loop {
            let ((start, _), (whose, give)) = self.waiting.pop_first()?;
            if !give.is_closed() {
                self.now = self.now.max(start);
                let now = self.now;
                self.ahead.retain(|_, end| *end > now);
                if self.ahead.len() > AHEAD_MAX {
                    self.ahead.clear();
                }
                return Some((start, whose, give));
            }
        }
    }
}

impl Turn {
    /// How long it has gone on.
    pub fn lasted(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let end = self.start + self.lasted();
        {
            let mut state = self.turns.state();
            let ahead = state.ahead.entry(self.whose).or_default();
            *ahead = end.max(*ahead);
        }
        self.turns.pass();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;
    use crate::laws;

    fn now(turns: &Arc<Turns>, whose: u64) -> Turn {
        turns.take(whose).now_or_never().expect("a turn is free")
    }

    /// A turn that lasts so long, without waiting for it.
    fn lasting(mut turn: Turn, long: Duration) -> Turn {
        turn.began -= long;
        turn
    }

    #[test]
    fn who_had_least_is_next() {
        let turns = Turns::new(1);
        let second = Duration::from_secs(1);
        let busy = lasting(now(&turns, 1), second);
        // The greedy ask again before their turn is over, and at last comes somebody else.
        let mut again = Box::pin(turns.take(2));
        assert!(again.as_mut().now_or_never().is_none());
        drop(busy);
        let busy = lasting(again.now_or_never().unwrap(), second);
        let mut waiting: Vec<_> =
            [1, 2, 3].map(|whose| (whose, Box::pin(turns.take(whose)))).into();
        for (_, place) in &mut waiting {
            assert!(place.as_mut().now_or_never().is_none());
        }
        drop(busy);
        let mut order = Vec::new();
        while !waiting.is_empty() {
            let next = waiting.iter_mut().enumerate().find_map(|(at, (whose, place))| {
                Some((at, *whose, place.as_mut().now_or_never()?))
            });
            let (at, whose, turn) = next.expect("somebody has a turn");
            order.push(whose);
            drop(waiting.remove(at));
            drop(lasting(turn, second));
        }
        // The second was waiting already when it had had nothing yet.
        assert_eq!(order, [2, 3, 1]);
    }

    type Place = Pin<Box<dyn Future<Output = Turn>>>;

    fn queue(turns: &Arc<Turns>, whose: u64) -> Place {
        let turns = Arc::clone(turns);
        let mut place: Place = Box::pin(async move { turns.take(whose).await });
        assert!(place.as_mut().now_or_never().is_none());
        place
    }

    proptest! {
        /// Four connections ask again and again, and a guest now and then.
        #[test]
        fn turns_are_fair(steps in prop::collection::vec((1_u64..=5, 0..3), 1..300)) {
            const OTHERS: u64 = 4;
            let turns = Turns::new(1);
            let mut turn = now(&turns, 0);
            let mut waiting: BTreeMap<u64, Place> =
                (1..OTHERS).map(|whose| (whose, queue(&turns, whose))).collect();
            // How many turns each of them has seen go by.
            let mut seen: BTreeMap<u64, u64> = (1..OTHERS).map(|whose| (whose, 0)).collect();
            for (guest, (length, comes)) in (OTHERS..).zip(steps) {
                if comes == 0 {
                    waiting.insert(guest, queue(&turns, guest));
                    seen.insert(guest, 0);
                }
                let ended = turn.whose;
                drop(lasting(turn, Duration::from_secs(length)));
                let next = waiting.iter_mut().find_map(|(_, place)| place.as_mut().now_or_never());
                turn = next.expect("somebody has a turn");
                let least = turns.state().waiting.keys().next().map(|(start, _)| *start);
                let is_patient = turns.state().passed.is_multiple_of(PATIENT);
                prop_assert!(
                    is_patient || least.is_none_or(|least| turn.start <= least),
                    "{}", laws::TURNS_ARE_FAIR.name
                );
                waiting.remove(&turn.whose);
                seen.remove(&turn.whose);
                if ended < OTHERS {
                    waiting.insert(ended, queue(&turns, ended));
                    seen.insert(ended, 0);
                }
                seen.values_mut().for_each(|seen| *seen += 1);
                let crowd = u64::try_from(waiting.len()).unwrap();
                for (whose, seen) in &seen {
                    let most = if *whose < OTHERS { PATIENT * (crowd + 1) } else { crowd + 2 };
                    prop_assert!(*seen <= most, "{}: {whose}", laws::TURNS_ARE_FAIR.name);
                }
            }
        }
    }

    #[test]
    fn who_has_gone_is_passed_over_and_nothing_is_kept_of_anybody() {
        let turns = Turns::new(2);
        let (first, second) = (now(&turns, 1), now(&turns, 2));
        let mut gone: Vec<_> = (3..100_000).map(|whose| Box::pin(turns.take(whose))).collect();
        gone.iter_mut().for_each(|place| assert!(place.as_mut().now_or_never().is_none()));
        drop(gone);
        let mut place = Box::pin(turns.take(2));
        assert!(place.as_mut().now_or_never().is_none());
        drop(first);
        drop(place.now_or_never().expect("the others have gone"));
        drop(second);
        let all = [now(&turns, 1), now(&turns, 2)];
        assert!(turns.take(3).now_or_never().is_none(), "two at a time");
        drop(all);
        for whose in 0..1_000 {
            drop(lasting(now(&turns, whose), Duration::from_millis(1)));
        }
        assert!(turns.state().ahead.is_empty(), "{:?}", turns.state());
    }

    #[test]
    fn the_ever_new_do_not_keep_the_others_from_their_next_turn() {
        let turns = Turns::new(1);
        let second = Duration::from_secs(1);
        let first = now(&turns, 1);
        let waiting = queue(&turns, 2);
        drop(lasting(first, second));
        let mut turn = waiting.now_or_never().unwrap();
        let mut again = queue(&turns, 1);
        let mut new: BTreeMap<u64, Place> = BTreeMap::new();
        for number in 3..100 {
            new.insert(number, queue(&turns, number));
            drop(lasting(turn, second));
            if again.as_mut().now_or_never().is_some() {
                return;
            }
            let next = new.values_mut().find_map(|place| place.as_mut().now_or_never());
            turn = next.expect("somebody has a turn");
            new.remove(&turn.whose);
        }
        panic!("it never had another turn");
    }
}
