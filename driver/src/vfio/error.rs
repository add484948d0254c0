// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a function cannot be used through VFIO.

use super::PciAddress;
use crate::virtio::VirtioError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What is wrong with a function.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {problem}")]
pub struct VfioError {
    /// Its address.
    pub address: PciAddress,
    /// What is wrong.
    pub problem: Problem,
}

/// Another function of an IOMMU group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its address.
    pub address: String,
    /// The driver that it is bound to.
    pub driver: Option<String>,
}

/// What can be wrong with a function.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
// The errors below are part of the text, not sources: whoever prints a chain prints them once.
pub enum Problem {
    /// There is none at the address.
    #[error("there is no PCI function at this address")]
    Missing,
    /// The kernel's files about it cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Sysfs {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It is none of Millrace, or not the one that is wanted: what it is.
    #[error("{0}")]
    NotMillrace(String),
    /// It is not bound to `vfio-pci`.
    #[error(
        "it is bound to {}, and has to be to vfio-pci: write vfio-pci to driver_override in /sys/bus/pci/devices/{address}, \
         the address to driver/unbind there if it has a driver, and then to /sys/bus/pci/drivers_probe",
        driver(.bound)
    )]
    NotBound {
        /// The function.
        address: PciAddress,
        /// The driver that it is bound to.
        bound: Option<String>,
    },
    /// No IOMMU stands between it and memory.
    #[error(
        "it has no IOMMU group: the machine has no IOMMU, or its kernel does not use it (on Intel: intel_iommu=on)"
    )]
    NoGroup,
    /// Other functions are in its IOMMU group, and would reach the same memory.
    #[error("it shares IOMMU group {group} with {}: they would reach its memory", list(.others))]
    Shared {
        /// The group's number.
        group: u32,
        /// The others, but for bridges.
        others: Vec<Neighbour>,
    },
    /// VFIO cannot be opened.
    #[error("cannot open {}: {error}{}", .path.display(), hint(.error))]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// VFIO refuses something.
    #[error("VFIO refuses {what}: {error}")]
    Refused {
        /// What.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// No memory for the function.
    #[error("cannot give it {bytes} bytes of memory: {error}{}", if .error.raw_os_error() == Some(nix::libc::ENOMEM) {
        " (pinned memory counts against RLIMIT_MEMLOCK: ulimit -l)"
    } else {
        ""
    })]
    Memory {
        /// Bytes wanted.
        bytes: usize,
        /// Why not.
        error: io::Error,
    },
    /// It does not come up, or go down.
    #[error("{0}")]
    Virtio(VirtioError),
    /// The IOMMU has no addresses for so much memory.
    #[error("its IOMMU has no {bytes} bytes of addresses in one piece")]
    NoAddresses {
        /// Bytes wanted.
        bytes: usize,
    },
}

impl Problem {
    pub(super) fn of(self, address: PciAddress) -> VfioError {
        VfioError { address, problem: self }
    }
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (bound to {})", self.address, driver(&self.driver))
    }
}

fn driver(name: &Option<String>) -> &str {
    name.as_deref().unwrap_or("no driver")
}

fn list(others: &[Neighbour]) -> String {
    others.iter().map(Neighbour::to_string).collect::<Vec<_>>().join(", ")
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => " (it belongs to root, who may give it away with chown)",
        io::ErrorKind::NotFound => " (are the modules vfio, vfio_iommu_type1 and vfio-pci loaded?)",
        io::ErrorKind::ResourceBusy => " (another process has it)",
        _ => "",
    }
}
