// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pcapng format (draft-ietf-opsawg-pcapng). Only what a packet's bytes and time depend on is read: comments and names may be in
//! any encoding, lists of options may lack their end, and blocks of other kinds are passed over.

use super::bytes::{Bytes, Order};
use super::clock::Clock;
use super::{Extent, Failure, Fault, check_link_type};
use std::io::{Read, Seek};
use std::ops::Range;

/// The same in both byte orders, and what a file begins with.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

const INTERFACE_DESCRIPTION: u32 = 1;
/// Obsolete since 2005.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const OPT_ENDOFOPT: u16 = 0;
const IF_TSRESOL: u16 = 9;
const IF_FCSLEN: u16 = 13;
const IF_TSOFFSET: u16 = 14;
/// `epb_flags`, in an obsolete packet block `pack_flags`.
const FLAGS: u16 = 2;

/// Whether a file that begins with these bytes is of this format.
pub(super) fn is(start: [u8; 4]) -> bool {
    u32::from_be_bytes(start) == SECTION_HEADER
}

/// Where packets came from.
struct Interface {
    link: u16,
    /// Bytes kept of a packet; 0: all.
    snap: u32,
    clock: Clock,
    /// Bytes of FCS at the end of each packet.
    fcs: u32,
}

/// A section of a file: its byte order and the interfaces described so far.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Time of the latest packet, for those that do not tell theirs.
    time_ns: u64,
}

/// A block, its body in the file.
pub(super) struct Block {
    kind: u32,
    body: Range<u64>,
}

impl Block {
    /// Place of the next block.
    pub fn end(&self) -> u64 {
        self.body.end + 4
    }
}

impl Pcapng {
    /// A file whose first block is still to be read. That is a section header, which says the byte order.
    pub fn begin() -> Self {
        Pcapng { order: Order::Little, interfaces: vec![], time_ns: 0 }
    }

    /// Whether a block that begins with these bytes holds a packet.
    pub fn is_packet(&self, start: [u8; 4]) -> bool {
        matches!(self.order.u32(start), PACKET | SIMPLE_PACKET | ENHANCED_PACKET)
    }

    /// Reads the frame of the block that begins here, and of a section header its byte order.
    pub fn block<R: Read + Seek>(&mut self, bytes: &mut Bytes<R>) -> Result<Block, Failure> {
        let start = bytes.at();
        let [kind, length] = [bytes.array()?, bytes.array()?];
        if is(kind) {
            let magic = bytes.array()?;
            let orders = [Order::Big, Order::Little];
            self.order = orders.into_iter().find(|o| o.u32(magic) == BYTE_ORDER_MAGIC).ok_or(Fault::ByteOrder)?;
        }
        let (kind, length) = (self.order.u32(kind), self.order.u32(length));
        let least = if kind == SECTION_HEADER { 28 } else { 12 };
        if length < least || !length.is_multiple_of(4) {
            return Err(Fault::BlockLength { length, least }.into());
        }
        let end = start + u64::from(length);
        if end > bytes.end() {
            return Err(Fault::CutShort.into());
        }
        bytes.go(end - 4)?;
        let again = bytes.u32(self.order)?;
        if again != length {
            return Err(Fault::BlockEnd { length, again }.into());
        }
        bytes.go(start + 8)?;
        Ok(Block { kind, body: start + 8..end - 4 })
    }

    /// Reads the body of a block, where `bytes` are; none if it holds no packet.
    pub fn body<R: Read + Seek>(&mut self, block: &Block, bytes: &mut Bytes<R>) -> Result<Option<Extent>, Failure> {
        let packet = match block.kind {
            SECTION_HEADER => {
                self.section_header(bytes)?;
                return Ok(None);
            }
            INTERFACE_DESCRIPTION => {
                let interface = self.interface_description(&block.body, bytes)?;
                self.interfaces.push(interface);
                return Ok(None);
            }
            PACKET | ENHANCED_PACKET => self.packet(block, bytes)?,
            SIMPLE_PACKET => self.simple_packet(&block.body, bytes)?,
            _ => return Ok(None),
        };
        self.time_ns = packet.time_ns;
        Ok(Some(packet))
    }

    fn section_header<R: Read + Seek>(&mut self, bytes: &mut Bytes<R>) -> Result<(), Failure> {
        bytes.array::<4>()?;
        let [major, minor] = [bytes.u16(self.order)?, bytes.u16(self.order)?];
        if major != 1 {
            return Err(Fault::Version { format: "pcapng", major, minor, known: 1 }.into());
        }
        self.interfaces.clear();
        Ok(())
    }

