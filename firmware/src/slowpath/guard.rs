// SPDX-License-Identifier: MIT OR Apache-2.0
//! Looks out for scans and spoofed sources, tells of them, and blocks sources.

use super::blocks::{Blocks, Over};
use super::core::Core;
use super::dump::MegaflowDump;
use super::offload::Tables;
use crate::detect::{
    Action, Answers, Contact, Detection, Event, Heard, Kind, MacAddress, Marks, Scans, Sighting, Spoofs, Subject,
    Watch, contact, source,
};
use crate::openflow::{FlowMask, Ports};
use crate::packet::parse;
use millrace_driver::virtio::FunctionView;
use millrace_driver::{Device, DeviceError, DropReason, DropSample, Found, RuleId, Upcall};
use millrace_regs::config::{Config, MAX_FRAME};
use std::collections::VecDeque;
use std::net::IpAddr;

/// Events that are kept for whoever takes them; older ones are lost, and counted.
const EVENTS: usize = 1024;
/// An address that was read so long (ns) ago is read again before a frame is said not to have it.
const FRESH_NS: u64 = 1_000_000;
/// Time (ns) between two looks at what spoof checks have dropped.
const REFUSED_NS: u64 = 500_000_000;

/// What becomes of an upcall.
pub(super) enum Verdict {
    /// It goes its way, as a packet with these marks.
    Passes(Marks),
    /// Its source is blocked.
    Drops,
}

/// What a function is known to have.
#[derive(Clone, Copy)]
struct Own {
    mac: MacAddress,
    /// Device time (ns) at which it was read.
    at: u64,
}

/// Frames of a function that its policy has dropped.
#[derive(Clone, Copy, Default)]
struct Refused {
    /// The counter when it was last read.
    counter: Option<u32>,
    /// So many have not been told of.
    count: u64,
    /// When they were last told of.
    told: Option<u64>,
    /// The source of one of them, if the device gave a sample.
    sampled: Option<(MacAddress, Option<IpAddr>)>,
    /// They wait for a sample since the last look.
    waits: bool,
}

/// All that is looked out for, and what came of it.
pub(super) struct Guard {
    watch: Watch,
    scans: Option<Scans>,
    spoofs: Option<Spoofs>,
    answers: Answers,
    uplinks: usize,
    own: Vec<Option<Own>>,
    /// Addresses that functions had and have no more: their megaflows say that they are theirs.
    given_up: Vec<(u8, MacAddress)>,
    refused: Vec<Refused>,
    refused_at: Option<u64>,
    blocks: Blocks,
    /// Events that wait until the hardware has their blocks, or cannot have them yet.
    fresh: Vec<Event>,
    events: VecDeque<Event>,
    lost: u64,
}

impl Guard {
    pub fn new(detection: &Detection, config: &Config) -> Guard {
        let vports = config.vports();
        Guard {
            watch: Watch::of(detection),
            scans: detection.scan.map(|scan| Scans::new(scan, vports)),
            spoofs: detection.spoof.map(|spoof| Spoofs::new(spoof, vports)),
            answers: Answers::new(vports),
            uplinks: config.uplinks,
            own: vec![None; vports],
            given_up: Vec::new(),
            refused: vec![Refused::default(); vports],
            refused_at: None,
            blocks: Blocks::default(),
            fresh: Vec::new(),
            events: VecDeque::new(),
            lost: 0,
        }
    }

