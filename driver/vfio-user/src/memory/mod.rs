// SPDX-License-Identifier: MIT OR Apache-2.0
//! The memory of the client, as the device reaches it by DMA.

mod copy;
mod file;
mod regions;
mod transfers;

use crate::socket::Message;
use crate::wire::{DmaMap, DmaUnmap, PAGE, flags};
use file::Files;
use nix::errno::Errno;
use regions::{Backing, Direction, Region, Regions};
use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::Ordering::{Acquire, Release, SeqCst};
use std::sync::atomic::fence;
use transfers::{Key, Progress, Transfers};

/// What became of an access.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Dma {
    /// It was made.
    Done,
    /// The client has not mapped all of the range, or not for such an access. A write to memory that is reached by message, or whose file became
    /// shorter, may have been made in part.
    Outside,
    /// The client is asked by message: the same access, with the same address and length, has to be tried again after a turn of the server, until
    /// it is [`Done`](Self::Done) or [`Outside`](Self::Outside).
    Later,
}

/// The memory that the client of a [`Server`](crate::Server) has mapped. Clones are handles of the same.
///
/// # Order
/// Accesses to mapped files take effect in the order of the calls, as a device's do on PCI: what was written before is visible to a client that
/// sees a later write (release, acquire), what is read later is not older, and a read is made after the writes before it are visible.
///
/// # Atomicity
/// In files that are sealed against shrinking, aligned numbers of 2, 4 and 8 bytes are never torn, and of 16 bytes where the processor
/// accesses them as a whole (x86-64 with AVX, aarch64 with LSE2). Other files may shrink at any time, which would end this process by SIGBUS if their mapping were
/// touched: the kernel copies for them (`process_vm_readv`, `process_vm_writev`), does not promise that numbers stay whole, and takes about 1 µs.
/// QEMU seals its `memory-backend-memfd`.
///
/// # What is mapped
/// Files on tmpfs, memfds, and those on hugetlbfs: an access to another file system could wait for a disk, a network or the client. Each file is
/// mapped once, whole, however many pieces of it the client maps.
///
/// # Accesses by message
/// Of memory that the client maps without a file, at most 64 accesses are under way at once; more are [`Dma::Later`] without being begun. Two writes of the
/// same range at the same time are taken for one. All are forgotten when the client goes.
#[derive(Clone, Default)]
pub struct ClientMemory {
    inner: Rc<RefCell<Inner>>,
}

#[derive(Default)]
struct Inner {
    regions: Regions,
    files: Files,
    transfers: Transfers,
}

