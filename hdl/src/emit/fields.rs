// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of the fields of packed structs: `beat[BEAT_LAST]` and `beat[BEAT_BYTES +: 7]` instead of bit numbers.

use super::names::snake_case;
use super::print::{INDENT, part};
use super::symbols::{Symbol, width};
use super::tree::Node;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A field of a packed struct.
pub(super) struct Field<'a> {
    pub name: &'a str,
    /// Its lowest bit in the struct.
    pub low: usize,
    /// In bits.
    pub width: usize,
    pub descriptor: &'a TypeDescriptor,
}

/// The fields of a struct, the lowest first; none of what is no struct.
pub(super) fn fields(descriptor: &TypeDescriptor) -> impl Iterator<Item = Field<'_>> {
    let all = match &descriptor.kind {
        TypeKind::Composite(all) => all.as_slice(),
        _ => &[],
    };
    all.iter().scan(0, |next, field| {
        let (low, width) = (*next, width(&field.kind));
        *next += width;
        Some(Field { name: &field.fieldname, low, width, descriptor: &field.kind })
    })
}

/// The fields that a module's text names, by the `localparam` that says where each begins.
#[derive(Default)]
pub(super) struct Fields(RefCell<BTreeMap<String, usize>>);

impl Fields {
    /// A select of `width` bits from `low` on, by the name of the field that has just these bits, if there is one.
    pub fn part(&self, symbol: &Symbol, low: usize, width: usize) -> String {
        match path(&symbol.descriptor, low, width) {
            Some(path) if self.takes(&path, low) && width == 1 => format!("[{path}]"),
            Some(path) if self.takes(&path, low) => format!("[{path} +: {width}]"),
            _ => part(low, width),
        }
    }

    /// Notes a name. Structs of one name but of different sizes may have a field at different places: the first has the name.
    fn takes(&self, name: &str, low: usize) -> bool {
        *self.0.borrow_mut().entry(name.into()).or_insert(low) == low
    }

    /// What the text that was printed needs.
    pub fn declarations(&self) -> String {
        self.0.borrow().iter().map(|(name, low)| format!("{INDENT}localparam {name} = {low};\n")).collect()
    }
}

/// `localparam`s for each struct of a design, `BEAT_BITS`, and for each of its fields, `BEAT_LAST` and `BEAT_LAST_BITS`: where the field begins, as in the
/// modules' text, and how many bits it has. What structs of one name do not have in common is not there.
pub(super) fn constants(design: &Node) -> String {
    let mut all = BTreeMap::new();
    collect(design, &mut all);
    let common = all.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    common.map(|(name, value)| format!("localparam {name} = {value};\n")).collect()
}

/// Numbers by their names; nothing, where there are several.
type Constants = BTreeMap<String, Option<usize>>;

fn collect(node: &Node, all: &mut Constants) {
    for signal in &node.signals {
        structs(&signal.descriptor, all);
    }
    node.children.iter().for_each(|child| collect(child, all));
}

/// Notes a struct and those in it.
fn structs(descriptor: &TypeDescriptor, all: &mut Constants) {
    if fields(descriptor).next().is_none() {
        return;
    }
    let name = constant(descriptor, &[]);
    note(all, format!("{name}_BITS"), width(descriptor));
    places(descriptor, 0, &name, all);
    fields(descriptor).for_each(|field| structs(field.descriptor, all));
}

/// Notes the fields of a struct that begins at bit `low` of the one that `name` begins with, and theirs.
fn places(descriptor: &TypeDescriptor, low: usize, name: &str, all: &mut Constants) {
    for field in fields(descriptor).filter(|field| field.width > 0) {
        let name = format!("{name}_{}", field.name.to_uppercase());
        note(all, format!("{name}_BITS"), field.width);
        places(field.descriptor, low + field.low, &name, all);
        note(all, name, low + field.low);
    }
}

fn note(all: &mut Constants, name: String, value: usize) {
    let entry = all.entry(name).or_insert(Some(value));
    *entry = entry.filter(|before| *before == value);
}

/// The name of a struct, and of fields in it, as a constant.
fn constant(descriptor: &TypeDescriptor, names: &[&str]) -> String {
    let base = descriptor.name.split('<').next().unwrap_or_default();
    let all = std::iter::once(snake_case(base)).chain(names.iter().map(|name| (*name).to_owned()));
    all.collect::<Vec<_>>().join("_").to_uppercase()
}

/// `BEAT_BYTES`, or with the names of the fields that it lies in: `EDIT_JOB_STEP_OUTPUTS`.
fn path(descriptor: &TypeDescriptor, low: usize, width: usize) -> Option<String> {
    Some(constant(descriptor, &inside(descriptor, low, width)?))
}

