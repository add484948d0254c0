// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core with AXI4-Stream pins, as vendor tools know them.

use super::core::Millrace;
use super::sizes::*;
use super::types::Beat;
use crate::base::{Param, Tag};
use crate::comment;
use millrace_regs::config::{Config, Preset};
use rust_hdl_core::prelude::*;

/// Receiving end of an AXI4-Stream: `D` data, `K` one bit per byte, `U` sideband.
#[millrace_hdl::bundle(AxisSrc)]
pub struct AxisSnk<D: Synth, K: Synth, U: Synth> {
    pub tdata: Signal<In, D>,
    pub tkeep: Signal<In, K>,
    pub tlast: Signal<In, Bit>,
    pub tuser: Signal<In, U>,
    pub tvalid: Signal<In, Bit>,
    pub tready: Signal<Out, Bit>,
}

/// How many of the `E` bytes of a beat count: the place of the highest bit set in `keep`. `C` = log2(E) + 1. No clock.
#[derive(LogicBlock, Default)]
pub struct KeepToBytes<const E: usize, const C: usize> {
    tag: Tag<Self>,
    pub keep: Signal<In, Bits<E>>,
    pub bytes: Signal<Out, Bits<C>>,
    /// 1, 2, 4, … up to half of `E`.
    distance: Vec<Constant<Bits<C>>>,
    count: Vec<Constant<Bits<C>>>,
    filled: Signal<Local, Bits<E>>,
    highest: Signal<Local, Bits<E>>,
    _doublings: usize,
}

impl<const E: usize, const C: usize> KeepToBytes<E, C> {
    /// The block. (`Default` has no constants.)
    pub fn new() -> Self {
        let doublings = C - 1;
        Self {
            distance: (0..doublings).map(|n| Constant::new((1usize << n).to_bits())).collect(),
            count: (1..=E).map(|n| Constant::new(n.to_bits())).collect(),
            _doublings: doublings,
            ..Default::default()
        }
    }
}

impl<const E: usize, const C: usize> Logic for KeepToBytes<E, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        comment!(
            "everything below a bit that is set, in steps that double: a chain of E bits would be too long for a clock"
        );
        self.filled.next = self.keep.val();
        for i in 0..self._doublings {
            self.filled.next = self.filled.val() | (self.filled.val() >> self.distance[i].val());
        }
        self.highest.next = self.filled.val() & !(self.filled.val() >> 1);
        self.bytes.next = 0.into();
        for i in 0..E {
            if self.highest.val().get_bit(i) {
                self.bytes.next = self.bytes.val() | self.count[i].val();
            }
        }
    }
}

/// One bit for each of the first `bytes` of `E` bytes. `C` = log2(E) + 1. No clock.
#[derive(LogicBlock, Default)]
pub struct BytesToKeep<const E: usize, const C: usize> {
    tag: Tag<Self>,
    pub bytes: Signal<In, Bits<C>>,
    pub keep: Signal<Out, Bits<E>>,
}

impl<const E: usize, const C: usize> Logic for BytesToKeep<E, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.keep.next = 0.into();
        for i in 0..E {
            self.keep.next = self.keep.val().replace_bit(i, self.bytes.val() > i.to_bits::<C>());
        }
    }
}

