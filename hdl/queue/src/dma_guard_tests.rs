// SPDX-License-Identifier: MIT OR Apache-2.0
//! Masters and memories that take their time.

use super::*;
use crate::testing::{assert_lints, settle, tick};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Clocks of a unit of time.
const UNIT: u64 = 40;
const LIMIT: u64 = 2;

type Dut = DmaGuard<4, 3, 4>;

/// A read at memory: its slot, its address, beats that are left, the clock from which on it is answered.
struct Asked {
    slot: u64,
    address: u64,
    beats: u64,
    due: u64,
}

/// A read as its master sees it: its address, the clock in which memory took it, beats that came.
struct Owed {
    address: u64,
    since: u64,
    beats: u64,
}

struct Bench {
    dut: Box<Dut>,
    rng: ChaCha8Rng,
    clock: u64,
    /// Chance that memory answers in time; the rest comes late, or much later.
    prompt: f64,
    asked: Vec<Asked>,
    answering: Option<usize>,
    /// By identifier.
    owed: [Option<Owed>; 16],
    /// The read that is offered: identifier, beats.
    offer: Option<(u64, u64)>,
    next: u64,
    /// Writes that the master waits for, and the clock from which on the oldest is that. Those that memory has to answer: the clock from which on it does, and its response.
    writes: usize,
    since: u64,
    answers: VecDeque<(u64, u64)>,
    offered: Option<u64>,
    reads_done: usize,
    reads_given_up: usize,
    writes_done: usize,
    writes_given_up: usize,
    last_write: Option<(u64, bool)>,
    /// What was offered and not taken in the last clock: a read to memory, an answer to the master.
    last_asked: Option<(u64, u64)>,
    last_read: Option<(u64, u64, u64)>,
}

impl Bench {
    fn new(seed: u64, prompt: f64) -> Self {
        let mut dut = Box::<Dut>::default();
        dut.connect_all();
        dut.limit.next = LIMIT.into();
        let mut bench = Self {
            dut,
            rng: ChaCha8Rng::seed_from_u64(seed),
            clock: 0,
            prompt,
            asked: vec![],
            answering: None,
            owed: std::array::from_fn(|_| None),
            offer: None,
            next: 0,
            writes: 0,
            since: 0,
            answers: VecDeque::new(),
            offered: None,
            reads_done: 0,
            reads_given_up: 0,
            writes_done: 0,
            writes_given_up: 0,
            last_write: None,
            last_asked: None,
            last_read: None,
        };
        bench.reset();
        bench
    }

    fn reset(&mut self) {
        self.dut.reset.next = true;
        tick(&mut *self.dut, |d| &mut d.clock);
        self.dut.reset.next = false;
    }

    fn due(&mut self) -> u64 {
        let late = !self.rng.random_bool(self.prompt);
        self.clock + self.rng.random_range(1..UNIT) + if late { self.rng.random_range(0..12) * UNIT } else { 0 }
    }

    /// A clock; `asks`: the master wants something.
    fn clock(&mut self, asks: bool) {
        if asks && self.offer.is_none() && self.rng.random_bool(0.5) {
            let free: Vec<u64> = (0..16).filter(|id| self.owed[*id as usize].is_none()).collect();
            if !free.is_empty() {
                self.offer = Some((free[self.rng.random_range(0..free.len())], self.rng.random_range(1..4)));
                self.next += 1;
            }
        }
        if self.answering.is_none() && self.rng.random_bool(0.8) {
            let due: Vec<usize> = (0..self.asked.len()).filter(|i| self.asked[*i].due <= self.clock).collect();
            self.answering = (!due.is_empty()).then(|| due[self.rng.random_range(0..due.len())]);
        }
        if asks && self.offered.is_none() && self.rng.random_bool(0.3) {
            self.offered = Some(self.rng.random_range(1..3));
        }
        let ready: [bool; 5] = std::array::from_fn(|_| self.rng.random_bool(0.8));
        let dut = &mut *self.dut;
        dut.now.next = ((0xfffe + self.clock / UNIT) & 0xffff).into();
        dut.inp.arvalid.next = self.offer.is_some();
        let (id, beats) = self.offer.unwrap_or_default();
        dut.inp.arid.next = id.into();
        dut.inp.araddr.next = (64 * self.next).into();
        dut.inp.arlen.next = (beats.max(1) - 1).into();
        dut.axi.arready.next = ready[0];
        let answer = self.answering.map(|i| &self.asked[i]);
        dut.axi.rvalid.next = answer.is_some();
        if let Some(answer) = answer {
            dut.axi.rid.next = answer.slot.into();
            dut.axi.rdata.next = (answer.address + answer.beats).into();
            dut.axi.rresp.next = (if answer.address % 128 == 0 { 0u64 } else { 3 }).into();
            dut.axi.rlast.next = answer.beats == 1;
        }
        dut.inp.rready.next = ready[1];
        dut.inp.awvalid.next = self.offered.is_some();
        dut.axi.awready.next = ready[2];
        dut.inp.bready.next = ready[3];
        let written = self.answers.front().filter(|(due, _)| *due <= self.clock).copied();
        dut.axi.bvalid.next = written.is_some();
        dut.axi.bresp.next = written.map_or(0, |(_, response)| response).into();
        settle(dut);
        self.read_side();
        self.write_side(written);
        tick(&mut *self.dut, |d| &mut d.clock);
        self.clock += 1;
    }

