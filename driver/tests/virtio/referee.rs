// SPDX-License-Identifier: MIT OR Apache-2.0
//! Another implementation of the device's side, `virtio-queue` of rust-vmm, reads what the driver wrote, and uses it.

use millrace_driver::virtio::{MappedMemory, Piece, Rings, SplitQueue, Used, Virtqueue};
use millrace_regs::host::Feature;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::{HashSet, VecDeque};
use std::ptr::NonNull;
use virtio_queue::{Queue, QueueOwnedT, QueueT};
use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

const ADDRESS: u64 = 0x7_0000_0000;
const BYTES: usize = 0x10_0000;

/// A driver's queue and a device's on the same memory.
struct Bench {
    guest: GuestMemoryMmap,
    memory: MappedMemory,
    driver: Virtqueue,
    device: Queue,
}

impl Bench {
    fn new(order: &[u16], event_idx: bool) -> Self {
        let size = order.len() as u16;
        let guest = GuestMemoryMmap::from_ranges(&[(GuestAddress(ADDRESS), BYTES)]).unwrap();
        let start = NonNull::new(guest.get_host_address(GuestAddress(ADDRESS)).unwrap()).unwrap();
        // SAFETY: the mapping is `guest`'s, which lives as long as `memory`, and is accessed by raw pointers alone.
        let memory = unsafe { MappedMemory::new(start, BYTES, ADDRESS) };
        let [descriptors, available, _] = SplitQueue::bytes(size);
        let rings = Rings {
            descriptors: 16,
            available: 16 + descriptors,
            used: (16 + descriptors + available + 2).next_multiple_of(4),
        };
        let features = if event_idx { Feature::EventIdx.bit() } else { 0 };
        let driver = Virtqueue::Split(SplitQueue::new(0, rings, &memory, order, features));
        let mut device = Queue::new(size).unwrap();
        let halves = |offset: usize| (Some((ADDRESS + offset as u64) as u32), Some((ADDRESS >> 32) as u32));
        let (low, high) = halves(rings.descriptors);
        device.set_desc_table_address(low, high);
        let (low, high) = halves(rings.available);
        device.set_avail_ring_address(low, high);
        let (low, high) = halves(rings.used);
        device.set_used_ring_address(low, high);
        device.set_event_idx(event_idx);
        device.set_ready(true);
        assert!(device.is_valid(&guest));
        Self { guest, memory, driver, device }
    }

    /// The chains that the device finds: first descriptor and pieces.
    fn find(&mut self) -> Vec<(u16, Vec<Piece>)> {
        let chains = self.device.iter(&self.guest).unwrap();
        let piece = |descriptor: virtio_queue::desc::split::Descriptor| Piece {
            offset: (descriptor.addr().0 - ADDRESS) as usize,
            len: descriptor.len(),
            writable: descriptor.is_write_only(),
        };
        chains.map(|chain| (chain.head_index(), chain.map(piece).collect())).collect()
    }
}

/// Readable pieces first, as virtio has it (2.7.4.2).
fn chain() -> impl Strategy<Value = Vec<Piece>> {
    let piece = (0x4000usize..0x1_0000, 1..5000u32, any::<bool>());
    vec(piece.prop_map(|(offset, len, writable)| Piece { offset, len, writable }), 1..7).prop_map(|mut pieces| {
        pieces.sort_by_key(|piece| piece.writable);
        pieces
    })
}

#[derive(Clone, Debug)]
enum Op {
    Add(Vec<Piece>),
    Show,
    Find,
    /// One of the chains that the device has found is used, with part of what may be written.
    Use(Index, Index),
    Take,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => chain().prop_map(Op::Add),
        2 => Just(Op::Show),
        2 => Just(Op::Find),
        4 => any::<(Index, Index)>().prop_map(|(which, len)| Op::Use(which, len)),
        4 => Just(Op::Take),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn an_independent_device_finds_the_chains_that_were_added(
        event_idx: bool,
        (order, ops) in (0..=8u32).prop_flat_map(|log2| {
            (Just((0..1 << log2).collect::<Vec<u16>>()).prop_shuffle(), vec(op(), 1..300))
        }),
    ) {
        let mut bench = Bench::new(&order, event_idx);
        bench.driver.want_interrupts(&bench.memory, true);
        // The device waits for a chain; the driver waits for a used one.
        let (mut waits, mut armed) = (true, true);
        let (mut added, mut shown, mut found) = (vec![], vec![], vec![]);
        let mut used = VecDeque::new();
        let mut away = HashSet::new();
        for op in ops {
            match op {
                Op::Add(pieces) => {
                    let room = pieces.len() <= bench.driver.free();
                    let head = bench.driver.add(&bench.memory, &pieces);
                    prop_assert_eq!(head.is_some(), room);
                    if let Some(head) = head {
                        prop_assert!(away.insert(head), "head {} is with the device", head);
                        added.push((head, pieces));
                    }
                }
                Op::Show => {
                    let notifies = bench.driver.show(&bench.memory);
                    prop_assert_eq!(notifies, !added.is_empty() && (waits || !event_idx));
                    waits &= added.is_empty();
                    shown.append(&mut added);
                }
                Op::Find => {
                    prop_assert_eq!(bench.find(), shown.clone());
                    found.append(&mut shown);
                    prop_assert!(!bench.device.enable_notification(&bench.guest).unwrap(), "there are no more");
                    waits = true;
                }
                Op::Use(which, len) if !found.is_empty() => {
                    let (head, pieces) = found.swap_remove(which.index(found.len()));
                    let room: u32 = pieces.iter().filter(|piece| piece.writable).map(|piece| piece.len).sum();
                    let len = len.index(room as usize + 1) as u32;
                    bench.device.add_used(&bench.guest, head, len).unwrap();
                    let interrupts = bench.device.needs_notification(&bench.guest).unwrap();
                    prop_assert_eq!(interrupts, armed || !event_idx);
                    armed = false;
                    used.push_back(Used { id: head, len });
                }
                Op::Use(..) => {}
                Op::Take => {
                    let next = used.pop_front();
                    prop_assert_eq!(bench.driver.take(&bench.memory).unwrap(), next);
                    if let Some(used) = next {
                        away.remove(&used.id);
                    } else {
                        armed = true;
                    }
                }
            }
            prop_assert_eq!(usize::from(bench.driver.outstanding()), away.len());
        }
    }
}

#[test]
fn an_independent_device_follows_past_65536_chains() {
    let mut bench = Bench::new(&[3, 1, 0, 2], true);
    let pieces = [Piece { offset: 0x5000, len: 12, writable: false }, Piece { offset: 0x6000, len: 9, writable: true }];
    for round in 0..70_000u32 {
        let head = bench.driver.add(&bench.memory, &pieces).unwrap();
        assert!(bench.driver.show(&bench.memory));
        assert_eq!(bench.find(), [(head, pieces.to_vec())], "{round}");
        bench.device.enable_notification(&bench.guest).unwrap();
        bench.device.add_used(&bench.guest, head, round % 10).unwrap();
        assert_eq!(bench.driver.take(&bench.memory).unwrap(), Some(Used { id: head, len: round % 10 }));
    }
}
