// SPDX-License-Identifier: MIT OR Apache-2.0
//! The hash of receive-side scaling.

use crate::control_unit::KEY_BITS;
use millrace_hdl::base::{DffE, DffR};
use rust_hdl_core::prelude::*;

/// The longest input: the addresses and ports of IPv6.
pub const INPUT_BITS: usize = 288;
/// Bits of it that are taken at once, and of the key that they meet.
const HALF: usize = INPUT_BITS / 2;
const HALF_KEY: usize = HALF + 31;

/// The Toeplitz hash of `data` (Microsoft, *RSS Hashing Functions*): the exclusive or, over all bits of it that are 1, of the 32 bits of `key` from there on. Shorter inputs have zeros behind them. The first byte's highest bit is the
/// highest, in `data` and in `key`.
///
/// `hash` comes three clocks after `start`, with `done` (a pulse). An input in two clocks.
#[millrace_hdl::block]
pub struct Toeplitz {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub start: Signal<In, Bit>,
    pub data: Signal<In, Bits<INPUT_BITS>>,
    pub key: Signal<In, Bits<KEY_BITS>>,
    pub done: Signal<Out, Bit>,
    pub hash: Signal<Out, Bits<32>>,
    /// Nothing is under way, and nothing comes.
    pub idle: Signal<Out, Bit>,

    /// What is left of the input, and of the key; the first half, the second half is hashed.
    data_q: DffE<Bits<INPUT_BITS>>,
    key_q: DffE<Bits<KEY_BITS>>,
    first: DffR<Bit>,
    second: DffR<Bit>,
    hash_q: DffE<Bits<32>>,
    done_q: DffR<Bit>,
}

#[millrace_hdl::block]
impl Toeplitz {
    fn update(&mut self) {
        let data = self.data_q.get_bits::<HALF>(INPUT_BITS - HALF);
        let key = self.key_q.get_bits::<HALF_KEY>(KEY_BITS - HALF_KEY);
        let mut half: Bits<32> = 0;
        for i in 0..32 {
            let meets = data & key.get_bits::<HALF>(i);
            half.set_bit(i, meets.xor());
        }
        self.first = self.start;
        self.second = self.first;
        self.done_q = self.second;
        if self.start {
            self.data_q = self.data;
            self.key_q = self.key;
        } else if self.first {
            self.data_q = self.data_q << HALF;
            self.key_q = self.key_q << HALF;
        }
        if self.first | self.second {
            self.hash_q = if self.first { half } else { half ^ self.hash_q };
        }
        self.done = self.done_q;
        self.hash = self.hash_q;
        self.idle = !(self.start | self.first | self.second | self.done_q);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_lints, tick};
    use millrace_regs::host::control::DEFAULT_KEY;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Bytes as bits, the first byte highest, with zeros behind them.
    fn highest_first<const N: usize>(bytes: &[u8]) -> Bits<N> {
        let all: Bits<N> =
            bytes.iter().fold(0u64.into(), |all: Bits<N>, byte| all << 8_u64 | Bits::from(u64::from(*byte)));
        all << (N - 8 * bytes.len()) as u64
    }

    /// As the definition says it, bit by bit.
    fn by_definition(input: &[u8], key: &[u8; 40]) -> u32 {
        let key_bit = |n: usize| u32::from(key[n / 8] >> (7 - n % 8) & 1);
        let window = |n: usize| (n..n + 32).fold(0, |window, bit| window << 1 | key_bit(bit));
        let ones = (0..8 * input.len()).filter(|n| input[n / 8] >> (7 - n % 8) & 1 == 1);
        ones.fold(0, |hash, n| hash ^ window(n))
    }

    /// The hashes of inputs that come every other clock.
    fn hashes(inputs: &[(Vec<u8>, [u8; 40])]) -> Vec<u32> {
        let mut dut = Toeplitz::default();
        dut.connect_all();
        dut.reset.next = true;
        tick(&mut dut, |d| &mut d.clock);
        dut.reset.next = false;
        let mut found = vec![];
        for clock in 0..2 * inputs.len() + 4 {
            let input = inputs.get(clock / 2).filter(|_| clock % 2 == 0);
            dut.start.next = input.is_some();
            if let Some((data, key)) = input {
                dut.data.next = highest_first(data);
                dut.key.next = highest_first(key);
            }
            tick(&mut dut, |d| &mut d.clock);
            if dut.done.val() {
                found.push(dut.hash.val().to_u64() as u32);
            }
        }
        dut.start.next = false;
        tick(&mut dut, |d| &mut d.clock);
        assert!(dut.idle.val());
        found
    }

    /// Source, destination, their ports, the hash without ports and with them: Microsoft, *Verifying the RSS Hash Calculation*
    /// (learn.microsoft.com/windows-hardware/drivers/network/verifying-the-rss-hash-calculation), whose table has the destination first.
    const VERIFIED: [(&str, &str, u16, u16, u32, u32); 8] = [
        ("66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178),
        ("199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea),
        ("24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a),
        ("38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f),
        ("153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5, 0x10e828a2),
        ("3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5, 0x40207d3d),
        ("3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c, 0xdde51bbf),
        ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", "fe80::200:f8ff:fe21:67cf", 44251, 38024, 0x4b61e985, 0x02d1feef),
    ];

    #[test]
    fn published_hashes_are_found() {
        let address = |text: &str| match text.parse().expect("an address") {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        };
        let (mut inputs, mut due) = (vec![], vec![]);
        for (source, destination, from, to, without, with) in VERIFIED {
            let mut input = [address(source), address(destination)].concat();
            inputs.push((input.clone(), DEFAULT_KEY));
            input.extend([from.to_be_bytes(), to.to_be_bytes()].concat());
            inputs.push((input, DEFAULT_KEY));
            due.extend([without, with]);
        }
        assert_eq!(hashes(&inputs), due);
    }

    #[test]
    fn every_key_and_length_is_hashed_as_defined() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut input = || {
            let length = [8, 12, 32, 36][rng.random_range(0..4)];
            ((0..length).map(|_| rng.random()).collect::<Vec<u8>>(), std::array::from_fn(|_| rng.random::<u8>()))
        };
        let inputs: Vec<_> = (0..100).map(|_| input()).collect();
        let due: Vec<_> = inputs.iter().map(|(data, key)| by_definition(data, key)).collect();
        assert_eq!(hashes(&inputs), due);
    }

    #[test]
    fn toeplitz_lints() {
        assert_lints(Toeplitz::default());
    }
}
