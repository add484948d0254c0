// SPDX-License-Identifier: MIT OR Apache-2.0
//! Text of expressions and statements, in lines of at most [`LINE`] characters where the text can be broken.

use super::expr::{Binary, Expr, Kind, SignalId, Unary};
use super::stmt::{Arm, Stmt};
use num_bigint::BigUint;
use std::fmt::Write as _;

/// Longest line that is not broken, in characters.
pub(super) const LINE: usize = 100;

/// One step of indentation.
pub(super) const INDENT: &str = "    ";

/// Prints with the names of signals that `name` gives.
pub(super) struct Printer<'a> {
    pub name: &'a dyn Fn(SignalId) -> String,
    /// Width of a signal in bits.
    pub width: &'a dyn Fn(SignalId) -> usize,
    /// A select of `width` bits of a signal from `low` on, in that order.
    pub part: &'a dyn Fn(SignalId, usize, usize) -> String,
}

/// Longest operand that stands with others on a line, in characters.
const SHORT: usize = 24;

/// Operands of a chain that has many short ones, as many on a line as fit.
fn filled(operands: &[String], token: &str, column: usize) -> String {
    let pad = " ".repeat(column);
    let mut lines: Vec<String> = vec![];
    for operand in operands {
        match lines.last_mut() {
            None => lines.push(operand.clone()),
            Some(line) if column + line.len() + token.len() + operand.len() + 2 < LINE => {
                *line += &format!(" {token} {operand}");
            }
            Some(_) => lines.push(format!("{token} {operand}")),
        }
    }
    lines.join(&format!("\n{pad}"))
}

/// `[31:0] `, or nothing for one bit.
pub(super) fn range(width: usize) -> String {
    if width == 1 { String::new() } else { format!("[{}:0] ", width - 1) }
}

/// A sized number.
pub(super) fn constant(value: &BigUint, width: usize) -> String {
    match width {
        1 => format!("1'b{value}"),
        // Digits that all say the same are not for counting.
        65.. if value.count_ones() == width as u64 => format!("{{{width}{{1'b1}}}}"),
        _ if *value < BigUint::from(10u8) => format!("{width}'d{value}"),
        _ => format!("{width}'h{value:x}"),
    }
}

