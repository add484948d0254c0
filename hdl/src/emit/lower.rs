// SPDX-License-Identifier: MIT OR Apache-2.0
//! From rust-hdl's statements to sized statements over a symbol table.

use super::error::{Fault, Reason};
use super::expr::{Expr, SignalId};
use super::literal::fit;
use super::scope::{Scope, flat, shown};
use super::select::{Select, inside};
use super::stmt::{Arm, Stmt};
use super::symbols::{Role, Symbols};
use rust_hdl_core::ast::*;

type Lowered = Result<(), Fault>;

/// A module while its kernel is translated.
pub(super) struct Lowering {
    pub scope: Scope,
    /// Assignments to helpers that the next statement needs before it.
    pending: Vec<Stmt>,
    /// The signal that is being assigned: helpers are named after it.
    target: String,
}

impl Select for Lowering {
    fn helper(&mut self, e: Expr) -> Expr {
        let helper = self.scope.symbols.add_helper(&self.target, e.width);
        self.pending.push(Stmt::Set { target: helper, low: 0, value: e });
        self.scope.symbols.whole(helper)
    }
}

impl Lowering {
    pub fn new(symbols: Symbols) -> Self {
        Lowering { scope: Scope { symbols, loops: vec![] }, pending: vec![], target: "helper".into() }
    }

    /// The statements of a kernel, and everything in it that cannot be translated.
    pub fn kernel(&mut self, statements: &[VerilogStatement]) -> (Vec<Stmt>, Vec<Fault>) {
        let mut lowered = vec![];
        let faults = statements.iter().filter_map(|s| self.statement(s, &mut lowered).err()).collect();
        (lowered, faults)
    }

    fn block(&mut self, statements: &[VerilogStatement], out: &mut Vec<Stmt>) -> Lowered {
        statements.iter().try_for_each(|s| self.statement(s, out))
    }

    /// Appends a statement behind the helpers it needs.
    fn push(&mut self, stmt: Stmt, out: &mut Vec<Stmt>) {
        out.append(&mut self.pending);
        out.push(stmt);
    }

    fn statement(&mut self, statement: &VerilogStatement, out: &mut Vec<Stmt>) -> Lowered {
        use VerilogStatement as S;
        match statement {
            S::Assignment(VerilogExpression::Signal(path), value) => self.assignment(path, value, out),
            S::SliceAssignment { base: VerilogExpression::Signal(path), width, offset, replacement } => {
                let target = self.target(path)?;
                let low = self.scope.offset(offset)?;
                let value = self.expr(replacement, Some(*width)).map_err(|reason| self.fault(reason))?;
                self.push(Stmt::Set { target, low, value }, out);
                Ok(())
            }
            S::If(conditional) => self.conditional(conditional, out),
            S::Match(matching) => self.case(matching, out),
            S::Loop(repeated) => self.repeat(repeated, out),
            S::Comment(text) => {
                out.push(Stmt::Comment(comment(text)));
                Ok(())
            }
            S::Link(links) => links.iter().try_for_each(|link| self.link(link, out)),
            S::Macro(inner) => self.block(inner, out),
            S::Assignment(left, _) | S::SliceAssignment { base: left, .. } => {
                Err(Reason::Unsupported(format!("{} = …", shown(left))).into())
            }
        }
    }

    /// The signal on the left of an assignment.
    fn target(&mut self, path: &str) -> Result<SignalId, Fault> {
        let id = self.scope.signal(path)?;
        let symbol = &self.scope.symbols[id];
        if matches!(symbol.role, Role::Input | Role::Constant | Role::ChildOutput) {
            return Err(Fault::at(&symbol.name, Reason::NotDrivenHere));
        }
        self.target.clone_from(&symbol.name);
        Ok(id)
    }

    /// A fault of the assignment in hand.
    fn fault(&self, reason: Reason) -> Fault {
        Fault::at(&self.target, reason)
    }

    fn assignment(&mut self, path: &str, value: &VerilogExpression, out: &mut Vec<Stmt>) -> Lowered {
        let target = self.target(path)?;
        let width = self.scope.symbols[target].width;
        let stmt = match self.own_bit(target, value).map_err(|reason| self.fault(reason))? {
            Some(stmt) => stmt,
            None => {
                let value = self.assigned(value, width).map_err(|reason| self.fault(reason))?;
                Stmt::Set { target, low: 0, value }
            }
        };
        self.push(stmt, out);
        Ok(())
    }

