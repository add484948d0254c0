// SPDX-License-Identifier: MIT OR Apache-2.0
//! Patterns of a rule: items with fields, each with `is`, `spec` and `mask`, `prefix` or `last`.

use super::words::{Form, Word, Words};
use super::{Kind, Refusal};
use millrace_regs::config::Config;
use millrace_regs::{Key, Mask};

/// IEEE 802.1Q-2022 §9.5, RFC 791, RFC 8200, RFC 826.
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
pub const IPV4: u16 = 0x0800;
pub const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
/// IANA's numbers of protocols.
const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
/// Bit 12 of a TCI in the key: the tag is there.
const PRESENT: u16 = 0x1000;
/// `nw_frag` of a packet that is no first fragment.
const LATER: u8 = 2;
/// Fragment offset and MF of an IPv4 header.
const FRAGMENT: u128 = 0x3fff;
/// Where the key has MAC addresses of ARP.
const HARDWARE_ADDRESS: u32 = 80;

/// An item: its name and layer, and its fields with how they are written and what the key has of them.
struct Item {
    name: &'static str,
    layer: Layer,
    fields: &'static [Field],
}

/// What an item stands behind: one of a lower layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Port,
    Ethernet,
    Vlan,
    Network,
    Transport,
}

/// Sets value and mask of a field; or says what there is no hardware for.
type Set = fn(&mut Pattern, u128, u128) -> Result<(), &'static str>;

struct Field {
    name: &'static str,
    form: Form,
    /// None if the hardware does not look at the field.
    set: Option<Set>,
}

const fn field(name: &'static str, form: Form, set: Set) -> Field {
    Field { name, form, set: Some(set) }
}

const fn unseen(name: &'static str, form: Form) -> Field {
    Field { name, form, set: None }
}

/// Sets a member of key and mask.
macro_rules! member {
    ($name:ident) => {
        |pattern, value, mask| {
            pattern.key.$name = value as _;
            pattern.mask.$name = mask as _;
            Ok(())
        }
    };
    ($name:ident << $shift:expr) => {
        |pattern, value, mask| {
            pattern.key.$name |= value << $shift;
            pattern.mask.$name |= mask << $shift;
            Ok(())
        }
    };
}

const ITEMS: &[Item] = &[
    Item { name: "port_id", layer: Layer::Port, fields: &[field("id", Form::Port, member!(in_port))] },
    Item {
        name: "represented_port",
        layer: Layer::Port,
        fields: &[field("ethdev_port_id", Form::Port, member!(in_port))],
    },
    Item {
        name: "eth",
        layer: Layer::Ethernet,
        fields: &[
            field("dst", Form::Mac, member!(dl_dst)),
            field("src", Form::Mac, member!(dl_src)),
            field("type", Form::Number(16), Pattern::set_type),
            field("has_vlan", Form::Flag, |pattern, value, mask| pattern.set_present(0, value, mask)),
        ],
    },
    Item {
        name: "vlan",
        layer: Layer::Vlan,
        fields: &[
            field("tci", Form::Number(16), Pattern::set_tci),
            field("pcp", Form::Number(3), |pattern, value, mask| pattern.set_tci(value << 13, mask << 13)),
            unseen("dei", Form::Flag),
            field("vid", Form::Number(12), Pattern::set_tci),
            field("inner_type", Form::Number(16), Pattern::set_type),
            field("has_more_vlan", Form::Flag, |pattern, value, mask| pattern.set_present(pattern.tags, value, mask)),
        ],
    },
    Item {
        name: "ipv4",
        layer: Layer::Network,
        fields: &[
            field("tos", Form::Number(8), member!(nw_tos)),
            field("ttl", Form::Number(8), member!(nw_ttl)),
            field("proto", Form::Number(8), member!(nw_proto)),
            field("src", Form::Ipv4, member!(nw_src)),
            field("dst", Form::Ipv4, member!(nw_dst)),
            field("fragment_offset", Form::Number(16), Pattern::set_fragment),
            unseen("version_ihl", Form::Number(8)),
            unseen("length", Form::Number(16)),
            unseen("packet_id", Form::Number(16)),
        ],
    },
    Item {
        name: "ipv6",
        layer: Layer::Network,
        fields: &[
            field("tc", Form::Number(8), member!(nw_tos)),
            field("proto", Form::Number(8), member!(nw_proto)),
            field("hop", Form::Number(8), member!(nw_ttl)),
            field("src", Form::Ipv6, member!(nw_src)),
            field("dst", Form::Ipv6, member!(nw_dst)),
            unseen("flow", Form::Number(20)),
            unseen("has_frag_ext", Form::Flag),
        ],
    },
    Item {
        name: "arp_eth_ipv4",
        layer: Layer::Network,
        fields: &[
            field("sha", Form::Mac, member!(nw_src << HARDWARE_ADDRESS)),
            field("spa", Form::Ipv4, member!(nw_src << 0)),
            field("tha", Form::Mac, member!(nw_dst << HARDWARE_ADDRESS)),
            field("tpa", Form::Ipv4, member!(nw_dst << 0)),
        ],
    },
    Item {
        name: "tcp",
        layer: Layer::Transport,
        fields: &[
            field("src", Form::Number(16), member!(tp_src)),
            field("dst", Form::Number(16), member!(tp_dst)),
            field("flags", Form::Number(8), member!(tcp_flags)),
        ],
    },
    Item {
        name: "udp",
        layer: Layer::Transport,
        fields: &[field("src", Form::Number(16), member!(tp_src)), field("dst", Form::Number(16), member!(tp_dst))],
    },
    Item {
        name: "sctp",
        layer: Layer::Transport,
        fields: &[
            field("src", Form::Number(16), member!(tp_src)),
            field("dst", Form::Number(16), member!(tp_dst)),
            unseen("tag", Form::Number(32)),
            unseen("cksum", Form::Number(32)),
        ],
    },
    Item {
        name: "icmp",
        layer: Layer::Transport,
        fields: &[
            field("type", Form::Number(8), Pattern::set_icmp),
            field("code", Form::Number(8), Pattern::set_code),
            unseen("ident", Form::Number(16)),
            unseen("seq", Form::Number(16)),
        ],
    },
    Item {
        name: "icmp6",
        layer: Layer::Transport,
        fields: &[field("type", Form::Number(8), Pattern::set_icmp), field("code", Form::Number(8), Pattern::set_code)],
    },
];

