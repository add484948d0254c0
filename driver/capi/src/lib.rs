// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Millrace driver for C. What the functions do, for who calls them, is in their comments, which become those of `millrace.h`, and in `docs/c-api.md`.
//!
//! They are unsafe for what C promises and Rust cannot see: a pointer is NULL, or points to what its type says, as many as are counted; a handle is one that the library gave.
//!
//! - `device`: a device as its ECPF sees it; `port`: frames of a representor, or of a PF or VF; `vport`: what the switch counts, and functions are told
//! - `rule`, `action`, `ageing`: what the hardware matches, does, and has not matched for a while
//! - `error`: codes, texts, and the boundary that no panic crosses
//! - `backend`: the ways to a function, of which the rest knows nothing
// C's names are C's.
#![allow(non_camel_case_types)]

mod action;
mod ageing;
mod backend;
mod device;
mod error;
mod events;
mod handle;
mod options;
mod port;
mod rule;
mod version;
mod vport;

/// `millrace.h`, as it is installed.
pub const HEADER: &str = include_str!(concat!(env!("OUT_DIR"), "/millrace.h"));
