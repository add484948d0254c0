// SPDX-License-Identifier: MIT OR Apache-2.0
//! The RTL, with the rules of a running device at the same places, and one frame.

use super::snapshot::Snapshot;
use anyhow::{Result, bail};
use millrace_driver::{Replica, ReplicaError, RuleInfo, Upcall};
use millrace_model::{Outcome, Output};
use millrace_regs::Verdict;
use millrace_sim::{Embedded, EmbeddedHost, Latency, Preset, Simulated};
use std::path::Path;

/// Cycles after which a frame that is still under way does not arrive any more.
const PATIENCE: u64 = 1 << 20;

/// What the copy did.
pub struct Observed {
    /// Verdicts at the port of the frame, with their number.
    pub verdicts: Vec<(Verdict, u64)>,
    /// Frames that left, in the order of ports, and upcalls after them.
    pub outputs: Vec<Output>,
    /// Rules that counted the frame.
    pub hits: Vec<u32>,
    /// Cycles until all was at rest.
    pub cycles: u64,
}

/// A copy with the rules of a snapshot gets the frame; `trace` is where the waveforms go.
pub fn run(preset: Preset, snapshot: &Snapshot, frame: &[u8], trace: Option<&Path>) -> Result<Observed> {
    if Preset::HOSTED.contains(&preset) {
        run_on(EmbeddedHost::new(preset, Latency::default())?, snapshot, frame, trace)
    } else {
        run_on(Embedded::new(preset)?, snapshot, frame, trace)
    }
}

fn run_on<D: Simulated>(mut device: D, snapshot: &Snapshot, frame: &[u8], trace: Option<&Path>) -> Result<Observed> {
    let mut replica = fill(&mut device, snapshot)?;
    if !device.run_until_idle(PATIENCE)? {
        bail!("the private copy of the device does not come to rest");
    }
    let begin = device.cycle();
    if let Some(path) = trace {
        device.trace(path, begin..u64::MAX)?;
    }
    device.send(snapshot.vport, frame.into());
    let at_rest = device.run_until_idle(PATIENCE)?;
    let cycles = device.cycle() - begin;
    device.trace_end();
    if !at_rest {
        bail!("in the RTL the frame is still under way after {PATIENCE} cycles");
    }
    let counts = replica.verdicts(&mut device, snapshot.vport as u8)?;
    let verdicts =
        counts.iter().filter(|(_, count)| count.packets > 0).map(|(verdict, count)| (verdict, count.packets));
    let verdicts = verdicts.collect();
    let mut hits = vec![];
    for rule in &snapshot.matching {
        let number = rule.id.number();
        let count = replica.rule_count(&mut device, number)?.packets;
        hits.extend((0..count).map(|_| u32::from(number)));
    }
    Ok(Observed { verdicts, outputs: outputs(&mut device), hits, cycles })
}

/// Gives a device what the tables of the other hold.
fn fill(device: &mut impl Simulated, snapshot: &Snapshot) -> Result<Replica> {
    let mut replica = Replica::new(device, &snapshot.config)?;
    for table in &snapshot.tables {
        replica.give_mask(device, table)?;
    }
    for rule in &snapshot.matching {
        replica.put(device, rule)?;
    }
    for rule in &snapshot.others {
        match replica.put(device, rule) {
            // Rules of several moments may need more than there are at one.
            Err(ReplicaError::Steps(_)) => replica.put(device, &without_program(rule))?,
            put => put?,
        }
    }
    Ok(replica)
}

/// A rule that no frame gets to here.
fn without_program(rule: &RuleInfo) -> RuleInfo {
    RuleInfo { program: rule.program[..1].into(), ..rule.clone() }
}

fn outputs(device: &mut impl Simulated) -> Vec<Output> {
    let mut outputs = vec![];
    for vport in 0..device.config().vports() {
        while let Some(received) = device.recv(vport) {
            outputs.push(Output::Vport { vport, frame: received.frame });
        }
    }
    while let Some(upcall) = device.recv_upcall() {
        let Upcall { vport, reason, pass, metadata, frame, .. } = upcall;
        outputs.push(Output::Upcall { vport, reason, pass, metadata, frame });
    }
    outputs
}

impl Observed {
    /// In what the copy differs from what the model says.
    pub fn differences(&self, expected: &Outcome) -> Vec<String> {
        let mut differences = vec![];
        if self.verdicts != [(expected.verdict, 1)] {
            let all: Vec<_> = self.verdicts.iter().map(|(verdict, n)| format!("{} ({n})", verdict.name())).collect();
            differences.push(format!("verdict: the model has {}, the RTL {}", expected.verdict.name(), list(&all)));
        }
        let mut rule = expected.rules.clone();
        rule.sort_unstable();
        if self.hits != rule {
            let text = |rules: &[u32]| list(&rules.iter().map(u32::to_string).collect::<Vec<_>>());
            differences.push(format!("rule: the model has {}, the RTL counted for {}", text(&rule), text(&self.hits)));
        }
        let mut outputs = expected.outputs.clone();
        outputs.sort_by_key(|output| match output {
            Output::Vport { vport, .. } => *vport,
            Output::Upcall { .. } => usize::MAX,
        });
        if self.outputs != outputs {
            differences.push(format!("frames: the model has {}, the RTL {}", frames(&outputs), frames(&self.outputs)));
        }
        differences
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn frames(outputs: &[Output]) -> String {
    let text = |output: &Output| match output {
        Output::Vport { vport, frame } => format!("{} at port {}", super::frame::to_hex(frame), vport + 1),
        Output::Upcall { reason, frame, .. } => {
            format!("{} as upcall ({})", super::frame::to_hex(frame), reason.name())
        }
    };
    list(&outputs.iter().map(text).collect::<Vec<_>>())
}

/// Why a copy of this build, or of this port, cannot have the frame; none if it can.
pub fn obstacle(snapshot: &Snapshot, frame: &[u8]) -> Option<String> {
    let Some(preset) = snapshot.preset() else { return Some("no preset is a build of these sizes".into()) };
    let config = preset.config();
    let at_function = Preset::HOSTED.contains(&preset) && snapshot.vport >= config.uplinks;
    (at_function && frame.len() > config.max_frame)
        .then(|| "the driver of a function does not send a frame of this length".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_does_something_else_is_told_of() {
        let frame = |vport| Output::Vport { vport, frame: vec![2, 3] };
        let outcome =
            Outcome { verdict: Verdict::Hit, keys: vec![], rules: vec![7], outputs: vec![frame(4), frame(1)] };
        let observed = |verdict, outputs: &[Output], hits: &[u32]| Observed {
            verdicts: vec![(verdict, 1)],
            outputs: outputs.into(),
            hits: hits.into(),
            cycles: 9,
        };
        assert!(observed(Verdict::Hit, &[frame(1), frame(4)], &[7]).differences(&outcome).is_empty());
        let differences = [
            "verdict: the model has hit, the RTL miss (1)",
            "rule: the model has 7, the RTL counted for none",
            "frames: the model has 0203 at port 2, 0203 at port 5, the RTL 0203 at port 2",
        ];
        assert_eq!(observed(Verdict::Miss, &[frame(1)], &[]).differences(&outcome), differences);
    }
}
