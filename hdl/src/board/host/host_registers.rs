// SPDX-License-Identifier: MIT OR Apache-2.0
//! Register accesses of the host channel.

use crate::base::{DffE, DffR, Param, Snk, Src};
use crate::board::types::{RegisterAnswer, RegisterRequest};
use crate::bus::AxilMaster;
use millrace_regs::host_channel::BOARD;
use rust_hdl_core::prelude::*;

/// Carries register accesses out, one after the other: those below the board's words (`regs`, 0x8000) as a master on AXI4-Lite, the others
/// itself. There, word i of `words` is read at 0x8000 + 4i; all else is a slave error (2).
///
/// A request is taken once the one before it is answered; a transfer on AXI4-Lite takes as long as the slave does.
#[millrace_hdl::block]
pub struct HostRegisters {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub request: Snk<RegisterRequest>,
    pub answer: Src<RegisterAnswer>,
    pub words: Vec<Signal<In, Bits<32>>>,
    pub m_axil: AxilMaster,

    /// The request at work, with `busy`.
    held: DffE<RegisterRequest>,
    /// There is a request at work.
    busy: DffR<Bit>,
    /// The slave has taken the address of the read or write.
    address_sent: DffR<Bit>,
    /// The slave has taken the data of the write.
    data_sent: DffR<Bit>,
    #[init(Param::new(u64::from(BOARD.base).into()))]
    first: Param<Bits<16>>,
    addresses: Vec<Param<Bits<16>>>,
}

