// SPDX-License-Identifier: MIT OR Apache-2.0
//! A picture of one-bit signals of a recorded run, as SVG.

use fst_reader::{FstFilter, FstHierarchyEntry, FstReader, FstSignalHandle, FstSignalValue};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Wires of `Pipeline`, and how they are called in the picture.
const SIGNALS: [(&str, &str); 13] = [
    ("rx_3_valid", "a beat comes in at vf0"),
    ("merge_started", "Merge starts the packet"),
    ("merge_valid", "beats from Merge"),
    ("gather_window_valid", "header window from Gather"),
    ("parser_parsed_valid", "key from Parser"),
    ("matching_result_valid", "rule and step from Match"),
    ("expand_job_valid", "job from Expand"),
    ("expand_rule_valid", "a hit is counted"),
    ("headers_edited_valid", "new head from HeaderEdit"),
    ("splice_read", "Splice reads payload"),
    ("splice_out_valid", "beats from Splice"),
    ("tx_0_valid", "a beat goes out at p0"),
    ("idle", "all but the ports rests"),
];
/// Nanoseconds of a clock.
const CLOCK: u64 = 4;
/// In pixels: where the first clock begins, the width of a clock, the height of a row, that of a 1.
const LEFT: u64 = 230;
const STEP: u64 = 10;
const ROW: u64 = 24;
const HIGH: u64 = 14;

/// The picture of a file.
pub fn picture(file: &Path) -> String {
    let mut reader = FstReader::open(BufReader::new(File::open(file).unwrap())).unwrap();
    // Rows by the number of their signal: one net has many names.
    let (mut scope, mut rows) = (vec![], BTreeMap::<usize, Vec<usize>>::new());
    reader
        .read_hierarchy(|entry| match entry {
            FstHierarchyEntry::Scope { name, .. } => scope.push(name),
            FstHierarchyEntry::UpScope => drop(scope.pop()),
            FstHierarchyEntry::Var { name, handle, .. } => {
                let path = [&scope[..], &[name]].concat().join(".");
                if let Some(row) =
                    SIGNALS.iter().position(|(signal, _)| path == format!("millrace.millrace.pipeline.{signal}"))
                {
                    rows.entry(handle.get_index()).or_default().push(row);
                }
            }
            _ => {}
        })
        .unwrap();
    for (row, (signal, _)) in SIGNALS.iter().enumerate() {
        assert!(rows.values().flatten().any(|found| *found == row), "there is no signal {signal}");
    }
    let (first, last) = (reader.get_header().start_time, reader.get_header().end_time);
    let mut changes = vec![vec![]; SIGNALS.len()];
    let filter = FstFilter::filter_signals(rows.keys().map(|index| FstSignalHandle::from_index(*index)).collect());
    reader
        .read_signals(&filter, |time, handle, value| {
            let FstSignalValue::String(bits) = value else { panic!("a signal of bits") };
            for row in &rows[&handle.get_index()] {
                changes[*row].push((time, bits == b"1"));
            }
            Ok::<(), ()>(())
        })
        .unwrap();
    svg(&changes, first, last)
}

fn svg(changes: &[Vec<(u64, bool)>], first: u64, last: u64) -> String {
    let clocks = (last - first) / CLOCK + 1;
    let (width, height) = (LEFT + clocks * STEP + 10, (SIGNALS.len() as u64 + 1) * ROW + 10);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for clock in (0..=clocks).step_by(10) {
        let x = LEFT + clock * STEP;
        let _ = writeln!(
            text,
            "<path d=\"M{x} 20V{height}\" stroke=\"#ddd\"/><text x=\"{x}\" y=\"14\" fill=\"#777\">{clock}</text>"
        );
    }
    for (n, changes) in changes.iter().enumerate() {
        let low = (n as u64 + 2) * ROW;
        let mut path = String::new();
        let mut level = low;
        for clock in 0..clocks {
            // As the clock's edge finds it.
            let time = first + clock * CLOCK;
            let value = changes.iter().take_while(|(at, _)| *at <= time).last().is_some_and(|(_, value)| *value);
            let now = if value { low - HIGH } else { low };
            let _ = match clock {
                0 => write!(path, "M{LEFT} {now}h{STEP}"),
                _ if now != level => write!(path, "V{now}h{STEP}"),
                _ => write!(path, "h{STEP}"),
            };
            level = now;
        }
        let _ = writeln!(
            text,
            "<text x=\"5\" y=\"{low}\">{}</text><path d=\"{path}\" fill=\"none\" stroke=\"#06c\"/>",
            SIGNALS[n].1
        );
    }
    text + "</svg>\n"
}
