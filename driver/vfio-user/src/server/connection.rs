// SPDX-License-Identifier: MIT OR Apache-2.0
//! The connection to a client: what comes in, and what waits to go out.

use crate::socket::{Incoming, Message, StreamError, send};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

/// A client.
pub struct Connection {
    socket: UnixStream,
    incoming: Incoming,
    outgoing: VecDeque<Vec<u8>>,
    /// Bytes of the first of them that are gone.
    sent: usize,
    /// Whether both ends have agreed on a version.
    pub negotiated: bool,
    /// Whether the client was complained of: a warning for each of its messages would fill the log.
    complained: bool,
}

impl Connection {
    pub fn new(socket: UnixStream) -> Self {
        Self {
            socket,
            incoming: Incoming::default(),
            outgoing: VecDeque::new(),
            sent: 0,
            negotiated: false,
            complained: false,
        }
    }

    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether the client does not take what waits for it.
    pub fn is_blocked(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Whether the client has closed its end. What it sent before may still be there.
    pub fn has_hung_up(&self) -> bool {
        let mut events = [PollFd::new(self.descriptor(), PollFlags::empty())];
        poll(&mut events, PollTimeout::ZERO).is_ok()
            && events[0].revents().is_some_and(|events| events.intersects(PollFlags::POLLHUP | PollFlags::POLLERR))
    }

    /// Takes the next message that is there.
    pub fn receive(&mut self) -> Result<Option<Message>, StreamError> {
        self.incoming.receive(self.socket.as_fd())
    }

    /// Logs that a command was refused.
    pub fn complain(&mut self, command: u16, size: u32, error: Errno) {
        if self.complained {
            tracing::debug!(command, size, %error, "a command was refused");
        } else {
            tracing::warn!(command, size, %error, "a command was refused; more of this client are logged at level debug");
        }
        self.complained = true;
    }

    /// Adds a message to those that go out.
    pub fn queue(&mut self, message: Vec<u8>) {
        self.outgoing.push_back(message);
    }

    /// Sends what the client takes now.
    pub fn flush(&mut self) -> Result<(), StreamError> {
        while let Some(message) = self.outgoing.front() {
            let Some(count) = send(self.socket.as_fd(), &message[self.sent..], &[])? else { return Ok(()) };
            self.sent += count;
            if self.sent == message.len() {
                self.outgoing.pop_front();
                self.sent = 0;
            }
        }
        Ok(())
    }
}