    /// Looks at a frame before anything is done with it.
    pub fn inspect(&mut self, device: &mut dyn Device, upcall: &Upcall, now: u64) -> Result<Verdict, DeviceError> {
        let vport = upcall.vport;
        let (scans, spoofs) = (self.watch.scan.has(vport), self.watch.spoof.has(vport));
        if !scans && !spoofs {
            return Ok(Verdict::Passes(Marks::default()));
        }
        let (key, _) = parse(&upcall.frame, u16::from(vport) + 1);
        let (mac, ip) = (MacAddress(key.dl_src()), source(&key));
        if self.blocks.drops(vport, mac, ip) {
            return Ok(Verdict::Drops);
        }
        let mut marks = Marks::default();
        let own = if spoofs { self.address(device, vport, mac, now)? } else { None };
        if let Some(own_mac) = own.filter(|own| *own != mac) {
            marks.spoofed = true;
            if self.spoofed(vport, Sighting { src_mac: mac, src_ip: ip, own_mac, count: 1 }, now) {
                return Ok(Verdict::Drops);
            }
        }
        if let Some(contact) = scans.then(|| contact(&key, &mut FlowMask::default())).flatten()
            && !self.answers.has(vport, &contact)
        {
            marks.contact = true;
            if self.contacted(vport, &contact, mac, now) {
                return Ok(Verdict::Drops);
            }
        }
        Ok(Verdict::Passes(marks))
    }

    /// Whether this source is blocked.
    pub fn blocks(&self, vport: u8, mac: MacAddress, ip: Option<IpAddr>) -> bool {
        self.blocks.would_drop(vport, mac, ip)
    }

    /// What was heard of packets that are on their way, or that the hardware handled.
    pub fn hear(&mut self, heard: Heard, now: u64) {
        match heard {
            Heard::Asked(vports, asker) => self.answers.asked(vports, asker),
            Heard::Contact(vport, contact, mac) => {
                self.contacted(vport, &contact, mac, now);
            }
            Heard::Spoofed(vport, src_mac, src_ip, count) => {
                let own = self.own.get(usize::from(vport)).copied().flatten();
                if let Some(Own { mac: own_mac, .. }) = own.filter(|own| own.mac != src_mac) {
                    self.spoofed(vport, Sighting { src_mac, src_ip, own_mac, count }, now);
                }
            }
        }
    }

    /// What time brings: counts that are due, what spoof checks have dropped, blocks that are over.
    pub fn tick(&mut self, tables: &mut Tables<'_>, now: u64) {
        for Over { vport, subject, reason, dropped } in self.blocks.end(tables, now) {
            self.tell(Event {
                at: now,
                vport,
                kind: Kind::Unblocked { subject, reason, dropped },
                action: Action::None,
            });
        }
        for (vport, kind) in self.spoofs.as_mut().map(|spoofs| spoofs.due(now)).unwrap_or_default() {
            self.tell(Event { at: now, vport, kind, action: Action::None });
        }
        if self.refused_at.is_none_or(|at| now - at >= REFUSED_NS) {
            self.refused_at = Some(now);
            self.take_samples(tables.device);
            if let Err(error) = self.count_refused(tables.device, now) {
                tables.error.get_or_insert(error);
            }
        }
    }

    /// Has the hardware block what is to be blocked, and lets events go.
    pub fn place(&mut self, core: &mut Core<RuleId>, tables: &mut Tables<'_>, now: u64) {
        for (vport, mac) in self.given_up.drain(..) {
            core.remove_source(tables, vport, mac.0, now);
        }
        if self.blocks.waits() {
            self.blocks.place(core, tables, now);
        }
        for mut event in std::mem::take(&mut self.fresh) {
            if let (Action::Blocked { offloaded, .. }, Some(subject)) = (&mut event.action, subject(&event.kind)) {
                *offloaded = self.blocks.is_offloaded(event.vport, subject);
                core.stats.blocks += 1;
            }
            core.stats.events += 1;
            if self.events.len() == EVENTS {
                self.events.pop_front();
                self.lost += 1;
            }
            self.events.push_back(event);
        }
    }

