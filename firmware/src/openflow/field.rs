// SPDX-License-Identifier: MIT OR Apache-2.0
//! The fields of a flow table: names, widths, prerequisites, and where each lies in the key (ovs-fields(7)).

use super::key::{FlowKey, Slot, slot};

/// Ethernet type of IPv4.
pub const ETH_TYPE_IP: u16 = 0x0800;
/// Ethernet type of ARP.
pub const ETH_TYPE_ARP: u16 = 0x0806;
/// Ethernet type of RARP.
pub const ETH_TYPE_RARP: u16 = 0x8035;
/// Ethernet type of IPv6.
pub const ETH_TYPE_IPV6: u16 = 0x86dd;
/// TPID of a customer VLAN tag.
pub const ETH_TYPE_VLAN: u16 = 0x8100;
/// TPID of a service VLAN tag.
pub const ETH_TYPE_VLAN_8021AD: u16 = 0x88a8;
/// `dl_type` of a frame with a length instead of a type (`OFP_DL_TYPE_NOT_ETH_TYPE`).
pub const ETH_TYPE_NONE: u16 = 0x05ff;

/// IP protocol numbers (IANA).
pub mod ipproto {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

/// What must be known of a packet before a field means anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prereq {
    /// Nothing.
    None,
    /// A VLAN tag.
    Vlan,
    /// ARP or RARP.
    Arp,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4 or IPv6.
    Ip,
    /// TCP over IPv4 or IPv6, not a later fragment (for a write).
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// SCTP over IPv4 or IPv6.
    Sctp,
    /// ICMP over IPv4.
    Icmpv4,
    /// ICMPv6 over IPv6.
    Icmpv6,
}

/// How a field's value is written in a flow file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// A decimal number (any base is read).
    Decimal,
    /// A hexadecimal number (any base is read).
    Hexadecimal,
    /// `aa:bb:cc:dd:ee:ff`.
    Ethernet,
    /// Dotted quad, `/N` or `/mask`.
    Ipv4,
    /// IPv6 address, `/N` or `/mask`.
    Ipv6,
    /// A port's number or name.
    Port,
    /// `no`, `yes`, `first`, `later`, `not_later`.
    Frag,
    /// `+syn-ack`, `syn|ack`, or a number.
    TcpFlags,
}

/// A field of a flow table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Field {
    /// `in_port`, 16 bits (OpenFlow 1.0 port numbers).
    InPort,
    /// `in_port_oxm`: the same, 32 bits wide.
    InPortOxm,
    /// `metadata`.
    Metadata,
    /// `reg0` to `reg15`.
    Reg(u8),
    /// `xreg0` to `xreg7`: two registers.
    XReg(u8),
    /// `xxreg0` to `xxreg3`: four registers.
    XxReg(u8),
    /// `dl_src`, `eth_src`.
    EthSrc,
    /// `dl_dst`, `eth_dst`.
    EthDst,
    /// `dl_type`, `eth_type`.
    EthType,
    /// `vlan_tci`: all of the outer tag's TCI.
    VlanTci,
    /// `dl_vlan`: the outer tag's VID (OpenFlow 1.0).
    DlVlan,
    /// `vlan_vid`: the outer tag's VID with the CFI bit as *present* (OpenFlow 1.2+).
    VlanVid,
    /// `dl_vlan_pcp`: the outer tag's priority (OpenFlow 1.0).
    DlVlanPcp,
    /// `vlan_pcp`: the outer tag's priority (OpenFlow 1.2+).
    VlanPcp,
    /// `nw_src`, `ip_src`.
    Ipv4Src,
    /// `nw_dst`, `ip_dst`.
    Ipv4Dst,
    /// `ipv6_src`.
    Ipv6Src,
    /// `ipv6_dst`.
    Ipv6Dst,
    /// `nw_proto`, `ip_proto`.
    IpProto,
    /// `nw_tos`: DSCP in the upper 6 bits of 8, the others not part of the field.
    NwTos,
    /// `ip_dscp`: DSCP as a number of 6 bits.
    IpDscp,
    /// `nw_ecn`, `ip_ecn`.
    IpEcn,
    /// `nw_ttl`.
    NwTtl,
    /// `nw_frag`, `ip_frag`.
    IpFrag,
    /// `arp_op`.
    ArpOp,
    /// `arp_spa`.
    ArpSpa,
    /// `arp_tpa`.
    ArpTpa,
    /// `arp_sha`.
    ArpSha,
    /// `arp_tha`.
    ArpTha,
    /// `tcp_src`, `tp_src`.
    TcpSrc,
    /// `tcp_dst`, `tp_dst`.
    TcpDst,
    /// `tcp_flags`.
    TcpFlags,
    /// `udp_src`.
    UdpSrc,
    /// `udp_dst`.
    UdpDst,
    /// `sctp_src`.
    SctpSrc,
    /// `sctp_dst`.
    SctpDst,
    /// `icmp_type`.
    IcmpType,
    /// `icmp_code`.
    IcmpCode,
    /// `icmpv6_type`.
    Icmpv6Type,
    /// `icmpv6_code`.
    Icmpv6Code,
}

