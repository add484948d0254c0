// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configuration space of a function (PCI Express Base 5.0, 7.5; *Virtual I/O Device (VIRTIO) Version 1.2*, 4.1.4).
//!
//! On a board this is the PCIe block's; the RTL gets what it says as pins.

use millrace_regs::host::pci::{self, FUNCTION_BAR, REGISTER_BAR};
use millrace_regs::host::{COMMON, DEVICE, ISR, MSIX_PENDING, MSIX_TABLE, NOTIFY, NOTIFY_STRIDE};
use std::ops::Range;

/// Bytes of the configuration space. Behind the first [`BYTES`] there are no extended capabilities.
pub const CONFIG_BYTES: usize = 4096;
const BYTES: usize = 256;

/// Offsets of the header (7.5.1).
const COMMAND: usize = 0x04;
const BAR_0: usize = 0x10;
const BAR_2: usize = 0x18;
const CAPABILITIES: usize = 0x34;
/// Offsets of the capabilities.
const POWER: usize = 0x40;
const MSIX: usize = 0x48;
const EXPRESS: usize = 0x58;
const VIRTIO_COMMON: usize = 0x94;
const VIRTIO_ISR: usize = 0xa4;
const VIRTIO_DEVICE: usize = 0xb4;
const VIRTIO_NOTIFY: usize = 0xc4;
const VIRTIO_WINDOW: usize = 0xd8;

/// Bits of the command register.
const MEMORY: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;
const INTX_DISABLE: u16 = 1 << 10;
/// Device control (7.5.3.4): at this offset in the capability, and its bit that resets the function.
const DEVICE_CONTROL: usize = 8;
const INITIATE_RESET: u16 = 1 << 15;

/// A function's configuration space.
pub struct ConfigSpace {
    bytes: [u8; BYTES],
    /// Bits that the host writes.
    writable: [u8; BYTES],
    /// As after power-up.
    initial: [u8; BYTES],
}

/// What a write asks for, beside what the fields say from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// Nothing.
    Fields,
    /// A reset of the function.
    Reset,
}

impl ConfigSpace {
    /// That of a function with so many MSI-X vectors and virtqueues; the ECPF's has a second BAR.
    pub fn new(ecpf: bool, vectors: u16, virtqueues: u32) -> Self {
        let mut space = Self { bytes: [0; BYTES], writable: [0; BYTES], initial: [0; BYTES] };
        space.header(ecpf);
        space.power_management();
        space.msix(vectors);
        space.express();
        space.virtio(virtqueues);
        space.initial = space.bytes;
        space
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.bytes[offset..][..bytes.len()].copy_from_slice(bytes);
    }

    fn allow(&mut self, offset: usize, mask: &[u8]) {
        self.writable[offset..][..mask.len()].copy_from_slice(mask);
    }

    fn header(&mut self, ecpf: bool) {
        let (device, class) =
            if ecpf { (pci::ECPF_DEVICE, pci::ECPF_CLASS) } else { (pci::NETWORK_DEVICE, pci::NETWORK_CLASS) };
        self.put(0x00, &pci::VENDOR.to_le_bytes());
        self.put(0x02, &device.to_le_bytes());
        self.allow(COMMAND, &(MEMORY | BUS_MASTER | INTX_DISABLE).to_le_bytes());
        // Status: there is a list of capabilities.
        self.put(0x06, &[1 << 4]);
        self.put(0x08, &(class << 8 | u32::from(pci::REVISION)).to_le_bytes());
        // Subsystem: the device's, which is neither that of a transitional device (4.1.2.1).
        self.put(0x2c, &pci::VENDOR.to_le_bytes());
        self.put(0x2e, &device.to_le_bytes());
        self.put(CAPABILITIES, &[POWER as u8]);
        // Interrupt line: the host's to use.
        self.allow(0x3c, &[0xff]);
        self.bar(BAR_0, FUNCTION_BAR);
        if ecpf {
            self.bar(BAR_2, REGISTER_BAR);
        }
    }

    /// A 64-bit, prefetchable memory BAR of a power of two of bytes.
    fn bar(&mut self, offset: usize, bytes: u64) {
        self.put(offset, &[0b1100]);
        self.allow(offset, &(!(bytes - 1)).to_le_bytes());
    }

    /// Starts a capability, with the offset of the next one, or 0.
    fn capability(&mut self, offset: usize, id: u8, next: usize) {
        self.put(offset, &[id, next as u8]);
    }

    /// D0 and D3hot, in which nothing is lost (7.5.2).
    fn power_management(&mut self) {
        self.capability(POWER, 0x01, MSIX);
        self.put(POWER + 2, &[3]);
        self.put(POWER + 4, &[1 << 3]);
        self.allow(POWER + 4, &[0b11]);
    }