impl ClientMemory {
    /// Reads from the client's memory.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Dma {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let key = Key { direction: Direction::Read, address, len: data.len() };
        match inner.reach(key) {
            Reach::Nothing => Dma::Done,
            Reach::Outside => Dma::Outside,
            Reach::Files => inner.read(address, data),
            Reach::Client => {
                if !inner.transfers.knows(key) {
                    inner.transfers.begin(key, vec![0; data.len()], &inner.regions);
                }
                match inner.transfers.progress(key) {
                    Progress::UnderWay => Dma::Later,
                    Progress::Failed => Dma::Outside,
                    Progress::Done(bytes) => {
                        data.copy_from_slice(&bytes);
                        Dma::Done
                    }
                }
            }
        }
    }

    /// Writes to the client's memory.
    pub fn write(&self, address: u64, data: &[u8]) -> Dma {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let key = Key { direction: Direction::Write, address, len: data.len() };
        match inner.reach(key) {
            Reach::Nothing => Dma::Done,
            Reach::Outside => Dma::Outside,
            Reach::Files => inner.write(address, data),
            Reach::Client => {
                if !inner.transfers.knows(key) {
                    inner.transfers.begin(key, data.to_vec(), &inner.regions);
                }
                match inner.transfers.progress(key) {
                    Progress::UnderWay => Dma::Later,
                    Progress::Failed => Dma::Outside,
                    Progress::Done(_) => Dma::Done,
                }
            }
        }
    }

    /// `VFIO_USER_DMA_MAP`.
    pub(crate) fn map(&self, map: &DmaMap, descriptors: &[OwnedFd]) -> Result<(), Errno> {
        let last = last(map.address, map.size)?;
        let (read, write) = (map.flags & flags::MAP_READ != 0, map.flags & flags::MAP_WRITE != 0);
        if map.flags & !(flags::MAP_READ | flags::MAP_WRITE) != 0 || !(read || write) {
            return Err(Errno::EINVAL);
        }
        let mut inner = self.inner.borrow_mut();
        inner.regions.check_free(map.address, last)?;
        let backing = match descriptors {
            [] => Backing::Client,
            [file] => {
                let end = map.offset.checked_add(map.size).ok_or(Errno::EINVAL)?;
                if !map.offset.is_multiple_of(PAGE) {
                    return Err(Errno::EINVAL);
                }
                Backing::File(inner.files.open(file, end, write)?, map.offset)
            }
            _ => return Err(Errno::EINVAL),
        };
        inner.regions.insert(map.address, Region { last, read, write, backing });
        Ok(())
    }

    /// `VFIO_USER_DMA_UNMAP`. What is not mapped in the range is left out.
    pub(crate) fn unmap(&self, unmap: &DmaUnmap) -> Result<(), Errno> {
        let mut inner = self.inner.borrow_mut();
        match unmap.flags {
            0 => inner.regions.remove(unmap.address, last(unmap.address, unmap.size)?),
            flags::UNMAP_ALL if unmap.address == 0 && unmap.size == 0 => {
                inner.regions.clear();
                Ok(())
            }
            flags::UNMAP_ALL => Err(Errno::EINVAL),
            _ => Err(Errno::ENOTSUP),
        }
    }

    /// The client moves at most this many bytes with one message.
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.inner.borrow_mut().transfers.set_limit(bytes);
    }

    /// The next message to the client.
    pub(crate) fn next_message(&self) -> Option<Vec<u8>> {
        self.inner.borrow_mut().transfers.next_message()
    }

    /// Whether messages to the client wait.
    pub(crate) fn has_messages(&self) -> bool {
        self.inner.borrow().transfers.has_messages()
    }

    /// Takes an answer of the client; false if it answers nothing.
    pub(crate) fn answer(&self, message: &Message) -> bool {
        let mut inner = self.inner.borrow_mut();
        let Inner { regions, transfers, .. } = &mut *inner;
        transfers.answer(message, regions)
    }

    /// The client has gone.
    pub(crate) fn clear(&self) {
        *self.inner.borrow_mut() = Inner::default();
    }
}

/// How an access can be made.
enum Reach {
    Nothing,
    Outside,
    Files,
    Client,
}

impl Inner {
    fn reach(&self, key: Key) -> Reach {
        if key.len == 0 {
            return Reach::Nothing;
        }
        if key.address.checked_add(key.len as u64 - 1).is_none() {
            return Reach::Outside;
        }
        if !self.transfers.is_empty() && self.transfers.knows(key) {
            return Reach::Client;
        }
        let (mut done, mut reach) = (0, Reach::Files);
        while done < key.len {
            match self.regions.piece(key.address + done as u64, key.len - done, key.direction) {
                None => return Reach::Outside,
                Some(piece) => {
                    done += piece.len;
                    if matches!(piece.backing, Backing::Client) {
                        reach = Reach::Client;
                    }
                }
            }
        }
        reach
    }

    /// A read of what lies in files.
    fn read(&self, mut address: u64, mut data: &mut [u8]) -> Dma {
        fence(SeqCst);
        while !data.is_empty() {
            let Some((len, Backing::File(file, offset))) = self.part(address, data.len(), Direction::Read) else {
                return Dma::Outside;
            };
            let (now, later) = data.split_at_mut(len);
            if file.read(offset, now).is_err() {
                return Dma::Outside;
            }
            address = address.wrapping_add(len as u64);
            data = later;
        }
        fence(Acquire);
        Dma::Done
    }

    /// A write of what lies in files.
    fn write(&self, mut address: u64, mut data: &[u8]) -> Dma {
        fence(Release);
        while !data.is_empty() {
            let Some((len, Backing::File(file, offset))) = self.part(address, data.len(), Direction::Write) else {
                return Dma::Outside;
            };
            let (now, later) = data.split_at(len);
            if file.write(offset, now).is_err() {
                return Dma::Outside;
            }
            address = address.wrapping_add(len as u64);
            data = later;
        }
        Dma::Done
    }

    fn part(&self, address: u64, len: usize, direction: Direction) -> Option<(usize, Backing)> {
        self.regions.piece(address, len, direction).map(|piece| (piece.len, piece.backing))
    }
}

/// Last address of a range that maps can be made of.
fn last(address: u64, size: u64) -> Result<u64, Errno> {
    if size == 0 || !address.is_multiple_of(PAGE) || !size.is_multiple_of(PAGE) {
        return Err(Errno::EINVAL);
    }
    address.checked_add(size - 1).ok_or(Errno::EINVAL)
}
