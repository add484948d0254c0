// SPDX-License-Identifier: MIT OR Apache-2.0
//! The heads of the frames, word by word.

use super::credit::Credit;
use super::edit_meta::EditMeta;
use super::edit_sum::EditSum;
use super::edit_word::{EditWord, HeadWord};
use super::head_store::HeadStore;
use super::header_store::HeaderStore;
use super::types::{EditJob, Edited, MergedBeat, Step};
use crate::base::{Dff, DffR, LutFifo, Param, Reg, Snk, Src, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// For a job reads its frame's window word by word (32 bits) from [`HeaderStore`], leaves out the tags that are popped, puts in those
/// pushed, edits each word in `EditWord` while `EditSum` sums up, writes it into one of the two heads of [`HeadStore`], and last the
/// checksums. All that moves in a frame moves by whole words.
///
/// A job takes as many clocks as its head has words (30 at most), and 13. It stays at `job` until it is done; the next one may be
/// worked at while `Splice` puts out the one before.
#[derive(LogicBlock, Default)]
pub struct HeadersInTurn<const W: usize, const C: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The frames as they come in: no more than 16 beside those in `Expand`.
    pub beat: Signal<In, MergedBeat<W, C>>,
    pub beat_valid: Signal<In, Bit>,
    pub job: Snk<EditJob>,
    pub edited: Src<Edited>,
    /// The wanted beat of the head of the job last taken from `edited`.
    pub head_number: Signal<In, Bits<12>>,
    pub head: Signal<Out, Bits<W>>,
    /// That head is not looked at any more.
    pub head_done: Signal<In, Bit>,
    /// No job is under way.
    pub idle: Signal<Out, Bit>,
    windows: HeaderStore<W, C>,
    words: EditWord,
    sums: EditSum,
    heads: HeadStore<W>,
    meta: EditMeta,
    queue: LutFifo<Edited, 1, 2>,
    credit: Credit<2>,
    /// The present job's frame, and the head it is written to.
    frame: Reg<Bits<5>>,
    side: Reg<Bit>,
    read_side: Reg<Bit>,
    /// The job has been there for a clock, and how long its head will be is known.
    measured: DffR<Bit>,
    out_len: Dff<Bits<14>>,
    /// A job is worked at; its words are being read.
    working: Reg<Bit>,
    reading: DffR<Bit>,
    /// The word being read, by its place in the outgoing head and in the window; the head's last word.
    number: Reg<Bits<5>>,
    from: Reg<Bits<5>>,
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
    done: Signal<Local, Bit>,
    start: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    pushed: Signal<Local, Bit>,
    push0: Signal<Local, Bit>,
    push1: Signal<Local, Bit>,
    step: Signal<Local, Step>,
    pop: Signal<Local, Bits<2>>,
    push: Signal<Local, Bits<2>>,
    final_word: Signal<Local, Bits<12>>,
    next_from: Signal<Local, Bits<5>>,
    w: Signal<Local, HeadWord>,
    picked: Signal<Local, Bits<32>>,
    moved: Signal<Local, Bits<W>>,
    before_k: Signal<Local, Bits<5>>,
    ip_patch: Signal<Local, Bit>,
    l4_patch: Signal<Local, Bit>,
    patch_ip: Signal<Local, Bit>,
    patch_l4: Signal<Local, Bit>,
    _words: usize,
}

impl<const W: usize, const C: usize> HeadersInTurn<W, C> {
    /// Clocks that a job takes at most.
    pub const CLOCKS: usize = 43;

    /// Without a frame. (`Default` has no memory: use this.)
    ///
    /// # Panics
    /// If `W` is not 64 to 1,024.
    pub fn new() -> Self {
        let words = W / 32;
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
}

impl<const W: usize, const C: usize> Logic for HeadersInTurn<W, C> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(
            self, clock, windows, words, sums, heads, queue, credit, frame, side, read_side, measured, working, reading
        );
        clock!(self, clock, number, from, out_len, last, tail);
        for i in 0..2 {
            self.word[i].clock.next = self.clock.val();
            self.valid[i].clock.next = self.clock.val();
            self.valid[i].reset.next = self.reset.val();
        }
        self.windows.reset.next = self.reset.val();
        self.words.reset.next = self.reset.val();
        self.sums.reset.next = self.reset.val();
        self.queue.reset.next = self.reset.val();
        self.credit.reset.next = self.reset.val();
        self.frame.reset.next = self.reset.val();
        self.side.reset.next = self.reset.val();
        self.read_side.reset.next = self.reset.val();
        self.measured.reset.next = self.reset.val();
        self.working.reset.next = self.reset.val();
        self.reading.reset.next = self.reset.val();
        self.tail.reset.next = self.reset.val();

        comment!("from a job's start, for which a head must be free, to its end");
        self.done.next = self.tail.q.val().get_bit(10);
        self.measured.d.next = self.job.valid.val() & !self.done.val();
        self.out_len.d.next = self.meta.edited.val().out_len;
        self.start.next = self.measured.q.val() & !self.working.q.val() & self.credit.available.val();
        self.working.en.next = self.start.val() | self.done.val();
        self.working.d.next = self.start.val();
        self.job.ready.next = self.done.val();
        self.credit.take.next = self.start.val();
        self.credit.give_back.next = self.head_done.val();
        self.frame.en.next = self.done.val() & !self.job.data.val().again;
        self.frame.d.next = self.frame.q.val() + 1;
        self.side.en.next = self.done.val();
        self.side.d.next = !self.side.q.val();
        self.meta.job.next = self.job.data.val();
        self.queue.inp.data.next = self.meta.edited.val();
        self.queue.inp.valid.next = self.done.val();
        self.edited.data.next = self.queue.out.data.val();
        self.edited.valid.next = self.queue.out.valid.val();
        self.queue.out.ready.next = self.edited.ready.val();
        comment!("the first head taken is on side 0: the side turns over once a head is done with");
        self.read_side.en.next = self.head_done.val();
        self.read_side.d.next = !self.read_side.q.val();
        self.idle.next = self.credit.idle.val();

