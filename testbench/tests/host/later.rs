// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory in another process, which cannot always answer at once.

use crate::bench::{ADDRESS, MEMORY, PRESET, VF, assert_same, frame, small};
use millrace_driver::virtio::{LocalMemory, Representors, Settings, VirtioNet};
use millrace_sim::{Bar, Dma, DpuSimulation, HostMemory, Latency};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// Memory that has to be asked several times for the same transfer.
struct Hesitant {
    memory: LocalMemory,
    /// What is under way, and how often it was asked for: a write, its address and length.
    under_way: RefCell<HashMap<(bool, u64, usize), u64>>,
    /// How often there was no answer.
    put_off: Cell<usize>,
}

impl Hesitant {
    fn new(memory: LocalMemory) -> Self {
        Self { memory, under_way: RefCell::default(), put_off: Cell::new(0) }
    }

    /// Whether the transfer is made now.
    fn now(&self, write: bool, address: u64, len: usize) -> bool {
        let transfer = (write, address, len);
        let times = self.under_way.borrow_mut().remove(&transfer).unwrap_or(0);
        let done = times >= address / 64 % 4;
        if !done {
            self.under_way.borrow_mut().insert(transfer, times + 1);
            self.put_off.set(self.put_off.get() + 1);
        }
        done
    }
}

impl HostMemory for Hesitant {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Dma {
        if self.now(false, address, bytes.len()) { self.memory.read(address, bytes) } else { Dma::Later }
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Dma {
        if self.now(true, address, bytes.len()) { self.memory.write(address, bytes) } else { Dma::Later }
    }
}

#[test]
fn memory_that_answers_later_changes_nothing_but_the_time() {
    let config = PRESET.config();
    let locals: Vec<_> = (0..config.functions()).map(|_| LocalMemory::new(ADDRESS, MEMORY)).collect();
    let memories = locals.iter().map(|local| Hesitant::new(local.clone())).collect();
    let mut dpu = DpuSimulation::new(PRESET, memories, Latency::default()).unwrap();
    [0, VF].iter().for_each(|function| dpu.set_bus_master(*function, true));
    let dpu = Rc::new(RefCell::new(dpu));
    let settings = Settings { pairs: config.vports() as u16, ..small() };
    let mut representors = Representors::start(Bar::new(dpu.clone(), 0), locals[0].clone(), settings).unwrap();
    let mut vf = VirtioNet::start(Bar::new(dpu.clone(), VF), locals[VF].clone(), small()).unwrap();

    let frames: Vec<_> = (0..30).map(|i| frame(60 + 101 * i, i as u64)).collect();
    // No more at once than the queue of the upcalls holds.
    for burst in frames.chunks(5) {
        assert_eq!(vf.send(0, burst.iter().map(Vec::as_slice)).unwrap(), burst.len());
        assert!(dpu.borrow_mut().run_until_idle(1_000_000), "not at rest");
    }
    let vport = config.vport_of_function(VF).unwrap() as u16;
    let upcalls = representors.upcalls(vport, frames.len() + 1).unwrap();
    let upcalls: Vec<_> = upcalls.into_iter().map(|upcall| upcall.frame).collect();
    assert_same(&upcalls, &frames);
    assert_eq!(vf.reclaim(0).unwrap(), frames.len());
    for function in [0, VF] {
        let dpu = dpu.borrow();
        let memory = dpu.memory(function);
        assert!(memory.put_off.get() > frames.len(), "function {function} never waited");
        assert!(memory.under_way.borrow().is_empty(), "function {function}: given up: {:?}", memory.under_way);
    }
}
