// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulated device that other processes use as PCI functions, each over a vfio-user socket of its own.

mod config_space;
mod function;
mod memory;
mod messages;
mod owner;
mod vfs;

pub use memory::ServedMemory;
pub use owner::{Mode, OwnersMemory};

use crate::{BusError, Config, DpuSimulation, Latency, NewError, Preset};
use config_space::{CONFIG_BYTES, ConfigSpace, EnabledVfs, Kind};
use function::Access;
use millrace_driver::virtio::LocalMemory;
use millrace_regs::host::pci::{FUNCTION_BAR, REGISTER_BAR};
use millrace_vfio_user::{ClientMemory, DeviceInfo, Server, ServerError};
use nix::poll::PollFd;
use owner::Owner;
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
    owner: Rc<Owner>,
}

/// The VFs of a served device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VfCount {
    /// So many there are.
    pub total: u16,
    /// So many of them are enabled from the start on, and whenever the PF has been reset.
    pub enabled: u16,
}

/// The ECPF.
const ECPF: usize = millrace_regs::host::ECPF;
/// The PF that has the VFs, and in NIC mode the switch.
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
    /// The client of its socket, which may hand the switch to that of the PF's; in this mode after power-up.
    Socket(Mode),
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
        let (mode, switch) = match ecpf {
            Ecpf::Here(_) => (Mode::Dpu, false),
            Ecpf::Socket(mode) => (mode, true),
        };
        let owner = Rc::new(Owner::new(mode));
        let first_vf = 1 + config.pfs;
        let kind = |function| match function {
            ECPF => Kind::Ecpf(mode),
            PF => Kind::Pf { vfs: vfs.total, enabled: vfs.enabled, switch },
            _ if function < first_vf => Kind::Pf { vfs: 0, enabled: 0, switch: false },
            _ => Kind::Vf,
        };
        let served = usize::from(!switch)..first_vf + usize::from(vfs.total);
        let mut sockets: Vec<_> = served.map(|f| Socket::new(&config, folder, f, kind(f))).collect();
        let there = |socket: &&mut Socket| socket.function < first_vf + usize::from(vfs.enabled);
        sockets.iter_mut().filter(there).try_for_each(|socket| socket.server.open())?;

        let memories = memories(&config, &sockets, ecpf, &owner);
        let mut dpu = DpuSimulation::new(preset, memories, latency)?;
        for socket in &sockets {
            messages::arrange(&mut dpu, socket.function, vectors(&config, socket.function))?;
        }
        if mode == Mode::Nic {
            function::set_mode(&mut dpu, mode)?;
        }
        let first = sockets.iter().position(|socket| socket.function >= first_vf).unwrap_or(sockets.len());
        let mut of_pf = Vfs::new(sockets.split_off(first));
        of_pf.follow(&mut dpu, &owner, EnabledVfs { count: vfs.enabled, memory: true });
        Ok(Self { dpu: Rc::new(RefCell::new(dpu)), sockets, vfs: of_pf, owner })
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
            handled += socket.server.turn(&mut Access { dpu: &mut dpu, config, function, vfs, owner: &self.owner })?;
        }
        for Socket { function, server, config } in self.vfs.iter_mut() {
            let owner = &self.owner;
            handled += server.turn(&mut Access { dpu: &mut dpu, config, function: *function, vfs: None, owner })?;
        }
        while let Some(message) = dpu.interrupt() {
            let (mut function, mut vector) = (usize::from(message.function), messages::vector(&message));
            if function == ECPF && self.owner.mode() == Mode::Nic {
                (function, vector) = (PF, vectors(dpu.config(), PF) + vector);
            }
            let mut sockets = self.sockets.iter_mut().chain(self.vfs.iter_mut());
            if let Some(socket) = sockets.find(|socket| socket.function == function) {
                socket.server.interrupt(vector);
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
        let behind = if matches!(kind, Kind::Pf { switch: true, .. }) { vectors(config, ECPF) } else { 0 };
        let vectors = vectors(config, function) + behind;
        let queues = config.virtqueues_of_function(function) as u32;
        let mut bars = [0; 6];
        bars[0] = FUNCTION_BAR;
        match kind {
            Kind::Ecpf(_) => bars[2] = REGISTER_BAR,
            Kind::Pf { switch: true, .. } => (bars[2], bars[4]) = (REGISTER_BAR, FUNCTION_BAR),
            _ => {}
        }
        let info = DeviceInfo { config_bytes: CONFIG_BYTES, bars, msix_vectors: vectors };
        let path = folder.join(format!("{}.sock", function_name(config, function)));
        Self { function, server: Server::closed(path, info), config: ConfigSpace::new(kind, vectors, queues) }
    }
}

/// What each function reaches by DMA.
fn memories(config: &Config, sockets: &[Socket], ecpf: Ecpf, owner: &Rc<Owner>) -> Vec<ServedMemory> {
    let of_client = |function: usize| -> Option<ClientMemory> {
        sockets.iter().find(|socket| socket.function == function).map(|socket| socket.server.memory())
    };
    let first = match ecpf {
        Ecpf::Here(memory) => ServedMemory::Local(memory),
        Ecpf::Socket(_) => {
            let [ecpf, pf] = [ECPF, PF].map(|function| of_client(function).unwrap_or_default());
            ServedMemory::Owner(OwnersMemory::new(owner.clone(), ecpf, pf))
        }
    };
    // A function that nobody drives makes no transfers.
    let others = (1..config.functions()).map(|function| {
        of_client(function).map_or_else(|| ServedMemory::Local(LocalMemory::new(0, 0)), ServedMemory::Client)
    });
    [first].into_iter().chain(others).collect()
}

/// MSI-X vectors of a function of the hardware.
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
