// SPDX-License-Identifier: MIT OR Apache-2.0
//! All modules of a design: equal ones merged, each named after its Rust type.

use super::body::Body;
use super::error::{EmitError, Fault, Place, Reason};
use super::names::{Names, snake_case, without_paths};
use super::print::{INDENT, comment};
use super::symbols::width;
use super::tree::{Node, Signal};
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::{BTreeSet, HashMap};

/// A Verilog module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The Rust type it is made from, without paths of modules: `Fifo<Bits<40>, 9, 10>`. Blocks of other types that give the
    /// same Verilog share the module.
    pub rust_type: String,
    /// Paths of its instances from the top: `top.match.tcam`.
    pub instances: Vec<String>,
    /// The whole text, with its header comment.
    pub text: String,
}

/// All modules of a design, a module before those that it instantiates; and the text of hard-IP modules they use.
pub(super) struct Design {
    pub modules: Vec<Module>,
    pub cores: BTreeSet<String>,
}

/// A module while its name is still open.
struct Draft {
    /// Full name of the Rust type.
    rust_type: String,
    body: Body,
    layouts: Vec<String>,
    instances: Vec<String>,
}

#[derive(Default)]
struct Drafts {
    all: Vec<Draft>,
    /// Drafts by the name of their type without generics.
    by_base: HashMap<String, Vec<usize>>,
    errors: Vec<EmitError>,
}

/// The modules of the design below `root`, whose module is named `top` or else after its type.
pub(super) fn design(root: &Node, top: Option<&str>) -> Result<Design, Vec<EmitError>> {
    let mut drafts = Drafts::default();
    let root = drafts.add(root, "top");
    if !drafts.errors.is_empty() {
        return Err(drafts.errors);
    }
    let names = module_names(&drafts, root, top);
    let cores = drafts.all.iter().map(|draft| draft.body.cores.clone()).filter(|core| !core.is_empty()).collect();
    let numbered = drafts.all.into_iter().enumerate().rev();
    let modules = numbered.map(|(i, draft)| draft.module(&names[i], &|module| names[module].clone())).collect();
    Ok(Design { modules, cores })
}

impl Drafts {
    /// Drafts the modules of a node and all below it; the number of its own.
    fn add(&mut self, node: &Node, path: &str) -> usize {
        let mut modules = vec![];
        for child in &node.children {
            let path = format!("{path}.{}", child.name.replace('$', "_"));
            modules.push(if child.is_register { None } else { Some(self.add(child, &path)) });
        }
        let rust_type = node.rust_type.clone().unwrap_or_default();
        let body = if rust_type.is_empty() { Err(vec![Reason::NoTag.into()]) } else { Body::of(node, &modules) };
        let body = body.unwrap_or_else(|faults| {
            self.report(path, &rust_type, faults);
            Body::default()
        });
        self.merge(Draft { layouts: layouts(&node.signals), instances: vec![path.into()], rust_type, body })
    }

    /// A module like it if there is one, or the draft as a new one.
    fn merge(&mut self, draft: Draft) -> usize {
        let alike = self.by_base.entry(base(&draft.rust_type)).or_default();
        if let Some(known) = alike.iter().find(|i| self.all[**i].body == draft.body) {
            self.all[*known].instances.extend(draft.instances);
            return *known;
        }
        alike.push(self.all.len());
        self.all.push(draft);
        self.all.len() - 1
    }

    /// Notes faults, each once however many instances have it.
    fn report(&mut self, path: &str, rust_type: &str, faults: Vec<Fault>) {
        let block = match rust_type {
            "" => "a block without a tag".into(),
            _ => without_paths(rust_type),
        };
        for Fault { signal, reason } in faults {
            let known = |e: &EmitError| e.place.block == block && e.place.signal == signal && e.reason == reason;
            if !self.errors.iter().any(known) {
                let place = Place { path: path.into(), block: block.clone(), signal };
                self.errors.push(EmitError { place, reason });
            }
        }
    }
}

impl Draft {
    fn module(self, name: &str, names: &dyn Fn(usize) -> String) -> Module {
        let text = self.header(name) + &self.body.text(name, names);
        Module { name: name.into(), rust_type: without_paths(&self.rust_type), instances: self.instances, text }
    }

    /// Where the module comes from, where it is used, and what the bits of its structs are.
    fn header(&self, name: &str) -> String {
        let path = self.rust_type.split('<').next().unwrap_or_default();
        let generics = without_paths(&self.rust_type[path.len()..]);
        let more = match self.instances.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let origin = format!("{name}: from the Rust block {path}{generics}");
        let mut text = comment(&origin, "", INDENT) + &comment(&format!("{}{more}", self.instances[0]), "", INDENT);
        self.layouts.iter().for_each(|layout| text += &comment(layout, "", INDENT));
        text
    }
}

/// The type's own name: what modules are named after, and the only ones that may be merged.
fn base(rust_type: &str) -> String {
    without_paths(rust_type.split('<').next().unwrap_or_default())
}

/// A type's name if one module is made from it, or else with its generics: `fifo_bits_40_9_10`.
fn module_names(drafts: &Drafts, root: usize, top: Option<&str>) -> Vec<String> {
    let mut names = Names::default();
    let mut all = vec![String::new(); drafts.all.len()];
    if let Some(top) = top {
        all[root] = names.take(top);
    }
    for (i, draft) in drafts.all.iter().enumerate() {
        let base = base(&draft.rust_type);
        let alone = drafts.by_base[&base].iter().filter(|i| **i != root || top.is_none()).count() == 1;
        if all[i].is_empty() {
            let wanted = if alone { base } else { without_paths(&draft.rust_type) };
            all[i] = names.take(&snake_case(&wanted));
        }
    }
    all
}

/// The bits of each struct among the signals.
fn layouts(signals: &[Signal]) -> Vec<String> {
    let mut all = vec![];
    for layout in signals.iter().filter_map(|signal| layout(&signal.descriptor)) {
        if !all.contains(&layout) {
            all.push(layout);
        }
    }
    all
}

/// `Beat: data[511:0], bytes[518:512], last[519]`
fn layout(descriptor: &TypeDescriptor) -> Option<String> {
    let TypeKind::Composite(fields) = &descriptor.kind else { return None };
    let mut low = 0;
    let mut parts = vec![];
    for field in fields {
        let bits = width(&field.kind);
        parts.push(match bits {
            1 => format!("{}[{low}]", field.fieldname),
            _ => format!("{}[{}:{low}]", field.fieldname, (low + bits).saturating_sub(1)),
        });
        low += bits;
    }
    Some(format!("{}: {}", descriptor.name, parts.join(", ")))
}
