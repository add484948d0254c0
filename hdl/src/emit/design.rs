// SPDX-License-Identifier: MIT OR Apache-2.0
//! All modules of a design: equal ones merged, each named after its Rust type.

use super::body::Body;
use super::error::{EmitError, Fault, Place, Reason};
use super::fields::{Field, fields};
use super::module_names::{self, Origin};
use super::names::{Names, without_paths};
use super::print::{INDENT, comment};
use super::tree::{Node, Signal};
use rust_hdl_core::type_descriptor::TypeDescriptor;
use std::collections::{BTreeSet, HashMap};

/// A Verilog module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// The Rust type it is made from, without paths of modules: `Fifo<Bits<40>, 9, 10>`. Blocks of other types that give the
    /// same Verilog share the module.
    pub rust_type: String,
    /// The full name of that type, with paths of modules.
    pub block: String,
    /// What the doc comment of that type says.
    pub doc: String,
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
    doc: String,
    origin: Origin,
    body: Body,
    layouts: Vec<String>,
    instances: Vec<String>,
}

#[derive(Default)]
struct Drafts {
    all: Vec<Draft>,
    /// Drafts by the name of their type without generics: only those of one may be merged.
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
        let origin = Origin::of(&rust_type, &node.parameters);
        let doc = node.doc.clone();
        self.merge(Draft {
            layouts: layouts(&node.signals),
            instances: vec![path.into()],
            rust_type,
            doc,
            origin,
            body,
        })
    }

    /// A module like it if there is one, or the draft as a new one.
    fn merge(&mut self, draft: Draft) -> usize {
        let alike = self.by_base.entry(draft.origin.base.clone()).or_default();
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
        for Fault { signal, reason, source } in faults {
            let known = |e: &EmitError| e.place.block == block && e.place.signal == signal && e.reason == reason;
            if !self.errors.iter().any(known) {
                let place = Place { path: path.into(), block: block.clone(), signal, source };
                self.errors.push(EmitError { place, reason });
            }
        }
    }
}

impl Draft {
    fn module(self, name: &str, names: &dyn Fn(usize) -> String) -> Module {
        let code = self.body.text(name, names);
        let text = format!("{}`default_nettype none\n{code}`default_nettype wire\n", self.header(name));
        let rust_type = without_paths(&self.rust_type);
        let (block, doc, instances) = (self.rust_type, self.doc, self.instances);
        Module { name: name.into(), rust_type, block, doc, instances, text }
    }

    /// Where the module comes from, where it is used, and what the bits of its structs are.
    fn header(&self, name: &str) -> String {
        let path = self.rust_type.split('<').next().unwrap_or_default();
        let folder = path.rsplit_once("::").map_or("", |(folder, _)| folder);
        let more = match self.instances.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let origin = format!("{name}: from the Rust block {folder}::{}", self.origin.described());
        let mut text = comment(&origin, "", INDENT) + &comment(&format!("{}{more}", self.instances[0]), "", INDENT);
        self.layouts.iter().for_each(|layout| text += &comment(layout, "", INDENT));
        text
    }
}

/// The name of each module: of the root `top` if that is given.
fn module_names(drafts: &Drafts, root: usize, top: Option<&str>) -> Vec<String> {
    let mut names = Names::default();
    let mut all = vec![String::new(); drafts.all.len()];
    if let Some(top) = top {
        all[root] = names.take(top);
    }
    let others = drafts.all.iter().enumerate().filter(|(i, _)| *i != root || top.is_none());
    let origins: Vec<_> = others.map(|(i, draft)| (i, &draft.origin)).collect();
    module_names::module_names(&origins, &mut names).into_iter().for_each(|(i, name)| all[i] = name);
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
    let part = |Field { name, low, width, .. }| match width {
        1 => format!("{name}[{low}]"),
        _ => format!("{name}[{}:{low}]", (low + width).saturating_sub(1)),
    };
    let parts: Vec<String> = fields(descriptor).filter(|field| field.width > 0).map(part).collect();
    (!parts.is_empty()).then(|| format!("{}: {}", descriptor.name, parts.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::Module;
    use crate::base::{Fifo, LutFifo};
    use crate::emit::modules;
    use crate::wire_struct;
    use rust_hdl_core::prelude::*;

    wire_struct! {
        pub struct Pair {
            pub low: Bits<8>,
            pub flag: Bit,
        }
    }

    /// Two equal FIFOs, one of another width, one of another kind; a struct.
    #[millrace_hdl::block]
    struct Four {
        pub clock: Signal<In, Clock>,
        pub reset: Signal<In, Bit>,
        pub pair: Signal<In, Pair>,
        pub full: Signal<Out, Bit>,
        #[count(2)]
        same: Vec<Fifo<Bits<8>, 3, 4>>,
        other: Fifo<Bits<9>, 3, 4>,
        short: LutFifo<Bits<8>, 3, 4>,
    }

    #[millrace_hdl::block]
    impl Four {
        fn update(&mut self) {
            for i in 0..2 {
                self.same[i].inp.data = self.pair.low;
                self.same[i].inp.valid = self.pair.flag;
                self.same[i].out.ready = true;
            }
            self.other.inp.data = 3;
            self.other.inp.valid = false;
            self.other.out.ready = true;
            self.short.inp.data = self.pair.low;
            self.short.inp.valid = self.pair.flag;
            self.short.out.ready = true;
            self.full = !self.same[0].inp.ready;
        }
    }

    fn four() -> Vec<Module> {
        let mut block = Box::new(Four::default());
        block.connect_all();
        modules(block.as_ref(), Some("top")).expect("the block can be emitted")
    }

    #[test]
    fn equal_modules_are_one_and_names_tell_the_others_apart() {
        let all = four();
        let names: Vec<&str> = all.iter().map(|module| module.name.as_str()).collect();
        assert_eq!(names[0], "top");
        for name in ["fifo_bits_8", "fifo_bits_9", "lut_fifo", "lut_ram", "ram_bits_8", "ram_bits_9"] {
            assert_eq!(names.iter().filter(|n| **n == name).count(), 1, "{name} in {names:?}");
        }
        assert_eq!(all.len(), 7, "{names:?}");
        let shared = all.iter().find(|module| module.name == "fifo_bits_8").expect("the shared module");
        assert_eq!(shared.instances, ["top.same_0", "top.same_1"]);
        assert_eq!(shared.rust_type, "Fifo<Bits<8>, 3, 4>");
    }

    #[test]
    fn the_header_says_where_a_module_comes_from_and_what_its_bits_are() {
        let top = &four()[0];
        let header = "// top: from the Rust block millrace_hdl::emit::design::tests::Four\n// top\n\
                      // Pair: low[7:0], flag[8]\n`default_nettype none\nmodule top (\n    input  wire clock,\n";
        assert!(top.text.starts_with(header), "{}", top.text);
        assert!(top.text.contains("    fifo_bits_8 same_1 (\n        .clock(clock),\n"), "{}", top.text);
        assert!(top.text.contains("        .inp_data(pair[PAIR_LOW +: 8]),\n"), "{}", top.text);
    }

    #[test]
    fn modules_come_before_those_they_instantiate() {
        let all = four();
        let at = |name: &str| all.iter().position(|module| module.name == name);
        assert!(at("top") < at("fifo_bits_8") && at("fifo_bits_8") < at("ram_bits_8"));
    }
}
