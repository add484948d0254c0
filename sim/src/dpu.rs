// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core with its host side, in a test bed: memory of all functions, uplinks, both register buses.

use crate::axi::{Access, Axi, BusError, Handshakes, PATIENCE};
use crate::clocks::{CYCLE_NS, Clocks, Running};
use crate::dma::{DmaPort, Latency, Traffic, Transfers};
use crate::ffi::{Model, Pin};
use crate::host_memory::{HostMemory, Port};
use crate::new_error::NewError;
use crate::pins::PinFinder;
use crate::sink::{Ready, Received, Sink};
use crate::source::Source;
use crate::trace::{Trace, TraceError};
use millrace_driver::virtio::LocalMemory;
use millrace_regs::config::{Config, Preset};
use millrace_regs::host::{ECPF, TIME_UNIT_NS, host_address};
use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

/// Clocks with reset held.
const RESET_CYCLES: u32 = 8;
/// Clocks that the device may need beside its sweep until it comes to rest after reset.
const RESET_REST: usize = 20_000;
/// Cycles in which a function's reset has to end: memory may have to be given up.
const RESET_PATIENCE: u64 = 1 << 26;
/// Widths of the identifiers of the DMA ports (`docs/host.md`, "DMA").
const RING_ID_BITS: usize = 9;
const DATA_ID_BITS: usize = 8;
/// Cycles of a unit of the input `now`.
const UNIT: u64 = TIME_UNIT_NS / CYCLE_NS;

/// A function-level reset that does not end. A fault of the hardware, or of its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reset of function {function} has not ended after {cycles} cycles")]
pub struct ResetError {
    /// 0 is the ECPF.
    pub function: usize,
    /// How long it was waited for.
    pub cycles: u64,
}

/// A message to a function's driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interrupt {
    /// 0 is the ECPF.
    pub function: u8,
    /// As the driver has set it.
    pub vector: u16,
    /// Where the message is written, as the vector's entry of the MSI-X table says.
    pub address: u64,
    /// What is written.
    pub data: u32,
}

impl Interrupt {
    /// From the data pins of the stream, words of 32 bits.
    fn from_words(words: &[u32]) -> Self {
        let bits = words.iter().rev().fold(0_u128, |bits, word| bits << 32 | u128::from(*word));
        Self {
            function: bits as u8,
            vector: (bits >> 8) as u16,
            address: (bits >> 24) as u64,
            data: (bits >> 88) as u32,
        }
    }
}

/// The Verilated core of a preset with host side: its functions' drivers reach it through their BARs and their memories, and its uplinks
/// are streams.
///
/// Time is counted in clock cycles from the moment at which the device, fresh from reset, has come to rest. Nothing here reads
/// the wall clock: the same calls give the same frames in the same cycles. Each of the device's clocks runs only while the device says that it matters, as with
/// [`Simulation`](crate::Simulation); while nothing goes on time passes at once.
pub struct DpuSimulation<M = LocalMemory> {
    model: Model,
    config: Config,
    clocks: Clocks,
    reset: Pin,
    bus_master: Pin,
    msix_enable: Pin,
    msix_mask: Pin,
    /// The functions that accesses of the buses are of; whose the switch is.
    registers_from: Pin,
    host_from: Pin,
    nic_mode: Pin,
    flr: [Pin; 2],
    time: Pin,
    awaits_time: Pin,
    interrupt: [Pin; 3],
    sources: Vec<Source>,
    sinks: Vec<Sink>,
    registers: Axi,
    host: Axi,
    ports: [DmaPort; 2],
    memories: Vec<M>,
    interrupts: VecDeque<Interrupt>,
    cycle: u64,
    clocked: u64,
    /// Frames in all sources.
    pending: usize,
    /// Nothing in the device moves until an input does.
    still: bool,
    /// Units of time that the device was shown, and whether it waits for the next.
    units: u64,
    timed: bool,
    gating: bool,
    trace: Trace,
}

