// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames of the scenarios. Host `n` has MAC 02:00:00:00:00:n, IPv4 address 10.0.0.n and IPv6 address fd00::n.

use etherparse::{Icmpv4Header, Icmpv4Type, Icmpv6Header, Icmpv6Type, IpNumber, Ipv4Header, TcpHeader, UdpHeader};

/// TCP flag bits.
pub mod tcp {
    /// FIN.
    pub const FIN: u8 = 0x01;
    /// SYN.
    pub const SYN: u8 = 0x02;
    /// RST.
    pub const RST: u8 = 0x04;
    /// ACK.
    pub const ACK: u8 = 0x10;
}

/// MAC address of a host.
pub fn mac(host: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, host]
}

fn ipv4(host: u8) -> [u8; 4] {
    [10, 0, 0, host]
}

fn ipv6(host: u8) -> [u8; 16] {
    let mut address = [0; 16];
    (address[0], address[15]) = (0xfd, host);
    address
}

/// Bytes that differ from their neighbours.
pub fn payload(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + i / 256) as u8).collect()
}

/// An Ethernet frame of any type.
pub fn eth(from: [u8; 6], to: [u8; 6], dl_type: u16, body: &[u8]) -> Vec<u8> {
    [&to[..], &from, &dl_type.to_be_bytes(), body].concat()
}

/// The frame with a VLAN tag put before its others.
pub fn tagged(frame: &[u8], tpid: u16, tci: u16) -> Vec<u8> {
    [&frame[..12], &tpid.to_be_bytes(), &tci.to_be_bytes(), &frame[12..]].concat()
}

/// The frame with other bytes from `at` on.
pub fn patched(mut frame: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    frame[at..at + bytes.len()].copy_from_slice(bytes);
    frame
}

/// ARP: opcode, sender, target.
pub fn arp(op: u16, from: u8, to: u8) -> Vec<u8> {
    let target = if op == 1 { [0; 6] } else { mac(to) };
    let destination = if op == 1 { [0xff; 6] } else { mac(to) };
    let head = [0, 1, 8, 0, 6, 4, (op >> 8) as u8, op as u8];
    let body = [&head[..], &mac(from), &ipv4(from), &target, &ipv4(to), &[0; 18]].concat();
    eth(mac(from), destination, 0x0806, &body)
}

/// An IP packet from one host to another.
#[derive(Clone, Copy)]
pub struct Ip {
    v6: bool,
    from: u8,
    to: u8,
    tos: u8,
    ttl: u8,
    /// Flags and offset of IPv4, or offset and flags of IPv6's fragment header.
    frag: u16,
    options: bool,
}

/// IPv4 from one host to another, TTL 64.
pub fn v4(from: u8, to: u8) -> Ip {
    Ip { v6: false, from, to, tos: 0, ttl: 64, frag: 0, options: false }
}

/// IPv6 from one host to another, hop limit 64.
pub fn v6(from: u8, to: u8) -> Ip {
    Ip { v6: true, ..v4(from, to) }
}

impl Ip {
    /// With this TOS or traffic class.
    pub fn tos(self, tos: u8) -> Ip {
        Ip { tos, ..self }
    }

    /// With this TTL or hop limit.
    pub fn ttl(self, ttl: u8) -> Ip {
        Ip { ttl, ..self }
    }

    /// A fragment: IPv4's flags and offset word, or the same word of IPv6's fragment header.
    pub fn frag(self, frag: u16) -> Ip {
        Ip { frag, ..self }
    }

    /// With eight bytes of IPv4 options, or of IPv6 hop-by-hop options.
    pub fn options(self) -> Ip {
        Ip { options: true, ..self }
    }

    /// UDP with `len` bytes of payload.
    pub fn udp(self, src: u16, dst: u16, len: usize) -> Vec<u8> {
        let data = payload(len);
        let header = match self.v6 {
            false => UdpHeader::with_ipv4_checksum(src, dst, &self.header4(IpNumber::UDP, 8 + len), &data),
            true => UdpHeader::without_ipv4_checksum(src, dst, len).map(|mut h| {
                h.checksum = h.calc_checksum_ipv6_raw(ipv6(self.from), ipv6(self.to), &data).expect("short payload");
                h
            }),
        };
        self.carry(17, &[&header.expect("short payload").to_bytes()[..], &data].concat())
    }

