// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the blocks of the host side of a build are sized by.

use millrace_regs::config::Config;

/// The sizes of the host side of a build. A block with `const HOST: HostSizes` has each of them as a const parameter (`docs/blocks.md`), so that there
/// are fields here for what follows from others, too.
#[derive(Clone, Copy, Debug)]
pub struct HostSizes {
    pub uplinks: usize,
    pub functions: usize,
    pub function_bits: usize,
    /// Of a word of a function's state.
    pub function_word_bits: usize,
    /// Pairs of virtqueues of all functions.
    pub pairs: usize,
    pub pair_bits: usize,
    /// Of a descriptor in the store of receiveqs.
    pub store_bits: usize,
    pub vqs: usize,
    pub vq_bits: usize,
    /// Of a word of a virtqueue's state.
    pub queue_word_bits: usize,
    pub vectors: usize,
    pub vector_bits: usize,
    /// Of an entry of an indirection table.
    pub table_bits: usize,
}

impl HostSizes {
    /// The sizes of a build.
    pub const fn of(config: &Config) -> Self {
        let functions = config.functions();
        let function_bits = log2(functions);
        let pairs = config.virtqueues() / 2;
        let pair_bits = log2(pairs);
        let vectors = 2 * pairs + 1;
        Self {
            uplinks: config.uplinks,
            functions,
            function_bits,
            function_word_bits: function_bits + 5,
            pairs,
            pair_bits,
            store_bits: pair_bits + 8,
            vqs: 2 * pairs,
            vq_bits: pair_bits + 1,
            queue_word_bits: pair_bits + 4,
            vectors,
            vector_bits: log2(vectors),
            table_bits: function_bits + 7,
        }
    }
}

/// Bits of numbers below `n`.
const fn log2(n: usize) -> usize {
    n.next_power_of_two().ilog2() as usize
}
