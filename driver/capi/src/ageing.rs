// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rules that no packet has hit for a while.

use crate::device::millrace_device;
use crate::error::{Failure, call, count};
use crate::handle::{get, put};
use crate::rule::list;
use std::ffi::c_int;

/// Begins an epoch: the clock of the ageing, which the caller moves on, such as once in a second.
///
/// Returns 0, and the new epoch in `*epoch`, which may be NULL. Errors: ARGUMENT, CLOSED, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_epoch_begin(device: *mut millrace_device, epoch: *mut u32) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let mut state = unsafe { get(device, "device") }?.0.lock()?;
        let next = state.epoch.wrapping_add(1);
        let state = &mut *state;
        state.rules.set_epoch(&mut *state.registers, next)?;
        state.epoch = next;
        if !epoch.is_null() {
            // SAFETY: the caller's.
            unsafe { put(epoch, "epoch", next) }?;
        }
        Ok(0)
    })
}

/// The names of rules that no packet has hit for `epochs` epochs or more, counted from their creation where none ever has, at most `limit`, in `ids`.
///
/// Returns how many such rules there are, which may be more than `limit`. Errors: ARGUMENT, CLOSED, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_rule_aged(
    device: *mut millrace_device,
    epochs: u32,
    ids: *mut u64,
    limit: u32,
) -> c_int {
    call(|| {
        if epochs == 0 {
            return Err(Failure::argument("`epochs` is 0"));
        }
        // SAFETY: the caller's.
        let mut state = unsafe { get(device, "device") }?.0.lock()?;
        let mut aged = vec![];
        for rule in state.all_rules() {
            if state.epoch.wrapping_sub(state.query(rule)?.epoch) >= epochs {
                aged.push(rule);
            }
        }
        // SAFETY: the caller's.
        unsafe { list(&aged, ids, limit) }?;
        count(aged.len())
    })
}
