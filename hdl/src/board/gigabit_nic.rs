// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network card: the core with gigabit Ethernet ports and its host behind a UART.

use super::gigabit_port::GigabitPort;
use super::host_demux::HostDemux;
use super::host_mux::HostMux;
use super::host_registers::HostRegisters;
use super::leds::Leds;
use super::types::MarkedBeat;
use super::uart_link::UartLink;
use crate::base::{Skid, Tag};
use crate::comment;
use crate::fastpath::core::Millrace;
use crate::fastpath::sizes::*;
use crate::fastpath::types::Beat;
use millrace_regs::config::{Config, Preset};
use rust_hdl_core::prelude::*;
use thiserror::Error;

/// The core with a gigabit Ethernet MAC at each of the first `G` vports, and the host channel (`docs/board.md`) over a UART for the others,
/// upcalls, packet out and registers. Other const parameters: as of `Pipeline`, and `M` = N + 2.
///
/// `clock` of any rate from 125 MHz / (W / 8) on, `tx_clock` of 125 MHz, and of each port the `rx_clock` of its PHY need not be related.
/// `reset` is synchronous to `clock`, high for 16 clocks of the slowest; the other domains take it over. `led` 0 is lit by
/// messages for the host, 1 by anything that was damaged, dropped or lost on the way to the core, the others by the ports' traffic.
#[derive(LogicBlock)]
pub struct GigabitNic<
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
    const G: usize,
    const M: usize,
> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub tx_clock: Signal<In, Clock>,
    pub rx_clock: Vec<Signal<In, Clock>>,
    pub gmii_rxd: Vec<Signal<In, Bits<8>>>,
    pub gmii_rx_dv: Vec<Signal<In, Bit>>,
    pub gmii_rx_er: Vec<Signal<In, Bit>>,
    pub gmii_txd: Vec<Signal<Out, Bits<8>>>,
    pub gmii_tx_en: Vec<Signal<Out, Bit>>,
    pub gmii_tx_er: Vec<Signal<Out, Bit>>,
    pub uart_rx: Signal<In, Bit>,
    pub uart_tx: Signal<Out, Bit>,
    pub led: Vec<Signal<Out, Bit>>,

    core: Millrace<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V>,
    ports: Vec<GigabitPort<W, C>>,
    uart: UartLink<W, C>,
    /// Part the channel from what it leads to: a message comes from LUT RAM, and `ready` of the line depends on the data.
    received: Skid<MarkedBeat<W, C>>,
    sent: Skid<Beat<W, C>>,
    demux: HostDemux<W, C, N>,
    mux: HostMux<W, C, N, M>,
    registers: HostRegisters,
    leds: Leds<22>,
    trouble: Signal<Local, Bit>,
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
    const G: usize,
    const M: usize,
