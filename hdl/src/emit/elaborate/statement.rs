// SPDX-License-Identifier: MIT OR Apache-2.0
//! Statements, and expressions that branch.

use super::super::error::{Fault, Reason};
use super::super::expr::{Expr, Kind, SignalId};
use super::super::stmt::{Arm, Stmt};
use super::super::symbols::Role;
use super::place::Target;
use super::select::inside;
use super::{Bound, Elaboration, Value};
use crate::front::tree::{self, Block, Path, What};
use num_bigint::BigUint;
use rust_hdl_core::type_descriptor::TypeDescriptor;
use std::collections::HashMap;

type Done = Result<(), Fault>;

impl<'a> Elaboration<'a> {
    /// The statements, each with its own fault: not those that only read what a faulty `let` has not made.
    pub(super) fn statements_with_all_faults(&mut self, body: &'static [tree::Stmt]) -> Vec<Fault> {
        let (mut faults, mut missing) = (vec![], vec![]);
        for stmt in body {
            let Err(fault) = self.statement(stmt) else { continue };
            if let What::Let(name, ..) = stmt.what {
                missing.push(name);
            }
            if !matches!(&fault.reason, Reason::NoSuchSignal(name) if missing.contains(&name.as_str())) {
                faults.push(fault);
            }
        }
        faults
    }

    pub(super) fn block(&mut self, body: &'static [tree::Stmt]) -> Done {
        body.iter().try_for_each(|stmt| self.statement(stmt))
    }

    fn statement(&mut self, stmt: &'static tree::Stmt) -> Done {
        let file = self.kernel.file;
        self.named_statement(&stmt.what).map_err(|fault| fault.in_line(file, stmt.line))
    }

    fn named_statement(&mut self, what: &'static What) -> Done {
        match what {
            What::Let(name, type_, value) => self.local(name, *type_, value),
            What::Set(path, value) => {
                let target = self.target(path)?;
                self.drive(&target, value)
            }
            What::SetBit(path, index, bit) => self.set_bit(path, index, bit),
            What::If(test, then, otherwise) => match self.decided(test)? {
                Some(holds) => {
                    let body = if holds { then } else { otherwise };
                    self.scoped(HashMap::new(), |inner| inner.block(body))
                }
                None => {
                    let test = self.of_width(test, 1)?;
                    let ((), then) = self.collected(|inner| inner.block(then))?;
                    let ((), otherwise) = self.collected(|inner| inner.block(otherwise))?;
                    self.push(Stmt::If { test, then, otherwise });
                    Ok(())
                }
            },
            What::Match(value, arms) => self.case(value, arms, &mut |inner, arm| inner.block(arm.body)),
            What::For(index, from, to, body) => {
                for i in self.number(from)?..self.number(to)? {
                    let run = HashMap::from([((*index).to_owned(), Bound::Number(i.into()))]);
                    self.scoped(run, |inner| inner.block(body))?;
                }
                Ok(())
            }
            What::Comment(text) => {
                let words: Vec<&str> = text.split_whitespace().collect();
                self.push(Stmt::Comment(words.join(" ")));
                Ok(())
            }
            What::Link(own, other) => self.link(own, other),
        }
    }

    /// A condition that is known when the block is built.
    fn decided(&mut self, test: &'static tree::Expr) -> Result<Option<bool>, Fault> {
        use tree::Expr as E;
        let simple = matches!(test, E::Bit(_) | E::Constant(_) | E::Binary(..));
        if !simple {
            return Ok(None);
        }
        match self.dry(|inner| inner.value(test))? {
            Value::Sized(Expr { width: 1, kind: Kind::Constant(bit) }, _) => Ok(Some(bit == BigUint::from(1u8))),
            _ => Ok(None),
        }
    }

    /// What `probe` gives, without what it leaves behind.
    fn dry<T>(&mut self, probe: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        let (symbols, target) = (self.symbols.clone(), self.target.clone());
        let (out, loaded) = (std::mem::replace(&mut self.out, vec![vec![]]), self.loaded.clone());
        let result = probe(self);
        (self.symbols, self.target, self.out, self.loaded) = (symbols, target, out, loaded);
        result
    }

