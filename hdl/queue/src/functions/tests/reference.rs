// SPDX-License-Identifier: MIT OR Apache-2.0
//! `docs/host.md` in plain Rust: what each access reads and does.

use super::bench::entry;
use crate::types::{Negotiated, Policy, QueueConfig, Window};
use millrace_regs::config::Config;
use millrace_regs::host::{self, Feature, HostField, common, status};
use std::collections::BTreeSet;

/// What an access or event is to bring about.
#[derive(Debug, Default, PartialEq)]
pub struct Effects {
    pub queues: Vec<(u64, QueueConfig)>,
    pub windows: Vec<(u64, Window)>,
    pub policies: Vec<(u64, Policy)>,
    /// Function; 0 for its rate, 1 for its burst; what it is.
    pub limits: Vec<(u64, usize, u32)>,
    pub notified: Vec<u64>,
    /// Function, vector, address, data.
    pub interrupts: Vec<(u64, u64, u64, u64)>,
}

#[derive(Clone)]
struct Queue {
    size: u64,
    vector: u64,
    enabled: bool,
    stopped: bool,
    resetting: bool,
    rings: [u64; 3],
}

impl Queue {
    fn new() -> Self {
        Self { size: 256, vector: 0xffff, enabled: false, stopped: false, resetting: false, rings: [0; 3] }
    }
}

struct Function {
    selects: [u64; 3],
    driver: u64,
    vector: u64,
    status: u64,
    generation: u64,
    isr: u32,
    fault: u32,
    queues: Vec<Queue>,
    /// `FUNCTION_MAC_LO` to `FUNCTION_LAST_HI`.
    set: [u32; 9],
    offers: u64,
    dropped: u32,
    refused: u32,
    moderation: u32,
    policy: u32,
    /// Rate, burst, weight, samples.
    limits: [u32; 4],
    entries: Vec<[u32; 4]>,
    pending: BTreeSet<u64>,
    resetting: bool,
}

pub struct Reference {
    config: Config,
    functions: Vec<Function>,
    pub bus_master: u64,
    pub msix_enable: u64,
    pub msix_mask: u64,
    pub time_limit: u64,
}

/// Old bytes, but those that the strobe names.
fn with_bytes(old: u64, new: u64, strobe: u64, bytes: u32) -> u64 {
    let mask = (0..bytes).filter(|i| strobe >> i & 1 == 1).fold(0, |mask, i| mask | 0xff << (8 * i));
    old & !mask | new & mask
}

impl Function {
    fn new(number: usize, queues: usize) -> Self {
        let ones = u32::MAX;
        Self {
            selects: [0; 3],
            driver: 0,
            vector: 0xffff,
            status: 0,
            generation: 0,
            isr: 0,
            fault: 0,
            queues: vec![Queue::new(); queues],
            set: [0, 0, 0, ones, ones, 0, 0, ones, ones],
            offers: Feature::offered_by(number),
            dropped: 0,
            refused: 0,
            moderation: 0,
            policy: 0,
            limits: [0, 65_536, 0, 0],
            entries: (0..=queues as u32).map(|vector| entry(number as u32, vector)).collect(),
            pending: BTreeSet::new(),
            resetting: false,
        }
    }

    fn offered(&self) -> u64 {
        let mask = u64::from(self.set[4]) << 32 | u64::from(self.set[3]);
        self.offers & mask | Feature::REQUIRED
    }

    fn has(&self, bit: u8) -> bool {
        self.status & u64::from(bit) != 0
    }

    fn negotiated(&self, feature: Feature) -> bool {
        self.has(status::FEATURES_OK) && self.driver & feature.bit() != 0
    }

    fn get(&self, name: &str) -> u64 {
        let half = |bits: u64, select: u64| if select > 1 { 0 } else { bits >> (32 * select) & 0xffff_ffff };
        let queue = self.queues.get(self.selects[2] as usize);
        match name {
            "device_feature_select" => self.selects[0],
            "device_feature" => half(self.offered(), self.selects[0]),
            "driver_feature_select" => self.selects[1],
            "driver_feature" => half(self.driver, self.selects[1]),
            "config_msix_vector" => self.vector,
            "num_queues" => self.queues.len() as u64,
            "device_status" if self.resetting => self.status | u64::from(status::DEVICE_NEEDS_RESET),
            "device_status" => self.status,
            "config_generation" => self.generation,
            "queue_select" => self.selects[2],
            "queue_size" => queue.map_or(0, |q| q.size),
            "queue_msix_vector" => queue.map_or(0, |q| q.vector),
            "queue_enable" => queue.map_or(0, |q| q.enabled.into()),
            "queue_reset" => queue.map_or(0, |q| q.resetting.into()),
            "queue_notify_off" => queue.map_or(0, |_| self.selects[2]),
            "queue_desc" => queue.map_or(0, |q| q.rings[0]),
            "queue_driver" => queue.map_or(0, |q| q.rings[1]),
            "queue_device" => queue.map_or(0, |q| q.rings[2]),
            _ => 0,
        }
    }

