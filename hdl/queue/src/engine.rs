// SPDX-License-Identifier: MIT OR Apache-2.0
//! The queue engine: virtqueues on one side, streams of frames on the other.

use crate::axi::AxiMaster;
use crate::collector::Collector;
use crate::control_fetch::ControlFetch;
use crate::control_gate::ControlGate;
use crate::control_unit::ControlUnit;
use crate::dma_guard::DmaGuard;
use crate::drop_samples::DropSamples;
use crate::fault_arbiter::FaultArbiter;
use crate::packed_used::PackedUsed;
use crate::packer::Packer;
use crate::placer::Placer;
use crate::prepend::Prepend;
use crate::rate_limit::RateLimit;
use crate::reader::Reader;
use crate::receive_store::ReceiveStore;
use crate::ring_port::{ID_BITS, RingPort};
use crate::ring_side::{CLOCKS as SIDE_CLOCKS, FINDERS, READERS, RingSide, WRITERS};
use crate::scatter::Scatter;
use crate::segmenter::{CLOCKS as SEGMENTER_CLOCKS, Segmenter};
use crate::sent_policy::SentPolicy;
use crate::shares::Shares;
use crate::steer::Steer;
use crate::strip::Strip;
use crate::turns::Turns;
use crate::types::{BEAT_BITS, Fault, MacChange, Policy, QueueConfig, RingRead, Used, Window};
use crate::used_writer::UsedWriter;
use millrace_hdl::base::{Reg, Snk, Src};
use millrace_hdl::core::types::Beat;
use millrace_regs::config::Config;
use rust_hdl_core::prelude::*;

/// Places at `RingPort`: behind those of both sides.
const USED_READER: usize = 2 * READERS;
const PACKED_READER: usize = USED_READER + 1;
const USED_WRITER: usize = 2 * WRITERS;
const PACKED_WRITER: usize = USED_WRITER + 1;
const CONTROL_WRITER: usize = PACKED_WRITER + 1;
/// Commands are read at the place of the transmitqs' packed rings, which do not use this tag.
const PACKED_RINGS: usize = 2;
const CONTROL_TAG: u64 = 0x60;

/// Clocks: those of the sides' parts and of the segmenter's, then these.
const SEGMENTER: usize = 2 * SIDE_CLOCKS;
const READER: usize = SEGMENTER + SEGMENTER_CLOCKS;
const PACKER: usize = READER + 1;
const STRIP: usize = READER + 2;
const STORE: usize = READER + 3;
const COLLECTOR: usize = READER + 4;
const PLACER: usize = READER + 5;
const PREPEND: usize = READER + 6;
const SCATTER: usize = READER + 7;
const USED: usize = READER + 8;
const PACKED_USED: usize = READER + 9;
const PORT: usize = READER + 10;
const DATA: usize = READER + 11;
pub const CLOCKS: usize = READER + 12;

/// Identifiers at memory: reads under way, of rings and of frames.
pub const RING_SLOT_BITS: usize = 9;
pub const DATA_SLOT_BITS: usize = 8;

/// Reads of frames under way: 256 bursts, 512 beats.
type FrameReader<const PAIR_BITS: usize> = Reader<PAIR_BITS, 8, 9, 9, 10>;

/// All virtqueues of a build, those of function 0 first. A stream of frames each way for each function: of the functions from 1 on, then the
/// representors' (upcalls one way, packets out the other).
///
/// After `reset` each queue is reset in turn, some 30 clocks each, before anything else is done.
///
/// Each part has a clock of its own, in `clock_part`. As `clock` with `idle`, it may stand still while its bit of `idle_part` is high: then no edge would change anything.
#[millrace_hdl::block]
pub struct QueueEngine<const HOST: HostSizes> {
    pub clock: Signal<In, Clock>,
    #[count(CLOCKS)]
    pub clock_part: Vec<Signal<In, Clock>>,
    pub reset: Signal<In, Bit>,

