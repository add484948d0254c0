// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the header window to the match key.

use super::beside::Beside;
use super::parser_l2::ParserL2;
use super::parser_l3::ParserL3;
use super::parser_l4::ParserL4;
use crate::core::types::{Parsed, Window};
use rust_hdl_core::prelude::*;

/// Parses one header per clock, or built for that one in four clocks, in 6 clocks. "Parser" in `docs/hardware.md` says what.
///
/// The window of a faulty frame or a packet-out passes through; only `vport`, `packet_out`, `len` and `fault` of its result mean
/// anything. Of a punted frame these and `punt`. `l4_words` is valid with `l3`.
#[millrace_hdl::block]
pub struct Parser {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window: Signal<In, Window>,
    pub valid: Signal<In, Bit>,
    /// Stays until the next one.
    pub parsed: Signal<Out, Parsed>,
    pub parsed_valid: Signal<Out, Bit>,
    /// No header is inside or comes in: a clock changes nothing.
    pub idle: Signal<Out, Bit>,
    part_l2: ParserL2,
    part_l3: ParserL3,
    part_l4: ParserL4,
    /// The frame beside the second clock, the third and the fourth: with two tags and the longest IPv4 header, 14 bytes of TCP are in
    /// its first 96 bytes.
    body: Beside<Bits<592>>,
    body_late: Beside<Bits<592>>,
    tail: Beside<Bits<496>>,
}

#[millrace_hdl::block]
impl Parser {
    /// Clocks from `valid` to `parsed_valid`.
    pub const LATENCY: usize = 6;

    /// For a header in each clock.
    pub fn at_once() -> Self {
        Self { body: Beside::at_once(), body_late: Beside::at_once(), tail: Beside::at_once(), ..Default::default() }
    }

    /// For headers at least four clocks apart.
    pub fn in_turn() -> Self {
        Self { body: Beside::in_turn(), body_late: Beside::in_turn(), tail: Beside::in_turn(), ..Default::default() }
    }

    fn update(&mut self) {
        self.part_l2.window = self.window;
        self.part_l2.valid = self.valid;
        self.part_l3.inp = self.part_l2.out;
        let hdr = self.part_l2.hdr;
        self.body.inp = hdr.get_bits::<592>(176);
        self.part_l3.body = self.body.out;
        self.body_late.inp = self.body.out;
        let late = self.body_late.out;
        self.tail.inp = late.get_bits::<496>(96);
        self.part_l4.tail = self.tail.out;
        self.part_l3.valid = self.part_l2.out_valid;
        self.part_l4.inp = self.part_l3.out;
        self.part_l4.valid = self.part_l3.out_valid;
        self.parsed = self.part_l4.parsed;
        self.parsed_valid = self.part_l4.out_valid;
        self.idle = !self.valid & self.part_l2.idle & self.part_l3.idle & self.part_l4.idle;
    }
}

#[cfg(test)]
#[path = "parser_tests.rs"]
mod tests;
