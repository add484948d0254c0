// SPDX-License-Identifier: MIT OR Apache-2.0
//! A function behind a socket.

mod connection;
mod device;
mod listener;
mod requests;
mod signal;
mod vectors;

pub use device::{DeviceInfo, Function};
pub use listener::ServerError;
pub use vectors::Vectors;

use crate::memory::ClientMemory;
use crate::socket::{Message, StreamError};
use crate::wire::{Header, Kind};
use connection::Connection;
use listener::Listener;
use nix::poll::{PollFd, PollFlags};
use requests::Requests;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Most messages that one turn handles, and most clients that it turns away, so that who comes without end does not hold up others.
const BUDGET: usize = 64;

/// A function behind a socket, for one client at a time. A second one is turned away.
pub struct Server {
    path: PathBuf,
    /// None while the function is not there.
    listener: Option<Listener>,
    device: DeviceInfo,
    connection: Option<Connection>,
    /// Has come while the one before it was going.
    next: Option<UnixStream>,
    memory: ClientMemory,
    vectors: Vectors,
}

impl Server {
    /// Listens at this path. A socket that a dead server left there is replaced; ours is removed when the server is dropped.
    ///
    /// # Errors
    /// If a server listens there, something else than a socket is there, or the socket cannot be made.
    pub fn bind(path: impl AsRef<Path>, device: DeviceInfo) -> Result<Self, ServerError> {
        let mut server = Self::closed(path, device);
        server.open()?;
        Ok(server)
    }

    /// A function that is not there: it has no socket until it is [opened](Self::open).
    pub fn closed(path: impl AsRef<Path>, device: DeviceInfo) -> Self {
        let (path, vectors) = (path.as_ref().to_owned(), Vectors::new(device.msix_vectors));
        Self { path, listener: None, device, connection: None, next: None, memory: ClientMemory::default(), vectors }
    }

    /// Listens, as [`bind`](Self::bind), if it does not yet.
    ///
    /// # Errors
    /// As there.
    pub fn open(&mut self) -> Result<(), ServerError> {
        if self.listener.is_none() {
            self.listener = Some(Listener::bind(&self.path)?);
        }
        Ok(())
    }

    /// Whether clients may come.
    pub fn is_open(&self) -> bool {
        self.listener.is_some()
    }

    /// The function vanishes: its socket goes, and so does its client; memory and eventfds are given back, and the function is reset.
    pub fn close(&mut self, function: &mut dyn Function) {
        (self.listener, self.next) = (None, None);
        if self.connection.take().is_some() {
            tracing::warn!(path = %self.path.display(), "the function is not there any more: its client was disconnected");
        }
        self.memory.clear();
        self.vectors.clear();
        function.reset();
    }

    /// The memory of the client, whichever is there.
    pub fn memory(&self) -> ClientMemory {
        self.memory.clone()
    }

    /// The interrupts.
    pub fn vectors(&self) -> Vectors {
        self.vectors.clone()
    }

    /// Gives an interrupt, as [`Vectors::interrupt`].
    pub fn interrupt(&mut self, vector: u16) {
        self.vectors.interrupt(vector);
    }

