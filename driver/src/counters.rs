// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the device counts, as software sees it.

use crate::commands::Commands;
use crate::{Access, Device, DeviceError};
use millrace_regs::{Command, Verdict, addr};
use std::ops::Index;

/// Frames and their bytes.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Frames.
    pub packets: u64,
    /// Bytes, without FCS.
    pub bytes: u64,
}

impl Count {
    /// What was counted since `baseline`.
    pub fn since(self, baseline: Count) -> Count {
        Count { packets: self.packets.wrapping_sub(baseline.packets), bytes: self.bytes.wrapping_sub(baseline.bytes) }
    }
}

/// A rule's counters.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleCounters {
    /// Packets that hit the rule since it was inserted.
    pub packets: u64,
    /// Their bytes, as received.
    pub bytes: u64,
    /// The epoch of the last of them; none if there was none.
    pub epoch: Option<u32>,
    /// The rule was hit in the present epoch.
    pub hit: bool,
}

/// What became of the frames of a vport, by verdict.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts([Count; Verdict::ALL.len()]);

impl Index<Verdict> for Verdicts {
    type Output = Count;
    fn index(&self, verdict: Verdict) -> &Count {
        &self.0[verdict as usize]
    }
}

impl Verdicts {
    /// Every verdict with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Verdict, Count)> {
        Verdict::ALL.iter().map(|&verdict| (verdict, self[verdict]))
    }
}

/// What a transmit queue counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Frames accepted into the queue.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames dropped because the queue was full.
    pub drops: u64,
    /// A frame that does not fit is dropped, rather than that the pipeline waits.
    pub drop_when_full: bool,
}

/// Reads a rule's or a verdict's counter, as the device has it since its reset.
pub(crate) fn read(commands: &mut Commands<'_>, command: Command, index: u32) -> Result<Count, DeviceError> {
    commands.read_counter(command, index)?;
    let [packets_lo, packets_hi, bytes_lo, bytes_hi] = read_all(
        commands.device,
        [addr::COUNTER_PACKETS_LO, addr::COUNTER_PACKETS_HI, addr::COUNTER_BYTES_LO, addr::COUNTER_BYTES_HI],
    )?;
    Ok(Count { packets: wide(packets_lo, packets_hi), bytes: wide(bytes_lo, bytes_hi) })
}

/// Epoch of the last hit of the rule whose counter was read last, and its hit flag.
pub(crate) fn last_hit(device: &mut dyn Device) -> Result<(u32, bool), DeviceError> {
    let [epoch, flags] = read_all(device, [addr::COUNTER_EPOCH, addr::COUNTER_FLAGS])?;
    Ok((epoch, flags & 1 != 0))
}

/// Reads registers in this order.
fn read_all<const N: usize>(device: &mut dyn Device, addresses: [u32; N]) -> Result<[u32; N], DeviceError> {
    let values = device.batch(&addresses.map(|address| Access::Read { address }))?;
    Ok(values.try_into().expect("a value of each read"))
}

fn wide(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

pub(crate) fn verdicts(commands: &mut Commands<'_>, vport: u8) -> Result<Verdicts, DeviceError> {
    let mut verdicts = Verdicts::default();
    for &verdict in Verdict::ALL {
        let index = verdict.counter_index(vport);
        verdicts.0[verdict as usize] = read(commands, Command::ReadVerdictCounter, index)?;
    }
    Ok(verdicts)
}

pub(crate) fn queue(device: &mut dyn Device, queue: u32) -> Result<QueueStats, DeviceError> {
    // The low word of a count latches its high word.
    let words = read_all(
        device,
        [
            addr::queue_packets_lo(queue),
            addr::queue_packets_hi(queue),
            addr::queue_bytes_lo(queue),
            addr::queue_bytes_hi(queue),
            addr::queue_drops_lo(queue),
            addr::queue_drops_hi(queue),
            addr::queue_ctrl(queue),
        ],
    )?;
    let [packets_lo, packets_hi, bytes_lo, bytes_hi, drops_lo, drops_hi, ctrl] = words;
    Ok(QueueStats {
        packets: wide(packets_lo, packets_hi),
        bytes: wide(bytes_lo, bytes_hi),
        drops: wide(drops_lo, drops_hi),
        drop_when_full: ctrl & 1 != 0,
    })
}
