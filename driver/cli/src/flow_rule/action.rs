// SPDX-License-Identifier: MIT OR Apache-2.0
//! Actions of a rule.

use super::pattern::{IPV4, IPV6, TCP, UDP};
use super::words::{Form, Word, Words};
use super::{Kind, Refusal};
use millrace_driver::Action;
use millrace_regs::config::Config;
use millrace_regs::{Key, Mask};

/// The DSCP in a TOS or traffic class (RFC 2474 §3).
const DSCP: u8 = 0xfc;

/// Number of an action among all of its rule, from 1, and its name.
pub type Named = (usize, String);

/// Reads actions up to `end`, for packets that are under the mask what the key says; those that do something, and what each is named.
pub fn parse(
    words: &mut Words<'_>,
    config: &Config,
    key: &Key,
    mask: &Mask,
) -> Result<(Vec<Action>, Vec<Named>), Refusal> {
    let (mut actions, mut names, mut number) = (vec![], vec![], 0);
    loop {
        let name = words.next(if number == 0 { "an action" } else { "`/` and an action, or `/ end`" })?;
        if name.text == "end" {
            return Ok((actions, names));
        }
        number += 1;
        if !matches!(name.text, "void" | "count") {
            actions.push(action(name, number, words, config)?);
            if let Some(item) = missing_item(name.text, key, mask) {
                let what = format!("action {number} (`{}`)", name.text);
                let problem = format!("the pattern has no {item}, so that packets need not have what it writes");
                return Err(Refusal::Unsupported { kind: Kind::Action, what, problem });
            }
            names.push((number, name.text.to_owned()));
        }
        words.expect("/", "`/` and an action, or `/ end`")?;
    }
}

/// What an action wants in the pattern (rte_flow.rst, "Action: SET_IPV4_SRC" and others), if that is not there.
fn missing_item(name: &str, key: &Key, mask: &Mask) -> Option<&'static str> {
    let dl_type = (mask.dl_type == u16::MAX).then_some(key.dl_type);
    let ported = mask.nw_proto == u8::MAX && matches!(key.nw_proto, TCP | UDP);
    let (has, item) = match name {
        "set_ipv4_src" | "set_ipv4_dst" | "set_ipv4_dscp" => (dl_type == Some(IPV4), "`ipv4`"),
        "set_ipv6_src" | "set_ipv6_dst" | "set_ipv6_dscp" => (dl_type == Some(IPV6), "`ipv6`"),
        "set_ttl" | "dec_ttl" | "of_dec_nw_ttl" => (matches!(dl_type, Some(IPV4 | IPV6)), "`ipv4` or `ipv6`"),
        "set_tp_src" | "set_tp_dst" => (ported, "`tcp` or `udp`"),
        _ => return None,
    };
    (!has).then_some(item)
}

/// The action of a name, with what follows it.
fn action(name: Word<'_>, number: usize, words: &mut Words<'_>, config: &Config) -> Result<Action, Refusal> {
    let mut value = |field: &str, form: Form| {
        words.expect(field, &format!("`{field}` and its value"))?;
        words.value(form, config)
    };
    Ok(match name.text {
        "drop" => Action::Drop,
        "port_id" => Action::Output(value("id", Form::Port)? as u8),
        "represented_port" => Action::Output(value("ethdev_port_id", Form::Port)? as u8),
        "set_mac_src" => Action::SetDlSrc(value("mac_addr", Form::Mac)? as u64),
        "set_mac_dst" => Action::SetDlDst(value("mac_addr", Form::Mac)? as u64),
        "set_ipv4_src" => Action::SetNwSrc(value("ipv4_addr", Form::Ipv4)?),
        "set_ipv4_dst" => Action::SetNwDst(value("ipv4_addr", Form::Ipv4)?),
        "set_ipv6_src" => Action::SetNwSrc(value("ipv6_addr", Form::Ipv6)?),
        "set_ipv6_dst" => Action::SetNwDst(value("ipv6_addr", Form::Ipv6)?),
        "set_ipv4_dscp" | "set_ipv6_dscp" => {
            Action::SetNwTos { value: (value("dscp_value", Form::Number(6))? << 2) as u8, mask: DSCP }
        }
        "set_tp_src" => Action::SetTpSrc(value("port", Form::Number(16))? as u16),
        "set_tp_dst" => Action::SetTpDst(value("port", Form::Number(16))? as u16),
        "set_ttl" => Action::SetNwTtl(value("ttl_value", Form::Number(8))? as u8),
        "dec_ttl" | "of_dec_nw_ttl" => Action::DecTtl(1),
        "of_pop_vlan" => Action::PopVlan,
        "of_push_vlan" => Action::PushVlan { tpid: value("ethertype", Form::Number(16))? as u16, tci: 0 },
        "of_set_vlan_vid" => Action::SetVlanVid(value("vlan_vid", Form::Number(12))? as u16),
        "of_set_vlan_pcp" => Action::SetVlanPcp(value("vlan_pcp", Form::Number(3))? as u8),
        other => {
            return Err(match missing(other) {
                None => name.wrong("there is no such action"),
                Some(problem) => Refusal::Unsupported {
                    kind: Kind::Action,
                    what: format!("action {number} (`{other}`)"),
                    problem: problem.into(),
                },
            });
        }
    })
}

/// Why the hardware does not have an action of testpmd.
fn missing(name: &str) -> Option<&'static str> {
    Some(match name {
        "jump" => "the hardware has group 0 alone",
        "vxlan_encap" | "vxlan_decap" | "nvgre_encap" | "nvgre_decap" | "l2_encap" | "l2_decap" | "raw_encap"
        | "raw_decap" | "mplsogre_encap" | "mplsogre_decap" | "mplsoudp_encap" | "mplsoudp_decap" => {
            "the hardware puts no tunnel header on and takes none off"
        }
        "queue" | "rss" => "a function's driver chooses among its queues",
        "meter" | "meter_color" => "the hardware has no meters",
        "sample" => "the hardware copies every packet or none",
        "mac_swap" | "modify_field" => "the hardware writes constants",
        "inc_tcp_seq" | "dec_tcp_seq" | "inc_tcp_ack" | "dec_tcp_ack" => "the hardware does not write this field",
        "mark" | "flag" | "set_meta" | "set_tag" => "packets carry no metadata out of the hardware",
        "passthru" | "pf" | "vf" | "phy_port" | "port_representor" | "security" | "age" | "conntrack" | "indirect" => {
            "the hardware does not have it"
        }
        _ => return None,
    })
}
