// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an image reaches a card by: a disk, the network, an update.

use super::disk;
use super::image::{Image, contents, write};
use super::loaders::Loaders;
use crate::architecture::Architecture;
use anyhow::{Context, Result};
use millrace_update::{Entry, Manifest, Part, SigningKey, Slot, Trial};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// No menu, nobody to wait for, and nothing to start but our entries.
const LOADER: &str = "timeout 0\neditor no\nauto-entries no\nauto-firmware no\n";

/// An image in memory, and what it says of itself.
pub struct Media {
    architecture: Architecture,
    kernel: Vec<u8>,
    initramfs: Vec<u8>,
    manifest: Manifest,
}

impl Media {
    pub fn new(image: &Image, architecture: Architecture, profile: &str, version: &str) -> Result<Self> {
        let (kernel, initramfs) = (contents(&image.kernel)?, contents(&image.initramfs)?);
        let command_line = format!("{} {}", image.command_line, architecture.console());
        let parts = [Part::of(&kernel), Part::of(&initramfs)];
        let manifest = Manifest::new(profile, version, architecture.name(), command_line.trim_end(), parts);
        Ok(Self { architecture, kernel, initramfs, manifest })
    }

    /// Writes a disk with the image in slot A: nothing is there that could be gone back to, so that it is not on trial.
    pub fn write_disk(&self, path: &Path, loaders: &Loaders) -> Result<()> {
        let entry = Entry { number: 1, trial: Trial::Passed };
        let slot = |file: &str| format!("{}/{file}", Slot::A.name());
        let files = [
            (format!("EFI/BOOT/BOOT{}.EFI", self.architecture.uefi().to_uppercase()), contents(&loaders.of_disk())?),
            ("loader/loader.conf".into(), LOADER.into()),
            (format!("loader/entries/{entry}"), entry.text(Slot::A, &self.manifest).into_bytes()),
            (slot("kernel"), self.kernel.clone()),
            (slot("initramfs"), self.initramfs.clone()),
        ];
        disk::write(path, &files)
    }

    /// Writes the file that `millrace os install` takes.
    pub fn write_update(&self, path: &Path, key: &SigningKey) -> Result<()> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let written = millrace_update::write(BufWriter::new(file), &self.manifest, key, &self.kernel, &self.initramfs);
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Fills a folder for a server of TFTP: firmware is told to take `boot.efi`.
    pub fn write_network(&self, folder: &Path, loaders: &Loaders) -> Result<()> {
        fs::create_dir_all(folder.join("grub")).with_context(|| format!("cannot make {}", folder.display()))?;
        let menu = format!(
            "set timeout=0\nmenuentry 'DPU-OS {} {}' {{\n  linux /kernel {}\n  initrd /initramfs\n}}\n",
            self.manifest.profile, self.manifest.version, self.manifest.command_line
        );
        let files: [(PathBuf, &[u8]); 4] = [
            ("boot.efi".into(), &contents(&loaders.of_network())?),
            ("grub/grub.cfg".into(), menu.as_bytes()),
            ("kernel".into(), &self.kernel),
            ("initramfs".into(), &self.initramfs),
        ];
        files.iter().try_for_each(|(name, content)| write(&folder.join(name), content))
    }
}
