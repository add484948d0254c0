// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the policy makes of frames out: spoof check, the tag of the function's VLAN.

use crate::drop_samples::Sample;
use crate::policy_judge::{ADDRESSES, PolicyJudge, TAG};
use crate::types::{BEAT_BITS, BEAT_BYTES, FrameBeat, Policy, TAG_BYTES};
use millrace_hdl::base::{DffE, DffR, Skid, Snk, Src};
use millrace_hdl::core::types::Beat;
use rust_hdl_core::prelude::*;

/// Each frame as `docs/host.md`, "Policy", has it. A beat in a clock, but that a frame that needs one more with its tag takes it.
#[millrace_hdl::block]
pub struct SentPolicy<const PAIR_BITS: usize, const FUNCTION_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// As of [`PolicyJudge`].
    pub policy_write: Signal<In, Bit>,
    pub policy_function: Signal<In, Bits<8>>,
    pub policy: Signal<In, Policy>,
    pub inp: Snk<FrameBeat<PAIR_BITS>>,
    pub out: Src<FrameBeat<PAIR_BITS>>,
    /// A pulse for each frame that is dropped, and whose it was.
    pub dropped: Signal<Out, Bit>,
    pub dropped_function: Signal<Out, Bits<8>>,
    /// A pulse with its first beat, for samples.
    pub begins_dropped: Signal<Out, Bit>,
    pub sample: Signal<Out, Sample>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    judge: PolicyJudge<PAIR_BITS, FUNCTION_BITS, 1>,
    /// What a beat with a tag before it has no room for; whether that is the frame's end.
    tail: DffE<FrameBeat<PAIR_BITS>>,
    ending: DffR<Bit>,
    skid: Skid<FrameBeat<PAIR_BITS>>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const FUNCTION_BITS: usize> SentPolicy<PAIR_BITS, FUNCTION_BITS> {
    fn update(&mut self) {
        self.judge.policy_write = self.policy_write;
        self.judge.policy_function = self.policy_function;
        self.judge.policy = self.policy;
        self.judge.inp.valid = self.inp.valid;
        self.judge.inp.data.frame = self.inp.data;
        self.judge.inp.data.reason = 0;
        self.judge.inp.data.steered = false;
        self.inp.ready = self.judge.inp.ready;

        comment!("a beat moves on");
        let frame = self.judge.out.data.frame;
        let drops = self.judge.out.data.verdict.drop;
        let tags = self.judge.out.data.verdict.tag;
        let takes = !self.ending & (drops | self.skid.inp.ready);
        self.judge.out.ready = takes;
        let took = takes & self.judge.out.valid;

        comment!("with the tag");
        let sum = cast::<8>(frame.bytes) + TAG_BYTES;
        let over = tags & (sum > BEAT_BYTES);
        let behind = frame.data.get_bits::<{ BEAT_BITS - TAG - ADDRESSES }>(ADDRESSES);
        let addresses = frame.data.get_bits::<ADDRESSES>(0);
        let with_tag = concat::<BEAT_BITS>(behind, self.judge.out.data.verdict.bytes, addresses);
        let moved = (frame.data << TAG) | self.tail.data;
        let tagged = if self.judge.out.data.first { with_tag } else { moved };
        let longer = if over { BEAT_BYTES } else { cast::<7>(sum) };
        let beat: FrameBeat<PAIR_BITS> = FrameBeat {
            data: if tags { tagged } else { frame.data },
            bytes: if tags { longer } else { frame.bytes },
            last: frame.last & !over,
            ..frame
        };
        let tail = self.tail;
        self.skid.inp.valid = self.ending | (self.judge.out.valid & !drops);
        self.skid.inp.data = if self.ending { tail } else { beat };
        link(self.out, self.skid.out);
        if took {
            self.tail =
                FrameBeat { data: frame.data >> (BEAT_BITS - TAG), bytes: cast::<7>(sum - BEAT_BYTES), ..frame };
        }
        self.ending = (took & frame.last & over & !drops) | (self.ending & !self.skid.inp.ready);

        self.dropped = took & frame.last & drops;
        self.dropped_function = frame.function;
        self.begins_dropped = took & self.judge.out.data.first & drops;
        let beginning: Beat<BEAT_BITS, 7> = Beat { data: frame.data, bytes: frame.bytes, last: true };
        self.sample =
            Sample { beat: beginning, function: frame.function, spoofed: self.judge.out.data.verdict.spoofed };
        self.idle = self.judge.idle & !self.ending & self.skid.empty;
    }
}

#[cfg(test)]
#[path = "sent_policy_tests.rs"]
mod tests;