/// The fields from the outermost to that of just these bits.
fn inside(descriptor: &TypeDescriptor, low: usize, width: usize) -> Option<Vec<&str>> {
    let holds = |field: &Field| field.low <= low && low + width <= field.low + field.width;
    let field = fields(descriptor).find(holds)?;
    if (low, width) == (field.low, field.width) {
        return Some(vec![field.name]);
    }
    let mut names = inside(field.descriptor, low - field.low, width)?;
    names.insert(0, field.name);
    Some(names)
}

#[cfg(test)]
mod tests {
    use crate::base::Dff;
    use crate::testing::emit;
    use crate::wire_struct;
    use rust_hdl_core::prelude::*;

    wire_struct! {
        pub struct Inner {
            pub kind: Bits<4>,
            pub flag: Bit,
        }
    }

    wire_struct! {
        pub struct Outer {
            pub length: Bits<8>,
            pub inner: Inner,
        }
    }

    #[millrace_hdl::block]
    struct Reader {
        pub inp: Signal<In, Outer>,
        pub kind: Signal<Out, Bits<4>>,
        pub flag: Signal<Out, Bit>,
        pub across: Signal<Out, Bits<2>>,
    }

    #[millrace_hdl::block]
    impl Reader {
        fn update(&mut self) {
            self.kind = self.inp.inner.kind;
            self.flag = self.inp.inner.flag;
            self.across = pack::<13>(self.inp).get_bits::<2>(7);
        }
    }

    #[test]
    fn a_field_is_named_by_a_constant_and_bits_across_fields_by_numbers() {
        let text = emit(Reader::default());
        for line in [
            "    localparam OUTER_INNER_FLAG = 12;",
            "    localparam OUTER_INNER_KIND = 8;",
            "    assign kind = inp[OUTER_INNER_KIND +: 4];",
            "    assign flag = inp[OUTER_INNER_FLAG];",
            "    assign across = inp[8:7];",
        ] {
            assert!(text.lines().any(|found| found == line), "no line `{line}` in\n{text}");
        }
        assert_eq!(text.matches("localparam").count(), 2, "fields that nothing names have no constant:\n{text}");
    }

    #[test]
    fn a_harness_gets_all_places_and_widths() {
        let mut block = Reader::default();
        block.connect_all();
        let names = [
            ("INNER_BITS", 5),
            ("INNER_FLAG", 4),
            ("INNER_FLAG_BITS", 1),
            ("INNER_KIND", 0),
            ("INNER_KIND_BITS", 4),
            ("OUTER_BITS", 13),
            ("OUTER_INNER", 8),
            ("OUTER_INNER_BITS", 5),
            ("OUTER_INNER_FLAG", 12),
            ("OUTER_INNER_FLAG_BITS", 1),
            ("OUTER_INNER_KIND", 8),
            ("OUTER_INNER_KIND_BITS", 4),
            ("OUTER_LENGTH", 0),
            ("OUTER_LENGTH_BITS", 8),
        ];
        let expected: String = names.iter().map(|(name, value)| format!("localparam {name} = {value};\n")).collect();
        assert_eq!(crate::emit::field_constants(&block), expected);
    }

    wire_struct! {
        pub struct Noted<const NOTE_BITS: usize> {
            pub length: Bits<8>,
            pub note: Bits<NOTE_BITS>,
            pub flag: Bit,
        }
    }

    #[millrace_hdl::block]
    struct Carrier<const NOTE_BITS: usize> {
        pub clock: Signal<In, Clock>,
        pub inp: Signal<In, Noted<NOTE_BITS>>,
        pub more: Signal<In, Bits<NOTE_BITS>>,
        pub out: Signal<Out, Noted<NOTE_BITS>>,
        pub note: Signal<Out, Bits<NOTE_BITS>>,
        pub wide: Signal<Out, Bits<16>>,
        kept: Dff<Noted<NOTE_BITS>>,
    }

    #[millrace_hdl::block]
    impl<const NOTE_BITS: usize> Carrier<NOTE_BITS> {
        fn update(&mut self) {
            self.kept = Noted::<NOTE_BITS> { note: self.inp.note, ..self.inp };
            self.out = self.kept;
            self.note = self.more;
            self.wide = cast::<16>(self.more);
        }
    }

    #[test]
    fn what_has_no_bits_is_not_there() {
        let text = emit(Carrier::<0>::default());
        assert!(!text.contains("note") && !text.contains("more"), "{text}");
        assert!(text.contains("assign wide = 16'd0;"), "{text}");
        let text = emit(Carrier::<3>::default());
        assert!(text.contains("output wire [2:0] note") && text.contains("input  wire [2:0] more"), "{text}");
    }
}
