// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask capi`: the driver for C, laid out as compilers and pkg-config look for it.

use crate::architecture::Architecture;
use crate::firmware;
use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use xtask::run;
use xtask::setup::Need;

const PACKAGE: &str = "millrace-capi";
/// The shared library, with the number of its binary interface.
const SHARED: &str = "libmillrace.so.1";
/// What is laid out for every target, below the prefix.
const LAID_OUT: [&str; 5] = [HEADER, STATIC, PKG_CONFIG, PAGE, EXAMPLE];
const UNWINDER: &str = "lib/libunwind.a";
const HEADER: &str = "include/millrace.h";
const STATIC: &str = "lib/libmillrace.a";
const PKG_CONFIG: &str = "lib/pkgconfig/millrace.pc";
const DOCUMENTATION: &str = "share/doc/millrace";
const PAGE: &str = "share/doc/millrace/c-api.md";
const EXAMPLE: &str = "share/doc/millrace/arp_responder.c";

/// What is laid out, and where.
#[derive(Args)]
pub struct Arguments {
    /// Folder for lib/, include/ and share/
    #[arg(long, value_name = "DIR")]
    prefix: PathBuf,
    /// Target to build for, for which there is a linker
    #[arg(long, value_name = "TRIPLE")]
    target: Option<String>,
    /// Build device `embedded` in: the simulation in the program's process, which needs Verilator here and C++ in the program
    #[arg(long)]
    embedded: bool,
}

impl Arguments {
    /// What has to be installed.
    pub fn needs(&self) -> &'static [Need] {
        if self.embedded { &[Need::Build] } else { &[] }
    }
}

/// What cargo built.
#[derive(Default, Debug, PartialEq, Eq)]
struct Built {
    files: Vec<PathBuf>,
    header: Option<PathBuf>,
}

/// Where a card has it.
const CARD_PREFIX: &str = "usr/local";

/// Builds and lays out.
pub fn install(arguments: &Arguments) -> Result<()> {
    let mut build = run::cargo();
    build.args(["build", "--quiet", "--release", "--message-format", "json", "--package", PACKAGE]);
    if let Some(target) = &arguments.target {
        build.args(["--target", target]);
    }
    if arguments.embedded {
        build.args(["--features", "embedded"]);
    }
    let (folder, embedded) = (&arguments.prefix, arguments.embedded);
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let prefix = folder.canonicalize()?;
    Built::by(build)?.lay_out(folder, &prefix, if embedded { "-lstdc++ -lz " } else { "" })?;
    eprintln!("capi: PKG_CONFIG_PATH={} finds `millrace`", folder.join("lib/pkgconfig").display());
    Ok(())
}

/// Builds it for programs that need no libraries, as a card has them: the folder that stands for the card's [`CARD_PREFIX`], and its files.
pub fn for_card(architecture: Architecture) -> Result<Vec<(String, Vec<u8>)>> {
    let mut build = firmware::cargo(architecture, "rustc")?;
    build.args(["--package", PACKAGE, "--lib", "--crate-type", "staticlib", "--message-format", "json"]);
    let folder = tempfile::tempdir().context("there is no temporary folder")?;
    Built::by(build)?.lay_out(folder.path(), &Path::new("/").join(CARD_PREFIX), "-lunwind ")?;
    // Rust's library leaves this out, and GCC's is for the glibc.
    let unwinder = firmware::library(architecture.target())?.join("self-contained/libunwind.a");
    fs::copy(&unwinder, folder.path().join(UNWINDER)).with_context(|| format!("there is no {}", unwinder.display()))?;
    let mut files = vec![];
    for file in LAID_OUT.into_iter().chain([UNWINDER]) {
        let content = fs::read(folder.path().join(file)).with_context(|| format!("there is no {file}"))?;
        files.push((format!("{CARD_PREFIX}/{file}"), content));
    }
    Ok(files)
}

impl Built {
    /// What such a command of cargo's makes.
    fn by(mut build: Command) -> Result<Self> {
        let output = build.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
        if !output.status.success() {
            bail!("`{}` ended with {}", run::shown(&build), output.status);
        }
        Self::read(&String::from_utf8_lossy(&output.stdout))
    }

    /// From cargo's messages.
    fn read(messages: &str) -> Result<Self> {
        let mut built = Self::default();
        for line in messages.lines() {
            let message: Value = serde_json::from_str(line).context("cargo says what is no JSON")?;
            let ours = message["package_id"].as_str().is_some_and(|id| id.contains("driver/capi"));
            match message["reason"].as_str() {
                Some("compiler-artifact") if ours && message["target"]["name"] == "millrace" => {
                    let files = message["filenames"].as_array().context("an artifact without files")?;
                    built.files.extend(files.iter().filter_map(Value::as_str).map(PathBuf::from));
                }
                Some("build-script-executed") if ours => {
                    built.header = message["out_dir"].as_str().map(|folder| Path::new(folder).join("millrace.h"));
                }
                _ => {}
            }
        }
        Ok(built)
    }

