// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames through `millrace run`: captures in, captures out.

use super::Step;
use crate::ovs::{Frames, PORTS, groups_of};
use anyhow::{Context, Result, ensure};
use millrace_live::program;
use millrace_sim::capture;
use std::path::Path;
use std::process::Command;

/// Time between two frames, in nanoseconds.
const APART: u64 = 1_000;

/// What leaves each port with the flows of a file, each frame sent in `copies` times.
pub fn run(flows: &Path, steps: &[Step], copies: usize) -> Result<Vec<Frames>> {
    run_with(flows, steps, copies, &[])
}

/// As [`run`], with further arguments of the command.
pub fn run_with(flows: &Path, steps: &[Step], copies: usize, arguments: &[&str]) -> Result<Vec<Frames>> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(program("millrace")?);
    command.arg("run").arg("--flows").arg(flows).args(["--pace", "settle"]).args(arguments);
    if let Some(groups) = groups_of(flows) {
        command.arg("--groups").arg(groups);
    }
    command.arg("--out").arg(folder.path().join("out")).arg("--control").arg(folder.path().join("control"));
    for input in write_captures(steps, copies, folder.path())? {
        command.arg("--in").arg(input);
    }
    let output = command.output().context("cannot start millrace")?;
    ensure!(output.status.success(), "millrace: {}", String::from_utf8_lossy(&output.stderr).trim());
    let read = |port: &&str| -> Result<Frames> {
        let packets = capture::read(&folder.path().join("out").join(format!("{port}.pcap")))?;
        Ok(packets.into_iter().map(|packet| packet.frame).collect())
    };
    PORTS.iter().map(read).collect()
}

/// Writes one capture for each port that frames come in on; gives the arguments of `--in`.
fn write_captures(steps: &[Step], copies: usize, folder: &Path) -> Result<Vec<String>> {
    let mut now = 1_700_000_000_000_000_000;
    let mut inputs: Vec<Vec<(u64, &[u8])>> = vec![Vec::new(); PORTS.len()];
    for step in steps {
        match step {
            Step::Wait(seconds) => now += seconds * 1_000_000_000,
            Step::Frame(port, frame) => {
                for _ in 0..copies {
                    now += APART;
                    inputs[usize::from(*port) - 1].push((now, frame));
                }
            }
        }
    }
    let mut arguments = Vec::new();
    for (port, frames) in PORTS.iter().zip(&inputs).filter(|(_, frames)| !frames.is_empty()) {
        let path = folder.join(format!("{port}-in.pcap"));
        let mut writer = capture::Writer::create(&path)?;
        for (time, frame) in frames {
            writer.write(*time, frame)?;
        }
        writer.finish()?;
        arguments.push(format!("{port}={}", path.display()));
    }
    Ok(arguments)
}
