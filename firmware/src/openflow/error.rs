// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is wrong with a flow file, and where.

use std::fmt;

/// One fault of a flow file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right, if known.
    pub hint: Option<String>,
}

/// A flow file that cannot be used. Nothing of it was applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FlowFileError {
    /// The file's name as it was given.
    pub file: String,
    /// The faults in the order of the file, at least one, at most [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// How many more there were.
    pub omitted: usize,
}

/// Faults that are told of one file.
pub const MAX_PROBLEMS: usize = 20;
/// Faults that are told of one line, so that it does not hide the others.
pub const MAX_IN_LINE: usize = 5;

impl fmt::Display for FlowFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, p) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{}:{}: {}", self.file, p.line, p.column, p.message)?;
            if let Some(hint) = &p.hint {
                write!(f, " ({hint})")?;
            }
        }
        if self.omitted > 0 {
            write!(f, "\n{}: {} more errors", self.file, self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for FlowFileError {}

/// Problems of a file while it is read.
#[derive(Default)]
pub(super) struct Problems {
    problems: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    /// Adds the faults of a line, given its number and text.
    pub fn add(&mut self, line: usize, text: &str, mut faults: Vec<Fault>) {
        faults.sort_by_key(|fault| fault.at);
        let room = MAX_IN_LINE.min(MAX_PROBLEMS - self.problems.len());
        self.omitted += faults.len().saturating_sub(room);
        self.problems.extend(faults.into_iter().take(room).map(|fault| fault.place(line, text)));
    }

    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The end of the file with this name.
    pub fn end(self, file: &str) -> Result<(), FlowFileError> {
        let Self { problems, omitted } = self;
        if problems.is_empty() { Ok(()) } else { Err(FlowFileError { file: file.to_owned(), problems, omitted }) }
    }
}

/// A fault within one line: where (byte offset), what, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    pub at: usize,
    pub message: String,
    pub hint: Option<String>,
}

impl Fault {
    pub fn new(at: usize, message: impl Into<String>) -> Fault {
        Fault { at, message: message.into(), hint: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    /// The fault with its place in the file, given the line's number and text.
    pub fn place(self, line: usize, text: &str) -> Problem {
        let column = 1 + text.get(..self.at).map_or(self.at, |before| before.chars().count());
        Problem { line, column, message: shown(&self.message), hint: self.hint.as_deref().map(shown) }
    }
}

/// A message as it is told: it may hold a piece of the file, of any length and with control characters.
fn shown(message: &str) -> String {
    const MOST: usize = 250;
    let mut rest = message.chars().flat_map(visible);
    let mut shown: String = rest.by_ref().take(MOST).collect();
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

fn visible(c: char) -> impl Iterator<Item = char> {
    let escape = c.is_control().then(|| c.escape_default());
    escape.into_iter().flatten().chain((!c.is_control()).then_some(c))
}
