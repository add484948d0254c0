// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every scenario through Open vSwitch: what comes out of each port.

use millrace_testbench::ovs::{Frames, Ovs, PORTS};
use millrace_testbench::scenarios::{self, Scenario, Step};
use std::collections::BTreeSet;

/// What a switch made of a scenario.
struct Outcome {
    /// Frames per port, in their order.
    frames: Vec<Frames>,
    /// The megaflows that it took.
    megaflows: BTreeSet<String>,
}

fn through_ovs(ovs: &mut Ovs, scenario: &Scenario) -> anyhow::Result<Outcome> {
    ovs.load_flows(&scenario.flow_file())?;
    let mut megaflows = BTreeSet::new();
    for step in &scenario.steps {
        match step {
            Step::Frame(port, frame) => megaflows.extend(ovs.frame(usize::from(*port) - 1, frame)?),
            Step::Wait(seconds) => ovs.warp(*seconds)?,
        }
    }
    Ok(Outcome { frames: ovs.output()?, megaflows })
}

/// Frames per port as the scenario says there are.
fn expected(scenario: &Scenario) -> Vec<usize> {
    PORTS.iter().map(|port| scenario.expect.iter().find(|e| e.0 == *port).map_or(0, |e| e.1)).collect()
}

fn counts(outcome: &Outcome) -> Vec<usize> {
    outcome.frames.iter().map(Vec::len).collect()
}

#[test]
fn open_vswitch_does_what_the_scenarios_are_about() {
    let mut ovs = Ovs::start().unwrap();
    let mut wrong = Vec::new();
    let all = scenarios::all();
    assert!(all.len() >= 30);
    for scenario in &all {
        match through_ovs(&mut ovs, scenario) {
            Ok(outcome) => {
                assert!(!outcome.megaflows.is_empty(), "{}: no megaflow", scenario.name);
                let (got, want) = (counts(&outcome), expected(scenario));
                if got != want {
                    wrong.push(format!("{}: frames per port {got:?}, should be {want:?}", scenario.name));
                }
            }
            Err(error) => wrong.push(format!("{}: {error:#}", scenario.name)),
        }
    }
    assert!(wrong.is_empty(), "{} of {} scenarios:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}
