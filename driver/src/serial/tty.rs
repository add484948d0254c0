// SPDX-License-Identifier: MIT OR Apache-2.0
//! A serial port of the operating system.

use super::Line;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{self, BaudRate, ControlFlags, FlushArg, SetArg};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The rates that there are, in bits per second.
const RATES: &[(u32, BaudRate)] = &[
    (9_600, BaudRate::B9600),
    (19_200, BaudRate::B19200),
    (38_400, BaudRate::B38400),
    (57_600, BaudRate::B57600),
    (115_200, BaudRate::B115200),
    (230_400, BaudRate::B230400),
    (460_800, BaudRate::B460800),
    (500_000, BaudRate::B500000),
    (576_000, BaudRate::B576000),
    (921_600, BaudRate::B921600),
    (1_000_000, BaudRate::B1000000),
    (1_152_000, BaudRate::B1152000),
    (1_500_000, BaudRate::B1500000),
    (2_000_000, BaudRate::B2000000),
    (2_500_000, BaudRate::B2500000),
    (3_000_000, BaudRate::B3000000),
    (3_500_000, BaudRate::B3500000),
    (4_000_000, BaudRate::B4000000),
];

/// Why a serial port cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TtyError {
    /// The operating system refuses it.
    #[error("cannot open {path}: {error}{hint}", hint = hint(.error))]
    Open {
        /// The port.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
    /// Two drivers would take each other's answers.
    #[error("cannot use {0}: another process has it open")]
    Busy(PathBuf),
    /// It has no line settings.
    #[error("cannot use {0}: it is no serial port")]
    NoTty(PathBuf),
    /// A rate that serial ports do not have.
    #[error("{0} baud is no rate of a serial port: {rates} are", rates = rates())]
    Rate(u32),
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            " (serial ports are for root and for those in the group that owns them, often `dialout`)"
        }
        _ => "",
    }
}

fn rates() -> String {
    RATES.iter().map(|(rate, _)| rate.to_string()).collect::<Vec<_>>().join(", ")
}

/// A serial port: bytes as they are, 8 data bits, no parity, one stop bit, no flow control. No other process has it open that asks.
#[derive(Debug)]
pub struct Tty {
    file: File,
}

impl Tty {
    /// Opens the port at so many bits per second. What has come before is thrown away.
    ///
    /// # Errors
    /// If it cannot be opened, is no serial port, is in use, or does not have the rate.
    pub fn open(path: &Path, baud: u32) -> Result<Self, TtyError> {
        let &(_, rate) = RATES.iter().find(|(rate, _)| *rate == baud).ok_or(TtyError::Rate(baud))?;
        let open = |error: io::Error| TtyError::Open { path: path.into(), error };
        let flags = (OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits();
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).map_err(open)?;
        let mut settings = termios::tcgetattr(&file).map_err(|_| TtyError::NoTty(path.into()))?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => return Err(TtyError::Busy(path.into())),
            Err(TryLockError::Error(error)) => return Err(open(error)),
        }
        termios::cfmakeraw(&mut settings);
        settings.control_flags.remove(ControlFlags::CSTOPB | ControlFlags::CRTSCTS | ControlFlags::HUPCL);
        settings.control_flags.insert(ControlFlags::CREAD | ControlFlags::CLOCAL);
        termios::cfsetspeed(&mut settings, rate)
            .and_then(|()| termios::tcsetattr(&file, SetArg::TCSANOW, &settings))
            .and_then(|()| termios::tcflush(&file, FlushArg::TCIOFLUSH))
            .map_err(|error| open(error.into()))?;
        Ok(Self { file })
    }
}

impl Read for Tty {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Write for Tty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Tty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Line for Tty {
    fn wait(&mut self, room: bool, longest: Duration) -> io::Result<()> {
        let flags = if room { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        // Rounded up, so that a short wait does not become a busy one.
        let timeout = longest.as_millis().saturating_add(1).try_into().unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.file.as_fd(), flags)], timeout) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::pty::openpty;
    use std::os::fd::OwnedFd;

    fn pty() -> (File, OwnedFd, PathBuf) {
        let pty = openpty(None, None).unwrap();
        let path = nix::unistd::ttyname(&pty.slave).unwrap();
        (File::from(pty.master), pty.slave, path)
    }

    #[test]
    fn all_bytes_pass_as_they_are() {
        let (mut other, _slave, path) = pty();
        let mut tty = Tty::open(&path, 3_000_000).unwrap();
        let bytes: Vec<u8> = (0..=255).collect();
        let mut got = [0; 256];
        assert_eq!(tty.read(&mut got).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        tty.write_all(&bytes).unwrap();
        other.read_exact(&mut got).unwrap();
        assert_eq!(got, *bytes);
        other.write_all(&bytes).unwrap();
        let mut count = 0;
        while count < got.len() {
            tty.wait(false, Duration::from_secs(10)).unwrap();
            count += tty.read(&mut got[count..]).unwrap();
        }
        assert_eq!(got, *bytes);
    }

    #[test]
    fn what_cannot_be_used_is_explained() {
        let (_other, _slave, path) = pty();
        let refused = |path: &Path, baud| Tty::open(path, baud).unwrap_err().to_string();
        assert!(refused(&path, 12_345).starts_with("12345 baud is no rate of a serial port: 9600, "));
        assert!(refused(Path::new("/dev/null"), 115_200).ends_with("it is no serial port"));
        assert!(refused(Path::new("/nowhere/tty"), 115_200).starts_with("cannot open /nowhere/tty: No such file"));
        let _first = Tty::open(&path, 115_200).unwrap();
        assert!(refused(&path, 115_200).ends_with("another process has it open"));
    }
}
