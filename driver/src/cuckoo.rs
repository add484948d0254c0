// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which rule lies in which slot of one hash table, and the way to room for another.

use millrace_regs::config::WAYS;

/// A slot of a table: way << S | slot, as in `INDEX`.
pub(crate) type Slot = u32;

const EMPTY: u32 = u32::MAX;
const ROOT: u32 = u32::MAX;

/// Slots that a search looks at. At 95 % load it needs about 60 on average; a table of 2,048 is searched whole.
const SEARCH_LIMIT: usize = 2_048;

/// The slots of one hash table, with the scratch memory of the search: an insertion allocates nothing.
pub(crate) struct Cuckoo {
    slots: Vec<u32>,
    rules: usize,
    queue: Vec<Node>,
    /// `seen[slot] == search`: the present search has been there.
    seen: Vec<u32>,
    search: u32,
    /// A search has found no way, and no rule has left since.
    exhausted: bool,
}

#[derive(Copy, Clone)]
struct Node {
    slot: Slot,
    /// Index in `queue` of the slot whose rule would move here.
    parent: u32,
}

impl Cuckoo {
    pub fn new(slots_per_way: usize) -> Self {
        let capacity = WAYS * slots_per_way;
        Self {
            slots: vec![EMPTY; capacity],
            rules: 0,
            queue: Vec::with_capacity(SEARCH_LIMIT.min(capacity) + WAYS),
            seen: vec![0; capacity],
            search: 0,
            exhausted: false,
        }
    }

    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Rules in the table.
    pub fn len(&self) -> usize {
        self.rules
    }

    /// Whether a search for room is likely to be short.
    pub fn roomy(&self) -> bool {
        20 * self.rules < 19 * self.slots.len()
    }

    pub fn get(&self, slot: Slot) -> Option<u16> {
        let rule = self.slots[slot as usize];
        (rule != EMPTY).then_some(rule as u16)
    }

    /// A rule comes into the table.
    pub fn put(&mut self, slot: Slot, rule: u16) {
        debug_assert_eq!(self.slots[slot as usize], EMPTY);
        self.slots[slot as usize] = rule.into();
        self.rules += 1;
    }

    /// A rule leaves the table.
    pub fn remove(&mut self, slot: Slot) {
        debug_assert_ne!(self.slots[slot as usize], EMPTY);
        self.slots[slot as usize] = EMPTY;
        self.rules -= 1;
        self.exhausted = false;
    }

    /// A rule has moved to a free slot.
    pub fn shift(&mut self, from: Slot, to: Slot) {
        debug_assert_eq!(self.slots[to as usize], EMPTY);
        self.slots[to as usize] = std::mem::replace(&mut self.slots[from as usize], EMPTY);
    }

    /// The shortest way to make room in one of `candidates`, into `path`: its first slot is one of them, its last is free, and
    /// the rule in each but the last can move to the next. False if there is no room (or none within [`SEARCH_LIMIT`] slots).
    /// `candidates_of` gives the four slots of a rule in the table.
    ///
    /// After a search in vain only the candidates themselves are looked at, until a rule leaves the table: the next search
    /// would most likely go the same long way.
    pub fn path(
        &mut self,
        path: &mut Vec<Slot>,
        candidates: [Slot; WAYS],
        candidates_of: impl Fn(u16) -> [Slot; WAYS],
    ) -> bool {
        path.clear();
        if let Some(&slot) = candidates.iter().find(|&&slot| self.slots[slot as usize] == EMPTY) {
            path.push(slot);
            return true;
        }
        if self.exhausted || self.rules == self.slots.len() {
            return false;
        }
        self.search = self.search.checked_add(1).unwrap_or_else(|| {
            self.seen.fill(0);
            1
        });
        self.queue.clear();
        candidates.into_iter().for_each(|slot| self.visit(slot, ROOT));
        let mut at = 0;
        while at < self.queue.len().min(SEARCH_LIMIT) {
            let rule = self.slots[self.queue[at].slot as usize] as u16;
            for slot in candidates_of(rule) {
                if self.slots[slot as usize] == EMPTY {
                    self.trace(path, slot, at as u32);
                    return true;
                }
                self.visit(slot, at as u32);
            }
            at += 1;
        }
        self.exhausted = true;
        false
    }

