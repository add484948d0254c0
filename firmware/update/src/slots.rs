// SPDX-License-Identifier: MIT OR Apache-2.0
//! The boot partition of a card's disk: folders `a` and `b` for an image each, and an entry of the boot loader for each image.

use crate::archive::Archive;
use crate::entry::{Entry, Slot, Trial, started_from};
use crate::error::{At, Error};
use nix::sys::statvfs::{FsFlags, statvfs};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const ENTRIES: &str = "loader/entries";
const FILES: [&str; 2] = ["kernel", "initramfs"];
/// What the boot partition keeps free beside an image: entries, folders, and parts of clusters.
const MARGIN: u64 = 1 << 20;

/// The boot partition, and what the system was started from.
#[derive(Debug)]
pub struct Slots {
    folder: PathBuf,
    number: u32,
    slot: Slot,
}

/// An image that is in a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its entry.
    pub entry: Entry,
    /// Where it is.
    pub slot: Slot,
    /// Whether it is the one that runs.
    pub running: bool,
    /// What the boot loader's menu calls it.
    pub title: String,
}

impl Slots {
    /// Of a system with this command line (`/proc/cmdline`), whose boot partition is at `folder`.
    ///
    /// # Errors
    /// If the system was not started from there.
    pub fn open(folder: &Path, command_line: &str) -> Result<Self, Error> {
        let Some((number, slot)) = started_from(command_line) else {
            return Err(Error::Disk("this system was not started from a slot of a disk".into()));
        };
        let slots = Self { folder: folder.to_owned(), number, slot };
        if !slots.installed()?.iter().any(|image| image.running) {
            let place = slots.entries();
            return Err(Error::Disk(format!("{} has no entry of the image that runs", place.display())));
        }
        Ok(slots)
    }

    /// What is in the slots, the one that was written last first.
    ///
    /// # Errors
    /// If the partition cannot be read.
    pub fn installed(&self) -> Result<Vec<Installed>, Error> {
        let folder = self.entries();
        let mut found = vec![];
        for file in fs::read_dir(&folder).at("read", &folder)? {
            let name = file.at("read", &folder)?.file_name();
            let Some(entry) = name.to_str().and_then(Entry::parse) else { continue };
            let path = folder.join(name);
            let text = fs::read_to_string(&path).at("read", &path)?;
            let Some(slot) = Entry::slot(&text) else { continue };
            let title = Entry::title(&text).to_owned();
            let running = entry.number == self.number && slot == self.slot;
            found.push(Installed { entry, slot, running, title });
        }
        found.sort_by_key(|image| std::cmp::Reverse(image.entry.number));
        Ok(found)
    }

    /// Writes an image to the slot that is not in use, to be tried at the next start. Until its last step the boot loader has the running image alone.
    ///
    /// # Errors
    /// If the running image is on trial itself: the other is what would be started if it failed. If the image is for another processor, or there is no room for it; nothing
    /// is changed then. If the partition cannot be written.
    pub fn install(&self, archive: &Archive, architecture: &str) -> Result<Installed, Error> {
        let installed = self.installed()?;
        let running = installed.iter().find(|image| image.running);
        if running.is_none_or(|image| image.entry.trial != Trial::Passed) {
            return Err(Error::Disk(
                "the image that runs is on trial: until it is confirmed the other is what would be gone back to".into(),
            ));
        }
        let manifest = &archive.manifest;
        if manifest.architecture != architecture {
            return Err(archive.refuse(format!("it is for {}, and this is {architecture}", manifest.architecture)));
        }
        let (slot, number) = (self.slot.other(), installed.iter().map(|image| image.entry.number).max());
        let folder = self.folder.join(slot.name());
        let wanted = manifest.kernel.bytes.saturating_add(manifest.initramfs.bytes).saturating_add(MARGIN);
        let room = self.room(&folder)?;
        if wanted > room {
            return Err(
                archive.refuse(format!("it takes {wanted} bytes, and slot {} has room for {room}", slot.name()))
            );
        }
        let _writable = Writable::make(&self.folder)?;
        // From here on what the slot held is gone.
        for image in installed.iter().filter(|image| image.slot == slot) {
            let path = self.entries().join(image.entry.to_string());
            fs::remove_file(&path).at("remove", &path)?;
        }
        sync(&self.entries())?;
        self.fill(&folder, archive)?;
        let entry = Entry { number: number.unwrap_or(self.number) + 1, trial: Trial::NEW };
        let text = entry.text(slot, manifest);
        let (path, part) = (self.entries().join(entry.to_string()), self.entries().join("new"));
        fs::write(&part, &text).at("write", &part)?;
        sync(&part)?;
        // The step that makes it count.
        fs::rename(&part, &path).at("write", &path)?;
        sync(&self.entries())?;
        Ok(Installed { entry, slot, running: false, title: Entry::title(&text).to_owned() })
    }

