// SPDX-License-Identifier: MIT OR Apache-2.0
//! The control queue (virtio 5.1.6.5).

use super::chain::Chain;
use super::function::Function;
use super::steering::Steering;
use super::{HostModel, Memory, Place};
use millrace_regs::host::FaultReason;
use millrace_regs::host::control::{COMMAND_BYTES, Command, ERR, HASH_TYPES, KEY_BYTES, OK, TABLE_ENTRIES, VLANS};

const MAC_BYTES: usize = 6;

impl HostModel {
    /// Does what a command asks for, answers and uses its chain.
    pub(super) fn control(&mut self, memory: &mut impl Memory, place: Place, chain: &Chain) -> Result<(), FaultReason> {
        let readable = chain.pieces.iter().filter(|piece| !piece.writable);
        let bytes: usize = readable.clone().map(|piece| piece.len as usize).sum();
        let done = bytes <= COMMAND_BYTES && {
            let mut command = vec![0; bytes];
            let mut rest = &mut command[..];
            for piece in readable {
                let part;
                (part, rest) = rest.split_at_mut(piece.len as usize);
                self.read_memory(memory, place, piece.address, part)?;
            }
            self.functions[place.function].command(&command).is_some()
        };
        let ack = chain.pieces.iter().find(|piece| piece.writable).expect("a chain of a controlq ends with one");
        self.write_memory(memory, place, ack.address, &[if done { OK } else { ERR }])?;
        self.put_used(memory, place, &[chain.used(1)])
    }
}

impl Function {
    /// Does what a command asks for; none if it is not possible, and nothing is changed then. Bytes behind what it takes are not looked at.
    fn command(&mut self, command: &[u8]) -> Option<()> {
        let ([class, number], data) = command.split_first_chunk::<2>()?;
        match Command::of(*class, *number)? {
            Command::Promisc | Command::AllMulti => matches!(data, [0 | 1, ..]).then_some(()),
            Command::TableSet => are_tables(data).then_some(()),
            Command::AddrSet => self.set_mac(*data.first_chunk()?),
            Command::VlanAdd | Command::VlanDel => (take16(data)?.0 < VLANS).then_some(()),
            Command::VqPairsSet => self.set_pairs(take16(data)?.0),
            Command::RssConfig => self.set_rss(data),
        }
    }

    fn set_mac(&mut self, mac: [u8; MAC_BYTES]) -> Option<()> {
        if mac[0] & 1 == 1 || self.keeps_mac() {
            return None;
        }
        let [a, b, c, d, e, f] = mac;
        self.mac[0] = u32::from_le_bytes([a, b, c, d]);
        self.mac[1] = self.mac[1] & 0xffff_0000 | u32::from(u16::from_le_bytes([e, f]));
        self.generation = self.generation.wrapping_add(1);
        Some(())
    }

    fn set_pairs(&mut self, pairs: u16) -> Option<()> {
        if pairs == 0 || pairs > self.pairs() {
            return None;
        }
        self.steering = Some(Steering::pairs(pairs));
        Some(())
    }

    fn set_rss(&mut self, data: &[u8]) -> Option<()> {
        let (types, rest) = data.split_first_chunk()?;
        let (mask, rest) = take16(rest)?;
        let (unclassified, rest) = take16(rest)?;
        let entries = usize::from(mask) + 1;
        let (table, rest) = rest.split_at_checked(2 * entries)?;
        let (max_tx_vq, rest) = take16(rest)?;
        let (length, rest) = rest.split_first()?;
        let key = rest.get(..usize::from(*length))?;
        let table: Vec<u16> = table.chunks(2).filter_map(take16).map(|(entry, _)| entry).collect();
        let hash_types = u32::from_le_bytes(*types);
        let pairs = self.pairs();
        let fits = hash_types & !HASH_TYPES == 0
            && entries.is_power_of_two()
            && entries <= TABLE_ENTRIES
            && unclassified < pairs
            && table.iter().all(|entry| *entry < pairs)
            && (1..=pairs).contains(&max_tx_vq)
            && key.len() <= KEY_BYTES;
        if !fits {
            return None;
        }
        let mut whole = [0; KEY_BYTES];
        whole[..key.len()].copy_from_slice(key);
        self.steering = Some(Steering { hash_types, table, unclassified, key: whole });
        Some(())
    }
}

fn take16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u16::from_le_bytes(*number), rest))
}

/// Two tables of addresses, each behind its number of them.
fn are_tables(data: &[u8]) -> bool {
    skip_table(data).and_then(skip_table).is_some()
}

fn skip_table(data: &[u8]) -> Option<&[u8]> {
    let (count, rest) = data.split_first_chunk()?;
    rest.get((u32::from_le_bytes(*count) as usize).checked_mul(MAC_BYTES)?..)
}
