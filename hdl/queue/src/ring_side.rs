// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rings of all transmitqs, or of all receiveqs.

use crate::chain_check::ChainCheck;
use crate::chain_walker::ChainWalker;
use crate::head_credit::HeadCredit;
use crate::packed_fetch::PackedFetch;
use crate::packed_tables::{PackedTables, TABLES};
use crate::ring_fetch::RingFetch;
use crate::step_merge::StepMerge;
use crate::types::{Fault, QueueConfig, RingAnswer, RingRead, RingWrite, Segment, Window};
use millrace_hdl::base::{Reg, Snk, Src};
use rust_hdl_core::prelude::*;

/// Ports of a side: for available rings, descriptors, packed rings; for what its queues wait for, of split ones and of packed ones; faults of rings, of packed rings, of descriptors.
pub const READERS: usize = 3;
pub const WRITERS: usize = 2;
pub const FINDERS: usize = 3;

/// Clocks, in the order of the parts.
pub const CLOCKS: usize = 4;
const FETCH: usize = 0;
const WALK: usize = 1;
const PACKED: usize = 2;
const CHECK: usize = 3;

/// From notifications to the descriptors of chains, for the queues of one side of `PAIRS` pairs: the receiveqs (`RECEIVE` = 1) or the transmitqs. Split queues and packed ones have blocks of their own up to the
/// [`ChainCheck`].
///
/// `STORE_BITS` = PAIR_BITS + 8; `CHAIN_BITS` are 4 and those of the number of a chain's descriptor: 6 for receiveqs, 12 for transmitqs.
///
/// Each part has a clock of its own, in `clock_part`, which may stand still while its bit of `idle_part` is high; `clock` may while there is no `open`.
#[millrace_hdl::block]
pub struct RingSide<
    const PAIRS: usize,
    const PAIR_BITS: usize,
    const FUNCTION_BITS: usize,
    const STORE_BITS: usize,
    const CHAIN_BITS: usize,
    const RECEIVE: usize,
> {
    pub clock: Signal<In, Clock>,
    #[count(CLOCKS)]
    pub clock_part: Vec<Signal<In, Clock>>,
    pub reset: Signal<In, Bit>,
    /// The queue of `open_pair` is enabled.
    pub open: Signal<In, Bit>,
    pub open_pair: Signal<In, Bits<PAIR_BITS>>,
    pub opened: Signal<In, QueueConfig>,
    pub window_write: Signal<In, Bit>,
    pub window_function: Signal<In, Bits<8>>,
    pub window: Signal<In, Window>,
    pub live: Signal<In, Bits<PAIRS>>,
    pub stopped: Signal<In, Bits<PAIRS>>,
    pub notify: Signal<In, Bit>,
    pub notify_pair: Signal<In, Bits<PAIR_BITS>>,
    /// Of `ReceiveStore`, as [`RingFetch`] and [`PackedFetch`] have them.
    pub room: Signal<In, Bits<PAIRS>>,
    pub free: Signal<In, Bits<7>>,
    pub free_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub packed_free: Signal<In, Bits<7>>,
    pub packed_free_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub granted: Signal<Out, Bit>,
    pub granted_pair: Signal<Out, Bits<PAIR_BITS>>,
    pub granted_count: Signal<Out, Bits<6>>,
    #[count(READERS)]
    pub read: Vec<Src<RingRead>>,
    #[count(READERS)]
    pub answer: Vec<Snk<RingAnswer>>,
    #[count(WRITERS)]
    pub write: Vec<Src<RingWrite>>,
    #[count(WRITERS)]
    pub written: Vec<Snk<Bits<8>>>,
    pub reset_pair: Snk<Bits<PAIR_BITS>>,
    /// Bit p: pair p has something that was not read from its ring, or may have.
    pub backlog: Signal<Out, Bits<PAIRS>>,
    pub segments: Src<Segment<PAIR_BITS>>,
    #[count(FINDERS)]
    pub fault: Vec<Src<Fault<PAIR_BITS>>>,
    pub idle_part: Signal<Out, Bits<CLOCKS>>,

    fetch: RingFetch<PAIRS, PAIR_BITS>,
    credit: HeadCredit<PAIRS, PAIR_BITS>,
    walk: ChainWalker<PAIRS, PAIR_BITS, STORE_BITS, CHAIN_BITS, RECEIVE>,
    packed: PackedFetch<PAIRS, PAIR_BITS, RECEIVE>,
    tables: PackedTables<PAIRS, PAIR_BITS, RECEIVE>,
    merge: StepMerge<PAIR_BITS>,
    check: ChainCheck<PAIRS, PAIR_BITS, FUNCTION_BITS, RECEIVE>,
    is_packed: Reg<Bits<PAIRS>>,
    /// Enabled, and not reset since.
    is_open: Reg<Bits<PAIRS>>,
}

