// SPDX-License-Identifier: MIT OR Apache-2.0
//! PCI functions through Linux's VFIO (`/dev/vfio`): hardware, or a function that QEMU gives to a guest.
//!
//! [`VfioDpu`] is a device as its ECPF sees it. A function is opened by its address, when it is bound to the stock driver `vfio-pci` and has an IOMMU group of its own. The container is
//! of type 1, the legacy interface, which all kernels with VFIO have.
//!
//! ```no_run
//! use millrace_driver::vfio::{Role, VfioFunction};
//! use millrace_driver::virtio::{Settings, VirtioNet};
//!
//! let function = VfioFunction::open("0000:65:00.1".parse()?, Role::Network)?;
//! let mut net = VirtioNet::start(function.bar(), function.memory(8 << 20)?, Settings::default())?;
//! net.send(0, [[0xff; 60].as_slice()])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod bar;
mod barrier;
mod container;
mod device;
mod dpu;
mod error;
mod function;
mod ioctl;
mod iova;
mod mapped;
mod memory;
mod pages;
mod registers;
mod sysfs;

pub use crate::event::Event;
pub use crate::identity::Role;
pub use address::{BadAddress, PciAddress};
pub use bar::VfioBar;
pub use dpu::VfioDpu;
pub use error::{Neighbour, Problem, VfioError};
pub use function::VfioFunction;
pub use memory::VfioMemory;
pub use registers::VfioRegisters;
