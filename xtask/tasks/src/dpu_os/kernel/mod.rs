// SPDX-License-Identifier: MIT OR Apache-2.0
//! A kernel of a configuration of one's own, built of the source of Debian's kernel, and kept by what it was made of.

mod fragment;
mod source;

pub use fragment::Fragment;

use super::root::remove;
use crate::architecture::Architecture;
use crate::debian::{Modules, Package};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use source::Source;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;
use xtask::run;
use xtask::setup::{self, Need};

/// What the kernel says of its making: it does not depend on where and when it is built.
const MADE: [(&str, &str); 4] = [
    ("KBUILD_BUILD_TIMESTAMP", "1970-01-01 00:00 UTC"),
    ("KBUILD_BUILD_USER", "dpu-os"),
    ("KBUILD_BUILD_HOST", "millrace"),
    ("KBUILD_BUILD_VERSION", "1"),
];
/// Files of a kernel that is kept.
const FILE: &str = "kernel";
const RELEASE: &str = "release";
const BUILT_IN: &str = "modules.builtin";

/// A kernel, and what modules there are for it.
pub struct Kernel {
    /// As firmware or QEMU boots it.
    pub file: PathBuf,
    /// Its release, as `uname -r` prints it.
    pub release: String,
    pub modules: Modules,
    /// What it was built of, if that was done here.
    pub source: Option<Package>,
}

impl Kernel {
    /// Builds it, if there is none of this configuration, source and compiler, and says so.
    ///
    /// # Errors
    /// If a symbol of the configuration does not take: with file and line.
    pub fn ensure(fragment: &Fragment, architecture: Architecture) -> Result<Self> {
        setup::install(&[Need::Kernel, compiler_needed(architecture)])?;
        let folder = run::target().join("dpu-os/kernels");
        let source = Source::ensure(&folder.join("source"))?;
        let key = key(fragment, &source.package, &compiler(architecture)?, architecture);
        let kept = folder.join(&key);
        if !kept.is_dir() {
            let build =
                Build { source: &source, architecture, folder: folder.join(build_folder(&source, architecture)) };
            build.configure(fragment)?;
            eprintln!("dpu-os: building kernel {}: some minutes", kept.display());
            build.make(&[image(architecture)])?;
            build.keep(&kept)?;
        }
        let release =
            fs::read_to_string(kept.join(RELEASE)).with_context(|| format!("{} is damaged", kept.display()))?;
        let modules = Modules::all_built_in(&kept.join(BUILT_IN))?;
        Ok(Self { file: kept.join(FILE), release, modules, source: Some(source.package) })
    }
}

/// A build of a kernel, beside its source.
struct Build<'a> {
    source: &'a Source,
    architecture: Architecture,
    folder: PathBuf,
}

impl Build<'_> {
    /// Writes the whole configuration: what is asked for, what that needs, and nothing else.
    fn configure(&self, fragment: &Fragment) -> Result<()> {
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let seed = self.folder.join("asked.config");
        fs::write(&seed, fragment.text())?;
        let mut make = self.command();
        make.arg(format!("KCONFIG_ALLCONFIG={}", seed.display())).arg("allnoconfig").stdout(Stdio::null());
        run::checked(make).context("cannot configure the kernel")?;
        let config = fs::read_to_string(self.folder.join(".config"))?;
        let Some(setting) = fragment.not_taken(&config) else { return Ok(()) };
        let release = &self.source.package.version;
        Err(match &setting.definitions(&self.source.tree)?[..] {
            [] => setting.error(format!("kernel {release} has no {}", setting.symbol)),
            places => setting.error(format!(
                "{} does not take: see what it depends on, in {} of the kernel's source",
                setting.symbol,
                places.join(", ")
            )),
        })
    }

    /// Runs `make`.
    fn make(&self, targets: &[&str]) -> Result<()> {
        let mut make = self.command();
        make.arg(format!("-j{}", available_parallelism()?)).args(targets);
        run::checked(make).context("cannot build the kernel")
    }

    fn command(&self) -> Command {
        let mut make = run::command("make");
        make.args(["--silent", "--directory"]).arg(&self.source.tree).arg(format!("O={}", self.folder.display()));
        make.arg(format!("ARCH={}", architecture_of_kernel(self.architecture)));
        make.arg(format!("CROSS_COMPILE={}", prefix(self.architecture)));
        make.args(MADE.map(|(name, value)| format!("{name}={value}")));
        // Cargo's make speaks to its own children.
        make.env_remove("MAKEFLAGS");
        make
    }

    /// Keeps what came of it, whole or not at all.
    fn keep(&self, kept: &Path) -> Result<()> {
        let new = kept.with_extension("new");
        remove(&new)?;
        fs::create_dir_all(&new).with_context(|| format!("cannot make {}", new.display()))?;
        let release = fs::read_to_string(self.folder.join("include/config/kernel.release"))?;
        fs::write(new.join(RELEASE), release.trim_end())?;
        for (from, to) in [(boot_file(self.architecture), FILE), (BUILT_IN, BUILT_IN), (".config", "config")] {
            let from = self.folder.join(from);
            fs::copy(&from, new.join(to)).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        fs::rename(&new, kept).with_context(|| format!("cannot make {}", kept.display()))
    }
}

/// What a kernel is kept by: all that it depends on.
fn key(fragment: &Fragment, source: &Package, compiler: &str, architecture: Architecture) -> String {
    let Package { name, version, .. } = source;
    let text = [architecture.name(), name, version, compiler, &fragment.text()].join("\n");
    let hash = Sha256::digest(text);
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where kernels of a source are built: again, when only the configuration changes, what depends on that.
fn build_folder(source: &Source, architecture: Architecture) -> String {
    format!(
        "build-{}-{}",
        source.package.version.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
        architecture.name()
    )
}

/// The compiler's name and version.
fn compiler(architecture: Architecture) -> Result<String> {
    let name = format!("{}gcc", prefix(architecture));
    let output = run::command(&name).arg("--version").output().with_context(|| format!("cannot start {name}"))?;
    match String::from_utf8_lossy(&output.stdout).lines().next() {
        Some(line) => Ok(line.to_owned()),
        None => bail!("{name} does not tell its version"),
    }
}

fn compiler_needed(architecture: Architecture) -> Need {
    match architecture {
        Architecture::Aarch64 => Need::CompilerAarch64,
        Architecture::X86_64 => Need::CompilerX86,
    }
}

/// How programs that build for an architecture are called, in Debian native ones too.
fn prefix(architecture: Architecture) -> String {
    format!("{}-linux-gnu-", architecture.name())
}

/// What the kernel's build calls it.
fn architecture_of_kernel(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Aarch64 => "arm64",
        Architecture::X86_64 => "x86_64",
    }
}

/// The target that makes what is booted.
fn image(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Aarch64 => "Image",
        Architecture::X86_64 => "bzImage",
    }
}

/// What is booted, in the folder of the build: an application of UEFI as well.
fn boot_file(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Aarch64 => "arch/arm64/boot/Image",
        Architecture::X86_64 => "arch/x86/boot/bzImage",
    }
}
