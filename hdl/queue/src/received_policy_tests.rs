// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frames in against the model's policy, which is written from the page.

use super::*;
use crate::policed::policy_test;

fn give(frame: FrameBeat<2>, mark: u64) -> PolicyBeat<2> {
    PolicyBeat { frame, reason: mark.into(), steered: mark % 2 == 1 }
}

fn take(beat: PolicyBeat<2>) -> (FrameBeat<2>, u64) {
    assert_eq!(beat.steered, beat.reason.get_bit(0));
    (beat.frame, beat.reason.to_u64())
}

policy_test! {
    frames_in_are_those_that_the_model_lets_through, ReceivedPolicy<2, 2>, received, 256, give, take
}
