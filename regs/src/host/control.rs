// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands of the control queue and receive-side scaling (`docs/host.md`, "Control queue" and "Steering"). Section numbers are those of *Virtual I/O Device (VIRTIO) Version 1.2*.

use crate::verdict::outcomes;

/// Most descriptors in a chain of a controlq.
pub const CHAIN: usize = 8;
/// Most bytes of a command, with class and command.
pub const COMMAND_BYTES: usize = 512;
/// Bytes of class and command.
pub const HEADER: usize = 2;

/// *ack* of a command that was done (5.1.6.5).
pub const OK: u8 = 0;
/// *ack* of one that was not.
pub const ERR: u8 = 1;

outcomes! {
    /// Commands of a controlq (5.1.6.5.1 to 5.1.6.5.6): class in the upper four bits, command in the lower.
    pub enum Command {
        /// All frames are wanted.
        Promisc = 0x00, "PROMISC";
        /// All frames with a group address are wanted.
        AllMulti = 0x01, "ALLMULTI";
        /// Addresses that are wanted.
        TableSet = 0x10, "TABLE_SET";
        /// The driver's address.
        AddrSet = 0x11, "ADDR_SET";
        /// A VLAN is wanted.
        VlanAdd = 0x20, "ADD";
        /// It is not any more.
        VlanDel = 0x21, "DEL";
        /// So many pairs are used; the device chooses among them.
        VqPairsSet = 0x40, "VQ_PAIRS_SET";
        /// The driver says how a receiveq is chosen.
        RssConfig = 0x41, "RSS_CONFIG";
    }
}

impl Command {
    /// First byte of the command.
    pub const fn class(self) -> u8 {
        self as u8 >> 4
    }

    /// Second byte.
    pub const fn command(self) -> u8 {
        self as u8 & 15
    }

    /// The command of these two bytes; none if there is no such command.
    pub fn of(class: u8, command: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| (known.class(), known.command()) == (class, command))
    }
}

/// VLANs: numbers are below.
pub const VLANS: u16 = 4096;

/// Places in the data of [`Command::RssConfig`] (5.1.6.5.6.1), in bytes. Behind the table are `max_tx_vq` (16 bits), `hash_key_length` (8 bits) and the key.
pub mod rss {
    /// `hash_types`, 32 bits.
    pub const HASH_TYPES: usize = 0;
    /// `indirection_table_mask`, 16 bits: entries less one.
    pub const MASK: usize = 4;
    /// `unclassified_queue`, 16 bits.
    pub const UNCLASSIFIED: usize = 6;
    /// The entries, 16 bits each.
    pub const TABLE: usize = 8;
}

/// Bytes of a key: `rss_max_key_size`.
pub const KEY_BYTES: usize = 40;
/// Entries of a table, at most: `rss_max_indirection_table_length`.
pub const TABLE_ENTRIES: usize = 128;
/// `supported_hash_types`.
pub const HASH_TYPES: u32 = 0x3f;

/// Bits of `hash_types` (5.1.6.4.3.1).
pub mod hash_type {
    /// IPv4.
    pub const IPV4: u32 = 1;
    /// TCP over IPv4.
    pub const TCPV4: u32 = 2;
    /// UDP over IPv4.
    pub const UDPV4: u32 = 4;
    /// IPv6.
    pub const IPV6: u32 = 8;
    /// TCP over IPv6.
    pub const TCPV6: u32 = 16;
    /// UDP over IPv6.
    pub const UDPV6: u32 = 32;
}

/// The key of frames that VQ_PAIRS_SET steers: the one with which Microsoft's *Verifying the RSS Hash Calculation* gives its results.
pub const DEFAULT_KEY: [u8; KEY_BYTES] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b,
    0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
    0x01, 0xfa,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::tests::table;

    const PAGE: &str = include_str!("../../../docs/host.md");

    #[test]
    fn commands_are_those_of_the_page() {
        let mut page = vec![];
        for row in table("Control queue") {
            let class = row[0].split(' ').next().and_then(|class| class.parse::<u8>().ok()).expect("a class");
            for command in row[1].split(", ") {
                let (number, name) = command.split_once(' ').expect("number and name");
                page.push((class, number.parse::<u8>().expect("a number"), name.to_string()));
            }
        }
        let ours: Vec<_> = Command::ALL.iter().map(|it| (it.class(), it.command(), it.name().to_string())).collect();
        assert_eq!(page, ours);
        assert_eq!(Command::of(4, 1), Some(Command::RssConfig));
        assert_eq!(Command::of(4, 2), None);
    }

    #[test]
    fn limits_are_those_of_the_page() {
        for text in [
            format!("{CHAIN} in all at most"),
            format!("more than {CHAIN} in a controlq"),
            format!("OK ({OK}) or ERR ({ERR})"),
            format!("more than {COMMAND_BYTES} bytes with class and command"),
            format!("K {KEY_BYTES} (bytes of a key), T {TABLE_ENTRIES} (entries of a table)"),
            format!("less than {},{:03}", VLANS / 1000, VLANS % 1000),
            format!("| VQ_PAIRS_SET | {HASH_TYPES:#x} | {} | i mod n | 0 |", TABLE_ENTRIES - 1),
            DEFAULT_KEY.map(|byte| format!("{byte:02x}")).concat(),
        ] {
            assert!(PAGE.contains(&text), "{text}");
        }
        let longest = HEADER + rss::TABLE + 2 * TABLE_ENTRIES + 2 + 1 + KEY_BYTES;
        assert!(longest <= COMMAND_BYTES, "{longest} bytes of RSS_CONFIG");
    }

    #[test]
    fn hash_types_are_those_of_the_page() {
        let at = PAGE.find("| bit of `hash_types` |").expect("the table of types");
        let rows: Vec<_> = PAGE[at..].lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        let types = [
            ("TCPv4", hash_type::TCPV4),
            ("UDPv4", hash_type::UDPV4),
            ("IPv4", hash_type::IPV4),
            ("TCPv6", hash_type::TCPV6),
            ("UDPv6", hash_type::UDPV6),
            ("IPv6", hash_type::IPV6),
        ];
        let page: Vec<_> = rows
            .iter()
            .flat_map(|row| {
                let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
                let (bits, names) = (cells[0].split(", "), cells[1].split(", "));
                names.zip(bits.map(|bit| 1 << bit.parse::<u32>().expect("a bit"))).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(page, types);
        assert_eq!(types.iter().fold(0, |all, (_, bit)| all | bit), HASH_TYPES);
    }
}
