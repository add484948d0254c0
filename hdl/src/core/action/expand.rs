// SPDX-License-Identifier: MIT OR Apache-2.0
//! Turns each frame's match result into edit jobs: one per step of its rule, or one for an upcall, a packet-out or a drop.

use super::stored_step::stored_step;
use crate::base::{DffE, DffR, Param, Ram, Snk};
use crate::core::pass::types::{NOTE_WIDTH, Note};
use crate::core::types::{EditJob, Edits, MatchResult, Step, StoredStep};
use millrace_regs::map::MAX_QUEUES;
use rust_hdl_core::prelude::*;

/// Whether a rule says what becomes of a frame.
#[millrace_hdl::function]
fn is_rule<const QUEUES: usize, const STEPS_LOG2: usize, const AGAIN_BITS: usize, const NOTE_BITS: usize>(
    frame: MatchResult<QUEUES, STEPS_LOG2, AGAIN_BITS, NOTE_BITS>,
) -> Bit {
    !frame.meta.fault.any() & !frame.meta.packet_out & !frame.punt & frame.hit
}

/// `QUEUES` = number of vports, and one for upcalls; `STEPS_LOG2` = log2 of the number of continuation steps. `AGAIN_BITS`, `FURTHER_BITS`, `NOTE_BITS`: as of `Sizes`.
///
/// `room` says from a register whether a job may be issued. The job is there in the clock after `issue`, with `job_valid` for that clock alone, and
/// stays at `job` as long as there is no room for another, and a clock more.
///
/// A frame with one step takes one clock, in turn two, and its job comes two clocks after its result was taken; each further step takes
/// two clocks. Who keeps the frames' windows follows with `take` (the next frame is at work from the next clock on) and `issue` (`job`
/// is for the frame at work from the next clock on).
///
/// Every frame gets at least one job; all but its last have `again`. A step that puts nothing out is no job, or with `discard` if it
/// is the frame's last, so that its payload is consumed. In a job, `vlan_pop` and `vlan_push` are the numbers of tags really taken off and put on.
///
/// Each frame gives one verdict event (`verdict_index` = vport * 16 + verdict), and a rule event in the same clock if its (last) lookup hit;
/// `bytes`, those received, belongs to both. `ended` is high in the clock in which a frame's last step is carried out.
///
/// A program has no more than one step for its rule and each continuation step once: one that runs in a circle ends there.
#[millrace_hdl::block]
pub struct Expand<
    const QUEUES: usize,
    const STEPS_LOG2: usize,
    const AGAIN_BITS: usize,
    const FURTHER_BITS: usize,
    const NOTE_BITS: usize,
> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub result: Snk<MatchResult<QUEUES, STEPS_LOG2, AGAIN_BITS, NOTE_BITS>>,
    pub room: Signal<In, Bit>,
    pub job: Signal<Out, EditJob<QUEUES, NOTE_BITS>>,
    pub job_valid: Signal<Out, Bit>,
    pub take: Signal<Out, Bit>,
    pub issue: Signal<Out, Bit>,
    /// Writes continuation step `step_index`.
    pub step_write: Signal<In, Bit>,
    pub step_index: Signal<In, Bits<STEPS_LOG2>>,
    pub step_data: Signal<In, Step<FURTHER_BITS>>,
    pub verdict_valid: Signal<Out, Bit>,
    pub verdict_index: Signal<Out, Bits<12>>,
    pub rule_valid: Signal<Out, Bit>,
    pub rule: Signal<Out, Bits<16>>,
    pub bytes: Signal<Out, Bits<14>>,
    pub ended: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,

    /// A frame may come in the clock in which the one before leaves.
    at_once: Param<Bit>,
    /// Number of vports.
    vports: Param<Bits<8>>,
    /// Longest frame that one more tag still fits on, in bytes.
    room_for_one_tag: Param<Bits<14>>,
    /// Longest frame that two more tags still fit on, in bytes.
    room_for_two_tags: Param<Bits<14>>,

    steps: Ram<StoredStep<QUEUES, STEPS_LOG2, AGAIN_BITS>, STEPS_LOG2>,
    /// The frame at work and its present step.
    current: DffE<MatchResult<QUEUES, STEPS_LOG2, AGAIN_BITS, NOTE_BITS>>,
    current_valid: DffR<Bit>,
    /// The present step is the rule's first.
    first: DffE<Bit>,
    /// Continuation steps that the frame has taken.
    taken: DffE<Bits<16>>,
    /// Tags that the present step takes off.
    pops: DffE<Bits<2>>,
    /// Tags that it puts on.
    pushes: DffE<Bits<2>>,
    /// The TTL ends at it.
    ttl_ends: DffE<Bit>,
    /// Its tags make the frame too long.
    too_long: DffE<Bit>,
    /// It has no outputs.
    silent: DffE<Bit>,
    /// Another step follows it.
    more: DffE<Bit>,
    /// The next step is being read.
    fetch: DffR<Bit>,
    next_job: DffE<EditJob<QUEUES, NOTE_BITS>>,
    next_job_valid: DffR<Bit>,
    verdict_valid_q: DffR<Bit>,
    verdict_q: DffE<Bits<12>>,
    rule_valid_q: DffR<Bit>,
    rule_q: DffE<Bits<16>>,
    bytes_q: DffE<Bits<14>>,
}

#[millrace_hdl::block]
impl<
    const QUEUES: usize,
    const STEPS_LOG2: usize,
    const AGAIN_BITS: usize,
    const FURTHER_BITS: usize,
    const NOTE_BITS: usize,
