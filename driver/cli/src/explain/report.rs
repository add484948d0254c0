// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is said of a frame, for people and as JSON.

use super::frame::to_hex;
use super::snapshot::Snapshot;
use millrace_driver::{Place, RuleInfo};
use millrace_firmware::compile::flow_key;
use millrace_firmware::openflow::{Ports, packet_text};
use millrace_firmware::slowpath::{Explained, matches, step_actions};
use millrace_model::{Effect, Explanation, L3, Output, Parsed, Pass};
use millrace_regs::{Key, Mask, Step, Verdict};
use serde::Serialize;
use std::fmt::{self, Display};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A frame's way through device and flow tables.
#[derive(Serialize)]
pub struct Report {
    pub port: String,
    pub bytes: usize,
    /// The build.
    pub device: String,
    /// The frame as the hardware's parser sees it; none if it is dropped before.
    pub flow: Option<String>,
    pub passes: Vec<PassReport>,
    pub verdict: &'static str,
    pub outputs: Vec<OutputReport>,
    pub rtl: Rtl,
    pub slow_path: Option<Explained>,
}

/// One lookup.
#[derive(Serialize)]
pub struct PassReport {
    pub tables: Vec<TableReport>,
    /// The rule that is carried out.
    pub rule: Option<RuleReport>,
    /// The rule that would be without it.
    pub without_it: Option<RuleReport>,
    pub steps: Vec<StepReport>,
}

/// A hash table, or the TCAM.
#[derive(Serialize)]
pub struct TableReport {
    /// `hash_table(3)` or `tcam`.
    pub table: String,
    /// What a hash table looks at.
    pub looks_at: Option<String>,
    pub rules: usize,
    pub capacity: usize,
    /// The rules of it that match; of a hash table there is one at most.
    pub matching: Vec<RuleReport>,
}

#[derive(Clone, Serialize)]
pub struct RuleReport {
    pub rule: u16,
    pub place: String,
    pub priority: u16,
    /// As `millrace rules` shows it, with the values of this frame.
    pub matches: String,
}

#[derive(Serialize)]
pub struct StepReport {
    /// Edits of the frame as it was received, then ports.
    pub actions: Vec<String>,
    /// What else is to be said of it.
    pub notes: Vec<String>,
}

/// A frame that leaves.
#[derive(Serialize)]
pub struct OutputReport {
    /// A port, or `upcall(miss)`.
    pub to: String,
    pub bytes: usize,
    pub frame: String,
}

/// What the RTL says to it. A command without simulation knows one of the three.
#[derive(Serialize)]
#[cfg_attr(not(feature = "simulation"), allow(dead_code))]
#[serde(tag = "check", rename_all = "snake_case")]
pub enum Rtl {
    /// The private copy did the same.
    Same { rules: usize, cycles: u64 },
    /// It did not. A fault of the model or of the RTL.
    Differs { differences: Vec<String> },
    /// There was no copy to be had.
    NotChecked { reason: String },
}

impl Report {
    pub fn new(snapshot: &Snapshot, frame: &[u8], explanation: &Explanation, rtl: Rtl) -> Self {
        let config = &snapshot.config;
        let name = |vport: usize| config.vport_name(vport).unwrap_or_default();
        let output = |output: &Output| match output {
            Output::Vport { vport, frame } => {
                OutputReport { to: name(*vport), bytes: frame.len(), frame: to_hex(frame) }
            }
            Output::Upcall { reason, frame, .. } => {
                OutputReport { to: format!("upcall({})", reason.name()), bytes: frame.len(), frame: to_hex(frame) }
            }
        };
        let parsed = explanation.parsed.as_ref();
        let pass = |pass| PassReport::new(snapshot, parsed.expect("a lookup comes behind the parser"), pass);
        let mut slow_path = snapshot.slow_path.clone();
        if let Some(explained) = slow_path.as_mut().filter(|_| explanation.outcome.verdict == Verdict::Punt) {
            explained.software = Some("punted".into());
        }
        Self {
            port: name(snapshot.vport),
            bytes: frame.len(),
            device: snapshot.preset().map_or("unknown", |preset| preset.name()).into(),
            flow: parsed.map(|parsed| packet_text::packet(&flow_key(&parsed.key))),
            passes: explanation.passes.iter().map(pass).collect(),
            verdict: explanation.outcome.verdict.name(),
            outputs: explanation.outcome.outputs.iter().map(output).collect(),
            rtl,
            slow_path,
        }
    }
}

