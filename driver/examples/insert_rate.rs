// SPDX-License-Identifier: MIT OR Apache-2.0
//! What inserting a rule costs the CPU: the rule manager over a device whose registers take no time.

use millrace_driver::{Device, DeviceError, Placement, RuleSpec, Rules, Sent, Upcall};
use millrace_regs::config::{Config, Preset};
use millrace_regs::{Key, Mask, Step, addr};
use std::time::Instant;

/// Registers that do nothing.
struct Null {
    config: Config,
    owner: u32,
    accesses: u64,
}

impl Device for Null {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.accesses += 1;
        let words = self.config.registers();
        Ok(match address {
            addr::ID => 0x4d49_4c4c,
            addr::VERSION => 0x0002_0000,
            addr::CONFIG0 => words[0],
            addr::CONFIG1 => words[1],
            addr::CONFIG2 => words[2],
            addr::CONFIG3 => words[3],
            addr::CONFIG4 => words[4],
            addr::CONFIG5 => words[5],
            addr::OWNER => self.owner,
            _ => 0,
        })
    }
    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.accesses += 1;
        if address == addr::OWNER {
            self.owner = value;
        }
        Ok(())
    }
    fn recv_upcall(&mut self) -> Option<Upcall> {
        None
    }
    fn send_packet_out(&mut self, _: u8, _: &[u8]) -> Result<Sent, DeviceError> {
        Ok(Sent::Full)
    }
    fn poll(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }
    fn now(&self) -> u64 {
        0
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Preset::Sim.config();
    let mask = Mask { dl_type: 0xffff, nw_src: 0xffff_ffff, nw_dst: 0xffff_ffff, tp_dst: 0xffff, ..Mask::ANY };
    let spec = |n: usize| RuleSpec {
        key: Key { dl_type: 0x0800, nw_src: n as u128, nw_dst: 0x0a00_0001, tp_dst: 80, ..Key::default() },
        mask,
        priority: 1,
        placement: Placement::Hash,
    };
    println!("preset sim: {} tables of {} rules", config.hash_tables, config.table_rules());
    for load in [50, 90, 95] {
        let count = config.hash_tables * config.table_rules() * load / 100;
        let rounds = 20;
        let (mut nanos, mut accesses) = (0, 0);
        for _ in 0..rounds {
            let mut device = Null { config, owner: 0, accesses: 0 };
            let mut rules = Rules::new(&mut device)?;
            device.accesses = 0;
            let start = Instant::now();
            for n in 0..count {
                rules.insert(&mut device, &spec(n), &[Step::output(1 << (n % 8))])?;
            }
            nanos += start.elapsed().as_nanos() as usize;
            accesses += device.accesses as usize;
        }
        let (inserts, rate) = (count * rounds, count as f64 * rounds as f64 * 1e3 / nanos as f64);
        println!(
            "to {load} % load: {rate:.2} M inserts/s, {:.1} register accesses each",
            accesses as f64 / inserts as f64
        );
        println!("{{\"figure\":\"insert_cpu\",\"load_percent\":{load},\"inserts_per_second\":{:.0}}}", rate * 1e6);
    }
    Ok(())
}
