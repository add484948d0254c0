// SPDX-License-Identifier: MIT OR Apache-2.0
//! Figures as JSON lines while they are measured, and as a table at the end.

use serde_json::json;

/// What was measured.
#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

struct Row {
    figure: &'static str,
    configuration: String,
    value: f64,
    unit: &'static str,
}

impl Report {
    /// Adds a figure, measured on `configuration`.
    pub fn add(&mut self, figure: &'static str, configuration: impl Into<String>, value: f64, unit: &'static str) {
        let configuration = configuration.into();
        println!("{}", json!({"figure": figure, "configuration": configuration, "value": value, "unit": unit}));
        self.rows.push(Row { figure, configuration, value, unit });
    }

    /// Prints the table.
    pub fn print(&self) {
        let width = |text: fn(&Row) -> &str| self.rows.iter().map(|row| text(row).len()).max().unwrap_or(0);
        let (figures, configurations) = (width(|row| row.figure), width(|row| &row.configuration));
        println!();
        for Row { figure, configuration, value, unit } in &self.rows {
            let value = if *value < 100.0 { format!("{value:.3}") } else { format!("{value:.0}") };
            println!("{figure:figures$}  {configuration:configurations$}  {value:>12} {unit}");
        }
    }
}

/// CPU time of this thread in seconds: what others do on the machine does not count.
pub fn cpu_seconds() -> f64 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock that Linux has");
    time.tv_sec() as f64 + time.tv_nsec() as f64 * 1e-9
}
