// SPDX-License-Identifier: MIT OR Apache-2.0
//! A frame with room before it, its key, and the places of its headers.

use super::header::{ETH_ADDRS, Headers, VLAN_LEN};
use super::parse::parse;
use crate::openflow::FlowKey;

/// Room for the tags that actions can add.
const HEADROOM: usize = 4 * VLAN_LEN;

/// A frame that can be edited.
#[derive(Clone, Debug, Default)]
pub struct Packet {
    bytes: Vec<u8>,
    start: usize,
    pub(super) key: FlowKey,
    pub(super) headers: Headers,
}

impl Packet {
    /// A copy of a frame that came in on the port with OpenFlow number `in_port`.
    pub fn new(frame: &[u8], in_port: u16) -> Packet {
        let mut packet = Packet::default();
        packet.reset(frame, in_port);
        packet
    }

    /// Makes this the copy of another frame; the memory is used again.
    pub fn reset(&mut self, frame: &[u8], in_port: u16) {
        let (key, headers) = parse(frame, in_port);
        self.reset_parsed(frame, key, headers);
    }

    /// As [`Packet::reset`], with what [`parse`] gave for the frame.
    pub fn reset_parsed(&mut self, frame: &[u8], key: FlowKey, headers: Headers) {
        self.bytes.clear();
        self.bytes.resize(HEADROOM, 0);
        self.bytes.extend_from_slice(frame);
        self.start = HEADROOM;
        (self.key, self.headers) = (key, headers);
    }

    /// The frame as it is now.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// The frame's fields as it is now; registers and metadata are 0.
    pub fn key(&self) -> &FlowKey {
        &self.key
    }

    /// Where its headers are.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }

    /// Puts a tag behind the MAC addresses.
    pub(super) fn insert_tag(&mut self, tag: [u8; VLAN_LEN]) {
        if self.start < VLAN_LEN {
            self.bytes.splice(..0, [0; HEADROOM]);
            self.start += HEADROOM;
        }
        let start = self.start;
        self.bytes.copy_within(start..start + ETH_ADDRS, start - VLAN_LEN);
        self.start -= VLAN_LEN;
        let at = self.start + ETH_ADDRS;
        self.bytes[at..at + VLAN_LEN].copy_from_slice(&tag);
        self.headers.l3_at += VLAN_LEN as u16;
        self.headers.l4_at += VLAN_LEN as u16;
    }

    /// Takes the tag behind the MAC addresses off.
    pub(super) fn remove_tag(&mut self) {
        let start = self.start;
        self.bytes.copy_within(start..start + ETH_ADDRS, start + VLAN_LEN);
        self.start += VLAN_LEN;
        self.headers.l3_at = self.headers.l3_at.saturating_sub(VLAN_LEN as u16);
        self.headers.l4_at = self.headers.l4_at.saturating_sub(VLAN_LEN as u16);
    }
}
