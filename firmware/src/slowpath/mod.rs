// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path: takes the packets that miss, decides their fate with the flow tables, puts them out through the
//! representors, and programs rules so that the rest of their flow stays in hardware.

mod adopt;
mod ageing;
mod blocks;
mod by_hand;
mod cache;
mod core;
mod departed;
mod due;
mod dump;
mod explain;
mod guard;
mod handover;
mod last_counts;
mod offload;
mod refusal;
mod replace;
mod stats;

pub use self::core::{Core, EPOCH_NS, Settings};
pub use adopt::Left;
pub use by_hand::{LEVELS, RuleByHand};
pub use cache::{FlowId, Home, Megaflow};
pub use dump::{BlockDump, FlowDump, MegaflowDump, actions, matches, step_actions};
pub use explain::Explained;
pub use offload::{Hits, Offload, Tables};
pub use refusal::Refusal;
pub use replace::Replacement;
pub use stats::{Dropped, FlowStats, Stats};

use crate::compile::{flow_key, hardware_mask};
use crate::detect::{Event, Watch};
use crate::openflow::{FlowTable, Groups};
use guard::{Guard, Verdict};
use millrace_driver::{Device, DeviceError, Found, Image, Owner, Place, RuleId, Rules, Sent};
use millrace_regs::Mask;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// Copies waiting for the device above which no further upcall is taken, as long as the device takes any.
const WAITING_SOFT: usize = 1024;
/// Bytes of copies waiting for the device; more are dropped, and counted.
const WAITING_BYTES: usize = 256 << 20;
/// Upcalls handled, and megaflows looked at again, in one call of [`SlowPath::poll`]: with many flow tables each takes milliseconds.
const BATCH: usize = 64;
/// Device time (ns) after which one call takes no further upcall and hands no further copy to the device: whoever calls has other
/// things to do, and upcalls that write many registers, or have many copies, take long.
const BATCH_NS: u64 = 25_000;
/// Time after which a new epoch begins.
pub const EPOCH_SPAN_NS: u64 = 1_000_000;

/// Megaflows shown in one call of [`SlowPath::dump_megaflows_from`].
const DUMP_BATCH: FlowId = 1024;

/// The slow path of a device. It owns the device's rules; the device is lent to each method.
pub struct SlowPath {
    core: Core<RuleId>,
    rules: Rules,
    guard: Guard,
    widest: Mask,
    /// Device time (ns) at which the present epoch began.
    epoch_since: u64,
    waiting: VecDeque<(u8, Rc<[u8]>)>,
    waiting_bytes: usize,
}

impl SlowPath {
    /// Takes a device with these flows. Rules that are in its tables are cleared.
    ///
    /// # Errors
    /// If the device is not one that the driver knows, if its tables are another owner's and stay so, or if it cannot be reached.
    pub fn new(device: &mut dyn Device, flows: FlowTable, settings: Settings) -> Result<SlowPath, DeviceError> {
        let rules = Rules::with_owner(device, Owner::MILLRACE, settings.others)?;
        Self::over(device, flows, settings, rules)
    }

    /// Takes a device with these flows, and takes over the rules that the image shows, if it does: they go on, and when this returns none is left that
    /// the flow tables would not produce.
    ///
    /// # Errors
    /// As [`new`](Self::new), or if the image cannot be read or written.
    pub fn with_image(
        device: &mut dyn Device,
        flows: FlowTable,
        settings: Settings,
        image: Image,
    ) -> Result<SlowPath, DeviceError> {
        let (rules, found) = Rules::with_image(device, image, settings.others)?;
        let mut slow_path = Self::over(device, flows, settings, rules)?;
        let now = device.now();
        slow_path.with_guard(device, |guard, core, tables| {
            let megaflows = by_hand::set_aside(guard.adopt(tables, found, now));
            core.adopt(tables, megaflows.iter().map(left).collect(), now);
        })?;
        while slow_path.is_replacing() {
            slow_path.agree(device)?;
        }
        Ok(slow_path)
    }

