// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path without a device: what becomes of a missed packet, and the life of its megaflow.

use super::cache::{Cache, FlowId, Home, Megaflow, Wanted};
use super::departed::Departed;
use super::offload::{Hits, Offload};
use super::stats::{Dropped, FlowStats, Stats};
use crate::compile::{Program, Software, hardware_key, hardware_mask, program};
use crate::detect::{Detection, Heard as Watched, Marks, Watch};
use crate::mac::{Heard, Learned, MAC_AGING_NS, MAC_TABLE_SIZE, MacTable, Station};
use crate::openflow::{FlowKey, FlowTable};
use crate::packet::{Packet, parse};
use crate::xlate::{Pipeline, Translation, XlateError, translate};
use millrace_driver::{Count, Others};
use millrace_regs::{Key, Mask, UpcallReason};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::hash::Hash;
use std::ops::Range;

/// `AGE_EPOCH` counts in this unit, so that the epoch of a rule's last hit tells a time before which it was not. Of two hits longer
/// ago than 2^32 units one may count as younger: rules are read far more often.
pub const EPOCH_NS: u64 = 1_000;

/// Limits and times. Times are device time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Megaflows kept at most, in hardware and software.
    pub flow_limit: usize,
    /// A megaflow that was not used for so long is removed (Open vSwitch's `max-idle`).
    pub max_idle: u64,
    /// Age at which a station is forgotten.
    pub mac_aging: u64,
    /// Stations remembered at most.
    pub mac_table_size: usize,
    /// Rules whose counters are read at most each time that the slow path has its turn: where that takes long, upcalls do not wait for all.
    pub counters_at_once: usize,
    /// What to do about a device whose tables are another driver's.
    pub others: Others,
    /// What to look out for in the frames of ports.
    pub detect: Detection,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            flow_limit: 200_000,
            max_idle: 10_000_000_000,
            mac_aging: MAC_AGING_NS,
            mac_table_size: MAC_TABLE_SIZE,
            counters_at_once: usize::MAX,
            others: Others::Refuse,
            detect: Detection::default(),
        }
    }
}

/// Flow tables, learned stations, and the megaflows that follow from them.
pub struct Core<R> {
    pub(super) pipeline: Pipeline,
    pub(super) macs: MacTable,
    pub(super) cache: Cache<R>,
    pub(super) stats: Stats,
    /// What was dropped, by the vport it came in on.
    dropped: Vec<Dropped>,
    pub(super) flow_stats: Vec<FlowStats>,
    pub(super) settings: Settings,
    /// The device's longest frame.
    max_frame: usize,
    /// The packet in hand: its key and what becomes of it.
    key: FlowKey,
    translation: Translation,
    /// Of the packet of a megaflow that is looked at again. Kept for the room on the heap that it has.
    again: Translation,
    length: usize,
    punted: bool,
    packet: Packet,
    /// What the packet in hand was found to be.
    pub(super) marks: Marks,
    /// What megaflows look at for it.
    pub(super) watch: Watch,
    /// What was heard of packets of watched ports, and nobody has asked for yet.
    pub(super) watched: Vec<Watched>,
    /// Megaflows that may not agree with the flow tables yet.
    pub(super) stale: Range<FlowId>,
    /// Stations whose place changed, and on which megaflows may depend.
    pub(super) moved: Vec<Station>,
    /// Where the last walk over the cache stopped: for counters, for eviction.
    pub(super) sync_hand: usize,
    pub(super) sync_time: u64,
    pub(super) evict_hand: usize,
    /// Device time (ns) at which a megaflow that is not in use may be found again.
    pub(super) evict_again: u64,
    /// Megaflows that wait to be handed over, and since when; the first waits longest. Some may be gone.
    pub(super) deferred: VecDeque<(FlowId, u64)>,
    /// Whether any can.
    pub(super) hands_over: bool,
    /// Device time (ns) before which none of them is quiet.
    pub(super) quiet_at: u64,
    pub(super) departed: FxHashMap<R, Departed>,
    /// Device time (ns) at which last counts were last asked for.
    pub(super) asked_last_counts: u64,
}

