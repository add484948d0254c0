// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memory of a function that watches what the device does with it.

use millrace_driver::virtio::LocalMemory;
use millrace_sim::{Dma, HostMemory, Port};
use std::cell::{RefCell, RefMut};
use std::collections::HashSet;
use std::ops::Range;
use std::rc::Rc;

const NEXT: u16 = 1;
const WRITE: u16 = 2;
const INDIRECT: u16 = 4;

/// Bytes that the device reads of rings at once.
const LINE: u64 = 64;

/// Bytes of frames for guests are below it, but for a frame's fill, which is the same from its start to its end.
pub const FILL: u8 = 0x80;
/// Frames that are told apart by their fill.
pub const FILLS: u8 = 64;

/// What was among the descriptors that the device has read since the function's reset: what it may complain of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    pub empty: bool,
    pub indirect: bool,
    pub next: bool,
    pub writable: bool,
    pub readable: bool,
    /// An address outside the window, of a buffer or of a ring.
    pub outside: bool,
    /// A transfer that was answered with SLVERR.
    pub refused: bool,
    /// One that was no read of a ring.
    pub refused_data: bool,
}

/// Bits of the bytes of a memory.
struct Bytes(Vec<u64>);

impl Bytes {
    fn new(bytes: usize) -> Self {
        Self(vec![0; bytes.div_ceil(64)])
    }

    fn insert(&mut self, bytes: Range<usize>) {
        for (word, mask) in words(bytes) {
            self.0[word] |= mask;
        }
    }

    fn has_all(&self, bytes: Range<usize>) -> bool {
        words(bytes).all(|(word, mask)| self.0[word] & mask == mask)
    }

    fn has_any(&self, bytes: Range<usize>) -> bool {
        words(bytes).any(|(word, mask)| self.0[word] & mask != 0)
    }
}

/// The words of a range of bits, each with those of its bits that are in the range.
fn words(bits: Range<usize>) -> impl Iterator<Item = (usize, u64)> {
    (bits.start / 64..bits.end.div_ceil(64)).map(move |word| {
        let (low, high) = (bits.start.max(64 * word) - 64 * word, bits.end.min(64 * word + 64) - 64 * word);
        (word, (u64::MAX >> (64 - (high - low))) << low)
    })
}

/// What the device may do, and what it did.
pub struct Watch {
    base: u64,
    bytes: usize,
    /// First and last address that the function may touch.
    window: (u64, u64),
    /// Parts of rings that the device reads; those that it writes.
    rings: Vec<Range<u64>>,
    used: Vec<Range<u64>>,
    /// Bytes of buffers and tables that descriptors named; those that it may write.
    told: Bytes,
    writable: Bytes,
    /// What is not to be touched whatever descriptors name.
    forbidden: Vec<Range<u64>>,
    /// Where the rings are is not known yet.
    trusting: bool,
    /// Fills of the frames that may arrive; none if anything may.
    fills: Option<u64>,
    pub seen: Seen,
    /// Lines of rings and tables that were read, and those of them that were refused.
    lines: HashSet<u64>,
    refused: Vec<u64>,
    /// Bytes of frames that it wrote.
    pub written: u64,
    violation: Option<String>,
}

impl Watch {
    fn new(base: u64, bytes: usize) -> Self {
        Self {
            base,
            bytes,
            window: (0, u64::MAX),
            rings: vec![],
            used: vec![],
            told: Bytes::new(bytes),
            writable: Bytes::new(bytes),
            forbidden: vec![],
            trusting: false,
            fills: None,
            seen: Seen::default(),
            lines: HashSet::new(),
            refused: vec![],
            written: 0,
            violation: None,
        }
    }

    /// Sets the window.
    pub fn set_window(&mut self, first: u64, last: u64) {
        self.window = (first, last);
    }

