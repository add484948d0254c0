// SPDX-License-Identifier: MIT OR Apache-2.0
//! The file that an image travels in: a tar archive of manifest, signature, kernel and initramfs, in this order. The signature (Ed25519, 64 bytes) is that of the
//! manifest, which has the hashes of the others.

use crate::error::{At, Error};
use crate::key::{SigningKey, VerifyingKey};
use crate::manifest::{Manifest, Part};
use ed25519_dalek::{Signature, Signer};
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "manifest.sig";
const KERNEL: &str = "kernel";
const INITRAMFS: &str = "initramfs";
/// More than any manifest has.
const LONGEST_MANIFEST: u64 = 1 << 16;

/// Bytes of an archive's beginning that hold manifest and signature, at most: each has a header before it, and zeros behind it up to a multiple of that.
pub(crate) const HEAD: usize = BLOCK + LONGEST_MANIFEST as usize + 2 * BLOCK;
/// In which a tar archive is written.
const BLOCK: usize = 512;

/// Bytes of an archive behind that, at most: two files, and the end, which is 1,024 zeros filled up to 10,240 bytes of whoever made it.
pub(crate) fn rest(manifest: &Manifest) -> u64 {
    manifest.kernel.bytes + manifest.initramfs.bytes + (4 * BLOCK + 20 * BLOCK) as u64
}

/// What the beginning of an archive says that it is, if it is signed with this key: else why it is refused.
pub(crate) fn manifest(beginning: &[u8], key: &VerifyingKey) -> Result<Manifest, String> {
    signed(Path::new(""), &mut tar::Archive::new(beginning), key).map_err(|error| match error {
        Error::Refused { why, .. } => why,
        other => other.to_string(),
    })
}

/// The manifest of an archive, if its signature is right: nothing of it is believed before.
fn signed(path: &Path, archive: &mut tar::Archive<impl Read>, key: &VerifyingKey) -> Result<Manifest, Error> {
    let refused = |why: String| Error::Refused { path: path.to_owned(), why };
    let mut parts = Parts { path, entries: archive.entries().at("read", path)? };
    let text = parts.next(MANIFEST, LONGEST_MANIFEST)?;
    let signature = parts.next(SIGNATURE, Signature::BYTE_SIZE as u64)?;
    let signature = Signature::from_slice(&signature).map_err(|_| refused("it is not signed".into()))?;
    // Strictly: one key has one signature for a text.
    key.verify_strict(&text, &signature)
        .map_err(|_| refused("its signature is not that of the key that this system trusts".into()))?;
    Manifest::read(&text).map_err(refused)
}

/// Writes an archive. It depends on its contents alone.
///
/// # Errors
/// Those of `out`.
pub fn write(
    out: impl Write,
    manifest: &Manifest,
    key: &SigningKey,
    kernel: &[u8],
    initramfs: &[u8],
) -> io::Result<()> {
    let text = manifest.text();
    let signature = key.sign(text.as_bytes()).to_bytes();
    let mut archive = tar::Builder::new(out);
    let files = [(MANIFEST, text.as_bytes()), (SIGNATURE, &signature), (KERNEL, kernel), (INITRAMFS, initramfs)];
    for (name, content) in files {
        // Owner, group and time are 0.
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content)?;
    }
    archive.into_inner().map(drop)
}

/// An archive that is signed by whom it has to be, and whole.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    /// What it is.
    pub manifest: Manifest,
}

impl Archive {
    /// Looks an archive through.
    ///
    /// # Errors
    /// If it cannot be read, or has to be refused.
    pub fn open(path: &Path, key: &VerifyingKey) -> Result<Self, Error> {
        let mut archive = tar::Archive::new(BufReader::new(File::open(path).at("open", path)?));
        let archive = Self { path: path.to_owned(), manifest: signed(path, &mut archive, key)? };
        let (nowhere, mut kernel, mut initramfs) = (Path::new("nowhere"), io::sink(), io::sink());
        if !archive.copy([(nowhere, &mut kernel), (nowhere, &mut initramfs)])? {
            return Err(archive.refuse("it is damaged: its files are not those that were signed"));
        }
        Ok(archive)
    }

    /// What is said of it when it cannot be used.
    pub(crate) fn refuse(&self, why: impl Into<String>) -> Error {
        Error::Refused { path: self.path.clone(), why: why.into() }
    }

