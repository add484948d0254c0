// SPDX-License-Identifier: MIT OR Apache-2.0
//! The registers of all functions, one access or event at a time.

use crate::live::Change;
use crate::msix_table::MsixRequest;
use crate::types::{Fault, MacChange, Negotiated, Policy, QueueConfig, Window};
use crate::words::*;
use millrace_hdl::base::{Dff, DffE, DffR, Param, Ram, Reg, Snk, Src};
use millrace_regs::config::Config;
use millrace_regs::host::*;
use rust_hdl_core::prelude::*;

/// What is worked on.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Task {
    Access,
    Fault,
    Used,
    Mac,
    Flr,
    ClearQueue,
    FinishFunction,
}

/// What the address of an access lies in.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Place {
    Nowhere,
    Common,
    Isr,
    Device,
    FirstFault,
    Engine,
    Mode,
    Limits,
    Function,
    Entry,
    Pending,
    Notify,
}

/// Where the work is. A word is there two clocks after its address: what the RAM gives goes into a register first.
#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
pub enum Step {
    /// Words of a function, of a queue, are made those after power-up.
    ClearFunction,
    ClearQueue,
    Rest,
    /// A virtqueue's owner is read.
    Owner,
    OwnerRead,
    OwnerTaken,
    /// What every task asks about its function: its state, its first virtqueue, what a select field holds.
    State,
    Base,
    Select,
    Local,
    Queue,
    /// The word that the access is for.
    Aim,
    Fetch,
    Fetched,
    Take,
    Merge,
    Act,
    /// FEATURES_OK is written: the driver's features against what is offered.
    DriverLow,
    MaskLow,
    DriverHigh,
    MaskHigh,
    Compare,
    Accept,
    /// `device_status` and `queue_select` are written.
    Status,
    /// The function's virtqueues, or the one, are not live any more when the reset has been answered.
    Halt,
    /// A virtqueue's size, enable or reset is written: what was negotiated.
    FeaturesLow,
    FeaturesHigh,
    FeaturesLowTaken,
    FeaturesHighTaken,
    Size,
    /// A virtqueue's words, a function's window, its policy, are collected one by one.
    Enable,
    Window,
    Policy,
    /// The lower half of a driver's address is written.
    Mac,
    /// `config_generation` is counted, DEVICE_NEEDS_RESET is set.
    Changed,
    NeedsReset,
    /// A bit of the ISR status is set.
    Isr,
    IsrRead,
    IsrTaken,
    /// The vector that an interrupt has is there; the vectors' block is asked.
    Vector,
    Ask,
    Done,
}

