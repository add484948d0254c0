// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands in memory, cut into descriptors anywhere, against the table of `docs/host.md`.

use super::*;
use crate::control_fetch::ControlFetch;
use crate::memory::Memory;
use crate::small::SMALL;
use crate::testing::{assert_lints, settle, tick};
use crate::types::{RingAnswer, RingRead, Segment};
use millrace_regs::host::control::{HASH_TYPES, OK};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PAIRS: usize = 3;

/// From the descriptors of controlqs to their acks.
#[millrace_hdl::block]
struct Way {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    segments: Snk<Segment<2>>,
    read: Src<RingRead>,
    answer: Snk<RingAnswer>,
    table_write: Signal<Out, Bit>,
    table_index: Signal<Out, Bits<TABLE_LOG2>>,
    table_entry: Signal<Out, Bits<8>>,
    steer: Signal<Out, Bit>,
    steering: Signal<Out, Steering>,
    key: Signal<Out, Bits<KEY_BITS>>,
    function: Signal<Out, Bits<8>>,
    mac: Src<MacChange>,
    write: Src<RingWrite>,
    written: Snk<Bits<8>>,
    used: Src<Used<2>>,
    fault: Src<Fault<3>>,
    done: Signal<Out, Bit>,
    idle: Signal<Out, Bit>,
    fetch: ControlFetch<2>,
    #[init(ControlUnit::new(&Config { queue_pairs: PAIRS, ..SMALL }))]
    unit: ControlUnit<2, 3>,
}

#[millrace_hdl::block]
impl Way {
    fn update(&mut self) {
        link(self.segments, self.fetch.segments);
        link(self.read, self.fetch.read);
        link(self.answer, self.fetch.answer);
        join(self.fetch.command, self.unit.command);
        self.fetch.at = self.unit.at;
        self.unit.byte = self.fetch.byte;
        self.table_write = self.unit.table_write;
        self.table_index = self.unit.table_index;
        self.table_entry = self.unit.table_entry;
        self.steer = self.unit.steer;
        self.steering = self.unit.steering;
        self.key = self.unit.key;
        self.function = self.unit.function;
        link(self.mac, self.unit.mac);
        link(self.write, self.unit.write);
        link(self.written, self.unit.written);
        link(self.used, self.unit.used);
        link(self.fault, self.unit.fault);
        self.done = self.unit.done;
        self.idle = self.fetch.idle & self.unit.idle;
    }
}

/// What steers the frames of a function.
#[derive(Clone, Debug, PartialEq)]
struct Steers {
    types: u32,
    mask: usize,
    unclassified: u16,
    table: Vec<u16>,
    key: [u8; KEY_BYTES],
}

/// What a command brings about.
#[derive(Clone, Debug, PartialEq)]
enum Effect {
    Nothing,
    Mac([u8; 6]),
    Steers(Steers),
}

/// As the page says it; none: ERR.
fn done(command: &[u8]) -> Option<Effect> {
    let (header, data) = (command.get(..2)?, command.get(2..).filter(|data| data.len() <= 510)?);
    let u16_at = |at: usize| Some(u16::from_le_bytes(data.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?));
    let pairs = PAIRS as u16;
    let (fits, effect) = match Kind::of(header[0], header[1])? {
        Kind::Promisc | Kind::AllMulti => (*data.first()? < 2, Effect::Nothing),
        Kind::TableSet => {
            let second = 4 + 6 * u32_at(0)? as usize;
            (data.len() >= second + 4 + 6 * u32_at(second)? as usize, Effect::Nothing)
        }
        Kind::AddrSet => {
            let mac: [u8; 6] = *data.first_chunk()?;
            (mac[0] & 1 == 0, Effect::Mac(mac))
        }
        Kind::VlanAdd | Kind::VlanDel => (u16_at(0)? < 4096, Effect::Nothing),
        Kind::VqPairsSet => {
            let n = u16_at(0).filter(|n| (1..=pairs).contains(n))?;
            let table = (0..128).map(|i| i % n).collect();
            (true, Effect::Steers(Steers { types: 0x3f, mask: 127, unclassified: 0, table, key: DEFAULT_KEY }))
        }
        Kind::RssConfig => {
            let (types, mask, unclassified) = (u32_at(0)?, usize::from(u16_at(4)?), u16_at(6)?);
            let table: Vec<u16> = (0..=mask).map_while(|i| u16_at(8 + 2 * i)).collect();
            let end = 8 + 2 * (mask + 1);
            let (transmit, length) = (u16_at(end)?, usize::from(*data.get(end + 2)?));
            let given = data.get(end + 3..end + 3 + length).filter(|_| length <= KEY_BYTES)?;
            let mut key = [0; KEY_BYTES];
            key[..length].copy_from_slice(given);
            let numbers = table.iter().chain([&unclassified]).all(|n| *n < pairs) && (1..=pairs).contains(&transmit);
            let fits = types & !HASH_TYPES == 0 && (mask + 1).is_power_of_two() && mask < 128 && numbers;
            (fits, Effect::Steers(Steers { types, mask, unclassified, table, key }))
        }
    };
    fits.then_some(effect)
}

