// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checksums: incremental updates of the Internet checksum, and SCTP's CRC32c.

/// One change to what an Internet checksum covers, in one's complement: the sum of `~m + m'` over the 16-bit words that change (RFC 1624,
/// equation 3). The result is 0 only if nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delta(u32);

impl Delta {
    /// Adds the change of one word.
    #[inline]
    pub fn word(self, old: u16, new: u16) -> Delta {
        if old == new { self } else { Delta(fold(self.0 + u32::from(!old) + u32::from(new))) }
    }

    /// Adds the change of bytes of even length.
    pub fn bytes(self, old: &[u8], new: &[u8]) -> Delta {
        let word = |b: &[u8]| u16::from_be_bytes([b[0], b[1]]);
        old.chunks_exact(2).zip(new.chunks_exact(2)).fold(self, |d, (o, n)| d.word(word(o), word(n)))
    }

    /// Whether no word changed.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The checksum after the change.
    #[inline]
    pub fn apply(self, checksum: u16) -> u16 {
        if self.is_none() { checksum } else { !(fold(u32::from(!checksum) + self.0) as u16) }
    }
}

/// Adds the carries back in.
#[inline]
fn fold(sum: u32) -> u32 {
    let sum = (sum & 0xffff) + (sum >> 16);
    (sum & 0xffff) + (sum >> 16)
}

/// CRC32c (Castagnoli) as SCTP uses it (RFC 9260 appendix A).
pub fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut i = 0;
        while i < 256 {
            let mut c = i as u32;
            let mut bit = 0;
            while bit < 8 {
                c = if c & 1 == 1 { c >> 1 ^ POLYNOMIAL } else { c >> 1 };
                bit += 1;
            }
            table[i] = c;
            i += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |c, &b| TABLE[usize::from(c as u8 ^ b)] ^ c >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1624() {
        // §4: HC = 0xdd2f, m = 0x5555, m' = 0x3285 gives 0x0000, not 0xffff.
        assert_eq!(Delta::default().word(0x5555, 0x3285).apply(0xdd2f), 0x0000);
    }

    #[test]
    fn an_unchanged_word_changes_nothing_whatever_the_checksum() {
        for checksum in [0, 1, 0xfffe, 0xffff] {
            assert_eq!(Delta::default().word(0x1234, 0x1234).apply(checksum), checksum);
        }
    }

    #[test]
    fn changes_that_cancel_out_do_as_two_updates_would() {
        let both = Delta::default().word(1, 2).word(2, 1);
        let one_by_one = Delta::default().word(2, 1).apply(Delta::default().word(1, 2).apply(0xffff));
        assert_eq!(both.apply(0xffff), one_by_one);
    }

    #[test]
    fn crc32c_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
