// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sets of features, by their bits.

use millrace_regs::host::Feature;

/// Features that are nothing without a control queue (5.1.3.1).
pub(super) const NEED_CONTROL: u64 =
    Feature::bits(&[Feature::CtrlRx, Feature::CtrlVlan, Feature::Mq, Feature::CtrlMacAddr, Feature::Rss]);

/// A feature is among those that were agreed on.
pub(super) fn has(features: u64, feature: Feature) -> bool {
    features & feature.bit() != 0
}
