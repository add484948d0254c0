// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages for the host, from where they come.

use crate::base::{DffR, Param, RoundRobin, Snk, Src};
use crate::board::types::RegisterAnswer;
use crate::core::types::Beat;
use millrace_regs::host_channel::MessageKind;
use millrace_regs::map::MAX_VPORTS;
use rust_hdl_core::prelude::*;
use std::ops::Range;

/// Device to host: puts a header beat (`docs/board.md`) before each frame of the vports on this channel and of the upcalls, and around
/// register answers, and sends them message by message, round robin. Two clocks to a message beside its frame's beats. `SOURCES` = N + 2.
///
/// A frame begins only while its bit of `tx_whole`, or `upcall_whole`, says that its queue holds a whole one: a message never waits for
/// another queue of the core, which could be waiting for this one.
#[millrace_hdl::block]
pub struct HostMux<const BUS_BITS: usize, const COUNT_BITS: usize, const VPORTS: usize, const SOURCES: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(VPORTS)]
    pub tx: Vec<Snk<Beat<BUS_BITS, COUNT_BITS>>>,
    pub tx_whole: Signal<In, Bits<VPORTS>>,
    pub upcall: Snk<Beat<BUS_BITS, COUNT_BITS>>,
    pub upcall_whole: Signal<In, Bit>,
    /// Valid with every beat of `upcall`.
    pub upcall_vport: Signal<In, Bits<8>>,
    pub upcall_reason: Signal<In, Bits<8>>,
    pub registers: Snk<RegisterAnswer>,
    pub out: Src<Beat<BUS_BITS, COUNT_BITS>>,

    arbiter: RoundRobin<SOURCES>,
    /// Whose message is passing, one-hot: the upcalls', the registers', or that of the vport two lower.
    chosen: DffR<Bits<SOURCES>>,
    /// Its header has passed.
    headed: DffR<Bit>,
    /// The vports on this channel.
    mine: Param<Bits<VPORTS>>,
    #[init(Param::new((MessageKind::Frame as u64).into()))]
    frame_kind: Param<Bits<8>>,
    #[init(Param::new((MessageKind::SlowPath as u64).into()))]
    slow_path_kind: Param<Bits<8>>,
    #[init(Param::new((MessageKind::Register as u64).into()))]
    register_kind: Param<Bits<8>>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize, const VPORTS: usize, const SOURCES: usize>
    HostMux<BUS_BITS, COUNT_BITS, VPORTS, SOURCES>
{
    /// A channel that the `vports` are on.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new(vports: Range<usize>) -> Self {
        assert!(
            BUS_BITS / 8 == 1 << (COUNT_BITS - 1)
                && BUS_BITS >= 64
                && VPORTS <= MAX_VPORTS as usize
                && SOURCES == VPORTS + 2
                && vports.end <= VPORTS,
            "HostMux<{BUS_BITS}, {COUNT_BITS}, {VPORTS}, {SOURCES}> for {vports:?}: sizes do not fit each other"
        );
        Self {
            mine: Param::new(vports.fold(0.into(), |mine, vport| mine | Bits::from(1_u64) << vport as u64)),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("whose turn it is");
        let mut request: Bits<SOURCES> = 0;
        request.set_bit(0, self.upcall.valid & self.upcall_whole);
        request.set_bit(1, self.registers.valid);
        for i in 0..VPORTS {
            request.set_bit(i + 2, self.tx[i].valid & self.tx_whole.get_bit(i) & self.mine.get_bit(i));
        }
        self.arbiter.request = request;
        self.arbiter.take = !self.chosen.any() & self.arbiter.any;

        comment!("its beat");
        let body = self.headed;
        self.upcall.ready = self.chosen.get_bit(0) & body & self.out.ready;
        let mut data: Bits<BUS_BITS> = 0;
        let mut bytes: Bits<COUNT_BITS> = 0;
        let mut last = false;
        let mut vport: Bits<8> = 0;
        let mut valid = self.chosen.get_bit(0) & self.upcall.valid;
        if self.chosen.get_bit(0) {
            data = self.upcall.data.data;
            bytes = self.upcall.data.bytes;
            last = self.upcall.data.last;
            vport = self.upcall_vport;
        }
        for i in 0..VPORTS {
            self.tx[i].ready = self.chosen.get_bit(i + 2) & body & self.out.ready;
            if self.chosen.get_bit(i + 2) {
                data |= self.tx[i].data.data;
                bytes |= self.tx[i].data.bytes;
                last |= self.tx[i].data.last;
                vport |= i;
                valid |= self.tx[i].valid;
            }
        }

        comment!("its header");
        let answer = self.registers.data;
        let header = if self.chosen.get_bit(1) {
            concat::<64>(answer.data, answer.address, cast::<8>(answer.response), self.register_kind)
        } else if self.chosen.get_bit(0) {
            concat::<64>(cast::<48>(self.upcall_reason), vport, self.slow_path_kind)
        } else {
            concat::<64>(cast::<56>(vport), self.frame_kind)
        };
        self.registers.ready = self.chosen.get_bit(1) & self.out.ready;

        comment!("what goes out");
        let beat: Beat<BUS_BITS, COUNT_BITS> = if body {
            Beat { data, bytes, last }
        } else {
            Beat { data: cast::<BUS_BITS>(header), bytes: BUS_BITS / 8, last: self.chosen.get_bit(1) }
        };
        let sends = if body { valid } else { self.chosen.any() };
        self.out.data = beat;
        self.out.valid = sends;
        let fire = sends & self.out.ready;
        self.headed = (body | fire) & !(fire & beat.last);
        self.chosen = if !self.chosen.any() {
            self.arbiter.grant
        } else if fire & beat.last {
            0
        } else {
            self.chosen
        };
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
    struct Queue<const BUS_BITS: usize, const COUNT_BITS: usize> {
        frames: VecDeque<Vec<u8>>,
        beats: VecDeque<Beat<BUS_BITS, COUNT_BITS>>,
        whole: bool,
    }

    impl<const BUS_BITS: usize, const COUNT_BITS: usize> Queue<BUS_BITS, COUNT_BITS> {
        /// Its first beat; at the start of a frame, whether it is a whole one.
        fn offer(&mut self, rng: &mut ChaCha8Rng) -> (Option<Beat<BUS_BITS, COUNT_BITS>>, bool) {
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

    fn run<const BUS_BITS: usize, const COUNT_BITS: usize>(seed: u64, drain: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut mux = Box::new(HostMux::<BUS_BITS, COUNT_BITS, 4, 6>::new(2..4));
        mux.connect_all();
        mux.reset.next = true;
        tick(&mut *mux, |m| &mut m.clock);
        mux.reset.next = false;
        // Vports 0 to 3 of which only 2 and 3 are on the channel, and the upcalls.
        let mut queues: Vec<Queue<BUS_BITS, COUNT_BITS>> = (0..5).map(|_| Queue::default()).collect();
        let mut expected: Vec<Vec<Vec<u8>>> = vec![vec![]; 6];
        for (n, queue) in queues.iter_mut().enumerate() {
            for i in 0..40 {
                let len = rng.random_range(1..70);
                let frame = random(len, &mut rng);
                let mut message = match n {
                    4 => header_bytes(MessageKind::SlowPath, &[(VPORT, i), (REASON, i % 3)]).to_vec(),
                    n => header_bytes(MessageKind::Frame, &[(VPORT, n as u32)]).to_vec(),
                };
                message.resize(BUS_BITS / 8, 0);
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
            message.resize(BUS_BITS / 8, 0);
            expected[5].push(message);
        }
        let (mut got, mut partial, mut order, mut waiting) =
            (vec![vec![]; 6], vec![], vec![], answers.iter().peekable());
        let mut before: Option<Beat<BUS_BITS, COUNT_BITS>> = None;
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
