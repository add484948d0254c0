// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a field of a block does when the simulator runs the block. Each type says what it takes of that.

use crate::base::{Dff, DffE, DffR, Param, Reg, Tag};
use rust_hdl_core::prelude::{AtomKind, Bit, Block, Clock, Constant, Direction, In, Signal, Synth};

/// A field of a block.
pub trait Field {
    /// Gives it the clock, if it takes one.
    fn carry_clock(&mut self, _clock: &impl Source, _index: usize) {}

    /// Gives it the reset, if it takes one. A register keeps its value unless the kernel loads it.
    fn carry(&mut self, _reset: Bit) {}

    /// Of pins that others drive: takes over what they are driven to, and says whether that is new.
    fn inputs(&mut self) -> bool {
        false
    }

    /// Of pins that the kernel drives: the same.
    fn outputs(&mut self) -> bool {
        false
    }

    /// Runs a sub-block or a register: whether its outputs have moved.
    fn run(&mut self) -> bool {
        false
    }
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

// Of all elements, without a short cut: each does its part.
impl<F: Field> Field for Vec<F> {
    fn carry_clock(&mut self, clock: &impl Source, _: usize) {
        self.iter_mut().enumerate().for_each(|(index, field)| field.carry_clock(clock, index));
    }
    fn carry(&mut self, reset: Bit) {
        self.iter_mut().for_each(|field| field.carry(reset));
    }
    fn inputs(&mut self) -> bool {
        self.iter_mut().fold(false, |moved, field| moved | field.inputs())
    }
    fn outputs(&mut self) -> bool {
        self.iter_mut().fold(false, |moved, field| moved | field.outputs())
    }
    fn run(&mut self) -> bool {
        self.iter_mut().fold(false, |moved, field| moved | field.run())
    }
}

impl<T: Synth> Field for Param<T> {}

impl<T: Synth> Field for Constant<T> {}

impl<T: ?Sized> Field for Tag<T> {}

impl<D: Direction, T: Synth> Field for Signal<D, T> {
    fn inputs(&mut self) -> bool {
        let driven = matches!(D::KIND, AtomKind::InputParameter | AtomKind::InOutParameter);
        driven && takes_over(self)
    }
    fn outputs(&mut self) -> bool {
        let drives = matches!(D::KIND, AtomKind::OutputParameter | AtomKind::InOutParameter);
        drives && takes_over(self)
    }
}

fn takes_over<D: Direction, T: Synth>(signal: &mut Signal<D, T>) -> bool {
    signal.update_all();
    signal.changed
}

macro_rules! registers {
    ($($register:ident: $($reset:ident)? / $($enable:ident)?;)*) => { $(
        impl<T: Synth> Field for $register<T> {
            fn carry_clock(&mut self, clock: &impl Source, index: usize) {
                self.clock.next = clock.clock(index);
            }
            fn carry(&mut self, _reset: Bit) {
                $(self.$reset.next = _reset;)?
                $(
                    self.$enable.next = false;
                    self.d.next = self.q.val();
                )?
            }
            fn run(&mut self) -> bool {
                self.update_all();
                self.q.changed
            }
        }
    )* };
}

registers!(Reg: reset / en; DffR: reset / ; DffE: / en; Dff: / ;);
