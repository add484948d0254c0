// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random accesses, faults and messages against the reference.

use super::bench::{Bench, ERROR, OKAY, QUEUES};
use super::reference::{Effects, Reference, offsets};
use crate::small::SMALL;
use millrace_regs::host::common;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

struct Run {
    rng: ChaCha8Rng,
    bench: Bench,
    reference: Reference,
    offsets: Vec<u32>,
    /// Functions whose reset was under way when the last step began to settle: the page leaves open whether what pends is given before the reset's end.
    resetting: Vec<u64>,
    given: usize,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut bench = Bench::new();
        bench.seen.windows.clear();
        bench.seen.policies.clear();
        let reference = Reference::new(SMALL);
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { rng, bench, reference, offsets: offsets(), resetting: vec![], given: 0 }
    }

    /// A place that is likely to matter.
    fn place(&mut self) -> (u32, u32) {
        let function = *[0, 0, 0, 1, 1, 1, 2, 2, 3].choose(&mut self.rng).expect("some");
        let offset = match self.rng.random_range(0..3) {
            0 => *self.offsets.choose(&mut self.rng).expect("some"),
            1 => self.rng.random_range(0..16) * 4,
            _ => [common::DEVICE_STATUS, common::DRIVER_FEATURE, common::QUEUE_ENABLE, common::DRIVER_FEATURE_SELECT]
                .choose(&mut self.rng)
                .expect("some")
                .word(),
        };
        (function, offset)
    }

    /// A word that is likely to do something at this offset.
    fn word(&mut self, offset: u32) -> u32 {
        let low = match offset {
            0 | 8 => self.rng.random_range(0..3),
            0xc => *[0x8028, 3, 3, 0x113, 0x1_8028, 0].choose(&mut self.rng).expect("some"),
            0x14 => {
                let status = *[1, 2, 11, 11, 15, 15, 4, 0x40, 0xc0, 0].choose(&mut self.rng).expect("some");
                return self.rng.random_range(0..10) << 16 | status;
            }
            0x10 => self.rng.random_range(0..4),
            0x4000..0x8000 if offset % 0x40 == 0x30 => return self.rng.random_range(0..50),
            0x18 => 1 << self.rng.random_range(0..11),
            0x1c => 1,
            0x38 => return 1 << 16,
            _ => self.rng.random(),
        };
        match self.rng.random_range(0..4) {
            0 => self.rng.random(),
            1 => self.rng.random_range(0..4) << 16 | low,
            _ => low,
        }
    }

    fn write(&mut self, function: u32, offset: u32, word: u32, strobe: u64) -> Effects {
        let expected = self.reference.write(function as usize, offset, word, strobe);
        let response = self.bench.write(function, offset, word, strobe);
        assert_eq!(response == OKAY, expected.is_some(), "write of {offset:#x} of function {function}");
        expected.unwrap_or_default()
    }

    /// What a driver does, so that virtqueues come to life; sometimes a reset behind it.
    fn set_up(&mut self) {
        let function = self.rng.random_range(0..3);
        let queue = self.rng.random_range(0..if function == 0 { 8 } else { 3 });
        let features = *[0x8103, 0x103, 0x8003].choose(&mut self.rng).expect("some");
        for (field, word, strobe) in [
            (common::DRIVER_FEATURE_SELECT, 1, 15),
            (common::DRIVER_FEATURE, features & 0x103, 15),
            (common::DRIVER_FEATURE_SELECT, 0, 15),
            (common::DRIVER_FEATURE, features & 0x8000, 15),
            (common::CONFIG_MSIX_VECTOR, self.rng.random_range(0..4), 3),
            (common::QUEUE_SELECT, queue << 16, 12),
            (common::QUEUE_MSIX_VECTOR, self.rng.random_range(0..4) << 16, 12),
            (common::DEVICE_STATUS, 11, 1),
            (common::DEVICE_STATUS, queue << 16 | 15, 15),
            (common::QUEUE_ENABLE, 1, 15),
        ] {
            let effects = self.write(function, field.word(), word, strobe);
            self.settle();
            self.compare(effects);
        }
        if self.rng.random_bool(0.5) {
            let resets = [(common::DEVICE_STATUS, 0, 1), (common::QUEUE_RESET, 1 << 16, 12)];
            let (field, word, strobe) = *resets.choose(&mut self.rng).expect("some");
            let effects = self.write(function, field.word(), word, strobe);
            self.settle();
            self.compare(effects);
        }
    }

    fn step(&mut self) {
        let effects = match self.rng.random_range(0..24) {
            0..8 => {
                let (function, offset) = self.place();
                let expected = self.reference.read(function as usize, offset);
                let (word, response) = self.bench.read(function, offset);
                let got = (response == OKAY).then_some(word);
                assert!(response == OKAY || (response == ERROR && word == 0));
                if !self.reference.is_open(function as usize, offset) {
                    assert_eq!(got, expected, "read of {offset:#x} of function {function}");
                }
                Effects::default()
            }
            8..16 => {
                let (function, offset) = self.place();
                let (word, strobe) = (self.word(offset), *[15, 15, 15, 3, 1, 12].choose(&mut self.rng).expect("some"));
                let strobe = if self.rng.random_bool(0.2) { self.rng.random_range(0..16) } else { strobe };
                self.write(function, offset, word, strobe)
            }
            16 if self.rng.random_bool(0.3) => {
                let vq = *QUEUES.choose(&mut self.rng).expect("some");
                let reason = self.rng.random_range(1..12);
                self.bench.fault(vq, reason);
                self.reference.fault(vq, reason);
                Effects::default()
            }
            17 | 20..24 => {
                let vq = *QUEUES.choose(&mut self.rng).expect("some");
                self.bench.used(vq);
                self.reference.used(vq);
                Effects::default()
            }
            18 => {
                let function = self.rng.random_range(0..3);
                self.bench.dut.no_buffer.next = true;
                self.bench.dut.no_buffer_function.next = (function as u64).into();
                let (sent, received) = (self.rng.random(), self.rng.random());
                let refused = self.rng.random_range(0..3);
                self.bench.dut.refused_sent.next = sent;
                self.bench.dut.refused_sent_function.next = (refused as u64).into();
                self.bench.dut.refused_received.next = received;
                self.bench.dut.refused_received_function.next = (refused as u64).into();
                self.bench.clocks(1);
                self.bench.dut.no_buffer.next = false;
                (self.bench.dut.refused_sent.next, self.bench.dut.refused_received.next) = (false, false);
                self.reference.drop_frame(function);
                (0..u32::from(sent) + u32::from(received)).for_each(|_| self.reference.refuse_frame(refused));
                Effects::default()
            }
            19 if self.rng.random_bool(0.5) => {
                self.set_up();
                Effects::default()
            }
            _ if self.rng.random_bool(0.6) => {
                self.reference.msix_enable = self.rng.random_range(0..8) | self.rng.random_range(0..8);
                self.reference.msix_mask = self.rng.random_range(0..8) & self.rng.random_range(0..8);
                self.bench.dut.msix_enable.next = self.reference.msix_enable.into();
                self.bench.dut.msix_mask.next = self.reference.msix_mask.into();
                Effects::default()
            }
            _ => {
                self.reference.bus_master = self.rng.random_range(0..8) | self.rng.random_range(0..8);
                self.bench.dut.bus_master.next = self.reference.bus_master.into();
                Effects::default()
            }
        };
        self.settle();
        self.compare(effects);
    }

    /// Ends a reset that the engine has nothing to do with, and sometimes one that it has.
    fn settle(&mut self) {
        self.resetting = self.reference.resetting();
        match self.reference.under_reset() {
            Some(true) if self.rng.random_bool(0.7) => self.bench.clocks(200),
            Some(_) => {
                self.bench.engine_delay = Some(2);
                self.bench.release();
                self.bench.until_idle();
                self.bench.engine_delay = None;
                self.reference.finish_resets();
            }
            None => self.bench.until_idle(),
        }
    }

    fn compare(&mut self, mut expected: Effects) {
        expected.interrupts = self.reference.give();
        let seen = &mut self.bench.seen;
        let messages = std::mem::take(&mut seen.messages);
        let interrupts = std::mem::take(&mut seen.interrupts).into_iter().zip(messages);
        let mut got = Effects {
            queues: std::mem::take(&mut seen.queues),
            windows: std::mem::take(&mut seen.windows),
            policies: std::mem::take(&mut seen.policies),
            limits: std::mem::take(&mut seen.limits),
            notified: std::mem::take(&mut seen.notified),
            interrupts: interrupts
                .map(|((function, vector), (address, data))| (function, vector, address, data))
                .collect(),
        };
        self.given += got.interrupts.len();
        for side in [&mut got, &mut expected] {
            side.interrupts.retain(|message| !self.resetting.contains(&message.0));
        }
        got.interrupts.sort_unstable();
        expected.interrupts.sort_unstable();
        assert_eq!(got, expected);
        assert_eq!(self.bench.seen.live(), self.reference.live(), "live");
        let reset = self.reference.under_reset();
        if reset.is_none() {
            assert_eq!(self.bench.dut.stopped.val().to_u64(), self.reference.stopped(), "stopped");
            assert_eq!(self.bench.dut.merge.val().to_u64(), self.reference.merge(), "merge");
            assert_eq!(self.bench.dut.time_limit.val().to_u64(), self.reference.time_limit, "time limit");
        }
    }
}

#[test]
fn random_accesses_do_what_the_page_says() {
    let (mut lived, mut stopped, mut resets, mut given) = (0, 0, 0, 0);
    for seed in 0..4 {
        let mut run = Run::new(seed);
        run.bench.engine_delay = None;
        for _ in 0..1000 {
            run.step();
            lived |= run.reference.live();
            stopped |= run.reference.stopped();
        }
        resets += run.bench.seen.resets.len();
        given += run.given;
    }
    assert!(lived.count_ones() > 3 && stopped.count_ones() > 6 && resets > 10, "{lived:b} {stopped:b} {resets}");
    assert!(given > 50, "{given} messages");
}
