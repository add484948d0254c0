// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who has asked whom: UDP does not tell an answer from a question.

use super::contact::{Contact, Service};
use super::vports::Vports;
use lru::LruCache;
use std::net::IpAddr;

/// Askers that are remembered of each port, the last ones.
const ASKERS: usize = 4096;

/// Who has asked somebody behind a port of the switch lately: what goes back is an answer.
pub struct Answers(Vec<LruCache<(IpAddr, Service), ()>>);

impl Answers {
    /// Nobody has, in a switch of so many vports.
    pub fn new(vports: usize) -> Answers {
        Answers((0..vports).map(|_| LruCache::unbounded()).collect())
    }

    /// A packet from this address and port goes to these vports.
    pub fn asked(&mut self, vports: Vports, asker: (IpAddr, Service)) {
        for vport in vports.numbers() {
            let Some(askers) = self.0.get_mut(usize::from(vport)) else { continue };
            askers.put(asker, ());
            if askers.len() > ASKERS {
                askers.pop_lru();
            }
        }
    }

    /// Whether this is an answer to somebody who asked.
    pub fn has(&mut self, vport: u8, contact: &Contact) -> bool {
        let (Some(service), Some(askers)) = (contact.service, self.0.get_mut(usize::from(vport))) else { return false };
        askers.get(&(contact.host, service)).is_some()
    }
}
