// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line.

mod explain;
#[cfg(feature = "os")]
mod os;
mod rules;
#[cfg(feature = "simulation")]
mod simulation;

pub use explain::ExplainArgs;
#[cfg(feature = "os")]
pub use os::{ImagesArgs, OsArgs, OsCommand};
pub use rules::{RulesArgs, RulesCommand};
#[cfg(feature = "simulation")]
pub use simulation::{AttachArgs, Host, Pace, RunArgs, ServeArgs};

use crate::detect::DetectArgs;
use crate::ecpf_choice::EcpfChoice;
use crate::flow_file::Files;
use crate::mode::Mode;
use crate::vf::VfSettings;
use clap::{Args, Parser, Subcommand};
use millrace_regs::host::Feature;
use std::path::PathBuf;

/// The Millrace DPU: a SmartNIC fast path in simulated hardware, with its slow path and rules.
///
/// Ports are p0, p1 (uplinks), pf, vf0, vf1, …; their OpenFlow numbers are 1, 2, 3, 4, ….
#[derive(Parser, Debug)]
#[command(name = "millrace", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    #[cfg(feature = "simulation")]
    /// Run a simulated DPU on captures and TAP devices, or the slow path of a card.
    Run(RunArgs),
    #[cfg(feature = "simulation")]
    /// Serve a simulated DPU as PCI functions over vfio-user, for guests of QEMU and drivers in other processes.
    Serve(ServeArgs),
    /// Be the slow path of a device that another process serves.
    Firmware(Box<FirmwareArgs>),
    #[cfg(feature = "simulation")]
    /// Make a PF or VF of a device that another process serves a TAP device of this machine.
    Attach(AttachArgs),
    /// Show the rules of a running device, in the form of `ovs-appctl dpctl/dump-flows -m`; put some in by hand.
    Rules(RulesArgs),
    /// Show the statistics of a running device.
    Stats(QueryArgs),
    /// Show why a running device does with a frame what it does, in the form of `ovs-appctl ofproto/trace`, and check the RTL against the model.
    Explain(ExplainArgs),
    /// Show, read or write the registers of a running device.
    Reg(RegArgs),
    /// Give a running device new flows. Returns when no packet is handled by the old ones any more.
    Reload(ReloadArgs),
    /// Show or set what a running device allows its PF and VFs, as `ip link set … vf` does.
    Vf(VfArgs),
    /// Show or set who has the switch of a served device: the card, or in NIC mode its host.
    Mode(ModeArgs),
    /// Follow what a running device tells of scans and spoofed sources, as lines of JSON.
    Events(EventsArgs),
    #[cfg(feature = "os")]
    /// On a card: show, update or confirm the system that it is started from. On its host: send it an update.
    Os(OsArgs),
}

/// What PF and VFs tell their drivers.
#[derive(Args, Debug)]
pub struct FunctionArgs {
    /// Longest payload of a frame that PF and VFs tell their drivers, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(68..=9198), requires = "flows")]
    pub mtu: u16,

    /// MAC address of the PF; the VFs have those after it.
    #[arg(long, value_name = "MAC", default_value = "02:4d:52:00:00:00", value_parser = mac, requires = "flows")]
    pub mac: [u8; 6],

    /// A virtio feature that PF and VFs do not offer: RING_PACKED, MRG_RXBUF, … May be given several times.
    #[arg(long, value_name = "FEATURE", value_parser = feature, requires = "flows")]
    pub without: Vec<Feature>,

    /// What is set of a PF or VF, as `ip link set … vf` has it: `vf0=vlan=100,qos=3,spoofchk=on`. Settings are mac, vlan, qos, proto (802.1Q, 802.1ad),
    /// spoofchk, trust, max_tx_rate (Mb/s), tx_weight (1 to 255, 0: none) and state (auto, enable, disable). May be given several times.
    #[arg(long, value_name = "PORT=SETTING=VALUE,…", value_parser = crate::vf::parse, requires = "flows")]
    pub vf: Vec<(String, VfSettings)>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Example: the device, its slow path, and two of its functions, each in a process of its own
  millrace serve --sockets /tmp/dpu
  millrace firmware --device vfio-user:/tmp/dpu --flows l2.flows
  millrace attach vfio-user:/tmp/dpu/vf0.sock --tap vf0
  millrace attach vfio-user:/tmp/dpu/vf1.sock --tap vf1

Prints `ready` when the flows are in force. SIGHUP reads the flow file again. SIGINT or SIGTERM ends it and resets the ECPF: packets that match a rule
go on, others are dropped until there is a slow path again. The next one takes the rules over, also if this one was killed. Exit code 2 means that something given cannot be used.")]
pub struct FirmwareArgs {
    /// Device: `vfio-user:DIR`, whose ECPF is served at DIR/ecpf.sock (`millrace serve --sockets DIR`, without --flows), or its PF at DIR/pf.sock if it is in NIC mode; or `vfio:ADDRESS`, the ECPF at an address of
    /// PCI, such as 0000:65:00.0, which is bound to vfio-pci.
    #[arg(long, value_name = "DEVICE")]
    pub device: EcpfChoice,

    /// Flow file, in the syntax of `ovs-ofctl add-flows`; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    pub flows: PathBuf,

    /// Groups that the flows speak of, in the syntax of `ovs-ofctl add-groups`; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,

    /// If the tables belong to another driver: take them, and clear them.
    #[arg(long)]
    pub take_over: bool,

    /// Where it is kept what the tables hold, which the device does not tell: whoever starts with this file takes the rules over. They are cleared
    /// if it is missing, or of another device or time [default: a file that is named after the device, where the control socket is by default].
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,

