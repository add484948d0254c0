// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who owns the switch (`docs/host.md`, "DPU mode and NIC mode").

use super::memory::dma;
use crate::{Dma, HostMemory};
use millrace_vfio_user::ClientMemory;
use std::cell::Cell;
use std::rc::Rc;

/// Who has the register map and function 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The ECPF.
    #[default]
    Dpu,
    /// The host's PF.
    Nic,
}

/// The present owner, and whether ECPF and PF may use their buses.
#[derive(Default)]
pub(super) struct Owner {
    mode: Cell<Mode>,
    ecpf_master: Cell<bool>,
    pf_master: Cell<bool>,
}

impl Owner {
    pub fn new(mode: Mode) -> Self {
        Self { mode: Cell::new(mode), ..Self::default() }
    }

    pub fn mode(&self) -> Mode {
        self.mode.get()
    }

    pub fn set_mode(&self, mode: Mode) {
        self.mode.set(mode);
    }

    pub fn set_ecpf_master(&self, master: bool) {
        self.ecpf_master.set(master);
    }

    pub fn set_pf_master(&self, master: bool) {
        self.pf_master.set(master);
    }

    /// Whether function 0 may use its bus, which is the owner's.
    pub fn bus_master(&self) -> bool {
        match self.mode() {
            Mode::Dpu => self.ecpf_master.get(),
            Mode::Nic => self.pf_master.get(),
        }
    }
}

/// What function 0 reaches: memory of whoever owns it.
#[derive(Clone)]
pub struct OwnersMemory {
    owner: Rc<Owner>,
    ecpf: ClientMemory,
    pf: ClientMemory,
}

impl OwnersMemory {
    pub(super) fn new(owner: Rc<Owner>, ecpf: ClientMemory, pf: ClientMemory) -> Self {
        Self { owner, ecpf, pf }
    }

    fn present(&self) -> &ClientMemory {
        match self.owner.mode() {
            Mode::Dpu => &self.ecpf,
            Mode::Nic => &self.pf,
        }
    }
}

impl HostMemory for OwnersMemory {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Dma {
        dma(self.present().read(address, bytes))
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Dma {
        dma(self.present().write(address, bytes))
    }
}
