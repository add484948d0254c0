// SPDX-License-Identifier: MIT OR Apache-2.0
//! A VFIO container of type 1: the memory that the functions of a group reach.

use super::ioctl;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use vfio_bindings::bindings::vfio::{
    VFIO_API_VERSION, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE, VFIO_IOMMU_INFO_PGSIZES,
    VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE, VFIO_TYPE1v2_IOMMU, vfio_iommu_type1_dma_map, vfio_iommu_type1_dma_unmap,
    vfio_iommu_type1_info,
};

/// Bytes that are made of what an IOMMU tells; no kernel needs so many.
const INFO_LIMIT: usize = 1 << 16;
/// Bytes of `struct vfio_iommu_type1_info_cap_iova_range` before its ranges, and of each.
const RANGES_AT: usize = 16;
const RANGE: usize = 16;

/// A container with a group in it.
#[derive(Debug)]
pub struct Container {
    file: File,
    info: Info,
}

/// What an IOMMU tells of itself.
#[derive(Debug, PartialEq, Eq)]
struct Info {
    /// Bytes of its smallest page.
    page: usize,
    /// Addresses that memory may have for functions.
    ranges: Vec<Range<u64>>,
}

impl Container {
    /// Puts a group into the container `file`, whose IOMMU then works.
    pub fn with(file: File, group: &File) -> io::Result<Self> {
        let fd = file.as_raw_fd();
        // SAFETY: these take numbers, and `fd`, which lives as long as the call.
        unsafe {
            if ioctl::get_api_version(fd)? != VFIO_API_VERSION as i32 {
                return Err(io::Error::other("it has another version of its interface"));
            }
            if ioctl::check_extension(fd, VFIO_TYPE1v2_IOMMU as i32)? != 1 {
                return Err(io::Error::other("it has no IOMMU of type 1 (is the module vfio_iommu_type1 loaded?)"));
            }
            ioctl::group_set_container(group.as_raw_fd(), &fd)?;
            ioctl::set_iommu(fd, VFIO_TYPE1v2_IOMMU as i32)?;
        }
        let info = Info::ask(&file)?;
        Ok(Self { file, info })
    }

    /// What addresses and lengths of mappings are multiples of.
    pub fn alignment(&self) -> usize {
        self.info.page
    }

    /// Addresses that memory may have for functions.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.info.ranges
    }

    /// Lets functions reach `bytes` bytes from `start` on, at `address`.
    ///
    /// # Safety
    /// Nothing but what may be shared with a device lies there, until they are unmapped.
    pub unsafe fn map(&self, address: u64, start: NonNull<u8>, bytes: usize) -> io::Result<()> {
        let map = vfio_iommu_type1_dma_map {
            argsz: size_of::<vfio_iommu_type1_dma_map>() as u32,
            flags: VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
            vaddr: start.as_ptr() as u64,
            iova: address,
            size: bytes as u64,
        };
        // SAFETY: it reads a structure of the size that this says; the rest is the caller's to see to.
        unsafe { ioctl::iommu_map_dma(self.file.as_raw_fd(), &map)? };
        Ok(())
    }

    /// Takes these bytes from the functions.
    pub fn unmap(&self, address: u64, bytes: usize) -> io::Result<()> {
        let mut unmap = vfio_iommu_type1_dma_unmap {
            argsz: size_of::<vfio_iommu_type1_dma_unmap>() as u32,
            iova: address,
            size: bytes as u64,
            ..Default::default()
        };
        // SAFETY: it reads and writes a structure of the size that this says.
        unsafe { ioctl::iommu_unmap_dma(self.file.as_raw_fd(), &mut unmap)? };
        if unmap.size == bytes as u64 { Ok(()) } else { Err(io::Error::other("they were not mapped whole")) }
    }
}

