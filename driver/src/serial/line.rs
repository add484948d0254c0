// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the host channel runs over.

use std::io::{self, Read, Write};
use std::time::Duration;

/// A stream of bytes in each direction, whose `read` and `write` never wait: they fail with [`WouldBlock`](io::ErrorKind::WouldBlock)
/// instead. A `read` of no byte means that the other side is gone.
pub trait Line: Read + Write {
    /// Waits until there is something to read, or (with `room`) room to write, but no longer than this.
    ///
    /// # Errors
    /// If the line has failed.
    fn wait(&mut self, room: bool, longest: Duration) -> io::Result<()>;
}
