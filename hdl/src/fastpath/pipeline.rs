// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that a frame passes through, from ingress to egress.

use super::control_runner::CommandRunner;
use super::counters::Counters;
use super::credit::Credit;
use super::egress::Egress;
use super::expand::Expand;
use super::gather::Gather;
use super::header_fifo::HeaderFifo;
use super::headers::Headers;
use super::ingress::Ingress;
use super::lookup_in_turn::LookupInTurn;
use super::match_stage::Match;
use super::merge::Merge;
use super::pace::Pace;
use super::parser::Parser;
use super::payload_buffer::PayloadBuffer;
use super::splice::Splice;
use super::types::{Beat, MatchResult, UpcallBeat};
use crate::base::{Param, Reg, Snk, Src, Tag};
use crate::comment;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// Frames between `Merge` and `Expand` at most, in builds with a header in each clock. More than the clocks they need there, so that one
/// frame per clock is possible.
const FRAMES: usize = 64;

/// The fast path without its registers. All sizes follow from a `Config`; see [`sizes`](super::sizes) for how:
///
/// - `W` bus bits, `C` bits of a byte count in a beat
/// - `B` log2 of the beats in an ingress or egress buffer, `D` = B + 1
/// - `A` log2 of the beats in the payload buffer, `P` = A + 1, `H` = A - 1
/// - `N` vports, `Q` = N + 1 queues (and sources)
/// - `S` log2 of the slots in a way, `U` = S + 2, `T` TCAM entries, `X` and `Y` log2 of the rules in all hash tables and in the TCAM
/// - `K` log2 of the continuation steps, `R` bits of a rule id, `V` bits of a verdict counter's index
///
/// A clock may stand still while its `idle` is high: no edge of it changes anything that shows.
#[derive(LogicBlock)]
pub struct Pipeline<
    const W: usize,
    const C: usize,
    const B: usize,
    const D: usize,
    const A: usize,
    const P: usize,
    const H: usize,
    const N: usize,
    const Q: usize,
    const S: usize,
    const U: usize,
    const T: usize,
    const X: usize,
    const Y: usize,
    const K: usize,
    const R: usize,
    const V: usize,
> {
    tag: Tag<Self>,
    /// Of all that no other clock is of: what no header is long in, and commands.
    pub clock: Signal<In, Clock>,
    /// Of `Parser`; of `Match` and its parts; of `Expand` and the FIFO in front of it; of `HeaderEdit`.
    pub clock_parse: Signal<In, Clock>,
    pub clock_match: Signal<In, Clock>,
    pub clock_hash: Signal<In, Clock>,
    pub clock_compare: Signal<In, Clock>,
    pub clock_select: Signal<In, Clock>,
    pub clock_expand: Signal<In, Clock>,
    pub clock_edit: Signal<In, Clock>,
    /// Of each vport's ingress and transmit queue, then of those of packets out and upcalls.
    pub clock_port: Vec<Signal<In, Clock>>,
    pub reset: Signal<In, Bit>,
    pub rx: Vec<Snk<Beat<W, C>>>,
    pub rx_error: Vec<Signal<In, Bit>>,
    pub tx: Vec<Src<Beat<W, C>>>,
    /// Bit v: transmit queue v holds a whole frame or more, so that `tx[v]` will not pause before the end of one.
    pub tx_whole: Signal<Out, Bits<N>>,
    pub packet_out: Snk<Beat<W, C>>,
    pub packet_out_vport: Signal<In, Bits<8>>,
    /// With the last beat: the frame is damaged, and dropped as `drop_rx_error` of its destination.
    pub packet_out_error: Signal<In, Bit>,
    pub upcall: Src<UpcallBeat<W, C>>,
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
    pub idle_port: Signal<Out, Bits<Q>>,

    /// A command of `Control`; see `CommandRunner`.
    pub request: Signal<In, Bit>,
    pub op: Signal<In, Bits<4>>,
    pub table_number: Signal<In, Bits<8>>,
    pub index: Signal<In, Bits<16>>,
    pub data: Signal<In, Bits<1024>>,
    pub done: Signal<Out, Bit>,
    pub counted: Signal<Out, Bit>,
    pub packets: Signal<Out, Bits<64>>,
    pub bytes: Signal<Out, Bits<64>>,
    pub epoch: Signal<Out, Bits<32>>,
    pub age_epoch: Signal<In, Bits<32>>,
    pub drop_when_full: Signal<In, Bits<Q>>,
    pub queue_packets: Vec<Signal<Out, Bits<64>>>,
    pub queue_bytes: Vec<Signal<Out, Bits<64>>>,
    pub queue_drops: Vec<Signal<Out, Bits<64>>>,
    /// Frames that have got their lookup's result, and those whose program has ended, modulo 2^32.
    pub matched: Signal<Out, Bits<32>>,
    pub acted: Signal<Out, Bits<32>>,

    ingress: Vec<Ingress<W, C, B, D>>,
    packet_out_ingress: Ingress<W, C, B, D>,
    merge: Merge<W, C, Q>,
    frame_credit: Credit<7>,
    pace: Pace,
    gather: Gather<W, C>,
    parser: Parser,
    matching: Match<S, U, T, X, Y>,
    results: HeaderFifo<MatchResult, 6, 7>,
    expand: Expand<K>,
    headers: Headers<W, C>,
    payload: PayloadBuffer<W, C, A, P, H>,
    splice: Splice<W, C, A, P>,
    egress: Egress<W, C, B, D, N, Q>,
    runner: CommandRunner,
    rule_counters: Counters<R>,
    verdict_counters: Counters<V>,

    matched_q: Reg<Bits<32>>,
    acted_q: Reg<Bits<32>>,
    vport_number: Vec<Constant<Bits<8>>>,
    ingress_idle: Signal<Local, Bits<Q>>,
    /// Sources with a beat for `Merge`.
    offered: Signal<Local, Bits<Q>>,
    no_epoch: Param<Bits<32>>,
}

