// SPDX-License-Identifier: MIT OR Apache-2.0
//! Scans and spoofed sources that the slow path told of, for those who ask (`millrace events`).

use crate::args::EventsArgs;
use crate::control::{Client, Request};
use anyhow::{Context, Result};
use millrace_firmware::detect::{Action, Event, Kind};
use millrace_regs::config::Config;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::time::{Duration, SystemTime};

/// Events that are kept for readers; one that is further behind loses the older ones.
const KEPT: usize = 1024;

/// An event as readers get it.
#[derive(Serialize)]
struct Line<'a> {
    /// Number among all of the device, from 1 on.
    seq: u64,
    timestamp: String,
    /// Device time.
    device_ns: u64,
    port: String,
    #[serde(flatten)]
    kind: &'a Kind,
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offloaded: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// What a reader is given.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Events that it should have got before these, and that are not kept any more.
    pub lost: u64,
    pub events: Vec<Value>,
    /// Number of the last event: the next request is for those after it.
    pub last: u64,
}

/// The last events. Each reader says which it had, so that none waits for another, nor the device for any.
#[derive(Default)]
pub struct EventLog {
    kept: VecDeque<Value>,
    /// Number of the last event.
    last: u64,
    /// The time of day at device time 0, in nanoseconds since 1970; none: events are of now.
    pub time_zero: Option<u64>,
}

impl EventLog {
    /// Takes in what the slow path told of, and how many events before that it lost.
    pub fn add(&mut self, config: &Config, events: Vec<Event>, lost: u64) {
        self.last += lost;
        if lost > 0 {
            // Numbers have no gaps among those that are kept.
            self.kept.clear();
        }
        for event in events {
            self.last += 1;
            let line = self.line(config, &event);
            tracing::warn!("{line}");
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(line);
        }
    }

    /// The events after one of this number; none if there are none yet.
    pub fn after(&self, seq: u64) -> Option<Batch> {
        let first = self.last - self.kept.len() as u64 + 1;
        let seq = seq.min(self.last);
        let lost = first.saturating_sub(seq + 1);
        let skip = (seq + 1).saturating_sub(first) as usize;
        let events: Vec<Value> = self.kept.iter().skip(skip).cloned().collect();
        (!events.is_empty() || lost > 0).then_some(Batch { lost, events, last: self.last })
    }

    /// What a reader gets for whom there is nothing.
    pub fn nothing(&self) -> Batch {
        Batch { lost: 0, events: vec![], last: self.last }
    }

    fn line(&self, config: &Config, event: &Event) -> Value {
        let Event { at, vport, ref kind, action } = *event;
        let time = match self.time_zero {
            Some(zero) => SystemTime::UNIX_EPOCH + Duration::from_nanos(zero) + Duration::from_nanos(at),
            None => SystemTime::now(),
        };
        let mut line = Line {
            seq: self.last,
            timestamp: time_of_day(time),
            device_ns: at,
            port: config.vport_name(vport.into()).unwrap_or_default(),
            kind,
            action: "none",
            until: None,
            offloaded: None,
            why: None,
        };
        match action {
            Action::None => {}
            Action::Dropped => line.action = "dropped",
            Action::TooManyBlocks => line.why = Some("as many sources are blocked as can be"),
            Action::Blocked { until, offloaded } => {
                line.action = "blocked";
                line.until = Some(time_of_day(time + Duration::from_nanos(until.saturating_sub(at))));
                line.offloaded = Some(offloaded);
            }
        }
        serde_json::to_value(line).expect("an event can be written as JSON")
    }
}

/// RFC 3339, as the log has it.
fn time_of_day(time: SystemTime) -> String {
    humantime::format_rfc3339_micros(time).to_string()
}

/// `millrace events`: prints events as they come.
pub fn run(args: &EventsArgs) -> Result<()> {
    let client = Client::connect(args.control.as_deref())?;
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut after = 0;
    while left > 0 {
        let answer = client.ask(&Request::Events { after, wait: !args.once })?;
        let Batch { lost, events, last } =
            serde_json::from_value(answer).context("the device's answer makes no sense")?;
        after = last;
        let gap = (lost > 0).then(|| serde_json::json!({ "event_type": "lost", "count": lost }));
        let wanted = usize::try_from(left).unwrap_or(usize::MAX);
        left -= events.len().min(wanted) as u64;
        match print(gap.iter().chain(events.iter().take(wanted))) {
            // Whoever reads has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            printed => printed.context("cannot print")?,
        }
        if args.once {
            return Ok(());
        }
    }
    Ok(())
}

