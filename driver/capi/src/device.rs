// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device, as its ECPF sees it.

use crate::backend::{self, Buffers, Control, Name, Opened, Pair, Wakes};
use crate::error::{Failure, call};
use crate::events::{self, Watch};
use crate::handle::{Part, get, put, text};
use crate::options::{Options, millrace_options};
use crate::port::millrace_port;
use millrace_driver::vfio_user::Role;
use millrace_driver::{Device, Image, Others, Owner, RuleId, Rules};
use millrace_regs::addr;
use millrace_regs::config::Config;
use std::collections::HashMap;
use std::ffi::{c_char, c_int};
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A device. There is one handle of it at a time, on all machines that reach it.
pub struct millrace_device(pub Part<State>);

/// What belongs to an open device.
pub struct State {
    pub registers: Box<dyn Device + Send>,
    pub control: Box<dyn Control>,
    pub rules: Rules,
    pub config: Config,
    /// The epoch of the ageing, and that in which each rule was created.
    pub epoch: u32,
    pub created: HashMap<RuleId, u32>,
    pub buffers: Arc<dyn Buffers>,
    /// By vport.
    pub representors: Vec<Representor>,
    pub wakes: Option<Wakes>,
    watch: Option<Watch>,
}

/// Who drives the representor of a vport.
pub enum Representor {
    Nobody(Pair),
    Port(&'static millrace_port),
}

impl State {
    fn open(name: &str, options: &Options) -> Result<Self, Failure> {
        let opened = backend::open(&Name::parse(name)?, Role::Ecpf, options)?;
        let Opened { registers, control, buffers, pairs, wakes } = opened;
        let mut registers = registers.expect("the ECPF has them");
        let others = if options.take_over { Others::TakeOver } else { Others::Refuse };
        let (rules, found) = match &options.image {
            None => (Rules::with_owner(&mut *registers, Owner::MILLRACE, others)?, vec![]),
            Some(path) => {
                let image = Image::open(path).map_err(|error| Failure::argument(error.to_string()))?;
                Rules::with_image(&mut *registers, image, others)?
            }
        };
        let epoch = registers.read32(addr::AGE_EPOCH)?;
        let watch = wakes.as_ref().map(|wakes| Watch::new(others_of(wakes))).transpose()?;
        Ok(Self {
            config: *rules.config(),
            created: found.iter().map(|found| (found.rule.id, epoch)).collect(),
            representors: pairs.into_iter().map(Representor::Nobody).collect(),
            registers,
            control,
            rules,
            epoch,
            buffers,
            wakes,
            watch,
        })
    }

    /// Whether function and tables are as they were left.
    pub fn check(&mut self) -> Result<(), Failure> {
        if let Some(wakes) = &self.wakes {
            events::take(&wakes.changes);
        }
        self.control.check()?;
        Ok(self.rules.check_owner(&mut *self.registers)?)
    }

    /// What a port of the device waits for, beside its own frames.
    pub fn watch(&self, vport: usize) -> Result<Option<Watch>, Failure> {
        let Some(wakes) = &self.wakes else { return Ok(None) };
        Watch::new(others_of(wakes).chain([&wakes.receive[vport]])).map(Some)
    }

