// SPDX-License-Identifier: MIT OR Apache-2.0
//! The backend with the host side: upcalls and packets out go through the representors' virtqueues, in memory of this process.

use crate::embedded::{error, offset};
use crate::{Bar, CYCLE_NS, DpuSimulation, HostMemory};
use millrace_driver::virtio::{Ecpf, FunctionView, LocalMemory, Settings, VirtioError};
use millrace_driver::{Device, DeviceError, DropSample, Sent, Upcall};
use std::cell::RefCell;
use std::rc::Rc;

/// Cycles between two looks at rings.
pub(crate) const LOOK: u64 = 64;

/// A simulated device with host side, as its ECPF sees it. Time passes while registers are accessed and while it is polled, one cycle each time.
pub struct EmbeddedDpu<M = LocalMemory> {
    dpu: Rc<RefCell<DpuSimulation<M>>>,
    ecpf: Ecpf<Bar<M>, LocalMemory>,
    /// Cycle from which on the rings are worth a look.
    look_at: u64,
}

impl<M: HostMemory> EmbeddedDpu<M> {
    /// Brings the ECPF of a simulation up, as its only driver; `memory` is what it reaches.
    ///
    /// # Errors
    /// If the function cannot be brought up.
    pub fn new(
        dpu: Rc<RefCell<DpuSimulation<M>>>,
        memory: LocalMemory,
        settings: Settings,
    ) -> Result<Self, VirtioError> {
        dpu.borrow_mut().set_bus_master(0, true);
        let vports = dpu.borrow().config().vports();
        let ecpf = Ecpf::start(Bar::new(dpu.clone(), 0), memory, settings, vports)?;
        Ok(Self { dpu, ecpf, look_at: 0 })
    }

    /// Takes what the representors' rings hold, without waiting for the next look that is due; how many upcalls there were.
    ///
    /// # Errors
    /// If the function did what it must not.
    pub fn look(&mut self) -> Result<usize, DeviceError> {
        let cycle = self.dpu.borrow().cycle();
        self.look_at = cycle + LOOK;
        self.ecpf.look(cycle * CYCLE_NS)
    }

    /// The ECPF's BAR.
    pub fn bar(&mut self) -> &mut Bar<M> {
        self.ecpf.bar()
    }
}

impl<M: HostMemory> Device for EmbeddedDpu<M> {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.dpu.borrow_mut().read32(offset("read", address)?).map_err(error)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.dpu.borrow_mut().write32(offset("write", address)?, value).map_err(error)
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
        let cycle = {
            let mut dpu = self.dpu.borrow_mut();
            dpu.step();
            dpu.cycle()
        };
        if cycle >= self.look_at {
            self.look()?;
        }
        Ok(())
    }

    fn next_drop_sample(&mut self) -> Option<DropSample> {
        self.ecpf.next_sample()
    }

    fn function(&mut self, function: u32) -> Result<Option<FunctionView>, DeviceError> {
        let view = FunctionView::read(self.bar(), function);
        view.map(Some).map_err(|error| DeviceError::Backend(error.into()))
    }

    fn now(&self) -> u64 {
        self.dpu.borrow().cycle() * CYCLE_NS
    }
}
