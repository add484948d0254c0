// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages as bytes for a line.

use crate::base::{Reg, Snk, Src};
use crate::board::types::StreamByte;
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
#[millrace_hdl::block]
pub struct SlipEncoder {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<StreamByte>,
    pub out: Src<Bits<8>>,
    state: Reg<SlipState>,
}

#[millrace_hdl::block]
impl SlipEncoder {
    fn update(&mut self) {
        let octet = self.inp.data.data;
        let special = (octet == 0xc0) | (octet == 0xdb);
        let after = if self.inp.data.last { SlipState::End } else { SlipState::Bytes };
        self.out.valid = self.inp.valid | (self.state == SlipState::End);
        self.out.data = match self.state {
            SlipState::Begin | SlipState::End => 0xc0,
            SlipState::Bytes => {
                if special {
                    0xdb
                } else {
                    octet
                }
            }
            SlipState::Escaped => {
                if octet == 0xc0 {
                    0xdc
                } else {
                    0xdd
                }
            }
        };
        let takes = match self.state {
            SlipState::Begin | SlipState::End => false,
            SlipState::Bytes => !special,
            SlipState::Escaped => true,
        };
        self.inp.ready = takes & self.out.ready;
        let next = match self.state {
            SlipState::Begin => SlipState::Bytes,
            SlipState::Bytes => {
                if special {
                    SlipState::Escaped
                } else {
                    after
                }
            }
            SlipState::Escaped => after,
            SlipState::End => SlipState::Begin,
        };
        if self.out.ready & self.out.valid {
            self.state = next;
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
