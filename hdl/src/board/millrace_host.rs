// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core for a board whose host is behind a PCIe stream.

use super::host_demux::HostDemux;
use super::host_mux::HostMux;
use super::types::MarkedBeat;
use super::whole_frames::WholeFrames;
use crate::base::{Param, Tag};
use crate::comment;
use crate::fastpath::axi_stream::{AxisSnk, AxisSrc, BytesToKeep, KeepToBytes};
use crate::fastpath::core::Millrace;
use crate::fastpath::sizes::*;
use crate::fastpath::types::Beat;
use millrace_regs::config::{Config, Preset};
use rust_hdl_core::prelude::*;

/// The core with an AXI4-Stream pair for each of the first `G` vports, and one pair with the host channel (`docs/board.md`) for the others,
/// upcalls and packet out. Other const parameters: as of `Pipeline`, `E` = W / 8, and `M` = N + 2.
///
/// On every stream `tkeep` counts with `tlast` only, and has no gaps. `tuser` of `s_axis_rx` and `s_axis_host` is high with the last beat of a
/// frame or message that arrived damaged; that of the others is 0. `tvalid` of `m_axis_tx` never pauses inside a frame. Registers are on
/// `s_axil`: the host channel has none here. `host_dropped` counts the host's messages that had no place to go, modulo 2^32. `reset` is
/// synchronous, high for two clocks or more.
#[derive(LogicBlock)]
pub struct MillraceHost<
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
    const E: usize,
    const G: usize,
    const M: usize,
> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub s_axis_rx: Vec<AxisSnk<Bits<W>, Bits<E>, Bit>>,
    pub m_axis_tx: Vec<AxisSrc<Bits<W>, Bits<E>, Bit>>,
    pub s_axis_host: AxisSnk<Bits<W>, Bits<E>, Bit>,
    pub m_axis_host: AxisSrc<Bits<W>, Bits<E>, Bit>,
    pub host_dropped: Signal<Out, Bits<32>>,
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
    core: Millrace<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V>,
    demux: HostDemux<W, C, N>,
    mux: HostMux<W, C, N, M>,
    rx_bytes: Vec<KeepToBytes<E, C>>,
    gates: Vec<WholeFrames<W, C>>,
    tx_keep: Vec<BytesToKeep<E, C>>,
    host_bytes: KeepToBytes<E, C>,
    host_keep: BytesToKeep<E, C>,
    full: Param<Bits<C>>,
    bytes: Signal<Local, Bits<C>>,
    beat: Signal<Local, Beat<W, C>>,
    sent: Signal<Local, Beat<W, C>>,
    message: Signal<Local, MarkedBeat<W, C>>,
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
    const E: usize,
    const G: usize,
    const M: usize,
