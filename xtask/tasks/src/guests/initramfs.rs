// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a guest boots into: busybox, programs with their libraries, kernel modules, and the script `agent`, which takes commands.

use super::install::Install;
use crate::debian::Modules;
use anyhow::{Context, Result, bail};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use xtask::run;

/// What a guest has beside busybox and a few programs.
pub struct Contents<'a> {
    /// Modules that it may load; what these depend on comes along.
    pub modules: &'a [&'a str],
    /// Programs that need no libraries, for its folder `bin`.
    pub programs: &'a [&'a Path],
    /// Programs and plug-ins of the install, by their places there; the libraries that they load come along.
    pub installed: &'a [&'a str],
    /// Folders, and the places that they have in the guest.
    pub folders: &'a [(&'a Path, &'a str)],
    /// Symbolic links: where they are, and where they lead to.
    pub links: &'a [(&'a str, &'a str)],
}

impl Contents<'_> {
    /// What most guests have.
    pub const STOCK: Self = Self { modules: &["virtio_net"], programs: &[], installed: &[], folders: &[], links: &[] };
}

/// Programs beside those of busybox.
const PROGRAMS: [&str; 3] = ["usr/bin/iperf3", "usr/bin/ping", "usr/sbin/ethtool"];
/// What the C library loads to end a thread.
const UNWINDER: &str = "usr/lib/x86_64-linux-gnu/libgcc_s.so.1";

/// Writes it as the file `into`.
pub fn write(install: &Install, contents: &Contents, into: &Path) -> Result<()> {
    let tree = tempfile::tempdir()?;
    let tree = tree.path();
    for folder in ["bin", "dev", "proc", "sys", "tmp", "usr/lib64"] {
        fs::create_dir_all(tree.join(folder))?;
    }
    // Programs name their loader, and the kernel looks for modules, where they lay before `/usr`.
    symlink("usr/lib64", tree.join("lib64"))?;
    symlink("usr/lib", tree.join("lib"))?;
    executable(&tree.join("init"), include_bytes!("init"))?;
    executable(&tree.join("agent"), include_bytes!("agent"))?;
    executable(&tree.join("bin/busybox"), &read(&install.path("usr/bin/busybox"))?)?;
    for program in PROGRAMS.iter().chain(contents.installed) {
        for file in install.libraries(program)?.iter().map(String::as_str).chain([*program, UNWINDER]) {
            executable(&tree.join(file), &read(&install.path(file))?)?;
        }
    }
    for program in contents.programs {
        let name = program.file_name().expect("it is a file");
        executable(&tree.join("bin").join(name), &read(program)?)?;
    }
    for (folder, place) in contents.folders {
        copy(folder, &tree.join(place))?;
    }
    for (link, to) in contents.links {
        symlink(to, tree.join(link)).with_context(|| format!("cannot make the link {link}"))?;
    }
    add_modules(install, contents.modules, tree)?;
    archive(install, tree, into)
}

fn add_modules(install: &Install, names: &[&str], tree: &Path) -> Result<()> {
    let unpack = |file: &Path| {
        let output = install.busybox("xzcat").arg(file).output().context("cannot start busybox")?;
        if !output.status.success() {
            bail!("cannot unpack {}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
        }
        Ok(output.stdout)
    };
    let folder = install.modules();
    let modules = Modules::find(&install.path(&folder))?.with_dependencies(names, unpack)?;
    for (name, module) in modules {
        executable(&tree.join(&folder).join(format!("{name}.ko")), &module)?;
    }
    let mut depmod = install.busybox("depmod");
    depmod.arg("-b").arg(tree).arg(install.kernel_release());
    run::checked(depmod)
}

/// Packs a tree as the kernel takes it.
fn archive(install: &Install, tree: &Path, into: &Path) -> Result<()> {
    let mut shell = install.busybox("sh");
    let script = r#"set -o pipefail; "$0" find . | "$0" cpio -o -H newc -R 0:0 >"$1""#;
    shell.arg("-c").arg(script).arg(install.path("usr/bin/busybox")).arg(into).current_dir(tree);
    let output = shell.output().context("cannot start busybox")?;
    if !output.status.success() {
        bail!("cannot write {}: {}", into.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Copies a folder with all that is in it; links as what they lead to, if that is here.
fn copy(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let place = to.join(path.file_name().expect("it is in a folder"));
        if path.is_dir() {
            copy(&path, &place)?;
        } else if path.exists() {
            executable(&place, &read(&path)?)?;
        }
    }
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

fn executable(file: &Path, content: &[u8]) -> Result<()> {
    let folder = file.parent().expect("it lies in the tree");
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}