/// A command that is valid or nearly so.
fn command(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let kind = *Kind::ALL.choose(rng).expect("some");
    let mut bytes = vec![kind.class(), kind.command()];
    match kind {
        Kind::Promisc | Kind::AllMulti => bytes.push(*[0, 1, 1, 2, 0x80].choose(rng).expect("some")),
        Kind::TableSet => {
            for _ in 0..2 {
                let addresses = *[0, 1, 2, 40, 43].choose(rng).expect("some");
                bytes.extend((addresses as u32).to_le_bytes());
                bytes.extend((0..6 * addresses).map(|_| rng.random::<u8>()));
            }
        }
        Kind::AddrSet => bytes.extend(rng.random::<[u8; 6]>()),
        Kind::VlanAdd | Kind::VlanDel => bytes.extend(rng.random_range(0..8192u16).to_le_bytes()),
        Kind::VqPairsSet => bytes.extend(rng.random_range(0..6u16).to_le_bytes()),
        Kind::RssConfig => {
            let types = if rng.random_ratio(1, 8) { 1 << rng.random_range(0..32) } else { rng.random_range(0..64u32) };
            let entries: u16 = *[1, 2, 4, 32, 128, 128, 256, 3].choose(rng).expect("some");
            let most = if rng.random_ratio(1, 8) { 4 } else { 3 };
            bytes.extend(types.to_le_bytes());
            bytes.extend((entries - 1).to_le_bytes());
            let fields = (0..=entries).map(|_| rng.random_range(0..most)).collect::<Vec<u16>>();
            bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
            bytes.extend(rng.random_range(if most == 4 { 0 } else { 1 }..=3u16).to_le_bytes());
            let length: u8 = *[40, 40, 40, 0, 16, 41].choose(rng).expect("some");
            bytes.push(length);
            bytes.extend((0..length).map(|_| rng.random::<u8>()));
        }
    }
    match rng.random_range(0..16) {
        0 | 3 => {
            // Padding; with 600 bytes of it nothing is valid.
            let padding = *[1, 1, 2, 50, 600].choose(rng).expect("some");
            bytes.extend((0..padding).map(|_| rng.random::<u8>()));
        }
        1 => bytes.truncate(rng.random_range(1..bytes.len())),
        2 => {
            let at = rng.random_range(0..bytes.len().min(8));
            bytes[at] = rng.random();
        }
        _ => {}
    }
    bytes
}

