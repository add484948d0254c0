// SPDX-License-Identifier: MIT OR Apache-2.0
//! Captures made by `pcap-file`, and byte by byte where that cannot make what people have.

use super::*;
use pcap_file::pcap::{PcapHeader, PcapWriter, RawPcapPacket};
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::pcapng::blocks::packet::PacketBlock;
use pcap_file::pcapng::blocks::section_header::SectionHeaderBlock;
use pcap_file::pcapng::blocks::simple_packet::SimplePacketBlock;
use pcap_file::pcapng::blocks::unknown::UnknownBlock;
use pcap_file::pcapng::{Block, PcapNgBlock, PcapNgWriter};
use pcap_file::{DataLink, Endianness, TsResolution};
use proptest::prelude::*;
use std::borrow::Cow;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::time::Duration;

const NS_PER_S: u64 = 1_000_000_000;
const ORDERS: [Endianness; 2] = [Endianness::Big, Endianness::Little];

/// What is wrong with a capture, and where.
type Place = (u64, Option<u64>, Fault);

fn parse(data: &[u8]) -> Result<Vec<Packet>, Place> {
    let place = |error| match error {
        CaptureError::Bad { offset, packet, fault, .. } => (offset, packet, fault),
        CaptureError::Io { error, .. } => panic!("{error}"),
    };
    let mut reader = Reader::new(Path::new("x"), Cursor::new(data), MAX_FRAME).map_err(place)?;
    read_all(&mut reader).map_err(place)
}

/// The frames of a capture that can be used.
fn frames(data: &[u8]) -> Vec<Vec<u8>> {
    parse(data).unwrap().into_iter().map(|packet| packet.frame).collect()
}

fn pcap(endianness: Endianness, ts_resolution: TsResolution, packets: &[(u32, u32, &[u8], u32)]) -> Vec<u8> {
    let header = PcapHeader { endianness, ts_resolution, ..PcapHeader::default() };
    let mut writer = PcapWriter::with_header(vec![], header).unwrap();
    for &(ts_sec, ts_frac, data, orig_len) in packets {
        let (incl_len, data) = (data.len() as u32, Cow::Borrowed(data));
        writer.write_raw_packet(&RawPcapPacket { ts_sec, ts_frac, incl_len, orig_len, data }).unwrap();
    }
    writer.into_writer()
}

/// A little-endian pcap file of one packet, with these bytes in place of those of its header from `at` on.
fn patched(at: usize, bytes: &[u8], frame: &[u8]) -> Vec<u8> {
    let mut file = pcap(Endianness::Little, TsResolution::MicroSecond, &[(1, 2, frame, frame.len() as u32)]);
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

fn interface(resolution: Option<u8>, offset: i64) -> InterfaceDescriptionBlock<'static> {
    let mut block = InterfaceDescriptionBlock::new(DataLink::ETHERNET, 0);
    block.options.extend(resolution.map(InterfaceDescriptionOption::IfTsResol));
    if offset != 0 {
        block.options.push(InterfaceDescriptionOption::IfTsOffset(offset as u64));
    }
    block
}

fn enhanced(interface_id: u32, ticks: u64, frame: &[u8]) -> Block<'_> {
    flagged(interface_id, ticks, frame, vec![])
}

fn flagged<'a>(interface_id: u32, ticks: u64, frame: &'a [u8], options: Vec<EnhancedPacketOption<'a>>) -> Block<'a> {
    let (timestamp, original_len) = (Duration::from_nanos(ticks), frame.len() as u32);
    EnhancedPacketBlock { interface_id, timestamp, original_len, data: Cow::Borrowed(frame), options }.into_block()
}

fn pcapng(endianness: Endianness, blocks: Vec<Block<'_>>) -> Vec<u8> {
    let section = SectionHeaderBlock { endianness, ..SectionHeaderBlock::default() };
    let mut writer = PcapNgWriter::with_section_header(vec![], section).unwrap();
    for block in blocks {
        writer.write_block(&block).unwrap();
    }
    writer.into_inner()
}