    /// 7.7.2.
    fn msix(&mut self, vectors: u16) {
        self.capability(MSIX, 0x11, EXPRESS);
        self.put(MSIX + 2, &(vectors - 1).to_le_bytes());
        self.allow(MSIX + 3, &[0b1100_0000]);
        // Both in BAR 0.
        self.put(MSIX + 4, &MSIX_TABLE.offset.to_le_bytes());
        self.put(MSIX + 8, &MSIX_PENDING.offset.to_le_bytes());
    }

    /// An endpoint (7.5.3) with 16 lanes of 16 GT/s, function-level reset and bursts of 512 bytes.
    fn express(&mut self) {
        self.capability(EXPRESS, 0x10, VIRTIO_COMMON);
        self.put(EXPRESS + 2, &[2]);
        self.put(EXPRESS + 4, &(1_u32 << 28 | 1 << 15 | 2).to_le_bytes());
        self.put(EXPRESS + DEVICE_CONTROL, &0x2810_u16.to_le_bytes());
        self.allow(EXPRESS + DEVICE_CONTROL, &(!INITIATE_RESET).to_le_bytes());
        let link = 16_u16 << 4 | 4;
        self.put(EXPRESS + 0x0c, &link.to_le_bytes());
        self.put(EXPRESS + 0x12, &link.to_le_bytes());
    }

    /// The structures of 4.1.4, all in BAR 0, and the window of 4.1.4.9.
    fn virtio(&mut self, virtqueues: u32) {
        let blocks = [
            (VIRTIO_COMMON, 16, 1, COMMON.offset, COMMON.bytes, VIRTIO_ISR),
            (VIRTIO_ISR, 16, 3, ISR.offset, ISR.bytes, VIRTIO_DEVICE),
            (VIRTIO_DEVICE, 16, 4, DEVICE.offset, DEVICE.bytes, VIRTIO_NOTIFY),
            (VIRTIO_NOTIFY, 20, 2, NOTIFY.offset, virtqueues * NOTIFY_STRIDE, VIRTIO_WINDOW),
            (VIRTIO_WINDOW, 20, 5, 0, 0, 0),
        ];
        for (offset, bytes, kind, start, length, next) in blocks {
            self.capability(offset, 0x09, next);
            self.put(offset + 2, &[bytes, kind]);
            self.put(offset + 8, &start.to_le_bytes());
            self.put(offset + 12, &length.to_le_bytes());
        }
        self.put(VIRTIO_NOTIFY + 16, &NOTIFY_STRIDE.to_le_bytes());
        // bar, offset, length, data
        self.allow(VIRTIO_WINDOW + 4, &[0xff]);
        self.allow(VIRTIO_WINDOW + 8, &[0xff; 12]);
    }

    /// As after power-up: what a function-level reset does.
    pub fn reset(&mut self) {
        self.bytes = self.initial;
    }

    /// Reads bytes, which lie in the space.
    pub fn read(&self, offset: usize, data: &mut [u8]) {
        for (i, byte) in (offset..).zip(data) {
            *byte = self.bytes.get(i).copied().unwrap_or(0);
        }
    }

    /// Writes bytes, which lie in the space. What the host does not write stays.
    pub fn write(&mut self, offset: usize, data: &[u8]) -> Written {
        let mut control = [0; 2];
        for (i, byte) in (offset..).zip(data) {
            let (Some(old), Some(mask)) = (self.bytes.get_mut(i), self.writable.get(i)) else { break };
            *old = *old & !mask | byte & mask;
            if let Some(part) = i.checked_sub(EXPRESS + DEVICE_CONTROL).and_then(|part| control.get_mut(part)) {
                *part = *byte;
            }
        }
        if u16::from_le_bytes(control) & INITIATE_RESET != 0 { Written::Reset } else { Written::Fields }
    }

