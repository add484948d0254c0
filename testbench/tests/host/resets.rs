// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions, and virtqueues alone, that are reset under traffic.

use crate::bench::{Dpu, Net, PF, VF, assert_same, frame, receive, small, split};
use millrace_driver::virtio::DmaMemory;
use millrace_sim::Latency;

/// Frames of these numbers.
fn frames(numbers: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    numbers.map(|number| frame(60 + 83 * number as usize, number)).collect()
}

/// Sends frames of these numbers; those that fit.
fn send(net: &mut Net, numbers: std::ops::Range<u64>) {
    let frames = frames(numbers);
    net.send(0, frames.iter().map(Vec::as_slice)).unwrap();
}

#[test]
fn a_reset_under_traffic_ends_touches_nothing_afterwards_and_harms_no_other_function() {
    for clocks in (0..2000).step_by(131) {
        let dpu = Dpu::new(Latency { cycles: 150, jitter: 100, busy: 30, seed: clocks });
        let (mut vf, mut pf, mut ecpf) = (dpu.start(VF, small()), dpu.start(PF, small()), dpu.representors());
        dpu.run();
        send(&mut vf, 0..20);
        send(&mut pf, 0..12);
        for number in 0..12 {
            let _ = ecpf.packet_out(3, &frame(500, number)).unwrap();
            let _ = ecpf.packet_out(2, &frame(500, number)).unwrap();
        }
        for _ in 0..clocks {
            dpu.step();
        }
        let (bar, memory) = vf.stop().unwrap();
        let mut before = vec![0; memory.bytes()];
        memory.read(0, &mut before);
        dpu.run();
        let mut after = vec![0; memory.bytes()];
        memory.read(0, &mut after);
        assert!(before == after, "{clocks} clocks: the memory was written after the reset had ended");
        assert_eq!(ecpf.upcalls(2, 100).unwrap().len(), 12, "{clocks} clocks");
        let mut received = 0;
        pf.receive(0, usize::MAX, |_| received += 1).unwrap();
        assert_eq!(received, 12, "{clocks} clocks");
        ecpf.upcalls(3, 100).unwrap();

        // The driver comes back, with rings that begin anew.
        let mut vf = Net::start(bar, memory, small()).unwrap();
        dpu.run();
        let bytes = frame(200, 99);
        assert_eq!(vf.send(0, [&bytes[..]]).unwrap(), 1);
        let _ = ecpf.packet_out(3, &bytes).unwrap();
        dpu.run();
        assert_eq!(ecpf.upcalls(3, 100).unwrap().pop().map(|upcall| upcall.frame == bytes), Some(true));
        let mut received = vec![];
        vf.receive(0, usize::MAX, |frame| received.push(frame.to_vec())).unwrap();
        assert!(received == [bytes], "{clocks} clocks");
    }
}

#[test]
fn a_reset_of_a_queue_under_traffic_loses_no_frame_but_its_own() {
    for (round, clocks) in (0..2000).step_by(131).enumerate() {
        let (queue, settings) = (round as u16 % 2, if round % 4 < 2 { small() } else { split() });
        let dpu = Dpu::new(Latency { cycles: 150, jitter: 100, busy: 30, seed: clocks });
        let (mut vf, mut pf, mut ecpf) = (dpu.start(VF, settings), dpu.start(PF, small()), dpu.representors());
        dpu.run();
        send(&mut vf, 0..20);
        let into: Vec<_> = (0..12).map(|number| frame(500, number)).collect();
        for bytes in &into {
            let _ = ecpf.packet_out(3, bytes).unwrap();
            let _ = ecpf.packet_out(2, bytes).unwrap();
        }
        for _ in 0..clocks {
            dpu.step();
        }
        vf.reset_queue(queue).unwrap();
        dpu.run();
        let out: Vec<_> = ecpf.upcalls(3, 100).unwrap().into_iter().map(|upcall| upcall.frame).collect();
        let received = receive(&mut vf);
        // What the queue that was reset had under way is lost: the first of what came in, the last of what went out.
        assert!(if queue == 0 { out.len() == 20 } else { received.len() == 12 }, "{clocks} clocks");
        assert_same(&out, &frames(0..20)[..out.len()]);
        assert_same(&received, &into[12 - received.len()..]);
        assert_same(&receive(&mut pf), &into);

        let bytes = frame(200, 99);
        vf.reclaim(0).unwrap();
        assert_eq!(vf.queues(0).unwrap()[1].outstanding(), 0, "{clocks} clocks");
        assert_eq!(vf.send(0, [&bytes[..]]).unwrap(), 1);
        let _ = ecpf.packet_out(3, &bytes).unwrap();
        dpu.run();
        assert_eq!(ecpf.upcalls(3, 100).unwrap().pop().map(|upcall| upcall.frame == bytes), Some(true));
        assert!(receive(&mut vf) == [bytes], "{clocks} clocks");
        vf.check().unwrap();
    }
}
