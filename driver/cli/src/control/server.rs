// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listens on the control socket, without ever waiting for a client.

use super::connection::Connection;
use super::{Answer, Place, Reply, Request, peer};
use crate::error::BadInput;
use crate::signals::Signals;
use anyhow::{Context, Result};
use nix::poll::PollFlags;
use nix::sys::stat::{Mode, umask};
use nix::unistd::Uid;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Bytes of requests that are held for all clients together: a flow file can be in one.
const MAX_HELD: usize = 64 << 20;
/// Clients at a time. When another one comes, the one that was silent for longest has to go.
const MAX_CLIENTS: usize = 16;

pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    clients: Vec<Connection>,
    pub(super) max_held: usize,
}

impl Server {
    /// Listens at `path`; without one at the default path, unless another device is there (then there is no server).
    pub fn open(path: Option<&Path>) -> Result<Option<Self>> {
        let given = path.is_some();
        match path
            .map_or_else(|| Place::of_this_user().made(), |path| Ok(path.into()))
            .and_then(|path| Self::bind(&path))
        {
            Ok(server) => Ok(Some(server)),
            Err(error) if given => Err(error.into()),
            Err(error) => {
                tracing::warn!("{error}: this device has no control socket");
                Ok(None)
            }
        }
    }

    /// As [`open`](Self::open); the socket does not outlive a run that signals end at once.
    pub fn open_until_signal(path: Option<&Path>, signals: &Signals) -> Result<Option<Self>> {
        let server = Self::open(path)?;
        if let Some(server) = &server {
            signals.remove_at_once(&server.path);
        }
        Ok(server)
    }

    fn bind(path: &Path) -> Result<Self, BadInput> {
        if UnixStream::connect(path).is_ok() {
            return Err(BadInput(format!("another device listens at {}", path.display())));
        }
        let bound = Self::bind_unused(path).with_context(|| format!("cannot listen at {}", path.display()));
        bound.map_err(|error| BadInput(format!("{error:#}")))
    }

    fn bind_unused(path: &Path) -> io::Result<Self> {
        // Nobody answers there: what a run that was killed left behind.
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path)?;
        }
        // Nobody else's from the moment it is there.
        let before = umask(Mode::S_IXUSR | Mode::S_IRWXG | Mode::S_IRWXO);
        let listener = UnixListener::bind(path);
        umask(before);
        let listener = listener?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.into(), clients: vec![], max_held: MAX_HELD })
    }

    /// What is to be waited for until there is something to do; none if there is already.
    pub fn awaits(&self) -> Option<Vec<(BorrowedFd<'_>, PollFlags)>> {
        let listener = (self.listener.as_fd(), PollFlags::POLLIN);
        self.clients.iter().map(Connection::awaits).chain([Some(listener)]).collect()
    }

    /// Gives each client its turn. A request is put with 0, and with other numbers until its answer is whole.
    pub fn serve(&mut self, mut answer: impl FnMut(&Request, u32) -> Reply) {
        self.accept();
        let mut held: usize = self.clients.iter().map(Connection::held).sum();
        for client in &mut self.clients {
            held -= client.held();
            client.turn(self.max_held - held, &mut answer);
            held += client.held();
        }
        self.clients.retain(|client| !client.is_gone());
    }

    /// Bytes of requests and of answers that are held.
    #[cfg(test)]
    pub fn held(&self) -> (usize, usize) {
        let sum = |bytes: fn(&Connection) -> usize| self.clients.iter().map(bytes).sum();
        (sum(Connection::held), sum(Connection::unsent))
    }

    fn accept(&mut self) {
        for _ in 0..MAX_CLIENTS {
            let Ok((stream, _)) = self.listener.accept() else {
                return;
            };
            match peer::user(&stream) {
                Ok(user) if peer::is_trusted(user) => {}
                Ok(user) => {
                    tracing::warn!("user {user} wanted to control this device, which is not theirs");
                    refuse(stream, user);
                    continue;
                }
                Err(_) => continue,
            }
            if stream.set_nonblocking(true).is_ok() {
                self.make_room();
                self.clients.push(Connection::new(stream));
            }
        }
    }

    fn make_room(&mut self) {
        if self.clients.len() >= MAX_CLIENTS {
            self.clients.sort_by_key(Connection::active);
            self.clients.remove(0);
        }
    }
}

/// Tells somebody whom the device does not serve, if it can be told at once.
fn refuse(mut stream: UnixStream, user: Uid) {
    let why = format!("this device serves user {} and root alone, not user {user}", Uid::effective());
    let answer = serde_json::to_string(&Answer::Failed(why)).unwrap_or_default() + "\n";
    let _ = stream.set_nonblocking(true).and_then(|()| stream.write_all(answer.as_bytes()));
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
