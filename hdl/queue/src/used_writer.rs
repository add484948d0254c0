// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the used rings, and asks whether the driver wants to be told.

use crate::types::{Fault, QueueConfig, RingAnswer, RingRead, RingWrite, Used};
use millrace_hdl::base::{DffE, DffR, LutFifo, LutRam, Reg, RoundRobin, Snk, Src};
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

/// Entries that one write of `used.idx` tells of, at most.
pub const BATCH: u64 = 16;

/// Of the entry that is written.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum UsedState {
    Idle,
    Place,
    Entry,
    /// The entry's length, where it lies in another beat.
    Length,
    Index,
    Reset,
}

/// Of the queue whose driver may want to be told.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum CheckState {
    Idle,
    Choose,
    /// Its `used.idx` is being written.
    Settle,
    Ask,
    Answer,
    Tell,
    Fault,
}

wire_struct! {
    /// A used ring.
    pub struct UsedRing {
        pub address: Bits<64>,
        pub size_log2: Bits<4>,
        pub function: Bits<8>,
    }
}

wire_struct! {
    /// Where `avail.flags` is.
    pub struct Flags {
        pub address: Bits<64>,
        pub function: Bits<8>,
    }
}

/// Puts the chains of `sent` (transmitqs) and `received` (receiveqs) on the used rings of their queues, `VQS` in all.
///
/// Entries of one queue that come one after the other share a write of `used.idx`, up to 16 or those of a frame. When that has been answered, `avail.flags` is read, and unless
/// it says NO_INTERRUPT the queue is in `interrupt`; a queue that is written again meanwhile is asked for again. Of a queue that has stopped nothing is written.
#[millrace_hdl::block]
pub struct UsedWriter<const PAIR_BITS: usize, const VQS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_vq` is enabled.
    pub open: Signal<In, Bit>,
    pub open_vq: Signal<In, Bits<VQ_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub stopped: Signal<In, Bits<VQS>>,
    pub sent: Snk<Used<PAIR_BITS>>,
    pub received: Snk<Used<PAIR_BITS>>,
    pub write: Src<RingWrite>,
    /// A write has taken effect, in the order of the writes: 0, or the reason of a fault.
    pub written: Snk<Bits<8>>,
    pub read: Src<RingRead>,
    pub answer: Snk<RingAnswer>,
    pub interrupt: Src<Bits<VQ_BITS>>,
    pub fault: Src<Fault<VQ_BITS>>,
    /// A queue whose reset came in `sent` or `received` is at rest: for one clock.
    pub reset_done: Signal<Out, Bit>,
    /// Nothing is held or under way.
    pub idle: Signal<Out, Bit>,

    rings: LutRam<UsedRing, VQ_BITS>,
    flags: LutRam<Flags, VQ_BITS>,
    indices: LutRam<Bits<16>, VQ_BITS>,
    state: DffR<UsedState>,
    vq: DffE<Bits<VQ_BITS>>,
    item: DffE<Used<PAIR_BITS>>,
    address: DffE<Bits<64>>,
    /// The last side that was served.
    turn: DffR<Bit>,
    /// `used.idx` of the queue in `vq` is behind, by so many entries; and the frame of the last of them has more chains.
    behind: DffR<Bits<5>>,
    owes: DffR<Bit>,
    /// One of the frame's chains was lost, and the rest goes with it.
    loses_rest: DffR<Bit>,
    /// Whose write is under way; writes that were made, and answered, modulo 256.
    owners: LutFifo<Bits<VQ_BITS>, 4, 5>,
    made: Reg<Bits<8>>,
    answered: Reg<Bits<8>>,

    /// Queues to ask for.
    due: Reg<Bits<VQS>>,
    arbiter: RoundRobin<VQS>,
    check: DffR<CheckState>,
    chosen: DffE<Bits<VQS>>,
    asked: DffE<Bits<VQ_BITS>>,
    mark: DffE<Bits<8>>,
    error: DffE<Bits<8>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const VQS: usize, const VQ_BITS: usize> UsedWriter<PAIR_BITS, VQS, VQ_BITS> {
    fn update(&mut self) {
        let one: Bits<VQS> = 1;
        let here = one << self.vq;
        self.rings.we = self.open;
        self.rings.waddr = self.open_vq;
        self.rings.wdata =
            UsedRing { address: self.opened.device, size_log2: self.opened.size_log2, function: self.opened.function };
        self.flags.we = self.open;
        self.flags.waddr = self.open_vq;
        self.flags.wdata = Flags { address: self.opened.driver, function: self.opened.function };
        self.rings.raddr = self.vq;
        self.indices.raddr = self.vq;
        let ring = self.rings.rdata;
        let index = self.indices.rdata;

        comment!("which chain is next: one more of the queue that is behind, or one of the side whose turn it is");
        let sent_vq = concat::<VQ_BITS>(self.sent.data.pair, true);
        let received_vq = concat::<VQ_BITS>(self.received.data.pair, false);
        let goes_on_sent = self.sent.valid & (sent_vq == self.vq) & !self.sent.data.reset;
        let goes_on_received = self.received.valid & (received_vq == self.vq) & !self.received.data.reset;
        let is_behind = self.behind.any();
        let stays = is_behind & (self.behind < BATCH) & (goes_on_sent | goes_on_received);
        let prefers_sent = if self.owes {
            false
        } else if stays {
            goes_on_sent
        } else {
            self.sent.valid & (!self.received.valid | !self.turn)
        };
        let item = if prefers_sent { self.sent.data } else { self.received.data };
        let item_vq = if prefers_sent { sent_vq } else { received_vq };
        let chooses = if self.owes {
            self.received.valid
        } else {
            (self.sent.valid | self.received.valid) & (stays | !is_behind)
        };
        let takes = (self.state == UsedState::Idle) & chooses;
        let is_stopped = (self.stopped & (one << item_vq)).any();
        self.sent.ready = takes & prefers_sent;
        self.received.ready = takes & !prefers_sent;

        comment!("its entry, and used.idx when no more follows");
        let one_entry: Bits<9> = 1;
        let place = index & cast::<16>((one_entry << ring.size_log2) - 1);
        let entry = ring.address + (cast::<64>(place) << 3) + 4;
        let apart = self.address.get_bits::<6>(0) == 60;
        let id = cast::<32>(self.item.head);
        let is_entry = self.state == UsedState::Entry;
        let is_length = self.state == UsedState::Length;
        let is_index = self.state == UsedState::Index;
        self.write.valid = (is_entry | is_length | is_index) & self.owners.inp.ready;
        self.write.data = RingWrite {
            address: if is_index {
                ring.address + 2
            } else if is_length {
                self.address + 4
            } else {
                self.address
            },
            function: ring.function,
            data: if is_index {
                cast::<64>(index)
            } else if is_length {
                cast::<64>(self.item.length)
            } else {
                concat::<64>(cast::<32>(self.item.length), id)
            },
            strobe: if is_index {
                0x03
            } else if is_length | apart {
                0x0f
            } else {
                0xff
            },
        };
        let writes = self.write.valid & self.write.ready;
        self.owners.inp.valid = writes;
        self.owners.inp.data = self.vq;
        if writes {
            self.made += 1;
        }
        let entered = writes & ((is_entry & !apart) | is_length);
        let rests = self.owners.empty & (self.check == CheckState::Idle);
        let is_reset = self.state == UsedState::Reset;
        self.reset_done = is_reset & rests;
        self.indices.we = entered | self.reset_done;
        self.indices.waddr = self.vq;
        self.indices.wdata = if is_reset { 0 } else { index + 1 };
        let loses = takes & (item.void | is_stopped | self.loses_rest);
        self.loses_rest = if takes { loses & item.partial & !item.reset } else { self.loses_rest };
        self.owes = if takes { item.partial & !item.reset } else { self.owes };
        self.behind = if is_reset | (is_index & writes) | loses {
            0
        } else if entered {
            self.behind + 1
        } else {
            self.behind
        };
        if takes {
            self.vq = item_vq;
            self.item = item;
            self.turn = prefers_sent;
        } else {
            self.turn = self.turn;
        }
        self.address = entry;
        self.address.en = self.state == UsedState::Place;
        let mut state = self.state;
        match self.state {
            UsedState::Idle => {
                if takes & item.reset {
                    state = UsedState::Reset;
                } else if takes & !loses {
                    state = UsedState::Place;
                } else if is_behind & !takes & !self.owes {
                    state = UsedState::Index;
                }
            }
            UsedState::Place => {
                state = UsedState::Entry;
            }
            UsedState::Entry => {
                if writes {
                    state = if apart { UsedState::Length } else { UsedState::Idle };
                }
            }
            UsedState::Length => {
                if writes {
                    state = UsedState::Idle;
                }
            }
            UsedState::Index => {
                if writes {
                    state = UsedState::Idle;
                }
            }
            UsedState::Reset => {
                if rests {
                    state = UsedState::Idle;
                }
            }
        }
        self.state = state;

        comment!("answers to writes; the reason of a fault waits for its turn");
        let failed = self.written.data.any();
        let checks_fault = self.check == CheckState::Fault;
        let write_fails = self.written.valid & failed & !checks_fault;
        self.fault.valid = write_fails | checks_fault;
        self.fault.data = if checks_fault {
            Fault { vq: self.asked, reason: self.error }
        } else {
            Fault { vq: self.owners.out.data, reason: self.written.data }
        };
        self.written.ready = !failed | (!checks_fault & self.fault.ready);
        let answers = self.written.valid & self.written.ready;
        self.owners.out.ready = answers;
        if answers {
            self.answered += 1;
        }

        comment!("who may want to be told");
        self.arbiter.request = self.due;
        self.arbiter.take = (self.check == CheckState::Idle) & self.due.any() & !is_reset;
        self.chosen = self.arbiter.grant;
        self.chosen.en = self.arbiter.take;
        let published = if is_index & writes { here } else { 0 };
        let taken = if self.arbiter.take { self.arbiter.grant } else { 0 };
        let forgotten = if is_reset { here } else { 0 };
        self.due = (self.due & !taken & !forgotten) | published;
        self.flags.raddr = self.asked;
        let place_of_flags = self.flags.rdata.address;
        let gone = (self.stopped & (one << self.asked)).any();
        let behind_mark = (self.answered - self.mark).get_bit(7);
        self.read.valid = self.check == CheckState::Ask;
        self.read.data = RingRead { address: place_of_flags, function: self.flags.rdata.function, tag: 0 };
        self.answer.ready = self.check == CheckState::Answer;
        let word = (self.answer.data.data >> (cast::<9>(place_of_flags.get_bits::<5>(1)) << 4)).get_bits::<16>(0);
        self.interrupt.valid = self.check == CheckState::Tell;
        self.interrupt.data = self.asked;
        let mut check = self.check;
        match self.check {
            CheckState::Idle => {
                if self.arbiter.take {
                    check = CheckState::Choose;
                }
            }
            CheckState::Choose => {
                let mut number: Bits<VQ_BITS> = 0;
                for i in 0..VQS {
                    if self.chosen.get_bit(i) {
                        number |= i;
                    }
                }
                self.asked = number;
                self.mark = self.made;
                check = CheckState::Settle;
            }
            CheckState::Settle => {
                if gone {
                    check = CheckState::Idle;
                } else if !behind_mark {
                    check = CheckState::Ask;
                }
            }
            CheckState::Ask => {
                if self.read.ready {
                    check = CheckState::Answer;
                }
            }
            CheckState::Answer => {
                self.error = self.answer.data.error;
                if self.answer.valid {
                    check = if self.answer.data.error.any() {
                        CheckState::Fault
                    } else if word.get_bit(0) {
                        CheckState::Idle
                    } else {
                        CheckState::Tell
                    };
                }
            }
            CheckState::Tell => {
                if self.interrupt.ready {
                    check = CheckState::Idle;
                }
            }
            CheckState::Fault => {
                if self.fault.ready {
                    check = CheckState::Idle;
                }
            }
        }
        self.check = check;
        let at_work = (self.state != UsedState::Idle) | (self.check != CheckState::Idle) | is_behind | self.due.any();
        self.idle = !(at_work | self.sent.valid | self.received.valid | !self.owners.empty);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::axi::AxiMaster;
    use crate::ring_port::{ID_BITS, READERS, RingPort};
    use crate::testing::{assert_lints, bits_of, bytes, settle, tick};
    use crate::types::{Window, reason};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    const VQS: usize = 8;

    /// The writer at its port. Queue v belongs to function v mod 4.
    #[millrace_hdl::block]
    struct Pair {
        clock: Signal<In, Clock>,
        reset: Signal<In, Bit>,
        open: Signal<In, Bit>,
        open_vq: Signal<In, Bits<3>>,
        opened: Signal<In, QueueConfig>,
        window_write: Signal<In, Bit>,
        window_function: Signal<In, Bits<8>>,
        window: Signal<In, Window>,
        stopped: Signal<In, Bits<VQS>>,
        sent: Snk<Used<2>>,
        received: Snk<Used<2>>,
        interrupt: Src<Bits<3>>,
        fault: Src<Fault<3>>,
        reset_done: Signal<Out, Bit>,
        axi: AxiMaster<Bits<ID_BITS>>,
        idle: Signal<Out, Bit>,
        writer: UsedWriter<2, VQS, 3>,
        port: RingPort<2>,
    }

    #[millrace_hdl::block]
    impl Pair {
        fn update(&mut self) {
            self.writer.open = self.open;
            self.writer.open_vq = self.open_vq;
            self.writer.opened = self.opened;
            self.writer.stopped = self.stopped;
            self.port.window_write = self.window_write;
            self.port.window_function = self.window_function;
            self.port.window = self.window;
            link(self.sent, self.writer.sent);
            link(self.received, self.writer.received);
            link(self.interrupt, self.writer.interrupt);
            link(self.fault, self.writer.fault);
            self.reset_done = self.writer.reset_done;
            link(self.axi, self.port.axi);
            join(self.writer.write, self.port.write);
            join(self.port.written, self.writer.written);
            join(self.writer.read, self.port.read[0]);
            join(self.port.answer[0], self.writer.answer);
            for i in 1..READERS {
                self.port.read[i].valid = false;
                self.port.read[i].data.address = 0;
                self.port.read[i].data.function = 0;
                self.port.read[i].data.tag = 0;
                self.port.answer[i].ready = true;
            }
            self.idle = self.writer.idle & self.port.idle;
        }
    }

    struct Bench {
        dut: Box<Pair>,
        rng: ChaCha8Rng,
        memory: Vec<u8>,
        /// By side: transmitqs, receiveqs.
        items: [VecDeque<Used<2>>; 2],
        /// Address, data and strobes of a write, as far as they are there.
        address: Option<u64>,
        data: Option<(Vec<u8>, u64)>,
        unanswered: VecDeque<u64>,
        reads: VecDeque<(u64, u64)>,
        interrupts: Vec<u64>,
        faults: Vec<(u64, u64)>,
        resets: usize,
        writes: usize,
    }

    /// A used ring at an address that lets entries lie across the border of two beats, or not.
    fn ring(vq: usize) -> u64 {
        0x1000 * vq as u64 + 4 * (vq as u64 % 3)
    }

    fn avail(vq: usize) -> u64 {
        0x1000 * vq as u64 + 0xe00 + 2 * vq as u64
    }

    const SIZE_LOG2: [u64; VQS] = [0, 1, 3, 4, 5, 6, 7, 8];

    impl Bench {
        fn new(seed: u64) -> Self {
            let mut dut = Box::<Pair>::default();
            dut.connect_all();
            dut.reset.next = true;
            tick(&mut *dut, |d| &mut d.clock);
            dut.reset.next = false;
            for vq in 0..VQS {
                dut.open.next = true;
                dut.open_vq.next = (vq as u64).into();
                dut.opened.next = QueueConfig {
                    desc: 0u64.into(),
                    driver: avail(vq).into(),
                    device: ring(vq).into(),
                    size_log2: SIZE_LOG2[vq].into(),
                    function: (vq as u64 % 4).into(),
                };
                dut.window_write.next = true;
                dut.window_function.next = (vq as u64 % 4).into();
                dut.window.next = Window { first: 0u64.into(), last: 0xffu64.into() };
                tick(&mut *dut, |d| &mut d.clock);
            }
            dut.open.next = false;
            dut.window_write.next = false;
            Self {
                dut,
                rng: ChaCha8Rng::seed_from_u64(seed),
                memory: vec![0; 0x8000],
                items: Default::default(),
                address: None,
                data: None,
                unanswered: VecDeque::new(),
                reads: VecDeque::new(),
                interrupts: vec![],
                faults: vec![],
                resets: 0,
                writes: 0,
            }
        }

        fn push(&mut self, vq: usize, head: u64, length: u64) {
            let item =
                Used { pair: (vq as u64 / 2).into(), head: head.into(), length: length.into(), ..Default::default() };
            self.items[1 - vq % 2].push_back(item);
        }

        fn clock(&mut self) {
            let dut = &mut *self.dut;
            let mut often = || self.rng.random_bool(0.6);
            dut.sent.valid.next = !self.items[0].is_empty() && often();
            dut.sent.data.next = self.items[0].front().copied().unwrap_or_default();
            dut.received.valid.next = !self.items[1].is_empty() && often();
            dut.received.data.next = self.items[1].front().copied().unwrap_or_default();
            dut.interrupt.ready.next = often();
            dut.fault.ready.next = often();
            dut.axi.arready.next = often();
            dut.axi.awready.next = self.address.is_none() && often();
            dut.axi.wready.next = self.data.is_none() && often();
            let answers = !self.unanswered.is_empty() && often();
            dut.axi.bvalid.next = answers;
            dut.axi.bresp.next = self.unanswered.front().copied().unwrap_or_default().into();
            let gives = !self.reads.is_empty() && often();
            dut.axi.rvalid.next = gives;
            dut.axi.rlast.next = true;
            if gives {
                let (id, address) = self.reads[0];
                dut.axi.rid.next = id.into();
                let beat = self.memory.get(address as usize..address as usize + 64);
                dut.axi.rresp.next = if beat.is_some() { 0u64 } else { 2 }.into();
                dut.axi.rdata.next = bits_of(beat.unwrap_or_default());
            }
            settle(dut);
            let took = |valid: bool, ready: bool| valid && ready;
            if took(dut.sent.valid.val(), dut.sent.ready.val()) {
                self.items[0].pop_front();
            }
            if took(dut.received.valid.val(), dut.received.ready.val()) {
                self.items[1].pop_front();
            }
            if took(dut.interrupt.valid.val(), dut.interrupt.ready.val()) {
                self.interrupts.push(dut.interrupt.data.val().to_u64());
            }
            if took(dut.fault.valid.val(), dut.fault.ready.val()) {
                self.faults.push((dut.fault.data.val().vq.to_u64(), dut.fault.data.val().reason.to_u64()));
            }
            if answers && dut.axi.bready.val() {
                self.unanswered.pop_front();
            }
            if gives && dut.axi.rready.val() {
                self.reads.pop_front();
            }
            if took(dut.axi.arvalid.val(), dut.axi.arready.val()) {
                self.reads.push_back((dut.axi.arid.val().to_u64(), dut.axi.araddr.val().to_u64()));
            }
            if took(dut.axi.awvalid.val(), dut.axi.awready.val()) {
                self.address = Some(dut.axi.awaddr.val().to_u64());
            }
            if took(dut.axi.wvalid.val(), dut.axi.wready.val()) {
                let beat = bytes(dut.axi.wdata.val(), Bits::<7>::from(64u64));
                self.data = Some((beat, dut.axi.wstrb.val().to_u64()));
            }
            self.resets += usize::from(dut.reset_done.val());
            tick(dut, |d| &mut d.clock);
            if let (Some(address), Some((data, strobe))) = (self.address, &self.data) {
                let place = self.memory.get_mut(address as usize..address as usize + 64);
                self.unanswered.push_back(if place.is_some() { 0 } else { 2 });
                for (i, byte) in place.into_iter().flatten().enumerate().filter(|(i, _)| strobe >> i & 1 == 1) {
                    *byte = data[i];
                }
                (self.address, self.data) = (None, None);
                self.writes += 1;
            }
        }

        fn run(&mut self) {
            for _ in 0..20_000 {
                self.clock();
                let quiet =
                    self.items.iter().all(VecDeque::is_empty) && self.unanswered.is_empty() && self.reads.is_empty();
                if quiet && self.dut.idle.val() {
                    return;
                }
            }
            panic!("not idle");
        }

        fn read16(&self, address: u64) -> u16 {
            u16::from_le_bytes(self.memory[address as usize..][..2].try_into().unwrap())
        }

        fn read32(&self, address: u64) -> u32 {
            u32::from_le_bytes(self.memory[address as usize..][..4].try_into().unwrap())
        }
    }

    #[test]
    fn every_chain_is_in_the_ring_of_its_queue_and_its_driver_is_told_unless_it_does_not_want_to_be() {
        for seed in 0..4 {
            let mut bench = Bench::new(seed);
            for vq in [1, 4, 6] {
                bench.memory[avail(vq) as usize] = 1;
            }
            let mut due = vec![vec![]; VQS];
            for number in 0..300u64 {
                let vq = bench.rng.random_range(0..VQS);
                let length = if vq % 2 == 0 { bench.rng.random_range(60..9300) } else { 0 };
                bench.push(vq, number % 256, length);
                due[vq].push((number as u32 % 256, length as u32));
                for _ in 0..bench.rng.random_range(0..20) {
                    bench.clock();
                }
            }
            bench.run();
            for vq in 0..VQS {
                assert_eq!(usize::from(bench.read16(ring(vq) + 2)), due[vq].len(), "used.idx of {vq}");
                let size = 1 << SIZE_LOG2[vq];
                let first = due[vq].len().saturating_sub(size);
                for (i, entry) in due[vq].iter().enumerate().skip(first) {
                    let at = ring(vq) + 4 + 8 * (i % size) as u64;
                    assert_eq!((bench.read32(at), bench.read32(at + 4)), *entry, "seed {seed}, entry {i} of {vq}");
                }
                assert_eq!(bench.interrupts.contains(&(vq as u64)), ![1, 4, 6].contains(&vq), "{vq}");
            }
            assert_eq!(bench.faults, []);
        }
    }

    #[test]
    fn chains_of_a_queue_that_come_together_share_a_write_of_the_index() {
        let mut bench = Bench::new(5);
        bench.dut.stopped.next = (1u64 << 3).into();
        (0..100).for_each(|head| bench.push(7, head, 0));
        (0..10).for_each(|head| bench.push(3, head, 0));
        bench.run();
        assert_eq!(bench.read16(ring(7) + 2), 100);
        assert_eq!(bench.read16(ring(3) + 2), 0, "it has stopped");
        assert!((107..160).contains(&bench.writes), "{} writes", bench.writes);
        assert!(bench.interrupts.len() < 50, "{} interrupts", bench.interrupts.len());
    }

    #[test]
    fn the_chains_of_a_frame_are_told_of_at_once_and_not_at_all_if_one_failed() {
        let mut bench = Bench::new(8);
        for head in 0..30 {
            bench.push(6, head, 100);
            bench.items[1].back_mut().unwrap().partial = head % 10 != 9;
            bench.push(3, head, 0);
        }
        let mut seen = vec![];
        for _ in 0..3000 {
            bench.clock();
            seen.push(bench.read16(ring(6) + 2));
        }
        seen.dedup();
        assert_eq!((bench.read16(ring(6) + 2), bench.read16(ring(3) + 2)), (30, 30));
        assert!(seen.iter().all(|index| index % 10 == 0), "{seen:?}");
        for head in 0..3 {
            bench.push(6, head, 100);
            bench.items[1].back_mut().unwrap().partial = head < 2;
            bench.items[1].back_mut().unwrap().void = head == 1;
        }
        bench.run();
        assert_eq!(bench.read16(ring(6) + 2), 30);
    }

    #[test]
    fn a_reset_begins_the_ring_anew_when_all_is_written() {
        let mut bench = Bench::new(6);
        (0..5).for_each(|head| bench.push(6, head, 100));
        bench.items[1].push_back(Used { pair: 3u64.into(), reset: true, ..Default::default() });
        bench.push(6, 77, 200);
        bench.run();
        assert_eq!((bench.resets, bench.read16(ring(6) + 2), bench.read32(ring(6) + 4)), (1, 1, 77));
    }

    #[test]
    fn a_ring_outside_the_window_or_the_memory_is_a_fault() {
        let mut bench = Bench::new(7);
        bench.dut.open.next = true;
        for (vq, device, driver) in [(1u64, 0x10_0000, avail(1)), (2, 0x9000, avail(2)), (3, ring(3), 0x10_0000)] {
            bench.dut.open_vq.next = vq.into();
            bench.dut.opened.next = QueueConfig {
                device: device.into(),
                driver: driver.into(),
                size_log2: 3u64.into(),
                ..Default::default()
            };
            bench.clock();
        }
        bench.dut.open.next = false;
        for vq in 1..5 {
            bench.push(vq, 5, 0);
        }
        bench.run();
        bench.faults.sort();
        bench.faults.dedup();
        assert_eq!(bench.faults, [(1, reason::WINDOW), (2, reason::BUS), (3, reason::WINDOW)]);
        assert_eq!(bench.interrupts.iter().filter(|vq| **vq == 4).count(), 1);
    }

    #[test]
    fn used_writer_and_ring_port_lint() {
        assert_lints(Pair::default());
    }
}
