// SPDX-License-Identifier: MIT OR Apache-2.0
//! Each command, each refusal, and how clients come and go.

use super::*;
use crate::capabilities::Capabilities;
use crate::wire::{DeviceStructure, HEADER, IrqInfo, MAX_TRANSFER, RegionInfo};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::fs::File;
use std::io::Write;

const NO_REPLY: Kind = Kind::Command { no_reply: true };

fn event() -> EventFd {
    EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC).unwrap()
}

#[test]
fn a_version_is_agreed_on_before_anything_else() {
    let mut bench = Bench::new();
    let mut peer = bench.connect();
    assert_eq!(bench.ask(&mut peer, Command::DeviceReset as u16, &[], &[]), Err(Errno::EINVAL));
    assert!(!bench.server.connected());
    let command = Command::Version as u16;
    assert_eq!(bench.ask(&mut peer, command, &version(1, 0, ""), &[]), Err(Errno::EPROTONOSUPPORT));
    assert_eq!(bench.ask(&mut peer, command, &version(0, 0, "{"), &[]), Err(Errno::EINVAL));
    assert_eq!(bench.ask(&mut peer, command, &[0, 0], &[]), Err(Errno::EINVAL));
    let text = "{\"capabilities\":{\"write_multiple\":true}}\0";
    let answer = bench.ask(&mut peer, command, &version(0, 3, text), &[]).unwrap();
    assert!(bench.server.connected());
    assert_eq!(answer[..4], Version { major: 0, minor: 0 }.encode());
    assert_eq!(Capabilities::parse(&answer[4..]), Ok(Capabilities::ours()));
    assert_eq!(bench.ask(&mut peer, command, &version(0, 0, ""), &[]), Err(Errno::EINVAL), "once");
    assert_eq!(bench.function.resets, 0);
}

#[test]
fn information_is_the_devices() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let asked = DeviceStructure { argsz: 16, ..Default::default() };
    let answer = bench.ask(&mut peer, Command::DeviceGetInfo as u16, &asked.encode(), &[]).unwrap();
    assert_eq!(answer, DeviceStructure { argsz: 16, flags: 3, num_regions: 9, num_irqs: 5 }.encode());
    let sizes = [BAR, 0, 1 << 24, 0, 0, 0, 0, 256, 0];
    for (index, size) in (0..).zip(sizes) {
        let asked = RegionInfo { argsz: 32, index, ..Default::default() };
        let answer = bench.ask(&mut peer, Command::DeviceGetRegionInfo as u16, &asked.encode(), &[]).unwrap();
        let flags = if size == 0 { 0 } else { 3 };
        assert_eq!(answer, RegionInfo { argsz: 32, flags, index, cap_offset: 0, size, offset: 0 }.encode());
    }
    for (index, count) in (0..).zip([0, 0, 5, 1, 1]) {
        let asked = IrqInfo { argsz: 16, index, ..Default::default() };
        let answer = bench.ask(&mut peer, Command::DeviceGetIrqInfo as u16, &asked.encode(), &[]).unwrap();
        assert_eq!(answer, IrqInfo { argsz: 16, flags: if count == 0 { 0 } else { 3 }, index, count }.encode());
    }
}

#[test]
fn accesses_reach_the_function_at_any_width() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    for (offset, count) in [(0, 1), (1, 3), (255, 1), (0, 256), (7, 8)] {
        let answer =
            bench.ask(&mut peer, Command::RegionRead as u16, &access(region::CONFIG, offset, count), &[]).unwrap();
        let data: Vec<u8> = (offset as u8..=255).take(count as usize).collect();
        assert_eq!(answer, [access(region::CONFIG, offset, count), data].concat());
        assert_eq!(bench.function.accesses.pop(), Some((Space::Config, offset, count as usize)));
    }
    let write = [access(0, 0xffd, 3), vec![7, 8, 9]].concat();
    assert_eq!(bench.ask(&mut peer, Command::RegionWrite as u16, &write, &[]), Ok(access(0, 0xffd, 3)));
    assert_eq!(bench.function.bar[0xffc..], [0, 7, 8, 9]);
    let none = access(0, BAR, 0);
    assert_eq!(bench.ask(&mut peer, Command::RegionRead as u16, &none, &[]), Ok(none.clone()));
    assert_eq!(bench.function.accesses.len(), 1, "nothing is read");
    let read = access(2, 0, 4);
    assert_eq!(bench.ask(&mut peer, Command::RegionRead as u16, &read, &[]), Err(Errno::EIO), "the function's own");
}

