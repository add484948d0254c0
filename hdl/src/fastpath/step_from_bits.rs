// SPDX-License-Identifier: MIT OR Apache-2.0
//! An action step out of a command's words.

use super::types::Step;
use rust_hdl_core::prelude::*;

/// The 544 bits of `DATA[0..17]` as a [`Step`] (wires only).
#[millrace_hdl::block]
pub struct StepFromBits {
    pub bits: Signal<In, Bits<544>>,
    pub step: Signal<Out, Step>,
}

#[millrace_hdl::block]
impl StepFromBits {
    fn update(&mut self) {
        self.step.outputs = self.bits.get_bits::<32>(0);
        self.step.set_dl_dst = self.bits.get_bit(32);
        self.step.set_dl_src = self.bits.get_bit(33);
        self.step.set_nw_src = self.bits.get_bit(34);
        self.step.set_nw_dst = self.bits.get_bit(35);
        self.step.set_tp_src = self.bits.get_bit(36);
        self.step.set_tp_dst = self.bits.get_bit(37);
        self.step.set_nw_ttl = self.bits.get_bit(38);
        self.step.reserved0 = self.bits.get_bit(39);
        self.step.vlan_pop = self.bits.get_bits::<2>(40);
        self.step.vlan_push = self.bits.get_bits::<2>(42);
        self.step.reserved1 = self.bits.get_bits::<3>(44);
        self.step.more = self.bits.get_bit(47);
        self.step.next_step = self.bits.get_bits::<16>(48);
        self.step.nw_tos = self.bits.get_bits::<8>(64);
        self.step.nw_tos_mask = self.bits.get_bits::<8>(72);
        self.step.nw_ttl = self.bits.get_bits::<8>(80);
        self.step.ttl_dec = self.bits.get_bits::<8>(88);
        self.step.push0_tci = self.bits.get_bits::<16>(96);
        self.step.push0_tpid = self.bits.get_bits::<16>(112);
        self.step.push1_tci = self.bits.get_bits::<16>(128);
        self.step.push1_tpid = self.bits.get_bits::<16>(144);
        self.step.tp_src = self.bits.get_bits::<16>(160);
        self.step.tp_dst = self.bits.get_bits::<16>(176);
        self.step.dl_dst = self.bits.get_bits::<48>(192);
        self.step.dl_src = self.bits.get_bits::<48>(240);
        self.step.nw_src = self.bits.get_bits::<128>(288);
        self.step.nw_dst = self.bits.get_bits::<128>(416);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, settle};
    use num_bigint::BigUint;

    #[test]
    fn every_bit_lands_where_the_struct_has_it() {
        let mut uut = StepFromBits::default();
        uut.connect_all();
        for bit in 0..544usize {
            let value = BigUint::from(1u8) << bit;
            uut.bits.next = value.clone().into();
            settle(&mut uut);
            assert_eq!(crate::emit::literal_value(&uut.step.val().verilog()), value, "bit {bit}");
        }
    }

    #[test]
    fn lints() {
        assert_lints(StepFromBits::default());
    }
}
