// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core in its test bed: clocks, queues at every port, the register bus, waveforms.

use crate::axi::{Access, Axi, BusError, Handshakes, PATIENCE};
use crate::clocks::{CYCLE_NS, Clocks, Running};
use crate::ffi::{Model, Pin};
use crate::new_error::NewError;
use crate::pins::PinFinder;
use crate::sink::{Ready, Received, Sink};
use crate::source::Source;
use crate::trace::{Trace, TraceError};
use millrace_regs::config::{Config, Preset};
use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

/// Clocks with reset held.
const RESET_CYCLES: u32 = 8;
/// Clocks that the core may need beside its sweep until it comes to rest after reset: with passes the sweep waits for 256 places to be cleared.
const RESET_REST: usize = 500;
/// Frames that wait at the packet-out stream before [`Simulation::packet_out`] refuses more.
const PACKET_OUT_QUEUE: usize = 64;

/// A frame that the core hands to the slow path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcall {
    /// The vport it came in on.
    pub vport: u8,
    /// 0 miss, 1 punt, 2 a rule's action.
    pub reason: u8,
    /// In which pass, and its metadata; 0 in a build with one pass.
    pub pass: u8,
    pub metadata: u64,
    pub frame: Vec<u8>,
    /// Cycle in which its last beat left the core.
    pub cycle: u64,
}

/// The Verilated core with a source and a sink at every vport, and both ends of the representors' streams.
///
/// Time is counted in clock cycles from the moment at which the core, fresh from reset, has cleared its tables. Nothing here reads
/// the wall clock: the same calls give the same frames in the same cycles.
///
/// Each of the core's clocks runs only while the core says that it matters (`idle`, `idle_parse`, …); when nothing at all goes on
/// time passes at once.
pub struct Simulation {
    model: Model,
    config: Config,
    clocks: Clocks,
    reset: Pin,
    upcall_vport: Pin,
    upcall_reason: Pin,
    /// Of a build with passes: the number and the metadata of an upcall's.
    upcall_pass: Option<(Pin, Pin)>,
    /// One per vport, then packet out.
    sources: Vec<Source>,
    /// One per vport, then upcall.
    sinks: Vec<Sink>,
    upcalls: VecDeque<Upcall>,
    axi: Axi,
    trace: Trace,
    cycle: u64,
    clocked: u64,
    /// Frames in all sources.
    pending: usize,
    /// Nothing in the core moves until an input does.
    asleep: bool,
    gating: bool,
}

impl Simulation {
    /// A core of `preset`, out of reset, its tables cleared.
    pub fn new(preset: Preset) -> Result<Self, NewError> {
        let mut model = Model::new(preset).ok_or(NewError::NotBuiltIn(preset))?;
        let config = preset.config();
        let pins = PinFinder { model: &model, preset };
        let axi = Axi::new(pins.axi("s_axil", 16)?);
        let (clocks, reset) = (pins.clocks()?, pins.input("reset", 1)?);
        let [upcall_vport, upcall_reason] = [pins.output("upcall_vport", 8)?, pins.output("upcall_reason", 8)?];
        let upcall_pass = match config.passes {
            1 => None,
            _ => Some((pins.output("upcall_pass", 3)?, pins.output("upcall_metadata", 64)?)),
        };
        let mut sources = vec![];
        let mut sink_pins = vec![];
        for vport in 0..config.vports() {
            sources.push(pins.source(&format!("rx_{vport}"), Some(&format!("rx_error_{vport}")), None)?);
            sink_pins.push(pins.sink(&format!("tx_{vport}"))?);
        }
        sources.push(pins.source("packet_out", Some("packet_out_error"), Some("packet_out_vport"))?);
        sink_pins.push(pins.sink("upcall")?);
        let bytes = config.bus_bytes();
        let sources = sources.into_iter().map(|pins| Source::new(pins, bytes)).collect();
        let sinks = sink_pins.into_iter().map(|pins| Sink::new(&mut model, pins, bytes)).collect();
        let mut simulation = Self {
            model,
            config,
            clocks,
            reset,
            upcall_vport,
            upcall_reason,
            upcall_pass,
            sources,
            sinks,
            upcalls: VecDeque::new(),
            axi,
            trace: Trace::default(),
            cycle: 0,
            clocked: 0,
            pending: 0,
            asleep: false,
            gating: true,
        };
        simulation.power_up();
        Ok(simulation)
    }

    /// Reset, and what the core does after it. Nobody looks on yet: time begins when it is done.
    fn power_up(&mut self) {
        self.reset();
        for _ in 0..self.config.sweep_clocks() + RESET_REST {
            self.model.eval();
            let awake = self.clocks.awake(&self.model, 0, false);
            if awake.none() {
                break;
            }
            self.tick(awake);
        }
        (self.cycle, self.clocked) = (0, 0);
    }