    fn set(&mut self, name: &str, value: u64) {
        let features_ok = self.has(status::FEATURES_OK);
        let (offered, known) = (self.offered(), self.known(value));
        match name {
            "device_feature_select" => self.selects[0] = value,
            "driver_feature_select" => self.selects[1] = value,
            "driver_feature" if self.selects[1] <= 1 && !features_ok => {
                let shift = 32 * self.selects[1];
                self.driver = self.driver & !(0xffff_ffff << shift) | value << shift;
            }
            "config_msix_vector" => self.vector = known,
            "device_status" if value == 0 => self.resetting = true,
            "device_status" => {
                let fits = self.driver & !offered == 0 && self.driver & Feature::REQUIRED == Feature::REQUIRED;
                let refused = if fits || features_ok { 0 } else { u64::from(status::FEATURES_OK) };
                self.status |= value & !u64::from(status::DEVICE_NEEDS_RESET) & !refused;
            }
            "queue_select" => self.selects[2] = value,
            _ => {}
        }
        let resets = self.negotiated(Feature::RingReset) && name == "queue_reset" && value == 1;
        if let Some(queue) = self.queues.get_mut(self.selects[2] as usize) {
            queue.resetting |= resets;
        }
        let packed = self.negotiated(Feature::RingPacked);
        let open = |q: &&mut Queue| !q.enabled && !q.resetting;
        let Some(queue) = self.queues.get_mut(self.selects[2] as usize).filter(open) else { return };
        match name {
            "queue_size" if (packed && value > 0 || value.is_power_of_two()) && value <= 256 => queue.size = value,
            "queue_msix_vector" => queue.vector = known,
            "queue_enable" if value == 1 => queue.enabled = true,
            "queue_desc" => queue.rings[0] = value & !15,
            "queue_driver" => queue.rings[1] = value & !1,
            "queue_device" => queue.rings[2] = value & !3,
            _ => {}
        }
    }

    fn known(&self, vector: u64) -> u64 {
        if vector < self.entries.len() as u64 { vector } else { 0xffff }
    }

    fn message(&mut self, isr: u32, vector: u64) {
        self.isr |= isr;
        if vector != 0xffff {
            self.pending.insert(vector);
        }
    }

    fn policy(&self) -> Policy {
        let field = |low: u32, width: u32| u64::from((self.policy >> low) & ((1 << width) - 1));
        Policy {
            mac: (u64::from(self.set[1] & 0xffff) << 32 | u64::from(self.set[0])).into(),
            vlan: field(0, 12).into(),
            priority: field(13, 3).into(),
            service: field(16, 1) == 1,
            spoof_check: field(17, 1) == 1,
            trust: field(18, 1) == 1,
        }
    }

    fn window(&self) -> Window {
        let pages = |low: u32, high: u32| ((u64::from(high) << 32 | u64::from(low)) >> 12).into();
        Window { first: pages(self.set[5], self.set[6]), last: pages(self.set[7], self.set[8]) }
    }
}

impl Reference {
    pub fn new(config: Config) -> Self {
        let functions = (0..config.functions()).map(|f| Function::new(f, config.virtqueues_of_function(f))).collect();
        Self { config, functions, bus_master: 7, msix_enable: 7, msix_mask: 0, time_limit: 3125 }
    }

    fn vq(&self, function: usize, local: usize) -> u64 {
        self.config.virtqueue(function, local).expect("a virtqueue") as u64
    }

    /// Whether resets are under way, and whether the engine has to do with them.
    pub fn under_reset(&self) -> Option<bool> {
        let has_work = |f: &Function| f.queues.iter().any(|q| q.resetting || f.resetting && q.enabled);
        let engine = self.functions.iter().any(has_work);
        (engine || self.functions.iter().any(|f| f.resetting)).then_some(engine)
    }

