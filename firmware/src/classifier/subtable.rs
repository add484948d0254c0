// SPDX-License-Identifier: MIT OR Apache-2.0
//! All flows of a table that share one mask: a hash table, looked up in stages.

use super::trie::Trie;
use crate::openflow::{FlowKey, FlowMask, Match, STAGE_ENDS, WORDS, slot};
use smallvec::SmallVec;

/// The word that holds the L4 ports and nothing else.
const PORTS_WORD: usize = WORDS - 1;

/// Fields with a prefix trie.
pub const TRIES: usize = 4;

/// Where each of these fields lies.
pub const TRIE_SLOTS: [crate::openflow::Slot; TRIES] = [slot::NW_SRC, slot::NW_DST, slot::IPV6_SRC, slot::IPV6_DST];

/// How a lookup in one subtable ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// This flow matches.
    Match(Entry),
    /// None does.
    Nothing,
}

/// A flow in a subtable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The caller's number for the flow.
    pub id: u32,
    /// Its priority.
    pub priority: u16,
}

/// A word of the mask that is not 0.
#[derive(Clone, Copy, Debug)]
struct MaskWord {
    word: u8,
    mask: u64,
}

/// A stage before the last one.
#[derive(Clone, Debug)]
struct Stage {
    /// First mask word after the stage.
    end: u8,
    /// Hashes of the flows' words up to there.
    index: HashSet,
}

/// Flows that share one mask.
#[derive(Clone, Debug)]
pub struct Subtable {
    /// The mask.
    pub mask: FlowMask,
    /// The highest priority of its flows.
    pub max_priority: u16,
    words: SmallVec<[MaskWord; 8]>,
    stages: SmallVec<[Stage; 3]>,
    /// Prefix length over each trie's field; 0 if the mask is no prefix there.
    prefixes: [u8; TRIES],
    /// Stage (as counted by `stages`) before which a trie is asked.
    trie_stage: [u8; TRIES],
    uses_tries: bool,
    ports: Option<Trie>,
    /// Open addressing: number of the flow in `entries` + 1, 0 for an empty slot.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    hashes: Vec<u64>,
    keys: Vec<u64>,
}

/// A set of hashes, open addressing. A false positive only costs time.
#[derive(Clone, Debug)]
struct HashSet {
    slots: Vec<u64>,
}

impl HashSet {
    fn new(hashes: &[u64]) -> HashSet {
        let size = (hashes.len() * 2).next_power_of_two();
        let mut set = HashSet { slots: vec![0; size] };
        for &hash in hashes {
            let mut at = hash as usize & (size - 1);
            while set.slots[at] != 0 && set.slots[at] != hash {
                at = (at + 1) & (size - 1);
            }
            set.slots[at] = hash;
        }
        set
    }

    #[inline]
    fn contains(&self, hash: u64) -> bool {
        let mut at = hash as usize & (self.slots.len() - 1);
        loop {
            match self.slots[at] {
                0 => return false,
                found if found == hash => return true,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }
}

/// One round of the hash (FxHash's multiplier).
#[inline]
const fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95)
}

/// Brings the high bits down; never 0, which stands for an empty slot.
#[inline]
const fn finish(hash: u64) -> u64 {
    (hash ^ hash >> 32) | 1 << 63
}

/// Leading ones of a field's mask if it is a prefix, else 0.
fn prefix_length(mask: &FlowMask, slot: crate::openflow::Slot) -> u8 {
    let aligned = mask.get(slot) << (128 - u32::from(slot.bits));
    let length = aligned.leading_ones() as u8;
    if length == 0 || aligned << length.min(127) != 0 && length < 128 { 0 } else { length }
}

