// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pcap format (draft-ietf-opsawg-pcap), as libpcap reads it.

use super::bytes::{Bytes, Order};
use super::clock::pcap_ns;
use super::{Extent, Failure, Fault, check_link_type};
use std::io::{Read, Seek};

/// Where a file says its link type.
pub(super) const LINK_TYPE: u64 = 20;
/// In the field of the link type: the length of the FCS is known.
const FCS_KNOWN: u32 = 1 << 26;

/// What the header of a file says.
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds of the finer part of a time.
    part_ns: u64,
    /// Bytes of FCS at the end of each packet.
    fcs: u32,
    /// Bytes between a packet's header and its data.
    gap: u64,
    /// Captured and original length may stand the other way round.
    old: bool,
}

/// Bytes of a file that say that it is of this format, and what that means.
fn magic(bytes: [u8; 4]) -> Option<(Order, u64, u64)> {
    [Order::Big, Order::Little].into_iter().find_map(|order| match order.u32(bytes) {
        0xa1b2_c3d4 => Some((order, 1_000, 0)),
        0xa1b2_3c4d => Some((order, 1, 0)),
        // Linux distributions around 2000 had a libpcap that wrote eight more bytes for each packet.
        0xa1b2_cd34 => Some((order, 1_000, 8)),
        _ => None,
    })
}

/// Whether a file that begins with these bytes is of this format.
pub(super) fn is(start: [u8; 4]) -> bool {
    magic(start).is_some()
}

impl Pcap {
    /// Reads the header of a file.
    pub fn begin<R: Read + Seek>(bytes: &mut Bytes<R>) -> Result<Self, Failure> {
        let (order, part_ns, gap) = magic(bytes.array()?).ok_or(Fault::Format)?;
        let [major, minor] = [bytes.u16(order)?, bytes.u16(order)?];
        // Time zone, accuracy, snapshot length.
        bytes.array::<12>()?;
        let link = bytes.u32(order)?;
        if major != 2 {
            return Err(Fault::Version { format: "pcap", major, minor, known: 2 }.into());
        }
        check_link_type(link as u16)?;
        // The length counts pairs of bytes.
        let fcs = if link & FCS_KNOWN != 0 { 2 * (link >> 28) } else { 0 };
        Ok(Pcap { order, part_ns, fcs, gap, old: minor < 4 })
    }

    /// Reads the header of the packet that begins here.
    pub fn packet<R: Read + Seek>(&self, bytes: &mut Bytes<R>) -> Result<Extent, Failure> {
        let [seconds, part] = [bytes.u32(self.order)?, bytes.u32(self.order)?];
        let [mut captured, mut original] = [bytes.u32(self.order)?, bytes.u32(self.order)?];
        if self.old && captured > original {
            std::mem::swap(&mut captured, &mut original);
        }
        let time_ns = pcap_ns(seconds, part, self.part_ns);
        Ok(Extent { time_ns, at: bytes.at() + self.gap, captured, original, fcs: self.fcs })
    }
}