> MillraceHost<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V, E, G, M>
{
    /// The core of a build.
    ///
    /// # Panics
    /// If the const parameters are not those of `config`, or do not fit each other.
    pub fn new(config: &Config) -> Self {
        assert!(
            E * 8 == W && G <= N && M == N + 2,
            "MillraceHost: E = {E}, G = {G}, M = {M} do not fit W = {W}, N = {N}"
        );
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            s_axis_rx: vec![Default::default(); G],
            m_axis_tx: vec![Default::default(); G],
            s_axis_host: Default::default(),
            m_axis_host: Default::default(),
            host_dropped: Default::default(),
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
            core: Millrace::new(config),
            demux: HostDemux::new(G..N, false),
            mux: HostMux::new(G..N),
            rx_bytes: (0..G).map(|_| KeepToBytes::new()).collect(),
            gates: (0..G).map(|_| Default::default()).collect(),
            tx_keep: (0..G).map(|_| Default::default()).collect(),
            host_bytes: KeepToBytes::new(),
            host_keep: Default::default(),
            full: Param::new(E.to_bits()),
            bytes: Default::default(),
            beat: Default::default(),
            sent: Default::default(),
            message: Default::default(),
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
    const E: usize,
    const G: usize,
    const M: usize,
> Logic for MillraceHost<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V, E, G, M>
{
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, core, demux, mux);
        self.core.clock_parse.next = self.clock.val();
        self.core.clock_match.next = self.clock.val();
        self.core.clock_hash.next = self.clock.val();
        self.core.clock_compare.next = self.clock.val();
        self.core.clock_select.next = self.clock.val();
        self.core.clock_expand.next = self.clock.val();
        self.core.clock_edit.next = self.clock.val();
        for i in 0..Q {
            self.core.clock_port[i].next = self.clock.val();
        }
        self.core.clock_ctrl.next = self.clock.val();
        self.core.reset.next = self.reset.val();
        self.demux.reset.next = self.reset.val();
        self.mux.reset.next = self.reset.val();

        comment!("the uplinks");
        for i in 0..G {
            self.rx_bytes[i].keep.next = self.s_axis_rx[i].tkeep.val();
            self.bytes.next = self.full.val();
            if self.s_axis_rx[i].tlast.val() {
                self.bytes.next = self.rx_bytes[i].bytes.val();
            }
            self.beat.next.data = self.s_axis_rx[i].tdata.val();
            self.beat.next.bytes = self.bytes.val();
            self.beat.next.last = self.s_axis_rx[i].tlast.val();
            self.core.rx[i].data.next = self.beat.val();
            self.core.rx[i].valid.next = self.s_axis_rx[i].tvalid.val();
            self.core.rx_error[i].next = self.s_axis_rx[i].tuser.val();
            self.s_axis_rx[i].tready.next = self.core.rx[i].ready.val();

            self.gates[i].clock.next = self.clock.val();
            self.gates[i].reset.next = self.reset.val();
            self.gates[i].whole.next = self.core.tx_whole.val().get_bit(i);
            self.gates[i].inp.data.next = self.core.tx[i].data.val();
            self.gates[i].inp.valid.next = self.core.tx[i].valid.val();
            self.core.tx[i].ready.next = self.gates[i].inp.ready.val();
            self.sent.next = self.gates[i].out.data.val();
            self.tx_keep[i].bytes.next = self.sent.val().bytes;
            self.m_axis_tx[i].tdata.next = self.sent.val().data;
            self.m_axis_tx[i].tkeep.next = self.tx_keep[i].keep.val();
            self.m_axis_tx[i].tlast.next = self.sent.val().last;
            self.m_axis_tx[i].tuser.next = false;
            self.m_axis_tx[i].tvalid.next = self.gates[i].out.valid.val();
            self.gates[i].out.ready.next = self.m_axis_tx[i].tready.val();

            self.demux.rx[i].ready.next = false;
            self.mux.tx[i].data.next = self.core.tx[i].data.val();
            self.mux.tx[i].valid.next = false;
        }

        comment!("the other vports, and the slow path");
        self.host_bytes.keep.next = self.s_axis_host.tkeep.val();
        self.message.next.data = self.s_axis_host.tdata.val();
        self.message.next.bytes = self.full.val();
        if self.s_axis_host.tlast.val() {
            self.message.next.bytes = self.host_bytes.bytes.val();
        }
        self.message.next.last = self.s_axis_host.tlast.val();
        self.message.next.error = self.s_axis_host.tuser.val();
        self.demux.inp.data.next = self.message.val();
        self.demux.inp.valid.next = self.s_axis_host.tvalid.val();
        self.s_axis_host.tready.next = self.demux.inp.ready.val();
        self.demux.lost.next = false;
        self.demux.registers.ready.next = false;
        self.host_dropped.next = self.demux.dropped.val();
        for i in G..N {
            self.core.rx[i].data.next = self.demux.rx[i].data.val();
            self.core.rx[i].valid.next = self.demux.rx[i].valid.val();
            self.core.rx_error[i].next = self.demux.rx_error.val();
            self.demux.rx[i].ready.next = self.core.rx[i].ready.val();
            self.mux.tx[i].data.next = self.core.tx[i].data.val();
            self.mux.tx[i].valid.next = self.core.tx[i].valid.val();
            self.core.tx[i].ready.next = self.mux.tx[i].ready.val();
        }
        self.core.packet_out.data.next = self.demux.packet_out.data.val();
        self.core.packet_out.valid.next = self.demux.packet_out.valid.val();
        self.core.packet_out_error.next = self.demux.rx_error.val();
        self.core.packet_out_vport.next = self.demux.packet_out_vport.val();
        self.demux.packet_out.ready.next = self.core.packet_out.ready.val();
        self.mux.tx_whole.next = self.core.tx_whole.val();
        self.mux.upcall.data.next = self.core.upcall.data.val();
        self.mux.upcall.valid.next = self.core.upcall.valid.val();
        self.core.upcall.ready.next = self.mux.upcall.ready.val();
        self.mux.upcall_whole.next = self.core.upcall_whole.val();
        self.mux.upcall_vport.next = self.core.upcall_vport.val();
        self.mux.upcall_reason.next = self.core.upcall_reason.val();
        self.mux.registers.data.next.response = 0.into();
        self.mux.registers.data.next.address = 0.into();
        self.mux.registers.data.next.data = 0.into();
        self.mux.registers.valid.next = false;
        self.host_keep.bytes.next = self.mux.out.data.val().bytes;
        self.m_axis_host.tdata.next = self.mux.out.data.val().data;
        self.m_axis_host.tkeep.next = self.host_keep.keep.val();
        self.m_axis_host.tlast.next = self.mux.out.data.val().last;
        self.m_axis_host.tuser.next = false;
        self.m_axis_host.tvalid.next = self.mux.out.valid.val();
        self.mux.out.ready.next = self.m_axis_host.tready.val();

        comment!("registers");
        self.core.s_axil_awaddr.next = self.s_axil_awaddr.val();
        self.core.s_axil_awvalid.next = self.s_axil_awvalid.val();
        self.s_axil_awready.next = self.core.s_axil_awready.val();
        self.core.s_axil_wdata.next = self.s_axil_wdata.val();
        self.core.s_axil_wstrb.next = self.s_axil_wstrb.val();
        self.core.s_axil_wvalid.next = self.s_axil_wvalid.val();
        self.s_axil_wready.next = self.core.s_axil_wready.val();
        self.s_axil_bresp.next = self.core.s_axil_bresp.val();
        self.s_axil_bvalid.next = self.core.s_axil_bvalid.val();
        self.core.s_axil_bready.next = self.s_axil_bready.val();
        self.core.s_axil_araddr.next = self.s_axil_araddr.val();
        self.core.s_axil_arvalid.next = self.s_axil_arvalid.val();
        self.s_axil_arready.next = self.core.s_axil_arready.val();
        self.s_axil_rdata.next = self.core.s_axil_rdata.val();
        self.s_axil_rresp.next = self.core.s_axil_rresp.val();
        self.s_axil_rvalid.next = self.core.s_axil_rvalid.val();
        self.core.s_axil_rready.next = self.s_axil_rready.val();
    }
}

