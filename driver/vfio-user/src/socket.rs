// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages over a stream socket, with the descriptors that come with them.

use crate::wire::{Frame, HEADER, Header, MAX_DESCRIPTORS};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use std::io::{IoSlice, IoSliceMut};
use std::mem::take;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A message that has come whole.
#[derive(Debug)]
pub struct Message {
    pub header: Header,
    pub payload: Vec<u8>,
    pub descriptors: Vec<OwnedFd>,
}

/// Why no more messages can come.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    #[error("the peer closed the connection")]
    Closed,
    #[error("the peer closed the connection in the middle of a message")]
    ClosedWithin,
    #[error(transparent)]
    Frame(#[from] Frame),
    #[error("a message came with more than {MAX_DESCRIPTORS} descriptors, or with more than this process may open")]
    Descriptors,
    #[error("the peer answered what was not asked")]
    Unasked,
    #[error("the socket failed: {0}")]
    Socket(Errno),
}

/// Puts messages together from what the socket gives.
///
/// It never asks for bytes of two messages at once: the kernel ends a read behind bytes that came with descriptors, so these are always
/// those of the message in hand.
#[derive(Default)]
pub struct Incoming {
    header: [u8; HEADER],
    /// Bytes of the header that have come.
    headed: usize,
    known: Option<Header>,
    payload: Vec<u8>,
    /// Bytes of the payload that have come.
    filled: usize,
    descriptors: Vec<OwnedFd>,
}

impl Incoming {
    /// Takes what is there: a message if it is whole, none if more has to come. Does not block.
    ///
    /// # Errors
    /// If no more messages can come: the value is of no more use.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> Result<Option<Message>, StreamError> {
        while self.known.is_none() {
            let Some(count) = receive(socket, &mut self.header[self.headed..], &mut self.descriptors)? else {
                return Ok(None);
            };
            if count == 0 {
                return Err(if self.headed == 0 { StreamError::Closed } else { StreamError::ClosedWithin });
            }
            self.headed += count;
            if self.headed == HEADER {
                let header = Header::decode(&self.header)?;
                self.payload = vec![0; header.size as usize - HEADER];
                self.known = Some(header);
            }
        }
        while self.filled < self.payload.len() {
            match receive(socket, &mut self.payload[self.filled..], &mut self.descriptors)? {
                None => return Ok(None),
                Some(0) => return Err(StreamError::ClosedWithin),
                Some(count) => self.filled += count,
            }
        }
        let Self { known, payload, descriptors, .. } = take(self);
        let header = known.expect("it has come");
        Ok(Some(Message { header, payload, descriptors }))
    }
}

/// Some bytes, and the descriptors that came with them; none if nothing is there, 0 bytes if nothing will ever be.
fn receive(
    socket: BorrowedFd<'_>,
    bytes: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
) -> Result<Option<usize>, StreamError> {
    let mut control = cmsg_space!([RawFd; MAX_DESCRIPTORS]);
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
            Ok(received) => break received,
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::ECONNRESET) => return Ok(Some(0)),
            Err(error) => return Err(StreamError::Socket(error)),
        }
    };
    let truncated = received.flags.contains(MsgFlags::MSG_CTRUNC);
    for message in received.cmsgs().map_err(|_| StreamError::Descriptors)? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: the kernel has just opened these for us, and nobody else knows them.
            descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
        }
    }
    if truncated || descriptors.len() > MAX_DESCRIPTORS {
        return Err(StreamError::Descriptors);
    }
    Ok(Some(received.bytes))
}

/// Sends some of these bytes, and with the first of them all of the descriptors: how many; none if there is no room. Does not block.
///
/// # Errors
/// If the peer has gone, or the socket failed.
pub fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> Result<Option<usize>, StreamError> {
    let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&numbers)];
    let control = if numbers.is_empty() { &[] } else { &rights[..] };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    loop {
        match sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None) {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(None),
            Err(Errno::EPIPE | Errno::ECONNRESET) => return Err(StreamError::Closed),
            Err(error) => return Err(StreamError::Socket(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    fn message(id: u16, payload: &[u8]) -> Vec<u8> {
        Header::message(id, 9, Kind::Command { no_reply: false }, payload)
    }

    #[test]
    fn a_message_comes_byte_by_byte() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let mut incoming = Incoming::default();
        let bytes = [message(1, b"abc"), message(2, b"")].concat();
        let mut ids = vec![];
        for byte in bytes {
            there.write_all(&[byte]).unwrap();
            while let Some(message) = incoming.receive(here.as_fd()).unwrap() {
                ids.push((message.header.id, message.payload));
            }
        }
        assert_eq!(ids, [(1, b"abc".to_vec()), (2, vec![])]);
        drop(there);
        assert!(matches!(incoming.receive(here.as_fd()), Err(StreamError::Closed)));
    }

    #[test]
    fn descriptors_stay_with_their_message() {
        let (here, there) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let with = [file.as_fd(), file.as_fd()];
        for (id, descriptors) in [(0, &[][..]), (1, &with[..1]), (2, &[]), (3, &with), (4, &with[..1])] {
            let bytes = message(id, &[0; 100]);
            assert_eq!(send(there.as_fd(), &bytes, descriptors).unwrap(), Some(bytes.len()));
        }
        let mut incoming = Incoming::default();
        let counts: Vec<usize> = std::iter::from_fn(|| incoming.receive(here.as_fd()).unwrap())
            .map(|message| message.descriptors.len())
            .collect();
        assert_eq!(counts, [0, 1, 0, 2, 1]);
    }

    #[test]
    fn what_ends_the_stream_is_an_error() {
        let (here, mut there) = UnixStream::pair().unwrap();
        there.write_all(&message(1, b"abc")[..18]).unwrap();
        drop(there);
        assert!(matches!(Incoming::default().receive(here.as_fd()), Err(StreamError::ClosedWithin)));

        let (here, mut there) = UnixStream::pair().unwrap();
        there.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert!(matches!(Incoming::default().receive(here.as_fd()), Err(StreamError::Frame(_))));

        let (here, there) = UnixStream::pair().unwrap();
        let file = File::open("/dev/null").unwrap();
        let many = vec![file.as_fd(); MAX_DESCRIPTORS + 1];
        send(there.as_fd(), &message(1, b""), &many).unwrap();
        assert!(matches!(Incoming::default().receive(here.as_fd()), Err(StreamError::Descriptors)));
    }

    #[test]
    fn a_peer_that_has_gone_or_does_not_read_is_told_apart() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut sent = 0;
        while let Some(count) = send(here.as_fd(), &[0; 4096], &[]).unwrap() {
            sent += count;
        }
        assert!(sent > 0);
        drop(there);
        assert!(matches!(send(here.as_fd(), &[0], &[]), Err(StreamError::Closed)));
    }
}
