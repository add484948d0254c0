// SPDX-License-Identifier: MIT OR Apache-2.0
//! An archive as the kernel takes it for its first file system (Linux: `Documentation/driver-api/early-userspace/buffer-format.rst`, format `newc`).
//! What is in it depends on names and contents alone: the same files make the same bytes.

use std::collections::BTreeMap;

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// A text or a library.
    Plain(Vec<u8>),
    /// What may be executed.
    Program(Vec<u8>),
    /// A symbolic link, and where it leads.
    Link(String),
}

/// Types and rights (`stat.h`).
const FOLDER: u32 = 0o040_755;
const PLAIN: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;
/// The name of the archive's end.
const END: &str = "TRAILER!!!";
/// What names and contents are filled up to a multiple of.
const ALIGN: usize = 4;

/// Files by where they are, from the root on. Folders are there when something is in them, or when they are named.
#[derive(Default)]
pub struct Archive {
    entries: BTreeMap<String, Option<File>>,
}

impl Archive {
    /// Adds a folder, and those that it lies in.
    pub fn add_folder(&mut self, path: &str) {
        if let Some((outer, _)) = path.rsplit_once('/') {
            self.add_folder(outer);
        }
        self.entries.entry(path.to_owned()).or_insert(None);
    }

    /// Adds a file, in place of one that was there, with the folders that it lies in.
    pub fn add(&mut self, path: &str, file: File) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.add_folder(folder);
        }
        self.entries.insert(path.to_owned(), Some(file));
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![];
        for (number, (path, file)) in (1..).zip(&self.entries) {
            let (mode, content) = match file {
                None => (FOLDER, &[][..]),
                Some(File::Plain(content)) => (PLAIN, &content[..]),
                Some(File::Program(content)) => (PROGRAM, &content[..]),
                Some(File::Link(target)) => (LINK, target.as_bytes()),
            };
            write(&mut bytes, number, mode, path, content);
        }
        write(&mut bytes, 0, 0, END, &[]);
        bytes
    }
}

/// The file belongs to root, and is as old as can be.
fn write(bytes: &mut Vec<u8>, number: u32, mode: u32, path: &str, content: &[u8]) {
    let (links, size, name) = (1, content.len() as u32, path.len() as u32 + 1);
    let fields = [number, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name, 0];
    bytes.extend(b"070701");
    fields.iter().for_each(|field| bytes.extend(format!("{field:08x}").bytes()));
    bytes.extend(path.bytes());
    bytes.push(0);
    fill(bytes);
    bytes.extend(content);
    fill(bytes);
}

fn fill(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_the_same_whatever_the_order() {
        let files = [
            ("usr/bin/a", File::Program(b"program".to_vec())),
            ("etc/b", File::Plain(b"text".to_vec())),
            ("bin", File::Link("usr/bin".into())),
        ];
        let of = |order: &[usize]| {
            let mut archive = Archive::default();
            order.iter().for_each(|index| archive.add(files[*index].0, files[*index].1.clone()));
            archive.bytes()
        };
        let bytes = of(&[0, 1, 2]);
        assert_eq!(bytes, of(&[2, 1, 0]));
        let text = String::from_utf8_lossy(&bytes);
        let names: Vec<&str> =
            ["bin\0", "etc\0", "etc/b\0", "usr\0", "usr/bin\0", "usr/bin/a\0", "TRAILER!!!\0"].into();
        // Behind the last number of its header.
        let place = |name: &&str| text.find(&format!("00000000{name}")).expect("it is there");
        let places: Vec<usize> = names.iter().map(place).collect();
        assert!(places.is_sorted(), "{places:?}");
        // The kernel's format: a header of 110 bytes, all numbers in eight hexadecimal digits.
        assert_eq!(
            &text[..110],
            &format!("070701{:08x}{LINK:08x}{:016x}{:08x}{:08x}{:08x}{:032x}{:08x}{:08x}", 1, 0, 1, 0, 7, 0, 4, 0)
        );
        assert_eq!(&text[110..124], "bin\0\0\0usr/bin\0");
    }
}