struct Bench {
    dut: Box<Way>,
    memory: Memory,
    rng: ChaCha8Rng,
    segments: Vec<Segment<2>>,
    /// Whether a write is to be answered; with what.
    unanswered: bool,
    write_error: u64,
    table: Vec<u16>,
    effects: Vec<Effect>,
    /// Address, byte.
    acks: Vec<(u64, u8)>,
    /// Pair, head, length, reset.
    used: Vec<(u64, u64, u64, bool)>,
    faults: Vec<(u64, u64)>,
    done: usize,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let mut dut = Box::<Way>::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut *dut, |d| &mut d.clock);
        dut.reset.next = false;
        Self {
            dut,
            memory: Memory::new(0x2000),
            rng: ChaCha8Rng::seed_from_u64(seed),
            segments: vec![],
            unanswered: false,
            write_error: 0,
            table: vec![0; 128],
            effects: vec![],
            acks: vec![],
            used: vec![],
            faults: vec![],
            done: 0,
        }
    }

    /// A chain of pair 2 in function 5 with the command in up to seven descriptors, and the place of its ack.
    fn chain(&mut self, bytes: &[u8], head: u64) -> u64 {
        let cuts: Vec<usize> = (0..self.rng.random_range(0..7)).map(|_| self.rng.random_range(1..600)).collect();
        self.chain_cut(bytes, head, &cuts)
    }

    /// The same, cut at these places.
    fn chain_cut(&mut self, bytes: &[u8], head: u64, cuts: &[usize]) -> u64 {
        let mut cuts: Vec<usize> = cuts.iter().copied().filter(|cut| *cut < bytes.len()).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut parts = vec![];
        for (i, cut) in cuts.windows(2).enumerate() {
            let at = 0x400 * i + self.rng.random_range(0..0x180);
            self.memory.bytes[at..][..cut[1] - cut[0]].copy_from_slice(&bytes[cut[0]..cut[1]]);
            parts.push((at as u64, cut[1] - cut[0], false));
        }
        let ack = 0x1e00 + self.rng.random_range(0..0x100);
        parts.push((ack, self.rng.random_range(1..9), true));
        let last = parts.len() - 1;
        for (i, (address, length, write)) in parts.into_iter().enumerate() {
            self.segments.push(Segment {
                pair: 2u64.into(),
                function: 5u64.into(),
                address: address.into(),
                length: (length as u64).into(),
                head: head.into(),
                first: i == 0,
                last: i == last,
                write,
                ..Default::default()
            });
        }
        ack
    }

    fn clock(&mut self) {
        let dut = &mut *self.dut;
        dut.segments.valid.next = !self.segments.is_empty();
        dut.segments.data.next = self.segments.first().copied().unwrap_or_default();
        dut.mac.ready.next = self.rng.random();
        dut.write.ready.next = !self.unanswered && self.rng.random();
        dut.written.valid.next = self.unanswered && self.rng.random();
        dut.written.data.next = self.write_error.into();
        dut.used.ready.next = self.rng.random();
        dut.fault.ready.next = self.rng.random();
        settle(dut);
        let asked = (dut.read.valid.val(), dut.read.data.val());
        let answer = (&mut dut.answer.valid, &mut dut.answer.data);
        self.memory.drive(asked, &mut dut.read.ready, answer, &mut self.rng);
        settle(dut);
        self.memory.taken();
        if dut.segments.valid.val() && dut.segments.ready.val() {
            self.segments.remove(0);
        }
        if dut.table_write.val() {
            assert_eq!(dut.function.val().to_u64(), 5);
            self.table[dut.table_index.val().to_u64() as usize] = dut.table_entry.val().to_u64() as u16;
        }
        if dut.steer.val() {
            let (steering, mut key) = (dut.steering.val(), dut.key.val());
            let mut bytes = [0; KEY_BYTES];
            for byte in bytes.iter_mut().rev() {
                *byte = key.get_bits::<8>(0).to_u64() as u8;
                key = key >> 8u64;
            }
            let mask = steering.mask.to_u64() as usize;
            self.effects.push(Effect::Steers(Steers {
                types: steering.types.to_u64() as u32,
                mask,
                unclassified: steering.unclassified.to_u64() as u16,
                table: self.table[..=mask].to_vec(),
                key: bytes,
            }));
        }
        if dut.mac.valid.val() && dut.mac.ready.val() {
            let change = dut.mac.data.val();
            assert_eq!(change.function.to_u64(), 5);
            self.effects.push(Effect::Mac(std::array::from_fn(|i| (change.mac.to_u64() >> (8 * i)) as u8)));
        }
        if dut.written.valid.val() && dut.written.ready.val() {
            self.unanswered = false;
        }
        if dut.write.valid.val() && dut.write.ready.val() {
            let write = dut.write.data.val();
            let address = write.address.to_u64();
            assert_eq!(write.strobe.to_u64(), 1 << (address % 64));
            let byte = (write.data >> (8 * (address % 64))).get_bits::<8>(0).to_u64();
            self.acks.push((address, byte as u8));
            self.unanswered = true;
        }
        if dut.used.valid.val() && dut.used.ready.val() {
            assert!(!self.unanswered, "before its ack is visible");
            let used = dut.used.data.val();
            let numbers = (used.pair.to_u64(), used.head.to_u64(), used.length.to_u64(), used.reset);
            self.used.push(numbers);
        }
        if dut.fault.valid.val() && dut.fault.ready.val() {
            let fault = dut.fault.data.val();
            self.faults.push((fault.vq.to_u64(), fault.reason.to_u64()));
        }
        self.done += usize::from(dut.done.val());
        tick(dut, |d| &mut d.clock);
    }

    fn run(&mut self) {
        for _ in 0..20_000 {
            self.clock();
            if self.segments.is_empty() && self.dut.idle.val() {
                return;
            }
        }
        panic!("a command is not answered");
    }
}

