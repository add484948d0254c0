// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pins of the register bus (AXI4-Lite) and the errors that can come back.

use crate::ffi::{Model, Pin};

/// A register access that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The core answered SLVERR or DECERR: no such register, or no right to do this.
    #[error("{access} of the register at {offset:#06x} is refused (AXI response {response})")]
    Refused { access: Access, offset: u32, response: u8 },
    /// The core did not answer. A fault of the hardware: it must answer every access.
    #[error("{access} of the register at {offset:#06x} had no answer for {cycles} cycles")]
    NoAnswer { access: Access, offset: u32, cycles: u64 },
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
}

impl std::fmt::Display for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Access::Read => "reading",
            Access::Write => "writing",
        })
    }
}

/// Cycles after which an access without answer fails. A write to `DATA` waits while the tables are cleared.
pub(crate) const PATIENCE: u64 = 100_000;

/// Pins of `s_axil`.
pub(crate) struct AxiPins {
    pub awaddr: Pin,
    pub awvalid: Pin,
    pub awready: Pin,
    pub wdata: Pin,
    pub wstrb: Pin,
    pub wvalid: Pin,
    pub wready: Pin,
    pub bresp: Pin,
    pub bvalid: Pin,
    pub bready: Pin,
    pub araddr: Pin,
    pub arvalid: Pin,
    pub arready: Pin,
    pub rdata: Pin,
    pub rresp: Pin,
    pub rvalid: Pin,
    pub rready: Pin,
}

/// The master's side of one access at a time.
pub(crate) struct Axi {
    pins: AxiPins,
    /// An answer of the access under way, once it has come: data (of a read) and response.
    answer: Option<(u32, u8)>,
    busy: bool,
}

impl Axi {
    pub fn new(pins: AxiPins) -> Self {
        Self { pins, answer: None, busy: false }
    }

    /// An access is under way.
    pub fn busy(&self) -> bool {
        self.busy
    }

    /// Puts a read on the pins.
    pub fn start_read(&mut self, model: &mut Model, offset: u32) {
        let pins = &self.pins;
        model.set_value(pins.araddr, offset.into());
        model.set_byte(pins.arvalid, 1);
        model.set_byte(pins.rready, 1);
        self.busy = true;
    }

    /// Puts a write of the bytes that `strobe` names on the pins.
    pub fn start_write(&mut self, model: &mut Model, offset: u32, value: u32, strobe: u8) {
        let pins = &self.pins;
        model.set_value(pins.awaddr, offset.into());
        model.set_byte(pins.awvalid, 1);
        model.set_value(pins.wdata, value.into());
        model.set_byte(pins.wstrb, strobe);
        model.set_byte(pins.wvalid, 1);
        model.set_byte(pins.bready, 1);
        self.busy = true;
    }

    /// Before the clock, with all inputs settled: which handshakes happen with this clock.
    pub fn sample(&mut self, model: &Model) -> Handshakes {
        let pins = &self.pins;
        let both = |valid, ready| model.byte(valid) != 0 && model.byte(ready) != 0;
        let read = both(pins.rvalid, pins.rready);
        let written = both(pins.bvalid, pins.bready);
        if read {
            self.answer = Some((model.value(pins.rdata) as u32, model.byte(pins.rresp)));
        } else if written {
            self.answer = Some((0, model.byte(pins.bresp)));
        }
        Handshakes {
            ar: both(pins.arvalid, pins.arready),
            aw: both(pins.awvalid, pins.awready),
            w: both(pins.wvalid, pins.wready),
            done: read || written,
        }
    }

    /// After the clock: takes back what was accepted.
    pub fn advance(&mut self, model: &mut Model, handshakes: Handshakes) {
        let pins = &self.pins;
        for (happened, pin) in [
            (handshakes.ar, pins.arvalid),
            (handshakes.aw, pins.awvalid),
            (handshakes.w, pins.wvalid),
            (handshakes.done, pins.rready),
            (handshakes.done, pins.bready),
        ] {
            if happened {
                model.set_byte(pin, 0);
            }
        }
        if handshakes.done {
            self.busy = false;
        }
    }

    /// The answer of the access that ended.
    pub fn answer(&mut self) -> Option<(u32, u8)> {
        self.answer.take()
    }
}

/// Transfers on the bus's channels in one clock.
#[derive(Clone, Copy, Default)]
pub(crate) struct Handshakes {
    ar: bool,
    aw: bool,
    w: bool,
    done: bool,
}
