// SPDX-License-Identifier: MIT OR Apache-2.0
//! The source of Debian's kernel, with Debian's changes, unpacked: all kernels are built of it.

use crate::architecture::Architecture;
use crate::debian::{Apt, Package, RELEASE};
use crate::dpu_os::root::remove;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;

/// Names the source's package of the release.
const PACKAGE: &str = "linux-source";
/// What that package wants for being installed.
const SPARED: [&str; 4] = ["binutils", "bzip2", "coreutils", "xz-utils"];
/// What no kernel is built of: half of the source.
const LEFT_OUT: [&str; 3] = ["*/Documentation/*/*", "*/drivers/gpu/drm/amd/include", "*/tools/testing"];
const LIST: &str = "package.json";

/// An unpacked source.
pub struct Source {
    pub tree: PathBuf,
    /// The package that it is of.
    pub package: Package,
}

impl Source {
    /// Unpacks it, if it is not there, and says so. The package is what the signed lists of the release say that it is: apt compares its hash.
    pub fn ensure(folder: &Path) -> Result<Self> {
        let (tree, list) = (folder.join("tree"), folder.join(LIST));
        if !list.is_file() {
            eprintln!("dpu-os: unpacking {PACKAGE} of Debian below {}: 150 MB, 1.1 GB unpacked", folder.display());
            remove(folder)?;
            let package = unpack(folder, &tree)?;
            fs::write(&list, serde_json::to_string(&package)?)?;
        }
        let text = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
        Ok(Self { tree, package: serde_json::from_str(&text)? })
    }
}

/// Unpacks the source into `tree`; the package that it is of.
fn unpack(folder: &Path, tree: &Path) -> Result<Package> {
    let (apt, packages) = (folder.join("apt"), folder.join("packages"));
    // The same for all architectures.
    let unpacked = Apt::new(&apt, &[RELEASE], Architecture::X86_64, &SPARED)?.unpack(&[PACKAGE], RELEASE, &packages)?;
    remove(&apt)?;
    // `linux-source` is empty, and depends on that of a version.
    let package = unpacked.into_iter().find(|package| package.name.starts_with("linux-source-"));
    let package = package.with_context(|| format!("{PACKAGE} brings no source"))?;
    let archive = packages.join(format!("usr/src/{}.tar.xz", package.name));
    fs::create_dir_all(tree).with_context(|| format!("cannot make {}", tree.display()))?;
    let mut tar = run::command("tar");
    tar.arg("--extract").arg("--file").arg(&archive).arg("--directory").arg(tree);
    tar.args(["--strip-components=1", "--wildcards"]).args(LEFT_OUT.map(|pattern| format!("--exclude={pattern}")));
    run::checked(tar)?;
    remove(&packages)?;
    Ok(package)
}
