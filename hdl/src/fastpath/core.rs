// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole core, and the builds of it.

use super::axi_lite::AxiLite;
use super::control::Control;
use super::pipeline::Pipeline;
use super::sizes::*;
use super::types::Beat;
use crate::base::{Snk, Src, Tag};
use crate::comment;
use millrace_regs::config::{Config, Preset};
use rust_hdl_core::prelude::*;

/// The fast path with its registers: what goes on a board, and into the simulation. Const parameters: as of [`Pipeline`].
///
/// Pins: see `docs/fast-path.md`. `reset` is synchronous, high for two clocks or more of both clocks. A beat on a pin is a
/// [`Beat`]: data in the low bits, then the byte count, then `last`. `packet_out_vport` is held through the frame; `upcall_vport` and
/// `upcall_reason` are valid with every beat of `upcall`.
#[derive(LogicBlock)]
pub struct Millrace<
    const W: usize,
    const C: usize,
    const B: usize,
    const D: usize,
    const A: usize,
    const P: usize,
    const H: usize,
    const N: usize,
    const Q: usize,
    const S: usize,
    const U: usize,
    const T: usize,
    const X: usize,
    const Y: usize,
    const K: usize,
    const R: usize,
    const V: usize,
> {
    tag: Tag<Self>,
    /// As of [`Pipeline`].
    pub clock: Signal<In, Clock>,
    pub clock_parse: Signal<In, Clock>,
    pub clock_match: Signal<In, Clock>,
    pub clock_hash: Signal<In, Clock>,
    pub clock_compare: Signal<In, Clock>,
    pub clock_select: Signal<In, Clock>,
    pub clock_expand: Signal<In, Clock>,
    pub clock_edit: Signal<In, Clock>,
    pub clock_port: Vec<Signal<In, Clock>>,
    /// Of `AxiLite` and `Control`.
    pub clock_ctrl: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub rx: Vec<Snk<Beat<W, C>>>,
    pub rx_error: Vec<Signal<In, Bit>>,
    pub tx: Vec<Src<Beat<W, C>>>,
    /// Bit v: transmit queue v holds a whole frame or more, so that `tx[v]` will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<N>>,
    pub packet_out: Snk<Beat<W, C>>,
    pub packet_out_vport: Signal<In, Bits<8>>,
    /// With the last beat: the frame is damaged, and dropped as `drop_rx_error` of its destination.
    pub packet_out_error: Signal<In, Bit>,
    pub upcall: Src<Beat<W, C>>,
    /// As `tx_whole`, of `upcall`.
    pub upcall_whole: Signal<Out, Bit>,
    pub upcall_vport: Signal<Out, Bits<8>>,
    pub upcall_reason: Signal<Out, Bits<8>>,
    pub s_axil_awaddr: Signal<In, Bits<16>>,
    pub s_axil_awvalid: Signal<In, Bit>,
    pub s_axil_awready: Signal<Out, Bit>,
    pub s_axil_wdata: Signal<In, Bits<32>>,
    pub s_axil_wstrb: Signal<In, Bits<4>>,
    pub s_axil_wvalid: Signal<In, Bit>,
    pub s_axil_wready: Signal<Out, Bit>,
    pub s_axil_bresp: Signal<Out, Bits<2>>,
    pub s_axil_bvalid: Signal<Out, Bit>,
    pub s_axil_bready: Signal<In, Bit>,
    pub s_axil_araddr: Signal<In, Bits<16>>,
    pub s_axil_arvalid: Signal<In, Bit>,
    pub s_axil_arready: Signal<Out, Bit>,
    pub s_axil_rdata: Signal<Out, Bits<32>>,
    pub s_axil_rresp: Signal<Out, Bits<2>>,
    pub s_axil_rvalid: Signal<Out, Bit>,
    pub s_axil_rready: Signal<In, Bit>,
    /// Each clock may stand still while its `idle` is high and nothing comes in: on the stream of `clock_port`, on `s_axil` for `clock_ctrl`.
    pub idle: Signal<Out, Bit>,
    pub idle_parse: Signal<Out, Bit>,
    pub idle_match: Signal<Out, Bit>,
    pub idle_hash: Signal<Out, Bit>,
    pub idle_compare: Signal<Out, Bit>,
    pub idle_select: Signal<Out, Bit>,
    pub idle_expand: Signal<Out, Bit>,
    pub idle_edit: Signal<Out, Bit>,
    pub idle_port: Signal<Out, Bits<Q>>,
    pub idle_ctrl: Signal<Out, Bit>,

    pipeline: Pipeline<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V>,
    control: Control,
    axi: AxiLite,
    sent_up: Signal<Local, Beat<W, C>>,
}

