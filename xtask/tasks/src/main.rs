// SPDX-License-Identifier: MIT OR Apache-2.0
//! What `cargo xtask` hands over: set-up, tests, Verilog, images and benchmarks. Each command first installs what it lacks.

mod architecture;
mod capi;
mod cocotb;
mod debian;
mod dpu_os;
mod firmware;
mod fpga;
mod fpga_report;
mod fuzz;
mod gates;
mod guests;
mod nextpnr;
mod prove;
mod rtl;
mod same_verilog;
mod stopwatch;
mod test;
mod yosys;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::demo::Demo;
use xtask::setup::Need;
use xtask::{run, setup};

/// Build, test and measure Millrace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the other commands need, and say what and why
    Setup,
    Demo(Demo),
    /// Format check, Clippy, every test, and the quick proofs
    Test,
    /// Compare RTL and reference model on random packets and rules
    Soak {
        /// Arguments of the soak run: --packets N --seed S
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Compare Open vSwitch and `millrace run` on random frames and flow tables
    Stress {
        /// Arguments of the comparison: --frames N --seed S
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Print the figures of the README: a table, and a JSON line for each
    Bench {
        /// Names of the figures to measure (all, if none is given)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Throw anything at the device that a stranger can send
    #[command(subcommand)]
    Fuzz(fuzz::Target),
    /// Prove properties of the Verilog of blocks, and that each proof catches faults
    Prove {
        /// Arguments of the prover: names of proofs, --list, --quick (see `cargo xtask prove -- --help`)
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build the driver for C, and lay out its libraries, header and pkg-config file
    Capi(capi::Arguments),
    /// Build the command as a card's own processor runs it, for the slow path there: a program that needs no libraries
    Firmware(firmware::Arguments),
    /// Build DPU-OS, the system of a card's own processor, as a profile of firmware/os says
    DpuOs(dpu_os::Arguments),
    /// Write the Verilog of a preset, one file per module, with its register reference and C header
    Verilog {
        /// Arguments of the emitter: --preset P --out DIR; for a board, with its wrapper and constraints: --board B --out DIR
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build a board to a bitstream, or check what can be checked without its vendor's tools
    Fpga(fpga::Arguments),
    /// Print what the presets take of their devices and how long their paths are, by module
    FpgaReport(fpga_report::Arguments),
    /// Run the tests of testbench/cocotb on the emitted Verilog, in Icarus Verilog
    Cocotb(cocotb::Arguments),
    /// Prove that the Verilog in two folders means the same, for changes that must not change it
    SameVerilog(same_verilog::Arguments),
    /// Compare the netlist of preset ecp5 with the reference model on random packets
    Gates(gates::Arguments),
    /// Let stock Linux guests in QEMU use the functions of the simulated DPU: ping, iperf3, drivers and guests that come and go
    Guests(guests::Arguments),
}

fn main() {
    if let Err(error) = dispatch(Cli::parse().command) {
        eprintln!("error: {error:#}");
        std::process::exit(1);
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Setup => setup::install(Need::ALL),
        Command::Demo(demo) => demo.run(),
        Command::Test => {
            setup::install(Need::ALL)?;
            test::all()
        }
        Command::Soak { args } => {
            setup::install(&[Need::Build])?;
            run::release("millrace-testbench", "soak", &["every-preset"], &args)
        }
        Command::Stress { args } => {
            setup::install(&[Need::Build, Need::Test])?;
            run::build(&["millrace"], &["millrace"], &[])?;
            run::release("millrace-testbench", "stress", &[], &args)
        }
        Command::Bench { args } => {
            setup::install(&[Need::Build, Need::Demo])?;
            run::build(&["millrace"], &["millrace"], &[])?;
            run::build(&["millrace-hdl-cli"], &["verilog"], &[])?;
            run::release("millrace-testbench", "bench", &["host", "passes"], &args)
        }
        Command::Fuzz(target) => fuzz::run(&target),
        Command::Prove { args } => {
            setup::install(&[Need::Prove])?;
            run::release("millrace-hdl-cli", "prove", &[], &prove::arguments(args))
        }
        Command::Capi(arguments) => {
            setup::install(arguments.needs())?;
            capi::install(&arguments)
        }
        Command::Firmware(arguments) => firmware::run(&arguments),
        Command::DpuOs(arguments) => {
            setup::install(&[Need::Image])?;
            dpu_os::run(&arguments)
        }
        Command::Fpga(arguments) => fpga::run(&arguments),
        Command::Verilog { args } if args.iter().any(|arg| arg.starts_with("--board")) => {
            let name = "cargo xtask verilog".to_owned();
            fpga::verilog(&fpga::VerilogArguments::parse_from(std::iter::once(name).chain(args)))
        }
        Command::Verilog { args } => run::release("millrace-hdl-cli", "verilog", &[], &args),
        Command::FpgaReport(arguments) => {
            setup::install(arguments.needs())?;
            fpga_report::report(&arguments)
        }
        Command::Cocotb(arguments) => {
            setup::install(&[Need::Cocotb])?;
            run::checked(arguments.command()?)
        }
        Command::SameVerilog(arguments) => {
            setup::install(&[Need::Prove])?;
            same_verilog::compare(&arguments)
        }
        Command::Gates(arguments) => {
            setup::install(&[Need::Build, Need::Synthesis])?;
            gates::check(&arguments)
        }
        Command::Guests(arguments) => guests::run(&arguments),
    }
}
