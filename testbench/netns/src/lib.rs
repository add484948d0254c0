// SPDX-License-Identifier: MIT OR Apache-2.0
//! Network namespaces that a test or the demo makes for itself, and takes away again.

use anyhow::{Context, Result, bail};
use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::panic::resume_unwind;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

/// Time that a bounded command may take before it is ended, which is an error.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A network namespace, deleted when dropped. Needs root and iproute2.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes the namespace `millrace-<pid>-<tag>`, with loopback up and IPv6 off (its router solicitations would mix with
    /// the traffic under test).
    pub fn new(tag: &str) -> Result<Self> {
        let name = format!("millrace-{}-{tag}", std::process::id());
        output(Command::new("ip").args(["netns", "add", &name]))?;
        let namespace = Self { name };
        output(namespace.command("ip").args(["link", "set", "lo", "up"]))?;
        output(namespace.command("sysctl").args(["-q", "-w", "net.ipv6.conf.all.disable_ipv6=1"]))?;
        output(namespace.command("sysctl").args(["-q", "-w", "net.ipv6.conf.default.disable_ipv6=1"]))?;
        Ok(namespace)
    }

    /// A command that will run in the namespace, but for no longer than [`LIMIT`].
    pub fn bounded(&self, program: &str) -> Command {
        let mut command = self.command("timeout");
        command.args(["--kill-after=5", &LIMIT.as_secs().to_string(), program]);
        command
    }

    /// A command that will run in the namespace.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Does something in the namespace, in a thread of its own: sockets that it opens belong there.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        let path = Path::new("/run/netns").join(&self.name);
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        thread::scope(|scope| {
            let thread = scope.spawn(|| setns(&file, CloneFlags::CLONE_NEWNET).map(|()| act()));
            match thread.join() {
                Ok(done) => done.context("cannot enter the namespace"),
                Err(panic) => resume_unwind(panic),
            }
        })
    }

    /// Moves `interface` out of our own namespace into this one, as `eth0` with the given MAC and IPv4 address (with its
    /// prefix length), and brings it up.
    pub fn adopt(&self, interface: &str, mac: &str, address: &str) -> Result<()> {
        output(Command::new("ip").args(["link", "set", "dev", interface, "netns", &self.name, "name", "eth0"]))?;
        output(self.command("ip").args(["link", "set", "dev", "eth0", "address", mac]))?;
        output(self.command("ip").args(["address", "add", address, "dev", "eth0"]))?;
        output(self.command("ip").args(["link", "set", "dev", "eth0", "up"]))?;
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = output(Command::new("ip").args(["netns", "delete", &self.name])) {
            eprintln!("cannot delete the namespace {}: {error:#}", self.name);
        }
    }
}

/// Runs `command`; an exit code other than 0 is an error that shows what it printed.
pub fn output(command: &mut Command) -> Result<Output> {
    let output = command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        let printed = [&output.stdout[..], &output.stderr[..]].concat();
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&printed).trim());
    }
    Ok(output)
}
