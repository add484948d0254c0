// SPDX-License-Identifier: MIT OR Apache-2.0
//! Puts before a frame what drivers expect there.

use crate::types::{BEAT_BITS, BEAT_BYTES, LONG_HEADER, SHORT_HEADER};
use millrace_hdl::base::{DffE, DffR, Reg, Skid, Snk, Src};
use millrace_hdl::core::types::Beat;
use millrace_hdl::wire_struct;
use rust_hdl_core::prelude::*;

const SHORT: usize = 8 * SHORT_HEADER;
const LONG: usize = 8 * LONG_HEADER;

wire_struct! {
    /// What is done with the next frame.
    pub struct Start {
        /// Its bytes are taken and come out nowhere.
        pub drop: Bit,
        /// It goes to the ECPF.
        pub long: Bit,
        pub num_buffers: Bits<16>,
        pub reason: Bits<8>,
        pub length: Bits<14>,
    }
}

/// For each `start` the header and the frame that comes next in `inp`, without a gap. A beat in a clock, but that a frame that needs one more beat with its header
/// takes it. Bytes past `bytes` are zero if they are in `inp`.
#[millrace_hdl::block]
pub struct Prepend {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Snk<Start>,
    pub inp: Snk<Beat<BEAT_BITS, 7>>,
    pub out: Src<Beat<BEAT_BITS, 7>>,
    /// Nothing is held.
    pub idle: Signal<Out, Bit>,

    busy: DffR<Bit>,
    kind: DffE<Start>,
    /// What goes before the next beat; whether that is all, and how much.
    before: Reg<Bits<LONG>>,
    ending: DffR<Bit>,
    left: DffE<Bits<7>>,
    skid: Skid<Beat<BEAT_BITS, 7>>,
}

#[millrace_hdl::block]
impl Prepend {
    fn update(&mut self) {
        let long = self.kind.long;
        let header: Bits<7> = if long { LONG_HEADER } else { SHORT_HEADER };
        let arriving = self.inp.data;
        let shifted = if long { arriving.data << LONG } else { arriving.data << SHORT };
        let sum = cast::<8>(header) + cast::<8>(arriving.bytes);
        let over = sum > BEAT_BYTES;
        let drops = self.kind.drop;
        let takes = self.busy & !self.ending & (drops | self.skid.inp.ready);
        let took = takes & self.inp.valid;
        self.inp.ready = takes;
        self.skid.inp.valid = (self.busy & !drops & !self.ending & self.inp.valid) | self.ending;
        self.skid.inp.data = if self.ending {
            Beat { data: cast::<BEAT_BITS>(self.before), bytes: self.left, last: true }
        } else {
            Beat {
                data: cast::<BEAT_BITS>(self.before) | shifted,
                bytes: if over { BEAT_BYTES } else { cast::<7>(sum) },
                last: arriving.last & !over,
            }
        };
        link(self.out, self.skid.out);
        let flushes = took & arriving.last & over & !drops;
        let flushed = self.ending & self.skid.inp.ready;
        self.ending = flushes | (self.ending & !flushed);
        if took {
            self.left = cast::<7>(sum - BEAT_BYTES);
        }
        let ends = (took & arriving.last & !flushes) | flushed;
        let free = !self.busy | ends;
        let begins = self.start.valid & free;
        self.start.ready = free;
        self.busy = self.start.valid | !free;
        let start = self.start.data;
        if begins {
            self.kind = start;
        }
        // `num_buffers` is the last field of the header; `reason` and `length` are bytes 0 and 4 behind it.
        let fields = (cast::<LONG>(start.num_buffers) << (SHORT - 16))
            | (cast::<LONG>(start.reason) << SHORT)
            | (cast::<LONG>(start.length) << (SHORT + 32));
        let short_fields = cast::<LONG>(start.num_buffers) << (SHORT - 16);
        let carried = if long {
            cast::<LONG>(arriving.data >> (BEAT_BITS - LONG))
        } else {
            cast::<LONG>(arriving.data >> (BEAT_BITS - SHORT))
        };
        if begins | took {
            self.before = if !begins {
                carried
            } else if start.long {
                fields
            } else {
                short_fields
            };
        }
        self.idle = !self.busy & !self.start.valid & self.skid.empty;
    }
}
