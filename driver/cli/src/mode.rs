// SPDX-License-Identifier: MIT OR Apache-2.0
//! `millrace mode`: who has the switch of a device.

use crate::args::ModeArgs;
use crate::ecpf_choice::EcpfChoice;
use crate::error::{BadInput, BadInputExt};
use anyhow::Result;
use clap::ValueEnum;
use millrace_driver::vfio_user::{self, ECPF_SOCKET, Role, VfioUserFunction};

/// Who has the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The ECPF: the host reaches no rule, counter or representor.
    Dpu,
    /// The host's PF.
    Nic,
}

impl From<Mode> for vfio_user::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Dpu => Self::Dpu,
            Mode::Nic => Self::Nic,
        }
    }
}

/// Shows it, or changes it first.
pub fn run(args: &ModeArgs) -> Result<()> {
    let EcpfChoice::Served(folder) = &args.device else {
        return Err(BadInput("the mode of a device behind VFIO is not known here: give vfio-user:DIR".into()).into());
    };
    let ecpf = VfioUserFunction::connect(&folder.join(ECPF_SOCKET), Role::Ecpf).bad_input()?;
    if let Some(mode) = args.mode {
        ecpf.set_mode(mode.into())?;
    }
    println!("{}", if ecpf.mode()? == vfio_user::Mode::Nic { "nic" } else { "dpu" });
    Ok(())
}
