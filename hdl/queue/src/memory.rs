// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory behind the DMA ports, for the unit tests.

use crate::axi::{AxiWriteMaster, BORDER};
use crate::testing::{bits_of, bytes};
use crate::types::{BEAT_BYTES, RingAnswer, RingRead};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rust_hdl_core::prelude::*;
use std::collections::VecDeque;

/// Memory from address 0 on, of which the last line is at the end of all addresses too. Reads of beats are answered after a while, in any order; with a `latency` after so many clocks, one in a clock.
pub struct Memory {
    pub bytes: Vec<u8>,
    /// Reads that were asked for.
    pub reads: usize,
    pub latency: Option<u64>,
    clock: u64,
    /// With the clock in which each came.
    under_way: Vec<(RingRead, u64)>,
    offered: Option<RingAnswer>,
}

impl Memory {
    pub fn new(size: usize) -> Self {
        Self { bytes: vec![0; size], reads: 0, latency: None, clock: 0, under_way: vec![], offered: None }
    }

    pub fn write16(&mut self, address: u64, value: u16) {
        self.bytes[address as usize..][..2].copy_from_slice(&value.to_le_bytes());
    }

    /// A descriptor (virtio 2.7.5) of the table at `table`.
    pub fn write_descriptor(&mut self, table: u64, index: u16, (address, length, flags, next): (u64, u32, u16, u16)) {
        let place = &mut self.bytes[table as usize + 16 * index as usize..][..16];
        place[..8].copy_from_slice(&address.to_le_bytes());
        place[8..12].copy_from_slice(&length.to_le_bytes());
        place[12..14].copy_from_slice(&flags.to_le_bytes());
        place[14..].copy_from_slice(&next.to_le_bytes());
    }

    /// A descriptor (virtio 2.8.13) of the packed ring at `ring`: address, length, Buffer ID, flags.
    pub fn write_packed(&mut self, ring: u64, index: u64, (address, length, id, flags): (u64, u32, u16, u16)) {
        self.write_descriptor(ring, index as u16, (address, length, id, flags));
    }

    /// A clock at a port, before its edge: takes what is asked, if it likes to, and offers an answer.
    pub fn drive(
        &mut self,
        read: (bool, RingRead),
        read_ready: &mut Signal<In, Bit>,
        answer: (&mut Signal<In, Bit>, &mut Signal<In, RingAnswer>),
        rng: &mut ChaCha8Rng,
    ) {
        let ready = self.latency.is_some() || rng.random_bool(0.7);
        read_ready.next = ready;
        self.clock += 1;
        let next = match self.latency {
            Some(latency) => self.under_way.first().is_some_and(|oldest| oldest.1 + latency <= self.clock).then_some(0),
            None if self.under_way.is_empty() || rng.random_bool(0.7) => None,
            None => Some(rng.random_range(0..self.under_way.len())),
        };
        if let Some(next) = next.filter(|_| self.offered.is_none()) {
            let (asked, _) = self.under_way.remove(next);
            self.offered = Some(self.look_up(asked));
        }
        answer.0.next = self.offered.is_some();
        answer.1.next = self.offered.unwrap_or_default();
        if read.0 && ready {
            assert!(self.under_way.iter().all(|(asked, _)| asked.tag != read.1.tag), "a tag twice");
            self.under_way.push((read.1, self.clock));
            self.reads += 1;
        }
    }

    /// The answer that was offered has been taken.
    pub fn taken(&mut self) {
        self.offered = None;
    }

    /// The tags of what is under way.
    pub fn tags(&self) -> impl Iterator<Item = u64> {
        self.under_way.iter().map(|(asked, _)| asked.tag.to_u64())
    }

    pub fn quiet(&self) -> bool {
        self.under_way.is_empty() && self.offered.is_none()
    }

    fn look_up(&self, asked: RingRead) -> RingAnswer {
        let line = asked.address.to_u64() as usize / BEAT_BYTES;
        let from = if line == usize::MAX / BEAT_BYTES { self.bytes.len() - BEAT_BYTES } else { line * BEAT_BYTES };
        match self.bytes.get(from..).and_then(|rest| rest.get(..BEAT_BYTES)) {
            Some(beat) => RingAnswer { tag: asked.tag, data: bits_of(beat), error: 0u64.into() },
            None => RingAnswer { tag: asked.tag, error: crate::types::reason::BUS.into(), ..Default::default() },
        }
    }
}

/// Memory from address 0 on that is written in bursts.
pub struct WrittenMemory {
    pub bytes: Vec<u8>,
    /// Bursts that end behind this address are answered with SLVERR.
    pub broken: u64,
    /// Bursts asked for: address, beats. Beats that came, with their strobes, and whether a burst ends.
    bursts: VecDeque<(u64, u64)>,
    beats: VecDeque<(Vec<u8>, u64, bool)>,
    /// Whether each burst that is to be answered was broken.
    unanswered: VecDeque<bool>,
}

impl WrittenMemory {
    pub fn new(size: usize) -> Self {
        let (bursts, beats, unanswered) = Default::default();
        Self { bytes: vec![0xee; size], broken: u64::MAX, bursts, beats, unanswered }
    }

    /// A clock, before its edge: what is taken and answered, as `often` likes.
    pub fn drive(&mut self, axi: &mut AxiWriteMaster, mut often: impl FnMut() -> bool) {
        axi.awready.next = often();
        axi.wready.next = often();
        axi.bvalid.next = !self.unanswered.is_empty() && often();
        axi.bresp.next = if self.unanswered.front() == Some(&true) { 2u64 } else { 0 }.into();
    }

    /// With all inputs settled: what is transferred with the clock. A burst takes effect when all of it is there.
    pub fn sample(&mut self, axi: &AxiWriteMaster) {
        if axi.bvalid.val() && axi.bready.val() {
            self.unanswered.pop_front();
        }
        if axi.awvalid.val() && axi.awready.val() {
            let (address, count) = (axi.awaddr.val().to_u64(), axi.awlen.val().to_u64() + 1);
            assert_eq!(address % 64, 0);
            assert_eq!(address / BORDER, (address + 64 * count - 1) / BORDER, "crosses a border");
            self.bursts.push_back((address, count));
        }
        if axi.wvalid.val() && axi.wready.val() {
            let data = bytes(axi.wdata.val(), Bits::<7>::from(64u64));
            self.beats.push_back((data, axi.wstrb.val().to_u64(), axi.wlast.val()));
        }
        let Some((address, count)) = self.bursts.front().copied().filter(|burst| self.beats.len() as u64 >= burst.1)
        else {
            return;
        };
        self.bursts.pop_front();
        for (i, (data, strobe, last)) in self.beats.drain(..count as usize).enumerate() {
            assert_eq!(last, i + 1 == count as usize, "last");
            assert_ne!(strobe, 0, "a beat without a byte");
            for (j, byte) in data.iter().enumerate().filter(|(j, _)| strobe >> j & 1 == 1) {
                self.bytes[address as usize + 64 * i + j] = *byte;
            }
        }
        self.unanswered.push_back(address + 64 * count > self.broken);
    }

    pub fn quiet(&self) -> bool {
        self.unanswered.is_empty()
    }
}