#[test]
fn several_writes_come_in_one_message() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let write = |offset, count, data| crate::wire::Write { offset, region: 0, count, data }.encode();
    let command = Command::RegionWriteMulti as u16;
    let both = [2u64.to_ne_bytes().to_vec(), write(0, 8, 0x0807_0605_0403_0201), write(2, 1, 0xff)].concat();
    assert_eq!(bench.ask(&mut peer, command, &both, &[]), Ok(2u64.to_ne_bytes().to_vec()));
    assert_eq!(bench.function.bar[..9], [1, 2, 0xff, 4, 5, 6, 7, 8, 0]);
    let second_outside = [2u64.to_ne_bytes().to_vec(), write(0, 1, 0), write(BAR, 1, 0)].concat();
    let too_wide = [1u64.to_ne_bytes().to_vec(), write(0, 9, 0)].concat();
    let too_many = [3u64.to_ne_bytes().to_vec(), write(0, 1, 0)].concat();
    let far_too_many = [(u64::MAX / 24 + 2).to_ne_bytes().to_vec(), write(0, 1, 0)].concat();
    for wrong in [second_outside, too_wide, too_many, far_too_many, vec![1]] {
        assert_eq!(bench.ask(&mut peer, command, &wrong, &[]), Err(Errno::EINVAL));
    }
    assert_eq!(bench.function.bar[0], 1, "nothing is written");
}

#[test]
fn what_is_wrong_is_refused_and_the_stream_goes_on() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let big = MAX_TRANSFER as u32 + 1;
    let cases: [(u16, Vec<u8>, Errno); 24] = [
        (Command::RegionRead as u16, access(0, BAR - 1, 2), Errno::EINVAL),
        (Command::RegionRead as u16, access(0, u64::MAX, 2), Errno::EINVAL),
        (Command::RegionRead as u16, access(1, 0, 1), Errno::EINVAL),
        (Command::RegionRead as u16, access(6, 0, 1), Errno::EINVAL),
        (Command::RegionRead as u16, access(8, 0, 1), Errno::EINVAL),
        (Command::RegionRead as u16, access(u32::MAX, 0, 1), Errno::EINVAL),
        (Command::RegionRead as u16, access(2, 0, big), Errno::EINVAL),
        (Command::RegionRead as u16, vec![0; 15], Errno::EINVAL),
        (Command::RegionWrite as u16, access(0, 0, 1), Errno::EINVAL),
        (Command::RegionWrite as u16, [access(0, 0, 1), vec![1, 2]].concat(), Errno::EINVAL),
        (Command::DeviceGetInfo as u16, vec![0; 16], Errno::EINVAL),
        (Command::DeviceGetInfo as u16, vec![], Errno::EINVAL),
        (
            Command::DeviceGetRegionInfo as u16,
            RegionInfo { argsz: 32, index: 9, ..Default::default() }.encode(),
            Errno::EINVAL,
        ),
        (Command::DeviceGetRegionInfo as u16, RegionInfo { argsz: 31, ..Default::default() }.encode(), Errno::EINVAL),
        (
            Command::DeviceGetIrqInfo as u16,
            IrqInfo { argsz: 16, index: 5, ..Default::default() }.encode(),
            Errno::EINVAL,
        ),
        (Command::DeviceSetIrqs as u16, vec![0; 19], Errno::EINVAL),
        (Command::DeviceSetIrqs as u16, vec![0; 20], Errno::EINVAL),
        (Command::DmaMap as u16, vec![0; 31], Errno::EINVAL),
        (Command::DmaUnmap as u16, vec![0; 8], Errno::EINVAL),
        (Command::DmaRead as u16, vec![0; 16], Errno::ENOTSUP),
        (6, vec![0; 16], Errno::ENOTSUP),
        (16, vec![0; 5000], Errno::ENOTSUP),
        (17, vec![0; 8], Errno::ENOTSUP),
        (0xffff, vec![0; 70_000], Errno::ENOTSUP),
    ];
    for (command, payload, error) in cases {
        assert_eq!(bench.ask(&mut peer, command, &payload, &[]), Err(error), "command {command}");
        let file = File::open("/dev/null").unwrap();
        assert_eq!(
            bench.ask(&mut peer, command, &payload, &[file.as_fd()]),
            Err(error),
            "command {command} with a file"
        );
        peer.send(7, command, NO_REPLY, &payload, &[]);
        bench.turn();
        peer.receive();
        assert!(peer.messages.is_empty() && !peer.closed, "command {command} without reply");
    }
    assert_eq!(bench.function.accesses, []);
    assert!(bench.ask(&mut peer, Command::RegionRead as u16, &access(0, 0, 4), &[]).is_ok());
}

