// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proofs of blocks of the boards.

use super::proof::{Engine, Mutant, Proof, modules};
use crate::sources;
use millrace_hdl::board::cmac::cmac_port::CmacPort;
use millrace_hdl::board::cmac::frame_gate::FrameGate;
use millrace_hdl::board::cmac::loss_mark::LossMark;
use millrace_hdl::board::host::host_mux::HostMux;
use millrace_hdl::board::stream::beat_packer::BeatPacker;

/// The proofs of this file.
pub fn proofs() -> Vec<Proof> {
    vec![beat_packer(), host_mux(), frame_gate(), loss_mark(), cmac_port()]
}

fn beat_packer() -> Proof {
    Proof {
        name: "beat_packer",
        claim: "each frame leaves once, whole or marked, or is counted as lost",
        design: || modules(BeatPacker::<16, 2>::default(), "beat_packer"),
        sources: sources!["board/stream/formal/beat_packer.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "a cut frame ends as a sound one",
                edits: &[("error | closing | !(|count)", "error | !(|count)")],
            },
            Mutant {
                name: "a cut frame goes on",
                edits: &[("out_valid = (offer & !spoiled) | closing", "out_valid = offer | closing")],
            },
            Mutant { name: "the end of a cut frame is forgotten", edits: &[("(closing & !out_ready)", "1'b0")] },
            Mutant {
                name: "a frame begins before the one before has ended",
                edits: &[("skip = skipping | (closing & !inside_)", "skip = skipping")],
            },
            Mutant { name: "a lost frame is not counted", edits: &[("lost = finish & skip", "lost = 1'b0")] },
            Mutant { name: "a full beat is overwritten", edits: &[("((push & full) | finish)", "finish")] },
        ],
    }
}

fn host_mux() -> Proof {
    Proof {
        name: "host_mux",
        claim: "every message leaves once, whole, behind its header, in turn, when its queue holds all of it",
        design: || modules(HostMux::<64, 4, 3, 5>::new(1..3), "host_mux"),
        sources: sources!["board/host/formal/host_mux.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "a frame begins before it is whole",
                edits: &[("tx_1_valid & tx_whole[1] & mine[1]", "tx_1_valid & mine[1]")],
            },
            Mutant { name: "a vport of another channel", edits: &[("tx_whole[0] & mine[0]", "tx_whole[0]")] },
            Mutant {
                name: "the source changes inside a message",
                edits: &[("assign arbiter_take = !(|chosen) & arbiter_any;", "assign arbiter_take = arbiter_any;")],
            },
            Mutant {
                name: "a header leaves a beat behind",
                edits: &[("tx_1_ready = chosen[3] & body & out_ready", "tx_1_ready = chosen[3] & out_ready")],
            },
            Mutant { name: "no header", edits: &[("headed <= (body | fire)", "headed <= (body | (|chosen))")] },
            Mutant {
                name: "an answer taken before it leaves",
                edits: &[("registers_ready = chosen[1] & out_ready", "registers_ready = chosen[1]")],
            },
            Mutant { name: "a message in two", edits: &[("else if (fire & beat[BEAT_LAST])", "else if (fire)")] },
            Mutant {
                name: "the vport's place is not cleared",
                edits: &[("vport = vport | 8'd2", "vport = vport | 8'd3")],
            },
        ],
    }
}

fn frame_gate() -> Proof {
    Proof {
        name: "frame_gate",
        claim: "keeps every beat; a frame comes out when it is whole, and without a pause",
        design: || modules(FrameGate::<8, 1, 2, 3>::default(), "frame_gate"),
        sources: sources!["base/formal/stream_order.sv", "board/cmac/formal/frame_gate.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "a frame begins before it is whole",
                edits: &[("out_valid = fifo_out_valid & (|whole)", "out_valid = fifo_out_valid")],
            },
            Mutant {
                name: "its end is counted when it enters",
                edits: &[("if (settled) begin", "if (enters) begin"), ("(settled ^ leaves)", "(enters ^ leaves)")],
            },
            Mutant {
                name: "an end in and an end out at once",
                edits: &[("if (settled ^ leaves) begin", "if (settled | leaves) begin")],
            },
            Mutant {
                name: "a beat taken from a closed gate",
                edits: &[("fifo_out_ready = out_ready & (|whole)", "fifo_out_ready = out_ready")],
            },
        ],
    }
}

fn loss_mark() -> Proof {
    Proof {
        name: "loss_mark",
        claim: "each frame goes out once, whole or ended by a mark, whatever room there is",
        design: || modules(LossMark::<16, 2>::default(), "loss_mark"),
        sources: sources!["board/cmac/formal/loss_mark.sv"],
        engine: Engine::Induction { depth: 2, from: 1, to: 10 },
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "a frame that lost a beat goes on",
                edits: &[(
                    "skips_d = !data[MAC_BEAT_LAST] & (skips | lose | reset)",
                    "skips_d = !data[MAC_BEAT_LAST] & (skips | reset)",
                )],
            },
            Mutant { name: "a mark inside a frame", edits: &[("(!open | cut) & out_ready", "out_ready")] },
            Mutant { name: "the end of a cut frame is forgotten", edits: &[("(lose & open)", "1'b0")] },
            Mutant {
                name: "a frame lost by the receiver's reset has no mark",
                edits: &[("| (gone & open & !cut)", "")],
            },
            Mutant {
                name: "a loss and a mark at once",
                edits: &[("if (lose ^ mark) begin", "if (lose | mark) begin")],
            },
            Mutant {
                name: "a frame goes in before the one before has ended",
                edits: &[("accept = comes & !skips & !cut & out_ready", "accept = comes & !skips & out_ready")],
            },
            Mutant {
                name: "the rest of a frame that a reset cut",
                edits: &[("(skips | lose | reset)", "(skips | lose)")],
            },
        ],
    }
}

fn cmac_port() -> Proof {
    Proof {
        name: "cmac_port",
        claim: "beats padded and cleared on their way to the MAC; what a reset cuts ends, and nothing else",
        design: || modules(CmacPort::<512, 64>::default(), "cmac_port"),
        sources: sources!["board/cmac/formal/cmac_port.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "the mark of a torn frame does not wait",
                edits: &[("rx_torn <= end_ & !given", "rx_torn <= 1'b0")],
            },
            Mutant {
                name: "a beat lost behind a torn frame",
                edits: &[("m_axis_rx_tready & !port_reset & !end_", "m_axis_rx_tready & !port_reset")],
            },
            Mutant {
                name: "the rest of a torn frame goes on",
                edits: &[("tx_torn_d = tx_open;", "tx_torn_d = 1'b0;")],
            },
            Mutant { name: "a torn frame for ever", edits: &[("tx_torn & !s_axis_tx_tlast", "tx_torn")] },
            Mutant { name: "bytes past the end", edits: &[("s_axis_tx_tdata & mask", "s_axis_tx_tdata")] },
            Mutant { name: "padding in the middle", edits: &[("if (!tx_open)", "if (1'b1)")] },
            Mutant { name: "a byte's place", edits: &[("mask | place_17", "mask | place_18")] },
            Mutant { name: "taken in reset", edits: &[("ready = !port_reset & (", "ready = (")] },
        ],
    }
}