    /// Functions with a reset under way.
    pub fn resetting(&self) -> Vec<u64> {
        (0..).zip(&self.functions).filter(|(_, f)| f.resetting).map(|(number, _)| number).collect()
    }

    /// Ends all resets that are under way.
    pub fn finish_resets(&mut self) {
        for queue in self.functions.iter_mut().flat_map(|f| &mut f.queues).filter(|q| q.resetting) {
            *queue = Queue::new();
        }
        for (number, f) in self.functions.iter_mut().enumerate().filter(|(_, f)| f.resetting) {
            let fresh = Function::new(number, f.queues.len());
            let entries = std::mem::take(&mut f.entries);
            *f = Function {
                set: f.set,
                generation: f.generation,
                dropped: f.dropped,
                moderation: f.moderation,
                policy: f.policy,
                limits: f.limits,
                refused: f.refused,
                entries,
                ..fresh
            };
        }
    }

    /// The messages that may be given now.
    pub fn give(&mut self) -> Vec<(u64, u64, u64, u64)> {
        let allowed = self.msix_enable & !self.msix_mask & self.bus_master;
        let mut given = vec![];
        for (number, f) in (0..).zip(&mut self.functions).filter(|(number, _)| allowed >> number & 1 == 1) {
            for vector in f.pending.clone() {
                let [low, high, data, masked] = f.entries[vector as usize];
                if masked == 0 {
                    f.pending.remove(&vector);
                    given.push((number, vector, u64::from(high) << 32 | u64::from(low), data.into()));
                }
            }
        }
        given
    }

    /// Whether the page leaves open what is read: while a reset clears field after field.
    pub fn is_open(&self, function: usize, offset: u32) -> bool {
        let resetting = self.functions.get(function).is_some_and(|f| f.resetting);
        let open = offset < 0x40 && offset != common::DEVICE_STATUS.word() || (0xc000..0x1_0000).contains(&offset);
        resetting && open
    }

    /// None: SLVERR.
    pub fn read(&mut self, function: usize, offset: u32) -> Option<u32> {
        let (bus_master, time_limit) = (self.bus_master, self.time_limit);
        let f = self.functions.get_mut(function)?;
        match offset {
            0..0x40 => Some(word(common::ALL, offset, |name| f.get(name))),
            0x100..0x104 => Some(std::mem::take(&mut f.isr)),
            0x200 => Some(f.set[0]),
            0x204 => Some(f.set[1]),
            0x208 => Some((f.set[2] << 16) + f.queues.len() as u32 / 2),
            0x20c => Some(0),
            0x210 if function > 0 => Some(40 << 8 | 128 << 16),
            0x214 if function > 0 => Some(0x3f),
            0x210..0x220 => Some(0),
            0x300 => Some(f.fault),
            0x1000 if function == 0 => Some(time_limit as u32),
            0x2000..0x3000 if function == 0 => {
                let f = self.functions.get((offset as usize - 0x2000) / 0x10)?;
                Some(*f.limits.get(offset as usize % 0x10 / 4).unwrap_or(&0))
            }
            0x4000..0x8000 if function == 0 => {
                let number = (offset as usize - 0x4000) / 0x40;
                let f = self.functions.get(number)?;
                Some(match offset as usize % 0x40 / 4 {
                    i @ 0..9 => f.set[i],
                    9 => f.status as u32 + 0x100 * (bus_master >> number & 1) as u32,
                    10 => f.fault,
                    11 => f.dropped,
                    12 => f.moderation,
                    14 => f.policy,
                    15 => f.refused,
                    _ => 0,
                })
            }
            0x8000..0xc000 => f.entries.get(offset as usize % 0x4000 / 16).map(|words| words[offset as usize % 16 / 4]),
            0xc000..0x1_0000 => {
                let from = offset as usize % 0x4000 * 8;
                let bits =
                    (0..32).filter(|i| f.pending.contains(&((from + i) as u64))).fold(0, |bits, i| bits | 1 << i);
                (from / 64 * 64 < f.entries.len()).then_some(bits)
            }
            0x1_0000.. => ((offset as usize >> 12) - 16 < f.queues.len()).then_some(0),
            _ => None,
        }
    }