    fn over(
        device: &mut dyn Device,
        flows: FlowTable,
        settings: Settings,
        rules: Rules,
    ) -> Result<SlowPath, DeviceError> {
        let mut slow_path = SlowPath {
            core: Core::new(flows, settings, rules.config().max_frame, device.now()),
            guard: Guard::new(&settings.detect, rules.config()),
            rules,
            widest: Mask::ANY,
            epoch_since: 0,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        };
        slow_path.widen();
        slow_path.begin_epoch(device)?;
        Ok(slow_path)
    }

    /// Handles upcalls that are waiting, puts packets out, ages, then hands megaflows over. Returns how many upcalls it handled, packets
    /// it put out and megaflows it handed over: 0 if there was nothing to do. What is left when many are waiting is for further calls.
    ///
    /// # Errors
    /// If the device fails, or somebody cleared its tables or took them over.
    pub fn poll(&mut self, device: &mut dyn Device) -> Result<usize, DeviceError> {
        if device.now() - self.epoch_since >= EPOCH_SPAN_NS {
            self.begin_epoch(device)?;
        }
        if self.is_replacing() {
            self.agree(device)?;
        }
        let end = device.now() + BATCH_NS;
        let mut sent = self.flush(device, end)?;
        let (mut upcalls, mut all) = (0, false);
        // Upcalls that are not taken hold up the pipeline, and with it the packets put out: when these do not move, one more
        // upcall is taken whatever is waiting.
        while upcalls < BATCH
            && (upcalls == 0 || device.now() < end)
            && (self.waiting.len() < WAITING_SOFT || sent == 0 && upcalls == 0)
        {
            let Some(upcall) = device.recv_upcall() else {
                all = true;
                break;
            };
            upcalls += 1;
            let now = device.now();
            match self.guard.inspect(device, &upcall, now)? {
                Verdict::Passes(marks) => self.core.marks = marks,
                Verdict::Drops => {
                    self.core.drop_blocked(upcall.vport, upcall.reason);
                    if self.guard.has_news() {
                        // What the hardware handles of the source goes on until it is told.
                        self.attend(device)?;
                    }
                    continue;
                }
            }
            let (waiting, bytes) = (&mut self.waiting, &mut self.waiting_bytes);
            let mut last: Option<Rc<[u8]>> = None;
            self.core.forward(upcall.vport, upcall.reason, &upcall.frame, |vport, frame| {
                if *bytes + frame.len() > WAITING_BYTES {
                    return false;
                }
                // A flood's copies share their bytes.
                let frame = match &last {
                    Some(last) if **last == *frame => last.clone(),
                    _ => Rc::from(frame),
                };
                *bytes += frame.len();
                last = Some(frame.clone());
                waiting.push_back((vport, frame));
                true
            });
            sent += self.flush(device, end)?;
            if self.core.teaches() && upcall.at >= self.epoch_since {
                // Hits from now on are younger than this packet, and their epoch says so.
                self.begin_epoch(device)?;
            }
            let now = device.now();
            self.with_tables(device, |core, tables| core.program(tables, upcall.at, now))?;
            self.hear(now);
        }
        let calm = all && self.waiting.is_empty() && device.packets_out_waiting() == 0;
        let now = device.now();
        let handed = self.with_tables(device, |core, tables| {
            core.tick(tables, now);
            core.hand_over(tables, calm, now)
        })?;
        self.hear(now);
        self.attend(device)?;
        Ok(upcalls + sent + handed)
    }

    /// Packets that wait for the device to take them, and megaflows that wait to be handed over.
    pub fn waiting(&self) -> usize {
        self.waiting.len() + self.core.deferred()
    }

    /// Hands no more megaflows over: the slow path handles those that wait, and new ones, until its end.
    pub fn stop_handing_over(&mut self) {
        self.core.stop_handing_over();
    }

    /// Gives up the packets that are waiting for the device to take them: the vport that each was for.
    pub fn discard_waiting(&mut self) -> Vec<u8> {
        self.core.stats.sent -= self.waiting.len() as u64;
        self.waiting_bytes = 0;
        self.waiting.drain(..).map(|(vport, _)| vport).collect()
    }