    /// TCP with these flags and `len` bytes of payload.
    pub fn tcp(self, src: u16, dst: u16, flags: u8, len: usize) -> Vec<u8> {
        let data = payload(len);
        let mut header = TcpHeader::new(src, dst, 0x0102_0304, 4096);
        header.fin = flags & tcp::FIN != 0;
        header.syn = flags & tcp::SYN != 0;
        header.rst = flags & tcp::RST != 0;
        header.ack = flags & tcp::ACK != 0;
        header.checksum = match self.v6 {
            false => header.calc_checksum_ipv4_raw(ipv4(self.from), ipv4(self.to), &data),
            true => header.calc_checksum_ipv6_raw(ipv6(self.from), ipv6(self.to), &data),
        }
        .expect("short payload");
        self.carry(6, &[&header.to_bytes()[..], &data].concat())
    }

    /// ICMP over IPv4, ICMPv6 over IPv6, with `len` bytes behind the header of eight.
    pub fn icmp(self, kind: u8, code: u8, len: usize) -> Vec<u8> {
        let data = payload(len);
        let rest = [1, 2, 3, 4];
        let header = match self.v6 {
            false => {
                let kind = Icmpv4Type::Unknown { type_u8: kind, code_u8: code, bytes5to8: rest };
                Icmpv4Header::with_checksum(kind, &data).to_bytes().to_vec()
            }
            true => {
                let kind = Icmpv6Type::Unknown { type_u8: kind, code_u8: code, bytes5to8: rest };
                let header = Icmpv6Header::with_checksum(kind, ipv6(self.from), ipv6(self.to), &data);
                header.expect("short payload").to_bytes().to_vec()
            }
        };
        self.carry(if self.v6 { 58 } else { 1 }, &[&header[..], &data].concat())
    }

    /// SCTP with a checksum that need not be right.
    pub fn sctp(self, src: u16, dst: u16, len: usize) -> Vec<u8> {
        let head = [&src.to_be_bytes()[..], &dst.to_be_bytes(), &[0, 0, 0, 9, 0xaa, 0xbb, 0xcc, 0xdd]].concat();
        self.carry(132, &[&head[..], &payload(len)].concat())
    }

    /// Any protocol.
    pub fn carry(self, proto: u8, body: &[u8]) -> Vec<u8> {
        match self.v6 {
            false => {
                let header = self.header4(IpNumber(proto), body.len());
                eth(mac(self.from), mac(self.to), 0x0800, &[&header.to_bytes()[..], body].concat())
            }
            true => self.carry6(proto, body),
        }
    }

    fn header4(self, proto: IpNumber, len: usize) -> Ipv4Header {
        let mut header =
            Ipv4Header::new(len as u16, self.ttl, proto, ipv4(self.from), ipv4(self.to)).expect("short payload");
        header.identification = 0x1234;
        header.dscp = (self.tos >> 2).try_into().expect("six bits");
        header.ecn = (self.tos & 3).try_into().expect("two bits");
        header.dont_fragment = self.frag & 0x4000 != 0;
        header.more_fragments = self.frag & 0x2000 != 0;
        header.fragment_offset = (self.frag & 0x1fff).try_into().expect("thirteen bits");
        if self.options {
            header.options = [1, 1, 1, 1, 1, 1, 1, 0].into();
            header.set_payload_len(len).expect("short payload");
        }
        header.header_checksum = header.calc_header_checksum();
        header
    }

    fn carry6(self, proto: u8, body: &[u8]) -> Vec<u8> {
        let mut next = proto;
        let mut chain = Vec::new();
        if self.frag != 0 {
            chain = [&[next, 0][..], &self.frag.to_be_bytes(), &[0, 0, 0, 7]].concat();
            next = 44;
        }
        if self.options {
            chain = [&[next, 0, 1, 4, 0, 0, 0, 0][..], &chain].concat();
            next = 0;
        }
        let length = ((chain.len() + body.len()) as u16).to_be_bytes();
        let head = [0x60 | self.tos >> 4, self.tos << 4, 0x12, 0x34, length[0], length[1], next, self.ttl];
        let packet = [&head[..], &ipv6(self.from), &ipv6(self.to), &chain, body].concat();
        eth(mac(self.from), mac(self.to), 0x86dd, &packet)
    }
}
