// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules as DPDK's testpmd has them (`flow create`): attributes, pattern, actions. What the hardware does not do is refused in the terms of rte_flow.

mod action;
mod pattern;
mod words;

use millrace_driver::program;
use millrace_firmware::slowpath::LEVELS;
use millrace_regs::config::Config;
use millrace_regs::{Key, Mask, Step};
use std::fmt;
use words::Words;

/// A rule, in the hardware's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRule {
    pub key: Key,
    pub mask: Mask,
    /// 0 goes first.
    pub priority: u16,
    pub program: Vec<Step>,
}

/// What of a rule cannot be done (`enum rte_flow_error_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    AttrGroup,
    AttrPriority,
    AttrIngress,
    AttrEgress,
    AttrTransfer,
    Item,
    ItemSpec,
    ItemLast,
    ItemMask,
    Action,
    ActionConf,
}

/// Why there is no such rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The words are no rule: at a word, counted from 1.
    Syntax { word: usize, text: String, problem: String },
    /// They are one that the hardware does not do: an item or action by its name and number, counted from 1, or an attribute.
    Unsupported { kind: Kind, what: String, problem: String },
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::AttrGroup => "ATTR_GROUP",
            Kind::AttrPriority => "ATTR_PRIORITY",
            Kind::AttrIngress => "ATTR_INGRESS",
            Kind::AttrEgress => "ATTR_EGRESS",
            Kind::AttrTransfer => "ATTR_TRANSFER",
            Kind::Item => "ITEM",
            Kind::ItemSpec => "ITEM_SPEC",
            Kind::ItemLast => "ITEM_LAST",
            Kind::ItemMask => "ITEM_MASK",
            Kind::Action => "ACTION",
            Kind::ActionConf => "ACTION_CONF",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Syntax { word, text, problem } if text.is_empty() => write!(f, "word {word}, the end: {problem}"),
            Refusal::Syntax { word, text, problem } => write!(f, "word {word}, `{text}`: {problem}"),
            Refusal::Unsupported { kind, what, problem } => {
                write!(f, "RTE_FLOW_ERROR_TYPE_{}: {what}: {problem}", kind.name())
            }
        }
    }
}

/// The rule of these words.
///
/// # Errors
/// The first thing that is no part of a rule, or that the hardware does not do.
pub fn parse(words: &[String], config: &Config) -> Result<FlowRule, Refusal> {
    let words = &mut Words::new(words);
    let priority = attributes(words)?;
    let (key, mask) = pattern::parse(words, config)?;
    words.expect("actions", "`actions`")?;
    let (actions, names) = action::parse(words, config, &key, &mask)?;
    words.end()?;
    let program = program(&actions).map_err(|error| {
        let what = format!("action {} (`{}`)", names[error.index].0, names[error.index].1);
        Refusal::Unsupported { kind: Kind::ActionConf, what, problem: error.problem.into() }
    })?;
    Ok(FlowRule { key: key & mask, mask, priority, program })
}

