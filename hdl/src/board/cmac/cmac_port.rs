// SPDX-License-Identifier: MIT OR Apache-2.0
//! Between a port of the core and a 100G MAC.

use super::frame_gate::FrameGate;
use super::loss_mark::LossMark;
use super::mac_beat::MacBeat;
use crate::base::{AsyncFifo, DffR, Param, Reg};
use crate::bus::{AxisSnk, AxisSrc};
use crate::emit::Described;
use rust_hdl_core::prelude::*;

/// Bytes of the shortest frame on the wire, without FCS (IEEE 802.3 §3.2.7).
const SHORTEST: usize = 60;

/// Takes frames from the core's clock to the MAC's and back; for UltraScale+'s CMAC with its 512-bit AXI4-Stream. `BUS_BITS` = 512, `BUS_BYTES` = 64.
///
/// To the MAC: short frames are padded with zeros to 60 bytes; a frame of up to 256 beats waits until it is there to its end, so that the MAC sees no
/// pause. From the MAC, which cannot wait: 64 beats are held; a frame that finds no room goes to the core as a damaged one (`LossMark`).
/// The MAC adds and checks the FCS.
///
/// `port_reset` and `mac_reset` are one reset in the two clocks, high together for four clocks of the slower one, when the MAC is not there.
/// `reset` is the core's, and means `port_reset` too. A frame on its way when `port_reset` comes is lost: on receive a beat marked damaged
/// ends it, before any other frame; on transmit its rest is taken and left out. In `port_reset` the core waits.
#[millrace_hdl::block(Self::check())]
pub struct CmacPort<const BUS_BITS: usize, const BUS_BYTES: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub port_reset: Signal<In, Bit>,
    pub s_axis_tx: AxisSnk<Bits<BUS_BITS>, Bits<BUS_BYTES>, Bit>,
    pub m_axis_rx: AxisSrc<Bits<BUS_BITS>, Bits<BUS_BYTES>, Bit>,

    pub mac_clock: Signal<In, Clock>,
    pub mac_reset: Signal<In, Bit>,
    pub m_axis_mac: AxisSrc<Bits<BUS_BITS>, Bits<BUS_BYTES>, Bit>,
    /// From the MAC, without `tready`.
    pub mac_rx_tdata: Signal<In, Bits<BUS_BITS>>,
    pub mac_rx_tkeep: Signal<In, Bits<BUS_BYTES>>,
    pub mac_rx_tlast: Signal<In, Bit>,
    pub mac_rx_tuser: Signal<In, Bit>,
    pub mac_rx_tvalid: Signal<In, Bit>,
    /// The MAC's receiver is in reset, alone or with the port: the frame that it is sending will not end.
    pub mac_rx_reset: Signal<In, Bit>,

    #[init(AsyncFifo::new())]
    to_mac: AsyncFifo<MacBeat<BUS_BITS, BUS_BYTES>, 4, 5>,
    #[clock(mac_clock)]
    gate: FrameGate<BUS_BITS, BUS_BYTES, 8, 9>,
    #[clock(mac_clock)]
    loss: LossMark<BUS_BITS, BUS_BYTES>,
    #[init(AsyncFifo::new())]
    from_mac: AsyncFifo<MacBeat<BUS_BITS, BUS_BYTES>, 6, 7>,

    /// Inside a frame from the core.
    tx_open: Reg<Bit>,
    /// Inside a frame from the core that a reset cut.
    tx_torn: Reg<Bit>,
    /// Inside a frame to the core.
    rx_open: Reg<Bit>,
    /// Inside a frame to the core that a reset cut.
    rx_torn: DffR<Bit>,
    /// The bits of each byte.
    #[init((0..BUS_BYTES).map(|byte| Param::new(Bits::<BUS_BITS>::from(0xff_u64) << (8 * byte as u64))).collect())]
    place: Vec<Param<Bits<BUS_BITS>>>,
    #[init(Param::new(!Bits::<BUS_BYTES>::default()))]
    all: Param<Bits<BUS_BYTES>>,
    #[init(Param::new(((1u64 << SHORTEST) - 1).into()))]
    shortest: Param<Bits<BUS_BYTES>>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const BUS_BYTES: usize> CmacPort<BUS_BITS, BUS_BYTES> {
    fn check() {
        assert!(
            BUS_BITS == 512 && BUS_BYTES == 64,
            "CmacPort<{BUS_BITS}, {BUS_BYTES}>: the CMAC's AXI4-Stream has 512 bits"
        );
    }

    fn update(&mut self) {
        self.to_mac.write_clock = self.clock;
        self.to_mac.write_reset = self.port_reset;
        self.to_mac.read_clock = self.mac_clock;
        self.to_mac.read_reset = self.mac_reset;
        self.gate.reset = self.mac_reset;
        self.loss.reset = self.mac_reset;
        self.from_mac.write_clock = self.mac_clock;
        self.from_mac.write_reset = self.mac_reset;
        self.from_mac.read_clock = self.clock;
        self.from_mac.read_reset = self.port_reset;

        comment!("to the MAC: zeros behind the frame's end, and as many as a short frame lacks");
        let mut keep = if self.s_axis_tx.tlast { self.s_axis_tx.tkeep } else { self.all };
        let mut mask: Bits<BUS_BITS> = 0;
        for i in 0..BUS_BYTES {
            if keep.get_bit(i) {
                mask |= self.place[i];
            }
        }
        if !self.tx_open {
            keep |= self.shortest;
        }
        let ready = !self.port_reset & (self.to_mac.inp.ready | self.tx_torn);
        let taken = self.s_axis_tx.tvalid & ready;
        self.s_axis_tx.tready = ready;
        self.to_mac.inp.valid = taken & !self.tx_torn;
        self.to_mac.inp.data = MacBeat {
            data: self.s_axis_tx.tdata & mask,
            keep,
            last: self.s_axis_tx.tlast,
            error: self.s_axis_tx.tuser,
        };
        if taken {
            self.tx_open = !self.s_axis_tx.tlast;
        }
        if self.port_reset | taken {
            self.tx_torn = if taken { self.tx_torn & !self.s_axis_tx.tlast } else { self.tx_open };
        }
        join(self.to_mac.out, self.gate.inp);
        self.m_axis_mac.tdata = self.gate.out.data.data;
        self.m_axis_mac.tkeep = self.gate.out.data.keep;
        self.m_axis_mac.tlast = self.gate.out.data.last;
        self.m_axis_mac.tuser = self.gate.out.data.error;
        self.m_axis_mac.tvalid = self.gate.out.valid;
        self.gate.out.ready = self.m_axis_mac.tready;

        comment!("from the MAC; a reset ends the frame that it cuts");
        self.loss.data = MacBeat {
            data: self.mac_rx_tdata,
            keep: self.mac_rx_tkeep,
            last: self.mac_rx_tlast,
            error: self.mac_rx_tuser,
        };
        self.loss.valid = self.mac_rx_tvalid;
        self.loss.gone = self.mac_rx_reset;
        join(self.loss.out, self.from_mac.inp);
        let end = self.rx_open & (self.port_reset | self.rx_torn);
        let valid = end | (!self.port_reset & self.from_mac.out.valid);
        let last = end | self.from_mac.out.data.last;
        self.m_axis_rx.tdata = self.from_mac.out.data.data;
        self.m_axis_rx.tkeep = if end { 1 } else { self.from_mac.out.data.keep };
        self.m_axis_rx.tlast = last;
        self.m_axis_rx.tuser = end | self.from_mac.out.data.error;
        self.m_axis_rx.tvalid = valid;
        self.from_mac.out.ready = self.m_axis_rx.tready & !self.port_reset & !end;
        let given = valid & self.m_axis_rx.tready;
        if given {
            self.rx_open = !last;
        }
        self.rx_torn = end & !given;
    }
}

