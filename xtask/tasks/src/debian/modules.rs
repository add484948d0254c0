// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kernel modules and what they depend on.

use anyhow::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of a kernel: those that are files, compressed or not, and the names of those built in.
pub struct Modules {
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

impl Modules {
    /// Those of a folder `lib/modules/VERSION`.
    pub fn find(folder: &Path) -> Result<Self> {
        let built_in = built_in(&folder.join("modules.builtin"))?;
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.join("kernel")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
                let path = entry?.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(name) = name(&path) {
                    files.insert(name, path);
                }
            }
        }
        Ok(Self { files, built_in })
    }

    /// Those of a kernel that has none as a file, by its list `modules.builtin`.
    pub fn all_built_in(list: &Path) -> Result<Self> {
        Ok(Self { files: BTreeMap::new(), built_in: built_in(list)? })
    }

    /// Whether the kernel has a module, as a file or built in.
    pub fn knows(&self, name: &str) -> bool {
        self.is_built_in(name) || self.files.contains_key(name)
    }

    /// Whether a module is built in.
    pub fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains(name)
    }

    /// The named modules, each behind what it depends on, as `unpack` reads their files: names and contents. None for those that are built in.
    pub fn with_dependencies(
        &self,
        names: &[&str],
        unpack: impl Fn(&Path) -> Result<Vec<u8>>,
    ) -> Result<Vec<(String, Vec<u8>)>> {
        let mut found = vec![];
        names.iter().try_for_each(|name| self.add(name, &unpack, &mut found))?;
        Ok(found)
    }

    /// Adds a module behind what it depends on, which the kernel's build makes sure never comes to the module again.
    fn add(
        &self,
        name: &str,
        unpack: &impl Fn(&Path) -> Result<Vec<u8>>,
        found: &mut Vec<(String, Vec<u8>)>,
    ) -> Result<()> {
        if self.is_built_in(name) || found.iter().any(|(there, _)| there == name) {
            return Ok(());
        }
        let file = self.files.get(name).with_context(|| format!("the kernel has no module {name}"))?;
        let module = unpack(file)?;
        for needed in dependencies(&module).with_context(|| format!("{name} tells no dependencies"))? {
            self.add(&needed, unpack, found)?;
        }
        found.push((name.to_owned(), module));
        Ok(())
    }
}

/// The names in a list of modules that are built in.
fn built_in(list: &Path) -> Result<BTreeSet<String>> {
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    Ok(text.lines().filter_map(|line| name(Path::new(line))).collect())
}

/// `kernel/drivers/net/virtio_net.ko.xz` is `virtio_net`. The kernel takes `-` for `_`.
fn name(path: &Path) -> Option<String> {
    let (name, _) = path.file_name()?.to_str()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

/// What a module's section `.modinfo` says: `depends=failover,other`, between zeros.
fn dependencies(module: &[u8]) -> Option<Vec<String>> {
    let value = module.split(|byte| *byte == 0).find_map(|text| text.strip_prefix(b"depends="))?;
    let names = str::from_utf8(value).ok()?.split(',').filter(|name| !name.is_empty());
    Some(names.map(|name| name.replace('-', "_")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_brings_what_it_depends_on_but_for_what_is_built_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str, text: &[u8]| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        file("modules.builtin", b"kernel/drivers/virtio/virtio-ring.ko\n");
        file("kernel/net/fail-over.ko.xz", b"\x7fELF\0depends=\0");
        file("kernel/drivers/net/virtio_net.ko", b"\x7fELF\0license=GPL\0depends=fail-over,virtio_ring\0");
        file("kernel/drivers/net/other.ko", b"\0depends=missing\0");
        let modules = Modules::find(folder.path()).unwrap();
        let of = |name| modules.with_dependencies(&[name], |path| Ok(fs::read(path)?));
        let names = |name| of(name).unwrap().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("virtio_net"), ["fail_over", "virtio_net"]);
        assert!(names("virtio_ring").is_empty());
        assert_eq!(of("other").unwrap_err().to_string(), "the kernel has no module missing");
    }
}
