// SPDX-License-Identifier: MIT OR Apache-2.0
//! A reference model of the hardware: packets and rules in, packets and counters out. It is written from
//! `docs/hardware.md` and the standards that page names, and shares types of `millrace_regs` with the RTL but no logic. [`host`] is
//! that of the host side, written from `docs/host.md`.
#![deny(missing_docs)]

mod bytes;
mod edit;
mod explain;
pub mod host;
mod parser;
mod pass;

pub use explain::{Effect, Explanation, Pass};
pub use parser::{L3, L4, Parsed, parse};

use millrace_regs::config::{Config, MIN_FRAME};
use millrace_regs::{Key, Mask, Step, UpcallReason, Verdict};
use pass::Pass as Lookup;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Where a rule is held: decides between rules of equal priority. The smaller goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// Entry number.
    Tcam(usize),
    /// Table number.
    Hash(usize),
}

/// A rule as software sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it compares with.
    pub key: Key,
    /// The bits of the key that count.
    pub mask: Mask,
    /// Of rules that match the highest wins.
    pub priority: u16,
    /// Where it is.
    pub holder: Holder,
    /// Steps in the order of their execution; the model does not look at `more` and `next`.
    pub program: Vec<Step>,
}

/// Frames and bytes counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Frames.
    pub packets: u64,
    /// Their bytes, without FCS; of a frame 16,383 at most.
    pub bytes: u64,
}

impl Count {
    fn add(&mut self, len: usize) {
        self.packets += 1;
        self.bytes += len as u64;
    }
}

/// A frame that the hardware puts out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// At a vport.
    Vport {
        /// Its number.
        vport: usize,
        /// All bytes, without FCS.
        frame: Vec<u8>,
    },
    /// To the slow path.
    Upcall {
        /// Where the frame came in.
        vport: u8,
        /// Why.
        reason: UpcallReason,
        /// In which pass.
        pass: u8,
        /// The metadata of that pass.
        metadata: u64,
        /// All bytes, without FCS.
        frame: Vec<u8>,
    },
}

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Under which it is counted.
    pub verdict: Verdict,
    /// What was looked up, pass by pass.
    pub keys: Vec<Key>,
    /// The rules that matched, pass by pass.
    pub rules: Vec<u32>,
    /// In the order in which the hardware puts them out; those of one step in the order of the vports.
    pub outputs: Vec<Output>,
}

/// Largest length that the hardware counts.
const LONGEST_COUNTED: usize = 16_383;

/// The hardware, by its contract.
pub struct Model {
    vports: usize,
    max_frame: usize,
    passes: usize,
    window: usize,
    rules: BTreeMap<u32, Rule>,
    rule_counts: BTreeMap<u32, Count>,
    verdicts: BTreeMap<(usize, Verdict), Count>,
}

impl Model {
    /// A device of these sizes, without rules.
    pub fn new(config: &Config) -> Self {
        Self {
            vports: config.vports(),
            max_frame: config.max_frame,
            passes: config.passes,
            window: config.window_bytes(),
            rules: BTreeMap::new(),
            rule_counts: BTreeMap::new(),
            verdicts: BTreeMap::new(),
        }
    }

    /// Adds the rule `id`, or replaces it (its counters go on).
    pub fn insert(&mut self, id: u32, rule: Rule) {
        self.rules.insert(id, rule);
        self.rule_counts.entry(id).or_default();
    }

    /// Gives the rule another program.
    pub fn set_program(&mut self, id: u32, program: Vec<Step>) {
        if let Some(rule) = self.rules.get_mut(&id) {
            rule.program = program;
        }
    }

    /// Takes the rule away, with its counters.
    pub fn remove(&mut self, id: u32) {
        self.rules.remove(&id);
        self.rule_counts.remove(&id);
    }

    /// `CLEAR_TABLES`, or a reset: no rules, and nothing counted.
    pub fn clear_tables(&mut self) {
        self.rules.clear();
        self.rule_counts.clear();
        self.verdicts.clear();
    }

    /// Hits of a rule since it was added.
    pub fn rule_count(&self, id: u32) -> Count {
        self.rule_counts.get(&id).copied().unwrap_or_default()
    }

    /// Frames of `vport` with `verdict`. Number V stands for packet-outs to vports that do not exist.
    pub fn verdict_count(&self, vport: usize, verdict: Verdict) -> Count {
        self.verdicts.get(&(vport, verdict)).copied().unwrap_or_default()
    }

    /// A frame comes in on `vport`; `error` says that its source marked it as broken.
    pub fn receive(&mut self, vport: usize, frame: &[u8], error: bool) -> Outcome {
        let outcome = self.predict(vport, frame, error);
        self.count(vport, frame, &outcome);
        outcome
    }

    /// What [`Self::receive`] would give.
    pub fn predict(&self, vport: usize, frame: &[u8], error: bool) -> Outcome {
        match self.fault(frame, error) {
            Some(verdict) => Outcome { verdict, keys: vec![], rules: vec![], outputs: vec![] },
            None => self.forward(vport, frame),
        }
    }

    /// Why a frame takes no part in arbitration.
    fn fault(&self, frame: &[u8], error: bool) -> Option<Verdict> {
        match frame.len() {
            _ if error => Some(Verdict::DropRxError),
            ..MIN_FRAME => Some(Verdict::DropRunt),
            len if len > self.max_frame => Some(Verdict::DropOversize),
            _ => None,
        }
    }

