// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames out against the model's policy, which is written from the page.

use super::*;
use crate::policed::policy_test;

/// Whether the frame is in error, which its last beat says.
fn give(beat: FrameBeat<2>, mark: u64) -> FrameBeat<2> {
    FrameBeat { error: beat.last && mark == 1, ..beat }
}

fn take(beat: FrameBeat<2>) -> (FrameBeat<2>, u64) {
    (beat, beat.error.into())
}

policy_test! {
    frames_out_are_those_that_the_model_lets_through, SentPolicy<2, 2>, sent, 2, give, take
}
