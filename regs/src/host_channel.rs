// SPDX-License-Identifier: MIT OR Apache-2.0
//! The host channel of a board, and the words that a board adds to the registers (`docs/board.md`).

use crate::Field;
use crate::map::{ADDRESS_SPACE, Access, Bits, Block, MAX_VPORTS, Register, Repeat, Reset};
use crate::verdict::outcomes;
use std::ops::Range;

outcomes! {
    /// What a message of the host channel is: bits 7:0 of its header.
    pub enum MessageKind {
        /// A frame of a vport that is on the channel.
        Frame = 0, "frame";
        /// A frame of the slow path.
        SlowPath = 1, "slow_path";
        /// A register access, or its answer; without a frame.
        Register = 2, "register";
    }
}

/// Bytes of a message's header. Bits of no field are 0, and ignored by the device.
pub const HEADER_BYTES: usize = 8;

const fn field(name: &'static str, offset: usize, width: usize, doc: &'static str) -> Field {
    Field { name, offset, width, doc }
}

/// The [`MessageKind`], in every header.
pub const KIND: Field = field("kind", 0, 8, "what the message is");
/// Of a frame, to or from the slow path or not.
pub const VPORT: Field = field("vport", 8, 8, "vport that the frame comes in on or goes out on");
/// Of an upcall.
pub const REASON: Field = field("reason", 16, 8, "upcall reason");
/// Of a register access.
pub const WRITE: Field = field("write", 8, 8, "0 read, 1 write");
/// Of an answer.
pub const RESPONSE: Field = field("response", 8, 8, "as of AXI: 0 okay, 2 slave error");
/// Of a register access and its answer.
pub const ADDRESS: Field = field("address", 16, 16, "byte address of the register");
/// Of a register access and its answer.
pub const DATA: Field = field("data", 32, 32, "what is written, or was read; 0 otherwise");

/// The header of a message.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Lower case.
    pub name: &'static str,
    /// Its kind.
    pub kind: MessageKind,
    /// From the host to the device, or back.
    pub to_device: bool,
    /// Its fields beside the kind.
    pub fields: &'static [Field],
    /// For the reference page.
    pub doc: &'static str,
}

const fn header(
    name: &'static str,
    kind: MessageKind,
    to_device: bool,
    fields: &'static [Field],
    doc: &'static str,
) -> Header {
    Header { name, kind, to_device, fields, doc }
}

/// A header of this kind with these values in its fields; bits that do not fit are cut off.
pub fn header_bytes(kind: MessageKind, values: &[(Field, u32)]) -> [u8; HEADER_BYTES] {
    let mut words = [0; HEADER_BYTES / 4];
    KIND.set(&mut words, kind as u128);
    values.iter().for_each(|(field, value)| field.set(&mut words, (*value).into()));
    let mut bytes = [0; HEADER_BYTES];
    bytes.chunks_exact_mut(4).zip(words).for_each(|(bytes, word)| bytes.copy_from_slice(&word.to_le_bytes()));
    bytes
}

/// The words of a header, for [`Field::get`].
pub fn header_words(bytes: [u8; HEADER_BYTES]) -> [u32; HEADER_BYTES / 4] {
    std::array::from_fn(|i| u32::from_le_bytes(std::array::from_fn(|byte| bytes[4 * i + byte])))
}

/// All messages.
pub const HEADERS: &[Header] = &[
    header("rx", MessageKind::Frame, true, &[VPORT], "A frame comes in on a vport."),
    header("packet_out", MessageKind::SlowPath, true, &[VPORT], "The slow path sends a frame out on a vport."),
    header("access", MessageKind::Register, true, &[WRITE, ADDRESS, DATA], "A register is read or written."),
    header("tx", MessageKind::Frame, false, &[VPORT], "A frame goes out on a vport."),
    header("upcall", MessageKind::SlowPath, false, &[VPORT, REASON], "A frame of a vport goes to the slow path."),
    header("answer", MessageKind::Register, false, &[RESPONSE, ADDRESS, DATA], "What became of an access."),
];

const fn counter(name: &'static str, offset: u32, count: u32, doc: &'static str) -> Register {
    const VALUE: &[Bits] = &[Bits { name: "value", low: 0, width: 32, doc: "modulo 2^32" }];
    Register { name, offset, count, access: Access::Ro, reset: Reset::Value(0), fields: VALUE, doc }
}

/// The words of a board, where the core has no registers: read through the host channel alone.
pub const BOARD: Block = Block {
    name: "board",
    base: 0x8000,
    stride: 0,
    repeat: Repeat::Once,
    registers: &[
        counter("HOST_DROPPED", 0, 1, "Messages of the host that were dropped or lost."),
        counter(
            "PORT_LOST",
            4,
            MAX_VPORTS,
            "Frames lost at port i of the board: they came while the end of a frame that was cut still waited for room. \
             Ports that the board has not are answered with SLVERR.",
        ),
    ],
    doc: "What a board adds, where the core has no registers: read through the host channel alone.",
};

/// Address of `HOST_DROPPED`.
pub const HOST_DROPPED: u32 = BOARD.base + BOARD.registers[0].offset;

/// Address of `PORT_LOST[port]`.
pub const fn port_lost(port: u32) -> u32 {
    BOARD.base + BOARD.registers[1].offset + 4 * port
}

/// Addresses where there is no register and never will be. A read of one is refused as any access is carried out, behind those before it:
/// its answer tells the host that no earlier one is still to come.
pub const MARKS: Range<u32> = 0xc000..ADDRESS_SPACE;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{by_address, instances};

    #[test]
    fn fields_of_a_header_fit_and_do_not_overlap() {
        for header in HEADERS {
            let mut end = KIND.width;
            for field in header.fields {
                assert!(field.offset >= end, "{}: {}", header.name, field.name);
                end = field.offset + field.width;
            }
            assert!(end <= 8 * HEADER_BYTES, "{}", header.name);
            let same = HEADERS.iter().filter(|other| (other.kind, other.to_device) == (header.kind, header.to_device));
            assert_eq!(same.count(), 1, "{}: kind and direction tell messages apart", header.name);
        }
    }

    #[test]
    fn a_header_holds_what_was_put_into_it() {
        let bytes = header_bytes(MessageKind::Register, &[(WRITE, 1), (ADDRESS, 0x1234), (DATA, 0xa1b2_c3d4)]);
        assert_eq!(bytes, [2, 1, 0x34, 0x12, 0xd4, 0xc3, 0xb2, 0xa1]);
        let words = header_words(bytes);
        assert_eq!([KIND, WRITE, ADDRESS, DATA].map(|field| field.get(&words)), [2, 1, 0x1234, 0xa1b2_c3d4]);
    }

    #[test]
    fn the_core_has_no_registers_where_a_board_has_its_own() {
        assert!(instances(MAX_VPORTS).all(|instance| instance.address < BOARD.base));
        for register in BOARD.registers {
            let end = BOARD.base + register.offset + 4 * register.count;
            assert!(end <= MARKS.start && by_address(end - 4, MAX_VPORTS).is_none());
        }
        assert_eq!((HOST_DROPPED, port_lost(1)), (0x8000, 0x8008));
    }
}
