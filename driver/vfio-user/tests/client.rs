// SPDX-License-Identifier: MIT OR Apache-2.0
//! The client against the server, each in a thread of its own, as they are in use.

use millrace_vfio_user::{Client, ClientError, DeviceInfo, Dma, DmaAccess, Function, Server, SharedMemory, Space};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use proptest::prelude::*;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::{JoinHandle, spawn};
use std::time::Duration;
use tempfile::TempDir;

const VECTORS: u16 = 4;
/// Registers of BAR 0 that make the device do something.
const COPY_FROM: u64 = 0x00;
const COPY_TO: u64 = 0x08;
const COPY: u64 = 0x10;
const COPIED: u64 = 0x18;
const RAISE: u64 = 0x20;

fn info() -> DeviceInfo {
    DeviceInfo { config_bytes: 4096, bars: [0x1000, 0, 0x2000, 0, 0, 0], msix_vectors: VECTORS }
}

/// A device that copies 16 bytes of the client's memory and gives interrupts when it is told to.
#[derive(Default)]
struct Copier {
    from: u64,
    to: u64,
    /// Whether a copy is wanted, and what was read of it.
    copies: Option<Option<[u8; 16]>>,
    /// 1: copied, 2: outside.
    copied: u64,
    raise: Option<u16>,
    resets: u64,
}

impl Function for Copier {
    fn read(&mut self, space: Space, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let value = match (space, offset) {
            (Space::Config, 0) => 0x1041_1af4,
            (Space::Bar(0), COPIED) => self.copied,
            (Space::Bar(2), 0) => self.resets,
            _ => return Err(Errno::EIO),
        };
        let len = data.len().min(8);
        data[..len].copy_from_slice(&value.to_ne_bytes()[..len]);
        Ok(())
    }

    fn write(&mut self, space: Space, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let mut value = [0; 8];
        value.get_mut(..data.len()).ok_or(Errno::EINVAL)?.copy_from_slice(data);
        let value = u64::from_ne_bytes(value);
        match (space, offset) {
            (Space::Bar(0), COPY_FROM) => self.from = value,
            (Space::Bar(0), COPY_TO) => self.to = value,
            (Space::Bar(0), COPY) => (self.copies, self.copied) = (Some(None), 0),
            (Space::Bar(0), RAISE) => self.raise = Some(value as u16),
            _ => return Err(Errno::EIO),
        }
        Ok(())
    }

    fn reset(&mut self) {
        *self = Self { resets: self.resets + 1, ..Self::default() };
    }
}

impl Copier {
    fn work(&mut self, server: &mut Server) {
        if let Some(vector) = self.raise.take() {
            server.interrupt(vector);
        }
        let memory = server.memory();
        let Some(read) = &mut self.copies else { return };
        if read.is_none() {
            let mut bytes = [0; 16];
            match memory.read(self.from, &mut bytes) {
                Dma::Done => *read = Some(bytes),
                Dma::Later => return,
                Dma::Outside => (self.copies, self.copied) = (None, 2),
            }
        }
        if let Some(Some(bytes)) = self.copies {
            match memory.write(self.to, &bytes) {
                Dma::Later => {}
                done => (self.copies, self.copied) = (None, if done == Dma::Done { 1 } else { 2 }),
            }
        }
    }
}

