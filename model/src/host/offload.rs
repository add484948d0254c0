// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a transmitq does to a frame because its header asks for it (`docs/host.md`, "Offloads"; virtio 5.1.6.2).

use crate::bytes::{number, put};
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host::Feature;
use millrace_regs::host::SEGMENT_HEADER;
use millrace_regs::host::net_header::{GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM};

const TCP: u8 = 6;
const UDP: u8 = 17;
/// Bits of the byte of TCP's flags.
const CWR: u8 = 0x80;
const PSH: u8 = 0x08;
const FIN: u8 = 0x01;
/// Where in their header TCP and UDP have the checksum.
const TCP_CHECKSUM: usize = 16;
const UDP_CHECKSUM: usize = 6;

/// Why what a header asks for does not fit its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit(pub &'static str);

/// The fields of a `struct virtio_net_hdr` that count.
struct Asked {
    needs_checksum: bool,
    gso_type: u8,
    gso_size: usize,
    start: usize,
    offset: usize,
}

/// The headers of a frame that is cut.
struct Headers {
    /// Where the IP header begins; its version.
    ip: usize,
    version: u8,
    protocol: u8,
    /// Where that of TCP or UDP begins, and where its checksum is.
    l4: usize,
    checksum: usize,
    /// Bytes of all of them.
    len: usize,
}

/// The frames that leave, of one that a driver with these `features` has sent with this header.
///
/// # Errors
/// If what the header asks for does not fit the frame.
pub fn offload(header: &[u8], features: u64, frame: &[u8]) -> Result<Vec<Vec<u8>>, Misfit> {
    let asked = Asked::of(header);
    if features & Feature::Csum.bit() == 0 || (asked.gso_type == GSO_NONE && !asked.needs_checksum) {
        return Ok(vec![frame.to_vec()]);
    }
    if asked.gso_type == GSO_NONE {
        return Ok(vec![asked.with_checksum(frame)?]);
    }
    let headers = asked.headers(features, frame)?;
    let payloads: Vec<_> = frame[headers.len..].chunks(asked.gso_size).collect();
    let segment = |(i, payload): (usize, &&[u8])| {
        headers.segment(&frame[..headers.len], payload, i, i * asked.gso_size, i + 1 == payloads.len())
    };
    Ok(payloads.iter().enumerate().map(segment).collect())
}

impl Asked {
    fn of(header: &[u8]) -> Self {
        let little = |at: usize| usize::from(header[at]) | usize::from(header[at + 1]) << 8;
        Self {
            needs_checksum: header[0] & NEEDS_CSUM != 0,
            gso_type: header[1],
            gso_size: little(4),
            start: little(6),
            offset: little(8),
        }
    }

    fn with_checksum(&self, frame: &[u8]) -> Result<Vec<u8>, Misfit> {
        let at = self.start + self.offset;
        require(self.start.is_multiple_of(2) && self.offset.is_multiple_of(2), "an odd place")?;
        require(at + 2 <= frame.len(), "a checksum behind the frame's end")?;
        require(frame.len() <= MAX_FRAME, "a frame longer than any")?;
        let mut frame = frame.to_vec();
        let sum = folded(words(&frame[self.start..]));
        put(&mut frame, at, 2, checksum(sum, self.offset == UDP_CHECKSUM).into());
        Ok(frame)
    }