impl<
    const W: usize,
    const C: usize,
    const B: usize,
    const D: usize,
    const A: usize,
    const P: usize,
    const H: usize,
    const N: usize,
    const Q: usize,
    const S: usize,
    const U: usize,
    const T: usize,
    const X: usize,
    const Y: usize,
    const K: usize,
    const R: usize,
    const V: usize,
> Millrace<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V>
{
    /// The core of a build.
    ///
    /// # Panics
    /// If the const parameters are not those of `config`.
    pub fn new(config: &Config) -> Self {
        Self {
            tag: Default::default(),
            clock: Default::default(),
            clock_parse: Default::default(),
            clock_match: Default::default(),
            clock_hash: Default::default(),
            clock_compare: Default::default(),
            clock_select: Default::default(),
            clock_expand: Default::default(),
            clock_edit: Default::default(),
            clock_port: vec![Default::default(); Q],
            clock_ctrl: Default::default(),
            reset: Default::default(),
            rx: vec![Default::default(); N],
            rx_error: vec![Default::default(); N],
            tx: vec![Default::default(); N],
            tx_whole: Default::default(),
            packet_out: Default::default(),
            packet_out_vport: Default::default(),
            packet_out_error: Default::default(),
            upcall: Default::default(),
            upcall_whole: Default::default(),
            upcall_vport: Default::default(),
            upcall_reason: Default::default(),
            s_axil_awaddr: Default::default(),
            s_axil_awvalid: Default::default(),
            s_axil_awready: Default::default(),
            s_axil_wdata: Default::default(),
            s_axil_wstrb: Default::default(),
            s_axil_wvalid: Default::default(),
            s_axil_wready: Default::default(),
            s_axil_bresp: Default::default(),
            s_axil_bvalid: Default::default(),
            s_axil_bready: Default::default(),
            s_axil_araddr: Default::default(),
            s_axil_arvalid: Default::default(),
            s_axil_arready: Default::default(),
            s_axil_rdata: Default::default(),
            s_axil_rresp: Default::default(),
            s_axil_rvalid: Default::default(),
            s_axil_rready: Default::default(),
            idle: Default::default(),
            idle_parse: Default::default(),
            idle_match: Default::default(),
            idle_hash: Default::default(),
            idle_compare: Default::default(),
            idle_select: Default::default(),
            idle_expand: Default::default(),
            idle_edit: Default::default(),
            idle_port: Default::default(),
            idle_ctrl: Default::default(),
            pipeline: Pipeline::new(config),
            control: Control::new(config),
            axi: Default::default(),
            sent_up: Default::default(),
        }
    }
}

impl<
    const W: usize,
    const C: usize,
    const B: usize,
    const D: usize,
    const A: usize,
    const P: usize,
    const H: usize,
    const N: usize,
    const Q: usize,
    const S: usize,
    const U: usize,
    const T: usize,
    const X: usize,
    const Y: usize,
    const K: usize,
    const R: usize,
    const V: usize,
