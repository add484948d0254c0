// SPDX-License-Identifier: MIT OR Apache-2.0
//! Waiting for what others write, for a bounded time and no longer than until SIGINT or SIGTERM.

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::pipe;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The end of something that takes a bounded time.
#[derive(Clone, Copy)]
pub struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    pub fn after(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }

    /// What poll(2) takes, rounded up: 0 comes only when nothing is left.
    fn left(self) -> PollTimeout {
        let left = self.at.saturating_duration_since(Instant::now()).as_micros().div_ceil(1000);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }
}

/// SIGINT and SIGTERM, which no longer end the process but each wait of it: what it made is then taken away in order.
#[derive(Clone)]
pub struct Interrupts(
    /// Readable from the first signal on.
    Rc<UnixStream>,
);

impl Interrupts {
    /// Catches the signals from now on. Programs that are started get them as usual.
    pub fn catch() -> Result<Self> {
        Self::of(&[SIGINT, SIGTERM])
    }

    fn of(signals: &[i32]) -> Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        for signal in signals {
            pipe::register(*signal, writer.try_clone()?).context("cannot catch signals")?;
        }
        Ok(Self(Rc::new(reader)))
    }

    /// Whether one came. Every wait from then on ends at once.
    pub fn came(&self) -> bool {
        ready(&[self.0.as_fd()], PollTimeout::ZERO).is_ok_and(|found| found.is_some())
    }

    /// Waits until one of `files` has something to read, or has ended: its index.
    pub fn first(&self, files: &[BorrowedFd], deadline: Deadline) -> Result<usize> {
        let all: Vec<BorrowedFd> = std::iter::once(self.0.as_fd()).chain(files.iter().copied()).collect();
        loop {
            let left = deadline.left();
            match ready(&all, left)? {
                Some(0) => bail!("interrupted"),
                Some(index) => return Ok(index - 1),
                None if left == PollTimeout::ZERO => bail!("nothing within {} s", deadline.limit.as_secs()),
                None => {}
            }
        }
    }
}

/// The first of `files` that has something to read, or has ended; none if none has after `timeout`, or a signal came.
fn ready(files: &[BorrowedFd], timeout: PollTimeout) -> Result<Option<usize>> {
    let mut files: Vec<PollFd> = files.iter().map(|file| PollFd::new(*file, PollFlags::POLLIN)).collect();
    match poll(&mut files, timeout) {
        // Whoever waits looks again.
        Err(Errno::EINTR) => Ok(None),
        Err(error) => Err(error).context("cannot wait"),
        Ok(_) => Ok(files.iter().position(|file| file.any() != Some(false))),
    }
}

/// Lines that another process writes.
pub struct Lines<F> {
    interrupts: Interrupts,
    pub file: F,
    /// What came after the last line that was taken.
    rest: Vec<u8>,
}

impl<F: Read + AsFd> Lines<F> {
    pub fn new(interrupts: &Interrupts, file: F) -> Self {
        Self { interrupts: interrupts.clone(), file, rest: vec![] }
    }

    /// The next line, without its end; none when the other side has closed. What it left unfinished is then lost.
    pub fn next(&mut self, deadline: Deadline) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            self.interrupts.first(&[self.file.as_fd()], deadline)?;
            let mut buffer = [0; 4096];
            match self.file.read(&mut buffer).context("cannot read")? {
                0 => return Ok(None),
                length => self.rest.extend(&buffer[..length]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn lines_come_whole_and_silence_and_signals_end_a_wait() {
        // One that no other test waits for.
        let signal = signal_hook::consts::SIGUSR1;
        let interrupts = Interrupts::of(&[signal]).unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let mut lines = Lines::new(&interrupts, reader);
        let (now, later) = (Deadline::after(Duration::ZERO), Deadline::after(Duration::from_secs(60)));
        writer.write_all(b"one\r\ntwo\nthr").unwrap();
        assert_eq!(lines.next(later).unwrap().as_deref(), Some("one"));
        assert_eq!(lines.next(later).unwrap().as_deref(), Some("two"));
        assert!(!interrupts.came());
        assert_eq!(lines.next(now).unwrap_err().to_string(), "nothing within 0 s");
        signal_hook::low_level::raise(signal).unwrap();
        assert_eq!(lines.next(later).unwrap_err().to_string(), "interrupted");
        assert!(interrupts.came());
        drop(writer);
        assert_eq!(lines.next(later).unwrap_err().to_string(), "interrupted");
    }
}
