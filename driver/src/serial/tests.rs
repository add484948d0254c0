// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver against the other side of the channel as `docs/board.md` has it, over a line that damages what passes.

use super::*;
use millrace_regs::host_channel::{REASON, RESPONSE, header_words};
use millrace_regs::slip::{Decoder, encode};
use millrace_regs::{UpcallReason, addr};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Write};

/// Longer than the card ever takes, as it answers at once: a test waits for it only when an answer was lost.
const PATIENCE: Duration = Duration::from_millis(2);

/// A card: registers that hold what is written, of which those from 0x7000 to 0x7fff are refused.
struct Card {
    decoder: Decoder,
    to_host: VecDeque<u8>,
    registers: HashMap<u32, u32>,
    /// Writes as they were carried out.
    writes: Vec<(u32, u32)>,
    packets_out: Vec<(u8, Vec<u8>)>,
    /// Answers nothing.
    dead: bool,
    rng: ChaCha8Rng,
    /// Of the bytes, each way.
    damaged: f64,
    /// Bytes that the line takes before the next wait.
    room: usize,
    gone: bool,
}

impl Card {
    fn new(seed: u64, damaged: f64) -> Self {
        println!("seed {seed}");
        Self {
            decoder: Decoder::new(10_000),
            to_host: VecDeque::new(),
            registers: HashMap::from([
                (addr::ID, 0x4d49_4c4c),
                (HOST_DROPPED, 3),
                (port_lost(0), 4),
                (port_lost(1), 5),
            ]),
            writes: vec![],
            packets_out: vec![],
            dead: false,
            rng: ChaCha8Rng::seed_from_u64(seed),
            damaged,
            room: usize::MAX,
            gone: false,
        }
    }

    /// A byte on the line: lost, changed, twice, or as it is.
    fn pass(&mut self, byte: u8) -> Vec<u8> {
        if !self.rng.random_bool(self.damaged) {
            return vec![byte];
        }
        match self.rng.random_range(0..3) {
            0 => vec![],
            1 => vec![byte ^ 1 << self.rng.random_range(0..8)],
            _ => vec![byte, byte],
        }
    }

    fn send(&mut self, header: [u8; 8], frame: &[u8]) {
        let mut line = vec![];
        encode(&[&header, frame], &mut line);
        for byte in line {
            let passed = self.pass(byte);
            self.to_host.extend(passed);
        }
    }

    fn upcall(&mut self, vport: u8, frame: &[u8]) {
        let fields = [(VPORT, vport.into()), (REASON, UpcallReason::Punt as u32)];
        self.send(header_bytes(MessageKind::SlowPath, &fields), frame);
    }

    fn receive(&mut self, message: &[u8]) {
        let (header, frame) = message.split_first_chunk().expect("the driver sends whole headers");
        let words = header_words(*header);
        let of = |field: millrace_regs::Field| field.get(&words) as u32;
        match MessageKind::from_number(of(millrace_regs::host_channel::KIND)) {
            Some(MessageKind::SlowPath) => self.packets_out.push((of(VPORT) as u8, frame.into())),
            Some(MessageKind::Frame) => self.send(*header, frame),
            Some(MessageKind::Register) if !self.dead => self.access(of(WRITE) == 1, of(ADDRESS), of(DATA)),
            _ => (),
        }
    }

    fn access(&mut self, write: bool, address: u32, data: u32) {
        let there = match address {
            0x7000..0x8000 => false,
            0x8000.. => !write && self.registers.contains_key(&address),
            _ => true,
        };
        let mut answer = 0;
        if there && write {
            self.registers.insert(address, data);
            self.writes.push((address, data));
        } else if there {
            answer = self.registers.get(&address).copied().unwrap_or(0);
        }
        let response = if there { 0 } else { 2 };
        let fields = [(RESPONSE, response), (ADDRESS, address), (DATA, answer)];
        self.send(header_bytes(MessageKind::Register, &fields), &[]);
    }
}

