// SPDX-License-Identifier: MIT OR Apache-2.0
//! What paths of a kernel mean: signals, registers, and fields of them.

use super::super::error::{Fault, Reason};
use super::super::expr::SignalId;
use super::super::fields::{Field, fields};
use super::super::symbols::width;
use super::{Bound, Elaboration, Value};
use crate::front::tree::{Path, Step};
use rust_hdl_core::type_descriptor::TypeDescriptor;

/// A part of a signal that is driven.
#[derive(Clone)]
pub(super) struct Target {
    pub signal: SignalId,
    pub low: usize,
    pub descriptor: TypeDescriptor,
    /// If it is a register: the enable, if it has one.
    pub register: Option<Option<SignalId>>,
}

impl Target {
    pub fn width(&self) -> usize {
        width(&self.descriptor)
    }

    /// A field of it.
    pub fn field(&self, name: &str) -> Result<Target, Reason> {
        let Field { low, descriptor, .. } = field(&self.descriptor, name)?;
        Ok(Target { low: self.low + low, descriptor: descriptor.clone(), ..self.clone() })
    }
}

/// The field of this name.
fn field<'a>(descriptor: &'a TypeDescriptor, name: &str) -> Result<Field<'a>, Reason> {
    let missing = || Reason::NoField { field: name.into(), type_name: descriptor.name.clone() };
    fields(descriptor).find(|field| field.name == name).ok_or_else(missing)
}

impl Elaboration<'_> {
    /// The path's steps as the symbol table has them: `cell$3`, `key`.
    fn flat(&mut self, path: &Path) -> Result<Vec<String>, Fault> {
        let mut names: Vec<String> = vec![];
        for step in path.steps {
            match step {
                Step::Field(name) => names.push((*name).into()),
                Step::Index(index) => {
                    let index = self.number(index)?;
                    *names.last_mut().expect("an index stands behind a field") += &format!("${index}");
                }
            }
        }
        Ok(names)
    }

    /// The signal that a path leads to, and the fields of its value behind it. Of a register, `port` is meant.
    fn signal(&mut self, path: &Path, port: &str) -> Result<(SignalId, Vec<String>, bool), Fault> {
        let names = self.flat(path)?;
        for known in 1..=names.len() {
            let start = names[..known].join("$");
            let fields = || names[known..].to_vec();
            if let Some(id) = self.symbols.find(&start) {
                return Ok((id, fields(), false));
            }
            // A write to `self.r.en` is one to a port of the register. All else behind a register is of its value, whatever it is called.
            let written = names.get(known).filter(|_| port == "d");
            let port_named = written.and_then(|name| self.symbols.find(&format!("{start}${name}")));
            let is_register = self.node.children.iter().any(|child| child.is_register && child.name == start);
            if is_register && port_named.is_none() {
                let id = self.symbols.find(&format!("{start}${port}"));
                return id.map(|id| (id, fields(), true)).ok_or_else(|| self.fault(Reason::NoSuchSignal(start)));
            }
        }
        Err(self.fault(Reason::NoSuchSignal(names.join("."))))
    }

    /// What a path reads.
    pub(super) fn read(&mut self, path: &Path) -> Result<Value, Fault> {
        if !path.own {
            return self.read_local(path);
        }
        let (id, fields, _) = self.signal(path, "q")?;
        let whole = Value::Sized(self.symbols.whole(id), self.symbols[id].descriptor.clone());
        fields.iter().try_fold(whole, |value, name| self.field_of(value, name))
    }

    fn read_local(&mut self, path: &Path) -> Result<Value, Fault> {
        let names = self.flat(path)?;
        let value = match self.bound(&names[0])? {
            Bound::Number(number) => Value::Number(number),
            Bound::Value(value) => value,
            Bound::Signal(id) => Value::Sized(self.symbols.whole(id), self.symbols[id].descriptor.clone()),
        };
        names[1..].iter().try_fold(value, |value, name| self.field_of(value, name))
    }

    fn bound(&self, name: &str) -> Result<Bound, Fault> {
        let bound = self.names.iter().rev().find_map(|names| names.get(name));
        bound.cloned().ok_or_else(|| self.fault(Reason::NoSuchSignal(name.into())))
    }

    /// A field of a value.
    fn field_of(&mut self, value: Value, name: &str) -> Result<Value, Fault> {
        let Value::Sized(e, descriptor) = value else {
            return Err(self.fault(Reason::NoField { field: name.into(), type_name: "a number".into() }));
        };
        let field = field(&descriptor, name).map_err(|reason| self.fault(reason))?;
        let part = self.cut(e, field.low, field.width);
        Ok(Value::Sized(part, field.descriptor.clone()))
    }

    /// What a path drives.
    pub(super) fn target(&mut self, path: &Path) -> Result<Target, Fault> {
        let (signal, fields, is_register) = if path.own {
            self.signal(path, "d")?
        } else {
            let names = self.flat(path)?;
            let Bound::Signal(signal) = self.bound(&names[0])? else {
                return Err(self.fault(Reason::NotDrivenHere));
            };
            (signal, names[1..].to_vec(), false)
        };
        let symbol = &self.symbols[signal];
        self.target.clone_from(&symbol.name);
        if !symbol.role.is_driven_here() {
            return Err(self.fault(Reason::NotDrivenHere));
        }
        let register = is_register.then(|| self.enable_of(signal));
        let whole = Target { signal, low: 0, descriptor: self.symbols[signal].descriptor.clone(), register };
        fields.iter().try_fold(whole, |target, name| target.field(name)).map_err(|reason| self.fault(reason))
    }

    /// The enable of the register with this data input.
    fn enable_of(&self, data: SignalId) -> Option<SignalId> {
        let child = self.symbols[data].port.as_ref()?.child;
        self.symbols.port(self.node, child, "en")
    }
}
