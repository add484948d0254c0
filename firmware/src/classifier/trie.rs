// SPDX-License-Identifier: MIT OR Apache-2.0
//! Prefix tries: how many leading bits of an address decide which prefixes a packet can match.
//!
//! As in Open vSwitch's classifier (`trie_lookup_value` of lib/classifier.c): without them, a packet that fails to match
//! one /24 would un-wildcard all 24 bits; with them, only as many as tell it apart from every prefix there is.

/// A set of bit strings of up to 128 bits. Path compressed: a node holds the bits since its parent.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The node's own bits, the first one at bit 127.
    prefix: u128,
    /// How many.
    bits: u8,
    /// Whether a prefix ends here.
    ends: bool,
    /// Next nodes by the bit that follows; 0 for none (the root is nobody's child).
    children: [u32; 2],
}

/// What a trie says of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lookup {
    /// Leading bits of the value that had to be looked at.
    pub bits: u8,
    /// Bit `n - 1`: a prefix of length `n` in the set matches the value.
    matching: u128,
}

impl Lookup {
    /// Whether a prefix of this length (1 to 128) matches.
    #[inline]
    pub const fn has(&self, length: u8) -> bool {
        self.matching >> (length - 1) & 1 != 0
    }
}

/// The first `bits` bits of a left-aligned value.
#[inline]
const fn head(value: u128, bits: u8) -> u128 {
    if bits == 0 { 0 } else { value & (u128::MAX << (128 - bits as u32)) }
}

/// A left-aligned value without its first `bits` bits.
#[inline]
const fn tail(value: u128, bits: u8) -> u128 {
    if bits >= 128 { 0 } else { value << bits }
}

/// Leading bits, at most `bits`, that two left-aligned values share.
#[inline]
fn common(a: u128, b: u128, bits: u8) -> u8 {
    ((a ^ b).leading_zeros() as u8).min(bits)
}

impl Trie {
    /// Adds a prefix: the first `length` bits (1 to 128) of `value`, which is aligned to bit 127.
    pub fn insert(&mut self, value: u128, length: u8) {
        let mut rest = head(value, length);
        let mut left = length;
        if self.nodes.is_empty() {
            self.nodes.push(Node { prefix: rest, bits: left, ends: true, children: [0; 2] });
            return;
        }
        let mut at = 0;
        loop {
            let node = self.nodes[at];
            let shared = common(node.prefix, rest, node.bits.min(left));
            if shared < node.bits {
                self.split(at, shared);
            }
            rest = tail(rest, shared);
            left -= shared;
            if left == 0 {
                self.nodes[at].ends = true;
                return;
            }
            let branch = (rest >> 127) as usize;
            match self.nodes[at].children[branch] {
                0 => {
                    self.nodes[at].children[branch] = self.nodes.len() as u32;
                    self.nodes.push(Node { prefix: rest, bits: left, ends: true, children: [0; 2] });
                    return;
                }
                next => at = next as usize,
            }
        }
    }

    /// Cuts a node in two after `bits` bits; the first half keeps its place.
    fn split(&mut self, at: usize, bits: u8) {
        let node = self.nodes[at];
        let lower = Node { prefix: tail(node.prefix, bits), bits: node.bits - bits, ..node };
        let mut children = [0; 2];
        children[(lower.prefix >> 127) as usize] = self.nodes.len() as u32;
        self.nodes.push(lower);
        self.nodes[at] = Node { prefix: head(node.prefix, bits), bits, ends: false, children };
    }

    /// Which prefixes match a value of `width` bits, aligned to bit 127.
    pub fn lookup(&self, value: u128, width: u8) -> Lookup {
        let mut found = Lookup::default();
        let Some(mut node) = self.nodes.first() else {
            return found;
        };
        let mut rest = value;
        loop {
            let shared = common(node.prefix, rest, node.bits);
            found.bits += shared;
            if shared < node.bits {
                found.bits += 1; // the bit that differs
                return found;
            }
            if node.ends && found.bits > 0 {
                found.matching |= 1 << (found.bits - 1);
            }
            if found.bits >= width {
                return found;
            }
            rest = tail(rest, shared);
            match node.children[(rest >> 127) as usize] {
                0 => {
                    // To know that the value is not on the other branch, one more bit counts.
                    found.bits += u8::from(node.children != [0; 2]);
                    return found;
                }
                next => node = &self.nodes[next as usize],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn trie(prefixes: &[(u32, u8)]) -> Trie {
        let mut t = Trie::default();
        for &(value, length) in prefixes {
            t.insert(u128::from(value) << 96, length);
        }
        t
    }

    fn lookup(t: &Trie, value: u32) -> Lookup {
        t.lookup(u128::from(value) << 96, 32)
    }

    #[test]
    fn empty_trie_looks_at_nothing() {
        assert_eq!(lookup(&Trie::default(), 0x0a00_0001), Lookup::default());
    }

    #[test]
    fn one_differing_bit_is_enough_to_rule_a_prefix_out() {
        let t = trie(&[(0x0a00_0000, 8)]);
        assert_eq!(lookup(&t, 0x8a00_0000).bits, 1);
        assert_eq!(lookup(&t, 0x0b00_0000).bits, 8);
        let hit = lookup(&t, 0x0aff_ffff);
        assert!(hit.has(8) && !hit.has(9) && hit.bits == 8);
    }

    #[test]
    fn nested_prefixes_all_match() {
        let t = trie(&[(0x0a01_0100, 24), (0x0a00_0000, 8), (0x0a01_0000, 16)]);
        let hit = lookup(&t, 0x0a01_0105);
        assert!(hit.has(8) && hit.has(16) && hit.has(24));
        let hit = lookup(&t, 0x0a01_0205);
        assert!(hit.has(8) && hit.has(16) && !hit.has(24) && hit.bits == 23);
    }

    #[test]
    fn answers_agree_with_a_scan_and_do_not_depend_on_bits_not_looked_at() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for round in 0..300 {
            let prefixes: Vec<(u32, u8)> = (0..rng.random_range(1..40))
                .map(|_| (rng.random::<u32>() & 0xf0f0_f0ff, rng.random_range(1..=32)))
                .collect();
            let t = trie(&prefixes);
            for _ in 0..50 {
                let value = if rng.random() { rng.random() } else { prefixes[0].0 ^ (1 << rng.random_range(0..32)) };
                let found = lookup(&t, value);
                for length in 1..=32u8 {
                    let ones = u32::MAX << (32 - length);
                    let expected = prefixes.iter().any(|&(v, l)| l == length && (v ^ value) & ones == 0);
                    assert_eq!(found.has(length), expected, "round {round} value {value:08x} length {length}");
                }
                let noise = rng.random::<u32>().checked_shr(u32::from(found.bits)).unwrap_or(0);
                let other = lookup(&t, value ^ noise);
                assert_eq!(found, other, "round {round} value {value:08x} noise {noise:08x}");
            }
        }
    }
}
