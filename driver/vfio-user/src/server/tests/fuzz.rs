// SPDX-License-Identifier: MIT OR Apache-2.0
//! Anything that a client may send: the server lives, and serves the next client.

use super::*;
use nix::sys::eventfd::EventFd;
use nix::sys::memfd::{MFdFlags, memfd_create};
use proptest::prelude::*;
use std::fs::File;
use std::io::Write;

#[derive(Clone, Debug)]
enum Sent {
    /// A message with a frame that is whole.
    Message {
        command: u16,
        reply: bool,
        no_reply: bool,
        words: Vec<u32>,
        files: Vec<u8>,
    },
    Bytes(Vec<u8>),
    /// The device accesses the client's memory, and gives an interrupt.
    Dma {
        address: u64,
        write: bool,
    },
    Interrupt(u16),
}

/// Numbers that mean something here and there.
fn word() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 0..40u32,
        2 => (0..16u32).prop_map(|page| page << 12),
        1 => prop::sample::select(vec![u32::MAX, 1 << 31, 0x1001, 1 << 20, (1 << 20) + 1]),
        1 => any::<u32>(),
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let command = prop_oneof![20 => 1..19u16, 1 => any::<u16>()];
    let files = prop::collection::vec(0..4u8, 0..4);
    let message = (command, prop::bool::weighted(0.03), any::<bool>(), prop::collection::vec(word(), 0..14), files)
        .prop_map(|(command, reply, no_reply, words, files)| Sent::Message { command, reply, no_reply, words, files });
    let address = (0..16u64, 0..8192u64).prop_map(|(page, byte)| (page << 12) + byte);
    prop_oneof![
        40 => message,
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(Sent::Bytes),
        4 => (address, any::<bool>()).prop_map(|(address, write)| Sent::Dma { address, write }),
        2 => (0..8u16).prop_map(Sent::Interrupt),
    ]
}

/// What descriptors a client has.
struct Files {
    memory: File,
    event: EventFd,
    null: File,
    socket: UnixStream,
}

impl Files {
    fn new() -> Self {
        let memory = File::from(memfd_create("fuzz", MFdFlags::MFD_CLOEXEC).unwrap());
        memory.set_len(0x8000).unwrap();
        Self {
            memory,
            event: EventFd::new().unwrap(),
            null: File::open("/dev/null").unwrap(),
            socket: UnixStream::pair().unwrap().0,
        }
    }

    fn get(&self, which: u8) -> BorrowedFd<'_> {
        match which {
            0 => self.memory.as_fd(),
            1 => self.event.as_fd(),
            2 => self.null.as_fd(),
            _ => self.socket.as_fd(),
        }
    }
}

fn play(bench: &mut Bench, peer: &mut Peer, files: &Files, sent: Sent) {
    match sent {
        Sent::Message { command, reply, no_reply, words, files: which } => {
            let kind = if reply { Kind::Reply { error: None } } else { Kind::Command { no_reply } };
            let payload: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            let bytes = Header::message(1, command, kind, &payload);
            let which: Vec<BorrowedFd<'_>> = which.into_iter().map(|which| files.get(which)).collect();
            // The server may have hung up.
            let _ = send(peer.socket.as_fd(), &bytes, &which);
        }
        Sent::Bytes(bytes) => drop(peer.socket.write_all(&bytes)),
        Sent::Dma { address, write: true } => drop(bench.server.memory().write(address, &[0x5a; 64])),
        Sent::Dma { address, write: false } => drop(bench.server.memory().read(address, &mut [0; 64])),
        Sent::Interrupt(vector) => bench.server.interrupt(vector),
    }
    bench.turn();
    peer.receive();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_that_a_client_sends_ends_the_server(negotiates in prop::bool::weighted(0.95), all in prop::collection::vec(sent(), 1..40)) {
        let (mut bench, files) = (Bench::new(), Files::new());
        let mut peer = if negotiates { bench.client() } else { bench.connect() };
        for sent in all {
            play(&mut bench, &mut peer, &files, sent);
        }
        drop(peer);
        while bench.turn() != 0 {}
        let mut next = bench.client();
        prop_assert_eq!(bench.ask(&mut next, Command::RegionRead as u16, &access(region::CONFIG, 3, 1), &[]).unwrap()[16..].to_vec(), [bench.function.config[3]]);
        prop_assert_eq!(read_any(&bench), Dma::Outside, "nothing of a client stays");
    }
}

fn read_any(bench: &Bench) -> Dma {
    let memory = bench.server.memory();
    (0..16u64).map(|page| memory.read(page << 12, &mut [0])).find(|dma| *dma != Dma::Outside).unwrap_or(Dma::Outside)
}
