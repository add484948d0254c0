// SPDX-License-Identifier: MIT OR Apache-2.0
//! The language of flow files against `ovs-ofctl parse-flows`: what Millrace accepts Open vSwitch accepts, with the same meaning; and
//! what Open vSwitch refuses Millrace refuses.

use millrace_firmware::openflow::{Flow, Ports, parse_flow};
use millrace_testbench::flow_text::{self, comparable};
use millrace_testbench::ovs;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::io::Write;

/// What ovs-ofctl makes of these lines.
fn ofctl(lines: &[&str]) -> Result<Vec<String>, String> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{}", lines.join("\n")).unwrap();
    let printed = ovs::parse_flows(file.path()).unwrap()?;
    // A message's timeouts are printed with names that flow files do not have.
    Ok(printed.iter().map(|l| l.replace("idle:", "idle_timeout=").replace("hard:", "hard_timeout=")).collect())
}

fn millrace(line: &str) -> Flow {
    comparable(parse_flow(line, &Ports::sim()).unwrap_or_else(|e| panic!("{line}: {e}")))
}

#[test]
fn random_flows_mean_the_same_to_both_and_survive_printing() {
    (0..4).for_each(compare_random_flows);
}

fn compare_random_flows(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let lines: Vec<String> = (0..2000).map(|_| flow_text::flow(&mut rng)).collect();
    let printed = ofctl(&lines.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert_eq!(printed.len(), lines.len());
    for (line, printed) in lines.iter().zip(&printed) {
        let ours = millrace(line);
        assert_eq!(ours, millrace(printed), "{line}\nOpen vSwitch: {printed}\nMillrace: {ours}");
        let parsed = parse_flow(line, &Ports::sim()).unwrap();
        assert_eq!(parse_flow(&parsed.to_string(), &Ports::sim()), Ok(parsed.clone()), "{line} printed as {parsed}");
    }
    let ours: Vec<String> = lines.iter().map(|l| parse_flow(l, &Ports::sim()).unwrap().to_string()).collect();
    let again = ofctl(&ours.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    assert_eq!(again.len(), ours.len());
    for (ours, again) in ours.iter().zip(&again) {
        assert_eq!(millrace(ours), millrace(again), "{ours}");
    }
}

/// Odd but right.
const ACCEPTED: &[&str] = &[
    "actions=",
    "action=drop",
    "  table=3 , priority=0x10 ,, ip actions=1,,2",
    "cookie=0x123,duration=5s,n_packets=0,n_bytes=0,idle_age=3,ip actions=drop",
    "reg0=010,actions=drop",
    "dl_dst=1:2:3:4:5:6,actions=drop",
    "ip,nw_src=10.1.2.3/8,actions=drop",
    "ip,nw_src=10.1.2.3/255.0.255.0,actions=drop",
    "ipv6,ipv6_src=fe80::1/10,actions=drop",
    "ip,nw_dst=1.2.3.4/0,actions=drop",
    "arp,nw_src=1.2.3.4,nw_proto=2,actions=drop",
    "icmp,icmp_type=3,icmp_code=1,actions=drop",
    "sctp,tp_src=5,actions=drop",
    "udp6,tp_src=5/0xff,actions=drop",
    "in_port_oxm=3,actions=drop",
    "tcp,nw_proto=6,actions=drop",
    "ip,ip,actions=drop",
    "actions=NORMAL",
    "actions=Output:1,FLOOD",
    "actions=mod_nw_src:1.2.3.4,mod_tp_dst:5,strip_vlan,dec_ttl,1",
    "actions=set_vlan_vid:5,set_vlan_pcp:3,1",
    "actions=output:reg0",
    "actions=output:NXM_NX_REG0[5]",
    "actions=load:1->NXM_OF_IN_PORT[],1",
    "actions=set_field:3->in_port,1",
    "actions=load:0x1005->NXM_OF_VLAN_TCI[],strip_vlan,1",
    "actions=resubmit(,0),resubmit(3,255),resubmit(in_port,3)",
    "actions=dec_ttl()",
    "arp actions=set_field:2->arp_op,load:5->NXM_OF_ARP_OP[],1",
    "actions=move:xxreg0[0..63]->xxreg1[64..127]",
    "actions=write_metadata:5/5",
    "vlan_tci=0x1000/0x1000 actions=push_vlan:0x88a8,1",
    "vlan_tci=0x1000/0x1000,dl_vlan_pcp=5,actions=1",
    "vlan_tci=0x1000/0x1000,dl_vlan=5,actions=1",
    "vlan_tci=0x1005/0x1fff,vlan_pcp=3,actions=1",
    "vlan_tci=0xa000/0xe000,vlan_vid=0x1005,actions=1",
    "vlan_vid=0x1005/0x100f,dl_vlan=5,actions=1",
    "vlan_vid=0x1000/0x1000,dl_vlan_pcp=5,actions=1",
    "reg0=1,xreg0=0x100000002,actions=1",
    "reg1=2/2,xreg0=0x100000002,actions=1",
    "ip,nw_tos=4,ip_dscp=1,nw_ecn=1,actions=1",
    "actions=drop,drop",
    "actions=drop drop",
    "actions=clone(drop,drop),1",
    "in_port=ANY,actions=1",
    "in_port=none,actions=1",
    "in_port=4294967295,actions=1",
    "in_port=65535,actions=1",
    "in_port=controller,actions=1",
    "in_port=flood,actions=1",
    "in_port=unset,actions=1",
    "in_port=65534,actions=1",
    "in_port=010,actions=1",
    "actions=output:01,resubmit(010,2),resubmit(ANY,1)",
    "actions=set_field:ANY->in_port,1",
    "actions=output:4294967291",
    "actions=set_field:0x12/0xf0->reg0,1",
    "actions=set_field:0xff/0x0f->metadata,1",
    "ipv6,actions=set_field:1::2/ffff::->ipv6_dst,1",
    "send_flow_rem,reset_counts=5,importance=3,allow_hidden_fields,actions=1",
];

#[test]
fn odd_lines_that_open_vswitch_takes_are_taken_with_the_same_meaning() {
    for line in ACCEPTED {
        let printed = ofctl(&[line]).unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(millrace(line), millrace(&printed[0]), "{line}: {}", printed[0]);
    }
}

/// Wrong for both.
const REFUSED: &[&str] = &[
    "ip",
    "nw_scr=1.2.3.4,actions=drop",
    "TCP,actions=drop",
    "vlan,actions=drop",
    "NXM_NX_REG0=1,actions=drop",
    "ip,nw_src=1.2.3,actions=drop",
    "ip,nw_src=1.2.3.4/33,actions=drop",
    "ip,nw_proto=6/3,actions=drop",
    "ip,nw_frag=some,actions=drop",
    "tcp,tcp_flags=+xyz,actions=drop",
    "tcp,tcp_flags=+syn-syn,actions=drop",
    "reg0=any,actions=drop",
    "reg0=-1,actions=drop",
    "reg0=0x100000000,actions=drop",
    "dl_dst=1:2:3:4:5,actions=drop",
    "priority=65536,actions=drop",
    "table=256,actions=drop",
    "cookie=1/2,actions=drop",
    "idle_timeout=70000,actions=drop",
    "actions=outptu:1",
    "actions=drop,1",
    "actions=output:70000",
    "actions=none",
    "actions=drop,note:01",
    "actions=drop,exit",
    "in_port=0x1,actions=1",
    "in_port=\"1\",actions=1",
    "in_port=0xffff,actions=1",
    "in_port=0xfffffffe,actions=1",
    "actions=0x1",
    "actions=output:0x1",
    "actions=output:0xfffffffa",
    "actions=output:4294967295",
    "actions=resubmit(0x1,2)",
    "actions=set_field:0x1->in_port,1",
    "ip,actions=set_field:63/0x30->ip_dscp,1",
    "actions=set_field:1.2.3.4->ip_src,1",
    "actions=set_field:4101->vlan_vid,1",
    "actions=set_field:5->vlan_pcp,1",
    "ip,actions=set_field:6->nw_proto,1",
    "actions=set_field:5->reg0[0..3]",
    "actions=load:16->reg0[0..3]",
    "actions=load:1->reg0[4..40]",
    "actions=move:reg0[]->reg1[0..3]",
    "actions=push_vlan:0x9100,1",
    "actions=push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100,1",
    "vlan_tci=0x1000/0x1000 actions=push_vlan:0x8100,push_vlan:0x8100,1",
    "actions=goto_table:1,2",
    "actions=write_metadata:1,2",
    "table=4,actions=goto_table:3",
    "actions=resubmit(,)",
    "actions=resubmit(,255)",
    "actions=resubmit:in_port",
    "tcp,nw_frag=later,actions=set_field:5->tcp_src,1",
    "actions=mod_nw_tos:1",
    "actions=mod_vlan_vid:4096",
    "actions=mod_vlan_pcp:8",
    "actions=set_field:5",
    "actions=mod_dl_src:1.2.3.4",
    "ip,actions=load:1->NXM_OF_TCP_SRC[],1",
];

#[test]
fn what_open_vswitch_refuses_is_refused() {
    for line in REFUSED {
        assert!(ofctl(&[line]).is_err(), "Open vSwitch takes {line}");
        assert!(parse_flow(line, &Ports::sim()).is_err(), "Millrace takes {line}");
    }
}
