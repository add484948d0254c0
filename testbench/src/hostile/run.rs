// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lets a case happen, and judges what the device makes of it.

use super::device::{Dpu, GUESTS, NEIGHBOURS, PRESET, REST};
use super::guest::Guest;
use super::neighbours::{MARK, Neighbours};
use super::op::{Case, Op};
use anyhow::{Context, Result, bail, ensure};
use millrace_sim::Interrupt;

/// Rounds of the neighbours until all that they sent has come.
const ROUNDS: usize = 20;

/// What was done and seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Things that happened.
    pub operations: u64,
    /// Clocks that passed.
    pub cycles: u64,
    /// Frames from neighbour to neighbour.
    pub frames: u64,
    /// Of them and their order.
    pub digest: u64,
    /// Frames that guests sent.
    pub sent: u64,
    /// Faults by their reasons.
    pub faults: [u64; 13],
    /// Times that a guest's rings kept the device busy until it was stopped.
    pub restless: u64,
}

impl std::ops::AddAssign for Done {
    fn add_assign(&mut self, more: Self) {
        self.operations += more.operations;
        self.cycles += more.cycles;
        self.frames += more.frames;
        self.digest ^= more.digest.rotate_left(1);
        self.sent += more.sent;
        self.faults.iter_mut().zip(more.faults).for_each(|(faults, more)| *faults += more);
        self.restless += more.restless;
    }
}

/// The device and all who use it.
pub struct Bench {
    pub dpu: Dpu,
    pub neighbours: Neighbours,
    pub guests: [Guest; 2],
    pub done: Done,
}

/// Lets a case happen on a new device.
///
/// # Errors
/// What the device must not do.
pub fn run(case: &Case) -> Result<Done> {
    let mut bench = Bench::new(case)?;
    for (number, op) in case.ops.iter().enumerate() {
        bench.play(op).and_then(|()| bench.look()).with_context(|| format!("operation {number}, {op:?}"))?;
    }
    bench.settle().context("at the end")?;
    bench.done.operations = case.ops.len() as u64;
    bench.done.cycles = bench.dpu.sim().cycle();
    (bench.done.frames, bench.done.digest) = (bench.neighbours.frames(), bench.neighbours.digest());
    for guest in &bench.guests {
        bench.done.faults.iter_mut().zip(guest.faults).for_each(|(all, faults)| *all += faults);
    }
    Ok(bench.done)
}

impl Bench {
    /// As a case wants it; nothing has happened.
    pub fn new(case: &Case) -> Result<Self> {
        let dpu = Dpu::new(case)?;
        let neighbours = Neighbours::new(&dpu, case.seed)?;
        let mut uplinks = 0..;
        let guests = GUESTS.map(|function| Guest::new(&dpu, function, uplinks.next().expect("one each")));
        Ok(Self { dpu, neighbours, guests, done: Done::default() })
    }

    fn play(&mut self, op: &Op) -> Result<()> {
        match op {
            Op::Exchange { frames, length } => self.neighbours.exchange(&self.dpu, *frames, *length),
            Op::Wait { clocks } => {
                self.dpu.sim().skip((*clocks).into());
                Ok(())
            }
            Op::Settle => self.settle(),
            Op::Revive { guest } => {
                self.settle()?;
                self.guests[usize::from(*guest) % 2].revive()
            }
            Op::Guest { guest, act } => self.guests[usize::from(*guest) % 2].act(act),
        }
    }

    /// What can be seen at any time.
    fn look(&mut self) -> Result<()> {
        for guest in &self.guests {
            if let Some(violation) = guest.violation() {
                bail!(violation);
            }
            while let Some(left) = self.dpu.sim().recv(guest.uplink()) {
                let leaks = left.frame.windows(MARK.len()).any(|bytes| bytes == MARK);
                ensure!(!leaks, "function {} sends bytes of others", guest.function);
                self.done.sent += 1;
            }
        }
        for function in [0].into_iter().chain(NEIGHBOURS) {
            if let Some(violation) = self.dpu.memory(function).watch().violation() {
                bail!("function {function}: {violation}");
            }
        }
        while let Some(message) = { self.dpu.sim().interrupt() } {
            self.interrupt(message)?;
        }
        Ok(())
    }

    fn interrupt(&mut self, message: Interrupt) -> Result<()> {
        if self.neighbours.interrupt(message)? {
            return Ok(());
        }
        let (function, vector) = (usize::from(message.function), usize::from(message.vector));
        let guest = self.guests.iter().find(|guest| guest.function == function);
        // A guest may unmask any of its vectors, and name it for the configuration.
        let has_it = vector < PRESET.config().vectors_of_function(function);
        ensure!(guest.is_some_and(|guest| guest.msix) && has_it, "{message:?}");
        Ok(())
    }

    /// All that is under way comes to its end; then everybody is as they should be.
    pub fn settle(&mut self) -> Result<()> {
        for round in 0.. {
            self.rest()?;
            self.look()?;
            self.neighbours.take_told()?;
            if self.dpu.sim().idle() && self.neighbours.due() == 0 {
                break;
            }
            ensure!(round < ROUNDS, "the neighbours' frames do not come");
        }
        self.look()?;
        self.neighbours.settled(&self.dpu)?;
        self.guests.iter_mut().try_for_each(Guest::judge)?;
        self.rest()
    }

    /// The device comes to rest by itself, or when guests whose rings feed themselves are no bus masters any more.
    fn rest(&mut self) -> Result<()> {
        if self.dpu.sim().run_until_idle(REST) {
            return Ok(());
        }
        self.done.restless += 1;
        GUESTS.into_iter().for_each(|function| self.dpu.sim().set_bus_master(function, false));
        ensure!(self.dpu.sim().run_until_idle(REST), "the device does not come to rest");
        Ok(())
    }
}
