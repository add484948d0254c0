// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers (rule ids, continuation steps) that packets inside the device may still refer to after they were freed.

use crate::{Device, DeviceError};
use millrace_regs::addr;
use std::collections::VecDeque;

/// Free numbers, oldest first. A number that was freed rests until no packet in the device can refer to it, as `MATCHED`
/// and `ACTED` tell: a frame is matched at one moment, but reads its continuation steps and advances its rule's counter
/// later, behind all frames before it, and a blocked queue can make that as late as it likes.
pub(crate) struct Pool {
    ready: VecDeque<u16>,
    /// Free when `ACTED` has reached `mark`.
    resting: VecDeque<u16>,
    mark: u32,
    /// Freed since `mark` was read.
    fresh: VecDeque<u16>,
    /// How many of the first to be settled were not retired by a caller.
    unasked: usize,
    capacity: usize,
}

impl Pool {
    /// The numbers `0..capacity`, at most 65,536 of them.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.min(1 << 16);
        let ready = (0..capacity).map(|i| i as u16).collect();
        Self { ready, resting: VecDeque::new(), mark: 0, fresh: VecDeque::new(), unasked: 0, capacity }
    }

    /// The numbers `0..capacity` of which some are in use. Packets may have seen any of the others; none that enters from now on can.
    pub fn resume(capacity: usize, in_use: impl Fn(usize) -> bool) -> Self {
        let mut pool = Self::new(capacity);
        pool.fresh = std::mem::take(&mut pool.ready);
        pool.fresh.retain(|number| !in_use(usize::from(*number)));
        pool.unasked = pool.fresh.len();
        pool
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Numbers that are not in use, resting or not.
    pub fn free(&self) -> usize {
        self.ready.len() + self.resting.len() + self.fresh.len()
    }

    /// A number that no packet refers to. If there is none, [`Self::settle`] may find some.
    pub fn take(&mut self) -> Option<u16> {
        self.ready.pop_front()
    }

    /// Returns a number that no packet has seen.
    pub fn untake(&mut self, number: u16) {
        self.ready.push_front(number);
    }

    /// Returns a number that packets may have seen. No packet that enters from now on can see it.
    pub fn retire(&mut self, number: u16) {
        self.fresh.push_back(number);
    }

    /// Ends the rest of the numbers that no packet can refer to any more. Those of them that were retired are returned.
    pub fn settle(&mut self, device: &mut dyn Device) -> Result<Vec<u16>, DeviceError> {
        let mut settled = Vec::new();
        self.settle_marked(device, &mut settled)?;
        if self.resting.is_empty() && !self.fresh.is_empty() {
            self.mark = device.read32(addr::MATCHED)?;
            std::mem::swap(&mut self.resting, &mut self.fresh);
            self.settle_marked(device, &mut settled)?;
        }
        Ok(settled)
    }

    fn settle_marked(&mut self, device: &mut dyn Device, settled: &mut Vec<u16>) -> Result<(), DeviceError> {
        if self.resting.is_empty() || (device.read32(addr::ACTED)?.wrapping_sub(self.mark) as i32) < 0 {
            return Ok(());
        }
        settled.extend(self.resting.iter().skip(std::mem::take(&mut self.unasked)));
        self.ready.append(&mut self.resting);
        Ok(())
    }
}