/// A server in a thread; it ends with the value.
struct Running {
    path: PathBuf,
    stop: EventFd,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).unwrap();
        let its_stop = stop.as_fd().try_clone_to_owned().unwrap();
        let listening = std::sync::mpsc::channel();
        let its_path = path.clone();
        let thread = spawn(move || {
            let mut server = Server::bind(its_path, info()).unwrap();
            listening.0.send(()).unwrap();
            let mut copier = Copier::default();
            loop {
                let mut events = server.descriptors();
                events.push(PollFd::new(its_stop.as_fd(), PollFlags::POLLIN));
                poll(&mut events, PollTimeout::NONE).unwrap();
                if events.last().unwrap().any() == Some(true) {
                    return;
                }
                drop(events);
                server.turn(&mut copier).unwrap();
                copier.work(&mut server);
            }
        });
        listening.1.recv().unwrap();
        Self { path, stop, thread: Some(thread), _folder: folder }
    }

    fn client(&self) -> Client {
        Client::connect(&self.path).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.write(1).unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn read64(client: &mut Client, bar: u8, offset: u64) -> u64 {
    let mut bytes = [0; 8];
    client.read(Space::Bar(bar), offset, &mut bytes).unwrap();
    u64::from_ne_bytes(bytes)
}

fn write64(client: &mut Client, offset: u64, value: u64) {
    client.write(Space::Bar(0), offset, &value.to_ne_bytes()).unwrap();
}

/// Has the device copy, and waits until it has: what `COPIED` reads.
fn copy(client: &mut Client, from: u64, to: u64) -> u64 {
    client
        .write_multiple(&[
            (Space::Bar(0), COPY_FROM, &from.to_ne_bytes()),
            (Space::Bar(0), COPY_TO, &to.to_ne_bytes()),
            (Space::Bar(0), COPY, &[1]),
        ])
        .unwrap();
    loop {
        let copied = read64(client, 0, COPIED);
        if copied != 0 {
            return copied;
        }
    }
}

#[test]
fn a_client_finds_the_function_and_its_registers() {
    let server = Running::start();
    let mut client = server.client();
    assert_eq!(client.info().unwrap(), info());
    let mut id = [0; 4];
    client.read(Space::Config, 0, &mut id).unwrap();
    assert_eq!(id, [0xf4, 0x1a, 0x41, 0x10]);
    let error = client.read(Space::Bar(0), 0x100, &mut id).unwrap_err();
    assert_eq!(error.to_string(), "the server refused RegionRead at 0x100: EIO: I/O error");
    let error = client.write(Space::Bar(0), 0x1000, &id).unwrap_err();
    assert!(matches!(error, ClientError::Refused { error: Errno::EINVAL, .. }));
    client.post(Space::Bar(0), 0x100, &id).unwrap();
    assert!(matches!(client.read(Space::Config, 0, &mut vec![0; 2 << 20]), Err(ClientError::TooLong { .. })));
    client.reset().unwrap();
    assert_eq!(read64(&mut client, 2, 0), 1);
    drop(client);
    let mut client = server.client();
    assert_eq!(read64(&mut client, 2, 0), 2, "it was reset when the first had gone");
}

#[test]
fn the_device_copies_in_shared_memory_and_by_message() {
    let server = Running::start();
    let mut client = server.client();
    let memory = SharedMemory::new(5000).unwrap();
    assert_eq!(memory.bytes(), 8192);
    client.share(&memory, 0x10_0000).unwrap();
    client.serve((0..=255).cycle().take(4096).collect(), 0x20_0000, DmaAccess::ReadWrite).unwrap();
    // SAFETY: inside of the memory, at a time when the device does not touch it.
    let at = |offset: usize| unsafe { memory.start().add(offset).cast::<[u8; 16]>().read_volatile() };
    let ascending = std::array::from_fn(|at| at as u8 + 8);
    assert_eq!(copy(&mut client, 0x20_0008, 0x10_0010), 1);
    assert_eq!(at(0x10), ascending);
    assert_eq!(copy(&mut client, 0x10_0010, 0x10_1001), 1);
    assert_eq!(at(0x1001), ascending);
    assert_eq!(copy(&mut client, 0x10_1001, 0x20_0100), 1);
    assert_eq!(client.served(0x20_0000).unwrap()[0x100..0x110], ascending);
    assert_eq!(copy(&mut client, 0x10_1ff1, 0x20_0100), 2, "it ends one byte outside");
    client.unmap(0x10_0000, 4096).unwrap();
    assert_eq!(copy(&mut client, 0x10_0010, 0x10_1001), 2);
    client.unmap_all().unwrap();
    assert_eq!(copy(&mut client, 0x10_1001, 0x10_1001), 2);
    assert!(client.served(0x20_0000).is_none());
}

#[test]
fn a_client_without_anything_to_ask_attends_to_the_device() {
    let server = Running::start();
    let mut client = server.client();
    client.serve(vec![7; 4096], 0x1000, DmaAccess::ReadWrite).unwrap();
    for (offset, value) in [(COPY_FROM, 0x1000), (COPY_TO, 0x1800), (COPY, 1)] {
        write64(&mut client, offset, value);
    }
    client.served(0x1000).unwrap()[..16].fill(9);
    let mut messages = 0;
    while messages < 2 {
        messages += client.attend(Duration::from_millis(1)).unwrap();
    }
    assert_eq!((messages, client.served(0x1000).unwrap()[0x80f]), (2, 9), "the answer has what is there by then");
}

#[test]
fn interrupts_reach_the_clients_eventfds() {
    let server = Running::start();
    let mut client = server.client();
    let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).unwrap();
    write64(&mut client, RAISE, 2);
    client.set_vector(2, Some(event.as_fd())).unwrap();
    assert_eq!(event.read(), Ok(1), "it waited for its eventfd");
    client.mask_vector(2, true).unwrap();
    write64(&mut client, RAISE, 2);
    client.disable_vectors().unwrap();
    client.set_vector(2, Some(event.as_fd())).unwrap();
    assert_eq!(event.read(), Ok(1));
    client.trigger_vector(2).unwrap();
    assert_eq!(event.read(), Ok(1));
    client.set_vector(2, None).unwrap();
    let error = client.set_vector(VECTORS, Some(event.as_fd())).unwrap_err();
    assert!(matches!(error, ClientError::Refused { error: Errno::EINVAL, .. }));
}

