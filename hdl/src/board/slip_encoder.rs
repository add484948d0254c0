// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages as bytes for a line.

use super::types::StreamByte;
use crate::base::{DffR, Snk, Src, Tag};
use rust_hdl_core::prelude::*;

/// Where a message is.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum SlipState {
    Begin,
    Bytes,
    Escaped,
    End,
}

/// Puts SLIP framing (RFC 1055) on: END before and behind each message, ESC before what stands for the two bytes. No clock of latency.
#[derive(LogicBlock)]
pub struct SlipEncoder {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<StreamByte>,
    pub out: Src<Bits<8>>,
    state: DffR<SlipState>,
    /// To come after the byte at `inp` is done.
    after: Signal<Local, SlipState>,
    moved: Signal<Local, SlipState>,
    special: Signal<Local, Bit>,
}

impl Default for SlipEncoder {
    fn default() -> Self {
        Self {
            tag: Default::default(),
            clock: Default::default(),
            reset: Default::default(),
            inp: Default::default(),
            out: Default::default(),
            state: DffR::new(SlipState::Begin),
            after: Default::default(),
            moved: Default::default(),
            special: Default::default(),
        }
    }
}

impl Logic for SlipEncoder {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, state);
        self.state.reset.next = self.reset.val();
        self.special.next = (self.inp.data.val().data == 0xc0) | (self.inp.data.val().data == 0xdb);
        self.after.next = SlipState::Bytes;
        if self.inp.data.val().last {
            self.after.next = SlipState::End;
        }
        self.moved.next = self.state.q.val();
        self.out.valid.next = self.inp.valid.val();
        self.out.data.next = 0xc0.into();
        self.inp.ready.next = false;
        match self.state.q.val() {
            SlipState::Begin => {
                self.moved.next = SlipState::Bytes;
            }
            SlipState::Bytes => {
                if self.special.val() {
                    self.out.data.next = 0xdb.into();
                    self.moved.next = SlipState::Escaped;
                } else {
                    self.out.data.next = self.inp.data.val().data;
                    self.inp.ready.next = self.out.ready.val();
                    self.moved.next = self.after.val();
                }
            }
            SlipState::Escaped => {
                self.out.data.next = 0xdd.into();
                if self.inp.data.val().data == 0xc0 {
                    self.out.data.next = 0xdc.into();
                }
                self.inp.ready.next = self.out.ready.val();
                self.moved.next = self.after.val();
            }
            SlipState::End => {
                self.out.valid.next = true;
                self.moved.next = SlipState::Begin;
            }
        }
        self.state.d.next = self.state.q.val();
        if self.out.ready.val() & ((self.state.q.val() == SlipState::End) | self.inp.valid.val()) {
            self.state.d.next = self.moved.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::unslip;
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn messages_go_out_in_framing_under_any_back_pressure() {
        for (fill, drain) in [(1.0, 1.0), (0.6, 0.4)] {
            let mut rng = ChaCha8Rng::seed_from_u64(11);
            let mut encoder = SlipEncoder::default();
            encoder.connect_all();
            encoder.reset.next = true;
            tick(&mut encoder, |e| &mut e.clock);
            encoder.reset.next = false;
            let byte = |rng: &mut ChaCha8Rng| {
                if rng.random_bool(0.5) { rng.random() } else { [0xc0u8, 0xdb][rng.random_range(0..2)] }
            };
            let messages: Vec<Vec<u8>> =
                (0..60).map(|_| (0..rng.random_range(1..20)).map(|_| byte(&mut rng)).collect()).collect();
            let mut stream: Vec<StreamByte> = messages
                .iter()
                .flat_map(|m| {
                    m.iter().enumerate().map(|(i, b)| StreamByte { data: u64::from(*b).into(), last: i + 1 == m.len() })
                })
                .collect();
            stream.reverse();
            let (mut line, mut held, mut rest) = (vec![], false, 20);
            while rest > 0 {
                held = !stream.is_empty() && (held || rng.random_bool(fill));
                encoder.inp.valid.next = held;
                encoder.inp.data.next = stream.last().copied().unwrap_or_default();
                encoder.out.ready.next = rng.random_bool(drain);
                settle(&mut encoder);
                if encoder.out.valid.val() && encoder.out.ready.val() {
                    line.push(encoder.out.data.val().to_u64() as u8);
                }
                if held && encoder.inp.ready.val() {
                    stream.pop();
                    held = false;
                }
                rest -= i32::from(stream.is_empty());
                tick(&mut encoder, |e| &mut e.clock);
            }
            assert_eq!(unslip(&line), messages);
            assert_eq!(line[0], 0xc0, "an END before the first message");
        }
    }

    #[test]
    fn lints() {
        assert_lints(SlipEncoder::default());
    }
}
