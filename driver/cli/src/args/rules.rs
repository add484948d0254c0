// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `millrace rules`.

use super::{ConnectArgs, QueryArgs};
use clap::{Args, Subcommand};

const DUMP_HELP: &str = "\
One line per megaflow: what its packets look like (value/mask; without a mask all bits count), packets and bytes after the one \
that it was made for, time since the last one, what is done with them. `offloaded:yes`: a rule of the hardware handles \
it, at the place that dp-extra-info names. Without that the slow path does, for the reason that dp-extra-info names.

Rules by hand (`add`, `del`, `list`) are in no megaflow: they go before all of them.";

const ADD_HELP: &str = "\
Examples:
  millrace rules add ingress pattern eth / ipv4 dst is 10.0.0.1 / udp / end actions port_id id 3 / end
  millrace rules add ingress priority 1 pattern represented_port ethdev_port_id is vf0 / eth / vlan vid is 5 / end actions of_pop_vlan / port_id id p0 / end
  millrace rules add ingress pattern eth / ipv4 src spec 10.0.0.0 src prefix 8 / tcp dst is 22 / end actions drop / end

The words are those of `flow create` of DPDK's testpmd. Ports are numbered from 0 on there (p0 is 0), and may be named. Priority 0 goes first; a rule by hand goes before what the slow path has made.
It stays until it is taken out, also when the slow path starts again. What the hardware does not do is refused as by rte_flow (exit code 2), and nothing is changed.";

#[derive(Args, Debug)]
#[command(after_help = DUMP_HELP, args_conflicts_with_subcommands = true)]
pub struct RulesArgs {
    /// What to do with rules by hand; without it megaflows are shown.
    #[command(subcommand)]
    pub command: Option<RulesCommand>,

    #[command(flatten)]
    pub query: QueryArgs,
}

#[derive(Subcommand, Debug)]
pub enum RulesCommand {
    /// Put a rule into the hardware by hand. Prints its number.
    #[command(after_help = ADD_HELP)]
    Add(AddArgs),
    /// Take a rule out that was put in by hand.
    Del(DelArgs),
    /// Show the rules that were put in by hand, the one that goes first in front.
    List(QueryArgs),
}

#[derive(Args, Debug)]
pub struct AddArgs {
    #[command(flatten)]
    pub connect: ConnectArgs,

    /// The rule: attributes, pattern and actions.
    #[arg(value_name = "WORD", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

#[derive(Args, Debug)]
pub struct DelArgs {
    #[command(flatten)]
    pub connect: ConnectArgs,

    /// Its number, as `add` and `list` print it.
    #[arg(value_name = "NUMBER")]
    pub rule: u16,
}
