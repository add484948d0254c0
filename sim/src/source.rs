// SPDX-License-Identifier: MIT OR Apache-2.0
//! Puts queued frames onto one stream into the core.

use crate::ffi::{Model, Pin};
use std::collections::VecDeque;

/// What stands in the bytes past a frame's end, which the core must not look at.
const FILLER: u32 = 0xa5a5_a5a5;

/// Pins of one stream; `error` and `vport` where the stream has them.
pub(crate) struct SourcePins {
    pub data: Pin,
    pub valid: Pin,
    pub ready: Pin,
    pub error: Option<Pin>,
    pub vport: Option<Pin>,
}

struct Frame {
    bytes: Vec<u8>,
    error: bool,
    vport: u8,
}

/// Sends frames one after the other, a beat per clock while the core is ready.
pub(crate) struct Source {
    pins: SourcePins,
    bus_bytes: usize,
    queue: VecDeque<Frame>,
    /// First byte of the beat on the pins, in the frame at the front of the queue.
    offset: usize,
    /// A beat is on the pins.
    driving: bool,
    frames: u64,
    last_start: u64,
}

impl Source {
    pub fn new(pins: SourcePins, bus_bytes: usize) -> Self {
        Self { pins, bus_bytes, queue: VecDeque::new(), offset: 0, driving: false, frames: 0, last_start: 0 }
    }

    /// Queues a frame of at least one byte.
    pub fn push(&mut self, bytes: Vec<u8>, error: bool, vport: u8) {
        assert!(!bytes.is_empty(), "a frame of no bytes cannot be sent: every beat carries at least one");
        self.queue.push_back(Frame { bytes, error, vport });
    }

    /// Takes back the frames of which no beat has been offered to the core; how many they were.
    pub fn withdraw(&mut self) -> usize {
        let keep = usize::from(self.driving);
        let withdrawn = self.queue.len().saturating_sub(keep);
        self.queue.truncate(keep);
        withdrawn
    }

    /// Frames that have not entered the core whole.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Frames that have entered the core whole.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames of which at least the first beat has entered the core.
    pub fn started(&self) -> u64 {
        self.frames + u64::from(self.offset > 0)
    }

    /// Cycle in which the first beat of the latest frame entered.
    pub fn last_start(&self) -> u64 {
        self.last_start
    }

    pub fn driving(&self) -> bool {
        self.driving
    }

    /// After a reset of the core: the frame that was on its way starts again.
    pub fn restart(&mut self, model: &mut Model) {
        self.offset = 0;
        if self.driving {
            self.put(model);
        }
    }

    /// Before the clock: puts a waiting frame on the pins.
    #[inline]
    pub fn drive(&mut self, model: &mut Model) {
        if !self.driving && !self.queue.is_empty() {
            self.driving = true;
            model.set_byte(self.pins.valid, 1);
            self.put(model);
        }
    }

    /// Before the clock, with all inputs settled: does the beat on the pins enter with this clock?
    #[inline]
    pub fn accepted(&self, model: &Model) -> bool {
        self.driving && model.byte(self.pins.ready) != 0
    }

    /// After the clock with which the beat entered: puts the next one on the pins.
    pub fn advance(&mut self, model: &mut Model, cycle: u64) {
        if self.offset == 0 {
            self.last_start = cycle;
        }
        self.offset += self.bus_bytes;
        if self.offset >= self.queue[0].bytes.len() {
            self.queue.pop_front();
            self.frames += 1;
            self.offset = 0;
        }
        if self.queue.is_empty() {
            self.driving = false;
            model.set_byte(self.pins.valid, 0);
        } else {
            self.put(model);
        }
    }

    /// Writes the beat at `offset`: data, then the byte count, then `last` (`Beat` in `hdl/src/core/types.rs`).
    fn put(&self, model: &mut Model) {
        let frame = &self.queue[0];
        let rest = &frame.bytes[self.offset..];
        let last = rest.len() <= self.bus_bytes;
        let beat = &rest[..rest.len().min(self.bus_bytes)];
        let words = model.words_mut(self.pins.data);
        let (data, tail) = words.split_at_mut(self.bus_bytes / 4);
        let (whole, odd) = beat.as_chunks::<4>();
        for (word, bytes) in data.iter_mut().zip(whole) {
            *word = u32::from_le_bytes(*bytes);
        }
        if whole.len() < data.len() {
            let mut bytes = FILLER.to_le_bytes();
            bytes[..odd.len()].copy_from_slice(odd);
            data[whole.len()] = u32::from_le_bytes(bytes);
            data[whole.len() + 1..].fill(FILLER);
        }
        // The count has log2(bus bytes) + 1 bits.
        tail[0] = beat.len() as u32 | u32::from(last) << (self.bus_bytes.ilog2() + 1);
        if let Some(error) = self.pins.error {
            model.set_byte(error, (last && frame.error).into());
        }
        if let Some(vport) = self.pins.vport {
            model.set_byte(vport, frame.vport);
        }
    }
}
