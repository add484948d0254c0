// SPDX-License-Identifier: MIT OR Apache-2.0
//! Starts programs with the environment that the workspace's tools need.

use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// The workspace's root folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// The folder of everything built: `CARGO_TARGET_DIR`, or `target/`.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The Python environment that tools from PyPI are installed into.
pub fn tools() -> PathBuf {
    target().join("tools")
}

/// A command in the workspace's root with the installed tools on its PATH.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools().join("bin")).chain(env::split_paths(&path));
    command.current_dir(root()).env("PATH", env::join_paths(folders).expect("PATH is made of paths"));
    command
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    command(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The way from a folder to a file. YoWASP's tools see a `/tmp` of their own, but relative paths lead out of it.
pub fn way(from: &Path, to: &Path) -> Result<PathBuf> {
    let real = |path: &Path| path.canonicalize().with_context(|| format!("cannot find {}", path.display()));
    let (from, to) = (real(from)?, real(to)?);
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    Ok(up.chain(to.components().skip(shared)).collect())
}

/// Runs `command` and fails if it does.
pub fn checked(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !status.success() {
        bail!("`{}` ended with {status}", shown(&command));
    }
    Ok(())
}

/// Builds the programs `bins` of `packages` for speed, with cargo features. Those built at once share what they depend on.
pub fn build(packages: &[&str], bins: &[&str], features: &[&str]) -> Result<()> {
    let mut build = build_command(packages, bins);
    build.args(features.iter().flat_map(|feature| ["--features", feature]));
    checked(build)
}

/// As [`build`], without what is there by default and takes long to build.
pub fn build_least(packages: &[&str], bins: &[&str]) -> Result<()> {
    let mut build = build_command(packages, bins);
    build.args(["--no-default-features", "--features", "millrace/simulation"]);
    checked(build)
}

/// Builds a program without the libraries that it would load: it runs on any Linux of `target`. Where it is.
pub fn build_static(package: &str, target: &str) -> Result<PathBuf> {
    let mut build = build_command(&[package], &[package]);
    // For a target that is named, flags do not count for build scripts and procedural macros: these have to load libraries.
    build.args(["--target", target]).env("RUSTFLAGS", "-C target-feature=+crt-static");
    checked(build)?;
    Ok(self::target().join(target).join("release").join(package))
}

fn build_command(packages: &[&str], bins: &[&str]) -> Command {
    let mut build = cargo();
    build.args(["build", "--quiet", "--release"]);
    for (option, values) in [("--package", packages), ("--bin", bins)] {
        build.args(values.iter().flat_map(|value| [option, value]));
    }
    build
}

/// Builds a program and runs it. If it fails, its exit code becomes ours.
pub fn release(package: &str, bin: &str, features: &[&str], args: &[String]) -> Result<()> {
    build(&[package], &[bin], features)?;
    built(bin, args)
}

/// Runs a program that is built. If it fails, its exit code becomes ours.
pub fn built(bin: &str, args: &[String]) -> Result<()> {
    let mut program = command(target().join("release").join(bin));
    let status = program.args(args).status().with_context(|| format!("cannot start {bin}"))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => std::process::exit(code),
        None => bail!("{bin} ended with {status}"),
    }
}

/// A command as it is typed: its program and arguments.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_leads_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::write(at("f"), "").unwrap();
        assert_eq!(way(&at("a/b"), &at("f")).unwrap(), Path::new("../../f"));
        assert_eq!(way(folder.path(), &at("a/b")).unwrap(), Path::new("a/b"));
        assert!(way(folder.path(), &at("g")).is_err());
    }
}
