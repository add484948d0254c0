// SPDX-License-Identifier: MIT OR Apache-2.0
//! The RTL with its host side: our drivers on its functions, rings in simulated memory.

use millrace_driver::virtio::{Cut, LocalMemory, Representors, Settings, VirtioNet, VirtioPci};
use millrace_regs::config::{MAX_FRAME, Preset};
use millrace_regs::host::{ECPF_HEADER, FUNCTION, NET_HEADER};
use millrace_sim::{Bar, DpuSimulation, Latency};
use std::cell::RefCell;
use std::rc::Rc;

/// 2 uplinks, the PF and a VF: functions 1 and 2, vports 2 and 3.
pub const PRESET: Preset = Preset::Host;
pub const PF: usize = 1;
pub const VF: usize = 2;

/// Where every function's memory is: the same for all, so that a transfer of the wrong function is seen.
pub const ADDRESS: u64 = 0x4_5678_9000;
pub const MEMORY: usize = 16 << 20;

pub type Net = VirtioNet<Bar, LocalMemory>;

/// The device, of which drivers have clones.
#[derive(Clone)]
pub struct Dpu(pub Rc<RefCell<DpuSimulation>>);

impl Dpu {
    /// All functions are bus masters.
    pub fn new(latency: Latency) -> Self {
        let memories = (0..PRESET.config().functions()).map(|_| LocalMemory::new(ADDRESS, MEMORY)).collect();
        let mut dpu = DpuSimulation::new(PRESET, memories, latency).expect("the preset is built in");
        (0..PRESET.config().functions()).for_each(|function| dpu.set_bus_master(function, true));
        Self(Rc::new(RefCell::new(dpu)))
    }

    pub fn bar(&self, function: usize) -> Bar {
        Bar::new(self.0.clone(), function)
    }

    /// Brings a PF or VF up.
    pub fn start(&self, function: usize, settings: Settings) -> Net {
        let memory = self.0.borrow().memory(function).clone();
        VirtioNet::start(self.bar(function), memory, settings).expect("the function comes up")
    }

    /// Brings the ECPF up.
    pub fn representors(&self) -> Representors<Bar, LocalMemory> {
        let memory = self.0.borrow().memory(0).clone();
        let pairs = PRESET.config().vports() as u16;
        Representors::start(self.bar(0), memory, Settings { pairs, ..small() }).expect("the ECPF comes up")
    }

    /// Until nothing is under way.
    pub fn run(&self) {
        assert!(self.0.borrow_mut().run_until_idle(1_000_000), "not at rest");
    }

    /// A clock.
    pub fn step(&self) {
        self.0.borrow_mut().step();
    }

    /// A register of a function, as the ECPF reads it.
    pub fn register(&self, function: usize, offset: u32) -> u32 {
        self.0.borrow_mut().read_bar(0, FUNCTION.at(function as u32) + offset).expect("the register is there")
    }

    /// The oldest frame that left through an uplink.
    pub fn recv(&self, uplink: usize) -> Option<Vec<u8>> {
        self.0.borrow_mut().recv(uplink).map(|received| received.frame)
    }

    pub fn send(&self, uplink: usize, frame: &[u8]) {
        self.0.borrow_mut().send(uplink, frame);
    }
}

/// Few buffers, each for the longest frame.
pub fn small() -> Settings {
    let bytes = NET_HEADER + ECPF_HEADER + MAX_FRAME;
    Settings {
        queue_size: 32,
        receive: vec![vec![Cut { gap: 0, len: bytes as u32 }]],
        transmit_bytes: bytes + 64,
        transmit_buffers: 32,
        ..Settings::default()
    }
}

/// The same with split virtqueues, for what is done to their rings by hand, and with every notification.
pub fn split() -> Settings {
    Settings { packed: false, event_idx: false, ..small() }
}

/// A frame that tells its number: not IP, so that nothing looks further into it.
pub fn frame(len: usize, number: u64) -> Vec<u8> {
    let mut frame = vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5];
    frame.extend(number.to_be_bytes());
    frame.extend((frame.len()..len.max(frame.len())).map(|i| (i as u64 ^ number) as u8));
    frame.truncate(len);
    frame
}

/// All frames that a function's driver has received on pair 0.
pub fn receive<T: VirtioPci>(net: &mut VirtioNet<T, LocalMemory>) -> Vec<Vec<u8>> {
    let mut frames = vec![];
    net.receive(0, usize::MAX, |frame| frames.push(frame.to_vec())).expect("the function works");
    frames
}

/// Panics without printing kilobytes of frames.
pub fn assert_same<'a>(left: impl IntoIterator<Item = &'a Vec<u8>>, right: &[Vec<u8>]) {
    let left: Vec<_> = left.into_iter().collect();
    assert_eq!(left.len(), right.len(), "frames");
    for (i, (left, right)) in left.iter().zip(right).enumerate() {
        let differs = left.iter().zip(right).position(|(a, b)| a != b);
        assert_eq!((left.len(), differs), (right.len(), None), "frame {i}: length, first difference");
    }
}