    fn file(&self, extension: &str) -> Option<&PathBuf> {
        self.files.iter().find(|file| file.extension().is_some_and(|found| found == extension))
    }

    /// Lays it out in a folder that programs see as `prefix`. A program without shared libraries needs `others` too.
    fn lay_out(&self, folder: &Path, prefix: &Path, others: &str) -> Result<()> {
        let lay_out = || -> Result<()> {
            for inner in ["lib/pkgconfig", "include", DOCUMENTATION] {
                fs::create_dir_all(folder.join(inner))?;
            }
            fs::copy(self.header.as_ref().context("no header was made")?, folder.join(HEADER))?;
            fs::copy(self.file("a").context("no static library was made")?, folder.join(STATIC))?;
            if let Some(shared) = self.file("so") {
                fs::copy(shared, folder.join("lib").join(SHARED))?;
                let link = folder.join("lib/libmillrace.so");
                if link.is_symlink() {
                    fs::remove_file(&link)?;
                }
                symlink(SHARED, link)?;
            }
            fs::write(folder.join(PKG_CONFIG), pkg_config(prefix, others))?;
            fs::copy(run::root().join("docs/c-api.md"), folder.join(PAGE))?;
            fs::copy(run::root().join("driver/capi/examples/arp_responder.c"), folder.join(EXAMPLE))?;
            Ok(())
        };
        lay_out().with_context(|| format!("cannot write to {}", folder.display()))
    }
}

/// A static program is made of what it uses: other parts of the library name symbols that a static glibc has not.
fn pkg_config(prefix: &Path, others: &str) -> String {
    format!(
        "prefix={}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: millrace\nDescription: The driver of the Millrace DPU\nVersion: {}\n\
         Cflags: -I${{includedir}}\nLibs: -L${{libdir}} -lmillrace\nLibs.private: {others}-lpthread -ldl -lm -Wl,--gc-sections\n",
        prefix.display(),
        env!("CARGO_PKG_VERSION"),
    )
}

/// Lays it out in a folder of its own, and makes the example of it, with the shared library and with the static one, as the page says.
pub fn check() -> Result<()> {
    let folder = tempfile::tempdir().context("there is no temporary folder")?;
    let prefix = folder.path().join("prefix");
    install(&Arguments { prefix: prefix.clone(), target: None, embedded: false })?;
    for options in ["", "--static"] {
        let program = folder.path().join("arp_responder");
        let example = prefix.join(EXAMPLE);
        let linked = if options.is_empty() { "" } else { "-static" };
        let line = format!(
            "cc -O2 -Wall -Werror -o \"$PROGRAM\" \"$EXAMPLE\" {linked} $(pkg-config --cflags --libs {options} millrace)"
        );
        let mut cc = shell(&line, &prefix);
        cc.env("PROGRAM", &program).env("EXAMPLE", &example);
        run::checked(cc)?;
        let mut usage = shell("\"$PROGRAM\" 2>&1", &prefix);
        let said = usage.env("PROGRAM", &program).env("LD_LIBRARY_PATH", prefix.join("lib")).output()?;
        if !said.stdout.starts_with(b"usage: arp_responder") {
            bail!("the example says: {}", String::from_utf8_lossy(&said.stdout));
        }
    }
    Ok(())
}

fn shell(line: &str, prefix: &Path) -> Command {
    let mut shell = run::command("sh");
    shell.args(["-ec", line]).env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig"));
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_built_is_found_in_its_messages() {
        let messages = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/driver/capi#millrace-capi@0.1.0","target":{"name":"build-script-build"},"filenames":["/t/build-script-build"]}
{"reason":"build-script-executed","package_id":"path+file:///w/driver/capi#millrace-capi@0.1.0","out_dir":"/t/out"}
{"reason":"compiler-artifact","package_id":"registry+x#nix@0.30.1","target":{"name":"nix"},"filenames":["/t/libnix.rlib"]}
{"reason":"compiler-artifact","package_id":"path+file:///w/driver/capi#millrace-capi@0.1.0","target":{"name":"millrace"},"filenames":["/t/libmillrace.rlib","/t/libmillrace.so","/t/libmillrace.a"]}
{"reason":"build-finished","success":true}"#;
        let built = Built::read(messages).unwrap();
        assert_eq!(built.header.as_deref(), Some(Path::new("/t/out/millrace.h")));
        assert_eq!(built.file("a").unwrap(), Path::new("/t/libmillrace.a"));
        assert_eq!(built.files.len(), 3);
    }
}
