// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory that does not answer (`docs/host.md`, "DMA").

use crate::bench::{ADDRESS, MEMORY, PF, PRESET, VF, frame, receive, small};
use millrace_driver::virtio::{Fault, LocalMemory, Representors, Settings, VirtioError, VirtioNet, VirtioPci};
use millrace_regs::host::{DMA_TIMEOUT_RESET, ENGINE, FaultReason, TIME_UNIT_NS};
use millrace_sim::{Bar, CYCLE_NS, Dma, DpuSimulation, HostMemory, Latency, Port};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Units of time that memory has here.
const LIMIT: u32 = 3;
const UNIT: u64 = TIME_UNIT_NS / CYCLE_NS;

/// What is not answered: transfers of this kind.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kind {
    port: Port,
    write: bool,
}

/// Memory of which some is silent for a while.
#[derive(Clone)]
struct Silent {
    memory: LocalMemory,
    silent: Rc<Cell<Option<Kind>>>,
    /// Transfers that were not answered when they were asked for.
    held: Rc<Cell<usize>>,
}

impl Silent {
    fn new() -> Self {
        Self { memory: LocalMemory::new(ADDRESS, MEMORY), silent: Rc::default(), held: Rc::default() }
    }

    fn answers(&self, port: Port, write: bool) -> bool {
        let silent = self.silent.get() == Some(Kind { port, write });
        self.held.set(self.held.get() + usize::from(silent));
        !silent
    }
}

impl HostMemory for Silent {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Dma {
        self.memory.read(address, bytes)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Dma {
        self.memory.write(address, bytes)
    }

    fn read_through(&self, port: Port, address: u64, bytes: &mut [u8]) -> Dma {
        if self.answers(port, false) { self.read(address, bytes) } else { Dma::Later }
    }

    fn write_through(&self, port: Port, address: u64, bytes: &[u8]) -> Dma {
        if self.answers(port, true) { self.write(address, bytes) } else { Dma::Later }
    }
}

type Shared = Rc<RefCell<DpuSimulation<Silent>>>;
type Net = VirtioNet<Bar<Silent>, LocalMemory>;

struct Bench {
    dpu: Shared,
    memories: Vec<Silent>,
    ecpf: Representors<Bar<Silent>, LocalMemory>,
}

impl Bench {
    fn new(latency: Latency) -> Self {
        let config = PRESET.config();
        let memories: Vec<_> = (0..config.functions()).map(|_| Silent::new()).collect();
        let mut dpu = DpuSimulation::new(PRESET, memories.clone(), latency).unwrap();
        (0..config.functions()).for_each(|function| dpu.set_bus_master(function, true));
        let dpu = Rc::new(RefCell::new(dpu));
        let settings = Settings { pairs: config.vports() as u16, ..small() };
        let mut bar = Bar::new(dpu.clone(), 0);
        assert_eq!(bar.read32(ENGINE.offset).unwrap(), DMA_TIMEOUT_RESET);
        bar.write32(ENGINE.offset, LIMIT).unwrap();
        let ecpf = Representors::start(bar, memories[0].memory.clone(), settings).unwrap();
        Self { dpu, memories, ecpf }
    }

    fn start(&self, function: usize, settings: &Settings) -> Net {
        let memory = self.memories[function].memory.clone();
        VirtioNet::start(Bar::new(self.dpu.clone(), function), memory, settings.clone()).unwrap()
    }

    fn skip(&self, units: u64) {
        self.dpu.borrow_mut().skip(units * UNIT);
    }

    fn run(&self) {
        assert!(self.dpu.borrow_mut().run_until_idle(1_000_000), "not at rest");
    }

    /// The frames that a function's vport got.
    fn upcalls(&mut self, function: usize) -> Vec<Vec<u8>> {
        let vport = PRESET.config().vport_of_function(function).unwrap() as u16;
        self.ecpf.upcalls(vport, 100).unwrap().into_iter().map(|upcall| upcall.frame).collect()
    }