    /// The slow path sends a frame to `vport`.
    pub fn packet_out(&mut self, vport: usize, frame: &[u8]) -> Outcome {
        let exists = vport < self.vports;
        let (verdict, outputs) = match frame.len() {
            ..MIN_FRAME => (Verdict::DropRunt, vec![]),
            len if len > self.max_frame => (Verdict::DropOversize, vec![]),
            _ if exists => (Verdict::PacketOut, vec![Output::Vport { vport, frame: frame.to_vec() }]),
            _ => (Verdict::DropNoVport, vec![]),
        };
        let outcome = Outcome { verdict, keys: vec![], rules: vec![], outputs };
        self.count(vport.min(self.vports), frame, &outcome);
        outcome
    }

    fn count(&mut self, vport: usize, frame: &[u8], outcome: &Outcome) {
        let len = frame.len().min(LONGEST_COUNTED);
        self.verdicts.entry((vport, outcome.verdict)).or_default().add(len);
        for rule in &outcome.rules {
            self.rule_counts.entry(*rule).or_default().add(len);
        }
    }

    fn forward(&self, vport: usize, frame: &[u8]) -> Outcome {
        let mut pass = Lookup::default();
        let (mut keys, mut rules) = (vec![], vec![]);
        loop {
            let packet = &frame[pass.start..];
            let mut parsed = parse(vport as u8, packet);
            (parsed.key.metadata, parsed.key.pass) = (pass.metadata, pass.number);
            let upcall = |verdict, reason, keys, rules| Outcome {
                verdict,
                keys,
                rules,
                outputs: vec![pass.upcall(vport, reason, frame.to_vec())],
            };
            if parsed.punt {
                return upcall(Verdict::Punt, UpcallReason::Punt, keys, rules);
            }
            keys.push(parsed.key);
            let Some((id, rule)) = self.lookup(&parsed.key) else {
                return upcall(Verdict::Miss, UpcallReason::Miss, keys, rules);
            };
            rules.push(id);
            let first = rule.program.first().copied().unwrap_or(Step::DROP);
            if self.passes == 1 || !first.look_again {
                return Outcome { keys, rules, ..self.execute(vport, &rule.program, packet, &parsed, pass) };
            }
            if usize::from(pass.number) + 1 == self.passes {
                return Outcome { verdict: Verdict::DropLoop, keys, rules, outputs: vec![] };
            }
            match pass.next(&first, &parsed, frame.len(), self.window) {
                Some(next) => pass = next,
                None => return upcall(Verdict::Punt, UpcallReason::Punt, keys, rules),
            }
        }
    }

    /// The rule with the highest priority; among equals the TCAM's, then that of the lower table or entry.
    fn lookup(&self, key: &Key) -> Option<(u32, &Rule)> {
        self.matching(*key).min_by_key(|(_, rule)| rank(rule))
    }

    /// All rules that match.
    fn matching(&self, key: Key) -> impl Iterator<Item = (u32, &Rule)> {
        let matching = self.rules.iter().filter(move |(_, rule)| key & rule.mask == rule.key & rule.mask);
        matching.map(|(id, rule)| (*id, rule))
    }

    fn execute(&self, vport: usize, program: &[Step], frame: &[u8], parsed: &Parsed, pass: Lookup) -> Outcome {
        let mut outputs = Vec::new();
        for step in program {
            match self.effect(step, frame, parsed) {
                Effect::Ends => break,
                Effect::TooLong(_) => {}
                Effect::Leaves(edited) => {
                    let vports = (0..self.vports).filter(|v| step.outputs >> v & 1 == 1);
                    outputs.extend(vports.map(|vport| Output::Vport { vport, frame: edited.clone() }));
                    if step.upcall {
                        let reason = UpcallReason::Action;
                        outputs.push(pass.upcall(vport, reason, edited));
                    }
                }
            }
        }
        let first = program.first().copied().unwrap_or(Step::DROP);
        let reachable = first.upcall || first.outputs & ((1 << self.vports) - 1) != 0;
        let verdict = match self.effect(&first, frame, parsed) {
            Effect::Ends => Verdict::DropTtl,
            Effect::TooLong(_) => Verdict::DropTxOversize,
            Effect::Leaves(_) if !reachable && program.len() < 2 => Verdict::DropRule,
            Effect::Leaves(_) => Verdict::Hit,
        };
        Outcome { verdict, keys: vec![], rules: vec![], outputs }
    }

    /// What a step makes of a frame.
    fn effect(&self, step: &Step, frame: &[u8], parsed: &Parsed) -> Effect {
        let length = edit::length(step, frame.len(), parsed.tags);
        if expires(step, frame, parsed) {
            Effect::Ends
        } else if length > self.max_frame {
            Effect::TooLong(length)
        } else {
            Effect::Leaves(edit::apply(step, frame, parsed))
        }
    }
}

/// Of rules that match the one of the lowest rank wins.
fn rank(rule: &Rule) -> (Reverse<u16>, Holder) {
    (Reverse(rule.priority), rule.holder)
}

/// The step wants more hops than the frame has left: the program ends before it.
fn expires(step: &Step, frame: &[u8], parsed: &Parsed) -> bool {
    let ttl = match parsed.l3 {
        None => return false,
        Some((L3::V4, at)) => frame[at + 8],
        Some((L3::V6, at)) => frame[at + 7],
    };
    step.ttl_dec != 0 && ttl <= step.ttl_dec
}

#[cfg(test)]
mod tests;
