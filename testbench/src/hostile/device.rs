// SPDX-License-Identifier: MIT OR Apache-2.0
//! The device with all around it: its memories, and the rules that tie vports together.

use super::op::{Case, Window};
use super::watch::Watched;
use anyhow::{Context, Result, ensure};
use millrace_driver::{Device, DeviceError, Placement, RuleSpec, Rules, Sent, Upcall};
use millrace_regs::host::{FUNCTION, FUNCTION_FIRST_LO, FUNCTION_LAST_LO};
use millrace_regs::{Key, Mask, Step};
use millrace_sim::{Bar, BusError, DpuSimulation, Latency, Preset};
use std::cell::{RefCell, RefMut};
use std::rc::Rc;

pub const PRESET: Preset = Preset::Host;
/// Where every function's memory is: the same for all, so that a transfer of the wrong function is seen.
pub const ADDRESS: u64 = 0x4_5678_9000;
/// Bytes of a guest's memory; of a neighbour's.
pub const GUEST_BYTES: usize = 128 << 10;
const NEIGHBOUR_BYTES: usize = 1 << 20;
/// Bytes of a guest's memory in its inner window.
pub const INNER: u64 = GUEST_BYTES as u64 - 0x2000;

/// The neighbours' functions: a PF and a VF, which send frames to each other.
pub const NEIGHBOURS: [usize; 2] = [1, 2];
/// The hostile ones: two VFs, each tied to an uplink.
pub const GUESTS: [usize; 2] = [3, 4];

/// Clocks in which the device has to come to rest, with the longest of chains.
pub const REST: u64 = 200_000;
/// Clocks in which an access to a register has to be answered.
const PROMPT: u64 = 2_000;

/// The simulation, of which all have clones.
#[derive(Clone)]
pub struct Dpu(Rc<RefCell<DpuSimulation<Watched>>>);

impl Dpu {
    /// Frames go from neighbour to neighbour, and from each guest to an uplink and back.
    pub fn new(case: &Case) -> Result<Self> {
        let config = PRESET.config();
        let bytes = |function| if GUESTS.contains(&function) { GUEST_BYTES } else { NEIGHBOUR_BYTES };
        let memories = (0..config.functions()).map(|function| Watched::new(ADDRESS, bytes(function))).collect();
        let (cycles, jitter) = case.latency;
        let latency = Latency { cycles: cycles.max(1), jitter, busy: case.busy.min(200), seed: case.seed };
        let dpu = Self(Rc::new(RefCell::new(DpuSimulation::new(PRESET, memories, latency)?)));
        dpu.add_rules()?;
        for function in GUESTS {
            dpu.set_window(function, case.window)?;
        }
        Ok(dpu)
    }

    pub fn sim(&self) -> RefMut<'_, DpuSimulation<Watched>> {
        self.0.borrow_mut()
    }

    pub fn bar(&self, function: usize) -> Bar<Watched> {
        Bar::new(self.0.clone(), function)
    }

    pub fn memory(&self, function: usize) -> Watched {
        self.0.borrow().memory(function).clone()
    }

    /// Writes bytes of a word of a function's BAR; false if it is refused.
    pub fn write(&self, function: usize, offset: u32, value: u32, strobe: u8) -> Result<bool> {
        Ok(self.access(|sim| sim.write_bar(function, offset, value, strobe))?.is_some())
    }

    /// Reads a word of a function's BAR; none if it is refused.
    pub fn read(&self, function: usize, offset: u32) -> Result<Option<u32>> {
        self.access(|sim| sim.read_bar(function, offset))
    }

    fn access<T>(&self, access: impl FnOnce(&mut DpuSimulation<Watched>) -> Result<T, BusError>) -> Result<Option<T>> {
        let mut sim = self.sim();
        let start = sim.cycle();
        let answer = match access(&mut sim) {
            Ok(answer) => Some(answer),
            Err(BusError::Refused { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let clocks = sim.cycle() - start;
        ensure!(clocks <= PROMPT, "an access to a register took {clocks} clocks");
        Ok(answer)
    }

    /// The slow path writes a register of a function.
    pub fn configure(&self, function: usize, register: u32, value: u32) -> Result<()> {
        ensure!(self.write(0, FUNCTION.at(function as u32) + register, value, 0xf)?, "the slow path is refused");
        Ok(())
    }

    /// A register of a function, as the slow path reads it.
    pub fn state(&self, function: usize, register: u32) -> Result<u32> {
        self.read(0, FUNCTION.at(function as u32) + register)?.context("the slow path is refused")
    }

    fn set_window(&self, function: usize, window: Window) -> Result<()> {
        let (first, last) = match window {
            Window::Inner => (ADDRESS, ADDRESS + INNER - 1),
            Window::Outer => (ADDRESS, ADDRESS + 2 * GUEST_BYTES as u64 - 1),
            Window::All => (0, u64::MAX),
        };
        for (register, address) in [(FUNCTION_FIRST_LO, first), (FUNCTION_LAST_LO, last)] {
            self.configure(function, register.offset, address as u32)?;
            self.configure(function, register.offset + 4, (address >> 32) as u32)?;
        }
        self.memory(function).watch().set_window(first, last);
        Ok(())
    }

    fn add_rules(&self) -> Result<()> {
        let config = PRESET.config();
        let vport = |function| config.vport_of_function(function).expect("a PF or VF");
        let [a, b] = NEIGHBOURS.map(vport);
        let mut registers = Registers(self.clone());
        let mut rules = Rules::new(&mut registers)?;
        let guests =
            GUESTS.into_iter().enumerate().flat_map(|(uplink, guest)| [(uplink, vport(guest)), (vport(guest), uplink)]);
        for (from, to) in guests.chain([(a, b), (b, a)]) {
            let key = Key { in_port: from as u8, ..Key::default() };
            let spec =
                RuleSpec { key, mask: Mask { in_port: 0xff, ..Mask::ANY }, priority: 1, placement: Placement::Hash };
            rules.insert(&mut registers, &spec, &[Step::output(1 << to)])?;
        }
        Ok(())
    }
}

/// The core's registers, for the manager of rules.
struct Registers(Dpu);

impl Device for Registers {
    fn read32(&mut self, address: u32) -> Result<u32, DeviceError> {
        self.0.sim().read32(address as u16).map_err(|error| DeviceError::Backend(error.into()))
    }

    fn write32(&mut self, address: u32, value: u32) -> Result<(), DeviceError> {
        self.0.sim().write32(address as u16, value).map_err(|error| DeviceError::Backend(error.into()))
    }

    fn recv_upcall(&mut self) -> Option<Upcall> {
        None
    }

    fn send_packet_out(&mut self, _: u8, _: &[u8]) -> Result<Sent, DeviceError> {
        Ok(Sent::Full)
    }

    fn poll(&mut self) -> Result<(), DeviceError> {
        self.0.sim().step();
        Ok(())
    }

    fn now(&self) -> u64 {
        self.0.sim().cycle()
    }
}
