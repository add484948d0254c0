// SPDX-License-Identifier: MIT OR Apache-2.0
//! Connections of whole bundles.

use super::super::error::{Fault, Reason};
use super::super::stmt::Stmt;
use super::Elaboration;
use crate::front::tree::{Path, Step};

impl Elaboration<'_> {
    /// Connects each signal of a bundle with that of the same name; who drives follows from their directions.
    pub(super) fn link(&mut self, own: &Path, other: &Path) -> Result<(), Fault> {
        let (own, other) = (self.bundle(own)?, self.bundle(other)?);
        let fields = self.symbols.below(&own);
        if fields.is_empty() {
            return Err(self.fault(Reason::NoSuchSignal(own.replace('$', "."))));
        }
        for (field, a) in fields {
            let path = format!("{other}{field}");
            let b = self.symbols.find(&path);
            let b = b.ok_or_else(|| self.fault(Reason::NoSuchSignal(path.replace('$', "."))))?;
            let (target, source) = if self.symbols[a].role.is_driven_here() { (a, b) } else { (b, a) };
            self.target.clone_from(&self.symbols[target].name);
            let (target_symbol, value) = (&self.symbols[target], self.symbols.whole(source));
            if !target_symbol.role.is_driven_here() {
                return Err(self.fault(Reason::NotDrivenHere));
            }
            if target_symbol.width != value.width {
                let (found, needed, expression) = (value.width, target_symbol.width, self.symbols[source].name.clone());
                return Err(self.fault(Reason::Width { found, needed, expression }));
            }
            if value.width > 0 {
                self.push(Stmt::Set { target, low: 0, value });
            }
        }
        Ok(())
    }

    /// The path of a bundle as the symbol table has it.
    fn bundle(&mut self, path: &Path) -> Result<String, Fault> {
        let mut flat = String::new();
        for step in path.steps {
            match step {
                Step::Field(name) if flat.is_empty() => flat += name,
                Step::Field(name) => flat += &format!("${name}"),
                Step::Index(index) => flat += &format!("${}", self.number(index)?),
            }
        }
        Ok(flat)
    }
}
