// SPDX-License-Identifier: MIT OR Apache-2.0
//! The backend for a board: its host channel over a UART (`docs/board.md`).

mod channel;
mod line;
mod tty;

pub use channel::LineStats;
pub use line::Line;
pub use tty::{Tty, TtyError};

use crate::{Access, Device, DeviceError, Sent, Upcall};
use channel::{Answer, Channel};
use millrace_regs::host_channel::{
    ADDRESS, DATA, HOST_DROPPED, MARKS, MessageKind, VPORT, WRITE, header_bytes, port_lost,
};
use millrace_regs::map::MAX_VPORTS;
use std::io;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bits per second of the boards' UARTs.
pub const BAUD: u32 = 3_000_000;

/// Accesses under way at a time. The card holds 16 messages of this size, and carries them out one after the other, each when the one
/// before is answered: nothing may be sent behind them until then.
const BURST: usize = 12;
/// Times that an access goes without an answer before the card is taken for dead.
const ATTEMPTS: usize = 5;
/// Bytes that may be on the line before an answer: in the operating system's buffer one way, in front of it in the card the other way.
const BEFORE_ANSWER: u64 = 32 << 10;
/// What adapters and the operating system take beside.
const LATENCY: Duration = Duration::from_millis(250);

/// A card behind a line.
///
/// A message that arrives damaged, either way, is dropped by who receives it. A register access without an answer is repeated; a frame is not:
/// its loss is counted, by the card or in [`stats`](Self::stats).
pub struct Serial<L> {
    channel: Channel<L>,
    /// How long an answer may take.
    patience: Duration,
    /// No answer is still to come.
    in_step: bool,
    mark: u32,
    /// What [`recv_upcall`](Device::recv_upcall) cannot say.
    failure: Option<io::Error>,
}

/// Why a card cannot be reached.
#[derive(Debug, thiserror::Error)]
enum LineError {
    #[error("the line has failed: {0}")]
    Failed(io::Error),
    #[error(
        "no answer, asked {ATTEMPTS} times for {} ms each: is this the card's port and its rate, and is its bitstream loaded?",
        .0.as_millis()
    )]
    Silent(Duration),
}

impl From<LineError> for DeviceError {
    fn from(error: LineError) -> Self {
        DeviceError::Backend(Box::new(error))
    }
}

impl From<io::Error> for LineError {
    fn from(error: io::Error) -> Self {
        LineError::Failed(error)
    }
}

/// What a card's board lost, since the card's reset, modulo 2³².
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Messages from the host that were dropped.
    pub host_dropped: u32,
    /// Frames for which a port had no room, of each port with a MAC.
    pub ports: Vec<u32>,
}

/// How long an answer may take at this rate.
pub fn patience(baud: u32) -> Duration {
    LATENCY + Duration::from_millis(BEFORE_ANSWER * 10 * 1000 / u64::from(baud))
}