impl<M: HostMemory> DpuSimulation<M> {
    /// A device of `preset`, out of reset, at rest; function f reaches `memories[f]`, and no function is bus master.
    ///
    /// # Panics
    /// If the preset has no host side, or there is not a memory for each function.
    pub fn new(preset: Preset, memories: Vec<M>, latency: Latency) -> Result<Self, NewError> {
        let config = preset.config();
        assert_eq!(memories.len(), config.functions(), "a memory for each function");
        let mut model = Model::new(preset).ok_or(NewError::NotBuiltIn(preset))?;
        let finder = PinFinder { model: &model, preset };
        let (clocks, reset) = (finder.clocks()?, finder.input("reset", 1)?);
        let bus_master = finder.input("bus_master", config.functions())?;
        let msix_enable = finder.input("msix_enable", config.functions())?;
        let msix_mask = finder.input("msix_mask", config.functions())?;
        let (registers_from, host_from) = (finder.input("s_axil_from", 8)?, finder.input("s_axil_host_from", 8)?);
        let nic_mode = finder.output("nic_mode", 1)?;
        let flr = [finder.input("flr", config.functions())?, finder.output("flr_done", config.functions())?];
        let (time, awaits_time) = (finder.input("now", 16)?, finder.output("awaits_time", 1)?);
        // Data: function, vector, address, data.
        let interrupt = [
            finder.output("interrupt_data", 8 + 16 + 64 + 32)?,
            finder.output("interrupt_valid", 1)?,
            finder.input("interrupt_ready", 1)?,
        ];
        let (mut sources, mut sink_pins) = (vec![], vec![]);
        for uplink in 0..config.uplinks {
            sources.push(finder.source(&format!("rx_{uplink}"), Some(&format!("rx_error_{uplink}")), None)?);
            sink_pins.push(finder.sink(&format!("tx_{uplink}"))?);
        }
        let (registers, host) = (finder.axi("s_axil", 16)?, finder.axi("s_axil_host", 32)?);
        let ports = [
            DmaPort::new(&finder, "m_axi_ring", RING_ID_BITS, latency, Port::Ring)?,
            DmaPort::new(&finder, "m_axi_data", DATA_ID_BITS, latency, Port::Data)?,
        ];
        let bytes = config.bus_bytes();
        let mut simulation = Self {
            sources: sources.into_iter().map(|pins| Source::new(pins, bytes)).collect(),
            sinks: sink_pins.into_iter().map(|pins| Sink::new(&mut model, pins, bytes)).collect(),
            model,
            config,
            clocks,
            reset,
            bus_master,
            msix_enable,
            msix_mask,
            registers_from,
            host_from,
            nic_mode,
            flr,
            time,
            awaits_time,
            interrupt,
            registers: Axi::new(registers),
            host: Axi::new(host),
            ports,
            memories,
            interrupts: VecDeque::new(),
            cycle: 0,
            clocked: 0,
            pending: 0,
            still: false,
            units: 0,
            timed: false,
            gating: true,
            trace: Trace::default(),
        };
        simulation.model.set_byte(interrupt[2], 1);
        simulation.power_up();
        Ok(simulation)
    }

    fn power_up(&mut self) {
        self.reset();
        assert!(self.run_until_idle((self.config.sweep_clocks() + RESET_REST) as u64), "not at rest after reset");
        (self.cycle, self.clocked) = (0, 0);
    }

