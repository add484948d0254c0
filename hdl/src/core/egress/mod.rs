// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where frames go out: transmit queues and their counters.

pub mod egress;
pub mod queue_counters;
pub mod tx_queue;

// What the pipeline is made of: another stage goes in by its name here.
pub use self::egress::Egress;
