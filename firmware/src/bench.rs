// SPDX-License-Identifier: MIT OR Apache-2.0
//! The slow path's speed, measured without a device: parse, translate, find the megaflow, put the packet out, encode the rule
//! and hand it over to a sink that counts.

use crate::openflow::{FlowTable, Ports, parse_flow_file};
use crate::slowpath::{Core, Hits, Offload, Refusal, Settings};
use millrace_driver::{Choice, Count, Placement};
use millrace_regs::config::MAX_FRAME;
use millrace_regs::{Key, Mask, Step, UpcallReason};
use std::fmt::{self, Write};
use std::time::Duration;

/// Takes every rule, encodes it as the device's words, and keeps nothing.
#[derive(Default)]
struct Sink {
    rules: u32,
    /// All words together, so that they are really made.
    sum: u32,
}

impl Offload for Sink {
    type Rule = u32;

    fn place(&mut self, mask: &Mask) -> Result<Choice, Refusal> {
        Ok(Choice { mask: *mask, placement: Placement::Auto })
    }

    fn insert(&mut self, key: &Key, choice: &Choice, program: &[Step], _: bool) -> Result<u32, Refusal> {
        let words = key.pack().into_iter().chain(choice.mask.pack()).chain(program.iter().flat_map(Step::pack));
        self.sum = words.fold(self.sum, |sum, word| sum.rotate_left(1) ^ word);
        self.rules += 1;
        Ok(self.rules)
    }

    fn update(&mut self, _: u32, _: &[Step]) -> Result<(), Refusal> {
        Ok(())
    }

    fn remove(&mut self, _: u32) {}

    fn last_counts(&mut self) -> Vec<(u32, Count)> {
        Vec::new()
    }

    fn hits(&mut self, _: u32) -> Hits {
        Hits::default()
    }
}

/// What [`upcalls`] measured.
#[derive(Clone, Copy, Debug)]
pub struct UpcallFigures {
    /// Packets, each of its own 5-tuple.
    pub upcalls: usize,
    /// Flow tables that each packet goes through.
    pub tables: usize,
    /// Flows in all.
    pub flows: usize,
    /// Megaflows that came of it.
    pub megaflows: usize,
    /// CPU time of the thread.
    pub cpu: Duration,
}

impl UpcallFigures {
    /// Upcalls per second of CPU time.
    pub fn per_second(&self) -> f64 {
        self.upcalls as f64 / self.cpu.as_secs_f64()
    }

    /// One line of JSON.
    pub fn json(&self) -> String {
        format!(
            "{{\"bench\":\"upcalls\",\"upcalls\":{},\"tables\":{},\"flows\":{},\"megaflows\":{},\"cpu_seconds\":{:.6},\"upcalls_per_cpu_second\":{:.0}}}",
            self.upcalls,
            self.tables,
            self.flows,
            self.megaflows,
            self.cpu.as_secs_f64(),
            self.per_second()
        )
    }
}

impl fmt::Display for UpcallFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} upcalls through {} tables with {} flows: {:.0} per CPU-second ({:.2} us each), {} megaflows",
            self.upcalls,
            self.tables,
            self.flows,
            self.per_second(),
            self.cpu.as_secs_f64() * 1e6 / self.upcalls as f64,
            self.megaflows
        )
    }
}

/// CPU time of this thread (`/proc/thread-self/schedstat`); where there is none, the time of day.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|n| n.parse().ok());
    let wall = || std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    nanoseconds.map_or_else(wall, Duration::from_nanos)
}

