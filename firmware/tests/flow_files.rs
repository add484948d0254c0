// SPDX-License-Identifier: MIT OR Apache-2.0
//! Flow files: what is read, and how faults are told.

use millrace_firmware::openflow::*;

fn read(text: &str) -> FlowTable {
    parse_flow_file("test.flows", text, Ports::sim()).unwrap_or_else(|e| panic!("{e}"))
}

fn flow(text: &str) -> Flow {
    parse_flow(text, &Ports::sim()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn errors(text: &str) -> String {
    match parse_flow_file("f", text, Ports::sim()) {
        Ok(table) => panic!("{text} was accepted: {:?}", table.flows),
        Err(e) => e.to_string(),
    }
}

#[test]
fn comments_blank_lines_and_the_add_command() {
    let table = read("# nothing\n\n  add table=1, priority=5 ip actions=drop # why\nactions=normal\n");
    assert_eq!(table.flows.len(), 2);
    assert_eq!((table.flows[0].table, table.flows[0].priority, table.flows[0].line), (1, 5, 3));
    assert_eq!((table.flows[1].priority, &table.flows[1].actions[..]), (DEFAULT_PRIORITY, &[Action::Normal][..]));
}

#[test]
fn what_dump_flows_prints_is_a_flow_file() {
    let table = read(
        "NXST_FLOW reply (xid=0x4): flags=[more]
 cookie=0x7, duration=0.026s, table=0, n_packets=5, n_bytes=300, idle_timeout=60, reset_counts in_port=4 actions=output:1
OFPST_FLOW reply (OF1.5) (xid=0x2):
 cookie=0x0, duration=3.1s, table=3, n_packets=0, n_bytes=0, importance=7, send_flow_rem check_overlap reset_counts \
no_packet_counts no_byte_counts idle_age=0, hard_age=65534, priority=10,ip actions=goto_table:4
",
    );
    let plain = read("cookie=7,idle_timeout=60,in_port=4,actions=1\ntable=3,priority=10,ip,actions=goto_table:4");
    let without_lines = |t: FlowTable| t.flows.into_iter().map(|f| Flow { line: 0, ..f }).collect::<Vec<_>>();
    assert_eq!(without_lines(table), without_lines(plain));
    assert!(errors("OFPST_FLOW request:\n").starts_with("f:1:20: the flow has no actions"));
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_flow() {
    assert_eq!(read("\u{feff}in_port=1,actions=2\r\n"), read("in_port=1,actions=2\n"));
    assert!(errors("\u{feff}nonsense=1,actions=2").starts_with("f:1:1: unknown field"));
    assert!(errors("in_port=1,actions=2\n\u{feff}in_port=1,actions=2").starts_with("f:2:1: unknown field"));
}

#[test]
fn a_later_flow_replaces_one_with_the_same_table_priority_and_match() {
    let table = read("ip,nw_src=10.0.0.1/8,actions=1\narp,actions=2\nip,nw_src=10.9.9.9/8,actions=3\n");
    assert_eq!(table.flows.len(), 2);
    assert_eq!(table.flows[0].actions, [Action::Output(3)]);
}

#[test]
fn port_names_numbers_and_quotes_mean_the_same() {
    let by_number = flow("in_port=4,actions=output:3,2,in_port");
    assert_eq!(by_number, flow("in_port=vf0,actions=output:pf,p1,IN_PORT"));
    assert_eq!(by_number, flow("in_port=\"vf0\",actions=output:\"pf\",\"p1\",output:in_port"));
}

#[test]
fn vlan_spellings_match_the_same_bits() {
    let tag5 = flow("dl_vlan=5,actions=drop").matches;
    assert_eq!((tag5.key.vlan_tci0(), tag5.mask.vlan_tci0()), (0x1005, 0x1fff));
    assert_eq!(tag5, flow("vlan_vid=0x1005,actions=drop").matches);
    assert_eq!(tag5, flow("vlan_vid=0x1005/0x1fff,actions=drop").matches);
    assert_eq!(tag5, flow("vlan_tci=0x1005/0x1fff,actions=drop").matches);
    let untagged = flow("dl_vlan=0xffff,actions=drop").matches;
    assert_eq!((untagged.key.vlan_tci0(), untagged.mask.vlan_tci0()), (0, 0xffff));
    let pcp = flow("vlan_pcp=3,actions=drop").matches;
    assert_eq!((pcp.key.vlan_tci0(), pcp.mask.vlan_tci0()), (0x7000, 0xf000));
    assert_eq!(flow("dl_vlan=5,dl_vlan_pcp=3,actions=drop").matches.mask.vlan_tci0(), 0xffff);
}

#[test]
fn tcp_flags_in_their_three_forms() {
    let bits = |t: &str| {
        let m = flow(&format!("tcp,tcp_flags={t},actions=drop")).matches;
        (m.key.tcp_flags(), m.mask.tcp_flags())
    };
    assert_eq!(bits("+syn-ack"), (0x002, 0x012));
    assert_eq!(bits("syn|ack"), (0x012, 0xfff));
    assert_eq!(bits("0x12/0x3f"), (0x012, 0x03f));
    assert_eq!(bits("+[200]-ns"), (0x200, 0x300));
}

#[test]
fn spellings_of_one_action_are_one_action() {
    let mac = Action::SetField { field: Field::EthDst, value: 0xaabb_ccdd_eeff, mask: 0xffff_ffff_ffff };
    for text in [
        "mod_dl_dst:aa:bb:cc:dd:ee:ff",
        "set_field:aa:bb:cc:dd:ee:ff->eth_dst",
        "set_field:aa:bb:cc:dd:ee:ff->dl_dst",
        "load:0xaabbccddeeff->NXM_OF_ETH_DST[]",
        "load:0xaabbccddeeff->OXM_OF_ETH_DST[0..47]",
    ] {
        assert_eq!(flow(&format!("actions={text}")).actions, [mac], "{text}");
    }
    let reg = Action::SetField { field: Field::Reg(0), value: 0x50, mask: 0xf0 };
    assert_eq!(flow("actions=load:5->reg0[4..7]").actions, [reg]);
    assert_eq!(flow("actions=set_field:0x50/0xf0->reg0").actions, [reg]);
    assert_eq!(flow("actions=set_field:0x5f/0xf0->reg0").actions, [reg]);
}

#[test]
fn instructions_are_read_in_their_order() {
    let f = flow("table=2,actions=load:1->reg0[],write_metadata:0xff/0x0f,goto_table:3");
    assert_eq!(f.actions[1..], [Action::WriteMetadata { value: 0x0f, mask: 0x0f }, Action::GotoTable(3)]);
    assert_eq!(
        flow("actions=resubmit(,2),resubmit(1,),resubmit:3,resubmit(in_port,4)").actions,
        [
            Action::Resubmit { port: None, table: Some(2) },
            Action::Resubmit { port: Some(1), table: None },
            Action::Resubmit { port: Some(3), table: None },
            Action::Resubmit { port: None, table: Some(4) },
        ]
    );
}

/// Each line with what the error must say, and its column.
const FAULTS: &[(&str, usize, &str)] = &[
    ("tp_dst=80,actions=drop", 1, "`tp_dst` needs a match on its protocol (add tcp, udp"),
    ("ip, tp_dst=80,actions=drop", 5, "`tp_dst` needs a match"),
    ("udp,tcp_dst=80,actions=drop", 5, "`tcp_dst` needs a match on its protocol (add tcp"),
    ("nw_src=1.2.3.4,actions=drop", 1, "(add ip or arp)"),
    ("ipv6,nw_src=1.2.3.4,actions=drop", 6, "`nw_src` needs"),
    ("ip,nw_scr=1.2.3.4,actions=drop", 4, "unknown field `nw_scr` (did you mean `nw_src`?)"),
    ("tun_id=5,actions=drop", 1, "`tun_id` is not supported"),
    ("ct_state=+trk,actions=drop", 1, "`ct_state` is not supported"),
    ("reg16=5,actions=drop", 1, "unknown field `reg16`"),
    ("importance=70000,actions=drop", 12, "importance 70000 is out of range (0 to 65535)"),
    ("importance,actions=drop", 1, "importance has no value"),
    ("duration,actions=drop", 1, "unknown field `duration`"),
    ("ip,nw_src=1.2.3.4/33,actions=drop", 19, "prefix length 33 is out of range (0 to 32)"),
    ("ip,nw_proto=6/3,actions=drop", 15, "nw_proto cannot be matched with a mask"),
    ("ip,nw_src=1.2.3,actions=drop", 11, "`1.2.3` is not an IPv4 address"),
    ("tcp,tp_dst=65536,actions=drop", 12, "value 0x10000 is out of range for tcp_dst"),
    ("vlan_vid=0x1005/0x2fff,actions=drop", 17, "mask of vlan_vid has bits that the field does not"),
    ("vlan_vid=5,actions=drop", 10, "without the bit that says a tag is present (vlan_vid=0x1005"),
    ("dl_vlan=5000,actions=drop", 9, "out of range for dl_vlan"),
    ("ip,nw_tos=1,actions=drop", 11, "out of range for nw_tos"),
    ("tcp,udp,actions=drop", 5, "`udp` is at odds with `tcp`"),
    ("vlan_vid=0,vlan_pcp=3,actions=drop", 12, "`vlan_pcp` is at odds with `vlan_vid` (no packet matches both)"),
    ("dl_vlan=0xffff,dl_vlan_pcp=3,actions=drop", 16, "`dl_vlan_pcp` is at odds with `dl_vlan`"),
    ("reg0=1,xreg0=5,actions=drop", 8, "`xreg0` is at odds with `reg0`"),
    ("dl_vlan_pcp=5,vlan_tci=0x1000/0x1000,actions=drop", 15, "`vlan_tci` replaces a part of what `dl_vlan_pcp` says"),
    (
        "reg0=1/1,reg0=2/2,actions=drop",
        10,
        "`reg0` replaces a part of what `reg0` says (give both in one value and mask)",
    ),
    ("ip,nw_frag=no,nw_frag=not_later,actions=drop", 15, "`nw_frag` replaces a part"),
    ("in_port=12,actions=drop", 9, "unknown port 12 (ports are p0 to vf7, numbers 1 to 11)"),
    ("in_port=eth0,actions=drop", 9, "unknown port eth0"),
    ("in_port=0x1,actions=drop", 9, "unknown port 0x1"),
    ("in_port=0xfffffffe,actions=drop", 9, "unknown port 0xfffffffe"),
    ("in_port=99999999999999999999,actions=drop", 9, "unknown port 99999999999999999999"),
    ("vlan,actions=drop", 1, "`vlan` is not a field (vlan_tci=0x1000/0x1000"),
    ("ip,tcp=5,actions=drop", 8, "`tcp` takes no value"),
    ("nw_src,actions=drop", 1, "field nw_src has no value"),
    ("ip,nw_frag=some,actions=drop", 12, "unknown fragment type"),
    ("tcp,tcp_flags=+xyz,actions=drop", 16, "unknown TCP flag `xyz`"),
    ("priority=70000,actions=drop", 10, "priority 70000 is out of range (0 to 65535)"),
    ("table=255,actions=drop", 7, "table 255 is out of range (0 to 254)"),
    ("cookie=1/2,actions=drop", 8, "cannot have a cookie mask"),
    ("ip", 3, "the flow has no actions"),
    ("delete ip,actions=drop", 1, "command `delete` is not supported"),
    ("actions=output:vf9", 16, "unknown port vf9"),
    ("actions=99", 9, "unknown port 99"),
    ("actions=controller", 9, "action `controller` is not supported"),
    ("actions=output:CONTROLLER", 16, "output to CONTROLLER is not supported"),
    ("actions=clone(1,drop)", 17, "`drop` stands alone"),
    ("actions=clone(1,outptu:2),3", 17, "unknown action `outptu`"),
    ("actions=clone(goto_table:3)", 15, "an instruction cannot be in a clone (resubmit(,TABLE))"),
    ("actions=clone(push_vlan:0x8100),set_field:3->vlan_pcp", 46, "does not make sure that the packet has vlan_pcp"),
    ("actions=note:0", 14, "a note is of bytes"),
    ("actions=note:01.zz", 17, "a note is of bytes"),
    ("actions=exit:3", 14, "`exit` takes no argument"),
    ("actions=ct(commit),1", 9, "action `ct` is not supported"),
    ("actions=clear_actions", 9, "action `clear_actions` is not supported"),
    ("actions=write_actions(output:1)", 9, "action `write_actions` is not supported"),
    ("actions=outptu:1", 9, "unknown action `outptu` (did you mean `output`?)"),
    ("actions=1,drop", 11, "`drop` stands alone"),
    ("actions=set_field:1.2.3.4->ip_src,1", 28, "does not make sure that the packet has nw_src (match on ip)"),
    ("actions=set_field:5->vlan_vid,1", 22, "(match on a VLAN tag"),
    ("ip,actions=set_field:6->nw_proto,1", 25, "nw_proto is read-only"),
    ("actions=set_field:5->tun_id", 22, "field `tun_id` is not supported"),
    ("actions=set_field:5->reg0[0..3]", 22, "set_field takes a whole field"),
    ("actions=load:16->reg0[0..3]", 14, "16 does not fit into 4 bits"),
    ("actions=load:1->reg0[4..40]", 22, "bits 4..40 are not in reg0 (reg0 has bits 0..31)"),
    ("actions=move:reg0[]->reg1[0..3]", 14, "reg0[] is 32 bits wide, reg1[0..3] is 4"),
    ("actions=push_vlan:0x9100,1", 19, "not the TPID of a VLAN tag (0x8100 or 0x88a8)"),
    ("actions=push_vlan:0x8100,push_vlan:0x8100,push_vlan:0x8100", 53, "two VLAN tags"),
    ("actions=goto_table:1,2", 22, "comes too late"),
    ("table=4,actions=goto_table:3", 28, "goto_table:3 in table 4 goes back"),
    ("actions=resubmit(,)", 18, "resubmit needs a port or a table"),
    ("actions=resubmit(1,2,ct)", 22, "`ct`"),
    ("actions=dec_ttl(1,2)", 17, "dec_ttl with controller identifiers is not supported"),
    ("actions=output(port=1,max_len=100)", 16, "truncation"),
    ("actions=mod_vlan_vid:4096", 22, "VLAN identifier 4096 is out of range (0 to 4095)"),
];

#[test]
fn faults_are_told_with_line_column_and_remedy() {
    for &(line, column, message) in FAULTS {
        let text = errors(&format!("# first line\n{line}\n"));
        assert!(text.starts_with(&format!("f:2:{column}: ")), "{line}: {text}");
        assert!(text.contains(message), "{line}: {text}");
    }
}

#[test]
fn all_faults_of_a_file_are_told_up_to_a_limit() {
    let text = errors("in_port=99,nonsense=1,actions=foo\nactions=drop\nip,actions=bar\n");
    let places: Vec<&str> = text.lines().map(|l| l.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["f:1:9", "f:1:12", "f:1:31", "f:3:12"]);
    // A line does not hide the others.
    let text = errors(&format!("actions={}\nactions=bar", vec!["push_vlan:0x9100"; 65_535].join(",")));
    let lines: Vec<&str> = text.lines().map(|line| line.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines[..6], ["1", "1", "1", "1", "1", "2"], "{text}");
    assert!(text.lines().count() == 7 && text.ends_with(" more errors"), "{text}");
    let text = errors(&"actions=foo\n".repeat(50));
    assert_eq!(text.lines().count(), 21);
    assert!(text.ends_with("f: 30 more errors"));
}

#[test]
fn clones_are_lists_in_a_list() {
    let copies = flow("actions=1,clone(mod_dl_src:02:00:00:00:00:01,clone(LOCAL),2),note:01.0203,exit,3");
    assert_eq!(copies.actions[1], Action::Clone { actions: 4 });
    assert_eq!(
        copies.actions[3..],
        [
            Action::Clone { actions: 1 },
            Action::Output(port::OFPP_LOCAL),
            Action::Output(2),
            Action::Exit,
            Action::Output(3)
        ]
    );
    let text = "actions=output:1,clone(mod_dl_src:02:00:00:00:00:01,clone(LOCAL),output:2),exit,output:3";
    assert_eq!(copies.to_string(), text);
    assert_eq!(flow("actions=clone,Clone(drop),clone()").to_string(), "actions=clone(drop),clone(drop),clone(drop)");
    let nested = |n| format!("actions={}1{}", "clone(".repeat(n), ")".repeat(n));
    assert_eq!(flow(&nested(100)).actions.len(), 101);
    assert!(errors(&nested(101)).starts_with("f:1:609: more than 100 clones are one in the other"));
    assert!(errors(&nested(100_000)).starts_with("f:1:609: "));
}

#[test]
fn a_flow_has_at_most_as_many_actions_as_it_can_carry_out() {
    assert_eq!(flow(&format!("actions={}", vec!["1"; 65_535].join(","))).actions.len(), 65_535);
    for many in
        [vec!["1"; 65_536].join(","), vec!["1"; 300_000].join(","), format!("{}clone(1),1,2", "1,".repeat(65_534))]
    {
        let text = errors(&format!("actions=drop\nactions={many}\n"));
        assert!(text.starts_with("f:2:1310"), "{text}");
        assert!(text.contains("more than 65535 actions"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn what_a_message_quotes_is_cut_and_has_no_control_characters() {
    let text = errors(&format!("\u{1b}[31m{}=1,actions=drop", "x".repeat(5000)));
    assert!(text.starts_with("f:1:1: unknown field `\\u{1b}[31mxxx") && text.ends_with('…'), "{text}");
    assert!(text.len() < 300, "{text}");
}

#[test]
fn a_fault_is_told_once() {
    for (line, column) in [
        ("actions=check_pkt_larger(100)->NXM_NX_REG0[0],1", 9),
        ("actions=learn(table=1,output:NXM_OF_IN_PORT[]),1", 9),
        ("actions=ct(commit,zone=1,nat(src=1.2.3.4),exec(load:1->NXM_NX_CT_MARK[])),1", 9),
        // Without what was not understood the rest cannot be judged.
        ("TCP,tp_dst=80,actions=set_field:5->tcp_dst", 1),
        ("tp_dst=80,actions=set_field:5->tcp_dst", 1),
        ("actions=push_vlan:0x9100,set_field:5->vlan_pcp", 19),
    ] {
        let text = errors(line);
        assert!(text.starts_with(&format!("f:1:{column}: ")), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn fields_that_share_bits_are_taken_where_open_vswitch_matches_on_both() {
    let tci = |t: &str| {
        let m = flow(&format!("{t},actions=drop")).matches;
        (m.key.vlan_tci0(), m.mask.vlan_tci0())
    };
    assert_eq!(tci("vlan_tci=0x1000/0x1000,dl_vlan_pcp=5"), (0xb000, 0xf000));
    assert_eq!(tci("vlan_tci=0x1005/0x1fff,vlan_pcp=3"), (0x7005, 0xffff));
    assert_eq!(tci("vlan_tci=0xa000/0xe000,vlan_vid=0x1005"), (0xb005, 0xffff));
    assert_eq!(tci("vlan_vid=0x1005/0x100f,dl_vlan=5"), (0x1005, 0x1fff));
    assert_eq!(flow("reg0=1,xreg0=0x100000002,actions=drop"), flow("reg0=1,reg1=2,actions=drop"));
    assert_eq!(flow("ip,nw_tos=4,ip_dscp=1,nw_ecn=1,actions=drop"), flow("ip,nw_tos=4,nw_ecn=1,actions=drop"));
}

#[test]
fn columns_count_characters() {
    assert!(errors("ip,é=1,actions=foo\n").contains("f:1:16: unknown action"));
}