/// Works on one access, fault, message or change of an address at a time, in 13 to 34 clocks, and those that `msix` takes. State lies in RAM, 32 words a function and
/// 8 a virtqueue. After reset the RAM is filled first.
///
/// `ack` with `error` and `read_data` answers an access; a fault and a message are taken when their work is done. `clear` and `finish` are requests of the
/// reset of functions, `done` their end. `change` and `notify` are pulses, `vq` and `function` theirs.
#[millrace_hdl::block]
pub struct Sequencer<const HOST: HostSizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub read: Signal<In, Bit>,
    pub address: Signal<In, Bits<32>>,
    /// The function that the access is of.
    pub by: Signal<In, Bits<8>>,
    pub write_data: Signal<In, Bits<32>>,
    pub write_strobe: Signal<In, Bits<4>>,
    pub read_data: Signal<Out, Bits<32>>,
    pub ack: Signal<Out, Bit>,
    pub error: Signal<Out, Bit>,
    pub fault: Snk<Fault<{ HOST.vq_bits }>>,
    pub used: Snk<Bits<{ HOST.vq_bits }>>,
    pub mac: Snk<MacChange>,
    /// A function is to be reset, as by a write of 0 to its `device_status`; a pulse when its bit of `resetting` tells of it.
    pub flr: Signal<In, Bit>,
    pub flr_function: Signal<In, Bits<8>>,
    pub flr_taken: Signal<Out, Bit>,
    pub clear: Signal<In, Bit>,
    pub finish: Signal<In, Bit>,
    pub reset_function: Signal<In, Bits<8>>,
    pub reset_queue: Signal<In, Bits<{ HOST.vq_bits }>>,
    pub done: Signal<Out, Bit>,
    /// Starts the reset of `function`.
    pub begin: Signal<Out, Bit>,
    pub resetting: Signal<In, Bits<{ HOST.functions }>>,
    pub bus_master: Signal<In, Bits<{ HOST.functions }>>,
    /// MQ or RSS is negotiated.
    pub multiple: Signal<In, Bits<{ HOST.functions }>>,
    pub change: Signal<Out, Change>,
    pub function: Signal<Out, Bits<8>>,
    pub vq: Signal<Out, Bits<{ HOST.vq_bits }>>,
    /// Of `vq`, two clocks later: it is enabled, is being reset alone.
    pub is_enabled: Signal<In, Bit>,
    pub is_reset: Signal<In, Bit>,
    /// Frames dropped of `function`, three clocks later.
    pub no_buffer: Signal<In, Bits<32>>,
    pub bad_offload: Signal<In, Bits<32>>,
    pub refused: Signal<In, Bits<32>>,
    pub msix: Src<MsixRequest<{ HOST.vector_bits }>>,
    /// With `msix.ready`.
    pub msix_answer: Signal<In, Bits<32>>,
    pub notify: Signal<Out, Bit>,
    pub queue_write: Signal<Out, Bit>,
    pub queue_config: Signal<Out, QueueConfig>,
    pub window_write: Signal<Out, Bit>,
    pub window: Signal<Out, Window>,
    pub policy_write: Signal<Out, Bit>,
    pub policy: Signal<Out, Policy>,
    /// Pulses, with `function`: its rate, its burst, its weight, the time between its samples, is `limit`.
    pub rate_write: Signal<Out, Bit>,
    pub burst_write: Signal<Out, Bit>,
    pub weight_write: Signal<Out, Bit>,
    pub samples_write: Signal<Out, Bit>,
    pub limit: Signal<Out, Bits<32>>,
    /// Function 1 has the switch; nobody has, for that changes.
    pub nic: Signal<Out, Bit>,
    pub mode_changes: Signal<Out, Bit>,
    /// `DMA_TIMEOUT`.
    pub time_limit: Signal<Out, Bits<16>>,
    pub idle: Signal<Out, Bit>,

    ecpf_queues: Param<Bits<16>>,
    function_queues: Param<Bits<16>>,
    words: Ram<Bits<32>, { HOST.function_word_bits }>,
    queue_words: Ram<Bits<32>, { HOST.queue_word_bits }>,
    value: Dff<Bits<32>>,
    queue_value: Dff<Bits<32>>,

    step: Reg<Step>,
    /// The RAM is filled.
    filled: Reg<Bit>,
    task: Reg<Task>,
    /// The last task was none: a waiting access goes first.
    access_next: Reg<Bit>,
    place: DffE<Place>,
    writes: DffE<Bit>,
    /// Bits 5:2 of the access's offset.
    at: DffE<Bits<4>>,
    function_q: Reg<Bits<8>>,
    nic_q: Reg<Bit>,
    nic_wanted: Reg<Bit>,
    queue_q: Reg<Bits<{ HOST.vq_bits }>>,
    /// Number of the virtqueue, or vector, in its function.
    local: Reg<Bits<16>>,
    /// Word that is cleared or collected.
    count: Reg<Bits<5>>,
    state: Reg<Bits<32>>,
    base: DffE<Bits<{ HOST.vq_bits }>>,
    /// The select field holds 0, holds 1.
    low: DffE<Bit>,
    high: DffE<Bit>,
    target: DffE<Bits<5>>,
    /// Bits of the word that can be written, and that are 1.
    mask: DffE<Bits<32>>,
    ones: DffE<Bits<32>>,
    old: DffE<Bits<32>>,
    new: DffE<Bits<32>>,
    answer: DffE<Bits<32>>,
    /// The access's virtqueue or vector exists; it can be written. Of pending bits, some exist, and those of the access's word.
    exists: DffE<Bit>,
    inside: DffE<Bit>,
    open: DffE<Bit>,
    being_reset: DffE<Bit>,
    master: DffE<Bit>,
    queues_here: Dff<Bits<16>>,
    reset_here: Dff<Bit>,
    master_here: Dff<Bit>,
    multiple_here: Dff<Bit>,
    error_q: DffE<Bit>,
    driver: DffE<Bits<32>>,
    offends: DffE<Bit>,
    merges: DffE<Bit>,
    multiplies: DffE<Bit>,
    accepts: DffE<Bit>,
    isr_bits: DffE<Bits<2>>,
    /// The virtqueue's.
    vector: DffE<Bits<16>>,
    msix_q: DffE<MsixRequest<{ HOST.vector_bits }>>,
    /// The last words that were collected, the newest last.
    #[count(6)]
    collected: Vec<DffE<Bits<32>>>,
    change_q: DffR<Change>,
    begin_q: DffR<Bit>,
    notify_q: DffR<Bit>,
    queue_write_q: DffR<Bit>,
    size: DffE<Bits<9>>,
    size_log2: DffE<Bits<4>>,
    features: DffE<Negotiated>,
    window_write_q: DffR<Bit>,
    window_q: DffE<Window>,
    policy_write_q: DffR<Bit>,
    policy_q: DffE<Policy>,
    rate_write_q: DffR<Bit>,
    burst_write_q: DffR<Bit>,
    weight_write_q: DffR<Bit>,
    samples_write_q: DffR<Bit>,
    #[init(Reg::new(u64::from(DMA_TIMEOUT_RESET).into()))]
    time_limit_q: Reg<Bits<16>>,
}

