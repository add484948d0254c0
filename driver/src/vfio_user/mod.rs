// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions of a device in another process, which serves each at a socket of its own over vfio-user (`millrace serve`).
//!
//! [`VfioUserFunction`] is a function that was recognised, with its BAR, the memory that it shares with us, and its interrupts.
//! [`VfioUserNet`] is a PF or VF in use, and [`VfioUserDpu`] the ECPF: a [`Device`](crate::Device).

mod bar;
mod client;
mod dpu;
mod error;
mod extended;
mod function;
mod mode;
mod net;
mod registers;
mod sriov;

pub use crate::event::Event;
pub use crate::identity::Role;
pub use bar::VfioUserBar;
pub use dpu::VfioUserDpu;
pub use error::AttachError;
pub use function::VfioUserFunction;
pub use mode::Mode;
pub use net::VfioUserNet;
pub use registers::VfioUserRegisters;
pub use sriov::VfCount;

/// Name of the ECPF's socket in the folder of a device.
pub const ECPF_SOCKET: &str = "ecpf.sock";
/// Name of the PF's.
pub const PF_SOCKET: &str = "pf.sock";
