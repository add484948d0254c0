// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs a case on the simulated hardware and on the model, and compares all that comes out and all that is counted.

use super::case::{Case, Op};
use super::interleaving;
use super::mutant::Mutant;
use super::rules::{MaskSpec, RuleSpec, StepSpec};
use anyhow::{Context, Result, bail, ensure};
use millrace_driver::{Device, Place, Placement, RuleError, RuleId, RuleSpec as DriverRule, Rules, Upcall};
use millrace_model::{Holder, Model, Outcome, Output, Rule};
use millrace_regs::config::{Config, Preset};
use millrace_regs::{Key, Mask, Step, UpcallReason, Verdict};
use millrace_sim::{Embedded, Ready};

/// Clocks after which a case that still moves is stuck.
const PATIENCE: u64 = 2_000_000;

/// Bytes of a frame check sequence.
const FCS: u64 = 4;

/// What leaves through a queue.
#[derive(Clone, Debug, PartialEq)]
struct Item {
    frame: Vec<u8>,
    /// Of an upcall: ingress vport, reason, pass and metadata.
    upcall: Option<(u8, UpcallReason, u8, u64)>,
}

/// A rule that is in the tables.
struct LiveRule {
    id: RuleId,
    key: Key,
    mask: Mask,
}

struct Comparison {
    config: Config,
    device: Embedded,
    rules: Rules,
    model: Model,
    /// What is wrong with the model.
    mutant: Option<Mutant>,
    live: Vec<LiveRule>,
    /// Keys of the frames sent since the last time nothing moved.
    under_way: Vec<Key>,
    /// By queue (vports, then upcall), by source (vports, then packet out).
    expected: Vec<Vec<Vec<Item>>>,
    /// Packets and bytes that each queue should have counted.
    queued: Vec<(u64, u64)>,
    history: Vec<u64>,
}

/// Runs `case` on `preset`. With a `mutant`, the model has that fault.
///
/// # Errors
/// The first difference between hardware and model.
pub fn run(case: &Case, preset: Preset, mutant: Option<Mutant>) -> Result<()> {
    run_clocked(case, preset, mutant, true).map(drop)
}

/// Likewise, with the parts' clocks gated or not: the cycles in which frames left, and those at which nothing moved any more.
///
/// # Errors
/// The first difference between hardware and model.
pub fn run_clocked(case: &Case, preset: Preset, mutant: Option<Mutant>, gating: bool) -> Result<Vec<u64>> {
    let mut comparison = Comparison::new(preset, &case.refusals, mutant)?;
    comparison.device.simulation().set_gating(gating);
    for (i, op) in case.ops.iter().enumerate() {
        comparison.apply(op, &case.masks).with_context(|| format!("operation {i}"))?;
    }
    comparison.settle()?;
    comparison.counters()?;
    Ok(comparison.history)
}

impl Comparison {
    fn new(preset: Preset, refusals: &[u8], mutant: Option<Mutant>) -> Result<Self> {
        let config = preset.config();
        let mut device = Embedded::new(preset)?;
        for queue in 0..config.queues() {
            let refusal = refusals[queue % refusals.len()];
            let pattern = match refusal {
                0 => Ready::Always,
                of_4 => Ready::Random { of_256: 256 - 64 * u16::from(of_4), seed: queue as u64 },
            };
            device.simulation().set_ready(queue, pattern);
        }
        Ok(Self {
            config,
            rules: Rules::new(&mut device)?,
            device,
            model: Model::new(&config),
            mutant,
            live: vec![],
            under_way: vec![],
            expected: vec![vec![vec![]; config.vports() + 1]; config.queues()],
            queued: vec![(0, 0); config.queues()],
            history: vec![],
        })
    }

    fn apply(&mut self, op: &Op, masks: &[MaskSpec]) -> Result<()> {
        match op {
            Op::Receive { vport, frame, error } => self.receive((*vport).into(), frame.bytes(), *error),
            Op::PacketOut { vport, frame } => self.packet_out(*vport, frame.bytes())?,
            Op::Insert(rule) => self.insert(rule, &masks[usize::from(rule.mask) % masks.len()])?,
            Op::Update { rule, program } => self.update(*rule, program)?,
            Op::Delete { rule } => self.delete(*rule)?,
            Op::Settle => self.settle()?,
            Op::TakeOver => self.take_over()?,
            Op::Reset => self.reset()?,
        }
        Ok(())
    }