/// Name of the module.
pub const TOP: &str = "cmac_port";

/// Width of the CMAC's streams in bits.
pub const BUS_BITS: usize = 512;

/// The block, to be emitted.
pub fn build() -> Box<dyn Block> {
    Box::new(Described(Box::new(CmacPort::<BUS_BITS, { BUS_BITS / 8 }>::default())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    type Port = CmacPort<512, 64>;

    /// A transfer: data, bytes, last, error.
    type Transfer = (Bits<512>, usize, bool, bool);

    fn keep(bytes: usize) -> Bits<64> {
        (u64::MAX >> (64 - bytes)).into()
    }

    /// The transfers of a frame, with garbage past its end.
    fn transfers(frame: &[u8], error: bool) -> Vec<Transfer> {
        let n = frame.len().div_ceil(64);
        let transfer = |(i, chunk): (usize, &[u8])| {
            let mut all = [0xa5; 64];
            all[..chunk.len()].copy_from_slice(chunk);
            (bits_of(&all), chunk.len(), i + 1 == n, error && i + 1 == n)
        };
        frame.chunks(64).enumerate().map(transfer).collect()
    }

    /// A port, the frames that came out of it on both sides (with the MAC's or the port's error mark), and its random clocks.
    struct Bench {
        port: Box<Port>,
        rng: ChaCha8Rng,
        /// Where each side is in its input.
        to_mac: VecDeque<Transfer>,
        to_core: VecDeque<Transfer>,
        sent: (Vec<u8>, Vec<(Vec<u8>, bool)>),
        received: (Vec<u8>, Vec<(Vec<u8>, bool)>),
        core_ready: f64,
        /// The MAC took a transfer that was not a frame's last.
        inside: bool,
    }

    impl Bench {
        fn new() -> Self {
            let mut port = Box::new(Port::default());
            port.connect_all();
            let mut bench = Bench {
                port,
                rng: ChaCha8Rng::seed_from_u64(41),
                to_mac: VecDeque::new(),
                to_core: VecDeque::new(),
                sent: Default::default(),
                received: Default::default(),
                core_ready: 0.9,
                inside: false,
            };
            bench.port.reset.next = true;
            bench.port_reset(6);
            bench.port.reset.next = false;
            bench
        }

        fn port_reset(&mut self, clocks: usize) {
            for level in [true, false] {
                self.port.port_reset.next = level;
                self.port.mac_reset.next = level;
                for _ in 0..clocks {
                    self.core_clock();
                    self.mac_clock();
                }
            }
        }

        fn core_clock(&mut self) {
            let port = &mut *self.port;
            let next = self.to_mac.front().filter(|_| self.rng.random_bool(0.8)).copied();
            let (data, count, last, error) = next.unwrap_or_default();
            port.s_axis_tx.tvalid.next = next.is_some();
            port.s_axis_tx.tdata.next = data;
            // What counts is the last beat's.
            port.s_axis_tx.tkeep.next = if last { keep(count) } else { 0u64.into() };
            port.s_axis_tx.tlast.next = last;
            port.s_axis_tx.tuser.next = error;
            port.m_axis_rx.tready.next = self.rng.random_bool(self.core_ready);
            settle(port);
            if next.is_some() && port.s_axis_tx.tready.val() {
                self.to_mac.pop_front();
            }
            if port.m_axis_rx.tvalid.val() && port.m_axis_rx.tready.val() {
                let count = port.m_axis_rx.tkeep.val().to_u64().count_ones() as usize;
                self.received.0.extend(bytes::<512, 7>(port.m_axis_rx.tdata.val(), count.to_bits()));
                if port.m_axis_rx.tlast.val() {
                    let frame = std::mem::take(&mut self.received.0);
                    self.received.1.push((frame, port.m_axis_rx.tuser.val()));
                }
            }
            tick(port, |p| &mut p.clock);
        }

        fn mac_clock(&mut self) {
            let port = &mut *self.port;
            let (data, count, last, error) = self.to_core.front().copied().unwrap_or_default();
            port.mac_rx_tvalid.next = !self.to_core.is_empty();
            port.mac_rx_tdata.next = data;
            port.mac_rx_tkeep.next = if count == 0 { 0u64.into() } else { keep(count) };
            port.mac_rx_tlast.next = last;
            port.mac_rx_tuser.next = error;
            port.m_axis_mac.tready.next = self.rng.random_bool(0.7);
            settle(port);
            self.to_core.pop_front();
            assert!(!self.inside || port.mac_reset.val() || port.m_axis_mac.tvalid.val(), "a pause inside a frame");
            if port.m_axis_mac.tvalid.val() && port.m_axis_mac.tready.val() {
                let count = port.m_axis_mac.tkeep.val().to_u64().count_ones() as usize;
                self.sent.0.extend(bytes::<512, 7>(port.m_axis_mac.tdata.val(), count.to_bits()));
                self.inside = !port.m_axis_mac.tlast.val();
                if !self.inside {
                    let frame = std::mem::take(&mut self.sent.0);
                    self.sent.1.push((frame, port.m_axis_mac.tuser.val()));
                }
            }
            tick(port, |p| &mut p.mac_clock);
        }

        /// Both clocks, 4 : 5 as 250 MHz to 322 MHz nearly is, in random order.
        fn run(&mut self, instants: usize) {
            for _ in 0..instants {
                if self.rng.random_bool(0.44) { self.core_clock() } else { self.mac_clock() }
            }
        }

        fn frame(&mut self, len: usize) -> Vec<u8> {
            (0..len).map(|_| self.rng.random()).collect()
        }
    }

    #[test]
    fn frames_reach_the_mac_padded_and_without_a_pause() {
        let mut bench = Bench::new();
        let lens = [14, 59, 60, 61, 64, 65, 128, 200, 1518, 14, 9216, 63, 33];
        let frames: Vec<Vec<u8>> = lens.iter().map(|len| bench.frame(*len)).collect();
        for frame in &frames {
            bench.to_mac.extend(transfers(frame, false));
        }
        bench.run(2500);
        let mut expected = frames;
        expected.iter_mut().for_each(|frame| frame.resize(frame.len().max(60), 0));
        assert!(bench.sent.1.iter().all(|(_, error)| !error));
        assert_eq!(bench.sent.1.into_iter().map(|(frame, _)| frame).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn frames_reach_the_core_with_the_mac_s_mark() {
        let mut bench = Bench::new();
        let lens = [60, 64, 65, 1518, 60, 200];
        let frames: Vec<(Vec<u8>, bool)> =
            lens.iter().enumerate().map(|(i, len)| (bench.frame(*len), i == 3)).collect();
        for (frame, error) in &frames {
            bench.to_core.extend(transfers(frame, *error));
        }
        bench.run(400);
        assert_eq!(bench.received.1, frames);
    }

    #[test]
    fn what_finds_no_room_reaches_the_core_as_damaged() {
        let mut bench = Bench::new();
        bench.core_ready = 0.0;
        for _ in 0..100 {
            let frame = bench.frame(100);
            bench.to_core.extend(transfers(&frame, false));
        }
        bench.run(600);
        bench.core_ready = 1.0;
        bench.run(900);
        let whole = bench.received.1.iter().filter(|(_, error)| !error).count();
        assert_eq!(bench.received.1.len(), 100, "each frame is told of");
        assert!((30..=33).contains(&whole), "64 beats are held, and one in the output register: {whole} frames");
        assert!(bench.received.1.iter().all(|(frame, error)| *error || frame.len() == 100));
    }

    #[test]
    fn a_reset_of_the_port_ends_what_it_cuts_and_nothing_else() {
        cut(0.9, true);
        cut(0.9, false);
    }

    #[test]
    fn what_a_reset_cuts_is_ended_even_if_the_core_takes_nothing_meanwhile() {
        cut(0.0, true);
    }

    /// A reset inside frames of both directions, in which the core takes beats with this probability, and the MAC's receiver is `gone` or goes on.
    fn cut(core_ready: f64, gone: bool) {
        let mut bench = Bench::new();
        let long = bench.frame(6400);
        let next = bench.frame(300);
        for queue in [&mut bench.to_mac, &mut bench.to_core] {
            queue.extend(transfers(&long, false));
        }
        bench.run(60);
        assert!(bench.port.tx_open.q.val() && bench.port.rx_open.q.val(), "both frames are under way");
        if gone {
            bench.to_core.clear();
        }
        bench.core_ready = core_ready;
        bench.port.mac_rx_reset.next = gone;
        bench.port_reset(20);
        bench.port.mac_rx_reset.next = false;
        assert_eq!(bench.to_core.is_empty(), gone, "the rest comes after the reset");
        bench.core_ready = 0.9;
        bench.sent.0.clear();
        bench.inside = false;
        for queue in [&mut bench.to_mac, &mut bench.to_core] {
            queue.extend(transfers(&next, false));
        }
        bench.run(800);
        assert_eq!(bench.sent.1, [(next.clone(), false)], "of the torn frame nothing goes out");
        let received = &bench.received.1;
        assert_eq!(received.len(), 2);
        assert!(received[0].1 && long.starts_with(&received[0].0[..received[0].0.len() - 1]), "cut, and said so");
        assert_eq!(received[1], (next, false));
    }

    #[test]
    fn cmac_port_emits_clean_verilog() {
        assert_lints(Port::default());
    }
}
