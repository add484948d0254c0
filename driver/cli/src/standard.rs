// SPDX-License-Identifier: MIT OR Apache-2.0
//! Standard input and output as files: `-` on the command line.

#[cfg(feature = "simulation")]
use crate::args::RunArgs;
use crate::error::BadInput;
use crate::flow_file::Files;
use std::fs::File;
use std::io::{self, Write, stdout};
use std::os::fd::AsFd;
use std::path::Path;

/// What stands for them.
pub const NAME: &str = "-";

#[cfg(feature = "simulation")]
/// The standard input. It can be read once.
pub fn input() -> io::Result<File> {
    Ok(io::stdin().as_fd().try_clone_to_owned()?.into())
}

/// The standard output.
pub fn output() -> io::Result<File> {
    Ok(stdout().as_fd().try_clone_to_owned()?.into())
}

/// Tells whoever started the command that it is ready. That nobody listens any more is no error.
pub fn say_ready() {
    let mut out = stdout().lock();
    let _ = writeln!(out, "ready").and_then(|()| out.flush());
}

/// Whether this file stands for the standard input or output.
pub fn is(path: &Path) -> bool {
    path.as_os_str() == NAME
}

/// An input's name in messages.
pub fn input_name(name: &str) -> &str {
    if name == NAME { "standard input" } else { name }
}

#[cfg(feature = "simulation")]
/// Refuses a run that would read the standard input twice.
pub fn check_once(args: &RunArgs) -> Result<(), BadInput> {
    let mut uses = uses(args.files());
    uses.extend(args.inputs.iter().filter(|(_, file)| file == NAME).map(|(port, _)| format!("--in {port}")));
    check_uses(&uses)
}

/// The options of files that stand for the standard input.
pub fn uses(files: Files<'_>) -> Vec<String> {
    let options = [("--flows", Some(files.flows)), ("--groups", files.groups)];
    options.into_iter().filter(|(_, path)| path.is_some_and(is)).map(|(option, _)| option.into()).collect()
}

/// Refuses that several options ask for the standard input.
pub fn check_uses(uses: &[String]) -> Result<(), BadInput> {
    match uses {
        [first, second, ..] => Err(BadInput(format!(
            "the standard input can be read once, and both {first} and {second} ask for it: give a file for one of them"
        ))),
        _ => Ok(()),
    }
}
