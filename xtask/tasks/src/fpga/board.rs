// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is known about a board: `board.toml` in its folder below `constraints/`.

use crate::nextpnr::Part;
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;

/// A board, as its `board.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name of its folder.
    #[serde(skip)]
    pub id: String,
    #[serde(skip)]
    folder: PathBuf,
    /// For people.
    pub title: String,
    /// Builds of the hardware that fit; the first is the one that the board is made for.
    presets: Vec<String>,
    /// The one of them that is built.
    #[serde(skip)]
    pub preset: String,
    /// Module of the board's wrapper.
    pub top: String,
    /// The wrapper's Verilog, relative to the folder; the first one has the top.
    sources: Vec<PathBuf>,
    /// The constraints' file, relative to the folder.
    pins: PathBuf,
    /// Uplinks with a MAC of their own; the other vports are reached over the host channel.
    pub uplinks: usize,
    pub family: Family,
}

/// Whose tools build for it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Yosys, nextpnr-ecp5 and ecppack.
    Ecp5(Ecp5),
    /// Vivado.
    Alveo,
}

/// What is particular to a board with an ECP5.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ecp5 {
    pub part: Part,
    /// Clocks of the core in a bit of the UART.
    pub uart_clocks_per_bit: u32,
}

impl Board {
    /// The board in `constraints/ID`.
    ///
    /// # Errors
    /// No such board (with those that there are), or a `board.toml` that cannot be used.
    pub fn load(id: &str) -> Result<Self> {
        Self::load_from(&constraints(), id)
    }

    /// All boards, sorted by name.
    pub fn all() -> Result<Vec<Self>> {
        ids(&constraints())?.iter().map(|id| Self::load(id)).collect()
    }

    fn load_from(constraints: &Path, id: &str) -> Result<Self> {
        let ids = ids(constraints)?;
        if !ids.iter().any(|known| known == id) {
            bail!("unknown board `{id}`: the boards are {}", ids.join(", "));
        }
        let folder = constraints.join(id);
        let file = folder.join("board.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut board: Board = toml::from_str(&text).with_context(|| format!("{} cannot be used", file.display()))?;
        let Some(preset) = board.presets.first() else {
            bail!("{} names no preset", file.display());
        };
        (board.id, board.folder, board.preset) = (id.into(), folder, preset.clone());
        let missing = board.sources().chain([board.pins()]).find(|source| !source.is_file());
        if let Some(source) = missing {
            bail!("{} names {}, which is not there", file.display(), source.display());
        }
        Ok(board)
    }

    /// The board with this preset, or with the one that it is made for.
    ///
    /// # Errors
    /// A preset that is none of the board's, with those.
    pub fn with_preset(self, preset: Option<&str>) -> Result<Self> {
        let preset = preset.unwrap_or(&self.preset).to_owned();
        if !self.presets.contains(&preset) {
            bail!("board `{}` cannot have preset `{preset}`: its presets are {}", self.id, self.presets.join(", "));
        }
        Ok(Self { preset, ..self })
    }

    /// Paths of the wrapper's Verilog.
    pub fn sources(&self) -> impl Iterator<Item = PathBuf> {
        self.sources.iter().map(|source| self.folder.join(source))
    }

    /// Path of the constraints.
    pub fn pins(&self) -> PathBuf {
        self.folder.join(&self.pins)
    }
}

fn constraints() -> PathBuf {
    run::root().join("constraints")
}

/// The folders with a `board.toml`, sorted.
fn ids(constraints: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(constraints).with_context(|| format!("cannot read {}", constraints.display()))?;
    let mut ids: Vec<String> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|folder| folder.join("board.toml").is_file())
        .filter_map(|folder| Some(folder.file_name()?.to_str()?.to_owned()))
        .collect();
    ids.sort();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_of_the_repository_can_be_used() {
        let boards = Board::all().unwrap();
        assert!(boards.iter().any(|board| board.id == "versa-ecp5"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_its_place() {
        let unknown = Board::load("versa").unwrap_err().to_string();
        assert!(unknown.starts_with("unknown board `versa`: the boards are "), "{unknown}");
        assert!(unknown.contains("versa-ecp5"), "{unknown}");
        let versa = |preset| Board::load("versa-ecp5").unwrap().with_preset(preset);
        assert_eq!(versa(None).unwrap().preset, "ecp5");
        assert_eq!(versa(Some("ecp5-small")).unwrap().preset, "ecp5-small");
        let refused = versa(Some("alveo")).unwrap_err().to_string();
        assert_eq!(refused, "board `versa-ecp5` cannot have preset `alveo`: its presets are ecp5, ecp5-small");

        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("b")).unwrap();
        let refused = |text: &str| {
            fs::write(folder.path().join("b/board.toml"), text).unwrap();
            format!("{:#}", Board::load_from(folder.path(), "b").unwrap_err())
        };
        let good = "title='n'\npresets=['ecp5']\ntop='t'\nsources=[]\npins='no.lpf'\nuplinks=1\nfamily='alveo'\n";
        assert!(refused(good).contains("no.lpf, which is not there"));
        assert!(refused(&good.replace("'ecp5'", "")).contains("names no preset"));
        assert!(refused(&format!("{good}colour='red'\n")).contains("unknown field `colour`"));
        assert!(refused(&good.replace("alveo", "ice40")).contains("unknown variant `ice40`"));
    }
}
