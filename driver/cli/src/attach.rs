// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace attach`: a PF or VF of a device in another process, as a TAP device of this machine.

use crate::args::AttachArgs;
use crate::error::BadInputExt;
use crate::signals::Signals;
use crate::standard;
use crate::taps;
use anyhow::{Context, Result, anyhow};
use millrace_driver::Sent;
use millrace_driver::vfio_user::VfioUserNet;
use millrace_driver::virtio::Settings;
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host::{NET_HEADER, NET_HEADER_GSO_TYPE, TRANSMIT_BYTES};
use millrace_sim::tap::{Header, Tap, is_gone};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// Frames that go one way before those of the other way get their turn.
const BURST: usize = 64;
/// Longest sleep while nothing moves, in milliseconds: signals are looked at.
const NAP_MS: u8 = 50;
/// The pair of virtqueues in use.
const PAIR: u16 = 0;

/// Does what the command line says.
pub fn run(args: &AttachArgs) -> Result<()> {
    let socket = &args.function.0;
    // Checksums and segments that the stack leaves to its device, the function makes.
    let settings = Settings { offloads: true, transmit_bytes: TRANSMIT_BYTES, ..Settings::default() };
    let mut net = VfioUserNet::connect(socket, settings).bad_input()?;
    let signals = Signals::catch()?;
    let tap = taps::open_with_headers(&args.tap, net.net().features())?;
    let mut join = Join { socket, net, tap, waiting: None, counts: Counts::default() };
    standard::say_ready();
    let ran = join.go(&signals);
    join.print_counts();
    // The function's reset counts, but not above why it came.
    ran.and(join.net.stop().map_err(Into::into))
}

/// Frames that went through, and that did not.
#[derive(Default)]
struct Counts {
    to_function: u64,
    from_function: u64,
    too_long: u64,
    tap_refused: u64,
}

/// A function and a TAP device.
struct Join<'a> {
    socket: &'a Path,
    net: VfioUserNet,
    tap: Tap,
    /// A frame of the TAP device that found no room, with its header.
    waiting: Option<(Header, Vec<u8>)>,
    counts: Counts,
}

impl Join<'_> {
    fn go(&mut self, signals: &Signals) -> Result<()> {
        while !signals.stop() {
            self.net.refresh().with_context(|| self.socket.display().to_string())?;
            if self.feed_tap()? + self.feed_function()? == 0 {
                self.nap()?;
            }
        }
        Ok(())
    }

    /// Frames that the function received; how many.
    fn feed_tap(&mut self) -> Result<usize> {
        let (tap, counts) = (&mut self.tap, &mut self.counts);
        let mut failed = None;
        let received = self.net.net().receive(PAIR, BURST, |frame| match tap.send(frame) {
            Ok(true) => counts.from_function += 1,
            Ok(false) => counts.tap_refused += 1,
            Err(error) if is_gone(&error) => counts.tap_refused += 1,
            Err(error) => failed = Some(error),
        })?;
        match failed {
            None => Ok(received),
            Some(error) => Err(error).with_context(|| format!("TAP device {}", self.tap.name())),
        }
    }

    /// Frames that the TAP device sends, as long as the function has room; how many. The function sees them all at once.
    fn feed_function(&mut self) -> Result<usize> {
        let mut count = 0;
        while count < BURST && self.feed_frame()? {
            count += 1;
        }
        self.net.net().show(PAIR)?;
        Ok(count)
    }

    /// Adds the next frame; false if there is none, or no room for it.
    fn feed_frame(&mut self) -> Result<bool> {
        if let Some((header, frame)) = &self.waiting {
            if self.net.net().add_asking(PAIR, header, frame, &[])? == Sent::Full {
                return Ok(false);
            }
            self.waiting = None;
            self.counts.to_function += 1;
            return Ok(true);
        }
        loop {
            let (header, frame) = match self.tap.recv_asking() {
                Ok(Some((_, []))) | Ok(None) => return Ok(false),
                Ok(Some(found)) => found,
                Err(error) => return Err(self.tap_error(error)),
            };
            if frame.len() > longest(&header) {
                self.counts.too_long += 1;
            } else if self.net.net().add_asking(PAIR, &header, frame, &[])? == Sent::Full {
                self.waiting = Some((header, frame.to_vec()));
                return Ok(false);
            } else {
                self.counts.to_function += 1;
                return Ok(true);
            }
        }
    }

    fn tap_error(&self, error: io::Error) -> anyhow::Error {
        let name = self.tap.name();
        if is_gone(&error) {
            return anyhow!("the TAP device {name} was deleted");
        }
        anyhow::Error::new(error).context(format!("TAP device {name}"))
    }

    /// Sleeps until the TAP device or the function has something.
    fn nap(&self) -> Result<()> {
        let mut events: Vec<PollFd<'_>> =
            self.net.descriptors().into_iter().map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        // Used transmit buffers make room, and are an interrupt too.
        if self.waiting.is_none() {
            events.push(PollFd::new(self.tap.as_fd(), PollFlags::POLLIN));
        }
        match poll(&mut events, PollTimeout::from(NAP_MS)) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error).context("cannot wait for the function"),
        }
    }

    fn print_counts(&self) {
        let Counts { to_function, from_function, too_long, tap_refused } = self.counts;
        eprintln!(
            "millrace: {to_function} frames went to the function ({too_long} more were too long), {from_function} came from it \
             ({tap_refused} more were refused by the TAP device)"
        );
    }
}

/// Bytes of the longest frame with this header that a function sends: one that it cuts into segments may be longer than what is on the wire.
fn longest(header: &Header) -> usize {
    if header[NET_HEADER_GSO_TYPE] == 0 { MAX_FRAME } else { TRANSMIT_BYTES - NET_HEADER }
}
