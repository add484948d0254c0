// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes, as what a client of the vfio-user server does.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| millrace_vfio_user::fuzzing::play(bytes));
