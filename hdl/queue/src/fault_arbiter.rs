// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes one stream out of the faults that all blocks find.

use crate::types::Fault;
use millrace_hdl::base::{RoundRobin, Skid, Snk, Src};
use rust_hdl_core::prelude::*;

/// Blocks of each side that find faults.
pub const OF_SIDE: usize = 4;
/// Blocks that know both sides.
pub const OF_BOTH: usize = 3;
const FINDERS: usize = 2 * OF_SIDE + OF_BOTH;

/// The faults of all finders, in turn. A finder that knows one side alone numbers its queues by their pairs.
#[millrace_hdl::block]
pub struct FaultArbiter<const PAIR_BITS: usize, const VQ_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(OF_SIDE)]
    pub sent: Vec<Snk<Fault<PAIR_BITS>>>,
    #[count(OF_SIDE)]
    pub received: Vec<Snk<Fault<PAIR_BITS>>>,
    #[count(OF_BOTH)]
    pub both: Vec<Snk<Fault<VQ_BITS>>>,
    pub out: Src<Fault<VQ_BITS>>,
    /// Nothing is held or found.
    pub idle: Signal<Out, Bit>,

    turn: RoundRobin<FINDERS>,
    skid: Skid<Fault<VQ_BITS>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const VQ_BITS: usize> FaultArbiter<PAIR_BITS, VQ_BITS> {
    fn update(&mut self) {
        let mut found: Bits<FINDERS> = 0;
        for i in 0..OF_SIDE {
            found.set_bit(i, self.sent[i].valid);
            found.set_bit(i + OF_SIDE, self.received[i].valid);
        }
        for i in 0..OF_BOTH {
            found.set_bit(2 * OF_SIDE + i, self.both[i].valid);
        }
        let free = self.skid.inp.ready;
        self.turn.request = found;
        self.turn.take = found.any() & free;
        let grant = self.turn.grant;
        let mut vq: Bits<VQ_BITS> = 0;
        let mut reason: Bits<8> = 0;
        for i in 0..OF_SIDE {
            self.sent[i].ready = grant.get_bit(i) & free;
            if grant.get_bit(i) {
                vq |= concat::<VQ_BITS>(self.sent[i].data.vq, true);
                reason |= self.sent[i].data.reason;
            }
            self.received[i].ready = grant.get_bit(i + OF_SIDE) & free;
            if grant.get_bit(i + OF_SIDE) {
                vq |= concat::<VQ_BITS>(self.received[i].data.vq, false);
                reason |= self.received[i].data.reason;
            }
        }
        for i in 0..OF_BOTH {
            self.both[i].ready = grant.get_bit(2 * OF_SIDE + i) & free;
            if grant.get_bit(2 * OF_SIDE + i) {
                vq |= self.both[i].data.vq;
                reason |= self.both[i].data.reason;
            }
        }
        self.skid.inp.valid = found.any();
        self.skid.inp.data = Fault { vq, reason };
        link(self.out, self.skid.out);
        self.idle = self.skid.empty & !found.any();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    #[test]
    fn every_fault_comes_out_once_with_the_number_of_its_queue() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut dut = FaultArbiter::<3, 4>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        // By finder: the faults that it has; all of them as they are due.
        let mut waiting = vec![VecDeque::new(); FINDERS];
        let mut due = vec![];
        for (finder, faults) in waiting.iter_mut().enumerate() {
            for _ in 0..10 {
                let (pair, reason, side) =
                    (rng.random_range(0..8u64), rng.random_range(1..12u64), rng.random::<bool>());
                let (vq, due_vq) = match finder {
                    0..4 => (pair, 2 * pair + 1),
                    4..8 => (pair, 2 * pair),
                    _ => (2 * pair + u64::from(side), 2 * pair + u64::from(side)),
                };
                faults.push_back((vq, reason));
                due.push((due_vq, reason));
            }
        }
        let mut got = vec![];
        while got.len() < due.len() {
            dut.out.ready.next = rng.random_bool(0.5);
            for (finder, faults) in waiting.iter().enumerate() {
                let (vq, reason) = faults.front().copied().unwrap_or_default();
                let one_side = match finder {
                    0..4 => Some(&mut dut.sent[finder]),
                    4..8 => Some(&mut dut.received[finder - 4]),
                    _ => None,
                };
                if let Some(inp) = one_side {
                    inp.valid.next = !faults.is_empty();
                    inp.data.next = Fault { vq: vq.into(), reason: reason.into() };
                } else {
                    dut.both[finder - 8].valid.next = !faults.is_empty();
                    dut.both[finder - 8].data.next = Fault { vq: vq.into(), reason: reason.into() };
                }
            }
            settle(&mut dut);
            for (finder, faults) in waiting.iter_mut().enumerate() {
                let ready = match finder {
                    0..4 => dut.sent[finder].ready.val(),
                    4..8 => dut.received[finder - 4].ready.val(),
                    _ => dut.both[finder - 8].ready.val(),
                };
                if ready {
                    faults.pop_front();
                }
            }
            if dut.out.valid.val() && dut.out.ready.val() {
                got.push((dut.out.data.val().vq.to_u64(), dut.out.data.val().reason.to_u64()));
            }
            tick(&mut dut, |d| &mut d.clock);
        }
        due.sort();
        got.sort();
        assert_eq!(got, due);
        settle(&mut dut);
        assert!(dut.idle.val() && waiting.iter().all(VecDeque::is_empty));
    }

    #[test]
    fn fault_arbiter_lints() {
        assert_lints(FaultArbiter::<3, 4>::default());
    }
}
