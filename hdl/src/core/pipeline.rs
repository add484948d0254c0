// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that a frame passes through, from ingress to egress.

use super::action::{Expand, HeaderFifo};
use super::control::{CommandRunner, Counters};
use super::edit::{Headers, PayloadBuffer, Splice};
use super::egress::Egress;
use super::ingress::{Ingress, Merge, Pace};
use super::lookup::{Match, in_turn};
use super::parse::{Gather, Parser};
use super::pass::passes::Passes;
use super::pass::types::PLACES_LOG2;
use super::types::{Beat, MatchResult, UpcallBeat};
use crate::base::{Credit, Reg, Snk, Src};
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// Frames between `Merge` and `Expand` at most, in builds with a header in each clock. More than the clocks they need there, so that one
/// frame per clock is possible.
const FRAMES: usize = 64;

/// The fast path without its registers.
///
/// A clock may stand still while its `idle` is high: no edge of it changes anything that shows.
#[millrace_hdl::block]
pub struct Pipeline<const SIZES: Sizes> {
    /// Of all that no other clock is of: what no header is long in, and commands.
    pub clock: Signal<In, Clock>,
    /// Of `Parser`.
    pub clock_parse: Signal<In, Clock>,
    /// Of `Match`, but for the parts that have the next three.
    pub clock_match: Signal<In, Clock>,
    /// Of the hashes and the TCAM.
    pub clock_hash: Signal<In, Clock>,
    /// Of the memories and comparisons of the hash tables.
    pub clock_compare: Signal<In, Clock>,
    /// Of the choice among the hits, and of the action.
    pub clock_select: Signal<In, Clock>,
    /// Of `Expand` and the FIFO in front of it.
    pub clock_expand: Signal<In, Clock>,
    /// Of `HeaderEdit`.
    pub clock_edit: Signal<In, Clock>,
    /// Of each vport's ingress and transmit queue, then of those of packets out and upcalls.
    #[count(SIZES.queues)]
    pub clock_port: Vec<Signal<In, Clock>>,
    pub reset: Signal<In, Bit>,
    #[count(SIZES.vports)]
    pub rx: Vec<Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    #[count(SIZES.vports)]
    pub rx_error: Vec<Signal<In, Bit>>,
    #[count(SIZES.vports)]
    pub tx: Vec<Src<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>>,
    /// Bit v: transmit queue v holds a whole frame or more, so that `tx[v]` will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<{ SIZES.vports }>>,
    pub packet_out: Snk<Beat<{ SIZES.bus_bits }, { SIZES.count_bits }>>,
    pub packet_out_vport: Signal<In, Bits<8>>,
    /// With the last beat: the frame is damaged, and dropped as `drop_rx_error` of its destination.
    pub packet_out_error: Signal<In, Bit>,
    pub upcall: Src<UpcallBeat<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.note_bits }>>,
    /// As `tx_whole`, of `upcall`.
    pub upcall_whole: Signal<Out, Bit>,
    /// Each clock may stand still while its bit is high, and no beat comes in on its vport.
    pub idle: Signal<Out, Bit>,
    pub idle_parse: Signal<Out, Bit>,
    pub idle_match: Signal<Out, Bit>,
    pub idle_hash: Signal<Out, Bit>,
    pub idle_compare: Signal<Out, Bit>,
    pub idle_select: Signal<Out, Bit>,
    pub idle_expand: Signal<Out, Bit>,
    pub idle_edit: Signal<Out, Bit>,
    pub idle_port: Signal<Out, Bits<{ SIZES.queues }>>,

    /// A command of `Control`; see `CommandRunner`.
    pub request: Signal<In, Bit>,
    pub op: Signal<In, Bits<4>>,
    pub table_number: Signal<In, Bits<8>>,
    pub index: Signal<In, Bits<16>>,
    pub data: Signal<In, Bits<{ SIZES.data_bits }>>,
    pub done: Signal<Out, Bit>,
    pub counted: Signal<Out, Bit>,
    pub packets: Signal<Out, Bits<64>>,
    pub bytes: Signal<Out, Bits<64>>,
    pub epoch: Signal<Out, Bits<32>>,
    pub age_epoch: Signal<In, Bits<32>>,
    pub drop_when_full: Signal<In, Bits<{ SIZES.queues }>>,
    #[count(SIZES.queues)]
    pub queue_packets: Vec<Signal<Out, Bits<64>>>,
    #[count(SIZES.queues)]
    pub queue_bytes: Vec<Signal<Out, Bits<64>>>,
    #[count(SIZES.queues)]
    pub queue_drops: Vec<Signal<Out, Bits<64>>>,
    /// Frames that have got their lookup's result, modulo 2^32.
    pub matched: Signal<Out, Bits<32>>,
    /// Frames whose program has ended, modulo 2^32.
    pub acted: Signal<Out, Bits<32>>,

    #[clock(clock_port)]
    ingress: Vec<Ingress<SIZES>>,
    packet_out_ingress: Ingress<SIZES>,
    merge: Merge<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.queues }>,
    frame_credit: Credit<{ SIZES.credit_bits }>,
    pace: Pace,
    gather: Gather<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.behind_bits }, { SIZES.ahead_bits }>,
    #[clock(clock_parse)]
    parser: Parser,
    #[clock(clock_match)]
    matching: Match<SIZES>,
    passes: Vec<Passes<SIZES>>,
    #[clock(clock_expand)]
    results: HeaderFifo<
        MatchResult<{ SIZES.queues }, { SIZES.steps_log2 }, { SIZES.again_bits }, { SIZES.note_bits }>,
        6,
        7,
    >,
    #[clock(clock_expand)]
    expand: Expand<
        { SIZES.queues },
        { SIZES.steps_log2 },
        { SIZES.again_bits },
        { SIZES.further_step_bits },
        { SIZES.note_bits },
    >,
    headers: Headers<{ SIZES.bus_bits }, { SIZES.count_bits }, { SIZES.queues }, { SIZES.note_bits }>,
    payload: PayloadBuffer<
        { SIZES.bus_bits },
        { SIZES.count_bits },
        { SIZES.payload_log2 },
        { SIZES.payload_count_bits },
        { SIZES.payload_pairs_log2 },
    >,
    splice: Splice<
        { SIZES.bus_bits },
        { SIZES.count_bits },
        { SIZES.payload_log2 },
        { SIZES.payload_count_bits },
        { SIZES.queues },
        { SIZES.note_bits },
    >,
    egress: Egress<SIZES>,
    runner: CommandRunner<SIZES>,
    rule_counters: Counters<{ SIZES.rule_bits }>,
    verdict_counters: Counters<{ SIZES.verdict_bits }>,

    matched_q: Reg<Bits<32>>,
    acted_q: Reg<Bits<32>>,
    _one_pass: usize,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Pipeline<SIZES> {
    /// The fast path of a build.
    ///
    /// # Panics
    /// If the const parameters are not those of `config`.
    pub fn new(config: &Config) -> Self {
        assert_eq!(
            (SIZES.bus_bits, SIZES.vports, SIZES.queues),
            (config.bus_bits, config.vports(), config.queues()),
            "not the ports of {config:?}"
        );
        assert_eq!(
            (SIZES.way_log2, SIZES.tcam_entries, SIZES.steps_log2),
            (config.slots_log2, config.tcam_entries, config.steps_log2),
            "not the tables of {config:?}"
        );
        assert!(
            config.rule_ids() <= 1 << SIZES.rule_bits && config.queues() * 16 <= 1 << SIZES.verdict_bits,
            "not the counters of {config:?}"
        );
        // Headers are far apart: few are under way, and counters have clocks to spare.
        let in_turn = in_turn(config);
        let passes = config.passes > 1;
        assert!(!(passes && in_turn), "passes take a build with a header in each clock");
        let frames = match () {
            () if in_turn => HeaderFifo::<Bit, 6, 7>::SHORT,
            () if passes => 1 << PLACES_LOG2,
            () => FRAMES,
        };
        Self {
            ingress: (0..SIZES.vports).map(|_| Ingress::new(config.max_frame)).collect(),
            packet_out_ingress: Ingress::new(config.max_frame),
            frame_credit: Credit::new(frames),
            pace: Pace::new(config.header_clocks),
            parser: if in_turn { Parser::in_turn() } else { Parser::at_once() },
            matching: Match::new(config),
            passes: (0..usize::from(passes)).map(|_| Passes::new(config)).collect(),
            _one_pass: usize::from(!passes),
            results: if in_turn { HeaderFifo::in_turn() } else { HeaderFifo::at_once() },
            expand: if in_turn { Expand::in_turn(config.max_frame) } else { Expand::at_once(config.max_frame) },
            headers: if in_turn { Headers::in_turn() } else { Headers::at_once() },
            payload: PayloadBuffer::new(config.max_frame),
            splice: Splice::new(),
            egress: Egress::new(config.max_frame),
            runner: CommandRunner::new(config.sweep_clocks()),
            rule_counters: if in_turn { Counters::in_turn() } else { Counters::at_once() },
            verdict_counters: if in_turn { Counters::in_turn() } else { Counters::at_once() },
            ..Default::default()
        }
    }

    fn update(&mut self) {
        self.matching.clock_hash = self.clock_hash;
        self.matching.clock_compare = self.clock_compare;
        self.matching.clock_select = self.clock_select;
        self.headers.clock_edit = self.clock_edit;

        comment!("sources: the vports, and packets out as the last");
        let mut ingress_idle: Bits<{ SIZES.queues }> = 0;
        let mut offered: Bits<{ SIZES.queues }> = 0;
        for i in 0..SIZES.vports {
            link(self.rx[i], self.ingress[i].rx);
            self.ingress[i].rx_error = self.rx_error[i];
            self.ingress[i].vport = i;
            self.ingress[i].packet_out = false;
            join(self.ingress[i].out, self.merge.inp[i]);
            ingress_idle.set_bit(i, self.ingress[i].idle);
            offered.set_bit(i, self.ingress[i].out.valid);
        }
        self.packet_out_ingress.clock = self.clock_port[SIZES.vports];
        link(self.packet_out, self.packet_out_ingress.rx);
        self.packet_out_ingress.rx_error = self.packet_out_error;
        self.packet_out_ingress.vport = self.packet_out_vport;
        self.packet_out_ingress.packet_out = true;
        join(self.packet_out_ingress.out, self.merge.inp[SIZES.vports]);
        ingress_idle.set_bit(SIZES.vports, self.packet_out_ingress.idle);
        offered.set_bit(SIZES.vports, self.packet_out_ingress.out.valid);

        comment!("a frame starts when there is room for it everywhere behind, and the tables are not being cleared");
        for _one in 0..self._one_pass {
            self.merge.credit = self.frame_credit.available & self.payload.room & self.pace.ready & !self.runner.hold;
        }
        self.frame_credit.take = self.merge.started;
        self.pace.started = self.merge.started;
        self.pace.filling = self.gather.filling;
        self.frame_credit.give_back = self.results.out.valid & self.expand.result.ready;

        comment!("headers");
        self.gather.inp = self.merge.out;
        self.gather.valid = self.merge.valid;
        for _one in 0..self._one_pass {
            self.parser.window = self.gather.window;
            self.parser.valid = self.gather.window_valid;
        }
        self.matching.parsed = self.parser.parsed;
        self.matching.valid = self.parser.parsed_valid;
        for _one in 0..self._one_pass {
            self.results.inp.data = self.matching.result;
            self.results.inp.valid = self.matching.result_valid;
        }
        join(self.results.out, self.expand.result);
        self.headers.beat = self.merge.out;
        self.headers.beat_valid = self.merge.valid;
        for _one in 0..self._one_pass {
            self.headers.window = self.gather.window.hdr;
            self.headers.window_valid = self.gather.window_valid;
        }
        for i in 0..self.passes.len() {
            comment!(
                "with passes: the window goes the way to the result once or more, and on to the editor with the result"
            );
            self.merge.credit = self.frame_credit.available
                & self.payload.room
                & self.pace.ready
                & !self.runner.hold
                & !self.passes[i].hold;
            self.passes[i].window = self.gather.window;
            self.passes[i].behind = self.gather.behind;
            self.passes[i].window_valid = self.gather.window_valid;
            self.passes[i].ahead = self.gather.ahead;
            self.parser.window = self.passes[i].packet;
            self.parser.valid = self.passes[i].packet_valid;
            self.matching.further_key = self.passes[i].further_key;
            self.passes[i].result = self.matching.result;
            self.passes[i].result_valid = self.matching.result_valid;
            join(self.passes[i].out, self.results.inp);
            self.headers.window = self.passes[i].out_window;
            self.headers.window_valid = self.passes[i].out.valid & self.results.inp.ready;
        }
        self.headers.take = self.expand.take;
        self.headers.issue = self.expand.issue;
        self.headers.job = self.expand.job;
        self.headers.job_valid = self.expand.job_valid;
        self.expand.room = self.headers.room;
        join(self.headers.edited, self.splice.job);
        self.headers.head_number = self.splice.head_number;
        self.headers.head_slot = self.splice.head_slot;
        self.headers.head_done = self.splice.head_done;
        self.splice.head = self.headers.head;

        comment!("payloads");
        self.payload.inp = self.merge.out;
        self.payload.valid = self.merge.valid;
        self.payload.base = self.splice.base;
        self.payload.read = self.splice.read;
        self.payload.addr = self.splice.addr;
        self.payload.skip = self.splice.skip;
        self.splice.payload = self.payload.data;
        join(self.splice.out, self.egress.inp);
        for i in 0..SIZES.queues {
            self.egress.clock_port[i] = self.clock_port[i];
        }
        for i in 0..SIZES.vports {
            link(self.tx[i], self.egress.tx[i]);
        }
        self.tx_whole = self.egress.tx_whole;
        link(self.upcall, self.egress.upcall);
        self.upcall_whole = self.egress.upcall_whole;

        comment!("counters");
        for _one in 0..self._one_pass {
            self.rule_counters.count = self.expand.rule_valid;
            self.rule_counters.index = cast::<{ SIZES.rule_bits }>(self.expand.rule);
            self.rule_counters.bytes = self.expand.bytes;
        }
        for i in 0..self.passes.len() {
            self.rule_counters.count = self.passes[i].rule_valid;
            self.rule_counters.index = cast::<{ SIZES.rule_bits }>(self.passes[i].rule);
            self.rule_counters.bytes = self.passes[i].bytes;
        }
        self.rule_counters.epoch = self.age_epoch;
        self.verdict_counters.count = self.expand.verdict_valid;
        self.verdict_counters.index = cast::<{ SIZES.verdict_bits }>(self.expand.verdict_index);
        self.verdict_counters.bytes = self.expand.bytes;
        self.verdict_counters.epoch = 0;
        self.egress.drop_when_full = self.drop_when_full;
        for i in 0..SIZES.queues {
            self.queue_packets[i] = self.egress.packets[i];
            self.queue_bytes[i] = self.egress.bytes[i];
            self.queue_drops[i] = self.egress.drops[i];
        }
        for _one in 0..self._one_pass {
            if self.matching.result_valid {
                self.matched_q += 1;
            }
        }
        for i in 0..self.passes.len() {
            if self.passes[i].looked_up {
                self.matched_q += 1;
            }
        }
        if self.expand.ended {
            self.acted_q += 1;
        }
        self.matched = self.matched_q;
        self.acted = self.acted_q;

        comment!("commands");
        self.runner.request = self.request;
        self.runner.op = self.op;
        self.runner.table_number = self.table_number;
        self.runner.index = self.index;
        self.runner.data = self.data;
        self.done = self.runner.done;
        self.counted = self.runner.counted;
        self.packets = self.runner.packets;
        self.bytes = self.runner.bytes;
        self.epoch = self.runner.epoch;
        self.matching.write = self.runner.table_write;
        self.matching.write_valid = self.runner.table_write_valid;
        self.runner.tables_busy = self.matching.busy;
        let mut counting = self.rule_counters.busy | self.verdict_counters.busy;
        for i in 0..self.passes.len() {
            counting |= self.passes[i].busy;
        }
        self.runner.quiet = self.frame_credit.idle & !self.expand.busy & !counting;
        self.expand.step_write = self.runner.step_write;
        self.expand.step_index = cast::<{ SIZES.steps_log2 }>(self.runner.step_index);
        self.expand.step_data = self.runner.step_data;
        self.rule_counters.read = self.runner.rule_read;
        self.rule_counters.read_index = cast::<{ SIZES.rule_bits }>(self.runner.read_index);
        self.rule_counters.clear = self.runner.counter_clear;
        self.runner.rule_done = self.rule_counters.done;
        self.runner.rule_packets = self.rule_counters.read_packets;
        self.runner.rule_bytes = self.rule_counters.read_bytes;
        self.runner.rule_epoch = self.rule_counters.read_epoch;
        self.verdict_counters.read = self.runner.verdict_read;
        self.verdict_counters.read_index = cast::<{ SIZES.verdict_bits }>(self.runner.read_index);
        self.verdict_counters.clear = self.runner.counter_clear;
        self.runner.verdict_done = self.verdict_counters.done;
        self.runner.verdict_packets = self.verdict_counters.read_packets;
        self.runner.verdict_bytes = self.verdict_counters.read_bytes;
        self.runner.verdict_epoch = self.verdict_counters.read_epoch;

        comment!("frames hold a credit, or keep a later block busy; commands hold `request` or `done`");
        self.idle = !offered.any()
            & self.frame_credit.idle
            & self.pace.idle
            & !self.expand.busy
            & self.headers.idle
            & self.splice.idle
            & self.payload.idle
            & self.egress.idle
            & !self.merge.valid
            & !counting
            & self.matching.idle
            & !self.request
            & !self.runner.done;
        comment!("a header or a command is in the part, or about to come in");
        self.idle_parse = self.parser.idle;
        self.idle_match = self.matching.idle;
        self.idle_hash = self.matching.idle_hash;
        self.idle_compare = self.matching.idle_compare;
        self.idle_select = self.matching.idle_select;
        for _one in 0..self._one_pass {
            self.idle_expand =
                !self.matching.result_valid & self.results.empty & !self.expand.busy & !self.runner.step_write;
        }
        for i in 0..self.passes.len() {
            self.idle_expand =
                !self.passes[i].out.valid & self.results.empty & !self.expand.busy & !self.runner.step_write;
        }
        self.idle_edit = self.headers.idle_edit;
        self.idle_port = ingress_idle & self.egress.idle_port;
    }
}