#[millrace_hdl::block]
impl<const HOST: HostSizes> Sequencer<HOST> {
    /// For the functions of a build.
    ///
    /// # Panics
    /// If the sizes are not those of the build.
    pub fn new(config: &Config) -> Self {
        assert_eq!((config.functions(), config.virtqueues()), (HOST.functions, HOST.vqs));
        assert!(
            HOST.vqs <= 1 << HOST.vq_bits && HOST.queue_word_bits == HOST.vq_bits + 3,
            "{} virtqueues: {} and {} bits",
            HOST.vqs,
            HOST.vq_bits,
            HOST.queue_word_bits
        );
        assert!(
            32 * HOST.functions <= 1 << HOST.function_word_bits,
            "{} functions in {} bits",
            HOST.functions,
            HOST.function_word_bits
        );
        let queues = |function| Param::new((config.virtqueues_of_function(function) as u64).into());
        Self { ecpf_queues: queues(0), function_queues: queues(1), ..Default::default() }
    }

    fn update(&mut self) {
        let offset = self.address.get_bits::<24>(0);
        let asks = self.write | self.read;
        let in_event = self.fault.valid | self.used.valid | self.mac.valid | self.clear | self.finish | self.flr;
        let status = self.state.get_bits::<8>(0);
        let generation = self.state.get_bits::<8>(8);
        let strobe = self.write_strobe;
        let writes_low = strobe.get_bits::<2>(0).any();
        let writes_status = strobe.get_bit(0);
        let is_ecpf = !self.function_q.any();
        let first_vector = cast::<{ HOST.vector_bits }>(self.base) + cast::<{ HOST.vector_bits }>(!is_ecpf);
        let last_vector = first_vector + cast::<{ HOST.vector_bits }>(self.queues_here);

        let local_vector = first_vector + cast::<{ HOST.vector_bits }>(self.local);
        let no_bits: Bits<5> = 0;
        let zero: Bits<8> = 0;
        let mode_changes = self.nic_q ^ self.nic_wanted;
        let mut change = Change::default();
        let mut begin = false;
        let mut notify = false;
        let mut queue_write = false;
        let mut window_write = false;
        let mut policy_write = false;
        let mut rate_write = false;
        let mut burst_write = false;
        let mut weight_write = false;
        let mut samples_write = false;
        let mut word: Bits<5> = STATE;
        let mut we = false;
        let mut data = self.new;
        let mut queue_word = self.at.get_bits::<3>(0);
        let mut queue_we = false;
        let mut queue_data = self.new;

        comment!("of the function and the virtqueue at work");
        let resetting_from = self.resetting >> self.function_q;
        let master_from = self.bus_master >> self.function_q;
        self.reset_here = resetting_from.get_bit(0);
        self.master_here = master_from.get_bit(0);
        let multiple_from = self.multiple >> self.function_q;
        self.multiple_here = is_ecpf | multiple_from.get_bit(0);
        self.queues_here = if self.function_q.any() { self.function_queues } else { self.ecpf_queues };
        self.value = self.words.rdata;
        self.queue_value = self.queue_words.rdata;

        match self.step {
            Step::ClearFunction => {
                word = self.count;
                we = true;
                data = cleared_word(self.count, cast::<32>(self.queue_q), generation);
                self.count += 1;
                if self.filled & (self.count == LAST_OF_RESET) {
                    change.finish = true;
                    self.step = Step::Ask;
                }
                if self.count == LAST_OF_FUNCTION {
                    window_write = true;
                    self.window_q = Window { first: 0, last: (1u64 << 52) - 1 };
                    policy_write = true;
                    self.policy_q = Policy::default();
                    self.step = Step::ClearQueue;
                }
            }
            Step::ClearQueue => {
                queue_word = self.count.get_bits::<3>(0);
                queue_we = true;
                queue_data = cleared_queue_word(self.count.get_bits::<3>(0), self.function_q, self.local);
                self.count += 1;
                if self.filled & (self.count == SIZE) {
                    change.clear = true;
                    self.step = Step::Done;
                }
                if self.count == OWNER {
                    self.count = 0;
                    self.queue_q += 1;
                    self.local += 1;
                    if self.local == ((self.queues_here - 1) | 1) {
                        self.local = 0;
                        self.function_q += 1;
                        self.filled = self.function_q == HOST.functions - 1;
                        self.step =
                            if self.function_q == HOST.functions - 1 { Step::Rest } else { Step::ClearFunction };
                    }
                }
            }
            Step::Rest => {
                self.at = offset.get_bits::<4>(2);
                self.writes = self.write;
                self.place = Place::Nowhere;
                self.count = 0;
                if asks & (self.access_next | !in_event) {
                    self.access_next = false;
                    self.task = Task::Access;
                    self.function_q = self.address.get_bits::<8>(24);
                    self.local = cast::<16>(offset.get_bits::<12>(12) - NOTIFY.offset / NOTIFY.stride);
                    if (offset & ENTRY_MASK) == MSIX_TABLE.offset {
                        self.local = cast::<16>(offset.get_bits::<10>(4));
                    }
                    if (offset & PENDING_MASK) == MSIX_PENDING.offset {
                        self.local = cast::<16>(concat::<10>(offset.get_bits::<5>(2), no_bits));
                    }
                    // Function 0 is whose the switch is, every other one its own.
                    let number = self.address.get_bits::<8>(24);
                    let of_ecpf = !self.by.any();
                    let owns = (self.by == cast::<8>(self.nic_q)) & !mode_changes;
                    let own = if number.any() { self.by == number } else { owns };
                    let known = own & (cast::<9>(number) < HOST.functions);
                    if known & ((offset & mask_of(COMMON)) == COMMON.offset) {
                        self.place = Place::Common;
                    }
                    if known & ((offset & mask_of(ISR)) == ISR.offset) {
                        self.place = Place::Isr;
                    }
                    if known & ((offset & mask_of(DEVICE)) == DEVICE.offset) {
                        self.place = Place::Device;
                    }
                    if known & ((offset & mask_of(FAULTS)) == FAULTS.offset) {
                        self.place = Place::FirstFault;
                    }
                    let ecpf = known & !number.any();
                    if of_ecpf & (number == CONFIGURATION) & (offset.get_bits::<22>(2) == MODE / 4) {
                        self.place = Place::Mode;
                        self.function_q = 0;
                    }
                    if ecpf & ((offset & mask_of(ENGINE)) == ENGINE.offset) {
                        self.place = Place::Engine;
                    }
                    if known & ((offset & ENTRY_MASK) == MSIX_TABLE.offset) {
                        self.place = Place::Entry;
                    }
                    if known & ((offset & PENDING_MASK) == MSIX_PENDING.offset) {
                        self.place = Place::Pending;
                    }
                    if known & (offset >= NOTIFY.offset) {
                        self.place = Place::Notify;
                    }
                    let other = offset.get_bits::<8>(6);
                    if ecpf & ((offset & FUNCTION_MASK) == FUNCTION.offset) & (cast::<9>(other) < HOST.functions) {
                        self.place = Place::Function;
                        self.function_q = other;
                    }
                    let limited = offset.get_bits::<8>(4);
                    if ecpf & ((offset & LIMITS_MASK) == LIMITS.offset) & (cast::<9>(limited) < HOST.functions) {
                        self.place = Place::Limits;
                        self.function_q = limited;
                    }
                    self.step = Step::State;
                } else if (self.clear | self.finish) & !self.fault.valid {
                    self.access_next = true;
                    self.task = if self.clear { Task::ClearQueue } else { Task::FinishFunction };
                    self.function_q = self.reset_function;
                    self.queue_q = self.reset_queue;
                    self.step = if self.clear { Step::ClearQueue } else { Step::State };
                } else if self.flr & !(self.fault.valid | self.used.valid | self.mac.valid) {
                    self.access_next = true;
                    self.task = Task::Flr;
                    self.function_q = self.flr_function;
                    self.step = Step::State;
                } else if self.mac.valid & !(self.fault.valid | self.used.valid) {
                    self.access_next = true;
                    self.at = 0;
                    self.task = Task::Mac;
                    self.function_q = self.mac.data.function;
                    self.step = Step::State;
                } else if self.fault.valid | self.used.valid {
                    self.access_next = true;
                    self.at = word_of(common::QUEUE_MSIX_VECTOR);
                    self.task = if self.fault.valid { Task::Fault } else { Task::Used };
                    self.queue_q = if self.fault.valid { self.fault.data.vq } else { self.used.data };
                    self.step = Step::Owner;
                }
            }
            Step::Owner => {
                queue_word = OWNER;
                self.step = Step::OwnerRead;
            }
            Step::OwnerRead => {
                self.step = Step::OwnerTaken;
            }
            Step::OwnerTaken => {
                self.function_q = self.queue_value.get_bits::<8>(24);
                self.local = self.queue_value.get_bits::<16>(0);
                self.step = Step::State;
            }
            Step::State => {
                word = STATE;
                self.step = Step::Base;
            }
            Step::Base => {
                word = BASE;
                self.step = Step::Select;
            }
            Step::Select => {
                word = if self.at == word_of(common::DRIVER_FEATURE) { DRIVER_SELECT } else { DEVICE_SELECT };
                self.state = self.value;
                self.step = Step::Local;
            }
            Step::Local => {
                self.base = cast::<{ HOST.vq_bits }>(self.value);
                if self.place == Place::Common {
                    self.local = self.state.get_bits::<16>(16);
                }
                self.step = Step::Queue;
            }
            Step::Queue => {
                self.low = self.value == 0;
                self.high = self.value == 1;
                // The controlq is behind all others, but has number 2 where those are not known.
                let behind: Bits<16> = self.queues_here - 1;
                let control: Bits<16> = if self.multiple_here { behind } else { 2 };
                let is_control = !is_ecpf & (self.local == control);
                if self.task == Task::Access {
                    self.queue_q =
                        self.base + cast::<{ HOST.vq_bits }>(if is_control { self.queues_here } else { self.local });
                } else if !is_ecpf & (self.local == self.queues_here) {
                    self.local = control;
                }
                self.exists = (self.local < self.queues_here) & (self.multiple_here | (self.local <= 2));
                self.inside = self.local <= self.queues_here;
                if self.place == Place::Entry {
                    self.exists = self.local <= self.queues_here;
                }
                if self.place == Place::Pending {
                    self.exists = (self.local & QUADWORD) <= self.queues_here;
                }
                self.step = Step::Aim;
            }
            Step::Aim => {
                self.target = FIRST_FAULT;
                self.mask = u32::MAX;
                self.ones = 0;
                if self.place == Place::Common {
                    self.target = common_target(self.at, self.low);
                    self.mask = common_mask(self.at);
                }
                if self.place == Place::Isr {
                    self.target = ISR_STATUS;
                }
                if self.place == Place::Device {
                    self.target = cast::<5>(self.at.get_bits::<2>(0)) + REGISTERS;
                }
                if self.place == Place::Engine {
                    self.target = TIME_LIMIT;
                    self.mask = DMA_TIMEOUT.mask();
                }
                if self.place == Place::Limits {
                    self.target = cast::<5>(self.at.get_bits::<2>(0)) + LIMIT_WORDS;
                    self.mask = limit_mask(self.at.get_bits::<2>(0));
                }
                if self.task == Task::Mac {
                    self.target = MAC_END;
                }
                if (self.place == Place::Function) & (self.at != FUNCTION_FAULT.offset / 4) {
                    self.target = cast::<5>(self.at) + REGISTERS;
                    self.mask = register_mask(self.at);
                    if self.at == FUNCTION_LAST_LO.offset / 4 {
                        self.ones = !FUNCTION_LAST_LO.mask();
                    }
                }
                self.step = Step::Fetch;
            }
            Step::Fetch => {
                word = self.target;
                self.step = Step::Fetched;
            }
            Step::Fetched => {
                self.step = Step::Take;
            }
            Step::Take => {
                self.old = self.value;
                if (self.place == Place::Common) & (self.at >= word_of(common::QUEUE_SIZE)) {
                    self.old = self.queue_value;
                }
                if (self.place == Place::Common)
                    & ((self.at == word_of(common::QUEUE_ENABLE)) | (self.at == word_of(common::QUEUE_RESET)))
                {
                    self.old = 0;
                }
                if self.place == Place::Mode {
                    let mut mode: Bits<32> = 0;
                    mode.set_bit(NIC, self.nic_wanted);
                    mode.set_bit(CHANGING, mode_changes);
                    self.old = mode;
                }
                self.vector = self.queue_value.get_bits::<16>(16);
                self.open = self.exists & !self.is_enabled & !self.is_reset & !self.reset_here;
                self.being_reset = self.reset_here;
                self.master = self.master_here;
                self.step = Step::Merge;
            }
            Step::Merge => {
                self.new = (merged(self.old, self.write_data, strobe) & self.mask) | self.ones;
                let numbered =
                    (self.place == Place::Entry) | (self.place == Place::Pending) | (self.place == Place::Notify);
                self.error_q = (self.place == Place::Nowhere) | (numbered & !self.exists);
                let mut answer = self.old;
                if self.place == Place::Common {
                    answer = common_answer(
                        self.at,
                        self.old,
                        self.low,
                        self.high,
                        is_ecpf,
                        self.queues_here,
                        self.local,
                        self.exists,
                        self.is_enabled,
                        self.is_reset,
                    );
                    if (self.at == word_of(common::DEVICE_STATUS)) & self.being_reset {
                        answer = self.old | NEEDS_RESET;
                    }
                }
                if self.place == Place::Device {
                    answer = device_answer(self.at.get_bits::<3>(0), self.old, is_ecpf, self.queues_here);
                }
                if self.place == Place::Function {
                    let mut dropped = self.no_buffer;
                    if self.at == FUNCTION_BAD_OFFLOAD.offset / 4 {
                        dropped = self.bad_offload;
                    }
                    if self.at == FUNCTION_REFUSED.offset / 4 {
                        dropped = self.refused;
                    }
                    answer = register_answer(self.at, self.old, status, self.master, dropped);
                }
                if (self.place == Place::Nowhere) | numbered {
                    answer = 0;
                }
                self.answer = answer;
                self.step = Step::Act;
            }
            Step::Act => {
                let acts = self.writes & strobe.any();
                word = self.target;
                self.accepts = false;
                self.isr_bits = ISR_CONFIGURATION;
                self.msix_q = MsixRequest::<{ HOST.vector_bits }> {
                    raise: false,
                    write: self.writes & (self.place == Place::Entry),
                    collect: self.place == Place::Pending,
                    calm: self.task == Task::FinishFunction,
                    moderate: false,
                    function: self.function_q,
                    first: first_vector,
                    last: last_vector,
                    entry: if self.task == Task::Access { local_vector } else { first_vector },
                    word: self.at.get_bits::<2>(0),
                    data: if self.place == Place::Function { self.new } else { self.write_data },
                    strobe,
                };
                self.step = Step::Done;
                if (self.place == Place::Entry) & self.exists & (acts | !self.writes) {
                    self.step = Step::Ask;
                }
                if (self.place == Place::Pending) & self.exists & self.inside & !self.writes {
                    self.step = Step::Ask;
                }
                if self.task == Task::Fault {
                    if !self.being_reset & !self.is_reset {
                        change.stop = true;
                        we = !self.old.get_bits::<8>(0).any();
                        data = concat::<32>(self.local, zero, self.fault.data.reason);
                        self.step = Step::NeedsReset;
                    }
                }
                if self.task == Task::Used {
                    self.isr_bits = ISR_QUEUE;
                    if !self.being_reset & !self.is_reset {
                        self.step = Step::Isr;
                    }
                }
                if self.task == Task::Mac {
                    we = true;
                    data = concat::<32>(self.old.get_bits::<16>(16), self.mac.data.mac.get_bits::<16>(32));
                    self.step = Step::Mac;
                }
                if self.task == Task::FinishFunction {
                    self.step = Step::ClearFunction;
                }
                if self.place == Place::Isr {
                    we = !self.writes;
                    data = 0;
                }
                if (self.place == Place::Notify) & acts {
                    notify = self.exists & !self.being_reset & !self.is_reset;
                }
                if (self.place == Place::Mode) & acts & (self.new.get_bit(NIC) ^ self.nic_wanted) {
                    self.nic_wanted = self.new.get_bit(NIC);
                    begin = true;
                    change.halt = true;
                    self.step = Step::Halt;
                }
                if (self.task == Task::Flr) & !self.being_reset {
                    begin = true;
                    change.halt = true;
                    self.step = Step::Halt;
                }
                if (self.place == Place::Engine) & acts {
                    we = true;
                    self.time_limit_q = self.new.get_bits::<16>(0);
                }
                if (self.place == Place::Limits) & acts {
                    we = true;
                    rate_write = self.at.get_bits::<2>(0) == FUNCTION_RATE.offset / 4;
                    burst_write = self.at.get_bits::<2>(0) == FUNCTION_BURST.offset / 4;
                    weight_write = self.at.get_bits::<2>(0) == FUNCTION_WEIGHT.offset / 4;
                    samples_write = self.at.get_bits::<2>(0) == FUNCTION_SAMPLES.offset / 4;
                }
                if (self.place == Place::Function) & acts {
                    if self.at <= FUNCTION_LAST_HI.offset / 4 {
                        we = true;
                    }
                    if self.at == FUNCTION_POLICY.offset / 4 {
                        we = true;
                    }
                    if (self.at == FUNCTION_MTU.offset / 4) & (self.new != self.old) {
                        self.step = Step::Changed;
                    }
                    if (self.at <= FUNCTION_MAC_HI.offset / 4) | (self.at == FUNCTION_POLICY.offset / 4) {
                        self.step = Step::Policy;
                    }
                    if (self.at >= FUNCTION_FIRST_LO.offset / 4) & (self.at <= FUNCTION_LAST_HI.offset / 4) {
                        self.step = Step::Window;
                    }
                    if self.at == FUNCTION_MODERATION.offset / 4 {
                        we = true;
                        self.msix_q.moderate = true;
                        self.step = Step::Ask;
                    }
                }
                if (self.place == Place::Common) & acts & !self.being_reset {
                    if (self.at == word_of(common::DEVICE_FEATURE_SELECT))
                        | (self.at == word_of(common::DRIVER_FEATURE_SELECT))
                    {
                        we = true;
                    }
                    if self.at == word_of(common::DRIVER_FEATURE) {
                        we = (self.low | self.high) & !status.get_bit(FEATURES_OK);
                    }
                    if (self.at == word_of(common::CONFIG_MSIX_VECTOR)) & writes_low {
                        we = true;
                        data = cast::<32>(vector_of(self.new.get_bits::<16>(0), self.queues_here));
                    }
                    if self.at == word_of(common::DEVICE_STATUS) {
                        self.step = Step::Status;
                        if writes_status & self.write_data.get_bit(FEATURES_OK) & !status.get_bit(FEATURES_OK) {
                            self.step = Step::DriverLow;
                        }
                        if writes_status & !self.write_data.get_bits::<8>(0).any() {
                            begin = true;
                            change.halt = true;
                            self.step = Step::Halt;
                        }
                    }
                    if (self.at == word_of(common::QUEUE_SIZE)) & self.open {
                        self.step = Step::FeaturesLow;
                    }
                    if (self.at == word_of(common::QUEUE_ENABLE)) & self.open {
                        if writes_low & (self.new.get_bits::<16>(0) == 1) {
                            self.step = Step::FeaturesLow;
                        }
                    }
                    if (self.at == word_of(common::QUEUE_RESET)) & self.exists & !self.is_reset {
                        if strobe.get_bits::<2>(2).any() & (self.new.get_bits::<16>(16) == 1) {
                            self.step = Step::FeaturesLow;
                        }
                    }
                    if (self.at >= word_of(common::QUEUE_DESC)) & (self.at <= word_of(common::QUEUE_DEVICE) + 1) {
                        queue_we = self.open;
                    }
                }
            }
            Step::DriverLow => {
                word = DRIVER_LOW;
                self.step = Step::MaskLow;
            }
            Step::MaskLow => {
                word = MASK_LOW;
                self.step = Step::DriverHigh;
            }
            Step::DriverHigh => {
                word = DRIVER_HIGH;
                self.driver = self.value;
                self.merges = self.value.get_bit(MERGE_BIT);
                self.multiplies = self.value.get_bit(MQ_BIT);
                self.step = Step::MaskHigh;
            }
            Step::MaskHigh => {
                word = MASK_HIGH;
                self.offends = (self.driver & !(self.value & offered_low(is_ecpf))).any();
                self.step = Step::Compare;
            }
            Step::Compare => {
                self.driver = self.value;
                self.step = Step::Accept;
            }
            Step::Accept => {
                let beyond = self.driver & !((self.value & offered_high(is_ecpf)) | REQUIRED_HIGH);
                let required = (self.driver & REQUIRED_HIGH) == REQUIRED_HIGH;
                self.accepts = required & !(self.offends | beyond.any());
                self.multiplies = self.multiplies | self.driver.get_bit(RSS_BIT);
                self.step = Step::Status;
            }
            Step::Status => {
                let mut bits = status;
                if writes_status {
                    bits = status | (self.write_data.get_bits::<8>(0) & SETTABLE);
                }
                if self.accepts {
                    bits = bits.replace_bit(FEATURES_OK, true);
                }
                we = true;
                data = concat::<32>(self.new.get_bits::<16>(16), generation, bits);
                change.start = bits.get_bit(DRIVER_OK);
                change.merge = self.accepts & self.merges;
                change.multiple = self.accepts & self.multiplies;
                self.step = Step::Done;
            }
            Step::Halt => {
                self.count += 1;
                if self.count == 3 {
                    self.step = Step::Done;
                }
            }
            Step::FeaturesLow => {
                word = DRIVER_LOW;
                self.step = Step::FeaturesHigh;
            }
            Step::FeaturesHigh => {
                word = DRIVER_HIGH;
                self.step = Step::FeaturesLowTaken;
            }
            Step::FeaturesLowTaken => {
                self.driver = self.value;
                self.step = Step::FeaturesHighTaken;
            }
            Step::FeaturesHighTaken => {
                let none: Negotiated = Negotiated::default();
                let agreed: Negotiated = negotiated(self.driver, self.value);
                self.features = if status.get_bit(FEATURES_OK) { agreed } else { none };
                self.step = if self.at == word_of(common::QUEUE_SIZE) { Step::Size } else { Step::Enable };
                if self.at == word_of(common::QUEUE_RESET) {
                    change.reset = status.get_bit(FEATURES_OK) & self.value.get_bit(RING_RESET);
                    self.step = Step::Halt;
                }
            }
            Step::Size => {
                queue_we = true;
                let size = self.new.get_bits::<16>(0);
                let fits = is_size(size, self.features.packed);
                let valid = if fits { size } else { self.old.get_bits::<16>(0) };
                queue_data = concat::<32>(vector_of(self.new.get_bits::<16>(16), self.queues_here), valid);
                self.step = Step::Done;
            }
            Step::Enable => {
                queue_word = self.count.get_bits::<3>(0);
                self.count += 1;
                if self.count < SIZE + 2 {
                    for i in 0..5 {
                        self.collected[i] = self.collected[i + 1];
                    }
                    self.collected[5] = self.queue_value;
                }
                let mut log2: Bits<4> = 0;
                for i in 0..9 {
                    if self.queue_value.get_bit(i) {
                        log2 |= i;
                    }
                }
                self.size = self.queue_value.get_bits::<9>(0);
                self.size_log2 = log2;
                if self.count == SIZE + 2 {
                    queue_write = true;
                    change.enable = true;
                    self.step = Step::Done;
                }
            }
            Step::Window => {
                word = self.count + WINDOW;
                self.count += 1;
                if self.count < 6 {
                    for i in 0..5 {
                        self.collected[i] = self.collected[i + 1];
                    }
                    self.collected[5] = self.value;
                }
                self.window_q = Window {
                    first: concat::<52>(self.collected[3], self.collected[2].get_bits::<20>(PAGE)),
                    last: concat::<52>(self.collected[5], self.collected[4].get_bits::<20>(PAGE)),
                };
                if self.count == 6 {
                    window_write = true;
                    self.step = Step::Done;
                }
            }
            Step::Policy => {
                word = self.count + MAC;
                if self.count == 2 {
                    word = POLICY;
                }
                self.count += 1;
                if self.count < 5 {
                    for i in 0..5 {
                        self.collected[i] = self.collected[i + 1];
                    }
                    self.collected[5] = self.value;
                }
                self.policy_q = policy_of(self.collected[3], self.collected[4], self.collected[5]);
                if self.count == 5 {
                    policy_write = true;
                    let is_mac = self.at <= FUNCTION_MAC_HI.offset / 4;
                    let is_new = is_mac & (self.new != self.old);
                    self.step = if is_new | (self.task == Task::Mac) { Step::Changed } else { Step::Done };
                }
            }
            Step::Mac => {
                word = MAC;
                we = true;
                data = self.mac.data.mac.get_bits::<32>(0);
                self.step = Step::Policy;
            }
            Step::Changed => {
                we = true;
                data = concat::<32>(self.state.get_bits::<16>(16), generation + 1, status);
                let tells = status.get_bit(DRIVER_OK) & !self.being_reset & (self.task == Task::Access);
                self.step = if tells { Step::Isr } else { Step::Done };
            }
            Step::NeedsReset => {
                we = true;
                data = self.state | NEEDS_RESET;
                self.step = Step::Isr;
            }
            Step::Isr => {
                word = ISR_STATUS;
                self.step = Step::IsrRead;
            }
            Step::IsrRead => {
                word = VECTOR;
                self.step = Step::IsrTaken;
            }
            Step::IsrTaken => {
                word = ISR_STATUS;
                we = true;
                data = self.value | cast::<32>(self.isr_bits);
                self.step = Step::Vector;
            }
            Step::Vector => {
                let vector = if self.task == Task::Used { self.vector } else { self.value.get_bits::<16>(0) };
                self.msix_q.raise = true;
                self.msix_q.entry = first_vector + cast::<{ HOST.vector_bits }>(vector);
                self.step = if vector == NONE { Step::Done } else { Step::Ask };
            }
            Step::Ask => {
                if (self.place == Place::Entry) | (self.place == Place::Pending) {
                    self.answer = self.msix_answer;
                }
                if self.msix.ready {
                    self.step = Step::Done;
                }
            }
            Step::Done => {
                self.step = Step::Rest;
            }
        }
        if mode_changes & (self.step == Step::Rest) & !self.resetting.get_bit(0) {
            self.nic_q = self.nic_wanted;
        }

        let function_word = cast::<{ HOST.function_word_bits }>(concat::<13>(self.function_q, word));
        self.words.re = true;
        self.words.raddr = function_word;
        self.words.we = we;
        self.words.waddr = function_word;
        self.words.wdata = data;
        let word_of_queue = concat::<{ HOST.queue_word_bits }>(self.queue_q, queue_word);
        self.queue_words.re = true;
        self.queue_words.raddr = word_of_queue;
        self.queue_words.we = queue_we;
        self.queue_words.waddr = word_of_queue;
        self.queue_words.wdata = queue_data;

        let is_done = self.step == Step::Done;
        self.ack = is_done & (self.task == Task::Access);
        self.error = self.error_q;
        self.read_data = self.answer;
        self.fault.ready = is_done & (self.task == Task::Fault);
        self.used.ready = is_done & (self.task == Task::Used);
        self.mac.ready = is_done & (self.task == Task::Mac);
        self.flr_taken = is_done & (self.task == Task::Flr);
        self.nic = self.nic_q;
        self.mode_changes = mode_changes;
        self.done = is_done & ((self.task == Task::ClearQueue) | (self.task == Task::FinishFunction));
        self.msix.data = self.msix_q;
        self.msix.valid = self.step == Step::Ask;
        self.change_q = change;
        self.change = self.change_q;
        self.begin_q = begin;
        self.begin = self.begin_q;
        self.notify_q = notify;
        self.notify = self.notify_q;
        self.function = self.function_q;
        self.vq = self.queue_q;
        self.queue_write_q = queue_write;
        self.queue_write = self.queue_write_q;
        self.queue_config = QueueConfig {
            desc: concat::<64>(self.collected[1], self.collected[0]),
            driver: concat::<64>(self.collected[3], self.collected[2]),
            device: concat::<64>(self.collected[5], self.collected[4]),
            size: self.size,
            size_log2: self.size_log2,
            function: self.function_q,
            features: self.features,
        };
        self.window_write_q = window_write;
        self.window_write = self.window_write_q;
        self.window = self.window_q;
        self.policy_write_q = policy_write;
        self.policy_write = self.policy_write_q;
        self.policy = self.policy_q;
        self.rate_write_q = rate_write;
        self.rate_write = self.rate_write_q;
        self.burst_write_q = burst_write;
        self.burst_write = self.burst_write_q;
        self.weight_write_q = weight_write;
        self.weight_write = self.weight_write_q;
        self.samples_write_q = samples_write;
        self.samples_write = self.samples_write_q;
        self.limit = self.new;
        self.time_limit = self.time_limit_q;
        self.idle = (self.step == Step::Rest) & !(asks | in_event | mode_changes);
    }
}
