// SPDX-License-Identifier: MIT OR Apache-2.0
//! Linux network stacks joined by a simulated DPU: a running `millrace`, the namespaces at its TAP devices, traffic.

mod iperf;
mod live;

pub use iperf::{Rate, iperf, ping};
pub use live::{Dpu, Live, PEER, program};
pub use millrace_netns::{LIMIT, Namespace, output};
