// SPDX-License-Identifier: MIT OR Apache-2.0
//! AXI4-Lite with the addresses of all BARs, and a slave in front of a simple bus.

use millrace_hdl::base::{DffE, DffR};
use rust_hdl_core::prelude::*;

/// The slave's end of AXI4-Lite with 32-bit addresses: a function in bits 31:24, an offset in its BAR below.
#[millrace_hdl::bundle(HostAxilMaster)]
pub struct HostAxilSlave {
    pub awaddr: Signal<In, Bits<32>>,
    pub awvalid: Signal<In, Bit>,
    pub awready: Signal<Out, Bit>,
    pub wdata: Signal<In, Bits<32>>,
    pub wstrb: Signal<In, Bits<4>>,
    pub wvalid: Signal<In, Bit>,
    pub wready: Signal<Out, Bit>,
    pub bresp: Signal<Out, Bits<2>>,
    pub bvalid: Signal<Out, Bit>,
    pub bready: Signal<In, Bit>,
    pub araddr: Signal<In, Bits<32>>,
    pub arvalid: Signal<In, Bit>,
    pub arready: Signal<Out, Bit>,
    pub rdata: Signal<Out, Bits<32>>,
    pub rresp: Signal<Out, Bits<2>>,
    pub rvalid: Signal<Out, Bit>,
    pub rready: Signal<In, Bit>,
}

/// One transfer at a time, on the simple bus: `write` or `read` with `address` (and `write_data`, `write_strobe`) is held until the other side
/// answers with `ack` for one clock, together with `error` and `read_data`.
///
/// It differs from the fast path's `AxiLite` in the width of addresses, and in that strobes are passed on and not judged. Address and data of a
/// write may come in either order or together, and the next transfer is taken in while the answer to the last one waits. When reads and writes
/// wait, they take turns. No output depends on an input of the same clock, except `idle`: nothing is in progress, and nothing is asked for.
#[millrace_hdl::block]
pub struct HostAxi {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub s_axil: HostAxilSlave,
    /// With an address: what the transfer comes from; with a transfer: what it came from.
    pub from: Signal<In, Bits<8>>,
    pub by: Signal<Out, Bits<8>>,

    pub write: Signal<Out, Bit>,
    pub read: Signal<Out, Bit>,
    pub address: Signal<Out, Bits<32>>,
    pub write_data: Signal<Out, Bits<32>>,
    pub write_strobe: Signal<Out, Bits<4>>,
    pub read_data: Signal<In, Bits<32>>,
    pub ack: Signal<In, Bit>,
    pub error: Signal<In, Bit>,
    pub idle: Signal<Out, Bit>,

