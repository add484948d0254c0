// SPDX-License-Identifier: MIT OR Apache-2.0
//! Receive-side scaling.

use super::error::VirtioError;
use millrace_regs::host::control::{DEFAULT_KEY, HASH_TYPES};

/// How a function chooses the receiveq of a frame (virtio 5.1.6.5.6): that which the table has at the frame's Toeplitz hash, modulo its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rss {
    /// Bits of [`hash_type`](millrace_regs::host::control::hash_type): what is hashed.
    pub hash_types: u32,
    /// Pairs, a power of two of them.
    pub table: Vec<u16>,
    /// Pair of the frames that none of the types fits.
    pub unclassified: u16,
    /// The key of the hash.
    pub key: Vec<u8>,
}

impl Rss {
    /// All that can be hashed, over the first `pairs` pairs in turn, with the key that is in most drivers.
    pub fn spread(pairs: u16) -> Self {
        let table = (0..128).map(|entry| entry % pairs.max(1)).collect();
        Self { hash_types: HASH_TYPES, table, unclassified: 0, key: DEFAULT_KEY.into() }
    }

    /// The data of the command.
    pub(super) fn bytes(&self, pairs: u16) -> Result<Vec<u8>, VirtioError> {
        let fits = self.table.len().is_power_of_two()
            && self.table.len() <= 1 << 15
            && self.table.iter().chain([&self.unclassified]).all(|pair| *pair < pairs);
        let key_bytes = u8::try_from(self.key.len()).ok().filter(|_| fits);
        let problem = "a table of RSS that is no power of two of pairs in use, or a key of more than 255 bytes";
        let key_bytes = key_bytes.ok_or(VirtioError::Settings(problem))?;
        let mut bytes = self.hash_types.to_le_bytes().to_vec();
        bytes.extend((self.table.len() as u16 - 1).to_le_bytes());
        bytes.extend(self.unclassified.to_le_bytes());
        bytes.extend(self.table.iter().flat_map(|pair| pair.to_le_bytes()));
        bytes.extend(pairs.to_le_bytes());
        bytes.push(key_bytes);
        bytes.extend(&self.key);
        Ok(bytes)
    }
}