impl Read for Card {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.gone {
            return Ok(0);
        }
        let count = self.to_host.len().min(buffer.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.to_host.drain(..count).zip(buffer).for_each(|(byte, place)| *place = byte);
        Ok(count)
    }
}

impl Write for Card {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room);
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.room -= count;
        for byte in &bytes[..count] {
            for byte in self.pass(*byte) {
                if let Some(Ok(message)) = self.decoder.push(byte) {
                    self.receive(&message);
                }
            }
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Line for Card {
    fn wait(&mut self, _room: bool, _longest: Duration) -> io::Result<()> {
        Ok(())
    }
}

fn serial(card: Card) -> Serial<Card> {
    Serial::new(card, PATIENCE).unwrap()
}

impl Serial<Card> {
    fn card(&mut self) -> &mut Card {
        &mut self.channel.line
    }
}

#[test]
fn registers_are_read_and_written_and_refusals_are_told() {
    let mut serial = serial(Card::new(0, 0.0));
    assert_eq!(serial.read32(addr::ID).unwrap(), 0x4d49_4c4c);
    serial.write32(addr::SCRATCH, 0xc0db_dcdd).unwrap();
    assert_eq!(serial.read32(addr::SCRATCH).unwrap(), 0xc0db_dcdd);
    let error = |result: Result<u32, DeviceError>| result.unwrap_err().to_string();
    assert_eq!(error(serial.read32(0x7004)), "the device refused a read of the register at 0x7004");
    let written = serial.write32(0x1_0000, 1).map(|()| 0);
    assert_eq!(error(written), "the device refused a write of the register at 0x10000");
    // A refusal in the middle of a batch leaves nothing behind.
    let batch = [0x10, 0x7000, 0x14].map(|address| Access::Write { address, value: 9 });
    assert!(matches!(serial.batch(&batch), Err(DeviceError::Refused { access: "write", address: 0x7000 })));
    assert_eq!(serial.read32(0x14).unwrap(), 9);
    assert_eq!(serial.losses().unwrap(), Losses { host_dropped: 3, ports: vec![4, 5] });
    assert_eq!(serial.stats(), LineStats::default());
}

#[test]
fn a_long_batch_is_carried_out_in_order_with_no_more_under_way_than_the_card_holds() {
    let mut serial = serial(Card::new(0, 0.0));
    let writes: Vec<_> = (0..100).map(|i| (4 * (i % 7), i)).collect();
    let batch: Vec<_> = writes.iter().map(|&(address, value)| Access::Write { address, value }).collect();
    assert!(serial.batch(&batch).unwrap().is_empty());
    assert_eq!(serial.card().writes, writes);
    let reads: Vec<_> = (0..7).map(|i| Access::Read { address: 4 * i }).collect();
    assert_eq!(serial.batch(&reads).unwrap(), [98, 99, 93, 94, 95, 96, 97]);
}

#[test]
fn frames_go_both_ways_in_order_and_wait_while_the_line_is_full() {
    let mut serial = serial(Card::new(0, 0.0));
    serial.card().upcall(3, &[0xc0; 60]);
    serial.card().upcall(2, &[0xdb; 2000]);
    assert_eq!(serial.send_frame(2, &[5; 70]).unwrap(), Sent::Accepted);
    let upcalls: Vec<Upcall> = std::iter::from_fn(|| serial.recv_upcall()).collect();
    let what: Vec<_> = upcalls.iter().map(|upcall| (upcall.vport, upcall.reason, &upcall.frame[..])).collect();
    assert_eq!(what, [(3, UpcallReason::Punt, &[0xc0; 60][..]), (2, UpcallReason::Punt, &[0xdb; 2000][..])]);
    assert!(upcalls.is_sorted_by_key(|upcall| upcall.at) && upcalls[1].at <= serial.now());
    assert_eq!((serial.recv_upcall(), serial.recv_frame()), (None, Some((2, vec![5; 70]))));

    serial.card().room = 0;
    let mut sent = vec![];
    loop {
        let frame = vec![sent.len() as u8; 500];
        match serial.send_packet_out(1, &frame).unwrap() {
            Sent::Accepted => sent.push((1, frame)),
            Sent::Full => break,
        }
        assert!(sent.len() < 100, "the line takes nothing");
    }
    assert_eq!(serial.card().packets_out, []);
    serial.card().room = usize::MAX;
    serial.poll().unwrap();
    assert_eq!(serial.card().packets_out, sent);
}

#[test]
fn a_damaged_line_loses_frames_but_changes_nothing_and_every_access_has_its_effect() {
    for seed in 0..20 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut serial = serial(Card::new(seed, 0.002));
        let (mut held, mut sent, mut upcalls, mut out) = (HashMap::new(), vec![], vec![], vec![]);
        for n in 0..200u32 {
            let frame: Vec<u8> = (0..rng.random_range(14..200)).map(|_| rng.random()).collect();
            match rng.random_range(0..4) {
                0 => {
                    let batch: Vec<_> = (0..rng.random_range(1..30))
                        .map(|_| Access::Write { address: 4 * rng.random_range(1..40), value: rng.random() })
                        .collect();
                    serial.batch(&batch).unwrap();
                    for access in batch {
                        let Access::Write { address, value } = access else { unreachable!() };
                        held.insert(address, value);
                    }
                }
                1 => {
                    let addresses: Vec<u32> =
                        (0..rng.random_range(1..30)).map(|_| 4 * rng.random_range(1..40)).collect();
                    let batch: Vec<_> = addresses.iter().map(|&address| Access::Read { address }).collect();
                    let right: Vec<u32> = addresses.iter().map(|a| held.get(a).copied().unwrap_or(0)).collect();
                    assert_eq!(serial.batch(&batch).unwrap(), right);
                }
                2 => {
                    serial.card().upcall(n as u8, &frame);
                    sent.push((n as u8, frame));
                }
                _ => {
                    assert_eq!(serial.send_packet_out(n as u8, &frame).unwrap(), Sent::Accepted);
                    out.push((n as u8, frame));
                }
            }
            while let Some(upcall) = serial.recv_upcall() {
                upcalls.push((upcall.vport, upcall.frame));
            }
        }
        let arrived = serial.card().packets_out.clone();
        for (sent, got) in [(&sent, &upcalls), (&out, &arrived)] {
            let mut sent = sent.iter();
            assert!(got.iter().all(|frame| sent.any(|other| other == frame)), "a frame that was not sent");
            assert!(!got.is_empty());
        }
        let stats = serial.stats();
        assert!(stats.damaged > 0 && stats.repeated > 0 && stats.unknown == 0, "{stats:?}");
        assert_eq!(stats.upcalls, upcalls.len() as u64);
    }
}

