// SPDX-License-Identifier: MIT OR Apache-2.0
//! The frame check sequence of Ethernet, a byte at a time.

use crate::base::Param;
use rust_hdl_core::prelude::*;

/// The generator polynomial of IEEE 802.3 §3.2.9, least significant bit first.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// What the register holds after a frame and its right FCS, all of its bits having been ones before the frame.
pub const RESIDUE: u32 = 0xdebb_20e3;

/// One byte through the CRC of IEEE 802.3 §3.2.9: from `crc` to `out`, no clock. The register starts with all ones; the complement of what it
/// holds in the end is the FCS, bits 7:0 sent first. Bits are in the order in which they are sent, the first the least significant.
#[millrace_hdl::block]
pub struct Crc32 {
    pub crc: Signal<In, Bits<32>>,
    pub octet: Signal<In, Bits<8>>,
    pub out: Signal<Out, Bits<32>>,
    /// Of each bit of the CRC: the bits of the first byte that it depends on.
    #[init((0..32).map(taps).collect())]
    taps: Vec<Param<Bits<8>>>,
}

/// The bits of a byte that this bit of the CRC depends on.
fn taps(bit: usize) -> Param<Bits<8>> {
    let tap = |n: usize| u64::from(divide(1 << n) >> bit & 1) << n;
    Param::new((0..8).map(tap).sum::<u64>().into())
}

/// The register after eight bits, having held these.
fn divide(bits: u32) -> u32 {
    (0..8).fold(bits, |crc, _| (crc >> 1) ^ (POLYNOMIAL * (crc & 1)))
}

#[millrace_hdl::block]
impl Crc32 {
    fn update(&mut self) {
        let first = self.octet ^ cast::<8>(self.crc);
        let mut feed: Bits<32> = 0;
        for i in 0..32 {
            feed.set_bit(i, (first & self.taps[i]).xor());
        }
        self.out = (self.crc >> 8) ^ feed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{fcs, random};
    use crate::testing::{assert_lints, settle};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_register_gives_the_check_sequence_and_then_the_residue() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut block = Crc32::default();
        block.connect_all();
        for _ in 0..50 {
            let len = rng.random_range(1..100);
            let frame = random(len, &mut rng);
            let mut crc = u64::from(u32::MAX);
            let mut feed = |bytes: &[u8]| {
                for byte in bytes {
                    block.crc.next = crc.into();
                    block.octet.next = u64::from(*byte).into();
                    settle(&mut block);
                    crc = block.out.val().to_u64();
                }
                crc as u32
            };
            assert_eq!((!feed(&frame)).to_le_bytes(), fcs(&frame));
            assert_eq!(feed(&fcs(&frame)), RESIDUE);
        }
    }

    #[test]
    fn lints() {
        assert_lints(Crc32::default());
    }
}
