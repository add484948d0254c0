// SPDX-License-Identifier: MIT OR Apache-2.0
//! Messages of the host channel as bytes of a UART (`docs/board.md`): SLIP framing (RFC 1055) around a message and its check sequence.

use std::mem::take;

/// Before and behind each message.
pub const END: u8 = 0xc0;
/// Before what stands for one of the two bytes.
pub const ESC: u8 = 0xdb;
/// Behind [`ESC`]: a byte [`END`].
pub const ESC_END: u8 = 0xdc;
/// Behind [`ESC`]: a byte [`ESC`].
pub const ESC_ESC: u8 = 0xdd;
/// Bytes of the check sequence, that of Ethernet (IEEE 802.3 §3.2.9), behind the message.
pub const CHECK_BYTES: usize = 4;

/// Appends a message, given in parts, to the bytes of a line.
pub fn encode(parts: &[&[u8]], line: &mut Vec<u8>) {
    let mut check = crc32fast::Hasher::new();
    line.push(END);
    for part in parts {
        check.update(part);
        escape(part, line);
    }
    escape(&check.finalize().to_le_bytes(), line);
    line.push(END);
}

fn escape(bytes: &[u8], line: &mut Vec<u8>) {
    for byte in bytes {
        match *byte {
            END => line.extend([ESC, ESC_END]),
            ESC => line.extend([ESC, ESC_ESC]),
            other => line.push(other),
        }
    }
}

/// What is wrong with a message.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Damage {
    /// A byte behind [`ESC`] that does not belong there.
    Escape,
    /// The check sequence is not that of the message.
    Check,
    /// Longer than any message of the channel.
    Length,
}

/// Takes messages off a line, byte by byte. What comes before the first [`END`] is ignored: the rest of a message whose beginning
/// nobody heard.
#[derive(Clone, Debug)]
pub struct Decoder {
    longest: usize,
    framed: bool,
    escaped: bool,
    damage: Option<Damage>,
    message: Vec<u8>,
}

impl Decoder {
    /// For messages of up to `longest` bytes.
    pub fn new(longest: usize) -> Self {
        Self { longest, framed: false, escaped: false, damage: None, message: vec![] }
    }

    /// The next byte; with the last one of a message the message, or what is wrong with it. Between messages there may be any number
    /// of [`END`]s.
    pub fn push(&mut self, byte: u8) -> Option<Result<Vec<u8>, Damage>> {
        if byte == END {
            return self.end();
        }
        if self.framed && self.damage.is_none() {
            self.inside(byte);
        }
        None
    }

    fn inside(&mut self, byte: u8) {
        let byte = match (take(&mut self.escaped), byte) {
            (false, ESC) => {
                self.escaped = true;
                return;
            }
            (false, byte) => byte,
            (true, ESC_END) => END,
            (true, ESC_ESC) => ESC,
            (true, _) => {
                self.damage = Some(Damage::Escape);
                return;
            }
        };
        if self.message.len() == self.longest + CHECK_BYTES {
            self.damage = Some(Damage::Length);
            return;
        }
        self.message.push(byte);
    }

