// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an image is made of (CycloneDX 1.6, JSON).

use crate::debian::Package;
use crate::firmware;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use xtask::run;

/// The bill of materials of an image: packages of Debian, and the crates of the firmware.
pub fn bill(name: &str, architecture: &str, packages: &[Package], crates: &[Crate]) -> Value {
    let debian = packages.iter().map(|package| {
        let Package { name, version, architecture } = package;
        let purl = format!("pkg:deb/debian/{}@{}?arch={architecture}", escaped(name), escaped(version));
        json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    });
    let rust = crates.iter().map(|found| {
        let Crate { name, version, license } = found;
        let purl = format!("pkg:cargo/{name}@{}", escaped(version));
        let mut component = json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl});
        if !license.is_empty() {
            component["licenses"] = json!([{"expression": license}]);
        }
        component
    });
    let components: Vec<Value> = debian.chain(rust).collect();
    let image = json!({"type": "operating-system", "bom-ref": "dpu-os", "name": format!("dpu-os-{name}-{architecture}"), "version": env!("CARGO_PKG_VERSION")});
    json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"component": image}, "components": components})
}

/// A crate that the firmware is built of.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    name: String,
    version: String,
    /// An SPDX expression.
    license: String,
}

/// Those of the firmware for a target.
pub fn crates(package: &str, target: &str) -> Result<Vec<Crate>> {
    let mut tree = run::cargo();
    tree.args(["tree", "--quiet", "--package", package, "--no-default-features", "--features", firmware::FEATURES]);
    tree.args(["--target", target, "--edges", "normal", "--prefix", "none", "--format", "{p}|{l}"]);
    let output = tree.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`{}`: {}", run::shown(&tree), String::from_utf8_lossy(&output.stderr));
    }
    read_tree(&String::from_utf8_lossy(&output.stdout))
}

/// From lines `NAME vVERSION (…)|LICENSE`.
fn read_tree(text: &str) -> Result<Vec<Crate>> {
    let mut crates = vec![];
    for line in text.lines() {
        let (package, license) = line.split_once('|').with_context(|| format!("cargo tree says {line:?}"))?;
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next().and_then(|word| word.strip_prefix('v'))) else {
            bail!("cargo tree says {line:?}");
        };
        // Where a crate comes again the tree says so behind its licence. Old crates have `/` for OR.
        let license = license.trim_end_matches(" (*)").replace('/', " OR ");
        crates.push(Crate { name: name.into(), version: version.into(), license });
    }
    crates.sort();
    crates.dedup();
    Ok(crates)
}

/// As in a package URL: what is not letter, digit or one of `.-_~` in percent and two digits.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'.' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_names_packages_and_crates_once() {
        let text = "millrace v0.1.0 (/w/driver/cli)|MIT OR Apache-2.0\nlibc v0.2.1|MIT/Apache-2.0\nlibc v0.2.1|MIT/Apache-2.0 (*)\n";
        let crates = read_tree(text).unwrap();
        assert_eq!(crates.len(), 2);
        let package =
            Package { name: "busybox-static".into(), version: "1:1.37.0-6+b9".into(), architecture: "arm64".into() };
        let bill = bill("minimal", "aarch64", &[package], &crates);
        let purls: Vec<&str> =
            bill["components"].as_array().unwrap().iter().map(|c| c["purl"].as_str().unwrap()).collect();
        assert_eq!(
            purls,
            [
                "pkg:deb/debian/busybox-static@1%3A1.37.0-6%2Bb9?arch=arm64",
                "pkg:cargo/libc@0.2.1",
                "pkg:cargo/millrace@0.1.0"
            ]
        );
        assert_eq!(bill["components"][1]["licenses"][0]["expression"], "MIT OR Apache-2.0");
    }
}