    /// None: SLVERR.
    pub fn write(&mut self, function: usize, offset: u32, data: u32, strobe: u64) -> Option<Effects> {
        let mut effects = Effects::default();
        let exists = self.functions.get(function)?.queues.len();
        match offset {
            0..0x40 => self.write_common(function, offset, data, strobe, &mut effects),
            0x100..0x104 | 0x200..0x220 | 0x300..0x304 => {}
            0x1000..0x1004 if function == 0 => {
                self.time_limit = with_bytes(self.time_limit, data.into(), strobe, 4) & 0xffff;
            }
            0x2000..0x3000 if function == 0 => {
                let number = (offset as usize - 0x2000) / 0x10;
                let f = self.functions.get_mut(number)?;
                let register = offset as usize % 0x10 / 4;
                if let Some(limit) = f.limits.get_mut(register).filter(|_| strobe != 0) {
                    let mask = [0x1_ffff, 0xff_ffff, 0xff, 0xffff][register];
                    *limit = with_bytes((*limit).into(), data.into(), strobe, 4) as u32 & mask;
                    effects.limits.push((number as u64, register, *limit));
                }
            }
            0x4000..0x8000 if function == 0 => {
                let number = (offset as usize - 0x4000) / 0x40;
                self.functions.get(number)?;
                self.write_register(number, offset as usize % 0x40 / 4, data, strobe, &mut effects);
            }
            0x8000..0xc000 => {
                let words = self.functions[function].entries.get_mut(offset as usize % 0x4000 / 16)?;
                let word = offset as usize % 16 / 4;
                let value = with_bytes(words[word].into(), data.into(), strobe, 4) as u32;
                words[word] = value & [!3, u32::MAX, u32::MAX, 1][word];
            }
            0xc000..0x1_0000 => return self.read(function, offset).map(|_| effects),
            0x1_0000.. => {
                let local = (offset as usize >> 12) - 16;
                if local >= exists {
                    return None;
                }
                let f = &self.functions[function];
                if strobe != 0 && !f.resetting && !f.queues[local].resetting {
                    effects.notified.push(self.vq(function, local));
                }
            }
            _ => return None,
        }
        Some(effects)
    }

    fn write_common(&mut self, function: usize, offset: u32, data: u32, strobe: u64, effects: &mut Effects) {
        for field in common::ALL.iter().filter(|f| f.access.writable()) {
            let f = &mut self.functions[function];
            if f.resetting {
                return;
            }
            let within = |i: u32| (field.offset..field.offset + field.width / 8).contains(&(offset + i));
            if !(0..4).any(|i| strobe >> i & 1 == 1 && within(i)) {
                continue;
            }
            // The access's bytes from where the field begins.
            let shift = field.offset as i32 - offset as i32;
            let (new, strobe) = match shift {
                0.. => (u64::from(data) >> (8 * shift), strobe >> shift),
                _ => (u64::from(data) << (8 * -shift), strobe << -shift),
            };
            let was_enabled = f.get("queue_enable");
            let value = with_bytes(
                if field.name == "device_status" { 0 } else { f.get(field.name) },
                new,
                strobe,
                field.width / 8,
            );
            f.set(field.name, value);
            if f.get("queue_enable") != was_enabled && field.name == "queue_enable" {
                let local = f.selects[2] as usize;
                let queue = &f.queues[local];
                let has = |feature| f.negotiated(feature);
                let config = QueueConfig {
                    desc: queue.rings[0].into(),
                    driver: queue.rings[1].into(),
                    device: queue.rings[2].into(),
                    size: queue.size.into(),
                    size_log2: u64::from(queue.size.ilog2()).into(),
                    function: (function as u64).into(),
                    features: Negotiated {
                        indirect: has(Feature::IndirectDesc),
                        event_idx: has(Feature::EventIdx),
                        packed: has(Feature::RingPacked),
                        in_order: has(Feature::InOrder),
                        csum: has(Feature::Csum),
                        host_tso4: has(Feature::HostTso4),
                        host_tso6: has(Feature::HostTso6),
                        host_ecn: has(Feature::HostEcn),
                        host_uso: has(Feature::HostUso),
                    },
                };
                effects.queues.push((self.vq(function, local), config));
            }
        }
    }

