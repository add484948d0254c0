// SPDX-License-Identifier: MIT OR Apache-2.0
//! How functions share what can be sent: `docs/host.md`, "Weights".

use crate::bench::{Dpu, Net, PF, VF, frame, small};
use millrace_driver::virtio::{Settings, VirtioPci};
use millrace_regs::host::{FUNCTION_WEIGHT, LIMITS};
use millrace_sim::Latency;

/// Cycles between two looks of the drivers, looks over which is counted, and those before.
const LOOK: u64 = 500;
const LOOKS: usize = 600;
const FIRST: usize = 40;

/// A function that always has something to send on each of its pairs.
#[derive(Clone, Copy, Debug)]
struct Sender {
    function: usize,
    packed: bool,
    pairs: u16,
    bytes: usize,
    weight: u32,
}

const fn sender(function: usize, packed: bool, pairs: u16, bytes: usize, weight: u32) -> Sender {
    Sender { function, packed, pairs, bytes, weight }
}

fn weigh(dpu: &Dpu, senders: &[Sender]) {
    for Sender { function, weight, .. } in senders {
        dpu.bar(0).write32(LIMITS.at(*function as u32) + FUNCTION_WEIGHT.offset, *weight).unwrap();
    }
}

fn start(dpu: &Dpu, sender: &Sender) -> Net {
    let Sender { packed, pairs, .. } = *sender;
    let queue = Settings { queue_size: 128, transmit_buffers: 128, transmit_bytes: 2048, ..small() };
    dpu.start(sender.function, Settings { packed, pairs, ..queue })
}

/// Sends as much as fits on each pair; how many frames had been read.
fn keep_busy(net: &mut Net, pairs: u16, frame: &[u8]) -> usize {
    let read = (0..pairs).map(|pair| {
        let read = net.reclaim(pair).unwrap();
        net.send(pair, std::iter::repeat_n(frame, 128)).unwrap();
        read
    });
    read.sum()
}

/// Bytes that each has sent, with its header.
fn sent(senders: &[Sender]) -> Vec<usize> {
    let dpu = Dpu::new(Latency { cycles: 250, jitter: 60, ..Latency::default() });
    weigh(&dpu, senders);
    let mut nets: Vec<_> = senders.iter().map(|sender| (start(&dpu, sender), frame(sender.bytes, 1))).collect();
    let mut counts = vec![0; nets.len()];
    for look in 0..FIRST + LOOKS {
        for ((sender, (net, frame)), count) in senders.iter().zip(&mut nets).zip(&mut counts) {
            let read = keep_busy(net, sender.pairs, frame) * (sender.bytes + 12);
            *count += if look < FIRST { 0 } else { read };
        }
        dpu.0.borrow_mut().skip(LOOK);
    }
    nets.iter_mut().for_each(|(net, _)| net.check().unwrap());
    counts
}

#[test]
fn functions_that_always_have_frames_send_bytes_by_their_weights() {
    for senders in [
        vec![sender(PF, true, 1, 1500, 4), sender(VF, false, 1, 1500, 1)],
        vec![sender(PF, false, 2, 700, 2), sender(VF, true, 1, 1500, 6)],
        vec![sender(PF, true, 2, 1500, 10), sender(VF, true, 2, 500, 5), sender(VF + 1, false, 1, 1500, 0)],
    ] {
        let counts = sent(&senders);
        println!("{senders:?}: {counts:?}");
        let unweighted: Vec<_> = senders.iter().map(|sender| Sender { weight: 0, ..*sender }).collect();
        let before = sent(&unweighted);
        println!("without: {before:?}");
        let sum: u32 = senders.iter().map(|sender| sender.weight.max(1)).sum();
        let all = counts.iter().sum::<usize>();
        for (sender, count) in senders.iter().zip(&counts) {
            let due = all as f64 * f64::from(sender.weight.max(1)) / f64::from(sum);
            assert!((*count as f64 - due).abs() < 0.08 * due, "{count} of {sender:?} where {due} is due");
        }
        let total = before.iter().sum::<usize>();
        assert!(all as f64 > 0.95 * total as f64, "{all} bytes with weights, {total} without");
    }
}

#[test]
fn who_is_alone_has_all_and_who_is_slow_is_not_waited_for() {
    let alone = [1, 0].map(|weight| sent(&[sender(VF, false, 1, 1500, weight)])[0]);
    assert_eq!(alone[0], alone[1]);
    // A function with a weight that sends nothing, and one whose short frames are limited by its round trips.
    let short = sender(PF, false, 1, 60, 255);
    let counts = sent(&[short, sender(VF, true, 1, 1500, 1)]);
    let without = sent(&[Sender { weight: 0, ..short }, sender(VF, true, 1, 1500, 0)]);
    println!("{counts:?}, without {without:?}");
    assert!(counts[0] > without[0] * 9 / 10, "{counts:?}, without {without:?}");
    assert!(counts[1] > without[1] * 8 / 10, "{counts:?}, without {without:?}");
}

#[test]
fn a_weight_is_the_ecpfs() {
    let dpu = Dpu::new(Latency::default());
    let offset = LIMITS.at(VF as u32) + FUNCTION_WEIGHT.offset;
    let mut bar = dpu.bar(0);
    assert_eq!(bar.read32(offset).unwrap(), 0);
    bar.write32(offset, u32::MAX).unwrap();
    assert_eq!(bar.read32(offset).unwrap(), FUNCTION_WEIGHT.mask());
    assert!(dpu.bar(VF).read32(offset).is_err());
}
