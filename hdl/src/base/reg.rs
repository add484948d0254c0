// SPDX-License-Identifier: MIT OR Apache-2.0
//! Registers. The emitter writes each as a plain clocked block in the module that holds it.

use crate::emit::Described;
use rust_hdl_core::prelude::*;

/// The `TimingInfo` name by which the emitter knows a register.
pub(crate) const REG: &str = "reg";

fn timing(inputs: &[&str]) -> Vec<TimingInfo> {
    vec![TimingInfo {
        name: REG.into(),
        clock: "clock".into(),
        inputs: inputs.iter().map(|s| s.to_string()).collect(),
        outputs: vec!["q".into()],
    }]
}

/// Register with synchronous reset (which wins) and enable.
pub struct Reg<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub en: Signal<In, Bit>,
    pub d: Signal<In, T>,
    pub q: Signal<Out, T>,
    init: Constant<T>,
}

impl<T: Synth> Reg<T> {
    /// A register that resets to `init`.
    pub fn new(init: T) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            en: Default::default(),
            d: Default::default(),
            q: Signal::new_with_default(init),
            init: Constant::new(init),
        }
    }
}

impl<T: Synth> Default for Reg<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Synth> Logic for Reg<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.reset.val() {
                self.q.next = self.init.val()
            } else if self.en.val() {
                self.q.next = self.d.val()
            }
        }
    }
    fn connect(&mut self) {
        self.q.connect()
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(posedge clock)\n  if (reset) q <= init;\n  else if (en) q <= d;".into())
    }
    fn timing(&self) -> Vec<TimingInfo> {
        timing(&["d", "en", "reset"])
    }
}

/// Register with synchronous reset, loaded at every clock.
pub struct DffR<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub d: Signal<In, T>,
    pub q: Signal<Out, T>,
    init: Constant<T>,
}

impl<T: Synth> DffR<T> {
    /// A register that resets to `init`.
    pub fn new(init: T) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            d: Default::default(),
            q: Signal::new_with_default(init),
            init: Constant::new(init),
        }
    }
}

impl<T: Synth> Default for DffR<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Synth> Logic for DffR<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = if self.reset.val() { self.init.val() } else { self.d.val() }
        }
    }
    fn connect(&mut self) {
        self.q.connect()
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(posedge clock)\n  if (reset) q <= init;\n  else q <= d;".into())
    }
    fn timing(&self) -> Vec<TimingInfo> {
        timing(&["d", "reset"])
    }
}

/// Register with enable and no reset: data that a `valid` bit elsewhere guards.
#[derive(Default)]
pub struct DffE<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub en: Signal<In, Bit>,
    pub d: Signal<In, T>,
    pub q: Signal<Out, T>,
}

impl<T: Synth> Logic for DffE<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() && self.en.val() {
            self.q.next = self.d.val()
        }
    }
    fn connect(&mut self) {
        self.q.connect()
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(posedge clock)\n  if (en) q <= d;".into())
    }
    fn timing(&self) -> Vec<TimingInfo> {
        timing(&["d", "en"])
    }
}

/// Register without reset, loaded at every clock: a pipeline stage's data.
#[derive(Default)]
pub struct Dff<T: Synth> {
    pub clock: Signal<In, Clock>,
    pub d: Signal<In, T>,
    pub q: Signal<Out, T>,
}

impl<T: Synth> Logic for Dff<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = self.d.val()
        }
    }
    fn connect(&mut self) {
        self.q.connect()
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(posedge clock) q <= d;".into())
    }
    fn timing(&self) -> Vec<TimingInfo> {
        timing(&["d"])
    }
}

/// As sub-blocks of rust-hdl. At an edge, `update` finds in the inputs what they were driven to; between edges nothing looks at them.
macro_rules! blocks {
    ($($register:ident: $($input:ident)* / $($constant:ident)?;)*) => { $(
        impl<T: Synth> Block for $register<T> {
            fn connect_all(&mut self) {
                self.connect()
            }
            fn update_all(&mut self) {
                self.clock.update_all();
                if self.clock.pos_edge() {
                    $(self.$input.update_all();)*
                    self.update();
                }
                self.q.update_all()
            }
            fn has_changed(&self) -> bool {
                self.clock.changed | self.q.changed
            }
            fn accept(&self, name: &str, probe: &mut dyn Probe) {
                probe.visit_start_scope(name, &Described(self));
                self.clock.accept("clock", probe);
                $(self.$input.accept(stringify!($input), probe);)*
                self.q.accept("q", probe);
                $(self.$constant.accept(stringify!($constant), probe);)?
                probe.visit_end_scope(name, &Described(self))
            }
        }
    )* };
}

blocks!(Reg: reset en d / init; DffR: reset d / init; DffE: en d / ; Dff: d / ;);