> GigabitNic<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V, G, M>
{
    /// The card with the core of a build, and `clocks_per_bit` clocks of `clock` to a bit of the UART.
    ///
    /// # Panics
    /// If the const parameters are not those of `config` or do not fit each other, or `clocks_per_bit` is not 4 to 65,535.
    pub fn new(config: &Config, clocks_per_bit: usize) -> Self {
        assert!(G <= config.uplinks && M == N + 2, "GigabitNic: G = {G}, M = {M} do not fit the other parameters");
        let lights = G + 2;
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            tx_clock: Default::default(),
            rx_clock: vec![Default::default(); G],
            gmii_rxd: vec![Default::default(); G],
            gmii_rx_dv: vec![Default::default(); G],
            gmii_rx_er: vec![Default::default(); G],
            gmii_txd: vec![Default::default(); G],
            gmii_tx_en: vec![Default::default(); G],
            gmii_tx_er: vec![Default::default(); G],
            uart_rx: Default::default(),
            uart_tx: Default::default(),
            led: vec![Default::default(); lights],
            core: Millrace::new(config),
            ports: (0..G).map(|_| Default::default()).collect(),
            uart: UartLink::new(clocks_per_bit),
            received: Default::default(),
            sent: Default::default(),
            demux: HostDemux::new(G..N, true),
            mux: HostMux::new(G..N),
            registers: HostRegisters::new(G + 1),
            leds: Leds::new(lights),
            trouble: Default::default(),
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
    const G: usize,
    const M: usize,
> Logic for GigabitNic<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V, G, M>
{
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, core, uart, received, sent, demux, mux, registers, leds);
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
        self.uart.reset.next = self.reset.val();
        self.received.reset.next = self.reset.val();
        self.sent.reset.next = self.reset.val();
        self.demux.reset.next = self.reset.val();
        self.mux.reset.next = self.reset.val();
        self.registers.reset.next = self.reset.val();
        self.leds.reset.next = self.reset.val();

        comment!("ports");
        self.trouble.next = false;
        self.registers.words[0].next = self.demux.dropped.val();
        for i in 0..G {
            self.ports[i].clock.next = self.clock.val();
            self.ports[i].reset.next = self.reset.val();
            self.ports[i].rx_clock.next = self.rx_clock[i].val();
            self.ports[i].tx_clock.next = self.tx_clock.val();
            self.ports[i].gmii_rxd.next = self.gmii_rxd[i].val();
            self.ports[i].gmii_rx_dv.next = self.gmii_rx_dv[i].val();
            self.ports[i].gmii_rx_er.next = self.gmii_rx_er[i].val();
            self.gmii_txd[i].next = self.ports[i].gmii_txd.val();
            self.gmii_tx_en[i].next = self.ports[i].gmii_tx_en.val();
            self.gmii_tx_er[i].next = self.ports[i].gmii_tx_er.val();
            self.core.rx[i].data.next = self.ports[i].rx.data.val();
            self.core.rx[i].valid.next = self.ports[i].rx.valid.val();
            self.core.rx_error[i].next = self.ports[i].rx_error.val();
            self.ports[i].rx.ready.next = self.core.rx[i].ready.val();
            self.ports[i].tx.data.next = self.core.tx[i].data.val();
            self.ports[i].tx.valid.next = self.core.tx[i].valid.val();
            self.ports[i].tx_whole.next = self.core.tx_whole.val().get_bit(i);
            self.core.tx[i].ready.next = self.ports[i].tx.ready.val();
            self.registers.words[i + 1].next = self.ports[i].lost.val();
            self.leds.happens[i + 2].next = self.ports[i].active.val();
            self.trouble.next = self.trouble.val() | self.ports[i].trouble.val();

            self.demux.rx[i].ready.next = false;
            self.mux.tx[i].data.next = self.core.tx[i].data.val();
            self.mux.tx[i].valid.next = false;
        }

        comment!("the other vports, and the slow path");
        self.uart.rx_line.next = self.uart_rx.val();
        self.uart_tx.next = self.uart.tx_line.val();
        self.received.inp.data.next = self.uart.received.data.val();
        self.received.inp.valid.next = self.uart.received.valid.val();
        self.uart.received.ready.next = self.received.inp.ready.val();
        self.demux.inp.data.next = self.received.out.data.val();
        self.demux.inp.valid.next = self.received.out.valid.val();
        self.received.out.ready.next = self.demux.inp.ready.val();
        self.demux.lost.next = self.uart.lost.val();
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
        self.sent.inp.data.next = self.mux.out.data.val();
        self.sent.inp.valid.next = self.mux.out.valid.val();
        self.mux.out.ready.next = self.sent.inp.ready.val();
        self.uart.send.data.next = self.sent.out.data.val();
        self.uart.send.valid.next = self.sent.out.valid.val();
        self.sent.out.ready.next = self.uart.send.ready.val();

        comment!("registers");
        self.registers.request.data.next = self.demux.registers.data.val();
        self.registers.request.valid.next = self.demux.registers.valid.val();
        self.demux.registers.ready.next = self.registers.request.ready.val();
        self.mux.registers.data.next = self.registers.answer.data.val();
        self.mux.registers.valid.next = self.registers.answer.valid.val();
        self.registers.answer.ready.next = self.mux.registers.ready.val();
        self.core.s_axil_awaddr.next = self.registers.m_axil_awaddr.val();
        self.core.s_axil_awvalid.next = self.registers.m_axil_awvalid.val();
        self.registers.m_axil_awready.next = self.core.s_axil_awready.val();
        self.core.s_axil_wdata.next = self.registers.m_axil_wdata.val();
        self.core.s_axil_wstrb.next = self.registers.m_axil_wstrb.val();
        self.core.s_axil_wvalid.next = self.registers.m_axil_wvalid.val();
        self.registers.m_axil_wready.next = self.core.s_axil_wready.val();
        self.registers.m_axil_bresp.next = self.core.s_axil_bresp.val();
        self.registers.m_axil_bvalid.next = self.core.s_axil_bvalid.val();
        self.core.s_axil_bready.next = self.registers.m_axil_bready.val();
        self.core.s_axil_araddr.next = self.registers.m_axil_araddr.val();
        self.core.s_axil_arvalid.next = self.registers.m_axil_arvalid.val();
        self.registers.m_axil_arready.next = self.core.s_axil_arready.val();
        self.registers.m_axil_rdata.next = self.core.s_axil_rdata.val();
        self.registers.m_axil_rresp.next = self.core.s_axil_rresp.val();
        self.registers.m_axil_rvalid.next = self.core.s_axil_rvalid.val();
        self.core.s_axil_rready.next = self.registers.m_axil_rready.val();

        comment!("lights");
        self.leds.happens[0].next = self.mux.out.valid.val();
        self.leds.happens[1].next = self.trouble.val() | self.demux.moves.val();
        self.led[0].next = self.leds.light[0].val();
        self.led[1].next = self.leds.light[1].val();
        for i in 0..G {
            self.led[i + 2].next = self.leds.light[i + 2].val();
        }
    }
}

