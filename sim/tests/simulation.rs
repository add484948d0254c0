// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Verilated core in its test bed. What the core does with rules is tested where rules are made; here everything misses.

use millrace_sim::{Access, BusError, NewError, Preset, Ready, Received, Simulation, Upcall};

const ID: u16 = 0x0000;
const SCRATCH: u16 = 0x0018;
const STATUS: u16 = 0x0048;
/// Cycles in which every test's traffic is through.
const ENOUGH: u64 = 1_000_000;

fn frame(id: u8, length: usize) -> Vec<u8> {
    (0..length).map(|i| id.wrapping_mul(31).wrapping_add(i as u8)).collect()
}

fn simulation(preset: Preset) -> Simulation {
    println!("preset {preset}");
    let mut simulation = Simulation::new(preset).unwrap();
    assert!(simulation.run_until_idle(ENOUGH), "the core does not come to rest after reset");
    simulation
}

#[test]
fn only_presets_that_are_built_in_are_simulated() {
    assert_eq!(Simulation::new(Preset::Alveo).err(), Some(NewError::NotBuiltIn(Preset::Alveo)));
}

#[test]
fn registers_are_read_and_written_and_errors_come_back() {
    for preset in Preset::SIMULATED {
        let mut simulation = simulation(preset);
        assert_eq!(simulation.read32(ID), Ok(0x4d49_4c4c));
        assert_eq!(simulation.read32(8), Ok(preset.config().registers()[0]));
        simulation.write32(SCRATCH, 0x1234_5678).unwrap();
        assert_eq!(simulation.read32(SCRATCH), Ok(0x1234_5678));
        let refused = |access, offset: u16| Err(BusError::Refused { access, offset: offset.into(), response: 2 });
        assert_eq!(simulation.write32(ID, 1), refused(Access::Write, ID).map(|_: u32| ()));
        assert_eq!(simulation.read32(0xfffc), refused(Access::Read, 0xfffc));
        assert_eq!(simulation.write_bytes(SCRATCH, 0, 0b0011), refused(Access::Write, SCRATCH).map(|_: u32| ()));
        assert_eq!(simulation.read32(SCRATCH), Ok(0x1234_5678));
    }
}

#[test]
fn frames_of_all_lengths_miss_and_come_back_whole_from_every_vport() {
    for preset in Preset::SIMULATED {
        let mut simulation = simulation(preset);
        let longest = simulation.config().max_frame;
        let lengths = [14, 15, 60, 63, 64, 65, 127, 128, 129, 1518, longest - 1, longest];
        for vport in 0..simulation.config().vports() {
            for length in lengths {
                simulation.send(vport, frame(vport as u8, length));
            }
            assert!(simulation.run_until_idle(ENOUGH));
            for length in lengths {
                let Upcall { vport: from, reason, frame: back, .. } = simulation.upcall().unwrap();
                assert_eq!((from as usize, reason, back.len()), (vport, 0, length));
                assert!(back == frame(vport as u8, length), "vport {vport}, {length} bytes");
            }
            assert_eq!(simulation.upcall(), None);
            assert_eq!(simulation.entered(vport).0, 12);
        }
    }
}

#[test]
fn frames_that_have_not_begun_to_enter_can_be_taken_back() {
    for preset in Preset::SIMULATED {
        let mut simulation = simulation(preset);
        (0..10).for_each(|id| simulation.send(1, frame(id, 300)));
        (0..3).for_each(|_| simulation.step());
        let withdrawn = simulation.withdraw(1) as u64;
        assert!(simulation.run_until_idle(ENOUGH));
        let entered = simulation.entered(1).0;
        assert!(entered > 0 && withdrawn > 0 && entered + withdrawn == 10, "{entered} entered, {withdrawn} did not");
        simulation.send(1, frame(20, 60));
        assert!(simulation.run_until_idle(ENOUGH));
        let ids = (0..entered as u8).map(|id| frame(id, 300)).chain([frame(20, 60)]);
        assert!(ids.eq(std::iter::from_fn(|| simulation.upcall().map(|upcall| upcall.frame))));
    }
}