    /// Resets the core, as at power-up. Frames in it are lost; one that has entered in part is sent again from its beginning. The core
    /// clears its tables from now on: it takes frames meanwhile, and looks at them afterwards.
    pub fn reset(&mut self) {
        self.model.set_byte(self.reset, 1);
        for _ in 0..RESET_CYCLES {
            self.model.eval();
            self.tick(self.clocks.all());
            self.cycle += 1;
        }
        self.model.set_byte(self.reset, 0);
        for source in &mut self.sources {
            source.restart(&mut self.model);
        }
        self.sinks.iter_mut().for_each(Sink::restart);
        self.asleep = false;
    }

    /// The sizes of the core.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Cycles since the core was ready, fresh from reset.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Cycles in which a clock of the core ran.
    pub fn clocked_cycles(&self) -> u64 {
        self.clocked
    }

    /// Turns clock gating off, or on again. The frames and their cycles are the same either way.
    pub fn set_gating(&mut self, gating: bool) {
        self.gating = gating;
        self.asleep = false;
    }

    /// Nothing is under way: no frame in a source or in the core, no command being carried out. Frames that wait to be
    /// fetched do not count.
    pub fn idle(&self) -> bool {
        self.asleep && self.pending == 0 && !self.axi.busy()
    }

    /// Simulates one cycle.
    pub fn step(&mut self) {
        if self.gating && self.idle() {
            self.cycle += 1;
            return;
        }
        self.drive();
        self.model.eval();
        self.sample_sinks();
        let handshakes = if self.axi.busy() { self.axi.sample(&self.model) } else { Handshakes::default() };
        let mut accepted = 0_u64;
        let mut sent_to = 0_u64;
        for (i, source) in self.sources.iter().enumerate() {
            sent_to |= u64::from(source.driving()) << i;
            accepted |= u64::from(source.accepted(&self.model)) << i;
        }
        let awake = self.clocks.awake(&self.model, sent_to, self.axi.busy());
        self.asleep = awake.none();
        self.tick(if self.gating { awake } else { self.clocks.all() });
        while accepted != 0 {
            let source = &mut self.sources[accepted.trailing_zeros() as usize];
            let before = source.pending();
            source.advance(&mut self.model, self.cycle);
            self.pending -= before - source.pending();
            accepted &= accepted - 1;
        }
        self.axi.advance(&mut self.model, handshakes);
        self.cycle += 1;
    }

    /// Sets the inputs for the coming clock.
    fn drive(&mut self) {
        if self.pending > 0 {
            for source in &mut self.sources {
                source.drive(&mut self.model);
            }
        }
        for sink in &mut self.sinks {
            sink.drive(&mut self.model, self.cycle);
        }
    }

    /// Takes what the core offers.
    fn sample_sinks(&mut self) {
        let upcall = self.sinks.len() - 1;
        for (i, sink) in self.sinks.iter_mut().enumerate() {
            if !sink.offered(&self.model) {
                continue;
            }
            if sink.take(&self.model, self.cycle) && i == upcall {
                let Received { frame, cycle, .. } = sink.pop().expect("a frame was completed");
                let (vport, reason) = (self.model.byte(self.upcall_vport), self.model.byte(self.upcall_reason));
                let of_pass = |(number, metadata)| (self.model.byte(number), self.model.value(metadata));
                let (pass, metadata) = self.upcall_pass.map_or((0, 0), of_pass);
                self.upcalls.push_back(Upcall { vport, reason, pass, metadata, frame, cycle });
            }
        }
    }

    /// A period of the clocks that run, from settled inputs; leaves the clocks low, unevaluated.
    fn tick(&mut self, running: Running) {
        self.trace_dump(0);
        if running.none() {
            return;
        }
        self.clocked += 1;
        self.clocks.set(&mut self.model, running, 1);
        self.model.eval();
        self.trace_dump(CYCLE_NS / 2);
        self.clocks.set(&mut self.model, running, 0);
    }

    /// Lets time pass by `cycles`, at once where nothing is under way.
    pub fn skip(&mut self, cycles: u64) {
        let end = self.cycle + cycles;
        while self.cycle < end {
            if self.gating && self.idle() {
                self.cycle = end;
            } else {
                self.step();
            }
        }
    }

    /// Simulates until nothing is under way, but no more than `limit` cycles; false if something still is.
    pub fn run_until_idle(&mut self, limit: u64) -> bool {
        let end = self.cycle.saturating_add(limit);
        while !self.idle() && self.cycle < end {
            self.step();
        }
        self.idle()
    }

    /// Queues a frame of at least one byte at the vport's receive stream. Panics if there is no such vport.
    pub fn send(&mut self, vport: usize, frame: impl Into<Vec<u8>>) {
        self.enqueue(vport, frame.into(), false);
    }

