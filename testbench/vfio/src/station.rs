// SPDX-License-Identifier: MIT OR Apache-2.0
//! What we send to the peer, and how its answers have to look.

use anyhow::{Context, Result, ensure};
use etherparse::{
    ArpEthIpv4Packet, ArpHardwareId, ArpOperation, ArpPacket, ArpPacketSlice, EtherType, Ipv4Header, PacketBuilder,
};
use std::net::Ipv4Addr;

/// Bytes of Ethernet's header, and with those of IPv4 and ICMP.
pub const ETHERNET: usize = 14;
const HEADERS: usize = ETHERNET + 20 + 8;
/// ICMP's types of an echo's answer, and its code (RFC 792).
const ECHO_REPLY: [u8; 2] = [0, 0];

/// Two ends of one Ethernet segment.
pub struct Station {
    pub mac: [u8; 6],
    own: Ipv4Addr,
    peer: Ipv4Addr,
    /// That of the peer, once it is known.
    peer_mac: Option<[u8; 6]>,
}

impl Station {
    pub fn new(mac: [u8; 6], own: Ipv4Addr, peer: Ipv4Addr) -> Self {
        Self { mac, own, peer, peer_mac: None }
    }

    /// Asks who the peer is: an ARP request, filled up to the shortest frame of a cable.
    pub fn question(&self) -> Result<Vec<u8>> {
        let question = ArpPacket::new(
            ArpHardwareId::ETHERNET,
            EtherType::IPV4,
            ArpOperation::REQUEST,
            &self.mac,
            &self.own.octets(),
            &[0; 6],
            &self.peer.octets(),
        )?;
        let mut frame = vec![];
        PacketBuilder::ethernet2(self.mac, [0xff; 6]).arp(question).write(&mut frame)?;
        frame.resize(60, 0);
        Ok(frame)
    }

    /// Whether this is the answer to that question; it is remembered.
    pub fn is_answered(&mut self, frame: &[u8]) -> bool {
        let Some((header, packet)) = frame.split_first_chunk::<ETHERNET>() else { return false };
        if header[..6] != self.mac || header[12..] != EtherType::ARP.0.to_be_bytes() {
            return false;
        }
        match arp(packet) {
            Some(packet) if packet.operation == ArpOperation::REPLY && packet.sender_ipv4 == self.peer.octets() => {
                self.peer_mac = Some(packet.sender_mac);
                true
            }
            _ => false,
        }
    }

    /// An echo request of `length` bytes.
    pub fn request(&self, id: u16, seq: u16, length: usize) -> Result<Vec<u8>> {
        let mac = self.peer_mac.context("the peer has not answered yet")?;
        let payload = payload(id, seq, length)?;
        let mut frame = Vec::with_capacity(length);
        let builder = PacketBuilder::ethernet2(self.mac, mac).ipv4(self.own.octets(), self.peer.octets(), 64);
        builder.icmpv4_echo_request(id, seq).write(&mut frame, &payload)?;
        Ok(frame)
    }

    /// The sequence number that this frame answers, if it is an answer with this identifier.
    ///
    /// # Errors
    /// If it is, and not byte for byte as it must be.
    pub fn answered(&self, frame: &[u8], id: u16) -> Result<Option<u16>> {
        let Some(&[kind, code, _, _, id_high, id_low, seq_high, seq_low]) = frame.get(HEADERS - 8..HEADERS) else {
            return Ok(None);
        };
        let ours = frame[..6] == self.mac && frame[12..ETHERNET] == EtherType::IPV4.0.to_be_bytes();
        if !ours || [kind, code] != ECHO_REPLY || [id_high, id_low] != id.to_be_bytes() {
            return Ok(None);
        }
        let seq = u16::from_be_bytes([seq_high, seq_low]);
        let expected = self.answer(id, seq, frame)?;
        ensure!(frame == expected, "echo {seq} came back as {frame:02x?}, not as {expected:02x?}");
        Ok(Some(seq))
    }