#[millrace_hdl::block]
impl<
    const PAIRS: usize,
    const PAIR_BITS: usize,
    const FUNCTION_BITS: usize,
    const STORE_BITS: usize,
    const CHAIN_BITS: usize,
    const RECEIVE: usize,
> RingSide<PAIRS, PAIR_BITS, FUNCTION_BITS, STORE_BITS, CHAIN_BITS, RECEIVE>
{
    /// With controlqs at these pairs.
    pub fn new(control: &[usize]) -> Self {
        Self { tables: PackedTables::new(control), check: ChainCheck::new(control), ..Default::default() }
    }

    fn update(&mut self) {
        let one: Bits<PAIRS> = 1;
        let opens_packed = self.open & self.opened.features.packed;
        let opened_here = if self.open { one << self.open_pair } else { 0 };
        let packed_here = if opens_packed { opened_here } else { 0 };
        self.is_packed = (self.is_packed & !opened_here) | packed_here;
        self.fetch.open = self.open;
        self.fetch.open_pair = self.open_pair;
        self.fetch.opened = self.opened;
        self.walk.open = self.open;
        self.walk.open_pair = self.open_pair;
        self.walk.opened = self.opened;
        self.packed.open = opens_packed;
        self.packed.open_pair = self.open_pair;
        self.packed.opened = self.opened;
        self.tables.open = opens_packed;
        self.tables.open_pair = self.open_pair;
        self.tables.opened = self.opened;
        self.check.window_write = self.window_write;
        self.check.window_function = self.window_function;
        self.check.window = self.window;
        self.check.stopped = self.stopped;
        self.fetch.live = self.live;
        self.walk.live = self.live;
        self.packed.live = self.live;
        self.packed.stopped = self.stopped;
        self.tables.stopped = self.stopped;
        let ending = if self.reset_pair.valid { one << self.reset_pair.data } else { 0 };
        self.tables.ending = ending & self.is_packed;
        self.check.ending = ending;

        comment!(
            "notifications and resets go to the blocks of their kind of queue, notifications of a queue that is not enabled to both"
        );
        let notified = one << self.notify_pair;
        let is_early = !(self.is_open & notified).any();
        let notifies_packed = (self.is_packed & notified).any();
        self.fetch.notify = self.notify & (is_early | !notifies_packed);
        self.fetch.notify_pair = self.notify_pair;
        self.fetch.forget = packed_here;
        self.packed.notify = self.notify & (is_early | notifies_packed);
        self.packed.notify_pair = self.notify_pair;
        self.packed.forget = opened_here & !packed_here;
        let resets_packed = (self.is_packed & (one << self.reset_pair.data)).any();
        self.fetch.reset_pair.valid = self.reset_pair.valid & !resets_packed;
        self.fetch.reset_pair.data = self.reset_pair.data;
        self.packed.reset_pair.valid = self.reset_pair.valid & resets_packed;
        self.packed.reset_pair.data = self.reset_pair.data;
        let is_reset = if resets_packed { self.packed.reset_pair.ready } else { self.fetch.reset_pair.ready };
        self.reset_pair.ready = is_reset;
        let shut = if self.reset_pair.valid & is_reset { one << self.reset_pair.data } else { 0 };
        self.is_open = (self.is_open & !shut) | opened_here;

        comment!("places for chains");
        self.credit.granted = self.fetch.granted;
        self.credit.granted_pair = self.fetch.granted_pair;
        self.credit.granted_count = self.fetch.granted_count;
        let walked = self.walk.steps.data;
        let chain_ends = self.walk.steps.valid & self.walk.steps.ready & walked.last;
        self.credit.ended = chain_ends & !walked.reset;
        self.credit.cleared = chain_ends & walked.reset;
        self.credit.ended_pair = walked.pair;
        self.fetch.room = self.room & self.credit.room;
        self.packed.room = self.room;
        self.fetch.free = if self.free < self.credit.free { self.free } else { self.credit.free };
        self.packed.free = self.packed_free;
        self.backlog = self.fetch.backlog | self.packed.backlog;
        self.free_pair = self.fetch.granted_pair;
        self.packed_free_pair = self.packed.granted_pair;
        self.packed.may_grant = !self.fetch.granted;
        self.granted = self.fetch.granted | self.packed.granted;
        self.granted_pair = if self.fetch.granted { self.fetch.granted_pair } else { self.packed.granted_pair };
        self.granted_count = if self.fetch.granted { self.fetch.granted_count } else { 1 };

        comment!("from split rings and from packed ones");
        join(self.fetch.heads, self.walk.heads);
        join(self.walk.steps, self.merge.split);
        join(self.packed.steps, self.tables.steps);
        join(self.tables.out, self.merge.packed);
        join(self.merge.out, self.check.steps);
        link(self.segments, self.check.segments);
        link(self.fault[0], self.fetch.fault);
        link(self.fault[1], self.packed.fault);
        link(self.fault[2], self.check.fault);

        comment!("their ports; packed rings and their tables share one");
        link(self.read[0], self.fetch.read);
        link(self.answer[0], self.fetch.answer);
        link(self.read[1], self.walk.read);
        link(self.answer[1], self.walk.answer);
        let has_table = self.tables.read.valid;
        self.read[2].valid = has_table | self.packed.read.valid;
        self.read[2].data = if has_table { self.tables.read.data } else { self.packed.read.data };
        self.tables.read.ready = self.read[2].ready;
        self.packed.read.ready = self.read[2].ready & !has_table;
        let is_table = self.answer[2].data.tag >= TABLES;
        self.tables.answer.valid = self.answer[2].valid & is_table;
        self.tables.answer.data = self.answer[2].data;
        self.packed.answer.valid = self.answer[2].valid & !is_table;
        self.packed.answer.data = self.answer[2].data;
        self.answer[2].ready = true;
        link(self.write[0], self.fetch.write);
        link(self.written[0], self.fetch.written);
        link(self.write[1], self.packed.event);
        link(self.written[1], self.packed.event_written);

        comment!("clocks");
        self.fetch.clock = self.clock_part[FETCH];
        self.walk.clock = self.clock_part[WALK];
        self.credit.clock = self.clock_part[WALK];
        self.packed.clock = self.clock_part[PACKED];
        self.tables.clock = self.clock_part[PACKED];
        self.merge.clock = self.clock_part[CHECK];
        self.check.clock = self.clock_part[CHECK];
        let mut idle: Bits<CLOCKS> = 0;
        idle.set_bit(FETCH, self.fetch.idle);
        idle.set_bit(WALK, self.walk.idle & self.credit.idle);
        idle.set_bit(PACKED, self.packed.idle & self.tables.idle);
        idle.set_bit(CHECK, self.check.idle);
        self.idle_part = idle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::receive_store::ReceiveStore;
    use crate::testing::{assert_lints, settle, tick};
    use millrace_hdl::base::{Snk, Src};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// The receiveqs with the store that their chains go to.
    #[millrace_hdl::block]
    struct Stored {
        clock: Signal<In, Clock>,
        reset: Signal<In, Bit>,
        open: Signal<In, Bit>,
        open_pair: Signal<In, Bits<2>>,
        opened: Signal<In, QueueConfig>,
        live: Signal<In, Bits<4>>,
        notify: Signal<In, Bit>,
        notify_pair: Signal<In, Bits<2>>,
        read: Src<RingRead>,
        answer: Snk<RingAnswer>,
        look: Signal<In, Bit>,
        look_pair: Signal<In, Bits<2>>,
        chains: Signal<Out, Bits<7>>,
        buffer: Signal<Out, crate::receive_store::Buffer>,
        consume: Signal<In, Bit>,
        consume_pair: Signal<In, Bits<2>>,
        fault: Signal<Out, Bit>,
        /// Bit i: port i asks for something.
        asks: Signal<Out, Bits<3>>,
        reset_pair: Snk<Bits<2>>,
        side: RingSide<4, 2, 2, 10, 6, 1>,
        #[init(ReceiveStore::new())]
        store: ReceiveStore<4, 2, 10>,
    }

    #[millrace_hdl::block]
    impl Stored {
        fn update(&mut self) {
            for i in 0..CLOCKS {
                self.side.clock_part[i] = self.clock;
            }
            self.side.open = self.open;
            self.side.open_pair = self.open_pair;
            self.side.opened = self.opened;
            self.side.window_write = self.open;
            self.side.window_function = 0;
            self.side.window = crate::types::Window { first: 0, last: 0xffff_ffff };
            self.side.live = self.live;
            self.side.stopped = 0;
            self.side.notify = self.notify;
            self.side.notify_pair = self.notify_pair;
            self.side.room = self.store.room;
            self.side.free = self.store.free;
            self.store.free_pair = self.side.free_pair;
            self.side.packed_free = self.store.packed_free;
            self.store.packed_free_pair = self.side.packed_free_pair;
            self.store.granted = self.side.granted;
            self.store.granted_pair = self.side.granted_pair;
            self.store.granted_count = self.side.granted_count;
            join(self.side.segments, self.store.segments);
            link(self.read, self.side.read[2]);
            link(self.answer, self.side.answer[2]);
            for i in 0..2 {
                self.side.read[i].ready = false;
                self.side.answer[i].valid = false;
                self.side.answer[i].data.tag = 0;
                self.side.answer[i].data.data = 0;
                self.side.answer[i].data.error = 0;
                self.side.write[i].ready = false;
                self.side.written[i].valid = false;
                self.side.written[i].data = 0;
            }
            link(self.reset_pair, self.side.reset_pair);
            let mut asks: Bits<3> = 0;
            for i in 0..3 {
                asks.set_bit(i, self.side.read[i].valid);
            }
            self.asks = asks;
            self.fault = self.side.fault[0].valid | self.side.fault[1].valid | self.side.fault[2].valid;
            for i in 0..3 {
                self.side.fault[i].ready = true;
            }
            self.store.look = self.look;
            self.store.look_pair = self.look_pair;
            self.chains = self.store.chains;
            self.store.chain = 0;
            self.store.descriptor = 0;
            self.buffer = self.store.buffer;
            self.store.consume = self.consume;
            self.store.consume_pair = self.consume_pair;
            self.store.consumed = 1;
            self.store.reset_pair.ready = true;
        }
    }

    /// A packed ring of 256 whose driver makes each chain available again as soon as it was taken.
    #[test]
    fn chains_of_packed_receiveqs_are_stored_once_and_in_order_while_they_are_taken() {
        for seed in 0..2 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut memory = Memory::new(0x2000);
            let mut dut = Box::<Stored>::default();
            dut.connect_all();
            dut.reset.next = true;
            tick(&mut *dut, |d| &mut d.clock);
            dut.reset.next = false;
            dut.open.next = true;
            dut.open_pair.next = 1u64.into();
            let mut opened = QueueConfig { size: 256u64.into(), ..Default::default() };
            opened.features.packed = true;
            dut.opened.next = opened;
            tick(&mut *dut, |d| &mut d.clock);
            dut.open.next = false;
            dut.live.next = 0b10u64.into();
            let (mut made, mut taken, mut quiet) = (0u64, 0u64, 0);
            let mut notify = false;
            let mut busy = false;
            while taken < 600 {
                while made < taken + 256 {
                    let flags = if made / 256 % 2 == 0 { 1 << 7 } else { 1 << 15 } | 2;
                    memory.write_packed(0, made % 256, (0x1000, 64, made as u16, flags));
                    made += 1;
                    notify = true;
                }
                // Chains are taken in bursts.
                if rng.random_ratio(1, 100) {
                    busy = rng.random();
                }
                dut.notify.next = std::mem::take(&mut notify);
                dut.notify_pair.next = 1u64.into();
                settle(&mut *dut);
                let asked = (dut.read.valid.val(), dut.read.data.val());
                let answer = (&mut dut.answer.valid, &mut dut.answer.data);
                memory.drive(asked, &mut dut.read.ready, answer, &mut rng);
                dut.look.next = true;
                dut.look_pair.next = 1u64.into();
                let takes = busy && quiet >= 3 && dut.chains.val().any();
                dut.consume.next = takes;
                dut.consume_pair.next = 1u64.into();
                settle(&mut *dut);
                memory.taken();
                assert!(!dut.fault.val());
                if takes {
                    assert_eq!(dut.buffer.val().head.to_u64(), taken & 0xffff, "seed {seed}");
                    taken += 1;
                    quiet = 0;
                } else {
                    quiet += 1;
                }
                tick(&mut *dut, |d| &mut d.clock);
            }
        }
    }

    /// A queue of one kind is reset, notified, and enabled as one of the other: the rings that it had are not looked at any more, and the
    /// notification counts for those that it has.
    #[test]
    fn a_notification_before_a_queue_is_enabled_is_for_the_kind_that_it_becomes() {
        for becomes_packed in [false, true] {
            let mut dut = Box::<Stored>::default();
            dut.connect_all();
            dut.reset.next = true;
            tick(&mut *dut, |d| &mut d.clock);
            dut.reset.next = false;
            dut.open_pair.next = 1u64.into();
            dut.notify_pair.next = 1u64.into();
            dut.reset_pair.data.next = 1u64.into();
            let open = |dut: &mut Stored, packed: bool| {
                let mut opened = QueueConfig { size: 16u64.into(), ..Default::default() };
                opened.features.packed = packed;
                dut.opened.next = opened;
                dut.open.next = true;
                tick(dut, |d| &mut d.clock);
                dut.open.next = false;
            };
            open(&mut dut, !becomes_packed);
            dut.reset_pair.valid.next = true;
            settle(&mut *dut);
            while !dut.reset_pair.ready.val() {
                tick(&mut *dut, |d| &mut d.clock);
                settle(&mut *dut);
            }
            tick(&mut *dut, |d| &mut d.clock);
            dut.reset_pair.valid.next = false;
            dut.notify.next = true;
            tick(&mut *dut, |d| &mut d.clock);
            dut.notify.next = false;
            open(&mut dut, becomes_packed);
            dut.live.next = 0b10u64.into();
            let mut asked = 0;
            for _ in 0..100 {
                tick(&mut *dut, |d| &mut d.clock);
                settle(&mut *dut);
                asked |= dut.asks.val().to_u64();
            }
            assert_eq!(asked, if becomes_packed { 0b100 } else { 0b001 });
        }
    }

    /// What was to be reset was the split one.
    #[test]
    fn tables_of_a_packed_queue_are_gone_through_after_its_reset_as_a_split_one() {
        const TABLE: u64 = 0x800;
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut memory = Memory::new(0x2000);
        memory.write_packed(0, 0, (TABLE, 3 * 16, 7, 1 << 7 | 4));
        (0..3).for_each(|entry| memory.write_packed(TABLE, entry, (0x1000 * (entry + 1), 64, 0, 2)));
        let mut dut = Box::<Stored>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        dut.open_pair.next = 1u64.into();
        dut.notify_pair.next = 1u64.into();
        dut.reset_pair.data.next = 1u64.into();
        for packed in [false, true] {
            let mut opened = QueueConfig { size: 16u64.into(), ..Default::default() };
            (opened.features.packed, opened.features.indirect) = (packed, true);
            dut.opened.next = opened;
            dut.open.next = true;
            tick(&mut *dut, |d| &mut d.clock);
            dut.open.next = false;
            dut.reset_pair.valid.next = !packed;
            for _ in 0..50 {
                settle(&mut *dut);
                let is_reset = dut.reset_pair.ready.val();
                tick(&mut *dut, |d| &mut d.clock);
                if is_reset {
                    dut.reset_pair.valid.next = false;
                }
            }
        }
        dut.live.next = 0b10u64.into();
        dut.notify.next = true;
        for _ in 0..300 {
            settle(&mut *dut);
            let asked = (dut.read.valid.val(), dut.read.data.val());
            let answer = (&mut dut.answer.valid, &mut dut.answer.data);
            memory.drive(asked, &mut dut.read.ready, answer, &mut rng);
            dut.look.next = true;
            dut.look_pair.next = 1u64.into();
            settle(&mut *dut);
            memory.taken();
            assert!(!dut.fault.val());
            tick(&mut *dut, |d| &mut d.clock);
            dut.notify.next = false;
        }
        let buffer = dut.buffer.val();
        let found = (dut.chains.val().to_u64(), buffer.address.to_u64(), buffer.last, buffer.head.to_u64());
        assert_eq!(found, (1, 0x1000, false, 7));
    }

    #[test]
    fn a_side_lints() {
        assert_lints(RingSide::<5, 3, 2, 11, 12, 0>::new(&[4]));
        assert_lints(RingSide::<5, 3, 2, 11, 6, 1>::default());
    }
}