#[test]
fn a_command_without_reply_is_done_all_the_same() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    peer.send(1, Command::RegionWrite as u16, NO_REPLY, &[access(0, 0, 1), vec![5]].concat(), &[]);
    let answer = bench.ask(&mut peer, Command::RegionRead as u16, &access(0, 0, 1), &[]).unwrap();
    assert_eq!(answer[16..], [5]);
    assert!(peer.messages.is_empty());
}

#[test]
fn reset_is_the_functions_and_forgets_interrupts() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    bench.server.interrupt(3);
    assert!(bench.server.vectors().is_pending(3));
    assert_eq!(bench.ask(&mut peer, Command::DeviceReset as u16, &[], &[]), Ok(vec![]));
    assert_eq!((bench.function.resets, bench.server.vectors().is_pending(3)), (1, false));
}

#[test]
fn interrupts_are_given_by_the_clients_eventfds() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let events = [event(), event()];
    let set = |flags, index, start, count| IrqSet { argsz: 20, flags, index, start, count }.encode();
    let (arm, command) = (flags::SET_DATA_EVENTFD | flags::SET_TRIGGER, Command::DeviceSetIrqs as u16);
    let files = [events[0].as_fd(), events[1].as_fd()];
    bench.server.interrupt(4);
    assert_eq!(bench.ask(&mut peer, command, &set(arm, irq::MSIX, 3, 2), &files), Ok(vec![]));
    bench.server.interrupt(3);
    bench.server.interrupt(3);
    assert_eq!(events.each_ref().map(|event| event.read().unwrap()), [2, 1], "and what waited");
    for kind in [irq::ERROR, irq::REQUEST] {
        assert_eq!(bench.ask(&mut peer, command, &set(arm, kind, 0, 1), &files[..1]), Ok(vec![]));
    }
    assert_eq!(bench.ask(&mut peer, command, &set(arm, irq::MSIX, 4, 2), &files), Err(Errno::EINVAL));
    drop(peer);
    bench.turn();
    bench.server.interrupt(3);
    assert_eq!(events[0].read(), Err(Errno::EAGAIN), "its eventfds go with a client");
}

#[test]
fn a_message_may_come_byte_by_byte() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let message = Header::message(
        1,
        Command::RegionWrite as u16,
        Kind::Command { no_reply: false },
        &[access(0, 4, 2), vec![6, 7]].concat(),
    );
    for (at, byte) in message.iter().enumerate() {
        assert_eq!(bench.turn(), 0, "byte {at}");
        peer.socket.write_all(&[*byte]).unwrap();
    }
    assert_eq!(bench.turn(), 1);
    peer.receive();
    assert_eq!((peer.messages.len(), &bench.function.bar[4..6]), (1, &[6, 7][..]));
}

