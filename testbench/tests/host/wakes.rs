// SPDX-License-Identifier: MIT OR Apache-2.0
//! Drivers that look at a virtqueue only when a message tells them to, and notify only when the device asks for it: nothing waits for ever.

use crate::bench::{Dpu, Net, PF, PRESET, VF, frame, small};
use crate::interrupts::enable;
use millrace_driver::Sent;
use millrace_driver::virtio::Settings;
use millrace_sim::Latency;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PAIRS: u16 = PRESET.config().queue_pairs as u16;
const FUNCTIONS: [usize; 2] = [PF, VF];
/// Of the PF; the VF's is the next.
const VPORT: u16 = 2;

/// Takes what the messages so far tell of, and counts the frames of each driver; whether there was a message.
fn wake(dpu: &Dpu, nets: &mut [Net; 2], got: &mut [usize; 2]) -> bool {
    let messages: Vec<_> = std::iter::from_fn(|| dpu.0.borrow_mut().interrupt()).collect();
    for message in &messages {
        // Vectors of receiveqs are odd: those of their numbers, after the configuration's.
        let pair = message.vector / 2;
        let driver = FUNCTIONS.iter().position(|function| *function == usize::from(message.function));
        if let Some(at) = driver.filter(|_| message.vector % 2 == 1 && pair < PAIRS) {
            got[at] += nets[at].receive(pair, usize::MAX, |_| ()).expect("the function works");
        }
    }
    !messages.is_empty()
}

#[test]
fn nothing_waits_for_ever() {
    for seed in 0..5 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let latency = Latency { cycles: rng.random_range(1..300), jitter: rng.random_range(0..200), busy: 60, seed };
        let dpu = Dpu::new(latency);
        let (queue_size, packed, indirect) = ([8, 32, 256][seed as usize % 3], seed % 4 != 3, seed % 5 < 3);
        let mut nets = FUNCTIONS.map(|function| {
            enable(&dpu, function);
            dpu.start(function, Settings { pairs: PAIRS, packed, indirect, queue_size, interrupts: true, ..small() })
        });
        let mut ecpf = dpu.representors();
        dpu.run();
        let (mut due, mut got, mut sent, mut upcalls) = ([0; 2], [0; 2], [0; 2], [0; 2]);
        for round in 0..200 {
            for _ in 0..rng.random_range(1..5) {
                let at = rng.random_range(0..FUNCTIONS.len());
                let bytes = frame(100, round);
                match rng.random_range(0..6) {
                    0 | 1 => {
                        assert_eq!(ecpf.packet_out(VPORT + at as u16, &bytes).unwrap(), Sent::Accepted);
                        due[at] += 1;
                    }
                    2 | 3 => sent[at] += nets[at].send(rng.random_range(0..PAIRS), [&bytes[..]]).unwrap(),
                    4 => nets[at].set_promiscuous(round % 2 == 0).unwrap(),
                    _ => (0..rng.random_range(0..700)).for_each(|_| dpu.step()),
                }
                if rng.random() {
                    wake(&dpu, &mut nets, &mut got);
                }
            }
            dpu.run();
            while wake(&dpu, &mut nets, &mut got) {
                dpu.run();
            }
            for (at, upcalls) in upcalls.iter_mut().enumerate() {
                *upcalls += ecpf.upcalls(VPORT + at as u16, usize::MAX).unwrap().len();
            }
            assert_eq!((got, upcalls), (due, sent), "round {round}");
        }
    }
}