    /// Copies kernel and initramfs, in this order, to files with these names. `false` if they are not what the manifest says.
    pub(crate) fn copy(&self, into: [(&Path, &mut dyn Write); 2]) -> Result<bool, Error> {
        let mut archive = tar::Archive::new(BufReader::new(File::open(&self.path).at("open", &self.path)?));
        let mut parts = Parts { path: &self.path, entries: archive.entries().at("read", &self.path)? };
        for name in [MANIFEST, SIGNATURE] {
            parts.next(name, LONGEST_MANIFEST)?;
        }
        let wanted: [(&str, &Part); 2] = [(KERNEL, &self.manifest.kernel), (INITRAMFS, &self.manifest.initramfs)];
        for ((name, part), (path, mut to)) in wanted.into_iter().zip(into) {
            let mut entry = parts.entry(name)?;
            if entry.size() != part.bytes || !part.copy(&mut entry, &mut to, (&self.path, path))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What is in an archive, in its order.
struct Parts<'a, R: Read> {
    path: &'a Path,
    entries: tar::Entries<'a, R>,
}

impl<'a, R: Read> Parts<'a, R> {
    /// The next file, which has to have this name.
    fn entry(&mut self, name: &str) -> Result<tar::Entry<'a, R>, Error> {
        let is_wanted = |entry: &tar::Entry<'a, R>| {
            entry.path_bytes().as_ref() == name.as_bytes() && entry.header().entry_type().is_file()
        };
        match self.entries.next() {
            Some(Ok(entry)) if is_wanted(&entry) => Ok(entry),
            // Its end is missing, or it is something else.
            _ => {
                let why = format!("it is no image: there is no {name} where it should be");
                Err(Error::Refused { path: self.path.to_owned(), why })
            }
        }
    }

    /// The contents of the next file, which is not longer than that.
    fn next(&mut self, name: &str, longest: u64) -> Result<Vec<u8>, Error> {
        let entry = self.entry(name)?;
        if entry.size() > longest {
            return Err(Error::Refused { path: self.path.to_owned(), why: format!("its {name} is too long") });
        }
        let mut content = vec![];
        entry.take(longest).read_to_end(&mut content).at("read", self.path)?;
        Ok(content)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::fs;

    pub(crate) fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    pub(crate) fn archive(version: &str, kernel: usize) -> Vec<u8> {
        let (kernel, initramfs) = (vec![1; kernel], vec![2; 3000]);
        let parts = [Part::of(&kernel), Part::of(&initramfs)];
        let manifest = Manifest::new("minimal", version, "aarch64", "panic=10", parts);
        let mut bytes = vec![];
        write(&mut bytes, &manifest, &key(1), &kernel, &initramfs).unwrap();
        bytes
    }

    fn opened(bytes: &[u8], key: &SigningKey) -> Result<Archive, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        Archive::open(file.path(), &key.verifying_key()).map_err(|error| {
            let text = error.to_string();
            text.strip_prefix(&format!("{} is refused: ", file.path().display())).unwrap_or(&text).to_owned()
        })
    }

    #[test]
    fn an_archive_is_the_same_each_time_and_taken_with_its_key_alone() {
        let bytes = archive("1", 9000);
        assert_eq!(bytes, archive("1", 9000));
        assert_eq!(opened(&bytes, &key(1)).unwrap().manifest.version, "1");
        let refused = opened(&bytes, &key(2)).unwrap_err();
        assert_eq!(refused, "its signature is not that of the key that this system trusts");
    }

    #[test]
    fn no_byte_of_what_is_used_can_be_changed_unnoticed() {
        let bytes = archive("1", 9000);
        let original = opened(&bytes, &key(1)).unwrap().manifest;
        // Manifest and signature are among the first 2,048.
        for place in (0..2048).step_by(3).chain((2048..bytes.len()).step_by(97)) {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            if let Ok(archive) = opened(&changed, &key(1)) {
                assert_eq!(archive.manifest, original, "byte {place}");
            }
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        let bytes = archive("1", 9000);
        let cases: [(&[u8], &str); 5] = [
            (b"", "it is no image: there is no manifest.json where it should be"),
            (&[7; 2000], "it is no image: there is no manifest.json where it should be"),
            (&bytes[..1024], "it is no image: there is no manifest.sig where it should be"),
            (&bytes[..1024 + 512], "it is not signed"),
            (&bytes[..5000], "it is damaged: its files are not those that were signed"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(opened(bytes, &key(1)).unwrap_err(), expected);
        }
        let mut other = archive("1", 9000);
        let place = other.windows(16).position(|text| text == b"millrace dpu-os ").unwrap();
        other[place] = b'M';
        assert!(opened(&other, &key(1)).unwrap_err().contains("signature"));
    }
}
