// SPDX-License-Identifier: MIT OR Apache-2.0
//! A function of Millrace behind VFIO.

use super::device::{Device, Region};
use super::pages::{HUGE, Pages};
use super::{Event, PciAddress, Problem, Role, VfioBar, VfioError, VfioMemory, VfioRegisters, iova, sysfs};
use crate::identity::{BARS, CONFIG_BYTES, identify};
use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::path::Path;
use std::sync::Arc;

/// The BAR of the register map.
const REGISTERS: usize = 2;
/// PCI's command register (PCI Express Base 5.0, 7.5.1.1.3), and its bits: the BARs answer, and the function may use its bus.
const COMMAND: u64 = 0x04;
const MEMORY_SPACE: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;
/// Where memory begins for the function: above all that needs 32 bits, as the messages of interrupts do.
const FIRST_ADDRESS: u64 = 1 << 32;

/// A function that was recognised, and may use its bus. It stays open, and this process the only one that has it, as long as this, its BAR or
/// memory of it is there; then the kernel resets it.
#[derive(Debug)]
pub struct VfioFunction {
    device: Arc<Device>,
    address: PciAddress,
    group: u32,
    bars: [Region; BARS],
    vectors: usize,
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
        let device = Device::open(address, group)?;
        let bars = bars(&device).map_err(refused("to tell of its BARs"))?;
        let found = identity(&device, &bars)?;
        if found != role {
            return Err(Problem::NotMillrace(format!("this is {found}, not {role}")));
        }
        let vectors = device.vectors().map_err(refused("to tell of its interrupts"))?;
        // VFIO hands it over with its BARs off, and without the right to its bus.
        enable(&device).map_err(refused("to enable its BARs and make it bus master"))?;
        Ok(Self { device: Arc::new(device), address, group, bars, vectors, next: Cell::new(FIRST_ADDRESS) })
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
        VfioBar::map(&self.device, self.bars[0])
    }

    /// The registers of the device, mapped if they can be.
    ///
    /// # Panics
    /// If the function is not an ECPF.
    pub fn registers(&self) -> VfioRegisters {
        assert!(self.bars[REGISTERS].bytes > 0, "only the ECPF has registers of the device");
        VfioRegisters::new(VfioBar::map(&self.device, self.bars[REGISTERS]))
    }

    /// Its registers by system calls, as if they could not be mapped.
    pub fn bar_by_calls(&self) -> VfioBar {
        VfioBar::by_calls(&self.device, self.bars[0])
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
        let align = HUGE.max(self.device.container().alignment()) as u64;
        let address = iova::find(self.device.container().ranges(), self.next.get(), size, align)
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
        let numbers: Vec<usize> = (0..self.vectors).map(of).collect();
        let count = numbers.iter().max().map_or(0, |highest| highest + 1);
        let events: Result<Vec<Event>, _> = (0..count).map(|_| Event::new()).collect();
        let events = events.map_err(|errno| refused(errno.into()))?;
        let descriptors: Vec<RawFd> = numbers.iter().map(|event| events[*event].as_fd().as_raw_fd()).collect();
        self.device.signal(&descriptors).map_err(refused)?;
        Ok(events)
    }

    /// The number of its MSI-X vectors.
    pub fn vectors(&self) -> usize {
        self.vectors
    }

    /// Resets the function, as after power-up. It stays bus master.
    ///
    /// # Errors
    /// If it cannot be reset alone.
    pub fn reset(&self) -> Result<(), VfioError> {
        self.device.reset().map_err(|error| refused("to reset it")(error).of(self.address))
    }
}

fn bars(device: &Device) -> io::Result<[Region; BARS]> {
    let mut bars = [Region { offset: 0, bytes: 0, mappable: false }; BARS];
    for (index, bar) in (0..).zip(&mut bars) {
        *bar = device.region(index)?;
    }
    Ok(bars)
}

/// What the function is for, as its configuration space and BARs tell.
fn identity(device: &Device, bars: &[Region; BARS]) -> Result<Role, Problem> {
    let mut config = [0; CONFIG_BYTES];
    let read = device.config().and_then(|region| device.read(region, 0, &mut config));
    read.map_err(refused("to read its configuration space"))?;
    identify(&config, &bars.map(|bar| bar.bytes)).map_err(Problem::NotMillrace)
}

fn enable(device: &Device) -> io::Result<()> {
    let config = device.config()?;
    let mut command = [0; 2];
    device.read(config, COMMAND, &mut command)?;
    let command = u16::from_le_bytes(command) | MEMORY_SPACE | BUS_MASTER;
    device.write(config, COMMAND, &command.to_le_bytes())
}

fn refused(what: &'static str) -> impl Fn(io::Error) -> Problem {
    move |error| Problem::Refused { what, error }
}
