// SPDX-License-Identifier: MIT OR Apache-2.0
//! Linux network stacks joined by a simulated DPU: a running `millrace`, the namespaces at its TAP devices, traffic.

mod attached;
mod iperf;
mod live;
mod process;

pub use attached::Attached;
pub use iperf::{Rate, iperf, ping};
pub use live::{Dpu, Live, PEER, program};
pub use millrace_netns::{LIMIT, Namespace, output};
pub use process::Process;
