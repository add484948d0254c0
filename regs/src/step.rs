// SPDX-License-Identifier: MIT OR Apache-2.0
//! The encoding of a rule's action program (`docs/hardware.md`, "Actions").

use crate::packed::packed;

packed! {
    /// One step of a rule's action program. Every step edits the frame as it was received.
    pub struct Step [26],
    /// The fields of [`Step`], in the order of their offsets.
    pub const STEP_FIELDS {
        /// Bit v = vport v.
        outputs: u128 = 0 [127:0],
        /// Write `dl_dst`.
        set_dl_dst: bool = 4 [0:0],
        /// Write `dl_src`.
        set_dl_src: bool = 4 [1:1],
        /// Write `nw_src`, if the frame is IPv4 or IPv6.
        set_nw_src: bool = 4 [2:2],
        /// Write `nw_dst`, if the frame is IPv4 or IPv6.
        set_nw_dst: bool = 4 [3:3],
        /// Write `tp_src`, if the frame is TCP or UDP.
        set_tp_src: bool = 4 [4:4],
        /// Write `tp_dst`, if the frame is TCP or UDP.
        set_tp_dst: bool = 4 [5:5],
        /// Write `nw_ttl`, if the frame is IPv4 or IPv6 and `ttl_dec` is 0.
        set_nw_ttl: bool = 4 [6:6],
        /// Tags taken off, at most as many as there are (0–2).
        vlan_pop: u8 = 4 [9:8],
        /// Tags put on after that (0–2).
        vlan_push: u8 = 4 [11:10],
        /// The frame goes to the slow path, too.
        upcall: bool = 4 [14:14],
        /// Another step follows: `next`.
        more: bool = 4 [15:15],
        /// Number of the continuation step that follows.
        next: u32 = 5 [31:0],
        /// TOS = (TOS & ~`nw_tos_mask`) | (`nw_tos` & `nw_tos_mask`).
        nw_tos: u8 = 6 [7:0],
        /// Bits of TOS that are written.
        nw_tos_mask: u8 = 6 [15:8],
        /// New TTL or hop limit.
        nw_ttl: u8 = 6 [23:16],
        /// Taken from TTL; a frame whose TTL is not greater ends the program.
        ttl_dec: u8 = 6 [31:24],
        /// TCI of the outermost tag pushed, written as given.
        push0_tci: u16 = 7 [15:0],
        /// TPID of the outermost tag pushed.
        push0_tpid: u16 = 7 [31:16],
        /// TCI of the tag below it (used when `vlan_push` = 2).
        push1_tci: u16 = 8 [15:0],
        /// TPID of the tag below it.
        push1_tpid: u16 = 8 [31:16],
        /// New source port.
        tp_src: u16 = 9 [15:0],
        /// New destination port.
        tp_dst: u16 = 9 [31:16],
        /// New destination MAC address.
        dl_dst: u64 = 10 [47:0],
        /// New source MAC address.
        dl_src: u64 = 10 [95:48],
        /// New source address (IPv4 in bits 31:0).
        nw_src: u128 = 13 [127:0],
        /// New destination address (IPv4 in bits 31:0).
        nw_dst: u128 = 17 [127:0],
        /// Of a rule's first step: the packet is looked up once more, and the step does nothing else. Only in builds with passes, as all that follows.
        look_again: bool = 21 [0:0],
        /// What `start` counts from: 0 the start of the packet, 1 its L3 header, 2 the end of its IP header.
        start_from: u8 = 21 [3:2],
        /// Where the packet begins for the next lookup, in bytes; bit 0 is ignored.
        start: u8 = 21 [14:8],
        /// Bits for the key's `metadata` in the next lookup.
        metadata: u64 = 22 [63:0],
        /// Bits of `metadata` that are written.
        metadata_mask: u64 = 24 [63:0],
    }
}

impl Step {
    /// Puts nothing out, changes nothing: as the only step of a program, it drops.
    pub const DROP: Step = Step::ZERO;

    /// Puts the frame out unchanged; bit v of `outputs` = vport v.
    pub const fn output(outputs: u128) -> Step {
        Step { outputs, ..Step::DROP }
    }

    /// Has the packet looked up again from where it begins now, with these bits of its metadata changed. With `start_from` and `start` it begins further behind.
    pub const fn look_again(metadata: u64, metadata_mask: u64) -> Step {
        Step { look_again: true, metadata, metadata_mask, ..Step::DROP }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Lengths;

    #[test]
    fn fields_are_in_order_and_do_not_overlap() {
        let end = STEP_FIELDS.iter().fold(0, |at, field| {
            assert!(field.offset >= at, "{}", field.name);
            field.offset + field.width
        });
        assert_eq!(end, 32 * Step::WORDS);
        // Reserved: word 4 bits 7, 13:12 and 31:16; word 21 bits 1, 7:4 and 31:15.
        assert_eq!(end - STEP_FIELDS.iter().map(|field| field.width).sum::<usize>(), 19 + 22);
        let behind = STEP_FIELDS.iter().find(|field| field.offset >= 32 * Lengths::ONE_PASS.step);
        assert_eq!(behind.map(|field| field.name), Some("look_again"));
    }

    #[test]
    fn pack_agrees_with_the_field_table() {
        for field in STEP_FIELDS {
            let mut words = [0; Step::WORDS];
            field.set(&mut words, u128::MAX);
            assert_eq!(Step::unpack(&words).pack(), words, "{}", field.name);
            assert_eq!(field.get(&words), field.max());
        }
    }

    #[test]
    fn packed_step_has_each_field_where_the_contract_says() {
        let step = Step {
            dl_dst: 0x0102_0304_0506,
            dl_src: 0x1112_1314_1516,
            more: true,
            next: 7,
            vlan_push: 2,
            ttl_dec: 1,
            upcall: true,
            ..Step::output(1 << 126 | 4)
        };
        let words = step.pack();
        assert_eq!(words[..4], [4, 0, 0, 0x4000_0000]);
        assert_eq!(words[4], 1 << 15 | 1 << 14 | 2 << 10);
        assert_eq!((words[5], words[6]), (7, 1 << 24));
        assert_eq!(words[10..13], [0x0304_0506, 0x1516_0102, 0x1112_1314]);
        assert_eq!(Step::unpack(&words), step);
    }

    #[test]
    fn drop_is_all_zero() {
        assert_eq!(Step::DROP, Step::default());
        assert_eq!(Step::DROP.pack(), [0; Step::WORDS]);
    }
}
