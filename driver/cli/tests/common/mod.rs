// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs the command in a folder of its own.

use millrace_driver::vfio_user::VfioUserNet;
use millrace_sim::capture::{self, Writer};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// Longest wait for something that a device is expected to do.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An Ethernet frame of an unknown type, `length` bytes, told apart by `id` (byte 14).
pub fn packet(id: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xb5];
    frame.extend((0..length - 14).map(|i| id.wrapping_add(i as u8)));
    frame
}

/// A frame between two stations that a learning switch knows after one of each.
pub fn between(from: u8, to: u8, id: u8) -> Vec<u8> {
    let mut frame = packet(id, 100);
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from]);
    frame
}

/// The frames that a function has received, as soon as there are any.
pub fn receive(net: &mut VfioUserNet) -> Vec<Vec<u8>> {
    loop {
        net.refresh().unwrap();
        let mut frames = vec![];
        net.net().receive(0, usize::MAX, |frame| frames.push(frame.to_vec())).unwrap();
        if !frames.is_empty() {
            return frames;
        }
        let mut events = net.descriptors().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let patience = PollTimeout::try_from(PATIENCE).unwrap();
        assert_ne!(poll(&mut events, patience), Ok(0), "nothing came");
    }
}

/// The frames of a capture.
pub fn frames(path: &Path) -> Vec<Vec<u8>> {
    capture::read(path).unwrap().into_iter().map(|packet| packet.frame).collect()
}

/// A folder that goes away with the test, in which commands are run.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        // As the folder of XDG_RUNTIME_DIR has to be.
        Folder(tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a text file; its name is returned.
    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        name.into()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes a capture of frames and their times (ns); its name is returned.
    pub fn capture(&self, name: &str, packets: impl IntoIterator<Item = (u64, Vec<u8>)>) -> String {
        let mut writer = Writer::create(&self.path(name)).unwrap();
        for (time, frame) in packets {
            writer.write(time, &frame).unwrap();
        }
        writer.finish().unwrap();
        name.into()
    }

    /// Copies the first `length` bytes of a file.
    pub fn cut(&self, from: &str, to: &str, length: usize) {
        let bytes = fs::read(self.path(from)).unwrap();
        fs::write(self.path(to), &bytes[..length]).unwrap();
    }

    /// Copies a pcap file with another link type.
    pub fn link_type(&self, from: &str, to: &str, link: u8) {
        let mut bytes = fs::read(self.path(from)).unwrap();
        bytes[20] = link;
        fs::write(self.path(to), bytes).unwrap();
    }

    /// What is in the folder and the folders in it.
    pub fn list(&self) -> Vec<PathBuf> {
        let mut found = vec![];
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                folders.extend(path.is_dir().then(|| path.clone()));
                found.push(path);
            }
        }
        found.sort();
        found
    }

    /// The command, to be run in this folder.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_millrace"));
        command.args(args).current_dir(self.0.path()).env("XDG_RUNTIME_DIR", self.0.path());
        command
    }

    /// Runs the command to its end.
    pub fn millrace(&self, args: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(args))
    }

    /// Like [`Self::millrace`], with something at its standard input.
    pub fn millrace_reading(&self, args: &[&str], input: Vec<u8>) -> Outcome {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // It need not read all that it is given.
        let writer = spawn(move || drop(stdin.write_all(&input)));
        let outcome = Outcome::new(child.wait_with_output().unwrap());
        writer.join().unwrap();
        outcome
    }
}

/// How a command ended.
pub struct Outcome {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Outcome {
    /// Runs a command to its end.
    pub fn of(command: &mut Command) -> Self {
        Self::new(command.output().unwrap())
    }

    fn new(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Outcome { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// Returns what it printed.
    pub fn succeeds(self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.err);
        self.out
    }

    pub fn fails(self, code: i32, message: &str) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        assert!(self.err.contains(message), "{:?} is not in:\n{}", message, self.err);
    }
}

/// A `millrace run --hold` that is running.
pub struct Device<'a> {
    child: Mutex<Child>,
    folder: &'a Folder,
}

impl<'a> Device<'a> {
    pub fn start(folder: &'a Folder, args: &[&str]) -> Self {
        let mut all = vec!["run", "--hold"];
        all.extend(args);
        Self::spawn(folder, &mut folder.command(&all))
    }

    /// A device that this command runs.
    pub fn spawn(folder: &'a Folder, command: &mut Command) -> Self {
        let log = File::create(folder.path("log")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        Device { child: Mutex::new(child), folder }
    }

    /// What it wrote to its standard error.
    pub fn log(&self) -> String {
        self.folder.read("log")
    }

    /// Asks it something.
    pub fn ask(&self, args: &[&str]) -> Outcome {
        self.folder.millrace(args)
    }

    pub fn wait_until(&self, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !done() {
            assert!(Instant::now() < end, "it did not happen; the device says:\n{}", self.log());
            assert!(self.child.lock().unwrap().try_wait().unwrap().is_none(), "the device ended:\n{}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits until its statistics look as they should.
    pub fn wait_for(&self, done: impl Fn(&Value) -> bool) {
        self.wait_until(|| {
            let Outcome { code, out, .. } = self.ask(&["stats", "--json"]);
            code == Some(0) && done(&serde_json::from_str(&out).unwrap())
        });
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.lock().unwrap().id() as i32), signal).unwrap();
    }

    pub fn hang_up(&self) {
        self.signal(Signal::SIGHUP);
    }

    /// Interrupts it and waits for its end, which must be a clean one.
    pub fn stop(&self) {
        self.signal(Signal::SIGINT);
        let status = self.wait();
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    /// How it ended, if it does so within this time.
    pub fn ended_within(&self, time: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + time;
        loop {
            let status = self.child.lock().unwrap().try_wait().unwrap();
            if status.is_some() || Instant::now() >= end {
                return status;
            }
            sleep(Duration::from_millis(10));
        }
    }

    /// Waits for its end.
    pub fn wait(&self) -> ExitStatus {
        self.child.lock().unwrap().wait().unwrap()
    }
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}