    fn headers(&self, features: u64, frame: &[u8]) -> Result<Headers, Misfit> {
        let has = |feature: Feature| features & feature.bit() != 0;
        let kind = self.gso_type & !GSO_ECN;
        let negotiated = match kind {
            GSO_TCPV4 => has(Feature::HostTso4),
            GSO_TCPV6 => has(Feature::HostTso6),
            GSO_UDP_L4 => has(Feature::HostUso),
            _ => false,
        };
        require(negotiated, "a kind that was not negotiated")?;
        let protocol = if kind == GSO_UDP_L4 { UDP } else { TCP };
        let ecn = self.gso_type & GSO_ECN != 0;
        require(!ecn || (protocol == TCP && has(Feature::HostEcn)), "ECN that was not negotiated")?;
        require(self.needs_checksum, "segments without checksum")?;
        let ip = ip_header(frame)?;
        let version = match number(frame, ip - 2, 2) {
            0x0800 if kind != GSO_TCPV6 => 4,
            0x86dd if kind != GSO_TCPV4 => 6,
            _ => return Err(Misfit("another EtherType")),
        };
        require(frame.len() > ip && frame[ip] >> 4 == version, "another version of IP")?;
        let l4 = self.start;
        if version == 4 {
            let len = 4 * usize::from(frame[ip] & 0xf);
            require(len >= 20 && l4 == ip + len, "a header of IPv4 that does not end at csum_start")?;
            require(frame.len() > ip + 9 && frame[ip + 9] == protocol, "another protocol")?;
        } else {
            require(l4.is_multiple_of(2) && l4 >= ip + 40, "csum_start in the header of IPv6")?;
            require(frame.len() > ip + 6, "a header that is not there")?;
            require(l4 > ip + 40 || frame[ip + 6] == protocol, "another next header")?;
        }
        let (len, offset) = if protocol == UDP {
            (8, UDP_CHECKSUM)
        } else {
            require(frame.len() > l4 + 12, "a header that is not there")?;
            (4 * usize::from(frame[l4 + 12] >> 4), TCP_CHECKSUM)
        };
        require(protocol == UDP || len >= 20, "a data offset of less than 5")?;
        require(self.offset == offset, "another csum_offset")?;
        let len = l4 + len;
        require(len <= SEGMENT_HEADER && len < frame.len(), "headers too long, or no payload")?;
        require(self.gso_size > 0 && len + self.gso_size <= MAX_FRAME, "a size that no segment can have")?;
        Ok(Headers { ip, version, protocol, l4, checksum: l4 + offset, len })
    }
}

impl Headers {
    /// Segment `i`, which begins `before` bytes behind the header.
    fn segment(&self, header: &[u8], payload: &[u8], i: usize, before: usize, last: bool) -> Vec<u8> {
        let mut segment = [header, payload].concat();
        let l4_len = segment.len() - self.l4;
        let ip_len = segment.len() - self.ip;
        if self.protocol == TCP {
            let sequence = number(&segment, self.l4 + 4, 4) as u32;
            put(&mut segment, self.l4 + 4, 4, sequence.wrapping_add(before as u32).into());
            let flags = &mut segment[self.l4 + 13];
            *flags &= if last { !0 } else { !(FIN | PSH) };
            *flags &= if i == 0 { !0 } else { !CWR };
        } else {
            put(&mut segment, self.l4 + 4, 2, l4_len as u128);
        }
        if self.version == 4 {
            let id = number(&segment, self.ip + 4, 2) as u16;
            put(&mut segment, self.ip + 2, 2, ip_len as u128);
            put(&mut segment, self.ip + 4, 2, id.wrapping_add(i as u16).into());
            put(&mut segment, self.ip + 10, 2, 0);
            let sum = folded(words(&segment[self.ip..self.l4]));
            put(&mut segment, self.ip + 10, 2, checksum(sum, false).into());
        } else {
            put(&mut segment, self.ip + 4, 2, (ip_len - 40) as u128);
        }
        put(&mut segment, self.checksum, 2, 0);
        let addresses = if self.version == 4 { 12..20 } else { 8..40 };
        let addresses = &segment[self.ip + addresses.start..self.ip + addresses.end];
        let pseudo = words(addresses) + u64::from(self.protocol) + l4_len as u64;
        let sum = folded(pseudo + words(&segment[self.l4..]));
        put(&mut segment, self.checksum, 2, checksum(sum, self.protocol == UDP).into());
        segment
    }
}

fn require(so: bool, otherwise: &'static str) -> Result<(), Misfit> {
    if so { Ok(()) } else { Err(Misfit(otherwise)) }
}

/// Where what lies behind the EtherType begins, behind up to two tags.
fn ip_header(frame: &[u8]) -> Result<usize, Misfit> {
    let mut at = 14;
    for _ in 0..2 {
        require(frame.len() >= at, "no EtherType")?;
        if !matches!(number(frame, at - 2, 2), 0x8100 | 0x88a8) {
            break;
        }
        at += 4;
    }
    require(frame.len() >= at, "no EtherType")?;
    Ok(at)
}

/// The sum of the 16-bit words; an odd last byte has a zero byte behind it.
fn words(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum()
}

/// The ones' complement sum (RFC 1071).
fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn checksum(sum: u16, udp: bool) -> u16 {
    if udp && !sum == 0 { 0xffff } else { !sum }
}
