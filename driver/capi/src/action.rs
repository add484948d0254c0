// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is done with a packet.

use crate::error::Failure;
use millrace_driver::Action;

/// What an action does. A list is carried out in order: an edit counts for the outputs behind it, and does nothing to a packet without that header. A list without output and upcall drops.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum millrace_action_kind {
    /// Puts the packet out of vport `value`, as it is by then.
    MILLRACE_OUTPUT = 0,
    /// Gives the packet to the representor of the vport it came in on, as it is by then.
    MILLRACE_UPCALL = 1,
    /// The only action of a list.
    MILLRACE_DROP = 2,
    /// New source MAC address: bytes 0 to 5 of `address`.
    MILLRACE_SET_DL_SRC = 3,
    /// New destination MAC address: bytes 0 to 5 of `address`.
    MILLRACE_SET_DL_DST = 4,
    /// New source IP address: `address`, as in `struct millrace_key`.
    MILLRACE_SET_NW_SRC = 5,
    /// New destination IP address: `address`, as in `struct millrace_key`.
    MILLRACE_SET_NW_DST = 6,
    /// Those bits of TOS, or traffic class, that are 1 in `mask` become those of `value`.
    MILLRACE_SET_NW_TOS = 7,
    /// TTL, or hop limit, becomes `value`.
    MILLRACE_SET_NW_TTL = 8,
    /// Takes `value` from TTL, or hop limit; for a packet whose TTL is not greater the list ends.
    MILLRACE_DEC_TTL = 9,
    /// Source port of TCP or UDP becomes `value`.
    MILLRACE_SET_TP_SRC = 10,
    /// Destination port of TCP or UDP becomes `value`.
    MILLRACE_SET_TP_DST = 11,
    /// Takes the outermost tag off, if there is one.
    MILLRACE_POP_VLAN = 12,
    /// Puts a tag on: TPID in bits 31:16 of `value`, TCI in 15:0.
    MILLRACE_PUSH_VLAN = 13,
    /// VLAN ID of the outermost tag, which the list pushed, becomes `value`.
    MILLRACE_SET_VLAN_VID = 14,
    /// Priority of the outermost tag, which the list pushed, becomes `value`.
    MILLRACE_SET_VLAN_PCP = 15,
}

/// An action of a list. Members that its kind does not use are not looked at.
#[repr(C)]
pub struct millrace_action {
    /// `enum millrace_action_kind`.
    pub kind: u32,
    pub value: u32,
    pub mask: u32,
    pub address: [u8; 16],
}

/// The actions of a list in the driver's words.
pub fn read(actions: &[millrace_action]) -> Result<Vec<Action>, Failure> {
    let all = actions.iter().enumerate();
    let read =
        |(index, action)| read_one(action).map_err(|problem| Failure::argument(format!("action {index}: {problem}")));
    all.map(read).collect()
}

fn read_one(action: &millrace_action) -> Result<Action, String> {
    use millrace_action_kind::*;
    const KINDS: [millrace_action_kind; 16] = [
        MILLRACE_OUTPUT,
        MILLRACE_UPCALL,
        MILLRACE_DROP,
        MILLRACE_SET_DL_SRC,
        MILLRACE_SET_DL_DST,
        MILLRACE_SET_NW_SRC,
        MILLRACE_SET_NW_DST,
        MILLRACE_SET_NW_TOS,
        MILLRACE_SET_NW_TTL,
        MILLRACE_DEC_TTL,
        MILLRACE_SET_TP_SRC,
        MILLRACE_SET_TP_DST,
        MILLRACE_POP_VLAN,
        MILLRACE_PUSH_VLAN,
        MILLRACE_SET_VLAN_VID,
        MILLRACE_SET_VLAN_PCP,
    ];
    let kind = KINDS.into_iter().find(|kind| *kind as u32 == action.kind);
    let kind = kind.ok_or_else(|| format!("there is no kind {}", action.kind))?;
    let [a, b, c, d, e, f, ..] = action.address;
    let dl = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let nw = u128::from_be_bytes(action.address);
    Ok(match kind {
        MILLRACE_OUTPUT => Action::Output(number("value", action.value)?),
        MILLRACE_UPCALL => Action::Upcall,
        MILLRACE_DROP => Action::Drop,
        MILLRACE_SET_DL_SRC => Action::SetDlSrc(dl),
        MILLRACE_SET_DL_DST => Action::SetDlDst(dl),
        MILLRACE_SET_NW_SRC => Action::SetNwSrc(nw),
        MILLRACE_SET_NW_DST => Action::SetNwDst(nw),
        MILLRACE_SET_NW_TOS => {
            Action::SetNwTos { value: number("value", action.value)?, mask: number("mask", action.mask)? }
        }
        MILLRACE_SET_NW_TTL => Action::SetNwTtl(number("value", action.value)?),
        MILLRACE_DEC_TTL => Action::DecTtl(number("value", action.value)?),
        MILLRACE_SET_TP_SRC => Action::SetTpSrc(number("value", action.value)?),
        MILLRACE_SET_TP_DST => Action::SetTpDst(number("value", action.value)?),
        MILLRACE_POP_VLAN => Action::PopVlan,
        MILLRACE_PUSH_VLAN => Action::PushVlan { tpid: (action.value >> 16) as u16, tci: action.value as u16 },
        MILLRACE_SET_VLAN_VID => Action::SetVlanVid(number("value", action.value)?),
        MILLRACE_SET_VLAN_PCP => Action::SetVlanPcp(number("value", action.value)?),
    })
}

fn number<T: TryFrom<u32>>(name: &str, value: u32) -> Result<T, String> {
    value.try_into().map_err(|_| format!("`{name}` is {value}, which is too large"))
}