impl<R: Copy + Eq + Hash + std::fmt::Debug> Core<R> {
    /// Starts with these flows at this device time, on a device that puts out frames of `max_frame` bytes and less.
    pub fn new(flows: FlowTable, settings: Settings, max_frame: usize, now: u64) -> Core<R> {
        let flow_stats = vec![FlowStats { created: now, used: now, ..FlowStats::default() }; flows.flows.len()];
        Core {
            pipeline: Pipeline::new(flows),
            macs: MacTable::new(settings.mac_aging, settings.mac_table_size),
            cache: Cache::default(),
            stats: Stats::default(),
            dropped: Vec::new(),
            flow_stats,
            settings,
            max_frame,
            key: FlowKey::default(),
            translation: Translation::default(),
            again: Translation::default(),
            length: 0,
            punted: false,
            packet: Packet::default(),
            marks: Marks::default(),
            watch: Watch::of(&settings.detect),
            watched: Vec::new(),
            stale: 0..0,
            moved: Vec::new(),
            sync_hand: 0,
            sync_time: now,
            evict_hand: 0,
            evict_again: 0,
            deferred: VecDeque::new(),
            hands_over: true,
            quiet_at: 0,
            departed: FxHashMap::default(),
            asked_last_counts: now,
        }
    }

    /// What the slow path has counted.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Frames dropped of those that came in on a vport.
    pub fn dropped(&self, vport: u8) -> Dropped {
        self.dropped.get(usize::from(vport)).copied().unwrap_or_default()
    }

    /// Megaflows: all, and those in the hardware.
    pub fn megaflows(&self) -> (usize, usize) {
        (self.cache.len(), self.cache.in_hardware())
    }

    /// Handles a packet that missed now: puts its copies out through `send` (vport, frame), which says whether it took the copy, then
    /// hands its megaflow over at once.
    pub fn handle(
        &mut self,
        offload: &mut impl Offload<Rule = R>,
        vport: u8,
        reason: UpcallReason,
        frame: &[u8],
        now: u64,
        send: impl FnMut(u8, &[u8]) -> bool,
    ) {
        self.forward(vport, reason, frame, send);
        self.program(offload, now, now);
        self.hand_over_all(offload, now);
    }

    /// First half of [`handle`](Self::handle): translates the packet and puts its copies out.
    pub fn forward(&mut self, vport: u8, reason: UpcallReason, frame: &[u8], send: impl FnMut(u8, &[u8]) -> bool) {
        self.count_upcall(reason);
        let (key, headers) = parse(frame, u16::from(vport) + 1);
        translate(&self.pipeline, &self.macs, &key, &mut self.translation);
        self.watched.extend(self.watch.look(&key, &mut self.translation));
        self.key = key;
        self.length = frame.len();
        self.punted = reason == UpcallReason::Punt;
        let max_frame = self.max_frame;
        let mut out = Outputs { packet: &mut self.packet, max_frame, sent: 0, oversize: 0, queue_full: 0, send };
        for version in &self.translation.versions {
            // Each version is an edit of the packet as it was received.
            if version.key.0[EDITABLE..] == key.0[EDITABLE..] {
                out.put(version.outputs, Some(frame));
            } else {
                out.packet.reset_parsed(frame, key, headers);
                out.packet.commit(&version.key);
                out.put(version.outputs, None);
            }
        }
        let Outputs { sent, oversize, queue_full, .. } = out;
        self.stats.sent += sent;
        self.stats.copies_oversize += oversize;
        self.stats.copies_queue_full += queue_full;
        if sent == 0 {
            self.count_drop(vport, oversize, queue_full);
        }
    }

    /// A packet that somebody may not send is dropped.
    pub(super) fn drop_blocked(&mut self, vport: u8, reason: UpcallReason) {
        self.count_upcall(reason);
        self.count_dropped(vport, |dropped| &mut dropped.drop_blocked);
    }

    fn count_upcall(&mut self, reason: UpcallReason) {
        *match reason {
            UpcallReason::Punt => &mut self.stats.punts,
            UpcallReason::Action => &mut self.stats.rule_upcalls,
            UpcallReason::Miss => &mut self.stats.misses,
        } += 1;
    }

