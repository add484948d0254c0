// SPDX-License-Identifier: MIT OR Apache-2.0
//! A function as its client reaches it: configuration space and BARs.

use super::ServedMemory;
use super::config_space::{ConfigSpace, Written};
use super::messages;
use super::owner::Owner;
use super::vfs::Vfs;
use super::{ECPF, Mode, PF};
use crate::{BusError, DpuSimulation};
use millrace_regs::host::pci::{self, FUNCTION_BAR, REGISTER_BAR};
use millrace_regs::host::{MODE_ADDRESS, host_address};
use millrace_vfio_user::{Function, Space};
use nix::errno::Errno;

/// Reads of `MODE` after which a change of it counts as stuck. Each lets some clocks pass.
const MODE_PATIENCE: u32 = 100_000;

/// A function, with the device that it belongs to.
pub(super) struct Access<'a> {
    pub dpu: &'a mut DpuSimulation<ServedMemory>,
    pub config: &'a mut ConfigSpace,
    /// 0 is the ECPF.
    pub function: usize,
    /// Those of a PF.
    pub vfs: Option<&'a mut Vfs>,
    pub owner: &'a Owner,
}

/// Where an access goes that is no larger than its bus allows.
enum Bar {
    /// To this function's block.
    Host(usize),
    /// To the register map.
    Registers,
}

impl Bar {
    fn bytes(&self) -> u64 {
        match self {
            Self::Host(_) => FUNCTION_BAR,
            Self::Registers => REGISTER_BAR,
        }
    }

    /// Whether an access lies in it. One through the window of virtio 4.1.4.9 need not: behind the function's block another's begins.
    fn holds(&self, offset: u64, len: usize) -> bool {
        offset.checked_add(len as u64).is_some_and(|end| end <= self.bytes())
    }
}

