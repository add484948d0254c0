// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU, and the kernel and programs of the guests: from a Debian release that has them, unpacked below `target/guests`.

use crate::architecture::Architecture;
use crate::debian::{Apt, RELEASE};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use xtask::run;

/// The release's own QEMU is 10.0; `vfio-user-pci` came with 10.1.
const BACKPORTS: &str = "trixie-backports";

/// Packages that are unpacked together, with all that they depend on.
pub struct Group {
    pub name: &'static str,
    /// What is asked for, of the backports if they have it, and why.
    pub packages: &'static [(&'static str, &'static str)],
    /// What packages want for being installed. Here they are unpacked alone.
    pub spared: &'static [&'static str],
}

/// What all guests need.
const BASE: Group = Group {
    name: "base",
    packages: &[
        ("qemu-system-x86", "runs the guests"),
        // Of the release, as its users have it.
        ("linux-image-cloud-amd64/trixie", "the guests' kernel, with the stock drivers"),
        ("busybox-static", "the guests' shell and tools"),
        // That of busybox hears of everything and overlooks answers when much comes in.
        ("iputils-ping", "ping of the guests"),
        ("iperf3", "TCP traffic of the guests"),
        ("ethtool", "tells what the guests' driver leaves to the device"),
    ],
    spared: &["adduser", "initramfs-tools", "kmod", "linux-base"],
};

/// What is installed: a folder laid out as a root.
pub struct Install {
    root: PathBuf,
    /// The kernel's release, as `uname -r` prints it.
    kernel: String,
}

impl Install {
    /// Installs what is missing for all guests, and says so. A second call installs nothing, unless other packages are asked for.
    pub fn ensure() -> Result<Self> {
        Self::of(&BASE, "root")
    }

    /// The same of a group that has a kernel of its own.
    pub fn ensure_apart(group: &Group) -> Result<Self> {
        Self::of(group, group.name)
    }

    fn of(group: &Group, name: &str) -> Result<Self> {
        let root = folder().join(name);
        if !group.is_in(&root) {
            remove(&root)?;
            group.unpack(&root)?;
        }
        let kernel = only_name(&root.join("usr/lib/modules"))?;
        Ok(Self { root, kernel })
    }

    /// Installs what some guests need beside that, if it is missing.
    pub fn add(&self, group: &Group) -> Result<()> {
        if group.is_in(&self.root) { Ok(()) } else { group.unpack(&self.root) }
    }

    /// A file of the root.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The kernel's release, as `uname -r` prints it.
    pub fn kernel_release(&self) -> &str {
        &self.kernel
    }

    /// The kernel itself, for QEMU to boot. Newer packages have it beside its modules.
    pub fn kernel(&self) -> PathBuf {
        let beside = self.path(&self.modules()).join("vmlinuz");
        if beside.is_file() { beside } else { self.path(&format!("boot/vmlinuz-{}", self.kernel)) }
    }

    /// The folder of the kernel's modules, relative to the root.
    pub fn modules(&self) -> String {
        format!("usr/lib/modules/{}", self.kernel)
    }

    /// A command of busybox, to run here.
    pub fn busybox(&self, applet: &str) -> Command {
        let mut command = run::command(self.path("usr/bin/busybox"));
        command.arg(applet);
        command
    }

    /// A program of the root, to run here: on the C library that it was built for.
    pub fn program(&self, relative: &str) -> Command {
        let mut command = self.loader();
        command.arg(self.path(relative));
        command
    }

    /// The libraries that a program of the root loads, and their loader: relative to the root.
    pub fn libraries(&self, program: &str) -> Result<Vec<String>> {
        let mut list = self.loader();
        let output = list.arg("--list").arg(self.path(program)).output().context("cannot start the root's ld.so")?;
        let text = String::from_utf8_lossy(&output.stdout);
        // `libc.so.6 => /…/root/usr/lib/…/libc.so.6 (0x7f…)`; the kernel's vDSO has no file.
        let files = text.lines().filter_map(|line| line.split_once(" => ")?.1.split(" (").next());
        let relative = |file| Path::new(file).strip_prefix(&self.root).map(|path| path.display().to_string());
        let libraries: Vec<String> = files.map(relative).collect::<Result<_, _>>()?;
        if libraries.is_empty() {
            bail!("cannot tell the libraries of {program}: {text}{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(libraries)
    }

    fn loader(&self) -> Command {
        let mut command = run::command(self.path("usr/lib64/ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg(self.path("usr/lib/x86_64-linux-gnu"));
        command
    }
}

impl Group {
    /// Whether it is there whole.
    fn is_in(&self, root: &Path) -> bool {
        fs::read_to_string(self.stamp(root)).is_ok_and(|there| there == self.wanted())
    }

    /// Unpacks all packages into `root`.
    fn unpack(&self, root: &Path) -> Result<()> {
        let start = Instant::now();
        for (package, why) in self.packages {
            eprintln!("setup: unpacking {package} of Debian below {}: {why}", root.display());
        }
        // An attempt before this one may have ended halfway.
        let apt = folder().join("apt");
        remove(&apt)?;
        fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
        let packages: Vec<&str> = self.packages.iter().map(|(package, _)| *package).collect();
        Apt::new(&apt, &[RELEASE, BACKPORTS], Architecture::X86_64, self.spared)?.unpack(&packages, BACKPORTS, root)?;
        remove(&apt)?;
        let stamp = self.stamp(root);
        fs::write(&stamp, self.wanted()).with_context(|| format!("cannot write {}", stamp.display()))?;
        eprintln!("setup: unpacked in {:.0} s", start.elapsed().as_secs_f64());
        Ok(())
    }

    /// The file that tells what was unpacked.
    fn stamp(&self, root: &Path) -> PathBuf {
        root.join(format!("installed-{}", self.name))
    }

    fn wanted(&self) -> String {
        format!("{RELEASE} {BACKPORTS} {:?} {:?}\n", self.packages, self.spared)
    }
}

/// The folder of all that guests need and leave behind.
pub fn folder() -> PathBuf {
    run::target().join("guests")
}

/// Removes a file or folder, if it is there.
pub fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The name of the only thing in a folder.
fn only_name(folder: &Path) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    match &names.collect::<Result<Vec<String>>>()?[..] {
        [name] => Ok(name.clone()),
        names => bail!("{} holds {names:?}, not one thing", folder.display()),
    }
}
