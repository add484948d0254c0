// SPDX-License-Identifier: MIT OR Apache-2.0
//! Boot loaders of Debian for a card's processor.

use super::root::remove;
use crate::architecture::Architecture;
use crate::debian::{Apt, Package, RELEASE};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

const LIST: &str = "packages.json";

/// Unpacked boot loaders.
pub struct Loaders {
    folder: PathBuf,
    architecture: Architecture,
    pub packages: Vec<Package>,
}

impl Loaders {
    /// Unpacks them, if they are not there, and says so.
    pub fn ensure(architecture: Architecture, folder: &Path) -> Result<Self> {
        let (root, list) = (folder.join("root"), folder.join(LIST));
        if !list.is_file() {
            let wanted = ["systemd-boot-efi".to_owned(), format!("grub-efi-{}-unsigned", architecture.debian())];
            eprintln!("dpu-os: unpacking {} of Debian below {}", wanted.join(", "), folder.display());
            remove(folder)?;
            let apt = Apt::new(&folder.join("apt"), &[RELEASE], architecture, &[])?;
            let unpacked = apt.unpack_alone(&wanted.each_ref().map(String::as_str), &root)?;
            remove(&folder.join("apt"))?;
            fs::write(list, serde_json::to_string(&unpacked)?)?;
        }
        let packages = serde_json::from_str(&fs::read_to_string(folder.join(LIST))?)?;
        Ok(Self { folder: root, architecture, packages })
    }

    /// systemd-boot, which counts how often an image was tried.
    pub fn of_disk(&self) -> PathBuf {
        self.folder.join(format!("usr/lib/systemd/boot/efi/systemd-boot{}.efi", self.architecture.uefi()))
    }

    /// GRUB, which gets what it starts from where it came from. It looks for `grub/grub.cfg` there.
    pub fn of_network(&self) -> PathBuf {
        let folder = match self.architecture {
            Architecture::Aarch64 => "arm64-efi",
            Architecture::X86_64 => "x86_64-efi",
        };
        self.folder.join(format!("usr/lib/grub/{folder}/monolithic/grubnet{}.efi", self.architecture.uefi()))
    }
}
