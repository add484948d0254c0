// SPDX-License-Identifier: MIT OR Apache-2.0
//! The control queue (virtio 5.1.6.5): one command at a time, whose answer is waited for.

use super::arena::Arena;
use super::function::{Function, Notified};
use super::settings::{command_room, pieces};
use super::{Cut, DmaMemory, Piece, VirtioError, VirtioPci, Virtqueue};
use millrace_regs::host::control::{COMMAND_BYTES, Command, ERR, OK};
use millrace_regs::host::status;

/// Looks at the queue, each with a read of `device_status`, after which a command counts as not answered.
const PATIENCE: u32 = 1_000_000;
/// What no answer is.
const UNANSWERED: u8 = 0xff;

/// A control queue, and the bytes of a command.
pub(super) struct ControlQueue {
    queue: Virtqueue,
    /// Offsets in the memory of the command, and of its answer behind it.
    command: usize,
    answer: usize,
    /// The pieces that a command fills.
    cuts: Vec<Cut>,
    /// Offset in the BAR at which it is notified.
    pub notify: u32,
}

impl ControlQueue {
    pub fn new(
        mut queue: Virtqueue,
        cuts: &[Cut],
        arena: &mut Arena,
        memory: &impl DmaMemory,
    ) -> Result<Self, VirtioError> {
        let command = arena.take(command_room(cuts), 1)?;
        let answer = arena.take(1, 1)?;
        queue.want_interrupts(memory, false);
        Ok(Self { queue, command, answer, cuts: cuts.to_vec(), notify: 0 })
    }

    pub fn queue(&self) -> &Virtqueue {
        &self.queue
    }

    /// Gives the function a command, and waits for its answer for a bounded number of looks.
    pub fn command<T: VirtioPci>(
        &mut self,
        function: &mut Function<T>,
        memory: &impl DmaMemory,
        command: Command,
        data: &[u8],
    ) -> Result<(), VirtioError> {
        let bytes = [&[command.class(), command.command()][..], data].concat();
        if bytes.len() > COMMAND_BYTES {
            return Err(VirtioError::CommandTooLong { command: command.name(), bytes: bytes.len() });
        }
        // An earlier one that was not answered in time may be read still.
        self.queue.take(memory)?;
        if self.queue.outstanding() != 0 {
            return Err(VirtioError::NoAnswer { command: command.name() });
        }
        let mut pieces = self.lay_out(memory, &bytes);
        memory.write(self.answer, &[UNANSWERED]);
        pieces.push(Piece { offset: self.answer, len: 1, writable: true });
        self.queue.add(memory, &pieces).expect("all descriptors are free");
        if self.queue.show(memory) {
            function.notify(self.notify, Notified::of(&self.queue))?;
        }
        self.wait(function, memory, command)?;
        let mut ack = [0];
        memory.read(self.answer, &mut ack);
        match ack {
            [OK] => Ok(()),
            [ERR] => Err(VirtioError::Refused { command: command.name() }),
            [ack] => Err(VirtioError::Ack { command: command.name(), ack }),
        }
    }

    /// Writes a command into its pieces.
    fn lay_out(&self, memory: &impl DmaMemory, bytes: &[u8]) -> Vec<Piece> {
        let mut left = bytes.len() as u32;
        let rest = Cut { gap: 0, len: left };
        let cuts = self.cuts.iter().chain([&rest]).map_while(|cut| {
            let len = cut.len.min(left);
            left -= len;
            (len > 0).then_some(Cut { len, ..*cut })
        });
        let pieces = pieces(self.command, &cuts.collect::<Vec<_>>(), false);
        let mut rest = bytes;
        for piece in &pieces {
            let part;
            (part, rest) = rest.split_at(piece.len as usize);
            memory.write(piece.offset, part);
        }
        pieces
    }

    /// Until the function has used the chain.
    fn wait<T: VirtioPci>(
        &mut self,
        function: &mut Function<T>,
        memory: &impl DmaMemory,
        command: Command,
    ) -> Result<(), VirtioError> {
        for _ in 0..PATIENCE {
            if self.queue.take(memory)?.is_some() {
                return Ok(());
            }
            if function.status()? & status::DEVICE_NEEDS_RESET != 0 {
                return Err(VirtioError::NeedsReset(function.fault()?));
            }
        }
        Err(VirtioError::NoAnswer { command: command.name() })
    }
}

#[cfg(test)]
#[path = "control_tests.rs"]
mod tests;
