// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proofs of blocks of the fast path.

use super::proof::{Engine, Mutant, Proof, modules};
use crate::sources;
use millrace_hdl::base::Credit;
use millrace_hdl::bus::AxiLite;
use millrace_hdl::core::edit::edit_checksum::EditChecksum;
use millrace_hdl::core::egress::egress::Egress;
use millrace_hdl::core::ingress::ingress::Ingress;
use millrace_hdl::core::ingress::merge::Merge;
use millrace_hdl::core::lookup::hash::hash_table::HashTable;
use millrace_hdl::core::pass::in_order::InOrder;
use millrace_hdl::core::sizes::Sizes;
use millrace_hdl::sized;
use millrace_regs::config::Preset;
use rust_hdl_core::prelude::Bits;

/// A buffer of eight beats of 64 bits.
const EIGHT_BEATS: Sizes = Sizes { bus_bits: 64, count_bits: 4, buffer_log2: 3, buffer_count_bits: 4, ..ECP5 };
/// Queues of four beats of 16 bits, of two vports and upcalls.
const FOUR_BEATS: Sizes =
    Sizes { bus_bits: 16, count_bits: 2, buffer_log2: 2, buffer_count_bits: 3, vports: 2, queues: 3, ..ECP5 };
const ECP5: Sizes = Sizes::of(&Preset::Ecp5.config());

/// The proofs of this file.
pub fn proofs() -> Vec<Proof> {
    vec![
        ingress(),
        merge(),
        credit(),
        in_order(),
        egress(),
        axi_lite(),
        checksum_word(),
        checksum_words(),
        hash_table(),
    ]
}

fn ingress() -> Proof {
    Proof {
        name: "ingress",
        claim: "every frame leaves once, whole and measured or cut to a beat with its fault, soon and without a pause",
        design: || modules(<sized!(Ingress<EIGHT_BEATS>)>::new(24), "ingress"),
        sources: sources!["core/ingress/formal/ingress.sv"],
        engine: Engine::Induction { depth: 6, from: 2, to: 20 },
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "a beat too many taken", edits: &[("ready_up_to = 4'd5", "ready_up_to = 4'd6")] },
            Mutant { name: "the beat behind not looked at", edits: &[("moved & two", "moved & one")] },
            Mutant { name: "looked at anew each second clock", edits: &[("(moved & two)", "1'b0")] },
            Mutant { name: "a beat overwritten while it waits", edits: &[("whole & (!fetched | load)", "whole")] },
            Mutant { name: "beats past the longest stored", edits: &[("stored[BEAT_LAST] | !overlong", "1'b1")] },
            Mutant { name: "a faulty frame not cut", edits: &[("stored[BEAT_LAST] & (|fault)", "1'b0")] },
            Mutant {
                name: "a faulty frame without an end",
                edits: &[(" | (first & (|metas_rdata[META_FAULT +: 2]))", "")],
            },
            Mutant { name: "13 bytes taken for a frame", edits: &[("shortest = 14'he", "shortest = 14'hd")] },
            Mutant { name: "25 bytes taken for a frame", edits: &[("longest = 14'h18", "longest = 14'h19")] },
            Mutant { name: "measured with the frame before", edits: &[("if (fresh) begin", "if (1'b0) begin")] },
            Mutant { name: "meta data at the frame's end", edits: &[(".waddr(start[2:0])", ".waddr(tail[2:0])")] },
            Mutant { name: "idle a clock early", edits: &[("!came & !came_before", "!came")] },
        ],
    }
}

fn merge() -> Proof {
    Proof {
        name: "merge",
        claim: "every beat leaves once, frames whole, without a gap, with credit, in turn",
        design: || modules(Merge::<16, 2, 3>::default(), "merge"),
        sources: sources!["core/ingress/formal/merge.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "starts without credit", edits: &[("open = busy | credit", "open = 1'b1")] },
            Mutant { name: "frames mix", edits: &[("!here | (open & last)", "1'b1")] },
            Mutant {
                name: "a clock between frames",
                edits: &[("turn <= arbiter_grant", "turn <= arbiter_grant & ~turn")],
            },
            Mutant {
                name: "bytes past the end kept",
                edits: &[("data = data & ~(16'hffff", "data = data & (16'hffff")],
            },
            Mutant {
                name: "always the lowest in turn",
                edits: &[("arbiter_take = pass_on & arbiter_any", "arbiter_take = 1'b0")],
            },
        ],
    }
}