    /// Keeps the running image, if it is on trial. Whether it was.
    ///
    /// # Errors
    /// If the partition cannot be written.
    pub fn confirm(&self) -> Result<bool, Error> {
        let installed = self.installed()?;
        let Some(image) = installed.iter().find(|image| image.running && image.entry.trial != Trial::Passed) else {
            return Ok(false);
        };
        let _writable = Writable::make(&self.folder)?;
        let file = |entry: Entry| self.entries().join(entry.to_string());
        let path = file(image.entry);
        fs::rename(&path, file(Entry { trial: Trial::Passed, ..image.entry })).at("rename", &path)?;
        sync(&self.entries())?;
        Ok(true)
    }

    /// Writes the files of an image.
    fn fill(&self, folder: &Path, archive: &Archive) -> Result<(), Error> {
        fs::create_dir_all(folder).at("make", folder)?;
        let paths = FILES.map(|name| folder.join(name));
        for path in paths.iter().filter(|path| path.exists()) {
            fs::remove_file(path).at("remove", path)?;
        }
        let [kernel, initramfs] = &paths;
        let create = |path: &PathBuf| File::create(path).at("write", path);
        let (mut first, mut second) = (create(kernel)?, create(initramfs)?);
        // It was looked through, but whoever brought it may still write to it.
        if !archive.copy([(kernel, &mut first), (initramfs, &mut second)])? {
            return Err(archive.refuse("it has changed while it was written"));
        }
        for (file, path) in [(first, kernel), (second, initramfs)] {
            file.sync_all().at("write", path)?;
        }
        sync(folder)
    }

    /// Bytes that are free when a slot is emptied.
    fn room(&self, slot: &Path) -> Result<u64, Error> {
        let system = statvfs(&self.folder).at("look at", &self.folder)?;
        let held = FILES.iter().filter_map(|name| fs::metadata(slot.join(name)).ok()).map(|file| file.len());
        Ok(system.blocks_available() * system.fragment_size() + held.sum::<u64>())
    }

    fn entries(&self) -> PathBuf {
        self.folder.join(ENTRIES)
    }
}

/// Waits until a file, or what a folder says of its files, is on the disk.
fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).at("write", path)
}

/// A file system that is mounted read-only otherwise: what may end at any time leaves it whole.
struct Writable<'a>(Option<&'a Path>);

impl<'a> Writable<'a> {
    fn make(folder: &'a Path) -> Result<Self, Error> {
        if !statvfs(folder).at("look at", folder)?.flags().contains(FsFlags::ST_RDONLY) {
            return Ok(Self(None));
        }
        remount(folder, "rw")?;
        Ok(Self(Some(folder)))
    }
}

impl Drop for Writable<'_> {
    fn drop(&mut self) {
        // What was written is on the disk. The next one to write would find it writable.
        let _ = self.0.map(|folder| remount(folder, "ro"));
    }
}

