// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which interface this is.

/// Version of this interface: a program that was compiled with one works with every library of the same version.
pub const MILLRACE_API_VERSION: u32 = 1;

/// The version of the library: `MILLRACE_API_VERSION` of its own header.
#[unsafe(no_mangle)]
pub extern "C" fn millrace_api_version() -> u32 {
    MILLRACE_API_VERSION
}
