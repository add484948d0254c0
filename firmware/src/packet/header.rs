// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where headers and their fields lie in a frame.

/// Bytes of an Ethernet header.
pub const ETH_LEN: usize = 14;
/// Bytes of the two MAC addresses.
pub const ETH_ADDRS: usize = 12;
/// Bytes of a VLAN tag.
pub const VLAN_LEN: usize = 4;
/// Smallest IPv4 header.
pub const IPV4_LEN: usize = 20;
/// IPv6 header.
pub const IPV6_LEN: usize = 40;
/// ARP for IPv4 over Ethernet.
pub const ARP_LEN: usize = 28;
/// Smallest TCP header.
pub const TCP_LEN: usize = 20;
/// UDP header.
pub const UDP_LEN: usize = 8;
/// SCTP common header.
pub const SCTP_LEN: usize = 12;
/// ICMP and ICMPv6 header, with its second word.
pub const ICMP_LEN: usize = 8;

/// IPv4 field offsets (RFC 791 §3.1).
pub mod ipv4 {
    /// Type of service.
    pub const TOS: usize = 1;
    /// Total length.
    pub const TOTAL_LENGTH: usize = 2;
    /// Flags and fragment offset.
    pub const FRAG: usize = 6;
    /// Time to live.
    pub const TTL: usize = 8;
    /// Protocol.
    pub const PROTO: usize = 9;
    /// Header checksum.
    pub const CHECKSUM: usize = 10;
    /// Source address.
    pub const SRC: usize = 12;
    /// Destination address.
    pub const DST: usize = 16;
}

/// IPv6 field offsets (RFC 8200 §3).
pub mod ipv6 {
    /// Payload length.
    pub const PAYLOAD_LENGTH: usize = 4;
    /// Next header.
    pub const NEXT: usize = 6;
    /// Hop limit.
    pub const HOP_LIMIT: usize = 7;
    /// Source address.
    pub const SRC: usize = 8;
    /// Destination address.
    pub const DST: usize = 24;
}

/// ARP field offsets (RFC 826, IPv4 over Ethernet).
pub mod arp {
    /// Opcode.
    pub const OP: usize = 6;
    /// Sender hardware address.
    pub const SHA: usize = 8;
    /// Sender protocol address.
    pub const SPA: usize = 14;
    /// Target hardware address.
    pub const THA: usize = 18;
    /// Target protocol address.
    pub const TPA: usize = 24;
}

/// Offsets of the ports, in TCP, UDP and SCTP alike, and of the checksums.
pub mod l4 {
    /// Source port; ICMP type.
    pub const SRC: usize = 0;
    /// Destination port.
    pub const DST: usize = 2;
    /// Checksum of ICMP and ICMPv6.
    pub const ICMP_CHECKSUM: usize = 2;
    /// TCP flags, with the data offset above them.
    pub const TCP_FLAGS: usize = 12;
    /// TCP checksum.
    pub const TCP_CHECKSUM: usize = 16;
    /// UDP checksum.
    pub const UDP_CHECKSUM: usize = 6;
    /// SCTP checksum, CRC32c, least significant byte first (RFC 9260 appendix A).
    pub const SCTP_CHECKSUM: usize = 8;
}

/// The network header that was understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum L3 {
    /// None, or a malformed one.
    #[default]
    None,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// ARP or RARP.
    Arp,
}

/// The transport header that was understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum L4 {
    /// None, an unknown or cut one, or a later fragment.
    #[default]
    None,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// ICMP over IPv4.
    Icmp,
    /// ICMPv6 over IPv6.
    Icmpv6,
}

/// What a frame's headers are and where they begin (bytes from the start of the frame).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers {
    /// Network header.
    pub l3: L3,
    /// Its offset; meaningful if `l3` is not `None`.
    pub l3_at: u16,
    /// Transport header.
    pub l4: L4,
    /// Its offset; meaningful if `l4` is not `None`.
    pub l4_at: u16,
    /// Bytes from `l4_at` to the end of the IP payload.
    pub l4_len: u16,
    /// VLAN tags that were understood, 0 to 2.
    pub tags: u8,
    /// An IPv6 routing header with segments left: the checksum is over another destination than the header's (RFC 8200 §8.1).
    pub routed: bool,
}

/// The 16 bits at `at`.
#[inline]
pub fn be16(frame: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

/// The 32 bits at `at`.
#[inline]
pub fn be32(frame: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(frame[at..at + 4].try_into().expect("four bytes"))
}

/// The 48 bits at `at`.
#[inline]
pub fn be48(frame: &[u8], at: usize) -> u64 {
    u64::from(be16(frame, at)) << 32 | u64::from(be32(frame, at + 2))
}

/// The 128 bits at `at`.
#[inline]
pub fn be128(frame: &[u8], at: usize) -> u128 {
    u128::from_be_bytes(frame[at..at + 16].try_into().expect("sixteen bytes"))
}
