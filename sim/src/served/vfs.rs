// SPDX-License-Identifier: MIT OR Apache-2.0
//! VFs, which are there as far as their PF's host has enabled them (`docs/host.md`, "SR-IOV").

use super::config_space::EnabledVfs;
use super::function::Access;
use super::owner::Owner;
use super::{ServedMemory, Socket};
use crate::DpuSimulation;

/// The VFs of a device, in the order of their numbers.
pub(super) struct Vfs(Vec<Socket>);

impl Vfs {
    /// These, some of which are there.
    pub fn new(sockets: Vec<Socket>) -> Self {
        Self(sockets)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Socket> {
        self.0.iter()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Socket> {
        self.0.iter_mut()
    }

    /// Those that are enabled appear, and others vanish.
    pub fn follow(&mut self, dpu: &mut DpuSimulation<ServedMemory>, owner: &Owner, enabled: EnabledVfs) {
        let EnabledVfs { count, memory } = enabled;
        for (vf, socket) in self.0.iter_mut().enumerate() {
            socket.config.set_vf_memory(memory);
            match (vf < count.into(), socket.server.is_open()) {
                (true, false) => {
                    if let Err(error) = socket.server.open() {
                        tracing::error!("a VF that was enabled is not served: {error}");
                    }
                }
                (false, true) => {
                    let Socket { function, server, config } = socket;
                    server.close(&mut Access { dpu: &mut *dpu, config, function: *function, vfs: None, owner });
                }
                _ => {}
            }
        }
    }
}