#[test]
fn a_second_client_is_turned_away_and_comes_when_the_first_has_gone() {
    let mut bench = Bench::new();
    let first = bench.client();
    let mut second = bench.connect();
    bench.turn();
    second.receive();
    assert!(second.closed);
    first.send(0, Command::RegionWrite as u16, NO_REPLY, &[access(0, 0, 1), vec![1]].concat(), &[]);
    drop(first);
    let mut third = bench.connect();
    bench.turn();
    assert_eq!((bench.function.resets, bench.function.bar[0]), (1, 1), "what it sent is handled before it is gone");
    assert!(bench.ask(&mut third, Command::Version as u16, &version(0, 0, ""), &[]).is_ok());
}

#[test]
fn a_client_that_dies_within_a_message_or_sends_none_is_gone() {
    let whole = Header::message(1, 9, Kind::Command { no_reply: false }, &access(0, 0, 4));
    let endings: [&[u8]; 5] =
        [&[], &whole[..7], &whole[..HEADER + 3], b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &[0xff; 16]];
    let mut bench = Bench::new();
    for (at, ending) in endings.into_iter().enumerate() {
        let mut peer = bench.client();
        peer.socket.write_all(ending).unwrap();
        if at < 3 {
            drop(peer);
            bench.turn();
        } else {
            bench.turn();
            peer.receive();
            assert!(peer.closed);
        }
        assert_eq!((bench.server.connected(), bench.function.resets), (false, at + 1));
    }
    let mut peer = bench.client();
    peer.send(1, Command::DmaRead as u16, Kind::Reply { error: None }, &[], &[]);
    bench.turn();
    peer.receive();
    assert!(peer.closed, "it answered what was not asked");
}

#[test]
fn who_never_agreed_on_a_version_does_not_reset_the_function() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        drop(bench.connect());
        bench.turn();
    }
    assert_eq!(bench.function.resets, 0);
}

#[test]
fn a_client_that_does_not_read_is_not_served_further() {
    let mut bench = Bench::new();
    let mut peer = bench.client();
    let read =
        Header::message(1, Command::RegionRead as u16, Kind::Command { no_reply: false }, &access(0, 0, BAR as u32));
    let mut asked = 0;
    while let Some(count) = send(peer.socket.as_fd(), &read, &[]).unwrap() {
        assert_eq!(count, read.len());
        asked += 1;
    }
    let mut handled = 0;
    loop {
        let now = bench.turn();
        if now == 0 {
            break;
        }
        handled += now;
    }
    assert!(handled < asked, "{handled} of {asked}");
    assert_eq!(bench.server.descriptors()[1].events(), PollFlags::POLLOUT);
    while peer.messages.len() < asked {
        peer.receive();
        bench.turn();
    }
    assert!(peer.messages.iter().all(|message| message.payload.len() == 16 + BAR as usize));
    assert_eq!(bench.server.descriptors()[1].events(), PollFlags::POLLIN);
}

#[test]
fn a_turn_has_an_end() {
    let mut bench = Bench::new();
    let peer = bench.client();
    for _ in 0..BUDGET + 1 {
        peer.send(0, Command::DeviceReset as u16, NO_REPLY, &[], &[]);
    }
    assert_eq!((bench.turn(), bench.turn(), bench.turn()), (BUDGET, 1, 0));
}

#[test]
fn the_sockets_path_is_looked_after() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("socket");
    let first = Server::bind(&path, info()).unwrap();
    let error = Server::bind(&path, info()).err().unwrap();
    assert_eq!(error.to_string(), format!("{}: another server listens on this socket", path.display()));
    drop(first);
    assert!(!path.exists());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "of a dead server");
    let second = Server::bind(&path, info()).unwrap();
    std::fs::remove_file(&path).unwrap();
    File::create(&path).unwrap();
    drop(second);
    assert!(path.exists(), "what is another's is left");
    assert!(matches!(Server::bind(&path, info()), Err(ServerError::NotASocket(_))));
    assert!(Server::bind(folder.path().join("none/socket"), info()).is_err());
    assert!(Server::bind(folder.path().join("x".repeat(200)), info()).is_err());
}