    /// Counts a packet of which no copy was put out.
    fn count_drop(&mut self, vport: u8, oversize: u64, queue_full: u64) {
        let Translation { error, ttl_expired, .. } = self.translation;
        self.count_dropped(vport, |dropped| match error {
            Some(XlateError::TooManyCopies) => &mut dropped.drop_copies,
            Some(_) => &mut dropped.drop_resubmits,
            None if queue_full > 0 => &mut dropped.drop_queue_full,
            None if oversize > 0 => &mut dropped.drop_tx_oversize,
            None if ttl_expired => &mut dropped.drop_ttl,
            None => &mut dropped.drop_flow,
        });
    }

    fn count_dropped(&mut self, vport: u8, reason: impl Fn(&mut Dropped) -> &mut u64) {
        let vport = usize::from(vport);
        if vport >= self.dropped.len() {
            self.dropped.resize(vport + 1, Dropped::default());
        }
        for dropped in [&mut self.dropped[vport], &mut self.stats.dropped] {
            *reason(dropped) += 1;
        }
    }

    /// Whether the packet in hand tells where stations are.
    pub fn teaches(&self) -> bool {
        !self.translation.learned.is_empty()
    }

    /// Second half of [`handle`](Self::handle): learns from the packet, which left the hardware at `at`, and finds or makes its megaflow. A new
    /// one waits for [`hand_over`](Self::hand_over).
    pub fn program(&mut self, offload: &mut impl Offload<Rule = R>, at: u64, now: u64) {
        for i in 0..self.translation.learned.len() {
            let (station, port) = self.translation.learned[i];
            self.learn(station, port, Heard::Packet(at));
        }
        let length = self.length as u64;
        for &flow in &self.translation.flows {
            credit(&mut self.flow_stats[flow as usize], Count { packets: 1, bytes: length }, now);
        }
        // Rules that learned of a station elsewhere go before one that learned of it here comes: so all hits of the one are older
        // than all of the other.
        let moved = !self.moved.is_empty();
        self.follow_moves(offload, now);
        if !self.places_hold(&self.translation.learned) {
            // It was heard of elsewhere since. A rule would keep to itself that the station comes back.
            return;
        }
        let (id, new) = self.record(offload, now);
        // As in Open vSwitch, the packet that a megaflow was made for does not count for it.
        if let Some(megaflow) = self.cache.get_mut(id).filter(|_| !new) {
            megaflow.count.packets += 1;
            megaflow.count.bytes += length;
            megaflow.used = now;
        }
        if moved && !self.translation.asked.is_empty() {
            // It was translated before.
            self.revalidate(offload, id, now);
        }
    }

    /// Whether all these stations are on these ports.
    fn places_hold(&self, learned: &[(Station, u16)]) -> bool {
        learned.iter().all(|&(station, port)| self.macs.lookup(station) == Some(port))
    }

    /// The megaflow of the packet in hand; makes it if there is none, and says that it did.
    fn record(&mut self, offload: &mut impl Offload<Rule = R>, now: u64) -> (FlowId, bool) {
        let (full, mask) = (hardware_key(&self.key), hardware_mask(&self.translation.mask));
        if let Some(id) = self.cache.find(&(full & mask), &mask) {
            self.meet(id, now);
            return (id, false);
        }
        if self.cache.len() >= self.settings.flow_limit {
            self.evict(offload, Wanted::Cache, now);
        }
        let program = if self.punted { Err(Software::Punted) } else { program(&self.key, &self.translation) };
        let (home, program) = match program {
            Err(reason) => (Home::Software(reason), Program::new()),
            Ok(program) => (Home::Deferred(now), program),
        };
        let id = self.cache.insert(self.megaflow(full & mask, mask, home, program, now));
        if home == Home::Deferred(now) {
            self.defer(id, now);
        }
        (id, true)
    }

    /// The packet in hand is of a megaflow that there is.
    fn meet(&mut self, id: FlowId, now: u64) {
        match self.cache.get(id).map(|m| m.home) {
            // It was on its way here when its rule came.
            Some(Home::Hardware(_)) => self.stats.overtaken += u64::from(!self.punted),
            Some(Home::Refused(_, retry)) if now >= retry => {
                let packet = self.key;
                self.cache.refresh(id, |m| (m.packet, m.home) = (packet, Home::Deferred(now)));
                self.defer(id, now);
            }
            _ => {}
        }
    }

