// SPDX-License-Identifier: MIT OR Apache-2.0
//! The BAR of a function of a simulation in this process.

use crate::{BusError, DpuSimulation, HostMemory};
use millrace_driver::BoxError;
use millrace_driver::virtio::{LocalMemory, VirtioPci};
use std::cell::RefCell;
use std::rc::Rc;

/// A function's BAR. All that share a simulation are in one thread; each access lets time pass until it is answered.
pub struct Bar<M = LocalMemory> {
    dpu: Rc<RefCell<DpuSimulation<M>>>,
    function: usize,
}

impl<M: HostMemory> Bar<M> {
    /// That of function `function`; 0 is the ECPF.
    pub fn new(dpu: Rc<RefCell<DpuSimulation<M>>>, function: usize) -> Self {
        Self { dpu, function }
    }

    fn read(&self, offset: u32, bytes: u32) -> Result<u32, BusError> {
        assert!(offset.is_multiple_of(bytes), "{bytes} bytes at {offset:#x}");
        let word = self.dpu.borrow_mut().read_bar(self.function, offset & !3)?;
        Ok(word >> (8 * (offset % 4)) & (u32::MAX >> (32 - 8 * bytes)))
    }

    fn write(&self, offset: u32, bytes: u32, value: u32) -> Result<(), BusError> {
        assert!(offset.is_multiple_of(bytes), "{bytes} bytes at {offset:#x}");
        let (value, strobe) = (value << (8 * (offset % 4)), ((1 << bytes) - 1) << (offset % 4));
        self.dpu.borrow_mut().write_bar(self.function, offset & !3, value, strobe)
    }
}

impl<M: HostMemory> VirtioPci for Bar<M> {
    fn read8(&mut self, offset: u32) -> Result<u8, BoxError> {
        Ok(self.read(offset, 1)? as u8)
    }

    fn read16(&mut self, offset: u32) -> Result<u16, BoxError> {
        Ok(self.read(offset, 2)? as u16)
    }

    fn read32(&mut self, offset: u32) -> Result<u32, BoxError> {
        Ok(self.read(offset, 4)?)
    }

    fn write8(&mut self, offset: u32, value: u8) -> Result<(), BoxError> {
        Ok(self.write(offset, 1, value.into())?)
    }

    fn write16(&mut self, offset: u32, value: u16) -> Result<(), BoxError> {
        Ok(self.write(offset, 2, value.into())?)
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), BoxError> {
        Ok(self.write(offset, 4, value)?)
    }
}
