// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a transmit queue counts.

use crate::base::Reg;
use rust_hdl_core::prelude::*;

/// Frames and bytes queued, and frames dropped, since reset. Each moves a clock after its event.
#[millrace_hdl::block]
pub struct QueueCounters {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// A frame of `len` bytes was queued.
    pub queued: Signal<In, Bit>,
    pub len: Signal<In, Bits<14>>,
    pub dropped: Signal<In, Bit>,
    pub packets: Signal<Out, Bits<64>>,
    pub bytes: Signal<Out, Bits<64>>,
    pub drops: Signal<Out, Bits<64>>,
    packets_q: Reg<Bits<64>>,
    bytes_q: Reg<Bits<64>>,
    drops_q: Reg<Bits<64>>,
}

#[millrace_hdl::block]
impl QueueCounters {
    fn update(&mut self) {
        if self.queued {
            self.packets_q += 1;
            self.bytes_q += cast::<64>(self.len);
        }
        if self.dropped {
            self.drops_q += 1;
        }
        self.packets = self.packets_q;
        self.bytes = self.bytes_q;
        self.drops = self.drops_q;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle, tick};

    #[test]
    fn frames_bytes_and_drops_are_counted_each_for_itself() {
        let mut c = QueueCounters::default();
        c.connect_all();
        for (queued, len, dropped) in [(true, 60u64, false), (false, 99, true), (true, 9216, true), (false, 1, false)] {
            c.queued.next = queued;
            c.len.next = len.into();
            c.dropped.next = dropped;
            tick(&mut c, |c| &mut c.clock);
        }
        settle(&mut c);
        assert_eq!((c.packets.val().to_u64(), c.bytes.val().to_u64(), c.drops.val().to_u64()), (2, 9276, 2));
    }

    #[test]
    fn queue_counters_emit_clean_verilog() {
        assert_lints(QueueCounters::default());
    }
}
