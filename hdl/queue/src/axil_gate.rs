// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who reaches the register map.

use millrace_hdl::base::{DffR, Reg};
use millrace_hdl::bus::{AxilMaster, AxilSlave};
use rust_hdl_core::prelude::*;

/// An access that has begun: it passes, or it is refused here.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Passage {
    None,
    Open,
    Shut,
}

/// Lets accesses through that come from function `owner` (`from`, steady from an address's `valid` to its answer), unless it is `closed`, and answers all others with SLVERR. One write and one read at a
/// time, each a clock later than without.
#[millrace_hdl::block]
pub struct AxilGate {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub from: Signal<In, Bits<8>>,
    pub owner: Signal<In, Bits<8>>,
    pub closed: Signal<In, Bit>,
    pub inp: AxilSlave,
    pub out: AxilMaster,
    /// Nothing is under way, and nothing is asked for.
    pub idle: Signal<Out, Bit>,

    write: Reg<Passage>,
    read: Reg<Passage>,
    /// Of the access: the address, the data, is taken.
    aw_done: DffR<Bit>,
    w_done: DffR<Bit>,
    ar_done: DffR<Bit>,
}

#[millrace_hdl::block]
impl AxilGate {
    fn update(&mut self) {
        let slverr: Bits<2> = 2;
        let begins: Passage = if (self.from == self.owner) & !self.closed { Passage::Open } else { Passage::Shut };

        comment!("writes");
        let writes = self.write == Passage::Open;
        let shuts_write = self.write == Passage::Shut;
        let wants_aw = self.inp.awvalid & !self.aw_done;
        let wants_w = self.inp.wvalid & !self.w_done;
        self.out.awaddr = self.inp.awaddr;
        self.out.awvalid = writes & wants_aw;
        self.out.wdata = self.inp.wdata;
        self.out.wstrb = self.inp.wstrb;
        self.out.wvalid = writes & wants_w;
        self.inp.awready = !self.aw_done & (shuts_write | (writes & self.out.awready));
        self.inp.wready = !self.w_done & (shuts_write | (writes & self.out.wready));
        let refuses = shuts_write & self.aw_done & self.w_done;
        self.inp.bvalid = refuses | (writes & self.out.bvalid);
        self.inp.bresp = if writes { self.out.bresp } else { slverr };
        self.out.bready = writes & self.inp.bready;
        let written = self.inp.bvalid & self.inp.bready;
        self.aw_done = (self.aw_done | (self.inp.awvalid & self.inp.awready)) & !written;
        self.w_done = (self.w_done | (self.inp.wvalid & self.inp.wready)) & !written;
        let write_rests = self.write == Passage::None;
        if written {
            self.write = Passage::None;
        } else if write_rests & self.inp.awvalid {
            self.write = begins;
        }

        comment!("reads");
        let reads = self.read == Passage::Open;
        let shuts_read = self.read == Passage::Shut;
        self.out.araddr = self.inp.araddr;
        self.out.arvalid = reads & self.inp.arvalid & !self.ar_done;
        self.inp.arready = !self.ar_done & (shuts_read | (reads & self.out.arready));
        let refuses_read = shuts_read & self.ar_done;
        self.inp.rvalid = refuses_read | (reads & self.out.rvalid);
        self.inp.rresp = if reads { self.out.rresp } else { slverr };
        self.inp.rdata = if reads { self.out.rdata } else { 0 };
        self.out.rready = reads & self.inp.rready;
        let was_read = self.inp.rvalid & self.inp.rready;
        self.ar_done = (self.ar_done | (self.inp.arvalid & self.inp.arready)) & !was_read;
        let read_rests = self.read == Passage::None;
        if was_read {
            self.read = Passage::None;
        } else if read_rests & self.inp.arvalid {
            self.read = begins;
        }
        self.idle = write_rests & read_rests & !(self.inp.awvalid | self.inp.wvalid | self.inp.arvalid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use millrace_hdl::bus::AxiLite;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// The gate before a slave whose registers hold their addresses.
    #[millrace_hdl::block]
    struct Gated {
        clock: Signal<In, Clock>,
        reset: Signal<In, Bit>,
        from: Signal<In, Bits<8>>,
        owner: Signal<In, Bits<8>>,
        closed: Signal<In, Bit>,
        s_axil: AxilSlave,
        written: Signal<Out, Bit>,
        address: Signal<Out, Bits<16>>,
        data: Signal<Out, Bits<32>>,
        idle: Signal<Out, Bit>,
        gate: AxilGate,
        slave: AxiLite,
    }

    #[millrace_hdl::block]
    impl Gated {
        fn update(&mut self) {
            self.gate.from = self.from;
            self.gate.owner = self.owner;
            self.gate.closed = self.closed;
            link(self.s_axil, self.gate.inp);
            join(self.gate.out, self.slave.s_axil);
            self.slave.read_data = cast::<32>(self.slave.address);
            self.slave.ack = self.slave.write | self.slave.read;
            self.slave.error = false;
            self.written = self.slave.write;
            self.address = self.slave.address;
            self.data = self.slave.write_data;
            self.idle = self.gate.idle;
        }
    }

    #[test]
    fn the_owner_alone_reaches_the_slave_and_everybody_gets_an_answer() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut dut = Box::<Gated>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut counts = [0; 4];
        for _ in 0..3000 {
            let (from, owner, closed) = (rng.random_range(0..3u64), rng.random_range(0..2u64), rng.random_bool(0.1));
            let passes = from == owner && !closed;
            dut.from.next = from.into();
            dut.owner.next = owner.into();
            dut.closed.next = closed;
            let (address, data) = (rng.random_range(0..1u64 << 16), rng.random::<u32>() as u64);
            let writes: bool = rng.random();
            // Address and data in either order, and the answer taken when it is liked.
            let delays: [u32; 2] = std::array::from_fn(|_| rng.random_range(0..4));
            let mut left = [writes, writes, !writes];
            let mut seen = None;
            let answer = (0..60).find_map(|clock| {
                dut.s_axil.awvalid.next = left[0] && clock >= delays[0];
                dut.s_axil.awaddr.next = address.into();
                dut.s_axil.wvalid.next = left[1] && clock >= delays[1];
                dut.s_axil.wdata.next = data.into();
                dut.s_axil.wstrb.next = 15u64.into();
                dut.s_axil.arvalid.next = left[2];
                dut.s_axil.araddr.next = address.into();
                let takes = rng.random_bool(0.6);
                (dut.s_axil.bready.next, dut.s_axil.rready.next) = (takes, takes);
                settle(&mut *dut);
                for (left, ready) in
                    left.iter_mut().zip([dut.s_axil.awready.val(), dut.s_axil.wready.val(), dut.s_axil.arready.val()])
                {
                    *left &= !ready;
                }
                left[0] |= writes && clock < delays[0];
                left[1] |= writes && clock < delays[1];
                if dut.written.val() {
                    assert!(seen.is_none(), "written twice");
                    seen = Some((dut.address.val().to_u64(), dut.data.val().to_u64()));
                }
                let answers = if writes { dut.s_axil.bvalid.val() } else { dut.s_axil.rvalid.val() };
                let response = if writes { dut.s_axil.bresp.val() } else { dut.s_axil.rresp.val() }.to_u64();
                let word = dut.s_axil.rdata.val().to_u64();
                tick(&mut *dut, |d| &mut d.clock);
                (answers && takes).then_some((response, word))
            });
            let (response, word) = answer.expect("an answer");
            assert_eq!(response, if passes { 0 } else { 2 });
            assert_eq!(seen, (writes && passes).then_some((address, data)));
            assert!(writes || word == if passes { address } else { 0 });
            counts[usize::from(writes) * 2 + usize::from(passes)] += 1;
            for valid in [&mut dut.s_axil.awvalid, &mut dut.s_axil.wvalid, &mut dut.s_axil.arvalid] {
                valid.next = false;
            }
            settle(&mut *dut);
            assert!(dut.idle.val());
        }
        assert!(counts.iter().all(|count| *count > 300), "{counts:?}");
    }

    #[test]
    fn verilog_passes_lint() {
        assert_lints(AxilGate::default());
    }
}
