// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every known difference from Open vSwitch, on both switches: a test fails when either of them changes. Each has a chapter of
//! docs/differences.md, which says who is right and why.

use millrace_firmware::openflow::{Ports, parse_flow_file, parse_group_file};
use millrace_regs::config::Preset;
use millrace_testbench::ovs::{self, Frames, Ovs};
use millrace_testbench::scenarios::build::*;
use millrace_testbench::scenarios::millrace::Millrace;
use std::io::Write;
use std::path::Path;

/// A frame of which the two switches make different ones. It comes in on `p0`, twice: once for the slow path, once for the hardware.
struct Case {
    /// The chapter of docs/differences.md.
    chapter: &'static str,
    flows: &'static str,
    frame: Vec<u8>,
    /// What Open vSwitch puts out to `p1` and `pf`.
    ovs: [Option<Vec<u8>>; 2],
    /// What Millrace does.
    millrace: [Option<Vec<u8>>; 2],
    /// Whether the hardware handles the second one.
    hardware: bool,
}

impl Case {
    /// For flows that put one frame out to `p1`.
    fn new(chapter: &'static str, flows: &'static str, frame: &[u8], ovs: &[u8], millrace: &[u8]) -> Case {
        let one = |frame: &[u8]| [Some(frame.to_vec()), None];
        Case { chapter, flows, frame: frame.to_vec(), ovs: one(ovs), millrace: one(millrace), hardware: true }
    }

    fn in_software(self) -> Case {
        Case { hardware: false, ..self }
    }
}

/// Chapters whose tests are below.
const OTHER_CHAPTERS: [&str; 7] = [
    "Two VLAN tags",
    "Fields that are given twice",
    "`vlan_vid` without its present bit",
    "`check_overlap`",
    "Actions of one flow",
    "Copies of one packet",
    "The choice of a `select` group",
];

/// Offset of the header behind Ethernet and IPv4, and behind Ethernet and IPv6.
const L4: usize = 34;
const L4_V6: usize = 54;

/// Address 10.0.0.9 instead of another, but not its MAC address.
fn station_2(frame: Vec<u8>) -> Vec<u8> {
    patched(frame, 0, &mac(2))
}

/// A TCP segment from 10.0.0.1 to port `dst` of 10.0.0.2 with this data offset, in words.
fn tcp_with_offset(dst: u16, offset: u8) -> Vec<u8> {
    patched(v4(1, 2).tcp(1000, dst, tcp::ACK, 10), L4 + 12, &[offset << 4])
}

fn atomic_fragment(to: u8) -> Vec<u8> {
    let header = [17, 0, 0, 0, 0, 0, 0, 7];
    station_2(v6(1, to).carry(44, &[&header[..], &v6(1, to).udp(1000, 53, 20)[L4_V6..]].concat()))
}

/// UDP from a host under a routing header (RFC 8200 §4.4) with one segment left.
fn source_routed(from: u8) -> Vec<u8> {
    let header = [17, 0, 0, 1, 0, 0, 0, 0];
    let frame = v6(from, 2).carry(43, &[&header[..], &v6(from, 2).udp(1000, 53, 20)[L4_V6..]].concat());
    patched(frame, 6, &mac(1))
}

/// The word at `at` as a checksum (RFC 1624) after an address changed from 10.0.0.1 to 10.0.0.9.
fn as_checksum(frame: Vec<u8>, at: usize) -> Vec<u8> {
    let sum = u32::from(!u16::from_be_bytes([frame[at], frame[at + 1]])) + u32::from(!1u16) + 9;
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    patched(frame, at, &(!(folded as u16)).to_be_bytes())
}

fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> = [0, 4, 15]
        .map(|offset| {
            let frame = tcp_with_offset(80, offset);
            let chapter = "TCP ports under an impossible data offset";
            Case::new(chapter, "tcp,actions=mod_tp_dst:7,output:2", &frame, &frame, &tcp_with_offset(7, offset))
        })
        .into();
    let raw = v4(1, 2).carry(0, &payload(30));
    let nat = "ip,actions=mod_nw_dst:10.0.0.9,dec_ttl,output:2";
    let chapter = "IPv4 packets of protocol 0";
    cases.push(Case::new(chapter, nat, &raw, &raw, &station_2(v4(1, 9).ttl(63).carry(0, &payload(30)))));

    let chapter = "ARP with an opcode of 0 or over 255";
    for opcode in [0, 256] {
        let frame = arp(opcode, 1, 2);
        let flows = "arp,actions=load:0x0a000009->NXM_OF_ARP_TPA[],output:2";
        cases.push(
            Case::new(chapter, flows, &frame, &frame, &patched(frame.clone(), 14 + 24, &[10, 0, 0, 9])).in_software(),
        );
    }

    let flows = "ipv6,actions=set_field:fd00::9->ipv6_dst,output:2";
    let (frame, moved) = (atomic_fragment(2), atomic_fragment(9));
    let checksum = L4_V6 + 8 + 6;
    let stale = patched(moved.clone(), checksum, &frame[checksum..checksum + 2]);
    cases.push(Case::new("IPv6 atomic fragments", flows, &frame, &stale, &moved));

    let flows = "ipv6,actions=set_field:fd00::9->ipv6_src,output:2";
    let (frame, moved) = (source_routed(1), source_routed(9));
    let stale = patched(moved.clone(), checksum, &frame[checksum..checksum + 2]);
    cases.push(Case::new("IPv6 routing headers with segments left", flows, &frame, &stale, &moved).in_software());

    let chapter = "Later fragments over IPv4";
    let nat = "ip,actions=mod_nw_src:10.0.0.9,output:2";
    for (frame, moved, checksum) in [
        (v4(1, 2).frag(16).carry(17, &payload(40)), v4(9, 2).frag(16).carry(17, &payload(40)), L4 + 6),
        (v4(1, 2).frag(16).carry(6, &payload(40)), v4(9, 2).frag(16).carry(6, &payload(40)), L4 + 16),
    ] {
        let moved = patched(moved, 6, &mac(1));
        cases.push(Case::new(chapter, nat, &frame, &as_checksum(moved.clone(), checksum), &moved));
    }
    let frame = patched(v4(1, 2).frag(16).icmp(8, 0, 40), L4 + 2, &[0x87, 0]);
    let written = patched(patched(frame.clone(), L4, &[3]), L4 + 2, &[0x8c, 0]);
    cases.push(
        Case::new(chapter, "icmp,actions=set_field:3->icmp_type,output:2", &frame, &written, &frame).in_software(),
    );

    let udp = v4(1, 2).udp(1000, 53, 12);
    let (frame, other) = (tagged(&udp, 0x8100, 0x1005), tagged(&udp, 0x8100, 9));
    for flows in ["actions=mod_vlan_vid:9,2,mod_vlan_vid:5,3", "actions=clone(mod_vlan_vid:9,2),3"] {
        cases.push(Case {
            chapter: "DEI of a tag that is changed and changed back",
            flows,
            frame: frame.clone(),
            ovs: [Some(other.clone()), Some(tagged(&udp, 0x8100, 5))],
            millrace: [Some(other.clone()), Some(frame.clone())],
            hardware: true,
        });
    }

    cases.push(Case {
        chapter: "The port `LOCAL`",
        flows: "actions=load:0xfffe->NXM_OF_IN_PORT[],normal",
        frame: udp.clone(),
        ovs: [Some(udp.clone()), Some(udp)],
        millrace: [None, None],
        hardware: true,
    });
    cases
}

fn file_with(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "{text}").unwrap();
    file
}

/// What two of the frame must give on a port.
fn twice(frame: &Option<Vec<u8>>) -> Frames {
    vec![frame.clone(); 2].into_iter().flatten().collect()
}

