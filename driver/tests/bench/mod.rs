// SPDX-License-Identifier: MIT OR Apache-2.0
//! A rule manager at work on a device whose tables can be looked into: what each packet must be handled as, whatever goes on.

use crate::fake::{Fake, PACKET_BYTES, Watch, packet};
use millrace_driver::{Found, Image, Others, Place, Placement, RuleError, RuleId, RuleSpec, Rules};
use millrace_regs::config::{Config, Preset};
use millrace_regs::{Key, Mask, Step};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub fn small() -> Config {
    Config { hash_tables: 3, slots_log2: 3, tcam_entries: 6, steps_log2: 4, ..Preset::Sim.config() }
}

/// Masks that packets of the tests differ under; more than there are tables.
pub const MASKS: [Mask; 5] = [
    EXACT,
    Mask { nw_dst: 0xffff_ffff, dl_type: 0xffff, ..Mask::ZERO },
    Mask { nw_dst: 0xffff_ffff, tp_dst: 0xffff, ..Mask::ZERO },
    Mask { in_port: 0xff, dl_src: 0xffff_ffff_ffff, nw_dst: 0xffff_ff00, ..Mask::ZERO },
    Mask { nw_dst: 0xff, ..Mask::ZERO },
];

/// All that a device with one pass can look at.
pub const EXACT: Mask = Mask { metadata: 0, pass: 0, ..Mask::EXACT };

/// One of 512 keys.
pub fn key(n: u16) -> Key {
    let n = n % 512;
    Key {
        in_port: (n % 3) as u8,
        dl_type: 0x0800,
        dl_src: u64::from(n / 8) << 16,
        nw_dst: u128::from(0x0a00_0000 + u32::from(n) * 0x101),
        tp_dst: n / 4,
        ..Key::default()
    }
}

/// A program that no other rule has.
pub fn program(token: u64, version: u64, steps: usize) -> Vec<Step> {
    (0..steps as u64)
        .map(|i| Step { dl_dst: token << 16 | version << 4 | i, set_dl_dst: true, ..Step::output(1 << (i % 8)) })
        .collect()
}

#[derive(Clone, Debug)]
pub enum Op {
    Insert {
        key: u16,
        mask: usize,
        priority: u16,
        placement: Placement,
        steps: usize,
    },
    Update {
        which: usize,
        steps: usize,
    },
    Priority {
        which: usize,
        priority: u16,
    },
    Delete {
        which: usize,
    },
    Counters {
        which: usize,
    },
    Wait,
    /// The next operation's n-th write fails.
    Cut {
        writes: u32,
    },
}

pub fn op() -> impl Strategy<Value = Op> {
    let placement = prop_oneof![4 => Just(Placement::Hash), 1 => Just(Placement::Tcam), 3 => Just(Placement::Auto)];
    let insert = (any::<u16>(), 0..MASKS.len(), 0..1000_u16, placement, 1..4_usize)
        .prop_map(|(key, mask, priority, placement, steps)| Op::Insert { key, mask, priority, placement, steps });
    prop_oneof![
        8 => insert,
        2 => (any::<usize>(), 1..5_usize).prop_map(|(which, steps)| Op::Update { which, steps }),
        1 => (any::<usize>(), 0..1000_u16).prop_map(|(which, priority)| Op::Priority { which, priority }),
        3 => any::<usize>().prop_map(|which| Op::Delete { which }),
        1 => any::<usize>().prop_map(|which| Op::Counters { which }),
        1 => Just(Op::Wait),
        1 => (1..40_u32).prop_map(|writes| Op::Cut { writes }),
    ]
}

#[derive(Clone)]
pub struct Live {
    /// None while it is being inserted.
    pub id: Option<RuleId>,
    pub token: u64,
    pub spec: RuleSpec,
    pub program: Vec<Step>,
    pub packet: Key,
    /// Packets that it had counted when it was taken over.
    pub before: u64,
}

impl Live {
    fn matches(&self, packet: &Key) -> bool {
        *packet & self.spec.mask == self.spec.key & self.spec.mask
    }
}

/// Where the nth image is.
fn image(folder: &TempDir, n: usize) -> PathBuf {
    folder.path().join(format!("image{n}"))
}

/// Starts a manager with an image; if it is killed, another.
fn start(device: &mut Fake, image: &Path) -> (Rules, Vec<Found>) {
    match Rules::with_image(device, Image::open(image).unwrap(), Others::Refuse) {
        Ok(started) => started,
        Err(error) => {
            assert!(device.dead(), "{error}");
            device.revive();
            Rules::with_image(device, Image::open(image).unwrap(), Others::Refuse).unwrap()
        }
    }
}

/// Whether this is the rule that was found.
fn is(live: &Live, found: &Found) -> bool {
    let Found { rule, key } = found;
    let (spec, program) = (&live.spec, &live.program);
    (rule.mask, rule.priority, &rule.program, *key) == (spec.mask, spec.priority, program, spec.key)
        && rule.key == spec.key & spec.mask
}

/// Whether these are the rules that were found.
fn are(live: &[Live], found: &[Found]) -> bool {
    live.len() == found.len() && live.iter().all(|live| found.iter().any(|found| is(live, found)))
}

