// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages out of a line's bytes.

use crate::base::DffR;
use rust_hdl_core::prelude::*;

/// Takes SLIP framing (RFC 1055) off, for a [`BeatPacker`](crate::board::stream::beat_packer::BeatPacker): a byte or the end of a message per clock, in the same
/// clock. A message is in `error` if a byte of it was, or an escape was not of the two there are. Nothing comes out before the first END,
/// nor for an empty message.
#[millrace_hdl::block]
pub struct SlipDecoder {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub line_byte: Signal<In, Bits<8>>,
    /// With a byte.
    pub line_valid: Signal<In, Bit>,
    /// A byte came damaged. (Never together with `line_valid`.)
    pub line_error: Signal<In, Bit>,
    pub octet: Signal<Out, Bits<8>>,
    pub push: Signal<Out, Bit>,
    pub finish: Signal<Out, Bit>,
    pub error: Signal<Out, Bit>,
    /// An END has come.
    framed: DffR<Bit>,
    /// A byte of this message has come.
    inside: DffR<Bit>,
    /// The byte before was ESC.
    escaped: DffR<Bit>,
    /// The message is damaged.
    damaged: DffR<Bit>,
}

#[millrace_hdl::block]
impl SlipDecoder {
    fn update(&mut self) {
        let is_end = self.line_valid & (self.line_byte == 0xc0);
        let is_escape = !self.escaped & (self.line_byte == 0xdb);
        let take = self.line_valid & !is_end & self.framed;
        let escaped_end = self.escaped & (self.line_byte == 0xdc);
        let escaped_escape = self.escaped & (self.line_byte == 0xdd);
        let wrong = self.escaped & !escaped_end & !escaped_escape;
        self.octet = if escaped_end {
            0xc0
        } else if escaped_escape {
            0xdb
        } else {
            self.line_byte
        };
        self.push = take & !is_escape;
        self.finish = is_end & (self.inside | self.damaged | self.escaped);
        self.error = self.damaged | self.escaped;

        comment!("the state of this message");
        self.framed |= is_end;
        self.inside = (self.inside | self.push) & !is_end;
        self.escaped = (take & is_escape) | (self.escaped & !self.line_valid);
        self.damaged = (self.damaged | (self.framed & self.line_error) | (take & wrong)) & !is_end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{random, slip};
    use crate::testing::{assert_lints, settle, tick};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// What comes out for these bytes of a line, of which `None` is a damaged one.
    fn decode(line: &[Option<u8>]) -> Vec<(Vec<u8>, bool)> {
        let mut decoder = SlipDecoder::default();
        decoder.connect_all();
        decoder.reset.next = true;
        tick(&mut decoder, |d| &mut d.clock);
        decoder.reset.next = false;
        let (mut messages, mut message) = (vec![], vec![]);
        for byte in line {
            for valid in [true, false] {
                decoder.line_valid.next = valid && byte.is_some();
                decoder.line_error.next = valid && byte.is_none();
                decoder.line_byte.next = u64::from(byte.unwrap_or(0xc0)).into();
                settle(&mut decoder);
                assert!(!(decoder.push.val() && decoder.finish.val()));
                if decoder.push.val() {
                    message.push(decoder.octet.val().to_u64() as u8);
                }
                if decoder.finish.val() {
                    messages.push((std::mem::take(&mut message), decoder.error.val()));
                }
                tick(&mut decoder, |d| &mut d.clock);
            }
        }
        assert!(message.is_empty(), "bytes without an end");
        messages
    }

    fn line(bytes: &[u8]) -> Vec<Option<u8>> {
        bytes.iter().map(|byte| Some(*byte)).collect()
    }

    #[test]
    fn messages_come_out_of_their_framing() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        // Many of the bytes that need an escape.
        let byte = |rng: &mut ChaCha8Rng| {
            if rng.random_bool(0.5) { rng.random() } else { [0xc0, 0xdb, 0xdc, 0xdd][rng.random_range(0..4)] }
        };
        let messages: Vec<Vec<u8>> =
            (0..100).map(|_| (0..rng.random_range(1..30)).map(|_| byte(&mut rng)).collect()).collect();
        let mut bytes = vec![0xc0];
        for message in &messages {
            bytes.extend(std::iter::repeat_n(0xc0, rng.random_range(0..3)));
            bytes.extend(slip(message));
        }
        let expected: Vec<_> = messages.into_iter().map(|message| (message, false)).collect();
        assert_eq!(decode(&line(&bytes)), expected);
    }

    #[test]
    fn what_is_damaged_is_marked_and_the_next_message_is_sound() {
        let sound = || line(&slip(&[1, 2, 3]));
        let begin = [Some(0xc0)];
        for damaged in [
            [line(&[4, 0xdb, 7, 8]), vec![Some(0xc0)]].concat(),
            [line(&[4, 5]), vec![None, Some(6), Some(0xc0)]].concat(),
            line(&[4, 5, 0xdb, 0xc0]),
        ] {
            let got = decode(&[&begin[..], &damaged, &sound()].concat());
            assert_eq!((got.len(), got[0].1, got[1].clone()), (2, true, (vec![1, 2, 3], false)));
        }
        // A break between two messages is a message of its own: nothing is ignored in silence.
        assert_eq!(decode(&[&begin[..], &[None], &begin, &sound()].concat()), [(vec![], true), (vec![1, 2, 3], false)]);
    }

    #[test]
    fn nothing_comes_out_before_the_first_end() {
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        let noise: Vec<u8> = random(50, &mut rng).into_iter().filter(|byte| *byte != 0xc0).collect();
        let all = [line(&noise), vec![None, Some(0xc0)], line(&slip(&[5]))].concat();
        assert_eq!(decode(&all), [(vec![5], false)]);
    }

    #[test]
    fn lints() {
        assert_lints(SlipDecoder::default());
    }
}