#[test]
fn frames_differ_as_the_page_says() {
    let mut ovs = Ovs::start().unwrap();
    for Case { chapter, flows, frame, ovs: want_ovs, millrace: want_millrace, hardware } in cases() {
        let file = file_with(flows);
        ovs.load_flows(file.path()).unwrap();
        let mut millrace = Millrace::start(file.path(), Preset::Sim).unwrap();
        for _ in 0..2 {
            ovs.frame(0, &frame).unwrap();
            millrace.frame(0, &frame).unwrap();
        }
        let ovs_output = ovs.output().unwrap();
        for (port, (theirs, ours)) in want_ovs.iter().zip(&want_millrace).enumerate() {
            assert_eq!(ovs_output[port + 1], twice(theirs), "{chapter}: Open vSwitch, {flows}");
            assert_eq!(millrace.output()[port + 1], twice(ours), "{chapter}: Millrace, {flows}");
        }
        assert_eq!(millrace.upcalls(), if hardware { 1 } else { 2 }, "{chapter}: {flows}");
        assert_ne!(want_ovs, want_millrace, "{chapter}: no difference");
    }
}

/// What is near a difference and is none.
#[test]
fn a_possible_data_offset_makes_no_difference() {
    let mut ovs = Ovs::start().unwrap();
    let file = file_with("tcp,actions=mod_tp_dst:7,output:2");
    ovs.load_flows(file.path()).unwrap();
    let mut millrace = Millrace::start(file.path(), Preset::Sim).unwrap();
    for offset in 5..=7 {
        ovs.frame(0, &tcp_with_offset(80, offset)).unwrap();
        millrace.frame(0, &tcp_with_offset(80, offset)).unwrap();
    }
    assert_eq!(ovs.output().unwrap()[1], millrace.output()[1]);
    assert_eq!(millrace.output()[1], (5..=7).map(|offset| tcp_with_offset(7, offset)).collect::<Frames>());
}

#[test]
fn two_tags_are_looked_at_and_open_vswitch_looks_at_one_by_default() {
    let file = file_with("priority=1,ip,actions=output:2\npriority=0,actions=output:3");
    let frame = tagged(&tagged(&v4(1, 2).udp(1000, 53, 12), 0x8100, 6), 0x88a8, 5);
    let ports = |frames: &[Frames]| -> Vec<usize> { (1..3).map(|port| frames[port].len()).collect() };
    for (limit, want) in [(1, [0, 1]), (2, [1, 0])] {
        let mut ovs = Ovs::with_vlan_limit(limit).unwrap();
        ovs.load_flows(file.path()).unwrap();
        ovs.frame(0, &frame).unwrap();
        assert_eq!(ports(&ovs.output().unwrap()), want, "vlan-limit={limit}");
    }
    let mut millrace = Millrace::start(file.path(), Preset::Sim).unwrap();
    millrace.frame(0, &frame).unwrap();
    assert_eq!(ports(millrace.output()), [1, 0]);
}

fn millrace_takes(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).unwrap();
    parse_flow_file("flows", &text, Ports::sim()).map(|_| ()).map_err(|error| error.to_string())
}

#[test]
fn a_match_that_would_lose_a_part_is_refused() {
    for (line, column, theirs) in [
        ("reg0=1/1,reg0=2/2,actions=drop", 10, "reg0=0x2/0x2"),
        ("dl_vlan=5,vlan_tci=0x1000/0x1000,actions=drop", 11, "vlan_tci=0x1000/0x1000"),
        ("ip,nw_src=1.2.3.4,nw_src=5.6.7.8,actions=drop", 19, "ip,nw_src=5.6.7.8"),
        ("vlan_vid=5,actions=drop", 10, "vlan_tci=0x0000"),
    ] {
        let file = file_with(line);
        assert_eq!(ovs::parse_flows(file.path()).unwrap().unwrap(), [format!("{theirs} actions=drop")]);
        let ours = millrace_takes(file.path()).unwrap_err();
        assert!(ours.starts_with(&format!("flows:1:{column}: ")), "{ours}");
    }
}

