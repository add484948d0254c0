// SPDX-License-Identifier: MIT OR Apache-2.0
//! AXI4-Lite slave in front of a simple bus.

use crate::base::{DffE, DffR, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// One transfer at a time, on the simple bus: `write` or `read` with `address` (and `write_data`) is held until the other side answers
/// with `ack` for one clock, together with `error` and `read_data`.
///
/// Address and data of a write may come in either order or together, and the next transfer is taken in while the answer to the
/// last one waits. When reads and writes wait, they take turns. A write with a strobe that is not all ones never reaches the bus: SLVERR.
/// No output depends on an input of the same clock, except `idle`: nothing is in progress, and nothing is asked for.
#[derive(LogicBlock, Default)]
pub struct AxiLite {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub awaddr: Signal<In, Bits<16>>,
    pub awvalid: Signal<In, Bit>,
    pub awready: Signal<Out, Bit>,
    pub wdata: Signal<In, Bits<32>>,
    pub wstrb: Signal<In, Bits<4>>,
    pub wvalid: Signal<In, Bit>,
    pub wready: Signal<Out, Bit>,
    pub bresp: Signal<Out, Bits<2>>,
    pub bvalid: Signal<Out, Bit>,
    pub bready: Signal<In, Bit>,
    pub araddr: Signal<In, Bits<16>>,
    pub arvalid: Signal<In, Bit>,
    pub arready: Signal<Out, Bit>,
    pub rdata: Signal<Out, Bits<32>>,
    pub rresp: Signal<Out, Bits<2>>,
    pub rvalid: Signal<Out, Bit>,
    pub rready: Signal<In, Bit>,

    pub write: Signal<Out, Bit>,
    pub read: Signal<Out, Bit>,
    pub address: Signal<Out, Bits<16>>,
    pub write_data: Signal<Out, Bits<32>>,
    pub read_data: Signal<In, Bits<32>>,
    pub ack: Signal<In, Bit>,
    pub error: Signal<In, Bit>,
    pub idle: Signal<Out, Bit>,

    aw: DffE<Bits<16>>,
    aw_held: DffR<Bit>,
    w: DffE<Bits<32>>,
    w_strobe: DffE<Bits<4>>,
    w_held: DffR<Bit>,
    ar: DffE<Bits<16>>,
    ar_held: DffR<Bit>,
    writing: DffR<Bit>,
    reading: DffR<Bit>,
    /// The last transfer was a write: a waiting read goes first.
    read_next: DffR<Bit>,
    b_valid: DffR<Bit>,
    b_error: DffE<Bit>,
    r_valid: DffR<Bit>,
    r_error: DffE<Bit>,
    r_data: DffE<Bits<32>>,

    free: Signal<Local, Bit>,
    write_waits: Signal<Local, Bit>,
    read_waits: Signal<Local, Bit>,
    start_write: Signal<Local, Bit>,
    start_read: Signal<Local, Bit>,
    refuse: Signal<Local, Bit>,
    written: Signal<Local, Bit>,
    was_read: Signal<Local, Bit>,
}

impl Logic for AxiLite {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, aw, aw_held, w, w_strobe, w_held, ar, ar_held, writing, reading, read_next);
        clock!(self, clock, b_valid, b_error, r_valid, r_error, r_data);
        self.aw_held.reset.next = self.reset.val();
        self.w_held.reset.next = self.reset.val();
        self.ar_held.reset.next = self.reset.val();
        self.writing.reset.next = self.reset.val();
        self.reading.reset.next = self.reset.val();
        self.read_next.reset.next = self.reset.val();
        self.b_valid.reset.next = self.reset.val();
        self.r_valid.reset.next = self.reset.val();

        comment!("one transfer at a time, reads and writes in turn");
        self.free.next = !self.writing.q.val() & !self.reading.q.val();
        self.write_waits.next = self.aw_held.q.val() & self.w_held.q.val() & !self.b_valid.q.val();
        self.read_waits.next = self.ar_held.q.val() & !self.r_valid.q.val();
        self.start_write.next =
            self.free.val() & self.write_waits.val() & !(self.read_waits.val() & self.read_next.q.val());
        self.start_read.next = self.free.val() & self.read_waits.val() & !self.start_write.val();
        self.refuse.next = self.start_write.val() & !self.w_strobe.q.val().all();
        self.written.next = (self.writing.q.val() & self.ack.val()) | self.refuse.val();
        self.was_read.next = self.reading.q.val() & self.ack.val();
        self.writing.d.next = (self.start_write.val() & !self.refuse.val()) | (self.writing.q.val() & !self.ack.val());
        self.reading.d.next = self.start_read.val() | (self.reading.q.val() & !self.ack.val());
        self.read_next.d.next = self.start_write.val() | (self.read_next.q.val() & !self.start_read.val());

        comment!("take in");
        self.aw.en.next = !self.aw_held.q.val();
        self.aw.d.next = self.awaddr.val();
        self.aw_held.d.next = (self.aw_held.q.val() | self.awvalid.val()) & !self.written.val();
        self.w.en.next = !self.w_held.q.val();
        self.w.d.next = self.wdata.val();
        self.w_strobe.en.next = !self.w_held.q.val();
        self.w_strobe.d.next = self.wstrb.val();
        self.w_held.d.next = (self.w_held.q.val() | self.wvalid.val()) & !self.written.val();
        self.ar.en.next = !self.ar_held.q.val();
        self.ar.d.next = self.araddr.val();
        self.ar_held.d.next = (self.ar_held.q.val() | self.arvalid.val()) & !self.was_read.val();
        self.awready.next = !self.aw_held.q.val();
        self.wready.next = !self.w_held.q.val();
        self.arready.next = !self.ar_held.q.val();

        comment!("answer");
        self.b_valid.d.next = self.written.val() | (self.b_valid.q.val() & !self.bready.val());
        self.b_error.en.next = self.written.val();
        self.b_error.d.next = self.refuse.val() | self.error.val();
        self.r_valid.d.next = self.was_read.val() | (self.r_valid.q.val() & !self.rready.val());
        self.r_error.en.next = self.was_read.val();
        self.r_error.d.next = self.error.val();
        self.r_data.en.next = self.was_read.val();
        self.r_data.d.next = self.read_data.val();
        self.bvalid.next = self.b_valid.q.val();
        self.bresp.next = bit_cast::<2, 1>(self.b_error.q.val().into()) << 1;
        self.rvalid.next = self.r_valid.q.val();
        self.rresp.next = bit_cast::<2, 1>(self.r_error.q.val().into()) << 1;
        self.rdata.next = self.r_data.q.val();

        self.write.next = self.writing.q.val();
        self.read.next = self.reading.q.val();
        self.address.next = self.ar.q.val();
        if self.writing.q.val() {
            self.address.next = self.aw.q.val();
        }
        self.write_data.next = self.w.q.val();
        self.idle.next = !(self.awvalid.val()
            | self.wvalid.val()
            | self.arvalid.val()
            | self.aw_held.q.val()
            | self.w_held.q.val()
            | self.ar_held.q.val()
            | self.b_valid.q.val()
            | self.r_valid.q.val());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::{HashMap, VecDeque};

    const SLVERR: u64 = 2;

    /// A bus slave of read-write words, where addresses from 0x8000 do not exist; it takes its time.
    struct Slave {
        words: HashMap<u64, u64>,
        wait: u32,
    }

    impl Slave {
        fn drive(&mut self, dut: &mut AxiLite, rng: &mut ChaCha8Rng) {
            dut.ack.next = false;
            settle(dut);
            assert!(!(dut.write.val() && dut.read.val()));
            if !dut.write.val() && !dut.read.val() {
                self.wait = rng.random_range(0..4);
                return;
            }
            if self.wait > 0 {
                self.wait -= 1;
                return;
            }
            let address = dut.address.val().to_u64();
            dut.ack.next = true;
            dut.error.next = address >= 0x8000;
            dut.read_data.next = self.words.get(&address).copied().unwrap_or(0).into();
            if dut.write.val() && address < 0x8000 {
                self.words.insert(address, dut.write_data.val().to_u64());
            }
            settle(dut);
        }
    }

    /// A master with all channels independent: each offers its next item after a random wait, and accepts answers likewise.
    fn run(seed: u64, stall: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut dut = Box::new(AxiLite::default());
        dut.connect_all();
        let mut slave = Slave { words: HashMap::new(), wait: 0 };
        let mut model: HashMap<u64, u64> = HashMap::new();
        let (mut addresses, mut data) = (VecDeque::new(), VecDeque::new());
        let (mut aw, mut w, mut ar) = (None::<u64>, None::<(u64, u64)>, None::<u64>);
        let (mut answers, mut reads) = (0, 0);
        // Writes go to even words, reads to a word that no write is under way to: the order of the two does not matter.
        let mut read_under_way = None;
        for clock in 0..3000 {
            let draining = clock >= 2700;
            let address = |rng: &mut ChaCha8Rng| [0x10u64, 0x20, 0x30, 0x8000, 0xfffc][rng.random_range(0..5)];
            if aw.is_none() && !draining && !rng.random_bool(stall) && addresses.len() <= data.len() {
                aw = Some(address(&mut rng));
            }
            if w.is_none() && !draining && !rng.random_bool(stall) && data.len() <= addresses.len() {
                w = Some((rng.random::<u32>().into(), if rng.random_bool(0.8) { 15 } else { rng.random_range(0..15) }));
            }
            if draining && addresses.len() < data.len() && aw.is_none() {
                aw = Some(address(&mut rng));
            }
            if draining && data.len() < addresses.len() && w.is_none() {
                w = Some((7, 15));
            }
            if ar.is_none() && read_under_way.is_none() && !draining && !rng.random_bool(stall) {
                ar = Some(address(&mut rng));
            }
            dut.awvalid.next = aw.is_some();
            dut.awaddr.next = aw.unwrap_or(0xdead).into();
            dut.wvalid.next = w.is_some();
            dut.wdata.next = w.unwrap_or((0, 0)).0.into();
            dut.wstrb.next = w.unwrap_or((0, 0)).1.into();
            dut.arvalid.next = ar.is_some();
            dut.araddr.next = ar.unwrap_or(0xdead).into();
            dut.bready.next = !rng.random_bool(stall);
            dut.rready.next = !rng.random_bool(stall);
            slave.drive(&mut dut, &mut rng);
            if dut.read.val() && dut.ack.val() {
                let address = dut.address.val().to_u64();
                let value = if address < 0x8000 { model.get(&address).copied().unwrap_or(0) } else { 0 };
                read_under_way = Some((read_under_way.unwrap_or((address, 0)).0, value));
            }
            if dut.awready.val() && aw.is_some() {
                addresses.push_back(aw.take().unwrap());
            }
            if dut.wready.val() && w.is_some() {
                data.push_back(w.take().unwrap());
            }
            if dut.arready.val() && ar.is_some() {
                read_under_way = Some((ar.take().unwrap(), u64::MAX));
            }
            if dut.write.val() && dut.ack.val() {
                let (address, (value, strobe)) = (addresses[0], data[0]);
                assert_eq!((dut.address.val().to_u64(), dut.write_data.val().to_u64(), strobe), (address, value, 15));
                if address < 0x8000 {
                    model.insert(address, value);
                }
            }
            if dut.bvalid.val() && dut.bready.val() {
                let (address, (_, strobe)) = (addresses.pop_front().unwrap(), data.pop_front().unwrap());
                let bad = address >= 0x8000 || strobe != 15;
                assert_eq!(dut.bresp.val(), if bad { SLVERR } else { 0 });
                answers += 1;
            }
            if dut.rvalid.val() && dut.rready.val() {
                let (address, value) = read_under_way.take().expect("a read");
                assert_eq!(dut.rresp.val(), if address >= 0x8000 { SLVERR } else { 0 });
                assert_eq!(dut.rdata.val().to_u64(), value);
                reads += 1;
            }
            let quiet = addresses.is_empty() && data.is_empty() && read_under_way.is_none();
            if dut.idle.val() {
                assert!(quiet && aw.is_none() && w.is_none() && ar.is_none(), "idle in clock {clock} with work left");
            }
            crate::testing::tick(&mut *dut, |d| &mut d.clock);
        }
        assert!(dut.idle.val() && addresses.is_empty() && data.is_empty() && read_under_way.is_none());
        assert!(answers > 100 && reads > 100, "{answers} writes, {reads} reads");
    }

    #[test]
    fn every_order_of_handshakes_is_answered_once() {
        for (seed, stall) in [(1, 0.0), (2, 0.2), (3, 0.5), (4, 0.8), (5, 0.5)] {
            run(seed, stall);
        }
    }

    #[test]
    fn reads_and_writes_take_turns() {
        let mut dut = Box::new(AxiLite::default());
        dut.connect_all();
        for pin in [&mut dut.awvalid, &mut dut.wvalid, &mut dut.arvalid, &mut dut.bready, &mut dut.rready, &mut dut.ack]
        {
            pin.next = true;
        }
        dut.wstrb.next = 15u64.into();
        let (mut writes, mut reads) = (0, 0);
        for _ in 0..100 {
            settle(&mut *dut);
            writes += usize::from(dut.write.val());
            reads += usize::from(dut.read.val());
            crate::testing::tick(&mut *dut, |d| &mut d.clock);
        }
        assert!(writes > 20 && reads > 20, "{writes} writes, {reads} reads");
    }

    #[test]
    fn verilog_passes_lint() {
        assert_lints(AxiLite::default());
    }
}
