// SPDX-License-Identifier: MIT OR Apache-2.0
//! Counts how many ports and hosts each source contacts.

use super::ScanDetection;
use super::contact::{Contact, Service};
use super::event::{Kind, MacAddress, Target};
use lru::LruCache;
use std::hash::Hash;
use std::net::IpAddr;

/// Sources that are remembered of each vport, those that contacted somebody last.
const SOURCES: usize = 64;

/// The sources of all vports, each with the ports and hosts that it contacted last.
pub struct Scans {
    settings: ScanDetection,
    sources: Vec<LruCache<IpAddr, Source>>,
}

struct Source {
    ports: Recent<(u8, u16)>,
    hosts: Recent<IpAddr>,
    /// When it was last told of.
    told: Option<u64>,
}

impl Scans {
    /// Of a switch of so many vports; nobody has contacted anybody.
    pub fn new(settings: ScanDetection, vports: usize) -> Scans {
        Scans { settings, sources: (0..vports).map(|_| LruCache::unbounded()).collect() }
    }

    /// What is looked out for.
    pub fn settings(&self) -> &ScanDetection {
        &self.settings
    }

    /// Somebody behind a vport contacts somebody at this device time (ns), which is no earlier than that of the contact before. A source that is found to scan is
    /// told of, once in the time that counts.
    pub fn contact(&mut self, vport: u8, contact: &Contact, mac: Option<MacAddress>, now: u64) -> Option<Kind> {
        let ScanDetection { ports, hosts, within, .. } = self.settings;
        let sources = self.sources.get_mut(usize::from(vport))?;
        let source = sources.get_or_insert_mut(contact.source, || Source::new(ports, hosts));
        source.hear(contact, now);
        let first = source.first_of_many(now, within);
        let due = source.told.is_none_or(|told| now - told >= within);
        let found = first.filter(|_| due).map(|(since, first)| {
            source.told = Some(now);
            Kind::Scan {
                src_ip: contact.source,
                src_mac: mac,
                ports: source.ports.within(now, within),
                hosts: source.hosts.within(now, within),
                within_ns: now - since,
                first,
                last: contact.into(),
            }
        });
        if sources.len() > SOURCES {
            sources.pop_lru();
        }
        found
    }

    /// A source is as one that was never heard of.
    pub fn forget(&mut self, vport: u8, source: IpAddr) {
        if let Some(sources) = self.sources.get_mut(usize::from(vport)) {
            sources.pop(&source);
        }
    }
}

impl Source {
    fn new(ports: Option<u16>, hosts: Option<u16>) -> Source {
        Source { ports: Recent::new(ports), hosts: Recent::new(hosts), told: None }
    }

    fn hear(&mut self, contact: &Contact, now: u64) {
        let target = Target::from(contact);
        if let Some(Service { protocol, port }) = contact.service {
            self.ports.hear((protocol, port), target, now);
        }
        self.hosts.hear(contact.host, target, now);
    }

    /// If there were as many as are asked for: when the first of them was, and which.
    fn first_of_many(&self, now: u64, within: u64) -> Option<(u64, Target)> {
        self.ports.first_of_all(now, within).or_else(|| self.hosts.first_of_all(now, within))
    }
}

/// The last so many distinct ones, and when each was last heard of. The oldest of them is young enough just when so many were heard of within the time: that is
/// exact, whatever else was before.
struct Recent<K: Hash + Eq> {
    most: usize,
    heard: LruCache<K, (u64, Target)>,
}

impl<K: Hash + Eq> Recent<K> {
    fn new(most: Option<u16>) -> Recent<K> {
        Recent { most: most.unwrap_or(0).into(), heard: LruCache::unbounded() }
    }

    fn hear(&mut self, key: K, target: Target, now: u64) {
        if self.most == 0 {
            return;
        }
        self.heard.put(key, (now, target));
        if self.heard.len() > self.most {
            self.heard.pop_lru();
        }
    }

    fn first_of_all(&self, now: u64, within: u64) -> Option<(u64, Target)> {
        let (_, &oldest) = self.heard.peek_lru()?;
        (self.heard.len() == self.most && now - oldest.0 < within).then_some(oldest)
    }

