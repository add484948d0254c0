// SPDX-License-Identifier: MIT OR Apache-2.0
//! Chains of descriptors (virtio 2.7.5).

use super::virtqueue::part;
use super::{HostModel, Memory, Place};
use millrace_regs::host::{ECPF, ECPF_HEADER, FaultReason, NET_HEADER, RECEIVE_CHAIN, TRANSMIT_BYTES};

const DESCRIPTOR: u64 = 16;
const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// A buffer: address and bytes.
pub(super) type Piece = (u64, u32);

/// A chain that keeps the rules.
pub(super) struct Chain {
    pub head: u16,
    pub pieces: Vec<Piece>,
}

impl Chain {
    pub fn bytes(&self) -> usize {
        self.pieces.iter().map(|(_, len)| *len as usize).sum()
    }
}

struct Descriptor {
    address: u64,
    len: u32,
    flags: u16,
    next: u16,
}

impl Descriptor {
    fn from_bytes(bytes: [u8; DESCRIPTOR as usize]) -> Self {
        let number = |at: usize, len: usize| {
            bytes[at..at + len].iter().rev().fold(0, |value: u64, byte| value << 8 | u64::from(*byte))
        };
        Self {
            address: number(0, 8),
            len: number(8, 4) as u32,
            flags: number(12, 2) as u16,
            next: number(14, 2) as u16,
        }
    }

    fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

impl HostModel {
    /// Bytes in front of a frame.
    pub(super) fn front(place: Place) -> usize {
        if place.function == ECPF { NET_HEADER + ECPF_HEADER } else { NET_HEADER }
    }

    /// Takes the next chain of the available ring.
    pub(super) fn take_chain(&mut self, memory: &mut impl Memory, place: Place) -> Result<Chain, FaultReason> {
        let head = self.take_head(memory, place)?;
        let (size, receive) = (self.queue(place).size, self.queue(place).is_receive());
        let longest = if receive { RECEIVE_CHAIN.min(size.into()) } else { size.into() };
        let mut chain = Chain { head, pieces: vec![] };
        let mut number = head;
        loop {
            let descriptor = self.read_descriptor(memory, place, number)?;
            let more = descriptor.has(NEXT);
            if more && descriptor.next >= size {
                return Err(FaultReason::Next);
            } else if more && chain.pieces.len() + 1 == longest {
                return Err(FaultReason::Chain);
            } else if descriptor.has(WRITE) != receive {
                return Err(FaultReason::Direction);
            } else if descriptor.len == 0 {
                return Err(FaultReason::Empty);
            } else if descriptor.has(INDIRECT) {
                return Err(FaultReason::Indirect);
            }
            chain.pieces.push((descriptor.address, descriptor.len));
            if !receive && chain.bytes() > TRANSMIT_BYTES {
                return Err(FaultReason::TooLong);
            } else if !receive && !more && chain.bytes() <= Self::front(place) {
                return Err(FaultReason::Header);
            }
            self.functions[place.function].window.check(descriptor.address, descriptor.len.into())?;
            if !more {
                return Ok(chain);
            }
            number = descriptor.next;
        }
    }

    fn read_descriptor(&self, memory: &mut impl Memory, place: Place, number: u16) -> Result<Descriptor, FaultReason> {
        let address = part(self.queue(place).rings[0], DESCRIPTOR * u64::from(number))?;
        let mut bytes = [0; DESCRIPTOR as usize];
        self.read_memory(memory, place, address, &mut bytes)?;
        Ok(Descriptor::from_bytes(bytes))
    }
}
