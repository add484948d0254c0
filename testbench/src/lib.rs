// SPDX-License-Identifier: MIT OR Apache-2.0
//! Property tests of the Millrace hardware against the reference model, and end-to-end tests with real peers.

pub mod compare;
pub mod flow_text;
pub mod hostile;
pub mod ovs;
pub mod scenarios;
pub mod stress;
