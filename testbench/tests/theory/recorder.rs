// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device that notes the register accesses to another.

use millrace_driver::{Access, Device, DeviceError, Sent, Upcall};
use millrace_regs::by_address;
use std::fmt::Write;

pub struct Recorder<D> {
    pub inner: D,
    pub log: Vec<Access>,
}

impl<D> Recorder<D> {
    pub fn new(inner: D) -> Self {
        Self { inner, log: vec![] }
    }

    /// The accesses, by the registers' names; of reads of the same register in a row the first.
    pub fn shown(&self) -> String {
        let name = |address| by_address(address, 11).map_or(format!("{address:#x}"), |register| register.to_string());
        let again = |n: usize| n > 0 && self.log[n] == self.log[n - 1];
        let once = (0..self.log.len()).filter(|n| !again(*n)).map(|n| self.log[n]);
        once.fold(String::new(), |mut text, access| {
            let _ = match access {
                Access::Read { address } => writeln!(text, "read  {}", name(address)),
                Access::Write { address, value } => writeln!(text, "write {:<12} {value:#010x}", name(address)),
            };
            text
        })
    }
}

impl<D: Device> Device for Recorder<D> {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.log.push(Access::Read { address });
        self.inner.read32(address)
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.log.push(Access::Write { address, value });
        self.inner.write32(address, value)
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        self.inner.recv_upcall()
    }

    fn upcall_waiting(&self) -> bool {
        self.inner.upcall_waiting()
    }

    fn send_packet_out(&mut self, vport: u8, frame: &[u8]) -> Result<Sent, DeviceError> {
        self.inner.send_packet_out(vport, frame)
    }

    fn packets_out_waiting(&self) -> usize {
        self.inner.packets_out_waiting()
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.inner.poll()
    }

    fn now(&self) -> u64 {
        self.inner.now()
    }
}