#[test]
fn an_answer_that_comes_too_late_is_not_taken_for_another() {
    let mut serial = serial(Card::new(0, 0.0));
    serial.write32(addr::SCRATCH, 1).unwrap();
    // It answers, but the line brings nothing: until the next question the answer is somewhere.
    serial.ask(Access::Read { address: addr::SCRATCH });
    serial.in_step = false;
    serial.write32(addr::SCRATCH, 2).unwrap();
    assert_eq!(serial.read32(addr::SCRATCH).unwrap(), 2);
    assert_eq!(serial.stats().stray, 1);
}

#[test]
fn a_card_that_is_dead_or_gone_is_an_error() {
    let mut dead = Card::new(0, 0.0);
    dead.dead = true;
    let error = Serial::new(dead, PATIENCE).err().unwrap().to_string();
    assert!(error.contains("no answer, asked 5 times for 2 ms each"), "{error}");

    let mut serial = serial(Card::new(0, 0.0));
    serial.card().dead = true;
    assert!(serial.read32(addr::ID).is_err());
    serial.card().dead = false;
    assert_eq!(serial.read32(addr::ID).unwrap(), 0x4d49_4c4c, "it came back");

    serial.card().gone = true;
    assert_eq!(serial.recv_upcall(), None);
    let error = serial.poll().unwrap_err().to_string();
    assert!(error.contains("the other side of the line is gone"), "{error}");
}
