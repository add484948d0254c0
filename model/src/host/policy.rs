// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the ECPF allows a function's frames to be (`docs/host.md`, "Policy").

/// EtherTypes of tags (IEEE 802.1Q).
const CUSTOMER: [u8; 2] = [0x81, 0x00];
const SERVICE: [u8; 2] = [0x88, 0xa8];
/// Bytes of both addresses.
const ADDRESSES: usize = 12;
/// Bytes of a tag.
const TAG: usize = 4;

/// The policy of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Its VLAN, if it is in one.
    pub vlan: Option<Vlan>,
    /// Frames of it have `mac` as their source.
    pub spoof_check: bool,
}

/// A VLAN that a function is in, and does not know of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// Identifier, 1 to 4,095.
    pub id: u16,
    /// Priority, 0 to 7.
    pub priority: u8,
    /// The tag's type is 0x88a8, not 0x8100.
    pub service: bool,
}

impl Vlan {
    fn kind(self) -> [u8; 2] {
        if self.service { SERVICE } else { CUSTOMER }
    }
}

impl Policy {
    /// Of a function with these registers: `FUNCTION_MAC_LO`, `FUNCTION_MAC_HI`, `FUNCTION_POLICY`.
    pub fn of(mac: [u32; 2], register: u32) -> Self {
        let [[a, b, c, d], [e, f, ..]] = mac.map(u32::to_le_bytes);
        let id = (register & 0xfff) as u16;
        let vlan = Vlan { id, priority: (register >> 13 & 7) as u8, service: register >> 16 & 1 == 1 };
        Self { mac: [a, b, c, d, e, f], vlan: (id != 0).then_some(vlan), spoof_check: register >> 17 & 1 == 1 }
    }

    /// What becomes of a frame of the function; none: it is dropped.
    pub fn sent(&self, frame: &[u8]) -> Option<Vec<u8>> {
        if self.vlan.is_none() && !self.spoof_check {
            return Some(frame.to_vec());
        }
        let kind = frame.get(ADDRESSES..ADDRESSES + 2)?;
        if self.spoof_check && frame[6..ADDRESSES] != self.mac {
            return None;
        }
        let Some(vlan) = self.vlan else { return Some(frame.to_vec()) };
        if kind == SERVICE || kind == CUSTOMER && !vlan.service {
            return None;
        }
        let control = u16::from(vlan.priority) << 13 | vlan.id;
        let (addresses, rest) = frame.split_at(ADDRESSES);
        Some([addresses, &vlan.kind(), &control.to_be_bytes(), rest].concat())
    }

    /// What becomes of a frame for the function; none: it is dropped.
    pub fn received(&self, frame: &[u8]) -> Option<Vec<u8>> {
        let Some(vlan) = self.vlan else { return Some(frame.to_vec()) };
        let tag = frame.get(ADDRESSES..ADDRESSES + TAG)?;
        let id = u16::from_be_bytes([tag[2], tag[3]]) & 0xfff;
        let own = frame.len() >= ADDRESSES + TAG + 2 && tag[..2] == vlan.kind() && id == vlan.id;
        own.then(|| [&frame[..ADDRESSES], &frame[ADDRESSES + TAG..]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];
    const VLAN: Vlan = Vlan { id: 0x123, priority: 5, service: false };

    fn frame(behind: &[u8]) -> Vec<u8> {
        [&[0xff; 6], &MAC[..], behind].concat()
    }

    #[test]
    fn registers_say_it() {
        let policy = Policy::of([0x0000_0002, 0x0001_0700], 1 << 17 | 5 << 13 | 0x123);
        assert_eq!(policy, Policy { mac: MAC, vlan: Some(VLAN), spoof_check: true });
        assert_eq!(Policy::of([0; 2], 7 << 13 | 1 << 16 | 1 << 18), Policy::default());
    }

    #[test]
    fn without_a_policy_all_passes() {
        for frame in [frame(&[]), vec![1], frame(&[0x81, 0, 0, 1])] {
            assert_eq!(Policy::default().sent(&frame), Some(frame.clone()));
            assert_eq!(Policy::default().received(&frame), Some(frame));
        }
    }

    #[test]
    fn a_source_that_is_not_the_functions_is_dropped() {
        let policy = Policy { mac: MAC, spoof_check: true, vlan: None };
        assert_eq!(policy.sent(&frame(&[8, 0])), Some(frame(&[8, 0])));
        assert_eq!(policy.sent(&frame(&[8])), None, "shorter than a header");
        assert_eq!(Policy { mac: [2; 6], ..policy }.sent(&frame(&[8, 0])), None);
        assert_eq!(Policy { mac: [2; 6], ..policy }.received(&frame(&[8])), Some(frame(&[8])));
    }

    #[test]
    fn a_vlan_is_put_on_and_taken_off() {
        let policy = Policy { mac: [0; 6], spoof_check: false, vlan: Some(VLAN) };
        let tagged = frame(&[0x81, 0x00, 0xa1, 0x23, 8, 0, 9]);
        assert_eq!(policy.sent(&frame(&[8, 0, 9])), Some(tagged.clone()));
        assert_eq!(policy.received(&tagged), Some(frame(&[8, 0, 9])));
        assert_eq!(policy.received(&frame(&[0x81, 0x00, 0x11, 0x23, 8, 0])), Some(frame(&[8, 0])), "any priority");
        for other in
            [&[0x81, 0x00, 0xa1, 0x24, 8, 0][..], &[0x88, 0xa8, 0xa1, 0x23, 8, 0], &[8, 0], &[0x81, 0, 0xa1, 0x23, 8]]
        {
            assert_eq!(policy.received(&frame(other)), None);
        }
        for tag in [[0x81, 0x00], [0x88, 0xa8]] {
            assert_eq!(policy.sent(&frame(&tag)), None);
        }
        let service = Policy { vlan: Some(Vlan { service: true, ..VLAN }), ..policy };
        let inner = [0x81, 0x00, 0, 1, 8, 0];
        let outer = [&[0x88, 0xa8, 0xa1, 0x23][..], &inner].concat();
        assert_eq!(service.sent(&frame(&inner)), Some(frame(&outer)));
        assert_eq!(service.received(&frame(&outer)), Some(frame(&inner)));
        assert_eq!(service.sent(&frame(&outer)), None);
    }
}
