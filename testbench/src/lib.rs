// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reference model of the Millrace hardware, property tests, and end-to-end tests with real peers.

pub mod compare;
pub mod flow_text;
pub mod iperf;
pub mod live;
pub mod model;
pub mod netns;
pub mod ovs;
pub mod scenarios;
pub mod stress;
