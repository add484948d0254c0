// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vports: their names, what the switch counts of them, and what the functions behind them are told.

use crate::device::{State, millrace_device};
use crate::error::millrace_error::MILLRACE_E_NOT_FOUND;
use crate::error::{Failure, call};
use crate::handle::{get, put, text};
use millrace_driver::virtio::{FunctionConfig, FunctionLosses, FunctionPolicy, VirtioPci};
use millrace_regs::{VERDICTS_PER_VPORT, Verdict};
use std::ffi::{c_char, c_int};

/// Verdicts that there may be.
pub const MILLRACE_VERDICTS: usize = 16;

const _: () = assert!(MILLRACE_VERDICTS == VERDICTS_PER_VPORT as usize);

/// Bytes of a vport's name, with its end.
pub const MILLRACE_VPORT_NAME: usize = 8;

/// What became of a frame that came in on a vport, or was sent by its representor.
#[repr(C)]
#[derive(Clone, Copy)]
pub enum millrace_verdict {
    /// A rule put it out.
    MILLRACE_HIT = 0,
    /// No rule: upcall.
    MILLRACE_MISS = 1,
    /// Upcall without a lookup.
    MILLRACE_PUNT = 2,
    /// Sent by the slow path.
    MILLRACE_PACKET_OUT = 3,
    /// Shorter than 14 bytes.
    MILLRACE_DROP_RUNT = 4,
    /// Longer than the device's longest frame.
    MILLRACE_DROP_OVERSIZE = 5,
    /// The source marked the frame as broken.
    MILLRACE_DROP_RX_ERROR = 6,
    /// The TTL was too low.
    MILLRACE_DROP_TTL = 7,
    /// It would have become longer than the device's longest frame.
    MILLRACE_DROP_TX_OVERSIZE = 8,
    /// For a vport that does not exist.
    MILLRACE_DROP_NO_VPORT = 9,
    /// The rule drops.
    MILLRACE_DROP_RULE = 10,
    /// The rule of the last lookup had it looked up again.
    MILLRACE_DROP_LOOP = 11,
}

/// The driver's verdicts have the same numbers.
const _: () = {
    use millrace_verdict::*;
    let all = [
        (MILLRACE_HIT, Verdict::Hit),
        (MILLRACE_MISS, Verdict::Miss),
        (MILLRACE_PUNT, Verdict::Punt),
        (MILLRACE_PACKET_OUT, Verdict::PacketOut),
        (MILLRACE_DROP_RUNT, Verdict::DropRunt),
        (MILLRACE_DROP_OVERSIZE, Verdict::DropOversize),
        (MILLRACE_DROP_RX_ERROR, Verdict::DropRxError),
        (MILLRACE_DROP_TTL, Verdict::DropTtl),
        (MILLRACE_DROP_TX_OVERSIZE, Verdict::DropTxOversize),
        (MILLRACE_DROP_NO_VPORT, Verdict::DropNoVport),
        (MILLRACE_DROP_RULE, Verdict::DropRule),
        (MILLRACE_DROP_LOOP, Verdict::DropLoop),
    ];
    assert!(all.len() == Verdict::ALL.len());
    let mut at = 0;
    while at < all.len() {
        let (c, rust) = all[at];
        assert!(c as u32 == rust as u32);
        at += 1;
    }
};

/// What was counted of a vport since its device's tables were cleared.
#[repr(C)]
pub struct millrace_vport_counters {
    /// Frames by `enum millrace_verdict`.
    pub packets: [u64; MILLRACE_VERDICTS],
    /// Their bytes.
    pub bytes: [u64; MILLRACE_VERDICTS],
    /// Frames that went into the queue out of the vport, since the device's reset.
    pub out_packets: u64,
    /// Their bytes.
    pub out_bytes: u64,
    /// Frames that were dropped because that queue was full.
    pub out_drops: u64,
    /// Frames that were dropped because the PF or VF had no buffer for them, modulo 2^32. 0 of an uplink.
    pub no_buffer: u32,
}

/// What the driver of a PF or VF sees of it.
#[repr(C)]
pub struct millrace_function_config {
    /// Its MAC address.
    pub mac: [u8; 6],
    /// Longest payload of a frame, in bytes: 68 or more.
    pub mtu: u16,
    /// Its link is up, if not 0.
    pub link_up: u32,
}