    fn megaflow(&self, hw_key: Key, hw_mask: Mask, home: Home<R>, program: Program, now: u64) -> Megaflow<R> {
        Megaflow {
            packet: self.key,
            mask: self.translation.mask,
            hw_key,
            hw_mask,
            home,
            program,
            flows: SmallVec::from_slice(&self.translation.flows),
            learned: self.translation.learned.clone(),
            asked: self.translation.asked.clone(),
            count: Count::default(),
            hw_count: Count::default(),
            asked_at: now,
            made_for: self.length as u64,
            used: now,
            marks: self.marks,
        }
    }

    pub(super) fn learn(&mut self, station: Station, port: u16, heard: Heard) {
        let moved = &mut self.moved;
        match self.macs.learn(station, port, heard, |evicted| moved.push(evicted)) {
            Learned::New | Learned::Moved(_) => moved.push(station),
            Learned::Known | Learned::Late(_) => {}
        }
    }

    /// Looks again at the megaflows that depend on stations whose place has changed.
    pub(super) fn follow_moves(&mut self, offload: &mut impl Offload<Rule = R>, now: u64) {
        while let Some(station) = self.moved.pop() {
            let port = self.macs.lookup(station);
            for id in self.cache.dependents(station) {
                let Some(megaflow) = self.cache.get(id) else {
                    continue;
                };
                if megaflow.learned.iter().any(|&(s, p)| s == station && Some(p) != port) {
                    // Its next packet tells that the station is back.
                    self.remove(offload, id, now);
                } else {
                    self.revalidate(offload, id, now);
                }
            }
        }
    }

    /// Books what a megaflow's rule has counted since it was last asked.
    pub(super) fn sync(&mut self, offload: &mut impl Offload<Rule = R>, id: FlowId, now: u64) {
        self.sync_if_older(offload, id, u64::MAX, now);
    }

    /// As [`sync`](Self::sync), unless the rule was asked at this time or later.
    pub(super) fn sync_if_older(&mut self, offload: &mut impl Offload<Rule = R>, id: FlowId, than: u64, now: u64) {
        if let Some(&Megaflow { home: Home::Hardware(rule), asked_at, .. }) = self.cache.get(id)
            && asked_at < than
        {
            let hits = offload.hits(rule);
            self.book(id, hits, now);
        }
    }

    fn book(&mut self, id: FlowId, hits: Hits, now: u64) {
        let Some(megaflow) = self.cache.get_mut(id) else {
            return;
        };
        let new = hits.count.since(megaflow.hw_count);
        let asked_before = megaflow.asked_at;
        megaflow.asked_at = asked_before.max(now);
        if new.packets == 0 {
            return;
        }
        megaflow.hw_count = hits.count;
        megaflow.count.packets += new.packets;
        megaflow.count.bytes += new.bytes;
        // The last packet counted no earlier than its epoch began, and after the counter was last read.
        let epochs_ago = hits.epoch.map_or(u32::MAX, |epoch| epoch_of(now).wrapping_sub(epoch));
        let used = (now - now % EPOCH_NS).saturating_sub(u64::from(epochs_ago) * EPOCH_NS).max(asked_before);
        megaflow.used = megaflow.used.max(used);
        for &flow in &megaflow.flows {
            credit(&mut self.flow_stats[flow as usize], new, used);
        }
        self.watched.extend(Watch::counted(megaflow.marks, &megaflow.packet, new.packets));
        for (station, port) in megaflow.learned.clone() {
            self.learn(station, port, Heard::Counter(used));
        }
    }

    /// Removes a megaflow, from the hardware too.
    pub(super) fn remove(&mut self, offload: &mut impl Offload<Rule = R>, id: FlowId, now: u64) {
        // What it counts from now on is younger.
        self.sync_if_older(offload, id, now, now);
        if let Some(Home::Hardware(rule)) = self.cache.get(id).map(|m| m.home) {
            offload.remove(rule);
            self.stats.removed += 1;
            if let Some(megaflow) = self.cache.get(id) {
                self.departed.insert(rule, Departed::new(megaflow));
            }
        }
        self.cache.remove(id);
    }

