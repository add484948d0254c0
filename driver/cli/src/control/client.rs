// SPDX-License-Identifier: MIT OR Apache-2.0
//! Asks a running device.

use super::{Answer, Request, default_path};
use crate::error::BadInput;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Sends a request to the device at `path` (or the default socket) and waits for its answer.
pub fn ask(path: Option<&Path>, request: &Request) -> Result<Value> {
    let path = path.map_or_else(default_path, Path::to_owned);
    let mut stream = UnixStream::connect(&path)
        .with_context(|| format!("no device answers at {} (is `millrace run` running?)", path.display()))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes()).context("the device does not take the request")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).context("the device does not answer")?;
    if answer.is_empty() {
        bail!("the device ended before it answered");
    }
    match serde_json::from_str(&answer).context("the device's answer makes no sense")? {
        Answer::Ok(value) => Ok(value),
        Answer::BadInput(message) => Err(BadInput(message).into()),
        Answer::Failed(message) => bail!("{message}"),
    }
}
