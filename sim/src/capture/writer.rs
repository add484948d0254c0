// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes captures with nanosecond times.

use super::CaptureError;
use millrace_regs::config::MAX_FRAME;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption};
use pcap_file::{DataLink, Endianness, PcapError, PcapResult, TsResolution};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `if_tsresol` of nanoseconds.
const NANOSECONDS: u8 = 9;
const SNAP_LENGTH: u32 = MAX_FRAME.next_power_of_two() as u32;
/// First time that a pcap file cannot hold: its seconds have 32 bits, and end in February 2106.
const PCAP_END_NS: u64 = (1 << 32) * 1_000_000_000;

/// A format of captures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// What every program reads. Times up to 2106.
    #[default]
    Pcap,
    Pcapng,
}

impl Format {
    /// The plainest format that holds times up to this one.
    pub fn for_times_up_to(time_ns: u64) -> Self {
        if time_ns < PCAP_END_NS { Format::Pcap } else { Format::Pcapng }
    }

    /// How names of such files end.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Pcap => "pcap",
            Format::Pcapng => "pcapng",
        }
    }
}

enum Inner {
    Pcap(PcapWriter<BufWriter<File>>),
    Pcapng(PcapNgWriter<BufWriter<File>>),
}

/// Writes a capture.
pub struct Writer {
    path: PathBuf,
    inner: Inner,
}

impl Writer {
    /// Makes a pcap file, or empties it.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: &Path) -> Result<Self, CaptureError> {
        let file = File::create(path).map_err(|error| CaptureError::Io { path: path.into(), error })?;
        Self::new(path, file, Format::Pcap)
    }

    /// Writes to an empty file that is open already; `path` is for messages.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn new(path: &Path, file: File, format: Format) -> Result<Self, CaptureError> {
        let file = BufWriter::new(file);
        let inner = match format {
            Format::Pcap => pcap(file).map(Inner::Pcap),
            Format::Pcapng => pcapng(file).map(Inner::Pcapng),
        };
        match inner {
            Ok(inner) => Ok(Self { path: path.into(), inner }),
            Err(error) => Err(CaptureError::Io { path: path.into(), error: io_error(error) }),
        }
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// If the file cannot be written, or its format cannot hold the time.
    pub fn write(&mut self, time_ns: u64, frame: &[u8]) -> Result<(), CaptureError> {
        let (timestamp, original_len) = (Duration::from_nanos(time_ns), frame.len() as u32);
        let written = match &mut self.inner {
            Inner::Pcap(_) if time_ns >= PCAP_END_NS => {
                Err(PcapError::IoError(io::Error::new(io::ErrorKind::InvalidInput, "times in a pcap file end in 2106")))
            }
            Inner::Pcap(pcap) => pcap.write_packet(&PcapPacket::new(timestamp, original_len, frame)),
            Inner::Pcapng(pcapng) => {
                let data = Cow::Borrowed(frame);
                let block = EnhancedPacketBlock { interface_id: 0, timestamp, original_len, data, options: vec![] };
                pcapng.write_pcapng_block(block)
            }
        };
        match written {
            Ok(_) => Ok(()),
            Err(error) => Err(CaptureError::Io { path: self.path.clone(), error: io_error(error) }),
        }
    }

    /// Brings everything to the file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(self) -> Result<(), CaptureError> {
        let mut file = match self.inner {
            Inner::Pcap(pcap) => pcap.into_writer(),
            Inner::Pcapng(pcapng) => pcapng.into_inner(),
        };
        file.flush().map_err(|error| CaptureError::Io { path: self.path, error })
    }
}

fn pcap(file: BufWriter<File>) -> PcapResult<PcapWriter<BufWriter<File>>> {
    let header = PcapHeader {
        snaplen: SNAP_LENGTH,
        datalink: DataLink::ETHERNET,
        ts_resolution: TsResolution::NanoSecond,
        endianness: Endianness::Little,
        ..PcapHeader::default()
    };
    PcapWriter::with_header(file, header)
}

fn pcapng(file: BufWriter<File>) -> PcapResult<PcapNgWriter<BufWriter<File>>> {
    let mut writer = PcapNgWriter::with_endianness(file, Endianness::Little)?;
    let mut interface = InterfaceDescriptionBlock::new(DataLink::ETHERNET, SNAP_LENGTH);
    // The library writes nanoseconds whatever the resolution.
    interface.options.push(InterfaceDescriptionOption::IfTsResol(NANOSECONDS));
    writer.write_pcapng_block(interface)?;
    Ok(writer)
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        // Of a frame that is longer than any.
        _ => io::Error::new(io::ErrorKind::InvalidInput, format!("a frame of more than {SNAP_LENGTH} bytes")),
    }
}
