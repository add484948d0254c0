// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is in a capture: it is looked through before the run begins, so that one that cannot be used stops it.

use crate::stats::LeftOut;
use millrace_regs::config::MIN_FRAME;
use millrace_sim::capture::{CaptureError, Fault, Reader, Record, Unfit};
use std::io::{Read, Seek};

/// A capture in figures.
#[derive(Debug, Default)]
pub struct Survey {
    /// Packets that enter.
    pub packets: u64,
    /// Times of the earliest and the latest of them.
    pub times: Option<(u64, u64)>,
    /// Packets that are earlier than one before them in the file.
    pub early: u64,
    pub left_out: LeftOut,
    /// Where the file ends too early, if it does.
    pub cut: Option<CaptureError>,
}

impl Survey {
    /// Looks through a capture whose reader is at its beginning. `strict` refuses what is left out otherwise.
    pub fn of<R: Read + Seek>(reader: &mut Reader<R>, strict: bool) -> Result<Self, CaptureError> {
        let mut survey = Survey::default();
        loop {
            match reader.next_record() {
                Ok(None) => return Ok(survey),
                Ok(Some(record)) => match record.unfit {
                    None => survey.add(&record),
                    Some(unfit) if strict => return Err(reader.refusal(&record, unfit)),
                    Some(unfit) => count(&mut survey.left_out, unfit),
                },
                Err(error) if !strict && is_cut(&error) => {
                    survey.left_out.cut_short = u64::from(matches!(error, CaptureError::Bad { packet: Some(_), .. }));
                    survey.cut = Some(error);
                    return Ok(survey);
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn add(&mut self, record: &Record) {
        self.packets += 1;
        let time = record.time_ns;
        let (first, last) = self.times.unwrap_or((time, time));
        self.early += u64::from(time < last);
        self.times = Some((first.min(time), last.max(time)));
    }

    /// What a user should know of it.
    pub fn notes(&self, name: &str) -> Vec<String> {
        let mut notes: Vec<String> = self.cut.iter().map(|cut| format!("{cut}: what comes before is used")).collect();
        let reasons = self.left_out.by_reason();
        let left_out: u64 = reasons.iter().map(|(_, n)| n).sum();
        if left_out > 0 {
            let all = self.packets + left_out;
            let reasons: Vec<String> =
                reasons.iter().filter(|(_, n)| *n > 0).map(|(reason, n)| format!("{reason} {n}")).collect();
            notes.push(format!("{name}: {left_out} of {all} packets are left out: {}", reasons.join(", ")));
        }
        if self.early > 0 {
            let all = self.packets;
            notes.push(format!("{name}: {} of {all} packets are earlier than one before them: sorted", self.early));
        }
        notes
    }
}

/// Counts a packet that does not enter.
fn count(left_out: &mut LeftOut, unfit: Unfit) {
    *match unfit {
        Unfit::Snapped { .. } => &mut left_out.snapped,
        Unfit::Length { length, .. } if (length as usize) < MIN_FRAME => &mut left_out.too_short,
        Unfit::Length { .. } => &mut left_out.too_long,
    } += 1;
}

fn is_cut(error: &CaptureError) -> bool {
    matches!(error, CaptureError::Bad { fault: Fault::CutShort, .. })
}
