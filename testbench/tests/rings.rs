// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every scenario through `millrace run` by rings in memory: what leaves each port is what leaves it by the pins of the core.

use millrace_testbench::scenarios::{self, Scenario, command};

/// Frames of which the first goes to the slow path, and the second to the rule that it left.
const COPIES: usize = 2;

/// The ports at which other frames left, or in another order.
fn differences(scenario: &Scenario) -> Vec<usize> {
    let [pins, rings] = ["pins", "rings"].map(|host| {
        command::run_with(&scenario.flow_file(), &scenario.steps, COPIES, &["--host", host])
            .unwrap_or_else(|error| panic!("{}, {host}: {error:#}", scenario.name))
    });
    assert_eq!(pins.len(), rings.len());
    (0..pins.len()).filter(|port| pins[*port] != rings[*port]).collect()
}

#[test]
fn every_scenario_puts_out_the_same_by_rings_and_by_pins() {
    let all = scenarios::all();
    assert!(all.len() >= 30);
    let wrong: Vec<_> = all.iter().map(|s| (&s.name, differences(s))).filter(|(_, ports)| !ports.is_empty()).collect();
    assert!(wrong.is_empty(), "ports that differ: {wrong:?}");
}
