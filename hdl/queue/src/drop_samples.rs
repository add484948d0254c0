// SPDX-License-Identifier: MIT OR Apache-2.0
//! Samples of frames that the policy drops.

use crate::types::BEAT_BITS;
use millrace_hdl::base::{DffE, DffR, LutRam, Param, Reg, Snk, Src};
use millrace_hdl::core::types::Beat;
use millrace_hdl::wire_struct;
use millrace_regs::config::Config;
use millrace_regs::host::{SAMPLE_SPOOF, SAMPLE_VLAN};
use rust_hdl_core::prelude::*;

const SPOOF: u64 = SAMPLE_SPOOF as u64;
const VLAN: u64 = SAMPLE_VLAN as u64;

wire_struct! {
    /// The beginning of a frame that is dropped.
    pub struct Sample {
        pub beat: Beat<BEAT_BITS, 7>,
        pub function: Bits<8>,
        /// For its source address; otherwise for its VLAN.
        pub spoofed: Bit,
    }
}

/// What is to be known of a sample before it is given.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum SampleState {
    Free,
    /// Its time is looked at.
    Check,
    Offered,
}

/// Puts samples of dropped frames between the upcalls (`docs/host.md`, "Samples"): the first beat of a frame, if that is allowed and no other sample waits.
///
/// Upcalls pass in the same clock, each whole.
#[millrace_hdl::block]
pub struct DropSamples<const FUNCTION_BITS: usize, const FUNCTIONS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub now: Signal<In, Bits<16>>,
    /// Pulses: `set_value` is the time between two samples of `set_function`.
    pub interval_write: Signal<In, Bit>,
    pub set_function: Signal<In, Bits<8>>,
    pub set_value: Signal<In, Bits<32>>,
    /// The first beat of a frame that is dropped.
    pub dropped: Signal<In, Bit>,
    pub sample: Signal<In, Sample>,
    /// Upcalls; one is there whole.
    pub inp: Snk<Beat<BEAT_BITS, 7>>,
    pub inp_whole: Signal<In, Bit>,
    pub inp_vport: Signal<In, Bits<8>>,
    pub inp_reason: Signal<In, Bits<8>>,
    /// The same with samples between them.
    pub out: Src<Beat<BEAT_BITS, 7>>,
    pub out_whole: Signal<Out, Bit>,
    pub out_vport: Signal<Out, Bits<8>>,
    pub out_reason: Signal<Out, Bits<8>>,
    /// No sample is held, and no upcall is being taken.
    pub idle: Signal<Out, Bit>,

    /// The vport of function 0, if it had one.
    vports_from: Param<Bits<8>>,
    intervals: LutRam<Bits<16>, FUNCTION_BITS>,
    /// When a function's last sample was given.
    given: LutRam<Bits<16>, FUNCTION_BITS>,
    /// Bit f: there are to be samples of function f.
    sampled: Reg<Bits<FUNCTIONS>>,
    state: DffR<SampleState>,
    held: DffE<Sample>,
    /// An upcall has begun and not ended.
    open: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const FUNCTION_BITS: usize, const FUNCTIONS: usize> DropSamples<FUNCTION_BITS, FUNCTIONS> {
    /// For the functions of a build.
    pub fn new(config: &Config) -> Self {
        Self { vports_from: Param::new((config.uplinks as u64 - 1).into()), ..Default::default() }
    }

    fn update(&mut self) {
        let one: Bits<FUNCTIONS> = 1;
        let interval = self.set_value.get_bits::<16>(0);
        let set = if self.interval_write { one << self.set_function } else { 0 };
        let set_sampled = if interval.any() { set } else { 0 };
        self.sampled = (self.sampled & !set) | set_sampled;
        self.intervals.we = self.interval_write;
        self.intervals.waddr = cast::<FUNCTION_BITS>(self.set_function);
        self.intervals.wdata = interval;

        comment!("a frame of a function that had no sample for long enough");
        let number = cast::<FUNCTION_BITS>(self.held.function);
        self.intervals.raddr = number;
        self.given.raddr = number;
        let age = self.now - self.given.rdata;
        let is_due = age >= self.intervals.rdata;
        let is_sampled = (self.sampled & (one << self.sample.function)).any();
        let keeps = self.dropped & is_sampled & (self.state == SampleState::Free);
        if keeps {
            self.held = self.sample;
        }
        self.given.we = (self.state == SampleState::Check) & is_due;
        self.given.waddr = number;
        self.given.wdata = self.now;

        comment!("between upcalls");
        let offers = self.state == SampleState::Offered;
        let shows = offers & !self.open;
        self.out.valid = shows | self.inp.valid;
        self.out.data = if shows { self.held.beat } else { self.inp.data };
        self.out_whole = offers | self.inp_whole;
        self.out_vport = if shows { self.held.function + self.vports_from } else { self.inp_vport };
        let reason: Bits<8> = if self.held.spoofed { SPOOF } else { VLAN };
        self.out_reason = if shows { reason } else { self.inp_reason };
        self.inp.ready = self.out.ready & !shows;
        let passes = self.inp.valid & self.inp.ready;
        self.open = if passes { !self.inp.data.last } else { self.open };

        let mut state = self.state;
        match self.state {
            SampleState::Free => {
                if keeps {
                    state = SampleState::Check;
                }
            }
            SampleState::Check => {
                state = if is_due { SampleState::Offered } else { SampleState::Free };
            }
            SampleState::Offered => {
                if shows & self.out.ready {
                    state = SampleState::Free;
                }
            }
        }
        self.state = state;
        let comes_in = self.interval_write | keeps | self.inp_whole;
        self.idle = !(comes_in | self.open | (self.state != SampleState::Free));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::small::SMALL;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    type Dut = DropSamples<2, 3>;

    fn set(dut: &mut Dut, function: u64, interval: u64) {
        dut.interval_write.next = true;
        (dut.set_function.next, dut.set_value.next) = (function.into(), interval.into());
        tick(dut, |d| &mut d.clock);
        dut.interval_write.next = false;
    }

    fn dut() -> Box<Dut> {
        let mut dut = Box::new(Dut::new(&SMALL));
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        dut
    }

    /// Upcalls of up to four beats, each of which tells which upcall and which beat of it it is, and frames that are dropped all the while: what comes out, and when.
    #[test]
    fn samples_come_between_whole_upcalls_and_no_more_often_than_is_said() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut dut = dut();
        set(&mut dut, 1, 7);
        set(&mut dut, 2, 3);
        let (mut upcall, mut beat, mut length) = (0u64, 0u64, 1u64);
        let mut next = (0u64, 0u64);
        let mut times: [Vec<u64>; 3] = Default::default();
        for clock in 0..20_000u64 {
            let now = 0xfff0 + clock / 16;
            dut.now.next = (now & 0xffff).into();
            let function = rng.random_range(0..3u64);
            dut.dropped.next = rng.random_bool(0.5);
            dut.sample.next = Sample {
                beat: Beat { data: (1000 + function).into(), bytes: (60 + function).into(), last: true },
                function: function.into(),
                spoofed: function == 1,
            };
            dut.inp.valid.next = beat > 0 || rng.random_bool(0.3);
            dut.inp_whole.next = true;
            dut.inp.data.next = Beat { data: (upcall % 1000).into(), bytes: beat.into(), last: beat + 1 == length };
            (dut.inp_vport.next, dut.inp_reason.next) = (77u64.into(), 2u64.into());
            dut.out.ready.next = rng.random_bool(0.6);
            settle(&mut *dut);
            if dut.out.valid.val() && dut.out.ready.val() {
                let (out, reason) = (dut.out.data.val(), dut.out_reason.val().to_u64());
                let (vport, data) = (dut.out_vport.val().to_u64(), out.data.get_bits::<64>(0).to_u64());
                if reason < 0x80 {
                    assert_eq!((vport, reason, data, out.bytes.to_u64()), (77, 2, next.0 % 1000, next.1));
                    next = if out.last { (next.0 + 1, 0) } else { (next.0, next.1 + 1) };
                } else {
                    assert_eq!(next.1, 0, "inside an upcall");
                    let function = data - 1000;
                    let whose = (SMALL.uplinks as u64 + function - 1, if function == 1 { 0x80 } else { 0x81 });
                    assert_eq!(((vport, reason), out.bytes.to_u64(), out.last), (whose, 60 + function, true));
                    times[function as usize].push(now);
                }
            }
            let moves = dut.inp.valid.val() && dut.inp.ready.val();
            tick(&mut *dut, |d| &mut d.clock);
            if moves {
                (upcall, beat) = if beat + 1 == length { (upcall + 1, 0) } else { (upcall, beat + 1) };
                if beat == 0 {
                    length = rng.random_range(1..5);
                }
            }
        }
        assert!(next.0 > 1000 && times[0].is_empty());
        for (function, interval) in [(1, 7), (2, 3)] {
            let times = &times[function];
            // A sample that waited for an upcall's end may come a little closer to the next.
            assert!(times.windows(2).all(|pair| pair[1] - pair[0] + 2 >= interval));
            assert!(times.len() as u64 > 1250 / (interval + 2), "{} of function {function}", times.len());
        }
        set(&mut dut, 1, 0);
        set(&mut dut, 2, 0);
        (dut.inp.valid.next, dut.inp_whole.next, dut.out.ready.next) = (false, false, true);
        dut.dropped.next = true;
        for _ in 0..10 {
            tick(&mut *dut, |d| &mut d.clock);
        }
        settle(&mut *dut);
        assert!(!dut.out.valid.val());
    }

    #[test]
    fn drop_samples_lint() {
        assert_lints(Dut::new(&SMALL));
    }
}
