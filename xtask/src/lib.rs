// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every task needs: programs that are installed, built and run, and the demo, which a newcomer waits for.

pub mod demo;
pub mod run;
pub mod setup;