    /// Like [`Self::send`], and the source marks the frame as faulty (as a MAC does on a bad FCS).
    pub fn send_with_error(&mut self, vport: usize, frame: impl Into<Vec<u8>>) {
        self.enqueue(vport, frame.into(), true);
    }

    fn enqueue(&mut self, vport: usize, frame: Vec<u8>, error: bool) {
        assert!(vport < self.config.vports(), "there is no vport {vport}");
        self.sources[vport].push(frame, error, 0);
        self.pending += 1;
    }

    /// Frames queued at a vport that have not entered the core whole.
    pub fn pending(&self, vport: usize) -> usize {
        self.sources[vport].pending()
    }

    /// Takes back the frames queued at a vport that have not begun to enter the core; how many they were.
    pub fn withdraw(&mut self, vport: usize) -> usize {
        let withdrawn = self.sources[vport].withdraw();
        self.pending -= withdrawn;
        withdrawn
    }

    /// Frames that entered at a vport, and the cycle in which the first beat of the latest of them did.
    pub fn entered(&self, vport: usize) -> (u64, u64) {
        (self.sources[vport].frames(), self.sources[vport].last_start())
    }

    /// Frames of which at least the first beat entered at a vport.
    pub fn started(&self, vport: usize) -> u64 {
        self.sources[vport].started()
    }

    /// The oldest frame that left through a vport and was not fetched yet.
    pub fn recv(&mut self, vport: usize) -> Option<Received> {
        assert!(vport < self.config.vports(), "there is no vport {vport}");
        self.sinks[vport].pop()
    }

    /// Frames that left through a vport and were not fetched yet.
    pub fn received(&self, vport: usize) -> usize {
        self.sinks[vport].waiting()
    }

    /// Sets when the sink of a vport (or of the upcall stream: number of vports) takes beats.
    pub fn set_ready(&mut self, queue: usize, pattern: Ready) {
        self.sinks[queue].set_pattern(pattern);
        self.asleep = false;
    }

    /// Queues a frame of the slow path for a vport; false if the queue is full. The core counts and drops frames for vports
    /// that do not exist.
    pub fn packet_out(&mut self, vport: u8, frame: impl Into<Vec<u8>>) -> bool {
        let source = self.sources.last_mut().expect("the packet-out stream");
        if source.pending() >= PACKET_OUT_QUEUE {
            return false;
        }
        source.push(frame.into(), false, vport);
        self.pending += 1;
        true
    }

    /// Frames of the slow path that have not entered the core whole.
    pub fn packet_out_pending(&self) -> usize {
        self.sources.last().map_or(0, Source::pending)
    }

    /// The oldest upcall that was not fetched yet.
    pub fn upcall(&mut self) -> Option<Upcall> {
        self.upcalls.pop_front()
    }

    /// Upcalls that were not fetched yet.
    pub fn upcalls_waiting(&self) -> usize {
        self.upcalls.len()
    }

    /// Reads a register. Time passes meanwhile.
    pub fn read32(&mut self, offset: u16) -> Result<u32, BusError> {
        self.axi.start_read(&mut self.model, offset.into());
        self.finish(Access::Read, offset.into())
    }

    /// Writes a register. Time passes meanwhile.
    pub fn write32(&mut self, offset: u16, value: u32) -> Result<(), BusError> {
        self.write_bytes(offset, value, 0b1111)
    }

    /// Writes the bytes of a register that `strobe` names (bit 0 = least significant); the core refuses all but whole words.
    pub fn write_bytes(&mut self, offset: u16, value: u32, strobe: u8) -> Result<(), BusError> {
        self.axi.start_write(&mut self.model, offset.into(), value, strobe & 0b1111);
        self.finish(Access::Write, offset.into()).map(|_| ())
    }

    fn finish(&mut self, access: Access, offset: u32) -> Result<u32, BusError> {
        let end = self.cycle + PATIENCE;
        while self.axi.busy() {
            if self.cycle >= end {
                return Err(BusError::NoAnswer { access, offset, cycles: PATIENCE });
            }
            self.step();
        }
        match self.axi.answer() {
            Some((data, 0)) => Ok(data),
            Some((_, response)) => Err(BusError::Refused { access, offset, response }),
            None => Err(BusError::NoAnswer { access, offset, cycles: 0 }),
        }
    }

    /// Writes the waveforms of all signals in `cycles` to `path` (FST, 4 ns per cycle). One window at a time: a new one ends
    /// the one before. Cycles that are skipped because nothing happens are not in the file.
    pub fn trace(&mut self, path: &Path, cycles: Range<u64>) -> Result<(), TraceError> {
        self.trace.begin(&mut self.model, path, cycles)
    }

    /// Completes the waveform file, if one is being written.
    pub fn trace_end(&mut self) {
        self.trace.end(&mut self.model);
    }

    #[inline]
    fn trace_dump(&mut self, offset: u64) {
        self.trace.dump(&mut self.model, self.cycle, offset);
    }
}
