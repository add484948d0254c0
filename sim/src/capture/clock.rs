// SPDX-License-Identifier: MIT OR Apache-2.0
//! How captures count time.

use super::Fault;

const NS_PER_S: u64 = 1_000_000_000;
/// Latest time that is read, in 2262: what a run adds to it still fits a `u64` of nanoseconds.
const LATEST: u64 = i64::MAX as u64;

/// How an interface of a pcapng file counts time (draft-ietf-opsawg-pcapng §4.2, `if_tsresol` and `if_tsoffset`); a pcap file's
/// packets tell seconds and a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    ticks_per_s: u128,
    offset_s: i64,
}

impl Default for Clock {
    fn default() -> Self {
        Clock { ticks_per_s: 1_000_000, offset_s: 0 }
    }
}

impl Clock {
    /// `if_tsresol`: a negative power of 10, or with its highest bit of 2.
    pub fn set_resolution(&mut self, resolution: u8) {
        let base: u128 = if resolution & 0x80 != 0 { 2 } else { 10 };
        self.ticks_per_s = base.checked_pow(u32::from(resolution & 0x7f)).unwrap_or(u128::MAX);
    }

    /// `if_tsoffset`: seconds to add.
    pub fn set_offset(&mut self, seconds: i64) {
        self.offset_s = seconds;
    }

    /// Nanoseconds since 1970, rounded down.
    pub fn ns(&self, ticks: u64) -> Result<u64, Fault> {
        let ns = u128::from(ticks) * u128::from(NS_PER_S) / self.ticks_per_s;
        let offset = i128::from(self.offset_s) * i128::from(NS_PER_S);
        let sum = i128::try_from(ns).ok().and_then(|ns| ns.checked_add(offset)).ok_or(Fault::Time)?;
        u64::try_from(sum).ok().filter(|ns| *ns <= LATEST).ok_or(Fault::Time)
    }
}

/// Nanoseconds since 1970 of a pcap file's time. A part of a second or more, as some programs write it, counts as it stands.
pub(super) fn pcap_ns(seconds: u32, part: u32, part_ns: u64) -> u64 {
    u64::from(seconds) * NS_PER_S + u64::from(part) * part_ns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(resolution: u8, offset: i64) -> Clock {
        let mut clock = Clock::default();
        clock.set_resolution(resolution);
        clock.set_offset(offset);
        clock
    }

    #[test]
    fn ticks_are_of_a_power_of_ten_or_two() {
        assert_eq!(Clock::default().ns(2_000_001), Ok(2_000_001_000));
        assert_eq!(clock(9, 0).ns(2_000_000_003), Ok(2_000_000_003));
        assert_eq!(clock(0x80 | 10, -1).ns(3 * 1024 + 512), Ok(2_500_000_000));
        assert_eq!(clock(0, 7).ns(1), Ok(8 * NS_PER_S));
        assert_eq!(clock(0x7f, 0).ns(u64::MAX), Ok(0));
    }

    #[test]
    fn times_before_1970_and_after_2262_are_refused() {
        assert_eq!(clock(9, 0).ns(LATEST), Ok(LATEST));
        assert_eq!(clock(9, 0).ns(LATEST + 1), Err(Fault::Time));
        assert_eq!(clock(9, -2).ns(1_999_999_999), Err(Fault::Time));
        for ticks in [0, u64::MAX] {
            assert_eq!(clock(0, i64::MAX).ns(ticks), Err(Fault::Time));
        }
        assert_eq!(clock(0, i64::MIN).ns(u64::MAX), Err(Fault::Time));
    }

    #[test]
    fn parts_of_more_than_a_second_are_carried() {
        assert_eq!(pcap_ns(5, 7, 1_000), 5_000_007_000);
        assert_eq!(pcap_ns(5, 1_000_000, 1_000), 6_000_000_000);
        assert!(pcap_ns(u32::MAX, u32::MAX, 1_000) <= LATEST);
    }
}
