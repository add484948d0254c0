// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random kernels.

use super::tree::{Index, Line, Tree};
use super::value::{Operator, Reduction};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

/// Widths of signals.
pub const WIDTHS: [usize; 4] = [1, 8, 16, WIDEST];
pub const WIDEST: usize = 40;

/// What is drawn from: the signals by width, and the random numbers.
pub struct Generator {
    pub rng: ChaCha8Rng,
    /// Signals that may be read, by width.
    pub readable: HashMap<usize, Vec<String>>,
}

impl Generator {
    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        *all.choose(&mut self.rng).expect("a choice")
    }

    fn inner(&mut self, width: usize, depth: usize) -> Box<Tree> {
        Box::new(self.tree(width, depth - 1))
    }

    fn wide(&mut self) -> usize {
        self.pick(&WIDTHS[1..])
    }

    fn leaf(&mut self, width: usize) -> Tree {
        match width {
            8 if self.rng.random_bool(0.2) => Tree::Field(self.pick(&[0, 24]), 8),
            16 if self.rng.random_bool(0.2) => Tree::Field(8, 16),
            _ => Tree::Read(self.readable[&width].choose(&mut self.rng).expect("a signal").clone()),
        }
    }

    fn number(&mut self, width: usize) -> Tree {
        Tree::Number(self.rng.random_range(0..1u64 << width.min(12)), width)
    }

    /// An index of a bit.
    fn index(&mut self, width: usize) -> Index {
        if self.rng.random() { Index::Signal } else { Index::Number(self.rng.random_range(0..width)) }
    }

    /// An expression of `width` bits.
    pub fn tree(&mut self, width: usize, depth: usize) -> Tree {
        match (depth, width) {
            (0, _) => self.leaf(width),
            _ if self.rng.random_bool(0.1) => {
                let (test, then) = (self.inner(1, depth), self.inner(width, depth));
                Tree::If(test, then, self.inner(width, depth))
            }
            (_, 1) => self.bit(depth),
            _ => self.word(width, depth),
        }
    }

    fn word(&mut self, width: usize, depth: usize) -> Tree {
        match self.rng.random_range(0..12) {
            0..4 => {
                let op = self.pick(&[Operator::Add, Operator::Sub, Operator::And, Operator::Or, Operator::Xor]);
                let right = if self.rng.random_bool(0.2) { self.number(width) } else { self.tree(width, depth - 1) };
                Tree::Binary(self.inner(width, depth), op, Box::new(right))
            }
            4 => Tree::Not(self.inner(width, depth)),
            5 | 6 => {
                let by = Index::Number(self.rng.random_range(0..width + 2));
                Tree::Shift(self.inner(width, depth), self.rng.random(), by)
            }
            7 => Tree::Shift(self.inner(width, depth), self.rng.random(), Index::Signal),
            8 | 9 => {
                let from = self.wide();
                Tree::Cast(self.inner(from, depth), width)
            }
            10 => {
                let from = self.pick(if width == 8 { &[8, 16, 40] } else { &[40] });
                let low = if self.rng.random() {
                    Index::Signal
                } else {
                    Index::Number(self.rng.random_range(0..=from - width))
                };
                Tree::Slice(self.inner(from, depth), low, width)
            }
            _ => {
                let index = self.index(width);
                Tree::Replace(self.inner(width, depth), index, self.inner(1, depth))
            }
        }
    }

    fn bit(&mut self, depth: usize) -> Tree {
        let width = self.wide();
        match self.rng.random_range(0..8) {
            0..3 => {
                use Operator::*;
                let op = self.pick(&[Eq, Ne, Lt, Le, Gt, Ge]);
                let right = if self.rng.random() { self.number(width) } else { self.tree(width, depth - 1) };
                Tree::Binary(self.inner(width, depth), op, Box::new(right))
            }
            3 | 4 => {
                let reduction = self.pick(&[Reduction::Any, Reduction::All, Reduction::Xor]);
                Tree::Reduce(reduction, self.inner(width, depth))
            }
            5 => {
                let op = self.pick(&[Operator::And, Operator::Or, Operator::Xor]);
                Tree::Binary(self.inner(1, depth), op, self.inner(1, depth))
            }
            6 if self.rng.random() => Tree::Logical(self.inner(1, depth), self.rng.random(), self.inner(1, depth)),
            6 => Tree::Not(self.inner(1, depth)),
            _ => {
                let index = self.index(width);
                Tree::Bit(self.inner(width, depth), index)
            }
        }
    }

    /// Assigns a local, perhaps again on some paths, reads it into an output, and perhaps both once more. From then on the
    /// local may be read by others.
    pub fn cell(&mut self, width: usize, local: &str, outputs: [&str; 2]) -> Vec<Line> {
        let mut lines = vec![self.set(local, width)];
        self.readable.entry(width).or_default().push(local.into());
        if self.rng.random_bool(0.6) {
            lines.push(self.conditional(local, width, 2));
        }
        if width > 1 && self.rng.random_bool(0.4) {
            let index = self.index(width);
            let bit = self.inner(1, 2);
            lines.push(Line::SetBit(local.into(), index, *bit));
        }
        lines.push(self.set(outputs[0], width));
        if self.rng.random_bool(0.3) {
            lines.push(self.set(local, width));
        }
        lines.push(Line::Set(outputs[1].into(), Tree::Read(local.into())));
        lines
    }

    fn set(&mut self, target: &str, width: usize) -> Line {
        let depth = self.rng.random_range(1..5);
        Line::Set(target.into(), self.tree(width, depth))
    }

    fn conditional(&mut self, local: &str, width: usize, depth: usize) -> Line {
        let test = self.tree(1, 2);
        let mut then = vec![self.set(local, width)];
        if depth > 0 && self.rng.random_bool(0.3) {
            then.push(self.conditional(local, width, depth - 1));
        }
        let otherwise = match self.rng.random_range(0..3) {
            0 if depth > 0 => vec![self.conditional(local, width, depth - 1)],
            1 => vec![self.set(local, width)],
            _ => vec![],
        };
        Line::If(test, then, otherwise)
    }
}
