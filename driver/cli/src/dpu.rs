// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device with its slow path, as the commands use it.

#[cfg(feature = "simulation")]
mod simulated;

#[cfg(feature = "simulation")]
pub use simulated::LEAP;

use crate::control::Text;
use crate::error::BadInput;
use crate::events::EventLog;
use crate::flow_file::{self, Files};
use crate::loader::{self, Loader, Ticket};
use crate::query::RegisterValue;
use crate::registers;
use crate::stats::{Count, LeftOut, PortStats, Sent, Stats};
use anyhow::{Context, Result};
use millrace_driver::{Device, DeviceError, Image, Verdicts};
use millrace_firmware::openflow::FlowTable;
use millrace_firmware::slowpath::{self, MegaflowDump, Settings, SlowPath};
use millrace_regs::config::{Config, Preset};
use millrace_regs::{Instance, Verdict, addr, instances};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// A megaflow as it is shown.
#[derive(Serialize)]
pub struct Rule {
    /// In the form of `ovs-appctl dpctl/dump-flows -m`.
    pub text: String,
    /// The same, taken apart.
    #[serde(flatten)]
    pub megaflow: MegaflowDump,
}

/// What was under way at a port when a run was broken off.
#[derive(Clone, Copy, Default)]
struct Undone {
    /// Frames queued at the port, of which nothing had entered.
    not_entered: u64,
    /// Frames that came in here and that the slow path had not looked at.
    upcalls: u64,
    /// Copies that were to leave here.
    copies: u64,
}

pub struct Dpu<D> {
    device: D,
    slow_path: SlowPath,
    loader: Loader,
    events: EventLog,
    since_turn: u32,
    /// Cycle from which on all rules are those of the present flows.
    reloaded_at: Option<u64>,
    undone: Vec<Undone>,
    /// Packets that had entered when time was last to pass, and the cycle in which that number was new.
    #[cfg(feature = "simulation")]
    entered: (u64, u64),
    /// Packets of captures that do not enter, by port.
    pub left_out: Vec<LeftOut>,
}

impl<D: Device> Dpu<D> {
    /// Takes a device, with these flows in force, and takes the rules over that the image shows.
    pub fn with_image(mut device: D, flows: FlowTable, settings: Settings, image: Image) -> Result<Self, DeviceError> {
        let slow_path = SlowPath::with_image(&mut device, flows, settings, image)?;
        Ok(Self::with(device, slow_path))
    }

    fn with(device: D, slow_path: SlowPath) -> Self {
        let vports = slow_path.rules().config().vports();
        let (undone, left_out) = (vec![Undone::default(); vports], vec![LeftOut::default(); vports]);
        Self {
            device,
            slow_path,
            loader: Loader::default(),
            events: EventLog::default(),
            since_turn: 0,
            reloaded_at: None,
            undone,
            #[cfg(feature = "simulation")]
            entered: (0, 0),
            left_out,
        }
    }

    /// The device.
    pub fn device(&mut self) -> &mut D {
        &mut self.device
    }

    /// The slow path, to look at.
    pub fn slow_path(&self) -> &SlowPath {
        &self.slow_path
    }

    /// Device and slow path.
    pub fn parts(&mut self) -> (&mut D, &mut SlowPath) {
        (&mut self.device, &mut self.slow_path)
    }

    /// What the slow path has counted.
    pub fn counted(&self) -> &slowpath::Stats {
        self.slow_path.stats()
    }

    /// The device, without its slow path: the tables stay as they are.
    pub fn into_device(self) -> D {
        self.device
    }

    /// What the device contains.
    pub fn config(&self) -> &Config {
        self.slow_path.rules().config()
    }

    /// The slow path has packets to handle, or flows to put in force.
    pub fn has_work(&self) -> bool {
        self.slow_path.waiting() > 0 || self.slow_path.is_replacing()
    }

    /// The slow path's turn: how many packets it handled or put out.
    pub fn turn(&mut self) -> Result<usize> {
        self.since_turn = 0;
        let moved = self.slow_path.poll(&mut self.device)?;
        let (events, lost) = self.slow_path.take_events();
        self.events.add(self.slow_path.rules().config(), events, lost);
        Ok(moved)
    }

    /// What was told of scans and spoofed sources.
    pub fn events(&mut self) -> &mut EventLog {
        &mut self.events
    }

    /// Begins to read the text of a flow file, and of a group file if other groups are to be there. When it is read its flows are in force
    /// for packets that miss from then on, and bit by bit for the others.
    pub fn reload(&mut self, flows: &Text, groups: Option<&Text>) -> Result<Ticket> {
        let (config, present) = (*self.config(), self.slow_path.groups().clone());
        let (flows, groups) = (flows.clone(), groups.cloned());
        self.begin_reload(Box::new(move || {
            let groups =
                groups.map(|groups| flow_file::parse_groups(&groups.name, &groups.text, &config)).transpose()?;
            flow_file::parse(&flows.name, &flows.text, groups.unwrap_or(present), &config)
        }))
    }

    /// As [`Self::reload`], from the files that the device runs by.
    pub fn reload_files(&mut self, files: Files<'_>) -> Result<Ticket> {
        let (config, flows, groups) = (*self.config(), files.flows.to_owned(), files.groups.map(Path::to_owned));
        self.begin_reload(Box::new(move || {
            flow_file::read_again(Files { flows: &flows, groups: groups.as_deref() }, &config)
        }))
    }