    fn word(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.bytes[offset], self.bytes[offset + 1]])
    }

    fn double_word(&self, offset: usize) -> u32 {
        u32::from(self.word(offset)) | u32::from(self.word(offset + 2)) << 16
    }

    /// The BARs answer.
    pub fn memory_enabled(&self) -> bool {
        self.word(COMMAND) & MEMORY != 0
    }

    /// The function may use its bus.
    pub fn bus_master(&self) -> bool {
        self.word(COMMAND) & BUS_MASTER != 0
    }

    /// Access by means of the configuration space (virtio 4.1.4.9): where its data lies.
    pub const WINDOW_DATA: Range<usize> = VIRTIO_WINDOW + 16..VIRTIO_WINDOW + 20;

    /// BAR, offset and length that the window is set to, if a driver may set it so.
    pub fn window(&self) -> Option<(u8, u32, usize)> {
        let (bar, offset) = (self.bytes[VIRTIO_WINDOW + 4], self.double_word(VIRTIO_WINDOW + 8));
        let length = self.double_word(VIRTIO_WINDOW + 12);
        (matches!(length, 1 | 2 | 4) && offset.is_multiple_of(length)).then_some((bar, offset, length as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<const N: usize>(space: &ConfigSpace, offset: usize) -> [u8; N] {
        let mut bytes = [0; N];
        space.read(offset, &mut bytes);
        bytes
    }

    /// Offsets and numbers of the capabilities, by the chain.
    fn capabilities(space: &ConfigSpace) -> Vec<(usize, u8)> {
        let mut found = vec![];
        let [mut at] = read::<1>(space, CAPABILITIES);
        while at != 0 {
            let [id, next] = read(space, at.into());
            found.push((at.into(), id));
            at = next;
        }
        found
    }

    #[test]
    fn a_host_finds_identity_bars_and_capabilities() {
        let space = ConfigSpace::new(false, 3, 2);
        assert_eq!(read(&space, 0), [0xf4, 0x1a, 0x41, 0x10]);
        assert_eq!(read(&space, 8), [1, 0, 0, 2]);
        let ids: Vec<u8> = capabilities(&space).iter().map(|(_, id)| *id).collect();
        assert_eq!(ids, [1, 0x11, 0x10, 9, 9, 9, 9, 9]);
        let kinds: Vec<u8> = capabilities(&space)[3..].iter().map(|(at, _)| read::<4>(&space, *at)[3]).collect();
        assert_eq!(kinds, [1, 3, 4, 2, 5]);
        assert_eq!(read(&space, MSIX + 2), [2, 0]);
        assert_eq!(read(&space, VIRTIO_NOTIFY + 8), [0, 0, 1, 0, 0, 0x20, 0, 0, 0, 0x10, 0, 0]);
        assert_eq!(read(&space, 300), [0; 8]);
    }

    #[test]
    fn bars_are_sized_by_writing_ones() {
        for (ecpf, low, high) in [(false, 0, 0), (true, 0xffff_000c_u32, u32::MAX)] {
            let mut space = ConfigSpace::new(ecpf, 3, 2);
            for bar in 0..6 {
                assert_eq!(space.write(BAR_0 + 4 * bar, &[0xff; 4]), Written::Fields);
            }
            let bars: [u32; 6] = std::array::from_fn(|bar| space.double_word(BAR_0 + 4 * bar));
            assert_eq!(bars, [0xff00_000c, u32::MAX, low, high, 0, 0]);
        }
    }

    #[test]
    fn the_host_sets_what_is_its_to_set_and_a_reset_takes_it_back() {
        let mut space = ConfigSpace::new(false, 3, 2);
        assert_eq!(space.write(0, &[0xff; 4]), Written::Fields);
        assert_eq!(read(&space, 0), [0xf4, 0x1a, 0x41, 0x10]);
        assert_eq!(space.write(COMMAND, &[0xff, 0xff]), Written::Fields);
        assert_eq!(read(&space, COMMAND), [0b110, 0b100]);
        assert!(space.memory_enabled() && space.bus_master());
        assert_eq!(space.write(MSIX, &[0xff; 4]), Written::Fields);
        assert_eq!(read(&space, MSIX), [0x11, EXPRESS as u8, 2, 0xc0]);
        assert_eq!(space.write(EXPRESS + DEVICE_CONTROL + 1, &[0xff]), Written::Reset);
        assert_eq!(read(&space, EXPRESS + DEVICE_CONTROL), [0x10, 0x7f]);
        space.reset();
        assert!(!space.bus_master());
        assert_eq!(read(&space, MSIX + 2), [2, 0]);
    }

    #[test]
    fn the_window_is_only_used_as_a_driver_may_set_it() {
        let mut space = ConfigSpace::new(false, 3, 2);
        assert_eq!(space.window(), None);
        for (length, offset, window) in
            [(4, 0x14, Some((0, 0x14, 4))), (4, 0x16, None), (3, 0, None), (1, 3, Some((0, 3, 1)))]
        {
            let _ = space.write(VIRTIO_WINDOW + 8, &u32::to_le_bytes(offset));
            let _ = space.write(VIRTIO_WINDOW + 12, &u32::to_le_bytes(length));
            assert_eq!(space.window(), window);
        }
    }
}
