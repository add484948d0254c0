// SPDX-License-Identifier: MIT OR Apache-2.0
//! A line that loses, changes and repeats bytes.

use millrace_driver::serial::{Line, Tty};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

/// Bytes that pass at once.
const CHUNK: usize = 64;

/// A serial port on which some of the bytes, each way, are not what they should be.
pub struct Noise {
    tty: Tty,
    rng: ChaCha8Rng,
    share: f64,
    came: VecDeque<u8>,
    to_go: VecDeque<u8>,
}

impl Noise {
    pub fn new(tty: Tty, seed: u64, share: f64) -> Self {
        println!("seed {seed}");
        Self { tty, rng: ChaCha8Rng::seed_from_u64(seed), share, came: VecDeque::new(), to_go: VecDeque::new() }
    }

    fn pass(&mut self, byte: u8, bytes: &mut Vec<u8>) {
        if !self.rng.random_bool(self.share) {
            bytes.push(byte);
            return;
        }
        match self.rng.random_range(0..3) {
            0 => (),
            1 => bytes.push(byte ^ 1 << self.rng.random_range(0..8)),
            _ => bytes.extend([byte, byte]),
        }
    }

    /// Passes bytes on; whether all have gone.
    fn go(&mut self) -> io::Result<bool> {
        while !self.to_go.is_empty() {
            match self.tty.write(self.to_go.make_contiguous()) {
                Ok(count) => drop(self.to_go.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.came.is_empty() {
            let mut chunk = [0; CHUNK];
            let count = self.tty.read(&mut chunk)?;
            let mut bytes = vec![];
            chunk[..count].iter().for_each(|byte| self.pass(*byte, &mut bytes));
            self.came.extend(bytes);
        }
        let count = self.came.len().min(buffer.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.came.drain(..count).zip(buffer).for_each(|(byte, place)| *place = byte);
        Ok(count)
    }
}

impl Write for Noise {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.go()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = bytes.len().min(CHUNK);
        let mut passed = vec![];
        bytes[..count].iter().for_each(|byte| self.pass(*byte, &mut passed));
        self.to_go.extend(passed);
        self.go()?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Line for Noise {
    fn wait(&mut self, room: bool, longest: Duration) -> io::Result<()> {
        self.tty.wait(room || !self.to_go.is_empty(), longest)
    }
}
