// SPDX-License-Identifier: MIT OR Apache-2.0
//! Linux TAP devices: Ethernet interfaces whose other end is this process.

use crate::ffi;
use millrace_regs::host::{Feature, NET_HEADER, NET_HEADER_NUM_BUFFERS};
use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// Longest frame that is read; longer ones are cut by the kernel, so more than any vport takes.
const BUFFER: usize = 16 * 1024;
/// Longest packet that is to be cut into segments, with its headers: an IP packet behind an Ethernet header with two tags.
const SEGMENTS: usize = 65_535 + 14 + 8;

/// What virtio has a driver leave to its device, and TUNSETOFFLOAD the kernel to who reads the frames (`linux/if_tun.h`).
const OFFLOADS: [(Feature, u32); 5] = [
    (Feature::Csum, libc::TUN_F_CSUM),
    (Feature::HostTso4, libc::TUN_F_TSO4),
    (Feature::HostTso6, libc::TUN_F_TSO6),
    (Feature::HostEcn, libc::TUN_F_TSO_ECN),
    // One without the other is refused.
    (Feature::HostUso, libc::TUN_F_USO4 | libc::TUN_F_USO6),
];

/// What lies before a frame: a `struct virtio_net_hdr` with `num_buffers` (virtio 5.1.6).
pub type Header = [u8; NET_HEADER];
/// The one that says nothing.
const PLAIN: Header = [0; NET_HEADER];

/// An open TAP device. Frames go in and out as they are on the wire, without FCS. Unless it was opened with headers all offloads are off: checksums are
/// complete and no frame is longer than the interface's MTU and headers.
pub struct Tap {
    file: File,
    name: String,
    /// A header lies before each frame.
    headers: bool,
    offloads: u64,
    buffer: Vec<u8>,
}

impl Tap {
    /// Opens the TAP device `name` of the network namespace of this process, or makes one (which takes CAP_NET_ADMIN). One
    /// that was made here goes away with this value; it may be moved to another namespace meanwhile.
    pub fn open(name: &str) -> io::Result<Self> {
        let interface = ffi::InterfaceName::new(name)?;
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        ffi::attach_tap(&file, &interface, false)?;
        Ok(Self { file, name: name.into(), headers: false, offloads: 0, buffer: vec![0; BUFFER] })
    }

    /// As [`open`](Self::open), but checksums and segments of the frames that the interface sends are left to who reads them, as far as `features`, bits of virtio, and the
    /// kernel go: [`offloads`](Self::offloads) tells how far.
    pub fn open_with_headers(name: &str, features: u64) -> io::Result<Self> {
        let interface = ffi::InterfaceName::new(name)?;
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
        if !ffi::has_tap_headers(&file)? {
            drop(file);
            return Self::open(name);
        }
        ffi::attach_tap(&file, &interface, true)?;
        ffi::set_tap_header(&file, NET_HEADER)?;
        let offloads = choose_offloads(features, |flags| ffi::set_tap_offloads(&file, flags).is_ok());
        Ok(Self { file, name: name.into(), headers: true, offloads, buffer: vec![0; NET_HEADER + SEGMENTS] })
    }

    /// The interface's name when it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the headers of the frames may ask for: features of virtio, by their bits.
    pub fn offloads(&self) -> u64 {
        self.offloads
    }

    /// The next frame that the interface sends; none if there is none now.
    pub fn recv(&mut self) -> io::Result<Option<&[u8]>> {
        Ok(self.recv_asking()?.map(|(_, frame)| frame))
    }

    /// As [`recv`](Self::recv), with what is to be done with the frame.
    pub fn recv_asking(&mut self) -> io::Result<Option<(Header, &[u8])>> {
        let length = match self.file.read(&mut self.buffer) {
            Ok(length) => length,
            Err(error) if is_quiet(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let bytes = &self.buffer[..length];
        match bytes.split_first_chunk::<NET_HEADER>() {
            Some((header, frame)) if self.headers => {
                let mut header = *header;
                // The kernel does not write it, and a driver sets it to 0.
                header[NET_HEADER_NUM_BUFFERS..].fill(0);
                Ok(Some((header, frame)))
            }
            None if self.headers => Err(io::Error::new(io::ErrorKind::InvalidData, "a frame without its header")),
            _ => Ok(Some((PLAIN, bytes))),
        }
    }

    /// Gives the interface a frame to receive; false if it took none (it is down, or its queue is full).
    pub fn send(&mut self, frame: &[u8]) -> io::Result<bool> {
        let header: &[u8] = if self.headers { &PLAIN } else { &[] };
        match self.file.write_vectored(&[IoSlice::new(header), IoSlice::new(frame)]) {
            Ok(_) => Ok(true),
            Err(error) if is_quiet(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The most of what `features` has that the kernel takes: it knows UDP segments since version 6.2, and refuses all if it does not know one.
fn choose_offloads(features: u64, mut takes: impl FnMut(u32) -> bool) -> u64 {
    let (checksum, uso) = (Feature::Csum.bit(), Feature::HostUso.bit());
    if features & checksum == 0 {
        return 0;
    }
    let known = OFFLOADS.iter().fold(0, |known, (feature, _)| known | feature.bit());
    for choice in [features & known, features & known & !uso, checksum] {
        let chosen = OFFLOADS.iter().filter(|(feature, _)| choice & feature.bit() != 0);
        if takes(chosen.fold(0, |flags, (_, flag)| flags | flag)) {
            return choice;
        }
    }
    0
}

/// The interface was deleted (the kernel says EBADFD): nothing will ever pass again.
pub fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADFD)
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Nothing to read or no room now; or the interface is down (the kernel says EIO to writes, and to reads while it goes down).
fn is_quiet(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
        || error.raw_os_error() == Some(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_asked_for_as_much_as_it_takes() {
        let all = OFFLOADS.iter().fold(0, |all, (feature, _)| all | feature.bit());
        let (checksum, uso) = (Feature::Csum.bit(), Feature::HostUso.bit());
        let knows = |known: u32| move |flags: u32| flags & !known == 0;
        assert_eq!(choose_offloads(u64::MAX, knows(0x6f)), all);
        assert_eq!(choose_offloads(u64::MAX, knows(0xf)), all & !uso);
        assert_eq!(choose_offloads(u64::MAX, knows(1)), checksum);
        assert_eq!(choose_offloads(u64::MAX, knows(0)), 0);
        assert_eq!(choose_offloads(checksum | uso, knows(0x6f)), checksum | uso);
        assert_eq!(choose_offloads(all & !checksum, knows(0x6f)), 0, "segments have checksums");
    }

    #[test]
    fn names_that_no_interface_can_have_are_refused() {
        for name in ["", "sixteen-bytes-xx", "nul\0"] {
            let error = Tap::open(name).err().unwrap_or_else(|| panic!("{name:?} was opened"));
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{name:?}: {error}");
        }
    }
}
