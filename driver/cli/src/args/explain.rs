// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `millrace explain`.

use super::ConnectArgs;
use clap::Args;
#[cfg(feature = "simulation")]
use std::path::PathBuf;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  millrace explain --in vf0 --hex 0200000000020200000000010800450000…
  millrace explain --in p0 --capture in.pcap --frame 7 --trace packet.fst

The device is not touched: nothing enters it, nothing is counted or learned, and its clock stands still for it. What its rules do is told by the reference model, and compared with the RTL: a private
copy of the device, with the same rules at the same places, gets the frame. If they differ this is said, and the exit code is 1. Behind that comes what the flow tables would do with a packet that no rule matches,
as ofproto/trace prints it.")]
pub struct ExplainArgs {
    /// Port that the frame comes in on, by its name or OpenFlow number.
    #[arg(long = "in", value_name = "PORT")]
    pub port: String,

    /// The frame, without FCS, as hexadecimal digits; blanks, line ends and colons between bytes do not count.
    #[cfg_attr(feature = "simulation", arg(long, value_name = "DIGITS", required_unless_present = "capture"))]
    #[cfg_attr(not(feature = "simulation"), arg(long, value_name = "DIGITS", required = true))]
    pub hex: Option<String>,

    /// Take the frame from a capture (pcap or pcapng).
    #[cfg(feature = "simulation")]
    #[arg(long, value_name = "FILE", conflicts_with = "hex", requires = "frame")]
    pub capture: Option<PathBuf>,

    /// Its number in the capture, the first being 1.
    #[cfg(feature = "simulation")]
    #[arg(long, value_name = "N", requires = "capture", value_parser = clap::value_parser!(u64).range(1..))]
    pub frame: Option<u64>,

    /// Write the waveforms of all signals of the copy while it has the frame (FST).
    #[cfg(feature = "simulation")]
    #[arg(long, value_name = "FILE.fst")]
    pub trace: Option<PathBuf>,

    #[command(flatten)]
    pub connect: ConnectArgs,
}
