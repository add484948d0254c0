// SPDX-License-Identifier: MIT OR Apache-2.0
//! Captures on their way in: looked through before the run begins, then read as it goes, in the order of their packets' times.

mod source;
mod survey;

use crate::error::BadInput;
use crate::port_name::vport;
use crate::stats::LeftOut;
use anyhow::Result;
use millrace_sim::Config;
use source::{Ahead, Source};

/// A packet and where it enters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    pub vport: usize,
    pub frame: Vec<u8>,
}

/// Turns pairs of port and name into pairs of number and name, at most one per port.
pub fn by_vport<'a>(
    config: &Config,
    option: &str,
    pairs: &'a [(String, String)],
) -> Result<Vec<(usize, &'a str)>, BadInput> {
    let mut found: Vec<(usize, &str)> = vec![];
    for (port, value) in pairs {
        let vport = vport(config, port)?;
        if found.iter().any(|(v, _)| *v == vport) {
            let name = config.vport_name(vport).unwrap_or_default();
            return Err(BadInput(format!("--{option} is given twice for port {name}")));
        }
        found.push((vport, value));
    }
    Ok(found)
}

/// A capture, its port, and its next packet.
struct Stream {
    vport: usize,
    source: Source,
    ahead: Option<Ahead>,
}

/// The packets of all captures, in the order of their times; of the same time in the order of ports, then of their file.
pub struct Inputs {
    /// By port.
    streams: Vec<Stream>,
    next: Option<Input>,
    total: u64,
    left: u64,
}

impl Inputs {
    /// Opens all captures and looks through them. Says on the standard error what of them does not enter, or not in the order of
    /// its file.
    pub fn open(config: &Config, files: &[(usize, &str)], strict: bool) -> Result<Self, BadInput> {
        let mut streams = vec![];
        for (vport, name) in files {
            let source = Source::open(name, config.max_frame, strict)?;
            streams.push(Stream { vport: *vport, source, ahead: None });
        }
        streams.sort_by_key(|stream| stream.vport);
        let total = streams.iter().map(|stream| stream.source.survey.packets).sum();
        let mut inputs = Inputs { streams, next: None, total, left: total };
        inputs.begin().map_err(|error| BadInput(format!("{error:#}")))?;
        Ok(inputs)
    }

    fn begin(&mut self) -> Result<()> {
        for stream in &mut self.streams {
            stream.ahead = stream.source.next()?;
        }
        self.fetch()
    }

    /// Reads the earliest packet that is left.
    fn fetch(&mut self) -> Result<()> {
        // Of several with the same time this is the first.
        let earliest = self.streams.iter_mut().filter(|s| s.ahead.is_some()).min_by_key(|s| s.ahead.map(|a| a.time_ns));
        self.next = match earliest {
            Some(Stream { vport, source, ahead }) => match ahead.take() {
                Some(packet) => {
                    let frame = source.frame(packet)?;
                    *ahead = source.next()?;
                    Some(Input { time_ns: packet.time_ns, vport: *vport, frame })
                }
                None => None,
            },
            None => None,
        };
        Ok(())
    }

    /// The next packet.
    pub fn front(&self) -> Option<&Input> {
        self.next.as_ref()
    }

    /// Takes the next packet.
    pub fn pop(&mut self) -> Result<Option<Input>> {
        let input = self.next.take();
        self.left -= u64::from(input.is_some());
        self.fetch()?;
        Ok(input)
    }

    /// Gives no more.
    pub fn stop(&mut self) {
        (self.next, self.left) = (None, 0);
        self.streams.clear();
    }

    /// Packets in all, and packets that are left.
    pub fn counts(&self) -> (u64, u64) {
        (self.total, self.left)
    }

    /// Times of the earliest and the latest packet; none without packets.
    pub fn times(&self) -> Option<(u64, u64)> {
        let times = || self.streams.iter().filter_map(|stream| stream.source.survey.times);
        Some((times().map(|(first, _)| first).min()?, times().map(|(_, last)| last).max()?))
    }

    /// Packets that do not enter, by port.
    pub fn left_out(&self, vports: usize) -> Vec<LeftOut> {
        let mut left_out = vec![LeftOut::default(); vports];
        for stream in &self.streams {
            left_out[stream.vport] = stream.source.survey.left_out;
        }
        left_out
    }
}
