// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of what is simulated here, or connected to this machine.

use super::FunctionArgs;
use crate::detect::DetectArgs;
use crate::device_choice::{DeviceChoice, Served};
use crate::flow_file::Files;
use crate::mode::Mode;
use clap::{Args, ValueEnum};
use millrace_sim::Preset;
use std::ops::Range;
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  millrace run --flows l2.flows --in p0=a.pcap --in vf0=b.pcapng --out results --stats stats.json
  millrace run --flows l2.flows --tap vf0=tap0 --tap vf1=tap1
  millrace run --flows l2.flows --device serial:/dev/ttyUSB1

The flow file is in the syntax of `ovs-ofctl add-flows`. SIGHUP reads it again. SIGINT ends the run: packets under way
get a second to arrive, and all results are written; a second SIGINT ends it at once. Exit code 2 means that something
given cannot be used: then nothing was run, and no file was changed.

MILLRACE_LOG says what is logged: a level (off, error, warn, info, debug, trace), levels of modules, or both:
`MILLRACE_LOG=millrace_firmware=debug,warn`. Without it that is warnings and errors.

Captures are looked through before the run, and read packet by packet as it goes. Frames that are cut by the snapshot length, shorter
than 14 bytes or longer than the build's longest frame are left out, and counted as `left_out` in the statistics.

Ports are p0 p1 pf vf0 vf1 vf2 vf3 vf4 vf5 vf6 vf7 with --preset sim; small presets have fewer VFs. Their OpenFlow numbers, 1 2 3 …,
name them too.")]
pub struct RunArgs {
    /// Flow file, in the syntax of `ovs-ofctl add-flows`; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    pub flows: PathBuf,

    /// Groups that the flows speak of, in the syntax of `ovs-ofctl add-groups`; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,

    /// Let the packets of a capture (pcap or pcapng) enter at a port; `-` is the standard input. May be given once per port.
    #[arg(long = "in", value_name = "PORT=FILE", value_parser = port_and_value)]
    pub inputs: Vec<(String, String)>,

    /// Refuse captures of which packets would be left out, or whose end is missing.
    #[arg(long)]
    pub strict: bool,

    /// Connect a port to a Linux TAP device, which is made if there is none. The run then goes on until it is interrupted.
    #[arg(long = "tap", value_name = "PORT=IFACE", value_parser = port_and_value)]
    pub taps: Vec<(String, String)>,

    /// Write what leaves each port to DIR/PORT.pcap (nanosecond times); to DIR/PORT.pcapng where times come near 2106, which
    /// ends pcap's.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Write the statistics at the end of the run, as JSON; `-` is the standard output.
    #[arg(long, value_name = "FILE.json")]
    pub stats: Option<PathBuf>,

    /// When packets of captures enter.
    #[arg(long, value_enum, default_value_t = Pace::Line)]
    pub pace: Pace,

    /// Write the waveforms of all signals (FST).
    #[arg(long, value_name = "FILE.fst")]
    pub trace: Option<PathBuf>,

    /// Cycles that the waveforms show.
    #[arg(long, value_name = "FROM..TO", value_parser = cycles, default_value = "0..20000", requires = "trace")]
    pub trace_cycles: Range<u64>,

    /// Device: `embedded`, simulated in this process, or `serial:PATH[,baud=N]`, a card whose host channel is at this serial
    /// port (at 3,000,000 baud, unless N says otherwise). The ports of a card are its own, so it has no --in, --out, --trace,
    /// --host and --preset; --tap connects those of its ports that have no MAC.
    #[arg(long, value_name = "DEVICE", default_value = "embedded")]
    pub device: DeviceChoice,

    /// Of a card whose tables belong to another driver: take them, and clear them.
    #[arg(long, requires = "device")]
    pub take_over: bool,

    /// Build of the hardware to simulate: sim, ecp5, one of another bus width (w128, w256, w1024), or passes: frames are looked up to eight times [default: sim; host with --host rings].
    #[arg(long, value_name = "NAME")]
    pub preset: Option<Preset>,

    /// How the frames of PF and VFs and those of the slow path go in and out [default: pins].
    #[arg(long, value_enum, value_name = "HOW")]
    pub host: Option<Host>,

    #[command(flatten)]
    pub detect: DetectArgs,

    /// Keep the device running when all captures have been sent, until it is interrupted.
    #[arg(long)]
    pub hold: bool,

    /// Time that packets under way get to arrive when the run is interrupted; what is left then is counted.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(..=3_600_000))]
    pub grace: u64,

    /// Control socket, for `millrace rules`, `explain`, `stats`, `reg`, `reload`, `vf` and `events`. Only you and root get an answer [default: millrace.sock
    /// in XDG_RUNTIME_DIR if only you get in there, else in /tmp/millrace-UID, which is made for you alone].
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
}

impl RunArgs {
    /// The files that say what the switch does.
    pub fn files(&self) -> Files<'_> {
        Files { flows: &self.flows, groups: self.groups.as_deref() }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
Example: two guests behind one DPU
  millrace serve --sockets /tmp/dpu --flows l2.flows
  qemu-system-x86_64 -machine q35,memory-backend=m0 -object memory-backend-memfd,id=m0,size=512M,share=on ... \
    -device pcie-root-port,id=slot0 \
    -device '{\"driver\":\"vfio-user-pci\",\"bus\":\"slot0\",\"x-msg-timeout\":600000,\"socket\":{\"type\":\"unix\",\"path\":\"/tmp/dpu/vf0.sock\"}}'
and the same with vf1.sock. QEMU has vfio-user-pci from version 10.1 on. The guests' memory has to be shared.

Prints `ready` when all sockets are there. SIGINT ends it: packets under way get a second to arrive, the statistics are printed, and the sockets
go. A client may come and go: with it goes what its function had under way. Each function has one client at a time.")]
pub struct ServeArgs {
    /// Folder for the sockets: pf.sock, vf0.sock, vf1.sock, …, and without --flows ecpf.sock. It is made if there is none.
    #[arg(long, value_name = "DIR")]
    pub sockets: PathBuf,

