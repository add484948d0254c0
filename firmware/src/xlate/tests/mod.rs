// SPDX-License-Identifier: MIT OR Apache-2.0
mod cases;
mod megaflow;
mod naive;

use crate::openflow::{FlowTable, Ports};

/// Flows from the text of a flow file.
pub(super) fn flows(text: &str) -> FlowTable {
    crate::openflow::parse_flow_file("flows", text, Ports::sim()).unwrap_or_else(|e| panic!("{e}\n{text}"))
}
