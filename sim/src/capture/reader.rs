// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads a capture packet by packet.

use super::bytes::Bytes;
use super::pcap::{self, Pcap};
use super::pcapng::{self, Pcapng};
use super::{CaptureError, Extent, Failure, Fault, Unfit};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

/// A packet in a capture, and where its bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, the first being 1.
    pub number: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Where its frame begins in the file.
    pub at: u64,
    /// Length of the frame, without FCS; what was captured of it if it is unfit.
    pub length: usize,
    /// Why the frame cannot be sent, if it cannot.
    pub unfit: Option<Unfit>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// A capture: pcap or pcapng. Of the file it keeps no more in memory than a buffer, and the interfaces described so far.
pub struct Reader<R> {
    path: PathBuf,
    bytes: Bytes<R>,
    format: Format,
    max_frame: usize,
    packets: u64,
    /// Place of the next packet or block.
    next: u64,
    /// What is being read begins here, and is a packet as far as can be told.
    offset: u64,
    in_packet: bool,
}

impl Reader<File> {
    /// Opens a capture whose frames are to have no more than `max_frame` bytes.
    ///
    /// # Errors
    /// If the file cannot be read, or does not begin as a capture of Ethernet frames does.
    pub fn open(path: &Path, max_frame: usize) -> Result<Self, CaptureError> {
        let file = File::open(path).map_err(|error| CaptureError::Io { path: path.into(), error })?;
        Self::new(path, file, max_frame)
    }
}

impl<R: Read + Seek> Reader<R> {
    /// Like [`Self::open`], from what is open already; `path` is for messages.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn new(path: &Path, source: R, max_frame: usize) -> Result<Self, CaptureError> {
        let bytes = Bytes::new(source).map_err(|error| CaptureError::Io { path: path.into(), error })?;
        let format = Format::Pcapng(Pcapng::begin());
        let (path, packets, next, offset, in_packet) = (path.into(), 0, 0, 0, false);
        let mut reader = Reader { path, bytes, format, max_frame, packets, next, offset, in_packet };
        reader.rewind()?;
        Ok(reader)
    }

    /// Goes back to the first packet.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn rewind(&mut self) -> Result<(), CaptureError> {
        self.packets = 0;
        (self.offset, self.in_packet) = (0, false);
        self.begin().map_err(|failure| {
            if matches!(failure, Failure::Fault(Fault::LinkType(_))) {
                self.offset = pcap::LINK_TYPE;
            }
            self.error(failure)
        })
    }

    fn begin(&mut self) -> Result<(), Failure> {
        self.bytes.go(0)?;
        let start = self.bytes.array().map_err(|failure| match failure {
            Failure::Fault(_) => Failure::Fault(Fault::Format),
            failure => failure,
        })?;
        self.bytes.go(0)?;
        if pcap::is(start) {
            self.format = Format::Pcap(Pcap::begin(&mut self.bytes)?);
            self.next = self.bytes.at();
        } else if pcapng::is(start) {
            let mut section = Pcapng::begin();
            let block = section.block(&mut self.bytes)?;
            section.body(&block, &mut self.bytes)?;
            self.format = Format::Pcapng(section);
            self.next = block.end();
        } else {
            return Err(Fault::Format.into());
        }
        Ok(())
    }

    /// The next packet in the order of the file; none at its end.
    ///
    /// # Errors
    /// If the file cannot be read or is damaged. What follows cannot be found then.
    pub fn next_record(&mut self) -> Result<Option<Record>, CaptureError> {
        match self.extent() {
            Ok(Some(extent)) => {
                self.packets += 1;
                Ok(Some(self.record(&extent)))
            }
            Ok(None) => Ok(None),
            Err(failure) => Err(self.error(failure)),
        }
    }

    /// Where the next packet is.
    fn extent(&mut self) -> Result<Option<Extent>, Failure> {
        while self.next < self.bytes.end() {
            (self.offset, self.in_packet) = (self.next, false);
            self.bytes.go(self.next)?;
            match &mut self.format {
                Format::Pcap(pcap) => {
                    self.in_packet = true;
                    let extent = pcap.packet(&mut self.bytes)?;
                    self.next = extent.at + u64::from(extent.captured);
                    let whole = self.next <= self.bytes.end();
                    return if whole { Ok(Some(extent)) } else { Err(Fault::CutShort.into()) };
                }
                Format::Pcapng(section) => {
                    self.in_packet = section.is_packet(self.bytes.array()?);
                    self.bytes.go(self.next)?;
                    let block = section.block(&mut self.bytes)?;
                    let extent = section.body(&block, &mut self.bytes)?;
                    self.next = block.end();
                    if extent.is_some() {
                        return Ok(extent);
                    }
                }
            }
        }
        Ok(None)
    }

    fn record(&self, extent: &Extent) -> Record {
        let (frame, unfit) = extent.frame(self.max_frame);
        Record {
            number: self.packets,
            offset: self.offset,
            time_ns: extent.time_ns,
            at: extent.at,
            length: frame as usize,
            unfit,
        }
    }

    /// The frame that lies there: `at` and `length` of a [`Record`], in any order.
    ///
    /// # Errors
    /// If the file cannot be read, or is shorter now.
    pub fn frame(&mut self, at: u64, length: usize) -> Result<Vec<u8>, CaptureError> {
        let mut frame = vec![0; length];
        let read = self.bytes.go(at).map_err(Failure::Io).and_then(|()| self.bytes.read(&mut frame));
        match read {
            Ok(()) => Ok(frame),
            Err(failure) => Err(self.error(failure)),
        }
    }

    /// Of a packet that cannot be sent: the error that says so.
    pub fn refusal(&self, record: &Record, unfit: Unfit) -> CaptureError {
        CaptureError::Bad {
            path: self.path.clone(),
            offset: record.offset,
            packet: Some(record.number),
            fault: Fault::Unfit(unfit),
        }
    }

    /// The file's name, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, failure: Failure) -> CaptureError {
        let path = self.path.clone();
        match failure {
            Failure::Io(error) => CaptureError::Io { path, error },
            Failure::Fault(fault) => {
                let packet = self.in_packet.then_some(self.packets + 1);
                CaptureError::Bad { path, offset: self.offset, packet, fault }
            }
        }
    }
}
