// SPDX-License-Identifier: MIT OR Apache-2.0
//! SIGINT and SIGTERM end a run, SIGHUP has it read its flows again. A second SIGINT or SIGTERM ends it at once, whatever it is
//! doing.

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Within this time a second signal is the first one once more: `timeout` and `sudo` may pass it on twice.
const ECHO: Duration = Duration::from_millis(100);

/// What arrived since it was last asked for.
pub struct Signals(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// When the first signal that ends the run came.
    stop: OnceLock<Instant>,
    reload: AtomicBool,
    /// A file that is not to outlive the run.
    passing: Mutex<Option<PathBuf>>,
}

impl Signals {
    /// Catches the signals from now on, in a thread of their own.
    pub fn catch() -> Result<Self> {
        let mut signals = iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot catch signals")?;
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let note = move || signals.forever().for_each(|signal| own.note(signal));
        thread::Builder::new().name("signals".into()).spawn(note).context("cannot catch signals")?;
        Ok(Signals(shared))
    }

    /// The run is to end.
    pub fn stop(&self) -> bool {
        self.0.stop.get().is_some()
    }

    /// The flows are to be read again; true once per signal.
    pub fn take_reload(&self) -> bool {
        self.0.reload.swap(false, Ordering::Relaxed)
    }

    /// Removes this file if the run is ended at once.
    pub fn remove_at_once(&self, path: &Path) {
        *self.0.passing.lock().unwrap_or_else(PoisonError::into_inner) = Some(path.into());
    }
}

impl Shared {
    fn note(&self, signal: i32) {
        if signal == SIGHUP {
            self.reload.store(true, Ordering::Relaxed);
        } else if self.is_second(Instant::now()) {
            self.end_at_once(signal);
        }
    }

    /// Notes a signal that ends the run; whether it is one after the first.
    fn is_second(&self, at: Instant) -> bool {
        at.saturating_duration_since(*self.stop.get_or_init(|| at)) > ECHO
    }

    /// TAP devices and clients' connections go with the process; captures and statistics stay as far as they were written.
    fn end_at_once(&self, signal: i32) {
        if let Some(path) = self.passing.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            let _ = fs::remove_file(path);
        }
        // Nobody may be reading what is printed, and then the run itself may be holding the lock.
        let (printed, wait) = mpsc::channel();
        thread::spawn(move || {
            eprintln!("millrace: ended at once: captures, waveforms and statistics are not complete");
            let _ = printed.send(());
        });
        let _ = wait.recv_timeout(ECHO);
        signal_hook::low_level::exit(128 + signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_is_passed_on_twice_is_one() {
        let (shared, first) = (Shared::default(), Instant::now());
        assert!(!shared.is_second(first));
        assert!(!shared.is_second(first + ECHO / 2), "passed on twice");
        assert!(shared.is_second(first + ECHO * 2), "sent again");
    }
}
