// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packet and byte counters in block RAM: one event per clock, any index, exact.

use crate::base::{Dff, DffE, DffR, Param, Ram};
use crate::wire_struct;
use rust_hdl_core::prelude::*;

wire_struct! {
    /// One counter.
    pub struct CounterWord {
        pub packets: Bits<64>,
        pub bytes: Bits<64>,
        /// `AGE_EPOCH` at the last event.
        pub epoch: Bits<32>,
    }
}

wire_struct! {
    /// One event on its way to the RAM.
    pub struct CountEvent<const INDEX_BITS: usize> {
        pub index: Bits<INDEX_BITS>,
        pub bytes: Bits<14>,
        pub epoch: Bits<32>,
    }
}

/// `1 << INDEX_BITS` counters.
///
/// In a clock with `count`, counter `index` gets one packet, `bytes` bytes and `epoch`. The pipeline is: RAM read (0 to 1),
/// choice between RAM and newer words (1 to 2), addition (2 to 3), RAM write (3). An event finds what up to three events before it
/// have not written yet in stages 2, 3 and 4.
///
/// `read` (a pulse, not again before `done`) reads counter `read_index`; `read_packets`, `read_bytes` and `read_epoch` are valid with
/// `done` and keep their value until the next read. [At once](Self::at_once), with a copy of the RAM, `done` is high five clocks later,
/// whatever is counted, and the read sees all events up to the clock of `read`, and none after. [In turn](Self::in_turn), without one, it
/// takes the first clock in which no event is under way: `done` is high three clocks after that, and the read sees all events before
/// it. Then events must be four clocks apart: none is looked for in the stages.
///
/// A clock with `clear`, without `count` and while no read is under way, makes counter `read_index` zero. It is an event like another, and may follow
/// any. `reset` clears none of them. `busy` is high while anything is under way.
#[millrace_hdl::block]
pub struct Counters<const INDEX_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub count: Signal<In, Bit>,
    pub index: Signal<In, Bits<INDEX_BITS>>,
    pub bytes: Signal<In, Bits<14>>,
    pub epoch: Signal<In, Bits<32>>,
    pub read: Signal<In, Bit>,
    pub read_index: Signal<In, Bits<INDEX_BITS>>,
    pub clear: Signal<In, Bit>,
    pub read_packets: Signal<Out, Bits<64>>,
    pub read_bytes: Signal<Out, Bits<64>>,
    pub read_epoch: Signal<Out, Bits<32>>,
    pub done: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    counters: Ram<CounterWord, INDEX_BITS>,
    copy: Vec<Ram<CounterWord, INDEX_BITS>>,
    s1_valid: DffR<Bit>,
    s1: Dff<CountEvent<INDEX_BITS>>,
    s2_valid: DffR<Bit>,
    s2: Dff<CountEvent<INDEX_BITS>>,
    s2_word: Dff<CounterWord>,
    /// The event one clock ahead has the same index.
    s2_follows: Dff<Bit>,
    s3_valid: DffR<Bit>,
    s3_index: Dff<Bits<INDEX_BITS>>,
    s3_word: DffR<CounterWord>,
    s4_valid: DffR<Bit>,
    s4_index: Dff<Bits<INDEX_BITS>>,
    s4_word: Dff<CounterWord>,
    /// The event clears.
    s1_clear: Dff<Bit>,
    s2_clear: Dff<Bit>,
    /// Where the read is: bit n is high n + 1 clocks after `read`.
    read_stage: DffR<Bits<5>>,
    read_at: DffE<Bits<INDEX_BITS>>,
    /// Without a copy: the read waits.
    waiting: DffR<Bit>,
    /// Without a copy: the read is in stage 1.
    s1_read: DffR<Bit>,
    /// Without a copy: the read is in stage 2.
    s2_read: DffR<Bit>,
    /// Without a copy: `result` is that of the read.
    has_result: DffR<Bit>,
    result: DffE<CounterWord>,
    shared: Param<Bit>,
    _copies: usize,
}

#[millrace_hdl::block]
impl<const INDEX_BITS: usize> Counters<INDEX_BITS> {
    /// Counters of zero, with a second RAM for reads.
    pub fn at_once() -> Self {
        Self { counters: Ram::new(), copy: vec![Ram::new()], _copies: 1, ..Default::default() }
    }

    /// Counters of zero in half the memory, for events that are four clocks apart.
    pub fn in_turn() -> Self {
        Self { counters: Ram::new(), shared: Param::new(true), ..Default::default() }
    }