    fn begin_reload(&mut self, read: loader::Read) -> Result<Ticket> {
        self.loader.begin(read).context("cannot start a thread that reads flows")
    }

    /// Flows that are read by now come into force.
    pub fn take_flows(&mut self) {
        while let Some(flows) = self.loader.take() {
            self.slow_path.begin_replacing(self.device.now(), flows);
            self.reloaded_at = None;
        }
    }

    /// Whether these flows are read; for those that are refused the reason, once.
    pub fn is_read(&mut self, ticket: Ticket) -> Result<bool, BadInput> {
        self.take_flows();
        self.loader.is_read(ticket)
    }

    /// No rule of the flows before these is in the hardware any more.
    pub fn rules_agree(&self) -> bool {
        !self.slow_path.is_replacing()
    }

    /// Some of the megaflows, those in the hardware and those that the slow path handles: from a number on, and the number from
    /// which on there are more.
    pub fn rules(&mut self, from: u32) -> Result<(Vec<Rule>, Option<u32>)> {
        let (megaflows, next) = self.slow_path.dump_megaflows_from(&mut self.device, from)?;
        Ok((megaflows.into_iter().map(|megaflow| Rule { text: megaflow.to_string(), megaflow }).collect(), next))
    }

    /// What happened at the ports so far. `sent`: what left each of them; what went into their queues, if nobody counted.
    pub fn port_stats(&mut self, sent: &[Sent]) -> Result<Stats> {
        let config = *self.config();
        let mut ports = BTreeMap::new();
        for vport in 0..config.vports() {
            let rules = self.slow_path.rules_mut();
            let verdicts = rules.verdicts(&mut self.device, vport as u8)?;
            let queue = rules.queue_stats(&mut self.device, vport as u8)?;
            let queued = Sent { packets: queue.packets, bytes: queue.bytes, ..Sent::default() };
            let mut port = port_stats(&verdicts, sent.get(vport).unwrap_or(&queued));
            port.openflow = vport + 1;
            port.left_out = self.left_out[vport].by_reason().map(|(reason, n)| (reason.to_string(), n)).into();
            port.not_sent.insert("queue_full".into(), queue.drops);
            let dropped = self.slow_path.dropped(vport as u8).by_reason();
            port.dropped.slow_path = dropped.into_iter().map(|(reason, n)| (reason.into(), n)).collect();
            let undone = self.undone[vport];
            port.dropped.slow_path.insert("drop_interrupted".into(), undone.upcalls);
            port.not_sent.insert("interrupted".into(), undone.copies);
            port.not_entered.insert("interrupted".into(), undone.not_entered);
            ports.insert(config.vport_name(vport).unwrap_or_default(), port);
        }
        Ok(Stats { ports, ..self.slow_path_stats()? })
    }

    /// What the slow path knows without the device: all but the ports.
    pub fn slow_path_stats(&self) -> Result<Stats> {
        let preset = Preset::every()
            .find(|preset| preset.config().registers() == self.config().registers())
            .map_or("unknown", Preset::name);
        let slow_path = serde_json::from_value(serde_json::to_value(self.slow_path.stats())?)?;
        Ok(Stats { preset: preset.into(), rules: self.slow_path.rules().len(), slow_path, ..Stats::default() })
    }

    /// All registers.
    pub fn registers(&mut self) -> Result<Vec<RegisterValue>> {
        let vports = self.vports();
        instances(vports as u32).map(|register| self.read(register)).collect()
    }

    /// A register by name or address.
    pub fn read_register(&mut self, name: &str) -> Result<RegisterValue> {
        let register = registers::find(name, self.vports())?;
        self.read(register)
    }

    /// Writes a register by name or address.
    pub fn write_register(&mut self, name: &str, value: u32) -> Result<RegisterValue> {
        let register = registers::find(name, self.vports())?;
        registers::check(register, value)?;
        self.device.write32(register.address, value)?;
        if register.address == addr::INDEX || register.register.name == "DATA" {
            self.slow_path.rules_mut().forget_staging();
        }
        self.read(register)
    }

    fn read(&mut self, register: Instance) -> Result<RegisterValue> {
        Ok(RegisterValue {
            name: register.to_string(),
            address: register.address,
            access: register.register.access.name().into(),
            value: self.device.read32(register.address)?,
        })
    }

    fn vports(&self) -> usize {
        self.config().vports()
    }
}

/// A port's statistics from what became of its packets.
fn port_stats(verdicts: &Verdicts, sent: &Sent) -> PortStats {
    let mut port = PortStats { sent: Count { packets: sent.packets, bytes: sent.bytes }, ..PortStats::default() };
    for (verdict, count) in verdicts.iter() {
        let reasons = match verdict {
            // These came from the slow path and left here.
            Verdict::PacketOut | Verdict::DropNoVport => continue,
            Verdict::Hit | Verdict::DropRule | Verdict::DropTtl | Verdict::DropTxOversize | Verdict::DropLoop => {
                port.hardware += count.packets;
                &mut port.dropped.hardware
            }
            Verdict::Miss | Verdict::Punt => {
                port.slow_path += count.packets;
                &mut port.dropped.slow_path
            }
            Verdict::DropRunt | Verdict::DropOversize | Verdict::DropRxError => &mut port.dropped.ingress,
        };
        if verdict.is_drop() {
            reasons.insert(verdict.name().into(), count.packets);
        }
        port.received.packets += count.packets;
        port.received.bytes += count.bytes;
    }
    port.not_sent.insert("tap_refused".into(), sent.tap_refused);
    port
}
