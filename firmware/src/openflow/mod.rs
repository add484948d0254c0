// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flow language of Open vSwitch: fields, matches, actions, and the flow files that `ovs-ofctl add-flows` takes.

pub mod action;
pub mod field;
pub mod flow;
pub mod key;
pub mod port;

pub use action::Action;
pub use field::{Field, FieldInfo, Format, Prereq, Subfield};
pub use flow::{DEFAULT_PRIORITY, Flow, FlowTable, Match, TABLES};
pub use key::{FlowKey, FlowMask, STAGE_ENDS, Slot, WORDS, slot};
pub use port::Ports;
