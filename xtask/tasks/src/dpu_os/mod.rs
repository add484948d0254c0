// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask dpu-os`: a Linux for a card's own processor, of a distribution's kernel and packages and of the firmware, as a profile says.

mod cpio;
mod disk;
mod image;
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

/// An image with all that it reaches a card by.
pub struct Release<'a> {
    /// Profile.
    pub name: &'a str,
    /// With what programs are made with.
    pub devel: bool,
    pub architecture: Architecture,
    pub version: &'a str,
    /// Further services that are kept running: their names and scripts.
    pub services: &'a [(&'a str, &'a [u8])],
    /// Files in place of the profile's.
    pub files: &'a [(&'a str, &'a str)],
    /// Where it is written.
    pub out: &'a Path,
}

/// Builds an image, and prints its sizes.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { profile, arch, devel, version, key } = arguments;
    let key = keys::signing(key.as_deref())?;
    let name = variant(profile, *devel);
    let out = folder(&name, *arch);
    let release =
        Release { name: profile, devel: *devel, architecture: *arch, version, services: &[], files: &[], out: &out };
    let image = release.build(&key)?;
    let size = |file: &str| fs::metadata(out.join(file)).with_context(|| format!("cannot find {file}"));
    let (kernel, initramfs, update, disk) = (size("kernel")?, size("initramfs")?, size(UPDATE)?, size(DISK)?);
    println!(
        "{}",
        json!({"profile": name, "architecture": arch.name(), "version": version, "kernel_bytes": kernel.len(),
            "initramfs_bytes": initramfs.len(), "bytes": kernel.len() + initramfs.len(), "update_bytes": update.len(),
            "disk_bytes": disk.len(), "modules": image.modules,
            "packages": image.packages, "folder": out})
    );
    Ok(())
}

/// Builds kernel and initramfs of a profile, with further services that are kept running: their names and scripts.
pub fn build(name: &str, devel: bool, architecture: Architecture, services: &[(&str, &[u8])]) -> Result<Image> {
    let out = folder(&variant(name, devel), architecture).join("with-more");
    let key = test_key()?.verifying_key();
    Order { name, devel, architecture, key, services, files: &[], loaders: &[], out: &out }.build()
}

/// What a profile is called with its layer `devel`.
fn variant(name: &str, devel: bool) -> String {
    if devel { format!("{name}-devel") } else { name.to_owned() }
}

/// The key that signs if none is given.
pub fn test_key() -> Result<SigningKey> {
    keys::signing(None)
}

/// Where an image lies.
fn folder(name: &str, architecture: Architecture) -> PathBuf {
    run::target().join("dpu-os").join(match architecture {
        Architecture::Aarch64 => name.to_owned(),
        other => format!("{name}-{}", other.name()),
    })
}

impl Release<'_> {
    /// Builds it.
    pub fn build(&self, key: &SigningKey) -> Result<Image> {
        let Self { name, devel, architecture, version, services, files, out } = *self;
        let loaders = run::target().join("dpu-os/loaders").join(architecture.name());
        let loaders = Loaders::ensure(architecture, &loaders)?;
        let order = Order {
            name,
            devel,
            architecture,
            key: key.verifying_key(),
            services,
            files,
            loaders: &loaders.packages,
            out,
        };
        let image = order.build()?;
        let media = Media::new(&image, architecture, &variant(name, devel), version)?;
        media.write_disk(&out.join(DISK), &loaders)?;
        media.write_update(&out.join(UPDATE), key)?;
        media.write_network(&out.join(NETWORK), &loaders)?;
        Ok(image)
    }
}
