// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flow files on their way in.

use crate::error::{BadInput, BadInputExt};
use anyhow::Context;
use millrace_firmware::openflow::{FlowTable, Ports, parse_flow_file};
use millrace_sim::Config;
use std::fs;
use std::path::Path;

/// The text of a flow file.
pub fn text(path: &Path) -> Result<String, BadInput> {
    let name = path.display();
    let bytes = fs::read(path).with_context(|| name.to_string()).bad_input()?;
    String::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let line = 1 + good.matches('\n').count();
        let column = 1 + good.rsplit('\n').next().map_or(0, |last| last.chars().count());
        BadInput(format!("{name}:{line}:{column}: this is not UTF-8 text"))
    })
}

/// The flows of a text for the ports of this build. `name` is the file's, for messages.
pub fn parse(name: &str, text: &str, config: &Config) -> Result<FlowTable, BadInput> {
    let ports = Ports::new(config.vports() as u16, config.uplinks as u16);
    parse_flow_file(name, text, ports).bad_input()
}

/// Reads a flow file for the ports of this build.
pub fn read(path: &Path, config: &Config) -> Result<FlowTable, BadInput> {
    parse(&path.display().to_string(), &text(path)?, config)
}
