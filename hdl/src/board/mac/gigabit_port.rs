// SPDX-License-Identifier: MIT OR Apache-2.0
//! A gigabit Ethernet port of the core.

use super::event_count::EventCount;
use super::mac_rx::MacRx;
use super::mac_tx::MacTx;
use super::reset_bridge::ResetBridge;
use crate::base::{AsyncFifo, Snk, Src};
use crate::board::stream::whole_frames::WholeFrames;
use crate::board::types::MarkedBeat;
use crate::core::types::Beat;
use rust_hdl_core::prelude::*;

/// A MAC between a GMII and a vport of the core, on three unrelated clocks: `rx_clock` of the PHY, `tx_clock` of 125 MHz, and the core's
/// `clock`, which moves a beat in the time of W / 8 bytes on the wire or faster.
///
/// `reset` is synchronous to `clock`, high for 16 clocks of the slowest side or more; the other sides take it over, and a side whose
/// clock stands still keeps its half of the port in reset until it runs. A frame for which the core has no room is marked with
/// `rx_error` on its last beat, or counted in `lost` (modulo 2^32).
#[millrace_hdl::block]
pub struct GigabitPort<const BUS_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub rx_clock: Signal<In, Clock>,
    pub tx_clock: Signal<In, Clock>,
    pub gmii_rxd: Signal<In, Bits<8>>,
    pub gmii_rx_dv: Signal<In, Bit>,
    pub gmii_rx_er: Signal<In, Bit>,
    pub gmii_txd: Signal<Out, Bits<8>>,
    pub gmii_tx_en: Signal<Out, Bit>,
    pub gmii_tx_er: Signal<Out, Bit>,
    pub rx: Src<Beat<BUS_BITS, COUNT_BITS>>,
    /// With the last beat: the frame is damaged.
    pub rx_error: Signal<Out, Bit>,
    pub tx: Snk<Beat<BUS_BITS, COUNT_BITS>>,
    /// The core holds a whole frame for `tx`.
    pub tx_whole: Signal<In, Bit>,
    pub lost: Signal<Out, Bits<32>>,
    /// A beat comes in or goes out.
    pub active: Signal<Out, Bit>,
    /// A damaged frame comes in, or one is lost.
    pub trouble: Signal<Out, Bit>,

    rx_bridge: ResetBridge,
    #[clock(rx_clock)]
    mac_rx: MacRx<BUS_BITS, COUNT_BITS>,
    #[init(AsyncFifo::new())]
    rx_fifo: AsyncFifo<MarkedBeat<BUS_BITS, COUNT_BITS>, 4, 5>,
    losses: EventCount,
    tx_bridge: ResetBridge,
    gate: WholeFrames<BUS_BITS, COUNT_BITS>,
    #[init(AsyncFifo::new())]
    tx_fifo: AsyncFifo<Beat<BUS_BITS, COUNT_BITS>, 4, 5>,
    #[clock(tx_clock)]
    mac_tx: MacTx<BUS_BITS, COUNT_BITS>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize> GigabitPort<BUS_BITS, COUNT_BITS> {
    fn update(&mut self) {
        comment!("from the wire");
        self.rx_bridge.far_clock = self.rx_clock;
        self.mac_rx.reset = self.rx_bridge.far_reset;
        self.mac_rx.rxd = self.gmii_rxd;
        self.mac_rx.rx_dv = self.gmii_rx_dv;
        self.mac_rx.rx_er = self.gmii_rx_er;
        self.rx_fifo.write_clock = self.rx_clock;
        self.rx_fifo.write_reset = self.rx_bridge.far_reset;
        self.rx_fifo.read_clock = self.clock;
        self.rx_fifo.read_reset = self.rx_bridge.near_reset;
        join(self.mac_rx.out, self.rx_fifo.inp);
        let received = self.rx_fifo.out.data;
        self.rx.data = Beat { data: received.data, bytes: received.bytes, last: received.last };
        self.rx.valid = self.rx_fifo.out.valid;
        self.rx_fifo.out.ready = self.rx.ready;
        self.rx_error = received.error;
        self.losses.far_clock = self.rx_clock;
        self.losses.far_reset = self.rx_bridge.far_reset;
        self.losses.reset = self.rx_bridge.near_reset;
        self.losses.happens = self.mac_rx.lost;
        self.lost = self.losses.count;

        comment!("to the wire");
        self.tx_bridge.far_clock = self.tx_clock;
        self.gate.reset = self.tx_bridge.near_reset;
        self.gate.whole = self.tx_whole;
        self.tx_fifo.write_clock = self.clock;
        self.tx_fifo.write_reset = self.tx_bridge.near_reset;
        self.tx_fifo.read_clock = self.tx_clock;
        self.tx_fifo.read_reset = self.tx_bridge.far_reset;
        self.mac_tx.reset = self.tx_bridge.far_reset;
        link(self.tx, self.gate.inp);
        join(self.gate.out, self.tx_fifo.inp);
        join(self.tx_fifo.out, self.mac_tx.inp);
        self.gmii_txd = self.mac_tx.txd;
        self.gmii_tx_en = self.mac_tx.tx_en;
        self.gmii_tx_er = self.mac_tx.tx_er;

        comment!("for the lights");
        let comes = self.rx_fifo.out.valid & self.rx.ready;
        let goes = self.gate.out.valid & self.tx_fifo.inp.ready;
        self.active = comes | goes;
        self.trouble = (comes & received.last & received.error) | self.losses.moves;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{Gmii, Marked, QUIET, on_wire, random};
    use crate::testing::{assert_lints, beats, bytes, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    type Port = GigabitPort<64, 4>;

    /// The three clocks tick at random, in this share of instants; core first.
    struct Bench {
        port: Box<Port>,
        rng: ChaCha8Rng,
        shares: [f64; 3],
        /// What the PHY receives, what was sent, the frames the core got with their marks, what the core is to send.
        incoming: VecDeque<Gmii>,
        outgoing: Vec<Gmii>,
        frames: Vec<Marked>,
        partial: Vec<u8>,
        queue: VecDeque<Beat<64, 4>>,
        /// Share of core clocks in which the core takes a beat.
        takes: f64,
    }

    impl Bench {
        fn new(shares: [f64; 3]) -> Self {
            let mut bench = Bench {
                port: Default::default(),
                rng: ChaCha8Rng::seed_from_u64(16),
                shares,
                incoming: VecDeque::new(),
                outgoing: vec![],
                frames: vec![],
                partial: vec![],
                queue: VecDeque::new(),
                takes: 1.0,
            };
            bench.port.connect_all();
            bench.port.reset.next = true;
            bench.run(300);
            bench.port.reset.next = false;
            bench.run(300);
            bench.outgoing.clear();
            bench
        }

        fn run(&mut self, instants: usize) {
            for _ in 0..instants {
                self.instant();
            }
        }

        fn instant(&mut self) {
            let port = &mut *self.port;
            if self.rng.random_bool(self.shares[0]) {
                port.rx.ready.next = self.rng.random_bool(self.takes);
                port.tx.valid.next = !self.queue.is_empty();
                port.tx_whole.next = !self.queue.is_empty();
                port.tx.data.next = self.queue.front().copied().unwrap_or_default();
                settle(port);
                if port.tx.valid.val() && port.tx.ready.val() {
                    self.queue.pop_front();
                }
                if port.rx.valid.val() && port.rx.ready.val() {
                    let beat = port.rx.data.val();
                    self.partial.extend(bytes(beat.data, beat.bytes));
                    if beat.last {
                        self.frames.push((std::mem::take(&mut self.partial), port.rx_error.val()));
                    }
                }
                tick(port, |p| &mut p.clock);
            }
            if self.rng.random_bool(self.shares[1]) {
                let (data, valid, error) = self.incoming.pop_front().unwrap_or(QUIET);
                port.gmii_rxd.next = u64::from(data).into();
                (port.gmii_rx_dv.next, port.gmii_rx_er.next) = (valid, error);
                tick(port, |p| &mut p.rx_clock);
            }
            if self.rng.random_bool(self.shares[2]) {
                settle(port);
                self.outgoing.push((port.gmii_txd.val().to_u64() as u8, port.gmii_tx_en.val(), port.gmii_tx_er.val()));
                tick(port, |p| &mut p.tx_clock);
            }
        }
    }

    fn frames(count: usize) -> Vec<Vec<u8>> {
        let mut rng = ChaCha8Rng::seed_from_u64(17);
        (0..count)
            .map(|_| {
                let len = rng.random_range(60..140);
                random(len, &mut rng)
            })
            .collect()
    }

    #[test]
    fn frames_go_round_a_wire_between_any_clocks() {
        for shares in [[0.4, 0.4, 0.4], [0.2, 0.9, 0.8], [0.9, 0.3, 0.2]] {
            let mut bench = Bench::new(shares);
            let frames = frames(12);
            bench.queue = frames.iter().flat_map(|frame| beats::<64, 4>(frame)).collect();
            let bytes: usize = frames.iter().map(|frame| frame.len() + 24).sum();
            while bench.outgoing.len() < bytes + 100 {
                bench.instant();
            }
            let sent: Vec<Gmii> = std::mem::take(&mut bench.outgoing);
            assert!(sent.iter().all(|clock| !clock.2), "no beat is late");
            bench.incoming = sent.into();
            while !bench.incoming.is_empty() {
                bench.instant();
            }
            bench.run(600);
            let expected: Vec<_> = frames.into_iter().map(|frame| (frame, false)).collect();
            assert_eq!(bench.frames, expected);
            assert_eq!(bench.port.lost.val().to_u64(), 0);
        }
    }

    #[test]
    fn what_the_core_does_not_take_is_marked_or_counted() {
        let mut bench = Bench::new([0.4, 0.4, 0.4]);
        let frames = frames(20);
        bench.incoming = frames.iter().flat_map(|frame| [on_wire(frame), vec![QUIET; 12]].concat()).collect();
        bench.takes = 0.0;
        while bench.incoming.len() > 1000 {
            bench.instant();
        }
        bench.takes = 1.0;
        while !bench.incoming.is_empty() {
            bench.instant();
        }
        bench.run(600);
        let lost = bench.port.lost.val().to_u64() as usize;
        assert_eq!(bench.frames.len() + lost, frames.len());
        let marked = bench.frames.iter().filter(|(_, error)| *error).count();
        assert!(lost > 2 && marked == 1 && bench.frames.len() > 5, "{lost} lost, {marked} marked");
        let mut sent = frames.iter();
        assert!(bench.frames.iter().filter(|(_, error)| !error).all(|(frame, _)| sent.any(|other| other == frame)));
    }

    #[test]
    fn a_reset_under_traffic_leaves_a_port_that_works() {
        let mut bench = Bench::new([0.3, 0.5, 0.5]);
        let frames = frames(6);
        let wire = || frames.iter().flat_map(|frame| [on_wire(frame), vec![QUIET; 12]].concat()).collect();
        bench.incoming = wire();
        bench.queue = frames.iter().flat_map(|frame| beats::<64, 4>(frame)).collect();
        bench.takes = 0.1;
        bench.run(900);
        bench.port.reset.next = true;
        bench.queue.clear();
        bench.run(400);
        bench.port.reset.next = false;
        bench.incoming.clear();
        bench.run(400);
        (bench.takes, bench.incoming) = (1.0, wire());
        bench.frames.clear();
        bench.partial.clear();
        bench.outgoing.clear();
        bench.queue = frames.iter().flat_map(|frame| beats::<64, 4>(frame)).collect();
        while !bench.incoming.is_empty() || !bench.queue.is_empty() {
            bench.instant();
        }
        bench.run(3000);
        assert_eq!(bench.frames, frames.iter().map(|frame| (frame.clone(), false)).collect::<Vec<_>>());
        let sent: Vec<_> = bench.outgoing.split(|clock| !clock.1).filter(|carrier| !carrier.is_empty()).collect();
        assert_eq!(sent, frames.iter().map(|frame| on_wire(frame)).collect::<Vec<_>>());
    }

    #[test]
    fn lints() {
        assert_lints(Port::default());
    }
}
