// SPDX-License-Identifier: MIT OR Apache-2.0
//! Clock and reset, carried to all sub-blocks of a block before its kernel runs. Each type says what it takes.

use crate::base::{Dff, DffE, DffR, Param, Reg, Tag};
use rust_hdl_core::prelude::{Bit, Clock, Constant, Direction, In, Signal, Synth};

/// A field of a block.
pub trait Field {
    /// Gives it the clock and the reset, if it takes them. A register keeps its value unless the kernel loads it.
    fn carry(&mut self, clock: &impl Source, index: usize, reset: Bit);
}

/// A clock, or one for each element.
pub trait Source {
    fn clock(&self, index: usize) -> Clock;
}

impl Source for Clock {
    fn clock(&self, _: usize) -> Clock {
        *self
    }
}

impl Source for Signal<In, Clock> {
    fn clock(&self, _: usize) -> Clock {
        self.val()
    }
}

impl Source for Vec<Signal<In, Clock>> {
    fn clock(&self, index: usize) -> Clock {
        self[index].val()
    }
}

impl<F: Field> Field for Vec<F> {
    fn carry(&mut self, clock: &impl Source, _: usize, reset: Bit) {
        self.iter_mut().enumerate().for_each(|(index, field)| field.carry(clock, index, reset));
    }
}

macro_rules! takes_nothing {
    ($($field:ident)*) => { $(
        impl<T: Synth> Field for $field<T> {
            fn carry(&mut self, _: &impl Source, _: usize, _: Bit) {}
        }
    )* };
}

takes_nothing!(Param Constant);

impl<D: Direction, T: Synth> Field for Signal<D, T> {
    fn carry(&mut self, _: &impl Source, _: usize, _: Bit) {}
}

impl<T: ?Sized> Field for Tag<T> {
    fn carry(&mut self, _: &impl Source, _: usize, _: Bit) {}
}

macro_rules! registers {
    ($($register:ident: $($reset:ident)? / $($enable:ident)?;)*) => { $(
        impl<T: Synth> Field for $register<T> {
            fn carry(&mut self, clock: &impl Source, index: usize, reset: Bit) {
                let _ = reset;
                self.clock.next = clock.clock(index);
                $(self.$reset.next = reset;)?
                $(
                    self.$enable.next = false;
                    self.d.next = self.q.val();
                )?
            }
        }
    )* };
}

registers!(Reg: reset / en; DffR: reset / ; DffE: / en; Dff: / ;);