    /// Whether [`place`](Self::place) has something new to do.
    pub fn has_news(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// What was told since it was last asked for, and how many before that were lost since.
    pub fn take_events(&mut self) -> (Vec<Event>, u64) {
        (self.events.drain(..).collect(), std::mem::take(&mut self.lost))
    }

    /// Takes blocks over that an earlier slow path left, for as long as one that begins now; gives the rules that are none.
    pub fn adopt(&mut self, tables: &mut Tables<'_>, found: Vec<Found>, now: u64) -> Vec<Found> {
        let (scans, spoofs) = (self.scans.as_ref(), self.spoofs.as_ref());
        let until = |vport, subject| {
            let (reason, vports, block) = match subject {
                Subject::SrcIp(_) => scans.map(|s| ("scan", s.settings().vports, s.settings().block))?,
                Subject::SrcMac(_) => spoofs.map(|s| ("spoof", s.settings().vports, s.settings().block))?,
            };
            block.filter(|_| vports.has(vport)).map(|ns| (reason, now + ns))
        };
        self.blocks.adopt(tables, found, until)
    }

    /// The blocks, as megaflows are shown.
    pub fn dump(&self, tables: &mut Tables<'_>, ports: &Ports, now: u64) -> Vec<MegaflowDump> {
        self.blocks.dump(tables, ports, now)
    }

    /// The device time (ns) from which on [`tick`](Self::tick) has something to do if no packet moves until then.
    pub fn next_due(&self) -> Option<u64> {
        let spoofs = self.spoofs.as_ref().and_then(Spoofs::next_due);
        spoofs.into_iter().chain(self.blocks.next_due()).min()
    }

    fn tell(&mut self, event: Event) {
        self.fresh.push(event);
    }

    /// A source contacts somebody; whether it is blocked for it.
    fn contacted(&mut self, vport: u8, contact: &Contact, mac: MacAddress, now: u64) -> bool {
        let Some(scans) = &mut self.scans else { return false };
        if self.blocks.has(vport, Subject::SrcIp(contact.source)) {
            // What was counted before.
            return true;
        }
        let block = scans.settings().block;
        let Some(kind) = scans.contact(vport, contact, Some(mac), now) else { return false };
        let action = self.block(vport, &kind, block, now);
        self.tell(Event { at: now, vport, kind, action });
        let blocked = matches!(action, Action::Blocked { .. });
        if let (true, Some(scans)) = (blocked, &mut self.scans) {
            scans.forget(vport, contact.source);
        }
        blocked
    }

    /// Frames have a source that is not theirs; whether it is blocked for it.
    fn spoofed(&mut self, vport: u8, seen: Sighting, now: u64) -> bool {
        let Some(spoofs) = &mut self.spoofs else { return false };
        if self.blocks.has(vport, Subject::SrcMac(seen.src_mac)) {
            return true;
        }
        let block = spoofs.settings().block;
        let told = spoofs.see(vport, seen, now);
        let Some(kind) = told else { return false };
        let action = self.block(vport, &kind, block, now);
        self.tell(Event { at: now, vport, kind, action });
        let blocked = matches!(action, Action::Blocked { .. });
        if let (true, Some(spoofs)) = (blocked, &mut self.spoofs) {
            spoofs.forget(vport, seen.src_mac);
        }
        blocked
    }

    /// Blocks whom this is about, if it is asked for.
    fn block(&mut self, vport: u8, kind: &Kind, block: Option<u64>, now: u64) -> Action {
        let (Some(ns), Some(subject)) = (block, subject(kind)) else { return Action::None };
        let until = now + ns;
        if self.blocks.add(vport, subject, reason(kind), until) {
            Action::Blocked { until, offloaded: false }
        } else {
            Action::TooManyBlocks
        }
    }

    /// The address of the function behind a vport, if there is one. It is read again before another one is found in a frame: the function's driver may have
    /// changed it.
    fn address(
        &mut self,
        device: &mut dyn Device,
        vport: u8,
        seen: MacAddress,
        now: u64,
    ) -> Result<Option<MacAddress>, DeviceError> {
        let Some(known) = self.own.get_mut(usize::from(vport)) else { return Ok(None) };
        match known {
            Some(own) if own.mac == seen || now - own.at < FRESH_NS => {}
            _ => {
                let view = view(device, self.uplinks, vport)?;
                return Ok(view.map(|view| self.has_address(vport, view.mac.into(), now)));
            }
        }
        Ok(known.map(|own| own.mac))
    }

    /// A function has this address now.
    fn has_address(&mut self, vport: u8, mac: MacAddress, now: u64) -> MacAddress {
        if let Some(known) = self.own.get_mut(usize::from(vport)) {
            let before = known.replace(Own { mac, at: now });
            self.given_up.extend(before.filter(|own| own.mac != mac).map(|own| (vport, own.mac)));
        }
        mac
    }

    /// Takes what the device has shown of frames that spoof checks have dropped.
    fn take_samples(&mut self, device: &mut dyn Device) {
        while let Some(DropSample { vport, reason, mut frame }) = device.next_drop_sample() {
            if reason != DropReason::Spoof {
                continue;
            }
            // What headers say of the rest is not there.
            frame.resize(MAX_FRAME, 0);
            let (key, _) = parse(&frame, u16::from(vport) + 1);
            if let Some(known) = self.refused.get_mut(usize::from(vport)) {
                known.sampled = Some((MacAddress(key.dl_src()), source(&key)));
            }
        }
    }

    /// Reads what the functions' policies have dropped, and tells of it once in the time that counts. A sample may come a little later than it is counted.
    fn count_refused(&mut self, device: &mut dyn Device, now: u64) -> Result<(), DeviceError> {
        let Some(within) = self.spoofs.as_ref().map(|spoofs| spoofs.settings().within) else { return Ok(()) };
        for vport in self.watch.spoof.numbers() {
            let Some(FunctionView { mac, policy, refused }) = view(device, self.uplinks, vport)? else { continue };
            self.has_address(vport, mac.into(), now);
            let Some(known) = self.refused.get_mut(usize::from(vport)) else { continue };
            let new = known.counter.replace(refused).map_or(0, |before| refused.wrapping_sub(before));
            if !policy.spoof_check {
                // A VLAN's frames for others: nothing that the function does.
                continue;
            }
            known.count += u64::from(new);
            if known.count == 0 || known.told.is_some_and(|told| now - told < within) {
                continue;
            }
            if known.sampled.is_none() && !std::mem::replace(&mut known.waits, true) {
                continue;
            }
            let (count, sampled) = (std::mem::take(&mut known.count), known.sampled.take());
            (known.told, known.waits) = (Some(now), false);
            let kind = match (policy.vlan, sampled) {
                (Some(_), None) => Kind::Refused { count, by: vec!["spoofchk", "vlan"] },
                (_, sampled) => {
                    let (src_mac, src_ip) = (sampled.map(|(mac, _)| mac), sampled.and_then(|(_, ip)| ip));
                    Kind::Spoof { src_mac, src_ip, own_mac: mac.into(), count }
                }
            };
            self.tell(Event { at: now, vport, kind, action: Action::Dropped });
        }
        Ok(())
    }
}

/// What the function behind a vport may send.
fn view(device: &mut dyn Device, uplinks: usize, vport: u8) -> Result<Option<FunctionView>, DeviceError> {
    match usize::from(vport).checked_sub(uplinks) {
        Some(n) => device.function(n as u32 + 1),
        None => Ok(None),
    }
}

/// Whom it is about.
fn subject(kind: &Kind) -> Option<Subject> {
    match kind {
        Kind::Scan { src_ip, .. } => Some(Subject::SrcIp(*src_ip)),
        Kind::Spoof { src_mac, .. } => src_mac.map(Subject::SrcMac),
        Kind::Refused { .. } | Kind::Unblocked { .. } => None,
    }
}

fn reason(kind: &Kind) -> &'static str {
    match kind {
        Kind::Scan { .. } => "scan",
        _ => "spoof",
    }
}
