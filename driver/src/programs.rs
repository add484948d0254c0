// SPDX-License-Identifier: MIT OR Apache-2.0
//! The action programs of rules: a first step per rule id, and chains of continuation steps.

use crate::commands::Commands;
use crate::image::Contents;
use crate::placement::Kind;
use crate::pool::Pool;
use crate::words::StepWords;
use crate::{Device, RuleError};
use millrace_regs::Step;

/// End of a chain.
const NONE: u32 = u32::MAX;

/// What the device holds in its action memory and its continuation steps.
///
/// A program is replaced so that no packet sees half of it: the new continuation steps are written to numbers that no
/// packet refers to, then the first step in one command, and the old continuation steps rest before they are used again.
pub(crate) struct Programs {
    first: Vec<First>,
    steps: Vec<Continuation>,
    pool: Pool,
    /// The numbers of the program that is being written.
    taken: Vec<u16>,
}

#[derive(Copy, Clone)]
struct First {
    words: StepWords,
    /// The device holds `words`.
    written: bool,
    next: u32,
}

#[derive(Copy, Clone)]
struct Continuation {
    words: StepWords,
    next: u32,
}

impl Programs {
    pub fn new(rule_ids: usize, steps: usize) -> Self {
        Self {
            first: vec![First { words: [0; Step::WORDS], written: false, next: NONE }; rule_ids],
            steps: vec![Continuation { words: [0; Step::WORDS], next: NONE }; steps],
            pool: Pool::new(steps),
            taken: Vec::new(),
        }
    }

    /// Of tables that an earlier manager left, in which these rules lie.
    ///
    /// # Errors
    /// What is wrong with the image, if programs are not chains.
    pub fn resume(contents: &Contents, homes: &[Option<Kind>], steps: usize) -> Result<Self, String> {
        let mut programs = Self::new(homes.len(), steps);
        let mut used = vec![false; steps];
        for rule in (0..homes.len()).filter(|&rule| homes[rule].is_some()) {
            let words = contents.action(rule);
            let mut next = next_of(&words);
            programs.first[rule] = First { words, written: true, next };
            while next != NONE {
                let taken =
                    used.get_mut(next as usize).ok_or_else(|| format!("rule {rule} goes on with step {next}"))?;
                if std::mem::replace(taken, true) {
                    return Err(format!("rule {rule} goes on with step {next}, and so does another step"));
                }
                let words = contents.step(next as usize);
                programs.steps[next as usize] = Continuation { words, next: next_of(&words) };
                next = next_of(&words);
            }
        }
        programs.pool = Pool::resume(steps, |step| used[step]);
        Ok(programs)
    }

    /// Refuses a program that the hardware cannot hold.
    pub fn check(&self, program: &[Step]) -> Result<(), RuleError> {
        if program.is_empty() {
            return Err(RuleError::EmptyProgram);
        }
        if let Some(step) = program.iter().position(|step| step.vlan_pop > 2 || step.vlan_push > 2) {
            return Err(RuleError::TooManyTags { step });
        }
        if program.len() - 1 > self.pool.capacity() {
            return Err(RuleError::ProgramTooLong { steps: program.len(), most: self.pool.capacity() + 1 });
        }
        Ok(())
    }

    /// Writes the program of a rule, from which moment on packets that hit it see this program whole.
    /// On an error the rule's program is what it was.
    pub fn write(&mut self, commands: &mut Commands<'_>, rule: u16, program: &[Step]) -> Result<(), RuleError> {
        self.check(program)?;
        self.take(commands.device, program.len() - 1)?;
        match self.write_taken(commands, rule, program) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.untake();
                Err(error)
            }
        }
    }

    fn take(&mut self, device: &mut dyn Device, count: usize) -> Result<(), RuleError> {
        self.taken.clear();
        for _ in 0..count {
            if let Some(number) = self.take_one(device)? {
                self.taken.push(number);
            } else {
                let (free, needed) = (self.pool.free() + self.taken.len(), count);
                self.untake();
                return Err(RuleError::NoSteps { needed, free, capacity: self.pool.capacity() });
            }
        }
        Ok(())
    }

    fn take_one(&mut self, device: &mut dyn Device) -> Result<Option<u16>, RuleError> {
        let ready = self.pool.take();
        if ready.is_none() {
            self.pool.settle(device)?;
            return Ok(self.pool.take());
        }
        Ok(ready)
    }

    fn untake(&mut self) {
        while let Some(number) = self.taken.pop() {
            self.pool.untake(number);
        }
    }

    fn write_taken(&mut self, commands: &mut Commands<'_>, rule: u16, program: &[Step]) -> Result<(), RuleError> {
        let following = |taken: &[u16], i: usize| taken.get(i).copied();
        for (i, step) in program.iter().enumerate().skip(1).rev() {
            let (number, next) = (self.taken[i - 1], following(&self.taken, i));
            let words = linked(step, next);
            commands.write_step(number, &words)?;
            self.steps[usize::from(number)] = Continuation { words, next: next.map_or(NONE, u32::from) };
        }
        let next = following(&self.taken, 0);
        let words = linked(&program[0], next);
        let first = &mut self.first[usize::from(rule)];
        if !(first.written && first.words == words) {
            first.written = false;
            commands.write_action(rule, &words)?;
        }
        let old = std::mem::replace(first, First { words, written: true, next: next.map_or(NONE, u32::from) }).next;
        self.taken.clear();
        self.retire_chain(old);
        Ok(())
    }

    /// Frees the continuation steps of a rule that no table entry selects any more.
    pub fn free(&mut self, rule: u16) {
        let chain = std::mem::replace(&mut self.first[usize::from(rule)].next, NONE);
        if chain != NONE {
            // What the device holds refers to a step that others will get.
            self.first[usize::from(rule)].written = false;
        }
        self.retire_chain(chain);
    }

    fn retire_chain(&mut self, mut step: u32) {
        while step != NONE {
            self.pool.retire(step as u16);
            step = std::mem::replace(&mut self.steps[step as usize].next, NONE);
        }
    }

    /// The program of a rule, as it was given.
    pub fn program(&self, rule: u16) -> Vec<Step> {
        let first = &self.first[usize::from(rule)];
        let mut program = vec![unlinked(&first.words)];
        let mut next = first.next;
        while next != NONE {
            let step = &self.steps[next as usize];
            program.push(unlinked(&step.words));
            next = step.next;
        }
        program
    }

    /// Continuation steps in no program, resting ones included, and all there are.
    pub fn steps_free(&self) -> (usize, usize) {
        (self.pool.free(), self.pool.capacity())
    }
}

/// The step that one names as its next.
fn next_of(words: &StepWords) -> u32 {
    let step = Step::unpack(words);
    if step.more { step.next } else { NONE }
}

fn linked(step: &Step, next: Option<u16>) -> StepWords {
    Step { more: next.is_some(), next: next.map_or(0, u32::from), ..*step }.pack()
}

fn unlinked(words: &StepWords) -> Step {
    Step { more: false, next: 0, ..Step::unpack(words) }
}