/// The type of a build's card with `$ports` gigabit ports.
macro_rules! nic_of {
    ($config:expr, $ports:expr) => {
        GigabitNic<
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
            { $ports },
            { $config.vports() + 2 },
        >
    };
}

const ECP5: Config = Preset::Ecp5.config();
const SMALL: Config = Preset::Ecp5Small.config();

/// Name of the top module.
pub const TOP: &str = "gigabit_nic";

/// What cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BuildError {
    /// Not a preset for such a board.
    #[error("preset `{0}` is not for a board with gigabit ports and a UART: `ecp5` and `ecp5-small` are")]
    Preset(Preset),
    /// Not so many uplinks.
    #[error("{0} gigabit ports: preset `ecp5` can have 1 or 2, `ecp5-small` has 2")]
    Ports(usize),
    /// Not a rate of the UART.
    #[error("{0} clocks to a bit of the UART: 4 to 65535 are possible")]
    ClocksPerBit(usize),
}

/// The card of a preset with gigabit ports at its first `ports` uplinks, and so many clocks of `clock` to a bit of the UART; connected.
///
/// # Errors
/// If there is no such card.
pub fn build(preset: Preset, ports: usize, clocks_per_bit: usize) -> Result<Box<dyn Block>, BuildError> {
    if !(4..=0xffff).contains(&clocks_per_bit) {
        return Err(BuildError::ClocksPerBit(clocks_per_bit));
    }
    let mut nic: Box<dyn Block> = match (preset, ports) {
        (Preset::Ecp5, 1) => Box::new(<nic_of!(ECP5, 1)>::new(&ECP5, clocks_per_bit)),
        (Preset::Ecp5, 2) => Box::new(<nic_of!(ECP5, 2)>::new(&ECP5, clocks_per_bit)),
        (Preset::Ecp5Small, 2) => Box::new(<nic_of!(SMALL, 2)>::new(&SMALL, clocks_per_bit)),
        (Preset::Ecp5 | Preset::Ecp5Small, _) => return Err(BuildError::Ports(ports)),
        _ => return Err(BuildError::Preset(preset)),
    };
    nic.connect_all();
    Ok(nic)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit;
    use crate::testing::lint;

    #[test]
    fn a_card_with_one_or_two_ports_emits_clean_verilog() {
        for (preset, ports) in [(Preset::Ecp5, 1), (Preset::Ecp5, 2), (Preset::Ecp5Small, 2)] {
            let nic = build(preset, ports, 54).unwrap();
            let text = emit::verilog(nic.as_ref(), Some(TOP)).unwrap_or_else(|e| panic!("{}", e.join("\n")));
            lint(&text, TOP);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_what_would() {
        let refused = |preset, ports, clocks| build(preset, ports, clocks).err().expect("an error").to_string();
        assert!(refused(Preset::Sim, 2, 54).contains("`ecp5` and `ecp5-small` are"));
        assert!(refused(Preset::Ecp5, 0, 54).contains("1 or 2"));
        assert!(refused(Preset::Ecp5, 3, 54).contains("1 or 2"));
        assert!(refused(Preset::Ecp5Small, 1, 54).contains("`ecp5-small` has 2"));
        assert!(refused(Preset::Ecp5, 2, 3).contains("4 to 65535"));
        assert!(refused(Preset::Ecp5, 2, 65_536).contains("4 to 65535"));
    }
}
