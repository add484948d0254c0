// SPDX-License-Identifier: MIT OR Apache-2.0
//! The check sequence of messages that go out.

use crate::base::{Reg, Snk, Src};
use crate::board::stream::crc32::Crc32;
use crate::board::types::StreamByte;
use rust_hdl_core::prelude::*;

/// Puts its check sequence (IEEE 802.3 §3.2.9) behind each message. No clock of latency, a byte per clock, of which four are for the check
/// sequence.
#[millrace_hdl::block]
pub struct FcsAppend {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<StreamByte>,
    pub out: Src<StreamByte>,
    /// 0: the message; 1 to 4: this byte of the check sequence.
    place: Reg<Bits<3>>,
    #[init(Reg::new(u32::MAX.to_bits()))]
    crc: Reg<Bits<32>>,
    step: Crc32,
}

#[millrace_hdl::block]
impl FcsAppend {
    fn update(&mut self) {
        let body = !self.place.any();
        let ends = self.place == 4;
        let offers = !body | self.inp.valid;
        let fire = self.out.ready & offers;
        let octet = if body { self.inp.data.data } else { !cast::<8>(self.crc) };
        self.out.data = StreamByte { data: octet, last: ends };
        self.out.valid = offers;
        self.inp.ready = body & self.out.ready;

        let restart = self.reset | (fire & ends);
        self.place.reset = restart;
        if fire & (!body | self.inp.data.last) {
            self.place += 1;
        }
        self.step.crc = self.crc;
        self.step.octet = self.inp.data.data;
        self.crc.reset = restart;
        if fire {
            self.crc = if body { self.step.out } else { self.crc >> 8 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{fcs, random};
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn run(fill: f64, drain: f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(22);
        let mut block = FcsAppend::default();
        block.connect_all();
        block.reset.next = true;
        tick(&mut block, |b| &mut b.clock);
        block.reset.next = false;
        for _ in 0..40 {
            let len = rng.random_range(1..40);
            let message = random(len, &mut rng);
            let (mut taken, mut out, mut valid, mut clocks) = (0, vec![], false, 0);
            while out.len() < len + 4 {
                valid = taken < len && (valid || rng.random_bool(fill));
                block.inp.valid.next = valid;
                block.inp.data.next = StreamByte {
                    data: u64::from(message.get(taken).copied().unwrap_or(0)).into(),
                    last: taken + 1 == len,
                };
                block.out.ready.next = rng.random_bool(drain);
                settle(&mut block);
                if block.out.valid.val() && block.out.ready.val() {
                    out.push(block.out.data.val().data.to_u64() as u8);
                    assert_eq!(block.out.data.val().last, out.len() == len + 4);
                }
                if valid && block.inp.ready.val() {
                    (taken, valid) = (taken + 1, false);
                }
                tick(&mut block, |b| &mut b.clock);
                clocks += 1;
            }
            assert_eq!(out, [&message[..], &fcs(&message)].concat());
            assert!(fill < 1.0 || drain < 1.0 || clocks == len + 4, "a byte per clock");
        }
    }

    #[test]
    fn a_message_goes_out_with_its_check_sequence() {
        run(1.0, 1.0);
        run(0.4, 0.7);
    }

    #[test]
    fn lints() {
        assert_lints(FcsAppend::default());
    }
}