impl Access<'_> {
    fn bar(&self, bar: u8) -> Result<Bar, Errno> {
        // Who has the switch is the device's to know: it refuses all others.
        match (self.function, bar) {
            (ECPF | PF, 2) => Ok(Bar::Registers),
            (PF, 4) => Ok(Bar::Host(ECPF)),
            (function, 0) => Ok(Bar::Host(function)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// What no block answers reads all ones, as from PCI Express.
    fn read_word(&mut self, bar: &Bar, offset: u32) -> u32 {
        let word = match bar {
            Bar::Host(function) => self.dpu.read_host_from(self.function, host_address(*function as u32, offset)),
            Bar::Registers => self.dpu.read32_from(self.function, offset as u16),
        };
        word.unwrap_or_else(|error| {
            tracing::debug!("function {}: {error}", self.function);
            u32::MAX
        })
    }

    fn write_word(&mut self, bar: &Bar, offset: u32, value: u32, strobe: u8) {
        let written = match bar {
            Bar::Host(_) if messages::is_ours(offset) => return,
            Bar::Host(function) => {
                self.dpu.write_host_from(self.function, host_address(*function as u32, offset), value, strobe)
            }
            // The register map has words only.
            Bar::Registers if strobe == 0b1111 => self.dpu.write32_from(self.function, offset as u16, value),
            Bar::Registers => return,
        };
        if let Err(error) = written {
            tracing::debug!("function {}: {error}", self.function);
        }
    }

    fn read_bar(&mut self, bar: u8, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let bar = self.bar(bar)?;
        if !self.config.memory_enabled() || !bar.holds(offset, data.len()) {
            data.fill(0xff);
            return Ok(());
        }
        for (offset, bytes) in words(offset, data.len())? {
            let word = self.read_word(&bar, offset & !3).to_le_bytes();
            data[bytes.clone()].copy_from_slice(&word[offset as usize % 4..][..bytes.len()]);
        }
        Ok(())
    }

    fn write_bar(&mut self, bar: u8, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let bar = self.bar(bar)?;
        if !self.config.memory_enabled() || !bar.holds(offset, data.len()) {
            return Ok(());
        }
        for (offset, bytes) in words(offset, data.len())? {
            let (low, len) = (offset as usize % 4, bytes.len());
            let mut word = [0; 4];
            word[low..][..len].copy_from_slice(&data[bytes]);
            let strobe = ((1_u8 << len) - 1) << low;
            self.write_word(&bar, offset & !3, u32::from_le_bytes(word), strobe);
        }
        Ok(())
    }

    /// Reads through the window of virtio 4.1.4.9.
    fn read_window(&mut self, data: &mut [u8]) -> Result<(), Errno> {
        match self.config.window() {
            Some((bar, offset, length)) if length == data.len() && self.bar(bar).is_ok() => {
                self.read_bar(bar, offset.into(), data)
            }
            _ => Ok(()),
        }
    }

    fn write_window(&mut self, data: &[u8]) -> Result<(), Errno> {
        match self.config.window() {
            Some((bar, offset, length)) if length == data.len() && self.bar(bar).is_ok() => {
                self.write_bar(bar, offset.into(), data)
            }
            _ => Ok(()),
        }
    }

    /// What the configuration space says reaches the hardware.
    fn apply(&mut self) {
        let master = self.config.bus_master();
        match self.function {
            ECPF => self.owner.set_ecpf_master(master),
            PF => {
                self.owner.set_pf_master(master);
                self.dpu.set_bus_master(PF, master);
            }
            function => self.dpu.set_bus_master(function, master),
        }
        self.follow_mode();
        if self.owns_switch() {
            self.dpu.set_bus_master(ECPF, self.owner.bus_master());
        }
        if let (Some(vfs), Some(enabled)) = (&mut self.vfs, self.config.enabled_vfs()) {
            vfs.follow(self.dpu, self.owner, enabled);
        }
    }

    fn owns_switch(&self) -> bool {
        match self.owner.mode() {
            Mode::Dpu => self.function == ECPF,
            Mode::Nic => self.function == PF,
        }
    }

    /// The switch changes hands, if the ECPF says so. Nothing of function 0 is under way then.
    fn follow_mode(&mut self) {
        let Some(mode) = self.config.mode().filter(|mode| *mode != self.owner.mode()) else { return };
        self.dpu.set_bus_master(ECPF, false);
        if let Err(error) = set_mode(self.dpu, mode) {
            tracing::error!("the mode cannot be set: {error}");
            return;
        }
        self.owner.set_mode(mode);
        self.dpu.set_bus_master(ECPF, self.owner.bus_master());
    }

    /// Ends all that the function has under way.
    fn reset_function(&mut self) {
        self.config.reset();
        self.apply();
        if let Err(error) = self.dpu.reset_function(self.function) {
            tracing::error!("{error}");
        }
    }
}

/// Gives the switch to its owner in this mode, as the ECPF.
pub(super) fn set_mode(dpu: &mut DpuSimulation<ServedMemory>, mode: Mode) -> Result<(), BusError> {
    let nic = if mode == Mode::Nic { pci::mode::NIC } else { 0 };
    dpu.write_host_from(ECPF, MODE_ADDRESS, nic, 0b1111)?;
    for _ in 0..MODE_PATIENCE {
        if dpu.read_host_from(ECPF, MODE_ADDRESS)? & pci::mode::CHANGING == 0 {
            return Ok(());
        }
    }
    let cycles = MODE_PATIENCE.into();
    Err(BusError::NoAnswer { access: crate::Access::Write, offset: MODE_ADDRESS, cycles })
}

impl Function for Access<'_> {
    fn read(&mut self, space: Space, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        match space {
            Space::Bar(bar) => self.read_bar(bar, offset, data),
            Space::Config => {
                let offset = offset as usize;
                self.config.read(offset, data);
                if in_window(offset, data.len()) { self.read_window(data) } else { Ok(()) }
            }
        }
    }

    fn write(&mut self, space: Space, offset: u64, data: &[u8]) -> Result<(), Errno> {
        match space {
            Space::Bar(bar) => self.write_bar(bar, offset, data),
            Space::Config => {
                let offset = offset as usize;
                match self.config.write(offset, data) {
                    Written::Reset => self.reset_function(),
                    Written::Fields => self.apply(),
                }
                if in_window(offset, data.len()) { self.write_window(data) } else { Ok(()) }
            }
        }
    }

    fn reset(&mut self) {
        self.reset_function();
    }
}

fn in_window(offset: usize, len: usize) -> bool {
    ConfigSpace::WINDOW_DATA.start == offset && offset + len <= ConfigSpace::WINDOW_DATA.end
}

/// The accesses to words, or to parts of one, that an access is made of: offset, and which bytes of the data.
fn words(offset: u64, len: usize) -> Result<impl Iterator<Item = (u32, std::ops::Range<usize>)>, Errno> {
    if !matches!(len, 1 | 2 | 4 | 8) || !offset.is_multiple_of(len as u64) {
        return Err(Errno::EINVAL);
    }
    let step = len.min(4);
    Ok((0..len).step_by(step).map(move |at| (offset as u32 + at as u32, at..at + step)))
}