    #[command(flatten)]
    pub functions: FunctionArgs,

    #[command(flatten)]
    pub detect: DetectArgs,

    #[cfg(feature = "os")]
    #[command(flatten)]
    pub images: ImagesArgs,

    /// Write the statistics at the end of the run, as JSON; `-` is the standard output.
    #[arg(long, value_name = "FILE.json")]
    pub stats: Option<PathBuf>,

    /// Control socket, as of `millrace run`.
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
}

impl FirmwareArgs {
    /// The files that say what the switch does.
    pub fn files(&self) -> Files<'_> {
        Files { flows: &self.flows, groups: self.groups.as_deref() }
    }
}

#[derive(Args, Debug)]
pub struct ConnectArgs {
    /// Control socket of the running device, which has to be yours or root's [default: as for `millrace run`].
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct QueryArgs {
    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  millrace reg                      all registers, with their values
  millrace reg AGE_EPOCH            one register
  millrace reg 'QUEUE_CTRL[3]' 1    write a register

The slow path uses the command registers (DATA, INDEX, COMMAND): what is written there does not stay.")]
pub struct RegArgs {
    /// Name (as in the register reference, upper or lower case) or byte address of a register.
    pub register: Option<String>,

    /// Value to write: decimal, or hexadecimal with 0x.
    pub value: Option<String>,

    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
pub struct ReloadArgs {
    /// Flow file, in the syntax of `ovs-ofctl add-flows`; `-` is the standard input.
    #[arg(long, value_name = "FILE")]
    pub flows: PathBuf,

    /// Groups that the flows speak of, in the syntax of `ovs-ofctl add-groups`, in place of those that are there.
    #[arg(long, value_name = "FILE")]
    pub groups: Option<PathBuf>,

    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  millrace vf show                           all of them
  millrace vf show vf0
  millrace vf vf0 vlan 100 qos 3             the function is in this VLAN, and knows nothing of it
  millrace vf vf0 mac 02:00:00:00:00:01 spoofchk on trust off
  millrace vf vf0 tx_weight 3                three times what others get that have none, while they want more than there is
  millrace vf vf0 vlan 0 state disable       in none, and its link is down

Settings are mac, vlan (with qos, and proto: 802.1Q or 802.1ad), spoofchk and trust (on or off), max_tx_rate (in Mb/s; 0: no limit), tx_weight (its share of
what can be sent while several want to send more, 1 to 255; 0: none of its own, as 1), state (auto, enable or disable); what is not named stays. Who starts the slow path again gives them with --vf.")]
pub struct VfArgs {
    /// `show`, with a function or none; or a function, and settings with their values.
    #[arg(value_name = "WORD")]
    pub words: Vec<String>,

    #[command(flatten)]
    pub connect: ConnectArgs,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  millrace mode vfio-user:/tmp/dpu           which it is
  millrace mode vfio-user:/tmp/dpu nic       from now on the host's PF has the switch

The ECPF chooses, and nobody else: its slow path has to have ended, for the ECPF has one driver at a time. Rules and counters stay, and the slow path that starts
next takes them over: `millrace firmware` with the same device, wherever the switch is.")]
pub struct ModeArgs {
    /// Device: `vfio-user:DIR`.
    #[arg(value_name = "DEVICE")]
    pub device: EcpfChoice,

    /// Who has the switch from now on.
    #[arg(value_enum)]
    pub mode: Option<Mode>,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  millrace events                    those that are kept (the last 1,024), then each as it comes
  millrace events --once             those that are kept
  millrace events --count 1 | jq     the first
Each line is an object with `event_type` (scan, spoof, refused, unblocked), `timestamp`, `port`, what was seen, and the `action` (none, dropped, blocked). A reader that is too
slow gets a line with `event_type` lost and the `count` of those that it missed. The device looks out for what --detect-scan and --detect-spoof asked it to.")]
pub struct EventsArgs {
    /// End after so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// Print those that are kept, and end.
    #[arg(long)]
    pub once: bool,

    /// Control socket of the running device, which has to be yours or root's [default: as for `millrace run`].
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
}

/// A feature that need not be offered, by its name or what is behind `VIRTIO_F_` or `VIRTIO_NET_F_` in it.
fn feature(text: &str) -> Result<Feature, String> {
    let short = |feature: Feature| {
        let name = feature.name();
        name.strip_prefix("VIRTIO_F_").or_else(|| name.strip_prefix("VIRTIO_NET_F_")).unwrap_or(name)
    };
    let optional = Feature::OFFERED & !Feature::REQUIRED;
    let features: Vec<Feature> = Feature::ALL.iter().copied().filter(|f| f.bit() & optional != 0).collect();
    let found = features.iter().find(|f| [f.name(), short(**f)].iter().any(|name| name.eq_ignore_ascii_case(text)));
    found.copied().ok_or_else(|| {
        let names: Vec<_> = features.iter().map(|f| short(*f)).collect();
        format!("give one of {}", names.join(", "))
    })
}

/// `02:00:00:00:00:01`: the address of one station.
pub fn mac(text: &str) -> Result<[u8; 6], String> {
    let bytes: Vec<u8> = text.split(':').filter_map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    match <[u8; 6]>::try_from(bytes) {
        Ok(mac) if mac[0] & 1 == 0 && text.len() == 17 => Ok(mac),
        Ok(_) if text.len() == 17 => {
            Err("this is a group's address: the lowest bit of the first byte has to be 0".into())
        }
        _ => Err("give six bytes of two hexadecimal digits, as 02:00:00:00:00:01".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
