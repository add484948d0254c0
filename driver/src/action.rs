// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lists of actions, in the words of OVS and rte_flow, as action programs.

use millrace_regs::Step;
use millrace_regs::map::MAX_VPORTS;

/// VLAN ID and priority in a TCI (IEEE 802.1Q-2022 §9.6).
const VID: u16 = 0x0fff;
const PCP_SHIFT: u32 = 13;
/// Values of a priority.
const PCPS: u8 = 8;
/// Tags that a step pops, or pushes.
const TAGS: u8 = 2;

/// An action. A list of them is carried out in order: an edit counts for the outputs behind it. An edit of a header that a packet has not does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Puts the packet out of a vport, as it is by then.
    Output(u8),
    /// Gives the slow path the packet, as it is by then.
    Upcall,
    /// The only action of a list.
    Drop,
    /// New destination MAC address, in bits 47:0.
    SetDlDst(u64),
    /// New source MAC address, in bits 47:0.
    SetDlSrc(u64),
    /// New source address; IPv4 in bits 31:0.
    SetNwSrc(u128),
    /// New destination address; IPv4 in bits 31:0.
    SetNwDst(u128),
    /// Bits of TOS, or traffic class.
    SetNwTos {
        /// What they become.
        value: u8,
        /// Which.
        mask: u8,
    },
    /// New TTL, or hop limit.
    SetNwTtl(u8),
    /// Takes this from TTL, or hop limit. For a packet whose TTL is not greater the list ends.
    DecTtl(u8),
    /// New source port of TCP or UDP.
    SetTpSrc(u16),
    /// New destination port of TCP or UDP.
    SetTpDst(u16),
    /// Takes the outermost tag off, if there is one.
    PopVlan,
    /// Puts a tag on.
    PushVlan {
        /// Its TPID, such as 0x8100.
        tpid: u16,
        /// Its TCI.
        tci: u16,
    },
    /// VLAN ID of the outermost tag, which the list has pushed.
    SetVlanVid(u16),
    /// Priority of the outermost tag, which the list has pushed.
    SetVlanPcp(u8),
}

/// An action that cannot be carried out, by its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("action {index}: {problem}")]
pub struct ActionError {
    /// From 0.
    pub index: usize,
    /// What is wrong.
    pub problem: &'static str,
}

/// The action program of a list. Without output or upcall it drops.
///
/// # Errors
/// The first action that the hardware cannot carry out.
pub fn program(actions: &[Action]) -> Result<Vec<Step>, ActionError> {
    let mut program = Program::default();
    for (index, action) in actions.iter().enumerate() {
        let alone = actions.len() == 1;
        program.add(action, alone).map_err(|problem| ActionError { index, problem })?;
    }
    Ok(if program.steps.is_empty() { vec![Step::DROP] } else { program.steps })
}

/// A program that grows. A step edits the packet as it was received: each has the sum of the edits before it.
#[derive(Default)]
struct Program {
    steps: Vec<Step>,
    /// The edits so far, in a step without outputs.
    edits: Step,
    /// None since the last step.
    unchanged: bool,
}

impl Program {
    fn add(&mut self, action: &Action, alone: bool) -> Result<(), &'static str> {
        match *action {
            Action::Output(vport) if u32::from(vport) >= MAX_VPORTS => {
                return Err("no device has a vport of this number");
            }
            Action::Output(vport) => self.put_out(1 << vport, false),
            Action::Upcall => self.put_out(0, true),
            Action::Drop if alone => {}
            Action::Drop => return Err("a list that drops does nothing else"),
            _ => {
                edit(&mut self.edits, action)?;
                self.unchanged = false;
            }
        }
        Ok(())
    }

    /// Adds an output: to the last step, if that has the same edits and not this output.
    fn put_out(&mut self, output: u128, upcall: bool) {
        match self.steps.last_mut() {
            Some(last) if self.unchanged && last.outputs & output == 0 && !(last.upcall && upcall) => {
                last.outputs |= output;
                last.upcall |= upcall;
            }
            _ => self.steps.push(Step { outputs: output, upcall, ..self.edits }),
        }
        self.unchanged = true;
    }
}

fn edit(step: &mut Step, action: &Action) -> Result<(), &'static str> {
    match *action {
        Action::SetDlDst(dl_dst) => (step.set_dl_dst, step.dl_dst) = (true, dl_dst),
        Action::SetDlSrc(dl_src) => (step.set_dl_src, step.dl_src) = (true, dl_src),
        Action::SetNwSrc(nw_src) => (step.set_nw_src, step.nw_src) = (true, nw_src),
        Action::SetNwDst(nw_dst) => (step.set_nw_dst, step.nw_dst) = (true, nw_dst),
        Action::SetNwTos { value, mask } => {
            step.nw_tos = step.nw_tos & !mask | value & mask;
            step.nw_tos_mask |= mask;
        }
        Action::SetNwTtl(_) if step.ttl_dec != 0 => return Err("the TTL cannot be set behind a decrement"),
        Action::SetNwTtl(ttl) => (step.set_nw_ttl, step.nw_ttl) = (true, ttl),
        Action::DecTtl(by) => dec_ttl(step, by)?,
        Action::SetTpSrc(tp_src) => (step.set_tp_src, step.tp_src) = (true, tp_src),
        Action::SetTpDst(tp_dst) => (step.set_tp_dst, step.tp_dst) = (true, tp_dst),
        Action::PopVlan => pop(step)?,
        Action::PushVlan { tpid, tci } => push(step, tpid, tci)?,
        Action::SetVlanVid(vid) if vid > VID => return Err("a VLAN ID has 12 bits"),
        Action::SetVlanVid(vid) => set_tci(step, vid, VID)?,
        Action::SetVlanPcp(pcp) if pcp >= PCPS => return Err("a VLAN priority has 3 bits"),
        Action::SetVlanPcp(pcp) => set_tci(step, u16::from(pcp) << PCP_SHIFT, 7 << PCP_SHIFT)?,
        Action::Output(_) | Action::Upcall | Action::Drop => unreachable!("no edit"),
    }
    Ok(())
}

