// SPDX-License-Identifier: MIT OR Apache-2.0
//! Driver and model in one process: each function has a memory of its own, which no other reaches.

use millrace_driver::BoxError;
use millrace_driver::virtio::{Cut, LocalMemory, Settings, VirtioNet, VirtioPci};
use millrace_model::host::{BusError, Delivered, FrameOut, HostModel, Interrupt, Memory};
use millrace_regs::config::{Config, Preset};
use millrace_regs::host::{Feature, MSIX_TABLE, NOTIFY, NOTIFY_STRIDE, host_address};
use std::cell::RefCell;
use std::rc::Rc;

/// 2 uplinks, 1 PF, 2 VFs, 2 pairs of virtqueues.
pub const CONFIG: Config = Config { queue_pairs: 2, vfs: 2, ..Preset::Sim.config() };

/// What the functions offer: all that model and driver can do.
pub const OFFERED: u64 = Feature::OFFERED
    | Feature::bits(&[
        Feature::IndirectDesc,
        Feature::EventIdx,
        Feature::RingPacked,
        Feature::InOrder,
        Feature::NotificationData,
        Feature::RingReset,
    ]);

/// Device address of the memory of every function.
pub const ADDRESS: u64 = 0xab_cdef_0000;

pub type Net = VirtioNet<Bar, LocalMemory>;

/// The message of a vector.
pub fn message(function: usize, vector: u16) -> Interrupt {
    let address = 0xfee0_0000 + 0x1000 * function as u64;
    Interrupt { function, vector, address, data: 0x4020 + u32::from(vector) }
}

/// The memories of all functions.
struct Memories(Vec<LocalMemory>);

impl Memory for Memories {
    fn read(&mut self, function: usize, address: u64, bytes: &mut [u8]) -> Result<(), BusError> {
        self.0[function].device_read(address, bytes).map_err(|_| BusError::Refused)
    }

    fn write(&mut self, function: usize, address: u64, bytes: &[u8]) -> Result<(), BusError> {
        self.0[function].device_write(address, bytes).map_err(|_| BusError::Refused)
    }
}

struct World {
    model: HostModel,
    memories: Memories,
    /// Accesses to a BAR that the model lets pass before it does anything.
    lag: u32,
    accesses: u32,
    /// Virtqueues that were notified, with what was written.
    notifications: Vec<(u32, u32)>,
}

/// The device, of which drivers and tests have clones.
#[derive(Clone)]
pub struct Device(Rc<RefCell<World>>);

impl Device {
    /// All functions are bus masters, and have `bytes` bytes each; the host has enabled MSI-X, with the messages of [`message`]. The model does something at one of `lag` + 1
    /// accesses.
    pub fn new(bytes: usize, lag: u32) -> Self {
        let mut model = HostModel::offering(&CONFIG, OFFERED);
        for function in 0..CONFIG.functions() {
            model.set_bus_master(function, true);
            model.set_msix(function, true, false);
            for vector in 0..CONFIG.vectors_of_function(function) as u16 {
                let Interrupt { address, data, .. } = message(function, vector);
                let words = [address as u32, (address >> 32) as u32, data, 0];
                for (word, offset) in words.into_iter().zip((MSIX_TABLE.at(vector.into())..).step_by(4)) {
                    model.write(host_address(function as u32, offset), word, 0xf).unwrap();
                }
            }
        }
        let memories = Memories((0..CONFIG.functions()).map(|_| LocalMemory::new(ADDRESS, bytes)).collect());
        Self(Rc::new(RefCell::new(World { model, memories, lag, accesses: 0, notifications: vec![] })))
    }

    pub fn bar(&self, function: u32) -> Bar {
        Bar { device: self.clone(), function, alter: None }
    }

    pub fn memory(&self, function: u32) -> LocalMemory {
        self.0.borrow().memories.0[function as usize].clone()
    }

    /// Brings a PF or VF up.
    pub fn start(&self, function: u32, settings: Settings) -> Net {
        VirtioNet::start(self.bar(function), self.memory(function), settings).unwrap()
    }

    /// Lets the model do all that there is to do.
    pub fn run(&self) {
        let world = &mut *self.0.borrow_mut();
        world.model.run(&mut world.memories);
    }

    pub fn deliver(&self, function: u32, pair: u16, reason: u8, frame: &[u8]) -> Delivered {
        let world = &mut *self.0.borrow_mut();
        world.model.deliver(&mut world.memories, function as usize, 2 * usize::from(pair), reason, frame)
    }

    /// A frame comes for a PF or VF: the receiveq is what the function has been told.
    pub fn steer(&self, function: u32, frame: &[u8]) -> Delivered {
        let world = &mut *self.0.borrow_mut();
        world.model.deliver_steered(&mut world.memories, function as usize, frame)
    }

    pub fn frames(&self) -> Vec<FrameOut> {
        std::iter::from_fn(|| self.0.borrow_mut().model.take_frame()).collect()
    }