impl<
    const W: usize,
    const C: usize,
    const B: usize,
    const D: usize,
    const A: usize,
    const P: usize,
    const H: usize,
    const N: usize,
    const Q: usize,
    const S: usize,
    const U: usize,
    const T: usize,
    const X: usize,
    const Y: usize,
    const K: usize,
    const R: usize,
    const V: usize,
> Pipeline<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V>
{
    /// The fast path of a build.
    ///
    /// # Panics
    /// If the const parameters are not those of `config`.
    pub fn new(config: &Config) -> Self {
        assert_eq!((W, N, Q), (config.bus_bits, config.vports(), config.queues()), "not the ports of {config:?}");
        assert_eq!(
            (S, T, K),
            (config.slots_log2, config.tcam_entries, config.steps_log2),
            "not the tables of {config:?}"
        );
        assert!(config.rule_ids() <= 1 << R && config.queues() * 16 <= 1 << V, "not the counters of {config:?}");
        // Headers are far apart: few are under way, and counters have clocks to spare.
        let short = config.header_clocks >= LookupInTurn::<S, U, T, Y>::CLOCKS;
        let outputs = || vec![Signal::default(); Q];
        Self {
            tag: Default::default(),
            clock: Default::default(),
            clock_parse: Default::default(),
            clock_match: Default::default(),
            clock_hash: Default::default(),
            clock_compare: Default::default(),
            clock_select: Default::default(),
            clock_expand: Default::default(),
            clock_edit: Default::default(),
            clock_port: vec![Default::default(); Q],
            reset: Default::default(),
            rx: vec![Default::default(); N],
            rx_error: vec![Default::default(); N],
            tx: vec![Default::default(); N],
            tx_whole: Default::default(),
            packet_out: Default::default(),
            packet_out_vport: Default::default(),
            packet_out_error: Default::default(),
            upcall: Default::default(),
            upcall_whole: Default::default(),
            idle: Default::default(),
            idle_parse: Default::default(),
            idle_match: Default::default(),
            idle_hash: Default::default(),
            idle_compare: Default::default(),
            idle_select: Default::default(),
            idle_expand: Default::default(),
            idle_edit: Default::default(),
            idle_port: Default::default(),
            request: Default::default(),
            op: Default::default(),
            table_number: Default::default(),
            index: Default::default(),
            data: Default::default(),
            done: Default::default(),
            counted: Default::default(),
            packets: Default::default(),
            bytes: Default::default(),
            epoch: Default::default(),
            age_epoch: Default::default(),
            drop_when_full: Default::default(),
            queue_packets: outputs(),
            queue_bytes: outputs(),
            queue_drops: outputs(),
            matched: Default::default(),
            acted: Default::default(),
            ingress: (0..N).map(|_| Ingress::new(config.max_frame)).collect(),
            packet_out_ingress: Ingress::new(config.max_frame),
            merge: Default::default(),
            frame_credit: Credit::new(if short { HeaderFifo::<MatchResult, 6, 7>::SHORT } else { FRAMES }),
            pace: Pace::new(config.header_clocks),
            gather: Default::default(),
            parser: if short { Parser::in_turn() } else { Parser::at_once() },
            matching: Match::new(config),
            results: if short { HeaderFifo::short() } else { HeaderFifo::deep() },
            expand: Expand::new(N, config.max_frame),
            headers: if short { Headers::in_turn() } else { Headers::at_once() },
            payload: PayloadBuffer::new(config.max_frame),
            splice: Splice::new(),
            egress: Egress::new(config.max_frame),
            runner: CommandRunner::new(config.sweep_clocks()),
            rule_counters: if short { Counters::without_copy() } else { Counters::with_copy() },
            verdict_counters: if short { Counters::without_copy() } else { Counters::with_copy() },
            matched_q: Default::default(),
            acted_q: Default::default(),
            vport_number: (0..N).map(|v| Constant::new(v.to_bits())).collect(),
            ingress_idle: Default::default(),
            offered: Default::default(),
            no_epoch: Default::default(),
        }
    }
}