#[test]
fn faulty_frames_go_nowhere() {
    for preset in Preset::SIMULATED {
        let mut simulation = simulation(preset);
        simulation.send(0, frame(1, 13));
        let too_long = simulation.config().max_frame + 1;
        simulation.send(1, frame(1, too_long));
        simulation.send_with_error(2, frame(1, 200));
        simulation.send(3, frame(4, 14));
        assert!(simulation.run_until_idle(ENOUGH));
        assert_eq!(simulation.upcall().map(|upcall| upcall.vport), Some(3));
        assert_eq!(simulation.upcall(), None);
    }
}

#[test]
fn packets_of_the_slow_path_leave_through_their_vport() {
    for preset in Preset::SIMULATED {
        let mut simulation = simulation(preset);
        let vports = simulation.config().vports();
        for vport in 0..vports {
            assert!(simulation.packet_out(vport as u8, frame(vport as u8, 70 + vport)));
        }
        assert!(simulation.packet_out(200, frame(0, 60)), "the core drops this one");
        assert!(simulation.run_until_idle(ENOUGH));
        for vport in 0..vports {
            let received = simulation.recv(vport).unwrap();
            assert!(received.frame == frame(vport as u8, 70 + vport) && received.cycle >= received.first_cycle);
            assert_eq!(simulation.recv(vport), None);
        }
    }
}

#[test]
fn the_packet_out_queue_is_bounded() {
    for preset in Preset::SIMULATED {
        let mut simulation = simulation(preset);
        let accepted = (0..1000).take_while(|_| simulation.packet_out(0, frame(0, 60))).count();
        assert!((1..1000).contains(&accepted));
        assert_eq!(simulation.packet_out_pending(), accepted);
        assert!(simulation.run_until_idle(ENOUGH));
        assert_eq!((simulation.received(0), simulation.packet_out(0, frame(0, 60))), (accepted, true));
    }
}

#[test]
fn a_sink_that_is_not_ready_loses_nothing() {
    for preset in Preset::SIMULATED {
        for pattern in [Ready::Periodic { on: 1, off: 5 }, Ready::Random { of_256: 60, seed: 7 }] {
            let mut simulation = simulation(preset);
            simulation.set_ready(3, pattern);
            let sent: Vec<Vec<u8>> = (0..40).map(|i| frame(i, 60 + 37 * i as usize)).collect();
            let mut left = sent.clone().into_iter().peekable();
            while left.peek().is_some() {
                while let Some(next) = left.peek()
                    && simulation.packet_out(3, next.clone())
                {
                    left.next();
                }
                simulation.step();
            }
            assert!(simulation.run_until_idle(ENOUGH));
            let received: Vec<Vec<u8>> = std::iter::from_fn(|| simulation.recv(3)).map(|r| r.frame).collect();
            assert!(received == sent, "{pattern:?}: {} frames of {}", received.len(), sent.len());
        }
        let mut simulation = simulation(preset);
        simulation.set_ready(3, Ready::Never);
        simulation.packet_out(3, frame(1, 60));
        assert!(!simulation.run_until_idle(10_000) && simulation.recv(3).is_none());
        simulation.set_ready(3, Ready::Always);
        assert!(simulation.run_until_idle(ENOUGH) && simulation.recv(3).is_some());
    }
}

#[test]
fn frames_that_come_while_the_tables_are_cleared_after_a_reset_wait_for_its_end() {
    for preset in Preset::SIMULATED {
        let mut simulation = simulation(preset);
        assert_eq!(simulation.read32(STATUS), Ok(0), "cycle 0 is after the sweep");
        // Cut in the middle of a frame, and with another in the core.
        simulation.send(0, frame(1, 60));
        simulation.send(1, frame(2, 1518));
        for _ in 0..simulation.config().bus_bytes().min(20) {
            simulation.step();
        }
        simulation.write32(SCRATCH, 5).unwrap();
        simulation.reset();
        let start = simulation.cycle();
        for vport in 0..simulation.config().vports() {
            simulation.send(vport, frame(vport as u8, 100));
        }
        assert_eq!((simulation.read32(STATUS), simulation.read32(SCRATCH)), (Ok(1), Ok(0)));
        // With passes it begins when the 256 places for frames are cleared.
        let places = if simulation.config().passes > 1 { 256 } else { 0 };
        let sweep = simulation.config().sweep_clocks() as u64 + places;
        while simulation.read32(STATUS) != Ok(0) {
            assert_eq!(simulation.upcalls_waiting(), 0);
        }
        let clocks = simulation.cycle() - start;
        assert!((sweep..sweep + 80).contains(&clocks), "{preset}: {clocks} clocks");
        assert!(simulation.run_until_idle(ENOUGH));
        let upcalls: Vec<Upcall> = std::iter::from_fn(|| simulation.upcall()).collect();
        for vport in 0..simulation.config().vports() {
            let sent = frame(vport as u8, 100);
            assert!(upcalls.iter().any(|upcall| usize::from(upcall.vport) == vport && upcall.frame == sent), "{vport}");
        }
        assert!(upcalls.iter().all(|upcall| [60, 100, 1518].contains(&upcall.frame.len())), "no frame is cut");
    }
}

