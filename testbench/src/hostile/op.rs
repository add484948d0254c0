// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happens in a case: drawn from a seed, made small when it fails, and kept as JSON.

use serde::{Deserialize, Serialize};

/// A case: the device's memory, the neighbours, and what happens in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Case {
    /// Of the memory's jitter, and what the neighbours choose.
    pub seed: u64,
    /// Clocks from a request to its answer, and up to so many more.
    pub latency: (u64, u64),
    /// In about so many of 256 clocks the memory takes and gives nothing.
    pub busy: u8,
    /// What lies in each guest's window.
    pub window: Window,
    pub ops: Vec<Op>,
}

/// A window that the slow path sets for a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Window {
    /// The memory but for its last pages.
    Inner,
    /// The memory, and some that is not there.
    Outer,
    /// All addresses.
    All,
}

/// One thing that happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Op {
    /// Each neighbour sends the other frames of this length, and takes what has come.
    Exchange {
        frames: u8,
        length: u16,
    },
    Wait {
        clocks: u16,
    },
    /// Until nothing is under way: then all is looked at.
    Settle,
    /// A guest is reset, and a driver that keeps the rules works with its function.
    Revive {
        guest: u8,
    },
    Guest {
        guest: u8,
        act: Act,
    },
}

/// What a guest does. Queue 0 is its receiveq, 1 its transmitq.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Brings the function up as virtio 3.1.1 has it, with these features and these places for the rings.
    Start {
        features: u64,
        size: u16,
        layout: Layout,
    },
    /// Writes bytes of a word of the BAR.
    Write {
        offset: u32,
        value: u32,
        strobe: u8,
    },
    Read {
        offset: u32,
    },
    /// Resets the function, and waits for it.
    Reset,
    /// Resets a virtqueue, and does not.
    ResetQueue {
        queue: u16,
    },
    BusMaster {
        on: bool,
    },
    Msix {
        enabled: bool,
        masked: bool,
    },
    /// Stores into memory.
    Store {
        at: u32,
        value: u64,
        bytes: u8,
    },
    /// Writes a descriptor of a ring, or of the tables (queue 2). Of a packed ring it is available if `available` says so.
    Descriptor {
        queue: u8,
        slot: u16,
        address: u64,
        length: u32,
        flags: u16,
        next: u16,
        available: bool,
    },
    /// Puts a head into the available ring, and moves its index on; of a packed ring the place.
    Available {
        queue: u8,
        head: u16,
        by: u16,
    },
    /// Offers a chain that keeps the rules, with this header in front if it is to be sent.
    Offer {
        queue: u8,
        pieces: Vec<(u32, u32)>,
        indirect: bool,
        header: [u8; 12],
    },
    /// Writes what decides about interrupts: `avail.flags` and `used_event`, or the event suppression.
    Event {
        queue: u8,
        value: u32,
    },
    /// Notifies a virtqueue, which there may be or not.
    Notify {
        queue: u8,
        value: u32,
        strobe: u8,
    },
    /// A frame comes for it.
    Receive {
        length: u16,
    },
    /// The slow path sets MAC, MTU or moderation.
    Configure {
        register: u8,
        value: u32,
    },
}

/// Where the rings of a function lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// Each by itself.
    Apart,
    /// Those of both virtqueues at the same place.
    Shared,
    /// Those of a virtqueue at the same place.
    Overlapping,
    /// At the end of the memory, so that some lie behind it.
    End,
    /// Anywhere.
    At([u64; 3]),
}