    /// From `Functions`; see there.
    pub open: Signal<In, Bit>,
    pub open_vq: Signal<In, Bits<{ HOST.vq_bits }>>,
    pub opened: Signal<In, QueueConfig>,
    pub window_write: Signal<In, Bit>,
    pub window_function: Signal<In, Bits<8>>,
    pub window: Signal<In, Window>,
    pub policy_write: Signal<In, Bit>,
    pub policy_function: Signal<In, Bits<8>>,
    pub policy: Signal<In, Policy>,
    pub rate_write: Signal<In, Bit>,
    pub burst_write: Signal<In, Bit>,
    pub weight_write: Signal<In, Bit>,
    pub samples_write: Signal<In, Bit>,
    pub limit_function: Signal<In, Bits<8>>,
    pub limit: Signal<In, Bits<32>>,
    pub merge: Signal<In, Bits<{ HOST.functions }>>,
    pub live: Signal<In, Bits<{ HOST.vqs }>>,
    pub stopped: Signal<In, Bits<{ HOST.vqs }>>,
    pub notify: Signal<In, Bit>,
    pub notify_vq: Signal<In, Bits<{ HOST.vq_bits }>>,
    pub reset_queue: Snk<Bits<{ HOST.vq_bits }>>,
    pub reset_done: Signal<Out, Bit>,
    pub mac: Src<MacChange>,
    pub finished: Signal<In, Bit>,
    pub finished_function: Signal<In, Bits<8>>,
    pub fault: Src<Fault<{ HOST.vq_bits }>>,
    pub interrupt: Src<Bits<{ HOST.vq_bits }>>,
    pub no_buffer: Signal<Out, Bit>,
    pub no_buffer_function: Signal<Out, Bits<8>>,
    pub bad_offload: Signal<Out, Bit>,
    pub bad_offload_function: Signal<Out, Bits<8>>,
    /// Of frames out of functions, of frames for them.
    pub refused_sent: Signal<Out, Bit>,
    pub refused_sent_function: Signal<Out, Bits<8>>,
    pub refused_received: Signal<Out, Bit>,
    pub refused_received_function: Signal<Out, Bits<8>>,

    /// Frames for drivers.
    #[count(HOST.functions)]
    pub inp: Vec<Snk<Beat<BEAT_BITS, 7>>>,
    /// Bit i: source i has a whole frame.
    pub whole: Signal<In, Bits<{ HOST.functions }>>,
    pub upcall_vport: Signal<In, Bits<8>>,
    pub upcall_reason: Signal<In, Bits<8>>,
    /// Frames of drivers. `error` counts with a frame's last beat.
    #[count(HOST.functions)]
    pub out: Vec<Src<Beat<BEAT_BITS, 7>>>,
    pub error: Signal<Out, Bit>,
    pub packet_out_vport: Signal<Out, Bits<8>>,

    /// Units of time, and how many of them memory has to answer.
    pub now: Signal<In, Bits<16>>,
    pub time_limit: Signal<In, Bits<16>>,
    pub awaits_time: Signal<Out, Bit>,
    pub rings: AxiMaster<Bits<RING_SLOT_BITS>>,
    pub data: AxiMaster<Bits<DATA_SLOT_BITS>>,
    pub idle: Signal<Out, Bit>,
    pub idle_part: Signal<Out, Bits<CLOCKS>>,

