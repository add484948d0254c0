// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the simulator runs a block: what moved since the last time, to its end, and nothing else.
//!
//! rust-hdl's own `LogicBlock` runs every kernel of a design again and again until nothing changes any more, one level of blocks for each pass. Here
//! a block runs if its pins moved, and then until its sub-blocks have nothing new for it. All that happens at a clock's edge sees what was before the
//! edge: a kernel has driven the inputs of all its sub-blocks before the first of them runs, and each takes them over before it does anything.

use rust_hdl_core::prelude::Logic;

/// More rounds than this are a loop of logic.
const MOST_ROUNDS: usize = 100;

/// What a block did when it last ran.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    has_run: bool,
    moved: bool,
    drove: bool,
}

impl Activity {
    /// Whether a pin of the block moved.
    pub fn moved(&self) -> bool {
        self.moved
    }

    /// Whether an output moved.
    pub fn drove(&self) -> bool {
        self.drove
    }
}

/// What the attribute `block` makes for [`run`].
pub trait Active: Logic {
    /// Whether `update` depends on clocks. That of a kernel that names none does not: registers do.
    const SEES_CLOCKS: bool;

    fn activity(&mut self) -> &mut Activity;

    /// Takes over its clocks: whether one moved.
    fn clocks(&mut self) -> bool;

    /// Takes over its other inputs: whether one moved.
    fn inputs(&mut self) -> bool;

    /// Takes over its outputs: whether one moved.
    fn outputs(&mut self) -> bool;

    /// Hands its clocks on to its fields.
    fn carry_clocks(&mut self);

    /// Runs its sub-blocks and registers: whether an output of one moved.
    fn run_fields(&mut self) -> bool;
}

/// Runs a block.
///
/// # Panics
/// If it does not settle: a loop of logic.
pub fn run<B: Active>(block: &mut B) {
    let (clocks, inputs) = (block.clocks(), block.inputs());
    let first = !std::mem::replace(&mut block.activity().has_run, true);
    let mut drove = false;
    if clocks | inputs | first {
        block.carry_clocks();
        let mut runs = inputs | first | (clocks & B::SEES_CLOCKS) || block.run_fields();
        let mut rounds = 0;
        while runs {
            block.update();
            runs = block.run_fields();
            rounds += 1;
            assert!(rounds < MOST_ROUNDS, "the logic of {} does not settle", std::any::type_name::<B>());
        }
        drove = block.outputs();
    }
    let activity = block.activity();
    (activity.moved, activity.drove) = (clocks | inputs | first | drove, drove);
}

/// For blocks without a kernel: a constant of the block itself, which the attribute makes of a kernel, is found first.
pub trait WithoutKernel {
    const NAMES_CLOCKS: bool = true;
}

impl<T: ?Sized> WithoutKernel for T {}

#[cfg(test)]
mod tests {
    use crate::base::Dff;
    use crate::testing::{settle, tick};
    use rust_hdl_core::prelude::*;

    /// A register between its pins.
    #[millrace_hdl::block]
    pub struct Stage {
        pub clock: Signal<In, Clock>,
        pub inp: Signal<In, Bits<8>>,
        pub out: Signal<Out, Bits<8>>,
        value: Dff<Bits<8>>,
    }

    #[millrace_hdl::block]
    impl Stage {
        fn update(&mut self) {
            self.value = self.inp;
            self.out = self.value;
        }
    }

    /// Stages in a row, with a register of its own between them; the order of the fields is not that of the data.
    #[millrace_hdl::block]
    pub struct Row {
        pub clock: Signal<In, Clock>,
        pub inp: Signal<In, Bits<8>>,
        pub out: Signal<Out, Bits<8>>,
        third: Stage,
        between: Dff<Bits<8>>,
        first: Stage,
    }

    #[millrace_hdl::block]
    impl Row {
        fn update(&mut self) {
            self.first.inp = self.inp;
            self.between = self.first.out;
            self.third.inp = self.between;
            self.out = self.third.out;
        }
    }

    #[test]
    fn an_edge_moves_everything_by_one_register_whatever_the_order_of_fields() {
        let mut row = Row::default();
        let mut seen = vec![];
        for value in 1u64..9 {
            row.inp.next = value.into();
            tick(&mut row, |row| &mut row.clock);
            seen.push(row.out.val().to_u64());
        }
        assert_eq!(seen, [0, 0, 1, 2, 3, 4, 5, 6]);
        assert!(!row.has_changed(), "it has settled");
    }

    /// Its output is not its input.
    #[millrace_hdl::block]
    pub struct Inverter {
        pub inp: Signal<In, Bit>,
        pub out: Signal<Out, Bit>,
    }

    #[millrace_hdl::block]
    impl Inverter {
        fn update(&mut self) {
            self.out = !self.inp;
        }
    }

    #[millrace_hdl::block]
    pub struct Ring {
        pub out: Signal<Out, Bit>,
        inverter: Inverter,
    }

    #[millrace_hdl::block]
    impl Ring {
        fn update(&mut self) {
            self.inverter.inp = self.inverter.out;
            self.out = self.inverter.out;
        }
    }

    #[test]
    #[should_panic(expected = "Ring does not settle")]
    fn a_loop_of_logic_is_found() {
        settle(&mut Ring::default());
    }
}
