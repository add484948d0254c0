// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network card: the core with gigabit Ethernet ports and its host behind a UART.

use super::gigabit_port::GigabitPort;
use super::host_demux::HostDemux;
use super::host_mux::HostMux;
use super::host_registers::HostRegisters;
use super::leds::Leds;
use super::types::MarkedBeat;
use super::uart_link::UartLink;
use crate::base::Skid;
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
#[millrace_hdl::block]
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
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub tx_clock: Signal<In, Clock>,
    #[count(G)]
    pub rx_clock: Vec<Signal<In, Clock>>,
    #[count(G)]
    pub gmii_rxd: Vec<Signal<In, Bits<8>>>,
    #[count(G)]
    pub gmii_rx_dv: Vec<Signal<In, Bit>>,
    #[count(G)]
    pub gmii_rx_er: Vec<Signal<In, Bit>>,
    #[count(G)]
    pub gmii_txd: Vec<Signal<Out, Bits<8>>>,
    #[count(G)]
    pub gmii_tx_en: Vec<Signal<Out, Bit>>,
    #[count(G)]
    pub gmii_tx_er: Vec<Signal<Out, Bit>>,
    pub uart_rx: Signal<In, Bit>,
    pub uart_tx: Signal<Out, Bit>,
    #[count(G + 2)]
    pub led: Vec<Signal<Out, Bit>>,

    core: Millrace<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V>,
    #[count(G)]
    ports: Vec<GigabitPort<W, C>>,
    uart: UartLink<W, C>,
    /// Part the channel from what it leads to: a message comes from LUT RAM, and `ready` of the line depends on the data.
    received: Skid<MarkedBeat<W, C>>,
    sent: Skid<Beat<W, C>>,
    #[init(HostDemux::new(G..N, true))]
    demux: HostDemux<W, C, N>,
    #[init(HostMux::new(G..N))]
    mux: HostMux<W, C, N, M>,
    #[init(HostRegisters::new(G + 1))]
    registers: HostRegisters,
    #[init(Leds::new(G + 2))]
    leds: Leds<22>,
}

#[millrace_hdl::block]
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
        Self { core: Millrace::new(config), uart: UartLink::new(clocks_per_bit), ..Default::default() }
    }

    fn update(&mut self) {
        self.core.clock_parse = self.clock;
        self.core.clock_match = self.clock;
        self.core.clock_hash = self.clock;
        self.core.clock_compare = self.clock;
        self.core.clock_select = self.clock;
        self.core.clock_expand = self.clock;
        self.core.clock_edit = self.clock;
        for i in 0..Q {
            self.core.clock_port[i] = self.clock;
        }
        self.core.clock_ctrl = self.clock;

        comment!("ports");
        let mut trouble = false;
        self.registers.words[0] = self.demux.dropped;
        for i in 0..G {
            self.ports[i].rx_clock = self.rx_clock[i];
            self.ports[i].tx_clock = self.tx_clock;
            self.ports[i].gmii_rxd = self.gmii_rxd[i];
            self.ports[i].gmii_rx_dv = self.gmii_rx_dv[i];
            self.ports[i].gmii_rx_er = self.gmii_rx_er[i];
            self.gmii_txd[i] = self.ports[i].gmii_txd;
            self.gmii_tx_en[i] = self.ports[i].gmii_tx_en;
            self.gmii_tx_er[i] = self.ports[i].gmii_tx_er;
            join(self.ports[i].rx, self.core.rx[i]);
            self.core.rx_error[i] = self.ports[i].rx_error;
            join(self.core.tx[i], self.ports[i].tx);
            self.ports[i].tx_whole = self.core.tx_whole.get_bit(i);
            self.registers.words[i + 1] = self.ports[i].lost;
            self.leds.happens[i + 2] = self.ports[i].active;
            trouble |= self.ports[i].trouble;

            self.demux.rx[i].ready = false;
            self.mux.tx[i].data = self.core.tx[i].data;
            self.mux.tx[i].valid = false;
        }

        comment!("the other vports, and the slow path");
        self.uart.rx_line = self.uart_rx;
        self.uart_tx = self.uart.tx_line;
        join(self.uart.received, self.received.inp);
        join(self.received.out, self.demux.inp);
        self.demux.lost = self.uart.lost;
        for i in G..N {
            join(self.demux.rx[i], self.core.rx[i]);
            self.core.rx_error[i] = self.demux.rx_error;
            join(self.core.tx[i], self.mux.tx[i]);
        }
        join(self.demux.packet_out, self.core.packet_out);
        self.core.packet_out_error = self.demux.rx_error;
        self.core.packet_out_vport = self.demux.packet_out_vport;
        self.mux.tx_whole = self.core.tx_whole;
        join(self.core.upcall, self.mux.upcall);
        self.mux.upcall_whole = self.core.upcall_whole;
        self.mux.upcall_vport = self.core.upcall_vport;
        self.mux.upcall_reason = self.core.upcall_reason;
        join(self.mux.out, self.sent.inp);
        join(self.sent.out, self.uart.send);

        comment!("registers");
        join(self.demux.registers, self.registers.request);
        join(self.registers.answer, self.mux.registers);
        join(self.registers.m_axil, self.core.s_axil);

        comment!("lights");
        self.leds.happens[0] = self.mux.out.valid;
        self.leds.happens[1] = trouble | self.demux.moves;
        for i in 0..self.led.len() {
            self.led[i] = self.leds.light[i];
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
