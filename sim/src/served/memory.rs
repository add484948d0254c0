// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory of the functions of a served device.

use super::OwnersMemory;
use crate::{Dma, HostMemory};
use millrace_driver::virtio::LocalMemory;
use millrace_vfio_user::{self as vfio_user, ClientMemory};

/// What a function reaches by DMA.
#[derive(Clone)]
pub enum ServedMemory {
    /// Memory of this process: the ECPF's, if its driver is here.
    Local(LocalMemory),
    /// What the client of the function's socket has mapped.
    Client(ClientMemory),
    /// The same of function 0, which may be the ECPF's or the PF's.
    Owner(OwnersMemory),
}

impl HostMemory for ServedMemory {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Dma {
        match self {
            Self::Local(memory) => memory.read(address, bytes),
            Self::Client(memory) => dma(memory.read(address, bytes)),
            Self::Owner(memory) => memory.read(address, bytes),
        }
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Dma {
        match self {
            Self::Local(memory) => memory.write(address, bytes),
            Self::Client(memory) => dma(memory.write(address, bytes)),
            Self::Owner(memory) => memory.write(address, bytes),
        }
    }
}

pub(super) fn dma(result: vfio_user::Dma) -> Dma {
    match result {
        vfio_user::Dma::Done => Dma::Done,
        vfio_user::Dma::Outside => Dma::Outside,
        vfio_user::Dma::Later => Dma::Later,
    }
}
