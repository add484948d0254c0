// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ECPF of a device in another process.

use super::{AttachError, Event, Role, VfioUserBar, VfioUserFunction};
use crate::virtio::{Ecpf, MappedMemory, Settings, VirtioPci};
use crate::{Access, BoxError, Device, DeviceError, Sent, Upcall};
use millrace_regs::host::{COMMON, common};
use millrace_regs::map::{ADDRESS_SPACE, MAX_VPORTS};
use millrace_vfio_user::{ClientError, SharedMemory, Space};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Instant;

/// Where the register map is.
const REGISTERS: Space = Space::Bar(2);
/// Vports that a device may have.
const MAX_PAIRS: u16 = MAX_VPORTS as u16;

/// A served device, as its ECPF sees it: registers by messages, upcalls and packets out through rings in shared memory. Its time is that
/// of this machine, since the connection.
///
/// [`poll`](Device::poll) looks at the rings and does not wait: a caller that has nothing else to do waits for [`descriptors`](Self::descriptors).
pub struct VfioUserDpu {
    ecpf: Ecpf<VfioUserBar, MappedMemory<SharedMemory>>,
    function: VfioUserFunction,
    /// Of the receiveqs.
    upcalls: Event,
    /// The configuration's: the function needs a reset.
    changes: Event,
    start: Instant,
}

impl VfioUserDpu {
    /// Connects to the socket of an ECPF, and brings it up.
    ///
    /// # Errors
    /// If there is none, or it does not come up.
    pub fn connect(path: &Path) -> Result<Self, AttachError> {
        let function = VfioUserFunction::connect(path, Role::Ecpf)?;
        let not_millrace =
            |error: BoxError| AttachError::NotMillrace { path: path.to_owned(), found: error.to_string() };
        let vports = vports(&mut function.bar()).map_err(not_millrace)?;
        let settings = Settings { interrupts: true, ..Settings::representors(vports) };
        let memory = function.memory(settings.memory_bytes())?;
        let changes = function.event([0])?;
        let upcalls = function.event((0..vports).map(|pair| 1 + 2 * pair))?;
        let ecpf = Ecpf::start(function.bar(), memory, settings, vports.into())
            .map_err(|error| AttachError::Virtio { path: path.to_owned(), error })?;
        Ok(Self { ecpf, function, upcalls, changes, start: Instant::now() })
    }

    /// The ECPF's BAR 0, for what it sets of the other functions.
    pub fn bar(&mut self) -> &mut VfioUserBar {
        self.ecpf.bar()
    }

    /// What to wait for: ready to read when an upcall has come, the function needs a reset, or the server has gone.
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [self.upcalls.as_fd(), self.changes.as_fd(), self.function.socket().as_fd()]
    }

    /// Resets the function: when this returns it does not touch memory any more. The tables stay as they are.
    ///
    /// # Errors
    /// If the server has gone, or the reset does not end.
    pub fn stop(self) -> Result<(), AttachError> {
        let Self { ecpf, function, .. } = self;
        ecpf.stop().map_err(|error| AttachError::Virtio { path: function.path().to_owned(), error })?;
        function.reset().map_err(|error: ClientError| error.into())
    }
}

fn backend(error: ClientError) -> DeviceError {
    DeviceError::Backend(Box::new(error))
}

/// A register's offset in its BAR. As on PCI Express, a register that the device does not have reads all ones, and a write to it is lost: what can be told
/// here is an address that no register has.
fn offset(access: &'static str, address: u32) -> Result<u64, DeviceError> {
    if address < ADDRESS_SPACE && address.is_multiple_of(4) {
        Ok(address.into())
    } else {
        Err(DeviceError::Refused { access, address })
    }
}

/// The number of the ECPF's pairs of virtqueues: one for each vport.
fn vports(bar: &mut VfioUserBar) -> Result<u16, BoxError> {
    let queues = bar.read16(COMMON.offset + common::NUM_QUEUES.offset)?;
    match queues / 2 {
        vports @ 1..=MAX_PAIRS if queues.is_multiple_of(2) => Ok(vports),
        _ => Err(format!("this ECPF has {queues} virtqueues").into()),
    }
}

impl VfioUserDpu {
    fn write_all(&self, writes: &mut Vec<(u64, [u8; 4])>) -> Result<(), DeviceError> {
        let all: Vec<(Space, u64, &[u8])> =
            writes.iter().map(|(offset, bytes)| (REGISTERS, *offset, bytes.as_slice())).collect();
        self.function.client().write_multiple(&all).map_err(backend)?;
        writes.clear();
        Ok(())
    }
}

impl Device for VfioUserDpu {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        let mut bytes = [0; 4];
        self.function.client().read(REGISTERS, offset("read", address)?, &mut bytes).map_err(backend)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        let offset = offset("write", address)?;
        self.function.client().write(REGISTERS, offset, &value.to_le_bytes()).map_err(backend)
    }

    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        let (mut writes, mut values) = (vec![], vec![]);
        for access in accesses {
            match *access {
                Access::Write { address, value } => writes.push((offset("write", address)?, value.to_le_bytes())),
                Access::Read { address } => {
                    self.write_all(&mut writes)?;
                    values.push(self.read32(address)?);
                }
            }
        }
        self.write_all(&mut writes)?;
        Ok(values)
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
        self.function.check().map_err(backend)?;
        // What comes after this is signalled again.
        self.upcalls.take();
        if self.changes.take() {
            self.ecpf.check()?;
        }
        self.ecpf.look(self.now())?;
        Ok(())
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}
