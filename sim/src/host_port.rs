// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is at the port of a function: its driver, with queues before and behind it.

use crate::{Bar, Received};
use millrace_driver::virtio::{LocalMemory, Settings, VirtioError, VirtioNet};
use std::collections::VecDeque;

/// The pair of virtqueues in use.
const PAIR: u16 = 0;

/// A function's driver, which sends what it is given, and keeps what it receives.
pub(crate) struct HostPort {
    net: VirtioNet<Bar, LocalMemory>,
    /// Frames that the transmitq has yet to take.
    waiting: VecDeque<Vec<u8>>,
    /// Frames that it has taken, and those that the function has yet to read.
    sent: u64,
    unread: usize,
    received: VecDeque<Received>,
}

impl HostPort {
    /// Brings a function up.
    pub fn start(bar: Bar, memory: LocalMemory, settings: Settings) -> Result<Self, VirtioError> {
        let net = VirtioNet::start(bar, memory, settings)?;
        Ok(Self { net, waiting: VecDeque::new(), sent: 0, unread: 0, received: VecDeque::new() })
    }

    pub fn send(&mut self, frame: Vec<u8>) {
        assert!(!frame.is_empty(), "a frame of no bytes cannot be sent");
        self.waiting.push_back(frame);
    }

    /// Frames that the function has not read.
    pub fn pending(&self) -> usize {
        self.waiting.len() + self.unread
    }

    /// Frames that it has read.
    pub fn entered(&self) -> u64 {
        self.sent - self.unread as u64
    }

    /// Takes back what the transmitq has not taken; how many frames that were.
    pub fn withdraw(&mut self) -> usize {
        let withdrawn = self.waiting.len();
        self.waiting.clear();
        withdrawn
    }

    pub fn recv(&mut self) -> Option<Received> {
        self.received.pop_front()
    }

    /// Looks at both rings, at this cycle; false if there was nothing to do.
    pub fn look(&mut self, cycle: u64) -> Result<bool, VirtioError> {
        let Self { net, received, .. } = self;
        let mut moved = net.receive(PAIR, usize::MAX, |frame| {
            received.push_back(Received { frame: frame.to_vec(), first_cycle: cycle, cycle });
        })?;
        moved += net.reclaim(PAIR)?;
        if !self.waiting.is_empty() {
            let accepted = net.send(PAIR, self.waiting.iter().map(Vec::as_slice))?;
            self.waiting.drain(..accepted);
            self.sent += accepted as u64;
            moved += accepted;
        }
        let [_, transmit] = self.net.queues(PAIR)?;
        self.unread = transmit.outstanding().into();
        Ok(moved != 0)
    }

    /// Makes sure that the function is well if frames are left that it does not read.
    pub fn check(&mut self) -> Result<(), VirtioError> {
        if self.pending() == 0 { Ok(()) } else { self.net.check() }
    }
}
