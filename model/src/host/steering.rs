// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which receiveq a frame goes to ("Steering").

use millrace_regs::host::control::{DEFAULT_KEY, HASH_TYPES, KEY_BYTES, TABLE_ENTRIES, hash_type};

const TAGS: [u16; 2] = [0x8100, 0x88a8];
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What a function's last command said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steering {
    /// Bits of [`hash_type`].
    pub hash_types: u32,
    /// Receiveqs, a power of two of them.
    pub table: Vec<u16>,
    /// Receiveq of the frames that none of the types fits.
    pub unclassified: u16,
    /// Of the hash.
    pub key: [u8; KEY_BYTES],
}

impl Steering {
    /// What VQ_PAIRS_SET asks for; `pairs` is not 0.
    pub fn pairs(pairs: u16) -> Self {
        let table = (0..TABLE_ENTRIES as u16).map(|entry| entry % pairs).collect();
        Self { hash_types: HASH_TYPES, table, unclassified: 0, key: DEFAULT_KEY }
    }

    /// The receiveq of a frame.
    pub fn receiveq(&self, frame: &[u8]) -> u16 {
        let hash = hash_input(self.hash_types, frame).map(|input| toeplitz(&self.key, &input));
        hash.map_or(self.unclassified, |hash| self.table[hash as usize & (self.table.len() - 1)])
    }
}

/// The Toeplitz hash of at most 36 bytes.
fn toeplitz(key: &[u8; KEY_BYTES], input: &[u8]) -> u32 {
    let key_bit = |bit: usize| u32::from(key[bit / 8] >> (7 - bit % 8) & 1);
    let window = |from: usize| (from..from + 32).fold(0, |window, bit| window << 1 | key_bit(bit));
    let ones = (0..8 * input.len()).filter(|bit| input[bit / 8] >> (7 - bit % 8) & 1 == 1);
    ones.fold(0, |hash, bit| hash ^ window(bit))
}

/// What the hash of a frame is made of, if one of the types fits it.
fn hash_input(types: u32, frame: &[u8]) -> Option<Vec<u8>> {
    let packet = Packet::find(frame)?;
    let [alone, tcp, udp] = if packet.version == 4 {
        [hash_type::IPV4, hash_type::TCPV4, hash_type::UDPV4]
    } else {
        [hash_type::IPV6, hash_type::TCPV6, hash_type::UDPV6]
    };
    let with_ports = match packet.protocol {
        TCP => types & tcp != 0,
        UDP => types & udp != 0,
        _ => false,
    };
    match packet.ports {
        Some(ports) if with_ports => Some([packet.addresses, ports].concat()),
        _ => (types & alone != 0).then(|| packet.addresses.to_vec()),
    }
}

/// The headers of a frame that is IPv4 or IPv6.
struct Packet<'a> {
    version: u8,
    protocol: u8,
    addresses: &'a [u8],
    /// Of what is no fragment.
    ports: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    fn find(frame: &'a [u8]) -> Option<Self> {
        let tag = |at: usize| ethertype(frame, at).is_some_and(|kind| TAGS.contains(&kind));
        let tags = (0..2).take_while(|tags| tag(12 + 4 * tags)).count();
        let kind = ethertype(frame, 12 + 4 * tags)?;
        let packet = &frame[14 + 4 * tags..];
        let version = packet.first()? >> 4;
        match (kind, version) {
            (IPV4, 4) => Self::ipv4(packet),
            (IPV6, 6) => Self::ipv6(packet),
            _ => None,
        }
    }

    fn ipv4(packet: &'a [u8]) -> Option<Self> {
        let words = packet[0] & 0xf;
        if packet.len() < 20 || words < 5 {
            return None;
        }
        // MF and the offset.
        let fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff != 0;
        let ports = ports(packet, 4 * usize::from(words)).filter(|_| !fragment);
        Some(Self { version: 4, protocol: packet[9], addresses: &packet[12..20], ports })
    }

    fn ipv6(packet: &'a [u8]) -> Option<Self> {
        let addresses = packet.get(8..40)?;
        Some(Self { version: 6, protocol: packet[6], addresses, ports: ports(packet, 40) })
    }
}

fn ethertype(frame: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?))
}

fn ports(packet: &[u8], at: usize) -> Option<&[u8]> {
    packet.get(at..at + 4)
}

#[cfg(test)]
#[path = "steering_tests.rs"]
mod tests;