    /// A virtqueue is there: what the device reads and what it writes, by address and length. It may be more than that.
    pub fn add_rings(&mut self, read: &[(u64, u64)], written: &[(u64, u64)]) {
        for (start, length) in read.iter().chain(written) {
            let end = start.checked_add(*length - 1);
            self.seen.outside |= end.is_none_or(|end| *start < self.window.0 || end > self.window.1);
        }
        let range = |(start, length): &(u64, u64)| *start..start.saturating_add(*length);
        self.rings.extend(read.iter().map(range));
        self.used.extend(written.iter().map(range));
    }

    /// The function was reset: nothing is known of it, and it is to touch nothing.
    pub fn forget(&mut self) {
        self.rings.clear();
        self.used.clear();
        self.told.0.fill(0);
        self.writable.0.fill(0);
        self.seen = Seen::default();
        self.lines.clear();
        self.refused.clear();
        self.trusting = false;
    }

    /// A transfer was refused of which the device has to tell. Of a line it does not that may have been read ahead, behind another one, for no chain may go on there.
    pub fn owes_fault(&self) -> bool {
        let before = |address: &u64| address.checked_sub(LINE).is_some_and(|line| self.lines.contains(&line));
        self.seen.refused_data || !self.refused.iter().all(before)
    }

    /// What is done until the next [`forget`](Self::forget) is done by a driver that keeps the rules.
    pub fn trust(&mut self, trusting: bool) {
        self.trusting = trusting;
    }

    /// These addresses are not to be touched.
    pub fn forbid(&mut self, ranges: &[Range<u64>]) {
        self.forbidden = ranges.to_vec();
    }

    /// From now on no frame may arrive but those that are [expected](Self::expect).
    pub fn expect_none(&mut self) {
        self.fills = Some(0);
    }

    /// A frame with this fill may arrive.
    pub fn expect(&mut self, fill: u8) {
        self.fills = self.fills.map(|fills| fills | 1 << (fill - FILL));
    }

    /// The first thing that the device must not have done.
    pub fn violation(&mut self) -> Option<String> {
        self.violation.take()
    }

    fn violate(&mut self, what: &str, port: Port, address: u64, length: usize) {
        self.violation.get_or_insert_with(|| format!("{what}: {length} bytes at {address:#x} through {port:?}"));
    }

    /// The part of some bytes that is in this memory.
    fn offsets(&self, address: u64, length: u64) -> Option<Range<usize>> {
        let offset = |address: u64| address.saturating_sub(self.base).min(self.bytes as u64) as usize;
        Some(offset(address)..offset(address.saturating_add(length))).filter(|range| !range.is_empty())
    }

    fn in_window(&mut self, port: Port, address: u64, length: usize) {
        let end = address.checked_add(length as u64 - 1);
        if end.is_none_or(|end| address < self.window.0 || end > self.window.1) {
            self.violate("outside the window", port, address, length);
        }
        if self.forbidden.iter().any(|range| range.contains(&address)) {
            self.violate("of what was reset", port, address, length);
        }
    }

    fn reads(&mut self, port: Port, address: u64, bytes: &[u8], done: bool) {
        self.seen.refused |= !done;
        if port == Port::Ring {
            self.lines.insert(address / LINE * LINE);
            self.refused.extend((!done).then_some(address / LINE * LINE));
        } else {
            self.seen.refused_data |= !done;
        }
        self.in_window(port, address, bytes.len());
        let end = address.saturating_add(bytes.len() as u64);
        let ring = port == Port::Ring
            && self.rings.iter().chain(&self.used).any(|ring| ring.start < end && address < ring.end);
        let told = self.offsets(address, bytes.len() as u64).is_none_or(|range| self.told.has_any(range));
        if !ring && !told && !self.trusting {
            self.violate("read what no descriptor names", port, address, bytes.len());
        }
        if done && port == Port::Ring {
            bytes.as_chunks::<16>().0.iter().for_each(|chunk| self.descriptor(chunk));
        }
    }

