// SPDX-License-Identifier: MIT OR Apache-2.0
//! MSI-X messages to our drivers, of tables that the test bed writes as a host's kernel does.

use crate::bench::{Dpu, Net, PF, PRESET, VF, frame, receive, small, split};
use millrace_driver::virtio::{DmaMemory, Fault, Isr, Settings, VirtioError, VirtioPci};
use millrace_regs::host::{
    FUNCTION, FUNCTION_MODERATION, FaultReason, MSIX_PENDING, MSIX_TABLE, NOTIFY, VECTOR_MASKED, msix,
};
use millrace_sim::{Interrupt, Latency};

/// The message of a vector.
fn message(function: usize, vector: u16) -> Interrupt {
    let address = 0x1_fee0_0000 + 0x1000 * function as u64 + 0x10 * u64::from(vector);
    Interrupt { function: function as u8, vector, address, data: 0x4020 + u32::from(vector) }
}

/// MSI-X is enabled, each vector has its message, and none is masked.
pub fn enable(dpu: &Dpu, function: usize) {
    let mut bar = dpu.bar(function);
    for vector in 0..PRESET.config().vectors_of_function(function) as u16 {
        let Interrupt { address, data, .. } = message(function, vector);
        let entry = MSIX_TABLE.at(vector.into());
        bar.write32(entry + msix::MESSAGE_ADDRESS.offset, address as u32).unwrap();
        bar.write32(entry + msix::MESSAGE_ADDRESS.offset + 4, (address >> 32) as u32).unwrap();
        bar.write32(entry + msix::MESSAGE_DATA.offset, data).unwrap();
    }
    dpu.0.borrow_mut().set_msix(function, true, false);
    (0..PRESET.config().vectors_of_function(function) as u16).for_each(|vector| mask(dpu, function, vector, false));
}

pub fn mask(dpu: &Dpu, function: usize, vector: u16, masked: bool) {
    let control = MSIX_TABLE.at(vector.into()) + msix::VECTOR_CONTROL.offset;
    dpu.bar(function).write32(control, u32::from(masked) * VECTOR_MASKED).unwrap();
}

fn pending(dpu: &Dpu, function: usize) -> u32 {
    dpu.bar(function).read32(MSIX_PENDING.at(0)).unwrap()
}

/// The messages since the last time, until nothing is under way.
fn messages(dpu: &Dpu) -> Vec<Interrupt> {
    dpu.run();
    std::iter::from_fn(|| dpu.0.borrow_mut().interrupt()).collect()
}

/// A function with MSI-X and a driver that asks for interrupts.
fn start(dpu: &Dpu, function: usize) -> Net {
    start_with(dpu, function, small())
}

fn start_with(dpu: &Dpu, function: usize, settings: Settings) -> Net {
    enable(dpu, function);
    dpu.start(function, Settings { interrupts: true, ..settings })
}

#[test]
fn a_frame_gives_the_message_of_its_virtqueue_when_it_is_there() {
    let latencies = [Latency::default(), Latency { cycles: 100, jitter: 400, busy: 80, seed: 3 }];
    for latency in latencies {
        let dpu = Dpu::new(latency);
        let (mut vf, mut pf, mut ecpf) = (start(&dpu, VF), start(&dpu, PF), dpu.representors());
        assert_eq!(messages(&dpu), []);
        for number in 0..3 {
            let bytes = frame(200, number);
            let _ = ecpf.packet_out(3, &bytes).unwrap();
            let told = (0..100_000).find_map(|_| {
                dpu.step();
                dpu.0.borrow_mut().interrupt()
            });
            assert_eq!(told, Some(message(VF, 1)));
            assert!(receive(&mut vf) == [bytes], "the frame is there when the message comes");
            assert_eq!(vf.isr().unwrap(), Isr { queue: true, configuration: false });
        }
        assert_eq!((messages(&dpu), receive(&mut pf).len()), (vec![], 0));
        assert_eq!(vf.send(0, [&frame(100, 1)[..]]).unwrap(), 1);
        assert_eq!(pf.send(0, [&frame(100, 1)[..]]).unwrap(), 1);
        let mut told = messages(&dpu);
        told.sort_by_key(|message| message.function);
        assert_eq!(told, [message(PF, 2), message(VF, 2)], "each function has a table of its own");
    }
}

#[test]
fn a_driver_without_interrupts_gets_none() {
    let dpu = Dpu::new(Latency::default());
    enable(&dpu, VF);
    let (mut vf, mut ecpf) = (dpu.start(VF, small()), dpu.representors());
    let _ = ecpf.packet_out(3, &frame(200, 1)).unwrap();
    assert_eq!((messages(&dpu), pending(&dpu, VF), receive(&mut vf).len()), (vec![], 0, 1));
}

