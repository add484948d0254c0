// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions of hardware, through VFIO.

use super::erased::{self, Control, Opened, Wakes};
use crate::error::Failure;
use crate::options::Options;
use millrace_driver::vfio::{PciAddress, Role, VfioBar, VfioFunction, VfioMemory};
use millrace_driver::virtio::{FrameFunction, FrameSettings, NetConfig, VirtioPci, vports};
use millrace_driver::{Device, RegistersOnly};
use std::os::fd::OwnedFd;

/// Opens a function by its address, and brings it up.
pub fn open(address: &str, role: Role, options: &Options) -> Result<Opened, Failure> {
    let address: PciAddress = address.parse().map_err(|error| Failure::argument(format!("{error}")))?;
    let function = VfioFunction::open(address, role)?;
    let pairs = match role {
        Role::Ecpf => vports(&mut function.bar()).map_err(|error| Failure::foreign(address, error))?,
        Role::Network => 1,
    };
    let settings = FrameSettings { pairs, ..options.settings.clone() };
    let memory = function.memory(settings.memory_bytes())?;
    let wakes = settings.interrupts.then(|| wakes(&function, pairs)).transpose()?;
    let registers = (role == Role::Ecpf).then(|| RegistersOnly::new(function.registers()));
    let (frames, pairs) = FrameFunction::start(function.bar(), memory, role, &settings)?;
    Ok(Opened {
        registers: registers.map(|registers| Box::new(registers) as Box<dyn Device + Send>),
        buffers: frames.buffers().clone(),
        pairs: erased::pairs(pairs),
        control: Box::new(Hardware { frames, _function: function }),
        wakes,
    })
}

/// Vector 0 is the configuration's, and 1 + q that of virtqueue q.
fn wakes(function: &VfioFunction, pairs: u16) -> Result<Wakes, Failure> {
    let pairs = usize::from(pairs);
    if function.vectors() < 1 + 2 * pairs {
        return Err(Failure::foreign(function.address(), "it has fewer vectors than virtqueues"));
    }
    // Those of receiveqs are in odd places. All others share one, which wakes nobody.
    let of = |vector: usize| match vector {
        0 => 0,
        _ if vector % 2 == 1 && vector < 2 * pairs => 1 + vector / 2,
        _ => 1 + pairs,
    };
    let mut events = function.events(of)?.into_iter().map(OwnedFd::from);
    let changes = events.next().expect("the configuration's");
    Ok(Wakes { changes, receive: events.take(pairs).collect(), gone: None })
}

struct Hardware {
    frames: FrameFunction<VfioBar, VfioMemory>,
    /// It keeps the interrupts.
    _function: VfioFunction,
}

impl Control for Hardware {
    fn check(&mut self) -> Result<(), Failure> {
        Ok(self.frames.check()?)
    }

    fn config(&mut self) -> Result<NetConfig, Failure> {
        Ok(self.frames.config()?)
    }

    fn bar(&mut self) -> &mut dyn VirtioPci {
        self.frames.transport()
    }

    fn stop(&mut self) -> Result<(), Failure> {
        Ok(self.frames.stop()?)
    }
}
