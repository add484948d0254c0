// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proofs of the building blocks.

use super::proof::{Engine, Mutant, Proof, modules};
use crate::sources;
use millrace_hdl::base::*;
use rust_hdl_core::prelude::*;

/// The proofs of this file.
pub fn proofs() -> Vec<Proof> {
    vec![skid(), fifo(), lut_fifo(), async_fifo(), round_robin(), ram(), lut_ram()]
}

fn skid() -> Proof {
    Proof {
        name: "skid",
        claim: "keeps every word under any back-pressure, holds two",
        design: || modules(Skid::<Bits<8>>::default(), "skid"),
        sources: sources!["base/formal/stream_order.sv", "base/formal/skid.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "spare word overwritten", edits: &[("if (!spare_valid) begin", "if (1'b1) begin")] },
            Mutant { name: "ready with both places taken", edits: &[("inp_ready = !spare_valid", "inp_ready = 1'b1")] },
            Mutant { name: "front word moves untaken", edits: &[("free = out_ready | !front_valid", "free = 1'b1")] },
        ],
    }
}

fn fifo() -> Proof {
    Proof {
        name: "fifo",
        claim: "keeps every word, never over- or underflows, counts right",
        design: || modules(Fifo::<Bits<4>, 3, 4>::default(), "fifo"),
        sources: sources!["base/formal/stream_order.sv", "base/formal/fifo.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "one word too many", edits: &[("depth = 4'd8", "depth = 4'd9")] },
            Mutant {
                name: "fetched word overwritten",
                edits: &[("fetch = (|stored) & (!fetched | load)", "fetch = |stored")],
            },
            Mutant {
                name: "count wrong at push and pop",
                edits: &[("if (push ^ pop) begin", "if (push | pop) begin")],
            },
            Mutant {
                name: "output word not held",
                edits: &[("load = fetched & (!loaded | out_ready)", "load = fetched")],
            },
        ],
    }
}

fn lut_fifo() -> Proof {
    Proof {
        name: "lut_fifo",
        claim: "keeps every word, never over- or underflows, counts right",
        design: || modules(LutFifo::<Bits<4>, 3, 4>::default(), "lut_fifo"),
        sources: sources!["base/formal/stream_order.sv", "base/formal/lut_fifo.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "one word too many", edits: &[("depth = 4'd8", "depth = 4'd9")] },
            Mutant { name: "underflow", edits: &[("pop = out_ready & (|used)", "pop = out_ready")] },
            Mutant {
                name: "count wrong at push and pop",
                edits: &[("if (push ^ pop) begin", "if (push | pop) begin")],
            },
        ],
    }
}

fn async_fifo() -> Proof {
    Proof {
        name: "async_fifo",
        claim: "keeps every word between any two clocks, bits of a crossing word late or not",
        design: || modules(AsyncFifo::<Bits<8>, 2, 3>::new(), "async_fifo"),
        sources: sources!["base/formal/synchroniser.sv", "base/formal/ring_ram.sv", "base/formal/async_fifo.sv"],
        engine: Engine::Induction { depth: 12, from: 10, to: 40 },
        multiclock: true,
        slow: false,
        mutants: &[
            Mutant {
                name: "pointers cross in binary",
                edits: &[
                    ("tail_gray_next = tail_next ^ {1'b0, tail_next[2:1]}", "tail_gray_next = tail_next"),
                    ("head_gray <= head_next ^ {1'b0, head_next[2:1]}", "head_gray <= head_next"),
                    ("ring = 3'd6", "ring = 3'd4"),
                ],
            },
            Mutant { name: "full judged wrong", edits: &[("ring = 3'd6", "ring = 3'd7")] },
            Mutant {
                name: "output word overwritten",
                edits: &[("(head_gray != tail_seen_q) & (!loaded | out_ready)", "(head_gray != tail_seen_q)")],
            },
        ],
    }
}

fn round_robin() -> Proof {
    Proof {
        name: "round_robin",
        claim: "grants one who asks; nobody waits longer than one round",
        design: || modules(RoundRobin::<12>::default(), "round_robin"),
        sources: sources!["base/formal/round_robin.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "the last one is preferred",
                edits: &[("~(chosen | (chosen - 12'd1))", "~(chosen - 12'd1)")],
            },
            Mutant { name: "moves on without take", edits: &[("end else if (take) begin", "end else begin")] },
            Mutant {
                name: "two are granted",
                edits: &[("chosen = preferred & (~preferred + 12'd1)", "chosen = preferred")],
            },
        ],
    }
}

fn ram() -> Proof {
    Proof {
        name: "ram",
        claim: "a read gives the word last written, a clock later",
        design: || modules(Ram::<Bits<4>, 2>::new(), "ram"),
        sources: sources!["base/formal/ram.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "output not held", edits: &[("if (re) rdata", "rdata")] },
            Mutant { name: "writes unasked", edits: &[("if (we) mem", "mem")] },
        ],
    }
}

fn lut_ram() -> Proof {
    Proof {
        name: "lut_ram",
        claim: "a read gives the word last written, at once",
        design: || modules(LutRam::<Bits<4>, 2>::new(), "lut_ram"),
        sources: sources!["base/formal/lut_ram.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[Mutant { name: "writes unasked", edits: &[("if (we) mem", "mem")] }],
    }
}
