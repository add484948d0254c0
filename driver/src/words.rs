// SPDX-License-Identifier: MIT OR Apache-2.0
//! Keys and steps as words of `DATA`.

use millrace_regs::{Key, Step};

/// Packed key, or mask.
pub(crate) type KeyWords = [u32; Key::WORDS];
/// Packed step.
pub(crate) type StepWords = [u32; Step::WORDS];
