// SPDX-License-Identifier: MIT OR Apache-2.0
//! One client of the control socket. Nothing is read from it until it has taken its last answer, so that what it takes up is
//! bounded however it behaves.

use super::{Answer, Reply, Request};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

/// Bytes that are read from a client in one turn.
const TURN: usize = 1 << 20;

pub struct Connection {
    stream: UnixStream,
    /// A request as far as it has arrived, and what came together with its end.
    received: Vec<u8>,
    /// So much of it is known to hold no line end.
    searched: usize,
    to_send: Vec<u8>,
    /// So much of it is sent.
    sent: usize,
    pending: Option<Pending>,
    /// It sends no more, or is not listened to any more.
    ended: bool,
    gone: bool,
    active: Instant,
}

/// A request that is being answered.
struct Pending {
    request: Request,
    /// Number that it is put with next.
    next: u32,
    /// Items of a list that are given already; none if the answer has not begun.
    items: Option<usize>,
    /// There was nothing to say: it waits until something happens.
    idle: bool,
}

impl Connection {
    /// `stream` must not block.
    pub fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            received: vec![],
            searched: 0,
            to_send: vec![],
            sent: 0,
            pending: None,
            ended: false,
            gone: false,
            active: Instant::now(),
        }
    }

    /// It has left, or all is said.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// When something was last received from it or taken by it.
    pub fn active(&self) -> Instant {
        self.active
    }

    /// Bytes of requests that are held for it.
    pub fn held(&self) -> usize {
        self.received.len()
    }

    /// Bytes of answers that are held for it.
    #[cfg(test)]
    pub fn unsent(&self) -> usize {
        self.to_send.len()
    }

    /// What to wait for before its next turn; none if there is something to do now.
    pub fn awaits(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        if self.is_sending() {
            Some((self.stream.as_fd(), PollFlags::POLLOUT))
        } else if self.pending.as_ref().is_some_and(|pending| pending.idle) {
            // That it leaves is told unasked.
            Some((self.stream.as_fd(), PollFlags::empty()))
        } else if self.pending.is_some() || self.received[self.searched..].contains(&b'\n') {
            None
        } else {
            Some((self.stream.as_fd(), PollFlags::POLLIN))
        }
    }

    /// Has one request answered, or a further part of one, if it has taken what was said before. `room`: bytes that may be held
    /// for it.
    pub fn turn(&mut self, room: usize, answer: &mut impl FnMut(&Request, u32) -> Reply) {
        self.send();
        if self.gone || self.is_sending() {
            return;
        }
        if let Some(pending) = self.pending.take() {
            self.gone = pending.idle && self.has_left();
            if !self.gone {
                self.put(pending, answer);
            }
        } else if let Some(line) = self.next_line(room) {
            match serde_json::from_slice(&line) {
                Ok(request) => self.put(Pending { request, next: 0, items: None, idle: false }, answer),
                Err(error) => self.say(&Answer::BadInput(format!("this is no request: {error}"))),
            }
        } else if self.ended && !self.is_sending() {
            self.gone = true;
        }
        self.send();
    }

    /// The other end is closed.
    fn has_left(&self) -> bool {
        let mut ends = [PollFd::new(self.stream.as_fd(), PollFlags::empty())];
        poll(&mut ends, PollTimeout::ZERO).is_ok_and(|n| n > 0)
    }

    fn is_sending(&self) -> bool {
        !self.to_send.is_empty()
    }

    /// Puts the request to the device, for the first time or once more.
    fn put(&mut self, pending: Pending, answer: &mut impl FnMut(&Request, u32) -> Reply) {
        match answer(&pending.request, pending.next) {
            Reply::Later(next) => self.pending = Some(Pending { next, ..pending }),
            Reply::Idle => self.pending = Some(Pending { idle: true, ..pending }),
            Reply::Items { items, next } => self.list(pending, &items, next),
            Reply::Whole(answer) if pending.items.is_none() => self.say(&answer),
            // Half a list cannot be taken back.
            Reply::Whole(answer) => {
                tracing::error!("the answer to {:?} ends early: {answer:?}", pending.request);
                self.gone = true;
            }
        }
    }

    fn list(&mut self, pending: Pending, items: &[String], next: Option<u32>) {
        if pending.items.is_none() {
            self.to_send.extend_from_slice(br#"{"ok":["#);
        } else if pending.items > Some(0) && !items.is_empty() {
            self.to_send.push(b',');
        }
        self.to_send.extend_from_slice(items.join(",").as_bytes());
        match next {
            Some(next) => {
                let items = Some(pending.items.unwrap_or(0) + items.len());
                self.pending = Some(Pending { next, items, ..pending });
            }
            None => self.to_send.extend_from_slice(b"]}\n"),
        }
    }

    fn say(&mut self, answer: &Answer) {
        serde_json::to_writer(&mut self.to_send, answer).expect("an answer can be written as JSON");
        self.to_send.push(b'\n');
    }

    /// The next request, if it has arrived whole.
    fn next_line(&mut self, room: usize) -> Option<Vec<u8>> {
        self.take_line().or_else(|| {
            self.receive(room);
            self.take_line()
        })
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.received[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = self.received.len();
            return None;
        };
        let rest = self.received.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.received, rest);
        line.pop();
        self.searched = 0;
        Some(line)
    }

    /// Reads to the end of a request, or as much as a turn allows.
    fn receive(&mut self, room: usize) {
        let mut buffer = [0; 16 * 1024];
        let turn = self.received.len() + TURN;
        while !self.ended && self.received.len() < turn {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(length) => {
                    let received = &buffer[..length];
                    self.active = Instant::now();
                    self.received.extend_from_slice(received);
                    if self.received.len() > room {
                        return self.refuse(room);
                    }
                    if received.contains(&b'\n') {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
            if self.gone {
                return;
            }
        }
    }

    /// It wants more than is there for all.
    fn refuse(&mut self, room: usize) {
        (self.received, self.searched, self.ended) = (vec![], 0, true);
        self.say(&Answer::BadInput(format!("the request is too long: {room} bytes are left for it")));
    }

    fn send(&mut self) {
        while self.sent < self.to_send.len() {
            match self.stream.write(&self.to_send[self.sent..]) {
                Ok(0) => return,
                Ok(length) => {
                    self.active = Instant::now();
                    self.sent += length;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.gone |= error.kind() != ErrorKind::WouldBlock;
                    return;
                }
            }
        }
        (self.to_send, self.sent) = (vec![], 0);
    }
}
