// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace attach`: a PF or VF of a device in another process, as a TAP device of this machine.

use crate::args::AttachArgs;
use crate::error::BadInputExt;
use crate::signals::Signals;
use crate::standard;
use crate::taps;
use anyhow::{Context, Result, bail};
use millrace_driver::vfio_user::VfioUserNet;
use millrace_driver::virtio::Settings;
use millrace_sim::tap::{Tap, is_gone};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
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
    let settings = Settings::default();
    let longest = settings.longest_frame();
    let net = VfioUserNet::connect(&args.function.0, settings).bad_input()?;
    let signals = Signals::catch()?;
    let tap = taps::open_one(&args.tap)?;
    let socket = &args.function.0;
    let mut join = Join { socket, net, tap, longest, waiting: None, counts: Counts::default() };
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
    /// Bytes of the longest frame that a transmit buffer holds.
    longest: usize,
    /// A frame of the TAP device that found no room.
    waiting: Option<Vec<u8>>,
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

    /// Frames that the TAP device sends, as long as the function has room; how many.
    fn feed_function(&mut self) -> Result<usize> {
        for count in 0..BURST {
            let Some(frame) = self.next_frame()? else { return Ok(count) };
            if self.net.net().send(PAIR, [&frame[..]])? == 0 {
                self.waiting = Some(frame);
                return Ok(count);
            }
            self.counts.to_function += 1;
        }
        Ok(BURST)
    }

    fn next_frame(&mut self) -> Result<Option<Vec<u8>>> {
        if let Some(frame) = self.waiting.take() {
            return Ok(Some(frame));
        }
        loop {
            match self.tap.recv() {
                Ok(Some(frame)) if frame.len() > self.longest => self.counts.too_long += 1,
                Ok(frame) => return Ok(frame.filter(|frame| !frame.is_empty()).map(<[u8]>::to_vec)),
                Err(error) if is_gone(&error) => bail!("the TAP device {} was deleted", self.tap.name()),
                Err(error) => return Err(error).with_context(|| format!("TAP device {}", self.tap.name())),
            }
        }
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