#[test]
fn a_second_client_is_told_so() {
    let server = Running::start();
    let _first = server.client();
    let error = Client::connect(&server.path).err().unwrap().to_string();
    assert!(
        error.contains("closed at once: the function has another client, or this is no vfio-user server"),
        "{error}"
    );
}

/// A server that does with its client what it is told to.
fn with_peer<T: Send + 'static>(
    peer: impl FnOnce(UnixStream) -> T + Send + 'static,
) -> (PathBuf, TempDir, JoinHandle<T>) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let thread = spawn(move || peer(listener.accept().unwrap().0));
    (path, folder, thread)
}

/// Takes a message, as long as its header says.
fn take(socket: &mut UnixStream) -> Vec<u8> {
    let mut bytes = vec![0; 16];
    socket.read_exact(&mut bytes).unwrap();
    let size = u32::from_ne_bytes(bytes[4..8].try_into().unwrap());
    bytes.resize(size as usize, 0);
    socket.read_exact(&mut bytes[16..]).unwrap();
    bytes
}

/// The answer to `message`: flags of a reply, and a payload.
fn answer(message: &[u8], flags: u32, error: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = message[..16].to_vec();
    bytes[4..8].copy_from_slice(&(16 + payload.len() as u32).to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..16].copy_from_slice(&error.to_ne_bytes());
    [&bytes, payload].concat()
}

#[test]
fn other_peers_are_told_apart() {
    type Peer = fn(&mut UnixStream);
    let peers: [(Peer, &str); 6] = [
        (|_| (), "the connection was closed at once"),
        (
            |socket| socket.write_all(b"220 mail.example ESMTP ready\r\n").unwrap(),
            "this is no vfio-user server: a message ",
        ),
        (
            |socket| {
                let message = take(socket);
                socket.write_all(&answer(&message, 1, 0, &[9, 0, 0, 0])).unwrap();
            },
            "the server does not speak vfio-user 0.0, but 9.0",
        ),
        (
            |socket| {
                let message = take(socket);
                socket.write_all(&answer(&message, 0x21, 93, &[])).unwrap();
            },
            "the server does not speak vfio-user 0.0, but refused it: EPROTONOSUPPORT: Protocol not supported",
        ),
        (
            |socket| {
                let message = take(socket);
                socket.write_all(&answer(&message, 1, 0, b"\0\0\0\0no json")).unwrap();
            },
            "this is no vfio-user server: expected",
        ),
        (
            |socket| {
                let mut message = take(socket);
                message[0] ^= 1;
                socket.write_all(&answer(&message, 1, 0, &[0; 4])).unwrap();
            },
            "this is no vfio-user server: it is for another command",
        ),
    ];
    for (peer, text) in peers {
        let (path, _folder, thread) = with_peer(move |mut socket| peer(&mut socket));
        let error = Client::connect(&path).err().unwrap().to_string();
        assert!(error.contains(text), "{error}\nis not: {text}");
        thread.join().unwrap();
    }
    let error = Client::connect("/nonexistent/socket").err().unwrap().to_string();
    assert!(error.starts_with("/nonexistent/socket: cannot connect: No such file"), "{error}");
}