/// The device, the manager, and what the tables should hold.
pub struct Bench {
    pub device: Fake,
    pub rules: Rules,
    pub live: Vec<Live>,
    /// What the tables may hold instead: an operation was cut off.
    instead: Option<Vec<Live>>,
    token: u64,
    rng: ChaCha8Rng,
    /// Where images are, and how many.
    images: Option<(TempDir, usize)>,
    pub taken_over: TakenOver,
}

/// What the managers that took over have found.
#[derive(Clone, Copy, Default, Debug)]
pub struct TakenOver {
    /// Second copies of rules.
    pub copies: usize,
    /// Operations that were cut off, and were carried out all the same.
    pub done: usize,
    /// Operations that were cut off, and were not.
    pub undone: usize,
}

impl Bench {
    pub fn new(config: Config) -> Self {
        Self::of(Fake::new(config))
    }

    pub fn of(mut device: Fake) -> Self {
        let rules = Rules::new(&mut device).unwrap();
        Self::over(device, rules)
    }

    fn over(device: Fake, rules: Rules) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(7);
        Self {
            device,
            rules,
            live: Vec::new(),
            instead: None,
            token: 0,
            rng,
            images: None,
            taken_over: TakenOver::default(),
        }
    }

    /// With a manager that keeps an image. The first one is killed as the device says.
    pub fn with_image(mut device: Fake) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (rules, found) = start(&mut device, &image(&folder, 0));
        assert!(found.is_empty());
        Self { images: Some((folder, 0)), ..Self::over(device, rules) }
    }

    /// The manager is killed, if it is not yet dead. The next one, which is killed after so many accesses, and then another take the
    /// rules over. Packets that were matched before are in the device all the while.
    pub fn take_over(&mut self, dies_in: Option<u32>) {
        let (before, after) = (self.live.clone(), self.instead.take());
        self.expect(&[&before, after.as_ref().unwrap_or(&before)]);
        self.device.blocked = true;
        self.device.dies_in = dies_in;
        let entries = self.device.entries();
        let (folder, n) = self.images.as_mut().expect("an image");
        // The manager, which is dropped later, does nothing more to the one that it has.
        fs::copy(image(folder, *n), image(folder, *n + 1)).unwrap();
        *n += 1;
        let (rules, found) = start(&mut self.device, &image(folder, *n));
        self.rules = rules;
        self.device.revive();
        let cut_off = after.is_some();
        let done = after.as_ref().is_some_and(|after| are(after, &found));
        self.taken_over.copies += entries.saturating_sub(before.len().max(found.len()));
        self.taken_over.done += usize::from(done);
        self.taken_over.undone += usize::from(cut_off && !done);
        self.live = [Some(before), after].into_iter().flatten().find(|rules| are(rules, &found)).unwrap_or_else(|| {
            panic!("neither the rules before the operation nor those after it were found: {found:#?}");
        });
        for live in &mut self.live {
            live.id = found.iter().find(|found| is(live, found)).map(|found| found.rule.id);
            live.before = self.device.seen.get(&live.token).copied().unwrap_or(0);
        }
        assert_eq!(self.device.entries(), found.len(), "something else was left");
        let live = self.live.clone();
        self.expect(&[&live]);
        self.device.check();
        self.device.blocked = false;
        self.check_listing();
    }

    /// What handles a packet when these rules are in the tables; priorities are distinct.
    fn winner(live: &[Live], packet: &Key) -> (u64, Vec<Step>) {
        let best = live.iter().filter(|rule| rule.matches(packet)).max_by_key(|rule| rule.spec.priority);
        best.map_or((0, vec![]), |rule| (rule.token, rule.program.clone()))
    }

    /// From now on each packet must be handled as by one of these sets of rules.
    fn expect(&mut self, sets: &[&[Live]]) {
        let packets: Vec<Key> = sets.iter().flat_map(|set| set.iter().map(|rule| rule.packet)).collect();
        let allowed = |packet: &Key| sets.iter().map(|set| Self::winner(set, packet)).collect();
        self.device.watches = packets.iter().map(|&packet| Watch { packet, allowed: allowed(&packet) }).collect();
    }

    /// Runs an operation that leads from the present rules to `after`, and settles for what it did.
    fn run<T>(
        &mut self,
        after: Vec<Live>,
        operation: impl FnOnce(&mut Rules, &mut Fake) -> Result<T, RuleError>,
    ) -> Result<T, RuleError> {
        let before = std::mem::take(&mut self.live);
        self.expect(&[&before, &after]);
        let result = operation(&mut self.rules, &mut self.device);
        (self.live, self.instead) = match &result {
            Ok(_) => (after, None),
            Err(RuleError::Device(_)) => (before, Some(after)),
            Err(_) => (before, None),
        };
        let live = self.live.clone();
        self.expect(&[&live]);
        self.device.check();
        result
    }

    pub fn insert(&mut self, spec: RuleSpec, steps: usize) -> Result<RuleId, RuleError> {
        self.token += 1;
        let program = program(self.token, 0, steps);
        let packet = packet(spec.key, spec.mask, &mut self.rng);
        let mut after = self.live.clone();
        after.push(Live { id: None, token: self.token, spec, program: program.clone(), packet, before: 0 });
        let id = self.run(after, |rules, device| rules.insert(device, &spec, &program))?;
        self.live.last_mut().unwrap().id = Some(id);
        Ok(id)
    }

    fn id(&self, at: usize) -> RuleId {
        self.live[at].id.expect("inserted")
    }

    pub fn update(&mut self, at: usize, steps: usize) -> Result<(), RuleError> {
        self.token += 1;
        let id = self.id(at);
        let program = program(self.live[at].token, self.token, steps);
        let mut after = self.live.clone();
        after[at].program = program.clone();
        self.run(after, |rules, device| rules.update(device, id, &program))
    }

    pub fn set_priority(&mut self, at: usize, priority: u16) -> Result<(), RuleError> {
        let id = self.id(at);
        let mut after = self.live.clone();
        after[at].spec.priority = priority;
        self.run(after, |rules, device| rules.set_priority(device, id, priority))
    }

    pub fn delete(&mut self, at: usize) -> Result<(), RuleError> {
        let id = self.id(at);
        let mut after = self.live.clone();
        after.remove(at);
        self.run(after, |rules, device| rules.delete(device, id))
    }

    pub fn check_counters(&mut self, at: usize) {
        let (id, token) = (self.id(at), self.live[at].token);
        self.device.wait(0);
        let seen = self.device.seen.get(&token).copied().unwrap_or(0) - self.live[at].before;
        let counters = self.rules.counters(&mut self.device, id).unwrap();
        assert_eq!((counters.packets, counters.bytes), (seen, seen * PACKET_BYTES));
        assert_eq!((counters.hit, counters.epoch), (seen > 0, (seen > 0).then_some(1)));
    }

    /// The listing holds what was inserted, where the device has it.
    pub fn check_listing(&self) {
        let list: Vec<_> = self.rules.iter().collect();
        assert_eq!((list.len(), self.rules.len()), (self.live.len(), self.live.len()));
        for live in &self.live {
            let info = self.rules.get(live.id.unwrap()).unwrap();
            assert_eq!((info.key, info.mask), (live.spec.key & live.spec.mask, live.spec.mask));
            assert_eq!((info.priority, &info.program), (live.spec.priority, &live.program));
            match (live.spec.placement, info.place) {
                (Placement::Hash, Place::Tcam { .. }) | (Placement::Tcam, Place::Hash { .. }) => panic!("{info:?}"),
                _ => assert!(list.contains(&info)),
            }
        }
        let in_tables: usize = self.rules.tables().map(|table| table.rules).sum();
        assert_eq!(in_tables + self.rules.tcam_load().0, self.live.len());
    }

    pub fn apply(&mut self, op: &Op) {
        let at = |which: usize, n: usize| (n > 0).then(|| which % n);
        let n = self.live.len();
        let taken = |live: &[Live], priority: u16| live.iter().any(|rule| rule.spec.priority == priority);
        let result = match *op {
            Op::Insert { key: k, mask, priority, placement, steps } if !taken(&self.live, priority) => {
                self.insert(RuleSpec { key: key(k), mask: MASKS[mask], priority, placement }, steps).map(|_| ())
            }
            Op::Update { which, steps } => at(which, n).map_or(Ok(()), |at| self.update(at, steps)),
            Op::Priority { which, priority } if !taken(&self.live, priority) => {
                at(which, n).map_or(Ok(()), |at| self.set_priority(at, priority))
            }
            Op::Delete { which } => at(which, n).map_or(Ok(()), |at| self.delete(at)),
            Op::Counters { which } => {
                self.device.fail_in = None;
                at(which, n).into_iter().for_each(|at| self.check_counters(at));
                Ok(())
            }
            Op::Wait => {
                self.device.wait(2_000_000);
                Ok(())
            }
            Op::Cut { writes } => {
                self.device.fail_in = Some(writes);
                Ok(())
            }
            _ => Ok(()),
        };
        match result {
            Ok(())
            | Err(
                RuleError::Duplicate(_)
                | RuleError::TableFull { .. }
                | RuleError::NoFreeTable { .. }
                | RuleError::TcamFull { .. }
                | RuleError::NoSteps { .. }
                | RuleError::NoRuleId { .. }
                | RuleError::Device(_),
            ) => {}
            Err(other) => panic!("{op:?}: {other}"),
        }
    }

    pub fn finish(&mut self) {
        self.device.fail_in = None;
        self.check_listing();
        (0..self.live.len()).for_each(|at| self.check_counters(at));
        assert_eq!(self.rules.take_events(&mut self.device).unwrap(), 0);
        while !self.live.is_empty() {
            self.delete(0).unwrap();
        }
        self.device.wait(2_000_000);
        let steps = self.rules.config().steps();
        assert_eq!((self.rules.steps_free(), self.device.entries()), ((steps, steps), 0));
        assert!(self.rules.tables().all(|table| table.mask.is_none() && table.rules == 0));
    }
}