> Logic for Millrace<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V>
{
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.pipeline.clock.next = self.clock.val();
        self.pipeline.clock_parse.next = self.clock_parse.val();
        self.pipeline.clock_match.next = self.clock_match.val();
        self.pipeline.clock_hash.next = self.clock_hash.val();
        self.pipeline.clock_compare.next = self.clock_compare.val();
        self.pipeline.clock_select.next = self.clock_select.val();
        self.pipeline.clock_expand.next = self.clock_expand.val();
        self.pipeline.clock_edit.next = self.clock_edit.val();
        for i in 0..Q {
            self.pipeline.clock_port[i].next = self.clock_port[i].val();
        }
        self.pipeline.reset.next = self.reset.val();
        self.control.clock.next = self.clock_ctrl.val();
        self.control.reset.next = self.reset.val();
        self.axi.clock.next = self.clock_ctrl.val();
        self.axi.reset.next = self.reset.val();

        comment!("streams");
        for i in 0..N {
            self.pipeline.rx[i].data.next = self.rx[i].data.val();
            self.pipeline.rx[i].valid.next = self.rx[i].valid.val();
            self.rx[i].ready.next = self.pipeline.rx[i].ready.val();
            self.pipeline.rx_error[i].next = self.rx_error[i].val();
            self.tx[i].data.next = self.pipeline.tx[i].data.val();
            self.tx[i].valid.next = self.pipeline.tx[i].valid.val();
            self.pipeline.tx[i].ready.next = self.tx[i].ready.val();
        }
        self.tx_whole.next = self.pipeline.tx_whole.val();
        self.pipeline.packet_out.data.next = self.packet_out.data.val();
        self.pipeline.packet_out.valid.next = self.packet_out.valid.val();
        self.packet_out.ready.next = self.pipeline.packet_out.ready.val();
        self.pipeline.packet_out_vport.next = self.packet_out_vport.val();
        self.pipeline.packet_out_error.next = self.packet_out_error.val();
        self.sent_up.next.data = self.pipeline.upcall.data.val().data;
        self.sent_up.next.bytes = self.pipeline.upcall.data.val().bytes;
        self.sent_up.next.last = self.pipeline.upcall.data.val().last;
        self.upcall_whole.next = self.pipeline.upcall_whole.val();
        self.upcall.data.next = self.sent_up.val();
        self.upcall.valid.next = self.pipeline.upcall.valid.val();
        self.pipeline.upcall.ready.next = self.upcall.ready.val();
        self.upcall_vport.next = self.pipeline.upcall.data.val().vport;
        self.upcall_reason.next = bit_cast::<8, 2>(self.pipeline.upcall.data.val().reason);

        comment!("registers");
        self.axi.awaddr.next = self.s_axil_awaddr.val();
        self.axi.awvalid.next = self.s_axil_awvalid.val();
        self.s_axil_awready.next = self.axi.awready.val();
        self.axi.wdata.next = self.s_axil_wdata.val();
        self.axi.wstrb.next = self.s_axil_wstrb.val();
        self.axi.wvalid.next = self.s_axil_wvalid.val();
        self.s_axil_wready.next = self.axi.wready.val();
        self.s_axil_bresp.next = self.axi.bresp.val();
        self.s_axil_bvalid.next = self.axi.bvalid.val();
        self.axi.bready.next = self.s_axil_bready.val();
        self.axi.araddr.next = self.s_axil_araddr.val();
        self.axi.arvalid.next = self.s_axil_arvalid.val();
        self.s_axil_arready.next = self.axi.arready.val();
        self.s_axil_rdata.next = self.axi.rdata.val();
        self.s_axil_rresp.next = self.axi.rresp.val();
        self.s_axil_rvalid.next = self.axi.rvalid.val();
        self.axi.rready.next = self.s_axil_rready.val();
        self.control.write.next = self.axi.write.val();
        self.control.read.next = self.axi.read.val();
        self.control.address.next = self.axi.address.val();
        self.control.write_data.next = self.axi.write_data.val();
        self.axi.read_data.next = self.control.read_data.val();
        self.axi.ack.next = self.control.ack.val();
        self.axi.error.next = self.control.error.val();
        self.pipeline.request.next = self.control.request.val();
        self.pipeline.op.next = self.control.op.val();
        self.pipeline.table_number.next = self.control.table_number.val();
        self.pipeline.index.next = self.control.index.val();
        self.pipeline.data.next = self.control.data.val();
        self.control.done.next = self.pipeline.done.val();
        self.control.counted.next = self.pipeline.counted.val();
        self.control.packets.next = self.pipeline.packets.val();
        self.control.bytes.next = self.pipeline.bytes.val();
        self.control.epoch.next = self.pipeline.epoch.val();
        self.pipeline.age_epoch.next = self.control.age_epoch.val();
        self.pipeline.drop_when_full.next = bit_cast::<Q, 32>(self.control.drop_when_full.val());
        for i in 0..Q {
            self.control.queue_packets[i].next = self.pipeline.queue_packets[i].val();
            self.control.queue_bytes[i].next = self.pipeline.queue_bytes[i].val();
            self.control.queue_drops[i].next = self.pipeline.queue_drops[i].val();
        }
        self.control.matched.next = self.pipeline.matched.val();
        self.control.acted.next = self.pipeline.acted.val();

        self.idle.next = self.pipeline.idle.val() & !self.control.pending.val();
        self.idle_parse.next = self.pipeline.idle_parse.val();
        self.idle_match.next = self.pipeline.idle_match.val();
        self.idle_hash.next = self.pipeline.idle_hash.val();
        self.idle_compare.next = self.pipeline.idle_compare.val();
        self.idle_select.next = self.pipeline.idle_select.val();
        self.idle_expand.next = self.pipeline.idle_expand.val();
        self.idle_edit.next = self.pipeline.idle_edit.val();
        self.idle_port.next = self.pipeline.idle_port.val();
        self.idle_ctrl.next = self.axi.idle.val() & self.control.idle.val();
    }
}

