// SPDX-License-Identifier: MIT OR Apache-2.0
//! A profile: a folder of `firmware/os` with a file for each of the five layers that openEuler's DPU-OS defines.

use super::kernel::Fragment;
use super::layer::Layer;
use crate::architecture::Architecture;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// What an image is made of.
pub struct Profile {
    pub kernel: Kernel,
    /// The configurations of a kernel of its own, by architecture.
    pub configurations: BTreeMap<Architecture, Fragment>,
    pub drivers: (Layer, Drivers),
    pub system: System,
    pub packages: (Layer, Packages),
    /// What programs are made with on the card, if that is asked for.
    pub devel: Option<(Layer, Packages)>,
    pub services: Services,
    /// The scripts of its services, by their names.
    pub scripts: BTreeMap<String, Vec<u8>>,
}

/// The kernel.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    pub flavour: Flavour,
    /// Words of its command line.
    #[serde(default)]
    pub command_line: Vec<String>,
    /// Files of a kernel of the profile's own, beside this one.
    pub config: Option<Config>,
}

/// Files with symbols of a kernel's configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// For all processors.
    pub all: Option<Spanned<String>>,
    /// For those of a kind.
    pub aarch64: Option<Spanned<String>>,
    pub x86_64: Option<Spanned<String>>,
}

/// A kernel of Debian.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// For virtual machines.
    Cloud,
    /// For all machines.
    Generic,
}

/// Modules of the kernel.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drivers {
    /// Loaded in this order, each behind what it depends on.
    pub modules: Vec<Spanned<String>>,
    /// By module.
    #[serde(default)]
    pub options: BTreeMap<Spanned<String>, String>,
}

/// What is set when the system comes up.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Of 2 MiB.
    #[serde(default)]
    pub huge_pages: u32,
    /// Processors that nothing runs on but what is put there: `1-3`.
    pub isolated: Option<Spanned<String>>,
    #[serde(default)]
    pub sysctl: BTreeMap<Spanned<String>, Setting>,
    /// Texts, by where they are in the image.
    #[serde(default)]
    pub files: BTreeMap<Spanned<String>, String>,
}

/// A value of sysctl.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Setting {
    Number(i64),
    Text(String),
}

/// Packages of Debian.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packages {
    pub packages: Vec<Spanned<String>>,
    /// What others of these depend on, and the image does without.
    #[serde(default)]
    pub without: Vec<Spanned<String>>,
    /// Files of theirs that are not in the image, by their names; a `*` in front stands for anything.
    #[serde(default)]
    pub left_out: Vec<Spanned<String>>,
}

/// Services, by their names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// Run one after the other when the system comes up.
    #[serde(default)]
    pub once: Vec<Spanned<String>>,
    /// Started behind them, and again whenever they end.
    #[serde(default)]
    pub kept: Vec<Spanned<String>>,
    /// Words that are given to a service's script, by service.
    #[serde(default)]
    pub options: BTreeMap<Spanned<String>, Spanned<String>>,
}

impl Profile {
    /// The profile with this name in a folder of profiles, and with `devel` the layer that they share.
    ///
    /// # Errors
    /// If there is none, or something of it cannot be: with the line.
    pub fn read(profiles: &Path, name: &str, devel: bool) -> Result<Self> {
        let folder = profiles.join(name);
        if !folder.join("kernel.toml").is_file() {
            bail!(
                "there is no profile {name}: there are {}",
                names(profiles, |entry| entry.join("kernel.toml").is_file())?
            );
        }
        let (layer, kernel): (_, Kernel) = Layer::read(&folder.join("kernel.toml"))?;
        let configurations = match &kernel.config {
            Some(config) => config.read(&layer, &folder)?,
            None => BTreeMap::new(),
        };
        let drivers: (_, Drivers) = Layer::read(&folder.join("drivers.toml"))?;
        drivers.1.check(&drivers.0)?;
        let (layer, system) = Layer::read::<System>(&folder.join("system.toml"))?;
        system.check(&layer)?;
        let packages = Packages::read(&folder.join("packages.toml"))?;
        let devel = devel.then(|| Packages::read(&profiles.join("devel.toml"))).transpose()?;
        let (layer, services) = Layer::read::<Services>(&folder.join("services.toml"))?;
        let scripts = services.scripts(&layer, &profiles.join("services"))?;
        services.check(&layer, &scripts)?;
        Ok(Self { kernel, configurations, drivers, system, packages, devel, services, scripts })
    }

    /// What of files by their paths is in the image.
    ///
    /// # Errors
    /// If a layer leaves out what there is not: with the line.
    pub fn kept<T>(&self, mut files: Vec<(String, T)>) -> Result<Vec<(String, T)>> {
        for (layer, packages) in self.layers_of_packages() {
            for name in &packages.left_out {
                let before = files.len();
                files.retain(|(path, _)| !is_named(path, name.get_ref()));
                if files.len() == before {
                    return Err(layer.error(name, format!("no file of the packages is called {}", name.get_ref())));
                }
            }
        }
        Ok(files)
    }

