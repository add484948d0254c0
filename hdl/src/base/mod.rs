// SPDX-License-Identifier: MIT OR Apache-2.0
//! Building blocks every module of the fast path is made of.

mod async_fifo;
mod byte_swap;
mod credit;
mod delay;
mod fifo;
mod lut_fifo;
mod param;
mod ram;
pub(crate) mod reg;
mod round_robin;
mod skid;
mod stream;
mod synchroniser;
mod tag;
mod wire_struct;

pub use async_fifo::AsyncFifo;
pub use byte_swap::{ByteSwap, be16};
pub use credit::Credit;
pub use delay::Delay;
pub use fifo::Fifo;
pub use lut_fifo::LutFifo;
pub use param::Param;
pub use ram::{LutRam, Ram};
pub use reg::{Dff, DffE, DffR, Reg};
pub use round_robin::RoundRobin;
pub use skid::Skid;
pub use stream::{Snk, Src};
pub use synchroniser::Synchroniser;
pub use tag::{Source, Tag};
