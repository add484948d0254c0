// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of devices and functions.

use super::{Opened, vfio_user};
use crate::error::Failure;
use crate::options::Options;
use millrace_driver::vfio_user::{ECPF_SOCKET, Role};
use std::path::PathBuf;

/// What there is, for messages.
const FORMS: &str = "give `vfio-user:PATH`, `vfio:ADDRESS`, or `embedded`";

/// A device, or a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A device's folder, or a function's socket.
    VfioUser(PathBuf),
    /// A function's address.
    Vfio(String),
    /// In this process: the device, or a function by its name.
    Embedded(Option<String>),
}

impl Name {
    pub fn parse(text: &str) -> Result<Self, Failure> {
        match text.split_once(':') {
            Some(("vfio-user", path)) if !path.is_empty() => Ok(Self::VfioUser(path.into())),
            Some(("vfio", address)) => Ok(Self::Vfio(address.into())),
            None if text == "embedded" => Ok(Self::Embedded(None)),
            Some(("embedded", function)) => Ok(Self::Embedded(Some(function.into()))),
            _ => Err(Failure::argument(format!("`{text}` names no device: {FORMS}"))),
        }
    }
}

/// Opens what a name stands for: a device's ECPF, or a function.
pub fn open(name: &Name, role: Role, options: &Options) -> Result<Opened, Failure> {
    match name {
        Name::VfioUser(folder) if role == Role::Ecpf => vfio_user::open(&folder.join(ECPF_SOCKET), role, options),
        Name::VfioUser(socket) => vfio_user::open(socket, role, options),
        Name::Vfio(address) => vfio(address, role, options),
        Name::Embedded(function) if function.is_some() == (role == Role::Network) => {
            embedded(function.as_deref(), options)
        }
        Name::Embedded(_) => Err(Failure::argument("a device is `embedded`, and a function of it `embedded:NAME`")),
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn vfio(address: &str, role: Role, options: &Options) -> Result<Opened, Failure> {
    super::vfio::open(address, role, options)
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn vfio(_: &str, _: Role, _: &Options) -> Result<Opened, Failure> {
    use crate::error::millrace_error::MILLRACE_E_UNSUPPORTED;
    Err(Failure::new(MILLRACE_E_UNSUPPORTED, "there is no VFIO on this machine"))
}

#[cfg(feature = "embedded")]
fn embedded(function: Option<&str>, options: &Options) -> Result<Opened, Failure> {
    super::embedded::open(function, options)
}

#[cfg(not(feature = "embedded"))]
fn embedded(_: Option<&str>, _: &Options) -> Result<Opened, Failure> {
    use crate::error::millrace_error::MILLRACE_E_UNSUPPORTED;
    Err(Failure::new(MILLRACE_E_UNSUPPORTED, "this library was built without `embedded`"))
}
