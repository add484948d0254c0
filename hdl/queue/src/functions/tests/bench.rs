// SPDX-License-Identifier: MIT OR Apache-2.0
//! A host and an engine around the registers.

use crate::functions::Functions;
use crate::sizes::HostSizes;
use crate::small::SMALL;
use crate::testing::{settle, tick_those};
use crate::types::{Fault, MacChange, Policy, QueueConfig, Window};
use millrace_hdl::sized;
use millrace_regs::config::Config;
use millrace_regs::host::{HostField, MSIX_TABLE, common, host_address};
use rust_hdl_core::prelude::*;

/// Of preset `host`: three functions with 8, 3 and 3 virtqueues.
pub type Dut = sized!(Functions<; SMALL_HOST>);

/// A bench around them.
pub type Bench = sized!(BenchOf<; SMALL_HOST>);

const SMALL_HOST: HostSizes = HostSizes::of(&SMALL);

/// A PF with three pairs: two functions with 6 and 7 virtqueues.
pub type Pairs = sized!(Functions<; PAIRS_HOST>);

pub const PAIRS: Config = Config { queue_pairs: 3, vfs: 0, ..SMALL };
const PAIRS_HOST: HostSizes = HostSizes::of(&PAIRS);

/// The numbers of all virtqueues: before a controlq there is none.
pub const QUEUES: [u64; 14] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15];

pub const OKAY: u64 = 0;
pub const ERROR: u64 = 2;

/// Vectors of the functions.
pub const VECTORS: [u32; 3] = [9, 4, 4];

/// The words that the bench writes into the entry of a vector.
pub fn entry(function: u32, vector: u32) -> [u32; 4] {
    [0xfee0_0000 + 0x1000 * function, 0x1234, 0x4000 + vector, 0]
}

/// What has come out.
#[derive(Default)]
pub struct Seen {
    pub queues: Vec<(u64, QueueConfig)>,
    pub windows: Vec<(u64, Window)>,
    pub policies: Vec<(u64, Policy)>,
    pub limits: Vec<(u64, usize, u32)>,
    pub notified: Vec<u64>,
    pub resets: Vec<u64>,
    /// Function and vector; address and data.
    pub interrupts: Vec<(u64, u64)>,
    pub messages: Vec<(u64, u64)>,
    live: u64,
}

impl Seen {
    /// The live virtqueues, as of the last clock.
    pub fn live(&self) -> u64 {
        self.live
    }
}

/// Around the registers of a build.
#[millrace_hdl::with_sizes]
pub struct BenchOf<const HOST: HostSizes> {
    pub dut: Box<Functions<HOST>>,
    pub seen: Seen,
    /// Who makes accesses, if it is not the function whose block it is.
    pub from: Option<u32>,
    pub interrupt_ready: bool,
    /// Clocks that the engine takes for a virtqueue's reset; none: until [`Bench::done`].
    pub engine_delay: Option<u32>,
    /// Clocks left.
    under_way: Option<u32>,
}

impl Bench {
    /// After reset, with all functions bus masters, MSI-X enabled and no vector masked.
    pub fn new() -> Self {
        Self::with(Dut::new(&SMALL), &VECTORS)
    }
}

#[millrace_hdl::with_sizes]
impl<const HOST: HostSizes> BenchOf<HOST> {
    /// The same with these functions, which have so many vectors each.
    pub fn with(dut: Functions<HOST>, vectors: &[u32]) -> Self {
        let mut dut = Box::new(dut);
        dut.connect_all();
        dut.reset.next = true;
        tick_those(&mut *dut, |d| vec![(&mut d.clock, true), (&mut d.clock_vectors, true)]);
        dut.reset.next = false;
        let all = (1u64 << HOST.functions) - 1;
        (dut.bus_master.next, dut.msix_enable.next) = (all.into(), all.into());
        let mut bench = Self {
            dut,
            seen: Seen::default(),
            from: None,
            interrupt_ready: true,
            engine_delay: Some(3),
            under_way: None,
        };
        bench.until_idle();
        for (function, vectors) in (0..).zip(vectors) {
            for vector in 0..*vectors {
                for (word, offset) in entry(function, vector).into_iter().zip((0..).step_by(4)) {
                    assert_eq!(bench.write(function, MSIX_TABLE.at(vector) + offset, word, 15), OKAY);
                }
            }
        }
        bench
    }

    fn clock(&mut self) {
        self.clock_and(|_| false);
    }

