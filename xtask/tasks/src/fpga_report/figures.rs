// SPDX-License-Identifier: MIT OR Apache-2.0
//! The figures of a preset, and the file of the repository that keeps them.

use super::cells::{Area, is_zero};
use super::levels::Levels;
use super::netlist::Use;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What is kept of a module, or of a whole design.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figure {
    /// Instances in the design.
    #[serde(skip_serializing_if = "is_zero")]
    pub instances: u64,
    /// A module's own cells in one instance, or all of the design.
    #[serde(flatten)]
    pub area: Area,
    /// Logic levels of the longest path into its registers.
    #[serde(skip_serializing_if = "is_zero")]
    pub levels: u64,
}

/// The figures of a preset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// The version of Yosys.
    pub yosys: String,
    /// Hash of the Verilog, comments left out.
    #[serde(default)]
    pub verilog: String,
    /// Its command, with which all modules were synthesised one by one.
    pub synthesis: String,
    /// The whole design, made of these modules.
    pub total: Figure,
    /// The whole design, synthesised as one module, if that was done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub flattened: Option<Figure>,
    pub modules: BTreeMap<String, Figure>,
}

/// Figures by preset.
pub type Kept = BTreeMap<String, Figures>;

/// The figures of all modules.
pub fn modules(uses: &BTreeMap<String, Use>, levels: &Levels) -> BTreeMap<String, Figure> {
    let figure = |(name, module): (&String, &Use)| {
        let levels = levels.by_module.get(name).copied().unwrap_or(0).into();
        (name.clone(), Figure { instances: module.instances, area: module.own, levels })
    };
    uses.iter().map(figure).collect()
}

/// Reads the file; no figures if there is none yet.
pub fn read(path: &Path) -> Result<Kept> {
    if !path.is_file() {
        return Ok(Kept::new());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `cargo xtask fpga-report --update` writes", path.display()))
}

/// Writes the file.
pub fn write(path: &Path, kept: &Kept) -> Result<()> {
    fs::write(path, text(kept)?).with_context(|| format!("cannot write {}", path.display()))
}

/// JSON with a line for each module, so that a change can be read in a diff.
fn text(kept: &Kept) -> Result<String> {
    let mut presets = vec![];
    for (preset, figures) in kept {
        let mut lines = vec![
            format!("    \"yosys\": {}", serde_json::to_string(&figures.yosys)?),
            format!("    \"verilog\": {}", serde_json::to_string(&figures.verilog)?),
            format!("    \"synthesis\": {}", serde_json::to_string(&figures.synthesis)?),
            format!("    \"total\": {}", serde_json::to_string(&figures.total)?),
        ];
        if let Some(flattened) = &figures.flattened {
            lines.push(format!("    \"flattened\": {}", serde_json::to_string(flattened)?));
        }
        let mut modules = vec![];
        for (name, figure) in &figures.modules {
            modules.push(format!("      \"{name}\": {}", serde_json::to_string(figure)?));
        }
        lines.push(format!("    \"modules\": {{\n{}\n    }}", modules.join(",\n")));
        presets.push(format!("  \"{preset}\": {{\n{}\n  }}", lines.join(",\n")));
    }
    Ok(format!("{{\n{}\n}}\n", presets.join(",\n")))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn example() -> Figures {
        let figure = |lut, levels| Figure { instances: 1, area: Area { lut, ..Area::default() }, levels };
        Figures {
            yosys: "Yosys 0.70".into(),
            verilog: "0123456789abcdef".into(),
            synthesis: "synth_ecp5".into(),
            total: figure(1_010, 7),
            flattened: None,
            modules: [("merge".into(), figure(1_000, 7)), ("small".into(), figure(10, 2))].into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again_a_line_for_each_module() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("figures.json");
        assert_eq!(read(&path).expect("no file is no figures"), Kept::new());
        let kept = Kept::from([("ecp5".into(), example())]);
        write(&path, &kept).expect("a file");
        assert_eq!(read(&path).expect("figures"), kept);
        let text = fs::read_to_string(&path).expect("a file");
        assert!(text.contains("\n      \"merge\": {\"instances\":1,\"lut\":1000,\"levels\":7},\n"), "{text}");
    }
}
