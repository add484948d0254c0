// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of modules: a type's own name, and where one type gives several modules, what tells them apart.

use super::names::{Names, snake_case, without_paths};
use std::collections::BTreeMap;

/// What a module is named after.
pub(super) struct Origin {
    /// The type's own name.
    pub base: String,
    pub arguments: Vec<Argument>,
}

/// A generic argument of a type.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Argument {
    /// The parameter's name, or empty.
    pub name: String,
    /// A number or a type, without paths of modules.
    pub value: String,
}

impl Origin {
    pub fn of(rust_type: &str, parameters: &[String]) -> Self {
        let text = without_paths(rust_type);
        let (base, rest) = text.split_once('<').unwrap_or((&text, ">"));
        let values = split(rest.strip_suffix('>').unwrap_or(rest));
        let named =
            |(i, value): (usize, String)| Argument { name: parameters.get(i).cloned().unwrap_or_default(), value };
        Origin { base: base.into(), arguments: values.into_iter().enumerate().map(named).collect() }
    }

    /// `Fifo, T = Beat<512, 7>, DEPTH_LOG2 = 8`
    pub fn described(&self) -> String {
        let each = self.arguments.iter().map(|argument| match argument.name.as_str() {
            "" => format!(", {}", argument.value),
            name => format!(", {name} = {}", argument.value),
        });
        self.base.clone() + &each.collect::<String>()
    }
}

/// Arguments at the commas that lie in no inner brackets.
fn split(arguments: &str) -> Vec<String> {
    let (mut all, mut depth, mut current) = (vec![], 0, String::new());
    for c in arguments.chars() {
        match c {
            ',' if depth == 0 => all.push(std::mem::take(&mut current)),
            _ => {
                depth += i32::from("<([".contains(c)) - i32::from(">)]".contains(c));
                current.push(c);
            }
        }
    }
    all.push(current);
    all.into_iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

impl Argument {
    /// `beat`, `bits_40`, `index_bits_15`: of a type its name, of a number the parameter's name, too.
    fn short(&self) -> String {
        let is_number = self.value.chars().all(|c| c.is_ascii_digit());
        match self.value.split('<').next() {
            _ if is_number => format!("{} {}", self.name.to_lowercase(), self.value),
            Some("Bits") | None => self.value.clone(),
            Some(base) => base.into(),
        }
    }
}

/// A name for each module; of the first of a base alone, the base. `taken` has names that are given already.
pub(super) fn module_names(origins: &[(usize, &Origin)], taken: &mut Names) -> BTreeMap<usize, String> {
    let mut by_base: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, (_, origin)) in origins.iter().enumerate() {
        by_base.entry(&origin.base).or_default().push(place);
    }
    let mut suffixes = vec![String::new(); origins.len()];
    for alike in by_base.values() {
        let arguments: Vec<&[Argument]> = alike.iter().map(|place| &*origins[*place].1.arguments).collect();
        for (place, suffix) in alike.iter().zip(telling_apart(&arguments)) {
            suffixes[*place] = suffix;
        }
    }
    // Equal types may give different modules, by what they are constructed with: those get numbers.
    let named = |((module, origin), suffix): (&(usize, &Origin), &String)| {
        (*module, taken.take(&snake_case(&format!("{}{suffix}", origin.base))))
    };
    origins.iter().zip(&suffixes).map(named).collect()
}

/// The arguments, from the first on, that tell each of these types from all others: short, or else in full.
fn telling_apart(all: &[&[Argument]]) -> Vec<String> {
    let full = |argument: &Argument| argument.value.clone();
    let mut suffixes = vec![String::new(); all.len()];
    let most = all.iter().map(|arguments| arguments.len()).max().unwrap_or(0);
    for text in [Argument::short as fn(&Argument) -> String, full] {
        for i in 0..most {
            let longer = |(suffix, arguments): (&String, &&[Argument])| {
                format!("{suffix} {}", arguments.get(i).map(text).unwrap_or_default())
            };
            let longer: Vec<String> = suffixes.iter().zip(all).map(longer).collect();
            // Only those that are alike become longer, and only if that helps.
            let helps = |at: &usize| {
                let alike = |other: &usize| suffixes[*other] == suffixes[*at];
                (0..all.len()).filter(alike).any(|other| longer[other] != longer[*at])
            };
            let helped: Vec<usize> = (0..all.len()).filter(helps).collect();
            helped.into_iter().for_each(|at| suffixes[at] = longer[at].clone());
        }
    }
    suffixes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(types: &[&str], parameters: &[&str]) -> Vec<String> {
        let parameters: Vec<String> = parameters.iter().map(|name| (*name).to_owned()).collect();
        let origins: Vec<Origin> = types.iter().map(|name| Origin::of(name, &parameters)).collect();
        let numbered: Vec<_> = origins.iter().enumerate().collect();
        module_names(&numbered, &mut Names::default()).into_values().collect()
    }

    #[test]
    fn a_type_with_one_module_has_its_name_alone() {
        assert_eq!(names(&["a::Fifo<a::Bits<8>, 3, 4>"], &["T", "DEPTH_LOG2", "COUNT_BITS"]), ["fifo"]);
    }

    #[test]
    fn what_differs_first_tells_modules_apart() {
        let fifos = ["Fifo<Beat<512, 7>, 3, 4>", "Fifo<a::Bits<8>, 3, 4>", "Fifo<Bits<9>, 3, 4>"];
        assert_eq!(names(&fifos, &["T", "DEPTH_LOG2", "COUNT_BITS"]), ["fifo_beat", "fifo_bits_8", "fifo_bits_9"]);
        let counters = ["Counters<8>", "Counters<15>"];
        assert_eq!(names(&counters, &["INDEX_BITS"]), ["counters_index_bits_8", "counters_index_bits_15"]);
        let rams = ["Ram<Step, 5>", "Ram<Slot, 5>", "Ram<Step, 8>"];
        assert_eq!(
            names(&rams, &["T", "ADDRESS_BITS"]),
            ["ram_step_address_bits_5", "ram_slot", "ram_step_address_bits_8"]
        );
    }

    #[test]
    fn types_of_one_name_are_told_apart_in_full() {
        assert_eq!(names(&["Skid<Beat<64, 4>>", "Skid<Beat<512, 7>>"], &["T"]), ["skid_beat_64_4", "skid_beat_512_7"]);
    }

    #[test]
    fn an_origin_is_described_by_names() {
        let parameters = ["T".to_owned(), "DEPTH_LOG2".to_owned()];
        let origin = Origin::of("x::Fifo<x::Beat<512, 7>, 8, 9>", &parameters);
        assert_eq!(origin.described(), "Fifo, T = Beat<512, 7>, DEPTH_LOG2 = 8, 9");
    }
}