    fn read_side(&mut self) {
        let (time, dut) = (self.clock, &self.dut);
        let asked = (dut.axi.arvalid.val() && dut.axi.arready.val())
            .then(|| (dut.axi.arid.val().to_u64(), dut.axi.araddr.val().to_u64(), dut.axi.arlen.val().to_u64() + 1));
        let taken = dut.inp.arvalid.val() && dut.inp.arready.val();
        assert_eq!(taken, asked.is_some());
        let asks = (dut.axi.arid.val().to_u64(), dut.axi.araddr.val().to_u64());
        assert!(self.last_asked.is_none_or(|last| dut.axi.arvalid.val() && last == asks), "a read was taken back");
        self.last_asked = (dut.axi.arvalid.val() && asked.is_none()).then_some(asks);
        let data = dut.inp.rdata.val().get_bits::<64>(0).to_u64();
        let response = dut.inp.rresp.val().to_u64();
        let says = (dut.inp.rid.val().to_u64(), response, if response == GIVEN_UP { 0 } else { data });
        assert!(self.last_read.is_none_or(|last| dut.inp.rvalid.val() && last == says), "an answer was taken back");
        self.last_read = (dut.inp.rvalid.val() && !dut.inp.rready.val()).then_some(says);
        let heard = dut.axi.rvalid.val() && dut.axi.rready.val();
        let back = (dut.inp.rvalid.val() && dut.inp.rready.val()).then(|| {
            let data = dut.inp.rdata.val().get_bits::<64>(0).to_u64();
            (dut.inp.rid.val().index(), data, dut.inp.rresp.val().to_u64(), dut.inp.rlast.val())
        });
        if let Some((id, data, response, last)) = back {
            let owed = self.owed[id].as_mut().expect("an answer to what was asked for");
            let age = time - owed.since;
            if response == GIVEN_UP {
                assert!(last && age > LIMIT * UNIT, "given up after {age} clocks");
                self.reads_given_up += 1;
            } else {
                owed.beats -= 1;
                assert_eq!(data, owed.address + owed.beats + 1);
                assert_eq!(
                    (response, last),
                    (if owed.address.is_multiple_of(128) { 0 } else { SLVERR }, owed.beats == 0)
                );
                self.reads_done += usize::from(last);
            }
            if last {
                self.owed[id] = None;
            }
        }
        if heard {
            let i = self.answering.take().expect("a beat");
            self.asked[i].beats -= 1;
            if self.asked[i].beats == 0 {
                self.asked.remove(i);
            }
        }
        if let Some((slot, address, beats)) = asked {
            assert!(self.asked.iter().all(|asked| asked.slot != slot), "slot {slot} is in use");
            let due = self.due();
            self.asked.push(Asked { slot, address, beats, due });
            let (id, _) = self.offer.take().expect("a read");
            self.owed[id as usize] = Some(Owed { address, since: time, beats });
        }
        // Each look takes three clocks a slot at most, and those that hold answers up.
        for owed in self.owed.iter().flatten() {
            assert!(time - owed.since < (LIMIT + 2) * UNIT + 40, "not given up in {} clocks", time - owed.since);
        }
    }