    fn close(mut self) -> Result<(), Failure> {
        // First of all: what the ports have is the function's until then.
        let stopped = self.control.stop();
        for representor in self.representors {
            if let Representor::Port(port) = representor {
                drop(port.take());
            }
        }
        stopped
    }
}

fn others_of(wakes: &Wakes) -> impl Iterator<Item = &OwnedFd> {
    [&wakes.changes].into_iter().chain(&wakes.gone)
}

/// What a device is built with.
#[repr(C)]
pub struct millrace_device_info {
    /// Uplinks: vports 0, 1, … (`p0`, `p1`, …).
    pub uplinks: u32,
    /// Physical functions, behind the uplinks (`pf`).
    pub pfs: u32,
    /// Virtual functions, behind these (`vf0`, `vf1`, …).
    pub vfs: u32,
    /// All vports: numbers below this one.
    pub vports: u32,
    /// Longest frame that the switch takes, in bytes.
    pub max_frame: u32,
    /// Hash tables: rules of as many different masks lie in them at a time.
    pub hash_tables: u32,
    /// Rules that a hash table has slots for.
    pub table_rules: u32,
    /// Rules that the TCAM has room for.
    pub tcam_entries: u32,
    /// Steps for all action programs, beyond the first of each.
    pub steps: u32,
    /// Rules in all tables now.
    pub rules: u32,
}

/// Opens a device: `vfio-user:FOLDER`, one that `millrace serve` simulates without `--flows`; `vfio:ADDRESS`, the ECPF at this address of PCI, such as 0000:65:00.0; or `embedded`,
/// simulated in this process, if the library was built so. `options` may be NULL. The tables are taken: rules that are in them are cleared, unless an image keeps them.
///
/// Returns 0, and the handle in `*device`. Errors: ARGUMENT, NO_DEVICE, FOREIGN, BUSY (another client, or tables of another owner), UNSUPPORTED, NO_MEMORY, DEVICE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_device_open(
    name: *const c_char,
    options: *const millrace_options,
    device: *mut *mut millrace_device,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let (name, options) = unsafe { (text(name, "name")?, Options::read(options)?) };
        if device.is_null() {
            return Err(Failure::null("device"));
        }
        let state = State::open(name, &options)?;
        let handle = Box::leak(Box::new(millrace_device(Part::new(state))));
        // SAFETY: the caller's.
        unsafe { put(device, "device", &raw mut *handle) }.map(|()| 0)
    })
}

/// Closes a device with its ports: buffers that they had are gone, and their handles closed. Rules stay in force, for who opens it with the image next, until somebody takes the tables.
/// The handle can be told from one that is open ever after: a few bytes of it stay.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, DEVICE (then it is closed all the same).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_device_close(device: *mut millrace_device) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let device = unsafe { get(device, "device") }?;
        let state = device.0.close().ok_or_else(Failure::closed)?;
        state.close().map(|()| 0)
    })
}

/// What the device is built with, in `*info`.
///
/// Returns 0. Errors: ARGUMENT, CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_device_info(
    device: *const millrace_device,
    info: *mut millrace_device_info,
) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        let state = unsafe { get(device, "device") }?.0.lock()?;
        let config = &state.config;
        let value = millrace_device_info {
            uplinks: config.uplinks as u32,
            pfs: config.pfs as u32,
            vfs: config.vfs as u32,
            vports: config.vports() as u32,
            max_frame: config.max_frame as u32,
            hash_tables: config.hash_tables as u32,
            table_rules: config.table_rules() as u32,
            tcam_entries: config.tcam_entries as u32,
            steps: config.steps() as u32,
            rules: state.rules.len() as u32,
        };
        // SAFETY: the caller's.
        unsafe { put(info, "info", value) }.map(|()| 0)
    })
}

/// Makes sure that the device is there and well, and the tables still ours. To be called when its descriptor is ready, or now and then: queues that the device stopped look idle.
///
/// Returns 0. Errors: ARGUMENT, CLOSED, DEVICE, TABLES_LOST: then it has to be closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_device_check(device: *mut millrace_device) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        unsafe { get(device, "device") }?.0.lock()?.check().map(|()| 0)
    })
}

/// A file descriptor that is ready to read when `millrace_device_check` has something to tell: for poll, select and epoll alone. It is closed with the device.
///
/// Returns it, 0 or more. Errors: ARGUMENT, CLOSED, UNSUPPORTED (opened without MILLRACE_EVENTS).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn millrace_device_fd(device: *const millrace_device) -> c_int {
    call(|| {
        // SAFETY: the caller's.
        events::descriptor(unsafe { get(device, "device") }?.0.lock()?.watch.as_ref())
    })
}
