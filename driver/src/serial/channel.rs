// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages of the host channel, to and from a line.

use super::Line;
use crate::Upcall;
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host_channel::{
    ADDRESS, DATA, HEADER_BYTES, KIND, MessageKind, REASON, RESPONSE, VPORT, header_words,
};
use millrace_regs::slip::{Decoder, encode};
use millrace_regs::{Field, UpcallReason};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

/// Bytes of frames that wait for whoever takes them; more are dropped, and counted.
const WAITING_BYTES: usize = 64 << 20;
/// Bytes that wait for the line when there is no room for another frame.
const OUT_BYTES: usize = 4096;

/// What happened on the line, since it was opened.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct LineStats {
    /// Upcalls that arrived.
    pub upcalls: u64,
    /// Messages that arrived damaged, and were thrown away.
    pub damaged: u64,
    /// Sound messages that make no sense.
    pub unknown: u64,
    /// Frames for which nobody came in time.
    pub not_taken: u64,
    /// Times that an answer was missing, so that the access was repeated.
    pub repeated: u64,
    /// Answers that nobody waited for any more.
    pub stray: u64,
}

/// What became of a register access.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub address: u16,
    pub refused: bool,
    pub data: u32,
}

pub(super) struct Channel<L> {
    pub line: L,
    start: Instant,
    pub stats: LineStats,
    decoder: Decoder,
    /// Bytes for the line, and how many of them it has.
    out: Vec<u8>,
    written: usize,
    upcalls: VecDeque<Upcall>,
    frames: VecDeque<(u8, Vec<u8>)>,
    waiting_bytes: usize,
    answers: VecDeque<Answer>,
}

impl<L: Line> Channel<L> {
    pub fn new(line: L) -> Self {
        Self {
            line,
            start: Instant::now(),
            stats: LineStats::default(),
            decoder: Decoder::new(HEADER_BYTES + MAX_FRAME),
            out: vec![],
            written: 0,
            upcalls: VecDeque::new(),
            frames: VecDeque::new(),
            waiting_bytes: 0,
            answers: VecDeque::new(),
        }
    }

    /// Nanoseconds since the channel was opened.
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// A message goes out behind those before it.
    pub fn send(&mut self, header: &[u8; HEADER_BYTES], frame: &[u8]) {
        encode(&[header, frame], &mut self.out);
    }

    /// Whether another frame may be sent.
    pub fn has_room(&self) -> bool {
        self.out.len() - self.written < OUT_BYTES
    }

    /// Writes what there is room for, and reads what has come.
    pub fn pump(&mut self) -> io::Result<()> {
        self.write()?;
        let mut buffer = [0; 4096];
        while let Some(count) = attempt(self.line.read(&mut buffer))? {
            if count == 0 {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "the other side of the line is gone"));
            }
            for byte in &buffer[..count] {
                match self.decoder.push(*byte) {
                    None => (),
                    Some(Ok(message)) => self.receive(&message),
                    Some(Err(_)) => self.stats.damaged += 1,
                }
            }
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        while self.written < self.out.len() {
            match attempt(self.line.write(&self.out[self.written..]))? {
                None => return Ok(()),
                Some(0) => return Err(ErrorKind::WriteZero.into()),
                Some(count) => self.written += count,
            }
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Waits for the line, but no longer than this.
    pub fn wait(&mut self, longest: Duration) -> io::Result<()> {
        self.line.wait(!self.out.is_empty(), longest)
    }

    pub fn take_answer(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    pub fn take_upcall(&mut self) -> Option<Upcall> {
        let upcall = self.upcalls.pop_front()?;
        self.waiting_bytes -= upcall.frame.len();
        Some(upcall)
    }

    pub fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let frame = self.frames.pop_front()?;
        self.waiting_bytes -= frame.1.len();
        Some(frame)
    }

    fn receive(&mut self, message: &[u8]) {
        let Some((header, frame)) = message.split_first_chunk::<HEADER_BYTES>() else {
            self.stats.unknown += 1;
            return;
        };
        let words = header_words(*header);
        let of = |field: Field| field.get(&words) as u32;
        let vport = of(VPORT) as u8;
        match (MessageKind::from_number(of(KIND)), UpcallReason::from_number(of(REASON)), frame) {
            (Some(MessageKind::Register), _, []) => self.answers.push_back(Answer {
                address: of(ADDRESS) as u16,
                refused: of(RESPONSE) != 0,
                data: of(DATA),
            }),
            (Some(MessageKind::SlowPath), Some(reason), [_, ..]) => {
                self.stats.upcalls += 1;
                if self.admit(frame) {
                    self.upcalls.push_back(Upcall::of_first_lookup(vport, reason, self.now(), frame.into()));
                }
            }
            (Some(MessageKind::Frame), _, [_, ..]) => {
                if self.admit(frame) {
                    self.frames.push_back((vport, frame.into()));
                }
            }
            _ => self.stats.unknown += 1,
        }
    }

    /// Whether there is room for a frame to wait.
    fn admit(&mut self, frame: &[u8]) -> bool {
        let room = self.waiting_bytes + frame.len() <= WAITING_BYTES;
        if room {
            self.waiting_bytes += frame.len();
        } else {
            self.stats.not_taken += 1;
        }
        room
    }
}

/// None: not now.
fn attempt(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
    }
}
