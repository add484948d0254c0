// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stations that move: the slow path and the counters tell of it at different times.

use super::*;

/// Station 2 sends on a vport; gives where it went.
fn heard(b: &mut Bench, vport: u8) -> (bool, u128) {
    b.packet(vport, &ethernet(3, 2))
}

/// The vports to which packets for station 2 go, from vport 7.
fn place(b: &mut Bench) -> u128 {
    b.packet(7, &ethernet(2, 9)).1
}

#[test]
fn the_late_count_of_the_rule_that_a_move_removes_does_not_undo_the_move() {
    let mut b = Bench::new("actions=normal");
    heard(&mut b, 4);
    b.now += 1_000_000_000;
    assert!(heard(&mut b, 4).0, "the hardware hears of it");
    b.now += 1_000_000_000;
    assert!(!heard(&mut b, 0).0);
    assert_eq!(place(&mut b), 1);
    // Within one epoch too.
    assert!(heard(&mut b, 0).0);
    assert!(!heard(&mut b, 5).0);
    assert_eq!(place(&mut b), 1 << 5);
    b.wait(2);
    assert_eq!(place(&mut b), 1 << 5);
}

/// Station 2 moves from vport 4 to vport 0, and one more packet of it hits the old rule while that is taken out.
fn hit_after_move() -> Bench {
    let mut b = Bench::new("actions=normal");
    heard(&mut b, 4);
    assert!(heard(&mut b, 4).0);
    assert!(!heard(&mut b, 0).0);
    b.list.gone.iter_mut().for_each(|(_, count)| count.packets += 1);
    b
}

#[test]
fn a_packet_that_hit_the_old_rule_after_the_move_was_heard_of_brings_the_station_back() {
    let mut b = hit_after_move();
    b.now += 1_000_000;
    b.core.tick(&mut b.list, b.now);
    assert_eq!(place(&mut b), 1 << 4);
    assert!(!heard(&mut b, 0).0, "no rule hides it when it moves again");
    assert_eq!(place(&mut b), 1);
}

#[test]
fn hits_of_the_new_rule_are_younger_than_all_of_the_old_one() {
    for read_first in [true, false] {
        let mut b = hit_after_move();
        assert!(heard(&mut b, 0).0);
        let gone = std::mem::take(&mut b.list.gone);
        if read_first {
            b.core.sync_all(&mut b.list, b.now);
        }
        b.list.gone.extend(gone);
        b.now += 1_000_000;
        b.core.tick(&mut b.list, b.now);
        b.core.sync_all(&mut b.list, b.now);
        assert_eq!(place(&mut b), 1, "{read_first}");
    }
}

#[test]
fn a_packet_that_has_waited_does_not_move_a_station_that_was_heard_of_since() {
    let mut b = Bench::new("actions=normal");
    heard(&mut b, 4);
    let left = b.now;
    b.now += 3_000_000;
    assert!(heard(&mut b, 4).0, "in an epoch that began after the packet had left");
    b.core.forward(0, UpcallReason::Miss, &ethernet(3, 2), |_, _| true);
    b.core.program(&mut b.list, left, b.now);
    assert_eq!(place(&mut b), 1 << 4);
    assert!(!heard(&mut b, 0).0, "no rule hides it when it does move");
    assert_eq!(place(&mut b), 1);
}