    /// A clock, and how something looks at its end.
    fn clock_and(&mut self, look: impl Fn(&Functions<HOST>) -> bool) -> bool {
        self.dut.interrupt.ready.next = self.interrupt_ready;
        self.dut.reset_queue.ready.next = self.under_way.is_none();
        self.dut.reset_done.next = self.under_way == Some(0);
        settle(&mut *self.dut);
        let dut = &self.dut;
        let looks = look(dut);
        if dut.queue_write.val() {
            self.seen.queues.push((dut.queue_vq.val().to_u64(), dut.queue_config.val()));
        }
        if dut.window_write.val() {
            self.seen.windows.push((dut.window_function.val().to_u64(), dut.window.val()));
        }
        if dut.policy_write.val() {
            self.seen.policies.push((dut.policy_function.val().to_u64(), dut.policy.val()));
        }
        let limited = [dut.rate_write.val(), dut.burst_write.val(), dut.weight_write.val(), dut.samples_write.val()];
        for (register, written) in limited.into_iter().enumerate() {
            if written {
                let limit = dut.limit.val().to_u64() as u32;
                self.seen.limits.push((dut.limit_function.val().to_u64(), register, limit));
            }
        }
        if dut.notify.val() {
            self.seen.notified.push(dut.notify_queue.val().to_u64());
        }
        if dut.interrupt.valid.val() && self.interrupt_ready {
            let message = dut.interrupt.data.val();
            self.seen.interrupts.push((message.function.to_u64(), message.vector.to_u64()));
            self.seen.messages.push((message.address.to_u64(), message.data.to_u64()));
        }
        self.under_way = match self.under_way {
            Some(0) => None,
            Some(left) => Some(if self.engine_delay.is_some() { left - 1 } else { left }),
            None => None,
        };
        if dut.reset_queue.valid.val() && dut.reset_queue.ready.val() {
            let queue = dut.reset_queue.data.val().to_u64();
            assert_eq!(dut.live.val().to_u64() >> queue & 1, 0, "reset of live queue {queue}");
            self.seen.resets.push(queue);
            self.under_way = Some(self.engine_delay.unwrap_or(1));
        }
        // Each clock stands still while it may.
        tick_those(&mut *self.dut, |d| {
            let runs = (!d.idle.val(), !d.idle_vectors.val());
            vec![(&mut d.clock, runs.0), (&mut d.clock_vectors, runs.1)]
        });
        self.seen.live = self.dut.live.val().to_u64();
        looks
    }

    pub fn clocks(&mut self, count: usize) {
        (0..count).for_each(|_| self.clock());
    }

    /// The engine is done with the virtqueue that is being reset, if there is one within some clocks.
    pub fn done(&mut self) {
        (0..100).find(|_| {
            self.clock();
            self.under_way.is_some()
        });
        assert!(self.under_way.is_some(), "no virtqueue is being reset");
        self.under_way = Some(0);
        self.clock();
    }

    /// The engine goes on with what it held.
    pub fn release(&mut self) {
        self.under_way = self.under_way.map(|_| 0);
    }

    /// # Panics
    /// If it takes long.
    pub fn until_idle(&mut self) {
        assert!((0..2000).any(|_| self.clock_and(|d| d.idle.val() && d.idle_vectors.val())), "not idle");
    }

    fn access(&mut self, answered: impl Fn(&Functions<HOST>) -> bool, taken: impl Fn(&mut Functions<HOST>)) {
        for clock in 0..200 {
            let answer = self.clock_and(&answered);
            taken(&mut self.dut);
            if answer {
                return;
            }
            assert!(clock < 199, "an access is not answered");
        }
    }

    /// The word, and the response.
    pub fn read(&mut self, function: u32, offset: u32) -> (u32, u64) {
        self.dut.s_axil_host.araddr.next = u64::from(host_address(function, offset)).into();
        self.dut.s_axil_host_from.next = u64::from(self.from.unwrap_or(function)).into();
        self.dut.s_axil_host.arvalid.next = true;
        self.dut.s_axil_host.rready.next = false;
        self.access(|d| d.s_axil_host.rvalid.val(), |d| d.s_axil_host.arvalid.next = false);
        let answer = (self.dut.s_axil_host.rdata.val().to_u64() as u32, self.dut.s_axil_host.rresp.val().to_u64());
        self.dut.s_axil_host.rready.next = true;
        self.clock();
        answer
    }

