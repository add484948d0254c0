// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every scenario, with its slow path, at every bus width: the same frames must leave each port as at 512 bits, whose frames are compared with
//! Open vSwitch's (`ovs.rs`). Each frame goes in twice, as there.

use anyhow::Result;
use millrace_regs::config::Preset;
use millrace_testbench::scenarios::millrace::Millrace;
use millrace_testbench::scenarios::{self, Scenario, Step};

/// What headers may add to a frame on its way.
const GROWTH: usize = 64;

/// Whether each build has the port, and room for the frame.
fn fits(step: &Step) -> bool {
    Preset::SIMULATED.map(Preset::config).iter().all(|config| match step {
        Step::Frame(port, frame) => usize::from(*port) <= config.vports() && frame.len() + GROWTH <= config.max_frame,
        Step::Wait(_) => true,
    })
}

/// The frames that leave each port of a build.
fn outputs(scenario: &Scenario, preset: Preset) -> Result<Vec<Vec<Vec<u8>>>> {
    let mut millrace = Millrace::start(&scenario.flow_file(), preset)?;
    for step in scenario.steps.iter().filter(|step| fits(step)) {
        match step {
            Step::Frame(port, frame) => {
                for _ in 0..2 {
                    millrace.frame(usize::from(*port) - 1, frame)?;
                }
            }
            Step::Wait(seconds) => millrace.wait(*seconds)?,
        }
    }
    Ok(millrace.output().to_vec())
}

#[test]
fn every_scenario_gives_the_same_frames_at_every_bus_width() {
    let mut compared = 0;
    for scenario in scenarios::all() {
        let expected = outputs(&scenario, Preset::Sim).unwrap();
        for preset in Preset::SIMULATED.into_iter().filter(|preset| *preset != Preset::Sim) {
            let got = outputs(&scenario, preset).unwrap_or_else(|e| panic!("{}, {preset}: {e:#}", scenario.name));
            for (vport, (got, expected)) in got.iter().zip(&expected).enumerate() {
                let at = got.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(got.len().min(expected.len()));
                assert!(
                    got == expected,
                    "{}, preset {preset}, vport {vport}, frame {at}: {:02x?}, at 512 bits {:02x?}",
                    scenario.name,
                    got.get(at),
                    expected.get(at)
                );
                compared += got.len();
            }
        }
    }
    assert!(compared > 2_000, "{compared} frames compared");
}