impl PassReport {
    fn new(snapshot: &Snapshot, parsed: &Parsed, pass: &Pass) -> Self {
        let ports = Ports::new(snapshot.config.vports() as u16, snapshot.config.uplinks as u16);
        // The model has told which rules match; where they lie the device has.
        let find = |id: u32| snapshot.matching.iter().find(|rule| u32::from(rule.id.number()) == id);
        let matching: Vec<&RuleInfo> = pass.matching.iter().filter_map(|(id, _)| find(*id)).collect();
        let report = |rule: &RuleInfo| RuleReport::new(rule, &parsed.key, &ports);
        let of = |is: &dyn Fn(Place) -> bool| {
            matching.iter().filter(|rule| is(rule.place)).map(|rule| report(rule)).collect()
        };
        let hash = snapshot.tables.iter().map(|table| TableReport {
            table: format!("hash_table({})", table.table),
            looks_at: table.mask.as_ref().map(looks_at),
            rules: table.rules,
            capacity: table.capacity,
            matching: of(&|place| matches!(place, Place::Hash { table: own, .. } if own == table.table)),
        });
        let tcam = TableReport {
            table: "tcam".into(),
            looks_at: None,
            rules: snapshot.tcam_rules,
            capacity: snapshot.config.tcam_entries,
            matching: of(&|place| matches!(place, Place::Tcam { .. })),
        };
        let step = |(step, effect): &(Step, Effect)| StepReport::new(step, effect, parsed, &ports);
        Self {
            tables: hash.chain([tcam]).collect(),
            rule: matching.first().map(|rule| report(rule)),
            without_it: matching.get(1).map(|rule| report(rule)),
            steps: pass.steps.iter().map(step).collect(),
        }
    }
}

impl RuleReport {
    fn new(rule: &RuleInfo, key: &Key, ports: &Ports) -> Self {
        let place = match rule.place {
            Place::Hash { table, slot } => format!("hash_table({table},{slot})"),
            Place::Tcam { entry } => format!("tcam({entry})"),
        };
        Self { rule: rule.id.number(), place, priority: rule.priority, matches: matches(key, &rule.mask, ports) }
    }
}

impl Display for RuleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} at {}, priority {}", self.rule, self.place, self.priority)
    }
}

impl StepReport {
    fn new(step: &Step, effect: &Effect, parsed: &Parsed, ports: &Ports) -> Self {
        let mut actions = step_actions(step, &parsed.key, ports);
        if step.upcall {
            actions.push("upcall".into());
        }
        if actions.is_empty() {
            actions.push("drop".into());
        }
        let mut notes = vec![];
        let network =
            step.set_nw_src || step.set_nw_dst || step.nw_tos_mask != 0 || step.set_nw_ttl || step.ttl_dec != 0;
        if network && parsed.l3.is_none() {
            notes.push("no IP header: its edits do nothing".into());
        }
        if (step.set_tp_src || step.set_tp_dst) && parsed.l4.is_none() {
            notes.push("neither TCP nor UDP: edits of ports do nothing".into());
        }
        notes.extend(match effect {
            Effect::Ends => {
                let field = if parsed.l3.is_some_and(|(l3, _)| l3 == L3::V6) { "hop limit" } else { "TTL" };
                Some(format!("{field} {} is too low: the program ends here", parsed.key.nw_ttl))
            }
            Effect::TooLong(bytes) => Some(format!("{bytes} bytes are too long to leave")),
            Effect::Leaves(_) => None,
        });
        Self { actions, notes }
    }
}

/// The fields that a mask looks at; behind a slash the bits, where it is not all of them.
fn looks_at(mask: &Mask) -> String {
    let (words, all) = (mask.pack(), Mask::EXACT.pack());
    let text = |field: &millrace_regs::Field| {
        let (bits, ones) = (field.get(&words), field.get(&all));
        match (bits, field.name) {
            (0, _) => None,
            (bits, name) if bits == ones => Some(name.to_owned()),
            (bits, name @ ("nw_src" | "nw_dst")) => Some(match u32::try_from(bits) {
                Ok(u32::MAX) => name.to_owned(),
                Ok(bits) => format!("{name}/{}", Ipv4Addr::from(bits)),
                Err(_) => format!("{name}/{}", Ipv6Addr::from(bits)),
            }),
            (bits, name) => Some(format!("{name}/{bits:#x}")),
        }
    };
    let fields: Vec<String> = millrace_regs::KEY_FIELDS.iter().filter_map(text).collect();
    if fields.is_empty() { "nothing".into() } else { fields.join(",") }
}

