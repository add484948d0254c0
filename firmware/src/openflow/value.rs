// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reads the values of fields: numbers in C's bases, addresses, masks, TCP flags, fragment kinds, ports.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::error::Fault;
use super::field::{Field, Format};
use super::key::{NW_FRAG_ANY, NW_FRAG_LATER};
use super::lex::Span;
use super::port::*;

/// A field's value and mask.
pub(super) type Masked = (u128, u128);

/// TCP flags in the order of their bits (RFC 9293, RFC 3168, RFC 3540).
pub(super) const TCP_FLAG_NAMES: [&str; 9] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns"];

/// A number as C's `strtoull` with base 0 reads it: `0x…` hexadecimal, `0…` octal, else decimal.
pub(super) fn number(s: Span) -> Result<u128, Fault> {
    let bad = || Fault::new(s.at, format!("`{}` is not a number", s.text));
    let (digits, base) = match s.text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&s.text[2..], 16),
        [b'0', _, ..] => (&s.text[1..], 8),
        _ => (s.text, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(base)) {
        return Err(bad());
    }
    u128::from_str_radix(digits, base).map_err(|_| Fault::new(s.at, format!("`{}` is too large", s.text)))
}

/// A number from 0 to `max`.
pub(super) fn number_up_to(s: Span, max: u128, what: &str) -> Result<u128, Fault> {
    let n = number(s)?;
    if n > max {
        return Err(Fault::new(s.at, format!("{what} {} is out of range", s.text)).hint(format!("0 to {max}")));
    }
    Ok(n)
}

/// `aa:bb:cc:dd:ee:ff`.
fn mac(s: Span) -> Result<u128, Fault> {
    let octets: Vec<&str> = s.text.split(':').collect();
    let value = |o: &&str| (1..=2).contains(&o.len()).then(|| u8::from_str_radix(o, 16).ok()).flatten();
    let bytes: Option<Vec<u8>> = octets.iter().map(value).collect();
    match bytes {
        Some(b) if b.len() == 6 => Ok(b.iter().fold(0, |n, &x| n << 8 | u128::from(x))),
        _ => Err(Fault::new(s.at, format!("`{}` is not an Ethernet address", s.text)).hint("aa:bb:cc:dd:ee:ff")),
    }
}

fn ipv4(s: Span) -> Result<u128, Fault> {
    s.text
        .parse::<Ipv4Addr>()
        .map(|a| u128::from(u32::from(a)))
        .map_err(|_| Fault::new(s.at, format!("`{}` is not an IPv4 address", s.text)).hint("a.b.c.d"))
}

fn ipv6(s: Span) -> Result<u128, Fault> {
    s.text
        .parse::<Ipv6Addr>()
        .map(u128::from)
        .map_err(|_| Fault::new(s.at, format!("`{}` is not an IPv6 address", s.text)))
}

/// The mask of an IP address: a prefix length, or a mask in the address's own form.
fn ip_mask(s: Span, bits: u32, address: impl Fn(Span) -> Result<u128, Fault>) -> Result<u128, Fault> {
    if !s.text.is_empty() && s.text.chars().all(|c| c.is_ascii_digit()) {
        let n = number_up_to(s, u128::from(bits), "prefix length")? as u32;
        let ones = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
        return Ok(if n == 0 { 0 } else { ones << (bits - n) & ones });
    }
    address(s)
}

/// The port with this name, number or reserved name (with or without quotes, upper and lower case count as the same).
/// Numbers are decimal, also with a leading 0 (`ofputil_port_from_string`), and not checked against the switch's ports.
pub(super) fn port(s: Span, ports: &Ports) -> Result<u16, Fault> {
    let name = s.text.trim_matches('"');
    let reserved = match name.to_ascii_lowercase().as_str() {
        "in_port" => Some(OFPP_IN_PORT),
        "table" => Some(OFPP_TABLE),
        "normal" => Some(OFPP_NORMAL),
        "flood" => Some(OFPP_FLOOD),
        "all" => Some(OFPP_ALL),
        "controller" => Some(OFPP_CONTROLLER),
        "local" => Some(OFPP_LOCAL),
        "any" | "none" => Some(OFPP_NONE),
        "unset" => Some(OFPP_UNSET),
        _ => None,
    };
    if let Some(n) = reserved.or_else(|| ports.number(name)) {
        return Ok(n);
    }
    // What is in quotes is a name.
    match s.text.parse::<u32>().ok().filter(|_| s.text.starts_with(|c: char| c.is_ascii_digit())) {
        // OpenFlow 1.1+ writes reserved ports with 32 bits.
        Some(n @ (0..=0xffff | 0xffff_ff00..)) => Ok(n as u16),
        _ => Err(unknown_port(s, ports)),
    }
}

