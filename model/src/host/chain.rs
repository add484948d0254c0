// SPDX-License-Identifier: MIT OR Apache-2.0
//! Descriptors (virtio 2.7.5, 2.8.13), and what a chain of them may be.

use super::memory::Window;
use super::ring::{Kind, part};
use super::{HostModel, Memory, Place};
use millrace_regs::host::{
    ECPF, ECPF_HEADER, FaultReason, Feature, NET_HEADER, RECEIVE_CHAIN, TRANSMIT_BYTES, control,
};

/// Bytes of a descriptor; a table of them is aligned to as many.
pub(super) const DESCRIPTOR: u64 = 16;
pub(super) const NEXT: u16 = 1;
pub(super) const WRITE: u16 = 2;
pub(super) const INDIRECT: u16 = 4;

/// A buffer.
pub(super) struct Piece {
    pub address: u64,
    /// Bytes.
    pub len: u32,
    /// The device writes it.
    pub writable: bool,
}

/// A chain that keeps the rules.
pub(super) struct Chain {
    /// Number of its first descriptor; in a packed virtqueue its Buffer ID.
    pub id: u16,
    /// Descriptors that it takes in the ring.
    pub slots: u16,
    pub pieces: Vec<Piece>,
}

impl Chain {
    pub fn bytes(&self) -> usize {
        bytes(&self.pieces)
    }

    /// What is told of it when `len` bytes were written to it.
    pub fn used(&self, len: u32) -> UsedChain {
        UsedChain { id: self.id, slots: self.slots, len }
    }
}

fn bytes(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.len as usize).sum()
}

/// A chain that is used.
#[derive(Clone, Copy)]
pub(super) struct UsedChain {
    pub id: u16,
    pub slots: u16,
    /// Bytes that were written to it.
    pub len: u32,
}

/// A descriptor without what split and packed virtqueues have in different places.
pub(super) struct Descriptor {
    pub address: u64,
    pub len: u32,
    pub flags: u16,
    /// `next`; in a packed virtqueue the Buffer ID.
    pub number: u16,
}

impl Descriptor {
    fn from_bytes(bytes: [u8; DESCRIPTOR as usize], packed: bool) -> Self {
        let number = |at: usize, len: usize| {
            bytes[at..at + len].iter().rev().fold(0, |value: u64, byte| value << 8 | u64::from(*byte))
        };
        let [flags, id_or_next] = if packed { [14, 12] } else { [12, 14] };
        Self {
            address: number(0, 8),
            len: number(8, 4) as u32,
            flags: number(flags, 2) as u16,
            number: number(id_or_next, 2) as u16,
        }
    }

    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// A table of descriptors.
#[derive(Clone, Copy)]
pub(super) struct Table {
    pub address: u64,
    /// How many there are.
    pub count: u32,
}

/// What a chain of a virtqueue may be.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    kind: Kind,
    indirect: bool,
    longest: usize,
    /// Bytes in front of a frame.
    front: usize,
    window: Window,
}

impl Rules {
    /// Adds the buffer of a descriptor to a chain that ends with it, or not.
    pub fn add(&self, pieces: &mut Vec<Piece>, descriptor: &Descriptor, last: bool) -> Result<(), FaultReason> {
        if pieces.len() == self.longest {
            return Err(FaultReason::Chain);
        } else if !self.fits(pieces, descriptor.has(WRITE), last) {
            return Err(FaultReason::Direction);
        } else if descriptor.len == 0 {
            return Err(FaultReason::Empty);
        }
        pieces.push(Piece { address: descriptor.address, len: descriptor.len, writable: descriptor.has(WRITE) });
        let transmit = self.kind == Kind::Transmit;
        if transmit && bytes(pieces) > TRANSMIT_BYTES {
            return Err(FaultReason::TooLong);
        } else if transmit && last && bytes(pieces) <= self.front {
            return Err(FaultReason::Header);
        }
        self.window.check(descriptor.address, descriptor.len.into())
    }

    /// A descriptor of this direction may come behind these pieces.
    fn fits(&self, pieces: &[Piece], writable: bool, last: bool) -> bool {
        match self.kind {
            Kind::Receive => writable,
            Kind::Transmit => !writable,
            // Readable ones, then writable ones.
            Kind::Control => writable || (!last && pieces.iter().all(|piece| !piece.writable)),
        }
    }

    /// A descriptor of a packed virtqueue's indirect table: in a transmitq, where there is nothing to write, WRITE does not count.
    pub fn in_packed_table(&self, descriptor: Descriptor) -> Descriptor {
        let kept = if self.kind == Kind::Transmit { !WRITE } else { u16::MAX };
        Descriptor { flags: descriptor.flags & kept, ..descriptor }
    }

    /// The table that a descriptor with INDIRECT stands for, if it may stand here.
    pub fn table(&self, descriptor: &Descriptor, may: bool) -> Result<Table, FaultReason> {
        let whole = u64::from(descriptor.len).is_multiple_of(DESCRIPTOR) && descriptor.len != 0;
        let fine = may && self.indirect && !descriptor.has(NEXT) && whole;
        if !fine || !descriptor.address.is_multiple_of(DESCRIPTOR) {
            return Err(FaultReason::Indirect);
        }
        Ok(Table { address: descriptor.address, count: descriptor.len / DESCRIPTOR as u32 })
    }
}

impl HostModel {
    /// Bytes in front of a frame.
    pub(super) fn front(place: Place) -> usize {
        if place.function == ECPF { NET_HEADER + ECPF_HEADER } else { NET_HEADER }
    }

    pub(super) fn rules(&self, place: Place) -> Rules {
        let queue = self.queue(place);
        let kind = self.kind(place);
        let most = match kind {
            Kind::Receive => RECEIVE_CHAIN,
            Kind::Transmit => usize::MAX,
            Kind::Control => control::CHAIN,
        };
        Rules {
            kind,
            indirect: queue.has(Feature::IndirectDesc),
            longest: most.min(queue.size.into()),
            front: Self::front(place),
            window: self.functions[place.function].window,
        }
    }

    /// The queue's own table.
    pub(super) fn ring(&self, place: Place) -> Table {
        let queue = self.queue(place);
        Table { address: queue.rings[0], count: queue.size.into() }
    }

    pub(super) fn read_descriptor(
        &self,
        memory: &mut impl Memory,
        place: Place,
        table: Table,
        number: u32,
    ) -> Result<Descriptor, FaultReason> {
        let address = part(table.address, DESCRIPTOR * u64::from(number))?;
        let mut bytes = [0; DESCRIPTOR as usize];
        self.read_memory(memory, place, address, &mut bytes)?;
        Ok(Descriptor::from_bytes(bytes, self.queue(place).is_packed()))
    }
}