    /// Whether there is a client with which a version was agreed on.
    pub fn connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.negotiated)
    }

    /// What to poll: when one of them is ready, a [`turn`](Self::turn) has something to do.
    pub fn descriptors(&self) -> Vec<PollFd<'_>> {
        let mut events = vec![];
        if let Some(listener) = &self.listener {
            events.push(PollFd::new(listener.descriptor(), PollFlags::POLLIN));
        }
        if let Some(connection) = &self.connection {
            let waits = connection.is_blocked() || self.memory.has_messages();
            // What the client has yet to take comes before what it asks next.
            let event = if waits { PollFlags::POLLOUT } else { PollFlags::POLLIN };
            events.push(PollFd::new(connection.descriptor(), event));
        }
        events
    }

    /// Handles what is there, without waiting for anything: new clients, messages, answers that wait to go out. Gives how many messages it
    /// handled: no more than 64 at once.
    ///
    /// A client that goes, or sends what is no message, is disconnected: its memory and eventfds are given back, and the function is reset.
    ///
    /// # Errors
    /// If no more clients can come. What a client does is no error.
    pub fn turn(&mut self, function: &mut dyn Function) -> Result<usize, ServerError> {
        let mut handled = self.serve(function);
        if self.accept()? {
            handled += self.serve(function);
        }
        Ok(handled)
    }

    /// Takes clients that wait; true if one is ours now.
    fn accept(&mut self) -> Result<bool, ServerError> {
        let mut taken = false;
        for _ in 0..BUDGET {
            // Whoever has hung up makes way when all that it sent was handled.
            if self.connection.as_ref().is_some_and(Connection::has_hung_up) {
                break;
            }
            let Some(listener) = &self.listener else { break };
            let waiting = self.next.take();
            let Some(socket) = waiting.map_or_else(|| listener.accept(), |socket| Ok(Some(socket)))? else { break };
            if self.connection.as_ref().is_some_and(Connection::has_hung_up) {
                self.next = Some(socket);
            } else if self.connection.is_some() {
                tracing::warn!(path = %self.path.display(), "a second client was turned away");
            } else {
                self.connect(socket);
                taken = true;
            }
        }
        Ok(taken)
    }

    fn connect(&mut self, socket: UnixStream) {
        tracing::debug!(path = %self.path.display(), "a client has come");
        self.connection = Some(Connection::new(socket));
    }

    fn serve(&mut self, function: &mut dyn Function) -> usize {
        let mut handled = 0;
        let end = loop {
            match self.step(function, handled == BUDGET) {
                Ok(true) => handled += 1,
                Ok(false) => return handled,
                Err(end) => break end,
            }
        };
        self.disconnect(function, &end);
        handled
    }

    /// Sends what waits, and handles a message, if one is there; `last`: does not.
    fn step(&mut self, function: &mut dyn Function, last: bool) -> Result<bool, StreamError> {
        let Some(connection) = &mut self.connection else { return Ok(false) };
        while let Some(message) = self.memory.next_message() {
            connection.queue(message);
        }
        connection.flush()?;
        if last || connection.is_blocked() {
            return Ok(false);
        }
        let Some(message) = connection.receive()? else { return Ok(false) };
        match message.header.kind {
            Kind::Reply { .. } if self.memory.answer(&message) => {}
            Kind::Reply { .. } => return Err(StreamError::Unasked),
            Kind::Command { no_reply } => self.command(message, no_reply, function),
        }
        Ok(true)
    }

    fn command(&mut self, message: Message, no_reply: bool, function: &mut dyn Function) {
        let Some(connection) = &mut self.connection else { return };
        let Header { id, command, size, .. } = message.header;
        let (device, memory, vectors) = (&self.device, &self.memory, &self.vectors);
        let negotiated = &mut connection.negotiated;
        let answer = Requests { device, memory, vectors, function, negotiated }.answer(message);
        if let Err(error) = answer {
            connection.complain(command, size, error);
        }
        if !no_reply {
            let (kind, payload) = match answer {
                Ok(payload) => (Kind::Reply { error: None }, payload),
                Err(error) => (Kind::Reply { error: Some(error as u32) }, vec![]),
            };
            connection.queue(Header::message(id, command, kind, &payload));
        }
    }

    fn disconnect(&mut self, function: &mut dyn Function, end: &StreamError) {
        let Some(connection) = self.connection.take() else { return };
        let path = self.path.display();
        match end {
            StreamError::Closed => tracing::debug!(%path, "the client has gone"),
            _ => tracing::warn!(%path, reason = %end, "the client was disconnected"),
        }
        self.memory.clear();
        self.vectors.clear();
        if connection.negotiated {
            function.reset();
        }
    }
}

#[cfg(test)]
mod tests;