    /// Puts other flow tables in place of the present ones. When it returns, no packet is handled by a rule that the new
    /// ones would not produce.
    ///
    /// # Errors
    /// If the device fails.
    pub fn replace_flows(&mut self, device: &mut dyn Device, flows: FlowTable) -> Result<(), DeviceError> {
        self.begin_replacing(device.now(), Replacement::new(flows));
        while self.is_replacing() {
            self.agree(device)?;
        }
        Ok(())
    }

    /// Puts other flow tables in place of the present ones for packets that miss. What is in the hardware follows as the slow path is
    /// polled.
    pub fn begin_replacing(&mut self, now: u64, flows: Replacement) {
        self.core.replace_flows(flows, now);
        self.widen();
    }

    /// Finds out anew what megaflows can look at.
    fn widen(&mut self) {
        let mut union = self.core.pipeline.union_mask();
        union.union(&Watch::of(&self.core.settings.detect).all_bits());
        self.widest = hardware_mask(&union);
    }

    /// Lets who watches know what was heard of packets.
    fn hear(&mut self, now: u64) {
        for heard in self.core.watched.drain(..) {
            self.guard.hear(heard, now);
        }
    }

    /// Blocks whom it is time to block, ends blocks, and lets events go.
    fn attend(&mut self, device: &mut dyn Device) -> Result<(), DeviceError> {
        let now = device.now();
        self.with_guard(device, |guard, core, tables| {
            guard.tick(tables, now);
            guard.place(core, tables, now);
        })
    }

    /// What was seen in the frames of ports that are watched, since it was last asked for; and how many events before these are lost, for too many came in
    /// between.
    pub fn take_events(&mut self) -> (Vec<Event>, u64) {
        self.guard.take_events()
    }

    /// Whether packets may still be handled by a rule that the present flow tables would not produce.
    pub fn is_replacing(&self) -> bool {
        !self.core.stale.is_empty()
    }

    /// Makes some more megaflows agree with the flow tables.
    fn agree(&mut self, device: &mut dyn Device) -> Result<(), DeviceError> {
        let now = device.now();
        let enough = |tables: &Tables<'_>| tables.device.now() >= now + BATCH_NS;
        self.with_tables(device, |core, tables| core.agree(tables, now, BATCH, enough))
    }

    /// The groups in force.
    pub fn groups(&self) -> &Arc<Groups> {
        self.core.pipeline.groups()
    }

    /// What the slow path has counted.
    pub fn stats(&self) -> &Stats {
        &self.core.stats
    }

    /// Frames that the slow path dropped, of those that came in on a vport.
    pub fn dropped(&self, vport: u8) -> Dropped {
        self.core.dropped(vport)
    }

    /// Megaflows: all, and those in the hardware.
    pub fn megaflows(&self) -> (usize, usize) {
        self.core.megaflows()
    }

    /// All megaflows, with counters of this moment; blocked sources before them.
    ///
    /// # Errors
    /// If the device fails.
    pub fn dump_megaflows(&mut self, device: &mut dyn Device) -> Result<Vec<MegaflowDump>, DeviceError> {
        let now = device.now();
        self.with_tables(device, |core, tables| core.sync_all(tables, now))?;
        let mut dump = self.dump_blocks(device, now)?;
        dump.extend(self.core.dump_megaflows(now, |rule| place(&self.rules, rule)));
        Ok(dump)
    }

    /// Some of the megaflows, from a number on, with counters of this moment; and the number from which on there are more. For a
    /// device that has other things to do meanwhile.
    ///
    /// # Errors
    /// If the device fails.
    pub fn dump_megaflows_from(
        &mut self,
        device: &mut dyn Device,
        from: FlowId,
    ) -> Result<(Vec<MegaflowDump>, Option<FlowId>), DeviceError> {
        let now = device.now();
        let end = self.with_tables(device, |core, tables| {
            let mut id = from;
            while id < core.cache.end() && id - from < DUMP_BATCH && tables.device.now() < now + BATCH_NS {
                core.sync(tables, id, now);
                id += 1;
            }
            core.follow_moves(tables, now);
            id
        })?;
        let mut dump = if from == 0 { self.dump_blocks(device, now)? } else { vec![] };
        dump.extend(self.core.dump_some(from..end, now, |rule| place(&self.rules, rule)));
        Ok((dump, (end < self.core.cache.end()).then_some(end)))
    }

