// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the policy makes of frames in: those of the function's VLAN, without its tag.

use crate::policy_judge::{ADDRESSES, PolicyJudge, TAG};
use crate::types::{BEAT_BITS, BEAT_BYTES, FrameBeat, Policy, PolicyBeat, TAG_BYTES};
use millrace_hdl::base::{DffE, DffR, Skid, Snk, Src};
use rust_hdl_core::prelude::*;

/// Bits of a beat without a tag.
const REST: usize = BEAT_BITS - TAG;

/// Each frame as `docs/host.md`, "Policy", has it. A beat in a clock, but one more for a frame that loses its tag and has more than a beat.
#[millrace_hdl::block]
pub struct ReceivedPolicy<const PAIR_BITS: usize, const FUNCTION_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// As of [`PolicyJudge`].
    pub policy_write: Signal<In, Bit>,
    pub policy_function: Signal<In, Bits<8>>,
    pub policy: Signal<In, Policy>,
    pub inp: Snk<PolicyBeat<PAIR_BITS>>,
    pub out: Src<PolicyBeat<PAIR_BITS>>,
    /// A pulse for each frame that is dropped, and whose it was.
    pub dropped: Signal<Out, Bit>,
    pub dropped_function: Signal<Out, Bits<8>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    judge: PolicyJudge<PAIR_BITS, FUNCTION_BITS, 0>,
    /// What is kept of a beat until the next one fills it up; whether there is no next one.
    tail: DffE<PolicyBeat<PAIR_BITS>>,
    ending: DffR<Bit>,
    skid: Skid<PolicyBeat<PAIR_BITS>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const FUNCTION_BITS: usize> ReceivedPolicy<PAIR_BITS, FUNCTION_BITS> {
    fn update(&mut self) {
        self.judge.policy_write = self.policy_write;
        self.judge.policy_function = self.policy_function;
        self.judge.policy = self.policy;
        link(self.inp, self.judge.inp);

        comment!("a beat moves on; the first of a longer frame only becomes the tail");
        let frame = self.judge.out.data.frame;
        let reason = self.judge.out.data.reason;
        let steered = self.judge.out.data.steered;
        let drops = self.judge.out.data.verdict.drop;
        let pops = self.judge.out.data.verdict.tag;
        let first = self.judge.out.data.first;
        let waits = pops & first & !frame.last;
        let takes = !self.ending & (drops | waits | self.skid.inp.ready);
        self.judge.out.ready = takes;
        let took = takes & self.judge.out.valid;

        comment!("without the tag");
        let behind = frame.data.get_bits::<{ REST - ADDRESSES }>(ADDRESSES + TAG);
        let without_tag = concat::<REST>(behind, frame.data.get_bits::<ADDRESSES>(0));
        let kept = if first { without_tag } else { frame.data.get_bits::<REST>(TAG) };
        let shorter = frame.bytes - TAG_BYTES;
        let covered = frame.last & (frame.bytes <= TAG_BYTES);
        let filled = concat::<BEAT_BITS>(frame.data.get_bits::<TAG>(0), self.tail.frame.data.get_bits::<REST>(0));
        let filled_bytes = if covered { frame.bytes + (BEAT_BYTES - TAG_BYTES) } else { BEAT_BYTES };
        let is_left = pops & frame.last & !first & !covered;
        let popped = if first { cast::<BEAT_BITS>(without_tag) } else { filled };
        let popped_bytes = if first { shorter } else { filled_bytes };
        let beat: FrameBeat<PAIR_BITS> = FrameBeat {
            data: if pops { popped } else { frame.data },
            bytes: if pops { popped_bytes } else { frame.bytes },
            last: frame.last & !is_left,
            ..frame
        };
        let tail = self.tail;
        self.skid.inp.valid = self.ending | (self.judge.out.valid & !(drops | waits));
        self.skid.inp.data = if self.ending { tail } else { PolicyBeat { frame: beat, reason, steered } };
        link(self.out, self.skid.out);
        if took {
            let rest: FrameBeat<PAIR_BITS> = FrameBeat { data: cast::<BEAT_BITS>(kept), bytes: shorter, ..frame };
            self.tail = PolicyBeat { frame: rest, reason, steered };
        }
        self.ending = (took & is_left & !drops) | (self.ending & !self.skid.inp.ready);

        self.dropped = took & frame.last & drops;
        self.dropped_function = frame.function;
        self.idle = self.judge.idle & !self.ending & self.skid.empty;
    }
}

#[cfg(test)]
#[path = "received_policy_tests.rs"]
mod tests;