    fn end(&mut self) -> Option<Result<Vec<u8>, Damage>> {
        self.framed = true;
        let mut message = take(&mut self.message);
        let damage = take(&mut self.damage).or(take(&mut self.escaped).then_some(Damage::Escape));
        if message.is_empty() && damage.is_none() {
            return None;
        }
        if let Some(damage) = damage {
            return Some(Err(damage));
        }
        let Some((body, check)) = message.split_last_chunk::<CHECK_BYTES>() else { return Some(Err(Damage::Check)) };
        if crc32fast::hash(body).to_le_bytes() != *check {
            return Some(Err(Damage::Check));
        }
        message.truncate(message.len() - CHECK_BYTES);
        Some(Ok(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    const LONGEST: usize = 200;

    fn decode(line: &[u8]) -> Vec<Result<Vec<u8>, Damage>> {
        let mut decoder = Decoder::new(LONGEST);
        line.iter().filter_map(|byte| decoder.push(*byte)).collect()
    }

    fn line(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut line = vec![];
        messages.iter().for_each(|message| encode(&[message], &mut line));
        line
    }

    /// Messages in which the bytes that are escaped are frequent.
    fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![any::<u8>(), Just(END), Just(ESC), Just(ESC_END), Just(ESC_ESC)];
        vec(vec(byte, 1..LONGEST), 1..8)
    }

    #[derive(Clone, Copy, Debug)]
    enum Fault {
        Lost,
        Flipped(u8),
        Twice,
    }

    fn fault() -> impl Strategy<Value = Fault> {
        prop_oneof![Just(Fault::Lost), (0..8u8).prop_map(Fault::Flipped), Just(Fault::Twice)]
    }

    /// The line with faults at these places.
    fn damaged(line: &[u8], faults: &[(prop::sample::Index, Fault)]) -> Vec<u8> {
        let mut line = line.to_vec();
        for (at, fault) in faults {
            let at = at.index(line.len());
            match *fault {
                Fault::Lost => drop(line.remove(at)),
                Fault::Flipped(bit) => line[at] ^= 1 << bit,
                Fault::Twice => line.insert(at, line[at]),
            }
        }
        line
    }

    proptest! {
        #[test]
        fn messages_arrive_as_they_were(messages in messages(), split in any::<prop::sample::Index>()) {
            let sent: Vec<_> = messages.iter().cloned().map(Ok).collect();
            prop_assert_eq!(decode(&line(&messages)), sent);
            // In two parts, it is the same message.
            let (front, back) = messages[0].split_at(split.index(messages[0].len()));
            let mut parts = vec![];
            encode(&[front, back], &mut parts);
            prop_assert_eq!(decode(&parts), [Ok(messages[0].clone())]);
        }

        #[test]
        fn damage_is_noticed_and_the_messages_around_it_are_sound(
            (before, hit, after) in (messages(), messages(), messages()),
            faults in vec((any::<prop::sample::Index>(), fault()), 1..6),
        ) {
            let middle = damaged(&line(&hit), &faults);
            let got = decode(&[line(&before), middle, vec![END], line(&after)].concat());
            prop_assert!(got.len() >= before.len() + after.len());
            prop_assert!(got[..before.len()].iter().zip(&before).all(|(got, sent)| got.as_ref() == Ok(sent)));
            let tail = &got[got.len() - after.len()..];
            prop_assert!(tail.iter().zip(&after).all(|(got, sent)| got.as_ref() == Ok(sent)));
            // Whatever comes out of the middle whole was sent, in this order.
            let mut sent = hit.iter();
            for whole in got[before.len()..got.len() - after.len()].iter().flatten() {
                prop_assert!(sent.any(|message| message == whole), "{whole:x?} was never sent");
            }
        }

        #[test]
        fn any_bytes_are_taken(bytes in vec(any::<u8>(), 0..2000)) {
            prop_assert!(decode(&bytes).iter().flatten().all(|message| message.len() <= LONGEST));
        }
    }

    #[test]
    fn damage_has_a_name() {
        assert_eq!(decode(&[1, 2, 3, END, END]), [], "before the first END there is no message");
        assert_eq!(decode(&[END, 1, ESC, 7, 2, END]), [Err(Damage::Escape)]);
        assert_eq!(decode(&[END, 1, ESC, END]), [Err(Damage::Escape)]);
        assert_eq!(decode(&[END, 1, 2, 3, END]), [Err(Damage::Check)], "shorter than a check sequence");
        assert_eq!(decode(&line(&[vec![1; LONGEST]])), [Ok(vec![1; LONGEST])]);
        assert_eq!(decode(&line(&[vec![1; LONGEST + 1]])), [Err(Damage::Length)]);
    }
}