    /// `x.next = x.val().replace_bit(i, v)` writes one bit of `x`.
    fn own_bit(&mut self, target: SignalId, value: &VerilogExpression) -> Result<Option<Stmt>, Reason> {
        let VerilogExpression::IndexReplace(base, index, bit) = value else { return Ok(None) };
        let VerilogExpression::Signal(path) = base.as_ref() else { return Ok(None) };
        if self.scope.signal(path)? != target {
            return Ok(None);
        }
        let width = self.scope.symbols[target].width;
        let value = self.expr(bit, Some(1))?;
        if self.scope.type_of(index)?.is_none() {
            let low = inside(self.scope.offset(index)?, width)?;
            return Ok(Some(Stmt::Set { target, low, value }));
        }
        if width == 1 {
            return Ok(Some(Stmt::Set { target, low: 0, value }));
        }
        let index = self.expr(index, None)?;
        let index = self.bit_index(index, width);
        Ok(Some(Stmt::SetBit { target, index, value }))
    }

    /// The right side of an assignment to `width` bits. Only here does a signed cast have a known width.
    fn assigned(&mut self, value: &VerilogExpression, width: usize) -> Result<Expr, Reason> {
        let mut inner = value;
        while let VerilogExpression::Paren(e) = inner {
            inner = e;
        }
        let VerilogExpression::Signed(cast) = inner else { return self.expr(inner, Some(width)) };
        match self.scope.type_of(cast)? {
            None => fit(self.scope.number(cast)?, width),
            Some(t) if t.width == width || t.signed => {
                let e = self.expr(cast, None)?;
                let e = self.named(e);
                Ok(match e.slice(0, width) {
                    Some(low) if width <= e.width => low,
                    _ => Expr { width, kind: super::expr::Kind::SignExtend(Box::new(e)) },
                })
            }
            Some(_) => Err(Reason::SignedCastWidth),
        }
    }

    fn conditional(&mut self, conditional: &VerilogConditional, out: &mut Vec<Stmt>) -> Lowered {
        if let Some(holds) = self.scope.decided(&conditional.test)? {
            return if holds {
                self.block(&conditional.then, out)
            } else {
                self.otherwise(&conditional.otherwise, out)
            };
        }
        let test = self.expr(&conditional.test, Some(1))?;
        let pending = std::mem::take(&mut self.pending);
        let (mut then, mut otherwise) = (vec![], vec![]);
        self.block(&conditional.then, &mut then)?;
        self.otherwise(&conditional.otherwise, &mut otherwise)?;
        self.pending = pending;
        self.push(Stmt::If { test, then, otherwise }, out);
        Ok(())
    }

    fn otherwise(&mut self, branch: &VerilogBlockOrConditional, out: &mut Vec<Stmt>) -> Lowered {
        match branch {
            VerilogBlockOrConditional::Block(statements) => self.block(statements, out),
            VerilogBlockOrConditional::Conditional(statement) => self.statement(statement, out),
            VerilogBlockOrConditional::None => Ok(()),
        }
    }

    fn case(&mut self, matching: &VerilogMatch, out: &mut Vec<Stmt>) -> Lowered {
        let value = self.expr(&matching.test, None)?;
        let pending = std::mem::take(&mut self.pending);
        let mut arms = vec![];
        for case in &matching.cases {
            let state = self.state(&case.condition, value.width)?;
            let mut body = vec![];
            self.block(&case.block, &mut body)?;
            arms.push(Arm { state, is_default: state.is_none(), body });
        }
        // Rust has checked that the arms cover all states: the last stands for unused encodings, too.
        if let Some(last) = arms.last_mut() {
            last.is_default = true;
        }
        self.pending = pending;
        self.push(Stmt::Case { value, arms }, out);
        Ok(())
    }

    /// The enum state of a `match` arm; none for `_`.
    fn state(&self, condition: &str, width: usize) -> Result<Option<SignalId>, Reason> {
        if condition == "default" {
            return Ok(None);
        }
        let state = self.scope.symbols.find(&flat(condition));
        let state = state.filter(|id| self.scope.symbols[*id].role == Role::Constant);
        let state = state.ok_or_else(|| Reason::MatchArm(condition.into()))?;
        if self.scope.symbols[state].width != width {
            return Err(Reason::MatchArmOfOtherEnum(condition.into()));
        }
        Ok(Some(state))
    }

    /// A loop is unrolled.
    fn repeat(&mut self, repeated: &VerilogLoop, out: &mut Vec<Stmt>) -> Lowered {
        if self.scope.symbols.find(&repeated.index).is_some() {
            return Err(Reason::LoopVariableNamedAsSignal(repeated.index.clone()).into());
        }
        for i in repeated.from.as_usize()..repeated.to.as_usize() {
            let value = i64::try_from(i).map_err(|_| Reason::BadIndex(i.to_string()))?;
            self.scope.loops.push((repeated.index.clone(), value));
            let result = self.block(&repeated.block, out);
            self.scope.loops.pop();
            result?;
        }
        Ok(())
    }