#[test]
fn overlapping_flows_are_not_refused() {
    let mut ovs = Ovs::start().unwrap();
    let file = file_with("priority=5,ip,actions=1\npriority=5,check_overlap,tcp,actions=2");
    assert!(ovs.load_flows(file.path()).unwrap_err().to_string().contains("OFPFMFC_OVERLAP"));
    assert_eq!(millrace_takes(file.path()), Ok(()));
}

#[test]
fn a_flow_may_have_more_actions() {
    let with = |count: usize| file_with(&format!("actions={}", vec!["output:2"; count].join(",")));
    for (count, theirs, ours) in
        [(4000, true, true), (5000, false, true), (65_535, false, true), (65_536, false, false)]
    {
        let file = with(count);
        assert_eq!(ovs::parse_flows(file.path()).unwrap().is_ok(), theirs, "{count}");
        assert_eq!(millrace_takes(file.path()).is_ok(), ours, "{count}");
    }
}

#[test]
fn a_packet_has_fewer_copies() {
    let mut ovs = Ovs::start().unwrap();
    let frame = v4(1, 2).udp(1000, 53, 12);
    // Ten copies each.
    for (floods, ours) in [(409, 409), (410, 0)] {
        let file = file_with(&format!("actions={}", vec!["flood"; floods].join(",")));
        ovs.load_flows(file.path()).unwrap();
        ovs.frame(0, &frame).unwrap();
        let mut millrace = Millrace::start(file.path(), Preset::Sim).unwrap();
        millrace.frame(0, &frame).unwrap();
        assert_eq!(ovs.output().unwrap()[1..].iter().map(Vec::len).collect::<Vec<_>>(), [floods; 10]);
        assert_eq!(millrace.output()[1..].iter().map(Vec::len).collect::<Vec<_>>(), [ours; 10]);
    }
}

#[test]
fn groups_choose_by_another_hash() {
    let folder = tempfile::tempdir().unwrap();
    let (flows, groups) = (folder.path().join("a.flows"), folder.path().join("a.groups"));
    let hash = "selection_method=hash,fields(ip_src,udp_src)";
    std::fs::write(&flows, "actions=group:1\n").unwrap();
    std::fs::write(&groups, format!("group_id=1,type=select,{hash},bucket=output:2,bucket=output:3\n")).unwrap();
    let mut ovs = Ovs::start().unwrap();
    ovs.load_flows(&flows).unwrap();
    let mut millrace = Millrace::start(&flows, Preset::Sim).unwrap();
    for port in 0..64 {
        let frame = v4(1, 2).udp(1000 + port, 53, 12);
        ovs.frame(0, &frame).unwrap();
        millrace.frame(0, &frame).unwrap();
    }
    let (theirs, ours) = (ovs.output().unwrap(), millrace.output());
    for chosen in [&theirs[..], ours] {
        assert_eq!(chosen[1].len() + chosen[2].len(), 64);
        assert!((16..=48).contains(&chosen[1].len()), "{}", chosen[1].len());
    }
    assert_ne!(theirs[1], ours[1]);

    let missing = "group_id=1,type=indirect,bucket=group:2\n";
    std::fs::write(&groups, missing).unwrap();
    ovs.load_flows(&flows).unwrap();
    assert!(parse_group_file("groups", missing, Ports::sim()).unwrap_err().to_string().contains("no group 2"));
}

#[test]
fn every_difference_has_a_chapter_and_every_chapter_a_test() {
    let page = include_str!("../../docs/differences.md");
    let chapters: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let mut tested: Vec<&str> = cases().iter().map(|case| case.chapter).chain(OTHER_CHAPTERS).collect();
    tested.dedup();
    assert_eq!(chapters, tested);
}
