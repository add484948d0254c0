// SPDX-License-Identifier: MIT OR Apache-2.0
//! The check sequence of messages that go out.

use super::crc32::Crc32;
use super::types::StreamByte;
use crate::base::{Reg, Snk, Src, Tag};
use rust_hdl_core::prelude::*;

/// Puts its check sequence (IEEE 802.3 §3.2.9) behind each message. No clock of latency, a byte per clock, of which four are for the check
/// sequence.
#[derive(LogicBlock, Default)]
pub struct FcsAppend {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<StreamByte>,
    pub out: Src<StreamByte>,
    /// 0: the message; 1 to 4: this byte of the check sequence.
    place: Reg<Bits<3>>,
    crc: Reg<Bits<32>>,
    step: Crc32,

    body: Signal<Local, Bit>,
    fire: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    low: Signal<Local, Bits<8>>,
    sent: Signal<Local, StreamByte>,
}

impl FcsAppend {
    /// The block. (`Default` does not know the CRC.)
    pub fn new() -> Self {
        Self { crc: Reg::new(u32::MAX.to_bits()), ..Default::default() }
    }
}

impl Logic for FcsAppend {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, place, crc);
        self.body.next = !self.place.q.val().any();
        self.ends.next = self.place.q.val() == 4;
        self.low.next = bit_cast::<8, 32>(self.crc.q.val());
        self.sent.next.data = !self.low.val();
        self.sent.next.last = self.ends.val();
        if self.body.val() {
            self.sent.next.data = self.inp.data.val().data;
        }
        self.out.data.next = self.sent.val();
        self.out.valid.next = !self.body.val() | self.inp.valid.val();
        self.inp.ready.next = self.body.val() & self.out.ready.val();
        self.fire.next = self.out.ready.val() & (!self.body.val() | self.inp.valid.val());

        self.place.reset.next = self.reset.val() | (self.fire.val() & self.ends.val());
        self.place.en.next = self.fire.val() & (!self.body.val() | self.inp.data.val().last);
        self.place.d.next = self.place.q.val() + 1;
        self.step.crc.next = self.crc.q.val();
        self.step.octet.next = self.inp.data.val().data;
        self.crc.reset.next = self.reset.val() | (self.fire.val() & self.ends.val());
        self.crc.en.next = self.fire.val();
        self.crc.d.next = self.crc.q.val() >> 8;
        if self.body.val() {
            self.crc.d.next = self.step.out.val();
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
        let mut block = FcsAppend::new();
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
        assert_lints(FcsAppend::new());
    }
}
