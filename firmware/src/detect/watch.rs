// SPDX-License-Identifier: MIT OR Apache-2.0
//! What megaflows of watched ports look at besides what the flow tables do.

use super::contact::{all_bits, contact, is_answerable};
use super::event::MacAddress;
use super::{Contact, Detection, Service, Vports};
use crate::openflow::{FlowKey, FlowMask, slot};
use crate::xlate::Translation;
use std::net::IpAddr;

/// The ports that are watched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Watch {
    /// For scans.
    pub scan: Vports,
    /// For spoofed sources.
    pub spoof: Vports,
}

/// What packets of a megaflow are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// A contact, and no answer.
    pub contact: bool,
    /// With a source that was not the function's when the megaflow was made.
    pub spoofed: bool,
}

/// What was heard of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// It asks somebody behind these ports, and may be answered.
    Asked(Vports, (IpAddr, Service)),
    /// It is of a rule, whose counter told of it.
    Contact(u8, Contact, MacAddress),
    /// So many are of a rule, with a source that is not theirs.
    Spoofed(u8, MacAddress, Option<IpAddr>, u64),
}

impl Watch {
    /// Where this is looked out for.
    pub fn of(detection: &Detection) -> Watch {
        Watch {
            scan: detection.scan.map(|scan| scan.vports).unwrap_or_default(),
            spoof: detection.spoof.map(|spoof| spoof.vports).unwrap_or_default(),
        }
    }

    /// Whether no port is.
    pub fn is_empty(&self) -> bool {
        self.scan.is_empty() && self.spoof.is_empty()
    }

    /// Has a translation look at what tells its packet's contact and source from others; gives whom it asks, who may answer.
    pub fn look(&self, key: &FlowKey, translation: &mut Translation) -> Option<Heard> {
        let vport = key.in_port().wrapping_sub(1) as u8;
        if self.spoof.has(vport) {
            translation.mask.unwildcard(slot::DL_SRC);
        }
        if self.scan.has(vport) {
            contact(key, &mut translation.mask);
        }
        let outputs = translation.versions.iter().fold(0, |all, version| all | version.outputs);
        let asked = self.scan.among(outputs);
        if asked.is_empty() {
            return None;
        }
        is_answerable(key, &mut translation.mask).map(|asker| Heard::Asked(asked, asker))
    }

    /// Every bit that it may add to a mask.
    pub fn all_bits(&self) -> FlowMask {
        let mut all = if self.scan.is_empty() { FlowMask::default() } else { all_bits() };
        if !self.spoof.is_empty() {
            all.unwildcard(slot::DL_SRC);
        }
        all
    }

    /// What so many packets of a megaflow are that was made for a packet with this key.
    pub fn counted(marks: Marks, key: &FlowKey, packets: u64) -> impl Iterator<Item = Heard> {
        let (vport, mac) = (key.in_port().wrapping_sub(1) as u8, MacAddress(key.dl_src()));
        let contact = marks.contact.then(|| contact(key, &mut FlowMask::default())).flatten();
        let contact = contact.map(|contact| Heard::Contact(vport, contact, mac));
        let spoofed = marks.spoofed.then(|| Heard::Spoofed(vport, mac, super::contact::source(key), packets));
        contact.into_iter().chain(spoofed)
    }
}
