// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program that is started and does not outlive its owner.

use super::wait::{Deadline, Interrupts, Lines};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use xtask::run;

/// A running program: its standard output is read here, its standard error goes to a file. It is killed when dropped, and by the
/// kernel should our process die before that. Ctrl-C does not reach it: its owner decides how it ends.
pub struct Process {
    child: Child,
    output: Lines<ChildStdout>,
}

impl Process {
    pub fn start(command: &Command, errors: &Path, interrupts: &Interrupts) -> Result<Self> {
        let file = File::create(errors).with_context(|| format!("cannot write {}", errors.display()))?;
        let mut wrapped = run::command("setpriv");
        wrapped.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        wrapped.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).process_group(0);
        let mut child = wrapped.spawn().context("cannot start setpriv (of util-linux)")?;
        let output = Lines::new(interrupts, child.stdout.take().expect("it is piped"));
        Ok(Self { child, output })
    }

    /// The next line that it prints; none when it has ended.
    pub fn line(&mut self, deadline: Deadline) -> Result<Option<String>> {
        self.output.next(deadline)
    }

    /// Sends it a signal, if it has not ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it ended with {status}");
        }
        let process = i32::try_from(self.child.id()).expect("process identifiers are small");
        kill(Pid::from_raw(process), signal).with_context(|| format!("cannot send {signal}"))
    }

    /// Waits until it has ended by itself.
    pub fn end(&mut self, deadline: Deadline) -> Result<ExitStatus> {
        while self.line(deadline)?.is_some() {}
        Ok(self.child.wait()?)
    }

    /// Waits until it has ended by itself, which has to be in order.
    pub fn succeed(&mut self, deadline: Deadline) -> Result<()> {
        let status = self.end(deadline).context("it does not end")?;
        if !status.success() {
            bail!("it ended with {status}");
        }
        Ok(())
    }
}

impl AsFd for Process {
    /// Readable when it has printed something or has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.file.as_fd()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::time::Duration;

    #[test]
    fn a_program_prints_ends_and_gets_the_signals_that_are_caught_here() {
        let folder = tempfile::tempdir().unwrap();
        let errors = folder.path().join("errors");
        let interrupts = Interrupts::catch().unwrap();
        let start = |script| Process::start(Command::new("sh").args(["-c", script]), &errors, &interrupts).unwrap();
        let deadline = Deadline::after(Duration::from_secs(60));
        let mut waiting = start("echo wrong >&2; echo ready; exec tail -f /dev/null");
        assert_eq!(waiting.line(deadline).unwrap().as_deref(), Some("ready"));
        assert_eq!(std::fs::read_to_string(&errors).unwrap(), "wrong\n");
        waiting.signal(Signal::SIGINT).unwrap();
        assert_eq!(waiting.end(deadline).unwrap().signal(), Some(Signal::SIGINT as i32));
        let error = start("exit 3").succeed(deadline).unwrap_err().to_string();
        assert!(error.ends_with("exit status: 3"), "{error}");
    }
}
