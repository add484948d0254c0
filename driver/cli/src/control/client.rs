// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asks a running device.

use super::{Answer, Place, Request, peer};
use crate::error::BadInput;
use anyhow::{Context, Result, bail};
use nix::unistd::Uid;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Longest answer in bytes: that of 200,000 megaflows, several times.
const MAX_ANSWER: u64 = 2 << 30;

/// A running device, to be asked one thing after the other.
pub struct Client(UnixStream);

impl Client {
    /// The device at `path`, or at the default socket.
    pub fn connect(path: Option<&Path>) -> Result<Self> {
        let given = path.is_some();
        let path = path.map_or_else(|| Place::of_this_user().found(), |path| Ok(path.into()))?;
        let stream = UnixStream::connect(&path)
            .with_context(|| format!("no device answers at {} (is `millrace run` running?)", path.display()))?;
        check_device(&stream, &path, given)?;
        Ok(Self(stream))
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&self, request: &Request) -> Result<Value> {
        let answer = exchange(&self.0, request)?;
        match serde_json::from_str(&answer).context("the device's answer makes no sense")? {
            Answer::Ok(value) => Ok(value),
            Answer::BadInput(message) => Err(BadInput(message).into()),
            Answer::Failed(message) => bail!("{message}"),
        }
    }
}

/// Sends a request to the device at `path` (or the default socket) and waits for its answer.
pub fn ask(path: Option<&Path>, request: &Request) -> Result<Value> {
    Client::connect(path)?.ask(request)
}

/// Anybody can listen where this user can look. Root may ask a device of another user if it says where.
fn check_device(stream: &UnixStream, path: &Path, given: bool) -> Result<()> {
    let user = peer::user(stream).context("cannot tell whose the device is")?;
    let asked_for = given && Uid::effective().is_root();
    if peer::is_trusted(user) || asked_for {
        return Ok(());
    }
    bail!("what listens at {} belongs to user {user}: not asked", path.display());
}

fn exchange(mut stream: &UnixStream, request: &Request) -> Result<String> {
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    // A device that refuses a request may say why before it has all of it.
    let written = stream.write_all(line.as_bytes());
    let mut answer = String::new();
    match BufReader::new(stream.take(MAX_ANSWER)).read_line(&mut answer) {
        Err(error) if !is_end(&error) => return Err(error).context("the device does not answer"),
        _ if answer.ends_with('\n') => return Ok(answer),
        _ => {}
    }
    match written {
        Err(error) if !is_end(&error) => Err(error).context("the device does not take the request"),
        _ => bail!("the device ended before it had answered"),
    }
}

/// The other end went away.
fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}
