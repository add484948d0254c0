// SPDX-License-Identifier: MIT OR Apache-2.0
//! Maps, and what the device reaches through them.

use super::*;
use crate::wire::{DmaRange, PAGE};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use proptest::prelude::*;
use std::fs::File;
use std::os::unix::fs::FileExt;

/// Where the last page of all addresses begins.
const LAST_PAGE: u64 = !(PAGE - 1);
const BOTH: u32 = flags::MAP_READ | flags::MAP_WRITE;

/// A memfd of so many pages, each full of its number.
fn file(pages: u64, seals: SealFlag) -> File {
    let file = File::from(memfd_create("test", MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC).unwrap());
    for page in 0..pages {
        file.write_all_at(&[page as u8; PAGE as usize], page * PAGE).unwrap();
    }
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals)).unwrap();
    file
}

fn read<const N: usize>(memory: &ClientMemory, address: u64) -> Result<[u8; N], Dma> {
    let mut bytes = [0; N];
    match memory.read(address, &mut bytes) {
        Dma::Done => Ok(bytes),
        other => Err(other),
    }
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").unwrap().lines().filter(|line| line.contains("memfd:test")).count()
}

#[test]
fn a_function_that_vanishes_takes_its_socket_and_its_client_along_until_it_is_there_again() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let file = file(1, SealFlag::F_SEAL_SHRINK);
    bench.map(&mut peer, PAGE, PAGE, 0, BOTH, &[file.as_fd()]).unwrap();
    let memory = bench.server.memory();
    assert_eq!(read(&memory, PAGE), Ok([0]));
    bench.server.close(&mut bench.function);
    peer.receive();
    assert!(peer.closed && !bench.path.exists() && !bench.server.is_open());
    assert_eq!((read::<1>(&memory, PAGE), bench.function.resets), (Err(Dma::Outside), 1));
    assert!(bench.server.descriptors().is_empty());
    assert_eq!(bench.turn(), 0);
    bench.server.open().unwrap();
    bench.server.open().unwrap();
    let mut peer = bench.client();
    bench.map(&mut peer, PAGE, PAGE, 0, BOTH, &[file.as_fd()]).unwrap();
    assert_eq!(read(&memory, PAGE), Ok([0]), "handles of its memory stay good");
}

#[test]
fn the_device_reaches_what_is_mapped_and_nothing_else() {
    for seals in [SealFlag::F_SEAL_SHRINK, SealFlag::empty()] {
        let mut bench = Bench::new();
        let mut peer = bench.client();
        let (file, memory) = (file(4, seals), bench.server.memory());
        assert_eq!(bench.map(&mut peer, 0x10_0000, 2 * PAGE, PAGE, BOTH, &[file.as_fd()]), Ok(vec![]));
        assert_eq!(bench.map(&mut peer, 0x10_2000, PAGE, 0, flags::MAP_READ, &[file.as_fd()]), Ok(vec![]));
        assert_eq!(bench.map(&mut peer, 0x20_0000, PAGE, 0, flags::MAP_WRITE, &[file.as_fd()]), Ok(vec![]));
        assert_eq!(read(&memory, 0x10_0fff), Ok([1, 2]));
        assert_eq!(read(&memory, 0x10_1ffe), Ok([2, 2, 0, 0]), "over the border of two maps");
        assert_eq!(memory.write(0x10_0ffe, &[7, 8, 9]), Dma::Done);
        let mut bytes = [0; 5];
        file.read_exact_at(&mut bytes, 2 * PAGE - 3).unwrap();
        assert_eq!(bytes, [1, 7, 8, 9, 2]);
        assert_eq!(memory.write(0x10_1fff, &[1, 1]), Dma::Outside, "the second may not be written");
        assert_eq!(read(&memory, 0x10_1fff), Ok([2]), "and nothing is done");
        assert_eq!(memory.write(0x20_0000, &[1]), Dma::Done);
        for address in [0x20_0000, 0x0f_ffff, 0x10_2fff, 0, u64::MAX] {
            assert_eq!(read::<2>(&memory, address), Err(Dma::Outside), "{address:#x}");
        }
        assert_eq!(memory.read(u64::MAX, &mut []), Dma::Done);
        drop(peer);
        bench.turn();
        assert_eq!(read::<1>(&memory, 0x10_0000), Err(Dma::Outside), "the client has gone");
    }
}

