// SPDX-License-Identifier: MIT OR Apache-2.0
//! The packets of one capture, in the order of their times.

use super::survey::Survey;
use crate::error::{BadInput, BadInputExt};
use crate::standard;
use anyhow::{Context, Result, bail};
use millrace_sim::capture::{CaptureError, Reader};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::Path;

/// A packet that is to come: its time, and where its frame is in the file.
#[derive(Clone, Copy, Debug)]
pub struct Ahead {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    at: u64,
    length: u32,
}

/// A capture that was looked through, read packet by packet.
pub struct Source {
    reader: Reader<File>,
    pub survey: Survey,
    /// All packets in the order of their times, if the file has them in another.
    sorted: Option<VecDeque<Ahead>>,
    /// Packets that were not read yet.
    left: u64,
}

impl Source {
    /// Opens a capture and looks through it; `-` is the standard input.
    pub fn open(name: &str, max_frame: usize, strict: bool) -> Result<Self, BadInput> {
        let path = Path::new(standard::input_name(name));
        let file = open(name).with_context(|| path.display().to_string()).bad_input()?;
        let mut reader = Reader::new(path, file, max_frame).bad_input()?;
        let survey = Survey::of(&mut reader, strict).bad_input()?;
        for note in survey.notes(&path.display().to_string()) {
            eprintln!("millrace: {note}");
        }
        reader.rewind().bad_input()?;
        let mut source = Source { reader, left: survey.packets, survey, sorted: None };
        if source.survey.early > 0 {
            source.sorted = Some(source.sort().map_err(|error| BadInput(format!("{error:#}")))?);
        }
        Ok(source)
    }

    /// All packets by time, those of the same time in the order of the file.
    fn sort(&mut self) -> Result<VecDeque<Ahead>> {
        let mut all = Vec::with_capacity(self.left as usize);
        while let Some(ahead) = self.next_in_file()? {
            all.push(ahead);
        }
        all.sort_unstable_by_key(|ahead| (ahead.time_ns, ahead.at));
        Ok(all.into())
    }

    /// The next packet.
    pub fn next(&mut self) -> Result<Option<Ahead>> {
        match &mut self.sorted {
            Some(sorted) => Ok(sorted.pop_front()),
            None => self.next_in_file(),
        }
    }

    fn next_in_file(&mut self) -> Result<Option<Ahead>> {
        while self.left > 0 {
            let Some(record) = self.reader.next_record().map_err(changed)? else {
                bail!("{}: the file is shorter than it was before the run", self.reader.path().display());
            };
            if record.unfit.is_none() {
                self.left -= 1;
                let length = record.length as u32;
                return Ok(Some(Ahead { time_ns: record.time_ns, at: record.at, length }));
            }
        }
        Ok(None)
    }

    /// The frame of a packet of this capture.
    pub fn frame(&mut self, ahead: Ahead) -> Result<Vec<u8>> {
        self.reader.frame(ahead.at, ahead.length as usize).map_err(changed)
    }
}

/// A capture was good before the run began.
fn changed(error: CaptureError) -> anyhow::Error {
    anyhow::Error::new(error).context("a capture was changed while it was read")
}

/// A file that can be read twice, from any place: what cannot (a pipe, the standard input) is copied to a temporary file without
/// a name.
fn open(name: &str) -> io::Result<File> {
    let mut file = if name == standard::NAME { standard::input()? } else { File::open(name)? };
    if name != standard::NAME && file.metadata()?.is_file() {
        return Ok(file);
    }
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut file, &mut copy)?;
    Ok(copy)
}
