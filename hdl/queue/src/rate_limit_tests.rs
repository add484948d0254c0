// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions that always have something to send.

use super::*;
use crate::small::SMALL;
use crate::testing::{assert_lints, settle, tick};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Three functions with 4, 2 and 2 pairs, of which the last of each is a controlq's but for those of the first.
type Dut = RateLimit<8, 3, 3, 2>;
const CONTROL: [usize; 2] = [5, 7];
/// Clocks of a unit of time.
const UNIT: u64 = 400;

/// What the registers say, and the balance (`docs/host.md`, "Rates").
#[derive(Clone, Copy, Default)]
struct Bucket {
    rate: i64,
    burst: i64,
    balance: i64,
}

struct Bench {
    dut: Box<Dut>,
    rng: ChaCha8Rng,
    clock: u64,
    buckets: [Bucket; 3],
    /// Bytes that each has sent.
    sent: [i64; 3],
    beat: Option<FrameBeat<3>>,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut dut = Box::new(Dut::new(&SMALL, &CONTROL));
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        let bucket = Bucket { burst: FUNCTION_BURST_RESET.into(), ..Bucket::default() };
        Self { dut, rng: ChaCha8Rng::seed_from_u64(seed), clock: 0, buckets: [bucket; 3], sent: [0; 3], beat: None }
    }

    fn set(&mut self, function: usize, rate: i64, burst: i64) {
        let dut = &mut self.dut;
        dut.set_function.next = (function as u64).into();
        for (is_rate, value) in [(true, rate), (false, burst)] {
            (dut.rate_write.next, dut.burst_write.next) = (is_rate, !is_rate);
            dut.set_value.next = (value as u64).into();
            self.buckets[function] = Bucket { rate, burst, ..self.buckets[function] };
            tick(&mut **dut, |d| &mut d.clock);
        }
        (dut.rate_write.next, dut.burst_write.next) = (false, false);
    }

    /// The functions of which something may be begun, by what the block says of their transmitqs.
    fn open(&self) -> [bool; 3] {
        let room = self.dut.room.val().to_u64();
        assert_eq!(room >> 5 & 0b101, 0b101, "commands never wait");
        [0, 4, 6].map(|pair| room >> pair & 1 == 1)
    }

    fn clock(&mut self, offer: impl Fn(&mut ChaCha8Rng, [bool; 3]) -> Option<(usize, u64)>) {
        self.dut.now.next = ((0xfffd + self.clock / UNIT) & 0xffff).into();
        self.dut.gate_room.next = 0xffu64.into();
        self.dut.outrun.next = 0u64.into();
        (self.dut.gate_free.next, self.dut.gate_packed_free.next) = (64u64.into(), 64u64.into());
        let pair = self.rng.random_range(0..8u64);
        (self.dut.free_pair.next, self.dut.packed_free_pair.next) = (pair.into(), pair.into());
        settle(&mut *self.dut);
        let open = self.open();
        let function = if pair < 4 { 0 } else { pair as usize / 2 - 1 };
        let free = (self.dut.free.val().to_u64(), self.dut.packed_free.val().to_u64());
        let limited = self.buckets[function].rate != 0;
        let closed = !open[function] && !CONTROL.contains(&(pair as usize));
        assert_eq!(free, (if limited { 4 } else { 64 }, if closed { 0 } else { 64 }));
        if self.beat.is_none() {
            self.beat = offer(&mut self.rng, open).map(|(function, bytes)| FrameBeat {
                function: (function as u64).into(),
                bytes: bytes.into(),
                ..FrameBeat::default()
            });
        }
        self.dut.inp.valid.next = self.beat.is_some();
        self.dut.inp.data.next = self.beat.unwrap_or_default();
        self.dut.out.ready.next = self.rng.random_bool(0.9);
        settle(&mut *self.dut);
        assert_eq!(
            self.dut.inp.ready.val() && self.beat.is_some(),
            self.dut.out.valid.val() && self.dut.out.ready.val()
        );
        if self.dut.inp.ready.val()
            && let Some(beat) = self.beat.take()
        {
            let (function, bytes) = (beat.function.index(), beat.bytes.to_u64() as i64);
            self.sent[function] += bytes;
            if self.buckets[function].rate != 0 {
                self.buckets[function].balance -= bytes;
            }
        }
        tick(&mut *self.dut, |d| &mut d.clock);
        self.clock += 1;
        if self.clock.is_multiple_of(UNIT) {
            for bucket in self.buckets.iter_mut().filter(|bucket| bucket.rate != 0) {
                bucket.balance = bucket.balance.min(bucket.burst) + 2 * bucket.rate;
            }
        }
    }
}

#[test]
fn balances_are_those_of_the_page_at_any_traffic() {
    for seed in 0..4 {
        let mut bench = Bench::new(seed);
        let mut held = 0;
        for round in 0..60 {
            let function = bench.rng.random_range(0..3);
            let rate = [0, 1, 100, 5000, 131_071][bench.rng.random_range(0..5)];
            let burst = bench.rng.random_range(0..40_000);
            for _ in 0..UNIT / 2 {
                bench.clock(|_, _| None);
            }
            bench.set(function, rate, burst);
            for _ in 0..UNIT * 3 {
                // Not where a unit begins, for the page leaves open what comes first.
                let quiet = !(30..UNIT - 20).contains(&(bench.clock % UNIT));
                bench.clock(|rng, _| {
                    let offers = !quiet && rng.random_bool(0.7);
                    offers.then(|| (rng.random_range(0..3), rng.random_range(1..65)))
                });
            }
            // Until all is filled that this unit brings.
            while bench.clock % UNIT != UNIT - 1 {
                bench.clock(|_, _| None);
            }
            settle(&mut *bench.dut);
            let due = bench.buckets.map(|bucket| bucket.rate == 0 || bucket.balance >= 0);
            held += due.iter().filter(|open| !**open).count();
            assert_eq!(bench.open(), due, "seed {seed}, round {round}");
            bench.clock(|_, _| None);
        }
        assert!(held > 20, "{held}");
    }
}

#[test]
fn a_function_that_waits_when_it_has_to_sends_at_its_rate_and_no_other_is_held_up() {
    let mut bench = Bench::new(9);
    bench.set(1, 3000, 20_000);
    let units = 200;
    for _ in 0..units * UNIT {
        bench.clock(|rng, open| {
            let function = rng.random_range(1..3);
            open[function].then_some((function, 64))
        });
    }
    let due = 2 * 3000 * units as i64;
    assert!((bench.sent[1] - due).abs() < 20_000 + 64, "{} of {due} bytes", bench.sent[1]);
    assert!(bench.sent[2] > 64 * (units * UNIT) as i64 / 3, "{} bytes of who may", bench.sent[2]);
    // It saves up as much as it may send at once, and then the block rests.
    for _ in 0..20 * UNIT {
        bench.clock(|_, _| None);
    }
    settle(&mut *bench.dut);
    assert!(bench.dut.idle.val() && !bench.dut.waits.val());
}

#[test]
fn verilog_passes_lint() {
    assert_lints(Dut::new(&SMALL, &CONTROL));
}
