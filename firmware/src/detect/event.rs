// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the slow path tells of.

use super::contact::{Contact, Service};
use serde::{Serialize, Serializer};
use std::fmt;
use std::net::IpAddr;

/// Something that was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// Device time (ns) at which it was.
    pub at: u64,
    /// The vport whose frames it was seen in.
    pub vport: u8,
    /// What.
    pub kind: Kind,
    /// What was done about it.
    pub action: Action,
}

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "event_type", rename_all = "snake_case")]
pub enum Kind {
    /// A source has contacted many ports or hosts.
    Scan {
        /// The source's address.
        src_ip: IpAddr,
        /// Its address in the frame that told.
        #[serde(skip_serializing_if = "Option::is_none")]
        src_mac: Option<MacAddress>,
        /// Ports that it contacted within the time, no more than are counted.
        ports: usize,
        /// Hosts, likewise.
        hosts: usize,
        /// The time (ns) that this took.
        within_ns: u64,
        /// The first of them, and the last.
        first: Target,
        /// The last.
        last: Target,
    },
    /// A function sent with another source address than its own.
    Spoof {
        /// The address; none if it is not known, for the function's spoof check dropped the frames, or if there were many more than are told of one by one.
        #[serde(skip_serializing_if = "Option::is_none")]
        src_mac: Option<MacAddress>,
        /// The network address in the frame, if it had one.
        #[serde(skip_serializing_if = "Option::is_none")]
        src_ip: Option<IpAddr>,
        /// The function's own.
        own_mac: MacAddress,
        /// Such frames since the event before, or in this one.
        count: u64,
    },
    /// Frames of a function, or for it, were dropped by what is set of it, and not by its spoof check alone.
    Refused {
        /// How many since the event before.
        count: u64,
        /// What may have dropped them.
        by: Vec<&'static str>,
    },
    /// A block is over.
    Unblocked {
        /// Whose frames were dropped.
        #[serde(flatten)]
        subject: Subject,
        /// What for: `scan` or `spoof`.
        reason: &'static str,
        /// Frames that it dropped.
        dropped: u64,
    },
}

/// Whose frames are dropped, of those of a vport.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Of a network address, ARP's of it too.
    SrcIp(IpAddr),
    /// Of an Ethernet address.
    SrcMac(MacAddress),
}

/// What was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Nothing.
    None,
    /// The device drops such frames anyway.
    Dropped,
    /// Frames of the source are dropped.
    Blocked {
        /// Until this device time (ns).
        until: u64,
        /// The hardware drops them; otherwise it had no room yet, and the slow path drops what comes to it.
        offloaded: bool,
    },
    /// As many sources are blocked as can be: this one is not.
    TooManyBlocks,
}

/// An end of a contact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Target {
    /// The host.
    pub ip: IpAddr,
    /// Protocol and port: `tcp/80`. None of ARP and ICMP.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub service: Option<Service>,
}

impl From<&Contact> for Target {
    fn from(contact: &Contact) -> Target {
        Target { ip: contact.host, service: contact.service }
    }
}

fn as_text<S: Serializer>(service: &Option<Service>, serializer: S) -> Result<S::Ok, S::Error> {
    match service {
        Some(service) => serializer.collect_str(service),
        None => serializer.serialize_none(),
    }
}

/// An Ethernet address, as a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MacAddress(pub u64);

impl From<[u8; 6]> for MacAddress {
    fn from([a, b, c, d, e, f]: [u8; 6]) -> MacAddress {
        MacAddress(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, _, bytes @ ..] = self.0.to_be_bytes();
        for (n, byte) in bytes.iter().enumerate() {
            write!(f, "{}{byte:02x}", if n == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl Serialize for MacAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
