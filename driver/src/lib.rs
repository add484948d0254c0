// SPDX-License-Identifier: MIT OR Apache-2.0
//! The userspace driver of the Millrace DPU.
//!
//! [`Device`] is the one trait through which everything above reaches the hardware. [`Rules`] places rules in its tables:
//! hash tables by cuckoo hashing, the TCAM, action programs, counters. What the hardware does is in `docs/hardware.md`.
//! [`virtio`] drives the functions of the host side (`docs/host.md`): PF, VFs, and the ECPF's representors.
//! [`vfio_user`] reaches those of a device in another process.
//! `vfio` reaches them as hardware, on Linux on x86-64 and aarch64.
#![deny(missing_docs)]

mod action;
mod claim;
mod commands;
mod counters;
mod cuckoo;
mod device;
mod discover;
mod ecpf_dpu;
mod event;
mod identity;
mod image;
mod left;
mod owner;
mod placement;
mod placer;
mod pool;
mod programs;
mod replica;
mod rule;
mod rules;
pub mod serial;
mod tables;
mod tcam;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub mod vfio;
pub mod vfio_user;
pub mod virtio;
mod words;

pub use action::{Action, ActionError, program};
pub use counters::{Count, QueueStats, RuleCounters, Verdicts};
pub use device::{
    Access, BoxError, Device, DeviceError, DropReason, DropSample, Registers, RegistersOnly, Sent, Upcall,
};
pub use discover::discover;
pub use ecpf_dpu::{EcpfDpu, EcpfFunction};
pub use image::{Image, ImageError};
pub use owner::{Others, Owner};
pub use replica::{Replica, ReplicaError};
pub use rule::{Choice, Place, Placement, RuleError, RuleId, RuleInfo, RuleSpec};
pub use rules::{Found, Rules};
pub use tables::TableInfo;
