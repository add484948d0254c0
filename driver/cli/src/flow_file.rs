// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flow files on their way in.

use crate::error::{BadInput, BadInputExt};
use crate::standard;
use anyhow::Context;
use millrace_firmware::openflow::{FlowTable, Groups, Ports, parse_flows, parse_group_file};
use millrace_regs::config::Config;
use std::fs;
use std::io::{self, Read, stdin};
use std::path::Path;
use std::sync::Arc;

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

/// The files that say what the switch does.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    pub flows: &'a Path,
    pub groups: Option<&'a Path>,
}

impl<'a> Files<'a> {
    /// Those that are files, and not the standard input.
    pub fn paths(self) -> Vec<&'a Path> {
        [Some(self.flows), self.groups].into_iter().flatten().filter(|path| !standard::is(path)).collect()
    }
}

/// The ports of this build.
fn ports(config: &Config) -> Ports {
    Ports::new(config.vports() as u16, config.uplinks as u16)
}

/// The flows of a text, which speak of these groups, for the ports of this build. `name` is the file's, for messages.
pub fn parse(name: &str, text: &str, groups: Arc<Groups>, config: &Config) -> Result<FlowTable, BadInput> {
    parse_flows(name, text, ports(config), groups).bad_input()
}

/// The groups of a text.
pub fn parse_groups(name: &str, text: &str, config: &Config) -> Result<Arc<Groups>, BadInput> {
    parse_group_file(name, text, ports(config)).map(Arc::new).bad_input()
}

/// Reads files again, while a device is running by them.
pub fn read_again(files: Files<'_>, config: &Config) -> Result<FlowTable, BadInput> {
    if !standard::uses(files).is_empty() {
        return Err(BadInput("the standard input cannot be read again".into()));
    }
    read(files, config)
}

/// Reads flows and groups for the ports of this build.
pub fn read(files: Files<'_>, config: &Config) -> Result<FlowTable, BadInput> {
    let Files { flows, groups } = files;
    standard::check_uses(&standard::uses(files))?;
    let groups = groups.map(|path| parse_groups(&name(path), &text(path)?, config)).transpose()?;
    parse(&name(flows), &text(flows)?, groups.unwrap_or_default(), config)
}
