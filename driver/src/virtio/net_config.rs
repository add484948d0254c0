// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a network function tells of itself.

/// The device configuration (virtio 5.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetConfig {
    /// The function's MAC address, if it has one.
    pub mac: Option<[u8; 6]>,
    /// The link is up. True if the function cannot tell.
    pub link_up: bool,
    /// Pairs of virtqueues.
    pub max_pairs: u16,
    /// Longest payload of a frame, if the function tells.
    pub mtu: Option<u16>,
    /// What it can do of receive-side scaling, if that was agreed on.
    pub rss: Option<RssLimits>,
}

/// Bits of the ISR status (virtio 4.1.4.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Isr {
    /// A virtqueue has used buffers.
    pub queue: bool,
    /// The configuration changed, or the function needs a reset.
    pub configuration: bool,
}

/// What receive-side scaling can be told at most (virtio 5.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RssLimits {
    /// Bytes of a key.
    pub key_bytes: u8,
    /// Entries of a table.
    pub table_entries: u16,
    /// Bits of [`hash_type`](millrace_regs::host::control::hash_type) that can be asked for.
    pub hash_types: u32,
}