fn credit() -> Proof {
    Proof {
        name: "credit",
        claim: "never more under way than the limit, and the limit can be",
        design: || modules(Credit::<3>::new(5), "credit"),
        sources: sources!["base/formal/credit.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant { name: "a credit too many", edits: &[("last = 3'd4", "last = 3'd5")] },
            Mutant {
                name: "take and give back count",
                edits: &[("changes = take ^ returned", "changes = take | returned")],
            },
        ],
    }
}

fn in_order() -> Proof {
    Proof {
        name: "in_order",
        claim: "every frame leaves once, in the order of the numbers, with its result and the window written last",
        design: || modules(InOrder::<Bits<1>, Bits<1>, 2, 3>::new(), "in_order"),
        sources: sources!["core/pass/formal/in_order.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "a result of the round before counts",
                edits: &[("there = !clearing & (rounds_rdata == head[2])", "there = !clearing")],
            },
            Mutant {
                name: "places not cleared after reset",
                edits: &[("rounds_we = clearing | result_valid", "rounds_we = result_valid")],
            },
            Mutant { name: "read while it is cleared", edits: &[("there = !clearing & ", "there = ")] },
            Mutant {
                name: "frame overwritten while it waits",
                edits: &[("fetch = there & (!fetched | load)", "fetch = there")],
            },
            Mutant {
                name: "frame at the output not held",
                edits: &[("load = fetched & (!loaded | out_ready)", "load = fetched")],
            },
            Mutant {
                name: "idle with a frame at the read ports",
                edits: &[("!there & !fetched & !loaded", "!there & !loaded")],
            },
        ],
    }
}

fn egress() -> Proof {
    Proof {
        name: "egress",
        claim: "every beat leaves each queue that takes its frame once; frames are taken or dropped whole, as told; none pauses if whole",
        design: || modules(<sized!(Egress<FOUR_BEATS>)>::new(8), "egress"),
        sources: sources!["base/formal/stream_order.sv", "core/egress/formal/egress.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "the beat being queued not counted",
                edits: &[("pending = beat_valid & taking", "pending = 1'b0")],
            },
            Mutant {
                name: "a frame that fills the queue dropped",
                edits: &[("pending} <= {most, 1'b0}", "pending} < {most, 1'b0}")],
            },
            Mutant { name: "drops without being told", edits: &[(" | !drop_when_full", "")] },
            Mutant {
                name: "decided at every beat",
                edits: &[("decide = onward & beat[OUT_BEAT_FIRST]", "decide = onward")],
            },
            Mutant {
                name: "waits for a queue that does not take it",
                edits: &[("fifo_inp_ready | !taking", "fifo_inp_ready")],
            },
            Mutant {
                name: "a beat overwritten while it waits",
                edits: &[("onward = beat_valid & (!placed_valid | fire)", "onward = beat_valid")],
            },
            Mutant {
                name: "queued though one queue is full",
                edits: &[("ready[0] = queues_0_ready", "ready[0] = 1'b1")],
            },
            Mutant { name: "an upcall's reason lost", edits: &[("placed[OUT_BEAT_REASON +: 2]", "2'd0")] },
            Mutant { name: "whole a clock early", edits: &[("arrived = ends[1]", "arrived = ends[0]")] },
            Mutant { name: "whole at any beat", edits: &[("enters & last", "enters")] },
            Mutant { name: "a drop not counted", edits: &[("starts & dropping", "1'b0")] },
            Mutant {
                name: "idle with a frame on its way",
                edits: &[("beat_valid | placed_valid | ", "placed_valid | ")],
            },
            Mutant { name: "idle with frames in a queue", edits: &[("fifo_empty & ", "")] },
        ],
    }
}