    fn interface_description<R: Read + Seek>(
        &self,
        body: &Range<u64>,
        bytes: &mut Bytes<R>,
    ) -> Result<Interface, Failure> {
        room(body, 8)?;
        let link = bytes.u16(self.order)?;
        bytes.array::<2>()?;
        let mut interface = Interface { link, snap: bytes.u32(self.order)?, clock: Clock::default(), fcs: 0 };
        self.options(body.start + 8..body.end, bytes, |code, value| match (code, value) {
            (IF_TSRESOL, [resolution]) => interface.clock.set_resolution(*resolution),
            (IF_TSOFFSET, value) => {
                if let Ok(seconds) = value.try_into() {
                    interface.clock.set_offset(self.order.i64(seconds));
                }
            }
            // In bits, says the draft; 4, says its example, and so do programs. No link has an FCS of less than 8 bits.
            (IF_FCSLEN, [length]) => interface.fcs = u32::from(if *length < 8 { *length } else { *length / 8 }),
            _ => {}
        })?;
        Ok(interface)
    }

    fn packet<R: Read + Seek>(&self, block: &Block, bytes: &mut Bytes<R>) -> Result<Extent, Failure> {
        room(&block.body, 20)?;
        let number = if block.kind == PACKET {
            // What follows in the same word is a count of lost packets.
            let number = bytes.u16(self.order)?;
            bytes.array::<2>()?;
            u32::from(number)
        } else {
            bytes.u32(self.order)?
        };
        let interface = self.interface(number)?;
        let [high, low] = [bytes.u32(self.order)?, bytes.u32(self.order)?];
        let time_ns = interface.clock.ns(u64::from(high) << 32 | u64::from(low))?;
        let [captured, original] = [bytes.u32(self.order)?, bytes.u32(self.order)?];
        let at = bytes.at();
        let end = at + u64::from(captured).next_multiple_of(4);
        if at + u64::from(captured) > block.body.end {
            return Err(Fault::PacketInBlock { captured, room: block.body.end - at }.into());
        }
        let mut fcs = interface.fcs;
        let options = self.options(end.min(block.body.end)..block.body.end, bytes, |code, value| {
            if let (FLAGS, Ok(flags)) = (code, value.try_into()) {
                let own = self.order.u32(flags) >> 5 & 0xf;
                fcs = if own == 0 { fcs } else { own };
            }
        });
        match options {
            // Nothing but the length of the FCS depends on them.
            Ok(()) | Err(Failure::Fault(_)) => Ok(Extent { time_ns, at, captured, original, fcs }),
            Err(error) => Err(error),
        }
    }

    fn simple_packet<R: Read + Seek>(&self, body: &Range<u64>, bytes: &mut Bytes<R>) -> Result<Extent, Failure> {
        room(body, 4)?;
        let interface = self.interface(0)?;
        let original = bytes.u32(self.order)?;
        let limit = if interface.snap == 0 { u32::MAX } else { interface.snap };
        let (at, captured) = (bytes.at(), original.min(limit));
        // A block's length is a `u32`.
        let room = (body.end - at) as u32;
        let captured = captured.min(room);
        Ok(Extent { time_ns: self.time_ns, at, captured, original, fcs: interface.fcs })
    }

    fn interface(&self, number: u32) -> Result<&Interface, Fault> {
        let interface = self.interfaces.get(number as usize).ok_or(Fault::Interface(number))?;
        check_link_type(interface.link).map(|()| interface)
    }

    /// Shows `visit` the code and value of each option of at most eight bytes in this part of a block. The list ends with
    /// `opt_endofopt` or with the part.
    fn options<R: Read + Seek>(
        &self,
        part: Range<u64>,
        bytes: &mut Bytes<R>,
        mut visit: impl FnMut(u16, &[u8]),
    ) -> Result<(), Failure> {
        let mut next = part.start;
        while next + 4 <= part.end {
            bytes.go(next)?;
            let [code, length] = [bytes.u16(self.order)?, bytes.u16(self.order)?];
            if code == OPT_ENDOFOPT {
                break;
            }
            if bytes.at() + u64::from(length) > part.end {
                return Err(Fault::OptionInBlock { code, length }.into());
            }
            next = bytes.at() + u64::from(length).next_multiple_of(4);
            let mut value = [0; 8];
            if let Some(value) = value.get_mut(..usize::from(length)) {
                bytes.read(value)?;
                visit(code, value);
            }
        }
        Ok(())
    }
}

/// Refuses a block whose body is shorter than its kind demands.
fn room(body: &Range<u64>, least: u64) -> Result<(), Fault> {
    let length = (body.end - body.start) as u32 + 12;
    let least = least as u32 + 12;
    if length < least { Err(Fault::BlockLength { length, least }) } else { Ok(()) }
}
