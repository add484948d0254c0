// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames to draw: well-formed packets from small pools of addresses (so that rules hit), cut, broken, or plain noise.

use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// A frame, as few numbers, so that a failing case shrinks and can be kept in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FrameSpec {
    /// Bytes as they are.
    Raw(Vec<u8>),
    Packet(PacketSpec),
}

/// A packet layer by layer. Selectors (`u8`) index pools of addresses and ports.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PacketSpec {
    pub macs: (u8, u8),
    /// TPID is a service tag's, TCI.
    pub tags: Vec<(bool, u16)>,
    pub network: Network,
    pub transport: Transport,
    /// Bytes behind the last header.
    pub payload: u16,
    /// Cut to at most this many bytes.
    pub cut: Option<u16>,
    /// Exclusive-ors a byte within the first 100 with a value.
    pub flip: Option<(u8, u8)>,
    /// Bytes behind the end of the IP packet, as Ethernet padding.
    pub padding: u8,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Network {
    Ipv4 { addresses: (u8, u8), tos: u8, ttl: u8, option_words: u8, fragment: u16 },
    Ipv6 { addresses: (u8, u8), class: u8, hops: u8, fragment: Option<u16>, extension: Option<u8> },
    Arp { addresses: (u8, u8), opcode: u16, reverse: bool },
    Snap,
    Other { ethertype: u16 },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Transport {
    Tcp { ports: (u8, u8), flags: u16 },
    Udp { ports: (u8, u8), checksum: u16 },
    Sctp { ports: (u8, u8) },
    Icmp { kind: u8, code: u8 },
    None { protocol: u8 },
}

const IPV6_FRAGMENT: u8 = 44;

impl FrameSpec {
    /// The frame's bytes, at least one: a stream has no transfer of nothing.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = match self {
            FrameSpec::Raw(bytes) => bytes.clone(),
            FrameSpec::Packet(packet) => packet.bytes(),
        };
        if bytes.is_empty() {
            bytes.push(0);
        }
        bytes
    }
}

impl PacketSpec {
    fn bytes(&self) -> Vec<u8> {
        let mut frame = [mac(self.macs.0), mac(self.macs.1)].concat();
        for (service, tci) in &self.tags {
            frame.extend(if *service { [0x88, 0xa8] } else { [0x81, 0] });
            frame.extend(tci.to_be_bytes());
        }
        self.network(&mut frame);
        frame.extend(std::iter::repeat_n(0xee, self.padding.into()));
        if let Some(cut) = self.cut {
            frame.truncate(cut.into());
        }
        if let Some((at, value)) = self.flip
            && let Some(byte) = frame.get_mut(usize::from(at))
        {
            *byte ^= value;
        }
        frame
    }