    /// The layers that name packages.
    pub fn layers_of_packages(&self) -> impl Iterator<Item = &(Layer, Packages)> {
        std::iter::once(&self.packages).chain(&self.devel)
    }
}

impl Config {
    /// What there is for processors of each kind.
    fn read(&self, layer: &Layer, folder: &Path) -> Result<BTreeMap<Architecture, Fragment>> {
        let mut found = BTreeMap::new();
        for (architecture, own) in [(Architecture::Aarch64, &self.aarch64), (Architecture::X86_64, &self.x86_64)] {
            let names: Vec<_> = self.all.iter().chain(own).collect();
            if let Some(name) = names.iter().find(|name| !folder.join(name.get_ref()).is_file()) {
                return Err(layer.error(name, format!("there is no {} in {}", name.get_ref(), folder.display())));
            }
            if !names.is_empty() {
                let files: Vec<PathBuf> = names.iter().map(|name| folder.join(name.get_ref())).collect();
                found.insert(architecture, Fragment::read(&files)?);
            }
        }
        Ok(found)
    }
}

impl Drivers {
    fn check(&self, layer: &Layer) -> Result<()> {
        for module in self.options.keys() {
            if !self.modules.iter().any(|found| found.get_ref() == module.get_ref()) {
                return Err(
                    layer.error(module, format!("options of {}, which is none of the modules", module.get_ref()))
                );
            }
        }
        Ok(())
    }
}

impl System {
    fn check(&self, layer: &Layer) -> Result<()> {
        let is_list = |text: &str| {
            let is_number = |text: &str| text.parse::<u16>().is_ok();
            text.split(',').all(|part| match part.split_once('-') {
                Some((first, last)) => is_number(first) && is_number(last),
                None => is_number(part),
            })
        };
        if let Some(isolated) = self.isolated.as_ref().filter(|text| !is_list(text.get_ref())) {
            return Err(layer.error(isolated, "processors are given as 1-3,5"));
        }
        let is_key =
            |key: &str| key.contains('.') && key.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-/".contains(&c));
        if let Some(key) = self.sysctl.keys().find(|key| !is_key(key.get_ref())) {
            return Err(layer.error(key, format!("{} is no name of sysctl", key.get_ref())));
        }
        let is_place = |path: &str| !path.is_empty() && path.split('/').all(|part| !["", ".", ".."].contains(&part));
        match self.files.keys().find(|path| !is_place(path.get_ref())) {
            Some(path) => Err(layer.error(path, "files are given from the root of the image on, as etc/hostname")),
            None => Ok(()),
        }
    }
}

impl Packages {
    fn read(file: &Path) -> Result<(Layer, Self)> {
        let (layer, packages) = Layer::read::<Self>(file)?;
        packages.check(&layer)?;
        Ok((layer, packages))
    }

    fn check(&self, layer: &Layer) -> Result<()> {
        // Debian Policy 5.6.1.
        let is_name = |name: &str| {
            name.len() > 1 && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"+-.".contains(&c))
        };
        match self.packages.iter().chain(&self.without).find(|name| !is_name(name.get_ref())) {
            Some(name) => Err(layer.error(name, format!("{} is no name of a package", name.get_ref()))),
            None => Ok(()),
        }
    }
}

/// Whether a file at a path is of this name, in which a `*` in front stands for anything.
fn is_named(path: &str, name: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    match name.strip_prefix('*') {
        Some(end) => file.ends_with(end),
        None => file == name,
    }
}

impl Services {
    /// How these services are called, a line each: a name, and its options.
    pub fn lines(&self, names: &[Spanned<String>]) -> Vec<String> {
        let options = |name: &Spanned<String>| self.options.get(name).map(|words| format!(" {}", words.get_ref()));
        names.iter().map(|name| name.get_ref().clone() + &options(name).unwrap_or_default()).collect()
    }

    fn check(&self, layer: &Layer, scripts: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        // Neither busybox's init nor a shell sees more than a word in it.
        let is_plain = |c: u8| c.is_ascii_alphanumeric() || b" -_=,.:/+@%".contains(&c);
        for (service, options) in &self.options {
            let name = service.get_ref();
            let Some(script) = scripts.get(name) else {
                return Err(layer.error(service, format!("options of {name}, which is none of the services")));
            };
            if !String::from_utf8_lossy(script).contains("\"$@\"") {
                return Err(layer.error(service, format!("service {name} takes no options: its script has no \"$@\"")));
            }
            if let Some(other) = options.get_ref().chars().find(|c| !c.is_ascii() || !is_plain(*c as u8)) {
                return Err(
                    layer.error(options, format!("{other:?} cannot be in an option: a service gets plain words"))
                );
            }
        }
        Ok(())
    }

