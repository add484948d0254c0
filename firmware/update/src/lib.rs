// SPDX-License-Identifier: MIT OR Apache-2.0
//! Images of DPU-OS as they reach a card: one file, signed, which is written to the slot of the card's disk that is not in use. The boot loader tries the new image a
//! few times, and goes back to the other if it does not come up. Whoever makes images and whoever takes them share this.

mod archive;
mod entry;
mod error;
mod key;
mod manifest;
mod slots;
pub mod transfer;

pub use archive::{Archive, write};
pub use entry::{Entry, Slot, TRIES, Trial};
pub use error::Error;
pub use key::{SigningKey, VerifyingKey, generate, read_private, read_public, written};
pub use manifest::{Manifest, Part};
pub use slots::{Installed, Slots};