impl Printer<'_> {
    /// An expression on one line.
    pub fn expr(&self, e: &Expr) -> String {
        match &e.kind {
            Kind::Constant(value) => constant(value, e.width),
            Kind::Part { signal, low, whole } => {
                let select = if *whole { String::new() } else { (self.part)(*signal, *low, e.width) };
                format!("{}{select}", (self.name)(*signal))
            }
            Kind::Dynamic { signal, offset } if e.width == 1 => {
                format!("{}[{}]", (self.name)(*signal), self.expr(offset))
            }
            Kind::Dynamic { signal, offset } => {
                format!("{}[{} +: {}]", (self.name)(*signal), self.expr(offset), e.width)
            }
            // Not `^~a`: that is one operator, another one.
            Kind::Unary(op, a) if matches!(a.kind, Kind::Unary(..)) => {
                format!("{}({})", unary(*op, a.width), self.expr(a))
            }
            Kind::Unary(op, a) => format!("{}{}", unary(*op, a.width), self.operand(a)),
            Kind::Binary(a, op, b) => format!("{} {} {}", self.left(a, *op), binary(*op), self.right(b, *op)),
            Kind::Concat(parts) => {
                let parts: Vec<String> = parts.iter().map(|p| self.expr(p)).collect();
                format!("{{{}}}", parts.join(", "))
            }
        }
    }

    /// An expression inside another: in parentheses if it has operators.
    fn operand(&self, e: &Expr) -> String {
        if is_atomic(e) { self.expr(e) } else { format!("({})", self.expr(e)) }
    }

    fn left(&self, a: &Expr, op: Binary) -> String {
        match &a.kind {
            // `(a | b) | c` needs no parentheses.
            Kind::Binary(_, inner, _) if *inner == op && op.is_associative() => self.expr(a),
            _ => self.operand(a),
        }
    }

    fn right(&self, b: &Expr, op: Binary) -> String {
        match (&b.kind, op) {
            // An amount of a shift has no width to agree on.
            (Kind::Constant(amount), Binary::ShiftLeft | Binary::ShiftRight) => amount.to_string(),
            _ => self.operand(b),
        }
    }

    /// An expression in as many lines as it needs: `used` characters are taken on the first, and all others start at
    /// column `column` or behind.
    pub fn lines(&self, e: &Expr, column: usize, used: usize) -> String {
        let flat = self.expr(e);
        if used + flat.len() < LINE {
            return flat;
        }
        let pad = " ".repeat(column);
        match &e.kind {
            Kind::Concat(parts) => format!("{{\n{}\n{pad}}}", self.filled(parts, column + INDENT.len())),
            Kind::Unary(op, a) if matches!(a.kind, Kind::Concat(_)) => {
                format!("{}{}", unary(*op, a.width), self.lines(a, column, used))
            }
            Kind::Unary(op, a) if !is_atomic(a) => {
                let op = unary(*op, a.width);
                format!("{op}({})", self.lines(a, column + op.len() + 1, column + op.len() + 2))
            }
            Kind::Binary(a, op, b) => self.chain(a, *op, b, column),
            _ => flat,
        }
    }

    /// Operands of a chain of one operator, each on a line that starts with the operator.
    fn chain(&self, a: &Expr, op: Binary, b: &Expr, column: usize) -> String {
        let mut operands = vec![b];
        let mut rest = a;
        while let Kind::Binary(x, inner, y) = &rest.kind {
            if *inner != op || !op.is_associative() {
                break;
            }
            operands.push(y);
            rest = x;
        }
        operands.push(rest);
        let token = binary(op);
        let shift = matches!(op, Binary::ShiftLeft | Binary::ShiftRight);
        let texts = operands.iter().rev().enumerate().map(|(i, e)| match &e.kind {
            Kind::Constant(amount) if shift && i == 1 => amount.to_string(),
            _ if is_atomic(e) => self.lines(e, column, column + token.len() + 1),
            _ => format!("({})", self.lines(e, column + token.len() + 2, column + token.len() + 3)),
        });
        let texts: Vec<String> = texts.collect();
        if texts.iter().all(|text| text.len() <= SHORT && !text.contains('\n')) {
            return filled(&texts, token, column);
        }
        texts.join(&format!("\n{}{token} ", " ".repeat(column)))
    }

    /// Parts of a concatenation, as many on a line as fit.
    fn filled(&self, parts: &[Expr], column: usize) -> String {
        let pad = " ".repeat(column);
        let mut text = pad.clone();
        let mut used = column;
        for (i, e) in parts.iter().enumerate() {
            let comma = if i + 1 < parts.len() { "," } else { "" };
            let flat = self.expr(e).len();
            if used > column && used + 1 + flat >= LINE {
                write!(text, "\n{pad}").expect("a string");
                used = column;
            } else if used > column {
                text.push(' ');
                used += 1;
            }
            let shown = self.lines(e, column, column);
            used = if shown.contains('\n') { LINE } else { used + shown.len() + 1 };
            text += &shown;
            text += comma;
        }
        text
    }

    /// `prefix target = value;` with `prefix` empty or `assign `.
    pub fn assignment(&self, indent: &str, prefix: &str, target: &str, equals: &str, value: &Expr) -> String {
        let start = format!("{indent}{prefix}{target} {equals} ");
        let flat = self.expr(value);
        if start.len() + flat.len() < LINE {
            return format!("{start}{flat};\n");
        }
        if let Kind::Concat(_) = value.kind {
            return format!("{start}{};\n", self.lines(value, indent.len(), LINE));
        }
        let column = indent.len() + INDENT.len();
        let broken = self.lines(value, column, column);
        format!("{}\n{}{broken};\n", start.trim_end(), " ".repeat(column))
    }

    /// A statement in a process.
    pub fn statement(&self, stmt: &Stmt, indent: &str, out: &mut String) {
        match stmt {
            Stmt::Set { .. } | Stmt::SetBit { .. } => *out += &self.set(stmt, indent, ""),
            Stmt::If { test, then, otherwise } => {
                if let ([single], []) = (&then[..], &otherwise[..])
                    && let Some(line) = self.guarded(test, single, indent)
                {
                    *out += &line;
                    return;
                }
                *out += &format!("{indent}if ({}) begin\n", self.lines(test, indent.len() + 4, indent.len() + 13));
                self.branch(then, otherwise, indent, out);
            }
            Stmt::Case { value, arms } => {
                *out += &format!("{indent}case ({})\n", self.expr(value));
                arms.iter().for_each(|arm| self.arm(arm, &format!("{indent}{INDENT}"), out));
                *out += &format!("{indent}endcase\n");
            }
            Stmt::Comment(text) => *out += &comment(text, indent, ""),
        }
    }

    /// `if (test) target = value;`, if that fits on a line.
    fn guarded(&self, test: &Expr, stmt: &Stmt, indent: &str) -> Option<String> {
        if !matches!(stmt, Stmt::Set { .. } | Stmt::SetBit { .. }) {
            return None;
        }
        let line = self.set(stmt, &format!("{indent}if ({}) ", self.expr(test)), "");
        (line.lines().count() == 1 && line.len() <= LINE).then_some(line)
    }

    /// A plain assignment, with `assign ` as `prefix` outside a process.
    pub fn set(&self, stmt: &Stmt, indent: &str, prefix: &str) -> String {
        match stmt {
            Stmt::Set { target, low, value } => {
                let whole = value.width == (self.width)(*target);
                let select = if whole { String::new() } else { (self.part)(*target, *low, value.width) };
                self.assignment(indent, prefix, &format!("{}{select}", (self.name)(*target)), "=", value)
            }
            Stmt::SetBit { target, index, value } => {
                let target = format!("{}[{}]", (self.name)(*target), self.expr(index));
                self.assignment(indent, prefix, &target, "=", value)
            }
            _ => unreachable!("not an assignment"),
        }
    }

    fn branch(&self, then: &[Stmt], otherwise: &[Stmt], indent: &str, out: &mut String) {
        let deeper = format!("{indent}{INDENT}");
        then.iter().for_each(|stmt| self.statement(stmt, &deeper, out));
        match otherwise {
            [] => *out += &format!("{indent}end\n"),
            [Stmt::If { test, then, otherwise }] => {
                let test = self.lines(test, indent.len() + 4, indent.len() + 22);
                *out += &format!("{indent}end else if ({test}) begin\n");
                self.branch(then, otherwise, indent, out);
            }
            _ => {
                *out += &format!("{indent}end else begin\n");
                otherwise.iter().for_each(|stmt| self.statement(stmt, &deeper, out));
                *out += &format!("{indent}end\n");
            }
        }
    }

    fn arm(&self, arm: &Arm, indent: &str, out: &mut String) {
        let state = arm.state.map(|id| (self.name)(id));
        let label = match (arm.is_default, state) {
            (false, Some(state)) => format!("{state}: begin"),
            (_, Some(state)) => format!("default: begin // {state}"),
            (_, None) => "default: begin".into(),
        };
        *out += &format!("{indent}{label}\n");
        let deeper = format!("{indent}{INDENT}");
        arm.body.iter().for_each(|stmt| self.statement(stmt, &deeper, out));
        *out += &format!("{indent}end\n");
    }
}

