// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an image says of itself, which is what is signed.

use crate::error::{At, Error};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};
use std::path::Path;

/// The only form that there is. It is signed too: a signature for something else of the same key is none for an image.
const FORM: &str = "millrace dpu-os image 1";

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    form: String,
    /// The profile that it was made of.
    pub profile: String,
    /// For people.
    pub version: String,
    /// The processor: `aarch64`, `x86_64`.
    pub architecture: String,
    /// The kernel's, but for what tells the slot.
    pub command_line: String,
    /// The kernel.
    pub kernel: Part,
    /// The first file system, which is all that there is.
    pub initramfs: Part,
}

/// A file of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its length.
    pub bytes: u64,
    /// Its hash, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Of an image with these files.
    pub fn new(
        profile: &str,
        version: &str,
        architecture: &str,
        command_line: &str,
        [kernel, initramfs]: [Part; 2],
    ) -> Self {
        let [form, profile, version, architecture, command_line] =
            [FORM, profile, version, architecture, command_line].map(str::to_owned);
        Self { form, profile, version, architecture, command_line, kernel, initramfs }
    }

    /// As it is signed.
    pub fn text(&self) -> String {
        format!("{}\n", serde_json::to_string_pretty(self).expect("it has a form"))
    }

    /// Reads one. Its texts become lines of the boot loader: they are one line each.
    pub(crate) fn read(text: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(text).map_err(|error| format!("its manifest: {error}"))?;
        if manifest.form != FORM {
            return Err(format!("its manifest is of form {:?}, not {FORM:?}", manifest.form));
        }
        let texts = [&manifest.profile, &manifest.version, &manifest.command_line];
        if let Some(text) = texts.into_iter().find(|text| text.contains(char::is_control)) {
            return Err(format!("its manifest has more than a line in {text:?}"));
        }
        Ok(manifest)
    }
}

impl Part {
    /// That of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: shown(Sha256::digest(bytes).as_slice()) }
    }

    /// Copies a part to `to`, and says whether it was this one.
    pub(crate) fn copy(
        &self,
        from: &mut impl Read,
        to: &mut impl Write,
        (path, out): (&Path, &Path),
    ) -> Result<bool, Error> {
        let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            let length = match from.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read.at("read", path)?,
            };
            if length == 0 {
                return Ok(bytes == self.bytes && shown(hash.finalize().as_slice()) == self.sha256);
            }
            hash.update(&buffer[..length]);
            bytes += length as u64;
            to.write_all(&buffer[..length]).at("write", out)?;
        }
    }
}

fn shown(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