#[test]
fn maps_that_cannot_be_are_refused() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let memory = file(4, SealFlag::F_SEAL_SHRINK);
    let (disk, null) = (tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap(), File::open("/dev/null").unwrap());
    disk.set_len(4 * PAGE).unwrap();
    let read_only = File::open(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&memory))).unwrap();
    let one = &[memory.as_fd()][..];
    /// Address, size, offset, flags, descriptors, and the refusal.
    type Case<'a> = (u64, u64, u64, u32, &'a [BorrowedFd<'a>], Errno);
    let cases: [Case<'_>; 15] = [
        (0x1000, 0, 0, BOTH, one, Errno::EINVAL),
        (0x1001, PAGE, 0, BOTH, one, Errno::EINVAL),
        (0x1000, PAGE + 1, 0, BOTH, one, Errno::EINVAL),
        (0x1000, PAGE, 1, BOTH, one, Errno::EINVAL),
        (0x1000, PAGE, 0, 0, one, Errno::EINVAL),
        (0x1000, PAGE, 0, BOTH | 4, one, Errno::EINVAL),
        (0x1000, PAGE, 4 * PAGE, BOTH, one, Errno::EINVAL),
        (0x1000, 5 * PAGE, 0, BOTH, one, Errno::EINVAL),
        (0x1000, PAGE, LAST_PAGE, BOTH, one, Errno::EINVAL),
        (LAST_PAGE, 2 * PAGE, 0, BOTH, one, Errno::EINVAL),
        (0x1000, PAGE, 0, BOTH, &[memory.as_fd(), memory.as_fd()], Errno::EINVAL),
        (0x1000, PAGE, 0, BOTH, &[null.as_fd()], Errno::EINVAL),
        (0x1000, PAGE, 0, BOTH, &[peer.socket.as_fd()], Errno::EINVAL),
        (0x1000, PAGE, 0, BOTH, &[read_only.as_fd()], Errno::EACCES),
        (0x7000, PAGE, 0, BOTH, one, Errno::EEXIST),
    ];
    let socket = peer.socket.try_clone().unwrap();
    let mut other = Peer { socket, incoming: Incoming::default(), messages: VecDeque::new(), closed: false };
    assert_eq!(bench.map(&mut other, 0x6000, 3 * PAGE, 0, BOTH, one), Ok(vec![]));
    for (address, size, offset, flags, files, error) in cases {
        let answer = bench.map(&mut other, address, size, offset, flags, files);
        assert_eq!(answer, Err(error), "{size:#x} bytes at {address:#x}, offset {offset:#x}, flags {flags}");
    }
    assert_eq!(bench.map(&mut peer, 0x1000, PAGE, 0, flags::MAP_READ, &[read_only.as_fd()]), Ok(vec![]));
    assert_eq!(bench.map(&mut peer, LAST_PAGE, PAGE, 0, BOTH, one), Ok(vec![]), "the last page");
    if !is_memory(&disk) {
        assert_eq!(bench.map(&mut peer, 0x2000, PAGE, 0, BOTH, &[disk.as_fd()]), Err(Errno::EINVAL), "it could block");
    }
}

fn is_memory(file: &File) -> bool {
    nix::sys::statfs::fstatfs(file).unwrap().filesystem_type() == nix::sys::statfs::TMPFS_MAGIC
}

