// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages out of a line's bytes.

use crate::base::{DffR, Tag};
use crate::comment;
use rust_hdl_core::prelude::*;

/// Takes SLIP framing (RFC 1055) off, for a [`BeatPacker`](super::beat_packer::BeatPacker): a byte or the end of a message per clock, in the same
/// clock. A message is in `error` if a byte of it was, or an escape was not of the two there are. Nothing comes out before the first END,
/// nor for an empty message.
#[derive(LogicBlock, Default)]
pub struct SlipDecoder {
    tag: Tag<Self>,
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub line_byte: Signal<In, Bits<8>>,
    /// With a byte; a byte came damaged (not both).
    pub line_valid: Signal<In, Bit>,
    pub line_error: Signal<In, Bit>,
    pub octet: Signal<Out, Bits<8>>,
    pub push: Signal<Out, Bit>,
    pub finish: Signal<Out, Bit>,
    pub error: Signal<Out, Bit>,
    /// An END has come; a byte of this message has; the byte before was ESC; the message is damaged.
    framed: DffR<Bit>,
    inside: DffR<Bit>,
    escaped: DffR<Bit>,
    damaged: DffR<Bit>,

    take: Signal<Local, Bit>,
    is_end: Signal<Local, Bit>,
    is_escape: Signal<Local, Bit>,
    wrong: Signal<Local, Bit>,
}

impl Logic for SlipDecoder {
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, framed, inside, escaped, damaged);
        self.framed.reset.next = self.reset.val();
        self.inside.reset.next = self.reset.val();
        self.escaped.reset.next = self.reset.val();
        self.damaged.reset.next = self.reset.val();

        self.is_end.next = self.line_valid.val() & (self.line_byte.val() == 0xc0);
        self.is_escape.next = !self.escaped.q.val() & (self.line_byte.val() == 0xdb);
        self.take.next = self.line_valid.val() & !self.is_end.val() & self.framed.q.val();
        self.octet.next = self.line_byte.val();
        self.wrong.next = false;
        if self.escaped.q.val() {
            if self.line_byte.val() == 0xdc {
                self.octet.next = 0xc0.into();
            } else if self.line_byte.val() == 0xdd {
                self.octet.next = 0xdb.into();
            } else {
                self.wrong.next = true;
            }
        }
        self.push.next = self.take.val() & !self.is_escape.val();
        self.finish.next = self.is_end.val() & (self.inside.q.val() | self.damaged.q.val() | self.escaped.q.val());
        self.error.next = self.damaged.q.val() | self.escaped.q.val();

        comment!("the state of this message");
        self.framed.d.next = self.framed.q.val() | self.is_end.val();
        self.inside.d.next = (self.inside.q.val() | self.push.val()) & !self.is_end.val();
        self.escaped.d.next = self.escaped.q.val() & !self.line_valid.val();
        if self.take.val() & self.is_escape.val() {
            self.escaped.d.next = true;
        }
        self.damaged.d.next = (self.damaged.q.val()
            | (self.framed.q.val() & self.line_error.val())
            | (self.take.val() & self.wrong.val()))
            & !self.is_end.val();
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
