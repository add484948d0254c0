// SPDX-License-Identifier: MIT OR Apache-2.0
//! A wire with a length and a rate: what leaves an uplink takes its time, which is the device's.

use millrace_sim::CYCLE_NS;
use millrace_sim::wire::Wire;
use std::collections::VecDeque;
use std::path::Path;

/// Bytes that a frame takes on a wire beside its own: preamble, FCS and the gap to the next (IEEE 802.3, 4.4.2).
const OVERHEAD: u64 = 24;
/// Picoseconds: what a byte takes at 400 Gb/s is 20 of them.
const PS_PER_CYCLE: u128 = CYCLE_NS as u128 * 1000;
const PS_PER_SECOND: u128 = 1_000_000_000_000;
/// As many frames may wait at a wire that is slower than the uplink; then the uplink has to.
const WAITING: usize = 4;

/// What a wire is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length {
    /// Time from one end to the other, in nanoseconds.
    pub delay_ns: u64,
    /// Bits per second; none if it takes all that comes.
    pub rate: Option<u64>,
}

/// A wire, and what is on it.
pub struct Line {
    wire: Wire,
    length: Length,
    /// When the last frame has gone into it whole.
    free_ps: u128,
    /// Frames with the times at which the first of them has gone in whole, and is at the other end.
    under_way: VecDeque<(u128, u128, Vec<u8>)>,
}

impl Line {
    /// One end of a wire at a path.
    ///
    /// # Errors
    /// As [`Wire::open`].
    pub fn open(path: &Path, length: Length) -> std::io::Result<Self> {
        Ok(Self { wire: Wire::open(path)?, length, free_ps: 0, under_way: VecDeque::new() })
    }

    /// The socket.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The next frame from the other end, if one is there: it has had its time.
    pub fn recv(&mut self) -> Option<Vec<u8>> {
        self.wire.recv()
    }

    /// Puts a frame on the wire at this cycle.
    pub fn send(&mut self, frame: Vec<u8>, cycle: u64) {
        let start = self.free_ps.max(u128::from(cycle) * PS_PER_CYCLE);
        let bits = u128::from(8 * (frame.len() as u64 + OVERHEAD));
        let takes = self.length.rate.map_or(0, |rate| bits * PS_PER_SECOND / u128::from(rate));
        self.free_ps = start + takes;
        let arrives = self.free_ps + u128::from(self.length.delay_ns) * 1000;
        self.under_way.push_back((self.free_ps, arrives, frame));
    }

    /// Whether the uplink has to wait at this cycle.
    pub fn is_full(&self, cycle: u64) -> bool {
        let now = u128::from(cycle) * PS_PER_CYCLE;
        let first = self.under_way.partition_point(|(entered, ..)| *entered <= now);
        self.under_way.len() - first >= WAITING
    }

    /// Hands the other end what has arrived by this cycle: how many frames, and how many of them are lost there.
    pub fn deliver(&mut self, cycle: u64) -> (u64, u64) {
        let now = u128::from(cycle) * PS_PER_CYCLE;
        let (mut arrived, mut lost) = (0, 0);
        while let Some((.., frame)) = self.under_way.pop_front_if(|(_, arrives, _)| *arrives <= now) {
            arrived += 1;
            lost += u64::from(!self.wire.send(&frame));
        }
        (arrived, lost)
    }

    /// The cycle in which the next frame arrives at the other end.
    pub fn due(&self) -> Option<u64> {
        self.under_way.front().map(|(_, arrives, _)| arrives.div_ceil(PS_PER_CYCLE) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(length: Length) -> (tempfile::TempDir, Line, Line) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wire");
        let [near, far] = [0, 1].map(|_| Line::open(&path, length).unwrap());
        (folder, near, far)
    }

    #[test]
    fn a_frame_takes_the_wires_length_after_its_own() {
        // 10,000 bits take 1 µs, 250 cycles, and the way 2 µs.
        let (_folder, mut near, mut far) = lines(Length { delay_ns: 2000, rate: Some(10_000_000_000) });
        near.send(vec![1; 1226], 100);
        near.send(vec![2; 1226], 100);
        assert_eq!(near.due(), Some(850));
        assert_eq!(near.deliver(849), (0, 0));
        assert_eq!((near.deliver(850), near.due()), ((1, 0), Some(1100)));
        assert_eq!(far.recv(), Some(vec![1; 1226]));
        assert_eq!(far.recv(), None);
        near.send(vec![3; 60], 10_000);
        assert_eq!((near.deliver(10_517), near.due()), ((2, 0), None), "67.2 ns, and 2 µs");
        assert_eq!((far.recv(), far.recv()), (Some(vec![2; 1226]), Some(vec![3; 60])));
    }

    #[test]
    fn a_slow_wire_makes_the_uplink_wait_and_a_long_one_does_not() {
        let (_folder, mut slow, _far) = lines(Length { delay_ns: 0, rate: Some(1_000_000_000) });
        (0..WAITING).for_each(|_| slow.send(vec![0; 1226], 0));
        // 2,500 cycles each.
        assert!(slow.is_full(0) && slow.is_full(2_499) && !slow.is_full(2_500));
        let (_folder, mut long, _far) = lines(Length { delay_ns: 1_000_000, rate: None });
        (0..100).for_each(|_| long.send(vec![0; 1226], 7));
        assert!(!long.is_full(7));
        assert_eq!((long.deliver(250_006), long.deliver(250_007)), ((0, 0), (100, 0)));
    }

    #[test]
    fn what_nobody_is_there_for_is_lost_at_the_other_end() {
        let folder = tempfile::tempdir().unwrap();
        let mut alone = Line::open(&folder.path().join("wire"), Length::default()).unwrap();
        alone.send(vec![0; 60], 3);
        assert_eq!(alone.deliver(3), (1, 1));
    }
}