/// A little-endian block, padded.
fn raw_block(kind: u32, body: &[u8]) -> Vec<u8> {
    let length = 12 + body.len().next_multiple_of(4) as u32;
    let mut block = [kind.to_le_bytes(), length.to_le_bytes()].concat();
    block.extend(body);
    block.resize(length as usize - 4, 0);
    block.extend(length.to_le_bytes());
    block
}

/// A little-endian section header with these options, as bytes.
fn raw_section(options: &[u8]) -> Vec<u8> {
    let fixed = [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255];
    raw_block(0x0a0d_0d0a, &[&fixed, options].concat())
}

fn raw_interface(options: &[u8]) -> Vec<u8> {
    raw_block(1, &[&[1, 0, 0, 0, 0, 0, 0, 0], options].concat())
}

/// An enhanced packet block of interface 0; the frame's length is a multiple of four.
fn raw_packet(frame: &[u8], options: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 12];
    body.extend([(frame.len() as u32).to_le_bytes(), (frame.len() as u32).to_le_bytes()].concat());
    body.extend(frame);
    body.extend(options);
    raw_block(6, &body)
}

#[test]
fn pcap_of_both_byte_orders_and_resolutions() {
    for endianness in ORDERS {
        for (resolution, unit) in [(TsResolution::MicroSecond, 1000), (TsResolution::NanoSecond, 1)] {
            let file = pcap(endianness, resolution, &[(5, 7, &[1; 60], 60), (6, 0, &[2; 9216], 9216)]);
            let packets = parse(&file).unwrap();
            assert_eq!(packets[0], Packet { time_ns: 5 * NS_PER_S + 7 * unit, frame: vec![1; 60] });
            assert_eq!((packets[1].time_ns, packets[1].frame.len(), packets.len()), (6 * NS_PER_S, 9216, 2));
        }
    }
}

#[test]
fn a_microsecond_part_of_more_than_a_second_is_carried() {
    let file = pcap(Endianness::Big, TsResolution::MicroSecond, &[(7, 1_000_001, &[0; 14], 14)]);
    assert_eq!(parse(&file).unwrap()[0].time_ns, 8_000_001_000);
}

#[test]
fn the_link_type_of_a_pcap_is_the_low_half_of_its_field_and_the_high_half_tells_of_the_fcs() {
    let frame = [[0xab; 60].as_slice(), &[0xde, 0xad, 0xbe, 0xef]].concat();
    for (field, length) in [
        (1_u32, 64),
        // Without the bit that says that the length is known: nothing.
        (0x3000_0001, 64),
        (0x4000_0001, 64),
        (0xf800_0001, 64),
        (0x0400_0001, 64),
        // Two pairs of bytes.
        (0x2400_0001, 60),
        (0x1400_0001, 62),
        (0x27fc_0001, 60),
    ] {
        assert_eq!(frames(&patched(20, &field.to_le_bytes(), &frame)), [&frame[..length]], "{field:#x}");
    }
    let other = patched(20, &0x2400_0071_u32.to_le_bytes(), &frame);
    assert_eq!(parse(&other), Err((20, None, Fault::LinkType(113))));
}

#[test]
fn a_frame_that_lacks_no_more_than_its_fcs_is_whole() {
    let mut file = pcap(Endianness::Little, TsResolution::MicroSecond, &[(0, 0, &[7; 62], 64), (0, 0, &[8; 59], 64)]);
    file[20..24].copy_from_slice(&0x2400_0001_u32.to_le_bytes());
    let mut reader = Reader::new(Path::new("x"), Cursor::new(file), MAX_FRAME).unwrap();
    let [whole, cut] = [reader.next_record().unwrap().unwrap(), reader.next_record().unwrap().unwrap()];
    assert_eq!((whole.length, whole.unfit), (60, None));
    assert_eq!(cut.unfit, Some(Unfit::Snapped { captured: 59, original: 64 }));
}

