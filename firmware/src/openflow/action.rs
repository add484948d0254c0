// SPDX-License-Identifier: MIT OR Apache-2.0
//! The actions and instructions of a flow (ovs-actions(7)).
//!
//! Several spellings are one action here: `mod_dl_src:X` is `set_field:X->eth_src`, `load:X->F[]` is a `set_field` with a mask.
//! Only where OpenFlow 1.0's action does more than setting a field has it a variant of its own. `note` does nothing, and is none.

use super::field::{Field, Subfield};

/// One action, carried out in the order of the list.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// `output:N`: to the port with this OpenFlow number. Nothing if that is the port the packet came in on
    /// (`in_port` is the way to say that), or `LOCAL`, which this switch does not have.
    Output(u16),
    /// `output:reg0[0..15]`: to the port whose number is in these bits; reserved numbers count too.
    OutputField(Subfield),
    /// `in_port`: back where it came from.
    InPort,
    /// `normal`: as a learning switch would.
    Normal,
    /// `flood`: all ports but the one it came in on.
    Flood,
    /// `all`: all ports but the one it came in on.
    All,
    /// `drop`; only ever alone in a list, however often.
    Drop,
    /// `set_field`, `load`, `mod_dl_*`, `mod_nw_*`: if the packet has the field ([`super::field::Prereq`]), replaces the bits of `mask`.
    /// On VLAN fields this adds a tag where there is none, if the new value has the CFI bit.
    SetField {
        /// The field.
        field: Field,
        /// New value, 0 outside the mask.
        value: u128,
        /// Bits to replace.
        mask: u128,
    },
    /// `mod_vlan_vid:N` (OpenFlow 1.0, adds a tag where there is none) and `set_vlan_vid:N` (does not).
    SetVlanVid {
        /// VLAN identifier, 0 to 4095.
        vid: u16,
        /// Adds a tag (TPID 0x8100) if the packet has none.
        push: bool,
    },
    /// `mod_vlan_pcp:N` and `set_vlan_pcp:N`.
    SetVlanPcp {
        /// Priority, 0 to 7.
        pcp: u8,
        /// Adds a tag (TPID 0x8100, VID 0) if the packet has none.
        push: bool,
    },
    /// `mod_tp_src:N`: source port, whatever the L4 protocol.
    SetTpSrc(u16),
    /// `mod_tp_dst:N`: destination port, whatever the L4 protocol.
    SetTpDst(u16),
    /// `move:S->D`: copies bits, if the packet has both fields. Both are of the same width.
    Move {
        /// From.
        src: Subfield,
        /// To.
        dst: Subfield,
    },
    /// `dec_ttl`: TTL minus 1; a packet whose TTL is 0 or 1 goes no further (actions so far stand).
    DecTtl,
    /// `push_vlan:TPID`: a new outer tag (0x8100 or 0x88a8) with VID 0 and priority 0.
    PushVlan(u16),
    /// `pop_vlan`, `strip_vlan`: the outer tag off, if there is one.
    PopVlan,
    /// `resubmit(port,table)`: looks the packet, as edited so far, up again; then goes on with this list.
    Resubmit {
        /// In-port for that lookup (`None`: as it is).
        port: Option<u16>,
        /// Table (`None`: the current one).
        table: Option<u8>,
    },
    /// `write_metadata:V/M` (instruction).
    WriteMetadata {
        /// New value, 0 outside the mask.
        value: u64,
        /// Bits to replace.
        mask: u64,
    },
    /// `clone(…)`: the next `actions` of the list, with the lists that they resubmit to, edit a copy of the packet.
    Clone {
        /// How many.
        actions: u32,
    },
    /// `group:N`: what the group with this number does; then goes on with this list.
    Group(u32),
    /// `exit`: nothing follows, also not in the lists that resubmitted to this one or that this is a clone in.
    Exit,
    /// `goto_table:N` (instruction, last in the list, to a higher table).
    GotoTable(u8),
}

impl Action {
    /// Whether it puts the packet out.
    pub(super) fn is_output(&self) -> bool {
        matches!(self, Self::Output(_) | Self::InPort | Self::Normal | Self::Flood | Self::All)
    }

    /// Whether it sets fields, and adds and takes off nothing.
    pub(super) fn sets_fields(&self) -> bool {
        let old =
            matches!(self, Self::SetVlanVid { .. } | Self::SetVlanPcp { .. } | Self::SetTpSrc(_) | Self::SetTpDst(_));
        old || matches!(self, Self::SetField { .. } | Self::Move { .. })
    }

    /// Whether an action set may have it (OpenFlow 1.5, 5.6).
    pub(super) fn may_be_in_a_set(&self) -> bool {
        let others =
            matches!(self, Self::PopVlan | Self::PushVlan(_) | Self::DecTtl | Self::Group(_) | Self::Resubmit { .. });
        others || self.is_output() || self.sets_fields()
    }
}
