// SPDX-License-Identifier: MIT OR Apache-2.0
//! A function of Millrace behind VFIO.

use super::pages::{HUGE, Pages};
use super::{Event, PciAddress, Problem, Role, VfioBar, VfioError, VfioMemory, VfioRegisters, iova, sysfs};
use crate::identity::{BARS, CONFIG_BYTES, identify};
use pci_driver::backends::vfio::VfioPciDevice;
use pci_driver::device::PciDevice;
use pci_driver::regions::{OwningPciRegion, PciRegion};
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;

/// The BAR of the register map.
const REGISTERS: usize = 2;
/// Where memory begins for the function: above all that needs 32 bits, as the messages of interrupts do.
const FIRST_ADDRESS: u64 = 1 << 32;

/// A function that was recognised, and may use its bus. It stays open, and this process the only one that has it, as long as this, its BAR or
/// memory of it is there; then the kernel resets it.
#[derive(Debug)]
pub struct VfioFunction {
    device: Arc<VfioPciDevice>,
    address: PciAddress,
    group: u32,
    bar: OwningPciRegion,
    /// From here on nothing is mapped.
    next: Cell<u64>,
}

impl VfioFunction {
    /// Opens a function of this role.
    ///
    /// # Errors
    /// If there is none, it is another, it is not bound to `vfio-pci`, it shares its IOMMU group, or this process may not have it.
    pub fn open(address: PciAddress, role: Role) -> Result<Self, VfioError> {
        Self::try_open(address, role).map_err(|problem| problem.of(address))
    }

    fn try_open(address: PciAddress, role: Role) -> Result<Self, Problem> {
        let devices = Path::new(sysfs::DEVICES);
        let group = sysfs::check(devices, address, role)?;
        // Opened for the sake of what is told if that fails: who opens the device is not told which file it was.
        for path in sysfs::vfio_files(group) {
            let opened = File::options().read(true).write(true).open(&path);
            opened.map_err(|error| Problem::Open { path, error })?;
        }
        let device = VfioPciDevice::open(devices.join(address.to_string())).map_err(refused("to open it"))?;
        let found = identity(&device)?;
        if found != role {
            return Err(Problem::NotMillrace(format!("this is {found}, not {role}")));
        }
        let bar = device.bar(0).expect("it has been looked at");
        // VFIO hands it over with its BARs off, and without the right to its bus.
        let command = device.config().command();
        command.memory_space_enable().write(true).map_err(refused("to enable its BARs"))?;
        command.bus_master_enable().write(true).map_err(refused("to make it bus master"))?;
        Ok(Self { device: Arc::new(device), address, group, bar, next: Cell::new(FIRST_ADDRESS) })
    }

    /// Its address.
    pub fn address(&self) -> PciAddress {
        self.address
    }

    /// The number of its IOMMU group.
    pub fn group(&self) -> u32 {
        self.group
    }

    /// Its registers, mapped if they can be.
    pub fn bar(&self) -> VfioBar {
        VfioBar::map(self.bar.owning_subregion(..))
    }

    /// The registers of the device, mapped if they can be.
    ///
    /// # Panics
    /// If the function is not an ECPF.
    pub fn registers(&self) -> VfioRegisters {
        let bar = self.device.bar(REGISTERS).expect("the ECPF has been looked at");
        VfioRegisters::new(VfioBar::map(bar.owning_subregion(..)))
    }

    /// Its registers by system calls, as if they could not be mapped.
    pub fn bar_by_calls(&self) -> VfioBar {
        VfioBar::by_calls(self.bar.owning_subregion(..))
    }

    /// Memory that the function reaches, of `bytes` bytes or more.
    ///
    /// # Errors
    /// If there is not so much, or VFIO does not let the function have it.
    pub fn memory(&self, bytes: usize) -> Result<VfioMemory, VfioError> {
        self.try_memory(bytes).map_err(|problem| problem.of(self.address))
    }

    fn try_memory(&self, bytes: usize) -> Result<VfioMemory, Problem> {
        let refused = |error| Problem::Memory { bytes, error };
        let pages = Pages::new(bytes).map_err(|errno| refused(errno.into()))?;
        let size = pages.bytes() as u64;
        // An IOMMU may use huge pages where both addresses are aligned to them.
        let align = HUGE.max(self.device.iommu().alignment()) as u64;
        let address = iova::find(self.device.iommu().valid_iova_ranges(), self.next.get(), size, align)
            .ok_or(Problem::NoAddresses { bytes })?;
        let memory = VfioMemory::map(self.device.clone(), pages, address).map_err(refused)?;
        self.next.set(address + size);
        Ok(memory)
    }

    /// An event for each MSI-X vector of the function.
    ///
    /// # Errors
    /// If VFIO refuses, or this process gets no eventfds.
    pub fn interrupts(&self) -> Result<Vec<Event>, VfioError> {
        self.events(|vector| vector)
    }

    /// As [`interrupts`](Self::interrupts), with an event for several vectors: vector v has event `of(v)`. There are as many as the highest number says.
    ///
    /// # Errors
    /// As there.
    pub fn events(&self, of: impl Fn(usize) -> usize) -> Result<Vec<Event>, VfioError> {
        let refused = |error| refused("the function's interrupts")(error).of(self.address);
        let interrupts = self.device.interrupts();
        let vectors = interrupts.msi_x();
        let numbers: Vec<usize> = (0..vectors.max()).map(of).collect();
        let count = numbers.iter().max().map_or(0, |highest| highest + 1);
        let events: Result<Vec<Event>, _> = (0..count).map(|_| Event::new()).collect();
        let events = events.map_err(|errno| refused(errno.into()))?;
        let descriptors: Vec<RawFd> = numbers.iter().map(|event| events[*event].as_fd().as_raw_fd()).collect();
        vectors.enable(&descriptors).map_err(refused)?;
        Ok(events)
    }

    /// The number of its MSI-X vectors.
    pub fn vectors(&self) -> usize {
        self.device.interrupts().msi_x().max()
    }

    /// Resets the function, as after power-up. It stays bus master.
    ///
    /// # Errors
    /// If it cannot be reset alone.
    pub fn reset(&self) -> Result<(), VfioError> {
        self.device.reset().map_err(|error| refused("to reset it")(error).of(self.address))
    }
}

/// What the function is for, as its configuration space and BARs tell.
fn identity(device: &VfioPciDevice) -> Result<Role, Problem> {
    let mut config = [0; CONFIG_BYTES];
    device.config().read_bytes(0, &mut config).map_err(refused("to read its configuration space"))?;
    let mut sizes = [0; BARS];
    for (index, size) in sizes.iter_mut().enumerate() {
        *size = device.bar(index).map_or(0, |bar| bar.len());
    }
    identify(&config, &sizes).map_err(Problem::NotMillrace)
}

fn refused(what: &'static str) -> impl Fn(io::Error) -> Problem {
    move |error| Problem::Refused { what, error }
}
