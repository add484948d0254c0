// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the simulator goes along a path of a kernel: where a signal or a register stands, it goes on in its value.
//!
//! The macro does not know types. It writes `(&self.a).step().b`, and method resolution takes the first of two traits that fits: [`Step`] of signals,
//! registers and constants, or else [`PlainStep`] of all others, one reference further away.

use crate::base::{Dff, DffE, DffR, Param, Reg};
use rust_hdl_core::prelude::{Bit, Constant, In, Local, Out, Signal, Synth};

/// What has a value.
pub trait Step {
    type Value: Copy;
    fn step(&self) -> Self::Value;
    fn read(&self) -> Self::Value {
        self.step()
    }
}

/// What is a value, or holds what has one.
pub trait PlainStep {
    type Inner;
    fn step(&self) -> &Self::Inner;
    fn read(&self) -> Self::Inner
    where
        Self::Inner: Copy;
}

impl<T> PlainStep for &T {
    type Inner = T;
    fn step(&self) -> &T {
        self
    }
    fn read(&self) -> T
    where
        T: Copy,
    {
        **self
    }
}

/// What can be driven.
pub trait Drive {
    type Value;
    fn target(&mut self) -> &mut Self::Value;
}

/// What is driven as a part of its owner.
pub trait PlainDrive {
    type Inner;
    fn target(&mut self) -> &mut Self::Inner;
}

impl<T> PlainDrive for &mut T {
    type Inner = T;
    fn target(&mut self) -> &mut T {
        self
    }
}

macro_rules! signals {
    ($($direction:ty)*) => { $(
        impl<T: Synth> Step for Signal<$direction, T> {
            type Value = T;
            // Also of an input: one of the block itself has taken over what drives it, one of a sub-block is what this kernel drives.
            fn step(&self) -> T {
                self.next
            }
        }
        impl<T: Synth> Drive for Signal<$direction, T> {
            type Value = T;
            fn target(&mut self) -> &mut T {
                &mut self.next
            }
        }
    )* };
}

signals!(In Out Local);

macro_rules! constants {
    ($($constant:ident)*) => { $(
        impl<T: Synth> Step for $constant<T> {
            type Value = T;
            fn step(&self) -> T {
                self.val()
            }
        }
    )* };
}

constants!(Param Constant);

macro_rules! registers {
    ($($register:ident: $($enable:ident)?;)*) => { $(
        impl<T: Synth> Step for $register<T> {
            type Value = T;
            fn step(&self) -> T {
                self.q.val()
            }
        }
        impl<T: Synth> Drive for $register<T> {
            type Value = T;
            fn target(&mut self) -> &mut T {
                $(self.$enable.next = Bit::from(true);)?
                &mut self.d.next
            }
        }
    )* };
}

registers!(Reg: en; DffR: ; DffE: en; Dff: ;);
