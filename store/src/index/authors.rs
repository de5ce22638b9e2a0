//! Authors by number: the slot of an event has 4 bytes for its author, not 32.

use ayni_protocol::PublicKey;
use hashbrown::HashTable;

use crate::frame::{narrow, wide};
use crate::keyed::HashKey;

/// Every author of an index, numbered as they came.
#[derive(Debug)]
pub struct Authors {
    key: HashKey,
    all: Vec<PublicKey>,
    numbers: HashTable<u32>,
}

impl Authors {
    /// Nobody yet.
    pub const fn new(key: HashKey) -> Self {
        Self { key, all: Vec::new(), numbers: HashTable::new() }
    }

    /// The number of an author, a new one where there is none.
    pub fn number(&mut self, author: PublicKey) -> u32 {
        let Self { key, all, numbers } = self;
        let hash = key.author(&author);
        let is_it = |number: &u32| all.get(wide(*number)) == Some(&author);
        if let Some(number) = numbers.find(hash, is_it) {
            return *number;
        }
        let number = narrow(all.len());
        all.push(author);
        let rehash = |number: &u32| all.get(wide(*number)).map_or(0, |author| key.author(author));
        numbers.insert_unique(hash, number, rehash);
        number
    }

    /// The author with a number.
    pub fn get(&self, number: usize) -> Option<&PublicKey> {
        self.all.get(number)
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.all.len()
    }

    /// All of them, by number.
    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.all.iter()
    }

    /// Bytes it takes beyond itself.
    pub fn bytes(&self) -> usize {
        self.all.capacity() * size_of::<PublicKey>() + self.numbers.allocation_size()
    }
}
