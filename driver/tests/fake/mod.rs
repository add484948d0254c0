// SPDX-License-Identifier: MIT OR Apache-2.0
//! The device's tables at the level of registers, written from `docs/hardware.md` and not from the driver: the rule manager
//! is tested against it because it can look into every table after every write, which hardware cannot.
//!
//! A command takes effect only as `STATUS` is read until it says so. Each time the tables change, every watched packet is
//! looked up and must be handled as the test says; some of them stay in flight, and must still find their program, and
//! their counter, when they leave.

use millrace_driver::{Device, DeviceError, Sent, Upcall};
use millrace_regs::config::Config;
use millrace_regs::{Command, Key, Mask, Step, addr, hash};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{HashMap, VecDeque};

/// Device time of a register access.
pub const ACCESS_NS: u64 = 1_000;
/// How long packets stay in flight.
const FLIGHT_NS: u64 = 900_000;
/// `STATUS` reads that a command takes.
const BUSY_READS: u32 = 2;

type Words = [u32; Key::WORDS];
type StepWords = [u32; Step::WORDS];

#[derive(Clone)]
struct Entry {
    value: Words,
    mask: Words,
    priority: u16,
    rule: u16,
}

struct Table {
    mask: Words,
    seed: u32,
    enabled: bool,
    slots: Vec<Option<Entry>>,
}

/// How a packet may be handled: for each rule that may (or may have been) its winner, a token and the program. An empty
/// program stands for a miss.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    pub packet: Key,
    pub allowed: Vec<(u64, Vec<Step>)>,
}

struct Flight {
    since: u64,
    outcome: Outcome,
}

/// What a packet in flight becomes.
enum Outcome {
    Hit { rule: u16, first: StepWords, program: Vec<Step>, token: u64 },
    Miss(Upcall),
}

pub struct Fake {
    pub config: Config,
    data: [u32; 64],
    index: u32,
    scratch: u32,
    owner: u32,
    generation: u32,
    written: bool,
    events: u32,
    epoch: u32,
    result: [u32; 6],
    pending: Option<(u32, u32)>,
    tables: Vec<Table>,
    tcam: Vec<Option<Entry>>,
    actions: Vec<StepWords>,
    steps: Vec<StepWords>,
    counters: Vec<(u64, u64, u32)>,
    flights: VecDeque<Flight>,
    upcalls: VecDeque<Upcall>,
    matched: u32,
    now: u64,
    rng: ChaCha8Rng,
    /// Packets that enter whenever the tables have changed.
    pub watches: Vec<Watch>,
    /// Packets that left, by token.
    pub seen: HashMap<u64, u64>,
    /// What `VERSION` reads.
    pub version: u32,
    /// Words of its keys and steps. What is behind the driver's must be zero.
    pub key_words: usize,
    pub step_words: usize,
    /// Write accesses until one fails.
    pub fail_in: Option<u32>,
    /// Writes of registers so far.
    pub writes: u64,
    /// Accesses until whoever makes them is killed: then none has an effect, until [`revive`](Fake::revive).
    pub dies_in: Option<u32>,
    /// Whether some packets stay in flight.
    pub traffic: bool,
    /// Whether packets in flight stay there, as behind a full queue.
    pub blocked: bool,
}

fn masked(key: &Words, mask: &Words) -> Words {
    std::array::from_fn(|i| key[i] & mask[i])
}

/// The driver's words of a key or a step. What the device has behind them must be zero.
fn words_of<const N: usize>(words: &[u32]) -> [u32; N] {
    let behind = words.get(N..).unwrap_or_default();
    assert!(behind.iter().all(|word| *word == 0), "words that the driver does not know: {behind:x?}");
    std::array::from_fn(|i| words.get(i).copied().unwrap_or(0))
}

/// Bytes that each packet in flight counts.
pub const PACKET_BYTES: u64 = 100;

