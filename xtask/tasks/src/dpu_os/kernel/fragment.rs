// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a profile asks of a kernel's configuration: symbols with their values, written as in the kernel's own `.config`.

use anyhow::{Context, Error, Result, anyhow, bail};
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

/// Symbols of one or several files. Each is asked for once.
pub struct Fragment {
    settings: Vec<Setting>,
}

/// A symbol with its value, and where it is asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    file: PathBuf,
    line: usize,
    pub symbol: String,
    /// As `.config` has it; none if the symbol is to be off.
    value: Option<String>,
}

impl Fragment {
    /// Reads files, one behind the other.
    ///
    /// # Errors
    /// If a line is none of a configuration, or asks again for what is asked for already: with file and line.
    pub fn read(files: &[PathBuf]) -> Result<Self> {
        let mut settings: Vec<Setting> = vec![];
        let mut seen = BTreeSet::new();
        for file in files {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            for (index, line) in text.lines().enumerate() {
                let at = || format!("{}:{}", file.display(), index + 1);
                let parsed = parse(line).map_err(|error| anyhow!("{}: {error}", at()))?;
                let Some((symbol, value)) = parsed else { continue };
                if !seen.insert(symbol.to_owned()) {
                    bail!("{}: {symbol} is set twice", at());
                }
                let (symbol, value) = (symbol.to_owned(), value.map(str::to_owned));
                settings.push(Setting { file: file.clone(), line: index + 1, symbol, value });
            }
        }
        Ok(Self { settings })
    }

    /// The text that `make allnoconfig` begins with.
    pub fn text(&self) -> String {
        self.settings.iter().map(|setting| format!("{setting}\n")).collect()
    }

    /// The first symbol that a configuration, as `make` has completed it, does not have as it is asked for.
    pub fn not_taken(&self, config: &str) -> Option<&Setting> {
        let on: BTreeSet<&str> = config.lines().filter(|line| line.starts_with("CONFIG_")).collect();
        let names: BTreeSet<&str> = on.iter().filter_map(|line| line.split('=').next()).collect();
        self.settings.iter().find(|setting| match &setting.value {
            Some(_) => !on.contains(setting.to_string().as_str()),
            None => names.contains(setting.symbol.as_str()),
        })
    }
}

impl Setting {
    /// What is wrong with it, with its place.
    pub fn error(&self, what: impl Display) -> Error {
        anyhow!("{}:{}: {what}", self.file.display(), self.line)
    }

    /// Its name as Kconfig files have it.
    pub fn name(&self) -> &str {
        &self.symbol["CONFIG_".len()..]
    }

    /// Where Kconfig files of a kernel's source define it, with lines.
    pub fn definitions(&self, source: &Path) -> Result<Vec<String>> {
        let mut found = vec![];
        let mut folders = vec![source.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().to_string_lossy().starts_with("Kconfig") {
                    let path = entry.path();
                    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                    let place = path.strip_prefix(source)?.display();
                    found.extend(
                        lines_of(&String::from_utf8_lossy(&text), self.name()).map(|line| format!("{place}:{line}")),
                    );
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value}", self.symbol),
            None => write!(f, "# {} is not set", self.symbol),
        }
    }
}

