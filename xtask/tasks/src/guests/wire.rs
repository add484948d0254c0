// SPDX-License-Identifier: MIT OR Apache-2.0
//! The far end of a wire at an uplink (`millrace serve --uplink p0=unix:PATH`): each frame follows its length, 32 bits in network order.

use super::wait::{Deadline, Interrupts};
use anyhow::{Context, Result, bail};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

/// For a device that connects at its start.
const CONNECT: Duration = Duration::from_secs(60);

/// An end that is there before the device.
pub struct Listener(UnixListener);

impl Listener {
    pub fn open(path: &Path) -> Result<Self> {
        UnixListener::bind(path).map(Self).with_context(|| format!("cannot listen on {}", path.display()))
    }

    /// The wire to a device that has started.
    pub fn accept(self, interrupts: &Interrupts) -> Result<Wire> {
        interrupts.first(&[self.0.as_fd()], Deadline::after(CONNECT)).context("nobody connects to the wire")?;
        Ok(Wire { stream: self.0.accept()?.0, incoming: vec![] })
    }
}

/// A wire whose other end is there.
pub struct Wire {
    stream: UnixStream,
    /// What came after the last whole frame.
    incoming: Vec<u8>,
}

impl Wire {
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        let length = u32::try_from(frame.len()).expect("frames are short");
        self.stream.write_all(&[&length.to_be_bytes(), frame].concat()).context("cannot write to the wire")
    }

    /// Reads what is there, or waits for something: the frames that are whole then. None if the other end has gone.
    pub fn receive(&mut self) -> Result<Option<Vec<Vec<u8>>>> {
        let mut buffer = vec![0; 1 << 16];
        let length = self.stream.read(&mut buffer).context("cannot read from the wire")?;
        if length == 0 {
            return Ok(None);
        }
        self.incoming.extend(&buffer[..length]);
        Ok(Some(std::iter::from_fn(|| self.take()).collect()))
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let (length, rest) = self.incoming.split_first_chunk::<4>()?;
        let frame = rest.get(..u32::from_be_bytes(*length) as usize)?.to_vec();
        self.incoming.drain(..4 + frame.len());
        Some(frame)
    }

    /// Waits until the other end has gone. Nothing may come meanwhile.
    pub fn end(mut self) -> Result<()> {
        while let Some(frames) = self.receive()? {
            if let Some(frame) = frames.first() {
                bail!("a frame of {} bytes comes that nobody sent", frame.len());
            }
        }
        Ok(())
    }
}

impl AsFd for Wire {
    /// Readable when something has come, or the other end has gone.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_however_they_are_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wire");
        let listener = Listener::open(&path).unwrap();
        let mut device = UnixStream::connect(&path).unwrap();
        let mut wire = listener.accept(&Interrupts::catch().unwrap()).unwrap();
        device.write_all(b"\0\0\0\x02ab\0\0\0").unwrap();
        assert_eq!(wire.receive().unwrap().unwrap(), [b"ab"]);
        device.write_all(b"\x03c").unwrap();
        assert!(wire.receive().unwrap().unwrap().is_empty());
        device.write_all(b"de\0\0\0\x01f").unwrap();
        assert_eq!(wire.receive().unwrap().unwrap(), [&b"cde"[..], b"f"]);
        wire.send(b"xyz").unwrap();
        let mut sent = [0; 7];
        device.read_exact(&mut sent).unwrap();
        assert_eq!(&sent, b"\0\0\0\x03xyz");
        drop(device);
        wire.end().unwrap();
    }
}
