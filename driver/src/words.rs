// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys and steps as words of `DATA`.

use millrace_regs::{Key, Step};

/// Packed key, or mask.
pub(crate) type KeyWords = [u32; Key::WORDS];
/// Packed step.
pub(crate) type StepWords = [u32; Step::WORDS];

/// How long keys and steps are in a device, in words: as long as this driver's, or longer. What is behind the driver's fields is zero.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub key: usize,
    pub step: usize,
}
