// SPDX-License-Identifier: MIT OR Apache-2.0
//! The core with AXI4-Stream pins.

use super::sizes::of_preset;
use super::types::Beat;
use crate::bus::{AxilSlave, AxisSnk, AxisSrc, BytesToKeep, KeepToBytes};
use crate::core::millrace::Millrace;
use crate::sized;
use millrace_regs::config::{Config, Preset};
use rust_hdl_core::prelude::*;

/// The core with AXI4-Stream pins.
///
/// Purely wires and the conversion between byte counts and `tkeep`: no clock of latency beside the core's. Of `tkeep`, the highest bit set
/// counts, as the core has no gaps in a beat; it is looked at in a frame's last beat only. `tuser` of `s_axis_rx` is high with the last
/// beat of a frame that arrived damaged; that of `s_axis_packet_out` is the destination vport, held through the frame; that of
/// `m_axis_upcall` is the ingress vport in bits 7:0 and the reason in bits 15:8; that of `m_axis_tx` is 0. `reset` is synchronous, high
/// for two clocks or more.
#[millrace_hdl::block]
pub struct MillraceAxi<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(SIZES.vports)]
    pub s_axis_rx: Vec<AxisSnk<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bit>>,
    #[count(SIZES.vports)]
    pub m_axis_tx: Vec<AxisSrc<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bit>>,
    /// Bit v: `m_axis_tx[v]` has a whole frame or more to give, and will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<{ SIZES.vports }>>,
    pub s_axis_packet_out: AxisSnk<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<8>>,
    pub m_axis_upcall: AxisSrc<Bits<{ SIZES.bus_bits }>, Bits<{ SIZES.bus_bytes }>, Bits<16>>,
    pub s_axil: AxilSlave,
    core: Millrace<SIZES>,
    #[count(SIZES.vports)]
    rx_bytes: Vec<KeepToBytes<{ SIZES.bus_bytes }, { SIZES.count_bits }>>,
    packet_out_bytes: KeepToBytes<{ SIZES.bus_bytes }, { SIZES.count_bits }>,
    #[count(SIZES.vports)]
    tx_keep: Vec<BytesToKeep<{ SIZES.bus_bytes }, { SIZES.count_bits }>>,
    upcall_keep: BytesToKeep<{ SIZES.bus_bytes }, { SIZES.count_bits }>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> MillraceAxi<SIZES> {
    /// The core of a build.
    ///
    /// # Panics
    /// If `SIZES` is not of `config`.
    pub fn new(config: &Config) -> Self {
        Self { core: Millrace::new(config), ..Default::default() }
    }

    fn update(&mut self) {
        self.core.clock_parse = self.clock;
        self.core.clock_match = self.clock;
        self.core.clock_hash = self.clock;
        self.core.clock_compare = self.clock;
        self.core.clock_select = self.clock;
        self.core.clock_expand = self.clock;
        self.core.clock_edit = self.clock;
        for i in 0..SIZES.queues {
            self.core.clock_port[i] = self.clock;
        }
        self.core.clock_ctrl = self.clock;

        comment!("streams");
        for i in 0..SIZES.vports {
            self.rx_bytes[i].keep = self.s_axis_rx[i].tkeep;
            self.core.rx[i].data = Beat {
                data: self.s_axis_rx[i].tdata,
                bytes: if self.s_axis_rx[i].tlast { self.rx_bytes[i].bytes } else { SIZES.bus_bytes },
                last: self.s_axis_rx[i].tlast,
            };
            self.core.rx[i].valid = self.s_axis_rx[i].tvalid;
            self.core.rx_error[i] = self.s_axis_rx[i].tuser;
            self.s_axis_rx[i].tready = self.core.rx[i].ready;

            self.tx_keep[i].bytes = self.core.tx[i].data.bytes;
            self.m_axis_tx[i].tdata = self.core.tx[i].data.data;
            self.m_axis_tx[i].tkeep = self.tx_keep[i].keep;
            self.m_axis_tx[i].tlast = self.core.tx[i].data.last;
            self.m_axis_tx[i].tuser = false;
            self.m_axis_tx[i].tvalid = self.core.tx[i].valid;
            self.core.tx[i].ready = self.m_axis_tx[i].tready;
        }
        self.tx_whole = self.core.tx_whole;

        comment!("the slow path");
        self.packet_out_bytes.keep = self.s_axis_packet_out.tkeep;
        self.core.packet_out.data = Beat {
            data: self.s_axis_packet_out.tdata,
            bytes: if self.s_axis_packet_out.tlast { self.packet_out_bytes.bytes } else { SIZES.bus_bytes },
            last: self.s_axis_packet_out.tlast,
        };
        self.core.packet_out.valid = self.s_axis_packet_out.tvalid;
        self.core.packet_out_vport = self.s_axis_packet_out.tuser;
        self.core.packet_out_error = false;
        self.s_axis_packet_out.tready = self.core.packet_out.ready;
        self.upcall_keep.bytes = self.core.upcall.data.bytes;
        self.m_axis_upcall.tdata = self.core.upcall.data.data;
        self.m_axis_upcall.tkeep = self.upcall_keep.keep;
        self.m_axis_upcall.tlast = self.core.upcall.data.last;
        self.m_axis_upcall.tuser = concat::<16>(self.core.upcall_reason, self.core.upcall_vport);
        self.m_axis_upcall.tvalid = self.core.upcall.valid;
        self.core.upcall.ready = self.m_axis_upcall.tready;

        comment!("registers");
        link(self.s_axil, self.core.s_axil);
    }
}

/// The core of a preset with AXI4-Stream pins, connected.
pub fn build(preset: Preset) -> Box<dyn Block> {
    let mut core = of_preset!(preset, <sized!(MillraceAxi<SIZES>)>::new(&CONFIG));
    core.connect_all();
    core
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit;

    /// Text without comments, which name the instances and differ.
    fn code(text: &str) -> String {
        text.lines().filter(|line| !line.starts_with("//")).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_emitted_with_axi_pins_is_what_is_simulated() {
        let simulated = emit::modules(crate::core::build(Preset::Ecp5).as_ref(), Some("millrace")).unwrap();
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