/// What ovs-fields(7) says of a field.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The name that is printed.
    pub name: &'static str,
    /// A second name that is read too, or "".
    pub alias: &'static str,
    /// OXM name (`OXM_OF_…`), or "".
    pub oxm: &'static str,
    /// NXM name (`NXM_…`), or "".
    pub nxm: &'static str,
    /// Width for `field[a..b]`.
    pub bits: u8,
    /// Where it lies in the key. It may be wider than `bits` (`vlan_vid` with its CFI bit) or narrower (`arp_op`).
    pub slot: Slot,
    /// Bits that a value may have set.
    pub valid: u128,
    /// How it is written.
    pub format: Format,
    /// Whether a match may have a mask.
    pub maskable: bool,
    /// Whether actions may write it.
    pub writable: bool,
    /// What a packet must be for the field to exist.
    pub prereq: Prereq,
}

/// The lowest `bits` bits.
pub(super) const fn ones(bits: u8) -> u128 {
    if bits == 128 { u128::MAX } else { (1u128 << bits) - 1 }
}

macro_rules! info {
    ($name:expr, $alias:expr, $oxm:expr, $nxm:expr, $bits:expr, $slot:expr, $format:ident, $maskable:expr, $writable:expr, $prereq:ident) => {
        info!($name, $alias, $oxm, $nxm, $bits, $slot, ones($bits), $format, $maskable, $writable, $prereq)
    };
    ($name:expr, $alias:expr, $oxm:expr, $nxm:expr, $bits:expr, $slot:expr, $valid:expr, $format:ident, $maskable:expr, $writable:expr,
     $prereq:ident) => {
        const {
            &FieldInfo {
                name: $name,
                alias: $alias,
                oxm: $oxm,
                nxm: $nxm,
                bits: $bits,
                slot: $slot,
                valid: $valid,
                format: Format::$format,
                maskable: $maskable,
                writable: $writable,
                prereq: Prereq::$prereq,
            }
        }
    };
}

macro_rules! reg_info {
    ($n:literal) => {
        info!(concat!("reg", $n), "", "", concat!("NXM_NX_REG", $n), 32, slot::reg($n), Hexadecimal, true, true, None)
    };
}

macro_rules! xreg_info {
    ($n:literal) => {
        info!(
            concat!("xreg", $n),
            "",
            concat!("OXM_OF_PKT_REG", $n),
            "",
            64,
            slot::xreg($n),
            Hexadecimal,
            true,
            true,
            None
        )
    };
}

macro_rules! xxreg_info {
    ($n:literal) => {
        info!(
            concat!("xxreg", $n),
            "",
            "",
            concat!("NXM_NX_XXREG", $n),
            128,
            slot::xxreg($n),
            Hexadecimal,
            true,
            true,
            None
        )
    };
}

macro_rules! each {
    ($info:ident: $($n:literal)*) => {
        [$($info!($n)),*]
    };
}

