// SPDX-License-Identifier: MIT OR Apache-2.0
//! What may stand in a `block`, each in the Rust simulator and in Verilog: the examples of `docs/blocks.md`, and a block with the rest.

// Ports are counted by their numbers, as the hardware does.
#![allow(clippy::needless_range_loop)]

use millrace_hdl::base::{DffE, DffR, Fifo, Reg, Skid, Snk, Src};
use millrace_hdl::core::sizes::Sizes;
use millrace_hdl::{emit, sized, wire_struct};
use millrace_regs::config::Preset;
use rust_hdl_core::prelude::*;

#[allow(dead_code)]
#[path = "support/tools.rs"]
mod tools;

wire_struct! {
    /// A value of a kind.
    pub struct Sample {
        pub kind: Bits<2>,
        pub value: Bits<8>,
    }
}

/// Counts what passes, up to `N` bits, and keeps the last byte of each kind.
#[millrace_hdl::block]
pub struct Tally<const N: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub inp: Snk<Sample>,
    pub count: Signal<Out, Bits<N>>,
    passed: Reg<Bits<N>>,
    #[count(4)]
    latest: Vec<DffE<Bits<8>>>,
}

#[millrace_hdl::block]
impl<const N: usize> Tally<N> {
    fn update(&mut self) {
        let passes = self.inp.valid & (self.passed != (1 << N) - 1);
        self.inp.ready = true;
        if passes {
            self.passed += 1;
            for i in 0..4 {
                if self.inp.data.kind == i {
                    self.latest[i] = self.inp.data.value;
                }
            }
        }
        self.count = self.passed;
    }
}

/// A FIFO for what comes in at each vport.
#[millrace_hdl::block]
pub struct Stores<const SIZES: Sizes> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(SIZES.vports)]
    pub rx: Vec<Snk<Bits<{ SIZES.bus_bits }>>>,
    #[count(SIZES.vports)]
    pub tx: Vec<Src<Bits<{ SIZES.bus_bits }>>>,
    #[count(SIZES.vports)]
    stores: Vec<Fifo<Bits<{ SIZES.bus_bits }>, { SIZES.buffer_log2 }, { SIZES.buffer_count_bits }>>,
}

#[millrace_hdl::block]
impl<const SIZES: Sizes> Stores<SIZES> {
    fn update(&mut self) {
        for i in 0..SIZES.vports {
            link(self.rx[i], self.stores[i].inp);
            link(self.tx[i], self.stores[i].out);
        }
    }
}

const ECP5: Sizes = Sizes::of(&Preset::Ecp5.config());

#[derive(Clone, Copy, Debug, PartialEq, LogicState)]
enum State {
    Idle,
    Busy,
    Done,
}

wire_struct! {
    /// A struct in a struct.
    pub struct Labelled {
        pub sample: Sample,
        pub number: Bits<4>,
    }
}

/// A constant of Rust.
const LIMIT: usize = 3;

/// The larger of two.
#[millrace_hdl::function]
fn larger<const N: usize>(a: Bits<N>, b: Bits<N>) -> Bits<N> {
    let first = a > b;
    if first { a } else { b }
}

/// Streams of `K` ports, each through a FIFO, then joined stages; a state machine; a function; fields of fields.
#[millrace_hdl::block]
pub struct Everything<const K: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    #[count(K)]
    pub inp: Vec<Snk<Bits<8>>>,
    #[count(K)]
    pub out: Vec<Src<Bits<8>>>,
    pub go: Signal<In, Bit>,
    pub labelled: Signal<In, Labelled>,
    pub largest: Signal<Out, Bits<8>>,
    pub swapped: Signal<Out, Labelled>,
    pub pieces: Signal<Out, Bits<13>>,
    pub done: Signal<Out, Bit>,
    #[count(K)]
    fifos: Vec<Fifo<Bits<8>, 2, 3>>,
    #[count(K)]
    skids: Vec<Skid<Bits<8>>>,
    state: DffR<State>,
    waited: Reg<Bits<4>>,
}

#[millrace_hdl::block]
impl<const K: usize> Everything<K> {
    fn update(&mut self) {
        for i in 0..K {
            link(self.inp[i], self.fifos[i].inp);
            join(self.fifos[i].out, self.skids[i].inp);
            link(self.out[i], self.skids[i].out);
        }
        let mut most = self.labelled.sample.value;
        for i in 0..self.out.len() {
            most = larger::<8>(most, self.out[i].data);
        }
        self.largest = most;
        self.swapped = Labelled {
            sample: Sample { kind: self.labelled.number.get_bits::<2>(0), ..self.labelled.sample },
            number: cast::<4>(self.labelled.sample.kind) + LIMIT,
        };
        self.pieces = concat::<13>(self.labelled.sample.value, self.go, self.waited);
        let ready = self.waited == LIMIT;
        self.state = match self.state {
            State::Idle => {
                if self.go {
                    State::Busy
                } else {
                    State::Idle
                }
            }
            State::Busy => {
                if ready {
                    State::Done
                } else {
                    State::Busy
                }
            }
            State::Done => State::Idle,
        };
        match self.state {
            State::Busy => self.waited += 1,
            State::Idle | State::Done => self.waited = 0,
        }
        self.done = self.state == State::Done;
    }
}

