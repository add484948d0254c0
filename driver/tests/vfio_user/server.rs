// SPDX-License-Identifier: MIT OR Apache-2.0
//! The model of the host side as PCI functions. What a VF sends goes to the ECPF as an upcall of its vport, and what the ECPF sends out of a
//! VF's vport goes to the VF.

use millrace_model::host::{BusError, HostModel, Memory};
use millrace_regs::config::{Config, Preset};
use millrace_regs::host::{
    COMMON, DEVICE, Feature, ISR, MSIX_TABLE, NOTIFY, NOTIFY_STRIDE, common, host_address, msix,
};
use millrace_vfio_user::{ClientMemory, DeviceInfo, Dma, Function, Server, Space};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread::{JoinHandle, panicking, spawn};
use tempfile::TempDir;

/// 2 uplinks, 1 PF, 2 VFs, 2 pairs of virtqueues.
pub const CONFIG: Config = Config { queue_pairs: 2, vfs: 2, ..Preset::Sim.config() };
/// What the functions offer: virtqueues of all kinds.
const OFFERED: u64 = Feature::OFFERED
    | Feature::bits(&[Feature::EventIdx, Feature::RingPacked, Feature::InOrder, Feature::NotificationData]);
/// Reason of the upcalls: a miss.
const MISS: u8 = 0;
/// A register of the ECPF's BAR 2 that raises its configuration's interrupt, and nothing else.
pub const RAISE: u32 = 0xfffc;

/// A function with its socket.
struct Socket {
    number: usize,
    server: Server,
    config: [u8; 256],
}

/// What is behind all sockets.
struct Device {
    model: HostModel,
    memories: Memories,
    registers: HashMap<u32, u32>,
    raise: bool,
}

struct Memories(Vec<ClientMemory>);

fn bus(dma: Dma) -> Result<(), BusError> {
    if dma == Dma::Done { Ok(()) } else { Err(BusError::Refused) }
}

impl Memory for Memories {
    fn read(&mut self, function: usize, address: u64, bytes: &mut [u8]) -> Result<(), BusError> {
        bus(self.0[function].read(address, bytes))
    }

    fn write(&mut self, function: usize, address: u64, bytes: &[u8]) -> Result<(), BusError> {
        bus(self.0[function].write(address, bytes))
    }
}

/// A function as its client reaches it.
struct Access<'a> {
    device: &'a mut Device,
    config: &'a mut [u8; 256],
    number: usize,
}

impl Access<'_> {
    fn master(&mut self) {
        self.device.model.set_bus_master(self.number, self.config[4] & 4 != 0);
    }
}

