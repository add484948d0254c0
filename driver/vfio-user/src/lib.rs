// SPDX-License-Identifier: MIT OR Apache-2.0
//! The vfio-user protocol: PCI functions served over a UNIX socket to a client in another process, such as QEMU's device `vfio-user-pci`
//! or a driver in user space. The contract is QEMU's `docs/interop/vfio-user.rst`, protocol version 0.0.
//!
//! [`Server`] serves one function to one client at a time. It never blocks and starts no thread: the caller's loop, which may
//! also run a simulation of the hardware, calls [`Server::turn`]. The function's own behaviour is a [`Function`]; what it reaches by DMA
//! is [`ClientMemory`], and its MSI-X vectors are [`Vectors`].
//!
//! [`Client`] is the other end, for drivers and tests: it blocks, but never longer than its timeout.
//!
//! Numbers on the socket are in the host's byte order, as the protocol has it: both ends are on one machine.
#![deny(missing_docs)]

mod capabilities;
mod client;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod memory;
mod server;
mod socket;
mod wire;

pub use client::{Client, ClientError, DmaAccess, Request, SharedMemory};
pub use memory::{ClientMemory, Dma};
pub use server::{DeviceInfo, Function, Server, ServerError, Vectors};
pub use wire::Space;