/// A line's symbol, and its value if it is to have one. None for a comment or nothing.
fn parse(line: &str) -> Result<Option<(&str, Option<&str>)>> {
    let line = line.trim();
    if let Some(symbol) = line.strip_prefix("# ").and_then(|rest| rest.strip_suffix(" is not set")) {
        return if is_symbol(symbol) { Ok(Some((symbol, None))) } else { bail!("{symbol} is no symbol of a kernel") };
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let Some((symbol, value)) = line.split_once('=').filter(|(symbol, _)| is_symbol(symbol)) else {
        bail!("a line is CONFIG_SYMBOL=VALUE, or a comment behind #");
    };
    match value {
        "n" => Ok(Some((symbol, None))),
        "m" => bail!("{symbol}=m: modules are not built, give y or n"),
        _ if is_value(value) => Ok(Some((symbol, Some(value)))),
        _ => bail!("{symbol}={value}: a value is y, n, a number, or a text in quotes"),
    }
}

fn is_symbol(text: &str) -> bool {
    let name = text.strip_prefix("CONFIG_").unwrap_or_default();
    !name.is_empty() && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

fn is_value(text: &str) -> bool {
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let hexadecimal = || text.strip_prefix("0x").is_some_and(|digits| u64::from_str_radix(digits, 16).is_ok());
    text == "y" || text.parse::<i64>().is_ok() || hexadecimal() || quoted.is_some_and(|inner| !inner.contains('"'))
}

/// The lines, from 1 on, at which a Kconfig file defines a symbol.
fn lines_of<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> {
    let defines = move |line: &str| {
        let mut words = line.split_whitespace();
        matches!(words.next(), Some("config" | "menuconfig")) && words.next() == Some(name)
    };
    text.lines().enumerate().filter(move |(_, line)| defines(line)).map(|(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAGMENT: &str = "# a comment\nCONFIG_PCI=y\n\nCONFIG_NR_CPUS=64\n# CONFIG_SMP is not set\nCONFIG_WIFI=n\nCONFIG_CHARSET=\"ascii\"\n";

    fn read(text: &str) -> Result<Fragment> {
        let file = tempfile::NamedTempFile::new()?;
        fs::write(file.path(), text)?;
        Fragment::read(&[file.path().to_owned()])
    }

    #[test]
    fn a_fragment_is_what_the_kernel_begins_with() {
        let expected = "CONFIG_PCI=y\nCONFIG_NR_CPUS=64\n# CONFIG_SMP is not set\n# CONFIG_WIFI is not set\nCONFIG_CHARSET=\"ascii\"\n";
        assert_eq!(read(FRAGMENT).unwrap().text(), expected);
    }

    #[test]
    fn a_symbol_that_did_not_take_is_found() {
        let fragment = read(FRAGMENT).unwrap();
        let config =
            "CONFIG_PCI=y\nCONFIG_NR_CPUS=64\n# CONFIG_SMP is not set\nCONFIG_CHARSET=\"ascii\"\nCONFIG_MORE=y\n";
        assert_eq!(fragment.not_taken(config), None);
        for (from, to, symbol) in [
            ("CONFIG_PCI=y", "# CONFIG_PCI is not set", "CONFIG_PCI"),
            ("CONFIG_PCI=y\n", "CONFIG_PCI_MSI=y\n", "CONFIG_PCI"),
            ("CPUS=64", "CPUS=640", "CONFIG_NR_CPUS"),
            ("# CONFIG_SMP is not set", "CONFIG_SMP=y", "CONFIG_SMP"),
            ("CONFIG_MORE=y", "CONFIG_WIFI=m", "CONFIG_WIFI"),
            ("\"ascii\"", "\"utf8\"", "CONFIG_CHARSET"),
        ] {
            let changed = config.replace(from, to);
            assert_ne!(changed, config);
            assert_eq!(fragment.not_taken(&changed).map(|setting| setting.symbol.as_str()), Some(symbol));
        }
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_line() {
        for (line, expected) in [
            ("PCI=y", "a line is CONFIG_SYMBOL=VALUE"),
            ("CONFIG_PCI", "a line is CONFIG_SYMBOL=VALUE"),
            ("CONFIG_PCI=m", "CONFIG_PCI=m: modules are not built"),
            ("CONFIG_PCI=yes", "CONFIG_PCI=yes: a value is y, n, a number"),
            ("CONFIG_PCI=\"a\"b\"", "CONFIG_PCI=\"a\"b\": a value is"),
            ("# CONFIG_P-I is not set", "CONFIG_P-I is no symbol"),
            ("CONFIG_A=n", "CONFIG_A is set twice"),
        ] {
            let error = read(&format!("CONFIG_A=y\n{line}\n")).err().expect("it is taken").to_string();
            assert!(error.contains(&format!(":2: {expected}")), "{line}: {error}");
        }
    }

    #[test]
    fn a_definition_is_found_by_its_whole_name() {
        let text = "config PCI_MSI\n\tbool\n\tdepends on PCI\nmenuconfig PCI\n\tbool \"PCI\"\n";
        assert_eq!(lines_of(text, "PCI").collect::<Vec<_>>(), [4]);
        assert_eq!(lines_of(text, "depends").count(), 0);
    }
}
