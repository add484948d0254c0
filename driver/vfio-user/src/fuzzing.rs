// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a client of a server may do, made of any bytes: `cargo xtask fuzz vfio-user`, and the tests.

use crate::memory::Dma;
use crate::server::{DeviceInfo, Function, Server};
use crate::socket::{Incoming, Message, send};
use crate::wire::{
    Command, DmaMap, DmaRange, DmaUnmap, Header, IrqSet, Kind, RegionAccess, Space, Version, flags, irq, region,
};
use nix::errno::Errno;
use nix::sys::eventfd::EventFd;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

const PAGE: u64 = 4096;
/// Bytes of the file that the client maps.
const FILE: u64 = 8 * PAGE;
/// Bytes of BAR 0.
const BAR: usize = 0x1000;
/// Messages that one turn handles, at most: those of the client that goes, and of the one that comes.
const BUSY: usize = 2 * 64;
/// Turns in which the server has done all that there is to do.
const TURNS: usize = 4096;

/// Lets a client do what these bytes say, and another one come after it.
///
/// # Panics
/// If the server ends, does not come to rest, reaches what the client did not map, or does not serve the next client.
pub fn play(bytes: &[u8]) {
    let mut input = Input(bytes);
    let mut stage = Stage::new();
    while let Some(what) = input.byte() {
        stage.act(what, &mut input);
    }
    stage.leave();
    stage.next_client();
}

/// Bytes from which everything is decided; zeroes when there are no more.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn small(&mut self) -> u64 {
        self.byte().unwrap_or(0).into()
    }

    /// Up to so many bytes.
    fn take(&mut self, count: usize) -> Vec<u8> {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes.to_vec()
    }

    /// A number of pages, or one at a border.
    fn pages(&mut self) -> u64 {
        match self.small() {
            byte @ 0..240 => (byte % 16) * PAGE,
            240..244 => u64::MAX - PAGE + 1,
            244..248 => 1,
            248..252 => u64::MAX,
            _ => u64::from_ne_bytes(self.take(8).try_into().unwrap_or([0x55; 8])),
        }
    }
}

/// A function of two memories.
struct Registers([Vec<u8>; 2]);