    fn packet_out(&mut self, function: usize, frame: &[u8]) {
        let vport = PRESET.config().vport_of_function(function).unwrap() as u16;
        let _ = self.ecpf.packet_out(vport, frame).unwrap();
    }
}

/// What is not answered, and the virtqueue that it is for; frames out begin with a read of their ring.
const CASES: [(Kind, u16); 4] = [
    (Kind { port: Port::Ring, write: false }, 1),
    (Kind { port: Port::Data, write: false }, 1),
    (Kind { port: Port::Ring, write: true }, 1),
    (Kind { port: Port::Data, write: true }, 0),
];

#[test]
fn what_is_not_answered_in_time_stops_its_queue_and_late_answers_harm_nobody() {
    for packed in [false, true] {
        for (seed, (kind, virtqueue)) in (0..).zip(CASES) {
            let latency = Latency { cycles: 60, jitter: 60, busy: 30, seed };
            let mut bench = Bench::new(latency);
            // Without EVENT_IDX nothing but used buffers is written into rings.
            let settings = Settings { packed, event_idx: false, ..small() };
            let (mut vf, mut pf) = (bench.start(VF, &settings), bench.start(PF, &settings));
            bench.run();
            bench.memories[VF].silent.set(Some(kind));
            let (sent, others) = (frame(700, 1), frame(3000, 2));
            match virtqueue {
                0 => bench.packet_out(VF, &sent),
                _ => assert_eq!(vf.send(0, [&sent[..]]).unwrap(), 1),
            }
            bench.skip(1);
            assert!(bench.memories[VF].held.get() > 0, "{kind:?}: nothing was asked for");
            vf.check().unwrap();
            if !kind.write {
                // While a read waits, others overtake it on their way to rings.
                assert_eq!(pf.send(0, [&others[..]]).unwrap(), 1);
            }
            bench.skip(u64::from(LIMIT) + 1);
            let fault = Fault { reason: FaultReason::TimeOut as u8, virtqueue };
            match vf.check() {
                Err(VirtioError::NeedsReset(told)) => assert_eq!(told, fault, "{kind:?}"),
                told => panic!("{kind:?}, packed {packed}: {told:?}"),
            }
            if !kind.write {
                assert_eq!(bench.upcalls(PF), std::slice::from_ref(&others), "{kind:?}: the other function");
            }
            if kind.write {
                // What is behind it would be next.
                bench.memories[VF].silent.set(None);
            }
            // The function is reset before memory answers the reads that were given up.
            vf.stop().unwrap();
            bench.memories[VF].silent.set(None);
            vf = bench.start(VF, &settings);
            bench.run();
            pf.check().unwrap();
            if kind.write {
                assert_eq!(pf.send(0, [&others[..]]).unwrap(), 1);
                bench.run();
                assert!(bench.upcalls(PF) == [others.clone()], "{kind:?}: the other function");
            }
            bench.upcalls(VF);
            // More than there are identifiers, so that each that was blocked is seen to be free again.
            for number in 0..300 {
                let frames = [frame(60 + number, number as u64), frame(200, 1000 + number as u64)];
                assert_eq!(vf.send(0, [&frames[0][..]]).unwrap(), 1);
                assert_eq!(pf.send(0, [&frames[1][..]]).unwrap(), 1);
                bench.packet_out(VF, &frames[1]);
                bench.run();
                assert_eq!((vf.reclaim(0).unwrap(), pf.reclaim(0).unwrap() > 0), (1, true));
                assert!(bench.upcalls(VF) == [frames[0].clone()] && bench.upcalls(PF) == [frames[1].clone()]);
                assert!(receive(&mut vf) == [frames[1].clone()], "{kind:?}, frame {number}");
            }
            for net in [&mut vf, &mut pf] {
                net.check().unwrap();
            }
        }
    }
}

#[test]
fn memory_that_answers_within_the_time_stops_nothing_and_none_may_be_set() {
    let mut bench = Bench::new(Latency::default());
    let mut vf = bench.start(VF, &small());
    bench.run();
    let data = Kind { port: Port::Data, write: false };
    let mut bar = Bar::new(bench.dpu.clone(), 0);
    for (limit, units) in [(LIMIT, u64::from(LIMIT) - 1), (0, 200)] {
        bar.write32(ENGINE.offset, limit).unwrap();
        bench.memories[VF].silent.set(Some(data));
        let sent = frame(500, limit.into());
        assert_eq!(vf.send(0, [&sent[..]]).unwrap(), 1);
        bench.skip(units);
        bench.memories[VF].silent.set(None);
        bench.run();
        vf.check().unwrap();
        assert!(bench.upcalls(VF) == [sent]);
    }
    let mut other = Bar::new(bench.dpu.clone(), VF);
    assert!(other.read32(ENGINE.offset).is_err(), "it is the ECPF's alone");
    bar.write32(ENGINE.offset, u32::MAX).unwrap();
    assert_eq!(bar.read32(ENGINE.offset).unwrap(), 0xffff);
}
