// SPDX-License-Identifier: MIT OR Apache-2.0
//! The driver of virtio-net functions against the model of the host side, and its rings under the eyes of `virtio-queue`. Driver and model are
//! written from `docs/host.md`, not from each other.

mod bench;
mod control;
mod faults;
mod functions;
mod queue_reset;
mod referee;
mod refusals;
mod traffic;
