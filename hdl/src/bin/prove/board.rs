// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proofs of blocks of the boards.

use super::proof::{Engine, Mutant, Proof, modules};
use crate::sources;
use millrace_hdl::board::beat_packer::BeatPacker;

/// The proofs of this file.
pub fn proofs() -> Vec<Proof> {
    vec![beat_packer()]
}

fn beat_packer() -> Proof {
    Proof {
        name: "beat_packer",
        claim: "each frame leaves once, whole or marked, or is counted as lost",
        design: || modules(BeatPacker::<16, 2>::new(), "beat_packer"),
        sources: sources!["board/formal/beat_packer.sv"],
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