/// A pattern that grows, item by item.
#[derive(Default)]
struct Pattern {
    key: Key,
    mask: Mask,
    layer: Option<Layer>,
    /// Items `vlan` so far.
    tags: usize,
    /// The type that the last item has told, if what is behind it decides what it is: an Ethertype or a TPID.
    told: Option<u16>,
}

/// Reads items up to `end`.
pub fn parse(words: &mut Words<'_>, config: &Config) -> Result<(Key, Mask), Refusal> {
    let (mut pattern, mut number) = (Pattern::default(), 0);
    loop {
        let name = words.next(if number == 0 { "an item" } else { "`/` and an item, or `/ end`" })?;
        if name.text == "end" {
            pattern.settle_type(false).expect("a type without a tag behind it");
            return Ok((pattern.key, pattern.mask));
        }
        number += 1;
        if name.text != "void" {
            pattern.add(name, number, words, config)?;
        }
        words.expect("/", "a field of the item, or `/`")?;
    }
}

impl Pattern {
    fn add(&mut self, name: Word<'_>, number: usize, words: &mut Words<'_>, config: &Config) -> Result<(), Refusal> {
        let what = format!("item {number} (`{}`)", name.text);
        let refuse = |kind, what: String, problem: &str| Refusal::Unsupported { kind, what, problem: problem.into() };
        let Some(item) = ITEMS.iter().find(|item| item.name == name.text) else {
            return Err(match missing(name.text) {
                Some(problem) => refuse(Kind::Item, what, problem),
                None => name.wrong("there is no such item"),
            });
        };
        self.enter(item).map_err(|problem| refuse(Kind::Item, what.clone(), problem))?;
        while words.peek().is_some_and(|word| word != "/") {
            let word = words.next("a field")?;
            let Some(field) = item.fields.iter().find(|field| field.name == word.text) else {
                let names: Vec<&str> = item.fields.iter().map(|field| field.name).collect();
                let problem = format!("item `{}` has no such field: it has {}", item.name, names.join(", "));
                return Err(word.wrong(problem));
            };
            let of_field = format!("{what}, `{}`", field.name);
            let (value, mask) = given(field, words, config)?
                .ok_or_else(|| refuse(Kind::ItemLast, of_field.clone(), "the hardware has masks, and no ranges"))?;
            if mask != 0 {
                let set = field.set.ok_or_else(|| {
                    refuse(Kind::ItemMask, of_field.clone(), "the hardware does not look at this field")
                })?;
                set(self, value & mask, mask).map_err(|problem| refuse(Kind::ItemSpec, of_field, problem))?;
            }
        }
        Ok(())
    }

