// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device that is simulated in this process: its handles are the thread's that opened them. Its time passes while it is used.

use super::erased::{self, Buffers, Control, Opened, Pair, Receiver, Sender};
use crate::error::millrace_error::{MILLRACE_E_BUSY, MILLRACE_E_NO_DEVICE, MILLRACE_E_NOT_FOUND};
use crate::error::{Failure, WrongThread};
use crate::options::Options;
use millrace_driver::vfio_user::Role;
use millrace_driver::virtio::{
    DmaMemory, FrameFunction, FrameSettings, MappedMemory, NetConfig, OutFrame, ReceivedFrame, VirtioPci, vports,
};
use millrace_driver::{BoxError, Device, DeviceError, Registers, RegistersOnly};
use millrace_sim::{Bar, Dma, DpuSimulation, HostMemory, Latency, Preset};
use millrace_vfio_user::SharedMemory;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::thread::{self, ThreadId};

/// The build that is simulated.
const PRESET: Preset = Preset::Host;
/// Where functions see their memory.
const ADDRESS: u64 = 1 << 32;
/// Cycles that pass when frames are asked for.
const LOOK: usize = 256;

/// What a driver shares with its function.
type Mapped = MappedMemory<Arc<SharedMemory>>;

/// A simulated device, and who uses its functions.
struct World {
    dpu: Rc<RefCell<DpuSimulation<Slot>>>,
    functions: Vec<Function>,
}

#[derive(Default)]
struct Function {
    memory: Slot,
    used: Cell<bool>,
}

/// A function's memory, as long as it has a driver.
#[derive(Clone, Default)]
struct Slot(Rc<RefCell<Option<Mapped>>>);

thread_local! {
    /// The thread's device.
    static WORLD: RefCell<Weak<World>> = RefCell::default();
}

/// Opens the ECPF of a new device, or a PF or VF, by its name, of the thread's.
pub fn open(function: Option<&str>, options: &Options) -> Result<Opened, Failure> {
    let (world, role, function) = match function {
        None => (World::new()?, Role::Ecpf, 0),
        Some(name) => {
            let none = || Failure::new(MILLRACE_E_NO_DEVICE, "this thread has no device `embedded`");
            let world = WORLD.with_borrow(Weak::upgrade).ok_or_else(none)?;
            let config = PRESET.config();
            let behind = config.vport_number(name).and_then(|vport| vport.checked_sub(config.uplinks));
            let missing = || Failure::new(MILLRACE_E_NOT_FOUND, format!("there is no PF or VF `{name}`"));
            (world, Role::Network, behind.ok_or_else(missing)? + 1)
        }
    };
    let own = Own::take(world, function)?;
    let mut bar = OwnBar(own.share());
    let pairs =
        if role == Role::Ecpf { vports(&mut bar).map_err(|error| Failure::foreign("embedded", error))? } else { 1 };
    let settings = FrameSettings { pairs, interrupts: false, ..options.settings.clone() };
    let memory = own.give_memory(settings.memory_bytes())?;
    let (frames, pairs) = FrameFunction::start(bar, memory, role, &settings)?;
    let buffers: Arc<dyn Buffers> = frames.buffers().clone();
    let pairs = erased::pairs(pairs).into_iter().map(|pair| own.step_for(pair)).collect();
    let registers = (role == Role::Ecpf).then(|| RegistersOnly::new(OwnRegisters(own.share())));
    let registers = registers.map(|registers| Box::new(registers) as Box<dyn Device + Send>);
    Ok(Opened { registers, buffers, pairs, control: Box::new(OwnControl { frames, own }), wakes: None })
}

impl World {
    /// Becomes the thread's device.
    fn new() -> Result<Rc<Self>, Failure> {
        if WORLD.with_borrow(|world| world.strong_count() > 0) {
            return Err(Failure::new(MILLRACE_E_BUSY, "this thread has a device `embedded`"));
        }
        let functions: Vec<Function> = (0..PRESET.config().functions()).map(|_| Function::default()).collect();
        let memories = functions.iter().map(|function| function.memory.clone()).collect();
        let dpu = DpuSimulation::new(PRESET, memories, Latency::default());
        let dpu = dpu.map_err(|error| Failure::new(MILLRACE_E_NO_DEVICE, error.to_string()))?;
        let world = Rc::new(World { dpu: Rc::new(RefCell::new(dpu)), functions });
        WORLD.set(Rc::downgrade(&world));
        Ok(world)
    }
}

/// A share of the thread's device. In another thread it gives nothing, and is lost when it is dropped there.
struct Own {
    thread: ThreadId,
    world: ManuallyDrop<Rc<World>>,
    function: usize,
    /// The function is free when this is dropped.
    claims: bool,
}

// SAFETY: what is inside is touched in its thread alone: by `get`, and when this is dropped.
unsafe impl Send for Own {}

impl Own {
    /// Makes a function its caller's.
    fn take(world: Rc<World>, function: usize) -> Result<Self, Failure> {
        if world.functions[function].used.replace(true) {
            return Err(Failure::new(MILLRACE_E_BUSY, "the function has another driver"));
        }
        world.dpu.borrow_mut().set_bus_master(function, true);
        Ok(Self { thread: thread::current().id(), world: ManuallyDrop::new(world), function, claims: true })
    }

    fn get(&self) -> Result<&Rc<World>, WrongThread> {
        if thread::current().id() == self.thread { Ok(&self.world) } else { Err(WrongThread) }
    }