impl Subtable {
    /// The flows must all have this mask; of several with the same key the one with the highest priority counts.
    pub fn new(mask: FlowMask, flows: &[(&Match, Entry)]) -> Subtable {
        let words: SmallVec<[MaskWord; 8]> =
            (0..WORDS).filter(|&w| mask.0[w] != 0).map(|w| MaskWord { word: w as u8, mask: mask.0[w] }).collect();
        let mut table = Subtable {
            mask,
            max_priority: flows.iter().map(|(_, e)| e.priority).max().unwrap_or(0),
            words,
            stages: SmallVec::new(),
            prefixes: TRIE_SLOTS.map(|slot| prefix_length(&mask, slot)),
            trie_stage: [0; TRIES],
            uses_tries: false,
            ports: None,
            slots: vec![0; (flows.len() * 2).next_power_of_two().max(2)],
            entries: Vec::new(),
            hashes: Vec::new(),
            keys: Vec::new(),
        };
        table.uses_tries = table.prefixes != [0; TRIES];
        for (matches, entry) in flows {
            table.insert(&matches.key, *entry);
        }
        table.build_stages();
        table.build_ports();
        table
    }

    fn insert(&mut self, key: &FlowKey, entry: Entry) {
        let hash = finish(self.hash_words(key, 0, self.words.len(), 0));
        let mut at = hash as usize & (self.slots.len() - 1);
        while self.slots[at] != 0 {
            let n = self.slots[at] as usize - 1;
            if self.hashes[n] == hash && self.equals(n, key) {
                if self.entries[n].priority < entry.priority {
                    self.entries[n] = entry;
                }
                return;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.entries.push(entry);
        self.hashes.push(hash);
        self.keys.extend(self.words.iter().map(|w| key.0[w.word as usize] & w.mask));
        self.slots[at] = self.entries.len() as u32;
    }

    /// An index for each stage that another one follows.
    fn build_stages(&mut self) {
        let mut previous = 0;
        for limit in &STAGE_ENDS[..STAGE_ENDS.len() - 1] {
            let end = self.words.iter().take_while(|w| (w.word as usize) < *limit).count();
            if end > previous && end < self.words.len() {
                let width = self.words.len();
                let hashes: Vec<u64> = self
                    .keys
                    .chunks_exact(width)
                    .map(|key| finish(key[..end].iter().fold(0, |hash, word| mix(hash, *word))))
                    .collect();
                self.stages.push(Stage { end: end as u8, index: HashSet::new(&hashes) });
                previous = end;
            }
        }
        for (trie, slot) in TRIE_SLOTS.iter().enumerate() {
            let at = self.words.iter().take_while(|w| w.word < slot.word).count();
            self.trie_stage[trie] = self.stages.iter().filter(|stage| stage.end as usize <= at).count() as u8;
        }
    }

    fn build_ports(&mut self) {
        let mask = self.mask.0[PORTS_WORD];
        if mask == 0 || self.entries.is_empty() {
            return;
        }
        let length = 32 - mask.trailing_zeros() as u8;
        let width = self.words.len();
        let mut trie = Trie::default();
        for key in self.keys.chunks_exact(width) {
            trie.insert(u128::from(key[width - 1]) << 96, length);
        }
        self.ports = Some(trie);
    }

    #[inline]
    fn hash_words(&self, key: &FlowKey, from: usize, to: usize, hash: u64) -> u64 {
        self.words[from..to].iter().fold(hash, |hash, w| mix(hash, key.0[w.word as usize] & w.mask))
    }

    #[inline]
    fn equals(&self, n: usize, key: &FlowKey) -> bool {
        let stored = &self.keys[n * self.words.len()..][..self.words.len()];
        self.words.iter().zip(stored).all(|(w, stored)| key.0[w.word as usize] & w.mask == *stored)
    }

    #[inline]
    fn unwildcard(&self, looked: &mut FlowMask, words: usize) {
        for w in &self.words[..words] {
            looked.0[w.word as usize] |= w.mask;
        }
    }

    /// The flow that matches. Adds to `looked` the bits that the answer depends on.
    #[inline]
    pub fn lookup(&self, key: &FlowKey, looked: &mut FlowMask, tries: &mut TrieCache<'_>) -> Found {
        let mut hash = 0;
        let mut from = 0;
        for (n, stage) in self.stages.iter().enumerate() {
            if self.uses_tries && self.ruled_out(n, key, looked, tries) {
                self.unwildcard(looked, from);
                return Found::Nothing;
            }
            let end = stage.end as usize;
            hash = self.hash_words(key, from, end, hash);
            from = end;
            if !stage.index.contains(finish(hash)) {
                self.unwildcard(looked, from);
                return Found::Nothing;
            }
        }
        if self.uses_tries && self.ruled_out(self.stages.len(), key, looked, tries) {
            self.unwildcard(looked, from);
            return Found::Nothing;
        }
        hash = self.hash_words(key, from, self.words.len(), hash);
        if let Some(entry) = self.find(finish(hash), key) {
            self.unwildcard(looked, self.words.len());
            return Found::Match(entry);
        }
        if let Some(ports) = &self.ports {
            // Not all of the ports' bits are needed to see that no flow has them.
            let mask = self.mask.0[PORTS_WORD];
            let bits = ports.lookup(u128::from(key.0[PORTS_WORD] & mask) << 96, 32).bits;
            looked.0[PORTS_WORD] |= mask & (0xffff_ffff_0000_0000 >> bits);
            self.unwildcard(looked, from);
        } else {
            self.unwildcard(looked, self.words.len());
        }
        Found::Nothing
    }

    #[inline]
    fn find(&self, hash: u64, key: &FlowKey) -> Option<Entry> {
        let mut at = hash as usize & (self.slots.len() - 1);
        loop {
            match self.slots[at] as usize {
                0 => return None,
                n if self.hashes[n - 1] == hash && self.equals(n - 1, key) => return Some(self.entries[n - 1]),
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
    }

    /// Whether a trie of this stage shows that no flow of this subtable matches; un-wildcards the bits that show it.
    #[inline]
    fn ruled_out(&self, stage: usize, key: &FlowKey, looked: &mut FlowMask, tries: &mut TrieCache<'_>) -> bool {
        for (n, slot) in TRIE_SLOTS.iter().enumerate() {
            let length = self.prefixes[n];
            if length == 0 || self.trie_stage[n] as usize != stage {
                continue;
            }
            let found = tries.lookup(n, key);
            if found.has(length) {
                continue;
            }
            let aligned = u128::MAX << (128 - u32::from(found.bits.max(1)));
            let bits = if found.bits == 0 { 0 } else { aligned >> (128 - u32::from(slot.bits)) & slot.ones() };
            // The trie serves all subtables: never look at more bits for its sake than this one would.
            if found.bits <= length || looked.get(*slot) & bits == bits {
                looked.set(*slot, looked.get(*slot) | bits);
                return true;
            }
        }
        false
    }

    /// Adds this subtable's prefixes to the table's tries.
    pub fn fill_tries(&self, tries: &mut [Trie; TRIES]) {
        for (n, slot) in TRIE_SLOTS.iter().enumerate().filter(|(n, _)| self.prefixes[*n] != 0) {
            for key in self.keys.chunks_exact(self.words.len()) {
                let mut whole = FlowKey::default();
                for (w, word) in self.words.iter().zip(key) {
                    whole.0[w.word as usize] = *word;
                }
                tries[n].insert(whole.get(*slot) << (128 - u32::from(slot.bits)), self.prefixes[n]);
            }
        }
    }
}

/// The tries' answers for one packet, each asked for at most once.
pub struct TrieCache<'a> {
    tries: &'a [Trie; TRIES],
    answers: [Option<super::trie::Lookup>; TRIES],
}

impl<'a> TrieCache<'a> {
    /// Nothing asked yet.
    pub fn new(tries: &'a [Trie; TRIES]) -> TrieCache<'a> {
        TrieCache { tries, answers: [None; TRIES] }
    }

    #[inline]
    fn lookup(&mut self, n: usize, key: &FlowKey) -> super::trie::Lookup {
        *self.answers[n].get_or_insert_with(|| {
            let slot = TRIE_SLOTS[n];
            self.tries[n].lookup(key.get(slot) << (128 - u32::from(slot.bits)), slot.bits)
        })
    }
}
