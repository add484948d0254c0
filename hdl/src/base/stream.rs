// SPDX-License-Identifier: MIT OR Apache-2.0
//! Streams with `valid`/`ready` handshake: a transfer happens on a rising clock edge with both high.
//! A source never waits for `ready` before it raises `valid`, and holds `data` until the transfer.

use rust_hdl_core::prelude::*;

/// The receiving end of a stream.
#[millrace_hdl::bundle(Src)]
pub struct Snk<T: Synth> {
    pub data: Signal<In, T>,
    pub valid: Signal<In, Bit>,
    pub ready: Signal<Out, Bit>,
}
