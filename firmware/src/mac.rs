// SPDX-License-Identifier: MIT OR Apache-2.0
//! The MAC learning table of `normal`: which port each station was last seen on, per VLAN.

use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

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

/// News of a station: when the packet that it sent passed the hardware, which looks packets up in one order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// No later than this time (ns), and after all packets that the slow path was given before.
    Packet(u64),
    /// No earlier than this time (ns): a rule's counter tells of it.
    Counter(u64),
}

impl Heard {
    /// The time, as well as it is known.
    const fn at(self) -> u64 {
        match self {
            Heard::Packet(at) | Heard::Counter(at) => at,
        }
    }

    /// Whether these are newer news than others, as far as it can be known. Where a packet may have come before the last one that a
    /// counter tells of, or after it, the packet counts.
    const fn is_newer(self, known: Heard) -> bool {
        match (known, self) {
            (Heard::Packet(_), Heard::Packet(_)) => true,
            (Heard::Counter(known), Heard::Packet(news)) => news > known,
            (_, Heard::Counter(news)) => news >= known.at(),
        }
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
    /// Nothing: it was heard of later on another port, this one.
    Late(u16),
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    port: u16,
    heard: Heard,
}

/// The table.
#[derive(Clone, Debug)]
pub struct MacTable {
    stations: FxHashMap<Station, Entry>,
    /// All stations, the one not heard of for longest first.
    by_age: BTreeSet<(u64, Station)>,
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
        MacTable { stations: FxHashMap::default(), by_age: BTreeSet::new(), aging, size: size.max(1) }
    }

    /// The port a station is on.
    #[inline]
    pub fn lookup(&self, station: Station) -> Option<u16> {
        self.stations.get(&station).map(|entry| entry.port)
    }

    /// A station was heard of on a port. News that are older than what is known change nothing. The station that had to make room, if
    /// any, is passed to `evicted`.
    pub fn learn(&mut self, station: Station, port: u16, heard: Heard, evicted: impl FnOnce(Station)) -> Learned {
        if let Some(entry) = self.stations.get_mut(&station) {
            let before = entry.port;
            let newer = heard.is_newer(entry.heard);
            if newer {
                if heard.at() != entry.heard.at() {
                    self.by_age.remove(&(entry.heard.at(), station));
                    self.by_age.insert((heard.at(), station));
                }
                *entry = Entry { port, heard };
            }
            return match (before == port, newer) {
                (true, _) => Learned::Known,
                (false, true) => Learned::Moved(before),
                (false, false) => Learned::Late(before),
            };
        }
        if self.stations.len() >= self.size
            && let Some((_, oldest)) = self.by_age.pop_first()
        {
            self.stations.remove(&oldest);
            evicted(oldest);
        }
        self.stations.insert(station, Entry { port, heard });
        self.by_age.insert((heard.at(), station));
        Learned::New
    }

    /// Forgets one station that was not heard of for too long and returns it; none if there is no such.
    pub fn expire(&mut self, now: u64) -> Option<Station> {
        let &(heard, station) = self.by_age.first()?;
        if now.saturating_sub(heard) < self.aging {
            return None;
        }
        self.by_age.pop_first();
        self.stations.remove(&station);
        Some(station)
    }

    /// The time at which the next station will be forgotten if it is not heard of.
    pub fn next_expiry(&self) -> Option<u64> {
        self.by_age.first().map(|(heard, _)| heard.saturating_add(self.aging))
    }

    /// Number of stations.
    pub fn len(&self) -> usize {
        self.stations.len()
    }

    /// Whether no station is known.
    pub fn is_empty(&self) -> bool {
        self.stations.is_empty()
    }

    /// All stations with their ports and the time they were last heard of, longest ago first.
    pub fn iter(&self) -> impl Iterator<Item = (Station, u16, u64)> {
        self.by_age.iter().map(|&(heard, station)| (station, self.stations[&station].port, heard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learn(t: &mut MacTable, mac: u64, port: u16, now: u64) -> Learned {
        t.learn(Station::new(0, mac), port, Heard::Packet(now), |_| ())
    }

    #[test]
    fn news_that_are_older_than_what_is_known_change_nothing() {
        use Heard::{Counter, Packet};
        let after = |known: Heard, news: Heard| {
            let (station, mut t) = (Station::new(0, 1), MacTable::default());
            t.learn(station, 4, known, |_| ());
            assert_eq!(t.learn(station, 4, news, |_| ()), Learned::Known);
            let mut t = MacTable::default();
            t.learn(station, 4, known, |_| ());
            let learned = t.learn(station, 5, news, |_| ());
            assert_eq!(t.lookup(station), Some(if learned == Learned::Moved(4) { 5 } else { 4 }));
            learned == Learned::Moved(4)
        };
        assert!(!after(Packet(10), Counter(9)), "the late count of a rule");
        assert!(after(Packet(10), Counter(10)), "no earlier than the packet");
        assert!(!after(Counter(10), Packet(10)), "a packet that has waited");
        assert!(after(Counter(10), Packet(11)), "which was first cannot be known");
        assert!(!after(Counter(10), Counter(9)));
        assert!(after(Counter(10), Counter(10)));
        assert!(after(Packet(10), Packet(10)), "packets come in their order");
    }

    #[test]
    fn late_news_of_a_station_do_not_make_it_younger_than_it_is() {
        let mut t = MacTable::new(100, 10);
        learn(&mut t, 1, 1, 50);
        learn(&mut t, 2, 1, 60);
        t.learn(Station::new(0, 3), 1, Heard::Counter(20), |_| ());
        assert_eq!(t.iter().map(|(s, ..)| s.mac()).collect::<Vec<_>>(), [3, 1, 2]);
        assert_eq!(t.expire(120), Some(Station::new(0, 3)));
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
        t.learn(Station::new(0, 3), 1, Heard::Packet(3), |s| gone = Some(s));
        assert_eq!(gone, Some(Station::new(0, 2)));
        assert_eq!(t.iter().map(|(s, ..)| s.mac()).collect::<Vec<_>>(), [1, 3]);
    }
}
