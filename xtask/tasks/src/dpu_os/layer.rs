// SPDX-License-Identifier: MIT OR Apache-2.0
//! A file of a profile, and what is wrong in it, with the line.

use anyhow::{Context, Result, anyhow};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A file of a profile.
pub struct Layer {
    path: PathBuf,
    text: String,
}

impl Layer {
    /// Reads a file, and what it says.
    pub fn read<T: DeserializeOwned>(path: &Path) -> Result<(Self, T)> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let layer = Self { path: path.to_owned(), text };
        match toml::from_str(&layer.text) {
            Ok(found) => Ok((layer, found)),
            Err(error) => Err(layer.error_at(error.span().unwrap_or(0..0), error.message())),
        }
    }

    /// What is wrong with a value of it.
    pub fn error<T>(&self, value: &Spanned<T>, what: impl Display) -> anyhow::Error {
        self.error_at(value.span(), what)
    }

    fn error_at(&self, span: Range<usize>, what: impl Display) -> anyhow::Error {
        let line = 1 + self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count();
        anyhow!("{}:{line}: {what}", self.path.display())
    }
}
