// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory behind a DMA port (AXI4).

use crate::ffi::{Model, Pin};
use crate::host_memory::{Dma, HostMemory, Port};
use crate::mix::mix;
use crate::new_error::NewError;
use crate::pins::PinFinder;
use std::collections::VecDeque;

/// Bytes of a beat.
const BEAT: usize = 64;
/// Cycles after which memory that could not answer a read is asked again. Reads of others overtake it meanwhile.
const AGAIN: u64 = 64;
/// AXI's response for what is not there.
const SLVERR: u8 = 2;

/// How long memory takes. All of it follows from the cycle and `seed`, so that runs can be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Cycles from a request to its answer.
    pub cycles: u64,
    /// Up to so many more, each request of its own: reads overtake each other then.
    pub jitter: u64,
    /// A port is busy in about so many of 256 cycles: it takes and gives nothing then.
    pub busy: u8,
    /// Of `jitter` and `busy`.
    pub seed: u64,
}

impl Default for Latency {
    /// A round trip of 1 µs, as PCIe has.
    fn default() -> Self {
        Self { cycles: 250, jitter: 0, busy: 0, seed: 1 }
    }
}

/// What went over a DMA port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bursts that were asked for.
    pub reads: u64,
    /// Their beats, each of 64 bytes.
    pub beats_read: u64,
    /// Bursts that were written.
    pub writes: u64,
    /// Their beats.
    pub beats_written: u64,
    /// Their bytes, by the strobes.
    pub bytes_written: u64,
}

impl std::ops::Sub for Traffic {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            reads: self.reads - before.reads,
            beats_read: self.beats_read - before.beats_read,
            writes: self.writes - before.writes,
            beats_written: self.beats_written - before.beats_written,
            bytes_written: self.bytes_written - before.bytes_written,
        }
    }
}

struct Pins {
    arid: Pin,
    araddr: Pin,
    arlen: Pin,
    aruser: Pin,
    arvalid: Pin,
    arready: Pin,
    rid: Pin,
    rdata: Pin,
    rresp: Pin,
    rlast: Pin,
    rvalid: Pin,
    rready: Pin,
    awaddr: Pin,
    awlen: Pin,
    awuser: Pin,
    awvalid: Pin,
    awready: Pin,
    wdata: Pin,
    wstrb: Pin,
    wlast: Pin,
    wvalid: Pin,
    wready: Pin,
    bresp: Pin,
    bvalid: Pin,
    bready: Pin,
}

/// A burst that is under way.
#[derive(Clone, Copy, Debug)]
struct Burst {
    id: u64,
    address: u64,
    beats: u64,
    function: usize,
    /// Cycle from which on it is answered.
    due: u64,
}

/// Transfers on a port's channels in one clock.
#[derive(Clone, Copy, Default)]
pub(crate) struct Transfers {
    ar: bool,
    r: bool,
    aw: bool,
    w: bool,
    b: bool,
}

/// How far a write has come.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// Beats that memory has whole.
    beats: usize,
    /// Bytes of the next one that it has.
    bytes: usize,
    /// Some of it was outside memory.
    refused: bool,
}

/// The slave of one port: each function has a memory of its own.
pub(crate) struct DmaPort {
    pins: Pins,
    latency: Latency,
    port: Port,
    traffic: Traffic,
    /// In the order in which they are due.
    reads: VecDeque<Burst>,
    /// The burst whose next beat is on the pins.
    answering: Option<Burst>,
    /// The beat is on the pins.
    offered: bool,
    writes: VecDeque<Burst>,
    /// Beats that were written, each with its strobes, of the writes that are not complete.
    written: VecDeque<([u8; BEAT], u64)>,
    /// How far the oldest write has come that is complete.
    progress: Progress,
    /// Cycle and response of the answers to writes, in their order.
    answers: VecDeque<(u64, u8)>,
    ready: bool,
}

impl DmaPort {
    pub fn new(finder: &PinFinder, name: &str, id_bits: usize, latency: Latency, port: Port) -> Result<Self, NewError> {
        let input = |pin: &str, bits| finder.input(&format!("{name}_{pin}"), bits);
        let output = |pin: &str, bits| finder.output(&format!("{name}_{pin}"), bits);
        let pins = Pins {
            arid: output("arid", id_bits)?,
            araddr: output("araddr", 64)?,
            arlen: output("arlen", 8)?,
            aruser: output("aruser", 8)?,
            arvalid: output("arvalid", 1)?,
            arready: input("arready", 1)?,
            rid: input("rid", id_bits)?,
            rdata: input("rdata", 8 * BEAT)?,
            rresp: input("rresp", 2)?,
            rlast: input("rlast", 1)?,
            rvalid: input("rvalid", 1)?,
            rready: output("rready", 1)?,
            awaddr: output("awaddr", 64)?,
            awlen: output("awlen", 8)?,
            awuser: output("awuser", 8)?,
            awvalid: output("awvalid", 1)?,
            awready: input("awready", 1)?,
            wdata: output("wdata", 8 * BEAT)?,
            wstrb: output("wstrb", 64)?,
            wlast: output("wlast", 1)?,
            wvalid: output("wvalid", 1)?,
            wready: input("wready", 1)?,
            bresp: input("bresp", 2)?,
            bvalid: input("bvalid", 1)?,
            bready: output("bready", 1)?,
        };
        Ok(Self {
            pins,
            latency,
            port,
            traffic: Traffic::default(),
            reads: VecDeque::new(),
            answering: None,
            offered: false,
            writes: VecDeque::new(),
            written: VecDeque::new(),
            progress: Progress::default(),
            answers: VecDeque::new(),
            ready: false,
        })
    }

