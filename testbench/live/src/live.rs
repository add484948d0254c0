// SPDX-License-Identifier: MIT OR Apache-2.0
//! A running `millrace` whose VFs are TAP devices in two network namespaces: two real network stacks, one simulated DPU.

use anyhow::{Context, Result, bail};
use millrace_netns::{Namespace, output};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Address of the second host, as the first sees it.
pub const PEER: &str = "10.0.0.2";
const CONTROL: &str = "control";
const STATS: &str = "stats.json";
const START_LIMIT: Duration = Duration::from_secs(20);
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Two hosts, behind `vf0` and `vf1` of a simulated DPU. All of it goes away when dropped.
pub struct Live {
    // Dropped in this order: the DPU closes its TAPs before the namespaces go.
    dpu: Dpu,
    hosts: [Namespace; 2],
}

impl Live {
    /// Starts the DPU with a flow file, and gives the hosts 10.0.0.1/24 and [`PEER`]/24. Needs root.
    pub fn start(flows: &Path) -> Result<Self> {
        // A process may have several, one after the other or at once.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let hosts = [Namespace::new(&format!("{number}a"))?, Namespace::new(&format!("{number}b"))?];
        let taps = [0, 1].map(|i| format!("mr{}.{number}v{i}", std::process::id()));
        let arguments = taps.iter().enumerate().flat_map(|(i, tap)| ["--tap".into(), format!("vf{i}={tap}")]);
        let dpu = Dpu::start(flows, arguments)?;
        for (i, host) in hosts.iter().enumerate() {
            host.adopt(&taps[i], &format!("02:00:00:00:00:0{}", i + 1), &format!("10.0.0.{}/24", i + 1))?;
        }
        Ok(Self { dpu, hosts })
    }

    /// The hosts.
    pub fn hosts(&self) -> &[Namespace; 2] {
        &self.hosts
    }

    /// What `millrace <arguments>` prints about the running DPU.
    pub fn query(&self, arguments: &[&str]) -> Result<String> {
        self.dpu.query(arguments)
    }

    /// Stops the DPU; its final statistics.
    pub fn stop(self) -> Result<Value> {
        self.dpu.stop()
    }
}

/// A running `millrace run`. Killed when dropped.
pub struct Dpu {
    child: Child,
    folder: TempDir,
}

impl Dpu {
    /// Starts `millrace run` with a flow file and further arguments, and waits until it answers.
    pub fn start(flows: &Path, arguments: impl IntoIterator<Item = String>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(program("millrace")?);
        command.args(["run", "--flows"]).arg(flows).arg("--control").arg(folder.path().join(CONTROL));
        command.arg("--stats").arg(folder.path().join(STATS)).args(arguments);
        let mut dpu = Self { child: command.spawn().context("cannot start millrace")?, folder };
        dpu.wait_until_it_answers()?;
        Ok(dpu)
    }

    /// What `millrace <arguments>` prints about it.
    pub fn query(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program("millrace")?);
        command.args(arguments).arg("--control").arg(self.folder.path().join(CONTROL));
        Ok(String::from_utf8(output(&mut command)?.stdout)?)
    }

    fn wait_until_it_answers(&mut self) -> Result<()> {
        let start = Instant::now();
        while self.query(&["stats"]).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("millrace ended with {status} before it served anything");
            }
            if start.elapsed() > START_LIMIT {
                bail!("millrace does not answer");
            }
            sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Ends it as Ctrl-C does; its final statistics.
    pub fn stop(mut self) -> Result<Value> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGINT)?;
        let start = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => break,
                Some(status) => bail!("millrace ended with {status}"),
                None if start.elapsed() > STOP_LIMIT => bail!("millrace does not stop"),
                None => sleep(Duration::from_millis(20)),
            }
        }
        let text = fs::read_to_string(self.folder.path().join(STATS)).context("millrace left no statistics")?;
        Ok(serde_json::from_str(&text)?)
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
