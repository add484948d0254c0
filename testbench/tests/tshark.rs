// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wireshark's dissectors judge what the simulated hardware puts out.

use millrace_live::output;
use millrace_live::program;
use std::path::Path;
use std::process::Command;

/// The frames of a capture that a display filter picks, one line each, with all checksums verified.
fn picked(capture: &Path, filter: &str) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-Y", filter]);
    for protocol in ["ip", "tcp", "udp"] {
        command.args(["-o", &format!("{protocol}.check_checksum:TRUE")]);
    }
    let printed = output(&mut command).expect("tshark: `cargo xtask setup` installs it");
    String::from_utf8(printed.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn edited_traffic_of_two_linux_stacks_has_right_checksums() {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let out = tempfile::tempdir().unwrap();
    let flows = out.path().join("nat.flows");
    let rules = "priority=2,arp,actions=flood\n\
        priority=1,in_port=vf0,ip,actions=dec_ttl,set_field:192.168.7.7->ip_src,mod_nw_tos:184,push_vlan:0x8100,\
        set_field:4106->vlan_vid,output:p0,strip_vlan,output:vf1\n";
    std::fs::write(&flows, rules).unwrap();
    let mut run = Command::new(program("millrace").unwrap());
    run.args(["run", "--pace", "line", "--flows"]).arg(&flows).arg("--out").arg(out.path());
    run.arg("--in").arg(format!("vf0={}", captures.join("demo-vf0.pcap").display()));
    output(&mut run).unwrap();

    let sent = picked(&captures.join("demo-vf0.pcap"), "ip").len();
    assert!(sent > 100, "the capture holds a conversation");
    for (port, tagged) in [("p0", "vlan.id == 10"), ("vf1", "!vlan")] {
        let capture = out.path().join(format!("{port}.pcap"));
        let wanted = format!("{tagged} && ip.src == 192.168.7.7 && ip.ttl == 63 && ip.dsfield == 0xb8");
        assert_eq!(picked(&capture, &wanted).len(), sent, "{port}");
        let bad = "ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0 || _ws.malformed";
        assert_eq!(picked(&capture, bad), Vec::<String>::new(), "{port}");
    }
}
