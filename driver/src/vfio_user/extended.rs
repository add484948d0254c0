// SPDX-License-Identifier: MIT OR Apache-2.0
//! Extended capabilities of a served function (PCI Express Base 5.0 §7.6.3).

use super::client::lock;
use super::{AttachError, VfioUserFunction};
use millrace_regs::host::pci::EXTENDED;
use millrace_vfio_user::Space;

/// Bytes of a configuration space that has them.
const END: usize = 4096;
/// Bytes of the longest one that is looked for.
const LONGEST: usize = 64;

impl VfioUserFunction {
    /// Where the first one lies that is wanted, by its place and number. What a stranger's list says can be anything: no more of it is looked at than has room.
    pub(super) fn extended(
        &self,
        wanted: impl Fn(usize, u16) -> Result<bool, AttachError>,
    ) -> Result<Option<usize>, AttachError> {
        if lock(self.client()).info()?.config_bytes < END {
            return Ok(None);
        }
        let mut at = EXTENDED;
        for _ in 0..(END - EXTENDED) / 8 {
            if !(EXTENDED..=END - LONGEST).contains(&at) {
                break;
            }
            if wanted(at, self.half(at)?)? {
                return Ok(Some(at));
            }
            at = usize::from(self.half(at + 2)? >> 4) & !3;
        }
        Ok(None)
    }

    pub(super) fn half(&self, offset: usize) -> Result<u16, AttachError> {
        let mut bytes = [0; 2];
        lock(self.client()).read(Space::Config, offset as u64, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }

    pub(super) fn set_half(&self, offset: usize, value: u16) -> Result<(), AttachError> {
        Ok(lock(self.client()).write(Space::Config, offset as u64, &value.to_le_bytes())?)
    }
}
