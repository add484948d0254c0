// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the ECPF sets of a function, and sees of it.

use super::function::Function;
use super::word::merge;
use millrace_regs::host::{
    FUNCTION_BAD_OFFLOAD, FUNCTION_BURST, FUNCTION_FAULT, FUNCTION_FEATURES_HI, FUNCTION_FEATURES_LO,
    FUNCTION_FIRST_HI, FUNCTION_FIRST_LO, FUNCTION_LAST_HI, FUNCTION_LAST_LO, FUNCTION_MAC_HI, FUNCTION_MAC_LO,
    FUNCTION_MODERATION, FUNCTION_MTU, FUNCTION_NO_BUFFER, FUNCTION_POLICY, FUNCTION_RATE, FUNCTION_REFUSED,
    FUNCTION_SAMPLES, FUNCTION_STATE, FUNCTION_WEIGHT, WINDOW_SHIFT,
};

const MAC_LO: u32 = FUNCTION_MAC_LO.offset;
const MAC_HI: u32 = FUNCTION_MAC_HI.offset;
const MTU: u32 = FUNCTION_MTU.offset;
const FEATURES_LO: u32 = FUNCTION_FEATURES_LO.offset;
const FEATURES_HI: u32 = FUNCTION_FEATURES_HI.offset;
const FIRST_LO: u32 = FUNCTION_FIRST_LO.offset;
const FIRST_HI: u32 = FUNCTION_FIRST_HI.offset;
const LAST_LO: u32 = FUNCTION_LAST_LO.offset;
const LAST_HI: u32 = FUNCTION_LAST_HI.offset;
const STATE: u32 = FUNCTION_STATE.offset;
const FAULT: u32 = FUNCTION_FAULT.offset;
const NO_BUFFER: u32 = FUNCTION_NO_BUFFER.offset;
const BAD_OFFLOAD: u32 = FUNCTION_BAD_OFFLOAD.offset;
const MODERATION: u32 = FUNCTION_MODERATION.offset;
const POLICY: u32 = FUNCTION_POLICY.offset;
const REFUSED: u32 = FUNCTION_REFUSED.offset;
const RATE: u32 = FUNCTION_RATE.offset;
const BURST: u32 = FUNCTION_BURST.offset;
const WEIGHT: u32 = FUNCTION_WEIGHT.offset;
const SAMPLES: u32 = FUNCTION_SAMPLES.offset;

/// Bits of an address below a page.
const BELOW: u32 = (1 << WINDOW_SHIFT) - 1;

impl Function {
    /// A register of the ECPF, by its offset.
    pub fn read_ecpf(&self, offset: u32) -> u32 {
        match offset {
            MAC_LO => self.mac[0],
            MAC_HI => self.mac[1],
            MTU => self.mtu,
            FEATURES_LO => self.mask as u32,
            FEATURES_HI => (self.mask >> 32) as u32,
            FIRST_LO => self.window.first as u32,
            FIRST_HI => (self.window.first >> 32) as u32,
            LAST_LO => self.window.last as u32,
            LAST_HI => (self.window.last >> 32) as u32,
            STATE => u32::from(self.shown_status()) | u32::from(self.bus_master) << 8,
            FAULT => self.fault,
            NO_BUFFER => self.no_buffer,
            MODERATION => self.moderation,
            BAD_OFFLOAD => self.bad_offload,
            POLICY => self.policy,
            REFUSED => self.refused,
            _ => 0,
        }
    }

    /// Writes bytes of a register of the ECPF. True if that changed the device configuration.
    pub fn write_ecpf(&mut self, offset: u32, data: u32, strobe: u8) -> bool {
        let word = merge(self.read_ecpf(offset), data, strobe);
        let device = (self.mac, self.mtu);
        let low = |value: u64| value & !0xffff_ffff | u64::from(word);
        let high = |value: u64| value & 0xffff_ffff | u64::from(word) << 32;
        match offset {
            MAC_LO => self.mac[0] = word,
            MAC_HI => self.mac[1] = word,
            MTU => self.mtu = word & 0xffff,
            FEATURES_LO => self.mask = low(self.mask),
            FEATURES_HI => self.mask = high(self.mask),
            FIRST_LO => self.window.first = low(self.window.first) & !u64::from(BELOW),
            FIRST_HI => self.window.first = high(self.window.first),
            LAST_LO => self.window.last = low(self.window.last) | u64::from(BELOW),
            LAST_HI => self.window.last = high(self.window.last),
            MODERATION => self.moderation = word & FUNCTION_MODERATION.mask(),
            POLICY => self.policy = word & FUNCTION_POLICY.mask(),
            _ => {}
        }
        device != (self.mac, self.mtu)
    }

    /// A limit, by its offset.
    pub fn read_limit(&self, offset: u32) -> u32 {
        match offset {
            RATE => self.rate,
            BURST => self.burst,
            WEIGHT => self.weight,
            SAMPLES => self.samples,
            _ => 0,
        }
    }

    /// Writes bytes of a limit.
    pub fn write_limit(&mut self, offset: u32, data: u32, strobe: u8) {
        let word = merge(self.read_limit(offset), data, strobe);
        match offset {
            RATE => self.rate = word & FUNCTION_RATE.mask(),
            BURST => self.burst = word & FUNCTION_BURST.mask(),
            WEIGHT => self.weight = word & FUNCTION_WEIGHT.mask(),
            SAMPLES => self.samples = word & FUNCTION_SAMPLES.mask(),
            _ => {}
        }
    }
}
