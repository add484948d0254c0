// SPDX-License-Identifier: MIT OR Apache-2.0
//! A network card: the core with gigabit Ethernet ports and its host behind a UART.

use super::leds::Leds;
use crate::base::Skid;
use crate::board::host::host_demux::HostDemux;
use crate::board::host::host_mux::HostMux;
use crate::board::host::host_registers::HostRegisters;
use crate::board::mac::gigabit_port::GigabitPort;
use crate::board::types::MarkedBeat;
use crate::board::uart::uart_link::UartLink;
use crate::core::millrace::Millrace;
use crate::core::types::Beat;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// The core with a gigabit Ethernet MAC at each of the first `PORTS` vports, and the host channel (`docs/board.md`) over a UART for the others,
/// upcalls, packet out and registers.
///
/// `clock` of any rate from 125 MHz / `bus_bytes` on, `tx_clock` of 125 MHz, and of each port the `rx_clock` of its PHY need not be related.
/// `reset` is synchronous to `clock`, high for 16 clocks of the slowest; the other domains take it over. `led` 0 is lit by
/// messages for the host, 1 by anything that was damaged, dropped or lost on the way to the core, the others by the ports' traffic.
#[millrace_hdl::block]
pub struct GigabitNic<const SIZES: Sizes, const PORTS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub tx_clock: Signal<In, Clock>,
    #[count(PORTS)]
    pub rx_clock: Vec<Signal<In, Clock>>,
    #[count(PORTS)]
    pub gmii_rxd: Vec<Signal<In, Bits<8>>>,
    #[count(PORTS)]
    pub gmii_rx_dv: Vec<Signal<In, Bit>>,
    #[count(PORTS)]
    pub gmii_rx_er: Vec<Signal<In, Bit>>,
    #[count(PORTS)]
    pub gmii_txd: Vec<Signal<Out, Bits<8>>>,
    #[count(PORTS)]
    pub gmii_tx_en: Vec<Signal<Out, Bit>>,
    #[count(PORTS)]
    pub gmii_tx_er: Vec<Signal<Out, Bit>>,
    pub uart_rx: Signal<In, Bit>,
    pub uart_tx: Signal<Out, Bit>,
    #[count(PORTS + 2)]
    pub led: Vec<Signal<Out, Bit>>,

    core: Millrace<SIZES>,
    #[count(PORTS)]
    ports: Vec<GigabitPort<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    uart: UartLink<{ SIZES.bus_bits }, { SIZES.count_bits }>,
    /// Part the channel from what it leads to: a message comes from LUT RAM, and `ready` of the line depends on the data.
    received: Skid<MarkedBeat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    sent: Skid<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    #[init(HostDemux::new(PORTS..SIZES.vports, true))]
    demux: HostDemux<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.vports }>,
    #[init(HostMux::new(PORTS..SIZES.vports))]
    mux: HostMux<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.vports }, { SIZES.host_sources }>,
    #[init(HostRegisters::new(PORTS + 1))]
    registers: HostRegisters,
    #[init(Leds::new(PORTS + 2))]
    leds: Leds<22>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes, const PORTS: usize> GigabitNic<SIZES, PORTS> {
    /// The card with the core of a build, and `clocks_per_bit` clocks of `clock` to a bit of the UART.
    ///
    /// # Panics
    /// If `SIZES` is not of `config` or do not fit each other, or `clocks_per_bit` is not 4 to 65,535.
    pub fn new(config: &Config, clocks_per_bit: usize) -> Self {
        assert!(PORTS <= config.uplinks, "{PORTS} gigabit ports for {} uplinks", config.uplinks);
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
        for i in 0..SIZES.queues {
            self.core.clock_port[i] = self.clock;
        }
        self.core.clock_ctrl = self.clock;

        comment!("ports");
        let mut trouble = false;
        self.registers.words[0] = self.demux.dropped;
        for i in 0..PORTS {
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
        for i in PORTS..SIZES.vports {
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

/// Name of the top module.
pub const TOP: &str = "gigabit_nic";
