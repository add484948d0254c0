// SPDX-License-Identifier: MIT OR Apache-2.0
//! A receiveq with its buffers (virtio 5.1.6.3, 5.1.6.4).

use super::arena::Arena;
use super::{DmaMemory, Piece, Settings, Used, VirtioError, Virtqueue, settings};
use millrace_regs::host::{NET_HEADER, NET_HEADER_NUM_BUFFERS};

/// A frame as it was received.
pub(super) struct Received<'a> {
    /// What lies in front of it.
    pub front: &'a [u8],
    /// The frame.
    pub bytes: &'a [u8],
}

/// A receiveq whose free buffers are always with the function.
pub(super) struct ReceiveQueue {
    queue: Virtqueue,
    /// The function may write a frame to several chains.
    merge: bool,
    /// Bytes between header and frame.
    prefix: usize,
    buffers: Vec<Vec<Piece>>,
    /// The buffer that is under this chain's id.
    buffer: Vec<usize>,
    /// A frame with what lies in front of it.
    bytes: Vec<u8>,
}

impl ReceiveQueue {
    /// Makes as many buffers as the queue takes, and adds them.
    pub fn new(
        queue: Virtqueue,
        settings: &Settings,
        merge: bool,
        prefix: usize,
        arena: &mut Arena,
        memory: &impl DmaMemory,
    ) -> Result<Self, VirtioError> {
        let buffer = vec![0; queue.size().into()];
        let mut receive = Self { queue, merge, prefix, buffers: vec![], buffer, bytes: vec![] };
        for cuts in settings.receive.iter().cycle() {
            if receive.queue.needed(cuts.len()) > receive.queue.free() {
                break;
            }
            receive.buffers.push(settings::take(arena, cuts, true)?);
            receive.add(receive.buffers.len() - 1, memory);
        }
        receive.queue.show(memory);
        receive.queue.want_interrupts(memory, settings.interrupts);
        Ok(receive)
    }

    pub fn queue(&self) -> &Virtqueue {
        &self.queue
    }

    /// Takes the next frame, and gives its buffers back to the queue.
    pub fn next(&mut self, memory: &impl DmaMemory) -> Result<Option<Received<'_>>, VirtioError> {
        let Some(first) = self.queue.take(memory)? else { return Ok(None) };
        self.bytes.clear();
        self.collect(first, memory);
        let chains = self.header()?;
        // All of a frame's chains are used when the first is seen to be (5.1.6.4).
        let queue = self.queue.number();
        let mut full = self.is_full(first);
        for chain in 1..chains {
            let merge = |problem| Err(VirtioError::Merge { queue, chain, chains, problem });
            if !full {
                return merge("the chain before it was not filled");
            }
            let Some(used) = self.queue.take(memory)? else { return merge("it has not been used with the first") };
            if used.len == 0 {
                return merge("nothing was written to it");
            }
            full = self.is_full(used);
            self.collect(used, memory);
        }
        let front = NET_HEADER + self.prefix;
        if self.bytes.len() < front {
            return Err(self.wrong_header("it is cut off"));
        }
        let (front, bytes) = self.bytes.split_at(front);
        Ok(Some(Received { front, bytes }))
    }

    /// Shows the function the buffers that were given back; true if it has to be notified.
    pub fn refill(&mut self, memory: &impl DmaMemory) -> bool {
        self.queue.show(memory)
    }

    fn is_full(&self, used: Used) -> bool {
        let buffer = &self.buffers[self.buffer[usize::from(used.id)]];
        u64::from(used.len) == buffer.iter().map(|piece| u64::from(piece.len)).sum::<u64>()
    }

    /// Copies what was written to a chain, and adds its buffer again.
    fn collect(&mut self, used: Used, memory: &impl DmaMemory) {
        let buffer = self.buffer[usize::from(used.id)];
        let mut left = used.len as usize;
        for piece in &self.buffers[buffer] {
            let len = left.min(piece.len as usize);
            let end = self.bytes.len();
            self.bytes.resize(end + len, 0);
            memory.read(piece.offset, &mut self.bytes[end..]);
            left -= len;
        }
        self.add(buffer, memory);
    }

    fn add(&mut self, buffer: usize, memory: &impl DmaMemory) {
        let id = self.queue.add(memory, &self.buffers[buffer]).expect("its descriptors are free");
        self.buffer[usize::from(id)] = buffer;
    }

    /// Checks the header of a frame whose first chain was collected: its `num_buffers`.
    fn header(&self) -> Result<u16, VirtioError> {
        if self.bytes.len() < NET_HEADER {
            return Err(self.wrong_header("the first chain ends before it"));
        }
        chains(&self.bytes, self.merge).map_err(|problem| self.wrong_header(problem))
    }

    fn wrong_header(&self, problem: &'static str) -> VirtioError {
        let front = self.bytes.len().min(NET_HEADER + self.prefix);
        VirtioError::Header { queue: self.queue.number(), problem, bytes: self.bytes[..front].to_vec() }
    }
}

/// Checks the header of a received frame: the number of its chains, `num_buffers`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn chains(front: &[u8], merge: bool) -> Result<u16, &'static str> {
    let (fields, count) = front[..NET_HEADER].split_at(NET_HEADER_NUM_BUFFERS);
    let chains = u16::from_le_bytes([count[0], count[1]]);
    if fields.iter().any(|byte| *byte != 0) {
        return Err("it tells of an offload, and none was agreed on");
    }
    if chains == 0 || (!merge && chains != 1) {
        return Err("`num_buffers` is not possible");
    }
    Ok(chains)
}