/// Where a packet may be said to come from: a port of the switch, or a reserved one, from which only what was set or resubmitted so comes.
fn place(s: Span, ports: &Ports) -> Result<u16, Fault> {
    match port(s, ports)? {
        n if n >= OFPP_UNSET || ports.contains(n) => Ok(n),
        _ => Err(unknown_port(s, ports)),
    }
}

/// A port of the switch, by name or number; or `LOCAL`, the host's own, on which nothing comes in and nothing goes out here.
pub(super) fn real_port(s: Span, ports: &Ports) -> Result<u16, Fault> {
    match port(s, ports)? {
        n if n == OFPP_LOCAL || ports.contains(n) => Ok(n),
        _ => Err(unknown_port(s, ports)),
    }
}

/// The error for a port that the switch does not have.
pub(super) fn unknown_port(s: Span, ports: &Ports) -> Fault {
    let name = |n| ports.name(n).unwrap_or_default();
    Fault::new(s.at, format!("unknown port {}", s.text)).hint(format!(
        "ports are {} to {}, numbers 1 to {}",
        name(1),
        name(ports.count()),
        ports.count()
    ))
}

fn frag(s: Span) -> Result<Masked, Fault> {
    let both = NW_FRAG_ANY | NW_FRAG_LATER;
    let (value, mask) = match s.text.to_ascii_lowercase().as_str() {
        "no" => (0, both),
        "yes" => (NW_FRAG_ANY, NW_FRAG_ANY),
        "first" => (NW_FRAG_ANY, both),
        "later" => (both, both),
        "not_later" => (0, NW_FRAG_LATER),
        _ => {
            return Err(Fault::new(s.at, format!("unknown fragment type `{}`", s.text))
                .hint("no, yes, first, later or not_later"));
        }
    };
    Ok((u128::from(value), u128::from(mask)))
}

fn tcp_flag(s: Span) -> Result<u128, Fault> {
    if let Some(bit) = TCP_FLAG_NAMES.iter().position(|n| n.eq_ignore_ascii_case(s.text)) {
        return Ok(1 << bit);
    }
    let bit = s.text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).and_then(|t| u16::from_str_radix(t, 16).ok());
    match bit {
        Some(b) if b.count_ones() == 1 && b < 0x1000 => Ok(u128::from(b)),
        _ => Err(Fault::new(s.at, format!("unknown TCP flag `{}`", s.text)).hint(TCP_FLAG_NAMES.join(", "))),
    }
}

/// `+syn-ack` (these bits alone), `syn|ack` (all bits), or a number with or without a mask.
fn tcp_flags(s: Span) -> Result<Masked, Fault> {
    if s.text.starts_with(|c: char| c.is_ascii_digit()) {
        return plain(s, 0xfff, number);
    }
    if s.text.starts_with(['+', '-']) {
        return signed_tcp_flags(s);
    }
    let mut value = 0;
    let mut at = 0;
    for part in s.text.split('|') {
        value |= tcp_flag(s.slice(at, at + part.len()))?;
        at += part.len() + 1;
    }
    Ok((value, 0xfff))
}

fn signed_tcp_flags(s: Span) -> Result<Masked, Fault> {
    let (mut value, mut mask, mut at) = (0, 0, 0);
    while at < s.text.len() {
        let end = s.text[at + 1..].find(['+', '-']).map_or(s.text.len(), |i| at + 1 + i);
        let part = s.slice(at + 1, end);
        let flag = tcp_flag(part)?;
        if mask & flag != 0 {
            return Err(Fault::new(part.at, format!("TCP flag `{}` is given twice", part.text)));
        }
        mask |= flag;
        if s.text[at..].starts_with('+') {
            value |= flag;
        }
        at = end;
    }
    Ok((value, mask))
}

