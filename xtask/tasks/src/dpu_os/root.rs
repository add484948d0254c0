// SPDX-License-Identifier: MIT OR Apache-2.0
//! The packages of an image, unpacked into a folder, with the kernel if it is one of them.

use super::kernel::Kernel;
use super::profile::{Flavour, Profile};
use crate::architecture::Architecture;
use crate::debian::{Apt, Modules, Package, RELEASE};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;

/// What packages want for being installed, and an image does not.
const SPARED: [&str; 5] = ["adduser", "initramfs-tools", "kmod", "linux-base", "dpkg"];
/// What of packages is not in an image: for people, and the kernel with its modules, of which the profile says what is.
const LEFT_OUT: [&str; 9] = [
    "boot",
    "usr/lib/modules",
    "usr/share/bug",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/initramfs-tools",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
];
/// The list of what was unpacked, beside the folder.
const LIST: &str = "packages.json";

/// Unpacked packages.
pub struct Root {
    folder: PathBuf,
    pub packages: Vec<Package>,
}

impl Root {
    /// Unpacks what a profile asks for, with a kernel or without, if it is not there, and says so.
    pub fn ensure(profile: &Profile, with_kernel: bool, architecture: Architecture, folder: &Path) -> Result<Self> {
        let wanted = wanted(profile, with_kernel, architecture);
        let (root, stamp) = (folder.join("root"), folder.join("wanted"));
        let spared = spared(profile);
        let asked = format!("{RELEASE} {} without {}\n", wanted.join(" "), spared.join(" "));
        if fs::read_to_string(&stamp).ok() != Some(asked.clone()) {
            remove(folder)?;
            unpack(profile, architecture, &wanted, &spared, folder)?;
            fs::write(&stamp, asked)?;
        }
        let packages = serde_json::from_str(&fs::read_to_string(folder.join(LIST))?)?;
        Ok(Self { folder: root, packages })
    }

    /// The kernel among the packages.
    pub fn kernel(&self) -> Result<Kernel> {
        let all = self.folder.join("usr/lib/modules");
        let mut releases = fs::read_dir(&all).context("the packages have no kernel")?;
        let release = match (releases.next(), releases.next()) {
            (Some(release), None) => release?.file_name().to_string_lossy().into_owned(),
            _ => bail!("{} holds more than one kernel", self.folder.display()),
        };
        let file = self.folder.join(format!("boot/vmlinuz-{release}"));
        Ok(Kernel { file, modules: Modules::find(&all.join(&release))?, release, source: None })
    }

    /// The files that an image has of the packages: from the root on.
    pub fn files(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut files = vec![];
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
                let path = entry?.path();
                let relative = path.strip_prefix(&self.folder)?.to_str().context("a name is no text")?.to_owned();
                if path.is_dir() && !path.is_symlink() {
                    if !leaves_out(&relative) {
                        folders.push(path);
                    }
                } else {
                    files.push((relative, path));
                }
            }
        }
        Ok(files)
    }
}

/// Whether a folder is not in an image.
fn leaves_out(folder: &str) -> bool {
    // What the kernel's package has there describes boards to boot loaders.
    LEFT_OUT.contains(&folder) || folder.starts_with("usr/lib/linux-image-")
}

fn wanted(profile: &Profile, with_kernel: bool, architecture: Architecture) -> Vec<String> {
    let kernel = with_kernel.then(|| match profile.kernel.flavour {
        Flavour::Cloud => format!("linux-image-cloud-{}", architecture.debian()),
        Flavour::Generic => format!("linux-image-{}", architecture.debian()),
    });
    let packages = profile.layers_of_packages().flat_map(|(_, layer)| &layer.packages);
    kernel.into_iter().chain(packages.map(|name| name.get_ref().clone())).collect()
}

/// What is taken for installed.
fn spared(profile: &Profile) -> Vec<&str> {
    let without = profile.layers_of_packages().flat_map(|(_, layer)| &layer.without);
    SPARED.into_iter().chain(without.map(|name| name.get_ref().as_str())).collect()
}

fn unpack(
    profile: &Profile,
    architecture: Architecture,
    wanted: &[String],
    spared: &[&str],
    folder: &Path,
) -> Result<()> {
    eprintln!("dpu-os: unpacking {} of Debian below {}", wanted.join(", "), folder.display());
    let apt = Apt::new(&folder.join("apt"), &[RELEASE], architecture, spared)?;
    for (layer, packages) in profile.layers_of_packages() {
        for package in packages.packages.iter().chain(&packages.without) {
            if !apt.knows(package.get_ref())? {
                let text =
                    format!("Debian {RELEASE} has no package {} for {}", package.get_ref(), architecture.debian());
                return Err(layer.error(package, text));
            }
        }
    }
    let names: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let unpacked = apt.unpack(&names, RELEASE, &folder.join("root"))?;
    remove(&folder.join("apt"))?;
    Ok(fs::write(folder.join(LIST), serde_json::to_string(&unpacked)?)?)
}

/// Reads a module of the kernel, which Debian compresses.
pub fn read_module(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_none_or(|extension| extension != "xz") {
        return fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let output = run::command("xz").args(["--decompress", "--stdout"]).arg(file).output().context("cannot start xz")?;
    if !output.status.success() {
        bail!("cannot unpack {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(output.stdout)
}

/// Removes a folder, if it is there.
pub fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}
