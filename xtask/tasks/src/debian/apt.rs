// SPDX-License-Identifier: MIT OR Apache-2.0
//! Packages of a Debian release that need not be the machine's own, unpacked into a folder: the system stays as it is.

use crate::architecture::Architecture;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use xtask::run;

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// An apt with sources, lists and an idea of its own of what is installed.
pub struct Apt {
    folder: PathBuf,
    architecture: Architecture,
}

impl Apt {
    /// An apt that keeps its files in `folder` and knows `suites` of the Debian mirror that the machine's apt uses, for machines of an architecture. It
    /// takes the packages in `spared` for installed: what is merely unpacked does not need them.
    pub fn new(folder: &Path, suites: &[&str], architecture: Architecture, spared: &[&str]) -> Result<Self> {
        if !Path::new(KEYRING).is_file() {
            bail!("no {KEYRING} (Debian: debian-archive-keyring)");
        }
        let apt = Self { folder: folder.to_owned(), architecture };
        fs::create_dir_all(apt.lists())?;
        fs::create_dir_all(apt.archives())?;
        let mirror = mirror()?;
        let source = |suite: &&str| format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n");
        fs::write(apt.sources(), suites.iter().map(source).collect::<String>())?;
        fs::write(apt.status(), spared.iter().map(|name| installed(name)).collect::<String>())?;
        run::checked(apt.get(["update"])).context("cannot get the lists of packages")?;
        Ok(apt)
    }

    /// Whether there is a package with this name.
    pub fn knows(&self, package: &str) -> Result<bool> {
        let mut show = self.tool("apt-cache");
        show.args(["show", package]).stderr(Stdio::null());
        Ok(show.status().context("cannot start apt-cache")?.success())
    }

    /// Unpacks packages and all that they depend on; which these are. What `suite` has is taken from there; `package/suite` asks for another.
    pub fn unpack(&self, packages: &[&str], suite: &str, into: &Path) -> Result<Vec<Package>> {
        let fixed = ["install", "--download-only", "--yes", "--no-install-recommends", "--target-release", suite];
        run::checked(self.get(fixed.iter().chain(packages))).context("cannot get the packages")?;
        unpack(&self.archives(), into)
    }

    /// Unpacks packages without what they depend on: of programs that the machine does not run itself.
    pub fn unpack_alone(&self, packages: &[&str], into: &Path) -> Result<Vec<Package>> {
        let mut download = self.get(std::iter::once(&"download").chain(packages));
        // It knows no other way to tell where to.
        download.current_dir(self.archives());
        run::checked(download).context("cannot get the packages")?;
        unpack(&self.archives(), into)
    }

    fn get(&self, arguments: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>) -> Command {
        let mut command = self.tool("apt-get");
        command.args(arguments);
        command
    }

    fn tool(&self, name: &str) -> Command {
        let mut command = run::command(name);
        for (option, value) in [
            ("Dir::Etc::SourceList", self.sources().into_os_string()),
            ("Dir::Etc::SourceParts", "/dev/null".into()),
            ("Dir::Etc::Preferences", "/dev/null".into()),
            ("Dir::Etc::PreferencesParts", "/dev/null".into()),
            ("Dir::State::Lists", self.lists().into()),
            ("Dir::State::Status", self.status().into()),
            ("Dir::Cache", self.folder.clone().into()),
            ("APT::Architecture", self.architecture.debian().into()),
            ("APT::Architectures", self.architecture.debian().into()),
            // Its own user may not write here.
            ("APT::Sandbox::User", "root".into()),
            ("APT::Update::Error-Mode", "any".into()),
            ("Acquire::Languages", "none".into()),
            ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".into()),
        ] {
            let mut setting = OsString::from(format!("{option}="));
            setting.push(value);
            command.arg("-o").arg(setting);
        }
        command.arg("-qq").stdout(Stdio::null());
        command
    }

    fn sources(&self) -> PathBuf {
        self.folder.join("sources.list")
    }

    fn status(&self) -> PathBuf {
        self.folder.join("status")
    }

    fn lists(&self) -> PathBuf {
        self.folder.join("lists")
    }

    fn archives(&self) -> PathBuf {
        self.folder.join("archives")
    }
}

/// A package that was unpacked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub architecture: String,
}

impl Package {
    /// What a file has in it.
    fn of(file: &Path) -> Result<Self> {
        let mut show = run::command("dpkg-deb");
        show.args(["--show", "--showformat", "${Package} ${Version} ${Architecture}"]).arg(file);
        let output = show.output().context("cannot start dpkg-deb")?;
        let text = String::from_utf8_lossy(&output.stdout);
        match text.split(' ').collect::<Vec<_>>()[..] {
            [name, version, architecture] => {
                Ok(Self { name: name.into(), version: version.into(), architecture: architecture.into() })
            }
            _ => bail!("{} is no package", file.display()),
        }
    }
}

/// Unpacks all packages of a folder; which these are.
fn unpack(archives: &Path, into: &Path) -> Result<Vec<Package>> {
    let mut unpacked = vec![];
    for entry in fs::read_dir(archives)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            unpacked.push(Package::of(&file)?);
            let mut unpack = run::command("dpkg-deb");
            unpack.arg("--extract").arg(file).arg(into);
            run::checked(unpack)?;
        }
    }
    unpacked.sort();
    Ok(unpacked)
}

/// An entry of dpkg's status file, of a version that suffices for all.
fn installed(package: &str) -> String {
    format!(
        "Package: {package}\nStatus: install ok installed\nVersion: 999\nArchitecture: all\n\
         Maintainer: nobody\nDescription: spared\n\n"
    )
}

/// Where the machine's apt gets Debian from.
fn mirror() -> Result<String> {
    let mut command = run::command("apt-get");
    command.args(["indextargets", "--no-release-info", "--format", "$(REPO_URI) $(COMPONENT)"]);
    let output = command.output().context("cannot start apt-get: the guests come from Debian's packages")?;
    let text = String::from_utf8_lossy(&output.stdout);
    debian(&text).map(str::to_owned).context("none of the machine's package sources is a mirror of Debian")
}

/// The first source, of lines `URI component`, that is a mirror of Debian: their path ends in `/debian`, by custom.
fn debian(sources: &str) -> Option<&str> {
    let uris = sources.lines().filter_map(|line| line.strip_suffix(" main"));
    uris.into_iter().find(|uri| uri.trim_end_matches('/').ends_with("/debian"))
}

#[cfg(test)]
mod tests {
    use super::debian;

    #[test]
    fn the_mirror_is_that_of_debian_itself() {
        let sources = "file:/srv/tools/ main\nfile:/srv/debian-security/ main\nfile:/srv/debian/ contrib\n\
                       file:/srv/debian/ main\n";
        assert_eq!(debian(sources), Some("file:/srv/debian/"));
        assert_eq!(debian("file:/srv/ubuntu/ main\n"), None);
    }
}
