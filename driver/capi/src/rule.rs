// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules of the hardware.

use crate::action::{self, millrace_action};
use crate::device::{State, millrace_device};
use crate::error::millrace_error::MILLRACE_E_NOT_FOUND;
use crate::error::{Failure, call, count};
use crate::handle::{get, put, slice};
use millrace_driver::{Placement, RuleId, RuleSpec, program};
use millrace_regs::{KEY_FIELDS, Key, Lengths, Mask, Step};
use std::ffi::c_int;

/// What a packet is matched on; a mask has the same members, with 1 where it looks. Numbers are numbers (`dl_type` 0x0800), and addresses are bytes in the order of the wire. What a packet does not have is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct millrace_key {
    /// Vport that it came in on.
    pub in_port: u8,
    /// Bit 0: a fragment; bit 1: not the first.
    pub nw_frag: u8,
    /// 1 if the outer tag is a service tag (TPID 0x88a8).
    pub vlan_ad0: u8,
    /// 1 if the inner tag is.
    pub vlan_ad1: u8,
    /// Ethertype behind the tags; 0x05ff for an 802.3 frame.
    pub dl_type: u16,
    /// TCI of the outer tag with bit 12 set.
    pub vlan_tci0: u16,
    /// TCI of the inner tag with bit 12 set.
    pub vlan_tci1: u16,
    /// TCP flags, 12 bits.
    pub tcp_flags: u16,
    /// Source port of TCP, UDP or SCTP; type of ICMP.
    pub tp_src: u16,
    /// Destination port of TCP, UDP or SCTP; code of ICMP.
    pub tp_dst: u16,
    /// IP protocol or next header; opcode of ARP.
    pub nw_proto: u8,
    /// IPv4 TOS or IPv6 traffic class.
    pub nw_tos: u8,
    /// TTL or hop limit.
    pub nw_ttl: u8,
    /// Source MAC address.
    pub dl_src: [u8; 6],
    /// Destination MAC address.
    pub dl_dst: [u8; 6],
    /// IPv6 source; IPv4 source or ARP SPA in the last four bytes, and ARP SHA in the first six.
    pub nw_src: [u8; 16],
    /// IPv6 destination; IPv4 destination or ARP TPA in the last four bytes, and ARP THA in the first six.
    pub nw_dst: [u8; 16],
}

/// Where a rule may lie.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum millrace_placement {
    /// In a hash table; in the TCAM, if none has room.
    MILLRACE_PLACE_AUTO = 0,
    /// In a hash table of the rule's mask, or a free one that then gets this mask.
    MILLRACE_PLACE_HASH = 1,
    /// In the TCAM.
    MILLRACE_PLACE_TCAM = 2,
}

/// A rule to be created.
#[repr(C)]
pub struct millrace_rule {
    /// What the bits under the mask must be; others are not looked at.
    pub key: millrace_key,
    /// Which bits are looked at.
    pub mask: millrace_key,
    /// `enum millrace_placement`.
    pub placement: u32,
    /// Of several rules that match a packet the one with the highest counts.
    pub priority: u16,
    /// Number of actions.
    pub action_count: u16,
    /// What is done with the packet.
    pub actions: *const millrace_action,
}

/// What was counted of a rule since it was created, or found in an image.
#[repr(C)]
pub struct millrace_rule_counters {
    /// Packets that hit it.
    pub packets: u64,
    /// Their bytes, as received.
    pub bytes: u64,
    /// The epoch of the last of them; of a rule that none hit, that in which it was created.
    pub epoch: u32,
}

impl millrace_key {
    fn words(&self) -> Result<[u32; Key::WORDS], Failure> {
        let mac = |[a, b, c, d, e, f]: [u8; 6]| u128::from(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        let values: [(&str, u128); 17] = [
            ("in_port", self.in_port.into()),
            ("nw_frag", self.nw_frag.into()),
            ("vlan_ad0", self.vlan_ad0.into()),
            ("vlan_ad1", self.vlan_ad1.into()),
            ("tcp_flags", self.tcp_flags.into()),
            ("nw_ttl", self.nw_ttl.into()),
            ("dl_type", self.dl_type.into()),
            ("vlan_tci0", self.vlan_tci0.into()),
            ("vlan_tci1", self.vlan_tci1.into()),
            ("nw_proto", self.nw_proto.into()),
            ("nw_tos", self.nw_tos.into()),
            ("dl_dst", mac(self.dl_dst)),
            ("dl_src", mac(self.dl_src)),
            ("tp_src", self.tp_src.into()),
            ("tp_dst", self.tp_dst.into()),
            ("nw_src", u128::from_be_bytes(self.nw_src)),
            ("nw_dst", u128::from_be_bytes(self.nw_dst)),
        ];
        let mut words = [0; Key::WORDS];
        // The others are for several passes, which the actions of this interface do not make.
        for field in KEY_FIELDS.iter().filter(|field| field.offset < 32 * Lengths::ONE_PASS.key) {
            let (_, value) =
                values.iter().find(|(name, _)| *name == field.name).expect("C has every field of one pass");
            if *value > field.max() {
                return Err(Failure::argument(format!("`{}` has {} bits", field.name, field.width)));
            }
            field.set(&mut words, *value);
        }
        Ok(words)
    }
}

/// Creates a rule: when this returns, packets that come in are matched by it. It keeps nothing of `rule`.
///
/// Returns 0, and the rule's name in `*id`, which no other rule of the device has while it is open. Errors: ARGUMENT, CLOSED, EXISTS, FULL, UNSUPPORTED (an action, told by its place), DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_rule_create(
    device: *mut millrace_device,
    rule: *const millrace_rule,
    id: *mut u64,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let (device, rule) = unsafe { (get(device, "device")?, get(rule, "rule")?) };
        if id.is_null() {
            return Err(Failure::null("id"));
        }
        // SAFETY: the caller's.
        let steps = unsafe { steps(rule.actions, rule.action_count.into()) }?;
        let placement = placement(rule.placement)?;
        let (key, mask) = (Key::unpack(&rule.key.words()?), Mask::unpack(&rule.mask.words()?));
        let spec = RuleSpec { key, mask, priority: rule.priority, placement };
        let mut state = device.0.lock()?;
        let State { rules, registers, created, epoch, .. } = &mut *state;
        let rule = rules.insert(&mut **registers, &spec, &steps)?;
        created.insert(rule, *epoch);
        // SAFETY: the caller's.
        unsafe { put(id, "id", rule.to_bits()) }.map(|()| 0)
    })
}

