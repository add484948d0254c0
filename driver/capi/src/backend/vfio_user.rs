// SPDX-License-Identifier: MIT OR Apache-2.0
//! Functions of a device in another process.

use super::erased::{self, Control, Opened, Wakes};
use crate::error::Failure;
use crate::options::Options;
use millrace_driver::vfio_user::{Event, Role, VfioUserBar, VfioUserFunction};
use millrace_driver::virtio::{FrameFunction, FrameSettings, MappedMemory, NetConfig, VirtioPci, vports};
use millrace_driver::{Device, RegistersOnly};
use millrace_vfio_user::SharedMemory;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Connects to the socket of a function, and brings it up.
pub fn open(path: &Path, role: Role, options: &Options) -> Result<Opened, Failure> {
    let function = VfioUserFunction::connect(path, role)?;
    let pairs = match role {
        Role::Ecpf => vports(&mut function.bar()).map_err(|error| Failure::foreign(path.display(), error))?,
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
        control: Box::new(Served { frames, function }),
        wakes,
    })
}

fn wakes(function: &VfioUserFunction, pairs: u16) -> Result<Wakes, Failure> {
    let changes = function.event([0])?;
    let receive = (0..pairs).map(|pair| owned(&function.event([1 + 2 * pair])?)).collect::<Result<_, Failure>>()?;
    Ok(Wakes {
        changes: owned(&changes)?,
        receive,
        gone: Some(function.socket().try_clone().map_err(Failure::no_descriptor)?),
    })
}

fn owned(event: &Event) -> Result<OwnedFd, Failure> {
    event.as_fd().try_clone_to_owned().map_err(Failure::no_descriptor)
}

struct Served {
    frames: FrameFunction<VfioUserBar, MappedMemory<SharedMemory>>,
    function: VfioUserFunction,
}

impl Control for Served {
    fn check(&mut self) -> Result<(), Failure> {
        self.function.check()?;
        Ok(self.frames.check()?)
    }

    fn config(&mut self) -> Result<NetConfig, Failure> {
        Ok(self.frames.config()?)
    }

    fn bar(&mut self) -> &mut dyn VirtioPci {
        self.frames.transport()
    }

    fn stop(&mut self) -> Result<(), Failure> {
        self.frames.stop()?;
        Ok(self.function.reset()?)
    }
}