    /// After a reset of the device: what was under way is forgotten.
    pub fn restart(&mut self, model: &mut Model) {
        self.reads.clear();
        self.answering = None;
        self.offered = false;
        self.writes.clear();
        self.written.clear();
        self.progress = Progress::default();
        self.answers.clear();
        model.set_byte(self.pins.rvalid, 0);
        model.set_byte(self.pins.bvalid, 0);
    }

    /// What went over the port so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Nothing is under way.
    pub fn idle(&self) -> bool {
        self.reads.is_empty()
            && self.answering.is_none()
            && self.writes.is_empty()
            && self.written.is_empty()
            && self.answers.is_empty()
    }

    /// The cycle in which something happens next of its own accord: one that has passed, if that may be now.
    pub fn next(&self) -> Option<u64> {
        if self.answering.is_some() || !self.writes.is_empty() || !self.written.is_empty() {
            return Some(0);
        }
        let read = self.reads.front().map(|burst| burst.due);
        read.into_iter().chain(self.answers.front().map(|answer| answer.0)).min()
    }

    fn random(&self, cycle: u64, salt: u64) -> u64 {
        // The ports' numbers keep them apart.
        mix(cycle ^ mix(self.latency.seed ^ ((self.port as u64) << 32) ^ (salt << 40)))
    }

    fn busy(&self, cycle: u64, salt: u64) -> bool {
        self.latency.busy != 0 && self.random(cycle, salt) & 0xff < self.latency.busy.into()
    }

    fn due(&self, cycle: u64, salt: u64) -> u64 {
        cycle + self.latency.cycles + self.random(cycle, salt) % (self.latency.jitter + 1)
    }

    /// Before the clock: what memory takes and offers in this cycle.
    pub fn drive(&mut self, model: &mut Model, cycle: u64, memories: &[impl HostMemory]) {
        if !self.ready || self.latency.busy != 0 {
            self.ready = true;
            for (salt, pin) in [(1, self.pins.arready), (2, self.pins.awready), (3, self.pins.wready)] {
                model.set_byte(pin, (!self.busy(cycle, salt)).into());
            }
        }
        if self.answering.is_none() && !self.busy(cycle, 4) {
            self.answering = self.reads.pop_front_if(|burst| burst.due <= cycle);
        }
        self.offer(model, cycle, memories);
        let answered = self.answers.front().filter(|(due, _)| *due <= cycle && !self.busy(cycle, 5));
        model.set_byte(self.pins.bvalid, answered.is_some().into());
        if let Some((_, response)) = answered {
            model.set_byte(self.pins.bresp, *response);
        }
    }