#[test]
fn ranges_are_unmapped_across_maps_and_within() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let (file, memory) = (file(8, SealFlag::F_SEAL_SHRINK), bench.server.memory());
    bench.map(&mut peer, 0x10_0000, 8 * PAGE, 0, BOTH, &[file.as_fd()]).unwrap();
    let unmap = DmaUnmap { argsz: 24, flags: 0, address: 0x10_2000, size: PAGE };
    assert_eq!(bench.unmap(&mut peer, 0x10_2000, PAGE, 0), Ok(unmap.encode()), "the request comes back");
    assert_eq!(read::<1>(&memory, 0x10_2000), Err(Dma::Outside));
    assert_eq!([read(&memory, 0x10_1fff), read(&memory, 0x10_3000)], [Ok([1]), Ok([3])]);
    bench.map(&mut peer, 0x10_2000, PAGE, 7 * PAGE, BOTH, &[file.as_fd()]).unwrap();
    assert_eq!(read(&memory, 0x10_1fff), Ok([1, 7]));
    bench.unmap(&mut peer, 0x10_1000, 1 << 47, 0).unwrap();
    assert_eq!(read(&memory, 0x10_0fff), Ok([0]));
    assert_eq!(read::<1>(&memory, 0x10_1000), Err(Dma::Outside));
    assert!(bench.unmap(&mut peer, 0, 1 << 40, 0).is_ok());
    assert!(bench.unmap(&mut peer, 0, 1 << 40, 0).is_ok(), "nothing is there");
    bench.map(&mut peer, 0x1000, PAGE, 0, BOTH, &[file.as_fd()]).unwrap();
    assert_eq!(bench.unmap(&mut peer, 0x1000, 0, flags::UNMAP_ALL), Err(Errno::EINVAL));
    assert_eq!(bench.unmap(&mut peer, 0x1000, PAGE, 1), Err(Errno::ENOTSUP), "dirty pages are not told of");
    assert_eq!(bench.unmap(&mut peer, 0x1000, 0, 0), Err(Errno::EINVAL));
    assert!(bench.unmap(&mut peer, 0, 0, flags::UNMAP_ALL).is_ok());
    assert_eq!(read::<1>(&memory, 0x1000), Err(Dma::Outside));
}

#[test]
fn a_file_is_mapped_once_however_often_it_comes() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let file = file(64, SealFlag::F_SEAL_SHRINK);
    let before = mappings();
    for page in 0..64 {
        let address = 0x10_0000 + 2 * page * PAGE;
        bench.map(&mut peer, address, PAGE, page * PAGE, BOTH, &[file.as_fd()]).unwrap();
    }
    // Tests of other threads have files of this name too, but not so many.
    assert!(mappings() < before + 32, "{} {before}", mappings());
    assert_eq!(read(&bench.server.memory(), 0x10_0000 + 2 * 63 * PAGE), Ok([63]));
}

#[test]
fn a_file_that_has_grown_is_mapped_anew() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let file = file(1, SealFlag::F_SEAL_SHRINK);
    let memory = bench.server.memory();
    bench.map(&mut peer, 0x1000, PAGE, 0, BOTH, &[file.as_fd()]).unwrap();
    file.write_all_at(&[9; PAGE as usize], PAGE).unwrap();
    bench.map(&mut peer, 0x2000, PAGE, PAGE, BOTH, &[file.as_fd()]).unwrap();
    assert_eq!(read(&memory, 0x1fff), Ok([0, 9]));
}

#[test]
fn a_file_that_was_cut_off_under_us_harms_nobody() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let (cut, whole, memory) = (file(2, SealFlag::empty()), file(1, SealFlag::empty()), bench.server.memory());
    bench.map(&mut peer, 0x1000, 2 * PAGE, 0, BOTH, &[cut.as_fd()]).unwrap();
    bench.map(&mut peer, 0x3000, PAGE, 0, BOTH, &[whole.as_fd()]).unwrap();
    cut.set_len(PAGE).unwrap();
    assert_eq!(read::<1>(&memory, 0x2000), Err(Dma::Outside));
    assert_eq!(memory.write(0x2000, &[1]), Dma::Outside);
    assert_eq!(cut.metadata().unwrap().len(), PAGE, "and is not made longer");
    assert_eq!([read(&memory, 0x1fff), read(&memory, 0x3000)], [Ok([0]), Ok([0])]);
    cut.set_len(2 * PAGE).unwrap();
    assert_eq!(read(&memory, 0x2000), Ok([0]));
}