/// A pipeline of tables, as a network virtualisation would have it: ingress port, MAC filter, ACL by address and port, routes,
/// and so on, each going on to the next; the last puts out.
fn pipeline(tables: usize, flows: usize) -> FlowTable {
    let per_table = flows / tables;
    let mut text = String::new();
    for table in 0..tables {
        let next = if table + 1 < tables { format!("resubmit(,{})", table + 1) } else { "output:2".to_owned() };
        _ = writeln!(text, "table={table},priority=0,actions={next}");
        for n in 1..per_table {
            let (high, low) = (n / 250, n % 250);
            let matches = match table % 5 {
                0 => format!("priority={},tcp,nw_dst=10.{table}.{n}.0/24", 100 + n % 3),
                1 => format!("priority=10,dl_dst=02:00:00:{table:02x}:{high:02x}:{low:02x}"),
                2 => format!("priority=20,udp,nw_src=10.{high}.{low}.{table},tp_dst={}", 1000 + n),
                3 => format!("priority=5,ip,nw_src=172.{low}.{table}.0/{}", 16 + n % 9),
                _ => format!("priority=7,tcp,tp_dst={}", 2000 + n),
            };
            _ = writeln!(text, "table={table},{matches},actions=drop");
        }
    }
    // So that each packet has a megaflow of its own: the last table copies the 5-tuple.
    let copies = [
        "IP_SRC[]->NXM_NX_REG0[]",
        "IP_DST[]->NXM_NX_REG1[]",
        "TCP_SRC[]->NXM_NX_REG2[0..15]",
        "TCP_DST[]->NXM_NX_REG3[0..15]",
    ];
    let copies: String = copies.iter().map(|copy| format!("move:NXM_OF_{copy},")).collect();
    _ = writeln!(text, "table={},priority=1,tcp,actions={copies}output:2", tables - 1);
    parse_flow_file("bench", &text, Ports::sim()).expect("the bench's flows are right")
}

/// Frame `n`: TCP over IPv4, 60 bytes.
fn frame(n: usize) -> [u8; 60] {
    let mut frame = [0u8; 60];
    frame[..6].copy_from_slice(&[2, 0, 0, 0, 1, 1]);
    frame[6..12].copy_from_slice(&[2, 0, 0, 0, 2, 2]);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    frame[14..24].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 6]);
    let n = n as u32;
    frame[26..30].copy_from_slice(&(0x0b00_0000 | (n / 64)).to_be_bytes());
    frame[30..34].copy_from_slice(&(0x0c00_0000 | n.wrapping_mul(0x9e37) & 0xff_ffff).to_be_bytes());
    frame[34..36].copy_from_slice(&((n % 64 * 2 + 1024) as u16).to_be_bytes());
    frame[36..38].copy_from_slice(&((n / 64 % 8192 * 2 + 20_000) as u16).to_be_bytes());
    frame[46] = 0x50;
    frame
}

/// Handles `count` packets of different 5-tuples with `flows` flows in `tables` tables.
pub fn upcalls(count: usize, tables: usize, flows: usize) -> UpcallFigures {
    let flows_text = pipeline(tables, flows);
    let flow_count = flows_text.flows.len();
    let mut core: Core<u32> = Core::new(flows_text, Settings::default(), MAX_FRAME, 0);
    let mut sink = Sink::default();
    let frames: Vec<[u8; 60]> = (0..count).map(frame).collect();
    let mut sent = 0u64;
    let start = cpu_time();
    for (n, frame) in frames.iter().enumerate() {
        core.handle(&mut sink, 0, UpcallReason::Miss, frame, n as u64, |vport, frame| {
            sent += u64::from(vport) + frame.len() as u64;
            true
        });
    }
    let cpu = cpu_time().saturating_sub(start).max(Duration::from_nanos(1));
    std::hint::black_box((sent, sink.sum));
    UpcallFigures { upcalls: count, tables, flows: flow_count, megaflows: core.megaflows().0, cpu }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_upcall_is_put_out() {
        let figures = upcalls(1000, 10, 1000);
        assert_eq!((figures.upcalls, figures.tables, figures.flows), (1000, 10, 1001));
        assert_eq!(figures.megaflows, 1000);
        assert!(figures.json().contains("\"upcalls\":1000"));
    }
}
