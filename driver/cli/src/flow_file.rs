// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flow files on their way in.

use crate::error::{BadInput, BadInputExt};
use crate::standard;
use anyhow::Context;
use millrace_firmware::openflow::{FlowTable, Ports, parse_flow_file};
use millrace_regs::config::Config;
use std::fs;
use std::io::{self, Read, stdin};
use std::path::Path;

/// The text of a flow file; of the standard input if it is called `-`.
pub fn text(path: &Path) -> Result<String, BadInput> {
    let name = name(path);
    let bytes = bytes(path).with_context(|| name.clone()).bad_input()?;
    String::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]).into_owned();
        let line = 1 + good.matches('\n').count();
        let column = 1 + good.rsplit('\n').next().map_or(0, |last| last.chars().count());
        BadInput(format!("{name}:{line}:{column}: this is not UTF-8 text"))
    })
}

/// A flow file's name in messages.
pub fn name(path: &Path) -> String {
    standard::input_name(&path.display().to_string()).into()
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    if !standard::is(path) {
        return fs::read(path);
    }
    let mut bytes = vec![];
    stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The flows of a text for the ports of this build. `name` is the file's, for messages.
pub fn parse(name: &str, text: &str, config: &Config) -> Result<FlowTable, BadInput> {
    let ports = Ports::new(config.vports() as u16, config.uplinks as u16);
    parse_flow_file(name, text, ports).bad_input()
}

/// Reads a flow file again, while a device is running by it.
pub fn read_again(path: &Path, config: &Config) -> Result<FlowTable, BadInput> {
    if standard::is(path) {
        return Err(BadInput("the standard input cannot be read again".into()));
    }
    read(path, config)
}

/// Reads a flow file for the ports of this build.
pub fn read(path: &Path, config: &Config) -> Result<FlowTable, BadInput> {
    parse(&name(path), &text(path)?, config)
}
