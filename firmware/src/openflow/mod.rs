// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flow language of Open vSwitch: fields, matches, actions, and the flow files that `ovs-ofctl add-flows` takes.

pub mod action;
pub mod error;
pub mod field;
pub mod flow;
mod format;
pub mod group;
pub mod key;
mod lex;
pub mod packet_text;
mod parse;
mod parse_action;
mod parse_group;
mod parse_match;
pub mod port;
mod suggest;
mod value;

pub use action::Action;
pub use error::{FlowFileError, Problem};
pub use field::{Field, FieldInfo, Format, Prereq, Subfield};
pub use flow::{DEFAULT_PRIORITY, Flow, FlowTable, Match, TABLES};
pub(crate) use format::{list, mac};
pub use group::Groups;
pub use key::{FlowKey, FlowMask, STAGE_ENDS, Slot, WORDS, slot};
pub use parse::{parse_flow, parse_flow_file, parse_flows};
pub use parse_group::parse_group_file;
pub use port::Ports;