#[test]
fn captures_of_old_programs_are_read() {
    // libpcap of Linux distributions around 2000: eight bytes more for each packet.
    let mut file = patched(0, &0xa1b2_cd34_u32.to_le_bytes(), &[7; 60]);
    file.splice(40..40, [0xee; 8]);
    assert_eq!(parse(&file), Ok(vec![Packet { time_ns: NS_PER_S + 2000, frame: vec![7; 60] }]));
    // Before version 2.4 the two lengths could stand the other way round; an original length of 0 was written too.
    let mut file = patched(6, &[3, 0], &[7; 60]);
    file[32..40].copy_from_slice(&[80, 0, 0, 0, 60, 0, 0, 0]);
    assert_eq!(parse(&file).unwrap_err().2, Fault::Unfit(Unfit::Snapped { captured: 60, original: 80 }));
    assert_eq!(frames(&patched(36, &[0; 4], &[7; 60])), [[7; 60]]);
    let fault = Fault::Version { format: "pcap", major: 3, minor: 4, known: 2 };
    assert_eq!(parse(&patched(4, &[3, 0], &[7; 60])), Err((0, None, fault)));
}

#[test]
fn pcapng_interfaces_have_clocks_of_their_own() {
    for endianness in ORDERS {
        let frame = [3; 61];
        let file = pcapng(
            endianness,
            vec![
                interface(None, 0).into_block(),
                interface(Some(9), 0).into_block(),
                interface(Some(0x80 | 10), -1).into_block(),
                enhanced(0, 2_000_001, &frame),
                enhanced(1, 2_000_000_003, &frame),
                enhanced(2, 3 * 1024 + 512, &frame),
                SimplePacketBlock { original_len: 61, data: Cow::Borrowed(&frame) }.into_block(),
            ],
        );
        let packets = parse(&file).unwrap();
        let times: Vec<u64> = packets.iter().map(|p| p.time_ns).collect();
        assert_eq!(times, [2_000_001_000, 2_000_000_003, 2_500_000_000, 2_500_000_000]);
        assert!(packets.iter().all(|p| p.frame == frame));
    }
}

#[test]
fn times_past_2106_are_read() {
    let at = 4_294_967_296 * NS_PER_S + 5;
    let file = pcapng(Endianness::Little, vec![interface(Some(9), 0).into_block(), enhanced(0, at, &[1; 60])]);
    assert_eq!(parse(&file).unwrap()[0].time_ns, at);
    let file = pcapng(Endianness::Little, vec![interface(None, 0).into_block(), enhanced(0, u64::MAX, &[1; 60])]);
    assert_eq!(parse(&file).unwrap_err().2, Fault::Time);
}

#[test]
fn lists_of_options_may_lack_their_end() {
    let frame = [5; 60];
    // shb_userappl, if_name, epb_flags (whose FCS length is 0).
    let options: [&[u8]; 3] =
        [&[4, 0, 6, 0, b'l', b's', b'p', b'g', b'e', b'n', 0, 0], b"\x02\0\x04\0eth0", &[2, 0, 4, 0, 1, 0, 0, 0]];
    for end in [&[][..], &[0; 4]] {
        let [section, interface, packet] = options.map(|option| [option, end].concat());
        let file = [raw_section(&section), raw_interface(&interface), raw_packet(&frame, &packet)].concat();
        assert_eq!(frames(&file), [frame], "{end:?}");
    }
}

#[test]
fn comments_and_names_may_be_in_any_encoding() {
    let frame = [5; 60];
    let latin = b"\x01\0\x04\0caf\xe9\x02\0\x04\0\xff\xfe\xc0\x80";
    let name_resolution = raw_block(4, b"\x01\0\x09\0\x0a\0\0\x01caf\xe9\0\0\0\0");
    let file = [raw_section(latin), raw_interface(latin), name_resolution, raw_packet(&frame, &latin[..8])].concat();
    assert_eq!(frames(&file), [frame]);
}

#[test]
fn pcapng_tells_of_the_fcs_by_interface_or_packet() {
    let frame = [9; 64];
    let lengths = |fcslen: u8, flags: &[u32]| {
        let mut interface = interface(None, 0);
        interface.options.push(InterfaceDescriptionOption::IfFcsLen(fcslen));
        let mut blocks = vec![interface.into_block()];
        blocks.extend(flags.iter().map(|flags| flagged(0, 1, &frame, vec![EnhancedPacketOption::Flags(*flags)])));
        blocks.push(enhanced(0, 1, &frame));
        ORDERS.map(|order| frames(&pcapng(order, blocks.clone())).iter().map(Vec::len).collect::<Vec<_>>())
    };
    assert_eq!(lengths(0, &[]), [[64]; 2].map(Vec::from));
    // In bytes as in bits.
    assert_eq!(lengths(4, &[]), [[60]; 2].map(Vec::from));
    assert_eq!(lengths(32, &[]), [[60]; 2].map(Vec::from));
    assert_eq!(lengths(0, &[4 << 5, 1]), [[60, 64, 64]; 2].map(Vec::from));
    assert_eq!(lengths(4, &[2 << 5, 1]), [[62, 60, 60]; 2].map(Vec::from));
}

