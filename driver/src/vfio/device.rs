// SPDX-License-Identifier: MIT OR Apache-2.0
//! A PCI device that `vfio-pci` has, by its requests.

use super::container::Container;
use super::{PciAddress, Problem, ioctl, sysfs};
use nix::libc::c_char;
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::FileExt;
use vfio_bindings::bindings::vfio::{
    VFIO_DEVICE_FLAGS_PCI, VFIO_GROUP_FLAGS_VIABLE, VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_DATA_EVENTFD,
    VFIO_PCI_CONFIG_REGION_INDEX, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_REGION_INFO_FLAG_MMAP, vfio_device_info,
    vfio_group_status, vfio_irq_info, vfio_irq_set, vfio_region_info,
};

/// A device that is open. No other process has it.
#[derive(Debug)]
pub struct Device {
    // Closed in this order.
    pub(super) file: File,
    container: Container,
    _group: File,
}

/// A BAR, or the configuration space.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// In the device's file.
    pub offset: u64,
    /// 0 if the device has none of this number.
    pub bytes: u64,
    /// The kernel may let a process map it.
    pub mappable: bool,
}

impl Device {
    /// Opens the device at an address, which is in this group alone.
    pub fn open(address: PciAddress, group: u32) -> Result<Self, Problem> {
        let [container, group] = sysfs::vfio_files(group).map(|path| {
            let opened = File::options().read(true).write(true).open(&path);
            opened.map_err(|error| Problem::Open { path, error })
        });
        Self::of(address, container?, group?).map_err(|error| Problem::Refused { what: "to open it", error })
    }

    fn of(address: PciAddress, container: File, group: File) -> io::Result<Self> {
        let mut status = vfio_group_status { argsz: size_of::<vfio_group_status>() as u32, ..Default::default() };
        // SAFETY: it writes a structure of the size that this says.
        unsafe { ioctl::group_get_status(group.as_raw_fd(), &mut status)? };
        if status.flags & VFIO_GROUP_FLAGS_VIABLE == 0 {
            return Err(io::Error::other("a driver of the kernel has another function of its group"));
        }
        let container = Container::with(container, &group)?;
        let name = CString::new(address.to_string())?;
        let name: *const c_char = name.as_ptr();
        // SAFETY: it reads a string up to its zero; the file descriptor is new, and nobody else's.
        let file = unsafe { File::from_raw_fd(ioctl::group_get_device_fd(group.as_raw_fd(), name)?) };
        let mut info = vfio_device_info { argsz: size_of::<vfio_device_info>() as u32, ..Default::default() };
        // SAFETY: it writes a structure of the size that this says.
        unsafe { ioctl::device_get_info(file.as_raw_fd(), &mut info)? };
        let is_pci = info.flags & VFIO_DEVICE_FLAGS_PCI != 0;
        if !is_pci || info.num_regions <= VFIO_PCI_CONFIG_REGION_INDEX || info.num_irqs <= VFIO_PCI_MSIX_IRQ_INDEX {
            return Err(io::Error::other("VFIO does not have it as a PCI device"));
        }
        Ok(Self { file, container, _group: group })
    }

    /// The memory that it reaches.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Its configuration space.
    pub fn config(&self) -> io::Result<Region> {
        self.region(VFIO_PCI_CONFIG_REGION_INDEX)
    }

    /// A BAR, from 0 to 5, or what VFIO numbers behind them.
    pub fn region(&self, index: u32) -> io::Result<Region> {
        let mut info = vfio_region_info { argsz: size_of::<vfio_region_info>() as u32, index, ..Default::default() };
        // SAFETY: it reads and writes a structure of the size that this says.
        unsafe { ioctl::device_get_region_info(self.file.as_raw_fd(), &mut info)? };
        let mappable = info.flags & VFIO_REGION_INFO_FLAG_MMAP != 0;
        Ok(Region { offset: info.offset, bytes: info.size, mappable })
    }

    /// Fills `bytes` from a region, by a system call.
    pub fn read(&self, region: Region, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        region.check(at, bytes.len())?;
        self.file.read_exact_at(bytes, region.offset + at)
    }

    /// Writes to a region, by a system call.
    pub fn write(&self, region: Region, at: u64, bytes: &[u8]) -> io::Result<()> {
        region.check(at, bytes.len())?;
        self.file.write_all_at(bytes, region.offset + at)
    }

    /// The number of its MSI-X vectors.
    pub fn vectors(&self) -> io::Result<usize> {
        let (argsz, index) = (size_of::<vfio_irq_info>() as u32, VFIO_PCI_MSIX_IRQ_INDEX);
        let mut info = vfio_irq_info { argsz, index, ..Default::default() };
        // SAFETY: it reads and writes a structure of the size that this says.
        unsafe { ioctl::device_get_irq_info(self.file.as_raw_fd(), &mut info)? };
        Ok(info.count as usize)
    }

    /// Gives its MSI-X vectors, from 0 on, the eventfds that they signal.
    pub fn signal(&self, events: &[RawFd]) -> io::Result<()> {
        let head = size_of::<vfio_irq_set>();
        let bytes = head + size_of_val(events);
        // Of u64, so that it is aligned.
        let mut buffer = vec![0_u64; bytes.div_ceil(8)];
        let set: *mut vfio_irq_set = buffer.as_mut_ptr().cast();
        // SAFETY: the buffer is aligned, and has room for the structure and the descriptors behind it, which the call reads.
        unsafe {
            (*set).argsz = bytes as u32;
            (*set).flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
            (*set).index = VFIO_PCI_MSIX_IRQ_INDEX;
            (*set).count = events.len() as u32;
            set.byte_add(head).cast::<RawFd>().copy_from_nonoverlapping(events.as_ptr(), events.len());
            ioctl::device_set_irqs(self.file.as_raw_fd(), set)?;
        }
        Ok(())
    }

    /// Resets the function.
    pub fn reset(&self) -> io::Result<()> {
        // SAFETY: it takes nothing.
        unsafe { ioctl::device_reset(self.file.as_raw_fd())? };
        Ok(())
    }
}

impl Region {
    /// Refuses an access that is not aligned, or not in it whole.
    pub fn check(&self, at: u64, bytes: usize) -> io::Result<()> {
        if at.checked_add(bytes as u64).is_some_and(|end| end <= self.bytes) {
            return Ok(());
        }
        let text = format!("{bytes} bytes at {at:#x} do not lie in a region of {:#x} bytes", self.bytes);
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_lies_in_its_region_whole() {
        let region = Region { offset: 1 << 40, bytes: 0x1000, mappable: true };
        assert!(region.check(0xffc, 4).is_ok());
        for at in [0xffd, 0x1000, u64::MAX] {
            assert_eq!(region.check(at, 4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }
}
