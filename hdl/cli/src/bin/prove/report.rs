// SPDX-License-Identifier: MIT OR Apache-2.0
//! What came out, as a table.

use super::proof::{Engine, Proof};

/// What SymbiYosys found.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    Holds,
    /// With the assertion that a counterexample breaks.
    Refuted(String),
    /// With the reason.
    Undecided(String),
}

/// The end of one run.
pub struct Outcome {
    pub proof: &'static str,
    pub mutant: Option<usize>,
    pub verdict: Verdict,
    pub seconds: f64,
}

impl Outcome {
    /// A proof must hold; a mutant must be refuted by a counterexample, and an undecided one is not caught.
    fn is_right(&self) -> bool {
        match self.mutant {
            None => self.verdict == Verdict::Holds,
            Some(_) => matches!(self.verdict, Verdict::Refuted(_)),
        }
    }
}

/// Whether a proof holds and all of its mutants are caught.
pub fn ended_well(proof: &Proof, outcomes: &[Outcome]) -> bool {
    outcomes.iter().filter(|outcome| outcome.proof == proof.name).all(Outcome::is_right)
}

/// Prints a line for each proof and mutant: how many did not end as they should.
pub fn print(proofs: &[Proof], outcomes: &[Outcome]) -> usize {
    println!("{:15} {:25} {:>7}  result", "proof", "method", "seconds");
    for proof in proofs {
        for outcome in outcomes.iter().filter(|o| o.proof == proof.name && o.mutant.is_none()) {
            println!(
                "{:15} {:25} {:7.1}  {}",
                proof.name,
                method(proof.engine),
                outcome.seconds,
                proved(&outcome.verdict)
            );
        }
        for (i, mutant) in proof.mutants.iter().enumerate() {
            for outcome in outcomes.iter().filter(|o| o.proof == proof.name && o.mutant == Some(i)) {
                println!("  mutant: {:33} {:6.1}  {}", mutant.name, outcome.seconds, caught(&outcome.verdict));
            }
        }
    }
    let wrong = outcomes.iter().filter(|outcome| !outcome.is_right()).count();
    let mutants = outcomes.iter().filter(|outcome| outcome.mutant.is_some()).count();
    println!("{} proofs, {mutants} mutants, {wrong} not as they should be", outcomes.len() - mutants);
    wrong
}

fn method(engine: Engine) -> String {
    match engine {
        Engine::Pdr => "unbounded, pdr".into(),
        Engine::Induction { depth, .. } => format!("unbounded, {depth}-induction"),
    }
}

fn proved(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds => "proved".into(),
        Verdict::Refuted(assertion) => format!("REFUTED: {assertion}"),
        Verdict::Undecided(why) => format!("NOT PROVED: {why}"),
    }
}

fn caught(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Holds => "NOT CAUGHT".into(),
        Verdict::Refuted(assertion) => format!("caught by {assertion}"),
        Verdict::Undecided(why) => format!("NOT CAUGHT: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(mutant: Option<usize>, verdict: Verdict) -> Outcome {
        Outcome { proof: "p", mutant, verdict, seconds: 0.0 }
    }

    #[test]
    fn a_mutant_counts_only_with_a_counterexample() {
        assert!(outcome(None, Verdict::Holds).is_right());
        assert!(!outcome(None, Verdict::Undecided(String::new())).is_right());
        assert!(outcome(Some(0), Verdict::Refuted(String::new())).is_right());
        assert!(!outcome(Some(0), Verdict::Undecided(String::new())).is_right());
        assert!(!outcome(Some(0), Verdict::Holds).is_right());
    }
}
