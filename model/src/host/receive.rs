// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames in.

use super::chain::Chain;
use super::policy::Policy;
use super::ring::Kind;
use super::{HostModel, Memory, Place};
use millrace_regs::host::{
    ECPF, ECPF_HEADER, ECPF_HEADER_LENGTH, ECPF_HEADER_REASON, FaultReason, Feature, MERGED_CHAINS, NET_HEADER,
    NET_HEADER_NUM_BUFFERS,
};

/// What became of a frame for a receiveq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// It was written to this many chains.
    Written(usize),
    /// It was dropped and counted: the queue is none that is live, or has no room for it.
    NoBuffer,
    /// It was dropped and counted, and the queue stopped.
    Fault(FaultReason),
    /// It was dropped and counted: the function's policy does not let it through.
    Refused,
}

impl HostModel {
    /// A frame comes for a PF or VF, whose steering says to which receiveq.
    pub fn deliver_steered(&mut self, memory: &mut impl Memory, function: usize, frame: &[u8]) -> Delivered {
        let Some(frame) = self.allowed(function, frame) else { return Delivered::Refused };
        let steering = self.functions[function].steering.as_ref();
        let receiveq = steering.map_or(0, |steering| steering.receiveq(&frame));
        self.put_in(memory, Place { function, queue: 2 * usize::from(receiveq) }, 0, &frame)
    }

    /// A frame comes for virtqueue `queue` of a function, whatever its steering. `reason` is that of an upcall, and looked at for the ECPF alone.
    ///
    /// # Panics
    /// If the build has no such virtqueue.
    pub fn deliver(
        &mut self,
        memory: &mut impl Memory,
        function: usize,
        queue: usize,
        reason: u8,
        frame: &[u8],
    ) -> Delivered {
        let Some(frame) = self.allowed(function, frame) else { return Delivered::Refused };
        self.put_in(memory, Place { function, queue }, reason, &frame)
    }

    /// What the function's policy makes of a frame, if it lets it through.
    fn allowed(&mut self, function: usize, frame: &[u8]) -> Option<Vec<u8>> {
        let policy = if function == ECPF { Policy::default() } else { self.functions[function].policy() };
        let allowed = policy.received(frame);
        if allowed.is_none() {
            self.functions[function].refuse_frame();
        }
        allowed
    }

    fn put_in(&mut self, memory: &mut impl Memory, place: Place, reason: u8, frame: &[u8]) -> Delivered {
        // The engine has done what it had to do before.
        while self.step(memory, place) {}
        let bytes = [&header(place, reason, frame)[..], frame].concat();
        let delivered = match self.choose(place, bytes.len()) {
            None => Delivered::NoBuffer,
            Some(chains) => match self.fill(memory, place, chains, bytes) {
                Ok(()) => Delivered::Written(chains),
                Err(reason) => {
                    self.fail(place, reason);
                    Delivered::Fault(reason)
                }
            },
        };
        if !matches!(delivered, Delivered::Written(_)) {
            self.functions[place.function].drop_frame();
        }
        delivered
    }

    /// How many chains `bytes` bytes take; none if they do not fit.
    fn choose(&self, place: Place, bytes: usize) -> Option<usize> {
        let function = &self.functions[place.function];
        if function.kind(place.queue) != Some(Kind::Receive) || !function.is_live(place.queue) {
            return None;
        }
        let most = if self.queue(place).has(Feature::MergeableBuffers) { MERGED_CHAINS } else { 1 };
        let mut room = 0;
        let chains = self.queue(place).chains.iter().take(most);
        chains.enumerate().find_map(|(i, chain)| {
            room += chain.bytes();
            (room >= bytes).then_some(i + 1)
        })
    }

    fn fill(
        &mut self,
        memory: &mut impl Memory,
        place: Place,
        chains: usize,
        mut bytes: Vec<u8>,
    ) -> Result<(), FaultReason> {
        bytes[NET_HEADER_NUM_BUFFERS..NET_HEADER].copy_from_slice(&(chains as u16).to_le_bytes());
        let chains: Vec<Chain> = self.queue_mut(place).chains.drain(..chains).collect();
        let mut used = vec![];
        let mut rest = &bytes[..];
        for chain in &chains {
            let (now, later) = rest.split_at(rest.len().min(chain.bytes()));
            self.write_chain(memory, place, chain, now)?;
            used.push(chain.used(now.len() as u32));
            rest = later;
        }
        self.put_used(memory, place, &used)
    }

    fn write_chain(
        &self,
        memory: &mut impl Memory,
        place: Place,
        chain: &Chain,
        mut bytes: &[u8],
    ) -> Result<(), FaultReason> {
        for piece in &chain.pieces {
            let (now, later) = bytes.split_at(bytes.len().min(piece.len as usize));
            if !now.is_empty() {
                self.write_memory(memory, place, piece.address, now)?;
            }
            bytes = later;
        }
        Ok(())
    }
}

/// What lies in front of a frame; without `num_buffers`.
fn header(place: Place, reason: u8, frame: &[u8]) -> Vec<u8> {
    let mut header = vec![0; NET_HEADER];
    if place.function == ECPF {
        let mut upcall = [0; ECPF_HEADER];
        upcall[ECPF_HEADER_REASON] = reason;
        upcall[ECPF_HEADER_LENGTH..][..4].copy_from_slice(&(frame.len() as u32).to_le_bytes());
        header.extend(upcall);
    }
    header
}
