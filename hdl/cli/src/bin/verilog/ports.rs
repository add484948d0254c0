// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pins of the top module, grouped to buses by their names.

use millrace_regs::config::Preset;
use std::fmt::Write as _;

/// A pin.
#[derive(Clone)]
pub struct Port {
    pub name: String,
    pub bits: usize,
    pub input: bool,
}

/// What a bus is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Stream,
    Lite,
}

/// Pins with a common prefix.
pub struct Bus<'a> {
    pub name: String,
    pub kind: Kind,
    /// Slave of AXI4-Lite, receiving end of AXI4-Stream.
    pub slave: bool,
    /// Each pin with its role in the bus in upper case: `TDATA`, `AWADDR`.
    pub pins: Vec<(String, &'a Port)>,
}

/// The pins of module `top`, in the order of its port list.
pub fn of(text: &str, top: &str) -> Vec<Port> {
    let list = text.split(&format!("module {top} (\n")).nth(1).unwrap_or_default();
    list.lines().take_while(|line| line.trim() != ");").filter_map(port).collect()
}

/// `    input  wire [63:0] s_axis_rx_0_tdata,`
fn port(line: &str) -> Option<Port> {
    let mut words = line.trim().trim_end_matches(',').split_whitespace();
    let input = match words.next()? {
        "input" => true,
        "output" => false,
        _ => return None,
    };
    let rest: Vec<&str> = words.filter(|word| !matches!(*word, "wire" | "reg")).collect();
    let (bits, name) = match rest[..] {
        [name] => (1, name),
        [range, name] => (range.strip_prefix('[')?.split(':').next()?.parse::<usize>().ok()? + 1, name),
        _ => return None,
    };
    Some(Port { name: name.to_owned(), bits, input })
}

/// All buses, in the order of their first pins.
pub fn buses(ports: &[Port]) -> Vec<Bus<'_>> {
    let mut buses: Vec<Bus> = vec![];
    for port in ports {
        let Some((bus, role)) = port.name.rsplit_once('_') else { continue };
        let kind = match () {
            _ if bus.contains("_axis_") => Kind::Stream,
            _ if bus.ends_with("_axil") => Kind::Lite,
            _ => continue,
        };
        let pin = (role.to_uppercase(), port);
        match buses.iter_mut().find(|known| known.name == bus) {
            Some(known) => known.pins.push(pin),
            None => buses.push(Bus { name: bus.into(), kind, slave: bus.starts_with("s_"), pins: vec![pin] }),
        }
    }
    buses
}

/// What a reader needs to connect the core.
pub fn markdown(preset: Preset, top: &str, ports: &[Port]) -> String {
    let config = preset.config();
    let mut page = format!(
        "# Pins of `{top}`, preset `{preset}`\n\n\
         All synchronous to `clock`; `reset` is synchronous, active high, for two clocks or more. Streams are AXI4-Stream: `TKEEP` counts\n\
         with `TLAST` only and has no gaps, other beats are full. A frame is {min} to {max} bytes, without FCS. Names of the vports:\n{names}.\n\n\
         | bus or pin | kind | meaning |\n|---|---|---|\n",
        min = millrace_regs::config::MIN_FRAME,
        max = config.max_frame,
        names = (0..config.vports())
            .filter_map(|v| Some(format!("{v} `{}`", config.vport_name(v)?)))
            .collect::<Vec<_>>()
            .join(", "),
    );
    let buses = buses(ports);
    for port in ports.iter().filter(|port| !buses.iter().any(|bus| port.name.starts_with(&format!("{}_", bus.name)))) {
        let meaning = match port.name.as_str() {
            "clock" => "the only clock",
            "host_dropped" => "messages of the host that had no place to go, modulo 2^32",
            "tx_whole" => "bit v: `m_axis_tx_v` has a whole frame to give, and will not pause before its end",
            _ => "see above",
        };
        writeln!(page, "| `{}` | {} | {meaning} |", port.name, if port.input { "in" } else { "out" }).unwrap();
    }
    for bus in &buses {
        let kind = match (bus.kind, bus.slave) {
            (Kind::Stream, true) => "AXI4-Stream, into the core",
            (Kind::Stream, false) => "AXI4-Stream, out of the core",
            (Kind::Lite, _) => "AXI4-Lite slave",
        };
        writeln!(page, "| `{}` | {kind} | {} |", bus.name, meaning(&bus.name)).unwrap();
    }
    page += "\n| pin | direction | bits |\n|---|---|---|\n";
    for port in ports {
        writeln!(page, "| `{}` | {} | {} |", port.name, if port.input { "in" } else { "out" }, port.bits).unwrap();
    }
    page
}

fn meaning(bus: &str) -> String {
    let number = bus.rsplit('_').next().unwrap_or_default();
    match bus {
        "s_axil" => "registers, `registers.md`".into(),
        "s_axis_packet_out" => "frames of the slow path; `TUSER` = destination vport, held through the frame".into(),
        "m_axis_upcall" => {
            "frames for the slow path; `TUSER` = ingress vport 7:0, reason 15:8 (0 miss, 1 punt, 2 action)".into()
        }
        "s_axis_host" => "messages of the host channel; `TUSER` with the last beat: the message arrived damaged".into(),
        "m_axis_host" => "messages of the host channel; `TUSER` is 0".into(),
        _ if bus.starts_with("s_axis_rx") => {
            format!("frames coming in on vport {number}; `TUSER` with the last beat: the frame arrived damaged")
        }
        _ => format!("frames going out on vport {number}; `TUSER` is 0"),
    }
}