    /// Another share, which claims nothing.
    fn share(&self) -> Self {
        let world = self.get().expect("what is opened is its thread's").clone();
        Self { thread: self.thread, world: ManuallyDrop::new(world), function: self.function, claims: false }
    }

    /// Gives the function memory; the driver's view of it.
    fn give_memory(&self, bytes: usize) -> Result<Mapped, Failure> {
        let memory = Arc::new(SharedMemory::new(bytes)?);
        let slot = &self.get()?.functions[self.function].memory;
        *slot.0.borrow_mut() = Some(MappedMemory::of(memory.clone(), ADDRESS));
        Ok(MappedMemory::of(memory, ADDRESS))
    }

    /// Lets time pass.
    fn step(&self) -> Result<(), WrongThread> {
        let mut dpu = self.get()?.dpu.borrow_mut();
        (0..LOOK).for_each(|_| dpu.step());
        Ok(())
    }

    fn bar(&self) -> Result<Bar<Slot>, WrongThread> {
        Ok(Bar::new(self.get()?.dpu.clone(), self.function))
    }

    /// Time passes whenever these queues are looked at.
    fn step_for(&self, pair: Pair) -> Pair {
        let Pair { receiver, sender } = pair;
        let receiver = Stepped { own: self.share(), queue: receiver };
        Pair { receiver: Box::new(receiver), sender: Box::new(Stepped { own: self.share(), queue: sender }) }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if thread::current().id() != self.thread {
            return;
        }
        if self.claims {
            let Function { memory, used } = &self.world.functions[self.function];
            self.world.dpu.borrow_mut().set_bus_master(self.function, false);
            memory.0.borrow_mut().take();
            used.set(false);
        }
        // SAFETY: it is not used after this.
        unsafe { ManuallyDrop::drop(&mut self.world) }
    }
}

struct Stepped<Q> {
    own: Own,
    queue: Q,
}

impl Receiver for Stepped<Box<dyn Receiver>> {
    fn receive(&mut self, limit: usize, frame: &mut dyn FnMut(ReceivedFrame)) -> Result<usize, Failure> {
        self.own.step()?;
        self.queue.receive(limit, frame)
    }
}

impl Sender for Stepped<Box<dyn Sender>> {
    fn send(&mut self, frames: &mut dyn Iterator<Item = OutFrame>) -> Result<usize, Failure> {
        self.own.step()?;
        self.queue.send(frames)
    }
}

/// A function's BAR.
struct OwnBar(Own);

impl Clone for OwnBar {
    fn clone(&self) -> Self {
        Self(self.0.share())
    }
}

macro_rules! accesses {
    ($($read:ident, $write:ident: $ty:ty;)*) => {
        impl VirtioPci for OwnBar {
            $(
                fn $read(&mut self, offset: u32) -> Result<$ty, BoxError> {
                    self.0.bar()?.$read(offset)
                }

                fn $write(&mut self, offset: u32, value: $ty) -> Result<(), BoxError> {
                    self.0.bar()?.$write(offset, value)
                }
            )*
        }
    };
}

accesses! {
    read8, write8: u8;
    read16, write16: u16;
    read32, write32: u32;
}

/// The device's registers.
struct OwnRegisters(Own);

impl OwnRegisters {
    fn reach(&self) -> Result<&Rc<World>, DeviceError> {
        self.0.get().map_err(|error| DeviceError::Backend(Box::new(error)))
    }
}

/// A register's address on the bus of the simulation.
fn offset(access: &'static str, address: u32) -> Result<u16, DeviceError> {
    address.try_into().map_err(|_| DeviceError::Refused { access, address })
}

impl Registers for OwnRegisters {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        let read = self.reach()?.dpu.borrow_mut().read32(offset("read", address)?);
        read.map_err(|error| DeviceError::Backend(Box::new(error)))
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        let written = self.reach()?.dpu.borrow_mut().write32(offset("write", address)?, value);
        written.map_err(|error| DeviceError::Backend(Box::new(error)))
    }
}

struct OwnControl {
    frames: FrameFunction<OwnBar, Mapped>,
    own: Own,
}

impl Control for OwnControl {
    fn check(&mut self) -> Result<(), Failure> {
        self.own.step()?;
        Ok(self.frames.check()?)
    }

    fn config(&mut self) -> Result<NetConfig, Failure> {
        Ok(self.frames.config()?)
    }

    fn bar(&mut self) -> &mut dyn VirtioPci {
        self.frames.transport()
    }

    fn stop(&mut self) -> Result<(), Failure> {
        Ok(self.frames.stop()?)
    }
}

impl HostMemory for Slot {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Dma {
        self.transfer(address, bytes.len(), |memory, offset| memory.read(offset, bytes))
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Dma {
        self.transfer(address, bytes.len(), |memory, offset| memory.write(offset, bytes))
    }
}

impl Slot {
    fn transfer(&self, address: u64, len: usize, copy: impl FnOnce(&Mapped, usize)) -> Dma {
        let memory = self.0.borrow();
        let Some(memory) = &*memory else { return Dma::Outside };
        let Some(offset) = address.checked_sub(ADDRESS).and_then(|offset| usize::try_from(offset).ok()) else {
            return Dma::Outside;
        };
        if offset > memory.bytes() || len > memory.bytes() - offset {
            return Dma::Outside;
        }
        copy(memory, offset);
        Dma::Done
    }
}
