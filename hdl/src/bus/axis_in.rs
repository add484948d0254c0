// SPDX-License-Identifier: MIT OR Apache-2.0
//! From AXI4-Stream to the streams of the core.

use super::axi_stream::AxisSnk;
use super::keep::KeepToBytes;
use crate::base::Src;
use crate::core::types::Beat;
use rust_hdl_core::prelude::*;

/// An AXI4-Stream as a stream of beats. No clock. `BUS_BYTES` = BUS_BITS / 8, `COUNT_BITS` = log2(BUS_BYTES) + 1.
///
/// Of `tkeep` the highest bit set counts, as the core has no gaps in a beat; it is looked at in a frame's last beat only.
#[millrace_hdl::block]
pub struct AxisIn<const BUS_BITS: usize, const BUS_BYTES: usize, const COUNT_BITS: usize, const USER_BITS: usize> {
    pub s_axis: AxisSnk<Bits<BUS_BITS>, Bits<BUS_BYTES>, Bits<USER_BITS>>,
    pub out: Src<Beat<BUS_BITS, COUNT_BITS>>,
    /// `tuser` of the beat at `out`.
    pub user: Signal<Out, Bits<USER_BITS>>,
    to_bytes: KeepToBytes<BUS_BYTES, COUNT_BITS>,
}

#[millrace_hdl::block]
impl<const BUS_BITS: usize, const BUS_BYTES: usize, const COUNT_BITS: usize, const USER_BITS: usize>
    AxisIn<BUS_BITS, BUS_BYTES, COUNT_BITS, USER_BITS>
{
    fn update(&mut self) {
        self.to_bytes.keep = self.s_axis.tkeep;
        self.out.data = Beat {
            data: self.s_axis.tdata,
            bytes: if self.s_axis.tlast { self.to_bytes.bytes } else { BUS_BYTES },
            last: self.s_axis.tlast,
        };
        self.user = self.s_axis.tuser;
        self.out.valid = self.s_axis.tvalid;
        self.s_axis.tready = self.out.ready;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle};

    #[test]
    fn keep_counts_in_the_last_beat_alone() {
        let mut axis = AxisIn::<64, 8, 4, 8>::default();
        axis.connect_all();
        for (tkeep, tlast, bytes) in [(0x1f_u64, true, 5_u64), (0x1f, false, 8), (0x84, true, 8), (0, false, 8)] {
            axis.s_axis.tdata.next = 0x1234_u64.into();
            axis.s_axis.tkeep.next = tkeep.into();
            axis.s_axis.tlast.next = tlast;
            axis.s_axis.tuser.next = 0x5a_u64.into();
            axis.s_axis.tvalid.next = true;
            axis.out.ready.next = tlast;
            settle(&mut axis);
            let beat = Beat { data: 0x1234_u64.into(), bytes: bytes.to_bits(), last: tlast };
            assert_eq!(axis.out.data.val(), beat, "keep {tkeep:#x}, last {tlast}");
            assert_eq!((axis.user.val().to_u64(), axis.out.valid.val(), axis.s_axis.tready.val()), (0x5a, true, tlast));
        }
    }

    #[test]
    fn axis_in_emits_clean_verilog() {
        assert_lints(AxisIn::<512, 64, 7, 1>::default());
        assert_lints(AxisIn::<64, 8, 4, 8>::default());
    }
}
