// SPDX-License-Identifier: MIT OR Apache-2.0
//! The register map, the key layout and the action encoding of the Millrace DPU: written down once, here, and derived
//! everywhere else. The words and rules are those of `docs/hardware.md`.
//!
//! - [`map`]: every register; [`instances`] unrolls it for a build; [`addr`] has the addresses, [`structs`] volatile structs
//!   over a mapped BAR
//! - [`Key`], [`Mask`], [`Step`]: what software writes into tables, with [`KEY_FIELDS`] and [`STEP_FIELDS`]
//! - [`config`]: what a build contains
//! - [`Command`], [`Verdict`], [`UpcallReason`], the table [`hash`]
//! - [`host`]: functions, their registers and virtqueues (`docs/host.md`)
//! - [`host_channel`]: what a board adds: messages, and words beside the registers; [`slip`]: messages as bytes of a UART
//! - [`c_header`], [`markdown`]: the register reference for C and for people
#![deny(missing_docs)]

mod c_header;
mod command;
pub mod config;
pub mod hash;
pub mod host;
pub mod host_channel;
mod instances;
mod key;
mod lengths;
pub mod map;
mod markdown;
mod packed;
pub mod slip;
mod step;
mod verdict;

pub use c_header::c_header;
pub use command::{
    Command, DATA_KEY, DATA_RULE, DATA_SEED, DATA_VALID, MAX_KEY_WORDS, MAX_STEP_WORDS, Operand, Place, valid_entry,
};
pub use instances::{Instance, by_address, by_name, instances};
pub use key::{KEY_FIELDS, Key, Mask};
pub use lengths::Lengths;
pub use markdown::markdown;
pub use packed::Field;
pub use step::{STEP_FIELDS, Step};
pub use verdict::{UpcallReason, VERDICTS_PER_VPORT, Verdict};

/// Byte addresses of the registers; a function where there are several of a kind.
pub mod addr {
    include!(concat!(env!("OUT_DIR"), "/addr.rs"));
}

/// The registers as they lie in a mapped BAR.
#[allow(missing_docs)]
pub mod structs {
    use volatile_register::{RO, RW, WO};
    include!(concat!(env!("OUT_DIR"), "/structs.rs"));
}