impl Function for Access<'_> {
    fn read(&mut self, space: Space, offset: u64, data: &mut [u8]) -> Result<(), Errno> {
        let offset = offset as u32;
        let word = match space {
            Space::Config => {
                data.copy_from_slice(&self.config[offset as usize..][..data.len()]);
                return Ok(());
            }
            Space::Bar(0) => {
                self.device.model.read(host_address(self.number as u32, offset)).map_err(|_| Errno::EIO)?
            }
            Space::Bar(_) => self.device.registers.get(&offset).copied().unwrap_or(u32::MAX),
        };
        data.copy_from_slice(&word.to_le_bytes()[offset as usize % 4..][..data.len()]);
        Ok(())
    }

    fn write(&mut self, space: Space, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let offset = offset as u32;
        let (low, mut word) = (offset % 4, [0; 4]);
        match space {
            Space::Config => {
                self.config[offset as usize..][..data.len()].copy_from_slice(data);
                self.master();
            }
            Space::Bar(0) => {
                word[low as usize..][..data.len()].copy_from_slice(data);
                let strobe = ((1 << data.len()) - 1) << low;
                let address = host_address(self.number as u32, offset);
                self.device.model.write(address, u32::from_le_bytes(word), strobe).map_err(|_| Errno::EIO)?;
            }
            Space::Bar(_) => {
                word.copy_from_slice(data);
                self.device.registers.insert(offset, u32::from_le_bytes(word));
                self.device.raise |= offset == RAISE;
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.config[4] = 0;
        self.master();
        let status = host_address(self.number as u32, COMMON.offset + common::DEVICE_STATUS.offset);
        self.device.model.write(status, 0, 1).expect("a register of every function");
        self.device.model.run(&mut self.device.memories);
    }
}

impl Socket {
    fn bind(folder: &Path, number: usize) -> Self {
        let (name, device, registers) =
            if number == 0 { ("ecpf".into(), 0x10f0, 1 << 16) } else { (format!("f{number}"), 0x1041, 0) };
        let bars = [1 << 24, 0, registers, 0, 0, 0];
        let info = DeviceInfo { config_bytes: 256, bars, msix_vectors: CONFIG.vectors_of_function(number) as u16 };
        let server = Server::bind(folder.join(name + ".sock"), info).unwrap();
        Self { number, server, config: config_space(device) }
    }
}

/// Header and virtio's capabilities.
pub fn config_space(device: u16) -> [u8; 256] {
    let mut config = [0; 256];
    config[..4].copy_from_slice(&[0xf4, 0x1a, device as u8, (device >> 8) as u8]);
    (config[6], config[0x34]) = (1 << 4, 0x40);
    let blocks = [(1, COMMON.offset), (3, ISR.offset), (4, DEVICE.offset), (2, NOTIFY.offset)];
    for (i, (kind, offset)) in blocks.into_iter().enumerate() {
        let at = 0x40 + 0x14 * i;
        let next = if i == 3 { 0 } else { at as u8 + 0x14 };
        config[at..at + 4].copy_from_slice(&[9, next, 0x14, kind]);
        config[at + 8..at + 12].copy_from_slice(&offset.to_le_bytes());
        config[at + 16..at + 20].copy_from_slice(&NOTIFY_STRIDE.to_le_bytes());
    }
    config
}

impl Device {
    fn new(sockets: &[Socket]) -> Self {
        let mut model = HostModel::offering(&CONFIG, OFFERED);
        for function in 0..CONFIG.functions() {
            model.set_msix(function, true, false);
            for vector in 0..CONFIG.vectors_of_function(function) as u32 {
                let control = host_address(function as u32, MSIX_TABLE.at(vector) + msix::VECTOR_CONTROL.offset);
                model.write(control, 0, 0xf).expect("a vector of the function");
            }
        }
        let memories = Memories(sockets.iter().map(|socket| socket.server.memory()).collect());
        Self { model, memories, registers: HashMap::new(), raise: false }
    }

    /// Moves frames until none moves any more.
    fn work(&mut self) {
        loop {
            self.model.run(&mut self.memories);
            let Some(out) = self.model.take_frame() else { return };
            // One without a buffer is lost: the tests have enough.
            let _ = if out.function == 0 {
                let vport = out.queue / 2;
                let of = (1..CONFIG.functions()).find(|function| CONFIG.vport_of_function(*function) == Some(vport));
                let Some(function) = of else { continue };
                self.model.deliver_steered(&mut self.memories, function, &out.frame)
            } else {
                let upcalls = 2 * CONFIG.vport_of_function(out.function).unwrap();
                self.model.deliver(&mut self.memories, 0, upcalls, MISS, &out.frame)
            };
        }
    }
}

/// A served device; it ends with the value.
pub struct Served {
    folder: TempDir,
    stop: EventFd,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).unwrap();
        let its_stop = stop.as_fd().try_clone_to_owned().unwrap();
        let (ready, is_ready) = channel();
        let path = folder.path().to_owned();
        let thread = spawn(move || {
            let sockets = (0..CONFIG.functions()).map(|function| Socket::bind(&path, function)).collect();
            ready.send(()).unwrap();
            run(sockets, &its_stop);
        });
        is_ready.recv().unwrap();
        Self { folder, stop, thread: Some(thread) }
    }

    /// Path of a function's socket.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name.to_owned() + ".sock")
    }

    /// Ends the server, as if it had died.
    pub fn end(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop.write(1).unwrap();
            thread.join().unwrap();
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A test that fails is not to abort the others.
        if !panicking() {
            self.end();
        }
    }
}

fn run(mut sockets: Vec<Socket>, stop: &impl AsFd) {
    let mut device = Device::new(&sockets);
    loop {
        let mut events: Vec<PollFd<'_>> = sockets.iter().flat_map(|socket| socket.server.descriptors()).collect();
        events.push(PollFd::new(stop.as_fd(), PollFlags::POLLIN));
        poll(&mut events, PollTimeout::NONE).unwrap();
        if events.last().unwrap().any() == Some(true) {
            return;
        }
        drop(events);
        for Socket { number, server, config } in &mut sockets {
            server.turn(&mut Access { device: &mut device, config, number: *number }).unwrap();
        }
        device.work();
        while let Some(interrupt) = device.model.take_interrupt() {
            sockets[interrupt.function].server.interrupt(interrupt.vector);
        }
        if std::mem::take(&mut device.raise) {
            sockets[0].server.interrupt(0);
        }
    }
}