fn dec_ttl(step: &mut Step, by: u8) -> Result<(), &'static str> {
    if by == 0 {
        return Err("a decrement of 0");
    }
    if step.set_nw_ttl {
        step.nw_ttl =
            step.nw_ttl.checked_sub(by).filter(|ttl| *ttl > 0).ok_or("the TTL that was set does not allow it")?;
    } else {
        step.ttl_dec = step.ttl_dec.checked_add(by).ok_or("decrements of more than 255")?;
    }
    Ok(())
}

fn pop(step: &mut Step) -> Result<(), &'static str> {
    if step.vlan_push > 0 {
        step.vlan_push -= 1;
        (step.push0_tpid, step.push0_tci) = (step.push1_tpid, step.push1_tci);
        (step.push1_tpid, step.push1_tci) = (0, 0);
    } else if step.vlan_pop < TAGS {
        step.vlan_pop += 1;
    } else {
        return Err("a third tag cannot be popped");
    }
    Ok(())
}

fn push(step: &mut Step, tpid: u16, tci: u16) -> Result<(), &'static str> {
    if step.vlan_push == TAGS {
        return Err("a third tag cannot be pushed");
    }
    (step.push1_tpid, step.push1_tci) = (step.push0_tpid, step.push0_tci);
    (step.push0_tpid, step.push0_tci) = (tpid, tci);
    step.vlan_push += 1;
    Ok(())
}

fn set_tci(step: &mut Step, value: u16, mask: u16) -> Result<(), &'static str> {
    if step.vlan_push == 0 {
        return Err("the packet's own tag cannot be edited: pop it, and push another");
    }
    step.push0_tci = step.push0_tci & !mask | value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_count_for_the_outputs_behind_them() {
        let actions = [
            Action::Output(1),
            Action::Output(2),
            Action::SetDlDst(7),
            Action::SetNwTos { value: 0xff, mask: 0x0c },
            Action::Output(1),
            Action::Output(1),
            Action::DecTtl(1),
            Action::Upcall,
            Action::Upcall,
            Action::SetTpDst(9),
        ];
        let edited = Step { set_dl_dst: true, dl_dst: 7, nw_tos: 0x0c, nw_tos_mask: 0x0c, ..Step::DROP };
        let upcall = Step { ttl_dec: 1, upcall: true, ..edited };
        let once = Step { outputs: 2, ..edited };
        assert_eq!(program(&actions), Ok(vec![Step::output(6), once, once, upcall, upcall]));
        assert_eq!(program(&[]), Ok(vec![Step::DROP]));
        assert_eq!(program(&[Action::Drop]), Ok(vec![Step::DROP]));
    }

    #[test]
    fn tags_are_a_stack() {
        let tag = |tci| Action::PushVlan { tpid: 0x8100, tci };
        let actions = [
            Action::PopVlan,
            tag(1),
            tag(2),
            Action::SetVlanPcp(5),
            Action::PopVlan,
            Action::SetVlanVid(9),
            Action::Output(0),
        ];
        let step = Step { vlan_pop: 1, vlan_push: 1, push0_tpid: 0x8100, push0_tci: 9, ..Step::output(1) };
        assert_eq!(program(&actions), Ok(vec![step]));
        let both = Step { push0_tci: 0xa002, push1_tpid: 0x8100, push1_tci: 1, vlan_push: 2, ..step };
        assert_eq!(program(&[&actions[..4], &actions[6..]].concat()), Ok(vec![both]));
    }

    #[test]
    fn what_cannot_be_carried_out_is_told_by_its_place() {
        let tag = Action::PushVlan { tpid: 0x8100, tci: 0 };
        let cases: [(&[Action], usize, &str); 10] = [
            (&[Action::Output(0), Action::Output(128)], 1, "no device has a vport"),
            (&[Action::Output(0), Action::Drop], 1, "a list that drops does nothing else"),
            (&[Action::DecTtl(1), Action::SetNwTtl(9)], 1, "behind a decrement"),
            (&[Action::SetNwTtl(1), Action::DecTtl(1)], 1, "does not allow it"),
            (&[Action::DecTtl(0)], 0, "a decrement of 0"),
            (&[Action::DecTtl(255), Action::DecTtl(1)], 1, "more than 255"),
            (&[Action::SetVlanVid(1)], 0, "own tag cannot be edited"),
            (&[tag, Action::SetVlanVid(4096)], 1, "12 bits"),
            (&[tag, tag, tag], 2, "a third tag cannot be pushed"),
            (&[Action::PopVlan, Action::PopVlan, Action::PopVlan], 2, "a third tag cannot be popped"),
        ];
        for (actions, index, text) in cases {
            let error = program(actions).unwrap_err();
            assert!(error.index == index && error.problem.contains(text), "{error}");
        }
    }
}
