// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver of functions in another process, against the model of the host side behind vfio-user sockets, in a thread of its own.

mod frames;
mod refusals;
mod server;
mod traffic;
