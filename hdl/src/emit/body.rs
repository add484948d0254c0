// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text of a module, all but its name and those of the modules it instantiates.

use super::check::check;
use super::connect::Connections;
use super::dead::without_dead;
use super::elaborate::elaborate;
use super::error::{Fault, Reason};
use super::expr::{Expr, Kind, SignalId, Unary};
use super::fields::Fields;
use super::fold::folded;
use super::partition::{Partition, Process, partition};
use super::print::{INDENT, Printer, comment, constant, range};
use super::registers::clocked_blocks;
use super::stmt::Stmt;
use super::symbols::{Role, Symbols};
use super::tree::Node;
use super::unused::unused;
use rust_hdl_core::ast::Verilog;
use std::collections::BTreeSet;

/// What two modules have in common if they are the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Body {
    ports: String,
    declarations: String,
    instances: Vec<Instance>,
    logic: String,
    /// Hard-IP modules that the code instantiates, as text.
    pub cores: String,
}

/// An instance of another module.
#[derive(Clone, Debug, PartialEq)]
struct Instance {
    /// Which module, in the numbers of the caller.
    module: usize,
    name: String,
    /// A remark above it, in lines.
    remark: String,
    connections: String,
}

impl Body {
    /// The body of `node`; `modules` are the modules of its children, none for registers.
    pub fn of(node: &Node, modules: &[Option<usize>]) -> Result<Self, Vec<Fault>> {
        let symbols = Symbols::of(node);
        let tristate = symbols.iter().find(|(_, s)| s.role == Role::InOut).map(|(_, s)| s.name.clone());
        if let Some(name) = tristate {
            return Err(vec![Fault::at(&name, Reason::TriState)]);
        }
        if let Some(kernel) = &node.kernel {
            let signed: Vec<Fault> = symbols.signed().map(|symbol| Fault::at(&symbol.name, Reason::Signed)).collect();
            if !signed.is_empty() {
                return Err(signed);
            }
            let (statements, symbols) = elaborate(node, kernel, symbols)?;
            return Kernel::new(node, symbols, statements, modules).map(|kernel| kernel.body());
        }
        match &node.code {
            Verilog::Custom(code) => Ok(Body::by_hand(&symbols, code, "", true)),
            Verilog::Wrapper(wrapper) => Ok(Body::by_hand(&symbols, &wrapper.code, &wrapper.cores, false)),
            Verilog::Blackbox(_) => Err(vec![Reason::BlackBox.into()]),
            Verilog::Combinatorial(_) | Verilog::Empty => Err(vec![Reason::NoKernel.into()]),
        }
    }

    /// Code that the block brings itself. It assigns its outputs in processes if `procedural`.
    fn by_hand(symbols: &Symbols, code: &str, cores: &str, procedural: bool) -> Self {
        let indented = code.lines().map(|line| match line {
            "" => "\n".into(),
            _ => format!("{INDENT}{line}\n"),
        });
        Body {
            ports: ports(symbols, &|_| procedural),
            logic: indented.collect(),
            cores: cores.into(),
            ..Body::default()
        }
    }

    /// The module's text under a name, with the names of other modules.
    pub fn text(&self, name: &str, modules: &dyn Fn(usize) -> String) -> String {
        let mut text = format!("module {name} (\n{}\n);\n{}", self.ports, self.declarations);
        for (i, instance) in self.instances.iter().enumerate() {
            if i > 0 || !self.declarations.is_empty() {
                text.push('\n');
            }
            let module = modules(instance.module);
            let Instance { name, remark, connections, .. } = instance;
            text += &format!("{remark}{INDENT}{module} {name} (\n{connections}\n{INDENT});\n");
        }
        let logic = self.logic.trim_start_matches('\n');
        if !logic.is_empty() && (!self.instances.is_empty() || !self.declarations.is_empty()) {
            text.push('\n');
        }
        text += logic;
        text + "endmodule\n"
    }
}

/// The port list.
fn ports(symbols: &Symbols, is_reg: &dyn Fn(SignalId) -> bool) -> String {
    let lines = symbols.iter().filter(|(_, symbol)| symbol.width > 0).filter_map(|(id, symbol)| {
        let kind = if is_reg(id) { "reg " } else { "wire" };
        let (range, remark) = (range(symbol.width), remark(&symbol.remark));
        match symbol.role {
            Role::Input => Some(format!("{remark}{INDENT}input  wire {range}{}", symbol.name)),
            Role::Output => Some(format!("{remark}{INDENT}output {kind} {range}{}", symbol.name)),
            _ => None,
        }
    });
    lines.collect::<Vec<_>>().join(",\n")
}

/// What is said of a signal or instance, in lines above it.
fn remark(text: &str) -> String {
    if text.is_empty() { String::new() } else { comment(text, INDENT, "") }
}

/// A translated kernel, ready to be written.
struct Kernel<'a> {
    node: &'a Node,
    symbols: Symbols,
    statements: Vec<Stmt>,
    modules: &'a [Option<usize>],
    partition: Partition,
    connections: Connections,
}

impl<'a> Kernel<'a> {
    fn new(
        node: &'a Node,
        symbols: Symbols,
        statements: Vec<Stmt>,
        modules: &'a [Option<usize>],
    ) -> Result<Self, Vec<Fault>> {
        let statements = folded(without_dead(statements, &symbols), &symbols);
        let faults = check(&statements, &symbols);
        if !faults.is_empty() {
            return Err(faults);
        }
        let partition = partition(&statements, &symbols);
        let registers: Vec<bool> = node.children.iter().map(|child| child.is_register).collect();
        let connections = Connections::of(&statements, &symbols, &partition, &registers);
        Ok(Kernel { node, symbols, statements, modules, partition, connections })
    }