    /// An item begins: what it says by being there.
    fn enter(&mut self, item: &Item) -> Result<(), &'static str> {
        let before = self.layer;
        let second_tag = item.layer == Layer::Vlan && before == Some(Layer::Vlan) && self.tags < 2;
        if before >= Some(item.layer) && !second_tag && item.layer != Layer::Port {
            return Err("a second one, or one that is behind what it carries");
        }
        if item.layer == Layer::Transport && (before != Some(Layer::Network) || self.key.dl_type == ARP) {
            return Err("it has to be behind `ipv4` or `ipv6`");
        }
        if item.layer == Layer::Port {
            return Ok(());
        }
        self.settle_type(item.layer == Layer::Vlan)?;
        self.layer = Some(item.layer);
        match item.name {
            "vlan" => self.enter_tag(),
            "ipv4" => self.carries_type(IPV4),
            "ipv6" => self.carries_type(IPV6),
            "arp_eth_ipv4" => self.carries_type(ARP),
            "icmp" if self.key.dl_type != IPV4 => Err("it has to be behind `ipv4`"),
            "icmp6" if self.key.dl_type != IPV6 => Err("it has to be behind `ipv6`"),
            "icmp" => self.carries(ICMP),
            "icmp6" => self.carries(ICMPV6),
            "tcp" => self.carries(TCP),
            "udp" => self.carries(UDP),
            "sctp" => self.carries(SCTP),
            _ => Ok(()),
        }
    }

    fn enter_tag(&mut self) -> Result<(), &'static str> {
        self.set_present(self.tags, 1, 1)?;
        self.tags += 1;
        Ok(())
    }

    fn carries_type(&mut self, dl_type: u16) -> Result<(), &'static str> {
        if self.mask.dl_type != 0 && self.key.dl_type != dl_type {
            return Err("the type in front of it says otherwise");
        }
        (self.key.dl_type, self.mask.dl_type) = (dl_type, 0xffff);
        Ok(())
    }

    /// Its header is there: in no later fragment.
    fn carries(&mut self, protocol: u8) -> Result<(), &'static str> {
        if self.mask.nw_proto != 0 && self.key.nw_proto != protocol & self.mask.nw_proto {
            return Err("the protocol in front of it says otherwise");
        }
        (self.key.nw_proto, self.mask.nw_proto) = (protocol, 0xff);
        self.mask.nw_frag |= LATER;
        Ok(())
    }

    /// The type behind the MAC addresses, or behind a tag.
    fn set_type(&mut self, value: u128, mask: u128) -> Result<(), &'static str> {
        if mask != 0xffff {
            return Err("a type counts whole or not at all");
        }
        self.told = Some(value as u16);
        Ok(())
    }

    /// Makes of the type that the last item told what it is: that of a tag, which may be behind it, or of what the frame carries.
    fn settle_type(&mut self, tag_behind: bool) -> Result<(), &'static str> {
        let Some(told) = self.told.take() else { return Ok(()) };
        match told {
            VLAN | SERVICE_VLAN => {
                self.set_present(self.tags, 1, 1)?;
                let service = told == SERVICE_VLAN;
                if self.tags == 0 {
                    (self.key.vlan_ad0, self.mask.vlan_ad0) = (service, true);
                } else {
                    (self.key.vlan_ad1, self.mask.vlan_ad1) = (service, true);
                }
                Ok(())
            }
            _ if tag_behind => Err("the type in front of it is not that of a tag"),
            dl_type => {
                // Behind two tags all is in the type.
                if self.tags < 2 {
                    self.set_present(self.tags, 0, 1)?;
                }
                (self.key.dl_type, self.mask.dl_type) = (dl_type, 0xffff);
                Ok(())
            }
        }
    }

    /// Whether there is a tag of this number, from 0.
    fn set_present(&mut self, tag: usize, value: u128, mask: u128) -> Result<(), &'static str> {
        let (key, mask) = (PRESENT * value as u16, PRESENT * mask as u16);
        match tag {
            0 => {
                self.key.vlan_tci0 = self.key.vlan_tci0 & !PRESENT | key;
                self.mask.vlan_tci0 |= mask;
            }
            1 => {
                self.key.vlan_tci1 = self.key.vlan_tci1 & !PRESENT | key;
                self.mask.vlan_tci1 |= mask;
            }
            _ => return Err("the hardware looks at two tags"),
        }
        Ok(())
    }

    /// Bits of the TCI of the tag that is being told of.
    fn set_tci(&mut self, value: u128, mask: u128) -> Result<(), &'static str> {
        let (value, mask) = (value as u16, mask as u16);
        if mask & PRESENT != 0 {
            return Err("the hardware does not look at the DEI bit: give `vid` and `pcp`");
        }
        let (key, own) = match self.tags {
            1 => (&mut self.key.vlan_tci0, &mut self.mask.vlan_tci0),
            _ => (&mut self.key.vlan_tci1, &mut self.mask.vlan_tci1),
        };
        *key = *key & !mask | value;
        *own |= mask;
        Ok(())
    }

    fn set_fragment(&mut self, value: u128, mask: u128) -> Result<(), &'static str> {
        if mask != FRAGMENT || value != 0 {
            return Err(
                "the hardware tells fragments from packets that are none: spec 0 with mask 0x3fff is one that is none",
            );
        }
        self.mask.nw_frag = 3;
        Ok(())
    }

    /// A type of ICMP, which the key has where ports are.
    fn set_icmp(&mut self, value: u128, mask: u128) -> Result<(), &'static str> {
        (self.key.tp_src, self.mask.tp_src) = (value as u16, whole_word(mask));
        Ok(())
    }

    fn set_code(&mut self, value: u128, mask: u128) -> Result<(), &'static str> {
        (self.key.tp_dst, self.mask.tp_dst) = (value as u16, whole_word(mask));
        Ok(())
    }
}