/// The name of a vport, such as `p0`, `pf` or `vf3`, in `name`, which has room for MILLRACE_VPORT_NAME bytes.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_vport_name(device: *const millrace_device, vport: u32, name: *mut c_char) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let state = unsafe { get(device, "device") }?.0.lock()?;
        let found = state.config.vport_name(vport as usize).ok_or_else(|| no_vport(vport))?;
        let mut bytes = [0; MILLRACE_VPORT_NAME];
        bytes[..found.len()].copy_from_slice(found.as_bytes());
        // SAFETY: the caller's.
        unsafe { put(name.cast(), "name", bytes) }.map(|()| 0)
    })
}

/// The number of the vport of this name.
///
/// Returns it. Errors: ARGUMENT, CLOSED, NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_vport_number(device: *const millrace_device, name: *const c_char) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let (device, name) = unsafe { (get(device, "device")?, text(name, "name")?) };
        let found = device.0.lock()?.config.vport_number(name);
        let missing = || Failure::new(MILLRACE_E_NOT_FOUND, format!("there is no vport `{name}`"));
        found.map(|vport| vport as c_int).ok_or_else(missing)
    })
}

/// What was counted of a vport, in `*counters`.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, NOT_FOUND, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_vport_counters(
    device: *mut millrace_device,
    vport: u32,
    counters: *mut millrace_vport_counters,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let mut state = unsafe { get(device, "device") }?.0.lock()?;
        if vport as usize >= state.config.vports() {
            return Err(no_vport(vport));
        }
        let value = read_counters(&mut state, vport as u8)?;
        // SAFETY: the caller's.
        unsafe { put(counters, "counters", value) }.map(|()| 0)
    })
}

fn read_counters(state: &mut State, vport: u8) -> Result<millrace_vport_counters, Failure> {
    let verdicts = state.rules.verdicts(&mut *state.registers, vport)?;
    let queue = state.rules.queue_stats(&mut *state.registers, vport)?;
    let (mut packets, mut bytes) = ([0; MILLRACE_VERDICTS], [0; MILLRACE_VERDICTS]);
    for (verdict, count) in verdicts.iter() {
        (packets[verdict as usize], bytes[verdict as usize]) = (count.packets, count.bytes);
    }
    let no_buffer = match function(state, vport.into()) {
        Ok(function) => FunctionLosses::read(&mut bar(state), function)?.no_buffer,
        Err(_) => 0,
    };
    Ok(millrace_vport_counters {
        packets,
        bytes,
        out_packets: queue.packets,
        out_bytes: queue.bytes,
        out_drops: queue.drops,
        no_buffer,
    })
}

/// Upcalls that were dropped because representors had no buffers for them, modulo 2^32, in `*dropped`.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_upcalls_dropped(device: *mut millrace_device, dropped: *mut u32) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let mut state = unsafe { get(device, "device") }?.0.lock()?;
        let value = FunctionLosses::read(&mut bar(&mut state), 0)?.no_buffer;
        // SAFETY: the caller's.
        unsafe { put(dropped, "dropped", value) }.map(|()| 0)
    })
}

/// Tells the driver of the PF or VF behind a vport. After the device's reset its link is down, and it has no address.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, NOT_FOUND (there is no PF or VF behind it), DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_function_configure(
    device: *mut millrace_device,
    vport: u32,
    config: *const millrace_function_config,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let (device, config) = unsafe { (get(device, "device")?, get(config, "config")?) };
        let mut state = device.0.lock()?;
        let function = function(&state, vport as usize)?;
        if config.mac[0] & 1 != 0 {
            return Err(Failure::argument("`mac` is a group's address"));
        }
        if config.mtu < MIN_MTU {
            return Err(Failure::argument(format!("`mtu` is {}, less than {MIN_MTU}", config.mtu)));
        }
        let (mac, mtu, link_up) = (config.mac, config.mtu, config.link_up != 0);
        let all = FunctionConfig { mac, mtu, link_up, features: u64::MAX, policy: FunctionPolicy::default() };
        all.set(&mut bar(&mut state), function)?;
        Ok(0)
    })
}

/// Smallest MTU that a device may offer (virtio 5.1.4.1).
const MIN_MTU: u16 = 68;

/// The number of the function behind a vport: the ECPF is 0, and PFs and VFs follow in the order of their vports.
fn function(state: &State, vport: usize) -> Result<u32, Failure> {
    let config = &state.config;
    let none = || Failure::new(MILLRACE_E_NOT_FOUND, format!("there is no PF or VF behind vport {vport}"));
    let behind = vport.checked_sub(config.uplinks).filter(|_| vport < config.vports());
    behind.map(|behind| behind as u32 + 1).ok_or_else(none)
}

fn bar(state: &mut State) -> &mut dyn VirtioPci {
    state.control.bar()
}

fn no_vport(vport: u32) -> Failure {
    Failure::new(MILLRACE_E_NOT_FOUND, format!("there is no vport {vport}"))
}