    /// Looks at what may be a descriptor, of a split ring or of a packed one.
    fn descriptor(&mut self, bytes: &[u8; 16]) {
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let address =
            u64::from(half(0)) | u64::from(half(2)) << 16 | u64::from(half(4)) << 32 | u64::from(half(6)) << 48;
        let length = u32::from(half(8)) | u32::from(half(10)) << 16;
        let (split, packed) = (half(12), half(14));
        let has = |bit: u16| (split | packed) & bit != 0;
        self.seen.empty |= length == 0;
        self.seen.next |= has(NEXT);
        self.seen.indirect |= has(INDIRECT);
        self.seen.writable |= has(WRITE);
        self.seen.readable |= split & packed & WRITE == 0;
        let end = address.checked_add(u64::from(length).max(1) - 1);
        self.seen.outside |= end.is_none_or(|end| address < self.window.0 || end > self.window.1);
        if let Some(range) = self.offsets(address, length.into()) {
            self.told.insert(range.clone());
            if has(WRITE) {
                self.writable.insert(range);
            }
        }
    }

    fn writes(&mut self, port: Port, address: u64, bytes: &[u8], done: bool) {
        self.seen.refused |= !done;
        self.seen.refused_data |= !done;
        self.in_window(port, address, bytes.len());
        if port == Port::Data {
            self.written += bytes.len() as u64;
            self.arrives(address, bytes);
        }
        if self.trusting || !done {
            return;
        }
        let end = address + bytes.len() as u64;
        let allowed = match port {
            Port::Ring => self.used.iter().any(|ring| ring.start <= address && end <= ring.end),
            Port::Data => self.offsets(address, bytes.len() as u64).is_some_and(|range| self.writable.has_all(range)),
        };
        if !allowed {
            self.violate("wrote what it was not given", port, address, bytes.len());
        }
    }

    /// A part of a frame, and of nothing else.
    fn arrives(&mut self, address: u64, bytes: &[u8]) {
        let Some(fills) = self.fills else { return };
        let mut found = bytes.iter().filter(|byte| **byte >= FILL);
        let Some(fill) = found.next() else { return };
        let expected = *fill < FILL + FILLS && fills >> (fill - FILL) & 1 == 1;
        if !expected || found.any(|other| other != fill) {
            self.violate("wrote what is not of one frame for it", Port::Data, address, bytes.len());
        }
    }
}

/// A function's memory: clones are of the same.
#[derive(Clone)]
pub struct Watched {
    pub memory: LocalMemory,
    watch: Rc<RefCell<Watch>>,
}

impl Watched {
    /// Zeroes, that the device is to leave alone.
    pub fn new(address: u64, bytes: usize) -> Self {
        Self { memory: LocalMemory::new(address, bytes), watch: Rc::new(RefCell::new(Watch::new(address, bytes))) }
    }

    pub fn watch(&self) -> RefMut<'_, Watch> {
        self.watch.borrow_mut()
    }
}

impl HostMemory for Watched {
    fn read(&self, address: u64, bytes: &mut [u8]) -> Dma {
        self.read_through(Port::Data, address, bytes)
    }

    fn write(&self, address: u64, bytes: &[u8]) -> Dma {
        self.write_through(Port::Data, address, bytes)
    }

    fn read_through(&self, port: Port, address: u64, bytes: &mut [u8]) -> Dma {
        let read = self.memory.read(address, bytes);
        self.watch().reads(port, address, bytes, read == Dma::Done);
        read
    }

