// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo xtask dpu-os`: a Linux for a card's own processor, of a distribution's kernel and packages and of the firmware, as a profile says.

mod cpio;
mod layer;
mod profile;
mod root;
mod sbom;

use crate::architecture::Architecture;
use crate::firmware;
use crate::run;
use anyhow::{Context, Result, bail};
use clap::Args;
use cpio::{Archive, File};
use profile::{Profile, Setting, System};
use root::{Root, read_module};
use serde_json::json;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What is built.
#[derive(Args)]
pub struct Arguments {
    /// Profile: a folder of firmware/os
    #[arg(long, value_name = "NAME")]
    profile: String,
    /// Processor of the card
    #[arg(long, value_enum, value_name = "ARCHITECTURE", default_value = "aarch64")]
    arch: Architecture,
}

/// An image that is built.
pub struct Image {
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    /// The kernel's command line, but for its console.
    pub command_line: String,
}

/// Folders that programs expect.
const FOLDERS: [&str; 10] = ["dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/sbin", "usr/lib"];
/// Where those lay before `/usr`.
const LINKS: [&str; 3] = ["bin", "sbin", "lib"];

/// Builds an image, and prints its sizes.
pub fn run(arguments: &Arguments) -> Result<()> {
    build(&arguments.profile, arguments.arch, &[]).map(drop)
}

/// Builds the image of a profile, with further services that are kept running: their names and scripts. It lies below `target/dpu-os`.
pub fn build(name: &str, architecture: Architecture, further: &[(&str, &[u8])]) -> Result<Image> {
    let profile = Profile::read(&run::root().join("firmware/os"), name)?;
    let folder = run::target().join("dpu-os");
    let out = folder.join(match architecture {
        Architecture::Aarch64 => name.to_owned(),
        other => format!("{name}-{}", other.name()),
    });
    let root = Root::ensure(&profile, architecture, &folder.join("packages").join(name).join(architecture.name()))?;
    let modules = modules(&profile, &root)?;
    let firmware = firmware::build(architecture)?;

    let mut archive = Archive::default();
    FOLDERS.iter().for_each(|folder| archive.add_folder(folder));
    LINKS.iter().for_each(|link| archive.add(link, File::Link(format!("usr/{link}"))));
    for (path, file) in root.files()? {
        archive.add(&path, read(&file)?);
    }
    archive.add("usr/bin/millrace", File::Program(contents(&firmware)?));
    for (name, module) in &modules {
        archive.add(&format!("usr/lib/modules/{}/{name}.ko", root.release), File::Plain(module.clone()));
    }
    // What the kernel starts.
    archive.add("init", File::Link("usr/bin/busybox".into()));
    archive.add("etc/start", File::Program(contents(&run::root().join("firmware/os/start"))?));
    archive.add("etc/modules", text(&module_list(&profile, &modules)));
    archive.add("etc/sysctl.conf", text(&settings(&profile.system)));
    let names =
        |services: &[toml::Spanned<String>]| services.iter().map(|name| name.get_ref().clone()).collect::<Vec<_>>();
    let (once, mut kept) = (names(&profile.services.once), names(&profile.services.kept));
    for (name, script) in
        profile.scripts.iter().map(|(name, script)| (name.as_str(), &script[..])).chain(further.iter().copied())
    {
        archive.add(&format!("etc/services/{name}"), File::Program(script.to_vec()));
    }
    kept.extend(further.iter().map(|(name, _)| (*name).to_owned()));
    archive.add("etc/once", text(&once.iter().map(|name| format!("{name}\n")).collect::<String>()));
    archive.add("etc/inittab", text(&inittab(&kept)));
    for (path, content) in &profile.system.files {
        archive.add(path.get_ref(), text(content));
    }

    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let image = Image {
        kernel: out.join("kernel"),
        initramfs: out.join(if further.is_empty() { "initramfs" } else { "initramfs-with-more" }),
        command_line: command_line(&profile),
    };
    fs::copy(root.kernel(), &image.kernel).context("cannot write the kernel")?;
    write(&image.initramfs, &packed(&archive.bytes())?)?;
    write(&out.join("cmdline"), format!("{}\n", image.command_line).as_bytes())?;
    let crates = sbom::crates(firmware::PACKAGE, architecture.target())?;
    let bill = sbom::bill(name, architecture.name(), &root.packages, &crates);
    write(&out.join("sbom.json"), format!("{bill:#}\n").as_bytes())?;
    let bytes = |file: &Path| fs::metadata(file).map(|data| data.len());
    let (kernel, initramfs) = (bytes(&image.kernel)?, bytes(&image.initramfs)?);
    println!(
        "{}",
        json!({"profile": name, "architecture": architecture.name(), "kernel_bytes": kernel, "initramfs_bytes": initramfs,
            "bytes": kernel + initramfs, "modules": modules.len(), "packages": root.packages.len(), "folder": out})
    );
    Ok(image)
}

