// SPDX-License-Identifier: MIT OR Apache-2.0
//! The lookups of each frame, one after the other.

use super::decide::Decide;
use super::enter::Enter;
use super::in_order::InOrder;
use super::types::{
    AGAIN_WIDTH, LONG_WINDOW_BITS, LookAgain, NOTE_WIDTH, NUMBER_BITS, Note, PLACES_LOG2, Pass, Waiting,
};
use crate::base::{Delay, Dff, DffR, Fifo, Src};
use crate::core::lookup::Match;
use crate::core::parse::Parser;
use crate::core::types::{MatchResult, Meta, StoredStep, WINDOW_BITS, Window};
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// "Passes" of `docs/hardware.md`, around `Parser` and `Match`: a window from `Gather` goes to them as `packet`, and so does a frame's window again, from where
/// its rule says that the packet begins, until a rule says what becomes of it. Then its result and the packet that was looked up last come out, in the order of
/// the windows: at `out` with `out_window`.
///
/// One lookup in each clock, first and later ones together. Two clocks from a window to `packet`, and five from a result to `out`. Nothing here waits for `out`,
/// for which every frame has a place of its own: as many frames as there are places (`1 << PLACES_LOG2`) may be between `window` and `out`.
#[millrace_hdl::block]
pub struct Passes<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    /// From `Gather`.
    pub window: Signal<In, Window>,
    pub behind: Signal<In, Bits<{ SIZES.behind_bits }>>,
    pub window_valid: Signal<In, Bit>,
    pub ahead: Signal<In, Bits<{ SIZES.ahead_bits }>>,
    /// To `Merge`: no frame may start.
    pub hold: Signal<Out, Bit>,
    /// To `Parser`. `len` is the packet's.
    pub packet: Signal<Out, Window>,
    pub packet_valid: Signal<Out, Bit>,
    /// To `Match`, beside what `Parser` gives.
    pub further_key: Signal<Out, Bits<{ SIZES.further_key_bits }>>,
    /// From `Match`.
    pub result:
        Signal<In, MatchResult<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }, { SIZES.note_bits }>>,
    pub result_valid: Signal<In, Bit>,
    /// A lookup has hit `rule`; `bytes` is the frame's length.
    pub rule_valid: Signal<Out, Bit>,
    pub rule: Signal<Out, Bits<16>>,
    pub bytes: Signal<Out, Bits<14>>,
    /// A frame's first lookup has ended.
    pub looked_up: Signal<Out, Bit>,
    /// To `Expand`.
    pub out: Src<MatchResult<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }, { SIZES.note_bits }>>,
    pub out_window: Signal<Out, Bits<WINDOW_BITS>>,
    /// An event is about to be counted, or the block is not ready for frames yet. Without that and without frames nothing changes.
    pub busy: Signal<Out, Bit>,

    enter: Enter<PLACES_LOG2, NUMBER_BITS>,
    /// The pass beside `Parser`, and beside `Match`.
    beside_parser: Delay<Waiting<NUMBER_BITS>, 3>,
    beside_match: Delay<Waiting<NUMBER_BITS>, 5>,
    decide: Decide<NUMBER_BITS>,
    /// Beside `Decide`.
    #[count(2)]
    looked: Vec<Dff<MatchResult<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }, { SIZES.note_bits }>>>,
    #[count(2)]
    looked_meta: Vec<Dff<Meta>>,
    hit: DffR<Bit>,
    first: DffR<Bit>,
    /// Each frame is in it once at most: there is always room.
    waiting: Fifo<Waiting<NUMBER_BITS>, PLACES_LOG2, NUMBER_BITS>,
    in_order: InOrder<
        Bits<WINDOW_BITS>,
        MatchResult<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }, { SIZES.note_bits }>,
        PLACES_LOG2,
        NUMBER_BITS,
    >,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Passes<SIZES> {
    /// For a build with passes, at once.
    ///
    /// # Panics
    /// If it has one pass, or more than there may be.
    pub fn new(config: &Config) -> Self {
        Self {
            enter: Enter::new(),
            beside_parser: Delay::new(Parser::LATENCY),
            beside_match: Delay::new(Match::<SIZES>::latency(config)),
            decide: Decide::new(config),
            in_order: InOrder::new(),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("a lookup begins");
        self.enter.window = concat::<LONG_WINDOW_BITS>(self.behind, self.window.hdr);
        self.enter.meta = self.window.meta;
        self.enter.window_valid = self.window_valid;
        self.enter.window_next = self.ahead.any();
        join(self.waiting.out, self.enter.waiting);
        self.hold = self.enter.hold | !self.in_order.ready;
        let entered = self.enter.out;
        self.packet.hdr = entered.hdr;
        self.packet.meta = Meta { len: entered.len, ..entered.meta };
        self.packet_valid = self.enter.out_valid;
        self.in_order.window = entered.hdr;
        self.in_order.window_number = entered.pass.frame;
        self.in_order.window_valid = self.enter.out_valid;

        comment!("the pass beside it; behind the parser its part of the key");
        self.beside_parser.inp = Waiting { pass: entered.pass, meta: entered.meta };
        let parsed = self.beside_parser.out;
        let no_tunnel: Bits<32> = 0;
        self.further_key =
            concat::<{ SIZES.further_key_bits }>(cast::<32>(parsed.pass.number), no_tunnel, parsed.pass.metadata);
        self.beside_match.inp = parsed;
        let matched = self.beside_match.out;

        comment!("it has ended: again, or done");
        self.decide.valid = self.result_valid;
        self.decide.hit = self.result.hit;
        self.decide.step = unpack::<LookAgain>(cast::<AGAIN_WIDTH>(self.result.step.again));
        self.decide.layout = self.result.layout;
        self.decide.len = matched.meta.len;
        self.decide.pass = matched.pass;
        self.looked[0] = self.result;
        self.looked[1] = self.looked[0];
        self.looked_meta[0] = matched.meta;
        self.looked_meta[1] = self.looked_meta[0];
        self.waiting.inp.data = Waiting { pass: self.decide.next, meta: self.looked_meta[1] };
        self.waiting.inp.valid = self.decide.again;

        comment!("what becomes of the frame, at its place; a loop does nothing");
        let last: Pass<NUMBER_BITS> = self.decide.next;
        let note: Note = Note {
            number: last.number,
            metadata: last.metadata,
            start: last.start,
            as_received: false,
            looped: self.decide.looped,
        };
        self.in_order.result = self.looked[1];
        self.in_order.result.note = cast::<{ SIZES.note_bits }>(pack::<NOTE_WIDTH>(note));
        self.in_order.result.step.again = 0;
        if self.decide.looped {
            self.in_order.result.step =
                StoredStep::<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }>::default();
        }
        if self.decide.punted {
            self.in_order.result.punt = true;
        }
        self.in_order.result_number = last.frame;
        self.in_order.result_valid = self.decide.done;
        link(self.out, self.in_order.out);
        self.out_window = self.in_order.out_window;

        comment!("events: each lookup that hits counts for its rule, and each frame's first for the frame");
        self.hit = self.result_valid & self.result.hit;
        self.first = self.result_valid & !matched.pass.number.any();
        self.rule_valid = self.hit;
        self.rule = self.looked[0].rule;
        self.bytes = self.looked_meta[0].len;
        self.looked_up = self.first;
        self.busy = self.hit | self.first | !self.in_order.ready;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::sizes::Sizes;
    use crate::sized;
    use crate::testing::assert_lints;
    use millrace_regs::config::{MAX_PASSES, Preset};

    const CONFIG: Config = Config { passes: MAX_PASSES, ..Preset::Sim.config() };
    const SIZES: Sizes = Sizes::of(&CONFIG);

    #[test]
    fn passes_emit_clean_verilog() {
        assert_lints(<sized!(Passes<SIZES>)>::new(&CONFIG));
    }
}
