// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated device that other processes use as PCI functions, each over a vfio-user socket of its own.

mod config_space;
mod function;
mod memory;
mod messages;
mod vfs;

pub use memory::ServedMemory;

use crate::{BusError, Config, DpuSimulation, Latency, NewError, Preset};
use config_space::{CONFIG_BYTES, ConfigSpace, EnabledVfs, Kind};
use function::Access;
use millrace_driver::virtio::LocalMemory;
use millrace_regs::host::pci::{FUNCTION_BAR, REGISTER_BAR};
use millrace_vfio_user::{DeviceInfo, Server, ServerError};
use nix::poll::PollFd;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use vfs::Vfs;

/// A device whose functions' drivers are in other processes.
pub struct Served {
    dpu: Rc<RefCell<DpuSimulation<ServedMemory>>>,
    /// Those of ECPF and PFs.
    sockets: Vec<Socket>,
    vfs: Vfs,
}

/// The VFs of a served device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfCount {
    /// So many there are.
    pub total: u16,
    /// So many of them are enabled from the start on, and whenever the PF has been reset.
    pub enabled: u16,
}

/// The PF that has the VFs.
const PF: usize = 1;

/// A function with its socket.
struct Socket {
    /// 0 is the ECPF.
    function: usize,
    server: Server,
    config: ConfigSpace,
}

/// Who drives the ECPF.
pub enum Ecpf {
    /// A driver in this process, with this memory.
    Here(LocalMemory),
    /// The client of its socket.
    Socket,
}

/// Why a device is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The simulation cannot be had.
    #[error(transparent)]
    New(#[from] NewError),
    /// The device does not answer.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// A socket cannot be had, or no client can come any more.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl Served {
    /// Simulates a device of `preset`, which has a host side, and serves its PFs, its first VFs, as far as the host of the first PF has enabled them, and the ECPF unless
    /// that is driven here: each at a socket of its name in `folder`, such as `vf0.sock`.
    ///
    /// # Errors
    /// If the preset is not built in, or a socket cannot be made: none is left then.
    pub fn new(preset: Preset, folder: &Path, vfs: VfCount, ecpf: Ecpf, latency: Latency) -> Result<Self, ServeError> {
        let config = preset.config();
        let mut memories = vec![];
        let mut sockets = vec![];
        let first_vf = 1 + config.pfs;
        for function in 0..config.functions() {
            let memory = match &ecpf {
                Ecpf::Here(memory) if function == 0 => ServedMemory::Local(memory.clone()),
                _ if function < first_vf + usize::from(vfs.total) => {
                    let kind = match function {
                        0 => Kind::Ecpf,
                        PF => Kind::Pf { vfs: vfs.total, enabled: vfs.enabled },
                        _ if function < first_vf => Kind::Pf { vfs: 0, enabled: 0 },
                        _ => Kind::Vf,
                    };
                    let mut socket = Socket::new(&config, folder, function, kind);
                    if function < first_vf + usize::from(vfs.enabled) {
                        socket.server.open()?;
                    }
                    let memory = socket.server.memory();
                    sockets.push(socket);
                    ServedMemory::Client(memory)
                }
                // Nobody drives it, so it makes no transfers.
                _ => ServedMemory::Local(LocalMemory::new(0, 0)),
            };
            memories.push(memory);
        }
        let mut dpu = DpuSimulation::new(preset, memories, latency)?;
        for socket in &sockets {
            messages::arrange(&mut dpu, socket.function, vectors(&config, socket.function))?;
        }
        let first = sockets.iter().position(|socket| socket.function >= first_vf).unwrap_or(sockets.len());
        let mut vfs_sockets = Vfs::new(sockets.split_off(first));
        vfs_sockets.follow(&mut dpu, EnabledVfs { count: vfs.enabled, memory: true });
        Ok(Self { dpu: Rc::new(RefCell::new(dpu)), sockets, vfs: vfs_sockets })
    }

    /// The device.
    pub fn dpu(&self) -> &Rc<RefCell<DpuSimulation<ServedMemory>>> {
        &self.dpu
    }

    /// Handles what clients ask for, and hands them their interrupts; how much of it there was. Never waits for a client. The device's
    /// clock moves as far as it takes to answer.
    ///
    /// # Errors
    /// If no more clients can come.
    pub fn turn(&mut self) -> Result<usize, ServerError> {
        let mut dpu = self.dpu.borrow_mut();
        let mut handled = 0;
        for socket in &mut self.sockets {
            let (function, config) = (socket.function, &mut socket.config);
            let vfs = (function == PF).then_some(&mut self.vfs);
            handled += socket.server.turn(&mut Access { dpu: &mut dpu, config, function, vfs })?;
        }
        for Socket { function, server, config } in self.vfs.iter_mut() {
            handled += server.turn(&mut Access { dpu: &mut dpu, config, function: *function, vfs: None })?;
        }
        while let Some(message) = dpu.interrupt() {
            let function = usize::from(message.function);
            let mut sockets = self.sockets.iter_mut().chain(self.vfs.iter_mut());
            if let Some(socket) = sockets.find(|socket| socket.function == function) {
                socket.server.interrupt(messages::vector(&message));
                handled += 1;
            }
        }
        Ok(handled)
    }

    /// What to wait for when there is nothing else to do.
    pub fn descriptors(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.sockets.iter().chain(self.vfs.iter()).flat_map(|socket| socket.server.descriptors())
    }
}

impl Socket {
    /// A socket that does not listen yet.
    fn new(config: &Config, folder: &Path, function: usize, kind: Kind) -> Self {
        let vectors = vectors(config, function);
        let queues = config.virtqueues_of_function(function) as u32;
        let mut bars = [0; 6];
        bars[0] = FUNCTION_BAR;
        if function == 0 {
            bars[2] = REGISTER_BAR;
        }
        let info = DeviceInfo { config_bytes: CONFIG_BYTES, bars, msix_vectors: vectors };
        let path = folder.join(format!("{}.sock", function_name(config, function)));
        Self { function, server: Server::closed(path, info), config: ConfigSpace::new(kind, vectors, queues) }
    }
}

/// MSI-X vectors of a function.
fn vectors(config: &Config, function: usize) -> u16 {
    config.virtqueues_of_function(function) as u16 + 1
}

/// A function's name: `ecpf`, or that of its vport.
pub fn function_name(config: &Config, function: usize) -> String {
    match config.vport_of_function(function) {
        None => "ecpf".into(),
        Some(vport) => config.vport_name(vport).unwrap_or_default(),
    }
}
