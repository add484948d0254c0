// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tells input that cannot be used from everything else that can go wrong.

use std::error::Error;
use std::fmt;

/// What the user gave cannot be used; nothing of it was applied. The message names the place.
#[derive(Debug)]
pub struct BadInput(pub String);

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadInput {}

/// Marks an error as one of the input.
pub trait BadInputExt<T> {
    fn bad_input(self) -> Result<T, BadInput>;
}

impl<T, E: fmt::Display> BadInputExt<T> for Result<T, E> {
    fn bad_input(self) -> Result<T, BadInput> {
        self.map_err(|error| BadInput(format!("{error:#}")))
    }
}