#[test]
fn a_server_that_stalls_or_dies_is_an_error() {
    let (path, _folder, thread) = with_peer(|mut socket| {
        let message = take(&mut socket);
        socket.write_all(&answer(&message, 1, 0, &[0; 4])).unwrap();
        take(&mut socket);
        socket
    });
    let mut client = Client::connect(&path).unwrap();
    client.set_timeout(Duration::from_millis(20));
    let error = client.reset().unwrap_err().to_string();
    assert_eq!(error, "the server did not answer DeviceReset within 0.02 s");
    let socket = thread.join().unwrap();
    let error = client.reset().unwrap_err().to_string();
    assert_eq!(error, "the connection to the server is lost: the server did not answer DeviceReset within 0.02 s");
    drop(socket);

    let (path, _folder, thread) = with_peer(|mut socket| {
        let message = take(&mut socket);
        socket.write_all(&answer(&message, 1, 0, &[0; 4])).unwrap();
        let message = take(&mut socket);
        socket.write_all(&answer(&message, 1, 0, &[0; 4])[..10]).unwrap();
    });
    let mut client = Client::connect(&path).unwrap();
    let error = client.reset().unwrap_err().to_string();
    assert_eq!(
        error,
        "the connection to the server is lost: the peer closed the connection in the middle of a message"
    );
    thread.join().unwrap();
}

/// What a stranger writes: messages with headers that are in order and anything behind them, or anything.
fn strange() -> impl Strategy<Value = Vec<u8>> {
    let message = (any::<u16>(), 0..20u16, 0..64u32, prop::collection::vec(any::<u8>(), 0..100)).prop_map(
        |(id, command, flags, payload)| {
            let size = 16 + payload.len() as u32;
            [
                &id.to_ne_bytes()[..],
                &command.to_ne_bytes(),
                &size.to_ne_bytes(),
                &flags.to_ne_bytes(),
                &[0; 4],
                &payload,
            ]
            .concat()
        },
    );
    // A version first, so that the rest is looked at.
    let version = [&[1, 0, 1, 0][..], &20_u32.to_ne_bytes(), &[0; 8], &[0; 4]].concat();
    prop_oneof![
        3 => prop::collection::vec(message, 1..20).prop_map(move |all| [version.clone(), all.concat()].concat()),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn strangers_before_and_beside_a_client_do_not_disturb_it(all in prop::collection::vec((strange(), strange()), 1..6)) {
        let server = Running::start();
        for (before, beside) in all {
            // The server may hang up before all is written.
            drop(UnixStream::connect(&server.path).unwrap().write_all(&before));
            let mut client = server.client();
            let memory = SharedMemory::new(4096).unwrap();
            client.share(&memory, 0x10_0000).unwrap();
            drop(UnixStream::connect(&server.path).unwrap().write_all(&beside));
            prop_assert_eq!(client.info().unwrap(), info());
            client.serve((0..=255).cycle().take(4096).collect(), 0x20_0000, DmaAccess::ReadWrite).unwrap();
            prop_assert_eq!(copy(&mut client, 0x20_0008, 0x10_0010), 1);
            // SAFETY: inside of the memory, at a time when the device does not touch it.
            let copied = unsafe { memory.start().add(0x10).cast::<[u8; 16]>().read_volatile() };
            prop_assert_eq!(copied, std::array::from_fn(|at| at as u8 + 8));
        }
    }
}
