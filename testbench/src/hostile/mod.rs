// SPDX-License-Identifier: MIT OR Apache-2.0
//! Guests that break every rule of virtio, on the RTL with its host side, beside two neighbours that keep them. The judges, in [`run`]:
//!
//! - the device comes to rest, and answers each access to a register in bounded time;
//! - the neighbours' frames come whole, in order, and are told of; not a byte more is written for them;
//! - the device touches of a function's memory what lies in its window and what its descriptors and registers name, and no byte of a
//!   function that was reset;
//! - a guest's function tells DEVICE_NEEDS_RESET with a reason that what it was given can give, and tells of each refused transfer
//!   that was not ahead of a chain;
//! - no frame has bytes of another one in it, or of another function's memory;
//! - after a reset a guest's function works with a driver that keeps the rules.

mod device;
mod draw;
mod fuzz;
mod guest;
mod neighbours;
mod op;
mod resets;
mod run;
mod watch;

pub use fuzz::{drawn, fuzz, kept, read};
pub use op::{Act, Case, Layout, Op, Window};
pub use resets::{Resets, resets};
pub use run::{Done, run};
