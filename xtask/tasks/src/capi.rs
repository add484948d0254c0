// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask capi`: the driver for C, laid out as compilers and pkg-config look for it.

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
const EXAMPLE: &str = "arp_responder.c";

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
    let output = build.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`{}` ended with {}", run::shown(&build), output.status);
    }
    let built = Built::read(&String::from_utf8_lossy(&output.stdout))?;
    lay_out(&built, &arguments.prefix, arguments.embedded)
        .with_context(|| format!("cannot write to {}", arguments.prefix.display()))?;
    eprintln!("capi: PKG_CONFIG_PATH={} finds `millrace`", arguments.prefix.join("lib/pkgconfig").display());
    Ok(())
}

impl Built {
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
}

fn lay_out(built: &Built, prefix: &Path, embedded: bool) -> Result<()> {
    let [lib, include, share] = ["lib/pkgconfig", "include", "share/doc/millrace"].map(|folder| prefix.join(folder));
    for folder in [&lib, &include, &share] {
        fs::create_dir_all(folder)?;
    }
    let prefix = prefix.canonicalize()?;
    fs::copy(built.header.as_ref().context("no header was made")?, include.join("millrace.h"))?;
    fs::copy(built.file("a").context("no static library was made")?, prefix.join("lib/libmillrace.a"))?;
    if let Some(shared) = built.file("so") {
        fs::copy(shared, prefix.join("lib").join(SHARED))?;
        let link = prefix.join("lib/libmillrace.so");
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        symlink(SHARED, link)?;
    }
    fs::write(lib.join("millrace.pc"), pkg_config(&prefix, embedded))?;
    fs::copy(run::root().join("docs/c-api.md"), share.join("c-api.md"))?;
    fs::copy(run::root().join("driver/capi/examples").join(EXAMPLE), share.join(EXAMPLE))?;
    Ok(())
}

/// A static program is made of what it uses: other parts of the library name symbols that a static glibc has not.
fn pkg_config(prefix: &Path, embedded: bool) -> String {
    let cpp = if embedded { "-lstdc++ -lz " } else { "" };
    format!(
        "prefix={}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: millrace\nDescription: The driver of the Millrace DPU\nVersion: {}\n\
         Cflags: -I${{includedir}}\nLibs: -L${{libdir}} -lmillrace\nLibs.private: {cpp}-lpthread -ldl -lm -Wl,--gc-sections\n",
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
        let example = prefix.join("share/doc/millrace").join(EXAMPLE);
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
