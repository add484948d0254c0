// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the streams of the core to AXI4-Stream.

use super::axi_stream::AxisSrc;
use super::keep::BytesToKeep;
use crate::base::Snk;
use crate::core::types::Beat;
use rust_hdl_core::prelude::*;

/// A stream of beats as an AXI4-Stream. No clock. `BUS_BYTES` = BUS_BITS / 8, `COUNT_BITS` = log2(BUS_BYTES) + 1.
#[millrace_hdl::block]
pub struct AxisOut<const BUS_BITS: usize, const BUS_BYTES: usize, const COUNT_BITS: usize, const USER_BITS: usize> {
    pub inp: Snk<Beat<BUS_BITS, COUNT_BITS>>,
    /// `tuser` of the beat at `inp`.
    pub user: Signal<In, Bits<USER_BITS>>,
    pub m_axis: AxisSrc<Bits<BUS_BITS>, Bits<BUS_BYTES>, Bits<USER_BITS>>,
    to_keep: BytesToKeep<BUS_BYTES, COUNT_BITS>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const BUS_BYTES: usize, const COUNT_BITS: usize, const USER_BITS: usize>
    AxisOut<BUS_BITS, BUS_BYTES, COUNT_BITS, USER_BITS>
{
    fn update(&mut self) {
        self.to_keep.bytes = self.inp.data.bytes;
        self.m_axis.tdata = self.inp.data.data;
        self.m_axis.tkeep = self.to_keep.keep;
        self.m_axis.tlast = self.inp.data.last;
        self.m_axis.tuser = self.user;
        self.m_axis.tvalid = self.inp.valid;
        self.inp.ready = self.m_axis.tready;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle};

    #[test]
    fn a_beat_has_a_bit_of_keep_for_each_byte() {
        let mut axis = AxisOut::<64, 8, 4, 16>::default();
        axis.connect_all();
        for (bytes, last, tkeep) in [(8_u64, false, 0xff), (5, true, 0x1f), (1, true, 1)] {
            axis.inp.data.next = Beat { data: 0x1234_u64.into(), bytes: bytes.to_bits(), last };
            axis.inp.valid.next = true;
            axis.user.next = 0x5aa5_u64.into();
            axis.m_axis.tready.next = last;
            settle(&mut axis);
            let axis = &axis.m_axis;
            assert_eq!((axis.tdata.val().to_u64(), axis.tkeep.val().to_u64(), axis.tlast.val()), (0x1234, tkeep, last));
            assert_eq!((axis.tuser.val().to_u64(), axis.tvalid.val()), (0x5aa5, true));
        }
    }

    #[test]
    fn axis_out_emits_clean_verilog() {
        assert_lints(AxisOut::<512, 64, 7, 1>::default());
        assert_lints(AxisOut::<64, 8, 4, 16>::default());
    }
}