impl Registers {
    fn bytes(&mut self, space: Space, offset: u64, len: usize) -> Result<&mut [u8], Errno> {
        let memory = match space {
            Space::Config => 0,
            Space::Bar(0) => 1,
            Space::Bar(_) => return Err(Errno::EIO),
        };
        // Accesses lie inside of their space: an index out of range is the server's fault.
        Ok(&mut self.0[memory][offset as usize..][..len])
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

    fn reset(&mut self) {}
}

/// What the client has mapped.
#[derive(Clone, Copy)]
struct Mapped {
    address: u64,
    size: u64,
    flags: u32,
    /// Offset in the file; none of memory that is reached by message.
    file: Option<u64>,
}

struct Client {
    socket: UnixStream,
    incoming: Incoming,
    closed: bool,
    /// None once it is not known any more: the client has sent bytes that may have been a map.
    mapped: Option<Vec<Mapped>>,
}

struct Stage {
    server: Server,
    function: Registers,
    path: PathBuf,
    client: Option<Client>,
    memory: File,
    event: EventFd,
    null: File,
}

impl Stage {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("millrace-fuzz-{}-{number}", std::process::id()));
        let info = DeviceInfo { config_bytes: 256, bars: [BAR as u64, 0, 1 << 24, 0, 0, 0], msix_vectors: 5 };
        let server = Server::bind(&path, info).expect("the path is free");
        let memory = File::from(memfd_create("fuzz", MFdFlags::MFD_CLOEXEC).expect("a memfd"));
        let content: Vec<u8> = (0..FILE).map(|at| (at ^ at >> 8) as u8).collect();
        memory.write_all_at(&content, 0).expect("it has room");
        Self {
            server,
            function: Registers([(0..=255).collect(), vec![0; BAR]]),
            path,
            client: None,
            memory,
            event: EventFd::new().expect("an eventfd"),
            null: File::open("/dev/null").expect("there is one"),
        }
    }

    fn act(&mut self, what: u8, input: &mut Input<'_>) {
        match what % 16 {
            0 => self.leave(),
            1 => self.bytes(input),
            2 | 3 => self.message(input),
            4 | 5 => self.map(input),
            6 => self.unmap(input),
            7 => self.irqs(input),
            8 => self.access(input, Command::RegionRead),
            9 => self.access(input, Command::RegionWrite),
            10 | 11 => self.read(input),
            12 => self.write(input),
            13 => self.server.interrupt(input.small() as u16),
            14 => self.answer(input),
            _ => self.resize(input),
        }
        self.turn();
    }

    /// The server does all that there is to do.
    fn turn(&mut self) {
        for _ in 0..TURNS {
            let handled = self.server.turn(&mut self.function).expect("clients may come");
            assert!(handled <= BUSY, "a turn handles {handled} messages");
            if handled == 0 {
                return;
            }
        }
        panic!("the server does not come to rest");
    }

    /// The client, which is there and has agreed on a version, or not.
    fn client(&mut self) -> &mut Client {
        if self.client.is_none() {
            let socket = UnixStream::connect(&self.path).expect("the server listens");
            self.client = Some(Client { socket, incoming: Incoming::default(), closed: false, mapped: Some(vec![]) });
            self.send(Command::Version as u16, false, &Version { major: 0, minor: 0 }.encode(), &[]);
            self.turn();
        }
        self.client.as_mut().expect("it has come")
    }

    /// Sends a command, as far as the server takes it; what came before is taken.
    fn send(&mut self, command: u16, no_reply: bool, payload: &[u8], files: &[u8]) {
        self.client();
        self.receive();
        let bytes = Header::message(7, command, Kind::Command { no_reply }, payload);
        let files: Vec<BorrowedFd<'_>> = files.iter().map(|which| self.file(*which)).collect();
        let Some(client) = &self.client else { return };
        // The server may have hung up.
        send(client.socket.as_fd(), &bytes, &files).ok();
    }

    fn file(&self, which: u8) -> BorrowedFd<'_> {
        match which % 4 {
            0 | 1 => self.memory.as_fd(),
            2 => self.event.as_fd(),
            _ => self.null.as_fd(),
        }
    }

    /// Sends a command about maps, and takes its answer: what is mapped, if it was carried out.
    fn ask(&mut self, command: Command, payload: &[u8], files: &[u8]) -> Option<&mut Vec<Mapped>> {
        self.send(command as u16, false, payload, files);
        self.turn();
        let answers = self.receive();
        let answer = answers.iter().find(|message| message.header.command == command as u16);
        let client = self.client.as_mut()?;
        match answer.map(|message| message.header.kind) {
            Some(Kind::Reply { error: None }) => client.mapped.as_mut(),
            Some(Kind::Reply { error: Some(_) }) => None,
            // The server waits for an answer of the client's, or has one that does not come out.
            _ => {
                client.mapped = None;
                None
            }
        }
    }

    /// Takes what has come.
    fn receive(&mut self) -> Vec<Message> {
        let mut messages = vec![];
        let Some(client) = &mut self.client else { return messages };
        while !client.closed {
            match client.incoming.receive(client.socket.as_fd()) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(_) => client.closed = true,
            }
        }
        if client.closed {
            self.client = None;
        }
        messages
    }

    fn leave(&mut self) {
        self.client = None;
        self.turn();
        for page in 0..16 {
            assert_eq!(
                self.server.memory().read(page * PAGE, &mut [0]),
                Dma::Outside,
                "memory of a client that has gone"
            );
        }
    }

    /// Anything, which need not be a message.
    fn bytes(&mut self, input: &mut Input<'_>) {
        let count = input.small() as usize;
        let bytes = input.take(count);
        let client = self.client();
        client.mapped = None;
        send(client.socket.as_fd(), &bytes, &[]).ok();
    }

    /// A message whose header is one.
    fn message(&mut self, input: &mut Input<'_>) {
        let [command, kind, files, count] = [0; 4].map(|_| input.small());
        let payload = input.take(count as usize);
        let files: Vec<u8> = (0..files % 4).map(|at| (files >> (2 * at)) as u8).collect();
        self.client().mapped = None;
        self.send((command % 20) as u16, kind & 1 == 1, &payload, &files);
    }

    fn map(&mut self, input: &mut Input<'_>) {
        let (address, size, offset) = (input.pages(), input.pages(), input.pages());
        let choice = input.small();
        let (map_flags, with_file) = ((choice & 3) as u32, choice & 4 != 0);
        let map = DmaMap { argsz: 32, flags: map_flags, offset, address, size };
        if let Some(all) = self.ask(Command::DmaMap, &map.encode(), if with_file { &[0] } else { &[] }) {
            all.push(Mapped { address, size, flags: map_flags, file: with_file.then_some(offset) });
        }
    }

    fn unmap(&mut self, input: &mut Input<'_>) {
        let all = input.small() & 1 == 1;
        let (address, size) = if all { (0, 0) } else { (input.pages(), input.pages()) };
        let unmap = DmaUnmap { argsz: 24, flags: if all { flags::UNMAP_ALL } else { 0 }, address, size };
        if let Some(maps) = self.ask(Command::DmaUnmap, &unmap.encode(), &[]) {
            maps.retain(|map| !all && (map.address + (map.size - 1) < address || map.address > address + (size - 1)));
        }
    }

    fn irqs(&mut self, input: &mut Input<'_>) {
        let [data, action, start, count] = [0; 4].map(|_| input.small() as u32);
        let set = IrqSet {
            argsz: IrqSet::BYTES as u32,
            flags: 1 << (data % 3) | 8 << (action % 3),
            index: if action & 0x80 == 0 { irq::MSIX } else { data % 6 },
            start: start % 8,
            count: count % 8,
        };
        let payload = [set.encode(), input.take((data >> 2) as usize % 8)].concat();
        let files: Vec<u8> = (0..start >> 4).map(|_| 2).collect();
        self.send(Command::DeviceSetIrqs as u16, false, &payload, &files);
    }

    fn access(&mut self, input: &mut Input<'_>, command: Command) {
        let (offset, count, which) = (input.pages() | input.small(), input.small() as u32, input.small());
        let region = if which < 128 { region::CONFIG } else { (which % 10) as u32 };
        let head = RegionAccess { offset, region, count }.encode();
        let data = if command == Command::RegionWrite { input.take(count as usize) } else { vec![] };
        self.send(command as u16, which & 64 != 0, &[head, data].concat(), &[]);
    }

    /// Where the device reaches, and how much.
    fn place(input: &mut Input<'_>) -> (u64, usize) {
        (input.pages().wrapping_add(input.small() * 17), input.small() as usize * 4)
    }

    fn read(&mut self, input: &mut Input<'_>) {
        let (address, len) = Self::place(input);
        let mut bytes = vec![0xee; len];
        let read = self.server.memory().read(address, &mut bytes);
        let Some(client) = &self.client else {
            assert!(read == Dma::Outside || len == 0, "{read:?} without a client");
            return;
        };
        let Some(maps) = &client.mapped else { return };
        if read != Dma::Done {
            return;
        }
        for (i, byte) in bytes.into_iter().enumerate() {
            let at = address + i as u64;
            let map = maps.iter().find(|map| map.address <= at && at - map.address < map.size);
            let map = map.filter(|map| map.flags & flags::MAP_READ != 0).expect("what was read is mapped");
            let mut due = [byte];
            if let Some(offset) = map.file {
                self.memory.read_exact_at(&mut due, offset + (at - map.address)).expect("what was read is in the file");
            }
            assert_eq!(byte, due[0], "what was read is the client's");
        }
    }

    fn write(&mut self, input: &mut Input<'_>) {
        let (address, len) = Self::place(input);
        let written = self.server.memory().write(address, &vec![0x5a; len]);
        let Some(maps) = self.client.as_ref().and_then(|client| client.mapped.as_ref()) else { return };
        if written == Dma::Done && len > 0 {
            let last = address + (len as u64 - 1);
            let allowed = |at: u64| {
                maps.iter()
                    .any(|map| map.address <= at && at - map.address < map.size && map.flags & flags::MAP_WRITE != 0)
            };
            assert!((address..=last).all(allowed), "what was written is mapped");
        }
    }

    /// Answers what the server asks of the client's memory, rightly or not.
    fn answer(&mut self, input: &mut Input<'_>) {
        let Some(Message { header, payload, .. }) = self.receive().pop() else { return };
        let Some((range, _)) = DmaRange::decode(&payload) else { return };
        let Some(client) = &self.client else { return };
        let choice = input.small();
        let data =
            if header.command == Command::DmaRead as u16 { vec![0x77; range.count.min(4096) as usize] } else { vec![] };
        let payload = if choice < 200 {
            [payload[..DmaRange::BYTES].to_vec(), data].concat()
        } else {
            input.take(choice as usize - 200)
        };
        let error = (choice % 16 == 15).then_some(5);
        let id = header.id.wrapping_add(u16::from(choice % 32 == 31));
        let bytes = Header::message(id, header.command, Kind::Reply { error }, &payload);
        send(client.socket.as_fd(), &bytes, &[]).ok();
    }

    /// The file becomes shorter or longer, while it is mapped.
    fn resize(&mut self, input: &mut Input<'_>) {
        self.memory.set_len(input.small() % 9 * PAGE).expect("it has no seals");
    }

    /// Another client finds the function at work.
    fn next_client(&mut self) {
        let head = RegionAccess { offset: 3, region: region::CONFIG, count: 1 };
        self.send(Command::RegionRead as u16, false, &head.encode(), &[]);
        self.turn();
        let answer = self.receive().pop().expect("the next client has an answer");
        assert_eq!(answer.header.kind, Kind::Reply { error: None });
        assert_eq!(answer.payload[RegionAccess::BYTES..], self.function.0[0][3..4]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]
        #[test]
        fn no_bytes_make_the_server_end_stand_still_or_reach_too_far(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            play(&bytes);
        }
    }

    #[test]
    fn a_map_is_made_and_read() {
        let mut stage = Stage::new();
        // Two pages from 0x1000 on, of the file's page 2.
        stage.map(&mut Input(&[1, 2, 2, 7]));
        assert_eq!(stage.client().mapped.as_ref().map(Vec::len), Some(1));
        let mut bytes = [0; 4];
        assert_eq!(stage.server.memory().read(0x1003, &mut bytes), Dma::Done);
        assert_eq!(bytes, [0x20 ^ 3, 0x20 ^ 4, 0x20 ^ 5, 0x20 ^ 6]);
        stage.read(&mut Input(&[1, 0, 255]));
        stage.leave();
        stage.next_client();
    }
}