#[millrace_hdl::block]
impl HostRegisters {
    /// With so many words of the board.
    pub fn new(words: usize) -> Self {
        Self {
            words: vec![Default::default(); words],
            addresses: (0..words).map(|i| Param::new((u64::from(BOARD.base) + 4 * i as u64).to_bits())).collect(),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        let own = self.busy & (self.held.address >= self.first);
        let writes = self.busy & !own & self.held.write;
        let reads = self.busy & !own & !self.held.write;

        comment!("to the slave, each part once");
        let sends_aw = writes & !self.address_sent;
        let sends_w = writes & !self.data_sent;
        let sends_ar = reads & !self.address_sent;
        self.m_axil.awaddr = self.held.address;
        self.m_axil.awvalid = sends_aw;
        self.m_axil.wdata = self.held.data;
        self.m_axil.wstrb = 0xf;
        self.m_axil.wvalid = sends_w;
        self.m_axil.araddr = self.held.address;
        self.m_axil.arvalid = sends_ar;

        comment!("and its answer");
        let written = writes & self.address_sent & self.data_sent & self.m_axil.bvalid;
        let was_read = reads & self.address_sent & self.m_axil.rvalid;
        let mut word: Bits<32> = 0;
        let mut known = false;
        for i in 0..self.words.len() {
            if self.held.address == self.addresses[i] {
                word |= self.words[i];
                known = true;
            }
        }
        let mut response: Bits<2> = 2;
        let mut data: Bits<32> = 0;
        if writes {
            response = self.m_axil.bresp;
        }
        if reads {
            response = self.m_axil.rresp;
            data = self.m_axil.rdata;
        }
        if own & known & !self.held.write {
            response = 0;
            data = word;
        }
        self.answer.data = RegisterAnswer { response, address: self.held.address, data };
        self.answer.valid = own | written | was_read;
        let done = (own | written | was_read) & self.answer.ready;
        self.m_axil.bready = written & self.answer.ready;
        self.m_axil.rready = was_read & self.answer.ready;
        self.request.ready = !self.busy;
        if !self.busy {
            self.held = self.request.data;
        }
        self.busy = (self.busy & !done) | (!self.busy & self.request.valid);
        let address_taken = (sends_aw & self.m_axil.awready) | (sends_ar & self.m_axil.arready);
        self.address_sent = (self.address_sent | address_taken) & !done;
        self.data_sent = (self.data_sent | (sends_w & self.m_axil.wready)) & !done;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::HashMap;

    const SLVERR: u64 = 2;

    /// A slave of words below 0x4000 that takes its time with each handshake; each channel by itself.
    #[derive(Default)]
    struct Slave {
        words: HashMap<u64, u64>,
        address: Option<u64>,
        data: Option<u64>,
        read: Option<u64>,
        written: Option<u64>,
        was_read: Option<(u64, u64)>,
    }

    impl Slave {
        fn drive(&self, dut: &mut HostRegisters, rng: &mut ChaCha8Rng) {
            dut.m_axil.awready.next = self.address.is_none() && rng.random_bool(0.5);
            dut.m_axil.wready.next = self.data.is_none() && rng.random_bool(0.5);
            dut.m_axil.arready.next = self.read.is_none() && rng.random_bool(0.5);
            dut.m_axil.bvalid.next = self.written.is_some();
            dut.m_axil.bresp.next = self.written.unwrap_or(3).into();
            dut.m_axil.rvalid.next = self.was_read.is_some();
            dut.m_axil.rresp.next = self.was_read.map_or(3, |(response, _)| response).into();
            dut.m_axil.rdata.next = self.was_read.map_or(0xdead, |(_, data)| data).into();
        }

        fn clock(&mut self, dut: &HostRegisters, rng: &mut ChaCha8Rng) {
            if dut.m_axil.bvalid.val() && dut.m_axil.bready.val() {
                self.written = None;
            }
            if dut.m_axil.rvalid.val() && dut.m_axil.rready.val() {
                self.was_read = None;
            }
            if dut.m_axil.awvalid.val() && dut.m_axil.awready.val() {
                self.address = Some(dut.m_axil.awaddr.val().to_u64());
            }
            if dut.m_axil.wvalid.val() && dut.m_axil.wready.val() {
                assert_eq!(dut.m_axil.wstrb.val().to_u64(), 15);
                self.data = Some(dut.m_axil.wdata.val().to_u64());
            }
            if dut.m_axil.arvalid.val() && dut.m_axil.arready.val() {
                self.read = Some(dut.m_axil.araddr.val().to_u64());
            }
            if let (Some(address), Some(data), true) = (self.address, self.data, rng.random_bool(0.4)) {
                (self.address, self.data) = (None, None);
                self.written = Some(if address < 0x4000 { 0 } else { SLVERR });
                self.words.insert(address, data);
            }
            if let (Some(address), true) = (self.read, rng.random_bool(0.4)) {
                self.read = None;
                let known = self.words.get(&address).copied().unwrap_or(0);
                self.was_read = Some(if address < 0x4000 { (0, known) } else { (SLVERR, 0) });
            }
        }
    }

    #[test]
    fn each_request_is_carried_out_and_answered_once() {
        let mut rng = ChaCha8Rng::seed_from_u64(14);
        let mut dut = Box::new(HostRegisters::new(3));
        dut.connect_all();
        for (i, word) in dut.words.iter_mut().enumerate() {
            word.next = (0x100 + i as u64).into();
        }
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        let (mut slave, mut model) = (Slave::default(), HashMap::new());
        let board = |address: u64| if address < 0x800c { (0, 0x100 + (address & 0xf) / 4) } else { (SLVERR, 0) };
        for _ in 0..400 {
            let write = rng.random_bool(0.5);
            let address = [0x40, 0x44, 0x48, 0x5000, 0x8000, 0x8004, 0x8008, 0x800c, 0xfffc][rng.random_range(0..9)];
            let data = u64::from(rng.random::<u32>());
            let (response, read) = match address {
                0x8000.. if write => (SLVERR, 0),
                0x8000.. => board(address),
                0x4000.. => (SLVERR, 0),
                _ if write => (0, 0),
                _ => (0, model.get(&address).copied().unwrap_or(0)),
            };
            if write {
                model.insert(address, data);
            }
            dut.request.data.next = RegisterRequest { write, address: address.into(), data: data.into() };
            dut.request.valid.next = true;
            settle(&mut *dut);
            assert!(dut.request.ready.val() && !dut.answer.valid.val());
            tick(&mut *dut, |d| &mut d.clock);
            let mut clocks = 0;
            loop {
                slave.drive(&mut dut, &mut rng);
                // Whatever waits behind it does not matter.
                dut.request.data.next = RegisterRequest {
                    write: rng.random(),
                    address: u64::from(rng.random::<u16>()).into(),
                    data: 0.into(),
                };
                dut.answer.ready.next = rng.random_bool(0.5);
                settle(&mut *dut);
                let (answer, done) = (dut.answer.data.val(), dut.answer.valid.val() && dut.answer.ready.val());
                assert!(!dut.request.ready.val(), "one at a time");
                slave.clock(&dut, &mut rng);
                tick(&mut *dut, |d| &mut d.clock);
                clocks += 1;
                assert!(clocks < 200, "no answer");
                if done {
                    let got = (answer.response.to_u64(), answer.address.to_u64(), answer.data.to_u64());
                    assert_eq!(got, (response, address, read));
                    break;
                }
            }
            if rng.random_bool(0.5) {
                dut.request.valid.next = false;
                settle(&mut *dut);
                assert!(!dut.answer.valid.val());
                tick(&mut *dut, |d| &mut d.clock);
            }
        }
    }

    #[test]
    fn lints() {
        assert_lints(HostRegisters::new(3));
    }
}
