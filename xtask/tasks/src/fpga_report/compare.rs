// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a design has grown, or its paths, since the figures were kept.

use super::figures::{Figure, Figures};
use std::fmt;

/// Growth that passes, in percent.
const TOLERANCE: u64 = 5;

/// Growth of a part that passes, however much it is of a small module.
fn slack(part: &str) -> u64 {
    match part {
        "lut" | "register" => 16,
        "lut_ram" | "carry" => 4,
        _ => 0,
    }
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Worse than is allowed.
    Worse { module: String, part: &'static str, old: u64, new: u64 },
    /// Worse, but not more than is allowed, or better.
    Moved { module: String, part: &'static str, old: u64, new: u64 },
    /// A module that has no figures yet.
    New { module: String },
    /// A module that the design has no more.
    Gone { module: String },
}

impl Change {
    /// Whether it must not go by unseen.
    pub fn fails(&self) -> bool {
        !matches!(self, Change::Moved { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Worse { module, part, old, new } | Change::Moved { module, part, old, new } => {
                write!(f, "{module}: {part} {old} -> {new}")?;
                if *old > 0 && *part != "levels" {
                    write!(f, " ({:+.1} %)", 100.0 * (*new as f64 - *old as f64) / *old as f64)?;
                }
                Ok(())
            }
            Change::New { module } => write!(f, "{module}: is new"),
            Change::Gone { module } => write!(f, "{module}: is gone"),
        }
    }
}

/// All differences between the figures that were kept and those of now.
pub fn compare(old: &Figures, new: &Figures) -> Vec<Change> {
    let mut changes = parts("the whole design", &old.total, &new.total);
    if let (Some(old), Some(new)) = (&old.flattened, &new.flattened) {
        changes.extend(parts("the whole design, flattened", old, new));
    }
    for (name, figure) in &new.modules {
        match old.modules.get(name) {
            Some(kept) => changes.extend(parts(name, kept, figure)),
            None => changes.push(Change::New { module: name.clone() }),
        }
    }
    let gone = old.modules.keys().filter(|name| !new.modules.contains_key(*name));
    changes.extend(gone.map(|name| Change::Gone { module: name.clone() }));
    changes
}

fn parts(module: &str, old: &Figure, new: &Figure) -> Vec<Change> {
    let areas = old.area.parts().into_iter().zip(new.area.parts());
    let all = areas.map(|((part, old), (_, new))| (part, old, new)).chain([("levels", old.levels, new.levels)]);
    let changed = all.filter(|(_, old, new)| old != new);
    changed
        .map(|(part, old, new)| {
            let module = module.to_owned();
            let allowed = if part == "levels" { old } else { old + slack(part).max(old * TOLERANCE / 100) };
            match new > allowed {
                true => Change::Worse { module, part, old, new },
                false => Change::Moved { module, part, old, new },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fpga_report::figures::tests::example;

    fn failures(change: impl FnOnce(&mut Figures)) -> Vec<String> {
        let mut new = example();
        change(&mut new);
        compare(&example(), &new).iter().filter(|change| change.fails()).map(ToString::to_string).collect()
    }

    fn lut(figures: &mut Figures, module: &str, lut: u64) {
        figures.modules.get_mut(module).expect("a module").area.lut = lut;
    }

    #[test]
    fn growth_by_more_than_a_twentieth_fails_with_the_module_s_name() {
        assert_eq!(failures(|f| lut(f, "merge", 1_051)), ["merge: lut 1000 -> 1051 (+5.1 %)"]);
        assert!(failures(|f| lut(f, "merge", 1_050)).is_empty());
        assert!(failures(|f| lut(f, "merge", 1)).is_empty());
    }

    #[test]
    fn a_small_module_may_grow_by_a_few_cells() {
        assert!(failures(|f| lut(f, "small", 26)).is_empty());
        assert_eq!(failures(|f| lut(f, "small", 27)), ["small: lut 10 -> 27 (+170.0 %)"]);
        let more_memory = |f: &mut Figures| f.modules.get_mut("small").expect("a module").area.block_ram = 1;
        assert_eq!(failures(more_memory), ["small: block_ram 0 -> 1"]);
    }

    #[test]
    fn a_longer_path_fails_and_a_shorter_one_is_only_told() {
        assert_eq!(failures(|f| f.total.levels = 8), ["the whole design: levels 7 -> 8"]);
        let mut shorter = example();
        shorter.total.levels = 6;
        assert_eq!(compare(&example(), &shorter).len(), 1);
        assert!(failures(|f| f.total.levels = 6).is_empty());
    }

    #[test]
    fn a_module_that_comes_or_goes_fails() {
        assert_eq!(failures(|f| _ = f.modules.insert("other".into(), Figure::default())), ["other: is new"]);
        assert_eq!(failures(|f| _ = f.modules.remove("small")), ["small: is gone"]);
    }

    #[test]
    fn nothing_changed_is_no_change() {
        assert_eq!(compare(&example(), &example()), []);
    }
}
