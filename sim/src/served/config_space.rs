// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configuration space of a function (PCI Express Base 5.0, 7.5; *Virtual I/O Device (VIRTIO) Version 1.2*, 4.1.4).
//!
//! On a board this is the PCIe block's; the RTL gets what it says as pins.

use super::Mode;
use millrace_regs::host::pci::{self, EXTENDED, FUNCTION_BAR, REGISTER_BAR, mode, sriov};
use millrace_regs::host::{COMMON, DEVICE, ISR, MSIX_PENDING, MSIX_TABLE, NOTIFY, NOTIFY_STRIDE};
use std::ops::Range;

/// Bytes of the configuration space. Behind the first [`BYTES`] there is nothing.
pub const CONFIG_BYTES: usize = 4096;
const BYTES: usize = SRIOV + sriov::BYTES;

/// Offsets of the header (7.5.1).
const COMMAND: usize = 0x04;
const BAR_0: usize = 0x10;
const BAR_2: usize = 0x18;
const BAR_4: usize = 0x20;
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
/// Offsets of the extended ones.
const MODE: usize = EXTENDED;
const ARI: usize = EXTENDED;
const SRIOV: usize = EXTENDED + 0x10;

/// Bits of the command register.
const MEMORY: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;
const INTX_DISABLE: u16 = 1 << 10;
/// Device control (7.5.3.4): at this offset in the capability, and its bit that resets the function.
const DEVICE_CONTROL: usize = 8;
const INITIATE_RESET: u16 = 1 << 15;

/// Sizes of pages that every PF supports (9.3.3.13): 4 KiB, 8 KiB, 64 KiB, 256 KiB, 1 MiB and 4 MiB.
const PAGE_SIZES: u32 = 0x553;

/// Which function it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has the BARs of the switch, and chooses the mode, which is this after power-up.
    Ecpf(Mode),
    /// It has so many VFs, of which so many are enabled after power-up, and maybe the BARs of the switch.
    Pf {
        vfs: u16,
        enabled: u16,
        switch: bool,
    },
    Vf,
}

/// What a PF's host says of its VFs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnabledVfs {
    /// So many, the first ones.
    pub count: u16,
    /// Their BARs answer.
    pub memory: bool,
}

/// A function's configuration space.
pub struct ConfigSpace {
    bytes: [u8; BYTES],
    /// Bits that the host writes.
    writable: [u8; BYTES],
    /// As after power-up.
    initial: [u8; BYTES],
    kind: Kind,
    /// Of a VF: VF MSE of its PF.
    vf_memory: bool,
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
    /// That of a function with so many MSI-X vectors and virtqueues.
    pub fn new(kind: Kind, vectors: u16, virtqueues: u32) -> Self {
        let mut space =
            Self { bytes: [0; BYTES], writable: [0; BYTES], initial: [0; BYTES], kind, vf_memory: kind != Kind::Vf };
        space.header(kind);
        space.power_management();
        space.msix(vectors);
        space.express();
        space.virtio(virtqueues);
        match kind {
            Kind::Ecpf(mode) => space.vendor_specific(mode),
            Kind::Pf { vfs, enabled, .. } => {
                space.extended(ARI, 0x0e, SRIOV);
                space.sriov(vfs, enabled);
            }
            Kind::Vf => space.extended(ARI, 0x0e, 0),
        }
        space.initial = space.bytes;
        space
    }

    fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.bytes[offset..][..bytes.len()].copy_from_slice(bytes);
    }

    fn allow(&mut self, offset: usize, mask: &[u8]) {
        self.writable[offset..][..mask.len()].copy_from_slice(mask);
    }

    fn header(&mut self, kind: Kind) {
        let (device, class) = match kind {
            Kind::Ecpf(_) => (pci::ECPF_DEVICE, pci::ECPF_CLASS),
            Kind::Pf { .. } | Kind::Vf => (pci::NETWORK_DEVICE, pci::NETWORK_CLASS),
        };
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
        match kind {
            Kind::Ecpf(_) => self.bar(BAR_2, REGISTER_BAR),
            Kind::Pf { switch: true, .. } => {
                self.bar(BAR_2, REGISTER_BAR);
                self.bar(BAR_4, FUNCTION_BAR);
            }
            _ => {}
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

    /// Starts an extended capability of version 1 (7.6.3), with the offset of the next one, or 0.
    fn extended(&mut self, offset: usize, id: u16, next: usize) {
        self.put(offset, &(u32::from(id) | 1 << 16 | (next as u32) << 20).to_le_bytes());
    }

    /// The ECPF's say about the mode (7.9.5).
    fn vendor_specific(&mut self, initial: Mode) {
        self.extended(MODE, mode::ID, 0);
        let header = u32::from(mode::VSEC) | u32::from(mode::REVISION) << 16 | (mode::BYTES as u32) << 20;
        self.put(MODE + 4, &header.to_le_bytes());
        self.allow(MODE + mode::MODE, &mode::NIC.to_le_bytes());
        self.set_mode(initial);
    }

    fn set_mode(&mut self, chosen: Mode) {
        self.put(MODE + mode::MODE, &(if chosen == Mode::Nic { mode::NIC } else { 0 }).to_le_bytes());
    }

    /// What the ECPF has chosen; none if this is another function.
    pub fn mode(&self) -> Option<Mode> {
        matches!(self.kind, Kind::Ecpf(_)).then(|| match self.double_word(MODE + mode::MODE) & mode::NIC {
            0 => Mode::Dpu,
            _ => Mode::Nic,
        })
    }

    /// The VFs of a PF (9.3.3), some of them enabled.
    fn sriov(&mut self, vfs: u16, enabled: u16) {
        self.extended(SRIOV, sriov::ID, 0);
        let on = sriov::VF_ENABLE | sriov::VF_MSE;
        let halves = [
            (sriov::CONTROL, if enabled > 0 { on } else { 0 }, on | sriov::ARI_HIERARCHY),
            (sriov::INITIAL_VFS, vfs, 0),
            (sriov::TOTAL_VFS, vfs, 0),
            (sriov::NUM_VFS, enabled, u16::MAX),
            (sriov::FIRST_VF, 1, 0),
            (sriov::VF_STRIDE, 1, 0),
            (sriov::VF_DEVICE, pci::NETWORK_DEVICE, 0),
        ];
        for (offset, value, writable) in halves {
            self.put(SRIOV + offset, &value.to_le_bytes());
            self.allow(SRIOV + offset, &writable.to_le_bytes());
        }
        self.put(SRIOV + sriov::PAGE_SIZES, &PAGE_SIZES.to_le_bytes());
        self.put(SRIOV + sriov::PAGE_SIZE, &1_u32.to_le_bytes());
        self.allow(SRIOV + sriov::PAGE_SIZE, &PAGE_SIZES.to_le_bytes());
        self.bar(SRIOV + sriov::VF_BAR_0, FUNCTION_BAR);
    }

    /// The VFs that the host has enabled; none if this is no PF.
    pub fn enabled_vfs(&self) -> Option<EnabledVfs> {
        matches!(self.kind, Kind::Pf { .. }).then(|| {
            let control = self.word(SRIOV + sriov::CONTROL);
            let count = if control & sriov::VF_ENABLE != 0 { self.word(SRIOV + sriov::NUM_VFS) } else { 0 };
            EnabledVfs { count, memory: control & sriov::VF_MSE != 0 }
        })
    }

    /// Of a VF: whether VF MSE of its PF is set.
    pub fn set_vf_memory(&mut self, answers: bool) {
        self.vf_memory = answers;
    }

    /// NumVFs stays while VFs are enabled, and is not more than there are (9.3.3.7).
    fn check_num_vfs(&mut self, before: u16, enabled: bool) {
        let Kind::Pf { vfs, .. } = self.kind else { return };
        if enabled || self.word(SRIOV + sriov::NUM_VFS) > vfs {
            self.put(SRIOV + sriov::NUM_VFS, &before.to_le_bytes());
        }
    }

    /// As after power-up, but for the mode: what a function-level reset does.
    pub fn reset(&mut self) {
        let mode = self.mode();
        self.bytes = self.initial;
        if let Some(mode) = mode {
            self.set_mode(mode);
        }
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
        let num_vfs = self.word(SRIOV + sriov::NUM_VFS);
        let enabled = self.word(SRIOV + sriov::CONTROL) & sriov::VF_ENABLE != 0;
        for (i, byte) in (offset..).zip(data) {
            let (Some(old), Some(mask)) = (self.bytes.get_mut(i), self.writable.get(i)) else { break };
            *old = *old & !mask | byte & mask;
            if let Some(part) = i.checked_sub(EXPRESS + DEVICE_CONTROL).and_then(|part| control.get_mut(part)) {
                *part = *byte;
            }
        }
        self.check_num_vfs(num_vfs, enabled);
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
        self.vf_memory && self.word(COMMAND) & MEMORY != 0
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
        let space = ConfigSpace::new(Kind::Vf, 3, 2);
        assert_eq!(read(&space, 0), [0xf4, 0x1a, 0x41, 0x10]);
        assert_eq!(read(&space, 8), [1, 0, 0, 2]);
        let ids: Vec<u8> = capabilities(&space).iter().map(|(_, id)| *id).collect();
        assert_eq!(ids, [1, 0x11, 0x10, 9, 9, 9, 9, 9]);
        let kinds: Vec<u8> = capabilities(&space)[3..].iter().map(|(at, _)| read::<4>(&space, *at)[3]).collect();
        assert_eq!(kinds, [1, 3, 4, 2, 5]);
        assert_eq!(read(&space, MSIX + 2), [2, 0]);
        assert_eq!(read(&space, VIRTIO_NOTIFY + 8), [0, 0, 1, 0, 0, 0x20, 0, 0, 0, 0x10, 0, 0]);
        assert_eq!(read(&space, 0x100), [0x0e, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(read(&space, 300), [0; 8]);
    }

    #[test]
    fn bars_are_sized_by_writing_ones() {
        let pf = |switch| Kind::Pf { vfs: 0, enabled: 0, switch };
        let (registers, block, ones) = (0xffff_000c_u32, 0xff00_000c_u32, u32::MAX);
        for (kind, behind) in [
            (Kind::Vf, [0; 4]),
            (pf(false), [0; 4]),
            (pf(true), [registers, ones, block, ones]),
            (Kind::Ecpf(Mode::Dpu), [registers, ones, 0, 0]),
        ] {
            let mut space = ConfigSpace::new(kind, 3, 2);
            for bar in 0..6 {
                assert_eq!(space.write(BAR_0 + 4 * bar, &[0xff; 4]), Written::Fields);
            }
            let bars: [u32; 6] = std::array::from_fn(|bar| space.double_word(BAR_0 + 4 * bar));
            assert_eq!((&bars[..2], &bars[2..]), (&[block, ones][..], &behind[..]));
        }
    }

    #[test]
    fn the_host_sets_what_is_its_to_set_and_a_reset_takes_it_back() {
        let mut space = ConfigSpace::new(Kind::Vf, 3, 2);
        space.set_vf_memory(true);
        assert_eq!(space.write(0, &[0xff; 4]), Written::Fields);
        assert_eq!(read(&space, 0), [0xf4, 0x1a, 0x41, 0x10]);
        assert_eq!(space.write(COMMAND, &[0xff, 0xff]), Written::Fields);
        assert_eq!(read(&space, COMMAND), [0b110, 0b100]);
        assert!(space.memory_enabled() && space.bus_master());
        assert_eq!(space.write(MSIX, &[0xff; 4]), Written::Fields);
        assert_eq!(read(&space, MSIX), [0x11, EXPRESS as u8, 2, 0xc0]);
        assert_eq!(space.write(EXPRESS + DEVICE_CONTROL + 1, &[0xff]), Written::Reset);
        assert_eq!(read(&space, EXPRESS + DEVICE_CONTROL), [0x10, 0x7f]);
        space.set_vf_memory(false);
        assert!(!space.memory_enabled());
        space.reset();
        assert!(!space.bus_master());
        assert_eq!(read(&space, MSIX + 2), [2, 0]);
    }

    #[test]
    fn the_ecpf_alone_chooses_the_mode_and_a_reset_leaves_it() {
        let mut space = ConfigSpace::new(Kind::Ecpf(Mode::Dpu), 3, 2);
        assert_eq!(read(&space, MODE), [0x0b, 0, 1, 0, 0x52, 0x4d, 0xc1, 0, 0, 0, 0, 0]);
        for (written, mode) in [(0xff, Mode::Nic), (0xfe, Mode::Dpu), (1, Mode::Nic)] {
            assert_eq!(space.write(MODE + 8, &[written; 4]), Written::Fields);
            assert_eq!((space.mode(), read(&space, MODE + 9)), (Some(mode), [0; 3]));
            space.reset();
            assert_eq!(space.mode(), Some(mode));
        }
        assert_eq!(ConfigSpace::new(Kind::Ecpf(Mode::Nic), 3, 2).mode(), Some(Mode::Nic));
        let mut vf = ConfigSpace::new(Kind::Vf, 3, 2);
        let _ = vf.write(MODE + 8, &[1; 4]);
        assert_eq!((vf.mode(), read(&vf, MODE + 8)), (None, [0; 4]));
    }

    #[test]
    fn a_host_enables_vfs_as_many_as_there_are_and_in_one_go() {
        let mut space = ConfigSpace::new(Kind::Pf { vfs: 8, enabled: 0, switch: false }, 3, 2);
        assert_eq!(read(&space, ARI), [0x0e, 0, 1, 0x11, 0, 0, 0, 0]);
        assert_eq!(read(&space, SRIOV), [0x10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 8, 0, 0, 0, 0, 0, 1, 0, 1, 0]);
        assert_eq!(read(&space, SRIOV + 0x18), [0, 0, 0x41, 0x10, 0x53, 5, 0, 0, 1, 0, 0, 0, 0b1100, 0, 0, 0]);
        let enabled = |space: &ConfigSpace| space.enabled_vfs().unwrap();
        let off = EnabledVfs { count: 0, memory: false };
        let mut write = |offset: usize, bytes: &[u8]| {
            assert_eq!(space.write(SRIOV + offset, bytes), Written::Fields);
            enabled(&space)
        };
        assert_eq!(write(0x10, &[4, 0]), off, "a number alone enables nothing");
        assert_eq!(write(0x08, &[0xf7, 0xff]), EnabledVfs { count: 4, memory: false });
        assert_eq!(write(0x08, &[9, 0]), EnabledVfs { count: 4, memory: true });
        assert_eq!(write(0x10, &[5, 0]), EnabledVfs { count: 4, memory: true }, "not while they are enabled");
        // Both at once: what counts is what was before.
        assert_eq!(write(0x08, &[0, 0, 0, 0, 0, 0, 0, 0, 6, 0]), off);
        assert_eq!(write(0x08, &[1, 0]), EnabledVfs { count: 4, memory: false });
        assert_eq!(write(0x08, &[0, 0]), off);
        for more in [[9, 0], [0, 1]] {
            assert_eq!(write(0x10, &more), off);
        }
        assert_eq!(write(0x08, &[1, 0]), EnabledVfs { count: 4, memory: false }, "not more than there are");
        space.reset();
        assert_eq!((enabled(&space), read(&space, SRIOV + 0x10)), (off, [0, 0]));
        let mut all = ConfigSpace::new(Kind::Pf { vfs: 8, enabled: 8, switch: false }, 3, 2);
        let _ = all.write(SRIOV + 0x08, &[0, 0]);
        assert_eq!(enabled(&all), off);
        all.reset();
        assert_eq!(enabled(&all), EnabledVfs { count: 8, memory: true });
        assert_eq!(ConfigSpace::new(Kind::Vf, 3, 2).enabled_vfs(), None);
    }

    #[test]
    fn the_window_is_only_used_as_a_driver_may_set_it() {
        let mut space = ConfigSpace::new(Kind::Vf, 3, 2);
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