/// The client's memory without a file, and the answers that it gives.
fn serve(peer: &mut Peer, bytes: &mut [u8], base: u64) -> usize {
    peer.receive();
    let mut count = 0;
    while let Some(message) = peer.messages.pop_front() {
        let (range, data) = DmaRange::decode(&message.payload).unwrap();
        let place = &mut bytes[(range.address - base) as usize..][..range.count as usize];
        let payload = match message.header.command {
            command if command == Command::DmaRead as u16 => [&range.encode(), &*place].concat(),
            _ => {
                place.copy_from_slice(data);
                // As the specification has it: a count of four bytes.
                [&range.address.to_ne_bytes()[..], &(range.count as u32).to_ne_bytes()].concat()
            }
        };
        peer.send(message.header.id, message.header.command, Kind::Reply { error: None }, &payload, &[]);
        count += 1;
    }
    count
}

#[test]
fn memory_without_a_file_is_reached_by_message() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let memory = bench.server.memory();
    let mut bytes: Vec<u8> = (0..2 * PAGE).map(|at| at as u8).collect();
    bench.map(&mut peer, 0x1000, 2 * PAGE, 0, BOTH, &[]).unwrap();
    assert_eq!(memory.write(0x1010, &[0xaa; 4]), Dma::Later);
    assert_eq!(read::<8>(&memory, 0x100c), Err(Dma::Later));
    // An access to registers is answered while they are under way.
    assert!(bench.turn() == 0);
    peer.receive();
    let asked: Vec<Message> = peer.messages.drain(..).collect();
    assert!(bench.ask(&mut peer, Command::RegionRead as u16, &access(0, 0, 4), &[]).is_ok());
    peer.messages.extend(asked);
    assert_eq!(serve(&mut peer, &mut bytes, 0x1000), 2);
    assert_eq!(bench.turn(), 2);
    assert_eq!(memory.write(0x1010, &[0xaa; 4]), Dma::Done);
    assert_eq!(read(&memory, 0x100c), Ok([12, 13, 14, 15, 0xaa, 0xaa, 0xaa, 0xaa]));
    assert_eq!(read::<8>(&memory, 0x100c), Err(Dma::Later), "a new access");
}

#[test]
fn an_access_may_lie_in_files_and_in_the_client() {
    let mut bench = Bench::new();
    let mut peer = bench.connect();
    let text = r#"{"capabilities":{"max_data_xfer_size":3}}"#;
    bench.ask(&mut peer, Command::Version as u16, &version(0, 0, text), &[]).unwrap();
    let (file, memory) = (file(3, SealFlag::F_SEAL_SHRINK), bench.server.memory());
    bench.map(&mut peer, 0x1000, PAGE, PAGE, BOTH, &[file.as_fd()]).unwrap();
    bench.map(&mut peer, 0x2000, PAGE, 0, BOTH, &[]).unwrap();
    bench.map(&mut peer, 0x3000, PAGE, 2 * PAGE, BOTH, &[file.as_fd()]).unwrap();
    let mut bytes = vec![0xcc; PAGE as usize];
    let mut data = vec![0; PAGE as usize + 2];
    let mut messages = 0;
    while memory.read(0x1fff, &mut data) == Dma::Later {
        bench.turn();
        messages += serve(&mut peer, &mut bytes, 0x2000);
        bench.turn();
    }
    assert_eq!(messages, (PAGE as usize).div_ceil(3), "no more with a message than the client takes");
    assert_eq!((data[0], data[1..=PAGE as usize] == bytes, data[PAGE as usize + 1]), (1, true, 2));
    while memory.write(0x1fff, &[5; PAGE as usize + 2]) == Dma::Later {
        bench.turn();
        serve(&mut peer, &mut bytes, 0x2000);
        bench.turn();
    }
    assert!(bytes.iter().all(|byte| *byte == 5));
    let mut ends = [0; 4];
    file.read_exact_at(&mut ends[..2], 2 * PAGE - 2).unwrap();
    file.read_exact_at(&mut ends[2..], 2 * PAGE).unwrap();
    assert_eq!(ends, [1, 5, 5, 2]);
}

