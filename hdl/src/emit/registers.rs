// SPDX-License-Identifier: MIT OR Apache-2.0
//! Registers as plain clocked blocks, those with the same clock, reset and enable together.

use super::expr::{Expr, SignalId};
use super::literal::literal_value;
use super::print::{INDENT, Printer};
use super::symbols::Symbols;
use super::tree::Node;

/// A register that a module holds.
struct Register {
    /// The signal it drives.
    q: SignalId,
    d: Expr,
    /// Its value after reset.
    initial: Option<Expr>,
}

/// What registers of one block have in common.
#[derive(PartialEq)]
struct Control {
    clock: Expr,
    reset: Option<Expr>,
    enable: Option<Expr>,
}

/// The clocked blocks of all registers of `node`. `input` gives what a port of a register is connected to.
pub(super) fn clocked_blocks(
    node: &Node,
    symbols: &Symbols,
    input: &dyn Fn(SignalId) -> Expr,
    printer: &Printer,
) -> String {
    let mut blocks: Vec<(Control, Vec<Register>)> = vec![];
    for index in (0..node.children.len()).filter(|index| node.children[*index].is_register) {
        let port = |name: &str| symbols.port(node, index, name);
        let (Some(clock), Some(q), Some(d)) = (port("clock"), port("q"), port("d")) else { continue };
        let control = Control {
            clock: input(clock),
            reset: port("reset").map(input).filter(|reset| *reset != Expr::zero(1)),
            enable: port("en").map(input).filter(|enable| *enable != Expr::constant(1u8.into(), 1)),
        };
        let register = Register { q, d: input(d), initial: initial(node, index, symbols[q].width) };
        match blocks.iter_mut().find(|(other, _)| *other == control) {
            Some((_, registers)) => registers.push(register),
            None => blocks.push((control, vec![register])),
        }
    }
    blocks.iter().map(|(control, registers)| block(control, registers, printer)).collect()
}

fn initial(node: &Node, index: usize, width: usize) -> Option<Expr> {
    let signal = node.children[index].signals.iter().find(|signal| signal.name == "init")?;
    Expr::constant(literal_value(&signal.value), signal.width).slice(0, width)
}

fn block(control: &Control, registers: &[Register], printer: &Printer) -> String {
    let mut text = format!("\n{INDENT}always @(posedge {}) ", printer.expr(&control.clock));
    let load = |indent: &str| -> String {
        registers.iter().map(|r| printer.assignment(indent, "", &(printer.name)(r.q), "<=", &r.d)).collect()
    };
    let deep = INDENT.repeat(2);
    let deeper = INDENT.repeat(3);
    let enable = control.enable.as_ref().map_or(String::new(), |e| format!("if ({}) ", printer.lines(e, 12, 25)));
    match &control.reset {
        None => text += &format!("{enable}begin\n{}{INDENT}end\n", load(&deep)),
        Some(reset) => {
            let zero = |r: &Register| Expr::zero(r.d.width);
            let clear: String = registers
                .iter()
                .map(|r| (r, r.initial.clone().unwrap_or_else(|| zero(r))))
                .map(|(r, value)| printer.assignment(&deeper, "", &(printer.name)(r.q), "<=", &value))
                .collect();
            let reset = printer.lines(reset, 12, 12);
            text += &format!("begin\n{deep}if ({reset}) begin\n{clear}{deep}end else {enable}begin\n");
            text += &format!("{}{deep}end\n{INDENT}end\n", load(&deeper));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::base::{Fifo, LutFifo};
    use crate::emit::verilog;
    use rust_hdl_core::prelude::*;

    fn text(mut block: impl Block) -> String {
        block.connect_all();
        verilog(&block, Some("top")).expect("the block can be emitted")
    }

    /// That the text has this passage.
    fn assert_has(text: &str, passage: &str) {
        assert!(text.contains(passage), "expected\n{passage}\nin\n{text}");
    }

    #[test]
    fn registers_with_the_same_control_share_a_block() {
        let fifo = text(Fifo::<Bits<8>, 3, 4>::default());
        let both =
            "if (reset) begin\n            fetched <= 1'b0;\n            loaded <= 1'b0;\n        end else begin\n";
        assert_has(&fifo, both);
    }

    #[test]
    fn reset_wins_over_enable_and_a_register_without_reset_has_none() {
        let fifo = text(LutFifo::<Bits<8>, 3, 4>::default());
        assert_has(&fifo, "if (reset) begin\n            tail <= 3'd0;\n        end else if (");
        let word = text(Fifo::<Bits<8>, 3, 4>::default());
        assert_has(&word, "always @(posedge clock) if (load) begin\n        word <= ram_rdata;\n    end");
    }
}
