// SPDX-License-Identifier: MIT OR Apache-2.0
//! A served DPU whose VFs are TAP devices in two network namespaces, each by a `millrace attach`: rings, DMA and offloads between two real network
//! stacks.

use crate::live::program;
use crate::process::Process;
use anyhow::Result;
use millrace_netns::{Namespace, output};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

const FLOWS: &str = "a.flows";
const CONTROL: &str = "control";

/// Two hosts, behind `vf0` and `vf1` of a served DPU. All of it goes away when dropped.
pub struct Attached {
    // Dropped in this order: functions are let go before their device, and TAP devices before the namespaces.
    functions: [Process; 2],
    device: Process,
    hosts: [Namespace; 2],
    folder: TempDir,
}

impl Attached {
    /// Serves a DPU with these flows, attaches its functions, and gives the hosts 10.0.0.1/24 and [`PEER`](crate::PEER)/24. Needs root.
    pub fn start(flows: &str) -> Result<Self> {
        // A process may have several, one after the other or at once.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join(FLOWS), flows)?;
        let hosts = [Namespace::new(&format!("{number}c"))?, Namespace::new(&format!("{number}d"))?];
        let serve = ["serve", "--sockets", "dpu", "--vfs", "2", "--flows", FLOWS, "--control", CONTROL];
        let device = Process::start(folder.path(), &serve)?;
        let functions = [attach(folder.path(), &hosts[0], number, 0)?, attach(folder.path(), &hosts[1], number, 1)?];
        Ok(Self { functions, device, hosts, folder })
    }

    /// The hosts.
    pub fn hosts(&self) -> &[Namespace; 2] {
        &self.hosts
    }

    /// The process that serves the device.
    pub fn device(&self) -> &Process {
        &self.device
    }

    /// The processes at its functions.
    pub fn functions(&self) -> &[Process; 2] {
        &self.functions
    }

    /// The statistics of the device, as they are.
    pub fn stats(&self) -> Result<Value> {
        let mut command = Command::new(program("millrace")?);
        command.args(["stats", "--json", "--control"]).arg(self.folder.path().join(CONTROL));
        Ok(serde_json::from_slice(&output(&mut command)?.stdout)?)
    }

    /// Ends all of it in order.
    pub fn stop(self) -> Result<()> {
        let Self { functions, device, .. } = self;
        functions.into_iter().try_for_each(Process::stop)?;
        device.stop()
    }
}

/// Makes a function a host's interface.
fn attach(folder: &Path, host: &Namespace, number: u32, vf: u32) -> Result<Process> {
    let tap = format!("mr{}.{number}f{vf}", std::process::id());
    let process = Process::start(folder, &["attach", &format!("vfio-user:dpu/vf{vf}.sock"), "--tap", &tap])?;
    host.adopt(&tap, &format!("02:00:00:00:00:0{}", vf + 1), &format!("10.0.0.{}/24", vf + 1))?;
    Ok(process)
}
