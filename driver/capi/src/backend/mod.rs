// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ways to a function, and what all of them give.

#[cfg(feature = "embedded")]
mod embedded;
mod erased;
mod name;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod vfio;
mod vfio_user;

pub use erased::{Buffers, Control, Opened, Pair, Receiver, Sender, Wakes};
pub use name::{Name, open};
