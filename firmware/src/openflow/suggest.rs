// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names that ovs-ofctl knows and this switch does not, and the name that was probably meant.

use super::field::Field;

/// Match fields of Open vSwitch that the slow path refuses by name.
const UNSUPPORTED_FIELDS: [&str; 40] = [
    "conj_id",
    "recirc_id",
    "dp_hash",
    "tun_id",
    "tunnel_id",
    "tun_src",
    "tun_dst",
    "tun_ipv6_src",
    "tun_ipv6_dst",
    "tun_flags",
    "tun_gbp_id",
    "tun_gbp_flags",
    "tun_erspan_ver",
    "tun_erspan_idx",
    "tun_erspan_dir",
    "tun_erspan_hwid",
    "tun_gtpu_flags",
    "tun_gtpu_msgtype",
    "skb_priority",
    "pkt_mark",
    "actset_output",
    "packet_type",
    "ct_state",
    "ct_zone",
    "ct_mark",
    "ct_label",
    "ct_nw_proto",
    "ct_nw_src",
    "ct_nw_dst",
    "ct_ipv6_src",
    "ct_ipv6_dst",
    "ct_tp_src",
    "ct_tp_dst",
    "mpls_label",
    "mpls_tc",
    "mpls_bos",
    "mpls_ttl",
    "ipv6_label",
    "nd_target",
    "nd_sll",
];

/// More of them.
const UNSUPPORTED_FIELDS_2: [&str; 22] = [
    "nd_tll",
    "nd_reserved",
    "nd_options_type",
    "nsh_flags",
    "nsh_ttl",
    "nsh_mdtype",
    "nsh_np",
    "nsh_spi",
    "nsp",
    "nsh_si",
    "nsi",
    "nsh_c1",
    "nsh_c2",
    "nsh_c3",
    "nsh_c4",
    "nshc1",
    "nshc2",
    "nshc3",
    "nshc4",
    "mpls",
    "mplsm",
    "igmp",
];

/// Flow attributes that are refused by name.
const UNSUPPORTED_ATTRIBUTES: [&str; 2] = ["out_port", "out_group"];

/// Actions and instructions of Open vSwitch that are refused by name.
const UNSUPPORTED_ACTIONS: [&str; 40] = [
    "controller",
    "enqueue",
    "bundle",
    "bundle_load",
    "set_queue",
    "pop_queue",
    "set_tunnel",
    "set_tunnel64",
    "push",
    "pop",
    "learn",
    "fin_timeout",
    "conjunction",
    "multipath",
    "sample",
    "ct",
    "ct_clear",
    "nat",
    "check_pkt_larger",
    "delete_field",
    "encap",
    "decap",
    "dec_nsh_ttl",
    "push_mpls",
    "pop_mpls",
    "set_mpls_label",
    "set_mpls_tc",
    "set_mpls_ttl",
    "dec_mpls_ttl",
    "meter",
    "clear_actions",
    "write_actions",
    "apply_actions",
    "table",
    "any",
    "none",
    "debug_recirc",
    "debug_slow",
    "copy_ttl_in",
    "copy_ttl_out",
];

/// Actions that are carried out.
const ACTIONS: [&str; 34] = [
    "group",
    "output",
    "in_port",
    "normal",
    "flood",
    "all",
    "drop",
    "set_field",
    "load",
    "move",
    "mod_dl_src",
    "mod_dl_dst",
    "mod_nw_src",
    "mod_nw_dst",
    "mod_nw_tos",
    "mod_nw_ecn",
    "mod_nw_ttl",
    "mod_tp_src",
    "mod_tp_dst",
    "mod_vlan_vid",
    "mod_vlan_pcp",
    "set_vlan_vid",
    "set_vlan_pcp",
    "dec_ttl",
    "push_vlan",
    "pop_vlan",
    "strip_vlan",
    "resubmit",
    "write_metadata",
    "goto_table",
    "local",
    "clone",
    "exit",
    "note",
];

/// Attributes that are read.
const ATTRIBUTES: [&str; 8] =
    ["table", "priority", "idle_timeout", "hard_timeout", "cookie", "importance", "actions", "vlan"];

/// Names of protocols that stand for matches on `dl_type` and `nw_proto`.
pub(super) const PROTOCOLS: [&str; 13] =
    ["ip", "ipv4", "arp", "rarp", "icmp", "tcp", "udp", "sctp", "ipv6", "ip6", "icmp6", "tcp6", "udp6"];

/// Whether Open vSwitch has a match field or flow attribute of this name that is not supported here.
pub(super) fn is_unsupported_key(name: &str) -> bool {
    let numbered = |prefix: &str| name.strip_prefix(prefix).is_some_and(|n: &str| n.parse::<u8>().is_ok());
    [&UNSUPPORTED_FIELDS[..], &UNSUPPORTED_FIELDS_2, &UNSUPPORTED_ATTRIBUTES].iter().any(|l| l.contains(&name))
        || numbered("tun_metadata")
}

/// Whether Open vSwitch has a field of this plain, OXM or NXM name that is not supported here.
pub(super) fn is_unsupported_field(name: &str) -> bool {
    is_unsupported_key(name) || ["NXM_", "OXM_", "NXOXM_", "ONFOXM_", "ERICOXM_"].iter().any(|p| name.starts_with(p))
}

/// Whether Open vSwitch has an action of this name that is not supported here.
pub(super) fn is_unsupported_action(name: &str) -> bool {
    UNSUPPORTED_ACTIONS.iter().any(|n| n.eq_ignore_ascii_case(name))
}

/// The match key or attribute that looks most like `name`.
pub(super) fn nearest_key(name: &str) -> Option<String> {
    let fields = Field::all().flat_map(|f| [f.info().name, f.info().alias]);
    nearest(name, fields.chain(PROTOCOLS).chain(ATTRIBUTES))
}

/// The field that looks most like `name`, for actions.
pub(super) fn nearest_field(name: &str) -> Option<String> {
    let fields = Field::all().flat_map(|f| [f.info().name, f.info().alias, f.info().oxm, f.info().nxm]);
    nearest(name, fields)
}

/// The action that looks most like `name`.
pub(super) fn nearest_action(name: &str) -> Option<String> {
    nearest(name, ACTIONS.into_iter())
}

fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    /// No name is near to a longer one.
    const LONGEST: usize = 50;
    if name.len() > LONGEST {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let best = candidates
        .filter(|c| !c.is_empty())
        .map(|c| (distance(&lower, &c.to_ascii_lowercase()), c))
        .min_by_key(|(d, _)| *d)?;
    (best.0 <= 1 + name.len() / 4).then(|| format!("did you mean `{}`?", best.1))
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        assert_eq!(nearest_key("nw_scr").as_deref(), Some("did you mean `nw_src`?"));
        assert_eq!(nearest_action("outptu").as_deref(), Some("did you mean `output`?"));
        assert_eq!(nearest_key("completely_else"), None);
    }
}