    fn write_through(&self, port: Port, address: u64, bytes: &[u8]) -> Dma {
        let written = self.memory.write(address, bytes);
        self.watch().writes(port, address, bytes, written == Dma::Done);
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = 0x1_0000;

    /// A descriptor of a split ring.
    fn descriptor(address: u64, length: u32, flags: u16) -> Vec<u8> {
        [&address.to_le_bytes()[..], &length.to_le_bytes(), &flags.to_le_bytes(), &[0; 2]].concat()
    }

    /// A memory of two pages, with a ring at its start that names 100 bytes at 0x200 for reading, and as many at 0x400 for writing.
    fn watched() -> Watched {
        let watched = Watched::new(BASE, 0x2000);
        watched.watch().set_window(BASE, BASE + 0xfff);
        watched.watch().add_rings(&[(BASE, 64)], &[(BASE + 0x100, 70)]);
        let empty = descriptor(BASE, 0, 0);
        let ring =
            [descriptor(BASE + 0x200, 100, 0), descriptor(BASE + 0x400, 100, WRITE), empty.clone(), empty].concat();
        assert_eq!(watched.memory.write(BASE, &ring), Dma::Done);
        assert_eq!(watched.read_through(Port::Ring, BASE, &mut [0; 64]), Dma::Done);
        assert_eq!(watched.watch().violation(), None);
        watched
    }

    #[test]
    fn what_descriptors_and_rings_name_may_be_touched_and_nothing_else() {
        let reads = [
            (Port::Ring, 0, true),
            (Port::Data, 0x240, true),
            (Port::Data, 0x280, false),
            (Port::Ring, 0x800, false),
            (Port::Data, 0x1000, false),
        ];
        for (port, at, allowed) in reads {
            let watched = watched();
            let _ = watched.read_through(port, BASE + at, &mut [0; 64]);
            assert_eq!(watched.watch().violation().is_none(), allowed, "{port:?} {at:#x}");
        }
        let writes = [
            (Port::Ring, 0x100, true),
            (Port::Ring, 0x13e, true),
            (Port::Ring, 0x13f, false),
            (Port::Ring, 0x400, false),
            (Port::Data, 0x400, true),
            (Port::Data, 0x45c, true),
            (Port::Data, 0x45d, false),
            (Port::Data, 0x200, false),
            (Port::Data, 0x100, false),
        ];
        for (port, at, allowed) in writes {
            let watched = watched();
            let _ = watched.write_through(port, BASE + at, &[0; 8]);
            assert_eq!(watched.watch().violation().is_none(), allowed, "{port:?} {at:#x}");
        }
    }

    #[test]
    fn of_a_buffer_that_begins_below_the_memory_the_part_inside_is_given() {
        let watched = watched();
        let ring = descriptor(BASE - 8, 16, WRITE);
        assert_eq!(watched.memory.write(BASE, &ring), Dma::Done);
        assert_eq!(watched.read_through(Port::Ring, BASE, &mut [0; 16]), Dma::Done);
        let _ = watched.write_through(Port::Data, BASE, &[0; 8]);
        assert_eq!(watched.watch().violation(), None);
        let _ = watched.write_through(Port::Data, BASE + 8, &[0; 1]);
        assert!(watched.watch().violation().is_some());
    }

    #[test]
    fn nothing_of_a_function_that_was_reset_may_be_touched() {
        let watched = watched();
        watched.watch().forget();
        let _ = watched.read_through(Port::Data, BASE + 0x200, &mut [0; 64]);
        assert!(watched.watch().violation().is_some());
    }

    #[test]
    fn a_frame_has_no_bytes_of_another() {
        let cases: [(&[u8], bool); 4] = [
            (&[1, 2, FILL, FILL], true),
            (&[FILL, FILL + 1], false),
            (&[FILL + 2; 3], false),
            (&[FILL + FILLS], false),
        ];
        for (bytes, allowed) in cases {
            let watched = watched();
            watched.watch().expect_none();
            watched.watch().expect(FILL);
            watched.watch().expect(FILL + 1);
            let _ = watched.write_through(Port::Data, BASE + 0x400, bytes);
            assert_eq!(watched.watch().violation().is_none(), allowed, "{bytes:?}");
        }
    }

    #[test]
    fn what_was_seen_is_told() {
        let watched = watched();
        let seen = watched.watch().seen;
        assert!(
            seen.readable
                && seen.writable
                && seen.empty
                && !seen.next
                && !seen.indirect
                && !seen.outside
                && !seen.refused
        );
        let end = BASE + 0x2000;
        let read = |address| watched.read_through(Port::Ring, address, &mut [0; 64]);
        let _ = (read(end), read(end + 64), read(end - 64));
        assert!(watched.watch().seen.refused && !watched.watch().owes_fault(), "behind a line that is there");
        let _ = read(end + 0x100);
        assert!(watched.watch().owes_fault(), "by itself");
        watched.watch().add_rings(&[(BASE + 0xff0, 32)], &[]);
        assert!(watched.watch().seen.outside);
    }
}