fn print<'a>(lines: impl Iterator<Item = &'a Value>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_firmware::detect::{MacAddress, Subject, Target};
    use millrace_regs::config::Preset;

    fn event(at: u64, action: Action) -> Event {
        let target = |n: u8| Target { ip: [10, 0, 0, n].into(), service: None };
        let kind = Kind::Scan {
            src_ip: [10, 0, 0, 1].into(),
            src_mac: Some(MacAddress(0x0200_0000_0001)),
            ports: 0,
            hosts: 3,
            within_ns: 5,
            first: target(2),
            last: target(4),
        };
        Event { at, vport: 3, kind, action }
    }

    #[test]
    fn an_event_is_an_object_with_names_and_times_that_people_know() {
        let mut log = EventLog { time_zero: Some(1_700_000_000_000_000_000), ..EventLog::default() };
        let blocked = Action::Blocked { until: 61_000_000_000, offloaded: true };
        let subject = Subject::SrcMac(MacAddress(9));
        let over = Kind::Unblocked { subject, reason: "spoof", dropped: 7 };
        let over = Event { at: 0, vport: 2, kind: over, action: Action::None };
        log.add(&Preset::Sim.config(), vec![event(1_000_000_000, blocked), over], 0);
        let Batch { events, .. } = log.after(0).unwrap();
        assert_eq!(
            events[0],
            serde_json::json!({
                "seq": 1, "timestamp": "2023-11-14T22:13:21.000000Z", "device_ns": 1_000_000_000, "port": "vf0",
                "event_type": "scan", "src_ip": "10.0.0.1", "src_mac": "02:00:00:00:00:01", "ports": 0, "hosts": 3,
                "within_ns": 5, "first": { "ip": "10.0.0.2" }, "last": { "ip": "10.0.0.4" },
                "action": "blocked", "until": "2023-11-14T22:14:21.000000Z", "offloaded": true,
            })
        );
        assert_eq!(
            events[1],
            serde_json::json!({
                "seq": 2, "timestamp": "2023-11-14T22:13:20.000000Z", "device_ns": 0, "port": "pf",
                "event_type": "unblocked", "src_mac": "00:00:00:00:00:09", "reason": "spoof", "dropped": 7,
                "action": "none",
            })
        );
    }

    #[test]
    fn each_reader_goes_on_where_it_was_and_a_slow_one_is_told_what_it_lost() {
        let mut log = EventLog::default();
        let config = Preset::Sim.config();
        assert_eq!(log.after(0), None);
        let add = |log: &mut EventLog, n: usize, lost| log.add(&config, vec![event(0, Action::None); n], lost);
        add(&mut log, 3, 0);
        let read = |log: &EventLog, after| {
            let batch = log.after(after)?;
            let seq = |value: Option<&Value>| value.and_then(|v| v["seq"].as_u64()).unwrap_or(0);
            Some((batch.lost, seq(batch.events.first()), seq(batch.events.last()), batch.last))
        };
        assert_eq!((read(&log, 0), read(&log, 2), read(&log, 3)), (Some((0, 1, 3, 3)), Some((0, 3, 3, 3)), None));
        assert_eq!(read(&log, 99), None, "of another device, perhaps");
        add(&mut log, KEPT, 0);
        let last = KEPT as u64 + 3;
        assert_eq!(read(&log, 0), Some((3, 4, last, last)));
        assert_eq!(read(&log, 1), Some((2, 4, last, last)));
        assert_eq!(log.kept.len(), KEPT);
        add(&mut log, 1, 5);
        assert_eq!(read(&log, last), Some((5, last + 6, last + 6, last + 6)));
        add(&mut log, 0, 2);
        assert_eq!(read(&log, last + 6), Some((2, 0, 0, last + 8)));
    }
}
