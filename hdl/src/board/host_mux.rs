// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages for the host, from where they come.

use super::types::RegisterAnswer;
use crate::base::{DffR, Param, RoundRobin, Snk, Src, Tag};
use crate::comment;
use crate::fastpath::types::Beat;
use millrace_regs::host_channel::MessageKind;
use rust_hdl_core::prelude::*;
use std::ops::Range;

/// Device to host: puts a header beat (`docs/board.md`) before each frame of the vports on this channel and of the upcalls, and around
/// register answers, and sends them message by message, round robin. Two clocks to a message beside its frame's beats. `K` = N + 2.
///
/// A frame begins only while its bit of `tx_whole`, or `upcall_whole`, says that its queue holds a whole one: a message never waits for
/// another queue of the core, which could be waiting for this one.
#[derive(LogicBlock, Default)]
pub struct HostMux<const W: usize, const C: usize, const N: usize, const K: usize> {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub tx: Vec<Snk<Beat<W, C>>>,
    pub tx_whole: Signal<In, Bits<N>>,
    pub upcall: Snk<Beat<W, C>>,
    pub upcall_whole: Signal<In, Bit>,
    /// Valid with every beat of `upcall`.
    pub upcall_vport: Signal<In, Bits<8>>,
    pub upcall_reason: Signal<In, Bits<8>>,
    pub registers: Snk<RegisterAnswer>,
    pub out: Src<Beat<W, C>>,

    arbiter: RoundRobin<K>,
    /// Whose message is passing, one-hot: the upcalls', the registers', or that of the vport two lower; its header has passed.
    chosen: DffR<Bits<K>>,
    headed: DffR<Bit>,
    /// The vports on this channel.
    mine: Param<Bits<N>>,
    size: Param<Bits<C>>,
    frame_kind: Param<Bits<8>>,
    slow_path_kind: Param<Bits<8>>,
    register_kind: Param<Bits<8>>,

    request: Signal<Local, Bits<K>>,
    source: Signal<Local, Beat<W, C>>,
    part: Signal<Local, Beat<W, C>>,
    data: Signal<Local, Bits<W>>,
    bytes: Signal<Local, Bits<C>>,
    last: Signal<Local, Bit>,
    valid: Signal<Local, Bit>,
    vport: Signal<Local, Bits<8>>,
    header: Signal<Local, Bits<64>>,
    beat: Signal<Local, Beat<W, C>>,
    sends: Signal<Local, Bit>,
    fire: Signal<Local, Bit>,
    body: Signal<Local, Bit>,
}

impl<const W: usize, const C: usize, const N: usize, const K: usize> HostMux<W, C, N, K> {
    /// A channel that the `vports` are on.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new(vports: Range<usize>) -> Self {
        assert!(
            W / 8 == 1 << (C - 1) && W >= 64 && N <= 31 && K == N + 2 && vports.end <= N,
            "HostMux<{W}, {C}, {N}, {K}> for {vports:?}: sizes do not fit each other"
        );
        Self {
            tx: vec![Default::default(); N],
            mine: Param::new(vports.map(|vport| 1u64 << vport).sum::<u64>().to_bits()),
            size: Param::new((W / 8).to_bits()),
            frame_kind: Param::new((MessageKind::Frame as u64).to_bits()),
            slow_path_kind: Param::new((MessageKind::SlowPath as u64).to_bits()),
            register_kind: Param::new((MessageKind::Register as u64).to_bits()),
            ..Default::default()
        }
    }
}

