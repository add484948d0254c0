// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proofs of blocks of the queue engine.

use super::proof::{Engine, Mutant, Proof, modules};
use crate::sources;
use millrace_queue::chain_check::ChainCheck;
use millrace_queue::dma_guard::DmaGuard;
use millrace_queue::head_credit::HeadCredit;
use millrace_queue::ring_port::RingPort;
use millrace_queue::step_merge::StepMerge;

/// The proofs of this file.
pub fn proofs() -> Vec<Proof> {
    vec![dma_guard(), ring_port(), chain_check(), head_credit(), step_merge()]
}

fn dma_guard() -> Proof {
    Proof {
        name: "dma_guard",
        claim: "every transfer is answered once, by memory or as given up when it is too old; nothing late gets through",
        design: || modules(DmaGuard::<2, 1, 2>::default(), "dma_guard"),
        sources: sources!["../queue/src/formal/dma_guard.sv"],
        engine: Engine::Induction { depth: 4, from: 2, to: 24 },
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "a late answer gets through", edits: &[("(axi_rvalid & !is_late)", "axi_rvalid")] },
            Mutant {
                name: "a slot taken before its answer",
                edits: &[("ahead_free = taken_ahead_rdata == answered_ahead_rdata", "ahead_free = 1'b1")],
            },
            Mutant { name: "given up before its time", edits: &[("limited & (age > limit)", "limited")] },
            Mutant { name: "given up twice", edits: &[("awaited = owed & !given_up_looked_rdata", "awaited = owed")] },
            Mutant {
                name: "given up while it is answered",
                edits: &[("(axi_rid == looked) | !inp_rready", "!inp_rready")],
            },
            Mutant {
                name: "what is offered is replaced",
                edits: &[("(axi_rid == looked) | !inp_rready", "axi_rid == looked")],
            },
            Mutant {
                name: "an answer lost to one given up",
                edits: &[("axi_rready = inp_rready & !gives_up", "axi_rready = inp_rready")],
            },
            Mutant { name: "an error taken for success", edits: &[("resp = 2'd2", "resp = 2'd0")] },
            Mutant {
                name: "a late write's answer taken for the next",
                edits: &[("comes = axi_bvalid & !owes_late", "comes = axi_bvalid")],
            },
            Mutant { name: "a write given up before its time", edits: &[("limited & (write_age > limit)", "limited")] },
            Mutant { name: "a write's answer withdrawn", edits: &[("expired_d = !inp_bready", "expired_d = 1'b0")] },
        ],
    }
}

fn ring_port() -> Proof {
    Proof {
        name: "ring_port",
        claim: "nothing outside a function's window is asked for; every read is answered once, every write handed over once",
        design: || modules(RingPort::<1>::default(), "ring_port"),
        sources: sources!["../queue/src/formal/ring_port.sv"],
        engine: Engine::Induction { depth: 8, from: 3, to: 14 },
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "reads behind the window",
                edits: &[("(page <= windows_rdata[WINDOW_LAST +: 52])", "1'b1")],
            },
            Mutant {
                name: "reads before the window",
                edits: &[("(page >= windows_rdata[WINDOW_FIRST +: 52])", "1'b1")],
            },
            Mutant {
                name: "writes behind the window",
                edits: &[("(page_2 <= windows_write_rdata[WINDOW_LAST +: 52])", "1'b1")],
            },
            Mutant {
                name: "writes before the window",
                edits: &[("(page_2 >= windows_write_rdata[WINDOW_FIRST +: 52])", "1'b1")],
            },
            Mutant {
                name: "refused and asked for",
                edits: &[("refuses = chosen_valid & !allowed", "refuses = chosen_valid")],
            },
            Mutant { name: "a refusal lost", edits: &[("refused_free = !refused_valid", "refused_free = 1'b1")] },
            Mutant { name: "asked for again", edits: &[("asked_valid & !axi_arready", "asked_valid")] },
            Mutant { name: "an answer for another", edits: &[("own_0 = reader == 3'd0", "own_0 = 1'b1")] },
            Mutant { name: "an error of the bus not told", edits: &[("error = 8'hb", "error = 8'd0")] },
            Mutant { name: "data handed over again", edits: &[("data_valid & !axi_wready", "data_valid")] },
            Mutant {
                name: "an address before the data of the write before it",
                edits: &[(" & (!data_valid | axi_wready)", "")],
            },
        ],
    }
}

fn chain_check() -> Proof {
    Proof {
        name: "chain_check",
        claim: "nothing outside a function's window is handed on; what comes behind a chain that was given up is, too",
        design: || modules(ChainCheck::<2, 1, 1, 0>::new(&[1]), "chain_check"),
        sources: sources!["../queue/src/formal/chain_check.sv"],
        engine: Engine::Induction { depth: 3, from: 2, to: 14 },
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "the window not looked at",
                edits: &[("if ((|wrong) | !outside) begin", "if (1'b1) begin")],
            },
            Mutant {
                name: "goes on behind a chain that was given up",
                edits: &[("dead_d = (dead | dies | ending) & ~lives", "dead_d = (dead | ending) & ~lives")],
            },
            Mutant {
                name: "the rest of a chain that was given up",
                edits: &[("swallows_d = aborts & !step_2[STEP_LAST]", "swallows_d = 1'b0")],
            },
            Mutant {
                name: "handed on with its fault",
                edits: &[("aborts = plain & (is_dead | (|wrong))", "aborts = plain & is_dead")],
            },
        ],
    }
}

fn head_credit() -> Proof {
    Proof {
        name: "head_credit",
        claim: "never more heads of a queue under way than can be kept, and each is told how many more it may have",
        design: || modules(HeadCredit::<2, 1>::default(), "head_credit"),
        sources: sources!["../queue/src/formal/head_credit.sv"],
        engine: Engine::Induction { depth: 3, from: 2, to: 16 },
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "a head too many", edits: &[("most = 9'h100", "most = 9'h101")] },
            Mutant { name: "a batch without room", edits: &[("batch_fits = 9'hf0", "batch_fits = 9'hf8")] },
            Mutant {
                name: "an end counts twice",
                edits: &[("ended_2 = ended_for_end_rdata + 9'd1", "ended_2 = ended_for_end_rdata + 9'd2")],
            },
            Mutant {
                name: "freed while it is filled",
                edits: &[("(full & ~freed) | filled", "(full | filled) & ~freed")],
            },
        ],
    }
}

fn step_merge() -> Proof {
    Proof {
        name: "step_merge",
        claim: "every step leaves once, chains whole, of both sources in turn",
        design: || modules(StepMerge::<1>::default(), "step_merge"),
        sources: sources!["../queue/src/formal/step_merge.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "chains mix", edits: &[("if (open) begin", "if (1'b0) begin")] },
            Mutant {
                name: "one source goes first",
                edits: &[("turn = packed_valid & (!was_packed | !split_valid)", "turn = packed_valid")],
            },
            Mutant { name: "the turn forgotten", edits: &[("was_packed <= takes_packed", "was_packed <= 1'b0")] },
        ],
    }
}