    /// Puts the next beat of the burst that is answered on the pins, if it is not there yet and memory has it.
    fn offer(&mut self, model: &mut Model, cycle: u64, memories: &[impl HostMemory]) {
        let Some(burst) = self.answering.filter(|_| !self.offered) else { return };
        let mut beat = [0; BEAT];
        let memory = memories.get(burst.function);
        let read = memory.map_or(Dma::Outside, |memory| memory.read_through(self.port, burst.address, &mut beat));
        if read == Dma::Later {
            self.answering = None;
            await_answer(&mut self.reads, Burst { due: cycle + AGAIN, ..burst });
            return;
        }
        for (word, bytes) in model.words_mut(self.pins.rdata).iter_mut().zip(beat.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        model.set_value(self.pins.rid, burst.id);
        model.set_byte(self.pins.rresp, if read == Dma::Done { 0 } else { SLVERR });
        model.set_byte(self.pins.rlast, (burst.beats == 1).into());
        model.set_byte(self.pins.rvalid, 1);
        self.offered = true;
    }

    /// Before the clock, with all inputs settled: which transfers happen with it. What is asked for and written is taken.
    pub fn sample(&mut self, model: &Model, cycle: u64) -> Transfers {
        let pins = &self.pins;
        let both = |valid, ready| model.byte(valid) != 0 && model.byte(ready) != 0;
        let transfers = Transfers {
            ar: both(pins.arvalid, pins.arready),
            r: both(pins.rvalid, pins.rready),
            aw: both(pins.awvalid, pins.awready),
            w: both(pins.wvalid, pins.wready),
            b: both(pins.bvalid, pins.bready),
        };
        if transfers.ar {
            let burst = Burst {
                id: model.value(pins.arid),
                address: model.value(pins.araddr),
                beats: model.value(pins.arlen) + 1,
                function: model.byte(pins.aruser).into(),
                due: self.due(cycle, 6),
            };
            check(&burst);
            self.traffic.reads += 1;
            self.traffic.beats_read += burst.beats;
            let used = self.reads.iter().chain(&self.answering).any(|other| other.id == burst.id);
            assert!(!used, "identifier {} of a read that is under way", burst.id);
            await_answer(&mut self.reads, burst);
        }
        if transfers.aw {
            let burst = Burst {
                id: 0,
                address: model.value(pins.awaddr),
                beats: model.value(pins.awlen) + 1,
                function: model.byte(pins.awuser).into(),
                due: 0,
            };
            check(&burst);
            self.traffic.writes += 1;
            self.writes.push_back(burst);
        }
        if transfers.w {
            let mut data = [0; BEAT];
            for (bytes, word) in data.as_chunks_mut::<4>().0.iter_mut().zip(model.words(pins.wdata)) {
                *bytes = word.to_le_bytes();
            }
            let strobe = model.value(pins.wstrb);
            self.traffic.beats_written += 1;
            self.traffic.bytes_written += u64::from(strobe.count_ones());
            self.written.push_back((data, strobe));
            let last = model.byte(pins.wlast) != 0;
            // Where data comes before its address, its end is not known yet.
            let ends = self.ends_here();
            assert!(ends.is_none_or(|ends| last == ends), "wlast {last} with beat {}", self.written.len());
        }
        transfers
    }

    /// The newest beat that was written is the last of its burst, if that is known.
    fn ends_here(&self) -> Option<bool> {
        let mut left = self.written.len() as u64;
        for burst in &self.writes {
            if left <= burst.beats {
                return Some(left == burst.beats);
            }
            left -= burst.beats;
        }
        None
    }

    /// After the clock: writes that are complete take effect, and what was taken leaves the pins.
    pub fn advance(&mut self, model: &mut Model, cycle: u64, transfers: Transfers, memories: &[impl HostMemory]) {
        if transfers.b {
            self.answers.pop_front();
        }
        if transfers.r {
            let burst = self.answering.take().expect("a beat was on the pins");
            model.set_byte(self.pins.rvalid, 0);
            self.offered = false;
            if burst.beats > 1 {
                self.answering = Some(Burst { address: burst.address + BEAT as u64, beats: burst.beats - 1, ..burst });
                self.offer(model, cycle, memories);
            }
        }
        if let Some(burst) = self.writes.front().copied()
            && self.written.len() as u64 >= burst.beats
            && self.write(&burst, memories)
        {
            self.writes.pop_front();
            self.written.drain(..burst.beats as usize);
            let Progress { refused, .. } = std::mem::take(&mut self.progress);
            // Answers to writes keep their order.
            let due = self.due(cycle, 7).max(self.answers.back().map_or(0, |(due, _)| *due));
            self.answers.push_back((due, if refused { SLVERR } else { 0 }));
        }
    }

    /// Brings a write into memory; true when it has ended.
    fn write(&mut self, burst: &Burst, memories: &[impl HostMemory]) -> bool {
        let progress = &mut self.progress;
        while progress.beats < burst.beats as usize {
            let (data, strobe) = &self.written[progress.beats];
            // From the last byte on: see "DMA" in docs/host.md.
            let end = BEAT - progress.bytes;
            let left = strobe << progress.bytes;
            let run = left.leading_ones() as usize;
            if run > 0 {
                let address = burst.address + (progress.beats * BEAT + end - run) as u64;
                let memory = memories.get(burst.function);
                let bytes = &data[end - run..end];
                match memory.map_or(Dma::Outside, |memory| memory.write_through(self.port, address, bytes)) {
                    Dma::Done => (),
                    Dma::Outside => progress.refused = true,
                    Dma::Later => return false,
                }
            }
            progress.bytes += if run > 0 { run } else { left.leading_zeros() as usize };
            if progress.bytes >= BEAT {
                (progress.beats, progress.bytes) = (progress.beats + 1, 0);
            }
        }
        true
    }
}

/// Keeps a read until it is due.
fn await_answer(reads: &mut VecDeque<Burst>, burst: Burst) {
    let place = reads.partition_point(|other| other.due <= burst.due);
    reads.insert(place, burst);
}

/// What every master must keep to (AXI4 A3.4.1, and `docs/host.md`, "DMA").
fn check(burst: &Burst) {
    assert!(burst.address.is_multiple_of(BEAT as u64), "{burst:x?}: not at a beat");
    let end = burst.address + (burst.beats * BEAT as u64 - 1);
    assert_eq!(burst.address / 4096, end / 4096, "{burst:x?}: crosses a border of 4,096 bytes");
}
