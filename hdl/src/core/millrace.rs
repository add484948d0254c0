// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole core, and the builds of it.

use super::pass::types::{NOTE_WIDTH, Note};
use super::pipeline::Pipeline;
use super::types::Beat;
use crate::base::{Snk, Src};
use crate::bus::{AxiLite, AxilSlave};
use crate::core::control::control::Control;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// The fast path with its registers: what goes on a board, and into the simulation.
///
/// Pins: see `docs/fast-path.md`. `reset` is synchronous, high for two clocks or more of both clocks. A beat on a pin is a
/// [`Beat`]: data in the low bits, then the byte count, then `last`. `packet_out_vport` is held through the frame; `upcall_vport` and
/// `upcall_reason`, with passes also `upcall_pass` and `upcall_metadata`, are valid with every beat of `upcall`.
#[millrace_hdl::block]
pub struct Millrace<const SIZES: Sizes> {
    /// As of [`Pipeline`].
    pub clock: Signal<In, Clock>,
    pub clock_parse: Signal<In, Clock>,
    pub clock_match: Signal<In, Clock>,
    pub clock_hash: Signal<In, Clock>,
    pub clock_compare: Signal<In, Clock>,
    pub clock_select: Signal<In, Clock>,
    pub clock_expand: Signal<In, Clock>,
    pub clock_edit: Signal<In, Clock>,
    #[count(SIZES.queues)]
    pub clock_port: Vec<Signal<In, Clock>>,
    /// Of `AxiLite` and `Control`.
    pub clock_ctrl: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(SIZES.vports)]
    pub rx: Vec<Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    #[count(SIZES.vports)]
    pub rx_error: Vec<Signal<In, Bit>>,
    #[count(SIZES.vports)]
    pub tx: Vec<Src<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    /// Bit v: transmit queue v holds a whole frame or more, so that `tx[v]` will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<{ SIZES.vports }>>,
    pub packet_out: Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    pub packet_out_vport: Signal<In, Bits<8>>,
    /// With the last beat: the frame is damaged, and dropped as `drop_rx_error` of its destination.
    pub packet_out_error: Signal<In, Bit>,
    pub upcall: Src<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    /// As `tx_whole`, of `upcall`.
    pub upcall_whole: Signal<Out, Bit>,
    pub upcall_vport: Signal<Out, Bits<8>>,
    pub upcall_reason: Signal<Out, Bits<8>>,
    /// Of which pass the upcall is, in builds with passes.
    pub upcall_pass: Signal<Out, Bits<{ SIZES.pass_bits }>>,
    pub upcall_metadata: Signal<Out, Bits<{ SIZES.metadata_bits }>>,
    pub s_axil: AxilSlave,
    /// Each clock may stand still while its `idle` is high and nothing comes in: on the stream of `clock_port`, on `s_axil` for `clock_ctrl`.
    pub idle: Signal<Out, Bit>,
    pub idle_parse: Signal<Out, Bit>,
    pub idle_match: Signal<Out, Bit>,
    pub idle_hash: Signal<Out, Bit>,
    pub idle_compare: Signal<Out, Bit>,
    pub idle_select: Signal<Out, Bit>,
    pub idle_expand: Signal<Out, Bit>,
    pub idle_edit: Signal<Out, Bit>,
    pub idle_port: Signal<Out, Bits<{ SIZES.queues }>>,
    pub idle_ctrl: Signal<Out, Bit>,

    pipeline: Pipeline<SIZES>,
    #[clock(clock_ctrl)]
    control: Control<SIZES>,
    #[clock(clock_ctrl)]
    axi: AxiLite,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Millrace<SIZES> {
    /// The core of a build.
    ///
    /// # Panics
    /// If `SIZES` is not of `config`.
    pub fn new(config: &Config) -> Self {
        Self { pipeline: Pipeline::new(config), control: Control::new(config), ..Default::default() }
    }

    fn update(&mut self) {
        self.pipeline.clock_parse = self.clock_parse;
        self.pipeline.clock_match = self.clock_match;
        self.pipeline.clock_hash = self.clock_hash;
        self.pipeline.clock_compare = self.clock_compare;
        self.pipeline.clock_select = self.clock_select;
        self.pipeline.clock_expand = self.clock_expand;
        self.pipeline.clock_edit = self.clock_edit;
        for i in 0..SIZES.queues {
            self.pipeline.clock_port[i] = self.clock_port[i];
        }

        comment!("streams");
        for i in 0..SIZES.vports {
            link(self.rx[i], self.pipeline.rx[i]);
            self.pipeline.rx_error[i] = self.rx_error[i];
            link(self.tx[i], self.pipeline.tx[i]);
        }
        self.tx_whole = self.pipeline.tx_whole;
        link(self.packet_out, self.pipeline.packet_out);
        self.pipeline.packet_out_vport = self.packet_out_vport;
        self.pipeline.packet_out_error = self.packet_out_error;
        let sent_up = self.pipeline.upcall.data;
        self.upcall.data = Beat { data: sent_up.data, bytes: sent_up.bytes, last: sent_up.last };
        self.upcall.valid = self.pipeline.upcall.valid;
        self.pipeline.upcall.ready = self.upcall.ready;
        self.upcall_whole = self.pipeline.upcall_whole;
        self.upcall_vport = sent_up.vport;
        self.upcall_reason = cast::<8>(sent_up.reason);
        for _passes in 0..SIZES.note_bits / NOTE_WIDTH {
            let note = unpack::<Note>(cast::<NOTE_WIDTH>(sent_up.note));
            self.upcall_pass = cast::<{ SIZES.pass_bits }>(note.number);
            self.upcall_metadata = cast::<{ SIZES.metadata_bits }>(note.metadata);
        }

        comment!("registers");
        link(self.s_axil, self.axi.s_axil);
        self.control.write = self.axi.write;
        self.control.read = self.axi.read;
        self.control.address = self.axi.address;
        self.control.write_data = self.axi.write_data;
        self.axi.read_data = self.control.read_data;
        self.axi.ack = self.control.ack;
        self.axi.error = self.control.error;
        self.pipeline.request = self.control.request;
        self.pipeline.op = self.control.op;
        self.pipeline.table_number = self.control.table_number;
        self.pipeline.index = self.control.index;
        self.pipeline.data = self.control.data;
        self.control.done = self.pipeline.done;
        self.control.counted = self.pipeline.counted;
        self.control.packets = self.pipeline.packets;
        self.control.bytes = self.pipeline.bytes;
        self.control.epoch = self.pipeline.epoch;
        self.pipeline.age_epoch = self.control.age_epoch;
        let mut drop_when_full: Bits<{ SIZES.queues }> = 0;
        for i in 0..SIZES.queues {
            drop_when_full.set_bit(i, self.control.drop_when_full[i]);
            self.control.queue_packets[i] = self.pipeline.queue_packets[i];
            self.control.queue_bytes[i] = self.pipeline.queue_bytes[i];
            self.control.queue_drops[i] = self.pipeline.queue_drops[i];
        }
        self.pipeline.drop_when_full = drop_when_full;
        self.control.matched = self.pipeline.matched;
        self.control.acted = self.pipeline.acted;

        comment!("clocks that may stand still");
        self.idle = self.pipeline.idle & !self.control.pending;
        self.idle_parse = self.pipeline.idle_parse;
        self.idle_match = self.pipeline.idle_match;
        self.idle_hash = self.pipeline.idle_hash;
        self.idle_compare = self.pipeline.idle_compare;
        self.idle_select = self.pipeline.idle_select;
        self.idle_expand = self.pipeline.idle_expand;
        self.idle_edit = self.pipeline.idle_edit;
        self.idle_port = self.pipeline.idle_port;
        self.idle_ctrl = self.axi.idle & self.control.idle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sizes::Sizes;
    use crate::sized;
    use crate::testing::{beats, bytes, settle, tick_those};
    use millrace_regs::config::Preset;
    use std::collections::VecDeque;

    const ECP5: Config = Preset::Ecp5.config();
    const ECP5_SIZES: Sizes = Sizes::of(&ECP5);
    type Ecp5Core = sized!(Millrace<ECP5_SIZES>);

    /// The smallest core on one clock, with a sink at each output.
    struct Bench {
        core: Box<Ecp5Core>,
        clocks: usize,
        sources: Vec<VecDeque<Beat<64, 4>>>,
        /// Of each vport, then of `upcall`: frames so far and the beginning of the next.
        sinks: Vec<(Vec<Vec<u8>>, Vec<u8>)>,
        upcalls: Vec<(u64, u64)>,
    }

    const PORTS: usize = ECP5.vports();

    /// The clocks, and whether each must run; `sent_to` says of a port whether something is sent to it.
    fn clocks(core: &mut Ecp5Core, sent_to: impl Fn(usize) -> bool) -> Vec<(&mut Signal<In, Clock>, bool)> {
        let idle = core.idle_port.val();
        let ports = core.clock_port.iter_mut().enumerate();
        let mut clocks: Vec<_> = ports.map(|(i, clock)| (clock, !idle.get_bit(i) || sent_to(i))).collect();
        clocks.extend([
            (&mut core.clock, !core.idle.val()),
            (&mut core.clock_ctrl, !core.idle_ctrl.val()),
            (&mut core.clock_parse, !core.idle_parse.val()),
            (&mut core.clock_match, !core.idle_match.val()),
            (&mut core.clock_hash, !core.idle_hash.val()),
            (&mut core.clock_compare, !core.idle_compare.val()),
            (&mut core.clock_select, !core.idle_select.val()),
            (&mut core.clock_expand, !core.idle_expand.val()),
            (&mut core.clock_edit, !core.idle_edit.val()),
        ]);
        clocks
    }

    impl Bench {
        fn new() -> Self {
            let mut core = Box::new(Ecp5Core::new(&ECP5));
            core.connect_all();
            let sources = vec![VecDeque::new(); PORTS + 1];
            let mut bench =
                Self { core, clocks: 0, sources, sinks: vec![Default::default(); PORTS + 1], upcalls: vec![] };
            bench.core.reset.next = true;
            for _ in 0..3 {
                bench.clock();
            }
            bench.core.reset.next = false;
            bench
        }

        fn send(&mut self, source: usize, frame: &[u8]) {
            self.sources[source].extend(beats::<64, 4>(frame));
        }

        /// One clock: inputs settle, transfers count, rising and falling edge.
        fn clock(&mut self) {
            let core = &mut self.core;
            for (i, source) in self.sources.iter().enumerate() {
                let (valid, data) = (!source.is_empty(), source.front().copied().unwrap_or_default());
                match core.rx.get_mut(i) {
                    Some(rx) => (rx.valid.next, rx.data.next) = (valid, data),
                    None => (core.packet_out.valid.next, core.packet_out.data.next) = (valid, data),
                }
            }
            for tx in &mut core.tx {
                tx.ready.next = true;
            }
            core.upcall.ready.next = true;
            settle(&mut **core);
            for (i, source) in self.sources.iter_mut().enumerate() {
                if core.rx.get(i).map_or(core.packet_out.ready.val(), |rx| rx.ready.val()) {
                    source.pop_front();
                }
            }
            for (i, (frames, partial)) in self.sinks.iter_mut().enumerate() {
                let out = core.tx.get(i).unwrap_or(&core.upcall);
                if out.valid.val() {
                    let beat = out.data.val();
                    partial.extend_from_slice(&bytes(beat.data, beat.bytes));
                    if beat.last {
                        frames.push(std::mem::take(partial));
                        if i == PORTS {
                            self.upcalls.push((core.upcall_vport.val().to_u64(), core.upcall_reason.val().to_u64()));
                        }
                    }
                }
            }
            let sources = &self.sources;
            let reset = core.reset.val();
            tick_those(&mut **core, |core| {
                let clocks = clocks(core, |port| !sources[port].is_empty());
                clocks.into_iter().map(|(clock, runs)| (clock, runs || reset)).collect()
            });
            self.clocks += 1;
        }

        fn run_until_idle(&mut self) {
            let mut quiet = 0;
            while quiet < 2 {
                self.clock();
                let waiting = self.sources.iter().any(|s| !s.is_empty());
                let idle = clocks(&mut self.core, |_| false).iter().all(|(_, runs)| !runs);
                quiet = if !waiting && idle { quiet + 1 } else { 0 };
                assert!(self.clocks < 5000, "never idle");
            }
        }
    }

    fn udp(len: usize) -> Vec<u8> {
        let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0];
        frame.extend(((len - 14) as u16).to_be_bytes());
        frame.extend([0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x00, 0x35]);
        frame.extend(((len - 34) as u16).to_be_bytes());
        frame.extend([0, 0]);
        frame.extend((frame.len()..len).map(|i| i as u8));
        frame
    }

    #[test]
    fn a_frame_without_a_rule_goes_to_the_slow_path_and_a_packet_out_to_its_vport() {
        let mut bench = Bench::new();
        let frames = [udp(60), udp(200), udp(61)];
        bench.send(1, &frames[0]);
        bench.send(3, &frames[1]);
        bench.send(1, &frames[2]);
        bench.run_until_idle();
        let upcalls = bench.sinks[PORTS].0.clone();
        assert_eq!(upcalls.len(), 3);
        assert!(frames.iter().all(|f| upcalls.contains(f)), "unchanged");
        bench.upcalls.sort();
        assert_eq!(bench.upcalls, [(1, 0), (1, 0), (3, 0)]);

        bench.core.packet_out_vport.next = 2u64.into();
        bench.send(PORTS, &frames[1]);
        bench.run_until_idle();
        assert_eq!(bench.sinks[2].0, [frames[1].clone()]);
        assert!(bench.sinks.iter().enumerate().all(|(i, s)| i == 2 || i == PORTS || s.0.is_empty()));
    }
}