> Expand<QUEUES, STEPS_LOG2, AGAIN_BITS, FURTHER_BITS, NOTE_BITS>
{
    /// For a frame of up to `max_frame` bytes in each clock.
    ///
    /// # Panics
    /// If there are no vports, or more than the register map has.
    pub fn at_once(max_frame: usize) -> Self {
        Self { at_once: Param::new(true), ..Self::in_turn(max_frame) }
    }

    /// For frames of up to `max_frame` bytes that are clocks apart.
    ///
    /// # Panics
    /// As [`at_once`](Self::at_once).
    pub fn in_turn(max_frame: usize) -> Self {
        assert!((2..=MAX_QUEUES as usize).contains(&QUEUES), "{QUEUES} transmit queues");
        let longest = max_frame as u64;
        Self {
            vports: Param::new((QUEUES - 1).to_bits()),
            room_for_one_tag: Param::new((longest - 4).into()),
            room_for_two_tags: Param::new((longest - 8).into()),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("what kind of frame it is");
        let step = self.current.step;
        let vport = self.current.meta.vport;
        let faulty = self.current.meta.fault.any();
        let packet_out = !faulty & self.current.meta.packet_out;
        let vport_exists = vport < self.vports;
        let by_rule = is_rule::<QUEUES, STEPS_LOG2, AGAIN_BITS, NOTE_BITS>(self.current);

        comment!("the verdict, and the job's outputs");
        let mut outputs = step.outputs;
        let upcall = Bits::<QUEUES>::from(1_u64) << self.vports;
        let mut discard = false;
        let mut reason: Bits<2> = 0;
        let mut verdict: Bits<4> = 0;
        if packet_out & vport_exists {
            outputs = Bits::<QUEUES>::from(1_u64) << vport;
            verdict = 3;
        } else if packet_out {
            verdict = 9;
            discard = true;
        } else if faulty {
            verdict = cast::<4>(self.current.meta.fault) + 3;
            discard = true;
        } else if self.current.punt {
            outputs = upcall;
            reason = 1;
            verdict = 2;
        } else if !self.current.hit {
            outputs = upcall;
            verdict = 1;
        } else {
            reason = 2;
            discard = self.ttl_ends | self.too_long | self.silent;
            if self.ttl_ends {
                verdict = 7;
            } else if self.too_long {
                verdict = 8;
            } else if self.silent & !step.more {
                verdict = 10;
            }
        }
        for _passes in 0..NOTE_BITS / NOTE_WIDTH {
            let note = unpack::<Note>(cast::<NOTE_WIDTH>(self.current.note));
            if by_rule & note.looped {
                verdict = 11;
            }
        }
        let verdict_vport = if self.current.meta.packet_out & !vport_exists { self.vports } else { vport };

        comment!("one step per clock, as long as there is room for jobs");
        let go = self.current_valid & !self.fetch & self.room;
        let issues = go & !(self.more & (self.too_long | self.silent));
        let ends = go & !self.more;
        let free = !self.current_valid | (ends & self.at_once);
        let load = free & self.result.valid;
        self.result.ready = free;
        self.take = load;
        self.issue = issues;
        self.current_valid = load | (self.current_valid & !ends);

        comment!("what the next step will do, as far as all else waits for it");
        let frame = if self.fetch { MatchResult { step: self.steps.rdata, ..self.current } } else { self.result.data };
        let next = frame.step;
        let follows = if self.fetch {
            self.taken + 1 != 1 << STEPS_LOG2
        } else {
            is_rule::<QUEUES, STEPS_LOG2, AGAIN_BITS, NOTE_BITS>(self.result.data)
        };
        let ttl_ends = frame.layout.l3.any() & next.edits.ttl_dec.any() & (frame.ttl <= next.edits.ttl_dec);
        let pops = if next.edits.vlan_pop > frame.layout.vlans { frame.layout.vlans } else { next.edits.vlan_pop };
        let pushes = if next.edits.vlan_push.all() { 2 } else { next.edits.vlan_push };
        if free | self.fetch {
            self.current = frame;
            self.first = !self.fetch;
            self.taken = if self.fetch { self.taken + 1 } else { 0 };
            self.pops = pops;
            self.pushes = pushes;
            self.ttl_ends = ttl_ends;
            // No frame comes in too long: only tags can make it so.
            self.too_long = if (pushes == 2) & (pops == 0) {
                frame.meta.len > self.room_for_two_tags
            } else {
                (pushes > pops) & (frame.meta.len > self.room_for_one_tag)
            };
            self.silent = !next.outputs.any();
            self.more = follows & next.more & !ttl_ends;
        }

        comment!("continuation steps");
        self.fetch = go & self.more;
        self.steps.re = self.more;
        self.steps.raddr = step.next;
        self.steps.we = self.step_write;
        self.steps.waddr = self.step_index;
        self.steps.wdata = stored_step::<QUEUES, STEPS_LOG2, AGAIN_BITS, FURTHER_BITS>(self.step_data);

        comment!("a frame that no rule edits goes out as it is");
        let mut edits = Edits { vlan_pop: self.pops, vlan_push: self.pushes, ..step.edits };
        if !by_rule {
            edits.set_dl_dst = false;
            edits.set_dl_src = false;
            edits.set_nw_src = false;
            edits.set_nw_dst = false;
            edits.set_tp_src = false;
            edits.set_tp_dst = false;
            edits.set_nw_ttl = false;
            edits.vlan_pop = 0;
            edits.vlan_push = 0;
            edits.nw_tos_mask = 0;
            edits.ttl_dec = 0;
        }
        if self.room {
            self.next_job = EditJob {
                outputs,
                edits,
                layout: self.current.layout,
                vport,
                len: self.current.meta.len,
                faulty,
                discard,
                again: self.more,
                reason,
                note: self.current.note,
            };
        }
        for _passes in 0..NOTE_BITS / NOTE_WIDTH {
            comment!(
                "what no rule edits goes out from the frame's first byte on, wherever the last pass saw the packet"
            );
            let note = unpack::<Note>(cast::<NOTE_WIDTH>(self.current.note));
            let unedited: Note = Note { start: 0, as_received: true, ..note };
            if self.room & !by_rule {
                self.next_job.len = self.current.meta.len + (cast::<14>(note.start) << 1);
                self.next_job.note = cast::<NOTE_BITS>(pack::<NOTE_WIDTH>(unedited));
            }
        }
        self.next_job_valid = issues;
        self.job = self.next_job;
        self.job_valid = self.next_job_valid;

        comment!("events");
        self.verdict_valid_q = go & self.first;
        self.rule_valid_q = go & self.first & by_rule;
        if go {
            self.verdict_q = concat::<12>(verdict_vport, verdict);
            self.rule_q = self.current.rule;
            self.bytes_q = self.current.meta.len;
        }
        for _passes in 0..NOTE_BITS / NOTE_WIDTH {
            if go {
                let note = unpack::<Note>(cast::<NOTE_WIDTH>(self.current.note));
                self.bytes_q = self.current.meta.len + (cast::<14>(note.start) << 1);
            }
        }
        self.verdict_valid = self.verdict_valid_q;
        self.verdict_index = self.verdict_q;
        self.rule_valid = self.rule_valid_q;
        self.rule = self.rule_q;
        self.bytes = self.bytes_q;
        self.ended = ends;
        self.busy = self.current_valid | self.next_job_valid | self.verdict_valid_q;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::types::{Layout, Meta};
    use crate::testing::{assert_lints, settle};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use std::collections::VecDeque;

    use millrace_regs::config::MAX_FRAME;

    const VPORTS: usize = 11;
    const STEPS_LOG2: usize = 4;
    const QUEUES: usize = VPORTS + 1;
    const UPCALL: u64 = 1 << VPORTS;

    type Dut = Expand<QUEUES, STEPS_LOG2, 0, 0, 0>;
    type Result = MatchResult<QUEUES, STEPS_LOG2, 0, 0>;
    type Stored = StoredStep<QUEUES, STEPS_LOG2, 0>;
    type Step = crate::core::types::Step<0>;

    fn tick(dut: &mut Dut) {
        crate::testing::tick(dut, |d| &mut d.clock);
    }

    fn connected(mut dut: Dut) -> Box<Dut> {
        dut.connect_all();
        Box::new(dut)
    }

    /// What a frame must become, as written in the contract.
    #[derive(Debug, PartialEq, Clone, Copy)]
    struct Job {
        outputs: u64,
        pops: u64,
        pushes: u64,
        discard: bool,
        again: bool,
        faulty: bool,
        reason: u64,
        edits: bool,
        len: u64,
        /// The clock in which its frame was taken.
        taken: u64,
    }

    #[derive(Debug, PartialEq, Clone, Copy)]
    struct Event {
        vport: u64,
        verdict: u64,
        bytes: u64,
        rule: Option<u64>,
    }

    fn job(r: &Result, outputs: u64) -> Job {
        Job {
            outputs,
            pops: 0,
            pushes: 0,
            discard: outputs == 0,
            again: false,
            faulty: r.meta.fault.any(),
            reason: 0,
            edits: false,
            len: r.meta.len.to_u64(),
            taken: 0,
        }
    }

    /// The steps that are reached, each with its job unless it puts nothing out; and the verdict.
    fn program(r: &Result, steps: &[Stored]) -> (Vec<Job>, u64) {
        let mut jobs = vec![];
        let mut verdict = None;
        let mut step = r.step;
        loop {
            let ttl_ends =
                r.layout.l3.any() && step.edits.ttl_dec.any() && r.ttl.to_u64() <= step.edits.ttl_dec.to_u64();
            let pops = step.edits.vlan_pop.to_u64().min(r.layout.vlans.to_u64());
            let pushes = step.edits.vlan_push.to_u64().min(2);
            let too_long = r.meta.len.to_u64() + 4 * pushes - 4 * pops > 9216;
            let outputs = step.outputs.to_u64();
            let last = ttl_ends || !step.more;
            verdict.get_or_insert(match () {
                _ if ttl_ends => 7,
                _ if too_long => 8,
                _ if outputs == 0 && !step.more => 10,
                _ => 0,
            });
            let nothing = ttl_ends || too_long || outputs == 0;
            if !nothing || last {
                jobs.push(Job {
                    pops,
                    pushes,
                    discard: nothing,
                    again: !last,
                    reason: 2,
                    edits: true,
                    ..job(r, outputs)
                });
            }
            if last {
                return (jobs, verdict.unwrap());
            }
            step = steps[step.next.index()];
        }
    }

    fn expected(r: &Result, steps: &[Stored]) -> (Vec<Job>, Event) {
        let vport = r.meta.vport.to_u64();
        let exists = vport < VPORTS as u64;
        let (jobs, verdict) = if r.meta.fault.any() {
            (vec![job(r, 0)], [0, 4, 5, 6][r.meta.fault.index()])
        } else if r.meta.packet_out {
            (vec![job(r, if exists { 1 << vport } else { 0 })], if exists { 3 } else { 9 })
        } else if r.punt {
            (vec![Job { reason: 1, ..job(r, UPCALL) }], 2)
        } else if !r.hit {
            (vec![job(r, UPCALL)], 1)
        } else {
            program(r, steps)
        };
        let rule = verdict == 0 || verdict == 7 || verdict == 8 || verdict == 10;
        let vport = if r.meta.packet_out && !exists { VPORTS as u64 } else { vport };
        (jobs, Event { vport, verdict, bytes: r.meta.len.to_u64(), rule: rule.then(|| r.rule.to_u64()) })
    }

    fn random_step(rng: &mut ChaCha8Rng, next: Option<u64>) -> Step {
        let outputs = [0, 1, 1 << 10, 1 << 11, 0x7fff_f800, rng.random::<u32>()][rng.random_range(0..6)];
        Step {
            outputs: u64::from(outputs).into(),
            upcall: rng.random_bool(0.2),
            set_dl_dst: true,
            set_nw_ttl: true,
            vlan_pop: rng.random_range(0..4u64).into(),
            vlan_push: rng.random_range(0..4u64).into(),
            more: next.is_some(),
            next: next.unwrap_or(0).into(),
            nw_tos_mask: 0xffu64.into(),
            ttl_dec: [0, 0, 1, 64, rng.random_range(0..256u64)][rng.random_range(0..5)].into(),
            ..Default::default()
        }
    }

    fn random_result(rng: &mut ChaCha8Rng) -> Result {
        let next = rng.random_bool(0.4).then(|| rng.random_range(0..1 << STEPS_LOG2));
        let vports = if rng.random_bool(0.1) { 256 } else { 12u64 };
        MatchResult {
            hit: rng.random_bool(0.8),
            punt: rng.random_bool(0.1),
            rule: rng.random_range(0..65536u64).into(),
            step: stored_step(random_step(rng, next)),
            layout: Layout {
                vlans: rng.random_range(0..3u64).into(),
                l3: rng.random_range(0..3u64).into(),
                ..Default::default()
            },
            ttl: [0, 1, 64, 255, rng.random_range(0..256u64)][rng.random_range(0..5)].into(),
            meta: Meta {
                vport: rng.random_range(0..vports).into(),
                packet_out: rng.random_bool(0.2),
                len: [14, 60, 9207, 9208, 9209, 9211, 9212, 9213, 9216, rng.random_range(14..9217u64)]
                    [rng.random_range(0..10)]
                .into(),
                fault: if rng.random_bool(0.1) { rng.random_range(1..4u64) } else { 0 }.into(),
            },
            ..Default::default()
        }
    }

    fn seen(j: &EditJob<QUEUES, 0>, taken: u64) -> Job {
        let s = j.edits;
        Job {
            outputs: if j.discard && (j.faulty || j.reason == 0) { 0 } else { j.outputs.to_u64() },
            pops: s.vlan_pop.to_u64(),
            pushes: s.vlan_push.to_u64(),
            discard: j.discard,
            again: j.again,
            faulty: j.faulty,
            reason: j.reason.to_u64(),
            edits: s.set_dl_dst && s.set_nw_ttl && s.nw_tos_mask == 0xff,
            len: j.len.to_u64(),
            taken,
        }
    }

    /// Writes all continuation steps.
    fn write_steps(dut: &mut Dut, rng: &mut ChaCha8Rng) -> Vec<Stored> {
        let mut steps = vec![];
        for i in 0..1u64 << STEPS_LOG2 {
            let next =
                (rng.random_bool(0.6) && i + 1 < 1 << STEPS_LOG2).then(|| rng.random_range(i + 1..1 << STEPS_LOG2));
            let step = random_step(rng, next);
            steps.push(stored_step(step));
            dut.step_write.next = true;
            dut.step_index.next = i.into();
            dut.step_data.next = step;
            tick(dut);
        }
        dut.step_write.next = false;
        steps
    }

    /// Checks all that becomes of random frames.
    fn check_frames(dut: Dut) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut dut = connected(dut);
        let steps = write_steps(&mut dut, &mut rng);
        let (mut jobs, mut events) = (VecDeque::new(), VecDeque::new());
        let mut head = None;
        // Followed with `take` and `issue`: when the frame at work was taken, and that of `job`.
        let (mut at_work, mut of_job) = (0, 0);
        let (mut issued, mut kept) = (false, None);
        let mut verdicts = [0; 11];
        for clock in 0..6000u64 {
            let result: &Result = head.get_or_insert_with(|| random_result(&mut rng));
            dut.result.data.next = *result;
            dut.result.valid.next = rng.random_bool(0.9);
            dut.room.next = rng.random_bool(0.8);
            settle(&mut *dut);
            assert_eq!(dut.take.val(), dut.result.ready.val() && dut.result.valid.val());
            if dut.take.val() {
                let (expected_jobs, event) = expected(result, &steps);
                jobs.extend(expected_jobs.into_iter().map(|j| Job { taken: clock, ..j }));
                events.push_back(event);
                head = None;
            }
            assert_eq!(dut.job_valid.val(), issued);
            assert!(kept.is_none_or(|job| dut.job.val() == job), "clock {clock}: a job that is worked at changes");
            if dut.job_valid.val() {
                let mut want = jobs.pop_front().expect("a job of a frame");
                let got = seen(&dut.job.val(), of_job);
                if want.discard {
                    want.outputs = got.outputs;
                }
                assert_eq!(got, want, "clock {clock}");
            }
            if dut.verdict_valid.val() {
                let index = dut.verdict_index.val().to_u64();
                let rule = dut.rule_valid.val().then(|| dut.rule.val().to_u64());
                let got = Event { vport: index >> 4, verdict: index & 15, bytes: dut.bytes.val().to_u64(), rule };
                assert_eq!(got, events.pop_front().expect("an event of a frame"));
                verdicts[got.verdict as usize] += 1;
            } else {
                assert!(!dut.rule_valid.val());
            }
            issued = dut.issue.val();
            assert!(dut.room.val() || !issued);
            kept = (!dut.room.val()).then(|| dut.job.val());
            if issued {
                of_job = at_work;
            }
            if dut.take.val() {
                at_work = clock;
            }
            tick(&mut dut);
        }
        assert!(verdicts.iter().all(|n| *n >= 5), "{verdicts:?}");
        assert!(jobs.len() < 20 && events.len() < 3);
    }

    #[test]
    fn every_kind_of_frame_becomes_the_jobs_and_events_of_the_contract() {
        check_frames(Dut::at_once(MAX_FRAME));
        check_frames(Dut::in_turn(MAX_FRAME));
    }

    #[test]
    fn one_job_per_clock_for_rules_of_one_step() {
        let mut dut = connected(Dut::at_once(MAX_FRAME));
        let step = Stored { outputs: 1u64.into(), ..Default::default() };
        dut.result.data.next = MatchResult {
            hit: true,
            step,
            meta: Meta { len: 60u64.into(), ..Default::default() },
            ..Default::default()
        };
        dut.result.valid.next = true;
        dut.room.next = true;
        tick(&mut dut);
        for _ in 0..20 {
            tick(&mut dut);
            assert!(dut.job_valid.val() && dut.verdict_valid.val() && dut.rule_valid.val() && dut.busy.val());
        }
        dut.result.valid.next = false;
        tick(&mut dut);
        tick(&mut dut);
        tick(&mut dut);
        assert!(!dut.busy.val() && !dut.job_valid.val());
    }

    #[test]
    fn program_that_runs_in_a_circle_ends_after_as_many_steps_as_there_are() {
        let mut dut = connected(Dut::at_once(MAX_FRAME));
        let step = Step { outputs: 1u64.into(), more: true, next: 3u64.into(), ..Default::default() };
        dut.step_write.next = true;
        dut.step_index.next = 3u64.into();
        dut.step_data.next = step;
        tick(&mut dut);
        dut.step_write.next = false;
        dut.result.data.next = MatchResult {
            hit: true,
            step: stored_step(step),
            meta: Meta { len: 60u64.into(), ..Default::default() },
            ..Default::default()
        };
        dut.room.next = true;
        for _ in 0..2 {
            dut.result.valid.next = true;
            tick(&mut dut);
            dut.result.valid.next = false;
            let (mut again, mut jobs, mut ended) = (true, 0, 0);
            for _ in 0..3 << STEPS_LOG2 {
                if dut.job_valid.val() {
                    assert!(again, "a job after the last");
                    (again, jobs) = (dut.job.val().again, jobs + 1);
                }
                ended += u64::from(dut.ended.val());
                tick(&mut dut);
            }
            assert_eq!((again, jobs, ended), (false, 1 + (1 << STEPS_LOG2), 1));
            assert!(!dut.busy.val());
        }
    }

    /// The outputs of a frame's only job, in a build of 40 vports.
    fn job_of_forty(dut: &mut Expand<41, 4, 0, 0, 0>, result: MatchResult<41, 4, 0, 0>) -> Option<u64> {
        dut.result.data.next = result;
        dut.result.valid.next = true;
        dut.room.next = true;
        crate::testing::tick(dut, |d| &mut d.clock);
        dut.result.valid.next = false;
        crate::testing::tick(dut, |d| &mut d.clock);
        assert!(dut.job_valid.val());
        let job = dut.job.val();
        crate::testing::tick(dut, |d| &mut d.clock);
        assert!(!dut.job_valid.val());
        (!job.discard).then(|| job.outputs.to_u64())
    }

    #[test]
    fn forty_vports_have_an_output_each_and_upcalls_the_last() {
        let mut dut = Box::new(Expand::<41, 4, 0, 0, 0>::at_once(MAX_FRAME));
        dut.connect_all();
        let meta = Meta { len: 60u64.into(), ..Default::default() };
        let miss = MatchResult { meta, ..Default::default() };
        assert_eq!(job_of_forty(&mut dut, miss), Some(1 << 40));
        for vport in 0..48u64 {
            let outputs = Bits::<128>::from(1u64) << vport;
            let step = stored_step(Step { outputs, ..Default::default() });
            let exists = (vport < 40).then_some(1 << vport);
            assert_eq!(job_of_forty(&mut dut, MatchResult { hit: true, step, ..miss }), exists);
            let meta = Meta { packet_out: true, vport: vport.into(), ..meta };
            assert_eq!(job_of_forty(&mut dut, MatchResult { meta, ..miss }), exists);
        }
        let step = stored_step(Step { outputs: 3u64.into(), upcall: true, ..Default::default() });
        assert_eq!(job_of_forty(&mut dut, MatchResult { hit: true, step, ..miss }), Some(1 << 40 | 3));
        assert_lints(Expand::<41, 4, 0, 0, 0>::at_once(MAX_FRAME));
    }

    #[test]
    fn verilog_passes_lint() {
        assert_lints(Dut::at_once(MAX_FRAME));
        assert_lints(Dut::in_turn(MAX_FRAME));
    }
}