        comment!("the words, one per clock: MAC addresses, tags pushed, and the rest without the tags popped");
        self.words.job.next = self.job.data.val();
        self.step.next = self.job.data.val().step;
        self.pop.next = self.step.val().vlan_pop;
        self.push.next = self.step.val().vlan_push;
        self.final_word.next = bit_cast::<12, 14>((self.out_len.q.val() - 1) >> 2);
        self.last.d.next = bit_cast::<5, 12>(self.final_word.val());
        if self.final_word.val() >= 30 {
            self.last.d.next = 29.into();
        }
        if self.job.data.val().discard {
            self.last.d.next = 0.into();
        }
        self.ends.next = self.reading.q.val() & (self.number.q.val() == self.last.q.val());
        self.reading.d.next = self.start.val() | (self.reading.q.val() & !self.ends.val());
        self.tail.d.next = (self.tail.q.val() << 1) | bit_cast::<11, 1>(self.ends.val().into());
        self.push0.next = (self.number.q.val() == 3) & self.push.val().any();
        self.push1.next = (self.number.q.val() == 4) & self.push.val().get_bit(1);
        self.pushed.next = self.push0.val() | self.push1.val();
        self.number.reset.next = self.start.val();
        self.number.en.next = self.reading.q.val();
        self.number.d.next = self.number.q.val() + 1;
        self.next_from.next = self.from.q.val() + 1;
        if self.number.q.val() == 2 {
            self.next_from.next = bit_cast::<5, 2>(self.pop.val()) + 3;
        }
        self.from.reset.next = self.start.val();
        self.from.en.next = self.reading.q.val() & !self.pushed.val();
        self.from.d.next = self.next_from.val();
        self.windows.beat.next = self.beat.val();
        self.windows.valid.next = self.beat_valid.val();
        self.windows.read.next = self.reading.q.val();
        self.windows.addr.next =
            (bit_cast::<9, 5>(self.frame.q.val()) << 4) | bit_cast::<9, 5>(self.from.q.val() >> self.beat_log2.val());

        comment!("beside the RAM: what the word is");
        self.w.next.number = self.number.q.val();
        self.w.next.from = self.from.q.val();
        self.w.next.push0 = self.push0.val();
        self.w.next.push1 = self.push1.val();
        self.w.next.k = 0.into();
        self.w.next.behind_tags = false;
        self.w.next.word = 0.into();
        self.word[0].d.next = self.w.val();
        self.valid[0].d.next = self.reading.q.val();
        self.w.next = self.word[0].q.val();
        self.before_k.next = bit_cast::<5, 2>(self.job.data.val().vlans) + 3;
        self.word[1].d.next = self.w.val();
        self.word[1].d.next.k = self.w.val().from - self.before_k.val();
        self.word[1].d.next.behind_tags =
            !self.w.val().push0 & !self.w.val().push1 & (self.w.val().from >= self.before_k.val());
        self.valid[1].d.next = self.valid[0].q.val();

        comment!("the word of the beat; zeros behind the frame");
        self.w.next = self.word[1].q.val();
        self.picked.next = 0.into();
        self.moved.next = 0.into();
        for i in 0..self._words {
            if (self.w.val().from & self.within_beat.val()) == self.place[i].val() {
                self.moved.next = self.windows.data.val() >> self.pick[i].val();
                self.picked.next = bit_cast::<32, W>(self.moved.val());
            }
        }
        if (bit_cast::<14, 5>(self.w.val().from) << 2) >= self.job.data.val().len {
            self.picked.next = 0.into();
        }
        self.words.word.next = self.w.val();
        self.words.word.next.word = self.picked.val();
        self.words.valid.next = self.valid[1].q.val();

        comment!("edit and write");
        self.sums.clear.next = self.start.val();
        self.sums.word.next = self.words.out.val();
        self.sums.valid.next = self.words.out_valid.val();
        self.sums.udp.next = self.job.data.val().l4 == 2;
        self.ip_patch.next = self.tail.q.val().get_bit(9);
        self.l4_patch.next = self.tail.q.val().get_bit(10);
        self.patch_ip.next = self.ip_patch.val() & self.sums.ip_changes.val();
        self.patch_l4.next = self.l4_patch.val() & self.sums.l4_changes.val();
        self.heads.side.next = self.side.q.val();
        self.heads.write.next = self.words.out_valid.val();
        self.heads.word.next = self.words.out.val().new;
        self.heads.number.next = self.words.out.val().number;
        self.heads.patch.next = self.patch_ip.val() | self.patch_l4.val();
        self.heads.half.next = self.sums.l4.val();
        self.heads.upper.next = self.sums.l4_upper.val();
        if self.l4_patch.val() {
            self.heads.number.next = self.sums.l4_at.val();
        }
        if self.ip_patch.val() {
            self.heads.number.next = self.sums.ip_at.val();
            self.heads.half.next = self.sums.ip.val();
            self.heads.upper.next = false;
        }
        self.heads.read_side.next = self.read_side.q.val();
        self.heads.head_number.next = self.head_number.val();
        self.head.next = self.heads.head.val();
    }
}
