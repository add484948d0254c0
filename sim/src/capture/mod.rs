// SPDX-License-Identifier: MIT OR Apache-2.0
//! Captures: reading pcap and pcapng, writing them with nanosecond times.
//!
//! Captures are read as people have them, one packet at a time, in memory that does not grow with the file; what is wrong is told
//! with its place. The libraries for this (`pcap-file`, `pcap-parser`) take whole blocks into memory and refuse a file for
//! an option that does not matter, so the few fields that count are read here; writing is `pcap-file`'s.

mod bytes;
mod clock;
mod pcap;
mod pcapng;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{Reader, Record};
pub use writer::{Format, Writer};

use millrace_regs::config::{MAX_FRAME, MIN_FRAME};
use std::io;
use std::path::{Path, PathBuf};

/// Number of the link type Ethernet.
const ETHERNET: u16 = 1;

/// A captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// From the destination's address on, without FCS.
    pub frame: Vec<u8>,
}

/// A capture that cannot be used.
// The errors of the system are part of the text, not sources: whoever prints a chain prints them once.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{}: byte {offset}{}: {fault}", path.display(), in_packet(*packet))]
    Bad {
        path: PathBuf,
        /// Where the faulty record starts.
        offset: u64,
        /// Number of the packet, the first being 1; none for what is no packet.
        packet: Option<u64>,
        fault: Fault,
    },
}

fn in_packet(packet: Option<u64>) -> String {
    packet.map(|number| format!(", packet {number}")).unwrap_or_default()
}

/// What is wrong with a capture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("neither a pcap nor a pcapng file")]
    Format,
    #[error("version {major}.{minor} of {format}, not {known}")]
    Version { format: &'static str, major: u16, minor: u16, known: u16 },
    #[error("the file is cut short")]
    CutShort,
    #[error("link type {0}, not Ethernet")]
    LinkType(u16),
    #[error("interface {0} is not described before")]
    Interface(u32),
    #[error("the time stamp is out of range: 1970 to 2262 can be read")]
    Time,
    #[error("the section's byte-order magic is wrong")]
    ByteOrder,
    #[error("a block of {length} bytes: this one has {least} at least, and a multiple of 4")]
    BlockLength { length: u32, least: u32 },
    #[error("a block of {length} bytes that says at its end that it has {again}")]
    BlockEnd { length: u32, again: u32 },
    #[error("a packet of {captured} bytes in a block with room for {room}")]
    PacketInBlock { captured: u32, room: u64 },
    #[error("option {code} of {length} bytes does not fit into its block")]
    OptionInBlock { code: u16, length: u16 },
    #[error("{0}")]
    Unfit(Unfit),
}

/// Why a packet of a capture is no frame that can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("only {captured} of the frame's {original} bytes were captured; capture with a snapshot length of 0")]
    Snapped { captured: u32, original: u32 },
    #[error("a frame of {length} bytes: frames have {MIN_FRAME} to {max_frame}")]
    Length { length: u32, max_frame: usize },
}

/// Why reading stops.
#[derive(Debug)]
enum Failure {
    Io(io::Error),
    Fault(Fault),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Failure::Fault(fault)
    }
}

/// A packet in a file, as the file says.
#[derive(Debug)]
struct Extent {
    time_ns: u64,
    /// Place of its first byte.
    at: u64,
    /// Bytes that the file has of it.
    captured: u32,
    /// Bytes that it had.
    original: u32,
    /// How many of these are its FCS.
    fcs: u32,
}

impl Extent {
    /// Length of its frame without FCS, and why that cannot be sent, if so.
    fn frame(&self, max_frame: usize) -> (u32, Option<Unfit>) {
        let &Extent { captured, original, fcs, .. } = self;
        // Some programs give an original length of 0.
        let length = original.max(captured).saturating_sub(fcs);
        let unfit = if captured < length {
            Some(Unfit::Snapped { captured, original })
        } else if !(MIN_FRAME..=max_frame).contains(&(length as usize)) {
            Some(Unfit::Length { length, max_frame })
        } else {
            None
        };
        (length.min(captured), unfit)
    }
}

fn check_link_type(link: u16) -> Result<(), Fault> {
    if link == ETHERNET { Ok(()) } else { Err(Fault::LinkType(link)) }
}

/// Reads a whole capture, every frame of which must be one that some build of the hardware can send.
///
/// # Errors
/// If the capture cannot be read, is damaged, or holds a frame that cannot be sent.
pub fn read(path: &Path) -> Result<Vec<Packet>, CaptureError> {
    read_all(&mut Reader::open(path, MAX_FRAME)?)
}

fn read_all<R: io::Read + io::Seek>(reader: &mut Reader<R>) -> Result<Vec<Packet>, CaptureError> {
    let mut packets = vec![];
    while let Some(record) = reader.next_record()? {
        if let Some(unfit) = record.unfit {
            return Err(reader.refusal(&record, unfit));
        }
        packets.push(Packet { time_ns: record.time_ns, frame: reader.frame(record.at, record.length)? });
    }
    Ok(packets)
}
