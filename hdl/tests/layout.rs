// SPDX-License-Identifier: MIT OR Apache-2.0
//! The structs on the wires have their fields where software writes them.

use millrace_hdl::core::pass::types::FurtherStep;
use millrace_hdl::core::types::{KEY_BITS, Key, STEP_BITS, Step};
use millrace_regs::{Field, KEY_FIELDS, Lengths, STEP_FIELDS};
use rust_hdl_core::prelude::Synth;
use rust_hdl_core::type_descriptor::TypeKind;

/// Name, offset and width of each field of a struct on a wire, reserved ones excepted.
fn wire_fields<T: Synth>() -> Vec<(String, usize, usize)> {
    let TypeKind::Composite(fields) = T::descriptor().kind else { panic!("not a struct") };
    let mut offset = 0;
    let mut all = Vec::new();
    for field in fields {
        let width = width(&field.kind.kind);
        all.push((field.fieldname.clone(), offset, width));
        offset += width;
    }
    assert_eq!(offset, T::BITS);
    all.retain(|(name, _, width)| !name.starts_with("reserved") && *width > 0);
    all
}

fn width(kind: &TypeKind) -> usize {
    match kind {
        TypeKind::Bits(bits) | TypeKind::Signed(bits) => *bits,
        other => panic!("not a plain field: {other:?}"),
    }
}

/// Those that a build with one pass has.
fn described(fields: &[Field], bits: usize) -> Vec<(String, usize, usize)> {
    fields
        .iter()
        .filter(|field| field.offset < bits)
        .map(|field| (field.name.to_string(), field.offset, field.width))
        .collect()
}

#[test]
fn key_on_the_wire_is_the_key_of_the_register_map() {
    assert_eq!(wire_fields::<Key>(), described(KEY_FIELDS, KEY_BITS));
    assert_eq!((Key::BITS, KEY_BITS), (480, 480));
    assert_eq!(KEY_BITS, 32 * Lengths::ONE_PASS.key);
}

#[test]
fn step_on_the_wire_is_the_step_of_the_register_map() {
    assert_eq!(wire_fields::<Step<0>>(), described(STEP_FIELDS, STEP_BITS));
    assert_eq!((Step::<0>::BITS, STEP_BITS), (672, 672));
    assert_eq!(STEP_BITS, 32 * Lengths::ONE_PASS.step);
}

#[test]
fn what_builds_with_passes_have_more_of_a_step_is_that_of_the_register_map() {
    let own = wire_fields::<FurtherStep>().into_iter().map(|(name, offset, width)| (name, STEP_BITS + offset, width));
    let all = described(STEP_FIELDS, 32 * Lengths::FULL.step).into_iter();
    assert_eq!(own.collect::<Vec<_>>(), all.filter(|field| field.1 >= STEP_BITS).collect::<Vec<_>>());
    assert_eq!(STEP_BITS + FurtherStep::BITS, 32 * Lengths::FULL.step);
}
