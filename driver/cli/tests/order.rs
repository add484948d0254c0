// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the slow path and the hardware make of one another's packets: the order of a flow, and where stations are.

#[allow(dead_code)]
mod common;

use common::{Folder, frames};
use serde_json::Value;

/// Frame `n` of a flow: 18 bytes from station `src` to station `dst`, the last four are `n`.
fn frame(dst: u8, src: u8, n: u32) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, dst, 2, 0, 0, 0, 0, src, 0x88, 0xb5];
    frame.extend(n.to_be_bytes());
    frame
}

#[test]
fn a_flow_stays_in_order_while_its_rule_comes() {
    for (count, gap, pace) in
        [(560, 1, "line"), (20_000, 1, "line"), (1_000, 300, "capture"), (1_000, 1_200, "capture")]
    {
        let folder = Folder::new();
        let flows = folder.write("a.flows", "actions=output:p0\n");
        let sent: Vec<Vec<u8>> = (0..count).map(|n| frame(2, 1, n)).collect();
        let capture = folder.capture("in.pcap", sent.iter().enumerate().map(|(n, f)| (gap * n as u64, f.clone())));
        let input = format!("vf0={capture}");
        let run = ["run", "--flows", &flows, "--in", &input, "--out", "out", "--pace", pace, "--stats", "s.json"];
        folder.millrace(&run).succeeds();
        let stats: Value = serde_json::from_str(&folder.read("s.json")).unwrap();
        assert!(frames(&folder.path("out/p0.pcap")) == sent, "{count} frames, {gap} ns, {pace}: {stats:#}");
        let slow = &stats["slow_path"];
        assert_eq!((slow["in_haste"].as_u64(), slow["installed"].as_u64()), (Some(0), Some(1)), "{slow:#}");
    }
}

#[test]
fn a_station_that_moved_stays_where_it_went() {
    let folder = Folder::new();
    let flows = folder.write("a.flows", "actions=NORMAL\n");
    let vf1 = folder.capture("vf1.pcap", [(0, frame(3, 2, 0)), (1_000_000_000, frame(3, 2, 1))]);
    let p0 = folder.capture("p0.pcap", [(2_000_000_000, frame(1, 2, 2)), (3_000_000_000, frame(2, 5, 3))]);
    let inputs = [format!("vf1={vf1}"), format!("p0={p0}")];
    for pace in ["settle", "capture"] {
        let run = ["run", "--flows", &flows, "--in", &inputs[0], "--in", &inputs[1], "--out", pace, "--pace", pace];
        folder.millrace(&run).succeeds();
        assert_eq!(frames(&folder.path(&format!("{pace}/vf1.pcap"))), [frame(1, 2, 2)], "{pace}: 2 is at p0");
    }
}