    fn body(&self) -> Body {
        let name = |id| self.name(id);
        let width = |id: SignalId| self.symbols[id].width;
        let fields = Fields::default();
        let part = |id: SignalId, low, width| fields.part(&self.symbols[id], low, width);
        let printer = Printer { name: &name, width: &width, part: &part };
        let mut logic = self.processes(&printer);
        logic += &clocked_blocks(self.node, &self.symbols, &|id| self.input(id), &printer);
        logic += &self.unused(&printer);
        let instances = self.instances(&printer);
        Body {
            ports: ports(&self.symbols, &|id| self.partition.procedural.contains(&id)),
            declarations: fields.declarations() + &self.declarations(),
            instances,
            logic,
            cores: String::new(),
        }
    }

    /// A child's output that is an output of the module has the name of that.
    fn name(&self, id: SignalId) -> String {
        let id = self.connections.outputs.get(&id).copied().unwrap_or(id);
        self.symbols[id].name.clone()
    }

    /// What a child's input is connected to.
    fn input(&self, id: SignalId) -> Expr {
        self.connections.inputs.get(&id).cloned().unwrap_or_else(|| self.symbols.whole(id))
    }

    fn declarations(&self) -> String {
        let states: BTreeSet<SignalId> = self.statements.iter().flat_map(Stmt::states).collect();
        let mut constants = String::new();
        let mut signals = String::new();
        for (id, symbol) in self.symbols.iter() {
            let (range, name, remark) = (range(symbol.width), &symbol.name, remark(&symbol.remark));
            if symbol.role == Role::Constant && (self.connections.read.contains(&id) || states.contains(&id)) {
                let value = constant(&symbol.value, symbol.width);
                constants += &format!("{remark}{INDENT}localparam {range}{name} = {value};\n");
            } else if let Some(kind) = self.declared_as(id) {
                signals += &format!("{remark}{INDENT}{kind} {range}{name};\n");
            }
        }
        constants + &signals
    }

    /// How a signal is declared inside the module, if it is.
    fn declared_as(&self, id: SignalId) -> Option<&'static str> {
        let symbol = &self.symbols[id];
        if symbol.width == 0 {
            return None;
        }
        let net = if self.partition.procedural.contains(&id) { "reg " } else { "wire" };
        let is_register = symbol.port.as_ref().is_some_and(|port| self.modules[port.child].is_none());
        let declared = match symbol.role {
            Role::Local | Role::Helper => self.connections.written.contains(&id),
            Role::ChildInput => !self.connections.inputs.contains_key(&id),
            Role::ChildOutput if is_register => return Some("reg "),
            Role::ChildOutput => !self.connections.outputs.contains_key(&id),
            _ => false,
        };
        declared.then_some(net)
    }

    fn instances(&self, printer: &Printer) -> Vec<Instance> {
        let mut ports: Vec<Vec<String>> = vec![vec![]; self.node.children.len()];
        for (id, symbol) in self.symbols.iter().filter(|(_, symbol)| symbol.width > 0) {
            let Some(port) = &symbol.port else { continue };
            let connection = match symbol.role {
                Role::ChildOutput => self.name(id),
                _ => printer.expr(&self.input(id)),
            };
            ports[port.child].push(format!("{INDENT}{INDENT}.{}({connection})", port.name));
        }
        let names = self.symbols.instances.iter().zip(&self.symbols.instance_remarks);
        let instances = self.modules.iter().zip(ports).zip(names);
        instances
            .filter_map(|((module, ports), (name, said))| {
                let (name, remark, connections) = (name.clone(), remark(said), ports.join(",\n"));
                Some(Instance { module: (*module)?, name, remark, connections })
            })
            .collect()
    }

    /// What nothing reads, on a wire whose name says so to readers and to lints.
    fn unused(&self, printer: &Printer) -> String {
        let all = unused(&self.statements, &self.symbols, &self.connections, &|id| self.declared_as(id).is_some());
        if all.is_empty() {
            return String::new();
        }
        let all = Expr::unary(
            Unary::All,
            Expr { width: 1 + all.iter().map(|e| e.width).sum::<usize>(), kind: Kind::Concat(all) },
        );
        format!("\n{}", printer.assignment(INDENT, "wire ", "_unused", "=", &all))
    }

    fn processes(&self, printer: &Printer) -> String {
        let mut text = String::new();
        for process in &self.partition.processes {
            match process {
                Process::Assign(at) if self.connections.absorbed.contains(at) => {}
                Process::Assign(at) => text += &printer.set(&self.statements[*at], INDENT, "assign "),
                Process::Always(members) => text += &self.always(members, printer),
                Process::Comment(at) => printer.statement(&self.statements[*at], INDENT, &mut text),
            }
        }
        text
    }

    fn always(&self, members: &[usize], printer: &Printer) -> String {
        let mut text = format!("{INDENT}always @* begin\n");
        let deep = INDENT.repeat(2);
        // Helpers of inner statements are written on some paths only: a default keeps them from being latches.
        let inner = members.iter().filter(|at| !matches!(self.statements[**at], Stmt::Set { .. }));
        let inner: BTreeSet<SignalId> = inner.flat_map(|at| self.statements[*at].writes()).collect();
        for id in inner.into_iter().filter(|id| self.symbols[*id].role == Role::Helper) {
            let zero = Expr::zero(self.symbols[id].width);
            text += &printer.assignment(&deep, "", &self.name(id), "=", &zero);
        }
        members.iter().for_each(|at| printer.statement(&self.statements[*at], &deep, &mut text));
        text + INDENT + "end\n"
    }
}
