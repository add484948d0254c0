// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who owns the switch of a served device (`docs/host.md`, "DPU mode and NIC mode"). The ECPF alone says so.

use super::{AttachError, VfioUserFunction};
use millrace_regs::host::pci::mode;
use std::fmt;

/// Who has registers and representors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The ECPF.
    Dpu,
    /// The host's PF.
    Nic,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dpu => "DPU mode",
            Self::Nic => "NIC mode",
        })
    }
}

impl VfioUserFunction {
    /// The mode, of an ECPF. One that does not say is in DPU mode.
    ///
    /// # Errors
    /// If the server has gone.
    pub fn mode(&self) -> Result<Mode, AttachError> {
        let Some(at) = self.mode_capability()? else { return Ok(Mode::Dpu) };
        let nic = u32::from(self.half(at + mode::MODE)?) & mode::NIC != 0;
        Ok(if nic { Mode::Nic } else { Mode::Dpu })
    }

    /// Sets the mode, of an ECPF. Function 0 is reset if it changes: whoever had it has lost it when this returns. It stays when our connection goes.
    ///
    /// # Errors
    /// If the function cannot, or the server has gone.
    pub fn set_mode(&self, chosen: Mode) -> Result<(), AttachError> {
        let refused = || {
            let found = format!("the function does not go into {chosen}");
            AttachError::NotMillrace { path: self.path().to_owned(), found }
        };
        let at = self.mode_capability()?.ok_or_else(refused)?;
        let word = if chosen == Mode::Nic { mode::NIC as u16 } else { 0 };
        self.set_half(at + mode::MODE, word)?;
        if self.mode()? == chosen { Ok(()) } else { Err(refused()) }
    }

    fn mode_capability(&self) -> Result<Option<usize>, AttachError> {
        self.extended(|at, id| Ok(id == mode::ID && self.half(at + 4)? == mode::VSEC))
    }
}