    fn within(&self, now: u64, within: u64) -> usize {
        self.heard.iter().take_while(|(_, (at, _))| now - at < within).count()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Vports;
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::net::Ipv4Addr;

    fn settings(ports: Option<u16>, hosts: Option<u16>) -> ScanDetection {
        ScanDetection { ports, hosts, within: 100, block: None, vports: Vports::of([3]) }
    }

    fn at(source: u8, host: u8, port: Option<u16>) -> Contact {
        let ip = |net, n| IpAddr::V4(Ipv4Addr::new(10, net, 0, n));
        Contact { source: ip(0, source), host: ip(1, host), service: port.map(|port| Service { protocol: 6, port }) }
    }

    #[test]
    fn the_port_that_makes_them_many_tells() {
        let mut scans = Scans::new(settings(Some(3), None), 4);
        let mut ports =
            |ports: &[u16], now| ports.iter().find_map(|p| scans.contact(3, &at(1, 1, Some(*p)), None, now));
        assert_eq!(ports(&[1, 2, 1, 2, 2], 10), None, "two");
        let Some(Kind::Scan { ports: n, hosts, within_ns, first, last, .. }) = ports(&[3], 60) else {
            panic!("not told")
        };
        assert_eq!((n, hosts, within_ns), (3, 0, 50));
        let port = |target: Target| target.service.map(|service| service.port);
        assert_eq!((port(first), port(last)), (Some(1), Some(3)));
        assert_eq!(ports(&[4, 5, 6], 159), None, "it was told of");
        assert!(ports(&[7], 160).is_some(), "again after that time");
    }

    #[test]
    fn sources_and_vports_are_counted_apart_and_many_sources_forget_the_oldest() {
        let mut scans = Scans::new(settings(None, Some(2)), 4);
        let mut hear = |vport, source, host| scans.contact(vport, &at(source, host, None), None, 5).is_some();
        assert!(!hear(3, 1, 1) && !hear(3, 2, 2) && !hear(2, 1, 3), "three sources");
        assert!(hear(2, 1, 4));
        (3..3 + SOURCES as u8).for_each(|source| assert!(!hear(3, source, 1)));
        assert!(!hear(3, 1, 9), "it was forgotten");
        assert!(hear(3, 1, 8));
        assert!(!hear(9, 1, 1), "no such vport");
    }

    /// All contacts of a source, looked through each time.
    #[derive(Default)]
    struct Naive {
        heard: Vec<(u64, Contact)>,
        told: Vec<(IpAddr, u64)>,
    }

    impl Naive {
        fn contact(&mut self, settings: &ScanDetection, contact: Contact, now: u64) -> Option<(usize, usize)> {
            self.heard.push((now, contact));
            let ours = || {
                let young = self.heard.iter().filter(|(at, _)| now - at < settings.within);
                young.map(|(_, c)| c).filter(|c| c.source == contact.source)
            };
            let ports = ours().filter_map(|c| c.service.map(|s| (s.protocol, s.port))).collect::<HashSet<_>>().len();
            let hosts = ours().map(|c| c.host).collect::<HashSet<_>>().len();
            let most = |n: Option<u16>| n.map_or(0, usize::from);
            let many =
                settings.ports.is_some_and(|n| ports >= n.into()) || settings.hosts.is_some_and(|n| hosts >= n.into());
            let told = self.told.iter().rev().find(|(source, _)| *source == contact.source);
            if !many || told.is_some_and(|(_, told)| now - told < settings.within) {
                return None;
            }
            self.told.push((contact.source, now));
            Some((ports.min(most(settings.ports)), hosts.min(most(settings.hosts))))
        }
    }

    proptest! {
        #[test]
        fn every_scan_is_told_of_and_nothing_else(
            ports in prop::option::of(1..6u16),
            hosts in prop::option::of(1..6u16),
            contacts in prop::collection::vec((0..40u64, 1..4u8, 1..8u8, prop::option::of(1..9u16)), 1..200),
        ) {
            let settings = settings(ports, hosts);
            let (mut scans, mut naive, mut now) = (Scans::new(settings, 4), Naive::default(), 0);
            for (passes, source, host, port) in contacts {
                now += passes;
                let contact = at(source, host, port);
                let told = scans.contact(3, &contact, None, now).map(|kind| match kind {
                    Kind::Scan { ports, hosts, .. } => (ports, hosts),
                    other => panic!("{other:?}"),
                });
                prop_assert_eq!(told, naive.contact(&settings, contact, now));
            }
        }
    }
}