fn settle(block: &mut impl Block) {
    assert!(simulate(block, 100), "the logic does not settle");
}

/// One clock.
fn tick<B: Block>(block: &mut B, clock: impl Fn(&mut B) -> &mut Signal<In, Clock>) {
    for level in [true, false] {
        clock(block).next = level.into();
        settle(block);
    }
}

fn lint(mut block: impl Block) -> String {
    block.connect_all();
    let text = emit::verilog(&block, Some("top")).expect("it can be emitted");
    tools::lint(&text, "top");
    text
}

#[test]
fn the_example_counts_and_keeps() {
    let mut tally = Tally::<4>::default();
    tally.connect_all();
    for n in 0..20u64 {
        tally.inp.valid.next = true;
        tally.inp.data.next = Sample { kind: (n % 4).into(), value: (n * 7).into() };
        settle(&mut tally);
        assert_eq!(tally.count.val().to_u64(), n.min(15));
        tick(&mut tally, |tally| &mut tally.clock);
    }
    let text = lint(Tally::<4>::default());
    let load =
        "if (passes & (inp_data[SAMPLE_KIND +: 2] == 2'd3)) begin\n        latest_3 <= inp_data[SAMPLE_VALUE +: 8];";
    assert!(text.contains(load), "{text}");
}

#[test]
fn the_example_with_sizes_has_those_of_its_build() {
    let text = lint(<sized!(Stores<ECP5>)>::default());
    for vport in 0..=ECP5.vports {
        let port = format!("input  wire [{}:0] rx_{vport}_data,", ECP5.bus_bits - 1);
        let store = format!("    fifo stores_{vport} (");
        assert_eq!(
            [port, store].map(|part| text.contains(&part)),
            [vport < ECP5.vports; 2],
            "vport {vport} in\n{text}"
        );
    }
}

#[test]
fn streams_functions_structs_and_states_do_what_they_say() {
    let mut all = Everything::<2>::default();
    all.connect_all();
    all.reset.next = true;
    tick(&mut all, |all| &mut all.clock);
    all.reset.next = false;
    let sample = Sample { kind: 2u64.into(), value: 0x5au64.into() };
    all.labelled.next = Labelled { sample, number: 0b1101u64.into() };
    let (mut sent, mut got, mut done) = ([0u64; 2], [0u64; 2], 0);
    for clock in 0..60 {
        all.go.next = clock == 5;
        for i in 0..2 {
            all.inp[i].valid.next = true;
            all.inp[i].data.next = (sent[i] + 100 * i as u64).into();
            all.out[i].ready.next = clock % (i + 2) == 0;
        }
        settle(&mut all);
        let mut most = 0x5a;
        for i in 0..2 {
            most = most.max(all.out[i].data.val().to_u64());
            sent[i] += u64::from(all.inp[i].ready.val());
            if all.out[i].valid.val() && all.out[i].ready.val() {
                assert_eq!(all.out[i].data.val().to_u64(), got[i] + 100 * i as u64);
                got[i] += 1;
            }
        }
        assert_eq!(all.largest.val().to_u64(), most);
        let swapped = all.swapped.val();
        assert_eq!(swapped.sample, Sample { kind: 0b01u64.into(), ..sample });
        assert_eq!(swapped.number.to_u64(), 5);
        assert_eq!(all.pieces.val().to_u64() >> 4, 0x5a << 1 | u64::from(clock == 5));
        done += u32::from(all.done.val());
        tick(&mut all, |all| &mut all.clock);
    }
    assert!(got[0] >= 25 && got[1] >= 17 && done == 1, "{got:?} {done}");
    lint(Everything::<2>::default());
}

/// Who is asked.
#[millrace_hdl::bundle(Asking)]
pub struct Asked {
    pub question: Signal<In, Bits<8>>,
    pub answer: Signal<Out, Bits<8>>,
}

/// Answers with the complement.
#[millrace_hdl::block]
pub struct Complement {
    pub bus: Asked,
}

#[millrace_hdl::block]
impl Complement {
    fn update(&mut self) {
        self.bus.answer = !self.bus.question;
    }
}

/// Asks for the next number.
#[millrace_hdl::block]
pub struct Next {
    pub bus: Asked,
    pub further: Asking,
}

#[millrace_hdl::block]
impl Next {
    fn update(&mut self) {
        self.further.question = self.bus.question + 1;
        self.bus.answer = self.further.answer;
    }
}

/// Both, one behind the other.
#[millrace_hdl::block]
pub struct Both {
    pub s_bus: Asked,
    next: Next,
    complement: Complement,
}

#[millrace_hdl::block]
impl Both {
    fn update(&mut self) {
        link(self.s_bus, self.next.bus);
        join(self.next.further, self.complement.bus);
    }
}

#[test]
fn both_ends_of_a_bundle_are_connected_as_one() {
    let mut both = Both::default();
    both.connect_all();
    both.s_bus.question.next = 5u64.into();
    settle(&mut both);
    assert_eq!(both.s_bus.answer.val().to_u64(), 0xf9);
    let text = lint(Both::default());
    assert!(
        text.contains("input  wire [7:0] s_bus_question,") && text.contains(".bus_question(s_bus_question)"),
        "{text}"
    );
}
