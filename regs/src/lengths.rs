// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long keys and steps are in a build.

use crate::{DATA_KEY, Key, Step};

/// Lengths in words of 32 bits. A build that has fewer words of [`Key`] or [`Step`] has none of the fields behind them.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lengths {
    /// Of a key, K of the contract.
    pub key: usize,
    /// Of an action step.
    pub step: usize,
}

impl Lengths {
    /// Of a build in which a frame is looked up once.
    pub const ONE_PASS: Lengths = Lengths { key: 15, step: 21 };
    /// Of a build with all fields.
    pub const FULL: Lengths = Lengths { key: Key::WORDS, step: Step::WORDS };

    /// Staging words that a command uses. Those behind them read 0.
    pub const fn staged(&self) -> usize {
        let tcam = DATA_KEY + 2 * self.key;
        if tcam > self.step { tcam } else { self.step }
    }
}