#[test]
fn blocks_of_other_kinds_are_passed_over_and_an_obsolete_one_is_read() {
    let frame = [4; 62];
    for order in ORDERS {
        let unknown = |kind| Block::Unknown(UnknownBlock::new(kind, 20, &[0xee; 8]));
        let obsolete = PacketBlock {
            interface_id: 1,
            drop_count: 3,
            // The library writes the two words the wrong way round in little-endian files.
            timestamp: 2 << 32 | 2,
            captured_len: 62,
            original_len: 62,
            data: Cow::Borrowed(&frame),
            options: vec![],
        };
        let blocks = vec![
            unknown(10),
            interface(None, 0).into_block(),
            interface(Some(6), 1).into_block(),
            unknown(0xbad),
            obsolete.into_block(),
            unknown(0x8000_0001),
        ];
        let packets = parse(&pcapng(order, blocks)).unwrap();
        assert_eq!(packets, [Packet { time_ns: NS_PER_S + 1000 * (2 << 32 | 2), frame: frame.into() }], "{order:?}");
    }
}

#[test]
fn sections_have_byte_orders_and_interfaces_of_their_own() {
    let [big, little] = ORDERS.map(|order| {
        let blocks = vec![interface(Some(9), 0).into_block(), enhanced(0, 7, &[6; 60])];
        pcapng(order, blocks)
    });
    let expected = Packet { time_ns: 7, frame: vec![6; 60] };
    let both = [big.clone(), little.clone(), big.clone()].concat();
    assert_eq!(parse(&both), Ok(vec![expected.clone(), expected.clone(), expected]));
    // The second section does not describe its interface.
    let file = [big, pcapng(Endianness::Little, vec![]), raw_packet(&[6; 60], &[])].concat();
    assert_eq!(parse(&file).unwrap_err().2, Fault::Interface(0));
}

#[test]
fn a_file_cut_anywhere_is_an_error_that_names_the_packet() {
    let file = pcap(Endianness::Little, TsResolution::NanoSecond, &[(1, 2, &[1; 60], 60), (3, 4, &[2; 60], 60)]);
    assert_eq!(file.len(), 24 + 2 * 76);
    for cut in 101..file.len() {
        assert_eq!(parse(&file[..cut]), Err((100, Some(2), Fault::CutShort)), "cut at {cut}");
    }
    for cut in 4..24 {
        assert_eq!(parse(&file[..cut]), Err((0, None, Fault::CutShort)), "cut at {cut}");
    }
    assert_eq!(parse(&[]), Err((0, None, Fault::Format)));
    assert_eq!(parse(b"Not a capture, but long enough for its header"), Err((0, None, Fault::Format)));

    let file = pcapng(Endianness::Little, vec![interface(None, 0).into_block(), enhanced(0, 1, &[1; 60])]);
    let start = file.len() - 92;
    for cut in start + 1..file.len() {
        // Of a block of which not even the type is there nobody can say what it would have been.
        let packet = (cut >= start + 4).then_some(1);
        assert_eq!(parse(&file[..cut]), Err((start as u64, packet, Fault::CutShort)), "cut at {cut}");
    }
}

