// SPDX-License-Identifier: MIT OR Apache-2.0
//! Ping and iperf3 between two hosts.

use crate::live::PEER;
use anyhow::{Context, Result};
use millrace_netns::{Namespace, output};
use serde_json::Value;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// What an iperf3 run reached.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    pub bits_per_second: f64,
    /// Bytes that arrived.
    pub bytes: u64,
    /// Packets that the receiver missed (UDP alone).
    pub lost_percent: f64,
}

/// Pings the second host from the first, `count` times; the summary that ping prints.
pub fn ping(hosts: &[Namespace; 2], count: u32) -> Result<String> {
    let printed = output(hosts[0].bounded("ping").args(["-c", &count.to_string(), "-i", "0.2", "-W", "5", PEER]))?;
    let text = String::from_utf8(printed.stdout)?;
    Ok(text.lines().skip_while(|line| !line.starts_with("---")).collect::<Vec<_>>().join("\n"))
}

/// Sends from the first host to the second for `seconds`, with further iperf3 arguments (`-u -b 20M`).
pub fn iperf(hosts: &[Namespace; 2], seconds: u32, arguments: &[&str]) -> Result<Rate> {
    let _server = Running(hosts[1].command("iperf3").args(["-s", "--one-off"]).stdout(Stdio::null()).spawn()?);
    wait_for_server(&hosts[1])?;
    let mut client = hosts[0].bounded("iperf3");
    let report = output(client.args(["-c", PEER, "--json", "-t", &seconds.to_string()]).args(arguments))?;
    let report: Value = serde_json::from_slice(&report.stdout)?;
    let sum =
        if report["end"]["sum_received"].is_object() { &report["end"]["sum_received"] } else { &report["end"]["sum"] };
    Ok(Rate {
        bits_per_second: sum["bits_per_second"].as_f64().context("iperf3 reports no rate")?,
        bytes: sum["bytes"].as_u64().context("iperf3 reports no bytes")?,
        lost_percent: report["end"]["sum"]["lost_percent"].as_f64().unwrap_or(0.0),
    })
}

/// A process that ends with this value at the latest.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_for_server(host: &Namespace) -> Result<()> {
    for _ in 0..200 {
        let listening = output(host.command("ss").args(["-ltn", "sport = :5201"]))?;
        if String::from_utf8_lossy(&listening.stdout).contains(":5201") {
            return Ok(());
        }
        sleep(Duration::from_millis(20));
    }
    anyhow::bail!("iperf3 does not listen")
}
