// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two functions whose drivers keep the rules and send frames to each other: nobody else is to be seen in what they get.

use super::device::{ADDRESS, Dpu, NEIGHBOURS};
use super::watch::Watched;
use anyhow::{Context, Result, ensure};
use millrace_driver::virtio::{Cut, LocalMemory, Settings, VirtioNet};
use millrace_regs::host::{FUNCTION_NO_BUFFER, MSIX_TABLE, NET_HEADER, msix};
use millrace_sim::{Bar, Interrupt};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

/// In every eight bytes of a neighbour's frame: no memory of another function has it.
pub const MARK: [u8; 5] = [0xe7, 0xc1, 0xd9, 0xf3, 0xcb];
/// Longest frame.
const LONGEST: usize = 2000;
/// Descriptors of a queue.
const SIZE: u16 = 16;
/// Frames that are under way to a neighbour, at most: it always has buffers for them.
const UNDER_WAY: usize = 6;

/// Clocks in which frames of a neighbour come to the other.
const PROMPT: u64 = 50_000;

struct Neighbour {
    function: usize,
    net: VirtioNet<Bar<Watched>, LocalMemory>,
    memory: Watched,
    settings: Settings,
    /// Frames that it is to get.
    due: VecDeque<Vec<u8>>,
    /// Bytes of frames and headers that it got.
    bytes: u64,
    frames: u64,
    digest: DefaultHasher,
    /// It had an interrupt of its receiveq since it last looked there.
    told: bool,
}

pub struct Neighbours {
    all: [Neighbour; 2],
    sent: u64,
}

impl Neighbours {
    pub fn new(dpu: &Dpu, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let [a, b] = NEIGHBOURS.map(|function| Neighbour::new(dpu, function, &mut rng));
        Ok(Self { all: [a?, b?], sent: 0 })
    }

    /// Each sends the other frames, and takes what has come.
    pub fn exchange(&mut self, dpu: &Dpu, frames: u8, length: u16) -> Result<()> {
        let frames = usize::from(frames).min(UNDER_WAY);
        self.make_room(dpu, frames)?;
        for from in 0..2 {
            let frames: Vec<_> = (0..frames).map(|_| self.frame(from, length)).collect();
            let sent = self.all[from].net.send(0, frames.iter().map(Vec::as_slice))?;
            ensure!(sent == frames.len(), "a neighbour's frames are not read");
            self.all[1 - from].due.extend(frames);
        }
        self.take()
    }

    /// Waits until no more frames are under way than that these can be added: others do not hold them up for long.
    fn make_room(&mut self, dpu: &Dpu, frames: usize) -> Result<()> {
        let end = dpu.sim().cycle() + PROMPT;
        while self.all.iter().any(|neighbour| neighbour.due.len() + frames > UNDER_WAY) {
            ensure!(dpu.sim().cycle() < end, "the neighbours' frames are held up");
            dpu.sim().skip(32);
            self.take()?;
        }
        Ok(())
    }

    /// Takes what has come.
    fn take(&mut self) -> Result<()> {
        self.all.iter_mut().try_for_each(|neighbour| neighbour.take().map(drop))
    }

    /// With nothing under way, and all messages taken: takes what has come, of which each was told.
    pub fn take_told(&mut self) -> Result<()> {
        for neighbour in &mut self.all {
            let told = neighbour.told;
            let got = neighbour.take()?;
            ensure!(
                told || got == 0,
                "function {} is not told of {got} frames ({:?})",
                neighbour.function,
                neighbour.settings
            );
        }
        Ok(())
    }

    /// Frames that have not come yet.
    pub fn due(&self) -> usize {
        self.all.iter().map(|neighbour| neighbour.due.len()).sum()
    }

    /// Frames that have come.
    pub fn frames(&self) -> u64 {
        self.all.iter().map(|neighbour| neighbour.frames).sum()
    }

    /// Of all frames that have come, in their order.
    pub fn digest(&self) -> u64 {
        self.all.iter().fold(0, |all, neighbour| all.rotate_left(1) ^ neighbour.digest.finish())
    }

    /// A message to a neighbour; false if it is to none.
    pub fn interrupt(&mut self, message: Interrupt) -> Result<bool> {
        let Some(neighbour) = self.all.iter_mut().find(|one| one.function == usize::from(message.function)) else {
            return Ok(false);
        };
        ensure!(message == expected(neighbour.function, message.vector), "{message:?} to a neighbour");
        ensure!(message.vector != 0, "a neighbour's configuration changes");
        neighbour.told |= message.vector == 1;
        Ok(true)
    }

    /// With nothing under way: all has come, with no byte more, was told of, and the functions are well.
    pub fn settled(&mut self, dpu: &Dpu) -> Result<()> {
        for neighbour in &mut self.all {
            let function = neighbour.function;
            ensure!(neighbour.due.is_empty(), "function {function} lacks {} frames", neighbour.due.len());
            neighbour.net.check()?;
            let written = neighbour.memory.watch().written;
            ensure!(written == neighbour.bytes, "{written} bytes were written for {} of frames", neighbour.bytes);
            let dropped = dpu.state(function, FUNCTION_NO_BUFFER.offset)?;
            ensure!(dropped == 0, "{dropped} frames of function {function} found no buffer");
        }
        Ok(())
    }

