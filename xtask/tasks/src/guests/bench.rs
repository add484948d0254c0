// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a scenario runs on: programs, a folder for sockets, one for logs, and how guests come and go.

use super::dpu::Stats;
use super::guest::Guest;
use super::install::{Install, folder, remove};
use super::network::Network;
use super::traffic;
use super::wait::Interrupts;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Lines of each log that are shown when a scenario fails.
const TAIL: usize = 12;

/// How the name of a log ends that holds a DPU's statistics.
pub const STATS: &str = ".stats.json";

/// The bench of one scenario.
pub struct Bench<'a> {
    pub install: &'a Install,
    pub initramfs: &'a Path,
    pub interrupts: &'a Interrupts,
    /// QEMU's own network functions in place of a DPU's.
    pub self_test: bool,
    /// Of short paths: that of a socket has at most 107 bytes.
    sockets: TempDir,
    logs: PathBuf,
}

impl<'a> Bench<'a> {
    /// A bench with empty folders, for the scenario `name`.
    pub fn new(
        name: &str,
        install: &'a Install,
        initramfs: &'a Path,
        interrupts: &'a Interrupts,
        self_test: bool,
    ) -> Result<Self> {
        let logs = folder().join("logs").join(name);
        remove(&logs)?;
        fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let sockets = tempfile::Builder::new().prefix("millrace-guests-").tempdir()?;
        Ok(Self { install, initramfs, interrupts, self_test, sockets, logs })
    }

    /// A file that stays when the scenario has ended.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(name)
    }

    /// The folder of files that go with the scenario.
    pub fn sockets(&self) -> &Path {
        self.sockets.path()
    }

    /// Boots guests, each with the function whose name it has, side by side; they have addresses when this returns.
    pub fn guests<const N: usize>(&self, network: &Network, functions: [&str; N]) -> Result<[Guest; N]> {
        let guests = functions.iter().map(|function| Guest::start(self, function, &[network.nic(function)]));
        let mut guests = guests.collect::<Result<Vec<_>>>()?;
        for (guest, function) in guests.iter_mut().zip(functions) {
            guest.wait_until_ready()?;
            traffic::up(guest, &traffic::address(function))?;
        }
        Ok(guests.try_into().unwrap_or_else(|_| unreachable!("there are as many as functions")))
    }

    /// Ends guests and network in order; the statistics of a DPU.
    pub fn finish(&self, network: Network, guests: impl IntoIterator<Item = Guest>) -> Result<Option<Stats>> {
        guests.into_iter().try_for_each(Guest::quit)?;
        network.stop()
    }

    /// The last lines of each log that has any, for people.
    pub fn tails(&self) -> Result<String> {
        let mut text = String::new();
        for entry in fs::read_dir(&self.logs)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(STATS) {
                text += &format!("statistics of a DPU: {}\n", path.display());
                continue;
            }
            let said = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let said = String::from_utf8_lossy(&said);
            let lines: Vec<&str> = said.lines().collect();
            if let Some((first, more)) = lines[lines.len().saturating_sub(TAIL)..].split_first() {
                text += &format!("the end of {}:\n  {first}\n", path.display());
                text.extend(more.iter().map(|line| format!("  {line}\n")));
            }
        }
        Ok(text)
    }
}
