// SPDX-License-Identifier: MIT OR Apache-2.0
//! An entry of the boot loader (Boot Loader Specification, type #1; <https://uapi-group.org/specifications/specs/boot_loader_specification/>): a file for each slot that
//! holds an image, whose name counts how often the image may still be tried. systemd-boot starts the entry with the highest number, and one that has no try left last.

use crate::manifest::Manifest;
use std::fmt;
use std::str::FromStr;

/// How often a new image is tried before the other is started again.
pub const TRIES: u32 = 3;
/// How the files of entries are named: `dpu-os-2+3.conf`.
const PREFIX: &str = "dpu-os-";
const SUFFIX: &str = ".conf";
/// Words of the kernel's command line that tell a system where it was started from.
const NUMBER_WORD: &str = "dpu_os.entry=";
const SLOT_WORD: &str = "dpu_os.slot=";

/// A place for an image: a folder of the boot partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    A,
    B,
}

impl Slot {
    /// Its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// The one that is not this.
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl FromStr for Slot {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::A, Self::B].into_iter().find(|slot| slot.name() == text).ok_or(())
    }
}

/// How far an image is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trial {
    /// It has come up once.
    Passed,
    /// It has not yet.
    Running {
        /// How often it may still be started.
        left: u32,
        /// How often it was.
        done: u32,
    },
}

impl Trial {
    /// Of an image that was just written.
    pub const NEW: Self = Self::Running { left: TRIES, done: 0 };
}

/// An entry, as the name of its file tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The later, the higher.
    pub number: u32,
    /// Whether its image has come up.
    pub trial: Trial,
}

impl Entry {
    /// From the name of a file; none if it is no entry of ours.
    pub fn parse(file: &str) -> Option<Self> {
        let text = file.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let Some((number, tries)) = text.split_once('+') else {
            return Some(Self { number: text.parse().ok()?, trial: Trial::Passed });
        };
        let (left, done) = tries.split_once('-').unwrap_or((tries, "0"));
        let trial = Trial::Running { left: left.parse().ok()?, done: done.parse().ok()? };
        Some(Self { number: number.parse().ok()?, trial })
    }

    /// What is in its file.
    pub fn text(self, slot: Slot, manifest: &Manifest) -> String {
        let Manifest { profile, version, command_line, .. } = manifest;
        let (number, slot) = (self.number, slot.name());
        format!(
            "title DPU-OS {profile} {version}\nlinux /{slot}/kernel\ninitrd /{slot}/initramfs\n\
             options {NUMBER_WORD}{number} {SLOT_WORD}{slot} {command_line}\n"
        )
    }

    /// What a file of an entry has the boot loader's menu call it.
    pub(crate) fn title(text: &str) -> &str {
        text.lines().find_map(|line| line.strip_prefix("title ")).unwrap_or_default()
    }

    /// The slot that a file of an entry starts.
    pub(crate) fn slot(text: &str) -> Option<Slot> {
        let folder = text.lines().find_map(|line| line.strip_prefix("linux /"))?;
        folder.split('/').next()?.parse().ok()
    }
}

impl fmt::Display for Entry {
    /// The name of its file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, trial } = self;
        match trial {
            Trial::Passed => write!(f, "{PREFIX}{number}{SUFFIX}"),
            Trial::Running { left, done: 0 } => write!(f, "{PREFIX}{number}+{left}{SUFFIX}"),
            Trial::Running { left, done } => write!(f, "{PREFIX}{number}+{left}-{done}{SUFFIX}"),
        }
    }
}

/// Number and slot that a system was started from, by its kernel's command line.
pub(crate) fn started_from(command_line: &str) -> Option<(u32, Slot)> {
    let word = |name| command_line.split_whitespace().find_map(|word| word.strip_prefix(name));
    Some((word(NUMBER_WORD)?.parse().ok()?, word(SLOT_WORD)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Part;

    #[test]
    fn names_are_those_that_the_boot_loader_counts_in() {
        let running = |left, done| Trial::Running { left, done };
        for (name, number, trial) in [
            ("dpu-os-1.conf", 1, Trial::Passed),
            ("dpu-os-12+3.conf", 12, Trial::NEW),
            ("dpu-os-12+2-1.conf", 12, running(2, 1)),
            ("dpu-os-12+0-3.conf", 12, running(0, 3)),
        ] {
            let entry = Entry::parse(name).unwrap();
            assert_eq!(entry, Entry { number, trial });
            assert_eq!(entry.to_string(), name);
        }
        for other in ["dpu-os-1", "dpu-os-.conf", "dpu-os-1+.conf", "dpu-os-1+3-.conf", "debian.conf"] {
            assert_eq!(Entry::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_system_knows_what_it_was_started_from() {
        let manifest = Manifest::new("minimal", "1", "aarch64", "loglevel=5 panic=10", [Part::of(b""), Part::of(b"")]);
        let text = Entry { number: 2, trial: Trial::NEW }.text(Slot::B, &manifest);
        assert_eq!(
            text,
            "title DPU-OS minimal 1\nlinux /b/kernel\ninitrd /b/initramfs\n\
             options dpu_os.entry=2 dpu_os.slot=b loglevel=5 panic=10\n"
        );
        assert_eq!(Entry::slot(&text), Some(Slot::B));
        let options = text.lines().last().unwrap().strip_prefix("options ").unwrap();
        assert_eq!(started_from(options), Some((2, Slot::B)));
        assert_eq!(started_from("loglevel=5 panic=10"), None);
        assert_eq!(started_from("dpu_os.entry=2 dpu_os.slot=c"), None);
    }
}