/// A whole byte counts as the whole word that it is in.
fn whole_word(mask: u128) -> u16 {
    if mask == 0xff { u16::MAX } else { mask as u16 }
}

/// Value and mask of a field, from `is V`, `spec V`, `mask M`, `prefix N` and `last V`, each behind the field's name again; none if they are a range.
fn given(field: &Field, words: &mut Words<'_>, config: &Config) -> Result<Option<(u128, u128)>, Refusal> {
    let (mut value, mut mask, mut last) = (0, None, None);
    loop {
        let how = words.next("`is`, `spec`, `mask`, `prefix` or `last`")?;
        match how.text {
            "is" => (value, mask) = (words.value(field.form, config)?, Some(field.form.ones())),
            "spec" => value = words.value(field.form, config)?,
            "mask" => mask = Some(words.value(field.form, config)?),
            "last" => last = Some(words.value(field.form, config)?),
            "prefix" => {
                let bits = words.number("a number of bits", field.form.bits().into())? as u32;
                let rest = field.form.ones().checked_shr(bits).unwrap_or(0);
                mask = Some(field.form.ones() & !rest);
            }
            _ => return Err(how.wrong("give `is`, `spec`, `mask`, `prefix` or `last`")),
        }
        if words.peek() != Some(field.name) {
            break;
        }
        words.next("the field")?;
    }
    // Without a mask all of it counts.
    let mask = mask.unwrap_or(field.form.ones());
    let is_range = last.is_some_and(|last| last & mask > value & mask);
    Ok((!is_range).then_some((value, mask)))
}

/// Why the hardware does not have an item of testpmd.
fn missing(name: &str) -> Option<&'static str> {
    Some(match name {
        "vxlan" | "vxlan-gpe" | "geneve" | "gre" | "gre_key" | "nvgre" | "gtp" | "gtpu" | "gtpc" | "mpls" | "e_tag"
        | "geneve-opt" | "gre_option" => "the hardware does not look into tunnels",
        "raw" | "fuzzy" | "flex" => "the hardware looks at fields that it knows",
        "ipv6_ext" | "ipv6_frag_ext" | "ipv6_routing_ext" => "the hardware walks no IPv6 extension headers",
        "icmp6_nd_ns" | "icmp6_nd_na" | "icmp6_nd_opt" | "icmp6_echo_request" | "icmp6_echo_reply" => {
            "of ICMPv6 the hardware looks at type and code"
        }
        "mark" | "meta" | "tag" | "conntrack" => "packets have no metadata in the hardware",
        "any" | "invert" | "pf" | "vf" | "phy_port" | "port_representor" | "esp" | "ah" | "pppoes" | "pppoed"
        | "higig2" | "l2tpv2" | "l2tpv3oip" | "ecpri" | "integrity" | "igmp" | "nsh" => "the hardware does not have it",
        _ => return None,
    })
}
