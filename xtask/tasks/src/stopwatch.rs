// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long something took: by the clock, and of the processor in the programs that it ran.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use std::fmt;
use std::time::Instant;

/// Runs from its making on.
pub struct Stopwatch {
    start: Instant,
    used: f64,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self { start: Instant::now(), used: used() }
    }
}

/// The time since its start, as `12 s (20 s of CPU)`.
impl fmt::Display for Stopwatch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.0} s ({:.0} s of CPU)", self.start.elapsed().as_secs_f64(), used() - self.used)
    }
}

/// CPU seconds of all programs that this one started and that have ended.
fn used() -> f64 {
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    // It fails for an unknown kind of usage alone.
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or(0.0, |usage| seconds(usage.user_time()) + seconds(usage.system_time()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn what_a_program_used_is_counted_when_it_has_ended() {
        let watch = Stopwatch::start();
        let before = used();
        assert!(
            Command::new("sh")
                .args(["-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"])
                .status()
                .unwrap()
                .success()
        );
        assert!(used() > before);
        assert!(watch.to_string().ends_with(" s of CPU)"));
    }
}
