// SPDX-License-Identifier: MIT OR Apache-2.0
//! SIGINT and SIGTERM end a run, SIGHUP has it read its flows again.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What arrived since it was last asked for.
pub struct Signals {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// Catches the signals from now on. A second SIGINT or SIGTERM kills, in case the run does not end.
    pub fn catch() -> Result<Self> {
        let signals = Signals { stop: Arc::default(), reload: Arc::default() };
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_shutdown(signal, 128 + signal, signals.stop.clone())
                .and_then(|_| flag::register(signal, signals.stop.clone()))
                .context("cannot catch signals")?;
        }
        flag::register(SIGHUP, signals.reload.clone()).context("cannot catch signals")?;
        Ok(signals)
    }

    /// The run is to end.
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The flows are to be read again; true once per signal.
    pub fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }
}
