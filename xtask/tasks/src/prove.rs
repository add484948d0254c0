// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask prove`, and the proofs among the tests.

use anyhow::Result;
use std::process::Command;
use xtask::run;

/// The prover's arguments: with a folder for what it leaves behind, unless one is given.
pub fn arguments(mut args: Vec<String>) -> Vec<String> {
    if !args.iter().any(|arg| arg == "--out" || arg.starts_with("--out=")) {
        args.push(format!("--out={}", run::target().join("proofs").display()));
    }
    args
}

/// The command that runs the proofs that do not take minutes each, and their mutants: those that the repository does not keep.
pub fn quick() -> Result<Command> {
    run::build(&["millrace-hdl-cli"], &["prove"], &[])?;
    let mut command = run::command(run::target().join("release/prove"));
    command.args(arguments(vec!["--quick".into(), "--if-changed".into()]));
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn a_folder_that_is_given_stays() {
        assert_eq!(arguments(vec!["--out=x".into()]), ["--out=x"]);
        assert_eq!(arguments(vec!["--out".into(), "x".into()]), ["--out", "x"]);
        assert_eq!(arguments(vec!["skid".into()]).len(), 2);
    }
}
