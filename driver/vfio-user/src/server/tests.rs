// SPDX-License-Identifier: MIT OR Apache-2.0
//! The server against a peer whose every byte is written out here. Both are in one thread: what a turn does not do is not done.

mod fuzz;
mod memory;
mod protocol;

use super::*;
use crate::memory::Dma;
use crate::socket::{Incoming, send};
use crate::wire::{Command, DmaMap, DmaUnmap, IrqSet, RegionAccess, Space, Version, flags, irq, region};
use nix::errno::Errno;
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use tempfile::TempDir;

const BAR: u64 = 0x1000;
const VECTORS: u16 = 5;

fn info() -> DeviceInfo {
    DeviceInfo { config_bytes: 256, bars: [BAR, 0, 1 << 24, 0, 0, 0], msix_vectors: VECTORS }
}

/// A function of two memories, which notes what is done to it.
struct Registers {
    config: Vec<u8>,
    bar: Vec<u8>,
    accesses: Vec<(Space, u64, usize)>,
    resets: usize,
}

impl Registers {
    fn new() -> Self {
        Self { config: (0..=255).collect(), bar: vec![0; BAR as usize], accesses: vec![], resets: 0 }
    }

    /// BAR 2 refuses everything.
    fn bytes(&mut self, space: Space, offset: u64, len: usize) -> Result<&mut [u8], Errno> {
        self.accesses.push((space, offset, len));
        let bytes = match space {
            Space::Config => &mut self.config,
            Space::Bar(0) => &mut self.bar,
            Space::Bar(_) => return Err(Errno::EIO),
        };
        Ok(&mut bytes[offset as usize..][..len])
    }
}

impl Function for Registers {
    fn read(&mut self, space: Space, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        data.copy_from_slice(self.bytes(space, offset, data.len())?);
        Ok(())
    }

    fn write(&mut self, space: Space, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.bytes(space, offset, data.len())?.copy_from_slice(data);
        Ok(())
    }

    fn reset(&mut self) {
        self.resets += 1;
    }
}

/// A client's end, without any knowledge.
struct Peer {
    socket: UnixStream,
    incoming: Incoming,
    messages: VecDeque<Message>,
    closed: bool,
}

impl Peer {
    fn send(&self, id: u16, command: u16, kind: Kind, payload: &[u8], files: &[BorrowedFd<'_>]) {
        let bytes = Header::message(id, command, kind, payload);
        assert_eq!(send(self.socket.as_fd(), &bytes, files).unwrap(), Some(bytes.len()));
    }

    fn receive(&mut self) {
        while !self.closed {
            match self.incoming.receive(self.socket.as_fd()) {
                Ok(Some(message)) => self.messages.push_back(message),
                Ok(None) => return,
                Err(_) => self.closed = true,
            }
        }
    }
}

/// A server with its function.
struct Bench {
    server: Server,
    function: Registers,
    path: PathBuf,
    _folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        let server = Server::bind(&path, info()).unwrap();
        Self { server, function: Registers::new(), path, _folder: folder }
    }

    fn turn(&mut self) -> usize {
        self.server.turn(&mut self.function).unwrap()
    }

    fn connect(&self) -> Peer {
        let socket = UnixStream::connect(&self.path).unwrap();
        Peer { socket, incoming: Incoming::default(), messages: VecDeque::new(), closed: false }
    }

    /// A peer with which a version was agreed on.
    fn client(&mut self) -> Peer {
        let mut peer = self.connect();
        let answer = self.ask(&mut peer, Command::Version as u16, &version(0, 0, ""), &[]);
        assert!(answer.is_ok());
        peer
    }

    /// Sends a command, and gives its answer.
    fn ask(
        &mut self,
        peer: &mut Peer,
        command: u16,
        payload: &[u8],
        files: &[BorrowedFd<'_>],
    ) -> Result<Vec<u8>, Errno> {
        peer.send(0x1234, command, Kind::Command { no_reply: false }, payload, files);
        self.turn();
        peer.receive();
        let message = peer.messages.pop_front().expect("an answer");
        assert_eq!((message.header.id, message.header.command), (0x1234, command));
        match message.header.kind {
            Kind::Reply { error: None } => Ok(message.payload),
            Kind::Reply { error: Some(error) } => {
                assert!(message.payload.is_empty(), "an error has no payload");
                Err(Errno::from_raw(error as i32))
            }
            other => panic!("{other:?}"),
        }
    }

    fn map(
        &mut self,
        peer: &mut Peer,
        address: u64,
        size: u64,
        offset: u64,
        flags: u32,
        files: &[BorrowedFd<'_>],
    ) -> Result<Vec<u8>, Errno> {
        let map = DmaMap { argsz: 32, flags, offset, address, size };
        self.ask(peer, Command::DmaMap as u16, &map.encode(), files)
    }

    fn unmap(&mut self, peer: &mut Peer, address: u64, size: u64, flags: u32) -> Result<Vec<u8>, Errno> {
        let unmap = DmaUnmap { argsz: 24, flags, address, size };
        self.ask(peer, Command::DmaUnmap as u16, &unmap.encode(), &[])
    }
}

fn version(major: u16, minor: u16, capabilities: &str) -> Vec<u8> {
    [&Version { major, minor }.encode(), capabilities.as_bytes()].concat()
}

fn access(region: u32, offset: u64, count: u32) -> Vec<u8> {
    RegionAccess { offset, region, count }.encode()
}
