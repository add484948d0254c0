// SPDX-License-Identifier: MIT OR Apache-2.0
//! Waveforms of a window of cycles.

use crate::clocks::CYCLE_NS;
use crate::ffi::Model;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A waveform file cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot write waveforms to {path}")]
pub struct TraceError {
    path: PathBuf,
    source: std::io::Error,
}

/// What is written of a model's waveforms.
#[derive(Default)]
pub(crate) enum Trace {
    #[default]
    Off,
    Waiting(PathBuf, Range<u64>),
    Open(u64),
}

impl Trace {
    /// Writes those in `cycles` to `path` (FST). One window at a time: a new one ends the one before.
    pub fn begin(&mut self, model: &mut Model, path: &Path, cycles: Range<u64>) -> Result<(), TraceError> {
        self.end(model);
        File::create(path).map_err(|source| TraceError { path: path.into(), source })?;
        *self = Trace::Waiting(path.into(), cycles);
        Ok(())
    }

    /// Completes the file, if one is being written.
    pub fn end(&mut self, model: &mut Model) {
        model.trace_close();
        *self = Trace::Off;
    }

    /// Adds the state at `offset` ns in a cycle, if it is in the window.
    #[inline]
    pub fn dump(&mut self, model: &mut Model, cycle: u64, offset: u64) {
        if !matches!(self, Trace::Off) {
            self.dump_on(model, cycle, offset);
        }
    }

    #[cold]
    fn dump_on(&mut self, model: &mut Model, cycle: u64, offset: u64) {
        if let Trace::Waiting(path, cycles) = self
            && cycle >= cycles.start
        {
            let end = cycles.end;
            // `begin` made sure that the file can be written.
            model.trace_open(path);
            *self = Trace::Open(end);
        }
        match self {
            Trace::Open(end) if cycle >= *end => self.end(model),
            Trace::Open(_) => model.trace_dump(cycle * CYCLE_NS + offset),
            _ => {}
        }
    }
}
