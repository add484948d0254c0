// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated DPU whose functions guests attach (`millrace serve`).

use super::bench::{Bench, STATS};
use super::guest::Nic;
use super::process::Process;
use super::wait::Deadline;
use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use xtask::run;

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);
/// Milliseconds that QEMU waits for an answer: a late one ends the connection for good, and a simulation may be slow.
const PATIENCE: u32 = 600_000;

/// A running DPU. Ended when dropped: its statistics may tell why a scenario failed.
pub struct Dpu {
    process: Process,
    sockets: PathBuf,
    /// Not of one whose slow path is elsewhere.
    stats: Option<PathBuf>,
}

/// Of the statistics at the end of a run, what scenarios look at.
#[derive(Deserialize)]
pub struct Stats {
    pub ports: BTreeMap<String, Port>,
}

/// Packets that came in at a port.
#[derive(Deserialize)]
pub struct Port {
    #[serde(rename = "in")]
    pub received: Count,
    /// Handled by a rule.
    pub hardware: u64,
    /// Handed to the slow path.
    pub slow_path: u64,
}

#[derive(Deserialize)]
pub struct Count {
    pub packets: u64,
    pub bytes: u64,
}

impl Dpu {
    /// Starts a DPU that runs a flow file, with further arguments, and waits until it serves its functions. What it says becomes
    /// `NAME.log`, its statistics `NAME.stats.json`.
    pub fn start(bench: &Bench, name: &str, flows: &str, arguments: &[String]) -> Result<Self> {
        let [file, control] = ["flows", "control"].map(|end| bench.sockets().join(format!("{name}.{end}")));
        let stats = bench.log(&format!("{name}{STATS}"));
        fs::write(&file, flows).with_context(|| format!("cannot write {}", file.display()))?;
        let mut all: Vec<OsString> = vec![];
        for (option, path) in [("--flows", &file), ("--control", &control), ("--stats", &stats)] {
            all.extend([option.into(), path.into()]);
        }
        all.extend(arguments.iter().map(OsString::from));
        let mut dpu = Self::serve(bench, name, &all)?;
        dpu.stats = Some(stats);
        Ok(dpu)
    }

    /// Starts a DPU without slow path: its ECPF is a function too.
    pub fn start_without_slow_path(bench: &Bench, name: &str) -> Result<Self> {
        Self::serve(bench, name, &[])
    }

    /// The same, with further arguments.
    pub fn serve(bench: &Bench, name: &str, arguments: &[OsString]) -> Result<Self> {
        let sockets = bench.sockets().join(name);
        let mut command = run::command(run::target().join("release/millrace"));
        command.arg("serve").arg("--sockets").arg(&sockets).args(arguments);
        let mut process = Process::start(&command, &bench.log(&format!("{name}.log")), bench.interrupts)?;
        match process.line(Deadline::after(START)).context("the DPU does not start")?.as_deref() {
            Some("ready") => Ok(Self { process, sockets, stats: None }),
            other => bail!("the DPU did not start: it said {other:?}"),
        }
    }

    /// Where a function is served.
    pub fn socket(&self, function: &str) -> PathBuf {
        self.sockets.join(format!("{function}.sock"))
    }

    /// A function: `vf0`.
    pub fn nic(&self, function: &str) -> Nic {
        let socket = json!({"type": "unix", "path": self.socket(function)});
        let device = json!({"driver": "vfio-user-pci", "socket": socket, "x-msg-timeout": PATIENCE});
        Nic { netdev: None, device }
    }

    /// Ends it as Ctrl-C does; its statistics, if it has a slow path.
    pub fn stop(mut self) -> Result<Option<Stats>> {
        let ended = self.process.signal(Signal::SIGINT).and_then(|()| self.process.succeed(Deadline::after(STOP)));
        ended.context("the DPU")?;
        let Some(path) = &self.stats else { return Ok(None) };
        let text = fs::read_to_string(path).context("the DPU left no statistics")?;
        serde_json::from_str(&text).map(Some).with_context(|| format!("{} is not as expected", path.display()))
    }
}

impl Drop for Dpu {
    fn drop(&mut self) {
        // Errors mean that it has ended, or will be killed.
        let _ = self.process.signal(Signal::SIGINT).and_then(|()| self.process.end(Deadline::after(STOP)));
    }
}
