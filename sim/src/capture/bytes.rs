// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file's bytes by their place, never past its end.

use super::{Failure, Fault};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};

/// Bytes read at once: several packets.
const BUFFER: usize = 1 << 16;

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    pub fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Order::Big => u16::from_be_bytes(bytes),
            Order::Little => u16::from_le_bytes(bytes),
        }
    }

    pub fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Order::Big => u32::from_be_bytes(bytes),
            Order::Little => u32::from_le_bytes(bytes),
        }
    }

    pub fn i64(self, bytes: [u8; 8]) -> i64 {
        match self {
            Order::Big => i64::from_be_bytes(bytes),
            Order::Little => i64::from_le_bytes(bytes),
        }
    }
}

/// A source of bytes, its length known.
pub(super) struct Bytes<R> {
    source: BufReader<R>,
    at: u64,
    end: u64,
}

impl<R: Read + Seek> Bytes<R> {
    pub fn new(mut source: R) -> io::Result<Self> {
        let end = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        Ok(Self { source: BufReader::with_capacity(BUFFER, source), at: 0, end })
    }

    /// Place of the next byte.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Number of bytes in all.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Goes to a place; cheap if it is near. Places are in the file, so they fit.
    pub fn go(&mut self, to: u64) -> io::Result<()> {
        self.source.seek_relative(to as i64 - self.at as i64)?;
        self.at = to;
        Ok(())
    }

    /// Fills `buffer` with the next bytes.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<(), Failure> {
        if self.end.saturating_sub(self.at) < buffer.len() as u64 {
            return Err(Fault::CutShort.into());
        }
        self.source.read_exact(buffer).map_err(|error| match error.kind() {
            // Somebody made the file shorter.
            ErrorKind::UnexpectedEof => Failure::Fault(Fault::CutShort),
            _ => Failure::Io(error),
        })?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let mut array = [0; N];
        self.read(&mut array)?;
        Ok(array)
    }

    pub fn u16(&mut self, order: Order) -> Result<u16, Failure> {
        Ok(order.u16(self.array()?))
    }

    pub fn u32(&mut self, order: Order) -> Result<u32, Failure> {
        Ok(order.u32(self.array()?))
    }
}
