// SPDX-License-Identifier: MIT OR Apache-2.0
mod cases;
mod groups;
mod megaflow;
mod naive;
mod trace;

use crate::openflow::{FlowTable, Groups, Ports, parse_flows, parse_group_file};
use std::sync::Arc;

/// Flows from the text of a flow file.
pub(super) fn flows(text: &str) -> FlowTable {
    crate::openflow::parse_flow_file("flows", text, Ports::sim()).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// The same with groups.
pub(super) fn flows_with(text: &str, groups: &str) -> FlowTable {
    let groups = parse_group_file("groups", groups, Ports::sim()).unwrap_or_else(|e| panic!("{e}\n{groups}"));
    parse_flows("flows", text, Ports::sim(), Arc::new(groups)).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

/// Groups 1 to 3, which do nothing.
pub(super) fn some_groups() -> Arc<Groups> {
    let text: String = (1..=3).map(|id| format!("group_id={id},type=all\n")).collect();
    Arc::new(parse_group_file("groups", &text, Ports::sim()).unwrap())
}