/// A remark in lines of at most [`LINE`] characters where words allow it; `hanging` indents all but the first.
pub(super) fn comment(text: &str, indent: &str, hanging: &str) -> String {
    let mut lines = vec![format!("{indent}//")];
    for word in text.split_whitespace() {
        if lines.last().is_some_and(|line| line.len() + 1 + word.len() > LINE) {
            lines.push(format!("{indent}//{hanging}"));
        }
        let line = lines.last_mut().expect("there is a first line");
        *line += " ";
        *line += word;
    }
    lines.join("\n") + "\n"
}

/// `[low]` or `[high:low]`
pub(super) fn part(low: usize, width: usize) -> String {
    if width == 1 { format!("[{low}]") } else { format!("[{}:{low}]", low + width - 1) }
}

/// Whether an expression needs no parentheses as an operand.
fn is_atomic(e: &Expr) -> bool {
    match &e.kind {
        Kind::Binary(..) => false,
        Kind::Unary(op, _) => *op == Unary::Not,
        _ => true,
    }
}

fn unary(op: Unary, operand: usize) -> &'static str {
    match op {
        Unary::Not if operand == 1 => "!",
        Unary::Not => "~",
        Unary::Negate => "-",
        Unary::All => "&",
        Unary::Any => "|",
        Unary::Parity => "^",
    }
}