    fn update(&mut self) {
        comment!("stage 0: read the counter");
        let under_way = self.count | self.s1_valid | self.s2_valid | self.s3_valid;
        let inject = self.waiting & !under_way;
        let at = if self.clear {
            self.read_index
        } else if inject {
            self.read_at
        } else {
            self.index
        };
        self.counters.re = self.count | inject;
        self.counters.raddr = at;
        self.s1_valid = self.count | self.clear;
        self.s1_clear = self.clear;
        self.s1_read = inject;
        self.s1.index = at;
        self.s1.bytes = self.bytes;
        self.s1.epoch = self.epoch;

        comment!("stage 1: what the events two and three clocks ahead made of it is not in the word read");
        let newest = if !self.shared & self.s3_valid & (self.s3_index == self.s1.index) {
            self.s3_word
        } else if !self.shared & self.s4_valid & (self.s4_index == self.s1.index) {
            self.s4_word
        } else {
            self.counters.rdata
        };
        self.s2_word = newest;
        self.s2_follows = !self.shared & self.s2_valid & (self.s2.index == self.s1.index);
        self.s2_valid = self.s1_valid;
        self.s2_read = self.s1_read;
        self.s2_clear = self.s1_clear;
        self.s2 = self.s1;

        comment!("stage 2: add, or clear");
        let base = if self.s2_follows { self.s3_word } else { self.s2_word };
        self.s3_word.reset = self.s2_clear;
        self.s3_word.packets = base.packets + 1;
        self.s3_word.bytes = base.bytes + cast::<64>(self.s2.bytes);
        self.s3_word.epoch = self.s2.epoch;
        self.s3_index = self.s2.index;
        self.s3_valid = self.s2_valid;

        comment!("stage 3: write");
        self.counters.we = self.s3_valid;
        self.counters.waddr = self.s3_index;
        self.counters.wdata = self.s3_word;
        self.s4_valid = self.s3_valid;
        self.s4_index = self.s3_index;
        self.s4_word = self.s3_word;

        if self.read {
            self.read_at = self.read_index;
        }
        if self.s2_read {
            self.result = base;
        }
        self.has_result = self.s2_read;
        comment!("without a copy, a read is an event that counts nothing, once there is no other");
        self.waiting = self.shared & (self.read | (self.waiting & under_way));
        self.read_stage = 0;
        self.done = self.has_result;
        let mut found = self.result;
        for i in 0..self._copies {
            comment!("a read waits until the event of its own clock is written to the copy");

            self.copy[i].we = self.s3_valid;
            self.copy[i].waddr = self.s3_index;
            self.copy[i].wdata = self.s3_word;
            self.copy[i].re = self.read_stage.get_bit(3);
            self.copy[i].raddr = self.read_at;
            self.read_stage = (self.read_stage << 1) | cast::<5>(self.read);
            self.done = self.read_stage.get_bit(4);
            found = self.copy[i].rdata;
        }
        self.read_packets = found.packets;
        self.read_bytes = found.bytes;
        self.read_epoch = found.epoch;

        self.busy = self.s1_valid
            | self.s2_valid
            | self.s3_valid
            | self.read_stage.any()
            | self.waiting
            | self.s1_read
            | self.s2_read
            | self.has_result;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_lints;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const INDEX_BITS: usize = 4;

    fn tick(dut: &mut Counters<INDEX_BITS>) {
        crate::testing::tick(dut, |d| &mut d.clock);
    }

    fn connected(mut dut: Counters<INDEX_BITS>) -> Box<Counters<INDEX_BITS>> {
        dut.connect_all();
        Box::new(dut)
    }

    /// Random events, clears and reads; each read must give exactly what was counted up to its clock.
    fn hammer(seed: u64, indices: usize, duty: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut dut = connected(Counters::<INDEX_BITS>::at_once());
        let mut model = [(0u64, 0u64, 0u32); 1 << INDEX_BITS];
        let (mut expected, mut counted) = (None, 0);
        for clock in 0..2000u32 {
            let (index, bytes) = (rng.random_range(0..indices), rng.random_range(0..16384u64));
            let clear = expected.is_none() && rng.random_bool(0.1);
            let count = !clear && rng.random_bool(duty);
            dut.count.next = count;
            dut.index.next = (index as u64).into();
            dut.bytes.next = bytes.into();
            dut.epoch.next = u64::from(clock).into();
            let read = !clear && expected.is_none() && rng.random_bool(0.3);
            let read_index = rng.random_range(0..indices);
            dut.clear.next = clear;
            dut.read.next = read;
            dut.read_index.next = (read_index as u64).into();
            if count {
                let m = &mut model[index];
                *m = (m.0 + 1, m.1 + bytes, clock);
                counted += 1;
            }
            if clear {
                model[read_index] = (0, 0, 0);
            }
            if read {
                expected = Some((clock + 5, model[read_index]));
            }
            tick(&mut dut);
            assert_eq!(dut.done.val(), expected.is_some_and(|e| e.0 == clock + 1));
            if dut.done.val() {
                let got =
                    (dut.read_packets.val().to_u64(), dut.read_bytes.val().to_u64(), dut.read_epoch.val().to_u32());
                assert_eq!(got, expected.take().unwrap().1, "read in clock {clock}");
            }
        }
        assert!(counted > 500);
    }

    #[test]
    fn events_on_one_index_in_consecutive_clocks_are_all_counted() {
        hammer(1, 1, 1.0);
    }

    #[test]
    fn events_on_few_indices_are_counted_at_any_distance() {
        for (seed, indices) in [(2, 2), (3, 3), (4, 4), (5, 5), (6, 16)] {
            hammer(seed, indices, 1.0);
            hammer(seed + 10, indices, 0.6);
        }
    }

    /// Random events four clocks apart or more, and reads, without a copy: a read takes the first clock without an event under way and
    /// sees what was counted before.
    fn hammer_shared(seed: u64, indices: usize, duty: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut dut = connected(Counters::<INDEX_BITS>::in_turn());
        let mut model = [(0u64, 0u64, 0u32); 1 << INDEX_BITS];
        let (mut asked, mut expected, mut reads) = (None, None, 0);
        let mut since = 4;
        for clock in 0..4000u32 {
            let (index, bytes) = (rng.random_range(0..indices), rng.random_range(0..16384u64));
            let count = since >= 4 && rng.random_bool(duty);
            since = if count { 1 } else { since + 1 };
            dut.count.next = count;
            dut.index.next = (index as u64).into();
            dut.bytes.next = bytes.into();
            dut.epoch.next = u64::from(clock).into();
            if since > 4
                && let Some(index) = asked.take()
            {
                expected = Some((clock + 3, model[index]));
            }
            let read = asked.is_none() && expected.is_none() && rng.random_bool(0.3);
            dut.read.next = read;
            if read {
                asked = Some(rng.random_range(0..indices));
                dut.read_index.next = (asked.unwrap() as u64).into();
            }
            if count {
                let m = &mut model[index];
                *m = (m.0 + 1, m.1 + bytes, clock);
            }
            tick(&mut dut);
            assert_eq!(dut.done.val(), expected.is_some_and(|e| e.0 == clock + 1));
            assert!(dut.busy.val() || (asked.is_none() && expected.is_none()));
            if dut.done.val() {
                let got =
                    (dut.read_packets.val().to_u64(), dut.read_bytes.val().to_u64(), dut.read_epoch.val().to_u32());
                assert_eq!(got, expected.take().unwrap().1, "read in clock {clock}");
                reads += 1;
            }
        }
        assert!(reads > 50, "{reads} reads");
    }

    #[test]
    fn reads_without_a_copy_wait_for_events() {
        for (seed, indices) in [(21, 1), (22, 2), (23, 4), (24, 16)] {
            hammer_shared(seed, indices, 0.9);
            hammer_shared(seed + 10, indices, 0.3);
        }
    }

    #[test]
    fn every_counter_is_cleared_in_a_clock_of_its_own() {
        for mut dut in [connected(Counters::<INDEX_BITS>::at_once()), connected(Counters::<INDEX_BITS>::in_turn())] {
            for index in 0..1u64 << INDEX_BITS {
                (dut.count.next, dut.index.next, dut.bytes.next) = (true, index.into(), (100 + index).into());
                tick(&mut dut);
                dut.count.next = false;
                (0..4).for_each(|_| tick(&mut dut));
            }
            dut.clear.next = true;
            for index in 0..(1u64 << INDEX_BITS) - 1 {
                dut.read_index.next = index.into();
                tick(&mut dut);
                assert!(dut.busy.val());
            }
            dut.clear.next = false;
            while dut.busy.val() {
                tick(&mut dut);
            }
            for index in 0..1u64 << INDEX_BITS {
                (dut.read.next, dut.read_index.next) = (true, index.into());
                tick(&mut dut);
                dut.read.next = false;
                while !dut.done.val() {
                    tick(&mut dut);
                }
                let bytes = if index == (1 << INDEX_BITS) - 1 { 100 + index } else { 0 };
                assert_eq!((dut.read_bytes.val().to_u64(), dut.read_packets.val() == 0), (bytes, bytes == 0));
            }
        }
    }

    #[test]
    fn verilog_passes_lint() {
        assert_lints(Counters::<INDEX_BITS>::at_once());
        assert_lints(Counters::<INDEX_BITS>::in_turn());
    }

    #[test]
    fn busy_covers_events_and_reads() {
        let mut dut = connected(Counters::<INDEX_BITS>::at_once());
        tick(&mut dut);
        assert!(!dut.busy.val());
        dut.count.next = true;
        tick(&mut dut);
        dut.count.next = false;
        for left in [true, true, true, false] {
            assert_eq!(dut.busy.val(), left);
            tick(&mut dut);
        }
        dut.read.next = true;
        tick(&mut dut);
        dut.read.next = false;
        while !dut.done.val() {
            assert!(dut.busy.val());
            tick(&mut dut);
        }
        assert_eq!(dut.read_packets.val(), 1);
    }
}