    /// Resets the device, as at power-up. Frames in it are lost; one that has entered in part is sent again from its beginning.
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
        for port in &mut self.ports {
            port.restart(&mut self.model);
        }
        self.interrupts.clear();
        self.still = false;
    }

    /// The sizes of the device.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Cycles since the device was ready, fresh from reset.
    pub fn cycle(&self) -> u64 {
        self.cycle
    }

    /// Cycles in which the clock ran.
    pub fn clocked_cycles(&self) -> u64 {
        self.clocked
    }

    /// The memory of a function.
    pub fn memory(&self, function: usize) -> &M {
        &self.memories[function]
    }

    /// Turns clock gating off, or on again. What happens, and in which cycles, is the same either way.
    pub fn set_gating(&mut self, gating: bool) {
        self.gating = gating;
        self.still = false;
    }

    /// Nothing is under way: no frame in a source or in the device, no access, no transfer.
    pub fn idle(&self) -> bool {
        self.still && self.inputs_rest() && self.ports.iter().all(DmaPort::idle)
    }

    fn inputs_rest(&self) -> bool {
        self.pending == 0 && !self.registers.busy() && !self.host.busy()
    }

    /// The cycle, before `end`, up to which nothing happens: memory takes its time, or nothing is under way.
    fn next(&self, end: u64) -> u64 {
        if !self.gating || !self.still || !self.inputs_rest() {
            return self.cycle;
        }
        let unit = self.timed.then_some((self.units + 1) * UNIT);
        self.ports.iter().filter_map(DmaPort::next).chain(unit).min().unwrap_or(end).clamp(self.cycle, end)
    }

    /// Simulates one cycle.
    pub fn step(&mut self) {
        if self.next(self.cycle + 1) > self.cycle {
            self.cycle += 1;
            return;
        }
        self.show_time();
        for source in &mut self.sources {
            source.drive(&mut self.model);
        }
        for sink in &mut self.sinks {
            sink.drive(&mut self.model, self.cycle);
        }
        for port in &mut self.ports {
            port.drive(&mut self.model, self.cycle, &self.memories);
        }
        self.model.eval();
        for sink in &mut self.sinks {
            if sink.offered(&self.model) {
                sink.take(&self.model, self.cycle);
            }
        }
        if self.model.byte(self.interrupt[1]) != 0 {
            self.interrupts.push_back(Interrupt::from_words(self.model.words(self.interrupt[0])));
        }
        let (mut accepted, mut sent_to) = (0_u64, 0_u64);
        for (i, source) in self.sources.iter().enumerate() {
            sent_to |= u64::from(source.driving()) << i;
            accepted |= u64::from(source.accepted(&self.model)) << i;
        }
        let registers = sample(&mut self.registers, &self.model);
        let host = sample(&mut self.host, &self.model);
        let transfers = self.ports.each_mut().map(|port| port.sample(&self.model, self.cycle));
        let awake = self.clocks.awake(&self.model, sent_to, self.registers.busy());
        self.still = awake.none();
        self.timed = self.model.byte(self.awaits_time) != 0;
        self.tick(if self.gating { awake } else { self.clocks.all() });
        self.advance(accepted, [registers, host], transfers);
        self.cycle += 1;
    }

    fn show_time(&mut self) {
        let units = self.cycle / UNIT;
        if units != self.units {
            self.units = units;
            self.model.set_value(self.time, units & 0xffff);
        }
    }

    /// After the clock: what was accepted leaves the pins. Bit i of `accepted`: the beat of source i.
    fn advance(&mut self, mut accepted: u64, handshakes: [Handshakes; 2], transfers: [Transfers; 2]) {
        while accepted != 0 {
            let source = &mut self.sources[accepted.trailing_zeros() as usize];
            let before = source.pending();
            source.advance(&mut self.model, self.cycle);
            self.pending -= before - source.pending();
            accepted &= accepted - 1;
        }
        let [registers, host] = handshakes;
        self.registers.advance(&mut self.model, registers);
        self.host.advance(&mut self.model, host);
        for (port, transfers) in self.ports.iter_mut().zip(transfers) {
            port.advance(&mut self.model, self.cycle, transfers, &self.memories);
        }
    }

    /// A period of the clocks that run, from settled inputs; leaves them low, unevaluated.
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

    /// Simulates until nothing is under way, but no more than `limit` cycles; false if something still is.
    pub fn run_until_idle(&mut self, limit: u64) -> bool {
        let end = self.cycle.saturating_add(limit);
        while !self.idle() && self.cycle < end {
            self.advance_to(end);
        }
        self.idle()
    }

    /// Lets so many cycles pass, at once where nothing happens.
    pub fn skip(&mut self, cycles: u64) {
        let end = self.cycle + cycles;
        while self.cycle < end {
            self.advance_to(end);
        }
    }

    /// Simulates a cycle, or passes over those before `end` in which nothing happens.
    fn advance_to(&mut self, end: u64) {
        let next = self.next(end);
        if next > self.cycle {
            self.cycle = next;
        } else {
            self.step();
        }
    }

    /// The host lets a function use its bus, or not (PCI's command register).
    pub fn set_bus_master(&mut self, function: usize, on: bool) {
        self.set_bit(self.bus_master, function, on);
    }

    /// The host enables MSI-X of a function, and masks it as a whole (PCI's Message Control).
    pub fn set_msix(&mut self, function: usize, enabled: bool, masked: bool) {
        self.set_bit(self.msix_enable, function, enabled);
        self.set_bit(self.msix_mask, function, masked);
    }

    /// Sets a function's bit of an input.
    fn set_bit(&mut self, pin: Pin, function: usize, on: bool) {
        let old = self.model.value(pin);
        let bit = 1 << function;
        self.model.set_value(pin, if on { old | bit } else { old & !bit });
        self.still = false;
    }

    /// What went over a DMA port since power-up.
    pub fn traffic(&self, port: Port) -> Traffic {
        self.ports[port as usize].traffic()
    }

    /// Queues a frame of at least one byte at an uplink. Panics if there is no such uplink.
    pub fn send(&mut self, uplink: usize, frame: impl Into<Vec<u8>>) {
        self.sources[uplink].push(frame.into(), false, 0);
        self.pending += 1;
    }

    /// Takes back the frames at an uplink that have not begun to enter the device; how many they were.
    pub fn withdraw(&mut self, uplink: usize) -> usize {
        let withdrawn = self.sources[uplink].withdraw();
        self.pending -= withdrawn;
        withdrawn
    }

    /// Frames that entered at an uplink.
    pub fn entered(&self, uplink: usize) -> u64 {
        self.sources[uplink].frames()
    }

    /// Frames of which at least the first beat entered at an uplink.
    pub fn started(&self, uplink: usize) -> u64 {
        self.sources[uplink].started()
    }

    /// Frames that wait at an uplink, with the one that is entering.
    pub fn pending(&self, uplink: usize) -> usize {
        self.sources[uplink].pending()
    }

    /// The oldest frame that left through an uplink and was not fetched yet.
    pub fn recv(&mut self, uplink: usize) -> Option<Received> {
        self.sinks[uplink].pop()
    }

    /// Sets when the sink of an uplink takes beats.
    pub fn set_ready(&mut self, uplink: usize, pattern: Ready) {
        if self.sinks[uplink].set_pattern(pattern) {
            self.still = false;
        }
    }

    /// The oldest message that was not fetched yet.
    pub fn interrupt(&mut self) -> Option<Interrupt> {
        self.interrupts.pop_front()
    }

    /// The function that has the register map and function 0: the ECPF, or in NIC mode the first PF.
    pub fn owner(&self) -> usize {
        self.model.byte(self.nic_mode).into()
    }

    /// Reads a register of the core, as whoever has it. Time passes meanwhile.
    pub fn read32(&mut self, offset: u16) -> Result<u32, BusError> {
        self.read32_from(self.owner(), offset)
    }

    /// As [`read32`](Self::read32), through a BAR of this function.
    pub fn read32_from(&mut self, from: usize, offset: u16) -> Result<u32, BusError> {
        self.model.set_value(self.registers_from, from as u64);
        self.registers.start_read(&mut self.model, offset.into());
        self.finish(Access::Read, offset.into(), |dpu| &mut dpu.registers)
    }

    /// Writes a register of the core, as whoever has it. Time passes meanwhile.
    pub fn write32(&mut self, offset: u16, value: u32) -> Result<(), BusError> {
        self.write32_from(self.owner(), offset, value)
    }

    /// As [`write32`](Self::write32), through a BAR of this function.
    pub fn write32_from(&mut self, from: usize, offset: u16, value: u32) -> Result<(), BusError> {
        self.model.set_value(self.registers_from, from as u64);
        self.registers.start_write(&mut self.model, offset.into(), value, 0b1111);
        self.finish(Access::Write, offset.into(), |dpu| &mut dpu.registers).map(|_| ())
    }

    /// Reads the word at an offset in a function's BAR 0, as who has the function. Time passes meanwhile.
    pub fn read_bar(&mut self, function: usize, offset: u32) -> Result<u32, BusError> {
        let from = if function == ECPF { self.owner() } else { function };
        self.read_host_from(from, host_address(function as u32, offset))
    }

    /// Reads the word at an address of `s_axil_host`, through a BAR or the configuration space of function `from`. Time passes meanwhile.
    pub fn read_host_from(&mut self, from: usize, address: u32) -> Result<u32, BusError> {
        self.model.set_value(self.host_from, from as u64);
        self.host.start_read(&mut self.model, address);
        self.finish(Access::Read, address, |dpu| &mut dpu.host)
    }

    /// Writes the bytes of a word in a function's BAR 0 that `strobe` names (bit 0 = least significant), as who has the function. Time passes meanwhile.
    pub fn write_bar(&mut self, function: usize, offset: u32, value: u32, strobe: u8) -> Result<(), BusError> {
        let from = if function == ECPF { self.owner() } else { function };
        self.write_host_from(from, host_address(function as u32, offset), value, strobe)
    }

    /// As [`write_bar`](Self::write_bar), at an address, as [`read_host_from`](Self::read_host_from) has it.
    pub fn write_host_from(&mut self, from: usize, address: u32, value: u32, strobe: u8) -> Result<(), BusError> {
        self.model.set_value(self.host_from, from as u64);
        self.host.start_write(&mut self.model, address, value, strobe & 0b1111);
        self.finish(Access::Write, address, |dpu| &mut dpu.host).map(|_| ())
    }

    /// The host resets a function (PCI's function-level reset). Time passes until it is done.
    ///
    /// # Errors
    /// If it does not end.
    pub fn reset_function(&mut self, function: usize) -> Result<(), ResetError> {
        let [flr, done] = self.flr;
        self.set_bit(flr, function, true);
        let end = self.cycle + RESET_PATIENCE;
        let ended = self.step_until(end, |dpu| dpu.model.value(done) >> function & 1 == 1);
        self.set_bit(flr, function, false);
        let fell = self.step_until(end + 10, |dpu| dpu.model.value(done) >> function & 1 == 0);
        if ended && fell { Ok(()) } else { Err(ResetError { function, cycles: RESET_PATIENCE }) }
    }

    /// Simulates cycles, one at least, until what this says is so; false if it is not at `end`.
    fn step_until(&mut self, end: u64, is_so: impl Fn(&Self) -> bool) -> bool {
        while self.cycle < end {
            self.step();
            if is_so(self) {
                return true;
            }
        }
        false
    }

    fn finish(&mut self, access: Access, offset: u32, bus: fn(&mut Self) -> &mut Axi) -> Result<u32, BusError> {
        let end = self.cycle + PATIENCE;
        while bus(self).busy() {
            if self.cycle >= end {
                return Err(BusError::NoAnswer { access, offset, cycles: PATIENCE });
            }
            self.step();
        }
        match bus(self).answer() {
            Some((data, 0)) => Ok(data),
            Some((_, response)) => Err(BusError::Refused { access, offset, response }),
            None => Err(BusError::NoAnswer { access, offset, cycles: 0 }),
        }
    }

    /// Writes the waveforms of all signals in `cycles` to `path`, as [`Simulation::trace`](crate::Simulation::trace).
    ///
    /// # Errors
    /// If the file cannot be made.
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

fn sample(bus: &mut Axi, model: &Model) -> Handshakes {
    if bus.busy() { bus.sample(model) } else { Handshakes::default() }
}