#[test]
fn damage_is_told_with_its_place_and_in_our_words() {
    let good = [raw_section(&[]), raw_interface(&[]), raw_packet(&[1; 60], &[])].concat();
    let damaged = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        parse(&file).unwrap_err()
    };
    assert_eq!(damaged(8, &[9]), (0, None, Fault::ByteOrder));
    assert_eq!(damaged(12, &[2]).2, Fault::Version { format: "pcapng", major: 2, minor: 0, known: 1 });
    assert_eq!(damaged(4, &[24]), (0, None, Fault::BlockLength { length: 24, least: 28 }));
    assert_eq!(damaged(32, &[12]), (28, None, Fault::BlockEnd { length: 12, again: 1 }));
    assert_eq!(damaged(32, &[21]), (28, None, Fault::BlockLength { length: 21, least: 12 }));
    assert_eq!(damaged(68, &[61]).2, Fault::PacketInBlock { captured: 61, room: 60 });
    assert_eq!(damaged(56, &[1]), (48, Some(1), Fault::Interface(1)));
    let file = [raw_section(&[]), raw_interface(&[9, 0, 8, 0, 6, 0, 0, 0])].concat();
    assert_eq!(parse(&file), Err((28, None, Fault::OptionInBlock { code: 9, length: 8 })));
    // Nothing of a packet depends on its options but the FCS.
    let file = [raw_section(&[]), raw_interface(&[]), raw_packet(&[1; 60], &[2, 0, 8, 0, 6, 0, 0, 0])].concat();
    assert_eq!(frames(&file), [[1; 60]]);
    let file = patched(32, &[0, 0, 16, 0], &[0; 60]);
    assert_eq!(parse(&file), Err((24, Some(1), Fault::CutShort)));
}

#[test]
fn frames_that_are_no_frames_are_refused_with_their_place() {
    let fault = |data: &[u8], original: u32| {
        let file = pcap(Endianness::Big, TsResolution::MicroSecond, &[(0, 0, &[0; 14], 14), (0, 0, data, original)]);
        let (offset, packet, fault) = parse(&file).unwrap_err();
        assert_eq!((offset, packet), (24 + 30, Some(2)));
        fault
    };
    let length = |length| Fault::Unfit(Unfit::Length { length, max_frame: MAX_FRAME });
    assert_eq!(fault(&[0; 13], 13), length(13));
    assert_eq!(fault(&[0; 9217], 9217), length(9217));
    assert_eq!(fault(&[0; 96], 1514), Fault::Unfit(Unfit::Snapped { captured: 96, original: 1514 }));
}

#[test]
fn other_link_types_and_unknown_interfaces_are_refused() {
    let header = PcapHeader { datalink: DataLink::LINUX_SLL, ..PcapHeader::default() };
    let file = PcapWriter::with_header(vec![], header).unwrap().into_writer();
    assert_eq!(parse(&file), Err((20, None, Fault::LinkType(113))));
    // An interface that no packet came from may be of any kind.
    let other = InterfaceDescriptionBlock::new(DataLink::LINUX_SLL, 0).into_block();
    let blocks = vec![interface(None, 0).into_block(), other.clone(), enhanced(0, 1, &[0; 60])];
    assert_eq!(parse(&pcapng(Endianness::Big, blocks)).unwrap().len(), 1);
    let blocks = vec![other, enhanced(0, 1, &[0; 60])];
    assert_eq!(parse(&pcapng(Endianness::Big, blocks)).unwrap_err().2, Fault::LinkType(113));
}

#[test]
fn errors_read_well() {
    let fault = Fault::Unfit(Unfit::Length { length: 10_000, max_frame: 2048 });
    let error = CaptureError::Bad { path: "a.pcap".into(), offset: 100, packet: Some(2), fault };
    assert_eq!(error.to_string(), "a.pcap: byte 100, packet 2: a frame of 10000 bytes: frames have 14 to 2048");
    let missing = read(Path::new("/no/such/file.pcap")).unwrap_err();
    assert!(missing.to_string().starts_with("/no/such/file.pcap: No such file"), "{missing}");
    assert!(std::error::Error::source(&missing).is_none(), "a chain would print the reason twice");
}

#[test]
fn frames_are_read_in_any_order() {
    let frames: Vec<Vec<u8>> = (0..200_u8).map(|i| vec![i; 14 + 7 * usize::from(i)]).collect();
    let packets: Vec<_> = frames.iter().map(|f| (1, 2, f.as_slice(), f.len() as u32)).collect();
    let file = pcap(Endianness::Little, TsResolution::NanoSecond, &packets);
    let mut reader = Reader::new(Path::new("x"), Cursor::new(file), MAX_FRAME).unwrap();
    let mut records = vec![];
    while let Some(record) = reader.next_record().unwrap() {
        records.push(record);
    }
    for (record, frame) in records.iter().zip(&frames).rev() {
        assert_eq!(&reader.frame(record.at, record.length).unwrap(), frame);
    }
    reader.rewind().unwrap();
    assert_eq!(reader.next_record().unwrap(), Some(records[0].clone()));
}

