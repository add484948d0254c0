// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the uplinks of a served device are connected to.

mod place;

use crate::claim::Claim;
use crate::error::{BadInput, BadInputExt};
use crate::line::Line;
use crate::taps;
use anyhow::{Context, Result};
use millrace_sim::capture::{Format, Writer};
use millrace_sim::tap::{Tap, is_gone};
use millrace_sim::{CYCLE_NS, Config};
use nix::poll::PollFlags;
use place::Place;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Where the uplinks are to be connected to, as it was given.
pub struct Places<'a>(Vec<(usize, Place<'a>)>);

impl<'a> Places<'a> {
    /// `given`: uplinks, and what follows `--uplink PORT=`.
    pub fn new(config: &Config, given: &[(usize, &'a str)]) -> Result<Self, BadInput> {
        let place = |(vport, text): &(usize, &'a str)| {
            let name = config.vport_name(*vport).unwrap_or_default();
            if *vport >= config.uplinks {
                return Err(BadInput(format!("port {name} is no uplink: its driver is at its socket")));
            }
            Ok((*vport, Place::parse(text).map_err(BadInput)?))
        };
        Ok(Self(given.iter().map(place).collect::<Result<_, _>>()?))
    }

    /// The captures whose packets come in.
    pub fn captures(&self) -> Vec<(usize, &'a str)> {
        let captures = self.0.iter().filter_map(|(vport, place)| match place {
            Place::Captures { input, .. } => Some((*vport, *input)),
            _ => None,
        });
        captures.collect()
    }

    /// Opens all of them. No capture is changed yet.
    pub fn open(&self, config: &Config) -> Result<Vec<(usize, Opened)>, BadInput> {
        let mut uplinks = vec![];
        let mut interfaces = vec![];
        for (vport, place) in &self.0 {
            match place {
                Place::Tap(interface) => interfaces.push((*vport, *interface)),
                Place::Captures { output, .. } => {
                    uplinks.push((*vport, Opened::Capture(Claim::new(Path::new(output))?)));
                }
                Place::Wire { path, length } => {
                    let name = config.vport_name(*vport).unwrap_or_default();
                    let line = Line::open(Path::new(path), *length).with_context(|| format!("the wire of {name}"));
                    uplinks.push((*vport, Opened::Ready(Uplink::Line(Box::new(line.bad_input()?)))));
                }
            }
        }
        let taps = taps::open(config, &interfaces)?;
        uplinks.extend(taps.into_iter().map(|(vport, tap)| (vport, Opened::Ready(Uplink::Tap(tap)))));
        Ok(uplinks)
    }
}

/// The other end of an uplink before the device begins to run.
pub enum Opened {
    /// A capture that is to be written.
    Capture(Claim),
    Ready(Uplink),
}

impl Opened {
    /// The capture, if it is one.
    pub fn claim(&self) -> Option<&Claim> {
        match self {
            Opened::Capture(claim) => Some(claim),
            Opened::Ready(_) => None,
        }
    }

    /// The device begins to run: empties a capture, of this format, whose times are counted from `epoch_ns` on.
    pub fn begin(self, format: Format, epoch_ns: u64) -> Result<Uplink> {
        match self {
            Opened::Ready(uplink) => Ok(uplink),
            Opened::Capture(claim) => {
                let path = claim.path().to_owned();
                let file = claim.take().with_context(|| format!("cannot write {}", path.display()))?;
                Ok(Uplink::Capture { writer: Box::new(Writer::new(&path, file, format)?), epoch_ns })
            }
        }
    }
}

/// The other end of an uplink.
pub enum Uplink {
    Tap(Tap),
    Line(Box<Line>),
    /// What leaves is written; what comes in is not read here.
    Capture {
        writer: Box<Writer>,
        epoch_ns: u64,
    },
}

impl Uplink {
    /// A frame that comes in, if one is there.
    pub fn recv(&mut self) -> Result<Option<Vec<u8>>> {
        match self {
            Uplink::Capture { .. } => Ok(None),
            Uplink::Line(line) => Ok(line.recv()),
            Uplink::Tap(tap) => match tap.recv() {
                Ok(frame) => Ok(frame.filter(|frame| !frame.is_empty()).map(<[u8]>::to_vec)),
                Err(error) if is_gone(&error) => Ok(None),
                Err(error) => Err(error).with_context(|| format!("TAP device {}", tap.name())),
            },
        }
    }

    /// Sends a frame out that left the device at this cycle; false if it is lost.
    pub fn send(&mut self, frame: Vec<u8>, cycle: u64) -> Result<bool> {
        match self {
            Uplink::Capture { writer, epoch_ns } => {
                writer.write(*epoch_ns + cycle * CYCLE_NS, &frame)?;
                Ok(true)
            }
            Uplink::Line(line) => {
                line.send(frame, cycle);
                Ok(true)
            }
            Uplink::Tap(tap) => match tap.send(&frame) {
                Err(error) if is_gone(&error) => Ok(false),
                sent => sent.with_context(|| format!("TAP device {}", tap.name())),
            },
        }
    }

    /// The wire, if it is one.
    pub fn line(&mut self) -> Option<&mut Line> {
        match self {
            Uplink::Line(line) => Some(line),
            _ => None,
        }
    }

    /// What to wait for when there is nothing else to do.
    pub fn awaits(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match self {
            Uplink::Tap(tap) => Some((tap.as_fd(), PollFlags::POLLIN)),
            Uplink::Line(line) => line.wire().awaits(),
            Uplink::Capture { .. } => None,
        }
    }

    /// Completes a capture.
    pub fn finish(self) -> Result<()> {
        match self {
            Uplink::Capture { writer, .. } => Ok(writer.finish()?),
            _ => Ok(()),
        }
    }
}
