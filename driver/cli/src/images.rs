// SPDX-License-Identifier: MIT OR Apache-2.0
//! Images of DPU-OS that the host sends: frames of its PF that the slow path does not see.

use anyhow::{Context, Result};
use millrace_driver::virtio::FunctionView;
use millrace_driver::{Access, Device, DeviceError, Sent, Upcall};
use millrace_update::transfer::{Message, Receiver, is_ours};
use millrace_update::{Error, read_public};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Frames of the host that are looked at in one go: the slow path gets its turn however many come.
const BURST: usize = 64;
/// What frames to the host have for a source: an address of nobody's.
const SOURCE: [u8; 6] = [0x02, 0x4d, 0x52, 0xff, 0xff, 0xff];

/// Takes images that come in at a vport, and has them installed.
pub struct Images {
    vport: u8,
    /// Whose images are taken.
    key: PathBuf,
    /// Where an image is until it is installed.
    file: PathBuf,
    receiver: Receiver,
    installer: Option<Child>,
    start: Instant,
}

impl Images {
    /// Takes those that are signed with the key in a file.
    pub fn new(vport: u8, key: &Path) -> Result<Self, Error> {
        let file = std::env::temp_dir().join(format!("millrace-image-{}", std::process::id()));
        let receiver = Receiver::new(read_public(key)?, &file);
        Ok(Self { vport, key: key.to_owned(), file, receiver, installer: None, start: Instant::now() })
    }

    fn is_for(&self, upcall: &Upcall) -> bool {
        upcall.vport == self.vport && is_ours(&upcall.frame)
    }

    /// Takes a frame; the answer, if there is one.
    fn take(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let message = Message::parse(frame)?;
        let mut answer = None;
        let whole = self.receiver.take(&message, self.start.elapsed(), |reply| answer = Some(reply.frame(SOURCE)));
        if whole {
            match self.install() {
                Ok(installer) => self.installer = Some(installer),
                Err(error) => self.receiver.end(Err(format!("{error:#}"))),
            }
        }
        answer
    }

    /// Has the image installed by a process of its own: the slow path does not wait for a disk.
    fn install(&self) -> Result<Child> {
        tracing::info!("the host has sent an image: it is installed");
        let mut command = Command::new(std::env::current_exe().context("this program is not to be found")?);
        command.args(["os", "install"]).arg(&self.file).arg("--key").arg(&self.key);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().context("cannot start what installs it")
    }

    /// Looks whether an image is installed.
    fn turn(&mut self) {
        let Some(installer) = &mut self.installer else { return };
        if matches!(installer.try_wait(), Ok(None)) {
            return;
        }
        let result = self.installer.take().map_or(Err(String::new()), outcome);
        match &result {
            Ok(text) => tracing::info!("an image of the host is installed: {text}"),
            Err(why) => tracing::warn!("an image of the host is not installed: {why}"),
        }
        self.receiver.end(result);
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        // An installer goes on, and reads it.
        if self.installer.is_none() {
            let _ = fs::remove_file(&self.file);
        }
    }
}

/// What a process that has ended printed: what it says of the image, or why it failed.
fn outcome(installer: Child) -> Result<String, String> {
    let output = installer.wait_with_output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A device, without the frames that are of images.
pub struct WithImages<D> {
    pub device: D,
    /// If they are taken.
    images: Option<Images>,
}

impl<D> WithImages<D> {
    pub fn new(device: D, images: Option<Images>) -> Self {
        Self { device, images }
    }
}

impl<D: Device> Device for WithImages<D> {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.device.read32(address)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.device.write32(address, value)
    }

    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        self.device.batch(accesses)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        let Some(images) = &mut self.images else { return self.device.recv_upcall() };
        for _ in 0..BURST {
            let upcall = self.device.recv_upcall()?;
            if !images.is_for(&upcall) {
                return Some(upcall);
            }
            if let Some(answer) = images.take(&upcall.frame) {
                // What does not get through is asked for again; a device that is gone says so when it is polled.
                let _ = self.device.send_packet_out(upcall.vport, &answer);
            }
        }
        None
    }

    fn upcall_waiting(&self) -> bool {
        self.device.upcall_waiting()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.device.send_packet_out(vport, frame)
    }

    fn packets_out_waiting(&self) -> usize {
        self.device.packets_out_waiting()
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.images.iter_mut().for_each(Images::turn);
        self.device.poll()
    }

    fn function(&mut self, function: u32) -> Result<Option<FunctionView>, DeviceError> {
        self.device.function(function)
    }

    fn now(&self) -> u64 {
        self.device.now()
    }
}