impl<
    const W: usize,
    const C: usize,
    const B: usize,
    const D: usize,
    const A: usize,
    const P: usize,
    const H: usize,
    const N: usize,
    const Q: usize,
    const S: usize,
    const U: usize,
    const T: usize,
    const X: usize,
    const Y: usize,
    const K: usize,
    const R: usize,
    const V: usize,
> Logic for Pipeline<W, C, B, D, A, P, H, N, Q, S, U, T, X, Y, K, R, V>
{
    #[millrace_hdl::kernel]
    fn update(&mut self) {
        clock!(self, clock, merge, frame_credit, pace, gather);
        clock!(self, clock_parse, parser);
        clock!(self, clock_match, matching);
        self.matching.clock_hash.next = self.clock_hash.val();
        self.matching.clock_compare.next = self.clock_compare.val();
        self.matching.clock_select.next = self.clock_select.val();
        clock!(self, clock_expand, results, expand);
        self.headers.clock_edit.next = self.clock_edit.val();
        clock!(
            self,
            clock,
            headers,
            payload,
            splice,
            egress,
            runner,
            rule_counters,
            verdict_counters,
            matched_q,
            acted_q
        );
        self.packet_out_ingress.reset.next = self.reset.val();
        self.merge.reset.next = self.reset.val();
        self.frame_credit.reset.next = self.reset.val();
        self.gather.reset.next = self.reset.val();
        self.pace.reset.next = self.reset.val();
        self.parser.reset.next = self.reset.val();
        self.matching.reset.next = self.reset.val();
        self.results.reset.next = self.reset.val();
        self.expand.reset.next = self.reset.val();
        self.headers.reset.next = self.reset.val();
        self.payload.reset.next = self.reset.val();
        self.splice.reset.next = self.reset.val();
        self.egress.reset.next = self.reset.val();
        self.runner.reset.next = self.reset.val();
        self.rule_counters.reset.next = self.reset.val();
        self.verdict_counters.reset.next = self.reset.val();
        self.matched_q.reset.next = self.reset.val();
        self.acted_q.reset.next = self.reset.val();

        comment!("sources: the vports, and packets out as the last");
        self.ingress_idle.next = 0.into();
        self.offered.next = 0.into();
        for i in 0..N {
            self.ingress[i].clock.next = self.clock_port[i].val();
            self.ingress[i].reset.next = self.reset.val();
            self.ingress[i].rx.data.next = self.rx[i].data.val();
            self.ingress[i].rx.valid.next = self.rx[i].valid.val();
            self.rx[i].ready.next = self.ingress[i].rx.ready.val();
            self.ingress[i].rx_error.next = self.rx_error[i].val();
            self.ingress[i].vport.next = self.vport_number[i].val();
            self.ingress[i].packet_out.next = false;
            self.merge.inp[i].data.next = self.ingress[i].out.data.val();
            self.merge.inp[i].valid.next = self.ingress[i].out.valid.val();
            self.ingress[i].out.ready.next = self.merge.inp[i].ready.val();
            self.ingress_idle.next = self.ingress_idle.val().replace_bit(i, self.ingress[i].idle.val());
            self.offered.next = self.offered.val().replace_bit(i, self.ingress[i].out.valid.val());
        }
        self.packet_out_ingress.rx.data.next = self.packet_out.data.val();
        self.packet_out_ingress.rx.valid.next = self.packet_out.valid.val();
        self.packet_out.ready.next = self.packet_out_ingress.rx.ready.val();
        self.packet_out_ingress.rx_error.next = self.packet_out_error.val();
        self.packet_out_ingress.vport.next = self.packet_out_vport.val();
        self.packet_out_ingress.packet_out.next = true;
        for i in N..Q {
            self.packet_out_ingress.clock.next = self.clock_port[i].val();
            self.merge.inp[i].data.next = self.packet_out_ingress.out.data.val();
            self.merge.inp[i].valid.next = self.packet_out_ingress.out.valid.val();
            self.packet_out_ingress.out.ready.next = self.merge.inp[i].ready.val();
            self.ingress_idle.next = self.ingress_idle.val().replace_bit(i, self.packet_out_ingress.idle.val());
            self.offered.next = self.offered.val().replace_bit(i, self.packet_out_ingress.out.valid.val());
        }

        comment!("a frame starts when there is room for it everywhere behind, and the tables are not being cleared");
        self.merge.credit.next = self.frame_credit.available.val()
            & self.payload.room.val()
            & self.pace.ready.val()
            & !self.runner.hold.val();
        self.frame_credit.take.next = self.merge.started.val();
        self.pace.started.next = self.merge.started.val();
        self.pace.filling.next = self.gather.filling.val();
        self.frame_credit.give_back.next = self.results.out.valid.val() & self.expand.result.ready.val();

        comment!("headers");
        self.gather.inp.next = self.merge.out.val();
        self.gather.valid.next = self.merge.valid.val();
        self.parser.window.next = self.gather.window.val();
        self.parser.valid.next = self.gather.window_valid.val();
        self.matching.parsed.next = self.parser.parsed.val();
        self.matching.valid.next = self.parser.parsed_valid.val();
        self.results.inp.data.next = self.matching.result.val();
        self.results.inp.valid.next = self.matching.result_valid.val();
        self.expand.result.data.next = self.results.out.data.val();
        self.expand.result.valid.next = self.results.out.valid.val();
        self.results.out.ready.next = self.expand.result.ready.val();
        self.headers.beat.next = self.merge.out.val();
        self.headers.beat_valid.next = self.merge.valid.val();
        self.headers.window.next = self.gather.window.val().hdr;
        self.headers.window_valid.next = self.gather.window_valid.val();
        self.headers.take.next = self.expand.take.val();
        self.headers.issue.next = self.expand.issue.val();
        self.headers.job.data.next = self.expand.job.data.val();
        self.headers.job.valid.next = self.expand.job.valid.val();
        self.expand.job.ready.next = self.headers.job.ready.val();
        self.splice.job.data.next = self.headers.edited.data.val();
        self.splice.job.valid.next = self.headers.edited.valid.val();
        self.headers.edited.ready.next = self.splice.job.ready.val();
        self.headers.head_number.next = self.splice.head_number.val();
        self.headers.head_slot.next = self.splice.head_slot.val();
        self.headers.head_done.next = self.splice.head_done.val();
        self.splice.head.next = self.headers.head.val();

        comment!("payloads");
        self.payload.inp.next = self.merge.out.val();
        self.payload.valid.next = self.merge.valid.val();
        self.payload.base.next = self.splice.base.val();
        self.payload.read.next = self.splice.read.val();
        self.payload.addr.next = self.splice.addr.val();
        self.splice.low.next = self.payload.low.val();
        self.splice.high.next = self.payload.high.val();
        self.egress.inp.data.next = self.splice.out.data.val();
        self.egress.inp.valid.next = self.splice.out.valid.val();
        self.splice.out.ready.next = self.egress.inp.ready.val();
        for i in 0..Q {
            self.egress.clock_port[i].next = self.clock_port[i].val();
        }
        for i in 0..N {
            self.tx[i].data.next = self.egress.tx[i].data.val();
            self.tx[i].valid.next = self.egress.tx[i].valid.val();
            self.egress.tx[i].ready.next = self.tx[i].ready.val();
        }
        self.tx_whole.next = self.egress.tx_whole.val();
        self.upcall_whole.next = self.egress.upcall_whole.val();
        self.upcall.data.next = self.egress.upcall.data.val();
        self.upcall.valid.next = self.egress.upcall.valid.val();
        self.egress.upcall.ready.next = self.upcall.ready.val();

        comment!("counters");
        self.rule_counters.count.next = self.expand.rule_valid.val();
        self.rule_counters.index.next = bit_cast::<R, 16>(self.expand.rule.val());
        self.rule_counters.bytes.next = self.expand.bytes.val();
        self.rule_counters.epoch.next = self.age_epoch.val();
        self.verdict_counters.count.next = self.expand.verdict_valid.val();
        self.verdict_counters.index.next = bit_cast::<V, 12>(self.expand.verdict_index.val());
        self.verdict_counters.bytes.next = self.expand.bytes.val();
        self.verdict_counters.epoch.next = self.no_epoch.val();
        self.egress.drop_when_full.next = self.drop_when_full.val();
        for i in 0..Q {
            self.queue_packets[i].next = self.egress.packets[i].val();
            self.queue_bytes[i].next = self.egress.bytes[i].val();
            self.queue_drops[i].next = self.egress.drops[i].val();
        }

        self.matched_q.en.next = self.matching.result_valid.val();
        self.matched_q.d.next = self.matched_q.q.val() + 1;
        self.acted_q.en.next = self.expand.ended.val();
        self.acted_q.d.next = self.acted_q.q.val() + 1;
        self.matched.next = self.matched_q.q.val();
        self.acted.next = self.acted_q.q.val();

        comment!("commands");
        self.runner.request.next = self.request.val();
        self.runner.op.next = self.op.val();
        self.runner.table_number.next = self.table_number.val();
        self.runner.index.next = self.index.val();
        self.runner.data.next = self.data.val();
        self.done.next = self.runner.done.val();
        self.counted.next = self.runner.counted.val();
        self.packets.next = self.runner.packets.val();
        self.bytes.next = self.runner.bytes.val();
        self.epoch.next = self.runner.epoch.val();
        self.matching.write.next = self.runner.table_write.val();
        self.matching.write_valid.next = self.runner.table_write_valid.val();
        self.runner.tables_busy.next = self.matching.busy.val();
        self.runner.quiet.next = self.frame_credit.idle.val()
            & !self.expand.busy.val()
            & !self.rule_counters.busy.val()
            & !self.verdict_counters.busy.val();
        self.expand.step_write.next = self.runner.step_write.val();
        self.expand.step_index.next = bit_cast::<K, 16>(self.runner.step_index.val());
        self.expand.step_data.next = self.runner.step_data.val();
        self.rule_counters.read.next = self.runner.rule_read.val();
        self.rule_counters.read_index.next = bit_cast::<R, 16>(self.runner.read_index.val());
        self.rule_counters.clear.next = self.runner.counter_clear.val();
        self.verdict_counters.clear.next = self.runner.counter_clear.val();
        self.runner.rule_done.next = self.rule_counters.done.val();
        self.runner.rule_packets.next = self.rule_counters.read_packets.val();
        self.runner.rule_bytes.next = self.rule_counters.read_bytes.val();
        self.runner.rule_epoch.next = self.rule_counters.read_epoch.val();
        self.verdict_counters.read.next = self.runner.verdict_read.val();
        self.verdict_counters.read_index.next = bit_cast::<V, 16>(self.runner.read_index.val());
        self.runner.verdict_done.next = self.verdict_counters.done.val();
        self.runner.verdict_packets.next = self.verdict_counters.read_packets.val();
        self.runner.verdict_bytes.next = self.verdict_counters.read_bytes.val();
        self.runner.verdict_epoch.next = self.verdict_counters.read_epoch.val();

        comment!("frames hold a credit, or keep a later block busy; commands hold `request` or `done`");
        self.idle.next = !self.offered.val().any()
            & self.frame_credit.idle.val()
            & self.pace.idle.val()
            & !self.expand.busy.val()
            & self.headers.idle.val()
            & self.splice.idle.val()
            & self.payload.idle.val()
            & self.egress.idle.val()
            & !self.merge.valid.val()
            & !self.rule_counters.busy.val()
            & !self.verdict_counters.busy.val()
            & self.matching.idle.val()
            & !self.request.val()
            & !self.runner.done.val();
        comment!("a header or a command is in the part, or about to come in");
        self.idle_parse.next = self.parser.idle.val();
        self.idle_match.next = self.matching.idle.val();
        self.idle_hash.next = self.matching.idle_hash.val();
        self.idle_compare.next = self.matching.idle_compare.val();
        self.idle_select.next = self.matching.idle_select.val();
        self.idle_expand.next = !self.matching.result_valid.val()
            & self.results.empty.val()
            & !self.expand.busy.val()
            & !self.runner.step_write.val();
        self.idle_edit.next = self.headers.idle_edit.val();
        self.idle_port.next = self.ingress_idle.val() & self.egress.idle_port.val();
    }
}
