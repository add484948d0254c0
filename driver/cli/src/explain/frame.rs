// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame that is asked about.

use crate::args::ExplainArgs;
use crate::error::BadInput;
#[cfg(feature = "simulation")]
use crate::error::BadInputExt;
#[cfg(feature = "simulation")]
use millrace_sim::capture::{Reader, Unfit};
#[cfg(feature = "simulation")]
use std::path::Path;

/// Longest frame that can be asked about, in bytes: several times what any build takes.
pub const LONGEST: usize = 65_535;

/// The frame of the command line.
pub fn given(args: &ExplainArgs) -> Result<Vec<u8>, BadInput> {
    #[cfg(feature = "simulation")]
    if let (Some(path), Some(number)) = (&args.capture, args.frame) {
        return of_capture(path, number);
    }
    from_hex(args.hex.as_deref().unwrap_or_default()).map_err(|problem| BadInput(format!("--hex: {problem}")))
}

/// The bytes of hexadecimal digits.
///
/// # Errors
/// What is wrong, with its place, counted from 1.
pub fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = vec![];
    for (place, c) in (1..).zip(text.chars()) {
        match c.to_digit(16) {
            Some(digit) => digits.push((place, digit as u8)),
            None if digits.len() % 2 == 1 => {
                return Err(format!("character {place}, `{c}`, where the second digit of a byte was to be"));
            }
            None if c.is_whitespace() || c == ':' => {}
            None => return Err(format!("character {place}, `{c}`, is no hexadecimal digit")),
        }
    }
    if let ([.., (place, _)], 1) = (&digits[..], digits.len() % 2) {
        return Err(format!("{} digits: a byte has two, and that of character {place} has one", digits.len()));
    }
    match digits.len() / 2 {
        0 => Err("a frame has a byte at least".into()),
        bytes if bytes > LONGEST => Err(format!("{bytes} bytes: a frame can have {LONGEST} here")),
        _ => Ok(digits.chunks(2).map(|byte| byte[0].1 << 4 | byte[1].1).collect()),
    }
}

/// Bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A frame of a capture, also one that no device takes.
#[cfg(feature = "simulation")]
fn of_capture(path: &Path, number: u64) -> Result<Vec<u8>, BadInput> {
    let mut reader = Reader::open(path, LONGEST).bad_input()?;
    let mut count = 0;
    while let Some(record) = reader.next_record().bad_input()? {
        count += 1;
        if record.number < number {
            continue;
        }
        if let Some(unfit @ Unfit::Snapped { .. }) = record.unfit {
            return Err(BadInput(reader.refusal(&record, unfit).to_string()));
        }
        if !(1..=LONGEST).contains(&record.length) {
            let (path, length) = (path.display(), record.length);
            return Err(BadInput(format!("{path}: frame {number} has {length} bytes: give one of 1 to {LONGEST}")));
        }
        return reader.frame(record.at, record.length).bad_input();
    }
    Err(BadInput(format!("{}: there is no frame {number}: the capture has {count}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_bytes() {
        assert_eq!(from_hex("02 0A:ff\n10"), Ok(vec![2, 10, 255, 16]));
        assert_eq!(to_hex(&[2, 10, 255]), "020aff");
    }

    #[test]
    fn what_is_no_frame_is_refused_with_its_place() {
        for (text, problem) in [
            ("02 0", "3 digits: a byte has two, and that of character 4 has one"),
            ("02 0x01", "character 5, `x`, where the second digit of a byte was to be"),
            ("0201zz", "character 5, `z`, is no hexadecimal digit"),
            ("0 2", "character 2, ` `, where the second digit of a byte was to be"),
            (" ", "a frame has a byte at least"),
        ] {
            assert_eq!(from_hex(text).unwrap_err(), problem, "{text}");
        }
        assert!(from_hex(&"00".repeat(LONGEST + 1)).unwrap_err().starts_with("65536 bytes"));
    }
}