/// The modules that a profile keeps, each behind what it depends on.
fn modules(profile: &Profile, root: &Root) -> Result<Vec<(String, Vec<u8>)>> {
    let (layer, drivers) = &profile.drivers;
    let modules = root.modules()?;
    if let Some(unknown) = drivers.modules.iter().find(|name| !modules.knows(name.get_ref())) {
        let text = format!("kernel {} has no module {}", root.release, unknown.get_ref());
        return Err(layer.error(unknown, text));
    }
    let names: Vec<&str> = drivers.modules.iter().map(|name| name.get_ref().as_str()).collect();
    modules.with_dependencies(&names, read_module)
}

/// A line for each module, in the order in which they are loaded: its name, and its options.
fn module_list(profile: &Profile, modules: &[(String, Vec<u8>)]) -> String {
    let options = &profile.drivers.1.options;
    let of =
        |module: &str| options.iter().find(|(name, _)| name.get_ref() == module).map(|(_, options)| options.as_str());
    modules
        .iter()
        .map(|(name, _)| format!("{} {}", name, of(name).unwrap_or_default()).trim_end().to_owned() + "\n")
        .collect()
}

fn settings(system: &System) -> String {
    let mut text = format!("vm.nr_hugepages = {}\n", system.huge_pages);
    for (key, value) in &system.sysctl {
        let _ = match value {
            Setting::Number(number) => writeln!(text, "{} = {number}", key.get_ref()),
            Setting::Text(value) => writeln!(text, "{} = {value}", key.get_ref()),
        };
    }
    text
}

/// What busybox's init reads.
fn inittab(kept: &[String]) -> String {
    let services = kept.iter().map(|name| format!("::respawn:/etc/services/{name}\n"));
    ["::sysinit:/etc/start\n".to_owned()]
        .into_iter()
        .chain(services)
        .chain(["::ctrlaltdel:/sbin/reboot\n".to_owned()])
        .collect()
}

fn command_line(profile: &Profile) -> String {
    let mut words = profile.kernel.command_line.clone();
    if let Some(isolated) = &profile.system.isolated {
        let list = isolated.get_ref();
        words.extend([format!("isolcpus={list}"), format!("nohz_full={list}"), format!("rcu_nocbs={list}")]);
    }
    words.join(" ")
}

fn text(content: &str) -> File {
    File::Plain(content.as_bytes().to_vec())
}

/// A file of a package, as it is there.
fn read(path: &Path) -> Result<File> {
    let data = fs::symlink_metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if data.is_symlink() {
        return Ok(File::Link(fs::read_link(path)?.to_string_lossy().into_owned()));
    }
    let content = contents(path)?;
    Ok(if data.permissions().mode() & 0o111 == 0 { File::Plain(content) } else { File::Program(content) })
}

fn contents(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// Compressed, without a name or a time.
fn packed(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = run::command("gzip");
    gzip.args(["-9", "--no-name", "--stdout"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut gzip = gzip.spawn().context("cannot start gzip")?;
    let mut input = gzip.stdin.take().expect("it is piped");
    let output = std::thread::scope(|scope| {
        // Read while it is written: neither end waits for the other.
        let writer = scope.spawn(move || input.write_all(bytes));
        let output = gzip.wait_with_output();
        writer.join().expect("writing does not panic")?;
        output
    })?;
    if !output.status.success() {
        bail!("gzip ended with {}", output.status);
    }
    Ok(output.stdout)
}