    fn write_side(&mut self, written: Option<(u64, u64)>) {
        let dut = &self.dut;
        let taken = dut.axi.awvalid.val() && dut.axi.awready.val();
        assert_eq!(taken, dut.inp.awvalid.val() && dut.inp.awready.val());
        let heard = dut.axi.bvalid.val() && dut.axi.bready.val();
        let shown = dut.inp.bvalid.val().then(|| (dut.inp.bresp.val().to_u64(), dut.inp.bready.val()));
        if let (Some((before, false)), Some((response, _))) = (self.last_write, shown) {
            assert_eq!(before, response, "an answer that was offered stays");
        }
        assert!(!matches!(self.last_write, Some((_, false))) || shown.is_some(), "an answer was taken back");
        self.last_write = shown;
        if let Some((response, true)) = shown {
            assert!(self.writes > 0, "an answer to no write");
            self.writes -= 1;
            let since = std::mem::replace(&mut self.since, self.clock);
            if response == GIVEN_UP {
                assert!(self.clock - since > LIMIT * UNIT);
                self.writes_given_up += 1;
            } else {
                let (_, own) = written.expect("memory's answer");
                assert_eq!(response, own & 2);
                self.writes_done += 1;
            }
        }
        if heard {
            self.answers.pop_front();
        }
        if taken {
            self.offered = None;
            if self.writes == 0 {
                self.since = self.clock;
            }
            self.writes += 1;
            let due = self.due().max(self.answers.back().map_or(0, |answer| answer.0));
            self.answers.push_back((due, self.rng.random_range(0..4)));
        }
        let waited = self.clock - self.since;
        assert!(self.writes == 0 || waited < (LIMIT + 2) * UNIT + 40, "not given up in {waited} clocks");
    }

    fn rest(&mut self) {
        for _ in 0..4000 {
            self.clock(false);
        }
        assert!(self.asked.is_empty() && self.answers.is_empty() && self.owed.iter().all(Option::is_none));
        assert!(!self.dut.waits.val() && self.writes == 0);
    }
}

#[test]
fn what_is_answered_in_time_comes_through_and_all_else_is_given_up_once() {
    for (seed, prompt) in [(1, 1.0), (2, 0.95), (3, 0.7), (4, 0.2)] {
        let mut bench = Bench::new(seed, prompt);
        for _ in 0..20_000 {
            bench.clock(true);
        }
        bench.rest();
        let given_up = (bench.reads_given_up > 0, bench.writes_given_up > 0);
        assert_eq!(given_up, (prompt < 1.0, prompt < 1.0), "seed {seed}");
        assert!(
            bench.reads_done > 200 && bench.writes_done > 50,
            "seed {seed}: {} {}",
            bench.reads_done,
            bench.writes_done
        );
    }
}

#[test]
fn without_a_limit_it_waits_for_ever() {
    let mut bench = Bench::new(5, 1.0);
    bench.dut.limit.next = 0u64.into();
    bench.offer = Some((3, 2));
    while bench.asked.is_empty() {
        bench.clock(false);
    }
    let dut = &mut *bench.dut;
    dut.inp.arvalid.next = false;
    dut.inp.awvalid.next = false;
    dut.inp.rready.next = false;
    for unit in 0..40u64 {
        dut.now.next = (100 + unit).into();
        let limited = unit > 30;
        dut.limit.next = (if limited { LIMIT } else { 0 }).into();
        (0..20).for_each(|_| tick(dut, |d| &mut d.clock));
        settle(dut);
        // With a limit it is old enough at once.
        assert_eq!((dut.inp.rvalid.val(), dut.waits.val()), (limited, limited), "unit {unit}");
    }
    assert_eq!((dut.inp.rid.val().to_u64(), dut.inp.rresp.val().to_u64()), (3, GIVEN_UP));
    dut.inp.rready.next = true;
    tick(dut, |d| &mut d.clock);
    settle(dut);
    assert!(!dut.inp.rvalid.val() && !dut.waits.val());
}

#[test]
fn a_reset_forgets_what_was_asked() {
    let mut bench = Bench::new(6, 0.0);
    while bench.asked.len() < 8 {
        bench.clock(true);
    }
    let mut after = Bench { dut: bench.dut, ..Bench::new(7, 1.0) };
    after.reset();
    for _ in 0..2000 {
        after.clock(true);
    }
    after.rest();
    assert!(after.reads_done > 100 && after.reads_given_up == 0);
}

#[test]
fn verilog_passes_lint() {
    assert_lints(Dut::default());
}