    fn scripts(&self, layer: &Layer, folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
        let mut scripts = BTreeMap::new();
        for service in self.once.iter().chain(&self.kept) {
            let name = service.get_ref();
            let file = folder.join(name);
            if name.contains('/') || !file.is_file() {
                let text = format!("there is no service {name}: there are {}", names(folder, Path::is_file)?);
                return Err(layer.error(service, text));
            }
            scripts.insert(name.clone(), fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
        }
        Ok(scripts)
    }
}

/// The names of what is in a folder, as far as it is wanted.
fn names(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<String> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    let mut names: Vec<String> = paths
        .iter()
        .filter(|path| wanted(path))
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask::run;

    /// What is said to the profile `minimal`, with a text of it replaced.
    fn refusal(layer: &str, text: &str, by: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let ours = run::root().join("firmware/os");
        for part in ["minimal", "services"] {
            fs::create_dir(folder.path().join(part)).unwrap();
            for entry in fs::read_dir(ours.join(part)).unwrap() {
                let path = entry.unwrap().path();
                fs::copy(&path, folder.path().join(part).join(path.file_name().unwrap())).unwrap();
            }
        }
        let file = folder.path().join("minimal").join(layer);
        let before = fs::read_to_string(&file).unwrap();
        assert!(before.contains(text), "{before}");
        fs::write(&file, before.replace(text, by)).unwrap();
        let error = Profile::read(folder.path(), "minimal", false).err().expect("it is taken").to_string();
        error.strip_prefix(&format!("{}:", file.display())).unwrap_or(&error).to_owned()
    }

    #[test]
    fn profiles_that_are_there_are_read() {
        let folder = run::root().join("firmware/os");
        let minimal = Profile::read(&folder, "minimal", true).unwrap();
        assert!(minimal.devel.is_some());
        assert_eq!(minimal.scripts.keys().collect::<Vec<_>>(), ["confirm", "disk", "ecpf", "firmware"]);
        let error = Profile::read(&folder, "maximal", false).err().unwrap().to_string();
        assert!(error.starts_with("there is no profile maximal: there are minimal"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_line() {
        let cases = [
            ("kernel.toml", "\"cloud\"", "\"small\"", "3: unknown variant `small`, expected `cloud` or `generic`"),
            (
                "kernel.toml",
                "command_line",
                "comand_line",
                "4: unknown field `comand_line`, expected one of `flavour`, `command_line`, `config`",
            ),
            ("kernel.toml", "\"kernel.config", "\"kernels.config", "8: there is no kernels.config in "),
            ("kernel.config", "CONFIG_PCI=y", "CONFIG_PCI=m", "37: CONFIG_PCI=m: modules are not built"),
            ("drivers.toml", "vfio_iommu_type1 =", "vfio =", "11: options of vfio, which is none of the modules"),
            ("system.toml", "pages = 0", "pages = -1", "3: "),
            ("system.toml", "huge_pages = 0", "isolated = \"1-\"", "3: processors are given as 1-3,5"),
            ("system.toml", "\"vm.over", "\"vm over", "9: vm overcommit_memory is no name of sysctl"),
            ("system.toml", "\"etc/", "\"/etc/", "13: files are given from the root of the image on"),
            ("packages.toml", "busybox-static", "Busybox", "3: Busybox is no name of a package"),
            (
                "services.toml",
                "\"firmware\"",
                "\"firmwares\"",
                "5: there is no service firmwares: there are confirm, disk, ecpf, firmware",
            ),
            ("services.toml", "kept =", "keep =", "5: unknown field `keep`, expected one of `once`, `kept`, `options`"),
            ("services.toml", "# firmware", "firmwares", "9: options of firmwares, which is none of the services"),
            ("services.toml", "# firmware", "disk", "9: service disk takes no options"),
            ("services.toml", "# firmware =", "firmware = \"on; reboot\" #", "9: ';' cannot be in an option"),
        ];
        for (layer, text, by, expected) in cases {
            let said = refusal(layer, text, by);
            assert!(said.starts_with(expected), "{layer}: {said}, not {expected}");
        }
    }

    #[test]
    fn services_are_called_with_their_options() {
        let text = "once = [\"ecpf\"]\nkept = [\"firmware\"]\noptions.firmware = \"--detect-spoof on\"\n";
        let services: Services = toml::from_str(text).unwrap();
        assert_eq!(services.lines(&services.once), ["ecpf"]);
        assert_eq!(services.lines(&services.kept), ["firmware --detect-spoof on"]);
    }

    #[test]
    fn files_are_left_out_by_their_names() {
        let mut profile = Profile::read(&run::root().join("firmware/os"), "minimal", true).unwrap();
        let files =
            || ["usr/bin/aarch64-linux-gnu-lto-dump-14", "usr/bin/lto1x", "usr/lib/lto1"].map(|p| (p.to_owned(), ()));
        let devel = &mut profile.devel.as_mut().unwrap().1;
        devel.left_out.retain(|name| name.get_ref().contains("lto"));
        assert_eq!(profile.kept(files().to_vec()).unwrap(), [("usr/bin/lto1x".to_owned(), ())]);
        let error = profile.kept(files()[..2].to_vec()).unwrap_err().to_string();
        assert!(error.contains("devel.toml:") && error.ends_with("no file of the packages is called lto1"), "{error}");
    }
}
