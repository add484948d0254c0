// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames out.

use super::chain::Chain;
use super::offload::offload;
use super::policy::Policy;
use super::{HostModel, Memory, Place};
use millrace_regs::host::{ECPF, FaultReason, NET_HEADER};

/// A frame that a transmitq put out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameOut {
    /// Whose.
    pub function: usize,
    /// Virtqueue of the function: the transmitq of pair `queue / 2`.
    pub queue: usize,
    /// What lies between header and frame: 32 bytes on the ECPF, nothing elsewhere.
    pub control: Vec<u8>,
    /// The frame.
    pub frame: Vec<u8>,
}

impl HostModel {
    /// Reads a chain whole, puts its frame out, or the segments that it is cut into, and uses it.
    pub(super) fn transmit(
        &mut self,
        memory: &mut impl Memory,
        place: Place,
        chain: &Chain,
    ) -> Result<(), FaultReason> {
        let mut bytes = vec![0; chain.bytes()];
        let mut rest = &mut bytes[..];
        for piece in &chain.pieces {
            let part;
            (part, rest) = rest.split_at_mut(piece.len as usize);
            self.read_memory(memory, place, piece.address, part)?;
        }
        let frame = bytes.split_off(Self::front(place));
        let control = bytes.split_off(NET_HEADER);
        let features = if place.function == ECPF { 0 } else { self.queue(place).features };
        match offload(&bytes, features, &frame) {
            Ok(frames) => frames.iter().for_each(|frame| self.put_out(place, &control, frame)),
            Err(_) => self.functions[place.function].drop_offload(),
        }
        self.put_used(memory, place, &[chain.used(0)])
    }

    /// Puts a frame out, as the function's policy makes it.
    fn put_out(&mut self, place: Place, control: &[u8], frame: &[u8]) {
        let Place { function, queue } = place;
        let policy = if function == ECPF { Policy::default() } else { self.functions[function].policy() };
        match policy.sent(frame) {
            Some(frame) => self.frames.push_back(FrameOut { function, queue, control: control.to_vec(), frame }),
            None => self.functions[function].refuse_frame(),
        }
    }
}
