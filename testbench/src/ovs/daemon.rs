// SPDX-License-Identifier: MIT OR Apache-2.0
//! A process that ends with its owner.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child process, killed and waited for when dropped, and killed by the kernel should the thread that started it die.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts the command with its output in a file.
    pub fn start(command: &mut Command, log: &Path) -> Result<Daemon> {
        let file = File::create(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // SAFETY: prctl is async-signal-safe and touches no memory.
        unsafe {
            command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?));
        }
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Daemon { child, log: log.to_owned() })
    }

    /// Waits until the process has made a socket.
    pub fn wait_for(&self, socket: &Path, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while std::os::unix::net::UnixStream::connect(socket).is_err() {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("{} did not appear: {log}", socket.display());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command of Open vSwitch, from the search path or the directories that distributions put it in.
pub fn program(name: &str) -> Result<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/bin"].map(PathBuf::from));
    match places.map(|dir| dir.join(name)).find(|p| p.is_file()) {
        Some(found) => Ok(Command::new(found)),
        None => bail!("{name} is not installed: Debian package openvswitch-switch (`cargo xtask test` installs it)"),
    }
}