impl Fake {
    pub fn new(config: Config) -> Self {
        let table =
            || Table { mask: Words::default(), seed: 0, enabled: false, slots: vec![None; 4 << config.slots_log2] };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        // As if they had not been cleared: nothing may depend on it.
        let mut noise = |n: usize| (0..n).map(|_| std::array::from_fn(|_| rng.random())).collect::<Vec<StepWords>>();
        let (actions, steps) = (noise(config.rule_ids()), noise(config.steps()));
        Self {
            data: [0; 64],
            index: 0,
            scratch: 0,
            owner: 0,
            generation: 0,
            written: false,
            version: 0x0002_0000,
            key_words: config.lengths().key,
            step_words: config.lengths().step,
            events: 0,
            epoch: 1,
            result: [0; 6],
            // The sweep after reset.
            pending: Some((Command::ClearTables.word(0), BUSY_READS)),
            tables: (0..config.hash_tables).map(|_| table()).collect(),
            tcam: vec![None; config.tcam_entries],
            actions,
            steps,
            counters: vec![(0, 0, 0); config.rule_ids()],
            flights: VecDeque::new(),
            upcalls: VecDeque::new(),
            // Close to the end of its range.
            matched: 0xffff_ff80,
            now: 0,
            rng,
            watches: Vec::new(),
            seen: HashMap::new(),
            fail_in: None,
            writes: 0,
            dies_in: None,
            traffic: true,
            blocked: false,
            config,
        }
    }

    /// Whether whoever makes accesses was killed.
    pub fn dead(&self) -> bool {
        self.dies_in == Some(0)
    }

    /// Another makes accesses.
    pub fn revive(&mut self) {
        self.dies_in = None;
    }

    /// Entries of all tables that are valid.
    pub fn entries(&self) -> usize {
        let slots = self.tables.iter().flat_map(|table| &table.slots);
        slots.chain(&self.tcam).flatten().count()
    }

    /// Packets that were matched and have not left.
    pub fn in_flight(&self) -> usize {
        self.flights.len()
    }

    /// Packets are in flight, or wait as upcalls.
    pub fn busy(&self) -> bool {
        !self.flights.is_empty() || !self.upcalls.is_empty()
    }

    /// Lets all packets leave, and time pass.
    pub fn wait(&mut self, ns: u64) {
        self.land(u64::MAX);
        self.now += ns;
    }

    /// Lets time pass; packets leave as theirs comes.
    pub fn pass(&mut self, ns: u64) {
        self.now += ns;
        self.land(self.now.saturating_sub(FLIGHT_NS));
    }

    /// A packet enters: it will count for the rule that it hits, whose number this gives, or become this upcall.
    pub fn enter(&mut self, packet: &Key, upcall: Upcall) -> Option<u16> {
        let hit = self.lookup(packet);
        let outcome = match hit {
            Some(rule) => self.hit(rule, 0),
            None => Outcome::Miss(upcall),
        };
        self.fly(outcome);
        hit
    }

    fn hit(&self, rule: u16, token: u64) -> Outcome {
        let first = self.actions[usize::from(rule)];
        Outcome::Hit { rule, first, program: self.program(&first), token }
    }

    fn fly(&mut self, outcome: Outcome) {
        self.matched = self.matched.wrapping_add(1);
        self.flights.push_back(Flight { since: self.now, outcome });
    }

    /// The rule that a packet hits: hash tables, TCAM, priorities as in "Match".
    pub fn lookup(&self, packet: &Key) -> Option<u16> {
        let key = packet.pack();
        let tcam = self.tcam.iter().flatten().filter(|e| masked(&key, &e.mask) == masked(&e.value, &e.mask));
        let tables = self.tables.iter().filter(|table| table.enabled).filter_map(|table| {
            let key = masked(&key, &table.mask);
            let slots = hash::slots(&key, table.seed, self.config.slots_log2 as u32);
            let entry = |way: usize| table.slots[way << self.config.slots_log2 | slots[way] as usize].as_ref();
            (0..4).filter_map(entry).find(|entry| entry.value == key)
        });
        // The first of the highest: the TCAM's lowest entry, then the lowest table's.
        let mut best: Option<&Entry> = None;
        for entry in tcam.chain(tables) {
            if best.is_none_or(|best| entry.priority > best.priority) {
                best = Some(entry);
            }
        }
        best.map(|entry| entry.rule)
    }

    /// What the rule that a packet hits does with it.
    pub fn handles(&self, packet: &Key) -> Option<Vec<Step>> {
        self.lookup(packet).map(|rule| self.program(&self.actions[usize::from(rule)]))
    }

    fn program(&self, first: &StepWords) -> Vec<Step> {
        let mut step = Step::unpack(first);
        let mut program = vec![Step { more: false, next: 0, ..step }];
        while step.more {
            assert!(program.len() <= self.steps.len(), "a program runs in a circle");
            step = Step::unpack(&self.steps[step.next as usize]);
            program.push(Step { more: false, next: 0, ..step });
        }
        program
    }