    sent: RingSide<{ HOST.pairs }, { HOST.pair_bits }, { HOST.function_bits }, { HOST.store_bits }, 12, 0>,
    received: RingSide<{ HOST.pairs }, { HOST.pair_bits }, { HOST.function_bits }, { HOST.store_bits }, 6, 1>,
    gate: ControlGate<{ HOST.pairs }, { HOST.pair_bits }>,
    control: ControlFetch<{ HOST.pair_bits }>,
    unit: ControlUnit<{ HOST.pair_bits }, { HOST.vq_bits }>,
    reader: FrameReader<{ HOST.pair_bits }>,
    packer: Packer<{ HOST.pair_bits }>,
    strip: Strip<{ HOST.pair_bits }>,
    segmenter: Segmenter<{ HOST.pair_bits }, { HOST.vq_bits }>,
    sent_policy: SentPolicy<{ HOST.pair_bits }, { HOST.function_bits }>,
    rates: RateLimit<{ HOST.pairs }, { HOST.pair_bits }, { HOST.functions }, { HOST.function_bits }>,
    shares: Shares<{ HOST.pairs }, { HOST.pair_bits }, { HOST.functions }, { HOST.function_bits }>,
    #[init(ReceiveStore::new())]
    store: ReceiveStore<{ HOST.pairs }, { HOST.pair_bits }, { HOST.store_bits }>,
    samples: DropSamples<{ HOST.function_bits }, { HOST.functions }>,
    collector: Collector<{ HOST.functions }, { HOST.pair_bits }, { HOST.function_bits }>,
    #[init(Steer::new())]
    steer: Steer<{ HOST.pair_bits }, { HOST.functions }, { HOST.function_bits }, { HOST.table_bits }>,
    placer: Placer<{ HOST.pairs }, { HOST.pair_bits }, { HOST.functions }>,
    prepend: Prepend,
    scatter: Scatter<{ HOST.pair_bits }>,
    used: UsedWriter<{ HOST.pair_bits }, { HOST.vqs }, { HOST.vq_bits }>,
    packed_used: PackedUsed<{ HOST.pair_bits }, { HOST.vqs }, { HOST.vq_bits }>,
    is_packed: Reg<Bits<{ HOST.vqs }>>,
    /// Chains that are done with: of transmitqs, and of controlqs.
    sent_used: Turns<Used<{ HOST.pair_bits }>>,
    /// Bit f: function f may not change its address.
    keeps_mac: Reg<Bits<{ HOST.functions }>>,
    /// Interrupts: of split queues, and of packed ones.
    told: Turns<Bits<{ HOST.vq_bits }>>,
    port: RingPort<{ HOST.function_bits }>,
    ring_guard: DmaGuard<ID_BITS, RING_SLOT_BITS, 10>,
    data_guard: DmaGuard<8, DATA_SLOT_BITS, 9>,
    /// After reset: the queue that is reset, and whether all have been.
    first_resets: Reg<Bits<{ HOST.vq_bits }>>,
    first_sent: Reg<Bit>,
    begun: Reg<Bit>,
    faults: FaultArbiter<{ HOST.pair_bits }, { HOST.vq_bits }>,
}

#[millrace_hdl::block]
impl<const HOST: HostSizes> QueueEngine<HOST> {
    /// For the functions of a build.
    ///
    /// # Panics
    /// If the sizes do not fit each other.
    pub fn new(config: &Config) -> Self {
        assert!(
            HOST.vqs == config.virtqueues()
                && HOST.vqs == 2 * HOST.pairs
                && HOST.vq_bits == HOST.pair_bits + 1
                && HOST.functions <= 1 << HOST.function_bits,
            "sizes of another build, or that do not fit each other"
        );
        let pair = |function, local| config.virtqueue(function, local).expect("a function has a pair") / 2;
        let functions = || 1..config.functions();
        let first: Vec<usize> = functions().map(|function| pair(function, 0)).collect();
        let control: Vec<usize> =
            functions().filter_map(|function| Some(pair(function, config.control_queue(function, true)?))).collect();
        Self {
            sent: RingSide::new(&control),
            received: RingSide::new(&[]),
            rates: RateLimit::new(config, &control),
            shares: Shares::new(config, &control),
            gate: ControlGate::new(&control),
            unit: ControlUnit::new(config),
            samples: DropSamples::new(config),
            collector: Collector::new(&first),
            ..Default::default()
        }
    }

