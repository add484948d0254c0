// SPDX-License-Identifier: MIT OR Apache-2.0
//! The address of a PCI function.

use std::fmt;
use std::str::FromStr;

/// Domain, bus, device and function, as the kernel writes them: `0000:65:00.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PciAddress {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// A text that is no address of a PCI function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address of a PCI function: it looks like 0000:65:00.1")]
pub struct BadAddress(String);

impl FromStr for PciAddress {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        parse(text).ok_or_else(|| BadAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<PciAddress> {
    let (domain, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let number = |digits: &str, lengths: std::ops::RangeInclusive<usize>, limit: u32| {
        let digits_only = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = u32::from_str_radix(digits, 16).ok().filter(|value| *value <= limit);
        value.filter(|_| digits_only && lengths.contains(&digits.len()))
    };
    Some(PciAddress {
        domain: number(domain, 4..=8, u32::MAX)?,
        bus: number(bus, 2..=2, 0xff)? as u8,
        device: number(device, 2..=2, 31)? as u8,
        function: number(function, 1..=1, 7)? as u8,
    })
}

impl fmt::Display for PciAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["0000:65:00.1", "10000:ff:1f.7", "abcd:00:0a.0"] {
            assert_eq!(text.parse::<PciAddress>().unwrap().to_string(), text);
        }
        let upper: PciAddress = "0000:AF:1F.0".parse().unwrap();
        assert_eq!(upper.to_string(), "0000:af:1f.0");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "65:00.1", "0000:65:00", "0000:65:20.0", "0000:65:00.8", "0000:+5:00.0", "../..:65:00.0"] {
            let error = text.parse::<PciAddress>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}` is no address")), "{error}");
        }
    }
}
