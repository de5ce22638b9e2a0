//! A map that nearly always holds nothing or one thing.
//!
//! What waits is mostly looked at alone: an order for its witnesses, a statement for its order. A
//! tree would make a node of half a kilobyte for each of them; one thing lies here without any, and
//! a tree is grown where a second one comes.

use std::collections::BTreeMap;
use std::ops::RangeBounds;

/// A sorted map of few things.
#[derive(Debug, Clone)]
pub(crate) struct Few<K, V> {
    /// The only thing; none where there are several.
    only: Option<(K, V)>,
    /// All of them, once there were several, until none is left.
    several: BTreeMap<K, V>,
}

impl<K, V> Default for Few<K, V> {
    fn default() -> Self {
        Self { only: None, several: BTreeMap::new() }
    }
}

impl<K: Copy + Ord, V> Few<K, V> {
    /// What lies under a key; where there is nothing, a default is laid there.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        if self.several.is_empty() && self.is_at_most(&key) {
            return &mut self.only.get_or_insert_with(|| (key, V::default())).1;
        }
        self.several.extend(self.only.take());
        self.several.entry(key).or_default()
    }

    /// Takes away what lies under a key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        match self.only.take_if(|(other, _)| other == key) {
            Some((_, value)) => Some(value),
            None => self.several.remove(key),
        }
    }

    /// What lies under some keys, sorted.
    pub fn range(&self, keys: impl RangeBounds<K>) -> impl Iterator<Item = (&K, &V)> {
        let only = self.only.iter().filter({
            let keys = (keys.start_bound().cloned(), keys.end_bound().cloned());
            move |(key, _)| keys.contains(key)
        });
        only.map(|(key, value)| (key, value)).chain(self.several.range(keys))
    }

    /// Everything, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.range(..)
    }

    /// Whether there is nothing but what lies under a key, if that.
    pub fn is_at_most(&self, key: &K) -> bool {
        match &self.only {
            Some((other, _)) => other == key,
            None => self.several.len() <= 1 && self.several.keys().all(|other| other == key),
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.only.is_none() && self.several.is_empty()
    }

    /// How many things there are.
    pub fn len(&self) -> usize {
        self.several.len().saturating_add(usize::from(self.only.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// It is the tree that it stands for.
        #[test]
        fn few_things_are_a_tree(steps in prop::collection::vec((0_u8..4, any::<bool>(), any::<u8>()), 0..40)) {
            let (mut few, mut tree) = (Few::default(), BTreeMap::new());
            for (key, comes, value) in steps {
                if comes {
                    prop_assert_eq!(few.or_default(key), tree.entry(key).or_default());
                    *few.or_default(key) = value;
                    tree.insert(key, value);
                } else {
                    prop_assert_eq!(few.remove(&key), tree.remove(&key));
                }
                prop_assert!(few.iter().eq(&tree));
                prop_assert!(few.range(1..=2).eq(tree.range(1..=2)));
                prop_assert_eq!(few.is_at_most(&key), tree.keys().all(|other| *other == key));
                prop_assert_eq!((few.len(), few.is_empty()), (tree.len(), tree.is_empty()));
            }
        }
    }
}