/// A run with idle gaps and register accesses between: everything that came out, with its cycle.
fn busy_run(preset: Preset, gating: bool) -> (Vec<Upcall>, Vec<Received>, Vec<u32>, u64) {
    let mut simulation = simulation(preset);
    simulation.set_gating(gating);
    let vports = simulation.config().vports();
    simulation.set_ready(0, Ready::Random { of_256: 90, seed: 1 });
    let mut read = vec![];
    for round in 0..60_u64 {
        for vport in 0..(round % 5) as usize {
            simulation.send(vport % vports, frame(round as u8, 14 + (round * 97) as usize % 2000));
        }
        simulation.packet_out(0, frame(round as u8, 64 + round as usize));
        simulation.skip(round * 13 % 900);
        simulation.write32(SCRATCH, round as u32).unwrap();
        read.push(simulation.read32(SCRATCH).unwrap());
    }
    simulation.skip(200_000);
    let upcalls = std::iter::from_fn(|| simulation.upcall()).collect();
    let received = std::iter::from_fn(|| simulation.recv(0)).collect();
    (upcalls, received, read, simulation.cycle())
}

#[test]
fn gated_clocks_change_no_frame_and_no_cycle() {
    for preset in Preset::SIMULATED {
        let (gated, free) = (busy_run(preset, true), busy_run(preset, false));
        assert_eq!((gated.0.len(), gated.1.len(), gated.3), (free.0.len(), free.1.len(), free.3));
        assert!(gated == free, "{preset}: gating changes what comes out, or when");
        assert!(!gated.0.is_empty() && gated.1.len() == 60);
    }
}

#[test]
fn idle_time_passes_at_once() {
    for preset in Preset::SIMULATED {
        let mut simulation = simulation(preset);
        let (cycle, clocked) = (simulation.cycle(), simulation.clocked_cycles());
        simulation.skip(1 << 50);
        assert_eq!((simulation.cycle(), simulation.clocked_cycles()), (cycle + (1 << 50), clocked));
        simulation.send(0, frame(1, 60));
        assert!(simulation.run_until_idle(ENOUGH));
        let upcall = simulation.upcall().unwrap();
        assert!((1..200).contains(&(upcall.cycle - cycle - (1 << 50))), "left in cycle {}", upcall.cycle);
    }
}

#[test]
fn waveforms_of_a_window() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("window.fst");
    let mut simulation = simulation(Preset::Ecp5);
    let from = simulation.cycle() + 20;
    simulation.trace(&path, from..from + 50).unwrap();
    simulation.send(0, frame(1, 2000));
    assert!(simulation.run_until_idle(ENOUGH));
    simulation.send(0, frame(1, 2000));
    assert!(simulation.run_until_idle(ENOUGH));
    let bytes = std::fs::read(&path).unwrap();
    // FST header block: type 0, length 329, then the first and the last time.
    let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
    assert_eq!((bytes[0], number(1)), (0, 329));
    assert_eq!((number(9), number(17)), (from * 4, (from + 49) * 4 + 2));
    let missing = simulation.trace(&folder.path().join("no/such/folder.fst"), 0..10).unwrap_err();
    assert!(missing.to_string().contains("no/such/folder.fst"), "{missing}");
}
