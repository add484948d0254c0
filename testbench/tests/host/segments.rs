// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checksums and segments that drivers ask for, against the model: `docs/host.md`, "Offloads".

/// Shared with the block's tests.
#[allow(dead_code)] // a part is used
#[path = "../../../hdl/queue/src/asked.rs"]
mod asked;

use crate::bench::{Dpu, PRESET, VF, assert_same, small};
use asked::{random_sent, spoil};
use millrace_driver::Sent;
use millrace_driver::virtio::{Cut, LocalMemory, Representors, Settings};
use millrace_model::host::offload::offload;
use millrace_regs::config::MAX_FRAME;
use millrace_regs::host::{FUNCTION_BAD_OFFLOAD, FUNCTION_NO_BUFFER, TRANSMIT_BYTES};
use millrace_sim::{Bar, Latency};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Frames that the device knows buffers for before the slow path gives some back.
const AT_ONCE: usize = 48;

/// A representor has room for all segments of a packet.
fn representors(dpu: &Dpu) -> Representors<Bar, LocalMemory> {
    let memory = dpu.0.borrow().memory(0).clone();
    let receive = vec![vec![Cut { gap: 0, len: 2048 }]];
    let pairs = PRESET.config().vports() as u16;
    let settings = Settings { pairs, receive, queue_size: 256, merge: true, transmit_buffers: 4, ..small() };
    Representors::start(dpu.bar(0), memory, settings).expect("the ECPF comes up")
}

#[test]
fn what_drivers_ask_for_becomes_what_the_model_makes_of_it() {
    for seed in 0..8 {
        println!("seed {seed}");
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let latency = Latency { cycles: rng.random_range(1..300), jitter: rng.random_range(0..200), busy: 60, seed };
        let dpu = Dpu::new(latency);
        let offloads = seed % 4 != 3;
        let settings = Settings { offloads, packed: seed % 2 == 0, transmit_bytes: TRANSMIT_BYTES + 4 * 70, ..small() };
        let (mut vf, mut ecpf) = (dpu.start(VF, Settings { transmit_buffers: 16, ..settings }), representors(&dpu));
        dpu.run();
        let (mut segments, mut refused) = (0, 0);
        for round in 0..40 {
            let mut due = vec![];
            for _ in 0..rng.random_range(1..4) {
                let longest = if rng.random_ratio(1, 8) { 64_000 } else { 700 };
                let mut sent = random_sent(&mut rng, longest);
                if rng.random() {
                    spoil(&mut rng, &mut sent);
                }
                match offload(&sent.header, vf.features(), &sent.frame) {
                    Ok(frames) if due.len() + frames.len() > AT_ONCE => continue,
                    Ok(frames) => due.extend(frames),
                    Err(_) => refused += 1,
                }
                let cuts: Vec<_> = (0..rng.random_range(0..4)).map(|_| cut(&mut rng)).collect();
                let header = sent.header.try_into().expect("it has its length");
                assert_eq!(vf.send_asking(0, &header, &sent.frame, &cuts).unwrap(), Sent::Accepted);
            }
            dpu.run();
            assert_eq!(dpu.register(0, FUNCTION_NO_BUFFER.offset), 0, "seed {seed}, round {round}");
            // Others are no frames for the core.
            due.retain(|frame| (14..=MAX_FRAME).contains(&frame.len()));
            let left: Vec<_> = ecpf.upcalls(3, usize::MAX).unwrap().into_iter().map(|upcall| upcall.frame).collect();
            assert_same(&left, &due);
            segments += due.len();
            assert_eq!(dpu.register(VF, FUNCTION_BAD_OFFLOAD.offset), refused, "seed {seed}, round {round}");
        }
        assert!(segments > 60 && (refused > 5) == offloads, "seed {seed}: {segments} frames, {refused} refused");
        vf.check().unwrap();
    }
}

fn cut(rng: &mut ChaCha8Rng) -> Cut {
    let longest = if rng.random() { 40_000 } else { 100 };
    Cut { gap: rng.random_range(0..70), len: rng.random_range(1..longest) }
}
