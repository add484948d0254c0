// SPDX-License-Identifier: MIT OR Apache-2.0
//! A hash index over things that lie in a slab: open addressing, the keys stay in the slab.

/// Maps hashes to slab positions. The caller compares keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    /// (high half of the hash, position + 1); position 0 for an empty slot.
    slots: Vec<(u32, u32)>,
    len: usize,
}

impl Index {
    fn start(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    /// The position whose thing `is_it`, among those with this hash.
    #[inline]
    pub fn get(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = self.start(hash);
        loop {
            match self.slots[at] {
                (_, 0) => return None,
                (tag, n) if tag == (hash >> 32) as u32 && is_it(n - 1) => return Some(n - 1),
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// Adds a position; `hash_of` gives the hash of every position in the index.
    pub fn insert(&mut self, hash: u64, position: u32, hash_of: impl Fn(u32) -> u64) {
        if (self.len + 1) * 2 > self.slots.len() {
            let size = (self.slots.len() * 2).max(64);
            let old = std::mem::replace(&mut self.slots, vec![(0, 0); size]);
            for (_, n) in old.into_iter().filter(|(_, n)| *n != 0) {
                self.place(hash_of(n - 1), n);
            }
        }
        self.place(hash, position + 1);
        self.len += 1;
    }

    fn place(&mut self, hash: u64, n: u32) {
        let mut at = self.start(hash);
        while self.slots[at].1 != 0 {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = ((hash >> 32) as u32, n);
    }

    /// Takes a position out; those behind it close the gap.
    pub fn remove(&mut self, hash: u64, position: u32, hash_of: impl Fn(u32) -> u64) {
        let mask = self.slots.len() - 1;
        let mut at = self.start(hash);
        while self.slots[at].1 != position + 1 {
            at = (at + 1) & mask;
        }
        let mut gap = at;
        loop {
            at = (at + 1) & mask;
            let (tag, n) = self.slots[at];
            if n == 0 {
                break;
            }
            // It may move into the gap if its own place is not between the gap and it.
            let home = self.start(hash_of(n - 1));
            if (at.wrapping_sub(home) & mask) >= (at.wrapping_sub(gap) & mask) {
                self.slots[gap] = (tag, n);
                gap = at;
            }
        }
        self.slots[gap] = (0, 0);
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use std::collections::BTreeSet;

    #[test]
    fn holds_what_was_inserted_and_not_removed() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        // Few distinct hashes, so that runs are long and wrap around.
        let hashes: Vec<u64> = (0..2000).map(|_| rng.random_range(0..40u64) * 0x1_0000_0003).collect();
        let (mut index, mut inside) = (Index::default(), BTreeSet::new());
        for _ in 0..20_000 {
            let n = rng.random_range(0..300u32);
            if inside.remove(&n) {
                index.remove(hashes[n as usize], n, |n| hashes[n as usize]);
            } else {
                index.insert(hashes[n as usize], n, |n| hashes[n as usize]);
                inside.insert(n);
            }
            let probe = rng.random_range(0..300u32);
            let found = index.get(hashes[probe as usize], |n| n == probe);
            assert_eq!(found, inside.contains(&probe).then_some(probe));
        }
    }
}
