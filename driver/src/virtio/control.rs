// SPDX-License-Identifier: MIT OR Apache-2.0
//! The control queue (virtio 5.1.6.5): one command at a time, whose answer is waited for.

use super::arena::Arena;
use super::function::{Function, Notified};
use super::settings::CONTROL_ROOM;
use super::{DmaMemory, Piece, VirtioError, VirtioPci, Virtqueue};
use millrace_regs::host::control::{COMMAND_BYTES, Command, ERR, OK};
use millrace_regs::host::status;

/// Looks at the queue, each with a read of `device_status`, after which a command counts as not answered.
const PATIENCE: u32 = 1_000_000;
/// What no answer is.
const UNANSWERED: u8 = 0xff;

/// A control queue, and the bytes of a command.
pub(super) struct ControlQueue {
    queue: Virtqueue,
    /// Offset in the memory of the command; the answer is behind it.
    command: usize,
    /// Offset in the BAR at which it is notified.
    pub notify: u32,
}

impl ControlQueue {
    pub fn new(mut queue: Virtqueue, arena: &mut Arena, memory: &impl DmaMemory) -> Result<Self, VirtioError> {
        let command = arena.take(CONTROL_ROOM, 1)?;
        queue.want_interrupts(memory, false);
        Ok(Self { queue, command, notify: 0 })
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
        let answer = self.command + COMMAND_BYTES;
        memory.write(self.command, &bytes);
        memory.write(answer, &[UNANSWERED]);
        let pieces = [
            Piece { offset: self.command, len: bytes.len() as u32, writable: false },
            Piece { offset: answer, len: 1, writable: true },
        ];
        self.queue.add(memory, &pieces).expect("all descriptors are free");
        if self.queue.show(memory) {
            function.notify(self.notify, Notified::of(&self.queue))?;
        }
        self.wait(function, memory, command)?;
        let mut ack = [0];
        memory.read(answer, &mut ack);
        match ack {
            [OK] => Ok(()),
            [ERR] => Err(VirtioError::Refused { command: command.name() }),
            [ack] => Err(VirtioError::Ack { command: command.name(), ack }),
        }
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