    /// One field of `join` or `link`.
    fn link(&mut self, link: &VerilogLink, out: &mut Vec<Stmt>) -> Lowered {
        let (details, forward) = match link {
            VerilogLink::Forward(details) => (details, true),
            VerilogLink::Backward(details) => (details, false),
            VerilogLink::Bidirectional(_) => return Err(Reason::TriState.into()),
        };
        let path = |owner: &str| format!("{owner}${}", flat(&details.my_name)).trim_end_matches('$').to_string();
        let (owner, other) = (path(&details.owner_name), path(&details.other_name));
        let (to, from) = if forward { (other, owner) } else { (owner, other) };
        let (target, source) = (self.target(&to)?, self.scope.signal(&from)?);
        let value = self.scope.symbols.whole(source);
        self.push(Stmt::Set { target, low: 0, value }, out);
        Ok(())
    }
}

/// The text of `comment!("…")`, on one line, without what the macro leaves of the call around it.
fn comment(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let call = ["comment", "println", "assert"].iter().find_map(|name| text.strip_prefix(name));
    let Some(argument) = call.and_then(|rest| rest.trim_start().strip_prefix('!')) else { return text };
    let quoted = argument.trim().trim_start_matches(['(', ' ']).trim_end_matches(';');
    let quoted = ["\")", "\" )"].iter().find_map(|end| quoted.strip_suffix(end)).unwrap_or(quoted);
    quoted.trim_matches(['"', ' ']).into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::Fifo;
    use crate::emit::tree::collect;
    use rust_hdl_core::prelude::Bits;

    /// The scope of a FIFO of bytes: `inp$data` has 8 bits, `count` 4.
    pub fn lowering() -> Lowering {
        Lowering::new(Symbols::of(&collect(&Fifo::<Bits<8>, 3, 4>::default(), "top")))
    }

    pub fn signal(path: &str) -> VerilogExpression {
        VerilogExpression::Signal(path.into())
    }

    pub fn number(value: i32) -> VerilogExpression {
        VerilogExpression::Literal(value.into())
    }

    fn set(path: &str, value: VerilogExpression) -> VerilogStatement {
        VerilogStatement::Assignment(signal(path), value)
    }

    #[test]
    fn loops_are_unrolled_and_their_conditions_decided() {
        let test = VerilogExpression::Binary(Box::new(signal("i")), VerilogOp::Eq, Box::new(number(1)));
        let branch = VerilogStatement::If(VerilogConditional {
            test,
            then: vec![set("count", number(9))],
            otherwise: VerilogBlockOrConditional::None,
        });
        let body = VerilogLoop { index: "i".into(), from: 0i32.into(), to: 4i32.into(), block: vec![branch] };
        let (statements, faults) = lowering().kernel(&[VerilogStatement::Loop(body)]);
        assert_eq!(faults, []);
        assert!(matches!(&statements[..], [Stmt::Set { value, .. }] if *value == Expr::constant(9u8.into(), 4)));
    }

    #[test]
    fn replacing_a_bit_of_the_signal_itself_writes_that_bit_alone() {
        let value =
            VerilogExpression::IndexReplace(Box::new(signal("count")), Box::new(number(2)), Box::new(signal("push")));
        let (statements, faults) = lowering().kernel(&[set("count", value)]);
        assert_eq!(faults, []);
        assert!(matches!(&statements[..], [Stmt::Set { low: 2, value, .. }] if value.width == 1));
    }

    #[test]
    fn faults_name_the_signal_and_do_not_hide_each_other() {
        let (_, faults) = lowering().kernel(&[set("count", number(16)), set("inp$data", number(0))]);
        let too_wide = Reason::LiteralTooWide { value: "16".into(), width: 4 };
        assert_eq!(faults, [Fault::at("count", too_wide), Fault::at("inp_data", Reason::NotDrivenHere)]);
    }

    #[test]
    fn a_remark_loses_the_call_around_it() {
        assert_eq!(comment("comment ! (\"why\")"), "why");
        assert_eq!(comment("comment !\n(\n  \"why (of\n two)\"\n)"), "why (of two)");
        assert_eq!(comment("comment! (\"why (of two)"), "why (of two)");
        assert_eq!(comment("why"), "why");
    }
}
