// SPDX-License-Identifier: MIT OR Apache-2.0
//! A card that runs: its UART behind a pty, its ports on a socket.

use crate::model;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

const PREAMBLE: [u8; 8] = [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5];

pub struct Card {
    child: Child,
    wire: OwnedFd,
    /// The host's end of the UART, held open so that the line never hangs up.
    line: File,
    path: PathBuf,
}

impl Card {
    /// A card fresh from reset.
    pub fn start() -> Self {
        let pty = openpty(None, None).expect("a pty");
        let path = nix::unistd::ttyname(&pty.slave).expect("its name");
        let mut settings = tcgetattr(&pty.slave).expect("its settings");
        cfmakeraw(&mut settings);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &settings).expect("raw bytes");
        nix::fcntl::fcntl(&pty.master, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("a pty");
        let (wire, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .expect("a pair of sockets");
        let child = Command::new(model::program()).stdin(pty.master).stdout(theirs).spawn().expect("the card starts");
        Self { child, wire, line: pty.slave.into(), path }
    }

    /// Name of the host's end of the UART.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes on the UART, past every driver.
    pub fn write_line(&mut self, bytes: &[u8]) {
        self.line.write_all(bytes).expect("the card takes it");
    }

    /// A frame on the wire of a port.
    pub fn send(&self, port: u8, frame: &[u8]) {
        self.send_wire(port, &on_wire(frame));
    }

    /// Bytes on the wire of a port, from the preamble on.
    pub fn send_wire(&self, port: u8, bytes: &[u8]) {
        let datagram = [&[port], bytes].concat();
        send(self.wire.as_raw_fd(), &datagram, MsgFlags::empty()).expect("the card runs");
    }

    /// The next frame on the wire of any port, with preamble and check sequence, if there is one within so many milliseconds.
    pub fn recv(&self, wait: u16) -> Option<(u8, Vec<u8>)> {
        poll(&mut [PollFd::new(self.wire.as_fd(), PollFlags::POLLIN)], PollTimeout::from(wait)).expect("a socket");
        let mut datagram = vec![0; 1 << 16];
        let count = recv(self.wire.as_raw_fd(), &mut datagram, MsgFlags::MSG_DONTWAIT).ok()?;
        assert!(count > 0, "the card ended");
        assert!(datagram[0] < 0x80, "a frame with tx_er");
        Some((datagram[0], datagram[1..count].to_vec()))
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is on the wire of a frame: padded to 60 bytes, with its check sequence.
pub fn on_wire(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame.resize(frame.len().max(60), 0);
    [&PREAMBLE[..], &frame, &crc32fast::hash(&frame).to_le_bytes()].concat()
}
