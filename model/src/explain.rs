// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why the hardware does with a frame what it does.

use super::{Model, Outcome, Parsed, Rule, parse, rank};
use millrace_regs::Step;

/// A frame's way through the hardware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What the parser understood; none of a frame that is dropped before.
    pub parsed: Option<Parsed>,
    /// Its lookups; none of a frame that is punted.
    pub passes: Vec<Pass>,
    /// What became of it.
    pub outcome: Outcome,
}

/// A lookup, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The rules that match, with their ids: the one that wins, then the one that would without it, and so on.
    pub matching: Vec<(u32, Rule)>,
    /// The program of the one that wins, as far as it was carried out, and what each step came to.
    pub steps: Vec<(Step, Effect)>,
}

/// What a step makes of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The end of the program: the frame's TTL is too low for it.
    Ends,
    /// A frame of so many bytes, more than the longest that leaves.
    TooLong(usize),
    /// This frame, which goes to the step's outputs.
    Leaves(Vec<u8>),
}

impl Model {
    /// How [`receive`](Self::receive) comes to its outcome for a frame without error. Nothing is counted.
    pub fn explain(&self, vport: usize, frame: &[u8]) -> Explanation {
        let outcome = self.predict(vport, frame, false);
        let parsed = self.fault(frame, false).is_none().then(|| parse(vport as u8, frame));
        let lookup = parsed.as_ref().filter(|parsed| !parsed.punt);
        let passes = lookup.map(|parsed| self.pass(frame, parsed)).into_iter().collect();
        Explanation { parsed, passes, outcome }
    }

    fn pass(&self, frame: &[u8], parsed: &Parsed) -> Pass {
        let mut matching: Vec<_> = self.matching(parsed.key).map(|(id, rule)| (id, rule.clone())).collect();
        matching.sort_by_key(|(_, rule)| rank(rule));
        let mut steps = vec![];
        for step in matching.first().map_or(&[][..], |(_, rule)| &rule.program) {
            steps.push((*step, self.effect(step, frame, parsed)));
            if matches!(steps.last(), Some((_, Effect::Ends))) {
                break;
            }
        }
        Pass { matching, steps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Holder;
    use millrace_regs::config::Preset;
    use millrace_regs::{Key, Mask, Verdict};

    /// An IPv4 packet with this TTL.
    fn frame(ttl: u8) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, ttl, 59, 0, 0];
        frame.extend([10, 0, 0, 1, 10, 0, 0, 2]);
        frame
    }

    fn rule(priority: u16, holder: Holder, program: &[Step]) -> Rule {
        let (key, mask) = (Key { dl_type: 0x0800, ..Key::default() }, Mask { dl_type: 0xffff, ..Mask::ANY });
        Rule { key, mask, priority, holder, program: program.into() }
    }

    #[test]
    fn rules_that_match_are_in_the_order_in_which_they_would_win() {
        let mut model = Model::new(&Preset::Sim.config());
        model.insert(1, rule(5, Holder::Hash(2), &[Step::DROP]));
        model.insert(2, rule(5, Holder::Tcam(9), &[Step::output(2)]));
        model.insert(3, rule(6, Holder::Hash(7), &[Step::output(4)]));
        model.insert(4, Rule { key: Key { dl_type: 0x0806, ..Key::default() }, ..rule(9, Holder::Hash(0), &[]) });
        let Explanation { passes, outcome, .. } = model.explain(3, &frame(64));
        let ids: Vec<u32> = passes[0].matching.iter().map(|(id, _)| *id).collect();
        assert_eq!((ids, outcome.rules), (vec![3, 2, 1], vec![3]));
        assert_eq!(passes[0].steps, [(Step::output(4), Effect::Leaves(frame(64)))]);
        model.remove(3);
        assert_eq!(model.explain(3, &frame(64)).outcome.rules, [2]);
        assert_eq!(model.rule_count(2).packets, 0, "nothing is counted");
    }

    #[test]
    fn a_program_is_explained_up_to_its_end() {
        let mut model = Model::new(&Preset::Sim.config());
        let route = Step { ttl_dec: 1, ..Step::output(2) };
        model.insert(1, rule(5, Holder::Hash(0), &[Step::output(1), route, Step::output(4)]));
        let steps = |ttl| model.explain(0, &frame(ttl)).passes.remove(0).steps;
        assert_eq!(steps(1), [(Step::output(1), Effect::Leaves(frame(1))), (route, Effect::Ends)]);
        assert_eq!(steps(2).len(), 3);
    }

    #[test]
    fn what_is_not_looked_up_has_no_pass() {
        let model = Model::new(&Preset::Sim.config());
        let runt = model.explain(0, &frame(64)[..13]);
        assert_eq!((runt.parsed, runt.passes, runt.outcome.verdict), (None, vec![], Verdict::DropRunt));
        let miss = model.explain(0, &frame(64));
        assert_eq!((miss.passes.len(), miss.outcome.verdict), (1, Verdict::Miss));
        assert!(miss.passes[0].matching.is_empty());
        let snap = [&[2; 12][..], &[0, 8, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat();
        let punt = model.explain(0, &snap);
        assert_eq!((punt.passes.len(), punt.outcome.verdict), (0, Verdict::Punt));
        assert!(punt.parsed.unwrap().punt);
    }
}
