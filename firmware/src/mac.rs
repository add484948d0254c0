// SPDX-License-Identifier: MIT OR Apache-2.0
//! The MAC learning table of `normal`: which port each station was last seen on, per VLAN.

use rustc_hash::FxHashMap;

/// Time after which a station that was not heard of is forgotten, in nanoseconds (Open vSwitch's `mac-aging-time`).
pub const MAC_AGING_NS: u64 = 300_000_000_000;
/// Stations remembered at most (Open vSwitch's `mac-table-size`). The one not heard of for longest makes room.
pub const MAC_TABLE_SIZE: usize = 8192;

/// A station: MAC address and VLAN (0 for none).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Station(u64);

impl Station {
    /// The station with this address in this VLAN.
    #[inline]
    pub const fn new(vlan: u16, mac: u64) -> Station {
        Station((vlan as u64) << 48 | mac & 0xffff_ffff_ffff)
    }

    /// VLAN, 0 for none.
    pub const fn vlan(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// MAC address.
    pub const fn mac(self) -> u64 {
        self.0 & 0xffff_ffff_ffff
    }
}

/// What learning a station changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Learned {
    /// Nothing: it was known on this port.
    Known,
    /// It was not known.
    New,
    /// It was known on another port, this one.
    Moved(u16),
}

const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Entry {
    station: Station,
    port: u16,
    used: u64,
    older: u32,
    newer: u32,
}

/// The table. Entries form a list in the order in which they were last heard of, so that the oldest is found at once.
#[derive(Clone, Debug)]
pub struct MacTable {
    index: FxHashMap<Station, u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    aging: u64,
    size: usize,
}

impl Default for MacTable {
    fn default() -> MacTable {
        MacTable::new(MAC_AGING_NS, MAC_TABLE_SIZE)
    }
}

impl MacTable {
    /// An empty table with an ageing time in nanoseconds and room for `size` (at least 1) stations.
    pub fn new(aging: u64, size: usize) -> MacTable {
        MacTable {
            index: FxHashMap::default(),
            entries: Vec::new(),
            free: Vec::new(),
            oldest: NONE,
            newest: NONE,
            aging,
            size: size.max(1),
        }
    }

    /// The port a station is on.
    #[inline]
    pub fn lookup(&self, station: Station) -> Option<u16> {
        self.index.get(&station).map(|&n| self.entries[n as usize].port)
    }

    /// A station was heard of on a port at this time. The station that had to make room, if any, is passed to `evicted`.
    pub fn learn(&mut self, station: Station, port: u16, now: u64, evicted: impl FnOnce(Station)) -> Learned {
        if let Some(&n) = self.index.get(&station) {
            self.unlink(n);
            self.append(n);
            let entry = &mut self.entries[n as usize];
            entry.used = now;
            let before = std::mem::replace(&mut entry.port, port);
            return if before == port { Learned::Known } else { Learned::Moved(before) };
        }
        if self.index.len() >= self.size {
            evicted(self.remove(self.oldest));
        }
        let entry = Entry { station, port, used: now, older: NONE, newer: NONE };
        let n = match self.free.pop() {
            Some(n) => {
                self.entries[n as usize] = entry;
                n
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        self.index.insert(station, n);
        self.append(n);
        Learned::New
    }

    /// Forgets one station that was not heard of for too long and returns it; none if there is no such.
    pub fn expire(&mut self, now: u64) -> Option<Station> {
        if self.oldest == NONE || now.saturating_sub(self.entries[self.oldest as usize].used) < self.aging {
            return None;
        }
        Some(self.remove(self.oldest))
    }

    /// The time at which the next station will be forgotten if it is not heard of.
    pub fn next_expiry(&self) -> Option<u64> {
        (self.oldest != NONE).then(|| self.entries[self.oldest as usize].used.saturating_add(self.aging))
    }

    /// Number of stations.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no station is known.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// All stations with their ports and the time they were last heard of, longest ago first.
    pub fn iter(&self) -> impl Iterator<Item = (Station, u16, u64)> {
        let mut at = self.oldest;
        std::iter::from_fn(move || {
            let entry = self.entries.get(at as usize)?;
            at = entry.newer;
            Some((entry.station, entry.port, entry.used))
        })
    }

    fn remove(&mut self, n: u32) -> Station {
        let station = self.entries[n as usize].station;
        self.unlink(n);
        self.index.remove(&station);
        self.free.push(n);
        station
    }

    fn unlink(&mut self, n: u32) {
        let Entry { older, newer, .. } = self.entries[n as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
    }

    fn append(&mut self, n: u32) {
        let last = std::mem::replace(&mut self.newest, n);
        let entry = &mut self.entries[n as usize];
        (entry.older, entry.newer) = (last, NONE);
        match last {
            NONE => self.oldest = n,
            last => self.entries[last as usize].newer = n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(t: &mut MacTable, mac: u64, port: u16, now: u64) -> Learned {
        t.learn(Station::new(0, mac), port, now, |_| ())
    }

    #[test]
    fn a_station_is_known_where_it_was_last_heard_of() {
        let mut t = MacTable::default();
        assert_eq!(learn(&mut t, 1, 4, 0), Learned::New);
        assert_eq!(learn(&mut t, 1, 4, 1), Learned::Known);
        assert_eq!(learn(&mut t, 1, 5, 2), Learned::Moved(4));
        assert_eq!(t.lookup(Station::new(0, 1)), Some(5));
        assert_eq!(t.lookup(Station::new(7, 1)), None, "another VLAN");
    }

    #[test]
    fn stations_age_in_the_order_in_which_they_were_last_heard_of() {
        let mut t = MacTable::new(100, 10);
        for (mac, now) in [(1, 0), (2, 10), (1, 20)] {
            learn(&mut t, mac, 1, now);
        }
        assert_eq!(t.next_expiry(), Some(110));
        assert_eq!(t.expire(109), None);
        assert_eq!(t.expire(120), Some(Station::new(0, 2)));
        assert_eq!(t.expire(120), Some(Station::new(0, 1)));
        assert_eq!((t.expire(500), t.len(), t.next_expiry()), (None, 0, None));
    }

    #[test]
    fn the_oldest_station_makes_room() {
        let mut t = MacTable::new(100, 2);
        learn(&mut t, 1, 1, 0);
        learn(&mut t, 2, 1, 1);
        learn(&mut t, 1, 1, 2);
        let mut gone = None;
        t.learn(Station::new(0, 3), 1, 3, |s| gone = Some(s));
        assert_eq!(gone, Some(Station::new(0, 2)));
        assert_eq!(t.iter().map(|(s, ..)| s.mac()).collect::<Vec<_>>(), [1, 3]);
    }
}
