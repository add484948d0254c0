// SPDX-License-Identifier: MIT OR Apache-2.0
//! What becomes of each frame under its function's policy.

use crate::types::{CUSTOMER_TAG, JudgedBeat, Policy, PolicyBeat, SERVICE_TAG, TAG_BYTES, Verdict};
use millrace_hdl::base::{Dff, DffE, DffR, LutRam, Reg, Snk, Src};
use rust_hdl_core::prelude::*;

/// Bits of a frame before its tag, both addresses; and of a tag.
pub const ADDRESSES: usize = 96;
pub const TAG: usize = 8 * TAG_BYTES;
/// Bytes that a frame has at least: up to its EtherType, up to the one behind a tag.
const UP_TO_TYPE: u32 = 14;
const UP_TO_SECOND_TYPE: u32 = 18;

/// Judges each frame by its first beat, as `docs/host.md`, "Policy", has it: those out of functions if `SENT` is 1, those for them if it is 0; function 0 may do all. The verdict goes
/// beside all of the frame's beats, of which one may pass in a clock.
#[millrace_hdl::block]
pub struct PolicyJudge<const PAIR_BITS: usize, const FUNCTION_BITS: usize, const SENT: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// The policy of a function is new. Each is written once after power-up.
    pub policy_write: Signal<In, Bit>,
    pub policy_function: Signal<In, Bits<8>>,
    pub policy: Signal<In, Policy>,
    pub inp: Snk<PolicyBeat<PAIR_BITS>>,
    pub out: Src<JudgedBeat<PAIR_BITS>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    policies: LutRam<Policy, FUNCTION_BITS>,
    /// The next beat continues a frame.
    inside: Reg<Bit>,
    /// The beat that came last, whether it is a frame's first, and its function's policy.
    arrived: DffE<PolicyBeat<PAIR_BITS>>,
    arrived_valid: DffR<Bit>,
    arrived_first: DffE<Bit>,
    found: Dff<Policy>,
    judged: DffE<JudgedBeat<PAIR_BITS>>,
    judged_valid: DffR<Bit>,
}

#[millrace_hdl::block]
impl<const PAIR_BITS: usize, const FUNCTION_BITS: usize, const SENT: usize>
    PolicyJudge<PAIR_BITS, FUNCTION_BITS, SENT>
{
    fn update(&mut self) {
        let judges = self.out.ready | !self.judged_valid;
        let takes = judges | !self.arrived_valid;
        self.inp.ready = takes;
        self.arrived_valid = self.inp.valid | !takes;
        if takes {
            self.arrived = self.inp.data;
            self.arrived_first = !self.inside;
        }
        if takes & self.inp.valid {
            self.inside = !self.inp.data.frame.last;
        }

        let function = if takes { self.inp.data.frame.function } else { self.arrived.frame.function };
        self.policies.we = self.policy_write;
        self.policies.waddr = cast::<FUNCTION_BITS>(self.policy_function);
        self.policies.wdata = self.policy;
        self.policies.raddr = cast::<FUNCTION_BITS>(function);
        self.found = self.policies.rdata;

        let frame = self.arrived.frame;
        let begins = frame.data.get_bits::<128>(0);
        let verdict: Verdict = if SENT == 1 {
            of_sent(begins, frame.last & (frame.bytes < UP_TO_TYPE), frame.function.any(), self.found)
        } else {
            of_received(begins, frame.last & (frame.bytes < UP_TO_SECOND_TYPE), frame.function.any(), self.found)
        };
        if judges {
            self.judged = JudgedBeat {
                frame,
                reason: self.arrived.reason,
                steered: self.arrived.steered,
                first: self.arrived_first,
                verdict: if self.arrived_first { verdict } else { self.judged.verdict },
            };
        }
        self.judged_valid = self.arrived_valid | !judges;
        self.out.valid = self.judged_valid;
        self.out.data = self.judged;
        self.idle = !(self.arrived_valid | self.judged_valid | self.inp.valid | self.policy_write);
    }
}

/// Of a frame of a driver that begins with `data`; `short`: it ends before its EtherType does.
#[millrace_hdl::function]
fn of_sent(data: Bits<128>, short: Bit, is_bound: Bit, policy: Policy) -> Verdict {
    let kind = data.get_bits::<16>(ADDRESSES);
    let in_vlan = policy.vlan.any();
    let has_tag = (kind == SERVICE_TAG) | ((kind == CUSTOMER_TAG) & !policy.service);
    let spoofed = policy.spoof_check & (short | (data.get_bits::<48>(48) != policy.mac));
    let dei: Bit = false;
    let priority = concat::<8>(policy.priority, dei, policy.vlan.get_bits::<4>(8));
    let mut own_kind: Bits<16> = CUSTOMER_TAG;
    if policy.service {
        own_kind = SERVICE_TAG;
    }
    let verdict: Verdict = Verdict {
        drop: is_bound & (spoofed | (in_vlan & (short | has_tag))),
        spoofed,
        tag: is_bound & in_vlan,
        bytes: concat::<TAG>(policy.vlan.get_bits::<8>(0), priority, own_kind),
    };
    verdict
}

/// Of a frame for a driver that begins with `data`; `short`: it ends before the EtherType behind a tag does.
#[millrace_hdl::function]
fn of_received(data: Bits<128>, short: Bit, is_bound: Bit, policy: Policy) -> Verdict {
    let kind = data.get_bits::<16>(ADDRESSES);
    let in_vlan = policy.vlan.any();
    let mut own_kind: Bits<16> = CUSTOMER_TAG;
    if policy.service {
        own_kind = SERVICE_TAG;
    }
    let vlan = concat::<12>(data.get_bits::<4>(ADDRESSES + 16), data.get_bits::<8>(ADDRESSES + 24));
    let is_own = (kind == own_kind) & (vlan == policy.vlan) & !short;
    let verdict: Verdict =
        Verdict { drop: is_bound & in_vlan & !is_own, spoofed: false, tag: is_bound & in_vlan, bytes: 0 };
    verdict
}
