// SPDX-License-Identifier: MIT OR Apache-2.0
//! Times as the command line has them: `5us`, `10s`, `2m`.

/// A whole number, digits apart by `_` if need be, and what follows it.
pub fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    Some((digits.replace('_', "").parse().ok()?, unit))
}

/// A time in nanoseconds; none if it is none.
pub fn nanoseconds(text: &str) -> Option<u64> {
    let (count, unit) = number(text)?;
    let ns: u64 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    count.checked_mul(ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        for (text, ns) in [
            ("5us", Some(5_000)),
            ("1_500ms", Some(1_500_000_000)),
            ("2m", Some(120_000_000_000)),
            ("1h", Some(3_600_000_000_000)),
            ("0s", Some(0)),
            ("5", None),
            ("s", None),
            ("-1s", None),
            ("1.5s", None),
            ("9999999999h", None),
        ] {
            assert_eq!(nanoseconds(text), ns, "{text}");
        }
    }
}
