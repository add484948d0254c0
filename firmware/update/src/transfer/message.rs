// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages between host and card, a frame each. Numbers are in network byte order:
//!
//! | bytes | |
//! |---|---|
//! | 0 | destination [`DESTINATION`], source, EtherType [`ETHERTYPE`] |
//! | 14 | `MRIM` |
//! | 18 | kind, and three zeros |
//! | 22 | number of the transfer |
//! | 26 | bytes of the image in an offer; place of a piece; place from which on the card wants more |
//! | 30 | length of what follows |
//! | 32 | bytes of a piece, or a text of UTF-8 |

/// That of experiments on one's own network (IEEE Std 802, local experimental EtherType 1).
pub const ETHERTYPE: u16 = 0x88b5;
/// Nearest bridge (IEEE Std 802.1Q, table 8-1): a switch that does not take it does not send it on.
pub const DESTINATION: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0x0e];
/// Bytes of a piece or a text, at most: a frame fits into an MTU of 1,500.
pub const LONGEST: usize = 1400;

const MAGIC: [u8; 4] = *b"MRIM";
const ETHERNET: usize = 14;
const HEADER: usize = ETHERNET + 18;
/// Of a frame without its FCS.
const SHORTEST: usize = 60;

/// What a message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The transfer's number, which the host makes up.
    pub transfer: u32,
    /// What it says.
    pub says: Says<'a>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says<'a> {
    /// The host has an image of so many bytes, and asks how far the transfer is.
    Offer(u32),
    /// Bytes of the image from a place on.
    Piece(u32, &'a [u8]),
    /// The card has what is before this place.
    Wanted(u32),
    /// The card has all, and installs it.
    Installing,
    /// It has: what it says.
    Installed(&'a str),
    /// The card does not take the image: why.
    Refused(&'a str),
}

impl<'a> Message<'a> {
    /// As a frame of this source.
    pub fn frame(&self, source: [u8; 6]) -> Vec<u8> {
        let (kind, number, content): (u8, u32, &[u8]) = match self.says {
            Says::Offer(bytes) => (0, bytes, &[]),
            Says::Piece(place, content) => (1, place, content),
            Says::Wanted(place) => (2, place, &[]),
            Says::Installing => (3, 0, &[]),
            Says::Installed(text) => (4, 0, shortened(text).as_bytes()),
            Says::Refused(text) => (5, 0, shortened(text).as_bytes()),
        };
        assert!(content.len() <= LONGEST, "a piece is too long");
        let mut frame = [&DESTINATION[..], &source, &ETHERTYPE.to_be_bytes(), &MAGIC, &[kind, 0, 0, 0]].concat();
        frame.extend(self.transfer.to_be_bytes());
        frame.extend(number.to_be_bytes());
        frame.extend((content.len() as u16).to_be_bytes());
        frame.extend(content);
        frame.resize(frame.len().max(SHORTEST), 0);
        frame
    }

    /// What a frame is, if it is one of these.
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let (header, rest) = frame.split_at_checked(HEADER)?;
        let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        if !is_ours(frame) || header[ETHERNET..18] != MAGIC || header[19..22] != [0; 3] {
            return None;
        }
        let content = rest.get(..usize::from(u16::from_be_bytes([header[30], header[31]])))?;
        let text = || str::from_utf8(content).ok();
        let says = match header[18] {
            0 => Says::Offer(number(26)),
            1 => Says::Piece(number(26), content),
            2 => Says::Wanted(number(26)),
            3 => Says::Installing,
            4 => Says::Installed(text()?),
            5 => Says::Refused(text()?),
            _ => return None,
        };
        Some(Self { transfer: number(22), says })
    }
}

/// Whether a frame is of a transfer, and nothing for the switch: whatever else is in it.
pub fn is_ours(frame: &[u8]) -> bool {
    frame.get(..6) == Some(&DESTINATION) && frame.get(12..ETHERNET) == Some(&ETHERTYPE.to_be_bytes())
}

/// The beginning of a text, as much as fits.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let all = [
            Says::Offer(u32::MAX),
            Says::Piece(1 << 20, b"abc"),
            Says::Wanted(7),
            Says::Installing,
            Says::Installed("2 in slot b"),
            Says::Refused("it is no image"),
        ];
        for says in all {
            let message = Message { transfer: 0x0102_0304, says };
            let frame = message.frame(SOURCE);
            assert!(frame.len() >= SHORTEST && is_ours(&frame));
            assert_eq!(Message::parse(&frame), Some(message));
        }
    }

    #[test]
    fn what_is_no_message_is_none() {
        let frame = Message { transfer: 1, says: Says::Piece(0, &[7; 100]) }.frame(SOURCE);
        for length in 0..frame.len() {
            assert_eq!(Message::parse(&frame[..length]), None, "of {length} bytes");
        }
        // All but the source, the numbers and the piece count.
        for place in (0..6).chain(12..22).chain([30]) {
            let mut changed = frame.clone();
            changed[place] ^= 0x80;
            assert_eq!(Message::parse(&changed), None, "byte {place}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "ü".repeat(LONGEST);
        let frame = Message { transfer: 1, says: Says::Refused(&text) }.frame(SOURCE);
        assert_eq!(Message::parse(&frame).unwrap().says, Says::Refused(&text[..LONGEST]));
        let text = format!("a{text}");
        let frame = Message { transfer: 1, says: Says::Refused(&text) }.frame(SOURCE);
        assert_eq!(Message::parse(&frame).unwrap().says, Says::Refused(&text[..LONGEST - 1]));
    }
}