impl Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(flow) = &self.flow {
            writeln!(f, "Flow: {flow}")?;
        }
        for (number, pass) in self.passes.iter().enumerate() {
            let title = format!("hardware(\"{}\"), pass {number}", self.device);
            writeln!(f, "\n{title}\n{:-<1$}\n{pass}", "", title.len())?;
        }
        if self.passes.is_empty() {
            writeln!(f, "\nhardware(\"{}\"): no lookup", self.device)?;
        }
        writeln!(f, "Verdict: {}", self.verdict)?;
        let outputs: Vec<_> = self.outputs.iter().map(|out| format!("{} ({} bytes)", out.to, out.bytes)).collect();
        writeln!(f, "Output: {}", if outputs.is_empty() { "none".into() } else { outputs.join(", ") })?;
        writeln!(f, "{}", self.rtl)?;
        if let Some(slow_path) = &self.slow_path {
            let hit = self.passes.last().is_some_and(|pass| pass.rule.is_some());
            let title =
                if hit { "What the slow path would do with a miss:" } else { "What the slow path does with it:" };
            write!(f, "\n{title}\n\n{slow_path}")?;
        }
        Ok(())
    }
}

impl Display for PassReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, table) in self.tables.iter().enumerate() {
            writeln!(f, "{number:2}. {table}")?;
        }
        match &self.rule {
            None => writeln!(f, "no rule matches\n    upcall")?,
            Some(rule) => writeln!(f, "{rule}\n     -> {}", rule.matches)?,
        }
        match (&self.rule, &self.without_it) {
            (Some(_), Some(other)) => writeln!(f, "     -> without it: {other}")?,
            (Some(_), None) => writeln!(f, "     -> without it: no rule matches")?,
            (None, _) => {}
        }
        for step in &self.steps {
            step.actions.iter().try_for_each(|action| writeln!(f, "    {action}"))?;
            step.notes.iter().try_for_each(|note| writeln!(f, "     -> {note}"))?;
        }
        Ok(())
    }
}

impl Display for TableReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, looks_at, rules, capacity, matching } = self;
        write!(f, "{table}, {rules} of {capacity} rules")?;
        if *rules == 0 {
            return Ok(());
        }
        if let Some(looks_at) = looks_at {
            write!(f, ", looks at {looks_at}")?;
        }
        match matching.as_slice() {
            [] => f.write_str(": miss"),
            [rule, others @ ..] => {
                write!(f, ": hit, {rule}")?;
                others.iter().try_for_each(|rule| write!(f, "; {rule}"))
            }
        }
    }
}

impl Display for Rtl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rtl::Same { rules, cycles } => {
                write!(f, "RTL: the same, in a private copy with {rules} rules, in {cycles} cycles")
            }
            Rtl::Differs { differences } => {
                f.write_str("RTL: DIFFERS from the model: one of them is wrong")?;
                differences.iter().try_for_each(|difference| write!(f, "\n  - {difference}"))
            }
            Rtl::NotChecked { reason } => write!(f, "RTL: not checked: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_shown_by_its_fields() {
        let mask = Mask { in_port: 0xff, dl_type: 0xffff, vlan_tci0: 0x1000, nw_src: 0xffff_0000, ..Mask::ANY };
        assert_eq!(looks_at(&mask), "in_port,dl_type,vlan_tci0/0x1000,nw_src/255.255.0.0");
        let mask = Mask { nw_src: u128::MAX, nw_dst: u32::MAX.into(), ..Mask::ANY };
        assert_eq!(looks_at(&mask), "nw_src,nw_dst");
        let mask = Mask { nw_dst: u128::MAX << 64, vlan_ad0: true, ..Mask::ANY };
        assert_eq!(looks_at(&mask), "vlan_ad0,nw_dst/ffff:ffff:ffff:ffff::");
        assert_eq!(looks_at(&Mask::ANY), "nothing");
    }
}
