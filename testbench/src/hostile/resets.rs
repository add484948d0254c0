// SPDX-License-Identifier: MIT OR Apache-2.0
//! Resets of functions and of single virtqueues at any moment of their traffic, beside neighbours that must not notice.

use super::device::{ADDRESS, GUEST_BYTES, GUESTS};
use super::guest::Guest;
use super::op::{Act, Case, Layout, Window};
use super::run::Bench;
use anyhow::{Context, Result, ensure};
use millrace_regs::host::Feature;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// Descriptors of a virtqueue.
const SIZE: u16 = 16;
/// Frames that are under way in each direction when a reset comes.
const FRAMES: usize = 8;
/// Buffers of the receiveq and of the transmitq: each virtqueue has a part of the memory of its own.
const BUFFERS: [Range<u32>; 2] = [0x8000..0x1_4000, 0x1_4000..GUEST_BYTES as u32];

/// What was reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resets {
    pub functions: u64,
    pub queues: u64,
    /// Clocks of the longest of them.
    pub longest: u64,
    /// Frames that neighbours exchanged meanwhile.
    pub frames: u64,
}

/// Makes so many resets of functions, and as many of virtqueues, under traffic.
///
/// # Errors
/// If a neighbour's frames suffer, if what was reset touches memory or shows bytes of earlier frames, or does not work afterwards.
pub fn resets(count: u64, seed: u64) -> Result<Resets> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let case = Case { seed, latency: (rng.random_range(1..300), 100), busy: 30, window: Window::All, ops: vec![] };
    let mut bench = Bench::new(&case)?;
    let mut done = Resets::default();
    for number in 0..2 * count {
        let which = (number / 2 % 2) as usize;
        let queue = (number % 2 == 1).then(|| rng.random_range(0..2));
        let clocks =
            one(&mut bench, which, queue, &mut rng).with_context(|| format!("reset {number} of seed {seed}"))?;
        done.longest = done.longest.max(clocks);
        done.functions += u64::from(queue.is_none());
        done.queues += u64::from(queue.is_some());
    }
    for guest in &bench.guests {
        ensure!(
            guest.faults.iter().all(|count| *count == 0),
            "function {} tells of faults: {:?}",
            guest.function,
            guest.faults
        );
    }
    done.frames = bench.neighbours.frames();
    Ok(done)
}

/// A reset of a guest's function, or of one of its virtqueues: how long it takes.
fn one(bench: &mut Bench, which: usize, queue: Option<u16>, rng: &mut ChaCha8Rng) -> Result<u64> {
    let kind = if rng.random() { Feature::RingPacked.bit() } else { 0 };
    let features = Feature::REQUIRED | Feature::RingReset.bit() | kind;
    let guest = &mut bench.guests[which];
    guest.act(&Act::Start { features, size: SIZE, layout: Layout::Apart })?;
    (0..2).try_for_each(|queue| offer(guest, queue, rng))?;
    (0..FRAMES).try_for_each(|_| guest.act(&Act::Receive { length: rng.random_range(60..2000) }))?;
    bench.neighbours.exchange(&bench.dpu, 3, rng.random_range(60..2000))?;
    bench.dpu.sim().skip(rng.random_range(0..1200));

    let guest = &mut bench.guests[which];
    let start = bench.dpu.sim().cycle();
    match queue {
        None => guest.act(&Act::Reset)?,
        Some(queue) => {
            guest.reset_queue(queue)?;
            let memory = bench.dpu.memory(GUESTS[which]);
            memory.watch().forbid(&part(queue));
        }
    }
    let clocks = bench.dpu.sim().cycle() - start;
    bench.neighbours.exchange(&bench.dpu, 3, rng.random_range(60..2000))?;
    bench.settle()?;
    if let Some(queue) = queue {
        bench.dpu.memory(GUESTS[which]).watch().forbid(&[]);
        works_again(bench, which, queue, rng)?;
    }
    bench.guests[which].revive()?;
    Ok(clocks)
}

/// Chains of the longest that are received, and frames that are sent.
fn offer(guest: &mut Guest, queue: u16, rng: &mut ChaCha8Rng) -> Result<()> {
    let Range { start, end } = BUFFERS[usize::from(queue)].clone();
    for number in 0..FRAMES as u32 {
        let length = if queue == 0 { 4000 } else { rng.random_range(80..4000) };
        let at = start + (end - start) / FRAMES as u32 * number;
        let pieces = if rng.random() { vec![(at, length)] } else { vec![(at, 64), (at + 64, length - 64)] };
        let pieces = if rng.random_ratio(1, 8) { vec![(at, length)] } else { pieces };
        guest.act(&Act::Offer { queue: queue as u8, pieces, indirect: false, header: [0; 12] })?;
    }
    guest.act(&Act::Notify { queue: queue as u8, value: 0, strobe: *[3, 15].choose(rng).expect("some") })
}

/// The virtqueue's part of the memory.
fn part(queue: u16) -> [Range<u64>; 2] {
    let rings = 0x1000 + 0x3000 * u64::from(queue);
    let Range { start, end } = BUFFERS[usize::from(queue)].clone();
    [ADDRESS + rings..ADDRESS + rings + 0x3000, ADDRESS + u64::from(start)..ADDRESS + u64::from(end)]
}

/// The virtqueue that was reset is set up anew: frames go through it, and through the other, which was not touched.
fn works_again(bench: &mut Bench, which: usize, queue: u16, rng: &mut ChaCha8Rng) -> Result<()> {
    let guest = &mut bench.guests[which];
    guest.set_up(queue.into(), SIZE, Layout::Apart)?;
    let sent = bench.done.sent;
    offer(guest, queue, rng)?;
    // A frame that comes before its buffers were looked at is dropped.
    bench.settle()?;
    let written = bench.dpu.memory(GUESTS[which]).watch().written;
    if queue == 0 {
        (0..FRAMES).try_for_each(|_| bench.guests[which].act(&Act::Receive { length: 500 }))?;
    }
    bench.settle()?;
    let received = bench.dpu.memory(GUESTS[which]).watch().written - written;
    if queue == 0 {
        ensure!(received == FRAMES as u64 * 512, "{received} bytes are received after the reset of the receiveq");
    } else {
        let sent = bench.done.sent - sent;
        ensure!(sent == FRAMES as u64, "{sent} frames are sent after the reset of the transmitq");
    }
    Ok(())
}
