// SPDX-License-Identifier: MIT OR Apache-2.0
//! The check sequence of messages that come in.

use crate::base::{DffE, Reg};
use crate::board::stream::crc32::{Crc32, RESIDUE};
use rust_hdl_core::prelude::*;

/// Between a [`SlipDecoder`](super::slip_decoder::SlipDecoder) and a [`BeatPacker`](crate::board::stream::beat_packer::BeatPacker): takes the last four bytes
/// off each message, and marks it with `error` at its end if they are not its check sequence (IEEE 802.3 §3.2.9), as is a message that has
/// not so many. No clock of latency, but four bytes.
#[millrace_hdl::block]
pub struct FcsCheck {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// In a clock a byte, the end of a message, or nothing.
    pub octet_in: Signal<In, Bits<8>>,
    pub push_in: Signal<In, Bit>,
    pub finish_in: Signal<In, Bit>,
    pub error_in: Signal<In, Bit>,
    pub octet: Signal<Out, Bits<8>>,
    pub push: Signal<Out, Bit>,
    pub finish: Signal<Out, Bit>,
    pub error: Signal<Out, Bit>,
    /// The last four bytes, of which the message's end says whether they are its check sequence.
    tail: DffE<Bits<32>>,
    /// How many of them there are.
    tail_bytes: Reg<Bits<3>>,
    #[init(Reg::new(u32::MAX.to_bits()))]
    crc: Reg<Bits<32>>,
    step: Crc32,
}

#[millrace_hdl::block]
impl FcsCheck {
    fn update(&mut self) {
        let restart = self.reset | self.finish_in;
        self.tail_bytes.reset = restart;
        self.crc.reset = restart;
        self.step.crc = self.crc;
        self.step.octet = self.octet_in;
        if self.push_in {
            self.tail = concat::<32>(self.tail.get_bits::<24>(0), self.octet_in);
            self.crc = self.step.out;
        }
        if self.push_in & !self.tail_bytes.get_bit(2) {
            self.tail_bytes += 1;
        }

        comment!("all but the last four bytes");
        self.octet = self.tail.get_bits::<8>(24);
        self.push = self.push_in & self.tail_bytes.get_bit(2);
        self.finish = self.finish_in;
        self.error = self.error_in | (self.crc != RESIDUE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{fcs, random};
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// What comes out for these messages, of which some are in error, with pauses between their bytes.
    fn check(messages: &[(Vec<u8>, bool)], rng: &mut ChaCha8Rng) -> Vec<(Vec<u8>, bool)> {
        let mut block = FcsCheck::default();
        block.connect_all();
        block.reset.next = true;
        tick(&mut block, |b| &mut b.clock);
        block.reset.next = false;
        let (mut got, mut message) = (vec![], vec![]);
        for (bytes, error) in messages {
            for step in 0..=bytes.len() {
                for active in [false, true].into_iter().skip(usize::from(rng.random_bool(0.5))) {
                    block.push_in.next = active && step < bytes.len();
                    block.finish_in.next = active && step == bytes.len();
                    block.error_in.next = *error && active && step == bytes.len();
                    block.octet_in.next = u64::from(bytes.get(step).copied().unwrap_or(0)).into();
                    settle(&mut block);
                    if block.push.val() {
                        message.push(block.octet.val().to_u64() as u8);
                    }
                    if block.finish.val() {
                        got.push((std::mem::take(&mut message), block.error.val()));
                    }
                    tick(&mut block, |b| &mut b.clock);
                }
            }
        }
        got
    }

    #[test]
    fn a_sound_message_loses_its_check_sequence_and_a_damaged_one_is_marked() {
        let mut rng = ChaCha8Rng::seed_from_u64(21);
        let (mut sent, mut expected) = (vec![], vec![]);
        for n in 0..120 {
            let len = rng.random_range(0..40);
            let body = random(len, &mut rng);
            let mut bytes = [&body[..], &fcs(&body)].concat();
            let at = rng.random_range(0..bytes.len());
            match n % 5 {
                1 => bytes[at] ^= 1 << rng.random_range(0..8),
                2 => drop(bytes.remove(at)),
                3 => bytes.truncate(rng.random_range(0..4)),
                _ => (),
            }
            let in_error = n % 5 == 4;
            expected.push((bytes[..bytes.len().max(4) - 4].to_vec(), n % 5 != 0));
            sent.push((bytes, in_error));
        }
        assert_eq!(check(&sent, &mut rng), expected);
    }

    #[test]
    fn lints() {
        assert_lints(FcsCheck::default());
    }
}
