// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernel and first file system of a profile.

use super::Variant;
use super::cpio::{Archive, File};
use super::kernel::Kernel;
use super::profile::{Profile, Setting, System};
use super::root::{Root, read_module};
use super::sbom;
use crate::architecture::Architecture;
use crate::capi;
use crate::debian::Package;
use crate::firmware;
use anyhow::{Context, Result, bail};
use millrace_update::VerifyingKey;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use xtask::run;

/// An image that is built.
pub struct Image {
    pub kernel: PathBuf,
    pub initramfs: PathBuf,
    /// The kernel's command line, but for its console.
    pub command_line: String,
    /// The kernel's release, as `uname -r` prints it.
    pub release: String,
    /// What the kernel was built of, if that was done here.
    pub source: Option<Package>,
    /// How many modules the kernel has as files.
    pub modules: usize,
    /// How many packages it is made of.
    pub packages: usize,
}

/// Folders that programs expect.
const FOLDERS: [&str; 10] = ["dev", "etc", "proc", "root", "run", "sys", "tmp", "usr/bin", "usr/sbin", "usr/lib"];
/// Where those lay before `/usr`.
const LINKS: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// What an image is made of.
pub struct Order<'a> {
    pub variant: Variant<'a>,
    pub architecture: Architecture,
    /// Whose updates it takes.
    pub key: VerifyingKey,
    /// Further services that are kept running: their names and scripts.
    pub services: &'a [(&'a str, &'a [u8])],
    /// Files in place of the profile's.
    pub files: &'a [(&'a str, &'a [u8])],
    /// What its packages are besides: of its boot loaders.
    pub loaders: &'a [Package],
    /// Where its files are written.
    pub out: &'a Path,
}

impl Order<'_> {
    /// Builds it.
    pub fn build(&self) -> Result<Image> {
        let Variant { profile: name, devel, build_kernel } = self.variant;
        let profile = Profile::read(&run::root().join("firmware/os"), name, devel)?;
        let packages = run::target().join("dpu-os/packages").join(self.variant.name()).join(self.architecture.name());
        let root = Root::ensure(&profile, !build_kernel, self.architecture, &packages)?;
        let kernel = if build_kernel { self.build_kernel(&profile)? } else { root.kernel()? };
        let modules = modules(&profile, &kernel)?;
        let archive = self.archive(&profile, &root, &kernel, &modules)?;

        fs::create_dir_all(self.out).with_context(|| format!("cannot make {}", self.out.display()))?;
        let packages: Vec<Package> = root.packages.iter().chain(self.loaders).chain(&kernel.source).cloned().collect();
        let image = Image {
            kernel: self.out.join("kernel"),
            initramfs: self.out.join("initramfs"),
            command_line: command_line(&profile, &kernel),
            modules: modules.len(),
            packages: packages.len(),
            release: kernel.release,
            source: kernel.source,
        };
        write(&image.kernel, &contents(&kernel.file)?)?;
        write(&image.initramfs, &packed(&archive.bytes())?)?;
        write(&self.out.join("cmdline"), format!("{}\n", image.command_line).as_bytes())?;
        let crates = sbom::crates(firmware::PACKAGE, self.architecture.target())?;
        let bill = sbom::bill(name, self.architecture.name(), &packages, &crates);
        write(&self.out.join("sbom.json"), format!("{bill:#}\n").as_bytes())?;
        Ok(image)
    }

    /// A kernel of the profile's own.
    fn build_kernel(&self, profile: &Profile) -> Result<Kernel> {
        let fragment = profile.configurations.get(&self.architecture).with_context(|| {
            let (name, architecture) = (self.variant.profile, self.architecture.name());
            format!("the kernel.toml of profile {name} has no [config] of a kernel of its own for {architecture}")
        })?;
        Kernel::ensure(fragment, self.architecture)
    }

    /// The first file system, which is all that there is.
    fn archive(
        &self,
        profile: &Profile,
        root: &Root,
        kernel: &Kernel,
        modules: &[(String, Vec<u8>)],
    ) -> Result<Archive> {
        let firmware = firmware::build(self.architecture)?;
        let mut archive = Archive::default();
        FOLDERS.iter().for_each(|folder| archive.add_folder(folder));
        LINKS.iter().for_each(|link| archive.add(link, File::Link(format!("usr/{link}"))));
        for (path, file) in profile.kept(root.files()?)? {
            archive.add(&path, read(&file)?);
        }
        archive.add("usr/bin/millrace", File::Program(contents(&firmware)?));
        if self.variant.devel {
            for (path, content) in capi::for_card(self.architecture)? {
                archive.add(&path, File::Plain(content));
            }
        }
        for (name, module) in modules {
            archive.add(&format!("usr/lib/modules/{}/{name}.ko", kernel.release), File::Plain(module.clone()));
        }
        // What the kernel starts.
        archive.add("init", File::Link("usr/bin/busybox".into()));
        archive.add("etc/start", File::Program(contents(&run::root().join("firmware/os/start"))?));
        archive.add("etc/modules", text(&module_list(profile, modules)));
        archive.add("etc/sysctl.conf", text(&settings(&profile.system)));
        archive.add("etc/millrace/os.pem", text(&millrace_update::written(&self.key)));
        let services = &profile.services;
        let (once, mut kept) = (services.lines(&services.once), services.lines(&services.kept));
        let scripts = profile.scripts.iter().map(|(name, script)| (name.as_str(), &script[..]));
        for (name, script) in scripts.chain(self.services.iter().copied()) {
            archive.add(&format!("etc/services/{name}"), File::Program(script.to_vec()));
        }
        kept.extend(self.services.iter().map(|(name, _)| (*name).to_owned()));
        archive.add("etc/once", text(&once.iter().map(|name| format!("{name}\n")).collect::<String>()));
        archive.add("etc/inittab", text(&inittab(&kept)));
        for (path, content) in &profile.system.files {
            archive.add(path.get_ref(), text(content));
        }
        self.files.iter().for_each(|(path, content)| archive.add(path, File::Plain(content.to_vec())));
        Ok(archive)
    }
}

/// The modules that a profile keeps and the kernel has as files, each behind what it depends on.
fn modules(profile: &Profile, kernel: &Kernel) -> Result<Vec<(String, Vec<u8>)>> {
    let (layer, drivers) = &profile.drivers;
    if let Some(unknown) = drivers.modules.iter().find(|name| !kernel.modules.knows(name.get_ref())) {
        let text = format!("kernel {} has no module {}", kernel.release, unknown.get_ref());
        return Err(layer.error(unknown, text));
    }
    let names: Vec<&str> = drivers.modules.iter().map(|name| name.get_ref().as_str()).collect();
    kernel.modules.with_dependencies(&names, read_module)
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

/// Words of the profile, with the options of modules that are built in.
fn command_line(profile: &Profile, kernel: &Kernel) -> String {
    let mut words = profile.kernel.command_line.clone();
    let built_in = |name: &str| kernel.modules.is_built_in(name);
    for (module, options) in profile.drivers.1.options.iter().filter(|(module, _)| built_in(module.get_ref())) {
        words.extend(options.split_whitespace().map(|option| format!("{}.{option}", module.get_ref())));
    }
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

/// The bytes of a file.
pub fn contents(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Writes a file whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
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
