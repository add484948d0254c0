// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask dpu-os`: a Linux for a card's own processor, of a distribution's kernel and packages and of the firmware, as a profile says.

mod cpio;
mod disk;
mod image;
mod kernel;
mod keys;
mod layer;
mod loaders;
mod media;
mod profile;
mod root;
mod sbom;

pub use image::Image;
pub use media::Media;

use crate::architecture::Architecture;
use crate::debian::Package;
use anyhow::{Context, Result};
use clap::Args;
use image::Order;
use loaders::Loaders;
use millrace_update::SigningKey;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;

/// What is built.
#[derive(Args)]
pub struct Arguments {
    /// Profile: a folder of firmware/os
    #[arg(long, value_name = "NAME")]
    profile: String,
    /// Processor of the card
    #[arg(long, value_enum, value_name = "ARCHITECTURE", default_value = "aarch64")]
    arch: Architecture,
    /// With a C compiler, the driver's library and its example, to make programs on the card: firmware/os/devel.toml
    #[arg(long)]
    devel: bool,
    /// With a kernel of the profile's own configuration, built of the source of Debian's: it takes minutes, and is kept
    #[arg(long)]
    build_kernel: bool,
    /// What the image calls itself
    #[arg(long, value_name = "TEXT", default_value = env!("CARGO_PKG_VERSION"))]
    version: String,
    /// Private key that signs it: Ed25519, PEM, as of `openssl genpkey -algorithm ed25519`. Its public key goes into the image, which takes updates signed with it
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// The files that an image is handed on as, in the folder of its profile.
pub const DISK: &str = "disk.img";
pub const UPDATE: &str = "update";
pub const NETWORK: &str = "pxe";

/// A profile, and what is done with it.
#[derive(Clone, Copy)]
pub struct Variant<'a> {
    pub profile: &'a str,
    /// With what programs are made with on the card.
    pub devel: bool,
    /// With a kernel of its own in place of Debian's.
    pub build_kernel: bool,
}

impl<'a> Variant<'a> {
    /// A profile with Debian's kernel and nothing besides.
    pub const fn plain(profile: &'a str) -> Self {
        Self { profile, devel: false, build_kernel: false }
    }

    /// What it is called.
    pub fn name(&self) -> String {
        let more = [(self.devel, "-devel"), (self.build_kernel, "-own-kernel")];
        let more = more.iter().filter(|(there, _)| *there).map(|(_, word)| *word);
        std::iter::once(self.profile).chain(more).collect()
    }
}

/// An image with all that it reaches a card by.
pub struct Release<'a> {
    pub variant: Variant<'a>,
    pub architecture: Architecture,
    pub version: &'a str,
    /// Further services that are kept running: their names and scripts.
    pub services: &'a [(&'a str, &'a [u8])],
    /// Files in place of the profile's.
    pub files: &'a [(&'a str, &'a [u8])],
    /// Where it is written.
    pub out: &'a Path,
}

/// Builds an image, and prints its sizes.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { profile, arch, devel, build_kernel, version, key } = arguments;
    let key = keys::signing(key.as_deref())?;
    let variant = Variant { profile, devel: *devel, build_kernel: *build_kernel };
    let (name, out) = (variant.name(), folder(&variant, *arch));
    let release = Release { variant, architecture: *arch, version, services: &[], files: &[], out: &out };
    let image = release.build(&key)?;
    let size = |file: &str| fs::metadata(out.join(file)).with_context(|| format!("cannot find {file}"));
    let (kernel, initramfs, update, disk) = (size("kernel")?, size("initramfs")?, size(UPDATE)?, size(DISK)?);
    println!(
        "{}",
        json!({"profile": name, "architecture": arch.name(), "version": version, "kernel_bytes": kernel.len(),
            "initramfs_bytes": initramfs.len(), "bytes": kernel.len() + initramfs.len(), "update_bytes": update.len(),
            "disk_bytes": disk.len(), "kernel_release": image.release,
            "kernel_source": image.source.map(|Package { name, version, .. }| format!("{name} {version}")),
            "modules": image.modules, "packages": image.packages, "folder": out})
    );
    Ok(())
}

/// Builds kernel and initramfs of a profile, with further services that are kept running, and with files in place of the profile's: names and contents.
pub fn build(
    variant: Variant,
    architecture: Architecture,
    services: &[(&str, &[u8])],
    files: &[(&str, &[u8])],
) -> Result<Image> {
    let out = folder(&variant, architecture).join("with-more");
    let key = test_key()?.verifying_key();
    Order { variant, architecture, key, services, files, loaders: &[], out: &out }.build()
}

/// The key that signs if none is given.
pub fn test_key() -> Result<SigningKey> {
    keys::signing(None)
}

/// Where an image lies.
fn folder(variant: &Variant, architecture: Architecture) -> PathBuf {
    let name = variant.name();
    run::target().join("dpu-os").join(match architecture {
        Architecture::Aarch64 => name,
        other => format!("{name}-{}", other.name()),
    })
}

impl Release<'_> {
    /// Builds it.
    pub fn build(&self, key: &SigningKey) -> Result<Image> {
        let Self { variant, architecture, version, services, files, out } = *self;
        let loaders = run::target().join("dpu-os/loaders").join(architecture.name());
        let loaders = Loaders::ensure(architecture, &loaders)?;
        let key_of_card = key.verifying_key();
        let order = Order { variant, architecture, key: key_of_card, services, files, loaders: &loaders.packages, out };
        let image = order.build()?;
        let media = Media::new(&image, architecture, &variant.name(), version)?;
        media.write_disk(&out.join(DISK), &loaders)?;
        media.write_update(&out.join(UPDATE), key)?;
        media.write_network(&out.join(NETWORK), &loaders)?;
        Ok(image)
    }
}
