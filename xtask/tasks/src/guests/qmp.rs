// SPDX-License-Identifier: MIT OR Apache-2.0
//! QEMU's monitor: one JSON object a line (QEMU Machine Protocol).

use super::wait::{Deadline, Interrupts, Lines};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// An answer comes at once, but on a loaded machine.
const LIMIT: Duration = Duration::from_secs(60);

pub struct Qmp(Lines<UnixStream>);

impl Qmp {
    /// Takes up the protocol on a fresh connection.
    pub fn new(interrupts: &Interrupts, stream: UnixStream) -> Result<Self> {
        let mut qmp = Self(Lines::new(interrupts, stream));
        let greeting = qmp.message(Deadline::after(LIMIT))?;
        if greeting["QMP"].is_null() {
            bail!("QEMU greets with {greeting}");
        }
        qmp.execute("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Has a command carried out; what it returns.
    pub fn execute(&mut self, command: &str, arguments: Value) -> Result<Value> {
        let line = format!("{}\n", json!({"execute": command, "arguments": arguments}));
        self.0.file.write_all(line.as_bytes()).with_context(|| format!("cannot tell QEMU to {command}"))?;
        let deadline = Deadline::after(LIMIT);
        loop {
            let mut message = self.message(deadline).with_context(|| format!("no answer to {command}"))?;
            if !message["error"].is_null() {
                bail!("QEMU refuses {command}: {}", message["error"]);
            }
            // Events come between.
            if let Some(answer) = message.get_mut("return") {
                return Ok(answer.take());
            }
        }
    }

    fn message(&mut self, deadline: Deadline) -> Result<Value> {
        let line = self.0.next(deadline)?.context("QEMU has ended")?;
        serde_json::from_str(&line).with_context(|| format!("QEMU says {line:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::thread;

    #[test]
    fn events_are_passed_over_and_refusals_are_errors() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let monitor = thread::spawn(move || {
            let answers = [
                r#"{"return": {}}"#,
                "{\"event\": \"STOP\"}\n{\"return\": {\"running\": true}}",
                r#"{"error": {"class": "GenericError", "desc": "no such bus"}}"#,
            ];
            let mut asked = BufReader::new(theirs.try_clone().unwrap()).lines();
            writeln!(&theirs, r#"{{"QMP": {{"version": {{}}}}}}"#).unwrap();
            answers.map(|answer| {
                let question = asked.next().unwrap().unwrap();
                writeln!(&theirs, "{answer}").unwrap();
                question
            })
        });
        let mut qmp = Qmp::new(&Interrupts::catch().unwrap(), ours).unwrap();
        assert_eq!(qmp.execute("query-status", json!({})).unwrap(), json!({"running": true}));
        let refused = qmp.execute("device_add", json!({"driver": "x"})).unwrap_err().to_string();
        assert!(refused.contains("device_add") && refused.contains("no such bus"), "{refused}");
        let asked = monitor.join().unwrap();
        assert_eq!(asked[2], r#"{"arguments":{"driver":"x"},"execute":"device_add"}"#);
        let gone = qmp.execute("quit", json!({})).unwrap_err();
        assert!(format!("{gone:#}").contains("quit"), "{gone:#}");
    }
}
