// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every scenario through Open vSwitch and through Millrace: the same frames must leave each port.
//!
//! Each frame goes in twice. The first one shows what the slow path does, the second one what the hardware does with the rule that
//! the first one left behind: it must be the hardware, unless the scenario says why not.

use millrace_regs::config::Preset;
use millrace_testbench::ovs::{Frames, Ovs, PORTS};
use millrace_testbench::scenarios::millrace::Millrace;
use millrace_testbench::scenarios::{self, Scenario, Step, command};
use std::collections::BTreeSet;

/// What a switch made of a scenario.
struct Outcome {
    /// Frames per port, in their order.
    frames: Vec<Frames>,
    /// How many megaflows it took.
    megaflows: usize,
    /// Frames of the scenario whose second copy went to the slow path.
    in_software: BTreeSet<usize>,
}

fn through_ovs(ovs: &mut Ovs, scenario: &Scenario) -> anyhow::Result<Outcome> {
    ovs.load_flows(&scenario.flow_file())?;
    let mut megaflows = BTreeSet::new();
    for step in &scenario.steps {
        match step {
            Step::Frame(port, frame) => {
                for _ in 0..2 {
                    megaflows.extend(ovs.frame(usize::from(*port) - 1, frame)?);
                }
            }
            Step::Wait(seconds) => ovs.warp(*seconds)?,
        }
    }
    Ok(Outcome { frames: ovs.output()?, megaflows: megaflows.len(), in_software: BTreeSet::new() })
}

fn through_millrace(scenario: &Scenario) -> anyhow::Result<Outcome> {
    let mut millrace = Millrace::start(&scenario.flow_file(), Preset::Sim)?;
    let mut in_software = BTreeSet::new();
    let mut number = 0;
    for step in &scenario.steps {
        match step {
            Step::Frame(port, frame) => {
                let port = usize::from(*port) - 1;
                millrace.frame(port, frame)?;
                let upcalls = millrace.upcalls();
                millrace.frame(port, frame)?;
                if millrace.upcalls() > upcalls {
                    in_software.insert(number);
                }
                number += 1;
            }
            Step::Wait(seconds) => millrace.wait(*seconds)?,
        }
    }
    Ok(Outcome { frames: millrace.output().to_vec(), megaflows: millrace.megaflows(), in_software })
}

/// Frames per port as the scenario says there are.
fn expected(scenario: &Scenario) -> Vec<usize> {
    PORTS.iter().map(|port| scenario.expect.iter().find(|e| e.0 == *port).map_or(0, |e| 2 * e.1)).collect()
}

/// Bytes in hexadecimal, the first 100 of them.
fn hex(frame: &[u8]) -> String {
    let bytes: String = frame.iter().take(100).map(|b| format!("{b:02x}")).collect();
    format!("{bytes} ({} bytes)", frame.len())
}

/// The first difference between the two switches.
fn difference(ovs: &Outcome, millrace: &Outcome) -> Option<String> {
    for (port, (a, b)) in PORTS.iter().zip(ovs.frames.iter().zip(&millrace.frames)) {
        if a == b {
            continue;
        }
        let at = a.iter().zip(b).position(|(a, b)| a != b).unwrap_or(a.len().min(b.len()));
        let show = |frames: &Frames| frames.get(at).map_or("nothing".to_owned(), |f| hex(f));
        let (ovs, millrace) = (show(a), show(b));
        return Some(format!("{port}, frame {at}:\n  Open vSwitch {ovs}\n  Millrace     {millrace}"));
    }
    (millrace.megaflows > ovs.megaflows)
        .then(|| format!("{} megaflows, Open vSwitch needs {}", millrace.megaflows, ovs.megaflows))
}

/// Frames that go to the slow path again although the scenario does not say so, or the other way round.
fn wrong_place(scenario: &Scenario, in_software: &BTreeSet<usize>) -> Option<String> {
    let said: BTreeSet<usize> = scenario.in_software.iter().map(|(frame, _)| *frame).collect();
    let unsaid: Vec<_> = in_software.difference(&said).collect();
    let untrue: Vec<_> = said.difference(in_software).collect();
    (*in_software != said).then(|| {
        format!("second copies of frames {unsaid:?} do not hit in hardware, and those of {untrue:?} are not to, and do")
    })
}

#[test]
fn open_vswitch_and_millrace_agree_on_every_scenario() {
    let mut ovs = Ovs::start().unwrap();
    let mut wrong = Vec::new();
    let (mut packets, mut in_software) = (0, 0);
    let all = scenarios::all();
    assert!(all.len() >= 30);
    for scenario in &all {
        let outcomes = through_ovs(&mut ovs, scenario).and_then(|ovs| Ok((ovs, through_millrace(scenario)?)));
        let (ovs, millrace) = match outcomes {
            Ok(outcomes) => outcomes,
            Err(error) => {
                wrong.push(format!("{}: {error:#}", scenario.name));
                continue;
            }
        };
        let (got, want) = (ovs.frames.iter().map(Vec::len).collect::<Vec<_>>(), expected(scenario));
        if got != want {
            wrong.push(format!("{}: Open vSwitch puts out {got:?} frames, the scenario says {want:?}", scenario.name));
        }
        in_software += millrace.in_software.len();
        wrong.extend(difference(&ovs, &millrace).map(|d| format!("{}: {d}", scenario.name)));
        wrong.extend(wrong_place(scenario, &millrace.in_software).map(|w| format!("{}: {w}", scenario.name)));
        match command::run(&scenario.flow_file(), &scenario.steps, 2) {
            Ok(frames) if frames == ovs.frames => {}
            Ok(frames) => {
                let command = Outcome { frames, ..millrace };
                let what = difference(&ovs, &command).unwrap_or_default();
                wrong.push(format!("{}: millrace run: {what}", scenario.name));
            }
            Err(error) => wrong.push(format!("{}: {error:#}", scenario.name)),
        }
        packets += scenario.steps.iter().filter(|s| matches!(s, Step::Frame(..))).count();
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    println!("{} scenarios, {packets} packets twice; {in_software} stay with the slow path", all.len());
}

#[test]
fn stations_that_move_are_where_open_vswitch_has_them() {
    let mut ovs = Ovs::start().unwrap();
    for seed in 0..4 {
        let scenario = scenarios::moves(seed);
        let outcome = through_ovs(&mut ovs, &scenario).unwrap();
        let millrace = through_millrace(&scenario).unwrap();
        let frames = command::run(&scenario.flow_file(), &scenario.steps, 2).unwrap();
        let packets = 2 * scenario.steps.iter().filter(|step| matches!(step, Step::Frame(..))).count();
        println!("seed {seed}: {packets} packets, {} of them by the slow path", millrace.in_software.len());
        for (what, frames) in [("in this process", millrace.frames), ("millrace run", frames)] {
            let other = Outcome { frames, megaflows: 0, in_software: BTreeSet::new() };
            assert_eq!(difference(&outcome, &other), None, "seed {seed}, {what}");
        }
    }
}
