// SPDX-License-Identifier: MIT OR Apache-2.0
//! A userspace driver of virtio-net functions over split or packed virtqueues (`docs/host.md`, *Virtual I/O Device (VIRTIO) Version 1.2*), in poll mode.
//!
//! [`VirtioNet`] is the driver of a PF or VF, [`Representors`] that of the ECPF, in front of which [`Ecpf`] keeps upcalls for a
//! [`Device`](crate::Device). They stand on [`Virtqueue`], and reach the function through two traits: [`VirtioPci`], its BAR, and
//! [`DmaMemory`], memory that it reaches. A simulation in the same process, one in another (vfio-user) and hardware (VFIO) differ in these two alone. Frames are copied once, into or out of that memory;
//! [`FrameFunction`] drives a function without copies: frames stay in buffers that are handed out.
//!
//! What the function tells is not trusted: what it could get wrong is checked, and is an error that says what was seen.

mod arena;
mod chains;
mod control;
mod descriptor;
mod ecpf;
mod error;
mod features;
mod frames;
mod function;
mod function_config;
mod indirect;
mod local;
mod mapped;
mod memory;
mod net;
mod net_config;
mod net_control;
mod packed;
mod pair;
mod receive;
mod representor;
mod rings;
mod rss;
mod settings;
mod split;
mod transmit;
mod transport;
mod virtqueue;

pub use chains::{Piece, Used};
pub use ecpf::{Ecpf, vports};
pub use error::{Fault, VirtioError};
pub use frames::{
    FrameBuffers, FrameFunction, FramePair, FrameReceiver, FrameSender, FrameSettings, HEADROOM, OutFrame,
    ReceivedFrame,
};
pub use function_config::{
    FunctionConfig, FunctionLosses, FunctionPolicy, FunctionView, FunctionVlan, function_fault, function_runs,
    sample_drops,
};
pub use local::{LocalMemory, OutsideMemory};
pub use mapped::MappedMemory;
pub use memory::{DmaMemory, Mapping};
pub use net::VirtioNet;
pub use net_config::{Isr, NetConfig, RssLimits};
pub use packed::PackedQueue;
pub use representor::{RepresentorUpcall, Representors};
pub use rings::Rings;
pub use rss::Rss;
pub use settings::{Cut, OFFLOADS, Settings};
pub use split::SplitQueue;
pub use transport::VirtioPci;
pub use virtqueue::Virtqueue;