#[test]
fn a_masked_vector_pends_until_it_is_not() {
    type Bar = fn(&Dpu, bool);
    let bars: [Bar; 3] = [
        |dpu, on| mask(dpu, VF, 1, on),
        |dpu, on| dpu.0.borrow_mut().set_msix(VF, true, on),
        |dpu, on| dpu.0.borrow_mut().set_msix(VF, !on, false),
    ];
    for bar in bars {
        let dpu = Dpu::new(Latency::default());
        let (mut vf, mut ecpf) = (start(&dpu, VF), dpu.representors());
        bar(&dpu, true);
        for number in 0..3 {
            let _ = ecpf.packet_out(3, &frame(200, number)).unwrap();
            dpu.run();
        }
        assert_eq!((messages(&dpu), pending(&dpu, VF), pending(&dpu, PF)), (vec![], 0b10, 0));
        assert_eq!(receive(&mut vf).len(), 3);
        bar(&dpu, false);
        assert_eq!(messages(&dpu), [message(VF, 1)], "once for all of them");
        assert_eq!(pending(&dpu, VF), 0);
    }
}

#[test]
fn a_function_that_loses_its_bus_gives_what_pends_when_it_has_it_again() {
    let dpu = Dpu::new(Latency::default());
    let (mut vf, mut ecpf) = (start(&dpu, VF), dpu.representors());
    mask(&dpu, VF, 1, true);
    let _ = ecpf.packet_out(3, &frame(200, 1)).unwrap();
    dpu.run();
    dpu.0.borrow_mut().set_bus_master(VF, false);
    mask(&dpu, VF, 1, false);
    assert_eq!((messages(&dpu), pending(&dpu, VF)), (vec![], 0b10));
    dpu.0.borrow_mut().set_bus_master(VF, true);
    assert_eq!((messages(&dpu), receive(&mut vf).len()), (vec![message(VF, 1)], 1));
}

#[test]
fn a_fault_gives_the_message_of_the_configuration_and_a_reset_drops_what_pends() {
    let dpu = Dpu::new(Latency::default());
    let (mut vf, mut pf) = (start_with(&dpu, VF, split()), start(&dpu, PF));
    let rings = vf.queues(0).unwrap()[1].rings();
    let breaks = |vf: &mut Net| {
        vf.memory().store16(rings.available + 2, 0x4000);
        vf.transport().write16(NOTIFY.at(1), 1).unwrap();
    };
    breaks(&mut vf);
    assert_eq!(messages(&dpu), [message(VF, 0)]);
    assert_eq!(vf.isr().unwrap(), Isr { queue: false, configuration: true });
    let fault = Fault { reason: FaultReason::AvailIndex as u8, virtqueue: 1 };
    assert!(matches!(vf.check(), Err(VirtioError::NeedsReset(told)) if told == fault));

    vf.restart().unwrap();
    mask(&dpu, VF, 0, true);
    breaks(&mut vf);
    assert_eq!((messages(&dpu), pending(&dpu, VF)), (vec![], 1));
    vf.restart().unwrap();
    assert_eq!(pending(&dpu, VF), 0);
    mask(&dpu, VF, 0, false);
    assert_eq!(messages(&dpu), [], "what it told of is gone");
    breaks(&mut vf);
    assert_eq!(messages(&dpu), [message(VF, 0)], "the table has stayed");
    pf.check().unwrap();
}

#[test]
fn moderated_messages_are_so_many_clocks_apart_and_the_last_frame_is_told() {
    const CLOCKS: u32 = 5000;
    let dpu = Dpu::new(Latency::default());
    let (mut vf, mut ecpf) = (start(&dpu, VF), dpu.representors());
    let moderation = FUNCTION.at(VF as u32) + FUNCTION_MODERATION.offset;
    dpu.0.borrow_mut().write_bar(0, moderation, CLOCKS, 0xf).unwrap();
    dpu.run();
    let (mut told, mut sent, mut received) = (vec![], 0, 0);
    for clock in 0..60_000_u64 {
        if clock.is_multiple_of(500) && sent < 60 {
            let _ = ecpf.packet_out(3, &frame(200, sent)).unwrap();
            sent += 1;
        }
        dpu.step();
        if dpu.0.borrow_mut().interrupt().is_some() {
            told.push(dpu.0.borrow().cycle());
            received += receive(&mut vf).len();
        }
    }
    let gaps: Vec<_> = told.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= CLOCKS.into()), "{gaps:?}");
    assert!((5..=9).contains(&told.len()) && received == 60, "{} messages, {received} frames", told.len());
}
