// SPDX-License-Identifier: MIT OR Apache-2.0
//! A running `millrace` whose VFs are TAP devices in two network namespaces: two real network stacks, one simulated DPU.

use crate::netns::{Namespace, output};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Address of the second host, as the first sees it.
pub const PEER: &str = "10.0.0.2";
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Two hosts, behind `vf0` and `vf1` of a simulated DPU. All of it goes away when dropped.
pub struct Live {
    // Dropped in this order: the DPU closes its TAPs before the namespaces go.
    dpu: Dpu,
    hosts: [Namespace; 2],
    folder: TempDir,
}

impl Live {
    /// Starts the DPU with a flow file, and gives the hosts 10.0.0.1/24 and [`PEER`]/24. Needs root.
    pub fn start(flows: &Path) -> Result<Self> {
        let hosts = [Namespace::new("a")?, Namespace::new("b")?];
        let folder = tempfile::tempdir()?;
        let control = folder.path().join("control");
        let taps = [0, 1].map(|i| format!("mr{}v{i}", std::process::id()));
        let mut command = Command::new(program("millrace")?);
        command.args(["run", "--flows"]).arg(flows).arg("--control").arg(&control);
        command.arg("--stats").arg(folder.path().join("stats.json"));
        for (i, tap) in taps.iter().enumerate() {
            command.arg("--tap").arg(format!("vf{i}={tap}"));
        }
        let mut dpu = Dpu { child: command.spawn().context("cannot start millrace")?, control };
        dpu.wait_until_it_answers()?;
        for (i, host) in hosts.iter().enumerate() {
            host.adopt(&taps[i], &format!("02:00:00:00:00:0{}", i + 1), &format!("10.0.0.{}/24", i + 1))?;
        }
        Ok(Self { dpu, hosts, folder })
    }

    /// A command on host 0 or 1.
    pub fn host(&self, host: usize, program: &str) -> Command {
        self.hosts[host].command(program)
    }

    /// What `millrace <arguments>` prints about the running DPU.
    pub fn query(&self, arguments: &[&str]) -> Result<String> {
        self.dpu.query(arguments)
    }

    /// Stops the DPU; its final statistics.
    pub fn stop(mut self) -> Result<serde_json::Value> {
        self.dpu.stop()?;
        let text =
            std::fs::read_to_string(self.folder.path().join("stats.json")).context("millrace left no statistics")?;
        Ok(serde_json::from_str(&text)?)
    }
}

struct Dpu {
    child: Child,
    control: PathBuf,
}

impl Dpu {
    fn query(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program("millrace")?);
        command.args(arguments).arg("--control").arg(&self.control);
        Ok(String::from_utf8(output(&mut command)?.stdout)?)
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.query(&["stats"]).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("millrace ended with {status} before it served anything");
            }
            if start.elapsed() > START_LIMIT {
                bail!("millrace does not answer on {}", self.control.display());
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT)?;
        let start = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("millrace ended with {status}"),
                None if start.elapsed() > STOP_LIMIT => bail!("millrace does not stop"),
                None => sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Dpu {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A program of this workspace, built beside the one that runs (or above it, for a test).
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("`{name}` is not built: cargo build --release --package millrace"))
}
