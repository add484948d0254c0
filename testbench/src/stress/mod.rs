// SPDX-License-Identifier: MIT OR Apache-2.0
//! Drawn flow tables and drawn frames, well-formed and not, through Open vSwitch and through `millrace run`: the same bytes must leave
//! each port, in the same order.

mod flows;
mod known;

use crate::compare::frames::{FrameSpec, frame};
use crate::ovs::{Frames, Ovs, PORTS};
use crate::scenarios::{Step, command};
use anyhow::{Context, Result, anyhow, bail};
use millrace_regs::config::MIN_FRAME;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Frames that are drawn for one case, at most.
const FRAMES: usize = 120;
/// Times that each frame is sent: the first shows what the slow path does, the second mostly what the hardware does.
const COPIES: usize = 2;
/// Longer ones are left out: with tags put on, they would be too long for Millrace, which Open vSwitch does not check.
const LONGEST: usize = 9_000;
/// Attempts to make a failing case smaller.
const SHRINK_LIMIT: usize = 400;
/// Cases for one Open vSwitch: it writes all that it puts out into captures, which are read again for each case.
const CASES_PER_SWITCH: usize = 50;

/// A flow file and frames for it.
#[derive(Clone, Debug)]
struct Case {
    flows: Vec<String>,
    /// OpenFlow port that each comes in on.
    frames: Vec<(u16, FrameSpec)>,
}

fn case() -> impl Strategy<Value = Case> {
    let frames = vec((1..=PORTS.len() as u16, frame()), 1..FRAMES);
    (flows::tables(), frames).prop_map(|(flows, frames)| Case { flows, frames })
}

/// What went through both.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Frames, each of them sent twice.
    pub frames: u64,
    /// Frames that left a port.
    pub out: u64,
    /// Frames that were drawn and left out, and why.
    pub left_out: BTreeMap<&'static str, u64>,
}

impl Case {
    /// The frames that both switches have to agree on.
    fn steps(&self, tally: &mut Tally) -> Vec<Step> {
        let mut steps = Vec::new();
        for (port, spec) in &self.frames {
            let frame = spec.bytes();
            let why = match frame.len() {
                ..MIN_FRAME => Some("shorter than 14 bytes"),
                LONGEST.. => Some("longer than 9,000 bytes"),
                _ => known::difference(&frame),
            };
            match why {
                Some(why) => *tally.left_out.entry(why).or_default() += 1,
                None => steps.push(Step::Frame(*port, frame)),
            }
        }
        tally.frames += steps.len() as u64;
        steps
    }

    /// The flow file.
    fn text(&self) -> String {
        // Open vSwitch takes some actions only of a later OpenFlow, and the versions differ in what others mean.
        format!("# ovs-ofctl -O OpenFlow15 add-flows\n{}\n", self.flows.join("\n"))
    }

    /// Runs the case through both.
    ///
    /// # Errors
    /// The first difference.
    fn run(&self, ovs: &mut Ovs, tally: &mut Tally) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("case.flows");
        fs::write(&file, self.text())?;
        let steps = self.steps(tally);
        let expected = through_ovs(ovs, &file, &steps)?;
        let got = command::run(&file, &steps, COPIES)?;
        tally.out += expected.iter().map(|frames| frames.len() as u64).sum::<u64>();
        match difference(&expected, &got) {
            Some(what) => bail!(what),
            None => Ok(()),
        }
    }

    /// As it can be tried by hand.
    fn shown(&self) -> String {
        let frames = self.steps(&mut Tally::default()).into_iter().map(|step| match step {
            Step::Frame(port, frame) => format!("{} {}", PORTS[usize::from(port) - 1], hex(&frame)),
            Step::Wait(seconds) => format!("wait {seconds} s"),
        });
        format!("{}{}", self.text(), frames.collect::<Vec<_>>().join("\n"))
    }
}

fn through_ovs(ovs: &mut Ovs, flows: &Path, steps: &[Step]) -> Result<Vec<Frames>> {
    ovs.load_flows(flows)?;
    for step in steps {
        match step {
            Step::Frame(port, frame) => {
                for _ in 0..COPIES {
                    ovs.frame(usize::from(*port) - 1, frame)?;
                }
            }
            Step::Wait(seconds) => ovs.warp(*seconds)?,
        }
    }
    ovs.output()
}

fn difference(ovs: &[Frames], millrace: &[Frames]) -> Option<String> {
    let (port, ovs, millrace) =
        PORTS.iter().zip(ovs.iter().zip(millrace)).map(|(port, (a, b))| (port, a, b)).find(|(_, a, b)| a != b)?;
    let at = ovs.iter().zip(millrace).position(|(a, b)| a != b).unwrap_or(ovs.len().min(millrace.len()));
    let show = |frames: &Frames| frames.get(at).map_or("nothing".to_owned(), |frame| hex(frame));
    Some(format!("{port}, frame {at}:\n  Open vSwitch {}\n  Millrace     {}", show(ovs), show(millrace)))
}

fn hex(frame: &[u8]) -> String {
    frame.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Draws cases until `frames` frames went through both. `progress` is told how many did, after each case.
///
/// # Errors
/// The first difference, with the smallest flow file and frames that were found to show it.
pub fn stress(frames: u64, seed: u64, mut progress: impl FnMut(u64)) -> Result<Tally> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let mut tally = Tally::default();
    while tally.frames < frames {
        let mut ovs = Ovs::start()?;
        for _ in 0..CASES_PER_SWITCH {
            let mut tree = case().new_tree(&mut runner).map_err(|reason| anyhow!("cannot draw a case: {reason}"))?;
            if let Err(error) = tree.current().run(&mut ovs, &mut tally) {
                let (case, error) = smallest(&mut ovs, &mut tree, error);
                return Err(error)
                    .with_context(|| format!("seed {seed}, after {} frames:\n{}", tally.frames, case.shown()));
            }
            progress(tally.frames);
            if tally.frames >= frames {
                break;
            }
        }
    }
    Ok(tally)
}

/// The smallest case found that still fails, and how it does.
fn smallest(ovs: &mut Ovs, tree: &mut impl ValueTree<Value = Case>, error: anyhow::Error) -> (Case, anyhow::Error) {
    let mut smallest = (tree.current(), error);
    let mut moved = tree.simplify();
    for _ in 0..SHRINK_LIMIT {
        if !moved {
            break;
        }
        moved = match tree.current().run(ovs, &mut Tally::default()) {
            Err(error) => {
                smallest = (tree.current(), error);
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    smallest
}