/// `value` or `value/mask`, each read by `one`.
fn plain(s: Span, ones: u128, one: impl Fn(Span) -> Result<u128, Fault>) -> Result<Masked, Fault> {
    match s.split_once("/") {
        Some((value, mask)) => Ok((one(value)?, one(mask)?)),
        None => Ok((one(s)?, ones)),
    }
}

fn ip(s: Span, bits: u32, one: impl Fn(Span) -> Result<u128, Fault>) -> Result<Masked, Fault> {
    let ones = if bits == 128 { u128::MAX } else { (1 << bits) - 1 };
    match s.split_once("/") {
        Some((value, mask)) => Ok((one(value)?, ip_mask(mask, bits, &one)?)),
        None => Ok((one(s)?, ones)),
    }
}

/// The bytes of a note: pairs of hexadecimal digits, with dots or white space between them where one likes.
pub(super) fn note(s: Span) -> Result<(), Fault> {
    let mut rest = s.text.char_indices().filter(|(_, c)| !matches!(c, '.' | ' ' | '\t')).peekable();
    while let Some((at, high)) = rest.next() {
        let low = rest.next_if(|(next, low)| *next == at + 1 && low.is_ascii_hexdigit());
        if !high.is_ascii_hexdigit() || low.is_none() {
            return Err(Fault::new(s.at + at, "a note is of bytes, two hexadecimal digits each").hint("note:01.02.ff"));
        }
    }
    Ok(())
}

/// Reads `value` or `value/mask` of a match or an action and checks it against what the field can hold. Value bits outside the mask
/// become 0, as when ovs-ofctl speaks OpenFlow 1.3. (Over 1.5 the switch refuses them in an action.)
pub(super) fn field_value(field: Field, s: Span, ports: &Ports) -> Result<Masked, Fault> {
    checked_value(field, s, ports).map(|(value, mask)| (value & mask, mask))
}

/// Reads the mask of a field by itself, written as its values are.
pub(super) fn mask(field: Field, s: Span, ports: &Ports) -> Result<u128, Fault> {
    let mask = number(s).or_else(|_| checked_value(field, s, ports).map(|(value, _)| value))?;
    if mask == 0 || mask & !field.info().valid != 0 {
        let fault = Fault::new(s.at, format!("{} is no mask of {}", s.text, field.info().name));
        return Err(fault.hint(format!("1 to {:#x}", field.info().valid)));
    }
    Ok(mask)
}

fn checked_value(field: Field, s: Span, ports: &Ports) -> Result<Masked, Fault> {
    let info = field.info();
    let (value, mask) = match info.format {
        Format::Decimal | Format::Hexadecimal => plain(s, info.valid, number)?,
        Format::Ethernet => plain(s, info.valid, mac)?,
        Format::Ipv4 => ip(s, 32, ipv4)?,
        Format::Ipv6 => ip(s, 128, ipv6)?,
        Format::Port => (u128::from(place(s, ports)?), info.valid),
        Format::Frag => frag(s)?,
        Format::TcpFlags => tcp_flags(s)?,
    };
    let mask_at = s.text.find('/').map_or(s.at, |i| s.at + i + 1);
    if value & !info.valid != 0 {
        return Err(out_of_range(field, s, value));
    }
    if mask & !info.valid != 0 {
        return Err(Fault::new(mask_at, format!("mask of {} has bits that the field does not", info.name))
            .hint(format!("at most {:#x}", info.valid)));
    }
    if !info.maskable && mask != info.valid {
        return Err(Fault::new(mask_at, format!("{} cannot be matched with a mask", info.name)));
    }
    Ok((value, mask))
}

fn out_of_range(field: Field, s: Span, value: u128) -> Fault {
    let info = field.info();
    let fault = Fault::new(s.at, format!("value {value:#x} is out of range for {}", info.name));
    match field {
        Field::NwTos => {
            fault.hint("nw_tos is the DSCP in the upper 6 of 8 bits: a multiple of 4; ip_dscp takes 0 to 63")
        }
        _ => fault.hint(format!("0 to {:#x}", info.valid)),
    }
}