    aw: DffE<Bits<32>>,
    aw_from: DffE<Bits<8>>,
    aw_held: DffR<Bit>,
    w: DffE<Bits<32>>,
    w_strobe: DffE<Bits<4>>,
    w_held: DffR<Bit>,
    ar: DffE<Bits<32>>,
    ar_from: DffE<Bits<8>>,
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
impl HostAxi {
    fn update(&mut self) {
        comment!("one transfer at a time, reads and writes in turn");
        let free = !self.writing & !self.reading;
        let write_waits = self.aw_held & self.w_held & !self.b_valid;
        let read_waits = self.ar_held & !self.r_valid;
        let start_write = free & write_waits & !(read_waits & self.read_next);
        let start_read = free & read_waits & !start_write;
        let written = self.writing & self.ack;
        let was_read = self.reading & self.ack;
        self.writing = start_write | (self.writing & !self.ack);
        self.reading = start_read | (self.reading & !self.ack);
        self.read_next = start_write | (self.read_next & !start_read);

        comment!("take in");
        if !self.aw_held {
            self.aw = self.s_axil.awaddr;
            self.aw_from = self.from;
        }
        if !self.w_held {
            self.w = self.s_axil.wdata;
            self.w_strobe = self.s_axil.wstrb;
        }
        if !self.ar_held {
            self.ar = self.s_axil.araddr;
            self.ar_from = self.from;
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
            self.b_error = self.error;
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
        self.by = if self.writing { self.aw_from } else { self.ar_from };
        self.write_data = self.w;
        self.write_strobe = self.w_strobe;
        let asked = self.s_axil.awvalid | self.s_axil.wvalid | self.s_axil.arvalid;
        let held = self.aw_held | self.w_held | self.ar_held | self.b_valid | self.r_valid;
        self.idle = !(asked | held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    /// What the bus side sees of a transfer, and what it answers.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Transfer {
        write: bool,
        address: u64,
        data: u64,
        strobe: u64,
    }

    /// The answer to an address: data and error follow from it.
    fn answer(address: u64) -> (u64, bool) {
        (address.wrapping_mul(0x9e37_79b9) & 0xffff_ffff, address >> 31 == 1)
    }

    /// Channels that are independent of each other, each with random waits; every transfer is seen once, whole, and answered in order.
    fn run(seed: u64, stall: f64) -> [usize; 2] {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut dut = Box::new(HostAxi::default());
        dut.connect_all();
        let (mut addresses, mut data, mut reads) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let mut offered = (None::<u64>, None::<(u64, u64)>, None::<u64>);
        let (mut written, mut read) = (VecDeque::new(), VecDeque::new());
        let (mut sent, mut counts, mut wait) = ([0usize; 3], [0; 2], 0);
        for clock in 0..3000 {
            let more = |sent: usize, other: usize| clock < 2700 || sent < other;
            if offered.0.is_none() && more(sent[0], sent[1]) && !rng.random_bool(stall) {
                offered.0 = Some(rng.random::<u32>().into());
                sent[0] += 1;
            }
            if offered.1.is_none() && more(sent[1], sent[0]) && !rng.random_bool(stall) {
                offered.1 = Some((rng.random::<u32>().into(), rng.random_range(0..16)));
                sent[1] += 1;
            }
            if offered.2.is_none() && clock < 2700 && !rng.random_bool(stall) {
                offered.2 = Some(rng.random::<u32>().into());
                sent[2] += 1;
            }
            dut.s_axil.awvalid.next = offered.0.is_some();
            dut.s_axil.awaddr.next = offered.0.unwrap_or(0).into();
            dut.s_axil.wvalid.next = offered.1.is_some();
            dut.s_axil.wdata.next = offered.1.unwrap_or_default().0.into();
            dut.s_axil.wstrb.next = offered.1.unwrap_or_default().1.into();
            dut.s_axil.arvalid.next = offered.2.is_some();
            dut.s_axil.araddr.next = offered.2.unwrap_or(0).into();
            dut.s_axil.bready.next = !rng.random_bool(stall);
            dut.s_axil.rready.next = !rng.random_bool(stall);
            settle(&mut *dut);
            let asks = dut.write.val() || dut.read.val();
            assert!(!(dut.write.val() && dut.read.val()));
            dut.ack.next = asks && wait == 0;
            let (value, error) = answer(dut.address.val().to_u64());
            (dut.read_data.next, dut.error.next) = (value.into(), error);
            settle(&mut *dut);
            if asks && wait == 0 {
                let seen = Transfer {
                    write: dut.write.val(),
                    address: dut.address.val().to_u64(),
                    data: dut.write_data.val().to_u64(),
                    strobe: dut.write_strobe.val().to_u64(),
                };
                if seen.write {
                    let (address, (data, strobe)) = (addresses[written.len()], data[written.len()]);
                    assert_eq!(seen, Transfer { write: true, address, data, strobe });
                    written.push_back(address);
                } else {
                    assert_eq!(seen.address, reads[read.len()]);
                    read.push_back(seen.address);
                }
                wait = rng.random_range(0..4);
            } else if asks {
                wait -= 1;
            }
            if dut.s_axil.bvalid.val() && dut.s_axil.bready.val() {
                let address = written.pop_front().expect("a write that was carried out");
                assert_eq!(dut.s_axil.bresp.val(), if answer(address).1 { 2 } else { 0 });
                addresses.pop_front();
                data.pop_front();
                counts[0] += 1;
            }
            if dut.s_axil.rvalid.val() && dut.s_axil.rready.val() {
                let address = read.pop_front().expect("a read that was carried out");
                assert_eq!(dut.s_axil.rresp.val(), if answer(address).1 { 2 } else { 0 });
                assert_eq!(dut.s_axil.rdata.val().to_u64(), answer(address).0);
                reads.pop_front();
                counts[1] += 1;
            }
            let nothing = addresses.is_empty() && data.is_empty() && reads.is_empty();
            let idle = nothing && offered == (None, None, None);
            assert!(idle || !dut.idle.val(), "idle in clock {clock} with work left");
            if dut.s_axil.awready.val() {
                addresses.extend(offered.0.take());
            }
            if dut.s_axil.wready.val() {
                data.extend(offered.1.take());
            }
            if dut.s_axil.arready.val() {
                reads.extend(offered.2.take());
            }
            tick(&mut *dut, |d| &mut d.clock);
        }
        assert!(dut.idle.val() && sent[0] == sent[1] && counts == [sent[0], sent[2]], "{sent:?} {counts:?}");
        counts
    }

    #[test]
    fn every_order_of_handshakes_is_answered_once() {
        for (seed, stall) in [(1, 0.0), (2, 0.2), (3, 0.5), (4, 0.8)] {
            let [writes, reads] = run(seed, stall);
            assert!(writes > 100 && reads > 100, "{writes} writes, {reads} reads: they take turns");
        }
    }

    #[test]
    fn verilog_passes_lint() {
        assert_lints(HostAxi::default());
    }
}
