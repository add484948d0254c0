// SPDX-License-Identifier: MIT OR Apache-2.0
//! Captures: reading pcap and pcapng, writing pcap with nanosecond times.
//!
//! A capture is read and checked whole before its first packet is used, so that a bad file stops a run before it has begun.

use millrace_regs::config::{MAX_FRAME, MIN_FRAME};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapParser, PcapWriter};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::{Block, PcapNgParser};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

const NS_PER_S: u64 = 1_000_000_000;
/// The first word of a pcapng file, the same in both byte orders.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// Where a pcap file says its link type.
const LINK_TYPE: usize = 20;
/// Types of the blocks of a pcapng file that hold a packet: Simple Packet Block, Enhanced Packet Block.
const PACKET_BLOCKS: [u32; 2] = [3, 6];

/// A captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// From the destination's address on, without FCS.
    pub frame: Vec<u8>,
}

/// A capture that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: byte {offset}{}: {fault}", path.display(), in_packet(*packet))]
    Bad {
        path: PathBuf,
        /// Where the faulty record starts.
        offset: usize,
        /// Number of the packet, the first being 1; none for what is no packet.
        packet: Option<usize>,
        fault: Fault,
    },
}

fn in_packet(packet: Option<usize>) -> String {
    packet.map(|number| format!(", packet {number}")).unwrap_or_default()
}

/// What is wrong with a capture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("neither a pcap nor a pcapng file")]
    Format,
    #[error("the file is cut short")]
    CutShort,
    #[error("link type {0}, not Ethernet")]
    LinkType(u32),
    #[error("only {captured} of the frame's {original} bytes were captured; capture with a snapshot length of 0")]
    Snapped { captured: usize, original: usize },
    #[error("a frame of {0} bytes: frames have {MIN_FRAME} to {MAX_FRAME}")]
    Length(usize),
    #[error("interface {0} is not described before")]
    Interface(u32),
    #[error("the time stamp is out of range")]
    Time,
    #[error("{0}")]
    Damaged(String),
}

impl From<PcapError> for Fault {
    fn from(error: PcapError) -> Self {
        match error {
            PcapError::IncompleteBuffer => Fault::CutShort,
            other => Fault::Damaged(other.to_string()),
        }
    }
}

/// Reads a whole capture: pcap with micro- or nanoseconds or pcapng, either byte order, any number of interfaces.
pub fn read(path: &Path) -> Result<Vec<Packet>, CaptureError> {
    let data = fs::read(path).map_err(|source| CaptureError::Io { path: path.into(), source })?;
    parse(&data).map_err(|Place { offset, packet, fault }| CaptureError::Bad {
        path: path.into(),
        offset,
        packet,
        fault,
    })
}

/// A fault and where it is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    offset: usize,
    packet: Option<usize>,
    fault: Fault,
}

impl Place {
    fn file(fault: impl Into<Fault>) -> Self {
        Place { offset: 0, packet: None, fault: fault.into() }
    }
}

fn parse(data: &[u8]) -> Result<Vec<Packet>, Place> {
    if data.starts_with(&SECTION_HEADER) { parse_pcapng(data) } else { parse_pcap(data) }
}

fn parse_pcap(data: &[u8]) -> Result<Vec<Packet>, Place> {
    let (mut rest, parser) = PcapParser::new(data).map_err(|error| {
        let magic = data.get(..4).is_some_and(|m| matches!(m, [0xa1, 0xb2, ..] | [_, _, 0xb2, 0xa1]));
        Place::file(if magic { Fault::from(error) } else { Fault::Format })
    })?;
    let header = parser.header();
    check_link_type(header.datalink).map_err(|fault| Place { offset: LINK_TYPE, packet: None, fault })?;
    let mut packets = vec![];
    while !rest.is_empty() {
        let offset = data.len() - rest.len();
        let place = |fault: Fault| Place { offset, packet: Some(packets.len() + 1), fault };
        let (after, raw) = parser.next_raw_packet(rest).map_err(|error| place(error.into()))?;
        let (unit, units) = match header.ts_resolution {
            TsResolution::MicroSecond => (1_000, 1_000_000),
            TsResolution::NanoSecond => (1, 1_000_000_000),
        };
        if raw.ts_frac >= units {
            return Err(place(Fault::Time));
        }
        let time_ns = u64::from(raw.ts_sec) * NS_PER_S + u64::from(raw.ts_frac) * unit;
        let frame = check_frame(&raw.data, raw.orig_len as usize).map_err(place)?;
        packets.push(Packet { time_ns, frame });
        rest = after;
    }
    Ok(packets)
}

