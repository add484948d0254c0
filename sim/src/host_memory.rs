// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is behind the device's DMA.

use millrace_driver::virtio::LocalMemory;

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Dma {
    /// It was made.
    Done,
    /// Not all of the bytes are the device's to touch: SLVERR.
    Outside,
    /// It is under way: the same call has to be made again, until it gives something else.
    Later,
}

/// The DMA port that a transfer comes through (`docs/host.md`, "DMA").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// `m_axi_ring`: rings and descriptors.
    Ring,
    /// `m_axi_data`: frames.
    Data,
}

/// Memory of a function's driver, by the addresses that the device uses.
pub trait HostMemory {
    /// Reads bytes, all or none.
    fn read(&self, address: u64, bytes: &mut [u8]) -> Dma;

    /// Writes bytes. Those of a call that did not give `Done` may have been written or not.
    fn write(&self, address: u64, bytes: &[u8]) -> Dma;

    /// As [`read`](Self::read), for who wants to know the port.
    fn read_through(&self, _: Port, address: u64, bytes: &mut [u8]) -> Dma {
        self.read(address, bytes)
    }

    /// As [`write`](Self::write), for who wants to know the port.
    fn write_through(&self, _: Port, address: u64, bytes: &[u8]) -> Dma {
        self.write(address, bytes)
    }
}

impl HostMemory for LocalMemory {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Dma {
        self.device_read(address, bytes).map_or(Dma::Outside, |()| Dma::Done)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Dma {
        self.device_write(address, bytes).map_or(Dma::Outside, |()| Dma::Done)
    }
}