    fn update(&mut self) {
        comment!("what is known of queues and functions");
        let open_pair = self.open_vq.get_bits::<{ HOST.pair_bits }>(1);
        let is_sent_queue = self.open_vq.get_bit(0);
        self.sent.open = self.open & is_sent_queue;
        self.sent.open_pair = open_pair;
        self.sent.opened = self.opened;
        self.received.open = self.open & !is_sent_queue;
        self.received.open_pair = open_pair;
        self.received.opened = self.opened;
        self.reader.open = self.open & is_sent_queue;
        self.reader.open_pair = open_pair;
        self.reader.opened = self.opened;
        self.used.open = self.open;
        self.used.open_vq = self.open_vq;
        self.used.opened = self.opened;
        let opens_packed = self.open & self.opened.features.packed;
        self.packed_used.open = opens_packed;
        self.packed_used.open_vq = self.open_vq;
        self.packed_used.opened = self.opened;
        let one_queue: Bits<{ HOST.vqs }> = 1;
        let opened_queue = if self.open { one_queue << self.open_vq } else { 0 };
        let packed_queue = if opens_packed { opened_queue } else { 0 };
        self.is_packed = (self.is_packed & !opened_queue) | packed_queue;
        self.sent.window_write = self.window_write;
        self.sent.window_function = self.window_function;
        self.sent.window = self.window;
        self.received.window_write = self.window_write;
        self.received.window_function = self.window_function;
        self.received.window = self.window;
        self.port.window_write = self.window_write;
        self.port.window_function = self.window_function;
        self.port.window = self.window;
        let mut live_sent: Bits<{ HOST.pairs }> = 0;
        let mut live_received: Bits<{ HOST.pairs }> = 0;
        let mut stopped_sent: Bits<{ HOST.pairs }> = 0;
        let mut stopped_received: Bits<{ HOST.pairs }> = 0;
        for i in 0..HOST.pairs {
            live_received.set_bit(i, self.live.get_bit(2 * i));
            live_sent.set_bit(i, self.live.get_bit(2 * i + 1));
            stopped_received.set_bit(i, self.stopped.get_bit(2 * i));
            stopped_sent.set_bit(i, self.stopped.get_bit(2 * i + 1));
        }
        self.sent.live = live_sent;
        self.received.live = live_received;
        self.sent.stopped = stopped_sent;
        self.received.stopped = stopped_received;
        self.used.stopped = self.stopped;
        self.packed_used.stopped = self.stopped;
        self.placer.live = live_received;
        self.placer.merge = self.merge;

        comment!("notifications and resets");
        let notify_pair = self.notify_vq.get_bits::<{ HOST.pair_bits }>(1);
        self.sent.notify = self.notify & self.notify_vq.get_bit(0);
        self.sent.notify_pair = notify_pair;
        self.received.notify = self.notify & !self.notify_vq.get_bit(0);
        self.received.notify_pair = notify_pair;
        let reset_vq = if self.begun { self.reset_queue.data } else { self.first_resets };
        let resets = if self.begun { self.reset_queue.valid } else { !self.first_sent };
        let is_sent = reset_vq.get_bit(0);
        self.sent.reset_pair.valid = resets & is_sent;
        self.sent.reset_pair.data = reset_vq.get_bits::<{ HOST.pair_bits }>(1);
        self.received.reset_pair.valid = resets & !is_sent;
        self.received.reset_pair.data = reset_vq.get_bits::<{ HOST.pair_bits }>(1);
        let taken = if is_sent { self.sent.reset_pair.ready } else { self.received.reset_pair.ready };
        self.reset_queue.ready = self.begun & taken;
        let done = self.used.reset_done | self.packed_used.reset_done;
        self.reset_done = self.begun & done;
        if !self.begun & (taken | done) {
            self.first_sent = !done;
        }
        if !self.begun & done {
            self.first_resets += 1;
            self.begun = self.first_resets == HOST.vqs - 1;
        }

        comment!("from the transmitqs to the core");
        self.rates.now = self.now;
        self.rates.rate_write = self.rate_write;
        self.rates.burst_write = self.burst_write;
        self.rates.set_function = self.limit_function;
        self.rates.set_value = self.limit;
        self.rates.gate_room = self.gate.room;
        self.rates.gate_free = self.gate.free;
        self.rates.gate_packed_free = self.gate.packed_free;
        self.rates.free_pair = self.sent.free_pair;
        self.rates.packed_free_pair = self.sent.packed_free_pair;
        self.sent.room = self.rates.room;
        self.sent.free = self.rates.free;
        self.gate.free_pair = self.sent.free_pair;
        self.sent.packed_free = self.rates.packed_free;
        self.gate.packed_free_pair = self.sent.packed_free_pair;
        self.gate.granted = self.sent.granted;
        self.gate.granted_pair = self.sent.granted_pair;
        let one_pair: Bits<{ HOST.pairs }> = 1;
        let segment = self.sent.segments.data;
        let is_control = (self.gate.control & (one_pair << segment.pair)).any();
        self.reader.segments.valid = self.sent.segments.valid & !is_control;
        self.reader.segments.data = segment;
        self.control.segments.valid = self.sent.segments.valid & is_control;
        self.control.segments.data = segment;
        self.sent.segments.ready = if is_control { self.control.segments.ready } else { self.reader.segments.ready };
        self.shares.weight_write = self.weight_write;
        self.shares.set_function = self.limit_function;
        self.shares.set_value = self.limit;
        self.shares.backlog = self.sent.backlog;
        self.shares.stopped = self.rates.stopped;
        self.shares.read = self.reader.segments.valid & self.reader.segments.ready & !(segment.abort | segment.reset);
        self.shares.read_function = segment.function;
        self.shares.read_bytes = segment.length;
        self.shares.blocked = self.reader.segments.valid & !self.reader.segments.ready;
        self.rates.outrun = self.shares.held;
        self.data_guard.inp.arid = self.reader.axi.arid;
        self.data_guard.inp.araddr = self.reader.axi.araddr;
        self.data_guard.inp.arlen = self.reader.axi.arlen;
        self.data_guard.inp.aruser = self.reader.axi.aruser;
        self.data_guard.inp.arvalid = self.reader.axi.arvalid;
        self.data_guard.inp.rready = self.reader.axi.rready;
        self.reader.axi.arready = self.data_guard.inp.arready;
        self.reader.axi.rid = self.data_guard.inp.rid;
        self.reader.axi.rdata = self.data_guard.inp.rdata;
        self.reader.axi.rresp = self.data_guard.inp.rresp;
        self.reader.axi.rlast = self.data_guard.inp.rlast;
        self.reader.axi.rvalid = self.data_guard.inp.rvalid;
        join(self.reader.pieces, self.packer.pieces);
        join(self.packer.out, self.strip.inp);
        join(self.reader.used, self.sent_used.inp[0]);
        join(self.unit.used, self.sent_used.inp[1]);
        let sent_vq = concat::<{ HOST.vq_bits }>(self.sent_used.out.data.pair, true);
        let sent_packed = (self.is_packed & (one_queue << sent_vq)).any();
        self.used.sent.valid = self.sent_used.out.valid & !sent_packed;
        self.used.sent.data = self.sent_used.out.data;
        self.packed_used.sent.valid = self.sent_used.out.valid & sent_packed;
        self.packed_used.sent.data = self.sent_used.out.data;
        self.sent_used.out.ready = if sent_packed { self.packed_used.sent.ready } else { self.used.sent.ready };
        join(self.strip.out, self.segmenter.inp);
        self.bad_offload = self.segmenter.bad;
        self.bad_offload_function = self.segmenter.bad_function;
        self.sent_policy.policy_write = self.policy_write;
        self.sent_policy.policy_function = self.policy_function;
        self.sent_policy.policy = self.policy;
        join(self.segmenter.out, self.sent_policy.inp);
        self.refused_sent = self.sent_policy.dropped;
        self.refused_sent_function = self.sent_policy.dropped_function;
        join(self.sent_policy.out, self.rates.inp);
        let frame = self.rates.out.data;
        let beat: Beat<BEAT_BITS, 7> = Beat { data: frame.data, bytes: frame.bytes, last: frame.last };
        let mut passes = false;
        for i in 0..HOST.functions {
            let own = frame.function == (i + 1) % HOST.functions;
            self.out[i].valid = self.rates.out.valid & own;
            self.out[i].data = beat;
            passes |= own & self.out[i].ready;
        }
        self.rates.out.ready = passes;
        self.error = frame.error;
        self.packet_out_vport = cast::<8>(frame.pair);

        comment!("commands of controlqs");
        join(self.control.command, self.unit.command);
        self.control.at = self.unit.at;
        self.unit.byte = self.control.byte;
        self.gate.done = self.unit.done;
        self.gate.done_pair = self.unit.done_pair;
        link(self.mac, self.unit.mac);
        let one_function: Bits<{ HOST.functions }> = 1;
        let written = if self.policy_write { one_function << self.policy_function } else { 0 };
        let keeps = self.policy.spoof_check & !self.policy.trust;
        let kept = if keeps { written } else { 0 };
        self.keeps_mac = (self.keeps_mac & !written) | kept;
        let keeps_from = self.keeps_mac >> self.unit.function;
        self.unit.keeps_mac = keeps_from.get_bit(0);
        self.steer.table_write = self.unit.table_write;
        self.steer.table_index = self.unit.table_index;
        self.steer.table_entry = self.unit.table_entry;
        self.steer.apply = self.unit.steer;
        self.steer.steering = self.unit.steering;
        self.steer.key = self.unit.key;
        self.steer.function = self.unit.function;
        self.steer.finished = self.finished;
        self.steer.finished_function = self.finished_function;

        comment!("from the core to the receiveqs");
        self.received.room = self.store.room;
        self.received.free = self.store.free;
        self.store.free_pair = self.received.free_pair;
        self.received.packed_free = self.store.packed_free;
        self.store.packed_free_pair = self.received.packed_free_pair;
        self.store.granted = self.received.granted;
        self.store.granted_pair = self.received.granted_pair;
        self.store.granted_count = self.received.granted_count;
        join(self.received.segments, self.store.segments);
        for i in 0..HOST.functions - 1 {
            link(self.inp[i], self.collector.inp[i]);
        }
        self.samples.now = self.now;
        self.samples.interval_write = self.samples_write;
        self.samples.set_function = self.limit_function;
        self.samples.set_value = self.limit;
        self.samples.dropped = self.sent_policy.begins_dropped;
        self.samples.sample = self.sent_policy.sample;
        link(self.inp[HOST.functions - 1], self.samples.inp);
        self.samples.inp_whole = self.whole.get_bit(HOST.functions - 1);
        self.samples.inp_vport = self.upcall_vport;
        self.samples.inp_reason = self.upcall_reason;
        join(self.samples.out, self.collector.inp[HOST.functions - 1]);
        let mut whole = self.whole;
        whole.set_bit(HOST.functions - 1, self.samples.out_whole);
        self.collector.whole = whole;
        self.collector.upcall_vport = self.samples.out_vport;
        self.collector.upcall_reason = self.samples.out_reason;
        self.collector.policy_write = self.policy_write;
        self.collector.policy_function = self.policy_function;
        self.collector.policy = self.policy;
        self.refused_received = self.collector.dropped;
        self.refused_received_function = self.collector.dropped_function;
        self.collector.steers = self.steer.steers;
        self.steer.steered = self.collector.steered;
        self.steer.beat = self.collector.steered_beat;
        self.steer.steered_function = self.collector.steered_function;
        join(self.collector.frames, self.steer.frames);
        join(self.steer.out, self.placer.frames);
        join(self.collector.data, self.prepend.inp);
        self.store.look = self.placer.look;
        self.store.look_pair = self.placer.look_pair;
        self.placer.chains = self.store.chains;
        self.store.chain = self.placer.chain;
        self.store.descriptor = self.placer.descriptor;
        self.placer.buffer = self.store.buffer;
        self.store.consume = self.placer.consume;
        self.store.consume_pair = self.placer.consume_pair;
        self.store.consumed = self.placer.consumed;
        join(self.store.reset_pair, self.placer.reset_pair);
        join(self.placer.start, self.prepend.start);
        join(self.placer.targets, self.scatter.targets);
        join(self.prepend.out, self.scatter.inp);
        self.data_guard.inp.awaddr = self.scatter.axi.awaddr;
        self.data_guard.inp.awlen = self.scatter.axi.awlen;
        self.data_guard.inp.awuser = self.scatter.axi.awuser;
        self.data_guard.inp.awvalid = self.scatter.axi.awvalid;
        self.data_guard.inp.wdata = self.scatter.axi.wdata;
        self.data_guard.inp.wstrb = self.scatter.axi.wstrb;
        self.data_guard.inp.wlast = self.scatter.axi.wlast;
        self.data_guard.inp.wvalid = self.scatter.axi.wvalid;
        self.data_guard.inp.bready = self.scatter.axi.bready;
        self.scatter.axi.awready = self.data_guard.inp.awready;
        self.scatter.axi.wready = self.data_guard.inp.wready;
        self.scatter.axi.bresp = self.data_guard.inp.bresp;
        self.scatter.axi.bvalid = self.data_guard.inp.bvalid;
        let received_vq = concat::<{ HOST.vq_bits }>(self.scatter.used.data.pair, false);
        let received_packed = (self.is_packed & (one_queue << received_vq)).any();
        self.used.received.valid = self.scatter.used.valid & !received_packed;
        self.used.received.data = self.scatter.used.data;
        self.packed_used.received.valid = self.scatter.used.valid & received_packed;
        self.packed_used.received.data = self.scatter.used.data;
        self.scatter.used.ready =
            if received_packed { self.packed_used.received.ready } else { self.used.received.ready };
        self.no_buffer = self.placer.no_buffer;
        self.no_buffer_function = self.placer.no_buffer_function;

        comment!("the rings");
        for i in 0..PACKED_RINGS {
            join(self.sent.read[i], self.port.read[i]);
            join(self.port.answer[i], self.sent.answer[i]);
        }
        for i in 0..READERS {
            join(self.received.read[i], self.port.read[READERS + i]);
            join(self.port.answer[READERS + i], self.received.answer[i]);
        }
        let commands = self.control.read.valid;
        self.port.read[PACKED_RINGS].valid = commands | self.sent.read[PACKED_RINGS].valid;
        self.port.read[PACKED_RINGS].data = if commands {
            RingRead { tag: CONTROL_TAG, ..self.control.read.data }
        } else {
            self.sent.read[PACKED_RINGS].data
        };
        self.control.read.ready = self.port.read[PACKED_RINGS].ready;
        self.sent.read[PACKED_RINGS].ready = self.port.read[PACKED_RINGS].ready & !commands;
        let came = self.port.answer[PACKED_RINGS].data;
        let is_command = came.tag == CONTROL_TAG;
        self.control.answer.valid = self.port.answer[PACKED_RINGS].valid & is_command;
        self.control.answer.data = came;
        self.sent.answer[PACKED_RINGS].valid = self.port.answer[PACKED_RINGS].valid & !is_command;
        self.sent.answer[PACKED_RINGS].data = came;
        self.port.answer[PACKED_RINGS].ready =
            if is_command { self.control.answer.ready } else { self.sent.answer[PACKED_RINGS].ready };
        join(self.used.read, self.port.read[USED_READER]);
        join(self.port.answer[USED_READER], self.used.answer);
        join(self.packed_used.read, self.port.read[PACKED_READER]);
        join(self.port.answer[PACKED_READER], self.packed_used.answer);
        for i in 0..WRITERS {
            join(self.sent.write[i], self.port.write[i]);
            join(self.port.written[i], self.sent.written[i]);
            join(self.received.write[i], self.port.write[WRITERS + i]);
            join(self.port.written[WRITERS + i], self.received.written[i]);
        }
        join(self.used.write, self.port.write[USED_WRITER]);
        join(self.port.written[USED_WRITER], self.used.written);
        join(self.packed_used.write, self.port.write[PACKED_WRITER]);
        join(self.port.written[PACKED_WRITER], self.packed_used.written);
        join(self.unit.write, self.port.write[CONTROL_WRITER]);
        join(self.port.written[CONTROL_WRITER], self.unit.written);
        join(self.port.axi, self.ring_guard.inp);
        link(self.rings, self.ring_guard.axi);
        link(self.data, self.data_guard.axi);
        self.ring_guard.now = self.now;
        self.ring_guard.limit = self.time_limit;
        self.data_guard.now = self.now;
        self.data_guard.limit = self.time_limit;
        self.awaits_time = self.ring_guard.waits | self.data_guard.waits | self.rates.waits;

        comment!("interrupts");
        join(self.used.interrupt, self.told.inp[0]);
        join(self.packed_used.interrupt, self.told.inp[1]);
        link(self.interrupt, self.told.out);

        comment!("faults");
        for i in 0..FINDERS {
            join(self.sent.fault[i], self.faults.sent[i]);
            join(self.received.fault[i], self.faults.received[i]);
        }
        join(self.reader.fault, self.faults.sent[FINDERS]);
        join(self.scatter.fault, self.faults.received[FINDERS]);
        join(self.used.fault, self.faults.both[0]);
        join(self.packed_used.fault, self.faults.both[1]);
        join(self.unit.fault, self.faults.both[2]);
        link(self.fault, self.faults.out);

        comment!("clocks");
        let mut idle: Bits<CLOCKS> = 0;
        for i in 0..SIDE_CLOCKS {
            self.sent.clock_part[i] = self.clock_part[i];
            idle.set_bit(i, self.sent.idle_part.get_bit(i));
            self.received.clock_part[i] = self.clock_part[SIDE_CLOCKS + i];
            idle.set_bit(SIDE_CLOCKS + i, self.received.idle_part.get_bit(i));
        }
        for i in 0..SEGMENTER_CLOCKS {
            self.segmenter.clock_part[i] = self.clock_part[SEGMENTER + i];
            idle.set_bit(SEGMENTER + i, self.segmenter.idle_part.get_bit(i));
        }
        self.reader.clock = self.clock_part[READER];
        self.shares.clock = self.clock_part[READER];
        idle.set_bit(READER, self.reader.idle & self.shares.idle);
        self.packer.clock = self.clock_part[PACKER];
        idle.set_bit(PACKER, self.packer.idle);
        self.strip.clock = self.clock_part[STRIP];
        self.sent_policy.clock = self.clock_part[STRIP];
        self.rates.clock = self.clock_part[STRIP];
        idle.set_bit(STRIP, self.strip.idle & self.sent_policy.idle & self.rates.idle);
        self.store.clock = self.clock_part[STORE];
        idle.set_bit(STORE, self.store.idle & self.placer.idle);
        self.collector.clock = self.clock_part[COLLECTOR];
        self.steer.clock = self.clock_part[COLLECTOR];
        self.samples.clock = self.clock_part[COLLECTOR];
        idle.set_bit(COLLECTOR, self.collector.idle & self.steer.idle & self.samples.idle);
        self.placer.clock = self.clock_part[PLACER];
        idle.set_bit(PLACER, self.placer.idle);
        self.prepend.clock = self.clock_part[PREPEND];
        idle.set_bit(PREPEND, self.prepend.idle);
        self.scatter.clock = self.clock_part[SCATTER];
        idle.set_bit(SCATTER, self.scatter.idle);
        self.used.clock = self.clock_part[USED];
        idle.set_bit(USED, self.used.idle);
        self.packed_used.clock = self.clock_part[PACKED_USED];
        idle.set_bit(PACKED_USED, self.packed_used.idle);
        self.port.clock = self.clock_part[PORT];
        self.ring_guard.clock = self.clock_part[PORT];
        idle.set_bit(PORT, self.port.idle & self.ring_guard.idle);
        self.data_guard.clock = self.clock_part[DATA];
        idle.set_bit(DATA, self.data_guard.idle);
        self.idle_part = idle;
        let controls = self.gate.idle & self.control.idle & self.unit.idle;
        let turns = self.sent_used.idle & self.told.idle;
        self.idle = self.begun & self.faults.idle & controls & turns & !(self.open | self.policy_write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sizes::HostSizes;
    use crate::small::SMALL;
    use crate::testing::assert_lints;
    use millrace_hdl::sized;

    #[test]
    fn the_engine_lints() {
        const HOST: HostSizes = HostSizes::of(&SMALL);
        assert_lints(<sized!(QueueEngine<; HOST>)>::new(&SMALL));
    }
}
