// SPDX-License-Identifier: MIT OR Apache-2.0
//! Accesses to memory that only the client can reach: it is asked by message, piece by piece.

use super::regions::{Backing, Direction, Regions};
use crate::socket::Message;
use crate::wire::{Command, DmaRange, Header, Kind, MAX_TRANSFER};
use std::collections::{HashMap, VecDeque};

/// Accesses that may be under way at once.
const MAX_TRANSFERS: usize = 64;
/// Most bytes that we ask for at once.
const MAX_CHUNK: usize = 1 << 16;

/// What makes an access the same as one that was begun before.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub direction: Direction,
    pub address: u64,
    pub len: usize,
}

/// How far an access is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum State {
    /// The client was asked for this many bytes, by the message of this number.
    Asked {
        id: u16,
        len: usize,
    },
    Finished,
    Failed,
}

struct Transfer {
    /// What is written, or what was read.
    bytes: Vec<u8>,
    done: usize,
    state: State,
}

/// The accesses under way.
pub struct Transfers {
    transfers: HashMap<Key, Transfer>,
    /// Messages to the client.
    outgoing: VecDeque<Vec<u8>>,
    next_id: u16,
    chunk: usize,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { transfers: HashMap::new(), outgoing: VecDeque::new(), next_id: 0, chunk: MAX_CHUNK }
    }
}

/// What became of an access.
pub enum Progress {
    Done(Vec<u8>),
    Failed,
    UnderWay,
}

impl Transfers {
    /// The client moves at most this many bytes with one message.
    pub fn set_limit(&mut self, bytes: u64) {
        self.chunk = usize::try_from(bytes).unwrap_or(MAX_TRANSFER).clamp(1, MAX_CHUNK);
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.transfers.is_empty()
    }

    /// Whether this access was begun.
    pub fn knows(&self, key: Key) -> bool {
        self.transfers.contains_key(&key)
    }

    /// Begins an access, if not too many are under way.
    pub fn begin(&mut self, key: Key, bytes: Vec<u8>, regions: &Regions) {
        if self.transfers.len() < MAX_TRANSFERS {
            let transfer = Transfer { bytes, done: 0, state: State::Failed };
            self.transfers.insert(key, transfer);
            self.advance(key, regions);
        }
    }

    /// Looks after an access; one that has ended is forgotten.
    pub fn progress(&mut self, key: Key) -> Progress {
        match self.transfers.get(&key).map(|transfer| transfer.state) {
            None | Some(State::Asked { .. }) => Progress::UnderWay,
            Some(State::Failed) => {
                self.transfers.remove(&key);
                Progress::Failed
            }
            Some(State::Finished) => Progress::Done(self.transfers.remove(&key).expect("it was found").bytes),
        }
    }

    /// The next message to the client.
    pub fn next_message(&mut self) -> Option<Vec<u8>> {
        self.outgoing.pop_front()
    }

    /// Whether messages wait.
    pub fn has_messages(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Takes an answer of the client; false if it answers nothing.
    pub fn answer(&mut self, message: &Message, regions: &Regions) -> bool {
        let asked = |transfer: &Transfer| matches!(transfer.state, State::Asked { id, .. } if id == message.header.id);
        let found = self
            .transfers
            .iter_mut()
            .find(|(key, transfer)| asked(transfer) && command(key.direction) as u16 == message.header.command);
        let Some((&key, transfer)) = found else { return false };
        let State::Asked { len, .. } = transfer.state else { unreachable!("only those are looked for") };
        let range = DmaRange { address: key.address + transfer.done as u64, count: len as u64 };
        let data = match message.header.kind {
            Kind::Reply { error: None } => data(&message.payload, range, key.direction),
            _ => None,
        };
        let Some(data) = data else {
            tracing::debug!(address = range.address, len, kind = ?message.header.kind, "the client did not move the memory that it mapped");
            transfer.state = State::Failed;
            return true;
        };
        transfer.bytes[transfer.done..][..data.len()].copy_from_slice(data);
        transfer.done += len;
        self.advance(key, regions);
        true
    }

    /// Moves what can be moved here, and asks the client for what comes then.
    fn advance(&mut self, key: Key, regions: &Regions) {
        let id = self.free_id();
        let transfer = self.transfers.get_mut(&key).expect("it is under way");
        transfer.state = loop {
            if transfer.done == key.len {
                break State::Finished;
            }
            let address = key.address + transfer.done as u64;
            let Some(piece) = regions.piece(address, key.len - transfer.done, key.direction) else {
                break State::Failed;
            };
            let Backing::File(file, offset) = piece.backing else {
                let len = piece.len.min(self.chunk);
                let bytes = &transfer.bytes[transfer.done..][..len];
                self.outgoing.push_back(request(id, key.direction, address, bytes));
                break State::Asked { id, len };
            };
            let bytes = &mut transfer.bytes[transfer.done..][..piece.len];
            let moved = match key.direction {
                Direction::Read => file.read(offset, bytes),
                Direction::Write => file.write(offset, bytes),
            };
            if moved.is_err() {
                break State::Failed;
            }
            transfer.done += piece.len;
        };
    }

    /// A number that no message under way has.
    fn free_id(&mut self) -> u16 {
        loop {
            let id = self.next_id;
            self.next_id = id.wrapping_add(1);
            let taken = |transfer: &Transfer| matches!(transfer.state, State::Asked { id: other, .. } if other == id);
            if !self.transfers.values().any(taken) {
                return id;
            }
        }
    }
}

fn command(direction: Direction) -> Command {
    match direction {
        Direction::Read => Command::DmaRead,
        Direction::Write => Command::DmaWrite,
    }
}

fn request(id: u16, direction: Direction, address: u64, bytes: &[u8]) -> Vec<u8> {
    let mut payload = DmaRange { address, count: bytes.len() as u64 }.encode();
    if direction == Direction::Write {
        payload.extend_from_slice(bytes);
    }
    Header::message(id, command(direction) as u16, Kind::Command { no_reply: false }, &payload)
}

/// The data of an answer for this range; none if it answers another question.
fn data(payload: &[u8], range: DmaRange, direction: Direction) -> Option<&[u8]> {
    if direction == Direction::Write {
        // The specification says that `count` has 4 bytes here, its implementations 8: the low 4 are the same.
        let (address, count) = payload.split_first_chunk()?;
        let count = u32::from_ne_bytes(*count.first_chunk()?);
        return (u64::from_ne_bytes(*address) == range.address && u64::from(count) == range.count).then_some(&[]);
    }
    let (found, data) = DmaRange::decode(payload)?;
    (found == range && data.len() as u64 == range.count).then_some(data)
}
