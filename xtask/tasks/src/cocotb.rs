// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask cocotb`: the tests of `testbench/cocotb` on the emitted Verilog, with bus models and a simulator that are not ours.

use crate::rtl;
use anyhow::Result;
use clap::Args;
use std::process::Command;
use xtask::run;

#[derive(Args)]
pub struct Arguments {
    /// Build of the hardware
    #[arg(long, default_value = "ecp5")]
    preset: String,
    /// Arguments of testbench/cocotb/run.py, such as --seed, --test, --waves, --sim
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

impl Arguments {
    /// What the tests run: the smallest build, the same random choices each time.
    pub fn quick() -> Self {
        Self { preset: "ecp5".into(), args: vec!["--seed=1".into()] }
    }

    /// Writes the Verilog; the command that runs the tests on it.
    pub fn command(&self) -> Result<Command> {
        let folder = run::target().join("cocotb").join(&self.preset);
        run::checked(rtl::emitter(&["--preset".into(), self.preset.clone()], &folder)?)?;
        let mut command = run::command("python3");
        command.arg("testbench/cocotb/run.py").arg("--rtl").arg(folder).args(&self.args);
        Ok(command)
    }
}