    /// A wire with a value.
    fn local(&mut self, name: &str, type_: Option<usize>, value: &'static tree::Expr) -> Done {
        self.target = name.into();
        let descriptor = match type_ {
            Some(index) => self.kernel.types[index].clone(),
            None => match self.dry(|inner| inner.probe(value))? {
                Value::Sized(_, descriptor) => descriptor,
                Value::Number(number) => return Err(self.fault(Reason::UnsizedLiteral(number.to_string()))),
            },
        };
        let signal = self.wire(&self.numbered(name), descriptor.clone());
        self.target.clone_from(&self.symbols[signal].name);
        self.drive_wire(signal, descriptor, value)?;
        self.names.last_mut().expect("a scope is there").insert(name.into(), Bound::Signal(signal));
        Ok(())
    }

    /// The name of a wire in the loops that we are in: that of each run has its number.
    fn numbered(&self, name: &str) -> String {
        let runs = self.names.iter().flat_map(HashMap::values);
        let numbers = runs.filter_map(|bound| if let Bound::Number(number) = bound { Some(number) } else { None });
        numbers.fold(name.into(), |name, number| format!("{name}${number}"))
    }

    /// A value of the right type, not more.
    fn probe(&mut self, e: &'static tree::Expr) -> Result<Value, Fault> {
        use tree::Expr as E;
        let mut first_sized = |values: &mut dyn Iterator<Item = (&'static [tree::Stmt], &'static tree::Expr)>| {
            let mut last = None;
            for (body, value) in values {
                let (value, _) = self.collected(|inner| inner.block(body).and_then(|()| inner.probe(value)))?;
                if matches!(value, Value::Sized(..)) {
                    return Ok(value);
                }
                last = Some(value);
            }
            last.ok_or_else(|| self.fault(Reason::Unsupported("a `match` without arms".into())))
        };
        match e {
            E::If(_, then, otherwise) => {
                first_sized(&mut [(then.body, &then.value), (otherwise.body, &otherwise.value)].into_iter())
            }
            E::Match(_, arms) => first_sized(&mut arms.iter().filter_map(|arm| Some((arm.body, arm.value.as_ref()?)))),
            E::Struct(Some(base), _) => self.probe(base),
            E::Struct(None, _) => Err(self.fault(Reason::StructWithoutType)),
            _ => self.value(e),
        }
    }

    /// A branching expression in the middle of another: a helper has its value.
    pub(super) fn branching(&mut self, e: &'static tree::Expr) -> Result<Value, Fault> {
        let name = self.target.clone();
        let Value::Sized(_, descriptor) = self.dry(|inner| inner.probe(e))? else {
            return Err(self.fault(Reason::LiteralOperator));
        };
        let signal = self.wire(&format!("{name}_chosen"), descriptor.clone());
        self.drive_wire(signal, descriptor.clone(), e)?;
        self.target = name;
        Ok(Value::Sized(self.symbols.whole(signal), descriptor))
    }

    /// Gives a new wire its value.
    fn drive_wire(&mut self, signal: SignalId, descriptor: TypeDescriptor, value: &'static tree::Expr) -> Done {
        let target = Target { signal, low: 0, descriptor, register: None };
        let ((), wires) = self.listed(|inner| inner.drive(&target, value))?;
        self.push_wires(wires);
        Ok(())
    }

    /// Drives a target with a value; branches of the value become branches around the assignment.
    fn drive(&mut self, target: &Target, value: &'static tree::Expr) -> Done {
        use tree::Expr as E;
        match value {
            E::If(test, then, otherwise) => self.drive_one_of(target, test, then, otherwise),
            E::Match(value, arms) => self.case(value, arms, &mut |inner, arm| {
                inner.block(arm.body)?;
                match &arm.value {
                    Some(value) => inner.drive(target, value),
                    None => Err(inner.fault(Reason::Unsupported("an arm without a value".into()))),
                }
            }),
            E::Struct(base, fields) => {
                let begin = self.out.last().map_or(0, Vec::len);
                if let Some(base) = base {
                    self.drive(target, base)?;
                }
                for (name, value) in *fields {
                    let field = target.field(name).map_err(|reason| self.fault(reason))?;
                    self.drive(&field, value)?;
                }
                self.reads_not_itself(target, begin)
            }
            _ => {
                let value = self.of_width(value, target.width())?;
                self.set(target, value);
                Ok(())
            }
        }
    }

