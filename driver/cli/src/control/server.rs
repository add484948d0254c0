// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listens on the control socket, without ever waiting for a client.

use super::{Answer, Request, default_path};
use crate::error::BadInput;
use anyhow::{Context, Result};
use std::fs::{self, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Longest request in bytes: a flow file is in it.
const MAX_REQUEST: usize = 64 << 20;
/// Clients at a time; more have to wait.
const MAX_CLIENTS: usize = 16;

pub struct Server {
    listener: UnixListener,
    path: PathBuf,
    clients: Vec<Client>,
}

struct Client {
    stream: UnixStream,
    received: Vec<u8>,
    to_send: Vec<u8>,
    gone: bool,
}

impl Server {
    /// Listens at `path`; without one at the default path, unless another device is there (then there is no server).
    pub fn open(path: Option<&Path>) -> Result<Option<Self>> {
        let given = path.is_some();
        let path = path.map_or_else(default_path, Path::to_owned);
        if UnixStream::connect(&path).is_ok() {
            if given {
                return Err(BadInput(format!("another device listens at {}", path.display())).into());
            }
            tracing::warn!("another device listens at {}: this one has no control socket", path.display());
            return Ok(None);
        }
        match Self::bind(&path) {
            Ok(server) => Ok(Some(server)),
            Err(error) if given => Err(BadInput(format!("{error:#}")).into()),
            Err(error) => {
                tracing::warn!("{error:#}: this device has no control socket");
                Ok(None)
            }
        }
    }

    fn bind(path: &Path) -> Result<Self> {
        // Nobody answers there: what a run that was killed left behind.
        if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(path).with_context(|| format!("cannot replace the socket {}", path.display()))?;
        }
        let listener = UnixListener::bind(path).with_context(|| format!("cannot listen at {}", path.display()))?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.into(), clients: vec![] })
    }

    /// What becomes readable when there is something to do.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.clients.iter().map(|client| client.stream.as_fd()).chain([self.listener.as_fd()])
    }

    /// Answers the requests that have arrived.
    pub fn serve(&mut self, mut answer: impl FnMut(Request) -> Answer) {
        while self.clients.len() < MAX_CLIENTS
            && let Ok((stream, _)) = self.listener.accept()
        {
            if stream.set_nonblocking(true).is_ok() {
                self.clients.push(Client { stream, received: vec![], to_send: vec![], gone: false });
            }
        }
        for client in &mut self.clients {
            client.receive();
            while let Some(line) = client.line() {
                let answer = match serde_json::from_slice(&line) {
                    Ok(request) => answer(request),
                    Err(error) => Answer::BadInput(format!("this is no request: {error}")),
                };
                client.to_send.extend(serde_json::to_vec(&answer).expect("an answer can be written as JSON"));
                client.to_send.push(b'\n');
            }
            client.send();
        }
        self.clients.retain(|client| !client.gone);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Client {
    fn receive(&mut self) {
        let mut buffer = [0; 16 * 1024];
        while !self.gone {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.gone = true,
                Ok(length) => {
                    self.received.extend_from_slice(&buffer[..length]);
                    self.gone = self.received.len() > MAX_REQUEST;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.gone = true,
            }
        }
    }

    /// Takes a whole line off what was received.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.received.iter().position(|byte| *byte == b'\n')?;
        let mut line: Vec<u8> = self.received.drain(..=end).collect();
        line.pop();
        Some(line)
    }

    fn send(&mut self) {
        while !self.to_send.is_empty() {
            match self.stream.write(&self.to_send) {
                Ok(0) => return,
                Ok(length) => drop(self.to_send.drain(..length)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.gone |= error.kind() != ErrorKind::WouldBlock;
                    return;
                }
            }
        }
    }
}
