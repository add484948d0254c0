// SPDX-License-Identifier: MIT OR Apache-2.0
//! The VFs of a served PF: its extended capability SR-IOV (PCI Express Base 5.0 §9.3.3), used as Linux's `sriov_numvfs` does.

use super::{AttachError, VfioUserFunction};
use millrace_regs::host::pci::sriov;

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

    fn sriov(&self) -> Result<Option<usize>, AttachError> {
        self.extended(|_, id| Ok(id == sriov::ID))
    }
}
