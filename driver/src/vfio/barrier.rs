// SPDX-License-Identifier: MIT OR Apache-2.0
//! Barriers that order accesses to memory as a device sees them, and accesses to its registers with them.
//!
//! On x86 those of the processor do: stores are seen in their order by all, and registers are mapped uncached (Intel SDM 3, 9.2 and 12.3). On
//! Arm a device lies in the outer shareable domain, to which Rust's fences (`dmb ish`) do not reach: these are Linux's `dma_wmb`, `dma_rmb`
//! and `dma_mb`, of which the first two are also what `writel` has before it and `readl` behind it.

#[cfg(target_arch = "x86_64")]
use std::sync::atomic::{Ordering, fence};

/// What was stored before it is seen before what is stored after it.
#[cfg(target_arch = "x86_64")]
pub fn stores() {
    fence(Ordering::Release);
}

/// What is loaded after it is not older than what was loaded before it.
#[cfg(target_arch = "x86_64")]
pub fn loads() {
    fence(Ordering::Acquire);
}

/// What was accessed before it is so for all before anything after it.
#[cfg(target_arch = "x86_64")]
pub fn full() {
    fence(Ordering::SeqCst);
}

#[cfg(target_arch = "aarch64")]
macro_rules! barrier {
    ($(#[doc = $doc:literal] $name:ident: $instruction:literal;)*) => {$(
        #[doc = $doc]
        pub fn $name() {
            // SAFETY: a barrier touches no register and no flag. What it orders is memory: without `nomem` the compiler moves no access over it.
            unsafe { std::arch::asm!($instruction, options(nostack, preserves_flags)) }
        }
    )*};
}

#[cfg(target_arch = "aarch64")]
barrier! {
    /// What was stored before it is seen before what is stored after it.
    stores: "dmb oshst";
    /// What is loaded after it is not older than what was loaded before it.
    loads: "dmb oshld";
    /// What was accessed before it is so for all before anything after it.
    full: "dmb osh";
}
