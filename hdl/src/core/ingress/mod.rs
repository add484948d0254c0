// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where frames come in: buffers, measuring, and the order among sources.

pub mod ingress;
pub mod merge;
pub mod pace;

// What the pipeline is made of: another stage goes in by its name here.
pub use self::ingress::Ingress;
pub use self::merge::Merge;
pub use self::pace::Pace;
