// SPDX-License-Identifier: MIT OR Apache-2.0
//! AXI4-Lite, and a slave in front of a simple bus.

use crate::base::{DffE, DffR};
use rust_hdl_core::prelude::*;

/// The slave's end of AXI4-Lite, for 32-bit registers in 64 KiB.
#[millrace_hdl::bundle(AxilMaster)]
pub struct AxilSlave {
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
}

/// One transfer at a time, on the simple bus: `write` or `read` with `address` (and `write_data`) is held until the other side answers
/// with `ack` for one clock, together with `error` and `read_data`.
///
/// Address and data of a write may come in either order or together, and the next transfer is taken in while the answer to the
/// last one waits. When reads and writes wait, they take turns. A write with a strobe that is not all ones never reaches the bus: SLVERR.
/// No output depends on an input of the same clock, except `idle`: nothing is in progress, and nothing is asked for.
#[millrace_hdl::block]
pub struct AxiLite {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub s_axil: AxilSlave,

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
}

#[millrace_hdl::block]
impl AxiLite {
    fn update(&mut self) {
        comment!("one transfer at a time, reads and writes in turn");
        let free = !self.writing & !self.reading;
        let write_waits = self.aw_held & self.w_held & !self.b_valid;
        let read_waits = self.ar_held & !self.r_valid;
        let start_write = free & write_waits & !(read_waits & self.read_next);
        let start_read = free & read_waits & !start_write;
        let refuse = start_write & !self.w_strobe.all();
        let written = (self.writing & self.ack) | refuse;
        let was_read = self.reading & self.ack;
        self.writing = (start_write & !refuse) | (self.writing & !self.ack);
        self.reading = start_read | (self.reading & !self.ack);
        self.read_next = start_write | (self.read_next & !start_read);

        comment!("take in");
        if !self.aw_held {
            self.aw = self.s_axil.awaddr;
        }
        if !self.w_held {
            self.w = self.s_axil.wdata;
            self.w_strobe = self.s_axil.wstrb;
        }
        if !self.ar_held {
            self.ar = self.s_axil.araddr;
        }
        self.aw_held = (self.aw_held | self.s_axil.awvalid) & !written;
        self.w_held = (self.w_held | self.s_axil.wvalid) & !written;
        self.ar_held = (self.ar_held | self.s_axil.arvalid) & !was_read;
        self.s_axil.awready = !self.aw_held;
        self.s_axil.wready = !self.w_held;
        self.s_axil.arready = !self.ar_held;

        comment!("answer");
        self.b_valid = written | (self.b_valid & !self.s_axil.bready);
        if written {
            self.b_error = refuse | self.error;
        }
        self.r_valid = was_read | (self.r_valid & !self.s_axil.rready);
        if was_read {
            self.r_error = self.error;
            self.r_data = self.read_data;
        }
        self.s_axil.bvalid = self.b_valid;
        self.s_axil.bresp = concat::<2>(self.b_error, false);
        self.s_axil.rvalid = self.r_valid;
        self.s_axil.rresp = concat::<2>(self.r_error, false);
        self.s_axil.rdata = self.r_data;

        self.write = self.writing;
        self.read = self.reading;
        self.address = if self.writing { self.aw } else { self.ar };
        self.write_data = self.w;
        let asked = self.s_axil.awvalid | self.s_axil.wvalid | self.s_axil.arvalid;
        let held = self.aw_held | self.w_held | self.ar_held | self.b_valid | self.r_valid;
        self.idle = !(asked | held);
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
            dut.s_axil.awvalid.next = aw.is_some();
            dut.s_axil.awaddr.next = aw.unwrap_or(0xdead).into();
            dut.s_axil.wvalid.next = w.is_some();
            dut.s_axil.wdata.next = w.unwrap_or((0, 0)).0.into();
            dut.s_axil.wstrb.next = w.unwrap_or((0, 0)).1.into();
            dut.s_axil.arvalid.next = ar.is_some();
            dut.s_axil.araddr.next = ar.unwrap_or(0xdead).into();
            dut.s_axil.bready.next = !rng.random_bool(stall);
            dut.s_axil.rready.next = !rng.random_bool(stall);
            slave.drive(&mut dut, &mut rng);
            if dut.read.val() && dut.ack.val() {
                let address = dut.address.val().to_u64();
                let value = if address < 0x8000 { model.get(&address).copied().unwrap_or(0) } else { 0 };
                read_under_way = Some((read_under_way.unwrap_or((address, 0)).0, value));
            }
            if dut.s_axil.awready.val() && aw.is_some() {
                addresses.push_back(aw.take().unwrap());
            }
            if dut.s_axil.wready.val() && w.is_some() {
                data.push_back(w.take().unwrap());
            }
            if dut.s_axil.arready.val() && ar.is_some() {
                read_under_way = Some((ar.take().unwrap(), u64::MAX));
            }
            if dut.write.val() && dut.ack.val() {
                let (address, (value, strobe)) = (addresses[0], data[0]);
                assert_eq!((dut.address.val().to_u64(), dut.write_data.val().to_u64(), strobe), (address, value, 15));
                if address < 0x8000 {
                    model.insert(address, value);
                }
            }
            if dut.s_axil.bvalid.val() && dut.s_axil.bready.val() {
                let (address, (_, strobe)) = (addresses.pop_front().unwrap(), data.pop_front().unwrap());
                let bad = address >= 0x8000 || strobe != 15;
                assert_eq!(dut.s_axil.bresp.val(), if bad { SLVERR } else { 0 });
                answers += 1;
            }
            if dut.s_axil.rvalid.val() && dut.s_axil.rready.val() {
                let (address, value) = read_under_way.take().expect("a read");
                assert_eq!(dut.s_axil.rresp.val(), if address >= 0x8000 { SLVERR } else { 0 });
                assert_eq!(dut.s_axil.rdata.val().to_u64(), value);
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
        for pin in [
            &mut dut.s_axil.awvalid,
            &mut dut.s_axil.wvalid,
            &mut dut.s_axil.arvalid,
            &mut dut.s_axil.bready,
            &mut dut.s_axil.rready,
            &mut dut.ack,
        ] {
            pin.next = true;
        }
        dut.s_axil.wstrb.next = 15u64.into();
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