    fn frame(&mut self, from: usize, length: u16) -> Vec<u8> {
        let number = self.sent;
        self.sent += 1;
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, from as u8, 2, 0x60, 2];
        let words = (0..).flat_map(|word: u8| {
            let [low, high, ..] = (2 * number + from as u64).to_le_bytes();
            MARK.into_iter().chain([low, high, word])
        });
        let length = usize::from(length).clamp(14, LONGEST);
        frame.extend(words.take(length - 14));
        frame
    }
}

impl Neighbour {
    fn new(dpu: &Dpu, function: usize, rng: &mut ChaCha8Rng) -> Result<Self> {
        let memory = dpu.memory(function);
        let bytes = NET_HEADER + LONGEST;
        let settings = Settings {
            queue_size: SIZE,
            receive: vec![vec![Cut { gap: 0, len: bytes as u32 }]],
            transmit_bytes: bytes,
            transmit_buffers: SIZE,
            packed: rng.random(),
            merge: rng.random(),
            indirect: rng.random(),
            in_order: rng.random(),
            event_idx: rng.random(),
            notification_data: rng.random(),
            interrupts: true,
            ..Settings::default()
        };
        enable_interrupts(dpu, function)?;
        dpu.sim().set_bus_master(function, true);
        memory.watch().trust(true);
        let net = VirtioNet::start(dpu.bar(function), memory.memory.clone(), settings.clone())?;
        ensure!(dpu.sim().run_until_idle(100_000), "a neighbour does not come to rest");
        watch_rings(&net, &memory, settings.packed)?;
        Ok(Self {
            function,
            net,
            memory,
            settings,
            due: VecDeque::new(),
            bytes: 0,
            frames: 0,
            digest: DefaultHasher::new(),
            told: false,
        })
    }

    /// The number of the frames that it got.
    fn take(&mut self) -> Result<usize> {
        self.told = false;
        let (due, bytes, frames, digest) = (&mut self.due, &mut self.bytes, &mut self.frames, &mut self.digest);
        let mut wrong = None;
        let got = self.net.receive(0, usize::MAX, |frame| {
            let expected = due.pop_front();
            *bytes += (NET_HEADER + frame.len()) as u64;
            *frames += 1;
            frame.hash(digest);
            if expected.as_deref() != Some(frame) {
                let place = expected.map(|due| due.iter().zip(frame).position(|(a, b)| a != b));
                wrong.get_or_insert(format!("frame {frames} of {} bytes differs: {place:?}", frame.len()));
            }
        })?;
        self.net.reclaim(0)?;
        match wrong {
            Some(wrong) => Err(anyhow::anyhow!("function {}: {wrong}", self.function)),
            None => Ok(got),
        }
    }
}

/// The device knows its rings from now on; its buffers it is told.
fn watch_rings(net: &VirtioNet<Bar<Watched>, LocalMemory>, memory: &Watched, packed: bool) -> Result<()> {
    let size = u64::from(SIZE);
    let mut watch = memory.watch();
    for queue in net.queues(0)? {
        let rings = queue.rings();
        let at = |offset: usize| ADDRESS + offset as u64;
        let (descriptors, driver, device) = (at(rings.descriptors), at(rings.available), at(rings.used));
        if packed {
            watch.add_rings(&[(driver, 4)], &[(descriptors, 16 * size), (device, 4)]);
        } else {
            watch.add_rings(&[(descriptors, 16 * size), (driver, 6 + 2 * size)], &[(device, 6 + 8 * size)]);
        }
    }
    watch.trust(false);
    Ok(())
}

/// The message of a vector.
fn expected(function: usize, vector: u16) -> Interrupt {
    let address = 0x1_fee0_0000 + 0x1000 * function as u64 + 0x10 * u64::from(vector);
    Interrupt { function: function as u8, vector, address, data: 0x4020 + u32::from(vector) }
}

fn enable_interrupts(dpu: &Dpu, function: usize) -> Result<()> {
    for vector in 0..super::device::PRESET.config().vectors_of_function(function) as u16 {
        let Interrupt { address, data, .. } = expected(function, vector);
        let entry = MSIX_TABLE.at(vector.into());
        let words = [
            (msix::MESSAGE_ADDRESS.offset, address as u32),
            (msix::MESSAGE_ADDRESS.offset + 4, (address >> 32) as u32),
            (msix::MESSAGE_DATA.offset, data),
            (msix::VECTOR_CONTROL.offset, 0),
        ];
        for (offset, word) in words {
            dpu.write(function, entry + offset, word, 0xf)?.then_some(()).context("the MSI-X table refuses")?;
        }
    }
    dpu.sim().set_msix(function, true, false);
    Ok(())
}
