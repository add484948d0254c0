// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of the fields of packed structs: `beat[BEAT_LAST]` and `beat[BEAT_BYTES +: 7]` instead of bit numbers.

use super::names::snake_case;
use super::print::{INDENT, part};
use super::symbols::{Symbol, width};
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::cell::RefCell;
use std::collections::BTreeMap;

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

/// `BEAT_BYTES`, or with the names of the fields that it lies in: `EDIT_JOB_STEP_OUTPUTS`.
fn path(descriptor: &TypeDescriptor, low: usize, width: usize) -> Option<String> {
    let names = inside(&descriptor.kind, low, width)?;
    let base = descriptor.name.split('<').next().unwrap_or_default();
    let all = std::iter::once(snake_case(base)).chain(names.into_iter().map(str::to_owned));
    Some(all.collect::<Vec<_>>().join("_").to_uppercase())
}

/// The fields from the outermost to that of just these bits.
fn inside(kind: &TypeKind, low: usize, width: usize) -> Option<Vec<&str>> {
    let TypeKind::Composite(fields) = kind else { return None };
    let mut start = 0;
    for field in fields {
        let bits = self::width(&field.kind);
        if low == start && width == bits {
            return Some(vec![&field.fieldname]);
        }
        if start <= low && low + width <= start + bits {
            let mut names = inside(&field.kind.kind, low - start, width)?;
            names.insert(0, &field.fieldname);
            return Some(names);
        }
        start += bits;
    }
    None
}