impl<const W: usize, const C: usize, const N: usize, const K: usize> Logic for HostMux<W, C, N, K> {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, arbiter, chosen, headed);
        self.arbiter.reset.next = self.reset.val();
        self.chosen.reset.next = self.reset.val();
        self.headed.reset.next = self.reset.val();

        comment!("whose turn it is");
        self.request.next = 0.into();
        self.request.next = self.request.val().replace_bit(0, self.upcall.valid.val() & self.upcall_whole.val());
        self.request.next = self.request.val().replace_bit(1, self.registers.valid.val());
        for i in 0..N {
            self.request.next = self.request.val().replace_bit(
                i + 2,
                self.tx[i].valid.val() & self.tx_whole.val().get_bit(i) & self.mine.val().get_bit(i),
            );
        }
        self.arbiter.request.next = self.request.val();
        self.arbiter.take.next = !self.chosen.q.val().any() & self.arbiter.any.val();

        comment!("its beat");
        self.body.next = self.headed.q.val();
        self.part.next = self.upcall.data.val();
        self.upcall.ready.next = self.chosen.q.val().get_bit(0) & self.body.val() & self.out.ready.val();
        self.data.next = 0.into();
        self.bytes.next = 0.into();
        self.last.next = false;
        self.vport.next = 0.into();
        self.valid.next = self.chosen.q.val().get_bit(0) & self.upcall.valid.val();
        if self.chosen.q.val().get_bit(0) {
            self.data.next = self.part.val().data;
            self.bytes.next = self.part.val().bytes;
            self.last.next = self.part.val().last;
            self.vport.next = self.upcall_vport.val();
        }
        for i in 0..N {
            self.source.next = self.tx[i].data.val();
            self.tx[i].ready.next = self.chosen.q.val().get_bit(i + 2) & self.body.val() & self.out.ready.val();
            if self.chosen.q.val().get_bit(i + 2) {
                self.data.next = self.data.val() | self.source.val().data;
                self.bytes.next = self.bytes.val() | self.source.val().bytes;
                self.last.next = self.last.val() | self.source.val().last;
                self.vport.next = self.vport.val() | i.to_bits::<8>();
                self.valid.next = self.valid.val() | self.tx[i].valid.val();
            }
        }

        comment!("its header");
        self.header.next = (bit_cast::<64, 8>(self.vport.val()) << 8) | bit_cast::<64, 8>(self.frame_kind.val());
        if self.chosen.q.val().get_bit(0) {
            self.header.next = (bit_cast::<64, 8>(self.upcall_reason.val()) << 16)
                | (bit_cast::<64, 8>(self.vport.val()) << 8)
                | bit_cast::<64, 8>(self.slow_path_kind.val());
        }
        if self.chosen.q.val().get_bit(1) {
            self.header.next = (bit_cast::<64, 32>(self.registers.data.val().data) << 32)
                | (bit_cast::<64, 16>(self.registers.data.val().address) << 16)
                | (bit_cast::<64, 2>(self.registers.data.val().response) << 8)
                | bit_cast::<64, 8>(self.register_kind.val());
        }
        self.registers.ready.next = self.chosen.q.val().get_bit(1) & self.out.ready.val();

        comment!("what goes out");
        self.beat.next.data = self.data.val();
        self.beat.next.bytes = self.bytes.val();
        self.beat.next.last = self.last.val();
        self.sends.next = self.valid.val();
        if !self.body.val() {
            self.beat.next.data = bit_cast::<W, 64>(self.header.val());
            self.beat.next.bytes = self.size.val();
            self.beat.next.last = self.chosen.q.val().get_bit(1);
            self.sends.next = self.chosen.q.val().any();
        }
        self.out.data.next = self.beat.val();
        self.out.valid.next = self.sends.val();
        self.fire.next = self.sends.val() & self.out.ready.val();
        self.headed.d.next = (self.body.val() | self.fire.val()) & !(self.fire.val() & self.beat.val().last);
        self.chosen.d.next = self.chosen.q.val();
        if !self.chosen.q.val().any() {
            self.chosen.d.next = self.arbiter.grant.val();
        } else if self.fire.val() & self.beat.val().last {
            self.chosen.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::random;
    use crate::testing::{assert_lints, beats, bytes, settle, tick};
    use millrace_regs::host_channel::{ADDRESS, DATA, REASON, RESPONSE, VPORT, header_bytes};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    /// A queue of the core: frames, of which the first is whole at times.
    #[derive(Default)]
    struct Queue<const W: usize, const C: usize> {
        frames: VecDeque<Vec<u8>>,
        beats: VecDeque<Beat<W, C>>,
        whole: bool,
    }

    impl<const W: usize, const C: usize> Queue<W, C> {
        /// Its first beat; at the start of a frame, whether it is a whole one.
        fn offer(&mut self, rng: &mut ChaCha8Rng) -> (Option<Beat<W, C>>, bool) {
            if self.beats.is_empty() {
                let Some(frame) = self.frames.front() else { return (None, false) };
                self.beats = beats(frame).into();
                self.whole = false;
            }
            self.whole |= rng.random_bool(0.2);
            (self.beats.front().copied(), self.whole)
        }

        fn take(&mut self) {
            assert!(self.whole, "a frame began before it was whole");
            if self.beats.pop_front().is_some_and(|beat| beat.last) {
                self.frames.pop_front();
            }
        }
    }

    fn run<const W: usize, const C: usize>(seed: u64, drain: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut mux = Box::new(HostMux::<W, C, 4, 6>::new(2..4));
        mux.connect_all();
        mux.reset.next = true;
        tick(&mut *mux, |m| &mut m.clock);
        mux.reset.next = false;
        // Vports 0 to 3 of which only 2 and 3 are on the channel, and the upcalls.
        let mut queues: Vec<Queue<W, C>> = (0..5).map(|_| Queue::default()).collect();
        let mut expected: Vec<Vec<Vec<u8>>> = vec![vec![]; 6];
        for (n, queue) in queues.iter_mut().enumerate() {
            for i in 0..40 {
                let len = rng.random_range(1..70);
                let frame = random(len, &mut rng);
                let mut message = match n {
                    4 => header_bytes(MessageKind::SlowPath, &[(VPORT, i), (REASON, i % 3)]).to_vec(),
                    n => header_bytes(MessageKind::Frame, &[(VPORT, n as u32)]).to_vec(),
                };
                message.resize(W / 8, 0);
                message.extend(&frame);
                expected[n].push(message);
                queue.frames.push_back(frame);
            }
        }
        let answers: Vec<(u64, u64, u64)> = (0..40)
            .map(|_| (rng.random_range(0..3), rng.random_range(0..0x1_0000), rng.random::<u32>().into()))
            .collect();
        for (response, address, data) in &answers {
            let values = [(RESPONSE, *response as u32), (ADDRESS, *address as u32), (DATA, *data as u32)];
            let mut message = header_bytes(MessageKind::Register, &values).to_vec();
            message.resize(W / 8, 0);
            expected[5].push(message);
        }
        let (mut got, mut partial, mut order, mut waiting) =
            (vec![vec![]; 6], vec![], vec![], answers.iter().peekable());
        let mut before: Option<Beat<W, C>> = None;
        let mut clocks = 0;
        while got[2..].iter().any(|messages: &Vec<Vec<u8>>| messages.len() < 40) {
            clocks += 1;
            assert!(clocks < 20_000, "stuck");
            for n in 0..4 {
                let (beat, whole) = queues[n].offer(&mut rng);
                mux.tx[n].valid.next = beat.is_some();
                mux.tx[n].data.next = beat.unwrap_or_default();
                mux.tx_whole.next = mux.tx_whole.next.replace_bit(n, whole);
            }
            let (beat, whole) = queues[4].offer(&mut rng);
            mux.upcall.valid.next = beat.is_some();
            mux.upcall.data.next = beat.unwrap_or_default();
            mux.upcall_whole.next = whole;
            let n = 40 - queues[4].frames.len() as u64;
            mux.upcall_vport.next = n.into();
            mux.upcall_reason.next = (n % 3).into();
            mux.registers.valid.next = waiting.peek().is_some() && (mux.registers.valid.val() || rng.random_bool(0.1));
            if let Some((response, address, data)) = waiting.peek() {
                mux.registers.data.next =
                    RegisterAnswer { response: (*response).into(), address: (*address).into(), data: (*data).into() };
            }
            mux.out.ready.next = rng.random_bool(drain);
            settle(&mut *mux);
            let out = mux.out.data.val();
            assert!(before.is_none_or(|beat| mux.out.valid.val() && beat == out), "a beat that waits stays as it is");
            before = (mux.out.valid.val() && !mux.out.ready.val()).then_some(out);
            if mux.out.valid.val() && mux.out.ready.val() {
                partial.extend(bytes(out.data, out.bytes));
                if out.last {
                    let from = match partial[0] {
                        0 => partial[1].into(),
                        kind => 3 + usize::from(kind),
                    };
                    order.push(from);
                    got[from].push(std::mem::take(&mut partial));
                }
            }
            for n in 0..4 {
                if mux.tx[n].valid.val() && mux.tx[n].ready.val() {
                    queues[n].take();
                }
            }
            if mux.upcall.valid.val() && mux.upcall.ready.val() {
                queues[4].take();
            }
            if mux.registers.valid.val() && mux.registers.ready.val() {
                waiting.next();
                mux.registers.valid.next = false;
            }
            tick(&mut *mux, |m| &mut m.clock);
        }
        for n in 2..6 {
            assert_eq!(got[n], expected[n], "messages of source {n}");
        }
        assert!(got[0].is_empty() && got[1].is_empty(), "not on the channel");
        assert!((2..5).all(|n| order[..60].iter().filter(|from| **from == n).count() > 8), "in turn: {order:?}");
    }

    #[test]
    fn messages_leave_whole_and_in_turn() {
        run::<64, 4>(1, 1.0);
        run::<64, 4>(2, 0.4);
        run::<256, 6>(3, 0.7);
    }

    #[test]
    fn lints() {
        assert_lints(HostMux::<64, 4, 4, 6>::new(2..4));
        assert_lints(HostMux::<512, 7, 11, 13>::new(2..11));
    }
}
