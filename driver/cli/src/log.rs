// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the command says about itself on the standard error.

use crate::error::BadInput;
use std::env::{self, VarError};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// The variable that asks for other lines than warnings.
const VARIABLE: &str = "MILLRACE_LOG";

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// Lines from now on: warnings and errors, or what `MILLRACE_LOG` asks for.
///
/// # Errors
/// If it asks for something that there is not.
pub fn to_stderr() -> Result<(), BadInput> {
    let asked = match env::var(VARIABLE) {
        Ok(text) => filter(&text)?,
        Err(VarError::NotPresent) => filter("")?,
        Err(VarError::NotUnicode(_)) => return Err(BadInput(format!("{VARIABLE} is not UTF-8 text"))),
    };
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    tracing_subscriber::registry().with(asked).with(lines).init();
    Ok(())
}

/// A level for all, levels of modules, or both: `warn`, `millrace_firmware=debug,warn`. Nothing asks for warnings.
fn filter(text: &str) -> Result<Targets, BadInput> {
    let warnings = Targets::new().with_default(LevelFilter::WARN);
    if text.is_empty() {
        return Ok(warnings);
    }
    text.split(',').try_fold(warnings, |all, part| {
        let (module, name) = part.split_once('=').map_or((None, part), |(module, name)| (Some(module), name));
        let level = LEVELS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        match (module, level) {
            (None, Some((_, level))) => Ok(all.with_default(*level)),
            (Some(module), Some((_, level))) if is_path(module) => Ok(all.with_target(module, *level)),
            _ => Err(refused(part)),
        }
    })
}

/// Whether it can be a module's name: `millrace_firmware::slowpath`.
fn is_path(module: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    module.split("::").all(is_word)
}

fn refused(part: &str) -> BadInput {
    let levels = LEVELS.map(|(name, _)| name).join(", ");
    BadInput(format!("{VARIABLE}: `{part}` is neither a level ({levels}) nor MODULE=LEVEL"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::filter::LevelFilter as L;

    #[test]
    fn levels_are_for_all_or_for_a_module() {
        let warnings = || Targets::new().with_default(L::WARN);
        for (text, asked) in [
            ("", warnings()),
            ("DEBUG", Targets::new().with_default(L::DEBUG)),
            ("millrace_sim=off", warnings().with_target("millrace_sim", L::OFF)),
            ("error,a::b_1=trace,c=info", {
                Targets::new().with_default(L::ERROR).with_target("a::b_1", L::TRACE).with_target("c", L::INFO)
            }),
        ] {
            assert_eq!(filter(text).unwrap(), asked, "`{text}`");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_by_its_part() {
        for (text, part) in [
            ("wran", "wran"),
            ("warn,millrace_sim=loud", "millrace_sim=loud"),
            ("millrace_sim", "millrace_sim"),
            ("warn,,info", ""),
            ("warn, info", " info"),
            ("=debug", "=debug"),
            ("a b=debug", "a b=debug"),
            ("a:b=debug", "a:b=debug"),
            ("a=b=debug", "a=b=debug"),
        ] {
            let expected = format!(
                "MILLRACE_LOG: `{part}` is neither a level (off, error, warn, info, debug, trace) nor MODULE=LEVEL"
            );
            assert_eq!(filter(text).unwrap_err().0, expected, "`{text}`");
        }
    }
}
