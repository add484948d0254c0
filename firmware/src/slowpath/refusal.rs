// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why the hardware does not take a rule.

use millrace_driver::RuleError;
use std::fmt;

/// Why the hardware does not take a rule, or another program for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Refusal {
    /// The tables that could hold it are full: it has room when one of their rules goes.
    NoRoom,
    /// Each rule id is in use: there is one when any rule goes.
    NoRuleId,
    /// The rule ids that are free may still be those of packets on their way.
    RuleIdsRest,
    /// Too few continuation steps are free, or may still be those of packets on their way.
    NoSteps,
    /// The hardware does not hold such a program, whatever else it holds.
    TooLong,
    /// Packets came while it was made ready.
    HeldBack,
    /// The device failed, or the rule manager holds something else than the slow path thinks.
    Failed,
}

impl Refusal {
    /// Whether it can be otherwise later.
    pub const fn may_pass(self) -> bool {
        !matches!(self, Refusal::TooLong)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::NoRoom => "tables full",
            Refusal::NoRuleId | Refusal::RuleIdsRest => "rule ids used up",
            Refusal::NoSteps => "steps used up",
            Refusal::TooLong => "program too long",
            Refusal::HeldBack => "held back",
            Refusal::Failed => "device failed",
        })
    }
}

impl From<&RuleError> for Refusal {
    fn from(error: &RuleError) -> Refusal {
        match error {
            full if full.is_full() => Refusal::NoRoom,
            RuleError::NoRuleId { resting: 0, .. } => Refusal::NoRuleId,
            RuleError::NoRuleId { .. } => Refusal::RuleIdsRest,
            RuleError::NoSteps { .. } => Refusal::NoSteps,
            RuleError::ProgramTooLong { .. } | RuleError::TooManyTags { .. } | RuleError::EmptyProgram => {
                Refusal::TooLong
            }
            RuleError::HeldBack => Refusal::HeldBack,
            _ => Refusal::Failed,
        }
    }
}
