// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames whose source is not the function's that sent them: what is told of them, and when.

use super::SpoofDetection;
use super::event::{Kind, MacAddress};
use lru::LruCache;
use std::net::IpAddr;

/// Addresses that are told of one by one, of a vport, within the time that counts; frames with others are counted together.
const SOURCES: usize = 16;

/// Frames with a source that is not theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sighting {
    /// The source.
    pub src_mac: MacAddress,
    /// The network address with it.
    pub src_ip: Option<IpAddr>,
    /// The function's own.
    pub own_mac: MacAddress,
    /// How many.
    pub count: u64,
}

/// The addresses that functions sent with, and that are not theirs.
pub struct Spoofs {
    settings: SpoofDetection,
    vports: Vec<Seen>,
}

/// Those of a vport.
struct Seen {
    sources: LruCache<MacAddress, Source>,
    /// Frames with more addresses than are told of, and since when.
    others: Option<(u64, Sighting)>,
}

struct Source {
    /// When it was told of.
    told: u64,
    /// What has not been told of.
    since: Sighting,
}

impl Spoofs {
    /// Of a switch of so many vports; none did.
    pub fn new(settings: SpoofDetection, vports: usize) -> Spoofs {
        let none = |_| Seen { sources: LruCache::unbounded(), others: None };
        Spoofs { settings, vports: (0..vports).map(none).collect() }
    }

    /// What is looked out for.
    pub fn settings(&self) -> &SpoofDetection {
        &self.settings
    }

    /// Frames were seen at this device time (ns): what is to be told of them now.
    pub fn see(&mut self, vport: u8, seen: Sighting, now: u64) -> Option<Kind> {
        let within = self.settings.within;
        let Seen { sources, others } = self.vports.get_mut(usize::from(vport))?;
        if let Some(known) = sources.get_mut(&seen.src_mac) {
            known.since = Sighting { count: known.since.count + seen.count, ..seen };
            return (now - known.told >= within).then(|| known.tell(now));
        }
        if sources.len() >= SOURCES {
            let oldest = sources.iter().min_by_key(|(_, source)| source.told);
            let (mac, told) = oldest.map(|(mac, source)| (*mac, source.told))?;
            if now - told < within {
                let (_, counted) = others.get_or_insert((now, Sighting { count: 0, ..seen }));
                counted.count += seen.count;
                return None;
            }
            sources.pop(&mac);
        }
        sources.put(seen.src_mac, Source { told: now, since: Sighting { count: 0, ..seen } });
        Some(kind(seen))
    }

    /// What was counted and is due.
    pub fn due(&mut self, now: u64) -> Vec<(u8, Kind)> {
        let within = self.settings.within;
        let mut due = vec![];
        for (vport, Seen { sources, others }) in (0..).zip(&mut self.vports) {
            let ripe = sources.iter_mut().filter(|(_, s)| s.since.count > 0 && now - s.told >= within);
            due.extend(ripe.map(|(_, source)| (vport, source.tell(now))));
            if let Some((_, Sighting { own_mac, count, .. })) = others.take_if(|(since, _)| now - *since >= within) {
                due.push((vport, Kind::Spoof { src_mac: None, src_ip: None, own_mac, count }));
            }
        }
        due
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<u64> {
        let sources = self.vports.iter().flat_map(|seen| &seen.sources).filter(|(_, source)| source.since.count > 0);
        let others = self.vports.iter().filter_map(|seen| seen.others.map(|(since, _)| since));
        sources.map(|(_, source)| source.told).chain(others).min().map(|since| since + self.settings.within)
    }

    /// A source is as one that was never seen.
    pub fn forget(&mut self, vport: u8, source: MacAddress) {
        if let Some(seen) = self.vports.get_mut(usize::from(vport)) {
            seen.sources.pop(&source);
        }
    }
}

impl Source {
    fn tell(&mut self, now: u64) -> Kind {
        let told = kind(self.since);
        (self.told, self.since.count) = (now, 0);
        told
    }
}

fn kind(Sighting { src_mac, src_ip, own_mac, count }: Sighting) -> Kind {
    Kind::Spoof { src_mac: Some(src_mac), src_ip, own_mac, count }
}

#[cfg(test)]
mod tests {
    use super::super::Vports;
    use super::*;

    fn spoofs() -> Spoofs {
        Spoofs::new(SpoofDetection { within: 100, block: None, vports: Vports::of([3]) }, 4)
    }

    fn seen(mac: u64) -> Sighting {
        Sighting { src_mac: MacAddress(mac), src_ip: None, own_mac: MacAddress(9), count: 1 }
    }

    fn count(kind: Option<Kind>) -> u64 {
        match kind {
            None => 0,
            Some(Kind::Spoof { count, .. }) => count,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_address_is_told_of_at_once_and_then_once_in_a_time_with_all_that_were_counted() {
        let mut spoofs = spoofs();
        assert_eq!(count(spoofs.see(3, seen(1), 10)), 1);
        assert!((11..60).all(|now| count(spoofs.see(3, seen(1), now)) == 0));
        assert_eq!(count(spoofs.see(3, seen(2), 60)), 1, "another address");
        assert_eq!(count(spoofs.see(2, seen(1), 60)), 1, "another port");
        assert!(spoofs.due(109).is_empty());
        assert_eq!(spoofs.next_due(), Some(110));
        assert_eq!(
            spoofs.due(110).into_iter().map(|(vport, kind)| (vport, count(Some(kind)))).collect::<Vec<_>>(),
            [(3, 49)]
        );
        assert_eq!((spoofs.next_due(), spoofs.due(500).len()), (None, 0));
        assert_eq!(count(spoofs.see(3, seen(1), 300)), 1);
    }

    #[test]
    fn a_flood_of_addresses_is_told_of_in_few_events_that_count_them_all() {
        let mut spoofs = spoofs();
        let (mut events, mut frames) = (0, 0);
        for n in 0..100_000 {
            let mut tell = |told: u64| (events, frames) = (events + u64::from(told > 0), frames + told);
            tell(count(spoofs.see(3, seen(n), n / 100)));
            spoofs.due(n / 100).into_iter().for_each(|(_, kind)| tell(count(Some(kind))));
        }
        spoofs.due(5_000).into_iter().for_each(|(_, kind)| frames += count(Some(kind)));
        assert_eq!(frames, 100_000);
        assert!(events <= 11 * (SOURCES as u64 + 1), "{events}");
    }
}