#[test]
fn what_is_written_is_read_in_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let packets: Vec<Packet> =
        (0..100).map(|i| Packet { time_ns: i * 1_234_567_891, frame: vec![i as u8; 14 + 90 * i as usize] }).collect();
    for (format, start) in [(Format::Pcap, 0), (Format::Pcapng, 0), (Format::Pcapng, 1 << 62)] {
        let path = folder.path().join(format.extension());
        let mut writer = Writer::new(&path, std::fs::File::create(&path).unwrap(), format).unwrap();
        for packet in &packets {
            writer.write(start + packet.time_ns, &packet.frame).unwrap();
        }
        writer.finish().unwrap();
        let expected = packets.iter().map(|p| Packet { time_ns: start + p.time_ns, frame: p.frame.clone() });
        assert!(read(&path).unwrap().into_iter().eq(expected), "{format:?} from {start}");
    }
}

#[test]
fn a_time_that_pcap_cannot_hold_needs_pcapng() {
    let end = (1 << 32) * NS_PER_S;
    assert_eq!(Format::for_times_up_to(end - 1), Format::Pcap);
    assert_eq!(Format::for_times_up_to(end), Format::Pcapng);
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&folder.path().join("x.pcap")).unwrap();
    writer.write(end - 1, &[0; 60]).unwrap();
    let refused = writer.write(end, &[0; 60]).unwrap_err().to_string();
    assert!(refused.ends_with("x.pcap: times in a pcap file end in 2106"), "{refused}");
}

/// Bytes that may be looked at only where they are.
struct Guarded(Cursor<Vec<u8>>);

impl Read for Guarded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for Guarded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.0.seek(to)?;
        assert!(at <= self.0.get_ref().len() as u64, "a seek to {at}, past the end");
        Ok(at)
    }
}

/// Reads whatever can be read of a file, checks that it lies in it, and gives what stopped it.
fn read_guarded(file: &[u8]) -> Option<Place> {
    let mut stop = None;
    let place = |error| match error {
        CaptureError::Bad { offset, packet, fault, .. } => (offset, packet, fault),
        CaptureError::Io { error, .. } => panic!("{error}"),
    };
    let mut end = 0;
    match Reader::new(Path::new("x"), Guarded(Cursor::new(file.to_vec())), MAX_FRAME) {
        Err(error) => stop = Some(place(error)),
        Ok(mut reader) => loop {
            match reader.next_record() {
                Ok(None) => break,
                Err(error) => {
                    stop = Some(place(error));
                    break;
                }
                Ok(Some(record)) => {
                    assert!(record.offset >= end && record.at > record.offset, "{record:?} overlaps one before");
                    end = record.at + record.length as u64;
                    assert!(end <= file.len() as u64, "{record:?} is not in the file");
                    let frame = reader.frame(record.at, record.length).unwrap();
                    assert_eq!(frame, file[record.at as usize..end as usize]);
                }
            }
        },
    }
    if let Some((offset, ..)) = stop {
        assert!(offset <= file.len() as u64);
    }
    stop
}

/// A packet as captures hold it: time in nanoseconds, bytes, how many more there were.
fn any_packets() -> impl Strategy<Value = Vec<(u64, Vec<u8>, u32)>> {
    let frame = prop::collection::vec(any::<u8>(), 0..200);
    prop::collection::vec((0..1_u64 << 62, frame, prop_oneof![Just(0), 1..2000_u32]), 0..12)
}