/// The core with AXI4-Stream pins. Const parameters: as of `Pipeline`, and `E` = W / 8.
///
/// Purely wires and the conversion between byte counts and `tkeep`: no clock of latency beside the core's. Of `tkeep`, the highest bit set
/// counts, as the core has no gaps in a beat; it is looked at in a frame's last beat only. `tuser` of `s_axis_rx` is high with the last
/// beat of a frame that arrived damaged; that of `s_axis_packet_out` is the destination vport, held through the frame; that of
/// `m_axis_upcall` is the ingress vport in bits 7:0 and the reason in bits 15:8; that of `m_axis_tx` is 0. `reset` is synchronous, high
/// for two clocks or more.
#[derive(LogicBlock)]
pub struct MillraceAxi<
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
> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub s_axis_rx: Vec<AxisSnk<Bits<W>, Bits<E>, Bit>>,
    pub m_axis_tx: Vec<AxisSrc<Bits<W>, Bits<E>, Bit>>,
    /// Bit v: `m_axis_tx[v]` has a whole frame or more to give, and will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<N>>,
    pub s_axis_packet_out: AxisSnk<Bits<W>, Bits<E>, Bits<8>>,
    pub m_axis_upcall: AxisSrc<Bits<W>, Bits<E>, Bits<16>>,
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
    rx_bytes: Vec<KeepToBytes<E, C>>,
    packet_out_bytes: KeepToBytes<E, C>,
    tx_keep: Vec<BytesToKeep<E, C>>,
    upcall_keep: BytesToKeep<E, C>,
    full: Param<Bits<C>>,
    bytes: Signal<Local, Bits<C>>,
    beat: Signal<Local, Beat<W, C>>,
    sent: Signal<Local, Beat<W, C>>,
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
> MillraceAxi<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V, E>
{
    /// The core of a build.
    ///
    /// # Panics
    /// If the const parameters are not those of `config`.
    pub fn new(config: &Config) -> Self {
        assert!(E * 8 == W, "MillraceAxi: {E} bytes are not {W} bits");
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            s_axis_rx: vec![Default::default(); N],
            m_axis_tx: vec![Default::default(); N],
            tx_whole: Default::default(),
            s_axis_packet_out: Default::default(),
            m_axis_upcall: Default::default(),
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
            rx_bytes: (0..N).map(|_| KeepToBytes::new()).collect(),
            packet_out_bytes: KeepToBytes::new(),
            tx_keep: (0..N).map(|_| Default::default()).collect(),
            upcall_keep: Default::default(),
            full: Param::new(E.to_bits()),
            bytes: Default::default(),
            beat: Default::default(),
            sent: Default::default(),
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
> Logic for MillraceAxi<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V, E>
{
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        self.core.clock.next = self.clock.val();
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

        comment!("streams");
        for i in 0..N {
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

            self.sent.next = self.core.tx[i].data.val();
            self.tx_keep[i].bytes.next = self.sent.val().bytes;
            self.m_axis_tx[i].tdata.next = self.sent.val().data;
            self.m_axis_tx[i].tkeep.next = self.tx_keep[i].keep.val();
            self.m_axis_tx[i].tlast.next = self.sent.val().last;
            self.m_axis_tx[i].tuser.next = false;
            self.m_axis_tx[i].tvalid.next = self.core.tx[i].valid.val();
            self.core.tx[i].ready.next = self.m_axis_tx[i].tready.val();
        }
        self.tx_whole.next = self.core.tx_whole.val();
        self.packet_out_bytes.keep.next = self.s_axis_packet_out.tkeep.val();
        self.core.packet_out.data.next.data = self.s_axis_packet_out.tdata.val();
        self.core.packet_out.data.next.bytes = self.full.val();
        if self.s_axis_packet_out.tlast.val() {
            self.core.packet_out.data.next.bytes = self.packet_out_bytes.bytes.val();
        }
        self.core.packet_out.data.next.last = self.s_axis_packet_out.tlast.val();
        self.core.packet_out.valid.next = self.s_axis_packet_out.tvalid.val();
        self.core.packet_out_vport.next = self.s_axis_packet_out.tuser.val();
        self.core.packet_out_error.next = false;
        self.s_axis_packet_out.tready.next = self.core.packet_out.ready.val();
        self.upcall_keep.bytes.next = self.core.upcall.data.val().bytes;
        self.m_axis_upcall.tdata.next = self.core.upcall.data.val().data;
        self.m_axis_upcall.tkeep.next = self.upcall_keep.keep.val();
        self.m_axis_upcall.tlast.next = self.core.upcall.data.val().last;
        self.m_axis_upcall.tuser.next =
            bit_cast::<16, 8>(self.core.upcall_vport.val()) | (bit_cast::<16, 8>(self.core.upcall_reason.val()) << 8);
        self.m_axis_upcall.tvalid.next = self.core.upcall.valid.val();
        self.core.upcall.ready.next = self.m_axis_upcall.tready.val();

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

/// The type of a build's core with AXI4-Stream pins.
macro_rules! axi_of {
    ($config:expr) => {
        MillraceAxi<
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
        >
    };
}

/// The core of a preset with AXI4-Stream pins, connected.
pub fn build(preset: Preset) -> Box<dyn Block> {
    let mut core: Box<dyn Block> = match preset {
        Preset::Sim => Box::new(<axi_of!(SIM)>::new(&SIM)),
        Preset::Ecp5 => Box::new(<axi_of!(ECP5)>::new(&ECP5)),
        Preset::Ecp5Small => Box::new(<axi_of!(ECP5_SMALL)>::new(&ECP5_SMALL)),
        Preset::Alveo => Box::new(<axi_of!(ALVEO)>::new(&ALVEO)),
        Preset::W128 => Box::new(<axi_of!(W128)>::new(&W128)),
        Preset::W256 => Box::new(<axi_of!(W256)>::new(&W256)),
        Preset::W1024 => Box::new(<axi_of!(W1024)>::new(&W1024)),
    };
    core.connect_all();
    core
}

const SIM: Config = Preset::Sim.config();
const ECP5: Config = Preset::Ecp5.config();
const ECP5_SMALL: Config = Preset::Ecp5Small.config();
const ALVEO: Config = Preset::Alveo.config();
const W128: Config = Preset::W128.config();
const W256: Config = Preset::W256.config();
const W1024: Config = Preset::W1024.config();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit;
    use crate::testing::{assert_lints, settle};

    #[test]
    fn keep_and_byte_count_are_each_other_s_inverse() {
        let (mut to_bytes, mut to_keep) = (KeepToBytes::<8, 4>::new(), BytesToKeep::<8, 4>::default());
        to_bytes.connect_all();
        to_keep.connect_all();
        for n in 0..=8u64 {
            to_keep.bytes.next = n.into();
            settle(&mut to_keep);
            assert_eq!(to_keep.keep.val().to_u64(), (1 << n) - 1);
            to_bytes.keep.next = to_keep.keep.val();
            settle(&mut to_bytes);
            assert_eq!(to_bytes.bytes.val().to_u64(), n);
        }
        // The highest bit counts, whatever is below it.
        for keep in 1..256u64 {
            to_bytes.keep.next = keep.into();
            settle(&mut to_bytes);
            assert_eq!(to_bytes.bytes.val().to_u64(), u64::from(keep.ilog2()) + 1);
        }
        assert_lints(KeepToBytes::<64, 7>::new());
        assert_lints(BytesToKeep::<64, 7>::default());
    }

    /// Text without comments, which name the instances and differ.
    fn code(text: &str) -> String {
        text.lines().filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_emitted_with_axi_pins_is_what_is_simulated() {
        let simulated = emit::modules(crate::fastpath::build(Preset::Ecp5).as_ref(), Some("millrace")).unwrap();
        let emitted = emit::modules(build(Preset::Ecp5).as_ref(), Some("millrace_axi")).unwrap();
        for module in &simulated {
            let same = emitted.iter().find(|other| other.name == module.name).expect("a module of the same name");
            assert_eq!(code(&module.text), code(&same.text), "{}", module.name);
        }
        // The pins' own: the top, and the two conversions.
        assert_eq!(emitted.len(), simulated.len() + 3);
    }

    #[test]
    fn every_preset_emits_clean_verilog() {
        for preset in Preset::ALL {
            let text = emit::verilog(build(preset).as_ref(), Some("millrace_axi")).unwrap_or_else(|e| panic!("{e:?}"));
            crate::testing::lint(&text, "millrace_axi");
        }
    }
}