    fn dump_blocks(&mut self, device: &mut dyn Device, now: u64) -> Result<Vec<MegaflowDump>, DeviceError> {
        let ports = self.core.pipeline.ports();
        self.with_guard(device, |guard, _, tables| guard.dump(tables, &ports, now))
    }

    /// All OpenFlow flows, with counters of this moment.
    ///
    /// # Errors
    /// If the device fails.
    pub fn dump_flows(&mut self, device: &mut dyn Device) -> Result<Vec<FlowDump>, DeviceError> {
        let now = device.now();
        self.with_tables(device, |core, tables| core.sync_all(tables, now))?;
        Ok(self.core.dump_flows(now))
    }

    /// The learned stations: VLAN, MAC address, OpenFlow port, age in nanoseconds; the one not heard of for longest first.
    pub fn stations(&self, now: u64) -> Vec<(u16, u64, u16, u64)> {
        let macs = self.core.macs.iter();
        macs.map(|(s, port, used)| (s.vlan(), s.mac(), port, now.saturating_sub(used))).collect()
    }

    /// The device's rules, for counters of ports and queues.
    pub fn rules_mut(&mut self) -> &mut Rules {
        &mut self.rules
    }

    /// The device's rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    fn with_guard<T>(
        &mut self,
        device: &mut dyn Device,
        work: impl FnOnce(&mut Guard, &mut Core<RuleId>, &mut Tables<'_>) -> T,
    ) -> Result<T, DeviceError> {
        let mut tables = Tables { rules: &mut self.rules, device, widest: self.widest, error: None };
        let result = work(&mut self.guard, &mut self.core, &mut tables);
        match tables.error {
            Some(error) => Err(error),
            None => Ok(result),
        }
    }

    fn with_tables<T>(
        &mut self,
        device: &mut dyn Device,
        work: impl FnOnce(&mut Core<RuleId>, &mut Tables<'_>) -> T,
    ) -> Result<T, DeviceError> {
        let mut tables = Tables { rules: &mut self.rules, device, widest: self.widest, error: None };
        let result = work(&mut self.core, &mut tables);
        match tables.error {
            Some(error) => Err(error),
            None => Ok(result),
        }
    }

    /// Hands waiting packets to the device until it has no room or it is this time there, but one at least if it can; returns how many.
    fn flush(&mut self, device: &mut dyn Device, end: u64) -> Result<usize, DeviceError> {
        let mut sent = 0;
        while let Some((vport, frame)) = self.waiting.front() {
            match device.send_packet_out(*vport, frame)? {
                Sent::Full => break,
                Sent::Accepted => {
                    self.waiting_bytes -= frame.len();
                    self.waiting.pop_front();
                    sent += 1;
                }
            }
            if device.now() >= end {
                break;
            }
        }
        Ok(sent)
    }

    fn begin_epoch(&mut self, device: &mut dyn Device) -> Result<(), DeviceError> {
        self.rules.check_owner(device)?;
        let now = device.now();
        self.rules.set_epoch(device, self::core::epoch_of(now))?;
        self.epoch_since = now;
        Ok(())
    }
}

/// A rule that was found, in the terms of the flow tables.
fn left(found: &Found) -> Left<RuleId> {
    let Found { rule, key } = found;
    Left {
        rule: rule.id,
        packet: flow_key(key),
        key: rule.key,
        mask: rule.mask,
        program: rule.program.as_slice().into(),
    }
}

/// Where a rule is, in the form of Open vSwitch's `dp-extra-info`.
fn place(rules: &Rules, rule: RuleId) -> String {
    match rules.place(rule) {
        Ok(Place::Hash { table, slot }) => format!("hash_table({table},{slot})"),
        Ok(Place::Tcam { entry }) => format!("tcam({entry})"),
        // A megaflow's rule is in the tables; if ever it is not, the dump says so.
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