/// Replaces a rule's actions: each packet gets the old ones or the new ones, whole. On an error it keeps the old ones.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, NOT_FOUND, FULL, UNSUPPORTED, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_rule_update(
    device: *mut millrace_device,
    id: u64,
    actions: *const millrace_action,
    count: u32,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let (device, steps) = unsafe { (get(device, "device")?, steps(actions, count as usize)?) };
        let mut state = device.0.lock()?;
        let State { rules, registers, .. } = &mut *state;
        rules.update(&mut **registers, rule(id)?, &steps)?;
        Ok(0)
    })
}

/// Destroys a rule: when this returns, packets that come in are not matched by it.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, NOT_FOUND, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_rule_destroy(device: *mut millrace_device, id: u64) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        unsafe { get(device, "device") }?.0.lock()?.destroy(rule(id)?).map(|()| 0)
    })
}

/// Destroys all rules.
///
/// Returns how many there were. Errors: ARGUMENT, CLOSED, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_rule_flush(device: *mut millrace_device) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let mut state = unsafe { get(device, "device") }?.0.lock()?;
        let all = state.all_rules();
        for rule in &all {
            state.destroy(*rule)?;
        }
        count(all.len())
    })
}

/// What was counted of a rule, in `*counters`.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, NOT_FOUND, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_rule_query(
    device: *mut millrace_device,
    id: u64,
    counters: *mut millrace_rule_counters,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let value = unsafe { get(device, "device") }?.0.lock()?.query(rule(id)?)?;
        // SAFETY: the caller's.
        unsafe { put(counters, "counters", value) }.map(|()| 0)
    })
}

/// The names of rules, at most `limit`, in `ids`: those that were created, and those that an image had.
///
/// Returns how many rules there are, which may be more than `limit`. Errors: ARGUMENT, CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_rule_list(device: *const millrace_device, ids: *mut u64, limit: u32) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let all = unsafe { get(device, "device") }?.0.lock()?.all_rules();
        // SAFETY: the caller's.
        unsafe { list(&all, ids, limit) }?;
        count(all.len())
    })
}

/// Gives the names of rules.
///
/// # Safety
/// `ids` is NULL, or has room for `limit` names.
pub unsafe fn list(rules: &[RuleId], ids: *mut u64, limit: u32) -> Result<(), Failure> {
    if ids.is_null() && limit != 0 {
        return Err(Failure::null("ids"));
    }
    for (at, rule) in rules.iter().take(limit as usize).enumerate() {
        // SAFETY: the caller's.
        unsafe { ids.add(at).write(rule.to_bits()) };
    }
    Ok(())
}

impl State {
    fn destroy(&mut self, rule: RuleId) -> Result<(), Failure> {
        self.rules.delete(&mut *self.registers, rule)?;
        self.created.remove(&rule);
        Ok(())
    }

    pub fn query(&mut self, rule: RuleId) -> Result<millrace_rule_counters, Failure> {
        let counters = self.rules.counters(&mut *self.registers, rule)?;
        let created = self.created.get(&rule).copied().unwrap_or(self.epoch);
        let epoch = counters.epoch.unwrap_or(created);
        Ok(millrace_rule_counters { packets: counters.packets, bytes: counters.bytes, epoch })
    }

    pub fn all_rules(&self) -> Vec<RuleId> {
        self.rules.iter().map(|info| info.id).collect()
    }
}

/// # Safety
/// `actions` is NULL, or has `count` actions.
unsafe fn steps(actions: *const millrace_action, count: usize) -> Result<Vec<Step>, Failure> {
    // SAFETY: the caller's.
    let actions = unsafe { slice(actions, count, "actions") }?;
    Ok(program(&action::read(actions)?)?)
}

fn placement(number: u32) -> Result<Placement, Failure> {
    use millrace_placement::*;
    let all = [
        (MILLRACE_PLACE_AUTO, Placement::Auto),
        (MILLRACE_PLACE_HASH, Placement::Hash),
        (MILLRACE_PLACE_TCAM, Placement::Tcam),
    ];
    let found = all.into_iter().find(|(place, _)| *place as u32 == number);
    found.map(|(_, placement)| placement).ok_or_else(|| Failure::argument(format!("there is no placement {number}")))
}

fn rule(id: u64) -> Result<RuleId, Failure> {
    RuleId::from_bits(id).ok_or_else(|| Failure::new(MILLRACE_E_NOT_FOUND, format!("{id:#x} names no rule")))
}