    /// The answer to the request of this frame's length; identification and the like are as in the frame.
    fn answer(&self, id: u16, seq: u16, frame: &[u8]) -> Result<Vec<u8>> {
        let mac = self.peer_mac.context("the peer has not answered yet")?;
        let payload = payload(id, seq, frame.len())?;
        let (found, _) = Ipv4Header::from_slice(&frame[ETHERNET..])?;
        let mut header = Ipv4Header {
            source: self.peer.octets(),
            destination: self.own.octets(),
            total_len: (frame.len() - ETHERNET) as u16,
            ..found
        };
        header.header_checksum = header.calc_header_checksum();
        let mut answer = vec![];
        let builder = PacketBuilder::ethernet2(mac, self.mac).ipv4(header.source, header.destination, 64);
        builder.icmpv4_echo_reply(id, seq).write(&mut answer, &payload)?;
        answer[ETHERNET..HEADERS - 8].copy_from_slice(&header.to_bytes());
        Ok(answer)
    }
}

/// What an echo carries: no two alike.
fn payload(id: u16, seq: u16, length: usize) -> Result<Vec<u8>> {
    let bytes = length.checked_sub(HEADERS).with_context(|| format!("an echo has no room in {length} bytes"))?;
    let mut state = u32::from(id) << 16 | u32::from(seq);
    let next = || {
        // Of Numerical Recipes' linear congruential generator, the high bits.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    Ok(std::iter::repeat_with(next).take(bytes).collect())
}

/// An ARP packet between Ethernet and IPv4, if it is one.
fn arp(bytes: &[u8]) -> Option<ArpEthIpv4Packet> {
    ArpPacketSlice::from_slice(bytes).ok()?.to_packet().try_eth_ipv4().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station() -> Station {
        let mut station = Station::new([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        station.peer_mac = Some([2, 0, 0, 0, 0, 2]);
        station
    }

    /// The answer that a host gives to the shortest request with a payload of one byte.
    fn answer() -> Vec<u8> {
        let station = station();
        let request = station.request(7, 3, HEADERS + 1).unwrap();
        let mut answer = station.answer(7, 3, &request).unwrap();
        answer[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&[0xab, 0xcd]);
        let (header, _) = Ipv4Header::from_slice(&answer[ETHERNET..]).unwrap();
        let checksum = header.calc_header_checksum().to_be_bytes();
        answer[ETHERNET + 10..ETHERNET + 12].copy_from_slice(&checksum);
        answer
    }

    #[test]
    fn an_answer_is_recognised_and_others_are_passed_over() {
        let station = station();
        assert_eq!(station.answered(&answer(), 7).unwrap(), Some(3));
        assert_eq!(station.answered(&answer(), 8).unwrap(), None);
        assert_eq!(station.answered(&station.request(7, 3, 60).unwrap(), 7).unwrap(), None);
        assert_eq!(station.answered(&station.question().unwrap(), 7).unwrap(), None);
        assert_eq!(station.answered(&[], 7).unwrap(), None);
    }

    #[test]
    fn no_bit_of_an_answer_may_be_wrong() {
        // Those that say that it is one, and to what, are looked at before.
        let says: Vec<usize> =
            (0..6).chain(12..ETHERNET).chain(HEADERS - 8..HEADERS - 6).chain(HEADERS - 4..HEADERS - 2).collect();
        // Identification, and what else a host may choose, are only under the checksum.
        for byte in (0..HEADERS + 1).filter(|byte| !says.contains(byte)) {
            let mut wrong = answer();
            wrong[byte] ^= 1;
            assert!(!matches!(station().answered(&wrong, 7), Ok(Some(3))), "byte {byte}");
        }
    }

    #[test]
    fn the_peer_is_known_once_it_has_answered() {
        let mut station = Station::new([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let peer = Station::new([2, 0, 0, 0, 0, 2], Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 1));
        assert!(station.request(1, 1, 60).is_err());
        let mut answer = peer.question().unwrap();
        answer[..6].copy_from_slice(&station.mac);
        assert!(!station.is_answered(&answer), "a question");
        answer[ETHERNET + 7] = 2;
        assert!(station.is_answered(&answer));
        assert_eq!(station.request(1, 1, 60).unwrap()[..6], peer.mac);
    }
}
