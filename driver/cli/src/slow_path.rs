// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path of a device that is not simulated here: its turns, its clients, its signals, its end.

use crate::answers::{NAP_MS, answer, reply, write_json};
use crate::claim::Claim;
use crate::control::{Reply, Request, Server};
use crate::dpu::Dpu;
use crate::error::BadInput;
use crate::flow_file::Files;
use crate::reloading::Reloading;
use crate::signals::Signals;
use crate::stats::Stats;
use anyhow::{Context, Result, anyhow};
use millrace_driver::{Device, DeviceError};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::BorrowedFd;

/// What is around a slow path.
pub trait Surroundings {
    type Device: Device;

    /// Moves what is not the slow path's to move; how much there was.
    fn turn(&mut self, dpu: &mut Dpu<Self::Device>) -> Result<usize>;

    /// What to wait for, to read, when there is nothing else to do.
    fn awaits<'a>(&'a self, device: &'a Self::Device) -> Vec<BorrowedFd<'a>>;

    /// Answers [`Request::Functions`] and [`Request::SetFunction`], if the device has a host side.
    fn functions(&mut self, _dpu: &mut Dpu<Self::Device>, _request: &Request) -> Option<Reply> {
        None
    }

    /// What happened so far.
    fn stats(&self, dpu: &mut Dpu<Self::Device>) -> Result<Stats>;

    /// The same of a device that does not answer any more.
    fn last_stats(&self, dpu: &mut Dpu<Self::Device>) -> Result<Stats>;
}

/// A slow path at work.
pub struct Session<'a, S: Surroundings> {
    files: Files<'a>,
    dpu: Dpu<S::Device>,
    around: S,
    server: Option<Server>,
    signals: Signals,
    /// Flows that a signal asked for are on their way into force.
    reloading: Reloading,
}

impl<'a, S: Surroundings> Session<'a, S> {
    pub fn new(files: Files<'a>, dpu: Dpu<S::Device>, around: S, server: Option<Server>, signals: Signals) -> Self {
        Self { files, dpu, around, server, signals, reloading: Reloading::default() }
    }

    /// Goes on until a signal ends it, and writes the statistics. The device as it is then.
    pub fn run(mut self, stats: Option<Claim>) -> Result<S::Device> {
        // What was counted until something failed is worth having.
        let ran = self.go();
        let written = self.write_stats(stats);
        match (ran, written) {
            (Err(error), Err(lost)) => Err(anyhow!("{error:#}; {lost:#}")),
            (ran, written) => ran.and(written).map(|()| self.dpu.into_device()),
        }
    }

    fn go(&mut self) -> Result<()> {
        while !self.signals.stop() {
            if self.signals.take_reload() {
                self.reloading.begin(&mut self.dpu, self.files)?;
            }
            if self.reloading.is_over(&mut self.dpu, |dpu| dpu.rules_agree()) {
                eprintln!("millrace: {} is in force", self.files.flows.display());
            }
            self.serve();
            let moved = self.dpu.turn()? + self.around.turn(&mut self.dpu)?;
            if moved == 0 {
                self.nap()?;
            }
        }
        // What was seen last is told too.
        self.serve();
        Ok(())
    }

    fn serve(&mut self) {
        if let Some(server) = &mut self.server {
            let (dpu, around) = (&mut self.dpu, &mut self.around);
            server.serve(|request, from| match request {
                Request::Stats => reply(around.stats(dpu)),
                Request::Functions { .. } | Request::SetFunction { .. } => {
                    around.functions(dpu, request).unwrap_or_else(|| answer(dpu, request, from))
                }
                request => answer(dpu, request, from),
            });
        }
    }

    /// Sleeps until the device, what is around it, or a client has something, but not for long: the slow path's timers run.
    fn nap(&mut self) -> Result<()> {
        let Some(clients) = self.server.as_ref().map_or_else(|| Some(vec![]), Server::awaits) else {
            return Ok(());
        };
        let ours = self.around.awaits(self.dpu.device()).into_iter().map(|fd| (fd, PollFlags::POLLIN));
        let mut descriptors: Vec<PollFd> = ours.chain(clients).map(|(fd, events)| PollFd::new(fd, events)).collect();
        match poll(&mut descriptors, PollTimeout::from(NAP_MS)) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for the device"),
        }
    }

    /// Writes the statistics: of a device that does not answer any more those of this side.
    fn write_stats(&mut self, stats: Option<Claim>) -> Result<()> {
        let Some(claim) = stats else { return Ok(()) };
        let path = claim.path().to_owned();
        let error = match self.around.stats(&mut self.dpu) {
            Ok(stats) => return write_json(claim, &stats),
            Err(error) => error,
        };
        let last = self.around.last_stats(&mut self.dpu)?;
        write_json(claim, &Stats { incomplete: Some(format!("{error:#}")), ..last })?;
        Err(error.context(format!("{} has nothing of what the device counted", path.display())))
    }
}

/// Tells a device that is not to be had as it is from one that fails, with the option with which it can be had all the same.
pub fn with_hint(error: DeviceError) -> anyhow::Error {
    match error {
        DeviceError::Owned { .. } => BadInput(format!("{error} (--take-over)")).into(),
        DeviceError::NotMillrace(_) | DeviceError::Version { .. } | DeviceError::Config { .. } => {
            BadInput(error.to_string()).into()
        }
        error => error.into(),
    }
}
