// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the uplinks of a served device are connected to.

use crate::error::{BadInput, BadInputExt};
use crate::taps;
use anyhow::{Context, Result};
use millrace_sim::tap::{Tap, is_gone};
use millrace_sim::wire::Wire;
use nix::poll::PollFlags;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

const FORMS: &str = "an uplink is connected to `tap:IFACE` or `unix:PATH`";

/// The other end of an uplink.
pub enum Uplink {
    Tap(Tap),
    Wire(Wire),
}

/// Opens what the uplinks are to be connected to.
pub fn open(config: &millrace_sim::Config, given: &[(usize, &str)]) -> Result<Vec<(usize, Uplink)>, BadInput> {
    let (mut interfaces, mut uplinks) = (vec![], vec![]);
    for (vport, place) in given {
        let name = config.vport_name(*vport).unwrap_or_default();
        if *vport >= config.uplinks {
            return Err(BadInput(format!("port {name} is no uplink: its driver is at its socket")));
        }
        match place.split_once(':') {
            Some(("tap", interface)) => interfaces.push((*vport, interface)),
            Some(("unix", path)) => {
                let wire = Wire::open(Path::new(path)).with_context(|| format!("the wire of {name}")).bad_input()?;
                uplinks.push((*vport, Uplink::Wire(wire)));
            }
            _ => return Err(BadInput(format!("`{place}`: {FORMS}"))),
        }
    }
    uplinks.extend(taps::open(config, &interfaces)?.into_iter().map(|(vport, tap)| (vport, Uplink::Tap(tap))));
    Ok(uplinks)
}

impl Uplink {
    /// A frame that comes in, if one is there.
    pub fn recv(&mut self) -> Result<Option<Vec<u8>>> {
        match self {
            Uplink::Wire(wire) => Ok(wire.recv()),
            Uplink::Tap(tap) => match tap.recv() {
                Ok(frame) => Ok(frame.filter(|frame| !frame.is_empty()).map(<[u8]>::to_vec)),
                Err(error) if is_gone(&error) => Ok(None),
                Err(error) => Err(error).with_context(|| format!("TAP device {}", tap.name())),
            },
        }
    }

    /// Sends a frame out; false if it is lost there.
    pub fn send(&mut self, frame: &[u8]) -> Result<bool> {
        match self {
            Uplink::Wire(wire) => Ok(wire.send(frame)),
            Uplink::Tap(tap) => match tap.send(frame) {
                Err(error) if is_gone(&error) => Ok(false),
                sent => sent.with_context(|| format!("TAP device {}", tap.name())),
            },
        }
    }

    /// What to wait for when there is nothing else to do.
    pub fn awaits(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match self {
            Uplink::Tap(tap) => Some((tap.as_fd(), PollFlags::POLLIN)),
            Uplink::Wire(wire) => wire.awaits(),
        }
    }
}
