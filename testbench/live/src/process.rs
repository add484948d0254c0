// SPDX-License-Identifier: MIT OR Apache-2.0
//! A `millrace` that serves something until it is stopped.

use crate::live::program;
use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A `millrace` that said that it is ready. Killed when dropped.
pub struct Process(Child);

impl Process {
    /// Starts it in a folder.
    pub fn start(folder: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program("millrace")?);
        let child = command.args(arguments).current_dir(folder).stdout(Stdio::piped()).spawn();
        let mut process = Self(child.context("cannot start millrace")?);
        let mut line = String::new();
        let said = process.0.stdout.take().context("it has a standard output")?;
        BufReader::new(said).read_line(&mut line)?;
        ensure!(line == "ready\n", "`millrace {}` said {line:?}", arguments.join(" "));
        Ok(process)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it as Ctrl-C does.
    pub fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "millrace ended with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}