    /// Looks up every watched packet.
    pub fn check(&mut self) {
        for watch in std::mem::take(&mut self.watches) {
            let hit = self.lookup(&watch.packet);
            let program = hit.map_or(vec![], |rule| self.program(&self.actions[usize::from(rule)]));
            let Some(&(token, _)) = watch.allowed.iter().find(|(_, allowed)| *allowed == program) else {
                panic!("rule {hit:?} handles a packet by {program:?}\ninstead of {watch:?}");
            };
            if let Some(rule) = hit
                && self.traffic
                && self.rng.random_ratio(1, 8)
            {
                self.fly(self.hit(rule, token));
            }
            self.watches.push(watch);
        }
    }

    /// Packets that entered before `until` leave.
    fn land(&mut self, until: u64) {
        while let Some(Flight { since, outcome }) = self.flights.pop_front_if(|flight| flight.since <= until) {
            match outcome {
                Outcome::Miss(upcall) => {
                    let at = self.now.min(since + FLIGHT_NS);
                    self.upcalls.push_back(Upcall { at, ..upcall });
                }
                Outcome::Hit { rule, first, program, token } => {
                    assert_eq!(self.program(&first), program, "the program of a packet in flight was overwritten");
                    let counter = &mut self.counters[usize::from(rule)];
                    *counter = (counter.0 + 1, counter.1 + PACKET_BYTES, self.epoch);
                    *self.seen.entry(token).or_default() += 1;
                }
            }
        }
    }

    /// Counts an access of one that is alive.
    fn live(&mut self) -> Result<(), DeviceError> {
        if let Some(left) = &mut self.dies_in {
            *left = left.saturating_sub(1);
        }
        if self.dead() { Err(DeviceError::Backend("the process is no more".into())) } else { Ok(()) }
    }

    fn access(&mut self) {
        self.now += ACCESS_NS;
        if !self.blocked {
            self.land(self.now.saturating_sub(FLIGHT_NS));
        }
    }

    fn execute(&mut self, command: u32) {
        let (table, index) = (((command >> 8) & 0xff) as usize, self.index as usize);
        let data = self.data;
        let (key, mask) = data[2..][..2 * self.key_words].split_at(self.key_words);
        let step = &data[..self.step_words];
        let (valid, priority, rule) = (data[0] & 1 != 0, (data[0] >> 16) as u16, data[1]);
        let there = !valid || (rule as usize) < self.config.rule_ids();
        let follows = data[4] >> 15 & 1 == 0 || (data[5] as usize) < self.steps.len();
        let done = match Command::from_op(command & 0xf) {
            Some(Command::WriteEntry | Command::WriteTcam) if !there => false,
            Some(Command::WriteAction | Command::WriteStep) if !follows => false,
            Some(Command::WriteEntry) => match self.tables.get_mut(table) {
                Some(table) if index < table.slots.len() => {
                    // Of an entry that is not valid the key does not count.
                    let words = if valid { words_of(key) } else { Words::default() };
                    let rule = rule as u16;
                    assert!(!valid || masked(&words, &table.mask) == words, "a slot's key is not masked");
                    table.slots[index] = valid.then_some(Entry { value: words, mask: table.mask, priority, rule });
                    true
                }
                _ => false,
            },
            Some(Command::WriteMask) => match self.tables.get_mut(table) {
                Some(table) => {
                    assert!(table.slots.iter().all(Option::is_none), "the mask of a table with rules is written");
                    (table.mask, table.seed, table.enabled) = (words_of(key), data[1], valid);
                    true
                }
                None => false,
            },
            Some(Command::WriteTcam) => match self.tcam.get_mut(index) {
                Some(entry) => {
                    let content = || Entry { value: words_of(key), mask: words_of(mask), priority, rule: rule as u16 };
                    let new = valid.then(content);
                    // While it is rewritten it does not match.
                    *entry = None;
                    self.check();
                    self.tcam[index] = new;
                    true
                }
                None => false,
            },
            Some(Command::WriteAction) => self.actions.get_mut(index).map(|action| *action = words_of(step)).is_some(),
            Some(Command::WriteStep) => self.steps.get_mut(index).map(|s| *s = words_of(step)).is_some(),
            Some(Command::ReadRuleCounter) => match self.counters.get(index) {
                Some(&(packets, bytes, epoch)) => {
                    let (p, b) = (packets, bytes);
                    let hit = (epoch == self.epoch).into();
                    self.result = [p as u32, (p >> 32) as u32, b as u32, (b >> 32) as u32, epoch, hit];
                    true
                }
                None => false,
            },
            Some(Command::ReadVerdictCounter) => {
                // Not counted here: the index itself, so that the reader can be seen to read the right ones.
                self.result = [self.index, 0, self.index + 1, 1, 0, 0];
                self.index < 16 * (self.config.vports() as u32 + 1)
            }
            Some(Command::ClearTables) => {
                // Frames before it end by the rules that they were matched to.
                self.land(u64::MAX);
                self.tables
                    .iter_mut()
                    .for_each(|table| (table.enabled, table.slots) = (false, vec![None; table.slots.len()]));
                self.tcam.fill(None);
                self.actions.fill([0; Step::WORDS]);
                self.steps.fill([0; Step::WORDS]);
                self.counters.fill((0, 0, 0));
                self.data = [0; 64];
                true
            }
            None => false,
        };
        self.events |= u32::from(!done);
        self.written |= done && Command::from_op(command & 0xf).is_some_and(Command::writes);
        self.check();
    }
}

