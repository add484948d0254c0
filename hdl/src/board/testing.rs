// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests of a board's blocks share: the wire of IEEE 802.3 and the line of RFC 1055 in plain Rust.

use super::types::MarkedBeat;
use crate::testing::bytes;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::mem::take;

/// One clock of a GMII: data, `dv` or `en`, `er`.
pub type Gmii = (u8, bool, bool);

pub const QUIET: Gmii = (0, false, false);

/// Random bytes.
pub fn random(len: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    (0..len).map(|_| rng.random()).collect()
}

/// The FCS of a frame, in the order in which it is sent.
pub fn fcs(frame: &[u8]) -> [u8; 4] {
    crc32fast::hash(frame).to_le_bytes()
}

/// Bytes of a frame with preamble and delimiter before, as a carrier without error.
pub fn carrier(bytes: &[u8]) -> Vec<Gmii> {
    let preamble = [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5];
    preamble.iter().chain(bytes).map(|byte| (*byte, true, false)).collect()
}

/// A frame with its FCS on the wire.
pub fn on_wire(frame: &[u8]) -> Vec<Gmii> {
    carrier(&[frame, &fcs(frame)].concat())
}

/// A frame, and whether it is marked as damaged.
pub type Marked = (Vec<u8>, bool);

/// Puts the beats of frames together again.
#[derive(Default)]
pub struct Frames {
    pub done: Vec<Marked>,
    partial: Vec<u8>,
}

impl Frames {
    pub fn take<const W: usize, const C: usize>(&mut self, beat: MarkedBeat<W, C>) {
        let count = beat.bytes.to_u64() as usize;
        assert!((1..=W / 8).contains(&count) && (beat.last || count == W / 8), "{count} bytes in a beat");
        self.partial.extend(bytes(beat.data, beat.bytes));
        if beat.last {
            self.done.push((take(&mut self.partial), beat.error));
        }
    }

    pub fn inside(&self) -> bool {
        !self.partial.is_empty()
    }
}

/// A message in SLIP framing.
pub fn slip(message: &[u8]) -> Vec<u8> {
    let mut line = vec![];
    for byte in message {
        match byte {
            0xc0 => line.extend([0xdb, 0xdc]),
            0xdb => line.extend([0xdb, 0xdd]),
            byte => line.push(*byte),
        }
    }
    line.push(0xc0);
    line
}

/// The messages on a line, empty ones left out.
///
/// # Panics
/// If an escape is wrong or the last message has no end.
pub fn unslip(line: &[u8]) -> Vec<Vec<u8>> {
    let (mut messages, mut message, mut bytes) = (vec![], vec![], line.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            0xc0 if message.is_empty() => (),
            0xc0 => messages.push(take(&mut message)),
            0xdb => match bytes.next() {
                Some(0xdc) => message.push(0xc0),
                Some(0xdd) => message.push(0xdb),
                other => panic!("{other:?} behind ESC"),
            },
            byte => message.push(*byte),
        }
    }
    assert!(message.is_empty(), "a message without an end");
    messages
}