fn binary(op: Binary) -> &'static str {
    match op {
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::And => "&",
        Binary::Or => "|",
        Binary::Xor => "^",
        Binary::LogicalAnd => "&&",
        Binary::LogicalOr => "||",
        Binary::Equal => "==",
        Binary::NotEqual => "!=",
        Binary::Less => "<",
        Binary::LessEqual => "<=",
        Binary::Greater => ">",
        Binary::GreaterEqual => ">=",
        Binary::ShiftLeft => "<<",
        Binary::ShiftRight => ">>",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(run: impl FnOnce(&Printer) -> T) -> T {
        run(&Printer { name: &|id| format!("signal_{id}"), width: &|_| 8, part: &|_, low, width| part(low, width) })
    }

    fn byte(id: SignalId) -> Expr {
        Expr::whole(id, 8)
    }

    #[test]
    fn parentheses_follow_the_tree() {
        let and = Expr::binary(byte(0), Binary::And, byte(1), 8);
        let equal = Expr::binary(and, Binary::Equal, byte(2), 1);
        assert_eq!(with(|p| p.expr(&equal)), "(signal_0 & signal_1) == signal_2");
        let difference = Expr::binary(byte(0), Binary::Sub, byte(1), 8);
        let twice = Expr::binary(byte(2), Binary::Sub, difference, 8);
        assert_eq!(with(|p| p.expr(&twice)), "signal_2 - (signal_0 - signal_1)");
    }

    #[test]
    fn a_chain_of_one_operator_has_no_inner_parentheses() {
        let or = (1..4).fold(byte(0), |all, id| Expr::binary(all, Binary::Or, byte(id), 8));
        assert_eq!(with(|p| p.expr(&or)), "signal_0 | signal_1 | signal_2 | signal_3");
    }

    #[test]
    fn reductions_and_operators_are_told_apart() {
        let any = Expr::binary(Expr::unary(Unary::Any, byte(0)), Binary::And, Expr::whole(1, 1), 1);
        assert_eq!(with(|p| p.expr(&any)), "(|signal_0) & signal_1");
        let parity = Expr::unary(Unary::Parity, Expr::unary(Unary::Not, byte(0)));
        assert_eq!(with(|p| p.expr(&parity)), "^(~signal_0)");
    }

    #[test]
    fn long_expressions_are_broken_at_their_operators() {
        let or = (1..20).fold(byte(0), |all, id| Expr::binary(all, Binary::Or, byte(id), 8));
        let text = with(|p| p.set(&Stmt::Set { target: 99, low: 0, value: or }, "    ", "assign "));
        assert!(text.starts_with("    assign signal_99 =\n        signal_0 | signal_1 | signal_2"), "{text}");
        assert!(text.ends_with(" | signal_19;\n") && text.lines().all(|line| line.len() <= LINE), "{text}");
        let long =
            |id| Expr::binary(Expr::binary(byte(id), Binary::And, byte(id + 40), 8), Binary::Xor, byte(id + 80), 8);
        let or = (1..6).fold(long(0), |all, id| Expr::binary(all, Binary::Or, long(id), 8));
        let text = with(|p| p.set(&Stmt::Set { target: 99, low: 0, value: or }, "    ", "assign "));
        assert!(text.contains("\n        | ((signal_1 & signal_41) ^ signal_81)\n"), "{text}");
    }

    #[test]
    fn long_concatenations_are_filled_into_lines() {
        let concat = Expr::concat((0..30).map(byte));
        let text = with(|p| p.assignment("    ", "assign ", "y", "=", &concat));
        assert!(text.starts_with("    assign y = {\n        signal_0, signal_1,"), "{text}");
        assert!(text.ends_with("signal_29\n    };\n"), "{text}");
        assert!(text.lines().all(|line| line.len() <= LINE), "{text}");
    }

    #[test]
    fn a_wide_constant_of_ones_says_so() {
        let ones = |width: usize| (BigUint::from(1u8) << width) - 1u8;
        assert_eq!(constant(&ones(96), 96), "{96{1'b1}}");
        assert_eq!(constant(&ones(95), 96), format!("96'h7{}", "f".repeat(23)));
        assert_eq!(constant(&ones(12), 12), "12'hfff");
    }

    #[test]
    fn long_remarks_are_wrapped() {
        let text = comment(&"word ".repeat(40), "    ", "");
        assert!(
            text.lines().count() > 1 && text.lines().all(|l| l.starts_with("    // ") && l.len() <= LINE),
            "{text}"
        );
    }

    #[test]
    fn conditions_chain_without_deeper_indentation() {
        let set = |value: u8| Stmt::Set { target: 9, low: 0, value: Expr::constant(value.into(), 8) };
        let inner = Stmt::If { test: Expr::whole(1, 1), then: vec![set(1)], otherwise: vec![set(2)] };
        let outer = Stmt::If { test: Expr::whole(0, 1), then: vec![set(0)], otherwise: vec![inner] };
        let mut text = String::new();
        with(|p| p.statement(&outer, "", &mut text));
        let expected = "if (signal_0) begin\n    signal_9 = 8'd0;\nend else if (signal_1) begin\n    \
                        signal_9 = 8'd1;\nend else begin\n    signal_9 = 8'd2;\nend\n";
        assert_eq!(text, expected);
    }
}
