//! A set of ids that forgets the oldest when it is full.

use std::collections::{BTreeSet, VecDeque};

use ayni_protocol::EventId;

/// The ids seen last, up to a number. Forgetting one costs a repetition, never a wrong answer.
#[derive(Debug)]
pub struct Recent {
    order: VecDeque<EventId>,
    ids: BTreeSet<EventId>,
    most: usize,
}

impl Recent {
    /// Remembers nothing yet, and at most `most` ids ever.
    pub const fn new(most: usize) -> Self {
        Self { order: VecDeque::new(), ids: BTreeSet::new(), most }
    }

    /// Remembers one more.
    pub fn insert(&mut self, id: EventId) {
        if !self.ids.insert(id) {
            return;
        }
        self.order.push_back(id);
        while self.order.len() > self.most {
            let oldest = self.order.pop_front();
            oldest.inspect(|oldest| _ = self.ids.remove(oldest));
        }
    }

    /// Whether it is remembered.
    pub fn contains(&self, id: &EventId) -> bool {
        self.ids.contains(id)
    }

    /// How many are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let id = |n: u8| EventId([n; 32]);
        let mut recent = Recent::new(2);
        for n in [1, 2, 1, 3] {
            recent.insert(id(n));
        }
        assert_eq!([1, 2, 3].map(|n| recent.contains(&id(n))), [false, true, true]);
        assert_eq!(recent.len(), 2);
    }
}
