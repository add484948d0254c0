// SPDX-License-Identifier: MIT OR Apache-2.0
//! The header that every message begins with.

use super::MAX_TRANSFER;
use super::payload::RegionAccess;

/// Bytes of a header.
pub const HEADER: usize = 16;
/// Most bytes of a message: a write of as much as one message may move.
pub const MAX_MESSAGE: usize = HEADER + RegionAccess::BYTES + MAX_TRANSFER;

const TYPE: u32 = 0xf;
const TYPE_COMMAND: u32 = 0;
const TYPE_REPLY: u32 = 1;
const NO_REPLY: u32 = 1 << 4;
const ERROR: u32 = 1 << 5;

/// What a message is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It asks for something; `no_reply`: and wants no answer.
    Command { no_reply: bool },
    /// It answers; `error` is the errno if the command failed, which may be 0.
    Reply { error: Option<u32> },
}

/// A header. Its message's size is that of header and payload.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub id: u16,
    /// The command's number, which need not be known to us.
    pub command: u16,
    pub size: u32,
    pub kind: Kind,
}

/// A header after which nothing can be read: where the next message begins is not known.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Frame {
    #[error("a message says that it has {0} bytes: that is less than its header, or more than {MAX_MESSAGE}")]
    Size(u32),
    #[error("a message is neither command nor reply: its flags are {0:#x}")]
    Type(u32),
}

impl Header {
    pub fn decode(bytes: &[u8; HEADER]) -> Result<Self, Frame> {
        let half = |at: usize| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let word = |at: usize| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (size, flags) = (word(4), word(8));
        if !(HEADER..=MAX_MESSAGE).contains(&(size as usize)) {
            return Err(Frame::Size(size));
        }
        let kind = match flags & TYPE {
            TYPE_COMMAND => Kind::Command { no_reply: flags & NO_REPLY != 0 },
            TYPE_REPLY => Kind::Reply { error: (flags & ERROR != 0).then(|| word(12)) },
            _ => return Err(Frame::Type(flags)),
        };
        Ok(Self { id: half(0), command: half(2), size, kind })
    }

    pub fn encode(&self) -> [u8; HEADER] {
        let (flags, error) = match self.kind {
            Kind::Command { no_reply } => (TYPE_COMMAND | if no_reply { NO_REPLY } else { 0 }, 0),
            Kind::Reply { error: None } => (TYPE_REPLY, 0),
            Kind::Reply { error: Some(error) } => (TYPE_REPLY | ERROR, error),
        };
        let mut bytes = [0; HEADER];
        bytes[0..2].copy_from_slice(&self.id.to_ne_bytes());
        bytes[2..4].copy_from_slice(&self.command.to_ne_bytes());
        bytes[4..8].copy_from_slice(&self.size.to_ne_bytes());
        bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
        bytes[12..16].copy_from_slice(&error.to_ne_bytes());
        bytes
    }

    /// The whole message.
    pub fn message(id: u16, command: u16, kind: Kind, payload: &[u8]) -> Vec<u8> {
        let size = (HEADER + payload.len()) as u32;
        let mut bytes = Self { id, command, size, kind }.encode().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            any::<bool>().prop_map(|no_reply| Kind::Command { no_reply }),
            any::<Option<u32>>().prop_map(|error| Kind::Reply { error }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(id: u16, command: u16, size in HEADER as u32..=MAX_MESSAGE as u32, kind in kind()) {
            let header = Header { id, command, size, kind };
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }

        #[test]
        fn any_bytes_are_a_header_or_refused(bytes: [u8; HEADER]) {
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
            }
        }
    }

    #[test]
    fn fields_lie_where_the_specification_has_them() {
        let header = Header { id: 0x0201, command: 0x0403, size: 0x0008_0605, kind: Kind::Command { no_reply: true } };
        assert_eq!(header.encode(), [1, 2, 3, 4, 5, 6, 8, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
        let header = Header { kind: Kind::Reply { error: Some(0x0c0b_0a09) }, ..header };
        assert_eq!(header.encode()[8..], [0x21, 0, 0, 0, 9, 10, 11, 12]);
    }

    #[test]
    fn sizes_and_types_that_lose_the_stream_are_refused() {
        let good = Header { id: 1, command: 2, size: 16, kind: Kind::Reply { error: None } }.encode();
        for (size, fits) in [(0, false), (15, false), (16, true), (MAX_MESSAGE, true), (MAX_MESSAGE + 1, false)] {
            let mut bytes = good;
            bytes[4..8].copy_from_slice(&(size as u32).to_ne_bytes());
            assert_eq!(Header::decode(&bytes).is_ok(), fits, "{size}");
        }
        let mut bytes = good;
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes), Err(Frame::Type(2)));
    }
}
