// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host channel over a UART.

use super::fcs_append::FcsAppend;
use super::fcs_check::FcsCheck;
use super::slip_decoder::SlipDecoder;
use super::slip_encoder::SlipEncoder;
use super::uart_rx::UartRx;
use super::uart_tx::UartTx;
use crate::base::{LutFifo, Skid, Snk, Src};
use crate::board::stream::beat_bytes::BeatBytes;
use crate::board::stream::beat_packer::BeatPacker;
use crate::board::types::{MarkedBeat, StreamByte};
use crate::core::types::Beat;
use rust_hdl_core::prelude::*;

/// Messages of beats to and from a UART (8 data bits, no parity, one stop bit), each with a check sequence behind it, in SLIP framing
/// (RFC 1055).
///
/// The line cannot be stopped: 16 beats wait for `received`, and a message for which that is not enough is cut short and ends in `error`.
/// `lost`: a message is gone without even that.
#[millrace_hdl::block]
pub struct UartLink<const BUS_BITS: usize, const COUNT_BITS: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub rx_line: Signal<In, Bit>,
    pub tx_line: Signal<Out, Bit>,
    pub received: Src<MarkedBeat<BUS_BITS, COUNT_BITS>>,
    pub lost: Signal<Out, Bit>,
    pub send: Snk<Beat<BUS_BITS, COUNT_BITS>>,

    rx: UartRx,
    decoder: SlipDecoder,
    check: FcsCheck,
    packer: BeatPacker<BUS_BITS, COUNT_BITS>,
    fifo: LutFifo<MarkedBeat<BUS_BITS, COUNT_BITS>, 4, 5>,
    bytes: BeatBytes<BUS_BITS, COUNT_BITS>,
    append: FcsAppend,
    /// Parts what makes the bytes from what frames them: `ready` would lead through both in one clock.
    framed: Skid<StreamByte>,
    encoder: SlipEncoder,
    tx: UartTx,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const COUNT_BITS: usize> UartLink<BUS_BITS, COUNT_BITS> {
    /// A line with `clocks_per_bit` clocks of `clock` to a bit. (`Default` has no rate.)
    ///
    /// # Panics
    /// If they are not 4 to 65,535, or `COUNT_BITS` is not log2(W / 8) + 1.
    pub fn new(clocks_per_bit: usize) -> Self {
        Self { rx: UartRx::new(clocks_per_bit), tx: UartTx::new(clocks_per_bit), ..Default::default() }
    }

    fn update(&mut self) {
        comment!("in");
        self.rx.line = self.rx_line;
        self.decoder.line_byte = self.rx.octet;
        self.decoder.line_valid = self.rx.valid;
        self.decoder.line_error = self.rx.error;
        self.check.octet_in = self.decoder.octet;
        self.check.push_in = self.decoder.push;
        self.check.finish_in = self.decoder.finish;
        self.check.error_in = self.decoder.error;
        self.packer.octet = self.check.octet;
        self.packer.push = self.check.push;
        self.packer.finish = self.check.finish;
        self.packer.error = self.check.error;
        join(self.packer.out, self.fifo.inp);
        link(self.received, self.fifo.out);
        self.lost = self.packer.lost;

        comment!("out");
        link(self.send, self.bytes.inp);
        join(self.bytes.out, self.append.inp);
        join(self.append.out, self.framed.inp);
        join(self.framed.out, self.encoder.inp);
        join(self.encoder.out, self.tx.inp);
        self.tx_line = self.tx.line;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::testing::{Frames, Marked, random};
    use crate::testing::{assert_lints, beats, settle, tick};
    use millrace_regs::slip::{Decoder, encode};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const CLOCKS: usize = 4;

    fn framed(message: &[u8]) -> Vec<u8> {
        let mut line = vec![];
        encode(&[message], &mut line);
        line
    }

    /// A line at rest, then these bytes, then at rest again: its level in each clock.
    fn levels(bytes: &[u8]) -> Vec<bool> {
        let bits =
            bytes.iter().flat_map(|byte| (0..10).map(move |bit| (u16::from(*byte) << 1 | 0x200) >> bit & 1 == 1));
        let rest = [true; 40];
        rest.into_iter().chain(bits.flat_map(|bit| [bit; CLOCKS])).chain(rest).collect()
    }

    /// The bytes that the levels of a line say.
    fn read(line: &[bool]) -> Vec<u8> {
        let (mut bytes, mut at) = (vec![], 0);
        while let Some(start) = line[at..].iter().position(|level| !level) {
            let bit = |n: usize| u8::from(line[at + start + n * CLOCKS + CLOCKS / 2]) << (n - 1);
            bytes.push((1..9).map(bit).sum());
            at += start + 10 * CLOCKS - CLOCKS / 2;
        }
        bytes
    }

    fn connected() -> Box<UartLink<64, 4>> {
        let mut link = Box::new(UartLink::<64, 4>::new(CLOCKS));
        link.connect_all();
        link.reset.next = true;
        link.rx_line.next = true;
        for _ in 0..4 {
            tick(&mut *link, |l| &mut l.clock);
        }
        link.reset.next = false;
        link
    }

    /// What is received of these messages if the other side is ready only when `ready` says so, by clock, and how many were lost.
    fn receive(messages: &[Vec<u8>], ready: impl Fn(usize) -> bool) -> (Vec<Marked>, usize) {
        let line = levels(&messages.iter().flat_map(|m| framed(m)).collect::<Vec<_>>());
        let mut link = connected();
        let (mut frames, mut lost) = (Frames::default(), 0);
        for (clock, level) in line.iter().enumerate() {
            link.rx_line.next = *level;
            link.received.ready.next = clock + 30 > line.len() || ready(clock);
            settle(&mut *link);
            if link.received.valid.val() && link.received.ready.val() {
                frames.take(link.received.data.val());
            }
            lost += usize::from(link.lost.val());
            tick(&mut *link, |l| &mut l.clock);
        }
        (frames.done, lost)
    }

    fn messages(count: usize, longest: usize) -> Vec<Vec<u8>> {
        let mut rng = ChaCha8Rng::seed_from_u64(13);
        (0..count)
            .map(|_| {
                let len = rng.random_range(1..longest);
                random(len, &mut rng)
            })
            .collect()
    }

    #[test]
    fn messages_come_in() {
        let messages = messages(12, 60);
        let expected: Vec<_> = messages.iter().map(|m| (m.clone(), false)).collect();
        assert_eq!(receive(&messages, |_| true), (expected, 0));
    }

    #[test]
    fn a_message_without_room_is_marked_or_counted_and_the_next_is_sound() {
        let messages = [vec![vec![1; 80], vec![2; 200], vec![3; 50], vec![4; 60]], vec![vec![5; 20]; 4]].concat();
        let bytes: usize = messages[..3].iter().map(|m| framed(m).len()).sum();
        // Until the middle of message 4 nobody takes anything.
        let (got, lost) = receive(&messages, |clock| clock > (bytes + 30) * 10 * CLOCKS);
        assert_eq!(lost, 2, "both that came while the mark of the second waited");
        assert_eq!(got[0], (messages[0].clone(), false));
        // What its last beat holds is undefined.
        let kept = (got[1].0.len() - 1) / 8 * 8;
        assert!(got[1].1 && kept == 48 && got[1].0[..kept] == messages[1][..kept], "cut short: {kept} bytes");
        let rest: Vec<_> = got[2..].iter().map(|(m, error)| (m.clone(), *error)).collect();
        assert_eq!(rest, vec![(vec![5; 20], false); 4]);
    }

    #[test]
    fn messages_go_out() {
        let messages = messages(8, 30);
        let mut link = connected();
        let mut stream = messages.iter().flat_map(|m| beats::<64, 4>(m)).peekable();
        let (mut line, mut rest) = (vec![], 40 * 20);
        while rest > 0 {
            link.send.valid.next = stream.peek().is_some();
            link.send.data.next = stream.peek().copied().unwrap_or_default();
            settle(&mut *link);
            line.push(link.tx_line.val());
            if link.send.valid.val() && link.send.ready.val() {
                stream.next();
            }
            rest -= i32::from(stream.peek().is_none());
            tick(&mut *link, |l| &mut l.clock);
        }
        let mut decoder = Decoder::new(30);
        let got: Vec<_> = read(&line).into_iter().filter_map(|byte| decoder.push(byte)).collect();
        assert_eq!(got, messages.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn lints() {
        assert_lints(UartLink::<64, 4>::new(54));
    }
}