/// Blocks whose options and kinds are what a stranger may write.
fn any_pcapng() -> impl Strategy<Value = Vec<u8>> {
    let option = (0..16_u16, prop::collection::vec(any::<u8>(), 0..12)).prop_map(|(code, value)| {
        let mut option = [code.to_le_bytes(), (value.len() as u16).to_le_bytes()].concat();
        option.extend(&value);
        option.resize(option.len().next_multiple_of(4), 0);
        option
    });
    let options = prop::collection::vec(option, 0..4).prop_map(|options| options.concat());
    let block = (0..8_u32, prop::collection::vec(any::<u8>(), 0..60), options).prop_map(|(kind, body, options)| {
        let frame = &body[..body.len() / 4 * 4];
        match kind {
            0 => raw_section(&options),
            1 => raw_interface(&options),
            6 => raw_packet(frame, &options),
            kind => raw_block(kind, &body),
        }
    });
    (Just(raw_section(&[])), prop::collection::vec(block, 0..12)).prop_map(|(start, blocks)| {
        let mut file = [start, raw_interface(&[])].concat();
        file.extend(blocks.concat());
        file
    })
}

proptest! {
    #[test]
    fn what_pcap_file_writes_is_read_back(packets in any_packets(), big: bool, micro: bool) {
        let (endianness, resolution) = (ORDERS[usize::from(!big)], [TsResolution::NanoSecond, TsResolution::MicroSecond][usize::from(micro)]);
        let unit = if micro { 1_000 } else { 1 };
        let raw: Vec<_> = packets.iter().map(|(time, data, more)| {
            let time = time % ((1 << 32) * NS_PER_S);
            ((time / NS_PER_S) as u32, (time % NS_PER_S / unit) as u32, data.as_slice(), data.len() as u32 + more)
        }).collect();
        let file = pcap(endianness, resolution, &raw);
        let mut reader = Reader::new(Path::new("x"), Cursor::new(file), MAX_FRAME).unwrap();
        for (seconds, part, data, original) in raw {
            let record = reader.next_record().unwrap().unwrap();
            prop_assert_eq!(record.time_ns, u64::from(seconds) * NS_PER_S + u64::from(part) * unit);
            prop_assert_eq!(record.unfit.is_none(), data.len() == original as usize && data.len() >= MIN_FRAME);
            prop_assert_eq!(reader.frame(record.at, record.length).unwrap(), data);
        }
        prop_assert!(reader.next_record().unwrap().is_none());
    }

    #[test]
    fn what_pcap_file_writes_as_pcapng_is_read_back(packets in any_packets(), big: bool, comment in "\\PC{0,9}") {
        let mut blocks = vec![interface(Some(9), 0).into_block()];
        for (time, data, more) in &packets {
            blocks.push(EnhancedPacketBlock {
                interface_id: 0,
                timestamp: Duration::from_nanos(*time),
                original_len: data.len() as u32 + more,
                data: Cow::Borrowed(data),
                options: vec![EnhancedPacketOption::Comment(Cow::Borrowed(&comment))],
            }.into_block());
        }
        let file = pcapng(ORDERS[usize::from(!big)], blocks);
        let mut reader = Reader::new(Path::new("x"), Cursor::new(file), MAX_FRAME).unwrap();
        for (time, data, more) in packets {
            let record = reader.next_record().unwrap().unwrap();
            prop_assert_eq!(record.time_ns, time);
            prop_assert_eq!(record.unfit.is_none(), more == 0 && data.len() >= MIN_FRAME);
            prop_assert_eq!(reader.frame(record.at, record.length).unwrap(), data);
        }
        prop_assert!(reader.next_record().unwrap().is_none());
    }

    #[test]
    fn blocks_of_any_kind_with_any_options_are_read_or_refused(file in any_pcapng()) {
        read_guarded(&file);
    }

    #[test]
    fn damage_never_panics_and_reads_only_what_is_there(
        packets in any_packets(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        keep in any::<prop::sample::Index>(),
        ng: bool,
    ) {
        let mut file = if ng {
            let mut blocks = vec![interface(Some(9), 3).into_block()];
            blocks.extend(packets.iter().map(|(time, data, _)| enhanced(0, *time, data)));
            pcapng(Endianness::Little, blocks)
        } else {
            let raw: Vec<_> = packets.iter().map(|(_, data, more)| (1, 2, data.as_slice(), data.len() as u32 + more)).collect();
            pcap(Endianness::Little, TsResolution::NanoSecond, &raw)
        };
        // Most damage hits a header.
        for (at, value) in damage {
            let at = at.index(file.len());
            file[at] = value;
        }
        read_guarded(&file);
        file.truncate(keep.index(file.len()));
        read_guarded(&file);
    }
}
