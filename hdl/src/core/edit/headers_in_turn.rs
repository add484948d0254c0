// SPDX-License-Identifier: MIT OR Apache-2.0
//! The heads of the frames, word by word.

use super::edit_meta::EditMeta;
use super::edit_sum::EditSum;
use super::edit_word::{EditWord, HeadWord};
use super::head_store::HeadStore;
use super::header_store::HeaderStore;
use crate::base::Credit;
use crate::base::{Dff, DffR, LutFifo, Param, Reg, Src};
use crate::core::types::{EditJob, Edited, MergedBeat};
use rust_hdl_core::prelude::*;

/// For a job reads its frame's window word by word (32 bits) from [`HeaderStore`], leaves out the tags that are popped, puts in those
/// pushed, edits each word in `EditWord` while `EditSum` sums up, writes it into one of the two heads of [`HeadStore`], and last the
/// checksums. All that moves in a frame moves by whole words.
///
/// A job takes as many clocks as its head has words (30 at most), and 13. It is there in the clock after `issue`, and stays at `job` while there is no
/// `room`, and a clock more; the next one may be worked at while `Splice` puts out the one before.
#[millrace_hdl::block]
pub struct HeadersInTurn<const BUS_BITS: usize, const COUNT_BITS: usize, const QUEUES: usize, const NOTE_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The frames as they come in: no more than 16 beside those in `Expand`.
    pub beat: Signal<In, MergedBeat<BUS_BITS, COUNT_BITS>>,
    pub beat_valid: Signal<In, Bit>,
    /// `job` comes in the next clock.
    pub issue: Signal<In, Bit>,
    pub job: Signal<In, EditJob<QUEUES, NOTE_BITS>>,
    pub job_valid: Signal<In, Bit>,
    /// There may be an `issue`.
    pub room: Signal<Out, Bit>,
    pub edited: Src<Edited<QUEUES, NOTE_BITS>>,
    /// The wanted beat of the head of the job last taken from `edited`.
    pub head_number: Signal<In, Bits<12>>,
    pub head: Signal<Out, Bits<BUS_BITS>>,
    /// That head is not looked at any more.
    pub head_done: Signal<In, Bit>,
    /// No job is under way.
    pub idle: Signal<Out, Bit>,
    windows: HeaderStore<BUS_BITS, COUNT_BITS>,
    words: EditWord,
    sums: EditSum,
    heads: HeadStore<BUS_BITS>,
    meta: EditMeta<QUEUES, NOTE_BITS>,
    queue: LutFifo<Edited<QUEUES, NOTE_BITS>, 1, 2>,
    credit: Credit<2>,
    /// The present job's frame.
    frame: Reg<Bits<5>>,
    /// The head that the present job is written to.
    side: Reg<Bit>,
    /// The head that `Splice` reads.
    read_side: Reg<Bit>,
    /// No job is under way, or it will be done when the next one can be there.
    #[init(Reg::new(true))]
    free: Reg<Bit>,
    /// A job waits for a head.
    measured: DffR<Bit>,
    /// How long its head will be.
    out_len: Dff<Bits<14>>,
    /// The job's words are being read.
    reading: DffR<Bit>,
    /// The word being read, by its place in the outgoing head.
    number: Reg<Bits<5>>,
    /// The same by its place in the window.
    from: Reg<Bits<5>>,
    /// The head's last word.
    last: Dff<Bits<5>>,
    /// Beside the RAM's read port and its register.
    word: Vec<Dff<HeadWord>>,
    valid: Vec<DffR<Bit>>,
    /// Clocks since the last word was read, one-hot.
    tail: DffR<Bits<11>>,
    beat_log2: Param<Bits<3>>,
    within_beat: Param<Bits<5>>,
    pick: Vec<Constant<Bits<11>>>,
    place: Vec<Constant<Bits<5>>>,
    _words: usize,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize, const QUEUES: usize, const NOTE_BITS: usize>
    HeadersInTurn<BUS_BITS, COUNT_BITS, QUEUES, NOTE_BITS>
{
    /// Clocks that a job takes at most.
    pub const CLOCKS: usize = 43;

    /// Without a frame. (`Default` has no memory: use this.)
    ///
    /// # Panics
    /// If `BUS_BITS` is not 64 to 1,024.
    pub fn new() -> Self {
        let words = BUS_BITS / 32;
        Self {
            windows: HeaderStore::new(),
            heads: HeadStore::new(),
            credit: Credit::new(2),
            word: (0..2).map(|_| Dff::default()).collect(),
            valid: (0..2).map(|_| DffR::default()).collect(),
            beat_log2: Param::new(words.ilog2().to_bits()),
            within_beat: Param::new((words - 1).to_bits()),
            pick: (0..words).map(|i| Constant::new((i * 32).to_bits())).collect(),
            place: (0..words).map(|i| Constant::new(i.to_bits())).collect(),
            _words: words,
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("from a job's start, for which a head must be free, to its end");
        let start = self.measured & self.credit.available;
        self.measured = self.job_valid | (self.measured & !start);
        self.out_len = self.meta.edited.out_len;
        let almost_done = self.tail.get_bit(9);
        let done = self.tail.get_bit(10);
        if self.issue | almost_done {
            self.free = almost_done;
        }
        self.room = self.free;
        self.credit.take = start;
        self.credit.give_back = self.head_done;
        if done & !self.job.again {
            self.frame += 1;
        }
        if done {
            self.side = !self.side;
        }
        self.meta.job = self.job;
        self.queue.inp.data = self.meta.edited;
        self.queue.inp.valid = done;
        self.edited.data = self.queue.out.data;
        self.edited.valid = self.queue.out.valid;
        self.queue.out.ready = self.edited.ready;
        comment!("the first head taken is on side 0: the side turns over once a head is done with");
        if self.head_done {
            self.read_side = !self.read_side;
        }
        self.idle = self.credit.idle & self.free;

        comment!("the words, one per clock: MAC addresses, tags pushed, and the rest without the tags popped");
        self.words.edits = self.job.edits;
        self.words.layout = self.job.layout;
        let pop = self.job.edits.vlan_pop;
        let push = self.job.edits.vlan_push;
        let final_word = cast::<12>((self.out_len - 1) >> 2);
        self.last = if final_word >= 30 { 29 } else { cast::<5>(final_word) };
        if self.job.discard {
            self.last = 0;
        }
        let ends = self.reading & (self.number == self.last);
        self.reading = start | (self.reading & !ends);
        self.tail = (self.tail << 1) | cast::<11>(ends);
        let push0 = (self.number == 3) & push.any();
        let push1 = (self.number == 4) & push.get_bit(1);
        let pushed = push0 | push1;
        self.number.reset = start;
        if self.reading {
            self.number += 1;
        }
        let next_from = if self.number == 2 { cast::<5>(pop) + 3 } else { self.from + 1 };
        self.from.reset = start;
        if self.reading & !pushed {
            self.from = next_from;
        }
        self.windows.beat = self.beat;
        self.windows.valid = self.beat_valid;
        self.windows.read = self.reading;
        self.windows.addr = (cast::<9>(self.frame) << 4) | cast::<9>(self.from >> self.beat_log2);

        comment!("beside the RAM: what the word is");
        let mut w = HeadWord::default();
        w.number = self.number;
        w.from = self.from;
        w.push0 = push0;
        w.push1 = push1;
        w.k = 0;
        w.behind_tags = false;
        w.word = 0;
        self.word[0] = w;
        self.valid[0] = self.reading;
        w = self.word[0];
        let before_k = cast::<5>(self.job.layout.vlans) + 3;
        self.word[1] = w;
        self.word[1].k = w.from - before_k;
        self.word[1].behind_tags = !w.push0 & !w.push1 & (w.from >= before_k);
        self.valid[1] = self.valid[0];

        comment!("the word of the beat; zeros behind the frame");
        w = self.word[1];
        let mut picked: Bits<32> = 0;
        let mut moved: Bits<BUS_BITS> = 0;
        for i in 0..self._words {
            if (w.from & self.within_beat) == self.place[i] {
                moved = self.windows.data >> self.pick[i];
                picked = cast::<32>(moved);
            }
        }
        if (cast::<14>(w.from) << 2) >= self.job.len {
            picked = 0;
        }
        self.words.word = w;
        self.words.word.word = picked;
        self.words.valid = self.valid[1];

        comment!("edit and write");
        self.sums.clear = start;
        self.sums.word = self.words.out;
        self.sums.valid = self.words.out_valid;
        self.sums.udp = self.job.layout.l4 == 2;
        let ip_patch = self.tail.get_bit(9);
        let l4_patch = self.tail.get_bit(10);
        let patch_ip = ip_patch & self.sums.ip_changes;
        let patch_l4 = l4_patch & self.sums.l4_changes;
        self.heads.side = self.side;
        self.heads.write = self.words.out_valid;
        self.heads.word = self.words.out.new;
        self.heads.number = self.words.out.number;
        self.heads.patch = patch_ip | patch_l4;
        self.heads.half = self.sums.l4;
        self.heads.upper = self.sums.l4_upper;
        if l4_patch {
            self.heads.number = self.sums.l4_at;
        }
        if ip_patch {
            self.heads.number = self.sums.ip_at;
            self.heads.half = self.sums.ip;
            self.heads.upper = false;
        }
        self.heads.read_side = self.read_side;
        self.heads.head_number = self.head_number;
        self.head = self.heads.head;
    }
}