const REGS: [&FieldInfo; 16] = each!(reg_info: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
const XREGS: [&FieldInfo; 8] = each!(xreg_info: 0 1 2 3 4 5 6 7);
const XXREGS: [&FieldInfo; 4] = each!(xxreg_info: 0 1 2 3);

/// Bits from `shift` of another slot.
const fn part(of: Slot, shift: u8, bits: u8) -> Slot {
    Slot { word: of.word, shift: of.shift + shift, bits }
}

impl Field {
    /// Every field.
    pub fn all() -> impl Iterator<Item = Field> {
        use Field::*;
        let plain = [
            InPort, InPortOxm, Metadata, EthSrc, EthDst, EthType, VlanTci, DlVlan, VlanVid, DlVlanPcp, VlanPcp,
            Ipv4Src, Ipv4Dst, Ipv6Src, Ipv6Dst, IpProto, NwTos, IpDscp, IpEcn, NwTtl, IpFrag, ArpOp, ArpSpa, ArpTpa,
            ArpSha, ArpTha, TcpSrc, TcpDst, TcpFlags, UdpSrc, UdpDst, SctpSrc, SctpDst, IcmpType, IcmpCode, Icmpv6Type,
            Icmpv6Code,
        ];
        let regs = (0..16).map(Reg).chain((0..8).map(XReg)).chain((0..4).map(XxReg));
        plain.into_iter().chain(regs)
    }

    /// The field's description. Panics for a register that does not exist.
    #[rustfmt::skip]
    pub fn info(self) -> &'static FieldInfo {
        use Field::*;
        match self {
            InPort => info!("in_port", "", "", "NXM_OF_IN_PORT", 16, slot::IN_PORT, Port, false, true, None),
            InPortOxm => info!("in_port_oxm", "", "OXM_OF_IN_PORT", "", 32, slot::IN_PORT, 0xffff, Port, false, true, None),
            Metadata => info!("metadata", "", "OXM_OF_METADATA", "", 64, slot::METADATA, Hexadecimal, true, true, None),
            Reg(n) => REGS[n as usize],
            XReg(n) => XREGS[n as usize],
            XxReg(n) => XXREGS[n as usize],
            EthSrc => info!("dl_src", "eth_src", "OXM_OF_ETH_SRC", "NXM_OF_ETH_SRC", 48, slot::DL_SRC, Ethernet, true, true, None),
            EthDst => info!("dl_dst", "eth_dst", "OXM_OF_ETH_DST", "NXM_OF_ETH_DST", 48, slot::DL_DST, Ethernet, true, true, None),
            EthType => info!("dl_type", "eth_type", "OXM_OF_ETH_TYPE", "NXM_OF_ETH_TYPE", 16, slot::DL_TYPE, Hexadecimal, false, false, None),
            VlanTci => info!("vlan_tci", "", "", "NXM_OF_VLAN_TCI", 16, slot::VLAN_TCI0, Hexadecimal, true, true, None),
            DlVlan => info!("dl_vlan", "", "", "", 12, part(slot::VLAN_TCI0, 0, 12), Decimal, false, true, None),
            VlanVid => info!("vlan_vid", "", "OXM_OF_VLAN_VID", "", 12, part(slot::VLAN_TCI0, 0, 13), 0x1fff, Decimal, true, true, None),
            DlVlanPcp => info!("dl_vlan_pcp", "", "", "", 3, part(slot::VLAN_TCI0, 13, 3), Decimal, false, true, None),
            VlanPcp => info!("vlan_pcp", "", "OXM_OF_VLAN_PCP", "", 3, part(slot::VLAN_TCI0, 13, 3), Decimal, false, true, Vlan),
            Ipv4Src => info!("nw_src", "ip_src", "OXM_OF_IPV4_SRC", "NXM_OF_IP_SRC", 32, slot::NW_SRC, Ipv4, true, true, Ipv4),
            Ipv4Dst => info!("nw_dst", "ip_dst", "OXM_OF_IPV4_DST", "NXM_OF_IP_DST", 32, slot::NW_DST, Ipv4, true, true, Ipv4),
            Ipv6Src => info!("ipv6_src", "", "OXM_OF_IPV6_SRC", "NXM_NX_IPV6_SRC", 128, slot::IPV6_SRC, Ipv6, true, true, Ipv6),
            Ipv6Dst => info!("ipv6_dst", "", "OXM_OF_IPV6_DST", "NXM_NX_IPV6_DST", 128, slot::IPV6_DST, Ipv6, true, true, Ipv6),
            IpProto => info!("nw_proto", "ip_proto", "OXM_OF_IP_PROTO", "NXM_OF_IP_PROTO", 8, slot::NW_PROTO, Decimal, false, false, Ip),
            NwTos => info!("nw_tos", "", "", "NXM_OF_IP_TOS", 8, slot::NW_TOS, 0xfc, Decimal, false, true, Ip),
            IpDscp => info!("ip_dscp", "", "OXM_OF_IP_DSCP", "", 6, part(slot::NW_TOS, 2, 6), Decimal, false, true, Ip),
            IpEcn => info!("nw_ecn", "ip_ecn", "OXM_OF_IP_ECN", "NXM_NX_IP_ECN", 2, part(slot::NW_TOS, 0, 2), Decimal, false, true, Ip),
            NwTtl => info!("nw_ttl", "", "", "NXM_NX_IP_TTL", 8, slot::NW_TTL, Decimal, false, true, Ip),
            IpFrag => info!("nw_frag", "ip_frag", "", "NXM_NX_IP_FRAG", 2, part(slot::NW_FRAG, 0, 2), Frag, true, false, Ip),
            ArpOp => info!("arp_op", "", "OXM_OF_ARP_OP", "NXM_OF_ARP_OP", 16, slot::NW_PROTO, 0xff, Decimal, false, true, Arp),
            ArpSpa => info!("arp_spa", "", "OXM_OF_ARP_SPA", "NXM_OF_ARP_SPA", 32, slot::NW_SRC, Ipv4, true, true, Arp),
            ArpTpa => info!("arp_tpa", "", "OXM_OF_ARP_TPA", "NXM_OF_ARP_TPA", 32, slot::NW_DST, Ipv4, true, true, Arp),
            ArpSha => info!("arp_sha", "", "OXM_OF_ARP_SHA", "NXM_NX_ARP_SHA", 48, slot::ARP_SHA, Ethernet, true, true, Arp),
            ArpTha => info!("arp_tha", "", "OXM_OF_ARP_THA", "NXM_NX_ARP_THA", 48, slot::ARP_THA, Ethernet, true, true, Arp),
            TcpSrc => info!("tcp_src", "tp_src", "OXM_OF_TCP_SRC", "NXM_OF_TCP_SRC", 16, slot::TP_SRC, Decimal, true, true, Tcp),
            TcpDst => info!("tcp_dst", "tp_dst", "OXM_OF_TCP_DST", "NXM_OF_TCP_DST", 16, slot::TP_DST, Decimal, true, true, Tcp),
            TcpFlags => info!("tcp_flags", "", "ONFOXM_ET_TCP_FLAGS", "NXM_NX_TCP_FLAGS", 12, part(slot::TCP_FLAGS, 0, 12), TcpFlags, true, false, Tcp),
            UdpSrc => info!("udp_src", "", "OXM_OF_UDP_SRC", "NXM_OF_UDP_SRC", 16, slot::TP_SRC, Decimal, true, true, Udp),
            UdpDst => info!("udp_dst", "", "OXM_OF_UDP_DST", "NXM_OF_UDP_DST", 16, slot::TP_DST, Decimal, true, true, Udp),
            SctpSrc => info!("sctp_src", "", "OXM_OF_SCTP_SRC", "", 16, slot::TP_SRC, Decimal, true, true, Sctp),
            SctpDst => info!("sctp_dst", "", "OXM_OF_SCTP_DST", "", 16, slot::TP_DST, Decimal, true, true, Sctp),
            IcmpType => info!("icmp_type", "", "OXM_OF_ICMPV4_TYPE", "NXM_OF_ICMP_TYPE", 8, part(slot::TP_SRC, 0, 8), Decimal, false, true, Icmpv4),
            IcmpCode => info!("icmp_code", "", "OXM_OF_ICMPV4_CODE", "NXM_OF_ICMP_CODE", 8, part(slot::TP_DST, 0, 8), Decimal, false, true, Icmpv4),
            Icmpv6Type => info!("icmpv6_type", "", "OXM_OF_ICMPV6_TYPE", "NXM_NX_ICMPV6_TYPE", 8, part(slot::TP_SRC, 0, 8), Decimal, false, true, Icmpv6),
            Icmpv6Code => info!("icmpv6_code", "", "OXM_OF_ICMPV6_CODE", "NXM_NX_ICMPV6_CODE", 8, part(slot::TP_DST, 0, 8), Decimal, false, true, Icmpv6),
        }
    }

    /// The field with this name: plain name, alias, OXM or NXM name; exactly as written here.
    pub fn by_name(name: &str) -> Option<Field> {
        Field::all().find(|f| {
            let i = f.info();
            [i.name, i.alias, i.oxm, i.nxm].iter().any(|n| !n.is_empty() && *n == name)
        })
    }

    /// The field's value in a key, without bits that are not part of it (`nw_tos` leaves out ECN).
    #[inline]
    pub fn get(self, key: &FlowKey) -> u128 {
        let info = self.info();
        key.get(info.slot) & info.valid
    }

    /// Replaces the field's bits that `mask` selects. A VLAN field does not touch the TPID here: that is the caller's
    /// (a tag that gets its CFI bit without a TPID becomes 0x8100, one that loses the bit loses its TPID).
    #[inline]
    pub fn set_masked(self, key: &mut FlowKey, value: u128, mask: u128) {
        let info = self.info();
        let mask = mask & info.valid;
        key.set(info.slot, key.get(info.slot) & !mask | value & mask);
    }
}

/// Bits of a field: `field[ofs..ofs + bits - 1]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Subfield {
    /// The field.
    pub field: Field,
    /// Lowest bit.
    pub ofs: u8,
    /// Number of bits, at least 1.
    pub bits: u8,
}

impl Subfield {
    /// The whole field.
    pub fn whole(field: Field) -> Subfield {
        Subfield { field, ofs: 0, bits: field.info().bits }
    }

    /// The selected bits as a mask over the field's value.
    pub const fn mask(self) -> u128 {
        ones(self.bits) << self.ofs
    }

    /// The selected bits of a key, at bit 0.
    #[inline]
    pub fn get(self, key: &FlowKey) -> u128 {
        self.field.get(key) >> self.ofs & ones(self.bits)
    }

    /// Replaces the selected bits.
    #[inline]
    pub fn set(self, key: &mut FlowKey, value: u128) {
        self.field.set_masked(key, value << self.ofs, self.mask());
    }
}