    /// Flow file, in the syntax of `ovs-ofctl add-flows`; `-` is the standard input. The slow path is then in this process. SIGHUP
    /// reads it again. Without it a driver of the ECPF has to be the slow path.
    #[arg(long, value_name = "FILE")]
    pub flows: Option<PathBuf>,

    /// Groups that the flows speak of, in the syntax of `ovs-ofctl add-groups`; `-` is the standard input.
    #[arg(long, value_name = "FILE", requires = "flows")]
    pub groups: Option<PathBuf>,

    /// Who owns the switch, and is its slow path: the ECPF, or in NIC mode the host's PF (without --flows). The ECPF may change it: `millrace mode`.
    #[arg(long, value_enum, default_value_t = Mode::Dpu)]
    pub mode: Mode,

    /// Number of VFs.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub vfs: u16,

    /// So many of them are enabled from the start on, and whenever the PF is reset [default: all]. The PF's host sets how many there are as Linux's `sriov_numvfs`
    /// does, in the capability SR-IOV; a VF has its socket while it is enabled. QEMU keeps the capability from its guests.
    #[arg(long, value_name = "M")]
    pub numvfs: Option<u16>,

    /// What an uplink is connected to: `tap:IFACE`, a Linux TAP device, which is made if there is none; `pcap:IN,OUT`, a capture whose packets come
    /// in, and one of what leaves; `unix:PATH[,delay=TIME][,rate=BITS]`, a wire to the uplink of another `millrace serve` that is given the same path: what
    /// leaves here takes TIME (as 5us) of this device to the other end, and goes at no more than BITS (as 10G) per second. May be given once per uplink.
    #[arg(long = "uplink", value_name = "PORT=WHERE", value_parser = port_and_value)]
    pub uplinks: Vec<(String, String)>,

    /// When packets of captures enter, from the start on.
    #[arg(long, value_enum, default_value_t = Pace::Line)]
    pub pace: Pace,

    #[command(flatten)]
    pub functions: FunctionArgs,

    #[command(flatten)]
    pub detect: DetectArgs,

    /// Round trip of the device's accesses to memory, in nanoseconds.
    #[arg(long, value_name = "NS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub latency: u64,

    /// Write the statistics at the end of the run, as JSON; `-` is the standard output.
    #[arg(long, value_name = "FILE.json", requires = "flows")]
    pub stats: Option<PathBuf>,

    /// Time that packets under way get to arrive when the run is interrupted.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(..=3_600_000))]
    pub grace: u64,

    /// Control socket, as of `millrace run`.
    #[arg(long, value_name = "PATH", requires = "flows")]
    pub control: Option<PathBuf>,
}

impl ServeArgs {
    /// The files that say what the switch does, if the slow path is here.
    pub fn files(&self) -> Option<Files<'_>> {
        let groups = self.groups.as_deref();
        self.flows.as_deref().map(|flows| Files { flows, groups })
    }
}

#[derive(Args, Debug)]
#[command(after_help = "\
Prints `ready` when frames can pass. SIGINT ends it and resets the function. Exit code 2 means that something given cannot be used: the socket,
what is behind it, or the TAP device.")]
pub struct AttachArgs {
    /// Function: `vfio-user:SOCKET`, such as `vfio-user:/tmp/dpu/vf0.sock` or `…/pf.sock`. It has no other client meanwhile.
    #[arg(value_name = "FUNCTION")]
    pub function: Served,

    /// TAP device, which is made if there is none.
    #[arg(long, value_name = "IFACE")]
    pub tap: String,
}

/// When packets of captures enter: always in the order of their times, packets of the same time in the order of their ports. If a
/// file has them in another order, the run says that it sorted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// Back to back, as fast as the ports take them.
    Line,
    /// At the times of the captures, counted from the first packet.
    Capture,
    /// At the times of the captures too, but each only when the one before has left, also if the slow path handles it: for
    /// runs that are to be compared.
    Settle,
}

/// How frames that are no uplink's get into the simulated device and out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Host {
    /// As beats at the pins of the core, in no time.
    Pins,
    /// Through virtqueues in memory, as a host's drivers and the slow path of a card have them; the device has a host side then.
    Rings,
}

/// `PORT=VALUE`
fn port_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((port, value)) if !port.is_empty() && !value.is_empty() => Ok((port.into(), value.into())),
        _ => Err("give a port, `=`, and a name".into()),
    }
}

/// `FROM..TO`
fn cycles(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("give the first cycle, `..`, and the cycle after the last")?;
    let number = |text: &str| text.replace('_', "").parse::<u64>().map_err(|_| format!("`{text}` is no cycle number"));
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err("this window has no cycle".into()) } else { Ok(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_cycles_are_parsed_or_refused() {
        assert_eq!(port_and_value("vf0=a=b.pcap"), Ok(("vf0".into(), "a=b.pcap".into())));
        assert!(port_and_value("vf0").is_err() && port_and_value("=x").is_err() && port_and_value("p0=").is_err());
        assert_eq!(cycles("10..1_000"), Ok(10..1000));
        assert!(cycles("10").is_err() && cycles("5..5").is_err() && cycles("a..5").is_err());
    }
}
