// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one trait that every backend implements: the simulation in this process, a simulation in another (vfio-user), real
//! hardware (VFIO, or a board behind a serial line).

use crate::virtio::FunctionView;
use millrace_regs::UpcallReason;
use std::path::PathBuf;
use std::time::Instant;

/// An error of the library under a backend.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A Millrace device, as its ECPF sees it: registers, and the slow path's end of the representors.
///
/// No method blocks for longer than a register access takes. Time and packets move while a method runs or not at all,
/// as the backend likes: a caller that waits for something calls [`poll`](Device::poll) until it has happened.
pub trait Device {
    /// Reads the register at this byte address (see [`millrace_regs::addr`]).
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if there is no such register; [`DeviceError::Backend`] if the device cannot be reached.
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError>;

    /// Writes the register at this byte address. When it returns the write has taken effect.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if there is no such register or it is read-only; [`DeviceError::Backend`] if the device
    /// cannot be reached.
    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError>;

    /// Carries out several accesses in this order, faster than one by one where each takes a way there and back; gives what the reads
    /// read. An access whose answer was lost on the way is carried out again, with those behind it: what must not be done before another
    /// access has certainly been belongs into a later batch.
    ///
    /// # Errors
    /// The first of those that [`read32`](Device::read32) or [`write32`](Device::write32) gives; later accesses may have been carried out.
    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        let mut values = vec![];
        for access in accesses {
            match *access {
                Access::Read { address } => values.push(self.read32(address)?),
                Access::Write { address, value } => self.write32(address, value)?,
            }
        }
        Ok(values)
    }

    /// The next frame for the slow path, in the order in which the device sent them; none if none is waiting.
    fn recv_upcall(&mut self) -> Option<Upcall>;

    /// Whether an upcall is known to wait. `false` where the backend cannot tell.
    fn upcall_waiting(&self) -> bool {
        false
    }

    /// Sends a frame out through the representor of a vport, without a lookup. Frames leave in the order of the calls.
    ///
    /// # Errors
    /// [`DeviceError::Backend`] if the device cannot be reached. That the vport does not exist or the frame has a wrong
    /// length is not an error here: the device counts it (`drop_no_vport`, `drop_runt`, `drop_oversize`).
    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError>;

    /// Frames that were accepted by [`send_packet_out`](Device::send_packet_out) and have yet to enter the device. 0 where the backend
    /// cannot tell.
    fn packets_out_waiting(&self) -> usize {
        0
    }

    /// Lets the device make progress: moves simulated time on, or looks after queues.
    ///
    /// # Errors
    /// [`DeviceError::Backend`] if the device cannot be reached.
    fn poll(&mut self) -> Result<(), DeviceError>;

    /// The next sample of what policies dropped, in the order in which the device gave them, of the latest that are kept; none if none is waiting, or the
    /// device has no host side that is reached here.
    fn next_drop_sample(&mut self) -> Option<DropSample> {
        None
    }

    /// What a PF or VF may send, by its number among the functions (`docs/host.md`); none if the device has no host side that is reached here.
    ///
    /// # Errors
    /// [`DeviceError::Backend`] if the device cannot be reached.
    fn function(&mut self, _function: u32) -> Result<Option<FunctionView>, DeviceError> {
        Ok(None)
    }

    /// The device's time in nanoseconds since some moment: never runs backwards, and goes on while packets move.
    fn now(&self) -> u64;
}

/// The registers of a device alone.
///
/// # Errors
/// As those of [`Device`].
pub trait Registers {
    /// As [`Device::read32`].
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError>;

    /// As [`Device::write32`].
    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError>;

    /// As [`Device::batch`].
    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        let mut values = vec![];
        for access in accesses {
            match *access {
                Access::Read { address } => values.push(self.read32(address)?),
                Access::Write { address, value } => self.write32(address, value)?,
            }
        }
        Ok(values)
    }
}

/// A device whose registers are reached here, and whose representors by somebody else: in this process through
/// [`FrameFunction`](crate::virtio::FrameFunction). Its time is that of this machine.
pub struct RegistersOnly<R> {
    registers: R,
    start: Instant,
}

impl<R: Registers> RegistersOnly<R> {
    /// The device of these registers.
    pub fn new(registers: R) -> Self {
        Self { registers, start: Instant::now() }
    }
}

