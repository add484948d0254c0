// SPDX-License-Identifier: MIT OR Apache-2.0
//! A control queue against a device that answers as it likes.

use super::*;
use crate::BoxError;
use crate::virtio::LocalMemory;
use crate::virtio::settings::{CONTROL_SIZE, control_room};

const BYTES: usize = 0x1000;

/// Answers when it is notified, and has nothing else to tell.
struct Device {
    memory: LocalMemory,
    /// Where the used ring is.
    used: usize,
    answer: u8,
    /// Commands so far.
    count: u16,
}

impl VirtioPci for Device {
    fn read8(&mut self, _: u32) -> Result<u8, BoxError> {
        Ok(0)
    }

    fn read16(&mut self, _: u32) -> Result<u16, BoxError> {
        unreachable!("nothing else is looked at")
    }

    fn read32(&mut self, _: u32) -> Result<u32, BoxError> {
        unreachable!("nothing else is looked at")
    }

    fn write8(&mut self, _: u32, _: u8) -> Result<(), BoxError> {
        unreachable!("nothing is set")
    }

    fn write16(&mut self, _: u32, _: u16) -> Result<(), BoxError> {
        // The command is behind the rings, and this behind it.
        self.memory.write(BYTES - 1, &[self.answer]);
        // Two descriptors are taken in turn.
        let head = 2 * self.count % CONTROL_SIZE;
        let entry = self.used + 4 + 8 * usize::from(self.count % CONTROL_SIZE);
        self.memory.store32(entry, head.into());
        self.memory.store32(entry + 4, 1);
        self.count += 1;
        self.memory.store16(self.used + 2, self.count);
        Ok(())
    }

    fn write32(&mut self, _: u32, _: u32) -> Result<(), BoxError> {
        unreachable!("nothing is set")
    }
}

#[test]
fn only_the_two_answers_are_answers() {
    let memory = LocalMemory::new(0x10_0000, BYTES);
    let mut arena = Arena::new(BYTES);
    let order: Vec<u16> = (0..CONTROL_SIZE).collect();
    let queue = Virtqueue::make(&mut arena, 2, &order, 0, &memory).unwrap();
    let used = queue.rings().used;
    // The answer is the last byte of the memory.
    let rings = used + 6 + 8 * usize::from(CONTROL_SIZE);
    arena.take(BYTES - control_room(&[]) - rings, 1).unwrap();
    let mut control = ControlQueue::new(queue, &[], &mut arena, &memory).unwrap();
    let mut function = Function::new(Device { memory: memory.clone(), used, answer: 0, count: 0 });
    for round in 0..10 {
        for answer in [0, 1, 2, 0x80, 0xff] {
            function.transport.answer = answer;
            let result = control.command(&mut function, &memory, Command::VlanAdd, &[round, 0]);
            match (answer, result) {
                (0, Ok(())) | (1, Err(VirtioError::Refused { command: "ADD" })) => {}
                (_, Err(VirtioError::Ack { command: "ADD", ack })) if ack == answer => {}
                (_, result) => panic!("{result:?} for {answer}"),
            }
        }
    }
}