    fn write_register(&mut self, number: usize, register: usize, data: u32, strobe: u64, effects: &mut Effects) {
        let f = &mut self.functions[number];
        if register == 12 {
            f.moderation = with_bytes(f.moderation.into(), data.into(), strobe, 4) as u32 & 0xff_ffff;
        }
        if register == 14 {
            f.policy = with_bytes(f.policy.into(), data.into(), strobe, 4) as u32 & 0x7_efff;
        }
        if strobe != 0 && register == 14 {
            effects.policies.push((number as u64, f.policy()));
        }
        if register > 8 || strobe == 0 {
            return;
        }
        let old = f.set[register];
        let value = with_bytes(old.into(), data.into(), strobe, 4) as u32;
        f.set[register] = match register {
            2 => value & 0xffff,
            5 => value & !0xfff,
            7 => value | 0xfff,
            _ => value,
        };
        if register < 3 && f.set[register] != old {
            f.generation = (f.generation + 1) % 256;
            if f.has(status::DRIVER_OK) && !f.resetting {
                f.message(2, f.vector);
            }
        }
        if register < 2 {
            effects.policies.push((number as u64, f.policy()));
        }
        if register >= 5 {
            effects.windows.push((number as u64, f.window()));
        }
    }

    pub fn fault(&mut self, vq: u64, reason: u64) {
        let (function, local) = self.config.function_of_virtqueue(vq as usize).expect("a virtqueue");
        let f = &mut self.functions[function];
        if !f.resetting && !f.queues[local].resetting {
            f.queues[local].stopped = true;
            f.status |= u64::from(status::DEVICE_NEEDS_RESET);
            if f.fault == 0 {
                f.fault = (local as u32) << 16 | reason as u32;
            }
            f.message(2, f.vector);
        }
    }

    pub fn used(&mut self, vq: u64) {
        let (function, local) = self.config.function_of_virtqueue(vq as usize).expect("a virtqueue");
        let f = &mut self.functions[function];
        if !f.resetting && !f.queues[local].resetting {
            f.message(1, f.queues[local].vector);
        }
    }

    pub fn drop_frame(&mut self, function: usize) {
        self.functions[function].dropped += 1;
    }

    pub fn refuse_frame(&mut self, function: usize) {
        self.functions[function].refused += 1;
    }

    /// Bits of all virtqueues for which this holds.
    fn bits(&self, holds: impl Fn(&Function, usize, &Queue) -> bool) -> u64 {
        let functions = self.functions.iter().enumerate();
        let all = functions.flat_map(|(n, f)| f.queues.iter().enumerate().map(move |(local, q)| (n, f, local, q)));
        all.filter(|(n, f, _, q)| holds(f, *n, q)).fold(0, |bits, (n, _, local, _)| bits | 1 << self.vq(n, local))
    }

    pub fn live(&self) -> u64 {
        let master = self.bus_master;
        let goes_on = |f: &Function, q: &Queue| q.enabled && !q.stopped && !q.resetting && !f.resetting;
        self.bits(|f, n, q| goes_on(f, q) && f.has(status::DRIVER_OK) && master >> n & 1 == 1)
    }

    pub fn stopped(&self) -> u64 {
        self.bits(|_, _, q| q.stopped)
    }

    pub fn merge(&self) -> u64 {
        let merges = |n: &usize| self.functions[*n].negotiated(Feature::MergeableBuffers);
        (0..self.functions.len()).filter(merges).fold(0, |bits, n| bits | 1 << n)
    }
}

/// The word at an offset of a block of fields.
fn word(fields: &[HostField], offset: u32, get: impl Fn(&str) -> u64) -> u32 {
    let lies_here = |field: &&HostField| (field.word()..field.word() + field.width.div_ceil(32) * 4).contains(&offset);
    fields.iter().filter(lies_here).fold(0, |word, field| {
        let half = if offset > field.word() { 32 } else { 0 };
        word | (get(field.name) >> half << field.low()) as u32
    })
}

/// Offsets that there are, in function 0 or others, and some that there are not.
pub fn offsets() -> Vec<u32> {
    let blocks = host::HOST_BLOCKS.iter().flat_map(|block| {
        let copies = if block.stride == 0 { 1 } else { 10 };
        (0..copies).flat_map(move |copy| (0..block.bytes.min(64) / 4).map(move |i| block.at(copy) + 4 * i))
    });
    blocks.chain([0x40, 0x104, 0x1fc, 0x220, 0x304, 0x3ffc, 0xbffc, 0xfffc, 0x1_1ffc, 0xff_0000]).collect()
}