    pub fn interrupts(&self) -> Vec<Interrupt> {
        std::iter::from_fn(|| self.0.borrow_mut().model.take_interrupt()).collect()
    }

    /// Takes the notifications: virtqueue, and what was written.
    pub fn notifications(&self) -> Vec<(u32, u32)> {
        std::mem::take(&mut self.0.borrow_mut().notifications)
    }

    /// The host lets a function use its bus, or not.
    pub fn master(&self, function: u32, on: bool) {
        self.0.borrow_mut().model.set_bus_master(function as usize, on);
    }

    /// The ECPF writes a register of a function.
    pub fn set(&self, function: u32, register: u32, value: u32) {
        let address = host_address(0, 0x4000 + 0x40 * function + register);
        self.0.borrow_mut().model.write(address, value, 0xf).unwrap();
    }

    /// The ECPF reads one.
    pub fn get(&self, function: u32, register: u32) -> u32 {
        self.0.borrow_mut().model.read(host_address(0, 0x4000 + 0x40 * function + register)).unwrap()
    }

    fn tick(&self) {
        let world = &mut *self.0.borrow_mut();
        world.accesses += 1;
        if world.accesses.is_multiple_of(world.lag + 1) {
            world.model.run(&mut world.memories);
        }
    }
}

/// What a function that is not the model's would read: offset of the word, and the word.
pub type Alter = fn(u32, u32) -> u32;

/// The BAR of a function.
pub struct Bar {
    device: Device,
    function: u32,
    pub alter: Option<Alter>,
}

impl Bar {
    fn read(&mut self, offset: u32, bytes: u32) -> Result<u32, BoxError> {
        assert_eq!(offset % bytes, 0, "{bytes} bytes at {offset:#x}");
        let word = self.device.0.borrow_mut().model.read(host_address(self.function, offset));
        self.device.tick();
        let word = word?;
        let word = self.alter.map_or(word, |alter| alter(offset & !3, word));
        Ok((u64::from(word) >> (8 * (offset % 4)) & ((1u64 << (8 * bytes)) - 1)) as u32)
    }

    fn write(&mut self, offset: u32, bytes: u32, value: u32) -> Result<(), BoxError> {
        assert_eq!(offset % bytes, 0, "{bytes} bytes at {offset:#x}");
        if let Some(within) = offset.checked_sub(NOTIFY.offset) {
            self.device.0.borrow_mut().notifications.push((within / NOTIFY_STRIDE, value));
        }
        let (data, strobe) = (value << (8 * (offset % 4)), ((1u8 << bytes) - 1) << (offset % 4));
        let written = self.device.0.borrow_mut().model.write(host_address(self.function, offset), data, strobe);
        self.device.tick();
        Ok(written?)
    }
}

impl VirtioPci for Bar {
    fn read8(&mut self, offset: u32) -> Result<u8, BoxError> {
        self.read(offset, 1).map(|value| value as u8)
    }

    fn read16(&mut self, offset: u32) -> Result<u16, BoxError> {
        self.read(offset, 2).map(|value| value as u16)
    }

    fn read32(&mut self, offset: u32) -> Result<u32, BoxError> {
        self.read(offset, 4)
    }

    fn write8(&mut self, offset: u32, value: u8) -> Result<(), BoxError> {
        self.write(offset, 1, value.into())
    }

    fn write16(&mut self, offset: u32, value: u16) -> Result<(), BoxError> {
        self.write(offset, 2, value.into())
    }

    fn write32(&mut self, offset: u32, value: u32) -> Result<(), BoxError> {
        self.write(offset, 4, value)
    }
}

/// Small split queues as they are without further features, and without merged buffers.
pub fn small() -> Settings {
    Settings {
        queue_size: 4,
        merge: false,
        packed: false,
        indirect: false,
        event_idx: false,
        in_order: false,
        notification_data: false,
        receive: vec![vec![Cut { gap: 0, len: 2000 }]],
        transmit_bytes: 2000,
        transmit_buffers: 4,
        ..Settings::default()
    }
}

/// Bytes that tell where they are, and in which frame.
pub fn frame(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| byte()).collect()
}

/// These settings with virtqueues of every kind.
pub fn kinds(settings: &Settings) -> Vec<Settings> {
    let both = [false, true];
    let all = both.iter().flat_map(|packed| both.map(|event_idx| (*packed, event_idx)));
    let all = all.flat_map(|(packed, event_idx)| both.map(|in_order| (packed, event_idx, in_order)));
    all.map(|(packed, event_idx, in_order)| Settings { packed, event_idx, in_order, ..settings.clone() }).collect()
}

/// What is received on a pair.
pub fn receive(net: &mut Net, pair: u16) -> Vec<Vec<u8>> {
    let mut frames = vec![];
    net.receive(pair, usize::MAX, |frame| frames.push(frame.to_vec())).unwrap();
    frames
}
