// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults put into the reference model, by what it is told and what it says: a comparison that does not see them is none.

use clap::ValueEnum;
use millrace_model::{Outcome, Output, Rule};
use millrace_regs::{Mask, Step};
use serde::{Deserialize, Serialize};

/// A fault of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Mutant {
    /// All rules have the same priority.
    Priority,
    /// No rule looks at the destination MAC address.
    Mask,
    /// A packet that a rule sends over a hop loses one hop more.
    Ttl,
    /// The TOS is written whole.
    Tos,
    /// Destination ports are not written.
    Port,
    /// No more than one VLAN tag is taken off.
    Vlan,
    /// The last of several steps is left out.
    Step,
    /// No rule sends to the slow path.
    Upcall,
    /// The last byte of a frame that was edited to leave on several ports differs.
    Byte,
    /// A frame that its source marked as broken is taken.
    Error,
    /// Frames of a source overtake each other.
    Order,
    /// Bytes are counted with a frame check sequence.
    Count,
}

impl Mutant {
    /// All of them.
    pub fn all() -> &'static [Mutant] {
        Self::value_variants()
    }

    /// The name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Changes a rule that the model is told.
    pub fn rule(self, rule: &mut Rule) {
        match self {
            Mutant::Priority => rule.priority = 0,
            Mutant::Mask => {
                rule.mask = Mask { dl_dst: 0, ..rule.mask };
                rule.key &= rule.mask;
            }
            _ => self.program(&mut rule.program),
        }
    }

    /// Changes a program that the model is told.
    pub fn program(self, program: &mut Vec<Step>) {
        match self {
            Mutant::Step if program.len() > 1 => {
                program.pop();
            }
            _ => program.iter_mut().for_each(|step| self.step(step)),
        }
    }

    fn step(self, step: &mut Step) {
        match self {
            Mutant::Ttl if step.ttl_dec > 0 => step.ttl_dec = step.ttl_dec.saturating_add(1),
            Mutant::Tos if step.nw_tos_mask > 0 => step.nw_tos_mask = 0xff,
            Mutant::Port => step.set_tp_dst = false,
            Mutant::Vlan => step.vlan_pop = step.vlan_pop.min(1),
            Mutant::Upcall => step.upcall = false,
            _ => {}
        }
    }

    /// Changes what the model says of a frame.
    pub fn outcome(self, outcome: &mut Outcome) {
        if self == Mutant::Byte && outcome.outputs.len() > 1 {
            for output in &mut outcome.outputs {
                let (Output::Vport { frame, .. } | Output::Upcall { frame, .. }) = output;
                frame.last_mut().into_iter().for_each(|byte| *byte ^= 1);
            }
        }
    }
}
