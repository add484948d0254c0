// SPDX-License-Identifier: MIT OR Apache-2.0
//! JSON-RPC to the control socket of ovs-vswitchd: what `ovs-appctl` does, without a process for each call.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A connection to a control socket.
pub struct Unixctl {
    stream: UnixStream,
    replies: serde_json::StreamDeserializer<'static, serde_json::de::IoRead<BufReader<UnixStream>>, Reply>,
    id: u64,
}

#[derive(Deserialize)]
struct Reply {
    id: u64,
    result: Option<String>,
    error: Option<Value>,
}

impl Unixctl {
    /// Connects to the socket at `path`.
    pub fn connect(path: &Path) -> Result<Unixctl> {
        let stream = UnixStream::connect(path).with_context(|| format!("cannot connect to {}", path.display()))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let replies = serde_json::Deserializer::from_reader(BufReader::new(stream.try_clone()?)).into_iter();
        Ok(Unixctl { stream, replies, id: 0 })
    }

    /// Runs one command and gives what it prints.
    pub fn call(&mut self, method: &str, params: &[&str]) -> Result<String> {
        self.id += 1;
        let request = json!({ "id": self.id, "method": method, "params": params });
        self.stream.write_all(request.to_string().as_bytes())?;
        let reply = self.replies.next().context("Open vSwitch closed its control socket")??;
        if reply.id != self.id {
            bail!("{method}: a reply to another request");
        }
        match reply {
            Reply { error: Some(error), .. } if !error.is_null() => bail!("{method}: {error}"),
            reply => Ok(reply.result.unwrap_or_default()),
        }
    }
}
