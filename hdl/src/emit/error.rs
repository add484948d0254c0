// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the emitter refuses to translate, and where it stands.

use std::fmt;
use thiserror::Error;

/// A place in the Rust that has no sound translation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {reason}")]
pub struct EmitError {
    /// Where it stands.
    pub place: Place,
    /// What is wrong there.
    pub reason: Reason,
}

/// A place in the tree of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The instance's path of field names from the top, as `top.a.b`. Of several instances, the first.
    pub path: String,
    /// The block's Rust type, as `Fifo<Bits<40>, 9, 10>`.
    pub block: String,
    /// The signal that is assigned or concerned, if the place can be told that exactly.
    pub signal: Option<String>,
    /// File and line of the statement, if they are known.
    pub source: Option<(String, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.source {
            write!(f, "{file}:{line}: ")?;
        }
        write!(f, "{} ({})", self.path, self.block)?;
        self.signal.as_ref().map_or(Ok(()), |signal| write!(f, ", {signal}"))
    }
}

/// Why a place cannot be translated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// A number has more bits than the signal or operand beside it.
    #[error("literal {value} does not fit {width} bits")]
    LiteralTooWide { value: String, width: usize },
    /// A number that nothing gives a width.
    #[error("no width for the literal in `{0}`")]
    UnsizedLiteral(String),
    /// A path that leads to no signal.
    #[error("there is no signal `{0}` in this block")]
    NoSuchSignal(String),
    /// A path that goes on behind a value's end.
    #[error("{type_name} has no field `{field}`")]
    NoField { field: String, type_name: String },
    /// `let x = Struct { … }`
    #[error("write the type of this struct: `let x: Type = …`")]
    StructWithoutType,
    /// `x = Struct { a: x.b, b: x.a }`
    #[error("a field of this struct reads what another has changed before it: take a new `let`")]
    StructOfItself,
    /// An offset or index that had to be a number.
    #[error("`{0}` is not a number known when the block is built")]
    NotAConstant(String),
    /// `i && j`, `1 / 0`, `if p { 1 } else { 2 } + 3`: no width to compute in, or no value.
    #[error("operator on two literals")]
    LiteralOperator,
    /// `1 << x`: no width to shift in.
    #[error("shift of a literal")]
    LiteralShift,
    /// A kernel computes without signs.
    #[error("kernels have no signed values: use `Bits`")]
    Signed,
    /// The two sides of an assignment or operator differ.
    #[error("{found} bits where {needed} are needed: `{expression}`")]
    Width { found: usize, needed: usize, expression: String },
    /// A constant select past the end.
    #[error("bits {high}:{low} of a {width}-bit value")]
    OutOfRange { high: usize, low: usize, width: usize },
    /// An input, a constant or a child's output on the left.
    #[error("assignment to what this block does not drive")]
    NotDrivenHere,
    /// `match` on anything but enum states.
    #[error("match arm `{0}` is not an enum state")]
    MatchArm(String),
    /// The arm is a state of another enum than the value.
    #[error("match arm `{0}` is a state of another enum")]
    MatchArmOfOtherEnum(String),
    /// What Rust takes and hardware has not.
    #[error("cannot translate `{0}`")]
    Unsupported(String),
    /// Belongs into a board's wrapper.
    #[error("tri-state signals belong in a board's wrapper")]
    TriState,
    /// Hard IP.
    #[error("black boxes: use Verilog::Wrapper")]
    BlackBox,
    /// Nothing says what the block does.
    #[error(
        "the block has no kernel: write `#[millrace_hdl::block]`, or give it Verilog of its own (`Verilog::Custom`)"
    )]
    NoKernel,
    /// The emitter cannot name the module.
    #[error("the block has no field `tag: Tag<Self>`")]
    NoTag,
    /// rust-hdl would give the value of the last evaluation, Verilog an undefined or older one.
    #[error("read before it is written on every path")]
    EarlyRead,
    /// rust-hdl gives a child's input as it is in the end, Verilog as it is at that line.
    #[error("a child's input is read before its last assignment: take a `let`")]
    ChildInputRead,
    /// Keeps its value on some path.
    #[error("not written on every path (latch)")]
    Latch,
    /// No statement writes it.
    #[error("never driven")]
    NeverDriven,
    /// No statement writes some of its bits.
    #[error("bits never driven")]
    BitsNeverDriven,
}

/// A reason, and the signal it concerns if that is known; the block's place is added outside.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    pub signal: Option<String>,
    pub reason: Reason,
    /// File and line, if they are known.
    pub source: Option<(String, usize)>,
}

impl Fault {
    pub fn at(signal: &str, reason: Reason) -> Self {
        Fault { signal: Some(signal.into()), reason, source: None }
    }

    /// The same, of this line unless it has one.
    pub fn in_line(mut self, file: &str, line: usize) -> Self {
        self.source.get_or_insert_with(|| (file.into(), line));
        self
    }
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Self {
        Fault { signal: None, reason, source: None }
    }
}
