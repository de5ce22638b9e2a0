//! A list that only grows, and never moves what it holds.
//!
//! A `Vec` of a million things moves all of them whenever it runs out of room, into fresh memory that
//! the system has to clear first: to fold a book of a million orders spent a third of its time so.
//! Here things stand on shelves of one length, and room is made by one more shelf.

/// Things on one shelf.
const SHELF: usize = if cfg!(test) { 4 } else { 4_096 };

/// A list that only grows.
#[derive(Debug, Clone)]
pub struct Rows<T>(Vec<Vec<T>>);

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Rows<T> {
    /// Puts something at the end.
    pub fn push(&mut self, item: T) {
        match self.0.last_mut().filter(|shelf| shelf.len() < SHELF) {
            Some(shelf) => shelf.push(item),
            None => self.begin_shelf(item),
        }
    }

    /// The first shelf grows as it is filled, because most lists are short.
    fn begin_shelf(&mut self, item: T) {
        let mut shelf = Vec::with_capacity(if self.0.is_empty() { 1 } else { SHELF });
        shelf.push(item);
        self.0.push(shelf);
    }

    /// What stands at a place.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place / SHELF)?.get(place % SHELF)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.0.get_mut(place / SHELF)?.get_mut(place % SHELF)
    }

    /// How many things there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let last = self.0.last().map_or(0, Vec::len);
        self.0.len().saturating_sub(1).saturating_mul(SHELF).saturating_add(last)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything, as it came.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_a_list() {
        let (mut rows, mut plain) = (Rows::default(), Vec::new());
        for number in 0..SHELF * 3 + 1 {
            assert_eq!((rows.len(), rows.is_empty()), (plain.len(), plain.is_empty()));
            rows.push(number);
            plain.push(number);
            *rows.get_mut(number / 2).unwrap() += 1;
            plain[number / 2] += 1;
            assert!(rows.iter().rev().eq(plain.iter().rev()));
            assert!((0..=plain.len()).all(|place| rows.get(place) == plain.get(place)));
            assert!(rows.clone().iter().eq(&plain));
        }
    }
}
