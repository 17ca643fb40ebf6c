//! The lines of a thread, found by index. A key of a line that is gone finds nothing, even when its place was taken again.

/// The place of a line, and which of its tenants is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// Sockets a line may have; three bits.
    const SOCKETS: usize = 8;

    /// A number for the poll, naming one of a line's sockets.
    pub(crate) fn token(self, socket: usize) -> usize {
        debug_assert!(socket < Self::SOCKETS);
        // 29 bits of generation are enough to tell a stale event from a fresh one.
        ((self.generation as usize) << 35) | ((self.index as usize) << 3) | socket
    }

    pub(crate) fn from_token(token: usize) -> (Self, usize) {
        let index = (token >> 3) as u32;
        let generation = (token >> 35) as u32;
        (Self { index, generation }, token % Self::SOCKETS)
    }
}

#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<(u32, Option<Box<T>>)>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// Largest generation a token can carry.
    const GENERATIONS: u32 = (1 << 29) - 1;

    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Where the next [`Self::insert`] puts its item.
    pub(crate) fn vacant(&self) -> Key {
        match self.free.last() {
            Some(index) => Key { index: *index, generation: self.places[*index as usize].0 },
            None => Key { index: self.places.len() as u32, generation: 0 },
        }
    }

    pub(crate) fn insert(&mut self, item: Box<T>) -> Key {
        let key = self.vacant();
        match self.free.pop() {
            Some(index) => self.places[index as usize].1 = Some(item),
            None => self.places.push((0, Some(item))),
        }
        key
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (generation, item) = self.places.get_mut(key.index as usize)?;
        if *generation == key.generation { item.as_deref_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Box<T>> {
        let (generation, item) = self.places.get_mut(key.index as usize)?;
        if *generation != key.generation {
            return None;
        }
        let item = item.take()?;
        *generation = (*generation + 1) & Self::GENERATIONS;
        self.free.push(key.index);
        Some(item)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> {
        (0u32..)
            .zip(&self.places)
            .filter_map(|(index, (generation, item))| item.is_some().then_some(Key { index, generation: *generation }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut slab = Slab::new();
        let first = slab.insert(Box::new("first"));
        assert_eq!(slab.remove(first).as_deref(), Some(&"first"));
        let second = slab.insert(Box::new("second"));
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get_mut(second), Some(&mut "second"));
        assert_eq!(slab.keys().collect::<Vec<_>>(), [second]);
    }

    #[test]
    fn tokens_name_line_and_socket() {
        for index in [0, 1, 77_000] {
            for generation in [0, 9, Slab::<()>::GENERATIONS] {
                let key = Key { index, generation };
                for socket in 0..8 {
                    assert_eq!(Key::from_token(key.token(socket)), (key, socket));
                }
            }
        }
    }
}