impl Info {
    /// Asked twice: first for the number of bytes.
    fn ask(container: &File) -> io::Result<Self> {
        let mut bytes = size_of::<vfio_iommu_type1_info>();
        loop {
            // Of u64, so that it is aligned.
            let mut buffer = vec![0_u64; bytes.div_ceil(8)];
            let info: *mut vfio_iommu_type1_info = buffer.as_mut_ptr().cast();
            // SAFETY: the buffer is aligned and has `bytes` bytes, which is what the call may write.
            let wanted = unsafe {
                (*info).argsz = bytes as u32;
                ioctl::iommu_get_info(container.as_raw_fd(), info)?;
                (*info).argsz as usize
            };
            if wanted <= bytes {
                let buffer: Vec<u8> = buffer.iter().flat_map(|word| word.to_ne_bytes()).collect();
                return Self::read(&buffer).ok_or_else(|| io::Error::other("it tells not where memory may lie"));
            }
            if wanted > INFO_LIMIT {
                return Err(io::Error::other(format!("it has {wanted} bytes to tell")));
            }
            bytes = wanted;
        }
    }

    /// From `struct vfio_iommu_type1_info` and its capabilities.
    fn read(info: &[u8]) -> Option<Self> {
        let [flags, at] = [4, 16].map(|at| u32_at(info, at));
        let sizes = u64_at(info, 8)?;
        if flags? & VFIO_IOMMU_INFO_PGSIZES == 0 || sizes == 0 {
            return None;
        }
        let page = 1_usize.checked_shl(sizes.trailing_zeros())?;
        Some(Self { page, ranges: ranges(info, at? as usize)? })
    }
}

/// Those of the chain of capabilities (`struct vfio_info_cap_header`) that begins at `at`. Capabilities lie one behind the other.
fn ranges(info: &[u8], mut at: usize) -> Option<Vec<Range<u64>>> {
    while at != 0 {
        let kind = u32_at(info, at)? & 0xffff;
        if kind == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE {
            let count = u32_at(info, at + 8)? as usize;
            return (0..count).map(|index| range(info, at + RANGES_AT + RANGE * index)).collect();
        }
        let next = u32_at(info, at + 4)? as usize;
        if next != 0 && next <= at {
            return None;
        }
        at = next;
    }
    None
}

/// A `struct vfio_iova_range`, whose last address is in it. The page at 0 is left out: devices take that address for none.
fn range(info: &[u8], at: usize) -> Option<Range<u64>> {
    let (first, last) = (u64_at(info, at)?, u64_at(info, at + 8)?);
    Some(first.max(1)..last.saturating_add(1))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `struct vfio_iommu_type1_info` with 4 KiB and 2 MiB pages, and capabilities from `at` on.
    fn info(at: u32, capabilities: &[u32]) -> Vec<u8> {
        let head = [0, 3, 0x20_1000, 0, at, 0];
        head.iter().chain(capabilities).flat_map(|word: &u32| word.to_ne_bytes()).collect()
    }

    #[test]
    fn ranges_are_read_with_their_last_address() {
        // A migration capability of four words, then two ranges.
        let capabilities = [2 | 1 << 16, 40, 0, 0, 1 | 1 << 16, 0, 2, 0, 0, 0, 0xfedf_ffff, 0, 0xfef0_0000, 0, !0, !0];
        let read = Info::read(&info(24, &capabilities)).unwrap();
        assert_eq!(read, Info { page: 0x1000, ranges: vec![1..0xfee0_0000, 0xfef0_0000..u64::MAX] });
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let range = [1 | 1 << 16, 0, 1, 0, 0, 0, 0xffff, 0];
        assert!(Info::read(&info(24, &range)).is_some());
        assert_eq!(Info::read(&info(0, &range)), None, "no capabilities");
        assert_eq!(Info::read(&info(24, &range[..7])), None, "a range that is cut off");
        assert_eq!(Info::read(&info(4096, &range)), None, "a capability that is not there");
        assert_eq!(Info::read(&info(24, &[2 | 1 << 16, 24, 0, 0])), None, "a chain that goes round");
        let mut no_pages = info(24, &range);
        no_pages[4] = 2;
        assert_eq!(Info::read(&no_pages), None, "no sizes of pages");
    }
}
