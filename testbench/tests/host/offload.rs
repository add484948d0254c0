// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path behind its rings: the first packet of a flow goes through it, the rest stay in hardware.

use crate::bench::{Dpu, VF, assert_same, small};
use millrace_firmware::openflow::{Ports, parse_flow_file};
use millrace_firmware::slowpath::{Settings, SlowPath};
use millrace_sim::{EmbeddedDpu, Latency};

/// UDP from 10.0.0.1 to 10.0.0.2.
fn udp(number: u8) -> Vec<u8> {
    let mut frame =
        vec![0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x08, 0x00, 0x45, 0, 0, 46, 0, number, 0, 0, 64, 17, 0, 0];
    frame.extend([10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x00, 0x35, 0, 26, 0, 0]);
    frame.extend([number; 18]);
    frame
}

#[test]
fn a_flow_of_a_vf_is_handed_over_to_the_hardware_through_the_representors_rings() {
    let dpu = Dpu::new(Latency::default());
    let mut vf = dpu.start(VF, small());
    let memory = dpu.0.borrow().memory(0).clone();
    let mut device = EmbeddedDpu::new(dpu.0.clone(), memory, small()).unwrap();
    let flows =
        parse_flow_file("flows", "in_port=4,ip,actions=output:2\npriority=0,actions=drop\n", Ports::new(4, 2)).unwrap();
    let mut slow = SlowPath::new(&mut device, flows, Settings::default()).unwrap();
    let mut run = |slow: &mut SlowPath, clocks: usize| {
        for _ in 0..clocks {
            millrace_driver::Device::poll(&mut device).unwrap();
            slow.poll(&mut device).unwrap();
        }
    };
    run(&mut slow, 3000);
    let frames: Vec<_> = (0..30).map(udp).collect();
    for (number, burst) in frames.chunks(10).enumerate() {
        assert_eq!(vf.send(0, burst.iter().map(Vec::as_slice)).unwrap(), 10);
        // Longer than a flow takes that is handed over.
        run(&mut slow, 400_000);
        vf.reclaim(0).unwrap();
        assert_eq!(slow.stats().misses, 10, "burst {number}: only the first one goes up");
    }
    let left: Vec<_> = std::iter::from_fn(|| dpu.recv(1)).collect();
    assert_same(&left, &frames);
}