/// The type of a build whose first `$streams` uplinks have streams of their own.
macro_rules! host_of {
    ($config:expr) => {
        host_of!($config, $config.uplinks)
    };
    ($config:expr, $streams:expr) => {
        MillraceHost<
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
            { $config.bus_bytes() },
            { $streams },
            { $config.vports() + 2 },
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

/// Name of the top module.
pub const TOP: &str = "millrace_host";

/// The core of a preset with the host channel, connected; the uplinks have streams of their own.
pub fn build(preset: Preset) -> Box<dyn Block> {
    let mut core: Box<dyn Block> = match preset {
        Preset::Sim => Box::new(<host_of!(SIM)>::new(&SIM)),
        Preset::Ecp5 => Box::new(<host_of!(ECP5)>::new(&ECP5)),
        Preset::Ecp5Small => Box::new(<host_of!(ECP5_SMALL)>::new(&ECP5_SMALL)),
        Preset::Alveo => Box::new(<host_of!(ALVEO)>::new(&ALVEO)),
        Preset::W128 => Box::new(<host_of!(W128)>::new(&W128)),
        Preset::W256 => Box::new(<host_of!(W256)>::new(&W256)),
        Preset::W1024 => Box::new(<host_of!(W1024)>::new(&W1024)),
    };
    core.connect_all();
    core
}

/// Why there is no such core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("preset `{preset}` with streams for {streams} uplinks: {} are possible{}", preset.config().uplinks, if *preset == Preset::Alveo { ", or 1" } else { "" })]
pub struct BuildError {
    preset: Preset,
    streams: usize,
}

/// The same with streams of their own for the first `streams` uplinks alone; the others are on the host channel, too.
///
/// # Errors
/// If no board needs such a core: it is not among the types that are built.
pub fn build_with(preset: Preset, streams: usize) -> Result<Box<dyn Block>, BuildError> {
    match (preset, streams) {
        (Preset::Alveo, 1) => {
            let mut core: Box<dyn Block> = Box::new(<host_of!(ALVEO, 1)>::new(&ALVEO));
            core.connect_all();
            Ok(core)
        }
        _ if streams == preset.config().uplinks => Ok(build(preset)),
        _ => Err(BuildError { preset, streams }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit;
    use crate::testing::lint;

    #[test]
    fn streams_for_some_of_the_uplinks_are_refused_where_no_board_has_them() {
        let refused = |preset, streams| build_with(preset, streams).err().unwrap().to_string();
        assert_eq!(refused(Preset::Sim, 1), "preset `sim` with streams for 1 uplinks: 2 are possible");
        assert_eq!(refused(Preset::Alveo, 3), "preset `alveo` with streams for 3 uplinks: 2 are possible, or 1");
        let one = build_with(Preset::Alveo, 1).unwrap();
        lint(&emit::verilog(one.as_ref(), Some(TOP)).unwrap_or_else(|e| panic!("{}", e.join("\n"))), TOP);
    }

    #[test]
    fn every_preset_emits_clean_verilog() {
        for preset in Preset::ALL {
            let text = emit::verilog(build(preset).as_ref(), Some(TOP)).unwrap_or_else(|e| panic!("{}", e.join("\n")));
            lint(&text, TOP);
        }
    }
}