    /// Removes the megaflows of packets with this source address: their next packet tells what they are now.
    pub(super) fn remove_source(&mut self, offload: &mut impl Offload<Rule = R>, vport: u8, dl_src: u64, now: u64) {
        let port = u16::from(vport) + 1;
        let of_source = |m: &Megaflow<R>| (m.packet.in_port(), m.packet.dl_src()) == (port, dl_src);
        let found: Vec<FlowId> = self.cache.iter().filter(|(_, m)| of_source(m)).map(|(id, _)| id).collect();
        found.into_iter().for_each(|id| self.remove(offload, id, now));
    }

    /// Translates a megaflow's packet again and makes the megaflow what a new one would be, or removes it.
    pub(super) fn revalidate(&mut self, offload: &mut impl Offload<Rule = R>, id: FlowId, now: u64) {
        let Some(megaflow) = self.cache.get(id) else {
            return;
        };
        self.stats.revalidated += 1;
        let mut translation = std::mem::take(&mut self.again);
        translate(&self.pipeline, &self.macs, &megaflow.packet, &mut translation);
        self.watch.look(&megaflow.packet, &mut translation);
        let mask = hardware_mask(&translation.mask);
        let wanted = program(&megaflow.packet, &translation);
        let same_flows = megaflow.flows[..] == translation.flows[..];
        let home = megaflow.home;
        let unchanged = wanted.as_ref().is_ok_and(|wanted| *wanted == megaflow.program);
        let covers = megaflow.hw_mask.covers(&mask);
        if !same_flows {
            // What it counted until now was for the old ones.
            self.sync(offload, id, now);
        }
        let keep = covers
            && self.places_hold(&translation.learned)
            && match (home, &wanted) {
                (Home::Hardware(_) | Home::Software(Software::ProgramTooLong), Ok(_)) if unchanged => true,
                (Home::Hardware(rule), Ok(wanted)) => {
                    let updated = offload.update(rule, wanted).is_ok();
                    self.stats.updated += u64::from(updated);
                    updated
                }
                (Home::Refused(..) | Home::Deferred(_), Ok(_)) => true,
                (Home::Software(Software::Punted), _) => true,
                (Home::Software(reason), Err(now)) => reason == *now,
                _ => false,
            };
        if keep {
            self.cache.refresh(id, |m| {
                m.mask = translation.mask;
                m.program = wanted.unwrap_or_default();
                m.flows = SmallVec::from_slice(&translation.flows);
                m.learned = translation.learned.clone();
                m.asked = translation.asked.clone();
            });
        } else {
            self.remove(offload, id, now);
        }
        self.again = translation;
    }
}

/// First word of a key that edits of a packet can change.
const EDITABLE: usize = crate::openflow::STAGE_ENDS[0];

/// `AGE_EPOCH` at a time.
pub const fn epoch_of(now: u64) -> u32 {
    (now / EPOCH_NS) as u32
}

pub(super) fn credit(stats: &mut FlowStats, count: Count, used: u64) {
    stats.packets += count.packets;
    stats.bytes += count.bytes;
    stats.used = stats.used.max(used);
}

/// Puts copies of a packet out.
struct Outputs<'a, S> {
    packet: &'a mut Packet,
    max_frame: usize,
    /// Copies that were taken.
    sent: u64,
    /// Copies that were too long.
    oversize: u64,
    /// Copies that were not taken.
    queue_full: u64,
    send: S,
}

impl<S: FnMut(u8, &[u8]) -> bool> Outputs<'_, S> {
    /// Puts the frame, or if none is given the edited packet, out to vports.
    fn put(&mut self, vports: u128, frame: Option<&[u8]>) {
        let frame = frame.unwrap_or_else(|| self.packet.bytes());
        if frame.len() > self.max_frame {
            self.oversize += u64::from(vports.count_ones());
            return;
        }
        let mut left = vports;
        while left != 0 {
            let vport = left.trailing_zeros() as u8;
            left &= left - 1;
            let taken = (self.send)(vport, frame);
            self.sent += u64::from(taken);
            self.queue_full += u64::from(!taken);
        }
    }
}