    /// The response.
    pub fn write(&mut self, function: u32, offset: u32, data: u32, strobe: u64) -> u64 {
        self.dut.s_axil_host_from.next = u64::from(self.from.unwrap_or(function)).into();
        let axi = &mut self.dut.s_axil_host;
        axi.awaddr.next = u64::from(host_address(function, offset)).into();
        axi.wdata.next = u64::from(data).into();
        axi.wstrb.next = strobe.into();
        (axi.awvalid.next, axi.wvalid.next, axi.bready.next) = (true, true, false);
        self.access(
            |d| d.s_axil_host.bvalid.val(),
            |d| (d.s_axil_host.awvalid.next, d.s_axil_host.wvalid.next) = (false, false),
        );
        let response = self.dut.s_axil_host.bresp.val().to_u64();
        self.dut.s_axil_host.bready.next = true;
        self.clock();
        response
    }

    /// A field of a block.
    pub fn get_of(&mut self, function: u32, block: u32, field: &HostField) -> u64 {
        let mut value = 0;
        for i in 0..field.width.div_ceil(32) {
            let (word, response) = self.read(function, block + field.word() + 4 * i);
            assert_eq!(response, OKAY, "{}", field.name);
            value |= u64::from(word) << (32 * i);
        }
        value >> field.low() & (u64::MAX >> (64 - field.width))
    }

    /// A field of the common configuration.
    pub fn get(&mut self, function: u32, field: &HostField) -> u64 {
        self.get_of(function, 0, field)
    }

    /// Writes it and nothing beside it.
    pub fn set(&mut self, function: u32, field: &HostField, value: u64) {
        for i in 0..field.width.div_ceil(32) {
            let word = (value >> (32 * i) << field.low()) as u32;
            let bytes = (1 << (field.width.min(32) / 8)) - 1;
            assert_eq!(self.write(function, field.word() + 4 * i, word, bytes << (field.low() / 8)), OKAY);
        }
    }

    /// What the function offers.
    pub fn offered(&mut self, function: u32) -> u64 {
        (0..3).rev().fold(0, |bits, select| {
            self.set(function, &common::DEVICE_FEATURE_SELECT, select);
            bits << 32 | self.get(function, &common::DEVICE_FEATURE)
        })
    }

    /// Writes the driver's features.
    pub fn take(&mut self, function: u32, features: u64) {
        for select in 0..3 {
            self.set(function, &common::DRIVER_FEATURE_SELECT, select);
            self.set(function, &common::DRIVER_FEATURE, features.unbounded_shr(32 * select as u32) & 0xffff_ffff);
        }
    }

    /// All virtqueues enabled, with vectors from 1 on, the configuration's 0, and DRIVER_OK.
    pub fn set_up(&mut self, function: u32, features: u64) {
        self.set(function, &common::DEVICE_STATUS, 3);
        self.take(function, features);
        self.set(function, &common::DEVICE_STATUS, 11);
        self.set(function, &common::CONFIG_MSIX_VECTOR, 0);
        for queue in 0..self.get(function, &common::NUM_QUEUES) {
            self.set(function, &common::QUEUE_SELECT, queue);
            self.set(function, &common::QUEUE_MSIX_VECTOR, 1 + queue);
            self.set(function, &common::QUEUE_ENABLE, 1);
        }
        self.set(function, &common::DEVICE_STATUS, 15);
        self.clocks(4);
    }

    /// Gives a fault and has all of its consequences happen that can.
    pub fn fault(&mut self, vq: u64, reason: u64) {
        self.dut.fault.data.next = Fault { vq: vq.into(), reason: reason.into() };
        self.dut.fault.valid.next = true;
        self.access(|d| d.fault.ready.val(), |_| {});
        self.dut.fault.valid.next = false;
        self.clocks(100);
    }

    /// The function's driver sets its address, byte 0 lowest.
    pub fn set_mac(&mut self, function: u64, mac: u64) {
        self.dut.mac.data.next = MacChange { function: function.into(), mac: mac.into() };
        self.dut.mac.valid.next = true;
        self.access(|d| d.mac.ready.val(), |_| {});
        self.dut.mac.valid.next = false;
        self.clocks(100);
    }

    /// The engine has used buffers of a virtqueue.
    pub fn used(&mut self, vq: u64) {
        self.dut.used_interrupt.data.next = vq.into();
        self.dut.used_interrupt.valid.next = true;
        self.access(|d| d.used_interrupt.ready.val(), |_| {});
        self.dut.used_interrupt.valid.next = false;
        self.clocks(100);
    }
}
