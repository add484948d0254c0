// SPDX-License-Identifier: MIT OR Apache-2.0
//! The flow cache: every megaflow that is in use, in the hardware or in software.

use super::refusal::Refusal;
use crate::compile::{Program, Software};
use crate::detect::Marks;
use crate::index::Index;
use crate::mac::Station;
use crate::openflow::{FlowKey, FlowMask};
use millrace_driver::Count;
use millrace_regs::{Key, Mask};
use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

/// Number of a megaflow in the cache. It is used again when the megaflow is gone.
pub type FlowId = u32;

/// Who handles the packets of a megaflow.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Home<R> {
    /// A rule of the hardware.
    Hardware(R),
    /// The slow path, because the hardware cannot.
    Software(Software),
    /// The slow path, because the hardware refused it. At this time (ns) it may be tried again.
    Refused(Refusal, u64),
    /// The slow path, until packets of it that came before have left. It waits since this time (ns).
    Deferred(u64),
}

/// A megaflow and what became of it.
#[derive(Clone, Debug)]
pub struct Megaflow<R> {
    /// The key of the packet that it was made for.
    pub packet: FlowKey,
    /// The bits that count, as translation found them.
    pub mask: FlowMask,
    /// The hardware's key under its mask; 0 outside it.
    pub hw_key: Key,
    /// The hardware's mask, which may look at more than `mask`.
    pub hw_mask: Mask,
    /// Who handles it.
    pub home: Home<R>,
    /// What is done; empty where the hardware cannot.
    pub program: Program,
    /// The flows that packets match on their way.
    pub flows: SmallVec<[u32; 12]>,
    /// Stations that packets of it tell of, and the port.
    pub learned: SmallVec<[(Station, u16); 1]>,
    /// Stations whose place decides.
    pub asked: SmallVec<[Station; 1]>,
    /// Packets and bytes, in hardware and in software.
    pub count: Count,
    /// What the hardware's rule had counted when it was last asked.
    pub hw_count: Count,
    /// Device time (ns) at which the hardware's rule was last asked.
    pub asked_at: u64,
    /// Bytes of the packet that it was made for, which does not count.
    pub made_for: u64,
    /// Device time (ns) of the last packet that is known of.
    pub used: u64,
    /// What its packets are to whoever watches their port.
    pub marks: Marks,
}

/// What a megaflow has to go for.
#[derive(Clone, Copy)]
pub enum Wanted {
    /// Room in a table for a rule of this mask.
    Room(Mask),
    /// A rule id.
    RuleId,
    /// Room in the cache.
    Cache,
}

impl<R> Megaflow<R> {
    /// Whether its leaving helps.
    pub fn helps(&self, wanted: Wanted) -> bool {
        let hardware = matches!(self.home, Home::Hardware(_));
        match wanted {
            Wanted::Room(mask) => hardware && self.hw_mask.covers(&mask),
            Wanted::RuleId => hardware,
            Wanted::Cache => true,
        }
    }
}

/// Hash of a megaflow's identity.
fn hash(key: &Key, mask: &Mask) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    mask.hash(&mut hasher);
    hasher.finish()
}

/// Megaflows by identity (key under mask, and mask) and by the stations they depend on.
pub struct Cache<R> {
    slab: Vec<Option<Box<Megaflow<R>>>>,
    hashes: Vec<u64>,
    free: Vec<FlowId>,
    index: Index,
    stations: FxHashMap<Station, Dependents>,
    in_hardware: usize,
}

/// The megaflows that depend on a station. Some may be gone: entries are checked when they are used.
#[derive(Default)]
struct Dependents {
    ids: Vec<FlowId>,
    live: usize,
}

impl<R: Copy + PartialEq> Default for Cache<R> {
    fn default() -> Cache<R> {
        Cache {
            slab: Vec::new(),
            hashes: Vec::new(),
            free: Vec::new(),
            index: Index::default(),
            stations: FxHashMap::default(),
            in_hardware: 0,
        }
    }
}

impl<R: Copy + PartialEq> Cache<R> {
    /// The megaflow with this identity.
    #[inline]
    pub fn find(&self, key: &Key, mask: &Mask) -> Option<FlowId> {
        self.index.get(hash(key, mask), |id| {
            self.slab[id as usize].as_ref().is_some_and(|m| m.hw_key == *key && m.hw_mask == *mask)
        })
    }

    /// A megaflow.
    #[inline]
    pub fn get(&self, id: FlowId) -> Option<&Megaflow<R>> {
        self.slab.get(id as usize)?.as_deref()
    }

    /// A megaflow; its identity must not be changed.
    #[inline]
    pub fn get_mut(&mut self, id: FlowId) -> Option<&mut Megaflow<R>> {
        self.slab.get_mut(id as usize)?.as_deref_mut()
    }

