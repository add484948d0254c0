// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a driver asks a function for through its control queue.

use super::features::has;
use super::rss::Rss;
use super::{DmaMemory, VirtioError, VirtioNet, VirtioPci};
use millrace_regs::host::Feature;
use millrace_regs::host::control::Command;

/// Commands take the feature that is named; what they set is gone after a [`restart`](Self::restart), but for the MAC address.
///
/// # Errors
/// All of them give [`VirtioError::NotAgreed`] if their feature was not agreed on, [`VirtioError::Refused`] if the function answers that it cannot, and
/// [`VirtioError::NoAnswer`] if it has not answered when it was looked at a million times: there is no other command until it has, or until a [`restart`](Self::restart). Others are as
/// those of [`send`](Self::send) and [`check`](Self::check).
impl<T: VirtioPci, M: DmaMemory> VirtioNet<T, M> {
    /// Lets the function spread frames over the receiveqs of the first `pairs` pairs, as it likes (VIRTIO_NET_F_MQ). [`start`](Self::start) does it with all pairs of its settings, if they are several.
    ///
    /// # Errors
    /// If so many are not in use. Others as above.
    pub fn set_pairs(&mut self, pairs: u16) -> Result<(), VirtioError> {
        let in_use = self.settings.pairs;
        if pairs == 0 || pairs > in_use {
            return Err(VirtioError::NoPair { pair: pairs.saturating_sub(1), pairs: in_use });
        }
        self.command(Feature::Mq, Command::VqPairsSet, &pairs.to_le_bytes())
    }

    /// Says how the function chooses a frame's receiveq (VIRTIO_NET_F_RSS).
    ///
    /// # Errors
    /// If the table does not fit the pairs in use. Others as above.
    pub fn set_rss(&mut self, rss: &Rss) -> Result<(), VirtioError> {
        let data = rss.bytes(self.settings.pairs)?;
        self.command(Feature::Rss, Command::RssConfig, &data)
    }

    /// Sets the function's MAC address (VIRTIO_NET_F_CTRL_MAC_ADDR).
    ///
    /// # Errors
    /// As above; a group address is refused.
    pub fn set_mac(&mut self, mac: [u8; 6]) -> Result<(), VirtioError> {
        self.command(Feature::CtrlMacAddr, Command::AddrSet, &mac)
    }

    /// Asks for the frames of all addresses, or not any more (VIRTIO_NET_F_CTRL_RX).
    ///
    /// # Errors
    /// As above.
    pub fn set_promiscuous(&mut self, on: bool) -> Result<(), VirtioError> {
        self.command(Feature::CtrlRx, Command::Promisc, &[on.into()])
    }

    /// Asks for the frames of all group addresses, or not any more (VIRTIO_NET_F_CTRL_RX).
    ///
    /// # Errors
    /// As above.
    pub fn set_all_multicast(&mut self, on: bool) -> Result<(), VirtioError> {
        self.command(Feature::CtrlRx, Command::AllMulti, &[on.into()])
    }

    /// Asks for the frames of these addresses beside the function's own, instead of those asked for before (VIRTIO_NET_F_CTRL_RX).
    ///
    /// # Errors
    /// As above; [`VirtioError::CommandTooLong`] if they are more than a command holds.
    pub fn set_addresses(&mut self, stations: &[[u8; 6]], groups: &[[u8; 6]]) -> Result<(), VirtioError> {
        let table = |addresses: &[[u8; 6]]| [&(addresses.len() as u32).to_le_bytes()[..], &addresses.concat()].concat();
        self.command(Feature::CtrlRx, Command::TableSet, &[table(stations), table(groups)].concat())
    }

    /// Asks for the frames of a VLAN (VIRTIO_NET_F_CTRL_VLAN).
    ///
    /// # Errors
    /// As above; a number that is no VLAN's is refused.
    pub fn add_vlan(&mut self, vid: u16) -> Result<(), VirtioError> {
        self.command(Feature::CtrlVlan, Command::VlanAdd, &vid.to_le_bytes())
    }

    /// Asks for them not any more (VIRTIO_NET_F_CTRL_VLAN).
    ///
    /// # Errors
    /// As [`add_vlan`](Self::add_vlan).
    pub fn remove_vlan(&mut self, vid: u16) -> Result<(), VirtioError> {
        self.command(Feature::CtrlVlan, Command::VlanDel, &vid.to_le_bytes())
    }

    fn command(&mut self, feature: Feature, command: Command, data: &[u8]) -> Result<(), VirtioError> {
        let control = self.control.as_mut().filter(|_| has(self.features, feature));
        let control = control.ok_or(VirtioError::NotAgreed { name: feature.name() })?;
        control.command(&mut self.function, &self.memory, command, data)
    }
}
