// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an uplink is connected to, as the command line says it.

use crate::duration::{nanoseconds, number};
use crate::line::Length;

const FORMS: &str = "an uplink is connected to `tap:IFACE`, `pcap:IN,OUT` or `unix:PATH[,delay=TIME][,rate=BITS]`";

/// A place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A TAP device.
    Tap(&'a str),
    /// A capture whose packets come in, and one of what leaves.
    Captures { input: &'a str, output: &'a str },
    /// A socket.
    Wire { path: &'a str, length: Length },
}

impl<'a> Place<'a> {
    /// What `text` says, or what is wrong with it.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("tap", interface)) => Ok(Place::Tap(interface)),
            Some(("pcap", files)) => match files.split_once(',') {
                Some((input, output)) if !input.is_empty() && !output.is_empty() => {
                    Ok(Place::Captures { input, output })
                }
                _ => Err(format!("`{text}` does not name two captures: {FORMS}")),
            },
            Some(("unix", wire)) => wire_of(wire),
            _ => Err(format!("`{text}`: {FORMS}")),
        }
    }
}

fn wire_of(text: &str) -> Result<Place<'_>, String> {
    let mut options = text.split(',');
    let path = options.next().filter(|path| !path.is_empty()).ok_or_else(|| format!("a wire has no path: {FORMS}"))?;
    let mut length = Length::default();
    for option in options {
        match option.split_once('=') {
            Some(("delay", time)) => length.delay_ns = delay(time)?,
            Some(("rate", bits)) => length.rate = Some(rate(bits)?),
            _ => return Err(format!("unknown option `{option}` of a wire: {FORMS}")),
        }
    }
    Ok(Place::Wire { path, length })
}

/// `5us`: nanoseconds, no more than a minute.
fn delay(text: &str) -> Result<u64, String> {
    let found = nanoseconds(text).filter(|ns| *ns <= 60_000_000_000);
    found.ok_or_else(|| format!("delay={text}: give a time up to 60s, in ns, us, ms or s, as 5us"))
}

/// `10G`: bits per second, from 1k to 1T.
fn rate(text: &str) -> Result<u64, String> {
    let found = number(text).and_then(|(count, unit)| {
        let bits: u64 = match unit {
            "" => 1,
            "k" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            _ => return None,
        };
        count.checked_mul(bits).filter(|rate| (1_000..=1_000_000_000_000).contains(rate))
    });
    found.ok_or_else(|| format!("rate={text}: give bits per second, from 1k to 1000G, as 10G"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_parsed_or_refused_with_what_there_is() {
        let wire = |delay_ns, rate| Ok(Place::Wire { path: "w", length: Length { delay_ns, rate } });
        assert_eq!(Place::parse("tap:tap0"), Ok(Place::Tap("tap0")));
        assert_eq!(Place::parse("pcap:a.pcap,b:c"), Ok(Place::Captures { input: "a.pcap", output: "b:c" }));
        assert_eq!(Place::parse("unix:w"), wire(0, None));
        assert_eq!(Place::parse("unix:w,delay=5us,rate=10G"), wire(5_000, Some(10_000_000_000)));
        assert_eq!(Place::parse("unix:w,rate=1_500k,delay=2s"), wire(2_000_000_000, Some(1_500_000)));
        for (text, problem) in [
            ("eth0", "`eth0`: an uplink is connected to"),
            ("pcap:a.pcap", "does not name two captures"),
            ("pcap:,b", "does not name two captures"),
            ("unix:", "a wire has no path"),
            ("unix:w,loss=1", "unknown option `loss=1`"),
            ("unix:w,delay=5", "give a time up to 60s"),
            ("unix:w,delay=us", "give a time"),
            ("unix:w,delay=61s", "give a time"),
            ("unix:w,rate=0", "give bits per second"),
            ("unix:w,rate=99999999999999999999", "give bits per second"),
        ] {
            let message = Place::parse(text).unwrap_err();
            assert!(message.contains(problem), "{text}: {message}");
        }
    }
}