/// The type of a build's core.
macro_rules! core_of {
    ($config:expr) => {
        Millrace<
            { $config.bus_bits },
            { count_bits(&$config) },
            { buffer_log2(&$config) },
            { buffer_log2(&$config) + 1 },
            { payload_log2(&$config) },
            { payload_log2(&$config) + 1 },
            { payload_log2(&$config) - 1 },
            { $config.vports() },
            { $config.queues() },
            { $config.slots_log2 },
            { $config.slots_log2 + 2 },
            { $config.tcam_entries },
            { hash_rules_log2(&$config) },
            { tcam_log2(&$config) },
            { $config.steps_log2 },
            { rule_bits(&$config) },
            { verdict_bits(&$config) },
        >
    };
}

const SIM: Config = Preset::Sim.config();
const ECP5: Config = Preset::Ecp5.config();
const ECP5_SMALL: Config = Preset::Ecp5Small.config();
const ALVEO: Config = Preset::Alveo.config();
const W128: Config = Preset::W128.config();
const W256: Config = Preset::W256.config();
const W1024: Config = Preset::W1024.config();

/// The core of preset `sim`.
pub type SimCore = core_of!(SIM);
/// The core of preset `ecp5`.
pub type Ecp5Core = core_of!(ECP5);
/// The core of preset `ecp5-small`.
pub type Ecp5SmallCore = core_of!(ECP5_SMALL);
/// The core of preset `alveo`.
pub type AlveoCore = core_of!(ALVEO);
/// The core of preset `w128`.
pub type W128Core = core_of!(W128);
/// The core of preset `w256`.
pub type W256Core = core_of!(W256);
/// The core of preset `w1024`.
pub type W1024Core = core_of!(W1024);

/// The core of a preset, connected.
pub fn build(preset: Preset) -> Box<dyn Block> {
    let mut core: Box<dyn Block> = match preset {
        Preset::Sim => Box::new(SimCore::new(&SIM)),
        Preset::Ecp5 => Box::new(Ecp5Core::new(&ECP5)),
        Preset::Ecp5Small => Box::new(Ecp5SmallCore::new(&ECP5_SMALL)),
        Preset::Alveo => Box::new(AlveoCore::new(&ALVEO)),
        Preset::W128 => Box::new(W128Core::new(&W128)),
        Preset::W256 => Box::new(W256Core::new(&W256)),
        Preset::W1024 => Box::new(W1024Core::new(&W1024)),
    };
    core.connect_all();
    core
}

/// The Verilog of a preset; its top module is `millrace`.
///
/// # Errors
/// Every place in a block that has no Verilog. (None in a commit that passes the tests.)
pub fn verilog(preset: Preset) -> Result<String, Vec<String>> {
    crate::emit::verilog(build(preset).as_ref(), Some("millrace"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{beats, bytes, lint, settle, tick_those};
    use std::collections::VecDeque;

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

    #[test]
    fn every_preset_emits_clean_verilog() {
        for preset in Preset::ALL {
            let text = verilog(preset).unwrap_or_else(|e| panic!("{preset} is not emitted:\n{}", e.join("\n")));
            lint(&text, "millrace");
        }
    }
}
