// SPDX-License-Identifier: MIT OR Apache-2.0
//! What each command does. An answer is a payload or an errno; the message's frame is whole in either case.

use super::{DeviceInfo, Function, Vectors};
use crate::capabilities::Capabilities;
use crate::memory::ClientMemory;
use crate::socket::Message;
use crate::wire::{
    Command, DeviceStructure, DmaMap, DmaUnmap, IrqInfo, IrqSet, MAX_TRANSFER, RegionAccess, RegionInfo, Space,
    VERSION, Version, Write, flags, irq, region,
};
use nix::errno::Errno;
use std::os::fd::OwnedFd;

/// What commands act on.
pub struct Requests<'a> {
    pub device: &'a DeviceInfo,
    pub memory: &'a ClientMemory,
    pub vectors: &'a Vectors,
    pub function: &'a mut dyn Function,
    /// Whether a version was agreed on: without, no other command is served.
    pub negotiated: &'a mut bool,
}

type Answer = Result<Vec<u8>, Errno>;

impl Requests<'_> {
    /// Does what a command asks for.
    pub fn answer(&mut self, message: Message) -> Answer {
        let Message { header, payload, descriptors } = message;
        let payload = payload.as_slice();
        let command = Command::from_number(header.command).ok_or(Errno::ENOTSUP)?;
        if *self.negotiated == (command == Command::Version) {
            return Err(Errno::EINVAL);
        }
        match command {
            Command::Version => self.version(payload),
            Command::DmaMap => self.map(payload, &descriptors),
            Command::DmaUnmap => self.unmap(payload),
            Command::DeviceGetInfo => self.device_info(payload),
            Command::DeviceGetRegionInfo => self.region_info(payload),
            Command::DeviceGetIrqInfo => self.irq_info(payload),
            Command::DeviceSetIrqs => self.set_irqs(payload, descriptors),
            Command::RegionRead => self.read(payload),
            Command::RegionWrite => self.write(payload),
            Command::RegionWriteMulti => self.write_multiple(payload),
            Command::DeviceReset => self.reset(),
            // These are ours to send.
            Command::DmaRead | Command::DmaWrite => Err(Errno::ENOTSUP),
        }
    }

    fn version(&mut self, payload: &[u8]) -> Answer {
        let (theirs, data) = Version::decode(payload).ok_or(Errno::EINVAL)?;
        if theirs.major != VERSION.0 {
            tracing::debug!(major = theirs.major, minor = theirs.minor, "a client speaks another version of vfio-user");
            return Err(Errno::EPROTONOSUPPORT);
        }
        let theirs = Capabilities::parse(data).map_err(|error| {
            tracing::debug!(error, "a client's capabilities were not understood");
            Errno::EINVAL
        })?;
        self.memory.set_limit(theirs.max_data_xfer_size);
        *self.negotiated = true;
        let ours = Capabilities { write_multiple: theirs.write_multiple, ..Capabilities::ours() };
        let mut answer = Version { major: VERSION.0, minor: VERSION.1 }.encode();
        answer.extend(ours.encode());
        Ok(answer)
    }

    fn map(&self, payload: &[u8], descriptors: &[OwnedFd]) -> Answer {
        let (map, _) = DmaMap::decode(payload).ok_or(Errno::EINVAL)?;
        self.memory.map(&map, descriptors).inspect_err(|error| {
            tracing::debug!(%error, address = map.address, size = map.size, offset = map.offset, files = descriptors.len(), "a client's memory was not mapped");
        })?;
        Ok(vec![])
    }

    fn unmap(&self, payload: &[u8]) -> Answer {
        let (unmap, _) = DmaUnmap::decode(payload).ok_or(Errno::EINVAL)?;
        self.memory.unmap(&unmap)?;
        Ok(unmap.encode())
    }

    fn device_info(&self, payload: &[u8]) -> Answer {
        let (asked, _) = DeviceStructure::decode(payload).ok_or(Errno::EINVAL)?;
        let argsz = room(asked.argsz, DeviceStructure::BYTES)?;
        let flags = flags::DEVICE_RESET | flags::DEVICE_PCI;
        Ok(DeviceStructure { argsz, flags, num_regions: region::COUNT, num_irqs: irq::COUNT }.encode())
    }

    fn region_info(&self, payload: &[u8]) -> Answer {
        let (asked, _) = RegionInfo::decode(payload).ok_or(Errno::EINVAL)?;
        let argsz = room(asked.argsz, RegionInfo::BYTES)?;
        let size = self.device.region_bytes(asked.index).ok_or(Errno::EINVAL)?;
        let flags = if size == 0 { 0 } else { flags::REGION_READ | flags::REGION_WRITE };
        Ok(RegionInfo { argsz, flags, index: asked.index, cap_offset: 0, size, offset: 0 }.encode())
    }

    fn irq_info(&self, payload: &[u8]) -> Answer {
        let (asked, _) = IrqInfo::decode(payload).ok_or(Errno::EINVAL)?;
        let argsz = room(asked.argsz, IrqInfo::BYTES)?;
        let count = self.vectors.count(asked.index).ok_or(Errno::EINVAL)?;
        let flags = if count == 0 { 0 } else { flags::IRQ_EVENTFD | flags::IRQ_MASKABLE };
        Ok(IrqInfo { argsz, flags, index: asked.index, count }.encode())
    }

    fn set_irqs(&self, payload: &[u8], descriptors: Vec<OwnedFd>) -> Answer {
        let (set, data) = IrqSet::decode(payload).ok_or(Errno::EINVAL)?;
        self.vectors.set(&set, data, descriptors)?;
        Ok(vec![])
    }

    fn read(&mut self, payload: &[u8]) -> Answer {
        let (access, _) = RegionAccess::decode(payload).ok_or(Errno::EINVAL)?;
        let space = self.space(access.region, access.offset, access.count)?;
        let mut answer = access.encode();
        answer.resize(RegionAccess::BYTES + access.count as usize, 0);
        if access.count != 0 {
            self.function.read(space, access.offset, &mut answer[RegionAccess::BYTES..])?;
        }
        Ok(answer)
    }

    fn write(&mut self, payload: &[u8]) -> Answer {
        let (access, data) = RegionAccess::decode(payload).ok_or(Errno::EINVAL)?;
        let space = self.space(access.region, access.offset, access.count)?;
        if data.len() != access.count as usize {
            return Err(Errno::EINVAL);
        }
        if !data.is_empty() {
            self.function.write(space, access.offset, data)?;
        }
        Ok(access.encode())
    }

    /// All are looked at before the first is made.
    fn write_multiple(&mut self, payload: &[u8]) -> Answer {
        let (count, mut rest) = payload.split_first_chunk().ok_or(Errno::EINVAL)?;
        let bytes = u64::from_ne_bytes(*count).checked_mul(Write::BYTES as u64);
        if bytes != Some(rest.len() as u64) {
            return Err(Errno::EINVAL);
        }
        let mut writes = vec![];
        while let Some((write, later)) = Write::decode(rest) {
            let space = self.space(write.region, write.offset, write.count)?;
            if write.count as usize > size_of_val(&write.data) {
                return Err(Errno::EINVAL);
            }
            writes.push((space, write));
            rest = later;
        }
        for (space, write) in writes.into_iter().filter(|(_, write)| write.count != 0) {
            self.function.write(space, write.offset, &write.data.to_ne_bytes()[..write.count as usize])?;
        }
        Ok(count.to_vec())
    }

    fn reset(&mut self) -> Answer {
        self.function.reset();
        self.vectors.reset();
        Ok(vec![])
    }

    /// The space of an access that lies inside of it.
    fn space(&self, region: u32, offset: u64, count: u32) -> Result<Space, Errno> {
        let space = Space::from_region(region).ok_or(Errno::EINVAL)?;
        let bytes = self.device.region_bytes(region).unwrap_or(0);
        let end = offset.checked_add(count.into()).ok_or(Errno::EINVAL)?;
        if end > bytes || count as usize > MAX_TRANSFER {
            return Err(Errno::EINVAL);
        }
        Ok(space)
    }
}

/// The size of an answer, for which the client must have room.
fn room(argsz: u32, needs: usize) -> Result<u32, Errno> {
    let needs = needs as u32;
    if argsz < needs { Err(Errno::EINVAL) } else { Ok(needs) }
}