    /// Fields are assigned one after the other: none may read what an earlier one has changed.
    fn reads_not_itself(&self, target: &Target, begin: usize) -> Done {
        let assigned = self.out.last().into_iter().flatten().skip(begin + 1);
        let reads_itself = Stmt::all_read(assigned).contains(&target.signal);
        if reads_itself { Err(self.fault(Reason::StructOfItself)) } else { Ok(()) }
    }

    fn set(&mut self, target: &Target, value: Expr) {
        // What a build has no bits of is not there.
        if value.width > 0 {
            self.push(Stmt::Set { target: target.signal, low: target.low, value });
        }
        self.load(target);
    }

    /// A register that is assigned is loaded.
    fn load(&mut self, target: &Target) {
        let Some(enable) = target.register else { return };
        self.loaded.insert((target.signal, enable));
        if let Some(enable) = enable {
            self.push(Stmt::Set { target: enable, low: 0, value: Expr::constant(1u8.into(), 1) });
        }
    }

    fn drive_one_of(
        &mut self,
        target: &Target,
        test: &'static tree::Expr,
        then: &'static Block,
        otherwise: &'static Block,
    ) -> Done {
        if let Some(holds) = self.decided(test)? {
            let Block { body, value } = if holds { then } else { otherwise };
            return self.scoped(HashMap::new(), |inner| inner.block(body).and_then(|()| inner.drive(target, value)));
        }
        let test = self.of_width(test, 1)?;
        let mut branch = |Block { body, value }: &'static Block| {
            self.collected(|inner| inner.block(body).and_then(|()| inner.drive(target, value)))
        };
        let (((), then), ((), otherwise)) = (branch(then)?, branch(otherwise)?);
        self.push(Stmt::If { test, then, otherwise });
        Ok(())
    }

    fn case(
        &mut self,
        value: &'static tree::Expr,
        arms: &'static [tree::Arm],
        inside: &mut dyn FnMut(&mut Self, &'static tree::Arm) -> Done,
    ) -> Done {
        let value = self.sized(value)?;
        let mut made = vec![];
        for arm in arms {
            let ((), body) = self.collected(|inner| inside(inner, arm))?;
            for state in arm.states {
                made.push(Arm {
                    state: Some(self.state_of(state, value.width)?),
                    is_default: false,
                    body: body.clone(),
                });
            }
            if arm.states.is_empty() {
                made.push(Arm { state: None, is_default: true, body });
            }
        }
        // Rust has checked that the arms cover all states: the last stands for unused encodings, too.
        if let Some(last) = made.last_mut() {
            last.is_default = true;
        }
        self.push(Stmt::Case { value, arms: made });
        Ok(())
    }

    fn state_of(&self, name: &str, width: usize) -> Result<usize, Fault> {
        let state = self.symbols.find(name).filter(|id| self.symbols[*id].role == Role::Constant);
        let state = state.ok_or_else(|| self.fault(Reason::MatchArm(name.into())))?;
        if self.symbols[state].width == width {
            Ok(state)
        } else {
            Err(self.fault(Reason::MatchArmOfOtherEnum(name.into())))
        }
    }

    fn set_bit(&mut self, path: &Path, index: &'static tree::Expr, bit: &'static tree::Expr) -> Done {
        let target = self.target(path)?;
        let width = target.width();
        let value = self.of_width(bit, 1)?;
        match self.value(index)? {
            Value::Number(at) => {
                let at = inside(self.natural(&at)?, width).map_err(|reason| self.fault(reason))?;
                self.set(&Target { low: target.low + at, ..target }, value);
                Ok(())
            }
            Value::Sized(..) if width == 1 => {
                self.set(&target, value);
                Ok(())
            }
            Value::Sized(..) if target.low > 0 || width != self.symbols[target.signal].width => {
                Err(self.fault(Reason::Unsupported("a computed bit of a field".into())))
            }
            Value::Sized(index, _) => {
                let index = self.bit_index(index, width);
                self.push(Stmt::SetBit { target: target.signal, index, value });
                self.load(&target);
                Ok(())
            }
        }
    }
}