#[test]
fn every_command_is_answered_and_does_what_the_page_says() {
    let (mut accepted, mut refused) = ([0; 3], 0);
    let mut bench = Bench::new(1);
    for head in 0..250 {
        let bytes = command(&mut bench.rng);
        let ack = bench.chain(&bytes, head);
        bench.run();
        let due = done(&bytes);
        let answer = if due.is_some() { OK } else { ERR };
        assert_eq!(std::mem::take(&mut bench.acks), [(ack, answer)], "{bytes:?}");
        let effects = due.iter().filter(|effect| **effect != Effect::Nothing).cloned().collect::<Vec<_>>();
        assert_eq!(std::mem::take(&mut bench.effects), effects, "{bytes:?}");
        assert_eq!(std::mem::take(&mut bench.used), [(2, head, 1, false)]);
        assert_eq!(std::mem::take(&mut bench.done), 1);
        match due {
            Some(Effect::Nothing) => accepted[0] += 1,
            Some(Effect::Mac(_)) => accepted[1] += 1,
            Some(Effect::Steers(_)) => accepted[2] += 1,
            None => refused += 1,
        }
    }
    assert!(accepted.iter().all(|n| *n > 5) && refused > 50 && bench.faults.is_empty(), "{accepted:?} {refused}");
}

#[test]
fn rss_config_of_linux_is_accepted_with_its_padding() {
    let mut bench = Bench::new(4);
    let table: Vec<u16> = (0..TABLE_ENTRIES as u16).map(|entry| entry % PAIRS as u16).collect();
    let steers = Steers { types: HASH_TYPES, mask: 127, unclassified: 0, table, key: DEFAULT_KEY };
    let mut bytes = vec![Kind::RssConfig.class(), Kind::RssConfig.command(), 0x3f, 0, 0, 0, 127, 0, 0, 0];
    bytes.extend(steers.table.iter().flat_map(|entry| entry.to_le_bytes()));
    bytes.extend([PAIRS as u8, 0, KEY_BYTES as u8]);
    bytes.extend(DEFAULT_KEY);
    // Header, table and what is behind it, with the size of a structure whose alignment is 2; before 6.15 without.
    for (cuts, padding) in [(&[2, 266][..], &[0xa5][..]), (&[2, 10, 266, 269], &[])] {
        let ack = bench.chain_cut(&[&bytes, padding].concat(), 0, cuts);
        bench.run();
        assert_eq!(bench.acks.pop(), Some((ack, OK)), "cut at {cuts:?}");
        assert_eq!(bench.effects.pop(), Some(Effect::Steers(steers.clone())));
    }
}

#[test]
fn what_is_longer_than_a_command_may_be_is_not_read() {
    let mut bench = Bench::new(2);
    for length in [511, 512, 513, 600, 3000] {
        let before = bench.memory.reads;
        bench.segments = vec![
            Segment { length: (length as u64).into(), first: true, ..Default::default() },
            Segment { address: 0x1e00u64.into(), length: 1u64.into(), last: true, write: true, ..Default::default() },
        ];
        bench.run();
        assert!(bench.memory.reads - before <= 9, "{length}");
        // Zeros: PROMISC, off, and padding.
        assert_eq!(bench.acks.pop(), Some((0x1e00, if length <= 512 { OK } else { ERR })));
    }
}

#[test]
fn what_cannot_be_read_or_answered_is_a_fault_and_a_reset_ends_it() {
    let mut bench = Bench::new(3);
    let bytes = [1, 1, 2, 3, 4, 5, 6, 7];
    bench.chain(&bytes, 1);
    bench.segments[0].address = 0x10_0000u64.into();
    bench.run();
    assert_eq!((bench.faults.clone(), bench.used.len(), bench.done), (vec![(5, 11)], 0, 0));
    bench.write_error = 10;
    bench.chain(&bytes, 2);
    bench.run();
    assert_eq!((bench.faults.clone(), bench.used.len(), bench.done), (vec![(5, 11), (5, 10)], 0, 0));
    bench.write_error = 0;
    let end = Segment { pair: 2u64.into(), last: true, ..Default::default() };
    bench.segments.push(Segment { abort: true, ..end });
    bench.segments.push(Segment { reset: true, ..end });
    bench.run();
    let used = bench.used.iter().map(|used| (used.0, used.3)).collect::<Vec<_>>();
    assert_eq!((used, bench.done), (vec![(2, true)], 2));
}

#[test]
fn control_blocks_lint() {
    assert_lints(ControlFetch::<3>::default());
    assert_lints(ControlUnit::<3, 4>::new(&SMALL));
    assert_lints(crate::control_gate::ControlGate::<5, 3>::new(&[2, 4]));
}
