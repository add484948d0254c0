// SPDX-License-Identifier: MIT OR Apache-2.0
//! The function under test, with its driver.

use crate::station::Station;
use anyhow::{Context, Result, bail, ensure};
use millrace_driver::vfio::{Event, PciAddress, Role, VfioBar, VfioFunction, VfioMemory};
use millrace_driver::virtio::{Settings, VirtioNet};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

/// The driver of the function.
pub type Net = VirtioNet<VfioBar, VfioMemory>;

/// Bytes of memory: for the rings and buffers of the default settings.
pub const MEMORY: usize = 6 << 20;
/// For a frame or an interrupt that has to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Echoes on their way at once, and their bytes: Linux answers none when answers of 130 KiB, each counted with all of its pages, wait to be sent.
const WINDOW: usize = 32;
const WINDOW_BYTES: usize = 32 << 10;

/// Vectors, as the driver gives them out.
pub const CONFIGURATION: usize = 0;
pub const RECEIVE: usize = 1;
pub const TRANSMIT: usize = 2;

/// What the function is to tell of itself.
#[derive(Clone, Copy)]
pub struct Expected {
    pub mac: [u8; 6],
    pub mtu: u16,
}

/// The function with its driver.
pub struct Card {
    address: PciAddress,
    pub expected: Expected,
    pub station: Station,
    /// Of the last echoes.
    id: u16,
    parts: Option<Parts>,
}

/// What goes when the function is closed.
pub struct Parts {
    pub function: VfioFunction,
    pub events: Vec<Event>,
    /// None while it is put together anew.
    net: Option<Net>,
    pub settings: Settings,
}

impl Card {
    pub fn open(address: PciAddress, expected: Expected, own: Ipv4Addr, peer: Ipv4Addr) -> Result<Self> {
        let station = Station::new(expected.mac, own, peer);
        Ok(Self { address, expected, station, id: 0, parts: Some(Parts::open(address)?) })
    }

    /// What is open.
    pub fn parts(&mut self) -> Result<&mut Parts> {
        self.parts.as_mut().context("the function is closed")
    }

    pub fn net(&mut self) -> Result<&mut Net> {
        self.parts()?.net()
    }

    /// Closes the function, and opens it again.
    pub fn reopen(&mut self) -> Result<()> {
        self.parts = None;
        self.parts = Some(Parts::open(self.address)?);
        Ok(())
    }

    /// Finds out who the peer is.
    pub fn ask(&mut self) -> Result<()> {
        let question = self.station.question()?;
        self.parts()?.send(&question)?;
        let deadline = Deadline::new();
        loop {
            let frames = self.parts()?.frames(&deadline)?;
            if frames.iter().any(|frame| self.station.is_answered(frame)) {
                return Ok(());
            }
        }
    }

    /// Sends echoes of these lengths to the peer; all have to come back, each once.
    pub fn echo(&mut self, lengths: impl IntoIterator<Item = usize>) -> Result<usize> {
        self.id += 1;
        let lengths: Vec<usize> = lengths.into_iter().collect();
        let mut answered = vec![false; lengths.len()];
        let (mut sent, mut count, mut bytes) = (0, 0, 0);
        // The peer's other frames do not count.
        let mut deadline = Deadline::new();
        while count < lengths.len() {
            while sent < lengths.len() && sent - count < WINDOW && bytes < WINDOW_BYTES {
                let frame = self.station.request(self.id, sent as u16, lengths[sent])?;
                self.parts()?.send(&frame)?;
                bytes += lengths[sent];
                sent += 1;
            }
            let frames = self.parts()?.frames(&deadline);
            for frame in frames.with_context(|| format!("{count} of {sent} echoes came back"))? {
                let Some(seq) = self.station.answered(&frame, self.id)? else { continue };
                let seq = usize::from(seq);
                ensure!(seq < sent && frame.len() == lengths[seq], "echo {seq} has {} bytes", frame.len());
                ensure!(!answered[seq], "echo {seq} came back twice");
                answered[seq] = true;
                count += 1;
                bytes -= frame.len();
                deadline = Deadline::new();
            }
        }
        Ok(count)
    }
}

impl Parts {
    fn open(address: PciAddress) -> Result<Self> {
        let function = VfioFunction::open(address, Role::Network)?;
        let settings = Settings { interrupts: true, ..Settings::default() };
        let events = function.interrupts()?;
        let net = VirtioNet::start(function.bar(), function.memory(MEMORY)?, settings.clone())?;
        Ok(Self { function, events, net: Some(net), settings })
    }

    pub fn net(&mut self) -> Result<&mut Net> {
        self.net.as_mut().context("the function has no driver")
    }

    /// Stops the driver: BAR and memory.
    pub fn stop(&mut self) -> Result<(VfioBar, VfioMemory)> {
        Ok(self.net.take().context("the function has no driver")?.stop()?)
    }

    /// Starts a driver on BAR and memory, with the settings as they are.
    pub fn start(&mut self, bar: VfioBar, memory: VfioMemory) -> Result<()> {
        self.net = Some(VirtioNet::start(bar, memory, self.settings.clone())?);
        Ok(())
    }

    /// Starts the driver again with other settings.
    pub fn set(&mut self, settings: Settings) -> Result<()> {
        let (bar, memory) = self.stop()?;
        self.settings = settings;
        self.start(bar, memory)
    }

    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        let accepted = self.net()?.send(0, [frame])?;
        ensure!(accepted == 1, "the function has not read what was sent before");
        Ok(())
    }

    /// Frames that came, one or more, after an interrupt if there are to be some.
    pub fn frames(&mut self, deadline: &Deadline) -> Result<Vec<Vec<u8>>> {
        let mut frames = vec![];
        while frames.is_empty() {
            deadline.check().context("no frame")?;
            if self.settings.interrupts {
                self.wait_for(RECEIVE, deadline).context("no frame")?;
            } else {
                thread::yield_now();
            }
            self.net()?.receive(0, usize::MAX, |frame| frames.push(frame.to_vec()))?;
        }
        Ok(frames)
    }

    /// Waits until this vector is signalled; it is not any more when this returns.
    pub fn wait_for(&self, vector: usize, deadline: &Deadline) -> Result<()> {
        let event = self.events.get(vector).with_context(|| format!("there is no vector {vector}"))?;
        loop {
            let mut file = [PollFd::new(event.as_fd(), PollFlags::POLLIN)];
            match poll(&mut file, deadline.left()) {
                Ok(0) => bail!("no interrupt of vector {vector} within {} s", PATIENCE.as_secs()),
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error).context("cannot wait"),
            }
        }
        ensure!(self.take(vector), "vector {vector} was signalled, and was not");
        Ok(())
    }

    /// Whether this vector was signalled since this was last asked.
    pub fn take(&self, vector: usize) -> bool {
        self.events[vector].take()
    }
}

/// Something is to have happened by then.
pub struct Deadline(Instant);

impl Deadline {
    pub fn new() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    pub fn check(&self) -> Result<()> {
        ensure!(Instant::now() < self.0, "nothing within {} s", PATIENCE.as_secs());
        Ok(())
    }

    /// What poll(2) takes, rounded up.
    fn left(&self) -> PollTimeout {
        let left = self.0.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }
}