    fn receive(&mut self, vport: usize, frame: Vec<u8>, error: bool) {
        let outcome = self.model.receive(vport, &frame, error && !self.has(Mutant::Error));
        self.under_way.extend(&outcome.keys);
        self.expect(vport, outcome);
        if error {
            self.device.simulation().send_with_error(vport, frame);
        } else {
            self.device.simulation().send(vport, frame);
        }
    }

    fn packet_out(&mut self, vport: u8, frame: Vec<u8>) -> Result<()> {
        let outcome = self.model.packet_out(vport.into(), &frame);
        self.expect(self.config.vports(), outcome);
        while !self.device.simulation().packet_out(vport, frame.clone()) {
            self.device.poll()?;
        }
        Ok(())
    }

    fn has(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    fn expect(&mut self, source: usize, mut outcome: Outcome) {
        self.mutant.into_iter().for_each(|mutant| mutant.outcome(&mut outcome));
        for output in outcome.outputs {
            let (queue, item) = match output {
                Output::Vport { vport, frame } => (vport, Item { frame, upcall: None }),
                Output::Upcall { vport, reason, pass, metadata, frame } => {
                    (self.config.vports(), Item { frame, upcall: Some((vport, reason, pass, metadata)) })
                }
            };
            self.queued[queue].0 += 1;
            self.queued[queue].1 += item.frame.len() as u64 + if self.has(Mutant::Count) { FCS } else { 0 };
            let overtakes = self.has(Mutant::Order);
            let expected = &mut self.expected[queue][source];
            let at = if overtakes { 0 } else { expected.len() };
            expected.insert(at, item);
        }
    }

    /// A rule may change while frames are under way that it does not concern. For those that it does, it is not said
    /// whether they meet it before or after the change: they finish first.
    fn finish_frames_of(&mut self, key: Key, mask: Mask) -> Result<()> {
        if self.under_way.iter().any(|frame| *frame & mask == key & mask) { self.settle() } else { Ok(()) }
    }

    fn insert(&mut self, spec: &RuleSpec, mask: &MaskSpec) -> Result<()> {
        let mask = mask.mask();
        let key = spec.key() & mask;
        self.finish_frames_of(key, mask)?;
        let placement = if spec.tcam { Placement::Tcam } else { Placement::Hash };
        let rule = DriverRule { key, mask, priority: spec.priority, placement };
        let program = steps(&spec.program);
        let Some(id) = unless_full(self.rules.insert(&mut self.device, &rule, &program))? else { return Ok(()) };
        let holder = match self.rules.place(id)? {
            Place::Hash { table, .. } => Holder::Hash(table.into()),
            Place::Tcam { entry } => Holder::Tcam(entry as usize),
        };
        let mut rule = Rule { key, mask, priority: spec.priority, holder, program };
        self.mutant.into_iter().for_each(|mutant| mutant.rule(&mut rule));
        self.model.insert(id.number().into(), rule);
        self.live.push(LiveRule { id, key, mask });
        Ok(())
    }

    fn update(&mut self, selector: u8, program: &[StepSpec]) -> Result<()> {
        let Some(rule) = self.select(selector) else { return Ok(()) };
        let LiveRule { id, key, mask } = self.live[rule];
        self.finish_frames_of(key, mask)?;
        let mut program = steps(program);
        if unless_full(self.rules.update(&mut self.device, id, &program))?.is_some() {
            self.mutant.into_iter().for_each(|mutant| mutant.program(&mut program));
            self.model.set_program(id.number().into(), program);
        }
        Ok(())
    }

    fn delete(&mut self, selector: u8) -> Result<()> {
        let Some(rule) = self.select(selector) else { return Ok(()) };
        let LiveRule { id, key, mask } = self.live.remove(rule);
        self.finish_frames_of(key, mask)?;
        self.rule_counters(id)?;
        self.rules.delete(&mut self.device, id)?;
        self.model.remove(id.number().into());
        Ok(())
    }

    fn reset(&mut self) -> Result<()> {
        self.settle()?;
        self.counters()?;
        self.device.simulation().reset();
        self.queued.fill((0, 0));
        self.start_again()
    }

    /// What is in the tables stays there until the new manager clears it.
    fn take_over(&mut self) -> Result<()> {
        self.settle()?;
        self.counters()?;
        self.start_again()
    }

    fn start_again(&mut self) -> Result<()> {
        self.rules = Rules::new(&mut self.device)?;
        self.live.clear();
        self.model.clear_tables();
        Ok(())
    }

    fn select(&self, selector: u8) -> Option<usize> {
        usize::from(selector).checked_rem(self.live.len())
    }

    /// Waits until nothing moves, and compares all that came out.
    fn settle(&mut self) -> Result<()> {
        ensure!(self.device.simulation().run_until_idle(PATIENCE), "the hardware still moves after {PATIENCE} clocks");
        for queue in 0..self.config.queues() {
            let got = self.take(queue);
            let expected = std::mem::replace(&mut self.expected[queue], vec![vec![]; self.config.vports() + 1]);
            if let Err(at) = interleaving::check(&got, &expected) {
                bail!("queue {queue} differs at its frame {at}\n  got      {}\n  expected {}", shown(&got[at..]), {
                    let all: Vec<Item> = expected.concat();
                    format!("{} frames in all, these among them: {}", all.len(), shown(&all))
                });
            }
        }
        self.under_way.clear();
        self.history.push(self.device.simulation().cycle());
        Ok(())
    }

    fn take(&mut self, queue: usize) -> Vec<Item> {
        let simulation = self.device.simulation();
        if queue < self.config.vports() {
            let received: Vec<_> = std::iter::from_fn(|| simulation.recv(queue)).collect();
            self.history.extend(received.iter().flat_map(|received| [received.first_cycle, received.cycle]));
            received.into_iter().map(|received| Item { frame: received.frame, upcall: None }).collect()
        } else {
            let upcalls = std::iter::from_fn(|| self.device.recv_upcall());
            let told = |upcall: &Upcall| (upcall.vport, upcall.reason, upcall.pass, upcall.metadata);
            upcalls.map(|upcall| Item { upcall: Some(told(&upcall)), frame: upcall.frame }).collect()
        }
    }

    /// Compares every counter. Nothing moves.
    fn counters(&mut self) -> Result<()> {
        for id in self.live.iter().map(|rule| rule.id).collect::<Vec<_>>() {
            self.rule_counters(id)?;
        }
        for vport in 0..=self.config.vports() {
            let got = self.rules.verdicts(&mut self.device, vport as u8)?;
            for verdict in Verdict::ALL {
                let expected = self.model.verdict_count(vport, *verdict);
                let got = (got[*verdict].packets, got[*verdict].bytes);
                let expected = (expected.packets, expected.bytes);
                ensure!(got == expected, "{} of {vport}: {got:?}, expected {expected:?}", verdict.name());
            }
        }
        for queue in 0..self.config.queues() {
            let got = self.rules.queue_stats(&mut self.device, queue as u8)?;
            let expected = self.queued[queue];
            ensure!((got.packets, got.bytes) == expected, "queue {queue} counts {got:?}, expected {expected:?}");
            ensure!(got.drops == 0, "queue {queue} dropped {} frames", got.drops);
        }
        Ok(())
    }

    /// Compares a rule's counters. No frame that it concerns is under way.
    fn rule_counters(&mut self, id: RuleId) -> Result<()> {
        let got = self.rules.counters(&mut self.device, id)?;
        let expected = self.model.rule_count(id.number().into());
        let (got, expected) = ((got.packets, got.bytes), (expected.packets, expected.bytes));
        ensure!(got == expected, "rule {id} counts {got:?}, expected {expected:?}");
        Ok(())
    }
}

fn steps(program: &[StepSpec]) -> Vec<Step> {
    program.iter().map(StepSpec::step).collect()
}

/// That there is no room is no difference: the rules are as they were.
fn unless_full<T>(result: Result<T, RuleError>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(
            RuleError::Duplicate(_)
            | RuleError::TableFull { .. }
            | RuleError::NoFreeTable { .. }
            | RuleError::TcamFull { .. }
            | RuleError::NoRuleId { .. }
            | RuleError::NoSteps { .. },
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The first few frames in hexadecimal, cut.
fn shown(items: &[Item]) -> String {
    let one = |item: &Item| {
        let hex: String = item.frame.iter().take(80).map(|byte| format!("{byte:02x}")).collect();
        format!("{} bytes {:?} {hex}", item.frame.len(), item.upcall)
    };
    if items.is_empty() { "nothing".into() } else { items.iter().take(4).map(one).collect::<Vec<_>>().join(", ") }
}
