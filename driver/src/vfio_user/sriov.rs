// SPDX-License-Identifier: MIT OR Apache-2.0
//! The VFs of a served PF: its extended capability SR-IOV (PCI Express Base 5.0 §9.3.3), used as Linux's `sriov_numvfs` does.

use super::client::lock;
use super::{AttachError, VfioUserFunction};
use millrace_regs::host::pci::{EXTENDED, sriov};
use millrace_vfio_user::Space;

/// Bytes of a configuration space with extended capabilities.
const EXTENDED_END: usize = 4096;

/// The VFs of a PF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfCount {
    /// So many there are at most.
    pub total: u16,
    /// So many of them are enabled.
    pub enabled: u16,
}

impl VfioUserFunction {
    /// How many VFs the function has; none if it is no PF.
    ///
    /// # Errors
    /// If the server has gone.
    pub fn vfs(&self) -> Result<VfCount, AttachError> {
        let Some(at) = self.sriov()? else { return Ok(VfCount { total: 0, enabled: 0 }) };
        let enabled = self.half(at + sriov::CONTROL)? & sriov::VF_ENABLE != 0;
        Ok(VfCount {
            total: self.half(at + sriov::TOTAL_VFS)?,
            enabled: if enabled { self.half(at + sriov::NUM_VFS)? } else { 0 },
        })
    }

    /// Enables so many VFs, or disables all: then they are reset, and their clients lose them. What was asked for is done when this returns. They go when our connection does,
    /// unless they are there from the start on.
    ///
    /// # Errors
    /// If there are not so many, or, with `vfs` > 0, others are enabled: these have to be disabled first.
    pub fn set_num_vfs(&self, vfs: u16) -> Result<(), AttachError> {
        let refused = |problem| AttachError::Vfs { path: self.path().to_owned(), vfs, problem };
        let VfCount { total, enabled } = self.vfs()?;
        let at = match self.sriov()? {
            Some(at) if vfs <= total => at,
            _ => return Err(refused(format!("the function has {total}"))),
        };
        if vfs > 0 && enabled > 0 {
            return Err(refused(format!("{enabled} are enabled, and have to be disabled first")));
        }
        let on = sriov::VF_ENABLE | sriov::VF_MSE;
        let control = self.half(at + sriov::CONTROL)? & !on;
        self.set_half(at + sriov::CONTROL, control)?;
        if vfs > 0 {
            self.set_half(at + sriov::NUM_VFS, vfs)?;
            self.set_half(at + sriov::CONTROL, control | on)?;
        }
        match self.vfs()?.enabled {
            now if now == vfs => Ok(()),
            now => Err(refused(format!("the function has enabled {now}"))),
        }
    }

    /// Where the capability is. What a stranger's list says can be anything: no more of it is looked at than has room.
    fn sriov(&self) -> Result<Option<usize>, AttachError> {
        if lock(self.client()).info()?.config_bytes < EXTENDED_END {
            return Ok(None);
        }
        let mut at = EXTENDED;
        for _ in 0..(EXTENDED_END - EXTENDED) / 8 {
            if !(EXTENDED..EXTENDED_END - sriov::BYTES).contains(&at) {
                break;
            }
            let header = u32::from(self.half(at + 2)?) << 16 | u32::from(self.half(at)?);
            if header as u16 == sriov::ID {
                return Ok(Some(at));
            }
            at = (header >> 20) as usize & !3;
        }
        Ok(None)
    }

    fn half(&self, offset: usize) -> Result<u16, AttachError> {
        let mut bytes = [0; 2];
        lock(self.client()).read(Space::Config, offset as u64, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }

    fn set_half(&self, offset: usize, value: u16) -> Result<(), AttachError> {
        Ok(lock(self.client()).write(Space::Config, offset as u64, &value.to_le_bytes())?)
    }
}
