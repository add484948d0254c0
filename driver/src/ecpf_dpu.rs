// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device whose ECPF this process drives, however it reaches it.

use crate::event::Event;
use crate::virtio::{DmaMemory, Ecpf, FunctionView, VirtioPci};
use crate::{Access, Device, DeviceError, DropSample, Registers, Sent, Upcall};
use std::time::Instant;

/// An ECPF, and what its driver reaches it by.
pub trait EcpfFunction {
    /// The register map.
    type Registers: Registers;
    /// BAR 0.
    type Bar: VirtioPci;
    /// Memory that it reaches.
    type Memory: DmaMemory;

    /// Makes sure that it is there still.
    ///
    /// # Errors
    /// If it has gone.
    fn check(&self) -> Result<(), DeviceError>;
}

/// A device as its ECPF sees it: registers, and rings in memory for upcalls and packets out. Its time is that of this machine, since it was opened.
///
/// [`poll`](Device::poll) looks at the rings and does not wait: a caller that has nothing else to do waits for its `descriptors`.
pub struct EcpfDpu<F: EcpfFunction> {
    registers: F::Registers,
    pub(crate) ecpf: Ecpf<F::Bar, F::Memory>,
    /// Of the receiveqs.
    pub(crate) upcalls: Event,
    /// The configuration's: the function needs a reset.
    pub(crate) changes: Event,
    start: Instant,
    // Last, for it goes last.
    pub(crate) function: F,
}

impl<F: EcpfFunction> EcpfDpu<F> {
    /// Of a function that was brought up. `upcalls` is signalled by its receiveqs, `changes` by its configuration.
    pub(crate) fn new(
        function: F,
        registers: F::Registers,
        ecpf: Ecpf<F::Bar, F::Memory>,
        upcalls: Event,
        changes: Event,
    ) -> Self {
        Self { registers, ecpf, upcalls, changes, start: Instant::now(), function }
    }

    /// The ECPF's BAR 0, for what it sets of the other functions.
    pub fn bar(&mut self) -> &mut F::Bar {
        self.ecpf.bar()
    }
}

impl<F: EcpfFunction> Device for EcpfDpu<F> {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.registers.read32(address)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.registers.write32(address, value)
    }

    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        self.registers.batch(accesses)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.ecpf.next_upcall()
    }

    fn upcall_waiting(&self) -> bool {
        self.ecpf.upcall_waiting()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.ecpf.packet_out(vport, frame)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.function.check()?;
        // What comes after this is signalled again.
        self.upcalls.take();
        if self.changes.take() {
            self.ecpf.check()?;
        }
        self.ecpf.look(self.now())?;
        Ok(())
    }

    fn next_drop_sample(&mut self) -> Option<DropSample> {
        self.ecpf.next_sample()
    }

    fn function(&mut self, function: u32) -> Result<Option<FunctionView>, DeviceError> {
        let view = FunctionView::read(self.ecpf.bar(), function);
        view.map(Some).map_err(|error| DeviceError::Backend(error.into()))
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}