fn refused(access: &'static str, address: u32) -> DeviceError {
    DeviceError::Refused { access, address }
}

impl Device for Fake {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.live()?;
        self.access();
        Ok(match address {
            addr::ID => 0x4d49_4c4c,
            addr::VERSION => self.version,
            addr::OWNER => self.owner,
            addr::GENERATION => self.generation & 0xffff | u32::from(self.written) << 31,
            addr::CONFIG0 => self.config.registers()[0],
            addr::CONFIG1 => self.config.registers()[1],
            addr::CONFIG2 => self.config.registers()[2],
            addr::CONFIG3 => self.config.registers()[3],
            addr::CONFIG4 => self.config.registers()[4],
            addr::CONFIG5 => (self.key_words | self.step_words << 8 | 128 << 16) as u32,
            addr::SCRATCH => self.scratch,
            addr::EVENTS => self.events,
            addr::AGE_EPOCH => self.epoch,
            addr::MATCHED => self.matched,
            addr::ACTED => self.matched.wrapping_sub(self.flights.len() as u32),
            addr::STATUS => match self.pending.take() {
                None => 0,
                Some((command, 0)) => {
                    self.execute(command);
                    0
                }
                Some((command, n)) => {
                    self.pending = Some((command, n - 1));
                    1
                }
            },
            addr::COUNTER_PACKETS_LO => self.result[0],
            addr::COUNTER_PACKETS_HI => self.result[1],
            addr::COUNTER_BYTES_LO => self.result[2],
            addr::COUNTER_BYTES_HI => self.result[3],
            addr::COUNTER_EPOCH => self.result[4],
            addr::COUNTER_FLAGS => self.result[5],
            _ => return Err(refused("read", address)),
        })
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.live()?;
        self.access();
        self.writes += 1;
        if let Some(n) = &mut self.fail_in {
            *n -= 1;
            if *n == 0 {
                self.fail_in = None;
                return Err(DeviceError::Backend("the test cuts the wire".into()));
            }
        }
        match address {
            addr::SCRATCH => self.scratch = value,
            addr::EVENTS => self.events &= !value,
            addr::AGE_EPOCH => self.epoch = value,
            addr::INDEX => self.index = value,
            addr::COMMAND if self.pending.is_some() => self.events |= 2,
            addr::COMMAND => {
                if Command::from_op(value & 0xf) == Some(Command::ClearTables) {
                    self.generation += 1;
                    self.written = false;
                }
                self.pending = Some((value, BUSY_READS));
            }
            addr::OWNER if (self.owner == 0) != (value == 0) => {
                self.owner = value;
                self.generation += 1;
            }
            addr::OWNER => {}
            _ if (addr::data(0)..=addr::data(63)).contains(&address) => {
                self.data[(address - addr::data(0)) as usize / 4] = value;
            }
            _ => return Err(refused("write", address)),
        }
        Ok(())
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.upcalls.pop_front()
    }

    fn send_packet_out(&mut self, _: u8, _: &[u8]) -> Result<Sent, DeviceError> {
        Ok(Sent::Full)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.access();
        Ok(())
    }

    fn now(&self) -> u64 {
        self.now
    }
}

/// A packet that a rule matches: its key, and other bits where the mask does not look.
pub fn packet(key: Key, mask: Mask, rng: &mut impl Rng) -> Key {
    let noise = Key::unpack(&std::array::from_fn(|_| rng.random())) & !mask;
    let (a, b) = ((key & mask).pack(), noise.pack());
    Key::unpack(&std::array::from_fn(|i| a[i] | b[i]))
}
