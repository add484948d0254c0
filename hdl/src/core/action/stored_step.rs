// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a step as software writes it to what a build keeps of it.

use crate::core::pass::types::{AGAIN_WIDTH, FURTHER_STEP_WIDTH, FurtherStep, LookAgain};
use crate::core::types::{Edits, Step, StoredStep};
use rust_hdl_core::prelude::*;

/// What a build with so many transmit queues and continuation steps, and with passes or without, stores of a step. Outputs that it does not have are left out; `next` has been looked at
/// by `Control`.
#[millrace_hdl::function]
pub fn stored_step<const QUEUES: usize, const STEPS_LOG2: usize, const AGAIN_BITS: usize, const FURTHER_BITS: usize>(
    step: Step<FURTHER_BITS>,
) -> StoredStep<QUEUES, STEPS_LOG2, AGAIN_BITS> {
    let mut outputs = cast::<QUEUES>(step.outputs);
    outputs.set_bit(QUEUES - 1, step.upcall);
    let edits: Edits = Edits {
        set_dl_dst: step.set_dl_dst,
        set_dl_src: step.set_dl_src,
        set_nw_src: step.set_nw_src,
        set_nw_dst: step.set_nw_dst,
        set_tp_src: step.set_tp_src,
        set_tp_dst: step.set_tp_dst,
        set_nw_ttl: step.set_nw_ttl,
        vlan_pop: step.vlan_pop,
        vlan_push: step.vlan_push,
        nw_tos: step.nw_tos,
        nw_tos_mask: step.nw_tos_mask,
        nw_ttl: step.nw_ttl,
        ttl_dec: step.ttl_dec,
        push0_tci: step.push0_tci,
        push0_tpid: step.push0_tpid,
        push1_tci: step.push1_tci,
        push1_tpid: step.push1_tpid,
        tp_src: step.tp_src,
        tp_dst: step.tp_dst,
        dl_dst: step.dl_dst,
        dl_src: step.dl_src,
        nw_src: step.nw_src,
        nw_dst: step.nw_dst,
    };
    let mut again: Bits<AGAIN_BITS> = 0;
    for _further in 0..FURTHER_BITS / FURTHER_STEP_WIDTH {
        let further = unpack::<FurtherStep>(cast::<FURTHER_STEP_WIDTH>(step.further));
        let wanted: LookAgain = LookAgain {
            look_again: further.look_again,
            start_from: further.start_from,
            start: further.start,
            metadata: further.metadata,
            metadata_mask: further.metadata_mask,
        };
        again = cast::<AGAIN_BITS>(pack::<AGAIN_WIDTH>(wanted));
    }
    let stored: StoredStep<QUEUES, STEPS_LOG2, AGAIN_BITS> =
        StoredStep { outputs, more: step.more, next: cast::<STEPS_LOG2>(step.next), edits, again };
    stored
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::lookup::match_reference::key_bits;
    use crate::core::types::STEP_BITS;
    use crate::front::value::{pack, unpack};
    use millrace_regs::STEP_FIELDS;
    use num_bigint::BigUint;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rust_hdl_core::type_descriptor::TypeKind;

    const EDITS_BITS: usize = <Edits as Synth>::BITS;

    #[test]
    fn every_edit_stays_and_so_do_the_outputs_that_the_build_has() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for _ in 0..20 {
            let words: [u32; millrace_regs::Step::WORDS] = std::array::from_fn(|_| rng.random());
            let step = millrace_regs::Step::unpack(&words);
            let stored = stored_step::<12, 8, 0, 0>(unpack(key_bits::<STEP_BITS>(&words[..STEP_BITS / 32])));
            let outputs = step.outputs as u64 & 0x7ff | u64::from(step.upcall) << 11;
            assert_eq!((stored.outputs.to_u64(), stored.more), (outputs, step.more));
            assert_eq!(stored.next.to_u64(), u64::from(step.next & 0xff));
            let mut edits = BigUint::from(pack::<EDITS_BITS, _>(stored.edits));
            let TypeKind::Composite(fields) = Edits::descriptor().kind else { panic!("a struct") };
            let written = STEP_FIELDS.iter().filter(|field| field.offset < STEP_BITS);
            assert_eq!(fields.len() + 4, written.count(), "all but outputs, upcall, more and next");
            let full = stored_step::<12, 8, AGAIN_WIDTH, FURTHER_STEP_WIDTH>(unpack(key_bits::<832>(&words)));
            let again = unpack::<LookAgain, AGAIN_WIDTH>(full.again);
            assert_eq!((full.edits, full.outputs, full.next), (stored.edits, stored.outputs, stored.next));
            assert_eq!((again.look_again, again.start_from.to_u64()), (step.look_again, step.start_from.into()));
            assert_eq!((again.start.to_u64(), again.metadata.to_u64()), (step.start.into(), step.metadata));
            assert_eq!(again.metadata_mask.to_u64(), step.metadata_mask);
            for field in fields {
                let (name, TypeKind::Bits(width)) = (field.fieldname, field.kind.kind) else { panic!("bits") };
                let written =
                    STEP_FIELDS.iter().find(|f| f.name == name && f.width == width).expect("a field of a step");
                let value = &edits & ((BigUint::from(1u8) << width) - 1u8);
                assert_eq!(value, BigUint::from(written.get(&words)), "{name}");
                edits >>= width;
            }
        }
    }
}
