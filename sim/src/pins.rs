// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds the pins of a model.

use crate::axi::AxiPins;
use crate::clocks::{ClockArray, ClockPins, Clocks, HOST_CLOCKS, HOST_PARTS, PARTS};
use crate::ffi::{Model, Pin};
use crate::new_error::NewError;
use crate::sink::SinkPins;
use crate::source::SourcePins;
use millrace_regs::config::Preset;

/// Looks pins up by the names that the core's Verilog gives them.
pub(crate) struct PinFinder<'a> {
    pub model: &'a Model,
    pub preset: Preset,
}

impl PinFinder<'_> {
    fn find(&self, name: &str, input: bool, bits: usize) -> Result<Pin, NewError> {
        let direction = if input { "input" } else { "output" };
        let missing = || NewError::NoPin { preset: self.preset, name: name.into(), direction, bits };
        self.model.pin(name, input, bits).ok_or_else(missing)
    }

    pub fn input(&self, name: &str, bits: usize) -> Result<Pin, NewError> {
        self.find(name, true, bits)
    }

    pub fn output(&self, name: &str, bits: usize) -> Result<Pin, NewError> {
        self.find(name, false, bits)
    }

    fn clock(&self, part: &str) -> Result<ClockPins, NewError> {
        Ok(ClockPins { clock: self.input(&format!("clock{part}"), 1)?, idle: self.output(&format!("idle{part}"), 1)? })
    }

    fn clock_array(&self, name: &str, count: usize) -> Result<ClockArray, NewError> {
        let clocks = (0..count).map(|i| self.input(&format!("clock_{name}_{i}"), 1)).collect::<Result<_, _>>()?;
        Ok(ClockArray { clocks, idle: self.output(&format!("idle_{name}"), count)? })
    }

    /// All clocks of the core, and of its host side.
    pub fn clocks(&self) -> Result<Clocks, NewError> {
        let config = self.preset.config();
        let mut arrays = vec![self.clock_array("port", config.queues())?];
        let mut single = PARTS.map(|part| format!("_{part}")).to_vec();
        if config.has_host_side() {
            arrays.push(self.clock_array("part", HOST_CLOCKS)?);
            single.extend(HOST_PARTS.map(|part| format!("_{part}")));
        }
        single.push(String::new());
        let single = single.iter().map(|part| self.clock(part)).collect::<Result<_, _>>()?;
        Ok(Clocks::new(arrays, single))
    }

    /// Data, byte count, last.
    fn beat_bits(&self) -> usize {
        let bits = self.preset.config().bus_bits;
        bits + (bits / 8).ilog2() as usize + 2
    }

    pub fn source(&self, stream: &str, error: Option<&str>, vport: Option<&str>) -> Result<SourcePins, NewError> {
        Ok(SourcePins {
            data: self.input(&format!("{stream}_data"), self.beat_bits())?,
            valid: self.input(&format!("{stream}_valid"), 1)?,
            ready: self.output(&format!("{stream}_ready"), 1)?,
            error: error.map(|name| self.input(name, 1)).transpose()?,
            vport: vport.map(|name| self.input(name, 8)).transpose()?,
        })
    }

    pub fn sink(&self, stream: &str) -> Result<SinkPins, NewError> {
        Ok(SinkPins {
            data: self.output(&format!("{stream}_data"), self.beat_bits())?,
            valid: self.output(&format!("{stream}_valid"), 1)?,
            ready: self.input(&format!("{stream}_ready"), 1)?,
        })
    }

    /// A register bus.
    pub fn axi(&self, bus: &str, address_bits: usize) -> Result<AxiPins, NewError> {
        let input = |name: &str, bits| self.input(&format!("{bus}_{name}"), bits);
        let output = |name: &str, bits| self.output(&format!("{bus}_{name}"), bits);
        Ok(AxiPins {
            awaddr: input("awaddr", address_bits)?,
            awvalid: input("awvalid", 1)?,
            awready: output("awready", 1)?,
            wdata: input("wdata", 32)?,
            wstrb: input("wstrb", 4)?,
            wvalid: input("wvalid", 1)?,
            wready: output("wready", 1)?,
            bresp: output("bresp", 2)?,
            bvalid: output("bvalid", 1)?,
            bready: input("bready", 1)?,
            araddr: input("araddr", address_bits)?,
            arvalid: input("arvalid", 1)?,
            arready: output("arready", 1)?,
            rdata: output("rdata", 32)?,
            rresp: output("rresp", 2)?,
            rvalid: output("rvalid", 1)?,
            rready: input("rready", 1)?,
        })
    }
}