fn parse_pcapng(data: &[u8]) -> Result<Vec<Packet>, Place> {
    let (mut rest, mut parser) = PcapNgParser::new(data).map_err(Place::file)?;
    let mut packets: Vec<Packet> = vec![];
    while !rest.is_empty() {
        let offset = data.len() - rest.len();
        let place = |fault: Fault| Place { offset, packet: Some(packets.len() + 1), fault };
        let (after, block) = parser.next_block(rest).map_err(|error| {
            let place = place(error.into());
            if starts_packet(rest) { place } else { Place { packet: None, ..place } }
        })?;
        let interface = |number: u32| {
            let interface = parser.interfaces().get(number as usize).ok_or(Fault::Interface(number))?;
            check_link_type(interface.linktype).map(|()| interface)
        };
        let packet = match &block {
            Block::EnhancedPacket(packet) => {
                let interface = interface(packet.interface_id).map_err(place)?;
                // The crate takes the ticks for nanoseconds, whatever the interface's resolution.
                let ticks = packet.timestamp.as_nanos() as u64;
                let time_ns = Clock::of(interface).ns(ticks).ok_or_else(|| place(Fault::Time))?;
                let frame = check_frame(&packet.data, packet.original_len as usize).map_err(place)?;
                Some(Packet { time_ns, frame })
            }
            Block::SimplePacket(packet) => {
                let interface = interface(0).map_err(place)?;
                let original = packet.original_len as usize;
                let limit = if interface.snaplen == 0 { usize::MAX } else { interface.snaplen as usize };
                // What follows the frame in the block is padding.
                let captured = packet.data.len().min(original).min(limit);
                let time_ns = packets.last().map_or(0, |last| last.time_ns);
                let frame = check_frame(&packet.data[..captured], original).map_err(place)?;
                Some(Packet { time_ns, frame })
            }
            Block::Packet(_) => return Err(place(Fault::Damaged("a Packet Block, obsolete since 2005".into()))),
            _ => None,
        };
        packets.extend(packet);
        rest = after;
    }
    Ok(packets)
}

/// Whether a block of a pcapng file holds a packet, as far as its type is there and in either byte order.
fn starts_packet(block: &[u8]) -> bool {
    block.first_chunk().is_some_and(|kind| {
        PACKET_BLOCKS.contains(&u32::from_le_bytes(*kind)) || PACKET_BLOCKS.contains(&u32::from_be_bytes(*kind))
    })
}

fn check_link_type(link: DataLink) -> Result<(), Fault> {
    if link == DataLink::ETHERNET { Ok(()) } else { Err(Fault::LinkType(link.into())) }
}

fn check_frame(frame: &[u8], original: usize) -> Result<Vec<u8>, Fault> {
    if frame.len() < original {
        return Err(Fault::Snapped { captured: frame.len(), original });
    }
    if !(MIN_FRAME..=MAX_FRAME).contains(&frame.len()) {
        return Err(Fault::Length(frame.len()));
    }
    Ok(frame.to_vec())
}

/// How an interface of a pcapng file counts time (draft-ietf-opsawg-pcapng §4.2, `if_tsresol` and `if_tsoffset`).
struct Clock {
    ticks_per_s: u128,
    offset_s: i64,
}

impl Clock {
    fn of(interface: &InterfaceDescriptionBlock) -> Self {
        let mut clock = Clock { ticks_per_s: 1_000_000, offset_s: 0 };
        for option in &interface.options {
            match option {
                InterfaceDescriptionOption::IfTsResol(resolution) => {
                    let exponent = u32::from(resolution & 0x7f);
                    let base: u128 = if resolution & 0x80 != 0 { 2 } else { 10 };
                    clock.ticks_per_s = base.checked_pow(exponent).unwrap_or(u128::MAX);
                }
                InterfaceDescriptionOption::IfTsOffset(offset) => clock.offset_s = *offset as i64,
                _ => {}
            }
        }
        clock
    }

    /// Nanoseconds since 1970, rounded down; none if they do not fit.
    fn ns(&self, ticks: u64) -> Option<u64> {
        let ns = u128::from(ticks) * u128::from(NS_PER_S) / self.ticks_per_s;
        let offset = i128::from(self.offset_s) * i128::from(NS_PER_S);
        u64::try_from(i128::try_from(ns).ok()? + offset).ok()
    }
}

/// Writes a pcap file with nanosecond times.
pub struct Writer {
    path: PathBuf,
    pcap: PcapWriter<BufWriter<File>>,
}

