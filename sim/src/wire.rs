// SPDX-License-Identifier: MIT OR Apache-2.0
//! A wire between the uplinks of two simulations: a Unix socket on which each frame follows its length, 32 bits in network order.
//! QEMU's `-netdev stream` speaks the same.

use nix::poll::PollFlags;
use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Bytes of a frame's length.
const PREFIX: usize = 4;
/// Longest frame that is taken from the other end; one that says it sends a longer one is cut off.
const LONGEST: usize = 1 << 16;
/// Bytes on their way out that the socket does not take: more are lost, as on a wire that is too slow.
const BACKLOG: usize = 1 << 20;

/// One end of a wire. The first to come listens at its path, the second connects. When the other end goes frames are lost until it is back.
pub struct Wire {
    path: PathBuf,
    /// Of the end that was there first.
    listener: Option<UnixListener>,
    other: Option<Other>,
}

/// The other end.
struct Other {
    stream: UnixStream,
    incoming: Vec<u8>,
    outgoing: VecDeque<u8>,
    /// It is not there any more, or does not speak as it must.
    gone: bool,
}

impl Wire {
    /// An end at this path.
    ///
    /// # Errors
    /// If there is something at the path that is no socket, or none can be made there.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut wire = Self { path: path.into(), listener: None, other: None };
        if !wire.connect()? {
            // What is left of an end that did not clear up.
            match fs::symlink_metadata(path) {
                Ok(data) if data.file_type().is_socket() => fs::remove_file(path)?,
                Ok(_) => return Err(io::Error::new(ErrorKind::AlreadyExists, "it is no socket")),
                Err(_) => (),
            }
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            wire.listener = Some(listener);
        }
        Ok(wire)
    }

    /// Connects to an end that listens; false if there is none.
    fn connect(&mut self) -> io::Result<bool> {
        match UnixStream::connect(&self.path) {
            Ok(stream) => {
                self.other = Some(Other::new(stream)?);
                Ok(true)
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Finds the other end, if it is there.
    fn find(&mut self) {
        if self.other.as_ref().is_some_and(|other| other.gone) {
            self.other = None;
        }
        if self.other.is_some() {
            return;
        }
        match &self.listener {
            Some(listener) => {
                if let Ok((stream, _)) = listener.accept() {
                    self.other = Other::new(stream).ok();
                }
            }
            // Nobody there is no error here: it may come back.
            None => drop(self.connect()),
        }
    }

    /// The next frame from the other end, if one is there.
    pub fn recv(&mut self) -> Option<Vec<u8>> {
        self.find();
        let other = self.other.as_mut()?;
        other.flush();
        other.fill();
        other.take()
    }

    /// Sends a frame to the other end; false if it is lost, because nobody is there or takes it.
    pub fn send(&mut self, frame: &[u8]) -> bool {
        self.find();
        self.other.as_mut().is_some_and(|other| other.send(frame))
    }

    /// What to wait for; nothing while this end looks for the other one.
    pub fn awaits(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.other {
            Some(other) if !other.gone => {
                let out = if other.outgoing.is_empty() { PollFlags::empty() } else { PollFlags::POLLOUT };
                Some((other.stream.as_fd(), PollFlags::POLLIN | out))
            }
            _ => self.listener.as_ref().map(|listener| (listener.as_fd(), PollFlags::POLLIN)),
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.listener.is_some() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Other {
    fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self { stream, incoming: vec![], outgoing: VecDeque::new(), gone: false })
    }

    /// Reads what is there, as far as the next frame needs it.
    fn fill(&mut self) {
        let mut buffer = [0; 1 << 14];
        while !self.gone && self.incoming.len() < PREFIX + LONGEST {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.gone = true,
                Ok(count) => self.incoming.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(_) => self.gone = true,
            }
        }
    }

    /// The oldest frame that is there whole.
    fn take(&mut self) -> Option<Vec<u8>> {
        while let Some((length, rest)) = self.incoming.split_first_chunk::<PREFIX>() {
            let length = u32::from_be_bytes(*length) as usize;
            if length > LONGEST {
                tracing::warn!("the other end of a wire sends a frame of {length} bytes: it is cut off");
                self.gone = true;
                self.incoming.clear();
                return None;
            }
            let frame = rest.get(..length)?.to_vec();
            self.incoming.drain(..PREFIX + length);
            // Nothing is no frame.
            if !frame.is_empty() {
                return Some(frame);
            }
        }
        None
    }

    fn send(&mut self, frame: &[u8]) -> bool {
        self.flush();
        if self.gone || self.outgoing.len() + PREFIX + frame.len() > BACKLOG {
            return false;
        }
        self.outgoing.extend((frame.len() as u32).to_be_bytes());
        self.outgoing.extend(frame);
        self.flush();
        true
    }

    /// Writes what the socket takes.
    fn flush(&mut self) {
        while !self.gone && !self.outgoing.is_empty() {
            match self.stream.write(self.outgoing.as_slices().0) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(_) => self.gone = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(wire: &mut Wire) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| wire.recv()).collect()
    }

    #[test]
    fn frames_cross_both_ways_whole_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wire");
        let (mut first, mut second) = (Wire::open(&path).unwrap(), Wire::open(&path).unwrap());
        let sent: Vec<Vec<u8>> = (1..60).map(|i| vec![i; 100 * usize::from(i)]).collect();
        for frame in &sent {
            assert!(second.send(frame) && first.send(frame));
        }
        let (mut at_first, mut at_second) = (vec![], vec![]);
        while at_first.len() < sent.len() || at_second.len() < sent.len() {
            at_first.extend(frames(&mut first));
            at_second.extend(frames(&mut second));
        }
        assert!(at_first == sent && at_second == sent, "frames differ");
    }

    #[test]
    fn an_end_that_went_is_found_again_and_frames_are_lost_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wire");
        let mut first = Wire::open(&path).unwrap();
        assert!(!first.send(&[1]), "nobody is there");
        let mut second = Wire::open(&path).unwrap();
        assert!(first.send(&[2]));
        assert_eq!(second.recv(), Some(vec![2]));
        drop(second);
        assert_eq!(first.recv(), None);
        let mut second = Wire::open(&path).unwrap();
        assert!(first.send(&[3]) && second.recv() == Some(vec![3]));
        drop(first);
        assert_eq!(second.recv(), None);
        assert!(second.awaits().is_none(), "there is nothing to wait for");
        let mut first = Wire::open(&path).unwrap();
        assert!(second.send(&[4]) && first.recv() == Some(vec![4]));
        drop((first, second));
        assert!(!path.exists());
    }

    #[test]
    fn more_than_the_other_end_takes_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wire");
        let (mut first, mut second) = (Wire::open(&path).unwrap(), Wire::open(&path).unwrap());
        let sent = (0..).take_while(|_| first.send(&[7; 9000])).count();
        assert!(sent * 9000 <= 4 * BACKLOG, "{sent} frames were kept");
        let mut arrived = 0;
        while !frames(&mut second).is_empty() || arrived == 0 {
            arrived += 1;
            first.recv();
        }
        assert!(first.send(&[8]));
    }

    #[test]
    fn an_end_that_does_not_speak_so_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wire");
        let mut first = Wire::open(&path).unwrap();
        let mut stranger = UnixStream::connect(&path).unwrap();
        stranger.write_all(b"\0\0\0\0\0\0\0\x02hiGET / HTTP").unwrap();
        assert_eq!(frames(&mut first), [b"hi"]);
        let mut second = Wire::open(&path).unwrap();
        assert_eq!(first.recv(), None);
        assert!(first.send(&[1]) && second.recv() == Some(vec![1]));
    }

    #[test]
    fn what_is_no_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "text").unwrap();
        assert!(Wire::open(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"text");
    }
}
