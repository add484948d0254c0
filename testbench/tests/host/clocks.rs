// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clocks that stand still change nothing.

use crate::bench::{Dpu, Net, PF, PRESET, VF, frame, receive};
use crate::interrupts::{enable, mask};
use crate::traffic::random_settings;
use millrace_driver::virtio::{LocalMemory, Representors, Settings, VirtioPci};
use millrace_regs::host::{FUNCTION, FUNCTION_MODERATION};
use millrace_sim::{Bar, Interrupt, Latency};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Something that a run shows.
#[derive(Debug, PartialEq)]
enum Event {
    /// An operation is over.
    Done,
    Told(Interrupt),
    /// Through an uplink; with the cycle of its last beat.
    Left(usize, u64, Vec<u8>),
    Received(usize, Vec<Vec<u8>>),
    Upcalls(Vec<Vec<u8>>),
}

/// Drivers of the PF and a VF, at traffic, with all that shows of it by cycles.
struct Run {
    dpu: Dpu,
    rng: ChaCha8Rng,
    nets: [Net; 2],
    ecpf: Representors<Bar, LocalMemory>,
    number: u64,
    history: Vec<(u64, Event)>,
}

const FUNCTIONS: [usize; 2] = [PF, VF];

impl Run {
    fn new(seed: u64, gating: bool) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let busy = rng.random_range(0..2) * 60;
        let latency = Latency { cycles: rng.random_range(1..300), jitter: rng.random_range(0..200), busy, seed };
        let dpu = Dpu::new(latency);
        dpu.0.borrow_mut().set_gating(gating);
        for function in FUNCTIONS {
            enable(&dpu, function);
            let clocks = rng.random_range(0..2) * 700;
            dpu.bar(0).write32(FUNCTION.at(function as u32) + FUNCTION_MODERATION.offset, clocks).unwrap();
        }
        let nets = FUNCTIONS.map(|function| dpu.start(function, settings(&mut rng)));
        let ecpf = dpu.representors();
        Self { dpu, rng, nets, ecpf, number: 0, history: vec![] }
    }

    fn note(&mut self, event: Event) {
        self.history.push((self.dpu.0.borrow().cycle(), event));
    }

    fn frame(&mut self) -> Vec<u8> {
        self.number += 1;
        let long = self.rng.random_ratio(1, 8);
        frame(self.rng.random_range(14..if long { 9217 } else { 300 }), self.number)
    }

    fn operate(&mut self) {
        let which = self.rng.random_range(0..2);
        match self.rng.random_range(0..40) {
            0..14 => {
                let frames: Vec<_> = (0..self.rng.random_range(1..10)).map(|_| self.frame()).collect();
                self.nets[which].send(0, frames.iter().map(Vec::as_slice)).unwrap();
            }
            14..26 => {
                let (vport, frame) = (self.rng.random_range(1..4), self.frame());
                let _ = self.ecpf.packet_out(vport, &frame).unwrap();
            }
            26..28 => {
                let frame = self.frame();
                self.dpu.send(which, &frame);
            }
            28..30 => {
                let masked = self.rng.random_ratio(1, 4);
                mask(&self.dpu, FUNCTIONS[which], 1, masked);
            }
            30..32 => {
                let masked = self.rng.random_ratio(1, 4);
                self.dpu.0.borrow_mut().set_msix(FUNCTIONS[which], true, masked);
            }
            32..34 => {
                self.dpu.0.borrow_mut().set_bus_master(FUNCTIONS[which], false);
                self.steps();
                self.dpu.0.borrow_mut().set_bus_master(FUNCTIONS[which], true);
            }
            34 => {
                let function = FUNCTIONS[which];
                let settings = settings(&mut self.rng);
                let memory = self.dpu.0.borrow().memory(function).clone();
                self.nets[which] = Net::start(self.dpu.bar(function), memory, settings).unwrap();
            }
            _ => self.dpu.run(),
        }
        self.note(Event::Done);
    }

    /// Some clocks, and what the device gives in them.
    fn steps(&mut self) {
        for _ in 0..self.rng.random_range(0..600) {
            self.dpu.step();
            let told = self.dpu.0.borrow_mut().interrupt();
            told.into_iter().for_each(|message| self.note(Event::Told(message)));
        }
        for uplink in 0..PRESET.config().uplinks {
            let left = self.dpu.0.borrow_mut().recv(uplink);
            left.into_iter().for_each(|left| self.note(Event::Left(uplink, left.cycle, left.frame)));
        }
    }

    /// What drivers find.
    fn look(&mut self) {
        for (i, function) in FUNCTIONS.into_iter().enumerate() {
            let frames = receive(&mut self.nets[i]);
            self.nets[i].reclaim(0).unwrap();
            self.note(Event::Received(function, frames));
        }
        let upcalls = self.ecpf.upcalls(self.rng.random_range(0..4), 100).unwrap();
        self.note(Event::Upcalls(upcalls.into_iter().map(|upcall| upcall.frame).collect()));
    }
}

fn settings(rng: &mut ChaCha8Rng) -> Settings {
    let merge = rng.random();
    Settings { merge, interrupts: rng.random(), ..random_settings(rng, merge) }
}

fn history(seed: u64, gating: bool) -> Vec<(u64, Event)> {
    let mut run = Run::new(seed, gating);
    for _ in 0..120 {
        run.operate();
        run.steps();
        if run.rng.random_ratio(1, 3) {
            run.look();
        }
    }
    run.dpu.run();
    run.steps();
    run.look();
    run.history
}

#[test]
fn clocks_that_stand_still_change_nothing_that_shows_and_no_cycle() {
    let (mut received, mut told) = (0, 0);
    for seed in 0..8 {
        println!("seed {seed}");
        let (gated, free) = (history(seed, true), history(seed, false));
        let differs = gated.iter().zip(&free).position(|(a, b)| a != b);
        let at = differs.map(|i| (gated[i].0, free[i].0, std::mem::discriminant(&gated[i].1)));
        assert_eq!((differs, at, gated.len()), (None, None, free.len()), "seed {seed}: first event that differs");
        for (_, event) in &gated {
            match event {
                Event::Received(_, frames) => received += frames.len(),
                Event::Told(_) => told += 1,
                _ => (),
            }
        }
    }
    assert!(received > 25 && told > 25, "{received} frames, {told} messages: the runs show little");
}