fn axi_lite() -> Proof {
    Proof {
        name: "axi_lite",
        claim: "keeps the AXI4-Lite protocol; each transfer is carried out and answered once, in turn",
        design: || modules(AxiLite::default(), "axi_lite"),
        sources: sources!["bus/formal/axi_lite.sv"],
        engine: Engine::Pdr,
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "bvalid falls without bready",
                edits: &[("written | (b_valid & !s_axil_bready)", "written")],
            },
            Mutant { name: "rdata changes while it waits", edits: &[("if (was_read) begin", "if (1'b1) begin")] },
            Mutant {
                name: "answers before the data came",
                edits: &[("write_waits = aw_held & w_held", "write_waits = aw_held")],
            },
            Mutant {
                name: "an answer overwritten by the next",
                edits: &[("read_waits = ar_held & !r_valid", "read_waits = ar_held")],
            },
            Mutant {
                name: "partial write carried out",
                edits: &[("refuse = start_write & !(&w_strobe)", "refuse = 1'b0")],
            },
            Mutant {
                name: "a read lost at a write's end",
                edits: &[(
                    "(ar_held | s_axil_arvalid) & !was_read",
                    "(ar_held | s_axil_arvalid) & !was_read & !written",
                )],
            },
            Mutant {
                name: "each waits for the other",
                edits: &[("free & read_waits & !start_write", "free & read_waits & !write_waits")],
            },
            Mutant { name: "address taken while one waits", edits: &[("if (!aw_held) begin", "if (1'b1) begin")] },
        ],
    }
}

fn checksum_word() -> Proof {
    Proof {
        name: "checksum_word",
        claim: "one word changes: a right checksum becomes what summing gives, a wrong one stays wrong",
        design: || modules(EditChecksum::new(), "edit_checksum"),
        sources: sources!["core/edit/formal/checksum_word.sv"],
        engine: Engine::Induction { depth: 8, from: 6, to: 8 },
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "UDP checksum 0 not replaced",
                edits: &[("if (last[RECEIVED_UDP] & !(|l4_new))", "if (1'b0)")],
            },
            Mutant { name: "end-around carry lost", edits: &[("{15'd0, ip_fold[16]}", "16'd0")] },
        ],
    }
}

fn checksum_words() -> Proof {
    Proof {
        name: "checksum_words",
        claim: "all words change: RFC 1624 equation 3, and word by word comes to the same",
        design: || modules(EditChecksum::new(), "edit_checksum"),
        sources: sources!["core/edit/formal/checksum_words.sv"],
        engine: Engine::Induction { depth: 9, from: 6, to: 9 },
        multiclock: false,
        slow: false,
        mutants: &[
            Mutant {
                name: "a word is left out",
                edits: &[("{2'd0, change_16} + {2'd0, change_17}", "{2'd0, change_16}")],
            },
            Mutant { name: "ports a clock early", edits: &[("{3'd0, l4_ports}", "{3'd0, ports}")] },
            Mutant {
                name: "a carry lost in the total",
                edits: &[("{11'd0, l4_total[21:16]}", "{12'd0, l4_total[20:16]}")],
            },
        ],
    }
}

fn hash_table() -> Proof {
    Proof {
        name: "hash_table",
        claim: "a key is found exactly when it is in one of its places: an entry that is moved never misses",
        design: || modules(HashTable::<4, 480, 15>::new(), "hash_table"),
        sources: sources!["core/lookup/hash/formal/slot_ram.sv", "core/lookup/hash/formal/hash_table.sv"],
        engine: Engine::Induction { depth: 12, from: 14, to: 24 },
        multiclock: false,
        slow: true,
        mutants: &[
            Mutant { name: "two ways share a hash", edits: &[(".index(hash_index2)", ".index(hash_index1)")] },
            Mutant {
                name: "key compared without its mask",
                edits: &[("masked_key <= late_key & mask_reg", "masked_key <= late_key")],
            },
            Mutant { name: "a way written with another", edits: &[("write_way == 2'd3", "write_way[1]")] },
        ],
    }
}