#[test]
fn no_more_than_64_accesses_are_under_way() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let memory = bench.server.memory();
    let mut bytes = vec![3; PAGE as usize];
    bench.map(&mut peer, 0x1000, PAGE, 0, BOTH, &[]).unwrap();
    let addresses = || (0x1000..0x1000 + 100).map(|address| read::<1>(&memory, address));
    assert!(addresses().all(|answer| answer == Err(Dma::Later)));
    bench.turn();
    assert_eq!(serve(&mut peer, &mut bytes, 0x1000), 64);
    bench.turn();
    assert_eq!(addresses().filter(|answer| *answer == Ok([3])).count(), 64);
    assert!(addresses().take(64).all(|answer| answer == Err(Dma::Later)));
}

#[test]
fn wrong_answers_and_clients_that_go_make_an_access_fail() {
    let mut bench = Bench::new();
    let memory = bench.server.memory();
    let range = |address, count| DmaRange { address, count }.encode();
    let ok = Kind::Reply { error: None };
    let wrong: [(Kind, Vec<u8>); 5] = [
        (Kind::Reply { error: Some(14) }, vec![]),
        (ok, vec![]),
        (ok, [range(0x1004, 4), vec![0; 4]].concat()),
        (ok, [range(0x1000, 4), vec![0; 3]].concat()),
        (ok, [range(0x1000, 5), vec![0; 5]].concat()),
    ];
    let mut peer = bench.client();
    bench.map(&mut peer, 0x1000, PAGE, 0, BOTH, &[]).unwrap();
    for (kind, payload) in wrong {
        assert_eq!(read::<4>(&memory, 0x1000), Err(Dma::Later));
        bench.turn();
        peer.receive();
        let asked = peer.messages.pop_front().unwrap();
        peer.send(asked.header.id, asked.header.command, kind, &payload, &[]);
        bench.turn();
        assert_eq!(read::<4>(&memory, 0x1000), Err(Dma::Outside));
    }
    assert_eq!(read::<4>(&memory, 0x1000), Err(Dma::Later));
    drop(peer);
    bench.turn();
    assert_eq!(read::<4>(&memory, 0x1000), Err(Dma::Outside));
}

#[derive(Clone, Debug)]
enum Change {
    Map { page: u64, pages: u64, from: u64, write: bool },
    Unmap { page: u64, pages: u64 },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (0..16u64, 1..5u64, 0..4u64, any::<bool>()).prop_map(|(page, pages, from, write)| Change::Map {
            page,
            pages,
            from,
            write
        }),
        (0..16u64, 1..9u64).prop_map(|(page, pages)| Change::Unmap { page, pages }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Against a table of pages: number of the file's page, and whether it may be written.
    #[test]
    fn maps_are_those_of_a_table(changes in prop::collection::vec(change(), 1..24)) {
        let mut bench = Bench::new();
        let mut peer = bench.client();
        let (file, memory) = (file(8, SealFlag::F_SEAL_SHRINK), bench.server.memory());
        let mut table = [None; 24];
        for change in changes {
            match change {
                Change::Map { page, pages, from, write } => {
                    let flags = if write { BOTH } else { flags::MAP_READ };
                    let answer = bench.map(&mut peer, page * PAGE, pages * PAGE, from * PAGE, flags, &[file.as_fd()]);
                    let range = page as usize..(page + pages) as usize;
                    let free = table[range.clone()].iter().all(Option::is_none);
                    prop_assert_eq!(answer.err(), (!free).then_some(Errno::EEXIST));
                    if free {
                        table[range].iter_mut().zip(from..).for_each(|(entry, page)| *entry = Some((page as u8, write)));
                    }
                }
                Change::Unmap { page, pages } => {
                    prop_assert!(bench.unmap(&mut peer, page * PAGE, pages * PAGE, 0).is_ok());
                    table[page as usize..(page + pages) as usize].fill(None);
                }
            }
            for (page, entry) in (0u64..).zip(table) {
                prop_assert_eq!(read(&memory, page * PAGE + 1).ok(), entry.map(|(page, _)| [page]));
                let bytes = [entry.map_or(0, |(page, _)| page)];
                let written = memory.write(page * PAGE + 1, &bytes) == Dma::Done;
                prop_assert_eq!(written, entry.is_some_and(|(_, write)| write));
            }
        }
    }
}