    /// Adds a megaflow; there must be none of this identity.
    pub fn insert(&mut self, megaflow: Megaflow<R>) -> FlowId {
        let hash = hash(&megaflow.hw_key, &megaflow.hw_mask);
        let id = self.free.pop().unwrap_or_else(|| {
            self.slab.push(None);
            self.hashes.push(0);
            self.slab.len() as u32 - 1
        });
        self.in_hardware += usize::from(matches!(megaflow.home, Home::Hardware(_)));
        for station in stations(&megaflow) {
            let dependents = self.stations.entry(station).or_default();
            dependents.live += 1;
            dependents.ids.push(id);
        }
        self.slab[id as usize] = Some(Box::new(megaflow));
        self.hashes[id as usize] = hash;
        self.index.insert(hash, id, |id| self.hashes[id as usize]);
        id
    }

    /// Takes a megaflow out.
    pub fn remove(&mut self, id: FlowId) -> Option<Box<Megaflow<R>>> {
        let megaflow = self.slab.get_mut(id as usize)?.take()?;
        self.index.remove(self.hashes[id as usize], id, |id| self.hashes[id as usize]);
        self.free.push(id);
        self.in_hardware -= usize::from(matches!(megaflow.home, Home::Hardware(_)));
        for station in stations(&megaflow) {
            self.forget(station);
        }
        Some(megaflow)
    }

    /// One dependent less of a station. Entries of megaflows that are gone are swept when they are the majority.
    fn forget(&mut self, station: Station) {
        let Some(dependents) = self.stations.get_mut(&station) else {
            return;
        };
        dependents.live -= 1;
        if dependents.live == 0 {
            self.stations.remove(&station);
        } else if dependents.ids.len() > 32 && dependents.ids.len() > 2 * dependents.live {
            let slab = &self.slab;
            dependents.ids.sort_unstable();
            dependents.ids.dedup();
            dependents.ids.retain(|&id| depends(slab[id as usize].as_deref(), station));
        }
    }

    /// Megaflows that learn of a station or ask for it.
    pub fn dependents(&self, station: Station) -> Vec<FlowId> {
        let ids = self.stations.get(&station).map_or(&[][..], |d| &d.ids);
        let mut ids: Vec<FlowId> = ids.iter().copied().filter(|&id| depends(self.get(id), station)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Replaces what translation found out about a megaflow, its identity excepted.
    pub fn refresh(&mut self, id: FlowId, change: impl FnOnce(&mut Megaflow<R>)) {
        let Some(megaflow) = self.slab[id as usize].as_deref_mut() else {
            return;
        };
        let before: SmallVec<[Station; 4]> = stations(megaflow).collect();
        let hardware = matches!(megaflow.home, Home::Hardware(_));
        change(megaflow);
        let after: SmallVec<[Station; 4]> = stations(megaflow).collect();
        let now_hardware = matches!(megaflow.home, Home::Hardware(_));
        self.in_hardware = self.in_hardware + usize::from(now_hardware) - usize::from(hardware);
        if before != after {
            for station in after {
                let dependents = self.stations.entry(station).or_default();
                dependents.live += 1;
                dependents.ids.push(id);
            }
            before.into_iter().for_each(|station| self.forget(station));
        }
    }

    /// Places in the cache; those past [`len`](Self::len) are empty.
    pub fn capacity(&self) -> usize {
        self.slab.len()
    }

    /// Above the number of every megaflow.
    pub fn end(&self) -> FlowId {
        self.slab.len() as FlowId
    }

    /// Number of megaflows.
    pub fn len(&self) -> usize {
        self.slab.len() - self.free.len()
    }

    /// Number of megaflows that the hardware handles.
    pub fn in_hardware(&self) -> usize {
        self.in_hardware
    }

    /// All megaflows.
    pub fn iter(&self) -> impl Iterator<Item = (FlowId, &Megaflow<R>)> {
        (0..).zip(&self.slab).filter_map(|(id, m)| Some((id, m.as_deref()?)))
    }

    /// All megaflows; their identities and stations must not be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Megaflow<R>> {
        self.slab.iter_mut().filter_map(Option::as_deref_mut)
    }

    /// The numbers of all megaflows.
    pub fn ids(&self) -> Vec<FlowId> {
        self.iter().map(|(id, _)| id).collect()
    }
}

fn stations<R>(megaflow: &Megaflow<R>) -> impl Iterator<Item = Station> {
    megaflow.learned.iter().map(|(station, _)| *station).chain(megaflow.asked.iter().copied())
}

fn depends<R>(megaflow: Option<&Megaflow<R>>, station: Station) -> bool {
    megaflow.is_some_and(|m| stations(m).any(|s| s == station))
}