impl<L: Line> Serial<L> {
    /// The card at the other end of a line, which answers within `patience`. An access that was under way before has no effect on
    /// what follows.
    ///
    /// # Errors
    /// If nobody answers, or the line fails.
    pub fn new(line: L, patience: Duration) -> Result<Self, DeviceError> {
        // Not that of the process before, whose last answer may be still to come.
        let mark = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_micros());
        let channel = Channel::new(line);
        let mut serial = Self { channel, patience, in_step: false, mark, failure: None };
        serial.get_in_step()?;
        Ok(serial)
    }

    /// What happened on the line.
    pub fn stats(&self) -> LineStats {
        self.channel.stats
    }

    /// The line.
    pub fn line(&self) -> &L {
        &self.channel.line
    }

    /// What the board lost.
    ///
    /// # Errors
    /// If the card cannot be reached.
    pub fn losses(&mut self) -> Result<Losses, DeviceError> {
        let mut losses = Losses { host_dropped: self.read32(HOST_DROPPED)?, ports: vec![] };
        for port in 0..MAX_VPORTS {
            match self.read32(port_lost(port)) {
                Ok(lost) => losses.ports.push(lost),
                // The board has no such port.
                Err(DeviceError::Refused { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(losses)
    }

    /// The next frame that left at a vport on the channel, if one is waiting.
    pub fn recv_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        self.pump_later();
        self.channel.take_frame()
    }

    /// Whether the line takes another frame now.
    pub fn has_room(&self) -> bool {
        self.channel.has_room()
    }

    /// Lets a frame come in at a vport on the channel.
    ///
    /// # Errors
    /// If the line fails.
    pub fn send_frame(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.send(MessageKind::Frame, vport, frame)
    }

    fn send(&mut self, kind: MessageKind, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.pump()?;
        if !self.channel.has_room() {
            return Ok(Sent::Full);
        }
        self.channel.send(&header_bytes(kind, &[(VPORT, vport.into())]), frame);
        self.pump()?;
        Ok(Sent::Accepted)
    }

    fn pump(&mut self) -> Result<(), LineError> {
        if let Some(error) = self.failure.take() {
            return Err(error.into());
        }
        Ok(self.channel.pump()?)
    }

    /// A failure is told by the next method that can.
    fn pump_later(&mut self) {
        if self.failure.is_none() {
            self.failure = self.channel.pump().err();
        }
    }

    fn ask(&mut self, access: Access) {
        let (write, address, value) = match access {
            Access::Read { address } => (0, address, 0),
            Access::Write { address, value } => (1, address, value),
        };
        let fields = [(WRITE, write), (ADDRESS, address), (DATA, value)];
        self.channel.send(&header_bytes(MessageKind::Register, &fields), &[]);
    }

    /// The next answer, if there is one in time.
    fn answer(&mut self, until: Instant) -> Result<Option<Answer>, LineError> {
        loop {
            self.pump()?;
            if let Some(answer) = self.channel.take_answer() {
                return Ok(Some(answer));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.channel.wait(left)?;
        }
    }

    /// Makes sure that no answer is still to come: messages stay in order, so the answer to a mark is the last.
    fn get_in_step(&mut self) -> Result<(), LineError> {
        for _ in 0..ATTEMPTS {
            self.mark = MARKS.start + (self.mark + 4) % (MARKS.end - MARKS.start) / 4 * 4;
            self.ask(Access::Read { address: self.mark });
            let until = Instant::now() + self.patience;
            while let Some(answer) = self.answer(until)? {
                if u32::from(answer.address) == self.mark {
                    self.in_step = true;
                    return Ok(());
                }
                self.channel.stats.stray += 1;
            }
        }
        Err(LineError::Silent(self.patience))
    }

    /// Carries out a few accesses, as far as they are answered: their answers.
    fn burst(&mut self, accesses: &[Access]) -> Result<Vec<Answer>, LineError> {
        if !self.in_step {
            self.get_in_step()?;
        }
        self.in_step = false;
        accesses.iter().for_each(|access| self.ask(*access));
        let until = Instant::now() + self.patience;
        let mut answers = vec![];
        for access in accesses {
            match self.answer(until)? {
                Some(answer) if u32::from(answer.address) == address(*access) => answers.push(answer),
                // An answer was lost, and this is a later one.
                Some(_) => {
                    self.channel.stats.stray += 1;
                    return Ok(answers);
                }
                None => return Ok(answers),
            }
        }
        self.in_step = true;
        Ok(answers)
    }
}

fn address(access: Access) -> u32 {
    match access {
        Access::Read { address } | Access::Write { address, .. } => address,
    }
}

fn refused(access: Access) -> DeviceError {
    let kind = match access {
        Access::Read { .. } => "read",
        Access::Write { .. } => "write",
    };
    DeviceError::Refused { access: kind, address: address(access) }
}

impl<L: Line> Device for Serial<L> {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        Ok(self.batch(&[Access::Read { address }])?[0])
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.batch(&[Access::Write { address, value }]).map(|_| ())
    }

    fn batch(&mut self, accesses: &[Access]) -> Result<Vec<u32>, DeviceError> {
        if let Some(access) = accesses.iter().find(|access| address(**access) > u16::MAX.into()) {
            return Err(refused(*access));
        }
        let (mut values, mut done, mut failures) = (vec![], 0, 0);
        while done < accesses.len() {
            let burst = &accesses[done..accesses.len().min(done + BURST)];
            let answers = self.burst(burst)?;
            for (access, answer) in burst.iter().zip(&answers) {
                match access {
                    _ if answer.refused => return Err(refused(*access)),
                    Access::Read { .. } => values.push(answer.data),
                    Access::Write { .. } => (),
                }
            }
            done += answers.len();
            failures = if answers.is_empty() { failures + 1 } else { 0 };
            self.channel.stats.repeated += u64::from(answers.len() < burst.len());
            if failures == ATTEMPTS {
                return Err(LineError::Silent(self.patience).into());
            }
        }
        Ok(values)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.pump_later();
        self.channel.take_upcall()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.send(MessageKind::SlowPath, vport, frame)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        Ok(self.pump()?)
    }

    fn now(&self) -> u64 {
        self.channel.now()
    }
}

#[cfg(test)]
mod tests;
