// SPDX-License-Identifier: MIT OR Apache-2.0
//! The backend with the host side: upcalls and packets out go through the representors' virtqueues, in memory of this process.

use crate::embedded::{error, offset};
use crate::{Bar, CYCLE_NS, DpuSimulation, HostMemory};
use millrace_driver::virtio::{LocalMemory, Representors, Settings, VirtioError};
use millrace_driver::{Device, DeviceError, Sent, Upcall};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// Upcalls that are fetched from a representor at once.
const BURST: usize = 32;
/// Cycles between two looks at the representors' rings.
const LOOK: u64 = 64;

/// A simulated device with host side, as its ECPF sees it. Time passes while registers are accessed and while it is polled, one cycle each time.
pub struct EmbeddedDpu<M = LocalMemory> {
    dpu: Rc<RefCell<DpuSimulation<M>>>,
    representors: Representors<Bar<M>, LocalMemory>,
    upcalls: VecDeque<Upcall>,
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
        let pairs = dpu.borrow().config().vports() as u16;
        let representors = Representors::start(Bar::new(dpu.clone(), 0), memory, Settings { pairs, ..settings })?;
        Ok(Self { dpu, representors, upcalls: VecDeque::new(), look_at: 0 })
    }

    /// The ECPF's BAR.
    pub fn bar(&mut self) -> &mut Bar<M> {
        self.representors.net().transport()
    }

    /// Takes the upcalls that are in the rings.
    fn look(&mut self) -> Result<(), VirtioError> {
        let (vports, at) = {
            let dpu = self.dpu.borrow();
            (dpu.config().vports() as u16, dpu.cycle() * CYCLE_NS)
        };
        for vport in 0..vports {
            let found = self.representors.upcalls(vport, BURST)?;
            let upcalls =
                found.into_iter().map(|u| Upcall { vport: u.vport as u8, reason: u.reason, at, frame: u.frame });
            self.upcalls.extend(upcalls);
        }
        Ok(())
    }
}

fn backend(error: VirtioError) -> DeviceError {
    DeviceError::Backend(Box::new(error))
}

impl<M: HostMemory> Device for EmbeddedDpu<M> {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.dpu.borrow_mut().read32(offset("read", address)?).map_err(error)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.dpu.borrow_mut().write32(offset("write", address)?, value).map_err(error)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.upcalls.pop_front()
    }

    fn upcall_waiting(&self) -> bool {
        !self.upcalls.is_empty()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.representors.packet_out(vport.into(), frame).map_err(backend)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        let cycle = {
            let mut dpu = self.dpu.borrow_mut();
            dpu.step();
            dpu.cycle()
        };
        if cycle >= self.look_at {
            self.look_at = cycle + LOOK;
            self.look().map_err(backend)?;
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        self.dpu.borrow().cycle() * CYCLE_NS
    }
}