/// What is before the pattern: its priority.
fn attributes(words: &mut Words<'_>) -> Result<u16, Refusal> {
    let (mut priority, mut ingress) = (0, false);
    let refuse = |kind, what: &str, problem: &str| {
        Err(Refusal::Unsupported { kind, what: what.into(), problem: problem.into() })
    };
    loop {
        let word = words.next("an attribute, or `pattern`")?;
        match word.text {
            "ingress" => ingress = true,
            "pattern" if ingress => return Ok(priority),
            "pattern" => {
                return refuse(Kind::AttrIngress, "`ingress` is missing", "the hardware looks at frames that come in");
            }
            "egress" => return refuse(Kind::AttrEgress, "`egress`", "the hardware looks at frames that come in"),
            "transfer" => {
                return refuse(Kind::AttrTransfer, "`transfer`", "write `ingress`: every rule is one of the switch");
            }
            "group" => match words.number("a group", u32::MAX.into())? {
                0 => {}
                _ => return refuse(Kind::AttrGroup, "`group`", "the hardware has group 0 alone"),
            },
            "priority" => {
                let level = words.number("a priority", u32::MAX.into())?;
                priority = match u16::try_from(level) {
                    Ok(level) if level < LEVELS => level,
                    _ => return refuse(Kind::AttrPriority, "`priority`", &format!("levels are 0 to {}", LEVELS - 1)),
                };
            }
            _ => return Err(word.wrong("give `ingress`, `priority N`, `group 0` or `pattern`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_regs::config::Preset;

    fn rule(text: &str) -> Result<FlowRule, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(&words, &Preset::Sim.config()).map_err(|refusal| refusal.to_string())
    }

    fn refused(text: &str, message: &str) {
        assert_eq!(rule(text).unwrap_err(), message, "{text}");
    }

    #[test]
    fn a_rule_is_a_pattern_and_actions() {
        let found = rule("ingress pattern eth / ipv4 dst is 10.0.0.1 / udp / end actions port_id id 3 / end").unwrap();
        let key = Key { dl_type: 0x0800, nw_dst: 0x0a00_0001, nw_proto: 17, ..Key::default() };
        let mask = Mask { dl_type: 0xffff, nw_dst: 0xffff_ffff, nw_proto: 0xff, nw_frag: 2, ..Mask::ANY };
        assert_eq!(found, FlowRule { key, mask, priority: 0, program: vec![Step::output(8)] });
        let found = rule(
            "priority 7 ingress group 0 pattern represented_port ethdev_port_id is 0 / eth dst spec 02:00:00:00:00:01 dst mask ff:ff:ff:00:00:00 \
             / vlan vid is 5 pcp is 3 / ipv4 src spec 10.1.2.3 src prefix 8 ttl is 1 / tcp dst is 80 flags spec 2 flags mask 0x12 / end \
             actions of_pop_vlan / set_mac_dst mac_addr 02:00:00:00:00:09 / dec_ttl / count / represented_port ethdev_port_id vf0 / end",
        )
        .unwrap();
        let key = Key {
            dl_dst: 0x0200_0000_0000,
            vlan_tci0: 0x7005,
            dl_type: 0x0800,
            nw_src: 0x0a00_0000,
            nw_ttl: 1,
            nw_proto: 6,
            tp_dst: 80,
            tcp_flags: 2,
            ..Key::default()
        };
        let mask = Mask {
            in_port: 0xff,
            dl_dst: 0xffff_ff00_0000,
            vlan_tci0: 0xffff,
            dl_type: 0xffff,
            nw_src: 0xff00_0000,
            nw_ttl: 0xff,
            nw_proto: 0xff,
            nw_frag: 2,
            tp_dst: 0xffff,
            tcp_flags: 0x12,
            ..Mask::ANY
        };
        let step = Step { vlan_pop: 1, set_dl_dst: true, dl_dst: 0x0200_0000_0009, ttl_dec: 1, ..Step::output(8) };
        assert_eq!(found, FlowRule { key, mask, priority: 7, program: vec![step] });
    }

    #[test]
    fn tags_are_told_by_type_item_and_flags() {
        let matches = |pattern: &str| {
            let found = rule(&format!("ingress pattern {pattern} / end actions drop / end")).unwrap();
            assert_eq!(found.program, [Step::DROP]);
            (found.key, found.mask)
        };
        let tag = |tci0, ad0| Key { vlan_tci0: tci0, vlan_ad0: ad0, ..Key::default() };
        assert_eq!(matches("eth"), (Key::default(), Mask::ANY));
        assert_eq!(matches("eth has_vlan is 1"), (tag(0x1000, false), Mask { vlan_tci0: 0x1000, ..Mask::ANY }));
        let service = Mask { vlan_tci0: 0x1000, vlan_ad0: true, ..Mask::ANY };
        assert_eq!(matches("eth type is 0x88a8"), (tag(0x1000, true), service));
        let untagged = Mask { vlan_tci0: 0x1000, dl_type: 0xffff, ..Mask::ANY };
        assert_eq!(matches("eth type is 0x88b5"), (Key { dl_type: 0x88b5, ..Key::default() }, untagged));
        let (key, mask) = matches(
            "eth type is 0x88a8 / vlan vid is 1 inner_type is 0x8100 / vlan tci spec 2 tci mask 0xfff / ipv6 / icmp6 type is 128",
        );
        assert_eq!((key.vlan_tci0, key.vlan_ad0, key.vlan_tci1, key.vlan_ad1), (0x1001, true, 0x1002, false));
        assert_eq!((mask.vlan_tci0, mask.vlan_ad0, mask.vlan_tci1, mask.vlan_ad1), (0x1fff, true, 0x1fff, true));
        assert_eq!((key.dl_type, key.nw_proto, key.tp_src, mask.tp_src), (0x86dd, 58, 128, 0xffff));
        let (key, mask) = matches("eth / arp_eth_ipv4 spa is 10.0.0.1 tha is 02:00:00:00:00:05");
        assert_eq!((key.dl_type, key.nw_src, key.nw_dst), (0x0806, 0x0a00_0001, 0x0200_0000_0005 << 80));
        assert_eq!((mask.nw_src, mask.nw_dst), (0xffff_ffff, 0xffff_ffff_ffff << 80));
        let (key, mask) = matches("eth / ipv6 dst spec 2001:db8:: dst prefix 32 tc is 4 hop is 9");
        assert_eq!((key.nw_dst >> 96, mask.nw_dst >> 96, key.nw_tos, key.nw_ttl), (0x2001_0db8, 0xffff_ffff, 4, 9));
        assert_eq!(mask.nw_dst << 32, 0);
        let (key, mask) = matches("eth / ipv4 fragment_offset spec 0 fragment_offset mask 0x3fff");
        assert_eq!((key.nw_frag, mask.nw_frag), (0, 3));
    }

    #[test]
    fn edits_are_the_hardwares() {
        let program = |actions: &str| {
            rule(&format!("ingress pattern eth / ipv4 / udp / end actions {actions} / end")).map(|found| found.program)
        };
        let expected = Step {
            set_nw_src: true,
            nw_src: 0x0a00_0009,
            set_tp_dst: true,
            tp_dst: 53,
            nw_tos: 0xb8,
            nw_tos_mask: 0xfc,
            vlan_push: 1,
            push0_tpid: 0x8100,
            push0_tci: 0x6007,
            ..Step::output(1)
        };
        let all = "set_ipv4_src ipv4_addr 10.0.0.9 / set_tp_dst port 53 / set_ipv4_dscp dscp_value 46 / of_push_vlan ethertype 0x8100 \
                   / of_set_vlan_vid vlan_vid 7 / of_set_vlan_pcp vlan_pcp 3 / port_id id p0";
        assert_eq!(program(all), Ok(vec![expected]));
        let twice = program("port_id id 0 / set_ttl ttl_value 9 / port_id id 1").unwrap();
        assert_eq!(twice, [Step::output(1), Step { set_nw_ttl: true, nw_ttl: 9, ..Step::output(2) }]);
        let after = program("set_ttl ttl_value 1 / dec_ttl / port_id id 1").unwrap_err();
        assert_eq!(
            after,
            "RTE_FLOW_ERROR_TYPE_ACTION_CONF: action 2 (`dec_ttl`): the TTL that was set does not allow it"
        );
    }

    #[test]
    fn what_is_no_rule_is_refused_with_its_place() {
        refused("ingress pattern eth / end actions drop", "word 8, the end: give `/` and an action, or `/ end`");
        refused("ingress pattern eht / end", "word 3, `eht`: there is no such item");
        refused(
            "ingress pattern eth dts is 5",
            "word 4, `dts`: item `eth` has no such field: it has dst, src, type, has_vlan",
        );
        refused("ingress pattern eth dst is 5", "word 6, `5`: give a MAC address, as 02:00:00:00:00:01");
        refused("ingress pattern ipv4 ttl is 256", "word 6, `256`: give a number of 0 to 255");
        refused(
            "ingress pattern eth / end actions port_id id vf8 / end",
            "word 9, `vf8`: unknown port `vf8`: the ports are p0, p1, pf, vf0, vf1, vf2, vf3, vf4, vf5, vf6, vf7, or 0 to 10",
        );
        refused("ingress pattern eth / end actions drop / end more", "word 10, `more`: the rule ends before this");
        refused("sideways", "word 1, `sideways`: give `ingress`, `priority N`, `group 0` or `pattern`");
    }

    #[test]
    fn what_the_hardware_does_not_do_is_refused_in_the_terms_of_rte_flow() {
        let no = |text: &str, message: &str| refused(text, &format!("RTE_FLOW_ERROR_TYPE_{message}"));
        no("egress pattern eth", "ATTR_EGRESS: `egress`: the hardware looks at frames that come in");
        no("ingress group 1 pattern", "ATTR_GROUP: `group`: the hardware has group 0 alone");
        no("ingress priority 70000 pattern", "ATTR_PRIORITY: `priority`: levels are 0 to 65532");
        no(
            "ingress pattern eth / ipv4 / udp / vxlan vni is 3 / end",
            "ITEM: item 4 (`vxlan`): the hardware does not look into tunnels",
        );
        no("ingress pattern eth / udp / end", "ITEM: item 2 (`udp`): it has to be behind `ipv4` or `ipv6`");
        no(
            "ingress pattern eth / ipv4 / eth / end",
            "ITEM: item 3 (`eth`): a second one, or one that is behind what it carries",
        );
        no(
            "ingress pattern eth / vlan dei is 1 / end",
            "ITEM_MASK: item 2 (`vlan`), `dei`: the hardware does not look at this field",
        );
        no(
            "ingress pattern eth / ipv4 / tcp dst spec 80 dst last 90 / end",
            "ITEM_LAST: item 3 (`tcp`), `dst`: the hardware has masks, and no ranges",
        );
        no(
            "ingress pattern eth / ipv4 / end actions jump group 1 / end",
            "ACTION: action 1 (`jump`): the hardware has group 0 alone",
        );
        let problem = "so that packets need not have what it writes";
        no(
            "ingress pattern eth / ipv6 / end actions set_ipv4_src ipv4_addr 10.0.0.1 / end",
            &format!("ACTION: action 1 (`set_ipv4_src`): the pattern has no `ipv4`, {problem}"),
        );
        no(
            "ingress pattern eth / ipv6 / end actions dec_ttl / set_tp_dst port 5 / end",
            &format!("ACTION: action 2 (`set_tp_dst`): the pattern has no `tcp` or `udp`, {problem}"),
        );
        no(
            "ingress pattern eth / end actions drop / port_id id 1 / end",
            "ACTION_CONF: action 1 (`drop`): a list that drops does nothing else",
        );
    }
}
