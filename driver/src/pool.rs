// SPDX-License-Identifier: MIT OR Apache-2.0
//! Numbers (rule ids, continuation steps) that packets inside the device may still refer to after they were freed.

use crate::Device;
use std::collections::VecDeque;

/// How long a freed number rests, in nanoseconds of device time.
///
/// A packet is matched and reads its rule's first step at one moment; its continuation steps are read, and its rule's
/// counter is advanced, when it leaves the result FIFO. In between it waits for the frames before it: at most the few
/// hundred that the FIFO holds, of at most 9,216 bytes. A millisecond is ten times what they take at the slowest bus
/// (64 bits) and clock in use. It is not enough behind a queue that is blocked for longer than that with
/// `drop_when_full` off; then a packet that waited there may be counted for the rule that has its rule's id next.
pub(crate) const REST_NS: u64 = 1_000_000;

/// Free numbers, oldest first. A number that was freed is handed out again only when no packet can refer to it: when the
/// device has been seen empty, or [`REST_NS`] after it was freed.
pub(crate) struct Pool {
    free: VecDeque<Free>,
    capacity: usize,
}

#[derive(Copy, Clone)]
struct Free {
    number: u16,
    /// Device time from which it may be used.
    ready: u64,
}

impl Pool {
    /// The numbers `0..capacity`, at most 65,536 of them.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.min(1 << 16);
        Self { free: (0..capacity).map(|i| Free { number: i as u16, ready: 0 }).collect(), capacity }
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Numbers that are not in use, resting or not.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    pub fn take(&mut self, device: &dyn Device) -> Option<u16> {
        let front = self.free.front()?;
        // Only if it must: a backend may have to look hard.
        if front.ready != 0 && front.ready > device.now() {
            if !device.drained() {
                return None;
            }
            self.free.iter_mut().for_each(|free| free.ready = 0);
        }
        self.free.pop_front().map(|free| free.number)
    }

    /// Returns a number that no packet has seen.
    pub fn untake(&mut self, number: u16) {
        self.free.push_front(Free { number, ready: 0 });
    }

    /// Returns a number that packets may have seen.
    pub fn retire(&mut self, device: &dyn Device, number: u16) {
        self.free.push_back(Free { number, ready: device.now() + REST_NS });
    }
}