fn remount(folder: &Path, mode: &str) -> Result<(), Error> {
    let status = Command::new("mount").args(["-o", &format!("remount,{mode}")]).arg(folder).status();
    let done = status.and_then(|status| {
        if status.success() { Ok(()) } else { Err(io::Error::other(format!("mount ended with {status}"))) }
    });
    done.at("mount", folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::write;
    use crate::key::SigningKey;
    use crate::manifest::{Manifest, Part};
    use tempfile::TempDir;

    const FIRST: &str = "quiet dpu_os.entry=1 dpu_os.slot=a";

    /// A boot partition with an image in slot A, and an archive of another.
    struct Bench {
        boot: TempDir,
        archive: PathBuf,
        key: SigningKey,
    }

    impl Bench {
        fn new() -> Self {
            let boot = tempfile::tempdir().unwrap();
            let (key, manifest) = (SigningKey::from_bytes(&[1; 32]), manifest("1", b"old kernel"));
            fs::create_dir_all(boot.path().join(ENTRIES)).unwrap();
            fs::create_dir(boot.path().join("a")).unwrap();
            fs::write(boot.path().join("a/kernel"), "old kernel").unwrap();
            let entry = Entry { number: 1, trial: Trial::Passed };
            fs::write(boot.path().join(ENTRIES).join(entry.to_string()), entry.text(Slot::A, &manifest)).unwrap();
            let bench = Self { archive: boot.path().join("archive"), boot, key };
            bench.pack("2", b"new kernel");
            bench
        }

        fn pack(&self, version: &str, kernel: &[u8]) {
            let mut file = File::create(&self.archive).unwrap();
            write(&mut file, &manifest(version, kernel), &self.key, kernel, b"initramfs").unwrap();
        }

        fn slots(&self, command_line: &str) -> Slots {
            Slots::open(self.boot.path(), command_line).unwrap()
        }

        fn archive(&self) -> Archive {
            Archive::open(&self.archive, &self.key.verifying_key()).unwrap()
        }

        fn install(&self, command_line: &str) -> Result<Installed, String> {
            self.slots(command_line).install(&self.archive(), "aarch64").map_err(|error| error.to_string())
        }

        fn entries(&self) -> Vec<String> {
            let files = fs::read_dir(self.boot.path().join(ENTRIES)).unwrap();
            let mut names: Vec<String> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }

        fn kernel(&self, slot: &str) -> String {
            fs::read_to_string(self.boot.path().join(slot).join("kernel")).unwrap()
        }
    }

    fn manifest(version: &str, kernel: &[u8]) -> Manifest {
        Manifest::new("minimal", version, "aarch64", "quiet", [Part::of(kernel), Part::of(b"initramfs")])
    }

    #[test]
    fn images_take_turns() {
        let bench = Bench::new();
        let installed = bench.install(FIRST).unwrap();
        assert_eq!((installed.entry.number, installed.slot), (2, Slot::B));
        assert_eq!(bench.entries(), ["dpu-os-1.conf", "dpu-os-2+3.conf"]);
        assert_eq!((bench.kernel("a"), bench.kernel("b")), ("old kernel".into(), "new kernel".into()));
        // The boot loader counts, and starts it.
        let file = |name: &str| bench.boot.path().join(ENTRIES).join(name);
        fs::rename(file("dpu-os-2+3.conf"), file("dpu-os-2+2-1.conf")).unwrap();
        let second = "quiet dpu_os.entry=2 dpu_os.slot=b";
        let refused = bench.install(second).unwrap_err();
        assert!(refused.starts_with("the image that runs is on trial"), "{refused}");
        assert!(bench.slots(second).confirm().unwrap());
        assert!(!bench.slots(second).confirm().unwrap(), "it is confirmed once");
        assert_eq!(bench.entries(), ["dpu-os-1.conf", "dpu-os-2.conf"]);
        bench.pack("3", b"third kernel");
        assert_eq!(bench.install(second).unwrap().slot, Slot::A);
        assert_eq!(bench.entries(), ["dpu-os-2.conf", "dpu-os-3+3.conf"]);
        assert_eq!((bench.kernel("a"), bench.kernel("b")), ("third kernel".into(), "new kernel".into()));
    }

    #[test]
    fn an_image_that_failed_gives_way_to_the_next() {
        let bench = Bench::new();
        bench.install(FIRST).unwrap();
        let file = |name: &str| bench.boot.path().join(ENTRIES).join(name);
        fs::rename(file("dpu-os-2+3.conf"), file("dpu-os-2+0-3.conf")).unwrap();
        let installed = bench.slots(FIRST).installed().unwrap();
        assert_eq!(installed.iter().map(|image| image.running).collect::<Vec<_>>(), [false, true]);
        assert_eq!(installed[0].title, "DPU-OS minimal 2");
        assert!(!bench.slots(FIRST).confirm().unwrap(), "the other is not confirmed for it");
        bench.install(FIRST).unwrap();
        assert_eq!(bench.entries(), ["dpu-os-1.conf", "dpu-os-3+3.conf"]);
    }

    #[test]
    fn what_cannot_be_installed_changes_nothing() {
        let bench = Bench::new();
        let slots = bench.slots(FIRST);
        let refused = slots.install(&bench.archive(), "x86_64").unwrap_err().to_string();
        assert!(refused.ends_with("is refused: it is for aarch64, and this is x86_64"), "{refused}");
        let archive = bench.archive();
        // Between the look at it and its use.
        let mut bytes = fs::read(&bench.archive).unwrap();
        let place = bytes.windows(10).position(|text| text == b"new kernel").unwrap();
        bytes[place] = b'N';
        fs::write(&bench.archive, bytes).unwrap();
        let refused = slots.install(&archive, "aarch64").unwrap_err().to_string();
        assert!(refused.ends_with("it has changed while it was written"), "{refused}");
        assert_eq!(bench.entries(), ["dpu-os-1.conf"]);
        assert_eq!(bench.kernel("a"), "old kernel");
        let none = |line| Slots::open(bench.boot.path(), line).unwrap_err().to_string();
        assert_eq!(none("quiet"), "this system was not started from a slot of a disk");
        assert!(none("dpu_os.entry=7 dpu_os.slot=a").ends_with("has no entry of the image that runs"));
    }
}