    fn visit(&mut self, slot: Slot, parent: u32) {
        if std::mem::replace(&mut self.seen[slot as usize], self.search) != self.search {
            self.queue.push(Node { slot, parent });
        }
    }

    fn trace(&self, path: &mut Vec<Slot>, last: Slot, mut at: u32) {
        path.push(last);
        while at != ROOT {
            let node = self.queue[at as usize];
            path.push(node.slot);
            at = node.parent;
        }
        path.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_regs::{Key, hash};

    /// Fills a table with distinct keys until one finds no room.
    fn fill(slot_bits: u32, key: impl Fn(u32) -> Key, seed: u32) -> f64 {
        let mut table = Cuckoo::new(1 << slot_bits);
        let mut path = Vec::new();
        let slots = |rule: u16| {
            let slots = hash::slots(&key(rule.into()).pack(), seed, slot_bits);
            std::array::from_fn(|way| (way as u32) << slot_bits | slots[way])
        };
        for rule in 0..(WAYS << slot_bits) as u16 {
            if !table.path(&mut path, slots(rule), slots) {
                break;
            }
            for pair in path.windows(2).rev() {
                let moved = table.get(pair[0]).unwrap();
                assert!(slots(moved).contains(&pair[1]), "a rule moved to a slot that is not its own");
                table.shift(pair[0], pair[1]);
            }
            assert!(slots(rule).contains(&path[0]));
            table.put(path[0], rule);
        }
        table.len() as f64 / table.capacity() as f64
    }

    #[test]
    fn load_over_95_percent_is_reached_with_keys_that_count_up() {
        let tcp = Key { dl_type: 0x0800, nw_proto: 6, nw_dst: 0x0a01_0001, ..Key::default() };
        let patterns: [(&str, &dyn Fn(u32) -> Key); 7] = [
            ("sources", &|i| Key { nw_src: (0x0a00_0000 + i).into(), ..tcp }),
            ("sources x ports", &|i| Key { nw_src: (i >> 4).into(), tp_src: 1024 + (i & 15) as u16, ..tcp }),
            ("sources x destinations", &|i| Key { nw_src: (i % 64).into(), nw_dst: (i / 64).into(), ..tcp }),
            ("MAC pairs", &|i| Key { dl_dst: (i % 100).into(), dl_src: (i / 100).into(), ..Key::default() }),
            ("VLANs x MACs", &|i| Key {
                vlan_tci0: 0x1000 + (i % 16) as u16,
                dl_dst: (i / 16).into(),
                ..Key::default()
            }),
            ("IPv6 subnets", &|i| Key { nw_dst: 0x2001_0db8 << 96 | u128::from(i) << 64, ..Key::default() }),
            ("spread MACs", &|i| Key { dl_dst: u64::from(i.wrapping_mul(0x85eb_ca6b)) << 8, ..Key::default() }),
        ];
        for (name, key) in patterns {
            for slot_bits in [9, 11] {
                for seed in [0, 0x9e37_79b9, 12345] {
                    let load = fill(slot_bits, key, seed);
                    assert!(load > 0.95, "{name}, 2^{slot_bits} slots, seed {seed:#x}: load {load:.3}");
                }
            }
        }
    }

    #[test]
    fn a_full_table_has_no_path() {
        let mut table = Cuckoo::new(1);
        for way in 0..4 {
            table.put(way, way as u16);
        }
        let mut path = Vec::new();
        assert!(!table.path(&mut path, [0, 1, 2, 3], |_| [0, 1, 2, 3]));
        table.remove(2);
        assert!(table.path(&mut path, [0, 1, 2, 3], |_| [0, 1, 2, 3]));
        assert_eq!(path, [2]);
    }

    #[test]
    fn the_search_counter_may_wrap() {
        let mut table = Cuckoo::new(2);
        table.search = u32::MAX;
        for slot in [0, 2, 4, 6] {
            table.put(slot, slot as u16);
        }
        let mut path = Vec::new();
        assert!(table.path(&mut path, [0, 2, 4, 6], |rule| [rule.into(), 2, 4, 7]));
        assert_eq!(path, [0, 7]);
    }
}