    fn network(&self, frame: &mut Vec<u8>) {
        match &self.network {
            Network::Ipv4 { addresses, tos, ttl, option_words, fragment } => {
                frame.extend([8, 0]);
                let (protocol, body) = self.transport(false);
                let header_words = 5 + option_words % 11;
                let total = 4 * usize::from(header_words) + body.len();
                let mut header = vec![0x40 | header_words, *tos];
                header.extend((total as u16).to_be_bytes());
                header.extend([0x12, 0x34]);
                header.extend(fragment.to_be_bytes());
                header.extend([*ttl, protocol, 0, 0]);
                header.extend(ipv4(addresses.0));
                header.extend(ipv4(addresses.1));
                header.resize(4 * usize::from(header_words), 1);
                let checksum = checksum(&header);
                header[10..12].copy_from_slice(&checksum.to_be_bytes());
                frame.extend(header);
                frame.extend(body);
            }
            Network::Ipv6 { addresses, class, hops, fragment, extension } => {
                frame.extend([0x86, 0xdd]);
                let (protocol, body) = self.transport(true);
                let mut next = protocol;
                let mut payload = Vec::new();
                if let Some(fragment) = fragment {
                    payload.extend([next, 0]);
                    payload.extend(fragment.to_be_bytes());
                    payload.extend([1, 2, 3, 4]);
                    next = IPV6_FRAGMENT;
                }
                if let Some(kind) = extension {
                    payload.splice(0..0, [next, 0, 1, 4, 0, 0, 0, 0]);
                    next = *kind;
                }
                payload.extend(body);
                frame.extend([0x60 | class >> 4, class << 4, 0, 1]);
                frame.extend((payload.len() as u16).to_be_bytes());
                frame.extend([next, *hops]);
                frame.extend(ipv6(addresses.0));
                frame.extend(ipv6(addresses.1));
                frame.extend(payload);
            }
            Network::Arp { addresses, opcode, reverse } => {
                frame.extend(if *reverse { [0x80, 0x35] } else { [8, 6] });
                frame.extend([0, 1, 8, 0, 6, 4]);
                frame.extend(opcode.to_be_bytes());
                frame.extend(mac(addresses.0));
                frame.extend(ipv4(addresses.0));
                frame.extend(mac(addresses.1));
                frame.extend(ipv4(addresses.1));
                frame.extend(self.filling());
            }
            Network::Snap => {
                let body = self.filling();
                frame.extend((8 + body.len() as u16).to_be_bytes());
                frame.extend([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
                frame.extend(body);
            }
            Network::Other { ethertype } => {
                frame.extend(ethertype.to_be_bytes());
                frame.extend(self.filling());
            }
        }
    }

    /// Protocol number and the bytes behind the network header. Checksums are any number: the hardware never verifies one.
    fn transport(&self, over_ipv6: bool) -> (u8, Vec<u8>) {
        let mut body = Vec::new();
        let protocol = match &self.transport {
            Transport::Tcp { ports, flags } => {
                body.extend([port(ports.0), port(ports.1)].concat());
                body.extend([0, 0, 0, 1, 0, 0, 0, 2]);
                body.extend((0x5000 | flags & 0xfff).to_be_bytes());
                body.extend([4, 0, 0xab, 0xcd, 0, 0]);
                6
            }
            Transport::Udp { ports, checksum } => {
                body.extend([port(ports.0), port(ports.1)].concat());
                body.extend((8 + self.payload).to_be_bytes());
                body.extend(checksum.to_be_bytes());
                17
            }
            Transport::Sctp { ports } => {
                body.extend([port(ports.0), port(ports.1)].concat());
                body.extend([0; 8]);
                132
            }
            Transport::Icmp { kind, code } => {
                body.extend([*kind, *code, 0x55, 0xaa, 0, 1, 0, 2]);
                if over_ipv6 { 58 } else { 1 }
            }
            Transport::None { protocol } => *protocol,
        };
        body.extend(self.filling());
        (protocol, body)
    }

    fn filling(&self) -> Vec<u8> {
        (0..self.payload).map(|i| (i as u8).wrapping_mul(37)).collect()
    }
}

fn mac(selector: u8) -> [u8; 6] {
    [2, 0, 0, 0, 0, selector % 4]
}

fn ipv4(selector: u8) -> [u8; 4] {
    [10, 0, selector % 2, selector % 4]
}

fn ipv6(selector: u8) -> [u8; 16] {
    let mut address = [0xfd; 16];
    address[7] = selector % 2;
    address[15] = selector % 4;
    address
}

fn port(selector: u8) -> [u8; 2] {
    [[0, 53], [0, 80], [0x14, 0xe9], [0xff, 0xff]][usize::from(selector % 4)]
}

/// RFC 1071.
fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 = header.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Lengths: mostly short ones, so that one-beat frames follow each other; up to and past the longest frames of the presets.
fn payload() -> impl Strategy<Value = u16> {
    prop_oneof![8 => 0u16..90, 3 => 90u16..700, 1 => 700u16..1950, 1 => 1950u16..2060, 1 => 9100u16..9250]
}

fn network() -> impl Strategy<Value = Network> {
    let pair = || (any::<u8>(), any::<u8>());
    let ttl = || prop_oneof![Just(64u8), Just(1), Just(2), any::<u8>()];
    let fragment = || prop_oneof![4 => Just(0u16), 1 => Just(0x2000), 1 => Just(0x00b9), 1 => any::<u16>()];
    let ipv4 = (pair(), any::<u8>(), ttl(), prop_oneof![3 => Just(0u8), 1 => 0u8..11], fragment()).prop_map(
        |(addresses, tos, ttl, option_words, fragment)| Network::Ipv4 { addresses, tos, ttl, option_words, fragment },
    );
    let extension = prop_oneof![9 => Just(None), 1 => prop::sample::select(vec![0u8, 43, 44, 51, 60]).prop_map(Some)];
    let ipv6 = (pair(), any::<u8>(), ttl(), prop::option::weighted(0.2, fragment()), extension).prop_map(
        |(addresses, class, hops, fragment, extension)| Network::Ipv6 { addresses, class, hops, fragment, extension },
    );
    let arp = (pair(), prop_oneof![4 => 1u16..3, 1 => any::<u16>()], any::<bool>())
        .prop_map(|(addresses, opcode, reverse)| Network::Arp { addresses, opcode, reverse });
    let other = prop_oneof![Just(0x8847u16), Just(0x8100), Just(0x0800), Just(0x86dd), Just(0x0806), any::<u16>()]
        .prop_map(|ethertype| Network::Other { ethertype });
    prop_oneof![10 => ipv4, 6 => ipv6, 2 => arp, 1 => Just(Network::Snap), 2 => other]
}

fn transport() -> impl Strategy<Value = Transport> {
    let pair = || (any::<u8>(), any::<u8>());
    let checksum = prop_oneof![1 => Just(0u16), 1 => Just(0xffff), 6 => any::<u16>()];
    prop_oneof![
        6 => (pair(), any::<u16>()).prop_map(|(ports, flags)| Transport::Tcp { ports, flags }),
        6 => (pair(), checksum).prop_map(|(ports, checksum)| Transport::Udp { ports, checksum }),
        1 => pair().prop_map(|ports| Transport::Sctp { ports }),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(kind, code)| Transport::Icmp { kind, code }),
        1 => any::<u8>().prop_map(|protocol| Transport::None { protocol }),
    ]
}

/// Any frame: valid, cut, broken, or noise.
pub fn frame() -> impl Strategy<Value = FrameSpec> {
    let tags =
        prop_oneof![5 => vec((any::<bool>(), any::<u16>()), 0..1), 3 => vec((any::<bool>(), any::<u16>()), 1..4)];
    let cut = prop_oneof![9 => Just(None), 1 => (0u16..130).prop_map(Some)];
    let flip = prop_oneof![8 => Just(None), 2 => (0u8..100, any::<u8>()).prop_map(Some)];
    let padding = prop_oneof![3 => Just(0u8), 1 => 0u8..40];
    let packet = ((any::<u8>(), any::<u8>()), tags, network(), transport(), payload(), cut, flip, padding).prop_map(
        |(macs, tags, network, transport, payload, cut, flip, padding)| {
            FrameSpec::Packet(PacketSpec { macs, tags, network, transport, payload, cut, flip, padding })
        },
    );
    prop_oneof![12 => packet, 1 => vec(any::<u8>(), 0..200).prop_map(FrameSpec::Raw)]
}