impl Writer {
    /// Makes the file, or empties it.
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        let file = File::create(path).map_err(|source| CaptureError::Io { path: path.into(), source })?;
        Self::new(path, file)
    }

    /// Writes to an empty file that is open already; `path` is for messages.
    pub fn new(path: &Path, file: File) -> Result<Self, CaptureError> {
        let failed = |source| CaptureError::Io { path: path.into(), source };
        let header = PcapHeader {
            snaplen: MAX_FRAME.next_power_of_two() as u32,
            datalink: DataLink::ETHERNET,
            ts_resolution: TsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        let pcap = PcapWriter::with_header(BufWriter::new(file), header).map_err(|error| failed(io_error(error)))?;
        Ok(Self { path: path.into(), pcap })
    }

    /// Appends a frame. Times past 2106 do not fit the format.
    pub fn write(&mut self, time_ns: u64, frame: &[u8]) -> Result<(), CaptureError> {
        let packet = PcapPacket::new(Duration::from_nanos(time_ns), frame.len() as u32, frame);
        let written = self.pcap.write_packet(&packet);
        written.map(|_| ()).map_err(|error| CaptureError::Io { path: self.path.clone(), source: io_error(error) })
    }

    /// Brings everything to the file.
    pub fn finish(self) -> Result<(), CaptureError> {
        self.pcap.into_writer().flush().map_err(|source| CaptureError::Io { path: self.path, source })
    }
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pcap_file::pcap::RawPcapPacket;
    use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
    use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
    use pcap_file::pcapng::blocks::simple_packet::SimplePacketBlock;
    use pcap_file::pcapng::{PcapNgBlock, PcapNgWriter};
    use proptest::prelude::*;
    use std::borrow::Cow;

    fn pcap(endianness: Endianness, ts_resolution: TsResolution, packets: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
        let header = PcapHeader { endianness, ts_resolution, ..PcapHeader::default() };
        let mut writer = PcapWriter::with_header(vec![], header).unwrap();
        for (ts_sec, ts_frac, data, orig_len) in packets {
            let data = Cow::Borrowed(*data);
            let raw = RawPcapPacket {
                ts_sec: *ts_sec,
                ts_frac: *ts_frac,
                incl_len: data.len() as u32,
                orig_len: *orig_len,
                data,
            };
            writer.write_raw_packet(&raw).unwrap();
        }
        writer.into_writer()
    }

    fn interface(resolution: Option<u8>, offset: u64) -> InterfaceDescriptionBlock<'static> {
        let mut block = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0);
        block.options.extend(resolution.map(InterfaceDescriptionOption::IfTsResol));
        if offset != 0 {
            block.options.push(InterfaceDescriptionOption::IfTsOffset(offset));
        }
        block
    }

    fn enhanced(interface_id: u32, ticks: u64, frame: &[u8]) -> Block<'_> {
        let timestamp = Duration::from_nanos(ticks);
        let data = Cow::Borrowed(frame);
        EnhancedPacketBlock { interface_id, timestamp, original_len: frame.len() as u32, data, options: vec![] }
            .into_block()
    }

    fn pcapng(endianness: Endianness, blocks: Vec<Block<'_>>) -> Vec<u8> {
        let section = SectionHeaderBlock { endianness, ..SectionHeaderBlock::default() };
        let mut writer = PcapNgWriter::with_section_header(vec![], section).unwrap();
        for block in blocks {
            writer.write_block(&block).unwrap();
        }
        writer.into_inner()
    }

    #[test]
    fn pcap_of_both_byte_orders_and_resolutions() {
        for endianness in [Endianness::Big, Endianness::Little] {
            for (resolution, unit) in [(TsResolution::MicroSecond, 1000), (TsResolution::NanoSecond, 1)] {
                let file = pcap(endianness, resolution, &[(5, 7, &[1; 60], 60), (6, 0, &[2; 9216], 9216)]);
                let packets = parse(&file).unwrap();
                assert_eq!(packets[0], Packet { time_ns: 5 * NS_PER_S + 7 * unit, frame: vec![1; 60] });
                assert_eq!((packets[1].time_ns, packets[1].frame.len(), packets.len()), (6 * NS_PER_S, 9216, 2));
            }
        }
    }

    #[test]
    fn pcapng_interfaces_have_clocks_of_their_own() {
        for endianness in [Endianness::Big, Endianness::Little] {
            let frame = [3; 61];
            let file = pcapng(
                endianness,
                vec![
                    interface(None, 0).into_block(),
                    interface(Some(9), 0).into_block(),
                    interface(Some(0x80 | 10), (-1_i64) as u64).into_block(),
                    enhanced(0, 2_000_001, &frame),
                    enhanced(1, 2_000_000_003, &frame),
                    enhanced(2, 3 * 1024 + 512, &frame),
                    SimplePacketBlock { original_len: 61, data: Cow::Borrowed(&frame) }.into_block(),
                ],
            );
            let times: Vec<u64> = parse(&file).unwrap().iter().map(|p| p.time_ns).collect();
            assert_eq!(times, [2_000_001_000, 2_000_000_003, 2_500_000_000, 2_500_000_000]);
            assert!(parse(&file).unwrap().iter().all(|p| p.frame == frame));
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_an_error_that_names_the_packet() {
        let file = pcap(Endianness::Little, TsResolution::NanoSecond, &[(1, 2, &[1; 60], 60), (3, 4, &[2; 60], 60)]);
        assert_eq!(file.len(), 24 + 2 * 76);
        for cut in 101..file.len() {
            let expected = Place { offset: 100, packet: Some(2), fault: Fault::CutShort };
            assert_eq!(parse(&file[..cut]), Err(expected), "cut at {cut}");
        }
        for cut in 4..24 {
            assert_eq!(parse(&file[..cut]), Err(Place::file(Fault::CutShort)), "cut at {cut}");
        }
        assert_eq!(parse(&[]), Err(Place::file(Fault::Format)));
        assert_eq!(parse(b"Not a capture, but long enough for its header"), Err(Place::file(Fault::Format)));

        let file = pcapng(Endianness::Little, vec![interface(None, 0).into_block(), enhanced(0, 1, &[1; 60])]);
        let start = file.len() - 92;
        for cut in start + 1..file.len() {
            // Of a block of which not even the type is there nobody can say what it would have been.
            let packet = (cut >= start + 4).then_some(1);
            let expected = Place { offset: start, packet, fault: Fault::CutShort };
            assert_eq!(parse(&file[..cut]), Err(expected), "cut at {cut}");
        }
    }

    #[test]
    fn frames_that_are_no_frames_are_refused_with_their_place() {
        let fault = |data: &[u8], original: u32| {
            let file =
                pcap(Endianness::Big, TsResolution::MicroSecond, &[(0, 0, &[0; 14], 14), (0, 0, data, original)]);
            let Place { offset, packet, fault } = parse(&file).unwrap_err();
            assert_eq!((offset, packet), (24 + 30, Some(2)));
            fault
        };
        assert_eq!(fault(&[0; 13], 13), Fault::Length(13));
        assert_eq!(fault(&[0; 9217], 9217), Fault::Length(9217));
        assert_eq!(fault(&[0; 96], 1514), Fault::Snapped { captured: 96, original: 1514 });
        let file = pcap(Endianness::Big, TsResolution::MicroSecond, &[(0, 1_000_000, &[0; 14], 14)]);
        assert_eq!(parse(&file).unwrap_err().fault, Fault::Time);
    }

    #[test]
    fn other_link_types_and_unknown_interfaces_are_refused() {
        let header = PcapHeader { datalink: DataLink::LINUX_SLL, ..PcapHeader::default() };
        let file = PcapWriter::with_header(vec![], header).unwrap().into_writer();
        assert_eq!(parse(&file), Err(Place { offset: 20, packet: None, fault: Fault::LinkType(113) }));
        // An interface that no packet came from may be of any kind.
        let other = InterfaceDescriptionBlock::new(DataLink::LINUX_SLL, 0).into_block();
        let blocks = vec![interface(None, 0).into_block(), other.clone(), enhanced(0, 1, &[0; 60])];
        assert_eq!(parse(&pcapng(Endianness::Big, blocks)).unwrap().len(), 1);
        let blocks = vec![other, enhanced(0, 1, &[0; 60])];
        assert_eq!(parse(&pcapng(Endianness::Big, blocks)).unwrap_err().fault, Fault::LinkType(113));
    }

    #[test]
    fn errors_read_well() {
        let error =
            CaptureError::Bad { path: "a.pcap".into(), offset: 100, packet: Some(2), fault: Fault::Length(10_000) };
        assert_eq!(error.to_string(), "a.pcap: byte 100, packet 2: a frame of 10000 bytes: frames have 14 to 9216");
        let missing = read(Path::new("/no/such/file.pcap")).unwrap_err();
        assert!(missing.to_string().starts_with("/no/such/file.pcap: No such file"), "{missing}");
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pcap");
        let packets: Vec<Packet> = (0..100)
            .map(|i| Packet { time_ns: i * 1_234_567_891, frame: vec![i as u8; 14 + 90 * i as usize] })
            .collect();
        let mut writer = Writer::create(&path).unwrap();
        for packet in &packets {
            writer.write(packet.time_ns, &packet.frame).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!(read(&path).unwrap(), packets);
    }

    proptest! {
        #[test]
        fn damage_never_panics(damage in prop::collection::vec((0_usize..400, any::<u8>()), 1..8), ng: bool) {
            let frame = [5; 60];
            let mut file = if ng {
                pcapng(Endianness::Little, vec![interface(Some(9), 3).into_block(), enhanced(0, 9, &frame), enhanced(0, 10, &frame)])
            } else {
                pcap(Endianness::Little, TsResolution::NanoSecond, &[(1, 2, &frame, 60), (3, 4, &frame, 60)])
            };
            for (at, value) in damage {
                let at = at % file.len();
                file[at] = value;
            }
            let _ = parse(&file);
        }
    }
}