impl<R: Registers> Device for RegistersOnly<R> {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.registers.read32(address)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.registers.write32(address, value)
    }

    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        self.registers.batch(accesses)
    }

    /// None: they go to who drives the representors.
    fn recv_upcall(&mut self) -> Option<Upcall> {
        None
    }

    /// An error: who drives the representors sends.
    fn send_packet_out(&mut self, _vport: u8, _frame: &[u8]) -> Result<Sent, DeviceError> {
        Err(DeviceError::Backend("its representors are driven by somebody else".into()))
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

/// An access to a register, by byte address.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Reads it.
    Read {
        /// Where.
        address: u32,
    },
    /// Writes it.
    Write {
        /// Where.
        address: u32,
        /// What.
        value: u32,
    },
}

/// A frame for the slow path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upcall {
    /// The vport it came in on.
    pub vport: u8,
    /// Why the slow path gets it.
    pub reason: UpcallReason,
    /// The device's time ([`Device::now`]) at which it had left the device, or the earliest later one that the backend knows.
    pub at: u64,
    /// In which of the frame's lookups, from 0. The rings of representors and a card's serial line do not tell: their devices look frames up once.
    pub pass: u8,
    /// The metadata of that lookup.
    pub metadata: u64,
    /// The frame, without FCS; unchanged unless a rule sent it.
    pub frame: Vec<u8>,
}

impl Upcall {
    /// Of a frame's first lookup.
    pub fn of_first_lookup(vport: u8, reason: UpcallReason, at: u64, frame: Vec<u8>) -> Self {
        Self { vport, reason, at, pass: 0, metadata: 0, frame }
    }
}

/// The beginning of a frame that the policy of the function behind a vport dropped (`docs/host.md`, "Samples").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropSample {
    /// The vport.
    pub vport: u8,
    /// Why it was dropped.
    pub reason: DropReason,
    /// Its first bytes.
    pub frame: Vec<u8>,
}

/// Why a function's policy dropped a frame of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Its source is not the function's address.
    Spoof,
    /// It has a tag, or is too short for one, and the function is in a VLAN.
    Vlan,
}

/// What became of a frame that was to be sent.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// The device has it.
    Accepted,
    /// No room: nothing was done. Poll the device and try again.
    Full,
}

/// What can go wrong between driver and device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The device answered a read with an error.
    #[error("the device refused a {access} of the register at {address:#06x}")]
    Refused {
        /// "read" or "write".
        access: &'static str,
        /// Byte address.
        address: u32,
    },
    /// The `ID` register is not that of a Millrace device.
    #[error("not a Millrace device: register ID reads {0:#010x}")]
    NotMillrace(u32),
    /// The register map's major version is not ours, or its minor is older.
    #[error("register map version {major}.{minor} is not supported: this driver needs {}.{} or a later {}", .needs.0, .needs.1, .needs.0)]
    Version {
        /// Major version of the device.
        major: u32,
        /// Minor version of the device.
        minor: u32,
        /// The version that this driver is written for: the same major, and this minor or a later.
        needs: (u32, u32),
    },
    /// A `CONFIG` register holds what the contract rules out.
    #[error("register {register} reads {value:#010x}: {problem}")]
    Config {
        /// Name of the register.
        register: &'static str,
        /// What it reads.
        value: u32,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Another driver's tables were not taken over.
    #[error(
        "the device's tables belong to owner {owner:#010x}, which is at work or has left them: its rules are not touched unless they are to be taken over"
    )]
    Owned {
        /// What `OWNER` reads.
        owner: u32,
    },
    /// The tables are not those that the manager left.
    #[error(
        "the device's tables were cleared or taken over since their rules were written: register OWNER reads {owner:#010x}"
    )]
    TablesLost {
        /// What `OWNER` reads; 0 after a reset.
        owner: u32,
    },
    /// A command did not end.
    #[error("{0} did not end: STATUS stays busy")]
    Stuck(&'static str),
    /// The image of the tables could not be read or written.
    // As of the backend's error, the text is part of this one's.
    #[error("the image of the tables, {path}: {error}", path = .path.display())]
    Image {
        /// Its file.
        path: PathBuf,
        /// What went wrong.
        error: std::io::Error,
    },
    /// The backend failed.
    // The backend's error is part of the text, not a source: whoever prints a chain prints it once.
    #[error("the device cannot be reached: {0}")]
    Backend(BoxError),
}
